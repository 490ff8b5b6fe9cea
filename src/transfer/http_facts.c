/* SPDX-License-Identifier: MIT */
/*
 * What the last answer of a file's server said, under its lock. Texts are copied outside of it.
 */
#include "transfer/http_facts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

void do_http_facts_init(struct do_http_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    do_mutex_init(&facts->lock);
}

void do_http_facts_finish(struct do_http_facts *facts)
{
    do_free(facts->response_headers);
    do_free(facts->redirect_target);
    do_free(facts->server_address);
    do_mutex_finish(&facts->lock);
}

static void swap(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

void do_http_facts_set(struct do_http_facts *facts, const char *response_headers,
    const char *redirect_target, const char *server_address, uint32_t status)
{
    char *headers = do_str_dup(response_headers);
    char *target = do_str_dup(redirect_target);
    char *address = do_str_dup(server_address);

    do_mutex_lock(&facts->lock);
    swap(&facts->response_headers, &headers);
    swap(&facts->redirect_target, &target);
    swap(&facts->server_address, &address);
    facts->status = status;
    do_mutex_unlock(&facts->lock);
    do_free(headers);
    do_free(target);
    do_free(address);
}

static const char *text_of(const struct do_http_facts *facts, enum do_http_fact fact)
{
    switch (fact)
    {
    case DO_FACT_RESPONSE_HEADERS:
        return facts->response_headers;
    case DO_FACT_REDIRECT_TARGET:
        return facts->redirect_target;
    case DO_FACT_SERVER_ADDRESS:
        return facts->server_address;
    }
    return NULL;
}

HRESULT do_http_facts_get(struct do_http_facts *facts, enum do_http_fact fact, char **text)
{
    const char *found;

    *text = NULL;
    do_mutex_lock(&facts->lock);
    if ((found = text_of(facts, fact)))
        *text = do_str_dup(found);
    do_mutex_unlock(&facts->lock);
    if (!found)
        return DO_HR_NOT_SET;
    return *text ? S_OK : E_OUTOFMEMORY;
}

void do_http_facts_forget_redirect(struct do_http_facts *facts)
{
    char *target;

    do_mutex_lock(&facts->lock);
    target = facts->redirect_target;
    facts->redirect_target = NULL;
    do_mutex_unlock(&facts->lock);
    do_free(target);
}

uint32_t do_http_facts_get_status(struct do_http_facts *facts)
{
    uint32_t status;

    do_mutex_lock(&facts->lock);
    status = facts->status;
    do_mutex_unlock(&facts->lock);
    return status;
}
