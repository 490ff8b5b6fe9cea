/* SPDX-License-Identifier: MIT */
/*
 * The way of a transfer's bytes: the head that says what they are, the blocks that they fill, and
 * the books of what the writer has of them. Loop thread, but for do_transfer_on_written (writer)
 * and drain (any).
 */
#include "transfer/transfer_internal.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* Blocks that wait for a client's stream before its request pauses. */
#define STREAM_BLOCKS 2U

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
HRESULT do_transfer_submit_block(struct do_transfer *transfer)
{
    struct do_block *block = transfer->block;
    uint64_t end;
    HRESULT hr;

    transfer->block = NULL;
    if (!block || !block->length)
    {
        do_block_give(transfer->env->pool, block);
        return S_OK;
    }
    end = transfer->block_offset + block->length;
    if (FAILED(hr = do_range_set_add(&transfer->claimed, transfer->block_offset, end)))
    {
        do_block_give(transfer->env->pool, block);
        return hr;
    }
    do_transfer_begin_work(transfer);
    hr = do_writer_submit(transfer->writer, *transfer->part, transfer->block_offset, block,
        do_transfer_on_written, transfer);
    if (FAILED(hr))
    {
        /* Claimed but not written: this keeps the books, the failure ends the job's file. */
        do_transfer_on_written(transfer, 0, hr);
    }
    return hr;
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (length >= size)
        length = 0;
    if (length)
        memcpy(out, text, length);
    out[length] = 0;
}

void do_transfer_get_validators(
    const struct do_transfer *transfer, struct do_validators *validators)
{
    copy_text(validators->etag, sizeof(validators->etag), transfer->file->etag);
    copy_text(validators->last_modified, sizeof(validators->last_modified),
        transfer->file->last_modified);
    validators->size = transfer->file->remote_size;
}

/* Keeps what an accepted answer says of the object, in memory and, when new, in the database. */
static HRESULT keep_validators(struct do_transfer *transfer, const struct do_http_head *head,
    const struct do_head_answer *answer)
{
    struct do_file_record *file = transfer->file;
    HRESULT hr;

    /* A Content-Range without a total ("*") says nothing new of the size. */
    if (transfer->claimed.count &&
        (file->remote_size == answer->object_size || answer->object_size == DO_SIZE_UNKNOWN))
        return S_OK;
    file->remote_size = answer->object_size;
    if (FAILED(hr = do_str_assign(&file->etag, head->etag[0] ? head->etag : NULL)) ||
        FAILED(hr = do_str_assign(
                   &file->last_modified, head->last_modified[0] ? head->last_modified : NULL)))
        return hr;
    return do_queue_db_update_file(transfer->env->db, file);
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
    return transfer->claimed.count ? S_OK : do_part_file_set_size(*transfer->part, local_size);
}

HRESULT do_transfer_on_head(void *ctx, const struct do_http_head *head)
{
    struct do_transfer *transfer = ctx;
    struct do_head_question question;
    struct do_head_answer answer;
    HRESULT hr;

    if (transfer->facts)
        do_http_facts_set(transfer->facts, do_buf_str(&head->text),
            do_request_redirected_url_on_loop(transfer->request),
            do_request_server_address_on_loop(transfer->request), head->status);
    question.asked.begin = transfer->fetch.remote_begin;
    question.asked.end = transfer->fetch.remote_end;
    question.sent_range = question.asked.begin || question.asked.end != DO_SIZE_UNKNOWN;
    question.has_data = transfer->claimed.count != 0;
    do_transfer_get_validators(transfer, &question.known);
    question.expected_size = transfer->file->expected_size;
    transfer->retry_after_s = head->retry_after_s;

    switch (do_http_head_judge(head, &question, &answer, &hr))
    {
    case DO_HEAD_REFUSE:
        return hr;
    case DO_HEAD_CHANGED:
        transfer->object_changed = true;
        return E_ABORT;
    case DO_HEAD_ACCEPT:
        break;
    }
    transfer->fetch_length = answer.length;
    if (FAILED(hr = do_transfer_check_size(transfer, answer.object_size)) ||
        FAILED(hr = apply_object_size(transfer, answer.object_size)))
        return hr;
    return keep_validators(transfer, head, &answer);
}

/* Waits for a block; do_transfer_env_feed_on_loop ends that. */
static HRESULT pause_for_block(struct do_transfer *transfer)
{
    do_list_remove(&transfer->paused_link);
    do_list_add_tail(&transfer->env->paused, &transfer->paused_link);
    atomic_store(&transfer->env->wants_blocks, true);
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
bool do_transfer_has_room(void *ctx, size_t length)
{
    struct do_transfer *transfer = ctx;
    size_t needed = length / DO_BLOCK_SIZE + 1;

    if (needed > transfer->env->resume_blocks)
        needed = transfer->env->resume_blocks;
    if (do_block_pool_available(transfer->env->pool) >= needed && !is_slow(transfer))
        return true;
    (void)pause_for_block(transfer);
    return false;
}

static void begin_block(struct do_transfer *transfer, struct do_block *block)
{
    transfer->block = block;
    transfer->block_offset = transfer->fetch.local_begin + transfer->fetch_received;
    /* Blocks end at multiples of their size, so that writes are aligned after the first. */
    transfer->block_capacity = DO_BLOCK_SIZE - (size_t)(transfer->block_offset % DO_BLOCK_SIZE);
}

static void fill_block(struct do_transfer *transfer, const unsigned char **data, size_t *length)
{
    struct do_block *block = transfer->block;
    size_t part = transfer->block_capacity - block->length;

    if (part > *length)
        part = *length;
    memcpy(block->data + block->length, *data, part);
    block->length += part;
    transfer->fetch_received += part;
    *data += part;
    *length -= part;
}

/* Bytes that only replace what a restart threw away are no progress: it might go on for ever. */
static void count_progress(struct do_transfer *transfer, size_t length)
{
    transfer->local_bytes += length;
    if (transfer->local_bytes <= transfer->most_bytes)
        return;
    transfer->most_bytes = transfer->local_bytes;
    transfer->last_byte_ms = do_loop_now_on_loop(transfer->env->loop);
}

HRESULT do_transfer_on_data(void *ctx, const void *data, size_t length)
{
    struct do_transfer *transfer = ctx;
    struct do_block_pool *pool = transfer->env->pool;
    struct do_block *spare = NULL;
    const unsigned char *from = data;
    HRESULT hr = S_OK;

    assert(length < DO_BLOCK_SIZE / 2);
    if (transfer->fetch_length != DO_SIZE_UNKNOWN &&
        length > transfer->fetch_length - transfer->fetch_received)
        return DO_E_HTTP_BLOCKSIZE_MISMATCH;

    /* All or nothing: a paused request gets the same bytes again. */
    if (!transfer->block)
    {
        struct do_block *block = do_block_take(pool);

        if (!block)
            return pause_for_block(transfer);
        begin_block(transfer, block);
    }
    if (transfer->block_capacity - transfer->block->length < length &&
        !(spare = do_block_take(pool)))
        return pause_for_block(transfer);

    count_progress(transfer, length);
    while (length)
    {
        if (!transfer->block)
        {
            if (!spare && !(spare = do_block_take(pool)))
                return E_OUTOFMEMORY;
            begin_block(transfer, spare);
            spare = NULL;
        }
        fill_block(transfer, &from, &length);
        if (transfer->block->length == transfer->block_capacity &&
            FAILED(hr = do_transfer_submit_block(transfer)))
            break;
    }
    do_block_give(pool, spare);
    return hr;
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
        struct do_transfer *transfer = DO_LIST_ENTRY(link, struct do_transfer, paused_link);

        /* Delivers at once, and may put the transfer back into the list. */
        if (is_slow(transfer))
            (void)pause_for_block(transfer);
        else
            do_request_unpause_on_loop(transfer->request);
    }
}
