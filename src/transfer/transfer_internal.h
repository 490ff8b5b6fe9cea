/* SPDX-License-Identifier: MIT */
/*
 * What transfer.c (the course of an attempt) and transfer_body.c (the way of its bytes) share.
 */
#ifndef DO_TRANSFER_TRANSFER_INTERNAL_H
#define DO_TRANSFER_TRANSFER_INTERNAL_H

#include "plat/plat.h"
#include "transfer/check.h"
#include "transfer/plan.h"
#include "transfer/transfer.h"

enum phase
{
    PHASE_IDLE,
    PHASE_STARTING,
    PHASE_HASHES,
    PHASE_FETCHING,
    PHASE_DRAINING,
    PHASE_CHECKING,
    PHASE_RESTARTING,
    PHASE_FAILING
};

struct do_transfer
{
    atomic_int references;
    struct do_transfer_env *env;
    struct do_progress *progress;
    const struct do_request_options *options; /* read on the loop at each request; may be NULL */
    struct do_http_facts *facts;              /* may be NULL */

    /* Under lock: shared with the writer. */
    struct do_mutex lock;
    struct do_cond drained;
    uint32_t queued_writes;
    HRESULT write_result;

    /* The notification from the writer; queued holds one reference. */
    struct do_loop_op written_op;
    atomic_bool written_queued;

    /* On the loop. */
    struct do_file_record *file;
    struct do_part_file **part;
    struct do_recording *recording;
    do_transfer_end_fn on_end;
    void *ctx;
    struct do_request *request;
    struct do_plan plan;
    struct do_range_set claimed; /* written or on its way to the writer, local offsets */
    struct do_fetch fetch;
    uint64_t fetch_received;
    uint64_t fetch_length; /* DO_SIZE_UNKNOWN = until the server closes */
    struct do_block *block;
    uint64_t block_offset; /* local */
    size_t block_capacity;
    struct do_timer start_timer;
    struct do_timer partial_timer;
    struct do_list paused_link;
    enum phase phase;
    HRESULT failure;      /* what PHASE_FAILING will tell */
    bool object_changed;  /* the head said so; the request's end acts on it */
    bool restarted;       /* once in this attempt is enough */
    uint64_t local_bytes; /* received and not thrown away */
    uint64_t most_bytes;  /* the most that this ever was */
    uint64_t last_byte_ms;
    uint32_t retry_after_s;
    struct do_writer *writer;        /* the engine's, or a stream's own */
    struct do_transfer_check *check; /* transfer_check.c's; NULL when there is nothing to do */
    bool checked;
};

/* What a check of the whole file means for its transfer. */
enum do_transfer_verdict
{
    DO_VERDICT_GOOD,
    DO_VERDICT_DECRYPTED, /* the temporary file is another one, and recorded as transferred */
    DO_VERDICT_FETCH_MORE,
    DO_VERDICT_BEGIN_ANEW,
    DO_VERDICT_FAILED /* the HRESULT says why */
};

/* transfer.c */

/** The piece hash file is here or is not needed; a failure ends the attempt. */
void do_transfer_hashes_ended(struct do_transfer *transfer, HRESULT hr);

/* transfer_check.c */

bool do_transfer_wants_hashes(const struct do_transfer *transfer);

/** do_transfer_hashes_ended follows unless this fails. */
HRESULT do_transfer_fetch_hashes(struct do_transfer *transfer);

/** Whether an object of that size can be the one that was hashed; DO_SIZE_UNKNOWN can. */
HRESULT do_transfer_check_size(struct do_transfer *transfer, uint64_t object_size);

/** Whether a client's stream has bytes of the checked file already. */
bool do_transfer_has_given(const struct do_transfer *transfer);

/** Whether something is to be done with the file before it counts. */
bool do_transfer_needs_check(const struct do_transfer *transfer);

/** Its end comes as that of a write does. */
HRESULT do_transfer_start_check(struct do_transfer *transfer);
void do_transfer_stop_check(struct do_transfer *transfer);

/** Whether the caller is the thread of the check, inside a client's stream. */
bool do_transfer_check_is_current(const struct do_transfer *transfer);
enum do_transfer_verdict do_transfer_take_check(struct do_transfer *transfer, HRESULT *hr);
void do_transfer_release_check(struct do_transfer *transfer);

/* transfer_body.c */

/** References beside the owner's: one for each queued write, one for a queued notification. */
void do_transfer_retain(struct do_transfer *transfer);
void do_transfer_unref(struct do_transfer *transfer);

/** How many writes are queued; *write_result is the first failure of a write, or S_OK. */
uint32_t do_transfer_queued_writes(struct do_transfer *transfer, HRESULT *write_result);

/** Counts as a queued write, with a reference, until do_transfer_on_written. */
void do_transfer_begin_work(struct do_transfer *transfer);

/** The end of a write or of a check. On their threads. */
void do_transfer_on_written(void *ctx, size_t length, HRESULT hr);

/** Sends the current block, full or not, to the writer. */
HRESULT do_transfer_submit_block(struct do_transfer *transfer);

/** What is known of the object that the local bytes come from. */
void do_transfer_get_validators(
    const struct do_transfer *transfer, struct do_validators *validators);

/* The events of the request (request.h). */
HRESULT do_transfer_on_head(void *ctx, const struct do_http_head *head);
HRESULT do_transfer_on_data(void *ctx, const void *data, size_t length);
bool do_transfer_has_room(void *ctx, size_t length);

#endif
