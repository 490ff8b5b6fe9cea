/* SPDX-License-Identifier: MIT */
/*
 * Named places in the course of what must survive a crash, where a test may end the process. They
 * exist in builds with DOSVC_CRASH_POINTS only (native test builds); in all others they are
 * nothing. Any thread; a function set there runs on the thread that came by, perhaps under a lock,
 * and either returns or never does.
 */
#ifndef DO_BASE_CRASH_POINT_H
#define DO_BASE_CRASH_POINT_H

#ifdef DOSVC_CRASH_POINTS

/** Told the name of each point that is reached. */
typedef void (*do_crash_point_fn)(void *ctx, const char *name);

/** NULL ends it. Set before the threads that come by are started. */
void do_crash_point_set(do_crash_point_fn function, void *ctx);

void do_crash_point_reach(const char *name);

#define DO_CRASH_POINT(name) do_crash_point_reach(name)

#else

#define DO_CRASH_POINT(name) ((void)0)

#endif

#endif
