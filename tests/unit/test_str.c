/* SPDX-License-Identifier: MIT */
/*
 * Text: copies, comparisons, UTF-8 and UTF-16, and growing buffers.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "support/test.h"

/* Broken: copies of text are cut, shared, or fail for NULL. */
static void test_str_dup_copies(void **state)
{
    char *copy;

    (void)state;
    assert_null(do_str_dup(NULL));
    copy = do_str_dup("");
    assert_string_equal(copy, "");
    do_free(copy);
    copy = do_str_dup_n("abcdef", 3);
    assert_string_equal(copy, "abc");
    do_free(copy);
}

/* Broken: a failed assignment loses the old value, or leaks it on success. */
static void test_str_assign_out_of_memory_keeps_old(void **state)
{
    char *slot = NULL;

    (void)state;
    assert_ok(do_str_assign(&slot, "one"));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_str_assign(&slot, "two"));
    assert_string_equal(slot, "one");
    assert_ok(do_str_assign(&slot, "three"));
    assert_string_equal(slot, "three");
    assert_ok(do_str_assign(&slot, NULL));
    assert_null(slot);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: header names are not compared as HTTP wants it, or depend on a locale. */
static void test_str_nocase_ignores_ascii_case_only(void **state)
{
    (void)state;
    assert_true(do_str_equal_nocase("Content-Range", "content-rANGE"));
    assert_true(do_str_equal_nocase("", ""));
    assert_false(do_str_equal_nocase("a", "ab"));
    assert_false(do_str_equal_nocase("ab", "a"));
    assert_false(do_str_equal_nocase("[", "{"));
    assert_false(do_str_equal_nocase("\xC3\x84", "\xC3\xA4"));
    assert_true(do_str_starts_nocase("HTTPS://x", "https:"));
    assert_true(do_str_starts_nocase("x", ""));
    assert_false(do_str_starts_nocase("htt", "http"));
}

/* Broken: a character changes on its way through the COM edge. */
static void test_str_utf_conversions_roundtrip(void **state)
{
    static const struct
    {
        const char *utf8;
        uint16_t utf16[8];
    } rows[] = {
        {"", {0}},
        {"a\x7F", {'a', 0x7F, 0}},
        {"\xC2\x80", {0x80, 0}},
        {"\xDF\xBF", {0x7FF, 0}},
        {"\xE0\xA0\x80", {0x800, 0}},
        {"\xE2\x82\xAC", {0x20AC, 0}},
        {"\xED\x9F\xBF", {0xD7FF, 0}},
        {"\xEE\x80\x80", {0xE000, 0}},
        {"\xEF\xBF\xBF", {0xFFFF, 0}},
        {"\xF0\x90\x80\x80", {0xD800, 0xDC00, 0}},
        {"x\xF0\x9F\x98\x80y", {'x', 0xD83D, 0xDE00, 'y', 0}},
        {"\xF4\x8F\xBF\xBF", {0xDBFF, 0xDFFF, 0}},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        uint16_t *wide = NULL;
        char *narrow = NULL;

        assert_ok(do_utf16_from_utf8(rows[i].utf8, &wide));
        assert_int_equal(do_utf16_length(wide), do_utf16_length(rows[i].utf16));
        assert_memory_equal(wide, rows[i].utf16, (do_utf16_length(wide) + 1) * sizeof(*wide));
        assert_ok(do_utf8_from_utf16(wide, &narrow));
        assert_string_equal(narrow, rows[i].utf8);
        do_free(wide);
        do_free(narrow);
    }
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: text that is no UTF-8 gets in (overlong slashes, surrogates, cut characters). */
static void test_str_bad_utf8_is_refused(void **state)
{
    static const char *const rows[] = {
        "\x80",
        "a\xBF",
        "\xC0\xAF",
        "\xC1\xBF",
        "\xC3",
        "\xC3x",
        "\xE0\x9F\xBF",
        "\xE2\x82",
        "\xE2\x82x",
        "\xE2(\xA1",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    static uint16_t poison;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        uint16_t *wide = &poison;

        assert_hr(E_INVALIDARG, do_utf16_from_utf8(rows[i], &wide));
        assert_null(wide);
    }
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: half a surrogate pair is read past the end or becomes bad UTF-8. */
static void test_str_unpaired_surrogate_is_refused(void **state)
{
    static const uint16_t rows[][4] = {
        {0xD800, 0},
        {0xDC00, 0},
        {'a', 0xDBFF, 0},
        {0xD800, 'a', 0},
        {0xD800, 0xD800, 0xDC00, 0},
        {0xDC00, 0xD800, 0},
        {0xD800, 0xE000, 0},
    };
    static char poison;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        char *narrow = &poison;

        assert_hr(E_INVALIDARG, do_utf8_from_utf16(rows[i], &narrow));
        assert_null(narrow);
    }
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: running out of memory in a conversion is taken for bad text. */
static void test_str_conversion_out_of_memory_is_told(void **state)
{
    static const uint16_t wide[] = {'a', 0};
    uint16_t *to_wide = NULL;
    char *narrow = NULL;

    (void)state;
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_utf8_from_utf16(wide, &narrow));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_utf16_from_utf8("a", &to_wide));
    do_alloc_fail_nth(0);
    assert_null(narrow);
    assert_null(to_wide);
}

/* Broken: what was appended is not what comes out, or is not terminated. */
static void test_str_buf_appends(void **state)
{
    struct do_buf buf;
    char *text;

    (void)state;
    do_buf_init(&buf, 0);
    assert_string_equal(do_buf_str(&buf), "");
    do_buf_append_str(&buf, "ab");
    do_buf_append(&buf, "cdef", 2);
    do_buf_append(&buf, NULL, 0);
    do_buf_append_format(&buf, "-%d-%s", 42, "x");
    assert_string_equal(do_buf_str(&buf), "abcd-42-x");
    assert_int_equal(buf.length, 9);
    for (int i = 0; i < 100; i++)
        do_buf_append_format(&buf, "%099d\n", i);
    assert_int_equal(buf.length, 9 + 100 * 100);
    assert_false(buf.failed);
    text = do_buf_take(&buf);
    assert_int_equal(strlen(text), 9 + 100 * 100);
    assert_null(buf.data);
    do_free(text);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: an empty buffer cannot be told from a failed one when it is taken. */
static void test_str_buf_take_of_nothing_is_empty_text(void **state)
{
    struct do_buf buf;
    char *text;

    (void)state;
    do_buf_init(&buf, 0);
    text = do_buf_take(&buf);
    assert_string_equal(text, "");
    do_free(text);
}

/* Broken: a peer can make us hold more than the limit, or a partial text passes for whole. */
static void test_str_buf_limit_stops_appending(void **state)
{
    struct do_buf buf;

    (void)state;
    do_buf_init(&buf, 4);
    do_buf_append_str(&buf, "abcd");
    assert_false(buf.failed);
    do_buf_append(&buf, "", 0);
    assert_false(buf.failed);
    do_buf_append_str(&buf, "e");
    assert_true(buf.failed);
    assert_string_equal(do_buf_str(&buf), "abcd");
    do_buf_append(&buf, "", 0);
    assert_null(do_buf_take(&buf));
    assert_int_equal(buf.limit, 4);

    do_buf_append_format(&buf, "%s", "12345");
    assert_true(buf.failed);
    assert_string_equal(do_buf_str(&buf), "");
    do_buf_clear(&buf);
    do_buf_append_format(&buf, "%s", "1234");
    assert_false(buf.failed);
    do_buf_append(&buf, "x", SIZE_MAX);
    assert_true(buf.failed);
    do_buf_finish(&buf);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* Broken: a text with a hole in its middle, where memory ran out, is used. */
static void test_str_buf_out_of_memory_sticks(void **state)
{
    struct do_buf buf;

    (void)state;
    do_buf_init(&buf, 0);
    do_buf_append_str(&buf, "a");
    do_alloc_fail_nth(1);
    do_buf_append_format(&buf, "%0200d", 1);
    do_alloc_fail_nth(0);
    assert_true(buf.failed);
    do_buf_append_str(&buf, "b");
    assert_string_equal(do_buf_str(&buf), "a");
    assert_null(do_buf_take(&buf));
    assert_int_equal(do_alloc_outstanding(), 0);
}

int main(void)
{
    static const struct CMUnitTest str[] = {
        cmocka_unit_test(test_str_dup_copies),
        cmocka_unit_test(test_str_assign_out_of_memory_keeps_old),
        cmocka_unit_test(test_str_nocase_ignores_ascii_case_only),
        cmocka_unit_test(test_str_utf_conversions_roundtrip),
        cmocka_unit_test(test_str_bad_utf8_is_refused),
        cmocka_unit_test(test_str_unpaired_surrogate_is_refused),
        cmocka_unit_test(test_str_conversion_out_of_memory_is_told),
        cmocka_unit_test(test_str_buf_appends),
        cmocka_unit_test(test_str_buf_take_of_nothing_is_empty_text),
        cmocka_unit_test(test_str_buf_limit_stops_appending),
        cmocka_unit_test(test_str_buf_out_of_memory_sticks),
    };

    return TEST_RUN(str);
}
