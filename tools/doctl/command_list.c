/* SPDX-License-Identifier: MIT */
/*
 * doctl list, cancel and complete: the queue as it is.
 */
#include "commands.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "errors.h"

#include <objbase.h>
#include <stdio.h>

static const char *const state_names[] = {
    [BG_JOB_STATE_QUEUED] = "QUEUED",
    [BG_JOB_STATE_CONNECTING] = "CONNECTING",
    [BG_JOB_STATE_TRANSFERRING] = "TRANSFERRING",
    [BG_JOB_STATE_SUSPENDED] = "SUSPENDED",
    [BG_JOB_STATE_ERROR] = "ERROR",
    [BG_JOB_STATE_TRANSIENT_ERROR] = "TRANSIENT_ERROR",
    [BG_JOB_STATE_TRANSFERRED] = "TRANSFERRED",
    [BG_JOB_STATE_ACKNOWLEDGED] = "ACKNOWLEDGED",
    [BG_JOB_STATE_CANCELLED] = "CANCELLED",
};

#define DO_ROW_FORMAT "%-38s  %-15s  %5s  %12s  %12s  %s\n"

static const char *state_name(BG_JOB_STATE state)
{
    return (size_t)state < DO_COUNT_OF(state_names) ? state_names[state] : "?";
}

static HRESULT print_job(struct do_client *client, IBackgroundCopyJob *job)
{
    BG_JOB_STATE state;
    BG_JOB_PROGRESS progress;
    LPWSTR name = NULL;
    char *printable;
    char id[DO_JOB_ID_SIZE];
    char files[24];
    char bytes[24];
    char total[24] = "-";
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_GetState(job, &state)) ||
        FAILED(hr = IBackgroundCopyJob_GetProgress(job, &progress)) ||
        FAILED(hr = IBackgroundCopyJob_GetDisplayName(job, &name)))
        return hr;
    do_client_job_id(job, id);
    snprintf(files, sizeof(files), "%lu", progress.FilesTotal);
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)progress.BytesTransferred);
    if (progress.BytesTotal != BG_SIZE_UNKNOWN)
        snprintf(total, sizeof(total), "%llu", (unsigned long long)progress.BytesTotal);
    printable = do_console_utf8(name);
    do_console_out(client->console, DO_ROW_FORMAT, id, state_name(state), files, bytes, total,
        printable ? printable : "?");
    do_free(printable);
    CoTaskMemFree(name);
    return S_OK;
}

/* Says that the arguments are wrong, unless there are as many as wanted. */
static bool has_arguments(struct do_client *client, int count, int wanted)
{
    if (count == wanted)
        return true;
    do_console_err(client->console, "error: %s\nTry: doctl help\n",
        wanted ? "give one job, by ID or name" : "this command takes no arguments");
    return false;
}

int do_command_list(struct do_client *client, int count, wchar_t **arguments)
{
    IEnumBackgroundCopyJobs *jobs = NULL;
    IBackgroundCopyJob *job = NULL;
    HRESULT hr;

    (void)arguments;
    if (!has_arguments(client, count, 0))
        return DO_EXIT_USAGE;
    if (FAILED(do_client_connect(client)))
        return DO_EXIT_FAILURE;
    if (FAILED(hr = IBackgroundCopyManager_EnumJobs(client->manager, 0, &jobs)))
        return (int)do_errors_report(client->console, hr, "cannot list the jobs");
    do_console_out(
        client->console, DO_ROW_FORMAT, "ID", "STATE", "FILES", "BYTES", "TOTAL", "NAME");
    while (SUCCEEDED(hr) && (hr = IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL)) == S_OK)
    {
        hr = print_job(client, job);
        IBackgroundCopyJob_Release(job);
    }
    IEnumBackgroundCopyJobs_Release(jobs);
    return FAILED(hr) ? (int)do_errors_report(client->console, hr, "cannot list the jobs")
                      : DO_EXIT_OK;
}

/* The job named by the one argument; DO_EXIT_OK and *job, or the exit code. */
static int open_job(
    struct do_client *client, int count, wchar_t **arguments, IBackgroundCopyJob **job)
{
    *job = NULL;
    if (!has_arguments(client, count, 1))
        return DO_EXIT_USAGE;
    if (FAILED(do_client_connect(client)) || FAILED(do_client_find_job(client, arguments[0], job)))
        return DO_EXIT_FAILURE;
    return DO_EXIT_OK;
}

int do_command_cancel(struct do_client *client, int count, wchar_t **arguments)
{
    IBackgroundCopyJob *job = NULL;
    char id[DO_JOB_ID_SIZE];
    int exit_code = open_job(client, count, arguments, &job);
    HRESULT hr;

    if (exit_code)
        return exit_code;
    do_client_job_id(job, id);
    hr = IBackgroundCopyJob_Cancel(job);
    if (SUCCEEDED(hr))
        do_console_out(client->console, "cancelled %s\n", id);
    else
        exit_code = (int)do_errors_report(client->console, hr, id);
    IBackgroundCopyJob_Release(job);
    return exit_code;
}

/* Complete throws away what is not finished: not by accident. */
static bool nothing_to_save(IBackgroundCopyJob *job)
{
    BG_JOB_PROGRESS progress;

    return SUCCEEDED(IBackgroundCopyJob_GetProgress(job, &progress)) && progress.FilesTotal &&
           !progress.FilesTransferred;
}

int do_command_complete(struct do_client *client, int count, wchar_t **arguments)
{
    IBackgroundCopyJob *job = NULL;
    char id[DO_JOB_ID_SIZE];
    int exit_code = open_job(client, count, arguments, &job);

    if (exit_code)
        return exit_code;
    if (nothing_to_save(job))
    {
        do_client_job_id(job, id);
        do_console_err(client->console,
            "error: no file of the job is finished yet\n"
            "  go on:   doctl resume %s\n  give up: doctl cancel %s\n",
            id, id);
        exit_code = DO_EXIT_FAILURE;
    }
    else
    {
        exit_code = do_client_complete(client, job);
    }
    IBackgroundCopyJob_Release(job);
    return exit_code;
}
