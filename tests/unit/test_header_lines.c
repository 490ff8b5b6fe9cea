/* SPDX-License-Identifier: MIT */
/*
 * The header lines that clients want sent: where one ends, which make sense, who may see them.
 */
#include <string.h>

#include "support/test.h"

#include "base/compiler.h"
#include "transfer/header_lines.h"

static void expect_line(const char **text, enum do_header_kind kind, const char *expected)
{
    struct do_header_line line;

    assert_true(do_header_line_next(text, &line));
    assert_int_equal(line.kind, kind);
    assert_int_equal(line.length, strlen(expected));
    assert_memory_equal(line.begin, expected, line.length);
}

/* Broken: a line of headers ends where it does not. */
static void test_header_lines_are_separated_by_any_line_end(void **state)
{
    const char *text = "\r\nA: 1\rB: 2\nC: 3\r\n\r\nD: 4\n";
    const char *none = NULL;
    struct do_header_line line;

    (void)state;
    expect_line(&text, DO_HEADER_PLAIN, "A: 1");
    expect_line(&text, DO_HEADER_PLAIN, "B: 2");
    expect_line(&text, DO_HEADER_PLAIN, "C: 3");
    expect_line(&text, DO_HEADER_PLAIN, "D: 4");
    assert_false(do_header_line_next(&text, &line));
    assert_false(do_header_line_next(&none, &line));
}

/* Broken: what could be read in two ways is sent, or a secret counts as a plain header. */
static void test_header_lines_are_judged_one_by_one(void **state)
{
    static const struct
    {
        enum do_header_kind kind;
        const char *line;
    } rows[] = {
        {DO_HEADER_PLAIN, "X-A: 1"},
        {DO_HEADER_PLAIN, "X-A:"},
        {DO_HEADER_PLAIN, "X-A: b:c"},
        {DO_HEADER_PLAIN, "X-A: \xC3\xA4"},
        {DO_HEADER_PLAIN, "X-A: a\tb"},
        {DO_HEADER_PLAIN, "Ranges: 1"},
        {DO_HEADER_PLAIN, "Authorizations: 1"},
        {DO_HEADER_SKIP, "no colon"},
        {DO_HEADER_SKIP, ": 1"},
        {DO_HEADER_SKIP, " X-A: folded"},
        {DO_HEADER_SKIP, "X-A : 1"},
        {DO_HEADER_SKIP, "X A: 1"},
        {DO_HEADER_SKIP, "X(A): 1"},
        {DO_HEADER_SKIP, "X-\xC3\xA4: 1"},
        {DO_HEADER_SKIP, "X-A: \x01"},
        {DO_HEADER_SKIP, "X-A: \x7F"},
        {DO_HEADER_SKIP, "range: bytes=0-1"},
        {DO_HEADER_SKIP, "If-Range: x"},
        {DO_HEADER_SKIP, "ACCEPT-ENCODING: gzip"},
        {DO_HEADER_SKIP, "Host: x"},
        {DO_HEADER_SKIP, "Content-Length: 1"},
        {DO_HEADER_SKIP, "Transfer-Encoding: chunked"},
        {DO_HEADER_SKIP, "Connection: close"},
        {DO_HEADER_SKIP, "Upgrade: h2c"},
        {DO_HEADER_AUTH, "authorization: Basic x"},
        {DO_HEADER_COOKIE, "Cookie:x"},
        {DO_HEADER_PROXY, "Proxy-Authorization: Basic x"},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        const char *text = rows[i].line;

        expect_line(&text, rows[i].kind, rows[i].line);
        assert_int_equal(*text, 0);
    }
}

/* Broken: an empty header looks like one with a value. */
static void test_header_lines_tell_empty_values(void **state)
{
    const char *text = "X-A: \t\nX-BC: 1";
    struct do_header_line line;

    (void)state;
    assert_true(do_header_line_next(&text, &line));
    assert_true(line.is_empty);
    assert_int_equal(line.name_length, 3);
    assert_true(do_header_line_next(&text, &line));
    assert_false(line.is_empty);
    assert_int_equal(line.name_length, 4);
}

/* Broken: a line that is cut off, or holds nothing but blanks, is read beyond its end. */
static void test_header_lines_end_with_the_text(void **state)
{
    static const char *const texts[] = {"X", "X:", "Range", "X-A: 1\r", " ", "\t\n\r:"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        const char *text = texts[i];
        struct do_header_line line;

        while (do_header_line_next(&text, &line))
            assert_true(line.length && line.begin + line.length <= texts[i] + strlen(texts[i]));
        assert_int_equal(*text, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_lines_are_separated_by_any_line_end),
        cmocka_unit_test(test_header_lines_are_judged_one_by_one),
        cmocka_unit_test(test_header_lines_tell_empty_values),
        cmocka_unit_test(test_header_lines_end_with_the_text),
    };

    return TEST_RUN(tests);
}
