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

/* The most bytes of a value that is a text or bytes. */
#define DO_STORED_VALUE_LIMIT 0x100000U

struct do_queue_db;

/* struct do_job_record.kind: which of the two APIs the job was made through. */
enum do_job_kind
{
    DO_JOB_KIND_LEGACY,
    DO_JOB_KIND_DOWNLOAD
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
 * Stores every column but the id, the kind and the owner; no values. DO_E_JOB_NOT_FOUND when there
 * is no such row.
 */
HRESULT do_queue_db_update_job(struct do_queue_db *db, const struct do_job_record *job);

/** Removes the job, its files and the values of all. A job that is not there is no error. */
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
 * Stores every column of the file; no values. DO_E_JOB_NOT_FOUND when the row went away with its
 * job.
 */
HRESULT do_queue_db_update_file(struct do_queue_db *db, const struct do_file_record *file);

/**
 * Records which bytes of temp_path are on disk. Does nothing (S_OK) when the row's temp_path is
 * another one by now (the transfer began anew in a fresh file) or is gone with its job.
 */
HRESULT do_queue_db_record_received(struct do_queue_db *db, int64_t row_id, const char *temp_path,
    const struct do_range_set *received, bool transferred);

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
 * Gives up the legacy jobs that self owns, so that any process may adopt them: the engine ends
 * while its process lives on. Downloads stay its own until it is gone.
 */
HRESULT do_queue_db_disown(struct do_queue_db *db, struct do_process self);

#endif
