/* SPDX-License-Identifier: MIT */
/*
 * IEnumBackgroundCopyJobs: a snapshot of the queue. Any thread.
 */
#include "com/enumerator.h"
#include "com/objects.h"

#include "base/alloc.h"
#include "base/log.h"

struct enum_object
{
    struct com_object object;
    IEnumBackgroundCopyJobs IEnumBackgroundCopyJobs_iface;
    struct com_cursor cursor;
};

static struct enum_object *from_enum(IEnumBackgroundCopyJobs *iface)
{
    return DO_CONTAINER_OF(iface, struct enum_object, IEnumBackgroundCopyJobs_iface);
}

static HRESULT STDMETHODCALLTYPE enum_QueryInterface(
    IEnumBackgroundCopyJobs *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(&from_enum(iface)->object, iid, out);
}

static ULONG STDMETHODCALLTYPE enum_AddRef(IEnumBackgroundCopyJobs *iface)
{
    return com_object_AddRef(&from_enum(iface)->object);
}

static ULONG STDMETHODCALLTYPE enum_Release(IEnumBackgroundCopyJobs *iface)
{
    return com_object_Release(&from_enum(iface)->object);
}

static HRESULT STDMETHODCALLTYPE enum_Next(
    IEnumBackgroundCopyJobs *iface, ULONG count, IBackgroundCopyJob **elements, ULONG *fetched)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Next count=%lu", (void *)iface, (unsigned long)count);
    return com_cursor_next(
        &from_enum(iface)->cursor, count, (IUnknown **)(void *)elements, fetched);
}

static HRESULT STDMETHODCALLTYPE enum_Skip(IEnumBackgroundCopyJobs *iface, ULONG count)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Skip count=%lu", (void *)iface, (unsigned long)count);
    return com_cursor_skip(&from_enum(iface)->cursor, count);
}

static HRESULT STDMETHODCALLTYPE enum_Reset(IEnumBackgroundCopyJobs *iface)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Reset", (void *)iface);
    com_cursor_reset(&from_enum(iface)->cursor);
    return S_OK;
}

static HRESULT create_enum(struct com_items *items, size_t position, IEnumBackgroundCopyJobs **out);

static HRESULT STDMETHODCALLTYPE enum_Clone(
    IEnumBackgroundCopyJobs *iface, IEnumBackgroundCopyJobs **out)
{
    struct com_cursor *cursor = &from_enum(iface)->cursor;

    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p Clone", (void *)iface);
    if (!out)
        return E_INVALIDARG;
    return create_enum(com_items_acquire(cursor->items), com_cursor_position(cursor), out);
}

static HRESULT STDMETHODCALLTYPE enum_GetCount(IEnumBackgroundCopyJobs *iface, ULONG *count)
{
    do_log(DO_LOG_TRACE, DO_LOG_COM, "enum=%p GetCount", (void *)iface);
    if (!count)
        return E_INVALIDARG;
    *count = (ULONG)from_enum(iface)->cursor.items->count;
    return S_OK;
}

static const IEnumBackgroundCopyJobsVtbl enum_vtbl = {
    .QueryInterface = enum_QueryInterface,
    .AddRef = enum_AddRef,
    .Release = enum_Release,
    .Next = enum_Next,
    .Skip = enum_Skip,
    .Reset = enum_Reset,
    .Clone = enum_Clone,
    .GetCount = enum_GetCount,
};

static const struct com_interface enum_interfaces[] = {
    {&IID_IEnumBackgroundCopyJobs, offsetof(struct enum_object, IEnumBackgroundCopyJobs_iface)},
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
static HRESULT create_enum(struct com_items *items, size_t position, IEnumBackgroundCopyJobs **out)
{
    struct enum_object *created;

    *out = NULL;
    if (!(created = do_alloc(sizeof(*created))))
    {
        com_items_release(items);
        return E_OUTOFMEMORY;
    }
    com_object_init(&created->object, &enum_class);
    created->IEnumBackgroundCopyJobs_iface.lpVtbl = &enum_vtbl;
    created->cursor.items = items;
    created->cursor.position = position;
    InitializeSRWLock(&created->cursor.lock);
    *out = &created->IEnumBackgroundCopyJobs_iface;
    return S_OK;
}

static HRESULT show_job(void *item, IUnknown **out)
{
    return com_job_create(item, (IBackgroundCopyJob **)(void *)out);
}

static void release_job(void *item)
{
    do_job_release(item);
}

HRESULT com_enum_jobs_create(struct do_engine *engine, IEnumBackgroundCopyJobs **out)
{
    static const struct com_item_class item_class = {show_job, release_job};
    struct com_items *items;
    struct do_job **jobs;
    size_t count;
    HRESULT hr;

    *out = NULL;
    if (FAILED(hr = do_engine_list_jobs(engine, DO_JOB_KIND_LEGACY, &jobs, &count)) ||
        FAILED(hr = com_items_create(&item_class, (void **)(void *)jobs, count, &items)))
        return hr;
    return create_enum(items, 0, out);
}
