/* SPDX-License-Identifier: MIT */
/*
 * The transfer of one file: asks for what is missing, request by request, copies bytes into blocks,
 * hands full blocks to the writer, and tells its owner when every byte is written or why not. It
 * makes one attempt per start; when to try again is the owner's decision.
 *
 * Loop thread, except do_transfer_drain and the writer's notifications. Reference counted inside:
 * the owner, each queued write and a queued notification hold one.
 */
#ifndef DO_TRANSFER_TRANSFER_H
#define DO_TRANSFER_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/list.h"
#include "store/part_file.h"
#include "store/queue_db.h"
#include "transfer/block.h"
#include "transfer/cache_host.h"
#include "transfer/host.h"
#include "transfer/http_facts.h"
#include "transfer/loop.h"
#include "transfer/pace.h"
#include "transfer/progress.h"
#include "transfer/recorder.h"
#include "transfer/request.h"
#include "transfer/writer.h"

/** What all transfers of an engine share. The engine owns it; it outlives them. */
struct do_transfer_env
{
    struct do_loop *loop;
    struct do_block_pool *pool;
    struct do_writer *writer;
    struct do_recorder *recorder;
    struct do_queue_db *db;
    struct do_request_settings settings;
    size_t resume_blocks;        /* so many free blocks end the wait of transfers for one */
    void (*thread_begins)(void); /* around the life of threads that call clients; may be NULL */
    void (*thread_ends)(void);
    const char *stream_target; /* files without a path have their temporary files beside it */

    /* On the loop. Connections that wait for a block. */
    struct do_list paused;
    struct do_pace pace;
    struct do_hosts hosts;
    struct do_cache_hosts cache_hosts;
    uint32_t cache_delay_s[DO_RATE_CLASSES]; /* how long to stay with them when they fail */
    uint32_t cache_connect_timeout_ms;
    uint64_t cache_bytes;       /* received from them */
    uint32_t running_lanes;     /* connections of all transfers */
    uint64_t last_object_bytes; /* of the file that was answered last */
    uint32_t max_lanes;         /* beyond so many no transfer gets a second one */
    uint32_t max_file_lanes;    /* connections of one transfer */
    uint32_t max_host_lanes;    /* of all transfers with one server, as max_lanes */

    /* Any thread: whether that list has elements, so that the writer wakes the loop. */
    atomic_bool wants_blocks;
};

struct do_transfer;

/** Where a file's bytes go once it is whole and checked, and what the thread that does it holds. */
struct do_transfer_spool
{
    do_part_file_sink_fn write; /* NULL = nowhere */
    uint64_t (*has)(void *ctx); /* how many bytes write has taken so far */
    void (*hold)(void *ctx);    /* on the loop before the thread starts; keeps the engine alive */
    void (*let_go)(void *ctx);  /* on the thread */
    void *ctx;
};

/** What is to be done with a file when its last byte is here. Texts are borrowed for the call. */
struct do_transfer_check_settings
{
    const char *integrity_info;  /* JSON, or NULL */
    bool is_mandatory;           /* without piece hashes the file is not accepted */
    const char *decryption_info; /* JSON, or NULL */
    struct do_transfer_spool spool;

    /* Keeps values of the file and, with_record, the file as it is by now, in the database too, all
     * or none; what of a decrypted file is kept under which id. On the loop. */
    HRESULT (*keep)(void *ctx, const struct do_setting *settings, size_t count, bool with_record);
    void *keep_ctx;
    uint32_t plain_size_id;
    uint32_t plain_path_id; /* before it is created: a crash leaves it for the next engine */
};

/** The end of an attempt, on the loop. S_OK: every byte of the file is written. */
typedef void (*do_transfer_end_fn)(void *ctx, HRESULT hr);

/**
 * A transfer for file, whose url, ranges and expected_size it reads and whose other fields it keeps
 * up to date, also in the database. *part (may be NULL) is the temporary file; the transfer
 * replaces it when it must begin anew. options, which may change on the loop while no request runs,
 * tell how requests are made; facts receives what the answers say. Both may be NULL. All are
 * borrowed and outlive the transfer.
 */
HRESULT do_transfer_create(struct do_transfer_env *env, struct do_file_record *file,
    struct do_part_file **part, struct do_progress *progress,
    const struct do_request_options *options, struct do_http_facts *facts,
    do_transfer_end_fn on_end, void *ctx, struct do_transfer **transfer);

/** Before the first start. E_INVALIDARG, E_OUTOFMEMORY. */
HRESULT do_transfer_set_check_on_loop(
    struct do_transfer *transfer, const struct do_transfer_check_settings *settings);

/** Before the first start: writes go through another writer than the engine's. */
void do_transfer_set_writer_on_loop(struct do_transfer *transfer, struct do_writer *writer);

/** Whose pace its bytes come at, and who yields to whom; background until told. Any time. */
void do_transfer_set_class_on_loop(struct do_transfer *transfer, enum do_rate_class which);

/**
 * Begins an attempt. on_end follows, never from inside this call. in_any_case: the server is asked
 * although others have found it in trouble.
 */
void do_transfer_start_on_loop(struct do_transfer *transfer, bool in_any_case);

/**
 * Ends the attempt without on_end; bytes that were received are still written. Safe to call at any
 * time, also when nothing runs.
 */
void do_transfer_stop_on_loop(struct do_transfer *transfer);

/** Waits until the writer is through with this transfer. Not on the loop; stop it first. */
void do_transfer_drain(struct do_transfer *transfer);

/**
 * Stops and gives up the owner's reference. With keep, what was written is flushed, recorded and
 * closed by the recorder; without, the file is about to be discarded. NULL is accepted.
 */
void do_transfer_release_on_loop(struct do_transfer *transfer, bool keep);

/** When the last byte arrived (do_clock_ms), or 0. */
uint64_t do_transfer_last_byte_ms_on_loop(const struct do_transfer *transfer);

/** Whether bytes that were received are not written yet. */
bool do_transfer_is_writing_on_loop(struct do_transfer *transfer);

/** Whether only its server can bring it on: it has connections, and no full block to be written. */
bool do_transfer_waits_for_bytes_on_loop(struct do_transfer *transfer);

/** The Retry-After of the last answer in seconds, 0 = none. */
uint32_t do_transfer_retry_after_s_on_loop(const struct do_transfer *transfer);

/**
 * Whether the failure of the last attempt is not final, whatever it is: a cache host's, and the
 * original server has not been asked.
 */
bool do_transfer_must_retry_on_loop(const struct do_transfer *transfer);

/**
 * The last attempt failed without having asked, since the server is known to be in trouble: the
 * milliseconds after which it should be asked. 0 = it was asked.
 */
uint32_t do_transfer_host_delay_ms_on_loop(const struct do_transfer *transfer);

/** Whoever asks the server next waits for this transfer's next attempt, if hr is the server's. */
void do_transfer_tell_host_on_loop(struct do_transfer *transfer, HRESULT hr, uint64_t next_ms);

/** Lets transfers that wait for a block go on; the loop calls it in each round. */
void do_transfer_env_feed_on_loop(struct do_transfer_env *env);

#endif
