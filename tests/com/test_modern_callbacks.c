/* SPDX-License-Identifier: MIT */
/*
 * What a download calls: OnStatusChange, and Write of a stream; what a client does inside of them;
 * blocking mode; single-threaded apartments. Hooks and other threads record, the test asserts.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

static void attach(IDODownload *download, struct modern_callback *callback)
{
    assert_ok(modern_set_object(download, DODownloadProperty_CallbackInterface,
        &callback->IDODownloadStatusCallback_iface));
}

static IDODownload *create_with_stream(
    struct com_test *test, const char *query, struct modern_stream *stream)
{
    IDODownload *download = modern_create_of(test, query, NULL);

    assert_ok(
        modern_set_object(download, DODownloadProperty_StreamInterface, &stream->IStream_iface));
    return download;
}

static void test_wait_object(HANDLE object)
{
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(object, TEST_PATIENCE_MS));
}

/* Callbacks */

/* Broken: winget, which learns everything from callbacks, waits for ever. */
static void test_callback_tells_from_start_to_end(void **state)
{
    IDODownload *download = modern_create_of(*state, "size=100k&seed=3&body_delay=300", L"a");
    struct modern_callback callback;
    unsigned int last;

    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    assert_int_equal(0, modern_callback_wait(&callback, 0, DODownloadState_Transferring));
    assert_int_equal(0, callback.calls[0].status.BytesTransferred);
    last = modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    assert_int_equal(100 << 10, callback.calls[last].status.BytesTotal);
    assert_int_equal(100 << 10, callback.calls[last].status.BytesTransferred);
    for (unsigned int i = 0; i <= last; i++)
    {
        assert_ok(callback.calls[i].status.Error);
        assert_ok(callback.calls[i].status.ExtendedError);
        assert_true(callback.calls[i].thread != GetCurrentThreadId());
    }
    assert_ok(IDODownload_Finalize(download));
    (void)modern_callback_wait(&callback, last, DODownloadState_Finalized);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

/* Broken: winget waits for the end of what it has aborted; and so does who was aborted by another
   download to his path. */
static void test_callback_tells_that_a_download_is_aborted(void **state)
{
    IDODownload *download = modern_create_of(*state, "stall=10", L"a");
    IDODownload *other;
    struct modern_callback callback;

    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    assert_ok(IDODownload_Abort(download));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Aborted);
    IDODownload_Release(download);
    modern_callback_finish(&callback);

    download = modern_create_of(*state, "stall=10", L"b");
    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    other = modern_create_of(*state, "stall=10", L"b");
    assert_ok(IDODownload_Start(other, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Aborted);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
    modern_abort(other);
}

/* Broken: an error is not told. */
static void test_callback_tells_errors(void **state)
{
    IDODownload *download = modern_create_of(*state, "status=404", L"a");
    struct modern_callback callback;
    unsigned int last;

    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    last = modern_callback_wait(&callback, 0, DODownloadState_Paused);
    assert_hr(TEST_E_HTTP(404), callback.calls[last].status.Error);
    modern_abort(download);
    modern_callback_finish(&callback);
}

/* Broken: .NET, which lets go of the object with FinalReleaseComObject, loses its own pointer.
   (Spec 04, 6.2.) */
static void test_callback_object_is_not_the_clients(void **state)
{
    IDODownload *download = modern_create_of(*state, "size=10", L"a");
    struct modern_callback callback;
    IUnknown *identity = NULL;

    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(IDODownload_QueryInterface(download, &IID_IUnknown, (void **)&identity));
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    for (unsigned int i = 0; i < callback.count; i++)
    {
        assert_non_null(callback.calls[i].identity);
        assert_ptr_not_equal(identity, callback.calls[i].identity);
    }
    IUnknown_Release(identity);
    modern_abort(download);
    modern_callback_finish(&callback);
}

/* Broken: whatever a client's callback returns ends its notices. */
static void test_callback_result_does_not_matter(void **state)
{
    static const HRESULT results[] = {E_FAIL, S_FALSE, TEST_E_CANCELLED, E_NOTIMPL};

    for (size_t i = 0; i < TEST_COUNT_OF(results); i++)
    {
        IDODownload *download = modern_create_of(*state, "size=10", i % 2 ? L"a" : L"b");
        struct modern_callback callback;
        unsigned int index;

        modern_callback_init(&callback);
        callback.result = results[i];
        attach(download, &callback);
        assert_ok(IDODownload_Start(download, NULL));
        index = modern_callback_wait(&callback, 0, DODownloadState_Transferred);
        assert_true(index > 0);
        modern_abort(download);
        modern_callback_finish(&callback);
    }
}

/* Broken: the first callback goes on to be called. (Spec 05, 2: the SDK's test.) */
static void test_callback_replaced_is_not_called(void **state)
{
    IDODownload *download = modern_create_of(*state, "size=10", L"a");
    struct modern_callback first, second;

    modern_callback_init(&first);
    modern_callback_init(&second);
    attach(download, &first);
    attach(download, &second);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&second, 0, DODownloadState_Transferred);
    assert_int_equal(0, modern_callback_count(&first));
    modern_callback_finish(&first);
    modern_abort(download);
    modern_callback_finish(&second);
}

/* Broken: progress comes too often, or not at all. */
static void test_callback_frequency_is_the_clients(void **state)
{
    IDODownload *download = modern_create_of(*state, "size=10m&rate=20m", L"a");
    struct modern_callback callback;
    unsigned int count;
    UINT64 told = 0;

    modern_callback_init(&callback);
    attach(download, &callback);
    assert_ok(modern_set_u32(download, DODownloadProperty_CallbackFreqPercent, 40));
    assert_ok(modern_set_u32(download, DODownloadProperty_CallbackFreqSeconds, 3600));
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    count = modern_callback_count(&callback);
    for (unsigned int i = 0; i < count; i++)
    {
        const DO_DOWNLOAD_STATUS *status = &callback.calls[i].status;

        if (status->State != DODownloadState_Transferring || !status->BytesTransferred)
            continue;
        assert_true(status->BytesTransferred - told >= 4 << 20);
        told = status->BytesTransferred;
    }
    assert_true(told > 0);
    modern_abort(download);
    modern_callback_finish(&callback);
}

static void pause_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    DO_DOWNLOAD_STATUS again;

    if (status->State != DODownloadState_Transferring || callback->hook_hr != E_PENDING)
        return;
    if (SUCCEEDED(callback->hook_hr = IDODownload_GetStatus(download, &again)))
        callback->hook_hr = IDODownload_Pause(download);
}

/* Broken: Pause inside a callback hangs. (Spec 05, 2: the SDK's test.) */
static void test_callback_may_pause(void **state)
{
    IDODownload *download = modern_create_of(*state, "stall=10", L"a");
    struct modern_callback callback;

    modern_callback_init(&callback);
    callback.hook = pause_inside;
    callback.hook_hr = E_PENDING;
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Paused);
    (void)modern_callback_wait(&callback, 0, DODownloadState_Paused);
    assert_ok(callback.hook_hr);
    assert_ok(modern_status(download).Error);
    modern_abort(download);
    modern_callback_finish(&callback);
}

static void finalize_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    if (status->State == DODownloadState_Transferred)
        callback->hook_hr = IDODownload_Finalize(download);
}

/* Broken: GetStoreApp, which finalizes what the callback gave it, hangs or gets no file. */
static void test_callback_may_finalize(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=10", L"a");
    struct modern_callback callback;

    modern_callback_init(&callback);
    callback.hook = finalize_inside;
    callback.hook_hr = E_PENDING;
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Finalized);
    assert_ok(callback.hook_hr);
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
}

static void abort_and_release_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    IDODownload **own = callback->ctx;

    (void)download;
    if (status->State != DODownloadState_Transferring || !*own)
        return;
    callback->hook_hr = IDODownload_Abort(*own);
    IDODownload_Release(*own);
    *own = NULL;
}

/* Broken: the download goes away under the callback that ends it. */
static void test_callback_may_abort_and_release(void **state)
{
    IDODownload *own = modern_create_of(*state, "stall=10", L"a");
    IDODownload *download = own;
    struct modern_callback callback;

    modern_callback_init(&callback);
    callback.hook = abort_and_release_inside;
    callback.hook_hr = E_PENDING;
    callback.ctx = &own;
    attach(download, &callback);
    IDODownload_AddRef(download);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Aborted);
    assert_ok(callback.hook_hr);
    IDODownload_Release(download);
    modern_callback_finish(&callback);
    assert_null(own);
}

static void start_inside(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    if (status->State == DODownloadState_Paused && callback->hook_hr == E_PENDING)
        callback->hook_hr = IDODownload_Start(download, NULL);
}

/* Broken: Start inside a callback waits for that callback. */
static void test_callback_may_start_again(void **state)
{
    IDODownload *download = modern_create_of(*state, "fail_first=1&fail_status=404&size=10", L"a");
    struct modern_callback callback;

    modern_callback_init(&callback);
    callback.hook = start_inside;
    callback.hook_hr = E_PENDING;
    attach(download, &callback);
    assert_ok(IDODownload_Start(download, NULL));
    (void)modern_callback_wait(&callback, 0, DODownloadState_Transferred);
    assert_ok(callback.hook_hr);
    modern_abort(download);
    modern_callback_finish(&callback);
}

/* Broken: the .NET sample, which takes any Paused for the end, sees an old one after Start. */
static void test_callback_no_stale_pause_after_start(void **state)
{
    IDODownload *download = modern_create_of(*state, "stall=10", L"a");
    struct modern_callback callback;

    modern_callback_init(&callback);
    attach(download, &callback);
    for (int i = 0; i < 50; i++)
    {
        unsigned int from;

        assert_ok(IDODownload_Start(download, NULL));
        from = modern_callback_count(&callback);
        assert_ok(modern_status(download).Error);
        assert_int_equal(DODownloadState_Transferring, modern_status(download).State);
        EnterCriticalSection(&callback.lock);
        for (unsigned int j = from; j < callback.count && j < MODERN_CALLS; j++)
            assert_int_equal(DODownloadState_Transferring, callback.calls[j].status.State);
        LeaveCriticalSection(&callback.lock);
        assert_ok(IDODownload_Pause(download));
    }
    modern_abort(download);
    modern_callback_finish(&callback);
}

/* Streams */

/* Broken: a stream gets other bytes, or calls that real sinks cannot answer. */
static void test_stream_gets_the_whole_object(void **state)
{
    struct com_test *test = *state;
    struct modern_stream stream;
    IDODownload *download;
    VARIANT value;

    modern_stream_init(&stream);
    stream.writes_count = true;
    download = create_with_stream(test, "size=3m&seed=9", &stream);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_int_equal(3 << 20, modern_status(download).BytesTransferred);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_TotalSizeBytes, &value));
    assert_int_equal(3 << 20, value.ullVal);
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(3 << 20, stream.length);
    assert_int_equal(0, stream.others);
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 3 << 20, 9);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
}

/* Broken: ranges of a stream come in another order, or with what lies between. */
static void test_stream_gets_ranges_in_order(void **state)
{
    static const struct modern_ranges ranges = {.count = 2, .ranges = {{0, 100}, {200, 1000}}};
    struct com_test *test = *state;
    struct modern_stream stream;
    IDODownload *download;

    modern_stream_init(&stream);
    download = create_with_stream(test, "seed=9", &stream);
    assert_ok(IDODownload_Start(download, modern_info(&ranges)));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    assert_int_equal(1100, stream.length);
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_pattern(test->local, 0, 100, 9, 0);
    test_expect_pattern(test->local, 100, 1000, 9, 200);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
}

/* Broken: a slow sink stops the engine, or loses bytes. */
static void test_stream_may_be_slow(void **state)
{
    struct com_test *test = *state;
    struct modern_stream stream;
    IDODownload *download, *other;

    modern_stream_init(&stream);
    stream.inside = CreateEventW(NULL, TRUE, FALSE, NULL);
    stream.may_return = CreateEventW(NULL, TRUE, FALSE, NULL);
    download = create_with_stream(test, "size=64m&seed=9", &stream);
    assert_ok(IDODownload_Start(download, NULL));
    test_wait_object(stream.inside);
    /* While Write does not return: others go on, and status is told. */
    other = modern_create_of(test, "size=10", L"other");
    assert_ok(IDODownload_Start(other, NULL));
    modern_wait(other, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(other));
    IDODownload_Release(other);
    assert_int_equal(DODownloadState_Transferring, modern_status(download).State);
    assert_true(SetEvent(stream.may_return));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 64 << 20, 9);
    IDODownload_Release(download);
    assert_true(CloseHandle(stream.inside));
    assert_true(CloseHandle(stream.may_return));
    modern_stream_finish(&stream);
}

/* Broken: the sink's error is swallowed, or told as another. */
static void test_stream_failure_pauses(void **state)
{
    struct com_test *test = *state;
    struct modern_stream stream;
    IDODownload *download;

    modern_stream_init(&stream);
    stream.result = STG_E_MEDIUMFULL;
    download = create_with_stream(test, "size=10", &stream);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_error(download, STG_E_MEDIUMFULL);
    modern_abort(download);
    modern_stream_finish(&stream);
}

/* Broken: after a pause a stream gets bytes twice, or not at all. */
static void test_stream_goes_on_after_a_pause(void **state)
{
    struct com_test *test = *state;
    struct modern_stream stream;
    IDODownload *download;

    modern_stream_init(&stream);
    download = create_with_stream(test, "size=4m&rate=3m&seed=9", &stream);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_bytes(download, 1);
    assert_ok(IDODownload_Pause(download));
    assert_int_equal(DODownloadState_Paused, modern_status(download).State);
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    modern_stream_save(&stream, test_local(test, L"copy"));
    test_expect_object(test->local, 4 << 20, 9);
    IDODownload_Release(download);
    modern_stream_finish(&stream);
}

static void abort_inside_write(struct modern_stream *stream)
{
    IDODownload *download = stream->ctx;

    if (stream->hook_hr == E_PENDING)
        stream->hook_hr = IDODownload_Abort(download);
}

static void pause_inside_write(struct modern_stream *stream)
{
    IDODownload *download = stream->ctx;

    if (stream->hook_hr == E_PENDING)
        stream->hook_hr = IDODownload_Pause(download);
}

/* Broken: a sink that gives up from inside of Write hangs. */
static void test_stream_may_end_its_download_inside_write(void **state)
{
    static void (*const hooks[])(struct modern_stream *) = {pause_inside_write, abort_inside_write};

    for (size_t i = 0; i < TEST_COUNT_OF(hooks); i++)
    {
        struct modern_stream stream;
        IDODownload *download;
        ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

        modern_stream_init(&stream);
        stream.hook = hooks[i];
        stream.hook_hr = E_PENDING;
        download = create_with_stream(*state, "size=4m", &stream);
        stream.ctx = download;
        assert_ok(IDODownload_Start(download, NULL));
        /* The state may be seen before the call inside has returned. */
        while (stream.hook_hr == E_PENDING && GetTickCount64() < end)
            Sleep(TEST_POLL_MS);
        assert_ok(stream.hook_hr);
        assert_int_equal(
            i ? DODownloadState_Aborted : DODownloadState_Paused, modern_status(download).State);
        if (!i)
            assert_ok(IDODownload_Abort(download));
        IDODownload_Release(download);
        modern_stream_finish(&stream);
    }
}

/* Blocking mode */

struct blocked
{
    DWORD apartment;
    IDODownload *download;
    HRESULT hr;
};

static DWORD WINAPI start_blocked(void *ctx)
{
    struct blocked *blocked = ctx;

    (void)CoInitializeEx(NULL, blocked->apartment);
    blocked->hr = IDODownload_Start(blocked->download, NULL);
    CoUninitialize();
    return 0;
}

static HANDLE begin_blocked(struct blocked *blocked, IDODownload *download, DWORD apartment)
{
    HANDLE thread;

    assert_ok(modern_set_bool(download, DODownloadProperty_BlockingMode, true));
    blocked->download = download;
    blocked->apartment = apartment;
    blocked->hr = E_PENDING;
    thread = CreateThread(NULL, 0, start_blocked, blocked, 0, NULL);
    assert_non_null(thread);
    return thread;
}

static void end_blocked(HANDLE thread)
{
    test_wait_object(thread);
    assert_true(CloseHandle(thread));
}

static void wait_started(IDODownload *download)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (modern_status(download).State == DODownloadState_Created && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
}

/* Broken: Start returns early, or with a code that does not tell how it ended. */
static void test_blocking_start_returns_the_end(void **state)
{
    static const DWORD apartments[] = {COINIT_MULTITHREADED, COINIT_APARTMENTTHREADED};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(apartments); i++)
    {
        IDODownload *download = modern_create_of(test, "size=10&delay=200", L"a");
        struct blocked blocked;
        HANDLE thread = begin_blocked(&blocked, download, apartments[i]);

        end_blocked(thread);
        assert_ok(blocked.hr);
        assert_int_equal(DODownloadState_Transferred, modern_status(download).State);
        modern_abort(download);

        download = modern_create_of(test, "status=404", L"a");
        thread = begin_blocked(&blocked, download, apartments[i]);
        end_blocked(thread);
        assert_hr(TEST_E_HTTP(404), blocked.hr);
        modern_abort(download);

        download = modern_create_of(test, "stall=10", L"a");
        thread = begin_blocked(&blocked, download, apartments[i]);
        wait_started(download);
        assert_ok(IDODownload_Pause(download));
        end_blocked(thread);
        assert_ok(blocked.hr);
        modern_abort(download);

        download = modern_create_of(test, "stall=10", L"a");
        thread = begin_blocked(&blocked, download, apartments[i]);
        wait_started(download);
        assert_ok(IDODownload_Abort(download));
        end_blocked(thread);
        assert_hr(E_ABORT, blocked.hr);
        IDODownload_Release(download);
    }
}

/* Single-threaded apartments: a window's thread, whose callbacks ask it for something. */

#define ASK (WM_USER + 1)

static LRESULT CALLBACK window_main(HWND window, UINT message, WPARAM wide, LPARAM data)
{
    return message == ASK ? 42 : DefWindowProcW(window, message, wide, data);
}

static HWND create_window(void)
{
    WNDCLASSW class = {.lpfnWndProc = window_main, .lpszClassName = L"dosvc test"};

    class.hInstance = GetModuleHandleW(NULL);
    (void)RegisterClassW(&class);
    return CreateWindowW(
        class.lpszClassName, L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, class.hInstance, NULL);
}

static void ask_window(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    (void)download;
    (void)status;
    if (SendMessageW(callback->ctx, ASK, 0, 0) == 42)
        callback->hook_hr = S_OK;
}

struct sta
{
    IDODownload *download;
    struct modern_callback *callback;
    struct modern_stream *stream; /* or NULL */
    HRESULT hr;
    HRESULT ended;
    HANDLE done;
};

static void pump_messages(DWORD milliseconds)
{
    MSG message;

    (void)MsgWaitForMultipleObjects(0, NULL, FALSE, milliseconds, QS_ALLINPUT);
    while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
        (void)DispatchMessageW(&message);
}

/* Until the stream was written to again. */
static void pump_for_writes(const struct modern_stream *stream, unsigned int before)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (stream->writes == before && GetTickCount64() < end)
        pump_messages(TEST_POLL_MS);
}

/* Everything that may wait, again and again, while callbacks wait for this thread. */
static HRESULT use_in_sta(const struct sta *sta)
{
    HRESULT hr = S_OK;

    for (int i = 0; i < 20 && SUCCEEDED(hr); i++)
    {
        unsigned int writes = sta->stream ? sta->stream->writes : 0;

        hr = IDODownload_Start(sta->download, NULL);
        if (SUCCEEDED(hr) && sta->stream)
            pump_for_writes(sta->stream, writes);
        if (SUCCEEDED(hr))
            hr = IDODownload_Pause(sta->download);
    }
    return hr;
}

static DWORD WINAPI sta_main(void *ctx)
{
    struct sta *sta = ctx;
    VARIANT value = {.vt = VT_UNKNOWN};

    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    sta->callback->ctx = create_window();
    value.punkVal = (IUnknown *)(void *)&sta->callback->IDODownloadStatusCallback_iface;
    sta->hr = IDODownload_SetProperty(sta->download, DODownloadProperty_CallbackInterface, &value);
    if (SUCCEEDED(sta->hr) && sta->stream)
    {
        sta->stream->thread = GetCurrentThreadId();
        value.punkVal = (IUnknown *)(void *)&sta->stream->IStream_iface;
        sta->hr =
            IDODownload_SetProperty(sta->download, DODownloadProperty_StreamInterface, &value);
    }
    if (SUCCEEDED(sta->hr))
        sta->hr = use_in_sta(sta);
    sta->ended = IDODownload_Abort(sta->download);
    (void)SetEvent(sta->done);
    /* Callbacks on their way still ask. */
    while (sta->callback->references > 1 || (sta->stream && sta->stream->references > 1))
        pump_messages(TEST_POLL_MS);
    (void)DestroyWindow(sta->callback->ctx);
    CoUninitialize();
    return 0;
}

static void run_in_sta(struct sta *sta)
{
    HANDLE thread;

    sta->done = CreateEventW(NULL, TRUE, FALSE, NULL);
    thread = CreateThread(NULL, 0, sta_main, sta, 0, NULL);
    assert_non_null(thread);
    test_wait_object(sta->done);
    assert_ok(sta->hr);
    assert_ok(sta->ended);
    IDODownload_Release(sta->download);
    end_blocked(thread);
    assert_true(CloseHandle(sta->done));
}

/* Broken: Start on a window's thread waits for a callback that waits for that window. */
static void test_apartment_start_lets_callbacks_ask_their_window(void **state)
{
    struct modern_callback callback;
    struct sta sta = {.callback = &callback};

    modern_callback_init(&callback);
    callback.hook = ask_window;
    callback.hook_hr = E_PENDING;
    sta.download = modern_create_of(*state, "stall=10", L"a");
    run_in_sta(&sta);
    assert_ok(callback.hook_hr);
    modern_callback_finish(&callback);
}

/* Broken: a stream of a window's thread is written to from another one, or Pause waits for a Write
   that waits for the thread that pauses. */
static void test_apartment_stream_is_written_in_its_own(void **state)
{
    struct modern_callback callback;
    struct modern_stream stream;
    struct sta sta = {.callback = &callback, .stream = &stream};

    modern_callback_init(&callback);
    modern_stream_init(&stream);
    stream.delay_ms = 5;
    sta.download = modern_create_of(*state, "size=64m", NULL);
    run_in_sta(&sta);
    assert_true(stream.writes >= 20);
    assert_true(stream.is_in_own_thread);
    modern_stream_finish(&stream);
    modern_callback_finish(&callback);
}

struct recreate
{
    struct modern_callback *callback;
    const WCHAR *url;
    const WCHAR *path;
    HRESULT hr;
    HANDLE done;
};

static void ask_at_release(
    struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    /* The engine is still busy with this one when the next is created. */
    Sleep(TEST_POLL_MS);
    ask_window(callback, download, status);
}

static HRESULT recreate_once(const struct recreate *recreate)
{
    VARIANT value = {.vt = VT_UNKNOWN};
    IDODownload *download = NULL;
    IDOManager *manager = NULL;
    HRESULT hr;

    if (FAILED(hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
                   &IID_IDOManager, (void **)&manager)))
        return hr;
    hr = IDOManager_CreateDownload(manager, &download);
    IDOManager_Release(manager);
    if (FAILED(hr))
        return hr;
    value.punkVal = (IUnknown *)(void *)&recreate->callback->IDODownloadStatusCallback_iface;
    hr = IDODownload_SetProperty(download, DODownloadProperty_CallbackInterface, &value);
    value.vt = VT_BSTR;
    value.bstrVal = SysAllocString(recreate->url);
    if (SUCCEEDED(hr))
        hr = IDODownload_SetProperty(download, DODownloadProperty_Uri, &value);
    SysFreeString(value.bstrVal);
    value.bstrVal = SysAllocString(recreate->path);
    if (SUCCEEDED(hr))
        hr = IDODownload_SetProperty(download, DODownloadProperty_LocalPath, &value);
    SysFreeString(value.bstrVal);
    if (SUCCEEDED(hr))
        hr = IDODownload_Start(download, NULL);
    if (SUCCEEDED(hr))
        hr = IDODownload_Abort(download);
    IDODownload_Release(download);
    return hr;
}

static DWORD WINAPI recreate_main(void *ctx)
{
    struct recreate *recreate = ctx;

    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    recreate->callback->ctx = create_window();
    recreate->hr = S_OK;
    for (int i = 0; i < 5 && SUCCEEDED(recreate->hr); i++)
        recreate->hr = recreate_once(recreate);
    (void)SetEvent(recreate->done);
    while (recreate->callback->references > 1)
        pump_messages(TEST_POLL_MS);
    (void)DestroyWindow(recreate->callback->ctx);
    CoUninitialize();
    return 0;
}

/* Broken: creating an object right after the last one waits for an engine that ends only when a
   callback has asked the window of the very thread that waits. */
static void test_apartment_object_after_the_last_one(void **state)
{
    struct com_test *test = *state;
    struct modern_callback callback;
    struct recreate recreate = {.callback = &callback};
    HANDLE thread;

    modern_callback_init(&callback);
    callback.is_shared = true;
    callback.hook = ask_at_release;
    callback.hook_hr = E_PENDING;
    recreate.url = test_url(test, "stall=10");
    recreate.path = test_local(test, L"a");
    recreate.done = CreateEventW(NULL, TRUE, FALSE, NULL);
    /* The fixture's manager would keep the engine. */
    IBackgroundCopyManager_Release(test->manager);
    test->manager = NULL;
    thread = CreateThread(NULL, 0, recreate_main, &recreate, 0, NULL);
    assert_non_null(thread);
    test_wait_object(recreate.done);
    assert_ok(recreate.hr);
    end_blocked(thread);
    assert_true(CloseHandle(recreate.done));
    modern_callback_finish(&callback);
    test->manager = test_create_manager();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_callback_tells_from_start_to_end),
        MODERN_TEST(test_callback_tells_that_a_download_is_aborted),
        MODERN_TEST(test_callback_tells_errors),
        MODERN_TEST(test_callback_object_is_not_the_clients),
        MODERN_TEST(test_callback_result_does_not_matter),
        MODERN_TEST(test_callback_replaced_is_not_called),
        MODERN_TEST(test_callback_frequency_is_the_clients),
        MODERN_TEST(test_callback_may_pause),
        MODERN_TEST(test_callback_may_finalize),
        MODERN_TEST(test_callback_may_abort_and_release),
        MODERN_TEST(test_callback_may_start_again),
        MODERN_TEST(test_callback_no_stale_pause_after_start),
        MODERN_TEST(test_stream_gets_the_whole_object),
        MODERN_TEST(test_stream_gets_ranges_in_order),
        MODERN_TEST(test_stream_may_be_slow),
        MODERN_TEST(test_stream_failure_pauses),
        MODERN_TEST(test_stream_goes_on_after_a_pause),
        MODERN_TEST(test_stream_may_end_its_download_inside_write),
        MODERN_TEST(test_blocking_start_returns_the_end),
        MODERN_TEST(test_apartment_start_lets_callbacks_ask_their_window),
        MODERN_TEST(test_apartment_stream_is_written_in_its_own),
        MODERN_TEST(test_apartment_object_after_the_last_one),
    };

    return COM_TEST_RUN(tests);
}
