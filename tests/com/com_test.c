/* SPDX-License-Identifier: MIT */
/*
 * See com_test.h. Everything runs on the test's thread, in the MTA of test_group_setup.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

void test_check_hr(
    HRESULT expected, HRESULT actual, const char *expression, const char *file, int line)
{
    if (actual == expected)
        return;
    print_error(
        "%s is 0x%08lx, not 0x%08lx\n", expression, (unsigned long)actual, (unsigned long)expected);
    _fail(file, line);
}

/* Fixture */

int test_group_setup(void **state)
{
    (void)state;
    return FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)) ? -1 : 0;
}

int test_group_teardown(void **state)
{
    (void)state;
    CoUninitialize();
    return 0;
}

/* Cancels every job, so that neither an earlier test nor an earlier run is felt. No asserts: also
   runs after a failed test. */
static HRESULT empty_queue(IBackgroundCopyManager *manager)
{
    IEnumBackgroundCopyJobs *jobs = NULL;
    IBackgroundCopyJob *job = NULL;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyManager_EnumJobs(manager, 0, &jobs)))
        return hr;
    while (IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL) == S_OK)
    {
        HRESULT cancelled = IBackgroundCopyJob_Cancel(job);

        if (FAILED(cancelled) && cancelled != DO_E_INVALID_STATE)
            hr = cancelled;
        IBackgroundCopyJob_Release(job);
    }
    IEnumBackgroundCopyJobs_Release(jobs);
    return hr;
}

static void empty_folder(const WCHAR *folder)
{
    WIN32_FIND_DATAW found;
    WCHAR path[1024];
    HANDLE search;

    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%ls*", folder);
    if ((search = FindFirstFileW(path, &found)) == INVALID_HANDLE_VALUE)
        return;
    do
    {
        (void)_snwprintf(path, TEST_COUNT_OF(path), L"%ls%ls", folder, found.cFileName);
        if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        {
            (void)SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
            (void)DeleteFileW(path);
        }
    } while (FindNextFileW(search, &found));
    (void)FindClose(search);
}

IBackgroundCopyManager *test_create_manager(void)
{
    IBackgroundCopyManager *manager = NULL;

    assert_ok(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
        &IID_IBackgroundCopyManager, (void **)&manager));
    assert_non_null(manager);
    return manager;
}

int test_setup(void **state)
{
    static unsigned int next_folder;
    struct com_test *test = calloc(1, sizeof(*test));
    WCHAR temp[300];
    DWORD length = GetTempPathW((DWORD)TEST_COUNT_OF(temp), temp);

    if (!test || !length || length >= TEST_COUNT_OF(temp))
        return -1;
    *state = test;
    (void)_snwprintf(test->folder, TEST_COUNT_OF(test->folder), L"%lsdosvc-com-%lu-%u\\", temp,
        GetCurrentProcessId(), next_folder++);
    if (!CreateDirectoryW(test->folder, NULL))
    {
        if (GetLastError() != ERROR_ALREADY_EXISTS)
            return -1;
        empty_folder(test->folder);
    }
    if (FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IBackgroundCopyManager, (void **)&test->manager)))
    {
        print_error("the class cannot be created\n");
        return -1;
    }
    return FAILED(empty_queue(test->manager)) ? -1 : 0;
}

int test_teardown(void **state)
{
    struct com_test *test = *state;
    HRESULT hr = test->manager ? empty_queue(test->manager) : S_OK;
    unsigned int left;

    if (FAILED(hr))
        print_error("the queue cannot be emptied: 0x%08lx\n", (unsigned long)hr);
    if (test->manager)
        IBackgroundCopyManager_Release(test->manager);
    if ((left = test_count_temp(test->folder)))
        print_error("%u temporary files are left\n", left);
    empty_folder(test->folder);
    (void)RemoveDirectoryW(test->folder);
    free(test);
    return FAILED(hr) || left ? -1 : 0;
}

/* Jobs */

IBackgroundCopyJob *test_create_job(const struct com_test *test)
{
    IBackgroundCopyJob *job = NULL;
    GUID id;

    assert_ok(
        IBackgroundCopyManager_CreateJob(test->manager, L"test", BG_JOB_TYPE_DOWNLOAD, &id, &job));
    assert_non_null(job);
    return job;
}

const WCHAR *test_url(struct com_test *test, const char *query)
{
    (void)snprintf(test->server_path, sizeof(test->server_path), "/com-%lu-%lu-%u",
        GetCurrentProcessId(), GetTickCount(), test->next++);
    (void)_snwprintf(test->url, TEST_COUNT_OF(test->url), L"%hs%hs?%hs", test_server(),
        test->server_path, query);
    return test->url;
}

const WCHAR *test_local(struct com_test *test, const WCHAR *name)
{
    (void)_snwprintf(test->local, TEST_COUNT_OF(test->local), L"%ls%ls", test->folder, name);
    return test->local;
}

void test_add(struct com_test *test, IBackgroundCopyJob *job, const char *query, const WCHAR *name)
{
    assert_ok(IBackgroundCopyJob_AddFile(job, test_url(test, query), test_local(test, name)));
}

IDeliveryOptimizationJob *test_do_job(IBackgroundCopyJob *job)
{
    IDeliveryOptimizationJob *do_job = NULL;

    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob, (void **)&do_job));
    return do_job;
}

void test_add_ranges(struct com_test *test, IBackgroundCopyJob *job, const char *query,
    const WCHAR *name, DWORD count, BG_FILE_RANGE *ranges, UINT64 size)
{
    IDeliveryOptimizationJob *do_job = test_do_job(job);

    assert_ok(IDeliveryOptimizationJob_AddFileWithRanges(
        do_job, L"id", test_url(test, query), test_local(test, name), count, ranges, size));
    IDeliveryOptimizationJob_Release(do_job);
}

IBackgroundCopyJob *test_create_job_of(struct com_test *test, const char *query, const WCHAR *name)
{
    IBackgroundCopyJob *job = test_create_job(test);

    test_add(test, job, query, name);
    return job;
}

IBackgroundCopyFile *test_file(IBackgroundCopyJob *job, ULONG index)
{
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = NULL;

    assert_ok(IBackgroundCopyJob_EnumFiles(job, &files));
    assert_ok(IEnumBackgroundCopyFiles_Skip(files, index));
    assert_ok(IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL));
    IEnumBackgroundCopyFiles_Release(files);
    return file;
}

BG_FILE_PROGRESS test_file_progress(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyFile *file = test_file(job, index);
    BG_FILE_PROGRESS progress;

    memset(&progress, 0xCC, sizeof(progress));
    assert_ok(IBackgroundCopyFile_GetProgress(file, &progress));
    IBackgroundCopyFile_Release(file);
    return progress;
}

BG_JOB_STATE test_state(IBackgroundCopyJob *job)
{
    BG_JOB_STATE state = (BG_JOB_STATE)-1;

    assert_ok(IBackgroundCopyJob_GetState(job, &state));
    return state;
}

static bool is_over(BG_JOB_STATE state)
{
    return state == BG_JOB_STATE_ERROR || state == BG_JOB_STATE_TRANSFERRED ||
           state == BG_JOB_STATE_ACKNOWLEDGED || state == BG_JOB_STATE_CANCELLED;
}

HRESULT test_error(IBackgroundCopyJob *job, BG_ERROR_CONTEXT *context)
{
    IBackgroundCopyError *error = NULL;
    HRESULT code = S_OK;

    *context = BG_ERROR_CONTEXT_NONE;
    if (FAILED(IBackgroundCopyJob_GetError(job, &error)))
        return S_OK;
    assert_ok(IBackgroundCopyError_GetError(error, context, &code));
    IBackgroundCopyError_Release(error);
    return code;
}

void test_wait_state(IBackgroundCopyJob *job, BG_JOB_STATE wanted)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    BG_ERROR_CONTEXT context;
    BG_JOB_STATE state;

    while ((state = test_state(job)) != wanted && !is_over(state) && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
    if (state == wanted)
        return;
    print_error("state is %d, not %d; error 0x%08lx\n", (int)state, (int)wanted,
        (unsigned long)test_error(job, &context));
    fail();
}

/* Waits until the job, which must be transferring, has at least this much. */
static void wait_progress(IBackgroundCopyJob *job, UINT64 bytes, ULONG files)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    BG_JOB_PROGRESS progress = {0};

    while (GetTickCount64() < end)
    {
        assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
        assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
        if (progress.BytesTransferred >= bytes && progress.FilesTransferred >= files)
            return;
        Sleep(TEST_POLL_MS);
    }
    print_error("%llu bytes and %lu files came, not %llu and %lu\n",
        (unsigned long long)progress.BytesTransferred, progress.FilesTransferred,
        (unsigned long long)bytes, files);
    fail();
}

void test_wait_bytes(IBackgroundCopyJob *job, UINT64 bytes)
{
    wait_progress(job, bytes, 0);
}

void test_wait_files(IBackgroundCopyJob *job, ULONG files)
{
    wait_progress(job, 0, files);
}

BG_JOB_STATE test_wait_end(IBackgroundCopyJob *job)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    BG_JOB_STATE state;

    while (!is_over(state = test_state(job)))
    {
        if (GetTickCount64() >= end)
        {
            print_error("the job is still in state %d\n", (int)state);
            fail();
        }
        Sleep(TEST_POLL_MS);
    }
    return state;
}

void test_fetch(IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Complete(job));
}

/* COM rules */

void test_check_interfaces(IUnknown *object, const IID *const *iids, size_t count)
{
    IUnknown *identity = NULL;

    assert_ok(IUnknown_QueryInterface(object, &IID_IUnknown, (void **)&identity));
    for (size_t i = 0; i < count; i++)
    {
        IUnknown *from = TEST_POISON;

        assert_ok(IUnknown_QueryInterface(object, iids[i], (void **)&from));
        for (size_t j = 0; j < count; j++)
        {
            IUnknown *to = TEST_POISON;
            IUnknown *unknown = TEST_POISON;

            assert_ok(IUnknown_QueryInterface(from, iids[j], (void **)&to));
            assert_ok(IUnknown_QueryInterface(to, &IID_IUnknown, (void **)&unknown));
            assert_ptr_equal(identity, unknown);
            IUnknown_Release(unknown);
            IUnknown_Release(to);
        }
        IUnknown_Release(from);
    }
    IUnknown_Release(identity);
}

void test_check_no_interface(IUnknown *object, const IID *iid)
{
    void *out = TEST_POISON;

    assert_hr(E_NOINTERFACE, IUnknown_QueryInterface(object, iid, &out));
    assert_null(out);
}

ULONG test_refcount(IUnknown *object)
{
    (void)IUnknown_AddRef(object);
    return IUnknown_Release(object);
}

/* Files */

UINT64 test_file_size(const WCHAR *path)
{
    WIN32_FILE_ATTRIBUTE_DATA data;

    if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data))
        return TEST_SIZE_MISSING;
    return ((UINT64)data.nFileSizeHigh << 32) | data.nFileSizeLow;
}

/* The content of the server's objects; see tests/server/fault_server.py. */
static uint64_t mix(uint64_t x)
{
    uint64_t z = x + 0x9E3779B97F4A7C15U;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static uint8_t pattern_byte(uint64_t seed, uint64_t offset)
{
    uint64_t i = offset / 8;
    uint64_t word = mix(seed + i % 8192) ^ (i / 8192 * 0x9E3779B97F4A7C15U);

    return (uint8_t)(word >> (offset % 8 * 8));
}

void test_expect_pattern(const WCHAR *path, UINT64 at, UINT64 length, UINT64 seed, UINT64 offset)
{
    static uint8_t buffer[65536];
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER position = {.QuadPart = (LONGLONG)at};

    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(SetFilePointerEx(file, position, NULL, FILE_BEGIN));
    for (UINT64 done = 0; done < length;)
    {
        UINT64 rest = length - done;
        DWORD wanted = rest < sizeof(buffer) ? (DWORD)rest : (DWORD)sizeof(buffer);
        DWORD count = 0;

        assert_true(ReadFile(file, buffer, wanted, &count, NULL));
        assert_int_equal(wanted, count);
        for (DWORD i = 0; i < count; i++)
        {
            if (buffer[i] == pattern_byte(seed, offset + done + i))
                continue;
            print_error("byte %llu is wrong\n", (unsigned long long)(at + done + i));
            fail();
        }
        done += count;
    }
    assert_true(CloseHandle(file));
}

void test_expect_object(const WCHAR *path, UINT64 size, UINT64 seed)
{
    assert_int_equal(size, test_file_size(path));
    test_expect_pattern(path, 0, size, seed, 0);
}

void test_expect_text(const WCHAR *path, const char *text)
{
    char buffer[256] = {0};
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    DWORD count = 0;

    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(ReadFile(file, buffer, sizeof(buffer) - 1, &count, NULL));
    assert_true(CloseHandle(file));
    assert_string_equal(text, buffer);
}

void test_write_text(const WCHAR *path, const char *text)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD count = 0;

    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(WriteFile(file, text, (DWORD)strlen(text), &count, NULL));
    assert_true(CloseHandle(file));
}

unsigned int test_count_temp(const WCHAR *folder)
{
    WIN32_FIND_DATAW found;
    WCHAR path[1024];
    unsigned int count = 0;
    HANDLE search;

    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%lsDO*.tmp", folder);
    if ((search = FindFirstFileW(path, &found)) == INVALID_HANDLE_VALUE)
        return 0;
    do
        count++;
    while (FindNextFileW(search, &found));
    (void)FindClose(search);
    return count;
}
