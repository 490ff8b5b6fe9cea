/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyFile. The file lives as long as its job, on which the object holds a reference.
 * Any thread; GetProgress copies counters and never waits.
 */
#include "com/objects.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/com_object.h"

struct file_object
{
    struct com_object object;
    IBackgroundCopyFile IBackgroundCopyFile_iface;
    struct do_job_file *file;
    struct do_job *job; /* an outer reference */
};

static struct file_object *from_file(IBackgroundCopyFile *iface)
{
    return DO_CONTAINER_OF(iface, struct file_object, IBackgroundCopyFile_iface);
}

static HRESULT STDMETHODCALLTYPE file_QueryInterface(
    IBackgroundCopyFile *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_file(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE file_AddRef(IBackgroundCopyFile *iface)
{
    return com_object_AddRef(&from_file(iface)->object);
}

static ULONG STDMETHODCALLTYPE file_Release(IBackgroundCopyFile *iface)
{
    return com_object_Release(&from_file(iface)->object);
}

static HRESULT STDMETHODCALLTYPE file_GetRemoteName(IBackgroundCopyFile *iface, LPWSTR *name)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetRemoteName", (void *)iface);
    return name ? com_text_out(do_job_file_get_url(from_file(iface)->file), name) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE file_GetLocalName(IBackgroundCopyFile *iface, LPWSTR *name)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetLocalName", (void *)iface);
    if (!name)
        return E_INVALIDARG;
    return com_text_out(do_job_file_get_local_path(from_file(iface)->file), name);
}

static HRESULT STDMETHODCALLTYPE file_GetProgress(
    IBackgroundCopyFile *iface, BG_FILE_PROGRESS *progress)
{
    struct do_progress_values values;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "file=%p GetProgress", (void *)iface);
    if (!progress)
        return E_INVALIDARG;
    values = do_job_file_get_progress(from_file(iface)->file);
    progress->BytesTotal = values.bytes_total;
    progress->BytesTransferred = values.bytes_transferred;
    progress->Completed = values.saved;
    return S_OK;
}

static const IBackgroundCopyFileVtbl file_vtbl = {
    .QueryInterface = file_QueryInterface,
    .AddRef = file_AddRef,
    .Release = file_Release,
    .GetRemoteName = file_GetRemoteName,
    .GetLocalName = file_GetLocalName,
    .GetProgress = file_GetProgress,
};

static const struct com_interface file_interfaces[] = {
    {&IID_IBackgroundCopyFile, offsetof(struct file_object, IBackgroundCopyFile_iface)},
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

HRESULT com_file_create(struct do_job_file *file, IBackgroundCopyFile **out)
{
    struct file_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    com_object_init(&created->object, &file_class);
    created->IBackgroundCopyFile_iface.lpVtbl = &file_vtbl;
    created->file = file;
    created->job = do_job_acquire(do_job_file_get_job(file));
    *out = &created->IBackgroundCopyFile_iface;
    return S_OK;
}
