/* SPDX-License-Identifier: MIT */
/*
 * One call at a time: those that change a job wait here for one another. Any thread but the
 * engine's own. Who waits in an apartment of its own lets calls in meanwhile, by the means that the
 * façade gives (struct do_client_waiting); who is inside of what the running call waits for is
 * refused.
 */
#include "job/job_internal.h"

/* A thread that waits for its turn while it lets calls in. */
struct call_waiter
{
    struct do_list link; /* in the job's, under its lock */
    void *event;
};

static bool take_turn_locked(struct do_job *job, uint64_t thread_id)
{
    if (job->call_running)
        return false;
    job->call_running = true;
    job->call_thread_id = thread_id;
    return true;
}

/*
 * Whether the call that runs waits for that thread: it is in the client's stream, and would wait
 * for itself.
 */
static bool is_waited_for_locked(const struct do_job *job, uint64_t thread_id)
{
    return thread_id && job->call_running &&
           (job->call_thread_id == thread_id || job->stream_thread_id == thread_id);
}

static void wait_locked(struct do_job *job, void *event)
{
    if (!event)
    {
        do_cond_wait(&job->call_ended, &job->lock);
        return;
    }
    do_mutex_unlock(&job->lock);
    job->engine->config.waiting->wait(event);
    do_mutex_lock(&job->lock);
}

/*
 * Another call runs. A call that is let in meanwhile may be one on this job: it gets its turn
 * first, since this thread goes on only when it has returned; and it may release the client's last
 * pointer, so the job is held until the end of ours.
 */
static HRESULT wait_for_turn(struct do_job *job, uint64_t self)
{
    const struct do_client_waiting *waiting = job->engine->config.waiting;
    uint64_t acts_for = waiting ? waiting->call_thread() : 0;
    struct call_waiter waiter = {.event = NULL};
    bool has_turn = false;
    HRESULT hr = S_OK;

    if (waiting && FAILED(hr = waiting->prepare(&waiter.event)))
        return hr;
    if (waiter.event)
        (void)do_job_acquire(job);
    do_list_init(&waiter.link);
    do_mutex_lock(&job->lock);
    if (waiter.event)
        do_list_add_tail(&job->call_waiters, &waiter.link);
    while (SUCCEEDED(hr) && !(has_turn = take_turn_locked(job, self)))
    {
        if (is_waited_for_locked(job, self) || is_waited_for_locked(job, acts_for))
            hr = DO_E_INVALID_STATE;
        else
            wait_locked(job, waiter.event);
    }
    do_list_remove(&waiter.link);
    if (has_turn)
        job->call_holds_job = waiter.event != NULL;
    do_mutex_unlock(&job->lock);
    if (waiter.event)
    {
        waiting->finish(waiter.event);
        if (FAILED(hr))
            do_job_release(job);
    }
    return hr;
}

bool do_job_take_turn(struct do_job *job, uint64_t thread_id)
{
    bool has_turn;

    do_mutex_lock(&job->lock);
    has_turn = take_turn_locked(job, thread_id);
    do_mutex_unlock(&job->lock);
    return has_turn;
}

HRESULT do_job_begin_turn(struct do_job *job)
{
    uint64_t self = do_thread_current_id();

    return do_job_take_turn(job, self) ? S_OK : wait_for_turn(job, self);
}

HRESULT do_job_begin_call(struct do_job *job)
{
    HRESULT hr = do_job_begin_turn(job);

    if (SUCCEEDED(hr) && FAILED(hr = do_job_take_over(job)))
        do_job_end_call(job);
    return hr;
}

bool do_job_is_in_call(struct do_job *job)
{
    bool running;

    do_mutex_lock(&job->lock);
    running = job->call_running;
    do_mutex_unlock(&job->lock);
    return running;
}

void do_job_end_call(struct do_job *job)
{
    bool holds_job;

    do_mutex_lock(&job->lock);
    job->call_running = false;
    holds_job = job->call_holds_job;
    job->call_holds_job = false;
    do_cond_broadcast(&job->call_ended);
    DO_LIST_FOR_EACH (link, &job->call_waiters)
        job->engine->config.waiting->signal(DO_LIST_ENTRY(link, struct call_waiter, link)->event);
    do_mutex_unlock(&job->lock);
    if (holds_job)
        do_job_release(job);
}
