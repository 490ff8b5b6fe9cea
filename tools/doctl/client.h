/* SPDX-License-Identifier: MIT */
/*
 * doctl as a COM client: the connection to Delivery Optimization, and jobs and downloads by id or
 * name. Main thread, multithreaded apartment.
 */
#ifndef DO_DOCTL_CLIENT_H
#define DO_DOCTL_CLIENT_H

#include <stdbool.h>

#include "console.h"
#include "item.h"

/* What every command gets. */
struct do_client
{
    struct do_console *console;      /* borrowed */
    IBackgroundCopyManager *manager; /* NULL until do_client_connect, like the next */
    IDOManager *downloads;
    bool com_is_initialized;
};

/** Creates the class; says on stderr why when that fails. */
HRESULT do_client_connect(struct do_client *client);
void do_client_disconnect(struct do_client *client);

/**
 * The job or download that text names: an id, with or without braces, or a display name that only
 * one has. Says on stderr why when there is none. *item is to be released.
 */
HRESULT do_client_find(struct do_client *client, const wchar_t *text, struct do_item *item);

typedef HRESULT (*do_client_item_fn)(void *ctx, const struct do_item *item);

/** Calls function for each job and each download of the queue, until one fails. */
HRESULT do_client_for_each(struct do_client *client, do_client_item_fn function, void *ctx);

/**
 * Completes item and prints "saved PATH (N bytes)" for every file. sha256, if not NULL, is what the
 * files must have: a job with one that does not is not completed, and cancelled when that is its
 * only one; of a download, whose file has no name before, it is deleted. Returns the exit code.
 */
int do_client_complete(
    struct do_client *client, const struct do_item *item, const unsigned char *sha256);

#endif
