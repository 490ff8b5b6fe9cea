/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJob. Each method checks its pointers, converts, and calls one function of job/.
 * Any thread.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

static struct job_object *from_job(IBackgroundCopyJob *iface)
{
    return DO_CONTAINER_OF(iface, struct job_object, IBackgroundCopyJob_iface);
}

static struct do_job *job_of(IBackgroundCopyJob *iface)
{
    return from_job(iface)->job;
}

static void trace(IBackgroundCopyJob *iface, const char *method)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s", (void *)job_of(iface), method);
}

static void trace_u32(IBackgroundCopyJob *iface, const char *method, ULONG value)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p %s value=%lu", (void *)job_of(iface), method,
        (unsigned long)value);
}

static HRESULT STDMETHODCALLTYPE job_QueryInterface(
    IBackgroundCopyJob *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_job(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE job_AddRef(IBackgroundCopyJob *iface)
{
    return com_object_AddRef(&from_job(iface)->object);
}

static ULONG STDMETHODCALLTYPE job_Release(IBackgroundCopyJob *iface)
{
    return com_object_Release(&from_job(iface)->object);
}

/* Files */

static void free_new_file(struct do_new_file *file)
{
    do_free((void *)(uintptr_t)file->content_id);
    do_free((void *)(uintptr_t)file->url);
    do_free((void *)(uintptr_t)file->local_path);
    do_free((void *)(uintptr_t)file->ranges);
}

/* The client's texts in our terms; what is filled must be freed also on failure. */
static HRESULT fill_new_file(struct do_new_file *file, const WCHAR *content_id, const WCHAR *url,
    const WCHAR *local_path, UINT64 size)
{
    char *texts[3] = {NULL, NULL, NULL};
    HRESULT hr;

    memset(file, 0, sizeof(*file));
    file->size = size;
    if (SUCCEEDED(hr = com_text_in(content_id, &texts[0])) &&
        SUCCEEDED(hr = com_text_in(url, &texts[1])))
        hr = com_text_in(local_path, &texts[2]);
    file->content_id = texts[0];
    file->url = texts[1];
    file->local_path = texts[2];
    return hr;
}

HRESULT com_ranges_in(const BG_FILE_RANGE *ranges, DWORD count, struct do_range **converted)
{
    struct do_range *out;

    *converted = NULL;
    if (!count != !ranges || count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    if (!count)
        return S_OK;
    if (!(out = do_alloc_array(count, sizeof(*out))))
        return E_OUTOFMEMORY;
    for (DWORD i = 0; i < count; i++)
    {
        out[i].begin = ranges[i].InitialOffset;
        out[i].end = DO_SIZE_UNKNOWN;
        if (ranges[i].Length == BG_LENGTH_TO_EOF)
            continue;
        /* A length that runs over 2^64 is a range that no file has; an empty one is refused later.
         */
        if (!do_checked_add_u64(out[i].begin, ranges[i].Length, &out[i].end) ||
            out[i].end == DO_SIZE_UNKNOWN)
        {
            do_free(out);
            return DO_E_INVALID_RANGE;
        }
    }
    *converted = out;
    return S_OK;
}

HRESULT com_job_add_file(struct do_job *job, const WCHAR *content_id, const WCHAR *url,
    const WCHAR *local_path, DWORD range_count, const BG_FILE_RANGE *ranges, UINT64 size)
{
    struct do_range *converted = NULL;
    struct do_new_file file;
    HRESULT hr;

    if (SUCCEEDED(hr = fill_new_file(&file, content_id, url, local_path, size)) &&
        SUCCEEDED(hr = com_ranges_in(ranges, range_count, &converted)))
    {
        file.ranges = converted;
        file.range_count = range_count;
        hr = do_job_add_files(job, &file, 1);
    }
    free_new_file(&file);
    return hr;
}

static HRESULT STDMETHODCALLTYPE job_AddFileSet(
    IBackgroundCopyJob *iface, ULONG count, BG_FILE_INFO *set)
{
    struct do_new_file *files;
    HRESULT hr = S_OK;
    ULONG filled = 0;

    trace_u32(iface, "AddFileSet", count);
    if (!count || !set)
        return E_INVALIDARG;
    if (!(files = do_alloc_array(count, sizeof(*files))))
        return E_OUTOFMEMORY;
    while (filled < count && SUCCEEDED(hr))
    {
        const BG_FILE_INFO *info = &set[filled];

        hr = fill_new_file(
            &files[filled++], info->RemoteName, info->RemoteName, info->LocalName, BG_SIZE_UNKNOWN);
    }
    if (SUCCEEDED(hr))
        hr = do_job_add_files(job_of(iface), files, count);
    while (filled)
        free_new_file(&files[--filled]);
    do_free(files);
    return hr;
}

static HRESULT STDMETHODCALLTYPE job_AddFile(
    IBackgroundCopyJob *iface, LPCWSTR url, LPCWSTR local_path)
{
    trace(iface, "AddFile");
    return com_job_add_file(job_of(iface), url, url, local_path, 0, NULL, BG_SIZE_UNKNOWN);
}

static HRESULT STDMETHODCALLTYPE job_EnumFiles(
    IBackgroundCopyJob *iface, IEnumBackgroundCopyFiles **out)
{
    trace(iface, "EnumFiles");
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    return com_enum_files_create(job_of(iface), out);
}

/* States */

static HRESULT STDMETHODCALLTYPE job_Suspend(IBackgroundCopyJob *iface)
{
    trace(iface, "Suspend");
    return do_job_suspend(job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Resume(IBackgroundCopyJob *iface)
{
    trace(iface, "Resume");
    return do_job_resume(job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Cancel(IBackgroundCopyJob *iface)
{
    trace(iface, "Cancel");
    return do_job_cancel(job_of(iface));
}

static HRESULT STDMETHODCALLTYPE job_Complete(IBackgroundCopyJob *iface)
{
    trace(iface, "Complete");
    return do_job_complete(job_of(iface));
}

/* What a job is */

static HRESULT STDMETHODCALLTYPE job_GetId(IBackgroundCopyJob *iface, GUID *id)
{
    struct do_guid job_id;

    trace(iface, "GetId");
    if (!id)
        return E_INVALIDARG;
    job_id = do_job_get_id(job_of(iface));
    memcpy(id, job_id.bytes, sizeof(*id));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetType(IBackgroundCopyJob *iface, BG_JOB_TYPE *type)
{
    trace(iface, "GetType");
    if (!type)
        return E_INVALIDARG;
    *type = BG_JOB_TYPE_DOWNLOAD;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetProgress(
    IBackgroundCopyJob *iface, BG_JOB_PROGRESS *progress)
{
    struct do_job_progress values;

    trace(iface, "GetProgress");
    if (!progress)
        return E_INVALIDARG;
    do_job_get_progress(job_of(iface), &values);
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

static HRESULT STDMETHODCALLTYPE job_GetTimes(IBackgroundCopyJob *iface, BG_JOB_TIMES *times)
{
    struct do_job_times values;

    trace(iface, "GetTimes");
    if (!times)
        return E_INVALIDARG;
    do_job_get_times(job_of(iface), &values);
    times->CreationTime = to_filetime(values.creation);
    times->ModificationTime = to_filetime(values.modification);
    times->TransferCompletionTime = to_filetime(values.transfer_completion);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetState(IBackgroundCopyJob *iface, BG_JOB_STATE *state)
{
    trace(iface, "GetState");
    if (!state)
        return E_INVALIDARG;
    *state = (BG_JOB_STATE)do_job_get_state(job_of(iface));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_GetError(IBackgroundCopyJob *iface, IBackgroundCopyError **out)
{
    struct do_job_error error;
    HRESULT hr;

    trace(iface, "GetError");
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (FAILED(hr = do_job_get_error(job_of(iface), &error)))
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

static HRESULT STDMETHODCALLTYPE job_SetDisplayName(IBackgroundCopyJob *iface, LPCWSTR text)
{
    trace(iface, "SetDisplayName");
    return set_text(job_of(iface), do_job_set_display_name, text);
}

static HRESULT STDMETHODCALLTYPE job_GetDisplayName(IBackgroundCopyJob *iface, LPWSTR *text)
{
    trace(iface, "GetDisplayName");
    return get_text(job_of(iface), do_job_get_display_name, text);
}

static HRESULT STDMETHODCALLTYPE job_SetDescription(IBackgroundCopyJob *iface, LPCWSTR text)
{
    trace(iface, "SetDescription");
    return set_text(job_of(iface), do_job_set_description, text);
}

static HRESULT STDMETHODCALLTYPE job_GetDescription(IBackgroundCopyJob *iface, LPWSTR *text)
{
    trace(iface, "GetDescription");
    return get_text(job_of(iface), do_job_get_description, text);
}

static HRESULT get_u32(struct do_job *job, uint32_t (*get)(struct do_job *job), ULONG *value)
{
    if (!value)
        return E_INVALIDARG;
    *value = get(job);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_SetPriority(
    IBackgroundCopyJob *iface, BG_JOB_PRIORITY priority)
{
    trace_u32(iface, "SetPriority", (ULONG)priority);
    if ((uint32_t)priority >= DO_PRIORITY_COUNT)
        return E_NOTIMPL;
    return do_job_set_priority(job_of(iface), (uint32_t)priority);
}

static HRESULT STDMETHODCALLTYPE job_GetPriority(
    IBackgroundCopyJob *iface, BG_JOB_PRIORITY *priority)
{
    trace(iface, "GetPriority");
    if (!priority)
        return E_INVALIDARG;
    *priority = (BG_JOB_PRIORITY)do_job_get_priority(job_of(iface));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE job_SetMinimumRetryDelay(IBackgroundCopyJob *iface, ULONG seconds)
{
    trace_u32(iface, "SetMinimumRetryDelay", seconds);
    return do_job_set_min_retry_delay_s(job_of(iface), seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetMinimumRetryDelay(IBackgroundCopyJob *iface, ULONG *seconds)
{
    trace(iface, "GetMinimumRetryDelay");
    return get_u32(job_of(iface), do_job_get_min_retry_delay_s, seconds);
}

static HRESULT STDMETHODCALLTYPE job_SetNoProgressTimeout(IBackgroundCopyJob *iface, ULONG seconds)
{
    trace_u32(iface, "SetNoProgressTimeout", seconds);
    return do_job_set_no_progress_timeout_s(job_of(iface), seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetNoProgressTimeout(IBackgroundCopyJob *iface, ULONG *seconds)
{
    trace(iface, "GetNoProgressTimeout");
    return get_u32(job_of(iface), do_job_get_no_progress_timeout_s, seconds);
}

static HRESULT STDMETHODCALLTYPE job_GetErrorCount(IBackgroundCopyJob *iface, ULONG *count)
{
    trace(iface, "GetErrorCount");
    return get_u32(job_of(iface), do_job_get_error_count, count);
}

/* In process every job is the user's own already. */
static HRESULT STDMETHODCALLTYPE job_TakeOwnership(IBackgroundCopyJob *iface)
{
    trace(iface, "TakeOwnership");
    return S_OK;
}

/* Not built yet: callbacks, owner and proxy settings. They say so and change nothing. */

static HRESULT STDMETHODCALLTYPE job_GetOwner(IBackgroundCopyJob *iface, LPWSTR *owner)
{
    trace(iface, "GetOwner");
    if (owner)
        *owner = NULL;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_SetNotifyFlags(IBackgroundCopyJob *iface, ULONG flags)
{
    trace_u32(iface, "SetNotifyFlags", flags);
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_GetNotifyFlags(IBackgroundCopyJob *iface, ULONG *flags)
{
    trace(iface, "GetNotifyFlags");
    if (flags)
        *flags = 0;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_SetNotifyInterface(
    IBackgroundCopyJob *iface, IUnknown *callback)
{
    (void)callback;
    trace(iface, "SetNotifyInterface");
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_GetNotifyInterface(
    IBackgroundCopyJob *iface, IUnknown **callback)
{
    trace(iface, "GetNotifyInterface");
    if (callback)
        *callback = NULL;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_SetProxySettings(
    IBackgroundCopyJob *iface, BG_JOB_PROXY_USAGE usage, const WCHAR *list, const WCHAR *bypass)
{
    (void)list;
    (void)bypass;
    trace_u32(iface, "SetProxySettings", (ULONG)usage);
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE job_GetProxySettings(
    IBackgroundCopyJob *iface, BG_JOB_PROXY_USAGE *usage, LPWSTR *list, LPWSTR *bypass)
{
    trace(iface, "GetProxySettings");
    if (usage)
        *usage = BG_JOB_PROXY_USAGE_PRECONFIG;
    if (list)
        *list = NULL;
    if (bypass)
        *bypass = NULL;
    return E_NOTIMPL;
}

static const IBackgroundCopyJobVtbl job_vtbl = {
    .QueryInterface = job_QueryInterface,
    .AddRef = job_AddRef,
    .Release = job_Release,
    .AddFileSet = job_AddFileSet,
    .AddFile = job_AddFile,
    .EnumFiles = job_EnumFiles,
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
    .GetOwner = job_GetOwner,
    .SetDisplayName = job_SetDisplayName,
    .GetDisplayName = job_GetDisplayName,
    .SetDescription = job_SetDescription,
    .GetDescription = job_GetDescription,
    .SetPriority = job_SetPriority,
    .GetPriority = job_GetPriority,
    .SetNotifyFlags = job_SetNotifyFlags,
    .GetNotifyFlags = job_GetNotifyFlags,
    .SetNotifyInterface = job_SetNotifyInterface,
    .GetNotifyInterface = job_GetNotifyInterface,
    .SetMinimumRetryDelay = job_SetMinimumRetryDelay,
    .GetMinimumRetryDelay = job_GetMinimumRetryDelay,
    .SetNoProgressTimeout = job_SetNoProgressTimeout,
    .GetNoProgressTimeout = job_GetNoProgressTimeout,
    .GetErrorCount = job_GetErrorCount,
    .SetProxySettings = job_SetProxySettings,
    .GetProxySettings = job_GetProxySettings,
    .TakeOwnership = job_TakeOwnership,
};

static const struct com_interface job_interfaces[] = {
    {&IID_IBackgroundCopyJob, offsetof(struct job_object, IBackgroundCopyJob_iface)},
    {&IID_IDeliveryOptimizationJob, offsetof(struct job_object, IDeliveryOptimizationJob_iface)},
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
    created->IBackgroundCopyJob_iface.lpVtbl = &job_vtbl;
    created->IDeliveryOptimizationJob_iface.lpVtbl = &com_delivery_job_vtbl;
    created->job = do_job_acquire(job);
    *out = &created->IBackgroundCopyJob_iface;
    return S_OK;
}
