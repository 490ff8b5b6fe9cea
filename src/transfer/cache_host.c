/* SPDX-License-Identifier: MIT */
/*
 * Which server to ask. Pure; loop thread.
 *
 * The form of the request (Source: Microsoft, "Verify cache node functionality"): the cache host in
 * the place of the URL's host, the same path and query, and cacheHostOrigin=<host> in the query.
 */
#include "transfer/cache_host.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "transfer/url.h"

#define BLANKS " \t\r\n"
#define PARAMETER "cacheHostOrigin="
#define ATTEMPTS_IN_A_ROW 2

void do_cache_hosts_init(struct do_cache_hosts *hosts)
{
    memset(hosts, 0, sizeof(*hosts));
}

static void free_host(struct do_cache_host *host)
{
    do_free(host->name);
    do_free(host->host);
    do_free(host->port);
}

static void free_items(struct do_cache_host *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_host(&items[i]);
    do_free(items);
}

static void drop_ban(struct do_cache_hosts *hosts, size_t index)
{
    do_free(hosts->bans[index].name);
    do_free(hosts->bans[index].origin);
    hosts->bans[index] = hosts->bans[--hosts->ban_count];
}

void do_cache_hosts_finish(struct do_cache_hosts *hosts)
{
    free_items(hosts->items, hosts->count);
    while (hosts->ban_count)
        drop_ban(hosts, hosts->ban_count - 1);
    do_cache_hosts_init(hosts);
}

/* A part of a URL, do_alloc'ed; NULL without it. */
static HRESULT get_part(CURLU *url, CURLUPart what, char **part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(url, what, &text, 0);
    HRESULT hr = S_OK;

    *part = NULL;
    if (code == CURLUE_OUT_OF_MEMORY)
        return E_OUTOFMEMORY;
    if (code == CURLUE_OK && !(*part = do_str_dup(text)))
        hr = E_OUTOFMEMORY;
    curl_free(text);
    return hr;
}

/* "cache", "cache:8080", "10.0.0.1", "[::1]:80" and "::1". DO_HR_INET_INVALID_URL for others. */
static HRESULT parse_host(const char *name, struct do_cache_host *host)
{
    bool is_bare_ipv6 = name[0] != '[' && strchr(name, ':') != strrchr(name, ':');
    struct do_buf url;
    CURLU *parsed = NULL;
    HRESULT hr;

    memset(host, 0, sizeof(*host));
    if (name[strcspn(name, "/\\?#@%" BLANKS)])
        return DO_HR_INET_INVALID_URL;
    do_buf_init(&url, 0);
    do_buf_append_format(&url, is_bare_ipv6 ? "http://[%s]/" : "http://%s/", name);
    if (url.failed)
        hr = E_OUTOFMEMORY;
    else if (SUCCEEDED(hr = do_url_parse(do_buf_str(&url), &parsed)) &&
             SUCCEEDED(hr = get_part(parsed, CURLUPART_HOST, &host->host)) &&
             SUCCEEDED(hr = get_part(parsed, CURLUPART_PORT, &host->port)) &&
             !(host->name = do_str_dup(name)))
        hr = E_OUTOFMEMORY;
    if (SUCCEEDED(hr) && host->port && !strcmp(host->port, "0"))
        hr = DO_HR_INET_INVALID_URL;
    curl_url_cleanup(parsed);
    do_buf_finish(&url);
    if (FAILED(hr))
        free_host(host);
    return hr;
}

static bool has_host(const struct do_cache_host *items, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
    {
        if (do_str_equal_nocase(items[i].name, name))
            return true;
    }
    return false;
}

static HRESULT add_host(
    struct do_cache_host *items, size_t *count, const char *begin, size_t length)
{
    char *name = do_str_dup_n(begin, length);
    HRESULT hr;

    if (!name)
        return E_OUTOFMEMORY;
    if (has_host(items, *count, name))
        hr = S_FALSE;
    else if (SUCCEEDED(hr = parse_host(name, &items[*count])))
        ++*count;
    else if (hr != E_OUTOFMEMORY)
    {
        do_log(DO_LOG_WARN, DO_LOG_XFER, "DOCacheHost: %s is no host and passed over", name);
        hr = S_FALSE;
    }
    do_free(name);
    return hr;
}

HRESULT do_cache_hosts_set(struct do_cache_hosts *hosts, const char *list)
{
    struct do_cache_host *items;
    size_t most = 1;
    size_t count = 0;
    HRESULT hr = S_OK;

    for (const char *c = list ? list : ""; *c; c++)
        most += *c == ',';
    if (!(items = do_alloc_array(most, sizeof(*items))))
        return E_OUTOFMEMORY;
    while (list && *list && SUCCEEDED(hr))
    {
        size_t length = strcspn(list, ",");
        size_t blanks = strspn(list, BLANKS);
        size_t end = length;

        while (end > blanks && strchr(BLANKS, list[end - 1]))
            end--;
        if (end > blanks)
            hr = add_host(items, &count, list + blanks, end - blanks);
        list += length + (list[length] == ',');
    }
    if (FAILED(hr))
    {
        free_items(items, count);
        return hr;
    }
    free_items(hosts->items, hosts->count);
    hosts->items = items;
    hosts->count = count;
    hosts->generation++;
    return S_OK;
}

static HRESULT query_is_rewritten(CURLU *parsed, bool *is_rewritten)
{
    char *query;
    HRESULT hr = get_part(parsed, CURLUPART_QUERY, &query);

    *is_rewritten = false;
    for (const char *c = query; c && *c; c += strcspn(c, "&"))
    {
        c += *c == '&';
        *is_rewritten = *is_rewritten || do_str_starts_nocase(c, PARAMETER);
    }
    do_free(query);
    return hr;
}

bool do_cache_url_is_rewritten(const char *url)
{
    bool is_rewritten = false;
    CURLU *parsed;

    if (SUCCEEDED(do_url_parse(url, &parsed)))
        (void)query_is_rewritten(parsed, &is_rewritten);
    curl_url_cleanup(parsed);
    return is_rewritten;
}

/* *origin is NULL (S_FALSE) when no cache host is asked for the URL. */
static HRESULT parse_for_cache(const char *url, CURLU **parsed, char **origin)
{
    bool is_rewritten = false;
    HRESULT hr;

    *parsed = NULL;
    *origin = NULL;
    /* Cache hosts speak plain http, and what was asked for over TLS stays there. */
    if (!do_str_starts_nocase(url, "http://"))
        return S_FALSE;
    if (FAILED(hr = do_url_parse(url, parsed)) ||
        FAILED(hr = query_is_rewritten(*parsed, &is_rewritten)) || is_rewritten ||
        FAILED(hr = get_part(*parsed, CURLUPART_HOST, origin)))
        return SUCCEEDED(hr) ? S_FALSE : hr;
    return S_OK;
}

HRESULT do_cache_origin_of(const char *url, char **origin)
{
    CURLU *parsed;
    HRESULT hr = parse_for_cache(url, &parsed, origin);

    curl_url_cleanup(parsed);
    return hr;
}

/* Letters of a name or an address; others, which a host of ours should not have, are encoded. */
static void append_origin(struct do_buf *buf, const char *origin)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_~:[]";

    for (const char *c = origin; *c; c++)
    {
        if (strchr(plain, *c))
            do_buf_append(buf, c, 1);
        else
            do_buf_append_format(buf, "%%%02x", (unsigned int)(unsigned char)*c);
    }
}

static HRESULT set_part(CURLU *url, CURLUPart what, const char *part, unsigned int flags)
{
    CURLUcode code = curl_url_set(url, what, part, flags);

    if (code == CURLUE_OK)
        return S_OK;
    return code == CURLUE_OUT_OF_MEMORY ? E_OUTOFMEMORY : DO_HR_INET_INVALID_URL;
}

HRESULT do_cache_rewrite(const struct do_cache_host *host, const char *url, char **rewritten)
{
    struct do_buf query;
    CURLU *parsed;
    char *origin;
    HRESULT hr;

    *rewritten = NULL;
    do_buf_init(&query, 0);
    if ((hr = parse_for_cache(url, &parsed, &origin)) != S_OK)
        goto done;
    do_buf_append_str(&query, PARAMETER);
    append_origin(&query, origin);
    if (query.failed)
        hr = E_OUTOFMEMORY;
    if (FAILED(hr) || FAILED(hr = set_part(parsed, CURLUPART_HOST, host->host, 0)) ||
        (host->port && FAILED(hr = set_part(parsed, CURLUPART_PORT, host->port, 0))) ||
        FAILED(hr = set_part(parsed, CURLUPART_USER, NULL, 0)) ||
        FAILED(hr = set_part(parsed, CURLUPART_PASSWORD, NULL, 0)) ||
        FAILED(hr = set_part(parsed, CURLUPART_FRAGMENT, NULL, 0)) ||
        FAILED(hr = set_part(parsed, CURLUPART_QUERY, do_buf_str(&query), CURLU_APPENDQUERY)) ||
        FAILED(hr = get_part(parsed, CURLUPART_URL, rewritten)))
        goto done;
    if (!*rewritten)
        hr = DO_HR_INET_INVALID_URL;

done:
    do_free(origin);
    do_buf_finish(&query);
    curl_url_cleanup(parsed);
    return hr;
}

/* Bans. */

static bool is_banned(
    const struct do_cache_hosts *hosts, size_t index, const char *origin, uint64_t now_ms)
{
    for (size_t i = 0; i < hosts->ban_count; i++)
    {
        const struct do_cache_ban *ban = &hosts->bans[i];

        if (ban->until_ms > now_ms && do_str_equal_nocase(ban->name, hosts->items[index].name) &&
            (!ban->origin || do_str_equal_nocase(ban->origin, origin)))
            return true;
    }
    return false;
}

/* Makes room: what is over goes, and of a full list what is over first. */
static void drop_old_bans(struct do_cache_hosts *hosts, uint64_t now_ms)
{
    size_t first = 0;

    for (size_t i = hosts->ban_count; i-- > 0;)
    {
        if (hosts->bans[i].until_ms <= now_ms)
            drop_ban(hosts, i);
    }
    if (hosts->ban_count < DO_CACHE_BAN_LIMIT)
        return;
    for (size_t i = 1; i < hosts->ban_count; i++)
    {
        if (hosts->bans[i].until_ms < hosts->bans[first].until_ms)
            first = i;
    }
    drop_ban(hosts, first);
}

/* For files of origin, or with NULL for all. Without memory there is no ban: it is only advice. */
static void ban_host(
    struct do_cache_hosts *hosts, size_t index, const char *origin, uint64_t now_ms)
{
    struct do_cache_ban ban = {
        do_str_dup(hosts->items[index].name), do_str_dup(origin), now_ms + DO_CACHE_BAN_MS};

    if (!ban.name || (origin && !ban.origin))
    {
        do_free(ban.name);
        do_free(ban.origin);
        return;
    }
    drop_old_bans(hosts, now_ms);
    hosts->bans[hosts->ban_count++] = ban;
    do_log(DO_LOG_WARN, DO_LOG_XFER, "cache host %s is not asked for 15 minutes%s%s", ban.name,
        origin ? " for files of " : "", origin ? origin : "");
}

/* The first host from begin on, in a circle, that is not banned; DO_CACHE_ORIGINAL without one. */
static size_t find_host(
    const struct do_cache_hosts *hosts, size_t begin, const char *origin, uint64_t now_ms)
{
    for (size_t i = 0; i < hosts->count; i++)
    {
        size_t index = (begin + i) % hosts->count;

        if (!is_banned(hosts, index, origin, now_ms))
            return index;
    }
    return DO_CACHE_ORIGINAL;
}

void do_cache_choice_init(struct do_cache_choice *choice, uint64_t now_ms)
{
    memset(choice, 0, sizeof(*choice));
    choice->started_ms = now_ms;
    choice->source = DO_CACHE_ORIGINAL;
}

static bool is_delay_over(const struct do_cache_choice *choice, uint32_t delay_s, uint64_t now_ms)
{
    return delay_s != DO_CACHE_NEVER && now_ms >= choice->started_ms &&
           now_ms - choice->started_ms >= (uint64_t)delay_s * 1000;
}

static size_t choose(const struct do_cache_hosts *hosts, struct do_cache_choice *choice,
    const char *origin, uint32_t delay_s, uint64_t now_ms)
{
    size_t found;

    if (!origin || !hosts->count || choice->is_for_good)
        return DO_CACHE_ORIGINAL;
    if (!delay_s)
        return choice->is_at_original ? DO_CACHE_ORIGINAL : find_host(hosts, 0, origin, now_ms);
    if (choice->attempts && is_delay_over(choice, delay_s, now_ms))
    {
        choice->is_for_good = true;
        return DO_CACHE_ORIGINAL;
    }
    found = find_host(hosts, choice->next, origin, now_ms);
    return found == DO_CACHE_ORIGINAL ? choice->next : found;
}

size_t do_cache_choose(const struct do_cache_hosts *hosts, struct do_cache_choice *choice,
    const char *origin, uint32_t delay_s, uint64_t now_ms)
{
    size_t source;

    if (choice->generation != hosts->generation)
    {
        choice->generation = hosts->generation;
        choice->next = 0;
        choice->source = DO_CACHE_ORIGINAL;
    }
    source = choose(hosts, choice, origin, delay_s, now_ms);
    if (source != choice->source && !delay_s)
        choice->attempts = 0;
    if (source != DO_CACHE_ORIGINAL)
        choice->next = source;
    choice->source = source;
    choice->has_failed = false;
    return source;
}

void do_cache_progress(struct do_cache_choice *choice)
{
    choice->attempts = 0;
}

/* What speaks against the server or the way to it, and not against us. 407 is the proxy's. */
static bool is_of_server(HRESULT hr)
{
    uint32_t code = (uint32_t)hr;

    switch (hr)
    {
    case DO_E_UNEXPECTED_HTTP_STATUS_2XX:
    case DO_E_HTTP_BLOCKSIZE_MISMATCH:
    case DO_E_INSUFFICIENT_RANGE_SUPPORT:
    case DO_E_INVALID_RANGE:
    case DO_E_BAD_INCOMING_DATA:
    case DO_E_BAD_PIECE_HASH:
    case DO_E_BAD_PIECE_HASH_NO_BAN:
        return true;
    default:
        /* HTTP, and the numbers of WinINet and WinHTTP: 12000 to 12999. */
        return (code >> 16 == 0x8019U && do_hr_http_status(hr) != 407) ||
               (code >= 0x80072EE0U && code <= 0x800732C7U);
    }
}

static void ban_for(
    struct do_cache_hosts *hosts, size_t source, const char *origin, HRESULT hr, uint64_t now_ms)
{
    unsigned int status = do_hr_http_status(hr);

    switch (hr)
    {
    case DO_HR_NET_TIMEOUT:
    case DO_HR_NET_NAME_NOT_RESOLVED:
    case DO_HR_NET_CANNOT_CONNECT:
        ban_host(hosts, source, NULL, now_ms);
        break;
    case DO_E_BAD_PIECE_HASH: /* wrong content is as good as none */
        ban_host(hosts, source, origin, now_ms);
        break;
    default:
        if (status >= 400 && status < 500)
            ban_host(hosts, source, origin, now_ms);
    }
}

/* While a delay runs: the next host's turn, or the end of the cache hosts' time. */
static enum do_cache_verdict fail_with_delay(const struct do_cache_hosts *hosts,
    struct do_cache_choice *choice, size_t source, uint32_t delay_s, uint64_t now_ms)
{
    choice->attempts = 1;
    choice->next = (source + 1) % hosts->count;
    if (is_delay_over(choice, delay_s, now_ms))
    {
        choice->is_for_good = true;
        return DO_CACHE_RETRY_NOW;
    }
    return delay_s == DO_CACHE_NEVER ? DO_CACHE_AS_USUAL : DO_CACHE_RETRY_LATER;
}

static enum do_cache_verdict fail_without_delay(const struct do_cache_hosts *hosts,
    struct do_cache_choice *choice, size_t source, const char *origin, uint64_t now_ms)
{
    choice->attempts++;
    if (source == DO_CACHE_ORIGINAL)
    {
        choice->original_tried = true;
        if (choice->attempts >= ATTEMPTS_IN_A_ROW &&
            find_host(hosts, 0, origin, now_ms) != DO_CACHE_ORIGINAL)
            choice->is_at_original = false;
        return DO_CACHE_AS_USUAL;
    }
    if (choice->original_tried && choice->attempts < ATTEMPTS_IN_A_ROW &&
        !is_banned(hosts, source, origin, now_ms))
        return DO_CACHE_RETRY_LATER;
    choice->is_at_original = true;
    choice->original_tried = true;
    return DO_CACHE_RETRY_NOW;
}

/* At a cache host. What others had under way there fails late and moves nothing any more. */
static enum do_cache_verdict fail_at_host(struct do_cache_hosts *hosts,
    struct do_cache_choice *choice, size_t source, const char *origin, uint32_t delay_s,
    uint64_t now_ms)
{
    bool is_late = choice->has_failed || choice->source != source;

    if (choice->is_for_good)
        return DO_CACHE_RETRY_NOW;
    if (delay_s)
        return fail_with_delay(hosts, choice, source, delay_s, now_ms);
    if (is_late)
        return choice->is_at_original ? DO_CACHE_RETRY_NOW : DO_CACHE_RETRY_LATER;
    return fail_without_delay(hosts, choice, source, origin, now_ms);
}

enum do_cache_verdict do_cache_failure(struct do_cache_hosts *hosts, struct do_cache_choice *choice,
    size_t source, const char *origin, uint32_t delay_s, HRESULT hr, uint64_t now_ms)
{
    enum do_cache_verdict verdict = DO_CACHE_AS_USUAL;

    if (!origin || !is_of_server(hr))
        return DO_CACHE_AS_USUAL;
    if (choice->generation != hosts->generation)
        return source == DO_CACHE_ORIGINAL ? DO_CACHE_AS_USUAL : DO_CACHE_RETRY_NOW;
    if (source != DO_CACHE_ORIGINAL)
    {
        ban_for(hosts, source, origin, hr, now_ms);
        verdict = fail_at_host(hosts, choice, source, origin, delay_s, now_ms);
    }
    else if (!delay_s && choice->source == source && !choice->has_failed)
        verdict = fail_without_delay(hosts, choice, source, origin, now_ms);
    choice->has_failed = true;
    return verdict;
}
