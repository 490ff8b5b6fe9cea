/* SPDX-License-Identifier: MIT */
/*
 * Arguments as text. Any thread.
 */
#include "com/trace.h"

#include <stdio.h>

#include <objbase.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "com/com_object.h"

/* As much of text as there is room for, in UTF-8. */
static void convert(const WCHAR *text, char *out, size_t size)
{
    size_t length = 0;
    int written;

    /* A UTF-16 unit has at most three bytes in UTF-8. */
    while (text[length] && length < (size - 1) / 3)
        length++;
    written = WideCharToMultiByte(CP_UTF8, 0, text, (int)length, out, (int)size - 1, NULL, NULL);
    out[written > 0 ? written : 0] = 0;
}

const char *com_trace_text(const WCHAR *text, struct com_trace_text *buffer)
{
    char utf8[sizeof(buffer->text) - 2];

    if (!do_log_enabled(DO_LOG_TRACE))
        return "";
    if (!text)
        return "NULL";
    convert(text, utf8, sizeof(utf8));
    (void)snprintf(buffer->text, sizeof(buffer->text), "\"%s\"", utf8);
    return buffer->text;
}

const char *com_trace_url(const WCHAR *url, struct com_trace_text *buffer)
{
    char *utf8;

    if (!do_log_enabled(DO_LOG_TRACE))
        return "";
    if (!url)
        return "NULL";
    /* Whole: the end of the user info, by which a password is found, may lie beyond the cut. */
    if (FAILED(com_text_in(url, &utf8)))
        return "?";
    (void)do_log_url(utf8, buffer->text, sizeof(buffer->text));
    do_free(utf8);
    return buffer->text;
}

const char *com_trace_guid(const GUID *guid, struct com_trace_text *buffer)
{
    WCHAR text[40];

    if (!do_log_enabled(DO_LOG_TRACE))
        return "";
    if (!guid || !StringFromGUID2(guid, text, DO_COUNT_OF(text)))
        return "NULL";
    convert(text, buffer->text, sizeof(buffer->text));
    return buffer->text;
}
