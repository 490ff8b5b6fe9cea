/* SPDX-License-Identifier: MIT */
/*
 * How the façades make one another. Each function gives the caller one COM reference and takes its
 * own references on what the object stands for.
 */
#ifndef DO_COM_OBJECTS_H
#define DO_COM_OBJECTS_H

#include "DeliveryOptimization.h"
#include "job/download.h"
#include "job/engine.h"

/** The manager, as any interface it answers. Starts the engine when there is none. */
HRESULT com_manager_create(REFIID iid, void **out);

HRESULT com_job_create(struct do_job *job, IBackgroundCopyJob **out);
HRESULT com_file_create(struct do_job_file *file, IBackgroundCopyFile **out);

/** Whether file objects answer iid. */
BOOL com_file_answers(REFIID iid);

HRESULT com_error_create(const struct do_job_error *error, IBackgroundCopyError **out);

/** A snapshot of the queue. */
HRESULT com_enum_jobs_create(struct do_engine *engine, IEnumBackgroundCopyJobs **out);

/** A snapshot of the job's files. */
HRESULT com_enum_files_create(struct do_job *job, IEnumBackgroundCopyFiles **out);

/** An object with an identity of its own, each time. */
HRESULT com_download_create(struct do_job *job, IDODownload **out);

/** Every byte of *out is written. */
void com_download_status_out(const struct do_download_status *status, DO_DOWNLOAD_STATUS *out);

/**
 * A snapshot of the downloads that are not final; category may be NULL. DO_E_UNKNOWN_PROPERTY_ID,
 * E_INVALIDARG, DO_E_NO_DOWNLOADS.
 */
HRESULT com_enum_downloads_create(
    struct do_engine *engine, const DO_DOWNLOAD_ENUM_CATEGORY *category, IEnumUnknown **out);

/** Converts client ranges {offset, length} to ours; *converted is do_alloc'ed, NULL for none. */
HRESULT com_ranges_in(const BG_FILE_RANGE *ranges, DWORD count, struct do_range **converted);

/** The engine's settings, read from the environment of the process and the system. */
HRESULT com_get_engine(struct do_engine **engine);

#endif
