/* SPDX-License-Identifier: MIT */
/*
 * The table of servers: who waits for whom, for how long, and what is forgotten. Time is a number.
 */
#include "transfer/host.h"

#include <stdio.h>

#include "support/test.h"

#define NOW 1000000U

static struct do_hosts hosts;

static int setup(void **state)
{
    (void)state;
    do_hosts_init(&hosts);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    do_hosts_finish(&hosts);
    return 0;
}

#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static struct do_host *acquire(const char *url)
{
    struct do_host *host = do_host_acquire(&hosts, url, NOW);

    assert_non_null(host);
    return host;
}

/* Broken: two servers are taken for one, or one for two. */
static void test_host_is_scheme_name_and_port(void **state)
{
    struct do_host *host = acquire("http://example.com/a?b");

    (void)state;
    assert_ptr_equal(acquire("http://user:secret@EXAMPLE.com:80/other"), host);
    assert_ptr_equal(do_host_find(&hosts, "http://example.com"), host);
    assert_ptr_not_equal(acquire("https://example.com/a"), host);
    assert_ptr_not_equal(acquire("http://example.com:8080/a"), host);
    assert_ptr_not_equal(acquire("http://www.example.com/a"), host);
    assert_null(do_host_find(&hosts, "http://elsewhere.example"));
    assert_null(do_host_acquire(&hosts, "no url", NOW));
}

/* Broken: nobody waits, all come at once, or some come before the one that they wait for. */
static void test_host_trouble_makes_others_wait(void **state)
{
    struct do_host *host = acquire("http://example.com/");

    (void)state;
    assert_int_equal(do_host_delay_ms(host, 0, NOW), 0);
    do_host_failed(host, DO_HR_NET_CANNOT_CONNECT, false, NOW + 4000, NOW);
    assert_true(host->is_certain);
    assert_int_equal(host->trouble, DO_HR_NET_CANNOT_CONNECT);
    /* The one that failed comes first, at the very moment. */
    assert_in_range(do_host_delay_ms(host, 0, NOW), 4001, 4010);
    assert_in_range(do_host_delay_ms(host, UINT32_MAX, NOW), 4990, 5001);
    assert_int_equal(do_host_delay_ms(host, UINT32_MAX, NOW + 4000), 0);
    /* What ends earlier changes nothing. */
    do_host_failed(host, DO_HR_NET_CANNOT_CONNECT, false, NOW + 100, NOW);
    assert_in_range(do_host_delay_ms(host, 0, NOW), 4001, 4010);
    do_host_answered(host, NOW + 10);
    assert_int_equal(do_host_delay_ms(host, UINT32_MAX, NOW + 10), 0);
}

/* Broken: a failure that is one object's, or ours, keeps others waiting. */
static void test_host_only_the_servers_failures_count(void **state)
{
    static const struct
    {
        HRESULT hr;
        bool told;
        bool counts;
        bool counts_when_fine;
        bool is_certain;
    } rows[] = {
        {DO_HR_NET_NAME_NOT_RESOLVED, false, true, true, true},
        {DO_HR_NET_CANNOT_CONNECT, false, true, true, true},
        {DO_HR_NET_TIMEOUT, false, true, false, false},
        {DO_HR_NET_CONNECTION_ABORTED, false, false, false, false},
        {(HRESULT)0x801901F7, true, true, true, true},     /* 503 */
        {(HRESULT)0x801901F7, false, true, false, false},  /* without Retry-After */
        {(HRESULT)0x801901AD, true, true, true, true},     /* 429 */
        {(HRESULT)0x801901AD, false, false, false, false}, /* whose limit it is is not said */
        {(HRESULT)0x801901F4, false, true, false, false},  /* 500 */
        {(HRESULT)0x801901F5, false, false, false, false}, /* 501 is final */
        {(HRESULT)0x80190194, false, false, false, false}, /* 404 */
        {DO_E_INSUFFICIENT_RANGE_SUPPORT, false, false, false, false},
        {E_OUTOFMEMORY, false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        char url[64];
        struct do_host *host;

        (void)snprintf(url, sizeof(url), "http://host%u.example/", (unsigned int)i);
        host = acquire(url);
        do_host_failed(host, rows[i].hr, rows[i].told, NOW + 1000, NOW);
        assert_int_equal(do_host_delay_ms(host, 0, NOW) != 0, rows[i].counts);
        assert_int_equal(host->is_certain, rows[i].is_certain);
        do_host_answered(host, NOW);
        do_host_failed(host, rows[i].hr, rows[i].told, NOW + 2000, NOW + 1000);
        assert_int_equal(do_host_delay_ms(host, 0, NOW + 1000) != 0, rows[i].counts_when_fine);
        /* It answered well too long ago. */
        do_host_answered(host, NOW);
        do_host_failed(
            host, rows[i].hr, rows[i].told, NOW + DO_HOST_FINE_MS + 1000, NOW + DO_HOST_FINE_MS);
        assert_int_equal(do_host_delay_ms(host, 0, NOW + DO_HOST_FINE_MS) != 0, rows[i].counts);
    }
}

/* Broken: the table grows with every server there ever was, or forgets one that is in use. */
static void test_host_table_is_bounded(void **state)
{
    struct do_host *kept = acquire("http://kept.example/");
    struct do_host *fine = acquire("http://fine.example/");
    size_t count = 0;

    (void)state;
    do_host_release(&hosts, fine, NOW);
    assert_null(do_host_find(&hosts, "http://fine.example/"));
    for (unsigned int i = 0; i < 3 * DO_HOST_LIMIT; i++)
    {
        char url[64];
        struct do_host *host;

        (void)snprintf(url, sizeof(url), "http://host%u.example/", i);
        host = acquire(url);
        do_host_failed(host, DO_HR_NET_CANNOT_CONNECT, false, NOW + 1000 + i, NOW);
        do_host_release(&hosts, host, NOW);
    }
    DO_LIST_FOR_EACH (link, &hosts.items)
    {
        (void)link;
        count++;
    }
    assert_int_equal(count, DO_HOST_LIMIT + 1);
    assert_ptr_equal(do_host_find(&hosts, "http://kept.example/"), kept);
    /* Those whose trouble ends last are remembered. */
    assert_null(do_host_find(&hosts, "http://host0.example/"));
    assert_non_null(do_host_find(&hosts, "http://host191.example/"));
    do_host_release(&hosts, kept, NOW + 5000);
    assert_true(do_list_is_empty(&hosts.items));
    do_host_release(&hosts, NULL, NOW);
}

int main(void)
{
    static const struct CMUnitTest host_tests[] = {
        HOST_TEST(test_host_is_scheme_name_and_port),
        HOST_TEST(test_host_trouble_makes_others_wait),
        HOST_TEST(test_host_only_the_servers_failures_count),
        HOST_TEST(test_host_table_is_bounded),
    };

    return TEST_RUN(host_tests);
}
