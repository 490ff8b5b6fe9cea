/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJob, IBackgroundCopyJob2: who is told of what happens to a job. Any thread.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/callback.h"
#include "com/trace.h"

#define KNOWN_FLAGS                                                                                \
    (BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_ERROR | BG_NOTIFY_DISABLE |                         \
        BG_NOTIFY_JOB_MODIFICATION | BG_NOTIFY_FILE_TRANSFERRED)

/* In characters. (Source: win32 docs, BITS SetNotifyCmdLine: 260 and 4,000.) */
#define PROGRAM_LIMIT 260U
#define PARAMETERS_LIMIT 4000U

HRESULT STDMETHODCALLTYPE com_job_SetNotifyFlags(IBackgroundCopyJob5 *iface, ULONG flags)
{
    com_job_trace_u32(iface, "SetNotifyFlags", flags);
    if (flags & ~(ULONG)KNOWN_FLAGS)
        return E_NOTIMPL;
    return do_job_set_notify_flags(com_job_of(iface), flags);
}

HRESULT STDMETHODCALLTYPE com_job_GetNotifyFlags(IBackgroundCopyJob5 *iface, ULONG *flags)
{
    com_job_trace(iface, "GetNotifyFlags");
    if (!flags)
        return E_INVALIDARG;
    *flags = do_job_get_notify_flags(com_job_of(iface));
    return S_OK;
}

/* The notification class as a listener; NULL when there is no class. */
static HRESULT create_class_listener(struct do_job *job, struct do_listener **listener)
{
    GUID class_id;
    HRESULT hr;

    *listener = NULL;
    if (FAILED(hr = com_job_get_notify_class(job, &class_id)))
        return hr;
    if (IsEqualGUID(&class_id, &GUID_NULL))
        return S_OK;
    return com_callback_create_for_class(&class_id, listener);
}

/* An object goes before the class, which listens again when the object is cleared. */
HRESULT STDMETHODCALLTYPE com_job_SetNotifyInterface(IBackgroundCopyJob5 *iface, IUnknown *callback)
{
    struct do_job *job = com_job_of(iface);
    struct do_listener *listener;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetNotifyInterface callback=%p", (void *)job,
        (void *)callback);
    if (callback)
        hr = com_callback_create(callback, &listener);
    else
        hr = create_class_listener(job, &listener);
    if (FAILED(hr))
        return hr;
    hr = do_job_set_listener(job, listener);
    do_listener_release(listener);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_GetNotifyInterface(
    IBackgroundCopyJob5 *iface, IUnknown **callback)
{
    struct do_listener *listener;
    HRESULT hr;

    com_job_trace(iface, "GetNotifyInterface");
    if (!callback)
        return E_INVALIDARG;
    listener = do_job_get_listener(com_job_of(iface));
    hr = com_callback_get_object(listener, callback);
    do_listener_release(listener);
    return hr;
}

/* Job5's NOTIFICATION_CLSID */

HRESULT com_job_get_notify_class(struct do_job *job, GUID *class_id)
{
    struct do_value value;
    HRESULT hr;

    memset(class_id, 0, sizeof(*class_id));
    if (FAILED(hr = do_job_get_value(job, DO_PROP_NOTIFY_CLSID, &value)))
        return hr;
    if (value.kind == DO_VALUE_BYTES && value.length == sizeof(*class_id))
        memcpy(class_id, value.data, sizeof(*class_id));
    do_value_finish(&value);
    return S_OK;
}

/* Replaces a listener that is no object of the client's. */
static HRESULT let_class_listen(struct do_job *job)
{
    struct do_listener *old = do_job_get_listener(job);
    struct do_listener *listener;
    HRESULT hr = S_OK;

    if (!com_callback_is_object(old) && SUCCEEDED(hr = create_class_listener(job, &listener)))
    {
        if (listener || old)
            hr = do_job_set_listener(job, listener);
        do_listener_release(listener);
    }
    do_listener_release(old);
    return hr;
}

HRESULT com_job_set_notify_class(struct do_job *job, const GUID *class_id)
{
    struct do_setting setting = {DO_PROP_NOTIFY_CLSID, {DO_VALUE_EMPTY, 0, NULL, 0}};
    HRESULT hr;

    if (!IsEqualGUID(class_id, &GUID_NULL))
        setting.value = do_value_of_bytes(class_id, sizeof(*class_id));
    hr = do_job_set_values(job, &setting, 1);
    return FAILED(hr) ? hr : let_class_listen(job);
}

/* The command line: kept and told, never run. */

HRESULT STDMETHODCALLTYPE com_job_SetNotifyCmdLine(
    IBackgroundCopyJob5 *iface, LPCWSTR program, LPCWSTR parameters)
{
    struct do_setting settings[] = {
        {DO_PROP_NOTIFY_PROGRAM, {DO_VALUE_EMPTY, 0, NULL, 0}},
        {DO_PROP_NOTIFY_PARAMETERS, {DO_VALUE_EMPTY, 0, NULL, 0}},
    };
    struct com_trace_text program_text;
    char *program_utf8 = NULL;
    char *parameters_utf8 = NULL;
    HRESULT hr = S_OK;

    /* Parameters may hold a password. */
    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p SetNotifyCmdLine program=%s parameters=%s",
        (void *)com_job_of(iface), com_trace_text(program, &program_text),
        parameters ? "(given)" : "NULL");
    if (!program && parameters)
        return E_INVALIDARG;
    if (!com_text_fits(program, PROGRAM_LIMIT) || !com_text_fits(parameters, PARAMETERS_LIMIT))
        return E_INVALIDARG;
    if (program)
        hr = com_text_in(program, &program_utf8);
    if (parameters && SUCCEEDED(hr))
        hr = com_text_in(parameters, &parameters_utf8);
    if (SUCCEEDED(hr))
    {
        settings[0].value = do_value_of_text(program_utf8);
        settings[1].value = do_value_of_text(parameters_utf8);
        hr = do_job_set_values(com_job_of(iface), settings, DO_COUNT_OF(settings));
    }
    do_free(parameters_utf8);
    do_free(program_utf8);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_GetNotifyCmdLine(
    IBackgroundCopyJob5 *iface, LPWSTR *program, LPWSTR *parameters)
{
    HRESULT hr;

    com_job_trace(iface, "GetNotifyCmdLine");
    if (program)
        *program = NULL;
    if (parameters)
        *parameters = NULL;
    if (!program || !parameters)
        return E_INVALIDARG;
    if (FAILED(hr = com_job_get_text(com_job_of(iface), DO_PROP_NOTIFY_PROGRAM, program)))
        return hr;
    if (FAILED(hr = com_job_get_text(com_job_of(iface), DO_PROP_NOTIFY_PARAMETERS, parameters)))
    {
        CoTaskMemFree(*program);
        *program = NULL;
    }
    return hr;
}
