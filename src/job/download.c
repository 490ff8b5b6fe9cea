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
#include "job/download_plan.h"
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
        return job->blocked || job->offline ? DO_DOWNLOAD_PAUSED : DO_DOWNLOAD_TRANSFERRING;
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
uint64_t do_download_portion_of(const struct do_job_file *file)
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
    if (job->state == DO_JOB_TRANSIENT_ERROR && (job->blocked || job->offline))
        status->extended_error = job->record.error;
    if (job->file_count)
    {
        file = job->files[0];
        portion = do_download_portion_of(file);
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

/* A file that is decrypted, or must be checked, is so as a whole. */
static bool needs_whole(const struct do_job *job)
{
    const struct do_values *values = &job->record.values;

    return do_values_text(values, DO_PROP_DECRYPTION_INFO) ||
           do_values_number(values, DO_PROP_INTEGRITY_MANDATORY, 0);
}

static HRESULT check_start(struct do_job *job, const struct do_wanted_ranges *wanted)
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
    const struct do_wanted_ranges *wanted;
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
    return do_job_file_change_values_on_loop(file, settings, count, false);
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

HRESULT do_download_prepare_and_resume(struct do_job *job)
{
    HRESULT hr = run(job, prepare_on_loop, NULL);

    return SUCCEEDED(hr) ? do_job_resume_in_call(job) : hr;
}

static HRESULT add_file(struct do_job *job, const struct do_wanted_ranges *wanted)
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

static HRESULT begin(struct do_job *job, const struct do_wanted_ranges *wanted)
{
    struct start_check check = {wanted, NULL};
    HRESULT hr;

    if (SUCCEEDED(hr = run(job, check_start_on_loop, &check)) && check.path)
        hr = make_directory_of(check.path);
    do_free(check.path);
    if (FAILED(hr) || FAILED(hr = add_file(job, wanted)))
        return hr;
    abort_earlier(job);
    return do_download_prepare_and_resume(job);
}

/* Later starts */

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
    if (FAILED(hr = do_download_await_rest(job)))
        return hr;
    if (file->part && !do_part_file_is_stream(file->part) &&
        !do_file_exists(do_part_file_path(file->part)) &&
        do_progress_snapshot(&file->progress).bytes_transferred)
        return run(job, vanished_on_loop, NULL);
    return do_download_prepare_and_resume(job);
}

/* What a call does now. */
static enum do_download_action action_now(struct do_job *job, enum do_download_call call)
{
    enum do_download_action action;

    do_mutex_lock(&job->lock);
    action = do_download_action_of(do_download_state_of(job), call);
    /* What the network stopped must not go on by itself after a Pause. */
    if (call == DO_DOWNLOAD_PAUSE && job->blocked)
        action = DO_ACTION_PAUSE;
    do_mutex_unlock(&job->lock);
    return action;
}

static HRESULT start_in_call(
    struct do_job *job, enum do_download_call call, const struct do_wanted_ranges *wanted)
{
    enum do_download_action action = action_now(job, call);
    bool only_whole;

    do_mutex_lock(&job->lock);
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
        return do_download_compare(job, wanted) == S_OK ? S_OK : DO_E_INVALID_STATE;
    case DO_ACTION_CHANGE:
        return do_download_compare(job, wanted) == S_OK ? resume(job)
                                                        : do_download_restart(job, wanted);
    case DO_ACTION_AGAIN:
        return do_download_restart(job, wanted);
    case DO_ACTION_APPEND:
        return do_download_append(job, wanted);
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
    switch (action_now(job, call))
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

static void check_policies_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    const struct do_wanted_ranges *wanted = change->argument;
    const struct do_engine *engine = change->job->engine;

    if (SUCCEEDED(change->hr = do_engine_check_range_count_on_loop(engine, wanted->count)))
        change->hr = do_engine_check_download_on_loop(engine);
}

/* Whether the administrator lets a download begin or go on. */
static HRESULT check_policies(struct do_job *job, const struct do_wanted_ranges *wanted)
{
    struct do_job_change change = {job, wanted, NULL, S_OK};

    do_loop_call(loop_of(job), check_policies_on_loop, &change);
    return change.hr;
}

HRESULT do_download_start(struct do_job *job, enum do_download_call call,
    const struct do_range *ranges, size_t range_count)
{
    const struct do_wanted_ranges wanted = {ranges, range_count};
    HRESULT hr;

    /* What the client is still to be told of is over. Not in the call: a callback may call us. */
    if (will_run(job, call))
        do_notify_flush(job->engine->notifier, job);
    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    if (!will_run(job, call) || SUCCEEDED(hr = check_policies(job, &wanted)))
        hr = start_in_call(job, call, &wanted);
    do_job_end_call(job);
    if (SUCCEEDED(hr) && is_blocking(job))
        hr = wait_for_end(job);
    return hr;
}

/* Pause, Finalize, Abort */

static HRESULT act(struct do_job *job, enum do_download_call call)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    switch (action_now(job, call))
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
