/* SPDX-License-Identifier: MIT */
/*
 * From HRESULTs to exit codes and to sentences. Pure but for the system's message tables.
 */
#include "errors.h"

#include "base/alloc.h"
#include "base/compiler.h"

#include <string.h>

struct exit_row
{
    uint32_t first;
    uint32_t last; /* inclusive */
    enum do_exit exit_code;
};

/* The first row that holds a code wins. */
static const struct exit_row exit_rows[] = {
    {0x80D02002, 0x80D02002, DO_EXIT_NETWORK}, /* no progress */
    {0x80D02016, 0x80D02017, DO_EXIT_CONTENT}, /* integrity data missing */
    {0x80D0201A, 0x80D0201D, DO_EXIT_CONTENT}, /* size unknown, encryption */
    {0x80D0201E, 0x80D0201E, DO_EXIT_POLICY},  /* no consent */
    {0x80D03805, 0x80D03805, DO_EXIT_NETWORK}, /* no network */
    {0x80D0380A, 0x80D0380A, DO_EXIT_NETWORK}, /* cloud services */
    {0x80D0380D, 0x80D0380D, DO_EXIT_HTTP},    /* odd 2xx */
    {0x80D03000, 0x80D03FFF, DO_EXIT_POLICY},
    {0x80D05002, 0x80D05002, DO_EXIT_NETWORK}, /* certificate */
    {0x80D05000, 0x80D05FFF, DO_EXIT_CONTENT},
    {0x80D0680B, 0x80D06817, DO_EXIT_NETWORK}, /* peers */
    {0x80D06804, 0x80D06822, DO_EXIT_CONTENT},
    {0x80190000, 0x801903FF, DO_EXIT_HTTP},
    {0x80072710, 0x80072AFF, DO_EXIT_NETWORK}, /* Winsock */
    {0x80072EE0, 0x80072FFF, DO_EXIT_NETWORK}, /* WinINet, WinHTTP */
    {0x80090300, 0x800903FF, DO_EXIT_NETWORK}, /* TLS */
    {0x800B0100, 0x800B01FF, DO_EXIT_NETWORK}, /* certificates */
    {0x800C0003, 0x800C00FF, DO_EXIT_NETWORK}, /* URL monikers; 0x800C0002 is the URL itself */
    {0x80070002, 0x80070005, DO_EXIT_DISK},    /* file, path, handles, access */
    {0x8007000F, 0x8007000F, DO_EXIT_DISK},    /* drive */
    {0x80070013, 0x80070027, DO_EXIT_DISK},    /* write protection ... disk full */
    {0x80070050, 0x80070050, DO_EXIT_DISK},    /* exists */
    {0x80070070, 0x80070070, DO_EXIT_DISK},    /* full */
    {0x8007007B, 0x8007007B, DO_EXIT_DISK},    /* name */
    {0x800700B7, 0x800700B7, DO_EXIT_DISK},    /* exists */
    {0x800700CE, 0x800700CE, DO_EXIT_DISK},    /* name too long */
    {0x8007045D, 0x8007045D, DO_EXIT_DISK},    /* device */
    {0x80070570, 0x80070570, DO_EXIT_DISK},    /* corrupt */
    {0x80030000, 0x800300FF, DO_EXIT_DISK},    /* streams */
    {0x800704C7, 0x800704C7, DO_EXIT_CANCELLED},
    {0x80004004, 0x80004004, DO_EXIT_CANCELLED},
};

enum do_exit do_errors_exit_code(HRESULT hr)
{
    uint32_t code = (uint32_t)hr;

    if (SUCCEEDED(hr))
        return DO_EXIT_OK;
    for (size_t i = 0; i < DO_COUNT_OF(exit_rows); i++)
    {
        if (code >= exit_rows[i].first && code <= exit_rows[i].last)
            return exit_rows[i].exit_code;
    }
    return DO_EXIT_FAILURE;
}

char *do_errors_text(HRESULT hr)
{
    const char *ours = do_hr_text(hr);
    wchar_t *system = NULL;
    char *text = NULL;
    DWORD length;

    if (ours)
        return do_memdup(ours, strlen(ours) + 1);
    length = FormatMessageW(
        FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
        NULL, (DWORD)hr, 0, (wchar_t *)(void *)&system, 0, NULL);
    while (length && system[length - 1] <= L' ')
        system[--length] = 0;
    if (length)
        text = do_console_utf8(system);
    LocalFree(system);
    return text;
}

enum do_exit do_errors_report(struct do_console *console, HRESULT hr, const char *what)
{
    const char *name = do_hr_name(hr);
    char *text = do_errors_text(hr);
    const char *sentence = text ? text : "There is no description of this error.";

    if (name)
        do_console_err(console, "error: %s (0x%08X): %s", name, (unsigned int)hr, sentence);
    else
        do_console_err(console, "error: 0x%08X: %s", (unsigned int)hr, sentence);
    if (what)
        do_console_err(console, " (%s)", what);
    do_console_err(console, "\n");
    do_free(text);
    return do_errors_exit_code(hr);
}
