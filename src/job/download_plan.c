/* SPDX-License-Identifier: MIT */
/*
 * What a download that was started before does with the ranges of a later Start: whether they are
 * those it has, beginning anew with others, and another portion behind what is there. On the
 * caller's thread, between begin_call and end_call, the download at rest; changes on the loop.
 */
#include "job/download_plan.h"

#include <string.h>

#include "base/alloc.h"
#include "job/job_internal.h"
#include "transfer/plan.h"

/* Where the ranges of the latest portion begin in the list; those before it have ends. */
static size_t first_of_portion(const struct do_job_file *file)
{
    const struct do_file_record *record = &file->record;
    uint64_t portion = do_download_portion_of(file);
    size_t first = 0;

    for (uint64_t local = 0; local < portion && first < record->range_count; first++)
        local += record->ranges[first].end - record->ranges[first].begin;
    return first;
}

static bool equal_ranges(const struct do_job_file *file, const struct do_wanted_ranges *wanted)
{
    const struct do_file_record *record = &file->record;
    size_t first = first_of_portion(file);

    return record->range_count - first == wanted->count &&
           (!wanted->count || !memcmp(record->ranges + first, wanted->ranges,
                                  wanted->count * sizeof(*wanted->ranges)));
}

static void compare_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;

    change->hr = equal_ranges(change->job->files[0], change->argument) ? S_OK : S_FALSE;
}

HRESULT do_download_compare(struct do_job *job, const struct do_wanted_ranges *wanted)
{
    struct do_job_change change = {job, wanted, NULL, S_OK};

    do_loop_call(job->engine->env.loop, compare_on_loop, &change);
    return change.hr;
}

/* Another list of ranges for a file; anew: and nothing of what it has. */
struct new_plan
{
    struct do_range *ranges; /* taken when the change succeeds; then the old ones */
    size_t count;
    uint64_t portion;
    bool anew;
    struct do_part_file *old_part; /* anew: to be deleted */
};

static void swap_ranges(struct do_file_record *record, struct new_plan *plan)
{
    struct do_range *ranges = record->ranges;
    size_t count = record->range_count;

    record->ranges = plan->ranges;
    record->range_count = plan->count;
    plan->ranges = ranges;
    plan->count = count;
}

/* What the record says of bytes and of the object that they come from. */
struct received
{
    char *temp_path;
    char *etag;
    char *last_modified;
    uint64_t remote_size;
    struct do_range_set set;
    bool transferred;
};

static struct received take_received(struct do_file_record *record)
{
    struct received received = {record->temp_path, record->etag, record->last_modified,
        record->remote_size, record->received, record->transferred};

    record->temp_path = NULL;
    record->etag = NULL;
    record->last_modified = NULL;
    record->remote_size = DO_SIZE_UNKNOWN;
    do_range_set_init(&record->received);
    record->transferred = false;
    return received;
}

static void put_received(struct do_file_record *record, const struct received *received)
{
    record->temp_path = received->temp_path;
    record->etag = received->etag;
    record->last_modified = received->last_modified;
    record->remote_size = received->remote_size;
    record->received = received->set;
    record->transferred = received->transferred;
}

static void finish_received(struct received *received)
{
    do_free(received->temp_path);
    do_free(received->etag);
    do_free(received->last_modified);
    do_range_set_finish(&received->set);
}

static HRESULT store_plan(struct do_job_file *file, uint64_t portion)
{
    const struct do_setting settings[] = {
        {DO_FILE_PROP_PORTION, portion ? do_value_of_number(portion) : do_value_of_text(NULL)},
        {DO_FILE_PROP_PLAIN_SIZE, do_value_of_text(NULL)},
    };
    HRESULT hr = do_job_file_set_known_total(file);

    if (FAILED(hr))
        return hr;
    return do_job_file_change_values_on_loop(file, settings, DO_COUNT_OF(settings), true);
}

/* All or nothing. */
static HRESULT change_plan(struct do_job_file *file, struct new_plan *plan)
{
    struct do_file_record *record = &file->record;
    bool was_transferred = record->transferred;
    struct received received;
    HRESULT hr;

    swap_ranges(record, plan);
    if (plan->anew)
        received = take_received(record);
    record->transferred = false;
    if (FAILED(hr = store_plan(file, plan->portion)))
    {
        swap_ranges(record, plan);
        if (plan->anew)
            put_received(record, &received);
        record->transferred = was_transferred;
        (void)do_job_file_set_known_total(file);
        return hr;
    }
    do_progress_set_flags(&file->progress, false, false);
    if (plan->anew)
    {
        finish_received(&received);
        do_progress_set_transferred(&file->progress, 0);
        plan->old_part = file->part;
        file->part = NULL;
    }
    do_job_set_error_on_loop(file->job, S_OK, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_set_state_on_loop(file->job, DO_JOB_SUSPENDED);
    return S_OK;
}

static void change_plan_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;

    change->hr = change_plan(change->job->files[0], change->result);
}

static HRESULT apply_plan(struct do_job *job, struct new_plan *plan)
{
    struct do_job_change change = {job, NULL, plan, S_OK};

    do_loop_call(job->engine->env.loop, change_plan_on_loop, &change);
    return change.hr;
}

/*
 * What a halted download still has on its way, to the recorder or into the stream. A stream that
 * paused its download must return before it can go on: what it does with these bytes is not known.
 */
HRESULT do_download_await_rest(struct do_job *job)
{
    struct do_job_file *file = do_job_get_file(job, 0);
    bool is_own;

    do_job_drain_recorder(job);
    if (file->part && do_part_file_is_stream(file->part) && !do_part_file_wait_stream(file->part))
        return DO_E_INVALID_STATE;
    /* A checked file is given to the stream by a thread that a pause from inside leaves behind. */
    do_mutex_lock(&job->lock);
    while (file->giving && file->giving_thread != do_thread_current_id())
        do_cond_wait(&job->state_changed, &job->lock);
    is_own = file->giving;
    do_mutex_unlock(&job->lock);
    return is_own ? DO_E_INVALID_STATE : S_OK;
}

static HRESULT check_later(const struct do_wanted_ranges *wanted, uint64_t size)
{
    if (wanted->count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    return do_plan_check_ranges(wanted->ranges, wanted->count, size);
}

/* A stream goes on where it is; what comes now is the beginning of something else. */
HRESULT do_download_restart(struct do_job *job, const struct do_wanted_ranges *wanted)
{
    struct new_plan plan = {NULL, wanted->count, 0, true, NULL};
    HRESULT hr;

    if (FAILED(hr = check_later(wanted, DO_SIZE_UNKNOWN)))
        return hr;
    if (wanted->count &&
        !(plan.ranges = do_memdup(wanted->ranges, wanted->count * sizeof(*wanted->ranges))))
        return E_OUTOFMEMORY;
    /* The network may stop it, with its transfer as it was. */
    if (do_job_state_is_active(do_job_get_state(job)))
        hr = do_job_suspend_in_call(job);
    if (SUCCEEDED(hr) && SUCCEEDED(hr = do_download_await_rest(job)))
        hr = apply_plan(job, &plan);
    if (plan.old_part)
    {
        do_part_file_discard(plan.old_part);
        do_part_file_release(plan.old_part);
    }
    do_free(plan.ranges);
    return SUCCEEDED(hr) ? do_download_prepare_and_resume(job) : hr;
}

/* The ranges so far, the whole object as one range, and the new ones behind them. */
static HRESULT join_ranges(
    struct do_job_file *file, const struct do_wanted_ranges *wanted, struct new_plan *plan)
{
    const struct do_file_record *record = &file->record;
    const struct do_range whole = {0, do_progress_snapshot(&file->progress).bytes_total};
    const struct do_range *old = record->range_count ? record->ranges : &whole;
    size_t old_count = record->range_count ? record->range_count : 1;

    if (wanted->count > DO_JOB_RANGE_LIMIT - old_count)
        return E_INVALIDARG;
    if (!(plan->ranges = do_alloc_array(old_count + wanted->count, sizeof(*plan->ranges))))
        return E_OUTOFMEMORY;
    memcpy(plan->ranges, old, old_count * sizeof(*old));
    memcpy(plan->ranges + old_count, wanted->ranges, wanted->count * sizeof(*wanted->ranges));
    /* An open end was the object's, which is known by now. */
    for (size_t i = 0; i < old_count; i++)
    {
        if (plan->ranges[i].end == DO_SIZE_UNKNOWN)
            plan->ranges[i].end = record->remote_size;
    }
    plan->count = old_count + wanted->count;
    plan->portion = do_progress_snapshot(&file->progress).bytes_total;
    return S_OK;
}

static void append_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job_file *file = change->job->files[0];
    struct new_plan plan = {NULL, 0, 0, false, NULL};

    if (SUCCEEDED(change->hr = join_ranges(file, change->argument, &plan)))
        change->hr = change_plan(file, &plan);
    do_free(plan.ranges);
}

HRESULT do_download_append(struct do_job *job, const struct do_wanted_ranges *wanted)
{
    struct do_job_change change = {job, wanted, NULL, S_OK};
    HRESULT hr;

    if (FAILED(hr = check_later(wanted, do_job_file_get_total_size(do_job_get_file(job, 0)))) ||
        FAILED(hr = do_download_await_rest(job)))
        return hr;
    do_loop_call(job->engine->env.loop, append_on_loop, &change);
    return SUCCEEDED(change.hr) ? do_download_prepare_and_resume(job) : change.hr;
}
