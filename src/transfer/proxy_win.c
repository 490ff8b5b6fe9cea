/* SPDX-License-Identifier: MIT */
/*
 * The proxy settings of the user, as the control panel keeps them: a list and a bypass list, which
 * count when they are switched on. Any thread.
 */
#include "transfer/proxy.h"

#include <windows.h>

#include "base/alloc.h"
#include "base/str.h"

#define SETTINGS_KEY L"Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"

/* A text of the key, do_alloc'ed; NULL when it has none. */
static HRESULT read_text(const WCHAR *name, char **text)
{
    DWORD bytes = 0;
    WCHAR *wide;
    LSTATUS status =
        RegGetValueW(HKEY_CURRENT_USER, SETTINGS_KEY, name, RRF_RT_REG_SZ, NULL, NULL, &bytes);
    HRESULT hr;

    *text = NULL;
    if (status != ERROR_SUCCESS)
        return S_OK;
    if (!(wide = do_alloc(bytes + sizeof(*wide))))
        return E_OUTOFMEMORY;
    status = RegGetValueW(HKEY_CURRENT_USER, SETTINGS_KEY, name, RRF_RT_REG_SZ, NULL, wide, &bytes);
    hr = status == ERROR_SUCCESS ? do_utf8_from_utf16((const uint16_t *)wide, text) : S_OK;
    do_free(wide);
    return hr;
}

HRESULT do_proxy_get_user_settings(struct do_proxy_settings *settings)
{
    DWORD enabled = 0;
    DWORD bytes = sizeof(enabled);
    HRESULT hr;

    settings->list = NULL;
    settings->bypass = NULL;
    if (RegGetValueW(HKEY_CURRENT_USER, SETTINGS_KEY, L"ProxyEnable", RRF_RT_REG_DWORD, NULL,
            &enabled, &bytes) != ERROR_SUCCESS ||
        !enabled)
        return S_FALSE;
    if (FAILED(hr = read_text(L"ProxyServer", &settings->list)) ||
        FAILED(hr = read_text(L"ProxyOverride", &settings->bypass)))
    {
        do_proxy_settings_finish(settings);
        return hr;
    }
    return settings->list ? S_OK : S_FALSE;
}
