/* SPDX-License-Identifier: MIT */
/*
 * Calls on a job that meet one another, or a database that fails: how a thread that must let calls
 * in waits for its turn, what a client's stream may call, and that each change is stored whole or
 * not at all. The stream and the fake apartment record; the test thread asserts. No wait is longer
 * than TEST_WAIT_MS.
 *
 * The database is made to fail from outside, by a second connection to it.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "job/client_ref.h"
#include "job/download.h"
#include "plat/file.h"
#include "plat/plat.h"

#define CALLS_TEST(function) cmocka_unit_test_setup_teardown(function, calls_setup, calls_teardown)

/* How long is waited for what must not happen. */
#define GRACE_MS 200U

/* An apartment: one thread, which runs what others send to it while it lets calls in. */
struct apartment
{
    uint64_t thread_id;
    uint64_t call_thread_id; /* who waits for what runs in it now; 0 = nobody */
    uint32_t prepared;       /* how often its thread was about to wait */

    /* Who sends something waits for its end. */
    void (*sent)(void);
    uint64_t sender_id;
    bool was_sent;
    bool lets_in;
};

/* What a waiting thread of the apartment waits on. */
struct event
{
    bool is_set;
};

/* Holds a flush. */
struct gate
{
    uint64_t test_thread;
    bool is_held;
    bool is_open;
};

static struct
{
    struct do_mutex lock;
    struct do_cond changed;

    /* Under lock. */
    struct apartment apartment;
    struct do_job *job; /* whose stream it is */
    bool is_inside;     /* a write has begun */
    bool may_return;
    void (*inside)(void); /* in the apartment, or NULL */
    HRESULT write_hr;
    HRESULT hrs[4]; /* of calls in the stream, and on other threads */
    unsigned int ended;

    struct gate gate;

    struct do_stream stream;
    struct do_job *download; /* ended with the test */
} client;

/* Waits, under client.lock, until *flag; false when time is up. */
static bool await_locked(const bool *flag)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;

    while (!*flag && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 100);
    return *flag;
}

static void await(const bool *flag)
{
    bool came;

    do_mutex_lock(&client.lock);
    came = await_locked(flag);
    do_mutex_unlock(&client.lock);
    assert_true(came);
}

static void set_flag(bool *flag)
{
    do_mutex_lock(&client.lock);
    *flag = true;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

/* The fake apartment */

static uint64_t fake_call_thread(void)
{
    uint64_t id;

    do_mutex_lock(&client.lock);
    id = client.apartment.thread_id == do_thread_current_id() ? client.apartment.call_thread_id : 0;
    do_mutex_unlock(&client.lock);
    return id;
}

static HRESULT fake_prepare(void **event)
{
    static struct event events[8];

    *event = NULL;
    do_mutex_lock(&client.lock);
    if (client.apartment.thread_id == do_thread_current_id())
    {
        *event = &events[client.apartment.prepared++ % DO_COUNT_OF(events)];
        ((struct event *)*event)->is_set = false;
    }
    do_mutex_unlock(&client.lock);
    return S_OK;
}

static void fake_wait(void *ctx)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct event *event = ctx;

    do_mutex_lock(&client.lock);
    client.apartment.lets_in = true;
    do_cond_broadcast(&client.changed);
    while (!event->is_set && do_clock_ms() < end_ms)
    {
        void (*sent)(void) = client.apartment.sent;

        if (!sent)
        {
            (void)do_cond_wait_ms(&client.changed, &client.lock, 100);
            continue;
        }
        client.apartment.call_thread_id = client.apartment.sender_id;
        do_mutex_unlock(&client.lock);
        sent();
        do_mutex_lock(&client.lock);
        client.apartment.sent = NULL;
        client.apartment.call_thread_id = 0;
        do_cond_broadcast(&client.changed);
    }
    event->is_set = false;
    do_mutex_unlock(&client.lock);
}

static void fake_signal(void *ctx)
{
    struct event *event = ctx;

    do_mutex_lock(&client.lock);
    event->is_set = true;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

static void fake_finish(void *event)
{
    (void)event;
}

static const struct do_client_waiting fake_waiting = {
    fake_call_thread, fake_prepare, fake_wait, fake_signal, fake_finish};

/* The stream, which lives in the apartment when that has a thread */

static HRESULT stream_ok(struct do_stream *stream)
{
    (void)stream;
    return S_OK;
}

static void stream_destroy(struct do_stream *stream)
{
    (void)stream;
}

static void enter_stream(void)
{
    set_flag(&client.is_inside);
    if (client.inside)
        client.inside();
}

static HRESULT stream_write(struct do_stream *stream, const void *data, size_t length)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    HRESULT hr;

    (void)stream;
    (void)data;
    (void)length;
    do_mutex_lock(&client.lock);
    if (client.apartment.thread_id)
    {
        client.apartment.sent = enter_stream;
        client.apartment.was_sent = true;
        client.apartment.sender_id = do_thread_current_id();
        do_cond_broadcast(&client.changed);
        while (client.apartment.sent && do_clock_ms() < end_ms)
            (void)do_cond_wait_ms(&client.changed, &client.lock, 100);
    }
    else
    {
        do_mutex_unlock(&client.lock);
        enter_stream();
        do_mutex_lock(&client.lock);
    }
    (void)await_locked(&client.may_return);
    hr = client.apartment.sent ? E_FAIL : client.write_hr;
    do_mutex_unlock(&client.lock);
    return hr;
}

/* A job with a file for the stream, transferred. */
static struct do_job *job_with_stream(void)
{
    static const struct do_stream_class class = {
        stream_ok, stream_write, stream_ok, stream_destroy};
    struct test_file file = test_file("stream", "size=1000");
    const struct do_new_file new_file = {"content", file.url, NULL, NULL, 0, DO_SIZE_UNKNOWN};
    struct do_job *job = test_job();
    struct do_job_file *added;

    do_stream_init(&client.stream, &class);
    assert_ok(do_job_add_files(job, &new_file, 1, &added));
    assert_ok(do_job_file_set_stream(added, &client.stream));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    client.job = job;
    return job;
}

/* Threads */

static void end_thread(unsigned int index, HRESULT hr)
{
    do_mutex_lock(&client.lock);
    client.hrs[index] = hr;
    client.ended++;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

static void complete_main(void *ctx)
{
    end_thread(0, do_job_complete(ctx));
}

static void describe_main(void *ctx)
{
    do_mutex_lock(&client.lock);
    client.apartment.thread_id = do_thread_current_id();
    do_mutex_unlock(&client.lock);
    end_thread(1, do_job_set_description(ctx, "described"));
}

static struct do_thread *start(do_thread_fn function, struct do_job *job)
{
    struct do_thread *thread = NULL;

    assert_ok(do_thread_start("test", function, job, &thread));
    return thread;
}

/* Fixtures */

static int calls_setup(void **state)
{
    int result;

    memset(&client, 0, sizeof(client));
    do_mutex_init(&client.lock);
    do_cond_init(&client.changed);
    result = test_engine_setup(state);
    if (result)
        return result;
    test_engine_stop();
    test_config()->waiting = &fake_waiting;
    return FAILED(test_engine_start());
}

static int calls_teardown(void **state)
{
    int result;

    set_flag(&client.may_return);
    set_flag(&client.gate.is_open);
    if (client.download)
        (void)do_download_abort(client.download);
    do_job_release(client.download);
    result = test_engine_teardown(state);
    do_cond_finish(&client.changed);
    do_mutex_finish(&client.lock);
    return result;
}

/* The database, from outside */

static sqlite3 *open_database(void)
{
    sqlite3 *connection = NULL;

    assert_int_equal(sqlite3_open(test_config()->database_path, &connection), SQLITE_OK);
    (void)sqlite3_busy_timeout(connection, 5000);
    return connection;
}

static void change_database(const char *sql)
{
    sqlite3 *connection = open_database();
    char *message = NULL;

    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
}

static int64_t ask_database(const char *sql)
{
    sqlite3 *connection = open_database();
    sqlite3_stmt *statement = NULL;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    return number;
}

static void assert_url(struct do_job *job, size_t index, const char *expected)
{
    char *url = NULL;

    assert_ok(do_job_file_get_url(do_job_get_file(job, index), &url));
    assert_string_equal(url, expected);
    do_free(url);
}

/* Waiting for one's turn */

/* Broken: a thread whose apartment the running call needs waits for that call and hangs both. */
static void test_calls_in_an_apartment_let_calls_in_while_they_wait(void **state)
{
    struct do_job *job = job_with_stream();
    struct do_thread *completing;
    struct do_thread *describing;

    (void)state;
    client.apartment.thread_id = 1; /* of nobody, until its thread is there */
    completing = start(complete_main, job);
    await(&client.apartment.was_sent);
    describing = start(describe_main, job);
    await(&client.is_inside);
    assert_true(client.apartment.lets_in);
    set_flag(&client.may_return);
    do_thread_join(completing);
    do_thread_join(describing);
    assert_ok(client.hrs[0]);
    /* Its turn came when the job was over. */
    assert_hr(DO_E_INVALID_STATE, client.hrs[1]);
    assert_int_equal(client.apartment.prepared, 1);
}

static void call_inside(void)
{
    struct do_job_progress progress;
    char *text = NULL;

    client.hrs[2] = do_job_set_description(client.job, "inside");
    client.hrs[3] = do_job_get_description(client.job, &text);
    do_free(text);
    do_job_get_progress(client.job, &progress);
    if (SUCCEEDED(client.hrs[3]) && progress.bytes_transferred != 1000)
        client.hrs[3] = E_UNEXPECTED;
}

/* Broken: a stream that changes its own job, or reads it, while Complete is in it hangs both. */
static void test_calls_inside_the_stream_of_a_running_call(void **state)
{
    (void)state;
    for (unsigned int in_apartment = 0; in_apartment < 2; in_apartment++)
    {
        struct do_job *job = job_with_stream();
        struct do_thread *describing = NULL;
        struct do_thread *completing;

        client.inside = call_inside;
        client.may_return = true;
        client.is_inside = false;
        client.apartment = (struct apartment){.thread_id = in_apartment};
        completing = start(complete_main, job);
        if (in_apartment)
        {
            await(&client.apartment.was_sent);
            describing = start(describe_main, job);
        }
        do_thread_join(completing);
        do_thread_join(describing);
        assert_true(client.is_inside);
        assert_ok(client.hrs[0]);
        assert_hr(DO_E_INVALID_STATE, client.hrs[2]);
        assert_ok(client.hrs[3]);
    }
}

/* Broken: a job that is stuck in a client's stream gets one more thread each time that its age is
 * looked at. */
static void test_calls_on_an_old_job_do_not_wait(void **state)
{
    struct do_job *job = job_with_stream();
    struct do_thread *completing;

    (void)state;
    client.write_hr = E_ACCESSDENIED;
    completing = start(complete_main, job);
    await(&client.is_inside);
    assert_hr(S_FALSE, do_job_cancel_old(job));
    assert_int_equal(client.ended, 0);
    set_flag(&client.may_return);
    do_thread_join(completing);
    assert_hr(E_ACCESSDENIED, client.hrs[0]);
    assert_ok(do_job_cancel_old(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_CANCELLED);
}

/* What is stored */

/* Broken: Suspend says S_OK, and the next process goes on with the job. */
static void test_calls_suspend_that_is_not_stored_fails(void **state)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "file", "size=1m&rate=500k&seed=5");

    (void)state;
    test_wait_bytes(job, 1);
    change_database("ALTER TABLE jobs RENAME COLUMN description TO elsewhere");
    assert_hr(E_FAIL, do_job_suspend(job));
    assert_true(do_job_get_state(job) != DO_JOB_SUSPENDED);
    change_database("ALTER TABLE jobs RENAME COLUMN elsewhere TO description");
    /* It goes on; then it can be suspended. */
    test_wait_bytes(job, TEST_KIB(400));
    assert_ok(do_job_suspend(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_int_equal(ask_database("SELECT state FROM jobs"), DO_JOB_SUSPENDED);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 5, TEST_MIB(1));
}

/* Broken: a prefix is replaced in some of the URLs only. */
static void test_calls_replace_prefix_is_stored_whole_or_not(void **state)
{
    static const char *const names[] = {"a/1", "a/2", "b/2"};
    struct do_job *jobs[] = {test_job(), test_job()};
    char urls[DO_COUNT_OF(names)][100];
    char old_prefix[100];
    char new_prefix[100];

    (void)state;
    (void)snprintf(old_prefix, sizeof(old_prefix), "http://127.0.0.1:%u/a/", test_server_port());
    (void)snprintf(new_prefix, sizeof(new_prefix), "http://127.0.0.1:%u/b/", test_server_port());
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        struct test_file file = test_file(i == 0 ? "first" : i == 1 ? "second" : "other", "");

        (void)snprintf(
            urls[i], sizeof(urls[i]), "http://127.0.0.1:%u/%s", test_server_port(), names[i]);
        (void)snprintf(file.url, sizeof(file.url), "%s", urls[i]);
        assert_ok(test_add_ranges(jobs[i / 2], &file, NULL, 0, DO_SIZE_UNKNOWN));
    }
    change_database("CREATE UNIQUE INDEX once ON files (url)");
    assert_hr(E_FAIL, do_job_replace_url_prefix(jobs[0], old_prefix, new_prefix));
    assert_url(jobs[0], 0, urls[0]);
    assert_url(jobs[0], 1, urls[1]);
    assert_int_equal(ask_database("SELECT count(*) FROM files WHERE url LIKE '%/a/_'"), 2);
    change_database("DROP INDEX once");
    assert_ok(do_job_replace_url_prefix(jobs[0], old_prefix, new_prefix));
    assert_url(jobs[0], 1, urls[2]);
    assert_int_equal(ask_database("SELECT count(*) FROM files WHERE url LIKE '%/b/_'"), 3);
}

/* Broken: a paused download's property has the new URL, and its file the old one. */
static void test_calls_uri_of_a_paused_download_is_stored_whole_or_not(void **state)
{
    struct test_file file = test_file("file", "size=1m&rate=200k");
    struct test_file other = test_file("other", "size=10");
    struct do_value uri = do_value_of_text(file.url);
    const struct do_value path = do_value_of_text(file.path);
    struct do_job *download;
    struct do_value value;

    (void)state;
    assert_ok(do_engine_create_download(test_engine(), NULL, &client.download));
    download = client.download;
    assert_ok(do_download_set_property(download, DO_PROP_URI, &uri));
    assert_ok(do_download_set_property(download, DO_PROP_LOCAL_PATH, &path));
    assert_ok(do_download_start(download, DO_DOWNLOAD_START_AS_IS, NULL, 0));
    assert_ok(do_download_pause(download));
    assert_ok(test_add_ranges(test_job(), &other, NULL, 0, DO_SIZE_UNKNOWN));
    change_database("CREATE UNIQUE INDEX once ON files (url)");
    uri = do_value_of_text(other.url);
    assert_hr(E_FAIL, do_download_set_property(download, DO_PROP_URI, &uri));
    assert_ok(do_download_get_property(download, DO_PROP_URI, &value));
    assert_string_equal(value.data, file.url);
    do_value_finish(&value);
    assert_url(download, 0, file.url);
    assert_int_equal(
        ask_database("SELECT count(*) FROM job_values, files WHERE value = url AND job_values.job "
                     "= files.job"),
        1);
    change_database("DROP INDEX once");
    assert_ok(do_download_set_property(download, DO_PROP_URI, &uri));
    assert_url(download, 0, other.url);
    uri = do_value_of_text(NULL);
    assert_hr(E_INVALIDARG, do_download_set_property(download, DO_PROP_URI, &uri));
}

/* Holds the first flush of another thread than the test's. */
static HRESULT hold_first_flush(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    struct gate *gate = ctx;

    (void)offset;
    (void)length;
    if (op != DO_FILE_OP_FLUSH || do_thread_current_id() == gate->test_thread)
        return S_OK;
    do_mutex_lock(&client.lock);
    if (!gate->is_held)
    {
        gate->is_held = true;
        do_cond_broadcast(&client.changed);
        (void)await_locked(&gate->is_open);
    }
    do_mutex_unlock(&client.lock);
    return S_OK;
}

/* Broken: after a power loss the database says that a file is whole whose bytes are not on disk. */
static void test_calls_set_url_does_not_record_what_is_not_flushed(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=100000");

    (void)state;
    client.gate.test_thread = do_thread_current_id();
    do_file_set_fault(hold_first_flush, &client.gate);
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    await(&client.gate.is_held);
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), "http://127.0.0.1/elsewhere"));
    assert_int_equal(ask_database("SELECT transferred FROM files"), 0);
    assert_int_equal(ask_database("SELECT received IS NULL FROM files"), 1);
    set_flag(&client.gate.is_open);
    /* The recorder says it, and a later change keeps it. */
    test_engine_stop();
    do_file_set_fault(NULL, NULL);
    assert_int_equal(ask_database("SELECT transferred FROM files"), 1);
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_ok(do_job_file_set_url(do_job_get_file(job, 0), file.url));
    assert_int_equal(ask_database("SELECT transferred FROM files"), 1);
    test_complete(job, &file, 1, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CALLS_TEST(test_calls_in_an_apartment_let_calls_in_while_they_wait),
        CALLS_TEST(test_calls_inside_the_stream_of_a_running_call),
        CALLS_TEST(test_calls_on_an_old_job_do_not_wait),
        CALLS_TEST(test_calls_suspend_that_is_not_stored_fails),
        CALLS_TEST(test_calls_replace_prefix_is_stored_whole_or_not),
        CALLS_TEST(test_calls_uri_of_a_paused_download_is_stored_whole_or_not),
        CALLS_TEST(test_calls_set_url_does_not_record_what_is_not_flushed),
    };

    return ENGINE_TEST_RUN(tests);
}
