/* SPDX-License-Identifier: MIT */
/*
 * Which bytes a file consists of and which of them to ask for next. Pure. A file is a sequence of
 * segments of the remote object, laid down one after the other in the order given; the whole object
 * is one segment. Offsets in the local file and in the object meet only here.
 */
#ifndef DO_TRANSFER_PLAN_H
#define DO_TRANSFER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"

struct do_segment
{
    uint64_t remote_begin;
    uint64_t remote_end;  /* DO_SIZE_UNKNOWN = the end of the object, until it is known */
    uint64_t local_begin; /* meaningless behind a segment whose end is not known */
};

struct do_plan
{
    struct do_segment *segments;
    size_t count;
    bool is_whole;    /* the client asked for the whole object */
    bool is_resolved; /* every segment's end is known */
};

/** What to ask for: object bytes [remote_begin, remote_end), to be stored at local_begin. */
struct do_fetch
{
    uint64_t remote_begin;
    uint64_t remote_end; /* DO_SIZE_UNKNOWN = up to the end */
    uint64_t local_begin;
};

/**
 * Checks requested ranges before they are accepted: DO_E_INVALID_RANGE for an empty range, a begin
 * at DO_SIZE_UNKNOWN, an end beyond size (when known); DO_E_OVERLAPPING_RANGES. Ranges are
 * [begin, end) with end DO_SIZE_UNKNOWN for the end of the object.
 */
HRESULT do_plan_check_ranges(const struct do_range *ranges, size_t count, uint64_t size);

/** Whether ranges are the whole object: none at all, or one from 0 to its end. */
bool do_plan_is_whole(const struct do_range *ranges, size_t count);

/** A plan for ranges in the order given. */
HRESULT do_plan_init(struct do_plan *plan, const struct do_range *ranges, size_t count);
void do_plan_finish(struct do_plan *plan);

/**
 * The object's size became known. DO_E_INVALID_RANGE when a segment lies beyond it; the plan is
 * then unchanged.
 */
HRESULT do_plan_resolve(struct do_plan *plan, uint64_t object_size);

/** Forgets the object's size again: its content changed. ranges are those of do_plan_init. */
void do_plan_unresolve(struct do_plan *plan, const struct do_range *ranges);

/** Size of the local file, DO_SIZE_UNKNOWN while the end of a segment is. */
uint64_t do_plan_local_size(const struct do_plan *plan);

/** The first missing piece, within one segment. False when have covers the plan. */
bool do_plan_next(
    const struct do_plan *plan, const struct do_range_set *have, struct do_fetch *fetch);

#endif
