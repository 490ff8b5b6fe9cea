/* SPDX-License-Identifier: MIT */
/*
 * The thirty properties of a download: type, access, when they may be set, and what they may be, in
 * one table. Values live in the job's record under the same ids; a few are read from elsewhere.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/download.h"
#include "plat/file.h"
#include "transfer/url.h"

/* When a property may be set. In a final state none may. */
enum when
{
    WHEN_ALIVE,
    WHEN_STOPPED, /* Created or Paused */
    WHEN_CREATED
};

typedef HRESULT (*check_fn)(const struct do_value *value);

struct prop_row
{
    struct do_prop_info info;
    enum when when;
    check_fn check; /* what the type does not say; NULL = nothing */
};

/* WinHTTP flags of property 7. (Source: sdk-api, DODownloadProperty.) */
#define SECURITY_FLAGS (0x1U | 0x100U | 0x200U | 0x1000U | 0x2000U)
#define LAST_COST_POLICY 5U
#define LEAST_NO_PROGRESS_S 60U
#define TEXT_LIMIT ((size_t)64 * 1024)

static HRESULT check_uri(const struct do_value *value)
{
    if (!value->length || value->length > DO_URL_LIMIT)
        return E_INVALIDARG;
    return SUCCEEDED(do_url_check(value->data)) ? S_OK : DO_HR_INET_INVALID_URL;
}

static HRESULT check_path(const struct do_value *value)
{
    return value->length ? do_file_check_path(value->data) : E_INVALIDARG;
}

static HRESULT check_name(const struct do_value *value)
{
    return do_str_utf16_units(value->data) > DO_JOB_NAME_LIMIT ? E_INVALIDARG : S_OK;
}

static HRESULT check_cost_policy(const struct do_value *value)
{
    return value->number > LAST_COST_POLICY ? E_INVALIDARG : S_OK;
}

static HRESULT check_security_flags(const struct do_value *value)
{
    return value->number & ~(uint64_t)SECURITY_FLAGS ? E_INVALIDARG : S_OK;
}

static HRESULT check_percent(const struct do_value *value)
{
    return value->number > 100 ? E_INVALIDARG : S_OK;
}

static HRESULT check_no_progress(const struct do_value *value)
{
    return value->number && value->number < LEAST_NO_PROGRESS_S ? E_INVALIDARG : S_OK;
}

#define RO DO_ACCESS_READ
#define WO DO_ACCESS_WRITE
#define RW (DO_ACCESS_READ | DO_ACCESS_WRITE)

static const struct prop_row rows[DO_DOWNLOAD_PROP_COUNT] = {
    [DO_PROP_ID] = {{DO_TYPE_TEXT, RO}, WHEN_CREATED, NULL},
    [DO_PROP_URI] = {{DO_TYPE_TEXT, RW}, WHEN_STOPPED, check_uri},
    [DO_PROP_CONTENT_ID] = {{DO_TYPE_TEXT, RW}, WHEN_CREATED, NULL},
    [DO_PROP_DISPLAY_NAME] = {{DO_TYPE_TEXT, RW}, WHEN_CREATED, check_name},
    [DO_PROP_LOCAL_PATH] = {{DO_TYPE_TEXT, RW}, WHEN_CREATED, check_path},
    [DO_PROP_HTTP_HEADERS] = {{DO_TYPE_TEXT, RW}, WHEN_STOPPED, NULL},
    [DO_PROP_COST_POLICY] = {{DO_TYPE_U32, RW}, WHEN_ALIVE, check_cost_policy},
    [DO_PROP_SECURITY_FLAGS] = {{DO_TYPE_U32, WO}, WHEN_STOPPED, check_security_flags},
    [DO_PROP_CALLBACK_PERCENT] = {{DO_TYPE_U32, RW}, WHEN_ALIVE, check_percent},
    [DO_PROP_CALLBACK_SECONDS] = {{DO_TYPE_U32, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_NO_PROGRESS_TIMEOUT] = {{DO_TYPE_U32, RW}, WHEN_ALIVE, check_no_progress},
    [DO_PROP_FOREGROUND] = {{DO_TYPE_BOOL, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_BLOCKING] = {{DO_TYPE_BOOL, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_CALLBACK] = {{DO_TYPE_CALLBACK, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_STREAM] = {{DO_TYPE_STREAM, RW}, WHEN_CREATED, NULL},
    [DO_PROP_CERTIFICATE] = {{DO_TYPE_BYTES, WO}, WHEN_STOPPED, NULL},
    [DO_PROP_NETWORK_TOKEN] = {{DO_TYPE_BOOL, WO}, WHEN_STOPPED, NULL},
    [DO_PROP_CORRELATION_VECTOR] = {{DO_TYPE_TEXT, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_DECRYPTION_INFO] = {{DO_TYPE_TEXT, WO}, WHEN_CREATED, do_job_check_decryption},
    [DO_PROP_INTEGRITY_INFO] = {{DO_TYPE_TEXT, WO}, WHEN_CREATED, do_job_check_integrity},
    [DO_PROP_INTEGRITY_MANDATORY] = {{DO_TYPE_BOOL, RW}, WHEN_CREATED, NULL},
    [DO_PROP_TOTAL_SIZE] = {{DO_TYPE_U64, RW}, WHEN_CREATED, NULL},
    [DO_PROP_NO_CELLULAR] = {{DO_TYPE_BOOL, RW}, WHEN_ALIVE, NULL},
    [DO_PROP_AUTH_HEADERS] = {{DO_TYPE_TEXT, RW}, WHEN_STOPPED, NULL},
    [DO_PROP_ALLOW_DOWNGRADE] = {{DO_TYPE_BOOL, RW}, WHEN_STOPPED, NULL},
    [DO_PROP_NON_VOLATILE] = {{DO_TYPE_BOOL, RW}, WHEN_STOPPED, NULL},
    [DO_PROP_REDIRECT_TARGET] = {{DO_TYPE_TEXT, RO}, WHEN_CREATED, NULL},
    [DO_PROP_RESPONSE_HEADERS] = {{DO_TYPE_TEXT, RO}, WHEN_CREATED, NULL},
    [DO_PROP_SERVER_ADDRESS] = {{DO_TYPE_TEXT, RO}, WHEN_CREATED, NULL},
    [DO_PROP_STATUS_CODE] = {{DO_TYPE_U32, RO}, WHEN_CREATED, NULL},
};

const struct do_prop_info *do_download_prop_info(uint32_t id)
{
    return id < DO_DOWNLOAD_PROP_COUNT ? &rows[id].info : NULL;
}

/* Reads */

static HRESULT get_total_size(struct do_job *job, struct do_value *value)
{
    uint64_t size = DO_SIZE_UNKNOWN;

    if (do_job_get_file_count(job))
        size = do_job_file_get_total_size(do_job_get_file(job, 0));
    if (size == DO_SIZE_UNKNOWN)
        return do_job_get_value(job, DO_PROP_TOTAL_SIZE, value);
    *value = do_value_of_number(size);
    return S_OK;
}

static HRESULT get_fact(struct do_job *job, enum do_http_fact fact, struct do_value *value)
{
    char *text = NULL;
    HRESULT hr;

    if (!do_job_get_file_count(job))
        return DO_HR_NOT_SET;
    hr = do_http_facts_get(do_job_file_get_facts(do_job_get_file(job, 0)), fact, &text);
    if (SUCCEEDED(hr))
        *value = do_value_of_text(text); /* handed over */
    return hr;
}

static HRESULT get_status_code(struct do_job *job, struct do_value *value)
{
    uint32_t status = 0;

    if (do_job_get_file_count(job))
        status = do_http_facts_get_status(do_job_file_get_facts(do_job_get_file(job, 0)));
    if (!status)
        return DO_HR_NOT_SET;
    *value = do_value_of_number(status);
    return S_OK;
}

static HRESULT get_id(struct do_job *job, struct do_value *value)
{
    char *text;
    HRESULT hr = do_job_get_id_text(job, &text);

    if (SUCCEEDED(hr))
        *value = do_value_of_text(text); /* handed over */
    return hr;
}

HRESULT do_download_get_property(struct do_job *job, uint32_t id, struct do_value *value)
{
    const struct do_prop_info *info = do_download_prop_info(id);
    HRESULT hr;

    do_value_init(value);
    if (!info)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (!(info->access & DO_ACCESS_READ))
        return DO_E_WRITE_ONLY_PROPERTY;
    switch (id)
    {
    case DO_PROP_ID:
        hr = get_id(job, value);
        break;
    case DO_PROP_TOTAL_SIZE:
        hr = get_total_size(job, value);
        break;
    case DO_PROP_REDIRECT_TARGET:
        hr = get_fact(job, DO_FACT_REDIRECT_TARGET, value);
        break;
    case DO_PROP_RESPONSE_HEADERS:
        hr = get_fact(job, DO_FACT_RESPONSE_HEADERS, value);
        break;
    case DO_PROP_SERVER_ADDRESS:
        hr = get_fact(job, DO_FACT_SERVER_ADDRESS, value);
        break;
    case DO_PROP_STATUS_CODE:
        hr = get_status_code(job, value);
        break;
    default:
        hr = do_job_get_value(job, (enum do_prop)id, value);
        break;
    }
    if (SUCCEEDED(hr) && value->kind == DO_VALUE_EMPTY)
        hr = DO_HR_NOT_SET;
    return hr;
}

/* Changes */

static bool may_be_set(enum when when, enum do_download_state state)
{
    switch (when)
    {
    case WHEN_ALIVE:
        return state != DO_DOWNLOAD_FINALIZED && state != DO_DOWNLOAD_ABORTED;
    case WHEN_STOPPED:
        return state == DO_DOWNLOAD_CREATED || state == DO_DOWNLOAD_PAUSED;
    case WHEN_CREATED:
        return state == DO_DOWNLOAD_CREATED;
    }
    return false;
}

static HRESULT check_value(const struct prop_row *row, const struct do_value *value)
{
    enum do_value_kind kind = DO_VALUE_NUMBER;

    if (value->kind == DO_VALUE_EMPTY)
        return S_OK;
    if (row->info.type == DO_TYPE_TEXT)
        kind = DO_VALUE_TEXT;
    else if (row->info.type == DO_TYPE_BYTES)
        kind = DO_VALUE_BYTES;
    if (value->kind != kind || value->length > TEXT_LIMIT)
        return E_INVALIDARG;
    if (row->info.type == DO_TYPE_U32 && value->number > UINT32_MAX)
        return E_INVALIDARG;
    return row->check ? row->check(value) : S_OK;
}

struct property_change
{
    struct do_setting setting;
    enum when when;
};

/* What is kept under a name of its own besides. */
static HRESULT apply_property(struct do_job *job, const struct do_setting *setting)
{
    const struct do_value *value = &setting->value;
    bool is_set = value->kind != DO_VALUE_EMPTY;
    struct do_job_record *record = &job->record;
    HRESULT hr = S_OK;

    do_mutex_lock(&job->lock);
    switch (setting->id)
    {
    case DO_PROP_DISPLAY_NAME:
        hr = do_str_assign(&record->display_name, is_set ? value->data : "");
        break;
    case DO_PROP_FOREGROUND:
        record->priority = is_set && value->number ? DO_PRIORITY_FOREGROUND : DO_PRIORITY_NORMAL;
        break;
    case DO_PROP_NO_PROGRESS_TIMEOUT:
        record->no_progress_timeout_s =
            is_set && value->number ? (uint32_t)value->number : DO_DOWNLOAD_NO_PROGRESS_S;
        break;
    default:
        break;
    }
    do_mutex_unlock(&job->lock);
    return hr;
}

/* A paused download goes on elsewhere: its file's URL changes with the property, or neither does.
 */
static HRESULT change_uri(struct do_job *job, const struct do_setting *setting)
{
    struct do_job_file *file = job->files[0];
    char *old = file->record.url;
    char *url;
    HRESULT hr;

    if (setting->value.kind == DO_VALUE_EMPTY)
        return E_INVALIDARG; /* what has begun comes from somewhere */
    if (!(url = do_str_dup(setting->value.data)))
        return E_OUTOFMEMORY;
    file->record.url = url;
    /* No option of requests is among them. */
    if (FAILED(hr = do_job_store_values_on_loop(job, setting, 1, file)))
    {
        file->record.url = old;
        do_free(url);
        return hr;
    }
    do_free(old);
    do_http_facts_forget_redirect(&file->facts);
    return S_OK;
}

static HRESULT change_property(struct do_job *job, const struct do_setting *setting)
{
    if (setting->id == DO_PROP_URI && job->file_count)
        return change_uri(job, setting);
    return do_job_change_values_on_loop(job, setting, 1);
}

static void set_property_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const struct property_change *property = change->argument;

    if (!may_be_set(property->when, do_download_state_of(job)))
    {
        change->hr = DO_E_INVALID_STATE;
        return;
    }
    if (property->setting.id == DO_PROP_LOCAL_PATH && job->stream &&
        property->setting.value.kind != DO_VALUE_EMPTY)
    {
        change->hr = DO_E_FILE_DOWNLOADSINK_ALREADY_SET;
        return;
    }
    if (FAILED(change->hr = change_property(job, &property->setting)) ||
        FAILED(change->hr = apply_property(job, &property->setting)))
        return;
    do_job_store_on_loop(job);
    do_job_apply_timeout_on_loop(job);
    do_job_watch_bytes_on_loop(job);
    do_job_apply_conditions_on_loop(job);
    do_engine_schedule_on_loop(job->engine);
}

HRESULT do_download_set_property(struct do_job *job, uint32_t id, const struct do_value *value)
{
    struct property_change change = {{id, *value}, WHEN_ALIVE};
    HRESULT hr;

    if (id >= DO_DOWNLOAD_PROP_COUNT)
        return DO_E_UNKNOWN_PROPERTY_ID;
    if (!(rows[id].info.access & DO_ACCESS_WRITE))
        return DO_E_READ_ONLY_PROPERTY;
    if (rows[id].info.type == DO_TYPE_CALLBACK || rows[id].info.type == DO_TYPE_STREAM)
        return E_INVALIDARG;
    if (FAILED(hr = check_value(&rows[id], value)))
        return hr;
    change.when = rows[id].when;
    return do_job_change(job, set_property_on_loop, &change, NULL);
}

static void set_status_listener_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct do_listener *listener = change->result;

    if (listener && !may_be_set(WHEN_ALIVE, do_download_state_of(job)))
    {
        change->hr = DO_E_INVALID_STATE;
        return;
    }
    do_notify_set_listener(job->engine->notifier, job, listener);
    do_job_watch_bytes_on_loop(job);
    do_job_hold_mirror_on_loop(job);
}

HRESULT do_download_set_listener(struct do_job *job, struct do_listener *listener)
{
    return do_job_change_here(job, set_status_listener_on_loop, NULL, listener);
}

struct stream_change
{
    struct do_stream *stream;
};

static void set_download_stream_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct stream_change *stream_change = change->result;
    struct do_stream *old;

    if (!may_be_set(WHEN_CREATED, do_download_state_of(job)))
    {
        change->hr = DO_E_INVALID_STATE;
        return;
    }
    if (stream_change->stream && do_values_text(&job->record.values, DO_PROP_LOCAL_PATH))
    {
        change->hr = DO_E_FILE_DOWNLOADSINK_ALREADY_SET;
        return;
    }
    do_mutex_lock(&job->lock);
    old = job->stream;
    job->stream = do_stream_acquire(stream_change->stream);
    do_mutex_unlock(&job->lock);
    stream_change->stream = old; /* the caller lets go of it, in its own apartment */
}

HRESULT do_download_set_stream(struct do_job *job, struct do_stream *stream)
{
    struct stream_change stream_change = {stream};
    HRESULT hr = do_job_change(job, set_download_stream_on_loop, NULL, &stream_change);

    if (SUCCEEDED(hr))
        do_stream_release(stream_change.stream);
    return hr;
}

struct do_stream *do_download_get_stream(struct do_job *job)
{
    struct do_stream *stream;

    do_mutex_lock(&job->lock);
    stream = do_stream_acquire(job->stream);
    do_mutex_unlock(&job->lock);
    return stream;
}
