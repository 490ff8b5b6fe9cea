/* SPDX-License-Identifier: MIT */
/*
 * IEnumUnknown over downloads: a snapshot of those that are not final and, if asked for, have a
 * property of a certain value. Any thread.
 */
#include "com/enumerator.h"
#include "com/objects.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

struct enum_object
{
    struct com_object object;
    IEnumUnknown IEnumUnknown_iface;
    struct com_cursor cursor;
};

static struct enum_object *from_enum(IEnumUnknown *iface)
{
    return DO_CONTAINER_OF(iface, struct enum_object, IEnumUnknown_iface);
}

static HRESULT STDMETHODCALLTYPE enum_QueryInterface(IEnumUnknown *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_enum(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE enum_AddRef(IEnumUnknown *iface)
{
    return com_object_AddRef(&from_enum(iface)->object);
}

static ULONG STDMETHODCALLTYPE enum_Release(IEnumUnknown *iface)
{
    return com_object_Release(&from_enum(iface)->object);
}

static HRESULT STDMETHODCALLTYPE enum_Next(
    IEnumUnknown *iface, ULONG count, IUnknown **elements, ULONG *fetched)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Next count=%lu", (void *)iface, (unsigned long)count);
    return com_cursor_next(&from_enum(iface)->cursor, count, elements, fetched);
}

static HRESULT STDMETHODCALLTYPE enum_Skip(IEnumUnknown *iface, ULONG count)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Skip count=%lu", (void *)iface, (unsigned long)count);
    return com_cursor_skip(&from_enum(iface)->cursor, count);
}

static HRESULT STDMETHODCALLTYPE enum_Reset(IEnumUnknown *iface)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Reset", (void *)iface);
    com_cursor_reset(&from_enum(iface)->cursor);
    return S_OK;
}

static HRESULT create_enum(struct com_items *items, size_t position, IEnumUnknown **out);

static HRESULT STDMETHODCALLTYPE enum_Clone(IEnumUnknown *iface, IEnumUnknown **out)
{
    struct com_cursor *cursor = &from_enum(iface)->cursor;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Clone", (void *)iface);
    if (!out)
        return E_INVALIDARG;
    return create_enum(com_items_acquire(cursor->items), com_cursor_position(cursor), out);
}

static const IEnumUnknownVtbl enum_vtbl = {
    .QueryInterface = enum_QueryInterface,
    .AddRef = enum_AddRef,
    .Release = enum_Release,
    .Next = enum_Next,
    .Skip = enum_Skip,
    .Reset = enum_Reset,
    .Clone = enum_Clone,
};

static const struct com_interface enum_interfaces[] = {
    {&IID_IEnumUnknown, offsetof(struct enum_object, IEnumUnknown_iface)},
};

static void enum_destroy(struct com_object *object)
{
    struct enum_object *enumerator = DO_CONTAINER_OF(object, struct enum_object, object);

    com_items_release(enumerator->cursor.items);
    com_object_finish(object);
    do_free(enumerator);
}

static const struct com_class enum_class = {
    enum_interfaces, DO_COUNT_OF(enum_interfaces), enum_destroy};

/* Takes the reference on items, also on failure. */
static HRESULT create_enum(struct com_items *items, size_t position, IEnumUnknown **out)
{
    struct enum_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
    {
        com_items_release(items);
        return E_OUTOFMEMORY;
    }
    com_object_init(&created->object, &enum_class);
    created->IEnumUnknown_iface.lpVtbl = &enum_vtbl;
    created->cursor.items = items;
    created->cursor.position = position;
    InitializeSRWLock(&created->cursor.lock);
    *out = &created->IEnumUnknown_iface;
    return S_OK;
}

static HRESULT show_download(void *item, IUnknown **out)
{
    return com_download_create(item, (IDODownload **)(void *)out);
}

static void release_download(void *item)
{
    do_job_release(item);
}

/* Selection */

/* How the value of a category is compared. (Spec 04, 1.2.) */
enum comparison
{
    COMPARE_EXACT,
    COMPARE_GUID, /* any case, with or without braces */
    COMPARE_PATH  /* any case, as the file system does */
};

struct selection
{
    DODownloadProperty property;
    enum comparison comparison;
    const WCHAR *value; /* without a GUID's braces */
    size_t length;
};

static HRESULT fill_selection(
    const DO_DOWNLOAD_ENUM_CATEGORY *category, struct selection *selection)
{
    static const struct
    {
        DODownloadProperty property;
        enum comparison comparison;
    } rows[] = {
        {DODownloadProperty_Id, COMPARE_GUID},
        {DODownloadProperty_Uri, COMPARE_EXACT},
        {DODownloadProperty_ContentId, COMPARE_EXACT},
        {DODownloadProperty_DisplayName, COMPARE_EXACT},
        {DODownloadProperty_LocalPath, COMPARE_PATH},
    };
    size_t row = 0;

    while (row < DO_COUNT_OF(rows) && rows[row].property != category->Property)
        row++;
    if (row == DO_COUNT_OF(rows))
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (!category->Value)
        return E_INVALIDARG;
    selection->property = rows[row].property;
    selection->comparison = rows[row].comparison;
    selection->value = category->Value;
    selection->length = wcslen(category->Value);
    if (selection->comparison == COMPARE_GUID && selection->length > 1 &&
        selection->value[0] == '{' && selection->value[selection->length - 1] == '}')
    {
        selection->value++;
        selection->length -= 2;
    }
    return S_OK;
}

static HRESULT compare(const struct selection *selection, const char *text, bool *matches)
{
    uint16_t *wide;
    size_t length;
    HRESULT hr;

    if (FAILED(hr = do_utf16_from_utf8(text, &wide)))
        return hr;
    length = do_utf16_length(wide);
    if (length != selection->length || length > INT_MAX)
        *matches = false;
    else if (selection->comparison == COMPARE_EXACT)
        *matches = !memcmp(wide, selection->value, length * sizeof(*wide));
    else
        *matches = CompareStringOrdinal((const WCHAR *)wide, (int)length, selection->value,
                       (int)length, TRUE) == CSTR_EQUAL;
    do_free(wide);
    return S_OK;
}

/* selection may be NULL. */
static HRESULT is_selected(struct do_job *job, const struct selection *selection, bool *selected)
{
    struct do_download_status status;
    struct do_value value;
    HRESULT hr;

    *selected = false;
    do_download_get_status(job, &status);
    if (status.state == DO_DOWNLOAD_FINALIZED || status.state == DO_DOWNLOAD_ABORTED)
        return S_OK;
    if (!selection)
    {
        *selected = true;
        return S_OK;
    }
    hr = do_download_get_property(job, (uint32_t)selection->property, &value);
    if (SUCCEEDED(hr))
        hr = compare(selection, value.data, selected);
    do_value_finish(&value);
    return hr == DO_HR_NOT_SET ? S_OK : hr;
}

/* Keeps those of *count jobs that are selected and gives the others back; on failure all. */
static HRESULT select_jobs(struct do_job **jobs, size_t *count, const struct selection *selection)
{
    HRESULT hr = S_OK;
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++)
    {
        bool selected = false;

        if (SUCCEEDED(hr))
            hr = is_selected(jobs[i], selection, &selected);
        if (selected)
            jobs[kept++] = jobs[i];
        else
            do_job_release(jobs[i]);
    }
    while (FAILED(hr) && kept)
        do_job_release(jobs[--kept]);
    *count = kept;
    return hr;
}

HRESULT com_enum_downloads_create(
    struct do_engine *engine, const DO_DOWNLOAD_ENUM_CATEGORY *category, IEnumUnknown **out)
{
    static const struct com_item_class item_class = {show_download, release_download};
    struct selection selection;
    struct com_items *items;
    struct do_job **jobs;
    size_t count;
    HRESULT hr;

    *out = NULL;
    if (category && FAILED(hr = fill_selection(category, &selection)))
        return hr;
    if (FAILED(hr = do_engine_list_jobs(engine, DO_JOB_KIND_DOWNLOAD, &jobs, &count)))
        return hr;
    hr = select_jobs(jobs, &count, category ? &selection : NULL);
    if (SUCCEEDED(hr) && !count)
        hr = DO_E_NO_DOWNLOADS;
    if (FAILED(hr))
    {
        do_free(jobs);
        return hr;
    }
    if (FAILED(hr = com_items_create(&item_class, (void **)(void *)jobs, count, &items)))
        return hr;
    return create_enum(items, 0, out);
}
