/* SPDX-License-Identifier: MIT */
/*
 * The header lines that a client wants sent: which of them are well formed, and where each may go.
 * Pure. Any thread.
 */
#ifndef DO_TRANSFER_HEADER_LINES_H
#define DO_TRANSFER_HEADER_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum do_header_kind
{
    DO_HEADER_SKIP,   /* malformed, or ours alone to say: Range, Host, Connection ... */
    DO_HEADER_PLAIN,  /* goes with every request, redirections included */
    DO_HEADER_AUTH,   /* Authorization: for nobody but the host that was asked */
    DO_HEADER_COOKIE, /* Cookie: likewise */
    DO_HEADER_PROXY   /* Proxy-Authorization: for proxies only */
};

/** One line, borrowed from the text that it was read from. */
struct do_header_line
{
    enum do_header_kind kind;
    const char *begin;
    size_t length;      /* without the line end */
    size_t name_length; /* what comes before the colon; not set with DO_HEADER_SKIP */
    bool is_empty;      /* there is no value */
};

/**
 * Reads the line at *text, which may end in CR, LF or CRLF, and moves *text behind it. False when
 * there is none left; NULL has none.
 */
bool do_header_line_next(const char **text, struct do_header_line *line);

#endif
