/* SPDX-License-Identifier: MIT */
/*
 * Native builds, which are for tests: libcurl's TLS library verifies peers and names by default.
 * It has one switch for chains and one for names, so that accepting one fault of a chain accepts
 * all of them; it checks no revocation, and client certificates of Windows' stores are ignored.
 */
#include "transfer/tls.h"

HRESULT do_tls_install(struct do_tls_check *check)
{
    check->url = NULL;
    check->flags = 0;
    check->verdict = S_OK;
    return S_OK;
}

HRESULT do_tls_apply(struct do_tls_check *check, CURLU *url, uint32_t flags,
    const struct do_client_certificate *certificate)
{
    const uint32_t chain_flags =
        DO_TLS_IGNORE_UNKNOWN_CA | DO_TLS_IGNORE_WRONG_USAGE | DO_TLS_IGNORE_DATE;

    (void)certificate;
    check->url = url;
    check->flags = do_tls_effective_flags(flags);
    check->verdict = S_OK;
    if (curl_easy_setopt(check->curl, CURLOPT_SSL_VERIFYPEER,
            check->flags & chain_flags ? 0L : 1L) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_SSL_VERIFYHOST,
            check->flags & DO_TLS_IGNORE_NAME ? 0L : 2L) != CURLE_OK)
        return E_FAIL;
    return S_OK;
}

HRESULT do_tls_failure(const struct do_tls_check *check)
{
    (void)check;
    return DO_HR_NET_SECURE_FAILURE;
}
