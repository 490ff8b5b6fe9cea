/* SPDX-License-Identifier: MIT */
/*
 * Arguments become options. A value is checked as far as its form goes; what it means is the
 * server's to judge.
 */
#include "options.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "errors.h"

#include <string.h>

#define DO_TIMEOUT_DEFAULT_S 60

/* Values. Each returns E_INVALIDARG for a bad one. */

struct mode_name
{
    const wchar_t *name;
    enum do_progress_mode mode;
};

static const struct mode_name mode_names[] = {
    {L"auto", DO_PROGRESS_AUTO},
    {L"bar", DO_PROGRESS_BAR},
    {L"plain", DO_PROGRESS_PLAIN},
    {L"none", DO_PROGRESS_NONE},
};

static HRESULT parse_mode(const wchar_t *text, struct do_options *options)
{
    for (size_t i = 0; i < DO_COUNT_OF(mode_names); i++)
    {
        if (!wcscmp(mode_names[i].name, text))
        {
            options->progress_mode = mode_names[i].mode;
            return S_OK;
        }
    }
    return E_INVALIDARG;
}

/* The digits at *text, which moves behind them; false when there are none or too many. */
static bool parse_number(const wchar_t **text, uint64_t limit, uint64_t *number)
{
    const wchar_t *digit = *text;

    *number = 0;
    for (; *digit >= L'0' && *digit <= L'9'; digit++)
    {
        uint64_t value = (uint64_t)(*digit - L'0');

        if (*number > (limit - value) / 10)
            return false;
        *number = *number * 10 + value;
    }
    if (digit == *text)
        return false;
    *text = digit;
    return true;
}

static HRESULT parse_timeout(const wchar_t *text, struct do_options *options)
{
    uint64_t seconds;

    if (!parse_number(&text, UINT32_MAX, &seconds) || *text)
        return E_INVALIDARG;
    options->timeout_s = (ULONG)seconds;
    options->timeout_is_set = true;
    return S_OK;
}

static HRESULT parse_output(const wchar_t *text, struct do_options *options)
{
    options->output = text;
    return text[0] ? S_OK : E_INVALIDARG;
}

static HRESULT parse_sha256(const wchar_t *text, struct do_options *options)
{
    options->sha256_is_set = do_digest_parse(text, options->sha256);
    return options->sha256_is_set ? S_OK : E_INVALIDARG;
}

/* "A-B", both inclusive, or "A-" to the end, as in HTTP and curl. */
static bool parse_range(const wchar_t **text, BG_FILE_RANGE *range)
{
    uint64_t first;
    uint64_t last;

    if (!parse_number(text, INT64_MAX, &first) || **text != L'-')
        return false;
    ++*text;
    range->InitialOffset = first;
    range->Length = BG_LENGTH_TO_EOF;
    if (!**text || **text == L',')
        return true;
    if (!parse_number(text, INT64_MAX, &last) || last < first)
        return false;
    range->Length = last - first + 1;
    return true;
}

static HRESULT parse_ranges(const wchar_t *text, struct do_options *options)
{
    size_t count = 1;

    for (const wchar_t *c = text; *c; c++)
        count += *c == L',';
    do_free(options->ranges);
    options->range_count = 0;
    if (!(options->ranges = do_alloc_array(count, sizeof(*options->ranges))))
        return E_OUTOFMEMORY;
    for (; options->range_count < count; options->range_count++)
    {
        if (!parse_range(&text, &options->ranges[options->range_count]))
            return E_INVALIDARG;
        if (*text == L',')
            text++;
        else if (options->range_count + 1 < count)
            return E_INVALIDARG;
    }
    return *text ? E_INVALIDARG : S_OK;
}

/* "Name: value", one more line. */
static HRESULT parse_header(const wchar_t *text, struct do_options *options)
{
    size_t before = options->headers ? wcslen(options->headers) : 0;
    size_t length = wcslen(text);
    size_t name_length = wcscspn(text, L": \t\r\n");
    wchar_t *headers;

    if (!name_length || text[name_length] != L':' || wcspbrk(text, L"\r\n"))
        return E_INVALIDARG;
    headers = do_realloc_array(options->headers, before + length + 3, sizeof(*headers));
    if (!headers)
        return E_OUTOFMEMORY;
    memcpy(headers + before, text, length * sizeof(*headers));
    memcpy(headers + before + length, L"\r\n", 3 * sizeof(*headers));
    options->headers = headers;
    return S_OK;
}

/* What would have to be escaped inside JSON is in no URL and no base64. */
static bool is_plain(const wchar_t *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
    {
        if (*text <= L' ' || *text == L'"' || *text == L'\\')
            return false;
    }
    return true;
}

static HRESULT parse_piece_hashes(const wchar_t *text, struct do_options *options)
{
    options->piece_hashes = text;
    return is_plain(text) ? S_OK : E_INVALIDARG;
}

static HRESULT parse_piece_hashes_hash(const wchar_t *text, struct do_options *options)
{
    options->piece_hashes_hash = text;
    return is_plain(text) ? S_OK : E_INVALIDARG;
}

/* Options */

struct value_option
{
    const wchar_t *name;
    bool only_get;
    HRESULT (*parse)(const wchar_t *text, struct do_options *options);
};

static const struct value_option value_options[] = {
    {L"-o", true, parse_output},
    {L"--output", true, parse_output},
    {L"--timeout", false, parse_timeout},
    {L"--progress", false, parse_mode},
    {L"--sha256", false, parse_sha256},
    {L"-r", true, parse_ranges},
    {L"--ranges", true, parse_ranges},
    {L"-H", true, parse_header},
    {L"--header", true, parse_header},
    {L"--phf", true, parse_piece_hashes},
    {L"--phf-hash", true, parse_piece_hashes_hash},
};

/* An option without a value. */
static bool parse_flag(const wchar_t *argument, struct do_options *options)
{
    if (!wcscmp(argument, L"-q") || !wcscmp(argument, L"--quiet"))
        options->progress_mode = DO_PROGRESS_NONE;
    else if (options->is_get && !wcscmp(argument, L"--foreground"))
        options->is_background = false;
    else if (options->is_get && !wcscmp(argument, L"--background"))
        options->is_background = true;
    else if (options->is_get && (!wcscmp(argument, L"-k") || !wcscmp(argument, L"--insecure")))
        options->is_insecure = true;
    else
        return false;
    return true;
}

/*
 * The option at arguments[*index], with its value, "--name=value" or the next argument; *index
 * moves on to the last argument used. E_INVALIDARG when there is no such option or its value is
 * wrong.
 */
static HRESULT parse_option(int count, wchar_t **arguments, int *index, struct do_options *options)
{
    const wchar_t *argument = arguments[*index];
    size_t name_length = wcscspn(argument, L"=");

    if (parse_flag(argument, options))
        return S_OK;
    for (size_t i = 0; i < DO_COUNT_OF(value_options); i++)
    {
        const struct value_option *option = &value_options[i];

        if (wcslen(option->name) != name_length || wcsncmp(option->name, argument, name_length) ||
            (option->only_get && !options->is_get))
            continue;
        if (argument[name_length])
            return option->parse(argument + name_length + 1, options);
        if (*index + 1 >= count)
            return E_INVALIDARG;
        ++*index;
        return option->parse(arguments[*index], options);
    }
    return E_INVALIDARG;
}

int do_options_usage_error(struct do_client *client, const wchar_t *argument, const char *problem)
{
    char *printable = do_console_utf8(argument);

    if (argument)
        do_console_err(client->console, "error: %s: %s\n", problem, printable ? printable : "?");
    else
        do_console_err(client->console, "error: %s\n", problem);
    do_console_err(client->console, "Try: doctl help\n");
    do_free(printable);
    return DO_EXIT_USAGE;
}

int do_options_parse(struct do_client *client, int count, wchar_t **arguments, bool is_get,
    struct do_options *options)
{
    bool only_operands = false;

    *options = (struct do_options){.is_get = is_get, .timeout_s = DO_TIMEOUT_DEFAULT_S};
    for (int i = 0; i < count; i++)
    {
        const wchar_t *argument = arguments[i];

        if (!only_operands && !wcscmp(argument, L"--"))
            only_operands = true;
        else if (!only_operands && argument[0] == L'-')
        {
            HRESULT hr = parse_option(count, arguments, &i, options);

            if (hr == E_OUTOFMEMORY)
                return (int)do_errors_report(client->console, hr, NULL);
            if (FAILED(hr))
                return do_options_usage_error(client, argument, "unknown option or bad value");
        }
        else if (options->target)
            return do_options_usage_error(client, argument, "one argument too many");
        else
            options->target = argument;
    }
    if (!options->target)
        return do_options_usage_error(
            client, NULL, is_get ? "a URL is missing" : "a job or download is missing");
    if (!options->piece_hashes != !options->piece_hashes_hash)
        return do_options_usage_error(client, NULL, "--phf and --phf-hash go together");
    return DO_EXIT_OK;
}

void do_options_finish(struct do_options *options)
{
    do_free(options->headers);
    do_free(options->ranges);
    options->headers = NULL;
    options->ranges = NULL;
    options->range_count = 0;
}
