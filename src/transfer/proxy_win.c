/* SPDX-License-Identifier: MIT */
/*
 * The proxy settings of the user, as the control panel keeps them: a list and a bypass list, which
 * count when they are switched on, and a script, which WinHTTP fetches and runs. Any thread.
 */
#include "transfer/proxy.h"

#include <windows.h>
#include <winhttp.h>

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

/* The script */

static HRESULT take_text(const WCHAR *wide, char **text)
{
    *text = NULL;
    return wide ? do_utf8_from_utf16((const uint16_t *)wide, text) : S_OK;
}

/* Whether the user has ever chosen. Without that, Wine 8 says that scripts are to be detected. */
static bool has_choice(void)
{
    return RegGetValueW(HKEY_CURRENT_USER, SETTINGS_KEY L"\\Connections",
               L"DefaultConnectionSettings", RRF_RT_ANY, NULL, NULL, NULL) == ERROR_SUCCESS;
}

/*
 * What the control panel keeps in a structure is asked of WinHTTP. What programs and group policies
 * write beside it as a text, which Wine 8 does not read, comes first.
 */
HRESULT do_proxy_get_user_script(struct do_proxy_script *script)
{
    WINHTTP_CURRENT_USER_IE_PROXY_CONFIG config = {0};
    HRESULT hr;

    script->is_detected = false;
    if (FAILED(hr = read_text(L"AutoConfigURL", &script->url)))
        return hr;
    if (WinHttpGetIEProxyConfigForCurrentUser(&config))
    {
        script->is_detected = config.fAutoDetect && has_choice();
        if (!script->url)
            hr = take_text(config.lpszAutoConfigUrl, &script->url);
    }
    (void)GlobalFree(config.lpszAutoConfigUrl);
    (void)GlobalFree(config.lpszProxy);
    (void)GlobalFree(config.lpszProxyBypass);
    if (FAILED(hr))
        return hr;
    if (script->url && !*script->url)
        do_proxy_script_finish(script);
    return script->is_detected || script->url ? S_OK : S_FALSE;
}

/* Asks without the user's password, and with it when the script's server wants one. */
static HRESULT ask(HINTERNET session, const WCHAR *script_url, bool is_detected, const WCHAR *url,
    WINHTTP_PROXY_INFO *info)
{
    WINHTTP_AUTOPROXY_OPTIONS options = {0};

    if (is_detected)
    {
        options.dwFlags |= WINHTTP_AUTOPROXY_AUTO_DETECT;
        options.dwAutoDetectFlags = WINHTTP_AUTO_DETECT_TYPE_DHCP | WINHTTP_AUTO_DETECT_TYPE_DNS_A;
    }
    if (script_url)
    {
        options.dwFlags |= WINHTTP_AUTOPROXY_CONFIG_URL;
        options.lpszAutoConfigUrl = script_url;
    }
    if (WinHttpGetProxyForUrl(session, url, &options, info))
        return S_OK;
    if (GetLastError() != ERROR_WINHTTP_LOGIN_FAILURE)
        return do_hr_from_win32(GetLastError());
    options.fAutoLogonIfChallenged = TRUE;
    return WinHttpGetProxyForUrl(session, url, &options, info) ? S_OK
                                                               : do_hr_from_win32(GetLastError());
}

HRESULT do_proxy_ask_script(
    const struct do_proxy_script *script, const char *url, struct do_proxy_settings *settings)
{
    WINHTTP_PROXY_INFO info = {0};
    HINTERNET session = NULL;
    uint16_t *script_url = NULL;
    uint16_t *wide_url = NULL;
    HRESULT hr;

    settings->list = NULL;
    settings->bypass = NULL;
    if (FAILED(hr = do_utf16_from_utf8(url, &wide_url)))
        goto done;
    if (script->url && FAILED(hr = do_utf16_from_utf8(script->url, &script_url)))
        goto done;
    if (!(session = WinHttpOpen(NULL, WINHTTP_ACCESS_TYPE_NO_PROXY, NULL, NULL, 0)))
    {
        hr = do_hr_from_win32(GetLastError());
        goto done;
    }
    if (FAILED(hr = ask(session, script_url, script->is_detected, wide_url, &info)))
        goto done;
    if (info.dwAccessType == WINHTTP_ACCESS_TYPE_NAMED_PROXY &&
        (FAILED(hr = take_text(info.lpszProxy, &settings->list)) ||
            FAILED(hr = take_text(info.lpszProxyBypass, &settings->bypass))))
        do_proxy_settings_finish(settings);

done:
    (void)GlobalFree(info.lpszProxy);
    (void)GlobalFree(info.lpszProxyBypass);
    if (session)
        (void)WinHttpCloseHandle(session);
    do_free(script_url);
    do_free(wide_url);
    return hr;
}
