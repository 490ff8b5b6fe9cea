/* SPDX-License-Identifier: MIT */
/*
 * The wait for a job. It polls, as the smallest client would; the server bounds every wait by the
 * job's no-progress time, so the loop ends.
 */
#include "watch.h"

#include "base/alloc.h"
#include "base/hr.h"
#include "errors.h"
#include "naming.h"

#include <objbase.h>
#include <stdio.h>

#define DO_POLL_MS 200
#define DO_CONNECTING_AFTER_MS 1000
#define DO_NO_DATA_STEP_MS 10000

struct watch
{
    struct do_client *client; /* borrowed, like the next two */
    IBackgroundCopyJob *job;
    const struct do_watch_options *options;
    struct do_progress progress;
    BG_JOB_PROGRESS counters; /* as last read */
    uint64_t start_bytes;
    uint64_t moved_bytes; /* bytes at the last change, and its time */
    uint64_t moved_at_ms;
    char waiting[64];
};

static void print_hints(struct watch *watch)
{
    char id[DO_JOB_ID_SIZE];

    do_client_job_id(watch->job, id);
    do_console_err(
        watch->client->console, "  go on:   doctl resume %s\n  give up: doctl cancel %s\n", id, id);
}

static int pause_job(struct watch *watch)
{
    char bytes[16];
    HRESULT hr = IBackgroundCopyJob_Suspend(watch->job);

    do_progress_end(&watch->progress);
    if (FAILED(hr))
        return (int)do_errors_report(watch->client->console, hr, "cannot pause the job");
    /* Again: the bar is up to one poll old. */
    IBackgroundCopyJob_GetProgress(watch->job, &watch->counters);
    do_progress_format_size(bytes, watch->counters.BytesTransferred);
    do_console_err(watch->client->console, "paused at %s\n", bytes);
    print_hints(watch);
    return DO_EXIT_CANCELLED;
}

static int report_job_error(struct watch *watch)
{
    HRESULT code = do_client_job_error(watch->job);
    wchar_t *url = NULL;
    char *printable = NULL;

    do_progress_end(&watch->progress);
    if (SUCCEEDED(code))
        code = E_FAIL; /* in ERROR, yet nothing to read: somebody resumed it just now */
    if (SUCCEEDED(do_client_job_url(watch->job, &url)))
        printable = do_naming_printable_url(url);
    do_errors_report(watch->client->console, code, printable);
    CoTaskMemFree(url);
    do_free(printable);
    if (watch->options->cancel_on_error)
    {
        IBackgroundCopyJob_Cancel(watch->job);
    }
    else
    {
        do_console_err(watch->client->console, "The job is kept.\n");
        print_hints(watch);
    }
    return (int)do_errors_exit_code(code);
}

static int report_foreign_end(struct watch *watch, BG_JOB_STATE state)
{
    do_progress_end(&watch->progress);
    if (state == BG_JOB_STATE_SUSPENDED)
    {
        do_console_err(watch->client->console, "error: the job was paused from elsewhere\n");
        print_hints(watch);
        return DO_EXIT_FAILURE;
    }
    if (state == BG_JOB_STATE_ACKNOWLEDGED)
    {
        do_console_err(watch->client->console, "error: the job was completed from elsewhere\n");
        return DO_EXIT_FAILURE;
    }
    do_console_err(watch->client->console, "error: the job was cancelled from elsewhere\n");
    return DO_EXIT_CANCELLED;
}

static const char *describe_error(struct watch *watch)
{
    HRESULT code = do_client_job_error(watch->job);
    const char *verb = IS_DO_TRANSIENT_ERROR(code) ? "waiting" : "retrying";
    const char *name = do_hr_name(code);

    if (SUCCEEDED(code))
        return "retrying"; /* it began to transfer again in between */
    if (name)
        snprintf(watch->waiting, sizeof(watch->waiting), "%s: %s", verb, name);
    else
        snprintf(watch->waiting, sizeof(watch->waiting), "%s: 0x%08X", verb, (unsigned int)code);
    return watch->waiting;
}

static const char *describe_silence(struct watch *watch, uint64_t now_ms)
{
    uint64_t silent_ms = now_ms - watch->moved_at_ms;

    if (silent_ms >= DO_NO_DATA_STEP_MS)
    {
        snprintf(watch->waiting, sizeof(watch->waiting), "no data for %u s",
            (unsigned int)(silent_ms / DO_NO_DATA_STEP_MS * (DO_NO_DATA_STEP_MS / 1000)));
        return watch->waiting;
    }
    if (watch->moved_bytes == watch->start_bytes && silent_ms >= DO_CONNECTING_AFTER_MS)
        return "connecting";
    return NULL;
}

/* Why nothing moves; NULL when it does. */
static const char *describe_waiting(struct watch *watch, BG_JOB_STATE state, uint64_t now_ms)
{
    if (state == BG_JOB_STATE_QUEUED)
        return "queued";
    if (state == BG_JOB_STATE_CONNECTING)
        return "connecting";
    if (state == BG_JOB_STATE_TRANSIENT_ERROR)
        return describe_error(watch);
    if (state == BG_JOB_STATE_TRANSFERRING)
        return describe_silence(watch, now_ms);
    return NULL;
}

static void show_progress(struct watch *watch, BG_JOB_STATE state)
{
    uint64_t now_ms = GetTickCount64();
    struct do_progress_state shown = {
        .bytes = watch->counters.BytesTransferred,
        .total = watch->counters.BytesTotal == BG_SIZE_UNKNOWN ? DO_PROGRESS_SIZE_UNKNOWN
                                                               : watch->counters.BytesTotal,
    };

    if (shown.bytes != watch->moved_bytes)
    {
        watch->moved_bytes = shown.bytes;
        watch->moved_at_ms = now_ms;
    }
    shown.waiting = describe_waiting(watch, state, now_ms);
    do_progress_update(&watch->progress, &shown, now_ms);
}

static HRESULT read_job(struct watch *watch, BG_JOB_STATE *state)
{
    HRESULT hr;

    *state = BG_JOB_STATE_ERROR;
    if (FAILED(hr = IBackgroundCopyJob_GetState(watch->job, state)))
        return hr;
    return IBackgroundCopyJob_GetProgress(watch->job, &watch->counters);
}

static int run(struct watch *watch)
{
    BG_JOB_STATE state;
    HRESULT hr;

    for (;;)
    {
        if (FAILED(hr = read_job(watch, &state)))
        {
            do_progress_end(&watch->progress);
            return (int)do_errors_report(watch->client->console, hr, "cannot ask the job");
        }
        switch (state)
        {
        case BG_JOB_STATE_QUEUED:
        case BG_JOB_STATE_CONNECTING:
        case BG_JOB_STATE_TRANSFERRING:
        case BG_JOB_STATE_TRANSIENT_ERROR:
            show_progress(watch, state);
            break;
        case BG_JOB_STATE_TRANSFERRED:
            show_progress(watch, state);
            do_progress_end(&watch->progress);
            return do_client_complete(watch->client, watch->job);
        case BG_JOB_STATE_ERROR:
            return report_job_error(watch);
        case BG_JOB_STATE_SUSPENDED:
        case BG_JOB_STATE_ACKNOWLEDGED:
        case BG_JOB_STATE_CANCELLED:
            return report_foreign_end(watch, state);
        }
        if (do_console_wait(watch->client->console, DO_POLL_MS))
            return pause_job(watch);
    }
}

int do_watch_job(
    struct do_client *client, IBackgroundCopyJob *job, const struct do_watch_options *options)
{
    struct watch watch = {.client = client, .job = job, .options = options};
    BG_JOB_STATE state;
    char bytes[16];
    HRESULT hr;

    do_progress_init(&watch.progress, client->console, options->progress_mode);
    if (FAILED(hr = do_console_catch_interrupt(client->console)))
        return (int)do_errors_report(client->console, hr, "cannot catch Ctrl+C");
    if (FAILED(hr = read_job(&watch, &state)) || FAILED(hr = IBackgroundCopyJob_Resume(job)))
        return (int)do_errors_report(client->console, hr, "cannot start the job");
    watch.start_bytes = watch.counters.BytesTransferred;
    watch.moved_bytes = watch.start_bytes;
    watch.moved_at_ms = GetTickCount64();
    if (watch.start_bytes && watch.progress.mode != DO_PROGRESS_NONE)
    {
        do_progress_format_size(bytes, watch.start_bytes);
        do_console_err(client->console, "going on after %s\n", bytes);
    }
    return run(&watch);
}
