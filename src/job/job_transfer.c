/* SPDX-License-Identifier: MIT */
/*
 * The transfer of a job's current file: which file that is, what its transfer is given to do with
 * it, and who takes its bytes. Loop thread only, but for what is given to a stream: a thread of the
 * transfer's gives a checked file's bytes, and what it has given is under the job's lock. The
 * transfer belongs to the job; while bytes are given, a reference on the job is held.
 */
#include "job/job_internal.h"

struct do_job_file *do_job_next_file(const struct do_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
    {
        if (!job->files[i]->record.transferred)
            return job->files[i];
    }
    return NULL;
}

void do_job_forget_host_on_loop(struct do_job *job)
{
    const struct do_job_file *file = job->current ? job->current : do_job_next_file(job);
    struct do_host *host = file ? do_host_find(&job->engine->env.hosts, file->record.url) : NULL;

    if (host)
        do_host_forget_trouble(host);
}

void do_job_set_active_on_loop(struct do_job *job, bool active)
{
    struct do_job_file *file = job->current;

    if (!file)
        return;
    do_mutex_lock(&job->lock);
    if (active && !file->active_since_ms)
        file->active_since_ms = do_clock_ms();
    else if (!active && file->active_since_ms)
    {
        file->active_ms += do_clock_ms() - file->active_since_ms;
        file->active_since_ms = 0;
    }
    do_mutex_unlock(&job->lock);
}

static void hold_job_of(void *ctx)
{
    const struct do_job_file *file = ctx;

    (void)do_job_acquire(file->job);
}

static void let_go_job_of(void *ctx)
{
    const struct do_job_file *file = ctx;

    do_job_release(file->job);
}

static uint64_t given_to_stream(void *ctx)
{
    struct do_job_file *file = ctx;
    uint64_t bytes;

    do_mutex_lock(&file->job->lock);
    bytes = file->given_bytes;
    do_mutex_unlock(&file->job->lock);
    return bytes;
}

static void set_giving(struct do_job_file *file, bool giving, uint64_t bytes)
{
    do_mutex_lock(&file->job->lock);
    file->giving = giving;
    file->giving_thread = giving ? do_thread_current_id() : 0;
    file->given_bytes += bytes;
    do_cond_broadcast(&file->job->state_changed);
    do_mutex_unlock(&file->job->lock);
}

/* A do_part_file_sink_fn. */
static HRESULT give_to_stream(void *ctx, const void *data, size_t length)
{
    HRESULT hr;

    set_giving(ctx, true, 0);
    hr = do_job_file_write_to_stream(ctx, data, length);
    set_giving(ctx, false, SUCCEEDED(hr) ? length : 0);
    return hr;
}

static HRESULT keep_file_values(
    void *ctx, const struct do_setting *settings, size_t count, bool with_record)
{
    return do_job_file_change_values_on_loop(ctx, settings, count, with_record);
}

/* A stream gets a checked file's bytes once, however often its check is stopped. */
static HRESULT prepare_spool(struct do_job_file *file, struct do_transfer_spool *spool)
{
    HRESULT hr = S_OK;

    spool->write = give_to_stream;
    spool->has = given_to_stream;
    do_mutex_lock(&file->job->lock);
    /* What a stream that stopped its download from inside does with these bytes is not known. */
    if (file->giving)
        hr = DO_E_INVALID_STATE;
    else if (!file->part)
        file->given_bytes = 0;
    do_mutex_unlock(&file->job->lock);
    return hr;
}

HRESULT do_job_prepare_transfer_on_loop(struct do_job *job)
{
    struct do_job_file *file = job->current;
    const struct do_values *values = &file->record.values;
    struct do_transfer_check_settings settings = {
        .integrity_info = do_values_text(values, DO_FILE_PROP_INTEGRITY_INFO),
        .is_mandatory = do_values_number(values, DO_FILE_PROP_INTEGRITY_MANDATORY, 0) != 0,
        .decryption_info = do_values_text(values, DO_FILE_PROP_DECRYPTION_INFO),
        .spool = {.hold = hold_job_of, .let_go = let_go_job_of, .ctx = file},
        .keep = keep_file_values,
        .keep_ctx = file,
        .plain_size_id = DO_FILE_PROP_PLAIN_SIZE,
        .plain_path_id = DO_FILE_PROP_PLAIN_PATH};
    HRESULT hr;

    if (do_job_is_download(job) && file->stream)
    {
        if (file->part && do_part_file_is_stream(file->part))
            do_transfer_set_writer_on_loop(job->transfer, job->stream_writer);
        else if (FAILED(hr = prepare_spool(file, &settings.spool)))
            return hr;
    }
    return do_transfer_set_check_on_loop(job->transfer, &settings);
}

void do_job_drop_transfer_on_loop(struct do_job *job, bool keep)
{
    do_transfer_release_on_loop(job->transfer, keep);
    job->was_blocked = false;
    job->out_of_time = false;
    job->transfer = NULL;
    job->current = NULL;
}

bool do_job_renew_stream_on_loop(struct do_job *job, HRESULT *hr)
{
    struct do_loop *loop = job->engine->env.loop;
    struct do_job_file *file = job->current;

    *hr = S_OK;
    if (!job->was_blocked || !job->transfer || !file->part || !do_part_file_is_stream(file->part))
        return true;
    if (do_transfer_is_writing_on_loop(job->transfer))
    {
        do_timer_set_on_loop(
            loop, &job->retry_timer, do_loop_now_on_loop(loop) + DO_JOB_DRAIN_LOOK_MS);
        return false;
    }
    do_job_drop_transfer_on_loop(job, true);
    *hr = do_part_file_renew_stream(&file->part);
    return true;
}
