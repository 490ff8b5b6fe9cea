/* SPDX-License-Identifier: MIT */
/*
 * Policies in the registry. A 32-bit process reads the same keys as a 64-bit one.
 */
#include "store/policy_source.h"

#include <string.h>
#include <windows.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/str.h"

#define LONGEST_NAME 96
#define LONGEST_VALUE_BYTES (16U * 1024)

struct do_policy_source
{
    HKEY keys[DO_POLICY_KEYS]; /* NULL: not there */
    BYTE value[LONGEST_VALUE_BYTES + sizeof(WCHAR)];
};

static const WCHAR *const paths[DO_POLICY_KEYS] = {
    [DO_POLICY_KEY_POLICY] = L"SOFTWARE\\Policies\\Microsoft\\Windows\\DeliveryOptimization",
    [DO_POLICY_KEY_USER] =
        L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\DeliveryOptimization\\Config",
    [DO_POLICY_KEY_BITS] = L"SOFTWARE\\Policies\\Microsoft\\Windows\\BITS",
};

static HKEY open_key(enum do_policy_key which)
{
    HKEY key;
    LSTATUS status =
        RegOpenKeyExW(HKEY_LOCAL_MACHINE, paths[which], 0, KEY_QUERY_VALUE | KEY_WOW64_64KEY, &key);

    if (status == ERROR_SUCCESS)
        return key;
    if (status != ERROR_FILE_NOT_FOUND)
        do_log(DO_LOG_WARN, DO_LOG_STORE, "policies: key %d cannot be read: 0x%08x", (int)which,
            (unsigned int)do_hr_from_win32((uint32_t)status));
    return NULL;
}

static void close_key(HKEY key)
{
    if (key)
        (void)RegCloseKey(key);
}

HRESULT do_policy_source_open(struct do_policy_source **source)
{
    if (!(*source = do_alloc(sizeof(**source))))
        return E_OUTOFMEMORY;
    for (int i = 0; i < DO_POLICY_KEYS; i++)
        (*source)->keys[i] = open_key((enum do_policy_key)i);
    return S_OK;
}

void do_policy_source_close(struct do_policy_source *source)
{
    if (!source)
        return;
    for (int i = 0; i < DO_POLICY_KEYS; i++)
        close_key(source->keys[i]);
    do_free(source);
}

/* What is not UTF-16 is no text. */
static HRESULT read_text(struct do_policy_source *source, DWORD bytes, struct do_policy_raw *raw)
{
    HRESULT hr;

    /* A value may have been stored without its terminator. */
    memset(source->value + bytes / sizeof(WCHAR) * sizeof(WCHAR), 0, sizeof(WCHAR));
    hr = do_utf8_from_utf16((const uint16_t *)(const void *)source->value, &raw->text);
    if (SUCCEEDED(hr))
        raw->kind = DO_POLICY_TEXT;
    return hr == E_OUTOFMEMORY ? hr : S_OK;
}

HRESULT do_policy_source_read(struct do_policy_source *source, enum do_policy_key key,
    const char *name, struct do_policy_raw *raw)
{
    WCHAR wide[LONGEST_NAME] = {0};
    DWORD bytes = LONGEST_VALUE_BYTES;
    DWORD type;
    LSTATUS status;

    *raw = (struct do_policy_raw){DO_POLICY_ABSENT, 0, NULL};
    for (size_t i = 0; name[i] && i + 1 < DO_COUNT_OF(wide); i++)
        wide[i] = (WCHAR)name[i];
    if (!source->keys[key])
        return S_OK;
    status = RegQueryValueExW(source->keys[key], wide, NULL, &type, source->value, &bytes);
    if (status == ERROR_FILE_NOT_FOUND)
        return S_OK;
    raw->kind = DO_POLICY_OTHER;
    if (status != ERROR_SUCCESS)
        return S_OK;
    if (type == REG_SZ)
        return read_text(source, bytes, raw);
    if (type == REG_DWORD && bytes == sizeof(raw->number))
    {
        memcpy(&raw->number, source->value, sizeof(raw->number));
        raw->kind = DO_POLICY_NUMBER;
    }
    return S_OK;
}

/*
 * The time of the last change of a key's own values. RegNotifyChangeKeyValue works, under Wine too,
 * but these keys mostly do not exist, so that it would have to watch their parents, and somebody
 * would have to wait for its events. Three looks take well below 100 microseconds under Wine.
 */
void do_policy_source_stamps(uint64_t stamps[DO_POLICY_KEYS])
{
    for (int i = 0; i < DO_POLICY_KEYS; i++)
    {
        HKEY key = open_key((enum do_policy_key)i);
        FILETIME time;

        stamps[i] = 0;
        if (key && RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                       &time) == ERROR_SUCCESS)
            stamps[i] = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
        close_key(key);
    }
}
