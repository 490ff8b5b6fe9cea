/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyError: a snapshot of a job's error, readable as long as the client keeps it.
 */
#include "com/objects.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "com/com_object.h"

struct error_object
{
    struct com_object object;
    IBackgroundCopyError IBackgroundCopyError_iface;
    struct do_job_error error;
    struct do_job *job; /* an outer reference when the error is tied to a file, else NULL */
};

static struct error_object *from_error(IBackgroundCopyError *iface)
{
    return DO_CONTAINER_OF(iface, struct error_object, IBackgroundCopyError_iface);
}

static HRESULT STDMETHODCALLTYPE error_QueryInterface(
    IBackgroundCopyError *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_error(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE error_AddRef(IBackgroundCopyError *iface)
{
    return com_object_AddRef(&from_error(iface)->object);
}

static ULONG STDMETHODCALLTYPE error_Release(IBackgroundCopyError *iface)
{
    return com_object_Release(&from_error(iface)->object);
}

static HRESULT STDMETHODCALLTYPE error_GetError(
    IBackgroundCopyError *iface, BG_ERROR_CONTEXT *context, HRESULT *code)
{
    const struct do_job_error *error = &from_error(iface)->error;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "error=%p GetError", (void *)iface);
    if (context)
        *context = BG_ERROR_CONTEXT_NONE;
    if (code)
        *code = S_OK;
    if (!context || !code)
        return E_INVALIDARG;
    *context = (BG_ERROR_CONTEXT)error->context;
    *code = error->code;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE error_GetFile(
    IBackgroundCopyError *iface, IBackgroundCopyFile **file)
{
    const struct do_job_error *error = &from_error(iface)->error;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "error=%p GetFile", (void *)iface);
    if (!file)
        return E_INVALIDARG;
    *file = NULL;
    return error->file ? com_file_create(error->file, file) : DO_E_FILE_NOT_AVAILABLE;
}

static HRESULT STDMETHODCALLTYPE error_GetErrorDescription(
    IBackgroundCopyError *iface, DWORD language, LPWSTR *text)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "error=%p GetErrorDescription language=0x%lx", (void *)iface,
        (unsigned long)language);
    return text ? com_error_text(from_error(iface)->error.code, language, text) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE error_GetErrorContextDescription(
    IBackgroundCopyError *iface, DWORD language, LPWSTR *text)
{
    const char *sentence = "The error is not tied to a certain part of the job.";

    do_log(DO_LOG_TRACE, DO_LOG_COM, "error=%p GetErrorContextDescription language=0x%lx",
        (void *)iface, (unsigned long)language);
    if (!text)
        return E_INVALIDARG;
    switch (from_error(iface)->error.context)
    {
    case DO_ERROR_CONTEXT_NONE:
        break;
    case DO_ERROR_CONTEXT_LOCAL_FILE:
        sentence = "The error occurred while the local file was processed.";
        break;
    case DO_ERROR_CONTEXT_REMOTE_FILE:
        sentence = "The error occurred while the remote file was processed.";
        break;
    }
    return com_text_out(sentence, text);
}

static HRESULT STDMETHODCALLTYPE error_GetProtocol(IBackgroundCopyError *iface, LPWSTR *protocol)
{
    struct do_job_file *file = from_error(iface)->error.file;
    char *url;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "error=%p GetProtocol", (void *)iface);
    if (!protocol)
        return E_INVALIDARG;
    *protocol = NULL;
    if (!file)
        return DO_E_FILE_NOT_AVAILABLE;
    if (FAILED(hr = do_job_file_get_url(file, &url)))
        return hr;
    hr = com_text_out(do_str_starts_nocase(url, "https:") ? "https" : "http", protocol);
    do_free(url);
    return hr;
}

static const IBackgroundCopyErrorVtbl error_vtbl = {
    .QueryInterface = error_QueryInterface,
    .AddRef = error_AddRef,
    .Release = error_Release,
    .GetError = error_GetError,
    .GetFile = error_GetFile,
    .GetErrorDescription = error_GetErrorDescription,
    .GetErrorContextDescription = error_GetErrorContextDescription,
    .GetProtocol = error_GetProtocol,
};

static const struct com_interface error_interfaces[] = {
    {&IID_IBackgroundCopyError, offsetof(struct error_object, IBackgroundCopyError_iface)},
};

static void error_destroy(struct com_object *object)
{
    struct error_object *error = DO_CONTAINER_OF(object, struct error_object, object);

    do_job_release(error->job);
    com_object_finish(object);
    do_free(error);
}

static const struct com_class error_class = {
    error_interfaces, DO_COUNT_OF(error_interfaces), error_destroy};

HRESULT com_error_create(const struct do_job_error *error, IBackgroundCopyError **out)
{
    struct error_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    com_object_init(&created->object, &error_class);
    created->IBackgroundCopyError_iface.lpVtbl = &error_vtbl;
    created->error = *error;
    if (error->file)
        created->job = do_job_acquire(do_job_file_get_job(error->file));
    *out = &created->IBackgroundCopyError_iface;
    return S_OK;
}
