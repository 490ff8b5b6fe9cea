/* SPDX-License-Identifier: MIT */
/*
 * The server's certificate against the chain policy of Windows. libcurl calls the hook before every
 * request, on connections that it uses again too, so none is trusted for having been verified once.
 */
#include "transfer/tls.h"

#include <windows.h>
#define SECURITY_WIN32
#include <security.h>
#include <schannel.h>
#include <wincrypt.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

/* The policy's verdicts and what clients of WinHTTP know them as. */
static HRESULT from_policy(DWORD error)
{
    switch ((HRESULT)error)
    {
    case S_OK:
        return S_OK;
    case CERT_E_EXPIRED:
    case CERT_E_VALIDITYPERIODNESTING:
        return DO_HR_NET_CERT_DATE_INVALID;
    case CERT_E_CN_NO_MATCH:
    case CERT_E_INVALID_NAME:
        return DO_HR_NET_CERT_CN_INVALID;
    case CERT_E_UNTRUSTEDROOT:
    case CERT_E_UNTRUSTEDCA:
    case CERT_E_CHAINING:
        return DO_HR_NET_INVALID_CA;
    case CERT_E_WRONG_USAGE:
    case CERT_E_PURPOSE:
        return DO_HR_NET_CERT_WRONG_USAGE;
    case CERT_E_REVOKED:
    case CRYPT_E_REVOKED:
        return DO_HR_NET_CERT_REVOKED;
    case CERT_E_REVOCATION_FAILURE:
    case CRYPT_E_NO_REVOCATION_CHECK:
    case CRYPT_E_REVOCATION_OFFLINE:
        return DO_HR_NET_CERT_REV_FAILED;
    default:
        return DO_E_HTTP_CERT_VALIDATION;
    }
}

static HRESULT verify_chain(const CERT_CONTEXT *certificate, WCHAR *host)
{
    static char server_auth[] = szOID_PKIX_KP_SERVER_AUTH;
    char *usages[] = {server_auth};
    CERT_CHAIN_PARA chain_parameters = {.cbSize = sizeof(chain_parameters)};
    SSL_EXTRA_CERT_CHAIN_POLICY_PARA ssl_parameters = {.cbSize = sizeof(ssl_parameters)};
    CERT_CHAIN_POLICY_PARA policy_parameters = {.cbSize = sizeof(policy_parameters)};
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof(status)};
    const CERT_CHAIN_CONTEXT *chain = NULL;
    HRESULT hr;

    chain_parameters.RequestedUsage.dwType = USAGE_MATCH_TYPE_AND;
    chain_parameters.RequestedUsage.Usage.cUsageIdentifier = 1;
    chain_parameters.RequestedUsage.Usage.rgpszUsageIdentifier = usages;
    ssl_parameters.dwAuthType = AUTHTYPE_SERVER;
    ssl_parameters.pwszServerName = host;
    policy_parameters.pvExtraPolicyPara = &ssl_parameters;
    if (!CertGetCertificateChain(
            NULL, certificate, NULL, certificate->hCertStore, &chain_parameters, 0, NULL, &chain))
        return do_hr_from_win32(GetLastError());
    if (CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &policy_parameters, &status))
        hr = from_policy(status.dwError);
    else
        hr = DO_E_HTTP_CERT_VALIDATION;
    /* Wine's policy lets a chain pass whose issuer is not known at all. */
    if (SUCCEEDED(hr) && (chain->TrustStatus.dwErrorStatus &
                             (CERT_TRUST_IS_PARTIAL_CHAIN | CERT_TRUST_IS_UNTRUSTED_ROOT)))
        hr = DO_HR_NET_INVALID_CA;
    CertFreeCertificateChain(chain);
    return hr;
}

/* The host of the URL that is requested right now, after redirects; without IPv6 brackets. */
static HRESULT current_host(CURL *curl, WCHAR **host)
{
    const char *url = NULL;
    CURLU *parsed = curl_url();
    char *name = NULL;
    HRESULT hr = E_OUTOFMEMORY;

    *host = NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
    if (parsed && url && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &name, 0) == CURLUE_OK)
    {
        size_t length = strlen(name);

        if (name[0] == '[' && length)
            name[length - 1] = 0;
        hr = do_utf16_from_utf8(name[0] == '[' ? name + 1 : name, (uint16_t **)host);
    }
    curl_free(name);
    curl_url_cleanup(parsed);
    return hr;
}

static HRESULT verify_connection(CURL *curl)
{
    const struct curl_tlssessioninfo *session = NULL;
    const CERT_CONTEXT *certificate = NULL;
    const char *scheme = NULL;
    WCHAR *host = NULL;
    SECURITY_STATUS status;
    HRESULT hr;

    if (curl_easy_getinfo(curl, CURLINFO_SCHEME, &scheme) != CURLE_OK || !scheme)
        return DO_E_HTTP_CERT_VALIDATION;
    if (do_str_equal_nocase(scheme, "http"))
        return S_OK;
    if (curl_easy_getinfo(curl, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        session->backend != CURLSSLBACKEND_SCHANNEL || !session->internals)
        return DO_E_HTTP_CERT_VALIDATION;
    status = QueryContextAttributesW(
        session->internals, SECPKG_ATTR_REMOTE_CERT_CONTEXT, (void *)&certificate);
    if (status != SEC_E_OK || !certificate)
        return DO_E_HTTP_CERT_VALIDATION;
    if (SUCCEEDED(hr = current_host(curl, &host)))
        hr = verify_chain(certificate, host);
    do_free(host);
    CertFreeCertificateContext(certificate);
    return hr;
}

/* CURLOPT_PREREQFUNCTION: the connection is there, the request has not left. */
static int before_request(
    void *ctx, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct do_tls_check *check = ctx;

    (void)remote_port;
    (void)local_ip;
    (void)local_port;
    check->verdict = verify_connection(check->curl);
    if (SUCCEEDED(check->verdict))
        return CURL_PREREQFUNC_OK;
    do_log(DO_LOG_WARN, DO_LOG_HTTP, "certificate of %s refused: 0x%08x", remote_ip,
        (unsigned int)check->verdict);
    return CURL_PREREQFUNC_ABORT;
}

HRESULT do_tls_install(struct do_tls_check *check)
{
    check->verdict = S_OK;
    if (curl_easy_setopt(check->curl, CURLOPT_PREREQFUNCTION, before_request) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_PREREQDATA, check) != CURLE_OK)
        return E_FAIL;
    return S_OK;
}
