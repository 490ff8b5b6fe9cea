/* SPDX-License-Identifier: MIT */
/*
 * A job as its callers see it. Reads copy under the job's lock. Changes go one at a time per job
 * (begin_call, end_call), each as operations on the loop; what blocks, waiting for the writer and
 * the file system, runs on the caller's thread between them.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/file.h"
#include "transfer/http_head.h"
#include "transfer/plan.h"
#include "transfer/url.h"

/* Seconds without progress after which a job fails. (Source: win32 docs, SetNoProgressTimeout.) */
#define NO_PROGRESS_FOREGROUND_S 3600U
#define NO_PROGRESS_BACKGROUND_S 86400U

static struct do_loop *loop_of(const struct do_job *job)
{
    return job->engine->env.loop;
}

/* Objects and references */

HRESULT do_job_create_object(
    struct do_engine *engine, const struct do_job_record *record, struct do_job **job)
{
    struct do_job *created;

    *job = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    atomic_init(&created->references, 1);
    created->engine = engine;
    do_mutex_init(&created->lock);
    do_cond_init(&created->call_ended);
    do_job_init_run(created);
    created->record = *record;
    created->record.display_name = do_str_dup(record->display_name);
    created->record.description = do_str_dup(record->description);
    created->state = (enum do_job_state)record->state;
    if ((record->display_name && !created->record.display_name) ||
        (record->description && !created->record.description))
    {
        do_job_release_inner(created);
        return E_OUTOFMEMORY;
    }
    *job = created;
    return S_OK;
}

static void destroy_file(struct do_job_file *file)
{
    if (!file)
        return;
    do_part_file_release(file->part);
    do_file_record_finish(&file->record);
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
        destroy_file(job->files[i]);
    do_free(job->files);
    do_job_record_finish(&job->record);
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

struct do_job *do_job_file_get_job(const struct do_job_file *file)
{
    return file->job;
}

const char *do_job_file_get_content_id(const struct do_job_file *file)
{
    return file->record.content_id;
}

const char *do_job_file_get_url(const struct do_job_file *file)
{
    return file->record.url;
}

const char *do_job_file_get_local_path(const struct do_job_file *file)
{
    return file->record.local_path;
}

struct do_progress_values do_job_file_get_progress(struct do_job_file *file)
{
    return do_progress_snapshot(&file->progress);
}

const struct do_range *do_job_file_get_ranges(const struct do_job_file *file, size_t *count)
{
    *count = file->record.range_count;
    return file->record.ranges;
}

/* Changes */

static void begin_call(struct do_job *job)
{
    do_mutex_lock(&job->lock);
    while (job->call_running)
        do_cond_wait(&job->call_ended, &job->lock);
    job->call_running = true;
    do_mutex_unlock(&job->lock);
}

static void end_call(struct do_job *job)
{
    do_mutex_lock(&job->lock);
    job->call_running = false;
    do_cond_broadcast(&job->call_ended);
    do_mutex_unlock(&job->lock);
}

/* A change that is one operation on the loop. */
struct change
{
    struct do_job *job;
    const void *argument;
    void *result;
    HRESULT hr;
};

static HRESULT change_job(
    struct do_job *job, do_loop_fn function, const void *argument, void *result)
{
    struct change change = {job, argument, result, S_OK};

    begin_call(job);
    do_loop_call(loop_of(job), function, &change);
    end_call(job);
    return change.hr;
}

/* Files */

/* Room for count more files, so that appending them cannot fail. */
static HRESULT reserve_files(struct do_job *job, size_t count)
{
    struct do_job_file **grown;
    size_t capacity = job->file_capacity ? job->file_capacity : 4;

    while (capacity < job->file_count + count)
        capacity *= 2;
    if (capacity == job->file_capacity)
        return S_OK;
    do_mutex_lock(&job->lock);
    if ((grown = do_realloc_array(job->files, capacity, sizeof(*grown))))
    {
        job->files = grown;
        job->file_capacity = capacity;
    }
    do_mutex_unlock(&job->lock);
    return grown ? S_OK : E_OUTOFMEMORY;
}

static void append_file(struct do_job *job, struct do_job_file *file)
{
    do_mutex_lock(&job->lock);
    file->job = job;
    file->index = (uint32_t)job->file_count;
    job->files[job->file_count++] = file;
    do_mutex_unlock(&job->lock);
}

/* BytesTotal as far as it is known before the first byte: from the client's size or the ranges. */
static HRESULT set_known_total(struct do_job_file *file)
{
    const struct do_file_record *record = &file->record;
    uint64_t size =
        record->remote_size != DO_SIZE_UNKNOWN ? record->remote_size : record->expected_size;
    struct do_plan plan;
    HRESULT hr;

    if (FAILED(hr = do_plan_init(&plan, record->ranges, record->range_count)))
        return hr;
    if (size != DO_SIZE_UNKNOWN)
        hr = do_plan_resolve(&plan, size);
    do_progress_set_total(&file->progress, do_plan_local_size(&plan));
    do_plan_finish(&plan);
    return hr;
}

static HRESULT copy_ranges(
    const struct do_range *ranges, size_t count, struct do_file_record *record)
{
    if (!count)
        return S_OK;
    if (!(record->ranges = do_memdup(ranges, count * sizeof(*ranges))))
        return E_OUTOFMEMORY;
    record->range_count = count;
    return S_OK;
}

static HRESULT create_file(const struct do_new_file *new_file, struct do_job_file **file)
{
    struct do_job_file *created = do_alloc(sizeof(*created));
    HRESULT hr = E_OUTOFMEMORY;

    *file = NULL;
    if (!created)
        return hr;
    do_file_record_init(&created->record);
    do_progress_init(&created->progress);
    created->record.expected_size = new_file->size;
    if (FAILED(hr = do_str_assign(&created->record.content_id, new_file->content_id)) ||
        FAILED(hr = do_str_assign(&created->record.url, new_file->url)) ||
        FAILED(hr = do_str_assign(&created->record.local_path, new_file->local_path)) ||
        FAILED(hr = copy_ranges(new_file->ranges, new_file->range_count, &created->record)) ||
        FAILED(hr = set_known_total(created)))
    {
        destroy_file(created);
        return hr;
    }
    *file = created;
    return S_OK;
}

/* What can be said of a file without touching the disk; stored rows are checked like new ones. */
static HRESULT check_file(const struct do_new_file *new_file)
{
    HRESULT hr;

    if (!new_file->content_id || !new_file->content_id[0])
        return E_INVALIDARG;
    if (!new_file->url || strlen(new_file->url) > DO_URL_LIMIT ||
        FAILED(do_url_check(new_file->url)))
        return E_INVALIDARG;
    if (!new_file->local_path || !new_file->local_path[0])
        return E_INVALIDARG;
    if (FAILED(hr = do_file_check_path(new_file->local_path)))
        return hr;
    if (new_file->range_count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    return do_plan_check_ranges(new_file->ranges, new_file->range_count, new_file->size);
}

static HRESULT check_new_file(const struct do_new_file *new_file)
{
    HRESULT hr = check_file(new_file);

    return FAILED(hr) ? hr : do_file_check_directory(new_file->local_path);
}

HRESULT do_job_restore_file(struct do_job *job, const struct do_file_record *record)
{
    const struct do_new_file new_file = {record->content_id, record->url, record->local_path,
        record->ranges, record->range_count, record->expected_size};
    struct do_job_file *file;
    HRESULT hr;

    if (FAILED(hr = check_file(&new_file)) ||
        (record->temp_path &&
            FAILED(hr = do_part_file_check_name(record->local_path, record->temp_path))) ||
        FAILED(hr = create_file(&new_file, &file)))
        return hr;
    file->record.row_id = record->row_id;
    file->record.remote_size = record->remote_size;
    file->record.transferred = record->transferred;
    file->record.saved = record->saved;
    if (FAILED(hr = do_str_assign(&file->record.etag, record->etag)) ||
        FAILED(hr = do_str_assign(&file->record.last_modified, record->last_modified)) ||
        FAILED(hr = do_str_assign(&file->record.temp_path, record->temp_path)) ||
        FAILED(hr = set_known_total(file)))
        goto failed;
    if (record->temp_path && !record->saved &&
        FAILED(hr = do_part_file_create(record->temp_path, &record->received, &file->part)))
        goto failed;
    do_progress_set_transferred(
        &file->progress, record->transferred ? do_progress_snapshot(&file->progress).bytes_total
                                             : do_range_set_size(&record->received));
    do_progress_set_flags(&file->progress, record->transferred, record->saved);
    if (FAILED(hr = reserve_files(job, 1)))
        goto failed;
    append_file(job, file);
    return S_OK;

failed:
    destroy_file(file);
    return hr;
}

/* Files that are created but not yet part of a job. */
struct new_files
{
    struct do_job_file **files;      /* NULL once the job owns it */
    struct do_file_record **records; /* theirs */
    size_t count;
};

static void add_files_on_loop(void *ctx)
{
    struct change *change = ctx;
    struct do_job *job = change->job;
    struct new_files *new_files = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_ADD_FILE, &next)))
        return;
    if (FAILED(change->hr = reserve_files(job, new_files->count)) ||
        FAILED(change->hr = do_queue_db_insert_files(
                   job->engine->env.db, &job->record.id, new_files->records, new_files->count)))
        return;
    for (size_t i = 0; i < new_files->count; i++)
    {
        append_file(job, new_files->files[i]);
        new_files->files[i] = NULL;
    }
    do_job_set_state_on_loop(job, next);
}

HRESULT do_job_add_files(struct do_job *job, const struct do_new_file *files, size_t count)
{
    struct new_files new_files = {NULL, NULL, count};
    enum do_job_state next;
    HRESULT hr;

    if (FAILED(hr = do_job_state_after_call(do_job_get_state(job), DO_CALL_ADD_FILE, &next)))
        return hr;
    new_files.files = do_alloc_array(count, sizeof(*new_files.files));
    new_files.records = do_alloc_array(count, sizeof(*new_files.records));
    if (!new_files.files || !new_files.records)
    {
        hr = E_OUTOFMEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (FAILED(hr = check_new_file(&files[i])) ||
            FAILED(hr = create_file(&files[i], &new_files.files[i])))
            goto done;
        new_files.records[i] = &new_files.files[i]->record;
    }
    hr = change_job(job, add_files_on_loop, NULL, &new_files);

done:
    for (size_t i = 0; new_files.files && i < count; i++)
        destroy_file(new_files.files[i]);
    do_free(new_files.files);
    do_free(new_files.records);
    return hr;
}

/* Resume and Suspend */

static void resume_on_loop(void *ctx)
{
    struct change *change = ctx;
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
    /* It failed since the caller looked: its files may still be on their way to being closed. */
    if (!do_job_state_is_active(job->state) && !*drained)
    {
        *drained = true;
        change->hr = E_ABORT;
        return;
    }
    do_job_halt_on_loop(job);
    do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_reset_progress_clock_on_loop(job);
    do_job_set_state_on_loop(job, DO_JOB_QUEUED);
    do_engine_schedule_on_loop(job->engine);
}

/* What the recorder still does with files of a halted job must be over before they are opened. */
static void drain_recorder(struct do_job *job)
{
    size_t count = do_job_get_file_count(job);

    for (size_t i = 0; i < count; i++)
    {
        const struct do_job_file *file = do_job_get_file(job, i);

        if (file->part)
            do_recorder_drain(job->engine->env.recorder, file->part);
    }
}

HRESULT do_job_resume(struct do_job *job)
{
    bool drained = !do_job_state_is_active(do_job_get_state(job));
    struct change change = {job, NULL, &drained, S_OK};

    begin_call(job);
    if (drained)
        drain_recorder(job);
    do_loop_call(loop_of(job), resume_on_loop, &change);
    if (change.hr == E_ABORT)
    {
        drain_recorder(job);
        do_loop_call(loop_of(job), resume_on_loop, &change);
    }
    end_call(job);
    return change.hr;
}

/* First step of every call that stops the job: nothing new is received after it. */
static void halt_on_loop(void *ctx)
{
    struct change *change = ctx;
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
    struct change *change = ctx;
    struct do_job *job = change->job;
    enum do_job_state next;

    job->halted = false;
    if (SUCCEEDED(change->hr = do_job_state_after_call(job->state, DO_CALL_SUSPEND, &next)) &&
        next != job->state)
    {
        do_job_drop_transfer_on_loop(job, true);
        do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
        do_job_set_state_on_loop(job, next);
        do_engine_schedule_on_loop(job->engine);
    }
}

/* Halts the job for a call and waits until the writer has written what came. */
static HRESULT halt_and_drain(struct do_job *job, enum do_job_call call)
{
    struct change change = {job, &call, NULL, S_OK};

    do_loop_call(loop_of(job), halt_on_loop, &change);
    /* The transfer object changes only with calls on this job, of which this is the one. */
    if (SUCCEEDED(change.hr) && job->transfer)
        do_transfer_drain(job->transfer);
    return change.hr;
}

HRESULT do_job_suspend(struct do_job *job)
{
    struct change change = {job, NULL, NULL, S_OK};

    begin_call(job);
    if (SUCCEEDED(change.hr = halt_and_drain(job, DO_CALL_SUSPEND)))
    {
        do_loop_call(loop_of(job), suspend_on_loop, &change);
        /* A process that suspends its job and ends must not lose what GetProgress promised. */
        drain_recorder(job);
    }
    end_call(job);
    return change.hr;
}

/* Cancel and Complete */

/* Deletes the temporary file, if there is one. On the caller's thread, the job halted. */
static void discard_file(struct do_job_file *file)
{
    if (!file->part)
        return;
    do_recorder_drain(file->job->engine->env.recorder, file->part);
    do_part_file_discard(file->part);
    do_part_file_release(file->part);
    file->part = NULL;
}

/* Last step of Cancel and Complete: the job leaves the queue. */
static void leave_queue_on_loop(void *ctx)
{
    struct change *change = ctx;
    struct do_job *job = change->job;
    const enum do_job_state *final_state = change->argument;

    do_job_set_error_on_loop(job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_set_state_on_loop(job, *final_state);
    do_list_remove(&job->link);
    do_job_release_inner(job);
    do_engine_schedule_on_loop(job->engine);
}

static void drop_transfer_on_loop(void *ctx)
{
    struct change *change = ctx;
    const bool *keep = change->argument;

    do_job_drop_transfer_on_loop(change->job, *keep);
}

static void drop_transfer(struct do_job *job, bool keep)
{
    struct change change = {job, &keep, NULL, S_OK};

    do_loop_call(loop_of(job), drop_transfer_on_loop, &change);
}

/* The call fails: the job goes on as it was. */
static void go_on_on_loop(void *ctx)
{
    struct change *change = ctx;
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

static void leave_queue(struct do_job *job, enum do_job_state final_state)
{
    struct change change = {job, &final_state, NULL, S_OK};

    for (size_t i = 0; i < job->file_count; i++)
    {
        if (!job->files[i]->record.saved)
            discard_file(job->files[i]);
    }
    do_loop_call(loop_of(job), leave_queue_on_loop, &change);
}

HRESULT do_job_cancel(struct do_job *job)
{
    HRESULT hr;

    begin_call(job);
    if (FAILED(hr = halt_and_drain(job, DO_CALL_CANCEL)))
        goto done;
    /* The row first: a crash then costs a stray temporary file, not a job that comes back. */
    if (SUCCEEDED(hr = do_queue_db_remove_job(job->engine->env.db, &job->record.id)))
    {
        drop_transfer(job, false);
        leave_queue(job, DO_JOB_CANCELLED);
    }
    else
    {
        struct change change = {job, NULL, NULL, S_OK};

        drop_transfer(job, true);
        drain_recorder(job);
        do_loop_call(loop_of(job), go_on_on_loop, &change);
    }

done:
    end_call(job);
    return hr;
}

/* Saves one transferred file under its name. On the caller's thread, the job halted. */
static HRESULT save_file(struct do_job_file *file)
{
    struct do_engine *engine = file->job->engine;
    HRESULT hr;

    if (!file->part)
        return DO_HR_FILE_NOT_FOUND;
    do_recorder_drain(engine->env.recorder, file->part);
    if (FAILED(hr = do_part_file_commit(file->part, file->record.local_path,
                   do_progress_snapshot(&file->progress).bytes_total,
                   do_http_date_to_filetime(file->record.last_modified), true)))
        return hr;
    do_part_file_release(file->part);
    file->part = NULL;
    file->record.saved = true;
    do_progress_set_flags(&file->progress, true, true);
    /* A crash before this row is written leaves a job whose temporary file is gone: it then says
     * so. */
    (void)do_queue_db_update_file(engine->env.db, &file->record);
    return S_OK;
}

/* A file could not be saved: the job is as it was, with an error that says which and why. */
static void complete_failed_on_loop(void *ctx)
{
    struct change *change = ctx;
    struct do_job *job = change->job;

    do_job_set_error_on_loop(job, change->hr, DO_ERROR_CONTEXT_LOCAL_FILE, change->argument);
    go_on_on_loop(change);
}

HRESULT do_job_complete(struct do_job *job)
{
    bool partial = false;
    HRESULT hr;

    begin_call(job);
    if (FAILED(hr = halt_and_drain(job, DO_CALL_COMPLETE)))
        goto done;
    drop_transfer(job, true);
    /* A job that cannot be saved goes on at once, with the same files. */
    drain_recorder(job);
    for (size_t i = 0; i < job->file_count; i++)
    {
        struct do_job_file *file = job->files[i];

        if (!file->record.transferred)
            partial = true;
        else if (!file->record.saved && FAILED(hr = save_file(file)))
        {
            struct change change = {job, file, NULL, hr};

            do_loop_call(loop_of(job), complete_failed_on_loop, &change);
            goto done;
        }
    }
    if (FAILED(hr = do_queue_db_remove_job(job->engine->env.db, &job->record.id)))
    {
        struct change change = {job, NULL, NULL, hr};

        do_loop_call(loop_of(job), go_on_on_loop, &change);
        goto done;
    }
    leave_queue(job, DO_JOB_ACKNOWLEDGED);
    hr = partial ? DO_HR_S_PARTIAL_COMPLETE : S_OK;

done:
    end_call(job);
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
    struct change *change = ctx;
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

/* Length in UTF-16 units, which is what the limits of the documentation count. */
static size_t utf16_length(const char *text)
{
    size_t length = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        length += (*c & 0xC0) == 0x80 ? 0U : *c >= 0xF0 ? 2U : 1U;
    return length;
}

static HRESULT set_text(struct do_job *job, char **field, const char *text, size_t limit)
{
    struct new_text new_text = {field, NULL};
    HRESULT hr;

    if (utf16_length(text) > limit)
        return E_INVALIDARG;
    if (!(new_text.text = do_str_dup(text)))
        return E_OUTOFMEMORY;
    hr = change_job(job, set_text_on_loop, NULL, &new_text);
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
    struct change *change = ctx;
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
}

HRESULT do_job_set_priority(struct do_job *job, uint32_t priority)
{
    const struct new_number number = {&job->record.priority, NULL, priority};

    return change_job(job, set_number_on_loop, &number, NULL);
}

HRESULT do_job_set_no_progress_timeout_s(struct do_job *job, uint32_t seconds)
{
    const struct new_number number = {
        &job->record.no_progress_timeout_s, &job->record.no_progress_timeout_set, seconds};

    return change_job(job, set_number_on_loop, &number, NULL);
}

HRESULT do_job_set_min_retry_delay_s(struct do_job *job, uint32_t seconds)
{
    const struct new_number number = {&job->record.min_retry_delay_s, NULL, seconds};

    return change_job(job, set_number_on_loop, &number, NULL);
}
