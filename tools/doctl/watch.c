/* SPDX-License-Identifier: MIT */
/*
 * The wait for a job or download. It polls, as the smallest client would; the server bounds every
 * wait by the item's no-progress time, so the loop ends.
 */
#include "watch.h"

#include "base/alloc.h"
#include "base/hr.h"
#include "errors.h"
#include "naming.h"

#include <oleauto.h>
#include <stdio.h>

#define DO_POLL_MS 200
#define DO_CONNECTING_AFTER_MS 1000
#define DO_NO_DATA_STEP_MS 10000

struct watch
{
    struct do_client *client; /* borrowed, like the next two */
    const struct do_item *item;
    const struct do_watch_options *options;
    struct do_progress progress;
    struct do_item_status status; /* as last read */
    uint64_t start_bytes;
    uint64_t moved_bytes; /* bytes at the last change, and its time */
    uint64_t moved_at_ms;
    char waiting[64];
};

static void print_hints(struct watch *watch)
{
    char id[DO_ITEM_ID_SIZE];

    do_item_get_id(watch->item, id);
    do_console_err(
        watch->client->console, "  go on:   doctl resume %s\n  give up: doctl cancel %s\n", id, id);
}

static int pause_item(struct watch *watch)
{
    char bytes[16];
    HRESULT hr = do_item_pause(watch->item);

    do_progress_end(&watch->progress);
    if (FAILED(hr))
        return (int)do_errors_report(watch->client->console, hr, "cannot pause");
    /* Again: the bar is up to one poll old. */
    (void)do_item_get_status(watch->item, &watch->status);
    do_progress_format_size(bytes, watch->status.bytes);
    do_console_err(watch->client->console, "paused at %s\n", bytes);
    print_hints(watch);
    return DO_EXIT_CANCELLED;
}

static int report_error(struct watch *watch)
{
    HRESULT code = do_item_get_error(watch->item);
    BSTR url = NULL;
    char *printable = NULL;

    do_progress_end(&watch->progress);
    if (SUCCEEDED(code))
        code = E_FAIL; /* in ERROR, yet nothing to read: somebody resumed it just now */
    if (SUCCEEDED(do_item_get_error_url(watch->item, &url)) && url)
        printable = do_naming_printable_url(url);
    do_errors_report(watch->client->console, code, printable);
    SysFreeString(url);
    do_free(printable);
    if (watch->options->cancel_on_error)
    {
        (void)do_item_cancel(watch->item);
    }
    else
    {
        do_console_err(watch->client->console, "It is kept in the queue.\n");
        print_hints(watch);
    }
    return (int)do_errors_exit_code(code);
}

static int report_foreign_end(struct watch *watch)
{
    do_progress_end(&watch->progress);
    if (watch->status.state == DO_ITEM_PAUSED)
    {
        do_console_err(watch->client->console, "error: paused from elsewhere\n");
        print_hints(watch);
        return DO_EXIT_FAILURE;
    }
    if (watch->status.state == DO_ITEM_SAVED)
    {
        do_console_err(watch->client->console, "error: completed from elsewhere\n");
        return DO_EXIT_FAILURE;
    }
    do_console_err(watch->client->console, "error: cancelled from elsewhere\n");
    return DO_EXIT_CANCELLED;
}

static const char *describe_error(struct watch *watch)
{
    HRESULT code = do_item_get_error(watch->item);
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
static const char *describe_waiting(struct watch *watch, uint64_t now_ms)
{
    if (watch->status.state == DO_ITEM_QUEUED)
        return "queued";
    if (watch->status.state == DO_ITEM_CONNECTING)
        return "connecting";
    if (watch->status.state == DO_ITEM_WAITING)
        return describe_error(watch);
    if (watch->status.state == DO_ITEM_TRANSFERRING)
        return describe_silence(watch, now_ms);
    return NULL;
}

static void show_progress(struct watch *watch)
{
    uint64_t now_ms = GetTickCount64();
    struct do_progress_state shown = {
        .bytes = watch->status.bytes,
        .total = watch->status.total == DO_ITEM_SIZE_UNKNOWN ? DO_PROGRESS_SIZE_UNKNOWN
                                                             : watch->status.total,
    };

    if (shown.bytes != watch->moved_bytes)
    {
        watch->moved_bytes = shown.bytes;
        watch->moved_at_ms = now_ms;
    }
    shown.waiting = describe_waiting(watch, now_ms);
    do_progress_update(&watch->progress, &shown, now_ms);
}

static int run(struct watch *watch)
{
    HRESULT hr;

    for (;;)
    {
        if (FAILED(hr = do_item_get_status(watch->item, &watch->status)))
        {
            do_progress_end(&watch->progress);
            return (int)do_errors_report(watch->client->console, hr, "cannot ask for the state");
        }
        switch (watch->status.state)
        {
        case DO_ITEM_QUEUED:
        case DO_ITEM_CONNECTING:
        case DO_ITEM_TRANSFERRING:
        case DO_ITEM_WAITING:
            show_progress(watch);
            break;
        case DO_ITEM_TRANSFERRED:
            show_progress(watch);
            do_progress_end(&watch->progress);
            return do_client_complete(watch->client, watch->item, watch->options->sha256);
        case DO_ITEM_ERROR:
            return report_error(watch);
        case DO_ITEM_PAUSED:
        case DO_ITEM_SAVED:
        case DO_ITEM_CANCELLED:
            return report_foreign_end(watch);
        }
        if (do_console_wait(watch->client->console, DO_POLL_MS))
            return pause_item(watch);
    }
}

int do_watch_item(
    struct do_client *client, const struct do_item *item, const struct do_watch_options *options)
{
    struct watch watch = {.client = client, .item = item, .options = options};
    char bytes[16];
    HRESULT hr;

    do_progress_init(&watch.progress, client->console, options->progress_mode);
    if (FAILED(hr = do_console_catch_interrupt(client->console)))
        return (int)do_errors_report(client->console, hr, "cannot catch Ctrl+C");
    if (FAILED(hr = do_item_get_status(item, &watch.status)) || FAILED(hr = do_item_start(item)))
        return (int)do_errors_report(client->console, hr, "cannot start");
    watch.start_bytes = watch.status.bytes;
    watch.moved_bytes = watch.start_bytes;
    watch.moved_at_ms = GetTickCount64();
    if (watch.start_bytes && watch.progress.mode != DO_PROGRESS_NONE)
    {
        do_progress_format_size(bytes, watch.start_bytes);
        do_console_err(client->console, "going on after %s\n", bytes);
    }
    return run(&watch);
}
