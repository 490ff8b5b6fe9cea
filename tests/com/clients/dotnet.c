/* SPDX-License-Identifier: MIT */
/*
 * The .NET sample and the PowerShell module made of it (spec 05, 3): any Paused is the end; its
 * stream stores eight bytes as the count of Write.
 */
#include "client.h"

#define STATIC_CLOAKING 0x20

/* Up to Start. Exactly one of name and stream. */
static IDODownload *create(struct com_test *test, struct modern_callback *callback,
    const char *query, UINT64 bytes, const WCHAR *name, struct modern_stream *stream)
{
    IDODownload *download = client_create();
    VARIANT size = {.vt = VT_UI8};
    VARIANT id;
    WCHAR text[64];
    GUID guid;

    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT,
        COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        STATIC_CLOAKING));
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"sample"));
    assert_ok(modern_set_text(download, DODownloadProperty_ContentId, L"sample-1"));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    size.ullVal = bytes;
    assert_ok(modern_set(download, DODownloadProperty_TotalSizeBytes, size));
    if (stream)
        assert_ok(modern_set_object(
            download, DODownloadProperty_StreamInterface, &stream->IStream_iface));
    else
        assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, name)));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    assert_int_equal(VT_BSTR, id.vt);
    /* new Guid() takes it without braces, CLSIDFromString does not. */
    (void)_snwprintf(text, TEST_COUNT_OF(text), L"{%ls}", id.bstrVal);
    assert_ok(CLSIDFromString(text, &guid));
    (void)VariantClear(&id);
    modern_callback_init(callback);
    client_attach(download, callback);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    return download;
}

/* Broken: the sample's download to a file fails. */
static void test_dotnet_downloads_a_file(void **state)
{
    static const struct modern_ranges whole = {.count = 0};
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=100k", 100 << 10, L"a", NULL);

    assert_ok(IDODownload_Start(download, modern_info(&whole)));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    client_check_healthy(&callback, 0);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 100 << 10, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: the sample's pause and resume, where any Paused is the end. */
static void test_dotnet_resumes_a_stream(void **state)
{
    static const struct modern_ranges all = {.count = 1, .ranges = {{0, UINT64_MAX}}};
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_stream stream;
    VARIANT clear = {.vt = VT_EMPTY};
    IDODownload *download;
    unsigned int from;

    modern_stream_init(&stream);
    stream.writes_count = true;
    download = create(test, &callback, "size=3m&rate=3m", 3 << 20, NULL, &stream);
    assert_ok(IDODownload_Start(download, modern_info(&all)));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_ok(IDODownload_Start(download, NULL));
    from = modern_callback_count(&callback);
    (void)modern_callback_wait(&callback, from, DODownloadState_Transferred);
    client_check_healthy(&callback, from);
    assert_ok(modern_set(download, DODownloadProperty_CallbackInterface, clear));
    assert_ok(IDODownload_Finalize(download));
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 3 << 20, 1);
    assert_int_equal(0, stream.others);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
    modern_callback_finish(&callback);
}

/* Broken: an object without a wrapper is taken for a stream. */
static void test_dotnet_dispatch_is_no_stream(void **state)
{
    IDODownload *download = client_create();
    VARIANT value = {.vt = VT_DISPATCH};

    (void)state;
    assert_hr(E_INVALIDARG, modern_set(download, DODownloadProperty_StreamInterface, value));
    assert_ok(IDODownload_Abort(download));
    IDODownload_Release(download);
}

/* Broken: the sample's list of downloads throws, or never ends. */
static void test_dotnet_enumerates(void **state)
{
    struct com_test *test = *state;
    IDOManager *manager = client_manager();
    IEnumUnknown *found = TEST_POISON;
    IUnknown *items[2] = {TEST_POISON, TEST_POISON};
    DO_DOWNLOAD_ENUM_CATEGORY category = {DODownloadProperty_Uri, NULL};
    IDODownload *download = client_create(), *item = NULL;
    ULONG fetched = 77;
    VARIANT id;

    category.Value = test_url(test, "size=10");
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, &category, &found));
    assert_null(found);
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test->url));
    assert_ok(IDOManager_EnumDownloads(manager, &category, &found));
    assert_hr(S_FALSE, IEnumUnknown_Next(found, 2, items, &fetched));
    assert_int_equal(1, fetched);
    assert_null(items[1]);
    assert_ok(IUnknown_QueryInterface(items[0], &IID_IDODownload, (void **)&item));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    modern_expect_text(item, DODownloadProperty_Id, id.bstrVal);
    modern_expect_text(item, DODownloadProperty_Uri, test->url);
    modern_expect_failure(item, DODownloadProperty_LocalPath, TEST_E_NOT_SET);
    (void)VariantClear(&id);
    IDODownload_Release(item);
    IUnknown_Release(items[0]);
    IEnumUnknown_Release(found);
    modern_abort(download);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_dotnet_downloads_a_file),
        MODERN_TEST(test_dotnet_resumes_a_stream),
        MODERN_TEST(test_dotnet_dispatch_is_no_stream),
        MODERN_TEST(test_dotnet_enumerates),
    };

    return COM_TEST_RUN(tests);
}
