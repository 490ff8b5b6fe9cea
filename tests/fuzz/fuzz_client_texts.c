/* SPDX-License-Identifier: MIT */
/*
 * Header lines, lists of proxies and lists of servers that need none. No line goes out that a
 * server could read as two or as one of ours; a proxy that was found is found again in what it was
 * written as; and a list of servers means what its entries mean one by one, by a slower matcher.
 */
#include "fuzz/fuzz.h"

#include "base/str.h"
#include "transfer/header_lines.h"
#include "transfer/proxy.h"

#define SEPARATORS " \t\r\n;"

static bool is_name(const struct do_header_line *line, const char *name)
{
    return strlen(name) == line->name_length && do_str_starts_nocase(line->begin, name);
}

static enum do_header_kind expected_kind(const struct do_header_line *line)
{
    static const char *const ours[] = {"range", "if-range", "accept-encoding", "host",
        "content-length", "transfer-encoding", "connection", "proxy-connection", "te", "upgrade"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
    {
        if (is_name(line, ours[i]))
            return DO_HEADER_SKIP;
    }
    if (is_name(line, "AUTHORIZATION"))
        return DO_HEADER_AUTH;
    if (is_name(line, "COOKIE"))
        return DO_HEADER_COOKIE;
    return is_name(line, "PROXY-AUTHORIZATION") ? DO_HEADER_PROXY : DO_HEADER_PLAIN;
}

/* A line that goes out. */
static void check_line(const struct do_header_line *line)
{
    bool is_empty = true;

    FUZZ_CHECK(line->name_length && line->name_length < line->length);
    FUZZ_CHECK(line->begin[line->name_length] == ':');
    for (size_t i = 0; i < line->length; i++)
    {
        const unsigned char c = (unsigned char)line->begin[i];

        FUZZ_CHECK(c >= 0x20 || (c == '\t' && i > line->name_length));
        FUZZ_CHECK(c != 0x7F);
        if (i < line->name_length)
            FUZZ_CHECK(c > 0x20 && c < 0x7F && !strchr("\"(),/:;<=>?@[\\]{}", c));
        else if (i > line->name_length && c != ' ' && c != '\t')
            is_empty = false;
    }
    FUZZ_CHECK(line->is_empty == is_empty);
    FUZZ_CHECK(expected_kind(line) == line->kind);
}

/* The lines that go out, one after the other, are the same lines. */
static void check_lines_again(const char *sent, size_t count)
{
    struct do_header_line line;

    while (do_header_line_next(&sent, &line))
    {
        FUZZ_CHECK(line.kind != DO_HEADER_SKIP);
        FUZZ_CHECK(count--);
    }
    FUZZ_CHECK(!count);
}

static void run_lines(const char *text)
{
    const char *const end = text + strlen(text);
    const char *rest = text;
    struct do_header_line line;
    struct do_buf sent;
    size_t count = 0;

    do_buf_init(&sent, 0);
    while (do_header_line_next(&rest, &line))
    {
        FUZZ_CHECK(line.length && line.begin >= text && rest == line.begin + line.length);
        FUZZ_CHECK(rest <= end && (*rest == '\r' || *rest == '\n' || rest == end));
        FUZZ_CHECK(strcspn(line.begin, "\r\n") == line.length);
        if (line.kind == DO_HEADER_SKIP)
            continue;
        check_line(&line);
        do_buf_append(&sent, line.begin, line.length);
        do_buf_append_str(&sent, count & 1 ? "\n" : "\r\n");
        count++;
    }
    FUZZ_CHECK(strspn(rest, "\r\n") == strlen(rest));
    FUZZ_CHECK(!sent.failed);
    check_lines_again(do_buf_str(&sent), count);
    do_buf_finish(&sent);
}

static void run_proxies(const char *list, const char *scheme)
{
    const char *port;
    char *proxy;
    char *again;

    FUZZ_CHECK(do_proxy_from_list(list, scheme, &proxy) == S_OK);
    if (!proxy)
        return;
    FUZZ_CHECK(!strncmp(proxy, "http://", 7));
    FUZZ_CHECK(!strpbrk(proxy + 7, SEPARATORS "/=?#@\\\"<>"));
    port = strrchr(proxy, ':');
    FUZZ_CHECK(port > proxy + 7 && strspn(port + 1, "0123456789") == strlen(port + 1));
    FUZZ_CHECK(strtoul(port + 1, NULL, 10) - 1 < 65535);
    FUZZ_CHECK(do_proxy_from_list(proxy, scheme, &again) == S_OK);
    FUZZ_CHECK(again && !strcmp(proxy, again));
    do_free(again);
    do_free(proxy);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether text fits pattern: a table of which beginnings of the two fit. */
static bool fits(const char *pattern, const char *text)
{
    const size_t width = strlen(text) + 1;
    bool *row = calloc(width, sizeof(*row));
    bool result;

    FUZZ_CHECK(row);
    row[0] = true;
    for (; *pattern; pattern++)
    {
        bool before = row[0];

        row[0] = row[0] && *pattern == '*';
        for (size_t i = 1; i < width; i++)
        {
            const bool diagonal = before;

            before = row[i];
            row[i] = *pattern == '*' ? row[i] || row[i - 1]
                                     : diagonal && lower(*pattern) == lower(text[i - 1]);
        }
    }
    result = row[width - 1];
    free(row);
    return result;
}

/* The meaning of one entry that says nothing of ports and schemes. */
static void check_entry(const char *entry, const char *host, bool is_bypassed)
{
    if (do_str_equal_nocase(entry, "<local>"))
        FUZZ_CHECK(is_bypassed == !strpbrk(host, ".:"));
    else if (!strpbrk(entry, ":[]"))
        FUZZ_CHECK(is_bypassed == fits(entry, host));
}

static void run_bypass(char *list, const char *scheme, const char *host, uint16_t port)
{
    const bool whole = do_proxy_is_bypassed(list, scheme, host, port);
    bool any = false;

    while (*list)
    {
        const size_t length = strcspn(list, SEPARATORS);
        const char separator = list[length];
        bool one;

        list[length] = 0;
        one = do_proxy_is_bypassed(list, scheme, host, port);
        if (length)
            check_entry(list, host, one);
        else
            FUZZ_CHECK(!one);
        any = any || one;
        list[length] = separator;
        list += length + (separator != 0);
    }
    FUZZ_CHECK(whole == any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const schemes[] = {"http", "https"};
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};
    const uint32_t what = fuzz_take_below(&input, 3);
    const char *scheme = schemes[fuzz_take_u8(&input) & 1];
    const uint16_t port = (uint16_t)fuzz_take_below(&input, 65536);
    char *host = what == 2 ? fuzz_take_text(&input) : NULL;
    char *text = fuzz_take_text(&input);

    switch (what)
    {
    case 0:
        run_lines(text);
        break;
    case 1:
        run_proxies(text, scheme);
        break;
    default:
        if (host[0])
            run_bypass(text, scheme, host, port);
        break;
    }
    free(text);
    free(host);
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
