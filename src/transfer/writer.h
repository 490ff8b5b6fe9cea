/* SPDX-License-Identifier: MIT */
/*
 * A writer thread: takes full blocks from the loop and writes them at their offsets, in the order
 * queued. The queue is bounded by the block pool. What was written is told to a callback on the
 * writer thread, which must be brief and must not call back into the writer. The engine has one for
 * all files; each client's stream has one of its own, since it may block for as long as it likes.
 */
#ifndef DO_TRANSFER_WRITER_H
#define DO_TRANSFER_WRITER_H

#include <stdbool.h>

#include "base/hr.h"
#include "store/part_file.h"
#include "transfer/block.h"

struct do_writer;

/** What a writer for a client's stream does besides. Each may be NULL. */
struct do_writer_hooks
{
    void (*begins)(void); /* on the thread, around its life */
    void (*ends)(void);
    void (*hold)(void *ctx);   /* on the loop: a write is queued */
    void (*let_go)(void *ctx); /* on the thread: it is done; may destroy the writer */
    void *ctx;
};

/** Tells the end of one write of length bytes. The block is back in the pool already. */
typedef void (*do_writer_done_fn)(void *ctx, size_t length, HRESULT hr);

/** hooks is copied; NULL for none. */
HRESULT do_writer_create(
    struct do_block_pool *pool, const struct do_writer_hooks *hooks, struct do_writer **writer);

/**
 * Writes what is queued, then ends the thread. On the writer's own thread (in let_go) it returns at
 * once and the thread ends by itself. NULL is accepted.
 */
void do_writer_destroy(struct do_writer *writer);

/** Whether the caller is this writer's thread. */
bool do_writer_is_current(struct do_writer *writer);

/**
 * Queues block, taken, to be written to part at offset; a reference on part is kept meanwhile.
 * On E_OUTOFMEMORY the block is given back to the pool and done is not called.
 */
HRESULT do_writer_submit(struct do_writer *writer, struct do_part_file *part, uint64_t offset,
    struct do_block *block, do_writer_done_fn done, void *ctx);

#endif
