/* SPDX-License-Identifier: MIT */
/*
 * doctl list, status, pause, cancel and complete: the queue as it is.
 */
#include "commands.h"

#include "base/alloc.h"
#include "errors.h"
#include "naming.h"

#include <oleauto.h>
#include <stdio.h>
#include <wchar.h>

#define DO_ROW_FORMAT "%-38s  %-15s  %5s  %12s  %12s  %s\n"

/* Says that the arguments are wrong, unless there are as many as wanted. */
static bool has_arguments(struct do_client *client, int count, int wanted)
{
    if (count == wanted)
        return true;
    do_console_err(client->console, "error: %s\nTry: doctl help\n",
        wanted ? "give one job or download, by ID or name" : "this command takes no arguments");
    return false;
}

/* list */

static HRESULT print_row(void *ctx, const struct do_item *item)
{
    struct do_client *client = ctx;
    struct do_item_status status;
    BSTR name = NULL;
    char *printable;
    char id[DO_ITEM_ID_SIZE];
    char files[24];
    char bytes[24];
    char total[24] = "-";
    HRESULT hr;

    if (FAILED(hr = do_item_get_status(item, &status)) ||
        FAILED(hr = do_item_get_name(item, &name)))
        return hr;
    do_item_get_id(item, id);
    snprintf(files, sizeof(files), "%lu", status.files);
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)status.bytes);
    if (status.total != DO_ITEM_SIZE_UNKNOWN)
        snprintf(total, sizeof(total), "%llu", (unsigned long long)status.total);
    printable = do_console_utf8(name);
    do_console_out(client->console, DO_ROW_FORMAT, id, status.state_name, files, bytes, total,
        printable ? printable : "?");
    do_free(printable);
    SysFreeString(name);
    return S_OK;
}

/* The one named by the one argument; DO_EXIT_OK and *item, or the exit code. */
static int open_item(struct do_client *client, int count, wchar_t **arguments, struct do_item *item)
{
    *item = (struct do_item){0};
    if (!has_arguments(client, count, 1))
        return DO_EXIT_USAGE;
    if (FAILED(do_client_connect(client)) || FAILED(do_client_find(client, arguments[0], item)))
        return DO_EXIT_FAILURE;
    return DO_EXIT_OK;
}

/* status */

static void print_text(struct do_client *client, const char *label, char *text)
{
    do_console_out(client->console, "%-6s %s\n", label, text ? text : "?");
    do_free(text);
}

static void print_error(struct do_client *client, HRESULT code)
{
    const char *name = do_hr_name(code);
    char *text = do_errors_text(code);

    if (name)
        do_console_out(client->console, "%-6s %s (0x%08X)%s%s\n", "error", name, (unsigned int)code,
            text ? ": " : "", text ? text : "");
    else
        do_console_out(client->console, "%-6s 0x%08X%s%s\n", "error", (unsigned int)code,
            text ? ": " : "", text ? text : "");
    do_free(text);
}

static HRESULT print_files(struct do_client *client, const struct do_item *item)
{
    struct do_item_file *files = NULL;
    size_t count = 0;
    HRESULT hr = do_item_list_files(item, &files, &count);

    for (size_t i = 0; i < count; i++)
    {
        if (files[i].url)
            print_text(client, "url", do_naming_printable_url(files[i].url));
        if (files[i].path)
            print_text(client, "path", do_console_utf8(files[i].path));
    }
    do_item_free_files(files, count);
    return hr;
}

/* Who wonders whether a server was really asked for its papers sees it here. */
static void print_accepted_faults(struct do_client *client, const struct do_item *item)
{
    static const struct
    {
        ULONG fault;
        const char *text;
    } faults[] = {
        {DO_ITEM_ACCEPTS_UNKNOWN_CA, "unknown authority"},
        {DO_ITEM_ACCEPTS_WRONG_USAGE, "wrong usage"},
        {DO_ITEM_ACCEPTS_NAME, "wrong name"},
        {DO_ITEM_ACCEPTS_DATE, "wrong date"},
    };
    ULONG accepted = do_item_get_accepted_faults(item);
    const char *before = "trust  accepts certificates with";

    for (size_t i = 0; i < DO_COUNT_OF(faults); i++)
    {
        if (!(accepted & faults[i].fault))
            continue;
        do_console_out(client->console, "%s %s", before, faults[i].text);
        before = ",";
    }
    if (accepted)
        do_console_out(client->console, "\n");
}

static HRESULT print_status(struct do_client *client, const struct do_item *item)
{
    struct do_item_status status;
    BSTR name = NULL;
    char id[DO_ITEM_ID_SIZE];
    HRESULT error;
    HRESULT hr;

    if (FAILED(hr = do_item_get_status(item, &status)) ||
        FAILED(hr = do_item_get_name(item, &name)))
        return hr;
    error = do_item_get_error(item);
    do_item_get_id(item, id);
    do_console_out(client->console, "%-6s %s\n", "id", id);
    do_console_out(client->console, "%-6s %s\n", "kind", item->job ? "job" : "download");
    if (name)
        print_text(client, "name", do_console_utf8(name));
    SysFreeString(name);
    do_console_out(client->console, "%-6s %s\n", "state", status.state_name);
    if (status.total == DO_ITEM_SIZE_UNKNOWN)
        do_console_out(client->console, "%-6s %llu\n", "bytes", (unsigned long long)status.bytes);
    else
        do_console_out(client->console, "%-6s %llu of %llu\n", "bytes",
            (unsigned long long)status.bytes, (unsigned long long)status.total);
    if (FAILED(error))
        print_error(client, error);
    print_accepted_faults(client, item);
    return print_files(client, item);
}

int do_command_status(struct do_client *client, int count, wchar_t **arguments)
{
    struct do_item item;
    int exit_code = open_item(client, count, arguments, &item);
    HRESULT hr;

    if (exit_code)
        return exit_code;
    if (FAILED(hr = print_status(client, &item)))
        exit_code = (int)do_errors_report(client->console, hr, "cannot read it");
    do_item_release(&item);
    return exit_code;
}

/* list --verbose */

static HRESULT print_item(void *ctx, const struct do_item *item)
{
    struct do_client *client = ctx;
    HRESULT hr = print_status(client, item);

    do_console_out(client->console, "\n");
    return hr;
}

int do_command_list(struct do_client *client, int count, wchar_t **arguments)
{
    bool is_verbose = count == 1 && !wcscmp(arguments[0], L"--verbose");
    HRESULT hr;

    if (!is_verbose && !has_arguments(client, count, 0))
        return DO_EXIT_USAGE;
    if (FAILED(do_client_connect(client)))
        return DO_EXIT_FAILURE;
    if (!is_verbose)
        do_console_out(
            client->console, DO_ROW_FORMAT, "ID", "STATE", "FILES", "BYTES", "TOTAL", "NAME");
    hr = do_client_for_each(client, is_verbose ? print_item : print_row, client);
    return FAILED(hr) ? (int)do_errors_report(client->console, hr, "cannot list the queue")
                      : DO_EXIT_OK;
}

/* pause, cancel, complete */

/* Makes one call and says what is done. */
static int call_item(struct do_client *client, int count, wchar_t **arguments,
    HRESULT (*call)(const struct do_item *item), const char *done)
{
    struct do_item item;
    char id[DO_ITEM_ID_SIZE];
    int exit_code = open_item(client, count, arguments, &item);
    HRESULT hr;

    if (exit_code)
        return exit_code;
    do_item_get_id(&item, id);
    if (SUCCEEDED(hr = call(&item)))
        do_console_out(client->console, "%s %s\n", done, id);
    else
        exit_code = (int)do_errors_report(client->console, hr, id);
    do_item_release(&item);
    return exit_code;
}

int do_command_pause(struct do_client *client, int count, wchar_t **arguments)
{
    return call_item(client, count, arguments, do_item_pause, "paused");
}

int do_command_cancel(struct do_client *client, int count, wchar_t **arguments)
{
    return call_item(client, count, arguments, do_item_cancel, "cancelled");
}

/* Complete throws away what is not finished: not by accident. */
static bool nothing_to_save(const struct do_item *item)
{
    struct do_item_status status;

    return SUCCEEDED(do_item_get_status(item, &status)) && status.files &&
           !status.files_transferred;
}

int do_command_complete(struct do_client *client, int count, wchar_t **arguments)
{
    struct do_item item;
    char id[DO_ITEM_ID_SIZE];
    int exit_code = open_item(client, count, arguments, &item);

    if (exit_code)
        return exit_code;
    if (nothing_to_save(&item))
    {
        do_item_get_id(&item, id);
        do_console_err(client->console,
            "error: no file of it is finished yet\n"
            "  go on:   doctl resume %s\n  give up: doctl cancel %s\n",
            id, id);
        exit_code = DO_EXIT_FAILURE;
    }
    else
    {
        exit_code = do_client_complete(client, &item, NULL);
    }
    do_item_release(&item);
    return exit_code;
}
