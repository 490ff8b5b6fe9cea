/* SPDX-License-Identifier: MIT */
/*
 * doctl error: a code or a name becomes name, code and text. Needs no server.
 */
#include "commands.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/hr.h"
#include "base/str.h"
#include "errors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where codes with names lie; searched for a name. */
struct code_range
{
    uint32_t first;
    uint32_t last; /* inclusive */
};

static const struct code_range code_ranges[] = {
    {0x80D01000, 0x80D06FFF},
    {0x80190000, 0x80190258},
    {0x80072EE0, 0x80072FFF},
    {0x80070000, 0x80070FFF},
    {0x80004001, 0x80004005},
    {0x8000FFFF, 0x8000FFFF},
    {0x800C0000, 0x800C00FF},
    {0x00200010, 0x00200020},
    {0x00000000, 0x00000001},
};

/* Names that the win32 docs use beside those of the header. */
struct alias
{
    const char *name;
    HRESULT hr;
};

static const struct alias aliases[] = {
    {"DO_E_NOT_FOUND", DO_E_JOB_NOT_FOUND},
    {"DO_E_EMPTY", DO_E_JOB_EMPTY},
};

static bool code_from_name(const char *name, HRESULT *hr)
{
    for (size_t i = 0; i < DO_COUNT_OF(aliases); i++)
    {
        if (do_str_equal_nocase(aliases[i].name, name))
        {
            *hr = aliases[i].hr;
            return true;
        }
    }
    for (size_t i = 0; i < DO_COUNT_OF(code_ranges); i++)
    {
        for (uint32_t code = code_ranges[i].first; code <= code_ranges[i].last; code++)
        {
            const char *found = do_hr_name((HRESULT)code);

            if (found && do_str_equal_nocase(found, name))
            {
                *hr = (HRESULT)code;
                return true;
            }
        }
    }
    return false;
}

/* The whole text as a number of 32 bits, signed or not. */
static bool parse_number(const char *text, int base, HRESULT *hr)
{
    char *end = NULL;
    long long value;

    errno = 0;
    value = strtoll(text, &end, base);
    if (end == text || *end || errno || value < INT32_MIN || value > UINT32_MAX)
        return false;
    *hr = (HRESULT)(uint32_t)value;
    return true;
}

/* "0x80D02002", "-2133843966", "2161123330"; and "80D02002", which Windows' own dialogs show. */
static bool code_from_number(const char *text, HRESULT *hr)
{
    HRESULT hex;

    if (do_str_starts_nocase(text, "0x"))
        return parse_number(text, 16, hr);
    if (strlen(text) == 8 && parse_number(text, 16, &hex) && do_hr_name(hex))
    {
        *hr = hex;
        return true;
    }
    return parse_number(text, 10, hr);
}

int do_command_error(struct do_client *client, int count, wchar_t **arguments)
{
    char *text;
    HRESULT hr = E_FAIL;
    bool is_code;
    int exit_code = DO_EXIT_FAILURE;

    if (count != 1)
    {
        do_console_err(client->console, "error: give one code or name\nTry: doctl help\n");
        return DO_EXIT_USAGE;
    }
    text = do_console_utf8(arguments[0]);
    if (!text)
        return (int)do_errors_report(client->console, E_OUTOFMEMORY, NULL);
    is_code = code_from_number(text, &hr);
    if (!is_code && !code_from_name(text, &hr))
    {
        do_console_err(client->console, "error: no error has the code or name %s\n", text);
    }
    else if (!do_hr_name(hr))
    {
        do_console_err(client->console, "error: unknown code 0x%08X\n", (unsigned int)hr);
    }
    else
    {
        do_console_out(
            client->console, "%s (0x%08X)\n%s\n", do_hr_name(hr), (unsigned int)hr, do_hr_text(hr));
        exit_code = DO_EXIT_OK;
    }
    do_free(text);
    return exit_code;
}
