/* SPDX-License-Identifier: MIT */
/*
 * Where doctl's words go: UTF-8 to files and pipes, UTF-16 to a console, and Ctrl+C. Used on the
 * main thread only, except that Windows calls the Ctrl+C handler on a thread of its own, which does
 * nothing but set an event.
 */
#ifndef DO_DOCTL_CONSOLE_H
#define DO_DOCTL_CONSOLE_H

#include <stdbool.h>
#include <wchar.h>

#include "base/compiler.h"

#include <windows.h>

struct do_console
{
    HANDLE out; /* borrowed, like the next */
    HANDLE err;
    bool out_is_console;
    bool err_is_console;
    HANDLE interrupted; /* manual reset; NULL until do_console_catch_interrupt */
};

void do_console_init(struct do_console *console);
void do_console_finish(struct do_console *console);

/** Prints data: to stdout. format and arguments are UTF-8. */
void do_console_out(struct do_console *console, const char *format, ...) DO_PRINTF(2, 3);

/** Prints diagnostics: to stderr. format and arguments are UTF-8. */
void do_console_err(struct do_console *console, const char *format, ...) DO_PRINTF(2, 3);

/** Whether a bar may be drawn on stderr: a console, and neither NO_COLOR nor TERM=dumb. */
bool do_console_can_redraw(const struct do_console *console);

/** Columns of the console behind stderr; 80 when there is none or it does not say. */
unsigned int do_console_width(const struct do_console *console);

/** From now on the first Ctrl+C only ends do_console_wait; the second ends the process. */
HRESULT do_console_catch_interrupt(struct do_console *console);

/** Waits, at most timeout_ms; true when Ctrl+C was pressed. */
bool do_console_wait(struct do_console *console, DWORD timeout_ms);

/**
 * A UTF-8 copy of text for printing, do_free'd by the caller: control characters become '?', and so
 * do surrogates without a partner. "" for NULL. NULL when out of memory, which printf shows.
 */
char *do_console_utf8(const wchar_t *text);

#endif
