/* SPDX-License-Identifier: MIT */
/*
 * What IBackgroundCopyJob2::SetCredentials leads to: each scheme against a server or a proxy that
 * asks for it, with the right password and with a wrong one, looked for in the server's log. What
 * the method itself takes and refuses is in test_settings.c. Runs on the test's thread.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define SECURITY_WIN32
#include <security.h>

#define SERVER BG_AUTH_TARGET_SERVER
#define PROXY BG_AUTH_TARGET_PROXY
#define BASIC BG_AUTH_SCHEME_BASIC
#define DIGEST BG_AUTH_SCHEME_DIGEST
#define NTLM BG_AUTH_SCHEME_NTLM

/* More than any scheme needs for one request of a client. */
#define MOST_REQUESTS 20U

static const WCHAR right[] = L"secret";
static const WCHAR wrong[] = L"guess";

static IBackgroundCopyJob2 *job2_of(IBackgroundCopyJob *job)
{
    IBackgroundCopyJob2 *job2 = NULL;

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob2, (void **)&job2));
    return job2;
}

static void set_credentials(
    IBackgroundCopyJob *job, BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme, const WCHAR *password)
{
    IBackgroundCopyJob2 *job2 = job2_of(job);
    WCHAR user[] = L"user";
    WCHAR copy[32];
    BG_AUTH_CREDENTIALS credentials;

    memset(&credentials, 0, sizeof(credentials));
    credentials.Target = target;
    credentials.Scheme = scheme;
    credentials.Credentials.Basic.UserName = user;
    credentials.Credentials.Basic.Password = wcscpy(copy, password);
    assert_ok(IBackgroundCopyJob2_SetCredentials(job2, &credentials));
    IBackgroundCopyJob2_Release(job2);
}

static void remove_credentials(
    IBackgroundCopyJob *job, BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme)
{
    IBackgroundCopyJob2 *job2 = job2_of(job);

    assert_ok(IBackgroundCopyJob2_RemoveCredentials(job2, target, scheme));
    IBackgroundCopyJob2_Release(job2);
}

/* Failures that would be retried end the job at once. */
static BG_JOB_STATE run(IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, 0));
    assert_ok(IBackgroundCopyJob_Resume(job));
    return test_wait_end(job);
}

static void run_well(IBackgroundCopyJob *job)
{
    BG_ERROR_CONTEXT context;

    if (run(job) == BG_JOB_STATE_TRANSFERRED)
        return;
    print_error("error 0x%08lx\n", (unsigned long)test_error(job, &context));
    fail();
}

static void run_into(IBackgroundCopyJob *job, HRESULT error)
{
    BG_ERROR_CONTEXT context;

    assert_int_equal(BG_JOB_STATE_ERROR, run(job));
    assert_hr(error, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_REMOTE_FILE, context);
}

static void cancel(IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
}

static void complete(const struct com_test *test, IBackgroundCopyJob *job, UINT64 size)
{
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, size, 1);
    IBackgroundCopyJob_Release(job);
}

/* A job for a URL of this start, the fault server as its proxy. */
static IBackgroundCopyJob *create_for_proxy(
    struct com_test *test, const char *origin, const char *query)
{
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR url[256];
    WCHAR proxy[64];

    (void)test_url(test, query);
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%hs%hs?%hs", origin, test->server_path, query);
    (void)_snwprintf(proxy, TEST_COUNT_OF(proxy), L"%hs", strstr(test_server(), "://") + 3);
    assert_ok(IBackgroundCopyJob_AddFile(job, url, test_local(test, L"a")));
    assert_ok(IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_OVERRIDE, proxy, NULL));
    return job;
}

static void program_proxy(const char *query)
{
    char target[64];
    char *answer;

    (void)snprintf(target, sizeof(target), "/_proxy?%s", query);
    answer = test_get(target);
    assert_string_equal("ok", answer);
    free(answer);
}

static int teardown_with_proxy(void **state)
{
    free(test_get("/_proxy"));
    return test_teardown(state);
}

/* A header of the request at index begins so; NULL: it was not sent. */
static void expect_header(
    const char *log, unsigned int index, const char *name, const char *beginning)
{
    char value[1024];
    bool found = test_log_value(log, index, name, value, sizeof(value));

    if (found == (beginning != NULL) &&
        (!beginning || !strncmp(value, beginning, strlen(beginning))))
        return;
    print_error("request %u: %s is %s, not %s\n", index, name, found ? value : "missing",
        beginning ? beginning : "missing");
    fail();
}

/* Requests in the log; none of them, whatever else it brought, shows a password. */
static unsigned int expect_no_password(const char *log)
{
    assert_null(strstr(log, "secret"));
    assert_null(strstr(log, "guess"));
    assert_null(strstr(log, "dXNlcjpzZWNyZXQ="));
    assert_null(strstr(log, "dXNlcjpndWVzcw=="));
    return test_log_count(log);
}

/* Basic */

/* Broken: a server that wants a password does not get it, or gets it before it asks. */
static void test_auth_basic(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "auth=basic&size=10", L"a");
    char *log;

    set_credentials(job, SERVER, BASIC, right);
    /* Of the other kind: not for the server. */
    set_credentials(job, PROXY, BASIC, wrong);
    run_well(job);
    log = test_log(test);
    assert_int_equal(2, test_log_count(log));
    expect_header(log, 0, "authorization", NULL);
    expect_header(log, 0, "status", "401");
    expect_header(log, 1, "authorization", "Basic dXNlcjpzZWNyZXQ=");
    expect_header(log, 1, "proxy-authorization", NULL);
    free(log);
    complete(test, job, 10);
}

/* Broken: a wrong password is tried for ever, or shows another error; a removed one is used. */
static void test_auth_basic_wrong_password(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "auth=basic&size=10", L"a");
    char *log;

    set_credentials(job, SERVER, BASIC, wrong);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_int_equal(2, test_log_count(log));
    free(log);
    set_credentials(job, SERVER, BASIC, right);
    remove_credentials(job, SERVER, BASIC);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_int_equal(3, test_log_count(log));
    expect_header(log, 2, "authorization", NULL);
    free(log);
    set_credentials(job, SERVER, BASIC, right);
    run_well(job);
    complete(test, job, 10);
}

/* Broken: a proxy that wants a password does not get it, or the server gets it. */
static void test_auth_basic_to_the_proxy(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = create_for_proxy(test, "http://dosvc.invalid", "auth=proxy&size=10");
    char *log;

    run_into(job, TEST_E_HTTP(407));
    set_credentials(job, PROXY, BASIC, right);
    run_well(job);
    log = test_log(test);
    assert_int_equal(3, test_log_count(log));
    expect_header(log, 1, "proxy-authorization", NULL);
    expect_header(log, 2, "proxy-authorization", "Basic dXNlcjpzZWNyZXQ=");
    expect_header(log, 2, "authorization", NULL);
    expect_header(log, 2, "target", "http://dosvc.invalid/");
    free(log);
    complete(test, job, 10);
}

/* Digest */

/* Broken: a server that wants a digest gets none, a wrong one, or the password itself. */
static void test_auth_digest(void **state)
{
    static const struct
    {
        const char *query;
        const char *algorithm;
    } rows[] = {
        {"auth=digest&size=70000", "algorithm=MD5"},
        {"auth=digest-sha256&size=70000", "algorithm=SHA-256"},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].query, L"a");
        char answer[1024];
        char *log;
        unsigned int before;

        print_message("  %s\n", rows[i].query);
        set_credentials(job, SERVER, DIGEST, wrong);
        run_into(job, TEST_E_HTTP(401));
        log = test_log(test);
        before = expect_no_password(log);
        assert_in_range(before, 2, 3);
        expect_header(log, 0, "authorization", NULL);
        expect_header(log, 1, "authorization", "Digest ");
        free(log);
        set_credentials(job, SERVER, DIGEST, right);
        run_well(job);
        log = test_log(test);
        assert_in_range(expect_no_password(log), before + 1, before + 2);
        expect_header(log, test_log_count(log) - 1, "authorization", "Digest ");
        (void)test_log_value(log, test_log_count(log) - 1, "authorization", answer, sizeof(answer));
        assert_non_null(strstr(answer, rows[i].algorithm));
        assert_non_null(strstr(answer, "qop=auth"));
        free(log);
        complete(test, job, 70000);
    }
}

/* Broken: a download that goes on later, in requests of which each must have another count, is
 * refused or brings other bytes. */
static void test_auth_digest_download_goes_on(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job =
        test_create_job_of(test, "auth=digest&size=2m&cut=900k&rate=4m", L"a");
    unsigned int resumed = 0;
    char *log;

    set_credentials(job, SERVER, DIGEST, right);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 300 << 10);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_wait_end(job));
    log = test_log(test);
    (void)expect_no_password(log);
    for (unsigned int i = 0; i < test_log_count(log); i++)
    {
        char status[8];
        char answer[1024];

        if (test_log_value(log, i, "status", status, sizeof(status)) && !strcmp(status, "206") &&
            test_log_value(log, i, "authorization", answer, sizeof(answer)))
            resumed += strncmp(answer, "Digest ", 7) == 0;
    }
    assert_in_range(resumed, 2, 100);
    free(log);
    complete(test, job, 2 << 20);
}

/* Broken: a nonce that has only grown old fails a download, or its successor is not used. */
static void test_auth_digest_stale_nonces(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job =
        test_create_job_of(test, "auth=digest&nonce_uses=1&stale=1&size=600k&cut=200k", L"a");
    char *log;

    set_credentials(job, SERVER, DIGEST, right);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_wait_end(job));
    log = test_log(test);
    (void)expect_no_password(log);
    free(log);
    complete(test, job, 600 << 10);
}

/* Broken: a server or a proxy that calls every nonce stale keeps a job asking for ever. */
static void test_auth_digest_always_stale(void **state)
{
    static const char query[] = "auth=digest&nonce_uses=0&stale=1&size=10";
    static const char proxy_query[] = "auth=proxy-digest&nonce_uses=0&stale=1&size=10";
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, query, L"a");
    char *log;

    set_credentials(job, SERVER, DIGEST, right);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_in_range(test_log_count(log), 2, MOST_REQUESTS);
    free(log);
    cancel(job);
    job = create_for_proxy(test, "http://dosvc.invalid", proxy_query);
    set_credentials(job, PROXY, DIGEST, right);
    run_into(job, TEST_E_HTTP(407));
    log = test_log(test);
    assert_in_range(test_log_count(log), 2, MOST_REQUESTS);
    free(log);
    cancel(job);
}

/* Broken: a proxy that wants a digest gets none, or the server's, or the password itself. */
static void test_auth_digest_to_the_proxy(void **state)
{
    static const char *const schemes[] = {"auth=digest", "auth=digest-sha256"};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(schemes); i++)
    {
        IBackgroundCopyJob *job =
            create_for_proxy(test, "http://dosvc.invalid", "auth=digest&size=10");
        char *log;
        unsigned int last;

        print_message("  %s\n", schemes[i]);
        program_proxy(schemes[i]);
        set_credentials(job, SERVER, DIGEST, right);
        run_into(job, TEST_E_HTTP(407));
        set_credentials(job, PROXY, DIGEST, wrong);
        run_into(job, TEST_E_HTTP(407));
        set_credentials(job, PROXY, DIGEST, right);
        run_well(job);
        log = test_log(test);
        last = expect_no_password(log) - 1;
        expect_header(log, 0, "proxy-authorization", NULL);
        expect_header(log, last, "proxy-authorization", "Digest ");
        expect_header(log, last, "authorization", "Digest ");
        expect_header(log, last, "target", "http://dosvc.invalid/");
        free(log);
        complete(test, job, 10);
    }
}

/* A proxy's tunnel ends at the server's other port, which speaks TLS; NULL: there is none. */
static const char *tls_server(void)
{
    static char server[64];
    const char *port = getenv("DOSVC_TEST_TLS_PORT");

    if (!port)
        return NULL;
    (void)snprintf(server, sizeof(server), "https://127.0.0.1:%s", port);
    return server;
}

/* The server's certificate is one that nobody has signed. */
static void trust_anybody(IBackgroundCopyJob *job)
{
    IBackgroundCopyJobHttpOptions *options = NULL;

    assert_ok(IBackgroundCopyJob_QueryInterface(
        job, &IID_IBackgroundCopyJobHttpOptions, (void **)&options));
    assert_ok(IBackgroundCopyJobHttpOptions_SetSecurityFlags(
        options, BG_SSL_IGNORE_UNKNOWN_CA | BG_SSL_IGNORE_CERT_CN_INVALID));
    IBackgroundCopyJobHttpOptions_Release(options);
}

/* Broken: https does not get through a proxy that wants a digest, or its digest reaches the server.
 */
static void test_auth_digest_through_a_tunnel(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    unsigned int tunnels = 0;
    char tunnel_log[128];
    char *log;
    unsigned int last;

    if (!tls_server())
    {
        print_message("  the server speaks no TLS\n");
        skip();
    }
    free(test_get("/_log?clear=1"));
    program_proxy("auth=digest");
    job = create_for_proxy(test, tls_server(), "auth=digest-sha256&size=70000");
    trust_anybody(job);
    run_into(job, TEST_E_HTTP(407));
    set_credentials(job, PROXY, DIGEST, wrong);
    run_into(job, TEST_E_HTTP(407));
    set_credentials(job, PROXY, DIGEST, right);
    run_into(job, TEST_E_HTTP(401));
    set_credentials(job, SERVER, DIGEST, right);
    run_well(job);
    log = test_log(test);
    last = expect_no_password(log) - 1;
    expect_header(log, 0, "authorization", NULL);
    expect_header(log, last, "authorization", "Digest ");
    for (unsigned int i = 0; i <= last; i++)
        expect_header(log, i, "proxy-authorization", NULL);
    free(log);
    (void)snprintf(tunnel_log, sizeof(tunnel_log), "/_log?path=%s&wait=5000", tls_server() + 8);
    log = test_get(tunnel_log);
    last = expect_no_password(log) - 1;
    for (unsigned int i = 0; i <= last; i++)
    {
        char status[8];

        expect_header(log, i, "method", "CONNECT");
        expect_header(log, i, "authorization", NULL);
        assert_true(test_log_value(log, i, "status", status, sizeof(status)));
        if (strcmp(status, "200") != 0)
            continue;
        expect_header(log, i, "proxy-authorization", "Digest ");
        tunnels++;
    }
    assert_in_range(tunnels, 1, 2);
    free(log);
    complete(test, job, 70000);
}

/* Where secrets go */

/* Broken: a password or a digest follows a redirection to another host. */
static void test_auth_stays_with_its_host(void **state)
{
    static const struct
    {
        const char *home;
        const char *foreign; /* encoded, as a part of another query */
        BG_AUTH_SCHEME scheme;
        const char *sent;
        bool is_open;
    } rows[] = {
        {"auth=basic", "auth%3Dbasic", BASIC, "Basic ", false},
        {"auth=digest", "auth%3Ddigest", DIGEST, "Digest ", false},
        {"auth=digest", "size%3D10", DIGEST, "Digest ", true},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        char foreign_path[64];
        char query[256];
        IBackgroundCopyJob *job;
        char *log;

        print_message("  row %u\n", (unsigned int)i);
        (void)test_url(test, "");
        (void)strcpy(foreign_path, test->server_path);
        /* The same server by another name is another host. */
        (void)snprintf(query, sizeof(query),
            "%s&redirect_to=http%%3A%%2F%%2Flocalhost%%3A%s%%2F%s%%3F%s", rows[i].home,
            strrchr(test_server(), ':') + 1, foreign_path + 1, rows[i].foreign);
        job = test_create_job_of(test, query, L"a");
        set_credentials(job, SERVER, rows[i].scheme, right);
        if (rows[i].is_open)
            run_well(job);
        else
            run_into(job, TEST_E_HTTP(401));
        log = test_log(test);
        expect_header(log, test_log_count(log) - 1, "status", "302");
        expect_header(log, test_log_count(log) - 1, "authorization", rows[i].sent);
        free(log);
        (void)strcpy(test->server_path, foreign_path);
        log = test_log(test);
        assert_int_equal(1, test_log_count(log));
        expect_header(log, 0, "authorization", NULL);
        free(log);
        cancel(job);
    }
}

/* Broken: a password for one scheme is given to who asks for another. */
static void test_auth_only_the_scheme_that_was_given(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "auth=digest&size=10", L"a");
    char *log;

    set_credentials(job, SERVER, BASIC, right);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_int_equal(1, test_log_count(log));
    free(log);
    cancel(job);
    job = test_create_job_of(test, "auth=any&size=10", L"b");
    set_credentials(job, SERVER, BASIC, wrong);
    set_credentials(job, SERVER, DIGEST, right);
    run_well(job);
    log = test_log(test);
    assert_int_equal(2, expect_no_password(log));
    free(log);
    complete(test, job, 10);
}

/* NTLM */

/* NTLM is the system's: under Wine 8 it is there when Samba's ntlm_auth is. */
static bool system_has_ntlm(void)
{
    WCHAR name[] = L"NTLM";
    SecPkgInfoW *info = NULL;

    if (QuerySecurityPackageInfoW(name, &info) != SEC_E_OK)
        return false;
    (void)FreeContextBuffer(info);
    return true;
}

/* Broken: NTLM is not spoken, or a wrong password is sent more than once. */
static void test_auth_ntlm(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    char *log;

    if (!system_has_ntlm())
    {
        print_message("  the system has no NTLM\n");
        skip();
    }
    job = test_create_job_of(test, "auth=ntlm&size=70000", L"a");
    set_credentials(job, SERVER, NTLM, wrong);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_int_equal(3, expect_no_password(log));
    expect_header(log, 0, "authorization", NULL);
    expect_header(log, 2, "authorization", "NTLM ");
    free(log);
    set_credentials(job, SERVER, NTLM, right);
    run_well(job);
    complete(test, job, 70000);
    job = create_for_proxy(test, "http://dosvc.invalid", "auth=proxy-ntlm&size=70000");
    set_credentials(job, PROXY, NTLM, right);
    run_well(job);
    complete(test, job, 70000);
}

/* Broken: where the system has no NTLM a job that has a password for it hangs or sends anything. */
static void test_auth_ntlm_without_a_package(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    char *log;

    if (system_has_ntlm())
    {
        print_message("  the system has NTLM\n");
        skip();
    }
    job = test_create_job_of(test, "auth=ntlm&size=10", L"a");
    set_credentials(job, SERVER, NTLM, right);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    for (unsigned int i = 0; i < test_log_count(log); i++)
        expect_header(log, i, "authorization", NULL);
    free(log);
    cancel(job);
    /* What it has is used instead. */
    job = test_create_job_of(test, "auth=any-ntlm&size=10", L"b");
    set_credentials(job, SERVER, NTLM, right);
    set_credentials(job, SERVER, DIGEST, right);
    run_well(job);
    complete(test, job, 10);
}

/* Negotiate */

/* Broken: Negotiate with a server that is never satisfied hangs, or has another error. */
static void test_auth_negotiate_refused(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "auth=negotiate&size=10", L"a");
    char *log;

    set_credentials(job, SERVER, BG_AUTH_SCHEME_NEGOTIATE, right);
    run_into(job, TEST_E_HTTP(401));
    log = test_log(test);
    assert_in_range(expect_no_password(log), 1, MOST_REQUESTS);
    expect_header(log, 0, "authorization", NULL);
    free(log);
    cancel(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_auth_basic),
        COM_TEST(test_auth_basic_wrong_password),
        COM_TEST(test_auth_basic_to_the_proxy),
        COM_TEST(test_auth_digest),
        COM_TEST(test_auth_digest_download_goes_on),
        COM_TEST(test_auth_digest_stale_nonces),
        COM_TEST(test_auth_digest_always_stale),
        cmocka_unit_test_setup_teardown(
            test_auth_digest_to_the_proxy, test_setup, teardown_with_proxy),
        cmocka_unit_test_setup_teardown(
            test_auth_digest_through_a_tunnel, test_setup, teardown_with_proxy),
        COM_TEST(test_auth_stays_with_its_host),
        COM_TEST(test_auth_only_the_scheme_that_was_given),
        COM_TEST(test_auth_ntlm),
        COM_TEST(test_auth_ntlm_without_a_package),
        COM_TEST(test_auth_negotiate_refused),
    };

    return COM_TEST_RUN(tests);
}
