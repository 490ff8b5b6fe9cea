/* SPDX-License-Identifier: MIT */
/*
 * Later starts of a download. What download.c and download_plan.c have from one another. All are
 * called between do_job_begin_call and do_job_end_call, never on the loop but for portion_of.
 */
#ifndef DO_JOB_DOWNLOAD_PLAN_H
#define DO_JOB_DOWNLOAD_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"

struct do_job;
struct do_job_file;

/** What a Start asks for; count 0 = the whole object. Borrowed. */
struct do_wanted_ranges
{
    const struct do_range *ranges;
    size_t count;
};

/* download.c */

/** Where the latest portion begins in the local file. Under the job's lock, or on the loop. */
uint64_t do_download_portion_of(const struct do_job_file *file);

/** Gives the file what a run needs (stream, values) and lets the download run. */
HRESULT do_download_prepare_and_resume(struct do_job *job);

/* download_plan.c */

/** S_OK when the latest portion is made of these ranges, else S_FALSE. */
HRESULT do_download_compare(struct do_job *job, const struct do_wanted_ranges *wanted);

/** Waits for what is still on its way. DO_E_INVALID_STATE from inside the download's own stream. */
HRESULT do_download_await_rest(struct do_job *job);

/** Begins anew with other ranges; nothing is lost when they are refused. */
HRESULT do_download_restart(struct do_job *job, const struct do_wanted_ranges *wanted);

/** Another portion, behind what is there. Likewise. */
HRESULT do_download_append(struct do_job *job, const struct do_wanted_ranges *wanted);

#endif
