/* SPDX-License-Identifier: MIT */
/*
 * Log lines, and what must never be in them.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "support/test.h"

static int lines;
static char last_line[2000];
static enum do_log_level last_level;
static enum do_log_area last_area;

static void keep(enum do_log_level level, enum do_log_area area, const char *line)
{
    lines++;
    last_level = level;
    last_area = area;
    (void)snprintf(last_line, sizeof(last_line), "%s", line);
}

/* Broken: lines are lost, garbled or go out although nobody wants them. */
static void test_log_lines_up_to_level_reach_sink(void **state)
{
    (void)state;
    lines = 0;
    do_log(DO_LOG_ERROR, DO_LOG_COM, "nobody listens");
    assert_false(do_log_enabled(DO_LOG_ERROR));
    do_log_set(keep, DO_LOG_WARN);
    assert_true(do_log_enabled(DO_LOG_ERROR));
    assert_true(do_log_enabled(DO_LOG_WARN));
    assert_false(do_log_enabled(DO_LOG_INFO));
    do_log(DO_LOG_INFO, DO_LOG_JOB, "too much");
    assert_int_equal(lines, 0);
    do_log(DO_LOG_WARN, DO_LOG_STORE, "%s=%d", "name", 42);
    assert_int_equal(lines, 1);
    assert_int_equal(last_level, DO_LOG_WARN);
    assert_int_equal(last_area, DO_LOG_STORE);
    assert_string_equal(last_line, "name=42");
    do_log_set(NULL, DO_LOG_TRACE);
    assert_false(do_log_enabled(DO_LOG_ERROR));
    do_log(DO_LOG_ERROR, DO_LOG_COM, "nobody listens any more");
    assert_int_equal(lines, 1);
}

/* Broken: a long argument overflows the line, or is cut without a sign. */
static void test_log_long_line_is_cut_visibly(void **state)
{
    char text[1500];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    do_log_set(keep, DO_LOG_TRACE);
    do_log(DO_LOG_TRACE, DO_LOG_COM, "%s", text);
    assert_int_equal(strlen(last_line), 999);
    assert_string_equal(last_line + 995, "x...");
    text[999] = 0;
    do_log(DO_LOG_TRACE, DO_LOG_COM, "%s", text);
    assert_string_equal(last_line, text);
    do_log_set(NULL, DO_LOG_ERROR);
}

/* Broken: passwords, tokens or signatures in URLs end up in logs that people send around. */
static void test_log_url_hides_secrets(void **state)
{
    static const struct
    {
        const char *url;
        const char *shown;
    } rows[] = {
        {"http://host/path", "http://host/path"},
        {"https://host:8080/a/b.bin", "https://host:8080/a/b.bin"},
        {"http://host/path?token=secret", "http://host/path"},
        {"http://host?token=secret", "http://host"},
        {"http://host/path#secret", "http://host/path"},
        {"http://host/p#secret?secret", "http://host/p"},
        {"http://user:pass@host/path", "http://host/path"},
        {"http://user@host", "http://host"},
        {"http://us@er:p@ss@host/path?q", "http://host/path"},
        {"http://host/a@b", "http://host/a@b"},
        {"http://host/a?b=x@y", "http://host/a"},
        {"http://host?x://user:secret@y", "http://host"},
        {"http:/user:pass@host/path", "http:/host/path"},
        {"http:///user:pass@host/path", "http:///host/path"},
        {"http:\\\\user:pass@host/path", "http:\\\\host/path"},
        {"http:user:pass@host/path", "host/path"},
        {"user:pass@host/path", "host/path"},
        {"host/path?secret", "host/path"},
        {"://user:pass@host/", "://host/"},
        {"?secret", ""},
        {"", ""},
    };
    char out[100];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        assert_ptr_equal(do_log_url(rows[i].url, out, sizeof(out)), out);
        assert_string_equal(out, rows[i].shown);
    }
}

/* Broken: a long URL is written past the end of its buffer. */
static void test_log_url_is_cut_to_size(void **state)
{
    char out[12];

    (void)state;
    memset(out, '#', sizeof(out));
    (void)do_log_url("http://user@host/path", out, 11);
    assert_string_equal(out, "http://hos");
    assert_int_equal(out[11], '#');
    (void)do_log_url("http://host/path", out, 1);
    assert_string_equal(out, "");
}

/* Broken: the name of a level or area is missing or another one's. */
static void test_log_names_are_complete(void **state)
{
    (void)state;
    assert_string_equal(do_log_level_name(DO_LOG_ERROR), "ERROR");
    assert_string_equal(do_log_level_name(DO_LOG_WARN), "WARN");
    assert_string_equal(do_log_level_name(DO_LOG_INFO), "INFO");
    assert_string_equal(do_log_level_name(DO_LOG_TRACE), "TRACE");
    assert_string_equal(do_log_area_name(DO_LOG_COM), "com");
    assert_string_equal(do_log_area_name(DO_LOG_JOB), "job");
    assert_string_equal(do_log_area_name(DO_LOG_XFER), "xfer");
    assert_string_equal(do_log_area_name(DO_LOG_HTTP), "http");
    assert_string_equal(do_log_area_name(DO_LOG_STORE), "store");
}

int main(void)
{
    static const struct CMUnitTest log[] = {
        cmocka_unit_test(test_log_lines_up_to_level_reach_sink),
        cmocka_unit_test(test_log_long_line_is_cut_visibly),
        cmocka_unit_test(test_log_url_hides_secrets),
        cmocka_unit_test(test_log_url_is_cut_to_size),
        cmocka_unit_test(test_log_names_are_complete),
    };

    return TEST_RUN(log);
}
