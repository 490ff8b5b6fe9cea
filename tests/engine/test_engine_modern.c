/* SPDX-License-Identifier: MIT */
/*
 * Downloads as IDODownload has them, on a real engine: states and calls, ranges, the target,
 * streams, callbacks, blocking mode and properties. A stream and a listener, one of each for all
 * tests, record on the engine's threads and can be held inside a call; the test thread asserts. No
 * hold is longer than TEST_WAIT_MS, so that a test that fails still ends. Long, since the tests
 * share these two.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/conditions.h"
#include "job/download.h"
#include "plat/plat.h"
#include "transfer/block.h"

#define MAX_DOWNLOADS 16U
#define MAX_STATUSES 256U
#define MODERN_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, modern_setup, modern_teardown)

#define HTTP_404 ((HRESULT)0x80190194)
#define HTTP_503 ((HRESULT)0x801901F7)

/* What a client brings. */

struct sink
{
    struct do_stream head;
    void (*inside)(struct sink *sink); /* called in each write, without the lock */
    struct do_job *job;                /* for inside */
    HRESULT inside_hr;                 /* what inside got */

    /* Under client.lock. */
    FILE *file;
    uint64_t bytes;
    uint32_t writes;
    uint64_t fails_at; /* a write that goes beyond fails */
    HRESULT failure;
    bool holds; /* writes wait inside until this is false */
    uint32_t held;
    bool overlapped; /* two writes at once */
    bool running;
    uint32_t destroyed;
};

/* What a listener was told. */
struct told
{
    struct do_download_status statuses[MAX_STATUSES];
    uint32_t count;
    bool overlapped; /* two calls at once, or another notice */
};

struct listener
{
    struct do_listener head;
    void (*inside)(struct listener *listener, const struct do_download_status *status);
    struct do_job *job;
    HRESULT inside_hr;

    /* Under client.lock. */
    struct told told;
    bool running;
    uint32_t destroyed;
};

static struct
{
    struct do_mutex lock;
    struct do_cond changed;
    struct sink sink;
    struct listener listener;
    struct do_job *downloads[MAX_DOWNLOADS]; /* one reference each */
    size_t download_count;
    _Atomic uint32_t cost; /* DO_COST_* of the network */
    atomic_bool is_cellular;
} client;

static HRESULT sink_ok(struct do_stream *stream)
{
    (void)stream;
    return S_OK;
}

static HRESULT sink_write(struct do_stream *stream, const void *data, size_t length)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    HRESULT hr = S_OK;

    do_mutex_lock(&client.lock);
    sink->overlapped |= sink->running;
    sink->running = true;
    sink->writes++;
    sink->held++;
    do_cond_broadcast(&client.changed);
    while (sink->holds && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 1000);
    sink->held--;
    if (sink->bytes + length > sink->fails_at)
        hr = sink->failure;
    else
    {
        (void)fwrite(data, 1, length, sink->file);
        sink->bytes += length;
    }
    do_mutex_unlock(&client.lock);
    if (sink->inside)
        sink->inside(sink);
    do_mutex_lock(&client.lock);
    sink->running = false;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
    return hr;
}

static void sink_destroy(struct do_stream *stream)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);

    do_mutex_lock(&client.lock);
    sink->destroyed++;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

static HRESULT listener_deliver(struct do_listener *head, struct do_job *job, enum do_notice notice,
    struct do_job_file *file, const struct do_download_status *status)
{
    struct listener *listener = DO_CONTAINER_OF(head, struct listener, head);

    (void)job;
    (void)file;
    do_mutex_lock(&client.lock);
    listener->told.overlapped |= listener->running || notice != DO_NOTICE_STATUS;
    listener->running = true;
    if (listener->told.count < MAX_STATUSES)
        listener->told.statuses[listener->told.count++] = *status;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
    if (listener->inside)
        listener->inside(listener, status);
    do_mutex_lock(&client.lock);
    listener->running = false;
    do_mutex_unlock(&client.lock);
    return S_OK;
}

static void listener_destroy(struct do_listener *head)
{
    struct listener *listener = DO_CONTAINER_OF(head, struct listener, head);

    do_mutex_lock(&client.lock);
    listener->destroyed++;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

/* Waits for a 32-bit field under client.lock to be at least min. */
static bool await(const uint32_t *field, uint32_t min)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    bool came;

    do_mutex_lock(&client.lock);
    while (*field < min && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 1000);
    came = *field >= min;
    do_mutex_unlock(&client.lock);
    return came;
}

static void hold_sink(bool holds)
{
    do_mutex_lock(&client.lock);
    client.sink.holds = holds;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

static const char *sink_path(void)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), "%s/stream", test_folder());
    return path;
}

/* The stream, fresh; one reference for the caller. */
static struct do_stream *open_sink(void)
{
    static const struct do_stream_class class = {sink_ok, sink_write, sink_ok, sink_destroy};

    memset(&client.sink, 0, sizeof(client.sink));
    client.sink.fails_at = UINT64_MAX;
    client.sink.file = fopen(sink_path(), "wb");
    assert_non_null(client.sink.file);
    do_stream_init(&client.sink.head, &class);
    return &client.sink.head;
}

static bool sink_has(uint64_t seed, const struct do_range *ranges, size_t count)
{
    do_mutex_lock(&client.lock);
    (void)fflush(client.sink.file);
    do_mutex_unlock(&client.lock);
    return test_has_ranges(sink_path(), seed, ranges, count);
}

static uint64_t sink_bytes(void)
{
    uint64_t bytes;

    do_mutex_lock(&client.lock);
    bytes = client.sink.bytes;
    do_mutex_unlock(&client.lock);
    return bytes;
}

static struct do_listener *init_listener(void)
{
    static const struct do_listener_class class = {listener_deliver, listener_destroy};

    memset(&client.listener, 0, sizeof(client.listener));
    do_listener_init(&client.listener.head, &class);
    return &client.listener.head;
}

/* Fixtures */

static int modern_setup(void **state)
{
    memset(&client, 0, sizeof(client));
    do_mutex_init(&client.lock);
    do_cond_init(&client.changed);
    return test_engine_setup(state);
}

static void abort_downloads(void)
{
    struct do_job **jobs = NULL;
    size_t count = 0;

    if (!test_engine() ||
        FAILED(do_engine_list_jobs(test_engine(), DO_JOB_KIND_DOWNLOAD, &jobs, &count)))
        return;
    for (size_t i = 0; i < count; i++)
    {
        (void)do_download_abort(jobs[i]);
        do_job_release(jobs[i]);
    }
    do_free(jobs);
}

static int modern_teardown(void **state)
{
    int result;

    do_alloc_fail_nth(0);
    hold_sink(false);
    abort_downloads();
    while (client.download_count)
        do_job_release(client.downloads[--client.download_count]);
    result = test_engine_teardown(state);
    if (client.sink.file)
        (void)fclose(client.sink.file);
    do_cond_finish(&client.changed);
    do_mutex_finish(&client.lock);
    return result;
}

/* Downloads */

static struct do_job *create(void)
{
    struct do_job *job = NULL;

    assert_in_range(client.download_count, 0, MAX_DOWNLOADS - 1);
    assert_ok(do_engine_create_download(test_engine(), NULL, &job));
    client.downloads[client.download_count++] = job;
    return job;
}

static HRESULT set_text(struct do_job *job, uint32_t id, const char *text)
{
    const struct do_value value = do_value_of_text(text);

    return do_download_set_property(job, id, &value);
}

static HRESULT set_number(struct do_job *job, uint32_t id, uint64_t number)
{
    const struct do_value value = do_value_of_number(number);

    return do_download_set_property(job, id, &value);
}

/* A download of an object to a file. */
static struct do_job *prepare(struct test_file *file, const char *name, const char *query)
{
    struct do_job *job = create();

    *file = test_file(name, query);
    assert_ok(set_text(job, DO_PROP_URI, file->url));
    assert_ok(set_text(job, DO_PROP_LOCAL_PATH, file->path));
    return job;
}

/* A download of an object to the stream. */
static struct do_job *prepare_stream(struct test_file *file, const char *query)
{
    struct do_job *job = create();
    struct do_stream *stream = open_sink();

    *file = test_file("none", query);
    client.sink.job = job;
    assert_ok(set_text(job, DO_PROP_URI, file->url));
    assert_ok(do_download_set_stream(job, stream));
    do_stream_release(stream);
    return job;
}

static void listen(struct do_job *job)
{
    struct do_listener *listener = init_listener();

    client.listener.job = job;
    assert_ok(do_download_set_listener(job, listener));
    do_listener_release(listener);
}

static HRESULT start(struct do_job *job)
{
    return do_download_start(job, DO_DOWNLOAD_START_AS_IS, NULL, 0);
}

static HRESULT start_whole(struct do_job *job)
{
    return do_download_start(job, DO_DOWNLOAD_START_WHOLE, NULL, 0);
}

static HRESULT start_ranges(struct do_job *job, const struct do_range *ranges, size_t count)
{
    return do_download_start(job, DO_DOWNLOAD_START_RANGES, ranges, count);
}

static HRESULT start_range(struct do_job *job, uint64_t begin, uint64_t end)
{
    const struct do_range range = {begin, end};

    return start_ranges(job, &range, 1);
}

static struct do_download_status status_of(struct do_job *job)
{
    struct do_download_status status;

    memset(&status, 0xA5, sizeof(status));
    do_download_get_status(job, &status);
    return status;
}

static uint32_t state_of(struct do_job *job)
{
    return status_of(job).state;
}

/* Waits until the state is another one than Transferring. */
static struct do_download_status await_end(struct do_job *job)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct do_download_status status = status_of(job);

    while (status.state == DO_DOWNLOAD_TRANSFERRING && do_clock_ms() < end_ms)
    {
        test_pause_ms(2);
        status = status_of(job);
    }
    return status;
}

static void await_transferred(struct do_job *job)
{
    struct do_download_status status = await_end(job);

    if (status.state != DO_DOWNLOAD_TRANSFERRED)
        fail_msg("state %u, error 0x%08x, 0x%08x", status.state, (unsigned int)status.error,
            (unsigned int)status.extended_error);
    assert_hr(S_OK, status.error);
    assert_hr(S_OK, status.extended_error);
    assert_int_equal(status.bytes_total, status.bytes_transferred);
}

static void await_paused(struct do_job *job, HRESULT error)
{
    struct do_download_status status = await_end(job);

    assert_int_equal(status.state, DO_DOWNLOAD_PAUSED);
    assert_hr(error, status.error);
}

static void await_bytes(struct do_job *job, uint64_t bytes)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;

    while (status_of(job).bytes_transferred < bytes && do_clock_ms() < end_ms)
        test_pause_ms(2);
    assert_true(status_of(job).bytes_transferred >= bytes);
}

/* Finalize, then: these bytes, and no temporary file. */
static void finalize(struct do_job *job, const struct test_file *file, uint64_t seed,
    const struct do_range *ranges, size_t count)
{
    assert_false(test_exists(file->path));
    assert_ok(do_download_finalize(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_FINALIZED);
    assert_true(test_has_ranges(file->path, seed, ranges, count));
    assert_int_equal(test_temp_files(), 0);
}

static void finalize_whole(
    struct do_job *job, const struct test_file *file, uint64_t seed, uint64_t size)
{
    const struct do_range whole = {0, size};

    finalize(job, file, seed, &whole, 1);
}

/* Start */

/* Broken: a new download shows something, or knows facts of no transfer. */
static void test_modern_created_has_status_zero(void **state)
{
    struct do_job *job = create();
    struct do_download_status status = status_of(job);

    (void)state;
    assert_true(do_job_is_download(job));
    assert_int_equal(status.state, DO_DOWNLOAD_CREATED);
    assert_int_equal(status.bytes_total, 0);
    assert_int_equal(status.bytes_transferred, 0);
    assert_hr(S_OK, status.error);
    assert_hr(S_OK, status.extended_error);
    assert_ok(do_download_pause(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_CREATED);
    assert_hr(DO_E_INVALID_STATE, do_download_finalize(job));
}

/* Broken: one way to start a whole object does something else. */
static void test_modern_each_start_of_a_whole_object_gets_it(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "a", "size=300000&seed=3");

    (void)state;
    assert_ok(start(job));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 300000);
    assert_int_equal(test_temp_files(), 1);
    finalize_whole(job, &file, 3, 300000);
    job = prepare(&file, "b", "size=300000&seed=3");
    assert_ok(start_whole(job));
    await_transferred(job);
    finalize_whole(job, &file, 3, 300000);
    job = prepare(&file, "c", "size=300000&seed=3");
    assert_ok(start_range(job, 0, DO_SIZE_UNKNOWN));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 300000);
    finalize_whole(job, &file, 3, 300000);
    job = prepare(&file, "d", "size=0");
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 0);
}

/* Broken: ranges are sorted, or BytesTotal is not their sum. */
static void test_modern_ranges_lie_in_the_order_given(void **state)
{
    static const struct do_range ranges[] = {{900000, 2000000}, {5, 6}, {100, 70000}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=3m");

    (void)state;
    assert_ok(start_ranges(job, ranges, DO_COUNT_OF(ranges)));
    assert_int_equal(status_of(job).bytes_total, 1100000 + 1 + 69900);
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 1100000 + 1 + 69900);
    finalize(job, &file, 1, ranges, DO_COUNT_OF(ranges));
}

/* Broken: a start that is refused tells the wrong reason, or costs the state. */
static void test_modern_start_is_validated_in_order(void **state)
{
    static const struct do_range empty = {5, 5};
    static const struct do_range beyond = {0, 1001};
    static const struct do_range at_eof = {DO_SIZE_UNKNOWN, DO_SIZE_UNKNOWN};
    static const struct do_range twice[] = {{10, 20}, {19, 30}};
    static const struct do_range open[] = {{10, DO_SIZE_UNKNOWN}, {50, 60}};
    static const struct do_range good = {0, 1000};
    struct test_file file = test_file("file", "size=1000");
    struct do_job *job = create();

    (void)state;
    assert_ok(set_number(job, DO_PROP_INTEGRITY_MANDATORY, 1));
    assert_ok(set_number(job, DO_PROP_TOTAL_SIZE, 1000));
    assert_hr(DO_E_DOWNLOAD_NO_URI, start_ranges(job, &empty, 1));
    assert_hr(DO_E_DOWNLOAD_NO_URI, start(job));
    assert_ok(set_text(job, DO_PROP_CONTENT_ID, "content"));
    assert_hr(DO_E_DOWNLOAD_NO_URI, start(job));
    assert_ok(set_text(job, DO_PROP_URI, file.url));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, start_ranges(job, &empty, 1));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, start_whole(job));
    assert_ok(set_text(job, DO_PROP_LOCAL_PATH, file.path));
    assert_hr(DO_E_INVALID_RANGE, start_ranges(job, &empty, 1));
    assert_hr(DO_E_INVALID_RANGE, start_ranges(job, &at_eof, 1));
    assert_hr(DO_E_INVALID_RANGE, start_ranges(job, &beyond, 1));
    assert_hr(DO_E_OVERLAPPING_RANGES, start_ranges(job, twice, 2));
    assert_hr(DO_E_OVERLAPPING_RANGES, start_ranges(job, open, 2));
    assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, start(job));
    assert_ok(set_number(job, DO_PROP_INTEGRITY_MANDATORY, 0));
    assert_int_equal(state_of(job), DO_DOWNLOAD_CREATED);
    assert_int_equal(test_temp_files(), 0);
    assert_int_equal(test_requests(file.server_path, 0, NULL, 1), 0);
    assert_ok(start_ranges(job, &good, 1));
    await_transferred(job);
    finalize(job, &file, 1, &good, 1);
}

/* Broken: too many ranges get into the queue, which no engine then reads. */
static void test_modern_too_many_ranges_are_refused(void **state)
{
    static struct do_range ranges[DO_JOB_RANGE_LIMIT + 1];
    static const struct do_range whole = {0, 200000};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=200000");

    (void)state;
    for (uint32_t i = 0; i < DO_COUNT_OF(ranges); i++)
        ranges[i] = (struct do_range){2 * i, 2 * i + 1};
    assert_hr(E_INVALIDARG, start_ranges(job, ranges, DO_COUNT_OF(ranges)));
    assert_int_equal(state_of(job), DO_DOWNLOAD_CREATED);
    assert_ok(start(job));
    await_transferred(job);
    /* With the one that is there, one too many. */
    assert_hr(E_INVALIDARG, start_ranges(job, ranges, DO_JOB_RANGE_LIMIT));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
    finalize(job, &file, 1, &whole, 1);
    job = prepare(&file, "other", "size=200000&status=404");
    assert_ok(start(job));
    await_paused(job, HTTP_404);
    assert_hr(E_INVALIDARG, start_ranges(job, ranges, DO_COUNT_OF(ranges)));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
}

/* Broken: the client must make the directories itself. */
static void test_modern_missing_directories_are_made(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "some/where/file", "size=1000");

    (void)state;
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 1000);
}

/* Broken: a directory that cannot be made is told late, or costs another download its place. */
static void test_modern_bad_directory_is_told_by_start(void **state)
{
    char path[600];
    struct test_file file = test_file("file", "size=1000");
    struct do_job *job = create();
    FILE *plain;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/plain", test_folder());
    plain = fopen(path, "w");
    assert_non_null(plain);
    (void)fclose(plain);
    (void)snprintf(path, sizeof(path), "%s/plain/file", test_folder());
    assert_ok(set_text(job, DO_PROP_URI, file.url));
    assert_ok(set_text(job, DO_PROP_LOCAL_PATH, path));
    assert_true(FAILED(start(job)));
    assert_int_equal(state_of(job), DO_DOWNLOAD_CREATED);
    assert_ok(set_text(job, DO_PROP_LOCAL_PATH, file.path));
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 1000);
}

/* Broken: an error of the server is another code, or comes from Start. */
static void test_modern_error_of_the_server_pauses(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&fail_first=2&fail_status=404");

    (void)state;
    for (int i = 0; i < 2; i++)
    {
        assert_ok(start(job));
        await_paused(job, HTTP_404);
        assert_hr(S_OK, status_of(job).extended_error);
        assert_ok(do_download_pause(job));
        assert_hr(HTTP_404, status_of(job).error);
    }
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 1000);
}

/* Pause and resume */

/* Broken: bytes that are there are asked for again, or another version may be mixed in. */
static void test_modern_pause_and_start_go_on(void **state)
{
    struct test_request requests[8];
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=4m&rate=4m");
    uint64_t bytes;
    size_t count;

    (void)state;
    assert_ok(start(job));
    await_bytes(job, TEST_KIB(600));
    assert_ok(do_download_pause(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    assert_hr(S_OK, status_of(job).error);
    bytes = status_of(job).bytes_transferred;
    assert_ok(start(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRING);
    assert_true(status_of(job).bytes_transferred >= bytes);
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(4));
    count = test_requests(file.server_path, 2, requests, DO_COUNT_OF(requests));
    assert_int_equal(count, 2);
    assert_true(requests[1].has_range);
    assert_int_equal(requests[1].range.begin, bytes);
    assert_string_not_equal(requests[1].if_range, "");
}

/* Broken: a status after a call shows what was before it. */
static void test_modern_calls_have_effect_at_once(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m&rate=8m");

    (void)state;
    for (int i = 0; i < 30; i++)
    {
        uint32_t seen;

        assert_ok(i % 2 ? start(job) : start_whole(job));
        seen = state_of(job);
        assert_true(seen == DO_DOWNLOAD_TRANSFERRING || seen == DO_DOWNLOAD_TRANSFERRED);
        if (i % 3)
            test_pause_ms((unsigned int)i % 7);
        assert_ok(do_download_pause(job));
        seen = state_of(job);
        assert_true(seen == DO_DOWNLOAD_PAUSED || seen == DO_DOWNLOAD_TRANSFERRED);
        if (seen == DO_DOWNLOAD_TRANSFERRED)
            break;
    }
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(2));
}

/* Broken: a start while it runs changes what is transferred, or is not checked. */
static void test_modern_ranges_while_it_runs_must_be_the_same(void **state)
{
    static const struct do_range ranges[] = {{0, 100000}, {200000, 300000}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1m&delay=300");

    (void)state;
    assert_ok(start_ranges(job, ranges, 2));
    assert_ok(start_ranges(job, ranges, 2));
    assert_ok(start(job));
    assert_ok(start_whole(job));
    assert_hr(DO_E_INVALID_STATE, start_ranges(job, ranges, 1));
    assert_hr(DO_E_INVALID_STATE, start_range(job, 0, 1));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRING);
    await_transferred(job);
    finalize(job, &file, 1, ranges, 2);
}

/* Broken: bytes of the old ranges get into the new file. */
static void test_modern_other_ranges_begin_anew(void **state)
{
    static const struct do_range other[] = {{500000, 500100}, {7, 300000}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m&rate=2m&seed=4");

    (void)state;
    assert_ok(start(job));
    await_bytes(job, 1);
    assert_ok(do_download_pause(job));
    assert_int_equal(test_temp_files(), 1);
    assert_ok(start_ranges(job, other, 2));
    assert_int_equal(status_of(job).bytes_total, 100 + 299993);
    await_transferred(job);
    assert_int_equal(test_temp_files(), 1);
    finalize(job, &file, 4, other, 2);
}

/* Broken: ranges that are refused cost what was received. */
static void test_modern_bad_ranges_cost_nothing(void **state)
{
    static const struct do_range twice[] = {{10, 20}, {19, 30}};
    struct test_request requests[8];
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m&rate=2m");
    uint64_t bytes;

    (void)state;
    assert_ok(start(job));
    await_bytes(job, TEST_KIB(300));
    assert_ok(do_download_pause(job));
    bytes = status_of(job).bytes_transferred;
    assert_hr(DO_E_OVERLAPPING_RANGES, start_ranges(job, twice, 2));
    assert_hr(DO_E_INVALID_RANGE, start_range(job, 5, 5));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    assert_int_equal(status_of(job).bytes_transferred, bytes);
    assert_int_equal(status_of(job).bytes_total, TEST_MIB(2));
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(2));
    assert_int_equal(test_requests(file.server_path, 2, requests, DO_COUNT_OF(requests)), 2);
    assert_int_equal(requests[1].range.begin, bytes);
}

/* Later portions */

/* Broken: a later portion replaces the file, or its progress counts what was there. */
static void test_modern_later_portions_are_appended(void **state)
{
    static const struct do_range all[] = {{0, 1000}, {5000, 6000}, {0, 100}, {2096152, 2097152}};
    struct test_request requests[8];
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m");

    (void)state;
    assert_ok(start_ranges(job, all, 1));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 1000);
    assert_ok(start(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
    assert_hr(DO_E_INVALID_RANGE, start_range(job, 100, 2097153));
    assert_hr(DO_E_INVALID_RANGE, start_range(job, 100, 100));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
    assert_int_equal(status_of(job).bytes_total, 1000);
    assert_ok(start_ranges(job, all + 1, 2));
    assert_int_equal(status_of(job).bytes_total, 1100);
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 1100);
    assert_ok(start_range(job, 2096152, DO_SIZE_UNKNOWN));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 1000);
    finalize(job, &file, 1, all, 4);
    assert_int_equal(test_requests(file.server_path, 4, requests, DO_COUNT_OF(requests)), 4);
}

/* Broken: a portion behind the whole object is misplaced. */
static void test_modern_portion_after_the_whole_object_is_appended(void **state)
{
    static const struct do_range all[] = {{0, 200000}, {100, 1100}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=200000");

    (void)state;
    assert_ok(start(job));
    await_transferred(job);
    assert_ok(start_ranges(job, all + 1, 1));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 1000);
    finalize(job, &file, 1, all, 2);
}

/* Broken: a pause in the second portion loses its place, or the first portion. */
static void test_modern_portion_goes_on_after_a_pause(void **state)
{
    static const struct do_range all[] = {{1048576, 2097152}, {0, 1048576}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m&rate=1m");
    uint64_t bytes;

    (void)state;
    assert_ok(start_ranges(job, all, 1));
    await_transferred(job);
    assert_ok(start_ranges(job, all + 1, 1));
    await_bytes(job, 1);
    assert_ok(do_download_pause(job));
    bytes = status_of(job).bytes_transferred;
    assert_true(bytes < TEST_MIB(1));
    assert_int_equal(status_of(job).bytes_total, TEST_MIB(1));
    /* The same portion again goes on; so it does while it runs. */
    assert_ok(start_ranges(job, all + 1, 1));
    assert_ok(start_ranges(job, all + 1, 1));
    assert_hr(DO_E_INVALID_STATE, start_ranges(job, all, 2));
    assert_true(status_of(job).bytes_transferred >= bytes);
    await_transferred(job);
    finalize(job, &file, 1, all, 2);
}

/* Broken: the whole object again is put behind the first one. */
static void test_modern_whole_again_begins_the_file_again(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=200000");

    (void)state;
    assert_ok(start_range(job, 0, 10));
    await_transferred(job);
    assert_ok(start_range(job, 50, 60));
    await_transferred(job);
    assert_ok(start_whole(job));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 200000);
    assert_int_equal(test_temp_files(), 1);
    assert_ok(start_whole(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 200000);
}

/* Finalize, Abort, and the path */

/* Broken: somebody's file is overwritten, or a download is lost with the failure. */
static void test_modern_existing_target_is_not_replaced(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000");
    FILE *existing;

    (void)state;
    assert_ok(start(job));
    await_transferred(job);
    existing = fopen(file.path, "w");
    assert_non_null(existing);
    (void)fputs("mine", existing);
    (void)fclose(existing);
    for (int i = 0; i < 2; i++)
    {
        assert_hr(DO_HR_FILE_EXISTS, do_download_finalize(job));
        assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
        assert_hr(S_OK, status_of(job).error);
        assert_true(test_has_text(file.path, "mine"));
    }
    assert_int_equal(unlink(file.path), 0);
    finalize_whole(job, &file, 1, 1000);
}

/* Broken: a download that is over changes, or forgets its numbers. */
static void test_modern_final_states_are_final(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000");

    (void)state;
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 1000);
    assert_ok(do_download_finalize(job));
    assert_hr(DO_E_INVALID_STATE, start(job));
    assert_hr(DO_E_INVALID_STATE, start_whole(job));
    assert_hr(DO_E_INVALID_STATE, start_range(job, 0, 1));
    assert_hr(DO_E_INVALID_STATE, do_download_pause(job));
    assert_hr(DO_E_INVALID_STATE, do_download_abort(job));
    assert_int_equal(status_of(job).bytes_total, 1000);
    assert_int_equal(status_of(job).bytes_transferred, 1000);
    assert_true(test_has_object(file.path, 1, 1000));
}

static void check_aborted(struct do_job *job, const struct test_file *file)
{
    assert_ok(do_download_abort(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_ABORTED);
    assert_hr(S_OK, status_of(job).error);
    assert_hr(DO_E_INVALID_STATE, do_download_abort(job));
    assert_hr(DO_E_INVALID_STATE, do_download_finalize(job));
    assert_hr(DO_E_INVALID_STATE, do_download_pause(job));
    assert_hr(DO_E_INVALID_STATE, start(job));
    assert_false(test_exists(file->path));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: Abort in some state is refused, or leaves a file. */
static void test_modern_abort_in_each_state_leaves_nothing(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "created", "size=1m");

    (void)state;
    check_aborted(job, &file);
    job = prepare(&file, "running", "size=4m&rate=2m");
    assert_ok(start(job));
    await_bytes(job, 1);
    check_aborted(job, &file);
    job = prepare(&file, "paused", "size=4m&rate=2m");
    assert_ok(start(job));
    await_bytes(job, 1);
    assert_ok(do_download_pause(job));
    check_aborted(job, &file);
    job = prepare(&file, "failed", "size=1m&status=404");
    assert_ok(start(job));
    await_paused(job, HTTP_404);
    check_aborted(job, &file);
    job = prepare(&file, "transferred", "size=1m");
    assert_ok(start(job));
    await_transferred(job);
    check_aborted(job, &file);
    job = prepare(&file, "at-once", "size=1m");
    assert_ok(start(job));
    check_aborted(job, &file);
}

static void remove_temp_files(void)
{
    char command[700];

    (void)snprintf(command, sizeof(command), "rm %s/DO*.tmp", test_folder());
    assert_int_equal(system(command), 0);
}

/* Broken: bytes that somebody deleted are taken for there, or fetched again without a word. */
static void test_modern_vanished_temporary_file_is_told(void **state)
{
    static const struct do_range other = {5, 1005};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=4m&rate=2m");

    (void)state;
    assert_ok(start(job));
    await_bytes(job, TEST_KIB(200));
    assert_ok(do_download_pause(job));
    remove_temp_files();
    assert_ok(start(job));
    await_paused(job, DO_HR_FILE_NOT_FOUND);
    assert_ok(start(job));
    await_paused(job, DO_HR_FILE_NOT_FOUND);
    assert_ok(start_ranges(job, &other, 1));
    await_transferred(job);
    finalize(job, &file, 1, &other, 1);
}

/* Broken: two downloads write under one name. */
static void test_modern_second_download_to_a_path_aborts_the_first(void **state)
{
    struct test_file first_file;
    struct test_file file;
    struct do_job *first = prepare(&first_file, "file", "size=4m&rate=2m&seed=2");
    struct do_job *second = prepare(&file, "file", "size=1000");

    (void)state;
    assert_ok(start(first));
    await_bytes(first, 1);
    assert_hr(DO_E_INVALID_RANGE, start_range(second, 1, 1));
    assert_int_equal(state_of(first), DO_DOWNLOAD_TRANSFERRING);
    assert_ok(do_download_pause(first));
    assert_ok(start(second));
    assert_int_equal(state_of(first), DO_DOWNLOAD_ABORTED);
    await_transferred(second);
    assert_int_equal(test_temp_files(), 1);
    finalize_whole(second, &file, 1, 1000);
}

static void start_main(void *ctx)
{
    (void)start(ctx);
}

/* Broken: two that start at the same time do not see each other. */
static void test_modern_two_starts_at_once_leave_one(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
    {
        struct do_thread *threads[3];
        struct do_job *jobs[3];
        struct test_file file;
        size_t aborted = 0;

        for (size_t j = 0; j < 3; j++)
            jobs[j] = prepare(&file, "file", "size=1000");
        for (size_t j = 0; j < 3; j++)
            assert_ok(do_thread_start("start", start_main, jobs[j], &threads[j]));
        for (size_t j = 0; j < 3; j++)
            do_thread_join(threads[j]);
        for (size_t j = 0; j < 3; j++)
        {
            if (state_of(jobs[j]) == DO_DOWNLOAD_ABORTED)
                aborted++;
            else
            {
                await_transferred(jobs[j]);
                assert_ok(do_download_abort(jobs[j]));
            }
        }
        assert_int_equal(aborted, 2);
        while (client.download_count)
            do_job_release(client.downloads[--client.download_count]);
    }
}

/* What stops a download by itself */

static void tell_cost(struct do_network_cost *cost)
{
    *cost = (struct do_network_cost){atomic_load(&client.cost), atomic_load(&client.is_cellular)};
}

static void restart_engine_with_cost(uint32_t cost)
{
    atomic_store(&client.cost, cost);
    test_engine_stop();
    test_config()->network_cost = tell_cost;
    test_config()->network_look_ms = 10;
    assert_ok(test_engine_start());
}

/* Waits until it stands still, with the network as the reason. */
static void await_blocked_by(struct do_job *job, HRESULT reason)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct do_download_status status = status_of(job);

    while (status.state != DO_DOWNLOAD_PAUSED && do_clock_ms() < end_ms)
    {
        test_pause_ms(2);
        status = status_of(job);
    }
    assert_int_equal(status.state, DO_DOWNLOAD_PAUSED);
    assert_hr(S_OK, status.error);
    assert_hr(reason, status.extended_error);
}

static void await_blocked(struct do_job *job)
{
    await_blocked_by(job, DO_E_BLOCKED_BY_COST_TRANSFER_POLICY);
}

static void await_unblocked(struct do_job *job)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;

    while (state_of(job) == DO_DOWNLOAD_PAUSED && do_clock_ms() < end_ms)
        test_pause_ms(2);
    assert_int_not_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    assert_hr(S_OK, status_of(job).error);
    assert_hr(S_OK, status_of(job).extended_error);
}

static struct do_job *prepare_blocked(struct test_file *file, const char *name)
{
    struct do_job *job = prepare(file, name, "size=2m&rate=4m");

    assert_ok(set_number(job, DO_PROP_COST_POLICY, 3));
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    assert_ok(start(job));
    await_bytes(job, 1);
    atomic_store(&client.cost, DO_COST_ROAMING);
    await_blocked(job);
    return job;
}

/* Broken: a stop that heals by itself is an error, or does not heal. */
static void test_modern_blocked_download_goes_on_by_itself(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    job = prepare_blocked(&file, "file");
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    while (state_of(job) == DO_DOWNLOAD_PAUSED)
        test_pause_ms(2);
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(2));
}

/* Broken: a call hangs while the network blocks the download, or wakes it. */
static void test_modern_calls_while_blocked_do_not_hang(void **state)
{
    static const struct do_range other = {7, 1007};
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    job = prepare_blocked(&file, "resumed");
    assert_ok(start(job));
    await_blocked(job);
    assert_ok(start_whole(job));
    await_blocked(job);
    assert_hr(DO_E_INVALID_RANGE, start_range(job, 1, 1));
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    assert_ok(start(job));
    while (state_of(job) == DO_DOWNLOAD_PAUSED)
        test_pause_ms(2);
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(2));
    job = prepare_blocked(&file, "other");
    assert_ok(start_ranges(job, &other, 1));
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    while (state_of(job) == DO_DOWNLOAD_PAUSED)
        test_pause_ms(2);
    await_transferred(job);
    finalize(job, &file, 1, &other, 1);
    job = prepare_blocked(&file, "aborted");
    assert_ok(do_download_abort(job));
    assert_int_equal(test_temp_files(), 0);
    /* A pause of the client's is not undone by the network. */
    job = prepare_blocked(&file, "paused");
    assert_ok(do_download_pause(job));
    assert_hr(S_OK, status_of(job).extended_error);
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    test_pause_ms(100);
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, TEST_MIB(2));
}

/* Those that the cost tests run side by side: a policy each, one without, and one in front. */
#define POLICIES 6U
#define NO_POLICY POLICIES
#define IN_FRONT (POLICIES + 1U)
#define NO_ROAMING 3U
#define NO_CELLULAR_POLICY 5U

static void start_under_each_policy(struct do_job **jobs)
{
    for (uint32_t i = 0; i <= IN_FRONT; i++)
    {
        struct test_file file;
        char name[16];

        (void)snprintf(name, sizeof(name), "policy%u", (unsigned int)i);
        jobs[i] = prepare(&file, name, "size=100m&rate=100k");
        if (i < POLICIES)
            assert_ok(set_number(jobs[i], DO_PROP_COST_POLICY, i));
        if (i == IN_FRONT)
            assert_ok(set_number(jobs[i], DO_PROP_FOREGROUND, 1));
        assert_ok(start(jobs[i]));
    }
}

/* Checks all of them against a row of "r" (runs) and "-" (waits for reason). */
static void check_row(struct do_job *const *jobs, const char *row, HRESULT reason)
{
    /* What the news means is applied to all at once; a call on the loop comes after. */
    (void)test_job_count();
    for (uint32_t i = 0; i <= IN_FRONT; i++)
    {
        struct do_download_status status = status_of(jobs[i]);
        bool runs = row[i] == 'r';

        if (status.state != (uint32_t)(runs ? DO_DOWNLOAD_TRANSFERRING : DO_DOWNLOAD_PAUSED) ||
            status.error != S_OK || status.extended_error != (runs ? S_OK : reason))
            fail_msg("row %s, download %u: state %u, error 0x%08x, 0x%08x", row, (unsigned int)i,
                status.state, (unsigned int)status.error, (unsigned int)status.extended_error);
    }
}

/* Broken: a policy pays for what it is not to pay for, or waits for no reason. */
static void test_modern_cost_policies_are_the_tables(void **state)
{
    /* Policies 0 to 5, none, none in front. (Source: the table of policies, bit by bit.) */
    static const struct
    {
        uint32_t cost;
        const char *row;
    } rows[] = {
        {DO_COST_UNRESTRICTED, "rrrrrrrr"}, {DO_COST_CAPPED_USAGE_UNKNOWN, "r-rrrrrr"},
        {DO_COST_BELOW_CAP, "r-rrrrrr"}, {DO_COST_NEAR_CAP, "r--rrr-r"},
        {DO_COST_OVERCAP_CHARGED, "r--r-r-r"}, {DO_COST_OVERCAP_THROTTLED, "rrrrrrrr"},
        {DO_COST_USAGE_BASED, "r-rrrrrr"}, {0, "rrrrrrrr"}, /* not known */
    };
    struct do_job *jobs[IN_FRONT + 1];

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    start_under_each_policy(jobs);
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        /* Roaming in between, so that each state is news to NoRoaming, which runs under it. */
        atomic_store(&client.cost, DO_COST_ROAMING);
        await_blocked(jobs[NO_ROAMING]);
        check_row(jobs, "r----r-r", DO_E_BLOCKED_BY_COST_TRANSFER_POLICY);
        atomic_store(&client.cost, rows[i].cost);
        await_unblocked(jobs[NO_ROAMING]);
        check_row(jobs, rows[i].row, DO_E_BLOCKED_BY_COST_TRANSFER_POLICY);
    }
}

/* Broken: NoCellular is no cost policy of its own, or others take cellular for a cost. */
static void test_modern_cellular_stops_its_policy_alone(void **state)
{
    struct do_job *jobs[IN_FRONT + 1];

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    start_under_each_policy(jobs);
    for (uint32_t i = 0; i < 2; i++)
    {
        atomic_store(&client.is_cellular, true);
        await_blocked_by(jobs[NO_CELLULAR_POLICY], DO_E_BLOCKED_BY_CELLULAR_POLICY);
        check_row(jobs, "rrrrr-rr", DO_E_BLOCKED_BY_CELLULAR_POLICY);
        atomic_store(&client.is_cellular, false);
        await_unblocked(jobs[NO_CELLULAR_POLICY]);
        check_row(jobs, "rrrrrrrr", S_OK);
    }
    /* The property does the same to each of them, and at once. */
    atomic_store(&client.is_cellular, true);
    await_blocked_by(jobs[NO_CELLULAR_POLICY], DO_E_BLOCKED_BY_CELLULAR_POLICY);
    for (uint32_t i = 0; i <= IN_FRONT; i++)
        assert_ok(set_number(jobs[i], DO_PROP_NO_CELLULAR, 1));
    check_row(jobs, "--------", DO_E_BLOCKED_BY_CELLULAR_POLICY);
    for (uint32_t i = 0; i <= IN_FRONT; i++)
        assert_ok(set_number(jobs[i], DO_PROP_NO_CELLULAR, 0));
    check_row(jobs, "rrrrr-rr", DO_E_BLOCKED_BY_CELLULAR_POLICY);
}

/* Broken: what waits for another network is an error, counts as one, or does not go on. */
static void test_modern_cellular_download_goes_on_by_itself(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    job = prepare(&file, "file", "size=2m&rate=4m");
    assert_ok(set_number(job, DO_PROP_NO_CELLULAR, 1));
    assert_ok(start(job));
    await_bytes(job, 1);
    atomic_store(&client.is_cellular, true);
    await_blocked_by(job, DO_E_BLOCKED_BY_CELLULAR_POLICY);
    atomic_store(&client.is_cellular, false);
    await_unblocked(job);
    await_transferred(job);
    assert_int_equal(do_job_get_error_count(job), 0);
    finalize_whole(job, &file, 1, TEST_MIB(2));
}

/* Which download has its turn */

static void await_turn(struct do_job *job)
{
    if (test_wait(job, TEST_STATE(DO_JOB_TRANSFERRING)) != DO_JOB_TRANSFERRING)
        fail_msg("state %d", (int)do_job_get_state(job));
    /* A call on the loop comes after what the scheduler had to do. */
    (void)test_job_count();
}

static void expect_foreground(struct do_job *job, bool foreground)
{
    struct do_value value;

    assert_ok(do_download_get_property(job, DO_PROP_FOREGROUND, &value));
    assert_int_equal(value.number, foreground);
    do_value_finish(&value);
}

/* Broken: Foreground is heeded at Start only, or throws out who runs. */
static void test_modern_foreground_set_while_queued_is_next(void **state)
{
    struct do_job *jobs[4];
    struct test_file file;

    (void)state;
    test_engine_stop();
    test_config()->max_running_jobs = 1;
    assert_ok(test_engine_start());
    for (size_t i = 0; i < DO_COUNT_OF(jobs); i++)
    {
        char name[8];

        (void)snprintf(name, sizeof(name), "f%zu", i);
        jobs[i] = prepare(&file, name, "size=100m&rate=100k");
        assert_ok(start(jobs[i]));
    }
    await_turn(jobs[0]);
    assert_ok(set_number(jobs[2], DO_PROP_FOREGROUND, 1));
    assert_ok(set_number(jobs[3], DO_PROP_FOREGROUND, 1));
    assert_ok(set_number(jobs[2], DO_PROP_FOREGROUND, 0));
    expect_foreground(jobs[2], false);
    expect_foreground(jobs[3], true);
    assert_int_equal(do_job_get_state(jobs[0]), DO_JOB_TRANSFERRING);
    for (size_t i = 1; i < DO_COUNT_OF(jobs); i++)
        assert_int_equal(do_job_get_state(jobs[i]), DO_JOB_QUEUED);
    assert_ok(do_download_abort(jobs[0]));
    await_turn(jobs[3]);
    /* Who runs goes on, whatever it is set to. */
    assert_ok(set_number(jobs[3], DO_PROP_FOREGROUND, 0));
    assert_ok(set_number(jobs[2], DO_PROP_FOREGROUND, 1));
    assert_int_equal(do_job_get_state(jobs[3]), DO_JOB_TRANSFERRING);
    assert_int_equal(do_job_get_state(jobs[2]), DO_JOB_QUEUED);
    assert_int_equal(do_job_get_state(jobs[1]), DO_JOB_QUEUED);
    assert_ok(do_download_abort(jobs[3]));
    await_turn(jobs[2]);
    assert_int_equal(do_job_get_state(jobs[1]), DO_JOB_QUEUED);
    assert_ok(do_download_abort(jobs[2]));
    await_turn(jobs[1]);
}

/* Broken: what the network stopped loses or repeats bytes of its stream. */
static void test_modern_blocked_stream_goes_on_by_itself(void **state)
{
    static const struct do_range whole = {0, 16 << 20};
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct do_download_status status;
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    job = prepare_stream(&file, "size=16m");
    assert_ok(set_number(job, DO_PROP_COST_POLICY, 3));
    hold_sink(true);
    assert_ok(start(job));
    assert_true(await(&client.sink.held, 1));
    /* One write is inside; others wait behind it. */
    test_pause_ms(200);
    atomic_store(&client.cost, DO_COST_ROAMING);
    await_blocked(job);
    hold_sink(false);
    await_bytes(job, 1);
    test_pause_ms(50);
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    do
    {
        test_pause_ms(2);
        status = status_of(job);
    } while (status.state != DO_DOWNLOAD_TRANSFERRED && SUCCEEDED(status.error) &&
             do_clock_ms() < end_ms);
    assert_int_equal(DO_DOWNLOAD_TRANSFERRED, status.state);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: no progress is told with the wrong codes, or never. */
static void test_modern_no_progress_pauses_with_the_last_failure(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&status=503");
    struct do_download_status status;

    (void)state;
    /* The property takes a minute or more; a job's own setter does not. */
    assert_hr(E_INVALIDARG, set_number(job, DO_PROP_NO_PROGRESS_TIMEOUT, 1));
    assert_hr(E_INVALIDARG, set_number(job, DO_PROP_NO_PROGRESS_TIMEOUT, 59));
    assert_ok(do_job_set_no_progress_timeout_s(job, 1));
    assert_ok(start(job));
    test_pause_ms(500);
    status = status_of(job);
    assert_int_equal(status.state, DO_DOWNLOAD_TRANSFERRING);
    assert_hr(S_OK, status.error);
    assert_hr(S_OK, status.extended_error);
    await_paused(job, DO_E_DOWNLOAD_NO_PROGRESS);
    assert_hr(HTTP_503, status_of(job).extended_error);
    assert_ok(do_job_set_no_progress_timeout_s(job, 60));
    assert_ok(start(job));
    assert_hr(S_OK, status_of(job).error);
    assert_hr(S_OK, status_of(job).extended_error);
}

/* Streams */

/* Broken: a stream gets bytes out of order, twice, or never. */
static void test_modern_stream_gets_the_object_in_order(void **state)
{
    static const struct do_range whole = {0, 5 << 20};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=5m&seed=6");

    (void)state;
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, set_text(job, DO_PROP_LOCAL_PATH, file.path));
    assert_ok(start(job));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, TEST_MIB(5));
    assert_true(sink_has(6, &whole, 1));
    assert_false(client.sink.overlapped);
    assert_int_equal(test_temp_files(), 0);
    assert_ok(do_download_finalize(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_FINALIZED);
    assert_true(sink_has(6, &whole, 1));
    /* Nobody writes to it any more. */
    assert_true(await(&client.sink.destroyed, 1));
}

/* Broken: ranges of a stream are sorted, or padded. */
static void test_modern_stream_gets_ranges_in_order(void **state)
{
    static const struct do_range ranges[] = {{0, 100}, {200, 1200}, {50, 60}, {0, 5000}};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=5000");

    (void)state;
    assert_ok(start_ranges(job, ranges, 2));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_transferred, 1100);
    assert_true(sink_has(1, ranges, 2));
    /* Another portion goes on where the stream is, and so does the whole object. */
    assert_ok(start_ranges(job, ranges + 2, 1));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 10);
    assert_true(sink_has(1, ranges, 3));
    assert_ok(start_whole(job));
    await_transferred(job);
    assert_int_equal(status_of(job).bytes_total, 5000);
    assert_true(sink_has(1, ranges, 4));
    assert_ok(do_download_abort(job));
    assert_true(await(&client.sink.destroyed, 1));
}

/* Broken: a stream's download stops for good, or writes something twice after a pause. */
static void test_modern_stream_goes_on_after_a_pause(void **state)
{
    static const struct do_range whole = {0, 4 << 20};
    struct test_request requests[32];
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m&rate=8m");
    uint64_t sent = 0;
    size_t count;

    (void)state;
    for (uint64_t i = 1; i < 8; i++)
    {
        assert_ok(start(job));
        await_bytes(job, i * TEST_KIB(256));
        assert_ok(do_download_pause(job));
        assert_int_equal(status_of(job).bytes_transferred, sink_bytes());
    }
    assert_ok(start(job));
    await_transferred(job);
    assert_true(sink_has(1, &whole, 1));
    count = test_requests(file.server_path, 2, requests, DO_COUNT_OF(requests));
    for (size_t i = 1; i < count; i++)
    {
        assert_true(requests[i].has_range);
        assert_true(requests[i].range.begin >= sent);
        assert_string_not_equal(requests[i].if_range, "");
        sent = requests[i].range.begin;
    }
}

/* Broken: a slow stream fills the memory, lets the server send on, or blocks other downloads. */
static void test_modern_slow_stream_holds_back_its_own_download_only(void **state)
{
    static const struct do_range whole = {0, 40 << 20};
    struct test_request requests[4];
    struct test_file stream_file;
    struct test_file file;
    struct do_job *job = prepare_stream(&stream_file, "size=40m");
    struct do_job *other;

    (void)state;
    hold_sink(true);
    assert_ok(start(job));
    assert_true(await(&client.sink.held, 1));
    other = prepare(&file, "file", "size=40m");
    assert_ok(start(other));
    await_transferred(other);
    finalize_whole(other, &file, 1, TEST_MIB(40));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRING);
    assert_int_equal(status_of(job).bytes_transferred, 0);
    assert_int_equal(client.sink.writes, 1);
    assert_int_equal(test_requests(stream_file.server_path, 0, requests, 4), 1);
    /* A few blocks, a receive buffer, and what the sockets hold. */
    assert_in_range(requests[0].sent, 1, TEST_MIB(16));
    hold_sink(false);
    await_transferred(job);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: a stream that fails is told as another error, or gets bytes twice later. */
static void test_modern_failure_of_the_stream_pauses(void **state)
{
    static const struct do_range whole = {0, 3 << 20};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=3m");

    (void)state;
    client.sink.fails_at = TEST_MIB(2);
    client.sink.failure = (HRESULT)0x80030070; /* STG_E_MEDIUMFULL */
    for (int i = 0; i < 2; i++)
    {
        assert_ok(start(job));
        await_paused(job, (HRESULT)0x80030070);
        assert_int_equal(status_of(job).bytes_transferred, sink_bytes());
    }
    do_mutex_lock(&client.lock);
    client.sink.fails_at = UINT64_MAX;
    do_mutex_unlock(&client.lock);
    assert_ok(start(job));
    await_transferred(job);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: bytes of two objects meet in one stream. */
static void test_modern_stream_is_never_spliced(void **state)
{
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m&rate=4m&changed_after=2");
    uint64_t bytes;
    struct do_range begun = {0, 0};

    (void)state;
    assert_ok(start(job));
    await_bytes(job, TEST_KIB(300));
    assert_ok(do_download_pause(job));
    bytes = sink_bytes();
    assert_ok(start(job));
    assert_int_equal(await_end(job).state, DO_DOWNLOAD_PAUSED);
    assert_true(FAILED(status_of(job).error));
    assert_int_equal(sink_bytes(), bytes);
    begun.end = bytes;
    assert_true(sink_has(1, &begun, 1));
}

/* Broken: an object without a validator is continued blindly. */
static void test_modern_stream_without_validators_is_not_continued(void **state)
{
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m&rate=4m&etag=none&last_modified=none");
    uint64_t bytes;

    (void)state;
    assert_ok(start(job));
    await_bytes(job, TEST_KIB(300));
    assert_ok(do_download_pause(job));
    bytes = sink_bytes();
    assert_ok(start(job));
    assert_int_equal(await_end(job).state, DO_DOWNLOAD_PAUSED);
    assert_true(FAILED(status_of(job).error));
    assert_int_equal(sink_bytes(), bytes);
}

static void pause_inside(struct sink *sink)
{
    sink->inside = NULL;
    sink->inside_hr = do_download_pause(sink->job);
}

static void abort_inside(struct sink *sink)
{
    sink->inside = NULL;
    sink->inside_hr = do_download_abort(sink->job);
}

/* Pauses, and lets the test thread start while this write has not ended. */
static void pause_inside_and_linger(struct sink *sink)
{
    pause_inside(sink);
    do_mutex_lock(&client.lock);
    sink->held = 1000;
    do_cond_broadcast(&client.changed);
    (void)do_cond_wait_ms(&client.changed, &client.lock, 300);
    sink->held = 0;
    do_mutex_unlock(&client.lock);
}

static void pause_and_start_inside(struct sink *sink)
{
    pause_inside(sink);
    if (SUCCEEDED(sink->inside_hr))
        sink->inside_hr = start(sink->job);
}

/* Starts, and lets the first write act when Start has returned: calls of others are refused inside
 * a write, since they may wait for it. */
static void start_held(struct do_job *job)
{
    hold_sink(true);
    assert_ok(start(job));
    hold_sink(false);
}

/* Broken: a stream that pauses its download waits for itself. */
static void test_modern_stream_may_pause_from_inside(void **state)
{
    static const struct do_range whole = {0, 4 << 20};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m");

    (void)state;
    client.sink.inside = pause_inside;
    start_held(job);
    await_paused(job, S_OK);
    assert_ok(client.sink.inside_hr);
    assert_ok(start(job));
    await_transferred(job);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: a start that comes before such a write has ended asks for its bytes again. */
static void test_modern_start_while_the_pausing_write_still_runs(void **state)
{
    static const struct do_range whole = {0, 4 << 20};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m");

    (void)state;
    client.sink.inside = pause_inside_and_linger;
    start_held(job);
    assert_true(await(&client.sink.held, 1000));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    assert_ok(start(job));
    await_transferred(job);
    assert_false(client.sink.overlapped);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: a start from inside the write guesses what becomes of its bytes. */
static void test_modern_stream_may_not_start_what_it_paused(void **state)
{
    static const struct do_range whole = {0, 4 << 20};
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m");

    (void)state;
    client.sink.inside = pause_and_start_inside;
    start_held(job);
    await_paused(job, S_OK);
    assert_ok(start(job));
    await_transferred(job);
    assert_hr(DO_E_INVALID_STATE, client.sink.inside_hr);
    assert_true(sink_has(1, &whole, 1));
}

/* Broken: a stream that aborts its download waits for itself, or is freed under its own feet. */
static void test_modern_stream_may_abort_from_inside(void **state)
{
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=4m");

    (void)state;
    client.sink.inside = abort_inside;
    start_held(job);
    assert_int_equal(await_end(job).state, DO_DOWNLOAD_ABORTED);
    while (client.download_count)
        do_job_release(client.downloads[--client.download_count]);
    assert_true(await(&client.sink.destroyed, 1));
    assert_ok(client.sink.inside_hr);
}

/* Broken: a pause returns while bytes still go to the stream. */
static void test_modern_pause_waits_for_the_write(void **state)
{
    struct test_file file;
    struct do_job *job = prepare_stream(&file, "size=64m&rate=16m");
    uint64_t bytes;

    (void)state;
    for (int i = 0; i < 5; i++)
    {
        assert_ok(start(job));
        await_bytes(job, sink_bytes() + 1);
        assert_ok(do_download_pause(job));
        do_mutex_lock(&client.lock);
        assert_false(client.sink.running);
        do_mutex_unlock(&client.lock);
        bytes = sink_bytes();
        test_pause_ms(20);
        assert_int_equal(sink_bytes(), bytes);
    }
}

/* Callbacks */

static struct told seen(void)
{
    struct told copy;

    do_mutex_lock(&client.lock);
    copy = client.listener.told;
    do_mutex_unlock(&client.lock);
    return copy;
}

/* Waits until the last status is of this state. */
static void await_told(uint32_t state)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    struct told copy = seen();

    while ((!copy.count || copy.statuses[copy.count - 1].state != state) && do_clock_ms() < end_ms)
    {
        test_pause_ms(2);
        copy = seen();
    }
    assert_true(copy.count);
    assert_int_equal(copy.statuses[copy.count - 1].state, state);
    assert_false(copy.overlapped);
}

/* Broken: a client is told nothing, too much, or in another order. */
static void test_modern_listener_is_told_from_start_to_end(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&delay=50");
    struct told copy;

    (void)state;
    listen(job);
    assert_ok(start(job));
    await_told(DO_DOWNLOAD_TRANSFERRED);
    copy = seen();
    assert_int_equal(copy.statuses[0].state, DO_DOWNLOAD_TRANSFERRING);
    assert_int_equal(copy.statuses[0].bytes_total, 0);
    assert_int_equal(copy.statuses[0].bytes_transferred, 0);
    assert_int_equal(copy.statuses[copy.count - 1].bytes_total, 1000);
    assert_int_equal(copy.statuses[copy.count - 1].bytes_transferred, 1000);
    for (uint32_t i = 0; i < copy.count; i++)
    {
        assert_hr(S_OK, copy.statuses[i].error);
        assert_hr(S_OK, copy.statuses[i].extended_error);
        assert_in_range(copy.statuses[i].state, DO_DOWNLOAD_TRANSFERRING, DO_DOWNLOAD_TRANSFERRED);
    }
    finalize_whole(job, &file, 1, 1000);
    await_told(DO_DOWNLOAD_FINALIZED);
    assert_true(await(&client.listener.destroyed, 1));
}

/* Broken: the end that the client did not ask for is not told. */
static void test_modern_listener_is_told_of_errors_and_abort(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&status=404");
    struct told copy;

    (void)state;
    listen(job);
    assert_ok(start(job));
    await_told(DO_DOWNLOAD_PAUSED);
    copy = seen();
    assert_hr(HTTP_404, copy.statuses[copy.count - 1].error);
    assert_ok(do_download_abort(job));
    await_told(DO_DOWNLOAD_ABORTED);
}

/* How many progress callbacks a transfer of about two seconds makes. */
static uint32_t count_progress(uint32_t percent, uint32_t seconds)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=4m&rate=2m");
    struct told copy;
    uint32_t count = 0;

    if (percent)
        assert_ok(set_number(job, DO_PROP_CALLBACK_PERCENT, percent));
    if (seconds != UINT32_MAX)
        assert_ok(set_number(job, DO_PROP_CALLBACK_SECONDS, seconds));
    listen(job);
    assert_ok(start(job));
    await_told(DO_DOWNLOAD_TRANSFERRED);
    copy = seen();
    for (uint32_t i = 0; i < copy.count; i++)
    {
        if (copy.statuses[i].state == DO_DOWNLOAD_TRANSFERRING &&
            copy.statuses[i].bytes_transferred)
            count++;
    }
    assert_ok(do_download_abort(job));
    assert_true(await(&client.listener.destroyed, 1));
    return count;
}

/* Broken: the client's frequencies do not matter. */
static void test_modern_frequencies_are_the_clients(void **state)
{
    (void)state;
    test_one_connection();
    assert_in_range(count_progress(0, UINT32_MAX), 1, 3);
    assert_in_range(count_progress(0, 100), 0, 0);
    assert_in_range(count_progress(50, 100), 1, 2);
    assert_true(count_progress(10, 100) >= 3);
    assert_true(count_progress(0, 0) >= 3);
}

/* Broken: a status from before the start comes after it. */
static void test_modern_no_stale_status_after_start(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=8m&rate=4m");

    (void)state;
    listen(job);
    for (int i = 0; i < 15; i++)
    {
        struct told copy;
        uint32_t before;

        assert_ok(start(job));
        before = seen().count;
        test_pause_ms(5);
        copy = seen();
        for (uint32_t j = before; j < copy.count; j++)
            assert_int_equal(copy.statuses[j].state, DO_DOWNLOAD_TRANSFERRING);
        assert_ok(do_download_pause(job));
    }
}

static void start_inside(struct listener *listener, const struct do_download_status *status)
{
    if (status->state != DO_DOWNLOAD_PAUSED)
        return;
    listener->inside = NULL;
    listener->inside_hr = start(listener->job);
}

static void finalize_inside(struct listener *listener, const struct do_download_status *status)
{
    if (status->state != DO_DOWNLOAD_TRANSFERRED)
        return;
    listener->inside = NULL;
    listener->inside_hr = do_download_finalize(listener->job);
}

static void pause_in_callback(struct listener *listener, const struct do_download_status *status)
{
    if (status->state != DO_DOWNLOAD_TRANSFERRING)
        return;
    listener->inside = finalize_inside;
    listener->inside_hr = do_download_pause(listener->job);
}

/* Broken: a client that acts where it is told waits for itself. */
static void test_modern_calls_from_inside_a_callback(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "again", "size=1000&fail_first=1&fail_status=404");

    (void)state;
    listen(job);
    client.listener.inside = start_inside;
    assert_ok(start(job));
    await_told(DO_DOWNLOAD_TRANSFERRED);
    assert_ok(client.listener.inside_hr);
    finalize_whole(job, &file, 1, 1000);
    assert_true(await(&client.listener.destroyed, 1));
    job = prepare(&file, "paused", "size=1000&delay=100");
    listen(job);
    client.listener.inside = pause_in_callback;
    assert_ok(start(job));
    await_told(DO_DOWNLOAD_PAUSED);
    assert_ok(client.listener.inside_hr);
    assert_ok(start(job));
    for (uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
         state_of(job) != DO_DOWNLOAD_FINALIZED && do_clock_ms() < end_ms;)
        test_pause_ms(2);
    assert_int_equal(state_of(job), DO_DOWNLOAD_FINALIZED);
    assert_true(test_has_object(file.path, 1, 1000));
}

/* Broken: the old listener is still called, or the new one is not. */
static void test_modern_listener_can_be_cleared(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=2m&rate=2m");
    struct do_listener *got;
    uint32_t count;

    (void)state;
    listen(job);
    got = do_job_get_listener(job);
    assert_ptr_equal(got, &client.listener.head);
    do_listener_release(got);
    assert_ok(start(job));
    assert_true(await(&client.listener.told.count, 1));
    assert_ok(do_download_set_listener(job, NULL));
    assert_true(await(&client.listener.destroyed, 1));
    count = seen().count;
    await_transferred(job);
    assert_int_equal(seen().count, count);
    assert_null(do_job_get_listener(job));
    finalize_whole(job, &file, 1, TEST_MIB(2));
    assert_ok(do_download_set_listener(job, NULL));
    assert_hr(DO_E_INVALID_STATE, do_download_set_listener(job, &client.listener.head));
}

/* Blocking mode */

struct blocked_start
{
    struct do_job *job;
    HRESULT hr;
};

static void blocked_start_main(void *ctx)
{
    struct blocked_start *blocked = ctx;

    blocked->hr = start(blocked->job);
}

/* What Start returns when the function ends it from here. */
static HRESULT end_blocked_start(struct do_job *job, HRESULT (*function)(struct do_job *job))
{
    struct blocked_start blocked = {job, E_UNEXPECTED};
    struct do_thread *thread;

    assert_ok(set_number(job, DO_PROP_BLOCKING, 1));
    assert_ok(do_thread_start("blocked", blocked_start_main, &blocked, &thread));
    await_bytes(job, 1);
    assert_ok(function(job));
    do_thread_join(thread);
    return blocked.hr;
}

/* Broken: Start returns before the end, with another code, or never. */
static void test_modern_blocking_start_returns_the_end(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "good", "size=1m&rate=4m");

    (void)state;
    assert_ok(set_number(job, DO_PROP_BLOCKING, 1));
    assert_ok(start(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
    assert_ok(start_range(job, 0, 5));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
    assert_int_equal(status_of(job).bytes_transferred, 5);
    assert_ok(do_download_abort(job));
    job = prepare(&file, "bad", "size=1m&status=404");
    assert_ok(set_number(job, DO_PROP_BLOCKING, 1));
    assert_hr(HTTP_404, start(job));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    job = prepare(&file, "paused", "size=4m&rate=2m");
    assert_hr(S_OK, end_blocked_start(job, do_download_pause));
    assert_int_equal(state_of(job), DO_DOWNLOAD_PAUSED);
    job = prepare(&file, "aborted", "size=4m&rate=2m");
    assert_hr(E_ABORT, end_blocked_start(job, do_download_abort));
}

static HRESULT unblock(struct do_job *job)
{
    atomic_store(&client.cost, DO_COST_ROAMING);
    await_blocked(job);
    atomic_store(&client.cost, DO_COST_UNRESTRICTED);
    return S_OK;
}

/* Broken: a stop that heals by itself ends the wait. */
static void test_modern_blocking_start_waits_through_a_transient_stop(void **state)
{
    struct test_file file;
    struct do_job *job;

    (void)state;
    restart_engine_with_cost(DO_COST_UNRESTRICTED);
    job = prepare(&file, "file", "size=2m&rate=4m");
    assert_ok(set_number(job, DO_PROP_COST_POLICY, 3));
    assert_hr(S_OK, end_blocked_start(job, unblock));
    assert_int_equal(state_of(job), DO_DOWNLOAD_TRANSFERRED);
}

/* Properties */

enum when
{
    ALIVE,
    STOPPED,
    CREATED
};

/* The specification's table, by hand. */
static const struct
{
    enum do_prop_type type;
    const char *access; /* r, w */
    enum when when;
} table[] = {
    {DO_TYPE_TEXT, "r", CREATED},
    {DO_TYPE_TEXT, "rw", STOPPED},
    {DO_TYPE_TEXT, "rw", CREATED},
    {DO_TYPE_TEXT, "rw", CREATED},
    {DO_TYPE_TEXT, "rw", CREATED},
    {DO_TYPE_TEXT, "rw", STOPPED},
    {DO_TYPE_U32, "rw", ALIVE},
    {DO_TYPE_U32, "w", STOPPED},
    {DO_TYPE_U32, "rw", ALIVE},
    {DO_TYPE_U32, "rw", ALIVE},
    {DO_TYPE_U32, "rw", ALIVE},
    {DO_TYPE_BOOL, "rw", ALIVE},
    {DO_TYPE_BOOL, "rw", ALIVE},
    {DO_TYPE_CALLBACK, "rw", ALIVE},
    {DO_TYPE_STREAM, "rw", CREATED},
    {DO_TYPE_BYTES, "w", STOPPED},
    {DO_TYPE_BOOL, "w", STOPPED},
    {DO_TYPE_TEXT, "rw", ALIVE},
    {DO_TYPE_TEXT, "w", CREATED},
    {DO_TYPE_TEXT, "w", CREATED},
    {DO_TYPE_BOOL, "rw", CREATED},
    {DO_TYPE_U64, "rw", CREATED},
    {DO_TYPE_BOOL, "rw", ALIVE},
    {DO_TYPE_TEXT, "rw", STOPPED},
    {DO_TYPE_BOOL, "rw", STOPPED},
    {DO_TYPE_BOOL, "rw", STOPPED},
    {DO_TYPE_TEXT, "r", CREATED},
    {DO_TYPE_TEXT, "r", CREATED},
    {DO_TYPE_TEXT, "r", CREATED},
    {DO_TYPE_U32, "r", CREATED},
};

#define INTEGRITY                                                                                  \
    "{\"PiecesHashFileUrl\":\"http://127.0.0.1/p\","                                               \
    "\"HashOfHashes\":\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}"

/* A value that the property takes; empty for one that none is known of. */
static struct do_value good_value(uint32_t id)
{
    switch (id)
    {
    case DO_PROP_URI:
        return do_value_of_text("http://127.0.0.1/other");
    case DO_PROP_LOCAL_PATH:
        return do_value_of_text("/tmp/other");
    case DO_PROP_HTTP_HEADERS:
    case DO_PROP_AUTH_HEADERS:
        return do_value_of_text("X-A: b\r\n");
    case DO_PROP_DECRYPTION_INFO:
        return do_value_of_text(NULL);
    case DO_PROP_INTEGRITY_INFO:
        return do_value_of_text(INTEGRITY);
    case DO_PROP_NO_PROGRESS_TIMEOUT:
        return do_value_of_number(60);
    case DO_PROP_CERTIFICATE:
        return do_value_of_bytes("\x01\x02", 2);
    default:
        break;
    }
    if (table[id].type == DO_TYPE_TEXT)
        return do_value_of_text("text");
    return do_value_of_number(1);
}

static bool is_value(uint32_t id)
{
    return table[id].type != DO_TYPE_CALLBACK && table[id].type != DO_TYPE_STREAM;
}

/* Broken: a property has another type or access than the documentation says. */
static void test_modern_properties_access_is_the_tables(void **state)
{
    struct do_job *job = create();

    (void)state;
    assert_int_equal(DO_COUNT_OF(table), DO_DOWNLOAD_PROP_COUNT);
    assert_null(do_download_prop_info(DO_DOWNLOAD_PROP_COUNT));
    assert_null(do_download_prop_info(UINT32_MAX));
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, set_number(job, DO_DOWNLOAD_PROP_COUNT, 1));
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, set_text(job, DO_PROP_OWNER, "me"));
    for (uint32_t id = 0; id < DO_DOWNLOAD_PROP_COUNT; id++)
    {
        const struct do_prop_info *info = do_download_prop_info(id);
        const struct do_value good = good_value(id);
        struct do_value value = {DO_VALUE_NUMBER, 5, NULL, 0};
        HRESULT expected = DO_HR_NOT_SET;

        assert_int_equal(info->type, table[id].type);
        assert_int_equal(info->access, (strchr(table[id].access, 'r') ? DO_ACCESS_READ : 0U) |
                                           (strchr(table[id].access, 'w') ? DO_ACCESS_WRITE : 0U));
        if (!strchr(table[id].access, 'r'))
            expected = DO_E_WRITE_ONLY_PROPERTY;
        if (id == DO_PROP_ID)
            expected = S_OK;
        assert_hr(expected, do_download_get_property(job, id, &value));
        if (FAILED(expected))
            assert_int_equal(value.kind, DO_VALUE_EMPTY);
        do_value_finish(&value);
        if (!strchr(table[id].access, 'w'))
            assert_hr(DO_E_READ_ONLY_PROPERTY, do_download_set_property(job, id, &good));
        else if (!is_value(id))
            assert_hr(E_INVALIDARG, do_download_set_property(job, id, &good));
    }
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, do_download_get_property(job, DO_PROP_OWNER,
                                            &(struct do_value){DO_VALUE_EMPTY, 0, NULL, 0}));
}

/* Broken: what was set is not what is read, or cannot be taken back. */
static void test_modern_properties_are_read_back(void **state)
{
    struct do_job *job = create();

    (void)state;
    for (uint32_t id = 0; id < DO_DOWNLOAD_PROP_COUNT; id++)
    {
        struct do_value good = good_value(id);
        const struct do_value empty = do_value_of_text(NULL);
        struct do_value value;

        if (!strchr(table[id].access, 'w') || !is_value(id))
            continue;
        assert_ok(do_download_set_property(job, id, &good));
        if (strchr(table[id].access, 'r'))
        {
            assert_ok(do_download_get_property(job, id, &value));
            assert_true(do_value_equal(&value, &good));
            do_value_finish(&value);
        }
        assert_ok(do_download_set_property(job, id, &empty));
        if (strchr(table[id].access, 'r'))
            assert_hr(DO_HR_NOT_SET, do_download_get_property(job, id, &value));
    }
}

/* Sets every property in the state that the download is in. */
static void check_settable(struct do_job *job, uint32_t state)
{
    assert_int_equal(state_of(job), state);
    for (uint32_t id = 0; id < DO_DOWNLOAD_PROP_COUNT; id++)
    {
        const struct do_value good = good_value(id);
        bool settable = state != DO_DOWNLOAD_FINALIZED && state != DO_DOWNLOAD_ABORTED;

        if (!strchr(table[id].access, 'w') || !is_value(id))
            continue;
        if (table[id].when == STOPPED)
            settable = state == DO_DOWNLOAD_CREATED || state == DO_DOWNLOAD_PAUSED;
        else if (table[id].when == CREATED)
            settable = state == DO_DOWNLOAD_CREATED;
        if (do_download_set_property(job, id, &good) != (settable ? S_OK : DO_E_INVALID_STATE))
            fail_msg("property %u in state %u", id, state);
    }
}

/* Broken: a property can be changed when that has no effect, or cannot when it has. */
static void test_modern_properties_are_settable_in_their_states(void **state)
{
    struct test_file file;
    struct do_job *job = create();

    (void)state;
    check_settable(job, DO_DOWNLOAD_CREATED);
    assert_ok(do_download_abort(job));
    check_settable(job, DO_DOWNLOAD_ABORTED);
    job = prepare(&file, "file", "size=1m&delay=1000");
    assert_ok(start(job));
    check_settable(job, DO_DOWNLOAD_TRANSFERRING);
    assert_hr(DO_E_INVALID_STATE, do_download_set_stream(job, NULL));
    assert_ok(do_download_pause(job));
    check_settable(job, DO_DOWNLOAD_PAUSED);
    assert_ok(set_text(job, DO_PROP_URI, file.url));
    assert_ok(start(job));
    /* Not blocking any more, which it was set to. */
    await_transferred(job);
    check_settable(job, DO_DOWNLOAD_TRANSFERRED);
    finalize_whole(job, &file, 1, TEST_MIB(1));
    check_settable(job, DO_DOWNLOAD_FINALIZED);
}

/* Broken: nonsense is stored. */
static void test_modern_properties_are_validated(void **state)
{
    static const struct
    {
        uint32_t id;
        uint64_t number;
        HRESULT hr;
    } numbers[] = {
        {DO_PROP_COST_POLICY, 0, S_OK},
        {DO_PROP_COST_POLICY, 5, S_OK},
        {DO_PROP_COST_POLICY, 6, E_INVALIDARG},
        {DO_PROP_SECURITY_FLAGS, 0x3301, S_OK},
        {DO_PROP_SECURITY_FLAGS, 0x2, E_INVALIDARG},
        {DO_PROP_CALLBACK_PERCENT, 0, S_OK},
        {DO_PROP_CALLBACK_PERCENT, 100, S_OK},
        {DO_PROP_CALLBACK_PERCENT, 101, E_INVALIDARG},
        {DO_PROP_CALLBACK_SECONDS, 0, S_OK},
        {DO_PROP_CALLBACK_SECONDS, UINT32_MAX, S_OK},
        {DO_PROP_CALLBACK_SECONDS, (uint64_t)UINT32_MAX + 1, E_INVALIDARG},
        {DO_PROP_NO_PROGRESS_TIMEOUT, 0, S_OK},
        {DO_PROP_NO_PROGRESS_TIMEOUT, 59, E_INVALIDARG},
        {DO_PROP_NO_PROGRESS_TIMEOUT, 60, S_OK},
        {DO_PROP_NO_PROGRESS_TIMEOUT, UINT32_MAX, S_OK},
        {DO_PROP_TOTAL_SIZE, UINT64_MAX - 1, S_OK},
        {DO_PROP_URI, 1, E_INVALIDARG},
        {DO_PROP_CERTIFICATE, 1, E_INVALIDARG},
    };
    static const struct
    {
        uint32_t id;
        const char *text;
        HRESULT hr;
    } texts[] = {
        {DO_PROP_URI, "", E_INVALIDARG},
        {DO_PROP_URI, "nonsense", DO_HR_INET_INVALID_URL},
        {DO_PROP_URI, "ftp://127.0.0.1/x", DO_HR_INET_INVALID_URL},
        {DO_PROP_URI, "https://127.0.0.1/x", S_OK},
        {DO_PROP_LOCAL_PATH, "", E_INVALIDARG},
        {DO_PROP_LOCAL_PATH, "relative/file", E_INVALIDARG},
        {DO_PROP_HTTP_HEADERS, "X=1\nY=2\n", S_OK},
        {DO_PROP_INTEGRITY_INFO, "{", E_INVALIDARG},
        {DO_PROP_INTEGRITY_INFO, INTEGRITY, S_OK},
        {DO_PROP_DECRYPTION_INFO, "{", E_INVALIDARG},
        {DO_PROP_COST_POLICY, "1", E_INVALIDARG},
        {DO_PROP_FOREGROUND, "1", E_INVALIDARG},
        {DO_PROP_DISPLAY_NAME, "n\xC3\xA4me", S_OK},
    };
    struct do_job *job = create();

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(numbers); i++)
    {
        if (set_number(job, numbers[i].id, numbers[i].number) != numbers[i].hr)
            fail_msg("number %zu", i);
    }
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        if (set_text(job, texts[i].id, texts[i].text) != texts[i].hr)
            fail_msg("text %zu", i);
    }
}

static void expect_text(struct do_job *job, uint32_t id, const char *text)
{
    struct do_value value;

    assert_ok(do_download_get_property(job, id, &value));
    assert_int_equal(value.kind, DO_VALUE_TEXT);
    assert_string_equal(value.data, text);
    do_value_finish(&value);
}

static void expect_number(struct do_job *job, uint32_t id, uint64_t number)
{
    struct do_value value;

    assert_ok(do_download_get_property(job, id, &value));
    assert_int_equal(value.kind, DO_VALUE_NUMBER);
    assert_int_equal(value.number, number);
}

/* Broken: what the answer said is not known, or what it did not say is. */
static void test_modern_facts_of_the_answer_are_known(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&redirect=1");
    struct do_value value;

    (void)state;
    assert_hr(DO_HR_NOT_SET, do_download_get_property(job, DO_PROP_TOTAL_SIZE, &value));
    assert_ok(start(job));
    await_transferred(job);
    expect_number(job, DO_PROP_TOTAL_SIZE, 1000);
    expect_number(job, DO_PROP_STATUS_CODE, 200);
    expect_text(job, DO_PROP_SERVER_ADDRESS, "127.0.0.1");
    /* Which one it is, the COM tests look at: libcurl 7.88, here, tells the first of all hops. */
    assert_ok(do_download_get_property(job, DO_PROP_REDIRECT_TARGET, &value));
    assert_non_null(strstr(value.data, file.server_path));
    do_value_finish(&value);
    assert_ok(do_download_get_property(job, DO_PROP_RESPONSE_HEADERS, &value));
    assert_non_null(strstr(value.data, "Content-Length: 1000\r\n"));
    do_value_finish(&value);
    finalize_whole(job, &file, 1, 1000);
    expect_number(job, DO_PROP_TOTAL_SIZE, 1000);
    expect_number(job, DO_PROP_STATUS_CODE, 200);
    job = prepare(&file, "ranges", "size=1000");
    assert_ok(start_range(job, 10, 20));
    await_transferred(job);
    expect_number(job, DO_PROP_STATUS_CODE, 206);
    expect_number(job, DO_PROP_TOTAL_SIZE, 1000);
    assert_hr(DO_HR_NOT_SET, do_download_get_property(job, DO_PROP_REDIRECT_TARGET, &value));
    job = prepare(&file, "missing", "size=1000&status=404");
    assert_ok(start(job));
    await_paused(job, HTTP_404);
    expect_number(job, DO_PROP_STATUS_CODE, 404);
}

/* Broken: the Id is not stable, or no GUID. */
static void test_modern_id_is_a_guid(void **state)
{
    struct do_job *job = create();
    struct do_job *other = create();
    struct do_value value;
    struct do_value other_value;

    (void)state;
    assert_ok(do_download_get_property(job, DO_PROP_ID, &value));
    assert_ok(do_download_get_property(other, DO_PROP_ID, &other_value));
    assert_int_equal(strlen(value.data), 36);
    assert_int_equal(strspn(value.data, "0123456789abcdef-"), 36);
    assert_int_equal(value.data[14], '4');
    assert_string_not_equal(value.data, other_value.data);
    expect_text(job, DO_PROP_ID, value.data);
    do_value_finish(&value);
    do_value_finish(&other_value);
}

/* Broken: a paused download cannot go on elsewhere. */
static void test_modern_uri_can_change_while_paused(void **state)
{
    const struct do_value empty = do_value_of_text(NULL);
    struct test_file other = test_file("none", "size=1000");
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000&status=404");

    (void)state;
    assert_ok(start(job));
    await_paused(job, HTTP_404);
    assert_hr(E_INVALIDARG, do_download_set_property(job, DO_PROP_URI, &empty));
    expect_text(job, DO_PROP_URI, file.url);
    assert_ok(set_text(job, DO_PROP_URI, other.url));
    expect_text(job, DO_PROP_URI, other.url);
    assert_ok(start(job));
    await_transferred(job);
    finalize_whole(job, &file, 1, 1000);
}

/* Broken: the client's word for the size does not matter. */
static void test_modern_wrong_total_size_fails(void **state)
{
    struct test_file file;
    struct do_job *job = prepare(&file, "file", "size=1000");

    (void)state;
    assert_ok(set_number(job, DO_PROP_TOTAL_SIZE, 999));
    expect_number(job, DO_PROP_TOTAL_SIZE, 999);
    assert_ok(start(job));
    await_paused(job, DO_E_INSUFFICIENT_RANGE_SUPPORT);
    check_aborted(job, &file);
}

/* Short memory */

/* Broken: a start that fails for lack of memory leaves something in between. */
static void test_modern_start_survives_each_failed_allocation(void **state)
{
    uint64_t n;
    bool started = false;

    (void)state;
    for (n = 1; n < 500 && !started; n++)
    {
        struct test_file file;
        struct do_job *job = prepare(&file, "file", "size=1000");
        HRESULT hr;

        do_alloc_fail_nth(n);
        hr = start(job);
        do_alloc_fail_nth(0);
        if (FAILED(hr))
        {
            assert_hr(E_OUTOFMEMORY, hr);
            assert_int_not_equal(state_of(job), DO_DOWNLOAD_TRANSFERRING);
            assert_ok(start(job));
        }
        else
            started = n > 100;
        if (await_end(job).state == DO_DOWNLOAD_PAUSED)
        {
            await_paused(job, E_OUTOFMEMORY);
            assert_ok(start(job));
        }
        await_transferred(job);
        finalize_whole(job, &file, 1, 1000);
        assert_int_equal(unlink(file.path), 0);
        while (client.download_count)
            do_job_release(client.downloads[--client.download_count]);
    }
}

/* The same for ranges that come later: while paused, or behind what is transferred. */
static void check_later_start(uint64_t n, bool paused)
{
    static const struct do_range all[] = {{0, 1000}, {5, 15}};
    struct test_file file;
    struct do_job *job = prepare(&file, "file", paused ? "size=1000&delay=50" : "size=1000");
    HRESULT hr;

    assert_ok(start(job));
    if (paused)
        assert_ok(do_download_pause(job));
    else
        await_transferred(job);
    paused = state_of(job) == DO_DOWNLOAD_PAUSED;
    do_alloc_fail_nth(n);
    hr = start_ranges(job, all + 1, 1);
    do_alloc_fail_nth(0);
    if (FAILED(hr))
    {
        assert_hr(E_OUTOFMEMORY, hr);
        assert_ok(start_ranges(job, all + 1, 1));
    }
    if (await_end(job).state == DO_DOWNLOAD_PAUSED)
    {
        await_paused(job, E_OUTOFMEMORY);
        assert_ok(start(job));
    }
    await_transferred(job);
    assert_ok(do_download_finalize(job));
    assert_true(test_has_ranges(file.path, 1, paused ? all + 1 : all, paused ? 1 : 2));
    assert_int_equal(unlink(file.path), 0);
    /* Without memory for its name the old one is not deleted. */
    if (test_temp_files())
        remove_temp_files();
    while (client.download_count)
        do_job_release(client.downloads[--client.download_count]);
}

/* Broken: a later start that fails for lack of memory costs what was there. */
static void test_modern_later_start_survives_each_failed_allocation(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++)
    {
        check_later_start(n, false);
        check_later_start(n, true);
    }
}

int main(void)
{
    static const struct CMUnitTest modern[] = {
        MODERN_TEST(test_modern_created_has_status_zero),
        MODERN_TEST(test_modern_each_start_of_a_whole_object_gets_it),
        MODERN_TEST(test_modern_ranges_lie_in_the_order_given),
        MODERN_TEST(test_modern_start_is_validated_in_order),
        MODERN_TEST(test_modern_too_many_ranges_are_refused),
        MODERN_TEST(test_modern_missing_directories_are_made),
        MODERN_TEST(test_modern_bad_directory_is_told_by_start),
        MODERN_TEST(test_modern_error_of_the_server_pauses),
        MODERN_TEST(test_modern_pause_and_start_go_on),
        MODERN_TEST(test_modern_calls_have_effect_at_once),
        MODERN_TEST(test_modern_ranges_while_it_runs_must_be_the_same),
        MODERN_TEST(test_modern_other_ranges_begin_anew),
        MODERN_TEST(test_modern_bad_ranges_cost_nothing),
        MODERN_TEST(test_modern_later_portions_are_appended),
        MODERN_TEST(test_modern_portion_after_the_whole_object_is_appended),
        MODERN_TEST(test_modern_portion_goes_on_after_a_pause),
        MODERN_TEST(test_modern_whole_again_begins_the_file_again),
        MODERN_TEST(test_modern_existing_target_is_not_replaced),
        MODERN_TEST(test_modern_final_states_are_final),
        MODERN_TEST(test_modern_abort_in_each_state_leaves_nothing),
        MODERN_TEST(test_modern_vanished_temporary_file_is_told),
        MODERN_TEST(test_modern_second_download_to_a_path_aborts_the_first),
        MODERN_TEST(test_modern_two_starts_at_once_leave_one),
        MODERN_TEST(test_modern_blocked_download_goes_on_by_itself),
        MODERN_TEST(test_modern_calls_while_blocked_do_not_hang),
        MODERN_TEST(test_modern_cost_policies_are_the_tables),
        MODERN_TEST(test_modern_cellular_stops_its_policy_alone),
        MODERN_TEST(test_modern_cellular_download_goes_on_by_itself),
        MODERN_TEST(test_modern_foreground_set_while_queued_is_next),
        MODERN_TEST(test_modern_blocked_stream_goes_on_by_itself),
        MODERN_TEST(test_modern_no_progress_pauses_with_the_last_failure),
        MODERN_TEST(test_modern_stream_gets_the_object_in_order),
        MODERN_TEST(test_modern_stream_gets_ranges_in_order),
        MODERN_TEST(test_modern_stream_goes_on_after_a_pause),
        MODERN_TEST(test_modern_slow_stream_holds_back_its_own_download_only),
        MODERN_TEST(test_modern_failure_of_the_stream_pauses),
        MODERN_TEST(test_modern_stream_is_never_spliced),
        MODERN_TEST(test_modern_stream_without_validators_is_not_continued),
        MODERN_TEST(test_modern_stream_may_pause_from_inside),
        MODERN_TEST(test_modern_start_while_the_pausing_write_still_runs),
        MODERN_TEST(test_modern_stream_may_not_start_what_it_paused),
        MODERN_TEST(test_modern_stream_may_abort_from_inside),
        MODERN_TEST(test_modern_pause_waits_for_the_write),
        MODERN_TEST(test_modern_listener_is_told_from_start_to_end),
        MODERN_TEST(test_modern_listener_is_told_of_errors_and_abort),
        MODERN_TEST(test_modern_frequencies_are_the_clients),
        MODERN_TEST(test_modern_no_stale_status_after_start),
        MODERN_TEST(test_modern_calls_from_inside_a_callback),
        MODERN_TEST(test_modern_listener_can_be_cleared),
        MODERN_TEST(test_modern_blocking_start_returns_the_end),
        MODERN_TEST(test_modern_blocking_start_waits_through_a_transient_stop),
        MODERN_TEST(test_modern_properties_access_is_the_tables),
        MODERN_TEST(test_modern_properties_are_read_back),
        MODERN_TEST(test_modern_properties_are_settable_in_their_states),
        MODERN_TEST(test_modern_properties_are_validated),
        MODERN_TEST(test_modern_facts_of_the_answer_are_known),
        MODERN_TEST(test_modern_id_is_a_guid),
        MODERN_TEST(test_modern_uri_can_change_while_paused),
        MODERN_TEST(test_modern_wrong_total_size_fails),
        MODERN_TEST(test_modern_start_survives_each_failed_allocation),
        MODERN_TEST(test_modern_later_start_survives_each_failed_allocation),
    };

    return ENGINE_TEST_RUN(modern);
}
