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
#include "transfer/revocation.h"

/** The state of one handle's verification; it must outlive the handle's use. */
struct do_tls_check
{
    CURL *curl;
    CURLU *url;      /* what is requested: its host is the name to be proved; borrowed */
    uint32_t flags;  /* DO_TLS_*, as they count for this request */
    HRESULT verdict; /* S_OK until a certificate is refused, then the reason */

    struct do_revocation *revocation; /* who checks that; NULL = nobody can; borrowed */
    /* Not none: the request was refused only until this is answered, and may then be made again. */
    struct do_revocation_question question;

    /* What is seen of a handshake that fails. */
    bool is_early;               /* Schannel verifies too, before the client's certificate leaves */
    bool server_has_shown;       /* its own certificate, before the handshake failed */
    char error[CURL_ERROR_SIZE]; /* libcurl's words; "" without an error */
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

/** Frees what the verification holds. */
static inline void do_tls_finish(struct do_tls_check *check)
{
    do_revocation_question_finish(&check->question);
}

/**
 * Why the last request of check->curl ended with CURLE_SSL_CONNECT_ERROR: the connection broke
 * (DO_HR_NET_CONNECTION_ABORTED), the server wants a certificate of the client, or another one
 * (DO_HR_NET_CLIENT_CERT_NEEDED), or no agreement was found (DO_HR_NET_SECURE_FAILURE). Loop
 * thread.
 */
HRESULT do_tls_failure(const struct do_tls_check *check);

#endif
