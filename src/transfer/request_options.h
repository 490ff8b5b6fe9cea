/* SPDX-License-Identifier: MIT */
/*
 * How a client wants its requests made: proxy, credentials, headers, trust. A struct of texts that
 * its owner, a job, fills and keeps; the loop thread alone touches it after that.
 */
#ifndef DO_TRANSFER_REQUEST_OPTIONS_H
#define DO_TRANSFER_REQUEST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

/* BG_JOB_PROXY_USAGE */
enum do_proxy_usage
{
    DO_PROXY_PRECONFIG, /* the user's settings */
    DO_PROXY_NONE,
    DO_PROXY_OVERRIDE, /* proxy_list and proxy_bypass */
    DO_PROXY_AUTODETECT
};

/* BG_AUTH_TARGET */
enum do_auth_target
{
    DO_AUTH_SERVER = 1,
    DO_AUTH_PROXY = 2
};

/* BG_AUTH_SCHEME */
enum do_auth_scheme
{
    DO_AUTH_BASIC = 1,
    DO_AUTH_DIGEST,
    DO_AUTH_NTLM,
    DO_AUTH_NEGOTIATE,
    DO_AUTH_SCHEME_END
};

/** One name and password for a target and a scheme. Never logged, never stored. */
struct do_credential
{
    enum do_auth_target target;
    enum do_auth_scheme scheme;
    char *user; /* NULL with NTLM and Negotiate: the user who is logged on */
    char *password;
};

/* Which faults of a server's certificate are accepted, and whether revocation is checked. */
#define DO_TLS_IGNORE_UNKNOWN_CA 0x1U
#define DO_TLS_IGNORE_WRONG_USAGE 0x2U
#define DO_TLS_IGNORE_NAME 0x4U
#define DO_TLS_IGNORE_DATE 0x8U
#define DO_TLS_CHECK_REVOCATION 0x10U

enum do_redirects
{
    DO_REDIRECT_FOLLOW,  /* but never from https to http, unless allow_downgrade */
    DO_REDIRECT_REPORT,  /* the same, and the file's remote name is told as the last one */
    DO_REDIRECT_DISALLOW /* the redirect's status is the error */
};

/** A client certificate: by its SHA-1 in a system store, or as serialized bytes. */
struct do_client_certificate
{
    uint32_t location; /* BG_CERT_STORE_LOCATION */
    char *store;       /* "MY"; NULL = none */
    unsigned char hash[20];
    unsigned char *serialized; /* CertSerializeCertificateStoreElement; NULL = none */
    size_t serialized_length;
};

struct do_request_options
{
    enum do_proxy_usage proxy_usage;
    char *proxy_list;   /* "host:port host:port" or "http=host:port;https=..." */
    char *proxy_bypass; /* "*.example.com;<local>" */
    char *headers;      /* "Name: value" lines; lines that make no sense are skipped */
    char *auth_headers; /* the same, sent only after a 401 or 407, never to another host */
    struct do_credential *credentials;
    size_t credential_count;
    uint32_t tls_flags;
    bool allow_downgrade; /* redirects from https to http */
    enum do_redirects redirects;
    struct do_client_certificate certificate;
};

void do_request_options_init(struct do_request_options *options);
void do_request_options_finish(struct do_request_options *options);

/** Sets or replaces the credential for a target and a scheme; everything is copied. */
HRESULT do_request_options_set_credential(
    struct do_request_options *options, const struct do_credential *credential);

/** The credential for a target and a scheme, borrowed until the next change; NULL = none. */
const struct do_credential *do_request_options_get_credential(
    const struct do_request_options *options, enum do_auth_target target,
    enum do_auth_scheme scheme);

/** S_FALSE when there was none. */
HRESULT do_request_options_remove_credential(
    struct do_request_options *options, enum do_auth_target target, enum do_auth_scheme scheme);

#endif
