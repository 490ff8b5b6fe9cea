/* SPDX-License-Identifier: MIT */
/*
 * Downloads from the fault server when it behaves, byte for byte, and what Suspend, Resume, Cancel
 * and Complete do to the files and to the wire.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

/* 600 KiB, of which the first answer gives only 300. */
#define FIRST_STALLS "size=600k&fail_first=1&fail_how=stall&fail_at=300k"

/* Broken: nothing can be downloaded, or it lies under its name too early. */
static void test_download_whole_file_appears_with_complete(void **state)
{
    static const struct
    {
        const char *query;
        UINT64 size;
    } rows[] = {{"size=1", 1}, {"size=65537&seed=1", 65537}, {"size=1048575", 1048575},
        {"size=1048576", 1048576}, {"size=1048577", 1048577}, {"size=5m", 5 << 20}};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].query, L"a");

        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
        assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
        assert_int_equal(1, test_count_temp(test->folder));
        assert_ok(IBackgroundCopyJob_Complete(job));
        assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(job));
        assert_int_equal(0, test_count_temp(test->folder));
        test_expect_object(test->local, rows[i].size, 1);
        IBackgroundCopyJob_Release(job);
        assert_true(DeleteFileW(test->local));
    }
}

/* Broken: an object without content never ends, or leaves no file. */
static void test_download_empty_file(void **state)
{
    static const char *const queries[] = {"size=0", "size=0&chunked=1", "size=0&no_length=1"};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(queries); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, queries[i], L"a");

        test_fetch(job);
        assert_int_equal(0, test_file_size(test->local));
        assert_true(test_file_progress(job, 0).Completed);
        assert_int_equal(0, test_file_progress(job, 0).BytesTotal);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: sizes or offsets are cut to 32 bits. */
static void test_download_range_at_the_end_of_5_gib(void **state)
{
    const UINT64 size = 5ULL << 30;
    BG_FILE_RANGE ranges[] = {{size - 70000, BG_LENGTH_TO_EOF}, {(4ULL << 30) - 10, 20}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    test_add_ranges(test, job, "size=5g&seed=7", L"a", 2, ranges, DO_UNKNOWN_FILE_SIZE);
    test_fetch(job);
    assert_int_equal(70020, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 70000, 7, size - 70000);
    test_expect_pattern(test->local, 70000, 20, 7, (4ULL << 30) - 10);
    IBackgroundCopyJob_Release(job);
}

/* Broken: Office gets its pieces sorted, or at their remote offsets. (Spec 03, section 7.1.) */
static void test_download_ranges_are_concatenated_in_the_order_given(void **state)
{
    BG_FILE_RANGE ranges[] = {{2, 4}, {12, 5}};
    BG_FILE_RANGE backwards[] = {{5000, 1000}, {12, 5}, {2000000, 70000}, {0, 1}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    test_add_ranges(test, job, "size=36", L"a", 2, ranges, DO_UNKNOWN_FILE_SIZE);
    test_fetch(job);
    assert_int_equal(9, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 4, 1, 2);
    test_expect_pattern(test->local, 4, 5, 1, 12);
    IBackgroundCopyJob_Release(job);

    job = test_create_job(test);
    test_add_ranges(test, job, "size=3m", L"b", 4, backwards, 3 << 20);
    test_fetch(job);
    assert_int_equal(71006, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 1000, 1, 5000);
    test_expect_pattern(test->local, 1000, 5, 1, 12);
    test_expect_pattern(test->local, 1005, 70000, 1, 2000000);
    test_expect_pattern(test->local, 71005, 1, 1, 0);
    IBackgroundCopyJob_Release(job);
}

/* Broken: ranges ask for more than their bytes. */
static void test_download_ranges_fetch_no_more_than_asked(void **state)
{
    BG_FILE_RANGE ranges[] = {{1000, 10}, {5000000, 20}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    unsigned int sent = 0;
    char value[64];
    char *log;

    test_add_ranges(test, job, "size=100m", L"a", 2, ranges, DO_UNKNOWN_FILE_SIZE);
    test_fetch(job);
    log = test_log(test);
    for (unsigned int i = 0; i < test_log_count(log); i++)
    {
        if (test_log_value(log, i, "body_bytes_sent", value, sizeof(value)))
            sent += (unsigned int)strtoul(value, NULL, 10);
    }
    free(log);
    assert_int_equal(30, sent);
    IBackgroundCopyJob_Release(job);
}

/* Broken: several files get mixed up, or come in another order than added. */
static void test_download_several_files_in_order(void **state)
{
    static const WCHAR *const names[] = {L"c", L"a", L"b"};
    static const char *const queries[] = {
        "size=100k&seed=3", "size=2m&seed=4", "size=10&seed=5&stall=5"};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_JOB_PROGRESS progress;

    for (size_t i = 0; i < 3; i++)
        test_add(test, job, queries[i], names[i]);
    assert_ok(IBackgroundCopyJob_Resume(job));
    /* The last one stalls: the others are there first. */
    test_wait_files(job, 2);
    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    assert_in_range(
        progress.BytesTransferred, (100 << 10) + (2 << 20), (100 << 10) + (2 << 20) + 5);
    assert_int_equal(2, progress.FilesTransferred);
    assert_int_equal(3, progress.FilesTotal);
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(job));
    test_expect_object(test_local(test, L"c"), 100 << 10, 3);
    test_expect_object(test_local(test, L"a"), 2 << 20, 4);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"b")));
    assert_int_equal(0, test_count_temp(test->folder));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a user's file is lost before the new one is complete, or not replaced then. */
static void test_download_existing_file_stays_until_complete(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;

    test_write_text(test_local(test, L"a"), "old");
    job = test_create_job_of(test, "size=1000", L"a");
    test_expect_text(test->local, "old");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    test_expect_text(test->local, "old");
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);

    test_write_text(test_local(test, L"b"), "old");
    job = test_create_job_of(test, "size=1000", L"b");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    test_expect_text(test->local, "old");
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file that is in use when Complete comes costs the download. */
static void test_download_complete_can_be_repeated_after_a_failed_rename(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    BG_ERROR_CONTEXT context;
    HANDLE file;
    HRESULT hr;

    test_write_text(test_local(test, L"a"), "old");
    job = test_create_job_of(test, "size=1000", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    file = CreateFileW(test->local, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(file != INVALID_HANDLE_VALUE);
    hr = IBackgroundCopyJob_Complete(job);
    assert_true(CloseHandle(file));
    assert_true(FAILED(hr));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_hr(hr, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_LOCAL_FILE, context);
    test_expect_text(test->local, "old");
    assert_false(test_file_progress(job, 0).Completed);
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);
}

/* Broken: Resume starts again from the beginning, or does not protect against a changed object. */
static void test_download_resume_continues_with_if_range(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, FIRST_STALLS, L"a");
    bool continued = false;
    char wanted[64], value[256];
    UINT64 have;
    char *log;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    have = test_file_progress(job, 0).BytesTransferred;
    assert_in_range(have, 1, (600 << 10) - 1);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 600 << 10, 1);
    (void)snprintf(wanted, sizeof(wanted), "bytes=%llu-", (unsigned long long)have);
    log = test_log(test);
    for (unsigned int i = 1; i < test_log_count(log); i++)
    {
        if (test_log_value(log, i, "range", value, sizeof(value)) &&
            !strncmp(value, wanted, strlen(wanted)))
        {
            continued = true;
            assert_true(test_log_value(log, i, "if_range", value, sizeof(value)));
            assert_true(test_log_value(log, i, "status", value, sizeof(value)));
            assert_string_equal("206", value);
        }
    }
    if (!continued)
        print_error("no request for %s in %s\n", wanted, log);
    free(log);
    assert_true(continued);
    IBackgroundCopyJob_Release(job);
}

/* Broken: an object that changes between Suspend and Resume is pieced together from both. */
static void test_download_changed_object_starts_again(void **state)
{
    static const struct
    {
        const char *query;
        UINT64 size;
    } rows[] = {{FIRST_STALLS "&changed_after=2", 600 << 10},
        {FIRST_STALLS "&changed_size_after=2", (600 << 10) + 1},
        {FIRST_STALLS "&changed_after=2&etag=none", 600 << 10},
        {FIRST_STALLS "&changed_after=2&weak=1", 600 << 10}};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].query, L"a");

        print_message("  %s\n", rows[i].query);
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_bytes(job, 1);
        assert_ok(IBackgroundCopyJob_Suspend(job));
        test_fetch(job);
        test_expect_object(test->local, rows[i].size, 2);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: a server without validators or ranges makes Resume build a wrong file. */
static void test_download_resume_without_range_support_starts_again(void **state)
{
    static const char *const queries[] = {
        FIRST_STALLS "&ignore_range=1", FIRST_STALLS "&etag=none&last_modified=none"};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(queries); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, queries[i], L"a");

        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_bytes(job, 1);
        assert_ok(IBackgroundCopyJob_Suspend(job));
        test_fetch(job);
        test_expect_object(test->local, 600 << 10, 1);
        IBackgroundCopyJob_Release(job);
    }
}

/* Cancel, by the moment */

static void check_cancel(struct com_test *test, IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    assert_int_equal(0, test_count_temp(test->folder));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"a")));
    IBackgroundCopyJob_Release(job);
}

/* Broken: Cancel leaves files behind, or hangs, before anything was fetched. */
static void test_download_cancel_at_once_after_resume(void **state)
{
    struct com_test *test = *state;

    for (int i = 0; i < 20; i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, "size=3m", L"a");

        assert_ok(IBackgroundCopyJob_Resume(job));
        check_cancel(test, job);
    }
}

/* Broken: Cancel waits for a server that does not answer. */
static void test_download_cancel_while_waiting_for_the_head(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000&delay=15000", L"a");
    ULONGLONG start;

    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
    start = GetTickCount64();
    check_cancel(test, job);
    assert_true(GetTickCount64() - start < 5000);
}

/* Broken: the temporary file outlives a download that was cut off in its middle. */
static void test_download_cancel_after_first_block(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=20m&rate=4m", L"a");

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1 << 20);
    check_cancel(test, job);
}

/* Broken: the temporary files of suspended or finished jobs are forgotten. */
static void test_download_cancel_while_suspended_and_when_transferred(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=100k&stall=50k", L"a");

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    check_cancel(test, job);
    job = test_create_job_of(test, "size=3m", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    check_cancel(test, job);
}

/* Broken: Cancel deletes what is not its own. */
static void test_download_cancel_deletes_its_own_file_only(void **state)
{
    struct com_test *test = *state;
    WCHAR other[1024];
    IBackgroundCopyJob *job;

    test_write_text(wcscpy(other, test_local(test, L"DO0000.tmp")), "mine");
    job = test_create_job_of(test, "size=3m", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    test_expect_text(other, "mine");
    assert_true(DeleteFileW(other));
    IBackgroundCopyJob_Release(job);
}

/* Broken: servers that redirect, or that do not tell a length, cannot be used. */
static void test_download_other_framings(void **state)
{
    static const char *const queries[] = {"size=100k&redirect=3",
        "size=100k&redirect=1&redirect_status=307", "size=100k&chunked=1", "size=100k&no_length=1",
        "size=100k&http10=1", "size=100k&close=1", "size=100k&accept_ranges=omit",
        "size=100k&etag=none", "size=100k&header_flood=20", "size=2m&chunked=1&rate=4m"};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(queries); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, queries[i], L"a");

        print_message("  %s\n", queries[i]);
        test_fetch(job);
        test_expect_object(test->local, strncmp(queries[i], "size=2m", 7) ? 100 << 10 : 2 << 20, 1);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: several jobs at once disturb each other. */
static void test_download_several_jobs_at_once(void **state)
{
    IBackgroundCopyJob *jobs[6];
    WCHAR names[6][8];
    struct com_test *test = *state;

    for (unsigned int i = 0; i < 6; i++)
    {
        char query[64];

        (void)snprintf(query, sizeof(query), "size=3m&seed=%u", i + 10);
        (void)_snwprintf(names[i], 8, L"f%u", i);
        jobs[i] = test_create_job_of(test, query, names[i]);
        assert_ok(IBackgroundCopyJob_Resume(jobs[i]));
    }
    for (unsigned int i = 0; i < 6; i++)
    {
        test_wait_state(jobs[i], BG_JOB_STATE_TRANSFERRED);
        assert_ok(IBackgroundCopyJob_Complete(jobs[i]));
        test_expect_object(test_local(test, names[i]), 3 << 20, i + 10);
        IBackgroundCopyJob_Release(jobs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_download_whole_file_appears_with_complete),
        COM_TEST(test_download_empty_file),
        COM_TEST(test_download_range_at_the_end_of_5_gib),
        COM_TEST(test_download_ranges_are_concatenated_in_the_order_given),
        COM_TEST(test_download_ranges_fetch_no_more_than_asked),
        COM_TEST(test_download_several_files_in_order),
        COM_TEST(test_download_existing_file_stays_until_complete),
        COM_TEST(test_download_complete_can_be_repeated_after_a_failed_rename),
        COM_TEST(test_download_resume_continues_with_if_range),
        COM_TEST(test_download_changed_object_starts_again),
        COM_TEST(test_download_resume_without_range_support_starts_again),
        COM_TEST(test_download_cancel_at_once_after_resume),
        COM_TEST(test_download_cancel_while_waiting_for_the_head),
        COM_TEST(test_download_cancel_after_first_block),
        COM_TEST(test_download_cancel_while_suspended_and_when_transferred),
        COM_TEST(test_download_cancel_deletes_its_own_file_only),
        COM_TEST(test_download_other_framings),
        COM_TEST(test_download_several_jobs_at_once),
    };

    return COM_TEST_RUN(tests);
}
