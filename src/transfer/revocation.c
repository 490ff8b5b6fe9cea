/* SPDX-License-Identifier: MIT */
/*
 * The threads that check, and their verdicts. Waits belong to the loop, verdicts to all under the
 * lock. A thread may be inside the system for minutes, under Wine for good: there are several, so
 * that one issuer's silence is not everybody's, and whoever destroys this meanwhile leaves it to
 * the last of them. Threads end when there is nothing to do; each holds its module.
 */
#include "transfer/revocation.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/plat.h"

/* How long a good verdict counts, and how long a bad one. */
#define GOOD_MS 300000U
#define BAD_MS 60000U

/* How long a request waits; after that the certificate counts as not checked for BAD_MS. */
#define LONGEST_WAIT_MS 10000U

#define MAX_THREADS 16U
#define MAX_VERDICTS 64U

enum verdict_state
{
    VERDICT_WANTED,
    VERDICT_ASKED,
    VERDICT_KNOWN
};

struct verdict
{
    struct do_list link;
    enum verdict_state state;
    char *key;
    struct do_revocation_question question; /* while it is wanted */
    uint64_t until_ms;
    HRESULT hr;
};

struct do_revocation
{
    struct do_loop *loop;
    struct do_loop_op news_op;

    /* On the loop. */
    struct do_list waits;

    /* Under lock. */
    struct do_mutex lock;
    bool closed;
    uint32_t threads;
    struct do_list verdicts; /* oldest first */
    size_t verdict_count;
};

void do_revocation_question_finish(struct do_revocation_question *question)
{
    if (question->ctx)
        question->finish(question->ctx);
    do_free(question->key);
    memset(question, 0, sizeof(*question));
}

static void remove_locked(struct do_revocation *revocation, struct verdict *verdict)
{
    do_list_remove(&verdict->link);
    revocation->verdict_count--;
    do_revocation_question_finish(&verdict->question);
    do_free(verdict->key);
    do_free(verdict);
}

static struct verdict *find_locked(const struct do_revocation *revocation, const char *key)
{
    DO_LIST_FOR_EACH (link, &revocation->verdicts)
    {
        struct verdict *verdict = DO_LIST_ENTRY(link, struct verdict, link);

        if (strcmp(verdict->key, key) == 0)
            return verdict;
    }
    return NULL;
}

static void keep_locked(struct verdict *verdict, HRESULT hr)
{
    verdict->state = VERDICT_KNOWN;
    verdict->hr = hr;
    verdict->until_ms = do_clock_ms() + (SUCCEEDED(hr) ? GOOD_MS : BAD_MS);
    do_revocation_question_finish(&verdict->question);
}

static void destroy_revocation(struct do_revocation *revocation)
{
    do_mutex_finish(&revocation->lock);
    do_free(revocation);
}

/* The threads */

static struct verdict *next_wanted_locked(const struct do_revocation *revocation)
{
    DO_LIST_FOR_EACH (link, &revocation->verdicts)
    {
        struct verdict *verdict = DO_LIST_ENTRY(link, struct verdict, link);

        if (verdict->state == VERDICT_WANTED)
            return verdict;
    }
    return NULL;
}

/* The verdict may be given up, forgotten and wanted again meanwhile: what is found out counts. */
static void check_locked(struct do_revocation *revocation, struct verdict *verdict)
{
    struct do_revocation_question question = verdict->question;
    HRESULT hr;

    memset(&verdict->question, 0, sizeof(verdict->question));
    verdict->state = VERDICT_ASKED;
    do_mutex_unlock(&revocation->lock);
    hr = question.check(question.ctx);
    do_mutex_lock(&revocation->lock);
    if ((verdict = find_locked(revocation, question.key)))
        keep_locked(verdict, hr);
    do_revocation_question_finish(&question);
    /* Under the lock, so that the loop cannot be gone before the post has returned. */
    if (!revocation->closed)
        do_loop_post(revocation->loop, &revocation->news_op);
}

static void check_main(void *ctx)
{
    struct do_revocation *revocation = ctx;
    struct verdict *verdict;
    bool is_last;

    do_mutex_lock(&revocation->lock);
    /* Once it is closed there are no verdicts. */
    while ((verdict = next_wanted_locked(revocation)))
        check_locked(revocation, verdict);
    is_last = --revocation->threads == 0 && revocation->closed;
    do_mutex_unlock(&revocation->lock);
    if (is_last)
        destroy_revocation(revocation);
}

/* The loop */

/* An old verdict makes room for a new question. */
static void make_room_locked(struct do_revocation *revocation)
{
    DO_LIST_FOR_EACH (link, &revocation->verdicts)
    {
        struct verdict *verdict = DO_LIST_ENTRY(link, struct verdict, link);

        if (revocation->verdict_count < MAX_VERDICTS)
            return;
        if (verdict->state == VERDICT_KNOWN)
        {
            remove_locked(revocation, verdict);
            return;
        }
    }
}

static struct verdict *find_current_locked(struct do_revocation *revocation, const char *key)
{
    struct verdict *verdict = find_locked(revocation, key);

    if (!verdict || verdict->state != VERDICT_KNOWN || verdict->until_ms > do_clock_ms())
        return verdict;
    remove_locked(revocation, verdict);
    return NULL;
}

/* Takes the question. */
static HRESULT want_locked(
    struct do_revocation *revocation, struct do_revocation_question *question)
{
    struct verdict *verdict;

    make_room_locked(revocation);
    if (!(verdict = do_alloc(sizeof(*verdict))))
        return E_OUTOFMEMORY;
    if (!(verdict->key = do_str_dup(question->key)))
    {
        do_free(verdict);
        return E_OUTOFMEMORY;
    }
    verdict->question = *question;
    memset(question, 0, sizeof(*question));
    do_list_add_tail(&revocation->verdicts, &verdict->link);
    revocation->verdict_count++;
    return S_OK;
}

/* One thread more for one question more, up to the limit. */
static HRESULT start_thread(struct do_revocation *revocation)
{
    struct do_thread *thread;
    bool is_wanted;
    HRESULT hr;

    do_mutex_lock(&revocation->lock);
    if ((is_wanted = revocation->threads < MAX_THREADS))
        revocation->threads++;
    do_mutex_unlock(&revocation->lock);
    if (!is_wanted)
        return S_OK;
    hr = do_thread_start("do-revocation", check_main, revocation, &thread);
    if (SUCCEEDED(hr))
    {
        do_thread_detach(thread);
        return S_OK;
    }
    do_mutex_lock(&revocation->lock);
    revocation->threads--;
    do_mutex_unlock(&revocation->lock);
    return hr;
}

static void forget_question(struct do_revocation *revocation, const char *key)
{
    struct verdict *verdict;

    do_mutex_lock(&revocation->lock);
    verdict = find_locked(revocation, key);
    if (verdict && verdict->state == VERDICT_WANTED)
        remove_locked(revocation, verdict);
    do_mutex_unlock(&revocation->lock);
}

static void stop_waiting(struct do_revocation_wait *wait)
{
    do_list_remove(&wait->link);
    do_timer_cancel_on_loop(&wait->timer);
    wait->revocation = NULL;
}

/* Whether the wait is over. A verdict that had to make room is to be asked for anew. */
static bool settle_locked(const struct do_revocation *revocation, struct do_revocation_wait *wait)
{
    const struct verdict *verdict = find_locked(revocation, wait->key);

    if (verdict && verdict->state != VERDICT_KNOWN)
        return false;
    wait->hr = verdict ? verdict->hr : S_OK;
    return true;
}

/* The first wait that is over, no longer waiting. */
static struct do_revocation_wait *next_settled(struct do_revocation *revocation)
{
    struct do_revocation_wait *settled = NULL;

    do_mutex_lock(&revocation->lock);
    DO_LIST_FOR_EACH (link, &revocation->waits)
    {
        struct do_revocation_wait *wait = DO_LIST_ENTRY(link, struct do_revocation_wait, link);

        if (settle_locked(revocation, wait))
        {
            settled = wait;
            break;
        }
    }
    do_mutex_unlock(&revocation->lock);
    if (settled)
        stop_waiting(settled);
    return settled;
}

/* Whoever is told may end other waits and begin new ones. */
static void on_news(void *ctx)
{
    struct do_revocation *revocation = ctx;
    struct do_revocation_wait *wait;

    while ((wait = next_settled(revocation)))
        wait->known(wait->ctx);
}

static void on_too_slow(void *ctx)
{
    struct do_revocation_wait *wait = ctx;
    struct do_revocation *revocation = wait->revocation;
    struct verdict *verdict;

    do_log(DO_LOG_WARN, DO_LOG_HTTP, "who knows of revocations does not answer");
    do_mutex_lock(&revocation->lock);
    if ((verdict = find_locked(revocation, wait->key)))
        keep_locked(verdict, DO_HR_NET_CERT_REV_FAILED);
    do_mutex_unlock(&revocation->lock);
    on_news(revocation);
}

static HRESULT begin_waiting(struct do_revocation *revocation, struct do_revocation_wait *wait)
{
    wait->revocation = revocation;
    do_list_add_tail(&revocation->waits, &wait->link);
    do_timer_set_on_loop(
        revocation->loop, &wait->timer, do_loop_now_on_loop(revocation->loop) + LONGEST_WAIT_MS);
    return S_FALSE;
}

HRESULT do_revocation_ask_on_loop(struct do_revocation *revocation,
    struct do_revocation_question *question, struct do_revocation_wait *wait)
{
    const struct verdict *verdict;
    bool is_known;
    bool is_new = false;
    HRESULT hr;

    do_revocation_wait_finish_on_loop(wait);
    if (FAILED(hr = do_str_assign(&wait->key, question->key)))
        goto done;
    do_mutex_lock(&revocation->lock);
    verdict = find_current_locked(revocation, wait->key);
    is_known = verdict && verdict->state == VERDICT_KNOWN;
    if (!verdict)
        is_new = SUCCEEDED(hr = want_locked(revocation, question));
    do_mutex_unlock(&revocation->lock);
    if (is_new && FAILED(hr = start_thread(revocation)))
        forget_question(revocation, wait->key);
    if (SUCCEEDED(hr) && !is_known)
        hr = begin_waiting(revocation, wait);

done:
    do_revocation_question_finish(question);
    return hr;
}

bool do_revocation_find_on_loop(struct do_revocation *revocation, const char *key, HRESULT *verdict)
{
    const struct verdict *found;
    bool is_known;

    *verdict = DO_HR_NET_CERT_REV_FAILED;
    if (!revocation)
        return false;
    do_mutex_lock(&revocation->lock);
    found = find_current_locked(revocation, key);
    if ((is_known = found && found->state == VERDICT_KNOWN))
        *verdict = found->hr;
    do_mutex_unlock(&revocation->lock);
    return is_known;
}

void do_revocation_wait_init(struct do_revocation_wait *wait, do_loop_fn known, void *ctx)
{
    memset(wait, 0, sizeof(*wait));
    do_list_init(&wait->link);
    do_timer_init(&wait->timer, on_too_slow, wait);
    wait->known = known;
    wait->ctx = ctx;
}

void do_revocation_wait_finish_on_loop(struct do_revocation_wait *wait)
{
    stop_waiting(wait);
    do_free(wait->key);
    wait->key = NULL;
    wait->hr = S_OK;
}

void do_revocation_forget_on_loop(struct do_revocation *revocation)
{
    struct do_list *next;

    do_mutex_lock(&revocation->lock);
    for (struct do_list *link = revocation->verdicts.next; link != &revocation->verdicts;
         link = next)
    {
        struct verdict *verdict = DO_LIST_ENTRY(link, struct verdict, link);

        next = link->next;
        if (verdict->state == VERDICT_KNOWN && verdict->hr == DO_HR_NET_CERT_REV_FAILED)
            remove_locked(revocation, verdict);
    }
    do_mutex_unlock(&revocation->lock);
}

HRESULT do_revocation_create(struct do_loop *loop, struct do_revocation **revocation)
{
    struct do_revocation *created;

    if (!(*revocation = created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->loop = loop;
    do_loop_op_init(&created->news_op, on_news, created);
    do_list_init(&created->waits);
    do_list_init(&created->verdicts);
    do_mutex_init(&created->lock);
    return S_OK;
}

void do_revocation_destroy(struct do_revocation *revocation)
{
    bool is_free;

    if (!revocation)
        return;
    /* Without verdicts threads find nothing more to do. */
    do_mutex_lock(&revocation->lock);
    revocation->closed = true;
    while (!do_list_is_empty(&revocation->verdicts))
        remove_locked(revocation, DO_LIST_ENTRY(revocation->verdicts.next, struct verdict, link));
    /* Nobody posts it any more, and it must not stay behind in the loop. */
    do_loop_cancel_on_loop(revocation->loop, &revocation->news_op);
    is_free = revocation->threads == 0;
    do_mutex_unlock(&revocation->lock);
    /* Else the last thread frees it, at any moment now. */
    if (is_free)
        destroy_revocation(revocation);
}
