/* SPDX-License-Identifier: MIT */
/*
 * URLs and local names of clients. A URL that is accepted, written down again, is the same one and
 * has nothing in it that could end a request line; a path that is accepted is one name below a
 * drive or a share, whatever stands around it.
 */
#include "fuzz/fuzz.h"

#include "base/path.h"
#include "base/str.h"
#include "transfer/url.h"

static char *get_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;

    FUZZ_CHECK(curl_url_get(parsed, part, &text, 0) == CURLUE_OK);
    return text;
}

/* The URL as it will be asked for. */
static void check_parsed(const char *given, CURLU *parsed)
{
    char *url = get_part(parsed, CURLUPART_URL);
    char *host = get_part(parsed, CURLUPART_HOST);
    CURLU *reparsed;
    char *again;

    FUZZ_CHECK(do_str_starts_nocase(url, "http://") || do_str_starts_nocase(url, "https://"));
    FUZZ_CHECK(host[0] && !strpbrk(host, "/?#@ "));
    for (const char *c = url; *c; c++)
        FUZZ_CHECK((unsigned char)*c > 0x20 && *c != 0x7F);
    FUZZ_CHECK(do_url_parse(url, &reparsed) == S_OK);
    again = get_part(reparsed, CURLUPART_URL);
    FUZZ_CHECK(!strcmp(url, again));
    FUZZ_CHECK(do_url_is_local(given) == do_url_is_local(url));
    if (do_url_is_local(url))
        FUZZ_CHECK(
            !strncmp(host, "127.", 4) || !strcmp(host, "[::1]") ||
            (strlen(host) >= 9 && do_str_equal_nocase(host + strlen(host) - 9, "localhost")));
    curl_free(again);
    curl_url_cleanup(reparsed);
    curl_free(host);
    curl_free(url);
}

static void run_url(const char *text)
{
    CURLU *parsed;
    const HRESULT hr = do_url_parse(text, &parsed);

    FUZZ_CHECK(do_url_check(text) == hr);
    FUZZ_CHECK(hr == S_OK || hr == DO_HR_INET_INVALID_URL);
    FUZZ_CHECK((hr == S_OK) == (parsed != NULL));
    if (parsed)
        check_parsed(text, parsed);
    curl_url_cleanup(parsed);
}

/* The verdict on a path with something before and behind it. */
static HRESULT check_with(const char *before, const char *path, const char *behind)
{
    struct do_buf text;
    HRESULT hr;

    do_buf_init(&text, 0);
    do_buf_append_str(&text, before);
    do_buf_append_str(&text, path);
    do_buf_append_str(&text, behind);
    hr = do_path_check_windows(do_buf_str(&text));
    do_buf_finish(&text);
    return hr;
}

/* The same path with the other separators and the other letters. */
static HRESULT check_turned(const char *path)
{
    char *turned = do_str_dup(path);
    HRESULT hr;

    FUZZ_CHECK(turned);
    for (char *c = turned; *c; c++)
    {
        if (*c == '\\' || *c == '/')
            *c = *c == '/' ? '\\' : '/';
        else if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
            *c ^= 0x20;
    }
    hr = do_path_check_windows(turned);
    do_free(turned);
    return hr;
}

static bool is_extended(const char *path)
{
    return !strncmp(path, "\\\\?\\", 4);
}

static bool is_drive(const char *path)
{
    return path[0] && path[1] == ':';
}

static void check_accepted(const char *path)
{
    static const char *const bad_ends[] = {"\\", "/", ".", " ", "\\..", "/../x", "\\.\\x", "\\\\x",
        "\\con", "/NUL.txt", "\\Lpt9 .x\\x", "\\com\xC2\xB9", "\\x.", "\\x "};
    static const char *const bad_characters[] = {":x", "*", "?", "<", ">", "|", "\"", "\x01", "\n"};
    const size_t name = do_path_name_offset(path);

    FUZZ_CHECK(name >= 3 && path[name]);
    FUZZ_CHECK(!strpbrk(path + name, "\\/:*?\"<>|"));
    for (size_t i = 0; i < sizeof(bad_ends) / sizeof(bad_ends[0]); i++)
        FUZZ_CHECK(check_with("", path, bad_ends[i]) == E_INVALIDARG);
    for (size_t i = 0; i < sizeof(bad_characters) / sizeof(bad_characters[0]); i++)
        FUZZ_CHECK(check_with("", path, bad_characters[i]) == DO_HR_INVALID_NAME);
    FUZZ_CHECK(check_with("", path, "\\x") == S_OK);
    FUZZ_CHECK(check_with("", path, "/.x") == S_OK);
    FUZZ_CHECK(check_with("", path, ".x") == S_OK);
    FUZZ_CHECK(FAILED(check_with("C:\\", path, "")) || path[0] == '\\' || path[0] == '/');
    if (!is_extended(path) && is_drive(path))
        FUZZ_CHECK(check_with("\\\\?\\", path, "") == S_OK);
}

static void run_path(const char *path)
{
    const HRESULT hr = do_path_check_windows(path);

    FUZZ_CHECK(hr == S_OK || hr == E_INVALIDARG || hr == DO_HR_INVALID_NAME);
    FUZZ_CHECK(do_path_name_offset(path) <= strlen(path));
    if (!is_extended(path) && strncmp(path, "//?/", 4) != 0)
        FUZZ_CHECK(check_turned(path) == hr);
    if (hr == S_OK)
        check_accepted(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};
    const bool is_path = fuzz_take_u8(&input) & 1;
    char *text = fuzz_take_text(&input);

    if (is_path)
        run_path(text);
    else
        run_url(text);
    free(text);
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
