/* SPDX-License-Identifier: MIT */
/*
 * Notices to clients. A small pool of delivery threads calls listeners with no lock held; the
 * notices of one job come one after the other and in order, and a client whose callback blocks
 * delays no other job's. Each job has a mailbox; posting never allocates, so no notice is lost.
 *
 * JOB_ERROR and JOB_TRANSFERRED are repeated until the listener returns S_OK, 1 s later, then 2 s,
 * doubling up to 60 s, and no longer than the job stays in that state. JOB_MODIFICATION comes at
 * most every 500 ms. A job's mailbox keeps an outer reference on its job while a notice waits or is
 * being delivered, so that the engine lives at least as long.
 *
 * Whoever calls a function here keeps the engine alive for the time of the call, and holds none of
 * its locks.
 */
#ifndef DO_JOB_NOTIFY_H
#define DO_JOB_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/list.h"
#include "job/client_ref.h"

struct do_notifier;

#define DO_NOTICE_STATUS_RING 8U

/* How far apart two JOB_MODIFICATION of a job begin. (Source: win32 docs, BITS JobModification.) */
#define DO_NOTICE_MODIFICATION_MS 500U

/* How long after a refused JOB_ERROR or JOB_TRANSFERRED the next one comes: doubled each time. */
#define DO_NOTICE_RETRY_FIRST_MS 1000U
#define DO_NOTICE_RETRY_MAX_MS 60000U

/* Delivery threads: how many at most, and how long one waits for work before it ends. */
#define DO_NOTICE_MAX_THREADS 64U
#define DO_NOTICE_IDLE_MS 10000U

/** A job's mailbox, embedded in struct do_job. All of it is under the notifier's lock. */
struct do_mailbox
{
    struct do_list link;          /* among those that have something to tell, or that tell it */
    struct do_listener *listener; /* one reference, or NULL */
    uint32_t listener_number;     /* counts the listeners there were */
    uint32_t flags;               /* which notices the listener wants (enum do_notice) */
    uint32_t pending;             /* which notices wait; only wanted ones */
    bool closing;                 /* what waits is the last; then the listener goes */
    bool holds_job;               /* an outer reference on the job is ours */
    uint64_t modification_due_ms; /* not before */
    uint64_t retry_due_ms;        /* a repeated TRANSFERRED or ERROR: not before */
    uint32_t retry_delay_ms;
    uint32_t next_file; /* FILE_TRANSFERRED: files below are told or were never to be told */
    struct do_download_status statuses[DO_NOTICE_STATUS_RING]; /* oldest first */
    uint32_t status_count;

    /* The delivery in flight. */
    bool delivering;
    bool forgotten; /* do not repeat it */
    uint64_t thread_id;
    uint32_t delivery_number;
    struct do_mailbox *waits_for; /* its thread waits in do_notify_flush for that one's */
};

/** begins and ends (may be NULL) run on each delivery thread around its life. */
HRESULT do_notifier_create(void (*begins)(void), void (*ends)(void), struct do_notifier **notifier);

/**
 * Gives back the listeners that were dropped, on a delivery thread, and waits for the delivery
 * threads to end. Nothing waits to be told and nothing may be posted any more: every mailbox must
 * have been cleared (do_notify_set_listener with NULL). NULL is accepted.
 */
void do_notifier_destroy(struct do_notifier *notifier);

/** flags: which notices a new listener gets. No listener yet. */
void do_mailbox_init(struct do_mailbox *mailbox, uint32_t flags);

/**
 * Replaces the listener; the mailbox takes a reference of its own. The old one gets no further call
 * that has not begun yet; when the mailbox had its last reference it is destroyed on a delivery
 * thread. What waits is told to the new one at once, also when the old one had refused it; the
 * result of a delivery in flight has no effect. NULL clears, and forgets what waits. Any thread,
 * also the loop.
 */
void do_notify_set_listener(
    struct do_notifier *notifier, struct do_job *job, struct do_listener *listener);

/** The listener goes once it was told what waits. Nothing more may be posted. Any thread. */
void do_notify_close(struct do_notifier *notifier, struct do_job *job);

/** Clears the listener if the job itself names it (is_stored). Any thread. */
void do_notify_forget_stored_listener(struct do_notifier *notifier, struct do_job *job);

/** Whether there is a listener, whatever it wants. Any thread. */
bool do_notify_has_listener(struct do_notifier *notifier, struct do_job *job);

/** The listener with a reference, or NULL. Any thread. */
struct do_listener *do_notify_get_listener(struct do_notifier *notifier, struct do_job *job);

/**
 * Which notices the listener wants; what waits and is not wanted is forgotten. DO_NOTICE_DISABLE:
 * none. FILE_TRANSFERRED is told of files that are transferred after it was wanted. Any thread.
 */
void do_notify_set_flags(struct do_notifier *notifier, struct do_job *job, uint32_t flags);
uint32_t do_notify_get_flags(struct do_notifier *notifier, struct do_job *job);

/**
 * Posts one of the notices without a status; does nothing when nobody wants it. Of one kind at most
 * one waits. FILE_TRANSFERRED stands for every file that is transferred and was not told yet. The
 * job's state and its files' flags must have been set before. Any thread.
 */
void do_notify_post(struct do_notifier *notifier, struct do_job *job, enum do_notice notice);

/**
 * Posts a status. When the newest one that waits has the same state it is replaced, so that
 * progress does not pile up; state changes are never dropped while fewer than DO_NOTICE_STATUS_RING
 * wait, then the oldest is. Any thread.
 */
void do_notify_post_status(
    struct do_notifier *notifier, struct do_job *job, const struct do_download_status *status);

/**
 * Forgets what waits and waits for a delivery in flight, unless the caller is that delivery, or is
 * another one that it, in turn, waits for. A callback may call anything: hold nothing that a call
 * on this job waits for. Not on the loop.
 */
void do_notify_flush(struct do_notifier *notifier, struct do_job *job);

/** Whether anybody listens for this notice. Any thread. */
bool do_notify_wants(struct do_notifier *notifier, struct do_job *job, enum do_notice notice);

#endif
