/* SPDX-License-Identifier: MIT */
/*
 * What the queue holds, seen alike: a job of the BITS API or a download of IDOManager. Main thread,
 * multithreaded apartment.
 */
#ifndef DO_DOCTL_ITEM_H
#define DO_DOCTL_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#include <windows.h>
#include <objbase.h>

#include "DeliveryOptimization.h"

#define DO_ITEM_ID_SIZE 39 /* "{...}" and the terminator */
#define DO_ITEM_SIZE_UNKNOWN UINT64_MAX

/* One of the two, with a reference; the other is NULL. */
struct do_item
{
    IBackgroundCopyJob *job;
    IDODownload *download;
};

enum do_item_state
{
    DO_ITEM_QUEUED,
    DO_ITEM_CONNECTING,
    DO_ITEM_TRANSFERRING,
    DO_ITEM_WAITING, /* goes on by itself */
    DO_ITEM_PAUSED,  /* by somebody, or never started */
    DO_ITEM_ERROR,
    DO_ITEM_TRANSFERRED,
    DO_ITEM_SAVED,
    DO_ITEM_CANCELLED
};

struct do_item_status
{
    enum do_item_state state;
    const char *state_name; /* as the item's own API calls it; static */
    uint64_t bytes;
    uint64_t total; /* DO_ITEM_SIZE_UNKNOWN */
    unsigned long files;
    unsigned long files_transferred;
};

struct do_item_file
{
    BSTR url;       /* may be NULL, as may the next */
    BSTR path;      /* NULL: a stream */
    BSTR temp_path; /* of a job, before it is complete; else NULL or empty */
    uint64_t bytes;
    bool completed;
};

/** Accepts an empty item and empties it. */
void do_item_release(struct do_item *item);

/** The id with braces; "?" when it cannot be read. */
void do_item_get_id(const struct do_item *item, char id[DO_ITEM_ID_SIZE]);

/** The display name, SysFreeString; NULL when there is none. */
HRESULT do_item_get_name(const struct do_item *item, BSTR *name);

HRESULT do_item_get_status(const struct do_item *item, struct do_item_status *status);

/** Why it failed, or what it waits for; S_OK when there is nothing. */
HRESULT do_item_get_error(const struct do_item *item);

/* Faults of a server's certificate that the client accepts. */
#define DO_ITEM_ACCEPTS_UNKNOWN_CA 0x1U
#define DO_ITEM_ACCEPTS_WRONG_USAGE 0x2U
#define DO_ITEM_ACCEPTS_NAME 0x4U
#define DO_ITEM_ACCEPTS_DATE 0x8U

/**
 * DO_ITEM_ACCEPTS_* of a job; 0 = every server must prove who it is. Of a download nobody can read
 * them: the property is for writing only.
 */
ULONG do_item_get_accepted_faults(const struct do_item *item);

/** Makes a job accept all of them. */
HRESULT do_item_accept_faults(const struct do_item *item);

/** The URL that the error is about, else that of the first file; SysFreeString. */
HRESULT do_item_get_error_url(const struct do_item *item, BSTR *url);

/** Its files, for do_item_free_files. */
HRESULT do_item_list_files(const struct do_item *item, struct do_item_file **files, size_t *count);
void do_item_free_files(struct do_item_file *files, size_t count);

/** Starts it or goes on; what is transferred stays as it is. */
HRESULT do_item_start(const struct do_item *item);
HRESULT do_item_pause(const struct do_item *item);
HRESULT do_item_cancel(const struct do_item *item);

/** Gives the files their names; S_FALSE and its like as IBackgroundCopyJob::Complete has them. */
HRESULT do_item_complete(const struct do_item *item);

HRESULT do_item_set_timeout(const struct do_item *item, ULONG seconds);

#endif
