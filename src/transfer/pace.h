/* SPDX-License-Identifier: MIT */
/*
 * How fast bytes may come: the limit of each class of transfers, and background that yields to
 * foreground. One per engine, shared by all of its connections. Loop thread only.
 *
 * A connection of a limited class asks before it reads and says afterwards how much that was. One
 * that may not read now waits in line; one at a time is let on, so that all of a class get the
 * same. Without a limit a connection looks at is_limited and at nothing else.
 *
 * While a foreground transfer runs and bytes of it arrive, background has a limit that is just
 * enough for its connections to stay alive. When the last foreground transfer ends, or brings
 * nothing for a second, it has its own limit back.
 */
#ifndef DO_TRANSFER_PACE_H
#define DO_TRANSFER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rate.h"
#include "transfer/loop.h"

/** What all background transfers together get while foreground moves, bytes per second. */
#define DO_PACE_TRICKLE ((uint64_t)64 * 1024)

/** How often the pace is looked at, and over how many looks the link is measured: 5 s. */
#define DO_PACE_LOOK_MS 250U
#define DO_PACE_LOOKS 20U

struct do_pace
{
    struct do_loop *loop;
    bool is_limited[DO_RATE_CLASSES];
    uint64_t received[DO_RATE_CLASSES]; /* bytes, counted by the transfers */

    /* The room's own. */
    struct do_rate_shares shares;
    uint64_t limits[DO_RATE_CLASSES];        /* of the policies; 0 = none */
    struct do_list waiting[DO_RATE_CLASSES]; /* of struct do_loop_op: whose turn is next */
    struct do_timer turn_timers[DO_RATE_CLASSES];
    uint64_t waited_ms[DO_RATE_CLASSES]; /* when one had to wait last; 0 = never */
    uint32_t transfers[DO_RATE_CLASSES]; /* under way */
    bool yields;
    uint64_t seen_foreground; /* received at the last look */
    uint64_t moved_ms;        /* when foreground was last seen to move; 0 = never */
    struct do_timer look_timer;
    struct
    {
        uint64_t at_ms; /* 0 = no look yet */
        uint64_t bytes;
    } looks[DO_PACE_LOOKS];
    uint32_t next_look;
    uint64_t link_bytes_per_s; /* the best of 5 s since the start; 0 = not known */
    do_loop_fn on_link;        /* it became more */
    void *ctx;
};

/** on_link(ctx) is told on the loop when link_bytes_per_s grew by a tenth or more. */
void do_pace_init(struct do_pace *pace, struct do_loop *loop, do_loop_fn on_link, void *ctx);

/** The limit of a class, 0 = none; it counts at once, for connections that are open too. */
void do_pace_set_limit_on_loop(
    struct do_pace *pace, enum do_rate_class which, uint64_t bytes_per_s);

/** A transfer of a class begins, or ends, an attempt. */
void do_pace_begin_on_loop(struct do_pace *pace, enum do_rate_class which);
void do_pace_end_on_loop(struct do_pace *pace, enum do_rate_class which);

/** Whether a connection of a class may read now, and that it has read. */
bool do_pace_may_read_on_loop(struct do_pace *pace, enum do_rate_class which);
void do_pace_spend_on_loop(struct do_pace *pace, enum do_rate_class which, uint64_t bytes);

/**
 * Waits for a turn: op runs when one may read again. It should then read, or wait again. Not from
 * inside this call. do_list_remove(&op->link) ends the wait.
 */
void do_pace_wait_on_loop(struct do_pace *pace, enum do_rate_class which, struct do_loop_op *op);

/** Whether the class's limit is what its connections wait for, now or within the last second. */
bool do_pace_is_held_on_loop(const struct do_pace *pace, enum do_rate_class which);

/** Whether transfers of this class should make do with one connection: foreground moves. */
bool do_pace_yields_on_loop(const struct do_pace *pace, enum do_rate_class which);

/** The receive buffer of a connection of a class, at most most_bytes. */
uint32_t do_pace_buffer_bytes_on_loop(
    const struct do_pace *pace, enum do_rate_class which, uint32_t most_bytes);

#endif
