/* SPDX-License-Identifier: MIT */
/*
 * Engines that end and begin again: in one process, and after a child was killed in mid download.
 * The child is this program again, called with --child.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "plat/plat.h"
#include "support/support.h"

extern char **environ;

static uint64_t bytes_of(struct do_job *job)
{
    struct do_job_progress progress;

    do_job_get_progress(job, &progress);
    return progress.bytes_transferred;
}

static void restart(void)
{
    test_engine_stop();
    assert_false(do_engine_exists());
    assert_ok(test_engine_start());
}

/* Broken: a suspended job loses its bytes, its identity or its state with the engine. */
static void test_restart_suspended_job_keeps_its_bytes(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=4m&rate=4m");
    struct do_guid id = do_job_get_id(job);
    struct do_guid restored;
    struct test_request requests[3];
    uint64_t had;

    (void)state;
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    had = bytes_of(job);
    restart();
    job = test_only_job();
    restored = do_job_get_id(job);
    assert_memory_equal(&id, &restored, sizeof(id));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_int_equal(bytes_of(job), had);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
    assert_int_equal(requests[1].range.begin, had);
}

/* Broken: a download stops, or the engine stays for ever, when the client lets go. */
static void test_restart_running_job_goes_on_alone(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=2m&rate=3m");
    struct test_request request;

    (void)state;
    test_wait_bytes(job, 1);
    test_engine_let_go();
    assert_true(do_engine_exists());
    do_engine_wait_gone();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(2));
    assert_int_equal(test_requests(file.server_path, 1, &request, 1), 1);
}

/* Broken: whoever comes while a job runs alone gets another engine, or loses the job. */
static void test_restart_client_finds_its_running_job_again(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=3m&rate=2m");

    (void)state;
    test_wait_bytes(job, 1);
    test_engine_let_go();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_true(do_job_state_is_active(do_job_get_state(job)));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(3));
}

static void check_transferred(const char *query, uint64_t size)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", query);
    struct test_request request;
    struct do_job_progress progress;

    test_wait_state(job, DO_JOB_TRANSFERRED);
    restart();
    job = test_only_job();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_total, size);
    assert_int_equal(progress.bytes_transferred, size);
    assert_int_equal(progress.files_transferred, 1);
    test_complete(job, &file, 1, size);
    assert_int_equal(test_requests(file.server_path, 1, &request, 1), 1);
    assert_int_equal(unlink(file.path), 0);
}

/* Broken: a finished job is fetched again, or cannot be completed, after a restart. */
static void test_restart_transferred_job_can_be_completed(void **state)
{
    (void)state;
    check_transferred("size=70000", 70000);
    check_transferred("size=0", 0);
    check_transferred("size=1500000&no_length=1", 1500000);
    check_transferred("size=1500000&chunked=1", 1500000);
}

/* Broken: an error is forgotten, or tried again unasked. */
static void test_restart_failed_job_keeps_its_error(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "first", "size=70000");
    struct do_job_error error;

    (void)state;
    (void)test_add(job, "second", "status=403");
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    restart();
    job = test_only_job();
    assert_int_equal(do_job_get_state(job), DO_JOB_ERROR);
    assert_ok(do_job_get_error(job, &error));
    assert_hr((HRESULT)0x80190193, error.code);
    assert_int_equal(error.context, DO_ERROR_CONTEXT_REMOTE_FILE);
    assert_ptr_equal(error.file, do_job_get_file(job, 1));
    assert_hr(DO_HR_S_PARTIAL_COMPLETE, do_job_complete(job));
    assert_true(test_has_object(file.path, 1, 70000));
}

/* Broken: a server without totals makes the engine forget the size that it knew. */
static void test_restart_keeps_the_size_without_totals(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(
        &file, "file", "size=3m&rate=3m&star_total=1&fail_first=1&fail_how=cut&fail_at=1m");
    struct do_job_progress progress;

    (void)state;
    test_wait_bytes(job, TEST_MIB(1) + 1);
    assert_ok(do_job_suspend(job));
    restart();
    job = test_only_job();
    do_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_total, TEST_MIB(3));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(3));
}

/* Rows that somebody else wrote */

/* No process has it: the next engine adopts its jobs. */
static const struct do_process dead = {0x7FFFFFF0, 1};

static struct do_queue_db *open_database(void)
{
    struct do_queue_db *db = NULL;

    assert_ok(do_queue_db_open(test_config()->database_path, &db));
    return db;
}

static struct do_guid insert_job(struct do_queue_db *db, enum do_job_state state)
{
    struct do_job_record record;
    struct do_guid id;

    do_job_record_init(&record);
    assert_ok(do_random_bytes(record.id.bytes, sizeof(record.id.bytes)));
    record.priority = DO_PRIORITY_NORMAL;
    record.state = (uint32_t)state;
    record.error_file = UINT32_MAX;
    record.creation_time = do_clock_filetime();
    record.owner = dead;
    assert_ok(do_queue_db_insert_job(db, &record));
    id = record.id;
    do_job_record_finish(&record);
    return id;
}

/* A job that would run at once, with a temporary file that would be written to. */
static struct do_guid insert_running_job(const char *url, const char *path, const char *temp_path)
{
    struct do_queue_db *db = open_database();
    struct do_guid id = insert_job(db, DO_JOB_QUEUED);
    struct do_file_record file;

    do_file_record_init(&file);
    assert_ok(do_str_assign(&file.content_id, "content"));
    assert_ok(do_str_assign(&file.url, url));
    assert_ok(do_str_assign(&file.local_path, path));
    assert_ok(do_str_assign(&file.temp_path, temp_path));
    assert_ok(do_queue_db_insert_file(db, &id, &file));
    do_file_record_finish(&file);
    do_queue_db_close(db);
    return id;
}

/* url NULL: one of the server's. */
static void check_left_out(const char *url, const char *temp_name)
{
    struct test_file file = test_file("file", "size=70000");
    struct test_request request;
    struct do_queue_db *db;
    struct do_guid id;
    char temp_path[600];

    (void)snprintf(temp_path, sizeof(temp_path), "%s/%s", test_folder(), temp_name);
    test_engine_stop();
    test_write_file(temp_path, "mine", 4);
    id = insert_running_job(url ? url : file.url, file.path, temp_path);
    assert_ok(test_engine_start());
    if (test_job_count())
        print_error("taken: %s, %s\n", url ? url : "", temp_name);
    assert_int_equal(test_job_count(), 0);
    test_engine_stop();
    assert_true(test_has_text(temp_path, "mine"));
    assert_false(test_exists(file.path));
    assert_int_equal(test_requests(file.server_path, 0, &request, 1), 0);
    assert_int_equal(unlink(temp_path), 0);
    db = open_database();
    assert_ok(do_queue_db_remove_job(db, &id));
    do_queue_db_close(db);
    assert_ok(test_engine_start());
}

/* Broken: a row of the database makes the engine write to, or delete, a file of the user's. */
static void test_restart_leaves_out_rows_with_a_foreign_file(void **state)
{
    static const char *const names[] = {"letter.txt", "DO1234567.tmp", "DO123456789.tmp",
        "DO1234567G.tmp", "DO1234abcd.tmp", "do12345678.tmp", "DO12345678.txt", "DO12345678.tmpx",
        "sub/DO12345678.tmp", "sub/../DO12345678.tmp"};
    char folder[600];

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/sub", test_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
        check_left_out(NULL, names[i]);
}

/* Broken: a URL that no client could have given is asked for all the same. */
static void test_restart_leaves_out_rows_with_a_bad_url(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "http://", ""};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(urls); i++)
        check_left_out(urls[i], "DO12345678.tmp");
}

/* Broken: the checks above refuse everything. */
static void test_restart_takes_rows_that_it_could_have_written(void **state)
{
    struct test_file file = test_file("file", "size=70000");
    struct do_job *job;
    char temp_path[600];

    (void)state;
    (void)snprintf(temp_path, sizeof(temp_path), "%s/DO12ABCDEF.tmp", test_folder());
    test_engine_stop();
    test_write_file(temp_path, "ours", 4);
    (void)insert_running_job(file.url, file.path, temp_path);
    assert_ok(test_engine_start());
    job = test_only_job();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, 70000);
}

/*
 * Broken: of a process that ended before the first byte was on disk the next one keeps the size
 * that a head had told, and takes so many bytes of a larger object for all of it.
 */
static void test_restart_size_without_bytes_is_forgotten(void **state)
{
    static const uint64_t told[] = {50000, 70000, 90000};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(told); i++)
    {
        struct test_file file = test_file("file", "size=70000");
        struct do_file_record record;
        struct do_queue_db *db;
        struct do_guid id;
        struct do_job *job;
        char temp_path[600];

        (void)snprintf(temp_path, sizeof(temp_path), "%s/DO12ABCDEF.tmp", test_folder());
        test_engine_stop();
        test_write_file(temp_path, "", 0);
        db = open_database();
        id = insert_job(db, DO_JOB_QUEUED);
        do_file_record_init(&record);
        assert_ok(do_str_assign(&record.content_id, "content"));
        assert_ok(do_str_assign(&record.url, file.url));
        assert_ok(do_str_assign(&record.local_path, file.path));
        assert_ok(do_str_assign(&record.temp_path, temp_path));
        assert_ok(do_str_assign(&record.etag, "\"of another version\""));
        record.remote_size = told[i];
        assert_ok(do_queue_db_insert_file(db, &id, &record));
        do_file_record_finish(&record);
        do_queue_db_close(db);
        assert_ok(test_engine_start());
        job = test_only_job();
        test_wait_state(job, DO_JOB_TRANSFERRED);
        test_complete(job, &file, 1, 70000);
        assert_int_equal(unlink(file.path), 0);
    }
}

/* Broken: a new URL makes the database forget what is on disk. */
static void test_restart_new_url_keeps_the_bytes(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=4m&rate=2m");
    struct do_job_progress before;
    struct do_job_progress after;

    (void)state;
    test_wait_bytes(job, TEST_MIB(2));
    assert_ok(do_job_suspend(job));
    do_job_get_progress(job, &before);
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), file.url));
    test_engine_stop();
    assert_ok(test_engine_start());
    do_job_get_progress(test_only_job(), &after);
    assert_int_equal(before.bytes_transferred, after.bytes_transferred);
}

/* Broken: a transferred file that is gone is saved as zeros. */
static void test_restart_vanished_transferred_file_is_not_saved(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=100000");
    char *temp = NULL;

    (void)state;
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), file.url));
    assert_ok(do_job_file_get_temp_path(do_job_get_file(job, 0), &temp));
    test_engine_stop();
    assert_int_equal(remove(temp), 0);
    do_free(temp);
    assert_ok(test_engine_start());
    assert_true(FAILED(do_job_complete(test_only_job())));
    assert_false(test_exists(file.path));
}

static HRESULT count_files(
    void *ctx, const struct do_job_record *job, const struct do_file_record *files, size_t count)
{
    (void)job;
    (void)files;
    *(size_t *)ctx += count;
    return S_OK;
}

static size_t stored_files(struct do_queue_db *db)
{
    size_t count = 0;

    assert_ok(do_queue_db_adopt(db, dead, count_files, &count));
    return count;
}

static void init_file_with_range(struct do_file_record *file, const char *url)
{
    static const struct do_range range = {0, 100};

    do_file_record_init(file);
    assert_ok(do_str_assign(&file->content_id, "content"));
    assert_ok(do_str_assign(&file->url, url));
    assert_ok(do_str_assign(&file->local_path, "/tmp/file"));
    assert_non_null(file->ranges = do_memdup(&range, sizeof(range)));
    file->range_count = 1;
}

/* Broken: files are stored up to the one that fails, and are there after the next start. */
static void test_restart_finds_all_files_of_a_call_or_none(void **state)
{
    const struct do_guid nobody = {{0}};
    struct do_file_record first;
    struct do_file_record second;
    struct do_file_record *const files[] = {&first, &second};
    struct do_queue_db *db;
    struct do_guid id;
    uint64_t n;

    (void)state;
    test_engine_stop();
    db = open_database();
    id = insert_job(db, DO_JOB_SUSPENDED);
    init_file_with_range(&first, "http://h/1");
    init_file_with_range(&second, "http://h/2");
    assert_hr(DO_E_JOB_NOT_FOUND, do_queue_db_insert_files(db, &nobody, files, 2));
    for (n = 1; n < 100; n++)
    {
        HRESULT hr;

        do_alloc_fail_nth(n);
        hr = do_queue_db_insert_files(db, &id, files, 2);
        do_alloc_fail_nth(0);
        if (hr == S_OK)
            break;
        assert_hr(E_OUTOFMEMORY, hr);
        assert_int_equal(stored_files(db), 0);
    }
    /* Both files have allocated. */
    assert_in_range(n, 3, 99);
    assert_int_equal(stored_files(db), 2);
    do_file_record_finish(&first);
    do_file_record_finish(&second);
    do_queue_db_close(db);
    assert_ok(test_engine_start());
    assert_int_equal(do_job_get_file_count(test_only_job()), 2);
}

/* The child */

/* Downloads until it is killed; url "-" goes on with the jobs that are there. */
static int child_main(const char *folder, const char *port, const char *url, const char *path)
{
    struct do_new_file file = {"content", url, path, NULL, 0, DO_SIZE_UNKNOWN};
    struct do_job *job = NULL;

    test_adopt(folder, (uint16_t)strtoul(port, NULL, 10));
    if (strstr(url, "x_one_connection"))
        test_config()->max_file_connections = 1;
    if (FAILED(test_engine_start()))
        return 1;
    if (strcmp(url, "-") != 0 &&
        (FAILED(do_engine_create_job(test_engine(), "child", NULL, &job)) ||
            FAILED(do_job_add_files(job, &file, 1, NULL)) || FAILED(do_job_resume(job))))
        return 1;
    test_pause_ms(60000);
    return 0;
}

static pid_t start_child(const char *url, const char *path)
{
    char self[] = "/proc/self/exe";
    char option[] = "--child";
    char folder[400];
    char port[16];
    char url_copy[1024];
    char path_copy[512];
    char *arguments[] = {self, option, folder, port, url_copy, path_copy, NULL};
    pid_t pid;

    (void)snprintf(folder, sizeof(folder), "%s", test_folder());
    (void)snprintf(port, sizeof(port), "%u", (unsigned int)test_server_port());
    (void)snprintf(url_copy, sizeof(url_copy), "%s", url);
    (void)snprintf(path_copy, sizeof(path_copy), "%s", path);
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, arguments, environ), 0);
    return pid;
}

/* Waits until the server has sent so many bytes for the path, over all requests. */
static bool wait_sent(const char *server_path, uint64_t bytes)
{
    static struct test_request requests[64];

    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 20)
    {
        size_t count = test_requests(server_path, 0, requests, DO_COUNT_OF(requests));
        uint64_t sent = 0;

        for (size_t i = 0; i < count; i++)
            sent += requests[i].sent;
        if (sent >= bytes)
            return true;
        test_pause_ms(20);
    }
    return false;
}

static bool kill_child(pid_t pid)
{
    int status = 0;

    (void)kill(pid, SIGKILL);
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

/* Broken: a killed process loses the job, its bytes, or more than the last second of them. */
static void test_restart_killed_child_leaves_its_job(void **state)
{
    struct test_file file = test_file("file", "size=16m&rate=4m&x_one_connection=1");
    struct test_request requests[3];
    struct do_job *job;
    pid_t pid;

    (void)state;
    test_engine_stop();
    pid = start_child(file.url, file.path);
    assert_true(wait_sent(file.server_path, TEST_MIB(12)));
    assert_true(kill_child(pid));
    assert_int_equal(test_temp_files(), 1);
    test_one_connection();
    job = test_only_job();
    assert_true(do_job_state_is_active(do_job_get_state(job)));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(16));
    assert_int_equal(test_requests(file.server_path, 2, requests, 3), 2);
    assert_int_equal(requests[1].status, 206);
    /* A second between records, half a second in a block, and what was under way. */
    assert_true(requests[1].range.begin + 4 * TEST_MIB(3) / 2 + TEST_MIB(1) >= requests[0].sent);
    assert_true(requests[1].range.begin >= TEST_MIB(4));
}

/* Broken: a kill at some moment leaves something that the next process cannot go on from. */
static void test_restart_children_killed_again_and_again(void **state)
{
    struct test_file file = test_file("file", "size=6m&rate=3m");
    struct do_job *job;
    uint64_t sent = 0;

    (void)state;
    test_engine_stop();
    for (unsigned int i = 0; i < 8; i++)
    {
        pid_t pid = start_child(i ? "-" : file.url, file.path);

        sent += 1000 + i * 150000;
        assert_true(wait_sent(file.server_path, sent));
        test_pause_ms(i * 17);
        assert_true(kill_child(pid));
    }
    assert_ok(test_engine_start());
    job = test_only_job();
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(6));
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest restart_tests[] = {
        ENGINE_TEST(test_restart_suspended_job_keeps_its_bytes),
        ENGINE_TEST(test_restart_running_job_goes_on_alone),
        ENGINE_TEST(test_restart_client_finds_its_running_job_again),
        ENGINE_TEST(test_restart_transferred_job_can_be_completed),
        ENGINE_TEST(test_restart_failed_job_keeps_its_error),
        ENGINE_TEST(test_restart_keeps_the_size_without_totals),
        ENGINE_TEST(test_restart_leaves_out_rows_with_a_foreign_file),
        ENGINE_TEST(test_restart_leaves_out_rows_with_a_bad_url),
        ENGINE_TEST(test_restart_takes_rows_that_it_could_have_written),
        ENGINE_TEST(test_restart_size_without_bytes_is_forgotten),
        ENGINE_TEST(test_restart_new_url_keeps_the_bytes),
        ENGINE_TEST(test_restart_vanished_transferred_file_is_not_saved),
        ENGINE_TEST(test_restart_finds_all_files_of_a_call_or_none),
        ENGINE_TEST(test_restart_killed_child_leaves_its_job),
        ENGINE_TEST(test_restart_children_killed_again_and_again),
    };

    if (count == 6 && !strcmp(arguments[1], "--child"))
        return child_main(arguments[2], arguments[3], arguments[4], arguments[5]);
    return ENGINE_TEST_RUN(restart_tests);
}
