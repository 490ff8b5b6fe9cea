/* SPDX-License-Identifier: MIT */
/*
 * The loop: operations, timers, libcurl, and a wait in curl_multi_poll that a post interrupts.
 */
#include "transfer/loop.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/log.h"
#include "plat/plat.h"

/*
 * While bytes stream in, the loop pauses so long between two looks instead of waiting for sockets:
 * they collect in the kernel meanwhile, and a thousand large reads a second are far cheaper than a
 * wake-up, half a dozen system calls (under Wine: server round trips) and a small read for each
 * segment that arrives. Receive windows hold many times what a millisecond can bring. Where waits
 * are coarser than that (do_plat_has_fine_waits) the loop waits for sockets as usual.
 */
#define COLLECT_MS 1U

/* The longest wait; nothing depends on it, since every cause of work ends the wait. */
#define LONGEST_WAIT_MS 60000U

/* What CURLOPT_PRIVATE points to while a transfer is in the multi handle. */
struct curl_slot
{
    do_loop_curl_fn done;
    void *ctx;
};

struct do_loop
{
    CURLM *multi;
    atomic_uint_fast64_t thread_id; /* set once, by do_loop_run */

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond answered; /* an operation of do_loop_call has run */
    struct do_cond woken;    /* ends a pause */
    struct do_list ops;
    bool polls;      /* the loop waits, or is about to wait, in curl_multi_poll */
    bool work_waits; /* somebody called do_loop_wake since the last round began */

    /* On the loop. */
    struct do_list timers; /* unordered: few */
    uint64_t now_ms;
    struct do_list resting; /* operations for the beginning of the next round */
    bool collects;          /* pauses are fine enough */
    bool quit;
    bool bytes_came;
    bool hurries; /* more is there already: a transfer ended, or a full buffer was read */
};

HRESULT do_loop_create(struct do_loop **loop)
{
    struct do_loop *created;

    *loop = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    do_mutex_init(&created->lock);
    do_cond_init(&created->answered);
    do_cond_init(&created->woken);
    do_list_init(&created->ops);
    do_list_init(&created->timers);
    do_list_init(&created->resting);
    created->collects = do_plat_has_fine_waits();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    {
        do_cond_finish(&created->woken);
        do_cond_finish(&created->answered);
        do_mutex_finish(&created->lock);
        do_free(created);
        return E_OUTOFMEMORY;
    }
    if (!(created->multi = curl_multi_init()))
    {
        do_loop_destroy(created);
        return E_OUTOFMEMORY;
    }
    *loop = created;
    return S_OK;
}

static void run_ops(struct do_loop *loop);

void do_loop_destroy(struct do_loop *loop)
{
    if (!loop)
        return;
    /* What was posted while the loop ended still has to give back what it holds. */
    run_ops(loop);
    if (loop->multi)
        (void)curl_multi_cleanup(loop->multi);
    curl_global_cleanup();
    do_cond_finish(&loop->woken);
    do_cond_finish(&loop->answered);
    do_mutex_finish(&loop->lock);
    do_free(loop);
}

bool do_loop_is_current(struct do_loop *loop)
{
    return atomic_load(&loop->thread_id) == do_thread_current_id();
}

void do_loop_op_init(struct do_loop_op *op, do_loop_fn function, void *ctx)
{
    do_list_init(&op->link);
    op->function = function;
    op->ctx = ctx;
}

void do_loop_wake(struct do_loop *loop)
{
    bool polls;

    do_mutex_lock(&loop->lock);
    polls = loop->polls && !loop->work_waits;
    loop->work_waits = true;
    do_cond_signal(&loop->woken);
    do_mutex_unlock(&loop->lock);
    if (polls)
        (void)curl_multi_wakeup(loop->multi);
}

void do_loop_post(struct do_loop *loop, struct do_loop_op *op)
{
    do_mutex_lock(&loop->lock);
    if (do_list_is_empty(&op->link))
        do_list_add_tail(&loop->ops, &op->link);
    do_mutex_unlock(&loop->lock);
    do_loop_wake(loop);
}

void do_loop_cancel_on_loop(struct do_loop *loop, struct do_loop_op *op)
{
    do_mutex_lock(&loop->lock);
    do_list_remove(&op->link);
    do_mutex_unlock(&loop->lock);
}

/* An operation that somebody waits for. */
struct call
{
    struct do_loop *loop;
    do_loop_fn function;
    void *ctx;
    bool answered;
};

static void run_call(void *ctx)
{
    struct call *call = ctx;
    struct do_loop *loop = call->loop;

    call->function(call->ctx);
    do_mutex_lock(&loop->lock);
    call->answered = true;
    do_cond_broadcast(&loop->answered);
    do_mutex_unlock(&loop->lock);
}

void do_loop_call(struct do_loop *loop, do_loop_fn function, void *ctx)
{
    struct call call = {loop, function, ctx, false};
    struct do_loop_op op;

    if (do_loop_is_current(loop))
    {
        function(ctx);
        return;
    }
    do_loop_op_init(&op, run_call, &call);
    do_loop_post(loop, &op);
    do_mutex_lock(&loop->lock);
    while (!call.answered)
        do_cond_wait(&loop->answered, &loop->lock);
    do_mutex_unlock(&loop->lock);
}

static void run_ops(struct do_loop *loop)
{
    for (;;)
    {
        struct do_list *link;
        struct do_loop_op *op;

        do_mutex_lock(&loop->lock);
        link = do_list_pop(&loop->ops);
        do_mutex_unlock(&loop->lock);
        if (!link)
            return;
        op = DO_LIST_ENTRY(link, struct do_loop_op, link);
        op->function(op->ctx);
    }
}

void do_timer_init(struct do_timer *timer, do_loop_fn function, void *ctx)
{
    do_list_init(&timer->link);
    timer->function = function;
    timer->ctx = ctx;
}

void do_timer_set_on_loop(struct do_loop *loop, struct do_timer *timer, uint64_t due_ms)
{
    do_list_remove(&timer->link);
    timer->due_ms = due_ms;
    do_list_add_tail(&loop->timers, &timer->link);
}

void do_timer_cancel_on_loop(struct do_timer *timer)
{
    do_list_remove(&timer->link);
}

/* Runs due timers; a timer's function may set or cancel any timer, hence the fresh start. */
static void run_timers(struct do_loop *loop)
{
    bool again = true;

    while (again)
    {
        again = false;
        DO_LIST_FOR_EACH (link, &loop->timers)
        {
            struct do_timer *timer = DO_LIST_ENTRY(link, struct do_timer, link);

            if (timer->due_ms > loop->now_ms)
                continue;
            do_list_remove(&timer->link);
            timer->function(timer->ctx);
            again = true;
            break;
        }
    }
}

static uint32_t time_to_next_timer(const struct do_loop *loop)
{
    uint64_t wait_ms = LONGEST_WAIT_MS;

    DO_LIST_FOR_EACH (link, &loop->timers)
    {
        const struct do_timer *timer = DO_LIST_ENTRY(link, struct do_timer, link);
        uint64_t left = timer->due_ms > loop->now_ms ? timer->due_ms - loop->now_ms : 0;

        if (left < wait_ms)
            wait_ms = left;
    }
    return (uint32_t)wait_ms;
}

uint64_t do_loop_now_on_loop(const struct do_loop *loop)
{
    return loop->now_ms;
}

HRESULT do_loop_add_curl_on_loop(struct do_loop *loop, CURL *curl, do_loop_curl_fn done, void *ctx)
{
    struct curl_slot *slot;

    assert(do_loop_is_current(loop));
    if (!(slot = do_alloc(sizeof(*slot))))
        return E_OUTOFMEMORY;
    slot->done = done;
    slot->ctx = ctx;
    if (curl_easy_setopt(curl, CURLOPT_PRIVATE, slot) != CURLE_OK ||
        curl_multi_add_handle(loop->multi, curl) != CURLM_OK)
    {
        (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, NULL);
        do_free(slot);
        return E_OUTOFMEMORY;
    }
    return S_OK;
}

void do_loop_remove_curl_on_loop(struct do_loop *loop, CURL *curl)
{
    struct curl_slot *slot = NULL;

    assert(do_loop_is_current(loop));
    (void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&slot);
    if (!slot)
        return;
    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, NULL);
    (void)curl_multi_remove_handle(loop->multi, curl);
    do_free(slot);
}

static void run_curl(struct do_loop *loop)
{
    CURLMsg *message;
    int running;
    int left;

    (void)curl_multi_perform(loop->multi, &running);
    while ((message = curl_multi_info_read(loop->multi, &left)))
    {
        CURL *curl = message->easy_handle;
        CURLcode result = message->data.result;
        struct curl_slot *slot = NULL;
        struct curl_slot ended;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&slot);
        if (!slot)
            continue;
        ended = *slot;
        loop->hurries = true;
        do_loop_remove_curl_on_loop(loop, curl);
        ended.done(ended.ctx, result);
    }
}

bool do_loop_rest_on_loop(struct do_loop *loop, struct do_loop_op *op)
{
    if (!loop->collects)
        return false;
    loop->bytes_came = true;
    if (do_list_is_empty(&op->link))
        do_list_add_tail(&loop->resting, &op->link);
    return true;
}

void do_loop_hurry_on_loop(struct do_loop *loop)
{
    loop->hurries = true;
}

static void run_resting(struct do_loop *loop)
{
    struct do_list *link;

    while ((link = do_list_pop(&loop->resting)))
    {
        struct do_loop_op *op = DO_LIST_ENTRY(link, struct do_loop_op, link);

        op->function(op->ctx);
    }
}

void do_loop_quit_on_loop(struct do_loop *loop)
{
    loop->quit = true;
}

/* Between two looks at sockets that stream. */
static void pause_briefly(struct do_loop *loop)
{
    do_mutex_lock(&loop->lock);
    if (!loop->work_waits)
        (void)do_cond_wait_ms(&loop->woken, &loop->lock, COLLECT_MS);
    do_mutex_unlock(&loop->lock);
}

/* Until a socket, a timer or do_loop_wake has something. */
static void wait_for_work(struct do_loop *loop)
{
    bool wait;

    do_mutex_lock(&loop->lock);
    wait = !loop->work_waits;
    loop->polls = wait;
    do_mutex_unlock(&loop->lock);
    if (!wait)
        return;
    loop->now_ms = do_clock_ms();
    (void)curl_multi_poll(loop->multi, NULL, 0, (int)time_to_next_timer(loop), NULL);
    do_mutex_lock(&loop->lock);
    loop->polls = false;
    do_mutex_unlock(&loop->lock);
}

static void begin_round(struct do_loop *loop)
{
    do_mutex_lock(&loop->lock);
    loop->work_waits = false;
    do_mutex_unlock(&loop->lock);
    loop->now_ms = do_clock_ms();
    loop->bytes_came = false;
    loop->hurries = false;
}

void do_loop_run(struct do_loop *loop, do_loop_fn before_wait, void *ctx)
{
    atomic_store(&loop->thread_id, do_thread_current_id());
    while (!loop->quit)
    {
        begin_round(loop);
        run_ops(loop);
        run_timers(loop);
        run_resting(loop);
        run_curl(loop);
        if (before_wait)
            before_wait(ctx);
        if (loop->quit || loop->hurries)
            continue;
        if (loop->bytes_came)
            pause_briefly(loop);
        else
            wait_for_work(loop);
    }
}
