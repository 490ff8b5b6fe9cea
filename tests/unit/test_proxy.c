/* SPDX-License-Identifier: MIT */
/*
 * Lists of proxies and of servers that need none: pure.
 */
#include <string.h>

#include "support/test.h"

#include "base/alloc.h"
#include "transfer/proxy.h"

static void expect_proxy(const char *list, const char *scheme, const char *expected)
{
    char *proxy = NULL;

    assert_ok(do_proxy_from_list(list, scheme, &proxy));
    if (!expected)
        assert_null(proxy);
    else
    {
        assert_non_null(proxy);
        assert_string_equal(proxy, expected);
    }
    do_free(proxy);
}

/* Broken: a list in the syntax of WinHTTP names another proxy than it does there. */
static void test_proxy_list_names_the_first_that_fits(void **state)
{
    (void)state;
    expect_proxy("a:8080", "http", "http://a:8080");
    expect_proxy("a:8080", "https", "http://a:8080");
    expect_proxy("a", "http", "http://a:80");
    expect_proxy("http://a:8080/", "http", "http://a:8080");
    expect_proxy("http=a:1;https=b:2", "http", "http://a:1");
    expect_proxy("http=a:1;https=b:2", "https", "http://b:2");
    expect_proxy("HTTP=http://a:1 https=b:2", "http", "http://a:1");
    expect_proxy("https=b:2 c:3", "http", "http://c:3");
    expect_proxy(" ; a:1\t b:2;", "http", "http://a:1");
    expect_proxy("[::1]:8080", "http", "http://[::1]:8080");
    expect_proxy("[::1]", "http", "http://[::1]:80");
    expect_proxy("::1", "http", "http://[::1]:80");
}

/* Broken: what is no HTTP proxy is taken for one. */
static void test_proxy_list_passes_over_what_does_not_fit(void **state)
{
    (void)state;
    expect_proxy(NULL, "http", NULL);
    expect_proxy("", "http", NULL);
    expect_proxy(";; ", "http", NULL);
    expect_proxy("https=b:2", "http", NULL);
    expect_proxy("socks=a:1080", "http", NULL);
    expect_proxy("socks5://a:1080 b:2", "http", "http://b:2");
    expect_proxy("a:0 a:65536 a:99999999999 a:x a: [::1 [::1]x :80 b:2", "http", "http://b:2");
    expect_proxy("user:pw@a:1 a/b:1 a?b b:2", "http", "http://b:2");
}

static bool bypassed(const char *list, const char *host)
{
    return do_proxy_is_bypassed(list, "http", host, 80);
}

/* Broken: a server that needs no proxy is reached through one, or the reverse. */
static void test_proxy_bypass_matches_names(void **state)
{
    (void)state;
    assert_true(bypassed("a.example", "A.Example"));
    assert_false(bypassed("a.example", "b.a.example"));
    assert_false(bypassed("a.example", "a.example.org"));
    assert_true(bypassed("*.example", "b.a.example"));
    assert_false(bypassed("*.example", "example"));
    assert_true(bypassed("x;*.example y", "a.example"));
    assert_true(bypassed("10.*", "10.1.2.3"));
    assert_false(bypassed("10.*", "110.1.2.3"));
    assert_true(bypassed("*", "anything"));
    assert_true(bypassed("a*b*c", "a-bb-b-c"));
    assert_false(bypassed("a*b*c", "a-bb-b-cd"));
    assert_true(bypassed("**", "x"));
    assert_false(bypassed(NULL, "x"));
    assert_false(bypassed("", "x"));
    assert_false(bypassed(" ; ", "x"));
    assert_true(bypassed("::1", "::1"));
    assert_true(bypassed("[::1]", "::1"));
}

/* Broken: "<local>" means more or less than names without a dot. */
static void test_proxy_bypass_local_is_a_name_without_a_dot(void **state)
{
    (void)state;
    assert_true(bypassed("<local>", "server"));
    assert_true(bypassed("x <LOCAL>", "server"));
    assert_false(bypassed("<local>", "server.example"));
    assert_false(bypassed("<local>", "127.0.0.1"));
    assert_false(bypassed("<local>", "::1"));
    assert_false(bypassed("local", "server"));
}

/* Broken: an entry with a scheme or a port counts for others too. */
static void test_proxy_bypass_matches_scheme_and_port(void **state)
{
    (void)state;
    assert_true(do_proxy_is_bypassed("a:8080", "http", "a", 8080));
    assert_false(do_proxy_is_bypassed("a:8080", "http", "a", 80));
    assert_true(do_proxy_is_bypassed("http://a", "http", "a", 80));
    assert_false(do_proxy_is_bypassed("http://a", "https", "a", 443));
    assert_true(do_proxy_is_bypassed("https://*:443", "https", "a", 443));
    assert_true(do_proxy_is_bypassed("[::1]:80", "http", "::1", 80));
    assert_false(do_proxy_is_bypassed("[::1]:81", "http", "::1", 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proxy_list_names_the_first_that_fits),
        cmocka_unit_test(test_proxy_list_passes_over_what_does_not_fit),
        cmocka_unit_test(test_proxy_bypass_matches_names),
        cmocka_unit_test(test_proxy_bypass_local_is_a_name_without_a_dot),
        cmocka_unit_test(test_proxy_bypass_matches_scheme_and_port),
    };

    return TEST_RUN(tests);
}
