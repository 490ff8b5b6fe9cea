/* SPDX-License-Identifier: MIT */
/*
 * The engine's life and the list of its jobs.
 *
 * The slot holds the process's one engine and is guarded by the module mutex. The last release only
 * asks the loop to quit; the loop thread itself takes everything down and empties the slot, so that
 * no client waits for it, and whoever wants an engine meanwhile waits until the slot is empty.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "plat/file.h"
#include "plat/network.h"
#include "transfer/proxy_lookup.h"
#include "transfer/revocation.h"

/* How often the engine looks for jobs that are too old. */
#define AGE_LOOK_MS 3600000U

enum slot_state
{
    SLOT_EMPTY,
    SLOT_STARTING,
    SLOT_RUNNING,
    SLOT_ENDING
};

/* Under do_mutex_module(). */
static struct
{
    enum slot_state state;
    struct do_engine *engine;
    uint32_t references;
} slot;

void do_engine_config_init(struct do_engine_config *config)
{
    memset(config, 0, sizeof(*config));
    config->connect_timeout_ms = 15000;
    config->stall_timeout_s = 60;
    config->http_buffer_bytes = 4 * 1024 * 1024;
    config->https_buffer_bytes = 128 * 1024; /* libcurl moves the rest of it for each record */
    config->block_count = 32;
    config->max_running_jobs = 8;
    config->max_connections = 16;
    config->max_file_connections = 16;
    config->max_host_connections = 16;
    config->cache_connect_timeout_ms = 3000;
    config->fast_retries = 2;
    config->fast_retry_ms = 500;
    config->retry_first_ms = 2000;
    config->retry_max_ms = 30000;
    config->max_age_s = 30 * 24 * 3600;
    config->filetime = do_clock_filetime;
    config->network_look_ms = 30000;
    config->network = do_network_look;
    config->network_watch_ms = 2000;
    config->policy_look_ms = 5000;
    config->local_hour = do_clock_local_hour;
    config->others_look_ms = 200;
    config->orphans_look_ms = 2000;
    config->take_over_ms = 5000;
}

static void set_slot(enum slot_state state, struct do_engine *engine, uint32_t references)
{
    do_mutex_lock(do_mutex_module());
    slot.state = state;
    slot.engine = engine;
    slot.references = references;
    do_cond_broadcast(do_cond_module());
    do_mutex_unlock(do_mutex_module());
}

static void release_list(struct do_engine *engine, struct do_list *jobs)
{
    while (!do_list_is_empty(jobs))
    {
        struct do_job *job = DO_LIST_ENTRY(do_list_pop(jobs), struct do_job, link);

        do_notify_set_listener(engine->notifier, job, NULL);
        do_job_release_inner(job);
    }
}

static void release_jobs_main(void *ctx)
{
    struct do_engine *engine = ctx;

    if (engine->config.delivery_begins)
        engine->config.delivery_begins();
    release_list(engine, &engine->jobs);
    release_list(engine, &engine->mirrors);
    if (engine->config.delivery_ends)
        engine->config.delivery_ends();
}

/* Jobs may hold clients' streams and listeners, which are released where clients can be called. */
static void release_jobs(struct do_engine *engine)
{
    struct do_thread *thread;

    if (do_list_is_empty(&engine->jobs) && do_list_is_empty(&engine->mirrors))
        return;
    if (SUCCEEDED(do_thread_start("do-release", release_jobs_main, engine, &thread)))
        do_thread_join(thread);
    else
        release_jobs_main(engine);
}

/*
 * Takes everything down that exists; the loop does not run (any more). No job is active, since an
 * active one holds a reference on the engine.
 */
static void destroy_engine(struct do_engine *engine)
{
    do_conditions_destroy(engine->conditions);
    do_proxy_lookup_destroy(engine->env.settings.proxy_lookup);
    do_revocation_destroy(engine->env.settings.revocation);
    do_writer_destroy(engine->env.writer);
    do_recorder_destroy(engine->env.recorder);
    do_loop_destroy(engine->env.loop);
    release_jobs(engine);
    do_notifier_destroy(engine->notifier);
    do_block_pool_destroy(engine->env.pool);
    if (engine->env.db)
        do_engine_empty_trash(engine);
    if (engine->env.db && FAILED(do_queue_db_disown(engine->env.db, engine->process)))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "jobs are not given back to other processes");
    do_queue_db_close(engine->env.db);
    do_engine_finish_policies(engine);
    do_cache_hosts_finish(&engine->env.cache_hosts);
    do_hosts_finish(&engine->env.hosts);
    do_free(engine->stream_target);
    do_free(engine);
}

/*
 * Age: jobs that nobody ended for too long are cancelled, on a thread of their own. One that is in
 * a call, perhaps in that of an earlier such thread which waits for the client's stream, is looked
 * at again later.
 */

struct old_jobs
{
    size_t count;
    void (*begins)(void);
    void (*ends)(void);
    struct do_job *jobs[]; /* outer references */
};

static void cancel_old_jobs_main(void *ctx)
{
    struct old_jobs *old = ctx;

    if (old->begins)
        old->begins();
    for (size_t i = 0; i < old->count; i++)
    {
        (void)do_job_cancel_old(old->jobs[i]);
        do_job_release(old->jobs[i]);
    }
    if (old->ends)
        old->ends();
    do_free(old);
}

static bool is_old(const struct do_engine *engine, struct do_job *job)
{
    uint64_t now = engine->config.filetime();

    return now > job->record.creation_time &&
           (now - job->record.creation_time) / 10000000U >= engine->config.max_age_s &&
           !do_job_is_in_call(job);
}

static void cancel_old_jobs(struct do_engine *engine)
{
    struct do_thread *thread;
    struct old_jobs *old;
    size_t count = 0;

    DO_LIST_FOR_EACH (link, &engine->jobs)
        count += is_old(engine, DO_LIST_ENTRY(link, struct do_job, link)) ? 1U : 0U;
    if (!count || !(old = do_alloc(sizeof(*old) + count * sizeof(struct do_job *))))
        return;
    old->begins = engine->config.delivery_begins;
    old->ends = engine->config.delivery_ends;
    DO_LIST_FOR_EACH (link, &engine->jobs)
    {
        struct do_job *job = DO_LIST_ENTRY(link, struct do_job, link);

        /* A call may have ended since. */
        if (old->count < count && is_old(engine, job))
            old->jobs[old->count++] = do_job_acquire(job);
    }
    if (SUCCEEDED(do_thread_start("do-age", cancel_old_jobs_main, old, &thread)))
    {
        do_thread_detach(thread);
        return;
    }
    for (size_t i = 0; i < old->count; i++)
        do_job_release(old->jobs[i]);
    do_free(old);
}

bool do_engine_retain_if_alive(struct do_engine *engine)
{
    bool alive;

    (void)engine;
    do_mutex_lock(do_mutex_module());
    alive = slot.state != SLOT_ENDING;
    slot.references += alive ? 1U : 0U;
    do_mutex_unlock(do_mutex_module());
    return alive;
}

static void on_age_timer(void *ctx)
{
    struct do_engine *engine = ctx;

    if (!do_engine_retain_if_alive(engine))
        return;
    cancel_old_jobs(engine);
    do_engine_empty_trash_later(engine);
    do_engine_release(engine);
    do_timer_set_on_loop(
        engine->env.loop, &engine->age_timer, do_loop_now_on_loop(engine->env.loop) + AGE_LOOK_MS);
}

/* Percentages are of what the link is known to carry. */
static void on_link(void *ctx)
{
    do_engine_apply_limits_on_loop(ctx);
}

static void on_round(void *ctx)
{
    struct do_engine *engine = ctx;

    do_transfer_env_feed_on_loop(&engine->env);
}

static void on_quit(void *ctx)
{
    struct do_engine *engine = ctx;

    do_loop_quit_on_loop(engine->env.loop);
}

static void engine_main(void *ctx)
{
    struct do_engine *engine = ctx;

    do_loop_run(engine->env.loop, on_round, engine);
    /* The thread that asked for the end may still be in do_loop_post; it holds this lock. */
    do_mutex_lock(do_mutex_module());
    do_mutex_unlock(do_mutex_module());
    do_thread_detach(engine->thread);
    destroy_engine(engine);
    set_slot(SLOT_EMPTY, NULL, 0);
}

static HRESULT open_database(struct do_engine *engine, const char *path)
{
    char *directory = do_str_dup_n(path, do_path_name_offset(path));
    struct do_buf target;
    HRESULT hr = E_OUTOFMEMORY;

    do_buf_init(&target, 0);
    if (directory && SUCCEEDED(hr = do_file_make_directory(directory)))
        hr = do_queue_db_open(path, &engine->env.db);
    if (SUCCEEDED(hr))
    {
        do_buf_append_str(&target, directory);
        do_buf_append_str(&target, "stream");
        if (!(engine->stream_target = do_buf_take(&target)))
            hr = E_OUTOFMEMORY;
        engine->env.stream_target = engine->stream_target;
    }
    do_buf_finish(&target);
    do_free(directory);
    return hr;
}

static HRESULT create_engine(const struct do_engine_config *config, struct do_engine **engine)
{
    const struct do_conditions_settings conditions = {
        config->network_cost, config->network, config->network_look_ms, config->network_watch_ms};
    struct do_engine *created;
    HRESULT hr;

    *engine = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->config = *config;
    created->config.database_path = NULL;
    created->process = do_process_self();
    do_list_init(&created->jobs);
    for (size_t i = 0; i < DO_JOB_BUCKETS; i++)
        do_list_init(&created->by_id[i]);
    do_engine_init_foreign(created);
    do_list_init(&created->env.paused);
    atomic_init(&created->env.wants_blocks, false);
    created->env.settings = (struct do_request_settings){config->connect_timeout_ms,
        config->stall_timeout_s, config->http_buffer_bytes, config->https_buffer_bytes, NULL, NULL};
    /* Room for one read of the largest buffer, as far as the pool reaches. */
    created->env.last_object_bytes = DO_SIZE_UNKNOWN;
    created->env.max_lanes = config->max_connections;
    created->env.max_file_lanes = config->max_file_connections;
    created->env.max_host_lanes = config->max_host_connections;
    created->env.cache_connect_timeout_ms = config->cache_connect_timeout_ms;
    do_hosts_init(&created->env.hosts);
    do_cache_hosts_init(&created->env.cache_hosts);
    created->env.resume_blocks = config->http_buffer_bytes / DO_BLOCK_SIZE + 1;
    if (created->env.resume_blocks > config->block_count / 2)
        created->env.resume_blocks = config->block_count / 2 ? config->block_count / 2 : 1;
    created->env.thread_begins = config->delivery_begins;
    created->env.thread_ends = config->delivery_ends;
    do_loop_op_init(&created->quit_op, on_quit, created);
    do_timer_init(&created->age_timer, on_age_timer, created);
    do_engine_init_policies(created);
    if (FAILED(hr = do_conditions_create(created, &conditions, &created->conditions)) ||
        FAILED(hr = open_database(created, config->database_path)) ||
        FAILED(hr = do_loop_create(&created->env.loop)) ||
        FAILED(hr = do_proxy_lookup_create(
                   created->env.loop, config->proxy_source, &created->env.settings.proxy_lookup)) ||
        FAILED(hr = do_revocation_create(created->env.loop, &created->env.settings.revocation)) ||
        FAILED(hr = do_block_pool_create(config->block_count, &created->env.pool)) ||
        FAILED(hr = do_writer_create(created->env.pool, NULL, &created->env.writer)) ||
        FAILED(hr = do_recorder_create(created->env.db, &created->env.recorder)) ||
        FAILED(hr = do_notifier_create(
                   config->delivery_begins, config->delivery_ends, &created->notifier)))
    {
        destroy_engine(created);
        return hr;
    }
    do_pace_init(&created->env.pace, created->env.loop, on_link, created);
    *engine = created;
    return S_OK;
}

static void restore_jobs_on_loop(void *ctx)
{
    struct do_engine *engine = ctx;
    HRESULT hr;

    do_engine_start_policies_on_loop(engine);
    if (FAILED(hr = do_queue_db_adopt(
                   engine->env.db, engine->process, do_engine_restore_job_on_loop, engine)))
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "stored jobs are not loaded: 0x%08x", (unsigned int)hr);
    do_engine_schedule_on_loop(engine);
    on_age_timer(engine);
    do_engine_watch_others_on_loop(engine);
}

HRESULT do_engine_acquire(const struct do_engine_config *config, struct do_engine **engine)
{
    struct do_engine *created = NULL;
    HRESULT hr;

    *engine = NULL;
    do_mutex_lock(do_mutex_module());
    while (slot.state == SLOT_STARTING || slot.state == SLOT_ENDING)
        do_cond_wait(do_cond_module(), do_mutex_module());
    if (slot.state == SLOT_RUNNING)
    {
        slot.references++;
        *engine = slot.engine;
        do_mutex_unlock(do_mutex_module());
        return S_OK;
    }
    slot.state = SLOT_STARTING;
    do_mutex_unlock(do_mutex_module());

    if (FAILED(hr = create_engine(config, &created)))
    {
        set_slot(SLOT_EMPTY, NULL, 0);
        return hr;
    }
    /* Nobody else gets at the engine before its stored jobs are there; they may hold references. */
    set_slot(SLOT_STARTING, created, 1);
    if (FAILED(hr = do_thread_start("do-loop", engine_main, created, &created->thread)))
    {
        destroy_engine(created);
        set_slot(SLOT_EMPTY, NULL, 0);
        return hr;
    }
    do_loop_call(created->env.loop, restore_jobs_on_loop, created);
    do_mutex_lock(do_mutex_module());
    slot.state = SLOT_RUNNING;
    do_cond_broadcast(do_cond_module());
    do_mutex_unlock(do_mutex_module());
    *engine = created;
    return S_OK;
}

void do_engine_retain(struct do_engine *engine)
{
    (void)engine;
    do_mutex_lock(do_mutex_module());
    slot.references++;
    do_mutex_unlock(do_mutex_module());
}

void do_engine_release(struct do_engine *engine)
{
    bool last;

    if (!engine)
        return;
    do_mutex_lock(do_mutex_module());
    last = !--slot.references;
    if (last)
    {
        /* Under the lock, so that the loop cannot be gone before the post has returned. */
        slot.state = SLOT_ENDING;
        do_loop_post(engine->env.loop, &engine->quit_op);
    }
    do_mutex_unlock(do_mutex_module());
}

bool do_engine_exists(void)
{
    bool exists;

    do_mutex_lock(do_mutex_module());
    exists = slot.state != SLOT_EMPTY;
    do_mutex_unlock(do_mutex_module());
    return exists;
}

void do_engine_wait_gone(void)
{
    do_mutex_lock(do_mutex_module());
    while (slot.state != SLOT_EMPTY)
        do_cond_wait(do_cond_module(), do_mutex_module());
    do_mutex_unlock(do_mutex_module());
}

/* Jobs */

static bool waits_for_slot(const struct do_job *job)
{
    return (job->state == DO_JOB_QUEUED || job->retry_is_due) && !job->halted;
}

/* The waiting job that is to run first: by priority, then by age. */
static struct do_job *first_queued(const struct do_engine *engine)
{
    struct do_job *best = NULL;

    /* Of thousands that wait for their client, usually none. */
    if (!engine->queued_jobs)
        return NULL;
    DO_LIST_FOR_EACH (link, &engine->jobs)
    {
        struct do_job *job = DO_LIST_ENTRY(link, struct do_job, link);

        if (waits_for_slot(job) && (!best || job->record.priority < best->record.priority))
            best = job;
    }
    return best;
}

void do_engine_apply_conditions_on_loop(struct do_engine *engine)
{
    DO_LIST_FOR_EACH (link, &engine->jobs)
        do_job_apply_conditions_on_loop(DO_LIST_ENTRY(link, struct do_job, link));
    do_engine_schedule_on_loop(engine);
}

void do_engine_change_network_on_loop(struct do_engine *engine)
{
    do_proxy_lookup_forget_on_loop(engine->env.settings.proxy_lookup);
    do_revocation_forget_on_loop(engine->env.settings.revocation);
    do_hosts_forget_network(&engine->env.hosts);
    DO_LIST_FOR_EACH (link, &engine->jobs)
        do_job_change_network_on_loop(DO_LIST_ENTRY(link, struct do_job, link));
}

void do_engine_schedule_on_loop(struct do_engine *engine)
{
    struct do_job *job;

    while (engine->running_jobs < engine->config.max_running_jobs && (job = first_queued(engine)))
        do_job_run_on_loop(job);
}

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
