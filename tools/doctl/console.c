/* SPDX-License-Identifier: MIT */
/*
 * Output and Ctrl+C. The event is static because a console control handler gets no context; it is
 * created and closed by the main thread, which also installs and removes the handler.
 */
#include "console.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>

static HANDLE interrupt_event;

static bool is_console(HANDLE handle)
{
    DWORD mode;

    return handle && handle != INVALID_HANDLE_VALUE && GetConsoleMode(handle, &mode);
}

void do_console_init(struct do_console *console)
{
    *console = (struct do_console){
        .out = GetStdHandle(STD_OUTPUT_HANDLE),
        .err = GetStdHandle(STD_ERROR_HANDLE),
    };
    console->out_is_console = is_console(console->out);
    console->err_is_console = is_console(console->err);
}

static BOOL WINAPI handle_interrupt(DWORD kind)
{
    if (kind != CTRL_C_EVENT && kind != CTRL_BREAK_EVENT)
        return FALSE;
    if (WaitForSingleObject(interrupt_event, 0) == WAIT_OBJECT_0)
        return FALSE; /* the second time: let Windows end the process */
    return SetEvent(interrupt_event);
}

HRESULT do_console_catch_interrupt(struct do_console *console)
{
    if (console->interrupted)
        return S_OK;
    console->interrupted = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!console->interrupted)
        return do_hr_from_win32(GetLastError());
    interrupt_event = console->interrupted;
    if (!SetConsoleCtrlHandler(handle_interrupt, TRUE))
        return do_hr_from_win32(GetLastError());
    return S_OK;
}

void do_console_finish(struct do_console *console)
{
    if (!console->interrupted)
        return;
    SetConsoleCtrlHandler(handle_interrupt, FALSE);
    interrupt_event = NULL;
    CloseHandle(console->interrupted);
    console->interrupted = NULL;
}

bool do_console_wait(struct do_console *console, DWORD timeout_ms)
{
    return WaitForSingleObject(console->interrupted, timeout_ms) == WAIT_OBJECT_0;
}

static void write_bytes(HANDLE handle, const char *bytes, size_t length)
{
    while (length)
    {
        DWORD written = 0;
        DWORD wanted = length > 0x10000 ? 0x10000 : (DWORD)length;

        if (!WriteFile(handle, bytes, wanted, &written, NULL) || !written)
            return; /* a closed pipe: nobody is left to tell */
        bytes += written;
        length -= written;
    }
}

static void write_text(HANDLE handle, bool console, const char *text, size_t length)
{
    uint16_t *wide = NULL;
    DWORD written;

    if (console && SUCCEEDED(do_utf16_from_utf8(text, &wide)))
        WriteConsoleW(handle, wide, (DWORD)do_utf16_length(wide), &written, NULL);
    else
        write_bytes(handle, text, length);
    do_free(wide);
}

/* vsnprintf twice: do_buf formats, but takes no va_list. */
static void DO_PRINTF(3, 0)
    print(HANDLE handle, bool console, const char *format, va_list arguments)
{
    va_list measured;
    char *text;
    int length;

    if (!handle || handle == INVALID_HANDLE_VALUE)
        return;
    va_copy(measured, arguments);
    length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length <= 0)
        return;
    text = do_alloc_raw((size_t)length + 1);
    if (!text)
        return;
    vsnprintf(text, (size_t)length + 1, format, arguments);
    write_text(handle, console, text, (size_t)length);
    do_free(text);
}

void do_console_out(struct do_console *console, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(console->out, console->out_is_console, format, arguments);
    va_end(arguments);
}

void do_console_err(struct do_console *console, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(console->err, console->err_is_console, format, arguments);
    va_end(arguments);
}

/* Reads at most count - 1 characters; an unset variable gives "". True when it is set and not
 * empty. */
static bool read_environment(const wchar_t *name, wchar_t *value, DWORD count)
{
    DWORD length = GetEnvironmentVariableW(name, value, count);

    if (length >= count)
        value[0] = 0; /* too long to be a value that we look for, but set */
    return length > 0;
}

bool do_console_can_redraw(const struct do_console *console)
{
    wchar_t value[8] = {0};

    if (!console->err_is_console || read_environment(L"NO_COLOR", value, 8))
        return false;
    return !read_environment(L"TERM", value, 8) || wcscmp(value, L"dumb");
}

unsigned int do_console_width(const struct do_console *console)
{
    CONSOLE_SCREEN_BUFFER_INFO info;

    if (!console->err_is_console || !GetConsoleScreenBufferInfo(console->err, &info))
        return 80;
    return info.dwSize.X >= 20 ? (unsigned int)info.dwSize.X : 80;
}

char *do_console_utf8(const wchar_t *text)
{
    size_t length = text ? wcslen(text) : 0;
    wchar_t *clean = do_alloc_array(length + 1, sizeof(*clean));
    char *utf8 = NULL;

    if (!clean)
        return NULL;
    for (size_t i = 0; i < length; i++)
    {
        bool control = text[i] < 0x20 || (text[i] >= 0x7F && text[i] < 0xA0);
        bool low = text[i] >= 0xDC00 && text[i] <= 0xDFFF;
        bool high = text[i] >= 0xD800 && text[i] <= 0xDBFF;
        bool after_high = i && clean[i - 1] >= 0xD800 && clean[i - 1] <= 0xDBFF;
        bool before_low = text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF;

        clean[i] = control || (low && !after_high) || (high && !before_low) ? L'?' : text[i];
    }
    if (FAILED(do_utf8_from_utf16(clean, &utf8)))
        utf8 = NULL;
    do_free(clean);
    return utf8;
}
