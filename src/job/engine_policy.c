/* SPDX-License-Identifier: MIT */
/*
 * What the administrator's policies mean for the engine: they are loaded when it starts and looked
 * at every few seconds (store/policy.h), and become the pace of transfers, their cache hosts, and
 * limits on new jobs and files. Loop thread, but for do_job_default_max_download_time_s and
 * do_engine_get_traffic.
 */
#include "job/job_internal.h"

#include <inttypes.h>

#include "base/log.h"

/* A limit that somebody has set; UINT32_MAX when nobody has. */
static uint32_t cap(const struct do_engine *engine, enum do_policy_id id)
{
    return do_policy_is_set(&engine->policy, id) ? engine->policy.values[id].number : UINT32_MAX;
}

static void apply_limit(struct do_engine *engine, enum do_rate_class which)
{
    struct do_pace *pace = &engine->env.pace;
    uint64_t limit = do_policy_limit_bytes_per_s(
        &engine->policy, which, engine->config.local_hour(), pace->link_bytes_per_s);

    if (limit == pace->limits[which])
        return;
    do_log(DO_LOG_INFO, DO_LOG_XFER, "%s downloads: %" PRIu64 " bytes per second at most",
        which == DO_RATE_FOREGROUND ? "foreground" : "background", limit);
    do_pace_set_limit_on_loop(pace, which, limit);
}

void do_engine_apply_limits_on_loop(struct do_engine *engine)
{
    for (int i = 0; i < DO_RATE_CLASSES; i++)
        apply_limit(engine, (enum do_rate_class)i);
}

static HRESULT load(struct do_engine *engine)
{
    uint32_t seconds;
    HRESULT hr;

    if (FAILED(hr = do_policy_load(&engine->policy)) ||
        FAILED(hr = do_cache_hosts_set(
                   &engine->env.cache_hosts, engine->policy.values[DO_POLICY_CACHE_HOST].text)))
        return hr;
    for (int i = 0; i < DO_RATE_CLASSES; i++)
        engine->env.cache_delay_s[i] =
            do_policy_cache_delay_s(&engine->policy, (enum do_rate_class)i);
    seconds = cap(engine, DO_POLICY_BITS_MAX_DOWNLOAD_TIME_S);
    atomic_store(
        &engine->max_download_time_s, seconds == UINT32_MAX ? DO_JOB_MAX_DOWNLOAD_TIME_S : seconds);
    return S_OK;
}

/* Without memory it is tried again at the next look. */
static void apply(struct do_engine *engine)
{
    HRESULT hr = load(engine);

    engine->policy_is_due = FAILED(hr);
    if (FAILED(hr))
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "policies are not loaded: 0x%08x", (unsigned int)hr);
}

static void set_timer(struct do_engine *engine)
{
    do_timer_set_on_loop(engine->env.loop, &engine->policy_timer,
        do_loop_now_on_loop(engine->env.loop) + engine->config.policy_look_ms);
}

/* The hour, too, may be another one. */
static void on_policy_timer(void *ctx)
{
    struct do_engine *engine = ctx;

    if (do_policy_changed(&engine->policy_watch) || engine->policy_is_due)
        apply(engine);
    do_engine_apply_limits_on_loop(engine);
    set_timer(engine);
}

void do_engine_init_policies(struct do_engine *engine)
{
    do_policy_init(&engine->policy);
    atomic_init(&engine->max_download_time_s, DO_JOB_MAX_DOWNLOAD_TIME_S);
    do_timer_init(&engine->policy_timer, on_policy_timer, engine);
}

void do_engine_finish_policies(struct do_engine *engine)
{
    do_policy_finish(&engine->policy);
}

void do_engine_start_policies_on_loop(struct do_engine *engine)
{
    /* In this order, so that no change falls between. */
    do_policy_watch_init(&engine->policy_watch);
    apply(engine);
    do_engine_apply_limits_on_loop(engine);
    set_timer(engine);
}

HRESULT do_engine_check_download_on_loop(const struct do_engine *engine)
{
    return do_policy_check_download(&engine->policy);
}

HRESULT do_engine_check_new_job_on_loop(const struct do_engine *engine)
{
    uint32_t count = 0;

    DO_LIST_FOR_EACH (link, &engine->jobs)
    {
        (void)link;
        count++;
    }
    if (count >= cap(engine, DO_POLICY_BITS_JOBS_PER_USER))
        return DO_HR_TOO_MANY_JOBS_PER_USER;
    return count >= cap(engine, DO_POLICY_BITS_JOBS_PER_MACHINE) ? DO_HR_TOO_MANY_JOBS_PER_MACHINE
                                                                 : S_OK;
}

HRESULT do_engine_check_file_count_on_loop(const struct do_engine *engine, size_t count)
{
    return count > cap(engine, DO_POLICY_BITS_FILES_PER_JOB) ? DO_HR_TOO_MANY_FILES_IN_JOB : S_OK;
}

HRESULT do_engine_check_range_count_on_loop(const struct do_engine *engine, size_t count)
{
    return count > cap(engine, DO_POLICY_BITS_RANGES_PER_FILE) ? DO_HR_TOO_MANY_RANGES_IN_FILE
                                                               : S_OK;
}

uint32_t do_job_default_max_download_time_s(struct do_job *job)
{
    return atomic_load(&job->engine->max_download_time_s);
}

struct traffic_call
{
    struct do_engine *engine;
    struct do_engine_traffic *traffic;
};

static void get_traffic_on_loop(void *ctx)
{
    struct traffic_call *call = ctx;
    const struct do_pace *pace = &call->engine->env.pace;

    for (int i = 0; i < DO_RATE_CLASSES; i++)
    {
        call->traffic->received[i] = pace->received[i];
        call->traffic->limits[i] = pace->limits[i];
    }
    call->traffic->from_cache = call->engine->env.cache_bytes;
    call->traffic->link_bytes_per_s = pace->link_bytes_per_s;
}

void do_engine_get_traffic(struct do_engine *engine, struct do_engine_traffic *traffic)
{
    struct traffic_call call = {engine, traffic};

    do_loop_call(engine->env.loop, get_traffic_on_loop, &call);
}
