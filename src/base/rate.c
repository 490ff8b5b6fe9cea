/* SPDX-License-Identifier: MIT */
/*
 * Token buckets. Pure. Credits are thousandths of a byte, so that a limit times milliseconds is
 * exact: however often somebody looks, nothing is lost to rounding.
 */
#include "base/rate.h"

#define BURST_MS 100
#define RESERVE_MS (BURST_MS / 2) /* of the common bucket, left to foreground */
#define WAKE_MS 25
#define READ_MS 50
#define LEAST_READ_BYTES 1024

/* So that a credit, and the largest debt of one read more, stay far from the ends of int64_t. */
#define MOST_BYTES_PER_S (UINT64_C(1) << 45)
#define MOST_SPENT_BYTES (UINT64_C(1) << 50)
#define LARGEST_DEBT (-(INT64_C(1) << 61))

static int64_t credit_of_ms(const struct do_rate *rate, uint64_t ms)
{
    return (int64_t)(rate->limit_bytes_per_s * ms);
}

void do_rate_init(struct do_rate *rate, uint64_t now_ms)
{
    *rate = (struct do_rate){0, now_ms, 0};
}

/* A byte more than the burst: a limit of a few bytes per second must come to one, too. */
static int64_t full_credit(const struct do_rate *rate)
{
    return credit_of_ms(rate, BURST_MS) + 1000;
}

/* Adds what time has brought. */
static void settle(struct do_rate *rate, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > rate->at_ms ? now_ms - rate->at_ms : 0;
    int64_t full = full_credit(rate);
    uint64_t missing_ms;

    rate->at_ms += elapsed_ms;
    if (!rate->limit_bytes_per_s || rate->credit >= full)
        return;
    missing_ms = (uint64_t)(full - rate->credit) / rate->limit_bytes_per_s;
    if (elapsed_ms > missing_ms)
        rate->credit = full;
    else
        rate->credit += credit_of_ms(rate, elapsed_ms);
}

void do_rate_set(struct do_rate *rate, uint64_t limit_bytes_per_s, uint64_t now_ms)
{
    uint64_t old = rate->limit_bytes_per_s;

    if (limit_bytes_per_s > MOST_BYTES_PER_S)
        limit_bytes_per_s = MOST_BYTES_PER_S;
    settle(rate, now_ms);
    rate->limit_bytes_per_s = limit_bytes_per_s;
    if (!old || !limit_bytes_per_s)
        rate->credit = 0;
    else if (limit_bytes_per_s < old)
    {
        /* The same time at the lower limit. The quotient is smaller than what it came from. */
        rate->credit = rate->credit / (int64_t)old * (int64_t)limit_bytes_per_s;
    }
}

/* The bytes above what reserve_ms hold back. */
static uint64_t allowance_above(struct do_rate *rate, uint64_t reserve_ms, uint64_t now_ms)
{
    int64_t free_credit;

    if (!rate->limit_bytes_per_s)
        return DO_RATE_UNLIMITED;
    settle(rate, now_ms);
    free_credit = rate->credit - credit_of_ms(rate, reserve_ms);
    return free_credit > 0 ? (uint64_t)free_credit / 1000 : 0;
}

uint64_t do_rate_allowance(struct do_rate *rate, uint64_t now_ms)
{
    return allowance_above(rate, 0, now_ms);
}

void do_rate_spend(struct do_rate *rate, uint64_t bytes, uint64_t now_ms)
{
    if (!rate->limit_bytes_per_s)
        return;
    settle(rate, now_ms);
    rate->credit -= (int64_t)(bytes < MOST_SPENT_BYTES ? bytes : MOST_SPENT_BYTES) * 1000;
    if (rate->credit < LARGEST_DEBT)
        rate->credit = LARGEST_DEBT;
}

static uint32_t delay_above(struct do_rate *rate, uint64_t reserve_ms, uint64_t now_ms)
{
    int64_t wanted;
    uint64_t delay_ms;

    if (allowance_above(rate, reserve_ms, now_ms))
        return 0;
    wanted = credit_of_ms(rate, WAKE_MS);
    if (wanted < 1000)
        wanted = 1000;
    wanted += credit_of_ms(rate, reserve_ms) - rate->credit;
    delay_ms = ((uint64_t)wanted + rate->limit_bytes_per_s - 1) / rate->limit_bytes_per_s;
    return delay_ms < UINT32_MAX ? (uint32_t)delay_ms : UINT32_MAX;
}

uint32_t do_rate_delay_ms(struct do_rate *rate, uint64_t now_ms)
{
    return delay_above(rate, 0, now_ms);
}

uint32_t do_rate_read_bytes(uint64_t limit_bytes_per_s, uint32_t most_bytes)
{
    uint64_t bytes = limit_bytes_per_s / (1000 / READ_MS);

    if (bytes < LEAST_READ_BYTES)
        bytes = LEAST_READ_BYTES;
    return limit_bytes_per_s && bytes < most_bytes ? (uint32_t)bytes : most_bytes;
}

void do_rate_shares_init(struct do_rate_shares *shares, uint64_t now_ms)
{
    do_rate_init(&shares->common, now_ms);
    for (int i = 0; i < DO_RATE_CLASSES; i++)
        do_rate_init(&shares->own[i], now_ms);
}

static uint64_t reserve_of(enum do_rate_class which)
{
    return which == DO_RATE_BACKGROUND ? RESERVE_MS : 0;
}

uint64_t do_rate_shares_allowance(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t now_ms)
{
    uint64_t own = do_rate_allowance(&shares->own[which], now_ms);
    uint64_t common = allowance_above(&shares->common, reserve_of(which), now_ms);

    return own < common ? own : common;
}

void do_rate_shares_spend(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t bytes, uint64_t now_ms)
{
    do_rate_spend(&shares->own[which], bytes, now_ms);
    do_rate_spend(&shares->common, bytes, now_ms);
}

uint32_t do_rate_shares_delay_ms(
    struct do_rate_shares *shares, enum do_rate_class which, uint64_t now_ms)
{
    uint32_t own_ms = do_rate_delay_ms(&shares->own[which], now_ms);
    uint32_t common_ms = delay_above(&shares->common, reserve_of(which), now_ms);

    return own_ms > common_ms ? own_ms : common_ms;
}
