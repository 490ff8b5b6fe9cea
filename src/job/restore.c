/* SPDX-License-Identifier: MIT */
/*
 * Stored jobs that become ours: at the start of the engine, when their owner has ended, and when it
 * has handed them over. One that was running goes on. On the loop; the queue owns what is made
 * here.
 */
#include "job/job_internal.h"

#include <assert.h>

#include "base/log.h"

static_assert((unsigned int)DO_PROP_NON_VOLATILE == DO_STORED_LASTING,
    "the database gives away what this property names");

/* A class that is to be told outlives the process that named it. */
static void restore_listener(struct do_job *job)
{
    struct do_engine *engine = job->engine;
    const struct do_value *class_id = do_values_get(&job->record.values, DO_PROP_NOTIFY_CLSID);
    struct do_listener *listener;

    if (!engine->config.class_listener || !class_id || class_id->length != 16 ||
        do_notify_has_listener(engine->notifier, job) ||
        FAILED(engine->config.class_listener((const unsigned char *)class_id->data, &listener)))
        return;
    do_notify_set_listener(engine->notifier, job, listener);
    do_listener_release(listener);
    if (job->state == DO_JOB_TRANSFERRED)
        do_notify_post(engine->notifier, job, DO_NOTICE_JOB_TRANSFERRED);
    else if (job->state == DO_JOB_ERROR)
        do_notify_post(engine->notifier, job, DO_NOTICE_JOB_ERROR);
}

/*
 * A download whose process is gone and that was not to outlive it: its temporary file and its row
 * go. (Source: sdk-api, DODownloadProperty_NonVolatile.)
 */
static bool discard_if_lost(struct do_engine *engine, const struct do_job_record *record)
{
    bool is_own =
        record->owner.id == engine->process.id && record->owner.start == engine->process.start;

    if (record->kind != DO_JOB_KIND_DOWNLOAD || is_own ||
        do_values_number(&record->values, DO_PROP_NON_VOLATILE, 0))
        return false;
    /* Which notes its files for deletion. */
    (void)do_queue_db_remove_job(engine->env.db, &record->id);
    return true;
}

HRESULT do_engine_build_job_on_loop(struct do_engine *engine, bool is_foreign,
    const struct do_job_record *record, const struct do_file_record *files, size_t file_count,
    struct do_job **job)
{
    struct do_job *built;
    HRESULT hr;

    *job = NULL;
    if (FAILED(hr = do_job_create_object(engine, record, &built)))
        return hr;
    built->is_foreign = is_foreign;
    for (size_t i = 0; i < file_count && SUCCEEDED(hr); i++)
        hr = do_job_restore_file(built, &files[i]);
    if (FAILED(hr))
    {
        do_job_release_inner(built);
        return hr;
    }
    *job = built;
    return S_OK;
}

/* The job itself, with the reference of the list that it is in no more. */
static HRESULT make_own(struct do_engine *engine, const struct do_job_record *record,
    const struct do_file_record *files, size_t file_count, struct do_job **job)
{
    struct do_job *mirror = do_engine_find_job_on_loop(engine, &record->id);
    struct do_job *built;
    HRESULT hr;

    *job = NULL;
    if (FAILED(hr = do_engine_build_job_on_loop(engine, false, record, files, file_count, &built)))
        return hr;
    if (!mirror)
    {
        *job = built;
        return S_OK;
    }
    if (SUCCEEDED(hr = do_job_absorb_on_loop(mirror, built)))
    {
        do_list_remove(&mirror->link);
        *job = mirror;
    }
    do_job_release_inner(built);
    return hr;
}

/*
 * The last file may have been transferred without having been recorded in time; and a client that
 * comes back with another stream needs a job that takes it.
 */
static void go_on(struct do_job *job)
{
    bool whole = true;

    for (size_t i = 0; i < job->file_count; i++)
        whole = whole && job->files[i]->record.transferred;
    do_job_count_on_loop(job);
    if (!do_job_state_is_active(job->state) &&
        (job->state != DO_JOB_TRANSFERRED ||
            (whole && (do_job_is_download(job) || SUCCEEDED(do_job_check_files(job))))))
        return;
    do_job_reset_progress_clock_on_loop(job);
    job->resumed_ms = do_loop_now_on_loop(job->engine->env.loop);
    /* A stream does not survive its process. */
    do_job_set_state_on_loop(
        job, FAILED(do_job_check_files(job)) ? DO_JOB_SUSPENDED : DO_JOB_QUEUED);
}

HRESULT do_engine_restore_job_on_loop(void *ctx, const struct do_job_record *record,
    const struct do_file_record *files, size_t file_count)
{
    struct do_engine *engine = ctx;
    struct do_job *job = do_engine_find_job_on_loop(engine, &record->id);
    HRESULT hr;

    if ((job && !job->is_foreign) || do_job_state_is_final((enum do_job_state)record->state) ||
        (record->intent == DO_INTENT_NONE && discard_if_lost(engine, record)))
        return S_OK;
    if (FAILED(hr = make_own(engine, record, files, file_count, &job)))
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE, "a stored job is left out: 0x%08x", (unsigned int)hr);
        return hr == E_OUTOFMEMORY ? hr : S_OK;
    }
    if (job->record.intent == DO_INTENT_COMPLETE)
    {
        bool finished = do_job_finish_intent_on_loop(job);

        if (finished || discard_if_lost(engine, record))
        {
            do_job_end_on_loop(job, finished ? DO_JOB_ACKNOWLEDGED : DO_JOB_CANCELLED);
            return S_OK;
        }
    }
    do_list_add_tail(&engine->jobs, &job->link);
    do_engine_enter_job_on_loop(engine, job);
    do_job_hold_mirror_on_loop(job);
    restore_listener(job);
    go_on(job);
    return S_OK;
}
