/* SPDX-License-Identifier: MIT */
/*
 * Microsoft's client library and what its own tests expect (spec 05, 2): it asks for the state
 * every 500 ms, each time half a second later, and starts with NULL whatever it starts again.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 1837U
#define POLL_MS 500U
#define POLL_MAX_MS 5000U

static const struct modern_ranges whole = {.count = 0};

static void blanket(IDODownload *download)
{
    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_NONE,
        COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        EOAC_STATIC_CLOAKING));
}

static IDODownload *create_to(const WCHAR *url, const WCHAR *path)
{
    IDODownload *download = client_create();

    blanket(download);
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, url));
    if (path)
        assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, path));
    return download;
}

static IDODownload *create(struct com_test *test, const char *query)
{
    test_local(test, L"a");
    return create_to(test_url(test, query), test->local);
}

static bool is_running(DO_DOWNLOAD_STATUS status)
{
    return status.State == DODownloadState_Created ||
           status.State == DODownloadState_Transferring ||
           (status.State == DODownloadState_Paused && SUCCEEDED(status.Error) &&
               FAILED(status.ExtendedError));
}

/* Its wait for the end. */
static DO_DOWNLOAD_STATUS poll(IDODownload *download)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    DO_DOWNLOAD_STATUS status;
    DWORD delay_ms = POLL_MS;

    while (is_running(status = modern_status(download)))
    {
        assert_true(GetTickCount64() < end);
        Sleep(delay_ms);
        if (delay_ms < POLL_MAX_MS)
            delay_ms += POLL_MS;
    }
    return status;
}

static void finish(IDODownload *download)
{
    DO_DOWNLOAD_STATUS status = poll(download);

    assert_ok(status.Error);
    assert_int_equal(DODownloadState_Transferred, status.State);
    assert_ok(IDODownload_Finalize(download));
}

static void start(IDODownload *download)
{
    assert_ok(IDODownload_Start(download, modern_info(&whole)));
}

/* Broken: a simple download, or a file is there too early. */
static void test_sdk_simple_download(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=1837");
    DO_DOWNLOAD_STATUS status = modern_status(download);

    assert_int_equal(DODownloadState_Created, status.State);
    assert_int_equal(0, status.BytesTransferred);
    start(download);
    status = poll(download);
    assert_int_equal(DODownloadState_Transferred, status.State);
    assert_ok(status.Error);
    assert_ok(status.ExtendedError);
    assert_int_equal(SMALL, status.BytesTotal);
    assert_int_equal(SMALL, status.BytesTransferred);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, SMALL, 1);
    /* What has ended does not start again. */
    assert_hr(DO_E_INVALID_STATE, IDODownload_Start(download, NULL));
    assert_hr(DO_E_INVALID_STATE, IDODownload_Abort(download));
    IDODownload_Release(download);
}

/* Broken: a download that was given up leaves a file. */
static void test_sdk_cancel(void **state)
{
    struct com_test *test = *state;
    IDODownload *running = create(test, "size=64m&rate=1m");
    IDODownload *transferred;
    HRESULT hr;

    start(running);
    modern_wait_bytes(running, 1);
    modern_abort(running);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    transferred = create(test, "size=1837");
    start(transferred);
    assert_int_equal(DODownloadState_Transferred, poll(transferred).State);
    hr = IDODownload_Abort(transferred);
    assert_true(hr == S_OK || hr == DO_E_INVALID_STATE);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    IDODownload_Release(transferred);
}

/* Broken: the library reports another error than the server's. */
static void test_sdk_not_found(void **state)
{
    IDODownload *download = create(*state, "status=404");
    DO_DOWNLOAD_STATUS status;

    start(download);
    status = poll(download);
    assert_int_equal(DODownloadState_Paused, status.State);
    assert_hr(TEST_E_HTTP(404), status.Error);
    modern_abort(download);
}

/* Broken: a path that is none seems to work. */
static void test_sdk_malformed_path(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create_to(test_url(test, "size=1837"), NULL);
    HRESULT hr =
        modern_set_text(download, DODownloadProperty_LocalPath, L"?f309adfasdfasdfasdf:///");

    if (SUCCEEDED(hr))
        hr = IDODownload_Start(download, modern_info(&whole));
    if (SUCCEEDED(hr))
    {
        DO_DOWNLOAD_STATUS status = poll(download);

        assert_int_equal(DODownloadState_Paused, status.State);
        hr = status.Error;
    }
    assert_true(hr == E_ACCESSDENIED || hr == TEST_E_INVALID_NAME || hr == TEST_E_HTTP(404));
    modern_abort(download);
}

/* Broken: two downloads write one file. */
static void test_sdk_second_to_the_same_file(void **state)
{
    struct com_test *test = *state;
    IDODownload *first = create(test, "size=64m&rate=1m");
    IDODownload *second;

    start(first);
    modern_wait_bytes(first, 1);
    assert_ok(IDODownload_Pause(first));
    second = create(test, "size=1837");
    start(second);
    finish(second);
    test_expect_object(test->local, SMALL, 1);
    assert_int_equal(DODownloadState_Aborted, modern_status(first).State);
    IDODownload_Release(second);
    IDODownload_Release(first);
}

/* Broken: one URL cannot be fetched twice at a time. */
static void test_sdk_same_url_to_another_file(void **state)
{
    struct com_test *test = *state;
    IDODownload *first = create(test, "size=3m&rate=6m");
    WCHAR path[1024];
    IDODownload *second;

    (void)wcscpy(path, test->local);
    start(first);
    assert_ok(IDODownload_Pause(first));
    assert_int_equal(DODownloadState_Paused, modern_status(first).State);
    second = create_to(test->url, test_local(test, L"b"));
    start(second);
    finish(second);
    assert_ok(IDODownload_Start(first, NULL));
    finish(first);
    test_expect_object(path, 3 << 20, 1);
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(second);
    IDODownload_Release(first);
}

/* Broken: the status after Pause is an old one, or Start does not go on. */
static void test_sdk_pause_and_resume(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=3m&rate=3m");

    start(download);
    assert_ok(IDODownload_Pause(download));
    assert_int_equal(DODownloadState_Paused, modern_status(download).State);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_int_equal(DODownloadState_Paused, modern_status(download).State);
    assert_ok(IDODownload_Start(download, NULL));
    finish(download);
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
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

/* Broken: a paused download keeps its file open, or its loss goes unseen. */
static void test_sdk_temporary_file_deleted(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=64m&rate=1m");
    DO_DOWNLOAD_STATUS status;

    start(download);
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    delete_temp(test);
    assert_ok(IDODownload_Start(download, NULL));
    status = poll(download);
    assert_int_equal(DODownloadState_Paused, status.State);
    assert_hr(TEST_E_FILE_NOT_FOUND, status.Error);
    modern_abort(download);
}

static void expect_bool(IDODownload *download, DODownloadProperty id, VARIANT_BOOL expected)
{
    VARIANT value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDODownload_GetProperty(download, id, &value));
    assert_int_equal(VT_BOOL, value.vt);
    assert_int_equal(expected, value.boolVal);
}

/* Broken: a property that the library's tests set is refused, or lost. */
static void test_sdk_properties(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=1837");
    HRESULT hr;
    char *log;

    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"dosdkcpp tests"));
    modern_expect_text(download, DODownloadProperty_DisplayName, L"dosdkcpp tests");
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, false));
    expect_bool(download, DODownloadProperty_ForegroundPriority, VARIANT_FALSE);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    expect_bool(download, DODownloadProperty_ForegroundPriority, VARIANT_TRUE);
    hr = modern_set_text(download, DODownloadProperty_IntegrityCheckInfo, L"blah");
    assert_true(hr == S_OK || hr == E_INVALIDARG);
    assert_ok(modern_set_bool(download, DODownloadProperty_IntegrityCheckMandatory, false));
    assert_ok(
        modern_set_text(download, DODownloadProperty_CorrelationVector, L"g+Vo71JZwkmJdYfF.0"));
    assert_ok(modern_set_text(download, DODownloadProperty_HttpCustomHeaders,
        L"XCustom1: someData\nXCustom2: moreData\n"));
    start(download);
    finish(download);
    test_expect_object(test->local, SMALL, 1);
    log = test_log(test);
    assert_non_null(strstr(log, "\"xcustom1\": \"someData\""));
    assert_non_null(strstr(log, "\"xcustom2\": \"moreData\""));
    free(log);
    IDODownload_Release(download);
}

/* Broken: headers as the library's own tests write them, which are none, stop the download. */
static void test_sdk_custom_headers_with_equals_signs(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=1837");

    assert_ok(modern_set_text(
        download, DODownloadProperty_HttpCustomHeaders, L"XCustom1=someData\nXCustom2=moreData\n"));
    start(download);
    finish(download);
    test_expect_object(test->local, SMALL, 1);
    IDODownload_Release(download);
}

/* Broken: random bytes pass for a certificate, or the refusal spoils the download. */
static void test_sdk_garbage_is_no_certificate(void **state)
{
    IDODownload *download = create(*state, "size=1837");
    VARIANT value = {.vt = VT_ARRAY | VT_UI1};
    BYTE *bytes = NULL;

    value.parray = SafeArrayCreateVector(VT_UI1, 0, 64);
    assert_non_null(value.parray);
    assert_ok(SafeArrayAccessData(value.parray, (void **)&bytes));
    for (unsigned int i = 0; i < 64; i++)
        bytes[i] = (BYTE)(i * 37);
    assert_ok(SafeArrayUnaccessData(value.parray));
    assert_hr(CRYPT_E_FILE_ERROR, modern_set(download, DODownloadProperty_SecurityContext, value));
    (void)VariantClear(&value);
    modern_abort(download);
}

static void pause_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    DO_DOWNLOAD_STATUS again;

    if (status->State != DODownloadState_Transferring || callback->hook_hr != E_PENDING)
        return;
    if (SUCCEEDED(callback->hook_hr = IDODownload_GetStatus(download, &again)))
        callback->hook_hr = IDODownload_Pause(download);
}

/* Broken: a callback that was replaced is called, or one cannot use its download. */
static void test_sdk_callbacks(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = create(test, "size=64m&rate=1m");
    struct modern_callback first, second;

    modern_callback_init(&first);
    modern_callback_init(&second);
    second.hook = pause_inside;
    second.hook_hr = E_PENDING;
    client_attach(download, &first);
    client_attach(download, &second);
    start(download);
    (void)modern_callback_wait(&second, 0, DODownloadState_Paused);
    assert_ok(second.hook_hr);
    assert_int_equal(DODownloadState_Paused, poll(download).State);
    assert_int_equal(0, modern_callback_count(&first));
    modern_abort(download);
    modern_callback_finish(&first);
    modern_callback_finish(&second);
}

static void fetch_stream(
    struct com_test *test, const struct modern_ranges *ranges, struct modern_stream *stream)
{
    IDODownload *download = create_to(test_url(test, "size=100k"), NULL);
    VARIANT value;

    modern_stream_init(stream);
    assert_ok(
        modern_set_object(download, DODownloadProperty_StreamInterface, &stream->IStream_iface));
    assert_ok(IDODownload_Start(download, modern_info(ranges)));
    assert_int_equal(DODownloadState_Transferred, poll(download).State);
    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_TotalSizeBytes, &value));
    assert_int_equal(VT_UI8, value.vt);
    assert_int_equal(100 << 10, value.ullVal);
    assert_ok(IDODownload_Finalize(download));
    IDODownload_Release(download);
    modern_stream_save(stream, test_local(test, L"copy"));
}

/* Broken: a stream misses bytes. */
static void test_sdk_streams(void **state)
{
    static const struct modern_ranges all = {.count = 1, .ranges = {{0, UINT64_MAX}}};
    static const struct modern_ranges parts = {.count = 2, .ranges = {{0, 100}, {200, 1000}}};
    struct com_test *test = *state;
    struct modern_stream stream;

    fetch_stream(test, &all, &stream);
    test_expect_object(test->local, 100 << 10, 1);
    modern_stream_finish(&stream);
    fetch_stream(test, &parts, &stream);
    assert_int_equal(1100, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 100, 1, 0);
    test_expect_pattern(test->local, 100, 1000, 1, 200);
    modern_stream_finish(&stream);
}

/* Broken: the library's own tests fail on an enumerated download. */
static void test_sdk_enumerates_before_start(void **state)
{
    struct com_test *test = *state;
    IDODownload *created = create(test, "size=1837");
    IDOManager *manager = client_manager();
    DO_DOWNLOAD_ENUM_CATEGORY category = {DODownloadProperty_Id, NULL};
    IEnumUnknown *found = NULL;
    IUnknown *item = NULL, *none = TEST_POISON;
    IDODownload *download = NULL;
    ULONG fetched = 77;
    VARIANT id;

    assert_ok(IDODownload_GetProperty(created, DODownloadProperty_Id, &id));
    category.Value = id.bstrVal;
    assert_ok(IDOManager_EnumDownloads(manager, &category, &found));
    assert_ok(IEnumUnknown_Next(found, 1, &item, &fetched));
    assert_int_equal(1, fetched);
    assert_hr(S_FALSE, IEnumUnknown_Next(found, 1, &none, &fetched));
    assert_int_equal(0, fetched);
    assert_null(none);
    IEnumUnknown_Release(found);
    assert_ok(IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download));
    IUnknown_Release(item);
    blanket(download);
    modern_expect_text(download, DODownloadProperty_Id, id.bstrVal);
    start(download);
    assert_int_equal(DODownloadState_Transferred, poll(download).State);
    assert_int_equal(SMALL, modern_status(created).BytesTransferred);
    assert_ok(IDODownload_Finalize(download));
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, &category, &found));
    test_expect_object(test->local, SMALL, 1);
    (void)VariantClear(&id);
    IDODownload_Release(download);
    IDODownload_Release(created);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_sdk_simple_download),
        MODERN_TEST(test_sdk_cancel),
        MODERN_TEST(test_sdk_not_found),
        MODERN_TEST(test_sdk_malformed_path),
        MODERN_TEST(test_sdk_second_to_the_same_file),
        MODERN_TEST(test_sdk_same_url_to_another_file),
        MODERN_TEST(test_sdk_pause_and_resume),
        MODERN_TEST(test_sdk_temporary_file_deleted),
        MODERN_TEST(test_sdk_properties),
        MODERN_TEST(test_sdk_custom_headers_with_equals_signs),
        MODERN_TEST(test_sdk_garbage_is_no_certificate),
        MODERN_TEST(test_sdk_callbacks),
        MODERN_TEST(test_sdk_streams),
        MODERN_TEST(test_sdk_enumerates_before_start),
    };

    return COM_TEST_RUN(tests);
}
