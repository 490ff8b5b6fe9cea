/* SPDX-License-Identifier: MIT */
/*
 * A free list under a leaf lock. The last block given back is the first to be taken again, so that
 * a slow download stays within few pages.
 */
#include "transfer/block.h"

#include "base/alloc.h"
#include "plat/plat.h"

struct do_block_pool
{
    struct do_mutex lock;
    struct do_block *free_blocks;
    size_t free_count;
    size_t unallocated; /* blocks that may still be allocated */
};

HRESULT do_block_pool_create(size_t count, struct do_block_pool **pool)
{
    if (!(*pool = do_alloc(sizeof(**pool))))
        return E_OUTOFMEMORY;
    do_mutex_init(&(*pool)->lock);
    (*pool)->unallocated = count;
    return S_OK;
}

static void free_block(struct do_block *block)
{
    if (!block)
        return;
    do_free(block->data);
    do_free(block);
}

void do_block_pool_destroy(struct do_block_pool *pool)
{
    if (!pool)
        return;
    while (pool->free_blocks)
    {
        struct do_block *block = pool->free_blocks;

        pool->free_blocks = block->next;
        free_block(block);
    }
    do_mutex_finish(&pool->lock);
    do_free(pool);
}

static struct do_block *allocate_block(void)
{
    struct do_block *block = do_alloc(sizeof(*block));

    if (block && !(block->data = do_alloc_raw(DO_BLOCK_SIZE)))
    {
        do_free(block);
        block = NULL;
    }
    return block;
}

struct do_block *do_block_take(struct do_block_pool *pool)
{
    struct do_block *block;
    bool allocate = false;

    do_mutex_lock(&pool->lock);
    if ((block = pool->free_blocks))
    {
        pool->free_blocks = block->next;
        pool->free_count--;
    }
    else if (pool->unallocated)
    {
        pool->unallocated--;
        allocate = true;
    }
    do_mutex_unlock(&pool->lock);

    if (allocate && !(block = allocate_block()))
    {
        do_mutex_lock(&pool->lock);
        pool->unallocated++;
        do_mutex_unlock(&pool->lock);
    }
    if (block)
        block->length = 0;
    return block;
}

void do_block_give(struct do_block_pool *pool, struct do_block *block)
{
    if (!block)
        return;
    do_mutex_lock(&pool->lock);
    block->next = pool->free_blocks;
    pool->free_blocks = block;
    pool->free_count++;
    do_mutex_unlock(&pool->lock);
}

size_t do_block_pool_available(struct do_block_pool *pool)
{
    size_t available;

    do_mutex_lock(&pool->lock);
    available = pool->free_count + pool->unallocated;
    do_mutex_unlock(&pool->lock);
    return available;
}
