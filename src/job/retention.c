/* SPDX-License-Identifier: MIT */
/*
 * Age: jobs that nobody ended for too long are cancelled, on a thread of their own. One that is in
 * a call, perhaps in that of an earlier such thread which waits for the client's stream, is looked
 * at again later. The loop thread finds them; the other one owns their list, with an outer
 * reference on each job.
 */
#include "job/job_internal.h"

#include "base/alloc.h"

/* How often the engine looks for jobs that are too old. */
#define AGE_LOOK_MS 3600000U

struct old_jobs
{
    size_t count;
    void (*begins)(void);
    void (*ends)(void);
    struct do_job *jobs[]; /* outer references */
};

static void cancel_old_jobs_main(void *ctx)
{
    struct old_jobs *old = ctx;

    if (old->begins)
        old->begins();
    for (size_t i = 0; i < old->count; i++)
    {
        (void)do_job_cancel_old(old->jobs[i]);
        do_job_release(old->jobs[i]);
    }
    if (old->ends)
        old->ends();
    do_free(old);
}

static bool is_old(const struct do_engine *engine, struct do_job *job)
{
    uint64_t now = engine->config.filetime();

    return now > job->record.creation_time &&
           (now - job->record.creation_time) / 10000000U >= engine->config.max_age_s &&
           !do_job_is_in_call(job);
}

static void cancel_old_jobs(struct do_engine *engine)
{
    struct do_thread *thread;
    struct old_jobs *old;
    size_t count = 0;

    DO_LIST_FOR_EACH (link, &engine->jobs)
        count += is_old(engine, DO_LIST_ENTRY(link, struct do_job, link)) ? 1U : 0U;
    if (!count || !(old = do_alloc(sizeof(*old) + count * sizeof(struct do_job *))))
        return;
    old->begins = engine->config.delivery_begins;
    old->ends = engine->config.delivery_ends;
    DO_LIST_FOR_EACH (link, &engine->jobs)
    {
        struct do_job *job = DO_LIST_ENTRY(link, struct do_job, link);

        /* A call may have ended since. */
        if (old->count < count && is_old(engine, job))
            old->jobs[old->count++] = do_job_acquire(job);
    }
    if (SUCCEEDED(do_thread_start("do-age", cancel_old_jobs_main, old, &thread)))
    {
        do_thread_detach(thread);
        return;
    }
    for (size_t i = 0; i < old->count; i++)
        do_job_release(old->jobs[i]);
    do_free(old);
}

void do_engine_cancel_old_jobs_on_loop(void *ctx)
{
    struct do_engine *engine = ctx;

    if (!do_engine_retain_if_alive(engine))
        return;
    cancel_old_jobs(engine);
    do_engine_empty_trash_later(engine);
    do_engine_release(engine);
    do_timer_set_on_loop(
        engine->env.loop, &engine->age_timer, do_loop_now_on_loop(engine->env.loop) + AGE_LOOK_MS);
}
