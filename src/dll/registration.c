/* SPDX-License-Identifier: MIT */
/*
 * Self-registration, from one table. Every value is written to HKLM\Software\Classes, which is
 * where Wine looks; the keys that are removed are exactly the keys of the table, deepest first.
 */
#include "dll/dll.h"

#include <string.h>

#include "base/compiler.h"
#include "base/hr.h"

#define CLASS_ID L"{5b99fa76-721c-423c-adac-56d03c8a8007}"
#define APP_ID L"{379001DE-7108-4A45-8A74-6CD0A9FBEF2C}"
#define LIBRARY_ID L"{6a1fae95-21b8-46c4-a0c9-5d5fae106ef0}"
#define LIBRARY_VERSION L"1.0"
#ifdef _WIN64
#define LIBRARY_PLATFORM L"win64"
#else
#define LIBRARY_PLATFORM L"win32"
#endif

/* Stands for the full path of this DLL. */
static const WCHAR module_path[] = L"%MODULE%";

static const struct
{
    const WCHAR *key;
    const WCHAR *name; /* NULL = the key's default value */
    const WCHAR *value;
} rows[] = {
    {L"CLSID\\" CLASS_ID, NULL, L"Delivery Optimization"},
    {L"CLSID\\" CLASS_ID, L"AppID", APP_ID},
    {L"CLSID\\" CLASS_ID L"\\InprocServer32", NULL, module_path},
    {L"CLSID\\" CLASS_ID L"\\InprocServer32", L"ThreadingModel", L"Both"},
    {L"CLSID\\" CLASS_ID L"\\TypeLib", NULL, LIBRARY_ID},
    {L"CLSID\\" CLASS_ID L"\\Version", NULL, LIBRARY_VERSION},
    {L"AppID\\" APP_ID, NULL, L"Delivery Optimization"},
    {L"TypeLib\\" LIBRARY_ID, NULL, NULL},
    {L"TypeLib\\" LIBRARY_ID L"\\" LIBRARY_VERSION, NULL, L"Delivery Optimization"},
    {L"TypeLib\\" LIBRARY_ID L"\\" LIBRARY_VERSION L"\\FLAGS", NULL, L"0"},
    {L"TypeLib\\" LIBRARY_ID L"\\" LIBRARY_VERSION L"\\0", NULL, NULL},
    {L"TypeLib\\" LIBRARY_ID L"\\" LIBRARY_VERSION L"\\0\\" LIBRARY_PLATFORM, NULL, module_path},
};

static HRESULT from_status(LSTATUS status)
{
    return status == ERROR_SUCCESS ? S_OK : do_hr_from_win32((uint32_t)status);
}

static HRESULT open_classes(HKEY *classes)
{
    return from_status(RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"Software\\Classes", 0, NULL, 0,
        KEY_READ | KEY_WRITE, NULL, classes, NULL));
}

static HRESULT write_row(HKEY classes, size_t index, const WCHAR *path)
{
    const WCHAR *value = rows[index].value == module_path ? path : rows[index].value;
    HKEY key;
    HRESULT hr;

    if (FAILED(hr = from_status(RegCreateKeyExW(
                   classes, rows[index].key, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL))))
        return hr;
    if (value)
        hr = from_status(RegSetValueExW(key, rows[index].name, 0, REG_SZ, (const BYTE *)value,
            (DWORD)((wcslen(value) + 1) * sizeof(WCHAR))));
    RegCloseKey(key);
    return hr;
}

HRESULT dll_register(HMODULE module)
{
    WCHAR path[1024];
    DWORD length = GetModuleFileNameW(module, path, DO_COUNT_OF(path));
    HKEY classes;
    HRESULT hr;

    if (!length || length == DO_COUNT_OF(path))
        return do_hr_from_win32(length ? ERROR_INSUFFICIENT_BUFFER : GetLastError());
    if (FAILED(hr = open_classes(&classes)))
        return hr;
    for (size_t i = 0; i < DO_COUNT_OF(rows) && SUCCEEDED(hr); i++)
        hr = write_row(classes, i, path);
    RegCloseKey(classes);
    if (FAILED(hr))
        (void)dll_unregister();
    return hr;
}

/* Another program's keys below one of ours keep it alive; a key that is gone already is fine. */
HRESULT dll_unregister(void)
{
    HKEY classes;
    HRESULT hr;

    if (FAILED(hr = open_classes(&classes)))
        return hr;
    for (size_t i = DO_COUNT_OF(rows); i-- > 0;)
    {
        LSTATUS status;

        if (i && !wcscmp(rows[i].key, rows[i - 1].key))
            continue;
        status = RegDeleteKeyW(classes, rows[i].key);
        if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND && SUCCEEDED(hr))
            hr = from_status(status);
    }
    RegCloseKey(classes);
    return hr;
}
