/* SPDX-License-Identifier: MIT */
/*
 * See client_test.h. What asserts is for the test's thread; the threads made here only record.
 */
#include "client_test.h"

#include <stdlib.h>
#include <string.h>

/* Threads */

struct run
{
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    int result;
};

static int setup_sta(void **state)
{
    (void)state;
    return FAILED(CoInitializeEx(NULL, COINIT_APARTMENTTHREADED)) ? -1 : 0;
}

static DWORD WINAPI run_in_mta(void *ctx)
{
    struct run *run = ctx;

    run->result = _cmocka_run_group_tests(
        run->name, run->tests, run->count, test_group_setup, test_group_teardown);
    return 0;
}

/* The main thread is a user interface's: it pumps until the worker is done. */
static int run_beside_sta(struct run *run)
{
    HANDLE worker;
    bool is_over = false;

    if (FAILED(CoInitializeEx(NULL, COINIT_APARTMENTTHREADED)))
        return 1;
    if (!(worker = CreateThread(NULL, 0, run_in_mta, run, 0, NULL)))
        return 1;
    while (!is_over)
    {
        DWORD signalled = MsgWaitForMultipleObjects(1, &worker, FALSE, INFINITE, QS_ALLINPUT);
        MSG message;

        is_over = signalled != WAIT_OBJECT_0 + 1;
        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
            (void)DispatchMessageW(&message);
    }
    (void)CloseHandle(worker);
    CoUninitialize();
    return run->result;
}

int client_run(
    const char *name, enum client_thread thread, const struct CMUnitTest *tests, size_t count)
{
    struct run run = {.name = name, .tests = tests, .count = count, .result = 1};

    switch (thread)
    {
    case CLIENT_STA:
        return _cmocka_run_group_tests(name, tests, count, setup_sta, test_group_teardown);
    case CLIENT_MTA_BESIDE:
        return run_beside_sta(&run);
    case CLIENT_MTA:
        break;
    }
    (void)run_in_mta(&run);
    return run.result;
}

/* Objects */

DWORD client_context(DWORD asked)
{
    const char *wanted = getenv("DOSVC_TEST_CONTEXT");

    if (wanted && !strcmp(wanted, "local"))
        return CLSCTX_LOCAL_SERVER;
    return asked == CLSCTX_LOCAL_SERVER ? CLSCTX_INPROC_SERVER : asked;
}

void client_set_blanket(void *object, const struct client_blanket *blanket)
{
    assert_ok(CoSetProxyBlanket(object, blanket->authentication, blanket->authorization,
        blanket->principal, blanket->level, blanket->impersonation, NULL, blanket->capabilities));
}

IDOManager *client_manager(void)
{
    IDOManager *manager = NULL;

    assert_ok(CoCreateInstance(&CLSID_DeliveryOptimization, NULL,
        client_context(CLSCTX_LOCAL_SERVER), &IID_IDOManager, (void **)&manager));
    return manager;
}

IDODownload *client_create(const struct client_blanket *blanket)
{
    IDOManager *manager = client_manager();
    IDODownload *download = NULL;

    assert_ok(IDOManager_CreateDownload(manager, &download));
    client_set_blanket(download, blanket);
    IDOManager_Release(manager);
    return download;
}

/* Properties */

void client_set_source(
    IDODownload *download, struct com_test *test, const char *query, const WCHAR *name)
{
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    if (name)
        assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, name)));
}

void client_set_callback(IDODownload *download, struct modern_callback *callback)
{
    assert_ok(modern_set_object(download, DODownloadProperty_CallbackInterface,
        &callback->IDODownloadStatusCallback_iface));
}

BSTR client_id(IDODownload *download)
{
    WCHAR braced[64];
    VARIANT id;
    GUID guid;

    memset(&id, 0xCC, sizeof(id));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    assert_int_equal(VT_BSTR, id.vt);
    (void)_snwprintf(
        braced, TEST_COUNT_OF(braced), id.bstrVal[0] == L'{' ? L"%ls" : L"{%ls}", id.bstrVal);
    assert_ok(IIDFromString(braced, &guid));
    return id.bstrVal;
}

/* Waiting */

void client_wait_moment(HANDLE event)
{
    DWORD count = event ? 1 : 0;
    MSG message;

    (void)MsgWaitForMultipleObjects(count, count ? &event : NULL, FALSE, TEST_POLL_MS, QS_ALLINPUT);
    while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
        (void)DispatchMessageW(&message);
}

static bool ends_wait(const DO_DOWNLOAD_STATUS *status, unsigned int ends)
{
    return CLIENT_ENDS((unsigned int)status->State) & ends || FAILED(status->Error);
}

/* A copy of the call at index, if it came. */
static bool get_call(
    struct modern_callback *callback, unsigned int index, struct modern_call *call)
{
    bool found;

    EnterCriticalSection(&callback->lock);
    found = index < callback->count && index < MODERN_CALLS;
    if (found)
        *call = callback->calls[index];
    LeaveCriticalSection(&callback->lock);
    return found;
}

struct modern_call client_wait_call(
    struct modern_callback *callback, unsigned int from, unsigned int ends, bool heeds_extended)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    struct modern_call call = {0};

    for (;;)
    {
        while (get_call(callback, from, &call))
        {
            if (ends_wait(&call.status, ends) ||
                (heeds_extended && call.status.ExtendedError != S_OK))
                return call;
            from++;
        }
        if (GetTickCount64() >= end)
        {
            print_error("no end after %u calls\n", from);
            fail();
        }
        client_wait_moment(callback->called);
    }
}

DO_DOWNLOAD_STATUS client_poll(IDODownload *download, unsigned int ends)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    DO_DOWNLOAD_STATUS status = modern_status(download);

    while (!ends_wait(&status, ends))
    {
        if (GetTickCount64() >= end)
        {
            print_error("still in state %d\n", (int)status.State);
            fail();
        }
        client_wait_moment(NULL);
        status = modern_status(download);
    }
    return status;
}

void client_expect_state(DODownloadState state, const DO_DOWNLOAD_STATUS *status)
{
    assert_ok(status->Error);
    assert_ok(status->ExtendedError);
    assert_int_equal(state, status->State);
}

void client_expect_healthy(struct modern_callback *callback, UINT64 size)
{
    struct modern_call call;
    UINT64 before = 0;

    for (unsigned int i = 0; get_call(callback, i, &call); i++)
    {
        assert_ok(call.status.Error);
        assert_ok(call.status.ExtendedError);
        assert_int_not_equal(DODownloadState_Paused, call.status.State);
        assert_true(call.status.BytesTransferred >= before);
        assert_true(call.status.BytesTotal == 0 || call.status.BytesTotal == size);
        before = call.status.BytesTransferred;
        if (call.status.State == DODownloadState_Transferred)
        {
            assert_int_equal(size, call.status.BytesTransferred);
            assert_int_equal(size, call.status.BytesTotal);
        }
    }
}

/* Another thread */

struct abort_call
{
    IDODownload *download;
    HRESULT result;
};

static DWORD WINAPI abort_download(void *ctx)
{
    struct abort_call *call = ctx;

    if (SUCCEEDED(call->result = CoInitializeEx(NULL, COINIT_MULTITHREADED)))
    {
        call->result = IDODownload_Abort(call->download);
        CoUninitialize();
    }
    return 0;
}

HRESULT client_abort_elsewhere(IDODownload *download, ULONGLONG *elapsed_ms)
{
    /* Static, since a thread that never ends would outlive this frame. */
    static struct abort_call call;
    ULONGLONG begin = GetTickCount64();
    HANDLE thread;

    call = (struct abort_call){.download = download, .result = E_PENDING};
    thread = CreateThread(NULL, 0, abort_download, &call, 0, NULL);
    assert_non_null(thread);
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(thread, TEST_PATIENCE_MS));
    *elapsed_ms = GetTickCount64() - begin;
    assert_true(CloseHandle(thread));
    return call.result;
}
