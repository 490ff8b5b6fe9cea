/* SPDX-License-Identifier: MIT */
/*
 * Listeners (job/client_ref.h) that stand for a client's IBackgroundCopyCallback.
 */
#ifndef DO_COM_CALLBACK_H
#define DO_COM_CALLBACK_H

#include <windows.h>
#include <objbase.h>

#include "job/client_ref.h"

/** One that calls object, which must answer IBackgroundCopyCallback: else E_NOINTERFACE. */
HRESULT com_callback_create(IUnknown *object, struct do_listener **listener);

/** One that activates a class when there is something to tell, and keeps that object. */
HRESULT com_callback_create_for_class(const GUID *class_id, struct do_listener **listener);

/** The object of com_callback_create, with a reference; S_OK and NULL for any other listener. */
HRESULT com_callback_get_object(struct do_listener *listener, IUnknown **object);

/** Whether this is one of com_callback_create. NULL is accepted. */
bool com_callback_is_object(const struct do_listener *listener);

#endif
