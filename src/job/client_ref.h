/* SPDX-License-Identifier: MIT */
/*
 * What a client gives us to call: a listener for notices and a stream for bytes. The façade makes
 * them around the client's pointers; jobs and files hold references. Counted; any thread. And how
 * its threads wait.
 */
#ifndef DO_JOB_CLIENT_REF_H
#define DO_JOB_CLIENT_REF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/list.h"

struct do_job;
struct do_job_file;

/* The status of a download as OnStatusChange and GetStatus tell it (DO_DOWNLOAD_STATUS). */
struct do_download_status
{
    uint64_t bytes_total; /* 0 while unknown */
    uint64_t bytes_transferred;
    uint32_t state; /* enum do_download_state */
    HRESULT error;
    HRESULT extended_error;
};

/* What a listener is told; the first five are BG_NOTIFY_*. */
enum do_notice
{
    DO_NOTICE_JOB_TRANSFERRED = 0x1,
    DO_NOTICE_JOB_ERROR = 0x2,
    DO_NOTICE_DISABLE = 0x4, /* a flag only: nothing is told */
    DO_NOTICE_JOB_MODIFICATION = 0x8,
    DO_NOTICE_FILE_TRANSFERRED = 0x10,
    DO_NOTICE_STATUS = 0x100 /* of downloads */
};

struct do_listener;

/**
 * Tells the client. On a delivery thread, no lock held, one call at a time for each job; job is
 * good for the call. file belongs to FILE_TRANSFERRED, status to STATUS. A failure of
 * JOB_TRANSFERRED and JOB_ERROR (anything but S_OK) is repeated later. RPC_E_DISCONNECTED and its
 * like are translated by the listener to DO_HR_CANCELLED: it is dropped.
 */
typedef HRESULT (*do_listener_deliver_fn)(struct do_listener *listener, struct do_job *job,
    enum do_notice notice, struct do_job_file *file, const struct do_download_status *status);

struct do_listener_class
{
    do_listener_deliver_fn deliver;

    /** The last reference is gone. On a delivery thread or on a client's, no lock held. */
    void (*destroy)(struct do_listener *listener);
};

/** The head of a façade's own struct. */
struct do_listener
{
    const struct do_listener_class *class;
    atomic_int references;
    bool is_stored;      /* the job names it: whoever runs the job makes it anew */
    struct do_list link; /* the notifier's, once no reference is left */
};

struct do_stream;

struct do_stream_class
{
    /** Back to the beginning, empty; S_OK also when the stream cannot do that. */
    HRESULT (*rewind)(struct do_stream *stream);
    HRESULT (*write)(struct do_stream *stream, const void *data, size_t length);
    HRESULT (*commit)(struct do_stream *stream);
    void (*destroy)(struct do_stream *stream);
};

/** The head of a façade's own struct. */
struct do_stream
{
    const struct do_stream_class *class;
    atomic_int references;
};

/**
 * How a client's thread waits for another's call. One that serves an apartment of its own must let
 * calls in meanwhile: the other call may need it, to write to a stream that lives there. No lock is
 * held over any of these but signal.
 */
struct do_client_waiting
{
    /** The thread that waits for the client's call that the caller is in; 0 = in none. */
    uint64_t (*call_thread)(void);

    /** *event is for the caller to wait on; NULL: it may simply wait. */
    HRESULT (*prepare)(void **event);

    /** Lets calls in until event is signalled, which this takes back. */
    void (*wait)(void *event);

    /** Any thread, under a lock. */
    void (*signal)(void *event);
    void (*finish)(void *event);
};

/** One reference for the caller. */
void do_listener_init(struct do_listener *listener, const struct do_listener_class *class);
struct do_listener *do_listener_acquire(struct do_listener *listener); /* NULL is accepted */
void do_listener_release(struct do_listener *listener);                /* NULL is accepted */
/**
 * Gives a reference back on a thread that must not call clients. True: it was the last, and
 * whoever gets this calls destroy on one that may. NULL is accepted.
 */
bool do_listener_drop(struct do_listener *listener);

void do_stream_init(struct do_stream *stream, const struct do_stream_class *class);
struct do_stream *do_stream_acquire(struct do_stream *stream); /* NULL is accepted */
void do_stream_release(struct do_stream *stream);              /* NULL is accepted */

#endif
