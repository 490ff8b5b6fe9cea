/* SPDX-License-Identifier: MIT */
/*
 * The network's cost, and which jobs may run under it. The platform is asked now and then by a
 * thread of its own, which exists from the first job that runs; what it says is applied on the
 * loop. A platform that does not know restricts nothing.
 */
#ifndef DO_JOB_CONDITIONS_H
#define DO_JOB_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"

/* BITS cost states. (Source: win32 docs, BITS_COST_STATE_*.) */
#define DO_COST_UNRESTRICTED 0x1U
#define DO_COST_CAPPED_USAGE_UNKNOWN 0x2U
#define DO_COST_BELOW_CAP 0x4U
#define DO_COST_NEAR_CAP 0x8U
#define DO_COST_OVERCAP_CHARGED 0x10U
#define DO_COST_OVERCAP_THROTTLED 0x20U
#define DO_COST_USAGE_BASED 0x40U
#define DO_COST_ROAMING 0x80U

/* Sets of states that a job may run under: BITS_JOB_TRANSFER_POLICY. */
#define DO_TRANSFER_ALWAYS 0x800000FFU
#define DO_TRANSFER_NOT_ROAMING 0x8000007FU
#define DO_TRANSFER_NO_SURCHARGE 0x8000006FU
#define DO_TRANSFER_STANDARD 0x80000067U
#define DO_TRANSFER_UNRESTRICTED 0x80000021U

struct do_network_cost
{
    uint32_t state; /* DO_COST_*; 0 = not known */
    bool is_cellular;
};

struct do_engine;
struct do_job;
struct do_conditions;

/** ask may block; look_ms lies between two questions. NULL ask: nothing is ever restricted. */
HRESULT do_conditions_create(struct do_engine *engine, void (*ask)(struct do_network_cost *cost),
    uint32_t look_ms, struct do_conditions **conditions);

/** The loop must not run any more. NULL is accepted. */
void do_conditions_destroy(struct do_conditions *conditions);

/**
 * Whether the job may use the network: S_OK, DO_E_BLOCKED_BY_COST_TRANSFER_POLICY or
 * DO_E_BLOCKED_BY_CELLULAR_POLICY.
 */
HRESULT do_conditions_check_on_loop(struct do_conditions *conditions, const struct do_job *job);

#endif
