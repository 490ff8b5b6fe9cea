/* SPDX-License-Identifier: MIT */
/*
 * The table of servers: a list, since there are as many as run plus a few. Pure; loop thread.
 */
#include "transfer/host.h"

#include <string.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/str.h"
#include "transfer/url.h"

void do_hosts_init(struct do_hosts *hosts)
{
    do_list_init(&hosts->items);
}

static void destroy(struct do_host *host)
{
    do_list_remove(&host->link);
    do_free(host->origin);
    do_free(host);
}

void do_hosts_finish(struct do_hosts *hosts)
{
    while (!do_list_is_empty(&hosts->items))
        destroy(DO_LIST_ENTRY(hosts->items.next, struct do_host, link));
}

/* "http://host:80", do_alloc'ed. NULL without memory, and for a URL that names no server. */
static char *origin_of(const char *url)
{
    CURLU *parsed = NULL;
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    struct do_buf text;

    do_buf_init(&text, 0);
    if (SUCCEEDED(do_url_parse(url, &parsed)) &&
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        do_buf_append_format(&text, "%s://%s:%s", scheme, host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    if (text.failed || !text.length)
    {
        do_buf_finish(&text);
        return NULL;
    }
    return do_buf_take(&text);
}

static struct do_host *find(struct do_hosts *hosts, const char *origin)
{
    DO_LIST_FOR_EACH (link, &hosts->items)
    {
        struct do_host *host = DO_LIST_ENTRY(link, struct do_host, link);

        if (do_str_equal_nocase(host->origin, origin))
            return host;
    }
    return NULL;
}

struct do_host *do_host_find(struct do_hosts *hosts, const char *url)
{
    char *origin = origin_of(url);
    struct do_host *host = origin ? find(hosts, origin) : NULL;

    do_free(origin);
    return host;
}

/* Of those that nobody uses: what says nothing goes, and of too many what ends first. */
static void forget_old(struct do_hosts *hosts, uint64_t now_ms)
{
    struct do_host *first = NULL;
    struct do_list *next;
    size_t count = 0;

    for (struct do_list *link = hosts->items.next; link != &hosts->items; link = next)
    {
        struct do_host *host = DO_LIST_ENTRY(link, struct do_host, link);

        next = link->next;
        if (host->references)
            continue;
        if (host->until_ms <= now_ms)
        {
            destroy(host);
            continue;
        }
        count++;
        if (!first || host->until_ms < first->until_ms)
            first = host;
    }
    if (count > DO_HOST_LIMIT)
        destroy(first);
}

struct do_host *do_host_acquire(struct do_hosts *hosts, const char *url, uint64_t now_ms)
{
    char *origin = origin_of(url);
    struct do_host *host = origin ? find(hosts, origin) : NULL;

    if (host || !origin || !(host = do_alloc(sizeof(*host))))
        do_free(origin);
    else
    {
        host->origin = origin;
        do_list_add_tail(&hosts->items, &host->link);
    }
    if (!host)
        return NULL;
    host->references++;
    forget_old(hosts, now_ms);
    return host;
}

void do_host_release(struct do_hosts *hosts, struct do_host *host, uint64_t now_ms)
{
    if (!host)
        return;
    host->references--;
    forget_old(hosts, now_ms);
}

/* Whether a failure may be one of the way to the server. */
static bool is_network_trouble(HRESULT hr)
{
    return hr == DO_HR_NET_NAME_NOT_RESOLVED || hr == DO_HR_NET_CANNOT_CONNECT ||
           hr == DO_HR_NET_TIMEOUT;
}

void do_hosts_forget_network(struct do_hosts *hosts)
{
    DO_LIST_FOR_EACH (link, &hosts->items)
    {
        struct do_host *host = DO_LIST_ENTRY(link, struct do_host, link);

        if (is_network_trouble(host->trouble))
        {
            host->until_ms = 0;
            host->trouble = S_OK;
        }
    }
}

/* A failure that any other request would meet as well. */
static bool is_of_whole_server(HRESULT hr, bool told_to_wait)
{
    unsigned int status = do_hr_http_status(hr);

    return hr == DO_HR_NET_NAME_NOT_RESOLVED || hr == DO_HR_NET_CANNOT_CONNECT ||
           ((status == 429 || status == 503) && told_to_wait);
}

/* One that others may well meet, unless the server has just been seen to answer well. */
static bool is_likely_of_server(const struct do_host *host, HRESULT hr, uint64_t now_ms)
{
    bool is_fine = host->answered_ms && now_ms - host->answered_ms < DO_HOST_FINE_MS;

    return !is_fine && do_hr_is_transient(hr) &&
           (hr == DO_HR_NET_TIMEOUT || do_hr_http_status(hr) >= 500);
}

void do_host_failed(
    struct do_host *host, HRESULT hr, bool told_to_wait, uint64_t until_ms, uint64_t now_ms)
{
    bool is_certain = is_of_whole_server(hr, told_to_wait);

    if (!is_certain && !is_likely_of_server(host, hr, now_ms))
        return;
    host->trouble = hr;
    host->is_certain = is_certain || (host->is_certain && host->until_ms > now_ms);
    if (host->until_ms < until_ms)
        host->until_ms = until_ms;
}

void do_host_forget_trouble(struct do_host *host)
{
    host->until_ms = 0;
    host->trouble = S_OK;
}

void do_host_answered(struct do_host *host, uint64_t now_ms)
{
    do_host_forget_trouble(host);
    host->answered_ms = now_ms;
}

uint32_t do_host_delay_ms(const struct do_host *host, uint32_t random, uint64_t now_ms)
{
    uint64_t left_ms;

    if (host->until_ms <= now_ms)
        return 0;
    left_ms = host->until_ms - now_ms;
    left_ms += left_ms / 4 * random / UINT32_MAX + 1;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}
