/* SPDX-License-Identifier: MIT */
/*
 * Runs a job or download to its end: starts it, shows progress, saves the file, or says why not.
 * Main thread.
 */
#ifndef DO_DOCTL_WATCH_H
#define DO_DOCTL_WATCH_H

#include <stdbool.h>

#include "client.h"
#include "progress.h"

struct do_watch_options
{
    enum do_progress_mode progress_mode;
    bool cancel_on_error;        /* else it is kept, and how to go on is printed */
    const unsigned char *sha256; /* of the file; NULL: not checked. Borrowed */
};

/**
 * Starts item and waits until it is transferred, then completes it. Ctrl+C pauses it. Returns the
 * exit code; everything else has been printed.
 */
int do_watch_item(
    struct do_client *client, const struct do_item *item, const struct do_watch_options *options);

#endif
