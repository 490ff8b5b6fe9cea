/* SPDX-License-Identifier: MIT */
/*
 * Notices to clients, with real jobs on a real engine. Listeners record on delivery threads; the
 * test thread asserts. A listener can be held inside its call; no hold is longer than
 * TEST_WAIT_MS, so that a test that fails still ends. Long, since each rule of job/notify.h has its
 * test here and they share the listener.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "job/job_internal.h"

#define MAX_CALLS 64U
#define MANY 21U /* one that blocks and 20 others */
#define EVERY                                                                                      \
    ((uint32_t)(DO_NOTICE_JOB_TRANSFERRED | DO_NOTICE_JOB_ERROR | DO_NOTICE_JOB_MODIFICATION |     \
                DO_NOTICE_FILE_TRANSFERRED | DO_NOTICE_STATUS))

/* One call that a listener got. */
struct call
{
    enum do_notice notice;
    uint32_t file;  /* index */
    uint32_t state; /* of the status */
    uint64_t bytes;
    uint64_t time_ms;
};

struct listener
{
    struct do_listener head;
    void (*inside)(struct listener *listener, struct do_job *job); /* called in each call */
    struct do_job *other;                                          /* for inside */
    const HRESULT *results; /* of the calls, the last one repeated; NULL: S_OK */
    size_t result_count;

    /* Under pool.lock. */
    bool holds; /* calls wait inside until this is false */
    uint32_t held;
    struct call calls[MAX_CALLS];
    size_t count;
    uint32_t destroyed;
    bool wrong_thread; /* a call or the destruction was not on a delivery thread */
    bool wrong_moment; /* two calls at once, or one after the destruction */
    bool running;
    uint64_t ended; /* when the last call ended, by pool.clock */
};

/* What every test shares. */
static struct
{
    struct do_mutex lock;
    struct do_cond changed;
    uint64_t threads[512]; /* living delivery threads */
    size_t living;
    size_t begun;
    uint64_t clock; /* counts what happens */
} pool;

static void thread_begins(void)
{
    do_mutex_lock(&pool.lock);
    pool.threads[pool.living++] = do_thread_current_id();
    pool.begun++;
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
}

static void thread_ends(void)
{
    uint64_t id = do_thread_current_id();
    size_t i = 0;

    do_mutex_lock(&pool.lock);
    while (pool.threads[i] != id)
        i++;
    pool.threads[i] = pool.threads[--pool.living];
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
}

static bool is_delivery_thread_locked(void)
{
    for (size_t i = 0; i < pool.living; i++)
    {
        if (pool.threads[i] == do_thread_current_id())
            return true;
    }
    return false;
}

/* Waits until *counter is min or more. False when time is up. */
static bool await_locked(const void *counter, size_t size, uint64_t min)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    uint64_t now_ms;
    uint64_t value;

    for (;;)
    {
        value = size == sizeof(uint32_t) ? *(const uint32_t *)counter : *(const uint64_t *)counter;
        if (value >= min || (now_ms = do_clock_ms()) >= end_ms)
            return value >= min;
        (void)do_cond_wait_ms(&pool.changed, &pool.lock, (uint32_t)(end_ms - now_ms));
    }
}

/* Waits for a field under pool.lock. */
#define AWAIT(field, min)                                                                          \
    do                                                                                             \
    {                                                                                              \
        bool came;                                                                                 \
        do_mutex_lock(&pool.lock);                                                                 \
        came = await_locked(&(field), sizeof(field), (min));                                       \
        do_mutex_unlock(&pool.lock);                                                               \
        assert_true(came);                                                                         \
    } while (0)

/* Reads a field under pool.lock. */
#define READ(field) read_locked(&(field), sizeof(field))

static uint64_t read_locked(const void *field, size_t size)
{
    uint64_t value;

    do_mutex_lock(&pool.lock);
    value = size == 1                  ? *(const bool *)field
            : size == sizeof(uint32_t) ? *(const uint32_t *)field
                                       : *(const uint64_t *)field;
    do_mutex_unlock(&pool.lock);
    return value;
}

static HRESULT deliver(struct do_listener *head, struct do_job *job, enum do_notice notice,
    struct do_job_file *file, const struct do_download_status *status)
{
    struct listener *listener = (struct listener *)(void *)head;
    HRESULT hr = S_OK;
    uint64_t end_ms;

    do_mutex_lock(&pool.lock);
    listener->wrong_thread |= !is_delivery_thread_locked();
    listener->wrong_moment |= listener->running || listener->destroyed;
    listener->running = true;
    if (listener->results)
    {
        size_t i =
            listener->count < listener->result_count ? listener->count : listener->result_count - 1;
        hr = listener->results[i];
    }
    if (listener->count < MAX_CALLS)
        listener->calls[listener->count++] = (struct call){notice, file ? file->index : UINT32_MAX,
            status ? status->state : UINT32_MAX, status ? status->bytes_transferred : 0,
            do_clock_ms()};
    listener->held++;
    do_cond_broadcast(&pool.changed);
    end_ms = do_clock_ms() + TEST_WAIT_MS;
    while (listener->holds && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&pool.changed, &pool.lock, 1000);
    listener->held--;
    do_mutex_unlock(&pool.lock);
    if (listener->inside)
        listener->inside(listener, job);
    do_mutex_lock(&pool.lock);
    listener->running = false;
    listener->ended = ++pool.clock;
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
    return hr;
}

static void destroy(struct do_listener *head)
{
    struct listener *listener = (struct listener *)(void *)head;

    do_mutex_lock(&pool.lock);
    listener->wrong_thread |= !is_delivery_thread_locked();
    listener->destroyed++;
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
}

static const struct do_listener_class listener_class = {deliver, destroy};

static void init_listener(struct listener *listener)
{
    memset(listener, 0, sizeof(*listener));
    do_listener_init(&listener->head, &listener_class);
}

static void hold(struct listener *listener, bool holds)
{
    do_mutex_lock(&pool.lock);
    listener->holds = holds;
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
}

/* Gives a job a new listener; the mailbox has the only reference in the end. */
static void set_listener(struct do_job *job, struct listener *listener, uint32_t flags)
{
    bool holds = READ(listener->holds);

    /* A call that comes at once must not lose the listener before this thread has let go of it. */
    hold(listener, true);
    assert_ok(do_job_set_notify_flags(job, flags));
    assert_ok(do_job_set_listener(job, &listener->head));
    assert_false(do_listener_drop(&listener->head));
    hold(listener, holds);
}

static struct do_notifier *notifier(void)
{
    return test_engine()->notifier;
}

static void post_status(struct do_job *job, uint32_t state, uint64_t bytes)
{
    const struct do_download_status status = {100, bytes, state, S_OK, S_OK};

    do_notify_post_status(notifier(), job, &status);
}

static size_t count_of(struct listener *listener, enum do_notice notice)
{
    size_t count = 0;

    do_mutex_lock(&pool.lock);
    for (size_t i = 0; i < listener->count; i++)
        count += listener->calls[i].notice == notice;
    do_mutex_unlock(&pool.lock);
    return count;
}

/* Ends the engine and checks that nobody was called on a wrong thread or at a wrong moment. */
static void stop_and_check(struct listener *listeners, size_t count)
{
    test_engine_stop();
    for (size_t i = 0; i < count; i++)
    {
        assert_int_equal(READ(listeners[i].destroyed), 1);
        assert_false(READ(listeners[i].wrong_thread));
        assert_false(READ(listeners[i].wrong_moment));
    }
    assert_int_equal(READ(pool.living), 0);
}

static int setup(void **state)
{
    memset(&pool, 0, sizeof(pool));
    do_mutex_init(&pool.lock);
    do_cond_init(&pool.changed);
    if (test_engine_setup(state))
        return -1;
    test_engine_stop();
    test_config()->delivery_begins = thread_begins;
    test_config()->delivery_ends = thread_ends;
    assert_ok(test_engine_start());
    return 0;
}

static int teardown(void **state)
{
    int result = test_engine_teardown(state);

    do_cond_finish(&pool.changed);
    do_mutex_finish(&pool.lock);
    return result;
}

#define NOTIFY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* A job with two files that is transferred. */
static struct do_job *transferred_job(void)
{
    struct test_file file;
    struct do_job *job = test_download(&file, "first", "size=10k");

    (void)test_add(job, "second", "size=10k");
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    return job;
}

static struct do_job *failed_job(const char *name)
{
    struct test_file file;
    struct do_job *job = test_download(&file, name, "status=404");

    test_wait_state(job, DO_JOB_ERROR);
    return job;
}

/* Broken: a client sees effects before causes, a file twice or never. */
static void test_notify_within_a_job_comes_in_order(void **state)
{
    static const struct call expected[] = {
        {DO_NOTICE_FILE_TRANSFERRED, 0, UINT32_MAX, 0, 0},
        {DO_NOTICE_FILE_TRANSFERRED, 1, UINT32_MAX, 0, 0},
        {DO_NOTICE_JOB_TRANSFERRED, UINT32_MAX, UINT32_MAX, 0, 0},
        {DO_NOTICE_STATUS, UINT32_MAX, 1, 6, 0},
        {DO_NOTICE_STATUS, UINT32_MAX, 5, 7, 0},
        {DO_NOTICE_STATUS, UINT32_MAX, 1, 8, 0},
    };
    static struct listener listener;
    struct do_job *job = test_job();
    size_t found = 0;

    (void)state;
    init_listener(&listener);
    hold(&listener, true);
    (void)test_add(job, "first", "size=10k");
    (void)test_add(job, "second", "size=10k");
    set_listener(job, &listener, EVERY);
    assert_ok(do_job_resume(job));
    AWAIT(listener.held, 1);
    assert_int_equal(count_of(&listener, DO_NOTICE_JOB_MODIFICATION), 1);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    /* The state is seen before its notice is posted; a call on the loop comes after both. */
    assert_int_equal(test_job_count(), 1);
    post_status(job, 1, 5);
    post_status(job, 1, 6);
    post_status(job, 5, 7);
    post_status(job, 1, 8);
    do_notify_post(notifier(), job, DO_NOTICE_JOB_MODIFICATION);
    hold(&listener, false);
    /* When the second modification is told depends on the time. */
    AWAIT(listener.count, 2 + sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < listener.count; i++)
    {
        struct call *call = &listener.calls[i];

        if (call->notice == DO_NOTICE_JOB_MODIFICATION)
            continue;
        assert_int_equal(call->notice, expected[found].notice);
        assert_int_equal(call->file, expected[found].file);
        assert_int_equal(call->state, expected[found].state);
        assert_int_equal(call->bytes, expected[found].bytes);
        found++;
    }
    assert_int_equal(found, sizeof(expected) / sizeof(expected[0]));
    stop_and_check(&listener, 1);
}

/* Broken: a client that listens late misses the end, or is told of files from before. */
static void test_notify_late_listener_is_told_the_end_only(void **state)
{
    static struct listener listener;
    struct do_job *job = transferred_job();

    (void)state;
    init_listener(&listener);
    set_listener(job, &listener, EVERY);
    do_notify_post(notifier(), job, DO_NOTICE_FILE_TRANSFERRED);
    post_status(job, 2, 0);
    AWAIT(listener.count, 2);
    AWAIT(listener.ended, 2);
    assert_int_equal(count_of(&listener, DO_NOTICE_JOB_TRANSFERRED), 1);
    assert_int_equal(count_of(&listener, DO_NOTICE_FILE_TRANSFERRED), 0);
    stop_and_check(&listener, 1);
}

/* Broken: progress piles up behind a slow client, or the newest state is lost. */
static void test_notify_statuses_beyond_the_ring_lose_the_oldest(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();

    (void)state;
    init_listener(&listener);
    hold(&listener, true);
    set_listener(job, &listener, DO_NOTICE_STATUS);
    post_status(job, 9, 0);
    AWAIT(listener.held, 1);
    for (uint32_t i = 0; i < DO_NOTICE_STATUS_RING + 2; i++)
        post_status(job, i, i);
    hold(&listener, false);
    AWAIT(listener.count, 1 + DO_NOTICE_STATUS_RING);
    for (uint32_t i = 0; i < DO_NOTICE_STATUS_RING; i++)
        assert_int_equal(listener.calls[1 + i].state, i + 2);
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1 + DO_NOTICE_STATUS_RING);
}

/* Broken: a fast download floods its client with modifications. */
static void test_notify_modifications_are_apart(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();
    uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    size_t posts = 0;

    (void)state;
    init_listener(&listener);
    set_listener(job, &listener, DO_NOTICE_JOB_MODIFICATION);
    while (READ(listener.count) < 4 && do_clock_ms() < end_ms)
    {
        do_notify_post(notifier(), job, DO_NOTICE_JOB_MODIFICATION);
        posts++;
        test_pause_ms(1);
    }
    assert_true(posts > 20);
    assert_true(READ(listener.count) >= 4);
    for (size_t i = 1; i < 4; i++)
        assert_true(
            listener.calls[i].time_ms - listener.calls[i - 1].time_ms >= DO_NOTICE_MODIFICATION_MS);
    stop_and_check(&listener, 1);
}

/* Broken: a client that could not take an error is never told again, or for ever. */
static void test_notify_refused_error_is_repeated_until_ok(void **state)
{
    static const HRESULT results[] = {E_FAIL, S_FALSE, S_OK};
    static struct listener listener;
    struct do_job *job = failed_job("file");
    uint64_t begin_ms;

    (void)state;
    init_listener(&listener);
    listener.results = results;
    listener.result_count = 3;
    set_listener(job, &listener, EVERY & ~(uint32_t)DO_NOTICE_JOB_MODIFICATION);
    AWAIT(listener.count, 3);
    assert_true(listener.calls[1].time_ms - listener.calls[0].time_ms >= 1000);
    assert_true(listener.calls[2].time_ms - listener.calls[1].time_ms >= 2000);
    AWAIT(listener.ended, 3);
    /* A fourth one would keep the engine for 4 s. */
    begin_ms = do_clock_ms();
    stop_and_check(&listener, 1);
    assert_true(do_clock_ms() - begin_ms < 3000);
    assert_int_equal(listener.count, 3);
}

/* Broken: a client is told that a job is transferred when it is not any more. */
static void test_notify_refused_end_stops_with_the_state(void **state)
{
    static const HRESULT results[] = {E_FAIL};
    static struct listener listener;
    struct do_job *job = transferred_job();

    (void)state;
    init_listener(&listener);
    listener.results = results;
    listener.result_count = 1;
    set_listener(job, &listener, DO_NOTICE_JOB_TRANSFERRED | DO_NOTICE_JOB_ERROR);
    AWAIT(listener.ended, 1);
    (void)test_add(job, "third", "size=10k");
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    /* The engine lives until the repetition was due and dropped. */
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1);
}

/* Broken: one client that blocks silences the others. */
static void test_notify_blocked_listener_delays_nobody(void **state)
{
    static struct listener listeners[MANY];
    struct do_job *jobs[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++)
    {
        init_listener(&listeners[i]);
        jobs[i] = test_job();
        set_listener(jobs[i], &listeners[i], DO_NOTICE_STATUS);
    }
    hold(&listeners[0], true);
    post_status(jobs[0], 1, 0);
    AWAIT(listeners[0].held, 1);
    for (size_t i = 0; i < MANY; i++)
        post_status(jobs[i], 2, 0);
    for (size_t i = 1; i < MANY; i++)
        AWAIT(listeners[i].count, 1);
    assert_int_equal(READ(listeners[0].count), 1);
    /* All at once, too: every one is inside while every other is. */
    for (size_t i = 1; i < MANY; i++)
        hold(&listeners[i], true);
    for (size_t i = 1; i < MANY; i++)
        post_status(jobs[i], 3, 0);
    for (size_t i = 0; i < MANY; i++)
        AWAIT(listeners[i].held, 1);
    for (size_t i = 0; i < MANY; i++)
        hold(&listeners[i], false);
    AWAIT(listeners[0].count, 2);
    stop_and_check(listeners, MANY);
}

/* Broken: an idle program keeps a crowd of threads for ever, or none comes back. */
static void test_notify_idle_threads_end(void **state)
{
    static struct listener listeners[MANY];
    struct do_job *jobs[MANY];
    uint64_t end_ms;

    (void)state;
    for (size_t i = 0; i < MANY; i++)
    {
        init_listener(&listeners[i]);
        hold(&listeners[i], true);
        jobs[i] = test_job();
        set_listener(jobs[i], &listeners[i], DO_NOTICE_STATUS);
        post_status(jobs[i], 1, 0);
    }
    for (size_t i = 0; i < MANY; i++)
        AWAIT(listeners[i].held, 1);
    assert_true(READ(pool.living) >= MANY);
    for (size_t i = 0; i < MANY; i++)
        hold(&listeners[i], false);
    end_ms = do_clock_ms() + DO_NOTICE_IDLE_MS + TEST_WAIT_MS;
    while (READ(pool.living) && do_clock_ms() < end_ms)
        test_pause_ms(10);
    assert_int_equal(READ(pool.living), 0);
    post_status(jobs[0], 2, 0);
    AWAIT(listeners[0].count, 2);
    stop_and_check(listeners, MANY);
}

/* Calls from inside a callback */

static void complete_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    (void)do_job_complete(job);
}

static void cancel_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    (void)do_job_cancel(job);
}

static void suspend_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    (void)do_job_suspend(job);
}

static void clear_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    (void)do_job_set_listener(job, NULL);
}

static void flush_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    do_notify_flush(job->engine->notifier, job);
}

static void flush_other_inside(struct listener *listener, struct do_job *job)
{
    do_notify_flush(job->engine->notifier, listener->other);
}

static void release_inside(struct listener *listener, struct do_job *job)
{
    (void)job;
    do_job_release(listener->other);
}

static void wait_for(struct do_job *job, enum do_job_state state)
{
    assert_int_equal(test_wait(job, TEST_STATE(state)), state);
}

/* Broken: what the documentation's samples do inside their callbacks deadlocks. */
static void test_notify_calls_from_inside_have_effect(void **state)
{
    static struct listener completes;
    static struct listener cancels;
    static struct listener suspends;
    struct do_job *transferred = transferred_job();
    struct do_job *failed = failed_job("failed");
    struct test_file file;
    struct do_job *running = test_download(&file, "running", "size=30m&rate=1m");

    (void)state;
    init_listener(&completes);
    init_listener(&cancels);
    init_listener(&suspends);
    completes.inside = complete_inside;
    cancels.inside = cancel_inside;
    suspends.inside = suspend_inside;
    set_listener(transferred, &completes, DO_NOTICE_JOB_TRANSFERRED);
    set_listener(failed, &cancels, DO_NOTICE_JOB_ERROR);
    set_listener(running, &suspends, DO_NOTICE_JOB_MODIFICATION);
    wait_for(transferred, DO_JOB_ACKNOWLEDGED);
    wait_for(failed, DO_JOB_CANCELLED);
    wait_for(running, DO_JOB_SUSPENDED);
    /* A job that has left the queue lets go of its listener. */
    AWAIT(completes.destroyed, 1);
    AWAIT(cancels.destroyed, 1);
    assert_ok(do_job_set_listener(running, NULL));
    AWAIT(suspends.destroyed, 1);
    stop_and_check(&completes, 1);
    assert_false(READ(cancels.wrong_thread) || READ(suspends.wrong_thread));
    assert_false(READ(cancels.wrong_moment) || READ(suspends.wrong_moment));
}

/* Broken: the engine waits for the delivery thread that ends it, or that ends it too early. */
static void test_notify_last_reference_goes_inside_ends_the_engine(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();

    (void)state;
    init_listener(&listener);
    listener.inside = release_inside;
    listener.other = do_job_acquire(job);
    hold(&listener, true);
    set_listener(job, &listener, DO_NOTICE_STATUS);
    post_status(job, 1, 0);
    AWAIT(listener.held, 1);
    test_engine_let_go();
    assert_true(do_engine_exists());
    hold(&listener, false);
    stop_and_check(&listener, 1);
}

/* Broken: a replaced listener is called after its client thinks it is gone, or leaks. */
static void test_notify_replaced_listener_gets_no_more_calls(void **state)
{
    static const HRESULT refuses[] = {E_FAIL};
    static struct listener listeners[2];
    struct do_job *job = failed_job("file");
    uint64_t begin_ms;

    (void)state;
    init_listener(&listeners[0]);
    init_listener(&listeners[1]);
    listeners[0].results = refuses;
    listeners[0].result_count = 1;
    hold(&listeners[0], true);
    set_listener(job, &listeners[0], DO_NOTICE_JOB_ERROR | DO_NOTICE_STATUS);
    AWAIT(listeners[0].held, 1);
    post_status(job, 1, 0);
    /* Not by do_job_set_listener, which would post the error anew. */
    do_notify_set_listener(notifier(), job, &listeners[1].head);
    (void)do_listener_drop(&listeners[1].head);
    hold(&listeners[0], false);
    AWAIT(listeners[0].destroyed, 1);
    AWAIT(listeners[1].ended, 1);
    assert_int_equal(listeners[0].count, 1);
    /* What waited was the new one's; what the old one refused is nobody's. */
    begin_ms = do_clock_ms();
    stop_and_check(listeners, 2);
    assert_true(do_clock_ms() - begin_ms < 900);
    assert_int_equal(listeners[1].count, 1);
    assert_int_equal(listeners[1].calls[0].notice, DO_NOTICE_STATUS);
}

/* Broken: a listener that is replaced inside its own call is destroyed under it. */
static void test_notify_listener_cleared_inside_lives_until_it_returns(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();

    (void)state;
    init_listener(&listener);
    listener.inside = clear_inside;
    set_listener(job, &listener, DO_NOTICE_STATUS);
    post_status(job, 1, 0);
    post_status(job, 2, 0);
    AWAIT(listener.destroyed, 1);
    assert_null(do_job_get_listener(job));
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1);
}

/* Broken: a client's pointer is released on a thread without COM, twice, or never. */
static void test_notify_dropped_listeners_are_destroyed_on_delivery_threads(void **state)
{
    static struct listener listeners[3];
    struct do_job *jobs[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
    {
        init_listener(&listeners[i]);
        jobs[i] = test_job();
        set_listener(jobs[i], &listeners[i], DO_NOTICE_STATUS);
    }
    /* One is cleared by the client, one goes with its job, one with the engine. */
    do_notify_set_listener(notifier(), jobs[0], NULL);
    AWAIT(listeners[0].destroyed, 1);
    assert_ok(do_job_cancel(jobs[1]));
    AWAIT(listeners[1].destroyed, 1);
    assert_int_equal(READ(listeners[2].destroyed), 0);
    stop_and_check(listeners, 3);
}

/* Broken: a client that has died is called for ever. */
static void test_notify_disconnected_listener_is_dropped(void **state)
{
    static const HRESULT results[] = {DO_HR_CANCELLED};
    static struct listener listener;
    struct do_job *job = failed_job("file");

    (void)state;
    init_listener(&listener);
    listener.results = results;
    listener.result_count = 1;
    set_listener(job, &listener, EVERY);
    AWAIT(listener.destroyed, 1);
    assert_null(do_job_get_listener(job));
    assert_false(do_notify_wants(notifier(), job, DO_NOTICE_JOB_ERROR));
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1);
}

/* Broken: BG_NOTIFY_DISABLE does not silence, or silences for ever. */
static void test_notify_disable_suppresses(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();

    (void)state;
    init_listener(&listener);
    set_listener(job, &listener, DO_NOTICE_STATUS | DO_NOTICE_DISABLE);
    assert_false(do_notify_wants(notifier(), job, DO_NOTICE_STATUS));
    post_status(job, 1, 0);
    do_notify_set_flags(notifier(), job, DO_NOTICE_STATUS);
    post_status(job, 2, 0);
    AWAIT(listener.count, 1);
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1);
    assert_int_equal(listener.calls[0].state, 2);
}

/* Flushing */

struct flusher
{
    struct do_job *job;
    uint64_t begun; /* by pool.clock; under pool.lock */
    uint64_t ended;
};

static void flusher_main(void *ctx)
{
    struct flusher *flusher = ctx;

    do_mutex_lock(&pool.lock);
    flusher->begun = ++pool.clock;
    do_cond_broadcast(&pool.changed);
    do_mutex_unlock(&pool.lock);
    do_notify_flush(flusher->job->engine->notifier, flusher->job);
    do_mutex_lock(&pool.lock);
    flusher->ended = ++pool.clock;
    do_mutex_unlock(&pool.lock);
}

/* Broken: after a Start a client is told of what was before it. */
static void test_notify_flush_forgets_and_waits(void **state)
{
    static const HRESULT refuses[] = {E_FAIL};
    static struct listener listener;
    struct do_job *job = failed_job("file");
    struct flusher flusher = {job, 0, 0};
    struct do_thread *thread;
    uint64_t begin_ms;

    (void)state;
    init_listener(&listener);
    listener.results = refuses;
    listener.result_count = 1;
    hold(&listener, true);
    set_listener(job, &listener, DO_NOTICE_JOB_ERROR | DO_NOTICE_STATUS);
    AWAIT(listener.held, 1);
    post_status(job, 1, 0);
    assert_ok(do_thread_start("test", flusher_main, &flusher, &thread));
    AWAIT(flusher.begun, 1);
    /* Time for a flush that does not wait to be seen. */
    test_pause_ms(50);
    hold(&listener, false);
    do_thread_join(thread);
    assert_true(flusher.ended > READ(listener.ended) && READ(listener.ended));
    /* Neither the status nor a repetition, which would keep the engine for a second, comes. */
    begin_ms = do_clock_ms();
    stop_and_check(&listener, 1);
    assert_true(do_clock_ms() - begin_ms < 900);
    assert_int_equal(listener.count, 1);
}

/* Broken: a callback that flushes its own job hangs, or is repeated. */
static void test_notify_flush_inside_returns(void **state)
{
    static const HRESULT refuses[] = {E_FAIL};
    static struct listener listener;
    struct do_job *job = failed_job("file");

    (void)state;
    init_listener(&listener);
    listener.results = refuses;
    listener.result_count = 1;
    listener.inside = flush_inside;
    set_listener(job, &listener, DO_NOTICE_JOB_ERROR | DO_NOTICE_STATUS);
    AWAIT(listener.ended, 1);
    stop_and_check(&listener, 1);
    assert_int_equal(listener.count, 1);
}

/* Broken: callbacks of two jobs that flush each other's hang. */
static void test_notify_flushes_across_end(void **state)
{
    static struct listener listeners[3];
    struct do_job *jobs[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
    {
        init_listener(&listeners[i]);
        hold(&listeners[i], true);
        listeners[i].inside = flush_other_inside;
        jobs[i] = test_job();
    }
    for (size_t i = 0; i < 3; i++)
    {
        listeners[i].other = jobs[(i + 1) % 3];
        set_listener(jobs[i], &listeners[i], DO_NOTICE_STATUS);
        post_status(jobs[i], 1, 0);
    }
    for (size_t i = 0; i < 3; i++)
        AWAIT(listeners[i].held, 1);
    for (size_t i = 0; i < 3; i++)
        hold(&listeners[i], false);
    for (size_t i = 0; i < 3; i++)
        AWAIT(listeners[i].ended, 1);
    stop_and_check(listeners, 3);
}

/* Without memory */

static atomic_uint errors_logged;

static void count_errors(enum do_log_level level, enum do_log_area area, const char *line)
{
    (void)area;
    if (level == DO_LOG_ERROR && strstr(line, "delivery thread"))
        (void)atomic_fetch_add(&errors_logged, 1);
}

/* Broken: a notice is lost when its thread cannot be started. */
static void test_notify_without_a_thread_waits_for_the_next_post(void **state)
{
    static struct listener listener;
    struct do_job *job = test_job();

    (void)state;
    init_listener(&listener);
    set_listener(job, &listener, DO_NOTICE_STATUS);
    atomic_store(&errors_logged, 0);
    do_log_set(count_errors, DO_LOG_ERROR);
    do_alloc_fail_nth(1);
    post_status(job, 1, 0);
    do_alloc_fail_nth(0);
    do_log_set(NULL, DO_LOG_ERROR);
    assert_int_equal(atomic_load(&errors_logged), 1);
    assert_int_equal(READ(pool.begun), 0);
    post_status(job, 2, 0);
    AWAIT(listener.count, 2);
    assert_int_equal(listener.calls[0].state, 1);
    assert_int_equal(listener.calls[1].state, 2);
    stop_and_check(&listener, 1);
}

/* Everything at once */

#define STRESS_THREADS 4U
#define STRESS_JOBS 3U
#define STRESS_LISTENERS 256U
#define STRESS_MS 1500U

static struct
{
    struct do_job *jobs[STRESS_JOBS];
    struct listener listeners[STRESS_LISTENERS];
    atomic_uint next_listener;
    atomic_bool stop;
} stress;

/* Posts everything from inside, too. */
static void post_inside(struct listener *listener, struct do_job *job)
{
    (void)listener;
    if (listener->ended % 8 == 0)
        do_notify_post(job->engine->notifier, job, DO_NOTICE_JOB_ERROR);
    else if (listener->ended % 8 == 1)
        do_notify_flush(job->engine->notifier, stress.jobs[0]);
}

static void replace_listener(struct do_job *job)
{
    static const HRESULT results[] = {E_FAIL, S_OK, S_OK, DO_HR_CANCELLED};
    unsigned int number = atomic_fetch_add(&stress.next_listener, 1);
    struct listener *listener;

    if (number >= STRESS_LISTENERS)
        return;
    listener = &stress.listeners[number];
    init_listener(listener);
    listener->results = results;
    listener->result_count = 4;
    listener->inside = post_inside;
    do_notify_set_listener(job->engine->notifier, job, &listener->head);
    if (do_listener_drop(&listener->head))
        listener_class.destroy(&listener->head); /* on a wrong thread: the test fails */
}

static void stress_main(void *ctx)
{
    unsigned int seed = *(unsigned int *)ctx;

    while (!atomic_load(&stress.stop))
    {
        struct do_job *job = stress.jobs[(seed >> 12) % STRESS_JOBS];
        struct do_notifier *there = job->engine->notifier;

        seed = seed * 1664525U + 1013904223U;
        switch ((seed >> 16) % 64)
        {
        case 0:
            replace_listener(job);
            break;
        case 1:
            do_notify_set_flags(there, job, seed & 0x1000 ? EVERY : EVERY | DO_NOTICE_DISABLE);
            break;
        case 2:
            do_notify_flush(there, job);
            break;
        case 3:
            test_pause_ms(1);
            break;
        case 4:
        case 5:
        case 6:
            post_status(job, seed >> 24 & 3, 0);
            break;
        case 7:
            do_listener_release(do_notify_get_listener(there, job));
            break;
        default:
            do_notify_post(
                there, job, seed & 0x2000 ? DO_NOTICE_JOB_ERROR : DO_NOTICE_JOB_MODIFICATION);
            break;
        }
    }
}

/* Broken: calls from several threads race, deadlock, or call a listener after its end. */
static void test_notify_many_threads_keep_the_rules(void **state)
{
    struct do_thread *threads[STRESS_THREADS];
    unsigned int seeds[STRESS_THREADS];
    unsigned int used;

    (void)state;
    atomic_store(&stress.stop, false);
    atomic_store(&stress.next_listener, 0);
    for (unsigned int i = 0; i < STRESS_JOBS; i++)
    {
        char name[16];

        (void)snprintf(name, sizeof(name), "file%u", i);
        stress.jobs[i] = failed_job(name);
        do_notify_set_flags(notifier(), stress.jobs[i], EVERY);
    }
    for (unsigned int i = 0; i < STRESS_THREADS; i++)
    {
        seeds[i] = i * 977 + 1;
        assert_ok(do_thread_start("test", stress_main, &seeds[i], &threads[i]));
    }
    test_pause_ms(STRESS_MS);
    atomic_store(&stress.stop, true);
    for (unsigned int i = 0; i < STRESS_THREADS; i++)
        do_thread_join(threads[i]);
    for (unsigned int i = 0; i < STRESS_JOBS; i++)
        do_notify_set_listener(notifier(), stress.jobs[i], NULL);
    test_engine_stop();
    used = atomic_load(&stress.next_listener);
    used = used < STRESS_LISTENERS ? used : STRESS_LISTENERS;
    assert_true(used > 4);
    for (unsigned int i = 0; i < used; i++)
    {
        assert_int_equal(stress.listeners[i].destroyed, 1);
        assert_false(stress.listeners[i].wrong_moment);
    }
}

int main(void)
{
    static const struct CMUnitTest notify[] = {
        NOTIFY_TEST(test_notify_within_a_job_comes_in_order),
        NOTIFY_TEST(test_notify_late_listener_is_told_the_end_only),
        NOTIFY_TEST(test_notify_statuses_beyond_the_ring_lose_the_oldest),
        NOTIFY_TEST(test_notify_modifications_are_apart),
        NOTIFY_TEST(test_notify_refused_error_is_repeated_until_ok),
        NOTIFY_TEST(test_notify_refused_end_stops_with_the_state),
        NOTIFY_TEST(test_notify_blocked_listener_delays_nobody),
        NOTIFY_TEST(test_notify_idle_threads_end),
        NOTIFY_TEST(test_notify_calls_from_inside_have_effect),
        NOTIFY_TEST(test_notify_last_reference_goes_inside_ends_the_engine),
        NOTIFY_TEST(test_notify_replaced_listener_gets_no_more_calls),
        NOTIFY_TEST(test_notify_listener_cleared_inside_lives_until_it_returns),
        NOTIFY_TEST(test_notify_dropped_listeners_are_destroyed_on_delivery_threads),
        NOTIFY_TEST(test_notify_disconnected_listener_is_dropped),
        NOTIFY_TEST(test_notify_disable_suppresses),
        NOTIFY_TEST(test_notify_flush_forgets_and_waits),
        NOTIFY_TEST(test_notify_flush_inside_returns),
        NOTIFY_TEST(test_notify_flushes_across_end),
        NOTIFY_TEST(test_notify_without_a_thread_waits_for_the_next_post),
        NOTIFY_TEST(test_notify_many_threads_keep_the_rules),
    };

    return ENGINE_TEST_RUN(notify);
}
