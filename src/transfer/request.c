/* SPDX-License-Identifier: MIT */
/*
 * One HTTP exchange over a curl easy handle, which is kept for the next one. Loop thread only.
 */
#include "transfer/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/plat.h"
#include "store/queue_db.h"
#include "transfer/tls.h"
#include "transfer/url.h"

#define MAX_REDIRECTS 10L
#define USER_AGENT "Microsoft-Delivery-Optimization/10.0 (compatible; dosvc)"

struct do_request
{
    struct do_loop *loop;
    struct do_request_settings settings;
    const struct do_request_events *events;
    void *ctx;

    CURL *curl;
    CURLU *url;
    struct curl_slist *headers;
    struct do_tls_check tls;
    struct do_http_head head;
    HRESULT verdict; /* why one of our callbacks ended the exchange */
    bool running;
    bool head_told;
    bool paused;           /* by the owner, who has no room */
    bool rests;            /* until the next round of the loop */
    uint32_t buffer_bytes; /* what one read can bring */
    uint32_t round_bytes;  /* what this round has brought */
    struct do_loop_op rest_op;
};

static const struct
{
    CURLcode code;
    HRESULT hr;
} curl_codes[] = {
    {CURLE_OK, S_OK},
    {CURLE_OUT_OF_MEMORY, E_OUTOFMEMORY},
    {CURLE_URL_MALFORMAT, DO_HR_INET_INVALID_URL},
    {CURLE_COULDNT_RESOLVE_HOST, DO_HR_NET_NAME_NOT_RESOLVED},
    {CURLE_COULDNT_RESOLVE_PROXY, DO_HR_NET_NAME_NOT_RESOLVED},
    {CURLE_COULDNT_CONNECT, DO_HR_NET_CANNOT_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, DO_HR_NET_TIMEOUT},
    {CURLE_GOT_NOTHING, DO_HR_NET_CONNECTION_ABORTED},
    {CURLE_RECV_ERROR, DO_HR_NET_CONNECTION_ABORTED},
    {CURLE_SEND_ERROR, DO_HR_NET_CONNECTION_ABORTED},
    {CURLE_PARTIAL_FILE, DO_HR_NET_CONNECTION_ABORTED},
    {CURLE_WEIRD_SERVER_REPLY, DO_HR_NET_INVALID_SERVER_RESPONSE},
    {CURLE_UNSUPPORTED_PROTOCOL, DO_HR_NET_INVALID_SERVER_RESPONSE},
    {CURLE_TOO_MANY_REDIRECTS, DO_HR_NET_REDIRECT_FAILED},
    {CURLE_SSL_CONNECT_ERROR, DO_HR_NET_SECURE_FAILURE},
    {CURLE_PEER_FAILED_VERIFICATION, DO_E_HTTP_CERT_VALIDATION},
    {CURLE_SSL_INVALIDCERTSTATUS, DO_E_HTTP_CERT_VALIDATION},
};

/* The reason why an exchange ended: our own verdict first, then the certificate, then libcurl's. */
static HRESULT hr_of(const struct do_request *request, CURLcode code)
{
    if (FAILED(request->verdict))
        return request->verdict;
    if (FAILED(request->tls.verdict))
        return request->tls.verdict;
    /* The first URL was checked; what libcurl refuses later is the target of a redirection. */
    if ((code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) &&
        request->head.status / 100 == 3)
        return DO_HR_NET_REDIRECT_FAILED;
    for (size_t i = 0; i < DO_COUNT_OF(curl_codes); i++)
    {
        if (curl_codes[i].code == code)
            return curl_codes[i].hr;
    }
    return DO_HR_NET_CONNECTION_ABORTED;
}

/* From a hop over https no redirection leads to http, whatever the first URL was. */
static bool refuse_downgrade(const struct do_request *request)
{
    const char *scheme = NULL;

    if (request->head.status / 100 != 3 ||
        curl_easy_getinfo(request->curl, CURLINFO_SCHEME, &scheme) != CURLE_OK || !scheme ||
        !do_str_equal_nocase(scheme, "https"))
        return true;
    return curl_easy_setopt(request->curl, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK;
}

static size_t on_curl_header(char *line, size_t size, size_t count, void *ctx)
{
    struct do_request *request = ctx;

    /* A refusal is final: neither trailers nor later bytes may follow it. */
    if (FAILED(request->verdict))
        return 0;
    request->verdict = do_http_head_add_line(&request->head, line, size * count);
    if (FAILED(request->verdict) || !refuse_downgrade(request))
        return 0;
    return size * count;
}

/* The final head is known when its first byte of body arrives, or at the end without one. */
static HRESULT tell_head(struct do_request *request)
{
    if (request->head_told)
        return S_OK;
    request->head_told = true;
    return request->events->on_head(request->ctx, &request->head);
}

/*
 * libcurl would read again and again in small pieces; one large read a round is cheaper. When it
 * filled the buffer there is more, and the next round should come at once.
 */
static void rest(struct do_request *request, size_t length)
{
    if (!request->rests)
    {
        if (!do_loop_rest_on_loop(request->loop, &request->rest_op))
            return;
        request->rests = true;
        request->round_bytes = 0;
        (void)curl_easy_pause(request->curl, CURLPAUSE_RECV);
    }
    request->round_bytes += (uint32_t)length;
    if (request->round_bytes >= request->buffer_bytes)
        do_loop_hurry_on_loop(request->loop);
}

static void on_curl_end(void *ctx, CURLcode code);

/*
 * Lets libcurl read on. It first delivers what it holds, and when that is refused it drops it and
 * would read on all the same: then the exchange must end here.
 */
static void go_on(struct do_request *request)
{
    CURLcode code = curl_easy_pause(request->curl, CURLPAUSE_CONT);

    if (code == CURLE_OK && SUCCEEDED(request->verdict))
        return;
    do_loop_remove_curl_on_loop(request->loop, request->curl);
    on_curl_end(request, code == CURLE_OK ? CURLE_WRITE_ERROR : code);
}

static void end_rest(void *ctx)
{
    struct do_request *request = ctx;

    request->rests = false;
    if (!request->running || request->paused)
        return;
    if (request->events->has_room(request->ctx, request->buffer_bytes))
        go_on(request);
    else
        request->paused = true;
}

static size_t on_curl_data(char *data, size_t size, size_t count, void *ctx)
{
    struct do_request *request = ctx;
    size_t length = size * count;
    HRESULT hr;

    if (FAILED(request->verdict))
        return 0;
    if (FAILED(hr = tell_head(request)) ||
        FAILED(hr = request->events->on_data(request->ctx, data, length)))
    {
        request->verdict = hr;
        return 0;
    }
    if (hr == S_FALSE)
    {
        request->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    rest(request, length);
    return length;
}

/*
 * A name that is being resolved when the exchange ends: libcurl leaves its thread to itself
 * (CURLOPT_QUICK_EXIT) rather than wait for it, which would stall every job for as long as a dead
 * name server is asked. That thread runs code of this module, which therefore has to stay.
 */
static void keep_module_for_resolver(const struct do_request *request)
{
    curl_off_t resolved_us = 0;

    if (curl_easy_getinfo(request->curl, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us) != CURLE_OK ||
        !resolved_us)
        do_plat_pin_module();
}

static void on_curl_end(void *ctx, CURLcode code)
{
    struct do_request *request = ctx;
    HRESULT hr = hr_of(request, code);

    request->running = false;
    do_loop_cancel_on_loop(request->loop, &request->rest_op);
    if (code == CURLE_OPERATION_TIMEDOUT)
        keep_module_for_resolver(request);
    if (SUCCEEDED(hr))
        hr = tell_head(request);
    if (FAILED(hr))
        do_log(DO_LOG_INFO, DO_LOG_HTTP, "request ended: curl %d, status %u, 0x%08x", (int)code,
            request->head.status, (unsigned int)hr);
    request->events->on_end(request->ctx, hr);
}

static bool set_options(struct do_request *request)
{
    CURL *curl = request->curl;

    return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
               (long)request->settings.connect_timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(
               curl, CURLOPT_LOW_SPEED_TIME, (long)request->settings.stall_timeout_s) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_curl_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, request) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_curl_data) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, request) == CURLE_OK &&
           SUCCEEDED(do_tls_install(&request->tls));
}

HRESULT do_request_create(struct do_loop *loop, const struct do_request_settings *settings,
    const struct do_request_events *events, void *ctx, struct do_request **request)
{
    struct do_request *created;

    *request = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->loop = loop;
    created->settings = *settings;
    created->events = events;
    created->ctx = ctx;
    do_http_head_init(&created->head);
    if (!(created->curl = curl_easy_init()))
    {
        do_request_destroy(created);
        return E_OUTOFMEMORY;
    }
    created->tls.curl = created->curl;
    do_loop_op_init(&created->rest_op, end_rest, created);
    if (!set_options(created))
    {
        do_request_destroy(created);
        return E_OUTOFMEMORY;
    }
    *request = created;
    return S_OK;
}

void do_request_destroy(struct do_request *request)
{
    if (!request)
        return;
    if (request->running)
        do_request_abort_on_loop(request);
    if (request->curl)
        curl_easy_cleanup(request->curl);
    curl_slist_free_all(request->headers);
    curl_url_cleanup(request->url);
    do_http_head_finish(&request->head);
    do_free(request);
}

/* Replaces the request's headers. Ranges address the identity form, so we ask for no other. */
static HRESULT set_headers(struct do_request *request, const char *if_range)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    struct curl_slist *longer = headers;
    char line[300];

    if (headers && if_range[0])
    {
        (void)snprintf(line, sizeof(line), "If-Range: %s", if_range);
        longer = curl_slist_append(headers, line);
    }
    if (!longer || curl_easy_setopt(request->curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK)
    {
        curl_slist_free_all(headers);
        return E_OUTOFMEMORY;
    }
    curl_slist_free_all(request->headers);
    request->headers = headers;
    return S_OK;
}

static HRESULT set_range(struct do_request *request, const struct do_range *range)
{
    char text[64] = "";
    CURLcode code;

    if (!range)
        code = curl_easy_setopt(request->curl, CURLOPT_RANGE, NULL);
    else
    {
        if (range->end == DO_SIZE_UNKNOWN)
            (void)snprintf(text, sizeof(text), "%" PRIu64 "-", range->begin);
        else
            (void)snprintf(
                text, sizeof(text), "%" PRIu64 "-%" PRIu64, range->begin, range->end - 1);
        code = curl_easy_setopt(request->curl, CURLOPT_RANGE, text);
    }
    return code == CURLE_OK ? S_OK : E_OUTOFMEMORY;
}

/* A redirect from https to http is refused; libcurl looks at the scheme it may change to. */
static HRESULT set_url(struct do_request *request, const char *url)
{
    bool secure = do_str_starts_nocase(url, "https:");
    uint32_t buffer_bytes =
        secure ? request->settings.https_buffer_bytes : request->settings.http_buffer_bytes;
    CURLU *parsed;
    HRESULT hr;

    if (FAILED(hr = do_url_parse(url, &parsed)))
        return hr;
    if (curl_easy_setopt(request->curl, CURLOPT_CURLU, parsed) != CURLE_OK ||
        curl_easy_setopt(request->curl, CURLOPT_REDIR_PROTOCOLS_STR,
            secure ? "https" : "http,https") != CURLE_OK)
        hr = E_OUTOFMEMORY;
    /* Refused while libcurl still holds the buffer of an exchange that failed; that one serves too.
     */
    if (curl_easy_setopt(request->curl, CURLOPT_BUFFERSIZE, (long)buffer_bytes) == CURLE_OK)
        request->buffer_bytes = buffer_bytes;
    curl_url_cleanup(request->url);
    request->url = parsed;
    return hr;
}

HRESULT do_request_start_on_loop(
    struct do_request *request, const char *url, const struct do_range *range, const char *if_range)
{
    HRESULT hr;

    do_http_head_finish(&request->head);
    do_http_head_init(&request->head);
    request->verdict = S_OK;
    request->tls.verdict = S_OK;
    request->head_told = false;
    request->paused = false;
    request->rests = false;
    if (FAILED(hr = set_url(request, url)) || FAILED(hr = set_range(request, range)) ||
        FAILED(hr = set_headers(request, if_range)))
        return hr;
    hr = do_loop_add_curl_on_loop(request->loop, request->curl, on_curl_end, request);
    request->running = SUCCEEDED(hr);
    return hr;
}

void do_request_abort_on_loop(struct do_request *request)
{
    if (request->running)
        keep_module_for_resolver(request);
    do_loop_remove_curl_on_loop(request->loop, request->curl);
    do_loop_cancel_on_loop(request->loop, &request->rest_op);
    request->running = false;
}

void do_request_unpause_on_loop(struct do_request *request)
{
    if (!request->running || !request->paused)
        return;
    request->paused = false;
    request->rests = false;
    do_loop_cancel_on_loop(request->loop, &request->rest_op);
    go_on(request);
}
