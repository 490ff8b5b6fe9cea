/* SPDX-License-Identifier: MIT */
/*
 * What a process left unfinished when it was killed: at each crash point in turn while it downloads
 * and completes, or cancels. The child is this program again, called with --child; it kills itself
 * at the point, and the parent looks what the next engine makes of it.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/str.h"
#include "job/download.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "support/support.h"

extern char **environ;

/* Two blocks and a bit, so that a file has more than one write. */
#define CHILD_BYTES 2500000U
#define CHILD_QUERY "size=2500000"

/* More visits of one point than any scenario has. */
#define MOST_VISITS 60

/* No process has it: the next engine adopts its jobs. */
static const struct do_process dead = {0x7FFFFFF0, 1};

/* The child */

struct death
{
    const char *point;
    int visits_left;
    atomic_int visits;
};

#ifdef DOSVC_CRASH_POINTS
static void die_at(void *ctx, const char *name)
{
    struct death *death = ctx;

    if (!strcmp(name, death->point) &&
        atomic_fetch_add(&death->visits, 1) + 1 == death->visits_left)
        (void)kill(getpid(), SIGKILL);
}
#endif

static bool wait_transferred(struct do_job *job)
{
    return test_wait(job, TEST_STATE(DO_JOB_TRANSFERRED) | TEST_ENDED) == DO_JOB_TRANSFERRED;
}

static HRESULT add_file(struct do_job *job, const char *url, const char *path)
{
    const struct do_new_file file = {"content", url, path, NULL, 0, DO_SIZE_UNKNOWN};

    return do_job_add_files(job, &file, 1, NULL);
}

/* Two files, downloaded and completed; or the first one, stopped in its course and cancelled. */
static int child_main(char **arguments)
{
    static struct death death;
    const char *scenario = arguments[0];
    char second[600];
    struct do_job *job = NULL;

    death.point = arguments[1];
    death.visits_left = (int)strtol(arguments[2], NULL, 10);
    test_adopt(arguments[3], (uint16_t)strtoul(arguments[4], NULL, 10));
#ifdef DOSVC_CRASH_POINTS
    do_crash_point_set(die_at, &death);
#endif
    (void)snprintf(second, sizeof(second), "%s2", arguments[6]);
    if (FAILED(test_engine_start()) ||
        FAILED(do_engine_create_job(test_engine(), "child", NULL, &job)) ||
        FAILED(add_file(job, arguments[5], arguments[6])) ||
        (!strcmp(scenario, "complete") && FAILED(add_file(job, arguments[5], second))) ||
        FAILED(do_job_resume(job)))
        return 1;
    if (!strcmp(scenario, "complete"))
    {
        if (!wait_transferred(job) || do_job_complete(job) != S_OK)
            return 2;
    }
    else
    {
        test_wait_bytes(job, 1);
        if (FAILED(do_job_suspend(job)) || do_job_cancel(job) != S_OK)
            return 3;
    }
    do_job_release(job);
    test_engine_stop();
    return 0;
}

/* True when it was killed at the point, false when it came to its end. */
static bool run_child(
    const char *scenario, const char *point, int visit, const struct test_file *file)
{
    char self[] = "/proc/self/exe";
    char option[] = "--child";
    char texts[7][1100];
    char *arguments[] = {
        self, option, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], NULL};
    int status = 0;
    pid_t pid;

    (void)snprintf(texts[0], sizeof(texts[0]), "%s", scenario);
    (void)snprintf(texts[1], sizeof(texts[1]), "%s", point);
    (void)snprintf(texts[2], sizeof(texts[2]), "%d", visit);
    (void)snprintf(texts[3], sizeof(texts[3]), "%s", test_folder());
    (void)snprintf(texts[4], sizeof(texts[4]), "%u", (unsigned int)test_server_port());
    (void)snprintf(texts[5], sizeof(texts[5]), "%s", file->url);
    (void)snprintf(texts[6], sizeof(texts[6]), "%s", file->path);
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("%s at %s %d: the child ended with 0x%x", scenario, point, visit, status);
    return false;
}

static struct do_queue_db *open_database(void)
{
    struct do_queue_db *db = NULL;

    assert_ok(do_queue_db_open(test_config()->database_path, &db));
    return db;
}

static bool count_trash(void *ctx, const char *path, const char *target)
{
    (void)target;
    if (do_file_exists(path))
        print_error("left: %s\n", path);
    (*(size_t *)ctx)++;
    return false;
}

/* The engine has ended: nothing of ours is left, on disk or in the database. */
static void assert_clean(void)
{
    struct do_queue_db *db;
    size_t count = 0;

    assert_int_equal(test_temp_files(), 0);
    db = open_database();
    assert_ok(do_queue_db_empty_trash(db, count_trash, &count));
    do_queue_db_close(db);
    assert_int_equal(count, 0);
}

static void assert_saved(const char *path)
{
    if (!test_has_object(path, 1, CHILD_BYTES))
        fail_msg("%s is not what was downloaded", path);
}

/* What the next engine makes of a job that was being downloaded or completed. */
static void check_completed(const struct test_file *file, const char *point)
{
    char second[600];
    size_t jobs;

    (void)snprintf(second, sizeof(second), "%s2", file->path);
    assert_ok(test_engine_start());
    jobs = test_job_count();
    assert_in_range(jobs, 0, 1);
    /* What was promised before the first rename is kept without any call. */
    if (!strcmp(point, "intent") || !strcmp(point, "renamed") || !strcmp(point, "removed"))
        assert_int_equal(jobs, 0);
    if (jobs)
    {
        struct do_job *job = test_only_job();

        if (do_job_get_file_count(job) == 2)
        {
            if (!do_job_state_is_active(do_job_get_state(job)) &&
                do_job_get_state(job) != DO_JOB_TRANSFERRED)
                assert_ok(do_job_resume(job));
            test_wait_state(job, DO_JOB_TRANSFERRED);
            assert_ok(do_job_complete(job));
        }
        else
        {
            /* The child had not come to its second file. */
            assert_false(test_exists(file->path));
            assert_ok(do_job_cancel(job));
            test_engine_stop();
            assert_clean();
            return;
        }
    }
    /* Without a job: all or, before there was one, nothing. */
    if (jobs || test_exists(file->path) || test_exists(second))
    {
        assert_saved(file->path);
        assert_saved(second);
    }
    else
        assert_string_equal(point, "committed");
    test_engine_stop();
    assert_clean();
    (void)unlink(file->path);
    (void)unlink(second);
}

static void check_cancelled(const struct test_file *file, const char *point)
{
    size_t jobs;

    assert_ok(test_engine_start());
    jobs = test_job_count();
    if (!strcmp(point, "removed") || !strcmp(point, "trash-deleted"))
        assert_int_equal(jobs, 0);
    if (jobs)
        assert_ok(do_job_cancel(test_only_job()));
    test_engine_stop();
    assert_clean();
    assert_false(test_exists(file->path));
}

/* Kills a child at each visit of the point; how often that was. */
static int kill_at(const char *scenario, const char *query, const char *point,
    void (*check)(const struct test_file *file, const char *point))
{
    int visit;

    test_engine_stop();
    for (visit = 1; visit < MOST_VISITS; visit++)
    {
        struct test_file file = test_file("file", query);
        bool killed = run_child(scenario, point, visit, &file);

        if (killed)
            check(&file, point);
        else
        {
            char second[600];

            assert_clean();
            (void)snprintf(second, sizeof(second), "%s2", file.path);
            (void)unlink(file.path);
            (void)unlink(second);
            break;
        }
    }
    assert_ok(test_engine_start());
    return visit - 1;
}

static void skip_without_points(void)
{
#ifndef DOSVC_CRASH_POINTS
    skip();
#endif
}

/* Broken: a process that dies while it receives loses bytes, mixes them, or leaves files. */
static void test_recover_killed_while_receiving(void **state)
{
    (void)state;
    skip_without_points();
    assert_in_range(kill_at("complete", CHILD_QUERY, "block-written", check_completed), 6, 20);
    assert_in_range(kill_at("complete", CHILD_QUERY, "flushed", check_completed), 2, 20);
    assert_in_range(kill_at("complete", CHILD_QUERY, "recorded", check_completed), 1, 20);
}

/* Broken: Complete is no transaction: one file is saved and the other one not, or twice. */
static void test_recover_killed_while_completing(void **state)
{
    (void)state;
    skip_without_points();
    assert_int_equal(kill_at("complete", CHILD_QUERY, "intent", check_completed), 1);
    assert_int_equal(kill_at("complete", CHILD_QUERY, "renamed", check_completed), 2);
    assert_int_equal(kill_at("complete", CHILD_QUERY, "removed", check_completed), 1);
}

/* Broken: between two changes of the database there is a moment that nothing goes on from. */
static void test_recover_killed_after_each_commit(void **state)
{
    (void)state;
    skip_without_points();
    assert_in_range(kill_at("complete", CHILD_QUERY, "committed", check_completed), 8, 50);
}

/* Broken: a cancelled job comes back, or its temporary file stays for ever. */
static void test_recover_killed_while_cancelling(void **state)
{
    (void)state;
    skip_without_points();
    assert_in_range(kill_at("cancel", CHILD_QUERY "&rate=3m", "committed", check_cancelled), 5, 50);
    assert_int_equal(kill_at("cancel", CHILD_QUERY "&rate=3m", "removed", check_cancelled), 1);
}

/* What the database and the disk say, without a kill */

static HRESULT set_intent(void *ctx, const struct do_job_record *job,
    const struct do_file_record *files, size_t file_count)
{
    struct do_queue_db *db = ctx;
    struct do_job_record record = *job;

    (void)files;
    (void)file_count;
    record.intent = DO_INTENT_COMPLETE;
    return do_queue_db_update_job(db, &record);
}

/* The engine ends as if it had been killed right after the intent was stored. */
static void stop_with_intent(void)
{
    struct do_queue_db *db;

    test_engine_stop();
    db = open_database();
    assert_ok(do_queue_db_adopt(db, dead, set_intent, db));
    do_queue_db_close(db);
}

static char *temp_path_of(struct do_job *job, size_t index)
{
    char *path = NULL;

    assert_ok(do_job_file_get_temp_path(do_job_get_file(job, index), &path));
    assert_int_not_equal(path[0], 0);
    return path;
}

/* Broken: a Complete that was cut short before the first rename is forgotten. */
static void test_recover_intent_saves_what_is_still_to_be_saved(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=100000");

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    stop_with_intent();
    assert_ok(test_engine_start());
    assert_int_equal(test_job_count(), 0);
    assert_true(test_has_object(file.path, 1, 100000));
    test_engine_stop();
    assert_clean();
    assert_ok(test_engine_start());
}

/* Broken: a file that an earlier process renamed is fetched again or called missing. */
static void test_recover_intent_recognises_what_was_saved(void **state)
{
    struct do_job *job = test_job();
    struct test_file files[2];
    char *temp;

    (void)state;
    files[0] = test_add(job, "one", "size=100000");
    files[1] = test_add(job, "two", "size=70000");
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    temp = temp_path_of(job, 0);
    stop_with_intent();
    assert_int_equal(rename(temp, files[0].path), 0);
    do_free(temp);
    assert_ok(test_engine_start());
    assert_int_equal(test_job_count(), 0);
    assert_true(test_has_object(files[0].path, 1, 100000));
    assert_true(test_has_object(files[1].path, 1, 70000));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: any file at the target passes for the one that was downloaded. */
static void test_recover_intent_takes_no_other_file_for_ours(void **state)
{
    static char other[100000];
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=100000");
    struct do_job_error error;
    char *temp;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    temp = temp_path_of(job, 0);
    stop_with_intent();
    assert_int_equal(unlink(temp), 0);
    do_free(temp);
    test_write_file(file.path, other, sizeof(other));
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    assert_ok(do_job_get_error(job, &error));
    assert_hr(DO_HR_FILE_NOT_FOUND, error.code);
    assert_int_equal(error.context, DO_ERROR_CONTEXT_LOCAL_FILE);
    assert_true(test_has_bytes(file.path, other, sizeof(other)));
}

/* Broken: a Complete that cannot be finished loses files, or is tried at each start for ever. */
static void test_recover_intent_that_cannot_be_finished_is_taken_back(void **state)
{
    struct do_job *job = test_job();
    struct test_file files[2];
    struct do_job_error error;

    (void)state;
    files[0] = test_add(job, "one", "size=100000");
    files[1] = test_add(job, "two", "size=70000");
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    stop_with_intent();
    assert_int_equal(mkdir(files[1].path, 0700), 0);
    for (int start = 0; start < 2; start++)
    {
        assert_ok(test_engine_start());
        job = test_only_job();
        assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
        assert_ok(do_job_get_error(job, &error));
        assert_ptr_equal(error.file, do_job_get_file(job, 1));
        assert_int_equal(error.context, DO_ERROR_CONTEXT_LOCAL_FILE);
        assert_true(test_has_object(files[0].path, 1, 100000));
        /* Only with the intent would the second start save it. */
        if (!start)
        {
            test_engine_stop();
            assert_int_equal(rmdir(files[1].path), 0);
        }
    }
    assert_false(test_exists(files[1].path));
    assert_ok(do_job_complete(job));
    assert_true(test_has_object(files[1].path, 1, 70000));
    assert_int_equal(test_temp_files(), 0);
}

/* The recorder's flush fails; so does, later, the rename. */
struct double_fault
{
    atomic_int flushes;
    atomic_bool renames;
};

static HRESULT fail_twice(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    struct double_fault *fault = ctx;

    (void)offset;
    (void)length;
    if (op == DO_FILE_OP_FLUSH && atomic_fetch_add(&fault->flushes, 1) == 0)
        return DO_HR_IO_DEVICE;
    return op == DO_FILE_OP_RENAME && atomic_load(&fault->renames) ? E_ACCESSDENIED : S_OK;
}

static HRESULT note_file(void *ctx, const struct do_job_record *job,
    const struct do_file_record *files, size_t file_count)
{
    bool *recorded = ctx;

    *recorded = job->intent == DO_INTENT_NONE && file_count == 1 && files[0].transferred &&
                files[0].temp_time && do_range_set_size(&files[0].received) == 100000;
    return S_OK;
}

/* Broken: Complete relies on a record that failed, and a restart throws a whole file away. */
static void test_recover_complete_records_what_was_not_recorded(void **state)
{
    struct double_fault fault = {0, true};
    struct test_file file;
    struct do_job *job;
    struct do_queue_db *db;
    bool recorded = false;

    (void)state;
    do_file_set_fault(fail_twice, &fault);
    job = test_download(&file, "file", "size=100000");
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(E_ACCESSDENIED, do_job_complete(job));
    assert_true(atomic_load(&fault.flushes) > 1);
    test_engine_stop();
    do_file_set_fault(NULL, NULL);
    db = open_database();
    assert_ok(do_queue_db_adopt(db, dead, note_file, &recorded));
    do_queue_db_close(db);
    assert_true(recorded);
    assert_ok(test_engine_start());
    test_complete(test_only_job(), &file, 1, 100000);
}

static HRESULT lose_owner(void *ctx, const struct do_job_record *job,
    const struct do_file_record *files, size_t file_count)
{
    HRESULT hr = do_queue_db_want_job(ctx, &job->id, dead);

    (void)files;
    (void)file_count;
    return SUCCEEDED(hr) ? do_queue_db_hand_over(ctx, &job->id, do_process_self(), dead) : hr;
}

/* A download that is not to outlive its process, which ended while it finalised it. */
static void leave_download(struct test_file *file)
{
    const struct do_setting settings[] = {{DO_PROP_URI, do_value_of_text(file->url)},
        {DO_PROP_LOCAL_PATH, do_value_of_text(file->path)}};
    struct do_queue_db *db;
    struct do_job *job;

    assert_ok(do_engine_create_download(test_engine(), NULL, &job));
    assert_ok(do_job_set_values(job, settings, 2));
    assert_ok(do_download_start(job, DO_DOWNLOAD_START_AS_IS, NULL, 0));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_release(job);
    test_engine_stop();
    db = open_database();
    assert_ok(do_queue_db_adopt(db, do_process_self(), set_intent, db));
    assert_ok(do_queue_db_adopt(db, do_process_self(), lose_owner, db));
    do_queue_db_close(db);
}

/* Broken: a Finalize that was cut short leaves its file under the temporary name for ever. */
static void test_recover_lost_download_is_finalised(void **state)
{
    struct test_file file = test_file("file", "size=100000");

    (void)state;
    leave_download(&file);
    assert_ok(test_engine_start());
    assert_true(test_has_object(file.path, 1, 100000));
    test_engine_stop();
    assert_clean();
    assert_ok(test_engine_start());
}

/* Broken: the same when it cannot be finished: the target exists. */
static void test_recover_lost_download_that_cannot_be_finalised_goes(void **state)
{
    struct test_file file = test_file("file", "size=100000");

    (void)state;
    test_write_file(file.path, "mine", 4);
    leave_download(&file);
    assert_ok(test_engine_start());
    test_engine_stop();
    assert_true(test_has_text(file.path, "mine"));
    assert_clean();
    assert_ok(test_engine_start());
}

/* Files that somebody else changed */

static void damage(const char *path)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, 1000, SEEK_SET), 0);
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
}

static void check_changed(const char *name, bool restart)
{
    struct test_file file;
    struct do_job *job = test_download(&file, name, "size=3m&rate=4m");
    struct test_request requests[3];
    char *temp;

    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    temp = temp_path_of(job, 0);
    if (restart)
        test_engine_stop();
    damage(temp);
    do_free(temp);
    if (restart)
    {
        assert_ok(test_engine_start());
        job = test_only_job();
    }
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
    assert_false(requests[1].has_range);
    test_complete(job, &file, 1, TEST_MIB(3));
}

/* Broken: bytes that another program wrote into a stopped download's file are saved as ours. */
static void test_recover_changed_file_is_begun_anew(void **state)
{
    (void)state;
    check_changed("here", false);
    check_changed("restarted", true);
}

/* Broken: the check above finds changes that nobody made, and fetches everything again. */
static void test_recover_untouched_file_goes_on(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=4m&rate=4m");
    struct test_request requests[6];
    size_t count;

    (void)state;
    for (int i = 0; i < 3; i++)
    {
        test_wait_bytes(job, TEST_MIB(1) * (uint64_t)(i + 1));
        assert_ok(do_job_suspend(job));
        if (i)
        {
            test_engine_stop();
            assert_ok(test_engine_start());
            job = test_only_job();
        }
        assert_ok(do_job_resume(job));
    }
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    count = test_requests(file.server_path, 2, requests, 6);
    for (size_t i = 1; i < count; i++)
        assert_true(requests[i].has_range);
}

/* Broken: a finished file that was changed since is saved without a word. */
static void test_recover_changed_transferred_file_is_not_saved(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=100000");
    struct do_job_error error;
    char *temp;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    temp = temp_path_of(job, 0);
    test_engine_stop();
    damage(temp);
    do_free(temp);
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_hr(DO_HR_LOCAL_FILE_CHANGED, do_job_complete(job));
    assert_ok(do_job_get_error(job, &error));
    assert_hr(DO_HR_LOCAL_FILE_CHANGED, error.code);
    assert_false(test_exists(file.path));
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
}

/* Files that are to be deleted */

static HRESULT refuse_removal(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    (void)ctx;
    (void)offset;
    (void)length;
    return op == DO_FILE_OP_REMOVE ? DO_HR_SHARING_VIOLATION : S_OK;
}

/* Broken: a temporary file that could not be deleted at once stays for ever. */
static void test_recover_file_in_use_is_deleted_later(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=3m&rate=3m");

    (void)state;
    test_wait_bytes(job, 1);
    assert_ok(do_job_suspend(job));
    do_file_set_fault(refuse_removal, NULL);
    assert_hr(DO_HR_S_UNABLE_TO_DELETE_FILES, do_job_cancel(job));
    test_engine_stop();
    assert_int_equal(test_temp_files(), 1);
    /* And while it is in use still. */
    assert_ok(test_engine_start());
    test_engine_stop();
    assert_int_equal(test_temp_files(), 1);
    do_file_set_fault(NULL, NULL);
    assert_ok(test_engine_start());
    test_engine_stop();
    assert_clean();
    assert_ok(test_engine_start());
}

/* A row whose file is to be deleted and lies at path. */
static void leave_row(const char *path, const char *target)
{
    struct do_queue_db *db = open_database();
    struct do_job_record job;
    struct do_file_record file;

    do_job_record_init(&job);
    assert_ok(do_random_bytes(job.id.bytes, sizeof(job.id.bytes)));
    job.owner = dead;
    assert_ok(do_queue_db_insert_job(db, &job));
    do_file_record_init(&file);
    assert_ok(do_str_assign(&file.url, "http://127.0.0.1/"));
    assert_ok(do_str_assign(&file.local_path, target));
    assert_ok(do_str_assign(&file.temp_path, path));
    assert_ok(do_queue_db_insert_file(db, &job.id, &file));
    assert_ok(do_queue_db_remove_job(db, &job.id));
    do_file_record_finish(&file);
    do_job_record_finish(&job);
    do_queue_db_close(db);
}

/* Broken: a row of the database makes the engine delete a file of another program. */
static void test_recover_deletes_no_file_that_is_not_ours(void **state)
{
    static const char *const names[] = {
        "letter.txt", "DO1234567.tmp", "DO1234abcd.tmp", "sub/DO12345678.tmp"};
    char target[600];
    char path[600];
    char folder[600];

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/sub", test_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(target, sizeof(target), "%s/target", test_folder());
    test_engine_stop();
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        (void)snprintf(path, sizeof(path), "%s/%s", test_folder(), names[i]);
        test_write_file(path, "mine", 4);
        leave_row(path, target);
    }
    /* That the others stay is not because nothing goes. */
    (void)snprintf(path, sizeof(path), "%s/DO0000000F.tmp", test_folder());
    test_write_file(path, "ours", 4);
    leave_row(path, target);
    assert_ok(test_engine_start());
    /* At once, and not only when the engine ends. */
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && test_exists(path); waited += 2)
        test_pause_ms(2);
    assert_false(test_exists(path));
    test_engine_stop();
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        (void)snprintf(path, sizeof(path), "%s/%s", test_folder(), names[i]);
        assert_true(test_has_text(path, "mine"));
    }
    assert_ok(test_engine_start());
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest recover[] = {
        ENGINE_TEST(test_recover_killed_while_receiving),
        ENGINE_TEST(test_recover_killed_while_completing),
        ENGINE_TEST(test_recover_killed_after_each_commit),
        ENGINE_TEST(test_recover_killed_while_cancelling),
        ENGINE_TEST(test_recover_intent_saves_what_is_still_to_be_saved),
        ENGINE_TEST(test_recover_intent_recognises_what_was_saved),
        ENGINE_TEST(test_recover_intent_takes_no_other_file_for_ours),
        ENGINE_TEST(test_recover_intent_that_cannot_be_finished_is_taken_back),
        ENGINE_TEST(test_recover_complete_records_what_was_not_recorded),
        ENGINE_TEST(test_recover_lost_download_is_finalised),
        ENGINE_TEST(test_recover_lost_download_that_cannot_be_finalised_goes),
        ENGINE_TEST(test_recover_changed_file_is_begun_anew),
        ENGINE_TEST(test_recover_untouched_file_goes_on),
        ENGINE_TEST(test_recover_changed_transferred_file_is_not_saved),
        ENGINE_TEST(test_recover_file_in_use_is_deleted_later),
        ENGINE_TEST(test_recover_deletes_no_file_that_is_not_ours),
    };

    if (argc == 9 && !strcmp(argv[1], "--child"))
        return child_main(argv + 2);
    return ENGINE_TEST_RUN(recover);
}
