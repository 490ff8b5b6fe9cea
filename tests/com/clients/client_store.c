/* SPDX-License-Identifier: MIT */
/*
 * See client_store.h.
 */
#include "client_store.h"

#include <string.h>

#define ENDS (CLIENT_ENDS(DODownloadState_Finalized) | CLIENT_ENDS(DODownloadState_Aborted))

/* Transferred: Finalize, inside the call, on the download that came with it. */
static void finalize_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    if (status->State == DODownloadState_Transferred)
        callback->hook_hr = IDODownload_Finalize(download);
}

/* Its result is not looked at, but the VARIANT is. */
static void read_size(IDODownload *download)
{
    VARIANT size;

    memset(&size, 0xCC, sizeof(size));
    assert_hr(TEST_E_NOT_SET,
        IDODownload_GetProperty(download, DODownloadProperty_TotalSizeBytes, &size));
    assert_int_equal(VT_EMPTY, size.vt);
    assert_ok(VariantClear(&size));
}

IDODownload *store_start(struct com_test *test, const struct store_client *client,
    struct modern_callback *callback, const char *query, const WCHAR *name, BSTR *id)
{
    static const struct client_blanket blanket = CLIENT_BLANKET(RPC_C_AUTHZ_DEFAULT, 32);
    IDODownload *download = client_create(&blanket);

    if (client->sets_blanket_twice)
        client_set_blanket(download, &blanket);
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, name));
    client_set_source(download, test, query, name);
    *id = client_id(download);
    if (client->reads_size)
        read_size(download);
    modern_callback_init(callback);
    callback->hook = finalize_inside;
    callback->hook_hr = E_PENDING;
    if (client->uses_callback)
        client_set_callback(download, callback);
    assert_ok(modern_set_bool(download, DODownloadProperty_ForegroundPriority, true));
    assert_ok(IDODownload_Start(download, NULL));
    return download;
}

void store_check_download(struct com_test *test, const struct store_client *client)
{
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download;
    BSTR id;

    download = store_start(test, client, &callback, "size=3m&rate=6m", L"app.msix", &id);
    if (client->uses_callback)
    {
        last = client_wait_call(&callback, 0, ENDS, true);
        client_expect_state(DODownloadState_Finalized, &last.status);
        assert_ok(callback.hook_hr);
        client_expect_healthy(&callback, 3 << 20);
    }
    else
    {
        last.status = client_poll(download, CLIENT_ENDS(DODownloadState_Transferred));
        client_expect_state(DODownloadState_Transferred, &last.status);
        assert_ok(IDODownload_Finalize(download));
        assert_int_equal(0, modern_callback_count(&callback));
    }
    test_expect_object(test->local, 3 << 20, 1);
    SysFreeString(id);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

void store_check_buttons(struct com_test *test, const struct store_client *client)
{
    struct modern_callback callback;
    IDODownload *download;
    UINT64 before;
    BSTR id;

    download = store_start(test, client, &callback, "size=64m&rate=8m", L"app.msix", &id);
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_int_equal(DODownloadState_Paused, modern_status(download).State);
    before = modern_status(download).BytesTransferred;
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, before + 1);
    assert_ok(IDODownload_Abort(download));
    assert_int_equal(DODownloadState_Aborted, modern_status(download).State);
    SysFreeString(id);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    assert_int_equal(0, test_count_temp(test->folder));
}

void store_check_failure(struct com_test *test, const struct store_client *client)
{
    struct modern_callback callback;
    struct modern_call last;
    IDODownload *download;
    BSTR id;

    download = store_start(test, client, &callback, "status=404", L"app.msix", &id);
    last = client_wait_call(&callback, 0, ENDS, true);
    assert_hr(TEST_E_HTTP_NOT_FOUND, last.status.Error);
    assert_ok(IDODownload_Abort(download));
    SysFreeString(id);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

void store_check_exit(struct com_test *test, const struct store_client *client)
{
    static const WCHAR *const names[] = {L"one.msix", L"two.msix", L"three.msix"};
    struct modern_callback callbacks[TEST_COUNT_OF(names)];
    IDODownload *downloads[TEST_COUNT_OF(names)];
    BSTR ids[TEST_COUNT_OF(names)];

    for (size_t i = 0; i < TEST_COUNT_OF(names); i++)
    {
        downloads[i] =
            store_start(test, client, &callbacks[i], "size=64m&rate=1m", names[i], &ids[i]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(0, wcscmp(ids[i], ids[j]));
    }
    for (size_t i = 0; i < TEST_COUNT_OF(names); i++)
        assert_ok(IDODownload_Abort(downloads[i]));
    for (size_t i = 0; i < TEST_COUNT_OF(names); i++)
    {
        SysFreeString(ids[i]);
        IDODownload_Release(downloads[i]);
        modern_callback_finish(&callbacks[i]);
    }
    assert_int_equal(0, test_count_temp(test->folder));
}
