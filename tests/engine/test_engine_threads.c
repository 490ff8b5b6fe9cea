/* SPDX-License-Identifier: MIT */
/*
 * Many threads, few jobs, any method at any moment: for TSan, and against wedging. The threads
 * record; the test asserts when they are joined.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "plat/plat.h"

#define THREADS 8
#define JOBS 4
#define RUN_MS 3000U

struct shared
{
    struct do_job *jobs[JOBS];
    struct test_file extra[THREADS];
    atomic_bool ending; /* from now on jobs may be completed and cancelled */
    atomic_bool stop;
    atomic_uint calls;
    atomic_uint unexpected; /* results that no call may have */
    atomic_int worst;       /* one of them */
};

struct worker
{
    struct shared *shared;
    unsigned int number;
};

static unsigned int next_random(unsigned int *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void read_everything(struct do_job *job)
{
    struct do_job_progress progress;
    struct do_job_times times;
    struct do_job_error error;
    size_t count = do_job_get_file_count(job);
    char *text = NULL;
    char *url;

    do_job_get_progress(job, &progress);
    do_job_get_times(job, &times);
    (void)do_job_get_error(job, &error);
    (void)do_job_get_priority(job);
    (void)do_job_get_no_progress_timeout_s(job);
    (void)do_job_get_error_count(job);
    if (SUCCEEDED(do_job_get_display_name(job, &text)))
        do_free(text);
    for (size_t i = 0; i < count; i++)
    {
        struct do_job_file *file = do_job_get_file(job, i);

        (void)do_job_file_get_progress(file);
        if (SUCCEEDED(do_job_file_get_url(file, &url)))
            do_free(url);
    }
}

static HRESULT list_jobs(struct do_job *job)
{
    const struct do_guid id = do_job_get_id(job);
    struct do_job **jobs = NULL;
    struct do_job *found = NULL;
    size_t count = 0;
    HRESULT hr;

    if (FAILED(hr = do_engine_list_jobs(test_engine(), DO_JOB_KIND_LEGACY, &jobs, &count)))
        return hr;
    for (size_t i = 0; i < count; i++)
        do_job_release(jobs[i]);
    do_free(jobs);
    if (SUCCEEDED(do_engine_get_job(test_engine(), &id, &found)))
        do_job_release(found);
    return S_OK;
}

static HRESULT call_something(struct worker *worker, struct do_job *job, unsigned int choice)
{
    switch (choice % 16)
    {
    case 0:
    case 1:
    case 2:
        return do_job_resume(job);
    case 3:
    case 4:
        return do_job_suspend(job);
    case 5:
        return do_job_set_priority(job, choice / 16 % DO_PRIORITY_COUNT);
    case 6:
        return do_job_set_display_name(job, choice & 16 ? "a name" : "another");
    case 7:
        return do_job_set_no_progress_timeout_s(job, 60);
    case 8:
        return choice / 16 % 256 ? S_OK
                                 : test_add_ranges(job, &worker->shared->extra[worker->number],
                                       NULL, 0, DO_SIZE_UNKNOWN);
    case 9:
        return list_jobs(job);
    case 10:
        return atomic_load(&worker->shared->ending) ? do_job_cancel(job) : S_OK;
    case 11:
        return atomic_load(&worker->shared->ending) ? do_job_complete(job) : S_OK;
    default:
        read_everything(job);
        return S_OK;
    }
}

static void worker_main(void *ctx)
{
    struct worker *worker = ctx;
    struct shared *shared = worker->shared;
    unsigned int seed = worker->number + 1;

    while (!atomic_load(&shared->stop))
    {
        struct do_job *job = shared->jobs[next_random(&seed) % JOBS];
        HRESULT hr = call_something(worker, job, next_random(&seed));

        (void)atomic_fetch_add(&shared->calls, 1);
        if (FAILED(hr) && hr != DO_E_INVALID_STATE)
        {
            atomic_store(&shared->worst, hr);
            (void)atomic_fetch_add(&shared->unexpected, 1);
        }
    }
}

/* Broken: calls from several threads race, deadlock, or corrupt a job. */
static void test_threads_call_everything_at_once(void **state)
{
    static struct shared shared;
    struct do_thread *threads[THREADS];
    struct worker workers[THREADS];
    struct test_file file;

    (void)state;
    for (unsigned int i = 0; i < JOBS; i++)
    {
        char name[16];

        (void)snprintf(name, sizeof(name), "job%u", i);
        shared.jobs[i] = test_download(&file, name, i % 2 ? "size=3m&rate=2m" : "size=30m&rate=9m");
        (void)test_add(shared.jobs[i], "second", "size=100k");
    }
    for (unsigned int i = 0; i < THREADS; i++)
    {
        char name[16];

        (void)snprintf(name, sizeof(name), "extra%u", i);
        shared.extra[i] = test_file(name, "size=50k&fail_first=2");
        workers[i] = (struct worker){&shared, i};
        assert_ok(do_thread_start("test", worker_main, &workers[i], &threads[i]));
    }
    test_pause_ms(RUN_MS);
    atomic_store(&shared.ending, true);
    test_pause_ms(100);
    atomic_store(&shared.stop, true);
    for (unsigned int i = 0; i < THREADS; i++)
        do_thread_join(threads[i]);
    assert_hr(S_OK, (HRESULT)atomic_load(&shared.worst));
    assert_int_equal(atomic_load(&shared.unexpected), 0);
    print_message("%u calls\n", atomic_load(&shared.calls));
    assert_true(atomic_load(&shared.calls) > 100);
    for (unsigned int i = 0; i < JOBS; i++)
    {
        if (!do_job_state_is_final(do_job_get_state(shared.jobs[i])))
            assert_ok(do_job_cancel(shared.jobs[i]));
    }
    assert_int_equal(test_temp_files(), 0);
}

int main(void)
{
    static const struct CMUnitTest threads[] = {
        ENGINE_TEST(test_threads_call_everything_at_once),
    };

    return ENGINE_TEST_RUN(threads);
}
