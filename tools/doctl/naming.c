/* SPDX-License-Identifier: MIT */
/*
 * Names from URLs. What a server's URL says is not trusted: it becomes one file name in the
 * directory the user chose, or none.
 */
#include "naming.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/str.h"
#include "console.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* NTFS allows 255; the rest is left for suffixes such as that of a temporary file. */
#define DO_NAME_LENGTH_MAX 200

static const wchar_t *const device_names[] = {L"CON", L"PRN", L"AUX", L"NUL", L"COM1", L"COM2",
    L"COM3", L"COM4", L"COM5", L"COM6", L"COM7", L"COM8", L"COM9", L"LPT1", L"LPT2", L"LPT3",
    L"LPT4", L"LPT5", L"LPT6", L"LPT7", L"LPT8", L"LPT9", L"CONIN$", L"CONOUT$"};

static wchar_t *copy_text(const wchar_t *text, size_t length)
{
    wchar_t *copy = do_alloc_array(length + 1, sizeof(*copy));

    if (copy)
        memcpy(copy, text, length * sizeof(*copy));
    return copy;
}

/* Where the path of url begins: behind the authority, or its end. */
static const wchar_t *path_of_url(const wchar_t *url)
{
    const wchar_t *authority = wcsstr(url, L"://");

    if (!authority)
        return url;
    authority += 3;
    return authority + wcscspn(authority, L"/?#");
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* In place; never grows. "%" without two digits stays as it is. */
static void percent_decode(char *text)
{
    char *end = text;

    for (const char *c = text; *c; c++)
    {
        int high = c[0] == '%' ? hex_value(c[1]) : -1;
        int low = high >= 0 ? hex_value(c[2]) : -1;

        *end++ = low >= 0 ? (char)(high * 16 + low) : *c;
        if (low >= 0)
            c += 2;
    }
    *end = 0;
}

/* The first length characters of part, decoded when that gives UTF-8, else as they are. */
static HRESULT decode_part(const wchar_t *part, size_t length, wchar_t **decoded)
{
    wchar_t *raw = copy_text(part, length);
    char *utf8 = NULL;
    HRESULT hr = E_OUTOFMEMORY;

    *decoded = NULL;
    if (!raw)
        return hr;
    if (SUCCEEDED(hr = do_utf8_from_utf16(raw, &utf8)))
    {
        percent_decode(utf8);
        hr = do_utf16_from_utf8(utf8, decoded);
    }
    do_free(utf8);
    if (hr == E_INVALIDARG)
    {
        *decoded = raw;
        return S_OK;
    }
    do_free(raw);
    return hr;
}

static bool is_device_name(const wchar_t *name)
{
    size_t length = wcscspn(name, L".");

    while (length && name[length - 1] == L' ')
        length--;
    for (size_t i = 0; i < DO_COUNT_OF(device_names); i++)
    {
        if (wcslen(device_names[i]) == length && !_wcsnicmp(name, device_names[i], length))
            return true;
    }
    return false;
}

/* In place: what Windows forbids becomes '_', and dots and spaces at the end, which it drops, go.
 */
static void sanitize(wchar_t *name)
{
    size_t length = wcslen(name);

    if (length > DO_NAME_LENGTH_MAX)
    {
        length = DO_NAME_LENGTH_MAX;
        if (name[length - 1] >= 0xD800 && name[length - 1] <= 0xDBFF)
            length--;
    }
    while (length && (name[length - 1] == L'.' || name[length - 1] == L' '))
        length--;
    name[length] = 0;
    for (size_t i = 0; i < length; i++)
    {
        if (name[i] < 0x20 || name[i] == 0x7F || wcschr(L"<>:\"/\\|?*", name[i]))
            name[i] = L'_';
    }
}

/* A do_alloc'ed a followed by b. */
static HRESULT join(const wchar_t *a, const wchar_t *b, wchar_t **joined)
{
    size_t length_a = wcslen(a);
    size_t length_b = wcslen(b);

    *joined = do_alloc_array(length_a + length_b + 1, sizeof(**joined));
    if (!*joined)
        return E_OUTOFMEMORY;
    memcpy(*joined, a, length_a * sizeof(*a));
    memcpy(*joined + length_a, b, length_b * sizeof(*b));
    return S_OK;
}

HRESULT do_naming_file_from_url(const wchar_t *url, wchar_t **name)
{
    const wchar_t *path = path_of_url(url);
    const wchar_t *end = path + wcscspn(path, L"?#");
    const wchar_t *part = end;
    wchar_t *decoded = NULL;
    HRESULT hr;

    *name = NULL;
    while (part > path && part[-1] != L'/' && part[-1] != L'\\')
        part--;
    if (FAILED(hr = decode_part(part, (size_t)(end - part), &decoded)))
        return hr;
    sanitize(decoded);
    if (!decoded[0])
        hr = join(L"index.html", L"", name);
    else
        hr = join(is_device_name(decoded) ? L"_" : L"", decoded, name);
    do_free(decoded);
    return hr;
}

static HRESULT full_path(const wchar_t *relative, wchar_t **path)
{
    DWORD needed = GetFullPathNameW(relative, 0, NULL, NULL);
    DWORD length;

    *path = NULL;
    if (!needed)
        return do_hr_from_win32(GetLastError());
    *path = do_alloc_array(needed, sizeof(**path));
    if (!*path)
        return E_OUTOFMEMORY;
    length = GetFullPathNameW(relative, needed, *path, NULL);
    if (length && length < needed)
        return S_OK;
    /* Longer than a moment ago: another thread changed the directory, and we have none. */
    do_free(*path);
    *path = NULL;
    return E_UNEXPECTED;
}

static bool names_a_directory(const wchar_t *path)
{
    size_t length = wcslen(path);
    DWORD attributes = GetFileAttributesW(path);

    if (length && (path[length - 1] == L'/' || path[length - 1] == L'\\'))
        return true;
    return attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
}

HRESULT do_naming_full_path(const wchar_t *output, const wchar_t *name, wchar_t **path)
{
    wchar_t *directory = NULL;
    wchar_t *joined = NULL;
    HRESULT hr;

    *path = NULL;
    if (output && !names_a_directory(output))
        return full_path(output, path);
    if (SUCCEEDED(hr = join(output ? output : L".", L"\\", &directory)) &&
        SUCCEEDED(hr = join(directory, name, &joined)))
        hr = full_path(joined, path);
    do_free(joined);
    do_free(directory);
    return hr;
}

const wchar_t *do_naming_last_part(const wchar_t *path)
{
    const wchar_t *last = path + wcslen(path);

    while (last > path && !wcschr(L"/\\:", last[-1]))
        last--;
    return last;
}

char *do_naming_printable_url(const wchar_t *url)
{
    const wchar_t *path = path_of_url(url);
    const wchar_t *host = wcsstr(url, L"://");
    wchar_t *clean = copy_text(url, wcslen(url));
    char *utf8 = NULL;

    if (!clean)
        return NULL;
    host = host ? host + 3 : url;
    for (const wchar_t *c = host; c < path; c++)
    {
        if (*c == L'@') /* user and password end at the last one */
        {
            const wchar_t *after = c + 1;
            size_t scheme_length = (size_t)(host - url);

            memcpy(clean + scheme_length, after, (wcslen(after) + 1) * sizeof(*clean));
        }
    }
    clean[wcscspn(clean, L"?#")] = 0;
    utf8 = do_console_utf8(clean);
    do_free(clean);
    return utf8;
}
