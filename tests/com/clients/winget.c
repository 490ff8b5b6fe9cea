/* SPDX-License-Identifier: MIT */
/*
 * winget's downloader (spec 05, 1): all it knows comes from the callback; whatever fails, but a few
 * codes, makes it fall back to WinINet.
 */
#include "client.h"

static IDODownload *create(
    struct com_test *test, struct modern_callback *callback, const char *query)
{
    static const struct modern_ranges whole = {.count = 0};
    IDODownload *download;

    (void)DeleteFileW(test_local(test, L"a.msix"));
    download = client_create();
    assert_ok(CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT,
        COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
        EOAC_DEFAULT));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test->local));
    modern_callback_init(callback);
    client_attach(download, callback);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"winget"));
    assert_ok(modern_set_text(download, DODownloadProperty_ContentId,
        L"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"));
    assert_ok(IDODownload_Start(download, modern_info(&whole)));
    return download;
}

/* Its destructor: Finalize or Abort as the state is, and nothing for Finalized. */
static void destroy(IDODownload *download, DODownloadState expected)
{
    DODownloadState state = modern_status(download).State;

    assert_int_equal(expected, state);
    if (state == DODownloadState_Transferred)
        assert_ok(IDODownload_Finalize(download));
    else if (state == DODownloadState_Aborted)
        assert_hr(DO_E_INVALID_STATE, IDODownload_Abort(download));
    else if (state != DODownloadState_Finalized)
        assert_ok(IDODownload_Abort(download));
    IDODownload_Release(download);
}

/* Broken: winget falls back to WinINet, or hashes a file that is not there. */
static void test_winget_downloads(void **state)
{
    static const char *const queries[] = {"size=3m", "size=10"};
    static const UINT64 sizes[] = {3 << 20, 10};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(queries); i++)
    {
        struct modern_callback callback;
        IDODownload *download = create(test, &callback, queries[i]);
        unsigned int last = modern_callback_wait(&callback, 0, DODownloadState_Transferred);

        client_check_healthy(&callback, 0);
        assert_int_equal(sizes[i], callback.calls[last].status.BytesTotal);
        assert_int_equal(sizes[i], callback.calls[last].status.BytesTransferred);
        assert_ok(IDODownload_Finalize(download));
        test_expect_object(test->local, sizes[i], 1);
        destroy(download, DODownloadState_Finalized);
        modern_callback_finish(&callback);
    }
}

/* Broken: what the server answered is not what winget shows and logs. */
static void test_winget_throws_the_error_of_the_callback(void **state)
{
    struct modern_callback callback;
    IDODownload *download = create(*state, &callback, "status=403");
    unsigned int last = modern_callback_wait(&callback, 0, DODownloadState_Paused);

    assert_hr(TEST_E_HTTP(403), callback.calls[last].status.Error);
    destroy(download, DODownloadState_Paused);
    modern_callback_finish(&callback);
}

static DWORD WINAPI cancel(void *download)
{
    HRESULT hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);

    if (SUCCEEDED(hr))
    {
        hr = IDODownload_Abort((IDODownload *)download);
        CoUninitialize();
    }
    return (DWORD)hr;
}

/* Broken: Ctrl+C, which aborts from a thread of its own, hangs. */
static void test_winget_is_cancelled_by_another_thread(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=64m&rate=1m");
    HANDLE thread;
    DWORD result = 1;

    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferring);
    thread = CreateThread(NULL, 0, cancel, download, 0, NULL);
    assert_non_null(thread);
    (void)modern_callback_wait(&callback, 0, DODownloadState_Aborted);
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(thread, TEST_PATIENCE_MS));
    assert_true(GetExitCodeThread(thread, &result));
    assert_true(CloseHandle(thread));
    assert_ok((HRESULT)result);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    destroy(download, DODownloadState_Aborted);
    modern_callback_finish(&callback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_winget_downloads),
        MODERN_TEST(test_winget_throws_the_error_of_the_callback),
        MODERN_TEST(test_winget_is_cancelled_by_another_thread),
    };

    return COM_TEST_RUN(tests);
}
