/* SPDX-License-Identifier: MIT */
/*
 * One HTTP exchange over a curl easy handle, which is kept for the next one. Loop thread only.
 */
#include "transfer/request_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/plat.h"
#include "store/queue_db.h"
#include "transfer/url.h"

#define USER_AGENT "Microsoft-Delivery-Optimization/10.0 (compatible; dosvc)"

/* The body of a redirection or a challenge may be so long; it is read to keep the connection. */
#define DROPPED_BYTES_LIMIT (1U << 20)

/* Challenges within one hop, which libcurl answers by itself: the second message of NTLM or of
 * Negotiate, a nonce that is stale, each from a proxy and a server. Beyond that somebody plays. */
#define MAX_CHALLENGES 8U

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
    {CURLE_BAD_CONTENT_ENCODING, DO_HR_NET_INVALID_SERVER_RESPONSE},
    {CURLE_PEER_FAILED_VERIFICATION, DO_E_HTTP_CERT_VALIDATION},
    {CURLE_SSL_INVALIDCERTSTATUS, DO_E_HTTP_CERT_VALIDATION},
    {CURLE_SSL_CERTPROBLEM, DO_HR_NET_CLIENT_CERT_NEEDED},
};

/* A status other than success with which a proxy refused to make a tunnel, or 0. */
static unsigned int refused_tunnel(const struct do_request *request, CURLcode code)
{
    long status = 0;

    if (code == CURLE_OK || request->head_told ||
        curl_easy_getinfo(request->curl, CURLINFO_HTTP_CONNECTCODE, &status) != CURLE_OK ||
        status < 300 || status != (long)request->head.status)
        return 0;
    return (unsigned int)status;
}

/*
 * The reason why a hop ended: our own verdict first, then the certificate, then the proxy's, then
 * libcurl's.
 */
static HRESULT hr_of(const struct do_request *request, CURLcode code)
{
    unsigned int tunnel_status = refused_tunnel(request, code);

    if (FAILED(request->verdict))
        return request->verdict;
    if (FAILED(request->tls.verdict))
        return request->tls.verdict;
    if (tunnel_status)
        return do_hr_from_http_status(tunnel_status);
    /* A head that was cut off says nothing, and one field that libcurl will not hold is too long.
     */
    if (request->head.status && !request->head.is_complete)
    {
        if (code == CURLE_OK)
            return DO_HR_NET_CONNECTION_ABORTED;
        if (code == CURLE_OUT_OF_MEMORY)
            return DO_HR_NET_INVALID_SERVER_RESPONSE;
    }
    if (code == CURLE_SSL_CONNECT_ERROR)
        return do_tls_failure(&request->tls);
    /* The scheme was chosen because of a challenge, and then could not be spoken. */
    if (code == CURLE_AUTH_ERROR || code == CURLE_LOGIN_DENIED)
        return do_hr_from_http_status(
            request->proxy_answered && !request->server_answered ? 407 : 401);
    for (size_t i = 0; i < DO_COUNT_OF(curl_codes); i++)
    {
        if (curl_codes[i].code == code)
            return curl_codes[i].hr;
    }
    return DO_HR_NET_CONNECTION_ABORTED;
}

/* The end of a head. */
static bool is_empty_line(const char *line, size_t length)
{
    return length && (line[0] == '\r' || line[0] == '\n');
}

static size_t on_curl_header(char *line, size_t size, size_t count, void *ctx)
{
    struct do_request *request = ctx;
    size_t length = size * count;

    /* A refusal is final: neither trailers nor later bytes may follow it. */
    if (FAILED(request->verdict))
        return 0;
    /* A trailer: none of them counts, whatever it looks like. */
    if (request->head_told)
        return length;
    request->verdict = do_http_head_add_line(&request->head, line, length);
    if (SUCCEEDED(request->verdict) && do_request_is_challenge(request) &&
        is_empty_line(line, length) && ++request->challenges > MAX_CHALLENGES)
    {
        request->remembers_challenge = true;
        request->verdict = do_hr_from_http_status(request->head.status);
    }
    return SUCCEEDED(request->verdict) ? length : 0;
}

/* The final head is known when its first byte of body arrives, or at the end without one. */
HRESULT do_request_tell_head(struct do_request *request)
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

static bool is_limited(const struct do_request *request)
{
    return request->pace && request->pace->is_limited[request->rate_class];
}

/* Whether bytes may be taken now; if not, the request is in the line of those that wait. */
static bool has_turn(struct do_request *request)
{
    if (request->waits)
        return false;
    if (do_pace_may_read_on_loop(request->pace, request->rate_class))
        return true;
    request->waits = true;
    do_pace_wait_on_loop(request->pace, request->rate_class, &request->turn_op);
    return false;
}

/* Reads on when nothing stands against it. Stopping before a read costs nothing. */
static void go_on_if_free(struct do_request *request)
{
    if (!request->running || request->paused || request->rests || request->waits ||
        (is_limited(request) && !has_turn(request)))
        return;
    if (request->events->has_room(request->ctx, request->buffer_bytes))
        go_on(request);
    else
        request->paused = true;
}

static void end_rest(void *ctx)
{
    struct do_request *request = ctx;

    request->rests = false;
    go_on_if_free(request);
}

static void end_wait(void *ctx)
{
    struct do_request *request = ctx;

    request->waits = false;
    go_on_if_free(request);
}

static void stop_waiting(struct do_request *request)
{
    do_loop_cancel_on_loop(request->loop, &request->rest_op);
    do_list_remove(&request->turn_op.link);
    request->rests = false;
    request->waits = false;
}

/* Takes a body that nobody wants. What is too long for that makes the answer final. */
static size_t drop_data(struct do_request *request, size_t length)
{
    HRESULT hr;

    if (length <= DROPPED_BYTES_LIMIT - request->dropped_bytes)
    {
        request->dropped_bytes += (uint32_t)length;
        return length;
    }
    hr = do_request_tell_head(request);
    request->verdict = FAILED(hr) ? hr : DO_HR_NET_INVALID_SERVER_RESPONSE;
    return 0;
}

static size_t on_curl_data(char *data, size_t size, size_t count, void *ctx)
{
    struct do_request *request = ctx;
    size_t length = size * count;
    bool limited = is_limited(request);
    HRESULT hr;

    if (FAILED(request->verdict))
        return 0;
    if (do_request_is_redirect(request) || do_request_is_challenge(request))
        return drop_data(request, length);
    if (FAILED(hr = do_request_tell_head(request)))
    {
        request->verdict = hr;
        return 0;
    }
    /* The rest of what was read stays with libcurl until it is this request's turn again. */
    if (limited && !has_turn(request))
        return CURL_WRITEFUNC_PAUSE;
    if (FAILED(hr = request->events->on_data(request->ctx, data, length)))
    {
        request->verdict = hr;
        return 0;
    }
    if (hr == S_FALSE)
    {
        request->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    request->body_bytes += length;
    /* Where there is a limit libcurl is paused by what this function returns, and not by rest:
     * after a pause from inside a callback it reads a whole buffer more, each time. */
    if (limited)
        do_pace_spend_on_loop(request->pace, request->rate_class, length);
    /* After the last byte libcurl is to see the end in this very round. */
    else if (!request->head.has_content_length ||
             request->body_bytes < request->head.content_length)
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

static bool set_options(struct do_request *request)
{
    CURL *curl = request->curl;

    return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(
               curl, CURLOPT_LOW_SPEED_TIME, (long)request->settings.stall_timeout_s) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_curl_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, request) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_curl_data) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, request) == CURLE_OK &&
           SUCCEEDED(do_tls_install(&request->tls));
}

static HRESULT send_hop(struct do_request *request)
{
    HRESULT hr = do_request_set_hop(request);

    if (SUCCEEDED(hr))
        hr = do_loop_add_curl_on_loop(request->loop, request->curl, on_curl_end, request);
    request->running = SUCCEEDED(hr);
    return hr;
}

/* A hop that waited goes on. */
static void on_proxy_known(void *ctx)
{
    struct do_request *request = ctx;
    HRESULT hr = request->proxy.hr;

    request->running = false;
    if (SUCCEEDED(hr))
        hr = send_hop(request);
    if (FAILED(hr))
        request->events->on_end(request->ctx, hr);
}

HRESULT do_request_begin_hop(struct do_request *request)
{
    HRESULT hr;

    do_http_head_finish(&request->head);
    do_http_head_init(&request->head);
    request->verdict = S_OK;
    request->head_told = false;
    request->paused = false;
    stop_waiting(request);
    request->dropped_bytes = 0;
    request->body_bytes = 0;
    request->challenges = 0;
    if (request->remembers_challenge)
    {
        curl_easy_reset(request->curl);
        if (!set_options(request))
            return E_OUTOFMEMORY;
        request->remembers_challenge = false;
    }
    if ((hr = do_request_find_proxy(request)) != S_FALSE)
        return FAILED(hr) ? hr : send_hop(request);
    request->running = true;
    return S_OK;
}

/* The server's certificate is known now; what is wrong with it is the hop's end. */
static void on_verdict(void *ctx)
{
    struct do_request *request = ctx;
    HRESULT hr = request->revocation.hr;

    request->running = false;
    if (SUCCEEDED(hr))
        hr = do_request_begin_hop(request);
    if (FAILED(hr))
        request->events->on_end(request->ctx, hr);
}

static void on_curl_end(void *ctx, CURLcode code)
{
    struct do_request *request = ctx;
    bool is_answer;
    HRESULT hr;

    request->running = false;
    stop_waiting(request);
    if (do_request_awaits_verdict(request))
        return;
    hr = hr_of(request, code);
    is_answer = SUCCEEDED(hr) || refused_tunnel(request, code);
    if (code == CURLE_OPERATION_TIMEDOUT)
        keep_module_for_resolver(request);
    if (is_answer && SUCCEEDED(request->verdict) && SUCCEEDED(request->tls.verdict) &&
        do_request_go_on_elsewhere(request, &hr))
        return;
    if (is_answer && !request->head_told && (SUCCEEDED(hr) || request->head.status))
    {
        HRESULT told = do_request_tell_head(request);

        if (SUCCEEDED(hr))
            hr = told;
    }
    if (FAILED(hr))
        do_log(DO_LOG_INFO, DO_LOG_HTTP, "request ended: curl %d, status %u, 0x%08x", (int)code,
            request->head.status, (unsigned int)hr);
    request->events->on_end(request->ctx, hr);
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
    do_proxy_wait_init(&created->proxy, on_proxy_known, created);
    do_revocation_wait_init(&created->revocation, on_verdict, created);
    created->tls.revocation = settings->revocation;
    do_http_head_init(&created->head);
    if (!(created->curl = curl_easy_init()))
    {
        do_request_destroy(created);
        return E_OUTOFMEMORY;
    }
    created->tls.curl = created->curl;
    created->connect_timeout_ms = settings->connect_timeout_ms;
    do_loop_op_init(&created->rest_op, end_rest, created);
    do_loop_op_init(&created->turn_op, end_wait, created);
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
    do_proxy_wait_finish_on_loop(&request->proxy);
    do_revocation_wait_finish_on_loop(&request->revocation);
    if (request->curl)
        curl_easy_cleanup(request->curl);
    do_tls_finish(&request->tls);
    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->proxy_headers);
    curl_url_cleanup(request->url);
    curl_url_cleanup(request->home);
    curl_free(request->redirected_to);
    do_http_head_finish(&request->head);
    do_free(request);
}

static void set_range(struct do_request *request, const struct do_range *range)
{
    char *text = request->range;

    text[0] = 0;
    if (range && range->end == DO_SIZE_UNKNOWN)
        (void)snprintf(text, sizeof(request->range), "%" PRIu64 "-", range->begin);
    else if (range)
        (void)snprintf(
            text, sizeof(request->range), "%" PRIu64 "-%" PRIu64, range->begin, range->end - 1);
}

/* Takes url as the one that was asked for, and forgets what another origin has taught. */
static HRESULT set_home(struct do_request *request, const char *url)
{
    CURLU *home;
    CURLU *first;
    HRESULT hr;

    if (FAILED(hr = do_url_parse(url, &home)))
        return hr;
    if (request->has_other_home)
    {
        curl_url_cleanup(request->url);
        request->url = home;
        return S_OK;
    }
    if (!(first = curl_url_dup(home)))
    {
        curl_url_cleanup(home);
        return E_OUTOFMEMORY;
    }
    if (request->home && !do_request_urls_are_of_one_origin(request->home, home))
    {
        request->server_scheme = (enum do_auth_scheme)0;
        request->auth_headers_due = false;
    }
    curl_url_cleanup(request->home);
    curl_url_cleanup(request->url);
    request->home = home;
    request->url = first;
    return S_OK;
}

HRESULT do_request_set_home_on_loop(struct do_request *request, const char *url)
{
    HRESULT hr;

    request->has_other_home = false;
    if (!url)
        return S_OK;
    if (SUCCEEDED(hr = set_home(request, url)))
        request->has_other_home = true;
    return hr;
}

void do_request_set_pace_on_loop(
    struct do_request *request, struct do_pace *pace, enum do_rate_class which)
{
    request->pace = pace;
    request->rate_class = which;
    /* Who stands in the other class's line changes over. */
    if (request->waits)
        do_pace_wait_on_loop(pace, which, &request->turn_op);
}

void do_request_set_connect_timeout_on_loop(struct do_request *request, uint32_t timeout_ms)
{
    request->connect_timeout_ms = timeout_ms;
}

HRESULT do_request_start_on_loop(struct do_request *request, const char *url,
    const struct do_range *range, const char *if_range, const struct do_request_options *options)
{
    static const struct do_request_options defaults = {.proxy_usage = DO_PROXY_PRECONFIG};
    HRESULT hr;

    if (FAILED(hr = set_home(request, url)))
        return hr;
    set_range(request, range);
    (void)snprintf(request->if_range, sizeof(request->if_range), "%s", if_range);
    request->options = options ? options : &defaults;
    request->redirects = 0;
    request->revocation_checks = 0;
    curl_free(request->redirected_to);
    request->redirected_to = NULL;
    request->server_answered = false;
    request->proxy_answered = false;
    return do_request_begin_hop(request);
}

const char *do_request_redirected_url_on_loop(const struct do_request *request)
{
    return request->redirected_to;
}

const char *do_request_server_address_on_loop(const struct do_request *request)
{
    const char *address = NULL;

    (void)curl_easy_getinfo(request->curl, CURLINFO_PRIMARY_IP, &address);
    return address && *address ? address : NULL;
}

void do_request_abort_on_loop(struct do_request *request)
{
    if (request->running && !request->proxy.lookup && !request->revocation.revocation)
        keep_module_for_resolver(request);
    do_proxy_wait_finish_on_loop(&request->proxy);
    do_revocation_wait_finish_on_loop(&request->revocation);
    do_loop_remove_curl_on_loop(request->loop, request->curl);
    stop_waiting(request);
    request->running = false;
}

void do_request_unpause_on_loop(struct do_request *request)
{
    if (!request->running || !request->paused)
        return;
    request->paused = false;
    /* Its turn comes: the wait for that is not over because there is room. */
    if (request->waits || (is_limited(request) && !has_turn(request)))
        return;
    stop_waiting(request);
    go_on(request);
}

bool do_request_waits_for_turn_on_loop(const struct do_request *request)
{
    return request->waits;
}
