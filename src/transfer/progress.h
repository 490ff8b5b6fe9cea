/* SPDX-License-Identifier: MIT */
/*
 * The counters that a client reads. Written by the loop and the writer, read by any thread, under
 * one leaf lock that is held for a few instructions: reading never waits for network, disk,
 * database or loop.
 */
#ifndef DO_TRANSFER_PROGRESS_H
#define DO_TRANSFER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/plat.h"
#include "store/queue_db.h"

struct do_progress_values
{
    uint64_t bytes_total;       /* DO_SIZE_UNKNOWN until known */
    uint64_t bytes_transferred; /* written to the file */
    uint64_t last_write_time;   /* FILETIME; 0 = never */
    bool transferred;           /* every byte is local */
    bool saved;                 /* Complete made the file available */
};

struct do_progress
{
    struct do_mutex lock;
    struct do_progress_values values;
};

static inline void do_progress_init(struct do_progress *progress)
{
    do_mutex_init(&progress->lock);
    progress->values = (struct do_progress_values){DO_SIZE_UNKNOWN, 0, 0, false, false};
}

static inline void do_progress_finish(struct do_progress *progress)
{
    do_mutex_finish(&progress->lock);
}

/** A consistent copy of the counters. */
static inline struct do_progress_values do_progress_snapshot(struct do_progress *progress)
{
    struct do_progress_values values;

    do_mutex_lock(&progress->lock);
    values = progress->values;
    do_mutex_unlock(&progress->lock);
    return values;
}

static inline void do_progress_set_total(struct do_progress *progress, uint64_t bytes_total)
{
    do_mutex_lock(&progress->lock);
    progress->values.bytes_total = bytes_total;
    do_mutex_unlock(&progress->lock);
}

static inline void do_progress_add_transferred(struct do_progress *progress, uint64_t bytes)
{
    uint64_t now = do_clock_filetime();

    do_mutex_lock(&progress->lock);
    progress->values.bytes_transferred += bytes;
    progress->values.last_write_time = now;
    do_mutex_unlock(&progress->lock);
}

static inline void do_progress_set_transferred(struct do_progress *progress, uint64_t bytes)
{
    do_mutex_lock(&progress->lock);
    progress->values.bytes_transferred = bytes;
    do_mutex_unlock(&progress->lock);
}

static inline void do_progress_set_flags(struct do_progress *progress, bool transferred, bool saved)
{
    do_mutex_lock(&progress->lock);
    progress->values.transferred = transferred;
    progress->values.saved = saved;
    do_mutex_unlock(&progress->lock);
}

#endif
