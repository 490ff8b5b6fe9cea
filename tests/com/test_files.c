/* SPDX-License-Identifier: MIT */
/*
 * Files of a job: what may be added, what a file says of itself, and GetProgress at every moment.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define URL_LIMIT 2200U
#define RANGE_LIMIT 65536U
#define SET_COUNT 1000U

static ULONG count_files(IBackgroundCopyJob *job)
{
    BG_JOB_PROGRESS progress;

    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    return progress.FilesTotal;
}

/* Adds by each of the three ways; all must answer alike. False, and a message, when they do not. */
static bool check_add(
    IBackgroundCopyJob *job, HRESULT expected, const WCHAR *url, const WCHAR *local)
{
    IDeliveryOptimizationJob *do_job = test_do_job(job);
    WCHAR url_copy[URL_LIMIT + 100];
    WCHAR local_copy[1024];
    BG_FILE_INFO info = {NULL, NULL};
    ULONG count = count_files(job);
    HRESULT hr[3];

    /* BG_FILE_INFO's members are not const. */
    if (url)
        info.RemoteName = wcscpy(url_copy, url);
    if (local)
        info.LocalName = wcscpy(local_copy, local);
    hr[0] = IBackgroundCopyJob_AddFile(job, url, local);
    hr[1] = IBackgroundCopyJob_AddFileSet(job, 1, &info);
    hr[2] = IDeliveryOptimizationJob_AddFileWithRanges(
        do_job, L"id", url, local, 0, NULL, DO_UNKNOWN_FILE_SIZE);
    IDeliveryOptimizationJob_Release(do_job);
    count = count_files(job) - count;
    if (hr[0] == expected && hr[1] == expected && hr[2] == expected &&
        count == (SUCCEEDED(expected) ? 3U : 0U))
        return true;
    print_error("%.60ls to %ls: 0x%08lx 0x%08lx 0x%08lx, %lu added; not 0x%08lx\n",
        url ? url : L"NULL", local ? local : L"NULL", (unsigned long)hr[0], (unsigned long)hr[1],
        (unsigned long)hr[2], count, (unsigned long)expected);
    return false;
}

/* Broken: a URL that can never work is accepted, or one that works is refused. */
static void test_files_add_checks_the_url(void **state)
{
    static const WCHAR *const bad[] = {L"", L"x", L"/a", L"http:", L"http://", L"http:///a",
        L"ftp://127.0.0.1/a", L"file:///C:/a", L"C:\\a", L"\\\\server\\share\\a", L"javascript:x",
        L"http//127.0.0.1/a", L" ", L"http://127.0.0.1:99999/a"};
    static const WCHAR *const good[] = {L"http://127.0.0.1/a", L"HTTPS://127.0.0.1:1/a?b#c",
        L"http://127.0.0.1", L"http://[::1]/a"};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    const WCHAR *local = test_local(test, L"a");
    WCHAR url[URL_LIMIT + 2] = L"http://127.0.0.1/";
    unsigned int wrong = !check_add(job, E_INVALIDARG, NULL, local);

    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
        wrong += !check_add(job, E_INVALIDARG, bad[i], local);
    for (size_t i = wcslen(url); i <= URL_LIMIT; i++)
        url[i] = L'u';
    url[URL_LIMIT + 1] = L'\0';
    wrong += !check_add(job, E_INVALIDARG, url, local);
    url[URL_LIMIT] = L'\0';
    wrong += !check_add(job, S_OK, url, local);
    for (size_t i = 0; i < TEST_COUNT_OF(good); i++)
        wrong += !check_add(job, S_OK, good[i], local);
    IBackgroundCopyJob_Release(job);
    assert_int_equal(0, wrong);
}

/* Broken: a download ends up somewhere else than the client meant, or nowhere. */
static void test_files_add_checks_the_path(void **state)
{
    static const WCHAR *const relative[] = {L"", L"a", L".\\a", L"..\\a", L"\\a", L"C:a", L"a:b"};
    static const WCHAR *const refused[] = {
        L"a\\..\\b", L"..", L"CON", L"nul", L"a\\COM1", L"LPT9.txt"};
    static const WCHAR *const names[] = {L"a?b", L"a*b", L"a<b", L"a>b", L"a|b", L"a\"b", L"aa:b",
        L"a\x01"
        L"b"};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    const WCHAR *url = L"http://127.0.0.1/a";
    unsigned int wrong = !check_add(job, E_INVALIDARG, url, NULL);

    for (size_t i = 0; i < TEST_COUNT_OF(relative); i++)
        wrong += !check_add(job, E_INVALIDARG, url, relative[i]);
    for (size_t i = 0; i < TEST_COUNT_OF(refused); i++)
        wrong += !check_add(job, E_INVALIDARG, url, test_local(test, refused[i]));
    for (size_t i = 0; i < TEST_COUNT_OF(names); i++)
    {
        wrong += !check_add(job, TEST_E_INVALID_NAME, url, test_local(test, names[i]));
        /* The characters are checked before the path is found to be relative. */
        wrong += !check_add(job, TEST_E_INVALID_NAME, url, names[i]);
    }
    wrong += !check_add(job, TEST_E_INVALID_NAME, url, test_local(test, L"a:b"));
    wrong += !check_add(job, S_OK, url, test_local(test, L"\x00E4 \x4E2D.bin"));
    IBackgroundCopyJob_Release(job);
    assert_int_equal(0, wrong);
}

/* Broken: half of a set stays in the job when a member is refused. */
static void test_files_add_set_is_all_or_none(void **state)
{
    WCHAR url[] = L"http://127.0.0.1/a";
    WCHAR bad_url[] = L"ftp://127.0.0.1/a";
    WCHAR first[1024], second[1024];
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_FILE_INFO set[] = {{url, wcscpy(first, test_local(test, L"a"))},
        {url, wcscpy(second, test_local(test, L"b"))}};

    assert_hr(E_INVALIDARG, IBackgroundCopyJob_AddFileSet(job, 0, set));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_AddFileSet(job, 2, NULL));
    set[1].RemoteName = bad_url;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_AddFileSet(job, 2, set));
    assert_int_equal(0, count_files(job));
    set[1].RemoteName = url;
    assert_ok(IBackgroundCopyJob_AddFileSet(job, 2, set));
    assert_int_equal(2, count_files(job));
    IBackgroundCopyJob_Release(job);
}

/* Broken: as many ranges as the documentation allows are refused, cut, or stored in disorder. */
static void test_files_add_takes_65536_ranges(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_FILE_RANGE *ranges = calloc(RANGE_LIMIT, sizeof(*ranges));
    BG_FILE_RANGE *read = NULL;
    IBackgroundCopyFile *file = NULL;
    IBackgroundCopyFile2 *file2 = NULL;
    DWORD count = 77;

    assert_non_null(ranges);
    /* Backwards and with gaps, so that neither sorting nor merging goes unseen. */
    for (DWORD i = 0; i < RANGE_LIMIT; i++)
    {
        ranges[i].InitialOffset = (UINT64)(RANGE_LIMIT - i) * 10;
        ranges[i].Length = 1 + i % 9;
    }
    test_add_ranges(
        test, job, "size=1m", L"a", RANGE_LIMIT, ranges, (UINT64)(RANGE_LIMIT + 1) * 10);
    file = test_file(job, 0);
    assert_ok(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **)&file2));
    assert_ok(IBackgroundCopyFile2_GetFileRanges(file2, &count, &read));
    assert_int_equal(RANGE_LIMIT, count);
    assert_memory_equal(ranges, read, RANGE_LIMIT * sizeof(*ranges));
    CoTaskMemFree(read);
    IBackgroundCopyFile2_Release(file2);
    IBackgroundCopyFile_Release(file);
    IBackgroundCopyJob_Release(job);
    free(ranges);
}

/* Broken: an installer's large set is refused, cut, or counted wrong. */
static void test_files_add_set_of_a_thousand(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_FILE_INFO *set = calloc(SET_COUNT, sizeof(*set));
    WCHAR(*locals)[1024] = calloc(SET_COUNT, sizeof(*locals));
    WCHAR url[] = L"http://127.0.0.1/a";
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = NULL;
    ULONG count = 0;

    assert_non_null(set);
    assert_non_null(locals);
    for (ULONG i = 0; i < SET_COUNT; i++)
    {
        WCHAR name[16];

        (void)_snwprintf(name, TEST_COUNT_OF(name), L"f%lu", i);
        set[i].RemoteName = url;
        set[i].LocalName = wcscpy(locals[i], test_local(test, name));
    }
    assert_ok(IBackgroundCopyJob_AddFileSet(job, SET_COUNT, set));
    assert_int_equal(SET_COUNT, count_files(job));
    assert_ok(IBackgroundCopyJob_EnumFiles(job, &files));
    assert_ok(IEnumBackgroundCopyFiles_GetCount(files, &count));
    assert_int_equal(SET_COUNT, count);
    for (ULONG i = 0; i < SET_COUNT; i++)
    {
        WCHAR *name = NULL;

        assert_ok(IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL));
        assert_ok(IBackgroundCopyFile_GetLocalName(file, &name));
        assert_int_equal(0, wcscmp(locals[i], name));
        CoTaskMemFree(name);
        IBackgroundCopyFile_Release(file);
    }
    IEnumBackgroundCopyFiles_Release(files);
    IBackgroundCopyJob_Release(job);
    free(locals);
    free(set);
}

/* Broken: ranges that mean nothing are sent to the server, or good ones are refused. */
static void test_files_add_checks_ranges(void **state)
{
    static const struct
    {
        const char *name;
        DWORD count;
        BG_FILE_RANGE ranges[3];
        UINT64 size;
        HRESULT expected;
    } rows[] = {
        {"one", 1, {{0, 1}}, DO_UNKNOWN_FILE_SIZE, S_OK},
        {"backwards", 2, {{12, 5}, {2, 4}}, DO_UNKNOWN_FILE_SIZE, S_OK},
        {"touching", 2, {{0, 4}, {4, 4}}, DO_UNKNOWN_FILE_SIZE, S_OK},
        {"to the end", 2, {{0, 4}, {10, BG_LENGTH_TO_EOF}}, DO_UNKNOWN_FILE_SIZE, S_OK},
        {"all of it", 1, {{0, 100}}, 100, S_OK},
        {"huge", 1, {{1ULL << 62, 1ULL << 61}}, DO_UNKNOWN_FILE_SIZE, S_OK},
        {"empty", 1, {{5, 0}}, DO_UNKNOWN_FILE_SIZE, DO_E_INVALID_RANGE},
        {"second empty", 2, {{0, 1}, {5, 0}}, DO_UNKNOWN_FILE_SIZE, DO_E_INVALID_RANGE},
        {"from the mark", 1, {{BG_LENGTH_TO_EOF, 1}}, DO_UNKNOWN_FILE_SIZE, DO_E_INVALID_RANGE},
        {"from mark to mark", 1, {{BG_LENGTH_TO_EOF, BG_LENGTH_TO_EOF}}, DO_UNKNOWN_FILE_SIZE,
            DO_E_INVALID_RANGE},
        {"overflow", 1, {{BG_LENGTH_TO_EOF - 5, 10}}, DO_UNKNOWN_FILE_SIZE, DO_E_INVALID_RANGE},
        {"past the size", 1, {{90, 11}}, 100, DO_E_INVALID_RANGE},
        {"at the size", 1, {{100, 1}}, 100, DO_E_INVALID_RANGE},
        {"at the size to the end", 1, {{100, BG_LENGTH_TO_EOF}}, 100, DO_E_INVALID_RANGE},
        {"twice", 2, {{3, 4}, {3, 4}}, DO_UNKNOWN_FILE_SIZE, DO_E_OVERLAPPING_RANGES},
        {"overlap", 2, {{0, 5}, {4, 5}}, DO_UNKNOWN_FILE_SIZE, DO_E_OVERLAPPING_RANGES},
        {"overlap backwards", 2, {{4, 5}, {0, 5}}, DO_UNKNOWN_FILE_SIZE, DO_E_OVERLAPPING_RANGES},
        {"end not last", 2, {{4, BG_LENGTH_TO_EOF}, {10, 5}}, DO_UNKNOWN_FILE_SIZE,
            DO_E_OVERLAPPING_RANGES},
        {"third inside", 3, {{0, 5}, {100, 5}, {2, 1}}, DO_UNKNOWN_FILE_SIZE,
            DO_E_OVERLAPPING_RANGES},
    };
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationJob *do_job = test_do_job(job);
    ULONG expected_count = 0;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        BG_FILE_RANGE ranges[3];

        print_message("  %s\n", rows[i].name);
        memcpy(ranges, rows[i].ranges, sizeof(ranges));
        assert_hr(rows[i].expected,
            IDeliveryOptimizationJob_AddFileWithRanges(do_job, L"id", L"http://127.0.0.1/a",
                test_local(test, L"a"), rows[i].count, ranges, rows[i].size));
        expected_count += SUCCEEDED(rows[i].expected);
    }
    assert_int_equal(expected_count, count_files(job));
    IDeliveryOptimizationJob_Release(do_job);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a count without an array, or the reverse, reads wild memory. */
static void test_files_add_with_ranges_checks_arguments(void **state)
{
    BG_FILE_RANGE range = {0, 1};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationJob *do_job = test_do_job(job);
    const WCHAR *url = L"http://127.0.0.1/a";
    const WCHAR *local = test_local(test, L"a");

    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, NULL, url, local, 1, &range, DO_UNKNOWN_FILE_SIZE));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"", url, local, 1, &range, DO_UNKNOWN_FILE_SIZE));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"id", url, local, 1, NULL, DO_UNKNOWN_FILE_SIZE));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"id", url, local, 0, &range, DO_UNKNOWN_FILE_SIZE));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"id", url, local, MAXDWORD, NULL, DO_UNKNOWN_FILE_SIZE));
    /* Refused for the count alone: the array is not that long. */
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"id", url, local, MAXDWORD, &range, DO_UNKNOWN_FILE_SIZE));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob_AddFileWithRanges(
                                do_job, L"id", url, local, 0x10001, &range, DO_UNKNOWN_FILE_SIZE));
    assert_int_equal(0, count_files(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE, IDeliveryOptimizationJob_AddFileWithRanges(
                                      do_job, L"id", url, local, 1, &range, DO_UNKNOWN_FILE_SIZE));
    IDeliveryOptimizationJob_Release(do_job);
    IBackgroundCopyJob_Release(job);
}

/* Broken: the way in that BITS has takes what Delivery Optimization's own refuses. */
static void test_files_add_with_ranges_of_job3_checks_arguments(void **state)
{
    static BG_FILE_RANGE good[] = {{10, 5}, {0, 5}};
    static BG_FILE_RANGE empty[] = {{5, 0}};
    static BG_FILE_RANGE overflow[] = {{BG_LENGTH_TO_EOF - 5, 10}};
    static BG_FILE_RANGE twice[] = {{3, 4}, {5, 1}};
    static const WCHAR url[] = L"http://127.0.0.1/a";
    static const struct
    {
        const WCHAR *url;
        const WCHAR *name; /* in the test's folder */
        DWORD count;
        BG_FILE_RANGE *ranges;
        HRESULT expected;
    } rows[] = {
        {url, L"a", 2, good, S_OK},
        {url, L"a", 0, NULL, E_INVALIDARG},
        {url, L"a", 0, good, E_INVALIDARG},
        {url, L"a", 2, NULL, E_INVALIDARG},
        {url, L"a", RANGE_LIMIT + 1, good, E_INVALIDARG},
        {NULL, L"a", 2, good, E_INVALIDARG},
        {L"ftp://127.0.0.1/a", L"a", 2, good, E_INVALIDARG},
        {url, L"a?b", 2, good, TEST_E_INVALID_NAME},
        {url, L"a", 1, empty, DO_E_INVALID_RANGE},
        {url, L"a", 1, overflow, DO_E_INVALID_RANGE},
        {url, L"a", 2, twice, DO_E_OVERLAPPING_RANGES},
    };
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyJob3 *job3 = NULL;

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob3, (void **)&job3));
    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        print_message("  row %u\n", (unsigned int)i);
        assert_hr(
            rows[i].expected, IBackgroundCopyJob3_AddFileWithRanges(job3, rows[i].url,
                                  test_local(test, rows[i].name), rows[i].count, rows[i].ranges));
    }
    assert_hr(E_INVALIDARG, IBackgroundCopyJob3_AddFileWithRanges(job3, url, NULL, 2, good));
    assert_int_equal(1, count_files(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE,
        IBackgroundCopyJob3_AddFileWithRanges(job3, url, test_local(test, L"a"), 2, good));
    IBackgroundCopyJob3_Release(job3);
    IBackgroundCopyJob_Release(job);
}

/* Broken: names come back changed, or NULL crashes. */
static void test_files_names_come_back_as_given(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=5&x_a=%20b", L"\x00E4 \x4E2D.bin");
    IBackgroundCopyFile *file = test_file(job, 0);
    WCHAR *name = TEST_POISON;

    assert_ok(IBackgroundCopyFile_GetRemoteName(file, &name));
    assert_int_equal(0, wcscmp(name, test->url));
    CoTaskMemFree(name);
    assert_ok(IBackgroundCopyFile_GetLocalName(file, &name));
    assert_int_equal(0, wcscmp(name, test->local));
    CoTaskMemFree(name);
    assert_hr(E_INVALIDARG, IBackgroundCopyFile_GetRemoteName(file, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyFile_GetLocalName(file, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyFile_GetProgress(file, NULL));
    /* Readable when the job has ended and its pointer is gone. */
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
    assert_ok(IBackgroundCopyFile_GetRemoteName(file, &name));
    assert_int_equal(0, wcscmp(name, test->url));
    CoTaskMemFree(name);
    IBackgroundCopyFile_Release(file);
}

/* Progress */

static void expect_progress(
    IBackgroundCopyJob *job, ULONG index, UINT64 total, UINT64 transferred, BOOL completed)
{
    BG_FILE_PROGRESS progress = test_file_progress(job, index);

    assert_int_equal(total, progress.BytesTotal);
    assert_int_equal(transferred, progress.BytesTransferred);
    assert_int_equal(completed, progress.Completed);
}

/* Broken: a progress bar begins wrong: sizes that are known are not told, or invented. */
static void test_files_progress_before_the_transfer(void **state)
{
    BG_FILE_RANGE ranges[] = {{2, 4}, {12, 5}};
    BG_FILE_RANGE to_end[] = {{2, 4}, {12, BG_LENGTH_TO_EOF}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_JOB_PROGRESS progress;

    test_add_ranges(test, job, "size=100", L"b", 0, NULL, 100);
    test_add_ranges(test, job, "size=100", L"c", 2, ranges, DO_UNKNOWN_FILE_SIZE);
    test_add_ranges(test, job, "size=100", L"d", 2, ranges, 100);
    test_add_ranges(test, job, "size=100", L"e", 2, to_end, 100);
    expect_progress(job, 0, 100, 0, FALSE);
    expect_progress(job, 1, 9, 0, FALSE);
    expect_progress(job, 2, 9, 0, FALSE);
    expect_progress(job, 3, 4 + 88, 0, FALSE);
    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    assert_int_equal(100 + 9 + 9 + 92, progress.BytesTotal);
    assert_int_equal(0, progress.BytesTransferred);
    assert_int_equal(4, progress.FilesTotal);
    assert_int_equal(0, progress.FilesTransferred);

    test_add(test, job, "size=100", L"a");
    expect_progress(job, 4, BG_SIZE_UNKNOWN, 0, FALSE);
    test_add_ranges(test, job, "size=100", L"f", 2, to_end, DO_UNKNOWN_FILE_SIZE);
    expect_progress(job, 5, BG_SIZE_UNKNOWN, 0, FALSE);
    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    assert_int_equal(BG_SIZE_UNKNOWN, progress.BytesTotal);
    IBackgroundCopyJob_Release(job);
}

/* Broken: the bar jumps back, passes the end, or says done before the file is there. */
static void test_files_progress_during_and_after_the_transfer(void **state)
{
    const UINT64 size = 300 << 10;
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=300k&rate=150k", L"a");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    BG_JOB_PROGRESS job_progress;
    unsigned int steps = 0;
    UINT64 last = 0;

    assert_ok(IBackgroundCopyJob_Resume(job));
    while (test_state(job) == BG_JOB_STATE_TRANSFERRING && GetTickCount64() < end)
    {
        BG_FILE_PROGRESS progress = test_file_progress(job, 0);

        assert_true(progress.BytesTransferred >= last);
        assert_true(progress.BytesTransferred <= size);
        assert_true(progress.BytesTotal == size || progress.BytesTotal == BG_SIZE_UNKNOWN);
        assert_true(progress.BytesTotal == size || !progress.BytesTransferred);
        assert_false(progress.Completed);
        if (progress.BytesTransferred > last && progress.BytesTransferred < size)
            steps++;
        last = progress.BytesTransferred;
        Sleep(TEST_POLL_MS);
    }
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    /* In two seconds a bar must have moved, also for a file smaller than a block. */
    assert_true(steps >= 1);
    expect_progress(job, 0, size, size, FALSE);
    assert_ok(IBackgroundCopyJob_GetProgress(job, &job_progress));
    assert_int_equal(size, job_progress.BytesTotal);
    assert_int_equal(size, job_progress.BytesTransferred);
    assert_int_equal(1, job_progress.FilesTransferred);
    assert_ok(IBackgroundCopyJob_Complete(job));
    expect_progress(job, 0, size, size, TRUE);
    IBackgroundCopyJob_Release(job);
}

/* Broken: the range to the end keeps its unknown size, or ranges count the whole object. */
static void test_files_progress_of_ranges(void **state)
{
    BG_FILE_RANGE ranges[] = {{10, 20}, {50, BG_LENGTH_TO_EOF}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);

    test_add_ranges(test, job, "size=100", L"a", 2, ranges, DO_UNKNOWN_FILE_SIZE);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_progress(job, 0, 70, 70, FALSE);
    assert_ok(IBackgroundCopyJob_Complete(job));
    expect_progress(job, 0, 70, 70, TRUE);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a whole file whose length the server never told stays without a size. */
static void test_files_progress_of_unknown_length_ends_known(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000&no_length=1", L"a");

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_progress(job, 0, 1000, 1000, FALSE);
    IBackgroundCopyJob_Release(job);
}

/* Broken: what is stored is forgotten, or counted, when the job is suspended. */
static void test_files_progress_stays_while_suspended(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=100k&stall=50k", L"a");
    BG_FILE_PROGRESS progress;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    progress = test_file_progress(job, 0);
    assert_int_equal(100 << 10, progress.BytesTotal);
    assert_true(progress.BytesTransferred >= 1);
    assert_true(progress.BytesTransferred <= 50 << 10);
    expect_progress(job, 0, 100 << 10, progress.BytesTransferred, FALSE);
    IBackgroundCopyJob_Release(job);
}

/* Broken: Completed is told for files that a partial Complete did not save. */
static void test_files_progress_after_partial_complete(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_JOB_PROGRESS progress;

    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=1000&stall=0", L"b");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_files(job, 1);
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    expect_progress(job, 0, 1000, 1000, TRUE);
    assert_false(test_file_progress(job, 1).Completed);
    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    assert_int_equal(1, progress.FilesTransferred);
    IBackgroundCopyJob_Release(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_files_add_checks_the_url),
        COM_TEST(test_files_add_checks_the_path),
        COM_TEST(test_files_add_set_is_all_or_none),
        COM_TEST(test_files_add_set_of_a_thousand),
        COM_TEST(test_files_add_takes_65536_ranges),
        COM_TEST(test_files_add_checks_ranges),
        COM_TEST(test_files_add_with_ranges_checks_arguments),
        COM_TEST(test_files_add_with_ranges_of_job3_checks_arguments),
        COM_TEST(test_files_names_come_back_as_given),
        COM_TEST(test_files_progress_before_the_transfer),
        COM_TEST(test_files_progress_during_and_after_the_transfer),
        COM_TEST(test_files_progress_of_ranges),
        COM_TEST(test_files_progress_of_unknown_length_ends_known),
        COM_TEST(test_files_progress_stays_while_suspended),
        COM_TEST(test_files_progress_after_partial_complete),
    };

    return COM_TEST_RUN(tests);
}
