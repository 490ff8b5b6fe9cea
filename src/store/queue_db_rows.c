/* SPDX-License-Identifier: MIT */
/*
 * Records to rows and back. Numbers of 64 bits keep their bits in SQLite's signed integers; ranges
 * are blobs of little-endian pairs (begin, end), an empty array is NULL; a property's kind is the
 * type of its value: INTEGER, TEXT or BLOB. Runs under the lock of queue_db.c.
 */
#include "store/queue_db_rows.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* The largest BG_JOB_PRIORITY, BG_JOB_STATE and BG_ERROR_CONTEXT; this floor knows no BITS header.
 */
#define LAST_PRIORITY 3U
#define LAST_STATE 8U
#define LAST_ERROR_CONTEXT 8U

#define LAST_KIND ((uint32_t)DO_JOB_KIND_DOWNLOAD)
#define LAST_INTENT ((uint32_t)DO_INTENT_COMPLETE)

#define RANGE_BYTES 16U

void do_job_record_init(struct do_job_record *job)
{
    memset(job, 0, sizeof(*job));
    job->error_file = UINT32_MAX;
    do_values_init(&job->values);
}

void do_job_record_finish(struct do_job_record *job)
{
    do_free(job->display_name);
    do_free(job->description);
    do_values_finish(&job->values);
    do_job_record_init(job);
}

void do_file_record_init(struct do_file_record *file)
{
    memset(file, 0, sizeof(*file));
    file->expected_size = DO_SIZE_UNKNOWN;
    file->remote_size = DO_SIZE_UNKNOWN;
    do_range_set_init(&file->received);
    do_values_init(&file->values);
}

void do_file_record_finish(struct do_file_record *file)
{
    do_free(file->content_id);
    do_free(file->url);
    do_free(file->local_path);
    do_free(file->temp_path);
    do_free(file->etag);
    do_free(file->last_modified);
    do_free(file->ranges);
    do_range_set_finish(&file->received);
    do_values_finish(&file->values);
    do_file_record_init(file);
}

void do_row_bind_u64(struct do_row_binder *binder, uint64_t value)
{
    if (binder->code == SQLITE_OK)
        binder->code = sqlite3_bind_int64(binder->statement, ++binder->count, (sqlite3_int64)value);
}

void do_row_bind_text(struct do_row_binder *binder, const char *text)
{
    if (binder->code == SQLITE_OK)
        binder->code =
            sqlite3_bind_text(binder->statement, ++binder->count, text, -1, SQLITE_STATIC);
}

static void bind_blob(struct do_row_binder *binder, const void *data, size_t length)
{
    if (binder->code == SQLITE_OK)
        binder->code =
            sqlite3_bind_blob64(binder->statement, ++binder->count, data, length, SQLITE_TRANSIENT);
}

void do_row_bind_value(struct do_row_binder *binder, const struct do_value *value)
{
    int column;

    if (binder->code != SQLITE_OK)
        return;
    column = ++binder->count;
    switch (value->kind)
    {
    case DO_VALUE_EMPTY:
        binder->code = sqlite3_bind_null(binder->statement, column);
        break;
    case DO_VALUE_NUMBER:
        binder->code = sqlite3_bind_int64(binder->statement, column, (sqlite3_int64)value->number);
        break;
    case DO_VALUE_TEXT:
        binder->code = sqlite3_bind_text64(
            binder->statement, column, value->data, value->length, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case DO_VALUE_BYTES:
        /* A blob at NULL would be bound as NULL, not as an empty one. */
        binder->code = sqlite3_bind_blob64(binder->statement, column,
            value->length ? value->data : "", value->length, SQLITE_STATIC);
        break;
    }
}

void do_row_bind_guid(struct do_row_binder *binder, const struct do_guid *guid)
{
    bind_blob(binder, guid->bytes, sizeof(guid->bytes));
}

static void append_u64(struct do_buf *buf, uint64_t value)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    do_buf_append(buf, bytes, sizeof(bytes));
}

void do_row_bind_ranges(struct do_row_binder *binder, const struct do_range *ranges, size_t count)
{
    struct do_buf blob;

    do_buf_init(&blob, 0);
    for (size_t i = 0; i < count; i++)
    {
        append_u64(&blob, ranges[i].begin);
        append_u64(&blob, ranges[i].end);
    }
    if (blob.failed && binder->code == SQLITE_OK)
        binder->code = SQLITE_NOMEM;
    bind_blob(binder, blob.data, blob.length);
    do_buf_finish(&blob);
}

void do_row_bind_job(struct do_row_binder *binder, const struct do_job_record *job)
{
    do_row_bind_text(binder, job->display_name);
    do_row_bind_text(binder, job->description);
    do_row_bind_u64(binder, job->priority);
    do_row_bind_u64(binder, job->state);
    do_row_bind_u64(binder, job->notify_flags);
    do_row_bind_u64(binder, job->min_retry_delay_s);
    do_row_bind_u64(binder, job->no_progress_timeout_set);
    do_row_bind_u64(binder, job->no_progress_timeout_s);
    do_row_bind_u64(binder, job->creation_time);
    do_row_bind_u64(binder, job->modification_time);
    do_row_bind_u64(binder, job->completion_time);
    do_row_bind_u64(binder, (uint32_t)job->error);
    do_row_bind_u64(binder, job->error_context);
    do_row_bind_u64(binder, job->error_file);
    do_row_bind_u64(binder, job->error_count);
    do_row_bind_u64(binder, job->intent);
}

void do_row_bind_file(struct do_row_binder *binder, const struct do_file_record *file)
{
    do_row_bind_text(binder, file->content_id);
    do_row_bind_text(binder, file->url);
    do_row_bind_text(binder, file->local_path);
    do_row_bind_text(binder, file->temp_path);
    do_row_bind_text(binder, file->etag);
    do_row_bind_text(binder, file->last_modified);
    do_row_bind_u64(binder, file->expected_size);
    do_row_bind_u64(binder, file->remote_size);
    do_row_bind_ranges(binder, file->ranges, file->range_count);
    do_row_bind_ranges(binder, file->received.ranges, file->received.count);
    do_row_bind_u64(binder, file->transferred);
    do_row_bind_u64(binder, file->saved);
}

/* Notes that the column read last makes no sense. */
static void mark_broken(struct do_row_reader *reader)
{
    const char *name = sqlite3_column_name(reader->statement, reader->count - 1);

    if (!reader->broken)
        reader->broken = name ? name : "?";
}

/* Whether the next column, whose index becomes *column, has that type. NULL is no text or blob. */
static bool next_is(struct do_row_reader *reader, int type, int *column)
{
    int actual;

    *column = reader->count++;
    if (reader->broken || reader->no_memory)
        return false;
    actual = sqlite3_column_type(reader->statement, *column);
    if (actual != type && (actual != SQLITE_NULL || type == SQLITE_INTEGER))
        mark_broken(reader);
    return actual == type;
}

uint64_t do_row_read_u64(struct do_row_reader *reader)
{
    int column;

    if (!next_is(reader, SQLITE_INTEGER, &column))
        return 0;
    return (uint64_t)sqlite3_column_int64(reader->statement, column);
}

static uint32_t read_u32(struct do_row_reader *reader, uint32_t last)
{
    uint64_t value = do_row_read_u64(reader);

    if (value <= last)
        return (uint32_t)value;
    mark_broken(reader);
    return 0;
}

static bool read_bool(struct do_row_reader *reader)
{
    return read_u32(reader, 1) != 0;
}

static void read_text(struct do_row_reader *reader, char **slot)
{
    const unsigned char *text;
    size_t length;
    int column;

    if (!next_is(reader, SQLITE_TEXT, &column))
        return;
    text = sqlite3_column_text(reader->statement, column);
    length = (size_t)sqlite3_column_bytes(reader->statement, column);
    if (!text)
        reader->no_memory = true;
    else if (memchr(text, 0, length))
        mark_broken(reader);
    else if (!(*slot = do_str_dup_n((const char *)text, length)))
        reader->no_memory = true;
}

/* A text that a record cannot do without. */
static void read_needed_text(struct do_row_reader *reader, char **slot)
{
    read_text(reader, slot);
    if (!reader->no_memory && (!*slot || !**slot))
        mark_broken(reader);
}

HRESULT do_row_check_value(const struct do_value *value)
{
    uint16_t *utf16;
    HRESULT hr;

    if (value->kind != DO_VALUE_TEXT && value->kind != DO_VALUE_BYTES)
        return S_OK;
    if (value->length > DO_STORED_VALUE_LIMIT)
        return E_INVALIDARG;
    if (value->kind == DO_VALUE_BYTES)
        return S_OK;
    if (memchr(value->data, 0, value->length))
        return E_INVALIDARG;
    hr = do_utf16_from_utf8(value->data, &utf16);
    do_free(utf16);
    return hr;
}

/* The next column as a value that is borrowed from the statement. */
static struct do_value read_value(struct do_row_reader *reader)
{
    int column = reader->count++;
    struct do_value value;

    do_value_init(&value);
    switch (sqlite3_column_type(reader->statement, column))
    {
    case SQLITE_INTEGER:
        return do_value_of_number((uint64_t)sqlite3_column_int64(reader->statement, column));
    case SQLITE_TEXT:
        value = do_value_of_text((const char *)sqlite3_column_text(reader->statement, column));
        value.length = (size_t)sqlite3_column_bytes(reader->statement, column);
        reader->no_memory |= value.kind == DO_VALUE_EMPTY;
        break;
    case SQLITE_BLOB:
        value = do_value_of_bytes(sqlite3_column_blob(reader->statement, column), 0);
        value.length = (size_t)sqlite3_column_bytes(reader->statement, column);
        reader->no_memory |= value.length && !value.data;
        break;
    default:
        mark_broken(reader);
        break;
    }
    return value;
}

void do_row_read_setting(struct do_row_reader *reader, struct do_values *values)
{
    uint32_t id = read_u32(reader, UINT32_MAX);
    struct do_value value = read_value(reader);
    HRESULT hr;

    if (reader->broken || reader->no_memory)
        return;
    if (FAILED(hr = do_row_check_value(&value)) || FAILED(hr = do_values_set(values, id, &value)))
    {
        if (hr == E_OUTOFMEMORY)
            reader->no_memory = true;
        else
            mark_broken(reader);
    }
}

void do_row_read_guid(struct do_row_reader *reader, struct do_guid *guid)
{
    int column;

    memset(guid, 0, sizeof(*guid));
    if (next_is(reader, SQLITE_BLOB, &column) &&
        sqlite3_column_bytes(reader->statement, column) == (int)sizeof(guid->bytes))
        memcpy(guid->bytes, sqlite3_column_blob(reader->statement, column), sizeof(guid->bytes));
    else if (!reader->no_memory)
        mark_broken(reader);
}

static uint64_t get_u64(const unsigned char *bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* The next column as an array of ranges, do_alloc'ed; NULL for none. None of them may be empty. */
static struct do_range *read_ranges(struct do_row_reader *reader, size_t *count)
{
    const unsigned char *bytes;
    struct do_range *ranges;
    size_t length;
    int column;

    *count = 0;
    if (!next_is(reader, SQLITE_BLOB, &column))
        return NULL;
    bytes = sqlite3_column_blob(reader->statement, column);
    length = (size_t)sqlite3_column_bytes(reader->statement, column);
    if (!length)
        return NULL;
    if (length % RANGE_BYTES)
    {
        mark_broken(reader);
        return NULL;
    }
    if (!bytes || !(ranges = do_alloc_array(length / RANGE_BYTES, sizeof(*ranges))))
    {
        reader->no_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < length / RANGE_BYTES; i++)
    {
        ranges[i].begin = get_u64(bytes + i * RANGE_BYTES);
        ranges[i].end = get_u64(bytes + i * RANGE_BYTES + 8);
        if (ranges[i].begin >= ranges[i].end)
            mark_broken(reader);
    }
    *count = length / RANGE_BYTES;
    return ranges;
}

static void read_range_set(struct do_row_reader *reader, struct do_range_set *set)
{
    size_t count;
    struct do_range *ranges = read_ranges(reader, &count);

    for (size_t i = 1; i < count; i++)
    {
        if (ranges[i].begin < ranges[i - 1].end)
            mark_broken(reader);
    }
    for (size_t i = 0; i < count && !reader->broken && !reader->no_memory; i++)
    {
        if (FAILED(do_range_set_add(set, ranges[i].begin, ranges[i].end)))
            reader->no_memory = true;
    }
    do_free(ranges);
}

uint32_t do_row_read_kind(struct do_row_reader *reader)
{
    return read_u32(reader, LAST_KIND);
}

void do_row_read_job(struct do_row_reader *reader, struct do_job_record *job)
{
    read_text(reader, &job->display_name);
    read_text(reader, &job->description);
    job->priority = read_u32(reader, LAST_PRIORITY);
    job->state = read_u32(reader, LAST_STATE);
    job->notify_flags = read_u32(reader, UINT32_MAX);
    job->min_retry_delay_s = read_u32(reader, UINT32_MAX);
    job->no_progress_timeout_set = read_bool(reader);
    job->no_progress_timeout_s = read_u32(reader, UINT32_MAX);
    job->creation_time = do_row_read_u64(reader);
    job->modification_time = do_row_read_u64(reader);
    job->completion_time = do_row_read_u64(reader);
    job->error = (HRESULT)read_u32(reader, UINT32_MAX);
    job->error_context = read_u32(reader, LAST_ERROR_CONTEXT);
    job->error_file = read_u32(reader, UINT32_MAX);
    job->error_count = read_u32(reader, UINT32_MAX);
    job->intent = read_u32(reader, LAST_INTENT);
}

void do_row_read_file(struct do_row_reader *reader, struct do_file_record *file)
{
    read_text(reader, &file->content_id);
    read_needed_text(reader, &file->url);
    read_text(reader, &file->local_path);
    read_text(reader, &file->temp_path);
    read_text(reader, &file->etag);
    read_text(reader, &file->last_modified);
    file->expected_size = do_row_read_u64(reader);
    file->remote_size = do_row_read_u64(reader);
    file->ranges = read_ranges(reader, &file->range_count);
    read_range_set(reader, &file->received);
    file->transferred = read_bool(reader);
    file->saved = read_bool(reader);
}
