/* SPDX-License-Identifier: MIT */
/*
 * Sinks that are streams. The stream is the test's own: it keeps the bytes, counts what is called,
 * and fails where it is told to. It lives on the test's stack, is called by Complete on the thread
 * that calls it, and asserts nothing itself; its count of references shows who still holds it.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define ROOM (4U << 20)
#define LARGEST_WRITE (1U << 20)
#define NEVER UINT64_MAX

enum count_mode
{
    COUNT_GIVEN,
    COUNT_NONE, /* pcbWritten is not touched */
    COUNT_EIGHT /* 64 bits are written through it, as by .NET */
};

struct sink
{
    IStream IStream_iface;
    LONG references;
    bool is_agile;

    /* How it behaves. */
    uint64_t fail_at; /* the Write that would take this byte fails */
    HRESULT write_result;
    HRESULT seek_result;
    HRESULT size_result;
    HRESULT commit_result;
    enum count_mode count_mode;
    IBackgroundCopyJob *job; /* asked for its state in Write; borrowed */
    HANDLE entered;          /* set in Write, which then waits for leave */
    HANDLE leave;

    /* What it saw. */
    BYTE *data;
    uint64_t size;
    uint64_t position;
    unsigned int calls; /* of all but IUnknown's */
    unsigned int seeks, set_sizes, writes, commits, others;
    unsigned int out_of_order;
    DWORD thread_id;
    bool is_committed;
    BG_JOB_STATE state_seen;
};

static struct sink *sink_of(IStream *iface)
{
    return CONTAINING_RECORD(iface, struct sink, IStream_iface);
}

static HRESULT STDMETHODCALLTYPE sink_QueryInterface(IStream *iface, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_ISequentialStream) &&
        !IsEqualIID(iid, &IID_IStream) &&
        !(sink_of(iface)->is_agile && IsEqualIID(iid, &IID_IAgileObject)))
        return E_NOINTERFACE;
    *out = iface;
    IStream_AddRef(iface);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE sink_AddRef(IStream *iface)
{
    return (ULONG)InterlockedIncrement(&sink_of(iface)->references);
}

static ULONG STDMETHODCALLTYPE sink_Release(IStream *iface)
{
    return (ULONG)InterlockedDecrement(&sink_of(iface)->references);
}

static struct sink *enter(IStream *iface)
{
    struct sink *sink = sink_of(iface);

    sink->calls++;
    sink->thread_id = GetCurrentThreadId();
    return sink;
}

static HRESULT STDMETHODCALLTYPE sink_Read(IStream *iface, void *data, ULONG size, ULONG *count)
{
    (void)data, (void)size, (void)count;
    enter(iface)->others++;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE sink_Write(
    IStream *iface, const void *data, ULONG size, ULONG *count)
{
    struct sink *sink = enter(iface);

    sink->writes++;
    if (size > LARGEST_WRITE || sink->commits)
        sink->out_of_order++;
    if (sink->job && FAILED(IBackgroundCopyJob_GetState(sink->job, &sink->state_seen)))
        sink->out_of_order++;
    if (sink->entered)
    {
        (void)SetEvent(sink->entered);
        (void)WaitForSingleObject(sink->leave, TEST_PATIENCE_MS);
    }
    if (sink->position + size > sink->fail_at || sink->position + size > ROOM)
        return sink->write_result;
    memcpy(sink->data + sink->position, data, size);
    sink->position += size;
    if (sink->size < sink->position)
        sink->size = sink->position;
    if (count && sink->count_mode == COUNT_GIVEN)
        *count = size;
    else if (count && sink->count_mode == COUNT_EIGHT)
    {
        uint64_t wide = size | 0x5A5A5A5A00000000U;

        memcpy(count, &wide, sizeof(wide));
    }
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE sink_Seek(
    IStream *iface, LARGE_INTEGER move, DWORD origin, ULARGE_INTEGER *position)
{
    struct sink *sink = enter(iface);

    sink->seeks++;
    sink->commits = 0;
    if (FAILED(sink->seek_result))
        return sink->seek_result;
    if (origin != STREAM_SEEK_SET || move.QuadPart)
        sink->out_of_order++;
    sink->position = 0;
    if (position)
        position->QuadPart = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE sink_SetSize(IStream *iface, ULARGE_INTEGER size)
{
    struct sink *sink = enter(iface);

    sink->set_sizes++;
    if (FAILED(sink->size_result))
        return sink->size_result;
    if (size.QuadPart)
        sink->out_of_order++;
    sink->size = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE sink_CopyTo(IStream *iface, IStream *target, ULARGE_INTEGER size,
    ULARGE_INTEGER *read, ULARGE_INTEGER *written)
{
    (void)target, (void)size, (void)read, (void)written;
    enter(iface)->others++;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE sink_Commit(IStream *iface, DWORD flags)
{
    struct sink *sink = enter(iface);

    (void)flags;
    sink->commits++;
    if (FAILED(sink->commit_result))
        return sink->commit_result;
    sink->is_committed = true;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE sink_Revert(IStream *iface)
{
    enter(iface)->others++;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE sink_LockRegion(
    IStream *iface, ULARGE_INTEGER offset, ULARGE_INTEGER size, DWORD type)
{
    (void)offset, (void)size, (void)type;
    enter(iface)->others++;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE sink_Stat(IStream *iface, STATSTG *stat, DWORD flags)
{
    (void)stat, (void)flags;
    enter(iface)->others++;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE sink_Clone(IStream *iface, IStream **clone)
{
    *clone = NULL;
    enter(iface)->others++;
    return E_NOTIMPL;
}

static const IStreamVtbl sink_vtbl = {
    .QueryInterface = sink_QueryInterface,
    .AddRef = sink_AddRef,
    .Release = sink_Release,
    .Read = sink_Read,
    .Write = sink_Write,
    .Seek = sink_Seek,
    .SetSize = sink_SetSize,
    .CopyTo = sink_CopyTo,
    .Commit = sink_Commit,
    .Revert = sink_Revert,
    .LockRegion = sink_LockRegion,
    .UnlockRegion = sink_LockRegion,
    .Stat = sink_Stat,
    .Clone = sink_Clone,
};

static void sink_init(struct sink *sink)
{
    memset(sink, 0, sizeof(*sink));
    sink->IStream_iface.lpVtbl = (IStreamVtbl *)(uintptr_t)&sink_vtbl;
    sink->references = 1;
    sink->is_agile = true;
    sink->fail_at = NEVER;
    sink->write_result = E_FAIL;
    sink->data = malloc(ROOM);
    assert_non_null(sink->data);
}

/* Nobody holds it any more. */
static void sink_finish(struct sink *sink)
{
    free(sink->data);
    assert_int_equal(1, sink->references);
    assert_int_equal(0, sink->others);
    assert_int_equal(0, sink->out_of_order);
}

static IUnknown *unknown_of(struct sink *sink)
{
    return (IUnknown *)&sink->IStream_iface;
}

static uint64_t mix(uint64_t x)
{
    uint64_t z = x + 0x9E3779B97F4A7C15U;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* The bytes [at, at + length) of the sink are those of the server's object from offset on. */
static void sink_expect(
    const struct sink *sink, uint64_t at, uint64_t length, uint64_t seed, uint64_t offset)
{
    assert_true(at + length <= sink->size);
    for (uint64_t i = 0; i < length; i++)
    {
        uint64_t index = (offset + i) / 8;
        uint64_t word = mix(seed + index % 8192) ^ (index / 8192 * 0x9E3779B97F4A7C15U);

        if (sink->data[at + i] == (BYTE)(word >> ((offset + i) % 8 * 8)))
            continue;
        fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
    }
}

static void sink_expect_object(const struct sink *sink, uint64_t size, uint64_t seed)
{
    assert_int_equal(size, sink->size);
    sink_expect(sink, 0, size, seed, 0);
    assert_true(sink->is_committed);
}

/* Jobs with sinks */

static IDeliveryOptimizationFile2 *add_file(struct com_test *test, IBackgroundCopyJob *job,
    const char *query, DWORD count, BG_FILE_RANGE *ranges)
{
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = TEST_POISON;

    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(IDeliveryOptimizationJob2_AddFile(job2, L"content", test_url(test, query), count,
        ranges, &IID_IDeliveryOptimizationFile2, (void **)&file));
    IDeliveryOptimizationJob2_Release(job2);
    return file;
}

static HRESULT set_sink(IDeliveryOptimizationFile2 *file, IUnknown *object)
{
    VARIANT variant;

    V_VT(&variant) = VT_UNKNOWN;
    V_UNKNOWN(&variant) = object;
    return IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_DownloadSinkInterface, &variant);
}

static void add_sink(
    struct com_test *test, IBackgroundCopyJob *job, const char *query, struct sink *sink)
{
    IDeliveryOptimizationFile2 *file = add_file(test, job, query, 0, NULL);

    assert_ok(set_sink(file, unknown_of(sink)));
    IDeliveryOptimizationFile2_Release(file);
}

/* A job of one such file that is through with its transfer. */
static IBackgroundCopyJob *create_transferred(
    struct com_test *test, const char *query, struct sink *sink)
{
    IBackgroundCopyJob *job = test_create_job(test);

    add_sink(test, job, query, sink);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    return job;
}

static WCHAR *temp_name(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyFile *file = test_file(job, index);
    IBackgroundCopyFile3 *file3 = NULL;
    WCHAR *name = TEST_POISON;

    assert_ok(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile3, (void **)&file3));
    assert_ok(IBackgroundCopyFile3_GetTemporaryName(file3, &name));
    IBackgroundCopyFile3_Release(file3);
    IBackgroundCopyFile_Release(file);
    return name;
}

/* Broken: a stream gets other bytes than a file would, too early, or not as one would write it. */
static void test_streams_get_the_whole_object_with_complete(void **state)
{
    static const struct
    {
        const char *query;
        UINT64 size;
        unsigned int writes;
    } rows[] = {{"size=0", 0, 0}, {"size=1", 1, 1}, {"size=1048576", 1 << 20, 1},
        {"size=3000000&seed=7", 3000000, 3}, {"size=100k&chunked=1", 100 << 10, 1}};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job;
        struct sink sink;
        WCHAR *name;

        print_message("  %s\n", rows[i].query);
        sink_init(&sink);
        job = create_transferred(test, rows[i].query, &sink);
        assert_int_equal(0, sink.calls);
        assert_false(test_file_progress(job, 0).Completed);
        sink.job = job;
        sink.state_seen = BG_JOB_STATE_TRANSFERRED;
        name = temp_name(job, 0);
        assert_int_not_equal(INVALID_FILE_ATTRIBUTES, GetFileAttributesW(name));
        assert_ok(IBackgroundCopyJob_Complete(job));
        sink_expect_object(&sink, rows[i].size, i == 3 ? 7 : 1);
        assert_int_equal(1, sink.seeks);
        assert_int_equal(1, sink.set_sizes);
        assert_int_equal(rows[i].writes, sink.writes);
        assert_int_equal(1, sink.commits);
        assert_int_equal(BG_JOB_STATE_TRANSFERRED, sink.state_seen);
        assert_int_equal(GetCurrentThreadId(), sink.thread_id);
        assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(job));
        assert_true(test_file_progress(job, 0).Completed);
        assert_int_equal(INVALID_FILE_ATTRIBUTES, GetFileAttributesW(name));
        CoTaskMemFree(name);
        IBackgroundCopyJob_Release(job);
        sink_finish(&sink);
    }
}

/* Broken: Office's pieces come sorted, or with holes between them. */
static void test_streams_get_ranges_in_the_order_given(void **state)
{
    BG_FILE_RANGE ranges[] = {{2000000, 1499990}, {12, 5}, {3499990, BG_LENGTH_TO_EOF}, {2, 4}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file;
    struct sink sink;

    sink_init(&sink);
    file = add_file(test, job, "size=3500000", TEST_COUNT_OF(ranges), ranges);
    assert_ok(set_sink(file, unknown_of(&sink)));
    IDeliveryOptimizationFile2_Release(file);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_int_equal(0, sink.calls);
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_int_equal(1499990 + 5 + 10 + 4, sink.size);
    sink_expect(&sink, 0, 1499990, 1, 2000000);
    sink_expect(&sink, 1499990, 5, 1, 12);
    sink_expect(&sink, 1499995, 10, 1, 3499990);
    sink_expect(&sink, 1500005, 4, 1, 2);
    assert_true(sink.is_committed);
    IBackgroundCopyJob_Release(job);
    sink_finish(&sink);
}

/* Broken: a stream that can do no more than Write cannot be used. */
static void test_streams_need_no_more_than_write(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    struct sink sink;

    sink_init(&sink);
    sink.seek_result = E_NOTIMPL;
    sink.size_result = E_NOTIMPL;
    sink.commit_result = E_NOTIMPL;
    job = create_transferred(test, "size=2000000", &sink);
    assert_ok(IBackgroundCopyJob_Complete(job));
    sink.is_committed = true;
    sink_expect_object(&sink, 2000000, 1);
    IBackgroundCopyJob_Release(job);
    sink_finish(&sink);
}

/* Broken: a stream that does not count, or counts in 64 bits, costs the download or the stack. */
static void test_streams_count_as_they_like(void **state)
{
    static const enum count_mode modes[] = {COUNT_NONE, COUNT_EIGHT};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(modes); i++)
    {
        IBackgroundCopyJob *job;
        struct sink sink;

        sink_init(&sink);
        sink.count_mode = modes[i];
        job = create_transferred(test, "size=3000000", &sink);
        assert_ok(IBackgroundCopyJob_Complete(job));
        sink_expect_object(&sink, 3000000, 1);
        IBackgroundCopyJob_Release(job);
        sink_finish(&sink);
    }
}

/* Complete fails with the sink's code, and the job is as before. */
static void check_failed_complete(IBackgroundCopyJob *job, HRESULT expected)
{
    IBackgroundCopyError *error = NULL;
    IBackgroundCopyFile *file = NULL;
    BG_ERROR_CONTEXT context;

    assert_hr(expected, IBackgroundCopyJob_Complete(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
    assert_hr(expected, test_error(job, &context));
    assert_int_equal(BG_ERROR_CONTEXT_LOCAL_FILE, context);
    assert_ok(IBackgroundCopyJob_GetError(job, &error));
    assert_ok(IBackgroundCopyError_GetFile(error, &file));
    IBackgroundCopyFile_Release(file);
    IBackgroundCopyError_Release(error);
    assert_false(test_file_progress(job, 0).Completed);
}

/* Broken: a stream that fails costs the download, its code is lost, or the next try goes on where
   the last one failed. */
static void test_streams_that_fail_can_be_completed_later(void **state)
{
    static const struct
    {
        const char *name;
        uint64_t fail_at;
        HRESULT write, seek, size, commit;
        HRESULT expected;
    } rows[] = {
        {"Write at once", 1, STG_E_MEDIUMFULL, S_OK, S_OK, S_OK, STG_E_MEDIUMFULL},
        {"Write at 1500000", 1500000, E_FAIL, S_OK, S_OK, S_OK, E_FAIL},
        {"Write at the end", 2000000 - 1, STG_E_ACCESSDENIED, S_OK, S_OK, S_OK, STG_E_ACCESSDENIED},
        {"Write not implemented", 1500000, E_NOTIMPL, S_OK, S_OK, S_OK, E_NOTIMPL},
        {"Seek", NEVER, E_FAIL, STG_E_INVALIDFUNCTION, S_OK, S_OK, STG_E_INVALIDFUNCTION},
        {"SetSize", NEVER, E_FAIL, S_OK, E_OUTOFMEMORY, S_OK, E_OUTOFMEMORY},
        {"Commit", NEVER, E_FAIL, S_OK, S_OK, STG_E_NOTCURRENT, STG_E_NOTCURRENT},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job;
        struct sink sink;

        print_message("  %s\n", rows[i].name);
        sink_init(&sink);
        sink.fail_at = rows[i].fail_at;
        sink.write_result = rows[i].write;
        sink.seek_result = rows[i].seek;
        sink.size_result = rows[i].size;
        sink.commit_result = rows[i].commit;
        job = create_transferred(test, "size=2000000", &sink);
        check_failed_complete(job, rows[i].expected);
        assert_false(sink.is_committed);
        check_failed_complete(job, rows[i].expected);
        sink.fail_at = NEVER;
        sink.seek_result = sink.size_result = sink.commit_result = S_OK;
        assert_ok(IBackgroundCopyJob_Complete(job));
        assert_int_equal(3, sink.seeks);
        sink_expect_object(&sink, 2000000, 1);
        IBackgroundCopyJob_Release(job);
        sink_finish(&sink);
    }
}

/* Broken: a success code that is not S_OK passes for a failure. */
static void test_streams_hresult_decides(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    struct sink sink;

    sink_init(&sink);
    sink.fail_at = 1;
    sink.write_result = S_FALSE;
    job = create_transferred(test, "size=1000", &sink);
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_int_equal(1, sink.writes);
    assert_true(sink.is_committed);
    IBackgroundCopyJob_Release(job);
    sink_finish(&sink);
}

/* Broken: a stream that has its bytes gets them a second time when another one failed. */
static void test_streams_are_written_once_when_complete_is_repeated(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BG_ERROR_CONTEXT context;
    struct sink first, second;
    unsigned int calls;

    sink_init(&first);
    sink_init(&second);
    add_sink(test, job, "size=100k&seed=3", &first);
    add_sink(test, job, "size=200k&seed=4", &second);
    test_add(test, job, "size=300k&seed=5", L"a");
    second.fail_at = 1;
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    assert_hr(E_FAIL, IBackgroundCopyJob_Complete(job));
    assert_hr(E_FAIL, test_error(job, &context));
    sink_expect_object(&first, 100 << 10, 3);
    assert_true(test_file_progress(job, 0).Completed);
    assert_false(test_file_progress(job, 1).Completed);
    assert_false(test_file_progress(job, 2).Completed);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    calls = first.calls;
    second.fail_at = NEVER;
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_int_equal(calls, first.calls);
    sink_expect_object(&second, 200 << 10, 4);
    test_expect_object(test->local, 300 << 10, 5);
    assert_true(test_file_progress(job, 1).Completed);
    assert_true(test_file_progress(job, 2).Completed);
    IBackgroundCopyJob_Release(job);
    sink_finish(&first);
    sink_finish(&second);
}

/* Broken: Complete during the transfer writes half a file into a stream. */
static void test_streams_of_a_partial_complete(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    struct sink first, second;
    WCHAR *name;

    sink_init(&first);
    sink_init(&second);
    add_sink(test, job, "size=100k", &first);
    add_sink(test, job, "size=100k&stall=50k", &second);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_files(job, 1);
    test_wait_bytes(job, (100 << 10) + 1);
    name = temp_name(job, 1);
    assert_int_not_equal(INVALID_FILE_ATTRIBUTES, GetFileAttributesW(name));
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    sink_expect_object(&first, 100 << 10, 1);
    assert_int_equal(0, second.calls);
    assert_int_equal(INVALID_FILE_ATTRIBUTES, GetFileAttributesW(name));
    CoTaskMemFree(name);
    IBackgroundCopyJob_Release(job);
    sink_finish(&first);
    sink_finish(&second);
}

/* Broken: bytes whose sink was taken away are thrown away, and Complete says that all is well. */
static void test_streams_taken_away_fail_complete(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_file(test, job, "size=100k", 0, NULL);
    struct sink sink;

    sink_init(&sink);
    assert_ok(set_sink(file, unknown_of(&sink)));
    add_sink(test, job, "size=100k&stall=50k", &sink);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_files(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_ok(set_sink(file, NULL));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Complete(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_int_equal(0, sink.calls);
    assert_ok(set_sink(file, unknown_of(&sink)));
    assert_hr(TEST_S_PARTIAL_COMPLETE, IBackgroundCopyJob_Complete(job));
    sink_expect_object(&sink, 100 << 10, 1);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
    sink_finish(&sink);
}

/* References */

/* Broken: streams are never let go, which keeps a client's files open for ever. */
static void test_streams_are_released_when_replaced_or_cleared(void **state)
{
    static const bool agile[] = {true, false};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(agile); i++)
    {
        IBackgroundCopyJob *job = test_create_job(test);
        IDeliveryOptimizationFile2 *file = add_file(test, job, "size=1", 0, NULL);
        struct sink first, second;
        VARIANT variant;

        sink_init(&first);
        sink_init(&second);
        first.is_agile = second.is_agile = agile[i];
        assert_ok(set_sink(file, unknown_of(&first)));
        assert_true(first.references > 1);
        assert_ok(IDeliveryOptimizationFile2_GetProperty(
            file, DOFilePropertyId_DownloadSinkInterface, &variant));
        assert_ptr_equal(unknown_of(&first), V_UNKNOWN(&variant));
        assert_ok(VariantClear(&variant));
        assert_ok(set_sink(file, unknown_of(&second)));
        assert_int_equal(1, first.references);
        assert_true(second.references > 1);
        V_VT(&variant) = VT_EMPTY;
        assert_ok(IDeliveryOptimizationFile2_SetProperty(
            file, DOFilePropertyId_DownloadSinkInterface, &variant));
        assert_int_equal(1, second.references);
        assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
        IDeliveryOptimizationFile2_Release(file);
        IBackgroundCopyJob_Release(job);
        sink_finish(&first);
        sink_finish(&second);
    }
}

/* Broken: a stream is held as long as somebody holds the job that is over; one that holds the job
   itself is then never freed. */
static void test_streams_are_released_with_the_end_of_the_job(void **state)
{
    static const bool agile[] = {true, false};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(agile); i++)
    {
        IBackgroundCopyJob *job = test_create_job(test);
        struct sink sink;

        /* Cancel: suspended, running, transferred. */
        sink_init(&sink);
        sink.is_agile = agile[i];
        add_sink(test, job, "size=1", &sink);
        assert_ok(IBackgroundCopyJob_Cancel(job));
        assert_int_equal(1, sink.references);
        IBackgroundCopyJob_Release(job);

        job = test_create_job(test);
        add_sink(test, job, "size=100k&stall=50k", &sink);
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_bytes(job, 1);
        assert_ok(IBackgroundCopyJob_Cancel(job));
        assert_int_equal(1, sink.references);
        assert_int_equal(0, sink.calls);
        IBackgroundCopyJob_Release(job);

        job = create_transferred(test, "size=1000", &sink);
        assert_ok(IBackgroundCopyJob_Cancel(job));
        assert_int_equal(1, sink.references);
        assert_int_equal(0, sink.calls);
        IBackgroundCopyJob_Release(job);

        job = create_transferred(test, "size=1000", &sink);
        assert_ok(IBackgroundCopyJob_Complete(job));
        assert_int_equal(1, sink.references);
        sink_expect_object(&sink, 1000, 1);
        IBackgroundCopyJob_Release(job);
        sink_finish(&sink);
    }
}

static HRESULT STDMETHODCALLTYPE plain_QueryInterface(IStream *iface, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_ISequentialStream))
        return E_NOINTERFACE;
    *out = iface;
    IStream_AddRef(iface);
    return S_OK;
}

/* Broken: what is no IStream is called as one. */
static void test_streams_must_be_streams(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_file(test, job, "size=1", 0, NULL);
    IStreamVtbl plain_vtbl = sink_vtbl;
    struct sink sink;

    sink_init(&sink);
    plain_vtbl.QueryInterface = plain_QueryInterface;
    sink.IStream_iface.lpVtbl = &plain_vtbl;
    assert_hr(E_NOINTERFACE, set_sink(file, unknown_of(&sink)));
    assert_int_equal(1, sink.references);
    assert_hr(E_NOINTERFACE, set_sink(file, (IUnknown *)job));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
    sink_finish(&sink);
}

/* Threads */

struct call
{
    IBackgroundCopyJob *job;
    HRESULT hr;
};

static DWORD WINAPI complete_thread(void *ctx)
{
    struct call *call = ctx;

    (void)CoInitializeEx(NULL, COINIT_MULTITHREADED);
    call->hr = IBackgroundCopyJob_Complete(call->job);
    CoUninitialize();
    return 0;
}

static DWORD WINAPI cancel_thread(void *ctx)
{
    struct call *call = ctx;

    (void)CoInitializeEx(NULL, COINIT_MULTITHREADED);
    call->hr = IBackgroundCopyJob_Cancel(call->job);
    CoUninitialize();
    return 0;
}

static void join(HANDLE thread)
{
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(thread, TEST_PATIENCE_MS));
    assert_true(CloseHandle(thread));
}

static HANDLE start(LPTHREAD_START_ROUTINE function, struct call *call)
{
    HANDLE thread = CreateThread(NULL, 0, function, call, 0, NULL);

    assert_non_null(thread);
    return thread;
}

/* Complete is in the stream's Write when another thread calls Cancel. */
static void cancel_while_completing(
    struct com_test *test, HRESULT write_result, HRESULT completed, HRESULT cancelled)
{
    struct call complete = {NULL, E_UNEXPECTED};
    struct call cancel = {NULL, E_UNEXPECTED};
    HANDLE completing, cancelling;
    struct sink sink;

    sink_init(&sink);
    sink.entered = CreateEventW(NULL, TRUE, FALSE, NULL);
    sink.leave = CreateEventW(NULL, TRUE, FALSE, NULL);
    assert_non_null(sink.entered);
    assert_non_null(sink.leave);
    if (FAILED(write_result))
        sink.fail_at = 1;
    sink.write_result = write_result;
    complete.job = cancel.job = create_transferred(test, "size=1000", &sink);
    completing = start(complete_thread, &complete);
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(sink.entered, TEST_PATIENCE_MS));
    cancelling = start(cancel_thread, &cancel);
    /* It waits for its turn; reads do not. */
    assert_int_equal(WAIT_TIMEOUT, WaitForSingleObject(cancelling, 100));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(complete.job));
    assert_true(SetEvent(sink.leave));
    join(completing);
    join(cancelling);
    assert_hr(completed, complete.hr);
    assert_hr(cancelled, cancel.hr);
    assert_int_equal(SUCCEEDED(completed) ? BG_JOB_STATE_ACKNOWLEDGED : BG_JOB_STATE_CANCELLED,
        test_state(complete.job));
    if (SUCCEEDED(completed))
        sink_expect_object(&sink, 1000, 1);
    IBackgroundCopyJob_Release(complete.job);
    assert_true(CloseHandle(sink.entered));
    assert_true(CloseHandle(sink.leave));
    sink_finish(&sink);
}

/* Broken: Cancel pulls the file from under a Complete that is at work, or waits for ever. */
static void test_streams_cancel_while_another_thread_completes(void **state)
{
    cancel_while_completing(*state, S_OK, S_OK, DO_E_INVALID_STATE);
    cancel_while_completing(*state, STG_E_MEDIUMFULL, STG_E_MEDIUMFULL, S_OK);
}

struct apartment
{
    struct com_test *test;
    struct sink *sink;
    HRESULT set, resumed, completed;
    BG_JOB_STATE state;
    DWORD thread_id;
};

/* All that a client of one apartment does, in it. No asserts: this is not the test's thread. */
static DWORD WINAPI apartment_thread(void *ctx)
{
    struct apartment *apartment = ctx;
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    GUID id;

    apartment->thread_id = GetCurrentThreadId();
    (void)CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    if (FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IBackgroundCopyManager, (void **)&manager)))
        goto done;
    if (FAILED(
            IBackgroundCopyManager_CreateJob(manager, L"sta", BG_JOB_TYPE_DOWNLOAD, &id, &job)) ||
        FAILED(IBackgroundCopyJob_QueryInterface(
            job, &IID_IDeliveryOptimizationJob2, (void **)&job2)) ||
        FAILED(IDeliveryOptimizationJob2_AddFile(job2, L"id", apartment->test->url, 0, NULL,
            &IID_IDeliveryOptimizationFile2, (void **)&file)))
        goto done;
    apartment->set = set_sink(file, unknown_of(apartment->sink));
    apartment->resumed = IBackgroundCopyJob_Resume(job);
    while (SUCCEEDED(IBackgroundCopyJob_GetState(job, &apartment->state)) &&
           apartment->state != BG_JOB_STATE_TRANSFERRED && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
    apartment->completed = IBackgroundCopyJob_Complete(job);

done:
    if (file)
        IDeliveryOptimizationFile2_Release(file);
    if (job2)
        IDeliveryOptimizationJob2_Release(job2);
    if (job)
        IBackgroundCopyJob_Release(job);
    if (manager)
        IBackgroundCopyManager_Release(manager);
    CoUninitialize();
    return 0;
}

/* Broken: Office, which lives in an STA, has its stream called on a thread of ours, or hangs. */
static void test_streams_of_an_sta_are_called_in_it(void **state)
{
    struct com_test *test = *state;
    struct sink sink;
    struct apartment apartment = {
        test, &sink, E_UNEXPECTED, E_UNEXPECTED, E_UNEXPECTED, BG_JOB_STATE_ERROR, 0};
    HANDLE thread;

    sink_init(&sink);
    sink.is_agile = false;
    (void)test_url(test, "size=3000000");
    thread = CreateThread(NULL, 0, apartment_thread, &apartment, 0, NULL);
    assert_non_null(thread);
    join(thread);
    assert_ok(apartment.set);
    assert_ok(apartment.resumed);
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, apartment.state);
    assert_ok(apartment.completed);
    assert_int_equal(apartment.thread_id, sink.thread_id);
    sink_expect_object(&sink, 3000000, 1);
    sink_finish(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_streams_get_the_whole_object_with_complete),
        COM_TEST(test_streams_get_ranges_in_the_order_given),
        COM_TEST(test_streams_need_no_more_than_write),
        COM_TEST(test_streams_count_as_they_like),
        COM_TEST(test_streams_that_fail_can_be_completed_later),
        COM_TEST(test_streams_hresult_decides),
        COM_TEST(test_streams_are_written_once_when_complete_is_repeated),
        COM_TEST(test_streams_of_a_partial_complete),
        COM_TEST(test_streams_taken_away_fail_complete),
        COM_TEST(test_streams_are_released_when_replaced_or_cleared),
        COM_TEST(test_streams_are_released_with_the_end_of_the_job),
        COM_TEST(test_streams_must_be_streams),
        COM_TEST(test_streams_cancel_while_another_thread_completes),
        COM_TEST(test_streams_of_an_sta_are_called_in_it),
    };

    return COM_TEST_RUN(tests);
}
