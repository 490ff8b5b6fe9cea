/* SPDX-License-Identifier: MIT */
/*
 * What follows a hop: the same one again, when the server's certificate is known not to be revoked
 * or with what a challenge asks for, or the one to where a redirection leads. Decides which secrets
 * go with it. Loop thread only; everything belongs to the request.
 */
#include "transfer/request_internal.h"

#include "base/compiler.h"
#include "transfer/url.h"

#define MAX_REDIRECTS 10U

/* Certificates of one hop that are looked into: each connection may meet another server of a farm.
 */
#define MAX_REVOCATION_CHECKS 4U

bool do_request_awaits_verdict(struct do_request *request)
{
    HRESULT hr;

    if (!request->tls.question.key || request->revocation_checks >= MAX_REVOCATION_CHECKS)
        return false;
    request->revocation_checks++;
    hr = do_revocation_ask_on_loop(
        request->settings.revocation, &request->tls.question, &request->revocation);
    if (hr == S_FALSE)
        request->running = true;
    else if (SUCCEEDED(hr))
        hr = do_request_begin_hop(request);
    if (FAILED(hr))
        request->tls.verdict = hr;
    return SUCCEEDED(hr);
}

bool do_request_is_challenge(const struct do_request *request)
{
    return request->head.status == 401 || request->head.status == 407;
}

bool do_request_is_redirect(const struct do_request *request)
{
    switch (request->head.status)
    {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return request->options->redirects != DO_REDIRECT_DISALLOW;
    default:
        return false;
    }
}

/* The URL that the answer redirects to. S_FALSE: it names none. */
static HRESULT redirect_target(const struct do_request *request, CURLU **target)
{
    const char *text = NULL;
    HRESULT hr;

    *target = NULL;
    if (curl_easy_getinfo(request->curl, CURLINFO_REDIRECT_URL, &text) != CURLE_OK || !text)
        return S_FALSE;
    if (request->redirects >= MAX_REDIRECTS)
        return DO_HR_NET_REDIRECT_FAILED;
    if (FAILED(hr = do_url_parse(text, target)))
        return hr == E_OUTOFMEMORY ? hr : DO_HR_NET_REDIRECT_FAILED;
    /* From a hop over https no redirection leads to http, whatever the first URL was. */
    if (do_request_url_is_secure(request->url) && !do_request_url_is_secure(*target) &&
        !request->options->allow_downgrade)
    {
        curl_url_cleanup(*target);
        *target = NULL;
        return DO_HR_NET_REDIRECT_FAILED;
    }
    return S_OK;
}

static HRESULT copy_url_part(CURLU *from, CURLU *to, CURLUPart part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(from, part, &text, 0);
    HRESULT hr = S_OK;

    if (code == CURLUE_OUT_OF_MEMORY)
        return E_OUTOFMEMORY;
    if (code == CURLUE_OK && curl_url_set(to, part, text, 0) != CURLUE_OK)
        hr = E_OUTOFMEMORY;
    curl_free(text);
    return hr;
}

/*
 * Name and password in a URL are for the host that the client named with them: there they go on
 * counting, whether a redirection repeats them or not, and no other host gets any.
 */
static HRESULT settle_user(const struct do_request *request, CURLU *target)
{
    char *user = NULL;
    bool names_one = curl_url_get(target, CURLUPART_USER, &user, 0) == CURLUE_OK;
    HRESULT hr;

    curl_free(user);
    if (do_request_urls_are_of_one_origin(request->home, target))
    {
        if (names_one)
            return S_OK;
        hr = copy_url_part(request->home, target, CURLUPART_USER);
        return FAILED(hr) ? hr : copy_url_part(request->home, target, CURLUPART_PASSWORD);
    }
    if (curl_url_set(target, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(target, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK)
        return E_OUTOFMEMORY;
    return S_OK;
}

static HRESULT follow_redirect(struct do_request *request)
{
    CURLU *target;
    char *text = NULL;
    HRESULT hr = redirect_target(request, &target);

    if (hr != S_OK)
        return hr;
    if (FAILED(hr = settle_user(request, target)) ||
        curl_url_get(target, CURLUPART_URL, &text, 0) != CURLUE_OK)
    {
        curl_url_cleanup(target);
        return FAILED(hr) ? hr : E_OUTOFMEMORY;
    }
    curl_free(request->redirected_to);
    request->redirected_to = text;
    curl_url_cleanup(request->url);
    request->url = target;
    request->redirects++;
    request->revocation_checks = 0;
    /* It may ask in its turn: a nonce that was good for the last hop need not be for this one. */
    request->server_answered = false;
    request->proxy_answered = false;
    return do_request_begin_hop(request);
}

/* The strongest of the schemes that are offered and that there is a credential for; 0 = none. */
static enum do_auth_scheme choose_scheme(
    const struct do_request *request, enum do_auth_target target)
{
    static const enum do_auth_scheme by_strength[] = {
        DO_AUTH_NEGOTIATE, DO_AUTH_NTLM, DO_AUTH_DIGEST, DO_AUTH_BASIC};
    long offered = 0;

    (void)curl_easy_getinfo(request->curl,
        target == DO_AUTH_PROXY ? CURLINFO_PROXYAUTH_AVAIL : CURLINFO_HTTPAUTH_AVAIL, &offered);
    for (size_t i = 0; i < DO_COUNT_OF(by_strength); i++)
    {
        if (((unsigned long)offered & do_request_auth_bit(by_strength[i])) &&
            do_request_options_get_credential(request->options, target, by_strength[i]))
            return by_strength[i];
    }
    return (enum do_auth_scheme)0;
}

/*
 * Prepares an answer to a challenge: a credential, once for each redirection, then the client's own
 * headers, once. What was sent unasked because an earlier exchange needed it does not count. False:
 * there is none.
 */
static bool answer_challenge(struct do_request *request)
{
    bool by_proxy = request->head.status == 407;
    enum do_auth_scheme *scheme = by_proxy ? &request->proxy_scheme : &request->server_scheme;
    bool *answered = by_proxy ? &request->proxy_answered : &request->server_answered;
    enum do_auth_scheme chosen = (enum do_auth_scheme)0;

    request->remembers_challenge = true;
    /* Another host's challenge is not for us to answer. */
    if (!by_proxy && !request->at_home)
        return false;
    if (!*answered)
        chosen = choose_scheme(request, by_proxy ? DO_AUTH_PROXY : DO_AUTH_SERVER);
    if (chosen)
    {
        *answered = true;
        /* What this challenge says is needed for the answer; what an older one said is not. */
        request->remembers_challenge = *scheme == chosen;
        *scheme = chosen;
        return true;
    }
    *scheme = (enum do_auth_scheme)0;
    if (!request->options->auth_headers || request->auth_headers_due)
        return false;
    request->auth_headers_due = true;
    return true;
}

bool do_request_go_on_elsewhere(struct do_request *request, HRESULT *hr)
{
    if (do_request_is_challenge(request))
    {
        if (!answer_challenge(request))
            return false;
        *hr = do_request_begin_hop(request);
    }
    else if (SUCCEEDED(*hr) && do_request_is_redirect(request))
    {
        *hr = follow_redirect(request);
        /* The owner is told of the answer, whatever it thinks of it; not of a hop without one. */
        if (FAILED(*hr) && request->head.status)
            (void)do_request_tell_head(request);
    }
    else
        return false;
    return *hr == S_OK;
}
