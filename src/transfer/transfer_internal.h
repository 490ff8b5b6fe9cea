/* SPDX-License-Identifier: MIT */
/*
 * What transfer.c (the course of an attempt), transfer_lanes.c (how many connections and who
 * fetches what), lane.c (one connection and the way of its bytes), source.c (whom it asks) and
 * transfer_check.c share.
 */
#ifndef DO_TRANSFER_TRANSFER_INTERNAL_H
#define DO_TRANSFER_TRANSFER_INTERNAL_H

#include "plat/plat.h"
#include "transfer/check.h"
#include "transfer/plan.h"
#include "transfer/share.h"
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

/* The most connections of one file. */
#define DO_TRANSFER_LANES 16U

/* One connection of a transfer: a request for a piece of the file. On the loop. */
struct do_lane
{
    struct do_transfer *transfer;
    struct do_request *request;
    size_t source;        /* of do_cache_choose */
    struct do_host *host; /* whose connections it counts among; NULL = nobody's */
    bool running;
    bool answered;         /* with bytes of the piece */
    bool object_changed;   /* the head said so; the request's end acts on it */
    bool refuses_ranges;   /* likewise */
    bool is_extra;         /* others ran when it was started */
    bool is_late;          /* another connection has its piece already */
    bool is_cut;           /* the server was asked for more than is wanted by now */
    struct do_fetch fetch; /* the piece */
    uint64_t received;     /* of it */
    uint64_t length;       /* of the answer; DO_SIZE_UNKNOWN = until the server closes */
    uint32_t retry_after_s;
    struct do_block *block;
    uint64_t block_offset; /* local */
    size_t block_capacity;
    struct do_list paused_link;

    /* For transfer_lanes.c. */
    uint64_t begin_ms;
    uint64_t last_byte_ms; /* or begin_ms */
    uint64_t seen_bytes;   /* received at the last look */
    uint64_t rate;         /* bytes per second, of late */
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
    enum do_rate_class rate_class;
    bool is_under_way;      /* an attempt, as the pace counts them */
    struct do_host *host;   /* the URL's server, one reference; NULL without memory */
    bool host_asked;        /* in this attempt */
    bool host_ever_asked;   /* in one before */
    uint32_t host_delay_ms; /* it was not: it is in trouble for so long */
    struct do_cache_choice cache;
    char *cache_origin;   /* NULL = no cache host is asked */
    size_t cache_source;  /* the cache host that gave bytes last, or DO_CACHE_ORIGINAL */
    size_t known_source;  /* whose word the validators are */
    size_t failed_source; /* who failed in this attempt */
    bool must_retry;
    struct do_lane *lanes[DO_TRANSFER_LANES]; /* created when first needed */
    uint32_t running_lanes;
    struct do_share share;
    bool ranges_proven; /* in this attempt, by a 206 */
    bool answered;      /* in this attempt: what comes must be of the same object */
    struct do_plan plan;
    struct do_range_set claimed; /* written or on its way to the writer, local offsets */
    uint64_t received_bytes;     /* over all lanes and attempts, for the rate */
    uint32_t latency_ms;         /* of the last answer */
    uint64_t looked_bytes;       /* received_bytes then */
    uint64_t ended_ms;           /* when a piece last was whole */
    uint64_t looked_ms;          /* when the lanes were last measured */
    struct do_timer start_timer;
    struct do_timer partial_timer;
    struct do_timer share_timer;
    enum phase phase;
    HRESULT failure;      /* what PHASE_FAILING will tell */
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

/** A lane's piece is here, or not; never from inside do_lane_start. */
void do_transfer_lane_ended(struct do_transfer *transfer, struct do_lane *lane, HRESULT hr);

/** Ends the attempt once what was received is written. */
void do_transfer_fail(struct do_transfer *transfer, HRESULT hr);

/* transfer_lanes.c */

/** Starts as many connections as the file is worth; S_FALSE when nothing is left to be asked for.
 */
HRESULT do_transfer_fill_lanes(struct do_transfer *transfer);

/**
 * A lane's body begins. When it is a range (206), others may be trusted to get theirs. False: its
 * piece is being received by another one already.
 */
bool do_transfer_lane_answered(
    struct do_transfer *transfer, const struct do_lane *trial, bool with_range);

/** Whether the transfer goes on without the lane that failed so. */
bool do_transfer_spares_lane(struct do_transfer *transfer, struct do_lane *lane, HRESULT hr);

void do_transfer_stop_lanes(struct do_transfer *transfer);
void do_transfer_init_lanes(struct do_transfer *transfer);
void do_transfer_destroy_lanes(struct do_transfer *transfer);

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

/* lane.c */

/** References beside the owner's: one for each queued write, one for a queued notification. */
void do_transfer_retain(struct do_transfer *transfer);
void do_transfer_unref(struct do_transfer *transfer);

/** How many writes are queued; *write_result is the first failure of a write, or S_OK. */
uint32_t do_transfer_queued_writes(struct do_transfer *transfer, HRESULT *write_result);

/** Counts as a queued write, with a reference, until do_transfer_on_written. */
void do_transfer_begin_work(struct do_transfer *transfer);

/** The end of a write or of a check. On their threads. */
void do_transfer_on_written(void *ctx, size_t length, HRESULT hr);

/** Sends the lanes' current blocks, full or not, to the writer. */
HRESULT do_transfer_submit_blocks(struct do_transfer *transfer);

/** Whether bytes of the object are here, so that others must be of the same version. */
bool do_transfer_has_data(const struct do_transfer *transfer);

HRESULT do_lane_create(struct do_transfer *transfer, const struct do_request_settings *settings,
    struct do_lane **lane);
void do_lane_destroy(struct do_lane *lane);

/** Asks for a piece. do_transfer_lane_ended follows unless this fails. */
HRESULT do_lane_start(struct do_lane *lane, const struct do_fetch *fetch);

/** Ends the request; what it brought goes to the writer. */
HRESULT do_lane_stop(struct do_lane *lane);

/** Makes the piece end before local_end, which is beyond what was received. */
void do_lane_cut(struct do_lane *lane, uint64_t local_end);

/** Where the lane's piece ends in the file; DO_SIZE_UNKNOWN. */
uint64_t do_lane_local_end(const struct do_lane *lane);

/* source.c */

/** What is known of the object that the local bytes come from. */
void do_transfer_get_validators(
    const struct do_transfer *transfer, struct do_validators *validators);

/** A new attempt: whom the URL names by now. */
void do_transfer_look_at_url(struct do_transfer *transfer);

/** A request to source failed: what follows. */
enum do_cache_verdict do_transfer_source_failed(
    struct do_transfer *transfer, size_t source, HRESULT hr);

/** The file is not what was hashed: a cache host that gave bytes of it is not trusted any more. */
void do_transfer_blame_cache(struct do_transfer *transfer);

/**
 * Whom to ask: *url is do_alloc'ed for a cache host, and else NULL: the file's own. A failure is
 * that of a server which is known to be in trouble.
 */
HRESULT do_lane_choose_source(struct do_lane *lane, char **url);

/** What must not have changed since, for If-Range; "" where the answer itself is looked at. */
const char *do_lane_if_range(const struct do_lane *lane, const struct do_validators *known);

/** The server has answered. */
void do_lane_note_answer(struct do_lane *lane, unsigned int status);

/** What the answer is to be measured by. False: it is of another object. */
bool do_lane_get_known(
    const struct do_lane *lane, const struct do_http_head *head, struct do_validators *known);

/** Keeps what an accepted answer says of the object, in memory and, when new, in the database. */
HRESULT do_lane_keep_validators(
    struct do_lane *lane, const struct do_http_head *head, const struct do_head_answer *answer);

#endif
