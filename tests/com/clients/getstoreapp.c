/* SPDX-License-Identifier: MIT */
/*
 * GetStoreApp and WindowsTools (spec 05, 5): a size read before Start, Finalize inside the callback
 * on what the callback was given, and anything in Error or ExtendedError is a failure.
 */
#include "client.h"

#define STATIC_CLOAKING 32

static void finalize_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    if (status->State == DODownloadState_Transferred)
        callback->hook_hr = IDODownload_Finalize(download);
}

/* Up to Start. */
static IDODownload *create(
    struct com_test *test, struct modern_callback *callback, const char *query)
{
    IDODownload *download = client_create();
    VARIANT value;

    for (int i = 0; i < 2; i++)
        (void)CoSetProxyBlanket((IUnknown *)download, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT,
            COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL,
            STATIC_CLOAKING);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"a.appx"));
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a.appx")));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &value));
    assert_int_equal(VT_BSTR, value.vt);
    assert_true(SysStringLen(value.bstrVal) > 0);
    (void)VariantClear(&value);
    /* It ignores the result, and reads what is there. */
    modern_expect_failure(download, DODownloadProperty_TotalSizeBytes, TEST_E_NOT_SET);
    modern_callback_init(callback);
    callback->hook = finalize_inside;
    callback->hook_hr = E_PENDING;
    client_attach(download, callback);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    return download;
}

/* Broken: the program hangs in its callback, gets no file, or reports a failure that is none. */
static void test_getstoreapp_finalizes_inside_the_callback(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=3m");

    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Finalized);
    assert_ok(callback.hook_hr);
    client_check_healthy(&callback, 0);
    assert_int_equal(DODownloadState_Finalized, modern_status(download).State);
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: its buttons fail. */
static void test_getstoreapp_pauses_resumes_and_finishes(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=3m&rate=3m");

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Finalized);
    assert_ok(callback.hook_hr);
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: delete, or leaving the program, hangs or leaves a file. */
static void test_getstoreapp_deletes(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IDODownload *download = create(test, &callback, "size=64m&rate=1m");

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Abort(download));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Aborted);
    assert_hr(E_PENDING, callback.hook_hr);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_getstoreapp_finalizes_inside_the_callback),
        MODERN_TEST(test_getstoreapp_pauses_resumes_and_finishes),
        MODERN_TEST(test_getstoreapp_deletes),
    };

    return COM_TEST_RUN(tests);
}
