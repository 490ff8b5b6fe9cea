/* SPDX-License-Identifier: MIT */
/*
 * An intrusive doubly linked list: the link lives in the element, the list owns nothing.
 * Not synchronised; the owner of the list says which thread or lock.
 */
#ifndef DO_BASE_LIST_H
#define DO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct do_list
{
    struct do_list *next;
    struct do_list *prev;
};

static inline void do_list_init(struct do_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool do_list_is_empty(const struct do_list *list)
{
    return list->next == list;
}

static inline void do_list_add_tail(struct do_list *list, struct do_list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/** Takes the link out of its list and leaves it initialised, so that removing twice is harmless. */
static inline void do_list_remove(struct do_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    do_list_init(link);
}

/** Takes the first link out of the list; NULL when it is empty. */
static inline struct do_list *do_list_pop(struct do_list *list)
{
    struct do_list *link = list->next;

    if (link == list)
        return NULL;
    do_list_remove(link);
    return link;
}

/* Walks the list; the current element must stay in it. */
#define DO_LIST_FOR_EACH(link, list)                                                               \
    for (struct do_list *link = (list)->next; link != (list); link = link->next)

#define DO_LIST_ENTRY(link, type, member) DO_CONTAINER_OF(link, type, member)

#endif
