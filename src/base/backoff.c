/* SPDX-License-Identifier: MIT */
/*
 * Doubling, capped, jittered delays. Pure.
 */
#include "base/backoff.h"

void do_backoff_init(struct do_backoff *backoff, uint32_t first_ms, uint32_t max_ms)
{
    backoff->first_ms = first_ms;
    backoff->max_ms = max_ms;
    backoff->failures = 0;
}

void do_backoff_reset(struct do_backoff *backoff)
{
    backoff->failures = 0;
}

uint32_t do_backoff_next(struct do_backoff *backoff, uint32_t random)
{
    uint64_t delay_ms = backoff->first_ms;

    for (uint32_t i = 0; i < backoff->failures && i < 32 && delay_ms < backoff->max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > backoff->max_ms)
        delay_ms = backoff->max_ms;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return (uint32_t)(delay_ms - ((delay_ms / 4) * random >> 32));
}
