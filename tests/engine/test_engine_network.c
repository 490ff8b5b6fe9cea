/* SPDX-License-Identifier: MIT */
/*
 * The network goes and returns, and names have addresses that nobody answers at: in network and
 * mount namespaces of the program's own, which it enters by running itself through unshare. Where
 * that is not possible everything is skipped, with the exit status 77. Test thread only.
 *
 * A server of its own is in the first network namespace. The program makes a second one, with an
 * interface "out" that leads there; the usual server is on this side.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "job/download.h"
#include "plat/plat.h"

#define SKIPPED 77
#define IN_NAMESPACE "DOSVC_TEST_IN_NAMESPACE"

/* What is to heal by itself does so within this time; intervals between attempts are longer. */
#define SOON_MS 8000U
#define LONG_MS 60000U

#define FAR_ADDRESS "10.77.0.1"
#define FAR_PORT 8080U

static FILE *far_server; /* its standard input */

/* The namespace */

static bool run(const char *command)
{
    return system(command) == 0; /* NOLINT: the commands are this file's own */
}

static void must(const char *command)
{
    if (!run(command))
        fail_msg("%s", command);
}

/* Starts the far server and leaves its network for another one. */
static bool part_from_server(int *pid)
{
    char folder[] = "/tmp/dosvc-network-XXXXXX";
    char command[1024];
    bool found = false;
    FILE *file;

    if (!run("ip link set lo up") || !mkdtemp(folder))
        return false;
    (void)snprintf(command, sizeof(command),
        "echo $$ >%s/pid && exec /usr/bin/python3 %s --host 0.0.0.0 --port %u --port-file %s/port "
        "--exit-with-stdin >/dev/null",
        folder, DOSVC_FAULT_SERVER, FAR_PORT, folder);
    if (!(far_server = popen(command, "we"))) /* NOLINT: likewise */
        return false;
    (void)snprintf(command, sizeof(command), "%s/port", folder);
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && access(command, F_OK); waited += 10)
        test_pause_ms(10);
    found = access(command, F_OK) == 0;
    (void)snprintf(command, sizeof(command), "%s/pid", folder);
    if ((file = fopen(command, "re")))
    {
        found = found && fscanf(file, "%d", pid) == 1;
        (void)fclose(file);
    }
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return run(command) && found && unshare(CLONE_NEWNET) == 0;
}

/* Dead addresses are neighbours that take everything: nobody there has their hardware address. */
static bool open_network(void)
{
    return run("ip link set lo up && ip link set out up && "
               "ip address replace 10.77.0.2/24 dev out && "
               "ip address replace fd77::2/64 dev out nodad && "
               "ip neighbour replace 10.77.0.3 lladdr 02:00:00:00:00:03 dev out nud permanent && "
               "ip neighbour replace fd77::3 lladdr 02:00:00:00:00:03 dev out nud permanent");
}

/* The dead addresses are the better ones. */
static bool make_names(void)
{
    return run("file=$(mktemp) && "
               "printf '%s\\n' '127.0.0.1 localhost' '::1 localhost' "
               "'10.77.0.3 dead-first.test' '" FAR_ADDRESS " dead-first.test' "
               "'fd77::3 dead-v6.test' '" FAR_ADDRESS " dead-v6.test' "
               "'2001:db8::1 no-route.test' '" FAR_ADDRESS " no-route.test' "
               "'::1 one-listens.test' '127.0.0.1 one-listens.test' >$file && "
               "chmod 644 $file && mount --bind $file /etc/hosts && rm -f $file") &&
           run("file=$(mktemp) && "
               "printf '%s\\n' 'precedence ::ffff:10.77.0.3/128 90' 'precedence fd77::/16 80' "
               "'precedence ::ffff:0:0/96 10' >$file && "
               "chmod 644 $file && mount --bind $file /etc/gai.conf && rm -f $file");
}

static bool make_network(void)
{
    char command[512];
    int pid = 0;

    if (!part_from_server(&pid))
        return false;
    (void)snprintf(command, sizeof(command),
        "ip link add out type veth peer name away netns %d && "
        "nsenter -t %d -n ip address add " FAR_ADDRESS "/24 dev away && "
        "nsenter -t %d -n ip link set away up",
        pid, pid, pid);
    return run(command) && open_network() && make_names();
}

/* Fixture */

static struct do_job *download;

static int set_up(void **state)
{
    download = NULL;
    assert_true(open_network());
    return test_engine_setup(state);
}

static int tear_down(void **state)
{
    (void)open_network();
    if (download)
    {
        (void)do_download_abort(download);
        do_job_release(download);
    }
    return test_engine_teardown(state);
}

#define NETWORK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* As clients have it, but for the time between attempts, which nothing here may wait for. */
static void restart_patient(void)
{
    test_engine_stop();
    test_config()->fast_retries = 0;
    test_config()->retry_first_ms = LONG_MS;
    test_config()->retry_max_ms = LONG_MS;
    test_config()->stall_timeout_s = LONG_MS / 1000;
    test_config()->max_file_connections = 1;
    assert_ok(test_engine_start());
}

static struct test_file file_at(const char *host, const char *name, const char *query)
{
    struct test_file file = test_file(name, query);

    bool is_near = strcmp(host, "127.0.0.1") == 0 || strcmp(host, "localhost") == 0 ||
                   strcmp(host, "one-listens.test") == 0 || strcmp(host, "10.99.0.1") == 0;

    (void)snprintf(file.url, sizeof(file.url), "http://%s:%u%s?%s", host,
        is_near ? (unsigned int)test_server_port() : FAR_PORT, file.server_path, query);
    return file;
}

static struct do_job *job_at(
    const char *host, struct test_file *file, const char *name, const char *query)
{
    struct do_job *job = test_job();

    *file = file_at(host, name, query);
    assert_ok(test_add_ranges(job, file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    return job;
}

static void begin_download(const char *host, struct test_file *file, const char *name)
{
    *file = file_at(host, name, "size=4m&rate=1m");
    const struct do_setting settings[] = {
        {DO_PROP_URI, do_value_of_text(file->url)},
        {DO_PROP_LOCAL_PATH, do_value_of_text(file->path)},
    };

    assert_ok(do_engine_create_download(test_engine(), NULL, &download));
    assert_ok(do_job_set_values(download, settings, DO_COUNT_OF(settings)));
    assert_ok(do_download_start(download, DO_DOWNLOAD_START_WHOLE, NULL, 0));
}

static struct do_download_status status(void)
{
    struct do_download_status now;

    do_download_get_status(download, &now);
    return now;
}

static void await_download(enum do_download_state state)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;

    while (status().state != (uint32_t)state && do_clock_ms() < end_ms)
        test_pause_ms(5);
    assert_int_equal(status().state, state);
}

static void finish_download(const struct test_file *file)
{
    await_download(DO_DOWNLOAD_TRANSFERRED);
    assert_ok(do_download_finalize(download));
    assert_true(test_has_object(file->path, 1, TEST_MIB(4)));
}

/* Others may still have temporary files. */
static void complete(struct do_job *job, const struct test_file *file, uint64_t size)
{
    assert_ok(do_job_complete(job));
    assert_true(test_has_object(file->path, 1, size));
}

static void assert_lost(struct do_job *job)
{
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_hr(DO_E_BLOCKED_BY_NO_NETWORK, test_error(job));
}

static void assert_download_lost(void)
{
    await_download(DO_DOWNLOAD_PAUSED);
    assert_hr(S_OK, status().error);
    assert_hr(DO_E_BLOCKED_BY_NO_NETWORK, status().extended_error);
}

/* Loss and return */

/* Broken: a download whose network goes stalls for a minute, fails, or does not go on when it is
 * back; or one from this machine stops with it. */
static void test_network_loss_stops_and_return_heals(void **state)
{
    struct test_request requests[4];
    struct test_file files[3];
    struct do_job *far;
    struct do_job *near;
    uint64_t back_ms;

    (void)state;
    restart_patient();
    far = job_at(FAR_ADDRESS, &files[0], "far", "size=4m&rate=1m");
    near = job_at("localhost", &files[1], "near", "size=8m&rate=1m");
    begin_download(FAR_ADDRESS, &files[2], "download");
    test_wait_bytes(far, TEST_KIB(64));
    test_wait_bytes(near, TEST_KIB(64));
    test_wait_bytes(download, TEST_KIB(64));
    must("ip link set out down");
    assert_lost(far);
    assert_download_lost();
    assert_int_equal(do_job_get_state(near), DO_JOB_TRANSFERRING);
    must("ip link set out up");
    back_ms = do_clock_ms();
    (void)test_wait(far, TEST_STATE(DO_JOB_TRANSFERRING) | TEST_ENDED);
    await_download(DO_DOWNLOAD_TRANSFERRING);
    assert_true(do_clock_ms() - back_ms < SOON_MS);
    assert_hr(S_OK, status().error);
    assert_hr(S_OK, status().extended_error);
    test_wait_state(far, DO_JOB_TRANSFERRED);
    complete(far, &files[0], TEST_MIB(4));
    finish_download(&files[2]);
    test_wait_state(near, DO_JOB_TRANSFERRED);
    complete(near, &files[1], TEST_MIB(8));
    assert_int_equal(test_requests(files[1].server_path, 1, requests, DO_COUNT_OF(requests)), 1);
}

/* Broken: without the loopback interface even what is on this machine is waited for in vain. */
static void test_network_without_any_interface_stops_all(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_patient();
    job = job_at("127.0.0.1", &file, "file", "size=4m&rate=1m");
    test_wait_bytes(job, TEST_KIB(64));
    must("ip link set out down && ip link set lo down");
    assert_lost(job);
    must("ip link set lo up");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    complete(job, &file, TEST_MIB(4));
}

/* Broken: a call hangs while the network is gone, or what the client has stopped goes on with it.
 */
static void test_network_calls_while_it_is_gone(void **state)
{
    struct test_file files[3];
    struct do_job *cancelled;
    struct do_job *suspended;
    struct do_job *resumed;

    (void)state;
    restart_patient();
    cancelled = job_at(FAR_ADDRESS, &files[0], "cancelled", "size=4m&rate=1m");
    suspended = job_at(FAR_ADDRESS, &files[1], "suspended", "size=4m&rate=1m");
    resumed = job_at(FAR_ADDRESS, &files[2], "resumed", "size=4m&rate=1m");
    test_wait_bytes(resumed, 1);
    must("ip link set out down");
    assert_lost(cancelled);
    assert_lost(suspended);
    assert_lost(resumed);
    assert_ok(do_job_cancel(cancelled));
    assert_ok(do_job_suspend(suspended));
    assert_ok(do_job_resume(resumed));
    assert_lost(resumed);
    must("ip link set out up");
    test_wait_state(resumed, DO_JOB_TRANSFERRED);
    complete(resumed, &files[2], TEST_MIB(4));
    assert_int_equal(do_job_get_state(suspended), DO_JOB_SUSPENDED);
}

/* Broken: a download that begins without a network has another code than one that loses it, or
 * waits for its next attempt when the network comes. */
static void test_network_that_was_never_there(void **state)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct test_file files[2];
    struct do_job *job;
    uint64_t back_ms;

    (void)state;
    must("ip link set out down");
    restart_patient();
    job = job_at(FAR_ADDRESS, &files[0], "job", "size=1m");
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    /* The first attempt may fail before anybody has looked for a network. */
    while (test_error(job) != DO_E_BLOCKED_BY_NO_NETWORK && do_clock_ms() < end_ms)
    {
        assert_ok(do_job_suspend(job));
        assert_ok(do_job_resume(job));
        test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    }
    assert_lost(job);
    begin_download(FAR_ADDRESS, &files[1], "download");
    assert_download_lost();
    must("ip link set out up");
    back_ms = do_clock_ms();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_true(do_clock_ms() - back_ms < SOON_MS);
    complete(job, &files[0], TEST_MIB(1));
    finish_download(&files[1]);
}

/* Broken: on a machine that never had a network a job waits for ever. */
static void test_network_that_never_comes_ends_a_job(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    must("ip link set out down");
    test_engine_stop();
    test_config()->connect_timeout_ms = 1000;
    assert_ok(test_engine_start());
    job = test_job();
    file = file_at(FAR_ADDRESS, "file", "size=1m");
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_set_no_progress_timeout_s(job, 3));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_E_BLOCKED_BY_NO_NETWORK, test_error(job));
}

/* Broken: the time without a network counts as time without progress. */
static void test_network_loss_stops_the_no_progress_clock(void **state)
{
    struct test_file file;
    struct do_job *job;
    uint64_t lost_ms;

    (void)state;
    restart_patient();
    job = test_job();
    file = file_at(FAR_ADDRESS, "file", "size=4m&rate=1m");
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_set_no_progress_timeout_s(job, 4));
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, TEST_KIB(64));
    must("ip link set out down");
    assert_lost(job);
    lost_ms = do_clock_ms();
    while (do_clock_ms() - lost_ms < 6000)
    {
        assert_int_equal(do_job_get_state(job), DO_JOB_TRANSIENT_ERROR);
        test_pause_ms(50);
    }
    must("ip link set out up");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    complete(job, &file, TEST_MIB(4));
}

/* Broken: a server that another network leads to is asked only when the next attempt is due. */
static void test_network_other_one_wakes_retries(void **state)
{
    struct test_file file;
    struct do_job *job;
    uint64_t change_ms;

    (void)state;
    restart_patient();
    job = job_at("10.99.0.1", &file, "file", "size=1m");
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_hr(DO_HR_NET_CANNOT_CONNECT, test_error(job));
    must("ip address add 10.99.0.1/24 dev out");
    change_ms = do_clock_ms();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_true(do_clock_ms() - change_ms < SOON_MS);
    complete(job, &file, TEST_MIB(1));
    must("ip address del 10.99.0.1/24 dev out");
}

/* Broken: a download whose connections died with the machine's address stalls for a minute. */
static void test_network_other_address_gets_other_connections(void **state)
{
    struct test_file file;
    struct do_job *job;
    uint64_t change_ms;

    (void)state;
    restart_patient();
    job = job_at(FAR_ADDRESS, &file, "file", "size=4m&rate=1m");
    test_wait_bytes(job, TEST_KIB(64));
    must("ip address del 10.77.0.2/24 dev out && ip address add 10.77.0.5/24 dev out");
    change_ms = do_clock_ms();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_true(do_clock_ms() - change_ms < 2 * SOON_MS);
    complete(job, &file, TEST_MIB(4));
    must("ip address del 10.77.0.5/24 dev out");
}

/* Names with several addresses */

/* Whether the resolver names this address first. */
static bool is_first(const char *name, const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char text[INET6_ADDRSTRLEN] = "";

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return false;
    (void)getnameinfo(
        found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    return strcmp(text, address) == 0;
}

static void download_from(const char *host, uint32_t limit_ms)
{
    const uint64_t begin_ms = do_clock_ms();
    struct test_file file;
    struct do_job *job;

    test_engine_stop();
    test_config()->connect_timeout_ms = 6000;
    test_config()->fast_retries = 0;
    test_config()->retry_first_ms = LONG_MS;
    test_config()->retry_max_ms = LONG_MS;
    assert_ok(test_engine_start());
    job = job_at(host, &file, "file", "size=1m");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_in_range(do_clock_ms() - begin_ms, 0, limit_ms);
    complete(job, &file, TEST_MIB(1));
}

/* Broken: a server is given up since the first of its addresses is dead. */
static void test_network_dead_first_address_is_passed_over(void **state)
{
    (void)state;
    if (!is_first("dead-first.test", "10.77.0.3"))
    {
        print_message("skipped: the resolver sorts addresses in another way\n");
        skip();
    }
    /* libcurl gives each address but the last half of what is left. */
    download_from("dead-first.test", 5000);
}

/* Broken: an IPv6 address that does not answer costs more than a moment. RFC 8305 */
static void test_network_dead_ipv6_address_costs_a_moment(void **state)
{
    (void)state;
    if (!is_first("dead-v6.test", "fd77::3"))
    {
        print_message("skipped: the resolver sorts addresses in another way\n");
        skip();
    }
    download_from("dead-v6.test", 2500);
}

/* Broken: IPv6 without a route to the server, or without a listener, is an error. */
static void test_network_ipv6_that_leads_nowhere_is_no_error(void **state)
{
    (void)state;
    download_from("no-route.test", 2500);
    download_from("one-listens.test", 2500);
    download_from("localhost", 2500);
}

/* In the namespace, or not at all. */
static int enter_namespace(char **arguments)
{
    char unshare[] = "unshare";
    char options[] = "-rnm";
    char *command[] = {unshare, options, arguments[0], NULL};

    if (!run("unshare -rnm true") || setenv(IN_NAMESPACE, "1", 1) != 0)
    {
        (void)printf("SKIPPED: unshare cannot make a network namespace here\n");
        return SKIPPED;
    }
    (void)execvp(unshare, command);
    return 1;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest network[] = {
        NETWORK_TEST(test_network_loss_stops_and_return_heals),
        NETWORK_TEST(test_network_without_any_interface_stops_all),
        NETWORK_TEST(test_network_calls_while_it_is_gone),
        NETWORK_TEST(test_network_that_was_never_there),
        NETWORK_TEST(test_network_that_never_comes_ends_a_job),
        NETWORK_TEST(test_network_loss_stops_the_no_progress_clock),
        NETWORK_TEST(test_network_other_one_wakes_retries),
        NETWORK_TEST(test_network_other_address_gets_other_connections),
        NETWORK_TEST(test_network_dead_first_address_is_passed_over),
        NETWORK_TEST(test_network_dead_ipv6_address_costs_a_moment),
        NETWORK_TEST(test_network_ipv6_that_leads_nowhere_is_no_error),
    };

    int failed;

    (void)count;
    if (!getenv(IN_NAMESPACE))
        return enter_namespace(arguments);
    if (!make_network())
    {
        (void)printf("SKIPPED: no interfaces can be made here (ip, veth), or nothing mounted\n");
        return SKIPPED;
    }
    failed =
        cmocka_run_group_tests_name("network", network, test_server_start_open, test_server_stop);
    (void)pclose(far_server);
    return failed;
}
