/* SPDX-License-Identifier: MIT */
/*
 * The function that tests have set for crash points. Without DOSVC_CRASH_POINTS there is none.
 */
#include "base/crash_point.h"

#ifdef DOSVC_CRASH_POINTS

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(do_crash_point_fn) point_function;
static _Atomic(void *) point_ctx;

void do_crash_point_set(do_crash_point_fn function, void *ctx)
{
    atomic_store(&point_ctx, ctx);
    atomic_store(&point_function, function);
}

void do_crash_point_reach(const char *name)
{
    do_crash_point_fn function = atomic_load_explicit(&point_function, memory_order_acquire);

    if (function)
        function(atomic_load(&point_ctx), name);
}

#else

/* A translation unit is never empty. */
typedef int do_crash_point_none;

#endif
