/* SPDX-License-Identifier: MIT */
/*
 * The COM side of doctl. Everything is released by the function that got it, or given to the
 * caller.
 */
#include "client.h"

#include "base/alloc.h"
#include "base/hr.h"
#include "digest.h"
#include "errors.h"

#include <oleauto.h>
#include <stdio.h>
#include <string.h>

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
    if (SUCCEEDED(hr))
        hr = IBackgroundCopyManager_QueryInterface(
            client->manager, &IID_IDOManager, (void **)&client->downloads);
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
    if (client->downloads)
        IDOManager_Release(client->downloads);
    client->downloads = NULL;
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
    wchar_t braced[DO_ITEM_ID_SIZE];
    size_t length = wcslen(text);

    if (length == DO_ITEM_ID_SIZE - 1)
        return SUCCEEDED(IIDFromString(text, id));
    if (length != DO_ITEM_ID_SIZE - 3)
        return false;
    _snwprintf(braced, DO_ITEM_ID_SIZE, L"{%ls}", text);
    braced[DO_ITEM_ID_SIZE - 1] = 0;
    return SUCCEEDED(IIDFromString(braced, id));
}

/* Everything */

static HRESULT for_each_job(struct do_client *client, do_client_item_fn function, void *ctx)
{
    IEnumBackgroundCopyJobs *jobs = NULL;
    struct do_item item = {0};
    HRESULT hr = IBackgroundCopyManager_EnumJobs(client->manager, 0, &jobs);

    if (FAILED(hr))
        return hr;
    while (SUCCEEDED(hr) && (hr = IEnumBackgroundCopyJobs_Next(jobs, 1, &item.job, NULL)) == S_OK)
    {
        hr = function(ctx, &item);
        do_item_release(&item);
    }
    IEnumBackgroundCopyJobs_Release(jobs);
    return SUCCEEDED(hr) ? S_OK : hr;
}

/* category NULL: all. */
static HRESULT for_each_download(struct do_client *client,
    const DO_DOWNLOAD_ENUM_CATEGORY *category, do_client_item_fn function, void *ctx)
{
    IEnumUnknown *downloads = NULL;
    IUnknown *unknown = NULL;
    HRESULT hr = IDOManager_EnumDownloads(client->downloads, category, &downloads);

    if (hr == DO_E_NO_DOWNLOADS)
        return S_OK;
    if (FAILED(hr))
        return hr;
    while (SUCCEEDED(hr) && (hr = IEnumUnknown_Next(downloads, 1, &unknown, NULL)) == S_OK)
    {
        struct do_item item = {0};

        hr = IUnknown_QueryInterface(unknown, &IID_IDODownload, (void **)&item.download);
        IUnknown_Release(unknown);
        if (SUCCEEDED(hr))
            hr = function(ctx, &item);
        do_item_release(&item);
    }
    IEnumUnknown_Release(downloads);
    return SUCCEEDED(hr) ? S_OK : hr;
}

HRESULT do_client_for_each(struct do_client *client, do_client_item_fn function, void *ctx)
{
    HRESULT hr = for_each_job(client, function, ctx);

    return FAILED(hr) ? hr : for_each_download(client, NULL, function, ctx);
}

/* One */

struct search
{
    const wchar_t *name; /* NULL: any */
    struct do_item *item;
    unsigned int count;
};

/* Keeps the first that has the name, and counts. */
static HRESULT keep_if_named(void *ctx, const struct do_item *item)
{
    struct search *search = ctx;
    BSTR name = NULL;

    /* One whose name cannot be read does not have it. */
    if (search->name &&
        (FAILED(do_item_get_name(item, &name)) || !name || wcscmp(name, search->name) != 0))
    {
        SysFreeString(name);
        return S_OK;
    }
    SysFreeString(name);
    if (search->count++)
        return S_OK;
    *search->item = *item;
    if (item->job)
        IBackgroundCopyJob_AddRef(item->job);
    else
        IDODownload_AddRef(item->download);
    return S_OK;
}

static HRESULT find_by_id(
    struct do_client *client, const wchar_t *text, const GUID *id, struct search *search)
{
    const DO_DOWNLOAD_ENUM_CATEGORY category = {DODownloadProperty_Id, text};
    HRESULT hr = IBackgroundCopyManager_GetJob(client->manager, id, &search->item->job);

    search->count = SUCCEEDED(hr);
    if (hr != DO_E_JOB_NOT_FOUND)
        return hr;
    return for_each_download(client, &category, keep_if_named, search);
}

HRESULT do_client_find(struct do_client *client, const wchar_t *text, struct do_item *item)
{
    char *printable = do_console_utf8(text);
    struct search search = {.item = item};
    GUID id;
    HRESULT hr;

    *item = (struct do_item){0};
    if (parse_id(text, &id))
    {
        hr = find_by_id(client, text, &id, &search);
    }
    else
    {
        search.name = text;
        hr = do_client_for_each(client, keep_if_named, &search);
    }
    if (SUCCEEDED(hr) && !search.count)
        hr = DO_E_JOB_NOT_FOUND;
    if (FAILED(hr))
    {
        do_errors_report(client->console, hr, printable);
    }
    else if (search.count > 1)
    {
        hr = E_INVALIDARG;
        do_console_err(client->console,
            "error: %u have the name \"%s\"; give the ID that doctl list shows\n", search.count,
            printable);
    }
    if (FAILED(hr))
        do_item_release(item);
    do_free(printable);
    return hr;
}

/* Saving */

static void report_kept(struct do_client *client, const struct do_item *item)
{
    char id[DO_ITEM_ID_SIZE];

    do_item_get_id(item, id);
    do_console_err(client->console,
        "It is kept in the queue.\n  try again: doctl complete %s\n  give up:   doctl cancel %s\n",
        id, id);
}

/* DO_EXIT_OK when the file at path is what it should be, else the exit code; says why. */
static int check_digest(struct do_client *client, const wchar_t *path, const unsigned char *sha256)
{
    unsigned char digest[DO_SHA256_SIZE];
    char expected[2 * DO_SHA256_SIZE + 1];
    char found[2 * DO_SHA256_SIZE + 1];
    HRESULT hr = do_digest_file(path, digest);

    if (FAILED(hr))
        return (int)do_errors_report(client->console, hr, "cannot compute the SHA-256");
    if (!memcmp(digest, sha256, sizeof(digest)))
        return DO_EXIT_OK;
    do_digest_format(sha256, expected);
    do_digest_format(digest, found);
    do_console_err(client->console, "error: the SHA-256 is %s, not %s\n", found, expected);
    return DO_EXIT_DIGEST;
}

/* Before Complete, which replaces what lies under the names. A download's file has no name yet. */
static int check_unsaved(
    struct do_client *client, const struct do_item *item, const unsigned char *sha256)
{
    struct do_item_file *files = NULL;
    size_t count = 0;
    int exit_code = DO_EXIT_OK;
    HRESULT hr = do_item_list_files(item, &files, &count);

    if (FAILED(hr))
        exit_code = (int)do_errors_report(client->console, hr, "cannot list what to save");
    for (size_t i = 0; i < count && !exit_code; i++)
    {
        if (files[i].path && files[i].temp_path && files[i].temp_path[0])
            exit_code = check_digest(client, files[i].temp_path, sha256);
    }
    do_item_free_files(files, count);
    if (exit_code == DO_EXIT_DIGEST && count == 1 && SUCCEEDED(do_item_cancel(item)))
        do_console_err(client->console, "It is not saved.\n");
    else if (exit_code)
        report_kept(client, item);
    return exit_code;
}

/* A download's file, which has replaced nothing, is looked at once it is saved. */
static int check_saved(
    struct do_client *client, const struct do_item_file *file, const unsigned char *sha256)
{
    int exit_code = check_digest(client, file->path, sha256);

    if (exit_code != DO_EXIT_DIGEST)
        return exit_code;
    if (DeleteFileW(file->path))
        do_console_err(client->console, "The file is deleted.\n");
    else
        (void)do_errors_report(
            client->console, do_hr_from_win32(GetLastError()), "cannot delete the file");
    return exit_code;
}

/* Checks, if sha256 is not NULL, and reports a file that Complete has given its name. */
static int report_saved(
    struct do_client *client, const struct do_item_file *file, const unsigned char *sha256)
{
    char *printable;
    int exit_code = DO_EXIT_OK;

    if (!file->completed || !file->path)
        return DO_EXIT_OK;
    if (sha256 && (exit_code = check_saved(client, file, sha256)))
        return exit_code;
    printable = do_console_utf8(file->path);
    do_console_out(client->console, "saved %s (%llu bytes)\n", printable ? printable : "?",
        (unsigned long long)file->bytes);
    do_free(printable);
    return exit_code;
}

static int report_failed_complete(struct do_client *client, const struct do_item *item, HRESULT hr)
{
    struct do_item_status status;

    /* Another program may have been quicker. */
    if (SUCCEEDED(do_item_get_status(item, &status)) && status.state == DO_ITEM_SAVED)
    {
        do_console_err(client->console, "error: completed from elsewhere\n");
        return DO_EXIT_FAILURE;
    }
    do_errors_report(client->console, hr, "cannot save the file");
    report_kept(client, item);
    return (int)do_errors_exit_code(hr);
}

int do_client_complete(
    struct do_client *client, const struct do_item *item, const unsigned char *sha256)
{
    struct do_item_file *files = NULL;
    size_t count = 0;
    int exit_code = DO_EXIT_OK;
    HRESULT listed;
    HRESULT hr;

    if (sha256 && item->job && (exit_code = check_unsaved(client, item, sha256)))
        return exit_code;
    if (FAILED(hr = do_item_complete(item)))
        return report_failed_complete(client, item, hr);
    if (FAILED(listed = do_item_list_files(item, &files, &count)))
        exit_code = (int)do_errors_report(client->console, listed, "cannot list what is saved");
    for (size_t i = 0; i < count; i++)
    {
        int one = report_saved(client, &files[i], item->job ? NULL : sha256);

        exit_code = exit_code ? exit_code : one;
    }
    do_item_free_files(files, count);
    if (hr == S_OK)
        return exit_code;
    do_errors_report(client->console, hr, NULL);
    return hr == DO_HR_S_PARTIAL_COMPLETE && !exit_code ? DO_EXIT_FAILURE : exit_code;
}
