/* SPDX-License-Identifier: MIT */
/*
 * What servers and networks do wrong: one table of faults with what becomes of the job, then the
 * cases that need more than a row. Whatever happens: an existing target stays as it is until
 * Complete, and no job is TRANSFERRED with wrong bytes.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/support.h"

#define HTTP(status) ((HRESULT)(0x80190000U + (status)))

/* What of the object a row asks for. */
enum shape
{
    WHOLE,
    WHOLE_KNOWN, /* 64 KiB, says the client */
    RANGE,       /* [1000, 20000) */
    RANGE_KNOWN, /* the same of 64 KiB */
    TAIL,        /* [1000, end) */
    BEYOND,      /* [60000, 70000) */
    FAR_BEYOND   /* [70000, 80000) */
};

struct fault
{
    const char *query;
    enum shape shape;
    bool no_retries; /* no-progress time-out 0 */
    enum do_job_state state;
    HRESULT hr;
    enum do_error_context context;
    uint64_t seed; /* TRANSFERRED: what the file must hold */
    uint64_t size; /* 0 = 64 KiB */
};

#define FAILS(query, shape, hr, context)                                                           \
    {                                                                                              \
        query, shape, false, DO_JOB_ERROR, hr, DO_ERROR_CONTEXT_##context, 0, 0                    \
    }
#define FAILS_AT_ONCE(query, shape, hr, context)                                                   \
    {                                                                                              \
        query, shape, true, DO_JOB_ERROR, hr, DO_ERROR_CONTEXT_##context, 0, 0                     \
    }
#define RETRIES(query, shape, hr, context)                                                         \
    {                                                                                              \
        query, shape, false, DO_JOB_TRANSIENT_ERROR, hr, DO_ERROR_CONTEXT_##context, 0, 0          \
    }
#define SUCCEEDS(query, shape, seed, size)                                                         \
    {                                                                                              \
        query, shape, false, DO_JOB_TRANSFERRED, S_OK, DO_ERROR_CONTEXT_NONE, seed, size           \
    }

/* After the first half the connection ends; the next request finds what the rest says. */
#define CUT_ONCE "size=1m&fail_first=1&fail_how=cut&fail_at=500000&"
#define STALE_AFTER_CUT CUT_ONCE "changed_after=2&"

static const struct fault faults[] = {
    /* Statuses. */
    FAILS("status=400", WHOLE, HTTP(400), REMOTE_FILE),
    FAILS("auth=basic", WHOLE, HTTP(401), REMOTE_FILE),
    FAILS("status=403", WHOLE, HTTP(403), REMOTE_FILE),
    FAILS("status=404", WHOLE, HTTP(404), REMOTE_FILE),
    FAILS("auth=proxy", WHOLE, HTTP(407), REMOTE_FILE),
    FAILS("status=410", WHOLE, HTTP(410), REMOTE_FILE),
    FAILS("status=501", WHOLE, HTTP(501), REMOTE_FILE),
    FAILS("status=404", RANGE, HTTP(404), REMOTE_FILE),
    FAILS_AT_ONCE("status=500", WHOLE, HTTP(500), REMOTE_FILE),
    RETRIES("status=408", WHOLE, HTTP(408), REMOTE_FILE),
    RETRIES("status=429", WHOLE, HTTP(429), REMOTE_FILE),
    RETRIES("status=500", WHOLE, HTTP(500), REMOTE_FILE),
    RETRIES("status=502", WHOLE, HTTP(502), REMOTE_FILE),
    RETRIES("status=503", WHOLE, HTTP(503), REMOTE_FILE),
    RETRIES("status=504", WHOLE, HTTP(504), REMOTE_FILE),
    RETRIES("status=204", WHOLE, DO_E_UNEXPECTED_HTTP_STATUS_2XX, REMOTE_FILE),
    RETRIES("status=203", WHOLE, DO_E_UNEXPECTED_HTTP_STATUS_2XX, REMOTE_FILE),
    /* Bodies. */
    RETRIES("cut=0", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    RETRIES("reset=0", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    RETRIES("drop=1", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    FAILS_AT_ONCE("cut=30000", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    FAILS_AT_ONCE("reset=30000", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    FAILS_AT_ONCE("cut=30000&chunked=1", WHOLE, DO_HR_NET_CONNECTION_ABORTED, NONE),
    FAILS_AT_ONCE("stall=30000", WHOLE, DO_HR_NET_TIMEOUT, NONE),
    FAILS_AT_ONCE("stall=0", RANGE, DO_HR_NET_TIMEOUT, NONE),
    FAILS_AT_ONCE(
        "cut=30000&no_length=1", WHOLE_KNOWN, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    SUCCEEDS("cut=30000", WHOLE, 1, 0),
    SUCCEEDS("reset=30000", WHOLE, 1, 0),
    SUCCEEDS("cut=7000", RANGE, 1, 0),
    SUCCEEDS("long=5000", WHOLE, 1, 0),
    SUCCEEDS("long=5000", RANGE, 1, 0),
    SUCCEEDS("http10=1", WHOLE, 1, 0),
    FAILS("gzip=1", WHOLE, HTTP(406), REMOTE_FILE),
    /* Ranges. */
    RETRIES("short_range=1", RANGE, DO_E_HTTP_BLOCKSIZE_MISMATCH, REMOTE_FILE),
    FAILS("wrong_range=1", RANGE, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    FAILS("wrong_range=1", TAIL, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    FAILS("wrong_total=1", RANGE_KNOWN, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    RETRIES("wrong_total=1", TAIL, DO_E_HTTP_BLOCKSIZE_MISMATCH, REMOTE_FILE),
    FAILS("no_content_range=1", RANGE, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    FAILS("star_total=1", TAIL, DO_E_FILE_SIZE_UNKNOWN_HTTP_206, REMOTE_FILE),
    SUCCEEDS("star_total=1", RANGE, 1, 0),
    FAILS("multipart=1", RANGE, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    FAILS("ignore_range=1", RANGE, DO_E_INSUFFICIENT_RANGE_SUPPORT, REMOTE_FILE),
    FAILS("unsat=1", RANGE, HTTP(416), REMOTE_FILE),
    FAILS("", BEYOND, DO_E_INVALID_RANGE, REMOTE_FILE),
    FAILS("", FAR_BEYOND, HTTP(416), REMOTE_FILE),
    SUCCEEDS("ignore_range=1&cut=70000", WHOLE, 1, 0),
    /* Heads and redirections. */
    RETRIES("head_garbage=1", WHOLE, DO_HR_NET_INVALID_SERVER_RESPONSE, NONE),
    RETRIES("header_flood=400", WHOLE, DO_HR_NET_INVALID_SERVER_RESPONSE, NONE),
    SUCCEEDS("header_flood=200", WHOLE, 1, 0),
    SUCCEEDS("redirect=3", WHOLE, 1, 0),
    SUCCEEDS("redirect=3&redirect_status=307", RANGE, 1, 0),
    FAILS("redirect=15", WHOLE, DO_HR_NET_REDIRECT_FAILED, NONE),
    FAILS("redirect_to=ftp%3A%2F%2F127.0.0.1%2Fx", WHOLE, DO_HR_NET_REDIRECT_FAILED, NONE),
    FAILS("redirect_to=file%3A%2F%2F%2Fetc%2Fpasswd", WHOLE, DO_HR_NET_REDIRECT_FAILED, NONE),
    /* Objects that change between two requests. */
    SUCCEEDS(CUT_ONCE, WHOLE, 1, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT, WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "weak=1", WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "last_modified=none", WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "etag=none", WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "weak=1&last_modified=none", WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "etag=none&last_modified=none", WHOLE, 2, 1 << 20),
    SUCCEEDS(STALE_AFTER_CUT "ignore_range=1", WHOLE, 2, 1 << 20),
    SUCCEEDS(CUT_ONCE "changed_size_after=2", WHOLE, 2, (1 << 20) + 1),
    SUCCEEDS(CUT_ONCE "changed_size_after=2&etag=none&last_modified=none", WHOLE, 2, (1 << 20) + 1),
    SUCCEEDS(CUT_ONCE "ignore_range=1", WHOLE, 1, 1 << 20),
    SUCCEEDS(CUT_ONCE "weak=1&last_modified=none", WHOLE, 1, 1 << 20),
    SUCCEEDS(CUT_ONCE "etag=none&last_modified=none", WHOLE, 1, 1 << 20),
    SUCCEEDS(CUT_ONCE "star_total=1", WHOLE, 1, 1 << 20),
};

/* What a shape asks for; the whole object has no ranges. */
static size_t ranges_of(enum shape shape, struct do_range *range, uint64_t *known_size)
{
    static const struct do_range by_shape[] = {
        [WHOLE] = {0, DO_SIZE_UNKNOWN},
        [WHOLE_KNOWN] = {0, DO_SIZE_UNKNOWN},
        [RANGE] = {1000, 20000},
        [RANGE_KNOWN] = {1000, 20000},
        [TAIL] = {1000, DO_SIZE_UNKNOWN},
        [BEYOND] = {60000, 70000},
        [FAR_BEYOND] = {70000, 80000},
    };

    *range = by_shape[shape];
    *known_size = shape == WHOLE_KNOWN || shape == RANGE_KNOWN ? 65536 : DO_SIZE_UNKNOWN;
    return shape == WHOLE || shape == WHOLE_KNOWN ? 0 : 1;
}

static struct do_job *begin(const struct fault *fault, struct test_file *file)
{
    struct do_job *job = test_job();
    struct do_range range;
    uint64_t size;
    size_t count = ranges_of(fault->shape, &range, &size);

    *file = test_file("target", fault->query);
    test_write_file(file->path, "old", 3);
    assert_ok(test_add_ranges(job, file, count ? &range : NULL, count, size));
    if (fault->no_retries)
        assert_ok(do_job_set_no_progress_timeout_s(job, 0));
    assert_ok(do_job_resume(job));
    return job;
}

/* Whether Complete gives exactly the bytes of the row; what is wrong otherwise. */
static const char *complete(
    const struct fault *fault, struct do_job *job, const struct test_file *file)
{
    uint64_t size = fault->size ? fault->size : 65536;
    struct do_range range;

    (void)ranges_of(fault->shape, &range, &(uint64_t){0});
    if (range.end == DO_SIZE_UNKNOWN)
        range.end = size;
    if (FAILED(do_job_complete(job)))
        return "cannot be completed";
    return test_has_ranges(file->path, fault->seed, &range, 1) ? NULL : "has wrong bytes";
}

/* NULL, or what is wrong. */
static const char *check(
    const struct fault *fault, struct do_job *job, const struct test_file *file)
{
    struct do_job_error error = {S_OK, DO_ERROR_CONTEXT_NONE, NULL};
    enum do_job_state state = test_wait(job, TEST_STATE(fault->state) | TEST_ENDED);

    (void)do_job_get_error(job, &error);
    if (!test_has_text(file->path, "old"))
        return "the target was touched";
    if (state != fault->state)
    {
        print_error("state %d, error 0x%08x: ", (int)state, (unsigned int)error.code);
        return "wrong state";
    }
    if (error.code != fault->hr || error.context != fault->context)
    {
        print_error("0x%08x, context %d: ", (unsigned int)error.code, (int)error.context);
        return "wrong error";
    }
    if (FAILED(fault->hr) && error.file != do_job_get_file(job, 0))
        return "the error names another file";
    if (state == DO_JOB_TRANSFERRED)
        return complete(fault, job, file);
    if (FAILED(do_job_cancel(job)))
        return "cannot be cancelled";
    return test_has_text(file->path, "old") ? NULL : "the target was touched by Cancel";
}

/* Broken: a fault ends in the wrong state, with the wrong code, or in wrong bytes. */
static void test_faults_end_as_the_table_says(void **state)
{
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        struct test_file file;
        struct do_job *job = begin(&faults[i], &file);
        const char *wrong = check(&faults[i], job, &file);

        if (!wrong && test_temp_files())
            wrong = "a temporary file is left";
        if (wrong)
        {
            print_error("%s (%zu): %s\n", faults[i].query, i, wrong);
            (void)do_job_cancel(job);
            failed++;
        }
        if (i % 30 == 29)
        {
            test_engine_stop();
            assert_ok(test_engine_start());
        }
    }
    assert_int_equal(failed, 0);
}

/* A port that nobody listens on. */
static uint16_t dead_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int holder = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(holder, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(holder, (struct sockaddr *)&address, &length), 0);
    (void)close(holder);
    return ntohs(address.sin_port);
}

static void check_url(const char *url, HRESULT hr)
{
    struct do_job *job = test_job();
    struct test_file file = test_file("target", "");
    struct do_job_error error;

    (void)snprintf(file.url, sizeof(file.url), "%s", url);
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_ok(do_job_get_error(job, &error));
    assert_hr(hr, error.code);
    assert_int_equal(error.context, DO_ERROR_CONTEXT_NONE);
    assert_ok(do_job_cancel(job));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: nobody at the port is taken for a fatal failure, or for another one. */
static void test_faults_dead_port_cannot_connect(void **state)
{
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", (unsigned int)dead_port());
    check_url(url, DO_HR_NET_CANNOT_CONNECT);
}

/* Broken: a name that does not exist is taken for a dead server. */
static void test_faults_unknown_name_is_not_resolved(void **state)
{
    (void)state;
    check_url("http://dosvc-test.invalid/x", DO_HR_NET_NAME_NOT_RESOLVED);
}

/* Broken: a failure that heals in a moment frightens the client. */
static void test_faults_short_failure_does_not_show(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "fail_first=2&fail_status=503");

    (void)state;
    assert_int_equal(
        test_wait(job, TEST_ENDED | TEST_STATE(DO_JOB_TRANSIENT_ERROR)), DO_JOB_TRANSFERRED);
    assert_int_equal(do_job_get_error_count(job), 0);
    test_complete(job, &file, 1, 65536);
}

/* Broken: a longer failure does not show, or stays when it is over. */
static void test_faults_longer_failure_shows_and_heals(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "fail_first=5&fail_status=503");

    (void)state;
    assert_int_equal(
        test_wait(job, TEST_ENDED | TEST_STATE(DO_JOB_TRANSIENT_ERROR)), DO_JOB_TRANSIENT_ERROR);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(S_OK, test_error(job));
    assert_true(do_job_get_error_count(job) > 0);
    test_complete(job, &file, 1, 65536);
}

/* Broken: Resume does not try at once, or keeps the old error. */
static void test_faults_resume_tries_again_after_error(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "fail_first=1&fail_status=404");

    (void)state;
    test_wait_state(job, DO_JOB_ERROR);
    assert_ok(do_job_suspend(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_ERROR);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(S_OK, test_error(job));
    test_complete(job, &file, 1, 65536);
}

/* Broken: Resume while the job waits to retry does not shorten the wait. */
static void test_faults_resume_shortens_the_wait(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "fail_first=3&fail_status=503&x_=1");

    (void)state;
    assert_ok(do_job_set_min_retry_delay_s(job, 3600));
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, 65536);
}

/* Broken: a server that never recovers is asked for ever, or the reason is lost. */
static void test_faults_no_progress_ends_with_the_last_failure(void **state)
{
    struct do_job *job = test_job();

    (void)state;
    (void)test_add(job, "file", "status=503");
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP(503), test_error(job));
}

/* Broken: a server that says nothing is waited for beyond the time that the client set. */
static void test_faults_no_progress_without_failure_has_its_own_code(void **state)
{
    struct do_job *job = test_job();

    (void)state;
    (void)test_add(job, "file", "delay=10000");
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_E_DOWNLOAD_NO_PROGRESS, test_error(job));
}

/* Broken: bytes that trickle in count as no progress. */
static void test_faults_slow_bytes_are_progress(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=60k&rate=20k");

    (void)state;
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_KIB(60));
}

/* Broken: a time-out that is set while the job runs takes effect only with the next Resume. */
static void test_faults_no_progress_time_can_be_set_while_running(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "status=503");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP(503), test_error(job));
}

/* Broken: a transfer that waits in silence is not held to a time-out that is set meanwhile. */
static void test_faults_no_progress_time_reaches_a_silent_transfer(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "delay=10000");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRING);
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_E_DOWNLOAD_NO_PROGRESS, test_error(job));
}

/* Broken: a server that asks for patience is asked again at once. */
static void test_faults_retry_after_is_honoured(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "fail_first=1&fail_status=503&retry_after=1");
    struct test_request requests[2];

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(test_requests(file.server_path, 2, requests, 2), 2);
    assert_true(requests[1].time_ms - requests[0].time_ms >= 990);
    test_complete(job, &file, 1, 65536);
}

/* Broken: a whole file goes on from bytes that nothing ties to the rest. */
static void check_restart(const char *validators)
{
    struct test_file file;
    char query[200];
    struct test_request requests[3];
    struct do_job *job;

    (void)snprintf(query, sizeof(query), "%s%s", CUT_ONCE, validators);
    job = test_download(&file, "file", query);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
    assert_false(requests[1].has_range);
    assert_int_equal(requests[1].sent, TEST_MIB(1));
    test_complete(job, &file, 1, TEST_MIB(1));
}

/* Broken: see check_restart. RFC 9110 15.3.7.3: only a strong validator lets parts be combined. */
static void test_faults_without_strong_validator_begin_anew(void **state)
{
    (void)state;
    check_restart("etag=none&last_modified=none");
    check_restart("weak=1&last_modified=none");
}

/* Broken: a cut whole file with validators begins anew instead of going on under If-Range. */
static void test_faults_cut_goes_on_under_if_range(void **state)
{
    static const struct
    {
        const char *query;
        const char *if_range;
    } rows[] = {
        {CUT_ONCE "etag=tag", "\"tag\""},
        {CUT_ONCE "etag=tag&weak=1", "Wed, 01 Jan 2020 00:00:00 GMT"},
        {CUT_ONCE "etag=none", "Wed, 01 Jan 2020 00:00:00 GMT"},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        char name[8];
        struct test_file file;
        struct test_request requests[3];
        struct do_job *job;

        (void)snprintf(name, sizeof(name), "f%zu", i);
        job = test_download(&file, name, rows[i].query);
        test_wait_state(job, DO_JOB_TRANSFERRED);
        assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
        assert_int_equal(requests[1].range.begin, 500000);
        assert_string_equal(requests[1].if_range, rows[i].if_range);
        assert_int_equal(requests[1].sent, TEST_MIB(1) - 500000);
        test_complete(job, &file, 1, TEST_MIB(1));
    }
}

/* Broken: a file that begins anew with each attempt counts as progress and is tried for ever. */
static void test_faults_beginning_anew_for_ever_is_no_progress(void **state)
{
    struct test_file file;
    struct do_job *job =
        test_download(&file, "file", "etag=none&last_modified=none&cut=20000&size=60k");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    assert_hr(DO_HR_NET_CONNECTION_ABORTED, test_error(job));
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_HR_NET_CONNECTION_ABORTED, test_error(job));
    assert_false(test_exists(file.path));
}

/* Broken: the time in the queue counts as time without progress. */
static void test_faults_waiting_for_a_slot_is_no_lack_of_progress(void **state)
{
    struct test_file slow_file;
    struct test_file file;
    struct do_job *slow;
    struct do_job *job;

    (void)state;
    test_engine_stop();
    test_config()->max_running_jobs = 1;
    assert_ok(test_engine_start());
    slow = test_download(&slow_file, "slow", "size=64m&rate=1m");
    test_wait_bytes(slow, 1);
    job = test_job();
    file = test_add(job, "file", "delay=200");
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(do_job_resume(job));
    test_pause_ms(1500);
    assert_int_equal(do_job_get_state(job), DO_JOB_QUEUED);
    assert_ok(do_job_cancel(slow));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(do_job_get_error_count(job), 0);
    test_complete(job, &file, 1, 65536);
}

int main(void)
{
    static const struct CMUnitTest faults_tests[] = {
        ENGINE_TEST(test_faults_end_as_the_table_says),
        ENGINE_TEST(test_faults_dead_port_cannot_connect),
        ENGINE_TEST(test_faults_unknown_name_is_not_resolved),
        ENGINE_TEST(test_faults_short_failure_does_not_show),
        ENGINE_TEST(test_faults_longer_failure_shows_and_heals),
        ENGINE_TEST(test_faults_resume_tries_again_after_error),
        ENGINE_TEST(test_faults_resume_shortens_the_wait),
        ENGINE_TEST(test_faults_no_progress_ends_with_the_last_failure),
        ENGINE_TEST(test_faults_no_progress_without_failure_has_its_own_code),
        ENGINE_TEST(test_faults_slow_bytes_are_progress),
        ENGINE_TEST(test_faults_no_progress_time_can_be_set_while_running),
        ENGINE_TEST(test_faults_no_progress_time_reaches_a_silent_transfer),
        ENGINE_TEST(test_faults_retry_after_is_honoured),
        ENGINE_TEST(test_faults_without_strong_validator_begin_anew),
        ENGINE_TEST(test_faults_cut_goes_on_under_if_range),
        ENGINE_TEST(test_faults_beginning_anew_for_ever_is_no_progress),
        ENGINE_TEST(test_faults_waiting_for_a_slot_is_no_lack_of_progress),
    };

    return ENGINE_TEST_RUN(faults_tests);
}
