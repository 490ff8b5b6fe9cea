/* SPDX-License-Identifier: MIT */
/*
 * The engine: one per process, started by the first reference, ended by the last. It owns the loop,
 * the writer, the recorder, the database and every job. A job that is active holds a reference too,
 * so that downloads go on when the client lets go of its objects.
 */
#ifndef DO_JOB_ENGINE_H
#define DO_JOB_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/hr.h"
#include "base/rate.h"
#include "job/conditions.h"
#include "job/job.h"

struct do_engine;
struct do_proxy_source;

struct do_engine_config
{
    const char *database_path; /* borrowed during the start; its directory is created */
    uint32_t connect_timeout_ms;
    uint32_t stall_timeout_s;
    uint32_t http_buffer_bytes;
    uint32_t https_buffer_bytes;
    uint32_t block_count; /* of 1 MiB: the memory of all downloads together */
    uint32_t max_running_jobs;
    uint32_t max_connections;          /* of all downloads; each running one may have its first */
    uint32_t max_file_connections;     /* of one file, when more than one proves to be faster */
    uint32_t max_host_connections;     /* with one server, of all downloads; as max_connections */
    uint32_t cache_connect_timeout_ms; /* instead of connect_timeout_ms, if it is less */
    uint32_t fast_retries; /* failures that a running job swallows before TRANSIENT_ERROR */
    uint32_t fast_retry_ms;
    uint32_t retry_first_ms; /* then doubled up to retry_max_ms */
    uint32_t retry_max_ms;
    uint32_t max_age_s;            /* jobs that are older are cancelled */
    uint64_t (*filetime)(void);    /* the clock that jobs are dated by; UTC now as a FILETIME */
    void (*delivery_begins)(void); /* on each delivery thread, or NULL */
    void (*delivery_ends)(void);
    void (*network_cost)(struct do_network_cost *cost); /* may block; NULL = never restricted */
    uint32_t network_look_ms;                           /* between two questions for the cost */
    void (*network)(struct do_network *network);        /* its interfaces */
    uint32_t network_watch_ms;
    uint32_t policy_look_ms;
    uint32_t (*local_hour)(void); /* of the day, for policies about business hours */
    uint32_t others_look_ms;      /* how old what other processes do may be seen */
    uint32_t orphans_look_ms;     /* between two looks whether their owners live */
    uint32_t take_over_ms;        /* how long a job's owner may take to hand it over */
    const struct do_proxy_source *proxy_source; /* of the user's proxy script; NULL: the system */
    /* A listener for a stored job that names a class to be told (16 bytes), or NULL. */
    HRESULT (*class_listener)(const unsigned char *class_id, struct do_listener **listener);
    const struct do_client_waiting *waiting; /* NULL: every thread may simply wait */
};

/** Sets every field but database_path (NULL) to its default. */
void do_engine_config_init(struct do_engine_config *config);

/**
 * A reference on the process's engine, which is started with config when there is none. Waits for
 * an engine that is just ending. Any thread but the engine's own.
 */
HRESULT do_engine_acquire(const struct do_engine_config *config, struct do_engine **engine);

/** One more reference. Any thread. */
void do_engine_retain(struct do_engine *engine);

/** NULL is accepted. After the last one the engine ends by itself, in its own time. Any thread. */
void do_engine_release(struct do_engine *engine);

/** Whether this process has an engine, ending ones included. */
bool do_engine_exists(void);

/** Waits until the process has no engine: for tests and for hosts that unload the module. */
void do_engine_wait_gone(void);

/**
 * A new, suspended, empty job. owner (may be NULL) is the client's SID as text. *job is an outer
 * reference (do_job_release).
 */
HRESULT do_engine_create_job(
    struct do_engine *engine, const char *display_name, const char *owner, struct do_job **job);

/**
 * The job (no download) with this id, with an outer reference; also one that another process runs:
 * calls that change it take it over first, or fail with DO_HR_LOCK_VIOLATION. DO_E_JOB_NOT_FOUND.
 */
HRESULT do_engine_get_job(struct do_engine *engine, const struct do_guid *id, struct do_job **job);

/**
 * All jobs of a kind in the queue, those of other processes included, oldest first, each with an
 * outer reference; the array is do_free'd.
 */
HRESULT do_engine_list_jobs(
    struct do_engine *engine, enum do_job_kind kind, struct do_job ***jobs, size_t *count);

/** What the engine's transfers have done since it started, and what holds them now. */
struct do_engine_traffic
{
    uint64_t received[DO_RATE_CLASSES]; /* bytes of files, from servers and cache hosts */
    uint64_t limits[DO_RATE_CLASSES];   /* bytes per second, 0 = none */
    uint64_t from_cache;                /* of these, from cache hosts */
    uint64_t link_bytes_per_s;          /* the best of five seconds; 0 = not known yet */
};

/** Any thread but the engine's own. */
void do_engine_get_traffic(struct do_engine *engine, struct do_engine_traffic *traffic);

#endif
