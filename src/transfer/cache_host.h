/* SPDX-License-Identifier: MIT */
/*
 * Microsoft Connected Cache: which server to ask for a file, the one of its URL or a cache host
 * that the administrator names (DOCacheHost). Decisions only, nothing is fetched here. Pure: time
 * is a parameter, in milliseconds of a clock that never jumps. Loop thread; struct do_cache_hosts
 * belongs to the engine, struct do_cache_choice to a transfer.
 *
 * A transfer asks do_cache_choose before each attempt and tells afterwards how it went. With a list
 * of hosts and no delay the first host that is not banned is asked; after the first failure the
 * original server is, at once; from then on the two take turns, two attempts without progress each.
 * With a delay the hosts are asked in turn until a failure at a time when the delay since the start
 * has passed; then it is the original server for good. Bans last 15 minutes; while a delay runs
 * they only say which host to prefer.
 */
#ifndef DO_TRANSFER_CACHE_HOST_H
#define DO_TRANSFER_CACHE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

#define DO_CACHE_BAN_MS (15U * 60 * 1000)
#define DO_CACHE_BAN_LIMIT 64U     /* beyond it the ban that ends first is forgotten */
#define DO_CACHE_NEVER UINT32_MAX  /* a delay: never leave the cache hosts */
#define DO_CACHE_ORIGINAL SIZE_MAX /* instead of the index of a host: the URL's own server */

struct do_cache_host
{
    char *name; /* as in the list, which is what it is known by */
    char *host; /* with the brackets of an IPv6 address */
    char *port; /* NULL: the one of the URL */
};

struct do_cache_ban
{
    char *name;   /* of the cache host */
    char *origin; /* for files of this server alone; NULL: for all */
    uint64_t until_ms;
};

struct do_cache_hosts
{
    struct do_cache_host *items;
    size_t count;
    uint32_t generation; /* of the list */
    struct do_cache_ban bans[DO_CACHE_BAN_LIMIT];
    size_t ban_count;
};

void do_cache_hosts_init(struct do_cache_hosts *hosts);
void do_cache_hosts_finish(struct do_cache_hosts *hosts);

/**
 * Takes a new list: "host,host:port,[::1]:port" in the order of trying. NULL or an empty one is no
 * host. What is no host is logged and passed over, likewise a repetition. Bans stay.
 * E_OUTOFMEMORY leaves the old list.
 */
HRESULT do_cache_hosts_set(struct do_cache_hosts *hosts, const char *list);

/**
 * The server that a URL names, do_alloc'ed, as the functions below and cacheHostOrigin want it:
 * without port. S_FALSE and NULL for a URL that no cache host is asked for: one that is not http,
 * or that is a cache host's already.
 */
HRESULT do_cache_origin_of(const char *url, char **origin);

/** Whether the URL has a cacheHostOrigin in its query. */
bool do_cache_url_is_rewritten(const char *url);

/**
 * The URL to ask host for, do_alloc'ed: host instead of the URL's, path and query kept,
 * cacheHostOrigin appended. The port is the host's own, else the URL's. User and password of the
 * URL are left out: they are not for this server. S_FALSE and NULL where do_cache_origin_of says
 * so.
 */
HRESULT do_cache_rewrite(const struct do_cache_host *host, const char *url, char **rewritten);

struct do_cache_choice
{
    uint64_t started_ms;
    size_t source;       /* what was chosen last */
    size_t next;         /* the host whose turn it is, while a delay runs */
    uint32_t generation; /* of the list that these belong to */
    uint32_t attempts;   /* failed at this source, without progress */
    bool has_failed;     /* this source, since it was chosen */
    bool is_at_original; /* without a delay */
    bool is_for_good;    /* the delay is over */
    bool original_tried;
};

/** A transfer starts. */
void do_cache_choice_init(struct do_cache_choice *choice, uint64_t now_ms);

/**
 * Whom to ask now for a file of origin (of do_cache_origin_of; NULL: no cache host): an index into
 * hosts->items, or DO_CACHE_ORIGINAL. delay_s is the policy for the transfer's class.
 */
size_t do_cache_choose(const struct do_cache_hosts *hosts, struct do_cache_choice *choice,
    const char *origin, uint32_t delay_s, uint64_t now_ms);

/** The source of the last choice gave bytes. */
void do_cache_progress(struct do_cache_choice *choice);

enum do_cache_verdict
{
    DO_CACHE_AS_USUAL,   /* the rules for any server: final or not, and how long to wait */
    DO_CACHE_RETRY_NOW,  /* never final: another source, without a delay */
    DO_CACHE_RETRY_LATER /* never final: after the usual delay */
};

/**
 * An attempt at source (what do_cache_choose gave for it) failed with hr. Bans, and says what
 * follows. Faults that are not the server's (the disk, memory, a cancelled transfer) change nothing
 * and are as usual. When attempts run side by side, one failure of a source moves the transfer on.
 */
enum do_cache_verdict do_cache_failure(struct do_cache_hosts *hosts, struct do_cache_choice *choice,
    size_t source, const char *origin, uint32_t delay_s, HRESULT hr, uint64_t now_ms);

#endif
