/* SPDX-License-Identifier: MIT */
/*
 * The COM side of doctl. Everything is released by the function that got it, or given to the
 * caller.
 */
#include "client.h"

#include "base/alloc.h"
#include "base/hr.h"
#include "errors.h"

#include <objbase.h>
#include <stdio.h>

HRESULT do_client_connect(struct do_client *client)
{
    HRESULT hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);

    if (FAILED(hr))
    {
        do_errors_report(client->console, hr, "COM cannot be initialized");
        return hr;
    }
    client->com_is_initialized = true;
    hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
        &IID_IBackgroundCopyManager, (void **)&client->manager);
    if (hr == REGDB_E_CLASSNOTREG)
        do_console_err(
            client->console, "error: dosvc.dll is not registered; run regsvr32 dosvc.dll\n");
    else if (hr == do_hr_from_win32(ERROR_MOD_NOT_FOUND))
        do_console_err(client->console, "error: dosvc.dll is registered but cannot be loaded; "
                                        "run regsvr32 dosvc.dll where it is now\n");
    else if (FAILED(hr))
        do_errors_report(client->console, hr, "cannot start Delivery Optimization");
    return hr;
}

void do_client_disconnect(struct do_client *client)
{
    if (client->manager)
        IBackgroundCopyManager_Release(client->manager);
    client->manager = NULL;
    if (client->com_is_initialized)
        CoUninitialize();
    client->com_is_initialized = false;
}

/* Accepts the braces or does without them. */
static bool parse_id(const wchar_t *text, GUID *id)
{
    wchar_t braced[DO_JOB_ID_SIZE];
    size_t length = wcslen(text);

    if (length == DO_JOB_ID_SIZE - 1)
        return SUCCEEDED(IIDFromString(text, id));
    if (length != DO_JOB_ID_SIZE - 3)
        return false;
    _snwprintf(braced, DO_JOB_ID_SIZE, L"{%ls}", text);
    braced[DO_JOB_ID_SIZE - 1] = 0;
    return SUCCEEDED(IIDFromString(braced, id));
}

static bool has_name(IBackgroundCopyJob *job, const wchar_t *name)
{
    LPWSTR own = NULL;
    bool equal;

    if (FAILED(IBackgroundCopyJob_GetDisplayName(job, &own)))
        return false;
    equal = own && !wcscmp(own, name);
    CoTaskMemFree(own);
    return equal;
}

/* The first job of this name, and how many have it. */
static HRESULT find_by_name(
    struct do_client *client, const wchar_t *name, IBackgroundCopyJob **job, unsigned int *count)
{
    IEnumBackgroundCopyJobs *jobs = NULL;
    IBackgroundCopyJob *each = NULL;
    HRESULT hr = IBackgroundCopyManager_EnumJobs(client->manager, 0, &jobs);

    *job = NULL;
    *count = 0;
    if (FAILED(hr))
        return hr;
    while ((hr = IEnumBackgroundCopyJobs_Next(jobs, 1, &each, NULL)) == S_OK)
    {
        bool found = has_name(each, name);

        if (found && !(*count)++)
            *job = each;
        else
            IBackgroundCopyJob_Release(each);
    }
    IEnumBackgroundCopyJobs_Release(jobs);
    return SUCCEEDED(hr) ? S_OK : hr;
}

HRESULT do_client_find_job(struct do_client *client, const wchar_t *text, IBackgroundCopyJob **job)
{
    char *printable = do_console_utf8(text);
    unsigned int count = 1;
    GUID id;
    HRESULT hr;

    *job = NULL;
    if (parse_id(text, &id))
        hr = IBackgroundCopyManager_GetJob(client->manager, &id, job);
    else
        hr = find_by_name(client, text, job, &count);
    if (FAILED(hr))
    {
        do_errors_report(client->console, hr, printable);
    }
    else if (!count)
    {
        hr = DO_E_JOB_NOT_FOUND;
        do_errors_report(client->console, hr, printable);
    }
    else if (count > 1)
    {
        hr = E_INVALIDARG;
        do_console_err(client->console,
            "error: %u jobs have the name \"%s\"; give the ID that doctl list shows\n", count,
            printable);
    }
    if (FAILED(hr) && *job)
    {
        IBackgroundCopyJob_Release(*job);
        *job = NULL;
    }
    do_free(printable);
    return hr;
}

void do_client_job_id(IBackgroundCopyJob *job, char id[DO_JOB_ID_SIZE])
{
    wchar_t wide[DO_JOB_ID_SIZE] = L"?";
    GUID guid;

    if (SUCCEEDED(IBackgroundCopyJob_GetId(job, &guid)))
        StringFromGUID2(&guid, wide, DO_JOB_ID_SIZE);
    for (size_t i = 0; i < DO_JOB_ID_SIZE; i++)
        id[i] = (char)wide[i]; /* ASCII */
}

HRESULT do_client_job_error(IBackgroundCopyJob *job)
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

HRESULT do_client_job_url(IBackgroundCopyJob *job, wchar_t **url)
{
    IBackgroundCopyError *error = NULL;
    IBackgroundCopyFile *file = NULL;
    HRESULT hr = IBackgroundCopyJob_GetError(job, &error);

    *url = NULL;
    if (SUCCEEDED(hr))
    {
        hr = IBackgroundCopyError_GetFile(error, &file);
        IBackgroundCopyError_Release(error);
    }
    if (FAILED(hr))
        hr = first_file(job, &file);
    if (FAILED(hr))
        return hr;
    hr = IBackgroundCopyFile_GetRemoteName(file, url);
    IBackgroundCopyFile_Release(file);
    return hr;
}

static void print_saved(struct do_client *client, IBackgroundCopyFile *file)
{
    BG_FILE_PROGRESS progress = {0};
    LPWSTR path = NULL;
    char *printable = NULL;

    if (SUCCEEDED(IBackgroundCopyFile_GetProgress(file, &progress)) && progress.Completed &&
        SUCCEEDED(IBackgroundCopyFile_GetLocalName(file, &path)) &&
        (printable = do_console_utf8(path)))
        do_console_out(client->console, "saved %s (%llu bytes)\n", printable,
            (unsigned long long)progress.BytesTransferred);
    do_free(printable);
    CoTaskMemFree(path);
}

int do_client_complete(struct do_client *client, IBackgroundCopyJob *job)
{
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = NULL;
    char id[DO_JOB_ID_SIZE];
    HRESULT hr = IBackgroundCopyJob_EnumFiles(job, &files);

    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_Complete(job);
    if (FAILED(hr))
    {
        do_client_job_id(job, id);
        do_errors_report(client->console, hr, "cannot save the file");
        do_console_err(client->console,
            "The job is kept.\n  try again: doctl complete %s\n  give up:   doctl cancel %s\n", id,
            id);
        if (files)
            IEnumBackgroundCopyFiles_Release(files);
        return do_errors_exit_code(hr);
    }
    while (IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL) == S_OK)
    {
        print_saved(client, file);
        IBackgroundCopyFile_Release(file);
    }
    IEnumBackgroundCopyFiles_Release(files);
    if (hr == S_OK)
        return DO_EXIT_OK;
    do_errors_report(client->console, hr, NULL);
    return hr == DO_HR_S_PARTIAL_COMPLETE ? DO_EXIT_FAILURE : DO_EXIT_OK;
}
