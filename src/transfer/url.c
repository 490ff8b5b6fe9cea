/* SPDX-License-Identifier: MIT */
/*
 * URL checks over libcurl's parser. Pure.
 */
#include "transfer/url.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static bool has_control(const char *text)
{
    for (; *text; text++)
    {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    }
    return false;
}

/*
 * libcurl decodes "%35" in a host but looks before that whether it is a number that stands for an
 * address: what it has understood is read once more, so that one host has one form.
 */
static CURLUcode settle_host(CURLU *handle)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(handle, CURLUPART_URL, &text, 0);

    if (code == CURLUE_OK)
        code = curl_url_set(handle, CURLUPART_URL, text, CURLU_URLENCODE);
    curl_free(text);
    return code;
}

HRESULT do_url_parse(const char *url, CURLU **parsed)
{
    const char *authority;
    CURLU *handle;
    CURLUcode code;
    char *host = NULL;
    HRESULT hr = DO_HR_INET_INVALID_URL;

    *parsed = NULL;
    if (!do_str_starts_nocase(url, "http://") && !do_str_starts_nocase(url, "https://"))
        return hr;
    /* An empty host is no host; libcurl would take the next part for it. RFC 9110 4.2.1 */
    authority = strstr(url, "://") + 3;
    if (strchr("/?#", authority[0]))
        return hr;
    if (has_control(url))
        return hr;
    if (!(handle = curl_url()))
        return E_OUTOFMEMORY;
    code = curl_url_set(handle, CURLUPART_URL, url, CURLU_URLENCODE);
    if (code == CURLUE_OK && memchr(authority, '%', strcspn(authority, "/?#")))
        code = settle_host(handle);
    if (code == CURLUE_OK)
        code = curl_url_get(handle, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        hr = E_OUTOFMEMORY;
    else if (code == CURLUE_OK && host[0] && !has_control(host)) /* "%7f" is decoded there */
        hr = S_OK;
    curl_free(host);
    if (FAILED(hr))
        curl_url_cleanup(handle);
    else
        *parsed = handle;
    return hr;
}

HRESULT do_url_check(const char *url)
{
    CURLU *parsed;
    HRESULT hr = do_url_parse(url, &parsed);

    curl_url_cleanup(parsed);
    return hr;
}

/* 127.0.0.0/8, which libcurl has brought into the usual form. */
static bool is_loopback_v4(const char *host)
{
    return strncmp(host, "127.", 4) == 0 && !host[strspn(host, "0123456789.")];
}

/* RFC 6761 6.3: names that end in ".localhost" too. */
static bool is_localhost(const char *host)
{
    size_t length = strlen(host);

    if (length && host[length - 1] == '.')
        return false;
    return do_str_equal_nocase(host, "localhost") ||
           (length > 10 && do_str_equal_nocase(host + length - 10, ".localhost"));
}

bool do_url_is_local(const char *url)
{
    CURLU *parsed;
    char *host = NULL;
    bool is_local;

    if (FAILED(do_url_parse(url, &parsed)))
        return false;
    is_local = curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
               (is_localhost(host) || is_loopback_v4(host) || strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_url_cleanup(parsed);
    return is_local;
}
