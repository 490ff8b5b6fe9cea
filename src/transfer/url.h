/* SPDX-License-Identifier: MIT */
/*
 * URLs that clients give. Pure; libcurl's parser does the work. Any thread.
 */
#ifndef DO_TRANSFER_URL_H
#define DO_TRANSFER_URL_H

#include <stdbool.h>

#include <curl/curl.h>

#include "base/hr.h"

/* Most characters of a URL (Source: IBackgroundCopyFile2::SetRemoteName). */
#define DO_URL_LIMIT 2200U

/**
 * Parses an absolute http or https URL with a host. Blanks and bytes beyond ASCII in path and query
 * are percent-encoded; *parsed is freed with curl_url_cleanup.
 * DO_HR_INET_INVALID_URL for anything else, also for control characters.
 */
HRESULT do_url_parse(const char *url, CURLU **parsed);

/** Whether do_url_parse would accept url. */
HRESULT do_url_check(const char *url);

/** Whether url names this machine: localhost, or an address of the loopback interface. */
bool do_url_is_local(const char *url);

#endif
