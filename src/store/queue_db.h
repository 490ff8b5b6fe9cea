/* SPDX-License-Identifier: MIT */
/*
 * What survives of the queue: jobs, their files, the properties of both and the byte ranges that
 * are on disk, in one SQLite database (WAL) that several processes share. One transaction per verb.
 * Any thread: an inner lock serialises the verbs of one handle; other processes are waited for up
 * to 5 s.
 *
 * The caller keeps the order "data flushed, then recorded": this room never touches a download.
 */
#ifndef DO_STORE_QUEUE_DB_H
#define DO_STORE_QUEUE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/hr.h"
#include "base/range_set.h"
#include "base/value.h"
#include "plat/plat.h"

/* A size that is not known; also the end of a requested range that reaches the end of the file. */
#define DO_SIZE_UNKNOWN UINT64_MAX

/* The property of a file that names another temporary file of ours beside temp_path. */
#define DO_STORED_OTHER_PATH 103U

/* The property of a download that is to outlive its process. */
#define DO_STORED_LASTING 25U

/* The most bytes of a value that is a text or bytes. */
#define DO_STORED_VALUE_LIMIT 0x100000U

struct do_queue_db;

/* struct do_job_record.kind: which of the two APIs the job was made through. */
enum do_job_kind
{
    DO_JOB_KIND_LEGACY,
    DO_JOB_KIND_DOWNLOAD
};

/* struct do_job_record.intent: what was begun and must be finished or undone after a crash. */
enum do_job_intent
{
    DO_INTENT_NONE,
    DO_INTENT_COMPLETE /* files are being renamed to their targets; then the job is removed */
};

/**
 * A row of the table of jobs with the job's values. Strings are owned by the record (do_alloc),
 * NULL = not set.
 */
struct do_job_record
{
    struct do_guid id;
    uint32_t kind; /* enum do_job_kind; stored by do_queue_db_insert_job only */
    char *display_name;
    char *description;
    uint32_t priority; /* BG_JOB_PRIORITY */
    uint32_t state;    /* BG_JOB_STATE at the last record */
    uint32_t notify_flags;
    uint32_t min_retry_delay_s;
    bool no_progress_timeout_set; /* else the default of the priority */
    uint32_t no_progress_timeout_s;
    uint64_t creation_time; /* FILETIMEs */
    uint64_t modification_time;
    uint64_t completion_time; /* 0 = not yet */
    HRESULT error;            /* S_OK = none */
    uint32_t error_context;   /* BG_ERROR_CONTEXT */
    uint32_t error_file;      /* index of the file, UINT32_MAX = none */
    uint32_t error_count;
    uint32_t intent;         /* enum do_job_intent */
    struct do_process owner; /* who runs the job; who ran it in what adopt hands out */
    struct do_values values; /* properties; changed in the file by do_queue_db_set_job_values */
};

/** A row of the table of files with the file's values. Strings are the record's, NULL = not set. */
struct do_file_record
{
    int64_t row_id; /* set by do_queue_db_insert_file */
    char *content_id;
    char *url;
    char *local_path; /* NULL when the file goes to a stream or has no sink yet */
    char *temp_path;  /* NULL before the first byte */
    char *etag;       /* validators of the object that the received bytes come from */
    char *last_modified;
    uint64_t expected_size;       /* what the client said; DO_SIZE_UNKNOWN */
    uint64_t remote_size;         /* what the server said; DO_SIZE_UNKNOWN */
    struct do_range *ranges;      /* requested, remote offsets, in the order given */
    size_t range_count;           /* 0 = the whole file */
    struct do_range_set received; /* offsets in the local file that are safely on disk */
    bool transferred;             /* every byte is on disk */
    bool saved;                   /* renamed to local_path */
    uint64_t temp_time;           /* what record_received stored last; 0 = not known */
    struct do_values values; /* properties; changed in the file by do_queue_db_set_file_values */
};

void do_job_record_init(struct do_job_record *job);
void do_job_record_finish(struct do_job_record *job);
void do_file_record_init(struct do_file_record *file);
void do_file_record_finish(struct do_file_record *file);

/**
 * Opens or creates the database at path; its directory must exist. An older schema is brought up to
 * date in one transaction and keeps everything. A newer schema, a file that is no database of ours
 * and a corrupt one fail with a Win32 HRESULT and are left untouched.
 */
HRESULT do_queue_db_open(const char *path, struct do_queue_db **db);

/** Closes. NULL is accepted. */
void do_queue_db_close(struct do_queue_db *db);

/**
 * Adds the job with its values, all or nothing. What must not be on disk is not to be among them.
 * E_INVALIDARG for values that do_queue_db_set_job_values would refuse.
 */
HRESULT do_queue_db_insert_job(struct do_queue_db *db, const struct do_job_record *job);

/**
 * Stores every column but the id, the kind and the owner; no values. In a state in which it
 * transfers, the times of its unfinished temporary files are forgotten. DO_E_JOB_NOT_FOUND when
 * there is no such row.
 */
HRESULT do_queue_db_update_job(struct do_queue_db *db, const struct do_job_record *job);

/**
 * Removes the job, its files and the values of all, and notes temporary files that were not saved
 * for deletion. A job that is not there is no error.
 */
HRESULT do_queue_db_remove_job(struct do_queue_db *db, const struct do_guid *id);

/**
 * Appends a file with its values to the job and sets file->row_id. DO_E_JOB_NOT_FOUND when the job
 * is gone; E_INVALIDARG for values that do_queue_db_set_file_values would refuse.
 */
HRESULT do_queue_db_insert_file(
    struct do_queue_db *db, const struct do_guid *job_id, struct do_file_record *file);

/** The same for several files, all of them or none. */
HRESULT do_queue_db_insert_files(struct do_queue_db *db, const struct do_guid *job_id,
    struct do_file_record *const *files, size_t count);

/**
 * Stores every column of the file; no values. What was received, and that it is all, is stored only
 * with another temporary file than before, or with saved: of one and the same only
 * do_queue_db_record_received knows what is on disk; it can be taken back. Another temporary file
 * notes the one before, unless it was saved, for deletion. DO_E_JOB_NOT_FOUND when the row went
 * away with its job.
 */
HRESULT do_queue_db_update_file(struct do_queue_db *db, const struct do_file_record *file);

/**
 * As do_queue_db_update_file, but what was stored may be lost in a power cut, though not in a crash
 * of the process, until something else is stored: for what is then fetched anew.
 */
HRESULT do_queue_db_note_file(struct do_queue_db *db, const struct do_file_record *file);

/** Which bytes of a file are on disk. Nothing is owned. */
struct do_queue_received
{
    int64_t row_id;
    const char *temp_path;
    const struct do_range_set *received;
    bool transferred;
    uint64_t temp_time; /* of the file, when nobody writes to it any more; else 0 */
};

/**
 * Records which bytes of files are on disk, of all of them or of none. Does nothing with one (S_OK)
 * whose row's temp_path is another by now (the transfer began anew in a fresh file) or which is
 * gone with its job.
 */
HRESULT do_queue_db_record_received(
    struct do_queue_db *db, const struct do_queue_received *items, size_t count);

/**
 * Stores values of a job beside those that it has, all of them or none; an empty value removes what
 * was stored under its id, if anything. E_INVALIDARG for what could not be read back: beyond
 * DO_STORED_VALUE_LIMIT, or a text with a zero or that is not UTF-8. DO_E_JOB_NOT_FOUND when the
 * job is gone.
 */
HRESULT do_queue_db_set_job_values(struct do_queue_db *db, const struct do_guid *job_id,
    const struct do_setting *settings, size_t count);

/** The same for a file. DO_E_JOB_NOT_FOUND when the row went away with its job. */
HRESULT do_queue_db_set_file_values(
    struct do_queue_db *db, int64_t row_id, const struct do_setting *settings, size_t count);

/** What changes together. Nothing is owned. */
struct do_queue_change
{
    const struct do_job_record *job; /* as for do_queue_db_update_job; NULL = as it is */
    const struct do_guid *job_id;    /* whose values; NULL without them */
    const struct do_setting *job_values;
    size_t job_value_count;
    const struct do_file_record *const *files; /* as for do_queue_db_update_file */
    size_t file_count;
    int64_t row_id; /* of the file whose values; 0 without them */
    const struct do_setting *file_values;
    size_t file_value_count;
};

/**
 * Stores a job's row, values of a job, rows of files and values of a file in one transaction: all
 * or none, with the failures of do_queue_db_update_job, do_queue_db_set_job_values,
 * do_queue_db_update_file, do_queue_db_set_file_values.
 */
HRESULT do_queue_db_change(struct do_queue_db *db, const struct do_queue_change *change);

/** Receives one stored job with its files in the order added; the records are borrowed. */
typedef HRESULT (*do_queue_db_job_fn)(void *ctx, const struct do_job_record *job,
    const struct do_file_record *files, size_t file_count);

/**
 * Makes self the owner of every job whose owner no longer runs or is self already, in one
 * transaction, and then hands each of them to function (oldest first), without a lock: function may
 * call any verb. A row that makes no sense (a job's, a file's, a value's) is logged and skipped
 * with its whole job, which stays in the file as it is. The first failure of function ends the walk
 * and is returned; the jobs that it was not shown keep self as their owner and wait for the next
 * process.
 */
HRESULT do_queue_db_adopt(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx);

/**
 * Gives up the legacy jobs and the lasting downloads that self owns, so that any process may adopt
 * them: the engine ends while its process lives on. Other downloads stay its own until it is gone.
 */
HRESULT do_queue_db_disown(struct do_queue_db *db, struct do_process self);

/** The same for jobs whose owner no longer runs; those that self has are not handed out again. */
HRESULT do_queue_db_adopt_orphans(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx);

/** How many rows have an owner that no longer runs, those that make no sense included. */
HRESULT do_queue_db_count_orphans(struct do_queue_db *db, struct do_process self, uint64_t *count);

/** A number that is another one whenever somebody else has changed the file. Cheap. */
HRESULT do_queue_db_get_version(struct do_queue_db *db, uint64_t *version);

/** Hands out the jobs of other processes that run, likewise; nothing is changed. */
HRESULT do_queue_db_list_foreign(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx);

/** Hands out one job, whoever owns it. DO_E_JOB_NOT_FOUND, also when it makes no sense. */
HRESULT do_queue_db_read_job(
    struct do_queue_db *db, const struct do_guid *id, do_queue_db_job_fn function, void *ctx);

/** Who owns a job and who wants it (all 0: nobody). DO_E_JOB_NOT_FOUND. */
HRESULT do_queue_db_get_owner(struct do_queue_db *db, const struct do_guid *id,
    struct do_process *owner, struct do_process *wanted_by);

/** Asks the owner of a job to hand it over to self; the latest wins. DO_E_JOB_NOT_FOUND. */
HRESULT do_queue_db_want_job(
    struct do_queue_db *db, const struct do_guid *id, struct do_process self);

/**
 * The job is not wanted by that process any more, or is refused to it. DO_E_JOB_NOT_FOUND when it
 * was not wanted by it.
 */
HRESULT do_queue_db_unwant_job(
    struct do_queue_db *db, const struct do_guid *id, struct do_process by);

/** Receives a job of ours and the living process that wants it. */
typedef HRESULT (*do_queue_db_wanted_fn)(void *ctx, const struct do_guid *id, struct do_process by);

/** Hands out the jobs of self that others want, without a lock. Its first failure is returned. */
HRESULT do_queue_db_wanted(
    struct do_queue_db *db, struct do_process self, do_queue_db_wanted_fn function, void *ctx);

/**
 * Makes to the owner of a job of self's that it wants. DO_E_JOB_NOT_FOUND when it is not, or no
 * longer, self's, or not wanted by to.
 */
HRESULT do_queue_db_hand_over(
    struct do_queue_db *db, const struct do_guid *id, struct do_process self, struct do_process to);

/**
 * Receives a file that is to be deleted, and the path that it lies beside (NULL: that of a stream);
 * true when it is gone.
 */
typedef bool (*do_queue_db_trash_fn)(void *ctx, const char *path, const char *target);

/**
 * Hands out every file that a row named once and no row names any more, without a lock, and
 * forgets those that are gone, in one transaction.
 */
HRESULT do_queue_db_empty_trash(struct do_queue_db *db, do_queue_db_trash_fn function, void *ctx);

/** Whether there may be such files. */
bool do_queue_db_has_trash(struct do_queue_db *db);

#endif
