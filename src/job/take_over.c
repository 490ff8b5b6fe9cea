/* SPDX-License-Identifier: MIT */
/*
 * How jobs change hands between processes. A call that changes a mirror (foreign.c) takes the job
 * over first: it writes its wish into the row, the owner stops the job, gives the row away in one
 * statement and keeps a mirror in turn, and the mirror here becomes the job, which goes on from the
 * state that it had. So each call works from everywhere by one way, and no job has two owners. What
 * cannot leave its process (a client's stream) is refused.
 *
 * On the loop, but for calls that wait for a job (do_job_take_over) and the thread that stops jobs
 * which are handed over.
 */
#include "job/job_internal.h"

#include "base/alloc.h"
#include "base/log.h"

/* How often a row is looked at that a call waits for. */
#define TAKE_OVER_LOOK_MS 20U

static bool is_same(struct do_process a, struct do_process b)
{
    return a.id == b.id && a.start == b.start;
}

static bool is_nobody(struct do_process process)
{
    return !process.id && !process.start;
}

/* Handing over */

struct gift
{
    struct do_list link;
    struct do_job *job; /* an outer reference; the turn is ours */
    struct do_process to;
};

static void stop_on_loop(void *ctx)
{
    struct gift *gift = ctx;

    do_job_halt_on_loop(gift->job);
    gift->job->halted = true;
}

static void close_on_loop(void *ctx)
{
    struct gift *gift = ctx;

    do_job_drop_transfer_on_loop(gift->job, true);
}

/* The job runs elsewhere from now on; the object shows it. */
static void become_mirror(struct do_job *job)
{
    struct do_engine *engine = job->engine;

    do_mutex_lock(&job->lock);
    job->is_foreign = true;
    do_mutex_unlock(&job->lock);
    for (size_t i = 0; i < job->file_count; i++)
    {
        do_part_file_release(job->files[i]->part);
        job->files[i]->part = NULL;
    }
    do_notify_forget_stored_listener(engine->notifier, job);
    do_list_remove(&job->link);
    do_list_add_tail(&engine->mirrors, &job->link);
    do_job_hold_mirror_on_loop(job);
    do_job_count_on_loop(job);
    do_engine_watch_others_on_loop(engine);
}

static void give_on_loop(void *ctx)
{
    struct gift *gift = ctx;
    struct do_job *job = gift->job;
    struct do_engine *engine = job->engine;
    HRESULT hr = do_queue_db_hand_over(engine->env.db, &job->record.id, engine->process, gift->to);

    job->halted = false;
    if (SUCCEEDED(hr))
        become_mirror(job);
    else if (do_job_state_is_active(job->state))
        do_job_set_state_on_loop(job, DO_JOB_QUEUED);
    do_engine_schedule_on_loop(engine);
}

static void give_main(void *ctx)
{
    struct do_list *gifts = ctx;
    struct do_list *link;

    while ((link = do_list_pop(gifts)))
    {
        struct gift *gift = DO_LIST_ENTRY(link, struct gift, link);
        struct do_job *job = gift->job;
        struct do_loop *loop = job->engine->env.loop;

        do_loop_call(loop, stop_on_loop, gift);
        /* The transfer object changes only with calls on this job, of which this is the one. */
        if (job->transfer)
            do_transfer_drain(job->transfer);
        do_loop_call(loop, close_on_loop, gift);
        do_job_drain_recorder(job);
        do_loop_call(loop, give_on_loop, gift);
        do_job_end_call(job);
        do_job_release(job);
        do_free(gift);
    }
    do_free(gifts);
}

/* Nobody else can write into a client's stream. */
static bool has_stream(struct do_job *job)
{
    bool has;

    do_mutex_lock(&job->lock);
    has = job->stream != NULL;
    for (size_t i = 0; i < job->file_count && !has; i++)
        has = job->files[i]->stream != NULL;
    do_mutex_unlock(&job->lock);
    return has;
}

struct wishes
{
    struct do_engine *engine;
    struct do_list *gifts;
};

/* A do_queue_db_wanted_fn. A job that is in a call is looked at again soon. */
static HRESULT see_wish(void *ctx, const struct do_guid *id, struct do_process by)
{
    struct wishes *wishes = ctx;
    struct do_engine *engine = wishes->engine;
    struct do_job *job = do_engine_find_job_on_loop(engine, id);
    struct gift *gift;

    if (!job || job->is_foreign)
        return S_OK;
    if (has_stream(job))
    {
        (void)do_queue_db_unwant_job(engine->env.db, id, by);
        return S_OK;
    }
    engine->looks_again = true;
    if (!(gift = do_alloc(sizeof(*gift))))
        return E_OUTOFMEMORY;
    if (!do_job_take_turn(job, 0))
    {
        do_free(gift);
        return S_OK;
    }
    gift->job = do_job_acquire(job);
    gift->to = by;
    do_list_add_tail(wishes->gifts, &gift->link);
    return S_OK;
}

static void release_gifts(struct do_list *gifts)
{
    struct do_list *link;

    while ((link = do_list_pop(gifts)))
    {
        struct gift *gift = DO_LIST_ENTRY(link, struct gift, link);

        do_job_end_call(gift->job);
        do_job_release(gift->job);
        do_free(gift);
    }
    do_free(gifts);
}

/* Stopping a job waits for the disk: a thread does it. */
void do_engine_hand_over_on_loop(struct do_engine *engine)
{
    struct wishes wishes = {engine, NULL};
    struct do_thread *thread;

    if (do_list_is_empty(&engine->jobs))
        return;
    if (!(wishes.gifts = do_alloc(sizeof(*wishes.gifts))))
    {
        engine->looks_again = true;
        return;
    }
    do_list_init(wishes.gifts);
    if (FAILED(do_queue_db_wanted(engine->env.db, engine->process, see_wish, &wishes)))
        engine->looks_again = true;
    if (!do_list_is_empty(wishes.gifts) &&
        SUCCEEDED(do_thread_start("do-give", give_main, wishes.gifts, &thread)))
        do_thread_detach(thread);
    else
        release_gifts(wishes.gifts);
}

/* Taking over */

/* A call that waits; on its stack, in the engine's list until it is done. */
struct take_over
{
    struct do_list link;
    struct do_job *job;
    struct do_process asked; /* the owner that was asked last; all 0: none */
    uint64_t until_ms;
    void *event;

    /* Under the job's lock. */
    bool done;
    HRESULT hr;
};

/* Nothing of it is touched any more: its thread goes on. */
static void finish_take_over(struct take_over *take_over, HRESULT hr)
{
    struct do_job *job = take_over->job;

    do_list_remove(&take_over->link);
    do_mutex_lock(&job->lock);
    take_over->hr = hr;
    take_over->done = true;
    if (take_over->event)
        job->engine->config.waiting->signal(take_over->event);
    do_cond_broadcast(&job->state_changed);
    do_mutex_unlock(&job->lock);
}

/* The row is ours by now: so is the job, unless there is no memory for it. */
static void take(struct take_over *take_over)
{
    struct do_job *job = take_over->job;
    struct do_engine *engine = job->engine;
    HRESULT hr = do_queue_db_read_job(
        engine->env.db, &job->record.id, do_engine_restore_job_on_loop, engine);

    do_engine_schedule_on_loop(engine);
    if (job->is_foreign)
        engine->adopts_own = true;
    finish_take_over(take_over, !job->is_foreign ? S_OK : FAILED(hr) ? hr : E_FAIL);
}

static void ask(struct take_over *take_over, struct do_process owner)
{
    struct do_job *job = take_over->job;
    struct do_engine *engine = job->engine;

    if (SUCCEEDED(do_queue_db_want_job(engine->env.db, &job->record.id, engine->process)))
        take_over->asked = owner;
}

/* Time is up, unless the job has just come. */
static void give_up(struct take_over *take_over)
{
    struct do_job *job = take_over->job;
    struct do_engine *engine = job->engine;
    struct do_process owner;
    struct do_process wanted_by;

    if (FAILED(do_queue_db_unwant_job(engine->env.db, &job->record.id, engine->process)))
        engine->adopts_own = true;
    if (SUCCEEDED(do_queue_db_get_owner(engine->env.db, &job->record.id, &owner, &wanted_by)) &&
        is_same(owner, engine->process))
    {
        take(take_over);
        return;
    }
    do_log(DO_LOG_WARN, DO_LOG_JOB, "the process that runs a job does not hand it over");
    finish_take_over(take_over, DO_HR_LOCK_VIOLATION);
}

/* Each step looks at the row, and does what follows from it. */
static void step(struct take_over *take_over)
{
    struct do_job *job = take_over->job;
    struct do_engine *engine = job->engine;
    struct do_process owner;
    struct do_process wanted_by;
    HRESULT hr;

    if (!job->is_foreign)
    {
        finish_take_over(take_over, S_OK);
        return;
    }
    hr = do_queue_db_get_owner(engine->env.db, &job->record.id, &owner, &wanted_by);
    if (hr == DO_E_JOB_NOT_FOUND)
    {
        do_job_end_mirror_on_loop(job);
        finish_take_over(take_over, S_OK);
    }
    else if (SUCCEEDED(hr) && is_same(owner, engine->process))
        take(take_over);
    else if (do_clock_ms() >= take_over->until_ms)
        give_up(take_over);
    else if (FAILED(hr))
        return;
    else if (!do_process_is_alive(owner))
        do_engine_adopt_orphans_on_loop(engine);
    else if (is_same(wanted_by, engine->process))
        return;
    else if (is_nobody(wanted_by) && is_same(take_over->asked, owner))
        finish_take_over(take_over, DO_HR_LOCK_VIOLATION);
    /* Who asked before goes first. */
    else if (is_nobody(wanted_by) || !do_process_is_alive(wanted_by))
        ask(take_over, owner);
}

static void set_take_over_timer(struct do_engine *engine)
{
    if (!do_list_is_empty(&engine->take_overs))
        do_timer_set_on_loop(engine->env.loop, &engine->take_over_timer,
            do_loop_now_on_loop(engine->env.loop) + TAKE_OVER_LOOK_MS);
}

static void on_take_over_timer(void *ctx)
{
    struct do_engine *engine = ctx;
    struct do_list *link = engine->take_overs.next;

    /* Their callers hold the engine. */
    while (link != &engine->take_overs)
    {
        struct take_over *take_over = DO_LIST_ENTRY(link, struct take_over, link);

        link = link->next;
        step(take_over);
    }
    set_take_over_timer(engine);
}

static void begin_on_loop(void *ctx)
{
    struct take_over *take_over = ctx;
    struct do_engine *engine = take_over->job->engine;

    take_over->until_ms = do_clock_ms() + engine->config.take_over_ms;
    do_list_add_tail(&engine->take_overs, &take_over->link);
    step(take_over);
    set_take_over_timer(engine);
}

static void wait_until_done(struct take_over *take_over)
{
    struct do_job *job = take_over->job;

    do_mutex_lock(&job->lock);
    while (!take_over->done)
    {
        if (take_over->event)
        {
            do_mutex_unlock(&job->lock);
            job->engine->config.waiting->wait(take_over->event);
            do_mutex_lock(&job->lock);
        }
        else
            do_cond_wait(&job->state_changed, &job->lock);
    }
    do_mutex_unlock(&job->lock);
}

/* A call that is let in meanwhile may release the client's last pointer. */
static void hold_during_call(struct do_job *job)
{
    bool held;

    (void)do_job_acquire(job);
    do_mutex_lock(&job->lock);
    held = job->call_holds_job;
    job->call_holds_job = true;
    do_mutex_unlock(&job->lock);
    if (held)
        do_job_release(job);
}

HRESULT do_job_take_over(struct do_job *job)
{
    const struct do_client_waiting *waiting = job->engine->config.waiting;
    struct take_over take_over = {.job = job};
    bool is_foreign;
    HRESULT hr;

    do_mutex_lock(&job->lock);
    is_foreign = job->is_foreign;
    do_mutex_unlock(&job->lock);
    if (!is_foreign)
        return S_OK;
    if (waiting && FAILED(hr = waiting->prepare(&take_over.event)))
        return hr;
    if (take_over.event)
        hold_during_call(job);
    do_list_init(&take_over.link);
    do_loop_call(job->engine->env.loop, begin_on_loop, &take_over);
    wait_until_done(&take_over);
    if (take_over.event)
        waiting->finish(take_over.event);
    return take_over.hr;
}

void do_engine_init_take_overs(struct do_engine *engine)
{
    do_list_init(&engine->take_overs);
    do_timer_init(&engine->take_over_timer, on_take_over_timer, engine);
}
