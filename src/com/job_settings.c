/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJob to IBackgroundCopyJob5: how a job is carried out, and for whom. Any thread.
 * Credentials are neither logged nor left in memory that is freed.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/owner.h"
#include "com/trace.h"

/* In characters. (Source: win32 docs, BITS: proxy lists of 32 KB, names and passwords of 300.) */
#define PROXY_LIMIT 32767U
#define CREDENTIAL_LIMIT 300U

#define COST_STATES 0xFFU
#define KNOWN_COST_FLAGS                                                                           \
    (COST_STATES | (DWORD)BITS_COST_STATE_RESERVED | (DWORD)BITS_COST_OPTION_IGNORE_CONGESTION)

BOOL com_text_fits(const WCHAR *text, size_t limit)
{
    return !text || wcsnlen(text, limit + 1) <= limit;
}

HRESULT com_job_get_text(struct do_job *job, enum do_prop id, WCHAR **text)
{
    struct do_value value;
    HRESULT hr;

    *text = NULL;
    if (FAILED(hr = do_job_get_value(job, id, &value)))
        return hr;
    if (value.kind == DO_VALUE_TEXT)
        hr = com_text_out(value.data, text);
    do_value_finish(&value);
    return hr;
}

static HRESULT get_number(struct do_job *job, enum do_prop id, ULONG fallback, ULONG *number)
{
    struct do_value value;
    HRESULT hr;

    *number = fallback;
    if (FAILED(hr = do_job_get_value(job, id, &value)))
        return hr;
    if (value.kind == DO_VALUE_NUMBER)
        *number = (ULONG)value.number;
    do_value_finish(&value);
    return S_OK;
}

static HRESULT set_number(struct do_job *job, enum do_prop id, ULONG number)
{
    const struct do_setting setting = {(uint32_t)id, do_value_of_number(number)};

    return do_job_set_values(job, &setting, 1);
}

/* Owner */

HRESULT STDMETHODCALLTYPE com_job_GetOwner(IBackgroundCopyJob5 *iface, LPWSTR *owner)
{
    char *sid;
    HRESULT hr;

    com_job_trace(iface, "GetOwner");
    if (!owner)
        return E_INVALIDARG;
    if (FAILED(hr = com_job_get_text(com_job_of(iface), DO_PROP_OWNER, owner)) || *owner)
        return hr;
    /* A job from before owners were kept: the queue is this user's own. */
    if (FAILED(hr = com_owner_get_sid(&sid)))
        return hr;
    hr = com_text_out(sid, owner);
    do_free(sid);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_GetOwnerIntegrityLevel(IBackgroundCopyJob5 *iface, ULONG *level)
{
    com_job_trace(iface, "GetOwnerIntegrityLevel");
    return level ? com_owner_get_integrity(level) : E_INVALIDARG;
}

HRESULT STDMETHODCALLTYPE com_job_GetOwnerElevationState(IBackgroundCopyJob5 *iface, BOOL *elevated)
{
    com_job_trace(iface, "GetOwnerElevationState");
    return elevated ? com_owner_get_elevation(elevated) : E_INVALIDARG;
}

/* Proxy */

HRESULT STDMETHODCALLTYPE com_job_SetProxySettings(
    IBackgroundCopyJob5 *iface, BG_JOB_PROXY_USAGE usage, const WCHAR *list, const WCHAR *bypass)
{
    struct do_setting settings[] = {
        {DO_PROP_PROXY_USAGE, do_value_of_number((uint64_t)usage)},
        {DO_PROP_PROXY_LIST, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_PROXY_BYPASS, {DO_VALUE_EMPTY, 0, NULL, 0}},
    };
    struct com_trace_text bypass_text;
    char *list_utf8 = NULL;
    char *bypass_utf8 = NULL;
    HRESULT hr = S_OK;

    /* A proxy may be given with a name and a password. */
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetProxySettings usage=%d list=%s bypass=%s",
        (void *)com_job_of(iface), (int)usage, list ? "(given)" : "NULL",
        com_trace_text(bypass, &bypass_text));
    if ((ULONG)usage > BG_JOB_PROXY_USAGE_AUTODETECT)
        return E_NOTIMPL;
    if (usage == BG_JOB_PROXY_USAGE_OVERRIDE ? !list || !list[0] : list || bypass)
        return E_INVALIDARG;
    if (!com_text_fits(list, PROXY_LIMIT) || !com_text_fits(bypass, PROXY_LIMIT))
        return E_INVALIDARG;
    if (list)
        hr = com_text_in(list, &list_utf8);
    if (bypass && SUCCEEDED(hr))
        hr = com_text_in(bypass, &bypass_utf8);
    if (SUCCEEDED(hr))
    {
        settings[1].value = do_value_of_text(list_utf8);
        settings[2].value = do_value_of_text(bypass_utf8);
        hr = do_job_set_values(com_job_of(iface), settings, DO_COUNT_OF(settings));
    }
    do_free(bypass_utf8);
    do_free(list_utf8);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_GetProxySettings(
    IBackgroundCopyJob5 *iface, BG_JOB_PROXY_USAGE *usage, LPWSTR *list, LPWSTR *bypass)
{
    struct do_job *job = com_job_of(iface);
    ULONG number;
    HRESULT hr;

    com_job_trace(iface, "GetProxySettings");
    if (usage)
        *usage = BG_JOB_PROXY_USAGE_PRECONFIG;
    if (list)
        *list = NULL;
    if (bypass)
        *bypass = NULL;
    if (!usage || !list || !bypass)
        return E_INVALIDARG;
    if (FAILED(hr = get_number(job, DO_PROP_PROXY_USAGE, BG_JOB_PROXY_USAGE_PRECONFIG, &number)))
        return hr;
    /* The lists exist with OVERRIDE only. */
    if (FAILED(hr = com_job_get_text(job, DO_PROP_PROXY_LIST, list)))
        return hr;
    if (FAILED(hr = com_job_get_text(job, DO_PROP_PROXY_BYPASS, bypass)))
    {
        CoTaskMemFree(*list);
        *list = NULL;
        return hr;
    }
    *usage = (BG_JOB_PROXY_USAGE)number;
    return S_OK;
}

/* Replies of uploads: there are none. */

HRESULT STDMETHODCALLTYPE com_job_GetReplyProgress(
    IBackgroundCopyJob5 *iface, BG_JOB_REPLY_PROGRESS *progress)
{
    com_job_trace(iface, "GetReplyProgress");
    if (!progress)
        return E_INVALIDARG;
    progress->BytesTotal = 0;
    progress->BytesTransferred = 0;
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE com_job_GetReplyData(
    IBackgroundCopyJob5 *iface, byte **buffer, UINT64 *length)
{
    com_job_trace(iface, "GetReplyData");
    if (buffer)
        *buffer = NULL;
    if (length)
        *length = 0;
    return buffer && length ? E_NOTIMPL : E_INVALIDARG;
}

HRESULT STDMETHODCALLTYPE com_job_SetReplyFileName(IBackgroundCopyJob5 *iface, LPCWSTR name)
{
    struct com_trace_text text;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetReplyFileName name=%s", (void *)com_job_of(iface),
        com_trace_text(name, &text));
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE com_job_GetReplyFileName(IBackgroundCopyJob5 *iface, LPWSTR *name)
{
    com_job_trace(iface, "GetReplyFileName");
    if (!name)
        return E_INVALIDARG;
    *name = NULL;
    return E_NOTIMPL;
}

/* Credentials */

static HRESULT check_credential(BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme)
{
    if (target != BG_AUTH_TARGET_SERVER && target != BG_AUTH_TARGET_PROXY)
        return E_INVALIDARG;
    if (scheme == BG_AUTH_SCHEME_PASSPORT)
        return E_NOTIMPL;
    return scheme < BG_AUTH_SCHEME_BASIC || scheme > BG_AUTH_SCHEME_NEGOTIATE ? E_INVALIDARG : S_OK;
}

/* Frees a text that nobody may find in freed memory. */
static void free_secret(char *text)
{
    if (text)
        SecureZeroMemory(text, strlen(text));
    do_free(text);
}

static HRESULT set_credential(struct do_job *job, const BG_AUTH_CREDENTIALS *given)
{
    const BG_BASIC_CREDENTIALS *basic = &given->Credentials.Basic;
    struct do_credential credential = {
        (enum do_auth_target)given->Target, (enum do_auth_scheme)given->Scheme, NULL, NULL};
    HRESULT hr = S_OK;

    if (basic->UserName)
        hr = com_text_in(basic->UserName, &credential.user);
    if (basic->Password && SUCCEEDED(hr))
        hr = com_text_in(basic->Password, &credential.password);
    if (SUCCEEDED(hr))
        hr = do_job_set_credential(job, &credential);
    free_secret(credential.password);
    free_secret(credential.user);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_SetCredentials(
    IBackgroundCopyJob5 *iface, BG_AUTH_CREDENTIALS *credentials)
{
    const BG_BASIC_CREDENTIALS *basic;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetCredentials target=%d scheme=%d",
        (void *)com_job_of(iface), credentials ? (int)credentials->Target : 0,
        credentials ? (int)credentials->Scheme : 0);
    if (!credentials)
        return E_INVALIDARG;
    if (FAILED(hr = check_credential(credentials->Target, credentials->Scheme)))
        return hr;
    basic = &credentials->Credentials.Basic;
    /* Both, or for the user who is logged on neither. */
    if (!basic->UserName != !basic->Password)
        return E_INVALIDARG;
    if (!basic->UserName && credentials->Scheme != BG_AUTH_SCHEME_NTLM &&
        credentials->Scheme != BG_AUTH_SCHEME_NEGOTIATE)
        return E_INVALIDARG;
    if (!com_text_fits(basic->UserName, CREDENTIAL_LIMIT) ||
        !com_text_fits(basic->Password, CREDENTIAL_LIMIT))
        return E_INVALIDARG;
    return set_credential(com_job_of(iface), credentials);
}

HRESULT STDMETHODCALLTYPE com_job_RemoveCredentials(
    IBackgroundCopyJob5 *iface, BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme)
{
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p RemoveCredentials target=%d scheme=%d",
        (void *)com_job_of(iface), (int)target, (int)scheme);
    if (FAILED(hr = check_credential(target, scheme)))
        return hr;
    return do_job_remove_credential(
        com_job_of(iface), (enum do_auth_target)target, (enum do_auth_scheme)scheme);
}

/* Peer caching: there is none. */

HRESULT STDMETHODCALLTYPE com_job_SetPeerCachingFlags(IBackgroundCopyJob5 *iface, DWORD flags)
{
    com_job_trace_u32(iface, "SetPeerCachingFlags", flags);
    return flags ? E_NOTIMPL : S_OK;
}

HRESULT STDMETHODCALLTYPE com_job_GetPeerCachingFlags(IBackgroundCopyJob5 *iface, DWORD *flags)
{
    com_job_trace(iface, "GetPeerCachingFlags");
    if (!flags)
        return E_INVALIDARG;
    *flags = 0;
    return S_OK;
}

/* Time */

HRESULT STDMETHODCALLTYPE com_job_SetMaximumDownloadTime(IBackgroundCopyJob5 *iface, ULONG seconds)
{
    com_job_trace_u32(iface, "SetMaximumDownloadTime", seconds);
    return set_number(com_job_of(iface), DO_PROP_MAX_DOWNLOAD_TIME, seconds);
}

HRESULT STDMETHODCALLTYPE com_job_GetMaximumDownloadTime(IBackgroundCopyJob5 *iface, ULONG *seconds)
{
    com_job_trace(iface, "GetMaximumDownloadTime");
    if (!seconds)
        return E_INVALIDARG;
    return get_number(com_job_of(iface), DO_PROP_MAX_DOWNLOAD_TIME,
        do_job_default_max_download_time_s(com_job_of(iface)), seconds);
}

/* Properties */

static HRESULT set_cost_flags(struct do_job *job, DWORD flags)
{
    /* Flags that name no state of the network would never let the job run. */
    if ((flags & ~KNOWN_COST_FLAGS) || !(flags & COST_STATES))
        return E_INVALIDARG;
    return set_number(job, DO_PROP_COST_FLAGS, flags);
}

static HRESULT get_cost_flags(struct do_job *job, DWORD *flags)
{
    ULONG fallback = do_job_get_priority(job) == DO_PRIORITY_FOREGROUND
                         ? (ULONG)BITS_COST_STATE_TRANSFER_ALWAYS
                         : (ULONG)BITS_COST_STATE_TRANSFER_STANDARD;

    return get_number(job, DO_PROP_COST_FLAGS, fallback, flags);
}

HRESULT STDMETHODCALLTYPE com_job_SetProperty(
    IBackgroundCopyJob5 *iface, BITS_JOB_PROPERTY_ID id, BITS_JOB_PROPERTY_VALUE value)
{
    struct com_trace_text text;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetProperty id=%d dword=0x%lx class_id=%s",
        (void *)com_job_of(iface), (int)id, (unsigned long)value.Dword,
        id == BITS_JOB_PROPERTY_NOTIFICATION_CLSID ? com_trace_guid(&value.ClsID, &text) : "");
    if (id == BITS_JOB_PROPERTY_ID_COST_FLAGS)
        return set_cost_flags(com_job_of(iface), value.Dword);
    if (id == BITS_JOB_PROPERTY_NOTIFICATION_CLSID)
        return com_job_set_notify_class(com_job_of(iface), &value.ClsID);
    return DO_E_UNKNOWN_PROPERTY_ID;
}

HRESULT STDMETHODCALLTYPE com_job_GetProperty(
    IBackgroundCopyJob5 *iface, BITS_JOB_PROPERTY_ID id, BITS_JOB_PROPERTY_VALUE *value)
{
    do_log(
        DO_LOG_TRACE, DO_LOG_COM, "job=%p GetProperty id=%d", (void *)com_job_of(iface), (int)id);
    if (!value)
        return E_INVALIDARG;
    memset(value, 0, sizeof(*value));
    if (id == BITS_JOB_PROPERTY_ID_COST_FLAGS)
        return get_cost_flags(com_job_of(iface), &value->Dword);
    if (id == BITS_JOB_PROPERTY_NOTIFICATION_CLSID)
        return com_job_get_notify_class(com_job_of(iface), &value->ClsID);
    return DO_E_UNKNOWN_PROPERTY_ID;
}
