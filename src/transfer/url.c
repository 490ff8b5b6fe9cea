/* SPDX-License-Identifier: MIT */
/*
 * URL checks over libcurl's parser. Pure.
 */
#include "transfer/url.h"

#include <string.h>

#include "base/str.h"

HRESULT do_url_parse(const char *url, CURLU **parsed)
{
    CURLU *handle;
    CURLUcode code;
    char *host = NULL;
    HRESULT hr = DO_HR_INET_INVALID_URL;

    *parsed = NULL;
    if (!do_str_starts_nocase(url, "http://") && !do_str_starts_nocase(url, "https://"))
        return hr;
    /* An empty host is no host; libcurl would take the next part for it. RFC 9110 4.2.1 */
    if (strchr("/?#", strstr(url, "://")[3]))
        return hr;
    for (const char *c = url; *c; c++)
    {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return hr;
    }
    if (!(handle = curl_url()))
        return E_OUTOFMEMORY;
    code = curl_url_set(handle, CURLUPART_URL, url, CURLU_URLENCODE);
    if (code == CURLUE_OK)
        code = curl_url_get(handle, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        hr = E_OUTOFMEMORY;
    else if (code == CURLUE_OK && host[0])
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
