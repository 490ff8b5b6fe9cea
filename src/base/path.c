/* SPDX-License-Identifier: MIT */
/*
 * Rules for local names. Pure text work; nothing here touches a file.
 */
#include "base/path.h"

#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"

static bool is_separator(char c)
{
    return c == '\\' || c == '/';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether a part, up to its first dot, is a device's name (Source: "Naming Files, Paths"). */
static bool is_device_name(const char *part, size_t length)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    char stem[8];
    size_t stem_length = 0;

    while (stem_length < length && part[stem_length] != '.')
        stem_length++;
    while (stem_length && part[stem_length - 1] == ' ')
        stem_length--;
    if (!stem_length || stem_length >= sizeof(stem))
        return false;
    memcpy(stem, part, stem_length);
    stem[stem_length] = 0;
    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        if (do_str_equal_nocase(stem, names[i]))
            return true;
    }
    if (!do_str_starts_nocase(stem, "COM") && !do_str_starts_nocase(stem, "LPT"))
        return false;
    /* The superscript digits of Latin-1 count as digits here (COM and U+00B9). */
    return (stem_length == 4 && stem[3] >= '1' && stem[3] <= '9') ||
           !strcmp(stem + 3, "\xC2\xB9") || !strcmp(stem + 3, "\xC2\xB2") ||
           !strcmp(stem + 3, "\xC2\xB3");
}

/* Checks the parts after the root. At least one is needed, and none may be empty. */
static HRESULT check_parts(const char *path)
{
    if (!*path)
        return E_INVALIDARG;
    while (*path)
    {
        size_t length = strcspn(path, "\\/");

        if (!length || path[length - 1] == '.' || path[length - 1] == ' ')
            return E_INVALIDARG;
        if (is_device_name(path, length))
            return E_INVALIDARG;
        path += length;
        if (*path && !*++path)
            return E_INVALIDARG;
    }
    return S_OK;
}

/* Skips server\share\ of a UNC name; NULL when one of the two is missing or made of dots. */
static const char *skip_share(const char *path)
{
    for (int i = 0; i < 2; i++)
    {
        size_t length = strcspn(path, "\\/");

        if (!length || !path[length] || strspn(path, ". ") >= length)
            return NULL;
        path += length + 1;
    }
    return path;
}

HRESULT do_path_check_windows(const char *path)
{
    bool extended = path[0] == '\\' && path[1] == '\\' && path[2] == '?' && path[3] == '\\';
    const char *rest = extended ? path + 4 : path;
    bool drive = is_letter(rest[0]) && rest[1] == ':';

    if (!*path)
        return E_INVALIDARG;
    for (const char *c = rest; *c; c++)
    {
        if ((unsigned char)*c < 0x20 || strchr("<>\"|?*", *c) || (*c == ':' && c != rest + 1))
            return DO_HR_INVALID_NAME;
    }
    if (rest[0] && rest[1] == ':' && !drive)
        return DO_HR_INVALID_NAME;

    if (drive)
        return is_separator(rest[2]) ? check_parts(rest + 3) : E_INVALIDARG;
    if (extended)
    {
        if (!do_str_starts_nocase(rest, "UNC\\"))
            return E_INVALIDARG;
        rest += 4;
    }
    else if (is_separator(rest[0]) && is_separator(rest[1]))
        rest += 2;
    else
        return E_INVALIDARG;
    if (rest[0] == '.' || !(rest = skip_share(rest)))
        return E_INVALIDARG;
    return check_parts(rest);
}

size_t do_path_name_offset(const char *path)
{
    size_t offset = 0;

    for (size_t i = 0; path[i]; i++)
    {
        if (is_separator(path[i]))
            offset = i + 1;
    }
    return offset;
}
