/* SPDX-License-Identifier: MIT */
/*
 * A sequence that looks random and is the same in every run.
 */
#ifndef DO_TESTS_SUPPORT_RANDOM_H
#define DO_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

struct test_random
{
    uint32_t state; /* the seed; not 0 */
};

/* The next number below limit (xorshift). */
static inline uint32_t test_random_below(struct test_random *random, uint32_t limit)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 17;
    random->state ^= random->state << 5;
    return random->state % limit;
}

#endif
