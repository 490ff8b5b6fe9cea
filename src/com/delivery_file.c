/* SPDX-License-Identifier: MIT */
/*
 * IDeliveryOptimizationFile and IDeliveryOptimizationFile2 of a file object: statistics and
 * properties, the latter from one table. Any thread.
 */
#include "com/file.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/stream.h"
#include "com/variant.h"

static struct file_object *from_delivery_file(IDeliveryOptimizationFile *iface)
{
    return DO_CONTAINER_OF(iface, struct file_object, IDeliveryOptimizationFile_iface);
}

static HRESULT STDMETHODCALLTYPE delivery_file_QueryInterface(
    IDeliveryOptimizationFile *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_delivery_file(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE delivery_file_AddRef(IDeliveryOptimizationFile *iface)
{
    return com_object_AddRef(&from_delivery_file(iface)->object);
}

static ULONG STDMETHODCALLTYPE delivery_file_Release(IDeliveryOptimizationFile *iface)
{
    return com_object_Release(&from_delivery_file(iface)->object);
}

/* In slots 3 and 4: Office calls it in the latter. */
static HRESULT STDMETHODCALLTYPE delivery_file_GetStats(
    IDeliveryOptimizationFile *iface, DOSwarmStats *out)
{
    struct do_job_file *file = from_delivery_file(iface)->file;
    struct do_file_stats stats;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetStats", (void *)file);
    if (!out)
        return E_INVALIDARG;
    memset(out, 0, sizeof(*out));
    if (FAILED(hr = com_file_get_text(file, do_job_file_get_content_id, &out->fileId)))
        return hr;
    if (FAILED(hr = com_file_get_text(file, do_job_file_get_url, &out->sourceURL)))
    {
        CoTaskMemFree(out->fileId);
        out->fileId = NULL;
        return hr;
    }
    do_job_file_get_stats(file, &stats);
    out->fileSize = stats.file_size;
    out->totalBytesDownloaded = stats.bytes_downloaded;
    out->bytesFromHttp = stats.bytes_downloaded;
    out->httpConnectionCount = stats.connections;
    out->downloadDuration = stats.duration_ms;
    out->downloadMode = DownloadMode_Simple;
    out->status = (SwarmStatus)stats.status;
    out->isBackground = stats.is_background;
    return S_OK;
}

const IDeliveryOptimizationFileVtbl com_delivery_file_vtbl = {
    .QueryInterface = delivery_file_QueryInterface,
    .AddRef = delivery_file_AddRef,
    .Release = delivery_file_Release,
    .GetStats = delivery_file_GetStats,
    .GetStats2 = delivery_file_GetStats,
};

/* IDeliveryOptimizationFile2 */

static struct file_object *from_delivery_file2(IDeliveryOptimizationFile2 *iface)
{
    return DO_CONTAINER_OF(iface, struct file_object, IDeliveryOptimizationFile2_iface);
}

static HRESULT STDMETHODCALLTYPE delivery_file2_QueryInterface(
    IDeliveryOptimizationFile2 *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_delivery_file2(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE delivery_file2_AddRef(IDeliveryOptimizationFile2 *iface)
{
    return com_object_AddRef(&from_delivery_file2(iface)->object);
}

static ULONG STDMETHODCALLTYPE delivery_file2_Release(IDeliveryOptimizationFile2 *iface)
{
    return com_object_Release(&from_delivery_file2(iface)->object);
}

/* A property. Values that are no more than that are of the file's set (DO_FILE_PROP_*). */
struct property
{
    VARTYPE type; /* VT_UNKNOWN: get and set see to everything */
    bool is_write_only;
    HRESULT (*get)(struct do_job_file *file, VARIANT *variant); /* NULL: a plain value */
    HRESULT (*set)(struct do_job_file *file, const struct do_value *value); /* the same */
};

static HRESULT get_path(struct do_job_file *file, VARIANT *variant)
{
    struct do_value value;
    char *path;
    HRESULT hr;

    if (FAILED(hr = do_job_file_get_local_path(file, &path)))
        return hr;
    value = do_value_of_text(path[0] ? path : NULL);
    hr = com_variant_out(&value, VT_BSTR, variant);
    do_free(path);
    return hr;
}

static HRESULT set_path(struct do_job_file *file, const struct do_value *value)
{
    return do_job_file_set_local_path(file, value->data);
}

static HRESULT get_total_size(struct do_job_file *file, VARIANT *variant)
{
    const struct do_value size = do_value_of_number(do_job_file_get_total_size(file));

    if (size.number == DO_SIZE_UNKNOWN)
        return DO_HR_NOT_SET;
    return com_variant_out(&size, VT_UI8, variant);
}

static HRESULT set_total_size(struct do_job_file *file, const struct do_value *value)
{
    return do_job_file_set_total_size(file, value->number);
}

static HRESULT get_stream(struct do_job_file *file, VARIANT *variant)
{
    struct do_stream *stream = do_job_file_get_stream(file);
    IUnknown *object = NULL;
    HRESULT hr = stream ? com_stream_get_object(stream, &object) : DO_HR_NOT_SET;

    if (SUCCEEDED(hr))
        hr = com_variant_interface_out(object, variant);
    if (object)
        IUnknown_Release(object);
    do_stream_release(stream);
    return hr;
}

static HRESULT set_stream(struct do_job_file *file, const VARIANT *variant)
{
    struct do_stream *stream = NULL;
    IUnknown *object;
    HRESULT hr;

    if (FAILED(hr = com_variant_interface_in(variant, &object)) ||
        (object && FAILED(hr = com_stream_create(object, &stream))))
        return hr;
    hr = do_job_file_set_stream(file, stream);
    do_stream_release(stream);
    return hr;
}

/* Historic. (Source: win32 docs.) */
static HRESULT get_memory_stream(struct do_job_file *file, VARIANT *variant)
{
    (void)file;
    (void)variant;
    return DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED;
}

static const struct property properties[] = {
    [DOFilePropertyId_DecryptionInfo] = {VT_BSTR, true, NULL, NULL},
    [DOFilePropertyId_IntegrityCheckInfo] = {VT_BSTR, true, NULL, NULL},
    [DOFilePropertyId_IntegrityCheckMandatory] = {VT_BOOL, false, NULL, NULL},
    [DOFilePropertyId_DownloadSinkInterface] = {VT_UNKNOWN, false, get_stream, NULL},
    [DOFilePropertyId_DownloadSinkFilePath] = {VT_BSTR, false, get_path, set_path},
    [DOFilePropertyId_DownloadSinkMemoryStream] = {VT_EMPTY, false, get_memory_stream, NULL},
    [DOFilePropertyId_TotalSizeBytes] = {VT_UI8, false, get_total_size, set_total_size},
};

static const struct property *find_property(DOFilePropertyId id)
{
    return (size_t)id < DO_COUNT_OF(properties) ? &properties[id] : NULL;
}

static HRESULT get_plain(
    struct do_job_file *file, DOFilePropertyId id, VARTYPE type, VARIANT *variant)
{
    struct do_value value;
    HRESULT hr;

    if (FAILED(hr = do_job_file_get_value(file, (enum do_file_prop)id, &value)))
        return hr;
    hr = com_variant_out(&value, type, variant);
    do_value_finish(&value);
    return hr;
}

static HRESULT STDMETHODCALLTYPE delivery_file2_GetProperty(
    IDeliveryOptimizationFile2 *iface, DOFilePropertyId id, VARIANT *value)
{
    struct do_job_file *file = from_delivery_file2(iface)->file;
    const struct property *property = find_property(id);

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetProperty id=%d", (void *)file, (int)id);
    if (!value)
        return E_INVALIDARG;
    VariantInit(value);
    if (!property)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (property->is_write_only)
        return DO_E_WRITE_ONLY_PROPERTY;
    return property->get ? property->get(file, value) : get_plain(file, id, property->type, value);
}

static HRESULT set_value(struct do_job_file *file, DOFilePropertyId id,
    const struct property *property, const VARIANT *variant)
{
    struct do_value value;
    HRESULT hr;

    if (FAILED(hr = com_variant_in(variant, property->type, &value)))
        return hr;
    hr = property->set ? property->set(file, &value)
                       : do_job_file_set_value(file, (enum do_file_prop)id, &value);
    do_value_finish(&value);
    return hr;
}

static HRESULT STDMETHODCALLTYPE delivery_file2_SetProperty(
    IDeliveryOptimizationFile2 *iface, DOFilePropertyId id, const VARIANT *value)
{
    struct do_job_file *file = from_delivery_file2(iface)->file;
    const struct property *property = find_property(id);

    /* Values may be keys: their type alone is told. */
    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p SetProperty id=%d type=%d", (void *)file, (int)id,
        value ? (int)V_VT(value) : -1);
    if (!property)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (!value)
        return E_INVALIDARG;
    if (property->type == VT_EMPTY)
        return DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED;
    if (property->type == VT_UNKNOWN)
        return set_stream(file, value);
    return set_value(file, id, property, value);
}

const IDeliveryOptimizationFile2Vtbl com_delivery_file2_vtbl = {
    .QueryInterface = delivery_file2_QueryInterface,
    .AddRef = delivery_file2_AddRef,
    .Release = delivery_file2_Release,
    .GetProperty = delivery_file2_GetProperty,
    .SetProperty = delivery_file2_SetProperty,
};
