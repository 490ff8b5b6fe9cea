/* SPDX-License-Identifier: MIT */
/*
 * What clients set on jobs and files, and what comes of it: the maximum download time, retention,
 * properties that are stored and some that are not, credentials, headers, proxies, other URLs,
 * statistics, and streams that get a job's file at Complete. The clock of jobs is the test's. The
 * stream is called on the test's thread only. Long, since the subjects are many and each is short.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/download.h"
#include "plat/plat.h"

#define HTTP_401 ((HRESULT)0x80190191)
#define DAY_S ((uint64_t)24 * 3600)
#define MANY_JOBS 30U

/* The clock */

static atomic_uint_fast64_t clock_offset_s;

static uint64_t shifted_filetime(void)
{
    return do_clock_filetime() + atomic_load(&clock_offset_s) * 10000000U;
}

static void restart_after_days(uint64_t days)
{
    test_engine_stop();
    atomic_store(&clock_offset_s, atomic_load(&clock_offset_s) + days * DAY_S);
    test_config()->filetime = shifted_filetime;
    assert_ok(test_engine_start());
}

static void restart(void)
{
    test_engine_stop();
    assert_ok(test_engine_start());
}

/* Values */

static void set_number(struct do_job *job, enum do_prop id, uint64_t number)
{
    const struct do_setting setting = {(uint32_t)id, do_value_of_number(number)};

    assert_ok(do_job_set_values(job, &setting, 1));
}

static void set_text(struct do_job *job, enum do_prop id, const char *text)
{
    const struct do_setting setting = {(uint32_t)id, do_value_of_text(text)};

    assert_ok(do_job_set_values(job, &setting, 1));
}

static void assert_text(struct do_job *job, enum do_prop id, const char *text)
{
    struct do_value value;

    assert_ok(do_job_get_value(job, id, &value));
    if (text)
    {
        assert_int_equal(value.kind, DO_VALUE_TEXT);
        assert_string_equal(value.data, text);
    }
    else
        assert_int_equal(value.kind, DO_VALUE_EMPTY);
    do_value_finish(&value);
}

static uint64_t bytes_of(struct do_job *job)
{
    struct do_job_progress progress;

    do_job_get_progress(job, &progress);
    return progress.bytes_transferred;
}

/* Maximum download time */

/* Broken: a download goes on for ever, fails for ever, or loses its bytes with the time. */
static void test_options_maximum_time_ends_a_job(void **state)
{
    struct test_request requests[4];
    struct test_file file;
    struct do_job *job;
    uint64_t start_ms;
    uint64_t had;

    (void)state;
    test_one_connection();
    job = test_job();
    file = test_add(job, "file", "size=4m&rate=1m");
    start_ms = do_clock_ms();
    set_number(job, DO_PROP_MAX_DOWNLOAD_TIME, 1);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_true(do_clock_ms() - start_ms >= 990);
    assert_hr(DO_HR_MAXDOWNLOAD_TIMEOUT, test_error(job));
    had = bytes_of(job);
    assert_in_range(had, 1, TEST_MIB(4) - 1);
    assert_int_equal(test_temp_files(), 1);
    /* Another second from Resume on, then no limit. */
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_HR_MAXDOWNLOAD_TIMEOUT, test_error(job));
    assert_true(bytes_of(job) > had);
    set_number(job, DO_PROP_MAX_DOWNLOAD_TIME, 0);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    assert_int_equal(test_requests(file.server_path, 3, requests, 4), 3);
}

/* Broken: a time that is set while the job runs, retries or stalls has no effect. */
static void test_options_maximum_time_reaches_a_job_that_runs(void **state)
{
    static const char *const queries[] = {"size=40m&rate=1m", "status=503", "size=4m&stall=1000"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct test_file file;
        struct do_job *job = test_download(&file, "file", queries[i]);

        (void)test_wait(job, TEST_STATE(DO_JOB_TRANSFERRING) | TEST_STATE(DO_JOB_TRANSIENT_ERROR));
        set_number(job, DO_PROP_MAX_DOWNLOAD_TIME, 1);
        test_wait_state(job, DO_JOB_ERROR);
        assert_hr(DO_HR_MAXDOWNLOAD_TIMEOUT, test_error(job));
        assert_ok(do_job_cancel(job));
        assert_int_equal(test_temp_files(), 0);
    }
}

/* Broken: a job that is suspended or done runs out of time. */
static void test_options_maximum_time_stands_still_with_the_job(void **state)
{
    struct do_job *suspended = test_job();
    struct do_job *done = test_job();
    struct test_file file = test_add(done, "done", "size=1000");

    (void)state;
    (void)test_add(suspended, "suspended", "size=8m&rate=1m");
    set_number(suspended, DO_PROP_MAX_DOWNLOAD_TIME, 2);
    set_number(done, DO_PROP_MAX_DOWNLOAD_TIME, 2);
    assert_ok(do_job_resume(done));
    assert_ok(do_job_resume(suspended));
    test_wait_bytes(suspended, 1);
    assert_ok(do_job_suspend(suspended));
    test_pause_ms(2300);
    assert_int_equal(do_job_get_state(suspended), DO_JOB_SUSPENDED);
    assert_int_equal(do_job_get_state(done), DO_JOB_TRANSFERRED);
    assert_ok(do_job_cancel(suspended));
    test_complete(done, &file, 1, 1000);
}

/* Retention */

static void wait_job_count(size_t count)
{
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && test_job_count() != count; waited += 5)
        test_pause_ms(5);
    assert_int_equal(test_job_count(), count);
}

/* Broken: jobs that nobody ends stay for ever, go too early, or leave their files. */
static void test_options_old_jobs_are_cancelled(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_after_days(0);
    (void)test_download(&file, "file", "size=4m&rate=2m");
    job = test_only_job();
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    restart_after_days(29);
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_int_equal(test_temp_files(), 1);
    restart_after_days(1);
    wait_job_count(0);
    test_engine_stop();
    assert_int_equal(test_temp_files(), 0);
    assert_false(test_exists(file.path));
    assert_ok(test_engine_start());
    assert_int_equal(test_job_count(), 0);
}

/* Broken: who holds an old job is not told why it is gone. */
static void test_options_holders_of_old_jobs_are_told(void **state)
{
    struct do_job **jobs = NULL;
    size_t count = 0;

    (void)state;
    restart_after_days(0);
    for (unsigned int i = 0; i < MANY_JOBS; i++)
        (void)test_job();
    restart_after_days(31);
    /* They go one after the other meanwhile; whoever asks at once gets most of them. */
    assert_ok(do_engine_list_jobs(test_engine(), DO_JOB_KIND_LEGACY, &jobs, &count));
    assert_in_range(count, 0, MANY_JOBS);
    for (size_t i = 0; i < count; i++)
    {
        struct do_job_error error;

        assert_int_equal(test_wait(jobs[i], TEST_STATE(DO_JOB_CANCELLED)), DO_JOB_CANCELLED);
        assert_ok(do_job_get_error(jobs[i], &error));
        assert_hr(DO_E_JOB_TOO_OLD, error.code);
        assert_hr(DO_E_INVALID_STATE, do_job_resume(jobs[i]));
        do_job_release(jobs[i]);
    }
    do_free(jobs);
    wait_job_count(0);
}

/* Broken: an old job that runs is cancelled under its transfer, or keeps its slot. */
static void test_options_old_job_that_runs_is_cancelled(void **state)
{
    struct do_queue_db *db = NULL;
    struct test_file file = test_file("file", "size=64m&rate=1m");
    struct do_job_record record;
    struct do_file_record row;

    (void)state;
    restart_after_days(0);
    test_engine_stop();
    assert_ok(do_queue_db_open(test_config()->database_path, &db));
    do_job_record_init(&record);
    do_file_record_init(&row);
    assert_ok(do_random_bytes(record.id.bytes, sizeof(record.id.bytes)));
    record.priority = DO_PRIORITY_NORMAL;
    record.state = DO_JOB_TRANSFERRING;
    record.error_file = UINT32_MAX;
    record.creation_time = shifted_filetime();
    record.owner = (struct do_process){0x7FFFFFF0, 1};
    assert_ok(do_queue_db_insert_job(db, &record));
    assert_ok(do_str_assign(&row.content_id, "content"));
    assert_ok(do_str_assign(&row.url, file.url));
    assert_ok(do_str_assign(&row.local_path, file.path));
    assert_ok(do_queue_db_insert_file(db, &record.id, &row));
    do_file_record_finish(&row);
    do_job_record_finish(&record);
    do_queue_db_close(db);
    atomic_store(&clock_offset_s, atomic_load(&clock_offset_s) + 31 * DAY_S);
    assert_ok(test_engine_start());
    wait_job_count(0);
    test_engine_stop();
    assert_int_equal(test_temp_files(), 0);
    assert_ok(test_engine_start());
}

/* What is stored */

/* Broken: what a client sets is gone with the engine, or a password is not. */
static void test_options_values_outlive_the_engine_but_secrets_do_not(void **state)
{
    static const unsigned char id[16] = {1, 0, 2, 0xFF};
    const struct do_setting settings[] = {
        {DO_PROP_HTTP_HEADERS, do_value_of_text("X-Test: 1\r\n")},
        {DO_PROP_AUTH_HEADERS, do_value_of_text("Authorization: Basic dXNlcjpzZWNyZXQ=\r\n")},
        {DO_PROP_NOTIFY_PROGRAM, do_value_of_text("C:\\a b.exe")},
        {DO_PROP_MAX_DOWNLOAD_TIME, do_value_of_number(0)},
        {DO_PROP_COST_FLAGS, do_value_of_number(0x800000FFU)},
        {DO_PROP_NOTIFY_CLSID, do_value_of_bytes(id, sizeof(id))},
    };
    const struct do_credential credential = {
        DO_AUTH_SERVER, DO_AUTH_BASIC, (char *)"user", (char *)"secret"};
    const struct do_value validated = do_value_of_number(1);
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=1000&auth=basic");
    struct do_value value;

    (void)state;
    assert_ok(do_job_set_values(job, settings, DO_COUNT_OF(settings)));
    assert_ok(do_job_set_credential(job, &credential));
    assert_ok(do_job_file_set_value(do_job_get_file(job, 0), DO_FILE_PROP_VALIDATION, &validated));
    assert_text(job, DO_PROP_AUTH_HEADERS, settings[1].value.data);
    restart();
    job = test_only_job();
    assert_text(job, DO_PROP_HTTP_HEADERS, settings[0].value.data);
    assert_text(job, DO_PROP_AUTH_HEADERS, NULL);
    assert_text(job, DO_PROP_NOTIFY_PROGRAM, settings[2].value.data);
    for (size_t i = 3; i < DO_COUNT_OF(settings); i++)
    {
        assert_ok(do_job_get_value(job, (enum do_prop)settings[i].id, &value));
        assert_true(do_value_equal(&value, &settings[i].value));
        do_value_finish(&value);
    }
    assert_ok(do_job_file_get_value(do_job_get_file(job, 0), DO_FILE_PROP_VALIDATION, &value));
    assert_int_equal(value.number, 1);
    do_value_finish(&value);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP_401, test_error(job));
    assert_ok(do_job_set_credential(job, &credential));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, 1000);
}

/* Broken: a value cannot be cleared, or comes back with the next engine. */
static void test_options_empty_value_clears(void **state)
{
    struct do_job *job = test_job();

    (void)state;
    set_text(job, DO_PROP_NOTIFY_PROGRAM, "program");
    set_text(job, DO_PROP_NOTIFY_PROGRAM, NULL);
    assert_text(job, DO_PROP_NOTIFY_PROGRAM, NULL);
    restart();
    assert_text(test_only_job(), DO_PROP_NOTIFY_PROGRAM, NULL);
}

/* Broken: of several values some are kept although the call failed. */
static void test_options_values_without_memory_change_nothing(void **state)
{
    const struct do_setting settings[] = {
        {DO_PROP_HTTP_HEADERS, do_value_of_text("X-Test: 1\r\n")},
        {DO_PROP_PROXY_LIST, do_value_of_text("proxy:1")},
        {DO_PROP_NOTIFY_PROGRAM, do_value_of_text("program")},
    };
    struct do_job *job = test_job();
    uint64_t n;

    (void)state;
    for (n = 1; n < 200; n++)
    {
        bool stored = false;
        HRESULT hr;

        do_alloc_fail_nth(n);
        hr = do_job_set_values(job, settings, DO_COUNT_OF(settings));
        do_alloc_fail_nth(0);
        if (hr == S_OK)
            break;
        assert_hr(E_OUTOFMEMORY, hr);
        for (size_t i = 0; i < DO_COUNT_OF(settings); i++)
        {
            struct do_value value;

            assert_ok(do_job_get_value(job, (enum do_prop)settings[i].id, &value));
            /* Stored, but not yet what requests are made with: all or none of them. */
            if (!i)
                stored = value.kind != DO_VALUE_EMPTY;
            assert_int_equal(value.kind != DO_VALUE_EMPTY, stored);
            do_value_finish(&value);
        }
    }
    assert_in_range(n, 3, 199);
    for (size_t i = 0; i < DO_COUNT_OF(settings); i++)
        assert_text(job, (enum do_prop)settings[i].id, settings[i].value.data);
}

/* What requests are made with */

/* Broken: a password is sent unasked, not sent, kept after it was taken away, or to nobody's use.
 */
static void test_options_credentials_open_the_server(void **state)
{
    const struct do_credential wrong = {
        DO_AUTH_SERVER, DO_AUTH_BASIC, (char *)"user", (char *)"wrong"};
    const struct do_credential right = {
        DO_AUTH_SERVER, DO_AUTH_BASIC, (char *)"user", (char *)"secret"};
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=1000&auth=basic");
    char header[128];

    (void)state;
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP_401, test_error(job));
    assert_ok(do_job_set_credential(job, &wrong));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP_401, test_error(job));
    assert_ok(do_job_set_credential(job, &right));
    assert_ok(do_job_remove_credential(job, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_hr(S_FALSE, do_job_remove_credential(job, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(HTTP_401, test_error(job));
    assert_ok(do_job_set_credential(job, &right));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_request_header(file.server_path, 0, "authorization", header, sizeof(header));
    assert_string_equal(header, "");
    test_complete(job, &file, 1, 1000);
    assert_hr(DO_E_INVALID_STATE, do_job_set_credential(job, &right));
}

/* Broken: headers do not reach the server, bad lines spoil good ones, or change too late. */
static void test_options_headers_reach_the_server(void **state)
{
    struct test_file file;
    struct do_job *job;
    char header[128];

    (void)state;
    test_one_connection();
    job = test_job();
    file = test_add(job, "file", "size=2m&cut=1m&rate=1m");
    set_text(job, DO_PROP_HTTP_HEADERS, "X-One: first\r\nno header\r\nX-Two: 2\r\n");
    set_text(job, DO_PROP_AUTH_HEADERS, "X-Secret: s\r\n");
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 1);
    set_text(job, DO_PROP_HTTP_HEADERS, "X-One: second\r\n");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_request_header(file.server_path, 0, "x-one", header, sizeof(header));
    assert_string_equal(header, "first");
    test_request_header(file.server_path, 0, "x-two", header, sizeof(header));
    assert_string_equal(header, "2");
    test_request_header(file.server_path, 0, "x-secret", header, sizeof(header));
    assert_string_equal(header, "");
    test_request_header(file.server_path, 1, "x-one", header, sizeof(header));
    assert_string_equal(header, "second");
    test_complete(job, &file, 1, TEST_MIB(2));
}

/* Broken: headers for who asks for credentials are not sent then. */
static void test_options_auth_headers_answer_a_challenge(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=1000&auth=basic");
    char header[128];

    (void)state;
    set_text(job, DO_PROP_AUTH_HEADERS, "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n");
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_request_header(file.server_path, 0, "authorization", header, sizeof(header));
    assert_string_equal(header, "");
    test_request_header(file.server_path, 1, "authorization", header, sizeof(header));
    assert_string_equal(header, "Basic dXNlcjpzZWNyZXQ=");
    test_complete(job, &file, 1, 1000);
}

/* Broken: a proxy that the client names is not used, or an old one still is. */
static void test_options_proxy_is_used(void **state)
{
    struct test_file file = test_file("file", "size=1000");
    struct do_setting settings[] = {
        {DO_PROP_PROXY_USAGE, do_value_of_number(DO_PROXY_OVERRIDE)},
        {DO_PROP_PROXY_LIST, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_PROXY_BYPASS, do_value_of_text("other.test")},
    };
    struct do_job *job = test_job();
    char list[64];
    char header[128];

    (void)state;
    (void)snprintf(list, sizeof(list), "127.0.0.1:%u", (unsigned int)test_server_port());
    settings[1].value = do_value_of_text(list);
    (void)snprintf(
        file.url, sizeof(file.url), "http://files.invalid%s?size=1000", file.server_path);
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_set_values(job, settings, DO_COUNT_OF(settings)));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_request_header(file.server_path, 0, "host", header, sizeof(header));
    assert_string_equal(header, "files.invalid");
    test_complete(job, &file, 1, 1000);
}

/* Other URLs */

/* A URL of the same object under another path. */
static struct test_file other_url(const struct test_file *file, const char *query)
{
    struct test_file other = test_file("other", query);

    memcpy(other.path, file->path, sizeof(other.path));
    return other;
}

/* Broken: a suspended job goes on where it was told not to, or begins anew. */
static void test_options_url_of_a_suspended_job(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=4m&rate=4m&etag=tag");
    struct test_file same = other_url(&file, "size=4m&etag=tag");
    struct test_request requests[4];
    uint64_t had;

    (void)state;
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    had = bytes_of(job);
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), same.url));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &same, 1, TEST_MIB(4));
    assert_int_equal(test_requests(file.server_path, 1, requests, 4), 1);
    assert_int_equal(test_requests(same.server_path, 1, requests, 4), 1);
    assert_int_equal(requests[0].range.begin, had);
    assert_int_equal(requests[0].status, 206);
}

/* Broken: bytes of two objects meet in one file. */
static void test_options_url_of_another_object_begins_anew(void **state)
{
    static const char *const queries[] = {"size=3m&seed=2", "size=5m&seed=2&etag=tag",
        "size=4m&seed=2&etag=other", "size=4m&seed=2&ignore_range=1"};
    static const uint64_t sizes[] = {TEST_MIB(3), TEST_MIB(5), TEST_MIB(4), TEST_MIB(4)};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct test_file file;
        struct do_job *job = test_download(&file, "file", "size=4m&rate=4m&etag=tag");
        struct test_file other = other_url(&file, queries[i]);

        test_wait_bytes(job, TEST_MIB(1));
        assert_ok(do_job_suspend(job));
        assert_ok(do_job_file_set_url(do_job_get_file(job, 0), other.url));
        assert_ok(do_job_resume(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        test_complete(job, &other, 2, sizes[i]);
    }
}

/* Broken: a job that runs does not use its new URL for the next request, or not at all. */
static void test_options_url_of_a_running_job_is_for_the_next_request(void **state)
{
    struct test_request requests[4];
    struct test_file file;
    struct test_file same;
    struct do_job *job;
    char *url = NULL;

    (void)state;
    test_one_connection();
    job = test_download(&file, "file", "size=4m&rate=2m&etag=tag&cut=2m");
    same = other_url(&file, "size=4m&etag=tag");
    test_wait_bytes(job, 1);
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), same.url));
    assert_ok(do_job_file_get_url(do_job_get_file(job, 0), &url));
    assert_string_equal(url, same.url);
    do_free(url);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(test_requests(file.server_path, 1, requests, 4), 1);
    assert_int_equal(requests[0].sent, TEST_MIB(2));
    assert_int_equal(test_requests(same.server_path, 1, requests, 4), 1);
    assert_int_equal(requests[0].range.begin, TEST_MIB(2));
    /* What is transferred stays so. */
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), file.url));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    assert_hr(E_INVALIDARG, do_job_file_set_url(do_job_get_file(job, 0), "ftp://h/x"));
    test_complete(job, &same, 1, TEST_MIB(4));
}

static void assert_url(struct do_job *job, size_t index, const char *url)
{
    char *found = NULL;

    assert_ok(do_job_file_get_url(do_job_get_file(job, index), &found));
    assert_string_equal(found, url);
    do_free(found);
}

static void add_url(struct do_job *job, const char *name, const char *url)
{
    struct test_file file = test_file(name, "");

    (void)snprintf(file.url, sizeof(file.url), "%s", url);
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
}

/* Broken: some URLs are changed and others not, or a prefix is found amid a URL. */
static void test_options_prefix_is_replaced_in_all_or_none(void **state)
{
    static char prefix[2300];
    struct do_job *job = test_job();

    (void)state;
    add_url(job, "a", "http://one.test/x/a");
    add_url(job, "b", "http://two.test/?u=http://one.test/x/");
    add_url(job, "c", "http://one.test/x/c?long=1");
    assert_hr(S_FALSE, do_job_replace_url_prefix(job, "http://three.test/", "http://h/"));
    assert_ok(do_job_replace_url_prefix(job, "http://one.test/x/", "https://new.test/"));
    assert_url(job, 0, "https://new.test/a");
    assert_url(job, 1, "http://two.test/?u=http://one.test/x/");
    assert_url(job, 2, "https://new.test/c?long=1");
    assert_hr(E_INVALIDARG, do_job_replace_url_prefix(job, "https://new.test/", "ftp://h/"));
    assert_hr(E_INVALIDARG, do_job_replace_url_prefix(job, "", "http://h/"));
    /* The first one would still fit. */
    memset(prefix, 'p', 2195);
    memcpy(prefix, "http://h/", 9);
    assert_hr(E_INVALIDARG, do_job_replace_url_prefix(job, "https://new.test/", prefix));
    assert_url(job, 0, "https://new.test/a");
    assert_url(job, 2, "https://new.test/c?long=1");
    restart();
    job = test_only_job();
    assert_url(job, 0, "https://new.test/a");
    assert_url(job, 1, "http://two.test/?u=http://one.test/x/");
    assert_url(job, 2, "https://new.test/c?long=1");
}

/* Statistics */

/* Broken: what a client reads of a file is not what happens to it. */
static void test_options_statistics_follow_the_file(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=2m&rate=2m");
    struct do_job_file *job_file = do_job_get_file(job, 0);
    struct do_file_stats stats;
    uint32_t duration_ms;

    (void)state;
    memset(&stats, 0xEE, sizeof(stats));
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.file_size, 0);
    assert_int_equal(stats.bytes_downloaded, 0);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.duration_ms, 0);
    assert_int_equal(stats.status, DO_FILE_PAUSED);
    assert_true(stats.is_background);
    assert_ok(do_job_set_priority(job, DO_PRIORITY_FOREGROUND));
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, TEST_MIB(1));
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.file_size, TEST_MIB(2));
    assert_true(stats.bytes_downloaded >= TEST_MIB(1));
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.status, DO_FILE_DOWNLOADING);
    assert_false(stats.is_background);
    assert_ok(do_job_suspend(job));
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.status, DO_FILE_PAUSED);
    duration_ms = stats.duration_ms;
    assert_in_range(duration_ms, 100, TEST_WAIT_MS);
    test_pause_ms(50);
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.duration_ms, duration_ms);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.status, DO_FILE_COMPLETE);
    assert_int_equal(stats.bytes_downloaded, TEST_MIB(2));
    assert_int_equal(stats.connections, 0);
    assert_true(stats.duration_ms > duration_ms);
    test_complete(job, &file, 1, TEST_MIB(2));
    do_job_file_get_stats(job_file, &stats);
    assert_int_equal(stats.status, DO_FILE_COMPLETE);
}

/* Streams of jobs */

enum sink_call
{
    SINK_NONE,
    SINK_REWIND,
    SINK_WRITE,
    SINK_COMMIT
};

struct sink
{
    struct do_stream head;
    unsigned char *bytes;
    size_t length;
    size_t writes_before_failure;
    enum sink_call failing;
    HRESULT failure;
    unsigned int rewinds;
    unsigned int commits;
    unsigned int destroyed;
};

static HRESULT sink_rewind(struct do_stream *stream)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);

    sink->rewinds++;
    sink->length = 0;
    return sink->failing == SINK_REWIND ? sink->failure : S_OK;
}

static HRESULT sink_write(struct do_stream *stream, const void *data, size_t length)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);
    unsigned char *grown;

    if (sink->failing == SINK_WRITE && !sink->writes_before_failure--)
        return sink->failure;
    if (!(grown = realloc(sink->bytes, sink->length + length + 1)))
        return E_OUTOFMEMORY;
    sink->bytes = grown;
    memcpy(grown + sink->length, data, length);
    sink->length += length;
    return S_OK;
}

static HRESULT sink_commit(struct do_stream *stream)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);

    if (sink->failing == SINK_COMMIT)
        return sink->failure;
    sink->commits++;
    return S_OK;
}

static void sink_destroy(struct do_stream *stream)
{
    DO_CONTAINER_OF(stream, struct sink, head)->destroyed++;
}

static struct sink sink;

static struct do_stream *open_sink(void)
{
    static const struct do_stream_class class = {
        sink_rewind, sink_write, sink_commit, sink_destroy};

    free(sink.bytes);
    memset(&sink, 0, sizeof(sink));
    sink.failure = E_ACCESSDENIED;
    do_stream_init(&sink.head, &class);
    return &sink.head;
}

static void assert_sink_has(uint64_t seed, size_t size)
{
    unsigned char *expected = malloc(size + 1);

    assert_non_null(expected);
    test_fill(seed, expected, size);
    assert_int_equal(sink.length, size);
    assert_memory_equal(sink.bytes, expected, size);
    free(expected);
}

/* A file without a path. */
static struct do_job_file *add_without_path(struct do_job *job, const char *query)
{
    struct test_file file = test_file("none", query);
    const struct do_new_file new_file = {"content", file.url, NULL, NULL, 0, DO_SIZE_UNKNOWN};
    struct do_job_file *added = NULL;

    assert_ok(do_job_add_files(job, &new_file, 1, &added));
    return added;
}

static void give_stream(struct do_job_file *file)
{
    struct do_stream *stream = open_sink();

    assert_ok(do_job_file_set_stream(file, stream));
    do_stream_release(stream);
}

/* Broken: a file that is to go nowhere is fetched, or gets two places. */
static void test_stream_or_path_must_be_there_once(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_file("file", "size=1000");
    struct test_file path = test_file("path", "size=1000");
    struct do_job_file *first = add_without_path(job, "size=1000");
    struct do_job_file *second = add_without_path(job, "size=1000");
    struct do_job *running;

    (void)state;
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, do_job_resume(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_job_file_set_local_path(first, path.path));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, do_job_resume(job));
    give_stream(second);
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, do_job_file_set_local_path(second, path.path));
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, do_job_file_set_stream(first, &sink.head));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(DO_E_INVALID_STATE, do_job_file_set_stream(second, NULL));
    assert_int_equal(sink.length, 0);
    assert_ok(do_job_complete(job));
    assert_true(test_has_object(path.path, 1, 1000));
    assert_sink_has(1, 1000);
    assert_int_equal(sink.destroyed, 1);

    /* One that is added while the job runs. */
    running = test_download(&file, "running", "size=2m&rate=4m");
    (void)add_without_path(running, "size=1000");
    test_wait_state(running, DO_JOB_ERROR);
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, test_error(running));
}

/* Broken: a stream that fails loses the file or the job, or gets a file that begins in the middle.
 */
static void test_stream_failures_at_complete_can_be_repeated(void **state)
{
    static const enum sink_call calls[] = {SINK_REWIND, SINK_WRITE, SINK_WRITE, SINK_COMMIT};
    const size_t size = (size_t)TEST_MIB(3) + 17;
    struct do_job *job = test_job();
    struct do_job_file *file = add_without_path(job, "size=3145745&seed=4");
    struct do_job_error error;

    (void)state;
    give_stream(file);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    for (size_t i = 0; i < DO_COUNT_OF(calls); i++)
    {
        sink.failing = calls[i];
        sink.writes_before_failure = i;
        assert_hr(E_ACCESSDENIED, do_job_complete(job));
        assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
        assert_ok(do_job_get_error(job, &error));
        assert_hr(E_ACCESSDENIED, error.code);
        assert_int_equal(error.context, DO_ERROR_CONTEXT_LOCAL_FILE);
        assert_ptr_equal(error.file, file);
        assert_false(do_job_file_get_progress(file).saved);
        assert_int_equal(sink.destroyed, 0);
    }
    sink.failing = SINK_NONE;
    assert_ok(do_job_complete(job));
    assert_sink_has(4, size);
    assert_int_equal(sink.rewinds, 5);
    assert_int_equal(sink.commits, 1);
    assert_int_equal(sink.destroyed, 1);
}

/* Broken: after the engine the job runs without its stream, or can never be ended with another. */
static void test_stream_job_waits_for_another_stream_after_a_restart(void **state)
{
    struct do_job *job = test_job();
    struct do_job_file *file = add_without_path(job, "size=1m&seed=5");
    struct do_guid id = do_job_get_id(job);
    struct do_queue_db *db = NULL;
    struct do_job_record record;

    (void)state;
    give_stream(file);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    restart();
    assert_int_equal(sink.destroyed, 1);
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, do_job_resume(job));

    /* A process that died while the job ran. */
    test_engine_stop();
    assert_ok(do_queue_db_open(test_config()->database_path, &db));
    do_job_record_init(&record);
    record.id = id;
    record.priority = DO_PRIORITY_NORMAL;
    record.state = DO_JOB_TRANSFERRING;
    record.error_file = UINT32_MAX;
    record.creation_time = do_clock_filetime();
    assert_ok(do_queue_db_update_job(db, &record));
    do_job_record_finish(&record);
    do_queue_db_close(db);
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    give_stream(do_job_get_file(job, 0));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(job));
    assert_sink_has(5, (size_t)TEST_MIB(1));
}

/* Broken: a stream outlives the job's need of it, or is written to by a job that is cancelled. */
static void test_stream_is_let_go_by_cancel_and_by_another(void **state)
{
    struct do_job *job = test_job();
    struct do_job_file *file = add_without_path(job, "size=1m");

    (void)state;
    give_stream(file);
    assert_ok(do_job_file_set_stream(file, NULL));
    assert_int_equal(sink.destroyed, 1);
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, do_job_resume(job));
    give_stream(file);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_cancel(job));
    assert_int_equal(sink.destroyed, 1);
    assert_int_equal(sink.length, 0);
    assert_int_equal(sink.rewinds, 0);
}

int main(void)
{
    static const struct CMUnitTest options[] = {
        ENGINE_TEST(test_options_maximum_time_ends_a_job),
        ENGINE_TEST(test_options_maximum_time_reaches_a_job_that_runs),
        ENGINE_TEST(test_options_maximum_time_stands_still_with_the_job),
        ENGINE_TEST(test_options_old_jobs_are_cancelled),
        ENGINE_TEST(test_options_holders_of_old_jobs_are_told),
        ENGINE_TEST(test_options_old_job_that_runs_is_cancelled),
        ENGINE_TEST(test_options_values_outlive_the_engine_but_secrets_do_not),
        ENGINE_TEST(test_options_empty_value_clears),
        ENGINE_TEST(test_options_values_without_memory_change_nothing),
        ENGINE_TEST(test_options_credentials_open_the_server),
        ENGINE_TEST(test_options_headers_reach_the_server),
        ENGINE_TEST(test_options_auth_headers_answer_a_challenge),
        ENGINE_TEST(test_options_proxy_is_used),
        ENGINE_TEST(test_options_url_of_a_suspended_job),
        ENGINE_TEST(test_options_url_of_another_object_begins_anew),
        ENGINE_TEST(test_options_url_of_a_running_job_is_for_the_next_request),
        ENGINE_TEST(test_options_prefix_is_replaced_in_all_or_none),
        ENGINE_TEST(test_options_statistics_follow_the_file),
        ENGINE_TEST(test_stream_or_path_must_be_there_once),
        ENGINE_TEST(test_stream_failures_at_complete_can_be_repeated),
        ENGINE_TEST(test_stream_job_waits_for_another_stream_after_a_restart),
        ENGINE_TEST(test_stream_is_let_go_by_cancel_and_by_another),
    };

    return ENGINE_TEST_RUN(options);
}
