/* SPDX-License-Identifier: MIT */
/*
 * Values and sets of them: copies that are their own, order, replacing and removing, and running
 * out of memory in each.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/value.h"
#include "support/test.h"

static int set_up(void **state)
{
    (void)state;
    do_alloc_fail_nth(0);
    return do_alloc_outstanding() != 0;
}

static int tear_down(void **state)
{
    (void)state;
    do_alloc_fail_nth(0);
    return do_alloc_outstanding() != 0;
}

static void set(struct do_values *values, uint32_t id, struct do_value value)
{
    assert_ok(do_values_set(values, id, &value));
}

/* Broken: a property's copy changes with the caller's buffer, or is not the same. */
static void test_value_assign_copies(void **state)
{
    char text[] = "text";
    struct do_value borrowed = do_value_of_text(text);
    struct do_value value;

    (void)state;
    do_value_init(&value);
    assert_int_equal(value.kind, DO_VALUE_EMPTY);
    assert_ok(do_value_assign(&value, &borrowed));
    assert_true(value.data != borrowed.data);
    text[0] = 'n';
    assert_int_equal(value.kind, DO_VALUE_TEXT);
    assert_int_equal(value.length, 4);
    assert_string_equal(value.data, "text");

    borrowed = do_value_of_bytes("a\0b\xFF", 4);
    assert_ok(do_value_assign(&value, &borrowed));
    assert_int_equal(value.kind, DO_VALUE_BYTES);
    assert_int_equal(value.length, 4);
    assert_memory_equal(value.data, "a\0b\xFF", 5);

    borrowed = do_value_of_number(UINT64_MAX);
    assert_ok(do_value_assign(&value, &borrowed));
    assert_int_equal(value.kind, DO_VALUE_NUMBER);
    assert_true(value.number == UINT64_MAX);
    assert_null(value.data);
    do_value_finish(&value);
    assert_int_equal(value.kind, DO_VALUE_EMPTY);
    do_value_finish(&value);
}

/* Broken: a value without bytes cannot be told from one that is not set. */
static void test_value_without_length_is_not_empty(void **state)
{
    struct do_value empty = do_value_of_text(NULL);
    struct do_value borrowed = do_value_of_bytes(NULL, 0);
    struct do_value value;

    (void)state;
    do_value_init(&value);
    assert_ok(do_value_assign(&value, &borrowed));
    assert_int_equal(value.kind, DO_VALUE_BYTES);
    assert_int_equal(value.length, 0);
    assert_non_null(value.data);
    assert_int_equal(value.data[0], 0);
    borrowed = do_value_of_text("");
    assert_ok(do_value_assign(&value, &borrowed));
    assert_int_equal(value.kind, DO_VALUE_TEXT);
    assert_string_equal(value.data, "");
    assert_ok(do_value_assign(&value, &empty));
    assert_int_equal(value.kind, DO_VALUE_EMPTY);
    assert_null(value.data);
    do_value_finish(&value);
}

/* Broken: a change that is none counts as one, or a change is taken for none. */
static void test_value_equal_compares_kind_and_content(void **state)
{
    const struct do_value different[] = {
        do_value_of_text(NULL),
        do_value_of_number(0),
        do_value_of_number(1),
        do_value_of_number(0x100000001U),
        do_value_of_text(""),
        do_value_of_text("a"),
        do_value_of_text("b"),
        do_value_of_text("ab"),
        do_value_of_bytes(NULL, 0),
        do_value_of_bytes("a", 1),
        do_value_of_bytes("a\0b", 3),
        do_value_of_bytes("a\0c", 3),
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(different); i++)
    {
        struct do_value copy;

        do_value_init(&copy);
        assert_ok(do_value_assign(&copy, &different[i]));
        for (size_t other = 0; other < DO_COUNT_OF(different); other++)
            assert_int_equal(do_value_equal(&copy, &different[other]), i == other);
        do_value_finish(&copy);
    }
}

/* Broken: what a set holds depends on the order in which it was filled, or gets lost in it. */
static void test_values_are_sorted_in_any_order_of_setting(void **state)
{
    static const uint32_t orders[][6] = {
        {0, 1, 2, 7, 100, UINT32_MAX},
        {UINT32_MAX, 100, 7, 2, 1, 0},
        {7, UINT32_MAX, 0, 100, 1, 2},
    };

    (void)state;
    for (size_t order = 0; order < DO_COUNT_OF(orders); order++)
    {
        struct do_values values;

        do_values_init(&values);
        for (size_t i = 0; i < 6; i++)
            set(&values, orders[order][i], do_value_of_number(orders[order][i] + 1ULL));
        assert_int_equal(values.count, 6);
        for (size_t i = 0; i < 6; i++)
        {
            assert_int_equal(values.items[i].id, orders[0][i]);
            assert_true(do_values_number(&values, orders[0][i], 0) == orders[0][i] + 1ULL);
        }
        assert_null(do_values_get(&values, 3));
        assert_null(do_values_get(&values, UINT32_MAX - 1));
        do_values_finish(&values);
        assert_int_equal(values.count, 0);
        do_values_finish(&values);
    }
}

/* Broken: setting again keeps the old value, or adds a second one with the same id. */
static void test_values_set_replaces(void **state)
{
    struct do_values values;

    (void)state;
    do_values_init(&values);
    set(&values, 1, do_value_of_number(1));
    set(&values, 2, do_value_of_text("two"));
    set(&values, 3, do_value_of_bytes("three", 5));
    set(&values, 2, do_value_of_number(22));
    set(&values, 3, do_value_of_text("drei"));
    assert_int_equal(values.count, 3);
    assert_true(do_values_number(&values, 1, 0) == 1);
    assert_true(do_values_number(&values, 2, 0) == 22);
    assert_string_equal(do_values_text(&values, 3), "drei");
    do_values_finish(&values);
}

/* Broken: clearing a property does nothing, takes another along, or fails when there is none. */
static void test_values_empty_value_removes(void **state)
{
    struct do_values values;

    (void)state;
    do_values_init(&values);
    set(&values, 9, do_value_of_text(NULL));
    assert_int_equal(values.count, 0);
    for (uint32_t id = 1; id <= 5; id++)
        set(&values, id, do_value_of_text("text"));
    set(&values, 1, do_value_of_text(NULL));
    set(&values, 3, do_value_of_text(NULL));
    set(&values, 5, do_value_of_text(NULL));
    set(&values, 3, do_value_of_text(NULL));
    assert_int_equal(values.count, 2);
    assert_int_equal(values.items[0].id, 2);
    assert_int_equal(values.items[1].id, 4);
    assert_string_equal(do_values_text(&values, 4), "text");
    do_values_finish(&values);
}

/* Broken: a number is read as a text that is not there, or the other way round. */
static void test_values_of_another_kind_are_not_given(void **state)
{
    struct do_values values;

    (void)state;
    do_values_init(&values);
    set(&values, 1, do_value_of_number(5));
    set(&values, 2, do_value_of_text("text"));
    set(&values, 3, do_value_of_bytes("bytes", 5));
    assert_null(do_values_text(&values, 1));
    assert_null(do_values_text(&values, 3));
    assert_null(do_values_text(&values, 4));
    assert_true(do_values_number(&values, 2, 77) == 77);
    assert_true(do_values_number(&values, 3, 78) == 78);
    assert_true(do_values_number(&values, 4, UINT64_MAX) == UINT64_MAX);
    do_values_finish(&values);
}

static void assert_values_equal(const struct do_values *a, const struct do_values *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
    {
        assert_int_equal(a->items[i].id, b->items[i].id);
        assert_true(do_value_equal(&a->items[i].value, &b->items[i].value));
    }
}

/* Broken: a copy of a set shares memory with it, or keeps what the target had before. */
static void test_values_assign_replaces_the_whole_set(void **state)
{
    struct do_values source;
    struct do_values values;

    (void)state;
    do_values_init(&source);
    do_values_init(&values);
    set(&values, 50, do_value_of_text("before"));
    for (uint32_t id = 1; id <= 10; id++)
        set(&source, id, do_value_of_text("text"));
    assert_ok(do_values_assign(&values, &source));
    assert_values_equal(&values, &source);
    set(&source, 5, do_value_of_number(5));
    assert_string_equal(do_values_text(&values, 5), "text");
    assert_ok(do_values_assign(&values, &values));
    assert_int_equal(values.count, 10);
    do_values_finish(&source);
    assert_ok(do_values_assign(&values, &source));
    assert_int_equal(values.count, 0);
    do_values_finish(&values);
}

/* A text, bytes and numbers: one more than an array has room for before it grows. */
static void fill(struct do_values *values)
{
    set(values, 10, do_value_of_text("text"));
    set(values, 20, do_value_of_number(2));
    set(values, 30, do_value_of_bytes("bytes", 5));
    set(values, 40, do_value_of_number(4));
}

/* Broken: a set that could not grow, or a value that could not be copied, is lost or leaks. */
static void test_values_out_of_memory_changes_nothing(void **state)
{
    const struct do_value text = do_value_of_text("another");
    struct do_values before;
    struct do_values source;
    struct do_values values;

    (void)state;
    do_values_init(&before);
    do_values_init(&source);
    do_values_init(&values);
    fill(&before);
    fill(&values);
    fill(&source);
    set(&source, 50, do_value_of_text("more"));

    /* Replacing: one copy. Adding: a copy and a larger array. */
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_values_set(&values, 10, &text));
    assert_values_equal(&values, &before);
    for (uint64_t n = 1; n <= 2; n++)
    {
        do_alloc_fail_nth(n);
        assert_hr(E_OUTOFMEMORY, do_values_set(&values, 25, &text));
        assert_values_equal(&values, &before);
    }
    /* Three copies and two arrays. */
    for (uint64_t n = 1; n <= 5; n++)
    {
        int64_t outstanding = do_alloc_outstanding();

        do_alloc_fail_nth(n);
        assert_hr(E_OUTOFMEMORY, do_values_assign(&values, &source));
        assert_values_equal(&values, &before);
        assert_int_equal(do_alloc_outstanding(), outstanding);
    }
    do_alloc_fail_nth(0);
    assert_ok(do_values_assign(&values, &source));
    assert_values_equal(&values, &source);
    assert_ok(do_values_set(&values, 25, &text));
    assert_string_equal(do_values_text(&values, 25), "another");
    do_values_finish(&before);
    do_values_finish(&source);
    do_values_finish(&values);
}

#define VALUE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest value[] = {
        VALUE_TEST(test_value_assign_copies),
        VALUE_TEST(test_value_without_length_is_not_empty),
        VALUE_TEST(test_value_equal_compares_kind_and_content),
        VALUE_TEST(test_values_are_sorted_in_any_order_of_setting),
        VALUE_TEST(test_values_set_replaces),
        VALUE_TEST(test_values_empty_value_removes),
        VALUE_TEST(test_values_of_another_kind_are_not_given),
        VALUE_TEST(test_values_assign_replaces_the_whole_set),
        VALUE_TEST(test_values_out_of_memory_changes_nothing),
    };

    return TEST_RUN(value);
}
