/* SPDX-License-Identifier: MIT */
/*
 * Heads of HTTP responses: each field and each verdict, by hand-made cases.
 */
#include "transfer/http_head.h"

#include <string.h>

#include "base/alloc.h"
#include "store/queue_db.h"
#include "support/test.h"

#define NONE DO_SIZE_UNKNOWN

/* Feeds text line by line, as libcurl does; the first failure ends it. */
static HRESULT add_lines(struct do_http_head *head, const char *text)
{
    HRESULT hr = S_OK;

    while (*text && SUCCEEDED(hr))
    {
        size_t length = strcspn(text, "\n");

        length += text[length] == '\n';
        hr = do_http_head_add_line(head, text, length);
        text += length;
    }
    return hr;
}

static void parse(struct do_http_head *head, const char *text)
{
    do_http_head_init(head);
    assert_ok(add_lines(head, text));
}

static HRESULT parse_hr(const char *text)
{
    struct do_http_head head;
    HRESULT hr;

    do_http_head_init(&head);
    hr = add_lines(&head, text);
    do_http_head_finish(&head);
    return hr;
}

/* Broken: a field that every server sends is not understood. */
static void test_http_head_usual_fields_are_read(void **state)
{
    static const char text[] = "HTTP/1.1 206 Partial Content\r\n"
                               "Content-Length: 100\r\n"
                               "Content-Range: bytes 0-99/1000\r\n"
                               "Content-Type: application/octet-stream\r\n"
                               "ETag: \"abc\"\r\n"
                               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Retry-After: 120\r\n"
                               "\r\n";
    struct do_http_head head;

    (void)state;
    parse(&head, text);
    assert_int_equal(head.status, 206);
    assert_true(head.has_content_length);
    assert_int_equal(head.content_length, 100);
    assert_true(head.has_content_range);
    assert_int_equal(head.content_range.begin, 0);
    assert_int_equal(head.content_range.end, 100);
    assert_int_equal(head.range_total, 1000);
    assert_false(head.is_multipart);
    assert_string_equal(head.etag, "\"abc\"");
    assert_string_equal(head.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(head.has_retry_after);
    assert_int_equal(head.retry_after_s, 120);
    assert_string_equal(do_buf_str(&head.text), text);
    do_http_head_finish(&head);
}

/* Broken: a fresh head claims something. */
static void test_http_head_empty_knows_nothing(void **state)
{
    struct do_http_head head;

    (void)state;
    parse(&head, "");
    assert_int_equal(head.status, 0);
    assert_false(head.has_content_length);
    assert_false(head.has_content_range);
    assert_int_equal(head.range_total, NONE);
    assert_string_equal(head.etag, "");
    assert_string_equal(head.last_modified, "");
    assert_false(head.has_retry_after);
    assert_string_equal(do_buf_str(&head.text), "");
    do_http_head_finish(&head);
    do_http_head_finish(&head);
}

/* Broken: names of fields are case-sensitive, or blanks and other line ends confuse. */
static void test_http_head_case_and_blanks_do_not_matter(void **state)
{
    struct do_http_head head;

    (void)state;
    parse(&head, "http/1.0 200\n"
                 "CONTENT-LENGTH:\t 5 \t\r\n"
                 "content-RANGE:Bytes 1-5/6  \n"
                 "eTag:\"x y\"\t\n"
                 "last-modified:   then   \r\n"
                 "RETRY-AFTER:7");
    assert_int_equal(head.status, 200);
    assert_int_equal(head.content_length, 5);
    assert_true(head.has_content_range);
    assert_int_equal(head.content_range.begin, 1);
    assert_int_equal(head.content_range.end, 6);
    assert_string_equal(head.etag, "\"x y\"");
    assert_string_equal(head.last_modified, "then");
    assert_int_equal(head.retry_after_s, 7);
    do_http_head_finish(&head);
}

/* Broken: a folded line, a longer name or a blank before the colon passes for another field. */
static void test_http_head_odd_lines_are_no_fields(void **state)
{
    struct do_http_head head;

    (void)state;
    parse(&head, "HTTP/1.1 200 OK\r\n"
                 "X-Note: first\r\n"
                 " Content-Length: 1\r\n"
                 "\tETag: \"folded\"\r\n"
                 "X-Content-Length: 2\r\n"
                 "Content-Length-Of-Something: 3\r\n"
                 "Content-Length : 4\r\n"
                 "Content-Len: 5\r\n"
                 "Content-Length\r\n"
                 ": 6\r\n"
                 ":\r\n"
                 "ETag\r\n"
                 "no colon at all\r\n"
                 "\r\n");
    assert_int_equal(head.status, 200);
    assert_false(head.has_content_length);
    assert_string_equal(head.etag, "");
    do_http_head_finish(&head);
}

/* Broken: which odd status lines give a status. 0 means that no answer is accepted. */
static void test_http_head_status_lines_are_judged(void **state)
{
    static const struct
    {
        const char *line;
        unsigned int status;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n", 200},
        {"HTTP/2 206\r\n", 206},
        {"HTTP/1.1  404 Not: Found\r\n", 404},
        {"HTTP/1.1\r\n", 0},
        {"HTTP/1.1 \r\n", 0},
        {"HTTP/\r\n", 0},
        {"HTTP/1.1 99\r\n", 0},
        {"HTTP/1.1 1000\r\n", 0},
        {"HTTP/1.1 -200\r\n", 0},
        {"HTTP/1.1 OK\r\n", 0},
        {"HTTP/1.1 99999999999999999999\r\n", 0},
        {"HTTP\r\n", 0},
        {"ICY 200 OK\r\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct do_http_head head;

        parse(&head, rows[i].line);
        assert_int_equal(head.status, rows[i].status);
        do_http_head_finish(&head);
    }
}

/* Broken: two lengths that contradict each other are accepted, or two equal ones are not. */
static void test_http_head_content_length_must_not_contradict(void **state)
{
    (void)state;
    assert_ok(parse_hr("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n"));
    assert_ok(parse_hr("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 005\r\n"));
    assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE,
        parse_hr("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n"));
    assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE,
        parse_hr("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 6\r\n"));
}

/* Broken: a length that is no number is cut to one. */
static void test_http_head_bad_content_length_is_refused(void **state)
{
    static const char *const bad[] = {"", "x", "-1", "+1", "1x", "1 2", "1,1", "0x10", "1.5",
        "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "18446744073709551621", "99999999999999999999999999"};
    struct do_http_head head;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        struct do_buf line;
        HRESULT hr;

        do_buf_init(&line, 0);
        do_buf_append_format(&line, "Content-Length: %s\r\n", bad[i]);
        parse(&head, "HTTP/1.1 200 OK\r\n");
        hr = do_http_head_add_line(&head, line.data, line.length);
        if (SUCCEEDED(hr))
            print_error("accepted: '%s'\n", bad[i]);
        assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE, hr);
        do_buf_finish(&line);
        assert_false(head.has_content_length);
        do_http_head_finish(&head);
    }
    parse(&head, "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n");
    assert_int_equal(head.content_length, INT64_MAX);
    do_http_head_finish(&head);
}

/* Broken: a malformed range passes, and bytes are stored at a wrong place. */
static void test_http_head_bad_content_range_is_none(void **state)
{
    static const char *const bad[] = {"", "bytes", "bytes ", "0-99/1000", "octets 0-99/1000",
        "bytes=0-99/1000", "bytes */1000", "bytes 0-99", "bytes 0-99/", "bytes -99/1000",
        "bytes 0-/1000", "bytes 0/1000", "bytes 0-99/1000x", "bytes 0-99/**", "bytes 0-99/1000, 1",
        "bytes 0-99/*0", "bytes 0 - 99/1000", "bytes 0-99 /1000", "bytes 0-99/ 1000",
        "bytes +0-99/1000", "bytes 0--99/1000", "bytes 0x0-0x9/1000",
        /* backwards, and not within the total */
        "bytes 99-0/1000", "bytes 0-1000/1000", "bytes 1000-1000/1000", "bytes 0-0/0",
        /* too large for a number */
        "bytes 0-9223372036854775808/*", "bytes 18446744073709551616-18446744073709551617/*",
        "bytes 0-99/18446744073709551616", "bytes 0-18446744073709551615/*"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        struct do_http_head head;
        struct do_buf line;

        do_buf_init(&line, 0);
        do_buf_append_format(&line, "Content-Range: %s\r\n", bad[i]);
        /* A good one before does not shine through. */
        parse(&head, "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-99/1000\r\n");
        assert_true(head.has_content_range);
        assert_ok(do_http_head_add_line(&head, line.data, line.length));
        if (head.has_content_range)
            print_error("accepted: '%s'\n", bad[i]);
        assert_false(head.has_content_range);
        do_buf_finish(&line);
        do_http_head_finish(&head);
    }
}

/* Broken: the inclusive end of HTTP is taken for ours, or large offsets are cut. */
static void test_http_head_good_content_range_is_half_open(void **state)
{
    static const struct
    {
        const char *text;
        struct do_range range;
        uint64_t total;
    } rows[] = {
        {"Content-Range: bytes 0-0/1\r\n", {0, 1}, 1},
        {"Content-Range: bytes 0-0/*\r\n", {0, 1}, NONE},
        {"Content-Range: bytes 500-999/1000\r\n", {500, 1000}, 1000},
        {"Content-Range: bytes 5000000000-5000000009/6000000000\r\n", {5000000000, 5000000010},
            6000000000},
        {"Content-Range: bytes 0-9223372036854775806/9223372036854775807\r\n", {0, INT64_MAX},
            INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct do_http_head head;

        parse(&head, rows[i].text);
        assert_true(head.has_content_range);
        assert_int_equal(head.content_range.begin, rows[i].range.begin);
        assert_int_equal(head.content_range.end, rows[i].range.end);
        assert_int_equal(head.range_total, rows[i].total);
        do_http_head_finish(&head);
    }
}

/* Broken: a validator that does not fit is cut, and a cut one never matches or matches wrongly. */
static void test_http_head_long_validators_are_dropped(void **state)
{
    struct do_http_head head;
    struct do_buf line;
    char text[300];

    (void)state;
    memset(text, 'e', sizeof(text));
    do_buf_init(&line, 0);
    do_buf_append_format(&line, "ETag: \"%.253s\"\r\n", text);
    do_http_head_init(&head);
    assert_ok(do_http_head_add_line(&head, line.data, line.length));
    assert_int_equal(strlen(head.etag), 255);
    do_buf_clear(&line);
    do_buf_append_format(&line, "ETag: \"%.254s\"\r\n", text);
    assert_ok(do_http_head_add_line(&head, line.data, line.length));
    assert_string_equal(head.etag, "");
    do_buf_clear(&line);
    do_buf_append_format(&line, "Last-Modified: %.63s\r\n", text);
    assert_ok(do_http_head_add_line(&head, line.data, line.length));
    assert_int_equal(strlen(head.last_modified), 63);
    do_buf_clear(&line);
    do_buf_append_format(&line, "Last-Modified: %.64s\r\n", text);
    assert_ok(do_http_head_add_line(&head, line.data, line.length));
    assert_string_equal(head.last_modified, "");
    do_buf_finish(&line);
    do_http_head_finish(&head);
}

/* Broken: a validator that is sent back carries a line break into our request. */
static void test_http_head_validators_with_control_characters_are_dropped(void **state)
{
    static const char *const bad[] = {
        "\"a\x01z\"", "\"a\rz\"", "\"a\tz\"", "\"a\x1Fz\"", "\"a\x7Fz\"", "\x01", "\"az\"\x01"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        struct do_http_head head;
        struct do_buf line;

        do_buf_init(&line, 0);
        do_buf_append_format(&line, "ETag: %s\r\nLast-Modified: %s\r\n", bad[i], bad[i]);
        /* Good ones before do not shine through. */
        parse(&head, "HTTP/1.1 200 OK\r\nETag: \"old\"\r\nLast-Modified: then\r\n");
        assert_ok(add_lines(&head, do_buf_str(&line)));
        assert_string_equal(head.etag, "");
        assert_string_equal(head.last_modified, "");
        do_buf_finish(&line);
        do_http_head_finish(&head);
    }
}

/* Broken: If-Range carries what RFC 9110 13.1.5 forbids, and old bytes meet new ones. */
static void test_http_head_if_range_takes_strong_tag_or_date(void **state)
{
    static const struct
    {
        struct do_validators known;
        const char *expected;
    } rows[] = {
        {{"\"a\"", "date", NONE}, "\"a\""},
        {{"\"a\"", "", NONE}, "\"a\""},
        {{"W/\"a\"", "date", NONE}, "date"},
        {{"W/\"a\"", "", NONE}, ""},
        {{"w/\"a\"", "date", NONE}, "date"},
        {{"bare", "date", NONE}, "date"},
        {{"", "date", NONE}, "date"},
        {{"", "", 1000}, ""},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
        assert_string_equal(do_validators_if_range(&rows[i].known), rows[i].expected);
}

/* Broken: a date or a huge number counts as seconds to wait. */
static void test_http_head_retry_after_takes_seconds_and_dates(void **state)
{
    static const struct
    {
        const char *text;
        bool has;
        uint32_t seconds;
    } rows[] = {
        {"Retry-After: 0\r\n", true, 0},
        {"Retry-After: 120\r\n", true, 120},
        {"Retry-After: 4294967295\r\n", true, UINT32_MAX},
        {"Retry-After: 4294967296\r\n", false, 0},
        {"Retry-After: 99999999999999999999\r\n", false, 0},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", false, 0},
        /* A date counts from the server's own. */
        {"Date: Sun, 06 Nov 1994 08:49:30 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            true, 7},
        {"Retry-After: Mon, 07 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            true, 86400},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\n",
            true, 0},
        {"Retry-After: Sun, 06 Nov 9994 08:49:37 GMT\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\n",
            true, UINT32_MAX},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: today\r\n", false, 0},
        {"Date: Sun, 06 Nov 1994 08:49:30 GMT\r\nRetry-After: 5\r\n", true, 5},
        {"Retry-After: -1\r\n", false, 0},
        {"Retry-After:\r\n", false, 0},
        {"Retry-After: 120\r\nRetry-After: soon\r\n", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct do_http_head head;

        parse(&head, rows[i].text);
        assert_int_equal(head.has_retry_after, rows[i].has);
        assert_int_equal(head.retry_after_s, rows[i].seconds);
        do_http_head_finish(&head);
    }
}

/* Broken: fields of a redirect or an informational answer count for the final one. */
static void test_http_head_status_line_begins_anew(void **state)
{
    static const char last[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX: y\r\n\r\n";
    struct do_http_head head;

    (void)state;
    parse(&head, "HTTP/1.1 302 Found\r\n"
                 "Content-Length: 5\r\n"
                 "Content-Range: bytes 0-4/5\r\n"
                 "Content-Type: multipart/byteranges; boundary=x\r\n"
                 "Content-Encoding: gzip\r\n"
                 "ETag: \"redirect\"\r\n"
                 "Last-Modified: then\r\n"
                 "Retry-After: 9\r\n"
                 "\r\n"
                 "HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_ok(add_lines(&head, last));
    assert_int_equal(head.status, 200);
    /* Another length than the redirect's is no contradiction. */
    assert_int_equal(head.content_length, 6);
    assert_false(head.has_content_range);
    assert_int_equal(head.range_total, NONE);
    assert_false(head.is_multipart);
    assert_false(head.is_coded);
    assert_string_equal(head.etag, "");
    assert_string_equal(head.last_modified, "");
    assert_false(head.has_retry_after);
    assert_int_equal(head.retry_after_s, 0);
    assert_string_equal(do_buf_str(&head.text), last);
    do_http_head_finish(&head);
}

/* Broken: a server fills memory with a head that does not end. */
static void test_http_head_limit_is_256_kib(void **state)
{
    static char line[1024];
    struct do_http_head head;

    (void)state;
    memset(line, 'x', sizeof(line));
    line[1] = ':';
    line[sizeof(line) - 2] = '\r';
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(DO_HTTP_HEAD_LIMIT, 256 * 1024);
    do_http_head_init(&head);
    for (size_t i = 0; i < DO_HTTP_HEAD_LIMIT / sizeof(line); i++)
        assert_ok(do_http_head_add_line(&head, line, sizeof(line)));
    assert_int_equal(head.text.length, DO_HTTP_HEAD_LIMIT);
    assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE, do_http_head_add_line(&head, "", 0));
    assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE, do_http_head_add_line(&head, "a: b\r\n", 6));
    do_http_head_finish(&head);
    /* The limit is for one head. */
    do_http_head_init(&head);
    for (size_t i = 0; i < 16; i++)
        assert_ok(do_http_head_add_line(&head, line, sizeof(line)));
    assert_ok(do_http_head_add_line(&head, "HTTP/1.1 200 OK\r\n", 17));
    assert_int_equal(head.text.length, 17);
    assert_ok(do_http_head_add_line(&head, line, sizeof(line)));
    do_http_head_finish(&head);
}

/* Broken: short heads without end, such as 100 Continue, keep a request for ever. */
static void test_http_head_limit_of_all_heads(void **state)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const size_t length = sizeof(line) - 1;
    struct do_http_head head;
    uint64_t fed = 0;

    (void)state;
    do_http_head_init(&head);
    for (; fed + length <= DO_HTTP_HEADS_LIMIT; fed += length)
        assert_ok(add_lines(&head, line));
    assert_hr(DO_HR_NET_INVALID_SERVER_RESPONSE, add_lines(&head, line));
    do_http_head_finish(&head);
}

/* Broken: what a trailer says counts as if the head had said it. */
static void test_http_head_trailers_are_not_read(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct do_http_head head;

    (void)state;
    parse(&head, text);
    assert_true(head.is_complete);
    assert_ok(add_lines(&head, "Content-Length: 5\r\n"
                               "Content-Length: x\r\n"
                               "Content-Range: bytes 0-4/5\r\n"
                               "Content-Encoding: gzip\r\n"
                               "ETag: \"trailer\"\r\n\r\n"));
    assert_false(head.has_content_length);
    assert_false(head.has_content_range);
    assert_false(head.is_coded);
    assert_string_equal(head.etag, "");
    assert_string_equal(do_buf_str(&head.text), text);
    do_http_head_finish(&head);
}

/* Broken: an answer whose head was cut off is taken for an answer. */
static void test_http_head_judge_cut_head_is_a_lost_connection(void **state)
{
    static const char *const texts[] = {"HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "HTTP/1.1 404 Not Found\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"};
    const struct do_head_question question = {{0, NONE}, false, false, {"", "", NONE}, NONE};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        struct do_head_answer answer;
        struct do_http_head head;
        HRESULT hr = S_OK;

        parse(&head, texts[i]);
        assert_int_equal(do_http_head_judge(&head, &question, &answer, &hr), DO_HEAD_REFUSE);
        assert_hr(DO_HR_NET_CONNECTION_ABORTED, hr);
        do_http_head_finish(&head);
    }
}

/* Broken: of two fields that must be one the last counts, or a coding is overlooked. */
static void test_http_head_two_fields_are_not_the_last(void **state)
{
    struct do_http_head head;

    (void)state;
    parse(&head, "Content-Range: bytes 0-4/5\r\nContent-Range: bytes 1-4/5\r\n");
    assert_false(head.has_content_range);
    do_http_head_finish(&head);
    parse(&head, "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n");
    assert_true(head.is_coded);
    do_http_head_finish(&head);
    parse(&head, "Content-Type: multipart/byteranges; boundary=x\r\nContent-Type: text/html\r\n");
    assert_true(head.is_multipart);
    do_http_head_finish(&head);
}

/* Broken: running out of memory is blamed on the server, and the job tries forever. */
static void test_http_head_out_of_memory_is_reported(void **state)
{
    struct do_http_head head;

    (void)state;
    do_http_head_init(&head);
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_http_head_add_line(&head, "HTTP/1.1 200 OK\r\n", 17));
    do_alloc_fail_nth(0);
    do_http_head_finish(&head);
    assert_int_equal(do_alloc_outstanding(), 0);
}

/* FILETIME of a time in seconds since 1601. */
#define SECONDS(s) ((uint64_t)(s)*10000000)

/* Broken: files get a wrong time of modification. */
static void test_http_head_dates_become_filetimes(void **state)
{
    static const struct
    {
        const char *text;
        uint64_t filetime;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 124285853770000000},
        {"Mon, 01 Jan 1601 00:00:00 GMT", 0},
        {"Mon, 01 Jan 1601 00:00:01 GMT", SECONDS(1)},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 116444736000000000},
        /* Leap years: those of four, not those of a hundred, but those of four hundred. */
        {"Thu, 29 Feb 1996 00:00:00 GMT", 116444736000000000 + SECONDS(825552000)},
        {"Fri, 01 Mar 1996 00:00:00 GMT", 116444736000000000 + SECONDS(825638400)},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 116444736000000000 + SECONDS(951825600)},
        {"Wed, 01 Mar 2000 00:00:00 GMT", 116444736000000000 + SECONDS(951868800)},
        {"Sun, 31 Dec 2000 23:59:59 GMT", 116444736000000000 + SECONDS(978307199)},
        {"Mon, 01 Jan 2001 00:00:00 GMT", 116444736000000000 + SECONDS(978307200)},
        {"Thu, 29 Feb 2024 00:00:00 GMT", 116444736000000000 + SECONDS(1709164800)},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 116444736000000000 + SECONDS(4107542400)},
        /* A leap second is the next day. */
        {"Sat, 31 Dec 2016 23:59:60 GMT", 116444736000000000 + SECONDS(1483228800)},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        if (do_http_date_to_filetime(rows[i].text) != rows[i].filetime)
            print_error("%s\n", rows[i].text);
        assert_int_equal(do_http_date_to_filetime(rows[i].text), rows[i].filetime);
    }
}

/* Broken: text that is no date of this form gives a time out of thin air. */
static void test_http_head_other_dates_are_zero(void **state)
{
    static const char *const bad[] = {"", "yesterday", "0", "Sun, ", "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 ", "Sun, 06 Nov 1994 08:49:37 EST",
        "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 06 No 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 30 Feb 1996 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT", "Sun, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 1600 08:49:37 GMT", "Sun, 06 Nov -199 08:49:37 GMT",
        "Sun, 06 Nov 19940 8:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT"};

    (void)state;
    assert_int_equal(do_http_date_to_filetime(NULL), 0);
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        if (do_http_date_to_filetime(bad[i]))
            print_error("accepted: '%s'\n", bad[i]);
        assert_int_equal(do_http_date_to_filetime(bad[i]), 0);
    }
}

struct judged
{
    const char *text;
    struct do_head_question question;
    enum do_head_verdict verdict;
    HRESULT hr;
    uint64_t length;
    uint64_t object_size;
};

/* Nothing is local yet: the whole object, or a range of it. */
#define WHOLE                                                                                      \
    {                                                                                              \
        {0, NONE}, false, false, {"", "", NONE}, NONE                                              \
    }
#define RANGE(begin, end)                                                                          \
    {                                                                                              \
        {begin, end}, true, false, {"", "", NONE}, NONE                                            \
    }
/* The client has said that the object has 1000 bytes. */
#define EXPECTING(begin, end, sent)                                                                \
    {                                                                                              \
        {begin, end}, sent, false, {"", "", NONE}, 1000                                            \
    }
/* Bytes of an object with these validators are local. */
#define RESUMED(begin, end, etag, modified, size)                                                  \
    {                                                                                              \
        {begin, end}, true, true, {etag, modified, size}, NONE                                     \
    }

#define ACCEPTED(length, size) DO_HEAD_ACCEPT, S_OK, length, size
#define CHANGED DO_HEAD_CHANGED, S_OK, 0, 0
#define REFUSED(hr) DO_HEAD_REFUSE, hr, 0, 0

#define OK "HTTP/1.1 200 OK\r\n"
#define PARTIAL "HTTP/1.1 206 Partial Content\r\n"

static void check(const struct judged *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        struct do_head_answer answer = {77, 77};
        struct do_http_head head;
        enum do_head_verdict verdict;
        HRESULT hr = E_UNEXPECTED;

        parse(&head, rows[i].text);
        assert_ok(do_http_head_add_line(&head, "\r\n", 2));
        verdict = do_http_head_judge(&head, &rows[i].question, &answer, &hr);
        if (verdict != rows[i].verdict)
            print_error("row %u: %s\n", (unsigned int)i, rows[i].text);
        assert_int_equal(verdict, rows[i].verdict);
        if (verdict != DO_HEAD_CHANGED)
            assert_hr(rows[i].hr, hr);
        if (verdict == DO_HEAD_ACCEPT)
        {
            assert_int_equal(answer.length, rows[i].length);
            assert_int_equal(answer.object_size, rows[i].object_size);
        }
        do_http_head_finish(&head);
    }
}

/* Broken: a 200 is stored where it does not belong, or a good one is refused. */
static void test_http_head_judge_200_is_whole_object(void **state)
{
    static const struct judged rows[] = {
        {OK "Content-Length: 1000\r\n", WHOLE, ACCEPTED(1000, 1000)},
        {OK "Content-Length: 0\r\n", WHOLE, ACCEPTED(0, 0)},
        {OK, WHOLE, ACCEPTED(NONE, NONE)},
        /* A server without ranges serves whoever wants all of the object. */
        {OK "Content-Length: 1000\r\n", RANGE(0, 1000), ACCEPTED(1000, 1000)},
        {OK "Content-Length: 1000\r\n", RANGE(0, 999), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK "Content-Length: 1000\r\n", RANGE(0, 1001), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK, RANGE(0, 1000), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK "Content-Length: 1000\r\n", RANGE(1, NONE), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK "Content-Length: 1000\r\n", RANGE(1, 1001), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        /* Content-Range means nothing in a 200. */
        {OK "Content-Range: bytes 5-9/10\r\nContent-Length: 1000\r\n", WHOLE, ACCEPTED(1000, 1000)},
        {OK "Content-Length: 1000\r\n", EXPECTING(0, NONE, false), ACCEPTED(1000, 1000)},
        {OK "Content-Length: 999\r\n", EXPECTING(0, NONE, false),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK "Content-Length: 1001\r\n", EXPECTING(0, NONE, false),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {OK, EXPECTING(0, NONE, false), ACCEPTED(NONE, NONE)},
        /* If-Range says so, or the server has no ranges: from the start either way. */
        {OK "Content-Length: 1000\r\nETag: \"b\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000),
            CHANGED},
        {OK "Content-Length: 1000\r\nETag: \"a\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000),
            CHANGED},
    };

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

/* Broken: a 206 with other bytes than those asked for is stored. */
static void test_http_head_judge_206_must_be_exact(void **state)
{
    static const struct judged rows[] = {
        {PARTIAL "Content-Range: bytes 100-199/1000\r\n", RANGE(100, 200), ACCEPTED(100, 1000)},
        {PARTIAL "Content-Range: bytes 100-199/1000\r\nContent-Length: 100\r\n", RANGE(100, 200),
            ACCEPTED(100, 1000)},
        {PARTIAL "Content-Range: bytes 100-999/1000\r\n", RANGE(100, NONE), ACCEPTED(900, 1000)},
        {PARTIAL "Content-Range: bytes 100-199/*\r\n", RANGE(100, 200), ACCEPTED(100, NONE)},
        {PARTIAL "Content-Range: bytes 100-999/*\r\n", RANGE(100, NONE),
            REFUSED(DO_E_FILE_SIZE_UNKNOWN_HTTP_206)},
        /* nobody asked for a range */
        {PARTIAL "Content-Range: bytes 0-999/1000\r\n", WHOLE,
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        /* which bytes these are is not told */
        {PARTIAL "Content-Length: 100\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {PARTIAL "Content-Range: bytes */1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {PARTIAL "Content-Range: bytes 199-100/1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {PARTIAL "Content-Type: multipart/byteranges; boundary=x\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {PARTIAL "Content-Type: Multipart/ByteRanges; boundary=x\r\n"
                 "Content-Range: bytes 100-199/1000\r\n",
            RANGE(100, 200), REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        /* another begin */
        {PARTIAL "Content-Range: bytes 0-199/1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        {PARTIAL "Content-Range: bytes 101-199/1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        /* too short, too long, and a body of another length */
        {PARTIAL "Content-Range: bytes 100-198/1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_HTTP_BLOCKSIZE_MISMATCH)},
        {PARTIAL "Content-Range: bytes 100-200/1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_HTTP_BLOCKSIZE_MISMATCH)},
        {PARTIAL "Content-Range: bytes 100-998/1000\r\n", RANGE(100, NONE),
            REFUSED(DO_E_HTTP_BLOCKSIZE_MISMATCH)},
        {PARTIAL "Content-Range: bytes 100-199/1000\r\nContent-Length: 99\r\n", RANGE(100, 200),
            REFUSED(DO_E_HTTP_BLOCKSIZE_MISMATCH)},
        {PARTIAL "Content-Range: bytes 100-199/1000\r\nContent-Length: 1000\r\n", RANGE(100, 200),
            REFUSED(DO_E_HTTP_BLOCKSIZE_MISMATCH)},
        /* an object that ends before the range does */
        {PARTIAL "Content-Range: bytes 100-149/150\r\n", RANGE(100, 200),
            REFUSED(DO_E_INVALID_RANGE)},
        /* another size than the client knows of */
        {PARTIAL "Content-Range: bytes 100-199/1000\r\n", EXPECTING(100, 200, true),
            ACCEPTED(100, 1000)},
        {PARTIAL "Content-Range: bytes 100-199/*\r\n", EXPECTING(100, 200, true),
            ACCEPTED(100, NONE)},
        {PARTIAL "Content-Range: bytes 100-199/1001\r\n", EXPECTING(100, 200, true),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
    };

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

/* Broken: the log-in page of a network is taken for the file, and what was received is lost. */
static void test_http_head_judge_page_of_somebody_else_is_no_change(void **state)
{
#define PAGE "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Type: text/html; charset=utf-8\r\n"
    static const struct judged rows[] = {
        {PAGE, RESUMED(500, 1000, "\"a\"", "", 1000), REFUSED(DO_HR_NET_INVALID_SERVER_RESPONSE)},
        {PAGE, RESUMED(500, 1000, "", "then", 1000), REFUSED(DO_HR_NET_INVALID_SERVER_RESPONSE)},
        /* It may be the object's new version: it has a validator, or the old one had none. */
        {PAGE "ETag: \"b\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        {PAGE "Last-Modified: now\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        {PAGE, RESUMED(500, 1000, "", "", 1000), CHANGED},
    };
#undef PAGE

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

/* Broken: bytes of two versions of an object end up in one file. */
static void test_http_head_judge_changed_object_begins_anew(void **state)
{
#define REST PARTIAL "Content-Range: bytes 500-999/1000\r\n"
    static const struct judged rows[] = {
        {REST, RESUMED(500, 1000, "", "", NONE), ACCEPTED(500, 1000)},
        {REST, RESUMED(500, 1000, "\"a\"", "then", 1000), ACCEPTED(500, 1000)},
        {REST "ETag: \"a\"\r\n", RESUMED(500, 1000, "", "", 1000), ACCEPTED(500, 1000)},
        {REST "ETag: \"a\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), ACCEPTED(500, 1000)},
        {REST "ETag: \"b\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        {REST "ETag: \"A\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        {REST "ETag: W/\"a\"\r\n", RESUMED(500, 1000, "W/\"a\"", "", 1000), ACCEPTED(500, 1000)},
        {REST "ETag: W/\"b\"\r\n", RESUMED(500, 1000, "W/\"a\"", "", 1000), CHANGED},
        {REST "ETag: W/\"a\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        /* The tag decides where both have one, else the date. */
        {REST "ETag: \"a\"\r\nLast-Modified: now\r\n", RESUMED(500, 1000, "\"a\"", "then", 1000),
            ACCEPTED(500, 1000)},
        {REST "ETag: \"b\"\r\nLast-Modified: then\r\n", RESUMED(500, 1000, "\"a\"", "then", 1000),
            CHANGED},
        {REST "Last-Modified: then\r\n", RESUMED(500, 1000, "\"a\"", "then", 1000),
            ACCEPTED(500, 1000)},
        {REST "Last-Modified: now\r\n", RESUMED(500, 1000, "\"a\"", "then", 1000), CHANGED},
        {REST "Last-Modified: now\r\n", RESUMED(500, 1000, "", "then", NONE), CHANGED},
        {REST "Last-Modified: now\r\n", RESUMED(500, 1000, "\"a\"", "", 1000), ACCEPTED(500, 1000)},
        /* another size, whatever the validators say; also one that no longer has the range */
        {REST "ETag: \"a\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1001), CHANGED},
        {PARTIAL "Content-Range: bytes 500-599/600\r\n", RESUMED(500, 1000, "", "", 1000), CHANGED},
        {PARTIAL "Content-Range: bytes 500-999/*\r\n", RESUMED(500, 1000, "", "", 1001),
            ACCEPTED(500, NONE)},
        {PARTIAL "Content-Range: bytes 500-999/*\r\nETag: \"b\"\r\n",
            RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
        /* Changed or not, a range that nobody can place is refused. */
        {PARTIAL "ETag: \"b\"\r\n", RESUMED(500, 1000, "\"a\"", "", 1000),
            REFUSED(DO_E_INSUFFICIENT_RANGE_SUPPORT)},
        /* With nothing local there is nothing to forget. */
        {REST "ETag: \"b\"\r\n", {{500, 1000}, true, false, {"\"a\"", "then", 1}, NONE},
            ACCEPTED(500, 1000)},
        /* The object became shorter than what is here. */
        {"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */400\r\n",
            RESUMED(500, 1000, "\"a\"", "", 1000), CHANGED},
    };
#undef REST

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

/* Broken: the body of an error page is stored, or the client sees the wrong error. */
static void test_http_head_judge_other_status_is_refused(void **state)
{
    static const struct judged rows[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 1000\r\n", WHOLE, REFUSED((HRESULT)0x80190194)},
        {"HTTP/1.1 404 Not Found\r\n", RESUMED(500, 1000, "\"a\"", "", 1000),
            REFUSED((HRESULT)0x80190194)},
        {"HTTP/1.1 416 Range Not Satisfiable\r\n", RANGE(100, 200), REFUSED((HRESULT)0x801901A0)},
        {"HTTP/1.1 503 Service Unavailable\r\n", WHOLE, REFUSED((HRESULT)0x801901F7)},
        {"HTTP/1.1 204 No Content\r\n", WHOLE, REFUSED(DO_E_UNEXPECTED_HTTP_STATUS_2XX)},
        {"HTTP/1.1 203 Non-Authoritative Information\r\nContent-Length: 1000\r\n", WHOLE,
            REFUSED(DO_E_UNEXPECTED_HTTP_STATUS_2XX)},
        {"HTTP/1.1 302 Found\r\n", WHOLE, REFUSED(DO_HR_HTTP_UNEXPECTED_REDIRECTION)},
        {"HTTP/1.1 304 Not Modified\r\n", RESUMED(500, 1000, "\"a\"", "", 1000),
            REFUSED((HRESULT)0x80190130)},
        {"HTTP/1.1 100 Continue\r\n", WHOLE, REFUSED(DO_HR_HTTP_UNEXPECTED)},
        {"HTTP/1.1 999 Odd\r\n", WHOLE, REFUSED(DO_HR_HTTP_UNEXPECTED)},
        {"", WHOLE, REFUSED(DO_HR_NET_INVALID_SERVER_RESPONSE)},
        {"HTTP/1.1 what\r\n", WHOLE, REFUSED(DO_HR_NET_INVALID_SERVER_RESPONSE)},
    };

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

/* Broken: a body that is coded is stored as if it were the object. */
static void test_http_head_judge_coded_body_is_refused(void **state)
{
    static const struct judged rows[] = {
        {OK "Content-Encoding: gzip\r\n", WHOLE, REFUSED((HRESULT)0x80190196)},
        {OK "content-encoding:BR\r\nContent-Length: 1000\r\n", WHOLE, REFUSED((HRESULT)0x80190196)},
        {OK "Content-Encoding: identity, gzip\r\n", WHOLE, REFUSED((HRESULT)0x80190196)},
        {PARTIAL "Content-Range: bytes 100-199/1000\r\nContent-Encoding: gzip\r\n", RANGE(100, 200),
            REFUSED((HRESULT)0x80190196)},
        {OK "Content-Encoding: identity\r\nContent-Length: 1000\r\n", WHOLE, ACCEPTED(1000, 1000)},
        {OK "Content-Encoding: Identity \r\n", WHOLE, ACCEPTED(NONE, NONE)},
        {OK "Content-Encoding:\r\n", WHOLE, ACCEPTED(NONE, NONE)},
        {PARTIAL "Content-Range: bytes 100-199/1000\r\nContent-Encoding: identity\r\n",
            RANGE(100, 200), ACCEPTED(100, 1000)},
        /* The status says more. */
        {"HTTP/1.1 404 Not Found\r\nContent-Encoding: gzip\r\n", WHOLE,
            REFUSED((HRESULT)0x80190194)},
    };

    (void)state;
    check(rows, DO_COUNT_OF(rows));
}

int main(void)
{
    static const struct CMUnitTest http_head[] = {
        cmocka_unit_test(test_http_head_usual_fields_are_read),
        cmocka_unit_test(test_http_head_empty_knows_nothing),
        cmocka_unit_test(test_http_head_case_and_blanks_do_not_matter),
        cmocka_unit_test(test_http_head_odd_lines_are_no_fields),
        cmocka_unit_test(test_http_head_status_lines_are_judged),
        cmocka_unit_test(test_http_head_content_length_must_not_contradict),
        cmocka_unit_test(test_http_head_bad_content_length_is_refused),
        cmocka_unit_test(test_http_head_bad_content_range_is_none),
        cmocka_unit_test(test_http_head_good_content_range_is_half_open),
        cmocka_unit_test(test_http_head_long_validators_are_dropped),
        cmocka_unit_test(test_http_head_validators_with_control_characters_are_dropped),
        cmocka_unit_test(test_http_head_if_range_takes_strong_tag_or_date),
        cmocka_unit_test(test_http_head_retry_after_takes_seconds_and_dates),
        cmocka_unit_test(test_http_head_status_line_begins_anew),
        cmocka_unit_test(test_http_head_limit_is_256_kib),
        cmocka_unit_test(test_http_head_limit_of_all_heads),
        cmocka_unit_test(test_http_head_trailers_are_not_read),
        cmocka_unit_test(test_http_head_two_fields_are_not_the_last),
        cmocka_unit_test(test_http_head_out_of_memory_is_reported),
        cmocka_unit_test(test_http_head_dates_become_filetimes),
        cmocka_unit_test(test_http_head_other_dates_are_zero),
        cmocka_unit_test(test_http_head_judge_200_is_whole_object),
        cmocka_unit_test(test_http_head_judge_206_must_be_exact),
        cmocka_unit_test(test_http_head_judge_page_of_somebody_else_is_no_change),
        cmocka_unit_test(test_http_head_judge_changed_object_begins_anew),
        cmocka_unit_test(test_http_head_judge_other_status_is_refused),
        cmocka_unit_test(test_http_head_judge_coded_body_is_refused),
        cmocka_unit_test(test_http_head_judge_cut_head_is_a_lost_connection),
    };

    return TEST_RUN(http_head);
}
