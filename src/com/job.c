/* SPDX-License-Identifier: MIT */
/*
 * The job object, its vtable IBackgroundCopyJob5, and what a job is: its states, names and numbers.
 * Each method checks its pointers, converts, and calls one function of job/. Any thread.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/trace.h"

static struct job_object *from_job(IBackgroundCopyJob5 *iface)
{
    return DO_CONTAINER_OF(iface, struct job_object, IBackgroundCopyJob5_iface);
}

struct do_job *com_job_of(IBackgroundCopyJob5 *iface)
{
    return from_job(iface)->job;
}

void com_job_trace(IBackgroundCopyJob5 *iface, const char *method)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s", (void *)com_job_of(iface), method);
}

void com_job_trace_u32(IBackgroundCopyJob5 *iface, const char *method, ULONG value)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s value=0x%lx", (void *)com_job_of(iface), method,
        (unsigned long)value);
}

static HRESULT STDMETHODCALLTYPE job_QueryInterface(
    IBackgroundCopyJob5 *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_job(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE job_AddRef(IBackgroundCopyJob5 *iface)
{
    return com_object_AddRef(&from_job(iface)->object);
}

static ULONG STDMETHODCALLTYPE job_Release(IBackgroundCopyJob5 *iface)
{
    return com_object_Release(&from_job(iface)->object);
}

/* States */

static HRESULT STDMETHODCALLTYPE job_Suspend(IBackgroundCopyJob5 *iface)
{
    com_job_trace(iface, "Suspend");
    return do_job_suspend(com_job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Resume(IBackgroundCopyJob5 *iface)
{
    com_job_trace(iface, "Resume");
    return do_job_resume(com_job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Cancel(IBackgroundCopyJob5 *iface)
{
    com_job_trace(iface, "Cancel");
    return do_job_cancel(com_job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Complete(IBackgroundCopyJob5 *iface)
{
    com_job_trace(iface, "Complete");
    return do_job_complete(com_job_of(iface));
}

/* What a job is */

static HRESULT STDMETHODCALLTYPE job_GetId(IBackgroundCopyJob5 *iface, GUID *id)
{
    struct do_guid job_id;

    com_job_trace(iface, "GetId");
    if (!id)
        return E_INVALIDARG;
    job_id = do_job_get_id(com_job_of(iface));
    memcpy(id, job_id.bytes, sizeof(*id));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetType(IBackgroundCopyJob5 *iface, BG_JOB_TYPE *type)
{
    com_job_trace(iface, "GetType");
    if (!type)
        return E_INVALIDARG;
    *type = BG_JOB_TYPE_DOWNLOAD;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetProgress(
    IBackgroundCopyJob5 *iface, BG_JOB_PROGRESS *progress)
{
    struct do_job_progress values;

    com_job_trace(iface, "GetProgress");
    if (!progress)
        return E_INVALIDARG;
    do_job_get_progress(com_job_of(iface), &values);
    progress->BytesTotal = values.bytes_total;
    progress->BytesTransferred = values.bytes_transferred;
    progress->FilesTotal = values.files_total;
    progress->FilesTransferred = values.files_transferred;
    return S_OK;
}

static FILETIME to_filetime(uint64_t time)
{
    FILETIME filetime;

    filetime.dwLowDateTime = (DWORD)time;
    filetime.dwHighDateTime = (DWORD)(time >> 32);
    return filetime;
}

static HRESULT STDMETHODCALLTYPE job_GetTimes(IBackgroundCopyJob5 *iface, BG_JOB_TIMES *times)
{
    struct do_job_times values;

    com_job_trace(iface, "GetTimes");
    if (!times)
        return E_INVALIDARG;
    do_job_get_times(com_job_of(iface), &values);
    times->CreationTime = to_filetime(values.creation);
    times->ModificationTime = to_filetime(values.modification);
    times->TransferCompletionTime = to_filetime(values.transfer_completion);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetState(IBackgroundCopyJob5 *iface, BG_JOB_STATE *state)
{
    com_job_trace(iface, "GetState");
    if (!state)
        return E_INVALIDARG;
    *state = (BG_JOB_STATE)do_job_get_state(com_job_of(iface));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetError(
    IBackgroundCopyJob5 *iface, IBackgroundCopyError **out)
{
    struct do_job_error error;
    HRESULT hr;

    com_job_trace(iface, "GetError");
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (FAILED(hr = do_job_get_error(com_job_of(iface), &error)))
        return hr;
    return com_error_create(&error, out);
}

static HRESULT get_text(
    struct do_job *job, HRESULT (*get)(struct do_job *job, char **text), WCHAR **text)
{
    char *utf8;
    HRESULT hr;

    if (!text)
        return E_INVALIDARG;
    *text = NULL;
    if (FAILED(hr = get(job, &utf8)))
        return hr;
    hr = com_text_out(utf8, text);
    do_free(utf8);
    return hr;
}

static HRESULT set_text(
    struct do_job *job, HRESULT (*set)(struct do_job *job, const char *text), const WCHAR *text)
{
    char *utf8;
    HRESULT hr;

    if (FAILED(hr = com_text_in(text, &utf8)))
        return hr;
    hr = set(job, utf8);
    do_free(utf8);
    return hr;
}

static void trace_text(IBackgroundCopyJob5 *iface, const char *method, const WCHAR *text)
{
    struct com_trace_text buffer;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s text=%s", (void *)com_job_of(iface), method,
        com_trace_text(text, &buffer));
}

static HRESULT STDMETHODCALLTYPE job_SetDisplayName(IBackgroundCopyJob5 *iface, LPCWSTR text)
{
    trace_text(iface, "SetDisplayName", text);
    return set_text(com_job_of(iface), do_job_set_display_name, text);
}

static HRESULT STDMETHODCALLTYPE job_GetDisplayName(IBackgroundCopyJob5 *iface, LPWSTR *text)
{
    com_job_trace(iface, "GetDisplayName");
    return get_text(com_job_of(iface), do_job_get_display_name, text);
}

static HRESULT STDMETHODCALLTYPE job_SetDescription(IBackgroundCopyJob5 *iface, LPCWSTR text)
{
    trace_text(iface, "SetDescription", text);
    return set_text(com_job_of(iface), do_job_set_description, text);
}

static HRESULT STDMETHODCALLTYPE job_GetDescription(IBackgroundCopyJob5 *iface, LPWSTR *text)
{
    com_job_trace(iface, "GetDescription");
    return get_text(com_job_of(iface), do_job_get_description, text);
}

static HRESULT get_u32(struct do_job *job, uint32_t (*get)(struct do_job *job), ULONG *value)
{
    if (!value)
        return E_INVALIDARG;
    *value = get(job);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_SetPriority(
    IBackgroundCopyJob5 *iface, BG_JOB_PRIORITY priority)
{
    com_job_trace_u32(iface, "SetPriority", (ULONG)priority);
    if ((uint32_t)priority >= DO_PRIORITY_COUNT)
        return E_NOTIMPL;
    return do_job_set_priority(com_job_of(iface), (uint32_t)priority);
}

static HRESULT STDMETHODCALLTYPE job_GetPriority(
    IBackgroundCopyJob5 *iface, BG_JOB_PRIORITY *priority)
{
    com_job_trace(iface, "GetPriority");
    if (!priority)
        return E_INVALIDARG;
    *priority = (BG_JOB_PRIORITY)do_job_get_priority(com_job_of(iface));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_SetMinimumRetryDelay(IBackgroundCopyJob5 *iface, ULONG seconds)
{
    com_job_trace_u32(iface, "SetMinimumRetryDelay", seconds);
    return do_job_set_min_retry_delay_s(com_job_of(iface), seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetMinimumRetryDelay(
    IBackgroundCopyJob5 *iface, ULONG *seconds)
{
    com_job_trace(iface, "GetMinimumRetryDelay");
    return get_u32(com_job_of(iface), do_job_get_min_retry_delay_s, seconds);
}

static HRESULT STDMETHODCALLTYPE job_SetNoProgressTimeout(IBackgroundCopyJob5 *iface, ULONG seconds)
{
    com_job_trace_u32(iface, "SetNoProgressTimeout", seconds);
    return do_job_set_no_progress_timeout_s(com_job_of(iface), seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetNoProgressTimeout(
    IBackgroundCopyJob5 *iface, ULONG *seconds)
{
    com_job_trace(iface, "GetNoProgressTimeout");
    return get_u32(com_job_of(iface), do_job_get_no_progress_timeout_s, seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetErrorCount(IBackgroundCopyJob5 *iface, ULONG *count)
{
    com_job_trace(iface, "GetErrorCount");
    return get_u32(com_job_of(iface), do_job_get_error_count, count);
}

/* In process every job is the user's own already. */
static HRESULT STDMETHODCALLTYPE job_TakeOwnership(IBackgroundCopyJob5 *iface)
{
    com_job_trace(iface, "TakeOwnership");
    return S_OK;
}

static const IBackgroundCopyJob5Vtbl job_vtbl = {
    .QueryInterface = job_QueryInterface,
    .AddRef = job_AddRef,
    .Release = job_Release,
    .AddFileSet = com_job_AddFileSet,
    .AddFile = com_job_AddFile,
    .EnumFiles = com_job_EnumFiles,
    .Suspend = job_Suspend,
    .Resume = job_Resume,
    .Cancel = job_Cancel,
    .Complete = job_Complete,
    .GetId = job_GetId,
    .GetType = job_GetType,
    .GetProgress = job_GetProgress,
    .GetTimes = job_GetTimes,
    .GetState = job_GetState,
    .GetError = job_GetError,
    .GetOwner = com_job_GetOwner,
    .SetDisplayName = job_SetDisplayName,
    .GetDisplayName = job_GetDisplayName,
    .SetDescription = job_SetDescription,
    .GetDescription = job_GetDescription,
    .SetPriority = job_SetPriority,
    .GetPriority = job_GetPriority,
    .SetNotifyFlags = com_job_SetNotifyFlags,
    .GetNotifyFlags = com_job_GetNotifyFlags,
    .SetNotifyInterface = com_job_SetNotifyInterface,
    .GetNotifyInterface = com_job_GetNotifyInterface,
    .SetMinimumRetryDelay = job_SetMinimumRetryDelay,
    .GetMinimumRetryDelay = job_GetMinimumRetryDelay,
    .SetNoProgressTimeout = job_SetNoProgressTimeout,
    .GetNoProgressTimeout = job_GetNoProgressTimeout,
    .GetErrorCount = job_GetErrorCount,
    .SetProxySettings = com_job_SetProxySettings,
    .GetProxySettings = com_job_GetProxySettings,
    .TakeOwnership = job_TakeOwnership,
    .SetNotifyCmdLine = com_job_SetNotifyCmdLine,
    .GetNotifyCmdLine = com_job_GetNotifyCmdLine,
    .GetReplyProgress = com_job_GetReplyProgress,
    .GetReplyData = com_job_GetReplyData,
    .SetReplyFileName = com_job_SetReplyFileName,
    .GetReplyFileName = com_job_GetReplyFileName,
    .SetCredentials = com_job_SetCredentials,
    .RemoveCredentials = com_job_RemoveCredentials,
    .ReplaceRemotePrefix = com_job_ReplaceRemotePrefix,
    .AddFileWithRanges = com_job_AddFileWithRanges,
    .SetFileACLFlags = com_job_SetFileACLFlags,
    .GetFileACLFlags = com_job_GetFileACLFlags,
    .SetPeerCachingFlags = com_job_SetPeerCachingFlags,
    .GetPeerCachingFlags = com_job_GetPeerCachingFlags,
    .GetOwnerIntegrityLevel = com_job_GetOwnerIntegrityLevel,
    .GetOwnerElevationState = com_job_GetOwnerElevationState,
    .SetMaximumDownloadTime = com_job_SetMaximumDownloadTime,
    .GetMaximumDownloadTime = com_job_GetMaximumDownloadTime,
    .SetProperty = com_job_SetProperty,
    .GetProperty = com_job_GetProperty,
};

/* Each interface of the chain is the beginning of the next one's vtable. */
static const struct com_interface job_interfaces[] = {
    {&IID_IBackgroundCopyJob, offsetof(struct job_object, IBackgroundCopyJob5_iface)},
    {&IID_IBackgroundCopyJob2, offsetof(struct job_object, IBackgroundCopyJob5_iface)},
    {&IID_IBackgroundCopyJob3, offsetof(struct job_object, IBackgroundCopyJob5_iface)},
    {&IID_IBackgroundCopyJob4, offsetof(struct job_object, IBackgroundCopyJob5_iface)},
    {&IID_IBackgroundCopyJob5, offsetof(struct job_object, IBackgroundCopyJob5_iface)},
    {&IID_IBackgroundCopyJobHttpOptions,
        offsetof(struct job_object, IBackgroundCopyJobHttpOptions_iface)},
    {&IID_IDeliveryOptimizationJob, offsetof(struct job_object, IDeliveryOptimizationJob_iface)},
    {&IID_IDeliveryOptimizationJob2, offsetof(struct job_object, IDeliveryOptimizationJob2_iface)},
};

static void job_destroy(struct com_object *object)
{
    struct job_object *job = DO_CONTAINER_OF(object, struct job_object, object);

    do_job_release(job->job);
    com_object_finish(object);
    do_free(job);
}

static const struct com_class job_class = {
    job_interfaces, DO_COUNT_OF(job_interfaces), job_destroy};

HRESULT com_job_create(struct do_job *job, IBackgroundCopyJob **out)
{
    struct job_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    com_object_init(&created->object, &job_class);
    created->IBackgroundCopyJob5_iface.lpVtbl = &job_vtbl;
    created->IBackgroundCopyJobHttpOptions_iface.lpVtbl = &com_http_options_vtbl;
    created->IDeliveryOptimizationJob_iface.lpVtbl = &com_delivery_job_vtbl;
    created->IDeliveryOptimizationJob2_iface.lpVtbl = &com_delivery_job2_vtbl;
    created->job = do_job_acquire(job);
    *out = (IBackgroundCopyJob *)&created->IBackgroundCopyJob5_iface;
    return S_OK;
}
