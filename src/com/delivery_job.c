/* SPDX-License-Identifier: MIT */
/*
 * IDeliveryOptimizationJob of a job object: files with ranges and known sizes. Any thread.
 */
#include "com/job.h"

#include "base/log.h"

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

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p AddFileWithRanges ranges=%lu size=%llu", (void *)job,
        (unsigned long)range_count, (unsigned long long)size);
    return com_job_add_file(job, content_id, url, local_path, range_count, ranges, size);
}

const IDeliveryOptimizationJobVtbl com_delivery_job_vtbl = {
    .QueryInterface = delivery_job_QueryInterface,
    .AddRef = delivery_job_AddRef,
    .Release = delivery_job_Release,
    .AddFileWithRanges = delivery_job_AddFileWithRanges,
};
