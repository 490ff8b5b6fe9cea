/* SPDX-License-Identifier: MIT */
/*
 * What job.c, job_run.c and engine.c share: the structs, grouped by who may touch them.
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
#include "store/queue_db.h"
#include "transfer/transfer.h"

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
    uint64_t call_thread_id;
    uint64_t stream_thread_id; /* who writes to a download's stream; 0 = nobody */

    struct do_mailbox mailbox; /* notices to the client; the notifier's */

    /* Written by the loop under lock, read by the loop without it and by others under it. */
    struct do_mutex lock;
    struct do_job_record record;
    enum do_job_state state;
    struct do_job_file **files;
    size_t file_count;
    size_t file_capacity;
    struct do_cond state_changed;
    bool blocked;             /* the network's cost is not what the client allows */
    HRESULT extended_error;   /* of a download: what stands behind its error */
    struct do_stream *stream; /* of a download, until its file has it; one reference */

    /* On the loop. */
    struct do_request_options options;
    struct do_timer notice_timer;   /* looks whether bytes came */
    struct do_timer deadline_timer; /* the maximum download time */
    uint64_t resumed_ms;            /* when the maximum download time began */
    uint64_t told_bytes;            /* BytesTransferred when the listener was last told */
    uint64_t told_ms;               /* and when that was */
    struct do_list link;            /* in the engine's jobs; the list holds one reference */
    struct do_job_file *current;    /* whose transfer runs */
    struct do_transfer *transfer;
    struct do_writer *stream_writer; /* of a download into a stream; NULL before its start */
    struct do_timer retry_timer;
    struct do_timer progress_timer;
    struct do_backoff backoff;
    uint32_t fast_retries;      /* left before the job shows TRANSIENT_ERROR */
    uint64_t progress_since_ms; /* when the no-progress clock began */
    HRESULT last_failure;       /* the last concrete failure since then; S_OK = none */
    bool halted;                /* by a call that has not ended: must not run meanwhile */
    bool out_of_time;           /* halted, waits for the writer before it fails */
    bool was_blocked;           /* since the transfer began: it was stopped in its course */
    bool is_queued;             /* counts among the queued jobs */
    bool has_slot;              /* counts among the running jobs */
    bool holds_engine;          /* active: one engine reference */
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
    uint32_t running_jobs;
    uint32_t queued_jobs; /* halted ones included */
    struct do_timer age_timer;
};

/* engine.c */

/** Lets queued jobs run while there is room, the most important and oldest first. */
void do_engine_schedule_on_loop(struct do_engine *engine);

/** Stops jobs that may no longer use the network, and lets those go on that may again. */
void do_engine_apply_conditions_on_loop(struct do_engine *engine);

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

/** What the temporary file lies beside: the file's path, or the engine's folder for streams. */
const char *do_job_file_part_target(const struct do_job_file *file);

/** BytesTotal as far as it is known before the first byte. */
HRESULT do_job_file_set_known_total(struct do_job_file *file);

/** Whether a client's text is an IntegrityCheckInfo, a DecryptionInfo; an empty value is fine. */
HRESULT do_job_check_integrity(const struct do_value *value);
HRESULT do_job_check_decryption(const struct do_value *value);

/** Whether the job may run: every file has a sink, and what it must be checked against. */
HRESULT do_job_check_files(const struct do_job *job);

/* job_file_calls.c */

/** A do_part_file_sink_fn whose ctx is a file: its client's stream; E_ABORT when that is gone. */
HRESULT do_job_file_write_to_stream(void *ctx, const void *data, size_t length);

/** Stores values of a file, all or none. */
HRESULT do_job_file_change_values_on_loop(
    struct do_job_file *file, const struct do_setting *settings, size_t count);

/* job_values.c */

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

/**
 * Calls that change the job wait for one another between these two. Not on the loop.
 * DO_E_INVALID_STATE when the thread is in such a call already, in a client's stream.
 */
HRESULT do_job_begin_call(struct do_job *job);
void do_job_end_call(struct do_job *job);

/** A whole call that is one operation on the loop; function gets a struct do_job_change. */
HRESULT do_job_change(struct do_job *job, do_loop_fn function, const void *argument, void *result);

/* job_run.c: the loop's side of a job */

/** Initialises the loop's part of a new job. Called before the job is shared, on any thread. */
void do_job_init_run(struct do_job *job);

/** Sets the state, notes the time, stores the row, and takes or gives back what a state needs. */
void do_job_set_state_on_loop(struct do_job *job, enum do_job_state state);

/** A change that leaves the state: notes the time, stores the row, tells who listens. */
void do_job_touch_on_loop(struct do_job *job);

/** Tells a listener of bytes from now on, when it wants to know and the job runs. */
void do_job_watch_bytes_on_loop(struct do_job *job);

/** Stores the row; a failure is logged, the job goes on. */
void do_job_store_on_loop(struct do_job *job);

/** Begins or goes on to transfer: called by the scheduler. */
void do_job_run_on_loop(struct do_job *job);

/** Looks at the network's cost: blocks the job, or lets it go on. */
void do_job_apply_conditions_on_loop(struct do_job *job);

/** Ends all activity of the job: timers, transfer attempt. The transfer object stays. */
void do_job_halt_on_loop(struct do_job *job);

/** Lets go of the transfer object, after a halt. keep: see do_transfer_release_on_loop. */
void do_job_drop_transfer_on_loop(struct do_job *job, bool keep);

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
