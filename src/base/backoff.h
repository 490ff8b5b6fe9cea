/* SPDX-License-Identifier: MIT */
/*
 * How long to wait before the next attempt: doubling delays with jitter, capped. Pure: randomness
 * is a parameter. Not synchronised.
 */
#ifndef DO_BASE_BACKOFF_H
#define DO_BASE_BACKOFF_H

#include <stdint.h>

struct do_backoff
{
    uint32_t first_ms;
    uint32_t max_ms;
    uint32_t failures; /* in a row, since the last do_backoff_reset */
};

void do_backoff_init(struct do_backoff *backoff, uint32_t first_ms, uint32_t max_ms);

/** Progress was made: the next failure waits first_ms again. */
void do_backoff_reset(struct do_backoff *backoff);

/**
 * Counts a failure and gives the delay before the next attempt in milliseconds: first_ms doubled
 * per earlier failure, at most max_ms, of which random (0..UINT32_MAX) takes away up to a quarter,
 * so that many clients of one failing server do not return in step.
 */
uint32_t do_backoff_next(struct do_backoff *backoff, uint32_t random);

#endif
