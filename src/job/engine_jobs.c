/* SPDX-License-Identifier: MIT */
/*
 * The engine's jobs: how one is made, found by its id, listed with those of other processes. Any
 * thread calls; the work is an operation on the loop, which alone touches the lists. Each list
 * holds an inner reference on its jobs, and what a caller gets is an outer one.
 */
#include "job/job_internal.h"

#include "base/alloc.h"
#include "base/str.h"

/* What an operation on the queue takes and gives. */
struct queue_call
{
    struct do_engine *engine;
    const struct do_job_record *record;
    const struct do_guid *id;
    enum do_job_kind kind;
    struct do_job *job;
    struct do_job **jobs;
    size_t count;
    HRESULT hr;
};

static void create_job_on_loop(void *ctx)
{
    struct queue_call *call = ctx;
    struct do_engine *engine = call->engine;

    if (FAILED(call->hr = do_engine_check_new_job_on_loop(engine)) ||
        FAILED(call->hr = do_queue_db_insert_job(engine->env.db, call->record)))
        return;
    if (FAILED(call->hr = do_job_create_object(engine, call->record, &call->job)))
    {
        (void)do_queue_db_remove_job(engine->env.db, &call->record->id);
        return;
    }
    do_list_add_tail(&engine->jobs, &call->job->link);
    do_engine_enter_job_on_loop(engine, call->job);
    (void)do_job_acquire(call->job);
    do_engine_watch_others_on_loop(engine);
}

static HRESULT create_job(struct do_engine *engine, enum do_job_kind kind, const char *display_name,
    const char *owner, struct do_job **job)
{
    const struct do_value owner_value = do_value_of_text(owner);
    struct queue_call call = {.engine = engine};
    struct do_job_record record;
    HRESULT hr;

    *job = NULL;
    do_job_record_init(&record);
    record.kind = (uint32_t)kind;
    record.state = DO_JOB_SUSPENDED;
    record.priority = DO_PRIORITY_NORMAL;
    record.notify_flags = DO_NOTICE_JOB_TRANSFERRED | DO_NOTICE_JOB_ERROR;
    if (kind == DO_JOB_KIND_DOWNLOAD)
    {
        record.notify_flags = DO_NOTICE_STATUS;
        record.no_progress_timeout_set = true;
        record.no_progress_timeout_s = DO_DOWNLOAD_NO_PROGRESS_S;
    }
    record.creation_time = engine->config.filetime();
    record.modification_time = record.creation_time;
    record.owner = engine->process;
    if (FAILED(hr = do_random_bytes(record.id.bytes, sizeof(record.id.bytes))) ||
        FAILED(hr = do_str_assign(&record.display_name, display_name)) ||
        FAILED(hr = do_values_set(&record.values, DO_PROP_OWNER, &owner_value)))
        goto done;
    /* A version 4 GUID; its third and fourth fields are little-endian in memory. RFC 9562 5.4 */
    record.id.bytes[7] = (uint8_t)((record.id.bytes[7] & 0x0F) | 0x40);
    record.id.bytes[8] = (uint8_t)((record.id.bytes[8] & 0x3F) | 0x80);
    call.record = &record;
    do_loop_call(engine->env.loop, create_job_on_loop, &call);
    hr = call.hr;
    *job = call.job;

done:
    do_job_record_finish(&record);
    return hr;
}

HRESULT do_engine_create_job(
    struct do_engine *engine, const char *display_name, const char *owner, struct do_job **job)
{
    return create_job(engine, DO_JOB_KIND_LEGACY, display_name, owner, job);
}

HRESULT do_engine_create_download(struct do_engine *engine, const char *owner, struct do_job **job)
{
    return create_job(engine, DO_JOB_KIND_DOWNLOAD, "", owner, job);
}

static size_t bucket_of(const struct do_guid *id)
{
    return id->bytes[0] % DO_JOB_BUCKETS;
}

struct do_job *do_engine_find_job_on_loop(const struct do_engine *engine, const struct do_guid *id)
{
    DO_LIST_FOR_EACH (link, &engine->by_id[bucket_of(id)])
    {
        struct do_job *job = DO_LIST_ENTRY(link, struct do_job, by_id);

        if (do_guid_equal(&job->record.id, id))
            return job;
    }
    return NULL;
}

void do_engine_enter_job_on_loop(struct do_engine *engine, struct do_job *job)
{
    do_list_remove(&job->by_id);
    do_list_add_tail(&engine->by_id[bucket_of(&job->record.id)], &job->by_id);
}

static void get_job_on_loop(void *ctx)
{
    struct queue_call *call = ctx;
    struct do_engine *engine = call->engine;
    struct do_job *job = do_engine_find_job_on_loop(engine, call->id);

    if (!job || job->is_foreign)
    {
        if (FAILED(call->hr = do_engine_find_foreign_job_on_loop(engine, call->id)))
            return;
        /* An orphan is ours now. */
        job = do_engine_find_job_on_loop(engine, call->id);
    }
    call->hr = DO_E_JOB_NOT_FOUND;
    if (job && !do_job_is_download(job))
    {
        call->job = do_job_acquire(job);
        call->hr = S_OK;
    }
}

HRESULT do_engine_get_job(struct do_engine *engine, const struct do_guid *id, struct do_job **job)
{
    struct queue_call call = {.engine = engine, .id = id};

    do_loop_call(engine->env.loop, get_job_on_loop, &call);
    *job = call.job;
    return call.hr;
}

static size_t count_list(const struct do_list *list)
{
    size_t count = 0;

    DO_LIST_FOR_EACH (link, list)
    {
        (void)link;
        count++;
    }
    return count;
}

/* The older of two links of a list each, which is moved on; the end of a list is its head. */
static struct do_job *older(const struct do_list *jobs, struct do_list **next_job,
    const struct do_list *mirrors, struct do_list **next_mirror)
{
    struct do_list **next = *next_job == jobs ? next_mirror : next_job;
    struct do_job *job = DO_LIST_ENTRY(*next, struct do_job, link);

    if (*next_job != jobs && *next_mirror != mirrors)
    {
        struct do_job *mirror = DO_LIST_ENTRY(*next_mirror, struct do_job, link);

        if (mirror->record.creation_time < job->record.creation_time)
        {
            next = next_mirror;
            job = mirror;
        }
    }
    *next = (*next)->next;
    return job;
}

static void list_jobs_on_loop(void *ctx)
{
    struct queue_call *call = ctx;
    struct do_list *jobs = &call->engine->jobs;
    struct do_list *mirrors = &call->engine->mirrors;
    struct do_list *next_job;
    struct do_list *next_mirror;

    if (FAILED(call->hr = do_engine_find_foreign_jobs_on_loop(call->engine)))
        return;
    call->jobs = do_alloc_array(count_list(jobs) + count_list(mirrors) + 1, sizeof(*call->jobs));
    if (!call->jobs)
    {
        call->hr = E_OUTOFMEMORY;
        return;
    }
    next_job = jobs->next;
    next_mirror = mirrors->next;
    while (next_job != jobs || next_mirror != mirrors)
    {
        struct do_job *job = older(jobs, &next_job, mirrors, &next_mirror);

        if (job->record.kind == (uint32_t)call->kind)
            call->jobs[call->count++] = do_job_acquire(job);
    }
}

HRESULT do_engine_list_jobs(
    struct do_engine *engine, enum do_job_kind kind, struct do_job ***jobs, size_t *count)
{
    struct queue_call call = {.engine = engine, .kind = kind};

    do_loop_call(engine->env.loop, list_jobs_on_loop, &call);
    *jobs = call.jobs;
    *count = call.count;
    return call.hr;
}
