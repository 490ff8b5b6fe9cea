/* SPDX-License-Identifier: MIT */
/*
 * Header lines of clients. What does not make sense is skipped without a word, as it is elsewhere:
 * a line that could be read in two ways never reaches a server.
 */
#include "transfer/header_lines.h"

#include <string.h>

#include "base/compiler.h"
#include "base/str.h"

/* tchar, RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const struct
{
    const char *name;
    enum do_header_kind kind;
} names[] = {
    {"Range", DO_HEADER_SKIP},
    {"If-Range", DO_HEADER_SKIP},
    {"Accept-Encoding", DO_HEADER_SKIP},
    {"Host", DO_HEADER_SKIP},
    {"Content-Length", DO_HEADER_SKIP},
    {"Transfer-Encoding", DO_HEADER_SKIP},
    {"Connection", DO_HEADER_SKIP},
    {"Proxy-Connection", DO_HEADER_SKIP},
    {"TE", DO_HEADER_SKIP},
    {"Upgrade", DO_HEADER_SKIP},
    {"Authorization", DO_HEADER_AUTH},
    {"Cookie", DO_HEADER_COOKIE},
    {"Proxy-Authorization", DO_HEADER_PROXY},
};

static enum do_header_kind kind_of(const char *name, size_t length)
{
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        if (strlen(names[i].name) == length && do_str_starts_nocase(name, names[i].name))
            return names[i].kind;
    }
    return DO_HEADER_PLAIN;
}

/* Sets everything but begin and length. */
static void judge(struct do_header_line *line)
{
    size_t name = 0;

    line->kind = DO_HEADER_SKIP;
    line->is_empty = true;
    while (name < line->length && is_token_char(line->begin[name]))
        name++;
    /* No blank may stand before the colon: RFC 9112 5.1. */
    if (!name || name == line->length || line->begin[name] != ':')
        return;
    for (size_t i = name + 1; i < line->length; i++)
    {
        unsigned char c = (unsigned char)line->begin[i];

        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return;
        if (c != ' ' && c != '\t')
            line->is_empty = false;
    }
    line->name_length = name;
    line->kind = kind_of(line->begin, name);
}

bool do_header_line_next(const char **text, struct do_header_line *line)
{
    const char *at = *text;

    if (!at)
        return false;
    at += strspn(at, "\r\n");
    memset(line, 0, sizeof(*line));
    line->begin = at;
    line->length = strcspn(at, "\r\n");
    *text = at + line->length;
    if (!line->length)
        return false;
    judge(line);
    return true;
}
