/* SPDX-License-Identifier: MIT */
/*
 * The smallest honest client in C: downloads URL to PATH and says why when it cannot. Waits by
 * polling; a program with something else to do would set a callback (SetNotifyInterface).
 *
 *     sample_get_c URL PATH
 *
 * COBJMACROS, which gives the IInterface_Method macros, is set by CMake.
 */
#include <windows.h>
#include <objbase.h>

#include "DeliveryOptimization.h"

#include <shellapi.h>
#include <stdio.h>

static int fail(const char *what, HRESULT hr)
{
    fprintf(stderr, "%s: 0x%08lX\n", what, (unsigned long)hr);
    return 1;
}

/* What the job says about its error. */
static int fail_job(IBackgroundCopyJob *job)
{
    IBackgroundCopyError *error = NULL;
    BG_ERROR_CONTEXT context;
    HRESULT code = E_FAIL;
    LPWSTR text = NULL;

    if (SUCCEEDED(IBackgroundCopyJob_GetError(job, &error)))
    {
        if (SUCCEEDED(IBackgroundCopyError_GetErrorDescription(error, LANG_NEUTRAL, &text)))
            fprintf(stderr, "%ls\n", text);
        IBackgroundCopyError_GetError(error, &context, &code);
        CoTaskMemFree(text);
        IBackgroundCopyError_Release(error);
    }
    return fail("download", code);
}

/* The job lives in the queue, not in our reference: who does not complete it must cancel it. */
static int wait_for_job(IBackgroundCopyJob *job)
{
    BG_JOB_STATE state;
    HRESULT hr;

    for (;;)
    {
        if (FAILED(hr = IBackgroundCopyJob_GetState(job, &state)))
            return fail("GetState", hr);
        if (state == BG_JOB_STATE_TRANSFERRED)
            break;
        if (state == BG_JOB_STATE_ERROR)
            return fail_job(job);
        if (state == BG_JOB_STATE_CANCELLED)
            return fail("download", HRESULT_FROM_WIN32(ERROR_CANCELLED));
        Sleep(100); /* TRANSIENT_ERROR too: the server tries again by itself */
    }
    /* Only now does the file get its name. */
    if (FAILED(hr = IBackgroundCopyJob_Complete(job)))
        return fail("Complete", hr);
    return 0;
}

static int get(IBackgroundCopyManager *manager, const wchar_t *url, const wchar_t *path)
{
    IBackgroundCopyJob *job = NULL;
    GUID id;
    HRESULT hr;
    int result = 1;

    hr = IBackgroundCopyManager_CreateJob(manager, L"sample", BG_JOB_TYPE_DOWNLOAD, &id, &job);
    if (FAILED(hr))
        return fail("CreateJob", hr);
    IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND);
    IBackgroundCopyJob_SetNoProgressTimeout(job, 60);
    if (FAILED(hr = IBackgroundCopyJob_AddFile(job, url, path)))
        fail("AddFile", hr);
    else if (FAILED(hr = IBackgroundCopyJob_Resume(job)))
        fail("Resume", hr);
    else
        result = wait_for_job(job);
    if (result)
        IBackgroundCopyJob_Cancel(job);
    IBackgroundCopyJob_Release(job);
    return result;
}

static int run(const wchar_t *url, const wchar_t *path)
{
    IBackgroundCopyManager *manager = NULL;
    HRESULT hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    int result;

    if (FAILED(hr))
        return fail("CoInitializeEx", hr);
    hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
        &IID_IBackgroundCopyManager, (void **)&manager);
    if (SUCCEEDED(hr))
    {
        result = get(manager, url, path);
        IBackgroundCopyManager_Release(manager);
    }
    else
    {
        result = fail("CoCreateInstance (is dosvc.dll registered?)", hr);
    }
    CoUninitialize();
    return result;
}

int main(void)
{
    wchar_t full_path[4096];
    int count = 0;
    wchar_t **arguments = CommandLineToArgvW(GetCommandLineW(), &count);
    DWORD length;
    int result = 1;

    if (!arguments || count != 3)
    {
        fprintf(stderr, "usage: sample_get_c URL PATH\n");
    }
    else
    {
        length = GetFullPathNameW(arguments[2], ARRAYSIZE(full_path), full_path, NULL);
        if (length && length < ARRAYSIZE(full_path))
            result = run(arguments[1], full_path);
        else
            fprintf(stderr, "the path is not valid\n");
    }
    LocalFree(arguments);
    return result;
}
