/* SPDX-License-Identifier: MIT */
/*
 * Verification of the server's certificate, and the client's own. On Windows we verify ourselves
 * for every request, in libcurl's pre-request hook, before a byte of the request leaves: Wine's
 * Schannel leaves it to the application. Natively libcurl's own TLS library verifies.
 */
#ifndef DO_TRANSFER_TLS_H
#define DO_TRANSFER_TLS_H

#include <curl/curl.h>

#include "base/hr.h"
#include "transfer/request_options.h"

/** The state of one handle's verification; it must outlive the handle's use. */
struct do_tls_check
{
    CURL *curl;
    CURLU *url;      /* what is requested: its host is the name to be proved; borrowed */
    uint32_t flags;  /* DO_TLS_*, as they count for this request */
    HRESULT verdict; /* S_OK until a certificate is refused, then the reason */
};

/** What counts of flags: who asks for revocation checks gets them, and every other check too. */
static inline uint32_t do_tls_effective_flags(uint32_t flags)
{
    return flags & DO_TLS_CHECK_REVOCATION ? DO_TLS_CHECK_REVOCATION : flags;
}

/** Installs the verification on check->curl and clears the verdict. Loop thread. */
HRESULT do_tls_install(struct do_tls_check *check);

/**
 * Sets what the next request of check->curl, to url (borrowed until its end), accepts and which
 * certificate it shows (NULL or an empty one = none), and clears the verdict. Loop thread.
 */
HRESULT do_tls_apply(struct do_tls_check *check, CURLU *url, uint32_t flags,
    const struct do_client_certificate *certificate);

#endif
