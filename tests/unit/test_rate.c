/* SPDX-License-Identifier: MIT */
/*
 * Limits on bytes per second, in simulated time: readers that look when they are told to, a little
 * late, and read what they like.
 */
#include <stdbool.h>
#include <string.h>

#include "base/rate.h"
#include "support/test.h"

#define WINDOW_MS 5000U
#define LONGEST_MS 60000U
#define MOST_LATE_MS 15U /* the tick of Windows' clock */

/* A sequence that is the same in every run. */
struct random
{
    uint64_t state;
};

static uint32_t next_random(struct random *random, uint32_t below)
{
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random->state >> 33) % below);
}

/* What a class of connections has read in each millisecond of a run. */
struct reader
{
    uint64_t bytes_at[LONGEST_MS];
    uint64_t all_bytes;
    uint64_t look_at_ms;
    uint32_t most_read_bytes;
};

static uint64_t bytes_between(const struct reader *reader, uint64_t begin_ms, uint64_t end_ms)
{
    uint64_t bytes = 0;

    for (uint64_t at_ms = begin_ms; at_ms < end_ms; at_ms++)
        bytes += reader->bytes_at[at_ms];
    return bytes;
}

/* Every window of 5 s in [begin_ms, end_ms) holds its bytes up to 5 %. */
static void assert_windows(
    const struct reader *reader, uint64_t begin_ms, uint64_t end_ms, uint64_t limit_bytes_per_s)
{
    uint64_t wanted = limit_bytes_per_s * (WINDOW_MS / 1000);

    assert_true(end_ms - begin_ms >= WINDOW_MS);
    for (uint64_t at_ms = begin_ms; at_ms + WINDOW_MS <= end_ms; at_ms += 31)
        assert_in_range(bytes_between(reader, at_ms, at_ms + WINDOW_MS), wanted - wanted / 20,
            wanted + wanted / 20);
}

/* Several connections that always have something to read, each read of its own size. */
static void read_all(
    struct reader *reader, struct do_rate *rate, struct random *random, uint64_t now_ms)
{
    if (now_ms < reader->look_at_ms)
        return;
    while (do_rate_allowance(rate, now_ms))
    {
        uint32_t bytes = 1 + next_random(random, reader->most_read_bytes);

        reader->bytes_at[now_ms] += bytes;
        do_rate_spend(rate, bytes, now_ms);
    }
    reader->look_at_ms =
        now_ms + do_rate_delay_ms(rate, now_ms) + next_random(random, MOST_LATE_MS + 1);
}

static const uint64_t limits_bytes_per_s[] = {20 * 1024, 100 * 1024, 1000000, 12345678, 1U << 30};

/* Broken: a download goes faster or slower than the limit that was set, at the start or later. */
static void test_rate_busy_readers_keep_the_limit_in_every_window(void **state)
{
    static struct reader reader;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(limits_bytes_per_s); i++)
    {
        struct random random = {i + 1};
        struct do_rate rate;

        memset(&reader, 0, sizeof(reader));
        reader.most_read_bytes = do_rate_read_bytes(limits_bytes_per_s[i], 1U << 20);
        do_rate_init(&rate, 0);
        do_rate_set(&rate, limits_bytes_per_s[i], 0);
        for (uint64_t now_ms = 0; now_ms < 30000; now_ms++)
            read_all(&reader, &rate, &random, now_ms);
        assert_windows(&reader, 0, 30000, limits_bytes_per_s[i]);
    }
}

/* Broken: what was not read for an hour comes all at once. */
static void test_rate_idle_time_leaves_a_tenth_of_a_second(void **state)
{
    static struct reader reader;
    struct random random = {7};
    struct do_rate rate;

    (void)state;
    memset(&reader, 0, sizeof(reader));
    do_rate_init(&rate, 0);
    do_rate_set(&rate, 1000000, 0);
    assert_in_range(do_rate_allowance(&rate, 3600000), 100000, 100001);
    do_rate_init(&rate, 0);
    do_rate_set(&rate, 1000000, 0);
    reader.most_read_bytes = do_rate_read_bytes(1000000, 1U << 20);
    for (uint64_t now_ms = 0; now_ms < 40000; now_ms++)
    {
        if (now_ms < 10000 || now_ms >= 20000)
            read_all(&reader, &rate, &random, now_ms);
    }
    assert_windows(&reader, 0, 10000, 1000000);
    assert_windows(&reader, 20000, 40000, 1000000);
    for (uint64_t at_ms = 8000; at_ms < 25000; at_ms += 31)
        assert_true(bytes_between(&reader, at_ms, at_ms + WINDOW_MS) <= 5250000);
}

/* Broken: after a change of the limit the new one is kept only in the long run. */
static void test_rate_new_limit_counts_at_once(void **state)
{
    static const uint64_t steps[] = {10000000, 100000, 50000, 5000000, 0, 200000};
    static struct reader reader;
    struct random random = {9};
    struct do_rate rate;

    (void)state;
    memset(&reader, 0, sizeof(reader));
    do_rate_init(&rate, 0);
    for (uint64_t now_ms = 0; now_ms < 10000 * DO_COUNT_OF(steps); now_ms++)
    {
        uint64_t limit = steps[now_ms / 10000];

        if (now_ms % 10000 == 0)
        {
            do_rate_set(&rate, limit, now_ms);
            reader.most_read_bytes = do_rate_read_bytes(limit, 1U << 20);
            reader.look_at_ms = now_ms;
        }
        if (limit)
            read_all(&reader, &rate, &random, now_ms);
        else
            do_rate_spend(&rate, 1U << 20, now_ms);
    }
    for (size_t i = 0; i < DO_COUNT_OF(steps); i++)
    {
        if (steps[i])
            assert_windows(&reader, 10000 * i, 10000 * (i + 1), steps[i]);
    }
}

/* Broken: setting the same limit again, as a poll of the policies does, gives or takes bytes. */
static void test_rate_setting_the_same_limit_changes_nothing(void **state)
{
    static struct reader reader;
    struct random random = {11};
    struct do_rate rate;

    (void)state;
    memset(&reader, 0, sizeof(reader));
    do_rate_init(&rate, 0);
    reader.most_read_bytes = do_rate_read_bytes(300000, 1U << 20);
    for (uint64_t now_ms = 0; now_ms < 20000; now_ms++)
    {
        do_rate_set(&rate, 300000, now_ms);
        read_all(&reader, &rate, &random, now_ms);
    }
    assert_windows(&reader, 0, 20000, 300000);
}

/* Broken: a read of more than was allowed is forgotten, or pays twice. */
static void test_rate_overshoot_is_a_debt(void **state)
{
    struct do_rate rate;

    (void)state;
    do_rate_init(&rate, 0);
    do_rate_set(&rate, 1000, 0);
    assert_int_equal(do_rate_allowance(&rate, 0), 0);
    assert_int_equal(do_rate_delay_ms(&rate, 0), 25);
    assert_int_equal(do_rate_allowance(&rate, 25), 25);
    assert_int_equal(do_rate_delay_ms(&rate, 25), 0);
    do_rate_spend(&rate, 2025, 25);
    assert_int_equal(do_rate_allowance(&rate, 25), 0);
    assert_int_equal(do_rate_delay_ms(&rate, 25), 2025);
    assert_int_equal(do_rate_allowance(&rate, 2025), 0);
    assert_int_equal(do_rate_allowance(&rate, 2026), 1);
    assert_int_equal(do_rate_allowance(&rate, 2050), 25);
    /* A higher limit pays it sooner, a lower one does not make it longer. */
    do_rate_spend(&rate, 2025, 2050);
    do_rate_set(&rate, 2000, 2050);
    assert_int_equal(do_rate_delay_ms(&rate, 2050), 1025);
    do_rate_set(&rate, 100, 2050);
    assert_int_equal(do_rate_delay_ms(&rate, 2050), 1025);
}

/* Broken: without a limit something waits, or what was read then is owed later. */
static void test_rate_zero_is_unlimited(void **state)
{
    struct do_rate rate;

    (void)state;
    do_rate_init(&rate, 5);
    assert_true(do_rate_allowance(&rate, 5) == DO_RATE_UNLIMITED);
    do_rate_spend(&rate, UINT64_MAX, 5);
    assert_int_equal(do_rate_delay_ms(&rate, 5), 0);
    do_rate_set(&rate, 1000, 1000000);
    assert_int_equal(do_rate_allowance(&rate, 1000000), 0);
    assert_int_equal(do_rate_allowance(&rate, 1000100), 100);
    do_rate_spend(&rate, 1000000, 1000100);
    do_rate_set(&rate, 0, 1000100);
    assert_true(do_rate_allowance(&rate, 1000100) == DO_RATE_UNLIMITED);
    assert_int_equal(do_rate_delay_ms(&rate, 1000100), 0);
    assert_int_equal(do_rate_read_bytes(0, 1U << 20), 1U << 20);
}

/* Broken: extreme limits, reads or clocks overflow, or a small limit never lets a byte pass. */
static void test_rate_extremes_hold(void **state)
{
    struct do_rate rate;
    uint64_t now_ms = 0;

    (void)state;
    do_rate_init(&rate, 0);
    do_rate_set(&rate, UINT64_MAX, 0);
    assert_in_range(do_rate_allowance(&rate, UINT64_MAX / 2), 1, UINT64_C(1) << 46);
    for (int i = 0; i < 10; i++)
        do_rate_spend(&rate, UINT64_MAX, UINT64_MAX / 2);
    assert_int_equal(do_rate_allowance(&rate, UINT64_MAX / 2), 0);
    do_rate_set(&rate, 1, UINT64_MAX / 2);
    assert_int_equal(do_rate_allowance(&rate, UINT64_MAX / 2), 0);
    assert_in_range(do_rate_delay_ms(&rate, UINT64_MAX / 2), 1, UINT32_MAX);
    assert_in_range(do_rate_allowance(&rate, UINT64_MAX), 1, 2);
    /* A clock that seems to go back gives nothing. */
    do_rate_init(&rate, 1000);
    do_rate_set(&rate, 1000, 1000);
    assert_int_equal(do_rate_allowance(&rate, 0), 0);
    assert_int_equal(do_rate_allowance(&rate, 1010), 10);
    /* 3 bytes per second. */
    do_rate_init(&rate, 0);
    do_rate_set(&rate, 3, 0);
    for (int i = 0; i < 30; i++)
    {
        now_ms += do_rate_delay_ms(&rate, now_ms);
        assert_in_range(do_rate_allowance(&rate, now_ms), 1, 2);
        do_rate_spend(&rate, 1, now_ms);
    }
    assert_in_range(now_ms, 9900, 10100);
    assert_int_equal(do_rate_read_bytes(3, 1U << 20), 1024);
    assert_int_equal(do_rate_read_bytes(UINT64_MAX, 1U << 20), 1U << 20);
}

/* A class that has per_s bytes to read, or always some (UINT64_MAX), under shared buckets. */
static void read_shared(struct reader *reader, struct do_rate_shares *shares,
    enum do_rate_class which, uint64_t per_s, struct random *random, uint64_t now_ms)
{
    if (now_ms < reader->look_at_ms)
        return;
    while (do_rate_shares_allowance(shares, which, now_ms) &&
           (per_s == UINT64_MAX || reader->all_bytes < per_s * now_ms / 1000))
    {
        uint32_t bytes = 1 + next_random(random, reader->most_read_bytes);

        reader->bytes_at[now_ms] += bytes;
        reader->all_bytes += bytes;
        do_rate_shares_spend(shares, which, bytes, now_ms);
    }
    reader->look_at_ms = now_ms + do_rate_shares_delay_ms(shares, which, now_ms) +
                         next_random(random, MOST_LATE_MS + 1);
}

struct shared_run
{
    uint64_t common;
    uint64_t own[DO_RATE_CLASSES];
    uint64_t foreground_per_s; /* what foreground has to read */
    uint64_t expected[DO_RATE_CLASSES];
};

/* Broken: background takes from foreground, or stands still beside a foreground that leaves some.
 */
static void test_rate_background_gets_what_foreground_leaves(void **state)
{
    static const struct shared_run runs[] = {
        {1000000, {0, 0}, UINT64_MAX, {1000000, 0}},
        {1000000, {0, 0}, 400000, {400000, 600000}},
        {1000000, {0, 0}, 0, {0, 1000000}},
        {1000000, {600000, 0}, UINT64_MAX, {600000, 400000}},
        {1000000, {600000, 100000}, UINT64_MAX, {600000, 100000}},
        {0, {600000, 100000}, UINT64_MAX, {600000, 100000}},
        {1000000, {0, 300000}, 0, {0, 300000}},
    };
    static struct reader readers[DO_RATE_CLASSES];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(runs); i++)
    {
        const struct shared_run *run = &runs[i];
        struct random random = {i + 100};
        struct do_rate_shares shares;

        memset(readers, 0, sizeof(readers));
        do_rate_shares_init(&shares, 0);
        do_rate_set(&shares.common, run->common, 0);
        for (int which = 0; which < DO_RATE_CLASSES; which++)
        {
            do_rate_set(&shares.own[which], run->own[which], 0);
            readers[which].most_read_bytes = 5000;
        }
        for (uint64_t now_ms = 0; now_ms < 20000; now_ms++)
        {
            /* In both orders: who looks first must not matter. */
            for (int turn = 0; turn < DO_RATE_CLASSES; turn++)
            {
                enum do_rate_class which =
                    (now_ms + (uint64_t)turn) % 2 ? DO_RATE_BACKGROUND : DO_RATE_FOREGROUND;

                read_shared(&readers[which], &shares, which,
                    which == DO_RATE_FOREGROUND ? run->foreground_per_s : UINT64_MAX, &random,
                    now_ms);
            }
        }
        for (int which = 0; which < DO_RATE_CLASSES; which++)
        {
            uint64_t bytes = bytes_between(&readers[which], 0, 20000);
            uint64_t wanted = run->expected[which] * 20;
            uint64_t slack = 20 * (run->common ? run->common : run->own[which]) / 20;

            assert_in_range(bytes, wanted > slack ? wanted - slack : 0, wanted + slack);
        }
        for (uint64_t at_ms = 0; run->common && at_ms + WINDOW_MS <= 20000; at_ms += 31)
        {
            uint64_t both = bytes_between(&readers[0], at_ms, at_ms + WINDOW_MS) +
                            bytes_between(&readers[1], at_ms, at_ms + WINDOW_MS);

            assert_true(both <= run->common * 5 * 105 / 100);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest rate[] = {
        cmocka_unit_test(test_rate_busy_readers_keep_the_limit_in_every_window),
        cmocka_unit_test(test_rate_idle_time_leaves_a_tenth_of_a_second),
        cmocka_unit_test(test_rate_new_limit_counts_at_once),
        cmocka_unit_test(test_rate_setting_the_same_limit_changes_nothing),
        cmocka_unit_test(test_rate_overshoot_is_a_debt),
        cmocka_unit_test(test_rate_zero_is_unlimited),
        cmocka_unit_test(test_rate_extremes_hold),
        cmocka_unit_test(test_rate_background_gets_what_foreground_leaves),
    };

    return TEST_RUN(rate);
}
