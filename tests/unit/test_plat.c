/* SPDX-License-Identifier: MIT */
/*
 * Threads, locks, clocks, randomness and processes. Threads record; the test asserts after they are
 * joined.
 */
#include <string.h>

#include "base/alloc.h"
#include "plat/plat.h"
#include "support/test.h"

#define THREADS 4
#define ROUNDS 10000

/* 2020-01-01 and 2100-01-01 as FILETIMEs. */
#define FILETIME_2020 132223104000000000U
#define FILETIME_2100 157469184000000000U

struct shared
{
    struct do_mutex lock;
    struct do_cond changed;
    uint64_t counter;
    uint64_t thread_id;
    int waiting;
    bool go;
};

static void shared_init(struct shared *shared)
{
    memset(shared, 0, sizeof(*shared));
    do_mutex_init(&shared->lock);
    do_cond_init(&shared->changed);
}

static void shared_finish(struct shared *shared)
{
    do_cond_finish(&shared->changed);
    do_mutex_finish(&shared->lock);
}

static void count_up(void *ctx)
{
    struct shared *shared = ctx;

    for (int i = 0; i < ROUNDS; i++)
    {
        do_mutex_lock(&shared->lock);
        shared->counter++;
        do_mutex_unlock(&shared->lock);
    }
}

/* Broken: a lock does not lock. */
static void test_plat_mutex_excludes(void **state)
{
    struct do_thread *threads[THREADS];
    struct shared shared;

    (void)state;
    shared_init(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_ok(do_thread_start("test", count_up, &shared, &threads[i]));
    for (int i = 0; i < THREADS; i++)
        do_thread_join(threads[i]);
    assert_int_equal(shared.counter, THREADS * ROUNDS);
    shared_finish(&shared);
    assert_int_equal(do_alloc_outstanding(), 0);
}

static void wait_for_go(void *ctx)
{
    struct shared *shared = ctx;

    do_mutex_lock(&shared->lock);
    shared->waiting++;
    do_cond_broadcast(&shared->changed);
    while (!shared->go)
        do_cond_wait(&shared->changed, &shared->lock);
    shared->counter++;
    do_cond_signal(&shared->changed);
    do_mutex_unlock(&shared->lock);
}

/* Broken: a waiting thread is never woken. */
static void test_plat_cond_broadcast_wakes_all(void **state)
{
    struct do_thread *threads[THREADS];
    struct shared shared;

    (void)state;
    shared_init(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_ok(do_thread_start("test", wait_for_go, &shared, &threads[i]));
    do_mutex_lock(&shared.lock);
    while (shared.waiting < THREADS)
        do_cond_wait(&shared.changed, &shared.lock);
    assert_int_equal(shared.counter, 0);
    shared.go = true;
    do_cond_broadcast(&shared.changed);
    do_mutex_unlock(&shared.lock);
    for (int i = 0; i < THREADS; i++)
        do_thread_join(threads[i]);
    assert_int_equal(shared.counter, THREADS);
    shared_finish(&shared);
}

/* Broken: a signal is lost although the waiter holds the lock as it should. */
static void test_plat_cond_signal_ends_timed_wait(void **state)
{
    struct do_thread *thread = NULL;
    struct shared shared;
    bool woken = true;

    (void)state;
    shared_init(&shared);
    shared.go = true;
    do_mutex_lock(&shared.lock);
    assert_ok(do_thread_start("test", wait_for_go, &shared, &thread));
    while (!shared.counter && woken)
        woken = do_cond_wait_ms(&shared.changed, &shared.lock, 30000);
    do_mutex_unlock(&shared.lock);
    do_thread_join(thread);
    assert_true(woken);
    shared_finish(&shared);
}

/* Broken: a timed wait comes back at once, or never. */
static void test_plat_cond_wait_ms_times_out(void **state)
{
    uint64_t begin_ms = do_clock_ms();
    struct shared shared;
    uint64_t passed_ms;
    bool woken = true;

    (void)state;
    shared_init(&shared);
    do_mutex_lock(&shared.lock);
    assert_false(do_cond_wait_ms(&shared.changed, &shared.lock, 0));
    /* A spurious wake-up is allowed, eternal ones are not. */
    for (int i = 0; i < 100 && woken; i++)
        woken = do_cond_wait_ms(&shared.changed, &shared.lock, 50);
    do_mutex_unlock(&shared.lock);
    passed_ms = do_clock_ms() - begin_ms;
    assert_false(woken);
    /* The clock of Windows ticks every 16 ms. */
    assert_in_range(passed_ms, 30, 20000);
    shared_finish(&shared);
}

static void wait_for_go_in_module(void *ctx)
{
    struct shared *shared = ctx;

    do_mutex_lock(do_mutex_module());
    while (!shared->go)
        do_cond_wait(do_cond_module(), do_mutex_module());
    shared->thread_id = do_thread_current_id();
    do_mutex_unlock(do_mutex_module());
}

/* Broken: the lock of the engine slot needs an init that nobody makes. */
static void test_plat_module_mutex_needs_no_init(void **state)
{
    struct do_thread *thread = NULL;
    struct shared shared;

    (void)state;
    shared_init(&shared);
    assert_ok(do_thread_start("test", wait_for_go_in_module, &shared, &thread));
    do_mutex_lock(do_mutex_module());
    shared.go = true;
    do_cond_signal(do_cond_module());
    do_mutex_unlock(do_mutex_module());
    do_thread_join(thread);
    assert_true(shared.thread_id != 0);
    assert_true(shared.thread_id != do_thread_current_id());
    assert_true(do_thread_current_id() == do_thread_current_id());
    shared_finish(&shared);
}

/* Broken: detaching ends the thread, or leaks its handle. */
static void test_plat_detached_thread_runs_on(void **state)
{
    /* Static, and never finished: at the end the thread may still be leaving the lock. */
    static struct shared shared;
    struct do_thread *thread = NULL;

    (void)state;
    shared_init(&shared);
    shared.go = true;
    assert_ok(do_thread_start("test", wait_for_go, &shared, &thread));
    do_thread_detach(thread);
    do_mutex_lock(&shared.lock);
    while (!shared.counter)
        do_cond_wait(&shared.changed, &shared.lock);
    do_mutex_unlock(&shared.lock);
    do_thread_detach(NULL);
    do_thread_join(NULL);
}

/* Broken: a thread that cannot be started leaks, or says that it runs. */
static void test_plat_thread_out_of_memory_fails(void **state)
{
    struct do_thread *thread = NULL;
    int64_t before = do_alloc_outstanding();
    struct shared shared;

    (void)state;
    shared_init(&shared);
    for (uint64_t n = 1; n <= 2; n++)
    {
        do_alloc_fail_nth(n);
        assert_hr(E_OUTOFMEMORY, do_thread_start("test", count_up, &shared, &thread));
        assert_null(thread);
    }
    do_alloc_fail_nth(0);
    assert_int_equal(shared.counter, 0);
    assert_int_equal(do_alloc_outstanding(), before);
    shared_finish(&shared);
}

/* Broken: times go backwards, or dates that clients see are of another epoch. */
static void test_plat_clocks_are_plausible(void **state)
{
    uint64_t last_ms = do_clock_ms();

    (void)state;
    for (int i = 0; i < 1000; i++)
    {
        uint64_t now_ms = do_clock_ms();

        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
    assert_true(do_clock_filetime() > FILETIME_2020);
    assert_true(do_clock_filetime() < FILETIME_2100);
    assert_in_range(do_clock_local_hour(), 0, 23);
}

/* Broken: ids of jobs and names of temporary files repeat. */
static void test_plat_random_bytes_differ(void **state)
{
    static unsigned char zeros[1024];
    unsigned char first[1024] = {0};
    unsigned char second[1024] = {0};

    (void)state;
    assert_ok(do_random_bytes(first, sizeof(first)));
    assert_ok(do_random_bytes(second, sizeof(second)));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_not_equal(first + 1000, zeros, 24);
    assert_ok(do_random_bytes(first, 0));
}

/* Broken: jobs of living processes are stolen, or those of dead ones are orphans for ever. */
static void test_plat_process_alive_tells_processes_apart(void **state)
{
    struct do_process self = do_process_self();
    struct do_process other = self;

    (void)state;
    assert_true(self.id != 0);
    assert_true(self.start != 0);
    assert_true(do_process_is_alive(self));
    other.start++;
    assert_false(do_process_is_alive(other));
    other.start = 0;
    assert_false(do_process_is_alive(other));
    other.id = 0x7FFFFFF0;
    assert_false(do_process_is_alive(other));
    other.start = self.start;
    assert_false(do_process_is_alive(other));
    other.id = 0;
    assert_false(do_process_is_alive(other));
}

int main(void)
{
    static const struct CMUnitTest plat[] = {
        cmocka_unit_test(test_plat_mutex_excludes),
        cmocka_unit_test(test_plat_cond_broadcast_wakes_all),
        cmocka_unit_test(test_plat_cond_signal_ends_timed_wait),
        cmocka_unit_test(test_plat_cond_wait_ms_times_out),
        cmocka_unit_test(test_plat_module_mutex_needs_no_init),
        cmocka_unit_test(test_plat_thread_out_of_memory_fails),
        cmocka_unit_test(test_plat_detached_thread_runs_on),
        cmocka_unit_test(test_plat_clocks_are_plausible),
        cmocka_unit_test(test_plat_random_bytes_differ),
        cmocka_unit_test(test_plat_process_alive_tells_processes_apart),
    };

    return TEST_RUN(plat);
}
