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
#include <string.h>

#include <windows.h>
#define SECURITY_WIN32
#include <security.h>
#include <schannel.h>
#include <wincrypt.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/crypto.h"

/* Most time that one chain's revocation checks may take a thread. Wine does not keep it. */
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
 * With a revocation check this may ask the issuer over the network: not on the loop, see
 * find_verdict. A root has nobody who could revoke it.
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

/* Our own URL's scheme, for the same reason. What is not surely http has to prove its name. */
static bool is_secure(CURLU *url)
{
    char *scheme = NULL;
    bool secure = !url || curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
                  !do_str_equal_nocase(scheme, "http");

    curl_free(scheme);
    return secure;
}

/* The certificate that the server of the current connection has shown, or NULL. */
static const CERT_CONTEXT *server_certificate(CURL *curl)
{
    const struct curl_tlssessioninfo *session = NULL;
    const CERT_CONTEXT *certificate = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        session->backend != CURLSSLBACKEND_SCHANNEL || !session->internals ||
        QueryContextAttributesW(
            session->internals, SECPKG_ATTR_REMOTE_CERT_CONTEXT, (void *)&certificate) != SEC_E_OK)
        return NULL;
    return certificate;
}

static HRESULT verify_certificate(
    const struct do_tls_check *check, const CERT_CONTEXT *certificate, uint32_t flags)
{
    WCHAR *host = NULL;
    HRESULT hr;

    if (SUCCEEDED(hr = current_host(check->url, &host)))
        hr = verify_chain(certificate, host, flags);
    do_free(host);
    return hr;
}

/* Revocation */

/* What a thread verifies: copies, since the connection does not stay. */
struct chain_check
{
    HCERTSTORE store; /* what the server has shown */
    const CERT_CONTEXT *certificate;
    WCHAR *host;
    uint32_t flags;
};

static void chain_check_finish(void *ctx)
{
    struct chain_check *chain = ctx;

    if (chain->certificate)
        CertFreeCertificateContext(chain->certificate);
    if (chain->store)
        CertCloseStore(chain->store, 0);
    do_free(chain->host);
    do_free(chain);
}

static HRESULT chain_check_run(void *ctx)
{
    const struct chain_check *chain = ctx;

    return verify_chain(chain->certificate, chain->host, chain->flags);
}

static HRESULT copy_certificate(
    const CERT_CONTEXT *certificate, HCERTSTORE store, const CERT_CONTEXT **copy)
{
    if (!CertAddEncodedCertificateToStore(store, certificate->dwCertEncodingType,
            certificate->pbCertEncoded, certificate->cbCertEncoded, CERT_STORE_ADD_USE_EXISTING,
            copy))
        return do_hr_from_win32(GetLastError());
    return S_OK;
}

/* The certificate, and those of its issuers that came with it. */
static HRESULT copy_certificates(struct chain_check *chain, const CERT_CONTEXT *certificate)
{
    const CERT_CONTEXT *other = NULL;
    HRESULT hr;

    if (!(chain->store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL)))
        return do_hr_from_win32(GetLastError());
    hr = copy_certificate(certificate, chain->store, &chain->certificate);
    while (SUCCEEDED(hr) && certificate->hCertStore &&
           (other = CertEnumCertificatesInStore(certificate->hCertStore, other)))
        hr = copy_certificate(other, chain->store, NULL);
    if (FAILED(hr) && other)
        CertFreeCertificateContext(other);
    return hr;
}

/* What the verdict depends on: the certificate, the name that it has to prove, what is accepted. */
static HRESULT make_key(
    const struct do_tls_check *check, const CERT_CONTEXT *certificate, char **key)
{
    uint8_t hash[DO_SHA256_SIZE];
    char *host = NULL;
    struct do_buf text;
    HRESULT hr;

    *key = NULL;
    if (FAILED(hr = do_hash_of(
                   DO_HASH_SHA256, certificate->pbCertEncoded, certificate->cbCertEncoded, hash)))
        return hr;
    if (curl_url_get(check->url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return E_OUTOFMEMORY;
    do_buf_init(&text, 0);
    for (size_t i = 0; i < sizeof(hash); i++)
        do_buf_append_format(&text, "%02x", (unsigned int)hash[i]);
    do_buf_append_format(&text, " %x %s", (unsigned int)check->flags, host);
    curl_free(host);
    *key = text.failed ? NULL : do_buf_take(&text);
    do_buf_finish(&text);
    return *key ? S_OK : E_OUTOFMEMORY;
}

/* Puts the question into check, where the request finds it. */
static HRESULT make_question(struct do_tls_check *check, const CERT_CONTEXT *certificate)
{
    struct do_revocation_question *question = &check->question;
    struct chain_check *chain;
    HRESULT hr;

    if (!(chain = do_alloc(sizeof(*chain))))
        return E_OUTOFMEMORY;
    question->check = chain_check_run;
    question->finish = chain_check_finish;
    question->ctx = chain;
    chain->flags = check->flags;
    if (SUCCEEDED(hr = current_host(check->url, &chain->host)))
        hr = copy_certificates(chain, certificate);
    return hr;
}

/*
 * The verdict that is known. Else it is for a thread to find out, since libcurl's hook, on the
 * loop, cannot wait: the request fails, and is made again when the verdict is there.
 */
static HRESULT find_verdict(struct do_tls_check *check, const CERT_CONTEXT *certificate)
{
    struct do_revocation_question *question = &check->question;
    HRESULT verdict;
    HRESULT hr;

    do_revocation_question_finish(question);
    if (SUCCEEDED(hr = make_key(check, certificate, &question->key)))
    {
        if (do_revocation_find_on_loop(check->revocation, question->key, &verdict))
            hr = verdict;
        else if (!check->revocation)
            hr = DO_HR_NET_CERT_REV_FAILED;
        else if (SUCCEEDED(hr = make_question(check, certificate)))
            return DO_HR_NET_CERT_REV_FAILED;
    }
    do_revocation_question_finish(question);
    /* It may have run out since then. */
    if (SUCCEEDED(hr) && CertVerifyTimeValidity(NULL, certificate->pCertInfo) != 0)
        hr = DO_HR_NET_CERT_DATE_INVALID;
    return hr;
}

static HRESULT verify_connection(struct do_tls_check *check)
{
    const CERT_CONTEXT *certificate;
    HRESULT hr;

    if (!is_secure(check->url))
        return S_OK;
    if (!(certificate = server_certificate(check->curl)))
        return DO_E_HTTP_CERT_VALIDATION;
    if (check->flags & DO_TLS_CHECK_REVOCATION)
        hr = find_verdict(check, certificate);
    else
        hr = verify_certificate(check, certificate, check->flags);
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
    /* The handshake is over: see on_curl_text. */
    (void)curl_easy_setopt(check->curl, CURLOPT_VERBOSE, 0L);
    check->verdict = verify_connection(check);
    if (SUCCEEDED(check->verdict))
        return CURL_PREREQFUNC_OK;
    if (check->question.key)
        return CURL_PREREQFUNC_ABORT;
    do_log(DO_LOG_WARN, DO_LOG_HTTP, "certificate of %s refused: 0x%08x", remote_ip,
        (unsigned int)check->verdict);
    return CURL_PREREQFUNC_ABORT;
}

/*
 * CURLOPT_DEBUGFUNCTION: the only call that libcurl makes while the connection of a handshake that
 * has failed is still there. Schannel does not say what it found wrong with the server, so we look.
 */
static int on_curl_text(CURL *curl, curl_infotype type, char *text, size_t length, void *ctx)
{
    struct do_tls_check *check = ctx;
    const CERT_CONTEXT *certificate;

    (void)text;
    (void)length;
    if (type != CURLINFO_TEXT || !check->error[0] || check->server_has_shown ||
        !(certificate = server_certificate(curl)))
        return 0;
    check->server_has_shown = true;
    if (check->is_early)
        check->verdict =
            verify_certificate(check, certificate, check->flags & ~DO_TLS_CHECK_REVOCATION);
    CertFreeCertificateContext(certificate);
    return 0;
}

/*
 * libcurl has no code of its own for a connection that breaks while the hands are shaken. And a
 * server says only that it does not go on: when it says so after it has shown its certificate,
 * which is good or did not matter, it is the client's that it does not like.
 */
HRESULT do_tls_failure(const struct do_tls_check *check)
{
    do_log(DO_LOG_WARN, DO_LOG_HTTP, "TLS: %s", check->error);
    if (strstr(check->error, "failed to receive handshake") ||
        (strstr(check->error, "failed to send") && strstr(check->error, "handshake data")))
        return DO_HR_NET_CONNECTION_ABORTED;
    return check->server_has_shown ? DO_HR_NET_CLIENT_CERT_NEEDED : DO_HR_NET_SECURE_FAILURE;
}

HRESULT do_tls_install(struct do_tls_check *check)
{
    check->url = NULL;
    check->flags = 0;
    check->verdict = S_OK;
    check->is_early = false;
    check->server_has_shown = false;
    check->error[0] = 0;
    if (curl_easy_setopt(check->curl, CURLOPT_PREREQFUNCTION, before_request) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_PREREQDATA, check) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_DEBUGFUNCTION, on_curl_text) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_DEBUGDATA, check) != CURLE_OK ||
        curl_easy_setopt(check->curl, CURLOPT_ERRORBUFFER, check->error) != CURLE_OK)
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
    {"CurrentService", CERT_SYSTEM_STORE_CURRENT_SERVICE},
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
    bool shows = certificate && (certificate->serialized || certificate->store);

    check->url = url;
    check->flags = do_tls_effective_flags(flags);
    check->verdict = S_OK;
    do_revocation_question_finish(&check->question);
    check->is_early = shows && !(check->flags & ~DO_TLS_CHECK_REVOCATION);
    check->server_has_shown = false;
    check->error[0] = 0;
    /*
     * The hook is the judge, and the only one that gives each fault its own code. But the client's
     * certificate is shown while the handshake goes on, which is before the hook. So Schannel
     * verifies too then, unless our flags, which it does not know, are to count. (Wine's does not.)
     */
    if (curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, check->is_early ? 1L : 0L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, check->is_early ? 2L : 0L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NO_REVOKE) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_VERBOSE, is_secure(url) ? 1L : 0L) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_SSLCERT, NULL) != CURLE_OK)
        return E_FAIL;
    if (certificate && certificate->serialized)
        return use_serialized(curl, certificate);
    if (certificate && certificate->store)
        return use_store(curl, certificate->location, certificate->store, certificate->hash);
    return S_OK;
}
