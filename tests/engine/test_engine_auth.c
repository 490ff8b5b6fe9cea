/* SPDX-License-Identifier: MIT */
/*
 * Downloads from servers and through proxies that ask who is there: Digest, whose answers are
 * counted, and NTLM, which is about connections. What one request does is in test_request.c; here
 * several follow each other, on several connections, and are cut. Test thread only.
 */
#include "engine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define HTTP_401 ((HRESULT)0x80190191)
#define HTTP_407 ((HRESULT)0x80190197)
#define MAX_REQUESTS 64U

static char user[] = "user";
static char right[] = "secret";
static char wrong[] = "guess";

/* libcurl may be built without NTLM, which is going out of use. */
static void need_ntlm(void)
{
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_NTLM))
    {
        print_message("  libcurl has no NTLM\n");
        skip();
    }
}

static void set_credential(
    struct do_job *job, enum do_auth_target target, enum do_auth_scheme scheme, char *password)
{
    const struct do_credential credential = {target, scheme, user, password};

    assert_ok(do_job_set_credential(job, &credential));
}

static void run_well(struct do_job *job)
{
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
}

static void run_into(struct do_job *job, HRESULT hr)
{
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(hr, test_error(job));
}

static void program_proxy(const char *query)
{
    char target[64];
    char *answer;

    (void)snprintf(target, sizeof(target), "/_proxy?%s", query);
    answer = test_get(target);
    assert_string_equal(answer, "ok");
    free(answer);
}

static int teardown_with_proxy(void **state)
{
    free(test_get("/_proxy"));
    return test_engine_teardown(state);
}

/* Digest */

/* Broken: the second and later requests of a download are refused, since they repeat the count of
 * the first or start it again. */
static void test_auth_digest_is_counted_over_a_download(void **state)
{
    static const char *const queries[] = {
        "size=3m&cut=700k&auth=digest", "size=3m&cut=700k&auth=digest-sha256"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct do_job *job = test_job();
        struct test_file file = test_add(job, "file", queries[i]);
        struct test_request requests[MAX_REQUESTS];
        unsigned int highest = 0;
        size_t count;

        set_credential(job, DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
        run_well(job);
        count = test_requests(file.server_path, 6, requests, MAX_REQUESTS);
        for (size_t n = 0; n < count; n++)
        {
            char answer[512];
            const char *text;
            unsigned int number = 0;

            test_request_header(file.server_path, n, "authorization", answer, sizeof(answer));
            if ((text = strstr(answer, "nc=")))
                assert_int_equal(sscanf(text, "nc=%8x", &number), 1);
            if (number > highest)
                highest = number;
        }
        assert_in_range(highest, 2, count);
        test_complete(job, &file, 1, TEST_MIB(3));
    }
}

/* Broken: a download from a server with short-lived nonces fails, or asks without end. */
static void test_auth_digest_download_outlives_its_nonces(void **state)
{
    static const char *const queries[] = {"size=3m&cut=700k&auth=digest&nonce_uses=1",
        "size=3m&cut=700k&auth=digest&nonce_uses=1&stale=1"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct do_job *job = test_job();
        struct test_file file = test_add(job, "file", queries[i]);

        set_credential(job, DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
        run_well(job);
        test_complete(job, &file, 1, TEST_MIB(3));
    }
}

/* NTLM */

/* Broken: a download with NTLM does not complete, on one connection or on several, or when a
 * connection that was logged in breaks. */
static void test_auth_ntlm_download_completes(void **state)
{
    static const char *const queries[] = {
        "size=3m&auth=ntlm", "size=3m&cut=700k&auth=ntlm", "size=3m&auth=ntlm&nonce_uses=1"};

    (void)state;
    need_ntlm();
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct do_job *job = test_job();
        struct test_file file = test_add(job, "file", queries[i]);
        char answer[1024];

        set_credential(job, DO_AUTH_SERVER, DO_AUTH_NTLM, right);
        run_well(job);
        test_request_header(file.server_path, 0, "authorization", answer, sizeof(answer));
        assert_string_equal(answer, "");
        test_request_header(file.server_path, 2, "authorization", answer, sizeof(answer));
        assert_memory_equal(answer, "NTLM ", 5);
        test_complete(job, &file, 1, TEST_MIB(3));
    }
}

/* Broken: a wrong password for NTLM is anything but the server's refusal, or spoils the right one.
 */
static void test_auth_ntlm_wrong_password_is_denied(void **state)
{
    struct do_job *job = test_job();
    struct test_file file = test_add(job, "file", "size=3m&auth=ntlm");

    (void)state;
    need_ntlm();
    run_into(job, HTTP_401);
    set_credential(job, DO_AUTH_SERVER, DO_AUTH_NTLM, wrong);
    run_into(job, HTTP_401);
    set_credential(job, DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    run_well(job);
    test_complete(job, &file, 1, TEST_MIB(3));
}

/* Broken: a job without a password gets a file over a connection that another job has logged in. */
static void test_auth_ntlm_connection_is_not_lent(void **state)
{
    struct do_job *owner = test_job();
    struct do_job *guest = test_job();
    struct do_job *stranger = test_job();
    struct test_file file = test_add(owner, "file", "size=100k&auth=ntlm");

    (void)state;
    need_ntlm();
    (void)test_add(guest, "guest", "size=100k&auth=ntlm");
    (void)test_add(stranger, "stranger", "size=100k&auth=ntlm");
    set_credential(owner, DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    set_credential(stranger, DO_AUTH_SERVER, DO_AUTH_NTLM, wrong);
    run_well(owner);
    run_into(guest, HTTP_401);
    run_into(stranger, HTTP_401);
    assert_ok(do_job_cancel(guest));
    assert_ok(do_job_cancel(stranger));
    test_complete(owner, &file, 1, TEST_KIB(100));
}

/* Proxies */

/* Broken: a download through a proxy that asks does not complete, or not with the proxy's own
 * refusal. */
static void test_auth_proxy_is_answered(void **state)
{
    static const struct
    {
        const char *program;
        enum do_auth_scheme scheme;
    } rows[] = {{"auth=digest", DO_AUTH_DIGEST}, {"auth=digest-sha256", DO_AUTH_DIGEST},
        {"auth=ntlm", DO_AUTH_NTLM}};
    char list[64];

    (void)state;
    need_ntlm();
    (void)snprintf(list, sizeof(list), "127.0.0.1:%u", (unsigned int)test_server_port());
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        const struct do_setting settings[] = {
            {DO_PROP_PROXY_USAGE, do_value_of_number(DO_PROXY_OVERRIDE)},
            {DO_PROP_PROXY_LIST, do_value_of_text(list)},
        };
        struct test_file file = test_file("file", "");
        struct do_job *job = test_job();

        program_proxy(rows[i].program);
        (void)snprintf(file.url, sizeof(file.url), "http://files.invalid%s?size=3m&cut=700k",
            file.server_path);
        assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
        assert_ok(do_job_set_values(job, settings, DO_COUNT_OF(settings)));
        set_credential(job, DO_AUTH_PROXY, rows[i].scheme, wrong);
        set_credential(job, DO_AUTH_SERVER, rows[i].scheme, right);
        run_into(job, HTTP_407);
        set_credential(job, DO_AUTH_PROXY, rows[i].scheme, right);
        run_well(job);
        test_complete(job, &file, 1, TEST_MIB(3));
    }
}

int main(void)
{
    static const struct CMUnitTest auth[] = {
        ENGINE_TEST(test_auth_digest_is_counted_over_a_download),
        ENGINE_TEST(test_auth_digest_download_outlives_its_nonces),
        ENGINE_TEST(test_auth_ntlm_download_completes),
        ENGINE_TEST(test_auth_ntlm_wrong_password_is_denied),
        ENGINE_TEST(test_auth_ntlm_connection_is_not_lent),
        cmocka_unit_test_setup_teardown(
            test_auth_proxy_is_answered, test_engine_setup, teardown_with_proxy),
    };

    return ENGINE_TEST_RUN(auth);
}
