/* SPDX-License-Identifier: MIT */
/*
 * See client.h.
 */
#include "client.h"

IDOManager *client_manager(void)
{
    IDOManager *manager = NULL;

    assert_ok(CoCreateInstance(
        &CLSID_DeliveryOptimization, NULL, client_context(), &IID_IDOManager, (void **)&manager));
    assert_non_null(manager);
    return manager;
}

IDODownload *client_create(void)
{
    IDOManager *manager = client_manager();
    IDODownload *download = TEST_POISON;

    assert_ok(IDOManager_CreateDownload(manager, &download));
    IDOManager_Release(manager);
    return download;
}

void client_attach(IDODownload *download, struct modern_callback *callback)
{
    assert_ok(modern_set_object(download, DODownloadProperty_CallbackInterface,
        &callback->IDODownloadStatusCallback_iface));
}

void client_check_healthy(struct modern_callback *callback, unsigned int from)
{
    unsigned int count = modern_callback_count(callback);

    assert_true(count > from);
    for (unsigned int i = from; i < count && i < MODERN_CALLS; i++)
    {
        assert_ok(callback->calls[i].status.Error);
        assert_ok(callback->calls[i].status.ExtendedError);
        assert_true(callback->calls[i].status.State != DODownloadState_Paused);
    }
}
