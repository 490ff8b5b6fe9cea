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
    assert_true(
        FAILED(IBackgroundCopyManager_CreateJob(manager, L"x", (BG_JOB_TYPE)99, &id, &job)));
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

/* Broken: clients that sort or expire jobs by time see wrong ones. */
static void test_job_times_follow_the_job(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    BG_JOB_TIMES first, second, third;
    UINT64 before;

    assert_ok(IBackgroundCopyJob_GetTimes(job, &first));
    while (now() <= file_time(first.ModificationTime))
        Sleep(1);
    assert_ok(IBackgroundCopyJob_SetDisplayName(job, L"changed"));
    assert_ok(IBackgroundCopyJob_GetTimes(job, &second));
    assert_int_equal(file_time(first.CreationTime), file_time(second.CreationTime));
    assert_true(file_time(second.ModificationTime) > file_time(first.ModificationTime));
    assert_int_equal(0, file_time(second.TransferCompletionTime));
    before = now();
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_GetTimes(job, &third));
    assert_true(file_time(third.TransferCompletionTime) >= before);
    assert_true(file_time(third.TransferCompletionTime) <= now());
    assert_true(file_time(third.ModificationTime) >= before);
    IBackgroundCopyJob_Release(job);
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
        COM_TEST(test_job_without_error_has_no_error_object),
        COM_TEST(test_job_file_enumerator_walks_a_snapshot),
        COM_TEST(test_job_enumerator_walks_a_snapshot),
    };

    return COM_TEST_RUN(tests);
}
