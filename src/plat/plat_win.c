/* SPDX-License-Identifier: MIT */
/*
 * Threads, locks and clocks over Win32. Slim locks, because an uncontended one costs no system
 * call, also under Wine.
 */
#include "plat/plat.h"

#include <windows.h>
#include <bcrypt.h>

#include "base/alloc.h"

_Static_assert(sizeof(SRWLOCK) <= sizeof(struct do_mutex), "do_mutex is too small");
_Static_assert(sizeof(CONDITION_VARIABLE) <= sizeof(struct do_cond), "do_cond is too small");

struct do_thread
{
    HANDLE handle;
};

/* What a new thread takes with it; the thread frees it. */
struct thread_start
{
    do_thread_fn function;
    void *ctx;
    HMODULE module;
};

static SRWLOCK module_mutex = SRWLOCK_INIT;
static CONDITION_VARIABLE module_cond = CONDITION_VARIABLE_INIT;

static SRWLOCK *lock_of(struct do_mutex *mutex)
{
    return (SRWLOCK *)(void *)mutex;
}

static CONDITION_VARIABLE *cond_of(struct do_cond *cond)
{
    return (CONDITION_VARIABLE *)(void *)cond;
}

void do_mutex_init(struct do_mutex *mutex)
{
    InitializeSRWLock(lock_of(mutex));
}

void do_mutex_finish(struct do_mutex *mutex)
{
    (void)mutex;
}

void do_mutex_lock(struct do_mutex *mutex)
{
    AcquireSRWLockExclusive(lock_of(mutex));
}

void do_mutex_unlock(struct do_mutex *mutex)
{
    ReleaseSRWLockExclusive(lock_of(mutex));
}

struct do_mutex *do_mutex_module(void)
{
    return (struct do_mutex *)(void *)&module_mutex;
}

struct do_cond *do_cond_module(void)
{
    return (struct do_cond *)(void *)&module_cond;
}

void do_cond_init(struct do_cond *cond)
{
    InitializeConditionVariable(cond_of(cond));
}

void do_cond_finish(struct do_cond *cond)
{
    (void)cond;
}

void do_cond_wait(struct do_cond *cond, struct do_mutex *mutex)
{
    (void)SleepConditionVariableSRW(cond_of(cond), lock_of(mutex), INFINITE, 0);
}

bool do_cond_wait_ms(struct do_cond *cond, struct do_mutex *mutex, uint32_t timeout_ms)
{
    return SleepConditionVariableSRW(cond_of(cond), lock_of(mutex), timeout_ms, 0);
}

void do_cond_signal(struct do_cond *cond)
{
    WakeConditionVariable(cond_of(cond));
}

void do_cond_broadcast(struct do_cond *cond)
{
    WakeAllConditionVariable(cond_of(cond));
}

static DWORD WINAPI thread_main(void *arg)
{
    struct thread_start start = *(struct thread_start *)arg;

    do_free(arg);
    start.function(start.ctx);
    FreeLibraryAndExitThread(start.module, 0);
}

HRESULT do_thread_start(
    const char *name, do_thread_fn function, void *ctx, struct do_thread **thread)
{
    struct do_thread *created = do_alloc(sizeof(*created));
    struct thread_start *start = do_alloc(sizeof(*start));
    HRESULT hr = E_OUTOFMEMORY;

    (void)name;
    *thread = NULL;
    if (!created || !start)
        goto failed;
    start->function = function;
    start->ctx = ctx;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
            (const WCHAR *)(void *)&module_mutex, &start->module))
    {
        hr = do_hr_from_win32(GetLastError());
        goto failed;
    }
    if (!(created->handle = CreateThread(NULL, 0, thread_main, start, 0, NULL)))
    {
        hr = do_hr_from_win32(GetLastError());
        FreeLibrary(start->module);
        goto failed;
    }
    *thread = created;
    return S_OK;

failed:
    do_free(start);
    do_free(created);
    return hr;
}

void do_thread_join(struct do_thread *thread)
{
    if (!thread)
        return;
    (void)WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
    do_free(thread);
}

void do_thread_detach(struct do_thread *thread)
{
    if (!thread)
        return;
    CloseHandle(thread->handle);
    do_free(thread);
}

/* The slot for do_thread_act_as, plus one; 0 before the first use. Never freed, like the mutex. */
static volatile LONG acting_slot;

static DWORD make_acting_slot(void)
{
    LONG slot = InterlockedCompareExchange(&acting_slot, 0, 0);
    DWORD made;

    if (slot)
        return (DWORD)slot - 1;
    if ((made = TlsAlloc()) == TLS_OUT_OF_INDEXES)
        return made;
    slot = InterlockedCompareExchange(&acting_slot, (LONG)made + 1, 0);
    if (!slot)
        return made;
    (void)TlsFree(made);
    return (DWORD)slot - 1;
}

void do_thread_act_as(uint64_t id)
{
    DWORD slot;

    if ((!id && !InterlockedCompareExchange(&acting_slot, 0, 0)) ||
        (slot = make_acting_slot()) == TLS_OUT_OF_INDEXES)
        return;
    (void)TlsSetValue(slot, (void *)(uintptr_t)id);
}

uint64_t do_thread_current_id(void)
{
    LONG slot = InterlockedCompareExchange(&acting_slot, 0, 0);
    uint64_t id = 0;
    DWORD error;

    if (slot)
    {
        error = GetLastError();
        id = (uintptr_t)TlsGetValue((DWORD)slot - 1);
        SetLastError(error); /* TlsGetValue clears it */
    }
    return id ? id : GetCurrentThreadId();
}

uint64_t do_clock_ms(void)
{
    return GetTickCount64();
}

static uint64_t from_filetime(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/* Wine waits with the precision of its host. */
bool do_plat_has_fine_waits(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

    return ntdll && GetProcAddress(ntdll, "wine_get_version");
}

void do_plat_pin_module(void)
{
    HMODULE module;

    (void)GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
        (const WCHAR *)(void *)&module_mutex, &module);
}

uint64_t do_clock_filetime(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return from_filetime(now);
}

uint32_t do_clock_local_hour(void)
{
    SYSTEMTIME now;

    GetLocalTime(&now);
    return now.wHour;
}

HRESULT do_random_bytes(void *data, size_t length)
{
    NTSTATUS status;

    status = BCryptGenRandom(NULL, data, (ULONG)length, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    return status >= 0 ? S_OK : E_FAIL;
}

static uint64_t process_start(HANDLE process)
{
    FILETIME creation;
    FILETIME unused[3];

    if (!GetProcessTimes(process, &creation, &unused[0], &unused[1], &unused[2]))
        return 0;
    return from_filetime(creation);
}

struct do_process do_process_self(void)
{
    struct do_process self = {GetCurrentProcessId(), process_start(GetCurrentProcess())};

    return self;
}

bool do_process_is_alive(struct do_process process)
{
    HANDLE handle;
    bool alive;

    if (!process.id || !process.start || process.id > UINT32_MAX)
        return false;
    handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)process.id);
    if (!handle)
        return GetLastError() == ERROR_ACCESS_DENIED;
    alive =
        process_start(handle) == process.start && WaitForSingleObject(handle, 0) == WAIT_TIMEOUT;
    CloseHandle(handle);
    return alive;
}
