/* SPDX-License-Identifier: MIT */
/*
 * The loop thread: it owns every job and the curl multi handle. Other threads post operations to
 * it; do_loop_call waits for the answer. Timers and requests exist only on the loop.
 */
#ifndef DO_TRANSFER_LOOP_H
#define DO_TRANSFER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/hr.h"
#include "base/list.h"

struct do_loop;

typedef void (*do_loop_fn)(void *ctx);

/**
 * An operation that can be posted again and again; it lives in its owner. Posting one that already
 * waits does nothing. Its owner must outlive it or cancel it.
 */
struct do_loop_op
{
    struct do_list link;
    do_loop_fn function;
    void *ctx;
};

/** A timer; it lives in its owner and fires once per do_timer_set_on_loop. */
struct do_timer
{
    struct do_list link;
    uint64_t due_ms;
    do_loop_fn function;
    void *ctx;
};

/** Receives the end of a curl transfer that was added to the loop. */
typedef void (*do_loop_curl_fn)(void *ctx, CURLcode result);

/** A loop without a thread; do_loop_run gives it one. */
HRESULT do_loop_create(struct do_loop **loop);

/** The loop must not run any more. NULL is accepted. */
void do_loop_destroy(struct do_loop *loop);

/**
 * Runs until do_loop_quit_on_loop. The calling thread is the loop thread from now on.
 * before_wait (may be NULL) is called in each round before the loop waits.
 */
void do_loop_run(struct do_loop *loop, do_loop_fn before_wait, void *ctx);

/** Makes do_loop_run return after the current round. */
void do_loop_quit_on_loop(struct do_loop *loop);

/** Whether the caller is the loop thread. */
bool do_loop_is_current(struct do_loop *loop);

void do_loop_op_init(struct do_loop_op *op, do_loop_fn function, void *ctx);

/** Queues op, from any thread. Operations run in the order posted. */
void do_loop_post(struct do_loop *loop, struct do_loop_op *op);

/** Takes op out of the queue if it waits there. After this call on the loop it does not run. */
void do_loop_cancel_on_loop(struct do_loop *loop, struct do_loop_op *op);

/** Runs function(ctx) on the loop and returns when it has run. On the loop itself: at once. */
void do_loop_call(struct do_loop *loop, do_loop_fn function, void *ctx);

/** Ends the loop's waiting, so that before_wait runs again. Any thread. */
void do_loop_wake(struct do_loop *loop);

void do_timer_init(struct do_timer *timer, do_loop_fn function, void *ctx);
void do_timer_set_on_loop(struct do_loop *loop, struct do_timer *timer, uint64_t due_ms);
void do_timer_cancel_on_loop(struct do_timer *timer);

/** The time at the beginning of this round (do_clock_ms). */
uint64_t do_loop_now_on_loop(const struct do_loop *loop);

/**
 * Starts a curl transfer. done(ctx) is called once, on the loop, after libcurl is through with it,
 * unless do_loop_remove_curl_on_loop comes first.
 */
HRESULT do_loop_add_curl_on_loop(struct do_loop *loop, CURL *curl, do_loop_curl_fn done, void *ctx);
void do_loop_remove_curl_on_loop(struct do_loop *loop, CURL *curl);

/**
 * For a transfer whose bytes stream in: op runs at the beginning of the next round, which comes
 * after a pause of about a millisecond. Until then the transfer should not read, so that each round
 * is one large read. False: this system cannot pause so briefly, read on. Cancel with
 * do_loop_cancel_on_loop.
 */
bool do_loop_rest_on_loop(struct do_loop *loop, struct do_loop_op *op);

/** More is there to be read already: the next round comes without a pause. */
void do_loop_hurry_on_loop(struct do_loop *loop);

#endif
