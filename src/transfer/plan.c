/* SPDX-License-Identifier: MIT */
/*
 * Segments of the remote object and their places in the local file. Pure.
 */
#include "transfer/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/queue_db.h"

static int compare_begin(const void *a, const void *b)
{
    const struct do_range *left = a;
    const struct do_range *right = b;

    if (left->begin == right->begin)
        return 0;
    return left->begin < right->begin ? -1 : 1;
}

HRESULT do_plan_check_ranges(const struct do_range *ranges, size_t count, uint64_t size)
{
    struct do_range *sorted;
    HRESULT hr = S_OK;

    for (size_t i = 0; i < count; i++)
    {
        if (ranges[i].begin == DO_SIZE_UNKNOWN || ranges[i].end <= ranges[i].begin)
            return DO_E_INVALID_RANGE;
        if (size != DO_SIZE_UNKNOWN &&
            (ranges[i].begin >= size || (ranges[i].end != DO_SIZE_UNKNOWN && ranges[i].end > size)))
            return DO_E_INVALID_RANGE;
    }
    if (!count)
        return S_OK;
    if (!(sorted = do_alloc_array(count, sizeof(*sorted))))
        return E_OUTOFMEMORY;
    memcpy(sorted, ranges, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_begin);
    for (size_t i = 1; i < count && SUCCEEDED(hr); i++)
    {
        /* A range up to the end of the object has the largest end and must be the last. */
        if (sorted[i].begin < sorted[i - 1].end)
            hr = DO_E_OVERLAPPING_RANGES;
    }
    do_free(sorted);
    return hr;
}

bool do_plan_is_whole(const struct do_range *ranges, size_t count)
{
    return !count || (count == 1 && !ranges[0].begin && ranges[0].end == DO_SIZE_UNKNOWN);
}

/* Lays the segments down one after the other, as far as their lengths are known. */
static void place(struct do_plan *plan)
{
    uint64_t local = 0;

    plan->is_resolved = true;
    for (size_t i = 0; i < plan->count; i++)
    {
        struct do_segment *segment = &plan->segments[i];

        segment->local_begin = local;
        if (segment->remote_end == DO_SIZE_UNKNOWN)
            plan->is_resolved = false;
        else
            local += segment->remote_end - segment->remote_begin;
    }
}

HRESULT do_plan_init(struct do_plan *plan, const struct do_range *ranges, size_t count)
{
    memset(plan, 0, sizeof(*plan));
    plan->is_whole = do_plan_is_whole(ranges, count);
    plan->count = count ? count : 1;
    if (!(plan->segments = do_alloc_array(plan->count, sizeof(*plan->segments))))
        return E_OUTOFMEMORY;
    do_plan_unresolve(plan, ranges);
    return S_OK;
}

void do_plan_finish(struct do_plan *plan)
{
    do_free(plan->segments);
    memset(plan, 0, sizeof(*plan));
}

void do_plan_unresolve(struct do_plan *plan, const struct do_range *ranges)
{
    for (size_t i = 0; i < plan->count; i++)
    {
        plan->segments[i].remote_begin = plan->is_whole ? 0 : ranges[i].begin;
        plan->segments[i].remote_end = plan->is_whole ? DO_SIZE_UNKNOWN : ranges[i].end;
    }
    place(plan);
}

HRESULT do_plan_resolve(struct do_plan *plan, uint64_t object_size)
{
    for (size_t i = 0; i < plan->count; i++)
    {
        const struct do_segment *segment = &plan->segments[i];

        /* The whole of an empty object is the one segment that may be empty. */
        if (segment->remote_end == DO_SIZE_UNKNOWN
                ? segment->remote_begin >= object_size && !plan->is_whole
                : segment->remote_end > object_size)
            return DO_E_INVALID_RANGE;
    }
    for (size_t i = 0; i < plan->count; i++)
    {
        if (plan->segments[i].remote_end == DO_SIZE_UNKNOWN)
            plan->segments[i].remote_end = object_size;
    }
    place(plan);
    return S_OK;
}

uint64_t do_plan_local_size(const struct do_plan *plan)
{
    const struct do_segment *last = &plan->segments[plan->count - 1];

    if (!plan->is_resolved)
        return DO_SIZE_UNKNOWN;
    return last->local_begin + (last->remote_end - last->remote_begin);
}

bool do_plan_next(
    const struct do_plan *plan, const struct do_range_set *have, struct do_fetch *fetch)
{
    for (size_t i = 0; i < plan->count; i++)
    {
        const struct do_segment *segment = &plan->segments[i];
        uint64_t local_end = DO_SIZE_UNKNOWN;
        struct do_range gap;

        if (segment->remote_end != DO_SIZE_UNKNOWN)
            local_end = segment->local_begin + (segment->remote_end - segment->remote_begin);
        if (!do_range_set_first_gap(have, segment->local_begin, local_end, &gap))
            continue;
        fetch->remote_begin = segment->remote_begin + (gap.begin - segment->local_begin);
        fetch->remote_end = gap.end == DO_SIZE_UNKNOWN
                                ? DO_SIZE_UNKNOWN
                                : segment->remote_begin + (gap.end - segment->local_begin);
        fetch->local_begin = gap.begin;
        return true;
    }
    return false;
}
