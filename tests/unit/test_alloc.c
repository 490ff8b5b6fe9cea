/* SPDX-License-Identifier: MIT */
/*
 * Allocation, its test hooks and the checked addition.
 */
#include <string.h>

#include "base/alloc.h"
#include "support/test.h"

/* Broken: memory that is said to be zeroed is not, or an empty block is NULL. */
static void test_alloc_blocks_are_zeroed(void **state)
{
    static const unsigned char zeros[256];
    unsigned char *block = do_alloc(sizeof(zeros));
    unsigned char *array = do_alloc_array(16, 16);
    void *empty = do_alloc(0);

    (void)state;
    assert_memory_equal(block, zeros, sizeof(zeros));
    assert_memory_equal(array, zeros, sizeof(zeros));
    assert_non_null(empty);
    do_free(block);
    do_free(array);
    do_free(empty);
    do_free(NULL);
}

/* Broken: a product of sizes overflows and a small block passes for a large one. */
static void test_alloc_array_overflow_fails(void **state)
{
    volatile size_t half = SIZE_MAX / 2 + 2;
    void *block = do_alloc(8);

    (void)state;
    assert_null(do_alloc_array(half, 2));
    assert_null(do_realloc_array(block, half, 2));
    assert_null(do_realloc_array(NULL, half, 2));
    do_free(block);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: growing loses content, or a failed growth frees the old block. */
static void test_alloc_realloc_keeps_content(void **state)
{
    char *block = do_memdup("abc", 4);
    char *grown;

    (void)state;
    do_alloc_fail_nth(1);
    assert_null(do_realloc_array(block, 1000, 1));
    assert_string_equal(block, "abc");
    grown = do_realloc_array(block, 1000, 1);
    assert_string_equal(grown, "abc");
    grown = do_realloc_array(grown, 0, 1);
    assert_non_null(grown);
    do_free(grown);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: torture tests fail another allocation than they think, or all after it. */
static void test_alloc_fail_nth_fails_exactly_once(void **state)
{
    void *blocks[4];

    (void)state;
    do_alloc_fail_nth(3);
    blocks[0] = do_alloc(1);
    blocks[1] = do_alloc_raw(1);
    blocks[2] = do_alloc_array(1, 1);
    blocks[3] = do_memdup("", 1);
    assert_non_null(blocks[0]);
    assert_non_null(blocks[1]);
    assert_null(blocks[2]);
    assert_non_null(blocks[3]);
    do_free(blocks[0]);
    do_free(blocks[1]);
    do_free(blocks[3]);
    do_alloc_fail_nth(1);
    do_alloc_fail_nth(0);
    blocks[0] = do_alloc(1);
    assert_non_null(blocks[0]);
    do_free(blocks[0]);
}

/* Broken: leaks go unseen, or failed allocations count as leaks. */
static void test_alloc_outstanding_counts(void **state)
{
    void *first = do_alloc(1);
    void *second = do_realloc_array(NULL, 4, 4);

    (void)state;
    assert_int_equal(do_alloc_outstanding(), 2);
    do_alloc_fail_nth(1);
    assert_null(do_alloc(1));
    second = do_realloc_array(second, 8, 8);
    assert_int_equal(do_alloc_outstanding(), 2);
    do_free(first);
    do_free(second);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: an offset wraps around and points into the file's beginning. */
static void test_alloc_checked_add_detects_overflow(void **state)
{
    uint64_t sum = 7;

    (void)state;
    assert_true(do_checked_add_u64(UINT64_MAX - 1, 1, &sum));
    assert_true(sum == UINT64_MAX);
    sum = 7;
    assert_false(do_checked_add_u64(UINT64_MAX, 1, &sum));
    assert_false(do_checked_add_u64(1, UINT64_MAX, &sum));
    assert_int_equal(sum, 7);
}

int main(void)
{
    static const struct CMUnitTest alloc[] = {
        cmocka_unit_test(test_alloc_blocks_are_zeroed),
        cmocka_unit_test(test_alloc_array_overflow_fails),
        cmocka_unit_test(test_alloc_realloc_keeps_content),
        cmocka_unit_test(test_alloc_fail_nth_fails_exactly_once),
        cmocka_unit_test(test_alloc_outstanding_counts),
        cmocka_unit_test(test_alloc_checked_add_detects_overflow),
    };

    return TEST_RUN(alloc);
}
