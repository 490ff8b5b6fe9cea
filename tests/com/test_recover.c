/* SPDX-License-Identifier: MIT */
/*
 * What a process leaves to the next one, and files that other programs have open: credentials of a
 * client that was killed, locks of the kind that virus scanners take, another place for the queue.
 * The client that is killed is this program, called with --leave. Runs on the test's thread.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

#define TEST_E_SHARING_VIOLATION ((HRESULT)0x80070020)
#define TEST_S_UNABLE_TO_DELETE_FILES ((HRESULT)0x0020001A)

/* Nowhere else in the queue. */
#define PASSWORD "correct horse 77"
#define TOKEN "c3RhcGxlIGJhdHRlcnk="

/* The client that is gone */

static int leave(void)
{
    (void)TerminateProcess(GetCurrentProcess(), 0);
    return 9;
}

static HRESULT give_credentials(IBackgroundCopyJob2 *job, BG_AUTH_TARGET target, WCHAR *password)
{
    WCHAR user[] = L"user";
    BG_AUTH_CREDENTIALS credentials;

    memset(&credentials, 0, sizeof(credentials));
    credentials.Target = target;
    credentials.Scheme = BG_AUTH_SCHEME_BASIC;
    credentials.Credentials.Basic.UserName = user;
    credentials.Credentials.Basic.Password = password;
    return IBackgroundCopyJob2_SetCredentials(job, &credentials);
}

static int leave_job(const WCHAR *url, const WCHAR *path)
{
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    IBackgroundCopyJob2 *job2 = NULL;
    WCHAR right[] = L"secret";
    WCHAR other[] = L"" PASSWORD; /* for no proxy: to be looked for */
    GUID id;

    if (FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IBackgroundCopyManager, (void **)&manager)) ||
        FAILED(
            IBackgroundCopyManager_CreateJob(manager, L"left", BG_JOB_TYPE_DOWNLOAD, &id, &job)) ||
        FAILED(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob2, (void **)&job2)) ||
        FAILED(give_credentials(job2, BG_AUTH_TARGET_SERVER, right)) ||
        FAILED(give_credentials(job2, BG_AUTH_TARGET_PROXY, other)) ||
        FAILED(IBackgroundCopyJob_AddFile(job, url, path)))
        return 2;
    return leave();
}

static int leave_download(const WCHAR *url, const WCHAR *path)
{
    static const WCHAR headers[] =
        L"Authorization: Basic dXNlcjpzZWNyZXQ=\r\nX-Token: " TOKEN "\r\n";
    IDOManager *manager = NULL;
    IDODownload *download = NULL;

    if (FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IDOManager, (void **)&manager)) ||
        FAILED(IDOManager_CreateDownload(manager, &download)) ||
        FAILED(modern_set_text(download, DODownloadProperty_Uri, url)) ||
        FAILED(modern_set_text(download, DODownloadProperty_LocalPath, path)) ||
        FAILED(modern_set_text(download, DODownloadProperty_HttpCustomAuthHeaders, headers)) ||
        FAILED(modern_set_bool(download, DODownloadProperty_NonVolatile, true)) ||
        FAILED(IDODownload_Start(download, NULL)) || FAILED(IDODownload_Pause(download)))
        return 3;
    return leave();
}

/* Neither has quotes or ends in a backslash. */
static void run_leaver(const WCHAR *what, const WCHAR *url, const WCHAR *path)
{
    WCHAR line[8192];
    WCHAR self[1024];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD code = STILL_ACTIVE;

    assert_true(GetModuleFileNameW(NULL, self, (DWORD)TEST_COUNT_OF(self)));
    (void)_snwprintf(
        line, TEST_COUNT_OF(line), L"\"%ls\" --leave %ls \"%ls\" \"%ls\"", self, what, url, path);
    assert_true(CreateProcessW(self, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process));
    (void)WaitForSingleObject(process.hProcess, 2 * TEST_PATIENCE_MS);
    assert_true(GetExitCodeProcess(process.hProcess, &code));
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    assert_int_equal(0, code);
}

/* Lets go of the server, and waits until nothing of it goes on. */
static void stop_engine(struct com_test *test)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    HMODULE module = GetModuleHandleW(L"dosvc.dll");
    FARPROC found = module ? GetProcAddress(module, "DllCanUnloadNow") : NULL;
    HRESULT(STDAPICALLTYPE * can_unload_now)(void);

    if (test->manager)
        IBackgroundCopyManager_Release(test->manager);
    test->manager = NULL;
    assert_non_null(found);
    memcpy(&can_unload_now, &found, sizeof(found));
    while (can_unload_now() != S_OK)
    {
        assert_true(GetTickCount64() < end);
        Sleep(10);
    }
}

/* Whether the file, if there is one, has these bytes somewhere. */
static bool file_contains(const WCHAR *path, const char *text, size_t length)
{
    FILE *file = _wfopen(path, L"rb");
    static char data[1 << 20];
    size_t size = file ? fread(data, 1, sizeof(data), file) : 0;

    if (file)
        (void)fclose(file);
    for (size_t i = 0; i + length <= size; i++)
    {
        if (!memcmp(data + i, text, length))
            return true;
    }
    return false;
}

static bool queue_contains(const char *text, size_t length)
{
    static const WCHAR *const names[] = {L"queue.db", L"queue.db-wal"};
    WCHAR path[1200];
    WCHAR folder[1024];
    bool found = false;

    assert_true(
        GetEnvironmentVariableW(L"LOCALAPPDATA", folder, (DWORD)TEST_COUNT_OF(folder)) != 0);
    for (size_t i = 0; i < TEST_COUNT_OF(names); i++)
    {
        (void)_snwprintf(path, TEST_COUNT_OF(path), L"%ls\\dosvc\\%ls", folder, names[i]);
        found = file_contains(path, text, length) || found;
    }
    return found;
}

static IBackgroundCopyJob *only_job(const struct com_test *test)
{
    IEnumBackgroundCopyJobs *jobs = NULL;
    IBackgroundCopyJob *job = NULL;

    assert_ok(IBackgroundCopyManager_EnumJobs(test->manager, 0, &jobs));
    assert_ok(IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL));
    IEnumBackgroundCopyJobs_Release(jobs);
    return job;
}

/* How the server was asked last. */
static void expect_authorization(const struct com_test *test, const char *expected)
{
    char value[256];
    char *log = test_log(test);
    unsigned int count = test_log_count(log);

    assert_true(count > 0);
    assert_true(test_log_value(log, count - 1, "authorization", value, sizeof(value)));
    assert_string_equal(expected, value);
    free(log);
}

/* Broken: a job whose process was killed forgets its password, or leaves it for all to read. */
static void test_recover_credentials_outlive_the_process(void **state)
{
    struct com_test *test = *state;
    const WCHAR *url = test_url(test, "auth=basic&size=70000");
    const WCHAR *path = test_local(test, L"a");
    IBackgroundCopyJob *job;

    stop_engine(test);
    run_leaver(L"job", url, path);
    assert_true(queue_contains("http://127.0.0.1", strlen("http://127.0.0.1")));
    assert_false(queue_contains(PASSWORD, strlen(PASSWORD)));
    test->manager = test_create_manager();
    job = only_job(test);
    test_fetch(job);
    test_expect_object(path, 70000, 1);
    expect_authorization(test, "Basic dXNlcjpzZWNyZXQ=");
    IBackgroundCopyJob_Release(job);
}

static IDODownload *only_download(void)
{
    IDOManager *manager = modern_manager();
    IEnumUnknown *downloads = NULL;
    IUnknown *item = NULL;
    IDODownload *download = NULL;

    assert_ok(IDOManager_EnumDownloads(manager, NULL, &downloads));
    assert_ok(IEnumUnknown_Next(downloads, 1, &item, NULL));
    assert_ok(IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download));
    IUnknown_Release(item);
    IEnumUnknown_Release(downloads);
    IDOManager_Release(manager);
    return download;
}

/* Broken: the same for a download's authentication headers. */
static void test_recover_auth_headers_outlive_the_process(void **state)
{
    struct com_test *test = *state;
    const WCHAR *url = test_url(test, "auth=basic&size=70000&rate=20k");
    const WCHAR *path = test_local(test, L"a");
    IDODownload *download;

    stop_engine(test);
    run_leaver(L"download", url, path);
    assert_false(queue_contains(TOKEN, strlen(TOKEN)));
    test->manager = test_create_manager();
    download = only_download();
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(path, 70000, 1);
    expect_authorization(test, "Basic dXNlcjpzZWNyZXQ=");
    IDODownload_Release(download);
}

/* Files that other programs have open */

static void find_temp(const struct com_test *test, WCHAR *path, size_t size)
{
    WIN32_FIND_DATAW found;
    HANDLE search;

    (void)_snwprintf(path, size, L"%lsDO*.tmp", test->folder);
    search = FindFirstFileW(path, &found);
    assert_true(search != INVALID_HANDLE_VALUE);
    (void)FindClose(search);
    (void)_snwprintf(path, size, L"%ls%ls", test->folder, found.cFileName);
}

/* As a virus scanner has it: nobody may write or delete. */
static HANDLE lock_file(const WCHAR *path)
{
    const ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    HANDLE handle;

    do
        handle = CreateFileW(
            path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    while (handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION &&
           GetTickCount64() < end);
    assert_true(handle != INVALID_HANDLE_VALUE);
    return handle;
}

/* Broken: a scanner that looks at a temporary file for a moment ends the download. */
static void test_recover_locked_temporary_file_is_waited_for(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=4m&rate=2m", L"a");
    BG_ERROR_CONTEXT context;
    WCHAR temp[1100];
    HANDLE lock;

    assert_ok(IBackgroundCopyJob_SetMinimumRetryDelay(job, 1));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1 << 20);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    find_temp(test, temp, TEST_COUNT_OF(temp));
    lock = lock_file(temp);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSIENT_ERROR);
    assert_hr(TEST_E_SHARING_VIOLATION, test_error(job, &context));
    (void)CloseHandle(lock);
    /* It goes on by itself, from where it was. */
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_wait_end(job));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 4 << 20, 1);
    IBackgroundCopyJob_Release(job);
}

static DWORD WINAPI unlock_soon(void *ctx)
{
    Sleep(1000);
    (void)CloseHandle(ctx);
    return 0;
}

/* Broken: a scanner that looks at a file for a moment makes Complete fail. */
static void check_complete_waits(struct com_test *test, bool target)
{
    IBackgroundCopyJob *job = test_create_job_of(test, "size=70000", L"a");
    WCHAR temp[1100];
    HANDLE thread;

    test_write_text(test->local, "old");
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_wait_end(job));
    find_temp(test, temp, TEST_COUNT_OF(temp));
    thread = CreateThread(NULL, 0, unlock_soon, lock_file(target ? test->local : temp), 0, NULL);
    assert_non_null(thread);
    assert_ok(IBackgroundCopyJob_Complete(job));
    (void)WaitForSingleObject(thread, INFINITE);
    (void)CloseHandle(thread);
    test_expect_object(test->local, 70000, 1);
    assert_int_equal(0, test_count_temp(test->folder));
    IBackgroundCopyJob_Release(job);
}

static void test_recover_complete_waits_for_locked_files(void **state)
{
    check_complete_waits(*state, false);
    check_complete_waits(*state, true);
}

/* Broken: a target that stays locked is waited for for ever, or its job is lost. */
static void test_recover_complete_says_that_the_target_is_locked(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=70000", L"a");
    BG_ERROR_CONTEXT context;
    HANDLE lock;

    test_write_text(test->local, "old");
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_wait_end(job));
    lock = lock_file(test->local);
    assert_hr(TEST_E_SHARING_VIOLATION, IBackgroundCopyJob_Complete(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_hr(TEST_E_SHARING_VIOLATION, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_LOCAL_FILE, context);
    test_expect_text(test->local, "old");
    (void)CloseHandle(lock);
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 70000, 1);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a temporary file that was in use when its job was cancelled stays for ever. */
static void test_recover_locked_file_is_deleted_later(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=4m&rate=2m", L"a");
    WCHAR temp[1100];
    HANDLE lock;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1 << 20);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    find_temp(test, temp, TEST_COUNT_OF(temp));
    lock = lock_file(temp);
    assert_hr(TEST_S_UNABLE_TO_DELETE_FILES, IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
    assert_int_equal(1, test_count_temp(test->folder));
    (void)CloseHandle(lock);
    /* By the engine that ends, or by the one that begins. */
    stop_engine(test);
    test->manager = test_create_manager();
    assert_int_equal(0, test_count_temp(test->folder));
}

/* The place of the queue */

/* Broken: the queue cannot be kept elsewhere, or a bad setting is taken for none. */
static void test_recover_queue_lies_where_it_is_told(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    WCHAR path[1024];

    stop_engine(test);
    assert_true(SetEnvironmentVariableW(L"DOSVC_QUEUE", L"queue.db"));
    assert_true(FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
        &IID_IBackgroundCopyManager, (void **)&test->manager)));
    assert_null(test->manager);
    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%lsnew folder\\my.db", test->folder);
    assert_true(SetEnvironmentVariableW(L"DOSVC_QUEUE", path));
    test->manager = test_create_manager();
    job = test_create_job_of(test, "size=70000", L"a");
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_true(test_file_size(path) != TEST_SIZE_MISSING);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
    stop_engine(test);
    assert_true(SetEnvironmentVariableW(L"DOSVC_QUEUE", NULL));
    test->manager = test_create_manager();
    /* That engine has ended, so its file is free. */
    assert_true(DeleteFileW(path));
    *wcsrchr(path, L'\\') = 0;
    assert_true(RemoveDirectoryW(path));
}

static int teardown_queue(void **state)
{
    (void)SetEnvironmentVariableW(L"DOSVC_QUEUE", NULL);
    return modern_teardown(state);
}

static int leave_as(char **arguments)
{
    WCHAR url[4096];
    WCHAR path[1024];

    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%hs", arguments[1]);
    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%hs", arguments[2]);
    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return 1;
    return !strcmp(arguments[0], "job") ? leave_job(url, path) : leave_download(url, path);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_recover_credentials_outlive_the_process),
        MODERN_TEST(test_recover_auth_headers_outlive_the_process),
        MODERN_TEST(test_recover_locked_temporary_file_is_waited_for),
        MODERN_TEST(test_recover_complete_waits_for_locked_files),
        MODERN_TEST(test_recover_complete_says_that_the_target_is_locked),
        MODERN_TEST(test_recover_locked_file_is_deleted_later),
        cmocka_unit_test_setup_teardown(
            test_recover_queue_lies_where_it_is_told, modern_setup, teardown_queue),
    };

    if (count == 5 && !strcmp(arguments[1], "--leave"))
        return leave_as(arguments + 2);
    return COM_TEST_RUN(tests);
}
