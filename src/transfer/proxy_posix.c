/* SPDX-License-Identifier: MIT */
/*
 * Native builds: the environment holds the user's settings, and libcurl reads it.
 */
#include "transfer/proxy.h"

#include <stddef.h>

HRESULT do_proxy_get_user_settings(struct do_proxy_settings *settings)
{
    settings->list = NULL;
    settings->bypass = NULL;
    return S_FALSE;
}

HRESULT do_proxy_get_user_script(struct do_proxy_script *script)
{
    script->is_detected = false;
    script->url = NULL;
    return S_FALSE;
}

HRESULT do_proxy_ask_script(
    const struct do_proxy_script *script, const char *url, struct do_proxy_settings *settings)
{
    (void)script;
    (void)url;
    settings->list = NULL;
    settings->bypass = NULL;
    return E_NOTIMPL;
}
