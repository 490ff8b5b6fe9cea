/* SPDX-License-Identifier: MIT */
/*
 * URLs that clients give: what is accepted, and in which form libcurl gets it.
 */
#include "transfer/url.h"

#include <stdio.h>
#include <string.h>

#include "support/test.h"

/* Parses url and compares what libcurl would ask for. */
static void assert_url(const char *url, const char *expected)
{
    CURLU *parsed = NULL;
    char *text = NULL;

    assert_ok(do_url_check(url));
    assert_ok(do_url_parse(url, &parsed));
    assert_non_null(parsed);
    assert_int_equal(curl_url_get(parsed, CURLUPART_URL, &text, 0), CURLUE_OK);
    assert_string_equal(text, expected);
    curl_free(text);
    curl_url_cleanup(parsed);
}

static void assert_refused(const char *const *urls, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        CURLU *parsed = (CURLU *)(uintptr_t)1;
        HRESULT hr = do_url_parse(urls[i], &parsed);

        if (hr != DO_HR_INET_INVALID_URL)
            print_error("accepted: '%s'\n", urls[i]);
        assert_hr(DO_HR_INET_INVALID_URL, hr);
        assert_null(parsed);
        assert_hr(DO_HR_INET_INVALID_URL, do_url_check(urls[i]));
    }
}

/* Broken: a scheme that we do not speak gets to libcurl, or one that we do is refused. */
static void test_url_other_scheme_is_refused(void **state)
{
    static const char *const urls[] = {"", "h/x", "//h/x", "/x", "http", "http:", "http:h/x",
        "http:/h/x", "ftp://h/x", "file:///etc/passwd", "httpx://h/x", "https:h/x", " http://h/x",
        "\xEF\xBB\xBFhttp://h/x", "javascript:http://h/x"};

    (void)state;
    assert_refused(urls, DO_COUNT_OF(urls));
    assert_url("http://h/x", "http://h/x");
    assert_url("HTTP://h/x", "http://h/x");
    assert_url("hTTpS://h/x", "https://h/x");
}

/* Broken: a line break in a URL splits the request into two. */
static void test_url_control_character_is_refused(void **state)
{
    (void)state;
    for (int c = 1; c < 0x20; c++)
    {
        char url[32];
        const char *const urls[] = {url};

        (void)snprintf(url, sizeof(url), "http://h/a%cb", c);
        assert_refused(urls, 1);
        (void)snprintf(url, sizeof(url), "http://h/a?b%c", c);
        assert_refused(urls, 1);
        (void)snprintf(url, sizeof(url), "http://h%c/", c);
        assert_refused(urls, 1);
    }
    {
        /* libcurl decodes the host, and lets this one pass. */
        static const char *const urls[] = {
            "http://h/a\x7F", "http://h/?\x7F", "http://h%7F/", "http://h%0A/"};

        assert_refused(urls, DO_COUNT_OF(urls));
    }
    /* Encoded ones are data like any other. */
    assert_url("http://h/%0D%0Ax", "http://h/%0D%0Ax");
}

/* Broken: a blank goes out raw and ends the request line early. */
static void test_url_blank_is_encoded(void **state)
{
    static const char *const urls[] = {"http:// h/", "http://h /", "http://h i/x"};

    (void)state;
    assert_url("http://h/a b c", "http://h/a%20b%20c");
    assert_url("http://h/ ", "http://h/%20");
    assert_url("http://h/a?b c", "http://h/a?b+c");
    assert_refused(urls, DO_COUNT_OF(urls));
}

/* Broken: bytes beyond ASCII go out raw, or what is encoded already is encoded twice. */
static void test_url_non_ascii_is_encoded(void **state)
{
    (void)state;
    assert_url("http://h/\xC3\xA9?\xC3\xA9", "http://h/%c3%a9?%c3%a9");
    assert_url("http://h/\xF0\x9F\x98\x80", "http://h/%f0%9f%98%80");
    assert_url("http://h/%C3%A9%20?%2B+", "http://h/%C3%A9%20?%2B+");
}

/* Broken: one host has two forms, and its secrets do not follow it from one to the other. */
static void test_url_host_has_one_form(void **state)
{
    (void)state;
    assert_url("http://%35/", "http://0.0.0.5/");
    assert_url("http://%31%32%37.1/x", "http://127.0.0.1/x");
    assert_url("http://u%40v:p@h%2Eexample/", "http://u%40v:p@h.example/");
}

/* Broken: the path is taken for the host, and the request goes to a machine nobody named. */
static void test_url_missing_host_is_refused(void **state)
{
    static const char *const urls[] = {"http://", "http:///", "http:///a", "http://?x",
        "https://#f", "https://", "http:///h/x", "https:////h/x", "http://?q", "http://#f",
        "http://:80/x", "http://@/x", "http://u:p@/x", "http://[]/x"};

    (void)state;
    assert_refused(urls, DO_COUNT_OF(urls));
    assert_url("http://h", "http://h/");
    assert_url("http://h?q", "http://h/?q");
}

/* Broken: a user's name becomes the host, or an @ in the path does. */
static void test_url_userinfo_is_not_host(void **state)
{
    CURLU *parsed = NULL;
    char *text = NULL;

    (void)state;
    assert_ok(do_url_parse("http://user:secret@h:81/a@b", &parsed));
    assert_int_equal(curl_url_get(parsed, CURLUPART_HOST, &text, 0), CURLUE_OK);
    assert_string_equal(text, "h");
    curl_free(text);
    assert_int_equal(curl_url_get(parsed, CURLUPART_USER, &text, 0), CURLUE_OK);
    assert_string_equal(text, "user");
    curl_free(text);
    assert_int_equal(curl_url_get(parsed, CURLUPART_PASSWORD, &text, 0), CURLUE_OK);
    assert_string_equal(text, "secret");
    curl_free(text);
    assert_int_equal(curl_url_get(parsed, CURLUPART_PATH, &text, 0), CURLUE_OK);
    assert_string_equal(text, "/a@b");
    curl_free(text);
    curl_url_cleanup(parsed);
}

/* Broken: what follows # counts as path or query and is asked of the server. */
static void test_url_fragment_is_no_path(void **state)
{
    CURLU *parsed = NULL;
    char *text = NULL;

    (void)state;
    assert_ok(do_url_parse("http://h/a?b#c", &parsed));
    assert_int_equal(curl_url_get(parsed, CURLUPART_PATH, &text, 0), CURLUE_OK);
    assert_string_equal(text, "/a");
    curl_free(text);
    assert_int_equal(curl_url_get(parsed, CURLUPART_QUERY, &text, 0), CURLUE_OK);
    assert_string_equal(text, "b");
    curl_free(text);
    curl_url_cleanup(parsed);
    assert_ok(do_url_check("http://h#c"));
}

/* Broken: addresses in brackets are not understood, or broken ones pass. */
static void test_url_ipv6_address_is_host(void **state)
{
    static const char *const urls[] = {
        "http://[::1/x", "http://::1/x", "http://[::g]/x", "http://[::1]x/"};

    (void)state;
    assert_url("http://[::1]/x", "http://[::1]/x");
    assert_url("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x");
    assert_refused(urls, DO_COUNT_OF(urls));
}

/* Broken: a port that does not exist is cut to 16 bits and another one is asked. */
static void test_url_bad_port_is_refused(void **state)
{
    static const char *const urls[] = {"http://h:65536/", "http://h:99999/", "http://h:x/",
        "http://h:-1/", "http://h:4294967376/"};

    (void)state;
    assert_refused(urls, DO_COUNT_OF(urls));
    assert_url("http://h:65535/", "http://h:65535/");
}

/* Broken: the parser has a limit of its own below the one that callers check. */
static void test_url_long_url_is_callers_business(void **state)
{
    char url[2 * DO_URL_LIMIT];

    (void)state;
    assert_int_equal(DO_URL_LIMIT, 2200);
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://h/", strlen("http://h/"));
    url[sizeof(url) - 1] = 0;
    assert_url(url, url);
    url[DO_URL_LIMIT] = 0;
    assert_url(url, url);
}

/* Broken: a download from this machine stops when the network goes, or another one does not. */
static void test_url_of_this_machine_is_local(void **state)
{
    (void)state;
    assert_true(do_url_is_local("http://localhost/x"));
    assert_true(do_url_is_local("https://LocalHost:8080"));
    assert_true(do_url_is_local("http://a.localhost/"));
    assert_true(do_url_is_local("http://127.0.0.1:5/"));
    assert_true(do_url_is_local("http://127.200.3.4/"));
    assert_true(do_url_is_local("http://[::1]/"));
    assert_false(do_url_is_local("http://example.com/localhost"));
    assert_false(do_url_is_local("http://notlocalhost/"));
    assert_false(do_url_is_local("http://localhost.example.com/"));
    assert_false(do_url_is_local("http://127.0.0.1.example.com/"));
    assert_false(do_url_is_local("http://128.0.0.1/"));
    assert_false(do_url_is_local("http://[::2]/"));
    assert_false(do_url_is_local("http://localhost@example.com/"));
    assert_false(do_url_is_local("ftp://localhost/"));
}

int main(void)
{
    static const struct CMUnitTest url[] = {
        cmocka_unit_test(test_url_of_this_machine_is_local),
        cmocka_unit_test(test_url_other_scheme_is_refused),
        cmocka_unit_test(test_url_control_character_is_refused),
        cmocka_unit_test(test_url_blank_is_encoded),
        cmocka_unit_test(test_url_non_ascii_is_encoded),
        cmocka_unit_test(test_url_host_has_one_form),
        cmocka_unit_test(test_url_missing_host_is_refused),
        cmocka_unit_test(test_url_userinfo_is_not_host),
        cmocka_unit_test(test_url_fragment_is_no_path),
        cmocka_unit_test(test_url_ipv6_address_is_host),
        cmocka_unit_test(test_url_bad_port_is_refused),
        cmocka_unit_test(test_url_long_url_is_callers_business),
    };

    return TEST_RUN(url);
}
