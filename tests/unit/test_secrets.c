/* SPDX-License-Identifier: MIT */
/*
 * Secrets on their way to the database and back. What the system can seal (Windows, Wine) is sealed
 * there; natively nothing can be.
 */
#include "job/secrets.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/job_props.h"
#include "plat/crypto.h"
#include "support/support.h"
#include "support/test.h"

#define SECRET "Authorization: Bearer abcdefgh\r\n"

static bool can_seal(void)
{
    void *sealed;
    size_t length;
    HRESULT hr = do_protect("x", 1, &sealed, &length);

    do_free(sealed);
#ifdef _WIN32
    assert_ok(hr);
#else
    assert_hr(E_NOTIMPL, hr);
#endif
    return SUCCEEDED(hr);
}

static bool contains(const struct do_value *value, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i + length <= value->length; i++)
    {
        if (!memcmp(value->data + i, text, length))
            return true;
    }
    return false;
}

static void seal_one(enum do_secret_scope scope, uint32_t id, struct do_value *sealed)
{
    const struct do_setting setting = {id, do_value_of_text(SECRET)};
    struct do_sealed settings;

    do_value_init(sealed);
    assert_ok(do_secrets_seal(scope, &setting, 1, &settings));
    assert_int_equal(settings.count, 1);
    assert_int_equal(settings.settings[0].id, id);
    assert_ok(do_value_assign(sealed, &settings.settings[0].value));
    do_sealed_finish(&settings);
}

/* Broken: a key or a token can be read in the database, or is lost on the way. */
static void check_secret(enum do_secret_scope scope, uint32_t id, bool is_needed)
{
    const struct do_value garbage = do_value_of_bytes(SECRET, sizeof(SECRET));
    struct do_values values;
    struct do_value sealed;

    seal_one(scope, id, &sealed);
    do_values_init(&values);
    if (can_seal())
    {
        assert_int_equal(sealed.kind, DO_VALUE_BYTES);
        assert_false(contains(&sealed, "abcdefgh"));
        assert_ok(do_values_set(&values, id, &sealed));
        assert_ok(do_secrets_open(scope, &values));
        assert_string_equal(do_values_text(&values, id), SECRET);
        /* What was not sealed does not open; a job that needs it does not go on. */
        assert_ok(do_values_set(&values, id, &garbage));
        assert_int_equal(FAILED(do_secrets_open(scope, &values)), is_needed);
        assert_null(do_values_text(&values, id));
    }
    else if (is_needed)
        assert_string_equal(sealed.data, SECRET);
    else
        assert_int_equal(sealed.kind, DO_VALUE_EMPTY);
    do_values_finish(&values);
    do_value_finish(&sealed);
}

static void test_secrets_are_sealed_and_opened(void **state)
{
    (void)state;
    check_secret(DO_SECRETS_OF_JOB, DO_PROP_AUTH_HEADERS, false);
    check_secret(DO_SECRETS_OF_JOB, DO_PROP_HTTP_HEADERS, true);
    check_secret(DO_SECRETS_OF_JOB, DO_PROP_DECRYPTION_INFO, true);
    check_secret(DO_SECRETS_OF_FILE, DO_FILE_PROP_DECRYPTION_INFO, true);
}

/* Broken: what is no secret changes on its way, or what an older version stored is not read. */
static void test_secrets_leave_other_values_alone(void **state)
{
    const struct do_setting settings[] = {{DO_PROP_URI, do_value_of_text("http://host/")},
        {DO_PROP_TOTAL_SIZE, do_value_of_number(7)},
        {DO_PROP_AUTH_HEADERS, do_value_of_text(NULL)}};
    struct do_sealed sealed;
    struct do_values values;
    struct do_value text = do_value_of_text(SECRET);

    (void)state;
    assert_ok(do_secrets_seal(DO_SECRETS_OF_JOB, settings, 3, &sealed));
    assert_int_equal(sealed.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(do_value_equal(&sealed.settings[i].value, &settings[i].value));
    do_sealed_finish(&sealed);
    do_values_init(&values);
    assert_ok(do_values_set(&values, DO_PROP_DECRYPTION_INFO, &text));
    assert_ok(do_secrets_open(DO_SECRETS_OF_JOB, &values));
    assert_string_equal(do_values_text(&values, DO_PROP_DECRYPTION_INFO), SECRET);
    do_values_finish(&values);
}

static struct do_credential credential_of(
    enum do_auth_target target, enum do_auth_scheme scheme, char *user, char *password)
{
    return (struct do_credential){target, scheme, user, password};
}

static void assert_credential(
    const struct do_request_options *options, const struct do_credential *expected)
{
    const struct do_credential *found =
        do_request_options_get_credential(options, expected->target, expected->scheme);

    assert_non_null(found);
    assert_int_equal(!found->user, !expected->user);
    if (expected->user)
        assert_string_equal(found->user, expected->user);
    assert_int_equal(!found->password, !expected->password);
    if (expected->password)
        assert_string_equal(found->password, expected->password);
}

static HRESULT take(const void *data, size_t length, struct do_request_options *options)
{
    const struct do_value value = do_value_of_bytes(data, length);
    struct do_values values;
    HRESULT hr;

    do_values_init(&values);
    assert_ok(do_values_set(&values, DO_PROP_CREDENTIALS, &value));
    hr = do_secrets_take_credentials(&values, options);
    assert_null(do_values_get(&values, DO_PROP_CREDENTIALS));
    do_values_finish(&values);
    return hr;
}

/* Broken: a job asks for bytes with another password than it was given. */
static void test_secrets_credentials_come_back(void **state)
{
    char user[] = "user \xC3\xA4";
    char password[] = "pass word";
    char empty[] = "";
    const struct do_credential credentials[] = {
        credential_of(DO_AUTH_SERVER, DO_AUTH_BASIC, user, password),
        credential_of(DO_AUTH_PROXY, DO_AUTH_BASIC, user, empty),
        credential_of(DO_AUTH_SERVER, DO_AUTH_NEGOTIATE, NULL, NULL)};
    struct do_request_options options;
    struct do_request_options back;
    struct do_value value;

    (void)state;
    do_request_options_init(&options);
    do_request_options_init(&back);
    for (size_t i = 0; i < 3; i++)
    {
        assert_ok(do_secrets_pack_credentials(&options, &credentials[i], false, &value));
        assert_ok(do_request_options_set_credential(&options, &credentials[i]));
        assert_ok(take(value.data, value.length, &back));
        assert_int_equal(back.credential_count, i + 1);
        do_secrets_finish_value(&value);
    }
    for (size_t i = 0; i < 3; i++)
        assert_credential(&back, &credentials[i]);
    do_request_options_finish(&back);

    /* Without the second one. */
    assert_ok(do_secrets_pack_credentials(&options, &credentials[1], true, &value));
    assert_ok(take(value.data, value.length, &back));
    assert_int_equal(back.credential_count, 2);
    assert_credential(&back, &credentials[0]);
    assert_credential(&back, &credentials[2]);
    do_secrets_finish_value(&value);
    do_request_options_finish(&back);
    do_request_options_finish(&options);

    assert_ok(do_secrets_pack_credentials(&options, &credentials[0], true, &value));
    assert_int_equal(value.kind, DO_VALUE_EMPTY);
}

/* Broken: a damaged value is read past its end, or takes the job with it. */
static void test_secrets_damaged_credentials_are_left_out(void **state)
{
    char user[] = "user";
    const struct do_credential credential =
        credential_of(DO_AUTH_SERVER, DO_AUTH_BASIC, user, user);
    struct do_request_options options;
    struct do_value value;

    (void)state;
    do_request_options_init(&options);
    assert_ok(do_secrets_pack_credentials(&options, &credential, false, &value));
    for (size_t length = 1; length < value.length; length++)
    {
        void *cut = do_memdup(value.data, length);

        assert_non_null(cut);
        assert_ok(take(cut, length, &options));
        do_free(cut);
        assert_int_equal(options.credential_count, 0);
    }
    for (size_t i = 0; i < value.length; i++)
    {
        value.data[i] = (char)(value.data[i] ^ 0x80);
        assert_ok(take(value.data, value.length, &options));
        value.data[i] = (char)(value.data[i] ^ 0x80);
        do_request_options_finish(&options);
    }
    assert_ok(take(value.data, value.length, &options));
    assert_int_equal(options.credential_count, 1);
    do_request_options_finish(&options);
    do_secrets_finish_value(&value);
}

/* Broken: running out of memory leaks, or stores a secret in clear. */
static void test_secrets_out_of_memory_is_reported(void **state)
{
    const struct do_setting setting = {DO_PROP_DECRYPTION_INFO, do_value_of_text(SECRET)};
    HRESULT hr = E_OUTOFMEMORY;

    (void)state;
    (void)can_seal(); /* what the system keeps for itself is there */
    for (uint64_t n = 1; n < 50 && FAILED(hr); n++)
    {
        int64_t before = do_alloc_outstanding();
        struct do_sealed sealed;

        do_alloc_fail_nth(n);
        hr = do_secrets_seal(DO_SECRETS_OF_JOB, &setting, 1, &sealed);
        do_alloc_fail_nth(0);
        assert_true(hr == S_OK || hr == E_OUTOFMEMORY);
        assert_true(hr == S_OK || n < 49);
        do_sealed_finish(&sealed);
        assert_int_equal(do_alloc_outstanding(), before);
    }
    assert_ok(hr);
}

int main(void)
{
    static const struct CMUnitTest secrets[] = {
        cmocka_unit_test(test_secrets_are_sealed_and_opened),
        cmocka_unit_test(test_secrets_leave_other_values_alone),
        cmocka_unit_test(test_secrets_credentials_come_back),
        cmocka_unit_test(test_secrets_damaged_credentials_are_left_out),
        cmocka_unit_test(test_secrets_out_of_memory_is_reported),
    };

    return TEST_RUN(secrets);
}
