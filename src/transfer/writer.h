/* SPDX-License-Identifier: MIT */
/*
 * The writer thread: takes full blocks from the loop and writes them at their offsets, in the order
 * queued. The queue is bounded by the block pool. What was written is told to a callback on the
 * writer thread, which must be brief and must not call back into the writer.
 */
#ifndef DO_TRANSFER_WRITER_H
#define DO_TRANSFER_WRITER_H

#include "base/hr.h"
#include "store/part_file.h"
#include "transfer/block.h"

struct do_writer;

/** Tells the end of one write of length bytes. The block is back in the pool already. */
typedef void (*do_writer_done_fn)(void *ctx, size_t length, HRESULT hr);

HRESULT do_writer_create(struct do_block_pool *pool, struct do_writer **writer);

/** Writes what is queued, then ends the thread. NULL is accepted. */
void do_writer_destroy(struct do_writer *writer);

/**
 * Queues block, taken, to be written to part at offset; a reference on part is kept meanwhile.
 * On E_OUTOFMEMORY the block is given back to the pool and done is not called.
 */
HRESULT do_writer_submit(struct do_writer *writer, struct do_part_file *part, uint64_t offset,
    struct do_block *block, do_writer_done_fn done, void *ctx);

#endif
