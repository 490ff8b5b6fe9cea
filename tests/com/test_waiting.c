/* SPDX-License-Identifier: MIT */
/*
 * Calls that meet a call on the same job which needs the caller's apartment: it writes to a stream
 * that lives there. Who waits there must let it in; who is inside of the stream may read and must
 * be refused what would wait for itself. Threads and streams record, the test asserts.
 */
#include "modern.h"

#include <string.h>

/* Calls of the test for which a thread was to wait. */
typedef HRESULT (*call_fn)(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file);

static HRESULT suspend(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_Suspend(job);
}

static HRESULT resume(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_Resume(job);
}

static HRESULT cancel(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_Cancel(job);
}

static HRESULT complete(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_Complete(job);
}

static HRESULT add_file(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_AddFile(job, L"http://127.0.0.1/", L"C:\\dosvc test");
}

static HRESULT set_display_name(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_SetDisplayName(job, L"name");
}

static HRESULT set_priority(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_HIGH);
}

static HRESULT set_notify_flags(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_DISABLE);
}

static HRESULT set_notify_interface(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_SetNotifyInterface(job, NULL);
}

static HRESULT set_proxy(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)file;
    return IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL);
}

static HRESULT set_remote_name(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)job;
    return IBackgroundCopyFile3_SetRemoteName(file, L"http://127.0.0.1/elsewhere");
}

static HRESULT set_validation_state(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    (void)job;
    return IBackgroundCopyFile3_SetValidationState(file, TRUE);
}

static const struct
{
    const char *name;
    call_fn function;
    HRESULT later; /* when it got its turn after a Complete that failed */
} changes[] = {
    {"Suspend", suspend, S_OK},
    {"Resume", resume, S_OK},
    {"Cancel", cancel, S_OK},
    {"Complete", complete, STG_E_MEDIUMFULL},
    {"AddFile", add_file, S_OK},
    {"SetDisplayName", set_display_name, S_OK},
    {"SetPriority", set_priority, S_OK},
    {"SetNotifyFlags", set_notify_flags, S_OK},
    {"SetNotifyInterface", set_notify_interface, S_OK},
    {"SetProxySettings", set_proxy, S_OK},
    {"SetRemoteName", set_remote_name, S_OK},
    {"SetValidationState", set_validation_state, S_OK},
};

/* Every read gives what it should, and at once. */
static HRESULT read_everything(IBackgroundCopyJob *job, IBackgroundCopyFile3 *file)
{
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyError *error = NULL;
    BG_FILE_PROGRESS file_progress;
    BG_JOB_PROGRESS progress;
    BG_JOB_TIMES times;
    BG_JOB_STATE state;
    ULONG count = 0;
    WCHAR *text = NULL;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_GetState(job, &state)) ||
        FAILED(hr = IBackgroundCopyJob_GetProgress(job, &progress)) ||
        FAILED(hr = IBackgroundCopyJob_GetTimes(job, &times)) ||
        FAILED(hr = IBackgroundCopyJob_GetErrorCount(job, &count)) ||
        FAILED(hr = IBackgroundCopyFile3_GetProgress(file, &file_progress)) ||
        FAILED(hr = IBackgroundCopyJob_GetDisplayName(job, &text)))
        return hr;
    CoTaskMemFree(text);
    if (FAILED(hr = IBackgroundCopyFile3_GetRemoteName(file, &text)))
        return hr;
    CoTaskMemFree(text);
    if (FAILED(hr = IBackgroundCopyFile3_GetTemporaryName(file, &text)))
        return hr;
    CoTaskMemFree(text);
    if (IBackgroundCopyJob_GetError(job, &error) != DO_E_ERROR_INFORMATION_UNAVAILABLE)
        return E_FAIL;
    if (FAILED(hr = IBackgroundCopyJob_EnumFiles(job, &files)))
        return hr;
    hr = IEnumBackgroundCopyFiles_GetCount(files, &count);
    IEnumBackgroundCopyFiles_Release(files);
    if (FAILED(hr))
        return hr;
    return state == BG_JOB_STATE_TRANSFERRED && progress.BytesTransferred && count ? S_OK : E_FAIL;
}

/* A job whose first file goes to a stream of anybody, and the second to one of an apartment. */
struct waiting
{
    struct com_test *test;
    IBackgroundCopyJob *job;
    IBackgroundCopyFile3 *file;
    struct modern_stream gate; /* Complete is held in it */
    struct modern_stream sink;
    call_fn function;
    HANDLE is_set; /* the apartment's thread has made its stream the sink */
    HANDLE may_call;
    HANDLE has_called;
    HRESULT set;
    HRESULT called;
    HRESULT completed;
    bool pumps; /* instead of calling */

    /* What the hook of sink got. */
    HRESULT changed[TEST_COUNT_OF(changes)];
    HRESULT read;
};

static HRESULT set_sink(IDeliveryOptimizationFile2 *file, struct modern_stream *stream)
{
    VARIANT variant;

    V_VT(&variant) = VT_UNKNOWN;
    V_UNKNOWN(&variant) = (IUnknown *)&stream->IStream_iface;
    return IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_DownloadSinkInterface, &variant);
}

static IDeliveryOptimizationFile2 *add_stream_file(struct waiting *waiting)
{
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;

    assert_ok(IBackgroundCopyJob_QueryInterface(
        waiting->job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(
        IDeliveryOptimizationJob2_AddFile(job2, L"content", test_url(waiting->test, "size=1000"), 0,
            NULL, &IID_IDeliveryOptimizationFile2, (void **)&file));
    IDeliveryOptimizationJob2_Release(job2);
    return file;
}

static void pump(DWORD milliseconds)
{
    MSG message;

    (void)MsgWaitForMultipleObjects(0, NULL, FALSE, milliseconds, QS_ALLINPUT);
    while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
        (void)DispatchMessageW(&message);
}

/* The thread of a single-threaded apartment: gives its stream, then calls, or lets calls in. */
static DWORD WINAPI apartment_main(void *ctx)
{
    struct waiting *waiting = ctx;
    IDeliveryOptimizationFile2 *file = NULL;
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    waiting->sink.thread = GetCurrentThreadId();
    waiting->set = IBackgroundCopyFile3_QueryInterface(
        waiting->file, &IID_IDeliveryOptimizationFile2, (void **)&file);
    if (SUCCEEDED(waiting->set))
    {
        waiting->set = set_sink(file, &waiting->sink);
        IDeliveryOptimizationFile2_Release(file);
    }
    (void)SetEvent(waiting->is_set);
    (void)WaitForSingleObject(waiting->may_call, TEST_PATIENCE_MS);
    if (!waiting->pumps)
        waiting->called = waiting->function(waiting->job, waiting->file);
    (void)SetEvent(waiting->has_called);
    /* What lets go of the stream may still be on its way. */
    while (
        (waiting->completed == E_PENDING || waiting->sink.references > 1) && GetTickCount64() < end)
        pump(TEST_POLL_MS);
    CoUninitialize();
    return 0;
}

static DWORD WINAPI complete_main(void *ctx)
{
    struct waiting *waiting = ctx;

    (void)CoInitializeEx(NULL, COINIT_MULTITHREADED);
    waiting->completed = IBackgroundCopyJob_Complete(waiting->job);
    CoUninitialize();
    return 0;
}

static void wait_for(HANDLE object)
{
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(object, TEST_PATIENCE_MS));
}

static void join(HANDLE thread)
{
    wait_for(thread);
    assert_true(CloseHandle(thread));
}

static void init(struct waiting *waiting, struct com_test *test)
{
    IDeliveryOptimizationFile2 *file;

    memset(waiting, 0, sizeof(*waiting));
    waiting->test = test;
    waiting->set = waiting->called = waiting->completed = waiting->read = E_PENDING;
    waiting->is_set = CreateEventW(NULL, TRUE, FALSE, NULL);
    waiting->may_call = CreateEventW(NULL, TRUE, FALSE, NULL);
    waiting->has_called = CreateEventW(NULL, TRUE, FALSE, NULL);
    modern_stream_init(&waiting->gate);
    modern_stream_init(&waiting->sink);
    waiting->gate.inside = CreateEventW(NULL, TRUE, FALSE, NULL);
    waiting->gate.may_return = CreateEventW(NULL, TRUE, FALSE, NULL);
    waiting->sink.ctx = waiting;
    waiting->job = test_create_job(test);
    file = add_stream_file(waiting);
    assert_ok(set_sink(file, &waiting->gate));
    IDeliveryOptimizationFile2_Release(file);
    file = add_stream_file(waiting);
    assert_ok(IDeliveryOptimizationFile2_QueryInterface(
        file, &IID_IBackgroundCopyFile3, (void **)&waiting->file));
    IDeliveryOptimizationFile2_Release(file);
}

static void finish(struct waiting *waiting)
{
    IBackgroundCopyFile3_Release(waiting->file);
    IBackgroundCopyJob_Release(waiting->job);
    assert_true(CloseHandle(waiting->gate.inside));
    assert_true(CloseHandle(waiting->gate.may_return));
    assert_true(CloseHandle(waiting->is_set));
    assert_true(CloseHandle(waiting->may_call));
    assert_true(CloseHandle(waiting->has_called));
    assert_true(waiting->sink.is_in_own_thread);
    modern_stream_finish(&waiting->gate);
    modern_stream_finish(&waiting->sink);
}

/* Complete on one thread, while the apartment's calls the same job. */
static void meet(struct waiting *waiting)
{
    HANDLE apartment = CreateThread(NULL, 0, apartment_main, waiting, 0, NULL);
    HANDLE completing;

    assert_non_null(apartment);
    wait_for(waiting->is_set);
    assert_ok(waiting->set);
    assert_ok(IBackgroundCopyJob_Resume(waiting->job));
    test_wait_state(waiting->job, BG_JOB_STATE_TRANSFERRED);
    completing = CreateThread(NULL, 0, complete_main, waiting, 0, NULL);
    assert_non_null(completing);
    wait_for(waiting->gate.inside);
    assert_true(SetEvent(waiting->may_call));
    /* Its stream comes next, whether it already waits or not. */
    assert_true(SetEvent(waiting->gate.may_return));
    join(completing);
    wait_for(waiting->has_called);
    /* The thread stays until its stream is let go. */
    if (FAILED(waiting->completed) && waiting->function != cancel)
        assert_ok(IBackgroundCopyJob_Cancel(waiting->job));
    join(apartment);
}

/* Broken: a call in the apartment that Complete on another thread writes to waits for Complete, and
   that for the call. */
static void test_waiting_for_complete_lets_its_writes_in(void **state)
{
    for (size_t i = 0; i < TEST_COUNT_OF(changes); i++)
    {
        struct waiting waiting;

        print_message("  %s\n", changes[i].name);
        init(&waiting, *state);
        waiting.function = changes[i].function;
        meet(&waiting);
        assert_ok(waiting.completed);
        assert_int_equal(1000, waiting.sink.length);
        /* It may have had its turn before the second file was written; the job is over now. */
        assert_hr(DO_E_INVALID_STATE, waiting.called);
        assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(waiting.job));
        finish(&waiting);
    }
}

/* Broken: a call that has waited for a Complete that failed is lost. */
static void test_waiting_for_complete_that_fails_then_has_its_turn(void **state)
{
    for (size_t i = 0; i < TEST_COUNT_OF(changes); i++)
    {
        struct waiting waiting;

        print_message("  %s\n", changes[i].name);
        init(&waiting, *state);
        waiting.function = changes[i].function;
        waiting.sink.result = STG_E_MEDIUMFULL;
        meet(&waiting);
        assert_hr(STG_E_MEDIUMFULL, waiting.completed);
        assert_hr(changes[i].later, waiting.called);
        finish(&waiting);
    }
}

/* All that a stream may think of. */
static void call_everything(struct modern_stream *stream)
{
    struct waiting *waiting = stream->ctx;

    for (size_t i = 0; i < TEST_COUNT_OF(changes); i++)
        waiting->changed[i] = changes[i].function(waiting->job, waiting->file);
    waiting->read = read_everything(waiting->job, waiting->file);
}

static void check_inside(const struct waiting *waiting)
{
    assert_ok(waiting->completed);
    assert_ok(waiting->read);
    for (size_t i = 0; i < TEST_COUNT_OF(changes); i++)
    {
        print_message("  %s\n", changes[i].name);
        assert_hr(DO_E_INVALID_STATE, waiting->changed[i]);
    }
    assert_int_equal(1000, waiting->sink.length);
}

/* Broken: a stream that calls its own job waits for the call that waits for it, or cannot read. */
static void test_waiting_inside_a_stream_is_refused(void **state)
{
    struct waiting waiting;
    IDeliveryOptimizationFile2 *file = NULL;

    /* In its apartment, for a Complete on another thread. */
    init(&waiting, *state);
    waiting.sink.hook = call_everything;
    waiting.pumps = true;
    meet(&waiting);
    check_inside(&waiting);
    finish(&waiting);

    /* On the thread of Complete. */
    init(&waiting, *state);
    waiting.sink.hook = call_everything;
    assert_ok(IBackgroundCopyFile3_QueryInterface(
        waiting.file, &IID_IDeliveryOptimizationFile2, (void **)&file));
    assert_ok(set_sink(file, &waiting.sink));
    IDeliveryOptimizationFile2_Release(file);
    assert_true(SetEvent(waiting.gate.may_return));
    assert_ok(IBackgroundCopyJob_Resume(waiting.job));
    test_wait_state(waiting.job, BG_JOB_STATE_TRANSFERRED);
    waiting.completed = IBackgroundCopyJob_Complete(waiting.job);
    check_inside(&waiting);
    finish(&waiting);
}

/* Downloads: SetProperty in the apartment whose stream is written to while others stop it. */

struct download
{
    IDODownload *download;
    struct modern_stream *stream;
    HRESULT hr;
    HANDLE is_set;
    HANDLE has_stopped;
    volatile LONG stops;
};

static DWORD WINAPI property_main(void *ctx)
{
    struct download *download = ctx;
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    download->stream->thread = GetCurrentThreadId();
    download->hr = modern_set_object(
        download->download, DODownloadProperty_StreamInterface, &download->stream->IStream_iface);
    (void)SetEvent(download->is_set);
    while (!download->stops && SUCCEEDED(download->hr) && GetTickCount64() < end)
    {
        pump(1);
        download->hr =
            modern_set_u32(download->download, DODownloadProperty_NoProgressTimeoutSeconds, 600);
    }
    (void)SetEvent(download->has_stopped);
    while (download->stream->references > 1 && GetTickCount64() < end)
        pump(TEST_POLL_MS);
    CoUninitialize();
    return 0;
}

/* Broken: SetProperty waits for a Pause that waits for the stream in SetProperty's apartment. */
static void test_waiting_set_property_lets_writes_in(void **state)
{
    struct modern_stream stream;
    struct download download = {.stream = &stream, .hr = E_PENDING};
    HANDLE thread;

    modern_stream_init(&stream);
    download.is_set = CreateEventW(NULL, TRUE, FALSE, NULL);
    download.has_stopped = CreateEventW(NULL, TRUE, FALSE, NULL);
    download.download = modern_create_of(*state, "size=64m&rate=40m", NULL);
    thread = CreateThread(NULL, 0, property_main, &download, 0, NULL);
    assert_non_null(thread);
    wait_for(download.is_set);
    for (unsigned int i = 0; i < 30; i++)
    {
        unsigned int before = stream.writes;
        ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

        assert_ok(IDODownload_Start(download.download, NULL));
        while (stream.writes == before && GetTickCount64() < end)
            Sleep(1);
        assert_true(stream.writes > before);
        assert_ok(IDODownload_Pause(download.download));
    }
    (void)InterlockedExchange(&download.stops, 1);
    wait_for(download.has_stopped);
    assert_ok(IDODownload_Abort(download.download));
    join(thread);
    assert_ok(download.hr);
    IDODownload_Release(download.download);
    assert_true(CloseHandle(download.is_set));
    assert_true(CloseHandle(download.has_stopped));
    modern_stream_finish(&stream);
}

/* Until a Pause has begun, which then waits for this write. */
static void set_until_refused(struct modern_stream *stream)
{
    struct download *download = stream->ctx;
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    DO_DOWNLOAD_STATUS status;

    if (stream->hook_hr != E_PENDING)
        return;
    do
    {
        stream->hook_hr =
            modern_set_u32(download->download, DODownloadProperty_NoProgressTimeoutSeconds, 600);
    } while (SUCCEEDED(stream->hook_hr) && GetTickCount64() < end);
    if (FAILED(IDODownload_GetStatus(download->download, &status)) ||
        status.State != DODownloadState_Transferring)
        stream->hook_hr = E_UNEXPECTED;
}

static DWORD WINAPI stream_main(void *ctx)
{
    struct download *download = ctx;
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    download->stream->thread = GetCurrentThreadId();
    download->hr = modern_set_object(
        download->download, DODownloadProperty_StreamInterface, &download->stream->IStream_iface);
    (void)SetEvent(download->is_set);
    while ((!download->stops || download->stream->references > 1) && GetTickCount64() < end)
        pump(TEST_POLL_MS);
    CoUninitialize();
    return 0;
}

static void wait_for_hook(const struct modern_stream *stream)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (stream->hook_hr == E_PENDING && GetTickCount64() < end)
        Sleep(1);
    assert_true(stream->hook_hr != E_PENDING);
}

/* Broken: SetProperty inside of Write waits for a Pause that waits for that Write. */
static void test_waiting_inside_a_downloads_stream_is_refused(void **state)
{
    struct modern_stream stream;
    struct download download = {.stream = &stream, .hr = E_PENDING};
    HANDLE thread;

    modern_stream_init(&stream);
    stream.hook = set_until_refused;
    stream.hook_hr = E_PENDING;
    stream.ctx = &download;
    download.is_set = CreateEventW(NULL, TRUE, FALSE, NULL);
    download.download = modern_create_of(*state, "size=4m", NULL);
    thread = CreateThread(NULL, 0, stream_main, &download, 0, NULL);
    assert_non_null(thread);
    wait_for(download.is_set);
    assert_ok(download.hr);
    assert_ok(IDODownload_Start(download.download, NULL));
    wait_for_hook(&stream);
    assert_ok(IDODownload_Pause(download.download));
    assert_hr(DO_E_INVALID_STATE, stream.hook_hr);
    (void)InterlockedExchange(&download.stops, 1);
    assert_ok(IDODownload_Abort(download.download));
    join(thread);
    IDODownload_Release(download.download);
    assert_true(CloseHandle(download.is_set));
    modern_stream_finish(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_waiting_for_complete_lets_its_writes_in),
        MODERN_TEST(test_waiting_for_complete_that_fails_then_has_its_turn),
        MODERN_TEST(test_waiting_inside_a_stream_is_refused),
        MODERN_TEST(test_waiting_set_property_lets_writes_in),
        MODERN_TEST(test_waiting_inside_a_downloads_stream_is_refused),
    };

    return COM_TEST_RUN(tests);
}
