/* SPDX-License-Identifier: MIT */
/*
 * The thread that asks the user's proxy script, and its answers. Waits belong to the loop, answers
 * to both under the lock. The thread may be inside the system for minutes: whoever destroys the
 * lookup meanwhile leaves it to the thread.
 */
#include "transfer/proxy_lookup.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/plat.h"

/* How long an answer counts, and how long that there was none. */
#define ANSWER_MS 300000U
#define FAILURE_MS 60000U

/* How long a request waits; after that the script counts as missing for FAILURE_MS. */
#define LONGEST_WAIT_MS 10000U

#define MAX_ANSWERS 64U

enum answer_state
{
    ANSWER_WANTED,
    ANSWER_ASKED,
    ANSWER_KNOWN
};

struct answer
{
    struct do_list link;
    enum answer_state state;
    char *url;
    uint64_t until_ms;
    bool by_script;
    struct do_proxy_settings settings;
};

struct do_proxy_lookup
{
    struct do_loop *loop;
    const struct do_proxy_source *source;
    struct do_loop_op news_op;

    /* On the loop. */
    struct do_thread *thread; /* NULL before the first question */
    struct do_list waits;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond wanted;
    bool closed;
    bool asking; /* the thread is inside the script */
    bool has_script;
    struct do_proxy_script script; /* that the answers are from */
    uint64_t generation;           /* of the answers: rises whenever all are forgotten */
    uint64_t failed_until_ms;      /* the script is too slow to wait for */
    struct do_list answers;        /* oldest first */
    size_t answer_count;
};

static void destroy_answer(struct answer *answer)
{
    do_proxy_settings_finish(&answer->settings);
    do_free(answer->url);
    do_free(answer);
}

static void remove_answer_locked(struct do_proxy_lookup *lookup, struct answer *answer)
{
    do_list_remove(&answer->link);
    lookup->answer_count--;
    destroy_answer(answer);
}

static void forget_locked(struct do_proxy_lookup *lookup)
{
    struct do_list *link;

    while ((link = do_list_pop(&lookup->answers)))
        destroy_answer(DO_LIST_ENTRY(link, struct answer, link));
    lookup->answer_count = 0;
    lookup->failed_until_ms = 0;
    lookup->generation++;
}

static void destroy_lookup(struct do_proxy_lookup *lookup)
{
    forget_locked(lookup);
    do_proxy_script_finish(&lookup->script);
    do_cond_finish(&lookup->wanted);
    do_mutex_finish(&lookup->lock);
    do_free(lookup);
}

static struct answer *find_locked(struct do_proxy_lookup *lookup, const char *url)
{
    DO_LIST_FOR_EACH (link, &lookup->answers)
    {
        struct answer *answer = DO_LIST_ENTRY(link, struct answer, link);

        if (strcmp(answer->url, url) == 0)
            return answer;
    }
    return NULL;
}

/* The thread */

static struct answer *next_wanted_locked(struct do_proxy_lookup *lookup)
{
    DO_LIST_FOR_EACH (link, &lookup->answers)
    {
        struct answer *answer = DO_LIST_ENTRY(link, struct answer, link);

        if (answer->state == ANSWER_WANTED)
            return answer;
    }
    return NULL;
}

static void keep_locked(
    struct do_proxy_lookup *lookup, const char *url, HRESULT hr, struct do_proxy_settings *settings)
{
    struct answer *answer = find_locked(lookup, url);

    if (!answer)
        return;
    answer->state = ANSWER_KNOWN;
    answer->by_script = SUCCEEDED(hr);
    answer->until_ms = do_clock_ms() + (answer->by_script ? ANSWER_MS : FAILURE_MS);
    answer->settings = *settings;
    memset(settings, 0, sizeof(*settings));
    if (answer->by_script)
        lookup->failed_until_ms = 0;
}

/* Copies what the thread is to ask. False: out of memory. */
static bool copy_question_locked(const struct do_proxy_lookup *lookup, const struct answer *answer,
    struct do_proxy_script *script, char **url)
{
    script->is_detected = lookup->script.is_detected;
    script->url = do_str_dup(lookup->script.url);
    *url = do_str_dup(answer->url);
    return *url && (script->url || !lookup->script.url);
}

static void ask_locked(struct do_proxy_lookup *lookup, struct answer *answer)
{
    struct do_proxy_settings settings = {NULL, NULL};
    struct do_proxy_script script = {false, NULL};
    uint64_t generation = lookup->generation;
    HRESULT hr = E_OUTOFMEMORY;
    char *url = NULL;

    answer->state = ANSWER_ASKED;
    if (copy_question_locked(lookup, answer, &script, &url))
    {
        lookup->asking = true;
        do_mutex_unlock(&lookup->lock);
        hr = lookup->source->ask_script(&script, url, &settings);
        do_mutex_lock(&lookup->lock);
        lookup->asking = false;
        if (generation == lookup->generation)
            keep_locked(lookup, url, hr, &settings);
    }
    else
        remove_answer_locked(lookup, answer);
    do_proxy_settings_finish(&settings);
    do_proxy_script_finish(&script);
    do_free(url);
    if (FAILED(hr))
        do_log(DO_LOG_WARN, DO_LOG_HTTP, "no answer from the user's proxy script: 0x%08x",
            (unsigned int)hr);
    /* Under the lock, so that the loop cannot be gone before the post has returned. */
    if (!lookup->closed)
        do_loop_post(lookup->loop, &lookup->news_op);
}

static void lookup_main(void *ctx)
{
    struct do_proxy_lookup *lookup = ctx;
    bool is_mine = false; /* it was destroyed while this thread was inside the script */

    do_mutex_lock(&lookup->lock);
    while (!lookup->closed)
    {
        struct answer *answer = next_wanted_locked(lookup);

        if (answer)
        {
            ask_locked(lookup, answer);
            is_mine = lookup->closed;
        }
        else
            do_cond_wait(&lookup->wanted, &lookup->lock);
    }
    do_mutex_unlock(&lookup->lock);
    if (is_mine)
        destroy_lookup(lookup);
}

/* The loop */

/* An old answer makes room for a new question. */
static void make_room_locked(struct do_proxy_lookup *lookup)
{
    DO_LIST_FOR_EACH (link, &lookup->answers)
    {
        struct answer *answer = DO_LIST_ENTRY(link, struct answer, link);

        if (lookup->answer_count < MAX_ANSWERS)
            return;
        if (answer->state == ANSWER_KNOWN)
        {
            remove_answer_locked(lookup, answer);
            return;
        }
    }
}

/* The answer for url; the thread is asked for it when it is not known (any more). */
static HRESULT want_locked(
    struct do_proxy_lookup *lookup, const char *url, const struct answer **wanted)
{
    struct answer *answer = find_locked(lookup, url);

    if (answer && answer->state == ANSWER_KNOWN && answer->until_ms <= do_clock_ms())
    {
        remove_answer_locked(lookup, answer);
        answer = NULL;
    }
    if ((*wanted = answer))
        return S_OK;
    make_room_locked(lookup);
    if (!(answer = do_alloc(sizeof(*answer))))
        return E_OUTOFMEMORY;
    if (!(answer->url = do_str_dup(url)))
    {
        do_free(answer);
        return E_OUTOFMEMORY;
    }
    do_list_add_tail(&lookup->answers, &answer->link);
    lookup->answer_count++;
    do_cond_signal(&lookup->wanted);
    *wanted = answer;
    return S_OK;
}

/* Whether the wait is over: its answer, or why there is none, is then in it. */
static bool settle_locked(struct do_proxy_lookup *lookup, struct do_proxy_wait *wait)
{
    const struct answer *answer;

    wait->by_script = false;
    wait->hr = S_OK;
    if (!lookup->has_script || FAILED(wait->hr = want_locked(lookup, wait->url, &answer)))
        return true;
    if (answer->state != ANSWER_KNOWN)
        return lookup->failed_until_ms > do_clock_ms();
    wait->by_script = answer->by_script;
    if (FAILED(wait->hr = do_str_assign(&wait->settings.list, answer->settings.list)))
        return true;
    wait->hr = do_str_assign(&wait->settings.bypass, answer->settings.bypass);
    return true;
}

static void stop_waiting(struct do_proxy_wait *wait)
{
    do_list_remove(&wait->link);
    do_timer_cancel_on_loop(&wait->timer);
    wait->lookup = NULL;
}

/* The first wait that is over, no longer waiting. */
static struct do_proxy_wait *next_settled(struct do_proxy_lookup *lookup)
{
    struct do_proxy_wait *settled = NULL;

    do_mutex_lock(&lookup->lock);
    DO_LIST_FOR_EACH (link, &lookup->waits)
    {
        struct do_proxy_wait *wait = DO_LIST_ENTRY(link, struct do_proxy_wait, link);

        if (settle_locked(lookup, wait))
        {
            settled = wait;
            break;
        }
    }
    do_mutex_unlock(&lookup->lock);
    if (settled)
        stop_waiting(settled);
    return settled;
}

/* Whoever is told may end other waits and begin new ones. */
static void on_news(void *ctx)
{
    struct do_proxy_lookup *lookup = ctx;
    struct do_proxy_wait *wait;

    while ((wait = next_settled(lookup)))
        wait->known(wait->ctx);
}

static void on_too_slow(void *ctx)
{
    struct do_proxy_wait *wait = ctx;
    struct do_proxy_lookup *lookup = wait->lookup;

    do_log(DO_LOG_WARN, DO_LOG_HTTP, "the user's proxy script does not answer");
    do_mutex_lock(&lookup->lock);
    lookup->failed_until_ms = do_clock_ms() + FAILURE_MS;
    do_mutex_unlock(&lookup->lock);
    on_news(lookup);
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Forgets the answers; whoever waits gets a new one. */
static void renew_locked(struct do_proxy_lookup *lookup)
{
    const struct answer *answer;

    forget_locked(lookup);
    DO_LIST_FOR_EACH (link, &lookup->waits)
    {
        const struct do_proxy_wait *wait = DO_LIST_ENTRY(link, struct do_proxy_wait, link);

        /* One that fails is asked for again when the waits are looked at. */
        (void)want_locked(lookup, wait->url, &answer);
    }
}

/* Takes over what get_script said. */
static void use_script_locked(
    struct do_proxy_lookup *lookup, bool has_script, struct do_proxy_script *script)
{
    if (has_script == lookup->has_script && script->is_detected == lookup->script.is_detected &&
        is_same_text(script->url, lookup->script.url))
        return;
    do_proxy_script_finish(&lookup->script);
    lookup->script = *script;
    lookup->has_script = has_script;
    script->url = NULL;
    if (has_script)
        renew_locked(lookup);
    else
        forget_locked(lookup);
    do_loop_post(lookup->loop, &lookup->news_op);
}

static HRESULT begin_waiting(struct do_proxy_lookup *lookup, struct do_proxy_wait *wait)
{
    HRESULT hr = S_OK;

    if (!lookup->thread)
        hr = do_thread_start("do-proxy", lookup_main, lookup, &lookup->thread);
    if (FAILED(hr))
        return hr;
    wait->lookup = lookup;
    do_list_add_tail(&lookup->waits, &wait->link);
    do_timer_set_on_loop(
        lookup->loop, &wait->timer, do_loop_now_on_loop(lookup->loop) + LONGEST_WAIT_MS);
    return S_FALSE;
}

HRESULT do_proxy_lookup_ask_on_loop(
    struct do_proxy_lookup *lookup, const char *url, struct do_proxy_wait *wait)
{
    struct do_proxy_script script = {false, NULL};
    HRESULT hr = lookup->source->get_script(&script);
    bool has_script = hr == S_OK;
    bool is_settled;

    do_proxy_wait_finish_on_loop(wait);
    if (FAILED(hr) || (has_script && FAILED(hr = do_str_assign(&wait->url, url))))
        goto done;
    do_mutex_lock(&lookup->lock);
    use_script_locked(lookup, has_script, &script);
    is_settled = settle_locked(lookup, wait);
    do_mutex_unlock(&lookup->lock);
    hr = is_settled ? wait->hr : begin_waiting(lookup, wait);

done:
    do_proxy_script_finish(&script);
    return hr;
}

void do_proxy_wait_init(struct do_proxy_wait *wait, do_loop_fn known, void *ctx)
{
    memset(wait, 0, sizeof(*wait));
    do_list_init(&wait->link);
    do_timer_init(&wait->timer, on_too_slow, wait);
    wait->known = known;
    wait->ctx = ctx;
}

void do_proxy_wait_finish_on_loop(struct do_proxy_wait *wait)
{
    stop_waiting(wait);
    do_free(wait->url);
    wait->url = NULL;
    wait->by_script = false;
    do_proxy_settings_finish(&wait->settings);
}

void do_proxy_lookup_forget_on_loop(struct do_proxy_lookup *lookup)
{
    do_mutex_lock(&lookup->lock);
    renew_locked(lookup);
    do_mutex_unlock(&lookup->lock);
}

HRESULT do_proxy_lookup_create(
    struct do_loop *loop, const struct do_proxy_source *source, struct do_proxy_lookup **lookup)
{
    static const struct do_proxy_source system_source = {
        do_proxy_get_user_script, do_proxy_ask_script};
    struct do_proxy_lookup *created;

    if (!(*lookup = created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->loop = loop;
    created->source = source ? source : &system_source;
    do_loop_op_init(&created->news_op, on_news, created);
    do_list_init(&created->waits);
    do_list_init(&created->answers);
    do_mutex_init(&created->lock);
    do_cond_init(&created->wanted);
    return S_OK;
}

void do_proxy_lookup_destroy(struct do_proxy_lookup *lookup)
{
    struct do_thread *thread;
    bool asking;

    if (!lookup)
        return;
    thread = lookup->thread;
    do_mutex_lock(&lookup->lock);
    lookup->closed = true;
    asking = lookup->asking;
    do_cond_signal(&lookup->wanted);
    /* Nobody posts it any more, and it must not stay behind in the loop. */
    do_loop_cancel_on_loop(lookup->loop, &lookup->news_op);
    do_mutex_unlock(&lookup->lock);
    if (asking)
    {
        /* From here on it is the thread's. */
        do_thread_detach(thread);
        return;
    }
    do_thread_join(thread);
    destroy_lookup(lookup);
}
