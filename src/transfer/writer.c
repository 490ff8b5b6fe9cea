/* SPDX-License-Identifier: MIT */
/*
 * One thread and a queue under a leaf lock.
 */
#include "transfer/writer.h"

#include "base/alloc.h"
#include "base/list.h"
#include "plat/plat.h"

struct write
{
    struct do_list link;
    struct do_part_file *part; /* one reference */
    uint64_t offset;
    struct do_block *block;
    do_writer_done_fn done;
    void *ctx;
};

struct do_writer
{
    struct do_block_pool *pool;
    struct do_thread *thread;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond changed;
    struct do_list queue;
    bool quit;
};

static struct write *next_write(struct do_writer *writer)
{
    struct do_list *link;

    do_mutex_lock(&writer->lock);
    while (!(link = do_list_pop(&writer->queue)) && !writer->quit)
        do_cond_wait(&writer->changed, &writer->lock);
    do_mutex_unlock(&writer->lock);
    return link ? DO_LIST_ENTRY(link, struct write, link) : NULL;
}

static void writer_main(void *ctx)
{
    struct do_writer *writer = ctx;
    struct write *write;

    while ((write = next_write(writer)))
    {
        size_t length = write->block->length;
        HRESULT hr = do_part_file_write(write->part, write->offset, write->block->data, length);

        do_block_give(writer->pool, write->block);
        do_part_file_release(write->part);
        write->done(write->ctx, length, hr);
        do_free(write);
    }
}

HRESULT do_writer_create(struct do_block_pool *pool, struct do_writer **writer)
{
    struct do_writer *created;
    HRESULT hr;

    *writer = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->pool = pool;
    do_mutex_init(&created->lock);
    do_cond_init(&created->changed);
    do_list_init(&created->queue);
    if (FAILED(hr = do_thread_start("do-writer", writer_main, created, &created->thread)))
    {
        do_writer_destroy(created);
        return hr;
    }
    *writer = created;
    return S_OK;
}

void do_writer_destroy(struct do_writer *writer)
{
    if (!writer)
        return;
    do_mutex_lock(&writer->lock);
    writer->quit = true;
    do_cond_signal(&writer->changed);
    do_mutex_unlock(&writer->lock);
    do_thread_join(writer->thread);
    do_cond_finish(&writer->changed);
    do_mutex_finish(&writer->lock);
    do_free(writer);
}

HRESULT do_writer_submit(struct do_writer *writer, struct do_part_file *part, uint64_t offset,
    struct do_block *block, do_writer_done_fn done, void *ctx)
{
    struct write *write;

    if (!(write = do_alloc(sizeof(*write))))
    {
        do_block_give(writer->pool, block);
        return E_OUTOFMEMORY;
    }
    write->part = do_part_file_acquire(part);
    write->offset = offset;
    write->block = block;
    write->done = done;
    write->ctx = ctx;
    do_mutex_lock(&writer->lock);
    do_list_add_tail(&writer->queue, &write->link);
    do_cond_signal(&writer->changed);
    do_mutex_unlock(&writer->lock);
    return S_OK;
}
