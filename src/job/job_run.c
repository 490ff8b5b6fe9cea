/* SPDX-License-Identifier: MIT */
/*
 * A job on the loop: its state, when a file is transferred, what follows a failure, when to give
 * up. Files are transferred one after the other in the order added. Loop thread only.
 */
#include "job/job_internal.h"

#include <assert.h>

#include "base/log.h"

/* How often a job looks whether bytes came that a listener wants to know of. */
#define NOTICE_LOOK_MS 100U

/* How long connections may be silent after a change of the network. */
#define NETWORK_SILENCE_MS 4000U

void do_job_store_on_loop(struct do_job *job)
{
    HRESULT hr;

    job->record.state = (uint32_t)job->state;
    if (do_job_state_is_final(job->state))
        return;
    if (FAILED(hr = do_queue_db_update_job(job->engine->env.db, &job->record)))
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "a job's state is not stored: 0x%08x", (unsigned int)hr);
}

static enum do_rate_class class_of(const struct do_job *job)
{
    return job->record.priority == DO_PRIORITY_FOREGROUND ? DO_RATE_FOREGROUND : DO_RATE_BACKGROUND;
}

/* One that failed and waits for its next attempt is under way, but lets others run meanwhile. */
static void count_job(struct do_job *job)
{
    struct do_engine *engine = job->engine;
    bool active = do_job_state_is_active(job->state) && !job->is_foreign;
    bool has_slot = active && job->state != DO_JOB_QUEUED && !job->blocked;
    bool is_running = has_slot && job->state != DO_JOB_TRANSIENT_ERROR;
    bool is_queued;

    if (!has_slot || is_running)
        job->retry_is_due = false;
    is_queued = (active && job->state == DO_JOB_QUEUED) || job->retry_is_due;
    if (is_queued != job->is_queued)
    {
        job->is_queued = is_queued;
        engine->queued_jobs += is_queued ? 1U : (uint32_t)-1;
    }
    if (is_running != job->is_running)
    {
        job->is_running = is_running;
        engine->running_jobs += is_running ? 1U : (uint32_t)-1;
    }
    job->has_slot = has_slot;
}

/* An active job keeps the engine alive, and one that transfers takes a slot. */
void do_job_count_on_loop(struct do_job *job)
{
    struct do_engine *engine = job->engine;
    bool active = do_job_state_is_active(job->state) && !job->is_foreign;

    /* The priority may be another one. */
    if (job->transfer)
        do_transfer_set_class_on_loop(job->transfer, class_of(job));
    count_job(job);
    if (active && !job->holds_engine)
    {
        job->holds_engine = true;
        do_conditions_set_watched_on_loop(engine->conditions, ++engine->active_jobs != 0);
        do_engine_retain(engine);
    }
    else if (!active && job->holds_engine)
    {
        job->holds_engine = false;
        do_conditions_set_watched_on_loop(engine->conditions, --engine->active_jobs != 0);
        do_engine_release(engine);
    }
}

/* What a client that listens is told of a change. */
static enum do_notice notice_of(enum do_job_state before, enum do_job_state state)
{
    if (before != state && state == DO_JOB_TRANSFERRED)
        return DO_NOTICE_JOB_TRANSFERRED;
    if (before != state && state == DO_JOB_ERROR)
        return DO_NOTICE_JOB_ERROR;
    return DO_NOTICE_JOB_MODIFICATION;
}

static void set_time(struct do_job *job, uint64_t time)
{
    do_mutex_lock(&job->lock);
    job->record.modification_time = time;
    do_mutex_unlock(&job->lock);
}

/* Who waits for the state is woken also when the client is not to be told of it. */
static void change_state(
    struct do_job *job, enum do_job_state state, bool blocked, bool is_stored, uint64_t now)
{
    enum do_job_state before = job->state;
    enum do_download_state shown_before = do_download_state_of(job);

    do_mutex_lock(&job->lock);
    if (state == DO_JOB_TRANSFERRED && before != state)
        job->record.completion_time = now;
    job->state = state;
    job->blocked = blocked;
    job->offline =
        state == DO_JOB_TRANSIENT_ERROR && job->record.error == DO_E_BLOCKED_BY_NO_NETWORK;
    job->record.modification_time = now;
    do_cond_broadcast(&job->state_changed);
    do_mutex_unlock(&job->lock);
    if (!is_stored)
        do_job_store_on_loop(job);
    if (!do_job_is_download(job))
        do_notify_post(job->engine->notifier, job, notice_of(before, state));
    else if (shown_before != do_download_state_of(job))
        do_download_post_status_on_loop(job);
    do_job_count_on_loop(job);
}

void do_job_set_state_on_loop(struct do_job *job, enum do_job_state state)
{
    /* A block lasts until the job goes on, or is stopped by somebody else. */
    change_state(
        job, state, job->blocked && state == job->state, false, job->engine->config.filetime());
}

HRESULT do_job_enter_state_on_loop(struct do_job *job, enum do_job_state state)
{
    uint64_t now = job->engine->config.filetime();
    uint64_t before = job->record.modification_time;
    HRESULT hr;

    job->record.state = (uint32_t)state;
    set_time(job, now);
    if (SUCCEEDED(hr = do_queue_db_update_job(job->engine->env.db, &job->record)))
    {
        change_state(job, state, false, true, now);
        return S_OK;
    }
    job->record.state = (uint32_t)job->state;
    set_time(job, before);
    return hr;
}

void do_job_touch_on_loop(struct do_job *job)
{
    do_job_set_state_on_loop(job, job->state);
}

static void set_error_locked(
    struct do_job *job, HRESULT code, enum do_error_context context, const struct do_job_file *file)
{
    if (SUCCEEDED(code))
        job->extended_error = S_OK;
    job->record.error = code;
    job->record.error_context = (uint32_t)context;
    job->record.error_file = file ? file->index : UINT32_MAX;
}

void do_job_set_error_on_loop(
    struct do_job *job, HRESULT code, enum do_error_context context, const struct do_job_file *file)
{
    do_mutex_lock(&job->lock);
    set_error_locked(job, code, context, file);
    if (FAILED(code))
        job->record.error_count++;
    do_mutex_unlock(&job->lock);
}

static void clear_error(struct do_job *job)
{
    if (FAILED(job->record.error))
        do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
}

void do_job_reset_progress_clock_on_loop(struct do_job *job)
{
    job->progress_since_ms = do_loop_now_on_loop(job->engine->env.loop);
    job->last_failure = S_OK;
    job->fast_retries = job->engine->config.fast_retries;
    do_backoff_reset(&job->backoff);
}

void do_job_halt_on_loop(struct do_job *job)
{
    do_timer_cancel_on_loop(&job->retry_timer);
    do_timer_cancel_on_loop(&job->progress_timer);
    do_timer_cancel_on_loop(&job->deadline_timer);
    do_timer_cancel_on_loop(&job->notice_timer);
    do_timer_cancel_on_loop(&job->network_timer);
    job->retry_is_due = false;
    count_job(job);
    do_job_set_active_on_loop(job, false);
    if (job->transfer)
        do_transfer_stop_on_loop(job->transfer);
}

static void give_up(struct do_job *job, HRESULT hr)
{
    const struct do_job_file *file = job->current;
    char url[300];

    do_log(DO_LOG_INFO, DO_LOG_JOB, "job failed at %s: 0x%08x",
        file ? do_log_url(file->record.url, url, sizeof(url)) : "no file", (unsigned int)hr);
    do_job_halt_on_loop(job);
    do_job_set_error_on_loop(job, hr, do_job_context_of_error(hr), file);
    do_job_drop_transfer_on_loop(job, true);
    do_job_set_state_on_loop(job, DO_JOB_ERROR);
    do_engine_schedule_on_loop(job->engine);
}

static uint64_t no_progress_limit_ms(struct do_job *job)
{
    return (uint64_t)do_job_get_no_progress_timeout_s(job) * 1000;
}

/*
 * Bytes that came since the last look restart the no-progress clock, and bytes that a slow disk
 * still has to take stop it: the file must not be closed under the writer.
 */
static void look_for_progress(struct do_job *job)
{
    uint64_t last_byte_ms = job->transfer ? do_transfer_last_byte_ms_on_loop(job->transfer) : 0;

    if (job->transfer && do_transfer_is_writing_on_loop(job->transfer))
        last_byte_ms = do_loop_now_on_loop(job->engine->env.loop);
    if (last_byte_ms > job->progress_since_ms)
    {
        do_job_reset_progress_clock_on_loop(job);
        job->progress_since_ms = last_byte_ms;
    }
}

static void set_progress_timer(struct do_job *job)
{
    uint64_t limit_ms = no_progress_limit_ms(job);

    if (limit_ms)
        do_timer_set_on_loop(
            job->engine->env.loop, &job->progress_timer, job->progress_since_ms + limit_ms);
    else
        do_timer_cancel_on_loop(&job->progress_timer);
}

void do_job_apply_timeout_on_loop(struct do_job *job)
{
    if (job->has_slot)
        set_progress_timer(job);
}

/* The no-progress time may be over: the last concrete failure is what the client wants to know. */
static void on_progress_timer(void *ctx)
{
    struct do_job *job = ctx;
    uint64_t now_ms = do_loop_now_on_loop(job->engine->env.loop);

    look_for_progress(job);
    if (job->progress_since_ms + no_progress_limit_ms(job) > now_ms)
        set_progress_timer(job);
    else if (do_job_is_download(job))
    {
        do_mutex_lock(&job->lock);
        job->extended_error = job->last_failure;
        do_mutex_unlock(&job->lock);
        give_up(job, DO_E_DOWNLOAD_NO_PROGRESS);
    }
    else
        give_up(job, FAILED(job->last_failure) ? job->last_failure : DO_E_DOWNLOAD_NO_PROGRESS);
}

/* The maximum download time */

void do_job_set_deadline_on_loop(struct do_job *job)
{
    uint64_t limit_s = do_values_number(
        &job->record.values, DO_PROP_MAX_DOWNLOAD_TIME, do_job_default_max_download_time_s(job));

    if (job->out_of_time)
        return; /* it ends as soon as the writer is through */
    if (job->has_slot && limit_s)
        do_timer_set_on_loop(job->engine->env.loop, &job->deadline_timer,
            job->resumed_ms + (limit_s < UINT32_MAX ? limit_s : UINT32_MAX) * 1000);
    else
        do_timer_cancel_on_loop(&job->deadline_timer);
}

/* Bytes that a slow disk still has to take come first: the file must not be closed under them. */
static void on_deadline_timer(void *ctx)
{
    struct do_job *job = ctx;
    struct do_loop *loop = job->engine->env.loop;

    do_job_halt_on_loop(job);
    job->out_of_time = job->transfer != NULL;
    if (job->transfer && do_transfer_is_writing_on_loop(job->transfer))
        do_timer_set_on_loop(
            loop, &job->deadline_timer, do_loop_now_on_loop(loop) + DO_JOB_DRAIN_LOOK_MS);
    else
        give_up(job, DO_HR_MAXDOWNLOAD_TIMEOUT);
}

/* Notices about bytes */

void do_job_watch_bytes_on_loop(struct do_job *job)
{
    struct do_loop *loop = job->engine->env.loop;

    enum do_notice notice = do_job_is_download(job) ? DO_NOTICE_STATUS : DO_NOTICE_JOB_MODIFICATION;

    if (job->has_slot && do_notify_wants(job->engine->notifier, job, notice))
        do_timer_set_on_loop(loop, &job->notice_timer, do_loop_now_on_loop(loop) + NOTICE_LOOK_MS);
    else
        do_timer_cancel_on_loop(&job->notice_timer);
}

static void on_notice_timer(void *ctx)
{
    struct do_job *job = ctx;
    struct do_job_progress progress;

    do_job_get_progress(job, &progress);
    if (do_job_is_download(job))
        do_download_post_progress_on_loop(job);
    else if (progress.bytes_transferred != job->told_bytes)
    {
        job->told_bytes = progress.bytes_transferred;
        do_notify_post(job->engine->notifier, job, DO_NOTICE_JOB_MODIFICATION);
    }
    do_job_watch_bytes_on_loop(job);
}

/*
 * The server was not asked, since others have found it in trouble: no attempt of this job's own,
 * but what it waits for is no secret when it takes longer than a retry that the client does not
 * see.
 */
static void wait_for_host(struct do_job *job, HRESULT hr, uint32_t delay_ms)
{
    struct do_loop *loop = job->engine->env.loop;

    if (delay_ms > 2 * job->engine->config.fast_retry_ms)
    {
        do_mutex_lock(&job->lock);
        set_error_locked(job, hr, do_job_context_of_error(hr), job->current);
        do_mutex_unlock(&job->lock);
        do_job_set_state_on_loop(job, DO_JOB_TRANSIENT_ERROR);
    }
    do_timer_set_on_loop(loop, &job->retry_timer, do_loop_now_on_loop(loop) + delay_ms);
    set_progress_timer(job);
    do_engine_schedule_on_loop(job->engine);
}

static void retry_later(struct do_job *job, HRESULT hr)
{
    bool hidden;
    uint32_t delay_ms;

    look_for_progress(job);
    if (do_job_is_network_trouble(hr) &&
        do_conditions_lacks_network_on_loop(job->engine->conditions, job))
    {
        hr = DO_E_BLOCKED_BY_NO_NETWORK;
        job->fast_retries = 0;
    }
    job->last_failure = hr;
    if (job->transfer && (delay_ms = do_transfer_host_delay_ms_on_loop(job->transfer)) != 0)
    {
        wait_for_host(job, hr, delay_ms);
        return;
    }
    hidden = job->fast_retries > 0;
    delay_ms = do_job_retry_delay_ms_on_loop(job);
    if (job->transfer)
        do_transfer_tell_host_on_loop(
            job->transfer, hr, do_loop_now_on_loop(job->engine->env.loop) + delay_ms);
    do_log(DO_LOG_INFO, DO_LOG_JOB, "attempt failed: 0x%08x, next in %u ms", (unsigned int)hr,
        (unsigned int)delay_ms);
    if (!hidden)
    {
        do_job_set_error_on_loop(job, hr, do_job_context_of_error(hr), job->current);
        do_job_set_state_on_loop(job, DO_JOB_TRANSIENT_ERROR);
    }
    do_timer_set_on_loop(job->engine->env.loop, &job->retry_timer,
        do_loop_now_on_loop(job->engine->env.loop) + delay_ms);
    set_progress_timer(job);
    do_engine_schedule_on_loop(job->engine);
}

static void run_next_file(struct do_job *job);

static void on_transfer_end(void *ctx, HRESULT hr)
{
    struct do_job *job = ctx;

    do_job_set_active_on_loop(job, false);
    if (SUCCEEDED(hr))
    {
        do_notify_post(job->engine->notifier, job, DO_NOTICE_FILE_TRANSFERRED);
        do_job_drop_transfer_on_loop(job, true);
        do_job_reset_progress_clock_on_loop(job);
        run_next_file(job);
    }
    else if ((do_hr_is_transient(hr) || do_transfer_must_retry_on_loop(job->transfer)) &&
             no_progress_limit_ms(job))
        retry_later(job, hr);
    else
        give_up(job, hr);
}

static void run_next_file(struct do_job *job)
{
    HRESULT hr;

    if (!job->transfer)
    {
        if (!(job->current = do_job_next_file(job)))
        {
            do_job_halt_on_loop(job);
            do_job_set_state_on_loop(job, DO_JOB_TRANSFERRED);
            do_log(DO_LOG_INFO, DO_LOG_JOB, "job transferred");
            do_engine_schedule_on_loop(job->engine);
            return;
        }
        /* One may have been added while the job ran. */
        if (!job->current->record.local_path && !job->current->stream)
        {
            give_up(job, DO_E_FILE_DOWNLOADSINK_UNSPECIFIED);
            return;
        }
        hr = do_transfer_create(&job->engine->env, &job->current->record, &job->current->part,
            &job->current->progress, &job->options, &job->current->facts, on_transfer_end, job,
            &job->transfer);
        if (SUCCEEDED(hr))
            hr = do_job_prepare_transfer_on_loop(job);
        if (FAILED(hr))
        {
            give_up(job, hr);
            return;
        }
        do_transfer_set_class_on_loop(job->transfer, class_of(job));
    }
    set_progress_timer(job);
    do_job_set_deadline_on_loop(job);
    do_job_watch_bytes_on_loop(job);
    do_job_set_active_on_loop(job, true);
    /* Without retries there is no later. */
    do_transfer_start_on_loop(job->transfer, !no_progress_limit_ms(job));
}

/*
 * There is no network, or it costs what the client does not want to pay: the job stops, with the
 * reason as a transient error, and goes on by itself.
 */
static void block(struct do_job *job, HRESULT reason)
{
    do_log(DO_LOG_INFO, DO_LOG_JOB, "a job waits: 0x%08x", (unsigned int)reason);
    do_job_halt_on_loop(job);
    job->was_blocked = true;
    /* Nothing has failed that would count. */
    do_mutex_lock(&job->lock);
    set_error_locked(job, reason, DO_ERROR_CONTEXT_NONE, NULL);
    do_mutex_unlock(&job->lock);
    change_state(job, DO_JOB_TRANSIENT_ERROR, true, false, job->engine->config.filetime());
}

void do_job_apply_conditions_on_loop(struct do_job *job)
{
    HRESULT hr;

    if (!do_job_state_is_active(job->state) || job->halted)
        return;
    hr = do_conditions_check_on_loop(job->engine->conditions, job);
    if (FAILED(hr) && (job->has_slot || (job->blocked && job->record.error != hr)))
        block(job, hr);
    else if (SUCCEEDED(hr) && job->blocked)
    {
        clear_error(job);
        do_job_set_state_on_loop(job, DO_JOB_QUEUED);
    }
}

/* Not a byte since the network became another one: its connections may have died with the old. */
static void on_network_timer(void *ctx)
{
    struct do_job *job = ctx;
    struct do_loop *loop = job->engine->env.loop;

    if (job->state != DO_JOB_TRANSFERRING || !job->transfer ||
        !do_list_is_empty(&job->retry_timer.link) ||
        !do_transfer_waits_for_bytes_on_loop(job->transfer) ||
        do_transfer_last_byte_ms_on_loop(job->transfer) >= job->network_ms)
        return;
    do_log(DO_LOG_INFO, DO_LOG_JOB, "a job's connections are silent since the network changed");
    do_job_halt_on_loop(job);
    job->was_blocked = true;
    do_timer_set_on_loop(loop, &job->retry_timer, do_loop_now_on_loop(loop));
    set_progress_timer(job);
}

/* A time that the client or the server has set stays. */
void do_job_change_network_on_loop(struct do_job *job)
{
    struct do_loop *loop = job->engine->env.loop;

    if (!job->has_slot || job->halted)
        return;
    if (do_list_is_empty(&job->retry_timer.link))
    {
        job->network_ms = do_loop_now_on_loop(loop);
        do_timer_set_on_loop(loop, &job->network_timer, job->network_ms + NETWORK_SILENCE_MS);
    }
    else if (do_job_is_network_trouble(job->last_failure) && !job->record.min_retry_delay_s)
    {
        do_backoff_reset(&job->backoff);
        do_job_forget_host_on_loop(job);
        do_timer_set_on_loop(loop, &job->retry_timer, do_loop_now_on_loop(loop));
    }
}

/* One that showed its failure has given its slot to others, and is in line for one again. */
static void on_retry_timer(void *ctx)
{
    struct do_job *job = ctx;

    if (job->state == DO_JOB_TRANSIENT_ERROR)
    {
        job->retry_is_due = true;
        count_job(job);
    }
    else
        do_job_run_on_loop(job);
    do_engine_schedule_on_loop(job->engine);
}

void do_job_run_on_loop(struct do_job *job)
{
    HRESULT hr = do_conditions_check_on_loop(job->engine->conditions, job);

    assert(do_job_state_is_active(job->state));
    if (FAILED(hr))
    {
        block(job, hr);
        return;
    }
    /* The time in the queue is no time without progress. */
    if (job->state == DO_JOB_QUEUED)
        do_job_reset_progress_clock_on_loop(job);
    if (job->state != DO_JOB_TRANSFERRING)
    {
        clear_error(job);
        do_job_set_state_on_loop(job, DO_JOB_TRANSFERRING);
    }
    if (!do_job_renew_stream_on_loop(job, &hr))
        return;
    if (SUCCEEDED(hr))
        run_next_file(job);
    else
        give_up(job, hr);
}

void do_job_init_run(struct do_job *job)
{
    do_list_init(&job->link);
    do_list_init(&job->by_id);
    do_timer_init(&job->retry_timer, on_retry_timer, job);
    do_timer_init(&job->network_timer, on_network_timer, job);
    do_timer_init(&job->progress_timer, on_progress_timer, job);
    do_timer_init(&job->deadline_timer, on_deadline_timer, job);
    do_timer_init(&job->notice_timer, on_notice_timer, job);
    do_request_options_init(&job->options);
    do_backoff_init(
        &job->backoff, job->engine->config.retry_first_ms, job->engine->config.retry_max_ms);
}
