/* SPDX-License-Identifier: MIT */
/*
 * One HTTP exchange: a GET of an object or of a range of it, over libcurl, through as many hops as
 * redirections and challenges make of it. It parses heads, verifies certificates, translates
 * failures, and hands bytes to its owner, who judges them. Loop thread only.
 */
#ifndef DO_TRANSFER_REQUEST_H
#define DO_TRANSFER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"
#include "transfer/http_head.h"
#include "transfer/loop.h"
#include "transfer/pace.h"
#include "transfer/request_options.h"

struct do_proxy_lookup;
struct do_request;
struct do_revocation;

struct do_request_settings
{
    uint32_t connect_timeout_ms;
    uint32_t stall_timeout_s;   /* not a byte for so long: the request fails with a time-out */
    uint32_t http_buffer_bytes; /* libcurl's receive buffer by scheme */
    uint32_t https_buffer_bytes;
    struct do_proxy_lookup *proxy_lookup; /* NULL: the user's script is not asked; borrowed */
    struct do_revocation *revocation;     /* NULL: revocation cannot be checked; borrowed */
};

/** What the owner is told, in this order: one head, data any number of times, one end. */
struct do_request_events
{
    /**
     * The final head; the body of a 401, a 407 and of a redirection is not handed over. A failure
     * ends the request with that code.
     */
    HRESULT (*on_head)(void *ctx, const struct do_http_head *head);

    /**
     * Bytes of the body. S_FALSE: nothing was taken, the request pauses until
     * do_request_unpause_on_loop. A failure ends the request with that code.
     */
    HRESULT (*on_data)(void *ctx, const void *data, size_t length);

    /**
     * Whether the owner has room for one read of up to length bytes. With false the request pauses
     * as after S_FALSE, but before it reads.
     */
    bool (*has_room)(void *ctx, size_t length);

    /** The exchange is over. The request may be started again from here. */
    void (*on_end)(void *ctx, HRESULT hr);
};

/** events is borrowed and must be static; ctx is passed to each. */
HRESULT do_request_create(struct do_loop *loop, const struct do_request_settings *settings,
    const struct do_request_events *events, void *ctx, struct do_request **request);

/** Aborts a running exchange without on_end. NULL is accepted. */
void do_request_destroy(struct do_request *request);

/**
 * Starts an exchange. range NULL sends no Range header; its end DO_SIZE_UNKNOWN asks up to the end.
 * if_range "" sends no If-Range header. Both and url are copied; options (NULL = defaults) are
 * borrowed until the exchange ends. on_end follows unless this fails.
 */
HRESULT do_request_start_on_loop(struct do_request *request, const char *url,
    const struct do_range *range, const char *if_range, const struct do_request_options *options);

/**
 * The secrets of the exchanges that follow belong to the origin of this URL, not to their own;
 * NULL: to their own again.
 */
HRESULT do_request_set_home_on_loop(struct do_request *request, const char *url);

/**
 * The bytes of the exchange, and of those that follow, come at the pace of this class. pace is
 * borrowed and outlives the request.
 */
void do_request_set_pace_on_loop(
    struct do_request *request, struct do_pace *pace, enum do_rate_class which);

/** How long the exchanges that follow may take to connect, instead of what the settings say. */
void do_request_set_connect_timeout_on_loop(struct do_request *request, uint32_t timeout_ms);

/** Where redirections have led, borrowed until the next start; NULL without one. For on_head. */
const char *do_request_redirected_url_on_loop(const struct do_request *request);

/** The address that the answer came from, a proxy's too, likewise. NULL = not known. */
const char *do_request_server_address_on_loop(const struct do_request *request);

/** Ends the exchange at once, without on_end. */
void do_request_abort_on_loop(struct do_request *request);

void do_request_unpause_on_loop(struct do_request *request);

/** Whether it could read on, but for the limit of its class. */
bool do_request_waits_for_turn_on_loop(const struct do_request *request);

#endif
