/* SPDX-License-Identifier: MIT */
/*
 * Calls that may wait for a client's own callback or stream, made from a single-threaded apartment:
 * whoever waits there must let calls in, or the callback never ends. Any thread.
 *
 * What waits for another call on its job, and for nothing else, waits as com_client_waiting says,
 * on the caller's thread. The few that wait for more get a helper thread.
 */
#ifndef DO_COM_APARTMENT_H
#define DO_COM_APARTMENT_H

#include <windows.h>

#include "base/hr.h"
#include "job/client_ref.h"

typedef HRESULT (*com_call_fn)(void *ctx);

/**
 * Returns what function returns. In a single-threaded apartment function runs on a thread of its
 * own, in the multithreaded apartment, while this one lets calls and messages in; elsewhere it runs
 * here. Hold no lock, and nothing that such a call may take away.
 */
HRESULT com_call_and_pump(com_call_fn function, void *ctx);

/** For the engine: a thread of a single-threaded apartment lets calls in while it waits. */
extern const struct do_client_waiting com_client_waiting;

#endif
