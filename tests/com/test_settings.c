/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyJob to IBackgroundCopyJob5 and IBackgroundCopyJobHttpOptions: how a job is carried
 * out. Each setting is checked for its codes, read back through another pointer, and, where it
 * changes what goes over the wire, looked for in the server's log. Runs on the test's thread. A
 * long file of short tests, one for each setting.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#include <sddl.h>
#include <wincrypt.h>

#define TEST_E_MAXDOWNLOAD_TIMEOUT ((HRESULT)0x80200054)
#define TEST_E_FILE_NOT_FOUND ((HRESULT)0x80070002)
#define TEST_E_NOT_FOUND ((HRESULT)0x80070490)
#define TEST_E_UNEXPECTED_REDIRECTION ((HRESULT)0x80190003)

#define MAX_DOWNLOAD_TIME_S 7776000U
#define SETTINGS_KEY L"Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
#define STORE L"dosvc-settings-test"
#define SUBJECT L"dosvc settings test"

/* A job with the pointers that the tests here need. */
struct pointers
{
    IBackgroundCopyJob *job;
    IBackgroundCopyJob5 *job5;
    IBackgroundCopyJobHttpOptions *options;
};

static struct pointers pointers_of(IBackgroundCopyJob *job)
{
    struct pointers of = {.job = job};

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob5, (void **)&of.job5));
    assert_ok(IBackgroundCopyJob_QueryInterface(
        job, &IID_IBackgroundCopyJobHttpOptions, (void **)&of.options));
    return of;
}

static void release_pointers(struct pointers *of)
{
    IBackgroundCopyJobHttpOptions_Release(of->options);
    IBackgroundCopyJob5_Release(of->job5);
    IBackgroundCopyJob_Release(of->job);
}

static void cancel_pointers(struct pointers *of)
{
    assert_ok(IBackgroundCopyJob_Cancel(of->job));
    release_pointers(of);
}

/* The same job, as another client of the queue finds it. */
static struct pointers find_again(const struct pointers *of)
{
    IBackgroundCopyManager *manager = test_create_manager();
    IBackgroundCopyJob *job = NULL;
    GUID id;

    assert_ok(IBackgroundCopyJob_GetId(of->job, &id));
    assert_ok(IBackgroundCopyManager_GetJob(manager, &id, &job));
    IBackgroundCopyManager_Release(manager);
    return pointers_of(job);
}

/* Takes text; expected may be NULL. */
static void expect_wide(const WCHAR *expected, WCHAR *text)
{
    if (!expected)
    {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    if (wcscmp(expected, text))
    {
        print_error("\"%.200ls\" is not \"%.200ls\"\n", text, expected);
        fail();
    }
    CoTaskMemFree(text);
}

/* free() it. */
static WCHAR *repeat(size_t count)
{
    WCHAR *text = calloc(count + 1, sizeof(*text));

    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        text[i] = L'x';
    return text;
}

/* expected NULL: the member is missing or null. */
static void expect_logged(
    const char *log, unsigned int index, const char *key, const char *expected)
{
    char value[512];
    bool found = test_log_value(log, index, key, value, sizeof(value));

    if (found == (expected != NULL) && (!expected || !strcmp(expected, value)))
        return;
    print_error("request %u: %s is %s, not %s\n", index, key, found ? value : "missing",
        expected ? expected : "missing");
    fail();
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
}

/* Names and owner */

/* Broken: a client cannot describe its job. */
static void test_settings_description(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    WCHAR *longest = repeat(1024);
    WCHAR *too_long = repeat(1025);
    WCHAR *text = TEST_POISON;
    struct pointers again;

    assert_ok(IBackgroundCopyJob_GetDescription(of.job, &text));
    expect_wide(L"", text);
    assert_ok(IBackgroundCopyJob_SetDescription(of.job, longest));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetDescription(of.job, too_long));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetDescription(of.job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetDescription(of.job, NULL));
    again = find_again(&of);
    assert_ok(IBackgroundCopyJob_GetDescription(again.job, &text));
    expect_wide(longest, text);
    release_pointers(&again);
    free(longest);
    free(too_long);
    cancel_pointers(&of);
}

/* free() it. */
static void *token_information(TOKEN_INFORMATION_CLASS what)
{
    HANDLE token = NULL;
    void *information = calloc(1, 1024);
    DWORD size = 0;

    assert_non_null(information);
    assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    assert_true(GetTokenInformation(token, what, information, 1024, &size));
    assert_true(CloseHandle(token));
    return information;
}

/* Broken: the owner of a job is not who created it. */
static void test_settings_owner(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    TOKEN_USER *user = token_information(TokenUser);
    TOKEN_MANDATORY_LABEL *label = token_information(TokenIntegrityLevel);
    TOKEN_ELEVATION *elevation = token_information(TokenElevation);
    PSID level_sid = label->Label.Sid;
    WCHAR *expected = NULL;
    WCHAR *owner = TEST_POISON;
    ULONG level = 0xDEADBEEF;
    BOOL elevated = (BOOL)0xDEADBEEF;

    assert_true(ConvertSidToStringSidW(user->User.Sid, &expected));
    assert_ok(IBackgroundCopyJob_GetOwner(of.job, &owner));
    expect_wide(expected, owner);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetOwner(of.job, NULL));
    assert_ok(IBackgroundCopyJob5_GetOwnerIntegrityLevel(of.job5, &level));
    assert_int_equal(
        *GetSidSubAuthority(level_sid, (DWORD)(*GetSidSubAuthorityCount(level_sid) - 1)), level);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetOwnerIntegrityLevel(of.job5, NULL));
    assert_ok(IBackgroundCopyJob5_GetOwnerElevationState(of.job5, &elevated));
    assert_int_equal(elevation->TokenIsElevated != 0, elevated);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetOwnerElevationState(of.job5, NULL));
    assert_ok(IBackgroundCopyJob_TakeOwnership(of.job));
    owner = TEST_POISON;
    assert_ok(IBackgroundCopyJob_GetOwner(of.job, &owner));
    expect_wide(expected, owner);
    (void)LocalFree(expected);
    free(user);
    free(label);
    free(elevation);
    cancel_pointers(&of);
}

/* Retries and times */

/* Broken: a client cannot see how often its job failed. */
static void test_settings_error_count(void **state)
{
    struct pointers of = pointers_of(test_create_job_of(*state, "status=404", L"a"));
    ULONG count = 0xDEADBEEF;

    assert_ok(IBackgroundCopyJob_GetErrorCount(of.job, &count));
    assert_int_equal(0, count);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetErrorCount(of.job, NULL));
    for (ULONG i = 1; i <= 2; i++)
    {
        run_into(of.job, TEST_E_HTTP(404));
        assert_ok(IBackgroundCopyJob_GetErrorCount(of.job, &count));
        assert_int_equal(i, count);
    }
    cancel_pointers(&of);
}

/* Broken: a server that is down is asked more often than the client wants. */
static void test_settings_minimum_retry_delay(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job_of(test, "status=503", L"a"));
    ULONG seconds = 0xDEADBEEF;
    ULONGLONG begin;

    assert_ok(IBackgroundCopyJob_GetMinimumRetryDelay(of.job, &seconds));
    assert_int_equal(0, seconds);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetMinimumRetryDelay(of.job, NULL));
    assert_ok(IBackgroundCopyJob_SetMinimumRetryDelay(of.job, 0xFFFFFFFF));
    assert_ok(IBackgroundCopyJob_GetMinimumRetryDelay(of.job, &seconds));
    assert_int_equal(0xFFFFFFFF, seconds);
    assert_ok(IBackgroundCopyJob_SetMinimumRetryDelay(of.job, 4));
    assert_ok(IBackgroundCopyJob_Resume(of.job));
    test_wait_state(of.job, BG_JOB_STATE_TRANSIENT_ERROR);
    begin = GetTickCount64();
    test_wait_state(of.job, BG_JOB_STATE_TRANSFERRING);
    assert_true(GetTickCount64() - begin >= 3500);
    cancel_pointers(&of);
}

/* Broken: a job may take for ever though its client said how long. */
static void test_settings_maximum_download_time(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job_of(test, "stall=10", L"a"));
    ULONGLONG begin = GetTickCount64();
    ULONG seconds = 0xDEADBEEF;
    BG_ERROR_CONTEXT context;

    assert_ok(IBackgroundCopyJob5_GetMaximumDownloadTime(of.job5, &seconds));
    assert_int_equal(MAX_DOWNLOAD_TIME_S, seconds);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetMaximumDownloadTime(of.job5, NULL));
    assert_ok(IBackgroundCopyJob5_SetMaximumDownloadTime(of.job5, 0));
    assert_ok(IBackgroundCopyJob5_GetMaximumDownloadTime(of.job5, &seconds));
    assert_int_equal(0, seconds);
    assert_ok(IBackgroundCopyJob5_SetMaximumDownloadTime(of.job5, 1));
    assert_ok(IBackgroundCopyJob_Resume(of.job));
    assert_int_equal(BG_JOB_STATE_ERROR, test_wait_end(of.job));
    assert_hr(TEST_E_MAXDOWNLOAD_TIMEOUT, test_error(of.job, &context));
    assert_in_range(GetTickCount64() - begin, 950, 5000);
    /* Of a running job, too. */
    assert_ok(IBackgroundCopyJob5_SetMaximumDownloadTime(of.job5, 0));
    assert_ok(IBackgroundCopyJob_Resume(of.job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(of.job));
    assert_ok(IBackgroundCopyJob5_SetMaximumDownloadTime(of.job5, 1));
    assert_int_equal(BG_JOB_STATE_ERROR, test_wait_end(of.job));
    assert_hr(TEST_E_MAXDOWNLOAD_TIMEOUT, test_error(of.job, &context));
    cancel_pointers(&of);
}

/* Job2 */

/* Broken: the command line that a client stored is another one when it is read. */
static void test_settings_command_line(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    WCHAR *longest_program = repeat(260);
    WCHAR *longest_parameters = repeat(4000);
    WCHAR *too_long = repeat(4001);
    WCHAR *program = TEST_POISON;
    WCHAR *parameters = TEST_POISON;
    struct pointers again;

    assert_ok(IBackgroundCopyJob5_GetNotifyCmdLine(of.job5, &program, &parameters));
    assert_null(program);
    assert_null(parameters);
    assert_ok(IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, L"c:\\a.exe", NULL));
    assert_ok(IBackgroundCopyJob5_GetNotifyCmdLine(of.job5, &program, &parameters));
    expect_wide(L"c:\\a.exe", program);
    assert_null(parameters);
    assert_ok(IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, longest_program, longest_parameters));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, NULL, L"alone"));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, L"a", too_long));
    too_long[261] = 0;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, too_long, NULL));
    again = find_again(&of);
    assert_ok(IBackgroundCopyJob5_GetNotifyCmdLine(again.job5, &program, &parameters));
    expect_wide(longest_program, program);
    expect_wide(longest_parameters, parameters);
    release_pointers(&again);
    program = TEST_POISON;
    parameters = TEST_POISON;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetNotifyCmdLine(of.job5, NULL, &parameters));
    assert_null(parameters);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetNotifyCmdLine(of.job5, &program, NULL));
    assert_null(program);
    assert_ok(IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, NULL, NULL));
    assert_ok(IBackgroundCopyJob5_GetNotifyCmdLine(of.job5, &program, &parameters));
    assert_null(program);
    assert_null(parameters);
    free(longest_program);
    free(longest_parameters);
    free(too_long);
    cancel_pointers(&of);
}

/* Broken: a client of uploads takes a download's reply for one. */
static void test_settings_replies(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    BG_JOB_REPLY_PROGRESS progress = {1, 1};
    byte *data = TEST_POISON;
    UINT64 length = 1;
    WCHAR *name = TEST_POISON;

    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_GetReplyProgress(of.job5, &progress));
    assert_int_equal(0, progress.BytesTotal);
    assert_int_equal(0, progress.BytesTransferred);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetReplyProgress(of.job5, NULL));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_GetReplyData(of.job5, &data, &length));
    assert_null(data);
    assert_int_equal(0, length);
    length = 1;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetReplyData(of.job5, NULL, &length));
    assert_int_equal(0, length);
    data = TEST_POISON;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetReplyData(of.job5, &data, NULL));
    assert_null(data);
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetReplyFileName(of.job5, L"c:\\reply"));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetReplyFileName(of.job5, NULL));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_GetReplyFileName(of.job5, &name));
    assert_null(name);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetReplyFileName(of.job5, NULL));
    cancel_pointers(&of);
}

static HRESULT set_credentials(const struct pointers *of, BG_AUTH_TARGET target,
    BG_AUTH_SCHEME scheme, const WCHAR *user, const WCHAR *password)
{
    BG_AUTH_CREDENTIALS credentials;
    WCHAR user_copy[302];
    WCHAR password_copy[302];

    memset(&credentials, 0, sizeof(credentials));
    credentials.Target = target;
    credentials.Scheme = scheme;
    if (user)
        credentials.Credentials.Basic.UserName = wcscpy(user_copy, user);
    if (password)
        credentials.Credentials.Basic.Password = wcscpy(password_copy, password);
    return IBackgroundCopyJob5_SetCredentials(of->job5, &credentials);
}

/* Broken: credentials that make no sense are taken, or good ones refused. */
static void test_settings_credentials_codes(void **state)
{
    static const struct
    {
        int target;
        int scheme;
        const WCHAR *user;
        const WCHAR *password;
        HRESULT hr;
    } rows[] = {
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, L"u", L"p", S_OK},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_DIGEST, L"u", L"p", S_OK},
        {BG_AUTH_TARGET_PROXY, BG_AUTH_SCHEME_NTLM, L"d\\u", L"p", S_OK},
        {BG_AUTH_TARGET_PROXY, BG_AUTH_SCHEME_NEGOTIATE, L"u", L"", S_OK},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_NTLM, NULL, NULL, S_OK},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_NEGOTIATE, NULL, NULL, S_OK},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, NULL, NULL, E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_DIGEST, NULL, NULL, E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, L"u", NULL, E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_NTLM, NULL, L"p", E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_PASSPORT, L"u", L"p", E_NOTIMPL},
        {0, BG_AUTH_SCHEME_BASIC, L"u", L"p", E_INVALIDARG},
        {3, BG_AUTH_SCHEME_BASIC, L"u", L"p", E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, 0, L"u", L"p", E_INVALIDARG},
        {BG_AUTH_TARGET_SERVER, 6, L"u", L"p", E_INVALIDARG},
    };
    struct pointers of = pointers_of(test_create_job(*state));
    WCHAR *longest = repeat(300);
    WCHAR *too_long = repeat(301);

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        BG_AUTH_TARGET target = (BG_AUTH_TARGET)rows[i].target;
        BG_AUTH_SCHEME scheme = (BG_AUTH_SCHEME)rows[i].scheme;
        HRESULT removed = rows[i].hr;

        print_message("  row %u\n", (unsigned int)i);
        assert_hr(rows[i].hr, set_credentials(&of, target, scheme, rows[i].user, rows[i].password));
        /* What was refused for its name was not kept. */
        if (rows[i].hr == E_INVALIDARG && (!rows[i].user || !rows[i].password))
            removed = S_FALSE;
        assert_hr(removed, IBackgroundCopyJob5_RemoveCredentials(of.job5, target, scheme));
        if (rows[i].hr == S_OK)
            assert_hr(S_FALSE, IBackgroundCopyJob5_RemoveCredentials(of.job5, target, scheme));
    }
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_SetCredentials(of.job5, NULL));
    assert_ok(set_credentials(&of, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, longest, longest));
    assert_hr(E_INVALIDARG,
        set_credentials(&of, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, too_long, L"p"));
    assert_hr(E_INVALIDARG,
        set_credentials(&of, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, L"u", too_long));
    free(longest);
    free(too_long);
    cancel_pointers(&of);
}

/* Job3 */

static void expect_url(IBackgroundCopyJob *job, ULONG index, const WCHAR *expected)
{
    IBackgroundCopyFile *file = test_file(job, index);
    WCHAR *url = TEST_POISON;

    assert_ok(IBackgroundCopyFile_GetRemoteName(file, &url));
    expect_wide(expected, url);
    IBackgroundCopyFile_Release(file);
}

/* Broken: a client that moves its job to another server moves half of it, or none. */
static void test_settings_replace_prefix(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job(test));
    const WCHAR *old_prefix = L"http://dosvc.invalid/";
    WCHAR server[64];
    WCHAR moved[128];
    WCHAR *too_long = repeat(2200);

    (void)_snwprintf(server, TEST_COUNT_OF(server), L"%hs/", test_server());
    (void)test_url(test, "size=10");
    assert_ok(IBackgroundCopyJob_AddFile(
        of.job, L"http://dosvc.invalid/settings-prefix?size=10", test_local(test, L"a")));
    assert_ok(IBackgroundCopyJob_AddFile(
        of.job, L"http://other.invalid/b?size=10", test_local(test, L"b")));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, NULL, server));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"", server));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, old_prefix, NULL));
    assert_hr(S_FALSE, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"http://nobody/", server));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"http:", L"ftp:"));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"h", too_long));
    expect_url(of.job, 0, L"http://dosvc.invalid/settings-prefix?size=10");
    expect_url(of.job, 1, L"http://other.invalid/b?size=10");
    assert_ok(IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, old_prefix, server));
    (void)_snwprintf(moved, TEST_COUNT_OF(moved), L"%lssettings-prefix?size=10", server);
    expect_url(of.job, 0, moved);
    expect_url(of.job, 1, L"http://other.invalid/b?size=10");
    assert_ok(IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"http://other.invalid/", server));
    run_well(of.job);
    assert_ok(IBackgroundCopyJob_Complete(of.job));
    test_expect_object(test_local(test, L"a"), 10, 1);
    test_expect_object(test_local(test, L"b"), 10, 1);
    assert_hr(
        DO_E_INVALID_STATE, IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, server, old_prefix));
    free(too_long);
    release_pointers(&of);
}

/* Broken: the ranges of BITS' own method are not those of the object. */
static void test_settings_ranges_of_job3(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job(test));
    BG_FILE_RANGE ranges[] = {{1000, 24}, {0, 8}};

    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_AddFileWithRanges(of.job5,
                                test_url(test, "size=2000"), test_local(test, L"a"), 0, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_AddFileWithRanges(of.job5,
                                test_url(test, "size=2000"), test_local(test, L"a"), 0, ranges));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_AddFileWithRanges(
                                of.job5, test_url(test, "size=2000"), NULL, 2, ranges));
    assert_ok(IBackgroundCopyJob5_AddFileWithRanges(
        of.job5, test_url(test, "size=2000"), test_local(test, L"a"), 2, ranges));
    run_well(of.job);
    assert_ok(IBackgroundCopyJob_Complete(of.job));
    assert_int_equal(32, test_file_size(test_local(test, L"a")));
    test_expect_pattern(test_local(test, L"a"), 0, 24, 1, 1000);
    test_expect_pattern(test_local(test, L"a"), 24, 8, 1, 0);
    release_pointers(&of);
}

/* Broken: a client is told that it has what does not exist here. */
static void test_settings_acls_and_peers(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    DWORD flags = 0xDEADBEEF;

    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetFileACLFlags(of.job5, 0xF));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetFileACLFlags(of.job5, 0));
    assert_ok(IBackgroundCopyJob5_GetFileACLFlags(of.job5, &flags));
    assert_int_equal(0, flags);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetFileACLFlags(of.job5, NULL));
    flags = 0xDEADBEEF;
    assert_ok(IBackgroundCopyJob5_SetPeerCachingFlags(of.job5, 0));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetPeerCachingFlags(of.job5, 1));
    assert_ok(IBackgroundCopyJob5_GetPeerCachingFlags(of.job5, &flags));
    assert_int_equal(0, flags);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob5_GetPeerCachingFlags(of.job5, NULL));
    cancel_pointers(&of);
}

/* Job5 */

static HRESULT set_cost(const struct pointers *of, DWORD flags)
{
    BITS_JOB_PROPERTY_VALUE value;

    memset(&value, 0, sizeof(value));
    value.Dword = flags;
    return IBackgroundCopyJob5_SetProperty(of->job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, value);
}

static DWORD get_cost(const struct pointers *of)
{
    BITS_JOB_PROPERTY_VALUE value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IBackgroundCopyJob5_GetProperty(of->job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value));
    return value.Dword;
}

/* Broken: a job's property is not kept, or one that does not exist is. */
static void test_settings_properties(void **state)
{
    static const int unknown[] = {0, 3, 4, 5, 6, 100, -1};
    static const BITS_JOB_PROPERTY_VALUE zeros;
    struct pointers of = pointers_of(test_create_job(*state));
    BITS_JOB_PROPERTY_VALUE value;
    struct pointers again;

    assert_int_equal(0x80000067, get_cost(&of));
    assert_ok(IBackgroundCopyJob_SetPriority(of.job, BG_JOB_PRIORITY_FOREGROUND));
    assert_int_equal(0x800000FF, get_cost(&of));
    assert_ok(set_cost(&of, 0x80000021));
    assert_hr(E_INVALIDARG, set_cost(&of, 0));
    assert_hr(E_INVALIDARG, set_cost(&of, 0x80000000));
    assert_hr(E_INVALIDARG, set_cost(&of, 0x00000100 | 0x21));
    again = find_again(&of);
    assert_int_equal(0x80000021, get_cost(&again));
    release_pointers(&again);
    for (size_t i = 0; i < TEST_COUNT_OF(unknown); i++)
    {
        BITS_JOB_PROPERTY_ID id = (BITS_JOB_PROPERTY_ID)unknown[i];

        memset(&value, 0xCC, sizeof(value));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyJob5_GetProperty(of.job5, id, &value));
        assert_memory_equal(&zeros, &value, sizeof(value));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyJob5_SetProperty(of.job5, id, value));
    }
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJob5_GetProperty(of.job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, NULL));
    cancel_pointers(&of);
}

/* Proxy */

static void expect_proxy(
    const struct pointers *of, BG_JOB_PROXY_USAGE usage, const WCHAR *list, const WCHAR *bypass)
{
    BG_JOB_PROXY_USAGE got = (BG_JOB_PROXY_USAGE)77;
    WCHAR *got_list = TEST_POISON;
    WCHAR *got_bypass = TEST_POISON;

    assert_ok(IBackgroundCopyJob_GetProxySettings(of->job, &got, &got_list, &got_bypass));
    assert_int_equal(usage, got);
    expect_wide(list, got_list);
    expect_wide(bypass, got_bypass);
}

/* Broken: a proxy that makes no sense is taken, or a good one is not what is read back. */
static void test_settings_proxy_codes(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    BG_JOB_PROXY_USAGE usage = BG_JOB_PROXY_USAGE_NO_PROXY;
    WCHAR *longest = repeat(32767);
    WCHAR *too_long = repeat(32768);
    WCHAR *list = TEST_POISON;
    WCHAR *bypass = TEST_POISON;
    struct pointers again;

    expect_proxy(&of, BG_JOB_PROXY_USAGE_PRECONFIG, NULL, NULL);
    for (int i = BG_JOB_PROXY_USAGE_PRECONFIG; i <= BG_JOB_PROXY_USAGE_AUTODETECT; i++)
    {
        BG_JOB_PROXY_USAGE each = (BG_JOB_PROXY_USAGE)i;

        if (each == BG_JOB_PROXY_USAGE_OVERRIDE)
            continue;
        assert_ok(IBackgroundCopyJob_SetProxySettings(of.job, each, NULL, NULL));
        expect_proxy(&of, each, NULL, NULL);
        assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, each, L"p:80", NULL));
        assert_hr(
            E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, each, NULL, L"<local>"));
    }
    usage = BG_JOB_PROXY_USAGE_OVERRIDE;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, usage, NULL, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, usage, L"", NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, usage, too_long, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetProxySettings(of.job, usage, L"p", too_long));
    assert_hr(
        E_NOTIMPL, IBackgroundCopyJob_SetProxySettings(of.job, (BG_JOB_PROXY_USAGE)4, NULL, NULL));
    assert_hr(
        E_NOTIMPL, IBackgroundCopyJob_SetProxySettings(of.job, (BG_JOB_PROXY_USAGE)-1, NULL, NULL));
    expect_proxy(&of, BG_JOB_PROXY_USAGE_AUTODETECT, NULL, NULL);
    assert_ok(IBackgroundCopyJob_SetProxySettings(of.job, usage, L"p:80", NULL));
    expect_proxy(&of, usage, L"p:80", NULL);
    assert_ok(IBackgroundCopyJob_SetProxySettings(of.job, usage, longest, longest));
    again = find_again(&of);
    expect_proxy(&again, usage, longest, longest);
    release_pointers(&again);
    /* The lists go with OVERRIDE. */
    assert_ok(IBackgroundCopyJob_SetProxySettings(of.job, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL));
    expect_proxy(&of, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetProxySettings(of.job, NULL, &list, &bypass));
    assert_null(list);
    assert_null(bypass);
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetProxySettings(of.job, &usage, NULL, &bypass));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetProxySettings(of.job, &usage, &list, NULL));
    free(longest);
    free(too_long);
    cancel_pointers(&of);
}

/* "127.0.0.1:PORT" */
static const WCHAR *server_address(void)
{
    static WCHAR address[64];

    (void)_snwprintf(address, TEST_COUNT_OF(address), L"%hs", strstr(test_server(), "://") + 3);
    return address;
}

/* Nobody listens there. */
static const WCHAR *dead_address(void)
{
    static WCHAR address[64];

    (void)_snwprintf(address, TEST_COUNT_OF(address), L"127.0.0.1:%u", test_dead_port());
    return address;
}

/* A job for a host that only a proxy can know. */
static struct pointers create_for_proxy(struct com_test *test, const char *query)
{
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR url[256];

    (void)test_url(test, query);
    (void)_snwprintf(
        url, TEST_COUNT_OF(url), L"http://dosvc.invalid%hs?%hs", test->server_path, query);
    assert_ok(IBackgroundCopyJob_AddFile(job, url, test_local(test, L"a")));
    return pointers_of(job);
}

/* Whether all requests for the last URL came as a proxy gets them. */
static void expect_form(const struct com_test *test, bool absolute, unsigned int requests)
{
    char *log = test_log(test);

    assert_int_equal(requests, test_log_count(log));
    for (unsigned int i = 0; i < requests; i++)
    {
        char target[512];

        assert_true(test_log_value(log, i, "target", target, sizeof(target)));
        assert_int_equal(absolute, !strncmp(target, "http://", 7));
    }
    free(log);
}

/* Broken: a job that must go through a proxy does not, or asks the proxy as if it were the server.
 */
static void test_settings_proxy_override(void **state)
{
    static const WCHAR *const forms[] = {L"%ls", L"http://%ls", L"http=%ls",
        L"https=127.0.0.1:1;http=%ls", L"socks=127.0.0.1:1 %ls"};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(forms); i++)
    {
        struct pointers of = create_for_proxy(test, "size=10");
        WCHAR list[128];

        print_message("  %ls\n", forms[i]);
        (void)_snwprintf(list, TEST_COUNT_OF(list), forms[i], server_address());
        assert_ok(
            IBackgroundCopyJob_SetProxySettings(of.job, BG_JOB_PROXY_USAGE_OVERRIDE, list, NULL));
        run_well(of.job);
        expect_form(test, true, 1);
        cancel_pointers(&of);
    }
}

/* Broken: servers that need no proxy are asked through it, or the others directly. */
static void test_settings_proxy_bypass(void **state)
{
    static const struct
    {
        const WCHAR *bypass;
        bool direct;
    } rows[] = {
        {NULL, false},
        {L"", false},
        {L"127.0.0.1", true},
        {L"other.invalid;127.*", true},
        {L"other.invalid <local>", false},
        {L"http://127.0.0.1", true},
        {L"https://127.0.0.1", false},
        {L"127.0.0.1:1", false},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        struct pointers of = pointers_of(test_create_job_of(test, "size=10", L"a"));

        print_message("  row %u\n", (unsigned int)i);
        assert_ok(IBackgroundCopyJob_SetProxySettings(
            of.job, BG_JOB_PROXY_USAGE_OVERRIDE, dead_address(), rows[i].bypass));
        if (rows[i].direct)
            run_well(of.job);
        else
            run_into(of.job, TEST_E_CANNOT_CONNECT);
        expect_form(test, false, rows[i].direct ? 1 : 0);
        cancel_pointers(&of);
    }
}

/* The user's settings, as the control panel writes them; NULL: none. */
static bool write_user_proxy(const WCHAR *list)
{
    DWORD enabled = list != NULL;
    HKEY key;
    LSTATUS status = RegCreateKeyExW(
        HKEY_CURRENT_USER, SETTINGS_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);

    if (status != ERROR_SUCCESS)
        return false;
    status =
        RegSetValueExW(key, L"ProxyEnable", 0, REG_DWORD, (const BYTE *)&enabled, sizeof(enabled));
    if (list && status == ERROR_SUCCESS)
        status = RegSetValueExW(key, L"ProxyServer", 0, REG_SZ, (const BYTE *)list,
            (DWORD)((wcslen(list) + 1) * sizeof(WCHAR)));
    else if (!list)
        (void)RegDeleteValueW(key, L"ProxyServer");
    (void)RegCloseKey(key);
    return status == ERROR_SUCCESS;
}

static int teardown_without_user_proxy(void **state)
{
    bool written = write_user_proxy(NULL);
    int code = test_teardown(state);

    return written ? code : -1;
}

/* Broken: the user's own proxy is not used, or is used by who wants none. */
static void test_settings_proxy_of_the_user(void **state)
{
    static const struct
    {
        BG_JOB_PROXY_USAGE usage;
        bool absolute;
    } rows[] = {
        {BG_JOB_PROXY_USAGE_PRECONFIG, true},
        {BG_JOB_PROXY_USAGE_AUTODETECT, true},
        {BG_JOB_PROXY_USAGE_NO_PROXY, false},
    };
    struct com_test *test = *state;

    assert_true(write_user_proxy(server_address()));
    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        struct pointers of = pointers_of(test_create_job_of(test, "size=10", L"a"));

        assert_ok(IBackgroundCopyJob_SetProxySettings(of.job, rows[i].usage, NULL, NULL));
        run_well(of.job);
        expect_form(test, rows[i].absolute, 1);
        cancel_pointers(&of);
    }
}

/* HttpOptions */

/* Broken: headers are lost, or lines that make no sense reach the server. */
static void test_settings_headers(void **state)
{
    static const WCHAR headers[] =
        L"X-One: 1\r\nno colon\r\nX Two: 2\r\n: nobody\r\nRange: bytes=0-1\r\n"
        L"Host: elsewhere\r\nX-Three:3\nX-Empty:\r\nUser-Agent: client/1\r\n\r\n";
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job_of(test, "size=10", L"a"));
    WCHAR *longest = repeat(16383);
    WCHAR *too_long = repeat(16384);
    WCHAR *text = TEST_POISON;
    struct pointers again;
    char *log;

    assert_hr(S_FALSE, IBackgroundCopyJobHttpOptions_GetCustomHeaders(of.options, &text));
    assert_null(text);
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_GetCustomHeaders(of.options, NULL));
    assert_ok(IBackgroundCopyJobHttpOptions_SetCustomHeaders(of.options, longest));
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_SetCustomHeaders(of.options, too_long));
    again = find_again(&of);
    assert_ok(IBackgroundCopyJobHttpOptions_GetCustomHeaders(again.options, &text));
    expect_wide(longest, text);
    release_pointers(&again);
    assert_ok(IBackgroundCopyJobHttpOptions_SetCustomHeaders(of.options, NULL));
    assert_hr(S_FALSE, IBackgroundCopyJobHttpOptions_GetCustomHeaders(of.options, &text));
    assert_ok(IBackgroundCopyJobHttpOptions_SetCustomHeaders(of.options, headers));
    assert_ok(IBackgroundCopyJobHttpOptions_GetCustomHeaders(of.options, &text));
    expect_wide(headers, text);
    run_well(of.job);
    log = test_log(test);
    assert_int_equal(1, test_log_count(log));
    expect_logged(log, 0, "x-one", "1");
    expect_logged(log, 0, "x-three", "3");
    expect_logged(log, 0, "x-empty", "");
    expect_logged(log, 0, "user-agent", "client/1");
    expect_logged(log, 0, "range", NULL);
    assert_null(strstr(log, "elsewhere"));
    assert_null(strstr(log, "nobody"));
    assert_null(strstr(log, "no colon"));
    assert_null(strstr(log, "Two"));
    assert_null(strstr(log, "two"));
    free(log);
    free(longest);
    free(too_long);
    cancel_pointers(&of);
}

/* Broken: a client that logs in by itself cannot. */
static void test_settings_headers_log_in(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job_of(test, "auth=basic&size=10", L"a"));
    char *log;

    assert_ok(IBackgroundCopyJobHttpOptions_SetCustomHeaders(
        of.options, L"Authorization: Basic dXNlcjpzZWNyZXQ="));
    run_well(of.job);
    log = test_log(test);
    assert_int_equal(1, test_log_count(log));
    free(log);
    cancel_pointers(&of);
}

static ULONG get_security(const struct pointers *of)
{
    ULONG flags = 0xDEADBEEF;

    assert_ok(IBackgroundCopyJobHttpOptions_GetSecurityFlags(of->options, &flags));
    return flags;
}

/* Broken: flags are not kept, or such are taken as nobody knows. */
static void test_settings_security_flags(void **state)
{
    static const ULONG good[] = {0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F, 0x100, 0x200, 0x800, 0xA1F};
    static const ULONG bad[] = {0x20, 0x40, 0x80, 0x300, 0x400, 0x700, 0x1000, 0x80000000};
    struct pointers of = pointers_of(test_create_job(*state));
    struct pointers again;

    assert_int_equal(0, get_security(&of));
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_GetSecurityFlags(of.options, NULL));
    for (size_t i = 0; i < TEST_COUNT_OF(good); i++)
    {
        assert_ok(IBackgroundCopyJobHttpOptions_SetSecurityFlags(of.options, good[i]));
        assert_int_equal(good[i], get_security(&of));
    }
    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
        assert_hr(E_NOTIMPL, IBackgroundCopyJobHttpOptions_SetSecurityFlags(of.options, bad[i]));
    again = find_again(&of);
    assert_int_equal(0xA1F, get_security(&again));
    release_pointers(&again);
    cancel_pointers(&of);
}

/* Broken: a redirection is followed against the client's will, or the client is not told of it. */
static void test_settings_redirect_policy(void **state)
{
    struct com_test *test = *state;
    struct pointers of = pointers_of(test_create_job_of(test, "redirect=1&size=10", L"a"));
    IBackgroundCopyFile *file;
    WCHAR *url = NULL;
    WCHAR asked[4096];
    bool reported;
    char *log;

    (void)wcscpy(asked, test->url);
    assert_ok(IBackgroundCopyJobHttpOptions_SetSecurityFlags(
        of.options, BG_HTTP_REDIRECT_POLICY_DISALLOW));
    run_into(of.job, TEST_E_UNEXPECTED_REDIRECTION);
    log = test_log(test);
    assert_int_equal(1, test_log_count(log));
    free(log);
    assert_ok(IBackgroundCopyJobHttpOptions_SetSecurityFlags(
        of.options, BG_HTTP_REDIRECT_POLICY_ALLOW_SILENT));
    run_well(of.job);
    expect_url(of.job, 0, asked);
    cancel_pointers(&of);

    of = pointers_of(test_create_job_of(test, "redirect=1&size=10", L"b"));
    (void)wcscpy(asked, test->url);
    assert_ok(IBackgroundCopyJobHttpOptions_SetSecurityFlags(
        of.options, BG_HTTP_REDIRECT_POLICY_ALLOW_REPORT));
    run_well(of.job);
    *(wcsstr(asked, L"redirect=1") + wcslen(L"redirect=")) = L'0';
    file = test_file(of.job, 0);
    assert_ok(IBackgroundCopyFile_GetRemoteName(file, &url));
    IBackgroundCopyFile_Release(file);
    reported = !wcscmp(asked, url);
    CoTaskMemFree(url);
    cancel_pointers(&of);
    assert_true(reported);
}

static void expect_no_certificate(const struct pointers *of)
{
    BG_CERT_STORE_LOCATION location;
    WCHAR *store = TEST_POISON;
    WCHAR *subject = TEST_POISON;
    BYTE *hash = TEST_POISON;

    assert_hr(TEST_E_NOT_FOUND, IBackgroundCopyJobHttpOptions_GetClientCertificate(
                                    of->options, &location, &store, &hash, &subject));
    assert_null(store);
    assert_null(hash);
    assert_null(subject);
}

static void expect_certificate(const struct pointers *of, BG_CERT_STORE_LOCATION location,
    const WCHAR *store, const BYTE *hash, const WCHAR *subject)
{
    BG_CERT_STORE_LOCATION got_location = (BG_CERT_STORE_LOCATION)77;
    WCHAR *got_store = TEST_POISON;
    WCHAR *got_subject = TEST_POISON;
    BYTE *got_hash = TEST_POISON;

    assert_ok(IBackgroundCopyJobHttpOptions_GetClientCertificate(
        of->options, &got_location, &got_store, &got_hash, &got_subject));
    assert_int_equal(location, got_location);
    expect_wide(store, got_store);
    expect_wide(subject, got_subject);
    assert_memory_equal(hash, got_hash, 20);
    CoTaskMemFree(got_hash);
}

/* Broken: a certificate that a client chose is not kept, or one that it did not is. */
static void test_settings_certificate_by_id(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    const BG_CERT_STORE_LOCATION user = BG_CERT_STORE_LOCATION_CURRENT_USER;
    BYTE hash[20];
    BG_CERT_STORE_LOCATION location;
    WCHAR *long_name = repeat(256);
    WCHAR *store = TEST_POISON;
    WCHAR *subject = TEST_POISON;
    BYTE *bytes = TEST_POISON;
    struct pointers again;

    for (size_t i = 0; i < sizeof(hash); i++)
        hash[i] = (BYTE)(i * 11);
    expect_no_certificate(&of);
    assert_hr(S_FALSE, IBackgroundCopyJobHttpOptions_RemoveClientCertificate(of.options));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByID(of.options, user, NULL, hash));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByID(of.options, user, L"", hash));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByID(of.options, user, long_name, hash));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByID(of.options, user, L"MY", NULL));
    assert_hr(E_NOTIMPL, IBackgroundCopyJobHttpOptions_SetClientCertificateByID(
                             of.options, (BG_CERT_STORE_LOCATION)8, L"MY", hash));
    expect_no_certificate(&of);
    assert_ok(IBackgroundCopyJobHttpOptions_SetClientCertificateByID(
        of.options, BG_CERT_STORE_LOCATION_LOCAL_MACHINE, L"MY", hash));
    again = find_again(&of);
    expect_certificate(&again, BG_CERT_STORE_LOCATION_LOCAL_MACHINE, L"MY", hash, NULL);
    release_pointers(&again);
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_GetClientCertificate(
                                of.options, NULL, &store, &bytes, &subject));
    assert_null(store);
    assert_null(bytes);
    assert_null(subject);
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_GetClientCertificate(
                                of.options, &location, &store, &bytes, NULL));
    assert_ok(IBackgroundCopyJobHttpOptions_RemoveClientCertificate(of.options));
    assert_hr(S_FALSE, IBackgroundCopyJobHttpOptions_RemoveClientCertificate(of.options));
    expect_no_certificate(&of);
    free(long_name);
    cancel_pointers(&of);
}

/* Puts a certificate of our own making into a store of the test's own, and gives back its hash. */
static void add_certificate(BYTE hash[20])
{
    BYTE encoded[256];
    CERT_NAME_BLOB name = {sizeof(encoded), encoded};
    /* Wine writes a store when the last pointer into it is gone. */
    HCERTSTORE store =
        CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, STORE);
    PCCERT_CONTEXT certificate;
    DWORD size = 20;

    assert_non_null(store);
    assert_true(CertStrToNameW(X509_ASN_ENCODING, L"CN=" SUBJECT, CERT_X500_NAME_STR, NULL,
        name.pbData, &name.cbData, NULL));
    certificate = CertCreateSelfSignCertificate(0, &name, 0, NULL, NULL, NULL, NULL, NULL);
    assert_non_null(certificate);
    assert_true(CertAddCertificateContextToStore(
        store, certificate, CERT_STORE_ADD_REPLACE_EXISTING, NULL));
    assert_true(
        CertGetCertificateContextProperty(certificate, CERT_SHA1_HASH_PROP_ID, hash, &size));
    (void)CertFreeCertificateContext(certificate);
    assert_true(CertCloseStore(store, 0));
}

/* CERT_STORE_DELETE_FLAG does nothing in Wine. */
static void delete_store(void)
{
    (void)RegDeleteTreeW(HKEY_CURRENT_USER, L"Software\\Microsoft\\SystemCertificates\\" STORE);
}

static int teardown_without_certificate(void **state)
{
    delete_store();
    return test_teardown(state);
}

/* Broken: the certificate of that name is not found, or the wrong one. */
static void test_settings_certificate_by_name(void **state)
{
    struct pointers of = pointers_of(test_create_job(*state));
    const BG_CERT_STORE_LOCATION user = BG_CERT_STORE_LOCATION_CURRENT_USER;
    BYTE hash[20] = {0};
    WCHAR *long_name = repeat(256);

    delete_store();
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(of.options, user, NULL, SUBJECT));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(of.options, user, L"MY", NULL));
    assert_hr(E_INVALIDARG,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(of.options, user, L"MY", L""));
    assert_hr(E_INVALIDARG, IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
                                of.options, user, L"MY", long_name));
    assert_hr(E_NOTIMPL, IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
                             of.options, (BG_CERT_STORE_LOCATION)8, L"MY", SUBJECT));
    assert_hr(CRYPT_E_NOT_FOUND, IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
                                     of.options, user, L"MY", SUBJECT L" of another"));
    assert_hr(TEST_E_FILE_NOT_FOUND,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(of.options, user, STORE, SUBJECT));
    expect_no_certificate(&of);
    add_certificate(hash);
    assert_ok(IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
        of.options, user, STORE, L"Settings Test"));
    expect_certificate(&of, user, STORE, hash, L"Settings Test");
    assert_hr(CRYPT_E_NOT_FOUND, IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
                                     of.options, user, STORE, SUBJECT L" of another"));
    /* What was refused changes nothing. */
    expect_certificate(&of, user, STORE, hash, L"Settings Test");
    assert_ok(IBackgroundCopyJob_Cancel(of.job));
    assert_hr(DO_E_INVALID_STATE,
        IBackgroundCopyJobHttpOptions_SetClientCertificateByName(of.options, user, STORE, SUBJECT));
    free(long_name);
    release_pointers(&of);
}

/* Final states */

#define IS_REFUSED(call) assert_hr(DO_E_INVALID_STATE, call)

/* Broken: a client believes that it has changed a job that is over. */
static void test_settings_final_states_refuse_setters(void **state)
{
    struct com_test *test = *state;

    for (int completes = 0; completes <= 1; completes++)
    {
        struct pointers of = pointers_of(test_create_job_of(test, "size=10", L"a"));
        BITS_JOB_PROPERTY_VALUE class_id;
        BG_FILE_RANGE range = {0, 5};
        WCHAR url[] = L"http://127.0.0.1/a";
        BG_FILE_INFO info = {url, test->local};
        BYTE hash[20] = {1};
        WCHAR *text = TEST_POISON;

        memset(&class_id, 0x11, sizeof(class_id));
        assert_ok(IBackgroundCopyJob_SetDescription(of.job, L"before"));
        assert_hr(completes ? TEST_S_PARTIAL_COMPLETE : S_OK,
            completes ? IBackgroundCopyJob_Complete(of.job) : IBackgroundCopyJob_Cancel(of.job));
        IS_REFUSED(IBackgroundCopyJob_SetDisplayName(of.job, L"x"));
        IS_REFUSED(IBackgroundCopyJob_SetDescription(of.job, L"x"));
        IS_REFUSED(IBackgroundCopyJob_SetPriority(of.job, BG_JOB_PRIORITY_LOW));
        IS_REFUSED(IBackgroundCopyJob_SetMinimumRetryDelay(of.job, 1));
        IS_REFUSED(IBackgroundCopyJob_SetNoProgressTimeout(of.job, 1));
        IS_REFUSED(
            IBackgroundCopyJob_SetProxySettings(of.job, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL));
        IS_REFUSED(IBackgroundCopyJob_AddFileSet(of.job, 1, &info));
        IS_REFUSED(IBackgroundCopyJob5_SetNotifyCmdLine(of.job5, L"x", NULL));
        IS_REFUSED(set_credentials(&of, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, L"u", L"p"));
        IS_REFUSED(IBackgroundCopyJob5_RemoveCredentials(
            of.job5, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC));
        IS_REFUSED(IBackgroundCopyJob5_ReplaceRemotePrefix(of.job5, L"http://", L"https://"));
        IS_REFUSED(IBackgroundCopyJob5_AddFileWithRanges(of.job5, url, test->local, 1, &range));
        IS_REFUSED(IBackgroundCopyJob5_SetMaximumDownloadTime(of.job5, 1));
        IS_REFUSED(set_cost(&of, 1));
        IS_REFUSED(IBackgroundCopyJob5_SetProperty(
            of.job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, class_id));
        IS_REFUSED(IBackgroundCopyJobHttpOptions_SetClientCertificateByID(
            of.options, BG_CERT_STORE_LOCATION_CURRENT_USER, L"MY", hash));
        IS_REFUSED(IBackgroundCopyJobHttpOptions_RemoveClientCertificate(of.options));
        IS_REFUSED(IBackgroundCopyJobHttpOptions_SetCustomHeaders(of.options, L"X: 1"));
        IS_REFUSED(IBackgroundCopyJobHttpOptions_SetSecurityFlags(of.options, 1));
        /* Getters go on. */
        assert_ok(IBackgroundCopyJob_GetDescription(of.job, &text));
        expect_wide(L"before", text);
        expect_proxy(&of, BG_JOB_PROXY_USAGE_PRECONFIG, NULL, NULL);
        assert_int_equal(0, get_security(&of));
        expect_no_certificate(&of);
        release_pointers(&of);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_settings_description),
        COM_TEST(test_settings_owner),
        COM_TEST(test_settings_error_count),
        COM_TEST(test_settings_minimum_retry_delay),
        COM_TEST(test_settings_maximum_download_time),
        COM_TEST(test_settings_command_line),
        COM_TEST(test_settings_replies),
        COM_TEST(test_settings_credentials_codes),
        COM_TEST(test_settings_replace_prefix),
        COM_TEST(test_settings_ranges_of_job3),
        COM_TEST(test_settings_acls_and_peers),
        COM_TEST(test_settings_properties),
        COM_TEST(test_settings_proxy_codes),
        COM_TEST(test_settings_proxy_override),
        COM_TEST(test_settings_proxy_bypass),
        cmocka_unit_test_setup_teardown(
            test_settings_proxy_of_the_user, test_setup, teardown_without_user_proxy),
        COM_TEST(test_settings_headers),
        COM_TEST(test_settings_headers_log_in),
        COM_TEST(test_settings_security_flags),
        COM_TEST(test_settings_redirect_policy),
        COM_TEST(test_settings_certificate_by_id),
        cmocka_unit_test_setup_teardown(
            test_settings_certificate_by_name, test_setup, teardown_without_certificate),
        COM_TEST(test_settings_final_states_refuse_setters),
    };

    return COM_TEST_RUN(tests);
}
