/* SPDX-License-Identifier: MIT */
/*
 * The door to the operating system for threads, locks, clocks, randomness and processes. Two
 * implementations: plat_win.c and plat_posix.c (native test builds). Any thread.
 */
#ifndef DO_PLAT_PLAT_H
#define DO_PLAT_PLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

/** A lock. Locks are leaves: nothing is called while one is held. Not recursive. */
struct do_mutex
{
    union
    {
        void *align;
        unsigned char bytes[64];
    } os;
};

/** A condition variable, used with one mutex. */
struct do_cond
{
    union
    {
        void *align;
        unsigned char bytes[64];
    } os;
};

struct do_thread;

/** The body of a thread. */
typedef void (*do_thread_fn)(void *ctx);

void do_mutex_init(struct do_mutex *mutex);
void do_mutex_finish(struct do_mutex *mutex);
void do_mutex_lock(struct do_mutex *mutex);
void do_mutex_unlock(struct do_mutex *mutex);

/**
 * The one mutex of the module's lifetime, for the engine slot; it needs no init and is never
 * finished.
 */
struct do_mutex *do_mutex_module(void);

void do_cond_init(struct do_cond *cond);
void do_cond_finish(struct do_cond *cond);
void do_cond_wait(struct do_cond *cond, struct do_mutex *mutex);
/** Returns false when timeout_ms passed without a signal. */
bool do_cond_wait_ms(struct do_cond *cond, struct do_mutex *mutex, uint32_t timeout_ms);
void do_cond_signal(struct do_cond *cond);
void do_cond_broadcast(struct do_cond *cond);

/** The condition that goes with do_mutex_module(). */
struct do_cond *do_cond_module(void);

/**
 * Starts a thread. On Windows the thread holds a reference on the module that contains this code
 * until its very end, so that the module cannot be unloaded under it.
 * name is borrowed and must be static. *thread is joined (do_thread_join) or detached exactly once.
 */
HRESULT do_thread_start(
    const char *name, do_thread_fn function, void *ctx, struct do_thread **thread);

/** Waits for the end of the thread and frees it. Never called by the thread itself. NULL is fine.
 */
void do_thread_join(struct do_thread *thread);

/** Frees the handle and lets the thread run on. NULL is fine. */
void do_thread_detach(struct do_thread *thread);

/** A number that is unique among the living threads of this process. */
uint64_t do_thread_current_id(void);

/**
 * From now on this thread counts as the one with that id, which waits for it; 0 ends that. Windows
 * only.
 */
void do_thread_act_as(uint64_t id);

/** Milliseconds of a clock that never jumps. */
uint64_t do_clock_ms(void);

/** Whether a wait of 1 ms takes about that long; Windows' own are as coarse as its clock tick. */
bool do_plat_has_fine_waits(void);

/** Keeps the module that contains this code loaded until the process ends. */
void do_plat_pin_module(void);

/** UTC now as a FILETIME: 100 ns units since 1601-01-01. */
uint64_t do_clock_filetime(void);

/** The hour of the local day now, 0 to 23. */
uint32_t do_clock_local_hour(void);

/** Fills data with cryptographically strong random bytes. */
HRESULT do_random_bytes(void *data, size_t length);

/** Who a process is: a number, and its start time, since numbers are used again. */
struct do_process
{
    uint64_t id;
    uint64_t start;
};

struct do_process do_process_self(void);

/** Whether that very process still runs. */
bool do_process_is_alive(struct do_process process);

#endif
