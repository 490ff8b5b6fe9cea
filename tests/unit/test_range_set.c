/* SPDX-License-Identifier: MIT */
/*
 * Sets of ranges, against hand-made cases and against a plain bitmap.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/range_set.h"
#include "support/test.h"

#define BITMAP_SIZE 96U

static void assert_ranges(
    const struct do_range_set *set, const struct do_range *expected, size_t count)
{
    assert_int_equal(set->count, count);
    for (size_t i = 0; i < count; i++)
    {
        assert_int_equal(set->ranges[i].begin, expected[i].begin);
        assert_int_equal(set->ranges[i].end, expected[i].end);
    }
}

/* Broken: an empty set claims bytes, and a file that has none counts as complete. */
static void test_range_set_empty_contains_nothing(void **state)
{
    struct do_range gap = {7, 7};
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_int_equal(do_range_set_size(&set), 0);
    assert_false(do_range_set_contains(&set, 0, 1));
    assert_true(do_range_set_contains(&set, 5, 5));
    assert_true(do_range_set_first_gap(&set, 3, 9, &gap));
    assert_int_equal(gap.begin, 3);
    assert_int_equal(gap.end, 9);
    do_range_set_finish(&set);
    do_range_set_finish(&set);
}

/* Broken: blocks that arrive next to each other stay apart and the set grows without end. */
static void test_range_set_adjacent_ranges_merge(void **state)
{
    static const struct do_range expected[] = {{0, 40}};
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_ok(do_range_set_add(&set, 0, 10));
    assert_ok(do_range_set_add(&set, 20, 30));
    assert_ok(do_range_set_add(&set, 30, 40));
    assert_ok(do_range_set_add(&set, 10, 20));
    assert_ranges(&set, expected, DO_COUNT_OF(expected));
    assert_int_equal(do_range_set_size(&set), 40);
    do_range_set_finish(&set);
}

/* Broken: a range over several others loses or doubles bytes of theirs. */
static void test_range_set_overlapping_range_swallows_others(void **state)
{
    static const struct do_range expected[] = {{0, 2}, {5, 35}, {40, 42}};
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_ok(do_range_set_add(&set, 40, 42));
    assert_ok(do_range_set_add(&set, 0, 2));
    assert_ok(do_range_set_add(&set, 5, 10));
    assert_ok(do_range_set_add(&set, 15, 20));
    assert_ok(do_range_set_add(&set, 25, 35));
    assert_ok(do_range_set_add(&set, 9, 30));
    assert_ok(do_range_set_add(&set, 12, 13));
    assert_ranges(&set, expected, DO_COUNT_OF(expected));
    do_range_set_finish(&set);
}

/* Broken: a range that ends before it begins becomes a huge one. */
static void test_range_set_bad_range_is_refused(void **state)
{
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_hr(E_INVALIDARG, do_range_set_add(&set, 10, 9));
    assert_ok(do_range_set_add(&set, 10, 10));
    assert_int_equal(set.count, 0);
    do_range_set_finish(&set);
}

/* Broken: arithmetic at the end of the number line overflows. */
static void test_range_set_largest_offsets_work(void **state)
{
    struct do_range gap = {0, 0};
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_ok(do_range_set_add(&set, UINT64_MAX - 1, UINT64_MAX));
    assert_true(do_range_set_first_gap(&set, 0, UINT64_MAX, &gap));
    assert_int_equal(gap.begin, 0);
    assert_true(gap.end == UINT64_MAX - 1);
    assert_ok(do_range_set_add(&set, 0, UINT64_MAX));
    assert_int_equal(set.count, 1);
    assert_true(do_range_set_size(&set) == UINT64_MAX);
    assert_false(do_range_set_first_gap(&set, 0, UINT64_MAX, &gap));
    do_range_set_finish(&set);
}

/* Broken: the planner fetches bytes that are there, or leaves a hole. */
static void test_range_set_first_gap_is_exact(void **state)
{
    static const struct
    {
        uint64_t begin;
        uint64_t end;
        bool found;
        struct do_range gap;
    } rows[] = {
        {0, 100, true, {0, 10}},
        {10, 20, false, {0, 0}},
        {10, 21, true, {20, 21}},
        {15, 100, true, {20, 30}},
        {20, 25, true, {20, 25}},
        {30, 40, false, {0, 0}},
        {35, 100, true, {40, 100}},
        {40, 41, true, {40, 41}},
        {50, 50, false, {0, 0}},
        {60, 50, false, {0, 0}},
        {5, 8, true, {5, 8}},
    };
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_ok(do_range_set_add(&set, 10, 20));
    assert_ok(do_range_set_add(&set, 30, 40));
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct do_range gap = {0, 0};

        assert_int_equal(
            do_range_set_first_gap(&set, rows[i].begin, rows[i].end, &gap), rows[i].found);
        assert_int_equal(gap.begin, rows[i].gap.begin);
        assert_int_equal(gap.end, rows[i].gap.end);
    }
    do_range_set_finish(&set);
}

/* Broken: a copy shares memory with its source, or keeps old ranges. */
static void test_range_set_copy_is_independent(void **state)
{
    static const struct do_range expected[] = {{1, 2}, {3, 4}};
    struct do_range_set source;
    struct do_range_set copy;

    (void)state;
    do_range_set_init(&source);
    do_range_set_init(&copy);
    assert_ok(do_range_set_add(&copy, 50, 60));
    assert_ok(do_range_set_add(&source, 1, 2));
    assert_ok(do_range_set_add(&source, 3, 4));
    assert_ok(do_range_set_copy(&copy, &source));
    assert_ok(do_range_set_add(&source, 2, 3));
    assert_ranges(&copy, expected, DO_COUNT_OF(expected));
    do_range_set_clear(&source);
    assert_ok(do_range_set_copy(&copy, &source));
    assert_int_equal(copy.count, 0);
    do_range_set_finish(&source);
    do_range_set_finish(&copy);
}

/* Broken: an addition that runs out of memory damages what was known. */
static void test_range_set_out_of_memory_leaves_set(void **state)
{
    struct do_range_set before;
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    do_range_set_init(&before);
    for (uint64_t i = 0; set.count < set.capacity || !set.count; i++)
        assert_ok(do_range_set_add(&set, i * 10, i * 10 + 5));
    assert_ok(do_range_set_copy(&before, &set));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_range_set_add(&set, 1000, 1001));
    assert_ranges(&set, before.ranges, before.count);
    do_range_set_finish(&before);
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_range_set_copy(&before, &set));
    do_alloc_fail_nth(0);
    assert_int_equal(before.count, 0);
    assert_ok(do_range_set_add(&set, 1000, 1001));
    do_range_set_finish(&set);
    do_range_set_finish(&before);
}

static void check_against_bitmap(const struct do_range_set *set, const bool *bitmap)
{
    uint64_t size = 0;

    for (size_t i = 0; i < BITMAP_SIZE; i++)
    {
        size += bitmap[i];
        assert_int_equal(do_range_set_contains(set, i, i + 1), bitmap[i]);
    }
    assert_int_equal(do_range_set_size(set), size);
    for (size_t i = 0; i < set->count; i++)
    {
        assert_true(set->ranges[i].begin < set->ranges[i].end);
        assert_true(!i || set->ranges[i - 1].end < set->ranges[i].begin);
    }
}

/* Broken: some sequence of additions gives another set than marking byte by byte. */
static void test_range_set_random_additions_match_bitmap(void **state)
{
    uint32_t seed = 12345;

    (void)state;
    for (int round = 0; round < 200; round++)
    {
        bool bitmap[BITMAP_SIZE] = {false};
        struct do_range_set set;

        do_range_set_init(&set);
        for (int i = 0; i < 20; i++)
        {
            size_t begin;
            size_t end;

            seed = seed * 1664525U + 1013904223U;
            begin = (seed >> 8) % BITMAP_SIZE;
            end = begin + (seed >> 20) % 9;
            end = end > BITMAP_SIZE ? BITMAP_SIZE : end;
            assert_ok(do_range_set_add(&set, begin, end));
            for (size_t at = begin; at < end; at++)
                bitmap[at] = true;
            check_against_bitmap(&set, bitmap);
        }
        do_range_set_finish(&set);
    }
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: bytes that are taken out stay, or others go with them. */
static void test_range_set_remove_takes_out_that_and_no_more(void **state)
{
    static const struct
    {
        struct do_range removed;
        struct do_range left[3];
        size_t count;
    } rows[] = {
        {{0, 5}, {{10, 20}, {30, 40}}, 2},
        {{0, 10}, {{10, 20}, {30, 40}}, 2},
        {{20, 30}, {{10, 20}, {30, 40}}, 2},
        {{15, 15}, {{10, 20}, {30, 40}}, 2},
        {{40, UINT64_MAX}, {{10, 20}, {30, 40}}, 2},
        {{10, 20}, {{30, 40}}, 1},
        {{10, 11}, {{11, 20}, {30, 40}}, 2},
        {{19, 20}, {{10, 19}, {30, 40}}, 2},
        {{12, 18}, {{10, 12}, {18, 20}, {30, 40}}, 3},
        {{15, 35}, {{10, 15}, {35, 40}}, 2},
        {{5, 30}, {{30, 40}}, 1},
        {{0, UINT64_MAX}, {{0, 0}}, 0},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct do_range_set set;

        do_range_set_init(&set);
        assert_ok(do_range_set_add(&set, 10, 20));
        assert_ok(do_range_set_add(&set, 30, 40));
        assert_ok(do_range_set_remove(&set, rows[i].removed.begin, rows[i].removed.end));
        assert_ranges(&set, rows[i].left, rows[i].count);
        do_range_set_finish(&set);
    }
}

/* Broken: without memory a set is left with some of its bytes. */
static void test_range_set_remove_without_memory_changes_nothing(void **state)
{
    static const struct do_range expected[] = {{10, 20}, {30, 40}};
    struct do_range_set set;

    (void)state;
    do_range_set_init(&set);
    assert_ok(do_range_set_add(&set, 10, 20));
    assert_ok(do_range_set_add(&set, 30, 40));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_range_set_remove(&set, 12, 14));
    do_alloc_fail_nth(0);
    assert_ranges(&set, expected, DO_COUNT_OF(expected));
    do_range_set_finish(&set);
}

int main(void)
{
    static const struct CMUnitTest range_set[] = {
        cmocka_unit_test(test_range_set_empty_contains_nothing),
        cmocka_unit_test(test_range_set_adjacent_ranges_merge),
        cmocka_unit_test(test_range_set_overlapping_range_swallows_others),
        cmocka_unit_test(test_range_set_bad_range_is_refused),
        cmocka_unit_test(test_range_set_largest_offsets_work),
        cmocka_unit_test(test_range_set_first_gap_is_exact),
        cmocka_unit_test(test_range_set_copy_is_independent),
        cmocka_unit_test(test_range_set_out_of_memory_leaves_set),
        cmocka_unit_test(test_range_set_random_additions_match_bitmap),
        cmocka_unit_test(test_range_set_remove_takes_out_that_and_no_more),
        cmocka_unit_test(test_range_set_remove_without_memory_changes_nothing),
    };

    return TEST_RUN(range_set);
}
