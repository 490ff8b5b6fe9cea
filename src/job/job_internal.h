/* SPDX-License-Identifier: MIT */
/*
 * What job.c, job_run.c and engine.c share: the structs, grouped by who may touch them.
 */
#ifndef DO_JOB_JOB_INTERNAL_H
#define DO_JOB_JOB_INTERNAL_H

#include <stdatomic.h>

#include "base/backoff.h"
#include "base/list.h"
#include "job/engine.h"
#include "job/job.h"
#include "plat/plat.h"
#include "store/part_file.h"
#include "store/queue_db.h"
#include "transfer/transfer.h"

struct do_job_file
{
    struct do_job *job; /* its owner */
    uint32_t index;
    struct do_progress progress;

    /* The client's texts and ranges never change; the rest is the loop's, and during a Complete or
     * Cancel the caller's. */
    struct do_file_record record;
    struct do_part_file *part; /* one reference, or NULL before the first byte */
};

struct do_job
{
    atomic_int references;
    struct do_engine *engine;

    /* One call that changes the job at a time: under lock. */
    struct do_cond call_ended;
    bool call_running;

    /* Written by the loop under lock, read by the loop without it and by others under it. */
    struct do_mutex lock;
    struct do_job_record record;
    enum do_job_state state;
    struct do_job_file **files;
    size_t file_count;
    size_t file_capacity;

    /* On the loop. */
    struct do_list link;         /* in the engine's jobs; the list holds one reference */
    struct do_job_file *current; /* whose transfer runs */
    struct do_transfer *transfer;
    struct do_timer retry_timer;
    struct do_timer progress_timer;
    struct do_backoff backoff;
    uint32_t fast_retries;      /* left before the job shows TRANSIENT_ERROR */
    uint64_t progress_since_ms; /* when the no-progress clock began */
    HRESULT last_failure;       /* the last concrete failure since then; S_OK = none */
    bool halted;                /* by a call that has not ended: must not run meanwhile */
    bool has_slot;              /* counts among the running jobs */
    bool holds_engine;          /* active: one engine reference */
};

struct do_engine
{
    struct do_engine_config config;
    struct do_transfer_env env;
    struct do_thread *thread;
    struct do_process process;
    struct do_loop_op quit_op;

    /* On the loop. */
    struct do_list jobs;
    uint32_t running_jobs;
};

/* engine.c */

/** Lets queued jobs run while there is room, the most important and oldest first. */
void do_engine_schedule_on_loop(struct do_engine *engine);

/* job.c */

/** An object for a stored job; its files are added with do_job_restore_file (job_files.c). One
 * inner reference.
 */
HRESULT do_job_create_object(
    struct do_engine *engine, const struct do_job_record *record, struct do_job **job);
HRESULT do_job_restore_file(struct do_job *job, const struct do_file_record *record);
void do_job_retain_inner(struct do_job *job);
void do_job_release_inner(struct do_job *job);

void do_job_file_destroy(struct do_job_file *file);

/* job_calls.c */

/* A change that is one operation on the loop. */
struct do_job_change
{
    struct do_job *job;
    const void *argument;
    void *result;
    HRESULT hr;
};

/** Calls that change the job wait for one another between these two. Not on the loop. */
void do_job_begin_call(struct do_job *job);
void do_job_end_call(struct do_job *job);

/** A whole call that is one operation on the loop; function gets a struct do_job_change. */
HRESULT do_job_change(struct do_job *job, do_loop_fn function, const void *argument, void *result);

/* job_run.c: the loop's side of a job */

/** Initialises the loop's part of a new job. Called before the job is shared, on any thread. */
void do_job_init_run(struct do_job *job);

/** Sets the state, notes the time, stores the row, and takes or gives back what a state needs. */
void do_job_set_state_on_loop(struct do_job *job, enum do_job_state state);

/** Stores the row; a failure is logged, the job goes on. */
void do_job_store_on_loop(struct do_job *job);

/** Begins or goes on to transfer: called by the scheduler. */
void do_job_run_on_loop(struct do_job *job);

/** Ends all activity of the job: timers, transfer attempt. The transfer object stays. */
void do_job_halt_on_loop(struct do_job *job);

/** Lets go of the transfer object, after a halt. keep: see do_transfer_release_on_loop. */
void do_job_drop_transfer_on_loop(struct do_job *job, bool keep);

/** Sets or (S_OK) clears the error. */
void do_job_set_error_on_loop(struct do_job *job, HRESULT code, enum do_error_context context,
    const struct do_job_file *file);

/** The no-progress clock begins anew, and so do the fast retries. */
void do_job_reset_progress_clock_on_loop(struct do_job *job);

/** The no-progress time-out changed: a job that runs is held to the new one from now on. */
void do_job_apply_timeout_on_loop(struct do_job *job);

#endif
