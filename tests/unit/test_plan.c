/* SPDX-License-Identifier: MIT */
/*
 * Segments of an object and their places in the local file, by hand-made cases.
 */
#include "transfer/plan.h"

#include "base/alloc.h"
#include "store/queue_db.h"
#include "support/test.h"

#define END DO_SIZE_UNKNOWN

static void assert_segment(
    const struct do_plan *plan, size_t index, uint64_t begin, uint64_t end, uint64_t local)
{
    assert_true(index < plan->count);
    assert_int_equal(plan->segments[index].remote_begin, begin);
    assert_int_equal(plan->segments[index].remote_end, end);
    assert_int_equal(plan->segments[index].local_begin, local);
}

static void assert_next(const struct do_plan *plan, const struct do_range_set *have, uint64_t begin,
    uint64_t end, uint64_t local)
{
    struct do_fetch fetch = {7, 7, 7};

    assert_true(do_plan_next(plan, have, &fetch));
    assert_int_equal(fetch.remote_begin, begin);
    assert_int_equal(fetch.remote_end, end);
    assert_int_equal(fetch.local_begin, local);
}

static void assert_complete(const struct do_plan *plan, const struct do_range_set *have)
{
    struct do_fetch fetch = {7, 7, 7};

    assert_false(do_plan_next(plan, have, &fetch));
}

/* Broken: ranges that cannot be fetched are accepted, or good ones are refused. */
static void test_plan_check_ranges_follows_rules(void **state)
{
    static const struct
    {
        struct do_range ranges[3];
        size_t count;
        uint64_t size;
        HRESULT hr;
    } rows[] = {
        {{{0, 0}}, 0, END, S_OK},
        {{{0, 0}}, 0, 0, S_OK},
        {{{0, 1}}, 1, END, S_OK},
        {{{0, END}}, 1, END, S_OK},
        {{{5, END}}, 1, 6, S_OK},
        {{{0, END - 1}}, 1, END, S_OK},
        /* empty, or backwards */
        {{{5, 5}}, 1, END, DO_E_INVALID_RANGE},
        {{{0, 0}}, 1, END, DO_E_INVALID_RANGE},
        {{{6, 5}}, 1, END, DO_E_INVALID_RANGE},
        {{{0, 1}, {5, 5}}, 2, END, DO_E_INVALID_RANGE},
        /* from the end of the object on */
        {{{END, END}}, 1, END, DO_E_INVALID_RANGE},
        {{{END, 10}}, 1, END, DO_E_INVALID_RANGE},
        /* beyond the object's size */
        {{{0, 100}}, 1, 100, S_OK},
        {{{0, 101}}, 1, 100, DO_E_INVALID_RANGE},
        {{{100, END}}, 1, 100, DO_E_INVALID_RANGE},
        {{{99, END}}, 1, 100, S_OK},
        {{{0, END}}, 1, 0, DO_E_INVALID_RANGE},
        {{{0, 10}, {90, 101}}, 2, 100, DO_E_INVALID_RANGE},
        /* overlapping, in both orders; touching is no overlap */
        {{{0, 10}, {10, 20}}, 2, END, S_OK},
        {{{10, 20}, {0, 10}}, 2, END, S_OK},
        {{{0, 11}, {10, 20}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{10, 20}, {0, 11}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{0, 10}, {0, 10}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{0, 30}, {10, 20}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{0, 10}, {40, 50}, {5, 6}}, 3, 100, DO_E_OVERLAPPING_RANGES},
        /* A range up to the end has the largest offsets, wherever it stands in the list. */
        {{{10, END}, {0, 10}}, 2, END, S_OK},
        {{{0, 10}, {10, END}}, 2, END, S_OK},
        {{{10, END}, {20, 30}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{20, 30}, {10, END}}, 2, 100, DO_E_OVERLAPPING_RANGES},
        {{{10, END}, {20, END}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{10, END}, {10, 20}}, 2, END, DO_E_OVERLAPPING_RANGES},
        {{{0, 5}, {10, END}, {5, 10}}, 3, 11, S_OK},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        HRESULT hr = do_plan_check_ranges(rows[i].ranges, rows[i].count, rows[i].size);

        if (hr != rows[i].hr)
            print_error("row %u\n", (unsigned int)i);
        assert_hr(rows[i].hr, hr);
    }
    assert_ok(do_plan_check_ranges(NULL, 0, 100));
}

/* Broken: a file without ranges is not the whole object. */
static void test_plan_without_ranges_is_whole_object(void **state)
{
    struct do_range_set have;
    struct do_plan plan;

    (void)state;
    do_range_set_init(&have);
    assert_ok(do_plan_init(&plan, NULL, 0));
    assert_true(plan.is_whole);
    assert_false(plan.is_resolved);
    assert_int_equal(plan.count, 1);
    assert_segment(&plan, 0, 0, END, 0);
    assert_int_equal(do_plan_local_size(&plan), END);
    assert_next(&plan, &have, 0, END, 0);

    assert_ok(do_plan_resolve(&plan, 1000));
    assert_true(plan.is_resolved);
    assert_segment(&plan, 0, 0, 1000, 0);
    assert_int_equal(do_plan_local_size(&plan), 1000);
    assert_next(&plan, &have, 0, 1000, 0);
    do_plan_finish(&plan);
    do_plan_finish(&plan);
    do_range_set_finish(&have);
}

/* Broken: the object's size is not forgotten when it changes, and the new one is cut or padded. */
static void test_plan_unresolve_forgets_size(void **state)
{
    static const struct do_range ranges[] = {{10, END}, {0, 5}};
    struct do_plan plan;

    (void)state;
    assert_ok(do_plan_init(&plan, NULL, 0));
    assert_ok(do_plan_resolve(&plan, 1000));
    do_plan_unresolve(&plan, NULL);
    assert_false(plan.is_resolved);
    assert_int_equal(do_plan_local_size(&plan), END);
    assert_ok(do_plan_resolve(&plan, 2000));
    assert_int_equal(do_plan_local_size(&plan), 2000);
    do_plan_finish(&plan);

    assert_ok(do_plan_init(&plan, ranges, DO_COUNT_OF(ranges)));
    assert_ok(do_plan_resolve(&plan, 1000));
    do_plan_unresolve(&plan, ranges);
    assert_false(plan.is_resolved);
    assert_segment(&plan, 0, 10, END, 0);
    assert_ok(do_plan_resolve(&plan, 30));
    assert_segment(&plan, 0, 10, 30, 0);
    assert_segment(&plan, 1, 0, 5, 20);
    assert_int_equal(do_plan_local_size(&plan), 25);
    do_plan_finish(&plan);
}

/* Broken: segments are laid down in the order of the object instead of the order asked for. */
static void test_plan_segments_keep_given_order(void **state)
{
    static const struct do_range ranges[] = {{500, 600}, {0, 10}, {100, 150}};
    struct do_plan plan;

    (void)state;
    assert_ok(do_plan_init(&plan, ranges, DO_COUNT_OF(ranges)));
    assert_false(plan.is_whole);
    assert_true(plan.is_resolved);
    assert_segment(&plan, 0, 500, 600, 0);
    assert_segment(&plan, 1, 0, 10, 100);
    assert_segment(&plan, 2, 100, 150, 110);
    assert_int_equal(do_plan_local_size(&plan), 160);
    do_plan_finish(&plan);
}

/* Broken: what follows a segment of unknown length is stored before its place is known. */
static void test_plan_open_segment_not_last_comes_first(void **state)
{
    static const struct do_range ranges[] = {{0, 10}, {900, END}, {20, 30}};
    struct do_range_set have;
    struct do_plan plan;

    (void)state;
    do_range_set_init(&have);
    assert_ok(do_plan_init(&plan, ranges, DO_COUNT_OF(ranges)));
    assert_false(plan.is_resolved);
    assert_int_equal(do_plan_local_size(&plan), END);
    assert_next(&plan, &have, 0, 10, 0);
    assert_ok(do_range_set_add(&have, 0, 10));
    assert_next(&plan, &have, 900, END, 10);
    assert_ok(do_range_set_add(&have, 10, 60));
    assert_next(&plan, &have, 950, END, 60);

    assert_ok(do_plan_resolve(&plan, 1000));
    assert_segment(&plan, 1, 900, 1000, 10);
    assert_segment(&plan, 2, 20, 30, 110);
    assert_int_equal(do_plan_local_size(&plan), 120);
    assert_next(&plan, &have, 950, 1000, 60);
    assert_ok(do_range_set_add(&have, 60, 110));
    assert_next(&plan, &have, 20, 30, 110);
    assert_ok(do_range_set_add(&have, 110, 120));
    assert_complete(&plan, &have);
    do_plan_finish(&plan);
    do_range_set_finish(&have);
}

/* Broken: bytes that are there are fetched again, or a hole between them stays. */
static void test_plan_next_fills_holes(void **state)
{
    static const struct do_range ranges[] = {{100, 200}, {0, 50}};
    struct do_range_set have;
    struct do_plan plan;

    (void)state;
    do_range_set_init(&have);
    assert_ok(do_plan_init(&plan, ranges, DO_COUNT_OF(ranges)));
    assert_ok(do_range_set_add(&have, 0, 10));
    assert_ok(do_range_set_add(&have, 20, 30));
    /* A local hole that spans two segments is two pieces of the object. */
    assert_ok(do_range_set_add(&have, 140, 145));
    assert_next(&plan, &have, 110, 120, 10);
    assert_ok(do_range_set_add(&have, 10, 20));
    assert_next(&plan, &have, 130, 200, 30);
    assert_ok(do_range_set_add(&have, 30, 100));
    assert_next(&plan, &have, 0, 40, 100);
    assert_ok(do_range_set_add(&have, 100, 140));
    assert_next(&plan, &have, 45, 50, 145);
    assert_ok(do_range_set_add(&have, 145, 150));
    assert_complete(&plan, &have);
    do_plan_finish(&plan);
    do_range_set_finish(&have);
}

/* Broken: an empty object is asked for forever, or is an error. */
static void test_plan_empty_object_is_complete(void **state)
{
    struct do_range_set have;
    struct do_plan plan;

    (void)state;
    do_range_set_init(&have);
    assert_ok(do_plan_init(&plan, NULL, 0));
    assert_next(&plan, &have, 0, END, 0);
    assert_ok(do_plan_resolve(&plan, 0));
    assert_true(plan.is_resolved);
    assert_int_equal(do_plan_local_size(&plan), 0);
    assert_complete(&plan, &have);
    do_plan_finish(&plan);
}

/* Broken: ranges that the object does not have are padded, or a failure leaves half a plan. */
static void test_plan_resolve_beyond_object_changes_nothing(void **state)
{
    static const struct do_range closed[] = {{0, 10}, {90, 101}};
    static const struct do_range open[] = {{100, END}, {0, 10}};
    struct do_plan plan;

    (void)state;
    assert_ok(do_plan_init(&plan, closed, DO_COUNT_OF(closed)));
    assert_hr(DO_E_INVALID_RANGE, do_plan_resolve(&plan, 100));
    assert_segment(&plan, 1, 90, 101, 10);
    assert_ok(do_plan_resolve(&plan, 101));
    assert_int_equal(do_plan_local_size(&plan), 21);
    do_plan_finish(&plan);

    assert_ok(do_plan_init(&plan, open, DO_COUNT_OF(open)));
    assert_hr(DO_E_INVALID_RANGE, do_plan_resolve(&plan, 5));
    assert_hr(DO_E_INVALID_RANGE, do_plan_resolve(&plan, 100));
    assert_false(plan.is_resolved);
    assert_segment(&plan, 0, 100, END, 0);
    assert_ok(do_plan_resolve(&plan, 101));
    assert_int_equal(do_plan_local_size(&plan), 11);
    do_plan_finish(&plan);
}

/* Broken: an object that shrank after its size was known keeps the plan of the old one. */
static void test_plan_resolve_again_notices_shorter_object(void **state)
{
    struct do_plan plan;

    (void)state;
    assert_ok(do_plan_init(&plan, NULL, 0));
    assert_ok(do_plan_resolve(&plan, 1000));
    assert_ok(do_plan_resolve(&plan, 1000));
    assert_hr(DO_E_INVALID_RANGE, do_plan_resolve(&plan, 999));
    assert_int_equal(do_plan_local_size(&plan), 1000);
    do_plan_finish(&plan);
}

/* Broken: running out of memory is not told, or leaks. */
static void test_plan_out_of_memory_is_reported(void **state)
{
    static const struct do_range ranges[] = {{0, 10}, {20, 30}};
    struct do_plan plan;

    (void)state;
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_plan_check_ranges(ranges, DO_COUNT_OF(ranges), END));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_plan_init(&plan, ranges, DO_COUNT_OF(ranges)));
    do_alloc_fail_nth(0);
    do_plan_finish(&plan);
    assert_int_equal(do_alloc_outstanding(), 0);
}

int main(void)
{
    static const struct CMUnitTest plan[] = {
        cmocka_unit_test(test_plan_check_ranges_follows_rules),
        cmocka_unit_test(test_plan_without_ranges_is_whole_object),
        cmocka_unit_test(test_plan_unresolve_forgets_size),
        cmocka_unit_test(test_plan_segments_keep_given_order),
        cmocka_unit_test(test_plan_open_segment_not_last_comes_first),
        cmocka_unit_test(test_plan_next_fills_holes),
        cmocka_unit_test(test_plan_empty_object_is_complete),
        cmocka_unit_test(test_plan_resolve_beyond_object_changes_nothing),
        cmocka_unit_test(test_plan_resolve_again_notices_shorter_object),
        cmocka_unit_test(test_plan_out_of_memory_is_reported),
    };

    return TEST_RUN(plan);
}
