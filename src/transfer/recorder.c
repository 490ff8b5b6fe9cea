/* SPDX-License-Identifier: MIT */
/*
 * One thread, a list of recordings under a leaf lock, one flush at a time. The flush and the
 * database call run without the lock; only the thread ever frees a recording.
 */
#include "transfer/recorder.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "plat/plat.h"

#define PERIOD_MS 1000U

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

/* Flush, then record. The set is the thread's own scratch. */
static void record(
    struct do_recorder *recorder, const struct do_recording *recording, bool transferred)
{
    struct do_range_set durable;
    bool changed;
    HRESULT hr;

    do_range_set_init(&durable);
    if (SUCCEEDED(hr = do_part_file_flush(recording->part, &durable, &changed)) &&
        (changed || transferred) &&
        FAILED(hr = do_queue_db_record_received(recorder->db, recording->row_id,
                   do_part_file_path(recording->part), &durable, transferred)))
        do_part_file_mark_dirty(recording->part);
    if (FAILED(hr))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "progress of %s is not recorded: 0x%08x",
            do_part_file_path(recording->part), (unsigned int)hr);
    do_range_set_finish(&durable);
}

/* The next recording whose time has come; *wait_ms until the earliest when there is none. */
static struct do_recording *next_due_locked(struct do_recorder *recorder, uint32_t *wait_ms)
{
    uint64_t now_ms = do_clock_ms();

    *wait_ms = UINT32_MAX;
    DO_LIST_FOR_EACH (link, &recorder->recordings)
    {
        struct do_recording *recording = DO_LIST_ENTRY(link, struct do_recording, link);

        if (recording->ended || recording->due_ms <= now_ms)
            return recording;
        if (recording->due_ms - now_ms < *wait_ms)
            *wait_ms = (uint32_t)(recording->due_ms - now_ms);
    }
    return NULL;
}

/* One turn of work on a recording; the lock is released meanwhile. */
static void work_locked(struct do_recorder *recorder, struct do_recording *recording)
{
    bool ended = recording->ended;
    bool closes = recording->closes;
    bool transferred = recording->transferred;

    do_mutex_unlock(&recorder->lock);
    if (!ended || closes)
        record(recorder, recording, transferred);
    if (ended && closes)
        do_part_file_close(recording->part);
    /* Before do_recorder_drain returns: its caller may want the last reference to delete the file.
     */
    if (ended)
        do_part_file_release(recording->part);
    do_mutex_lock(&recorder->lock);
    recording->due_ms = do_clock_ms() + PERIOD_MS;
    if (ended)
    {
        do_list_remove(&recording->link);
        do_cond_broadcast(&recorder->finished);
        do_free(recording);
    }
}

static void recorder_main(void *ctx)
{
    struct do_recorder *recorder = ctx;

    do_mutex_lock(&recorder->lock);
    for (;;)
    {
        struct do_recording *recording;
        uint32_t wait_ms;

        if ((recording = next_due_locked(recorder, &wait_ms)))
            work_locked(recorder, recording);
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

static bool is_watched_locked(const struct do_recorder *recorder, const struct do_part_file *part)
{
    DO_LIST_FOR_EACH (link, &recorder->recordings)
    {
        if (DO_LIST_ENTRY(link, struct do_recording, link)->part == part)
            return true;
    }
    return false;
}

void do_recorder_drain(struct do_recorder *recorder, struct do_part_file *part)
{
    do_mutex_lock(&recorder->lock);
    while (is_watched_locked(recorder, part))
        do_cond_wait(&recorder->finished, &recorder->lock);
    do_mutex_unlock(&recorder->lock);
}
