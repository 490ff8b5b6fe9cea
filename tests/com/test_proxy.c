/* SPDX-License-Identifier: MIT */
/*
 * The user's proxy script (PAC), as AutoConfigURL of the Internet settings names it: WinHTTP
 * fetches it from the fault server and asks it, which under Wine needs its jsproxy. The script
 * sends names that end in ".invalid" to the fault server as a proxy, everything else past it. The
 * settings are those of the Wine prefix, and are given back after each test.
 */
#include "checked.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS L"Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"

/* How long a request waits for a script, at least and at most. */
#define SCRIPT_WAIT_MS 8000U
#define SCRIPT_PATIENCE_MS 18000U

static const char *server_name(void)
{
    return strstr(test_server(), "://") + 3;
}

static void set_script_url(const WCHAR *url)
{
    assert_int_equal(ERROR_SUCCESS, RegSetKeyValueW(HKEY_CURRENT_USER, SETTINGS, L"AutoConfigURL",
                                        REG_SZ, url, (DWORD)((wcslen(url) + 1) * sizeof(*url))));
}

static void clear_script_url(void)
{
    (void)RegDeleteKeyValueW(HKEY_CURRENT_USER, SETTINGS, L"AutoConfigURL");
}

static int teardown(void **state)
{
    clear_script_url();
    return test_teardown(state);
}

/* Puts a script onto the server and makes it the user's; query is about how the server gives it. */
static void use_script(struct com_test *test, const char *text, const char *query)
{
    WCHAR url[4096];

    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%ls", test_url(test, query));
    checked_put(test->server_path, text, strlen(text));
    set_script_url(url);
}

static void use_usual_script(struct com_test *test)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
        "function FindProxyForURL(url, host) {\n"
        "  if (dnsDomainIs(host, \".invalid\"))\n"
        "    return \"PROXY %s; DIRECT\";\n"
        "  return \"DIRECT\";\n"
        "}\n",
        server_name());
    use_script(test, text, "");
}

/* Wine 8 runs scripts with its jsproxy, which not every installation has. */
static void skip_without_scripts(void)
{
    HMODULE module = LoadLibraryW(L"jsproxy.dll");

    if (module)
    {
        (void)FreeLibrary(module);
        return;
    }
    print_message("skipped: there is no jsproxy.dll to run scripts\n");
    skip();
}

/* A job for an object of a path of its own at this host, "" for the server's own address. */
static IBackgroundCopyJob *create_job_at(
    struct com_test *test, const char *host, const char *query, const WCHAR *name)
{
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR url[4096];

    (void)test_url(test, query);
    if (*host)
        (void)_snwprintf(
            url, TEST_COUNT_OF(url), L"http://%hs%hs?%hs", host, test->server_path, query);
    else
        (void)_snwprintf(url, TEST_COUNT_OF(url), L"%ls", test->url);
    assert_ok(IBackgroundCopyJob_AddFile(job, url, test_local(test, name)));
    return job;
}

/* Fetches it, and returns whether its last request came as one to a proxy. */
static bool is_fetched_by_proxy(struct com_test *test, IBackgroundCopyJob *job)
{
    char value[32];
    char *log;

    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    log = test_log(test);
    assert_true(test_log_count(log) > 0);
    assert_true(test_log_value(log, test_log_count(log) - 1, "proxied", value, sizeof(value)));
    free(log);
    IBackgroundCopyJob_Release(job);
    return !strcmp(value, "true");
}

/* Broken: the user's script is not asked, or not for each host. */
static void test_proxy_script_decides_for_each_host(void **state)
{
    struct com_test *test = *state;

    skip_without_scripts();
    use_usual_script(test);
    assert_true(is_fetched_by_proxy(test, create_job_at(test, "one.invalid", "size=1000", L"one")));
    assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", L"two")));
    assert_true(
        is_fetched_by_proxy(test, create_job_at(test, "three.invalid:81", "size=1000", L"three")));
}

static void expect_proxied(const struct com_test *test, const char *expected)
{
    char value[32];
    char *log = test_log(test);

    assert_true(test_log_value(log, 0, "proxied", value, sizeof(value)));
    assert_string_equal(value, expected);
    free(log);
}

/* Broken: a redirection goes through the proxy of the hop before, or past the script. */
static void test_proxy_script_decides_for_each_hop(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    char target[64];
    char query[256];

    skip_without_scripts();
    use_usual_script(test);
    (void)test_url(test, "");
    (void)snprintf(target, sizeof(target), "%s", test->server_path);
    (void)snprintf(query, sizeof(query), "redirect_to=http://two.invalid%s%%3Fsize=1000", target);
    job = test_create_job_of(test, query, L"file");
    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    expect_proxied(test, "false");
    (void)snprintf(test->server_path, sizeof(test->server_path), "%s", target);
    expect_proxied(test, "true");
    IBackgroundCopyJob_Release(job);
}

/* Broken: other settings do not count before the program ends. */
static void test_proxy_script_that_is_taken_away(void **state)
{
    struct com_test *test = *state;
    BG_ERROR_CONTEXT context;
    IBackgroundCopyJob *job;

    skip_without_scripts();
    use_usual_script(test);
    assert_true(is_fetched_by_proxy(test, create_job_at(test, "one.invalid", "size=1000", L"one")));
    clear_script_url();
    job = create_job_at(test, "one.invalid", "size=1000", L"two");
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, 0));
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_ERROR, test_wait_end(job));
    assert_hr(TEST_E_NAME_NOT_RESOLVED, test_error(job, &context));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a job's own settings give way to the user's. */
static void test_proxy_script_is_not_for_who_wants_none(void **state)
{
    struct com_test *test = *state;
    BG_ERROR_CONTEXT context;
    IBackgroundCopyJob *job;

    skip_without_scripts();
    use_usual_script(test);
    job = create_job_at(test, "one.invalid", "size=1000", L"file");
    assert_ok(IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL));
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, 0));
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_ERROR, test_wait_end(job));
    assert_hr(TEST_E_NAME_NOT_RESOLVED, test_error(job, &context));
    assert_ok(IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_AUTODETECT, NULL, NULL));
    assert_true(is_fetched_by_proxy(test, job));
}

/*
 * Broken: a script that is missing, makes no sense or fails stops every download. A number as its
 * answer is not among these: Wine 8's jsproxy takes it for a pointer and ends the process.
 */
static void test_proxy_script_that_does_not_work_counts_as_none(void **state)
{
    static const char *const scripts[] = {"garbage (((", "",
        "function FindProxyForURL(url, host) {", "function FindProxyForURL(url, host) { throw 1; }",
        "function FindProxyForURL(url, host) { return null; }",
        "function Other(url, host) { return \"PROXY 127.0.0.1:1\"; }",
        "function FindProxyForURL(url, host) { return \"SOCKS 127.0.0.1:1\"; }"};
    static const char *const queries[] = {"status=404", "drop=1", "size=100"};
    struct com_test *test = *state;
    WCHAR url[128];
    WCHAR name[32];

    skip_without_scripts();
    for (size_t i = 0; i < TEST_COUNT_OF(scripts); i++)
    {
        use_script(test, scripts[i], "");
        (void)_snwprintf(name, TEST_COUNT_OF(name), L"script%u", (unsigned int)i);
        assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", name)));
    }
    for (size_t i = 0; i < TEST_COUNT_OF(queries); i++)
    {
        set_script_url(test_url(test, queries[i]));
        (void)_snwprintf(name, TEST_COUNT_OF(name), L"query%u", (unsigned int)i);
        assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", name)));
    }
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"http://127.0.0.1:%u/", test_dead_port());
    set_script_url(url);
    assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", L"dead")));
    set_script_url(L"no URL at all");
    assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", L"none")));
}

/* Broken: a script's server that does not answer holds calls, or downloads for more than seconds.
 */
static void test_proxy_script_that_is_slow_is_not_waited_for(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *cancelled;
    ULONGLONG begin_ms;
    ULONGLONG took_ms;

    skip_without_scripts();
    set_script_url(test_url(test, "delay=25000"));
    cancelled = create_job_at(test, "", "size=1000", L"cancelled");
    begin_ms = GetTickCount64();
    assert_ok(IBackgroundCopyJob_Resume(cancelled));
    assert_ok(IBackgroundCopyJob_Cancel(cancelled));
    IBackgroundCopyJob_Release(cancelled);
    assert_true(GetTickCount64() - begin_ms < 5000);
    begin_ms = GetTickCount64();
    assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", L"first")));
    took_ms = GetTickCount64() - begin_ms;
    assert_in_range(took_ms, SCRIPT_WAIT_MS, SCRIPT_PATIENCE_MS);
    /* The next ones do not wait again. */
    begin_ms = GetTickCount64();
    assert_false(is_fetched_by_proxy(test, create_job_at(test, "", "size=1000", L"second")));
    assert_true(GetTickCount64() - begin_ms < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_proxy_script_decides_for_each_host, test_setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_proxy_script_decides_for_each_hop, test_setup, teardown),
        cmocka_unit_test_setup_teardown(test_proxy_script_that_is_taken_away, test_setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_proxy_script_is_not_for_who_wants_none, test_setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_proxy_script_that_does_not_work_counts_as_none, test_setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_proxy_script_that_is_slow_is_not_waited_for, test_setup, teardown),
    };

    return COM_TEST_RUN(tests);
}
