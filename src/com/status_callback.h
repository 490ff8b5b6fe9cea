/* SPDX-License-Identifier: MIT */
/*
 * Listeners (job/client_ref.h) that stand for a client's IDODownloadStatusCallback.
 */
#ifndef DO_COM_STATUS_CALLBACK_H
#define DO_COM_STATUS_CALLBACK_H

#include <windows.h>
#include <objbase.h>

#include "job/client_ref.h"

/** One that calls object, which must answer IDODownloadStatusCallback: else E_NOINTERFACE. */
HRESULT com_status_callback_create(IUnknown *object, struct do_listener **listener);

/** The client's object, with a reference; listener is one of the above. */
HRESULT com_status_callback_get_object(struct do_listener *listener, IUnknown **object);

#endif
