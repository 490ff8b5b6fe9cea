/* SPDX-License-Identifier: MIT */
/*
 * Which proxy a URL goes through, by lists in the syntax of WinHTTP and BITS, and where the user's
 * own settings come from. do_proxy_from_list and do_proxy_is_bypassed are pure. Any thread.
 */
#ifndef DO_TRANSFER_PROXY_H
#define DO_TRANSFER_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"

/**
 * The first proxy in list that fits a URL of this scheme: entries "host:port" fit every scheme,
 * "http=host:port" fits one. Blanks and semicolons separate them, "http://" may stand before a
 * host, the port is 80 when it is left out. Other kinds of proxies and malformed entries are passed
 * over. *proxy is do_alloc'ed "http://host:port"; NULL when none fits.
 */
HRESULT do_proxy_from_list(const char *list, const char *scheme, char **proxy);

/**
 * Whether an entry of bypass (may be NULL) names the server: "host", "*.example.com", "10.*",
 * "http://host", "host:8080", or "<local>" for every host without a dot. Blanks and semicolons
 * separate entries. host is without brackets.
 */
bool do_proxy_is_bypassed(const char *bypass, const char *scheme, const char *host, uint16_t port);

/** The user's settings; texts are do_alloc'ed, NULL when not set. */
struct do_proxy_settings
{
    char *list;
    char *bypass;
};

void do_proxy_settings_finish(struct do_proxy_settings *settings);

/** S_FALSE: the system has no settings of its own, libcurl's environment variables are them. */
HRESULT do_proxy_get_user_settings(struct do_proxy_settings *settings);

/** The user's automatic configuration: a script (PAC) that is asked for each URL. */
struct do_proxy_script
{
    bool is_detected; /* the network names it (WPAD) */
    char *url;        /* do_alloc'ed; NULL without one */
};

void do_proxy_script_finish(struct do_proxy_script *script);

/** S_FALSE: there is none. Does not use the network. */
HRESULT do_proxy_get_user_script(struct do_proxy_script *script);

/**
 * What the script says about url: a list and a bypass list, no list for no proxy. Fetches the
 * script, and may block for minutes. Fails when there is no script, or none that works.
 */
HRESULT do_proxy_ask_script(
    const struct do_proxy_script *script, const char *url, struct do_proxy_settings *settings);

#endif
