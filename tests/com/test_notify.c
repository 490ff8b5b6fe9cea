/* SPDX-License-Identifier: MIT */
/*
 * Callbacks: flags, registration, what is told when, in which order and on which thread, and what a
 * client may do meanwhile. A listener records each call where it comes in; the test's thread
 * asserts later. Every listener must be let go by the product at the end of its test, else
 * close_listener fails. One file, though a long one: all of it is about this listener.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_FLAGS (BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_ERROR)
#define REFUSE_ALWAYS 1000000L

enum kind
{
    KIND_TRANSFERRED,
    KIND_ERROR,
    KIND_MODIFICATION,
    KIND_FILE
};

/* What a callback does with the job that it is given. */
enum act
{
    ACT_NONE,
    ACT_COMPLETE,
    ACT_CANCEL,
    ACT_SUSPEND,
    ACT_RESUME,
    ACT_ADD_FILE,
    ACT_LET_GO /* clears the interface and releases the client's own pointers */
};

struct call
{
    enum kind kind;
    DWORD thread;
    ULONGLONG time_ms; /* when it began */
    GUID job;
    BG_JOB_STATE state; /* of the job, by the pointer that was handed over */
    HRESULT code;       /* JobError: of the error object */
    WCHAR file;         /* JobError, FileTransferred: last character of the local name */
    HRESULT hr;         /* the first failure while looking into what was handed over */
};

struct listener
{
    IBackgroundCopyCallback2 IBackgroundCopyCallback2_iface;
    LONG refs;
    HANDLE gone; /* the last reference was given back */

    /* How it behaves; set before it is registered. */
    bool agile;
    bool no_callback;  /* answers IUnknown only */
    bool no_callback2; /* answers IBackgroundCopyCallback only */
    LONG refusals;     /* so many JobTransferred and JobError are answered with E_FAIL */
    HANDLE entered;    /* set when a call came in; NULL: no blocking */
    HANDLE go_on;      /* calls wait for it */
    enum act act;
    enum kind act_when;
    BG_JOB_STATE act_state;
    WCHAR url[1024]; /* of ACT_ADD_FILE */
    WCHAR local[1024];
    IBackgroundCopyJob *own_job; /* of ACT_LET_GO */
    IBackgroundCopyManager *own_manager;

    /* What came. */
    CRITICAL_SECTION lock;
    HANDLE told; /* auto-reset: calls or acted changed */
    struct call calls[64];
    unsigned int count;
    bool acted;
    HRESULT act_hr;
};

/* The listener. Runs on any thread; nothing here asserts. */

static struct listener *from_iface(IBackgroundCopyCallback2 *iface)
{
    return CONTAINING_RECORD(iface, struct listener, IBackgroundCopyCallback2_iface);
}

static HRESULT STDMETHODCALLTYPE listener_QueryInterface(
    IBackgroundCopyCallback2 *iface, REFIID iid, void **out)
{
    struct listener *self = from_iface(iface);
    bool known = IsEqualGUID(iid, &IID_IUnknown) ||
                 (IsEqualGUID(iid, &IID_IBackgroundCopyCallback) && !self->no_callback) ||
                 (IsEqualGUID(iid, &IID_IBackgroundCopyCallback2) && !self->no_callback &&
                     !self->no_callback2) ||
                 (IsEqualGUID(iid, &IID_IAgileObject) && self->agile);

    *out = known ? iface : NULL;
    if (!known)
        return E_NOINTERFACE;
    (void)InterlockedIncrement(&self->refs);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE listener_AddRef(IBackgroundCopyCallback2 *iface)
{
    return (ULONG)InterlockedIncrement(&from_iface(iface)->refs);
}

static ULONG STDMETHODCALLTYPE listener_Release(IBackgroundCopyCallback2 *iface)
{
    struct listener *self = from_iface(iface);
    HANDLE gone = self->gone;
    LONG refs = InterlockedDecrement(&self->refs);

    if (!refs)
        (void)SetEvent(gone);
    return (ULONG)refs;
}

static HRESULT last_letter(IBackgroundCopyFile *file, WCHAR *letter)
{
    WCHAR *name = NULL;
    HRESULT hr = IBackgroundCopyFile_GetLocalName(file, &name);

    if (SUCCEEDED(hr) && name[0])
        *letter = name[wcslen(name) - 1];
    CoTaskMemFree(name);
    return hr;
}

static HRESULT look_at_error(struct call *call, IBackgroundCopyError *error)
{
    BG_ERROR_CONTEXT context;
    IBackgroundCopyFile *file = NULL;
    HRESULT hr = IBackgroundCopyError_GetError(error, &context, &call->code);

    if (SUCCEEDED(hr) && SUCCEEDED(hr = IBackgroundCopyError_GetFile(error, &file)))
    {
        hr = last_letter(file, &call->file);
        IBackgroundCopyFile_Release(file);
    }
    return hr;
}

static HRESULT do_act(struct listener *self, IBackgroundCopyJob *job)
{
    HRESULT hr = S_OK;

    switch (self->act)
    {
    case ACT_NONE:
        break;
    case ACT_COMPLETE:
        return IBackgroundCopyJob_Complete(job);
    case ACT_CANCEL:
        return IBackgroundCopyJob_Cancel(job);
    case ACT_SUSPEND:
        return IBackgroundCopyJob_Suspend(job);
    case ACT_RESUME:
        return IBackgroundCopyJob_Resume(job);
    case ACT_ADD_FILE:
        return IBackgroundCopyJob_AddFile(job, self->url, self->local);
    case ACT_LET_GO:
        hr = IBackgroundCopyJob_SetNotifyInterface(job, NULL);
        IBackgroundCopyJob_Release(self->own_job);
        IBackgroundCopyManager_Release(self->own_manager);
        break;
    }
    return hr;
}

static HRESULT handle(struct listener *self, enum kind kind, IBackgroundCopyJob *job,
    IBackgroundCopyError *error, IBackgroundCopyFile *file)
{
    struct call call = {.kind = kind, .state = (BG_JOB_STATE)-1, .code = S_OK};
    bool acts;
    HRESULT hr = S_OK;

    call.thread = GetCurrentThreadId();
    call.time_ms = GetTickCount64();
    if (self->entered)
    {
        (void)SetEvent(self->entered);
        (void)WaitForSingleObject(self->go_on, TEST_PATIENCE_MS);
    }
    if (SUCCEEDED(call.hr = IBackgroundCopyJob_GetId(job, &call.job)))
        call.hr = IBackgroundCopyJob_GetState(job, &call.state);
    if (SUCCEEDED(call.hr) && error)
        call.hr = look_at_error(&call, error);
    if (SUCCEEDED(call.hr) && file)
        call.hr = last_letter(file, &call.file);
    acts = self->act != ACT_NONE && kind == self->act_when && call.state == self->act_state;
    if (acts)
        hr = do_act(self, job);
    EnterCriticalSection(&self->lock);
    if (self->count < TEST_COUNT_OF(self->calls))
        self->calls[self->count++] = call;
    if (acts && !self->acted)
    {
        self->acted = true;
        self->act_hr = hr;
    }
    (void)SetEvent(self->told);
    LeaveCriticalSection(&self->lock);
    if ((kind == KIND_TRANSFERRED || kind == KIND_ERROR) &&
        InterlockedDecrement(&self->refusals) >= 0)
        return E_FAIL;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE listener_JobTransferred(
    IBackgroundCopyCallback2 *iface, IBackgroundCopyJob *job)
{
    return handle(from_iface(iface), KIND_TRANSFERRED, job, NULL, NULL);
}

static HRESULT STDMETHODCALLTYPE listener_JobError(
    IBackgroundCopyCallback2 *iface, IBackgroundCopyJob *job, IBackgroundCopyError *error)
{
    return handle(from_iface(iface), KIND_ERROR, job, error, NULL);
}

static HRESULT STDMETHODCALLTYPE listener_JobModification(
    IBackgroundCopyCallback2 *iface, IBackgroundCopyJob *job, DWORD reserved)
{
    (void)reserved;
    (void)handle(from_iface(iface), KIND_MODIFICATION, job, NULL, NULL);
    /* The result must not matter. */
    return E_FAIL;
}

static HRESULT STDMETHODCALLTYPE listener_FileTransferred(
    IBackgroundCopyCallback2 *iface, IBackgroundCopyJob *job, IBackgroundCopyFile *file)
{
    return handle(from_iface(iface), KIND_FILE, job, NULL, file);
}

static IBackgroundCopyCallback2Vtbl listener_vtbl = {
    .QueryInterface = listener_QueryInterface,
    .AddRef = listener_AddRef,
    .Release = listener_Release,
    .JobTransferred = listener_JobTransferred,
    .JobError = listener_JobError,
    .JobModification = listener_JobModification,
    .FileTransferred = listener_FileTransferred,
};

/* The test's thread again. */

static HANDLE create_event(bool manual)
{
    HANDLE event = CreateEventW(NULL, manual, FALSE, NULL);

    assert_non_null(event);
    return event;
}

/* An agile one with a reference of the test's. It stays in memory when its test fails. */
static struct listener *open_listener(void)
{
    struct listener *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    self->IBackgroundCopyCallback2_iface.lpVtbl = &listener_vtbl;
    self->refs = 1;
    self->agile = true;
    self->gone = create_event(true);
    self->told = create_event(false);
    InitializeCriticalSection(&self->lock);
    return self;
}

static IUnknown *as_unknown(struct listener *self)
{
    return (IUnknown *)&self->IBackgroundCopyCallback2_iface;
}

static void make_blocking(struct listener *self)
{
    self->entered = create_event(true);
    self->go_on = create_event(true);
}

/* The product must give back its references, on whatever thread. */
static void close_listener(struct listener *self)
{
    IUnknown_Release(as_unknown(self));
    if (WaitForSingleObject(self->gone, TEST_PATIENCE_MS) != WAIT_OBJECT_0)
    {
        print_error("%ld references are left\n", self->refs);
        fail();
    }
    if (self->entered)
    {
        (void)CloseHandle(self->entered);
        (void)CloseHandle(self->go_on);
    }
    (void)CloseHandle(self->gone);
    (void)CloseHandle(self->told);
    DeleteCriticalSection(&self->lock);
    free(self);
}

static unsigned int count_calls(struct listener *self)
{
    unsigned int count;

    EnterCriticalSection(&self->lock);
    count = self->count;
    LeaveCriticalSection(&self->lock);
    return count;
}

/* Waits for so many calls and returns the last of them. */
static struct call wait_call(struct listener *self, unsigned int count)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    struct call call;

    while (count_calls(self) < count && GetTickCount64() < end)
        (void)WaitForSingleObject(self->told, (DWORD)(end - GetTickCount64()));
    if (count_calls(self) < count)
    {
        print_error("%u calls came, not %u\n", count_calls(self), count);
        fail();
    }
    EnterCriticalSection(&self->lock);
    call = self->calls[count - 1];
    LeaveCriticalSection(&self->lock);
    return call;
}

static HRESULT wait_act(struct listener *self)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    bool acted = false;
    HRESULT hr = S_OK;

    while (!acted && GetTickCount64() < end)
    {
        EnterCriticalSection(&self->lock);
        acted = self->acted;
        hr = self->act_hr;
        LeaveCriticalSection(&self->lock);
        if (!acted)
            (void)WaitForSingleObject(self->told, 100);
    }
    assert_true(acted);
    return hr;
}

static void wait_event(HANDLE event)
{
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(event, TEST_PATIENCE_MS));
}

static void expect_call(
    const struct call *call, enum kind kind, IBackgroundCopyJob *job, BG_JOB_STATE state)
{
    GUID id;

    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_ok(call->hr);
    assert_int_equal(kind, call->kind);
    assert_memory_equal(&id, &call->job, sizeof(id));
    assert_int_equal(state, call->state);
}

static void attach(IBackgroundCopyJob *job, struct listener *self, ULONG flags)
{
    assert_ok(IBackgroundCopyJob_SetNotifyFlags(job, flags));
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(self)));
}

static void cancel_and_release(IBackgroundCopyJob *job)
{
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
}

static ULONG get_flags(IBackgroundCopyJob *job)
{
    ULONG flags = 0xDEADBEEF;

    assert_ok(IBackgroundCopyJob_GetNotifyFlags(job, &flags));
    return flags;
}

/* Broken: flags that a client may or may not set are answered wrongly, or are not kept. */
static void test_notify_flags(void **state)
{
    static const ULONG good[] = {0, BG_NOTIFY_JOB_TRANSFERRED, BG_NOTIFY_JOB_ERROR,
        BG_NOTIFY_DISABLE, BG_NOTIFY_JOB_MODIFICATION, BG_NOTIFY_FILE_TRANSFERRED, 0x1F, 0x0B};
    static const ULONG bad[] = {0x20, 0x23, 0x40, 0x80000000, 0xFFFFFFFF};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyJob *again = NULL;
    GUID id;

    assert_int_equal(DEFAULT_FLAGS, get_flags(job));
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetNotifyFlags(job, NULL));
    for (size_t i = 0; i < TEST_COUNT_OF(good); i++)
    {
        assert_ok(IBackgroundCopyJob_SetNotifyFlags(job, good[i]));
        assert_int_equal(good[i], get_flags(job));
    }
    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
    {
        assert_hr(E_NOTIMPL, IBackgroundCopyJob_SetNotifyFlags(job, bad[i]));
        assert_int_equal(good[TEST_COUNT_OF(good) - 1], get_flags(job));
    }
    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &again));
    assert_int_equal(0x0B, get_flags(again));
    IBackgroundCopyJob_Release(again);
    cancel_and_release(job);
}

/* Broken: a finished job takes a callback that it can never call, or keeps the one it had. */
static void test_notify_final_states_refuse_setters(void **state)
{
    struct com_test *test = *state;
    struct listener *listener = open_listener();

    for (int completes = 0; completes <= 1; completes++)
    {
        IBackgroundCopyJob *job = test_create_job(test);
        IUnknown *object = TEST_POISON;

        attach(job, listener, DEFAULT_FLAGS);
        assert_ok(completes ? IBackgroundCopyJob_Complete(job) : IBackgroundCopyJob_Cancel(job));
        assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_SetNotifyFlags(job, DEFAULT_FLAGS));
        assert_hr(
            DO_E_INVALID_STATE, IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(listener)));
        assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_SetNotifyInterface(job, NULL));
        assert_int_equal(DEFAULT_FLAGS, get_flags(job));
        assert_ok(IBackgroundCopyJob_GetNotifyInterface(job, &object));
        assert_null(object);
        IBackgroundCopyJob_Release(job);
    }
    close_listener(listener);
}

/* Same object, by the rules of COM. */
static void expect_interface(IBackgroundCopyJob *job, struct listener *listener)
{
    IUnknown *object = TEST_POISON;
    IUnknown *identity = NULL;

    assert_ok(IBackgroundCopyJob_GetNotifyInterface(job, &object));
    if (!listener)
    {
        assert_null(object);
        return;
    }
    assert_non_null(object);
    assert_ok(IUnknown_QueryInterface(object, &IID_IUnknown, (void **)&identity));
    assert_ptr_equal(as_unknown(listener), identity);
    IUnknown_Release(identity);
    IUnknown_Release(object);
}

/* Broken: a client does not get its own object back, or the wrong one is told. */
static void test_notify_interface_last_one_wins(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *first = open_listener();
    struct listener *second = open_listener();
    struct listener *deaf = open_listener();
    struct call call;

    deaf->no_callback = true;
    assert_hr(E_INVALIDARG, IBackgroundCopyJob_GetNotifyInterface(job, NULL));
    expect_interface(job, NULL);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, NULL));
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(first)));
    expect_interface(job, first);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, NULL));
    expect_interface(job, NULL);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(first)));
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(second)));
    assert_hr(E_NOINTERFACE, IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(deaf)));
    expect_interface(job, second);
    assert_ok(IBackgroundCopyJob_Resume(job));
    call = wait_call(second, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    assert_int_equal(0, count_calls(first));
    cancel_and_release(job);
    close_listener(deaf);
    close_listener(first);
    close_listener(second);
}

/* Broken: an object that is not agile is lost between registration and return. */
static void test_notify_interface_that_is_not_agile_comes_back(void **state)
{
    IBackgroundCopyJob *job = test_create_job(*state);
    struct listener *listener = open_listener();

    listener->agile = false;
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(listener)));
    expect_interface(job, listener);
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: files are told in another order, not at all, or after the job. */
static void test_notify_files_in_order_then_the_job(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();
    static const WCHAR letters[] = L"abc";

    test_add(test, job, "size=100k&delay=50", L"b");
    test_add(test, job, "size=0", L"c");
    attach(job, listener, DEFAULT_FLAGS | BG_NOTIFY_FILE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Resume(job));
    for (unsigned int i = 0; i < 3; i++)
    {
        struct call call = wait_call(listener, i + 1);

        assert_ok(call.hr);
        assert_int_equal(KIND_FILE, call.kind);
        assert_int_equal(letters[i], call.file);
    }
    assert_int_equal(KIND_TRANSFERRED, wait_call(listener, 4).kind);
    assert_ok(IBackgroundCopyJob_Complete(job));
    IBackgroundCopyJob_Release(job);
    close_listener(listener);
}

/* Broken: a callback without the second interface is called through it. */
static void test_notify_files_need_the_second_interface(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();

    listener->no_callback2 = true;
    test_add(test, job, "size=10", L"b");
    attach(job, listener, DEFAULT_FLAGS | BG_NOTIFY_FILE_TRANSFERRED);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(KIND_TRANSFERRED, wait_call(listener, 1).kind);
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: the error that a client is handed says nothing of what failed. */
static void test_notify_error_carries_code_and_file(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();
    struct call call;

    test_add(test, job, "status=404", L"b");
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    call = wait_call(listener, 1);
    expect_call(&call, KIND_ERROR, job, BG_JOB_STATE_ERROR);
    assert_hr(TEST_E_HTTP(404), call.code);
    assert_int_equal(L'b', call.file);
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: a job that is between two tries is told as failed. */
static void test_notify_transient_error_is_not_told_as_error(void **state)
{
    IBackgroundCopyJob *job = test_create_job_of(*state, "fail_first=4&size=10", L"a");
    struct listener *listener = open_listener();

    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSIENT_ERROR);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(KIND_TRANSFERRED, wait_call(listener, 1).kind);
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: a busy job floods its client, or says nothing while bytes come. */
static void test_notify_modifications_are_coalesced(void **state)
{
    IBackgroundCopyJob *job = test_create_job_of(*state, "size=64k&rate=24k", L"a");
    struct listener *listener = open_listener();
    ULONGLONG begin = GetTickCount64();
    struct call last;
    unsigned int count;

    attach(job, listener, BG_NOTIFY_JOB_MODIFICATION);
    for (unsigned int i = 0; i < 100; i++)
        assert_ok(IBackgroundCopyJob_SetDescription(job, L"again"));
    last = wait_call(listener, 1);
    expect_call(&last, KIND_MODIFICATION, job, BG_JOB_STATE_SUSPENDED);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    count = count_calls(listener);
    assert_in_range(count, 3, (GetTickCount64() - begin) / 500 + 1);
    for (unsigned int i = 1; i < count; i++)
    {
        struct call call = wait_call(listener, i + 1);

        assert_int_equal(KIND_MODIFICATION, call.kind);
        /* Clocks of 16 ms: a little less than 500. */
        assert_true(call.time_ms - wait_call(listener, i).time_ms >= 450);
    }
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: a client that could not take the notice never learns of it, or at once again and again.
 */
static void test_notify_refused_ones_come_again(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *failing = test_create_job_of(test, "status=404", L"a");
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"b");
    struct listener *of_failing = open_listener();
    struct listener *listener = open_listener();

    of_failing->refusals = 2;
    listener->refusals = 1;
    attach(failing, of_failing, DEFAULT_FLAGS);
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(failing));
    assert_ok(IBackgroundCopyJob_Resume(job));
    for (unsigned int i = 1; i <= 3; i++)
    {
        struct call call = wait_call(of_failing, i);

        expect_call(&call, KIND_ERROR, failing, BG_JOB_STATE_ERROR);
        assert_hr(TEST_E_HTTP(404), call.code);
        if (i > 1)
            assert_true(call.time_ms - wait_call(of_failing, i - 1).time_ms >= 900);
    }
    assert_int_equal(KIND_TRANSFERRED, wait_call(listener, 2).kind);
    assert_true(wait_call(listener, 2).time_ms - wait_call(listener, 1).time_ms >= 900);
    assert_int_equal(3, count_calls(of_failing));
    assert_int_equal(2, count_calls(listener));
    cancel_and_release(failing);
    cancel_and_release(job);
    close_listener(of_failing);
    close_listener(listener);
}

/* Broken: a client that always fails keeps its job from ending, or is called for ever. */
static void test_notify_client_that_always_fails_can_cancel(void **state)
{
    IBackgroundCopyJob *job = test_create_job_of(*state, "status=404", L"a");
    struct listener *listener = open_listener();

    listener->refusals = REFUSE_ALWAYS;
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    (void)wait_call(listener, 2);
    cancel_and_release(job);
    close_listener(listener);
}

/* Broken: who registers after the end waits for ever. */
static void test_notify_late_registration(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    IBackgroundCopyJob *failing = test_create_job_of(test, "status=404", L"b");
    struct listener *listener = open_listener();
    struct listener *of_failing = open_listener();
    struct listener *second = open_listener();
    struct call call;

    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_ok(IBackgroundCopyJob_Resume(failing));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    test_wait_state(failing, BG_JOB_STATE_ERROR);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(listener)));
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(failing, as_unknown(of_failing)));
    call = wait_call(listener, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    call = wait_call(of_failing, 1);
    expect_call(&call, KIND_ERROR, failing, BG_JOB_STATE_ERROR);
    assert_hr(TEST_E_HTTP(404), call.code);
    /* Another one is told too. */
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(second)));
    assert_int_equal(KIND_TRANSFERRED, wait_call(second, 1).kind);
    cancel_and_release(job);
    cancel_and_release(failing);
    close_listener(listener);
    close_listener(of_failing);
    close_listener(second);
}

/* Broken: notices come that the client has switched off, or none after it has switched them on. */
static void test_notify_flags_decide(void **state)
{
    static const ULONG silent[] = {0, BG_NOTIFY_JOB_ERROR,
        BG_NOTIFY_DISABLE | BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_ERROR};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(silent); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
        struct listener *listener = open_listener();
        struct call call;

        attach(job, listener, silent[i]);
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
        assert_int_equal(0, count_calls(listener));
        assert_ok(IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_JOB_TRANSFERRED));
        call = wait_call(listener, 1);
        expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
        cancel_and_release(job);
        close_listener(listener);
    }
}

/* Broken: a client cannot do from its callback what the samples of BITS do. */
static void test_notify_calls_from_the_callback(void **state)
{
    static const struct
    {
        const char *name;
        enum act act;
        enum kind when;
        BG_JOB_STATE state;
        const char *query;
        const char *second; /* or NULL: one file */
        HRESULT hr;
        BG_JOB_STATE after;
    } rows[] = {
        {"Complete, transferred", ACT_COMPLETE, KIND_TRANSFERRED, BG_JOB_STATE_TRANSFERRED,
            "size=10", NULL, S_OK, BG_JOB_STATE_ACKNOWLEDGED},
        {"Complete, error", ACT_COMPLETE, KIND_ERROR, BG_JOB_STATE_ERROR, "size=10", "status=404",
            TEST_S_PARTIAL_COMPLETE, BG_JOB_STATE_ACKNOWLEDGED},
        {"Complete, file", ACT_COMPLETE, KIND_FILE, BG_JOB_STATE_TRANSFERRING, "size=10",
            "stall=10", TEST_S_PARTIAL_COMPLETE, BG_JOB_STATE_ACKNOWLEDGED},
        {"Cancel, transferred", ACT_CANCEL, KIND_TRANSFERRED, BG_JOB_STATE_TRANSFERRED, "size=10",
            NULL, S_OK, BG_JOB_STATE_CANCELLED},
        {"Cancel, error", ACT_CANCEL, KIND_ERROR, BG_JOB_STATE_ERROR, "status=404", NULL, S_OK,
            BG_JOB_STATE_CANCELLED},
        {"Cancel, modification", ACT_CANCEL, KIND_MODIFICATION, BG_JOB_STATE_TRANSFERRING,
            "stall=10", NULL, S_OK, BG_JOB_STATE_CANCELLED},
        {"Suspend, file", ACT_SUSPEND, KIND_FILE, BG_JOB_STATE_TRANSFERRING, "size=10", "stall=10",
            S_OK, BG_JOB_STATE_SUSPENDED},
        {"Suspend, modification", ACT_SUSPEND, KIND_MODIFICATION, BG_JOB_STATE_TRANSFERRING,
            "stall=10", NULL, S_OK, BG_JOB_STATE_SUSPENDED},
        {"Resume, error", ACT_RESUME, KIND_ERROR, BG_JOB_STATE_ERROR,
            "fail_first=1&fail_status=404&size=10", NULL, S_OK, BG_JOB_STATE_TRANSFERRED},
        {"AddFile, transferred", ACT_ADD_FILE, KIND_TRANSFERRED, BG_JOB_STATE_TRANSFERRED,
            "size=10", NULL, S_OK, BG_JOB_STATE_SUSPENDED},
        {"AddFile, file", ACT_ADD_FILE, KIND_FILE, BG_JOB_STATE_TRANSFERRING, "size=10", "stall=10",
            S_OK, BG_JOB_STATE_TRANSFERRING},
    };
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        IBackgroundCopyJob *job = test_create_job_of(test, rows[i].query, L"a");
        struct listener *listener = open_listener();
        HRESULT hr;

        print_message("  %s\n", rows[i].name);
        if (rows[i].second)
            test_add(test, job, rows[i].second, L"b");
        listener->act = rows[i].act;
        listener->act_when = rows[i].when;
        listener->act_state = rows[i].state;
        (void)wcscpy(listener->url, test_url(test, "size=10"));
        (void)wcscpy(listener->local, test_local(test, L"c"));
        attach(
            job, listener, DEFAULT_FLAGS | BG_NOTIFY_JOB_MODIFICATION | BG_NOTIFY_FILE_TRANSFERRED);
        assert_ok(IBackgroundCopyJob_Resume(job));
        hr = wait_act(listener);
        assert_hr(rows[i].hr, hr);
        if (rows[i].act == ACT_RESUME)
            test_wait_state(job, rows[i].after);
        assert_int_equal(rows[i].after, test_state(job));
        if (rows[i].act == ACT_COMPLETE)
            test_expect_object(test_local(test, L"a"), 10, 1);
        if (rows[i].after != BG_JOB_STATE_ACKNOWLEDGED && rows[i].after != BG_JOB_STATE_CANCELLED)
            assert_ok(IBackgroundCopyJob_Cancel(job));
        IBackgroundCopyJob_Release(job);
        close_listener(listener);
        (void)DeleteFileW(test_local(test, L"a"));
    }
}

/* Broken: a client that lets go of everything in its callback takes the job, or the thread that
   calls it, along. */
static void test_notify_callback_lets_go_of_everything(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();
    IBackgroundCopyJob *again = NULL;
    GUID id;

    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    listener->act = ACT_LET_GO;
    listener->act_when = KIND_TRANSFERRED;
    listener->act_state = BG_JOB_STATE_TRANSFERRED;
    listener->own_job = job;
    listener->own_manager = test_create_manager();
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_ok(wait_act(listener));
    close_listener(listener);
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &again));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(again));
    cancel_and_release(again);
}

/* Broken: the job that a callback was handed dies when the client lets go of its own pointer. */
static void test_notify_client_releases_the_job_meanwhile(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();
    IBackgroundCopyJob *again = NULL;
    struct call call;
    GUID id;

    make_blocking(listener);
    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    wait_event(listener->entered);
    IBackgroundCopyJob_Release(job);
    (void)SetEvent(listener->go_on);
    call = wait_call(listener, 1);
    assert_ok(call.hr);
    assert_memory_equal(&id, &call.job, sizeof(id));
    assert_int_equal(BG_JOB_STATE_TRANSFERRED, call.state);
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &again));
    cancel_and_release(again);
    close_listener(listener);
}

/* Broken: one client that hangs makes the others deaf, or holds its own job. */
static void test_notify_blocking_callback_holds_nobody_up(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *blocked[6];
    struct listener *blocking[TEST_COUNT_OF(blocked)];
    IBackgroundCopyJob *job;
    struct listener *listener = open_listener();

    for (size_t i = 0; i < TEST_COUNT_OF(blocked); i++)
    {
        WCHAR name[8];

        (void)_snwprintf(name, TEST_COUNT_OF(name), L"b%u", (unsigned int)i);
        blocked[i] = test_create_job_of(test, "size=10", name);
        blocking[i] = open_listener();
        make_blocking(blocking[i]);
        attach(blocked[i], blocking[i], DEFAULT_FLAGS);
        assert_ok(IBackgroundCopyJob_Resume(blocked[i]));
        wait_event(blocking[i]->entered);
    }
    job = test_create_job_of(test, "size=10", L"a");
    attach(job, listener, DEFAULT_FLAGS);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(KIND_TRANSFERRED, wait_call(listener, 1).kind);
    assert_ok(IBackgroundCopyJob_Complete(job));
    IBackgroundCopyJob_Release(job);
    for (size_t i = 0; i < TEST_COUNT_OF(blocked); i++)
    {
        assert_int_equal(0, count_calls(blocking[i]));
        assert_ok(IBackgroundCopyJob_SetDescription(blocked[i], L"still there"));
        if (i % 2)
            assert_ok(IBackgroundCopyJob_Cancel(blocked[i]));
        else
            assert_ok(IBackgroundCopyJob_Complete(blocked[i]));
        (void)SetEvent(blocking[i]->go_on);
        assert_ok(wait_call(blocking[i], 1).hr);
        IBackgroundCopyJob_Release(blocked[i]);
        close_listener(blocking[i]);
    }
    close_listener(listener);
}

/* A client in an apartment of its own. */

struct sta
{
    IBackgroundCopyJob *job; /* borrowed; free-threaded */
    struct listener *listener;
    bool deaf;    /* waits for cancel without pumping, and cancels the job itself */
    HANDLE ready; /* registered */
    HANDLE cancel;
    HANDLE cancelled;
    HANDLE leave;
    HANDLE thread;
    DWORD thread_id;
    HRESULT hr;
    HRESULT cancel_hr;
};

static void pump_until(HANDLE event)
{
    while (MsgWaitForMultipleObjects(1, &event, FALSE, TEST_PATIENCE_MS, QS_ALLINPUT) ==
           WAIT_OBJECT_0 + 1)
    {
        MSG message;

        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
            (void)DispatchMessageW(&message);
    }
}

static DWORD WINAPI run_sta(void *argument)
{
    struct sta *sta = argument;

    sta->hr = CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
    if (FAILED(sta->hr))
        return 0;
    sta->hr = IBackgroundCopyJob_SetNotifyInterface(sta->job, as_unknown(sta->listener));
    (void)SetEvent(sta->ready);
    if (sta->deaf)
    {
        (void)WaitForSingleObject(sta->cancel, TEST_PATIENCE_MS);
        sta->cancel_hr = IBackgroundCopyJob_Cancel(sta->job);
        (void)SetEvent(sta->cancelled);
    }
    pump_until(sta->leave);
    CoUninitialize();
    return 0;
}

static struct sta *enter_sta(IBackgroundCopyJob *job, struct listener *listener, bool deaf)
{
    struct sta *sta = calloc(1, sizeof(*sta));

    assert_non_null(sta);
    sta->job = job;
    sta->listener = listener;
    sta->deaf = deaf;
    sta->cancel_hr = E_UNEXPECTED;
    sta->ready = create_event(true);
    sta->cancel = create_event(true);
    sta->cancelled = create_event(true);
    sta->leave = create_event(true);
    sta->thread = CreateThread(NULL, 0, run_sta, sta, 0, &sta->thread_id);
    assert_non_null(sta->thread);
    wait_event(sta->ready);
    assert_ok(sta->hr);
    return sta;
}

static void leave_sta(struct sta *sta)
{
    (void)SetEvent(sta->leave);
    wait_event(sta->thread);
    (void)CloseHandle(sta->ready);
    (void)CloseHandle(sta->cancel);
    (void)CloseHandle(sta->cancelled);
    (void)CloseHandle(sta->leave);
    (void)CloseHandle(sta->thread);
    free(sta);
}

/* Broken: an object that belongs to an apartment is called from outside of it. */
static void test_notify_sta_object_is_called_in_its_apartment(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    IBackgroundCopyJob *failing = test_create_job_of(test, "status=404", L"b");
    struct listener *listener = open_listener();
    struct listener *of_failing = open_listener();
    struct sta *sta;
    struct sta *sta_of_failing;
    struct call call;

    listener->agile = false;
    listener->act = ACT_COMPLETE;
    listener->act_when = KIND_TRANSFERRED;
    listener->act_state = BG_JOB_STATE_TRANSFERRED;
    of_failing->agile = false;
    sta = enter_sta(job, listener, false);
    sta_of_failing = enter_sta(failing, of_failing, false);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_ok(IBackgroundCopyJob_Resume(failing));
    call = wait_call(listener, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    assert_int_equal(sta->thread_id, call.thread);
    assert_ok(wait_act(listener));
    assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(job));
    call = wait_call(of_failing, 1);
    expect_call(&call, KIND_ERROR, failing, BG_JOB_STATE_ERROR);
    assert_int_equal(sta_of_failing->thread_id, call.thread);
    assert_hr(TEST_E_HTTP(404), call.code);
    IBackgroundCopyJob_Release(job);
    cancel_and_release(failing);
    leave_sta(sta);
    leave_sta(sta_of_failing);
    close_listener(listener);
    close_listener(of_failing);
}

/* Broken: an object that may be called from anywhere waits for a thread that is busy. */
static void test_notify_agile_object_is_called_directly(void **state)
{
    IBackgroundCopyJob *job = test_create_job_of(*state, "size=10", L"a");
    struct listener *listener = open_listener();
    /* It never pumps while the call comes. */
    struct sta *sta = enter_sta(job, listener, true);
    struct call call;

    assert_ok(IBackgroundCopyJob_Resume(job));
    call = wait_call(listener, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    assert_int_not_equal(sta->thread_id, call.thread);
    assert_int_not_equal(GetCurrentThreadId(), call.thread);
    (void)SetEvent(sta->cancel);
    wait_event(sta->cancelled);
    assert_ok(sta->cancel_hr);
    leave_sta(sta);
    IBackgroundCopyJob_Release(job);
    close_listener(listener);
}

/* Broken: a client that calls us instead of pumping while we call it hangs for ever. */
static void test_notify_sta_that_does_not_pump_can_cancel(void **state)
{
    IBackgroundCopyJob *job = test_create_job_of(*state, "size=10", L"a");
    struct listener *listener = open_listener();
    struct sta *sta;

    listener->agile = false;
    sta = enter_sta(job, listener, true);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    (void)SetEvent(sta->cancel);
    wait_event(sta->cancelled);
    assert_ok(sta->cancel_hr);
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    IBackgroundCopyJob_Release(job);
    /* A call may be on its way: the thread pumps until it is over. */
    close_listener(listener);
    leave_sta(sta);
}

/* Broken: a client's thread that ended without a word is called for ever, or its job hangs. */
static void test_notify_client_that_is_gone_is_dropped(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    struct listener *listener = open_listener();
    struct listener *second = open_listener();
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    IUnknown *object = TEST_POISON;

    listener->agile = false;
    leave_sta(enter_sta(job, listener, false));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    /* Two threads that ask for the same dead pointer at the same time crash in Wine 8. Who comes
       first is tried first, so after some others the dead one was. */
    for (unsigned int i = 1; i <= 5; i++)
    {
        IBackgroundCopyJob *other = test_create_job_of(test, "size=10", L"b");

        attach(other, second, DEFAULT_FLAGS);
        assert_ok(IBackgroundCopyJob_Resume(other));
        (void)wait_call(second, i);
        cancel_and_release(other);
    }
    while (IBackgroundCopyJob_GetNotifyInterface(job, &object) != S_OK && GetTickCount64() < end)
        Sleep(200);
    assert_null(object);
    expect_interface(job, NULL);
    /* A client that comes back is told. */
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, as_unknown(second)));
    (void)wait_call(second, 6);
    assert_ok(IBackgroundCopyJob_Complete(job));
    IBackgroundCopyJob_Release(job);
    assert_int_equal(0, count_calls(listener));
    close_listener(listener);
    close_listener(second);
}

/* The class of Job5's property. */

static const CLSID test_class = {
    0x1d9ab1a4, 0x5f4c, 0x4d0e, {0x9b, 0x3e, 0x77, 0x10, 0xc2, 0x54, 0x0b, 0x21}};

struct factory
{
    IClassFactory IClassFactory_iface;
    struct listener *listener;
    LONG created;
};

static HRESULT STDMETHODCALLTYPE factory_QueryInterface(
    IClassFactory *iface, REFIID iid, void **out)
{
    *out = IsEqualGUID(iid, &IID_IUnknown) || IsEqualGUID(iid, &IID_IClassFactory) ? iface : NULL;
    return *out ? S_OK : E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE factory_AddRef(IClassFactory *iface)
{
    (void)iface;
    return 2;
}

static ULONG STDMETHODCALLTYPE factory_Release(IClassFactory *iface)
{
    (void)iface;
    return 1;
}

static HRESULT STDMETHODCALLTYPE factory_CreateInstance(
    IClassFactory *iface, IUnknown *outer, REFIID iid, void **out)
{
    struct factory *self = CONTAINING_RECORD(iface, struct factory, IClassFactory_iface);

    *out = NULL;
    if (outer)
        return CLASS_E_NOAGGREGATION;
    (void)InterlockedIncrement(&self->created);
    return IUnknown_QueryInterface(as_unknown(self->listener), iid, out);
}

static HRESULT STDMETHODCALLTYPE factory_LockServer(IClassFactory *iface, BOOL lock)
{
    (void)iface;
    (void)lock;
    return S_OK;
}

static IClassFactoryVtbl factory_vtbl = {
    .QueryInterface = factory_QueryInterface,
    .AddRef = factory_AddRef,
    .Release = factory_Release,
    .CreateInstance = factory_CreateInstance,
    .LockServer = factory_LockServer,
};

static DWORD register_class(struct factory *factory, struct listener *listener)
{
    DWORD cookie = 0;

    factory->IClassFactory_iface.lpVtbl = &factory_vtbl;
    factory->listener = listener;
    factory->created = 0;
    /* As a local server it would be the same object; Wine then takes 10 s to say so to rpcss. */
    assert_ok(CoRegisterClassObject(&test_class, (IUnknown *)&factory->IClassFactory_iface,
        CLSCTX_INPROC_SERVER, REGCLS_MULTIPLEUSE, &cookie));
    return cookie;
}

static IBackgroundCopyJob5 *as_job5(IBackgroundCopyJob *job)
{
    IBackgroundCopyJob5 *job5 = NULL;

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob5, (void **)&job5));
    return job5;
}

static HRESULT set_class(IBackgroundCopyJob *job, const GUID *class_id)
{
    IBackgroundCopyJob5 *job5 = as_job5(job);
    BITS_JOB_PROPERTY_VALUE value;
    HRESULT hr;

    memset(&value, 0, sizeof(value));
    value.ClsID = *class_id;
    hr = IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, value);
    IBackgroundCopyJob5_Release(job5);
    return hr;
}

static GUID get_class(IBackgroundCopyJob *job)
{
    IBackgroundCopyJob5 *job5 = as_job5(job);
    BITS_JOB_PROPERTY_VALUE value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, &value));
    IBackgroundCopyJob5_Release(job5);
    return value.ClsID;
}

/* Broken: the class that a client named is not started, or is called beside the client's object. */
static void test_notify_class_listens_while_there_is_no_object(void **state)
{
    static struct factory factory;
    IBackgroundCopyJob *job = test_create_job_of(*state, "size=10", L"a");
    struct listener *of_class = open_listener();
    struct listener *object = open_listener();
    DWORD cookie = register_class(&factory, of_class);
    struct call call;
    GUID got;

    got = get_class(job);
    assert_memory_equal(&GUID_NULL, &got, sizeof(got));
    assert_ok(set_class(job, &test_class));
    got = get_class(job);
    assert_memory_equal(&test_class, &got, sizeof(got));
    expect_interface(job, NULL);
    attach(job, object, DEFAULT_FLAGS | BG_NOTIFY_FILE_TRANSFERRED);
    expect_interface(job, object);
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(KIND_FILE, wait_call(object, 1).kind);
    assert_int_equal(KIND_TRANSFERRED, wait_call(object, 2).kind);
    assert_int_equal(0, factory.created);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(job, NULL));
    call = wait_call(of_class, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    assert_int_equal(1, factory.created);
    expect_interface(job, NULL);
    assert_ok(set_class(job, &GUID_NULL));
    got = get_class(job);
    assert_memory_equal(&GUID_NULL, &got, sizeof(got));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE, set_class(job, &test_class));
    IBackgroundCopyJob_Release(job);
    close_listener(object);
    close_listener(of_class);
    assert_ok(CoRevokeClassObject(cookie));
}

/* Broken: a class that cannot be started at first is never told, or keeps its job from ending. */
static void test_notify_class_that_comes_later(void **state)
{
    static struct factory factory;
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=10", L"a");
    IBackgroundCopyJob *failing = test_create_job_of(test, "status=404", L"b");
    struct listener *of_class = open_listener();
    struct call call;
    DWORD cookie;

    assert_ok(set_class(job, &test_class));
    assert_ok(set_class(failing, &test_class));
    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_ok(IBackgroundCopyJob_Resume(failing));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    test_wait_state(failing, BG_JOB_STATE_ERROR);
    cancel_and_release(failing);
    cookie = register_class(&factory, of_class);
    call = wait_call(of_class, 1);
    expect_call(&call, KIND_TRANSFERRED, job, BG_JOB_STATE_TRANSFERRED);
    cancel_and_release(job);
    close_listener(of_class);
    assert_ok(CoRevokeClassObject(cookie));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_notify_flags),
        COM_TEST(test_notify_final_states_refuse_setters),
        COM_TEST(test_notify_interface_last_one_wins),
        COM_TEST(test_notify_interface_that_is_not_agile_comes_back),
        COM_TEST(test_notify_files_in_order_then_the_job),
        COM_TEST(test_notify_files_need_the_second_interface),
        COM_TEST(test_notify_error_carries_code_and_file),
        COM_TEST(test_notify_transient_error_is_not_told_as_error),
        COM_TEST(test_notify_modifications_are_coalesced),
        COM_TEST(test_notify_refused_ones_come_again),
        COM_TEST(test_notify_client_that_always_fails_can_cancel),
        COM_TEST(test_notify_late_registration),
        COM_TEST(test_notify_flags_decide),
        COM_TEST(test_notify_calls_from_the_callback),
        COM_TEST(test_notify_callback_lets_go_of_everything),
        COM_TEST(test_notify_client_releases_the_job_meanwhile),
        COM_TEST(test_notify_blocking_callback_holds_nobody_up),
        COM_TEST(test_notify_sta_object_is_called_in_its_apartment),
        COM_TEST(test_notify_agile_object_is_called_directly),
        COM_TEST(test_notify_sta_that_does_not_pump_can_cancel),
        COM_TEST(test_notify_client_that_is_gone_is_dropped),
        COM_TEST(test_notify_class_listens_while_there_is_no_object),
        COM_TEST(test_notify_class_that_comes_later),
    };

    return COM_TEST_RUN(tests);
}
