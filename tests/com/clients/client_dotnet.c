/* SPDX-License-Identifier: MIT */
/*
 * DODownloaderDotNet, and PSDODownloader with the same calls: everything a runtime callable wrapper
 * does, to a file and to a stream; Paused is the end for it at any time. (Spec 05, 3.)
 */
#include "client_test.h"

#include <string.h>

#define ENDS (CLIENT_ENDS(DODownloadState_Transferred) | CLIENT_ENDS(DODownloadState_Paused))

static const struct modern_ranges whole_file = {.count = 0};
static const struct modern_ranges whole_stream = {.count = 1, .ranges = {{0, UINT64_MAX}}};

static IDODownload *create(struct com_test *test, const char *query, UINT64 size)
{
    static const struct client_blanket blanket =
        CLIENT_BLANKET(RPC_C_AUTHZ_DEFAULT, EOAC_STATIC_CLOAKING);
    IDODownload *download;
    VARIANT value = {.vt = VT_UI8};

    static_assert(EOAC_STATIC_CLOAKING == 0x20, "as the sample has it");
    download = client_create(&blanket);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"sample"));
    assert_ok(modern_set_text(download, DODownloadProperty_ContentId, L"content"));
    client_set_source(download, test, query, NULL);
    value.ullVal = size;
    assert_ok(modern_set(download, DODownloadProperty_TotalSizeBytes, value));
    return download;
}

static void prepare(IDODownload *download, struct modern_callback *callback)
{
    SysFreeString(client_id(download));
    modern_callback_init(callback);
    client_set_callback(download, callback);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
}

static void clear_callback(IDODownload *download)
{
    VARIANT empty = {.vt = VT_EMPTY};

    assert_ok(modern_set(download, DODownloadProperty_CallbackInterface, empty));
}

/* The wrapper of the callback's download is released for good: it must not be the client's own. */
static void check_identities(IDODownload *download, struct modern_callback *callback)
{
    IUnknown *identity = NULL;

    assert_ok(IDODownload_QueryInterface(download, &IID_IUnknown, (void **)&identity));
    for (unsigned int i = 0; i < modern_callback_count(callback) && i < MODERN_CALLS; i++)
    {
        assert_non_null(callback->calls[i].identity);
        assert_ptr_not_equal(identity, callback->calls[i].identity);
    }
    IUnknown_Release(identity);
}

/* Broken: a file does not come, or is not there when its length is read. */
static void test_client_dotnet_file(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download = create(test, "size=3m", 3 << 20);

    assert_ok(modern_set_text(
        download, DODownloadProperty_LocalPath, test_local(test, L"file.bin")));
    prepare(download, &callback);
    assert_ok(IDODownload_Start(download, modern_info(&whole_file)));
    last = client_wait_call(&callback, 0, ENDS, false);
    client_expect_state(DODownloadState_Transferred, &last.status);
    client_expect_healthy(&callback, 3 << 20);
    check_identities(download, &callback);
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(3 << 20, test_file_size(test->local));
    test_expect_object(test->local, 3 << 20, 1);
    clear_callback(download);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: pause and resume of a stream, where any Paused after Start is a failure. */
static void test_client_dotnet_stream_paused_and_resumed(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_stream stream;
    struct modern_call last;
    VARIANT dispatch = {.vt = VT_DISPATCH};
    IDODownload *download = create(test, "size=3m&rate=3m", 3 << 20);
    unsigned int from;

    modern_stream_init(&stream);
    stream.writes_count = true;
    /* What the runtime makes of a stream without the sample's own wrapper. */
    dispatch.pdispVal = (IDispatch *)&stream.IStream_iface;
    assert_hr(E_INVALIDARG, modern_set(download, DODownloadProperty_StreamInterface, dispatch));
    assert_ok(
        modern_set_object(download, DODownloadProperty_StreamInterface, &stream.IStream_iface));
    prepare(download, &callback);
    assert_ok(IDODownload_Start(download, modern_info(&whole_stream)));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    last = client_wait_call(&callback, 0, ENDS, false);
    client_expect_state(DODownloadState_Paused, &last.status);
    /* It forgets what it knows and starts: whatever is Paused from now on is a failure. */
    assert_ok(IDODownload_Start(download, NULL));
    from = modern_callback_count(&callback);
    assert_int_not_equal(DODownloadState_Paused, modern_status(download).State);
    last = client_wait_call(&callback, from, ENDS, false);
    client_expect_state(DODownloadState_Transferred, &last.status);
    assert_ok(IDODownload_Finalize(download));
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 3 << 20, 1);
    assert_int_equal(0, stream.others);
    clear_callback(download);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
    modern_callback_finish(&callback);
}

/* Broken: an exception on its side leaves a download or a file. */
static void test_client_dotnet_aborts_after_a_failure(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download = create(test, "status=404", 10);

    assert_ok(modern_set_text(
        download, DODownloadProperty_LocalPath, test_local(test, L"file.bin")));
    prepare(download, &callback);
    assert_ok(IDODownload_Start(download, modern_info(&whole_file)));
    last = client_wait_call(&callback, 0, ENDS, false);
    assert_int_equal(DODownloadState_Paused, last.status.State);
    assert_hr(TEST_E_HTTP_NOT_FOUND, last.status.Error);
    assert_ok(IDODownload_Abort(download));
    clear_callback(download);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
}

/* The downloads of category, which must be one: its Id is expected, LocalPath not set. */
static void check_found(IDOManager *manager, const DO_DOWNLOAD_ENUM_CATEGORY *category,
    const WCHAR *id, const WCHAR *url)
{
    IEnumUnknown *found = NULL;
    IUnknown *item = NULL, *none = TEST_POISON;
    IDODownload *download = NULL;
    ULONG fetched = 77;

    assert_ok(IDOManager_EnumDownloads(manager, category, &found));
    assert_ok(IEnumUnknown_Next(found, 1, &item, &fetched));
    assert_int_equal(1, fetched);
    assert_ok(IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download));
    modern_expect_text(download, DODownloadProperty_Id, id);
    modern_expect_text(download, DODownloadProperty_Uri, url);
    modern_expect_failure(download, DODownloadProperty_LocalPath, TEST_E_NOT_SET);
    IDODownload_Release(download);
    IUnknown_Release(item);
    assert_hr(S_FALSE, IEnumUnknown_Next(found, 1, &none, &fetched));
    assert_int_equal(0, fetched);
    assert_null(none);
    IEnumUnknown_Release(found);
}

/* Broken: its list of downloads. */
static void test_client_dotnet_enumerates(void **state)
{
    struct com_test *test = *state;
    IDOManager *manager = client_manager();
    DO_DOWNLOAD_ENUM_CATEGORY by_uri = {DODownloadProperty_Uri, NULL};
    IEnumUnknown *found = TEST_POISON;
    IDODownload *download;
    BSTR id;

    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, NULL, &found));
    assert_null(found);
    download = create(test, "size=10", 10);
    id = client_id(download);
    by_uri.Value = test->url;
    check_found(manager, NULL, id, test->url);
    check_found(manager, &by_uri, id, test->url);
    by_uri.Value = L"http://127.0.0.1/another";
    found = TEST_POISON;
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, &by_uri, &found));
    assert_null(found);
    SysFreeString(id);
    modern_abort(download);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_client_dotnet_file),
        MODERN_TEST(test_client_dotnet_stream_paused_and_resumed),
        MODERN_TEST(test_client_dotnet_aborts_after_a_failure),
        MODERN_TEST(test_client_dotnet_enumerates),
    };

    return CLIENT_RUN(CLIENT_MTA, tests);
}
