/* SPDX-License-Identifier: MIT */
/*
 * System Informer's updater: class factory, an optional IClientSecurity, Start(NULL), and a loop
 * that looks at nothing but callbacks. (Spec 05, 4.)
 */
#include "client_test.h"

#define TERMINAL                                                                                   \
    (CLIENT_ENDS(DODownloadState_Transferred) | CLIENT_ENDS(DODownloadState_Finalized) |           \
        CLIENT_ENDS(DODownloadState_Aborted))

static IDODownload *create(void)
{
    IClassFactory *factory = NULL;
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    IClientSecurity *security = NULL;

    assert_ok(CoGetClassObject(&CLSID_DeliveryOptimization, client_context(CLSCTX_LOCAL_SERVER),
        NULL, &IID_IClassFactory, (void **)&factory));
    assert_ok(IClassFactory_CreateInstance(factory, NULL, &IID_IDOManager, (void **)&manager));
    assert_ok(IDOManager_CreateDownload(manager, &download));
    /* It does without, but where it is there it must work. */
    if (SUCCEEDED(
            IDODownload_QueryInterface(download, &IID_IClientSecurity, (void **)&security)))
    {
        assert_ok(IClientSecurity_SetBlanket(security, (IUnknown *)download, RPC_C_AUTHN_WINNT,
            RPC_C_AUTHZ_NONE, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
            NULL, EOAC_NONE));
        IClientSecurity_Release(security);
    }
    IDOManager_Release(manager);
    IClassFactory_Release(factory);
    return download;
}

static void start(struct com_test *test, IDODownload *download, struct modern_callback *callback,
    const char *query)
{
    client_set_source(download, test, query, L"setup.exe");
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"System Informer"));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    modern_callback_init(callback);
    client_set_callback(download, callback);
    assert_ok(IDODownload_Start(download, NULL));
}

/* Broken: it cannot update itself. */
static void test_client_systeminformer_updates(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download = create();

    start(test, download, &callback, "size=3m&rate=6m");
    last = client_wait_call(&callback, 0, TERMINAL, false);
    client_expect_state(DODownloadState_Transferred, &last.status);
    client_expect_healthy(&callback, 3 << 20);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 3 << 20, 1);
    /* Finalized may be what it sees first, when it is slow: then it finalizes once more. */
    (void)modern_callback_wait(&callback, 0, DODownloadState_Finalized);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 3 << 20, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: a failed update is waited for without end. */
static void test_client_systeminformer_sees_an_error(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download = create();

    start(test, download, &callback, "status=404");
    last = client_wait_call(&callback, 0, TERMINAL, false);
    assert_hr(TEST_E_HTTP_NOT_FOUND, last.status.Error);
    assert_ok(IDODownload_Abort(download));
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: its cancel button leaves a file, or the loop without an end. */
static void test_client_systeminformer_cancels(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download = create();

    start(test, download, &callback, "size=64m&rate=2m");
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Abort(download));
    last = client_wait_call(&callback, 0, TERMINAL, false);
    client_expect_state(DODownloadState_Aborted, &last.status);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    assert_int_equal(0, test_count_temp(test->folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_client_systeminformer_updates),
        MODERN_TEST(test_client_systeminformer_sees_an_error),
        MODERN_TEST(test_client_systeminformer_cancels),
    };

    return CLIENT_RUN(CLIENT_MTA, tests);
}
