/* SPDX-License-Identifier: MIT */
/*
 * A check and its thread. Two references: the transfer's and the thread's.
 */
#include "transfer/check.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "plat/plat.h"

#define READ_BYTES ((size_t)1 << 20)

struct do_check
{
    atomic_int references;
    atomic_bool stopped;
    atomic_uint_fast64_t thread_id;
    struct do_check_plan plan;
    void (*done)(void *ctx);
    void *ctx;
    struct do_check_result result; /* the thread's until done is called */
};

static void release_files(struct do_check *check)
{
    do_part_file_release(check->plan.part);
    do_part_file_release(check->plan.plain);
    check->plan.part = NULL;
    check->plan.plain = NULL;
}

void do_check_release(struct do_check *check)
{
    if (!check || atomic_fetch_sub(&check->references, 1) > 1)
        return;
    release_files(check);
    do_range_set_finish(&check->result.bad);
    do_free(check);
}

bool do_check_is_current(const struct do_check *check)
{
    return atomic_load(&check->thread_id) == do_thread_current_id();
}

void do_check_stop(struct do_check *check)
{
    if (check)
        atomic_store(&check->stopped, true);
}

const struct do_check_result *do_check_get_result(const struct do_check *check)
{
    return &check->result;
}

/* Reads length bytes at offset, unless the check was stopped. */
static HRESULT read_bytes(
    struct do_check *check, struct do_part_file *part, uint64_t offset, void *data, size_t length)
{
    return atomic_load(&check->stopped) ? E_ABORT : do_part_file_read(part, offset, data, length);
}

static HRESULT check_piece(
    struct do_check *check, struct do_piece_check *piece, size_t index, unsigned char *buffer)
{
    const struct do_piece_hashes *hashes = check->plan.hashes;
    uint64_t offset = do_piece_begin(hashes, index);
    uint64_t end = offset + do_piece_length(hashes, index);
    enum do_piece_verdict verdict = DO_PIECE_INCOMPLETE;
    HRESULT hr;

    if (FAILED(hr = do_piece_check_begin(piece, index)))
        return hr;
    while (offset < end)
    {
        size_t length = end - offset < READ_BYTES ? (size_t)(end - offset) : READ_BYTES;
        size_t used;

        if (FAILED(hr = read_bytes(check, check->plan.part, offset, buffer, length)) ||
            FAILED(hr = do_piece_check_add(piece, buffer, length, &used, &verdict)))
            return hr;
        offset += length;
    }
    if (verdict == DO_PIECE_GOOD)
        return S_OK;
    do_log(DO_LOG_WARN, DO_LOG_XFER, "%s: piece %zu is bad", do_part_file_path(check->plan.part),
        index);
    return do_range_set_add(&check->result.bad, do_piece_begin(hashes, index), end);
}

static HRESULT check_pieces(struct do_check *check)
{
    unsigned char *buffer = do_alloc_raw(READ_BYTES);
    struct do_piece_check piece;
    HRESULT hr;

    if (!buffer)
        return E_OUTOFMEMORY;
    hr = do_piece_check_init(&piece, check->plan.hashes);
    for (size_t i = 0; SUCCEEDED(hr) && i < check->plan.hashes->count; i++)
        hr = check_piece(check, &piece, i, buffer);
    do_piece_check_finish(&piece);
    do_free(buffer);
    return hr;
}

/* Decrypts buffers that lie one after the other, however small they are, with one read and write.
 */
static HRESULT decrypt_buffers(struct do_check *check, struct do_decrypt *decrypt, uint64_t first,
    uint64_t end, unsigned char *data)
{
    struct do_decrypt_place from;
    struct do_decrypt_place place;
    size_t made = 0;
    HRESULT hr;

    do_decrypt_locate(decrypt, first, &from);
    do_decrypt_locate(decrypt, end - 1, &place);
    if (FAILED(hr = read_bytes(check, check->plan.part, from.cipher_begin, data,
                   (size_t)(place.cipher_begin - from.cipher_begin) + place.cipher_length)))
        return hr;
    for (uint64_t i = first; i < end; i++)
    {
        unsigned char *buffer;
        size_t length;

        do_decrypt_locate(decrypt, i, &place);
        buffer = data + (size_t)(place.cipher_begin - from.cipher_begin);
        if (FAILED(hr = do_decrypt_buffer(decrypt, i, buffer, buffer, &length)))
            return hr;
        memmove(data + made, buffer, length);
        made += length;
    }
    check->result.plain_size = from.plain_begin + made;
    return made ? do_part_file_write(check->plan.plain, from.plain_begin, data, made) : S_OK;
}

static HRESULT decrypt_file(struct do_check *check)
{
    struct do_decrypt *decrypt = NULL;
    struct do_decrypt_place place;
    struct do_range_set durable;
    unsigned char *data = NULL;
    uint64_t count;
    uint64_t step = 1;
    bool changed;
    HRESULT hr;

    do_range_set_init(&durable);
    if (FAILED(hr = do_decrypt_create(check->plan.decrypt, check->plan.size, &decrypt)))
        goto done;
    count = do_decrypt_count(decrypt);
    if (count)
    {
        /* No buffer is longer than the first. */
        do_decrypt_locate(decrypt, 0, &place);
        if (place.cipher_length < READ_BYTES)
            step = READ_BYTES / place.cipher_length;
        if (!(data = do_alloc_raw((size_t)step * place.cipher_length)))
            hr = E_OUTOFMEMORY;
    }
    for (uint64_t i = 0; SUCCEEDED(hr) && i < count; i += step)
        hr = decrypt_buffers(check, decrypt, i, count - i < step ? count : i + step, data);
    if (SUCCEEDED(hr) &&
        SUCCEEDED(hr = do_part_file_set_size(check->plan.plain, check->result.plain_size)))
        hr = do_part_file_flush(check->plan.plain, &durable, &changed);

done:
    do_range_set_finish(&durable);
    do_free(data);
    do_decrypt_destroy(decrypt);
    return hr;
}

static HRESULT hand_over(struct do_check *check)
{
    struct do_part_file *from = check->plan.plain ? check->plan.plain : check->plan.part;
    uint64_t size = check->plan.plain ? check->result.plain_size : check->plan.size;
    unsigned char *buffer = do_alloc_raw(READ_BYTES);
    HRESULT hr = buffer ? S_OK : E_OUTOFMEMORY;

    /* What the sink took before a stop or a failure cannot be given again. */
    uint64_t offset = SUCCEEDED(hr) ? check->plan.sink_has(check->plan.sink_ctx) : 0;

    while (SUCCEEDED(hr) && offset < size)
    {
        size_t length = size - offset < READ_BYTES ? (size_t)(size - offset) : READ_BYTES;

        if (SUCCEEDED(hr = read_bytes(check, from, offset, buffer, length)))
            hr = check->plan.sink(check->plan.sink_ctx, buffer, length);
        offset += length;
    }
    do_free(buffer);
    return hr;
}

static HRESULT run(struct do_check *check)
{
    HRESULT hr = S_OK;

    if (check->plan.hashes && (FAILED(hr = check_pieces(check)) || check->result.bad.count))
        return hr;
    if (check->plan.decrypt && FAILED(hr = decrypt_file(check)))
        return hr;
    return check->plan.sink ? hand_over(check) : hr;
}

static void check_main(void *ctx)
{
    struct do_check *check = ctx;
    const struct do_check_plan plan = check->plan;

    atomic_store(&check->thread_id, do_thread_current_id());
    if (plan.begins)
        plan.begins();
    check->result.hr = run(check);
    release_files(check);
    check->done(check->ctx);
    do_check_release(check);
    if (plan.let_go)
        plan.let_go(plan.hold_ctx);
    if (plan.ends)
        plan.ends();
}

HRESULT do_check_start(
    const struct do_check_plan *plan, void (*done)(void *ctx), void *ctx, struct do_check **check)
{
    struct do_thread *thread;
    struct do_check *created;
    HRESULT hr;

    *check = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    atomic_init(&created->references, 2);
    atomic_init(&created->stopped, false);
    atomic_init(&created->thread_id, 0);
    created->plan = *plan;
    (void)do_part_file_acquire(plan->part);
    if (plan->plain)
        (void)do_part_file_acquire(plan->plain);
    created->done = done;
    created->ctx = ctx;
    do_range_set_init(&created->result.bad);
    if (plan->hold)
        plan->hold(plan->hold_ctx);
    if (FAILED(hr = do_thread_start("do-check", check_main, created, &thread)))
    {
        if (plan->let_go)
            plan->let_go(plan->hold_ctx);
        atomic_store(&created->references, 1);
        do_check_release(created);
        return hr;
    }
    do_thread_detach(thread);
    *check = created;
    return S_OK;
}
