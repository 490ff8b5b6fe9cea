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
