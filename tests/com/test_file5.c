/* SPDX-License-Identifier: MIT */
/*
 * IBackgroundCopyFile2 to IBackgroundCopyFile5: ranges, another URL, the temporary file, the
 * verdict about a file, where its bytes came from, and the head of the last answer. Everything runs
 * on the test's thread; "file" is the job's first one, released by each test.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define URL_LIMIT 2200U

static IBackgroundCopyFile5 *file5_of(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyFile *file = test_file(job, index);
    IBackgroundCopyFile5 *file5 = NULL;

    assert_ok(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile5, (void **)&file5));
    IBackgroundCopyFile_Release(file);
    return file5;
}

static void expect_remote_name(IBackgroundCopyFile5 *file, const WCHAR *url)
{
    WCHAR *name = TEST_POISON;

    assert_ok(IBackgroundCopyFile5_GetRemoteName(file, &name));
    assert_int_equal(0, wcscmp(name, url));
    CoTaskMemFree(name);
}

/* GetFileRanges */

/* Broken: a client that takes S_FALSE for "the whole file" reads wild memory. */
static void test_file5_whole_file_has_no_ranges(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);
    BG_FILE_RANGE *ranges = TEST_POISON;
    DWORD count = 77;

    assert_hr(S_FALSE, IBackgroundCopyFile5_GetFileRanges(file, &count, &ranges));
    assert_int_equal(0, count);
    assert_null(ranges);
    ranges = TEST_POISON;
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetFileRanges(file, NULL, &ranges));
    assert_null(ranges);
    count = 77;
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetFileRanges(file, &count, NULL));
    assert_int_equal(0, count);
    test_fetch(job);
    assert_hr(S_FALSE, IBackgroundCopyFile5_GetFileRanges(file, &count, &ranges));
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

static void expect_ranges(IBackgroundCopyFile5 *file, const BG_FILE_RANGE *expected, DWORD count)
{
    BG_FILE_RANGE *ranges = TEST_POISON;
    DWORD given = 77;

    assert_ok(IBackgroundCopyFile5_GetFileRanges(file, &given, &ranges));
    assert_int_equal(count, given);
    assert_memory_equal(expected, ranges, count * sizeof(*ranges));
    CoTaskMemFree(ranges);
}

/* Broken: a client that matches the bytes to its ranges gets them sorted, or resolved. */
static void test_file5_ranges_come_back_as_given(void **state)
{
    BG_FILE_RANGE ranges[] = {{50, BG_LENGTH_TO_EOF}, {10, 20}, {0, 1}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyFile5 *file;

    test_add_ranges(test, job, "size=100", L"a", 3, ranges, DO_UNKNOWN_FILE_SIZE);
    file = file5_of(job, 0);
    expect_ranges(file, ranges, 3);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_ranges(file, ranges, 3);
    assert_ok(IBackgroundCopyJob_Complete(job));
    expect_ranges(file, ranges, 3);
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* SetRemoteName */

/* Broken: a bad URL takes the place of a good one. */
static void test_file5_bad_remote_name_changes_nothing(void **state)
{
    static const WCHAR *const bad[] = {
        NULL, L"", L"x", L"http://", L"ftp://127.0.0.1/a", L"C:\\a", L"http://127.0.0.1:99999/a"};
    WCHAR url[URL_LIMIT + 2] = L"http://127.0.0.1/";
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);

    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
    {
        assert_hr(E_INVALIDARG, IBackgroundCopyFile5_SetRemoteName(file, bad[i]));
        expect_remote_name(file, test->url);
    }
    for (size_t i = wcslen(url); i <= URL_LIMIT; i++)
        url[i] = L'u';
    url[URL_LIMIT + 1] = L'\0';
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_SetRemoteName(file, url));
    url[URL_LIMIT] = L'\0';
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, url));
    expect_remote_name(file, url);
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test->url));
    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a mirror chosen before the start, or after an error, is not used. */
static void test_file5_remote_name_of_a_job_that_does_not_run(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "status=404", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);
    char *log;

    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "status=403")));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "size=1000&seed=3")));
    assert_int_equal(BG_JOB_STATE_ERROR, test_state(job));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    log = test_log(test);
    assert_int_equal(1, test_log_count(log));
    free(log);
    /* What is transferred stays so. */
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "size=2000&seed=4")));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_ok(IBackgroundCopyJob_Complete(job));
    test_expect_object(test->local, 1000, 3);
    log = test_log(test);
    assert_int_equal(0, test_log_count(log));
    free(log);
    expect_remote_name(file, test->url);
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyFile5_SetRemoteName(file, test->url));
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000", L"b");
    file = file5_of(job, 0);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyFile5_SetRemoteName(file, test->url));
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

struct mirror
{
    const char *first;
    const char *second;
    UINT64 size; /* of the second */
    UINT64 seed;
    bool continues; /* the second is asked for the rest only */
};

/* 600 KiB, of which the first server gives the half and then falls silent. */
#define HALF "size=600k&stall=300k"

static const struct mirror mirrors[] = {
    {HALF, "size=600k", 600 << 10, 1, true},
    {HALF, "size=600001", 600001, 1, false},
    {HALF, "size=100k", 100 << 10, 1, false},
    {HALF, "size=600k&seed=9", 600 << 10, 9, false},
    {HALF "&etag=none",
        "size=600k&seed=9&etag=none&last_modified=Thu%2C%2002%20Jan%202020%2000:"
        "00:00%20GMT",
        600 << 10, 9, false},
    {HALF, "size=600k&seed=9&ignore_range=1", 600 << 10, 9, false},
    {HALF, "size=600k&chunked=1&seed=9", 600 << 10, 9, false},
};

static bool was_asked_for_the_rest(struct com_test *test)
{
    char *log = test_log(test);
    char value[64];
    bool asked = test_log_value(log, 0, "status", value, sizeof(value)) && !strcmp(value, "206");

    free(log);
    return asked;
}

/* Broken: the halves of two different objects become one file, or the same object is fetched
   again. */
static void test_file5_remote_name_of_a_suspended_job(void **state)
{
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(mirrors); i++)
    {
        const struct mirror *mirror = &mirrors[i];
        IBackgroundCopyJob *job = test_create_job_of(test, mirror->first, L"a");
        IBackgroundCopyFile5 *file = file5_of(job, 0);

        print_message("  %s\n", mirror->second);
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_bytes(job, 1);
        assert_ok(IBackgroundCopyJob_Suspend(job));
        assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, mirror->second)));
        assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
        test_fetch(job);
        test_expect_object(test->local, mirror->size, mirror->seed);
        assert_int_equal(mirror->continues, was_asked_for_the_rest(test));
        expect_remote_name(file, test->url);
        IBackgroundCopyFile5_Release(file);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: a job that runs goes on with a server that its client has given up, or mixes two. */
static void test_file5_remote_name_of_a_running_job(void **state)
{
    static const char first[] = "size=600k&rate=300k&cut=400k";
    static const struct mirror rows[] = {
        {first, "size=600k", 600 << 10, 1, true}, {first, "size=600001&seed=9", 600001, 9, false}};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].first, L"a");
        IBackgroundCopyFile5 *file = file5_of(job, 0);

        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_bytes(job, 1);
        assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, rows[i].second)));
        expect_remote_name(file, test->url);
        assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
        test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
        assert_ok(IBackgroundCopyJob_Complete(job));
        test_expect_object(test->local, rows[i].size, rows[i].seed);
        assert_int_equal(rows[i].continues, was_asked_for_the_rest(test));
        IBackgroundCopyFile5_Release(file);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: a size that the client knows is forgotten with the URL. */
static void test_file5_remote_name_does_not_change_the_known_size(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyFile5 *file;
    BG_ERROR_CONTEXT context;

    test_add_ranges(test, job, HALF, L"a", 0, NULL, 600 << 10);
    file = file5_of(job, 0);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "size=100k")));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    assert_hr(DO_E_INSUFFICIENT_RANGE_SUPPORT, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_REMOTE_FILE, context);
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* GetTemporaryName */

static bool is_temp_name(const struct com_test *test, const WCHAR *name)
{
    size_t length = wcslen(test->folder);

    return !_wcsnicmp(name, test->folder, length) && !wcsncmp(name + length, L"DO", 2) &&
           wcslen(name) > length + 6 && !wcscmp(name + wcslen(name) - 4, L".tmp") &&
           !wcschr(name + length, L'\\');
}

/* Broken: a client looks at a file that is not there, or misses one that is. */
static void test_file5_temporary_name(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job =
        test_create_job_of(test, "size=600k&fail_first=1&fail_how=stall&fail_at=300k", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);
    WCHAR *name = TEST_POISON;
    WCHAR first[1024];

    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetTemporaryName(file, NULL));
    assert_ok(IBackgroundCopyFile5_GetTemporaryName(file, &name));
    assert_int_equal(0, wcslen(name));
    CoTaskMemFree(name);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyFile5_GetTemporaryName(file, &name));
    if (!is_temp_name(test, name))
        fail_msg("%ls is no temporary name", name);
    assert_true(wcslen(name) < TEST_COUNT_OF(first));
    wcscpy(first, name);
    assert_int_not_equal(TEST_SIZE_MISSING, test_file_size(name));
    CoTaskMemFree(name);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_int_not_equal(TEST_SIZE_MISSING, test_file_size(first));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_ok(IBackgroundCopyFile5_GetTemporaryName(file, &name));
    assert_int_equal(0, wcscmp(name, first));
    CoTaskMemFree(name);
    /* Whole, and readable while it waits for Complete. */
    test_expect_object(first, 600 << 10, 1);
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_ok(IBackgroundCopyFile5_GetTemporaryName(file, &name));
    assert_int_equal(0, wcslen(name));
    CoTaskMemFree(name);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(first));
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Validation, peers */

static void expect_validation(IBackgroundCopyFile5 *file, BOOL expected)
{
    BOOL verdict = 77;

    assert_ok(IBackgroundCopyFile5_GetValidationState(file, &verdict));
    assert_int_equal(expected, verdict);
}

/* Broken: a client's verdict is forgotten, or comes before there is anything to judge. */
static void test_file5_validation_state(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyFile5 *file, *other;

    test_add(test, job, "size=1000", L"a");
    test_add(test, job, "size=1000", L"b");
    file = file5_of(job, 0);
    other = file5_of(job, 1);
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetValidationState(file, NULL));
    expect_validation(file, FALSE);
    assert_hr(E_PENDING, IBackgroundCopyFile5_SetValidationState(file, TRUE));
    assert_hr(E_PENDING, IBackgroundCopyFile5_SetValidationState(file, FALSE));
    expect_validation(file, FALSE);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_validation(file, FALSE);
    assert_ok(IBackgroundCopyFile5_SetValidationState(file, TRUE));
    expect_validation(file, TRUE);
    expect_validation(other, FALSE);
    assert_ok(IBackgroundCopyFile5_SetValidationState(file, FALSE));
    expect_validation(file, FALSE);
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_ok(IBackgroundCopyJob_Complete(job));
    expect_validation(file, FALSE);
    expect_validation(other, TRUE);
    test_expect_object(test_local(test, L"a"), 1000, 1);
    assert_hr(DO_E_INVALID_STATE, IBackgroundCopyFile5_SetValidationState(file, TRUE));
    expect_validation(file, FALSE);
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyFile5_Release(other);
    IBackgroundCopyJob_Release(job);
}

static void expect_origin(IBackgroundCopyFile5 *file, UINT64 bytes)
{
    UINT64 from_origin = 77, from_peers = 77;
    BOOL from_peer = 77;

    assert_ok(IBackgroundCopyFile5_GetPeerDownloadStats(file, &from_origin, &from_peers));
    assert_int_equal(bytes, from_origin);
    assert_int_equal(0, from_peers);
    assert_ok(IBackgroundCopyFile5_IsDownloadedFromPeer(file, &from_peer));
    assert_false(from_peer);
}

/* Broken: bytes of the server are said to come from peers, or from nowhere. */
static void test_file5_bytes_come_from_the_origin(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, HALF, L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);
    UINT64 bytes = 77;

    expect_origin(file, 0);
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_IsDownloadedFromPeer(file, NULL));
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetPeerDownloadStats(file, NULL, &bytes));
    assert_int_equal(0, bytes);
    bytes = 77;
    assert_hr(E_INVALIDARG, IBackgroundCopyFile5_GetPeerDownloadStats(file, &bytes, NULL));
    assert_int_equal(0, bytes);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    expect_origin(file, test_file_progress(job, 0).BytesTransferred);
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "size=600k")));
    test_fetch(job);
    expect_origin(file, 600 << 10);
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Properties */

static WCHAR *get_headers(IBackgroundCopyFile5 *file)
{
    BITS_FILE_PROPERTY_VALUE value = {TEST_POISON};

    assert_ok(IBackgroundCopyFile5_GetProperty(
        file, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, &value));
    return value.String;
}

static void expect_headers(IBackgroundCopyFile5 *file, const WCHAR *beginning, const WCHAR *within)
{
    WCHAR *headers = get_headers(file);

    assert_non_null(headers);
    if (wcsncmp(headers, beginning, wcslen(beginning)) || !wcsstr(headers, within))
        fail_msg("%ls", headers);
    /* One head, not those of the answers before it. */
    assert_null(wcsstr(headers + 1, L"HTTP/1.1 "));
    CoTaskMemFree(headers);
}

/* Broken: who wants to know why a server refused sees nothing, or the head of another answer. */
static void test_file5_head_of_the_last_answer(void **state)
{
    BG_FILE_RANGE range = {10, 20};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "status=404", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);

    assert_null(get_headers(file));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    expect_headers(file, L"HTTP/1.1 404", L"\r\nContent-Length: ");
    assert_ok(IBackgroundCopyFile5_SetRemoteName(file, test_url(test, "size=1000&redirect=1")));
    expect_headers(file, L"HTTP/1.1 404", L"\r\nContent-Length: ");
    test_fetch(job);
    expect_headers(file, L"HTTP/1.1 200", L"\r\nContent-Length: 1000\r\n");
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);

    job = test_create_job(test);
    test_add_ranges(test, job, "size=100&header_flood=20", L"b", 1, &range, DO_UNKNOWN_FILE_SIZE);
    file = file5_of(job, 0);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_headers(file, L"HTTP/1.1 206", L"\r\nContent-Range: bytes 10-29/100\r\n");
    assert_ok(IBackgroundCopyJob_Cancel(job));
    expect_headers(file, L"HTTP/1.1 206", L"\r\nETag: ");
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a client that probes ids crashes us, or is told that it has set something. */
static void test_file5_codes_of_properties(void **state)
{
    static const int unknown[] = {0, 2, -1, 1000};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IBackgroundCopyFile5 *file = file5_of(job, 0);
    BITS_FILE_PROPERTY_VALUE value = {TEST_POISON};

    assert_hr(E_INVALIDARG,
        IBackgroundCopyFile5_GetProperty(file, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, NULL));
    /* The documentation passes it by pointer, the SDK by value. */
    assert_hr(DO_E_READ_ONLY_PROPERTY,
        IBackgroundCopyFile5_SetProperty(file, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, value));
    for (size_t i = 0; i < TEST_COUNT_OF(unknown); i++)
    {
        BITS_FILE_PROPERTY_ID id = (BITS_FILE_PROPERTY_ID)unknown[i];

        value.String = TEST_POISON;
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyFile5_SetProperty(file, id, value));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyFile5_GetProperty(file, id, &value));
        assert_null(value.String);
    }
    IBackgroundCopyFile5_Release(file);
    IBackgroundCopyJob_Release(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_file5_whole_file_has_no_ranges),
        COM_TEST(test_file5_ranges_come_back_as_given),
        COM_TEST(test_file5_bad_remote_name_changes_nothing),
        COM_TEST(test_file5_remote_name_of_a_job_that_does_not_run),
        COM_TEST(test_file5_remote_name_of_a_suspended_job),
        COM_TEST(test_file5_remote_name_of_a_running_job),
        COM_TEST(test_file5_remote_name_does_not_change_the_known_size),
        COM_TEST(test_file5_temporary_name),
        COM_TEST(test_file5_validation_state),
        COM_TEST(test_file5_bytes_come_from_the_origin),
        COM_TEST(test_file5_head_of_the_last_answer),
        COM_TEST(test_file5_codes_of_properties),
    };

    return COM_TEST_RUN(tests);
}
