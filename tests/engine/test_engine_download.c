/* SPDX-License-Identifier: MIT */
/*
 * Downloads that go well, or that the client stops: sizes, ranges, several files and jobs,
 * progress, Complete, Cancel at each moment, Suspend and Resume; and what decides whether a job may
 * run: its priority, and the network's cost, which the test thread sets. A listener counts notices
 * on a delivery thread.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "job/conditions.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "support/support.h"

/* Wed, 01 Jan 2020 00:00:00 GMT, the server's Last-Modified. */
#define LAST_MODIFIED 1577836800

static uint64_t bytes_of(struct do_job *job)
{
    struct do_job_progress progress;

    do_job_get_progress(job, &progress);
    return progress.bytes_transferred;
}

static void check_size(uint64_t size)
{
    char query[64];
    char name[32];
    struct test_file file;
    struct do_job_progress progress;
    struct do_job_times times;
    struct do_job *job;

    (void)snprintf(name, sizeof(name), "size%llu", (unsigned long long)size);
    (void)snprintf(query, sizeof(query), "size=%llu&seed=7", (unsigned long long)size);
    job = test_download(&file, name, query);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_false(test_exists(file.path));
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_total, size);
    assert_int_equal(progress.bytes_transferred, size);
    assert_int_equal(progress.files_transferred, 1);
    do_job_get_times(job, &times);
    assert_true(times.transfer_completion >= times.creation);
    test_complete(job, &file, 7, size);
    assert_true(do_job_file_get_progress(do_job_get_file(job, 0)).saved);
}

/* Broken: a size at or beside a boundary of blocks loses, doubles or misplaces bytes. */
static void test_download_sizes_arrive_whole(void **state)
{
    static const uint64_t sizes[] = {
        0, 1, 65535, 65536, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 17, 10 << 20};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(sizes); i++)
        check_size(sizes[i]);
}

static void check_ranges(
    const char *query, const struct do_range *ranges, size_t count, uint64_t size)
{
    struct do_job *job = test_job();
    struct test_file file = test_file("ranges", query);
    struct do_range real[8];
    struct do_job_progress progress;
    uint64_t total = 0;

    assert_ok(test_add_ranges(job, &file, ranges, count, DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    for (size_t i = 0; i < count; i++)
    {
        real[i] = ranges[i];
        if (real[i].end == DO_SIZE_UNKNOWN)
            real[i].end = size;
        total += real[i].end - real[i].begin;
    }
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_total, total);
    assert_int_equal(progress.bytes_transferred, total);
    assert_ok(do_job_complete(job));
    assert_true(test_has_ranges(file.path, 1, real, count));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: offsets beyond 32 bits are cut. */
static void test_download_range_at_the_end_of_5_gib_is_right(void **state)
{
    static const struct do_range range = {((uint64_t)5 << 30) - 100000, (uint64_t)5 << 30};

    (void)state;
    check_ranges("size=5g", &range, 1, (uint64_t)5 << 30);
}

/* Broken: ranges are sorted, or lie at their remote offsets instead of one after the other. */
static void test_download_ranges_lie_in_the_order_given(void **state)
{
    static const struct do_range ranges[] = {{900000, 2000000}, {5, 6}, {100, 70000}};

    (void)state;
    check_ranges("size=3m", ranges, DO_COUNT_OF(ranges), 3 << 20);
}

/* Broken: what follows a range of unknown length is misplaced. */
static void test_download_range_to_the_end_may_come_first(void **state)
{
    static const struct do_range ranges[] = {
        {2000000, DO_SIZE_UNKNOWN}, {10, 20}, {1000000, 1500001}};

    (void)state;
    check_ranges("size=3m", ranges, DO_COUNT_OF(ranges), 3 << 20);
}

/* Broken: files of a job run in another order, at the same time, or one is left out. */
static void test_download_files_come_one_after_the_other(void **state)
{
    struct do_job *job = test_job();
    struct test_file files[5];
    struct test_request request;
    double last_ms = 0;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(files); i++)
    {
        char name[8];

        (void)snprintf(name, sizeof(name), "f%zu", i);
        files[i] = test_add(job, name, i % 2 ? "size=100000&delay=30" : "size=100000");
    }
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(bytes_of(job), 500000);
    assert_ok(do_job_complete(job));
    for (size_t i = 0; i < DO_COUNT_OF(files); i++)
    {
        assert_true(test_has_object(files[i].path, 1, 100000));
        assert_int_equal(test_requests(files[i].server_path, 1, &request, 1), 1);
        assert_true(request.time_ms >= last_ms);
        last_ms = request.time_ms;
    }
}

/* Broken: jobs beyond the number of slots starve, or their bytes are mixed up. */
static void test_download_more_jobs_than_slots_all_arrive(void **state)
{
    struct do_job *jobs[12];
    struct test_file files[12];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(jobs); i++)
    {
        char name[8];
        char query[64];

        (void)snprintf(name, sizeof(name), "j%zu", i);
        (void)snprintf(query, sizeof(query), "size=%zu&seed=%zu&delay=20", 2000000 + i, i);
        jobs[i] = test_download(&files[i], name, query);
    }
    for (size_t i = 0; i < DO_COUNT_OF(jobs); i++)
    {
        test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
        assert_ok(do_job_complete(jobs[i]));
        assert_true(test_has_object(files[i].path, i, 2000000 + i));
    }
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: a known size is not shown before the first byte, or a wrong one goes unnoticed. */
static void test_download_known_size_is_shown_and_checked(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_file("known", "size=70000");
    struct test_file wrong = test_file("wrong", "size=70000");
    struct do_job_progress progress;

    (void)state;
    assert_ok(test_add_ranges(job, &file, NULL, 0, 70000));
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_total, 70000);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, 70000);

    job = test_job();
    assert_ok(test_add_ranges(job, &wrong, NULL, 0, 70001));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_E_INSUFFICIENT_RANGE_SUPPORT, test_error(job));
}

/* Broken: progress runs backwards, beyond the total, or only shows at the end. */
static void test_download_progress_grows_steadily(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "slow", "size=2m&rate=1m");
    struct do_job_progress progress;
    uint64_t last = 0;
    unsigned int steps = 0;
    bool total_known = false;

    (void)state;
    for (unsigned int waited = 0;
         waited < TEST_WAIT_MS && do_job_get_state(job) != DO_JOB_TRANSFERRED; waited += 2)
    {
        do_job_get_progress(job, &progress);
        assert_true(progress.bytes_transferred >= last);
        assert_true(progress.bytes_transferred <= TEST_MIB(2));
        assert_true(progress.bytes_total == TEST_MIB(2) ||
                    (!total_known && progress.bytes_total == DO_SIZE_UNKNOWN));
        total_known = progress.bytes_total == TEST_MIB(2);
        steps += progress.bytes_transferred > last ? 1 : 0;
        last = progress.bytes_transferred;
        test_pause_ms(2);
    }
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_true(steps >= 2);
    test_complete(job, &file, 1, TEST_MIB(2));
}

/* Broken: Complete refuses an existing target, or loses the server's date. */
static void test_complete_replaces_target_and_keeps_the_date(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "target", "size=70000");
    struct stat info;

    (void)state;
    test_write_file(file.path, "old", 3);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_true(test_has_text(file.path, "old"));
    test_complete(job, &file, 1, 70000);
    assert_int_equal(stat(file.path, &info), 0);
    assert_int_equal(info.st_mtime, LAST_MODIFIED);
    assert_int_equal(test_job_count(), 0);
    assert_hr(DO_E_INVALID_STATE, do_job_complete(job));
}

/* Broken: a Complete in between saves a half file, or does not save the whole ones. */
static void test_complete_early_saves_whole_files_only(void **state)
{
    struct do_job *job = test_job();
    struct test_file first = test_add(job, "first", "size=70000");
    struct test_file second = test_add(job, "second", "size=1m&rate=100k");

    (void)state;
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 70001);
    assert_hr(DO_HR_S_PARTIAL_COMPLETE, do_job_complete(job));
    assert_true(test_has_object(first.path, 1, 70000));
    assert_false(test_exists(second.path));
    assert_int_equal(test_temp_files(), 0);
    assert_int_equal(do_job_get_state(job), DO_JOB_ACKNOWLEDGED);
}

static HRESULT fail_rename(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    atomic_int *left = ctx;

    (void)offset;
    (void)length;
    return op == DO_FILE_OP_RENAME && atomic_fetch_sub(left, 1) == 1 ? E_ACCESSDENIED : S_OK;
}

/* Broken: a file that cannot be renamed is lost, or its neighbours are, or the job is stuck. */
static void test_complete_after_failed_rename_can_be_repeated(void **state)
{
    struct do_job *job = test_job();
    struct test_file first = test_add(job, "first", "size=70000");
    struct test_file second = test_add(job, "second", "size=70001");
    struct do_job_error error;
    atomic_int left = 2;

    (void)state;
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_file_set_fault(fail_rename, &left);
    assert_hr(E_ACCESSDENIED, do_job_complete(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    assert_ok(do_job_get_error(job, &error));
    assert_hr(E_ACCESSDENIED, error.code);
    assert_int_equal(error.context, DO_ERROR_CONTEXT_LOCAL_FILE);
    assert_ptr_equal(error.file, do_job_get_file(job, 1));
    assert_true(do_job_file_get_progress(do_job_get_file(job, 0)).saved);
    assert_false(do_job_file_get_progress(do_job_get_file(job, 1)).saved);
    do_file_set_fault(NULL, NULL);
    test_complete(job, &second, 1, 70001);
    assert_true(test_has_object(first.path, 1, 70000));
}

struct slow_flush
{
    atomic_int renames; /* left before they succeed */
    uint64_t test_thread;
};

static HRESULT fail_rename_and_flush_slowly(
    void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    struct slow_flush *fault = ctx;

    if (op == DO_FILE_OP_FLUSH && do_thread_current_id() != fault->test_thread)
        test_pause_ms(500);
    return fail_rename(&fault->renames, op, offset, length);
}

/* Broken: a Complete of a running job that fails leaves it standing still, or has its file closed
 * under it by the recorder. */
static void test_complete_early_after_failed_rename_goes_on(void **state)
{
    struct do_job *job = test_job();
    struct test_file first = test_add(job, "first", "size=70000");
    struct test_file second = test_add(job, "second", "size=2m&rate=1m");
    static struct slow_flush fault;

    (void)state;
    atomic_store(&fault.renames, 1);
    fault.test_thread = do_thread_current_id();
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 70001);
    do_file_set_fault(fail_rename_and_flush_slowly, &fault);
    assert_hr(E_ACCESSDENIED, do_job_complete(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_file_set_fault(NULL, NULL);
    test_complete(job, &second, 1, TEST_MIB(2));
    assert_true(test_has_object(first.path, 1, 70000));
}

/* What every Cancel must leave behind. */
static void cancel(struct do_job *job, const struct test_file *file)
{
    assert_ok(do_job_cancel(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_CANCELLED);
    assert_int_equal(test_temp_files(), 0);
    assert_int_equal(test_job_count(), 0);
    assert_true(test_has_text(file->path, "old"));
    assert_hr(DO_E_INVALID_STATE, do_job_resume(job));
}

static struct do_job *begin(struct test_file *file, const char *query)
{
    struct do_job *job = test_job();

    *file = test_add(job, "target", query);
    test_write_file(file->path, "old", 3);
    assert_ok(do_job_resume(job));
    return job;
}

/* Broken: a job that has not run yet cannot be cancelled, or runs afterwards. */
static void test_cancel_while_queued(void **state)
{
    struct test_file file;
    struct test_file other;
    struct do_job *running;
    struct do_job *job;

    (void)state;
    test_engine_stop();
    test_config()->max_running_jobs = 1;
    assert_ok(test_engine_start());
    running = test_download(&other, "other", "size=1m&rate=100k");
    job = begin(&file, "size=70000");
    assert_int_equal(do_job_get_state(job), DO_JOB_QUEUED);
    assert_ok(do_job_suspend(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_job_resume(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_QUEUED);
    assert_ok(do_job_cancel(running));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    cancel(job, &file);

    running = test_download(&other, "other", "size=1m&rate=100k");
    job = test_job();
    file = test_add(job, "target", "size=70000");
    assert_ok(do_job_resume(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_QUEUED);
    assert_ok(do_job_cancel(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_CANCELLED);
    assert_ok(do_job_cancel(running));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: Suspend or Cancel of a queued job races with its turn, which comes in between. */
static void test_cancel_while_its_turn_comes(void **state)
{
    (void)state;
    test_engine_stop();
    test_config()->max_running_jobs = 1;
    assert_ok(test_engine_start());
    for (unsigned int i = 0; i < 60; i++)
    {
        struct test_file files[2];
        struct do_job *first;
        struct do_job *second;

        (void)test_job_count();
        first = test_download(&files[0], "first", "size=100");
        second = test_download(&files[1], "second", "size=100");
        test_pause_ms(i % 6);
        if (i % 2)
        {
            assert_ok(do_job_suspend(second));
            assert_true(
                test_wait(second, TEST_STATE(DO_JOB_SUSPENDED) | TEST_ENDED) != DO_JOB_ERROR);
        }
        assert_ok(do_job_cancel(second));
        test_wait_state(first, DO_JOB_TRANSFERRED);
        assert_ok(do_job_cancel(first));
        assert_int_equal(test_temp_files(), 0);
        if (i % 20 == 19)
        {
            test_engine_stop();
            assert_ok(test_engine_start());
        }
    }
}

static HRESULT open_slowly(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    (void)ctx;
    (void)offset;
    (void)length;
    if (op == DO_FILE_OP_OPEN)
        test_pause_ms(700);
    return S_OK;
}

/* Broken: the scheduler lets a queued job run while its Cancel deletes the temporary file. */
static void test_cancel_of_queued_job_keeps_its_turn_away(void **state)
{
    struct test_file file;
    struct test_file other;
    struct do_job *job;
    struct do_job *running;

    (void)state;
    test_engine_stop();
    test_config()->max_running_jobs = 1;
    assert_ok(test_engine_start());
    job = begin(&file, "size=3m&rate=3m");
    test_wait_bytes(job, 1000000);
    assert_ok(do_job_suspend(job));
    running = test_download(&other, "other", "size=300k&rate=1m");
    assert_ok(do_job_resume(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_QUEUED);
    do_file_set_fault(open_slowly, NULL);
    assert_ok(do_job_cancel(job));
    do_file_set_fault(NULL, NULL);
    assert_int_equal(do_job_get_state(job), DO_JOB_CANCELLED);
    test_wait_state(running, DO_JOB_TRANSFERRED);
    test_pause_ms(100);
    assert_true(test_has_text(file.path, "old"));
    assert_int_equal(test_temp_files(), 1);
    test_complete(running, &other, 1, TEST_KIB(300));
    assert_true(test_has_text(file.path, "old"));
}

/* Broken: Cancel waits for the server, or its answer arrives at a job that is gone. */
static void test_cancel_while_connecting(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "size=70000&delay=3000");

    (void)state;
    test_pause_ms(50);
    cancel(job, &file);
}

/* Broken: Cancel right behind Resume meets a transfer that has not begun. */
static void test_cancel_at_once(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 20; i++)
    {
        struct test_file file;
        struct do_job *job = begin(&file, "size=3m");

        cancel(job, &file);
    }
}

/* Broken: the first bytes wait in a block that nobody gives back. */
static void test_cancel_after_the_first_bytes(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "size=3m&stall=10000");

    (void)state;
    test_wait_bytes(job, 10000);
    cancel(job, &file);
}

/* Broken: blocks on their way to the disk outlive the file. */
static void test_cancel_amid_the_body(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "size=20m&rate=10m");

    (void)state;
    test_wait_bytes(job, 2000000);
    cancel(job, &file);
}

/* Broken: a time-out that is being counted keeps the job. */
static void test_cancel_while_stalled(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "size=70000&stall=0");

    (void)state;
    test_pause_ms(1000);
    cancel(job, &file);
}

/* Broken: Cancel of a finished job saves it, or leaves its temporary file. */
static void test_cancel_when_transferred(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "size=70000");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(test_temp_files(), 1);
    cancel(job, &file);
}

/* Broken: a retry comes after the end. */
static void test_cancel_while_waiting_to_retry(void **state)
{
    struct test_file file;
    struct do_job *job = begin(&file, "status=503");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    cancel(job, &file);
}

/* Broken: Resume begins at zero, without If-Range, or asks for bytes that are here. */
static void test_suspend_then_resume_continues(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=4m&rate=4m");
    struct test_request requests[4];
    uint64_t had;

    (void)state;
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    had = bytes_of(job);
    test_pause_ms(100);
    assert_int_equal(bytes_of(job), had);
    assert_int_equal(test_temp_files(), 1);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    assert_int_equal(test_requests(file.server_path, 2, requests, DO_COUNT_OF(requests)), 2);
    assert_false(requests[0].has_range);
    assert_int_equal(requests[1].status, 206);
    assert_int_equal(requests[1].range.begin, had);
    assert_int_equal(requests[1].sent, TEST_MIB(4) - had);
    assert_int_equal(requests[1].if_range[0], '"');
}

/* Broken: quick changes of mind lose bytes, fetch them twice, or wedge the job. */
static void test_suspend_and_resume_many_times(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=3m&rate=3m");
    static struct test_request requests[32];
    size_t count;

    (void)state;
    for (unsigned int i = 0; i < 20; i++)
    {
        test_pause_ms(i % 5 * 10);
        assert_ok(do_job_suspend(job));
        assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
        assert_ok(do_job_resume(job));
    }
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(3));
    count = test_requests(file.server_path, 1, requests, DO_COUNT_OF(requests));
    for (size_t i = 1; i < count; i++)
        assert_true(requests[i].range.begin >= requests[i - 1].range.begin);
}

/* Broken: a job with several ranges forgets where it was. */
static void test_suspend_then_resume_within_ranges(void **state)
{
    static const struct do_range ranges[] = {{2000000, 3000000}, {0, 500000}, {600000, 1600000}};
    struct do_job *job = test_job();
    struct test_file file = test_file("ranges", "size=3m&rate=4m");
    static struct test_request requests[16];
    uint64_t asked = 0;
    size_t count;

    (void)state;
    assert_ok(test_add_ranges(job, &file, ranges, DO_COUNT_OF(ranges), DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 600000);
    assert_ok(do_job_suspend(job));
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 1700000);
    assert_ok(do_job_suspend(job));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(job));
    assert_true(test_has_ranges(file.path, 1, ranges, DO_COUNT_OF(ranges)));
    count = test_requests(file.server_path, 3, requests, DO_COUNT_OF(requests));
    for (size_t i = 0; i < count; i++)
        asked += requests[i].range.end - requests[i].range.begin;
    /* Up to two requests were cut short; what each of them had left was asked for again. */
    assert_in_range(count, 3, 5);
    assert_in_range(asked, 2500000, 4500000);
}

/* Broken: a file that is added to a finished job is ignored, or fetches the others again. */
static void test_file_added_to_transferred_job_needs_resume(void **state)
{
    struct test_file first;
    struct test_file second;
    struct do_job *job = test_download(&first, "first", "size=70000");
    struct test_request request;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    second = test_add(job, "second", "size=70001");
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &second, 1, 70001);
    assert_true(test_has_object(first.path, 1, 70000));
    assert_int_equal(test_requests(first.server_path, 1, &request, 1), 1);
}

/* Broken: a setter passes for the end of the transfer, and the job seems to have ended later. */
static void test_setters_keep_the_time_of_completion(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=70000");
    struct do_job_times before;
    struct do_job_times after;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_get_times(job, &before);
    assert_true(before.transfer_completion > 0);
    test_pause_ms(20);
    assert_ok(do_job_set_display_name(job, "another"));
    assert_ok(do_job_set_description(job, "about it"));
    assert_ok(do_job_set_priority(job, DO_PRIORITY_LOW));
    assert_ok(do_job_set_no_progress_timeout_s(job, 60));
    assert_ok(do_job_set_min_retry_delay_s(job, 5));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    do_job_get_times(job, &after);
    assert_true(after.transfer_completion == before.transfer_completion);
    assert_true(after.modification > before.modification);
    test_complete(job, &file, 1, 70000);
}

/* Broken: a list with a bad file adds the good ones before it. */
static void test_add_files_adds_all_or_none(void **state)
{
    struct do_job *job = test_job();
    struct test_file good = test_file("good", "size=70000");
    struct test_file bad = test_file("bad", "");
    struct do_new_file files[] = {
        {"good", good.url, good.path, NULL, 0, DO_SIZE_UNKNOWN},
        {"bad", "ftp://127.0.0.1/x", bad.path, NULL, 0, DO_SIZE_UNKNOWN},
    };

    (void)state;
    assert_hr(E_INVALIDARG, do_job_add_files(job, files, DO_COUNT_OF(files), NULL));
    assert_int_equal(do_job_get_file_count(job), 0);
    assert_hr(DO_E_JOB_EMPTY, do_job_resume(job));
    test_engine_stop();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_int_equal(do_job_get_file_count(job), 0);
    files[1].url = bad.url;
    assert_ok(do_job_add_files(job, files, DO_COUNT_OF(files), NULL));
    assert_int_equal(do_job_get_file_count(job), 2);
}

/* Broken: a body without a length, or in chunks, is not taken for what it is. */
static void test_download_without_length_ends_with_the_body(void **state)
{
    static const char *const queries[] = {"size=1500000&no_length=1", "size=1500000&chunked=1"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct test_file file;
        struct do_job *job = test_download(&file, "file", queries[i]);
        struct do_job_progress progress;

        test_wait_state(job, DO_JOB_TRANSFERRED);
        do_job_get_progress(job, &progress);
        assert_int_equal(progress.bytes_total, 1500000);
        test_complete(job, &file, 1, 1500000);
    }
}

/* What decides whether a job may run */

/* Bytes that never come. */
#define STALLED "size=70000&stall=0"

static void restart_with_slots(uint32_t slots)
{
    test_engine_stop();
    test_config()->max_running_jobs = slots;
    assert_ok(test_engine_start());
}

/* Waits until the job has its turn; then what the scheduler had to do is done. */
static void await_turn(struct do_job *job)
{
    test_wait_state(job, DO_JOB_TRANSFERRING);
    (void)test_job_count();
}

/* Broken: the oldest job goes first, whatever the client said later. */
static void test_priority_set_while_queued_decides_who_is_next(void **state)
{
    struct do_job *running[2];
    struct do_job *normal;
    struct do_job *foreground;
    struct test_file file;

    (void)state;
    restart_with_slots(2);
    running[0] = test_download(&file, "first", STALLED);
    running[1] = test_download(&file, "second", STALLED);
    normal = test_download(&file, "normal", STALLED);
    foreground = test_download(&file, "foreground", STALLED);
    assert_ok(do_job_set_priority(foreground, DO_PRIORITY_FOREGROUND));
    /* Nobody who runs makes room for it. */
    assert_int_equal(do_job_get_state(foreground), DO_JOB_QUEUED);
    assert_int_equal(do_job_get_state(normal), DO_JOB_QUEUED);
    assert_true(test_wait(running[0], ~TEST_STATE(DO_JOB_QUEUED)) != DO_JOB_QUEUED);
    assert_ok(do_job_cancel(running[1]));
    await_turn(foreground);
    assert_int_equal(do_job_get_state(normal), DO_JOB_QUEUED);
    assert_ok(do_job_cancel(running[0]));
    await_turn(normal);
}

/* Broken: a priority is left out, taken back to front, or one that is taken back still counts. */
static void test_priority_orders_the_queue_then_age_does(void **state)
{
    static const enum do_job_priority priorities[] = {DO_PRIORITY_LOW, DO_PRIORITY_NORMAL,
        DO_PRIORITY_NORMAL, DO_PRIORITY_HIGH, DO_PRIORITY_FOREGROUND};
    static const size_t order[] = {4, 3, 1, 2, 0};
    struct do_job *jobs[DO_COUNT_OF(priorities)];
    struct do_job *running;
    struct test_file file;

    (void)state;
    restart_with_slots(1);
    running = test_download(&file, "running", STALLED);
    for (size_t i = 0; i < DO_COUNT_OF(jobs); i++)
        jobs[i] = test_download(&file, "queued", STALLED);
    assert_ok(do_job_set_priority(jobs[0], DO_PRIORITY_FOREGROUND));
    for (size_t i = DO_COUNT_OF(jobs); i-- > 0;)
        assert_ok(do_job_set_priority(jobs[i], priorities[i]));
    for (size_t i = 0; i < DO_COUNT_OF(order); i++)
    {
        assert_ok(do_job_cancel(running));
        running = jobs[order[i]];
        await_turn(running);
        for (size_t later = i + 1; later < DO_COUNT_OF(order); later++)
            assert_int_equal(do_job_get_state(jobs[order[later]]), DO_JOB_QUEUED);
    }
}

static _Atomic uint32_t network; /* DO_COST_* */

static void tell_cost(struct do_network_cost *cost)
{
    *cost = (struct do_network_cost){atomic_load(&network), false};
}

/* Counts what it is told. */
struct counter
{
    struct do_listener head;
    atomic_uint transferred;
    atomic_uint failed;
    atomic_uint destroyed;
};

static HRESULT count_notice(struct do_listener *head, struct do_job *job, enum do_notice notice,
    struct do_job_file *file, const struct do_download_status *status)
{
    struct counter *counter = DO_CONTAINER_OF(head, struct counter, head);

    (void)job;
    (void)file;
    (void)status;
    if (notice == DO_NOTICE_JOB_TRANSFERRED)
        (void)atomic_fetch_add(&counter->transferred, 1);
    else if (notice == DO_NOTICE_JOB_ERROR)
        (void)atomic_fetch_add(&counter->failed, 1);
    return S_OK;
}

static void count_destruction(struct do_listener *head)
{
    (void)atomic_fetch_add(&DO_CONTAINER_OF(head, struct counter, head)->destroyed, 1);
}

static void await_count(atomic_uint *count)
{
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && !atomic_load(count); waited += 2)
        test_pause_ms(2);
    assert_int_equal(atomic_load(count), 1);
}

static HRESULT set_cost_flags(struct do_job *job, struct do_value flags)
{
    const struct do_setting setting = {DO_PROP_COST_FLAGS, flags};

    return do_job_set_values(job, &setting, 1);
}

static void check_blocked(struct do_job *job)
{
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSIENT_ERROR);
    assert_hr(DO_E_BLOCKED_BY_COST_TRANSFER_POLICY, test_error(job));
    assert_int_equal(do_job_get_error_count(job), 0);
}

/* Broken: a cost that is not to be paid is paid, passes for a failure, or stops the job for good;
 * new flags have no effect on a job that waits or runs. */
static void test_cost_flags_stop_a_job_until_they_allow_it(void **state)
{
    static const struct do_listener_class class = {count_notice, count_destruction};
    static struct counter counter;
    struct test_file file;
    struct do_job *job = NULL;

    (void)state;
    atomic_store(&network, DO_COST_UNRESTRICTED);
    test_engine_stop();
    test_config()->network_cost = tell_cost;
    test_config()->network_look_ms = 10;
    assert_ok(test_engine_start());
    memset(&counter, 0, sizeof(counter));
    do_listener_init(&counter.head, &class);
    job = test_job();
    file = test_add(job, "file", "size=3m&rate=2m");
    assert_ok(do_job_set_listener(job, &counter.head));
    do_listener_release(&counter.head);
    assert_ok(set_cost_flags(job, do_value_of_number(DO_TRANSFER_NOT_ROAMING)));
    assert_ok(do_job_resume(job));
    test_wait_bytes(job, 1);
    atomic_store(&network, DO_COST_ROAMING);
    test_wait_state(job, DO_JOB_TRANSIENT_ERROR);
    check_blocked(job);
    assert_ok(set_cost_flags(job, do_value_of_number(DO_TRANSFER_ALWAYS)));
    test_wait_state(job, DO_JOB_TRANSFERRING);
    assert_hr(S_OK, test_error(job));
    assert_ok(set_cost_flags(job, do_value_of_number(DO_TRANSFER_STANDARD)));
    check_blocked(job);
    /* What no flags mean depends on the priority. */
    assert_ok(set_cost_flags(job, do_value_of_text(NULL)));
    check_blocked(job);
    atomic_store(&network, DO_COST_UNRESTRICTED);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    await_count(&counter.transferred);
    assert_int_equal(atomic_load(&counter.failed), 0);
    assert_int_equal(do_job_get_error_count(job), 0);
    test_complete(job, &file, 1, TEST_MIB(3));
    test_engine_stop();
    assert_int_equal(atomic_load(&counter.destroyed), 1);
}

int main(void)
{
    static const struct CMUnitTest download[] = {
        ENGINE_TEST(test_download_sizes_arrive_whole),
        ENGINE_TEST(test_download_range_at_the_end_of_5_gib_is_right),
        ENGINE_TEST(test_download_ranges_lie_in_the_order_given),
        ENGINE_TEST(test_download_range_to_the_end_may_come_first),
        ENGINE_TEST(test_download_files_come_one_after_the_other),
        ENGINE_TEST(test_download_more_jobs_than_slots_all_arrive),
        ENGINE_TEST(test_download_known_size_is_shown_and_checked),
        ENGINE_TEST(test_download_progress_grows_steadily),
        ENGINE_TEST(test_download_without_length_ends_with_the_body),
        ENGINE_TEST(test_complete_replaces_target_and_keeps_the_date),
        ENGINE_TEST(test_complete_early_saves_whole_files_only),
        ENGINE_TEST(test_complete_after_failed_rename_can_be_repeated),
        ENGINE_TEST(test_complete_early_after_failed_rename_goes_on),
        ENGINE_TEST(test_cancel_while_queued),
        ENGINE_TEST(test_cancel_while_its_turn_comes),
        ENGINE_TEST(test_cancel_of_queued_job_keeps_its_turn_away),
        ENGINE_TEST(test_cancel_while_connecting),
        ENGINE_TEST(test_cancel_at_once),
        ENGINE_TEST(test_cancel_after_the_first_bytes),
        ENGINE_TEST(test_cancel_amid_the_body),
        ENGINE_TEST(test_cancel_while_stalled),
        ENGINE_TEST(test_cancel_when_transferred),
        ENGINE_TEST(test_cancel_while_waiting_to_retry),
        ENGINE_TEST(test_suspend_then_resume_continues),
        ENGINE_TEST(test_suspend_and_resume_many_times),
        ENGINE_TEST(test_suspend_then_resume_within_ranges),
        ENGINE_TEST(test_file_added_to_transferred_job_needs_resume),
        ENGINE_TEST(test_setters_keep_the_time_of_completion),
        ENGINE_TEST(test_add_files_adds_all_or_none),
        ENGINE_TEST(test_priority_set_while_queued_decides_who_is_next),
        ENGINE_TEST(test_priority_orders_the_queue_then_age_does),
        ENGINE_TEST(test_cost_flags_stop_a_job_until_they_allow_it),
    };

    return ENGINE_TEST_RUN(download);
}
