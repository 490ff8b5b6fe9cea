/* SPDX-License-Identifier: MIT */
/*
 * What all enumerators share: a snapshot of items, which clones use together, and a position. The
 * objects for the items are made when they are asked for.
 */
#ifndef DO_COM_ENUMERATOR_H
#define DO_COM_ENUMERATOR_H

#include "com/com_object.h"

/** How a kind of items is shown and let go. */
struct com_item_class
{
    HRESULT (*create)(void *item, IUnknown **out);
    void (*release)(void *item);
};

/** A reference-counted snapshot. */
struct com_items
{
    LONG references;
    const struct com_item_class *class;
    void **items; /* do_alloc'ed, each holds what class->release gives back */
    size_t count;
};

/** Takes items (also on failure). One reference is the caller's. */
HRESULT com_items_create(
    const struct com_item_class *class, void **items, size_t count, struct com_items **out);
struct com_items *com_items_acquire(struct com_items *items);
void com_items_release(struct com_items *items);

/** A place in a snapshot; an object embeds it. */
struct com_cursor
{
    struct com_items *items; /* one reference */
    SRWLOCK lock;
    size_t position; /* under lock */
};

/** Next of an enumerator: S_FALSE and zeroed slots when fewer than count were left. */
HRESULT com_cursor_next(
    struct com_cursor *cursor, ULONG count, IUnknown **elements, ULONG *fetched);
HRESULT com_cursor_skip(struct com_cursor *cursor, ULONG count);
void com_cursor_reset(struct com_cursor *cursor);
size_t com_cursor_position(struct com_cursor *cursor);

#endif
