/* SPDX-License-Identifier: MIT */
/*
 * Calls that change a job. They go one at a time per job (job_turn.c), each as operations on the
 * loop; what blocks, waiting for the writer and the file system, runs on the caller's thread
 * between them.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "job/download.h"
#include "plat/file.h"
#include "transfer/http_head.h"

/* How much of a file is in memory while it is copied into a stream. */
#define COPY_BYTES ((size_t)1 << 20)

static struct do_loop *loop_of(const struct do_job *job)
{
    return job->engine->env.loop;
}

HRESULT do_job_change_here(
    struct do_job *job, do_loop_fn function, const void *argument, void *result)
{
    struct do_job_change change = {job, argument, result, S_OK};
    HRESULT hr;

    if (FAILED(hr = do_job_begin_turn(job)))
        return hr;
    do_loop_call(loop_of(job), function, &change);
    do_job_end_call(job);
    return change.hr;
}

HRESULT do_job_change(struct do_job *job, do_loop_fn function, const void *argument, void *result)
{
    struct do_job_change change = {job, argument, result, S_OK};
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    do_loop_call(loop_of(job), function, &change);
    do_job_end_call(job);
    return change.hr;
}

/* Resume and Suspend */

static void resume_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    bool *drained = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_RESUME, &next)))
        return;
    if (!job->file_count)
    {
        change->hr = DO_E_JOB_EMPTY;
        return;
    }
    if (next != DO_JOB_QUEUED || job->state == DO_JOB_QUEUED)
        return;
    if (FAILED(change->hr = do_engine_check_download_on_loop(job->engine)) ||
        FAILED(change->hr = do_job_check_files(job)))
        return;
    /* It failed since the caller looked: its files may still be on their way to being closed. */
    if (!do_job_state_is_active(job->state) && !*drained)
    {
        *drained = true;
        change->hr = E_ABORT;
        return;
    }
    if (job->state == DO_JOB_TRANSIENT_ERROR)
        do_job_forget_host_on_loop(job);
    do_job_halt_on_loop(job);
    do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_reset_progress_clock_on_loop(job);
    job->resumed_ms = do_loop_now_on_loop(job->engine->env.loop);
    do_job_set_state_on_loop(job, DO_JOB_QUEUED);
    do_engine_schedule_on_loop(job->engine);
}

/* What the recorder still does with files of a halted job must be over before they are opened. */
void do_job_drain_recorder(struct do_job *job)
{
    size_t count = do_job_get_file_count(job);

    for (size_t i = 0; i < count; i++)
    {
        do_recorder_drain(job->engine->env.recorder, do_job_get_file(job, i)->record.row_id);
    }
}

HRESULT do_job_resume_in_call(struct do_job *job)
{
    bool drained = !do_job_state_is_active(do_job_get_state(job));
    struct do_job_change change = {job, NULL, &drained, S_OK};

    if (drained)
        do_job_drain_recorder(job);
    do_loop_call(loop_of(job), resume_on_loop, &change);
    if (change.hr == E_ABORT)
    {
        do_job_drain_recorder(job);
        do_loop_call(loop_of(job), resume_on_loop, &change);
    }
    return change.hr;
}

/* First step of every call that stops the job: nothing new is received after it. */
static void halt_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const enum do_job_call *call = change->argument;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, *call, &next)))
        return;
    if (next != job->state)
    {
        do_job_halt_on_loop(job);
        job->halted = true;
    }
}

static void suspend_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const struct do_job_record before = job->record;
    HRESULT extended_before = job->extended_error;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SUSPEND, &next)) ||
        next == job->state)
    {
        job->halted = false;
        return;
    }
    do_job_drop_transfer_on_loop(job, true);
    do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
    if (FAILED(change->hr = do_job_enter_state_on_loop(job, next)))
    {
        do_mutex_lock(&job->lock);
        job->record.error = before.error;
        job->record.error_context = before.error_context;
        job->record.error_file = before.error_file;
        job->extended_error = extended_before;
        do_mutex_unlock(&job->lock);
        return;
    }
    job->halted = false;
    do_engine_schedule_on_loop(job->engine);
}

/* The call fails: the job goes on as it was. */
static void go_on_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;

    job->halted = false;
    if (do_job_state_is_active(job->state))
    {
        do_job_set_state_on_loop(job, DO_JOB_QUEUED);
        do_engine_schedule_on_loop(job->engine);
    }
    else
        do_job_store_on_loop(job);
}

/* Halts the job for a call and waits until the writer has written what came. */
static HRESULT halt_and_drain(struct do_job *job, enum do_job_call call)
{
    struct do_job_change change = {job, &call, NULL, S_OK};

    do_loop_call(loop_of(job), halt_on_loop, &change);
    /* The transfer object changes only with calls on this job, of which this is the one. */
    if (SUCCEEDED(change.hr) && job->transfer)
        do_transfer_drain(job->transfer);
    return change.hr;
}

HRESULT do_job_suspend_in_call(struct do_job *job)
{
    struct do_job_change change = {job, NULL, NULL, S_OK};
    HRESULT hr;

    if (SUCCEEDED(change.hr = halt_and_drain(job, DO_CALL_SUSPEND)))
    {
        do_loop_call(loop_of(job), suspend_on_loop, &change);
        /* A process that suspends its job and ends must not lose what GetProgress promised. */
        do_job_drain_recorder(job);
        /* A job that would run again in the next process runs now as well. */
        if (FAILED(hr = change.hr))
            do_loop_call(loop_of(job), go_on_on_loop, &change);
    }
    else
        hr = change.hr;
    return hr;
}

/* Cancel and Complete */

/*
 * Deletes the temporary file, if there is one; false when it is still there, in another program's
 * hands. On the caller's thread, the job halted.
 */
static bool discard_file(struct do_job_file *file)
{
    do_recorder_drain(file->job->engine->env.recorder, file->record.row_id);
    if (!file->part)
        return true;
    do_part_file_discard(file->part);
    do_part_file_release(file->part);
    file->part = NULL;
    return !file->record.temp_path || !do_file_exists(file->record.temp_path);
}

bool do_job_discard_files(struct do_job *job)
{
    bool all = true;

    for (size_t i = 0; i < job->file_count; i++)
    {
        if (!job->files[i]->record.saved && !discard_file(job->files[i]))
            all = false;
    }
    return all;
}

struct leaving
{
    enum do_job_state final_state;
    HRESULT error; /* why, when it was not the client's wish */
};

/* Last step of Cancel and Complete: the job leaves the queue. */
static void leave_queue_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const struct leaving *leaving = change->argument;

    do_job_set_error_on_loop(job, leaving->error, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_set_state_on_loop(job, leaving->final_state);
    if (do_job_is_download(job))
        do_notify_close(job->engine->notifier, job);
    else
        do_notify_set_listener(job->engine->notifier, job, NULL);
    do_list_remove(&job->by_id);
    do_list_remove(&job->link);
    do_job_release_inner(job);
    do_engine_schedule_on_loop(job->engine);
}

static void drop_transfer_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    const bool *keep = change->argument;

    do_job_drop_transfer_on_loop(change->job, *keep);
}

static void drop_transfer(struct do_job *job, bool keep)
{
    struct do_job_change change = {job, &keep, NULL, S_OK};

    do_loop_call(loop_of(job), drop_transfer_on_loop, &change);
}

/*
 * A job that is over writes to no stream: a client that keeps the job does not keep its streams
 * alive, and a stream that keeps the job makes no circle. On the caller's thread, as clients want.
 * A download's stream is the job's, and may be where this call comes from.
 */
static void release_streams(struct do_job *job)
{
    struct do_stream *stream;

    for (size_t i = 0; i < job->file_count; i++)
    {
        do_mutex_lock(&job->lock);
        stream = job->files[i]->stream;
        job->files[i]->stream = NULL;
        do_mutex_unlock(&job->lock);
        do_stream_release(stream);
    }
    do_mutex_lock(&job->lock);
    stream = job->stream;
    job->stream = NULL;
    do_mutex_unlock(&job->lock);
    do_stream_release(stream);
}

/* S_OK, or DO_HR_S_UNABLE_TO_DELETE_FILES. */
static HRESULT leave_queue(struct do_job *job, enum do_job_state final_state, HRESULT error)
{
    struct leaving leaving = {final_state, error};
    struct do_job_change change = {job, &leaving, NULL, S_OK};
    HRESULT hr = do_job_discard_files(job) ? S_OK : DO_HR_S_UNABLE_TO_DELETE_FILES;

    do_loop_call(loop_of(job), leave_queue_on_loop, &change);
    release_streams(job);
    return hr;
}

HRESULT do_job_cancel_in_call(struct do_job *job, HRESULT error)
{
    HRESULT hr;

    if (FAILED(hr = halt_and_drain(job, DO_CALL_CANCEL)))
        return hr;
    /* The row first, which notes the files for deletion: a crash then leaves no job that comes
     * back, and the next engine deletes them. */
    if (SUCCEEDED(hr = do_queue_db_remove_job(job->engine->env.db, &job->record.id)))
    {
        drop_transfer(job, false);
        hr = leave_queue(job, DO_JOB_CANCELLED, error);
    }
    else
    {
        struct do_job_change change = {job, NULL, NULL, S_OK};

        drop_transfer(job, true);
        do_job_drain_recorder(job);
        do_loop_call(loop_of(job), go_on_on_loop, &change);
    }
    return hr;
}

/* Copies the temporary file into the client's stream, from the beginning each time it is tried. */
static HRESULT copy_to_stream(struct do_job_file *file, struct do_stream *stream)
{
    uint64_t size = do_job_file_saved_size(file);
    void *data = do_alloc_raw(COPY_BYTES);
    HRESULT hr;

    if (!data)
        return E_OUTOFMEMORY;
    if (FAILED(hr = do_part_file_open(file->part)) || FAILED(hr = stream->class->rewind(stream)))
        goto done;
    for (uint64_t offset = 0; offset < size && SUCCEEDED(hr);)
    {
        size_t length = size - offset < COPY_BYTES ? (size_t)(size - offset) : COPY_BYTES;

        if (SUCCEEDED(hr = do_part_file_read(file->part, offset, data, length)))
            hr = stream->class->write(stream, data, length);
        offset += length;
    }
    if (SUCCEEDED(hr))
        hr = stream->class->commit(stream);
    if (FAILED(hr))
        do_log(DO_LOG_WARN, DO_LOG_JOB, "a client's stream failed: 0x%08x", (unsigned int)hr);

done:
    do_free(data);
    return hr;
}

static HRESULT save_to_stream(struct do_job_file *file)
{
    struct do_stream *stream;
    HRESULT hr;

    /* A download's stream has every byte already. */
    if (do_job_is_download(file->job))
    {
        do_part_file_discard(file->part);
        return S_OK;
    }
    stream = do_job_file_get_stream(file);
    hr = stream ? copy_to_stream(file, stream) : DO_E_FILE_DOWNLOADSINK_UNSPECIFIED;

    do_stream_release(stream);
    if (SUCCEEDED(hr))
        do_part_file_discard(file->part);
    return hr;
}

/* Saves one transferred file under its name. On the caller's thread, the job halted. */
static HRESULT save_file(struct do_job_file *file)
{
    struct do_engine *engine = file->job->engine;
    HRESULT hr;

    if (!file->part)
        return DO_HR_FILE_NOT_FOUND;
    do_recorder_drain(engine->env.recorder, file->record.row_id);
    hr = file->record.local_path ? do_job_file_save_to_path(file) : save_to_stream(file);
    if (SUCCEEDED(hr))
        do_job_file_set_saved(file);
    return hr;
}

static void begin_complete_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;

    change->hr = do_job_set_intent_on_loop(change->job, DO_INTENT_COMPLETE);
    if (FAILED(change->hr))
        change->job->record.intent = DO_INTENT_NONE;
}

/* Before anything is renamed: a restart then finishes what was begun (recover.c). */
static HRESULT begin_complete(struct do_job *job, struct do_job_file **failed)
{
    struct do_job_change change = {job, NULL, NULL, S_OK};

    *failed = NULL;
    if (!do_job_needs_intent(job))
        return S_OK;
    if (FAILED(change.hr = do_job_settle_files(job, failed)))
        return change.hr;
    do_loop_call(loop_of(job), begin_complete_on_loop, &change);
    return change.hr;
}

/* The job is as it was; a file that could not be saved is its error, which says which and why. */
static void complete_failed_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;

    if (change->argument)
        do_job_set_error_on_loop(job, change->hr, DO_ERROR_CONTEXT_LOCAL_FILE, change->argument);
    (void)do_job_set_intent_on_loop(job, DO_INTENT_NONE);
    go_on_on_loop(change);
}

static HRESULT fail_complete(struct do_job *job, const struct do_job_file *file, HRESULT hr)
{
    struct do_job_change change = {job, file, NULL, hr};

    do_loop_call(loop_of(job), complete_failed_on_loop, &change);
    return hr;
}

HRESULT do_job_complete_in_call(struct do_job *job)
{
    struct do_job_file *failed;
    bool partial = false;
    HRESULT hr;

    if (FAILED(hr = halt_and_drain(job, DO_CALL_COMPLETE)))
        return hr;
    drop_transfer(job, true);
    /* A job that cannot be saved goes on at once, with the same files. */
    do_job_drain_recorder(job);
    if (FAILED(hr = begin_complete(job, &failed)))
        return fail_complete(job, failed, hr);
    for (size_t i = 0; i < job->file_count; i++)
    {
        struct do_job_file *file = job->files[i];

        if (!file->record.transferred)
            partial = true;
        else if (!file->record.saved && FAILED(hr = save_file(file)))
            return fail_complete(job, file, hr);
    }
    if (FAILED(hr = do_queue_db_remove_job(job->engine->env.db, &job->record.id)))
        return fail_complete(job, NULL, hr);
    hr = leave_queue(job, DO_JOB_ACKNOWLEDGED, S_OK);
    return partial ? DO_HR_S_PARTIAL_COMPLETE : hr;
}

/* The calls as clients make them. */

HRESULT do_job_resume(struct do_job *job)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = do_job_resume_in_call(job);
    do_job_end_call(job);
    return hr;
}

HRESULT do_job_suspend(struct do_job *job)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = do_job_suspend_in_call(job);
    do_job_end_call(job);
    return hr;
}

HRESULT do_job_cancel(struct do_job *job)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = do_job_cancel_in_call(job, S_OK);
    do_job_end_call(job);
    return hr;
}

HRESULT do_job_cancel_old(struct do_job *job)
{
    HRESULT hr;

    if (!do_job_take_turn(job, do_thread_current_id()))
        return S_FALSE;
    do_log(DO_LOG_INFO, DO_LOG_JOB, "a job is too old and is cancelled");
    hr = do_job_cancel_in_call(job, DO_E_JOB_TOO_OLD);
    do_job_end_call(job);
    return hr;
}

HRESULT do_job_complete(struct do_job *job)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = do_job_complete_in_call(job);
    do_job_end_call(job);
    return hr;
}

/* Setters: each stores one field through the same door. */

struct new_text
{
    char **field;
    char *text; /* taken when the change succeeds */
};

static void set_text_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct new_text *new_text = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    do_mutex_lock(&job->lock);
    do_free(*new_text->field);
    *new_text->field = new_text->text;
    do_mutex_unlock(&job->lock);
    new_text->text = NULL;
    do_job_set_state_on_loop(job, next);
}

static HRESULT set_text(struct do_job *job, char **field, const char *text, size_t limit)
{
    struct new_text new_text = {field, NULL};
    HRESULT hr;

    if (do_str_utf16_units(text) > limit)
        return E_INVALIDARG;
    if (!(new_text.text = do_str_dup(text)))
        return E_OUTOFMEMORY;
    hr = do_job_change(job, set_text_on_loop, NULL, &new_text);
    do_free(new_text.text);
    return hr;
}

HRESULT do_job_set_display_name(struct do_job *job, const char *text)
{
    return set_text(job, &job->record.display_name, text, DO_JOB_NAME_LIMIT);
}

HRESULT do_job_set_description(struct do_job *job, const char *text)
{
    return set_text(job, &job->record.description, text, DO_JOB_DESCRIPTION_LIMIT);
}

struct new_number
{
    uint32_t *field;
    bool *set_flag; /* or NULL */
    uint32_t value;
};

static void set_number_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const struct new_number *number = change->argument;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    do_mutex_lock(&job->lock);
    *number->field = number->value;
    if (number->set_flag)
        *number->set_flag = true;
    do_mutex_unlock(&job->lock);
    do_job_set_state_on_loop(job, next);
    do_job_apply_timeout_on_loop(job);
    do_job_apply_conditions_on_loop(job);
    do_engine_schedule_on_loop(job->engine);
}

HRESULT do_job_set_priority(struct do_job *job, uint32_t priority)
{
    const struct new_number number = {&job->record.priority, NULL, priority};

    return do_job_change(job, set_number_on_loop, &number, NULL);
}

HRESULT do_job_set_no_progress_timeout_s(struct do_job *job, uint32_t seconds)
{
    const struct new_number number = {
        &job->record.no_progress_timeout_s, &job->record.no_progress_timeout_set, seconds};

    return do_job_change(job, set_number_on_loop, &number, NULL);
}

HRESULT do_job_set_min_retry_delay_s(struct do_job *job, uint32_t seconds)
{
    const struct new_number number = {&job->record.min_retry_delay_s, NULL, seconds};

    return do_job_change(job, set_number_on_loop, &number, NULL);
}
