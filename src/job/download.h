/* SPDX-License-Identifier: MIT */
/*
 * A job as IDODownload shows it: one object, its own states and calls, and properties that are set
 * before the start. Any thread, but none of the engine's own. Calls have taken effect when they
 * return. The reads of job.h serve downloads too.
 */
#ifndef DO_JOB_DOWNLOAD_H
#define DO_JOB_DOWNLOAD_H

#include "job/engine.h"
#include "job/job.h"

/* DODownloadState */
enum do_download_state
{
    DO_DOWNLOAD_CREATED,
    DO_DOWNLOAD_TRANSFERRING,
    DO_DOWNLOAD_TRANSFERRED,
    DO_DOWNLOAD_FINALIZED,
    DO_DOWNLOAD_ABORTED,
    DO_DOWNLOAD_PAUSED,
    DO_DOWNLOAD_STATE_COUNT
};

/* How Start, Pause, Finalize and Abort are called. */
enum do_download_call
{
    DO_DOWNLOAD_START_AS_IS,  /* Start(NULL) */
    DO_DOWNLOAD_START_WHOLE,  /* with a count of 0 */
    DO_DOWNLOAD_START_RANGES, /* with ranges */
    DO_DOWNLOAD_PAUSE,
    DO_DOWNLOAD_FINALIZE,
    DO_DOWNLOAD_ABORT,
    DO_DOWNLOAD_CALL_COUNT
};

/* What such a call does. */
enum do_download_action
{
    DO_ACTION_REFUSE, /* DO_E_INVALID_STATE */
    DO_ACTION_NOTHING,
    DO_ACTION_BEGIN,
    DO_ACTION_RESUME,
    DO_ACTION_COMPARE, /* S_OK when these are the ranges anyway, else DO_E_INVALID_STATE */
    DO_ACTION_CHANGE,  /* resume; begin anew when the ranges are others */
    DO_ACTION_AGAIN,   /* the whole object again */
    DO_ACTION_APPEND,  /* another portion, behind what is there */
    DO_ACTION_PAUSE,
    DO_ACTION_FINALIZE,
    DO_ACTION_ABORT
};

/** What a call does in a state: one table, pure. */
enum do_download_action do_download_action_of(
    enum do_download_state state, enum do_download_call call);

/** A new download, in state Created. *job is an outer reference (do_job_release). */
HRESULT do_engine_create_download(struct do_engine *engine, const char *owner, struct do_job **job);

/** Whether the job was made by do_engine_create_download. */
bool do_job_is_download(const struct do_job *job);

/** Never waits. */
void do_download_get_status(struct do_job *job, struct do_download_status *status);

/**
 * Starts or goes on. call is one of DO_DOWNLOAD_START_*; ranges belong to START_RANGES only.
 * In blocking mode it returns when the download has ended: S_OK when transferred or paused by
 * somebody, E_ABORT when aborted, else the error.
 * DO_E_DOWNLOAD_NO_URI, DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, DO_E_INVALID_RANGE,
 * DO_E_OVERLAPPING_RANGES, DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, DO_E_INVALID_STATE.
 */
HRESULT do_download_start(struct do_job *job, enum do_download_call call,
    const struct do_range *ranges, size_t range_count);
HRESULT do_download_pause(struct do_job *job);
HRESULT do_download_abort(struct do_job *job);
/** DO_HR_FILE_EXISTS when the target exists; everything is kept and the call can be repeated. */
HRESULT do_download_finalize(struct do_job *job);

/* Properties (job_props.c). Ids are those of DODownloadProperty. */

enum do_prop_type
{
    DO_TYPE_TEXT,
    DO_TYPE_U32,
    DO_TYPE_U64,
    DO_TYPE_BOOL,
    DO_TYPE_BYTES,
    DO_TYPE_CALLBACK, /* an interface of the client: not a value */
    DO_TYPE_STREAM
};

#define DO_ACCESS_READ 1U
#define DO_ACCESS_WRITE 2U

struct do_prop_info
{
    enum do_prop_type type;
    unsigned int access;
};

#define DO_DOWNLOAD_PROP_COUNT 30U

/** NULL for an id that there is not. Static. */
const struct do_prop_info *do_download_prop_info(uint32_t id);

/**
 * A copy of a property that is a value, to be finished by the caller. DO_E_UNKNOWN_PROPERTY_ID,
 * DO_E_WRITE_ONLY_PROPERTY, DO_HR_NOT_SET.
 */
HRESULT do_download_get_property(struct do_job *job, uint32_t id, struct do_value *value);

/**
 * Sets a property that is a value; DO_VALUE_EMPTY clears it. DO_E_UNKNOWN_PROPERTY_ID,
 * DO_E_READ_ONLY_PROPERTY, DO_E_INVALID_STATE, E_INVALIDARG, DO_HR_INET_INVALID_URL,
 * DO_HR_INVALID_NAME, DO_E_FILE_DOWNLOADSINK_ALREADY_SET.
 */
HRESULT do_download_set_property(struct do_job *job, uint32_t id, const struct do_value *value);

/** NULL clears. DO_E_INVALID_STATE in a final state, except to clear. */
HRESULT do_download_set_listener(struct do_job *job, struct do_listener *listener);

/** NULL clears. In state Created only. DO_E_FILE_DOWNLOADSINK_ALREADY_SET. */
HRESULT do_download_set_stream(struct do_job *job, struct do_stream *stream);
/** With a reference, or NULL. */
struct do_stream *do_download_get_stream(struct do_job *job);

/** The id as text: 36 characters, without braces. do_alloc'ed. */
HRESULT do_job_get_id_text(const struct do_job *job, char **text);

#endif
