/* SPDX-License-Identifier: MIT */
/*
 * The memory of all downloads together: a bounded pool of 1 MiB blocks. When it is empty, requests
 * pause; that is the back-pressure from the disk to the wire, whatever the number of jobs.
 * The loop takes blocks, the writer gives them back. Blocks are allocated when first needed.
 */
#ifndef DO_TRANSFER_BLOCK_H
#define DO_TRANSFER_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

#define DO_BLOCK_SIZE ((size_t)1024 * 1024)

struct do_block
{
    struct do_block *next; /* in the pool's free list */
    size_t length;         /* bytes of data that are filled */
    unsigned char *data;   /* DO_BLOCK_SIZE bytes */
};

struct do_block_pool;

/** A pool of at most count blocks; none is allocated yet. */
HRESULT do_block_pool_create(size_t count, struct do_block_pool **pool);

/** Every block must have been given back. NULL is accepted. */
void do_block_pool_destroy(struct do_block_pool *pool);

/** An empty block, or NULL when all are in use or memory is out. Any thread. */
struct do_block *do_block_take(struct do_block_pool *pool);

/** Gives a block back. NULL is accepted. Any thread. */
void do_block_give(struct do_block_pool *pool, struct do_block *block);

/** How many blocks can be taken right now. Any thread. */
size_t do_block_pool_available(struct do_block_pool *pool);

#endif
