/* SPDX-License-Identifier: MIT */
/*
 * Whether there is a network and what it costs, and which jobs may run so. The platform is asked by
 * a thread of its own, which exists from the first job that runs: for its interfaces every other
 * second while a job is active, for the cost now and then and when those change. What it says is
 * applied on the loop. A platform that does not know restricts nothing.
 */
#ifndef DO_JOB_CONDITIONS_H
#define DO_JOB_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "plat/network.h"

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

/** Whom to ask, and how often. */
struct do_conditions_settings
{
    void (*cost)(struct do_network_cost *cost); /* may block; NULL: it is never restricted */
    void (*network)(struct do_network *network);
    uint32_t cost_ms;
    uint32_t network_ms;
};

HRESULT do_conditions_create(struct do_engine *engine,
    const struct do_conditions_settings *settings, struct do_conditions **conditions);

/** The loop must not run any more. NULL is accepted. */
void do_conditions_destroy(struct do_conditions *conditions);

/** Whether a job is active: only then interfaces are watched. */
void do_conditions_set_watched_on_loop(struct do_conditions *conditions, bool watched);

/**
 * Whether the job may use the network: S_OK, DO_E_BLOCKED_BY_NO_NETWORK,
 * DO_E_BLOCKED_BY_COST_TRANSFER_POLICY or DO_E_BLOCKED_BY_CELLULAR_POLICY.
 */
HRESULT do_conditions_check_on_loop(struct do_conditions *conditions, const struct do_job *job);

/**
 * Whether the job cannot reach its server since there is no network. A network that was never seen
 * does not keep jobs from trying: a proxy on this machine may be the way out, as in sandboxes. It
 * only says why they failed.
 */
bool do_conditions_lacks_network_on_loop(
    const struct do_conditions *conditions, const struct do_job *job);

#endif
