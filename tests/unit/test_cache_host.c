/* SPDX-License-Identifier: MIT */
/*
 * Connected Cache: lists, URLs and whom to ask when, in simulated time.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "support/test.h"
#include "transfer/cache_host.h"

#define ORIGIN "files.example"
#define BAN_MS UINT64_C(900000)
#define HTTP(status) ((HRESULT)(0x80190000U + (unsigned int)(status)))

static struct do_cache_hosts hosts;
static struct do_cache_choice choice;
static int line_count;

static void count_line(enum do_log_level level, enum do_log_area area, const char *line)
{
    (void)level;
    (void)area;
    (void)line;
    line_count++;
}

static int set_up(void **state)
{
    (void)state;
    do_cache_hosts_init(&hosts);
    do_cache_choice_init(&choice, 0);
    line_count = 0;
    do_log_set(count_line, DO_LOG_WARN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    do_log_set(NULL, DO_LOG_ERROR);
    do_cache_hosts_finish(&hosts);
    return 0;
}

static void expect_hosts(const char *list, const char *expected)
{
    char found[512] = "";

    assert_ok(do_cache_hosts_set(&hosts, list));
    for (size_t i = 0; i < hosts.count; i++)
    {
        size_t length = strlen(found);

        (void)snprintf(found + length, sizeof(found) - length, "%s|%s ", hosts.items[i].host,
            hosts.items[i].port ? hosts.items[i].port : "-");
    }
    assert_string_equal(found, expected);
}

/* Broken: a list of cache hosts is taken apart wrongly, or out of order. */
static void test_cache_host_list_keeps_its_order(void **state)
{
    (void)state;
    expect_hosts(NULL, "");
    expect_hosts("", "");
    expect_hosts(" , ,,", "");
    expect_hosts("cache1", "cache1|- ");
    expect_hosts("b.example,a.example:8080", "b.example|- a.example|8080 ");
    expect_hosts(" 10.0.0.2 ,\t[::1]:81, ::1,", "10.0.0.2|- [::1]|81 [::1]|- ");
    expect_hosts("a,A,b,a", "a|- b|- ");
    expect_hosts("a:80,a", "a|80 a|- ");
    assert_int_equal(line_count, 0);
}

/* Broken: what is no host is asked, or spoils the hosts beside it. */
static void test_cache_host_list_passes_over_what_is_no_host(void **state)
{
    static const char *const bad[] = {"http://a", "a/b", "a?b", "u@a", "a b", "a:0", "a:65536",
        "a:x", "[::1", "[::1]x", ":80", "a%20b", "a\\b", "a#b"};
    char list[64];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        (void)snprintf(list, sizeof(list), "first,%s,last", bad[i]);
        expect_hosts(list, "first|- last|- ");
        assert_int_equal(line_count, (int)i + 1);
    }
}

static void expect_url(const char *host, const char *url, const char *expected)
{
    char *rewritten = NULL;

    assert_ok(do_cache_hosts_set(&hosts, host));
    assert_int_equal(hosts.count, 1);
    assert_hr(expected ? S_OK : S_FALSE, do_cache_rewrite(&hosts.items[0], url, &rewritten));
    if (!expected)
        assert_null(rewritten);
    else
    {
        assert_non_null(rewritten);
        assert_string_equal(rewritten, expected);
        assert_true(do_cache_url_is_rewritten(rewritten));
    }
    do_free(rewritten);
}

/* Broken: a cache host is asked for another file, under another name, or another server's. */
static void test_cache_host_url_names_the_host_and_the_origin(void **state)
{
    (void)state;
    /* Source: Microsoft, "Verify cache node functionality". */
    expect_url("cache", "http://au.download.windowsupdate.com/mscomtest/wuidt.gif",
        "http://cache/mscomtest/wuidt.gif?cacheHostOrigin=au.download.windowsupdate.com");
    expect_url("cache", "http://a.example/p?x=1&y=%2F%41",
        "http://cache/p?x=1&y=%2F%41&cacheHostOrigin=a.example");
    expect_url("cache", "http://a.example", "http://cache/?cacheHostOrigin=a.example");
    expect_url(
        "cache", "HTTP://A.example/p%20q;r#part", "http://cache/p%20q;r?cacheHostOrigin=A.example");
    expect_url("10.0.0.2", "http://[::1]/p", "http://10.0.0.2/p?cacheHostOrigin=[::1]");
    expect_url("[::2]", "http://a/p", "http://[::2]/p?cacheHostOrigin=a");
}

/* Broken: an explicit port of the URL or of the cache host is lost. */
static void test_cache_host_url_port_is_the_hosts_else_the_urls(void **state)
{
    (void)state;
    expect_url("cache", "http://a:8080/p", "http://cache:8080/p?cacheHostOrigin=a");
    expect_url("cache:81", "http://a/p", "http://cache:81/p?cacheHostOrigin=a");
    expect_url("cache:81", "http://a:8080/p", "http://cache:81/p?cacheHostOrigin=a");
    expect_url("::2", "http://[::1]:8080/p", "http://[::2]:8080/p?cacheHostOrigin=[::1]");
}

/* Broken: a password for one server is told to another. */
static void test_cache_host_url_has_no_user(void **state)
{
    (void)state;
    expect_url("cache", "http://user:secret@a/p", "http://cache/p?cacheHostOrigin=a");
}

/* Broken: what was asked for over TLS goes over the wire in clear, or a URL is rewritten twice. */
static void test_cache_host_url_that_is_left_alone(void **state)
{
    char *origin = NULL;

    (void)state;
    expect_url("cache", "https://a/p", NULL);
    expect_url("cache", "http://cache/p?cacheHostOrigin=a", NULL);
    expect_url("cache", "http://cache/p?x=1&CacheHostOrigin=a&y=2", NULL);
    expect_url("cache", "http://a/p?xcacheHostOrigin=b",
        "http://cache/p?xcacheHostOrigin=b&cacheHostOrigin=a");
    assert_false(do_cache_url_is_rewritten("http://a/cacheHostOrigin=b"));
    assert_false(do_cache_url_is_rewritten("no URL"));
    assert_true(do_cache_url_is_rewritten("https://a/?cacheHostOrigin=b"));
    assert_hr(S_FALSE, do_cache_origin_of("https://a/p", &origin));
    assert_null(origin);
    assert_hr(S_FALSE, do_cache_origin_of("http://c/p?cacheHostOrigin=a", &origin));
    assert_null(origin);
    assert_hr(DO_HR_INET_INVALID_URL, do_cache_origin_of("http://", &origin));
    assert_null(origin);
    assert_ok(do_cache_origin_of("http://u:p@files.example:81/p", &origin));
    assert_string_equal(origin, "files.example");
    do_free(origin);
}

/* Broken: without memory a list is half taken, or something leaks. */
static void test_cache_host_without_memory_changes_nothing(void **state)
{
    HRESULT hr = E_OUTOFMEMORY;
    char *rewritten = NULL;

    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "old"));
    for (uint64_t nth = 1; hr == E_OUTOFMEMORY; nth++)
    {
        int64_t held = do_alloc_outstanding();

        assert_string_equal(hosts.items[0].name, "old");
        do_alloc_fail_nth(nth);
        hr = do_cache_hosts_set(&hosts, "new:80,b");
        do_alloc_fail_nth(0);
        assert_true(FAILED(hr) ? do_alloc_outstanding() == held : nth > 1);
    }
    assert_ok(hr);
    assert_int_equal(hosts.count, 2);
    hr = E_OUTOFMEMORY;
    for (uint64_t nth = 1; hr == E_OUTOFMEMORY; nth++)
    {
        int64_t held = do_alloc_outstanding();

        do_alloc_fail_nth(nth);
        hr = do_cache_rewrite(&hosts.items[0], "http://a/p?q", &rewritten);
        do_alloc_fail_nth(0);
        assert_true(FAILED(hr) ? !rewritten && do_alloc_outstanding() == held : nth > 1);
    }
    assert_ok(hr);
    do_free(rewritten);
    /* A ban that cannot be noted is none. */
    for (uint64_t nth = 1; nth <= 2; nth++)
    {
        int64_t held = do_alloc_outstanding();

        do_cache_choice_init(&choice, 0);
        assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0), 0);
        do_alloc_fail_nth(nth);
        assert_int_equal(
            do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, HTTP(404), 0), DO_CACHE_RETRY_NOW);
        do_alloc_fail_nth(0);
        assert_true(do_alloc_outstanding() == held);
        assert_int_equal(hosts.ban_count, 0);
    }
}

/* What a step of a transfer's life expects: whom it asks at a time, and what follows when that
 * fails with hr. S_OK: it does not fail; S_FALSE: it gives bytes and then fails with a reset. */
struct step
{
    uint64_t at_s;
    size_t source;
    HRESULT hr;
    enum do_cache_verdict verdict;
};

#define O DO_CACHE_ORIGINAL
#define USUAL DO_CACHE_AS_USUAL
#define NOW DO_CACHE_RETRY_NOW
#define LATER DO_CACHE_RETRY_LATER
#define RESET DO_HR_NET_CONNECTION_ABORTED

static void run_steps(const char *list, uint32_t delay_s, const struct step *steps, size_t count)
{
    do_cache_hosts_finish(&hosts);
    assert_ok(do_cache_hosts_set(&hosts, list));
    do_cache_choice_init(&choice, 0);
    for (size_t i = 0; i < count; i++)
    {
        uint64_t now_ms = steps[i].at_s * 1000;
        size_t source = do_cache_choose(&hosts, &choice, ORIGIN, delay_s, now_ms);
        HRESULT hr = steps[i].hr;

        if (source != steps[i].source)
            print_error(
                "%s, delay %u, step %d: %d\n", list, (unsigned int)delay_s, (int)i, (int)source);
        assert_true(source == steps[i].source);
        if (hr == S_OK || hr == S_FALSE)
            do_cache_progress(&choice);
        if (hr == S_OK)
            continue;
        assert_int_equal(do_cache_failure(&hosts, &choice, source, ORIGIN, delay_s,
                             hr == S_FALSE ? RESET : hr, now_ms),
            steps[i].verdict);
    }
}

#define RUN(list, delay_s, ...)                                                                    \
    do                                                                                             \
    {                                                                                              \
        static const struct step steps[] = {__VA_ARGS__};                                          \
                                                                                                   \
        run_steps(list, delay_s, steps, DO_COUNT_OF(steps));                                       \
    } while (0)

/* Broken: without cache hosts, or for a URL that none is asked for, something else is asked. */
static void test_cache_host_none_means_the_original_server(void **state)
{
    (void)state;
    RUN("", 0, {0, O, HTTP(503), USUAL}, {1, O, HTTP(404), USUAL}, {2, O, S_OK, USUAL});
    RUN("", 60, {0, O, RESET, USUAL}, {100, O, S_OK, USUAL});
    RUN("", DO_CACHE_NEVER, {0, O, HTTP(404), USUAL});
    assert_ok(do_cache_hosts_set(&hosts, "a,b"));
    assert_true(do_cache_choose(&hosts, &choice, NULL, 60, 0) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, O, NULL, 60, HTTP(404), 0), USUAL);
}

/* Broken: a cache host that works is left, or is not the first of the list. */
static void test_cache_host_that_works_is_kept(void **state)
{
    (void)state;
    RUN("a,b", 0, {0, 0, S_OK, USUAL}, {10, 0, S_OK, USUAL}, {100000, 0, S_OK, USUAL});
    RUN("a,b", 60, {0, 0, S_OK, USUAL}, {59, 0, S_OK, USUAL}, {100000, 0, S_OK, USUAL});
    RUN("a,b", DO_CACHE_NEVER, {0, 0, S_OK, USUAL}, {100000, 0, S_OK, USUAL});
}

/* Broken: without a delay a second cache host is tried, or the original server waits. */
static void test_cache_host_first_failure_leads_to_the_original_server(void **state)
{
    (void)state;
    RUN("a,b", 0, {0, 0, HTTP(503), NOW}, {0, O, S_OK, USUAL}, {9, O, S_OK, USUAL});
    RUN("a,b", 0, {0, 0, HTTP(404), NOW}, {0, O, S_OK, USUAL});
    RUN("a", 0, {0, 0, DO_HR_NET_TIMEOUT, NOW}, {0, O, S_OK, USUAL});
    RUN("a", 0, {0, 0, S_FALSE, NOW}, {0, O, S_OK, USUAL});
    RUN("a", 0, {0, 0, DO_E_INSUFFICIENT_RANGE_SUPPORT, NOW}, {0, O, HTTP(404), USUAL});
    RUN("a", 0, {0, 0, DO_E_BAD_PIECE_HASH, NOW}, {0, O, S_OK, USUAL});
}

/* Broken: the two sources do not take turns, or switch without two failures in a row. */
static void test_cache_host_and_original_take_turns_of_two_attempts(void **state)
{
    (void)state;
    RUN("a", 0, {0, 0, RESET, NOW}, {0, O, RESET, USUAL}, {2, O, RESET, USUAL},
        {6, 0, RESET, LATER}, {14, 0, RESET, NOW}, {14, O, RESET, USUAL}, {30, O, RESET, USUAL},
        {60, 0, RESET, LATER});
    /* Bytes in between begin the count anew. */
    RUN("a", 0, {0, 0, RESET, NOW}, {0, O, RESET, USUAL}, {2, O, S_FALSE, USUAL},
        {6, O, RESET, USUAL}, {14, 0, RESET, LATER}, {30, 0, S_FALSE, LATER}, {60, 0, RESET, NOW},
        {60, O, S_OK, USUAL});
    /* A host that is banned is not returned to before the ban is over. */
    RUN("a", 0, {0, 0, DO_HR_NET_CANNOT_CONNECT, NOW}, {0, O, RESET, USUAL}, {2, O, RESET, USUAL},
        {899, O, RESET, USUAL}, {900, O, RESET, USUAL}, {901, 0, DO_HR_NET_CANNOT_CONNECT, NOW},
        {901, O, S_OK, USUAL});
    /* Another one is. */
    RUN("a,b", 0, {0, 0, DO_HR_NET_CANNOT_CONNECT, NOW}, {0, O, RESET, USUAL}, {2, O, RESET, USUAL},
        {6, 1, RESET, LATER}, {14, 1, S_OK, USUAL});
}

/* Broken: with a delay the original server is asked too early, never, or not for good. */
static void test_cache_host_delay_keeps_to_the_hosts_in_turn(void **state)
{
    (void)state;
    RUN("a,b,c", 60, {0, 0, RESET, LATER}, {2, 1, HTTP(503), LATER}, {6, 2, HTTP(404), LATER},
        {14, 0, RESET, LATER}, {30, 1, S_OK, USUAL}, {31, 1, S_OK, USUAL}, {32, 1, RESET, LATER},
        {59, 0, RESET, LATER}, {60, O, S_OK, USUAL}, {61, O, RESET, USUAL}, {62, O, RESET, USUAL},
        {63, O, RESET, USUAL}, {5000, O, HTTP(404), USUAL});
    /* A failure after the delay leads away at once. */
    RUN("a,b", 60, {0, 0, S_OK, USUAL}, {70, 0, RESET, NOW}, {70, O, S_OK, USUAL});
    RUN("a", 60, {0, 0, RESET, LATER}, {59, 0, S_OK, USUAL}, {61, 0, S_OK, USUAL},
        {62, 0, RESET, NOW}, {62, O, RESET, USUAL}, {64, O, RESET, USUAL}, {68, O, S_OK, USUAL});
    /* Bans name the host to prefer; when all are banned the delay still holds. */
    RUN("a,b", 60, {0, 0, DO_HR_NET_TIMEOUT, LATER}, {2, 1, RESET, LATER}, {6, 1, RESET, LATER},
        {14, 1, HTTP(404), LATER}, {30, 0, HTTP(404), LATER}, {50, 1, HTTP(404), LATER},
        {60, O, S_OK, USUAL});
}

/* Broken: the original server is asked although that is forbidden, or a 404 is tried for ever. */
static void test_cache_host_delay_never_ends(void **state)
{
    (void)state;
    RUN("a,b", DO_CACHE_NEVER, {0, 0, RESET, USUAL}, {2, 1, DO_HR_NET_TIMEOUT, USUAL},
        {6, 0, RESET, USUAL}, {8, 0, HTTP(404), USUAL}, {1000000, 1, S_OK, USUAL});
    RUN("a", DO_CACHE_NEVER, {0, 0, HTTP(404), USUAL}, {4300000000, 0, HTTP(404), USUAL});
}

/* Broken: a fault of ours makes a transfer leave a good server. */
static void test_cache_host_our_own_faults_change_nothing(void **state)
{
    static const HRESULT ours[] = {E_OUTOFMEMORY, DO_HR_DISK_FULL, DO_HR_CANCELLED, E_ABORT,
        E_ACCESSDENIED, DO_E_BLOCKED_BY_COST_TRANSFER_POLICY, HTTP(407), E_FAIL};

    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a,b"));
    for (size_t i = 0; i < DO_COUNT_OF(ours); i++)
    {
        for (uint32_t delay_s = 0; delay_s <= 60; delay_s += 60)
        {
            do_cache_choice_init(&choice, 0);
            assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, delay_s, 0), 0);
            assert_int_equal(
                do_cache_failure(&hosts, &choice, 0, ORIGIN, delay_s, ours[i], 0), USUAL);
            assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, delay_s, 0), 0);
        }
    }
    assert_int_equal(hosts.ban_count, 0);
}

/* Whom a fresh transfer of a file of origin asks. */
static size_t fresh_choice(const char *origin, uint64_t now_ms)
{
    struct do_cache_choice fresh;

    do_cache_choice_init(&fresh, now_ms);
    return do_cache_choose(&hosts, &fresh, origin, 0, now_ms);
}

static void fail_fresh(size_t source, const char *origin, HRESULT hr, uint64_t now_ms)
{
    struct do_cache_choice fresh;

    do_cache_choice_init(&fresh, now_ms);
    assert_true(do_cache_choose(&hosts, &fresh, origin, 0, now_ms) == source);
    assert_int_equal(do_cache_failure(&hosts, &fresh, source, origin, 0, hr, now_ms), NOW);
}

/* Broken: a host that lacks one server's files is shunned for all, or not at all. */
static void test_cache_host_4xx_bans_for_that_server_alone(void **state)
{
    static const int statuses[] = {400, 403, 404, 416, 499};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(statuses); i++)
    {
        do_cache_hosts_finish(&hosts);
        assert_ok(do_cache_hosts_set(&hosts, "a,b"));
        fail_fresh(0, "one", HTTP(statuses[i]), 5000);
        assert_int_equal(fresh_choice("one", 5000), 1);
        assert_int_equal(fresh_choice("ONE", 5000 + BAN_MS - 1), 1);
        assert_int_equal(fresh_choice("two", 5000), 0);
        assert_int_equal(fresh_choice("one", 5000 + BAN_MS), 0);
    }
}

/* Broken: a host that is not there keeps every new transfer waiting, or is never tried again. */
static void test_cache_host_unreachable_bans_for_all(void **state)
{
    static const HRESULT unreachable[] = {
        DO_HR_NET_TIMEOUT, DO_HR_NET_NAME_NOT_RESOLVED, DO_HR_NET_CANNOT_CONNECT};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(unreachable); i++)
    {
        do_cache_hosts_finish(&hosts);
        assert_ok(do_cache_hosts_set(&hosts, "a,b"));
        fail_fresh(0, "one", unreachable[i], 5000);
        assert_int_equal(fresh_choice("two", 5000), 1);
        fail_fresh(1, "two", unreachable[i], 6000);
        assert_true(fresh_choice("one", 6000) == O);
        assert_int_equal(fresh_choice("one", 5000 + BAN_MS), 0);
        assert_int_equal(fresh_choice("two", 6000 + BAN_MS), 0);
    }
}

/* Broken: a server error or a lost connection bans a host that is well otherwise. */
static void test_cache_host_other_failures_ban_nothing(void **state)
{
    static const HRESULT others[] = {HTTP(500), HTTP(503), HTTP(302), DO_HR_HTTP_UNEXPECTED, RESET,
        DO_E_HTTP_BLOCKSIZE_MISMATCH, DO_E_INSUFFICIENT_RANGE_SUPPORT,
        DO_HR_NET_INVALID_SERVER_RESPONSE, DO_E_UNEXPECTED_HTTP_STATUS_2XX};

    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a"));
    for (size_t i = 0; i < DO_COUNT_OF(others); i++)
        fail_fresh(0, "one", others[i], 0);
    assert_int_equal(hosts.ban_count, 0);
}

/* Broken: a host escapes its ban by a new list, or a ban hits the host that took its place. */
static void test_cache_host_bans_outlive_a_new_list(void **state)
{
    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a,b"));
    fail_fresh(0, "one", DO_HR_NET_TIMEOUT, 0);
    assert_ok(do_cache_hosts_set(&hosts, "c,A"));
    assert_int_equal(fresh_choice("one", 1), 0);
    assert_ok(do_cache_hosts_set(&hosts, "A"));
    assert_true(fresh_choice("one", 1) == O);
    assert_ok(do_cache_hosts_set(&hosts, "a:80"));
    assert_int_equal(fresh_choice("one", 1), 0);
}

/* Broken: bans without end fill the memory, or a full list forgets the newest. */
static void test_cache_host_bans_are_bounded(void **state)
{
    char origin[32];

    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a"));
    for (int i = 0; i < (int)DO_CACHE_BAN_LIMIT + 10; i++)
    {
        (void)snprintf(origin, sizeof(origin), "server%d", i);
        fail_fresh(0, origin, HTTP(404), (uint64_t)i);
    }
    assert_int_equal(hosts.ban_count, DO_CACHE_BAN_LIMIT);
    assert_int_equal(fresh_choice("server9", 100), 0);
    assert_true(fresh_choice("server10", 100) == O);
    assert_true(fresh_choice(origin, 100) == O);
    /* What is over goes first. */
    fail_fresh(0, "late", HTTP(404), 2 * BAN_MS);
    assert_int_equal(hosts.ban_count, 1);
}

/* Broken: two connections that fail together count twice, or stop a transfer that has moved on. */
static void test_cache_host_attempts_side_by_side_move_on_once(void **state)
{
    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a"));
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, RESET, 0), NOW);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, RESET, 0), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    /* Late, and final by itself. */
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, HTTP(416), 0), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    do_cache_hosts_finish(&hosts);
    assert_ok(do_cache_hosts_set(&hosts, "a"));
    /* Late failures at the host are not the original server's. */
    do_cache_choice_init(&choice, 0);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, RESET, 0), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, RESET, 0), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, O, ORIGIN, 0, RESET, 0), USUAL);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    /* The original server: one failure of two connections is one of its two attempts. */
    do_cache_choice_init(&choice, 0);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 0, RESET, 0), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, O, ORIGIN, 0, RESET, 0), USUAL);
    assert_int_equal(do_cache_failure(&hosts, &choice, O, ORIGIN, 0, RESET, 0), USUAL);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, O, ORIGIN, 0, RESET, 0), USUAL);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 0, 0), 0);
    /* One host failing for two connections passes the turn on by one. */
    assert_ok(do_cache_hosts_set(&hosts, "a,b,c"));
    do_cache_choice_init(&choice, 0);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 60, RESET, 0), LATER);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 60, RESET, 0), LATER);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 1);
    /* After the end of the delay a late failure at a host stops nothing. */
    assert_int_equal(do_cache_failure(&hosts, &choice, 1, ORIGIN, 60, RESET, 60000), NOW);
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 60, 60000) == O);
    assert_int_equal(do_cache_failure(&hosts, &choice, 1, ORIGIN, 60, HTTP(404), 60001), NOW);
    /* Not even when the policy has become another one meanwhile. */
    assert_int_equal(
        do_cache_failure(&hosts, &choice, 1, ORIGIN, DO_CACHE_NEVER, HTTP(404), 60002), NOW);
}

/* Broken: a new list leaves a transfer with the index of a host that is gone. */
static void test_cache_host_new_list_counts_at_the_next_attempt(void **state)
{
    (void)state;
    assert_ok(do_cache_hosts_set(&hosts, "a,b,c"));
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 60, RESET, 0), LATER);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 1);
    assert_int_equal(do_cache_failure(&hosts, &choice, 1, ORIGIN, 60, RESET, 0), LATER);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 2);
    assert_ok(do_cache_hosts_set(&hosts, "d"));
    assert_int_equal(do_cache_failure(&hosts, &choice, 2, ORIGIN, 60, HTTP(404), 0), NOW);
    assert_int_equal(hosts.ban_count, 0);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 0);
    assert_ok(do_cache_hosts_set(&hosts, NULL));
    assert_true(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0) == O);
    /* The one host of a shorter list is asked, although it is banned. */
    assert_ok(do_cache_hosts_set(&hosts, "a,b"));
    do_cache_choice_init(&choice, 0);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 0);
    assert_int_equal(do_cache_failure(&hosts, &choice, 0, ORIGIN, 60, HTTP(404), 0), LATER);
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 1);
    assert_ok(do_cache_hosts_set(&hosts, "a"));
    assert_int_equal(do_cache_choose(&hosts, &choice, ORIGIN, 60, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest cache_host[] = {
        TEST(test_cache_host_list_keeps_its_order),
        TEST(test_cache_host_list_passes_over_what_is_no_host),
        TEST(test_cache_host_url_names_the_host_and_the_origin),
        TEST(test_cache_host_url_port_is_the_hosts_else_the_urls),
        TEST(test_cache_host_url_has_no_user),
        TEST(test_cache_host_url_that_is_left_alone),
        TEST(test_cache_host_without_memory_changes_nothing),
        TEST(test_cache_host_none_means_the_original_server),
        TEST(test_cache_host_that_works_is_kept),
        TEST(test_cache_host_first_failure_leads_to_the_original_server),
        TEST(test_cache_host_and_original_take_turns_of_two_attempts),
        TEST(test_cache_host_delay_keeps_to_the_hosts_in_turn),
        TEST(test_cache_host_delay_never_ends),
        TEST(test_cache_host_our_own_faults_change_nothing),
        TEST(test_cache_host_4xx_bans_for_that_server_alone),
        TEST(test_cache_host_unreachable_bans_for_all),
        TEST(test_cache_host_other_failures_ban_nothing),
        TEST(test_cache_host_bans_outlive_a_new_list),
        TEST(test_cache_host_bans_are_bounded),
        TEST(test_cache_host_attempts_side_by_side_move_on_once),
        TEST(test_cache_host_new_list_counts_at_the_next_attempt),
    };

    return TEST_RUN(cache_host);
}
