/* SPDX-License-Identifier: MIT */
/*
 * Reads and changes of one file of a job. What the loop keeps of a file is read on the loop;
 * progress and statistics are copied under their locks.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/secrets.h"
#include "plat/file.h"
#include "transfer/plan.h"
#include "transfer/url.h"

struct do_job *do_job_file_get_job(const struct do_job_file *file)
{
    return file->job;
}

struct do_progress_values do_job_file_get_progress(struct do_job_file *file)
{
    return do_progress_snapshot(&file->progress);
}

struct do_http_facts *do_job_file_get_facts(struct do_job_file *file)
{
    return &file->facts;
}

struct do_stream *do_job_file_get_stream(struct do_job_file *file)
{
    struct do_stream *stream;

    do_mutex_lock(&file->job->lock);
    stream = do_stream_acquire(file->stream);
    do_mutex_unlock(&file->job->lock);
    return stream;
}

HRESULT do_job_file_write_to_stream(void *ctx, const void *data, size_t length)
{
    struct do_job_file *file = ctx;
    struct do_job *job = file->job;
    struct do_stream *stream = do_job_file_get_stream(file);
    HRESULT hr = E_ABORT;

    do_mutex_lock(&job->lock);
    job->stream_thread_id = do_thread_current_id();
    do_mutex_unlock(&job->lock);
    if (stream)
        hr = stream->class->write(stream, data, length);
    do_mutex_lock(&job->lock);
    job->stream_thread_id = 0;
    do_mutex_unlock(&job->lock);
    do_stream_release(stream);
    return hr;
}

/* Reads of what the loop keeps. */

struct file_read
{
    struct do_job_file *file;
    char *const *field; /* a text of the record */
    char *text;
    struct do_range *ranges;
    size_t range_count;
    uint32_t value_id;
    struct do_value value;
    uint64_t size;
    HRESULT hr;
};

static void on_loop(struct do_job_file *file, do_loop_fn function, struct file_read *read)
{
    read->file = file;
    do_loop_call(file->job->engine->env.loop, function, read);
}

static void read_text_on_loop(void *ctx)
{
    struct file_read *read = ctx;

    read->text = do_str_dup(*read->field ? *read->field : "");
    read->hr = read->text ? S_OK : E_OUTOFMEMORY;
}

static HRESULT read_text(struct do_job_file *file, char *const *field, char **text)
{
    struct file_read read = {.field = field};

    on_loop(file, read_text_on_loop, &read);
    *text = read.text;
    return read.hr;
}

static void read_reported_url_on_loop(void *ctx)
{
    struct file_read *read = ctx;

    read->hr = DO_HR_NOT_SET;
    if (read->file->job->options.redirects == DO_REDIRECT_REPORT)
        read->hr = do_http_facts_get(&read->file->facts, DO_FACT_REDIRECT_TARGET, &read->text);
}

/* Requests go on beginning at the URL that the client gave, whose host gets its secrets. */
HRESULT do_job_file_get_url(struct do_job_file *file, char **url)
{
    struct file_read read = {.text = NULL};

    on_loop(file, read_reported_url_on_loop, &read);
    if (read.hr == DO_HR_NOT_SET)
        return read_text(file, &file->record.url, url);
    *url = read.text;
    return read.hr;
}

HRESULT do_job_file_get_content_id(struct do_job_file *file, char **content_id)
{
    return read_text(file, &file->record.content_id, content_id);
}

HRESULT do_job_file_get_local_path(struct do_job_file *file, char **path)
{
    return read_text(file, &file->record.local_path, path);
}

static void read_temp_path_on_loop(void *ctx)
{
    struct file_read *read = ctx;
    const struct do_file_record *record = &read->file->record;

    bool saved = do_progress_snapshot(&read->file->progress).saved;

    if (do_job_state_is_final(read->file->job->state))
        saved = true;
    read->text = do_str_dup(record->temp_path && !saved ? record->temp_path : "");
    read->hr = read->text ? S_OK : E_OUTOFMEMORY;
}

HRESULT do_job_file_get_temp_path(struct do_job_file *file, char **path)
{
    struct file_read read = {.text = NULL};

    on_loop(file, read_temp_path_on_loop, &read);
    /* Who asks when every byte is here wants to open it: our own handle is closed by then. */
    if (do_progress_snapshot(&file->progress).transferred)
        do_recorder_drain(file->job->engine->env.recorder, file->record.row_id);
    *path = read.text;
    return read.hr;
}

static void read_ranges_on_loop(void *ctx)
{
    struct file_read *read = ctx;
    const struct do_file_record *record = &read->file->record;

    if (!record->range_count)
        return;
    if (!(read->ranges = do_memdup(record->ranges, record->range_count * sizeof(*record->ranges))))
        read->hr = E_OUTOFMEMORY;
    else
        read->range_count = record->range_count;
}

HRESULT do_job_file_get_ranges(
    struct do_job_file *file, struct do_range **ranges, size_t *range_count)
{
    struct file_read read = {.text = NULL};

    on_loop(file, read_ranges_on_loop, &read);
    *ranges = read.ranges;
    *range_count = read.range_count;
    return read.hr;
}

static void read_value_on_loop(void *ctx)
{
    struct file_read *read = ctx;
    const struct do_value *stored = do_values_get(&read->file->record.values, read->value_id);

    if (stored)
        read->hr = do_value_assign(&read->value, stored);
}

HRESULT do_job_file_get_value(
    struct do_job_file *file, enum do_file_prop id, struct do_value *value)
{
    struct file_read read = {.value_id = (uint32_t)id};

    do_value_init(&read.value);
    on_loop(file, read_value_on_loop, &read);
    *value = read.value;
    return read.hr;
}

static void read_size_on_loop(void *ctx)
{
    struct file_read *read = ctx;
    const struct do_file_record *record = &read->file->record;

    read->size =
        record->remote_size != DO_SIZE_UNKNOWN ? record->remote_size : record->expected_size;
}

uint64_t do_job_file_get_total_size(struct do_job_file *file)
{
    struct file_read read = {.size = DO_SIZE_UNKNOWN};

    on_loop(file, read_size_on_loop, &read);
    return read.size;
}

void do_job_file_get_stats(struct do_job_file *file, struct do_file_stats *stats)
{
    struct do_job *job = file->job;
    struct do_progress_values progress = do_progress_snapshot(&file->progress);
    uint64_t size = do_job_file_get_total_size(file);
    uint64_t active_ms;
    bool is_active;
    bool is_running;

    memset(stats, 0, sizeof(*stats));
    do_mutex_lock(&job->lock);
    active_ms = file->active_ms;
    is_active = file->active_since_ms != 0;
    if (is_active)
        active_ms += do_clock_ms() - file->active_since_ms;
    is_running = do_job_state_is_active(job->state);
    stats->is_background = job->record.priority != DO_PRIORITY_FOREGROUND;
    do_mutex_unlock(&job->lock);
    stats->file_size = size == DO_SIZE_UNKNOWN ? 0 : size;
    stats->bytes_downloaded = progress.bytes_transferred;
    stats->connections = is_active ? 1 : 0;
    stats->duration_ms = active_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)active_ms;
    if (progress.transferred)
        stats->status = DO_FILE_COMPLETE;
    else
        stats->status = is_running ? DO_FILE_DOWNLOADING : DO_FILE_PAUSED;
}

/* Changes */

struct file_change
{
    struct do_job_file *file;
    char *text; /* taken when the change succeeds */
    struct do_stream *stream;
    struct do_setting setting;
    uint64_t size;
};

/* Most changes are for jobs that do not run yet. */
static HRESULT check_suspended(const struct do_job *job)
{
    return job->state == DO_JOB_SUSPENDED ? S_OK : DO_E_INVALID_STATE;
}

static HRESULT store_file(struct do_job_file *file)
{
    struct do_job *job = file->job;
    HRESULT hr = do_queue_db_update_file(job->engine->env.db, &file->record);

    if (SUCCEEDED(hr))
        do_job_touch_on_loop(job);
    return hr;
}

/* Puts text into the field and stores it; the old one comes back when that fails. */
static HRESULT swap_text(struct do_job_file *file, char **field, struct file_change *change)
{
    char *old = *field;
    HRESULT hr;

    *field = change->text;
    if (FAILED(hr = store_file(file)))
    {
        *field = old;
        return hr;
    }
    change->text = NULL;
    do_free(old);
    return S_OK;
}

static void set_url_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct file_change *file_change = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(change->job->state, DO_CALL_SET, &next)))
        return;
    change->hr = swap_text(file_change->file, &file_change->file->record.url, file_change);
    if (SUCCEEDED(change->hr))
        do_http_facts_forget_redirect(&file_change->file->facts);
}

HRESULT do_job_file_set_url(struct do_job_file *file, const char *url)
{
    struct file_change file_change = {.file = file};
    HRESULT hr;

    if (!url || strlen(url) > DO_URL_LIMIT || FAILED(do_url_check(url)))
        return E_INVALIDARG;
    if (!(file_change.text = do_str_dup(url)))
        return E_OUTOFMEMORY;
    hr = do_job_change(file->job, set_url_on_loop, NULL, &file_change);
    do_free(file_change.text);
    return hr;
}

static void set_local_path_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct file_change *file_change = change->result;
    struct do_job_file *file = file_change->file;

    if (FAILED(change->hr = check_suspended(change->job)))
        return;
    /* A file that has begun lies beside its path. */
    if (file->stream || file->part || file->record.temp_path)
        change->hr = DO_E_FILE_DOWNLOADSINK_ALREADY_SET;
    else
        change->hr = swap_text(file, &file->record.local_path, file_change);
}

HRESULT do_job_file_set_local_path(struct do_job_file *file, const char *path)
{
    struct file_change file_change = {.file = file};
    HRESULT hr;

    if (!path || !path[0])
        return E_INVALIDARG;
    if (FAILED(hr = do_file_check_path(path)) || FAILED(hr = do_file_check_directory(path)))
        return hr;
    if (!(file_change.text = do_str_dup(path)))
        return E_OUTOFMEMORY;
    hr = do_job_change(file->job, set_local_path_on_loop, NULL, &file_change);
    do_free(file_change.text);
    return hr;
}

static void set_stream_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct file_change *file_change = change->result;
    struct do_job_file *file = file_change->file;
    struct do_stream *old;

    if (FAILED(change->hr = check_suspended(change->job)))
        return;
    if (file->record.local_path)
    {
        change->hr = DO_E_FILE_DOWNLOADSINK_ALREADY_SET;
        return;
    }
    do_mutex_lock(&change->job->lock);
    old = file->stream;
    file->stream = do_stream_acquire(file_change->stream);
    do_mutex_unlock(&change->job->lock);
    /* The caller lets go of the old one: it is a client's, whose apartment we are in there. */
    file_change->stream = old;
    do_job_touch_on_loop(change->job);
}

HRESULT do_job_file_set_stream(struct do_job_file *file, struct do_stream *stream)
{
    struct file_change file_change = {.file = file, .stream = stream};
    HRESULT hr = do_job_change(file->job, set_stream_on_loop, NULL, &file_change);

    if (SUCCEEDED(hr))
        do_stream_release(file_change.stream);
    return hr;
}

static void set_total_size_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    const struct file_change *file_change = change->result;
    struct do_job_file *file = file_change->file;
    uint64_t old = file->record.expected_size;

    if (FAILED(change->hr = check_suspended(change->job)))
        return;
    if (FAILED(
            do_plan_check_ranges(file->record.ranges, file->record.range_count, file_change->size)))
    {
        change->hr = E_INVALIDARG;
        return;
    }
    file->record.expected_size = file_change->size;
    if (SUCCEEDED(change->hr = do_job_file_set_known_total(file)))
        change->hr = store_file(file);
    if (FAILED(change->hr))
    {
        file->record.expected_size = old;
        (void)do_job_file_set_known_total(file);
    }
}

HRESULT do_job_file_set_total_size(struct do_job_file *file, uint64_t size)
{
    struct file_change file_change = {.file = file, .size = size};

    return do_job_change(file->job, set_total_size_on_loop, NULL, &file_change);
}

HRESULT do_job_file_change_values_on_loop(
    struct do_job_file *file, const struct do_setting *settings, size_t count, bool with_record)
{
    struct do_job *job = file->job;
    const struct do_file_record *record = &file->record;
    struct do_queue_change change = {
        .files = &record, .file_count = with_record ? 1 : 0, .row_id = count ? record->row_id : 0};
    struct do_sealed sealed;
    struct do_values values;
    struct do_values old;
    HRESULT hr;

    if (!count && !with_record)
        return S_OK;
    do_values_init(&values);
    if (FAILED(hr = do_secrets_seal(DO_SECRETS_OF_FILE, settings, count, &sealed)) ||
        FAILED(hr = do_values_assign(&values, &record->values)))
        goto done;
    change.file_values = sealed.settings;
    change.file_value_count = sealed.count;
    for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
        hr = do_values_set(&values, settings[i].id, &settings[i].value);
    if (FAILED(hr) || FAILED(hr = do_queue_db_change(job->engine->env.db, &change)))
        goto done;
    do_mutex_lock(&job->lock);
    old = file->record.values;
    file->record.values = values;
    values = old;
    do_mutex_unlock(&job->lock);

done:
    do_sealed_finish(&sealed);
    do_values_finish(&values);
    return hr;
}

static void set_value_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    const struct file_change *file_change = change->result;
    struct do_job_file *file = file_change->file;
    enum do_job_state next;

    if (file_change->setting.id == DO_FILE_PROP_VALIDATION)
        change->hr = do_job_state_after_call(change->job->state, DO_CALL_SET, &next);
    else
        change->hr = check_suspended(change->job);
    if (FAILED(change->hr))
        return;
    if (SUCCEEDED(
            change->hr = do_job_file_change_values_on_loop(file, &file_change->setting, 1, false)))
        do_job_touch_on_loop(change->job);
}

HRESULT do_job_file_set_value(
    struct do_job_file *file, enum do_file_prop id, const struct do_value *value)
{
    struct file_change file_change = {.file = file, .setting = {(uint32_t)id, *value}};
    HRESULT hr = S_OK;

    if (id == DO_FILE_PROP_INTEGRITY_INFO)
        hr = do_job_check_integrity(value);
    else if (id == DO_FILE_PROP_DECRYPTION_INFO)
        hr = do_job_check_decryption(value);
    if (FAILED(hr))
        return hr;
    return do_job_change(file->job, set_value_on_loop, NULL, &file_change);
}

/* ReplaceRemotePrefix: every URL is made and checked before the first one is changed. */

struct prefix_change
{
    const char *old_prefix;
    const char *new_prefix;
    char **urls; /* one for each file, NULL for those that stay */
    size_t count;
};

static HRESULT make_url(const struct prefix_change *prefix, const char *url, char **out)
{
    size_t length = strlen(prefix->old_prefix);
    struct do_buf buf;

    *out = NULL;
    if (strncmp(url, prefix->old_prefix, length))
        return S_OK;
    do_buf_init(&buf, 0);
    do_buf_append_str(&buf, prefix->new_prefix);
    do_buf_append_str(&buf, url + length);
    if (!(*out = do_buf_take(&buf)))
        return E_OUTOFMEMORY;
    return strlen(*out) > DO_URL_LIMIT || FAILED(do_url_check(*out)) ? E_INVALIDARG : S_OK;
}

static void exchange_urls(struct do_job *job, struct prefix_change *prefix)
{
    for (size_t i = 0; i < prefix->count; i++)
    {
        char *url = job->files[i]->record.url;

        if (!prefix->urls[i])
            continue;
        job->files[i]->record.url = prefix->urls[i];
        prefix->urls[i] = url;
    }
}

/* All of them or none, in the database as well. The old ones are then in prefix. */
static HRESULT swap_urls(struct do_job *job, struct prefix_change *prefix)
{
    const struct do_file_record **records = do_alloc_array(prefix->count, sizeof(*records));
    struct do_queue_change change = {.files = records};
    HRESULT hr;

    if (!records)
        return E_OUTOFMEMORY;
    for (size_t i = 0; i < prefix->count; i++)
    {
        if (prefix->urls[i])
            records[change.file_count++] = &job->files[i]->record;
    }
    exchange_urls(job, prefix);
    if (FAILED(hr = do_queue_db_change(job->engine->env.db, &change)))
        exchange_urls(job, prefix);
    do_free(records);
    for (size_t i = 0; i < prefix->count && SUCCEEDED(hr); i++)
    {
        if (prefix->urls[i])
            do_http_facts_forget_redirect(&job->files[i]->facts);
    }
    return hr;
}

static void replace_prefix_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct prefix_change *prefix = change->result;
    struct do_job *job = change->job;
    enum do_job_state next;
    bool any = false;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    if (!(prefix->urls = do_alloc_array(job->file_count + 1, sizeof(*prefix->urls))))
    {
        change->hr = E_OUTOFMEMORY;
        return;
    }
    prefix->count = job->file_count;
    for (size_t i = 0; i < job->file_count; i++)
    {
        change->hr = make_url(prefix, job->files[i]->record.url, &prefix->urls[i]);
        if (FAILED(change->hr))
            return;
        any = any || prefix->urls[i];
    }
    change->hr = any ? swap_urls(job, prefix) : S_FALSE;
    if (change->hr == S_OK)
        do_job_touch_on_loop(job);
}

HRESULT do_job_replace_url_prefix(
    struct do_job *job, const char *old_prefix, const char *new_prefix)
{
    struct prefix_change prefix = {old_prefix, new_prefix, NULL, 0};
    HRESULT hr;

    if (!old_prefix || !old_prefix[0] || !new_prefix)
        return E_INVALIDARG;
    hr = do_job_change(job, replace_prefix_on_loop, NULL, &prefix);
    for (size_t i = 0; i < prefix.count; i++)
        do_free(prefix.urls[i]);
    do_free(prefix.urls);
    return hr;
}
