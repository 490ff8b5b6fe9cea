/* SPDX-License-Identifier: MIT */
/*
 * IDOManager and IDODownload: every state x every call against a table written by hand from spec
 * 04, section 2; ranges; files.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

enum start
{
    CREATED,
    TRANSFERRING,
    TRANSFERRED,
    PAUSED,
    IN_ERROR,
    FINALIZED,
    ABORTED,
    START_COUNT
};

enum call
{
    START_NULL,
    START_WHOLE,
    START_RANGES,
    PAUSE,
    FINALIZE,
    ABORT,
    CALL_COUNT
};

struct cell
{
    HRESULT hr;
    DODownloadState after;
};

#define OK(state)                                                                                  \
    {                                                                                              \
        S_OK, DODownloadState_##state                                                              \
    }
#define REFUSED(state)                                                                             \
    {                                                                                              \
        DO_E_INVALID_STATE, DODownloadState_##state                                                \
    }

/* Written by hand from spec 04, 2; columns: Start(NULL), Start(0 ranges), Start(ranges), Pause,
   Finalize, Abort. An error leaves a download paused. */
static const struct cell table[START_COUNT][CALL_COUNT] = {
    [CREATED] = {OK(Transferring), OK(Transferring), OK(Transferring), OK(Created),
        REFUSED(Created), OK(Aborted)},
    [TRANSFERRING] = {OK(Transferring), OK(Transferring), REFUSED(Transferring), OK(Paused),
        REFUSED(Transferring), OK(Aborted)},
    [TRANSFERRED] = {OK(Transferred), OK(Transferring), OK(Transferring), OK(Transferred),
        OK(Finalized), OK(Aborted)},
    [PAUSED] = {OK(Transferring), OK(Transferring), OK(Transferring), OK(Paused), REFUSED(Paused),
        OK(Aborted)},
    [IN_ERROR] = {OK(Transferring), OK(Transferring), OK(Transferring), OK(Paused), REFUSED(Paused),
        OK(Aborted)},
    [FINALIZED] = {REFUSED(Finalized), REFUSED(Finalized), REFUSED(Finalized), REFUSED(Finalized),
        OK(Finalized), REFUSED(Finalized)},
    [ABORTED] = {REFUSED(Aborted), REFUSED(Aborted), REFUSED(Aborted), REFUSED(Aborted),
        REFUSED(Aborted), REFUSED(Aborted)},
};

/* How each start is reached. What a later Start asks for does not come: it stalls, or is answered
   503, so that the download is still transferring when the test looks. */
static const struct
{
    const char *name;
    const char *query;
} starts[START_COUNT] = {
    [CREATED] = {"created", "stall=10"},
    [TRANSFERRING] = {"transferring", "stall=10"},
    [TRANSFERRED] = {"transferred", "size=2000&status_after=2:503"},
    [PAUSED] = {"paused", "stall=10"},
    [IN_ERROR] = {"error", "fail_first=1&fail_status=404&stall=10"},
    [FINALIZED] = {"finalized", "size=10"},
    [ABORTED] = {"aborted", "size=10"},
};

static IDODownload *bring_to(struct com_test *test, enum start start, const WCHAR *name)
{
    IDODownload *download = modern_create_of(test, starts[start].query, name);

    if (start == CREATED)
        return download;
    if (start == ABORTED)
    {
        assert_ok(IDODownload_Abort(download));
        return download;
    }
    assert_ok(IDODownload_Start(download, NULL));
    if (start == PAUSED)
        assert_ok(IDODownload_Pause(download));
    if (start == IN_ERROR)
        modern_wait_error(download, TEST_E_HTTP(404));
    if (start == TRANSFERRED || start == FINALIZED)
        modern_wait(download, DODownloadState_Transferred);
    if (start == FINALIZED)
        assert_ok(IDODownload_Finalize(download));
    return download;
}

static HRESULT make_call(IDODownload *download, enum call call)
{
    static const struct modern_ranges none = {.count = 0};
    static const struct modern_ranges some = {.count = 1, .ranges = {{100, 1000}}};

    switch (call)
    {
    case START_NULL:
        return IDODownload_Start(download, NULL);
    case START_WHOLE:
        return IDODownload_Start(download, modern_info(&none));
    case START_RANGES:
        return IDODownload_Start(download, modern_info(&some));
    case PAUSE:
        return IDODownload_Pause(download);
    case FINALIZE:
        return IDODownload_Finalize(download);
    case ABORT:
        return IDODownload_Abort(download);
    case CALL_COUNT:
        break;
    }
    return E_UNEXPECTED;
}

/* Broken: a call in the named state does not do what the documentation says. */
static void test_modern_calls_in_each_state(void **state)
{
    for (int start = 0; start < START_COUNT; start++)
    {
        for (int call = 0; call < CALL_COUNT; call++)
        {
            const struct cell *expected = &table[start][call];
            IDODownload *download;
            DODownloadState after;
            WCHAR name[16];
            HRESULT hr;

            (void)_snwprintf(name, TEST_COUNT_OF(name), L"s%d-%d", start, call);
            download = bring_to(*state, (enum start)start, name);
            hr = make_call(download, (enum call)call);
            after = modern_status(download).State;
            if (hr != expected->hr || after != expected->after)
            {
                print_error("%s, call %d: 0x%08lx and state %d, not 0x%08lx and %d\n",
                    starts[start].name, call, (unsigned long)hr, (int)after,
                    (unsigned long)expected->hr, (int)expected->after);
                fail();
            }
            if (after != DODownloadState_Finalized && after != DODownloadState_Aborted)
                assert_ok(IDODownload_Abort(download));
            IDODownload_Release(download);
        }
    }
}

/* Broken: a client cannot read the result of what is over. */
static void test_modern_final_states_keep_numbers_and_properties(void **state)
{
    static const enum start finals[] = {FINALIZED, ABORTED};

    for (size_t i = 0; i < TEST_COUNT_OF(finals); i++)
    {
        IDODownload *download = bring_to(*state, finals[i], i ? L"b" : L"a");
        DO_DOWNLOAD_STATUS status = modern_status(download);

        assert_int_equal(finals[i] == FINALIZED ? 10 : 0, status.BytesTransferred);
        assert_int_equal(status.BytesTransferred, status.BytesTotal);
        assert_ok(status.Error);
        assert_ok(status.ExtendedError);
        modern_expect_text(download, DODownloadProperty_Uri, ((struct com_test *)*state)->url);
        IDODownload_Release(download);
    }
}

/* Broken: a new download is not what clients count on. */
static void test_modern_created_download_is_empty(void **state)
{
    IDODownload *download = modern_create();
    DO_DOWNLOAD_STATUS status;
    const BYTE *bytes = (const BYTE *)&status;

    (void)state;
    memset(&status, 0xCC, sizeof(status));
    assert_ok(IDODownload_GetStatus(download, &status));
    for (size_t i = 0; i < sizeof(status); i++)
        assert_int_equal(0, bytes[i]);
    assert_hr(E_INVALIDARG, IDODownload_GetStatus(download, NULL));
    modern_abort(download);
}

/* Broken: what is missing shows up late, or under another code. */
static void test_modern_start_without_what_it_needs_fails(void **state)
{
    static const struct modern_ranges bad = {.count = 1, .ranges = {{0, 0}}};
    struct com_test *test = *state;
    IDODownload *download = modern_create();

    assert_hr(DO_E_DOWNLOAD_NO_URI, IDODownload_Start(download, NULL));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=10")));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IDODownload_Start(download, NULL));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IDODownload_Start(download, modern_info(&bad)));
    assert_ok(
        modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"sub\\deep\\a")));
    assert_hr(DO_E_INVALID_RANGE, IDODownload_Start(download, modern_info(&bad)));
    assert_ok(modern_set_bool(download, DODownloadProperty_IntegrityCheckMandatory, true));
    assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, IDODownload_Start(download, NULL));
    assert_ok(modern_set_bool(download, DODownloadProperty_IntegrityCheckMandatory, false));
    assert_int_equal(DODownloadState_Created, modern_status(download).State);
    /* The folder is made. */
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
    assert_true(DeleteFileW(test->local));
    assert_true(RemoveDirectoryW(test_local(test, L"sub\\deep")));
    assert_true(RemoveDirectoryW(test_local(test, L"sub")));
}

/* Broken: a download that has no place to go to is Transferring for ever. */
static void test_modern_start_without_a_place_fails(void **state)
{
    WCHAR path[] = L"?:\\dosvc\\a";
    struct com_test *test = *state;
    IDODownload *download = modern_create();
    DWORD drives = GetLogicalDrives();
    HRESULT hr;

    /* A drive that is not there. */
    for (path[0] = L'D'; drives & (1U << (path[0] - L'A')); path[0]++)
        assert_true(path[0] < L'Y');
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=10")));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, path));
    hr = IDODownload_Start(download, NULL);
    /* The latter is Wine 8's word for it. */
    assert_true(hr == TEST_E_PATH_NOT_FOUND || hr == TEST_E_FILE_NOT_FOUND);
    assert_int_equal(DODownloadState_Created, modern_status(download).State);
    /* It can be sent elsewhere. */
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a")));
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);

    /* A file lies where a directory is wanted: found out when the first byte comes. */
    download = modern_create_of(test, "size=10", L"a\\b");
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_error(download, TEST_E_PATH_NOT_FOUND);
    modern_abort(download);
    test_expect_object(test_local(test, L"a"), 10, 1);
}

/* Ranges */

static void check_range_error(IDODownload *download, HRESULT hr, struct modern_ranges ranges)
{
    assert_hr(hr, IDODownload_Start(download, modern_info(&ranges)));
    assert_int_equal(DODownloadState_Created, modern_status(download).State);
}

/* Broken: ranges that no object has are asked for, or crash the arithmetic. */
static void test_modern_bad_ranges_are_refused(void **state)
{
    IDODownload *download = modern_create_of(*state, "size=10", L"a");

    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 1, .ranges = {{DO_LENGTH_TO_EOF, 1}}});
    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 1, .ranges = {{DO_LENGTH_TO_EOF, DO_LENGTH_TO_EOF}}});
    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 1, .ranges = {{2, UINT64_MAX - 1}}});
    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 1, .ranges = {{1, UINT64_MAX - 1}}});
    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 2, .ranges = {{0, 5}, {7, 0}}});
    check_range_error(download, DO_E_OVERLAPPING_RANGES,
        (struct modern_ranges){.count = 2, .ranges = {{0, 5}, {4, 1}}});
    check_range_error(download, DO_E_OVERLAPPING_RANGES,
        (struct modern_ranges){.count = 2, .ranges = {{5, DO_LENGTH_TO_EOF}, {8, 1}}});
    check_range_error(download, E_INVALIDARG, (struct modern_ranges){.count = 0x10001});
    check_range_error(download, E_INVALIDARG, (struct modern_ranges){.count = 0xFFFFFFFF});
    modern_abort(download);
}

static HRESULT set_size(IDODownload *download, ULONGLONG size)
{
    VARIANT value = {.vt = VT_UI8};

    value.ullVal = size;
    return modern_set(download, DODownloadProperty_TotalSizeBytes, value);
}

/* Broken: a range beyond the size that the client itself named is asked for. */
static void test_modern_ranges_beyond_the_known_size_are_refused(void **state)
{
    static const struct modern_ranges last = {.count = 1, .ranges = {{90, 10}}};
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=100", L"a");

    assert_ok(set_size(download, 100));
    check_range_error(
        download, DO_E_INVALID_RANGE, (struct modern_ranges){.count = 1, .ranges = {{90, 11}}});
    check_range_error(download, DO_E_INVALID_RANGE,
        (struct modern_ranges){.count = 1, .ranges = {{100, DO_LENGTH_TO_EOF}}});
    assert_ok(IDODownload_Start(download, modern_info(&last)));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_pattern(test->local, 0, 10, 1, 90);
    IDODownload_Release(download);
}

/* Broken: a part of a file is fetched though it can only be checked, or decrypted, as a whole. */
static void test_modern_ranges_of_what_must_be_whole_are_refused(void **state)
{
    static const struct
    {
        DODownloadProperty id;
        const WCHAR *text;
    } rows[] = {
        {DODownloadProperty_IntegrityCheckInfo,
            L"{\"PiecesHashFileUrl\":\"http://127.0.0.1:1/hashes\",\"HashOfHashes\":"
            L"\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}"},
        {DODownloadProperty_DecryptionInfo,
            L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
            L"\"EncryptionBufferSize\":\"4096\",\"AlgorithmName\":\"AES\","
            L"\"ChainingMode\":\"CBC\"}"},
    };

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IDODownload *download = modern_create_of(*state, "size=100", i ? L"b" : L"a");

        assert_ok(modern_set_text(download, rows[i].id, rows[i].text));
        if (rows[i].id == DODownloadProperty_IntegrityCheckInfo)
            assert_ok(modern_set_bool(download, DODownloadProperty_IntegrityCheckMandatory, true));
        check_range_error(download, DO_E_DOWNLOAD_RANGES_UNEXPECTED,
            (struct modern_ranges){.count = 1, .ranges = {{0, 10}}});
        modern_abort(download);
    }
}

/* Broken: a part of a file is not that part, or its numbers are those of the whole. */
static void test_modern_ranges_are_laid_one_after_the_other(void **state)
{
    static const struct modern_ranges ranges = {
        .count = 3, .ranges = {{60000, DO_LENGTH_TO_EOF}, {0, 100}, {200, 1000}}};
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "seed=7", L"a");
    DO_DOWNLOAD_STATUS status;

    assert_ok(IDODownload_Start(download, modern_info(&ranges)));
    modern_wait(download, DODownloadState_Transferred);
    status = modern_status(download);
    assert_int_equal(5536 + 1100, status.BytesTotal);
    assert_int_equal(5536 + 1100, status.BytesTransferred);
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(5536 + 1100, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 5536, 7, 60000);
    test_expect_pattern(test->local, 5536, 100, 7, 0);
    test_expect_pattern(test->local, 5636, 1000, 7, 200);
    IDODownload_Release(download);
}

/* Broken: the second portion overwrites the first, or its numbers are the sum. */
static void test_modern_another_portion_is_appended(void **state)
{
    static const struct modern_ranges first = {.count = 1, .ranges = {{0, 100}}};
    static const struct modern_ranges second = {.count = 1, .ranges = {{1000, 50}}};
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "seed=7", L"a");

    assert_ok(IDODownload_Start(download, modern_info(&first)));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Start(download, modern_info(&second)));
    modern_wait(download, DODownloadState_Transferred);
    assert_int_equal(50, modern_status(download).BytesTotal);
    assert_int_equal(50, modern_status(download).BytesTransferred);
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(150, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 100, 7, 0);
    test_expect_pattern(test->local, 100, 50, 7, 1000);
    IDODownload_Release(download);
}

/* Broken: {0, to the end}, which stream clients send, is a range request that servers refuse. */
static void test_modern_range_of_everything_is_the_whole_object(void **state)
{
    static const struct modern_ranges all = {.count = 1, .ranges = {{0, DO_LENGTH_TO_EOF}}};
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "ignore_range=1&size=100", L"a");

    assert_ok(IDODownload_Start(download, modern_info(&all)));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 100, 1);
    IDODownload_Release(download);
}

/* Files */

/* Broken: another program sees half a file, or the file of an aborted download. */
static void test_modern_file_is_seen_after_finalize_only(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=1837", L"a");

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_int_equal(1837, modern_status(download).BytesTotal);
    assert_true(TEST_SIZE_MISSING == test_file_size(test->local));
    assert_int_equal(1, test_count_temp(test->folder));
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(0, test_count_temp(test->folder));
    test_expect_object(test->local, 1837, 1);
    IDODownload_Release(download);
    download = modern_create_of(test, "size=1837", L"b");
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Abort(download));
    assert_int_equal(0, test_count_temp(test->folder));
    assert_true(TEST_SIZE_MISSING == test_file_size(test->local));
    IDODownload_Release(download);
}

/* Broken: somebody's file is overwritten, or the bytes are lost when it cannot be. */
static void test_modern_existing_target_is_not_replaced(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=10", L"a");

    test_write_text(test->local, "mine");
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_hr(TEST_E_FILE_EXISTS, IDODownload_Finalize(download));
    test_expect_text(test->local, "mine");
    assert_int_equal(DODownloadState_Transferred, modern_status(download).State);
    assert_ok(modern_status(download).Error);
    assert_true(DeleteFileW(test->local));
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
}

/* Broken: two downloads write one file. */
static void test_modern_second_download_to_a_path_aborts_the_first(void **state)
{
    struct com_test *test = *state;
    IDODownload *first = modern_create_of(test, "stall=10", L"same");
    IDODownload *second;

    assert_ok(IDODownload_Start(first, NULL));
    assert_ok(IDODownload_Pause(first));
    second = modern_create_of(test, "size=20", L"SAME");
    assert_ok(IDODownload_Start(second, NULL));
    assert_int_equal(DODownloadState_Aborted, modern_status(first).State);
    assert_hr(DO_E_INVALID_STATE, IDODownload_Start(first, NULL));
    modern_wait(second, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(second));
    test_expect_object(test->local, 20, 1);
    IDODownload_Release(second);
    IDODownload_Release(first);
}

static void delete_temp(const struct com_test *test)
{
    WIN32_FIND_DATAW found;
    WCHAR path[1024];
    HANDLE search;

    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%lsDO*.tmp", test->folder);
    search = FindFirstFileW(path, &found);
    assert_true(search != INVALID_HANDLE_VALUE);
    (void)_snwprintf(path, TEST_COUNT_OF(path), L"%ls%ls", test->folder, found.cFileName);
    assert_true(DeleteFileW(path));
    assert_true(FindClose(search));
}

/* Broken: a paused download's file cannot be deleted, or its loss goes unseen. (Spec 04, 2.) */
static void test_modern_vanished_temporary_file_is_an_error(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=4m&rate=1m", L"a");

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_int_equal(DODownloadState_Paused, modern_status(download).State);
    delete_temp(test);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_error(download, TEST_E_FILE_NOT_FOUND);
    assert_ok(IDODownload_Abort(download));
    IDODownload_Release(download);
}

/* Broken: a pause loses bytes, or the rest is fetched with what was there before. */
static void test_modern_pause_and_start_go_on(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=3m&rate=2m", L"a");
    DO_DOWNLOAD_STATUS status;

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    status = modern_status(download);
    assert_int_equal(DODownloadState_Paused, status.State);
    assert_ok(status.Error);
    assert_ok(status.ExtendedError);
    assert_ok(IDODownload_Start(download, NULL));
    assert_int_equal(DODownloadState_Transferring, modern_status(download).State);
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
}

/* Broken: a client looks for the server's answer and finds another code. */
static void test_modern_error_of_the_server_pauses(void **state)
{
    IDODownload *download = modern_create_of(*state, "status=404", L"a");

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_error(download, TEST_E_HTTP(404));
    assert_ok(modern_status(download).ExtendedError);
    modern_abort(download);
}

/* Broken: a download dies with the last pointer to it. */
static void test_modern_download_goes_on_without_pointers(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=2m&rate=4m", L"a");
    const DO_DOWNLOAD_ENUM_CATEGORY path = {DODownloadProperty_LocalPath, test->local};
    IDOManager *manager = modern_manager();
    IEnumUnknown *found = NULL;
    IUnknown *item = NULL;

    assert_ok(IDODownload_Start(download, NULL));
    IDODownload_Release(download);
    assert_ok(IDOManager_EnumDownloads(manager, &path, &found));
    assert_ok(IEnumUnknown_Next(found, 1, &item, NULL));
    assert_ok(IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download));
    IUnknown_Release(item);
    IEnumUnknown_Release(found);
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 2 << 20, 1);
    IDODownload_Release(download);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_modern_calls_in_each_state),
        MODERN_TEST(test_modern_final_states_keep_numbers_and_properties),
        MODERN_TEST(test_modern_created_download_is_empty),
        MODERN_TEST(test_modern_start_without_what_it_needs_fails),
        MODERN_TEST(test_modern_bad_ranges_are_refused),
        MODERN_TEST(test_modern_ranges_beyond_the_known_size_are_refused),
        MODERN_TEST(test_modern_ranges_of_what_must_be_whole_are_refused),
        MODERN_TEST(test_modern_start_without_a_place_fails),
        MODERN_TEST(test_modern_ranges_are_laid_one_after_the_other),
        MODERN_TEST(test_modern_another_portion_is_appended),
        MODERN_TEST(test_modern_range_of_everything_is_the_whole_object),
        MODERN_TEST(test_modern_file_is_seen_after_finalize_only),
        MODERN_TEST(test_modern_existing_target_is_not_replaced),
        MODERN_TEST(test_modern_second_download_to_a_path_aborts_the_first),
        MODERN_TEST(test_modern_vanished_temporary_file_is_an_error),
        MODERN_TEST(test_modern_pause_and_start_go_on),
        MODERN_TEST(test_modern_error_of_the_server_pauses),
        MODERN_TEST(test_modern_download_goes_on_without_pointers),
    };

    return COM_TEST_RUN(tests);
}
