/* SPDX-License-Identifier: MIT */
/*
 * Snapshots and positions. Any thread.
 */
#include "com/enumerator.h"

#include "base/alloc.h"

static void release_all(const struct com_item_class *class, void **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        class->release(items[i]);
    do_free(items);
}

HRESULT com_items_create(
    const struct com_item_class *class, void **items, size_t count, struct com_items **out)
{
    if (!(*out = do_alloc(sizeof(**out))))
    {
        release_all(class, items, count);
        return E_OUTOFMEMORY;
    }
    (*out)->references = 1;
    (*out)->class = class;
    (*out)->items = items;
    (*out)->count = count;
    return S_OK;
}

struct com_items *com_items_acquire(struct com_items *items)
{
    InterlockedIncrement(&items->references);
    return items;
}

void com_items_release(struct com_items *items)
{
    if (!items || InterlockedDecrement(&items->references))
        return;
    release_all(items->class, items->items, items->count);
    do_free(items);
}

/* Takes up to count items and says where the first is. */
static size_t advance(struct com_cursor *cursor, size_t count, size_t *first)
{
    size_t taken;

    AcquireSRWLockExclusive(&cursor->lock);
    *first = cursor->position;
    taken = cursor->items->count - cursor->position;
    if (taken > count)
        taken = count;
    cursor->position += taken;
    ReleaseSRWLockExclusive(&cursor->lock);
    return taken;
}

HRESULT com_cursor_next(struct com_cursor *cursor, ULONG count, IUnknown **elements, ULONG *fetched)
{
    size_t first;
    size_t taken;

    if (fetched)
        *fetched = 0;
    if (!elements || (!fetched && count != 1))
        return E_INVALIDARG;
    for (ULONG i = 0; i < count; i++)
        elements[i] = NULL;
    taken = advance(cursor, count, &first);
    for (size_t i = 0; i < taken; i++)
    {
        HRESULT hr = cursor->items->class->create(cursor->items->items[first + i], &elements[i]);

        if (FAILED(hr))
        {
            while (i--)
            {
                IUnknown_Release(elements[i]);
                elements[i] = NULL;
            }
            return hr;
        }
    }
    if (fetched)
        *fetched = (ULONG)taken;
    return taken == count ? S_OK : S_FALSE;
}

HRESULT com_cursor_skip(struct com_cursor *cursor, ULONG count)
{
    size_t first;

    return advance(cursor, count, &first) == count ? S_OK : S_FALSE;
}

void com_cursor_reset(struct com_cursor *cursor)
{
    AcquireSRWLockExclusive(&cursor->lock);
    cursor->position = 0;
    ReleaseSRWLockExclusive(&cursor->lock);
}

size_t com_cursor_position(struct com_cursor *cursor)
{
    size_t position;

    AcquireSRWLockShared(&cursor->lock);
    position = cursor->position;
    ReleaseSRWLockShared(&cursor->lock);
    return position;
}
