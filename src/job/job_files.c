/* SPDX-License-Identifier: MIT */
/*
 * Files of a job: what may be added, from a client or from the database, and how it is.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/secrets.h"
#include "plat/file.h"
#include "transfer/decrypt.h"
#include "transfer/piece_hashes.h"
#include "transfer/plan.h"
#include "transfer/url.h"

const char *do_job_file_part_target(const struct do_job_file *file)
{
    return file->record.local_path ? file->record.local_path : file->job->engine->env.stream_target;
}

HRESULT do_job_check_files(const struct do_job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
    {
        const struct do_job_file *file = job->files[i];
        const struct do_values *values = &file->record.values;

        if (!file->record.local_path && !file->stream)
            return DO_E_FILE_DOWNLOADSINK_UNSPECIFIED;
        if (do_values_number(values, DO_FILE_PROP_INTEGRITY_MANDATORY, 0) &&
            !do_values_text(values, DO_FILE_PROP_INTEGRITY_INFO))
            return DO_E_INTEGRITYCHECKINFO_UNSPECIFIED;
        /* A file that is decrypted, or must be checked, is so as a whole. */
        if (!do_plan_is_whole(file->record.ranges, file->record.range_count) &&
            (do_values_number(values, DO_FILE_PROP_INTEGRITY_MANDATORY, 0) ||
                do_values_text(values, DO_FILE_PROP_DECRYPTION_INFO)))
            return DO_E_DOWNLOAD_RANGES_UNEXPECTED;
    }
    return S_OK;
}

HRESULT do_job_check_integrity(const struct do_value *value)
{
    struct do_integrity_info info;
    HRESULT hr;

    if (value->kind == DO_VALUE_EMPTY)
        return S_OK;
    if (value->kind != DO_VALUE_TEXT)
        return E_INVALIDARG;
    hr = do_integrity_info_parse(value->data, &info);
    do_integrity_info_finish(&info);
    return hr;
}

HRESULT do_job_check_decryption(const struct do_value *value)
{
    struct do_decrypt_info info;
    HRESULT hr;

    if (value->kind == DO_VALUE_EMPTY)
        return S_OK;
    if (value->kind != DO_VALUE_TEXT)
        return E_INVALIDARG;
    hr = do_decrypt_info_parse(value->data, &info);
    do_decrypt_info_finish(&info);
    return hr;
}

/* Room for count more files, so that appending them cannot fail. */
static HRESULT reserve_files(struct do_job *job, size_t count)
{
    struct do_job_file **grown;
    size_t capacity = job->file_capacity ? job->file_capacity : 4;

    while (capacity < job->file_count + count)
        capacity *= 2;
    if (capacity == job->file_capacity)
        return S_OK;
    do_mutex_lock(&job->lock);
    if ((grown = do_realloc_array(job->files, capacity, sizeof(*grown))))
    {
        job->files = grown;
        job->file_capacity = capacity;
    }
    do_mutex_unlock(&job->lock);
    return grown ? S_OK : E_OUTOFMEMORY;
}

static void append_file(struct do_job *job, struct do_job_file *file)
{
    do_mutex_lock(&job->lock);
    file->job = job;
    file->index = (uint32_t)job->file_count;
    job->files[job->file_count++] = file;
    do_mutex_unlock(&job->lock);
}

/* BytesTotal as far as it is known before the first byte: from the client's size or the ranges. */
HRESULT do_job_file_set_known_total(struct do_job_file *file)
{
    const struct do_file_record *record = &file->record;
    uint64_t size =
        record->remote_size != DO_SIZE_UNKNOWN ? record->remote_size : record->expected_size;
    struct do_plan plan;
    HRESULT hr;

    if (FAILED(hr = do_plan_init(&plan, record->ranges, record->range_count)))
        return hr;
    if (size != DO_SIZE_UNKNOWN)
        hr = do_plan_resolve(&plan, size);
    do_progress_set_total(&file->progress, do_plan_local_size(&plan));
    do_plan_finish(&plan);
    return hr;
}

static HRESULT copy_ranges(
    const struct do_range *ranges, size_t count, struct do_file_record *record)
{
    if (!count)
        return S_OK;
    if (!(record->ranges = do_memdup(ranges, count * sizeof(*ranges))))
        return E_OUTOFMEMORY;
    record->range_count = count;
    return S_OK;
}

static HRESULT create_file(const struct do_new_file *new_file, struct do_job_file **file)
{
    struct do_job_file *created = do_alloc(sizeof(*created));
    HRESULT hr = E_OUTOFMEMORY;

    *file = NULL;
    if (!created)
        return hr;
    do_file_record_init(&created->record);
    do_progress_init(&created->progress);
    do_http_facts_init(&created->facts);
    created->record.expected_size = new_file->size;
    if (FAILED(hr = do_str_assign(&created->record.content_id, new_file->content_id)) ||
        FAILED(hr = do_str_assign(&created->record.url, new_file->url)) ||
        FAILED(hr = do_str_assign(&created->record.local_path, new_file->local_path)) ||
        FAILED(hr = copy_ranges(new_file->ranges, new_file->range_count, &created->record)) ||
        FAILED(hr = do_job_file_set_known_total(created)))
    {
        do_job_file_destroy(created);
        return hr;
    }
    *file = created;
    return S_OK;
}

/* What can be said of a file without touching the disk; stored rows are checked like new ones. */
static HRESULT check_file(const struct do_new_file *new_file)
{
    HRESULT hr;

    if (!new_file->content_id || !new_file->content_id[0])
        return E_INVALIDARG;
    if (!new_file->url || strlen(new_file->url) > DO_URL_LIMIT ||
        FAILED(do_url_check(new_file->url)))
        return E_INVALIDARG;
    if (new_file->local_path && !new_file->local_path[0])
        return E_INVALIDARG;
    if (new_file->local_path && FAILED(hr = do_file_check_path(new_file->local_path)))
        return hr;
    return new_file->range_count > DO_JOB_RANGE_LIMIT ? E_INVALIDARG : S_OK;
}

static HRESULT check_ranges(const struct do_new_file *new_file)
{
    return do_plan_check_ranges(new_file->ranges, new_file->range_count, new_file->size);
}

/* Portions of a download that were asked for one after the other may overlap. */
static HRESULT check_portions(const struct do_new_file *new_file)
{
    HRESULT hr = S_OK;

    for (size_t i = 0; i < new_file->range_count && SUCCEEDED(hr); i++)
        hr = do_plan_check_ranges(&new_file->ranges[i], 1, new_file->size);
    return hr;
}

static HRESULT check_new_file(const struct do_new_file *new_file)
{
    HRESULT hr = check_file(new_file);

    if (SUCCEEDED(hr))
        hr = check_ranges(new_file);
    if (SUCCEEDED(hr) && new_file->local_path)
        hr = do_file_check_directory(new_file->local_path);
    return hr;
}

/* A stored name is trusted when it may be one of ours. What is in use is not deleted. */
void do_job_discard_left_file(
    const struct do_engine *engine, const struct do_file_record *record, const char *path)
{
    const char *target = record->local_path ? record->local_path : engine->stream_target;
    struct do_part_file *part;

    if (!path || FAILED(do_part_file_check_name(target, path)) ||
        FAILED(do_part_file_create(path, NULL, &part)))
        return;
    do_part_file_discard(part);
    do_part_file_release(part);
}

/* A crash while a file was decrypted left two: the one that is not the file's goes. */
static void discard_other(const struct do_engine *engine, const struct do_file_record *record)
{
    const char *other = do_values_text(&record->values, DO_FILE_PROP_PLAIN_PATH);

    if (other && record->temp_path && strcmp(other, record->temp_path))
        do_job_discard_left_file(engine, record, other);
}

/* The temporary file is ours from now on. */
static HRESULT take_left_file(
    const struct do_job *job, struct do_job_file *file, const struct do_file_record *record)
{
    HRESULT hr;

    if (record->temp_path && !record->saved &&
        FAILED(hr = do_part_file_create(record->temp_path, &record->received, &file->part)))
        return hr;
    /* What nobody wrote to when it was left must be as it was. */
    if (file->part &&
        (record->transferred || job->state == DO_JOB_SUSPENDED || job->state == DO_JOB_ERROR))
        do_part_file_expect_time(file->part, record->temp_time);
    discard_other(job->engine, record);
    return S_OK;
}

HRESULT do_job_restore_file(struct do_job *job, const struct do_file_record *record)
{
    const struct do_new_file new_file = {record->content_id, record->url, record->local_path,
        record->ranges, record->range_count, record->expected_size};
    struct do_job_file *file;
    HRESULT hr;

    if (FAILED(hr = check_file(&new_file)) ||
        FAILED(
            hr = do_job_is_download(job) ? check_portions(&new_file) : check_ranges(&new_file)) ||
        (record->temp_path &&
            FAILED(hr = do_part_file_check_name(
                       record->local_path ? record->local_path : job->engine->env.stream_target,
                       record->temp_path))) ||
        FAILED(hr = create_file(&new_file, &file)))
        return hr;
    file->record.row_id = record->row_id;
    file->record.remote_size = record->remote_size;
    file->record.transferred = record->transferred;
    file->record.saved = record->saved;
    if (FAILED(hr = do_str_assign(&file->record.etag, record->etag)) ||
        FAILED(hr = do_str_assign(&file->record.last_modified, record->last_modified)) ||
        FAILED(hr = do_str_assign(&file->record.temp_path, record->temp_path)) ||
        FAILED(hr = do_values_assign(&file->record.values, &record->values)) ||
        FAILED(hr = do_secrets_open(DO_SECRETS_OF_FILE, &file->record.values)) ||
        FAILED(hr = do_job_file_set_known_total(file)))
        goto failed;
    if (!job->is_foreign && FAILED(hr = take_left_file(job, file, record)))
        goto failed;
    do_progress_set_transferred(
        &file->progress, record->transferred ? do_progress_snapshot(&file->progress).bytes_total
                                             : do_range_set_size(&record->received));
    do_progress_set_flags(&file->progress, record->transferred, record->saved);
    if (FAILED(hr = reserve_files(job, 1)))
        goto failed;
    append_file(job, file);
    return S_OK;

failed:
    do_job_file_destroy(file);
    return hr;
}

/* Bytes that came count as written now: that time is not stored. */
static void absorb_progress(struct do_progress *progress, struct do_progress *fresh)
{
    struct do_progress_values before = do_progress_snapshot(progress);
    struct do_progress_values values = do_progress_snapshot(fresh);

    do_progress_set_total(progress, values.bytes_total);
    if (values.bytes_transferred > before.bytes_transferred)
        do_progress_add_transferred(progress, values.bytes_transferred - before.bytes_transferred);
    else
        do_progress_set_transferred(progress, values.bytes_transferred);
    do_progress_set_flags(progress, values.transferred, values.saved);
}

static void absorb_file(struct do_job_file *file, struct do_job_file *fresh)
{
    struct do_file_record record;

    do_mutex_lock(&file->job->lock);
    record = file->record;
    file->record = fresh->record;
    do_mutex_unlock(&file->job->lock);
    fresh->record = record;
    do_part_file_release(file->part);
    file->part = fresh->part;
    fresh->part = NULL;
    absorb_progress(&file->progress, &fresh->progress);
}

HRESULT do_job_absorb_files_on_loop(struct do_job *job, struct do_job *fresh)
{
    size_t count = job->file_count;
    HRESULT hr;

    if (fresh->file_count > count && FAILED(hr = reserve_files(job, fresh->file_count - count)))
        return hr;
    for (size_t i = 0; i < fresh->file_count; i++)
    {
        if (i < count)
            absorb_file(job->files[i], fresh->files[i]);
        else
        {
            append_file(job, fresh->files[i]);
            fresh->files[i] = NULL;
        }
    }
    return S_OK;
}

/* Files that are created but not yet part of a job. */
struct new_files
{
    struct do_job_file **files;      /* NULL once the job owns it */
    struct do_file_record **records; /* theirs */
    size_t count;
    struct do_job_file *first;
};

static void add_files_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct new_files *new_files = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_ADD_FILE, &next)))
        return;
    if (FAILED(change->hr = do_engine_check_file_count_on_loop(
                   job->engine, job->file_count + new_files->count)))
        return;
    for (size_t i = 0; i < new_files->count; i++)
    {
        if (FAILED(change->hr = do_engine_check_range_count_on_loop(
                       job->engine, new_files->records[i]->range_count)))
            return;
    }
    if (FAILED(change->hr = reserve_files(job, new_files->count)) ||
        FAILED(change->hr = do_queue_db_insert_files(
                   job->engine->env.db, &job->record.id, new_files->records, new_files->count)))
        return;
    new_files->first = new_files->files[0];
    for (size_t i = 0; i < new_files->count; i++)
    {
        append_file(job, new_files->files[i]);
        new_files->files[i] = NULL;
    }
    do_job_set_state_on_loop(job, next);
}

HRESULT do_job_add_files_in_call(
    struct do_job *job, const struct do_new_file *files, size_t count, struct do_job_file **first)
{
    struct new_files new_files = {NULL, NULL, count, NULL};
    struct do_job_change change = {job, NULL, &new_files, S_OK};
    enum do_job_state next;
    HRESULT hr;

    if (first)
        *first = NULL;
    if (FAILED(hr = do_job_state_after_call(do_job_get_state(job), DO_CALL_ADD_FILE, &next)))
        return hr;
    if (!count)
        return E_INVALIDARG;
    new_files.files = do_alloc_array(count, sizeof(*new_files.files));
    new_files.records = do_alloc_array(count, sizeof(*new_files.records));
    if (!new_files.files || !new_files.records)
    {
        hr = E_OUTOFMEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (FAILED(hr = check_new_file(&files[i])) ||
            FAILED(hr = create_file(&files[i], &new_files.files[i])))
            goto done;
        new_files.records[i] = &new_files.files[i]->record;
    }
    do_loop_call(job->engine->env.loop, add_files_on_loop, &change);
    hr = change.hr;
    if (first)
        *first = new_files.first;

done:
    for (size_t i = 0; new_files.files && i < count; i++)
        do_job_file_destroy(new_files.files[i]);
    do_free(new_files.files);
    do_free(new_files.records);
    return hr;
}

HRESULT do_job_add_files(
    struct do_job *job, const struct do_new_file *files, size_t count, struct do_job_file **first)
{
    HRESULT hr;

    if (FAILED(hr = do_job_begin_call(job)))
        return hr;
    hr = do_job_add_files_in_call(job, files, count, first);
    do_job_end_call(job);
    return hr;
}
