/* SPDX-License-Identifier: MIT */
/*
 * A client's interface pointer that we keep and call later on, perhaps from another apartment than
 * the one it was given to us in. Any thread.
 *
 * An agile object is kept as it is. Any other is registered in the Global Interface Table while its
 * apartment's thread is here, and fetched from it for each call. One that cannot be marshalled,
 * since nobody has a proxy and stub for it, is called as it is.
 */
#ifndef DO_COM_CLIENT_POINTER_H
#define DO_COM_CLIENT_POINTER_H

#include <stdbool.h>

#include <windows.h>
#include <objbase.h>

#include "base/hr.h"

struct com_client_pointer
{
    const IID *iid;
    IUnknown *direct; /* one reference; NULL: fetched by cookie */
    DWORD cookie;
    void *mta; /* keeps the MTA alive for threads of ours that have no apartment; or NULL */
};

/** Keeps object's interface iid (a constant). E_NOINTERFACE. */
HRESULT com_client_pointer_init(
    struct com_client_pointer *pointer, IUnknown *object, const IID *iid);
void com_client_pointer_finish(struct com_client_pointer *pointer);

/** The interface as this thread may call it, with a reference. */
HRESULT com_client_pointer_get(const struct com_client_pointer *pointer, void **out);

/** Whether a call failed since the client's process or apartment is gone. */
bool com_client_is_gone(HRESULT hr);

/* A call of a client that is under way: what it calls in its turn, from whatever thread, counts as
   this thread's. */
struct com_client_call
{
    struct com_client_call *next;
    GUID chain; /* COM's name for the chain of calls */
    uint64_t thread_id;
};

void com_client_call_begin(struct com_client_call *call);
void com_client_call_end(struct com_client_call *call);

/** The thread that waits for the chain of calls that the caller is in; 0 = none. */
uint64_t com_client_call_thread(void);

/**
 * Keeps the process's multithreaded apartment alive until it is given back (NULL is accepted). NULL
 * where the system cannot do that.
 */
void *com_mta_acquire(void);
void com_mta_release(void *mta);

#endif
