/* SPDX-License-Identifier: MIT */
/*
 * Files over several connections: a server that is slow for each of them, one that does not know
 * ranges, one that refuses a second connection, answers it with another version, or lets one stand
 * still; bytes that are here already; lists of ranges. Test thread only.
 */
#include "engine_test.h"

#include <stdio.h>

#include "base/compiler.h"
#include "plat/plat.h"

#define MOST_REQUESTS 200U

static struct test_request requests[MOST_REQUESTS];

/* What the server sent for a path, over all requests. */
static uint64_t bytes_sent(const char *server_path, size_t *count)
{
    uint64_t sent = 0;

    *count = test_requests(server_path, 1, requests, MOST_REQUESTS);
    assert_in_range(*count, 1, MOST_REQUESTS - 1);
    for (size_t i = 0; i < *count; i++)
        sent += requests[i].sent;
    return sent;
}

static size_t count_status(size_t count, int status)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += requests[i].status == status ? 1U : 0U;
    return found;
}

/* Broken: a server that is slow for each connection makes the whole file slow. */
static void test_lanes_make_a_slow_server_fast(void **state)
{
    struct test_file file;
    uint64_t start_ms = do_clock_ms();
    struct do_job *job = test_download(&file, "file", "size=20m&rate=1m");
    size_t count;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    /* One connection needs 20 s. */
    assert_in_range(do_clock_ms() - start_ms, 1000, 12000);
    test_complete(job, &file, 1, TEST_MIB(20));
    /* What was under way when a piece was cut is lost, and no more. */
    assert_in_range(bytes_sent(file.server_path, &count), TEST_MIB(20), TEST_MIB(28));
    assert_in_range(count, 4, MOST_REQUESTS - 1);
    assert_int_equal(count_status(count, 206), count - 1);
}

/* Broken: one connection is not what the client gets when it is told so. */
static void test_lanes_can_be_forbidden(void **state)
{
    struct test_file file;
    struct do_job *job;
    size_t count;

    (void)state;
    test_one_connection();
    job = test_download(&file, "file", "size=4m&rate=2m");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    assert_int_equal(bytes_sent(file.server_path, &count), TEST_MIB(4));
    assert_int_equal(count, 1);
}

/* Broken: a file that one connection fetches in a moment costs a second request. */
static void test_lanes_small_file_is_one_request(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=512k&rate=1m&delay=300");
    size_t count;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_KIB(512));
    assert_int_equal(bytes_sent(file.server_path, &count), TEST_KIB(512));
    assert_int_equal(count, 1);
}

/* Broken: the first connection is given up before a second one has got its range. */
static void test_lanes_need_ranges(void **state)
{
    static const char *const faults[] = {"ignore_range=1", "no_content_range=1", "wrong_range=1",
        "multipart=1", "short_range=1", "wrong_total=1", "etag=none&last_modified=none",
        "weak=1&last_modified=none"};
    struct test_file files[DO_COUNT_OF(faults)];
    struct do_job *jobs[DO_COUNT_OF(faults)];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        char query[128];
        char name[16];

        (void)snprintf(query, sizeof(query), "size=5m&rate=2m&%s", faults[i]);
        (void)snprintf(name, sizeof(name), "file%zu", i);
        jobs[i] = test_download(&files[i], name, query);
    }
    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        size_t count;

        test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
        assert_ok(do_job_complete(jobs[i]));
        assert_true(test_has_object(files[i].path, 1, TEST_MIB(5)));
        (void)bytes_sent(files[i].server_path, &count);
        /* At most one on trial, which got nothing that was kept. */
        assert_in_range(count, 1, 2);
    }
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: a server that allows one connection makes the download fail. */
static void test_lanes_refused_ones_are_done_without(void **state)
{
    static const char *const faults[] = {
        "status_after=2:503", "status_after=2:403", "status_after=2:429"};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
    {
        char query[128];
        struct test_file file;
        struct do_job *job;

        (void)snprintf(query, sizeof(query), "size=5m&rate=2m&%s", faults[i]);
        job = test_download(&file, "file", query);
        test_wait_state(job, DO_JOB_TRANSFERRED);
        assert_ok(test_error(job));
        test_complete(job, &file, 1, TEST_MIB(5));
    }
}

/* As in the product: a connection may be silent for a minute. */
static void allow_silence(void)
{
    test_engine_stop();
    test_config()->stall_timeout_s = 60;
    assert_ok(test_engine_start());
}

/* A file that arrives whole, within a time, and with each byte counted once. */
static void expect_download(const char *query, uint64_t size, uint64_t most_ms)
{
    uint64_t start_ms = do_clock_ms();
    struct do_job_progress progress;
    struct test_file file;
    struct do_job *job = test_download(&file, "file", query);

    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_in_range(do_clock_ms() - start_ms, 0, most_ms);
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_transferred, size);
    test_complete(job, &file, 1, size);
}

/* Broken: bytes count twice, or are waited for, when the answer on trial comes too late. */
static void test_lanes_late_answer_is_not_needed(void **state)
{
    (void)state;
    allow_silence();
    /* The first connection passes the piece on trial, */
    expect_download("size=5m&rate=2m&delay=1900&delay_after=2", TEST_MIB(5), 10000);
    /* has brought it, */
    expect_download("size=5m&rate=2m&delay=2900&delay_after=2", TEST_MIB(5), 10000);
    expect_download("size=5m&rate=2m&delay=12000&delay_after=2", TEST_MIB(5), 10000);
    expect_download("size=5m&rate=2m&ignore_range=1&delay=2900&delay_after=2", TEST_MIB(5), 10000);
    /* or was lost with it. */
    expect_download("size=6m&rate=2m&fail_first=1&fail_how=reset&fail_at=4m&at=2:delay~2500",
        TEST_MIB(6), 15000);
}

/* Broken: what one of several connections is told is the end of all. */
static void test_lanes_one_wrong_answer_is_done_without(void **state)
{
    static const char *const faults[] = {"no_content_range~1", "wrong_range~1", "multipart~1",
        "wrong_total~1", "short_range~1", "status~404", "ignore_range~1"};
    struct test_file files[DO_COUNT_OF(faults)];
    struct do_job *jobs[DO_COUNT_OF(faults)];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        char query[128];
        char name[16];

        (void)snprintf(query, sizeof(query), "size=10m&rate=2m&at=4:%s", faults[i]);
        (void)snprintf(name, sizeof(name), "file%zu", i);
        jobs[i] = test_download(&files[i], name, query);
    }
    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
        assert_ok(do_job_complete(jobs[i]));
        assert_true(test_has_object(files[i].path, 1, TEST_MIB(10)));
    }
}

/* Broken: a refusal of one too many is final although one alone would be served. */
static void test_lanes_refusal_of_the_last_one_is_tried_alone(void **state)
{
    (void)state;
    expect_download("size=8m&rate=2m&fail_first=1&fail_how=reset&fail_at=2m&"
                    "at=2:delay~1800;2:status~403",
        TEST_MIB(8), 19000);
}

/* Broken: the last piece stands still, and nobody is there any more to be compared with. */
static void test_lanes_last_one_that_stands_still_is_replaced(void **state)
{
    (void)state;
    allow_silence();
    expect_download("size=8m&rate=1m&at=3:stall~600k", TEST_MIB(8), 19000);
}

/* Broken: connections that wait for a block are taken for dead. */
static void test_lanes_waiting_for_blocks_is_not_standing_still(void **state)
{
    struct test_file file;
    struct do_job *job;
    size_t count;

    (void)state;
    test_engine_stop();
    test_config()->block_count = 4;
    assert_ok(test_engine_start());
    job = test_download(&file, "file", "size=16m&rate=512k");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(16));
    assert_in_range(bytes_sent(file.server_path, &count), TEST_MIB(16), TEST_MIB(20));
}

/* Broken: bytes of two versions meet, or the download begins anew although one version is whole. */
static void test_lanes_other_version_is_done_without(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=5m&rate=2m&changed_after=2");
    size_t count;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(5));
    (void)bytes_sent(file.server_path, &count);
    assert_int_equal(count, 2);
}

/* Broken: a connection that stands still holds the file back although others would move. */
static void test_lanes_replace_one_that_stands_still(void **state)
{
    struct test_file file;
    uint64_t start_ms = do_clock_ms();
    struct do_job *job =
        test_download(&file, "file", "size=8m&rate=4m&fail_first=1&fail_how=stall&fail_at=1m");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    /* The server is silent for a minute. */
    assert_in_range(do_clock_ms() - start_ms, 1000, 15000);
    test_complete(job, &file, 1, TEST_MIB(8));
}

/* Broken: what several connections brought is asked for again after a pause or a restart. */
static void test_lanes_resume_asks_for_what_is_missing(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=24m&rate=1m");
    uint64_t had;
    size_t count;

    (void)state;
    test_wait_bytes(job, TEST_MIB(8));
    assert_ok(do_job_suspend(job));
    had = bytes_sent(file.server_path, &count);
    assert_in_range(count, 3, MOST_REQUESTS - 1);
    test_engine_stop();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(24));
    /* What the socket buffers held at the stop, and at a cut. */
    assert_in_range(bytes_sent(file.server_path, &count), TEST_MIB(24), TEST_MIB(38));
    assert_true(had < TEST_MIB(24));
}

/* Broken: ranges that are fetched side by side end up in each other's places. */
static void test_lanes_lists_of_ranges_keep_their_order(void **state)
{
    static const struct do_range ranges[] = {
        {TEST_MIB(9), TEST_MIB(12)}, {17, TEST_MIB(2)}, {TEST_MIB(3) + 1, TEST_MIB(8) + 5}};
    struct test_file file = test_file("file", "size=12m&rate=1m");
    struct do_job *job = test_job();

    (void)state;
    assert_ok(test_add_ranges(job, &file, ranges, 3, DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(job));
    assert_true(test_has_ranges(file.path, 1, ranges, 3));
}

/* Broken: a pause, a cancel or the end of the engine while connections come and go. */
static void test_lanes_stop_at_any_moment(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 12; i++)
    {
        struct test_file file;
        struct do_job *job = test_download(&file, "file", "size=40m&rate=2m");

        test_pause_ms(80 + i * 90);
        if (i % 3 == 0)
        {
            assert_ok(do_job_suspend(job));
            assert_ok(do_job_resume(job));
            test_pause_ms(300);
        }
        assert_ok(do_job_cancel(job));
        assert_int_equal(test_temp_files(), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest lanes[] = {
        ENGINE_TEST(test_lanes_make_a_slow_server_fast),
        ENGINE_TEST(test_lanes_can_be_forbidden),
        ENGINE_TEST(test_lanes_small_file_is_one_request),
        ENGINE_TEST(test_lanes_need_ranges),
        ENGINE_TEST(test_lanes_refused_ones_are_done_without),
        ENGINE_TEST(test_lanes_late_answer_is_not_needed),
        ENGINE_TEST(test_lanes_one_wrong_answer_is_done_without),
        ENGINE_TEST(test_lanes_refusal_of_the_last_one_is_tried_alone),
        ENGINE_TEST(test_lanes_last_one_that_stands_still_is_replaced),
        ENGINE_TEST(test_lanes_waiting_for_blocks_is_not_standing_still),
        ENGINE_TEST(test_lanes_other_version_is_done_without),
        ENGINE_TEST(test_lanes_replace_one_that_stands_still),
        ENGINE_TEST(test_lanes_resume_asks_for_what_is_missing),
        ENGINE_TEST(test_lanes_lists_of_ranges_keep_their_order),
        ENGINE_TEST(test_lanes_stop_at_any_moment),
    };

    return ENGINE_TEST_RUN(lanes);
}
