/* SPDX-License-Identifier: MIT */
/*
 * The one way to log. Levels: ERROR is our fault, WARN theirs, INFO a life event of a job, TRACE
 * the arguments of a COM method. Areas group lines. The sink is a function, set once by the DLL or
 * a test; without one nothing is formatted. URLs are logged without query, headers never. Any
 * thread.
 */
#ifndef DO_BASE_LOG_H
#define DO_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

enum do_log_level
{
    DO_LOG_ERROR,
    DO_LOG_WARN,
    DO_LOG_INFO,
    DO_LOG_TRACE
};

enum do_log_area
{
    DO_LOG_COM,
    DO_LOG_JOB,
    DO_LOG_XFER,
    DO_LOG_HTTP,
    DO_LOG_STORE
};

/** Receives one finished line without a newline. Any thread, also several at once. */
typedef void (*do_log_sink_fn)(enum do_log_level level, enum do_log_area area, const char *line);

/**
 * Lines of level and below go to sink; NULL switches logging off. May be called again at any time.
 */
void do_log_set(do_log_sink_fn sink, enum do_log_level level);

/** Whether a line of this level would go anywhere: for callers whose arguments cost something. */
bool do_log_enabled(enum do_log_level level);

/** Logs one line, cut visibly at 1000 bytes. */
void do_log(enum do_log_level level, enum do_log_area area, const char *format, ...)
    DO_PRINTF(3, 4);

/** "ERROR", "WARN", "INFO", "TRACE". */
const char *do_log_level_name(enum do_log_level level);

/** "com", "job", "xfer", "http", "store". */
const char *do_log_area_name(enum do_log_area area);

/**
 * Writes url into out, up to its query or fragment and without user info, cut to size. Returns out.
 * url may be any text, such as a client's URL without a scheme.
 */
const char *do_log_url(const char *url, char *out, size_t size);

#endif
