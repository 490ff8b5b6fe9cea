/* SPDX-License-Identifier: MIT */
/*
 * What must be finished or undone after a crash: a Complete that was begun, and files that no row
 * names any more.
 *
 * A Complete is recorded before the first rename, together with the times of the files, and taken
 * back when one of them cannot be saved. Who finds the record in the database finishes it: a file
 * that lies at its temporary name is renamed, one that lies at its target is recognised there.
 */
#include "job/job_internal.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "plat/file.h"
#include "transfer/http_head.h"

static_assert((unsigned int)DO_FILE_PROP_PLAIN_PATH == DO_STORED_OTHER_PATH,
    "the database deletes what this property names");

/* A decrypted file is shorter than what was received. */
uint64_t do_job_file_saved_size(struct do_job_file *file)
{
    return do_values_number(&file->record.values, DO_FILE_PROP_PLAIN_SIZE,
        do_progress_snapshot(&file->progress).bytes_total);
}

HRESULT do_job_file_save_to_path(struct do_job_file *file)
{
    bool replace = !do_job_is_download(file->job);
    HRESULT hr =
        do_part_file_commit(file->part, file->record.local_path, do_job_file_saved_size(file),
            do_http_date_to_filetime(file->record.last_modified), replace);

    return hr == DO_HR_ALREADY_EXISTS ? DO_HR_FILE_EXISTS : hr;
}

void do_job_file_set_saved(struct do_job_file *file)
{
    do_part_file_release(file->part);
    file->part = NULL;
    file->record.saved = true;
    do_progress_set_flags(&file->progress, true, true);
}

/* The intent */

static bool is_to_be_saved(const struct do_job_file *file)
{
    return file->record.transferred && !file->record.saved && file->part;
}

bool do_job_needs_intent(const struct do_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
    {
        if (is_to_be_saved(job->files[i]) && job->files[i]->record.local_path)
            return true;
    }
    return false;
}

/* What the recorder has not recorded, as it does it. *failed is set when the file is to blame. */
static HRESULT settle_file(struct do_job_file *file, struct do_job_file **failed)
{
    struct do_queue_received received = {
        file->record.row_id, do_part_file_path(file->part), NULL, true, 0};
    struct do_range_set durable;
    bool changed;
    HRESULT hr;

    if (FAILED(do_part_file_open_patiently(file->part)))
        return S_OK; /* that it cannot be saved is said when it is to be */
    do_range_set_init(&durable);
    received.received = &durable;
    received.temp_time = do_part_file_settle(file->part);
    if (FAILED(hr = do_part_file_flush(file->part, &durable, &changed)))
        *failed = file;
    else if (FAILED(hr = do_queue_db_record_received(file->job->engine->env.db, &received, 1)))
        do_part_file_mark_dirty(file->part);
    do_range_set_finish(&durable);
    do_part_file_close(file->part);
    return hr;
}

HRESULT do_job_settle_files(struct do_job *job, struct do_job_file **failed)
{
    HRESULT hr = S_OK;

    *failed = NULL;
    for (size_t i = 0; i < job->file_count && SUCCEEDED(hr); i++)
    {
        struct do_job_file *file = job->files[i];

        if (is_to_be_saved(file) && file->record.local_path && !do_part_file_is_settled(file->part))
            hr = settle_file(file, failed);
    }
    return hr;
}

/* Stores the intent with the rows of the files that were saved: all or nothing. */
HRESULT do_job_set_intent_on_loop(struct do_job *job, enum do_job_intent intent)
{
    const struct do_file_record **records = do_alloc_array(job->file_count + 1, sizeof(*records));
    struct do_queue_change change = {.job = &job->record, .files = records};
    HRESULT hr;

    if (!records)
        return E_OUTOFMEMORY;
    for (size_t i = 0; i < job->file_count; i++)
    {
        if (job->files[i]->record.saved)
            records[change.file_count++] = &job->files[i]->record;
    }
    job->record.state = (uint32_t)job->state;
    job->record.intent = (uint32_t)intent;
    hr = do_queue_db_change(job->engine->env.db, &change);
    do_free(records);
    if (SUCCEEDED(hr))
        DO_CRASH_POINT("intent");
    else
        do_log(DO_LOG_WARN, DO_LOG_STORE, "what is to become of a job is not stored: 0x%08x",
            (unsigned int)hr);
    return hr;
}

/* Without its client, a stream of a job cannot be written to; that of a download has every byte. */
static bool can_finish(const struct do_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
    {
        if (is_to_be_saved(job->files[i]) && !job->files[i]->record.local_path &&
            !do_job_is_download(job))
            return false;
    }
    return true;
}

/* save: a file that is still at its temporary name is renamed, else left. */
static HRESULT finish_file(struct do_job_file *file, bool save)
{
    HRESULT hr = do_part_file_find_saved(file->part, file->record.local_path,
        do_job_file_saved_size(file), do_http_date_to_filetime(file->record.last_modified));

    if (hr == S_FALSE && !save)
        return S_FALSE;
    if (hr == S_FALSE)
        hr = do_job_file_save_to_path(file);
    if (SUCCEEDED(hr))
        do_job_file_set_saved(file);
    return hr;
}

static HRESULT finish_files(struct do_job *job, bool save, struct do_job_file **failed)
{
    HRESULT first = S_OK;

    for (size_t i = 0; i < job->file_count; i++)
    {
        struct do_job_file *file = job->files[i];
        HRESULT hr;

        if (!is_to_be_saved(file) || !file->record.local_path)
            continue;
        /* Behind one that failed nothing is renamed, but what was is recognised. */
        if (FAILED(hr = finish_file(file, save && SUCCEEDED(first))) && SUCCEEDED(first))
        {
            first = hr;
            *failed = file;
        }
    }
    return first;
}

bool do_job_finish_intent_on_loop(struct do_job *job)
{
    bool save = can_finish(job);
    struct do_job_file *failed = NULL;
    HRESULT hr = finish_files(job, save, &failed);

    if (save && SUCCEEDED(hr) &&
        SUCCEEDED(do_queue_db_remove_job(job->engine->env.db, &job->record.id)))
    {
        do_log(DO_LOG_INFO, DO_LOG_JOB, "a job is completed that an earlier process began to");
        return true;
    }
    do_log(DO_LOG_WARN, DO_LOG_JOB, "a Complete of an earlier process is taken back: 0x%08x",
        (unsigned int)hr);
    if (FAILED(hr))
        do_job_set_error_on_loop(job, hr, DO_ERROR_CONTEXT_LOCAL_FILE, failed);
    (void)do_job_set_intent_on_loop(job, DO_INTENT_NONE);
    return false;
}

/* Files that are to be deleted */

static bool remove_trash(void *ctx, const char *path, const char *target)
{
    const struct do_engine *engine = ctx;
    struct do_file *file;
    HRESULT hr;

    if (FAILED(do_part_file_check_name(target ? target : engine->stream_target, path)))
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE, "%s is none of our files and is left alone", path);
        return false;
    }
    /* Of a folder that is not there, perhaps with its volume, nothing is known. */
    if (FAILED(hr = do_file_open(path, &file)))
        return hr == DO_HR_FILE_NOT_FOUND;
    hr = do_file_remove(file);
    do_file_close(file);
    if (SUCCEEDED(hr))
        DO_CRASH_POINT("trash-deleted");
    return SUCCEEDED(hr) && !do_file_exists(path);
}

void do_engine_empty_trash(struct do_engine *engine)
{
    HRESULT hr;

    if (FAILED(hr = do_queue_db_empty_trash(engine->env.db, remove_trash, engine)))
        do_log(
            DO_LOG_WARN, DO_LOG_STORE, "deleted files are not forgotten: 0x%08x", (unsigned int)hr);
}

static void empty_trash_main(void *ctx)
{
    do_engine_empty_trash(ctx);
    do_engine_release(ctx);
}

void do_engine_empty_trash_later(struct do_engine *engine)
{
    struct do_thread *thread;

    if (!do_queue_db_has_trash(engine->env.db))
        return;
    do_engine_retain(engine);
    if (SUCCEEDED(do_thread_start("do-trash", empty_trash_main, engine, &thread)))
        do_thread_detach(thread);
    else
        do_engine_release(engine); /* the next time */
}
