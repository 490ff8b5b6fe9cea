/* SPDX-License-Identifier: MIT */
/*
 * Clients' arguments as text for the TRACE lines of methods. Nothing is converted while nobody
 * reads such lines. Any thread.
 */
#ifndef DO_COM_TRACE_H
#define DO_COM_TRACE_H

#include <windows.h>

/** Room for one argument; longer ones are cut. */
struct com_trace_text
{
    char text[200];
};

/** In quotes; NULL without. Returns buffer's text. */
const char *com_trace_text(const WCHAR *text, struct com_trace_text *buffer);

/** The same for a URL, which loses its query and user info. */
const char *com_trace_url(const WCHAR *url, struct com_trace_text *buffer);

/** As {xxxxxxxx-xxxx-...}. */
const char *com_trace_guid(const GUID *guid, struct com_trace_text *buffer);

#endif
