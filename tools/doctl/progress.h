/* SPDX-License-Identifier: MIT */
/*
 * Progress on stderr: a bar that is redrawn on a terminal, else a plain line now and then, or
 * nothing. Main thread; time is a parameter.
 */
#ifndef DO_DOCTL_PROGRESS_H
#define DO_DOCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "console.h"

enum do_progress_mode
{
    DO_PROGRESS_AUTO, /* a bar where one can be drawn, else plain lines */
    DO_PROGRESS_BAR,
    DO_PROGRESS_PLAIN,
    DO_PROGRESS_NONE
};

#define DO_PROGRESS_SIZE_UNKNOWN UINT64_MAX

/* What is to be shown. */
struct do_progress_state
{
    uint64_t bytes;
    uint64_t total;      /* DO_PROGRESS_SIZE_UNKNOWN */
    const char *waiting; /* why nothing moves; NULL while bytes arrive. Borrowed for the call */
};

struct do_progress
{
    struct do_console *console; /* borrowed */
    enum do_progress_mode mode; /* never AUTO */
    uint64_t rate_bytes_per_s;  /* smoothed; 0 until known */
    uint64_t sampled_bytes;
    uint64_t sampled_at_ms;
    uint64_t printed_at_ms;
    unsigned int printed_percent;
    bool started;      /* the first sample was taken: it counts bytes of earlier runs too */
    bool line_is_open; /* a bar stands on the cursor's line */
    char printed_waiting[64];
};

void do_progress_init(
    struct do_progress *progress, struct do_console *console, enum do_progress_mode mode);

/** Shows state, when it is time to. now_ms is a monotonic clock. */
void do_progress_update(
    struct do_progress *progress, const struct do_progress_state *state, uint64_t now_ms);

/** Ends the bar's line, so that other text can follow. */
void do_progress_end(struct do_progress *progress);

/** "1.5 MiB" for size_bytes. */
void do_progress_format_size(char text[16], uint64_t size_bytes);

#endif
