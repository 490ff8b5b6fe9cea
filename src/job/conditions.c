/* SPDX-License-Identifier: MIT */
/*
 * The thread that asks for the network and its cost, and what follows from an answer.
 */
#include "job/conditions.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "job/job_internal.h"
#include "transfer/url.h"

/* What is asked for. */
struct answer
{
    struct do_network_cost cost;
    struct do_network network;
};

struct do_conditions
{
    struct do_engine *engine;
    struct do_conditions_settings settings;
    struct do_loop_op news_op;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond changed;
    bool quit;
    bool watched; /* written by the loop alone */
    struct answer answer;

    /* On the loop. */
    struct do_thread *thread; /* NULL before the first job runs */
    struct answer known;
    bool saw_network;
};

/* False: the thread is to end. */
static bool wait_for_next(struct do_conditions *conditions)
{
    const struct do_conditions_settings *settings = &conditions->settings;
    bool watched;
    bool quit;

    do_mutex_lock(&conditions->lock);
    watched = conditions->watched;
    if (!conditions->quit)
        (void)do_cond_wait_ms(&conditions->changed, &conditions->lock,
            watched && settings->network_ms < settings->cost_ms ? settings->network_ms
                                                                : settings->cost_ms);
    quit = conditions->quit;
    do_mutex_unlock(&conditions->lock);
    return !quit;
}

static bool is_same_network(const struct do_network *a, const struct do_network *b)
{
    return a->reach == b->reach && a->mark == b->mark;
}

/* Another network may have another cost. */
static void ask(struct do_conditions *conditions, struct answer *answer, uint64_t *cost_due_ms)
{
    const struct do_conditions_settings *settings = &conditions->settings;
    struct do_network before = answer->network;
    uint64_t now_ms = do_clock_ms();

    settings->network(&answer->network);
    if (!settings->cost || (now_ms < *cost_due_ms && is_same_network(&before, &answer->network)))
        return;
    *cost_due_ms = now_ms + settings->cost_ms;
    answer->cost = (struct do_network_cost){0, false};
    settings->cost(&answer->cost);
}

static void conditions_main(void *ctx)
{
    struct do_conditions *conditions = ctx;
    const struct do_engine_config *config = &conditions->engine->config;
    struct answer answer = {{0, false}, {DO_NETWORK_UNKNOWN, 0}};
    uint64_t cost_due_ms = 0;

    if (config->delivery_begins)
        config->delivery_begins();
    do
    {
        bool is_news;

        ask(conditions, &answer, &cost_due_ms);
        do_mutex_lock(&conditions->lock);
        is_news = !conditions->quit &&
                  (answer.cost.state != conditions->answer.cost.state ||
                      answer.cost.is_cellular != conditions->answer.cost.is_cellular ||
                      !is_same_network(&answer.network, &conditions->answer.network));
        conditions->answer = answer;
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
    struct do_network before = conditions->known.network;
    const struct do_network *now = &conditions->known.network;
    const struct do_network_cost *cost = &conditions->known.cost;

    do_mutex_lock(&conditions->lock);
    conditions->known = conditions->answer;
    do_mutex_unlock(&conditions->lock);
    do_log(DO_LOG_INFO, DO_LOG_JOB, "network reach is %d, its cost 0x%02x%s", (int)now->reach,
        cost->state, cost->is_cellular ? ", cellular" : "");
    if (now->reach == DO_NETWORK_UP)
        conditions->saw_network = true;
    do_engine_apply_conditions_on_loop(conditions->engine);
    if (before.reach != DO_NETWORK_UNKNOWN && !is_same_network(&before, now))
        do_engine_change_network_on_loop(conditions->engine);
}

HRESULT do_conditions_create(struct do_engine *engine,
    const struct do_conditions_settings *settings, struct do_conditions **conditions)
{
    struct do_conditions *created;

    if (!(*conditions = created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->engine = engine;
    created->settings = *settings;
    do_mutex_init(&created->lock);
    do_cond_init(&created->changed);
    do_loop_op_init(&created->news_op, on_news, created);
    return S_OK;
}

void do_conditions_destroy(struct do_conditions *conditions)
{
    if (!conditions)
        return;
    do_mutex_lock(&conditions->lock);
    conditions->quit = true;
    do_cond_signal(&conditions->changed);
    do_mutex_unlock(&conditions->lock);
    do_thread_join(conditions->thread);
    /* The loop, if the engine got so far, runs what is still posted when it is destroyed: later. */
    if (conditions->engine->env.loop)
        do_loop_cancel_on_loop(conditions->engine->env.loop, &conditions->news_op);
    do_cond_finish(&conditions->changed);
    do_mutex_finish(&conditions->lock);
    do_free(conditions);
}

void do_conditions_set_watched_on_loop(struct do_conditions *conditions, bool watched)
{
    if (watched == conditions->watched)
        return;
    do_mutex_lock(&conditions->lock);
    conditions->watched = watched;
    do_cond_signal(&conditions->changed);
    do_mutex_unlock(&conditions->lock);
}

/* Network */

/* Whether the file that the job is at, or comes to next, is on this machine. */
static bool is_local(const struct do_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
    {
        const struct do_file_record *record = &job->files[i]->record;

        if (!record->transferred)
            return do_url_is_local(record->url);
    }
    return false;
}

bool do_conditions_lacks_network_on_loop(
    const struct do_conditions *conditions, const struct do_job *job)
{
    switch (conditions->known.network.reach)
    {
    case DO_NETWORK_UNKNOWN:
    case DO_NETWORK_UP:
        break;
    case DO_NETWORK_NONE:
        return true;
    case DO_NETWORK_LOCAL:
        return !is_local(job);
    }
    return false;
}

/* Cost */

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
    const struct do_network_cost *cost = &conditions->known.cost;

    if (!conditions->thread &&
        FAILED(do_thread_start("do-conditions", conditions_main, conditions, &conditions->thread)))
        do_log(DO_LOG_WARN, DO_LOG_JOB, "the network is not watched");
    if (conditions->saw_network && do_conditions_lacks_network_on_loop(conditions, job))
        return DO_E_BLOCKED_BY_NO_NETWORK;
    if (cost->is_cellular && refuses_cellular(job))
        return DO_E_BLOCKED_BY_CELLULAR_POLICY;
    if (cost->state && !(cost->state & policy_of(job)))
        return DO_E_BLOCKED_BY_COST_TRANSFER_POLICY;
    return S_OK;
}
