/* SPDX-License-Identifier: MIT */
/*
 * What the rooms of jobs and of the engine share: the structs, grouped by who may touch them.
 */
#ifndef DO_JOB_JOB_INTERNAL_H
#define DO_JOB_JOB_INTERNAL_H

#include <stdatomic.h>

#include "base/backoff.h"
#include "base/list.h"
#include "job/conditions.h"
#include "job/download.h"
#include "job/engine.h"
#include "job/job.h"
#include "job/notify.h"
#include "plat/plat.h"
#include "store/part_file.h"
#include "store/policy.h"
#include "store/queue_db.h"
#include "transfer/transfer.h"

/* Lists that jobs are spread over by their ids, which are random. */
#define DO_JOB_BUCKETS 256U

struct do_job_file
{
    struct do_job *job; /* its owner */
    uint32_t index;
    struct do_progress progress;
    struct do_http_facts facts;

    /* The loop's, and during a Complete or Cancel the caller's. */
    struct do_file_record record;
    struct do_part_file *part; /* one reference, or NULL before the first byte */

    /* Under the job's lock. */
    struct do_stream *stream; /* the sink, one reference; NULL for a file with a path */
    uint64_t given_bytes;     /* what a download's stream has of a file that was checked first */
    uint64_t giving_thread;   /* which one */
    bool giving;              /* a thread is inside the stream with more of them */
    uint64_t active_since_ms; /* 0 = its transfer does not run */
    uint64_t active_ms;       /* before that */
};

struct do_job
{
    atomic_int references;
    struct do_engine *engine;

    /* One call that changes the job at a time: under lock. */
    struct do_cond call_ended;
    bool call_running;
    bool call_holds_job; /* an outer reference, given back when it ends */
    uint64_t call_thread_id;
    struct do_list call_waiters; /* those that wait for their turn with an event */
    uint64_t stream_thread_id;   /* who writes to a download's stream; 0 = nobody */

    struct do_mailbox mailbox; /* notices to the client; the notifier's */

    /* Written by the loop under lock, read by the loop without it and by others under it. */
    struct do_mutex lock;
    struct do_job_record record;
    enum do_job_state state;
    struct do_job_file **files;
    size_t file_count;
    size_t file_capacity;
    struct do_cond state_changed;
    bool is_foreign;          /* another living process runs it: this is its mirror (foreign.c) */
    bool blocked;             /* no network, or its cost is not what the client allows */
    bool offline;             /* in TRANSIENT_ERROR since there is no network */
    HRESULT extended_error;   /* of a download: what stands behind its error */
    struct do_stream *stream; /* of a download, until its file has it; one reference */

    /* On the loop. */
    struct do_request_options options;
    struct do_timer notice_timer;   /* looks whether bytes came */
    struct do_timer deadline_timer; /* the maximum download time */
    uint64_t resumed_ms;            /* when the maximum download time began */
    uint64_t told_bytes;            /* BytesTransferred when the listener was last told */
    uint64_t told_ms;               /* and when that was */
    struct do_list link;  /* in the engine's jobs, or mirrors; the list holds one reference */
    struct do_list by_id; /* in the engine's table, as long as it is in one of the lists */
    struct do_job_file *current; /* whose transfer runs */
    struct do_transfer *transfer;
    struct do_writer *stream_writer; /* of a download into a stream; NULL before its start */
    struct do_timer retry_timer;
    struct do_timer network_timer; /* after a change of the network */
    uint64_t network_ms;           /* when that was */
    struct do_timer progress_timer;
    struct do_backoff backoff;
    uint32_t fast_retries;      /* left before the job shows TRANSIENT_ERROR */
    uint64_t progress_since_ms; /* when the no-progress clock began */
    HRESULT last_failure;       /* the last concrete failure since then; S_OK = none */
    bool halted;                /* by a call that has not ended: must not run meanwhile */
    bool out_of_time;           /* halted, waits for the writer before it fails */
    bool was_blocked;           /* since the transfer began: it was stopped in its course */
    bool retry_is_due;          /* in TRANSIENT_ERROR: it waits for a slot, not for its timer */
    bool is_queued;             /* counts among those that wait for a slot */
    bool has_slot;              /* under way, or waits for its next attempt */
    bool is_running;            /* counts among the running jobs */
    bool holds_engine;          /* active: one engine reference */
    bool listens;         /* a mirror that is active, somebody listens: one engine reference */
    uint64_t look_number; /* of a mirror: the last walk that found it */
};

struct do_engine
{
    struct do_engine_config config;
    struct do_transfer_env env;
    struct do_thread *thread;
    struct do_notifier *notifier;
    struct do_conditions *conditions;
    struct do_process process;
    char *stream_target; /* env.stream_target */
    struct do_loop_op quit_op;

    /* On the loop. */
    struct do_list jobs;
    struct do_list mirrors; /* jobs of other processes (foreign.c) */
    struct do_list by_id[DO_JOB_BUCKETS];
    struct do_list take_overs; /* calls that wait for one of them */
    struct do_timer look_timer;
    struct do_timer take_over_timer;
    uint64_t look_number;
    uint64_t seen_version;   /* of the database, when others were looked at last */
    uint64_t listed_version; /* when all mirrors were made */
    uint64_t orphan_count;   /* rows without an owner that could not be adopted */
    uint64_t orphans_due_ms;
    bool looks_again; /* whatever the version */
    bool adopts_own;  /* a job may have come that nobody waits for */
    uint32_t running_jobs;
    uint32_t queued_jobs; /* that wait for a slot, halted ones included */
    uint32_t active_jobs;
    struct do_timer age_timer;
    struct do_policy policy;
    struct do_policy_watch policy_watch;
    bool policy_is_due; /* loading has failed */
    struct do_timer policy_timer;

    /* Any thread. */
    atomic_uint max_download_time_s; /* unless the client says otherwise */
};

/* engine.c */

/** Lets queued jobs run while there is room, the most important and oldest first. */
void do_engine_schedule_on_loop(struct do_engine *engine);

/** One more reference, unless the last one is gone: the engine is then about to end. On the loop.
 */
bool do_engine_retain_if_alive(struct do_engine *engine);

/* engine_jobs.c */

/** The job, or mirror, with this id; NULL. */
struct do_job *do_engine_find_job_on_loop(const struct do_engine *engine, const struct do_guid *id);

/** It is found from now on, until do_list_remove(&job->by_id). Once more is harmless. */
void do_engine_enter_job_on_loop(struct do_engine *engine, struct do_job *job);

/* retention.c */

/** A timer's function whose ctx is the engine: cancels what is too old, now and every hour. */
void do_engine_cancel_old_jobs_on_loop(void *ctx);

/* restore.c */

/**
 * A do_queue_db_job_fn whose ctx is the engine: takes a job that is ours by its row into the queue;
 * one that was running goes on. A mirror of it becomes the job.
 */
HRESULT do_engine_restore_job_on_loop(void *ctx, const struct do_job_record *record,
    const struct do_file_record *files, size_t file_count);

/** An object for a row and its files, is_foreign: a mirror. One inner reference. */
HRESULT do_engine_build_job_on_loop(struct do_engine *engine, bool is_foreign,
    const struct do_job_record *record, const struct do_file_record *files, size_t file_count,
    struct do_job **job);

/* foreign.c */

/** Before the first use; nothing to be finished. */
void do_engine_init_foreign(struct do_engine *engine);

/** Looks for jobs that others want, at mirrors and for orphans from now on. */
void do_engine_watch_others_on_loop(struct do_engine *engine);

/** Makes mirrors of the jobs of all other processes, or of one job; adopts orphans. */
HRESULT do_engine_find_foreign_jobs_on_loop(struct do_engine *engine);
HRESULT do_engine_find_foreign_job_on_loop(struct do_engine *engine, const struct do_guid *id);

/** Makes job what fresh is, which is of the same row and then empty. Tells who listens. */
HRESULT do_job_absorb_on_loop(struct do_job *job, struct do_job *fresh);

/** It is over: final state, listener gone, out of its list, whose reference is given back. */
void do_job_end_on_loop(struct do_job *job, enum do_job_state state);

/** A mirror whose client listens keeps the engine while there is something to come. */
void do_job_hold_mirror_on_loop(struct do_job *job);

/** The row of a mirror is gone: it is completed or cancelled. */
void do_job_end_mirror_on_loop(struct do_job *mirror);

/** Takes the jobs whose owner has ended. */
void do_engine_adopt_orphans_on_loop(struct do_engine *engine);

/* take_over.c */

/** Before the first use; nothing to be finished. */
void do_engine_init_take_overs(struct do_engine *engine);

/** Begins to hand over the jobs of ours that others want. */
void do_engine_hand_over_on_loop(struct do_engine *engine);

/**
 * Makes a mirror a job of ours: its owner is asked for it and waited for. In a call on the job, not
 * on the loop. DO_HR_LOCK_VIOLATION when the owner refuses or does not answer.
 */
HRESULT do_job_take_over(struct do_job *job);

/** Stops jobs that may no longer use the network, and lets those go on that may again. */
void do_engine_apply_conditions_on_loop(struct do_engine *engine);

/* engine_policy.c */

/** The defaults; finish may follow at once. Any thread. */
void do_engine_init_policies(struct do_engine *engine);
void do_engine_finish_policies(struct do_engine *engine);

/** Loads them, and again whenever they change. */
void do_engine_start_policies_on_loop(struct do_engine *engine);

/** The limits on bytes per second, as they follow from policies, hour and link. */
void do_engine_apply_limits_on_loop(struct do_engine *engine);

/** Whether downloads may begin: DO_E_NO_DOWNLOAD_EXTSETTINGS. */
HRESULT do_engine_check_download_on_loop(const struct do_engine *engine);

/** Whether there may be one job more, so many files in a job, so many ranges of a file. */
HRESULT do_engine_check_new_job_on_loop(const struct do_engine *engine);
HRESULT do_engine_check_file_count_on_loop(const struct do_engine *engine, size_t count);
HRESULT do_engine_check_range_count_on_loop(const struct do_engine *engine, size_t count);

/** The network is another one: what failed because of the last one is tried again at once. */
void do_engine_change_network_on_loop(struct do_engine *engine);

/* job.c */

/** An object for a stored job; its files are added with do_job_restore_file (job_files.c). One
 * inner reference.
 */
HRESULT do_job_create_object(
    struct do_engine *engine, const struct do_job_record *record, struct do_job **job);
HRESULT do_job_restore_file(struct do_job *job, const struct do_file_record *record);

/** Deletes a temporary file of a stored row if its name may be one of ours. NULL is accepted. */
void do_job_discard_left_file(
    const struct do_engine *engine, const struct do_file_record *record, const char *path);
void do_job_retain_inner(struct do_job *job);
void do_job_release_inner(struct do_job *job);

void do_job_file_destroy(struct do_job_file *file);

/* job_files.c */

/** Takes the files of fresh, which has at least as many, of the same rows. */
HRESULT do_job_absorb_files_on_loop(struct do_job *job, struct do_job *fresh);

/** What the temporary file lies beside: the file's path, or the engine's folder for streams. */
const char *do_job_file_part_target(const struct do_job_file *file);

/** BytesTotal as far as it is known before the first byte. */
HRESULT do_job_file_set_known_total(struct do_job_file *file);

/** Whether a client's text is an IntegrityCheckInfo, a DecryptionInfo; an empty value is fine. */
HRESULT do_job_check_integrity(const struct do_value *value);
HRESULT do_job_check_decryption(const struct do_value *value);

/** Whether the job may run: every file has a sink, and what it must be checked against. */
HRESULT do_job_check_files(const struct do_job *job);

/* recover.c */

/** How long the file is that is saved. */
uint64_t do_job_file_saved_size(struct do_job_file *file);

/** Renames a transferred file to its path. May block; the job must not run. */
HRESULT do_job_file_save_to_path(struct do_job_file *file);

/** The file is at its target. Its row is stored later, or goes with its job. */
void do_job_file_set_saved(struct do_job_file *file);

/** Whether a Complete renames files, and must be recorded before. */
bool do_job_needs_intent(const struct do_job *job);

/**
 * Records what a restart must know of the files, as far as it is not recorded yet. May block.
 * *failed is the file that cannot be flushed, or NULL.
 */
HRESULT do_job_settle_files(struct do_job *job, struct do_job_file **failed);

/** Stores what was begun, and which files were saved: all or nothing. A failure is logged. */
HRESULT do_job_set_intent_on_loop(struct do_job *job, enum do_job_intent intent);

/**
 * Finishes the Complete of an earlier process: true when the job is over and its row gone. Else the
 * intent is taken back and the job says what is in the way.
 */
bool do_job_finish_intent_on_loop(struct do_job *job);

/** Deletes files that no row names any more. Blocks; not on the loop. */
void do_engine_empty_trash(struct do_engine *engine);

/** The same on a thread of its own, when there are any. The caller has an engine reference. */
void do_engine_empty_trash_later(struct do_engine *engine);

/* job_file_calls.c */

/** A do_part_file_sink_fn whose ctx is a file: its client's stream; E_ABORT when that is gone. */
HRESULT do_job_file_write_to_stream(void *ctx, const void *data, size_t length);

/** Stores values of a file and, with_record, its row as it is by now, all or none. */
HRESULT do_job_file_change_values_on_loop(
    struct do_job_file *file, const struct do_setting *settings, size_t count, bool with_record);

/* job_values.c */

/** Stores values and, unless NULL, the row of a file of the job as it is by now, all or none. */
HRESULT do_job_store_values_on_loop(struct do_job *job, const struct do_setting *settings,
    size_t count, const struct do_job_file *file);

/** Stores values, all or none, and makes them the options of the job's requests. */
HRESULT do_job_change_values_on_loop(
    struct do_job *job, const struct do_setting *settings, size_t count);

/** Makes the job's values the options of its requests. */
HRESULT do_job_apply_values_on_loop(struct do_job *job);

/* job_calls.c */

/* A change that is one operation on the loop. */
struct do_job_change
{
    struct do_job *job;
    const void *argument;
    void *result;
    HRESULT hr;
};

/* The calls of job.h, between begin_call and end_call. error: why a job is cancelled, or S_OK. */
HRESULT do_job_add_files_in_call(
    struct do_job *job, const struct do_new_file *files, size_t count, struct do_job_file **first);
HRESULT do_job_resume_in_call(struct do_job *job);
HRESULT do_job_suspend_in_call(struct do_job *job);
HRESULT do_job_cancel_in_call(struct do_job *job, HRESULT error);
HRESULT do_job_complete_in_call(struct do_job *job);

/**
 * Waits until the recorder is through with the job's files: they may then be opened. Not on the
 * loop; the job must not run.
 */
void do_job_drain_recorder(struct do_job *job);

/** Deletes the temporary files; false when one is in another program's hands. Likewise. */
bool do_job_discard_files(struct do_job *job);

/** The same for what is of this process only: a mirror stays one. */
HRESULT do_job_change_here(
    struct do_job *job, do_loop_fn function, const void *argument, void *result);

/** A whole call that is one operation on the loop; function gets a struct do_job_change. */
HRESULT do_job_change(struct do_job *job, do_loop_fn function, const void *argument, void *result);

/* job_turn.c */

/**
 * Calls that change the job wait for one another between these two. Not on the loop. A job of
 * another process is ours when it returns: see do_job_take_over.
 * DO_E_INVALID_STATE when the thread is in such a call already, in a client's stream. A thread that
 * lets calls in while it waits (struct do_client_waiting) needs no reference of its own on the job
 * until the end.
 */
HRESULT do_job_begin_call(struct do_job *job);

/** The same, but a mirror is not taken over. */
HRESULT do_job_begin_turn(struct do_job *job);
bool do_job_is_in_call(struct do_job *job);

/** The same without waiting: false when another call runs. */
bool do_job_take_turn(struct do_job *job, uint64_t thread_id);
void do_job_end_call(struct do_job *job);

/* job_run.c: the loop's side of a job */

/** Initialises the loop's part of a new job. Called before the job is shared, on any thread. */
void do_job_init_run(struct do_job *job);

/** Sets the state, notes the time, stores the row, and takes or gives back what a state needs. */
void do_job_set_state_on_loop(struct do_job *job, enum do_job_state state);

/** The same for a state that must be stored: when that fails, nothing has changed. */
HRESULT do_job_enter_state_on_loop(struct do_job *job, enum do_job_state state);

/** A change that leaves the state: notes the time, stores the row, tells who listens. */
void do_job_touch_on_loop(struct do_job *job);

/** Tells a listener of bytes from now on, when it wants to know and the job runs. */
void do_job_watch_bytes_on_loop(struct do_job *job);

/** What a state, and whose job it is, take or give back: slots and the engine's reference. */
void do_job_count_on_loop(struct do_job *job);

/** Stores the row; a failure is logged, the job goes on. */
void do_job_store_on_loop(struct do_job *job);

/** Begins or goes on to transfer: called by the scheduler. */
void do_job_run_on_loop(struct do_job *job);

/** Looks at the network and its cost: blocks the job, or lets it go on. */
void do_job_apply_conditions_on_loop(struct do_job *job);

/** Tries again at once what failed because of the network. */
void do_job_change_network_on_loop(struct do_job *job);

/** Ends all activity of the job: timers, transfer attempt. The transfer object stays. */
void do_job_halt_on_loop(struct do_job *job);

/* job_transfer.c */

/* How often a job that must stop looks whether the writer is through with its file. */
#define DO_JOB_DRAIN_LOOK_MS 20U

/** The file to be transferred next, borrowed; NULL when all are. */
struct do_job_file *do_job_next_file(const struct do_job *job);

/** The clock of the file whose transfer runs, if there is one. */
void do_job_set_active_on_loop(struct do_job *job, bool active);

/**
 * A transfer into a stream that was stopped has writes that never begin: another one goes on where
 * the stream ended. False: a write is still inside the stream, it is looked at again soon.
 */
bool do_job_renew_stream_on_loop(struct do_job *job, HRESULT *hr);

/** Tells a new transfer what is to be done with the file in the end, and who writes it. */
HRESULT do_job_prepare_transfer_on_loop(struct do_job *job);

/** Lets go of the transfer object, after a halt. keep: see do_transfer_release_on_loop. */
void do_job_drop_transfer_on_loop(struct do_job *job, bool keep);

/** A client wants the job to try now: what others have seen of its server does not count. */
void do_job_forget_host_on_loop(struct do_job *job);

/* job_failure.c */

/** Where a client is told that a failure happened. */
enum do_error_context do_job_context_of_error(HRESULT hr);

/** Whether it is what a network that is gone does to an exchange. */
bool do_job_is_network_trouble(HRESULT hr);

/**
 * Milliseconds until the next attempt, which is counted: soon for the first failures, which the
 * client does not even see.
 */
uint32_t do_job_retry_delay_ms_on_loop(struct do_job *job);

/* download.c */

/* Seconds without progress after which a download fails, unless the client says otherwise. */
#define DO_DOWNLOAD_NO_PROGRESS_S 1800U

/** The state as IDODownload tells it. On the loop, or under the job's lock. */
enum do_download_state do_download_state_of(const struct do_job *job);

/** Tells who listens that the state changed, and ends the wait of a blocking Start. */
void do_download_post_status_on_loop(struct do_job *job);

/** The same when bytes came and the client's percent or seconds are reached. */
void do_download_post_progress_on_loop(struct do_job *job);

/** Sets or (S_OK) clears the error. */
void do_job_set_error_on_loop(struct do_job *job, HRESULT code, enum do_error_context context,
    const struct do_job_file *file);

/** The no-progress clock begins anew, and so do the fast retries. */
void do_job_reset_progress_clock_on_loop(struct do_job *job);

/** The maximum download time begins anew, or is another one. */
void do_job_set_deadline_on_loop(struct do_job *job);

/** The no-progress time-out changed: a job that runs is held to the new one from now on. */
void do_job_apply_timeout_on_loop(struct do_job *job);

#endif
