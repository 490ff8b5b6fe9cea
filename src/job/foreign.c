/* SPDX-License-Identifier: MIT */
/*
 * Jobs of other processes. Whoever looks for one gets a mirror: a job object that is no job of ours
 * but shows what its row says, as long as somebody holds it. Its owner stores states at once and
 * bytes once in a while, and a look at the database is nearly free while nobody else has changed
 * it.
 *
 * Jobs whose owner has ended are adopted by whoever sees it first: the database decides.
 *
 * On the loop. How jobs change hands is take_over.c's.
 */
#include "job/job_internal.h"

#include "base/log.h"
#include "plat/file.h"
#include "transfer/http_head.h"

/* Looks at mirrors take this part of the loop's time at most: 1 / (1 + PAUSE_FACTOR). */
#define PAUSE_FACTOR 4U

#define ALL_NOTICES                                                                                \
    ((uint32_t)DO_NOTICE_JOB_TRANSFERRED | (uint32_t)DO_NOTICE_JOB_ERROR |                         \
        (uint32_t)DO_NOTICE_JOB_MODIFICATION | (uint32_t)DO_NOTICE_FILE_TRANSFERRED |              \
        (uint32_t)DO_NOTICE_STATUS)

/* A row that was another's when we looked last. */
static bool is_ours(const struct do_engine *engine, struct do_process owner)
{
    return owner.id == engine->process.id && owner.start == engine->process.start;
}

/* Mirrors */

static bool is_listened_to(struct do_job *job)
{
    return do_notify_wants(job->engine->notifier, job, (enum do_notice)ALL_NOTICES);
}

void do_job_hold_mirror_on_loop(struct do_job *job)
{
    bool listens = job->is_foreign && do_job_state_is_active(job->state) && is_listened_to(job);

    if (listens == job->listens)
        return;
    job->listens = listens;
    if (listens)
        do_engine_retain(job->engine);
    else
        do_engine_release(job->engine);
}

/* What stops a download is not stored, but its error says it. */
static bool is_blocked_by(HRESULT hr)
{
    return hr == DO_E_BLOCKED_BY_NO_NETWORK || hr == DO_E_BLOCKED_BY_CELLULAR_POLICY ||
           hr == DO_E_BLOCKED_BY_COST_TRANSFER_POLICY;
}

static void exchange_texts(char **a, char **b)
{
    char *text = *a;

    *a = *b;
    *b = text;
}

/* All but the id and the kind, which are read without a lock and never change. */
static void absorb_record(struct do_job *job, struct do_job *fresh)
{
    struct do_job_record *record = &job->record;
    struct do_job_record *from = &fresh->record;
    const struct do_values values = record->values;
    const struct do_request_options options = job->options;

    job->options = fresh->options;
    fresh->options = options;
    do_mutex_lock(&job->lock);
    exchange_texts(&record->display_name, &from->display_name);
    exchange_texts(&record->description, &from->description);
    record->values = from->values;
    from->values = values;
    record->priority = from->priority;
    record->state = from->state;
    record->notify_flags = from->notify_flags;
    record->min_retry_delay_s = from->min_retry_delay_s;
    record->no_progress_timeout_set = from->no_progress_timeout_set;
    record->no_progress_timeout_s = from->no_progress_timeout_s;
    record->modification_time = from->modification_time;
    record->completion_time = from->completion_time;
    record->error = from->error;
    record->error_context = from->error_context;
    record->error_file = from->error_file;
    record->error_count = from->error_count;
    record->intent = from->intent;
    job->is_foreign = fresh->is_foreign;
    job->state = fresh->state;
    job->blocked =
        job->is_foreign && job->state == DO_JOB_TRANSIENT_ERROR && is_blocked_by(record->error);
    job->offline =
        job->state == DO_JOB_TRANSIENT_ERROR && record->error == DO_E_BLOCKED_BY_NO_NETWORK;
    do_cond_broadcast(&job->state_changed);
    do_mutex_unlock(&job->lock);
}

/* What a listener is told of what has changed. */
struct shown
{
    enum do_job_state state;
    enum do_download_state download_state;
    uint64_t modification_time;
    struct do_job_progress progress;
};

static struct shown show(struct do_job *job)
{
    struct shown shown = {.state = job->state,
        .download_state = do_download_state_of(job),
        .modification_time = job->record.modification_time};

    do_job_get_progress(job, &shown.progress);
    return shown;
}

static void tell(struct do_job *job, const struct shown *before)
{
    struct do_notifier *notifier = job->engine->notifier;
    struct shown now = show(job);
    enum do_notice notice = DO_NOTICE_JOB_MODIFICATION;

    if (do_job_is_download(job))
    {
        if (now.download_state != before->download_state)
            do_download_post_status_on_loop(job);
        else
            do_download_post_progress_on_loop(job);
        return;
    }
    if (now.progress.files_transferred > before->progress.files_transferred)
        do_notify_post(notifier, job, DO_NOTICE_FILE_TRANSFERRED);
    if (now.state != before->state && now.state == DO_JOB_TRANSFERRED)
        notice = DO_NOTICE_JOB_TRANSFERRED;
    else if (now.state != before->state && now.state == DO_JOB_ERROR)
        notice = DO_NOTICE_JOB_ERROR;
    else if (now.state == before->state && now.modification_time == before->modification_time &&
             now.progress.bytes_transferred == before->progress.bytes_transferred)
        return;
    do_notify_post(notifier, job, notice);
}

HRESULT do_job_absorb_on_loop(struct do_job *job, struct do_job *fresh)
{
    struct do_notifier *notifier = job->engine->notifier;
    const struct shown before = show(job);
    HRESULT hr;

    /* Who sees the state TRANSFERRED sees files that are. */
    if (FAILED(hr = do_job_absorb_files_on_loop(job, fresh)))
        return hr;
    absorb_record(job, fresh);
    if (do_notify_get_flags(notifier, job) != job->record.notify_flags)
        do_notify_set_flags(notifier, job, job->record.notify_flags);
    tell(job, &before);
    return S_OK;
}

void do_job_end_on_loop(struct do_job *job, enum do_job_state state)
{
    do_mutex_lock(&job->lock);
    job->is_foreign = false;
    do_mutex_unlock(&job->lock);
    do_job_set_state_on_loop(job, state);
    do_job_hold_mirror_on_loop(job);
    if (do_job_is_download(job))
        do_notify_close(job->engine->notifier, job);
    else
        do_notify_set_listener(job->engine->notifier, job, NULL);
    do_list_remove(&job->by_id);
    do_list_remove(&job->link);
    do_job_release_inner(job);
}

/* Whether a file lies at its path that this one's Complete may have put there. */
static bool is_at_target(struct do_job_file *file)
{
    const struct do_file_record *record = &file->record;
    uint64_t saved_size = do_job_file_saved_size(file);
    uint64_t size;
    uint64_t time;

    if (FAILED(do_file_look(record->local_path, &size, &time)))
        return false;
    /* One that began and ended between two looks. */
    if (saved_size == DO_SIZE_UNKNOWN)
        return do_job_state_is_active(file->job->state);
    return size == saved_size && (time == do_http_date_to_filetime(record->last_modified) ||
                                     time >= file->job->record.creation_time);
}

/* The row of a mirror is gone. How the job ended is not stored, but Complete leaves a file. */
void do_job_end_mirror_on_loop(struct do_job *mirror)
{
    bool is_completed = false;
    bool has_path = false;

    for (size_t i = 0; i < mirror->file_count && !is_completed; i++)
    {
        if (!mirror->files[i]->record.local_path)
            continue;
        has_path = true;
        is_completed = is_at_target(mirror->files[i]);
    }
    if (!has_path)
        is_completed = mirror->state == DO_JOB_TRANSFERRED;
    do_job_end_on_loop(mirror, is_completed ? DO_JOB_ACKNOWLEDGED : DO_JOB_CANCELLED);
}

/* A volatile download belongs to its process. */
static bool is_shown(const struct do_job_record *record)
{
    return !do_job_state_is_final((enum do_job_state)record->state) &&
           (record->kind != DO_JOB_KIND_DOWNLOAD ||
               do_values_number(&record->values, DO_PROP_NON_VOLATILE, 0));
}

/* A do_queue_db_job_fn: a mirror for the row, or a fresh look for the one that there is. */
static HRESULT see_row(void *ctx, const struct do_job_record *record,
    const struct do_file_record *files, size_t file_count)
{
    struct do_engine *engine = ctx;
    struct do_job *mirror = do_engine_find_job_on_loop(engine, &record->id);
    struct do_job *fresh;
    HRESULT hr;

    if (is_ours(engine, record->owner))
    {
        hr = do_engine_restore_job_on_loop(ctx, record, files, file_count);
        do_engine_schedule_on_loop(engine);
        return hr;
    }
    if (mirror ? !mirror->is_foreign : !is_shown(record))
        return S_OK;
    if (mirror)
        mirror->look_number = engine->look_number;
    /* What makes no sense is its owner's to complain about. */
    if (FAILED(hr = do_engine_build_job_on_loop(engine, true, record, files, file_count, &fresh)))
        return hr == E_OUTOFMEMORY ? hr : S_OK;
    if (mirror)
    {
        hr = do_job_absorb_on_loop(mirror, fresh);
        do_job_hold_mirror_on_loop(mirror);
        do_job_release_inner(fresh);
        return hr;
    }
    fresh->look_number = engine->look_number;
    do_list_add_tail(&engine->mirrors, &fresh->link);
    do_engine_enter_job_on_loop(engine, fresh);
    do_engine_watch_others_on_loop(engine);
    return S_OK;
}

static void refresh_mirror(struct do_job *mirror)
{
    struct do_engine *engine = mirror->engine;
    HRESULT hr = do_queue_db_read_job(engine->env.db, &mirror->record.id, see_row, engine);

    if (hr == DO_E_JOB_NOT_FOUND)
        do_job_end_mirror_on_loop(mirror);
    else if (FAILED(hr))
        engine->looks_again = true;
}

/* Only the list refers to it, and nobody listens: references come from the list, on the loop. */
static bool is_unused(struct do_job *mirror)
{
    return atomic_load(&mirror->references) == 1 && !is_listened_to(mirror);
}

static void drop_unused_mirrors(struct do_engine *engine)
{
    struct do_list *link = engine->mirrors.next;

    while (link != &engine->mirrors)
    {
        struct do_job *mirror = DO_LIST_ENTRY(link, struct do_job, link);

        link = link->next;
        if (!is_unused(mirror))
            continue;
        engine->listed_version = UINT64_MAX;
        do_notify_set_listener(engine->notifier, mirror, NULL);
        do_list_remove(&mirror->by_id);
        do_list_remove(&mirror->link);
        do_job_release_inner(mirror);
    }
}

/* Those that the walk with this number has not found, or all (0). */
static void refresh_mirrors(struct do_engine *engine, uint64_t found_number)
{
    struct do_list *link = engine->mirrors.next;

    while (link != &engine->mirrors)
    {
        struct do_job *mirror = DO_LIST_ENTRY(link, struct do_job, link);

        /* It may leave the list, but no other does. */
        link = link->next;
        if (!found_number || mirror->look_number != found_number)
            refresh_mirror(mirror);
    }
}

/* Orphans */

/* Rows that make no sense stay orphans; they are tried again when there are more or fewer. */
void do_engine_adopt_orphans_on_loop(struct do_engine *engine)
{
    struct do_queue_db *db = engine->env.db;
    uint64_t count;
    HRESULT hr = S_OK;

    if (engine->adopts_own)
        hr = do_queue_db_adopt(db, engine->process, do_engine_restore_job_on_loop, engine);
    engine->adopts_own = engine->adopts_own && FAILED(hr);
    if (SUCCEEDED(hr) && SUCCEEDED(hr = do_queue_db_count_orphans(db, engine->process, &count)) &&
        count != engine->orphan_count)
    {
        if (SUCCEEDED(hr = do_queue_db_adopt_orphans(
                          db, engine->process, do_engine_restore_job_on_loop, engine)))
            hr = do_queue_db_count_orphans(db, engine->process, &engine->orphan_count);
        do_engine_schedule_on_loop(engine);
    }
    if (FAILED(hr))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "jobs without an owner are not adopted: 0x%08x",
            (unsigned int)hr);
}

/* Looking */

static void set_look_timer(struct do_engine *engine, uint64_t delay_ms)
{
    do_timer_set_on_loop(
        engine->env.loop, &engine->look_timer, do_loop_now_on_loop(engine->env.loop) + delay_ms);
}

static uint64_t look_ms(const struct do_engine *engine)
{
    bool is_idle = do_list_is_empty(&engine->jobs) && do_list_is_empty(&engine->mirrors);

    return is_idle ? engine->config.orphans_look_ms : engine->config.others_look_ms;
}

void do_engine_watch_others_on_loop(struct do_engine *engine)
{
    uint64_t delay_ms = look_ms(engine);

    if (do_list_is_empty(&engine->look_timer.link) ||
        engine->look_timer.due_ms > do_loop_now_on_loop(engine->env.loop) + delay_ms)
        set_look_timer(engine, delay_ms);
}

static void look(struct do_engine *engine)
{
    uint64_t now_ms = do_clock_ms();
    uint64_t version;

    drop_unused_mirrors(engine);
    if (FAILED(do_queue_db_get_version(engine->env.db, &version)))
        return;
    if (version != engine->seen_version || engine->looks_again)
    {
        engine->seen_version = version;
        engine->looks_again = false;
        do_engine_hand_over_on_loop(engine);
        refresh_mirrors(engine, 0);
    }
    if (now_ms >= engine->orphans_due_ms)
    {
        engine->orphans_due_ms = now_ms + engine->config.orphans_look_ms;
        do_engine_adopt_orphans_on_loop(engine);
    }
}

static void on_look_timer(void *ctx)
{
    struct do_engine *engine = ctx;
    uint64_t begin_ms = do_clock_ms();
    uint64_t pause_ms;

    if (!do_engine_retain_if_alive(engine))
        return;
    look(engine);
    pause_ms = (do_clock_ms() - begin_ms) * PAUSE_FACTOR;
    set_look_timer(engine, pause_ms > look_ms(engine) ? pause_ms : look_ms(engine));
    do_engine_release(engine);
}

HRESULT do_engine_find_foreign_jobs_on_loop(struct do_engine *engine)
{
    uint64_t version;
    HRESULT hr;

    do_engine_adopt_orphans_on_loop(engine);
    if (FAILED(hr = do_queue_db_get_version(engine->env.db, &version)))
        return hr;
    /* Nobody has done anything since all mirrors were made, and none was dropped. */
    if (version == engine->listed_version && !engine->looks_again)
        return S_OK;
    engine->look_number++;
    if (FAILED(hr = do_queue_db_list_foreign(engine->env.db, engine->process, see_row, engine)))
        return hr;
    engine->listed_version = version;
    refresh_mirrors(engine, engine->look_number);
    return S_OK;
}

HRESULT do_engine_find_foreign_job_on_loop(struct do_engine *engine, const struct do_guid *id)
{
    struct do_job *mirror = do_engine_find_job_on_loop(engine, id);
    struct do_process owner;
    struct do_process wanted_by;
    HRESULT hr = do_queue_db_get_owner(engine->env.db, id, &owner, &wanted_by);

    if (hr == DO_E_JOB_NOT_FOUND && mirror)
        do_job_end_mirror_on_loop(mirror);
    if (FAILED(hr))
        return hr;
    if (!do_process_is_alive(owner))
        do_engine_adopt_orphans_on_loop(engine);
    return do_queue_db_read_job(engine->env.db, id, see_row, engine);
}

void do_engine_init_foreign(struct do_engine *engine)
{
    do_list_init(&engine->mirrors);
    do_timer_init(&engine->look_timer, on_look_timer, engine);
    do_engine_init_take_overs(engine);
    engine->listed_version = UINT64_MAX;
}
