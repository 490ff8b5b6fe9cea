/* SPDX-License-Identifier: MIT */
/*
 * A client's IBackgroundCopyCallback, or the class that it named, as a listener of a job. Notices
 * come on delivery threads, which are in the multithreaded apartment, one at a time for each job;
 * the objects that they carry are made for the call.
 */
#include "com/callback.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/client_pointer.h"
#include "com/objects.h"

/* Telling */

static HRESULT tell_error(
    IBackgroundCopyCallback *callback, struct do_job *job, IBackgroundCopyJob *object)
{
    IBackgroundCopyError *error_object = NULL;
    struct do_job_error error;
    HRESULT hr;

    /* The job went on meanwhile: there is nothing to tell any more. */
    if (FAILED(do_job_get_error(job, &error)))
        return S_OK;
    if (FAILED(hr = com_error_create(&error, &error_object)))
        return hr;
    hr = IBackgroundCopyCallback_JobError(callback, object, error_object);
    IBackgroundCopyError_Release(error_object);
    return hr;
}

static HRESULT tell_file(
    IBackgroundCopyCallback2 *callback, struct do_job_file *file, IBackgroundCopyJob *object)
{
    IBackgroundCopyFile *file_object = NULL;
    HRESULT hr;

    if (FAILED(hr = com_file_create(file, &file_object)))
        return hr;
    hr = IBackgroundCopyCallback2_FileTransferred(callback, object, file_object);
    IBackgroundCopyFile_Release(file_object);
    return hr;
}

/* callback2 may be NULL. */
static HRESULT tell(IBackgroundCopyCallback *callback, IBackgroundCopyCallback2 *callback2,
    struct do_job *job, enum do_notice notice, struct do_job_file *file)
{
    IBackgroundCopyJob *object = NULL;
    HRESULT hr;

    if (FAILED(hr = com_job_create(job, &object)))
        return hr;
    switch (notice)
    {
    case DO_NOTICE_JOB_TRANSFERRED:
        hr = IBackgroundCopyCallback_JobTransferred(callback, object);
        break;
    case DO_NOTICE_JOB_ERROR:
        hr = tell_error(callback, job, object);
        break;
    case DO_NOTICE_JOB_MODIFICATION:
        hr = IBackgroundCopyCallback_JobModification(callback, object, 0);
        break;
    case DO_NOTICE_FILE_TRANSFERRED:
        if (callback2)
            hr = tell_file(callback2, file, object);
        break;
    case DO_NOTICE_DISABLE:
    case DO_NOTICE_STATUS:
        break;
    }
    IBackgroundCopyJob_Release(object);
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p told notice=0x%x result=0x%08x", (void *)job,
        (unsigned int)notice, (unsigned int)hr);
    return hr;
}

/* DO_HR_CANCELLED means to the notifier that the client is gone; a client that returns it is not.
 */
static HRESULT client_result(HRESULT hr)
{
    return hr == DO_HR_CANCELLED ? E_FAIL : hr;
}

/* An object of the client's */

struct object_callback
{
    struct do_listener listener;
    struct com_client_pointer callback;
    struct com_client_pointer callback2; /* registered by itself, since it has a proxy of its own */
    bool has_callback2;
};

static HRESULT object_deliver(struct do_listener *listener, struct do_job *job,
    enum do_notice notice, struct do_job_file *file, const struct do_download_status *status)
{
    struct object_callback *self = DO_CONTAINER_OF(listener, struct object_callback, listener);
    IBackgroundCopyCallback2 *callback2 = NULL;
    IBackgroundCopyCallback *callback = NULL;
    HRESULT hr;

    (void)status;
    if (notice == DO_NOTICE_FILE_TRANSFERRED && !self->has_callback2)
        return S_OK;
    hr = com_client_pointer_get(&self->callback, (void **)&callback);
    if (SUCCEEDED(hr) && notice == DO_NOTICE_FILE_TRANSFERRED)
        hr = com_client_pointer_get(&self->callback2, (void **)&callback2);
    if (SUCCEEDED(hr))
        hr = tell(callback, callback2, job, notice, file);
    if (callback2)
        IBackgroundCopyCallback2_Release(callback2);
    if (callback)
        IBackgroundCopyCallback_Release(callback);
    if (!com_client_is_gone(hr))
        return client_result(hr);
    do_log(DO_LOG_WARN, DO_LOG_COM, "job=%p callback dropped, its client is gone: 0x%08x",
        (void *)job, (unsigned int)hr);
    return DO_HR_CANCELLED;
}

static void object_destroy(struct do_listener *listener)
{
    struct object_callback *self = DO_CONTAINER_OF(listener, struct object_callback, listener);

    if (self->has_callback2)
        com_client_pointer_finish(&self->callback2);
    com_client_pointer_finish(&self->callback);
    do_free(self);
}

static const struct do_listener_class object_class = {object_deliver, object_destroy};

HRESULT com_callback_create(IUnknown *object, struct do_listener **listener)
{
    struct object_callback *created;
    HRESULT hr;

    *listener = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    if (FAILED(
            hr = com_client_pointer_init(&created->callback, object, &IID_IBackgroundCopyCallback)))
    {
        do_free(created);
        return hr;
    }
    created->has_callback2 = SUCCEEDED(
        com_client_pointer_init(&created->callback2, object, &IID_IBackgroundCopyCallback2));
    do_listener_init(&created->listener, &object_class);
    *listener = &created->listener;
    return S_OK;
}

bool com_callback_is_object(const struct do_listener *listener)
{
    return listener && listener->class == &object_class;
}

HRESULT com_callback_get_object(struct do_listener *listener, IUnknown **object)
{
    struct object_callback *self;

    *object = NULL;
    if (!com_callback_is_object(listener))
        return S_OK;
    self = DO_CONTAINER_OF(listener, struct object_callback, listener);
    return com_client_pointer_get(&self->callback, (void **)object);
}

/* A class. Its object is made and called in the multithreaded apartment, which is kept alive until
   the object is let go, so that the pointer is good on every delivery thread. */

struct class_callback
{
    struct do_listener listener;
    CLSID class_id;

    /* The delivery's. */
    IBackgroundCopyCallback *object; /* NULL until there was something to tell */
    void *mta;
};

static void forget_object(struct class_callback *self)
{
    if (self->object)
        IBackgroundCopyCallback_Release(self->object);
    com_mta_release(self->mta);
    self->object = NULL;
    self->mta = NULL;
}

static HRESULT activate(struct class_callback *self)
{
    HRESULT hr;

    if (self->object)
        return S_OK;
    self->mta = com_mta_acquire();
    hr = CoCreateInstance(&self->class_id, NULL, CLSCTX_LOCAL_SERVER | CLSCTX_INPROC_SERVER,
        &IID_IBackgroundCopyCallback, (void **)&self->object);
    if (FAILED(hr))
    {
        do_log(DO_LOG_WARN, DO_LOG_COM, "the notification class is not activated: 0x%08x",
            (unsigned int)hr);
        self->object = NULL;
        forget_object(self);
    }
    return hr;
}

static HRESULT class_deliver(struct do_listener *listener, struct do_job *job,
    enum do_notice notice, struct do_job_file *file, const struct do_download_status *status)
{
    struct class_callback *self = DO_CONTAINER_OF(listener, struct class_callback, listener);
    IBackgroundCopyCallback2 *callback2 = NULL;
    HRESULT hr;

    (void)status;
    if (FAILED(hr = activate(self)))
        return client_result(hr);
    if (notice == DO_NOTICE_FILE_TRANSFERRED)
        (void)IBackgroundCopyCallback_QueryInterface(
            self->object, &IID_IBackgroundCopyCallback2, (void **)&callback2);
    hr = tell(self->object, callback2, job, notice, file);
    if (callback2)
        IBackgroundCopyCallback2_Release(callback2);
    /* The server ended. The next notice, or this one repeated, starts it again. */
    if (com_client_is_gone(hr))
        forget_object(self);
    return client_result(hr);
}

static void class_destroy(struct do_listener *listener)
{
    struct class_callback *self = DO_CONTAINER_OF(listener, struct class_callback, listener);

    forget_object(self);
    do_free(self);
}

static const struct do_listener_class class_class = {class_deliver, class_destroy};

HRESULT com_callback_create_for_class(const GUID *class_id, struct do_listener **listener)
{
    struct class_callback *created;

    *listener = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->class_id = *class_id;
    do_listener_init(&created->listener, &class_class);
    created->listener.is_stored = true;
    *listener = &created->listener;
    return S_OK;
}
