/* SPDX-License-Identifier: MIT */
/*
 * The job object: one struct with a vtable for each of its interfaces, and the methods by topic:
 * job.c what a job is and its states, job_files.c its files, job_notify.c who is told of it,
 * job_settings.c how it is carried out, http_options.c and delivery_job.c the other interfaces.
 */
#ifndef DO_COM_JOB_H
#define DO_COM_JOB_H

#include "com/com_object.h"
#include "com/objects.h"

struct job_object
{
    struct com_object object;
    IBackgroundCopyJob5 IBackgroundCopyJob5_iface;
    IBackgroundCopyJobHttpOptions IBackgroundCopyJobHttpOptions_iface;
    IDeliveryOptimizationJob IDeliveryOptimizationJob_iface;
    IDeliveryOptimizationJob2 IDeliveryOptimizationJob2_iface;
    struct do_job *job; /* an outer reference */
};

extern const IBackgroundCopyJobHttpOptionsVtbl com_http_options_vtbl;
extern const IDeliveryOptimizationJobVtbl com_delivery_job_vtbl;
extern const IDeliveryOptimizationJob2Vtbl com_delivery_job2_vtbl;

/** The job behind the interface, borrowed. */
struct do_job *com_job_of(IBackgroundCopyJob5 *iface);

/** The TRACE line of a method that has nothing but out parameters, or a number. */
void com_job_trace(IBackgroundCopyJob5 *iface, const char *method);
void com_job_trace_u32(IBackgroundCopyJob5 *iface, const char *method, ULONG value);

/** What AddFile in all its forms is given, in the client's types. */
struct com_new_file
{
    const WCHAR *content_id;
    const WCHAR *url;
    const WCHAR *local_path; /* NULL: the sink is set later */
    const BG_FILE_RANGE *ranges;
    DWORD range_count;
    UINT64 size; /* BG_SIZE_UNKNOWN */
};

/** first (may be NULL) receives the file, borrowed from the job. */
HRESULT com_job_add_file(
    struct do_job *job, const struct com_new_file *file, struct do_job_file **first);

/** The text of a value for the client; S_OK and NULL when it is not set. */
HRESULT com_job_get_text(struct do_job *job, enum do_prop id, WCHAR **text);

/** Whether text has at most limit characters; so has NULL. */
BOOL com_text_fits(const WCHAR *text, size_t limit);

/* Methods of the one vtable IBackgroundCopyJob5. */

/* job_files.c */
HRESULT STDMETHODCALLTYPE com_job_AddFileSet(
    IBackgroundCopyJob5 *iface, ULONG count, BG_FILE_INFO *set);
HRESULT STDMETHODCALLTYPE com_job_AddFile(
    IBackgroundCopyJob5 *iface, LPCWSTR url, LPCWSTR local_path);
HRESULT STDMETHODCALLTYPE com_job_AddFileWithRanges(IBackgroundCopyJob5 *iface, LPCWSTR url,
    LPCWSTR local_path, DWORD range_count, BG_FILE_RANGE *ranges);
HRESULT STDMETHODCALLTYPE com_job_EnumFiles(
    IBackgroundCopyJob5 *iface, IEnumBackgroundCopyFiles **out);
HRESULT STDMETHODCALLTYPE com_job_ReplaceRemotePrefix(
    IBackgroundCopyJob5 *iface, LPCWSTR old_prefix, LPCWSTR new_prefix);
HRESULT STDMETHODCALLTYPE com_job_SetFileACLFlags(IBackgroundCopyJob5 *iface, DWORD flags);
HRESULT STDMETHODCALLTYPE com_job_GetFileACLFlags(IBackgroundCopyJob5 *iface, DWORD *flags);

/* job_notify.c */
HRESULT STDMETHODCALLTYPE com_job_SetNotifyFlags(IBackgroundCopyJob5 *iface, ULONG flags);
HRESULT STDMETHODCALLTYPE com_job_GetNotifyFlags(IBackgroundCopyJob5 *iface, ULONG *flags);
HRESULT STDMETHODCALLTYPE com_job_SetNotifyInterface(
    IBackgroundCopyJob5 *iface, IUnknown *callback);
HRESULT STDMETHODCALLTYPE com_job_GetNotifyInterface(
    IBackgroundCopyJob5 *iface, IUnknown **callback);
HRESULT STDMETHODCALLTYPE com_job_SetNotifyCmdLine(
    IBackgroundCopyJob5 *iface, LPCWSTR program, LPCWSTR parameters);
HRESULT STDMETHODCALLTYPE com_job_GetNotifyCmdLine(
    IBackgroundCopyJob5 *iface, LPWSTR *program, LPWSTR *parameters);
HRESULT com_job_set_notify_class(struct do_job *job, const GUID *class_id);
HRESULT com_job_get_notify_class(struct do_job *job, GUID *class_id);

/* job_settings.c */
HRESULT STDMETHODCALLTYPE com_job_GetOwner(IBackgroundCopyJob5 *iface, LPWSTR *owner);
HRESULT STDMETHODCALLTYPE com_job_SetProxySettings(
    IBackgroundCopyJob5 *iface, BG_JOB_PROXY_USAGE usage, const WCHAR *list, const WCHAR *bypass);
HRESULT STDMETHODCALLTYPE com_job_GetProxySettings(
    IBackgroundCopyJob5 *iface, BG_JOB_PROXY_USAGE *usage, LPWSTR *list, LPWSTR *bypass);
HRESULT STDMETHODCALLTYPE com_job_GetReplyProgress(
    IBackgroundCopyJob5 *iface, BG_JOB_REPLY_PROGRESS *progress);
HRESULT STDMETHODCALLTYPE com_job_GetReplyData(
    IBackgroundCopyJob5 *iface, byte **buffer, UINT64 *length);
HRESULT STDMETHODCALLTYPE com_job_SetReplyFileName(IBackgroundCopyJob5 *iface, LPCWSTR name);
HRESULT STDMETHODCALLTYPE com_job_GetReplyFileName(IBackgroundCopyJob5 *iface, LPWSTR *name);
HRESULT STDMETHODCALLTYPE com_job_SetCredentials(
    IBackgroundCopyJob5 *iface, BG_AUTH_CREDENTIALS *credentials);
HRESULT STDMETHODCALLTYPE com_job_RemoveCredentials(
    IBackgroundCopyJob5 *iface, BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme);
HRESULT STDMETHODCALLTYPE com_job_SetPeerCachingFlags(IBackgroundCopyJob5 *iface, DWORD flags);
HRESULT STDMETHODCALLTYPE com_job_GetPeerCachingFlags(IBackgroundCopyJob5 *iface, DWORD *flags);
HRESULT STDMETHODCALLTYPE com_job_GetOwnerIntegrityLevel(IBackgroundCopyJob5 *iface, ULONG *level);
HRESULT STDMETHODCALLTYPE com_job_GetOwnerElevationState(
    IBackgroundCopyJob5 *iface, BOOL *elevated);
HRESULT STDMETHODCALLTYPE com_job_SetMaximumDownloadTime(IBackgroundCopyJob5 *iface, ULONG seconds);
HRESULT STDMETHODCALLTYPE com_job_GetMaximumDownloadTime(
    IBackgroundCopyJob5 *iface, ULONG *seconds);
HRESULT STDMETHODCALLTYPE com_job_SetProperty(
    IBackgroundCopyJob5 *iface, BITS_JOB_PROPERTY_ID id, BITS_JOB_PROPERTY_VALUE value);
HRESULT STDMETHODCALLTYPE com_job_GetProperty(
    IBackgroundCopyJob5 *iface, BITS_JOB_PROPERTY_ID id, BITS_JOB_PROPERTY_VALUE *value);

#endif
