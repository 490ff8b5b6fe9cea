/* SPDX-License-Identifier: MIT */
/*
 * A job as its callers see it: references, and reads, which copy under the job's lock and never
 * wait.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/secrets.h"

/* Seconds without progress after which a job fails. (Source: win32 docs, SetNoProgressTimeout.) */
#define NO_PROGRESS_FOREGROUND_S 3600U
#define NO_PROGRESS_BACKGROUND_S 86400U

/* Objects and references */

HRESULT do_job_create_object(
    struct do_engine *engine, const struct do_job_record *record, struct do_job **job)
{
    struct do_job *created;
    HRESULT hr;

    *job = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    atomic_init(&created->references, 1);
    created->engine = engine;
    do_mutex_init(&created->lock);
    do_cond_init(&created->call_ended);
    do_cond_init(&created->state_changed);
    do_list_init(&created->call_waiters);
    do_job_init_run(created);
    created->record = *record;
    created->record.display_name = do_str_dup(record->display_name);
    created->record.description = do_str_dup(record->description);
    created->record.owner = engine->process;
    do_values_init(&created->record.values);
    created->state = (enum do_job_state)record->state;
    do_mailbox_init(&created->mailbox, record->notify_flags);
    if (FAILED(hr = do_values_assign(&created->record.values, &record->values)) ||
        FAILED(hr = do_secrets_open(DO_SECRETS_OF_JOB, &created->record.values)) ||
        FAILED(hr = do_secrets_take_credentials(&created->record.values, &created->options)) ||
        FAILED(hr = do_job_apply_values_on_loop(created)))
        goto failed;
    if ((record->display_name && !created->record.display_name) ||
        (record->description && !created->record.description))
    {
        hr = E_OUTOFMEMORY;
        goto failed;
    }
    *job = created;
    return S_OK;

failed:
    do_job_release_inner(created);
    return hr;
}

void do_job_file_destroy(struct do_job_file *file)
{
    if (!file)
        return;
    do_stream_release(file->stream);
    do_part_file_release(file->part);
    do_file_record_finish(&file->record);
    do_http_facts_finish(&file->facts);
    do_progress_finish(&file->progress);
    do_free(file);
}

void do_job_retain_inner(struct do_job *job)
{
    (void)atomic_fetch_add(&job->references, 1);
}

void do_job_release_inner(struct do_job *job)
{
    if (!job || atomic_fetch_sub(&job->references, 1) > 1)
        return;
    for (size_t i = 0; i < job->file_count; i++)
        do_job_file_destroy(job->files[i]);
    do_free(job->files);
    do_request_options_finish(&job->options);
    do_job_record_finish(&job->record);
    do_writer_destroy(job->stream_writer);
    do_stream_release(job->stream);
    do_cond_finish(&job->state_changed);
    do_cond_finish(&job->call_ended);
    do_mutex_finish(&job->lock);
    do_free(job);
}

struct do_job *do_job_acquire(struct do_job *job)
{
    do_job_retain_inner(job);
    do_engine_retain(job->engine);
    return job;
}

void do_job_release(struct do_job *job)
{
    struct do_engine *engine;

    if (!job)
        return;
    engine = job->engine;
    do_job_release_inner(job);
    do_engine_release(engine);
}

/* Reads */

struct do_guid do_job_get_id(const struct do_job *job)
{
    return job->record.id;
}

enum do_job_state do_job_get_state(struct do_job *job)
{
    enum do_job_state state;

    do_mutex_lock(&job->lock);
    state = job->state;
    do_mutex_unlock(&job->lock);
    return state;
}

size_t do_job_get_file_count(struct do_job *job)
{
    size_t count;

    do_mutex_lock(&job->lock);
    count = job->file_count;
    do_mutex_unlock(&job->lock);
    return count;
}

struct do_job_file *do_job_get_file(struct do_job *job, size_t index)
{
    struct do_job_file *file;

    do_mutex_lock(&job->lock);
    file = job->files[index];
    do_mutex_unlock(&job->lock);
    return file;
}

void do_job_get_progress(struct do_job *job, struct do_job_progress *progress)
{
    size_t count = do_job_get_file_count(job);

    memset(progress, 0, sizeof(*progress));
    progress->files_total = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
    {
        struct do_progress_values values = do_progress_snapshot(&do_job_get_file(job, i)->progress);

        progress->bytes_transferred += values.bytes_transferred;
        progress->files_transferred += values.transferred ? 1U : 0U;
        if (values.bytes_total == DO_SIZE_UNKNOWN || progress->bytes_total == DO_SIZE_UNKNOWN)
            progress->bytes_total = DO_SIZE_UNKNOWN;
        else
            progress->bytes_total += values.bytes_total;
    }
}

void do_job_get_times(struct do_job *job, struct do_job_times *times)
{
    size_t count;

    do_mutex_lock(&job->lock);
    times->creation = job->record.creation_time;
    times->modification = job->record.modification_time;
    times->transfer_completion = job->record.completion_time;
    count = job->file_count;
    do_mutex_unlock(&job->lock);
    /* Received bytes are modifications too. */
    for (size_t i = 0; i < count; i++)
    {
        uint64_t written = do_progress_snapshot(&do_job_get_file(job, i)->progress).last_write_time;

        if (written > times->modification)
            times->modification = written;
    }
}

/* Reads one 32-bit field of the record. */
static uint32_t read_u32(struct do_job *job, const uint32_t *field)
{
    uint32_t value;

    do_mutex_lock(&job->lock);
    value = *field;
    do_mutex_unlock(&job->lock);
    return value;
}

uint32_t do_job_get_priority(struct do_job *job)
{
    return read_u32(job, &job->record.priority);
}

uint32_t do_job_get_min_retry_delay_s(struct do_job *job)
{
    return read_u32(job, &job->record.min_retry_delay_s);
}

uint32_t do_job_get_error_count(struct do_job *job)
{
    return read_u32(job, &job->record.error_count);
}

uint32_t do_job_get_no_progress_timeout_s(struct do_job *job)
{
    uint32_t seconds;

    do_mutex_lock(&job->lock);
    if (job->record.no_progress_timeout_set)
        seconds = job->record.no_progress_timeout_s;
    else
        seconds = job->record.priority == DO_PRIORITY_FOREGROUND ? NO_PROGRESS_FOREGROUND_S
                                                                 : NO_PROGRESS_BACKGROUND_S;
    do_mutex_unlock(&job->lock);
    return seconds;
}

static HRESULT read_text(struct do_job *job, char *const *field, char **text)
{
    do_mutex_lock(&job->lock);
    *text = do_str_dup(*field ? *field : "");
    do_mutex_unlock(&job->lock);
    return *text ? S_OK : E_OUTOFMEMORY;
}

HRESULT do_job_get_display_name(struct do_job *job, char **text)
{
    return read_text(job, &job->record.display_name, text);
}

HRESULT do_job_get_description(struct do_job *job, char **text)
{
    return read_text(job, &job->record.description, text);
}

HRESULT do_job_get_error(struct do_job *job, struct do_job_error *error)
{
    HRESULT hr = DO_E_ERROR_INFORMATION_UNAVAILABLE;

    memset(error, 0, sizeof(*error));
    do_mutex_lock(&job->lock);
    if (FAILED(job->record.error))
    {
        error->code = job->record.error;
        error->context = (enum do_error_context)job->record.error_context;
        if (job->record.error_file < job->file_count)
            error->file = job->files[job->record.error_file];
        hr = S_OK;
    }
    do_mutex_unlock(&job->lock);
    return hr;
}

uint32_t do_job_get_notify_flags(struct do_job *job)
{
    return read_u32(job, &job->record.notify_flags);
}

struct do_listener *do_job_get_listener(struct do_job *job)
{
    return do_notify_get_listener(job->engine->notifier, job);
}

HRESULT do_job_get_value(struct do_job *job, enum do_prop id, struct do_value *value)
{
    const struct do_value *stored;
    HRESULT hr = S_OK;

    do_value_init(value);
    do_mutex_lock(&job->lock);
    if ((stored = do_values_get(&job->record.values, (uint32_t)id)))
        hr = do_value_assign(value, stored);
    do_mutex_unlock(&job->lock);
    return hr;
}
