/* SPDX-License-Identifier: MIT */
/*
 * What file systems do wrong, through the fault function of plat/file: full, refusing, slow; and
 * with file systems of its own that are full, read-only or gone, where it may mount them. The job
 * says so, keeps what it has, and goes on when the trouble is over; the others never notice.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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

/* Real file systems */

/* A folder of the test's, to be mounted on. */
static const char *volume(const char *name)
{
    static char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", test_folder(), name);
    assert_true(mkdir(path, 0700) == 0 || test_exists(path));
    return path;
}

static void mount_small(const char *path, const char *options)
{
    if (!mount("dosvc-test", path, "tmpfs", MS_NOSUID | MS_NODEV, options))
        return;
    print_message("no rights to mount\n");
    skip();
}

/* The jobs go with their engine before the volume does, and leave nothing there. */
static int teardown_volume(void **state)
{
    char path[600];
    char target[700];

    (void)snprintf(path, sizeof(path), "%s/volume", test_folder());
    test_engine_stop();
    (void)snprintf(target, sizeof(target), "%s/file", path);
    (void)unlink(target);
    (void)umount2(path, MNT_DETACH);
    if (FAILED(test_engine_start()))
        return -1;
    return test_engine_teardown(state);
}

#define VOLUME_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, test_engine_setup, teardown_volume)

static void assert_error(struct do_job *job, HRESULT code)
{
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(code, test_error(job));
}

/* The job ends well, and without what it had asked for once more. */
static void expect_resumed(struct do_job *job, const struct test_file *file, uint64_t size)
{
    struct test_request requests[8];
    size_t count;

    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_complete(job));
    assert_true(test_has_object(file->path, 1, size));
    count = test_requests(file->server_path, 2, requests, 8);
    for (size_t i = 1; i < count; i++)
        assert_true(requests[i].has_range && requests[i].range.begin > 0);
}

/* Broken: a volume without room takes its jobs' bytes, or other jobs, with it. */
static void test_disk_really_full(void **state)
{
    const char *path = volume("volume");
    struct test_file file;
    struct test_file other_file;
    struct do_job *job;
    struct do_job *other;

    (void)state;
    mount_small(path, "size=4m");
    test_one_connection();
    other = test_download(&other_file, "other", "size=6m&rate=4m");
    job = test_download(&file, "volume/file", "size=8m&rate=16m");
    assert_error(job, DO_HR_DISK_FULL);
    assert_ok(do_job_resume(job));
    assert_error(job, DO_HR_DISK_FULL);
    test_wait_state(other, DO_JOB_TRANSFERRED);
    assert_int_equal(mount("dosvc-test", path, "tmpfs", MS_REMOUNT, "size=32m"), 0);
    assert_ok(do_job_resume(job));
    expect_resumed(job, &file, TEST_MIB(8));
    test_complete(other, &other_file, 1, TEST_MIB(6));
}

/* Not before the engine has closed what it had open. */
static void make_read_only(const char *path)
{
    int result = -1;

    for (unsigned int waited = 0; waited < TEST_WAIT_MS && result; waited += 10)
    {
        if ((result = mount("dosvc-test", path, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL)))
            test_pause_ms(10);
    }
    assert_int_equal(result, 0);
}

/* Broken: a volume that can no longer be written to loses what was received. */
static void test_disk_read_only(void **state)
{
    const char *path = volume("volume");
    struct test_file file;
    struct do_job *job;

    (void)state;
    mount_small(path, "size=32m");
    test_one_connection();
    job = test_download(&file, "volume/file", "size=4m&rate=4m");
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    make_read_only(path);
    assert_ok(do_job_resume(job));
    assert_error(job, E_ACCESSDENIED);
    assert_int_equal(mount("dosvc-test", path, "tmpfs", MS_REMOUNT, NULL), 0);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    make_read_only(path);
    assert_hr(E_ACCESSDENIED, do_job_complete(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    assert_int_equal(mount("dosvc-test", path, "tmpfs", MS_REMOUNT, NULL), 0);
    expect_resumed(job, &file, TEST_MIB(4));
}

/* Broken: a volume that is away for a while costs what was received, or other jobs their course. */
static void test_disk_volume_goes_and_comes_back(void **state)
{
    char backing[600];
    const char *path;
    struct test_file file;
    struct test_file lost;
    struct do_job *job;
    struct do_job *cancelled;

    (void)state;
    (void)snprintf(backing, sizeof(backing), "%s", volume("backing"));
    path = volume("volume");
    if (mount(backing, path, NULL, MS_BIND, NULL))
    {
        print_message("no rights to mount\n");
        skip();
    }
    test_one_connection();
    job = test_download(&file, "volume/file", "size=4m&rate=4m");
    cancelled = test_download(&lost, "volume/lost", "size=4m&rate=4m");
    test_wait_bytes(job, TEST_MIB(1));
    test_wait_bytes(cancelled, 1);
    assert_ok(do_job_suspend(job));
    assert_ok(do_job_suspend(cancelled));
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
    assert_ok(do_job_resume(job));
    assert_error(job, DO_HR_PATH_NOT_FOUND);
    assert_ok(do_job_cancel(cancelled));
    test_engine_stop();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_hr(DO_HR_PATH_NOT_FOUND, test_error(job));

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mount(backing, path, NULL, MS_BIND, NULL), 0);
    assert_ok(do_job_resume(job));
    expect_resumed(job, &file, TEST_MIB(4));
    /* Nothing is known of a file on a volume that is away: it is deleted when it is back. */
    test_engine_stop();
    assert_int_equal(unlink(file.path), 0);
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(backing), 0);
    assert_ok(test_engine_start());
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
        VOLUME_TEST(test_disk_really_full),
        VOLUME_TEST(test_disk_read_only),
        VOLUME_TEST(test_disk_volume_goes_and_comes_back),
    };

    return ENGINE_TEST_RUN(disk);
}
