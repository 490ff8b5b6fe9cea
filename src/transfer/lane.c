/* SPDX-License-Identifier: MIT */
/*
 * One connection of a transfer and the way of its bytes: the head that says what they are, the
 * blocks that they fill, and the books of what the writer has of them. Loop thread, but for
 * do_transfer_on_written (writer) and drain (any).
 */
#include "transfer/transfer_internal.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* Blocks that wait for a client's stream before its request pauses. */
#define STREAM_BLOCKS 2U

/* Our own reason to end a request: what is wanted of it is here. */
#define CUT_REACHED E_ABORT

void do_transfer_retain(struct do_transfer *transfer)
{
    (void)atomic_fetch_add(&transfer->references, 1);
}

void do_transfer_unref(struct do_transfer *transfer)
{
    if (atomic_fetch_sub(&transfer->references, 1) > 1)
        return;
    do_cond_finish(&transfer->drained);
    do_mutex_finish(&transfer->lock);
    do_free(transfer);
}

uint32_t do_transfer_queued_writes(struct do_transfer *transfer, HRESULT *write_result)
{
    uint32_t count;

    do_mutex_lock(&transfer->lock);
    count = transfer->queued_writes;
    *write_result = transfer->write_result;
    do_mutex_unlock(&transfer->lock);
    return count;
}

/* On the writer: a block is on its way to the disk, or could not be written. */
void do_transfer_on_written(void *ctx, size_t length, HRESULT hr)
{
    struct do_transfer *transfer = ctx;
    struct do_transfer_env *env = transfer->env;
    bool notify;

    if (SUCCEEDED(hr))
        do_progress_add_transferred(transfer->progress, length);
    do_mutex_lock(&transfer->lock);
    if (FAILED(hr) && SUCCEEDED(transfer->write_result))
        transfer->write_result = hr;
    transfer->queued_writes--;
    notify = !transfer->queued_writes || FAILED(hr);
    if (!transfer->queued_writes)
        do_cond_broadcast(&transfer->drained);
    do_mutex_unlock(&transfer->lock);

    if (notify && !atomic_exchange(&transfer->written_queued, true))
    {
        do_transfer_retain(transfer);
        do_loop_post(env->loop, &transfer->written_op);
    }
    else if (atomic_load(&env->wants_blocks) &&
             do_block_pool_available(env->pool) >= env->resume_blocks)
        do_loop_wake(env->loop);
    do_transfer_unref(transfer);
}

void do_transfer_drain(struct do_transfer *transfer)
{
    /* A client that stops its download from inside its own stream waits for nothing. */
    if (do_writer_is_current(transfer->writer) || do_transfer_check_is_current(transfer))
        return;
    do_mutex_lock(&transfer->lock);
    while (transfer->queued_writes)
        do_cond_wait(&transfer->drained, &transfer->lock);
    do_mutex_unlock(&transfer->lock);
}

void do_transfer_begin_work(struct do_transfer *transfer)
{
    do_transfer_retain(transfer);
    do_mutex_lock(&transfer->lock);
    transfer->queued_writes++;
    do_mutex_unlock(&transfer->lock);
}

/* Sends the current block, full or not, to the writer. */
static HRESULT submit_block(struct do_lane *lane)
{
    struct do_transfer *transfer = lane->transfer;
    struct do_block *block = lane->block;
    uint64_t end;
    HRESULT hr;

    lane->block = NULL;
    if (!block || !block->length)
    {
        do_block_give(transfer->env->pool, block);
        return S_OK;
    }
    end = lane->block_offset + block->length;
    if (FAILED(hr = do_range_set_add(&transfer->claimed, lane->block_offset, end)))
    {
        do_block_give(transfer->env->pool, block);
        return hr;
    }
    do_transfer_begin_work(transfer);
    hr = do_writer_submit(transfer->writer, *transfer->part, lane->block_offset, block,
        do_transfer_on_written, transfer);
    if (FAILED(hr))
    {
        /* Claimed but not written: this keeps the books, the failure ends the job's file. */
        do_transfer_on_written(transfer, 0, hr);
    }
    return hr;
}

HRESULT do_transfer_submit_blocks(struct do_transfer *transfer)
{
    HRESULT result = S_OK;

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        HRESULT hr;

        if (transfer->lanes[i] && FAILED(hr = submit_block(transfer->lanes[i])))
            result = hr;
    }
    return result;
}

bool do_transfer_has_data(const struct do_transfer *transfer)
{
    return transfer->answered || transfer->claimed.count;
}

/* Fits the plan and the file to the object's size, once it is known. */
static HRESULT apply_object_size(struct do_transfer *transfer, uint64_t object_size)
{
    uint64_t local_size;
    HRESULT hr;

    if (object_size == DO_SIZE_UNKNOWN)
        return S_OK;
    if (FAILED(hr = do_plan_resolve(&transfer->plan, object_size)))
        return hr;
    local_size = do_plan_local_size(&transfer->plan);
    do_progress_set_total(transfer->progress, local_size);
    return do_transfer_has_data(transfer) ? S_OK
                                          : do_part_file_set_size(*transfer->part, local_size);
}

/*
 * What the answers say, for the client: the first of an attempt, and a refusal when nothing else
 * goes on. Further pieces are our own affair.
 */
static void keep_facts(struct do_lane *lane, const struct do_http_head *head)
{
    /* Which way a cache host takes is not where the client's URL leads to. */
    if (lane->transfer->facts)
        do_http_facts_set(lane->transfer->facts, do_buf_str(&head->text),
            lane->source == DO_CACHE_ORIGINAL ? do_request_redirected_url_on_loop(lane->request)
                                              : NULL,
            do_request_server_address_on_loop(lane->request), head->status);
}

/* A second connection is answered with the whole of the same object: ranges are not known there. */
static bool refuses_ranges(
    const struct do_lane *lane, const struct do_http_head *head, const struct do_validators *known)
{
    return lane->transfer->running_lanes > 1 && head->status == 200 &&
           !do_http_head_is_other_object(head, known);
}

static HRESULT on_head(void *ctx, const struct do_http_head *head)
{
    struct do_lane *lane = ctx;
    struct do_transfer *transfer = lane->transfer;
    struct do_head_question question;
    struct do_head_answer answer;
    HRESULT hr;

    do_lane_note_answer(lane, head->status);
    if (!transfer->answered || (transfer->running_lanes == 1 && head->status >= 300))
        keep_facts(lane, head);
    question.asked.begin = lane->fetch.remote_begin;
    question.asked.end = lane->fetch.remote_end;
    question.sent_range = question.asked.begin || question.asked.end != DO_SIZE_UNKNOWN;
    question.has_data = do_transfer_has_data(transfer);
    question.expected_size = transfer->file->expected_size;
    lane->retry_after_s = head->retry_after_s;
    if (!do_lane_get_known(lane, head, &question.known))
    {
        lane->object_changed = true;
        return E_ABORT;
    }
    lane->refuses_ranges = refuses_ranges(lane, head, &question.known);
    if (lane->refuses_ranges)
        return DO_E_INSUFFICIENT_RANGE_SUPPORT;

    switch (do_http_head_judge(head, &question, &answer, &hr))
    {
    case DO_HEAD_REFUSE:
        return hr;
    case DO_HEAD_CHANGED:
        lane->object_changed = true;
        return E_ABORT;
    case DO_HEAD_ACCEPT:
        break;
    }
    lane->length = answer.length;
    if (FAILED(hr = do_transfer_check_size(transfer, answer.object_size)) ||
        FAILED(hr = apply_object_size(transfer, answer.object_size)) ||
        FAILED(hr = do_lane_keep_validators(lane, head, &answer)))
        return hr;
    if (lane->fetch.remote_end == DO_SIZE_UNKNOWN && answer.length != DO_SIZE_UNKNOWN)
        lane->fetch.remote_end = lane->fetch.remote_begin + answer.length;
    if (answer.object_size != DO_SIZE_UNKNOWN)
        transfer->env->last_object_bytes = answer.object_size;
    lane->answered = true;
    transfer->answered = true;
    transfer->latency_ms = (uint32_t)(do_loop_now_on_loop(transfer->env->loop) - lane->begin_ms);
    lane->is_late = !do_transfer_lane_answered(transfer, lane, head->status == 206);
    return lane->is_late ? CUT_REACHED : S_OK;
}

/* Waits for a block; do_transfer_env_feed_on_loop ends that. */
static HRESULT pause_for_block(struct do_lane *lane)
{
    struct do_transfer_env *env = lane->transfer->env;

    do_list_remove(&lane->paused_link);
    do_list_add_tail(&env->paused, &lane->paused_link);
    atomic_store(&env->wants_blocks, true);
    return S_FALSE;
}

/* A client's stream takes bytes as slowly as it likes; few of them wait in memory meanwhile. */
static bool is_slow(struct do_transfer *transfer)
{
    HRESULT written;

    return *transfer->part && do_part_file_is_stream(*transfer->part) &&
           do_transfer_queued_writes(transfer, &written) >= STREAM_BLOCKS;
}

/* Stopping before a read costs nothing; libcurl must copy what it has read and cannot deliver. */
static bool has_room(void *ctx, size_t length)
{
    struct do_lane *lane = ctx;
    struct do_transfer *transfer = lane->transfer;
    size_t needed = length / DO_BLOCK_SIZE + 1;

    if (needed > transfer->env->resume_blocks)
        needed = transfer->env->resume_blocks;
    if (do_block_pool_available(transfer->env->pool) >= needed && !is_slow(transfer))
        return true;
    (void)pause_for_block(lane);
    return false;
}

static void begin_block(struct do_lane *lane, struct do_block *block)
{
    lane->block = block;
    lane->block_offset = lane->fetch.local_begin + lane->received;
    /* Blocks end at multiples of their size, so that writes are aligned after the first. */
    lane->block_capacity = DO_BLOCK_SIZE - (size_t)(lane->block_offset % DO_BLOCK_SIZE);
}

static void fill_block(struct do_lane *lane, const unsigned char **data, size_t *length)
{
    struct do_block *block = lane->block;
    size_t part = lane->block_capacity - block->length;

    if (part > *length)
        part = *length;
    memcpy(block->data + block->length, *data, part);
    block->length += part;
    lane->received += part;
    *data += part;
    *length -= part;
}

/* Bytes that only replace what a restart threw away are no progress: it might go on for ever. */
static void count_progress(struct do_lane *lane, size_t length)
{
    struct do_transfer *transfer = lane->transfer;

    lane->last_byte_ms = do_loop_now_on_loop(transfer->env->loop);
    transfer->received_bytes += length;
    transfer->env->pace.received[transfer->rate_class] += length;
    if (lane->source != DO_CACHE_ORIGINAL)
    {
        transfer->env->cache_bytes += length;
        transfer->cache_source = lane->source;
    }
    transfer->local_bytes += length;
    if (transfer->local_bytes <= transfer->most_bytes)
        return;
    transfer->most_bytes = transfer->local_bytes;
    transfer->last_byte_ms = lane->last_byte_ms;
    do_cache_progress(&transfer->cache);
}

/* What is wanted of a piece that was cut since it was asked for. */
static size_t cut_length(const struct do_lane *lane, size_t length)
{
    uint64_t left = lane->fetch.remote_end - lane->fetch.remote_begin - lane->received;

    return lane->is_cut && length > left ? (size_t)left : length;
}

static bool cut_is_reached(const struct do_lane *lane)
{
    return lane->is_cut && lane->received == lane->fetch.remote_end - lane->fetch.remote_begin;
}

static HRESULT on_data(void *ctx, const void *data, size_t length)
{
    struct do_lane *lane = ctx;
    struct do_block_pool *pool = lane->transfer->env->pool;
    struct do_block *spare = NULL;
    const unsigned char *from = data;
    HRESULT hr = S_OK;

    assert(length < DO_BLOCK_SIZE / 2);
    if (lane->length != DO_SIZE_UNKNOWN && length > lane->length - lane->received)
        return DO_E_HTTP_BLOCKSIZE_MISMATCH;
    length = cut_length(lane, length);

    /* All or nothing: a paused request gets the same bytes again. */
    if (!lane->block)
    {
        struct do_block *block = do_block_take(pool);

        if (!block)
            return pause_for_block(lane);
        begin_block(lane, block);
    }
    if (lane->block_capacity - lane->block->length < length && !(spare = do_block_take(pool)))
        return pause_for_block(lane);

    count_progress(lane, length);
    while (length)
    {
        if (!lane->block)
        {
            if (!spare && !(spare = do_block_take(pool)))
                return E_OUTOFMEMORY;
            begin_block(lane, spare);
            spare = NULL;
        }
        fill_block(lane, &from, &length);
        if (lane->block->length == lane->block_capacity && FAILED(hr = submit_block(lane)))
            break;
    }
    do_block_give(pool, spare);
    return SUCCEEDED(hr) && cut_is_reached(lane) ? CUT_REACHED : hr;
}

/* The end of a body without a length told the object's size, which the next engine needs too. */
static HRESULT keep_size_told_by_end(struct do_lane *lane)
{
    struct do_transfer *transfer = lane->transfer;
    uint64_t size = lane->fetch.remote_begin + lane->received;
    HRESULT hr;

    if (transfer->plan.is_whole && transfer->file->expected_size != DO_SIZE_UNKNOWN &&
        transfer->file->expected_size != size)
        return DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (FAILED(hr = do_plan_resolve(&transfer->plan, size)))
        return hr;
    transfer->file->remote_size = size;
    return do_queue_db_note_file(transfer->env->db, transfer->file);
}

static void set_running(struct do_lane *lane, bool running)
{
    if (lane->running == running)
        return;
    lane->running = running;
    lane->transfer->running_lanes += running ? 1U : (uint32_t)-1;
    lane->transfer->env->running_lanes += running ? 1U : (uint32_t)-1;
    if (lane->host)
        lane->host->lanes += running ? 1U : (uint32_t)-1;
}

static void on_end(void *ctx, HRESULT hr)
{
    struct do_lane *lane = ctx;

    do_list_remove(&lane->paused_link);
    set_running(lane, false);
    if (hr == CUT_REACHED && (lane->is_late || cut_is_reached(lane)))
        hr = S_OK;
    else if (SUCCEEDED(hr) && lane->length == DO_SIZE_UNKNOWN)
        hr = keep_size_told_by_end(lane);
    else if (SUCCEEDED(hr) && lane->received != lane->length)
        hr = DO_HR_NET_CONNECTION_ABORTED;
    do_transfer_lane_ended(lane->transfer, lane, hr);
}

HRESULT do_lane_create(
    struct do_transfer *transfer, const struct do_request_settings *settings, struct do_lane **lane)
{
    static const struct do_request_events events = {
        .on_head = on_head,
        .on_data = on_data,
        .has_room = has_room,
        .on_end = on_end,
    };
    struct do_lane *created;
    HRESULT hr;

    *lane = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->transfer = transfer;
    do_list_init(&created->paused_link);
    if (FAILED(hr = do_request_create(
                   transfer->env->loop, settings, &events, created, &created->request)))
    {
        do_free(created);
        return hr;
    }
    do_request_set_pace_on_loop(created->request, &transfer->env->pace, transfer->rate_class);
    *lane = created;
    return S_OK;
}

void do_lane_destroy(struct do_lane *lane)
{
    if (!lane)
        return;
    do_list_remove(&lane->paused_link);
    do_request_destroy(lane->request);
    do_free(lane);
}

HRESULT do_lane_start(struct do_lane *lane, const struct do_fetch *fetch)
{
    struct do_transfer *transfer = lane->transfer;
    struct do_range range = {fetch->remote_begin, fetch->remote_end};
    bool needs_range = range.begin || range.end != DO_SIZE_UNKNOWN;
    struct do_validators known;
    char *url;
    HRESULT hr;

    if (FAILED(hr = do_lane_choose_source(lane, &url)))
        return hr;
    do_transfer_get_validators(transfer, &known);
    lane->fetch = *fetch;
    lane->answered = false;
    lane->object_changed = false;
    lane->refuses_ranges = false;
    lane->is_late = false;
    lane->is_extra = transfer->running_lanes != 0;
    lane->is_cut = false;
    lane->received = 0;
    lane->length = DO_SIZE_UNKNOWN;
    lane->retry_after_s = 0;
    lane->begin_ms = do_loop_now_on_loop(transfer->env->loop);
    lane->last_byte_ms = lane->begin_ms;
    lane->seen_bytes = 0;
    lane->rate = 0;
    hr = do_request_start_on_loop(lane->request, url ? url : transfer->file->url,
        needs_range ? &range : NULL, needs_range ? do_lane_if_range(lane, &known) : "",
        transfer->options);
    do_free(url);
    if (SUCCEEDED(hr))
        set_running(lane, true);
    return hr;
}

HRESULT do_lane_stop(struct do_lane *lane)
{
    do_list_remove(&lane->paused_link);
    do_request_abort_on_loop(lane->request);
    set_running(lane, false);
    return submit_block(lane);
}

void do_lane_cut(struct do_lane *lane, uint64_t local_end)
{
    assert(local_end > lane->fetch.local_begin + lane->received);
    lane->fetch.remote_end = lane->fetch.remote_begin + (local_end - lane->fetch.local_begin);
    lane->is_cut = true;
}

uint64_t do_lane_local_end(const struct do_lane *lane)
{
    if (lane->fetch.remote_end == DO_SIZE_UNKNOWN)
        return DO_SIZE_UNKNOWN;
    return lane->fetch.local_begin + (lane->fetch.remote_end - lane->fetch.remote_begin);
}

void do_transfer_env_feed_on_loop(struct do_transfer_env *env)
{
    struct do_list waiting;
    struct do_list *link;

    if (do_list_is_empty(&env->paused) || do_block_pool_available(env->pool) < env->resume_blocks)
        return;
    atomic_store(&env->wants_blocks, false);
    do_list_init(&waiting);
    while ((link = do_list_pop(&env->paused)))
        do_list_add_tail(&waiting, link);
    while ((link = do_list_pop(&waiting)))
    {
        struct do_lane *lane = DO_LIST_ENTRY(link, struct do_lane, paused_link);

        /* Delivers at once, and may put the lane back into the list. */
        if (is_slow(lane->transfer))
            (void)pause_for_block(lane);
        else
            do_request_unpause_on_loop(lane->request);
    }
}
