/* SPDX-License-Identifier: MIT */
/*
 * IDOManager and IBackgroundCopyManager: the two doors to the queue, one object. It holds one
 * engine reference. Any thread.
 */
#include "com/objects.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "com/com_object.h"
#include "com/owner.h"
#include "com/trace.h"

struct manager
{
    struct com_object object;
    IDOManager IDOManager_iface;
    IBackgroundCopyManager IBackgroundCopyManager_iface;
    struct do_engine *engine;
};

static struct manager *from_manager(IBackgroundCopyManager *iface)
{
    return DO_CONTAINER_OF(iface, struct manager, IBackgroundCopyManager_iface);
}

static HRESULT STDMETHODCALLTYPE manager_QueryInterface(
    IBackgroundCopyManager *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_manager(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE manager_AddRef(IBackgroundCopyManager *iface)
{
    return com_object_AddRef(&from_manager(iface)->object);
}

static ULONG STDMETHODCALLTYPE manager_Release(IBackgroundCopyManager *iface)
{
    return com_object_Release(&from_manager(iface)->object);
}

static HRESULT STDMETHODCALLTYPE manager_CreateJob(IBackgroundCopyManager *iface, LPCWSTR name,
    BG_JOB_TYPE type, GUID *id, IBackgroundCopyJob **out)
{
    struct manager *manager = from_manager(iface);
    struct do_job *job = NULL;
    struct do_guid job_id;
    struct com_trace_text text;
    char *utf8 = NULL;
    char *owner = NULL;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p CreateJob name=%s type=%d", (void *)iface,
        com_trace_text(name, &text), (int)type);
    if (out)
        *out = NULL;
    if (id)
        memset(id, 0, sizeof(*id));
    if (!name || !id || !out || do_utf16_length((const uint16_t *)name) > DO_JOB_NAME_LIMIT)
        return E_INVALIDARG;
    if (type != BG_JOB_TYPE_DOWNLOAD)
        return E_NOTIMPL;
    if (FAILED(hr = com_text_in(name, &utf8)) || FAILED(hr = com_owner_get_sid(&owner)) ||
        FAILED(hr = do_engine_create_job(manager->engine, utf8, owner, &job)))
        goto done;
    if (FAILED(hr = com_job_create(job, out)))
    {
        (void)do_job_cancel(job);
        goto done;
    }
    job_id = do_job_get_id(job);
    memcpy(id, job_id.bytes, sizeof(*id));

done:
    do_job_release(job);
    do_free(owner);
    do_free(utf8);
    return hr;
}

static HRESULT STDMETHODCALLTYPE manager_GetJob(
    IBackgroundCopyManager *iface, REFGUID id, IBackgroundCopyJob **out)
{
    struct manager *manager = from_manager(iface);
    struct com_trace_text text;
    struct do_guid job_id;
    struct do_job *job;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p GetJob id=%s", (void *)iface,
        com_trace_guid(id, &text));
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (!id)
        return E_INVALIDARG;
    memcpy(job_id.bytes, id, sizeof(job_id.bytes));
    if (FAILED(hr = do_engine_get_job(manager->engine, &job_id, &job)))
        return hr;
    hr = com_job_create(job, out);
    do_job_release(job);
    return hr;
}

static HRESULT STDMETHODCALLTYPE manager_EnumJobs(
    IBackgroundCopyManager *iface, DWORD flags, IEnumBackgroundCopyJobs **out)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p EnumJobs flags=0x%lx", (void *)iface,
        (unsigned long)flags);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (flags & ~(DWORD)BG_JOB_ENUM_ALL_USERS)
        return E_INVALIDARG;
    return com_enum_jobs_create(from_manager(iface)->engine, out);
}

static HRESULT STDMETHODCALLTYPE manager_GetErrorDescription(
    IBackgroundCopyManager *iface, HRESULT code, DWORD language, LPWSTR *text)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p GetErrorDescription code=0x%08lx language=0x%lx",
        (void *)iface, (unsigned long)code, (unsigned long)language);
    return text ? com_error_text(code, language, text) : E_INVALIDARG;
}

static const IBackgroundCopyManagerVtbl manager_vtbl = {
    .QueryInterface = manager_QueryInterface,
    .AddRef = manager_AddRef,
    .Release = manager_Release,
    .CreateJob = manager_CreateJob,
    .GetJob = manager_GetJob,
    .EnumJobs = manager_EnumJobs,
    .GetErrorDescription = manager_GetErrorDescription,
};

/* IDOManager */

static struct manager *from_do_manager(IDOManager *iface)
{
    return DO_CONTAINER_OF(iface, struct manager, IDOManager_iface);
}

static HRESULT STDMETHODCALLTYPE do_manager_QueryInterface(
    IDOManager *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_do_manager(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE do_manager_AddRef(IDOManager *iface)
{
    return com_object_AddRef(&from_do_manager(iface)->object);
}

static ULONG STDMETHODCALLTYPE do_manager_Release(IDOManager *iface)
{
    return com_object_Release(&from_do_manager(iface)->object);
}

static HRESULT STDMETHODCALLTYPE do_manager_CreateDownload(IDOManager *iface, IDODownload **out)
{
    struct do_job *job = NULL;
    char *owner;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p CreateDownload", (void *)iface);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (FAILED(hr = com_owner_get_sid(&owner)))
        return hr;
    hr = do_engine_create_download(from_do_manager(iface)->engine, owner, &job);
    if (SUCCEEDED(hr) && FAILED(hr = com_download_create(job, out)))
        (void)do_download_abort(job);
    do_job_release(job);
    do_free(owner);
    return hr;
}

static HRESULT STDMETHODCALLTYPE do_manager_EnumDownloads(
    IDOManager *iface, const DO_DOWNLOAD_ENUM_CATEGORY *category, IEnumUnknown **out)
{
    struct com_trace_text text;

    /* The value may be a URL with a secret in its query. */
    do_log(DO_LOG_TRACE, DO_LOG_COM, "manager=%p EnumDownloads property=%d value=%s", (void *)iface,
        category ? (int)category->Property : -1,
        com_trace_url(category ? category->Value : NULL, &text));
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    return com_enum_downloads_create(from_do_manager(iface)->engine, category, out);
}

static const IDOManagerVtbl do_manager_vtbl = {
    .QueryInterface = do_manager_QueryInterface,
    .AddRef = do_manager_AddRef,
    .Release = do_manager_Release,
    .CreateDownload = do_manager_CreateDownload,
    .EnumDownloads = do_manager_EnumDownloads,
};

static const struct com_interface manager_interfaces[] = {
    {&IID_IDOManager, offsetof(struct manager, IDOManager_iface)},
    {&IID_IBackgroundCopyManager, offsetof(struct manager, IBackgroundCopyManager_iface)},
};

static void manager_destroy(struct com_object *object)
{
    struct manager *manager = DO_CONTAINER_OF(object, struct manager, object);

    do_engine_release(manager->engine);
    com_object_finish(object);
    do_free(manager);
}

static const struct com_class manager_class = {
    manager_interfaces, DO_COUNT_OF(manager_interfaces), manager_destroy};

HRESULT com_manager_create(REFIID iid, void **out)
{
    struct manager *manager;
    HRESULT hr;

    *out = NULL;
    if (!(manager = do_alloc(sizeof(*manager))))
        return E_OUTOFMEMORY;
    if (FAILED(hr = com_get_engine(&manager->engine)))
    {
        do_free(manager);
        return hr;
    }
    com_object_init(&manager->object, &manager_class);
    manager->IDOManager_iface.lpVtbl = &do_manager_vtbl;
    manager->IBackgroundCopyManager_iface.lpVtbl = &manager_vtbl;
    hr = com_object_QueryInterface(&manager->object, iid, out);
    com_object_Release(&manager->object);
    return hr;
}
