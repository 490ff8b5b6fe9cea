/* SPDX-License-Identifier: MIT */
/*
 * The engine's life, and which of its jobs run. Its jobs are found in engine_jobs.c.
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
    do_timer_init(&created->age_timer, do_engine_cancel_old_jobs_on_loop, created);
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
    do_engine_cancel_old_jobs_on_loop(engine);
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
