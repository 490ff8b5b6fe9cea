/* SPDX-License-Identifier: MIT */
/*
 * The transfer of one file. The loop thread runs everything but on_written (writer) and drain
 * (any).
 *
 * An attempt is in one of these phases: IDLE; STARTING, queued; FETCHING, a request runs; DRAINING,
 * every byte was received and the writer has some of them; RESTARTING, the object changed and the
 * writer must be through with the old file before a fresh one replaces it; FAILING, the same wait
 * before a failure is told, so that the next attempt finds settled facts.
 */
#include "transfer/transfer.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "plat/plat.h"
#include "transfer/plan.h"

/* Received bytes wait at most this long in a block that does not fill. */
#define PARTIAL_BLOCK_MS 500U

enum phase
{
    PHASE_IDLE,
    PHASE_STARTING,
    PHASE_FETCHING,
    PHASE_DRAINING,
    PHASE_RESTARTING,
    PHASE_FAILING
};

struct do_transfer
{
    atomic_int references;
    struct do_transfer_env *env;
    struct do_progress *progress;

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
};

static void acquire(struct do_transfer *transfer)
{
    (void)atomic_fetch_add(&transfer->references, 1);
}

static void release(struct do_transfer *transfer)
{
    if (atomic_fetch_sub(&transfer->references, 1) > 1)
        return;
    do_cond_finish(&transfer->drained);
    do_mutex_finish(&transfer->lock);
    do_free(transfer);
}

static uint32_t queued_writes(struct do_transfer *transfer, HRESULT *write_result)
{
    uint32_t count;

    do_mutex_lock(&transfer->lock);
    count = transfer->queued_writes;
    *write_result = transfer->write_result;
    do_mutex_unlock(&transfer->lock);
    return count;
}

/* On the writer: a block is on its way to the disk, or could not be written. */
static void on_written(void *ctx, size_t length, HRESULT hr)
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
        acquire(transfer);
        do_loop_post(env->loop, &transfer->written_op);
    }
    else if (atomic_load(&env->wants_blocks) &&
             do_block_pool_available(env->pool) >= env->resume_blocks)
        do_loop_wake(env->loop);
    release(transfer);
}

void do_transfer_drain(struct do_transfer *transfer)
{
    do_mutex_lock(&transfer->lock);
    while (transfer->queued_writes)
        do_cond_wait(&transfer->drained, &transfer->lock);
    do_mutex_unlock(&transfer->lock);
}

/* Sends the current block, full or not, to the writer. */
static HRESULT submit_block(struct do_transfer *transfer)
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
    acquire(transfer);
    do_mutex_lock(&transfer->lock);
    transfer->queued_writes++;
    do_mutex_unlock(&transfer->lock);
    hr = do_writer_submit(transfer->env->writer, *transfer->part, transfer->block_offset, block,
        on_written, transfer);
    if (FAILED(hr))
    {
        /* Claimed but not written: on_written keeps the books, the failure ends the job's file. */
        on_written(transfer, 0, hr);
    }
    return hr;
}

static void set_partial_timer(struct do_transfer *transfer)
{
    do_timer_set_on_loop(transfer->env->loop, &transfer->partial_timer,
        do_loop_now_on_loop(transfer->env->loop) + PARTIAL_BLOCK_MS);
}

static void fetch_next(struct do_transfer *transfer);
static void fail(struct do_transfer *transfer, HRESULT hr);

static void on_partial_timer(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT hr;

    if (transfer->phase != PHASE_FETCHING)
        return;
    set_partial_timer(transfer);
    if (FAILED(hr = submit_block(transfer)))
    {
        do_request_abort_on_loop(transfer->request);
        fail(transfer, hr);
    }
}

static void end_attempt(struct do_transfer *transfer, HRESULT hr)
{
    transfer->phase = PHASE_IDLE;
    do_timer_cancel_on_loop(&transfer->partial_timer);
    transfer->on_end(transfer->ctx, hr);
}

/* The attempt has failed; what was received is still written before that is told. */
static void fail(struct do_transfer *transfer, HRESULT hr)
{
    HRESULT written;

    if (FAILED(written = submit_block(transfer)))
        hr = written;
    transfer->failure = hr;
    transfer->phase = PHASE_FAILING;
    if (!queued_writes(transfer, &written))
        end_attempt(transfer, FAILED(written) ? written : hr);
}

/* Marks the file as transferred if every byte is written. Nothing may be queued. */
static bool settle(struct do_transfer *transfer)
{
    uint64_t size = do_plan_local_size(&transfer->plan);

    if (size == DO_SIZE_UNKNOWN || !*transfer->part ||
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
    if (FAILED(hr = do_part_file_make_name(file->local_path, &path)))
        return hr;
    do_free(file->temp_path);
    file->temp_path = path;
    if (FAILED(hr = do_queue_db_update_file(transfer->env->db, file)) ||
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

    do_recorder_end(transfer->env->recorder, transfer->recording, false, false);
    transfer->recording = NULL;
    *transfer->part = NULL;
    do_range_set_clear(&file->received);
    do_range_set_clear(&transfer->claimed);
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
    fetch_next(transfer);
}

/* The writer has news: the queue ran empty, or a write failed. */
static void on_written_op(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT written;
    uint32_t left;

    atomic_store(&transfer->written_queued, false);
    left = queued_writes(transfer, &written);
    if (FAILED(written) && transfer->phase == PHASE_FETCHING)
    {
        do_request_abort_on_loop(transfer->request);
        fail(transfer, written);
    }
    else if (!left)
    {
        switch (transfer->phase)
        {
        case PHASE_IDLE:
        case PHASE_STARTING:
        case PHASE_FETCHING:
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
    release(transfer);
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

static void get_validators(const struct do_transfer *transfer, struct do_validators *validators)
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

static HRESULT on_head(void *ctx, const struct do_http_head *head)
{
    struct do_transfer *transfer = ctx;
    struct do_head_question question;
    struct do_head_answer answer;
    HRESULT hr;

    question.asked.begin = transfer->fetch.remote_begin;
    question.asked.end = transfer->fetch.remote_end;
    question.sent_range = question.asked.begin || question.asked.end != DO_SIZE_UNKNOWN;
    question.has_data = transfer->claimed.count != 0;
    get_validators(transfer, &question.known);
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
    if (FAILED(hr = apply_object_size(transfer, answer.object_size)))
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

/* Stopping before a read costs nothing; libcurl must copy what it has read and cannot deliver. */
static bool has_room(void *ctx, size_t length)
{
    struct do_transfer *transfer = ctx;
    size_t needed = length / DO_BLOCK_SIZE + 1;

    if (needed > transfer->env->resume_blocks)
        needed = transfer->env->resume_blocks;
    if (do_block_pool_available(transfer->env->pool) >= needed)
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

static HRESULT on_data(void *ctx, const void *data, size_t length)
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
            FAILED(hr = submit_block(transfer)))
            break;
    }
    do_block_give(pool, spare);
    return hr;
}

/* The end of a body without a length told the object's size, which the next engine needs too. */
static HRESULT keep_size_told_by_end(struct do_transfer *transfer)
{
    uint64_t size = transfer->fetch.remote_begin + transfer->fetch_received;
    HRESULT hr;

    if (transfer->plan.is_whole && transfer->file->expected_size != DO_SIZE_UNKNOWN &&
        transfer->file->expected_size != size)
        return DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (FAILED(hr = do_plan_resolve(&transfer->plan, size)))
        return hr;
    transfer->file->remote_size = size;
    return do_queue_db_update_file(transfer->env->db, transfer->file);
}

static void on_request_end(void *ctx, HRESULT hr)
{
    struct do_transfer *transfer = ctx;
    HRESULT written;

    do_list_remove(&transfer->paused_link);
    if (transfer->object_changed)
    {
        if (transfer->restarted)
        {
            fail(transfer, DO_HR_NET_INVALID_SERVER_RESPONSE);
            return;
        }
        do_log(DO_LOG_WARN, DO_LOG_XFER, "%s: the object changed on the server, starting anew",
            do_part_file_path(*transfer->part));
        transfer->restarted = true;
        do_block_give(transfer->env->pool, transfer->block);
        transfer->block = NULL;
        transfer->phase = PHASE_RESTARTING;
        if (!queued_writes(transfer, &written))
            restart(transfer);
        return;
    }
    if (SUCCEEDED(hr) && transfer->fetch_length == DO_SIZE_UNKNOWN)
        hr = keep_size_told_by_end(transfer);
    else if (SUCCEEDED(hr) && transfer->fetch_received != transfer->fetch_length)
        hr = DO_HR_NET_CONNECTION_ABORTED;
    if (FAILED(hr))
        fail(transfer, hr);
    else
        fetch_next(transfer);
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

static HRESULT start_fetch(struct do_transfer *transfer)
{
    const struct do_fetch *fetch = &transfer->fetch;
    struct do_range range = {fetch->remote_begin, fetch->remote_end};
    bool needs_range = range.begin || range.end != DO_SIZE_UNKNOWN;
    struct do_validators known;

    get_validators(transfer, &known);
    transfer->object_changed = false;
    transfer->fetch_received = 0;
    transfer->fetch_length = DO_SIZE_UNKNOWN;
    transfer->retry_after_s = 0;
    return do_request_start_on_loop(transfer->request, transfer->file->url,
        needs_range ? &range : NULL,
        needs_range && transfer->claimed.count ? do_validators_if_range(&known) : "");
}

/* Asks for the next missing piece, or waits for the last writes when none is missing. */
static void fetch_next(struct do_transfer *transfer)
{
    struct do_validators known;
    HRESULT hr;

    if (FAILED(hr = submit_block(transfer)))
    {
        fail(transfer, hr);
        return;
    }
    if (!do_plan_next(&transfer->plan, &transfer->claimed, &transfer->fetch))
    {
        transfer->phase = PHASE_DRAINING;
        if (!queued_writes(transfer, &hr) && SUCCEEDED(hr))
            finish(transfer);
        else if (FAILED(hr))
            fail(transfer, hr);
        return;
    }
    get_validators(transfer, &known);
    if (!may_continue(transfer, &known))
    {
        do_log(DO_LOG_INFO, DO_LOG_XFER, "%s: nothing to tell versions by, starting anew",
            do_part_file_path(*transfer->part));
        transfer->phase = PHASE_RESTARTING;
        if (!queued_writes(transfer, &hr))
            restart(transfer);
        return;
    }
    transfer->phase = PHASE_FETCHING;
    set_partial_timer(transfer);
    if (FAILED(hr = start_fetch(transfer)))
        fail(transfer, hr);
}

/* The first step of an attempt, from the loop's queue so that on_end is never synchronous. */
static void begin_attempt(void *ctx)
{
    struct do_transfer *transfer = ctx;
    HRESULT hr;

    hr = begin_part(transfer);
    if (hr == DO_HR_FILE_NOT_FOUND && *transfer->part)
    {
        do_log(DO_LOG_WARN, DO_LOG_XFER, "%s has vanished, starting anew",
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
    fetch_next(transfer);
}

void do_transfer_start_on_loop(struct do_transfer *transfer)
{
    assert(transfer->phase == PHASE_IDLE);
    transfer->restarted = false;
    transfer->phase = PHASE_STARTING;
    do_timer_set_on_loop(transfer->env->loop, &transfer->start_timer, 0);
}

void do_transfer_stop_on_loop(struct do_transfer *transfer)
{
    do_timer_cancel_on_loop(&transfer->start_timer);
    do_timer_cancel_on_loop(&transfer->partial_timer);
    do_list_remove(&transfer->paused_link);
    do_request_abort_on_loop(transfer->request);
    /* A changed object's bytes are worthless, and so is a failure to keep what a stop may lose. */
    (void)submit_block(transfer);
    transfer->phase = PHASE_IDLE;
}

HRESULT do_transfer_create(struct do_transfer_env *env, struct do_file_record *file,
    struct do_part_file **part, struct do_progress *progress, do_transfer_end_fn on_end, void *ctx,
    struct do_transfer **transfer)
{
    static const struct do_request_events events = {
        .on_head = on_head,
        .on_data = on_data,
        .has_room = has_room,
        .on_end = on_request_end,
    };
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
    do_list_init(&created->paused_link);
    do_range_set_init(&created->claimed);
    created->env = env;
    created->file = file;
    created->part = part;
    created->progress = progress;
    created->on_end = on_end;
    created->ctx = ctx;
    if (FAILED(hr = do_plan_init(&created->plan, file->ranges, file->range_count)))
        goto failed;
    if (file->remote_size != DO_SIZE_UNKNOWN &&
        FAILED(hr = do_plan_resolve(&created->plan, file->remote_size)))
        goto failed;
    if (*part && FAILED(hr = do_part_file_get_written(*part, &created->claimed)))
        goto failed;
    created->local_bytes = do_range_set_size(&created->claimed);
    created->most_bytes = created->local_bytes;
    if (FAILED(
            hr = do_request_create(env->loop, &env->settings, &events, created, &created->request)))
        goto failed;
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
    if (transfer->request)
        do_transfer_stop_on_loop(transfer);
    do_request_destroy(transfer->request);
    transfer->request = NULL;
    do_recorder_end(transfer->env->recorder, transfer->recording, keep, keep && settle(transfer));
    transfer->recording = NULL;
    do_plan_finish(&transfer->plan);
    do_range_set_finish(&transfer->claimed);
    release(transfer);
}

uint64_t do_transfer_last_byte_ms_on_loop(const struct do_transfer *transfer)
{
    return transfer->last_byte_ms;
}

bool do_transfer_is_writing_on_loop(struct do_transfer *transfer)
{
    HRESULT written;

    return (transfer->block && transfer->block->length) || queued_writes(transfer, &written);
}

uint32_t do_transfer_retry_after_s_on_loop(const struct do_transfer *transfer)
{
    return transfer->retry_after_s;
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
        do_request_unpause_on_loop(transfer->request);
    }
}
