/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJobHttpOptions of a job object: headers, certificate faults, redirects and the
 * client certificate of its requests. Any thread. Headers are never logged.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/certificate.h"
#include "com/trace.h"

/* In characters, without the terminator. (Source: win32 docs, BITS: 16,384 and 256 with it.) */
#define HEADERS_LIMIT 16383U
#define NAME_LIMIT 255U

#define KNOWN_FLAGS                                                                                \
    (BG_SSL_ENABLE_CRL_CHECK | BG_SSL_IGNORE_CERT_CN_INVALID | BG_SSL_IGNORE_CERT_DATE_INVALID |   \
        BG_SSL_IGNORE_UNKNOWN_CA | BG_SSL_IGNORE_CERT_WRONG_USAGE | BG_HTTP_REDIRECT_POLICY_MASK | \
        BG_HTTP_REDIRECT_POLICY_ALLOW_HTTPS_TO_HTTP)

static struct job_object *from_options(IBackgroundCopyJobHttpOptions *iface)
{
    return DO_CONTAINER_OF(iface, struct job_object, IBackgroundCopyJobHttpOptions_iface);
}

static struct do_job *job_of(IBackgroundCopyJobHttpOptions *iface)
{
    return from_options(iface)->job;
}

static HRESULT STDMETHODCALLTYPE options_QueryInterface(
    IBackgroundCopyJobHttpOptions *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_options(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE options_AddRef(IBackgroundCopyJobHttpOptions *iface)
{
    return com_object_AddRef(&from_options(iface)->object);
}

static ULONG STDMETHODCALLTYPE options_Release(IBackgroundCopyJobHttpOptions *iface)
{
    return com_object_Release(&from_options(iface)->object);
}

static void trace(IBackgroundCopyJobHttpOptions *iface, const char *method)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s", (void *)job_of(iface), method);
}

/* Client certificate */

static HRESULT check_store(BG_CERT_STORE_LOCATION location, const WCHAR *store)
{
    if (!store || !store[0] || !com_text_fits(store, NAME_LIMIT))
        return E_INVALIDARG;
    return com_certificate_is_location(location) ? S_OK : E_NOTIMPL;
}

/* subject may be NULL. */
static HRESULT set_certificate(struct do_job *job, BG_CERT_STORE_LOCATION location,
    const WCHAR *store, const BYTE *hash, const WCHAR *subject)
{
    char *store_utf8 = NULL;
    char *subject_utf8 = NULL;
    HRESULT hr;

    if (SUCCEEDED(hr = com_text_in(store, &store_utf8)) && subject)
        hr = com_text_in(subject, &subject_utf8);
    if (SUCCEEDED(hr))
    {
        const struct do_setting settings[] = {
            {DO_PROP_CERTIFICATE_LOCATION, do_value_of_number((uint64_t)location)},
            {DO_PROP_CERTIFICATE_STORE, do_value_of_text(store_utf8)},
            {DO_PROP_CERTIFICATE_HASH, do_value_of_bytes(hash, COM_CERTIFICATE_HASH_SIZE)},
            {DO_PROP_CERTIFICATE_SUBJECT, do_value_of_text(subject_utf8)},
        };

        hr = do_job_set_values(job, settings, DO_COUNT_OF(settings));
    }
    do_free(subject_utf8);
    do_free(store_utf8);
    return hr;
}

static HRESULT STDMETHODCALLTYPE options_SetClientCertificateByID(
    IBackgroundCopyJobHttpOptions *iface, BG_CERT_STORE_LOCATION location, LPCWSTR store,
    BYTE *hash)
{
    struct com_trace_text text;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetClientCertificateByID location=%d store=%s",
        (void *)job_of(iface), (int)location, com_trace_text(store, &text));
    if (FAILED(hr = check_store(location, store)))
        return hr;
    if (!hash)
        return E_INVALIDARG;
    return set_certificate(job_of(iface), location, store, hash, NULL);
}

static HRESULT STDMETHODCALLTYPE options_SetClientCertificateByName(
    IBackgroundCopyJobHttpOptions *iface, BG_CERT_STORE_LOCATION location, LPCWSTR store,
    LPCWSTR subject)
{
    BYTE hash[COM_CERTIFICATE_HASH_SIZE];
    struct com_trace_text store_text;
    struct com_trace_text subject_text;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM,
        "job=%p SetClientCertificateByName location=%d store=%s subject=%s", (void *)job_of(iface),
        (int)location, com_trace_text(store, &store_text), com_trace_text(subject, &subject_text));
    if (FAILED(hr = check_store(location, store)))
        return hr;
    if (!subject || !subject[0] || !com_text_fits(subject, NAME_LIMIT))
        return E_INVALIDARG;
    if (FAILED(hr = com_certificate_find(location, store, subject, hash)))
        return hr;
    return set_certificate(job_of(iface), location, store, hash, subject);
}

/* The hash, as CoTaskMemAlloc'ed bytes; DO_HR_NOT_SET when there is no certificate. */
static HRESULT get_hash(struct do_job *job, BYTE **hash)
{
    struct do_value value;
    HRESULT hr;

    if (FAILED(hr = do_job_get_value(job, DO_PROP_CERTIFICATE_HASH, &value)))
        return hr;
    if (value.kind != DO_VALUE_BYTES || value.length != COM_CERTIFICATE_HASH_SIZE)
        hr = DO_HR_NOT_SET;
    else if ((*hash = CoTaskMemAlloc(COM_CERTIFICATE_HASH_SIZE)))
        memcpy(*hash, value.data, COM_CERTIFICATE_HASH_SIZE);
    else
        hr = E_OUTOFMEMORY;
    do_value_finish(&value);
    return hr;
}

static HRESULT STDMETHODCALLTYPE options_RemoveClientCertificate(
    IBackgroundCopyJobHttpOptions *iface)
{
    const struct do_setting settings[] = {
        {DO_PROP_CERTIFICATE_LOCATION, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_CERTIFICATE_STORE, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_CERTIFICATE_HASH, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_CERTIFICATE_SUBJECT, {DO_VALUE_EMPTY, 0, NULL, 0}},
    };
    BYTE *hash = NULL;
    HRESULT had;
    HRESULT hr;

    trace(iface, "RemoveClientCertificate");
    had = get_hash(job_of(iface), &hash);
    CoTaskMemFree(hash);
    if (FAILED(hr = do_job_set_values(job_of(iface), settings, DO_COUNT_OF(settings))))
        return hr;
    return had == DO_HR_NOT_SET ? S_FALSE : S_OK;
}

static HRESULT get_location(struct do_job *job, BG_CERT_STORE_LOCATION *location)
{
    struct do_value value;
    HRESULT hr;

    if (FAILED(hr = do_job_get_value(job, DO_PROP_CERTIFICATE_LOCATION, &value)))
        return hr;
    *location = (BG_CERT_STORE_LOCATION)value.number;
    do_value_finish(&value);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE options_GetClientCertificate(IBackgroundCopyJobHttpOptions *iface,
    BG_CERT_STORE_LOCATION *location, LPWSTR *store, BYTE **hash, LPWSTR *subject)
{
    struct do_job *job = job_of(iface);
    HRESULT hr;

    trace(iface, "GetClientCertificate");
    if (location)
        *location = BG_CERT_STORE_LOCATION_CURRENT_USER;
    if (store)
        *store = NULL;
    if (hash)
        *hash = NULL;
    if (subject)
        *subject = NULL;
    if (!location || !store || !hash || !subject)
        return E_INVALIDARG;
    if (SUCCEEDED(hr = get_hash(job, hash)) && SUCCEEDED(hr = get_location(job, location)) &&
        SUCCEEDED(hr = com_job_get_text(job, DO_PROP_CERTIFICATE_STORE, store)))
        hr = com_job_get_text(job, DO_PROP_CERTIFICATE_SUBJECT, subject);
    if (SUCCEEDED(hr))
        return hr;
    CoTaskMemFree(*store);
    CoTaskMemFree(*hash);
    *location = BG_CERT_STORE_LOCATION_CURRENT_USER;
    *store = NULL;
    *hash = NULL;
    return hr;
}

/* Headers */

static HRESULT STDMETHODCALLTYPE options_SetCustomHeaders(
    IBackgroundCopyJobHttpOptions *iface, LPCWSTR headers)
{
    struct do_setting setting = {DO_PROP_HTTP_HEADERS, {DO_VALUE_EMPTY, 0, NULL, 0}};
    char *utf8 = NULL;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetCustomHeaders headers=%s", (void *)job_of(iface),
        headers ? "(given)" : "NULL");
    if (!com_text_fits(headers, HEADERS_LIMIT))
        return E_INVALIDARG;
    if (headers && FAILED(hr = com_text_in(headers, &utf8)))
        return hr;
    setting.value = do_value_of_text(utf8);
    hr = do_job_set_values(job_of(iface), &setting, 1);
    do_free(utf8);
    return hr;
}

static HRESULT STDMETHODCALLTYPE options_GetCustomHeaders(
    IBackgroundCopyJobHttpOptions *iface, LPWSTR *headers)
{
    HRESULT hr;

    trace(iface, "GetCustomHeaders");
    if (!headers)
        return E_INVALIDARG;
    if (FAILED(hr = com_job_get_text(job_of(iface), DO_PROP_HTTP_HEADERS, headers)))
        return hr;
    return *headers ? S_OK : S_FALSE;
}

/* Flags */

static HRESULT STDMETHODCALLTYPE options_SetSecurityFlags(
    IBackgroundCopyJobHttpOptions *iface, ULONG flags)
{
    const struct do_setting setting = {DO_PROP_HTTP_SECURITY, do_value_of_number(flags)};
    ULONG policy = flags & BG_HTTP_REDIRECT_POLICY_MASK;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetSecurityFlags flags=0x%lx", (void *)job_of(iface),
        (unsigned long)flags);
    if (flags & ~(ULONG)KNOWN_FLAGS)
        return E_NOTIMPL;
    if (policy != BG_HTTP_REDIRECT_POLICY_ALLOW_SILENT &&
        policy != BG_HTTP_REDIRECT_POLICY_ALLOW_REPORT &&
        policy != BG_HTTP_REDIRECT_POLICY_DISALLOW)
        return E_NOTIMPL;
    return do_job_set_values(job_of(iface), &setting, 1);
}

static HRESULT STDMETHODCALLTYPE options_GetSecurityFlags(
    IBackgroundCopyJobHttpOptions *iface, ULONG *flags)
{
    struct do_value value;
    HRESULT hr;

    trace(iface, "GetSecurityFlags");
    if (!flags)
        return E_INVALIDARG;
    *flags = 0;
    if (FAILED(hr = do_job_get_value(job_of(iface), DO_PROP_HTTP_SECURITY, &value)))
        return hr;
    *flags = (ULONG)value.number;
    do_value_finish(&value);
    return S_OK;
}

const IBackgroundCopyJobHttpOptionsVtbl com_http_options_vtbl = {
    .QueryInterface = options_QueryInterface,
    .AddRef = options_AddRef,
    .Release = options_Release,
    .SetClientCertificateByID = options_SetClientCertificateByID,
    .SetClientCertificateByName = options_SetClientCertificateByName,
    .RemoveClientCertificate = options_RemoveClientCertificate,
    .GetClientCertificate = options_GetClientCertificate,
    .SetCustomHeaders = options_SetCustomHeaders,
    .GetCustomHeaders = options_GetCustomHeaders,
    .SetSecurityFlags = options_SetSecurityFlags,
    .GetSecurityFlags = options_GetSecurityFlags,
};
