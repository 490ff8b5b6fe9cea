/* SPDX-License-Identifier: MIT */
/*
 * Downloads: IDODownload's states and calls over a job with one file. A download that has a file
 * was started. Calls go through the same doors as a job's.
 */
#include "job/download.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "job/job_internal.h"
#include "plat/file.h"
#include "transfer/plan.h"

static struct do_loop *loop_of(const struct do_job *job)
{
    return job->engine->env.loop;
}

bool do_job_is_download(const struct do_job *job)
{
    return job->record.kind == DO_JOB_KIND_DOWNLOAD;
}

HRESULT do_job_get_id_text(const struct do_job *job, char **text)
{
    const uint8_t *b = job->record.id.bytes;
    struct do_buf buf;

    do_buf_init(&buf, 0);
    /* The first three fields of a GUID are little-endian in memory. */
    do_buf_append_format(&buf,
        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[3], b[2], b[1],
        b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    *text = do_buf_take(&buf);
    return *text ? S_OK : E_OUTOFMEMORY;
}

/* Status */

enum do_download_state do_download_state_of(const struct do_job *job)
{
    switch (job->state)
    {
    case DO_JOB_TRANSIENT_ERROR:
        return job->blocked ? DO_DOWNLOAD_PAUSED : DO_DOWNLOAD_TRANSFERRING;
    case DO_JOB_QUEUED:
    case DO_JOB_CONNECTING:
    case DO_JOB_TRANSFERRING:
        return DO_DOWNLOAD_TRANSFERRING;
    case DO_JOB_SUSPENDED:
        return job->file_count ? DO_DOWNLOAD_PAUSED : DO_DOWNLOAD_CREATED;
    case DO_JOB_ERROR:
        return DO_DOWNLOAD_PAUSED;
    case DO_JOB_TRANSFERRED:
        return DO_DOWNLOAD_TRANSFERRED;
    case DO_JOB_ACKNOWLEDGED:
        return DO_DOWNLOAD_FINALIZED;
    case DO_JOB_CANCELLED:
    case DO_JOB_STATE_COUNT:
        break;
    }
    return DO_DOWNLOAD_ABORTED;
}

/* Where the latest portion begins in the local file. Under the job's lock, or on the loop. */
static uint64_t portion_of(const struct do_job_file *file)
{
    return do_values_number(&file->record.values, DO_FILE_PROP_PORTION, 0);
}

void do_download_get_status(struct do_job *job, struct do_download_status *status)
{
    struct do_job_file *file = NULL;
    uint64_t portion = 0;

    memset(status, 0, sizeof(*status));
    do_mutex_lock(&job->lock);
    status->state = (uint32_t)do_download_state_of(job);
    if (job->state == DO_JOB_ERROR || job->state == DO_JOB_CANCELLED)
    {
        status->error = job->record.error;
        status->extended_error = job->extended_error;
    }
    /* A stop that heals by itself is no error. */
    if (job->state == DO_JOB_TRANSIENT_ERROR && job->blocked)
        status->extended_error = job->record.error;
    if (job->file_count)
    {
        file = job->files[0];
        portion = portion_of(file);
    }
    do_mutex_unlock(&job->lock);
    if (file)
    {
        struct do_progress_values values = do_progress_snapshot(&file->progress);

        if (values.bytes_total != DO_SIZE_UNKNOWN && values.bytes_total > portion)
            status->bytes_total = values.bytes_total - portion;
        if (values.bytes_transferred > portion)
            status->bytes_transferred = values.bytes_transferred - portion;
    }
}

void do_download_post_status_on_loop(struct do_job *job)
{
    struct do_download_status status;

    do_download_get_status(job, &status);
    job->told_bytes = status.bytes_transferred;
    job->told_ms = do_loop_now_on_loop(loop_of(job));
    do_notify_post_status(job->engine->notifier, job, &status);
    do_mutex_lock(&job->lock);
    do_cond_broadcast(&job->state_changed);
    do_mutex_unlock(&job->lock);
}

void do_download_post_progress_on_loop(struct do_job *job)
{
    const struct do_values *values = &job->record.values;
    uint64_t percent = do_values_number(values, DO_PROP_CALLBACK_PERCENT, 0);
    uint64_t seconds = do_values_number(values, DO_PROP_CALLBACK_SECONDS, percent ? UINT32_MAX : 1);
    struct do_download_status status;
    uint64_t threshold;
    uint64_t step;

    do_download_get_status(job, &status);
    if (status.bytes_transferred == job->told_bytes)
        return;
    step = status.bytes_transferred - job->told_bytes;
    threshold = status.bytes_total / 100 * percent + status.bytes_total % 100 * percent / 100;
    if (do_loop_now_on_loop(loop_of(job)) - job->told_ms >= seconds * 1000 ||
        (percent && status.bytes_total && step >= threshold))
        do_download_post_status_on_loop(job);
}

/* Start */

/* A range with an end goes on after it; a whole object ends where the object does. */
struct wanted
{
    const struct do_range *ranges;
    size_t count;
};

/* A file that is decrypted, or must be checked, is so as a whole. */
static bool needs_whole(const struct do_job *job)
{
    const struct do_values *values = &job->record.values;

    return do_values_text(values, DO_PROP_DECRYPTION_INFO) ||
           do_values_number(values, DO_PROP_INTEGRITY_MANDATORY, 0);
}

static HRESULT check_start(struct do_job *job, const struct wanted *wanted)
{
    const struct do_values *values = &job->record.values;
    uint64_t size = do_values_number(values, DO_PROP_TOTAL_SIZE, DO_SIZE_UNKNOWN);
    HRESULT hr;

    if (!do_values_text(values, DO_PROP_URI))
        return DO_E_DOWNLOAD_NO_URI;
    if (!do_values_text(values, DO_PROP_LOCAL_PATH) && !job->stream)
        return DO_E_FILE_DOWNLOADSINK_UNSPECIFIED;
    if (wanted->count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    if (FAILED(hr = do_plan_check_ranges(wanted->ranges, wanted->count, size)))
        return hr;
    if (wanted->count && needs_whole(job))
        return DO_E_DOWNLOAD_RANGES_UNEXPECTED;
    if (do_values_number(values, DO_PROP_INTEGRITY_MANDATORY, 0) &&
        !do_values_text(values, DO_PROP_INTEGRITY_INFO))
        return DO_E_INTEGRITYCHECKINFO_UNSPECIFIED;
    return S_OK;
}

struct start_check
{
    const struct wanted *wanted;
    char *path; /* a copy, or NULL for a stream */
};

static void check_start_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct start_check *check = change->result;
    const char *path = do_values_text(&change->job->record.values, DO_PROP_LOCAL_PATH);

    if (FAILED(change->hr = check_start(change->job, check->wanted)) || !path)
        return;
    if (!(check->path = do_str_dup(path)))
        change->hr = E_OUTOFMEMORY;
}

/* Creates the missing directories of path. */
static HRESULT make_directory_of(const char *path)
{
    char *directory = do_str_dup_n(path, do_path_name_offset(path));
    HRESULT hr = directory ? do_file_make_directory(directory) : E_OUTOFMEMORY;

    do_free(directory);
    return hr;
}

struct earlier
{
    struct do_job *job;
    struct do_job *other; /* with an outer reference */
};

/* Whether the other one, which has begun, writes to the same path and began first. */
static bool is_earlier(const struct do_job *job, const struct do_job *other)
{
    const char *path = do_values_text(&job->record.values, DO_PROP_LOCAL_PATH);
    const char *other_path = do_values_text(&other->record.values, DO_PROP_LOCAL_PATH);

    return do_job_is_download(other) && other->file_count && path && other_path &&
           other->files[0]->record.row_id < job->files[0]->record.row_id &&
           do_str_equal_nocase(path, other_path);
}

static void find_earlier_on_loop(void *ctx)
{
    struct earlier *earlier = ctx;

    DO_LIST_FOR_EACH (link, &earlier->job->engine->jobs)
    {
        struct do_job *other = DO_LIST_ENTRY(link, struct do_job, link);

        if (other != earlier->job && is_earlier(earlier->job, other))
        {
            earlier->other = do_job_acquire(other);
            return;
        }
    }
}

/*
 * A later download to the same path ends the earlier one. (Source: the DO SDK's tests.) Of two that
 * start at the same time the one whose file was added first ends: only the other waits for it.
 */
static void abort_earlier(struct do_job *job)
{
    for (;;)
    {
        struct earlier earlier = {job, NULL};
        HRESULT hr;

        do_loop_call(loop_of(job), find_earlier_on_loop, &earlier);
        if (!earlier.other)
            return;
        do_log(DO_LOG_INFO, DO_LOG_JOB, "a download ends, another one has its path");
        hr = do_download_abort(earlier.other);
        do_job_release(earlier.other);
        /* It may just have ended by itself. */
        if (FAILED(hr) && hr != DO_E_INVALID_STATE)
            return;
    }
}

/* Whether a stream's bytes must lie in a file first, since they cannot be used as they come. */
static bool needs_spool(const struct do_job *job)
{
    const struct do_values *values = &job->record.values;

    return do_values_text(values, DO_PROP_INTEGRITY_INFO) ||
           do_values_text(values, DO_PROP_DECRYPTION_INFO);
}

static void hold_job(void *ctx)
{
    (void)do_job_acquire(ctx);
}

static void let_go_job(void *ctx)
{
    do_job_release(ctx);
}

/* A client's stream blocks as long as it likes: it has a thread of its own. */
static HRESULT create_stream_writer(struct do_job *job)
{
    const struct do_engine *engine = job->engine;
    const struct do_writer_hooks hooks = {
        engine->env.thread_begins, engine->env.thread_ends, hold_job, let_go_job, job};

    if (job->stream_writer)
        return S_OK;
    return do_writer_create(engine->env.pool, &hooks, &job->stream_writer);
}

/* Gives the stream to the file; its bytes go there as they come. */
static HRESULT attach_stream(struct do_job *job, struct do_job_file *file)
{
    HRESULT hr = S_OK;

    if (!job->stream)
        return S_OK;
    if (FAILED(hr = create_stream_writer(job)))
        return hr;
    if (!needs_spool(job) &&
        FAILED(hr = do_part_file_create_stream(do_job_file_write_to_stream, file, &file->part)))
        return hr;
    do_mutex_lock(&job->lock);
    do_stream_release(file->stream);
    file->stream = do_stream_acquire(job->stream);
    do_mutex_unlock(&job->lock);
    return hr;
}

/* The values of a file that a download keeps at itself. */
static HRESULT copy_values(struct do_job *job, struct do_job_file *file)
{
    static const struct
    {
        enum do_prop from;
        enum do_file_prop to;
    } rows[] = {
        {DO_PROP_DECRYPTION_INFO, DO_FILE_PROP_DECRYPTION_INFO},
        {DO_PROP_INTEGRITY_INFO, DO_FILE_PROP_INTEGRITY_INFO},
        {DO_PROP_INTEGRITY_MANDATORY, DO_FILE_PROP_INTEGRITY_MANDATORY},
    };
    struct do_setting settings[DO_COUNT_OF(rows)];
    size_t count = 0;

    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        const struct do_value *value = do_values_get(&job->record.values, (uint32_t)rows[i].from);
        const struct do_value *copy = do_values_get(&file->record.values, (uint32_t)rows[i].to);

        if (value && (!copy || !do_value_equal(value, copy)))
            settings[count++] = (struct do_setting){(uint32_t)rows[i].to, *value};
    }
    return do_job_file_change_values_on_loop(file, settings, count);
}

/* Before each run, since a start that failed here is repeated: what the file must have. */
static void prepare_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct do_job_file *file = job->files[0];

    if (FAILED(change->hr = copy_values(job, file)))
        return;
    if (!file->part)
        change->hr = attach_stream(job, file);
    else if (do_part_file_is_stream(file->part))
        change->hr = do_part_file_renew_stream(&file->part);
}

static HRESULT run(struct do_job *job, do_loop_fn function, void *result)
{
    struct do_job_change change = {job, NULL, result, S_OK};

    do_loop_call(loop_of(job), function, &change);
    return change.hr;
}

static HRESULT prepare_and_resume(struct do_job *job)
{
    HRESULT hr = run(job, prepare_on_loop, NULL);

    return SUCCEEDED(hr) ? do_job_resume_in_call(job) : hr;
}

static HRESULT add_file(struct do_job *job, const struct wanted *wanted)
{
    struct do_value uri;
    struct do_value path;
    struct do_value content_id;
    struct do_value size;
    struct do_new_file file = {NULL};
    HRESULT hr;

    do_value_init(&path);
    do_value_init(&content_id);
    do_value_init(&size);
    if (FAILED(hr = do_job_get_value(job, DO_PROP_URI, &uri)) ||
        FAILED(hr = do_job_get_value(job, DO_PROP_LOCAL_PATH, &path)) ||
        FAILED(hr = do_job_get_value(job, DO_PROP_CONTENT_ID, &content_id)) ||
        FAILED(hr = do_job_get_value(job, DO_PROP_TOTAL_SIZE, &size)))
        goto done;
    file.url = uri.data;
    file.local_path = path.data;
    file.content_id = content_id.length ? content_id.data : uri.data;
    file.ranges = wanted->ranges;
    file.range_count = wanted->count;
    file.size = size.kind == DO_VALUE_NUMBER ? size.number : DO_SIZE_UNKNOWN;
    hr = do_job_add_files_in_call(job, &file, 1, NULL);

done:
    do_value_finish(&uri);
    do_value_finish(&path);
    do_value_finish(&content_id);
    do_value_finish(&size);
    return hr;
}

static HRESULT begin(struct do_job *job, const struct wanted *wanted)
{
    struct start_check check = {wanted, NULL};
    HRESULT hr;

    if (SUCCEEDED(hr = run(job, check_start_on_loop, &check)) && check.path)
        hr = make_directory_of(check.path);
    do_free(check.path);
    if (FAILED(hr) || FAILED(hr = add_file(job, wanted)))
        return hr;
    abort_earlier(job);
    return prepare_and_resume(job);
}

/* Later starts */

/* Where the ranges of the latest portion begin in the list; those before it have ends. */
static size_t first_of_portion(const struct do_job_file *file)
{
    const struct do_file_record *record = &file->record;
    uint64_t portion = portion_of(file);
    size_t first = 0;

    for (uint64_t local = 0; local < portion && first < record->range_count; first++)
        local += record->ranges[first].end - record->ranges[first].begin;
    return first;
}

static bool equal_ranges(const struct do_job_file *file, const struct wanted *wanted)
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

static HRESULT compare(struct do_job *job, const struct wanted *wanted)
{
    struct do_job_change change = {job, wanted, NULL, S_OK};

    do_loop_call(loop_of(job), compare_on_loop, &change);
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
    HRESULT hr;

    if (FAILED(hr = do_job_file_set_known_total(file)) ||
        FAILED(hr = do_queue_db_update_file(file->job->engine->env.db, &file->record)))
        return hr;
    return do_job_file_change_values_on_loop(file, settings, DO_COUNT_OF(settings));
}

/* All or nothing. */
static HRESULT change_plan(struct do_job_file *file, struct new_plan *plan)
{
    struct do_file_record *record = &file->record;
    uint64_t old_portion = portion_of(file);
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
        (void)store_plan(file, old_portion);
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

/*
 * What a halted download still has on its way, to the recorder or into the stream. A stream that
 * paused its download must return before it can go on: what it does with these bytes is not known.
 */
static HRESULT await_rest(struct do_job *job)
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

static HRESULT check_later(const struct wanted *wanted, uint64_t size)
{
    if (wanted->count > DO_JOB_RANGE_LIMIT)
        return E_INVALIDARG;
    return do_plan_check_ranges(wanted->ranges, wanted->count, size);
}

/* A stream goes on where it is; what comes now is the beginning of something else. */
static HRESULT restart(struct do_job *job, const struct wanted *wanted)
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
    if (SUCCEEDED(hr) && SUCCEEDED(hr = await_rest(job)))
        hr = run(job, change_plan_on_loop, &plan);
    if (plan.old_part)
    {
        do_part_file_discard(plan.old_part);
        do_part_file_release(plan.old_part);
    }
    do_free(plan.ranges);
    return SUCCEEDED(hr) ? prepare_and_resume(job) : hr;
}

/* The ranges so far, the whole object as one range, and the new ones behind them. */
static HRESULT join_ranges(
    struct do_job_file *file, const struct wanted *wanted, struct new_plan *plan)
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

static HRESULT append(struct do_job *job, const struct wanted *wanted)
{
    struct do_job_change change = {job, wanted, NULL, S_OK};
    HRESULT hr;

    if (FAILED(hr = check_later(wanted, do_job_file_get_total_size(do_job_get_file(job, 0)))) ||
        FAILED(hr = await_rest(job)))
        return hr;
    do_loop_call(loop_of(job), append_on_loop, &change);
    return SUCCEEDED(change.hr) ? prepare_and_resume(job) : change.hr;
}

/* The bytes of a paused download were taken away: it says so by its status. */
static void vanished_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;

    do_job_set_state_on_loop(job, DO_JOB_QUEUED);
    do_job_set_error_on_loop(job, DO_HR_FILE_NOT_FOUND, DO_ERROR_CONTEXT_NONE, NULL);
    do_job_set_state_on_loop(job, DO_JOB_ERROR);
}

static HRESULT resume(struct do_job *job)
{
    struct do_job_file *file = do_job_get_file(job, 0);
    HRESULT hr;

    /* What the network stops has its file open, and is told to try at once. */
    if (do_job_state_is_active(do_job_get_state(job)))
        return do_job_resume_in_call(job);
    if (FAILED(hr = await_rest(job)))
        return hr;
    if (file->part && !do_part_file_is_stream(file->part) &&
        !do_file_exists(do_part_file_path(file->part)) &&
        do_progress_snapshot(&file->progress).bytes_transferred)
        return run(job, vanished_on_loop, NULL);
    return prepare_and_resume(job);
}

static HRESULT start_in_call(
    struct do_job *job, enum do_download_call call, const struct wanted *wanted)
{
    enum do_download_action action;
    bool only_whole;

    do_mutex_lock(&job->lock);
    action = do_download_action_of(do_download_state_of(job), call);
    only_whole = needs_whole(job);
    do_mutex_unlock(&job->lock);
    if (wanted->count && only_whole && (action == DO_ACTION_CHANGE || action == DO_ACTION_APPEND))
        return DO_E_DOWNLOAD_RANGES_UNEXPECTED;
    switch (action)
    {
    case DO_ACTION_BEGIN:
        return begin(job, wanted);
    case DO_ACTION_RESUME:
        return resume(job);
    case DO_ACTION_COMPARE:
        return compare(job, wanted) == S_OK ? S_OK : DO_E_INVALID_STATE;
    case DO_ACTION_CHANGE:
        return compare(job, wanted) == S_OK ? resume(job) : restart(job, wanted);
    case DO_ACTION_AGAIN:
        return restart(job, wanted);
    case DO_ACTION_APPEND:
        return append(job, wanted);
    case DO_ACTION_NOTHING:
        return S_OK;
    case DO_ACTION_REFUSE:
    case DO_ACTION_PAUSE:
    case DO_ACTION_FINALIZE:
    case DO_ACTION_ABORT:
        break;
    }
    return DO_E_INVALID_STATE;
}

/* For blocking mode. */
static HRESULT wait_for_end(struct do_job *job)
{
    enum do_download_state state;
    HRESULT error;

    do_mutex_lock(&job->lock);
    while ((state = do_download_state_of(job)) == DO_DOWNLOAD_TRANSFERRING || job->blocked)
        do_cond_wait(&job->state_changed, &job->lock);
    error = job->state == DO_JOB_ERROR ? job->record.error : S_OK;
    do_mutex_unlock(&job->lock);
    return state == DO_DOWNLOAD_ABORTED ? E_ABORT : error;
}

static bool is_blocking(struct do_job *job)
{
    bool blocking;

    do_mutex_lock(&job->lock);
    blocking = do_values_number(&job->record.values, DO_PROP_BLOCKING, 0) != 0;
    do_mutex_unlock(&job->lock);
    return blocking;
}

/* Whether a start sets something going that stands still. */
static bool will_run(struct do_job *job, enum do_download_call call)
{
    enum do_download_action action;

    do_mutex_lock(&job->lock);
    action = do_download_action_of(do_download_state_of(job), call);
    do_mutex_unlock(&job->lock);
    switch (action)
    {
    case DO_ACTION_BEGIN:
    case DO_ACTION_RESUME:
    case DO_ACTION_CHANGE:
    case DO_ACTION_AGAIN:
    case DO_ACTION_APPEND:
        return true;
    case DO_ACTION_REFUSE:
    case DO_ACTION_NOTHING:
    case DO_ACTION_COMPARE:
    case DO_ACTION_PAUSE:
    case DO_ACTION_FINALIZE:
    case DO_ACTION_ABORT:
        break;
    }
    return false;
}

HRESULT do_download_start(struct do_job *job, enum do_download_call call,
    const struct do_range *ranges, size_t range_count)
{
    const struct wanted wanted = {ranges, range_count};
    HRESULT hr;

    /* What the client is still to be told of is over. Not in the call: a callback may call us. */
    if (will_run(job, call))
        do_notify_flush(job->engine->notifier, job);
    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = start_in_call(job, call, &wanted);
    do_job_end_call(job);
    if (SUCCEEDED(hr) && is_blocking(job))
        hr = wait_for_end(job);
    return hr;
}

/* Pause, Finalize, Abort */

static HRESULT act(struct do_job *job, enum do_download_call call)
{
    enum do_download_action action;
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    do_mutex_lock(&job->lock);
    action = do_download_action_of(do_download_state_of(job), call);
    /* It must not go on by itself when what stopped it is over. */
    if (call == DO_DOWNLOAD_PAUSE && job->blocked)
        action = DO_ACTION_PAUSE;
    do_mutex_unlock(&job->lock);
    switch (action)
    {
    case DO_ACTION_PAUSE:
        hr = do_job_suspend_in_call(job);
        /* It ended by itself meanwhile, which pauses it as well. */
        break;
    case DO_ACTION_FINALIZE:
        hr = do_job_complete_in_call(job);
        break;
    case DO_ACTION_ABORT:
        hr = do_job_cancel_in_call(job, S_OK);
        break;
    case DO_ACTION_NOTHING:
        break;
    case DO_ACTION_REFUSE:
    case DO_ACTION_BEGIN:
    case DO_ACTION_RESUME:
    case DO_ACTION_COMPARE:
    case DO_ACTION_CHANGE:
    case DO_ACTION_AGAIN:
    case DO_ACTION_APPEND:
        hr = DO_E_INVALID_STATE;
        break;
    }
    do_job_end_call(job);
    return hr;
}

HRESULT do_download_pause(struct do_job *job)
{
    return act(job, DO_DOWNLOAD_PAUSE);
}

HRESULT do_download_finalize(struct do_job *job)
{
    return act(job, DO_DOWNLOAD_FINALIZE);
}

HRESULT do_download_abort(struct do_job *job)
{
    return act(job, DO_DOWNLOAD_ABORT);
}
