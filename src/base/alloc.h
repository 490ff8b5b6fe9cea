/* SPDX-License-Identifier: MIT */
/*
 * Memory of the engine. Every allocation of ours passes here, so that a test can make the n-th one
 * fail and can count what is still held. Any thread.
 */
#ifndef DO_BASE_ALLOC_H
#define DO_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** size bytes, zeroed; NULL when out of memory. Free with do_free. */
void *do_alloc(size_t size);

/** count x size bytes, zeroed, overflow checked; NULL when out of memory. Free with do_free. */
void *do_alloc_array(size_t count, size_t size);

/** size bytes, not zeroed: for buffers that are written before they are read. */
void *do_alloc_raw(size_t size);

/**
 * Grows (or shrinks) an array; the new part is not zeroed. On failure returns NULL and leaves the
 * old block as it was.
 */
void *do_realloc_array(void *block, size_t count, size_t size);

/** Frees what the functions above returned. NULL is accepted. */
void do_free(void *block);

/** Bytes of a do_alloc'ed copy of length bytes at data; NULL when out of memory. */
void *do_memdup(const void *data, size_t length);

/** Test hook: the n-th allocation from now fails once (1 = the next one); 0 switches it off. */
void do_alloc_fail_nth(uint64_t n);

/** Test hook: allocations made and not yet freed. */
int64_t do_alloc_outstanding(void);

/** *sum = a + b; false on overflow, *sum then untouched. */
bool do_checked_add_u64(uint64_t a, uint64_t b, uint64_t *sum);

#endif
