/* SPDX-License-Identifier: MIT */
/*
 * IDeliveryOptimizationJob and IDeliveryOptimizationJob2 of a job object: files with ranges and
 * known sizes, files whose sink is set later, and the job's properties. Any thread.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "com/trace.h"
#include "com/variant.h"

static struct job_object *from_delivery_job(IDeliveryOptimizationJob *iface)
{
    return DO_CONTAINER_OF(iface, struct job_object, IDeliveryOptimizationJob_iface);
}

static HRESULT STDMETHODCALLTYPE delivery_job_QueryInterface(
    IDeliveryOptimizationJob *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_delivery_job(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE delivery_job_AddRef(IDeliveryOptimizationJob *iface)
{
    return com_object_AddRef(&from_delivery_job(iface)->object);
}

static ULONG STDMETHODCALLTYPE delivery_job_Release(IDeliveryOptimizationJob *iface)
{
    return com_object_Release(&from_delivery_job(iface)->object);
}

static HRESULT STDMETHODCALLTYPE delivery_job_AddFileWithRanges(IDeliveryOptimizationJob *iface,
    LPCWSTR content_id, LPCWSTR url, LPCWSTR local_path, DWORD range_count, BG_FILE_RANGE *ranges,
    UINT64 size)
{
    struct do_job *job = from_delivery_job(iface)->job;
    const struct com_new_file file = {content_id, url, local_path, ranges, range_count, size};
    struct com_trace_text id_text;
    struct com_trace_text url_text;
    struct com_trace_text path_text;

    do_log(DO_LOG_TRACE, DO_LOG_COM,
        "job=%p AddFileWithRanges content_id=%s url=%s local_path=%s range_count=%lu size=%llu",
        (void *)job, com_trace_url(content_id, &id_text), com_trace_url(url, &url_text),
        com_trace_text(local_path, &path_text), (unsigned long)range_count,
        (unsigned long long)size);
    return local_path ? com_job_add_file(job, &file, NULL) : E_INVALIDARG;
}

const IDeliveryOptimizationJobVtbl com_delivery_job_vtbl = {
    .QueryInterface = delivery_job_QueryInterface,
    .AddRef = delivery_job_AddRef,
    .Release = delivery_job_Release,
    .AddFileWithRanges = delivery_job_AddFileWithRanges,
};

/* IDeliveryOptimizationJob2 */

static struct job_object *from_delivery_job2(IDeliveryOptimizationJob2 *iface)
{
    return DO_CONTAINER_OF(iface, struct job_object, IDeliveryOptimizationJob2_iface);
}

static HRESULT STDMETHODCALLTYPE delivery_job2_QueryInterface(
    IDeliveryOptimizationJob2 *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_delivery_job2(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE delivery_job2_AddRef(IDeliveryOptimizationJob2 *iface)
{
    return com_object_AddRef(&from_delivery_job2(iface)->object);
}

static ULONG STDMETHODCALLTYPE delivery_job2_Release(IDeliveryOptimizationJob2 *iface)
{
    return com_object_Release(&from_delivery_job2(iface)->object);
}

static HRESULT STDMETHODCALLTYPE delivery_job2_AddFile(IDeliveryOptimizationJob2 *iface,
    LPCWSTR content_id, LPCWSTR url, DWORD range_count, BG_FILE_RANGE *ranges, REFIID iid,
    void **out)
{
    struct do_job *job = from_delivery_job2(iface)->job;
    struct do_job *held;
    const struct com_new_file file = {content_id, url, NULL, ranges, range_count, BG_SIZE_UNKNOWN};
    struct do_job_file *added = NULL;
    IBackgroundCopyFile *object = NULL;
    struct com_trace_text id_text;
    struct com_trace_text url_text;
    struct com_trace_text iid_text;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p AddFile content_id=%s url=%s range_count=%lu iid=%s",
        (void *)job, com_trace_url(content_id, &id_text), com_trace_url(url, &url_text),
        (unsigned long)range_count, com_trace_guid(iid, &iid_text));
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (!iid)
        return E_INVALIDARG;
    /* Asked before, since a file that was added stays. */
    if (!com_file_answers(iid))
        return E_NOINTERFACE;
    /* What is let in while the call waits for its turn may release the client's pointer. */
    held = do_job_acquire(job);
    if (SUCCEEDED(hr = com_job_add_file(job, &file, &added)))
        hr = com_file_create(added, &object);
    do_job_release(held);
    if (FAILED(hr))
        return hr;
    hr = IBackgroundCopyFile_QueryInterface(object, iid, out);
    IBackgroundCopyFile_Release(object);
    return hr;
}

/* ExtendedErrorInfo: the error as a JSON object. */

static void append_json_text(struct do_buf *buf, const char *text)
{
    do_buf_append_str(buf, "\"");
    for (; *text; text++)
    {
        if (*text == '"' || *text == '\\')
            do_buf_append_format(buf, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            do_buf_append_format(buf, "\\u%04x", (unsigned int)(unsigned char)*text);
        else
            do_buf_append(buf, text, 1);
    }
    do_buf_append_str(buf, "\"");
}

/* Without its query, which may hold a secret. */
static HRESULT append_url(struct do_buf *buf, struct do_job_file *file)
{
    char *url;
    char *shown;
    size_t size;
    HRESULT hr;

    if (FAILED(hr = do_job_file_get_url(file, &url)))
        return hr;
    size = strlen(url) + 1;
    if ((shown = do_alloc(size)))
    {
        do_buf_append_str(buf, ",\"Url\":");
        append_json_text(buf, do_log_url(url, shown, size));
    }
    else
        hr = E_OUTOFMEMORY;
    do_free(shown);
    do_free(url);
    return hr;
}

static HRESULT append_description(struct do_buf *buf, HRESULT code)
{
    char *utf8 = NULL;
    WCHAR *text;
    HRESULT hr;

    if (FAILED(hr = com_error_text(code, 0, &text)))
        return hr;
    if (SUCCEEDED(hr = com_text_in(text, &utf8)))
    {
        do_buf_append_str(buf, ",\"Description\":");
        append_json_text(buf, utf8);
    }
    do_free(utf8);
    CoTaskMemFree(text);
    return hr;
}

static HRESULT get_extended_error(struct do_job *job, VARIANT *variant)
{
    struct do_job_error error;
    struct do_value value;
    struct do_buf buf;
    HRESULT hr;

    if (FAILED(do_job_get_error(job, &error)))
        return DO_HR_NOT_SET;
    do_buf_init(&buf, 0);
    do_buf_append_format(&buf, "{\"HResult\":\"0x%08X\",\"Context\":%d", (unsigned int)error.code,
        (int)error.context);
    hr = error.file ? append_url(&buf, error.file) : S_OK;
    if (SUCCEEDED(hr))
        hr = append_description(&buf, error.code);
    do_buf_append_str(&buf, "}");
    if (SUCCEEDED(hr) && buf.failed)
        hr = E_OUTOFMEMORY;
    if (SUCCEEDED(hr))
    {
        value = do_value_of_text(do_buf_str(&buf));
        hr = com_variant_out(&value, VT_BSTR, variant);
    }
    do_buf_finish(&buf);
    return hr;
}

static HRESULT STDMETHODCALLTYPE delivery_job2_GetProperty(
    IDeliveryOptimizationJob2 *iface, DOJobPropertyId id, VARIANT *value)
{
    struct do_job *job = from_delivery_job2(iface)->job;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p GetProperty id=%d", (void *)job, (int)id);
    if (!value)
        return E_INVALIDARG;
    VariantInit(value);
    if (id != DOJobPropertyId_ExtendedErrorInfo)
        return DO_E_UNKNOWN_PROPERTY_ID;
    return get_extended_error(job, value);
}

static HRESULT STDMETHODCALLTYPE delivery_job2_SetProperty(
    IDeliveryOptimizationJob2 *iface, DOJobPropertyId id, const VARIANT *value)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetProperty id=%d type=%d",
        (void *)from_delivery_job2(iface)->job, (int)id, value ? (int)V_VT(value) : -1);
    return id == DOJobPropertyId_ExtendedErrorInfo ? DO_E_READ_ONLY_PROPERTY
                                                   : DO_E_UNKNOWN_PROPERTY_ID;
}

const IDeliveryOptimizationJob2Vtbl com_delivery_job2_vtbl = {
    .QueryInterface = delivery_job2_QueryInterface,
    .AddRef = delivery_job2_AddRef,
    .Release = delivery_job2_Release,
    .AddFile = delivery_job2_AddFile,
    .GetProperty = delivery_job2_GetProperty,
    .SetProperty = delivery_job2_SetProperty,
};
