/* SPDX-License-Identifier: MIT */
/*
 * Delays between attempts.
 */
#include "base/backoff.h"
#include "support/test.h"

/* Broken: a failing server is asked again without growing pauses, or after too long ones. */
static void test_backoff_failures_double_up_to_limit(void **state)
{
    static const uint32_t expected_ms[] = {1000, 2000, 4000, 8000, 10000, 10000};
    struct do_backoff backoff;

    (void)state;
    do_backoff_init(&backoff, 1000, 10000);
    for (size_t i = 0; i < DO_COUNT_OF(expected_ms); i++)
        assert_int_equal(do_backoff_next(&backoff, 0), expected_ms[i]);
    assert_int_equal(backoff.failures, DO_COUNT_OF(expected_ms));
}

/* Broken: all clients of a failing server return at the same moment, or at once. */
static void test_backoff_random_takes_up_to_a_quarter(void **state)
{
    struct do_backoff backoff;

    (void)state;
    do_backoff_init(&backoff, 1000, 60000);
    assert_in_range(do_backoff_next(&backoff, UINT32_MAX), 750, 751);
    assert_int_equal(do_backoff_next(&backoff, 0x80000000U), 1750);
    for (uint32_t i = 0; i < 16; i++)
        assert_in_range(do_backoff_next(&backoff, i * 0x11111111U), 3000, 60000);
}

/* Broken: after progress the next small failure waits as long as the last big one. */
static void test_backoff_reset_starts_anew(void **state)
{
    struct do_backoff backoff;

    (void)state;
    do_backoff_init(&backoff, 10, 1000);
    (void)do_backoff_next(&backoff, 0);
    (void)do_backoff_next(&backoff, 0);
    do_backoff_reset(&backoff);
    assert_int_equal(do_backoff_next(&backoff, 0), 10);
}

/* Broken: extreme settings overflow, or keep the loop thread busy. */
static void test_backoff_extremes_stay_within_limit(void **state)
{
    struct do_backoff backoff;

    (void)state;
    do_backoff_init(&backoff, UINT32_MAX, UINT32_MAX);
    backoff.failures = UINT32_MAX;
    assert_int_equal(do_backoff_next(&backoff, 0), UINT32_MAX);
    assert_int_equal(backoff.failures, UINT32_MAX);
    do_backoff_init(&backoff, 1, UINT32_MAX);
    backoff.failures = UINT32_MAX;
    assert_int_equal(do_backoff_next(&backoff, 0), UINT32_MAX);
    do_backoff_init(&backoff, 5000, 1000);
    assert_int_equal(do_backoff_next(&backoff, 0), 1000);
    do_backoff_init(&backoff, 0, 1000);
    backoff.failures = UINT32_MAX;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(do_backoff_next(&backoff, UINT32_MAX), 0);
}

int main(void)
{
    static const struct CMUnitTest backoff[] = {
        cmocka_unit_test(test_backoff_failures_double_up_to_limit),
        cmocka_unit_test(test_backoff_random_takes_up_to_a_quarter),
        cmocka_unit_test(test_backoff_reset_starts_anew),
        cmocka_unit_test(test_backoff_extremes_stay_within_limit),
    };

    return TEST_RUN(backoff);
}
