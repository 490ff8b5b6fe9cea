/* SPDX-License-Identifier: MIT */
/*
 * A job's properties: changed on the loop, stored, and turned into the options of its requests; its
 * credentials, which are stored only sealed (secrets.h); and who listens to it.
 */
#include "job/job_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "job/secrets.h"

/* Bits of IBackgroundCopyJobHttpOptions::SetSecurityFlags. (Source: win32 docs, BITS.) */
#define HTTP_CHECK_REVOCATION 0x1U
#define HTTP_IGNORE_NAME 0x2U
#define HTTP_IGNORE_DATE 0x4U
#define HTTP_IGNORE_UNKNOWN_CA 0x8U
#define HTTP_IGNORE_WRONG_USAGE 0x10U
#define HTTP_REDIRECT_MASK 0x700U
#define HTTP_REDIRECT_REPORT 0x100U
#define HTTP_REDIRECT_DISALLOW 0x200U
#define HTTP_ALLOW_DOWNGRADE 0x800U

/* Bits of DODownloadProperty_SecurityFlags: WinHTTP's. (Source: sdk-api, winhttp.h.) */
#define WINHTTP_CHECK_REVOCATION 0x1U
#define WINHTTP_IGNORE_UNKNOWN_CA 0x100U
#define WINHTTP_IGNORE_WRONG_USAGE 0x200U
#define WINHTTP_IGNORE_NAME 0x1000U
#define WINHTTP_IGNORE_DATE 0x2000U

static const struct
{
    uint32_t http;
    uint32_t winhttp;
    uint32_t tls;
} security_bits[] = {
    {HTTP_CHECK_REVOCATION, WINHTTP_CHECK_REVOCATION, DO_TLS_CHECK_REVOCATION},
    {HTTP_IGNORE_NAME, WINHTTP_IGNORE_NAME, DO_TLS_IGNORE_NAME},
    {HTTP_IGNORE_DATE, WINHTTP_IGNORE_DATE, DO_TLS_IGNORE_DATE},
    {HTTP_IGNORE_UNKNOWN_CA, WINHTTP_IGNORE_UNKNOWN_CA, DO_TLS_IGNORE_UNKNOWN_CA},
    {HTTP_IGNORE_WRONG_USAGE, WINHTTP_IGNORE_WRONG_USAGE, DO_TLS_IGNORE_WRONG_USAGE},
};

static void apply_security(const struct do_values *values, struct do_request_options *options)
{
    uint64_t http = do_values_number(values, DO_PROP_HTTP_SECURITY, 0);
    uint64_t winhttp = do_values_number(values, DO_PROP_SECURITY_FLAGS, 0);

    /* Of a download: checking for revocation turns the others off. (Source: sdk-api, property 7.)
     */
    if (winhttp & WINHTTP_CHECK_REVOCATION)
        winhttp = WINHTTP_CHECK_REVOCATION;
    options->tls_flags = 0;
    for (size_t i = 0; i < DO_COUNT_OF(security_bits); i++)
    {
        if ((http & security_bits[i].http) || (winhttp & security_bits[i].winhttp))
            options->tls_flags |= security_bits[i].tls;
    }
    if (options->tls_flags & ~DO_TLS_CHECK_REVOCATION)
        do_log(DO_LOG_WARN, DO_LOG_JOB, "certificates with faults are accepted: flags 0x%x",
            (unsigned int)options->tls_flags);
    options->redirects = DO_REDIRECT_FOLLOW;
    if ((http & HTTP_REDIRECT_MASK) == HTTP_REDIRECT_REPORT)
        options->redirects = DO_REDIRECT_REPORT;
    else if ((http & HTTP_REDIRECT_MASK) == HTTP_REDIRECT_DISALLOW)
        options->redirects = DO_REDIRECT_DISALLOW;
    options->allow_downgrade =
        (http & HTTP_ALLOW_DOWNGRADE) || do_values_number(values, DO_PROP_ALLOW_DOWNGRADE, 0);
}

static HRESULT apply_certificate(
    const struct do_values *values, struct do_client_certificate *certificate)
{
    const struct do_value *hash = do_values_get(values, DO_PROP_CERTIFICATE_HASH);
    const struct do_value *serialized = do_values_get(values, DO_PROP_CERTIFICATE);
    HRESULT hr;

    certificate->location = (uint32_t)do_values_number(values, DO_PROP_CERTIFICATE_LOCATION, 0);
    if (FAILED(hr = do_str_assign(
                   &certificate->store, do_values_text(values, DO_PROP_CERTIFICATE_STORE))))
        return hr;
    if (hash && hash->length == sizeof(certificate->hash))
        memcpy(certificate->hash, hash->data, sizeof(certificate->hash));
    do_free(certificate->serialized);
    certificate->serialized = NULL;
    certificate->serialized_length = 0;
    if (serialized && serialized->kind == DO_VALUE_BYTES && serialized->length)
    {
        if (!(certificate->serialized = do_memdup(serialized->data, serialized->length)))
            return E_OUTOFMEMORY;
        certificate->serialized_length = serialized->length;
    }
    return S_OK;
}

HRESULT do_job_apply_values_on_loop(struct do_job *job)
{
    const struct do_values *values = &job->record.values;
    struct do_request_options *options = &job->options;
    HRESULT hr;

    options->proxy_usage =
        (enum do_proxy_usage)do_values_number(values, DO_PROP_PROXY_USAGE, DO_PROXY_PRECONFIG);
    apply_security(values, options);
    if (FAILED(
            hr = do_str_assign(&options->proxy_list, do_values_text(values, DO_PROP_PROXY_LIST))) ||
        FAILED(hr = do_str_assign(
                   &options->proxy_bypass, do_values_text(values, DO_PROP_PROXY_BYPASS))) ||
        FAILED(
            hr = do_str_assign(&options->headers, do_values_text(values, DO_PROP_HTTP_HEADERS))) ||
        FAILED(hr = do_str_assign(
                   &options->auth_headers, do_values_text(values, DO_PROP_AUTH_HEADERS))))
        return hr;
    return apply_certificate(values, &options->certificate);
}

/* Changes of values */

static HRESULT store_values(struct do_job *job, const struct do_setting *settings,
    size_t setting_count, const struct do_job_file *file)
{
    const struct do_file_record *record = file ? &file->record : NULL;
    struct do_queue_change change = {.files = &record, .file_count = file ? 1 : 0};
    struct do_sealed sealed;
    HRESULT hr = do_secrets_seal(DO_SECRETS_OF_JOB, settings, setting_count, &sealed);

    if (SUCCEEDED(hr) && setting_count)
    {
        change.job_id = &job->record.id;
        change.job_values = sealed.settings;
        change.job_value_count = sealed.count;
    }
    if (SUCCEEDED(hr) && (setting_count || file))
        hr = do_queue_db_change(job->engine->env.db, &change);
    do_sealed_finish(&sealed);
    return hr;
}

HRESULT do_job_store_values_on_loop(struct do_job *job, const struct do_setting *settings,
    size_t count, const struct do_job_file *file)
{
    struct do_values copy;
    struct do_values old;
    HRESULT hr;

    do_values_init(&copy);
    if (FAILED(hr = do_values_assign(&copy, &job->record.values)))
        return hr;
    for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
        hr = do_values_set(&copy, settings[i].id, &settings[i].value);
    if (FAILED(hr) || FAILED(hr = store_values(job, settings, count, file)))
    {
        do_values_finish(&copy);
        return hr;
    }
    do_mutex_lock(&job->lock);
    old = job->record.values;
    job->record.values = copy;
    do_mutex_unlock(&job->lock);
    do_values_finish(&old);
    return S_OK;
}

HRESULT do_job_change_values_on_loop(
    struct do_job *job, const struct do_setting *settings, size_t count)
{
    HRESULT hr = do_job_store_values_on_loop(job, settings, count, NULL);

    return SUCCEEDED(hr) ? do_job_apply_values_on_loop(job) : hr;
}

struct value_change
{
    const struct do_setting *settings;
    size_t count;
};

static void set_values_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const struct value_change *new_values = change->argument;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)) ||
        FAILED(change->hr =
                   do_job_change_values_on_loop(job, new_values->settings, new_values->count)))
        return;
    do_job_set_deadline_on_loop(job);
    do_job_touch_on_loop(job);
    do_job_apply_conditions_on_loop(job);
    do_engine_schedule_on_loop(job->engine);
}

HRESULT do_job_set_values(struct do_job *job, const struct do_setting *settings, size_t count)
{
    const struct value_change new_values = {settings, count};

    return do_job_change(job, set_values_on_loop, &new_values, NULL);
}

/* Credentials */

/* Stores those that the job will have after the change. */
static HRESULT store_credentials(
    struct do_job *job, const struct do_credential *credential, bool is_removed)
{
    struct do_setting setting = {DO_PROP_CREDENTIALS, do_value_of_text(NULL)};
    HRESULT hr = do_secrets_pack_credentials(&job->options, credential, is_removed, &setting.value);

    if (SUCCEEDED(hr))
        hr = store_values(job, &setting, 1, NULL);
    do_secrets_finish_value(&setting.value);
    return hr;
}

static void set_credential_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(change->job->state, DO_CALL_SET, &next)) ||
        FAILED(change->hr = store_credentials(change->job, change->argument, false)) ||
        FAILED(change->hr =
                   do_request_options_set_credential(&change->job->options, change->argument)))
        return;
    do_job_touch_on_loop(change->job);
}

HRESULT do_job_set_credential(struct do_job *job, const struct do_credential *credential)
{
    return do_job_change(job, set_credential_on_loop, credential, NULL);
}

static void remove_credential_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    const struct do_credential *which = change->argument;
    struct do_job *job = change->job;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    if (!do_request_options_get_credential(&job->options, which->target, which->scheme))
        change->hr = S_FALSE;
    else if (SUCCEEDED(change->hr = store_credentials(job, which, true)))
        change->hr =
            do_request_options_remove_credential(&job->options, which->target, which->scheme);
    if (change->hr == S_OK)
        do_job_touch_on_loop(change->job);
}

HRESULT do_job_remove_credential(
    struct do_job *job, enum do_auth_target target, enum do_auth_scheme scheme)
{
    const struct do_credential which = {target, scheme, NULL, NULL};

    return do_job_change(job, remove_credential_on_loop, &which, NULL);
}

/* Notices */

/* A client that begins to listen late still learns how the job ended. */
static void post_missed(struct do_job *job)
{
    if (job->state == DO_JOB_TRANSFERRED)
        do_notify_post(job->engine->notifier, job, DO_NOTICE_JOB_TRANSFERRED);
    else if (job->state == DO_JOB_ERROR)
        do_notify_post(job->engine->notifier, job, DO_NOTICE_JOB_ERROR);
}

static void set_notify_flags_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    const uint32_t *flags = change->argument;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    do_mutex_lock(&job->lock);
    job->record.notify_flags = *flags;
    do_mutex_unlock(&job->lock);
    do_notify_set_flags(job->engine->notifier, job, *flags);
    do_job_touch_on_loop(job);
    post_missed(job);
}

HRESULT do_job_set_notify_flags(struct do_job *job, uint32_t flags)
{
    return do_job_change(job, set_notify_flags_on_loop, &flags, NULL);
}

static void set_listener_on_loop(void *ctx)
{
    struct do_job_change *change = ctx;
    struct do_job *job = change->job;
    struct do_listener *listener = change->result;
    enum do_job_state next;

    if (FAILED(change->hr = do_job_state_after_call(job->state, DO_CALL_SET, &next)))
        return;
    /* What the job itself names is its owner's to tell. */
    if (job->is_foreign && listener && listener->is_stored)
        listener = NULL;
    do_notify_set_listener(job->engine->notifier, job, listener);
    if (listener)
        post_missed(job);
    do_job_watch_bytes_on_loop(job);
    do_job_hold_mirror_on_loop(job);
}

HRESULT do_job_set_listener(struct do_job *job, struct do_listener *listener)
{
    return do_job_change_here(job, set_listener_on_loop, NULL, listener);
}
