/* SPDX-License-Identifier: MIT */
/*
 * System Informer's updater (spec 05, 4): the class object by hand, IClientSecurity with no
 * principal, Start with NULL, and Finalize whatever the last state was.
 */
#include "client.h"

/* Broken: System Informer cannot update itself. */
static void test_system_informer_updates(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    IClassFactory *factory = NULL;
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    IClientSecurity *security = NULL;

    assert_ok(CoGetClassObject(&CLSID_DeliveryOptimization, client_context(), NULL,
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
    client_attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    client_check_healthy(&callback, 0);
    assert_ok(IDODownload_Finalize(download));
    /* When Finalized is what it saw last, it does so again. */
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
    IDOManager_Release(manager);
    IClassFactory_Release(factory);
    modern_callback_finish(&callback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_system_informer_updates),
    };

    return COM_TEST_RUN(tests);
}
