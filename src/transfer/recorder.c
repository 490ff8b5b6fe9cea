/* SPDX-License-Identifier: MIT */
/*
 * One thread, a list of recordings under a leaf lock, one flush at a time. The flushes and the
 * database call run without the lock; only the thread ever frees a recording. What is due together
 * is recorded in one transaction, so that many small files do not wait for one flush of the
 * database each.
 */
#include "transfer/recorder.h"

#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/list.h"
#include "base/log.h"
#include "plat/plat.h"

/* With a look of others at the database (engine.h) a second altogether. */
#define PERIOD_MS 750U

/* So many files at most are flushed and then recorded in one transaction. */
#define BATCH 32U

struct do_recording
{
    struct do_list link;
    struct do_part_file *part; /* one reference */
    int64_t row_id;

    /* Under the recorder's lock. */
    bool ended; /* nobody else refers to it: the thread frees it */
    bool closes;
    bool transferred;
    uint64_t due_ms;
};

/* What is to be done with a recording now; the thread's own. */
struct turn
{
    struct do_recording *recording;
    bool ended;
    bool closes;
    bool transferred;
    uint64_t temp_time; /* of the file, when nobody writes to it any more */
    struct do_range_set durable;
};

struct do_recorder
{
    struct do_queue_db *db;
    struct do_thread *thread;

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond changed;  /* for the thread: work or quit */
    struct do_cond finished; /* for do_recorder_drain: a recording is gone */
    struct do_list recordings;
    bool quit;
};

static void complain(const struct do_recording *recording, HRESULT hr)
{
    do_log(DO_LOG_WARN, DO_LOG_STORE, "progress of %s is not recorded: 0x%08x",
        do_part_file_path(recording->part), (unsigned int)hr);
}

/* Flushes a file. Whether there is something to record. */
static bool flush(struct turn *turn)
{
    bool changed;
    HRESULT hr;

    if (turn->ended && !turn->closes)
        return false;
    if (turn->ended)
        turn->temp_time = do_part_file_settle(turn->recording->part);
    if (FAILED(hr = do_part_file_flush(turn->recording->part, &turn->durable, &changed)))
    {
        complain(turn->recording, hr);
        return false;
    }
    return changed || turn->transferred;
}

/* Flush, then record: all the files of some turns at once. */
static void record(struct do_recorder *recorder, struct turn *turns, size_t count)
{
    struct do_queue_received items[BATCH];
    struct do_recording *recorded[BATCH];
    size_t item_count = 0;
    HRESULT hr;

    for (size_t i = 0; i < count; i++)
    {
        struct do_recording *recording = turns[i].recording;

        if (!flush(&turns[i]))
            continue;
        recorded[item_count] = recording;
        items[item_count++] =
            (struct do_queue_received){recording->row_id, do_part_file_path(recording->part),
                &turns[i].durable, turns[i].transferred, turns[i].temp_time};
    }
    if (!item_count)
        return;
    if (SUCCEEDED(hr = do_queue_db_record_received(recorder->db, items, item_count)))
    {
        DO_CRASH_POINT("recorded");
        return;
    }
    for (size_t i = 0; i < item_count; i++)
    {
        do_part_file_mark_dirty(recorded[i]->part);
        complain(recorded[i], hr);
    }
}

/* The recordings whose time has come; *wait_ms until the earliest when there is none. */
static size_t take_due_locked(struct do_recorder *recorder, struct turn *turns, uint32_t *wait_ms)
{
    uint64_t now_ms = do_clock_ms();
    size_t count = 0;

    *wait_ms = UINT32_MAX;
    DO_LIST_FOR_EACH (link, &recorder->recordings)
    {
        struct do_recording *recording = DO_LIST_ENTRY(link, struct do_recording, link);

        if (count == BATCH)
            break;
        if (recording->ended || recording->due_ms <= now_ms)
        {
            turns[count].recording = recording;
            turns[count].ended = recording->ended;
            turns[count].closes = recording->closes;
            turns[count].transferred = recording->transferred;
            turns[count].temp_time = 0;
            do_range_set_init(&turns[count++].durable);
        }
        else if (recording->due_ms - now_ms < *wait_ms)
            *wait_ms = (uint32_t)(recording->due_ms - now_ms);
    }
    return count;
}

/* After the work of a turn. */
static void end_turn_locked(struct do_recorder *recorder, const struct turn *turn)
{
    turn->recording->due_ms = do_clock_ms() + PERIOD_MS;
    if (!turn->ended)
        return;
    do_list_remove(&turn->recording->link);
    do_cond_broadcast(&recorder->finished);
    do_free(turn->recording);
}

/* The lock is released meanwhile. */
static void work_locked(struct do_recorder *recorder, struct turn *turns, size_t count)
{
    do_mutex_unlock(&recorder->lock);
    record(recorder, turns, count);
    for (size_t i = 0; i < count; i++)
    {
        do_range_set_finish(&turns[i].durable);
        if (!turns[i].ended)
            continue;
        if (turns[i].closes)
            do_part_file_close(turns[i].recording->part);
        /* Before do_recorder_drain returns: its caller may want the last reference to delete the
         * file. */
        do_part_file_release(turns[i].recording->part);
    }
    do_mutex_lock(&recorder->lock);
    for (size_t i = 0; i < count; i++)
        end_turn_locked(recorder, &turns[i]);
}

static void recorder_main(void *ctx)
{
    struct do_recorder *recorder = ctx;
    struct turn turns[BATCH];

    do_mutex_lock(&recorder->lock);
    for (;;)
    {
        uint32_t wait_ms;
        size_t count = take_due_locked(recorder, turns, &wait_ms);

        if (count)
            work_locked(recorder, turns, count);
        else if (recorder->quit)
            break;
        else if (wait_ms == UINT32_MAX)
            do_cond_wait(&recorder->changed, &recorder->lock);
        else
            (void)do_cond_wait_ms(&recorder->changed, &recorder->lock, wait_ms);
    }
    do_mutex_unlock(&recorder->lock);
}

HRESULT do_recorder_create(struct do_queue_db *db, struct do_recorder **recorder)
{
    struct do_recorder *created;
    HRESULT hr;

    *recorder = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->db = db;
    do_mutex_init(&created->lock);
    do_cond_init(&created->changed);
    do_cond_init(&created->finished);
    do_list_init(&created->recordings);
    if (FAILED(hr = do_thread_start("do-recorder", recorder_main, created, &created->thread)))
    {
        do_recorder_destroy(created);
        return hr;
    }
    *recorder = created;
    return S_OK;
}

void do_recorder_destroy(struct do_recorder *recorder)
{
    if (!recorder)
        return;
    do_mutex_lock(&recorder->lock);
    recorder->quit = true;
    do_cond_signal(&recorder->changed);
    do_mutex_unlock(&recorder->lock);
    do_thread_join(recorder->thread);
    do_cond_finish(&recorder->finished);
    do_cond_finish(&recorder->changed);
    do_mutex_finish(&recorder->lock);
    do_free(recorder);
}

HRESULT do_recorder_begin(struct do_recorder *recorder, struct do_part_file *part, int64_t row_id,
    struct do_recording **recording)
{
    struct do_recording *created;

    *recording = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->part = do_part_file_acquire(part);
    created->row_id = row_id;
    created->due_ms = do_clock_ms() + PERIOD_MS;
    do_mutex_lock(&recorder->lock);
    do_list_add_tail(&recorder->recordings, &created->link);
    do_cond_signal(&recorder->changed);
    do_mutex_unlock(&recorder->lock);
    *recording = created;
    return S_OK;
}

void do_recorder_end(
    struct do_recorder *recorder, struct do_recording *recording, bool closes, bool transferred)
{
    if (!recording)
        return;
    do_mutex_lock(&recorder->lock);
    recording->ended = true;
    recording->closes = closes;
    recording->transferred = transferred;
    do_cond_signal(&recorder->changed);
    do_mutex_unlock(&recorder->lock);
}

static bool is_watched_locked(const struct do_recorder *recorder, int64_t row_id)
{
    DO_LIST_FOR_EACH (link, &recorder->recordings)
    {
        if (DO_LIST_ENTRY(link, struct do_recording, link)->row_id == row_id)
            return true;
    }
    return false;
}

void do_recorder_drain(struct do_recorder *recorder, int64_t row_id)
{
    do_mutex_lock(&recorder->lock);
    while (is_watched_locked(recorder, row_id))
        do_cond_wait(&recorder->finished, &recorder->lock);
    do_mutex_unlock(&recorder->lock);
}
