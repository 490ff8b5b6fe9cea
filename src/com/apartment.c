/* SPDX-License-Identifier: MIT */
/*
 * Waiting in a single-threaded apartment. The helper thread works on the caller's stack, which
 * stays until that thread is gone.
 */
#include "com/apartment.h"

#include <objbase.h>

#include "com/client_pointer.h"
#include "com/com_object.h"
#include "plat/plat.h"

struct helper
{
    com_call_fn function;
    void *ctx;
    uint64_t acts_as; /* the thread that waits for the client's call that we are in; 0 = none */
    HRESULT hr;
};

static BOOL is_single_threaded(void)
{
    APTTYPEQUALIFIER qualifier;
    APTTYPE type;

    /* Fails on a thread without an apartment: nobody calls into that one. */
    if (FAILED(CoGetApartmentType(&type, &qualifier)))
        return FALSE;
    if (type == APTTYPE_NA)
        return qualifier == APTTYPEQUALIFIER_NA_ON_STA ||
               qualifier == APTTYPEQUALIFIER_NA_ON_MAINSTA;
    return type == APTTYPE_STA || type == APTTYPE_MAINSTA;
}

/* Also when COM cannot wait: what is waited for must have happened. */
static void pump_until(HANDLE signalled)
{
    DWORD index;

    if (CoWaitForMultipleHandles(0, INFINITE, 1, &signalled, &index) != S_OK)
        (void)WaitForSingleObject(signalled, INFINITE);
}

static DWORD WINAPI helper_main(void *ctx)
{
    struct helper *helper = ctx;
    HRESULT entered = CoInitializeEx(NULL, COINIT_MULTITHREADED);

    do_thread_act_as(helper->acts_as);
    helper->hr = helper->function(helper->ctx);
    do_thread_act_as(0);
    if (SUCCEEDED(entered))
        CoUninitialize();
    return 0;
}

HRESULT com_call_and_pump(com_call_fn function, void *ctx)
{
    struct helper helper = {function, ctx, 0, E_UNEXPECTED};
    HANDLE thread;

    if (!is_single_threaded())
        return function(ctx);
    helper.acts_as = com_client_call_thread();
    /* A call that is let in may release the client's last object of ours. */
    com_module_add();
    if ((thread = CreateThread(NULL, 0, helper_main, &helper, 0, NULL)))
    {
        pump_until(thread);
        (void)CloseHandle(thread);
    }
    else
        helper.hr = do_hr_from_win32(GetLastError());
    com_module_remove();
    return helper.hr;
}

/* Waiting for one's turn */

static HRESULT waiting_prepare(void **event)
{
    *event = NULL;
    if (!is_single_threaded())
        return S_OK;
    *event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return *event ? S_OK : do_hr_from_win32(GetLastError());
}

static void waiting_wait(void *event)
{
    pump_until(event);
}

static void waiting_signal(void *event)
{
    (void)SetEvent(event);
}

static void waiting_finish(void *event)
{
    (void)CloseHandle(event);
}

const struct do_client_waiting com_client_waiting = {
    .call_thread = com_client_call_thread,
    .prepare = waiting_prepare,
    .wait = waiting_wait,
    .signal = waiting_signal,
    .finish = waiting_finish,
};
