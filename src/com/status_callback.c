/* SPDX-License-Identifier: MIT */
/*
 * A client's IDODownloadStatusCallback as a listener of a download. Statuses come on delivery
 * threads, which are in the multithreaded apartment, one at a time for each download.
 */
#include "com/status_callback.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "com/client_pointer.h"
#include "com/objects.h"

struct status_callback
{
    struct do_listener listener;
    struct com_client_pointer callback;
};

static struct status_callback *from_listener(struct do_listener *listener)
{
    return DO_CONTAINER_OF(listener, struct status_callback, listener);
}

/*
 * The client gets an object of its own with each call: a .NET client lets go of all that it knows
 * under one identity (FinalReleaseComObject), and goes on to use its own pointer. The status is its
 * own as well, since clients declare it writable. (Spec 04, 6.2.)
 */
static HRESULT tell(IDODownloadStatusCallback *callback, struct do_job *job,
    const struct do_download_status *status)
{
    struct com_client_call call;
    DO_DOWNLOAD_STATUS copy;
    IDODownload *download;
    HRESULT hr;

    com_download_status_out(status, &copy);
    if (FAILED(hr = com_download_create(job, &download)))
        return hr;
    com_client_call_begin(&call);
    hr = IDODownloadStatusCallback_OnStatusChange(callback, download, &copy);
    com_client_call_end(&call);
    IDODownload_Release(download);
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p told state=%u bytes=%llu result=0x%08x", (void *)job,
        (unsigned int)status->state, (unsigned long long)status->bytes_transferred,
        (unsigned int)hr);
    return hr;
}

static HRESULT deliver(struct do_listener *listener, struct do_job *job, enum do_notice notice,
    struct do_job_file *file, const struct do_download_status *status)
{
    IDODownloadStatusCallback *callback;
    HRESULT hr;

    (void)file;
    if (notice != DO_NOTICE_STATUS)
        return S_OK;
    hr = com_client_pointer_get(&from_listener(listener)->callback, (void **)&callback);
    if (SUCCEEDED(hr))
    {
        hr = tell(callback, job, status);
        IDODownloadStatusCallback_Release(callback);
    }
    /* What the client returns does not matter, nor is it ours to tell apart. */
    if (!com_client_is_gone(hr))
        return S_OK;
    do_log(DO_LOG_WARN, DO_LOG_COM, "job=%p callback dropped, its client is gone: 0x%08x",
        (void *)job, (unsigned int)hr);
    return DO_HR_CANCELLED;
}

static void destroy(struct do_listener *listener)
{
    struct status_callback *self = from_listener(listener);

    com_client_pointer_finish(&self->callback);
    do_free(self);
}

static const struct do_listener_class status_class = {deliver, destroy};

HRESULT com_status_callback_create(IUnknown *object, struct do_listener **listener)
{
    struct status_callback *created;
    HRESULT hr;

    *listener = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    if (FAILED(hr = com_client_pointer_init(
                   &created->callback, object, &IID_IDODownloadStatusCallback)))
    {
        do_free(created);
        return hr;
    }
    do_listener_init(&created->listener, &status_class);
    *listener = &created->listener;
    return S_OK;
}

HRESULT com_status_callback_get_object(struct do_listener *listener, IUnknown **object)
{
    return com_client_pointer_get(&from_listener(listener)->callback, (void **)object);
}
