/* SPDX-License-Identifier: MIT */
/*
 * The table of states x calls. Pure.
 */
#include "job/job_state.h"

#define REFUSED DO_JOB_STATE_COUNT

static const enum do_job_state after_call[DO_JOB_STATE_COUNT][DO_CALL_COUNT] = {
    /*                          RESUME              SUSPEND           CANCEL            COMPLETE
                                ADD_FILE            SET */
    [DO_JOB_QUEUED] = {DO_JOB_QUEUED, DO_JOB_SUSPENDED, DO_JOB_CANCELLED, DO_JOB_ACKNOWLEDGED,
        DO_JOB_QUEUED, DO_JOB_QUEUED},
    [DO_JOB_CONNECTING] = {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
    [DO_JOB_TRANSFERRING] = {DO_JOB_TRANSFERRING, DO_JOB_SUSPENDED, DO_JOB_CANCELLED,
        DO_JOB_ACKNOWLEDGED, DO_JOB_TRANSFERRING, DO_JOB_TRANSFERRING},
    [DO_JOB_SUSPENDED] = {DO_JOB_QUEUED, DO_JOB_SUSPENDED, DO_JOB_CANCELLED, DO_JOB_ACKNOWLEDGED,
        DO_JOB_SUSPENDED, DO_JOB_SUSPENDED},
    [DO_JOB_ERROR] = {DO_JOB_QUEUED, DO_JOB_ERROR, DO_JOB_CANCELLED, DO_JOB_ACKNOWLEDGED,
        DO_JOB_ERROR, DO_JOB_ERROR},
    [DO_JOB_TRANSIENT_ERROR] = {DO_JOB_QUEUED, DO_JOB_SUSPENDED, DO_JOB_CANCELLED,
        DO_JOB_ACKNOWLEDGED, DO_JOB_TRANSIENT_ERROR, DO_JOB_TRANSIENT_ERROR},
    [DO_JOB_TRANSFERRED] = {DO_JOB_TRANSFERRED, DO_JOB_TRANSFERRED, DO_JOB_CANCELLED,
        DO_JOB_ACKNOWLEDGED, DO_JOB_SUSPENDED, DO_JOB_TRANSFERRED},
    [DO_JOB_ACKNOWLEDGED] = {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
    [DO_JOB_CANCELLED] = {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
};

HRESULT do_job_state_after_call(
    enum do_job_state state, enum do_job_call call, enum do_job_state *next)
{
    enum do_job_state after = after_call[state][call];

    *next = after == REFUSED ? state : after;
    return after == REFUSED ? DO_E_INVALID_STATE : S_OK;
}

bool do_job_state_is_active(enum do_job_state state)
{
    return state == DO_JOB_QUEUED || state == DO_JOB_TRANSFERRING ||
           state == DO_JOB_TRANSIENT_ERROR;
}

bool do_job_state_is_final(enum do_job_state state)
{
    return state == DO_JOB_ACKNOWLEDGED || state == DO_JOB_CANCELLED;
}
