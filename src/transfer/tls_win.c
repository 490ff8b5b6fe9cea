/* SPDX-License-Identifier: MIT */
/*
 * The server's certificate against the chain policy of Windows, and the client's certificate from
 * the stores of Windows. Loop thread.
 *
 * libcurl calls the hook before every request, on connections that it uses again too, and the hook
 * verifies with the flags of the request that is about to leave. So a connection that was made by a
 * request that accepts more is never good enough for one that accepts less.
 */
#define CERT_CHAIN_PARA_HAS_EXTRA_FIELDS
#include "transfer/tls.h"

#include <stdio.h>

#include <windows.h>
#define SECURITY_WIN32
#include <security.h>
#include <schannel.h>
#include <wincrypt.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"

/* Most time that one chain's revocation checks may take. */
#define REVOCATION_TIMEOUT_MS 10000U

#define SHA1_BYTES 20U

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

/* What the policy ignores, as WinINet numbers it (Source: HTTPSPolicyCallbackData). */
static DWORD policy_checks(uint32_t flags)
{
    return (flags & DO_TLS_IGNORE_UNKNOWN_CA ? 0x100U : 0) |
           (flags & DO_TLS_IGNORE_WRONG_USAGE ? 0x200U : 0) |
           (flags & DO_TLS_IGNORE_NAME ? 0x1000U : 0) | (flags & DO_TLS_IGNORE_DATE ? 0x2000U : 0);
}

/* What the policies of some systems leave to the application. */
static HRESULT from_trust(DWORD errors, uint32_t flags)
{
    if (errors & CERT_TRUST_IS_REVOKED)
        return DO_HR_NET_CERT_REVOKED;
    /* Wine's policy lets a chain pass whose issuer is not known at all. */
    if (!(flags & DO_TLS_IGNORE_UNKNOWN_CA) &&
        (errors & (CERT_TRUST_IS_PARTIAL_CHAIN | CERT_TRUST_IS_UNTRUSTED_ROOT)))
        return DO_HR_NET_INVALID_CA;
    /* Who asks for the check wants to know when it is not possible. */
    if ((flags & DO_TLS_CHECK_REVOCATION) &&
        (errors & (CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION)))
        return DO_HR_NET_CERT_REV_FAILED;
    return S_OK;
}

/*
 * A revocation check may ask the issuer over the network, here, on the loop: libcurl's hook has no
 * other place for it. Only a client that wants the check pays for it, and never more than the
 * time-out. A root has nobody who could revoke it.
 */
static HRESULT verify_chain(const CERT_CONTEXT *certificate, WCHAR *host, uint32_t flags)
{
    static char server_auth[] = szOID_PKIX_KP_SERVER_AUTH;
    char *usages[] = {server_auth};
    CERT_CHAIN_PARA chain_parameters = {.cbSize = sizeof(chain_parameters)};
    SSL_EXTRA_CERT_CHAIN_POLICY_PARA ssl_parameters = {.cbSize = sizeof(ssl_parameters)};
    CERT_CHAIN_POLICY_PARA policy_parameters = {.cbSize = sizeof(policy_parameters)};
    CERT_CHAIN_POLICY_STATUS status = {.cbSize = sizeof(status)};
    const CERT_CHAIN_CONTEXT *chain = NULL;
    DWORD chain_flags = 0;
    HRESULT hr;

    chain_parameters.RequestedUsage.dwType = USAGE_MATCH_TYPE_AND;
    chain_parameters.RequestedUsage.Usage.cUsageIdentifier = 1;
    chain_parameters.RequestedUsage.Usage.rgpszUsageIdentifier = usages;
    if (flags & DO_TLS_CHECK_REVOCATION)
    {
        chain_parameters.dwUrlRetrievalTimeout = REVOCATION_TIMEOUT_MS;
        chain_flags = CERT_CHAIN_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT |
                      CERT_CHAIN_REVOCATION_ACCUMULATIVE_TIMEOUT;
    }
    ssl_parameters.dwAuthType = AUTHTYPE_SERVER;
    ssl_parameters.fdwChecks = policy_checks(flags);
    ssl_parameters.pwszServerName = host;
    policy_parameters.pvExtraPolicyPara = &ssl_parameters;
    if (flags & DO_TLS_IGNORE_UNKNOWN_CA)
        policy_parameters.dwFlags |= CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG;
    if (!CertGetCertificateChain(NULL, certificate, NULL, certificate->hCertStore,
            &chain_parameters, chain_flags, NULL, &chain))
        return do_hr_from_win32(GetLastError());
    if (CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &policy_parameters, &status))
        hr = from_policy(status.dwError);
    else
        hr = DO_E_HTTP_CERT_VALIDATION;
    if (SUCCEEDED(hr))
        hr = from_trust(chain->TrustStatus.dwErrorStatus, flags);
    CertFreeCertificateChain(chain);
    return hr;
}

/*
 * The host that is requested right now, without IPv6 brackets. It comes from us: libcurl keeps the
 * text of an earlier URL as the effective one when a handle is used again with CURLOPT_CURLU.
 */
static HRESULT current_host(CURLU *url, WCHAR **host)
{
    char *name = NULL;
    size_t length;
    HRESULT hr;

    *host = NULL;
    if (!url || curl_url_get(url, CURLUPART_HOST, &name, 0) != CURLUE_OK)
        return E_OUTOFMEMORY;
    length = strlen(name);
    if (name[0] == '[' && length)
        name[length - 1] = 0;
    hr = do_utf16_from_utf8(name[0] == '[' ? name + 1 : name, (uint16_t **)host);
    curl_free(name);
    return hr;
}

static HRESULT verify_connection(const struct do_tls_check *check)
{
    CURL *curl = check->curl;
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
    if (SUCCEEDED(hr = current_host(check->url, &host)))
        hr = verify_chain(certificate, host, check->flags);
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
    check->verdict = verify_connection(check);
    if (SUCCEEDED(check->verdict))
        return CURL_PREREQFUNC_OK;
    do_log(DO_LOG_WARN, DO_LOG_HTTP, "certificate of %s refused: 0x%08x", remote_ip,
        (unsigned int)check->verdict);
    return CURL_PREREQFUNC_ABORT;
}

HRESULT do_tls_install(struct do_tls_check *check)
{
    check->url = NULL;
    check->flags = 0;
    check->verdict = S_OK;
    if (curl_easy_setopt(check->curl, CURLOPT_PREREQFUNCTION, before_request) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_PREREQDATA, check) != CURLE_OK)
        return E_FAIL;
    return S_OK;
}

/* The client's certificate */

/* The words of libcurl's CURLOPT_SSLCERT by BG_CERT_STORE_LOCATION, and the stores that they mean.
 */
static const struct
{
    const char *word;
    DWORD location;
} locations[] = {
    {"CurrentUser", CERT_SYSTEM_STORE_CURRENT_USER},
    {"LocalMachine", CERT_SYSTEM_STORE_LOCAL_MACHINE},
    {"Services", CERT_SYSTEM_STORE_SERVICES},
    {"Users", CERT_SYSTEM_STORE_USERS},
    {"CurrentUserGroupPolicy", CERT_SYSTEM_STORE_CURRENT_USER_GROUP_POLICY},
    {"LocalMachineGroupPolicy", CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY},
    {"LocalMachineEnterprise", CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE},
};

static HRESULT use_store(
    CURL *curl, uint32_t location, const char *store, const unsigned char *hash)
{
    struct do_buf path;
    HRESULT hr = E_OUTOFMEMORY;

    if (location >= DO_COUNT_OF(locations))
        return E_INVALIDARG;
    do_buf_init(&path, 0);
    do_buf_append_format(&path, "%s\\%s\\", locations[location].word, store);
    for (size_t i = 0; i < SHA1_BYTES; i++)
        do_buf_append_format(&path, "%02X", (unsigned int)hash[i]);
    if (!path.failed && curl_easy_setopt(curl, CURLOPT_SSLCERT, do_buf_str(&path)) == CURLE_OK)
        hr = S_OK;
    do_buf_finish(&path);
    return hr;
}

/* The SHA-1 of a serialized certificate. */
static HRESULT hash_of_serialized(
    const struct do_client_certificate *certificate, unsigned char *hash)
{
    const CERT_CONTEXT *context = NULL;
    DWORD length = SHA1_BYTES;
    HCERTSTORE memory = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    HRESULT hr = S_OK;

    if (!memory)
        return do_hr_from_win32(GetLastError());
    if (!CertAddSerializedElementToStore(memory, certificate->serialized,
            (DWORD)certificate->serialized_length, CERT_STORE_ADD_ALWAYS, 0,
            CERT_STORE_CERTIFICATE_CONTEXT_FLAG, NULL, (const void **)&context) ||
        !CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, hash, &length))
        hr = DO_HR_CRYPT_FILE_ERROR;
    if (context)
        CertFreeCertificateContext(context);
    CertCloseStore(memory, 0);
    return hr;
}

static bool is_in_personal_store(DWORD location, unsigned char *hash)
{
    const CRYPT_HASH_BLOB blob = {SHA1_BYTES, hash};
    const CERT_CONTEXT *found = NULL;
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0,
        location | CERT_STORE_OPEN_EXISTING_FLAG | CERT_STORE_READONLY_FLAG, L"MY");

    if (!store)
        return false;
    found = CertFindCertificateInStore(
        store, X509_ASN_ENCODING | PKCS_7_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, &blob, NULL);
    if (found)
        CertFreeCertificateContext(found);
    CertCloseStore(store, 0);
    return found != NULL;
}

/*
 * libcurl takes a certificate of Windows from a store, or with its private key from a file. A
 * serialized one has a link to its key and not the key, so it is looked for in the two personal
 * stores, where who could serialize it nearly always had it from.
 */
static HRESULT use_serialized(CURL *curl, const struct do_client_certificate *certificate)
{
    unsigned char hash[SHA1_BYTES];
    HRESULT hr;

    if (FAILED(hr = hash_of_serialized(certificate, hash)))
        return hr;
    for (uint32_t i = 0; i < 2; i++)
    {
        if (is_in_personal_store(locations[i].location, hash))
            return use_store(curl, i, "MY", hash);
    }
    do_log(DO_LOG_ERROR, DO_LOG_HTTP, "the client certificate is in no personal store");
    return DO_HR_NET_CLIENT_CERT_NEEDED;
}

HRESULT do_tls_apply(struct do_tls_check *check, CURLU *url, uint32_t flags,
    const struct do_client_certificate *certificate)
{
    CURL *curl = check->curl;
    bool weak;

    check->url = url;
    check->flags = do_tls_effective_flags(flags);
    check->verdict = S_OK;
    /*
     * What Schannel verifies by itself comes first and knows nothing of our flags; with those the
     * hook is the only judge. It is also the one that checks revocation.
     */
    weak = (check->flags & ~DO_TLS_CHECK_REVOCATION) != 0;
    if (curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, weak ? 0L : 1L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, weak ? 0L : 2L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NO_REVOKE) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSLCERT, NULL) != CURLE_OK)
        return E_FAIL;
    if (certificate && certificate->serialized)
        return use_serialized(curl, certificate);
    if (certificate && certificate->store)
        return use_store(curl, certificate->location, certificate->store, certificate->hash);
    return S_OK;
}
