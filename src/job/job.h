/* SPDX-License-Identifier: MIT */
/*
 * A download as clients know it: files, a state, a progress. Any thread may call any function here,
 * except that none is called on the engine's own threads. Calls that change something have taken
 * effect when they return and exclude one another per job; reads never wait for them.
 *
 * An outer reference (do_job_acquire) keeps the engine alive as well.
 */
#ifndef DO_JOB_JOB_H
#define DO_JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/hr.h"
#include "base/range_set.h"
#include "base/value.h"
#include "job/client_ref.h"
#include "job/job_props.h"
#include "job/job_state.h"
#include "transfer/http_facts.h"
#include "transfer/progress.h"
#include "transfer/request_options.h"

/* Limits that the documentation names. */
#define DO_JOB_NAME_LIMIT 256U
#define DO_JOB_DESCRIPTION_LIMIT 1024U
#define DO_JOB_RANGE_LIMIT 0x10000U

/* Seconds; the default of IBackgroundCopyJob4::SetMaximumDownloadTime. (Source: win32 docs.) */
#define DO_JOB_MAX_DOWNLOAD_TIME_S 7776000U

/* BG_JOB_PRIORITY */
enum do_job_priority
{
    DO_PRIORITY_FOREGROUND,
    DO_PRIORITY_HIGH,
    DO_PRIORITY_NORMAL,
    DO_PRIORITY_LOW,
    DO_PRIORITY_COUNT
};

/* BG_ERROR_CONTEXT, as far as we use it. */
enum do_error_context
{
    DO_ERROR_CONTEXT_NONE = 0,
    DO_ERROR_CONTEXT_LOCAL_FILE = 4,
    DO_ERROR_CONTEXT_REMOTE_FILE = 5
};

/** A file to be added. Everything is copied. */
struct do_new_file
{
    const char *content_id;
    const char *url;
    const char *local_path;        /* NULL: the sink is set later */
    const struct do_range *ranges; /* [begin, end), end DO_SIZE_UNKNOWN = the end of the object */
    size_t range_count;            /* 0 = the whole object */
    uint64_t size; /* the object's size when the client knows it, else DO_SIZE_UNKNOWN */
};

struct do_job_progress
{
    uint64_t bytes_total; /* DO_SIZE_UNKNOWN while the size of a file is unknown */
    uint64_t bytes_transferred;
    uint32_t files_total;
    uint32_t files_transferred;
};

struct do_job_times
{
    uint64_t creation; /* FILETIMEs */
    uint64_t modification;
    uint64_t transfer_completion; /* 0 = not yet */
};

/* SwarmStatus */
enum do_file_status
{
    DO_FILE_DOWNLOADING,
    DO_FILE_COMPLETE,
    DO_FILE_PAUSED = 3
};

/** What DOSwarmStats tells. */
struct do_file_stats
{
    uint64_t file_size; /* of the object; 0 = unknown */
    uint64_t bytes_downloaded;
    uint32_t connections; /* open right now */
    uint32_t duration_ms; /* spent transferring */
    enum do_file_status status;
    bool is_background;
};

struct do_job_error
{
    HRESULT code;
    enum do_error_context context;
    struct do_job_file *file; /* borrowed from the job; NULL when tied to none */
};

struct do_job *do_job_acquire(struct do_job *job);
/** NULL is accepted. */
void do_job_release(struct do_job *job);

/* Reads: any state, never waiting. */

struct do_guid do_job_get_id(const struct do_job *job);
enum do_job_state do_job_get_state(struct do_job *job);
void do_job_get_progress(struct do_job *job, struct do_job_progress *progress);
void do_job_get_times(struct do_job *job, struct do_job_times *times);
uint32_t do_job_get_priority(struct do_job *job);
uint32_t do_job_get_no_progress_timeout_s(struct do_job *job);
uint32_t do_job_get_min_retry_delay_s(struct do_job *job);
uint32_t do_job_get_error_count(struct do_job *job);
/** Seconds that a download may take when the client has said nothing of it; 0 = no limit. */
uint32_t do_job_default_max_download_time_s(struct do_job *job);
/** *text is do_alloc'ed, "" when not set. */
HRESULT do_job_get_display_name(struct do_job *job, char **text);
HRESULT do_job_get_description(struct do_job *job, char **text);
/** The job's error; DO_E_ERROR_INFORMATION_UNAVAILABLE when there is none. */
HRESULT do_job_get_error(struct do_job *job, struct do_job_error *error);
size_t do_job_get_file_count(struct do_job *job);
/** Borrowed: a file lives as long as its job. index < do_job_get_file_count(). */
struct do_job_file *do_job_get_file(struct do_job *job, size_t index);
/** A copy of a property, to be finished by the caller; DO_VALUE_EMPTY when not set. */
HRESULT do_job_get_value(struct do_job *job, enum do_prop id, struct do_value *value);
uint32_t do_job_get_notify_flags(struct do_job *job);
/** With a reference, or NULL. */
struct do_listener *do_job_get_listener(struct do_job *job);

/* Changes. All: DO_E_INVALID_STATE once the job is completed or cancelled. */

/**
 * Adds files, all of them or, when one is refused, none. E_INVALIDARG for missing texts, bad URLs
 * and relative paths, DO_HR_INVALID_NAME, E_ACCESSDENIED for a directory that refuses new files,
 * DO_E_INVALID_RANGE, DO_E_OVERLAPPING_RANGES.
 * first (may be NULL) receives the first of them, borrowed from the job.
 */
HRESULT do_job_add_files(
    struct do_job *job, const struct do_new_file *files, size_t count, struct do_job_file **first);

/**
 * DO_E_JOB_EMPTY without files, DO_E_FILE_DOWNLOADSINK_UNSPECIFIED for a file without a sink,
 * DO_E_INTEGRITYCHECKINFO_UNSPECIFIED for a mandatory check of nothing.
 */
HRESULT do_job_resume(struct do_job *job);
/** A job that cannot be stored as suspended goes on: the failure is returned. */
HRESULT do_job_suspend(struct do_job *job);

/**
 * Removes the job and its temporary files; they are gone when the call returns.
 * DO_HR_S_UNABLE_TO_DELETE_FILES when another program holds one of them.
 */
HRESULT do_job_cancel(struct do_job *job);

/**
 * Cancels a job that is too old; its error is then DO_E_JOB_TOO_OLD. S_FALSE: it is in another
 * call, which may last.
 */
HRESULT do_job_cancel_old(struct do_job *job);

/**
 * Saves the files that are transferred under their names, replacing existing ones, and ends the
 * job. DO_HR_S_PARTIAL_COMPLETE when some were not transferred. When a file cannot be saved its
 * error is returned, nothing is lost, and the call can be repeated.
 */
HRESULT do_job_complete(struct do_job *job);

/** E_INVALIDARG beyond DO_JOB_NAME_LIMIT characters (UTF-16 units). */
HRESULT do_job_set_display_name(struct do_job *job, const char *text);
HRESULT do_job_set_description(struct do_job *job, const char *text);
/** priority < DO_PRIORITY_COUNT. */
HRESULT do_job_set_priority(struct do_job *job, uint32_t priority);
/** 0: no retries, every failure is final. */
HRESULT do_job_set_no_progress_timeout_s(struct do_job *job, uint32_t seconds);
HRESULT do_job_set_min_retry_delay_s(struct do_job *job, uint32_t seconds);
/** Sets properties, all of them or none; an empty value clears. They have effect at once. */
HRESULT do_job_set_values(struct do_job *job, const struct do_setting *settings, size_t count);
/** Which notices the listener gets: a set of enum do_notice. */
HRESULT do_job_set_notify_flags(struct do_job *job, uint32_t flags);
/** Replaces the listener (NULL clears); a notice that it missed is posted for it. */
HRESULT do_job_set_listener(struct do_job *job, struct do_listener *listener);
/** Credentials live in memory only. Everything is copied. */
HRESULT do_job_set_credential(struct do_job *job, const struct do_credential *credential);
/** S_FALSE when there was none. */
HRESULT do_job_remove_credential(
    struct do_job *job, enum do_auth_target target, enum do_auth_scheme scheme);
/**
 * Replaces the beginning of every file's URL that begins with old_prefix. S_FALSE when none does,
 * E_INVALIDARG when a URL would become a bad one: then none is changed.
 */
HRESULT do_job_replace_url_prefix(
    struct do_job *job, const char *old_prefix, const char *new_prefix);

/* Files. Reads: any state, never waiting; texts are do_alloc'ed copies. */

struct do_job *do_job_file_get_job(const struct do_job_file *file);
HRESULT do_job_file_get_url(struct do_job_file *file, char **url);
HRESULT do_job_file_get_content_id(struct do_job_file *file, char **content_id);
/** "" for a file without one. */
HRESULT do_job_file_get_local_path(struct do_job_file *file, char **path);
/**
 * "" before the first byte and after Complete. Of a transferred file it may be opened at once, with
 * any sharing. Waits for the disk then; not on the loop.
 */
HRESULT do_job_file_get_temp_path(struct do_job_file *file, char **path);
/** NULL and 0 for a whole file. */
HRESULT do_job_file_get_ranges(
    struct do_job_file *file, struct do_range **ranges, size_t *range_count);
struct do_progress_values do_job_file_get_progress(struct do_job_file *file);
void do_job_file_get_stats(struct do_job_file *file, struct do_file_stats *stats);
/** A copy, to be finished by the caller; DO_VALUE_EMPTY when not set. */
HRESULT do_job_file_get_value(
    struct do_job_file *file, enum do_file_prop id, struct do_value *value);
/** The client's word for the object's size, or what the server said; DO_SIZE_UNKNOWN. */
uint64_t do_job_file_get_total_size(struct do_job_file *file);
/** With a reference, or NULL. */
struct do_stream *do_job_file_get_stream(struct do_job_file *file);
/** What the last answer said. Borrowed; lives as long as the job. */
struct do_http_facts *do_job_file_get_facts(struct do_job_file *file);

/* Changes of files. DO_E_INVALID_STATE once the job is completed or cancelled. */

/** E_INVALIDARG for a bad or too long URL. Used from the file's next request on. */
HRESULT do_job_file_set_url(struct do_job_file *file, const char *url);

/* The following only while the job is SUSPENDED, else DO_E_INVALID_STATE. */

/** DO_E_FILE_DOWNLOADSINK_ALREADY_SET when the file has a stream; else as for AddFile. */
HRESULT do_job_file_set_local_path(struct do_job_file *file, const char *path);
/** DO_E_FILE_DOWNLOADSINK_ALREADY_SET when the file has a path. NULL clears. */
HRESULT do_job_file_set_stream(struct do_job_file *file, struct do_stream *stream);
/** E_INVALIDARG when the file has ranges beyond it. */
HRESULT do_job_file_set_total_size(struct do_job_file *file, uint64_t size);
/** An empty value clears. E_INVALIDARG for one that makes no sense. */
HRESULT do_job_file_set_value(
    struct do_job_file *file, enum do_file_prop id, const struct do_value *value);

#endif
