/* SPDX-License-Identifier: MIT */
/*
 * Jobs and downloads behind one set of functions. What is read from the server is given to the
 * caller; references stay with the item.
 */
#include "item.h"

#include "base/alloc.h"
#include "base/hr.h"

#include <oleauto.h>

void do_item_release(struct do_item *item)
{
    if (item->job)
        IBackgroundCopyJob_Release(item->job);
    if (item->download)
        IDODownload_Release(item->download);
    *item = (struct do_item){0};
}

/* Text */

/* Takes the CoTaskMem text. */
static HRESULT bstr_from_task(HRESULT hr, LPWSTR text, BSTR *out)
{
    *out = SUCCEEDED(hr) ? SysAllocString(text) : NULL;
    CoTaskMemFree(text);
    return SUCCEEDED(hr) && !*out ? E_OUTOFMEMORY : hr;
}

/* *text is NULL when the property is not set. */
static HRESULT get_text(IDODownload *download, DODownloadProperty id, BSTR *text)
{
    VARIANT value;
    HRESULT hr = IDODownload_GetProperty(download, id, &value);

    *text = NULL;
    if (hr == do_hr_from_win32(ERROR_NOT_FOUND))
        return S_OK;
    if (SUCCEEDED(hr) && V_VT(&value) == VT_BSTR)
        *text = V_BSTR(&value);
    return hr;
}

void do_item_get_id(const struct do_item *item, char id[DO_ITEM_ID_SIZE])
{
    wchar_t wide[DO_ITEM_ID_SIZE] = L"?";
    BSTR text = NULL;
    GUID guid;

    if (item->job && SUCCEEDED(IBackgroundCopyJob_GetId(item->job, &guid)))
        StringFromGUID2(&guid, wide, DO_ITEM_ID_SIZE);
    if (item->download && SUCCEEDED(get_text(item->download, DODownloadProperty_Id, &text)) && text)
    {
        _snwprintf(wide, DO_ITEM_ID_SIZE, text[0] == L'{' ? L"%ls" : L"{%ls}", text);
        wide[DO_ITEM_ID_SIZE - 1] = 0;
    }
    SysFreeString(text);
    for (size_t i = 0; i < DO_ITEM_ID_SIZE; i++)
        id[i] = (char)wide[i]; /* ASCII */
}

HRESULT do_item_get_name(const struct do_item *item, BSTR *name)
{
    LPWSTR text = NULL;
    HRESULT hr;

    if (item->download)
        return get_text(item->download, DODownloadProperty_DisplayName, name);
    hr = IBackgroundCopyJob_GetDisplayName(item->job, &text);
    return bstr_from_task(hr, text, name);
}

/* State */

struct state_row
{
    enum do_item_state state;
    const char *name;
};

static const struct state_row job_states[] = {
    [BG_JOB_STATE_QUEUED] = {DO_ITEM_QUEUED, "QUEUED"},
    [BG_JOB_STATE_CONNECTING] = {DO_ITEM_CONNECTING, "CONNECTING"},
    [BG_JOB_STATE_TRANSFERRING] = {DO_ITEM_TRANSFERRING, "TRANSFERRING"},
    [BG_JOB_STATE_SUSPENDED] = {DO_ITEM_PAUSED, "SUSPENDED"},
    [BG_JOB_STATE_ERROR] = {DO_ITEM_ERROR, "ERROR"},
    [BG_JOB_STATE_TRANSIENT_ERROR] = {DO_ITEM_WAITING, "TRANSIENT_ERROR"},
    [BG_JOB_STATE_TRANSFERRED] = {DO_ITEM_TRANSFERRED, "TRANSFERRED"},
    [BG_JOB_STATE_ACKNOWLEDGED] = {DO_ITEM_SAVED, "ACKNOWLEDGED"},
    [BG_JOB_STATE_CANCELLED] = {DO_ITEM_CANCELLED, "CANCELLED"},
};

static const struct state_row download_states[] = {
    [DODownloadState_Created] = {DO_ITEM_PAUSED, "CREATED"},
    [DODownloadState_Transferring] = {DO_ITEM_TRANSFERRING, "TRANSFERRING"},
    [DODownloadState_Transferred] = {DO_ITEM_TRANSFERRED, "TRANSFERRED"},
    [DODownloadState_Finalized] = {DO_ITEM_SAVED, "FINALIZED"},
    [DODownloadState_Aborted] = {DO_ITEM_CANCELLED, "ABORTED"},
    [DODownloadState_Paused] = {DO_ITEM_PAUSED, "PAUSED"},
};

static HRESULT set_state(
    struct do_item_status *status, const struct state_row *rows, size_t count, size_t state)
{
    if (state >= count)
        return E_UNEXPECTED;
    status->state = rows[state].state;
    status->state_name = rows[state].name;
    return S_OK;
}

static HRESULT get_job_status(IBackgroundCopyJob *job, struct do_item_status *status)
{
    BG_JOB_PROGRESS progress = {0};
    BG_JOB_STATE state = BG_JOB_STATE_ERROR;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_GetState(job, &state)) ||
        FAILED(hr = IBackgroundCopyJob_GetProgress(job, &progress)))
        return hr;
    status->bytes = progress.BytesTransferred;
    if (progress.BytesTotal != BG_SIZE_UNKNOWN)
        status->total = progress.BytesTotal;
    status->files = progress.FilesTotal;
    status->files_transferred = progress.FilesTransferred;
    return set_state(status, job_states, DO_COUNT_OF(job_states), (size_t)state);
}

static HRESULT get_download_status(IDODownload *download, struct do_item_status *status)
{
    DO_DOWNLOAD_STATUS given = {0};
    HRESULT hr;

    if (FAILED(hr = IDODownload_GetStatus(download, &given)) ||
        FAILED(hr = set_state(
                   status, download_states, DO_COUNT_OF(download_states), (size_t)given.State)))
        return hr;
    if (given.State == DODownloadState_Paused && FAILED(given.Error))
        status->state = DO_ITEM_ERROR;
    else if (given.State == DODownloadState_Paused && FAILED(given.ExtendedError))
        status->state = DO_ITEM_WAITING;
    status->bytes = given.BytesTransferred;
    status->files = 1;
    status->files_transferred = given.State == DODownloadState_Transferred;
    /* 0 stands for a size that is not known, and for one that is 0. */
    if (given.BytesTotal || status->files_transferred)
        status->total = given.BytesTotal;
    return S_OK;
}

HRESULT do_item_get_status(const struct do_item *item, struct do_item_status *status)
{
    *status = (struct do_item_status){
        .state = DO_ITEM_ERROR, .state_name = "?", .total = DO_ITEM_SIZE_UNKNOWN};
    if (item->job)
        return get_job_status(item->job, status);
    return get_download_status(item->download, status);
}

/* Error */

static HRESULT get_job_error(IBackgroundCopyJob *job)
{
    IBackgroundCopyError *error = NULL;
    BG_ERROR_CONTEXT context;
    HRESULT code = S_OK;

    if (FAILED(IBackgroundCopyJob_GetError(job, &error)))
        return S_OK;
    if (FAILED(IBackgroundCopyError_GetError(error, &context, &code)))
        code = S_OK;
    IBackgroundCopyError_Release(error);
    return code;
}

HRESULT do_item_get_error(const struct do_item *item)
{
    DO_DOWNLOAD_STATUS status = {0};

    if (item->job)
        return get_job_error(item->job);
    if (FAILED(IDODownload_GetStatus(item->download, &status)))
        return S_OK;
    return FAILED(status.Error) ? status.Error : status.ExtendedError;
}

static HRESULT first_file(IBackgroundCopyJob *job, IBackgroundCopyFile **file)
{
    IEnumBackgroundCopyFiles *files = NULL;
    HRESULT hr = IBackgroundCopyJob_EnumFiles(job, &files);

    *file = NULL;
    if (FAILED(hr))
        return hr;
    hr = IEnumBackgroundCopyFiles_Next(files, 1, file, NULL);
    IEnumBackgroundCopyFiles_Release(files);
    return hr == S_FALSE ? DO_E_FILE_NOT_AVAILABLE : hr;
}

HRESULT do_item_get_error_url(const struct do_item *item, BSTR *url)
{
    IBackgroundCopyError *error = NULL;
    IBackgroundCopyFile *file = NULL;
    LPWSTR text = NULL;
    HRESULT hr;

    *url = NULL;
    if (item->download)
        return get_text(item->download, DODownloadProperty_Uri, url);
    if (SUCCEEDED(hr = IBackgroundCopyJob_GetError(item->job, &error)))
    {
        hr = IBackgroundCopyError_GetFile(error, &file);
        IBackgroundCopyError_Release(error);
    }
    if (FAILED(hr) && FAILED(hr = first_file(item->job, &file)))
        return hr;
    hr = IBackgroundCopyFile_GetRemoteName(file, &text);
    IBackgroundCopyFile_Release(file);
    return bstr_from_task(hr, text, url);
}

/* Files */

static HRESULT read_temp_path(IBackgroundCopyFile *file, BSTR *path)
{
    IBackgroundCopyFile3 *file3 = NULL;
    LPWSTR text = NULL;
    HRESULT hr =
        IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile3, (void **)&file3);

    if (FAILED(hr))
        return hr;
    hr = IBackgroundCopyFile3_GetTemporaryName(file3, &text);
    IBackgroundCopyFile3_Release(file3);
    return bstr_from_task(hr, text, path);
}

static HRESULT read_file(IBackgroundCopyFile *file, struct do_item_file *out)
{
    BG_FILE_PROGRESS progress = {0};
    LPWSTR text = NULL;
    HRESULT hr = IBackgroundCopyFile_GetProgress(file, &progress);

    if (FAILED(hr))
        return hr;
    out->bytes = progress.BytesTransferred;
    out->completed = progress.Completed;
    hr = IBackgroundCopyFile_GetRemoteName(file, &text);
    if (FAILED(hr = bstr_from_task(hr, text, &out->url)))
        return hr;
    text = NULL;
    hr = IBackgroundCopyFile_GetLocalName(file, &text);
    if (FAILED(hr = bstr_from_task(hr, text, &out->path)))
        return hr;
    return read_temp_path(file, &out->temp_path);
}

static HRESULT list_job_files(IBackgroundCopyJob *job, struct do_item_file **files, size_t *count)
{
    IEnumBackgroundCopyFiles *each = NULL;
    IBackgroundCopyFile *file = NULL;
    ULONG total = 0;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_EnumFiles(job, &each)))
        return hr;
    if (SUCCEEDED(hr = IEnumBackgroundCopyFiles_GetCount(each, &total)) &&
        !(*files = do_alloc_array(total ? total : 1, sizeof(**files))))
        hr = E_OUTOFMEMORY;
    while (SUCCEEDED(hr) && *count < total &&
           (hr = IEnumBackgroundCopyFiles_Next(each, 1, &file, NULL)) == S_OK)
    {
        hr = read_file(file, &(*files)[(*count)++]);
        IBackgroundCopyFile_Release(file);
    }
    IEnumBackgroundCopyFiles_Release(each);
    return SUCCEEDED(hr) ? S_OK : hr;
}

static HRESULT list_download_file(IDODownload *download, struct do_item_file **files, size_t *count)
{
    DO_DOWNLOAD_STATUS status = {0};
    HRESULT hr = IDODownload_GetStatus(download, &status);

    if (FAILED(hr))
        return hr;
    if (!(*files = do_alloc_array(1, sizeof(**files))))
        return E_OUTOFMEMORY;
    *count = 1;
    (*files)->bytes = status.BytesTransferred;
    (*files)->completed =
        status.State == DODownloadState_Transferred || status.State == DODownloadState_Finalized;
    if (FAILED(hr = get_text(download, DODownloadProperty_Uri, &(*files)->url)))
        return hr;
    return get_text(download, DODownloadProperty_LocalPath, &(*files)->path);
}

HRESULT do_item_list_files(const struct do_item *item, struct do_item_file **files, size_t *count)
{
    HRESULT hr;

    *files = NULL;
    *count = 0;
    hr = item->job ? list_job_files(item->job, files, count)
                   : list_download_file(item->download, files, count);
    if (FAILED(hr))
    {
        do_item_free_files(*files, *count);
        *files = NULL;
        *count = 0;
    }
    return hr;
}

void do_item_free_files(struct do_item_file *files, size_t count)
{
    for (size_t i = 0; files && i < count; i++)
    {
        SysFreeString(files[i].url);
        SysFreeString(files[i].path);
        SysFreeString(files[i].temp_path);
    }
    do_free(files);
}

/* Calls */

HRESULT do_item_start(const struct do_item *item)
{
    DO_DOWNLOAD_STATUS status = {0};
    HRESULT hr;

    if (item->job)
        return IBackgroundCopyJob_Resume(item->job);
    if (FAILED(hr = IDODownload_GetStatus(item->download, &status)))
        return hr;
    /* To start what is transferred is to fetch it once more. */
    if (status.State == DODownloadState_Transferred)
        return S_OK;
    return IDODownload_Start(item->download, NULL);
}

HRESULT do_item_pause(const struct do_item *item)
{
    return item->job ? IBackgroundCopyJob_Suspend(item->job) : IDODownload_Pause(item->download);
}

HRESULT do_item_cancel(const struct do_item *item)
{
    return item->job ? IBackgroundCopyJob_Cancel(item->job) : IDODownload_Abort(item->download);
}

HRESULT do_item_complete(const struct do_item *item)
{
    return item->job ? IBackgroundCopyJob_Complete(item->job)
                     : IDODownload_Finalize(item->download);
}

HRESULT do_item_set_timeout(const struct do_item *item, ULONG seconds)
{
    VARIANT value;

    if (item->job)
        return IBackgroundCopyJob_SetNoProgressTimeout(item->job, seconds);
    VariantInit(&value);
    V_VT(&value) = VT_UI4;
    V_UI4(&value) = seconds;
    return IDODownload_SetProperty(
        item->download, DODownloadProperty_NoProgressTimeoutSeconds, &value);
}

/* Trust */

/* (Source: win32 docs, IBackgroundCopyJobHttpOptions::SetSecurityFlags.) */
static const struct
{
    ULONG flag;
    ULONG accepts;
} security_flags[] = {
    {0x2, DO_ITEM_ACCEPTS_NAME},
    {0x4, DO_ITEM_ACCEPTS_DATE},
    {0x8, DO_ITEM_ACCEPTS_UNKNOWN_CA},
    {0x10, DO_ITEM_ACCEPTS_WRONG_USAGE},
};

static HRESULT get_http_options(const struct do_item *item, IBackgroundCopyJobHttpOptions **options)
{
    *options = NULL;
    return item->job ? IBackgroundCopyJob_QueryInterface(
                           item->job, &IID_IBackgroundCopyJobHttpOptions, (void **)options)
                     : E_NOINTERFACE;
}

ULONG do_item_get_accepted_faults(const struct do_item *item)
{
    IBackgroundCopyJobHttpOptions *options;
    ULONG flags = 0;
    ULONG accepts = 0;

    if (FAILED(get_http_options(item, &options)))
        return 0;
    (void)IBackgroundCopyJobHttpOptions_GetSecurityFlags(options, &flags);
    IBackgroundCopyJobHttpOptions_Release(options);
    for (size_t i = 0; i < DO_COUNT_OF(security_flags); i++)
        accepts |= flags & security_flags[i].flag ? security_flags[i].accepts : 0;
    return accepts;
}

HRESULT do_item_accept_faults(const struct do_item *item)
{
    IBackgroundCopyJobHttpOptions *options;
    ULONG flags = 0;
    HRESULT hr;

    if (FAILED(hr = get_http_options(item, &options)))
        return hr;
    for (size_t i = 0; i < DO_COUNT_OF(security_flags); i++)
        flags |= security_flags[i].flag;
    hr = IBackgroundCopyJobHttpOptions_SetSecurityFlags(options, flags);
    IBackgroundCopyJobHttpOptions_Release(options);
    return hr;
}
