/* SPDX-License-Identifier: MIT */
/*
 * Memory of the engine over the C library's heap, counted, with a fail-the-nth hook for tests.
 * Any thread; the two counters are atomic.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_int_fast64_t outstanding;
static atomic_uint_fast64_t fail_countdown;

/* Whether this allocation is the one that a test wants to fail. */
static bool must_fail(void)
{
    uint_fast64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);

    while (left)
    {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
            return left == 1;
    }
    return false;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&outstanding, 1, memory_order_relaxed);
    return block;
}

void *do_alloc(size_t size)
{
    return do_alloc_array(1, size);
}

void *do_alloc_array(size_t count, size_t size)
{
    /* Sanitizers end the process when calloc finds it. */
    if (size && count > SIZE_MAX / size)
        return NULL;
    return must_fail() ? NULL : counted(calloc(count ? count : 1, size ? size : 1));
}

void *do_alloc_raw(size_t size)
{
    return must_fail() ? NULL : counted(malloc(size ? size : 1));
}

void *do_realloc_array(void *block, size_t count, size_t size)
{
    size_t bytes = count * size;
    void *grown;

    if (size && count > SIZE_MAX / size)
        return NULL;
    if (must_fail())
        return NULL;
    grown = realloc(block, bytes ? bytes : 1);
    return block ? grown : counted(grown);
}

void do_free(void *block)
{
    if (!block)
        return;
    atomic_fetch_sub_explicit(&outstanding, 1, memory_order_relaxed);
    free(block);
}

void *do_memdup(const void *data, size_t length)
{
    void *copy = do_alloc_raw(length);

    if (copy && length)
        memcpy(copy, data, length);
    return copy;
}

void do_alloc_fail_nth(uint64_t n)
{
    atomic_store(&fail_countdown, n);
}

int64_t do_alloc_outstanding(void)
{
    return atomic_load(&outstanding);
}

bool do_checked_add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
    if (a > UINT64_MAX - b)
        return false;
    *sum = a + b;
    return true;
}
