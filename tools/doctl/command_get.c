/* SPDX-License-Identifier: MIT */
/*
 * doctl get and doctl resume: from options to a job that is watched to its end. get makes a job of
 * the BITS API with this project's extensions, since Complete replaces what lies under the name,
 * where IDODownload::Finalize does not, and such a job outlives every process; resume takes jobs
 * and downloads.
 */
#include "commands.h"

#include "base/alloc.h"
#include "errors.h"
#include "naming.h"
#include "options.h"
#include "watch.h"

#include <oleauto.h>

#define DO_DISPLAY_NAME_MAX 256

static bool is_http_url(const wchar_t *text)
{
    return !_wcsnicmp(text, L"http://", 7) || !_wcsnicmp(text, L"https://", 8);
}

static HRESULT set_headers(IBackgroundCopyJob *job, const wchar_t *headers)
{
    IBackgroundCopyJobHttpOptions *http = NULL;
    HRESULT hr =
        IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJobHttpOptions, (void **)&http);

    if (FAILED(hr))
        return hr;
    hr = IBackgroundCopyJobHttpOptions_SetCustomHeaders(http, headers);
    IBackgroundCopyJobHttpOptions_Release(http);
    return hr;
}

/* IntegrityCheckInfo, SysFreeString. Both parts are free of what JSON escapes. */
static BSTR integrity_text(const struct do_options *options)
{
    static const wchar_t format[] = L"{\"PiecesHashFileUrl\":\"%ls\",\"HashOfHashes\":\"%ls\"}";
    size_t length =
        DO_COUNT_OF(format) + wcslen(options->piece_hashes) + wcslen(options->piece_hashes_hash);
    BSTR text =
        length < UINT32_MAX / sizeof(wchar_t) ? SysAllocStringLen(NULL, (UINT)length) : NULL;
    BSTR exact;
    int written;

    if (!text)
        return NULL;
    written = _snwprintf(text, length, format, options->piece_hashes, options->piece_hashes_hash);
    exact = SysAllocStringLen(text, (UINT)written);
    SysFreeString(text);
    return exact;
}

static HRESULT set_integrity(IDeliveryOptimizationFile2 *file, const struct do_options *options)
{
    VARIANT value;
    HRESULT hr;

    VariantInit(&value);
    V_VT(&value) = VT_BSTR;
    if (!(V_BSTR(&value) = integrity_text(options)))
        return E_OUTOFMEMORY;
    hr = IDeliveryOptimizationFile2_SetProperty(file, DOFilePropertyId_IntegrityCheckInfo, &value);
    VariantClear(&value);
    if (FAILED(hr))
        return hr;
    V_VT(&value) = VT_BOOL;
    V_BOOL(&value) = VARIANT_TRUE;
    return IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_IntegrityCheckMandatory, &value);
}

/* The one file. Its target is set last, when everything else is. */
static HRESULT add_file(
    IBackgroundCopyJob *job, const struct do_options *options, const wchar_t *path)
{
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;
    VARIANT target;
    HRESULT hr =
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2);

    if (FAILED(hr))
        return hr;
    VariantInit(&target);
    V_VT(&target) = VT_BSTR;
    V_BSTR(&target) = SysAllocString(path);
    hr = V_BSTR(&target) ? IDeliveryOptimizationJob2_AddFile(job2, do_naming_last_part(path),
                               options->target, (DWORD)options->range_count, options->ranges,
                               &IID_IDeliveryOptimizationFile2, (void **)&file)
                         : E_OUTOFMEMORY;
    if (SUCCEEDED(hr) && options->piece_hashes)
        hr = set_integrity(file, options);
    if (SUCCEEDED(hr))
        hr = IDeliveryOptimizationFile2_SetProperty(
            file, DOFilePropertyId_DownloadSinkFilePath, &target);
    if (file)
        IDeliveryOptimizationFile2_Release(file);
    VariantClear(&target);
    IDeliveryOptimizationJob2_Release(job2);
    return hr;
}

static HRESULT set_up_job(
    IBackgroundCopyJob *job, const struct do_options *options, const wchar_t *path)
{
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_SetPriority(job,
                   options->is_background ? BG_JOB_PRIORITY_NORMAL : BG_JOB_PRIORITY_FOREGROUND)) ||
        FAILED(hr = IBackgroundCopyJob_SetNoProgressTimeout(job, options->timeout_s)))
        return hr;
    if (options->headers && FAILED(hr = set_headers(job, options->headers)))
        return hr;
    if (options->is_insecure &&
        FAILED(hr = do_item_accept_faults(&(const struct do_item){.job = job})))
        return hr;
    return add_file(job, options, path);
}

/* A job with the one file, ready to be resumed. On failure no job is left behind. */
static HRESULT create_job(struct do_client *client, const struct do_options *options,
    const wchar_t *path, struct do_item *item)
{
    wchar_t name[DO_DISPLAY_NAME_MAX + 1] = L"";
    GUID id;
    HRESULT hr;

    wcsncpy(name, do_naming_last_part(path), DO_DISPLAY_NAME_MAX);
    *item = (struct do_item){0};
    if (FAILED(hr = IBackgroundCopyManager_CreateJob(
                   client->manager, name, BG_JOB_TYPE_DOWNLOAD, &id, &item->job)))
        return hr;
    if (FAILED(hr = set_up_job(item->job, options, path)))
    {
        IBackgroundCopyJob_Cancel(item->job);
        do_item_release(item);
    }
    return hr;
}

static int watch_item(
    struct do_client *client, const struct do_options *options, const struct do_item *item)
{
    const struct do_watch_options watch = {
        .progress_mode = options->progress_mode,
        .cancel_on_error = options->is_get,
        .sha256 = options->sha256_is_set ? options->sha256 : NULL,
    };

    return do_watch_item(client, item, &watch);
}

/* Creates the job for the full path and watches it. */
static int download(struct do_client *client, const struct do_options *options, const wchar_t *path)
{
    struct do_item item;
    HRESULT hr = create_job(client, options, path, &item);
    int exit_code;

    if (FAILED(hr))
    {
        char *printable = do_naming_printable_url(options->target);

        exit_code = (int)do_errors_report(client->console, hr, printable);
        do_free(printable);
        return exit_code;
    }
    exit_code = watch_item(client, options, &item);
    do_item_release(&item);
    return exit_code;
}

static int get(struct do_client *client, const struct do_options *options)
{
    wchar_t *name = NULL;
    wchar_t *path = NULL;
    int exit_code;
    HRESULT hr;

    if (!is_http_url(options->target))
        return do_options_usage_error(client, options->target, "not an http:// or https:// URL");
    if (FAILED(do_client_connect(client)))
        return DO_EXIT_FAILURE;
    if (SUCCEEDED(hr = do_naming_file_from_url(options->target, &name)))
        hr = do_naming_full_path(options->output, name, &path);
    if (FAILED(hr))
        exit_code = (int)do_errors_report(client->console, hr, "bad output path");
    else
        exit_code = download(client, options, path);
    do_free(path);
    do_free(name);
    return exit_code;
}

int do_command_get(struct do_client *client, int count, wchar_t **arguments)
{
    struct do_options options;
    int exit_code = do_options_parse(client, count, arguments, true, &options);

    if (!exit_code)
        exit_code = get(client, &options);
    do_options_finish(&options);
    return exit_code;
}

static int resume(struct do_client *client, const struct do_options *options)
{
    struct do_item item;
    HRESULT hr = S_OK;
    int exit_code;

    if (FAILED(do_client_connect(client)) || FAILED(do_client_find(client, options->target, &item)))
        return DO_EXIT_FAILURE;
    if (options->timeout_is_set)
        hr = do_item_set_timeout(&item, options->timeout_s);
    if (FAILED(hr))
        exit_code = (int)do_errors_report(client->console, hr, "cannot set the time-out");
    else
        exit_code = watch_item(client, options, &item);
    do_item_release(&item);
    return exit_code;
}

int do_command_resume(struct do_client *client, int count, wchar_t **arguments)
{
    struct do_options options;
    int exit_code = do_options_parse(client, count, arguments, false, &options);

    if (!exit_code)
        exit_code = resume(client, &options);
    do_options_finish(&options);
    return exit_code;
}
