/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyManager, IBackgroundCopyJob and the enumerators: arguments and values. What calls
 * do in which state is in test_states.c.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT 256U

static UINT64 file_time(FILETIME time)
{
    return ((UINT64)time.dwHighDateTime << 32) | time.dwLowDateTime;
}

static UINT64 now(void)
{
    FILETIME time;

    GetSystemTimeAsFileTime(&time);
    return file_time(time);
}

/* CreateJob, GetJob */

/* Broken: a new job starts by itself, or with values that clients do not expect. */
static void test_job_new_has_documented_values(void **state)
{
    struct com_test *test = *state;
    UINT64 before = now();
    IBackgroundCopyJob *job = NULL;
    BG_JOB_PROGRESS progress;
    BG_JOB_TYPE type = (BG_JOB_TYPE)-1;
    BG_JOB_PRIORITY priority = (BG_JOB_PRIORITY)-1;
    BG_JOB_TIMES times;
    GUID id = {0}, other = {0};
    WCHAR *name = TEST_POISON;

    assert_ok(IBackgroundCopyManager_CreateJob(
        test->manager, L"first \x00E4\x4E2D", BG_JOB_TYPE_DOWNLOAD, &id, &job));
    assert_false(IsEqualGUID(&id, &GUID_NULL));
    assert_ok(IBackgroundCopyJob_GetId(job, &other));
    assert_true(IsEqualGUID(&id, &other));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_ok(IBackgroundCopyJob_GetType(job, &type));
    assert_int_equal(BG_JOB_TYPE_DOWNLOAD, type);
    assert_ok(IBackgroundCopyJob_GetPriority(job, &priority));
    assert_int_equal(BG_JOB_PRIORITY_NORMAL, priority);
    memset(&progress, 0xCC, sizeof(progress));
    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    assert_int_equal(0, progress.BytesTotal);
    assert_int_equal(0, progress.BytesTransferred);
    assert_int_equal(0, progress.FilesTotal);
    assert_int_equal(0, progress.FilesTransferred);
    memset(&times, 0xCC, sizeof(times));
    assert_ok(IBackgroundCopyJob_GetTimes(job, &times));
    assert_true(file_time(times.CreationTime) >= before);
    assert_true(file_time(times.CreationTime) <= now());
    assert_int_equal(file_time(times.CreationTime), file_time(times.ModificationTime));
    assert_int_equal(0, file_time(times.TransferCompletionTime));
    assert_ok(IBackgroundCopyJob_GetDisplayName(job, &name));
    assert_int_equal(0, wcscmp(name, L"first \x00E4\x4E2D"));
    CoTaskMemFree(name);
    IBackgroundCopyJob_Release(job);
}

/* Broken: bad arguments crash, create half a job, or leave garbage in the out-pointers. */
static void test_job_create_checks_arguments(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyManager *manager = test->manager;
    IBackgroundCopyJob *job = TEST_POISON;
    IEnumBackgroundCopyJobs *jobs = NULL;
    WCHAR name[NAME_LIMIT + 2];
    ULONG count = 77;
    GUID id;

    for (size_t i = 0; i <= NAME_LIMIT; i++)
        name[i] = L'n';
    name[NAME_LIMIT + 1] = L'\0';
    assert_hr(E_INVALIDARG,
        IBackgroundCopyManager_CreateJob(manager, NULL, BG_JOB_TYPE_DOWNLOAD, &id, &job));
    assert_null(job);
    job = TEST_POISON;
    assert_hr(E_INVALIDARG,
        IBackgroundCopyManager_CreateJob(manager, name, BG_JOB_TYPE_DOWNLOAD, &id, &job));
    assert_null(job);
    job = TEST_POISON;
    assert_hr(E_INVALIDARG,
        IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_DOWNLOAD, NULL, &job));
    assert_null(job);
    assert_hr(E_INVALIDARG,
        IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_DOWNLOAD, &id, NULL));
    for (int type = BG_JOB_TYPE_UPLOAD; type <= BG_JOB_TYPE_UPLOAD_REPLY; type++)
    {
        job = TEST_POISON;
        assert_hr(E_NOTIMPL,
            IBackgroundCopyManager_CreateJob(manager, L"x", (BG_JOB_TYPE)type, &id, &job));
        assert_null(job);
    }
    job = TEST_POISON;
    assert_hr(
        E_NOTIMPL, IBackgroundCopyManager_CreateJob(manager, L"x", (BG_JOB_TYPE)99, &id, &job));
    assert_null(job);
    assert_ok(IBackgroundCopyManager_EnumJobs(manager, 0, &jobs));
    assert_ok(IEnumBackgroundCopyJobs_GetCount(jobs, &count));
    assert_int_equal(0, count);
    IEnumBackgroundCopyJobs_Release(jobs);

    name[NAME_LIMIT] = L'\0';
    assert_ok(IBackgroundCopyManager_CreateJob(manager, name, BG_JOB_TYPE_DOWNLOAD, &id, &job));
    IBackgroundCopyJob_Release(job);
    assert_ok(IBackgroundCopyManager_CreateJob(manager, L"", BG_JOB_TYPE_DOWNLOAD, &id, &job));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a job is not found, or something is found that is not there. */
static void test_job_get_job_finds_queued_jobs_only(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyJob *found = NULL;
    GUID id, unknown;

    assert_ok(CoCreateGuid(&unknown));
    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &found));
    IBackgroundCopyJob_Release(found);
    found = TEST_POISON;
    assert_hr(DO_E_JOB_NOT_FOUND, IBackgroundCopyManager_GetJob(test->manager, &unknown, &found));
    assert_null(found);
    assert_hr(E_INVALIDARG, IBackgroundCopyManager_GetJob(test->manager, &id, NULL));
    found = TEST_POISON;
    assert_hr(E_INVALIDARG, IBackgroundCopyManager_GetJob(test->manager, NULL, &found));
    assert_null(found);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    found = TEST_POISON;
    assert_hr(DO_E_JOB_NOT_FOUND, IBackgroundCopyManager_GetJob(test->manager, &id, &found));
    assert_null(found);
    IBackgroundCopyJob_Release(job);
}

/* Broken: letting go of the pointers stops or loses the download. */
static void test_job_lives_without_client_pointers(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=200k&rate=100k", L"a");
    GUID id;

    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_ok(IBackgroundCopyJob_Resume(job));
    IBackgroundCopyJob_Release(job);
    IBackgroundCopyManager_Release(test->manager);
    test->manager = test_create_manager();
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 200 << 10, 1);
    IBackgroundCopyJob_Release(job);
}

/* Getters and setters */

/* Broken: a client that passes NULL brings the process down. */
static void test_job_null_arguments_are_refused(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR *text = TEST_POISON;

    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetId(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetType(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetState(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetProgress(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetTimes(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetError(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetDisplayName(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetDisplayName(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetPriority(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_EnumFiles(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetNoProgressTimeout(job, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyManager_EnumJobs(test->manager, 0, NULL));
    assert_hr(
        E_INVALIDARG, IBackgroundCopyManager_GetErrorDescription(test->manager, E_FAIL, 0, NULL));
    assert_ok(IBackgroundCopyManager_GetErrorDescription(
        test->manager, DO_E_JOB_NOT_FOUND, 0x409, &text));
    assert_true(wcslen(text) > 10);
    CoTaskMemFree(text);
    IBackgroundCopyJob_Release(job);
}

/* Broken: names are cut, kept after a refusal, or grow beyond what the queue can store. */
static void test_job_display_name_is_stored_up_to_its_limit(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    WCHAR name[NAME_LIMIT + 2] = {0};
    WCHAR *read = NULL;

    for (size_t i = 0; i < NAME_LIMIT; i++)
        name[i] = (WCHAR)(0x4E00 + i);
    assert_ok(IBackgroundCopyJob_SetDisplayName(job, name));
    name[NAME_LIMIT] = L'x';
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_SetDisplayName(job, name));
    name[NAME_LIMIT] = L'\0';
    assert_ok(IBackgroundCopyJob_GetDisplayName(job, &read));
    assert_int_equal(0, wcscmp(name, read));
    CoTaskMemFree(read);
    assert_ok(IBackgroundCopyJob_SetDisplayName(job, L""));
    assert_ok(IBackgroundCopyJob_GetDisplayName(job, &read));
    assert_int_equal(0, wcslen(read));
    CoTaskMemFree(read);
    IBackgroundCopyJob_Release(job);
}

/* Broken: priorities collapse, unknown ones are stored, the default time-out does not follow. */
static void test_job_priority_and_no_progress_timeout(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_JOB_PRIORITY priority = (BG_JOB_PRIORITY)-1;
    ULONG seconds = 77;

    for (int i = BG_JOB_PRIORITY_FOREGROUND; i <= BG_JOB_PRIORITY_LOW; i++)
    {
        assert_ok(IBackgroundCopyJob_SetPriority(job, (BG_JOB_PRIORITY)i));
        assert_ok(IBackgroundCopyJob_GetPriority(job, &priority));
        assert_int_equal(i, priority);
        assert_ok(IBackgroundCopyJob_GetNoProgressTimeout(job, &seconds));
        assert_int_equal(i == BG_JOB_PRIORITY_FOREGROUND ? 3600 : 86400, seconds);
    }
    assert_hr(E_NOTIMPL, IBackgroundCopyJob_SetPriority(job, (BG_JOB_PRIORITY)4));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob_SetPriority(job, (BG_JOB_PRIORITY)-1));
    assert_ok(IBackgroundCopyJob_GetPriority(job, &priority));
    assert_int_equal(BG_JOB_PRIORITY_LOW, priority);
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, 0));
    assert_ok(IBackgroundCopyJob_GetNoProgressTimeout(job, &seconds));
    assert_int_equal(0, seconds);
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, MAXDWORD));
    assert_ok(IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND));
    assert_ok(IBackgroundCopyJob_GetNoProgressTimeout(job, &seconds));
    assert_int_equal(MAXDWORD, seconds);
    IBackgroundCopyJob_Release(job);
}

static BG_JOB_TIMES job_times(IBackgroundCopyJob *job)
{
    BG_JOB_TIMES times;

    memset(&times, 0xCC, sizeof(times));
    assert_ok(IBackgroundCopyJob_GetTimes(job, &times));
    return times;
}

/* Waits until the clock shows another time than that of the job's last modification. */
static UINT64 next_tick(IBackgroundCopyJob *job)
{
    UINT64 last = file_time(job_times(job).ModificationTime);
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (now() <= last && GetTickCount64() < end)
        Sleep(1);
    assert_true(now() > last);
    return last;
}

/* The modification time has moved on from last, and is not in the future. */
static void expect_modified(IBackgroundCopyJob *job, UINT64 last)
{
    UINT64 time = file_time(job_times(job).ModificationTime);

    assert_true(time > last);
    assert_true(time <= now());
}

/* Broken: clients that sort or expire jobs by time see wrong ones. */
static void test_job_times_follow_the_job(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_JOB_TIMES first = job_times(job);
    UINT64 before = next_tick(job);
    BG_JOB_TIMES times;

    assert_ok(IBackgroundCopyJob_SetDisplayName(job, L"changed"));
    expect_modified(job, before);
    before = next_tick(job);
    test_add(test, job, "size=100k&stall=50k", L"a");
    expect_modified(job, before);
    before = next_tick(job);
    assert_ok(IBackgroundCopyJob_Resume(job));
    expect_modified(job, before);
    test_wait_bytes(job, 1);
    before = next_tick(job);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    expect_modified(job, before);
    times = job_times(job);
    assert_int_equal(file_time(first.CreationTime), file_time(times.CreationTime));
    assert_int_equal(0, file_time(times.TransferCompletionTime));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a watcher takes a job that receives for one that is stuck. */
static void test_job_times_follow_received_bytes(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10m&rate=100k", L"a");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    unsigned int moves = 0;
    UINT64 last;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    last = file_time(job_times(job).ModificationTime);
    /* No call is made meanwhile: only what comes in can move the time. */
    while (moves < 2 && GetTickCount64() < end)
    {
        UINT64 time = file_time(job_times(job).ModificationTime);

        assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
        assert_true(time >= last);
        assert_true(time <= now());
        moves += time > last;
        last = time;
        Sleep(TEST_POLL_MS);
    }
    assert_int_equal(2, moves);
    assert_int_equal(0, file_time(job_times(job).TransferCompletionTime));
    IBackgroundCopyJob_Release(job);
}

/* Broken: the completion time is that of an earlier end of the job, or never told. */
static void test_job_times_tell_the_last_completion(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    UINT64 before = now();
    BG_JOB_TIMES first, second;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    first = job_times(job);
    assert_true(file_time(first.TransferCompletionTime) >= before);
    assert_true(file_time(first.TransferCompletionTime) <= now());
    (void)next_tick(job);
    test_add(test, job, "size=10", L"b");
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    second = job_times(job);
    assert_true(file_time(second.TransferCompletionTime) > file_time(first.TransferCompletionTime));
    assert_true(file_time(second.TransferCompletionTime) <= now());
    assert_int_equal(file_time(first.CreationTime), file_time(second.CreationTime));
    IBackgroundCopyJob_Release(job);
}

/* Error texts */

static WCHAR *description(const struct com_test *test, HRESULT code, DWORD language)
{
    WCHAR *text = NULL;

    assert_ok(IBackgroundCopyManager_GetErrorDescription(test->manager, code, language, &text));
    assert_non_null(text);
    return text;
}

/* Broken: a user is shown a number for an error that has a meaning. */
static void test_job_error_texts_are_sentences(void **state)
{
    static const HRESULT codes[] = {DO_E_NO_SERVICE, DO_E_JOB_NOT_FOUND, DO_E_INVALID_STATE,
        DO_E_DOWNLOAD_NO_PROGRESS, DO_E_INVALID_RANGE, DO_E_BLOCKED_BY_NO_NETWORK,
        DO_E_BAD_PIECE_HASH, DO_E_METAINFO_FILE_SIZE, (HRESULT)0x80200001, (HRESULT)0x80200002,
        (HRESULT)0x80200010, (HRESULT)0x80200013, (HRESULT)0x80200054, (HRESULT)0x80200059,
        (HRESULT)0x80200073, TEST_S_PARTIAL_COMPLETE, TEST_E_HTTP(404), TEST_E_HTTP(418),
        TEST_E_HTTP(451), TEST_E_HTTP(599), (HRESULT)0x80190001, (HRESULT)0x80190003,
        (HRESULT)0x80072EE2, (HRESULT)0x80072EE5, (HRESULT)0x80072EE6, TEST_E_NAME_NOT_RESOLVED,
        TEST_E_CANNOT_CONNECT, TEST_E_CONNECTION_ABORTED, (HRESULT)0x80072F05, (HRESULT)0x80072F0D,
        (HRESULT)0x80072F76, TEST_E_INVALID_SERVER_RESPONSE, (HRESULT)0x80072F7C,
        (HRESULT)0x80072F8F, (HRESULT)0x80072F94};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(codes); i++)
    {
        WCHAR *text = description(test, codes[i], 0x409);

        print_message("  0x%08lx %ls\n", (unsigned long)codes[i], text);
        assert_int_not_equal(0, wcsncmp(text, L"Error 0x", 8));
        assert_true(wcslen(text) > 10);
        assert_int_equal(L'.', text[wcslen(text) - 1]);
        CoTaskMemFree(text);
    }
}

/* Broken: an unusual status is told as a bare HRESULT, or as another status. */
static void test_job_error_texts_tell_the_http_status(void **state)
{
    static const unsigned int statuses[] = {418, 451, 599};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(statuses); i++)
    {
        WCHAR *text = description(test, TEST_E_HTTP(statuses[i]), 0x409);
        WCHAR wanted[64];

        (void)_snwprintf(wanted, TEST_COUNT_OF(wanted), L"The server answered with HTTP status %u.",
            statuses[i]);
        assert_int_equal(0, wcscmp(wanted, text));
        CoTaskMemFree(text);
    }
}

/* Broken: a language that the system lacks leaves the user without a text. */
static void test_job_error_texts_fall_back(void **state)
{
    /* ERROR_BAD_FORMAT has no row of ours: the text is the system's. */
    static const HRESULT codes[] = {
        HRESULT_FROM_WIN32(ERROR_BAD_FORMAT), DO_E_JOB_NOT_FOUND, TEST_E_HTTP(418)};
    struct com_test *test = *state;
    WCHAR *text;

    for (size_t i = 0; i < TEST_COUNT_OF(codes); i++)
    {
        WCHAR *missing = description(test, codes[i], 0x7fff);
        WCHAR *neutral = description(test, codes[i], 0);

        text = description(test, codes[i], 0x409);
        assert_int_not_equal(0, wcsncmp(text, L"Error 0x", 8));
        assert_int_equal(0, wcscmp(neutral, missing));
        CoTaskMemFree(text);
        CoTaskMemFree(neutral);
        CoTaskMemFree(missing);
    }
    text = description(test, (HRESULT)0x81234567, 0x409);
    assert_non_null(wcsstr(text, L"0x81234567"));
    CoTaskMemFree(text);
}

/* Broken: a client takes an old or invented error for one of this job. */
static void test_job_without_error_has_no_error_object(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyError *error = TEST_POISON;

    assert_hr(DO_E_JOB_EMPTY, IBackgroundCopyJob_Resume(job));
    assert_hr(DO_E_ERROR_INFORMATION_UNAVAILABLE, IBackgroundCopyJob_GetError(job, &error));
    assert_null(error);
    IBackgroundCopyJob_Release(job);
}

/* Enumerators */

static void check_file_enumerator(IEnumBackgroundCopyFiles *files, ULONG total)
{
    IBackgroundCopyFile *elements[4];
    IEnumBackgroundCopyFiles *clone = NULL;
    ULONG fetched = 77;
    ULONG count = 77;

    assert_ok(IEnumBackgroundCopyFiles_GetCount(files, &count));
    assert_int_equal(total, count);
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyFiles_GetCount(files, NULL));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyFiles_Clone(files, NULL));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyFiles_Next(files, 1, NULL, &fetched));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyFiles_Next(files, 2, elements, NULL));
    assert_ok(IEnumBackgroundCopyFiles_Next(files, 1, elements, NULL));
    IBackgroundCopyFile_Release(elements[0]);
    assert_ok(IEnumBackgroundCopyFiles_Clone(files, &clone));
    for (size_t i = 0; i < 4; i++)
        elements[i] = TEST_POISON;
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Next(files, 4, elements, &fetched));
    assert_int_equal(total - 1, fetched);
    for (ULONG i = 0; i < 4; i++)
    {
        if (i < fetched)
            IBackgroundCopyFile_Release(elements[i]);
        else
            assert_null(elements[i]);
    }
    fetched = 77;
    elements[0] = TEST_POISON;
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Next(files, 1, elements, &fetched));
    assert_int_equal(0, fetched);
    assert_null(elements[0]);
    assert_ok(IEnumBackgroundCopyFiles_GetCount(files, &count));
    assert_int_equal(total, count);
    /* The clone stands where the original stood, and moves alone. */
    assert_ok(IEnumBackgroundCopyFiles_Skip(clone, total - 1));
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Skip(clone, 1));
    assert_ok(IEnumBackgroundCopyFiles_Reset(clone));
    assert_ok(IEnumBackgroundCopyFiles_Skip(clone, total));
    assert_ok(IEnumBackgroundCopyFiles_Reset(clone));
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Skip(clone, MAXDWORD));
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Next(clone, 1, elements, NULL));
    IEnumBackgroundCopyFiles_Release(clone);
}

/* Broken: clients' loops miss files, never end, or read a freed element. */
static void test_job_file_enumerator_walks_a_snapshot(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = TEST_POISON;
    ULONG count = 77;

    assert_ok(IBackgroundCopyJob_EnumFiles(job, &files));
    assert_ok(IEnumBackgroundCopyFiles_GetCount(files, &count));
    assert_int_equal(0, count);
    assert_hr(S_FALSE, IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL));
    assert_null(file);
    IEnumBackgroundCopyFiles_Release(files);
    test_add(test, job, "size=1", L"a");
    test_add(test, job, "size=2", L"b");
    test_add(test, job, "size=3", L"c");
    assert_ok(IBackgroundCopyJob_EnumFiles(job, &files));
    test_add(test, job, "size=4", L"d");
    check_file_enumerator(files, 3);
    IEnumBackgroundCopyFiles_Release(files);
    for (ULONG i = 0; i < 4; i++)
    {
        WCHAR *name = NULL;

        file = test_file(job, i);
        assert_ok(IBackgroundCopyFile_GetLocalName(file, &name));
        assert_int_equal(L'a' + i, name[wcslen(name) - 1]);
        CoTaskMemFree(name);
        IBackgroundCopyFile_Release(file);
    }
    IBackgroundCopyJob_Release(job);
}

/* Broken: a client that asks for what does not exist gets the whole queue. */
static void test_job_enumerator_flags_are_checked(void **state)
{
    static const DWORD bad[] = {2, BG_JOB_ENUM_ALL_USERS | 4, 0x80000000};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
    {
        IEnumBackgroundCopyJobs *jobs = TEST_POISON;

        assert_hr(E_INVALIDARG, IBackgroundCopyManager_EnumJobs(test->manager, bad[i], &jobs));
        assert_null(jobs);
    }
}

/* Broken: tools that list the queue show a wrong one. */
static void test_job_enumerator_walks_a_snapshot(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *jobs[3] = {
        test_create_job(test), test_create_job(test), test_create_job(test)};
    IBackgroundCopyJob *elements[4] = {TEST_POISON, TEST_POISON, TEST_POISON, TEST_POISON};
    IEnumBackgroundCopyJobs *all = NULL;
    IEnumBackgroundCopyJobs *clone = NULL;
    ULONG count = 77;

    assert_ok(IBackgroundCopyManager_EnumJobs(test->manager, BG_JOB_ENUM_ALL_USERS, &all));
    assert_ok(IBackgroundCopyJob_Cancel(jobs[2]));
    assert_ok(IEnumBackgroundCopyJobs_GetCount(all, &count));
    assert_int_equal(3, count);
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyJobs_GetCount(all, NULL));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyJobs_Clone(all, NULL));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyJobs_Next(all, 2, elements, NULL));
    assert_hr(E_INVALIDARG, IEnumBackgroundCopyJobs_Next(all, 1, NULL, &count));
    assert_ok(IEnumBackgroundCopyJobs_Skip(all, 1));
    assert_ok(IEnumBackgroundCopyJobs_Clone(all, &clone));
    assert_hr(S_FALSE, IEnumBackgroundCopyJobs_Next(clone, 4, elements, &count));
    assert_int_equal(2, count);
    assert_null(elements[2]);
    assert_null(elements[3]);
    IBackgroundCopyJob_Release(elements[0]);
    IBackgroundCopyJob_Release(elements[1]);
    assert_ok(IEnumBackgroundCopyJobs_Skip(all, 2));
    assert_hr(S_FALSE, IEnumBackgroundCopyJobs_Skip(all, 1));
    assert_ok(IEnumBackgroundCopyJobs_Reset(all));
    assert_ok(IEnumBackgroundCopyJobs_Next(all, 3, elements, &count));
    for (size_t i = 0; i < 3; i++)
    {
        GUID id, wanted;

        /* Oldest first: the order is the engine's own promise. */
        assert_ok(IBackgroundCopyJob_GetId(elements[i], &id));
        assert_ok(IBackgroundCopyJob_GetId(jobs[i], &wanted));
        assert_true(IsEqualGUID(&id, &wanted));
        IBackgroundCopyJob_Release(elements[i]);
        IBackgroundCopyJob_Release(jobs[i]);
    }
    IEnumBackgroundCopyJobs_Release(clone);
    IEnumBackgroundCopyJobs_Release(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_job_new_has_documented_values),
        COM_TEST(test_job_create_checks_arguments),
        COM_TEST(test_job_get_job_finds_queued_jobs_only),
        COM_TEST(test_job_lives_without_client_pointers),
        COM_TEST(test_job_null_arguments_are_refused),
        COM_TEST(test_job_display_name_is_stored_up_to_its_limit),
        COM_TEST(test_job_priority_and_no_progress_timeout),
        COM_TEST(test_job_times_follow_the_job),
        COM_TEST(test_job_times_follow_received_bytes),
        COM_TEST(test_job_times_tell_the_last_completion),
        COM_TEST(test_job_error_texts_are_sentences),
        COM_TEST(test_job_error_texts_tell_the_http_status),
        COM_TEST(test_job_error_texts_fall_back),
        COM_TEST(test_job_without_error_has_no_error_object),
        COM_TEST(test_job_file_enumerator_walks_a_snapshot),
        COM_TEST(test_job_enumerator_flags_are_checked),
        COM_TEST(test_job_enumerator_walks_a_snapshot),
    };

    return COM_TEST_RUN(tests);
}
