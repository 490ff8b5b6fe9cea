/* SPDX-License-Identifier: MIT */
/*
 * What an administrator decides, done by real transfers: limits on bytes per second and how exactly
 * they hold, background that yields to foreground, caps on jobs and files, the mode that forbids
 * downloads; and how jobs share slots and servers in trouble. Test thread only.
 */
#define _POSIX_C_SOURCE 200809L
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "job/download.h"
#include "plat/plat.h"
#include "transfer/pace.h"

/* Rates are looked at this often, and measured over windows of five seconds. */
#define SAMPLE_MS 100U
#define WINDOW_MS 5000U
#define MOST_SAMPLES 200U

static char policy_path[600];

/* Replaces the policies at once: the engine may be reading them. */
static void set_policies(const char *lines)
{
    char next[640];
    FILE *file;

    (void)snprintf(next, sizeof(next), "%s.next", policy_path);
    file = fopen(next, "wb");
    assert_non_null(file);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(next, policy_path), 0);
}

static int setup(void **state)
{
    int result = test_engine_setup(state);

    test_engine_stop();
    (void)snprintf(policy_path, sizeof(policy_path), "%s/policies", test_folder());
    assert_int_equal(setenv("DOSVC_POLICY_FILE", policy_path, 1), 0);
    test_config()->policy_look_ms = 20;
    return result;
}

static int teardown(void **state)
{
    int result = test_engine_teardown(state);

    assert_int_equal(unsetenv("DOSVC_POLICY_FILE"), 0);
    return result;
}

#define POLICY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Starts the engine with these policies, and with what the test did to test_config(). */
static void start(const char *policies)
{
    set_policies(policies);
    assert_ok(test_engine_start());
}

static struct do_engine_traffic traffic(void)
{
    struct do_engine_traffic now;

    do_engine_get_traffic(test_engine(), &now);
    return now;
}

/* Waits until the limit of a class is another one than before. */
static void await_limit(enum do_rate_class which, uint64_t before)
{
    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 5)
    {
        if (traffic().limits[which] != before)
            return;
        test_pause_ms(5);
    }
    fail_msg("the limit does not change");
}

static void await_bytes(enum do_rate_class which, uint64_t bytes)
{
    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 5)
    {
        if (traffic().received[which] >= bytes)
            return;
        test_pause_ms(5);
    }
    fail_msg("the bytes do not come");
}

struct samples
{
    uint64_t at_ms[MOST_SAMPLES];
    uint64_t bytes[MOST_SAMPLES];
    size_t count;
};

static void sample_for(struct samples *samples, enum do_rate_class which, uint32_t ms)
{
    uint64_t end_ms = do_clock_ms() + ms;

    samples->count = 0;
    while (samples->count < MOST_SAMPLES && do_clock_ms() < end_ms)
    {
        samples->bytes[samples->count] = traffic().received[which];
        samples->at_ms[samples->count++] = do_clock_ms();
        test_pause_ms(SAMPLE_MS);
    }
}

/* Bytes per second between two samples, in thousandths of limit. */
static uint64_t permille(const struct samples *samples, size_t from, size_t to, uint64_t limit)
{
    uint64_t bytes = samples->bytes[to] - samples->bytes[from];
    uint64_t ms = samples->at_ms[to] - samples->at_ms[from];

    return bytes * 1000 / ms * 1000 / limit;
}

/* Every window of five seconds brings the limit, 5 % more or less. */
static void check_windows(const struct samples *samples, uint64_t limit)
{
    size_t windows = 0;

    for (size_t from = 0; from < samples->count; from++)
    {
        size_t to = from;

        while (to < samples->count && samples->at_ms[to] - samples->at_ms[from] < WINDOW_MS)
            to++;
        if (to == samples->count)
            break;
        assert_in_range(permille(samples, from, to, limit), 950, 1050);
        windows++;
    }
    assert_in_range(windows, 5, MOST_SAMPLES);
}

/* Broken: one connection is not held to the limit, or by fits and starts. */
static void test_policy_limit_holds_one_connection(void **state)
{
    struct samples samples;
    struct test_file file;

    (void)state;
    start("policy/DOMaxBackgroundDownloadBandwidth=1024\n");
    (void)test_download(&file, "file", "size=1g");
    await_bytes(DO_RATE_BACKGROUND, 1);
    sample_for(&samples, DO_RATE_BACKGROUND, 6500);
    check_windows(&samples, TEST_MIB(1));
    /* The server would be faster, and more connections would not: there is one. */
    assert_int_equal(test_requests(file.server_path, 0, (struct test_request[8]){{0}}, 8), 1);
}

/* Broken: each connection has the limit for itself, or one has it and the others starve. */
static void test_policy_limit_is_shared_by_sixteen(void **state)
{
    struct samples samples;
    struct do_job *jobs[16];

    (void)state;
    test_config()->max_running_jobs = 16;
    start("policy/DOMaxForegroundDownloadBandwidth=2048\n");
    for (size_t i = 0; i < 16; i++)
    {
        char name[16];

        (void)snprintf(name, sizeof(name), "file%zu", i);
        jobs[i] = test_job();
        assert_ok(do_job_set_priority(jobs[i], DO_PRIORITY_FOREGROUND));
        (void)test_add(jobs[i], name, "size=1g");
        assert_ok(do_job_resume(jobs[i]));
    }
    await_bytes(DO_RATE_FOREGROUND, 1);
    sample_for(&samples, DO_RATE_FOREGROUND, 6500);
    check_windows(&samples, TEST_MIB(2));
    for (size_t i = 0; i < 16; i++)
    {
        struct do_job_progress progress;

        do_job_get_progress(jobs[i], &progress);
        /* About 13 MiB in all; half and double of a sixteenth. */
        assert_in_range(progress.bytes_transferred, TEST_KIB(400), TEST_KIB(1600));
    }
}

/* Broken: a limit counts only for connections that begin later, or stays when it is gone. */
static void test_policy_limit_comes_and_goes(void **state)
{
    struct samples samples;
    struct test_file file;

    (void)state;
    start("");
    (void)test_download(&file, "file", "size=1g&rate=24m");
    await_bytes(DO_RATE_BACKGROUND, TEST_MIB(8));
    set_policies("policy/DOMaxBackgroundDownloadBandwidth=512\n");
    await_limit(DO_RATE_BACKGROUND, 0);
    /* What the kernel has received already is not more than what is read of it. */
    sample_for(&samples, DO_RATE_BACKGROUND, 6500);
    check_windows(&samples, TEST_KIB(512));
    set_policies("");
    await_limit(DO_RATE_BACKGROUND, TEST_KIB(512));
    test_pause_ms(200);
    sample_for(&samples, DO_RATE_BACKGROUND, 1000);
    assert_in_range(permille(&samples, 0, samples.count - 1, TEST_KIB(512)), 8 * 1000, 1000 * 1000);
}

/* Broken: connections multiply until the limit of ours is reached by many instead of by one. */
static void test_policy_limit_is_no_reason_for_more_connections(void **state)
{
    struct test_request requests[16];
    struct test_file file;
    struct do_job *job;

    (void)state;
    start("policy/DOMaxBackgroundDownloadBandwidth=2048\n");
    job = test_download(&file, "file", "size=6m&rate=4m");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(6));
    assert_int_equal(test_requests(file.server_path, 1, requests, 16), 1);
}

static _Atomic uint32_t hour;

static uint32_t tell_hour(void)
{
    return atomic_load(&hour);
}

/* Broken: percentages count before there is anything to take them of, or by the wrong hour. */
static void test_policy_percentages_wait_for_an_estimate(void **state)
{
    struct test_file file;
    struct do_engine_traffic now;

    (void)state;
    atomic_store(&hour, 10);
    test_config()->local_hour = tell_hour;
    test_config()->max_file_connections = 1;
    start("policy/DOSetHoursToLimitBackgroundDownloadBandwidth_From=8\n"
          "policy/DOSetHoursToLimitBackgroundDownloadBandwidth_To=17\n"
          "policy/DOSetHoursToLimitBackgroundDownloadBandwidth_In=50\n"
          "policy/DOSetHoursToLimitBackgroundDownloadBandwidth_Out=25\n");
    (void)test_download(&file, "file", "size=1g&rate=4m");
    await_bytes(DO_RATE_BACKGROUND, TEST_MIB(8));
    assert_int_equal(traffic().limits[DO_RATE_BACKGROUND], 0);
    await_limit(DO_RATE_BACKGROUND, 0);
    now = traffic();
    assert_in_range(now.link_bytes_per_s, TEST_MIB(3), TEST_MIB(5));
    assert_int_equal(now.limits[DO_RATE_FOREGROUND], 0);
    assert_in_range(now.limits[DO_RATE_BACKGROUND] * 100 / now.link_bytes_per_s, 49, 50);
    atomic_store(&hour, 17);
    await_limit(DO_RATE_BACKGROUND, now.limits[DO_RATE_BACKGROUND]);
    now = traffic();
    assert_in_range(now.limits[DO_RATE_BACKGROUND] * 100 / now.link_bytes_per_s, 24, 25);
}

/* Broken: background takes its share while a user waits, or stays slow when he does not any more.
 */
static void test_policy_background_yields_to_foreground(void **state)
{
    struct samples samples;
    struct test_request requests[8];
    struct test_file background;
    struct test_file later;
    struct test_file file;
    struct do_job *foreground;

    (void)state;
    start("");
    (void)test_download(&background, "background", "size=1g&rate=12m");
    await_bytes(DO_RATE_BACKGROUND, TEST_MIB(2));
    foreground = test_job();
    assert_ok(do_job_set_priority(foreground, DO_PRIORITY_FOREGROUND));
    file = test_add(foreground, "foreground", "size=24m&rate=8m&ignore_range=1");
    assert_ok(do_job_resume(foreground));
    await_bytes(DO_RATE_FOREGROUND, TEST_MIB(4));
    (void)test_download(&later, "later", "size=1g&rate=1m");
    sample_for(&samples, DO_RATE_BACKGROUND, 1500);
    assert_int_equal(do_job_get_state(foreground), DO_JOB_TRANSFERRING);
    /* One that begins now makes do with one connection. */
    assert_int_equal(test_requests(later.server_path, 0, requests, 8), 1);
    assert_in_range(permille(&samples, 0, samples.count - 1, DO_PACE_TRICKLE), 500, 1500);
    test_wait_state(foreground, DO_JOB_TRANSFERRED);
    test_pause_ms(200);
    sample_for(&samples, DO_RATE_BACKGROUND, 1000);
    assert_in_range(permille(&samples, 0, samples.count - 1, TEST_MIB(12)), 500, 20 * 1000);
    assert_ok(do_job_complete(foreground));
    assert_true(test_has_object(file.path, 1, TEST_MIB(24)));
}

/* Broken: DODownloadMode 100 forbids nothing, or stops what was allowed before. */
static void test_policy_bypass_forbids_downloads(void **state)
{
    struct test_file file;
    struct test_file other;
    struct do_job *running;
    struct do_job *job;
    struct do_job *download;

    (void)state;
    start("");
    running = test_download(&file, "file", "size=4m&rate=2m");
    job = test_job();
    other = test_add(job, "other", "size=1k");
    test_wait_bytes(running, 1);
    set_policies("policy/DODownloadMode=100\n");
    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 5)
    {
        HRESULT hr = do_job_resume(job);

        if (hr == DO_E_NO_DOWNLOAD_EXTSETTINGS)
            break;
        assert_ok(hr);
        assert_ok(do_job_suspend(job));
        test_pause_ms(5);
    }
    assert_int_equal(do_job_resume(job), DO_E_NO_DOWNLOAD_EXTSETTINGS);
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_engine_create_download(test_engine(), NULL, &download));
    assert_int_equal(do_download_start(download, DO_DOWNLOAD_START_AS_IS, NULL, 0),
        DO_E_NO_DOWNLOAD_EXTSETTINGS);
    do_job_release(download);
    test_wait_state(running, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(running));
    set_policies("policy/DODownloadMode=99\n");
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && FAILED(do_job_resume(job)); waited += 5)
        test_pause_ms(5);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &other, 1, TEST_KIB(1));
}

/* Broken: a cap of BITS is not held to, or has another code. */
static void test_policy_caps_are_held_to(void **state)
{
    const struct do_range ranges[] = {{0, 10}, {20, 30}, {40, 50}};
    struct test_file file = test_file("file", "");
    struct do_job *job;
    struct do_job *other = NULL;

    (void)state;
    start("bits/MaxJobsPerUser=2\nbits/MaxJobsPerMachine=3\nbits/MaxFilesPerJob=2\n"
          "bits/MaxRangesPerFile=2\nbits/MaxDownloadTime=1\n");
    job = test_job();
    assert_int_equal(do_job_default_max_download_time_s(job), 1);
    assert_int_equal(
        test_add_ranges(job, &file, ranges, 3, DO_SIZE_UNKNOWN), DO_HR_TOO_MANY_RANGES_IN_FILE);
    assert_ok(test_add_ranges(job, &file, ranges, 2, DO_SIZE_UNKNOWN));
    (void)test_add(job, "second", "stall=10");
    (void)snprintf(file.path, sizeof(file.path), "%s/third", test_folder());
    assert_int_equal(
        test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN), DO_HR_TOO_MANY_FILES_IN_JOB);
    assert_int_equal(do_job_get_file_count(job), 2);
    (void)test_job();
    assert_int_equal(
        do_engine_create_job(test_engine(), "third", NULL, &other), DO_HR_TOO_MANY_JOBS_PER_USER);
    assert_null(other);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_int_equal(test_error(job), DO_HR_MAXDOWNLOAD_TIMEOUT);
}

/* Broken: the smaller cap does not count. */
static void test_policy_cap_of_the_machine_counts(void **state)
{
    struct do_job *other = NULL;

    (void)state;
    start("bits/MaxJobsPerUser=5\nbits/MaxJobsPerMachine=1\n");
    (void)test_job();
    assert_int_equal(do_engine_create_job(test_engine(), "second", NULL, &other),
        DO_HR_TOO_MANY_JOBS_PER_MACHINE);
}

/* Jobs and slots */

#define CROWD 100U

/* Broken: of a crowd of jobs some never get their turn, or younger ones before older ones. */
static void test_queue_serves_a_crowd_in_order(void **state)
{
    static struct test_file files[CROWD];
    static struct do_job *jobs[CROWD];
    static double began_ms[CROWD];

    (void)state;
    start("");
    for (size_t i = 0; i < CROWD; i++)
    {
        char name[16];

        assert_ok(do_engine_create_job(test_engine(), "one of many", NULL, &jobs[i]));
        (void)snprintf(name, sizeof(name), "file%zu", i);
        files[i] = test_add(jobs[i], name, "size=10k&delay=60");
    }
    for (size_t i = 0; i < CROWD; i++)
        assert_ok(do_job_resume(jobs[i]));
    for (size_t i = 0; i < CROWD; i++)
    {
        struct test_request request;
        enum do_job_state reached = test_wait(jobs[i], TEST_ENDED);

        assert_int_equal(reached, DO_JOB_TRANSFERRED);
        assert_int_equal(test_requests(files[i].server_path, 1, &request, 1), 1);
        began_ms[i] = request.time_ms;
        do_job_release(jobs[i]);
    }
    /* Eight at a time: who comes eight later begins after somebody has ended. */
    for (size_t i = 0; i + 8 < CROWD; i++)
        assert_true(began_ms[i] < began_ms[i + 8]);
}

/* Broken: a job whose server is down keeps others, whose servers are not, from running. */
static void test_queue_is_not_held_up_by_a_failing_job(void **state)
{
    struct test_file file;
    struct do_job *failing;
    struct do_job *job;

    (void)state;
    test_config()->max_running_jobs = 1;
    test_config()->retry_first_ms = 300;
    start("");
    failing = test_download(&file, "failing", "size=1k&fail_first=4&fail_status=500");
    test_wait_state(failing, DO_JOB_TRANSIENT_ERROR);
    job = test_download(&file, "file", "size=1k");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(job));
    /* It comes back by itself. */
    test_wait_state(failing, DO_JOB_TRANSFERRED);
}

/* Broken: everybody hammers a server that has asked for patience. */
static void test_host_patience_is_shared(void **state)
{
    struct test_request requests[8];
    struct test_file first;
    struct test_file second;
    struct do_job *jobs[2];
    double told_ms;

    (void)state;
    start("");
    jobs[0] = test_download(&first, "first", "size=1k&fail_first=1&retry_after=2");
    assert_int_equal(test_requests(first.server_path, 1, requests, 8), 1);
    told_ms = requests[0].time_ms;
    test_wait_state(jobs[0], DO_JOB_TRANSFERRING);
    test_pause_ms(50);
    jobs[1] = test_download(&second, "second", "size=1k");
    /* It is said what the job waits for: it was not even asked. */
    test_wait_state(jobs[1], DO_JOB_TRANSIENT_ERROR);
    assert_int_equal(test_error(jobs[1]), do_hr_from_http_status(503));
    assert_int_equal(do_job_get_error_count(jobs[1]), 0);
    for (size_t i = 0; i < 2; i++)
        test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
    assert_int_equal(test_requests(second.server_path, 1, requests, 8), 1);
    assert_true(requests[0].time_ms - told_ms >= 1950);
    assert_true(requests[0].time_ms - told_ms < 4000);
}

/* Broken: an object that is broken keeps others of its server waiting. */
static void test_host_broken_object_is_not_the_server(void **state)
{
    struct test_request request;
    struct test_file first;
    struct test_file second;
    struct do_job *broken;
    struct do_job *job;
    uint64_t begin_ms;

    (void)state;
    test_config()->retry_first_ms = 8000;
    test_config()->retry_max_ms = 8000;
    start("");
    broken = test_download(&first, "first", "size=1k&status=500");
    test_wait_state(broken, DO_JOB_TRANSIENT_ERROR);
    begin_ms = do_clock_ms();
    job = test_download(&second, "second", "size=1k");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_in_range(do_clock_ms() - begin_ms, 0, 3000);
    assert_int_equal(test_requests(second.server_path, 1, &request, 1), 1);
}

/* Broken: a client that says "now" is put off, because others have seen trouble. */
static void test_host_trouble_yields_to_resume(void **state)
{
    struct test_file first;
    struct test_file second;
    struct do_job *jobs[2];
    uint64_t begin_ms = do_clock_ms();

    (void)state;
    start("");
    jobs[0] = test_download(&first, "first", "size=1k&fail_first=1&retry_after=10");
    (void)test_requests(first.server_path, 1, (struct test_request[2]){{0}}, 2);
    test_pause_ms(50);
    jobs[1] = test_download(&second, "second", "size=1k");
    test_wait_state(jobs[1], DO_JOB_TRANSIENT_ERROR);
    assert_ok(do_job_resume(jobs[1]));
    test_wait_state(jobs[1], DO_JOB_TRANSFERRED);
    assert_in_range(do_clock_ms() - begin_ms, 0, 8000);
    (void)jobs[0];
}

/* Broken: one server gets more connections than the engine allows, or no first one. */
static void test_host_connections_are_limited(void **state)
{
    struct test_file files[3];
    struct do_job *jobs[3];
    uint64_t begin_ms = do_clock_ms();

    (void)state;
    test_config()->max_host_connections = 2;
    start("");
    for (size_t i = 0; i < 3; i++)
    {
        char name[16];

        (void)snprintf(name, sizeof(name), "file%zu", i);
        jobs[i] = test_download(&files[i], name, "size=4m&rate=1m");
    }
    for (size_t i = 0; i < 3; i++)
        test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
    /* Three of them, each with its first: 4 s. With sixteen it would be one. */
    assert_in_range(do_clock_ms() - begin_ms, 3500, 15000);
}

int main(void)
{
    static const struct CMUnitTest policy_tests[] = {
        POLICY_TEST(test_policy_limit_holds_one_connection),
        POLICY_TEST(test_policy_limit_is_shared_by_sixteen),
        POLICY_TEST(test_policy_limit_comes_and_goes),
        POLICY_TEST(test_policy_limit_is_no_reason_for_more_connections),
        POLICY_TEST(test_policy_percentages_wait_for_an_estimate),
        POLICY_TEST(test_policy_background_yields_to_foreground),
        POLICY_TEST(test_policy_bypass_forbids_downloads),
        POLICY_TEST(test_policy_caps_are_held_to),
        POLICY_TEST(test_policy_cap_of_the_machine_counts),
        POLICY_TEST(test_queue_serves_a_crowd_in_order),
        POLICY_TEST(test_queue_is_not_held_up_by_a_failing_job),
        POLICY_TEST(test_host_patience_is_shared),
        POLICY_TEST(test_host_broken_object_is_not_the_server),
        POLICY_TEST(test_host_trouble_yields_to_resume),
        POLICY_TEST(test_host_connections_are_limited),
    };

    return ENGINE_TEST_RUN(policy_tests);
}
