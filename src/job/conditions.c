/* SPDX-License-Identifier: MIT */
/*
 * The thread that asks for the network's cost, and what follows from an answer.
 */
#include "job/conditions.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "job/job_internal.h"

struct do_conditions
{
    struct do_engine *engine;
    void (*ask)(struct do_network_cost *cost);
    uint32_t look_ms;
    struct do_loop_op news_op;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond ended;
    bool quit;
    struct do_network_cost answer;

    /* On the loop. */
    struct do_thread *thread; /* NULL before the first job runs */
    struct do_network_cost cost;
};

static bool wait_for_next(struct do_conditions *conditions)
{
    bool quit;

    do_mutex_lock(&conditions->lock);
    if (!conditions->quit)
        (void)do_cond_wait_ms(&conditions->ended, &conditions->lock, conditions->look_ms);
    quit = conditions->quit;
    do_mutex_unlock(&conditions->lock);
    return !quit;
}

static void conditions_main(void *ctx)
{
    struct do_conditions *conditions = ctx;
    const struct do_engine_config *config = &conditions->engine->config;

    if (config->delivery_begins)
        config->delivery_begins();
    do
    {
        struct do_network_cost cost = {0, false};
        bool is_news;

        conditions->ask(&cost);
        do_mutex_lock(&conditions->lock);
        is_news = !conditions->quit && (cost.state != conditions->answer.state ||
                                           cost.is_cellular != conditions->answer.is_cellular);
        conditions->answer = cost;
        do_mutex_unlock(&conditions->lock);
        if (is_news)
            do_loop_post(conditions->engine->env.loop, &conditions->news_op);
    } while (wait_for_next(conditions));
    if (config->delivery_ends)
        config->delivery_ends();
}

static void on_news(void *ctx)
{
    struct do_conditions *conditions = ctx;

    do_mutex_lock(&conditions->lock);
    conditions->cost = conditions->answer;
    do_mutex_unlock(&conditions->lock);
    do_log(DO_LOG_INFO, DO_LOG_JOB, "network cost is 0x%02x%s", conditions->cost.state,
        conditions->cost.is_cellular ? ", cellular" : "");
    do_engine_apply_conditions_on_loop(conditions->engine);
}

HRESULT do_conditions_create(struct do_engine *engine, void (*ask)(struct do_network_cost *cost),
    uint32_t look_ms, struct do_conditions **conditions)
{
    struct do_conditions *created;

    if (!(*conditions = created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->engine = engine;
    created->ask = ask;
    created->look_ms = look_ms;
    do_mutex_init(&created->lock);
    do_cond_init(&created->ended);
    do_loop_op_init(&created->news_op, on_news, created);
    return S_OK;
}

void do_conditions_destroy(struct do_conditions *conditions)
{
    if (!conditions)
        return;
    do_mutex_lock(&conditions->lock);
    conditions->quit = true;
    do_cond_signal(&conditions->ended);
    do_mutex_unlock(&conditions->lock);
    do_thread_join(conditions->thread);
    do_cond_finish(&conditions->ended);
    do_mutex_finish(&conditions->lock);
    do_free(conditions);
}

/* The policy of a job, as the set of states that it may run under. */
static uint32_t policy_of(const struct do_job *job)
{
    static const uint32_t download_policies[] = {DO_TRANSFER_ALWAYS, DO_TRANSFER_UNRESTRICTED,
        DO_TRANSFER_STANDARD, DO_TRANSFER_NOT_ROAMING, DO_TRANSFER_NO_SURCHARGE,
        DO_TRANSFER_ALWAYS};
    const struct do_values *values = &job->record.values;
    uint32_t standard =
        job->record.priority == DO_PRIORITY_FOREGROUND ? DO_TRANSFER_ALWAYS : DO_TRANSFER_STANDARD;
    const struct do_value *policy = do_values_get(values, DO_PROP_COST_POLICY);

    if (!do_job_is_download(job))
        return (uint32_t)do_values_number(values, DO_PROP_COST_FLAGS, standard);
    if (policy && policy->number < DO_COUNT_OF(download_policies))
        return download_policies[policy->number];
    return standard;
}

/* Property 22, and the policy that it has replaced. (Source: sdk-api, DODownloadCostPolicy.) */
static bool refuses_cellular(const struct do_job *job)
{
    const struct do_values *values = &job->record.values;

    return do_values_number(values, DO_PROP_NO_CELLULAR, 0) ||
           (do_job_is_download(job) && do_values_number(values, DO_PROP_COST_POLICY, 0) == 5);
}

HRESULT do_conditions_check_on_loop(struct do_conditions *conditions, const struct do_job *job)
{
    const struct do_network_cost *cost = &conditions->cost;

    if (conditions->ask && !conditions->thread &&
        FAILED(do_thread_start("do-conditions", conditions_main, conditions, &conditions->thread)))
        do_log(DO_LOG_WARN, DO_LOG_JOB, "the network's cost is not watched");
    if (cost->is_cellular && refuses_cellular(job))
        return DO_E_BLOCKED_BY_CELLULAR_POLICY;
    if (cost->state && !(cost->state & policy_of(job)))
        return DO_E_BLOCKED_BY_COST_TRANSFER_POLICY;
    return S_OK;
}
