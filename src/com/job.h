/* SPDX-License-Identifier: MIT */
/*
 * The job object: one struct, one file for each of its vtables.
 */
#ifndef DO_COM_JOB_H
#define DO_COM_JOB_H

#include "com/com_object.h"
#include "com/objects.h"

struct job_object
{
    struct com_object object;
    IBackgroundCopyJob IBackgroundCopyJob_iface;
    IDeliveryOptimizationJob IDeliveryOptimizationJob_iface;
    struct do_job *job; /* an outer reference */
};

/** Adds one file given in the client's types: what AddFile and AddFileWithRanges share. */
HRESULT com_job_add_file(struct do_job *job, const WCHAR *content_id, const WCHAR *url,
    const WCHAR *local_path, DWORD range_count, const BG_FILE_RANGE *ranges, UINT64 size);

#endif
