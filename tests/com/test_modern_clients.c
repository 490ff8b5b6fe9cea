/* SPDX-License-Identifier: MIT */
/*
 * What real clients of IDODownload do, call by call, as spec 05 tells it: winget, System Informer,
 * the .NET sample, GetStoreApp, Dumplings, and Microsoft's SDK.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

static void attach(IDODownload *download, struct modern_callback *callback)
{
    assert_ok(modern_set_object(download, DODownloadProperty_CallbackInterface,
        &callback->IDODownloadStatusCallback_iface));
}

/* What the wait loops of all of them take for a failure. */
static void check_healthy(struct modern_callback *callback)
{
    for (unsigned int i = 0; i < callback->count && i < MODERN_CALLS; i++)
    {
        assert_ok(callback->calls[i].status.Error);
        assert_ok(callback->calls[i].status.ExtendedError);
        assert_true(callback->calls[i].status.State != DODownloadState_Paused);
    }
}

/* Broken: winget falls back to WinINet. (Spec 05, 1.) */
static void test_clients_winget(void **state)
{
    static const struct modern_ranges whole = {.count = 0};
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = modern_create();

    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT,
        COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        EOAC_DEFAULT));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=3m")));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a.msix")));
    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"winget"));
    assert_ok(modern_set_text(download, DODownloadProperty_ContentId, L"0123456789ABCDEF"));
    assert_ok(IDODownload_Start(download, modern_info(&whole)));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    check_healthy(&callback);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 3 << 20, 1);
    /* Its destructor. */
    assert_int_equal(DODownloadState_Finalized, modern_status(download).State);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: System Informer cannot update itself. (Spec 05, 4.) */
static void test_clients_system_informer(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IClassFactory *factory = NULL;
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    IClientSecurity *security = NULL;

    assert_ok(CoGetClassObject(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, NULL,
        &IID_IClassFactory, (void **)&factory));
    assert_ok(IClassFactory_CreateInstance(factory, NULL, &IID_IDOManager, (void **)&manager));
    assert_ok(IDOManager_CreateDownload(manager, &download));
    assert_ok(IDODownload_QueryInterface(download, &IID_IClientSecurity, (void **)&security));
    assert_ok(IClientSecurity_SetBlanket(security, (IUnknown *)download, RPC_C_AUTHN_WINNT,
        RPC_C_AUTHZ_NONE, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        EOAC_NONE));
    IClientSecurity_Release(security);
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=10")));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a.exe")));
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"System Informer"));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    /* When Finalized is what it saw last, it does so again. */
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
    IDOManager_Release(manager);
    IClassFactory_Release(factory);
    modern_callback_finish(&callback);
}

/* Broken: the .NET sample's pause and resume, where any Paused is the end. (Spec 05, 3.) */
static void test_clients_dotnet_sample(void **state)
{
    static const struct modern_ranges all = {.count = 1, .ranges = {{0, UINT64_MAX}}};
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_stream stream;
    IDODownload *download = modern_create();
    VARIANT size = {.vt = VT_UI8};
    VARIANT clear = {.vt = VT_EMPTY};
    VARIANT id;
    unsigned int from;

    modern_callback_init(&callback);
    modern_stream_init(&stream);
    stream.writes_count = true;
    size.ullVal = 3 << 20;
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"sample"));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=3m&rate=3m")));
    assert_ok(modern_set(download, DODownloadProperty_TotalSizeBytes, size));
    assert_ok(
        modern_set_object(download, DODownloadProperty_StreamInterface, &stream.IStream_iface));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    (void)VariantClear(&id);
    attach(download, &callback);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(IDODownload_Start(download, modern_info(&all)));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_ok(IDODownload_Start(download, NULL));
    from = modern_callback_count(&callback);
    (void)modern_callback_wait(&callback, from, DODownloadState_Transferred);
    for (unsigned int i = from; i < callback.count && i < MODERN_CALLS; i++)
        assert_true(callback.calls[i].status.State != DODownloadState_Paused);
    assert_ok(modern_set(download, DODownloadProperty_CallbackInterface, clear));
    assert_ok(IDODownload_Finalize(download));
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
    modern_callback_finish(&callback);
}

/* Broken: the library asks for a size that is not known, or cannot probe. (Spec 05, 5 and 6.) */
static void test_clients_dumplings_probe(void **state)
{
    static const BYTE zeros[24];
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=64m&rate=1m", L"a");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    VARIANT value;

    modern_expect_failure(download, DODownloadProperty_TotalSizeBytes, TEST_E_NOT_SET);
    assert_ok(
        modern_set_text(download, DODownloadProperty_HttpCustomHeaders, L"User-Agent: probe\r\n"));
    assert_ok(IDODownload_Start(download, (const DO_DOWNLOAD_RANGES_INFO *)(const void *)zeros));
    while (IDODownload_GetProperty(download, DODownloadProperty_HttpStatusCode, &value) != S_OK)
    {
        assert_int_equal(VT_EMPTY, value.vt);
        assert_true(GetTickCount64() < end);
        Sleep(TEST_POLL_MS);
    }
    assert_int_equal(VT_UI4, value.vt);
    assert_int_equal(200, value.ulVal);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpResponseHeaders, &value));
    assert_non_null(wcsstr(_wcslwr(value.bstrVal), L"content-type:"));
    (void)VariantClear(&value);
    modern_expect_failure(download, DODownloadProperty_HttpRedirectionTarget, TEST_E_NOT_SET);
    modern_abort(download);
}

/* Broken: the SDK's own tests fail on an enumerated download. (Spec 05, 2.) */
static void test_clients_sdk_enumerates_before_start(void **state)
{
    static const struct modern_ranges whole = {.count = 0};
    struct com_test *test = *state;
    IDODownload *created = modern_create_of(test, "size=1837", L"a");
    IDOManager *manager = modern_manager();
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
    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_NONE,
        COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        EOAC_STATIC_CLOAKING));
    modern_expect_text(download, DODownloadProperty_Id, id.bstrVal);
    assert_ok(IDODownload_Start(download, modern_info(&whole)));
    modern_wait(download, DODownloadState_Transferred);
    assert_int_equal(1837, modern_status(created).BytesTransferred);
    assert_ok(IDODownload_Finalize(download));
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, &category, &found));
    test_expect_object(test->local, 1837, 1);
    (void)VariantClear(&id);
    IDODownload_Release(download);
    IDODownload_Release(created);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_clients_winget),
        MODERN_TEST(test_clients_system_informer),
        MODERN_TEST(test_clients_dotnet_sample),
        MODERN_TEST(test_clients_dumplings_probe),
        MODERN_TEST(test_clients_sdk_enumerates_before_start),
    };

    return COM_TEST_RUN(tests);
}
