/* SPDX-License-Identifier: MIT */
/*
 * Clients' pointers across apartments. Any thread; a struct is its owner's, who synchronises.
 */
#include "com/client_pointer.h"

#include <string.h>

#include <objidl.h>

#include "base/compiler.h"
#include "base/log.h"
#include "plat/plat.h"

/* Of Windows 8; mingw's 32-bit import library lacks them. (Source: win32 docs, combaseapi.h.) */
typedef HRESULT(WINAPI *increment_mta_fn)(void **cookie);
typedef HRESULT(WINAPI *decrement_mta_fn)(void *cookie);

/* COM's own module is there as long as we are: we import it. Two casts, by way of a function
   without a prototype, since GetProcAddress knows no types. */
static void (*find_function(const char *name))(void)
{
    HMODULE ole32 = GetModuleHandleW(L"ole32.dll");

    return ole32 ? (void (*)(void))GetProcAddress(ole32, name) : NULL;
}

void *com_mta_acquire(void)
{
    increment_mta_fn increment = (increment_mta_fn)find_function("CoIncrementMTAUsage");
    void *mta = NULL;

    if (!increment || FAILED(increment(&mta)))
        return NULL;
    return mta;
}

void com_mta_release(void *mta)
{
    decrement_mta_fn decrement = (decrement_mta_fn)find_function("CoDecrementMTAUsage");

    if (mta && decrement)
        (void)decrement(mta);
}

static HRESULT get_table(IGlobalInterfaceTable **table)
{
    return CoCreateInstance(&CLSID_StdGlobalInterfaceTable, NULL, CLSCTX_INPROC_SERVER,
        &IID_IGlobalInterfaceTable, (void **)table);
}

static bool is_agile(IUnknown *object)
{
    IUnknown *agile = NULL;

    if (FAILED(IUnknown_QueryInterface(object, &IID_IAgileObject, (void **)&agile)))
        return false;
    IUnknown_Release(agile);
    return true;
}

static HRESULT add_to_table(IUnknown *object, const IID *iid, DWORD *cookie)
{
    IGlobalInterfaceTable *table;
    HRESULT hr;

    if (FAILED(hr = get_table(&table)))
        return hr;
    hr = IGlobalInterfaceTable_RegisterInterfaceInGlobal(table, object, iid, cookie);
    IGlobalInterfaceTable_Release(table);
    return hr;
}

HRESULT com_client_pointer_init(
    struct com_client_pointer *pointer, IUnknown *object, const IID *iid)
{
    HRESULT hr;

    pointer->iid = iid;
    pointer->direct = NULL;
    pointer->cookie = 0;
    pointer->mta = NULL;
    if (FAILED(hr = IUnknown_QueryInterface(object, iid, (void **)&pointer->direct)))
        return hr;
    if (!pointer->direct)
        return E_NOINTERFACE;
    if (is_agile(pointer->direct))
        return S_OK;
    /* Marshalling is also where a missing proxy and stub shows: fetching needs the same ones. */
    if (FAILED(hr = add_to_table(pointer->direct, iid, &pointer->cookie)))
    {
        do_log(DO_LOG_INFO, DO_LOG_COM,
            "client's pointer %p is called as it is: not marshalled, 0x%08x",
            (void *)pointer->direct, (unsigned int)hr);
        return S_OK;
    }
    IUnknown_Release(pointer->direct);
    pointer->direct = NULL;
    pointer->mta = com_mta_acquire();
    return S_OK;
}

void com_client_pointer_finish(struct com_client_pointer *pointer)
{
    IGlobalInterfaceTable *table;

    if (pointer->direct)
        IUnknown_Release(pointer->direct);
    else if (SUCCEEDED(get_table(&table)))
    {
        (void)IGlobalInterfaceTable_RevokeInterfaceFromGlobal(table, pointer->cookie);
        IGlobalInterfaceTable_Release(table);
    }
    com_mta_release(pointer->mta);
    pointer->direct = NULL;
    pointer->mta = NULL;
}

HRESULT com_client_pointer_get(const struct com_client_pointer *pointer, void **out)
{
    IGlobalInterfaceTable *table;
    HRESULT hr;

    *out = NULL;
    if (pointer->direct)
    {
        IUnknown_AddRef(pointer->direct);
        *out = pointer->direct;
        return S_OK;
    }
    if (FAILED(hr = get_table(&table)))
        return hr;
    hr = IGlobalInterfaceTable_GetInterfaceFromGlobal(table, pointer->cookie, pointer->iid, out);
    IGlobalInterfaceTable_Release(table);
    return hr;
}

bool com_client_is_gone(HRESULT hr)
{
    static const HRESULT gone[] = {RPC_E_DISCONNECTED, RPC_E_SERVER_DIED, RPC_E_SERVER_DIED_DNE,
        CO_E_OBJNOTCONNECTED, (HRESULT)0x800706BA /* RPC_S_SERVER_UNAVAILABLE */,
        (HRESULT)0x800706B5 /* RPC_S_UNKNOWN_IF: Wine, of an apartment that has ended */};

    for (size_t i = 0; i < DO_COUNT_OF(gone); i++)
    {
        if (hr == gone[i])
            return true;
    }
    return false;
}

/* Calls under way */

static SRWLOCK calls_lock = SRWLOCK_INIT;
static struct com_client_call *calls; /* under calls_lock */

void com_client_call_begin(struct com_client_call *call)
{
    call->thread_id = do_thread_current_id();
    if (FAILED(CoGetCurrentLogicalThreadId(&call->chain)))
        memset(&call->chain, 0, sizeof(call->chain));
    AcquireSRWLockExclusive(&calls_lock);
    call->next = calls;
    calls = call;
    ReleaseSRWLockExclusive(&calls_lock);
}

void com_client_call_end(struct com_client_call *call)
{
    struct com_client_call **link = &calls;

    AcquireSRWLockExclusive(&calls_lock);
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    ReleaseSRWLockExclusive(&calls_lock);
}

uint64_t com_client_call_thread(void)
{
    uint64_t thread_id = 0;
    GUID chain;

    if (FAILED(CoGetCurrentLogicalThreadId(&chain)))
        return 0;
    AcquireSRWLockShared(&calls_lock);
    for (const struct com_client_call *call = calls; call && !thread_id; call = call->next)
    {
        if (IsEqualGUID(&call->chain, &chain))
            thread_id = call->thread_id;
    }
    ReleaseSRWLockShared(&calls_lock);
    return thread_id;
}
