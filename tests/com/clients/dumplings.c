/* SPDX-License-Identifier: MIT */
/*
 * Dumplings (spec 05, 6): the class as IUnknown first, 24 zero bytes for Start, a callback that
 * only wakes a loop of GetStatus, and the answer's properties, of a probe and of a whole download.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

static const BYTE zeros[24];

/* Activator.CreateInstance, then a cast. CLSCTX_SERVER unless the context is local. */
static IDODownload *create(
    struct com_test *test, struct modern_callback *callback, const char *query)
{
    DWORD context = client_context() == CLSCTX_LOCAL_SERVER ? CLSCTX_LOCAL_SERVER : CLSCTX_SERVER;
    IUnknown *object = NULL;
    IDOManager *manager = NULL;
    IDODownload *download = NULL;

    assert_ok(CoCreateInstance(
        &CLSID_DeliveryOptimization, NULL, context, &IID_IUnknown, (void **)&object));
    assert_ok(IUnknown_QueryInterface(object, &IID_IDOManager, (void **)&manager));
    IUnknown_Release(object);
    assert_ok(IDOManager_CreateDownload(manager, &download));
    IDOManager_Release(manager);
    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT,
        NULL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_NONE));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a")));
    modern_callback_init(callback);
    client_attach(download, callback);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"Dumplings"));
    assert_ok(modern_set_text(download, DODownloadProperty_ContentId, L"dumplings-1"));
    assert_ok(modern_set_text(download, DODownloadProperty_HttpCustomHeaders,
        L"User-Agent: probe\r\nX-Dumplings: 1\r\n"));
    assert_ok(IDODownload_Start(download, (const DO_DOWNLOAD_RANGES_INFO *)(const void *)zeros));
    return download;
}

static DO_DOWNLOAD_STATUS look(IDODownload *download, struct modern_callback *callback)
{
    DO_DOWNLOAD_STATUS status;

    (void)WaitForSingleObject(callback->called, 1000);
    status = modern_status(download);
    assert_ok(status.Error);
    return status;
}

/* Of an answer that was not redirected. */
static void check_answer(IDODownload *download)
{
    VARIANT value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpResponseHeaders, &value));
    assert_int_equal(VT_BSTR, value.vt);
    assert_non_null(wcsstr(_wcslwr(value.bstrVal), L"content-type:"));
    (void)VariantClear(&value);
    modern_expect_failure(download, DODownloadProperty_HttpRedirectionTarget, TEST_E_NOT_SET);
    modern_expect_text(download, DODownloadProperty_HttpServerIPAddress, L"127.0.0.1");
    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpStatusCode, &value));
    assert_int_equal(VT_UI4, value.vt);
    assert_int_equal(200, value.ulVal);
}

/* Broken: Dumplings cannot look at a URL without downloading it all. */
static void test_dumplings_probes(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=64m&rate=1m");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    VARIANT code;

    for (;;)
    {
        assert_int_equal(DODownloadState_Transferring, look(download, &callback).State);
        memset(&code, 0xCC, sizeof(code));
        if (SUCCEEDED(IDODownload_GetProperty(download, DODownloadProperty_HttpStatusCode, &code)))
            break;
        assert_int_equal(VT_EMPTY, code.vt);
        assert_true(GetTickCount64() < end);
    }
    check_answer(download);
    assert_ok(IDODownload_Abort(download));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: a whole download does not end, or what it needs of the answer is gone by then. */
static void test_dumplings_downloads(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=3m");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    char *log;

    while (look(download, &callback).State != DODownloadState_Transferred)
        assert_true(GetTickCount64() < end);
    check_answer(download);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 3 << 20, 1);
    client_check_healthy(&callback, 0);
    log = test_log(test);
    assert_non_null(strstr(log, "\"x-dumplings\": \"1\""));
    assert_non_null(strstr(log, "\"user-agent\": \"probe\""));
    free(log);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: the last of several addresses, which holds the version, stays unknown. */
static void test_dumplings_follows_a_redirection(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=10&redirect=1");
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    VARIANT target;

    while (look(download, &callback).State != DODownloadState_Transferred)
        assert_true(GetTickCount64() < end);
    memset(&target, 0xCC, sizeof(target));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpRedirectionTarget, &target));
    assert_int_equal(VT_BSTR, target.vt);
    assert_true(wcscmp(target.bstrVal, test->url) != 0);
    (void)VariantClear(&target);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: the size of what has not started is wild. */
static void test_dumplings_size_is_not_known_before_start(void **state)
{
    IDODownload *download = client_create();

    (void)state;
    modern_expect_failure(download, DODownloadProperty_TotalSizeBytes, TEST_E_NOT_SET);
    modern_expect_failure(download, DODownloadProperty_HttpStatusCode, TEST_E_NOT_SET);
    modern_abort(download);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_dumplings_probes),
        MODERN_TEST(test_dumplings_downloads),
        MODERN_TEST(test_dumplings_follows_a_redirection),
        MODERN_TEST(test_dumplings_size_is_not_known_before_start),
    };

    return COM_TEST_RUN(tests);
}
