/* SPDX-License-Identifier: MIT */
/*
 * See modern.h. What asserts is for the test's thread; callbacks and streams only record.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

/* Fixture */

static HRESULT end_downloads(void)
{
    IDOManager *manager = NULL;
    IEnumUnknown *downloads = NULL;
    IUnknown *item = NULL;
    HRESULT hr;

    if (FAILED(hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
                   &IID_IDOManager, (void **)&manager)))
        return hr;
    hr = IDOManager_EnumDownloads(manager, NULL, &downloads);
    while (hr == S_OK && IEnumUnknown_Next(downloads, 1, &item, NULL) == S_OK)
    {
        IDODownload *download = NULL;

        hr = IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download);
        IUnknown_Release(item);
        if (FAILED(hr))
            break;
        hr = IDODownload_Abort(download);
        if (hr == DO_E_INVALID_STATE)
            hr = S_OK;
        IDODownload_Release(download);
    }
    if (downloads)
        IEnumUnknown_Release(downloads);
    IDOManager_Release(manager);
    return hr == DO_E_NO_DOWNLOADS ? S_OK : hr;
}

int modern_setup(void **state)
{
    int result = test_setup(state);

    return result || FAILED(end_downloads()) ? -1 : 0;
}

int modern_teardown(void **state)
{
    HRESULT hr = end_downloads();

    if (FAILED(hr))
        print_error("downloads cannot be ended: 0x%08lx\n", (unsigned long)hr);
    return test_teardown(state) || FAILED(hr) ? -1 : 0;
}

/* Downloads */

const DO_DOWNLOAD_RANGES_INFO *modern_info(const struct modern_ranges *ranges)
{
    return (const DO_DOWNLOAD_RANGES_INFO *)(const void *)ranges;
}

IDOManager *modern_manager(void)
{
    IDOManager *manager = NULL;

    assert_ok(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
        &IID_IDOManager, (void **)&manager));
    assert_non_null(manager);
    return manager;
}

IDODownload *modern_create(void)
{
    IDOManager *manager = modern_manager();
    IDODownload *download = TEST_POISON;

    assert_ok(IDOManager_CreateDownload(manager, &download));
    IDOManager_Release(manager);
    return download;
}

IDODownload *modern_create_of(struct com_test *test, const char *query, const WCHAR *name)
{
    IDODownload *download = modern_create();

    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, query)));
    if (name)
        assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, name)));
    return download;
}

/* Properties */

HRESULT modern_set(IDODownload *download, DODownloadProperty id, VARIANT value)
{
    return IDODownload_SetProperty(download, id, &value);
}

HRESULT modern_set_text(IDODownload *download, DODownloadProperty id, const WCHAR *text)
{
    VARIANT value = {.vt = VT_BSTR};
    HRESULT hr;

    value.bstrVal = SysAllocString(text);
    assert_non_null(value.bstrVal);
    hr = IDODownload_SetProperty(download, id, &value);
    /* What was given is the client's again. */
    memset(value.bstrVal, 0xCC, SysStringByteLen(value.bstrVal));
    SysFreeString(value.bstrVal);
    return hr;
}

HRESULT modern_set_bool(IDODownload *download, DODownloadProperty id, bool value)
{
    VARIANT variant = {.vt = VT_BOOL};

    variant.boolVal = value ? VARIANT_TRUE : VARIANT_FALSE;
    return modern_set(download, id, variant);
}

HRESULT modern_set_u32(IDODownload *download, DODownloadProperty id, ULONG value)
{
    VARIANT variant = {.vt = VT_UI4};

    variant.ulVal = value;
    return modern_set(download, id, variant);
}

HRESULT modern_set_object(IDODownload *download, DODownloadProperty id, void *object)
{
    VARIANT variant = {.vt = VT_UNKNOWN};

    variant.punkVal = object;
    return modern_set(download, id, variant);
}

void modern_expect_text(IDODownload *download, DODownloadProperty id, const WCHAR *text)
{
    VARIANT variant;

    memset(&variant, 0xCC, sizeof(variant));
    assert_ok(IDODownload_GetProperty(download, id, &variant));
    assert_int_equal(VT_BSTR, variant.vt);
    if (wcscmp(text, variant.bstrVal))
    {
        print_error("property %d is \"%ls\", not \"%ls\"\n", (int)id, variant.bstrVal, text);
        fail();
    }
    (void)VariantClear(&variant);
}

void modern_expect_failure(IDODownload *download, DODownloadProperty id, HRESULT hr)
{
    VARIANT variant;

    memset(&variant, 0xCC, sizeof(variant));
    assert_hr(hr, IDODownload_GetProperty(download, id, &variant));
    assert_int_equal(VT_EMPTY, variant.vt);
}

/* States */

DO_DOWNLOAD_STATUS modern_status(IDODownload *download)
{
    DO_DOWNLOAD_STATUS status;

    memset(&status, 0xCC, sizeof(status));
    assert_ok(IDODownload_GetStatus(download, &status));
    return status;
}

static void fail_status(DO_DOWNLOAD_STATUS status, DODownloadState wanted)
{
    print_error("state is %d, not %d; %llu of %llu bytes, error 0x%08lx\n", (int)status.State,
        (int)wanted, (unsigned long long)status.BytesTransferred,
        (unsigned long long)status.BytesTotal, (unsigned long)status.Error);
    fail();
}

void modern_wait(IDODownload *download, DODownloadState wanted)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    DO_DOWNLOAD_STATUS status;

    while ((status = modern_status(download)).State != wanted)
    {
        if (status.State != DODownloadState_Transferring || GetTickCount64() >= end)
            fail_status(status, wanted);
        Sleep(TEST_POLL_MS);
    }
}

void modern_wait_bytes(IDODownload *download, UINT64 bytes)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    DO_DOWNLOAD_STATUS status;

    while ((status = modern_status(download)).BytesTransferred < bytes)
    {
        if (status.State != DODownloadState_Transferring || GetTickCount64() >= end)
            fail_status(status, DODownloadState_Transferring);
        Sleep(TEST_POLL_MS);
    }
}

void modern_wait_error(IDODownload *download, HRESULT error)
{
    modern_wait(download, DODownloadState_Paused);
    assert_hr(error, modern_status(download).Error);
}

void modern_abort(IDODownload *download)
{
    assert_ok(IDODownload_Abort(download));
    IDODownload_Release(download);
}

/* Callback */

static struct modern_callback *from_callback(IDODownloadStatusCallback *iface)
{
    return CONTAINING_RECORD(iface, struct modern_callback, IDODownloadStatusCallback_iface);
}

static HRESULT STDMETHODCALLTYPE callback_QueryInterface(
    IDODownloadStatusCallback *iface, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IDODownloadStatusCallback))
        return E_NOINTERFACE;
    *out = iface;
    IDODownloadStatusCallback_AddRef(iface);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE callback_AddRef(IDODownloadStatusCallback *iface)
{
    return (ULONG)InterlockedIncrement(&from_callback(iface)->references);
}

static ULONG STDMETHODCALLTYPE callback_Release(IDODownloadStatusCallback *iface)
{
    return (ULONG)InterlockedDecrement(&from_callback(iface)->references);
}

static HRESULT STDMETHODCALLTYPE callback_OnStatusChange(
    IDODownloadStatusCallback *iface, IDODownload *download, const DO_DOWNLOAD_STATUS *status)
{
    struct modern_callback *callback = from_callback(iface);
    struct modern_call call = {.status = *status, .thread = GetCurrentThreadId()};
    HRESULT result;

    call.overlapped = InterlockedIncrement(&callback->running) != 1;
    if (SUCCEEDED(IDODownload_QueryInterface(download, &IID_IUnknown, (void **)&call.identity)))
        IUnknown_Release(call.identity);
    /* Clients declare it writable. */
    memset((void *)(uintptr_t)status, 0xCC, sizeof(*status));
    EnterCriticalSection(&callback->lock);
    if (callback->count < MODERN_CALLS)
        callback->calls[callback->count] = call;
    callback->count++;
    result = callback->result;
    LeaveCriticalSection(&callback->lock);
    if (callback->hook)
        callback->hook(callback, download, &call.status);
    (void)InterlockedDecrement(&callback->running);
    (void)SetEvent(callback->called);
    return result;
}

static const IDODownloadStatusCallbackVtbl callback_vtbl = {
    .QueryInterface = callback_QueryInterface,
    .AddRef = callback_AddRef,
    .Release = callback_Release,
    .OnStatusChange = callback_OnStatusChange,
};

void modern_callback_init(struct modern_callback *callback)
{
    memset(callback, 0, sizeof(*callback));
    callback->IDODownloadStatusCallback_iface.lpVtbl = &callback_vtbl;
    callback->references = 1;
    callback->called = CreateEventW(NULL, FALSE, FALSE, NULL);
    assert_non_null(callback->called);
    InitializeCriticalSection(&callback->lock);
}

/* Whatever holds a reference gives it back in its own time. */
static void wait_alone(const volatile LONG *references)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (*references > 1 && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
    assert_int_equal(1, *references);
}

void modern_callback_finish(struct modern_callback *callback)
{
    wait_alone(&callback->references);
    for (unsigned int i = 0; i < callback->count && i < MODERN_CALLS; i++)
        assert_true(callback->is_shared || !callback->calls[i].overlapped);
    DeleteCriticalSection(&callback->lock);
    assert_true(CloseHandle(callback->called));
}

static bool find_state(struct modern_callback *callback, unsigned int *index, DODownloadState state)
{
    bool found = false;

    EnterCriticalSection(&callback->lock);
    while (!found && *index < callback->count && *index < MODERN_CALLS)
    {
        found = callback->calls[*index].status.State == state;
        if (!found)
            ++*index;
    }
    LeaveCriticalSection(&callback->lock);
    return found;
}

unsigned int modern_callback_wait(
    struct modern_callback *callback, unsigned int from, DODownloadState state)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (!find_state(callback, &from, state))
    {
        if (GetTickCount64() >= end)
        {
            print_error("no callback with state %d, %u calls\n", (int)state, callback->count);
            fail();
        }
        (void)WaitForSingleObject(callback->called, TEST_POLL_MS);
    }
    return from;
}

unsigned int modern_callback_count(struct modern_callback *callback)
{
    unsigned int count;

    EnterCriticalSection(&callback->lock);
    count = callback->count;
    LeaveCriticalSection(&callback->lock);
    return count;
}

/* Stream */

static struct modern_stream *from_stream(IStream *iface)
{
    return CONTAINING_RECORD(iface, struct modern_stream, IStream_iface);
}

static HRESULT STDMETHODCALLTYPE stream_QueryInterface(IStream *iface, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_ISequentialStream) &&
        !(from_stream(iface)->answers_stream && IsEqualIID(iid, &IID_IStream)))
        return E_NOINTERFACE;
    *out = iface;
    IStream_AddRef(iface);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE stream_AddRef(IStream *iface)
{
    return (ULONG)InterlockedIncrement(&from_stream(iface)->references);
}

static ULONG STDMETHODCALLTYPE stream_Release(IStream *iface)
{
    return (ULONG)InterlockedDecrement(&from_stream(iface)->references);
}

static HRESULT append(struct modern_stream *stream, const void *data, ULONG length)
{
    HRESULT hr;

    EnterCriticalSection(&stream->lock);
    stream->writes++;
    hr = stream->result;
    if (SUCCEEDED(hr) && stream->length + length > stream->capacity)
    {
        size_t capacity = (stream->length + length) * 2;
        BYTE *grown = realloc(stream->data, capacity);

        if (grown)
        {
            stream->data = grown;
            stream->capacity = capacity;
        }
        else
            hr = E_OUTOFMEMORY;
    }
    if (SUCCEEDED(hr))
    {
        memcpy(stream->data + stream->length, data, length);
        stream->length += length;
    }
    LeaveCriticalSection(&stream->lock);
    return hr;
}

static HRESULT STDMETHODCALLTYPE stream_Write(
    IStream *iface, const void *data, ULONG length, ULONG *written)
{
    struct modern_stream *stream = from_stream(iface);

    if (stream->thread && stream->thread != GetCurrentThreadId())
        stream->is_in_own_thread = false;
    if (stream->hook)
        stream->hook(stream);
    if (stream->delay_ms)
        Sleep(stream->delay_ms);
    if (stream->inside && stream->may_return)
    {
        (void)SetEvent(stream->inside);
        (void)WaitForSingleObject(stream->may_return, TEST_PATIENCE_MS);
    }
    if (stream->writes_count)
    {
        UINT64 count = length;

        memcpy(written, &count, sizeof(count));
    }
    return append(stream, data, length);
}

static HRESULT other(IStream *iface)
{
    (void)InterlockedIncrement((LONG *)&from_stream(iface)->others);
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE stream_Read(
    IStream *iface, void *data, ULONG length, ULONG *read_count)
{
    (void)data;
    (void)length;
    (void)read_count;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_Seek(
    IStream *iface, LARGE_INTEGER move, DWORD origin, ULARGE_INTEGER *position)
{
    (void)move;
    (void)origin;
    (void)position;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_SetSize(IStream *iface, ULARGE_INTEGER size)
{
    (void)size;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_CopyTo(
    IStream *iface, IStream *to, ULARGE_INTEGER length, ULARGE_INTEGER *in, ULARGE_INTEGER *out)
{
    (void)to;
    (void)length;
    (void)in;
    (void)out;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_Commit(IStream *iface, DWORD flags)
{
    (void)flags;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_Revert(IStream *iface)
{
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_LockRegion(
    IStream *iface, ULARGE_INTEGER offset, ULARGE_INTEGER length, DWORD type)
{
    (void)offset;
    (void)length;
    (void)type;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_Stat(IStream *iface, STATSTG *stat, DWORD flags)
{
    (void)stat;
    (void)flags;
    return other(iface);
}

static HRESULT STDMETHODCALLTYPE stream_Clone(IStream *iface, IStream **out)
{
    (void)out;
    return other(iface);
}

static const IStreamVtbl stream_vtbl = {
    .QueryInterface = stream_QueryInterface,
    .AddRef = stream_AddRef,
    .Release = stream_Release,
    .Read = stream_Read,
    .Write = stream_Write,
    .Seek = stream_Seek,
    .SetSize = stream_SetSize,
    .CopyTo = stream_CopyTo,
    .Commit = stream_Commit,
    .Revert = stream_Revert,
    .LockRegion = stream_LockRegion,
    .UnlockRegion = stream_LockRegion,
    .Stat = stream_Stat,
    .Clone = stream_Clone,
};

void modern_stream_init(struct modern_stream *stream)
{
    memset(stream, 0, sizeof(*stream));
    stream->IStream_iface.lpVtbl = &stream_vtbl;
    stream->references = 1;
    stream->answers_stream = true;
    stream->is_in_own_thread = true;
    InitializeCriticalSection(&stream->lock);
}

void modern_stream_finish(struct modern_stream *stream)
{
    wait_alone(&stream->references);
    DeleteCriticalSection(&stream->lock);
    free(stream->data);
}

void modern_stream_save(struct modern_stream *stream, const WCHAR *path)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD count = 0;

    assert_true(file != INVALID_HANDLE_VALUE);
    EnterCriticalSection(&stream->lock);
    (void)WriteFile(file, stream->data, (DWORD)stream->length, &count, NULL);
    LeaveCriticalSection(&stream->lock);
    assert_true(CloseHandle(file));
    assert_int_equal(stream->length, count);
}
