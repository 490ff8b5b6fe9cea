/* SPDX-License-Identifier: MIT */
/*
 * What the last answer of a file's server said, for clients that ask. Written by the loop, read by
 * any thread, under one leaf lock.
 */
#ifndef DO_TRANSFER_HTTP_FACTS_H
#define DO_TRANSFER_HTTP_FACTS_H

#include <stdint.h>

#include "base/hr.h"
#include "plat/plat.h"

struct do_http_facts
{
    struct do_mutex lock;
    char *response_headers; /* the whole head of the last answer, CRLF; NULL = none yet */
    char *redirect_target;  /* the last URL; NULL = not redirected */
    char *server_address;   /* "127.0.0.1"; NULL = none yet */
    uint32_t status;        /* 0 = none yet */
};

void do_http_facts_init(struct do_http_facts *facts);
void do_http_facts_finish(struct do_http_facts *facts);

/** Replaces all of them by copies; NULL clears. Out of memory: the text is NULL. */
void do_http_facts_set(struct do_http_facts *facts, const char *response_headers,
    const char *redirect_target, const char *server_address, uint32_t status);

/** The file has another URL: where the old one led to is of no interest. */
void do_http_facts_forget_redirect(struct do_http_facts *facts);

enum do_http_fact
{
    DO_FACT_RESPONSE_HEADERS,
    DO_FACT_REDIRECT_TARGET,
    DO_FACT_SERVER_ADDRESS
};

/** A do_alloc'ed copy; E_NOT_SET (DO_HR_NOT_SET) and NULL when there is none. */
HRESULT do_http_facts_get(struct do_http_facts *facts, enum do_http_fact fact, char **text);

/** 0 = none yet. */
uint32_t do_http_facts_get_status(struct do_http_facts *facts);

#endif
