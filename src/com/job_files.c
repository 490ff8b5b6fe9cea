/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJob to IBackgroundCopyJob3: a job's files. Any thread.
 */
#include "com/job.h"

#include "base/alloc.h"
#include "base/log.h"
#include "com/trace.h"

static void free_new_file(struct do_new_file *file)
{
    do_free((void *)(uintptr_t)file->content_id);
    do_free((void *)(uintptr_t)file->url);
    do_free((void *)(uintptr_t)file->local_path);
    do_free((void *)(uintptr_t)file->ranges);
}

HRESULT com_ranges_in(const BG_FILE_RANGE *ranges, DWORD count, struct do_range **converted)
{
    struct do_range *out;

    *converted = NULL;
    if (!count != !ranges || count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    if (!count)
        return S_OK;
    if (!(out = do_alloc_array(count, sizeof(*out))))
        return E_OUTOFMEMORY;
    for (DWORD i = 0; i < count; i++)
    {
        out[i].begin = ranges[i].InitialOffset;
        out[i].end = DO_SIZE_UNKNOWN;
        if (ranges[i].Length == BG_LENGTH_TO_EOF)
            continue;
        /* A length that runs over 2^64 is a range that no file has; an empty one is refused later.
         */
        if (!do_checked_add_u64(out[i].begin, ranges[i].Length, &out[i].end) ||
            out[i].end == DO_SIZE_UNKNOWN)
        {
            do_free(out);
            return DO_E_INVALID_RANGE;
        }
    }
    *converted = out;
    return S_OK;
}

/* The client's file in our terms; what is filled must be freed also on failure. */
static HRESULT fill_new_file(struct do_new_file *file, const struct com_new_file *given)
{
    char *texts[3] = {NULL, NULL, NULL};
    struct do_range *ranges = NULL;
    HRESULT hr;

    if (SUCCEEDED(hr = com_text_in(given->content_id, &texts[0])) &&
        SUCCEEDED(hr = com_text_in(given->url, &texts[1])) && given->local_path)
        hr = com_text_in(given->local_path, &texts[2]);
    if (SUCCEEDED(hr))
        hr = com_ranges_in(given->ranges, given->range_count, &ranges);
    file->content_id = texts[0];
    file->url = texts[1];
    file->local_path = texts[2];
    file->ranges = ranges;
    file->range_count = given->range_count;
    file->size = given->size;
    return hr;
}

HRESULT com_job_add_file(
    struct do_job *job, const struct com_new_file *file, struct do_job_file **first)
{
    struct do_new_file converted;
    HRESULT hr;

    if (SUCCEEDED(hr = fill_new_file(&converted, file)))
        hr = do_job_add_files(job, &converted, 1, first);
    free_new_file(&converted);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_AddFileSet(
    IBackgroundCopyJob5 *iface, ULONG count, BG_FILE_INFO *set)
{
    struct do_new_file *files;
    HRESULT hr = S_OK;
    ULONG filled = 0;

    com_job_trace_u32(iface, "AddFileSet", count);
    if (!count || !set)
        return E_INVALIDARG;
    if (!(files = do_alloc_array(count, sizeof(*files))))
        return E_OUTOFMEMORY;
    while (filled < count && SUCCEEDED(hr))
    {
        const BG_FILE_INFO *info = &set[filled];
        const struct com_new_file file = {.content_id = info->RemoteName,
            .url = info->RemoteName,
            .local_path = info->LocalName,
            .size = BG_SIZE_UNKNOWN};

        hr = info->LocalName ? fill_new_file(&files[filled++], &file) : E_INVALIDARG;
    }
    if (SUCCEEDED(hr))
        hr = do_job_add_files(com_job_of(iface), files, count, NULL);
    while (filled)
        free_new_file(&files[--filled]);
    do_free(files);
    return hr;
}

HRESULT STDMETHODCALLTYPE com_job_AddFile(
    IBackgroundCopyJob5 *iface, LPCWSTR url, LPCWSTR local_path)
{
    const struct com_new_file file = {
        .content_id = url, .url = url, .local_path = local_path, .size = BG_SIZE_UNKNOWN};
    struct com_trace_text url_text;
    struct com_trace_text path_text;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p AddFile url=%s local_path=%s",
        (void *)com_job_of(iface), com_trace_url(url, &url_text),
        com_trace_text(local_path, &path_text));
    if (!local_path)
        return E_INVALIDARG;
    return com_job_add_file(com_job_of(iface), &file, NULL);
}

HRESULT STDMETHODCALLTYPE com_job_AddFileWithRanges(IBackgroundCopyJob5 *iface, LPCWSTR url,
    LPCWSTR local_path, DWORD range_count, BG_FILE_RANGE *ranges)
{
    const struct com_new_file file = {.content_id = url,
        .url = url,
        .local_path = local_path,
        .ranges = ranges,
        .range_count = range_count,
        .size = BG_SIZE_UNKNOWN};
    struct com_trace_text url_text;
    struct com_trace_text path_text;

    do_log(DO_LOG_TRACE, DO_LOG_COM,
        "job=%p AddFileWithRanges url=%s local_path=%s range_count=%lu", (void *)com_job_of(iface),
        com_trace_url(url, &url_text), com_trace_text(local_path, &path_text),
        (unsigned long)range_count);
    if (!local_path)
        return E_INVALIDARG;
    /* Unlike Delivery Optimization's own. (Source: win32 docs, BITS.) */
    if (!range_count)
        return E_INVALIDARG;
    return com_job_add_file(com_job_of(iface), &file, NULL);
}

HRESULT STDMETHODCALLTYPE com_job_EnumFiles(
    IBackgroundCopyJob5 *iface, IEnumBackgroundCopyFiles **out)
{
    com_job_trace(iface, "EnumFiles");
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    return com_enum_files_create(com_job_of(iface), out);
}

HRESULT STDMETHODCALLTYPE com_job_ReplaceRemotePrefix(
    IBackgroundCopyJob5 *iface, LPCWSTR old_prefix, LPCWSTR new_prefix)
{
    struct com_trace_text old_text;
    struct com_trace_text new_text;
    char *old_utf8 = NULL;
    char *new_utf8 = NULL;
    HRESULT hr;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "job=%p ReplaceRemotePrefix old_prefix=%s new_prefix=%s",
        (void *)com_job_of(iface), com_trace_url(old_prefix, &old_text),
        com_trace_url(new_prefix, &new_text));
    if (SUCCEEDED(hr = com_text_in(old_prefix, &old_utf8)) &&
        SUCCEEDED(hr = com_text_in(new_prefix, &new_utf8)))
        hr = do_job_replace_url_prefix(com_job_of(iface), old_utf8, new_utf8);
    do_free(new_utf8);
    do_free(old_utf8);
    return hr;
}

/* Of a remote file on a share: there is no such source here. */
HRESULT STDMETHODCALLTYPE com_job_SetFileACLFlags(IBackgroundCopyJob5 *iface, DWORD flags)
{
    com_job_trace_u32(iface, "SetFileACLFlags", flags);
    return E_NOTIMPL;
}

HRESULT STDMETHODCALLTYPE com_job_GetFileACLFlags(IBackgroundCopyJob5 *iface, DWORD *flags)
{
    com_job_trace(iface, "GetFileACLFlags");
    if (!flags)
        return E_INVALIDARG;
    *flags = 0;
    return S_OK;
}
