/* SPDX-License-Identifier: MIT */
/*
 * Limits on bytes per second, as token buckets. Pure: time is a parameter, in milliseconds of a
 * clock that never jumps. One bucket is shared by all connections of a class; it belongs to the
 * thread that reads from the network and is not synchronised.
 *
 * A bucket holds at most 100 ms of its limit, and none at the start, so that no window of 5 s gets
 * more than 2 % above the limit, plus what the last read took too much. Such an overshoot is a debt
 * that later time pays. No window gets less than that below it while the reader looks at the times
 * that do_rate_delay_ms names.
 */
#ifndef DO_BASE_RATE_H
#define DO_BASE_RATE_H

#include <stdint.h>

#define DO_RATE_UNLIMITED UINT64_MAX

struct do_rate
{
    uint64_t limit_bytes_per_s; /* 0 = unlimited */
    uint64_t at_ms;             /* the credit is what it was then */
    int64_t credit;             /* thousandths of a byte; below 0: a debt */
};

/** An unlimited bucket. */
void do_rate_init(struct do_rate *rate, uint64_t now_ms);

/**
 * Changes the limit; 0 = unlimited. What is left or owed is kept, but never more time of it than
 * before, so that a lower limit begins neither with a burst nor with a long silence. Limits are cut
 * at 2^45.
 */
void do_rate_set(struct do_rate *rate, uint64_t limit_bytes_per_s, uint64_t now_ms);

/** The bytes that may be read now; DO_RATE_UNLIMITED without a limit. A read may take more. */
uint64_t do_rate_allowance(struct do_rate *rate, uint64_t now_ms);

/** Bytes were read. */
void do_rate_spend(struct do_rate *rate, uint64_t bytes, uint64_t now_ms);

/**
 * When to look again: 0 when something may be read now, else the milliseconds until 25 ms of the
 * limit may be read, and at least one byte.
 */
uint32_t do_rate_delay_ms(struct do_rate *rate, uint64_t now_ms);

/**
 * The most that one read of a connection should take for a limit to be kept smoothly: 50 ms of it,
 * at least 1 KiB, at most most_bytes, which is also the answer for 0 (unlimited).
 */
uint32_t do_rate_read_bytes(uint64_t limit_bytes_per_s, uint32_t most_bytes);

enum do_rate_class
{
    DO_RATE_FOREGROUND,
    DO_RATE_BACKGROUND,
    DO_RATE_CLASSES
};

/**
 * Both classes under a common limit. Each has a limit of its own as well; the smaller one counts.
 * Background reads only while half of the common bucket is full, which a foreground that wants all
 * of it never leaves: so background gets what foreground does not take.
 */
struct do_rate_shares
{
    struct do_rate common;
    struct do_rate own[DO_RATE_CLASSES];
};

void do_rate_shares_init(struct do_rate_shares *shares, uint64_t now_ms);

/** As do_rate_allowance, do_rate_spend and do_rate_delay_ms, for a connection of a class. */
uint64_t do_rate_shares_allowance(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t now_ms);
void do_rate_shares_spend(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t bytes, uint64_t now_ms);
uint32_t do_rate_shares_delay_ms(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t now_ms);

#endif
