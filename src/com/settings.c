/* SPDX-License-Identifier: MIT */
/*
 * Where the engine of this process keeps its queue, and whether and where it logs.
 *
 * DOSVC_QUEUE is the absolute path of the queue's file (docs/storage.md).
 * DOSVC_LOG = error, warn, info or trace switches the log on; DOSVC_LOG_FILE names its file, else
 * lines go to standard error. (docs/diagnostics.md)
 */
#include "com/objects.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "com/apartment.h"
#include "com/callback.h"
#include "com/com_object.h"
#include "com/network_cost.h"
#include "plat/file.h"
#include "plat/plat.h"

static HANDLE log_handle = INVALID_HANDLE_VALUE;

/* One write for each line, at the end of the file: lines of several threads do not mix. */
static void write_line(enum do_log_level level, enum do_log_area area, const char *line)
{
    char text[1200];
    SYSTEMTIME now;
    DWORD written;
    int length;

    GetSystemTime(&now);
    length = snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ %lu/%lu %s %s: %s\n",
        now.wYear, now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond, now.wMilliseconds,
        (unsigned long)GetCurrentProcessId(), (unsigned long)GetCurrentThreadId(),
        do_log_level_name(level), do_log_area_name(area), line);
    if (length > 0 && length < (int)sizeof(text))
        (void)WriteFile(log_handle, text, (DWORD)length, &written, NULL);
}

static BOOL CALLBACK open_log(INIT_ONCE *once, void *parameter, void **context)
{
    WCHAR level_name[16];
    WCHAR path[1024];

    (void)once;
    (void)parameter;
    (void)context;
    if (!GetEnvironmentVariableW(L"DOSVC_LOG", level_name, DO_COUNT_OF(level_name)))
        return TRUE;
    if (GetEnvironmentVariableW(L"DOSVC_LOG_FILE", path, DO_COUNT_OF(path)))
        log_handle = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
            OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    else
        log_handle = GetStdHandle(STD_ERROR_HANDLE);
    if (log_handle == INVALID_HANDLE_VALUE)
        return TRUE;
    for (int level = DO_LOG_ERROR; level <= DO_LOG_TRACE; level++)
    {
        WCHAR name[16] = {0};
        const char *from = do_log_level_name((enum do_log_level)level);

        for (size_t i = 0; from[i]; i++)
            name[i] = (WCHAR)from[i];
        if (!lstrcmpiW(name, level_name))
            do_log_set(write_line, (enum do_log_level)level);
    }
    return TRUE;
}

/* The value of an environment variable, with room for more characters behind it; NULL: not set. */
static HRESULT read_variable(const WCHAR *name, size_t more, WCHAR **value)
{
    DWORD size = GetEnvironmentVariableW(name, NULL, 0);

    *value = NULL;
    if (!size)
        return S_OK;
    if (!(*value = do_alloc_array(size + more, sizeof(**value))))
        return E_OUTOFMEMORY;
    /* Another thread may have made it longer. */
    if (GetEnvironmentVariableW(name, *value, size) < size)
        return S_OK;
    do_free(*value);
    *value = NULL;
    return E_UNEXPECTED;
}

/* %DOSVC_QUEUE%, else %LOCALAPPDATA%\dosvc\queue.db; in UTF-8. */
static HRESULT database_path(char **path)
{
    static const WCHAR name[] = L"\\dosvc\\queue.db";
    WCHAR *wide;
    HRESULT hr;

    *path = NULL;
    if (FAILED(hr = read_variable(L"DOSVC_QUEUE", 0, &wide)))
        return hr;
    if (wide)
    {
        if (SUCCEEDED(hr = com_text_in(wide, path)) && FAILED(hr = do_file_check_path(*path)))
        {
            do_log(DO_LOG_WARN, DO_LOG_COM, "DOSVC_QUEUE is no absolute path of a file");
            do_free(*path);
            *path = NULL;
        }
        do_free(wide);
        return hr;
    }
    if (FAILED(hr = read_variable(L"LOCALAPPDATA", DO_COUNT_OF(name), &wide)))
        return hr;
    if (!wide)
        return DO_HR_PATH_NOT_FOUND;
    memcpy(wide + wcslen(wide), name, sizeof(name));
    hr = com_text_in(wide, path);
    do_free(wide);
    return hr;
}

/* Delivery threads call clients: they live in the multithreaded apartment. */
static void delivery_begins(void)
{
    (void)CoInitializeEx(NULL, COINIT_MULTITHREADED);
}

static void delivery_ends(void)
{
    CoUninitialize();
}

/* A stored job's notification class listens again. */
static HRESULT class_listener(const unsigned char *class_id, struct do_listener **listener)
{
    GUID guid;

    memcpy(&guid, class_id, sizeof(guid));
    return com_callback_create_for_class(&guid, listener);
}

struct engine_call
{
    const struct do_engine_config *config;
    struct do_engine *engine;
};

static HRESULT acquire_engine(void *ctx)
{
    struct engine_call *call = ctx;

    return do_engine_acquire(call->config, &call->engine);
}

/* One that is just ending may have to release a callback in the caller's apartment before. */
HRESULT com_get_engine(struct do_engine **engine)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    struct do_engine_config config;
    struct engine_call call = {&config, NULL};
    char *path;
    HRESULT hr;

    *engine = NULL;
    (void)InitOnceExecuteOnce(&once, open_log, NULL, NULL);
    if (FAILED(hr = database_path(&path)))
        return hr;
    do_engine_config_init(&config);
    config.database_path = path;
    config.network_cost = com_network_cost;
    config.delivery_begins = delivery_begins;
    config.delivery_ends = delivery_ends;
    config.class_listener = class_listener;
    config.waiting = &com_client_waiting;
    hr = com_call_and_pump(acquire_engine, &call);
    *engine = call.engine;
    do_free(path);
    return hr;
}
