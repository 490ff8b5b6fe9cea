/* SPDX-License-Identifier: MIT */
/*
 * The texts of how a client wants its requests made. Not synchronised: their owner's thread.
 */
#include "transfer/request_options.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

void do_request_options_init(struct do_request_options *options)
{
    memset(options, 0, sizeof(*options));
}

/* Frees a secret that must not stay readable in freed memory. */
static void free_secret(char *text)
{
    for (volatile char *c = text; c && *c; c++)
        *c = 0;
    do_free(text);
}

static void finish_credential(struct do_credential *credential)
{
    free_secret(credential->user);
    free_secret(credential->password);
    credential->user = NULL;
    credential->password = NULL;
}

void do_request_options_finish(struct do_request_options *options)
{
    for (size_t i = 0; i < options->credential_count; i++)
        finish_credential(&options->credentials[i]);
    do_free(options->credentials);
    do_free(options->proxy_list);
    do_free(options->proxy_bypass);
    free_secret(options->headers);
    free_secret(options->auth_headers);
    do_free(options->certificate.store);
    do_free(options->certificate.serialized);
    do_request_options_init(options);
}

const struct do_credential *do_request_options_get_credential(
    const struct do_request_options *options, enum do_auth_target target,
    enum do_auth_scheme scheme)
{
    for (size_t i = 0; i < options->credential_count; i++)
    {
        if (options->credentials[i].target == target && options->credentials[i].scheme == scheme)
            return &options->credentials[i];
    }
    return NULL;
}

static HRESULT copy_credential(struct do_credential *copy, const struct do_credential *credential)
{
    *copy = (struct do_credential){credential->target, credential->scheme, NULL, NULL};
    copy->user = do_str_dup(credential->user);
    copy->password = do_str_dup(credential->password);
    if ((credential->user && !copy->user) || (credential->password && !copy->password))
    {
        finish_credential(copy);
        return E_OUTOFMEMORY;
    }
    return S_OK;
}

HRESULT do_request_options_set_credential(
    struct do_request_options *options, const struct do_credential *credential)
{
    struct do_credential *grown;
    struct do_credential copy;
    HRESULT hr;

    if (FAILED(hr = copy_credential(&copy, credential)))
        return hr;
    (void)do_request_options_remove_credential(options, credential->target, credential->scheme);
    grown = do_realloc_array(
        options->credentials, options->credential_count + 1, sizeof(*options->credentials));
    if (!grown)
    {
        finish_credential(&copy);
        return E_OUTOFMEMORY;
    }
    options->credentials = grown;
    options->credentials[options->credential_count++] = copy;
    return S_OK;
}

HRESULT do_request_options_remove_credential(
    struct do_request_options *options, enum do_auth_target target, enum do_auth_scheme scheme)
{
    for (size_t i = 0; i < options->credential_count; i++)
    {
        struct do_credential *found = &options->credentials[i];

        if (found->target != target || found->scheme != scheme)
            continue;
        finish_credential(found);
        *found = options->credentials[--options->credential_count];
        return S_OK;
    }
    return S_FALSE;
}
