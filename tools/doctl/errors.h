/* SPDX-License-Identifier: MIT */
/*
 * What a failure looks like from outside: one line of text and the exit code of the process. Any
 * thread.
 */
#ifndef DO_DOCTL_ERRORS_H
#define DO_DOCTL_ERRORS_H

#include "base/hr.h"
#include "console.h"

/* Exit codes; they are part of doctl's interface and `doctl help` lists them. */
enum do_exit
{
    DO_EXIT_OK = 0,
    DO_EXIT_FAILURE = 1,
    DO_EXIT_USAGE = 2,
    DO_EXIT_NETWORK = 3,
    DO_EXIT_HTTP = 4,
    DO_EXIT_CONTENT = 5, /* integrity, size, ranges */
    DO_EXIT_POLICY = 6,
    DO_EXIT_DISK = 7,
    DO_EXIT_DIGEST = 8, /* not the SHA-256 that the user gave */
    DO_EXIT_CANCELLED = 130
};

/** The exit code for a failure, by its kind. DO_EXIT_OK for a success. */
enum do_exit do_errors_exit_code(HRESULT hr);

/**
 * Prints "error: NAME (0x........): text" to stderr and returns the exit code. what says what went
 * wrong ("cannot create the job", or a URL without its query); NULL for nothing.
 */
enum do_exit do_errors_report(struct do_console *console, HRESULT hr, const char *what);

/** The sentence of a code, ours or the system's, do_free'd by the caller; NULL: none. */
char *do_errors_text(HRESULT hr);

#endif
