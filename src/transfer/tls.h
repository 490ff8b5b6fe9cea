/* SPDX-License-Identifier: MIT */
/*
 * Verification of the server's certificate. On Windows we do it ourselves for every request, in
 * libcurl's pre-request hook, before a byte of the request leaves: Wine's Schannel leaves it to the
 * application. Natively libcurl's own TLS library verifies.
 */
#ifndef DO_TRANSFER_TLS_H
#define DO_TRANSFER_TLS_H

#include <curl/curl.h>

#include "base/hr.h"

/** The state of one handle's verification; it must outlive the handle's use. */
struct do_tls_check
{
    CURL *curl;
    HRESULT verdict; /* S_OK until a certificate is refused, then the reason */
};

/** Installs the verification on check->curl and clears the verdict. Loop thread. */
HRESULT do_tls_install(struct do_tls_check *check);

#endif
