/* SPDX-License-Identifier: MIT */
/*
 * How one hop of an exchange is made: its headers, credentials, proxy and trust, as the options
 * want them and as far as they may go to this host. Loop thread only.
 *
 * Every redirection is a hop of ours, not libcurl's, and everything is decided anew for it. So no
 * rule about what may follow to another host depends on the version of libcurl.
 */
#include "transfer/request_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "transfer/header_lines.h"
#include "transfer/proxy.h"

#define LONGEST_HEADER (64U * 1024)

/* The texts of a URL that decide where it leads; to be finished. */
struct origin
{
    char *scheme;
    char *host; /* without IPv6 brackets */
    uint16_t port;
};

static void origin_finish(struct origin *origin)
{
    curl_free(origin->scheme);
    curl_free(origin->host);
}

static HRESULT origin_of(CURLU *url, struct origin *origin)
{
    char *port = NULL;
    size_t length;

    memset(origin, 0, sizeof(*origin));
    if (curl_url_get(url, CURLUPART_SCHEME, &origin->scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &origin->host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
    {
        origin_finish(origin);
        return E_OUTOFMEMORY;
    }
    for (const char *c = port; *c >= '0' && *c <= '9'; c++)
        origin->port = (uint16_t)(origin->port * 10 + (*c - '0'));
    curl_free(port);
    length = strlen(origin->host);
    if (length > 2 && origin->host[0] == '[')
    {
        memmove(origin->host, origin->host + 1, length - 2);
        origin->host[length - 2] = 0;
    }
    return S_OK;
}

bool do_request_url_is_secure(CURLU *url)
{
    char *scheme = NULL;
    bool secure = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  do_str_equal_nocase(scheme, "https");

    curl_free(scheme);
    return secure;
}

static bool have_one_host(CURLU *a, CURLU *b)
{
    char *host_a = NULL;
    char *host_b = NULL;
    bool same = curl_url_get(a, CURLUPART_HOST, &host_a, 0) == CURLUE_OK &&
                curl_url_get(b, CURLUPART_HOST, &host_b, 0) == CURLUE_OK &&
                do_str_equal_nocase(host_a, host_b);

    curl_free(host_a);
    curl_free(host_b);
    return same;
}

bool do_request_urls_are_of_one_origin(CURLU *a, CURLU *b)
{
    struct origin origin_a;
    struct origin origin_b;
    bool same = false;

    if (FAILED(origin_of(a, &origin_a)))
        return false;
    if (SUCCEEDED(origin_of(b, &origin_b)))
    {
        same = do_str_equal_nocase(origin_a.scheme, origin_b.scheme) &&
               do_str_equal_nocase(origin_a.host, origin_b.host) && origin_a.port == origin_b.port;
        origin_finish(&origin_b);
    }
    origin_finish(&origin_a);
    return same;
}

static HRESULT from_setopt(CURLcode code)
{
    return code == CURLE_OK ? S_OK : E_OUTOFMEMORY;
}

/* Headers */

static HRESULT append_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (!longer)
        return E_OUTOFMEMORY;
    *list = longer;
    return S_OK;
}

static HRESULT append_line(struct curl_slist **list, const struct do_header_line *line)
{
    struct do_buf text;
    HRESULT hr = E_OUTOFMEMORY;

    do_buf_init(&text, LONGEST_HEADER);
    /* libcurl takes "Name:" for "leave that header out" and sends an empty one for "Name;". */
    if (line->is_empty)
    {
        do_buf_append(&text, line->begin, line->name_length);
        do_buf_append_str(&text, ";");
    }
    else
        do_buf_append(&text, line->begin, line->length);
    if (!text.failed)
        hr = append_header(list, do_buf_str(&text));
    do_buf_finish(&text);
    return hr;
}

struct header_rules
{
    bool to_server; /* lines that everybody may see */
    bool secrets;   /* lines for the origin alone */
    bool own_authorization;
    bool own_proxy_authorization;
};

static HRESULT append_lines(
    struct do_request *request, const char *text, const struct header_rules *rules)
{
    struct do_header_line line;
    HRESULT hr = S_OK;

    while (SUCCEEDED(hr) && do_header_line_next(&text, &line))
    {
        switch (line.kind)
        {
        case DO_HEADER_SKIP:
            break;
        case DO_HEADER_PLAIN:
            if (rules->to_server)
                hr = append_line(&request->headers, &line);
            break;
        case DO_HEADER_AUTH:
            if (rules->secrets && !rules->own_authorization)
                hr = append_line(&request->headers, &line);
            break;
        case DO_HEADER_COOKIE:
            if (rules->secrets)
                hr = append_line(&request->headers, &line);
            break;
        case DO_HEADER_PROXY:
            /* libcurl sends this list to proxies and, through a tunnel, to nobody else. */
            if (!rules->own_proxy_authorization)
                hr = append_line(&request->proxy_headers, &line);
            break;
        }
    }
    return hr;
}

/* Replaces the request's headers. Ranges address the identity form, so we ask for no other. */
static HRESULT set_headers(
    struct do_request *request, bool has_credential, bool has_proxy_credential)
{
    const struct do_request_options *options = request->options;
    const struct header_rules rules = {
        true, request->at_home, has_credential, has_proxy_credential};
    const struct header_rules auth_rules = {
        request->at_home, request->at_home, has_credential, has_proxy_credential};
    struct do_buf line;
    HRESULT hr;

    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->proxy_headers);
    request->headers = NULL;
    request->proxy_headers = NULL;
    if (FAILED(hr = append_header(&request->headers, "Accept-Encoding: identity")))
        return hr;
    if (request->if_range[0])
    {
        do_buf_init(&line, 0);
        do_buf_append_format(&line, "If-Range: %s", request->if_range);
        hr = line.failed ? E_OUTOFMEMORY : append_header(&request->headers, do_buf_str(&line));
        do_buf_finish(&line);
    }
    if (SUCCEEDED(hr))
        hr = append_lines(request, options->headers, &rules);
    if (SUCCEEDED(hr) && request->auth_headers_due)
        hr = append_lines(request, options->auth_headers, &auth_rules);
    if (SUCCEEDED(hr))
        hr = from_setopt(curl_easy_setopt(request->curl, CURLOPT_HTTPHEADER, request->headers));
    if (SUCCEEDED(hr))
        hr = from_setopt(
            curl_easy_setopt(request->curl, CURLOPT_PROXYHEADER, request->proxy_headers));
    return hr;
}

/* Credentials */

unsigned long do_request_auth_bit(enum do_auth_scheme scheme)
{
    switch (scheme)
    {
    case DO_AUTH_BASIC:
        return CURLAUTH_BASIC;
    case DO_AUTH_DIGEST:
        return CURLAUTH_DIGEST;
    case DO_AUTH_NTLM:
        return CURLAUTH_NTLM;
    case DO_AUTH_NEGOTIATE:
        return CURLAUTH_NEGOTIATE;
    case DO_AUTH_SCHEME_END:
        break;
    }
    return CURLAUTH_NONE;
}

/* What goes into the options of libcurl for one target. */
struct login
{
    const char *user;
    const char *password;
    unsigned long schemes;
};

/*
 * An empty user is, with NTLM and Negotiate, the one who is logged on. Without a credential of ours
 * libcurl may use what stands in the URL itself.
 */
static struct login login_of(const struct do_credential *credential)
{
    if (!credential)
        return (struct login){NULL, NULL, CURLAUTH_BASIC};
    return (struct login){credential->user ? credential->user : "",
        credential->password ? credential->password : "", do_request_auth_bit(credential->scheme)};
}

static HRESULT set_credentials(struct do_request *request, const struct do_credential *server,
    const struct do_credential *proxy)
{
    struct login to_server = login_of(server);
    struct login to_proxy = login_of(proxy);
    CURL *curl = request->curl;
    bool negotiates = ((to_server.schemes | to_proxy.schemes) & CURLAUTH_NEGOTIATE) != 0;

    /* A connection that Negotiate has logged in would serve whoever comes next, as the one who was
     * logged in: libcurl keeps those of NTLM apart by their owners, but not these. */
    if (curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, (long)negotiates) != CURLE_OK)
        return E_OUTOFMEMORY;
    /* A scheme that this libcurl lacks is refused here, and was not offered as one we can. */
    if (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, to_server.schemes) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_USERNAME, to_server.user) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PASSWORD, to_server.password) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROXYAUTH, to_proxy.schemes) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROXYUSERNAME, to_proxy.user) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROXYPASSWORD, to_proxy.password) != CURLE_OK)
        return E_OUTOFMEMORY;
    return S_OK;
}

/* Proxy */

/* NULL leaves it to libcurl, which looks into the environment; "" is no proxy whatever it says. */
static HRESULT set_proxy(struct do_request *request, const char *proxy)
{
    HRESULT hr = from_setopt(curl_easy_setopt(request->curl, CURLOPT_PROXY, proxy));

    if (SUCCEEDED(hr))
        hr = from_setopt(
            curl_easy_setopt(request->curl, CURLOPT_NOPROXY, !proxy ? NULL : (*proxy ? "" : "*")));
    return hr;
}

static HRESULT set_proxy_of_list(struct do_request *request, const char *list, const char *bypass)
{
    struct origin origin;
    char *proxy = NULL;
    HRESULT hr;

    if (FAILED(hr = origin_of(request->url, &origin)))
        return hr;
    if (!do_proxy_is_bypassed(bypass, origin.scheme, origin.host, origin.port))
        hr = do_proxy_from_list(list, origin.scheme, &proxy);
    if (SUCCEEDED(hr))
        hr = set_proxy(request, proxy ? proxy : "");
    do_free(proxy);
    origin_finish(&origin);
    return hr;
}

static HRESULT set_user_proxy(struct do_request *request)
{
    struct do_proxy_settings settings;
    HRESULT hr = do_proxy_get_user_settings(&settings);

    if (hr == S_FALSE)
        hr = set_proxy(request, NULL);
    else if (SUCCEEDED(hr))
        hr = set_proxy_of_list(request, settings.list, settings.bypass);
    do_proxy_settings_finish(&settings);
    return hr;
}

/* The URL without what scripts need not know: users, paths, queries. Each origin is asked once. */
static HRESULT url_for_script(const struct do_request *request, char **text)
{
    CURLU *url = curl_url_dup(request->url);
    HRESULT hr = E_OUTOFMEMORY;

    if (url && curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_PATH, "/", 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, text, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
        hr = S_OK;
    curl_url_cleanup(url);
    return hr;
}

HRESULT do_request_find_proxy(struct do_request *request)
{
    enum do_proxy_usage usage = request->options->proxy_usage;
    char *url;
    HRESULT hr;

    do_proxy_wait_finish_on_loop(&request->proxy);
    if (!request->settings.proxy_lookup || usage == DO_PROXY_NONE || usage == DO_PROXY_OVERRIDE)
        return S_OK;
    if (FAILED(hr = url_for_script(request, &url)))
        return hr;
    hr = do_proxy_lookup_ask_on_loop(request->settings.proxy_lookup, url, &request->proxy);
    curl_free(url);
    return hr;
}

static HRESULT choose_proxy(struct do_request *request)
{
    const struct do_request_options *options = request->options;

    switch (options->proxy_usage)
    {
    case DO_PROXY_NONE:
        return set_proxy(request, "");
    case DO_PROXY_OVERRIDE:
        return set_proxy_of_list(request, options->proxy_list, options->proxy_bypass);
    case DO_PROXY_PRECONFIG:
    case DO_PROXY_AUTODETECT:
        break;
    }
    if (request->proxy.by_script)
        return set_proxy_of_list(
            request, request->proxy.settings.list, request->proxy.settings.bypass);
    return set_user_proxy(request);
}

/* URL */

static HRESULT set_url(struct do_request *request)
{
    bool secure = do_request_url_is_secure(request->url);
    uint32_t buffer_bytes =
        secure ? request->settings.https_buffer_bytes : request->settings.http_buffer_bytes;
    CURL *curl = request->curl;

    if (request->pace)
        buffer_bytes =
            do_pace_buffer_bytes_on_loop(request->pace, request->rate_class, buffer_bytes);
    /* A handle that is used again would go on telling the URL of its last use as the effective one,
     * by which the certificate is verified. */
    if (curl_easy_setopt(curl, CURLOPT_URL, NULL) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_CURLU, request->url) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms) !=
            CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_RANGE, request->range[0] ? request->range : NULL) !=
            CURLE_OK)
        return E_OUTOFMEMORY;
    /* Refused while libcurl still holds the buffer of an exchange that failed; that one serves too.
     */
    if (curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)buffer_bytes) == CURLE_OK)
        request->buffer_bytes = buffer_bytes;
    return S_OK;
}

HRESULT do_request_set_hop(struct do_request *request)
{
    const struct do_request_options *options = request->options;
    const struct do_credential *server = NULL;
    const struct do_credential *proxy = NULL;
    HRESULT hr;

    request->at_home = do_request_urls_are_of_one_origin(request->home, request->url);
    if (request->at_home)
        server = do_request_options_get_credential(options, DO_AUTH_SERVER, request->server_scheme);
    proxy = do_request_options_get_credential(options, DO_AUTH_PROXY, request->proxy_scheme);
    if (FAILED(hr = set_url(request)) || FAILED(hr = choose_proxy(request)) ||
        FAILED(hr = set_credentials(request, server, proxy)) ||
        FAILED(hr = set_headers(request, server != NULL, proxy != NULL)))
        return hr;
    /* The certificate says who the client is: for other hosts that is as secret as a password. */
    return do_tls_apply(&request->tls, request->url, options->tls_flags,
        do_request_url_is_secure(request->url) && have_one_host(request->home, request->url)
            ? &options->certificate
            : NULL);
}
