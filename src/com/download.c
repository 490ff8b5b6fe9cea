/* SPDX-License-Identifier: MIT */
/*
 * IDODownload: one object for one pointer that a client got; what it stands for is the job. Any
 * thread.
 */
#include "com/objects.h"

#include <oleauto.h>

#include "base/alloc.h"
#include "base/log.h"
#include "com/apartment.h"
#include "com/certificate.h"
#include "com/com_object.h"
#include "com/status_callback.h"
#include "com/stream.h"
#include "com/variant.h"

struct download_object
{
    struct com_object object;
    IDODownload IDODownload_iface;
    struct do_job *job; /* an outer reference */
};

static struct download_object *from_download(IDODownload *iface)
{
    return DO_CONTAINER_OF(iface, struct download_object, IDODownload_iface);
}

static struct do_job *job_of(IDODownload *iface)
{
    return from_download(iface)->job;
}

static HRESULT STDMETHODCALLTYPE download_QueryInterface(IDODownload *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_download(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE download_AddRef(IDODownload *iface)
{
    return com_object_AddRef(&from_download(iface)->object);
}

static ULONG STDMETHODCALLTYPE download_Release(IDODownload *iface)
{
    return com_object_Release(&from_download(iface)->object);
}

/* States */

/* C sees one element, or none; the count says how many there are. */
static const DO_DOWNLOAD_RANGE *given_ranges(const DO_DOWNLOAD_RANGES_INFO *info)
{
    return (const DO_DOWNLOAD_RANGE *)(const void *)((const char *)info +
                                                     offsetof(DO_DOWNLOAD_RANGES_INFO, Ranges));
}

/* The client's ranges as ours, do_alloc'ed. One that runs over 2^64 becomes an empty one: both are
   refused, once the state and the sink have been looked at. */
static HRESULT ranges_in(const DO_DOWNLOAD_RANGES_INFO *info, struct do_range **converted)
{
    const DO_DOWNLOAD_RANGE *given = given_ranges(info);
    struct do_range *ranges;

    *converted = NULL;
    if (!(ranges = do_alloc_array(info->RangeCount, sizeof(*ranges))))
        return E_OUTOFMEMORY;
    for (UINT i = 0; i < info->RangeCount; i++)
    {
        ranges[i].begin = given[i].Offset;
        ranges[i].end = DO_SIZE_UNKNOWN;
        if (given[i].Length != DO_LENGTH_TO_EOF &&
            (!do_checked_add_u64(given[i].Offset, given[i].Length, &ranges[i].end) ||
                ranges[i].end == DO_SIZE_UNKNOWN))
            ranges[i].end = ranges[i].begin;
    }
    *converted = ranges;
    return S_OK;
}

/*
 * Calls that wait: Start for a callback in flight, and in blocking mode for the end; all four for a
 * stream that is being written to. Both may be in the caller's apartment, and what is let in there
 * meanwhile may release the caller's pointer.
 */
struct call
{
    struct do_job *job;
    enum do_download_call call;
    const struct do_range *ranges;
    size_t range_count;
};

static HRESULT make_call(void *ctx)
{
    const struct call *call = ctx;

    switch (call->call)
    {
    case DO_DOWNLOAD_PAUSE:
        return do_download_pause(call->job);
    case DO_DOWNLOAD_FINALIZE:
        return do_download_finalize(call->job);
    case DO_DOWNLOAD_ABORT:
        return do_download_abort(call->job);
    case DO_DOWNLOAD_START_AS_IS:
    case DO_DOWNLOAD_START_WHOLE:
    case DO_DOWNLOAD_START_RANGES:
    case DO_DOWNLOAD_CALL_COUNT:
        break;
    }
    return do_download_start(call->job, call->call, call->ranges, call->range_count);
}

static HRESULT call_and_pump(struct do_job *job, enum do_download_call name,
    const struct do_range *ranges, size_t range_count)
{
    struct call call = {do_job_acquire(job), name, ranges, range_count};
    HRESULT hr = com_call_and_pump(make_call, &call);

    do_job_release(call.job);
    return hr;
}

/* {0, to the end}, the usual way to say so when the sink is a stream. */
static bool is_whole(const DO_DOWNLOAD_RANGES_INFO *info)
{
    return !info->RangeCount || (info->RangeCount == 1 && !given_ranges(info)->Offset &&
                                    given_ranges(info)->Length == DO_LENGTH_TO_EOF);
}

static HRESULT STDMETHODCALLTYPE download_Start(
    IDODownload *iface, const DO_DOWNLOAD_RANGES_INFO *info)
{
    struct do_job *job = job_of(iface);
    struct do_range *ranges;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p Start ranges=%p count=%u", (void *)job,
        (const void *)info, info ? info->RangeCount : 0U);
    if (!info)
        return call_and_pump(job, DO_DOWNLOAD_START_AS_IS, NULL, 0);
    if (info->RangeCount > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    if (is_whole(info))
        return call_and_pump(job, DO_DOWNLOAD_START_WHOLE, NULL, 0);
    if (FAILED(hr = ranges_in(info, &ranges)))
        return hr;
    hr = call_and_pump(job, DO_DOWNLOAD_START_RANGES, ranges, info->RangeCount);
    do_free(ranges);
    return hr;
}

static HRESULT STDMETHODCALLTYPE download_Pause(IDODownload *iface)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p Pause", (void *)job_of(iface));
    return call_and_pump(job_of(iface), DO_DOWNLOAD_PAUSE, NULL, 0);
}

static HRESULT STDMETHODCALLTYPE download_Abort(IDODownload *iface)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p Abort", (void *)job_of(iface));
    return call_and_pump(job_of(iface), DO_DOWNLOAD_ABORT, NULL, 0);
}

static HRESULT STDMETHODCALLTYPE download_Finalize(IDODownload *iface)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p Finalize", (void *)job_of(iface));
    return call_and_pump(job_of(iface), DO_DOWNLOAD_FINALIZE, NULL, 0);
}

void com_download_status_out(const struct do_download_status *status, DO_DOWNLOAD_STATUS *out)
{
    memset(out, 0, sizeof(*out));
    out->BytesTotal = status->bytes_total;
    out->BytesTransferred = status->bytes_transferred;
    out->State = (DODownloadState)status->state;
    out->Error = status->error;
    out->ExtendedError = status->extended_error;
}

static HRESULT STDMETHODCALLTYPE download_GetStatus(IDODownload *iface, DO_DOWNLOAD_STATUS *out)
{
    struct do_download_status status;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p GetStatus", (void *)job_of(iface));
    if (!out)
        return E_INVALIDARG;
    do_download_get_status(job_of(iface), &status);
    com_download_status_out(&status, out);
    return S_OK;
}

/* Properties */

static VARTYPE variant_type(enum do_prop_type type)
{
    switch (type)
    {
    case DO_TYPE_TEXT:
        return VT_BSTR;
    case DO_TYPE_U32:
        return VT_UI4;
    case DO_TYPE_U64:
        return VT_UI8;
    case DO_TYPE_BOOL:
        return VT_BOOL;
    case DO_TYPE_BYTES:
        return COM_VT_BYTES;
    case DO_TYPE_CALLBACK:
    case DO_TYPE_STREAM:
        break;
    }
    return VT_UNKNOWN;
}

static HRESULT get_callback(struct do_job *job, IUnknown **object)
{
    struct do_listener *listener = do_job_get_listener(job);
    HRESULT hr = listener ? com_status_callback_get_object(listener, object) : DO_HR_NOT_SET;

    do_listener_release(listener);
    return hr;
}

static HRESULT get_stream(struct do_job *job, IUnknown **object)
{
    struct do_stream *stream = do_download_get_stream(job);
    HRESULT hr = stream ? com_stream_get_object(stream, object) : DO_HR_NOT_SET;

    do_stream_release(stream);
    return hr;
}

static HRESULT get_interface(struct do_job *job, enum do_prop_type type, VARIANT *variant)
{
    IUnknown *object = NULL;
    HRESULT hr = type == DO_TYPE_STREAM ? get_stream(job, &object) : get_callback(job, &object);

    if (FAILED(hr))
        return hr;
    hr = com_variant_interface_out(object, variant);
    IUnknown_Release(object);
    return hr;
}

static HRESULT STDMETHODCALLTYPE download_GetProperty(
    IDODownload *iface, DODownloadProperty id, VARIANT *variant)
{
    const struct do_prop_info *info = do_download_prop_info((uint32_t)id);
    struct do_value value;
    HRESULT hr;

    do_log(
        DO_LOG_TRACE, DO_LOG_COM, "download=%p GetProperty id=%d", (void *)job_of(iface), (int)id);
    if (!variant)
        return E_INVALIDARG;
    VariantInit(variant);
    if (!info)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (info->type == DO_TYPE_CALLBACK || info->type == DO_TYPE_STREAM)
        return get_interface(job_of(iface), info->type, variant);
    hr = do_download_get_property(job_of(iface), (uint32_t)id, &value);
    if (SUCCEEDED(hr))
        hr = com_variant_out(&value, variant_type(info->type), variant);
    do_value_finish(&value);
    return hr;
}

static HRESULT set_callback(struct do_job *job, IUnknown *object)
{
    struct do_listener *listener = NULL;
    HRESULT hr;

    if (object && FAILED(hr = com_status_callback_create(object, &listener)))
        return hr;
    hr = do_download_set_listener(job, listener);
    do_listener_release(listener);
    return hr;
}

static HRESULT set_stream(struct do_job *job, IUnknown *object)
{
    struct do_stream *stream = NULL;
    HRESULT hr;

    if (object && FAILED(hr = com_stream_create(object, &stream)))
        return hr;
    hr = do_download_set_stream(job, stream);
    do_stream_release(stream);
    return hr;
}

static HRESULT set_value(
    struct do_job *job, DODownloadProperty id, enum do_prop_type type, const VARIANT *variant)
{
    struct do_value value;
    HRESULT hr = S_OK;

    do_value_init(&value);
    if (!com_variant_is_empty(variant))
        hr = com_variant_in(variant, variant_type(type), &value);
    if (SUCCEEDED(hr) && id == DODownloadProperty_SecurityContext && value.kind == DO_VALUE_BYTES)
        hr = com_certificate_check(value.data, value.length);
    if (SUCCEEDED(hr))
        hr = do_download_set_property(job, (uint32_t)id, &value);
    do_value_finish(&value);
    return hr;
}

static HRESULT set_property(struct do_job *job, DODownloadProperty id, const VARIANT *variant)
{
    const struct do_prop_info *info = do_download_prop_info((uint32_t)id);
    IUnknown *object;
    HRESULT hr;

    if (!info)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (!(info->access & DO_ACCESS_WRITE))
        return DO_E_READ_ONLY_PROPERTY;
    if (info->type != DO_TYPE_CALLBACK && info->type != DO_TYPE_STREAM)
        return set_value(job, id, info->type, variant);
    if (FAILED(hr = com_variant_interface_in(variant, &object)))
        return hr;
    return info->type == DO_TYPE_STREAM ? set_stream(job, object) : set_callback(job, object);
}

static HRESULT STDMETHODCALLTYPE download_SetProperty(
    IDODownload *iface, DODownloadProperty id, const VARIANT *variant)
{
    HRESULT hr;

    /* Values may be secrets. */
    do_log(DO_LOG_TRACE, DO_LOG_COM, "download=%p SetProperty id=%d vt=0x%x", (void *)job_of(iface),
        (int)id, variant ? (unsigned int)V_VT(variant) : 0U);
    if (!variant)
        return E_INVALIDARG;
    hr = set_property(job_of(iface), id, variant);
    return hr == DISP_E_TYPEMISMATCH ? E_INVALIDARG : hr;
}

static const IDODownloadVtbl download_vtbl = {
    .QueryInterface = download_QueryInterface,
    .AddRef = download_AddRef,
    .Release = download_Release,
    .Start = download_Start,
    .Pause = download_Pause,
    .Abort = download_Abort,
    .Finalize = download_Finalize,
    .GetStatus = download_GetStatus,
    .GetProperty = download_GetProperty,
    .SetProperty = download_SetProperty,
};

static const struct com_interface download_interfaces[] = {
    {&IID_IDODownload, offsetof(struct download_object, IDODownload_iface)},
};

static void download_destroy(struct com_object *object)
{
    struct download_object *download = DO_CONTAINER_OF(object, struct download_object, object);

    do_job_release(download->job);
    com_object_finish(object);
    do_free(download);
}

static const struct com_class download_class = {
    download_interfaces, DO_COUNT_OF(download_interfaces), download_destroy};

HRESULT com_download_create(struct do_job *job, IDODownload **out)
{
    struct download_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    com_object_init(&created->object, &download_class);
    created->IDODownload_iface.lpVtbl = &download_vtbl;
    created->job = do_job_acquire(job);
    *out = &created->IDODownload_iface;
    return S_OK;
}
