/* SPDX-License-Identifier: MIT */
/*
 * A PowerShell script (spec 05, 7): no callback, a look every 400 ms, and a blanket of dynamic
 * cloaking on manager and download, whose result it ignores.
 */
#include "client.h"

#define POLL_MS 400U
#define DYNAMIC_CLOAKING 0x40

static void blanket(void *object)
{
    (void)CoSetProxyBlanket(object, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_DEFAULT, NULL,
        RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL, DYNAMIC_CLOAKING);
}

/* Broken: the script aborts what goes well, or reports a file that is not there. */
static void test_powershell_downloads(void **state)
{
    struct com_test *test = *state;
    IDOManager *manager = client_manager();
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    IDODownload *download = NULL;
    DO_DOWNLOAD_STATUS status;

    (void)DeleteFileW(test_local(test, L"a"));
    blanket(manager);
    assert_ok(IDOManager_CreateDownload(manager, &download));
    blanket(download);
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=2m&rate=2m")));
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test->local));
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(IDODownload_Start(download, NULL));
    for (;;)
    {
        status = modern_status(download);
        if (status.State == DODownloadState_Transferred ||
            status.State == DODownloadState_Finalized)
            break;
        assert_int_equal(DODownloadState_Transferring, status.State);
        assert_true(GetTickCount64() < end);
        Sleep(POLL_MS);
    }
    assert_int_equal(2 << 20, status.BytesTransferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 2 << 20, 1);
    IDODownload_Release(download);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_powershell_downloads),
    };

    return COM_TEST_RUN(tests);
}
