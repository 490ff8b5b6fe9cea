/* SPDX-License-Identifier: MIT */
/*
 * Native builds: libcurl's TLS library verifies peers and names by default; nothing to add.
 */
#include "transfer/tls.h"

HRESULT do_tls_install(struct do_tls_check *check)
{
    check->verdict = S_OK;
    return S_OK;
}
