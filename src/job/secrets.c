/* SPDX-License-Identifier: MIT */
/*
 * Secrets are sealed by plat/crypto.h (DPAPI), each as bytes under the id that its text has in
 * memory; a text under such an id was stored by a system that cannot seal. Credentials are packed
 * into one value: for each, target, scheme and two texts; a text is its length and one more
 * (4 bytes, little-endian; 0 = NULL) before its bytes.
 */
#include "job/secrets.h"

#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"
#include "job/job_props.h"
#include "plat/crypto.h"

/*
 * is_needed: stored in clear where nothing can be sealed, and the job does not go on without it.
 * The others are left out then; a server says when it misses them.
 */
struct secret_row
{
    enum do_secret_scope scope;
    uint32_t id;
    bool is_needed;
};

static const struct secret_row secret_rows[] = {
    {DO_SECRETS_OF_JOB, DO_PROP_CREDENTIALS, false},
    {DO_SECRETS_OF_JOB, DO_PROP_AUTH_HEADERS, false},
    {DO_SECRETS_OF_JOB, DO_PROP_HTTP_HEADERS, true},
    {DO_SECRETS_OF_JOB, DO_PROP_DECRYPTION_INFO, true},
    {DO_SECRETS_OF_FILE, DO_FILE_PROP_DECRYPTION_INFO, true},
};

static const struct secret_row *find_row(enum do_secret_scope scope, uint32_t id)
{
    for (size_t i = 0; i < DO_COUNT_OF(secret_rows); i++)
    {
        if (secret_rows[i].scope == scope && secret_rows[i].id == id)
            return &secret_rows[i];
    }
    return NULL;
}

/* *sealed is value's own copy, or empty when it is not to be stored. */
static HRESULT seal(
    const struct secret_row *row, const struct do_value *value, struct do_value *sealed)
{
    void *bytes;
    size_t length;
    HRESULT hr = do_protect(value->data, value->length, &bytes, &length);

    do_value_init(sealed);
    if (SUCCEEDED(hr))
    {
        const struct do_value borrowed = do_value_of_bytes(bytes, length);

        hr = do_value_assign(sealed, &borrowed);
        do_free(bytes);
        return hr;
    }
    if (hr == E_NOTIMPL && row->is_needed)
        return do_value_assign(sealed, value);
    if (hr == E_OUTOFMEMORY || row->is_needed)
        return hr;
    if (hr != E_NOTIMPL)
        do_log(DO_LOG_WARN, DO_LOG_JOB, "a secret is not stored, it cannot be sealed: 0x%08x",
            (unsigned int)hr);
    return S_OK;
}

static bool is_owned(const struct do_setting *setting, enum do_secret_scope scope)
{
    return setting->value.kind != DO_VALUE_EMPTY && find_row(scope, setting->id);
}

HRESULT do_secrets_seal(enum do_secret_scope scope, const struct do_setting *settings, size_t count,
    struct do_sealed *sealed)
{
    HRESULT hr = S_OK;

    sealed->scope = scope;
    sealed->count = 0;
    if (!(sealed->settings = do_alloc_array(count + 1, sizeof(*sealed->settings))))
        return E_OUTOFMEMORY;
    for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
    {
        struct do_setting *to = &sealed->settings[sealed->count++];

        *to = settings[i];
        if (is_owned(to, scope))
            hr = seal(find_row(scope, to->id), &settings[i].value, &to->value);
    }
    return hr;
}

void do_sealed_finish(struct do_sealed *sealed)
{
    for (size_t i = 0; i < sealed->count; i++)
    {
        if (is_owned(&sealed->settings[i], sealed->scope))
            do_value_finish(&sealed->settings[i].value);
    }
    do_free(sealed->settings);
    sealed->settings = NULL;
    sealed->count = 0;
}

void do_secrets_finish_value(struct do_value *value)
{
    if (value->data)
        do_wipe(value->data, value->length);
    do_value_finish(value);
}

/* Replaces a sealed value; one that cannot be opened is removed. */
static HRESULT open_value(
    const struct secret_row *row, const struct do_value *stored, struct do_values *values)
{
    struct do_value opened;
    void *bytes;
    size_t length;
    HRESULT hr;

    if (FAILED(hr = do_unprotect(stored->data, stored->length, &bytes, &length)))
    {
        do_log(DO_LOG_WARN, DO_LOG_JOB, "secret %u of a job cannot be opened: 0x%08x",
            (unsigned int)row->id, (unsigned int)hr);
        if (hr == E_OUTOFMEMORY || row->is_needed)
            return hr;
        opened = do_value_of_text(NULL);
        return do_values_set(values, row->id, &opened);
    }
    if (row->id == DO_PROP_CREDENTIALS && row->scope == DO_SECRETS_OF_JOB)
        opened = do_value_of_bytes(bytes, length);
    else if (memchr(bytes, 0, length))
        hr = DO_HR_FILE_CORRUPT;
    else
        opened = do_value_of_text(bytes);
    if (SUCCEEDED(hr))
        hr = do_values_set(values, row->id, &opened);
    do_wipe(bytes, length);
    do_free(bytes);
    return hr;
}

HRESULT do_secrets_open(enum do_secret_scope scope, struct do_values *values)
{
    HRESULT hr = S_OK;

    for (size_t i = 0; i < DO_COUNT_OF(secret_rows) && SUCCEEDED(hr); i++)
    {
        const struct do_value *stored;

        if (secret_rows[i].scope == scope && (stored = do_values_get(values, secret_rows[i].id)) &&
            stored->kind == DO_VALUE_BYTES)
            hr = open_value(&secret_rows[i], stored, values);
    }
    return hr;
}

/* Credentials */

static void append_number(struct do_buf *buf, size_t number)
{
    unsigned char bytes[4];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    do_buf_append(buf, bytes, sizeof(bytes));
}

static void append_text(struct do_buf *buf, const char *text)
{
    append_number(buf, text ? strlen(text) + 1 : 0);
    if (text)
        do_buf_append(buf, text, strlen(text));
}

static void append_credential(struct do_buf *buf, const struct do_credential *credential)
{
    append_number(buf, (size_t)credential->target);
    append_number(buf, (size_t)credential->scheme);
    append_text(buf, credential->user);
    append_text(buf, credential->password);
}

HRESULT do_secrets_pack_credentials(const struct do_request_options *options,
    const struct do_credential *change, bool is_removed, struct do_value *value)
{
    struct do_value borrowed;
    struct do_buf buf;
    HRESULT hr = S_OK;

    do_value_init(value);
    do_buf_init(&buf, 0);
    for (size_t i = 0; i < options->credential_count; i++)
    {
        const struct do_credential *credential = &options->credentials[i];

        if (credential->target != change->target || credential->scheme != change->scheme)
            append_credential(&buf, credential);
    }
    if (!is_removed)
        append_credential(&buf, change);
    if (buf.failed)
        hr = E_OUTOFMEMORY;
    else if (buf.length)
    {
        borrowed = do_value_of_bytes(buf.data, buf.length);
        hr = do_value_assign(value, &borrowed);
    }
    if (buf.data)
        do_wipe(buf.data, buf.length);
    do_buf_finish(&buf);
    return hr;
}

/* What is left to be read; a failure stays. */
struct packed
{
    const unsigned char *data;
    size_t length;
    HRESULT hr;
};

static size_t read_number(struct packed *packed)
{
    size_t number = 0;

    if (packed->length < 4)
        packed->hr = DO_HR_FILE_CORRUPT;
    if (FAILED(packed->hr))
        return 0;
    for (size_t i = 0; i < 4; i++)
        number |= (size_t)packed->data[i] << 8 * i;
    packed->data += 4;
    packed->length -= 4;
    return number;
}

static char *read_text(struct packed *packed)
{
    size_t length = read_number(packed);
    char *text;

    if (FAILED(packed->hr) || !length)
        return NULL;
    length--;
    if (length > packed->length || memchr(packed->data, 0, length))
    {
        packed->hr = DO_HR_FILE_CORRUPT;
        return NULL;
    }
    if (!(text = do_str_dup_n((const char *)packed->data, length)))
        packed->hr = E_OUTOFMEMORY;
    packed->data += length;
    packed->length -= length;
    return text;
}

static void wipe_text(char *text)
{
    if (text)
        do_wipe(text, strlen(text));
    do_free(text);
}

static void take_credential(struct packed *packed, struct do_request_options *options)
{
    size_t target = read_number(packed);
    size_t scheme = read_number(packed);
    struct do_credential credential = {0};

    credential.user = read_text(packed);
    credential.password = read_text(packed);
    if (SUCCEEDED(packed->hr) && (target < DO_AUTH_SERVER || target > DO_AUTH_PROXY ||
                                     scheme < DO_AUTH_BASIC || scheme >= DO_AUTH_SCHEME_END))
        packed->hr = DO_HR_FILE_CORRUPT;
    credential.target = (enum do_auth_target)target;
    credential.scheme = (enum do_auth_scheme)scheme;
    if (SUCCEEDED(packed->hr))
        packed->hr = do_request_options_set_credential(options, &credential);
    wipe_text(credential.user);
    wipe_text(credential.password);
}

HRESULT do_secrets_take_credentials(struct do_values *values, struct do_request_options *options)
{
    const struct do_value nothing = do_value_of_text(NULL);
    const struct do_value *value = do_values_get(values, DO_PROP_CREDENTIALS);
    struct packed packed;

    if (!value || value->kind != DO_VALUE_BYTES)
        return S_OK;
    packed = (struct packed){(const unsigned char *)value->data, value->length, S_OK};
    while (packed.length && SUCCEEDED(packed.hr))
        take_credential(&packed, options);
    if (packed.hr == DO_HR_FILE_CORRUPT)
        do_log(DO_LOG_WARN, DO_LOG_JOB, "a job's stored credentials make no sense");
    if (packed.hr == E_OUTOFMEMORY)
        return packed.hr;
    do_wipe(value->data, value->length);
    return do_values_set(values, DO_PROP_CREDENTIALS, &nothing);
}
