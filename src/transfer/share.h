/* SPDX-License-Identifier: MIT */
/*
 * How many connections a file is worth, and how much of it each is to fetch. Pure: rates and time
 * are passed in. One connection is right until several prove to be faster: the number is raised,
 * the rate before and after is compared, and what brought nothing is taken back.
 */
#ifndef DO_TRANSFER_SHARE_H
#define DO_TRANSFER_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How often do_share_look wants to be called. */
#define DO_SHARE_LOOK_MS 100U

struct do_share
{
    uint32_t limit;  /* the most connections; 1 = never more than one */
    uint32_t target; /* how many there should be now */

    /* The experiment: what there was before the last rise. */
    uint32_t target_before; /* 0 = none runs */
    uint64_t rate_before;

    /* The window in which a rate is measured. */
    bool measures;     /* the window is open */
    uint64_t begin_ms; /* since when, or when it is to be */
    uint64_t begin_bytes;
    uint64_t settled_until_ms;
    uint64_t rate; /* bytes per second in the last window */
    uint64_t rate_of_previous;
};

void do_share_init(struct do_share *share, uint32_t limit);

/** Begins to measure anew, with what was learned: an attempt begins. */
void do_share_begin(struct do_share *share);

/**
 * Looks at what came: received bytes since the attempt began, left to fetch, and how long the
 * server took to answer. Changes target.
 */
void do_share_look(struct do_share *share, uint64_t received_bytes, uint64_t left_bytes,
    uint32_t latency_ms, uint64_t now_ms);

/** A connection failed while others went on: so many are too many for a while. */
void do_share_shrink(struct do_share *share, uint32_t running, uint64_t now_ms);

/**
 * How much of a gap a connection takes at once, of left bytes that nobody fetches yet: some seconds
 * of its own rate, less when the end is near so that all end together, all when there is but one.
 * [1, gap_bytes]; begin is the gap's first byte, pieces end at multiples of a block.
 */
uint64_t do_share_piece(
    const struct do_share *share, uint64_t begin, uint64_t gap_bytes, uint64_t left_bytes);

/** One connection, for the decisions below. */
struct do_share_lane
{
    uint64_t left_bytes;   /* of its piece */
    uint64_t rate;         /* bytes per second, of late */
    uint64_t begin_ms;     /* when it was started */
    uint64_t last_byte_ms; /* or begin_ms */
};

/**
 * Whether a connection holds the file back: it stands still, or is far slower than the others are
 * on average, while they move. Its piece should go to another one.
 */
bool do_share_is_stuck(const struct do_share_lane *lane, const struct do_share_lane *others,
    size_t other_count, uint64_t now_ms);

/**
 * Nothing is left that nobody fetches: whose piece an idle connection should take the second half
 * of. *keep_bytes is what the other keeps. False when it is not worth it.
 */
bool do_share_split(const struct do_share_lane *lanes, size_t count, uint64_t own_rate,
    size_t *index, uint64_t *keep_bytes);

#endif
