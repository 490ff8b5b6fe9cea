/* SPDX-License-Identifier: MIT */
/*
 * A client's IStream as the place where a file's bytes go (struct do_stream, job/client_ref.h).
 */
#ifndef DO_COM_STREAM_H
#define DO_COM_STREAM_H

#include <windows.h>
#include <objbase.h>

#include "job/client_ref.h"

/** E_NOINTERFACE when object is no IStream (an ISequentialStream is not enough). */
HRESULT com_stream_create(IUnknown *object, struct do_stream **stream);

/** The client's stream, with a reference. */
HRESULT com_stream_get_object(struct do_stream *stream, IUnknown **object);

#endif
