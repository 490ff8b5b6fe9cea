/* SPDX-License-Identifier: MIT */
/*
 * A set of bytes as sorted, disjoint, non-adjacent half-open ranges [begin, end). Which bytes of a
 * file are local is one of these. Not synchronised.
 */
#ifndef DO_BASE_RANGE_SET_H
#define DO_BASE_RANGE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

struct do_range
{
    uint64_t begin;
    uint64_t end;
};

struct do_range_set
{
    struct do_range *ranges;
    size_t count;
    size_t capacity;
};

void do_range_set_init(struct do_range_set *set);
void do_range_set_finish(struct do_range_set *set);

/**
 * Adds [begin, end), merging with what it touches. An empty range adds nothing.
 * E_INVALIDARG when end < begin; E_OUTOFMEMORY leaves the set as it was.
 */
HRESULT do_range_set_add(struct do_range_set *set, uint64_t begin, uint64_t end);

/** Takes [begin, end) out. E_OUTOFMEMORY leaves the set as it was. */
HRESULT do_range_set_remove(struct do_range_set *set, uint64_t begin, uint64_t end);

/** Replaces the content of set with that of other. E_OUTOFMEMORY leaves it as it was. */
HRESULT do_range_set_copy(struct do_range_set *set, const struct do_range_set *other);

/** Empties the set, keeping its memory. */
void do_range_set_clear(struct do_range_set *set);

/** Number of bytes in the set. */
uint64_t do_range_set_size(const struct do_range_set *set);

/** Whether all of [begin, end) is in the set; an empty range always is. */
bool do_range_set_contains(const struct do_range_set *set, uint64_t begin, uint64_t end);

/**
 * The first gap at or after begin and before end: *gap = [first missing byte, next present byte or
 * end). False when nothing is missing there.
 */
bool do_range_set_first_gap(
    const struct do_range_set *set, uint64_t begin, uint64_t end, struct do_range *gap);

#endif
