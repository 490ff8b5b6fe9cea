/* SPDX-License-Identifier: MIT */
/*
 * doctl as a COM client: the connection to Delivery Optimization, jobs by id or name, and what is
 * read from a job in one piece. Main thread, multithreaded apartment.
 */
#ifndef DO_DOCTL_CLIENT_H
#define DO_DOCTL_CLIENT_H

#include <stdbool.h>

#include "console.h"

#include "DeliveryOptimization.h"

#define DO_JOB_ID_SIZE 39 /* "{...}" and the terminator */

/* What every command gets. */
struct do_client
{
    struct do_console *console;      /* borrowed */
    IBackgroundCopyManager *manager; /* NULL until do_client_connect */
    bool com_is_initialized;
};

/** Creates the class; says on stderr why when that fails. */
HRESULT do_client_connect(struct do_client *client);
void do_client_disconnect(struct do_client *client);

/**
 * The job that text names: an id, with or without braces, or a display name that only one job has.
 * Says on stderr why when there is none. *job carries a reference.
 */
HRESULT do_client_find_job(struct do_client *client, const wchar_t *text, IBackgroundCopyJob **job);

/** The job's id with braces; "?" when it cannot be read. */
void do_client_job_id(IBackgroundCopyJob *job, char id[DO_JOB_ID_SIZE]);

/** The code of the job's error, S_OK when it has none. */
HRESULT do_client_job_error(IBackgroundCopyJob *job);

/** The URL of the file that the job's error is about, else of the first file; CoTaskMemFree. */
HRESULT do_client_job_url(IBackgroundCopyJob *job, wchar_t **url);

/** Calls Complete and prints "saved PATH (N bytes)" for every file. Returns the exit code. */
int do_client_complete(struct do_client *client, IBackgroundCopyJob *job);

#endif
