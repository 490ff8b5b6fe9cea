/* SPDX-License-Identifier: MIT */
/*
 * What file systems do wrong, through the fault function of plat/file: full, refusing, slow. The
 * job says so, keeps what it has, and goes on when the trouble is over.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plat/file.h"

/* Operations of one kind fail, from the nth on (1 = the first). */
struct disk_fault
{
    enum do_file_op op;
    int nth;
    HRESULT hr;
    atomic_int count;
};

static HRESULT fail_from_nth(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    struct disk_fault *fault = ctx;

    (void)offset;
    (void)length;
    if (op != fault->op)
        return S_OK;
    return atomic_fetch_add(&fault->count, 1) + 1 >= fault->nth ? fault->hr : S_OK;
}

static void check_error_then_resume(enum do_file_op op, int nth, HRESULT hr)
{
    struct disk_fault fault = {.op = op, .nth = nth, .hr = hr};
    struct test_file file;
    struct do_job *job;
    struct do_job_error error;
    struct do_job_progress progress;
    char name[32];

    (void)snprintf(name, sizeof(name), "f%d-%d", (int)op, nth);
    do_file_set_fault(fail_from_nth, &fault);
    job = test_download(&file, name, "size=5m&rate=20m");
    test_wait_state(job, DO_JOB_ERROR);
    assert_ok(do_job_get_error(job, &error));
    assert_hr(hr, error.code);
    assert_int_equal(error.context, DO_ERROR_CONTEXT_NONE);
    assert_ptr_equal(error.file, do_job_get_file(job, 0));
    do_job_get_progress(job, &progress);
    assert_true(progress.bytes_transferred < TEST_MIB(5));
    assert_false(test_exists(file.path));

    /* It fails again while the trouble lasts, whatever the client does. */
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(hr, test_error(job));

    do_file_set_fault(NULL, NULL);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_transferred, TEST_MIB(5));
    test_complete(job, &file, 1, TEST_MIB(5));
}

/* Broken: a full disk loses what is there, or the job cannot go on when there is room again. */
static void test_disk_full_while_writing(void **state)
{
    (void)state;
    check_error_then_resume(DO_FILE_OP_WRITE, 1, DO_HR_DISK_FULL);
    check_error_then_resume(DO_FILE_OP_WRITE, 2, DO_HR_DISK_FULL);
    check_error_then_resume(DO_FILE_OP_WRITE, 5, DO_HR_DISK_FULL);
}

/* Broken: a file that will not fit is fetched all the same. */
static void test_disk_full_when_setting_the_size(void **state)
{
    (void)state;
    check_error_then_resume(DO_FILE_OP_SET_SIZE, 1, DO_HR_DISK_FULL);
}

/* Broken: a folder that refuses the file is asked for ever, or wedges the job. */
static void test_disk_refuses_to_create(void **state)
{
    (void)state;
    check_error_then_resume(DO_FILE_OP_CREATE, 1, E_ACCESSDENIED);
}

/* Broken: bytes that could not be flushed are saved as if they were safe. */
static void test_disk_cannot_flush(void **state)
{
    struct disk_fault fault = {.op = DO_FILE_OP_FLUSH, .nth = 1, .hr = DO_HR_DISK_FULL};
    struct test_file file;
    struct do_job *job;
    struct do_job_error error;

    (void)state;
    do_file_set_fault(fail_from_nth, &fault);
    job = test_download(&file, "file", "size=3m");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(DO_HR_DISK_FULL, do_job_complete(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    assert_ok(do_job_get_error(job, &error));
    assert_int_equal(error.context, DO_ERROR_CONTEXT_LOCAL_FILE);
    assert_false(test_exists(file.path));
    do_file_set_fault(NULL, NULL);
    test_complete(job, &file, 1, TEST_MIB(3));
}

/* Broken: a missing folder is created, or takes the job with it. */
static void test_disk_missing_folder_can_be_made_later(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_file("sub/file", "size=70000");
    char folder[600];

    (void)state;
    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_HR_PATH_NOT_FOUND, test_error(job));
    (void)snprintf(folder, sizeof(folder), "%s/sub", test_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, 70000);
}

static atomic_int slow_writes;

static HRESULT be_slow(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    (void)ctx;
    (void)offset;
    (void)length;
    if (op == DO_FILE_OP_WRITE && atomic_fetch_sub(&slow_writes, 1) > 0)
        test_pause_ms(1700);
    return S_OK;
}

/* Broken: a disk slower than the no-progress time has its file closed under the writer. */
static void test_disk_slower_than_no_progress_time(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=4m");

    (void)state;
    atomic_store(&slow_writes, 2);
    do_file_set_fault(be_slow, NULL);
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_file_set_fault(NULL, NULL);
    test_complete(job, &file, 1, TEST_MIB(4));
}

/* Broken: Suspend returns before the disk is through, and a Resume meets the old writes. */
static void test_disk_slow_while_suspending(void **state)
{
    struct test_file file;
    struct do_job *job;
    struct do_job_progress progress;

    (void)state;
    atomic_store(&slow_writes, 1);
    do_file_set_fault(be_slow, NULL);
    job = test_download(&file, "file", "size=8m&rate=8m");
    test_pause_ms(400);
    assert_ok(do_job_suspend(job));
    assert_int_equal(atomic_load(&slow_writes) <= 0, true);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_transferred, TEST_MIB(8));
    do_file_set_fault(NULL, NULL);
    test_complete(job, &file, 1, TEST_MIB(8));
}

/* The path of the only temporary file. */
static void find_temp_file(char *path, size_t size)
{
    DIR *entries = opendir(test_folder());
    struct dirent *entry;

    assert_non_null(entries);
    path[0] = 0;
    while ((entry = readdir(entries)))
    {
        if (!strncmp(entry->d_name, "DO", 2) && strstr(entry->d_name, ".tmp"))
            (void)snprintf(path, size, "%s/%s", test_folder(), entry->d_name);
    }
    (void)closedir(entries);
    assert_int_not_equal(path[0], 0);
}

/* new_size < 0: the file goes. */
static void check_damaged_while_suspended(const char *name, off_t new_size)
{
    struct test_file file;
    struct do_job *job = test_download(&file, name, "size=4m&rate=4m");
    struct test_request requests[3];
    char path[800];

    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    find_temp_file(path, sizeof(path));
    assert_int_equal(new_size < 0 ? unlink(path) : truncate(path, new_size), 0);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(S_OK, test_error(job));
    assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
    assert_false(requests[1].has_range);
    assert_int_equal(requests[1].sent, TEST_MIB(4));
    test_complete(job, &file, 1, TEST_MIB(4));
}

/* Broken: a job whose bytes somebody deleted goes on behind a hole, or fails for ever. */
static void test_disk_lost_bytes_are_fetched_anew(void **state)
{
    (void)state;
    check_damaged_while_suspended("gone", -1);
    check_damaged_while_suspended("short", 1000);
}

int main(void)
{
    static const struct CMUnitTest disk[] = {
        ENGINE_TEST(test_disk_full_while_writing),
        ENGINE_TEST(test_disk_full_when_setting_the_size),
        ENGINE_TEST(test_disk_refuses_to_create),
        ENGINE_TEST(test_disk_cannot_flush),
        ENGINE_TEST(test_disk_missing_folder_can_be_made_later),
        ENGINE_TEST(test_disk_slower_than_no_progress_time),
        ENGINE_TEST(test_disk_slow_while_suspending),
        ENGINE_TEST(test_disk_lost_bytes_are_fetched_anew),
    };

    return ENGINE_TEST_RUN(disk);
}
