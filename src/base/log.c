/* SPDX-License-Identifier: MIT */
/*
 * Formats log lines and hands them to the sink. The sink and level are atomics: setting them races
 * with nothing.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Atomic(do_log_sink_fn) log_sink;
static atomic_int log_level = -1;

void do_log_set(do_log_sink_fn sink, enum do_log_level level)
{
    atomic_store(&log_sink, sink);
    atomic_store(&log_level, sink ? (int)level : -1);
}

bool do_log_enabled(enum do_log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

void do_log(enum do_log_level level, enum do_log_area area, const char *format, ...)
{
    do_log_sink_fn sink = atomic_load(&log_sink);
    char line[1000];
    va_list args;
    int length;

    if (!sink || !do_log_enabled(level))
        return;
    va_start(args, format);
    length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length < 0)
        line[0] = 0;
    else if (length >= (int)sizeof(line))
        memcpy(line + sizeof(line) - 4, "...", 4);
    sink(level, area, line);
}

const char *do_log_level_name(enum do_log_level level)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "TRACE"};

    return names[level];
}

const char *do_log_area_name(enum do_log_area area)
{
    static const char *const names[] = {"com", "job", "xfer", "http", "store"};

    return names[area];
}

/*
 * Also for what is no URL: a client that forgets the scheme or a slash must not find its password
 * in a log. So the scheme takes all slashes that follow it, and without one the text begins with
 * the authority.
 */
const char *do_log_url(const char *url, char *out, size_t size)
{
    size_t end = strcspn(url, "?#");
    size_t colon = strcspn(url, ":@/\\?#");
    size_t scheme = 0;
    size_t user = 0;
    size_t authority_end;

    if (url[colon] == ':' && (url[colon + 1] == '/' || url[colon + 1] == '\\'))
        scheme = colon + 1 + strspn(url + colon + 1, "/\\");
    authority_end = scheme + strcspn(url + scheme, "/?#");
    for (size_t i = scheme; i < authority_end; i++)
    {
        if (url[i] == '@')
            user = i + 1 - scheme;
    }
    (void)snprintf(
        out, size, "%.*s%.*s", (int)scheme, url, (int)(end - scheme - user), url + scheme + user);
    return out;
}
