/* SPDX-License-Identifier: MIT */
/*
 * Lists of proxies and of servers that need none. Pure.
 */
#include "transfer/proxy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define SEPARATORS " \t\r\n;"

/* A piece of a list. */
struct piece
{
    const char *begin;
    size_t length;
};

static bool next_piece(const char **list, struct piece *piece)
{
    *list += strspn(*list, SEPARATORS);
    piece->begin = *list;
    piece->length = strcspn(*list, SEPARATORS);
    *list += piece->length;
    return piece->length != 0;
}

static void skip(struct piece *piece, size_t length)
{
    piece->begin += length;
    piece->length -= length;
}

/* Cuts "<word><mark>" from the front; false when mark does not occur. */
static bool cut_word(struct piece *piece, const char *mark, struct piece *word)
{
    size_t length = strlen(mark);

    for (size_t i = 0; i + length <= piece->length; i++)
    {
        if (memcmp(piece->begin + i, mark, length) != 0)
            continue;
        *word = (struct piece){piece->begin, i};
        skip(piece, i + length);
        return true;
    }
    return false;
}

static bool piece_equals(struct piece piece, const char *text)
{
    return strlen(text) == piece.length && do_str_starts_nocase(piece.begin, text);
}

/*
 * Splits "host", "host:80", "[::1]", "[::1]:80" and, without a port, "::1". *port is 0 without one.
 * False for what is none of them.
 */
static bool split_port(struct piece server, struct piece *host, uint16_t *port)
{
    size_t colon = server.length;
    size_t colons = 0;
    uint32_t number = 0;

    *port = 0;
    *host = server;
    if (server.length && server.begin[0] == '[')
    {
        const char *end = memchr(server.begin, ']', server.length);

        if (!end)
            return false;
        *host = (struct piece){server.begin + 1, (size_t)(end - server.begin) - 1};
        colon = (size_t)(end - server.begin) + 1;
        if (colon < server.length && server.begin[colon] != ':')
            return false;
        colons = 1;
    }
    else
    {
        for (size_t i = 0; i < server.length; i++)
        {
            if (server.begin[i] == ':' && !colons++)
                colon = i;
        }
        if (colons == 1)
            host->length = colon;
    }
    if (!host->length)
        return false;
    if (colon == server.length || colons > 1)
        return true;
    for (size_t i = colon + 1; i < server.length; i++)
    {
        if (server.begin[i] < '0' || server.begin[i] > '9' || number > UINT16_MAX)
            return false;
        number = number * 10 + (uint32_t)(server.begin[i] - '0');
    }
    *port = (uint16_t)number;
    return number && number <= UINT16_MAX;
}

/* Letters, digits, "-", ".", "_", ":" (IPv6), "%" (a zone) and bytes beyond ASCII (IDN). */
static bool is_host(struct piece host)
{
    for (size_t i = 0; i < host.length; i++)
    {
        unsigned char c = (unsigned char)host.begin[i];

        if (c < 0x80 && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
            !(c >= 'a' && c <= 'z') && !strchr("-._:%", c))
            return false;
    }
    return true;
}

static HRESULT make_proxy(struct piece host, uint16_t port, char **proxy)
{
    bool is_v6 = memchr(host.begin, ':', host.length) != NULL;
    struct do_buf text;

    do_buf_init(&text, 0);
    do_buf_append_str(&text, is_v6 ? "http://[" : "http://");
    do_buf_append(&text, host.begin, host.length);
    do_buf_append_format(&text, "%s:%u", is_v6 ? "]" : "", port ? (unsigned int)port : 80U);
    *proxy = do_buf_take(&text);
    do_buf_finish(&text);
    return *proxy ? S_OK : E_OUTOFMEMORY;
}

HRESULT do_proxy_from_list(const char *list, const char *scheme, char **proxy)
{
    struct piece entry;

    *proxy = NULL;
    while (list && next_piece(&list, &entry))
    {
        struct piece word;
        struct piece host;
        uint16_t port;

        if (cut_word(&entry, "=", &word) && !piece_equals(word, scheme))
            continue;
        if (cut_word(&entry, "://", &word) && !piece_equals(word, "http"))
            continue;
        if (entry.length && entry.begin[entry.length - 1] == '/')
            entry.length--;
        if (split_port(entry, &host, &port) && is_host(host))
            return make_proxy(host, port, proxy);
    }
    return S_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether text fits a pattern in which "*" stands for anything, also for nothing. */
static bool matches(struct piece pattern, const char *text)
{
    size_t at = 0;
    size_t star = pattern.length; /* the last one passed; length = none */
    const char *retry = text;

    while (*text)
    {
        if (at < pattern.length && pattern.begin[at] == '*')
        {
            star = at++;
            retry = text;
        }
        else if (at < pattern.length && lower(pattern.begin[at]) == lower(*text))
        {
            at++;
            text++;
        }
        else if (star < pattern.length)
        {
            at = star + 1;
            text = ++retry;
        }
        else
            return false;
    }
    while (at < pattern.length && pattern.begin[at] == '*')
        at++;
    return at == pattern.length;
}

bool do_proxy_is_bypassed(const char *bypass, const char *scheme, const char *host, uint16_t port)
{
    struct piece entry;

    while (bypass && next_piece(&bypass, &entry))
    {
        struct piece word;
        struct piece name;
        uint16_t only_port;

        if (piece_equals(entry, "<local>"))
        {
            /* An IPv6 address has no dot either, and is no local name. */
            if (!strchr(host, '.') && !strchr(host, ':'))
                return true;
            continue;
        }
        if (cut_word(&entry, "://", &word) && !piece_equals(word, scheme))
            continue;
        if (split_port(entry, &name, &only_port) && (!only_port || only_port == port) &&
            matches(name, host))
            return true;
    }
    return false;
}

void do_proxy_settings_finish(struct do_proxy_settings *settings)
{
    do_free(settings->list);
    do_free(settings->bypass);
    settings->list = NULL;
    settings->bypass = NULL;
}

void do_proxy_script_finish(struct do_proxy_script *script)
{
    do_free(script->url);
    script->url = NULL;
}
