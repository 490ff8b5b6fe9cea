/* SPDX-License-Identifier: MIT */
/*
 * What request.c (the course of an exchange), request_setup.c (how a hop of it is made) and
 * request_hops.c (what follows it) share.
 */
#ifndef DO_TRANSFER_REQUEST_INTERNAL_H
#define DO_TRANSFER_REQUEST_INTERNAL_H

#include "transfer/proxy_lookup.h"
#include "transfer/request.h"
#include "transfer/tls.h"

struct do_request
{
    struct do_loop *loop;
    struct do_request_settings settings;
    uint32_t connect_timeout_ms; /* of the next exchanges */
    const struct do_request_events *events;
    void *ctx;

    CURL *curl;
    struct do_tls_check tls;
    struct do_loop_op rest_op;
    struct do_proxy_wait proxy;           /* what the user's script says about this hop */
    struct do_revocation_wait revocation; /* whether the server's certificate was revoked */
    struct do_pace *pace;                 /* NULL = there is no limit */
    enum do_rate_class rate_class;
    struct do_loop_op turn_op; /* in the pace's line while it waits */

    /* The exchange, over all of its hops. */
    const struct do_request_options *options; /* never NULL once there was a start */
    CURLU *home;         /* what was asked for: secrets go to its origin and to no other */
    bool has_other_home; /* not the URL's own: do_request_set_home_on_loop */
    char range[64];      /* "" = none */
    char if_range[260];  /* "" = none */
    unsigned int redirects;
    unsigned int revocation_checks; /* since the last redirection */
    bool server_answered;           /* a challenge since the last redirection, by a credential */
    bool proxy_answered;
    bool running;

    /* What the last challenges taught; the next exchange with this origin begins so. 0 = none. */
    enum do_auth_scheme server_scheme;
    enum do_auth_scheme proxy_scheme;
    bool auth_headers_due;
    bool remembers_challenge; /* libcurl does, and would misread the next one: reset it first */

    /* The hop: one request of libcurl's, which may itself ask again to authenticate. */
    CURLU *url;
    char *redirected_to; /* url as text, libcurl's; NULL before the first redirection */
    bool at_home;
    struct curl_slist *headers;
    struct curl_slist *proxy_headers;
    struct do_http_head head;
    HRESULT verdict; /* why one of our callbacks ended the exchange */
    bool head_told;
    bool paused;            /* by the owner, who has no room */
    bool rests;             /* until the next round of the loop */
    bool waits;             /* for its turn: there is a limit on the rate */
    uint32_t buffer_bytes;  /* what one read can bring */
    uint32_t round_bytes;   /* what this round has brought */
    uint32_t dropped_bytes; /* of a body that nobody wants */
    uint64_t body_bytes;    /* that the owner has taken */
    unsigned int challenges;
};

/* request.c */

/** Begins the hop to request->url, which must be set. */
HRESULT do_request_begin_hop(struct do_request *request);

/**
 * Tells the owner of the final head, once: it is known when its first byte of body arrives, or at
 * the end without one. The owner's verdict.
 */
HRESULT do_request_tell_head(struct do_request *request);

/* request_hops.c */

/**
 * Whether the hop, which libcurl has ended before the request left, goes on: at once, or when it is
 * known whether the server's certificate was revoked.
 */
bool do_request_awaits_verdict(struct do_request *request);

/** Whether the head is of an answer whose body nobody wants: a challenge, a redirection to follow.
 */
bool do_request_is_challenge(const struct do_request *request);
bool do_request_is_redirect(const struct do_request *request);

/**
 * At the end of a hop that was answered: whether another one was begun. *hr is what is known of the
 * end so far, and is set to what is wrong with the other hop, if so.
 */
bool do_request_go_on_elsewhere(struct do_request *request, HRESULT *hr);

/* request_setup.c */

/** Whether url's scheme is https. */
bool do_request_url_is_secure(CURLU *url);

/** Whether a and b have the same scheme, host and port. */
bool do_request_urls_are_of_one_origin(CURLU *a, CURLU *b);

/**
 * Asks the user's script about request->url where the options want that. S_FALSE: the hop waits
 * until request->proxy is known.
 */
HRESULT do_request_find_proxy(struct do_request *request);

/** Makes the handle ready for a request to request->url as the options want it. */
HRESULT do_request_set_hop(struct do_request *request);

/** The bit of CURLOPT_HTTPAUTH for a scheme. */
unsigned long do_request_auth_bit(enum do_auth_scheme scheme);

#endif
