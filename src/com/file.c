/* SPDX-License-Identifier: MIT */
/*
 * The file object and its vtable IBackgroundCopyFile5. Any thread; GetProgress copies counters and
 * never waits.
 */
#include "com/file.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/trace.h"

static struct file_object *from_file(IBackgroundCopyFile5 *iface)
{
    return DO_CONTAINER_OF(iface, struct file_object, IBackgroundCopyFile5_iface);
}

static struct do_job_file *file_of(IBackgroundCopyFile5 *iface)
{
    return from_file(iface)->file;
}

static void trace(IBackgroundCopyFile5 *iface, const char *method)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p %s", (void *)file_of(iface), method);
}

static HRESULT STDMETHODCALLTYPE file_QueryInterface(
    IBackgroundCopyFile5 *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_file(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE file_AddRef(IBackgroundCopyFile5 *iface)
{
    return com_object_AddRef(&from_file(iface)->object);
}

static ULONG STDMETHODCALLTYPE file_Release(IBackgroundCopyFile5 *iface)
{
    return com_object_Release(&from_file(iface)->object);
}

HRESULT com_file_get_text(
    struct do_job_file *file, HRESULT (*get)(struct do_job_file *file, char **text), WCHAR **text)
{
    char *utf8;
    HRESULT hr;

    *text = NULL;
    if (FAILED(hr = get(file, &utf8)))
        return hr;
    hr = com_text_out(utf8, text);
    do_free(utf8);
    return hr;
}

static HRESULT STDMETHODCALLTYPE file_GetRemoteName(IBackgroundCopyFile5 *iface, LPWSTR *name)
{
    trace(iface, "GetRemoteName");
    return name ? com_file_get_text(file_of(iface), do_job_file_get_url, name) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE file_GetLocalName(IBackgroundCopyFile5 *iface, LPWSTR *name)
{
    trace(iface, "GetLocalName");
    if (!name)
        return E_INVALIDARG;
    return com_file_get_text(file_of(iface), do_job_file_get_local_path, name);
}

static HRESULT STDMETHODCALLTYPE file_GetProgress(
    IBackgroundCopyFile5 *iface, BG_FILE_PROGRESS *progress)
{
    struct do_progress_values values;

    trace(iface, "GetProgress");
    if (!progress)
        return E_INVALIDARG;
    values = do_job_file_get_progress(file_of(iface));
    progress->BytesTotal = values.bytes_total;
    progress->BytesTransferred = values.bytes_transferred;
    progress->Completed = values.saved;
    return S_OK;
}

/* IBackgroundCopyFile2 */

static BG_FILE_RANGE to_client_range(const struct do_range *range)
{
    BG_FILE_RANGE converted;

    converted.InitialOffset = range->begin;
    converted.Length = range->end == DO_SIZE_UNKNOWN ? BG_LENGTH_TO_EOF : range->end - range->begin;
    return converted;
}

static HRESULT STDMETHODCALLTYPE file_GetFileRanges(
    IBackgroundCopyFile5 *iface, DWORD *count, BG_FILE_RANGE **ranges)
{
    struct do_range *own = NULL;
    size_t own_count = 0;
    HRESULT hr;

    trace(iface, "GetFileRanges");
    if (count)
        *count = 0;
    if (ranges)
        *ranges = NULL;
    if (!count || !ranges)
        return E_INVALIDARG;
    if (FAILED(hr = do_job_file_get_ranges(file_of(iface), &own, &own_count)))
        return hr;
    if (!own_count)
        return S_FALSE;
    /* At most DO_JOB_RANGE_LIMIT: no overflow. */
    if ((*ranges = CoTaskMemAlloc(own_count * sizeof(**ranges))))
    {
        for (size_t i = 0; i < own_count; i++)
            (*ranges)[i] = to_client_range(&own[i]);
        *count = (DWORD)own_count;
    }
    else
        hr = E_OUTOFMEMORY;
    do_free(own);
    return hr;
}

static HRESULT STDMETHODCALLTYPE file_SetRemoteName(IBackgroundCopyFile5 *iface, LPCWSTR url)
{
    struct com_trace_text text;
    char *utf8;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p SetRemoteName url=%s", (void *)file_of(iface),
        com_trace_url(url, &text));
    if (FAILED(hr = com_text_in(url, &utf8)))
        return hr;
    hr = do_job_file_set_url(file_of(iface), utf8);
    do_free(utf8);
    return hr;
}

/* IBackgroundCopyFile3 */

static HRESULT STDMETHODCALLTYPE file_GetTemporaryName(IBackgroundCopyFile5 *iface, LPWSTR *name)
{
    trace(iface, "GetTemporaryName");
    return name ? com_file_get_text(file_of(iface), do_job_file_get_temp_path, name) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE file_SetValidationState(IBackgroundCopyFile5 *iface, BOOL state)
{
    const struct do_value value = do_value_of_number(state ? 1 : 0);

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p SetValidationState state=%d", (void *)file_of(iface),
        (int)state);
    /* Nobody can have looked at what is not there yet. (Source: win32 docs, BITS.) */
    if (!do_job_file_get_progress(file_of(iface)).transferred)
        return E_PENDING;
    return do_job_file_set_value(file_of(iface), DO_FILE_PROP_VALIDATION, &value);
}

static HRESULT STDMETHODCALLTYPE file_GetValidationState(IBackgroundCopyFile5 *iface, BOOL *state)
{
    struct do_value value;
    HRESULT hr;

    trace(iface, "GetValidationState");
    if (!state)
        return E_INVALIDARG;
    *state = FALSE;
    if (FAILED(hr = do_job_file_get_value(file_of(iface), DO_FILE_PROP_VALIDATION, &value)))
        return hr;
    /* Who completes a job has accepted its files. (Source: win32 docs, BITS SetValidationState.) */
    *state = value.kind == DO_VALUE_NUMBER ? value.number != 0
                                           : do_job_file_get_progress(file_of(iface)).saved;
    do_value_finish(&value);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE file_IsDownloadedFromPeer(
    IBackgroundCopyFile5 *iface, BOOL *from_peer)
{
    trace(iface, "IsDownloadedFromPeer");
    if (!from_peer)
        return E_INVALIDARG;
    *from_peer = FALSE;
    return S_OK;
}

/* IBackgroundCopyFile4 */

static HRESULT STDMETHODCALLTYPE file_GetPeerDownloadStats(
    IBackgroundCopyFile5 *iface, UINT64 *from_origin, UINT64 *from_peers)
{
    trace(iface, "GetPeerDownloadStats");
    if (from_origin)
        *from_origin = 0;
    if (from_peers)
        *from_peers = 0;
    if (!from_origin || !from_peers)
        return E_INVALIDARG;
    *from_origin = do_job_file_get_progress(file_of(iface)).bytes_transferred;
    return S_OK;
}

/* IBackgroundCopyFile5 */

/* The documentation passes the value by pointer, the SDK by value: it is not looked at. */
static HRESULT STDMETHODCALLTYPE file_SetProperty(
    IBackgroundCopyFile5 *iface, BITS_FILE_PROPERTY_ID id, BITS_FILE_PROPERTY_VALUE value)
{
    (void)value;
    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p SetProperty id=%d", (void *)file_of(iface), (int)id);
    return id == BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS ? DO_E_READ_ONLY_PROPERTY
                                                             : DO_E_UNKNOWN_PROPERTY_ID;
}

static HRESULT STDMETHODCALLTYPE file_GetProperty(
    IBackgroundCopyFile5 *iface, BITS_FILE_PROPERTY_ID id, BITS_FILE_PROPERTY_VALUE *value)
{
    char *headers;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetProperty id=%d", (void *)file_of(iface), (int)id);
    if (!value)
        return E_INVALIDARG;
    value->String = NULL;
    if (id != BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS)
        return DO_E_UNKNOWN_PROPERTY_ID;
    hr = do_http_facts_get(
        do_job_file_get_facts(file_of(iface)), DO_FACT_RESPONSE_HEADERS, &headers);
    if (FAILED(hr))
        return hr == DO_HR_NOT_SET ? S_OK : hr;
    hr = com_text_out(headers, &value->String);
    do_free(headers);
    return hr;
}

static const IBackgroundCopyFile5Vtbl file_vtbl = {
    .QueryInterface = file_QueryInterface,
    .AddRef = file_AddRef,
    .Release = file_Release,
    .GetRemoteName = file_GetRemoteName,
    .GetLocalName = file_GetLocalName,
    .GetProgress = file_GetProgress,
    .GetFileRanges = file_GetFileRanges,
    .SetRemoteName = file_SetRemoteName,
    .GetTemporaryName = file_GetTemporaryName,
    .SetValidationState = file_SetValidationState,
    .GetValidationState = file_GetValidationState,
    .IsDownloadedFromPeer = file_IsDownloadedFromPeer,
    .GetPeerDownloadStats = file_GetPeerDownloadStats,
    .SetProperty = file_SetProperty,
    .GetProperty = file_GetProperty,
};

/* Each interface of the chain is the beginning of the next one's vtable. */
static const struct com_interface file_interfaces[] = {
    {&IID_IBackgroundCopyFile, offsetof(struct file_object, IBackgroundCopyFile5_iface)},
    {&IID_IBackgroundCopyFile2, offsetof(struct file_object, IBackgroundCopyFile5_iface)},
    {&IID_IBackgroundCopyFile3, offsetof(struct file_object, IBackgroundCopyFile5_iface)},
    {&IID_IBackgroundCopyFile4, offsetof(struct file_object, IBackgroundCopyFile5_iface)},
    {&IID_IBackgroundCopyFile5, offsetof(struct file_object, IBackgroundCopyFile5_iface)},
    {&IID_IDeliveryOptimizationFile, offsetof(struct file_object, IDeliveryOptimizationFile_iface)},
    {&IID_IDeliveryOptimizationFile2,
        offsetof(struct file_object, IDeliveryOptimizationFile2_iface)},
};

static void file_destroy(struct com_object *object)
{
    struct file_object *file = DO_CONTAINER_OF(object, struct file_object, object);

    do_job_release(file->job);
    com_object_finish(object);
    do_free(file);
}

static const struct com_class file_class = {
    file_interfaces, DO_COUNT_OF(file_interfaces), file_destroy};

BOOL com_file_answers(REFIID iid)
{
    return com_class_answers(&file_class, iid);
}

HRESULT com_file_create(struct do_job_file *file, IBackgroundCopyFile **out)
{
    struct file_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    com_object_init(&created->object, &file_class);
    created->IBackgroundCopyFile5_iface.lpVtbl = &file_vtbl;
    created->IDeliveryOptimizationFile_iface.lpVtbl = &com_delivery_file_vtbl;
    created->IDeliveryOptimizationFile2_iface.lpVtbl = &com_delivery_file2_vtbl;
    created->file = file;
    created->job = do_job_acquire(do_job_file_get_job(file));
    *out = (IBackgroundCopyFile *)&created->IBackgroundCopyFile5_iface;
    return S_OK;
}
