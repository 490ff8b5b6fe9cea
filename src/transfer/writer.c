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
    struct do_writer_hooks hooks;
    struct do_thread *thread;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond changed;
    struct do_list queue;
    bool quit;
    uint64_t thread_id;
    bool abandoned; /* by its own thread, which then frees it */
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

static void free_writer(struct do_writer *writer)
{
    do_cond_finish(&writer->changed);
    do_mutex_finish(&writer->lock);
    do_free(writer);
}

static void run_write(struct do_writer *writer, struct write *write)
{
    size_t length = write->block->length;
    HRESULT hr = do_part_file_write(write->part, write->offset, write->block->data, length);

    do_block_give(writer->pool, write->block);
    do_part_file_release(write->part);
    write->done(write->ctx, length, hr);
    do_free(write);
    if (writer->hooks.let_go)
        writer->hooks.let_go(writer->hooks.ctx);
}

static void writer_main(void *ctx)
{
    struct do_writer *writer = ctx;
    void (*ends)(void) = writer->hooks.ends;
    struct write *write;

    do_mutex_lock(&writer->lock);
    writer->thread_id = do_thread_current_id();
    do_mutex_unlock(&writer->lock);
    if (writer->hooks.begins)
        writer->hooks.begins();
    while ((write = next_write(writer)))
        run_write(writer, write);
    if (writer->abandoned)
        free_writer(writer);
    if (ends)
        ends();
}

HRESULT do_writer_create(
    struct do_block_pool *pool, const struct do_writer_hooks *hooks, struct do_writer **writer)
{
    struct do_writer *created;
    HRESULT hr;

    *writer = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->pool = pool;
    if (hooks)
        created->hooks = *hooks;
    do_mutex_init(&created->lock);
    do_cond_init(&created->changed);
    do_list_init(&created->queue);
    if (FAILED(hr = do_thread_start("do-writer", writer_main, created, &created->thread)))
    {
        free_writer(created);
        return hr;
    }
    *writer = created;
    return S_OK;
}

void do_writer_destroy(struct do_writer *writer)
{
    bool is_own;

    if (!writer)
        return;
    do_mutex_lock(&writer->lock);
    writer->quit = true;
    is_own = writer->thread_id == do_thread_current_id();
    writer->abandoned = is_own;
    do_cond_signal(&writer->changed);
    do_mutex_unlock(&writer->lock);
    if (is_own)
    {
        do_thread_detach(writer->thread);
        return;
    }
    do_thread_join(writer->thread);
    free_writer(writer);
}

bool do_writer_is_current(struct do_writer *writer)
{
    bool is_current;

    do_mutex_lock(&writer->lock);
    is_current = writer->thread_id == do_thread_current_id();
    do_mutex_unlock(&writer->lock);
    return is_current;
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
    if (writer->hooks.hold)
        writer->hooks.hold(writer->hooks.ctx);
    do_mutex_lock(&writer->lock);
    do_list_add_tail(&writer->queue, &write->link);
    do_cond_signal(&writer->changed);
    do_mutex_unlock(&writer->lock);
    return S_OK;
}
