/* SPDX-License-Identifier: MIT */
/*
 * Which proxy the user's script (PAC, WPAD) names for a URL. The script is fetched and run by a
 * thread of its own, since that may take seconds, and what it says is kept for a while for each
 * origin. A request waits for the answer without blocking the loop; a script that is missing, slow
 * or wrong counts as none. One for each loop.
 */
#ifndef DO_TRANSFER_PROXY_LOOKUP_H
#define DO_TRANSFER_PROXY_LOOKUP_H

#include <stdbool.h>

#include "base/hr.h"
#include "base/list.h"
#include "transfer/loop.h"
#include "transfer/proxy.h"

struct do_proxy_lookup;

/** Where scripts come from; the two functions of proxy.h, unless a test says otherwise. */
struct do_proxy_source
{
    HRESULT (*get_script)(struct do_proxy_script *script);
    HRESULT(*ask_script)
    (const struct do_proxy_script *script, const char *url, struct do_proxy_settings *settings);
};

/** A request that wants to know, and what it learns. It lives in its owner; loop thread only. */
struct do_proxy_wait
{
    struct do_list link;
    struct do_proxy_lookup *lookup; /* NULL while nothing is waited for */
    struct do_timer timer;
    char *url;
    do_loop_fn known;
    void *ctx;
    HRESULT hr;
    bool by_script; /* settings is the answer; else there is no script that gives one */
    struct do_proxy_settings settings;
};

/** source NULL: the system's. It is borrowed and must be static. */
HRESULT do_proxy_lookup_create(
    struct do_loop *loop, const struct do_proxy_source *source, struct do_proxy_lookup **lookup);

/**
 * The loop must not run any more. Does not wait for a script: its thread ends when it can. NULL is
 * accepted.
 */
void do_proxy_lookup_destroy(struct do_proxy_lookup *lookup);

/** Forgets every answer, since the network is another one. */
void do_proxy_lookup_forget_on_loop(struct do_proxy_lookup *lookup);

void do_proxy_wait_init(struct do_proxy_wait *wait, do_loop_fn known, void *ctx);

/** Stops waiting and frees the answer. May be repeated. */
void do_proxy_wait_finish_on_loop(struct do_proxy_wait *wait);

/**
 * S_OK: the answer is in wait. S_FALSE: it will be when known(ctx) is called, in some seconds at
 * most, unless do_proxy_wait_finish_on_loop comes first; wait->hr then says whether it failed.
 * url is copied.
 */
HRESULT do_proxy_lookup_ask_on_loop(
    struct do_proxy_lookup *lookup, const char *url, struct do_proxy_wait *wait);

#endif
