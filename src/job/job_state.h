/* SPDX-License-Identifier: MIT */
/*
 * The states of a job and what calls and events do to them: one table, pure. The numbers are those
 * of BG_JOB_STATE. (Source: win32 docs, "Delivery Optimization", and BITS for what they leave
 * open.)
 */
#ifndef DO_JOB_JOB_STATE_H
#define DO_JOB_JOB_STATE_H

#include <stdbool.h>

#include "base/hr.h"

enum do_job_state
{
    DO_JOB_QUEUED,     /* wants to run, waits for its turn */
    DO_JOB_CONNECTING, /* never used */
    DO_JOB_TRANSFERRING,
    DO_JOB_SUSPENDED,
    DO_JOB_ERROR,
    DO_JOB_TRANSIENT_ERROR, /* tries again by itself */
    DO_JOB_TRANSFERRED,     /* every byte is local; waits for Complete */
    DO_JOB_ACKNOWLEDGED,
    DO_JOB_CANCELLED,
    DO_JOB_STATE_COUNT
};

/* What a client can call; SET stands for every setter that final states refuse. */
enum do_job_call
{
    DO_CALL_RESUME,
    DO_CALL_SUSPEND,
    DO_CALL_CANCEL,
    DO_CALL_COMPLETE,
    DO_CALL_ADD_FILE,
    DO_CALL_SET,
    DO_CALL_COUNT
};

/**
 * The state after a call that succeeds, in *next; a Resume goes to QUEUED, from where the scheduler
 * lets it run before the call returns when there is room.
 * DO_E_INVALID_STATE, *next = state, when the call is not allowed.
 */
HRESULT do_job_state_after_call(
    enum do_job_state state, enum do_job_call call, enum do_job_state *next);

/** Whether the job wants the network: QUEUED, TRANSFERRING, TRANSIENT_ERROR. */
bool do_job_state_is_active(enum do_job_state state);

/** Whether the job has left the queue: ACKNOWLEDGED, CANCELLED. */
bool do_job_state_is_final(enum do_job_state state);

#endif
