/* SPDX-License-Identifier: MIT */
/*
 * A set of bytes as sorted half-open ranges in one array. Additions near the end, which is what a
 * download does, cost one binary search. Not synchronised.
 */
#include "base/range_set.h"

#include <string.h>

#include "base/alloc.h"

void do_range_set_init(struct do_range_set *set)
{
    memset(set, 0, sizeof(*set));
}

void do_range_set_finish(struct do_range_set *set)
{
    do_free(set->ranges);
    do_range_set_init(set);
}

void do_range_set_clear(struct do_range_set *set)
{
    set->count = 0;
}

/* Index of the first range that ends at or after offset: the first that [offset, ...) touches. */
static size_t find(const struct do_range_set *set, uint64_t offset)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high)
    {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].end < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static HRESULT reserve(struct do_range_set *set, size_t count)
{
    struct do_range *grown;
    size_t capacity;

    if (count <= set->capacity)
        return S_OK;
    capacity = set->capacity ? set->capacity * 2 : 8;
    if (capacity < count)
        capacity = count;
    if (!(grown = do_realloc_array(set->ranges, capacity, sizeof(*grown))))
        return E_OUTOFMEMORY;
    set->ranges = grown;
    set->capacity = capacity;
    return S_OK;
}

HRESULT do_range_set_add(struct do_range_set *set, uint64_t begin, uint64_t end)
{
    size_t first;
    size_t last;
    HRESULT hr;

    if (end < begin)
        return E_INVALIDARG;
    if (end == begin)
        return S_OK;

    first = find(set, begin);
    for (last = first; last < set->count && set->ranges[last].begin <= end; last++)
    {
        if (set->ranges[last].begin < begin)
            begin = set->ranges[last].begin;
        if (set->ranges[last].end > end)
            end = set->ranges[last].end;
    }

    /* [first, last) is replaced by one range. */
    if (first == last)
    {
        if (FAILED(hr = reserve(set, set->count + 1)))
            return hr;
        memmove(&set->ranges[first + 1], &set->ranges[first],
            (set->count - first) * sizeof(*set->ranges));
        set->count++;
    }
    else if (last - first > 1)
    {
        memmove(&set->ranges[first + 1], &set->ranges[last],
            (set->count - last) * sizeof(*set->ranges));
        set->count -= last - first - 1;
    }
    set->ranges[first].begin = begin;
    set->ranges[first].end = end;
    return S_OK;
}

HRESULT do_range_set_remove(struct do_range_set *set, uint64_t begin, uint64_t end)
{
    struct do_range_set left;
    HRESULT hr = S_OK;

    do_range_set_init(&left);
    for (size_t i = 0; i < set->count && SUCCEEDED(hr); i++)
    {
        const struct do_range *range = &set->ranges[i];

        if (range->begin < begin)
            hr = do_range_set_add(&left, range->begin, range->end < begin ? range->end : begin);
        if (SUCCEEDED(hr) && range->end > end)
            hr = do_range_set_add(&left, range->begin > end ? range->begin : end, range->end);
    }
    if (FAILED(hr))
    {
        do_range_set_finish(&left);
        return hr;
    }
    do_range_set_finish(set);
    *set = left;
    return S_OK;
}

HRESULT do_range_set_copy(struct do_range_set *set, const struct do_range_set *other)
{
    HRESULT hr;

    if (FAILED(hr = reserve(set, other->count)))
        return hr;
    if (other->count)
        memcpy(set->ranges, other->ranges, other->count * sizeof(*set->ranges));
    set->count = other->count;
    return S_OK;
}

uint64_t do_range_set_size(const struct do_range_set *set)
{
    uint64_t size = 0;

    for (size_t i = 0; i < set->count; i++)
        size += set->ranges[i].end - set->ranges[i].begin;
    return size;
}

bool do_range_set_contains(const struct do_range_set *set, uint64_t begin, uint64_t end)
{
    struct do_range gap;

    return !do_range_set_first_gap(set, begin, end, &gap);
}

bool do_range_set_first_gap(
    const struct do_range_set *set, uint64_t begin, uint64_t end, struct do_range *gap)
{
    size_t i;

    if (begin >= end)
        return false;
    for (i = find(set, begin); i < set->count && set->ranges[i].begin <= begin; i++)
    {
        if (set->ranges[i].end > begin)
            begin = set->ranges[i].end;
    }
    if (begin >= end)
        return false;
    gap->begin = begin;
    gap->end = i < set->count && set->ranges[i].begin < end ? set->ranges[i].begin : end;
    return true;
}
