/* SPDX-License-Identifier: MIT */
/*
 * The course of one file's transfer. Loop thread only.
 *
 * An attempt is in one of these phases: IDLE; STARTING, queued; FETCHING, requests run; DRAINING,
 * every byte was received and the writer has some of them; HASHES, the piece hash file is fetched;
 * CHECKING, the whole file is looked at (transfer_check.c); RESTARTING, the object changed and the
 * writer must be through with the old file before a fresh one replaces it; FAILING, the same wait
 * before a failure is told, so that the next attempt finds settled facts.
 */
#include "transfer/transfer_internal.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

/* Received bytes wait at most this long in a block that does not fill. */
#define PARTIAL_BLOCK_MS 500U

static void set_partial_timer(struct do_transfer *transfer)
{
    do_timer_set_on_loop(transfer->env->loop, &transfer->partial_timer,
        do_loop_now_on_loop(transfer->env->loop) + PARTIAL_BLOCK_MS);
}

static void begin_fetching(struct do_transfer *transfer);
static void fetch_next(struct do_transfer *transfer);

static void on_partial_timer(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT hr;

    if (transfer->phase != PHASE_FETCHING)
        return;
    set_partial_timer(transfer);
    if (FAILED(hr = do_transfer_submit_blocks(transfer)))
        do_transfer_fail(transfer, hr);
}

static void set_under_way(struct do_transfer *transfer, bool is_under_way)
{
    struct do_pace *pace = &transfer->env->pace;

    if (transfer->is_under_way == is_under_way)
        return;
    transfer->is_under_way = is_under_way;
    if (is_under_way)
        do_pace_begin_on_loop(pace, transfer->rate_class);
    else
        do_pace_end_on_loop(pace, transfer->rate_class);
}

static void end_attempt(struct do_transfer *transfer, HRESULT hr)
{
    transfer->phase = PHASE_IDLE;
    set_under_way(transfer, false);
    do_timer_cancel_on_loop(&transfer->partial_timer);
    do_timer_cancel_on_loop(&transfer->share_timer);
    transfer->on_end(transfer->ctx, hr);
}

/* The attempt has failed; what was received is still written before that is told. */
void do_transfer_fail(struct do_transfer *transfer, HRESULT hr)
{
    HRESULT written;

    do_transfer_stop_lanes(transfer);
    transfer->failure = hr;
    transfer->phase = PHASE_FAILING;
    if (!do_transfer_queued_writes(transfer, &written))
        end_attempt(transfer, FAILED(written) ? written : hr);
}

/* Marks the file as transferred if every byte is written. Nothing may be queued. */
static bool settle(struct do_transfer *transfer)
{
    uint64_t size = do_plan_local_size(&transfer->plan);

    if (transfer->file->transferred)
        return true;
    if (size == DO_SIZE_UNKNOWN || !*transfer->part || do_transfer_needs_check(transfer) ||
        !do_part_file_is_written(*transfer->part, size))
        return false;
    transfer->file->transferred = true;
    do_progress_set_total(transfer->progress, size);
    do_progress_set_flags(transfer->progress, true, false);
    return true;
}

/* Every byte was received and written. */
static void finish(struct do_transfer *transfer)
{
    HRESULT hr;

    if (do_transfer_needs_check(transfer))
    {
        transfer->phase = PHASE_CHECKING;
        if (FAILED(hr = do_transfer_start_check(transfer)))
            end_attempt(transfer, hr);
        return;
    }
    if (!settle(transfer))
    {
        do_log(DO_LOG_ERROR, DO_LOG_XFER, "%s misses bytes that were counted",
            do_part_file_path(*transfer->part));
        end_attempt(transfer, E_UNEXPECTED);
        return;
    }
    do_recorder_end(transfer->env->recorder, transfer->recording, true, true);
    transfer->recording = NULL;
    end_attempt(transfer, S_OK);
}

/* Makes a fresh temporary file known to the database, then opens it. */
static HRESULT begin_part(struct do_transfer *transfer)
{
    struct do_file_record *file = transfer->file;
    char *path = NULL;
    HRESULT hr;

    if (*transfer->part)
        return do_part_file_open(*transfer->part);
    if (FAILED(hr = do_part_file_make_name(
                   file->local_path ? file->local_path : transfer->env->stream_target, &path)))
        return hr;
    do_free(file->temp_path);
    file->temp_path = path;
    if (FAILED(hr = do_queue_db_note_file(transfer->env->db, file)) ||
        FAILED(hr = do_part_file_create(path, NULL, transfer->part)))
        return hr;
    if (FAILED(hr = do_part_file_open(*transfer->part)))
    {
        do_part_file_release(*transfer->part);
        *transfer->part = NULL;
    }
    return hr;
}

/*
 * The object on the server is another one: everything received is worthless. A fresh temporary file
 * takes the old one's place, so that bytes of two versions can never meet in one file.
 */
static void restart(struct do_transfer *transfer)
{
    struct do_file_record *file = transfer->file;
    struct do_part_file *old = *transfer->part;
    HRESULT hr;

    if (do_part_file_is_stream(old) || do_transfer_has_given(transfer))
    {
        /* What a stream has got cannot be taken back, and must not go on with another object. */
        end_attempt(transfer, DO_E_INSUFFICIENT_RANGE_SUPPORT);
        return;
    }
    do_recorder_end(transfer->env->recorder, transfer->recording, false, false);
    transfer->recording = NULL;
    *transfer->part = NULL;
    do_range_set_clear(&file->received);
    do_range_set_clear(&transfer->claimed);
    transfer->answered = false;
    transfer->ranges_proven = false;
    do_share_begin(&transfer->share);
    do_plan_unresolve(&transfer->plan, file->ranges);
    file->remote_size = DO_SIZE_UNKNOWN;
    (void)do_str_assign(&file->etag, NULL);
    (void)do_str_assign(&file->last_modified, NULL);
    do_progress_set_transferred(transfer->progress, 0);
    do_progress_set_total(transfer->progress, do_plan_local_size(&transfer->plan));
    transfer->local_bytes = 0;
    /* The new name is stored before the old file goes: a crash between finds one of them. */
    hr = begin_part(transfer);
    do_part_file_discard(old);
    do_part_file_release(old);
    if (FAILED(hr) || FAILED(hr = do_recorder_begin(transfer->env->recorder, *transfer->part,
                                 file->row_id, &transfer->recording)))
    {
        end_attempt(transfer, hr);
        return;
    }
    begin_fetching(transfer);
}

static void take_check(struct do_transfer *transfer, HRESULT written)
{
    HRESULT hr;

    if (FAILED(written))
    {
        end_attempt(transfer, written);
        return;
    }
    switch (do_transfer_take_check(transfer, &hr))
    {
    case DO_VERDICT_GOOD:
        finish(transfer);
        break;
    case DO_VERDICT_DECRYPTED:
        end_attempt(transfer, S_OK);
        break;
    case DO_VERDICT_FETCH_MORE:
        do_transfer_blame_cache(transfer);
        fetch_next(transfer);
        break;
    case DO_VERDICT_BEGIN_ANEW:
        do_transfer_blame_cache(transfer);
        restart(transfer);
        break;
    case DO_VERDICT_FAILED:
        end_attempt(transfer, hr);
        break;
    }
}

/* The writer has news: the queue ran empty, or a write failed. */
static void on_written_op(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT written;
    uint32_t left;

    atomic_store(&transfer->written_queued, false);
    left = do_transfer_queued_writes(transfer, &written);
    if (FAILED(written) && transfer->phase == PHASE_FETCHING)
        do_transfer_fail(transfer, written);
    else if (!left)
    {
        switch (transfer->phase)
        {
        case PHASE_IDLE:
        case PHASE_STARTING:
        case PHASE_HASHES:
        case PHASE_FETCHING:
            break;
        case PHASE_CHECKING:
            take_check(transfer, written);
            break;
        case PHASE_DRAINING:
            if (FAILED(written))
                end_attempt(transfer, written);
            else
                finish(transfer);
            break;
        case PHASE_RESTARTING:
            restart(transfer);
            break;
        case PHASE_FAILING:
            end_attempt(transfer, FAILED(written) ? written : transfer->failure);
            break;
        }
    }
    do_transfer_unref(transfer);
}

/* Everything here is of no use: a fresh file as soon as the writer is through with the old one. */
static void begin_anew(struct do_transfer *transfer)
{
    HRESULT written;

    do_transfer_stop_lanes(transfer);
    transfer->phase = PHASE_RESTARTING;
    if (!do_transfer_queued_writes(transfer, &written))
        restart(transfer);
}

/* Cache hosts come first: what one of them says is nothing that a client should see. */
static void lane_failed(struct do_transfer *transfer, struct do_lane *lane, HRESULT hr)
{
    switch (do_transfer_source_failed(transfer, lane->source, hr))
    {
    case DO_CACHE_RETRY_NOW:
        do_log(DO_LOG_INFO, DO_LOG_XFER, "a cache host failed: 0x%08x", (unsigned int)hr);
        fetch_next(transfer);
        return;
    case DO_CACHE_RETRY_LATER:
        if (transfer->running_lanes)
        {
            do_share_shrink(&transfer->share, transfer->running_lanes,
                do_loop_now_on_loop(transfer->env->loop));
            return;
        }
        transfer->must_retry = true;
        break;
    case DO_CACHE_AS_USUAL:
        if (do_transfer_spares_lane(transfer, lane, hr))
            return;
        break;
    }
    /* That it was one too many says nothing of one alone. */
    if (lane->is_extra && !lane->answered)
        transfer->must_retry = true;
    transfer->retry_after_s = lane->retry_after_s;
    transfer->failed_source = lane->source;
    do_transfer_fail(transfer, hr);
}

void do_transfer_lane_ended(struct do_transfer *transfer, struct do_lane *lane, HRESULT hr)
{
    HRESULT submitted;

    if (lane->object_changed && !transfer->running_lanes && !transfer->restarted)
    {
        do_log(DO_LOG_WARN, DO_LOG_XFER, "%s: the object changed on the server, starting anew",
            do_part_file_path(*transfer->part));
        transfer->restarted = true;
        begin_anew(transfer);
        return;
    }
    if (lane->object_changed)
        hr = DO_HR_NET_INVALID_SERVER_RESPONSE;
    submitted = do_lane_stop(lane);
    if (FAILED(submitted))
        do_transfer_fail(transfer, submitted);
    else if (SUCCEEDED(hr))
    {
        transfer->ended_ms = do_loop_now_on_loop(transfer->env->loop);
        fetch_next(transfer);
    }
    else
        lane_failed(transfer, lane, hr);
}

/*
 * Without a validator that If-Range takes nobody can tell whether the rest belongs to what is here
 * (RFC 9110 15.3.7.3); a whole file then begins anew. A list of ranges goes on: its pieces are
 * separate requests in any case.
 */
static bool may_continue(const struct do_transfer *transfer, const struct do_validators *known)
{
    return !transfer->plan.is_whole || !transfer->claimed.count || do_validators_if_range(known)[0];
}

static bool misses_bytes(const struct do_transfer *transfer)
{
    struct do_fetch fetch;

    return do_plan_next(&transfer->plan, &transfer->claimed, &fetch);
}

/* Asks for what is missing, or waits for the last writes when nothing is. */
static void fetch_next(struct do_transfer *transfer)
{
    struct do_validators known;
    HRESULT hr;

    do_transfer_get_validators(transfer, &known);
    if (!transfer->running_lanes && !may_continue(transfer, &known) && misses_bytes(transfer))
    {
        do_log(DO_LOG_INFO, DO_LOG_XFER, "%s: nothing to tell versions by, starting anew",
            do_part_file_path(*transfer->part));
        begin_anew(transfer);
        return;
    }
    /* One on trial may still wait for its answer when another one has brought everything. */
    if (transfer->running_lanes && !misses_bytes(transfer))
        do_transfer_stop_lanes(transfer);
    transfer->phase = PHASE_FETCHING;
    set_partial_timer(transfer);
    if (FAILED(hr = do_transfer_fill_lanes(transfer)))
        do_transfer_fail(transfer, hr);
    if (hr != S_FALSE)
        return;
    transfer->phase = PHASE_DRAINING;
    if (!do_transfer_queued_writes(transfer, &hr) && SUCCEEDED(hr))
        finish(transfer);
    else if (FAILED(hr))
        do_transfer_fail(transfer, hr);
}

/* No byte before the piece hashes are here: a file that is begun anew needs them as well. */
static void begin_fetching(struct do_transfer *transfer)
{
    HRESULT hr;

    if (!do_transfer_wants_hashes(transfer))
    {
        fetch_next(transfer);
        return;
    }
    transfer->phase = PHASE_HASHES;
    if (FAILED(hr = do_transfer_fetch_hashes(transfer)))
        end_attempt(transfer, hr);
}

/*
 * Nothing is here, so any version of the object will do, of whatever size: what an earlier attempt
 * was told of it must not end this one early.
 */
static void forget_size(struct do_transfer *transfer)
{
    do_plan_unresolve(&transfer->plan, transfer->file->ranges);
    transfer->file->remote_size = DO_SIZE_UNKNOWN;
}

/* The first step of an attempt, from the loop's queue so that on_end is never synchronous. */
static void begin_attempt(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT hr;

    hr = begin_part(transfer);
    if ((hr == DO_HR_FILE_NOT_FOUND || hr == DO_HR_LOCAL_FILE_CHANGED) && *transfer->part)
    {
        do_log(DO_LOG_WARN, DO_LOG_XFER, "%s has vanished or was changed, starting anew",
            do_part_file_path(*transfer->part));
        restart(transfer);
        return;
    }
    if (FAILED(hr))
    {
        end_attempt(transfer, hr);
        return;
    }
    if (!transfer->recording &&
        FAILED(hr = do_recorder_begin(transfer->env->recorder, *transfer->part,
                   transfer->file->row_id, &transfer->recording)))
    {
        end_attempt(transfer, hr);
        return;
    }
    if (!transfer->claimed.count)
        forget_size(transfer);
    begin_fetching(transfer);
}

void do_transfer_hashes_ended(struct do_transfer *transfer, HRESULT hr)
{
    if (FAILED(hr))
        end_attempt(transfer, hr);
    else
        fetch_next(transfer);
}

void do_transfer_start_on_loop(struct do_transfer *transfer, bool in_any_case)
{
    assert(transfer->phase == PHASE_IDLE);
    do_transfer_look_at_url(transfer);
    transfer->host_asked = in_any_case;
    transfer->must_retry = false;
    transfer->failed_source = DO_CACHE_ORIGINAL;
    transfer->restarted = false;
    transfer->answered = false;
    transfer->ranges_proven = false;
    transfer->retry_after_s = 0;
    do_share_begin(&transfer->share);
    transfer->phase = PHASE_STARTING;
    set_under_way(transfer, true);
    if (*transfer->part && do_part_file_is_stream(*transfer->part))
        do_part_file_stop_stream(*transfer->part, false);
    do_timer_set_on_loop(transfer->env->loop, &transfer->start_timer, 0);
}

void do_transfer_stop_on_loop(struct do_transfer *transfer)
{
    do_timer_cancel_on_loop(&transfer->start_timer);
    do_timer_cancel_on_loop(&transfer->partial_timer);
    /* A changed object's bytes are worthless, and so is a failure to keep what a stop may lose. */
    do_transfer_stop_lanes(transfer);
    do_transfer_stop_check(transfer);
    if (*transfer->part && do_part_file_is_stream(*transfer->part))
        do_part_file_stop_stream(*transfer->part, true);
    transfer->phase = PHASE_IDLE;
    set_under_way(transfer, false);
}

HRESULT do_transfer_create(struct do_transfer_env *env, struct do_file_record *file,
    struct do_part_file **part, struct do_progress *progress,
    const struct do_request_options *options, struct do_http_facts *facts,
    do_transfer_end_fn on_end, void *ctx, struct do_transfer **transfer)
{
    struct do_transfer *created;
    HRESULT hr;

    *transfer = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    atomic_init(&created->references, 1);
    atomic_init(&created->written_queued, false);
    do_mutex_init(&created->lock);
    do_cond_init(&created->drained);
    do_loop_op_init(&created->written_op, on_written_op, created);
    do_timer_init(&created->start_timer, begin_attempt, created);
    do_timer_init(&created->partial_timer, on_partial_timer, created);
    do_range_set_init(&created->claimed);
    created->env = env;
    created->writer = env->writer;
    created->file = file;
    created->part = part;
    created->progress = progress;
    created->options = options;
    created->facts = facts;
    created->rate_class = DO_RATE_BACKGROUND;
    do_cache_choice_init(&created->cache, do_loop_now_on_loop(env->loop));
    created->cache_source = DO_CACHE_ORIGINAL;
    created->known_source = DO_CACHE_ORIGINAL;
    created->on_end = on_end;
    created->ctx = ctx;
    do_transfer_init_lanes(created);
    if (FAILED(hr = do_plan_init(&created->plan, file->ranges, file->range_count)))
        goto failed;
    if (file->remote_size != DO_SIZE_UNKNOWN &&
        FAILED(hr = do_plan_resolve(&created->plan, file->remote_size)))
        goto failed;
    if (*part && FAILED(hr = do_part_file_get_written(*part, &created->claimed)))
        goto failed;
    created->local_bytes = do_range_set_size(&created->claimed);
    created->most_bytes = created->local_bytes;
    *transfer = created;
    return S_OK;

failed:
    do_transfer_release_on_loop(created, false);
    return hr;
}

void do_transfer_release_on_loop(struct do_transfer *transfer, bool keep)
{
    if (!transfer)
        return;
    do_transfer_stop_on_loop(transfer);
    do_transfer_destroy_lanes(transfer);
    /* What never began is not looked at: its check may not have been set. */
    if (transfer->recording)
        do_recorder_end(
            transfer->env->recorder, transfer->recording, keep, keep && settle(transfer));
    transfer->recording = NULL;
    do_transfer_release_check(transfer);
    do_host_release(
        &transfer->env->hosts, transfer->host, do_loop_now_on_loop(transfer->env->loop));
    do_free(transfer->cache_origin);
    do_plan_finish(&transfer->plan);
    do_range_set_finish(&transfer->claimed);
    do_transfer_unref(transfer);
}

void do_transfer_set_class_on_loop(struct do_transfer *transfer, enum do_rate_class which)
{
    bool is_under_way = transfer->is_under_way;

    if (transfer->rate_class == which)
        return;
    set_under_way(transfer, false);
    transfer->rate_class = which;
    set_under_way(transfer, is_under_way);
    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        if (transfer->lanes[i])
            do_request_set_pace_on_loop(transfer->lanes[i]->request, &transfer->env->pace, which);
    }
}

void do_transfer_set_writer_on_loop(struct do_transfer *transfer, struct do_writer *writer)
{
    transfer->writer = writer;
}

uint64_t do_transfer_last_byte_ms_on_loop(const struct do_transfer *transfer)
{
    return transfer->last_byte_ms;
}

bool do_transfer_is_writing_on_loop(struct do_transfer *transfer)
{
    HRESULT written;

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        const struct do_lane *lane = transfer->lanes[i];

        if (lane && lane->block && lane->block->length)
            return true;
    }
    return do_transfer_queued_writes(transfer, &written) != 0;
}

bool do_transfer_waits_for_bytes_on_loop(struct do_transfer *transfer)
{
    HRESULT written;

    return transfer->running_lanes && !do_transfer_queued_writes(transfer, &written);
}

uint32_t do_transfer_retry_after_s_on_loop(const struct do_transfer *transfer)
{
    return transfer->retry_after_s;
}

bool do_transfer_must_retry_on_loop(const struct do_transfer *transfer)
{
    return transfer->must_retry;
}

uint32_t do_transfer_host_delay_ms_on_loop(const struct do_transfer *transfer)
{
    return transfer->host_delay_ms;
}
