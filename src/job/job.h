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
#include "job/job_state.h"
#include "transfer/progress.h"

struct do_job;
struct do_job_file;

/* Limits that the documentation names. */
#define DO_JOB_NAME_LIMIT 256U
#define DO_JOB_DESCRIPTION_LIMIT 1024U
#define DO_JOB_RANGE_LIMIT 0x10000U

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
    const char *local_path;
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
/** *text is do_alloc'ed, "" when not set. */
HRESULT do_job_get_display_name(struct do_job *job, char **text);
HRESULT do_job_get_description(struct do_job *job, char **text);
/** The job's error; DO_E_ERROR_INFORMATION_UNAVAILABLE when there is none. */
HRESULT do_job_get_error(struct do_job *job, struct do_job_error *error);
size_t do_job_get_file_count(struct do_job *job);
/** Borrowed: a file lives as long as its job. index < do_job_get_file_count(). */
struct do_job_file *do_job_get_file(struct do_job *job, size_t index);

/* Changes. All: DO_E_INVALID_STATE once the job is completed or cancelled. */

/**
 * Adds files, all of them or, when one is refused, none. E_INVALIDARG for missing texts, bad URLs
 * and relative paths, DO_HR_INVALID_NAME, E_ACCESSDENIED for a directory that refuses new files,
 * DO_E_INVALID_RANGE, DO_E_OVERLAPPING_RANGES.
 */
HRESULT do_job_add_files(struct do_job *job, const struct do_new_file *files, size_t count);

/** DO_E_JOB_EMPTY without files. */
HRESULT do_job_resume(struct do_job *job);
HRESULT do_job_suspend(struct do_job *job);

/** Removes the job and its temporary files; they are gone when the call returns. */
HRESULT do_job_cancel(struct do_job *job);

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

/* Files. Texts are borrowed and live as long as the job. */

struct do_job *do_job_file_get_job(const struct do_job_file *file);
const char *do_job_file_get_url(const struct do_job_file *file);
const char *do_job_file_get_local_path(const struct do_job_file *file);
struct do_progress_values do_job_file_get_progress(struct do_job_file *file);

#endif
