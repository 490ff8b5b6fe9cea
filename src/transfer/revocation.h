/* SPDX-License-Identifier: MIT */
/*
 * Verdicts about certificates whose revocation is to be checked. Issuers are asked over the network
 * for that, by threads of their own, since it may take as long as they like; what was found out is
 * kept for a while. A request waits without blocking the loop, for some seconds at most. One for
 * each loop. What a check is, is the asker's business (tls_win.c).
 */
#ifndef DO_TRANSFER_REVOCATION_H
#define DO_TRANSFER_REVOCATION_H

#include <stdbool.h>

#include "base/hr.h"
#include "base/list.h"
#include "transfer/loop.h"

struct do_revocation;

/** What a thread is to find out. It owns ctx, by finish. */
struct do_revocation_question
{
    char *key; /* of the verdict: what it depends on, as text; NULL = no question */
    /** A thread of its own, or the loop's. */
    HRESULT (*check)(void *ctx);
    /** Any thread. */
    void (*finish)(void *ctx);
    void *ctx;
};

/** A request that wants a verdict. It lives in its owner; loop thread only. */
struct do_revocation_wait
{
    struct do_list link;
    struct do_revocation *revocation; /* NULL while nothing is waited for */
    struct do_timer timer;
    char *key;
    do_loop_fn known;
    void *ctx;
    HRESULT hr; /* S_OK: look again, the verdict may be there; else it, or why there is none */
};

HRESULT do_revocation_create(struct do_loop *loop, struct do_revocation **revocation);

/**
 * The loop must not run any more. Does not wait for checks: what a thread needs stays until it
 * returns. NULL is accepted.
 */
void do_revocation_destroy(struct do_revocation *revocation);

/** Forgets what could not be checked, since the network is another one. */
void do_revocation_forget_on_loop(struct do_revocation *revocation);

/** Whether there is a verdict that still counts. False for NULL. */
bool do_revocation_find_on_loop(
    struct do_revocation *revocation, const char *key, HRESULT *verdict);

/** Frees the question, which becomes none. */
void do_revocation_question_finish(struct do_revocation_question *question);

void do_revocation_wait_init(struct do_revocation_wait *wait, do_loop_fn known, void *ctx);

/** Stops waiting. May be repeated. */
void do_revocation_wait_finish_on_loop(struct do_revocation_wait *wait);

/**
 * Has the question answered; it is taken in every case. S_OK: there is a verdict already. S_FALSE:
 * known(ctx) is called when wait->hr says something, in some seconds at most, unless
 * do_revocation_wait_finish_on_loop comes first.
 */
HRESULT do_revocation_ask_on_loop(struct do_revocation *revocation,
    struct do_revocation_question *question, struct do_revocation_wait *wait);

#endif
