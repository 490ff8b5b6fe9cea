/* SPDX-License-Identifier: MIT */
/*
 * How jobs end: what Complete saves and what it does when it cannot, and what Cancel leaves behind,
 * by the moment at which it comes. Everything runs on the test's thread, but for one call at a time
 * on a thread that records its result. Handles that hold files are the test's, which closes them.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define TEST_S_UNABLE_TO_DELETE_FILES ((HRESULT)0x0020001A)
#define TEST_E_SHARING_VIOLATION ((HRESULT)0x80070020)
#define TEST_E_FILE_NOT_FOUND ((HRESULT)0x80070002)
/* So many jobs run at once. (docs/com-surface.md) */
#define RUNNING_JOBS 8U

/* The handle of a file that exists, shared as told; it may be open elsewhere for a moment yet. */
static HANDLE hold_file(const WCHAR *path, DWORD share)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    HANDLE file;

    while ((file = CreateFileW(path, GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL)) ==
               INVALID_HANDLE_VALUE &&
           GetLastError() == ERROR_SHARING_VIOLATION && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
    assert_true(file != INVALID_HANDLE_VALUE);
    return file;
}

static void get_temp_name(IBackgroundCopyJob *job, ULONG index, WCHAR *path, size_t size)
{
    IBackgroundCopyFile *file = test_file(job, index);
    IBackgroundCopyFile3 *file3 = NULL;
    WCHAR *name = NULL;

    assert_ok(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile3, (void **)&file3));
    assert_ok(IBackgroundCopyFile3_GetTemporaryName(file3, &name));
    assert_in_range(wcslen(name), 1, size - 1);
    wcscpy(path, name);
    CoTaskMemFree(name);
    IBackgroundCopyFile3_Release(file3);
    IBackgroundCopyFile_Release(file);
}

static void wait_transferred(IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
}

static bool is_wine(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

/* The job is over and nothing can be done with it any more. */
static void check_over(const struct com_test *test, IBackgroundCopyJob *job, BG_JOB_STATE state)
{
    IBackgroundCopyJob *found = TEST_POISON;
    GUID id;

    assert_int_equal(state, test_state(job));
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_Complete(job));
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_Resume(job));
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_Suspend(job));
    assert_int_equal(state, test_state(job));
    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_hr(DO_E_JOB_NOT_FOUND, IBackgroundCopyManager_GetJob(test->manager, &id, &found));
    assert_null(found);
    assert_int_equal(0, test_count_temp(test->folder));
}

/* Complete */

/* Broken: one of several files is not saved, or a job that is over lives on. */
static void test_complete_saves_all(void **state)
{
    static const WCHAR *const names[] = {L"a", L"b", L"c", L"d"};
    static const char *const queries[] = {
        "size=100k&seed=1", "size=0", "size=1&seed=3", "size=2m&seed=4"};
    static const UINT64 sizes[] = {100 << 10, 0, 1, 2 << 20};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    for (size_t i = 0; i < 4; i++)
        test_add(test, job, queries[i], names[i]);
    wait_transferred(job);
    assert_int_equal(4, test_count_temp(test->folder));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, names[i])));
    assert_ok(IBackgroundCopyJob_Complete(job));
    for (ULONG i = 0; i < 4; i++)
    {
        test_expect_object(test_local(test, names[i]), sizes[i], i + 1);
        assert_true(test_file_progress(job, i).Completed);
    }
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: what is there when the client has had enough is thrown away, or half a file is saved.
   (Source: win32 docs, Complete: during file 3 of 5.) */
static void test_complete_during_the_third_of_five_files_saves_two(void **state)
{
    static const WCHAR *const names[] = {L"a", L"b", L"c", L"d", L"e"};
    static const char *const queries[] = {
        "size=1000&seed=1", "size=2000&seed=2", "size=600k&stall=300k", "size=1000", "size=1000"};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    test_write_text(test_local(test, L"c"), "old");
    for (size_t i = 0; i < 5; i++)
        test_add(test, job, queries[i], names[i]);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 3001);
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    test_expect_object(test_local(test, L"a"), 1000, 1);
    test_expect_object(test_local(test, L"b"), 2000, 2);
    test_expect_text(test_local(test, L"c"), "old");
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"d")));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"e")));
    for (ULONG i = 0; i < 5; i++)
        assert_int_equal(i < 2, test_file_progress(job, i).Completed);
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a job that has nothing, or an error, cannot be ended with Complete. */
static void test_complete_without_a_transfer_and_after_an_error(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    assert_ok(IBackgroundCopyJob_Complete(job));
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000", L"a");
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000", L"b");
    test_add(test, job, "status=404", L"c");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    test_expect_object(test_local(test, L"b"), 1000, 1);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"c")));
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: the server's date is lost, or a date that is none spoils the file. */
static void test_complete_keeps_the_time_of_the_object(void **state)
{
    struct com_test *test = *state;
    const SYSTEMTIME expected = {.wYear = 2020, .wMonth = 1, .wDay = 1};
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    WIN32_FILE_ATTRIBUTE_DATA data;
    FILETIME wanted;

    wait_transferred(job);
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_true(SystemTimeToFileTime(&expected, &wanted));
    assert_true(GetFileAttributesExW(test->local, GetFileExInfoStandard, &data));
    assert_int_equal(0, CompareFileTime(&wanted, &data.ftLastWriteTime));
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000&last_modified=yesterday", L"b");
    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);
}

/* Broken: an existing file is a reason to fail, or lends the new one its length. */
static void test_complete_replaces_an_existing_target(void **state)
{
    static char long_text[10000];
    struct com_test *test = *state;
    IBackgroundCopyJob *job;

    memset(long_text, 'x', sizeof(long_text) - 1);
    test_write_text(test_local(test, L"a"), long_text);
    job = test_create_job_of(test, "size=1000", L"a");
    wait_transferred(job);
    assert_int_equal(sizeof(long_text) - 1, test_file_size(test->local));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);
}

/* Complete fails with LOCAL_FILE for the file at index, and nothing else changes. */
static HRESULT check_failed_complete(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyError *error = NULL;
    IBackgroundCopyFile *file = NULL, *expected = NULL;
    BG_ERROR_CONTEXT context;
    WCHAR *name = NULL, *wanted = NULL;
    HRESULT hr;

    hr = IBackgroundCopyJob_Complete(job);
    assert_true(FAILED(hr));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_hr(hr, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_LOCAL_FILE, context);
    assert_ok(IBackgroundCopyJob_GetError(job, &error));
    assert_ok(IBackgroundCopyError_GetFile(error, &file));
    expected = test_file(job, index);
    assert_ok(IBackgroundCopyFile_GetRemoteName(file, &name));
    assert_ok(IBackgroundCopyFile_GetRemoteName(expected, &wanted));
    assert_int_equal(0, wcscmp(name, wanted));
    CoTaskMemFree(name);
    CoTaskMemFree(wanted);
    IBackgroundCopyFile_Release(expected);
    IBackgroundCopyFile_Release(file);
    IBackgroundCopyError_Release(error);
    assert_false(test_file_progress(job, index).Completed);
    return hr;
}

/* Broken: a target in use costs the download, or the file that is in use. */
static void test_complete_fails_while_the_target_is_held(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    HANDLE held;
    HRESULT hr;

    test_write_text(test_local(test, L"a"), "old");
    job = test_create_job_of(test, "size=1000", L"a");
    wait_transferred(job);
    held = hold_file(test->local, 0);
    hr = check_failed_complete(job, 0);
    assert_true(hr == TEST_E_SHARING_VIOLATION || hr == E_ACCESSDENIED);
    assert_hr(hr, check_failed_complete(job, 0));
    assert_int_equal(1, test_count_temp(test->folder));
    assert_true(CloseHandle(held));
    test_expect_text(test->local, "old");
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file that its owner protects is overwritten, or a directory taken for a file. */
static void test_complete_fails_for_a_protected_target(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;

    test_write_text(test_local(test, L"a"), "old");
    job = test_create_job_of(test, "size=1000", L"a");
    wait_transferred(job);
    assert_true(SetFileAttributesW(test->local, FILE_ATTRIBUTE_READONLY));
    /* Wine 8 renames over a read-only file. */
    if (!is_wine())
    {
        assert_hr(E_ACCESSDENIED, check_failed_complete(job, 0));
        test_expect_text(test->local, "old");
        assert_true(SetFileAttributesW(test->local, FILE_ATTRIBUTE_NORMAL));
    }
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000", L"b");
    wait_transferred(job);
    assert_true(CreateDirectoryW(test->local, NULL));
    (void)check_failed_complete(job, 0);
    assert_true(RemoveDirectoryW(test->local));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a folder that was deleted makes Complete succeed without a file, or the job immortal. */
static void test_complete_fails_when_the_directory_has_vanished(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    WCHAR folder[1024], temp[1024];
    HRESULT hr;

    wcscpy(folder, test_local(test, L"sub"));
    assert_true(CreateDirectoryW(folder, NULL));
    job = test_create_job_of(test, "size=1000", L"sub\\a");
    wait_transferred(job);
    get_temp_name(job, 0, temp, TEST_COUNT_OF(temp));
    CloseHandle(hold_file(temp, FILE_SHARE_READ));
    assert_true(DeleteFileW(temp));
    assert_true(RemoveDirectoryW(folder));
    hr = check_failed_complete(job, 0);
    assert_true(hr == TEST_E_PATH_NOT_FOUND || hr == TEST_E_FILE_NOT_FOUND);
    /* The directory comes back, the bytes do not. */
    assert_true(CreateDirectoryW(folder, NULL));
    assert_hr(TEST_E_FILE_NOT_FOUND, check_failed_complete(job, 0));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    assert_true(RemoveDirectoryW(folder));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a repeated Complete fails at, or spoils, what the first one has saved. */
static void test_complete_repeated_saves_the_rest_only(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    HANDLE held;

    test_write_text(test_local(test, L"b"), "old");
    test_add(test, job, "size=1000&seed=1", L"a");
    test_add(test, job, "size=2000&seed=2", L"b");
    test_add(test, job, "size=3000&seed=3", L"c");
    wait_transferred(job);
    held = hold_file(test_local(test, L"b"), 0);
    (void)check_failed_complete(job, 1);
    assert_true(test_file_progress(job, 0).Completed);
    assert_false(test_file_progress(job, 2).Completed);
    test_expect_object(test_local(test, L"a"), 1000, 1);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"c")));
    /* From here on the first file is the client's. */
    test_write_text(test_local(test, L"a"), "mine");
    (void)check_failed_complete(job, 1);
    assert_true(CloseHandle(held));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_text(test_local(test, L"a"), "mine");
    test_expect_object(test_local(test, L"b"), 2000, 2);
    test_expect_object(test_local(test, L"c"), 3000, 3);
    for (ULONG i = 0; i < 3; i++)
        assert_true(test_file_progress(job, i).Completed);
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: Cancel after a Complete that failed takes away what was saved. */
static void test_complete_failed_then_cancelled_keeps_what_was_saved(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    HANDLE held;

    test_write_text(test_local(test, L"b"), "old");
    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=2000", L"b");
    wait_transferred(job);
    held = hold_file(test_local(test, L"b"), 0);
    (void)check_failed_complete(job, 1);
    assert_true(CloseHandle(held));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    test_expect_object(test_local(test, L"a"), 1000, 1);
    test_expect_text(test_local(test, L"b"), "old");
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a partial Complete that fails stops the download that was still running. */
static void test_complete_failed_while_running_lets_the_job_go_on(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_ERROR_CONTEXT context;
    HANDLE held;
    HRESULT hr;

    test_write_text(test_local(test, L"a"), "old");
    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=600k&rate=300k", L"b");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1001);
    held = hold_file(test_local(test, L"a"), 0);
    hr = IBackgroundCopyJob_Complete(job);
    assert_true(CloseHandle(held));
    assert_true(hr == TEST_E_SHARING_VIOLATION || hr == E_ACCESSDENIED);
    assert_true(
        test_state(job) == BG_JOB_STATE_TRANSFERRING || test_state(job) == BG_JOB_STATE_QUEUED);
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_hr(S_OK, test_error(job, &context));
    test_expect_object(test_local(test, L"a"), 1000, 1);
    test_expect_object(test_local(test, L"b"), 600 << 10, 1);
    IBackgroundCopyJob_Release(job);
}

/* Cancel, by the moment */

static void check_cancel(struct com_test *test, IBackgroundCopyJob *job)
{
    ULONGLONG start = GetTickCount64();

    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_true(GetTickCount64() - start < 5000);
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"a")));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a job that waits for its turn cannot be cancelled, or starts all the same. */
static void test_complete_cancel_while_queued(void **state)
{
    IBackgroundCopyJob *running[RUNNING_JOBS];
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    char *log;

    for (unsigned int i = 0; i < RUNNING_JOBS; i++)
    {
        running[i] = test_create_job_of(test, "size=1000&delay=15000", L"b");
        assert_ok(IBackgroundCopyJob_Resume(running[i]));
    }
    job = test_create_job_of(test, "size=1000", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_QUEUED, test_state(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    for (unsigned int i = 0; i < RUNNING_JOBS; i++)
    {
        assert_ok(IBackgroundCopyJob_Cancel(running[i]));
        IBackgroundCopyJob_Release(running[i]);
    }
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    log = test_log(test);
    assert_int_equal(0, test_log_count(log));
    free(log);
    IBackgroundCopyJob_Release(job);
}

/* Broken: Cancel waits for, or is lost in, a connection that is being made. */
static void test_complete_cancel_while_connecting(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    SOCKET listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    struct com_test *test = *state;
    int length = (int)sizeof(address);
    WCHAR url[64];

    /* Nobody accepts: connected at the most, and never answered. */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(listener != INVALID_SOCKET);
    assert_int_equal(0, bind(listener, (const struct sockaddr *)&address, length));
    assert_int_equal(0, listen(listener, 1));
    assert_int_equal(0, getsockname(listener, (struct sockaddr *)&address, &length));
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"http://127.0.0.1:%u/a", ntohs(address.sin_port));
    for (unsigned int i = 0; i < 30; i++)
    {
        IBackgroundCopyJob *job = test_create_job(test);

        assert_ok(IBackgroundCopyJob_AddFile(job, url, test_local(test, L"a")));
        assert_ok(IBackgroundCopyJob_Resume(job));
        /* At different steps of its way; none of them is waited for. */
        if (i % 3)
            Sleep(i % 3);
        check_cancel(test, job);
    }
    (void)closesocket(listener);
}

/* Broken: the temporary file outlives its job, or its last bytes bring it back. */
static void test_complete_cancel_during_the_transfer(void **state)
{
    static const struct
    {
        const char *moment;
        const char *query;
        UINT64 bytes;
    } rows[] = {
        {"first byte", "size=3m&stall=1", 1},
        {"inside a block", "size=3m&stall=1500k", 1 << 20},
        {"bytes are coming", "size=20m&rate=10m", 3 << 20},
        {"last block", "size=3m&stall=3145727", (2 << 20) + 1},
        {"last byte of a slow one", "size=100k&rate=200k", 90 << 10},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].query, L"a");
        ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
        WCHAR temp[1024];

        print_message("  %s\n", rows[i].moment);
        assert_ok(IBackgroundCopyJob_Resume(job));
        if (i < 4)
            test_wait_bytes(job, rows[i].bytes);
        else
        {
            /* May be over meanwhile. */
            while (test_file_progress(job, 0).BytesTransferred < rows[i].bytes &&
                   GetTickCount64() < end)
                Sleep(1);
        }
        get_temp_name(job, 0, temp, TEST_COUNT_OF(temp));
        check_cancel(test, job);
        assert_int_equal(INVALID_FILE_ATTRIBUTES, GetFileAttributesW(temp));
    }
}

/* Broken: the end of a transfer that races with Cancel leaves a file, or a job that is both. */
static void test_complete_cancel_around_the_end_of_the_transfer(void **state)
{
    struct com_test *test = *state;

    for (unsigned int i = 0; i < 30; i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, "size=1100k", L"a");
        ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

        assert_ok(IBackgroundCopyJob_Resume(job));
        while (test_file_progress(job, 0).BytesTransferred < (i % 2 ? 1 : 1100 << 10) &&
               GetTickCount64() < end)
            YieldProcessor();
        check_cancel(test, job);
    }
}

/* Broken: what was received for several files stays behind. */
static void test_complete_cancel_when_transferred(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=0", L"b");
    test_add(test, job, "size=2m", L"c");
    wait_transferred(job);
    assert_int_equal(3, test_count_temp(test->folder));
    check_cancel(test, job);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"b")));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"c")));
}

struct call
{
    IBackgroundCopyJob *job;
    HRESULT(STDMETHODCALLTYPE *function)(IBackgroundCopyJob *job);
    HANDLE go;
    HRESULT hr;
};

static DWORD WINAPI call_thread(void *ctx)
{
    struct call *call = ctx;

    (void)CoInitializeEx(NULL, COINIT_MULTITHREADED);
    (void)WaitForSingleObject(call->go, TEST_PATIENCE_MS);
    call->hr = call->function(call->job);
    CoUninitialize();
    return 0;
}

/* Broken: Cancel and Complete at once both win, both lose, or leave half of each. (With a Complete
   that is surely at work: test_streams.) */
static void test_complete_cancel_while_another_thread_completes(void **state)
{
    struct com_test *test = *state;
    unsigned int completed_count = 0;

    for (unsigned int i = 0; i < 40; i++)
    {
        struct call call = {NULL, NULL, CreateEventW(NULL, TRUE, FALSE, NULL), E_UNEXPECTED};
        bool completes = i % 2;
        HRESULT own, completed, cancelled;
        IBackgroundCopyJob *job;
        HANDLE thread;

        assert_non_null(call.go);
        call.job = job = test_create_job_of(test, "size=1000", L"a");
        call.function = completes ? job->lpVtbl->Complete : job->lpVtbl->Cancel;
        wait_transferred(job);
        thread = CreateThread(NULL, 0, call_thread, &call, 0, NULL);
        assert_non_null(thread);
        assert_true(SetEvent(call.go));
        own = completes ? IBackgroundCopyJob_Cancel(job) : IBackgroundCopyJob_Complete(job);
        assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(thread, TEST_PATIENCE_MS));
        assert_true(CloseHandle(thread));
        assert_true(CloseHandle(call.go));
        completed = completes ? call.hr : own;
        cancelled = completes ? own : call.hr;
        if (completed == S_OK)
        {
            completed_count++;
            assert_hr(DO_E_INVALID_STATE, cancelled);
            check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
            test_expect_object(test->local, 1000, 1);
            assert_true(DeleteFileW(test->local));
        }
        else
        {
            assert_hr(DO_E_INVALID_STATE, completed);
            assert_ok(cancelled);
            check_over(test, job, BG_JOB_STATE_CANCELLED);
            assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
        }
        IBackgroundCopyJob_Release(job);
    }
    print_message("  completed %u of 40\n", completed_count);
}

/* Temporary files in other programs' hands */

/* Broken: a virus scanner's handle makes Cancel fail for ever, or a file that stays is denied. */
static void test_complete_cancel_tells_of_a_file_that_stays(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR temp[1024];
    HANDLE held;
    HRESULT hr;

    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=2000", L"b");
    wait_transferred(job);
    get_temp_name(job, 0, temp, TEST_COUNT_OF(temp));
    held = hold_file(temp, FILE_SHARE_READ | FILE_SHARE_WRITE);
    hr = IBackgroundCopyJob_Cancel(job);
    assert_true(CloseHandle(held));
    assert_hr(TEST_S_UNABLE_TO_DELETE_FILES, hr);
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    /* The other one is gone. */
    assert_int_equal(1, test_count_temp(test->folder));
    assert_true(DeleteFileW(temp));
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    IBackgroundCopyJob_Release(job);

    /* The same while suspended. */
    job = test_create_job_of(test, "size=100k&stall=50k", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    get_temp_name(job, 0, temp, TEST_COUNT_OF(temp));
    held = hold_file(temp, FILE_SHARE_READ | FILE_SHARE_WRITE);
    hr = IBackgroundCopyJob_Cancel(job);
    assert_true(CloseHandle(held));
    assert_hr(TEST_S_UNABLE_TO_DELETE_FILES, hr);
    assert_true(DeleteFileW(temp));
    check_over(test, job, BG_JOB_STATE_CANCELLED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a partial Complete fails because of a file that nobody wants any more. */
static void test_complete_partial_with_a_file_that_stays(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR temp[1024];
    HANDLE held;
    HRESULT hr;

    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=100k&stall=50k", L"b");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1001);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    get_temp_name(job, 1, temp, TEST_COUNT_OF(temp));
    held = hold_file(temp, FILE_SHARE_READ | FILE_SHARE_WRITE);
    hr = IBackgroundCopyJob_Complete(job);
    assert_true(CloseHandle(held));
    assert_hr(TEST_S_PARTIAL_COMPLETE, hr);
    assert_true(DeleteFileW(temp));
    test_expect_object(test_local(test, L"a"), 1000, 1);
    check_over(test, job, BG_JOB_STATE_ACKNOWLEDGED);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a scanner that has the finished temporary file open costs the download. */
static void test_complete_fails_while_the_temporary_file_is_held(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    WCHAR temp[1024];
    HANDLE held;

    wait_transferred(job);
    get_temp_name(job, 0, temp, TEST_COUNT_OF(temp));
    held = hold_file(temp, FILE_SHARE_READ | FILE_SHARE_WRITE);
    assert_hr(TEST_E_SHARING_VIOLATION, check_failed_complete(job, 0));
    assert_true(CloseHandle(held));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyJob_Release(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_complete_saves_all),
        COM_TEST(test_complete_during_the_third_of_five_files_saves_two),
        COM_TEST(test_complete_without_a_transfer_and_after_an_error),
        COM_TEST(test_complete_keeps_the_time_of_the_object),
        COM_TEST(test_complete_replaces_an_existing_target),
        COM_TEST(test_complete_fails_while_the_target_is_held),
        COM_TEST(test_complete_fails_for_a_protected_target),
        COM_TEST(test_complete_fails_when_the_directory_has_vanished),
        COM_TEST(test_complete_repeated_saves_the_rest_only),
        COM_TEST(test_complete_failed_then_cancelled_keeps_what_was_saved),
        COM_TEST(test_complete_failed_while_running_lets_the_job_go_on),
        COM_TEST(test_complete_cancel_while_queued),
        COM_TEST(test_complete_cancel_while_connecting),
        COM_TEST(test_complete_cancel_during_the_transfer),
        COM_TEST(test_complete_cancel_around_the_end_of_the_transfer),
        COM_TEST(test_complete_cancel_when_transferred),
        COM_TEST(test_complete_cancel_while_another_thread_completes),
        COM_TEST(test_complete_cancel_tells_of_a_file_that_stays),
        COM_TEST(test_complete_partial_with_a_file_that_stays),
        COM_TEST(test_complete_fails_while_the_temporary_file_is_held),
    };

    return COM_TEST_RUN(tests);
}
