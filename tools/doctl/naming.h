/* SPDX-License-Identifier: MIT */
/*
 * Names: of the file that a URL is saved to, of its full path, and of a URL in a message. Pure but
 * for the current directory; results are do_free'd by the caller.
 */
#ifndef DO_DOCTL_NAMING_H
#define DO_DOCTL_NAMING_H

#include <stdint.h>
#include <wchar.h>

#include "base/hr.h"

/**
 * A file name for url: the last part of its path, percent-decoded, with '_' for what no file name
 * may have, never with a separator, never empty ("index.html" then), never a device.
 */
HRESULT do_naming_file_from_url(const wchar_t *url, wchar_t **name);

/**
 * The full path of output. NULL, a directory, or what ends like one: name inside it (NULL: inside
 * the current directory).
 */
HRESULT do_naming_full_path(const wchar_t *output, const wchar_t *name, wchar_t **path);

/** The last part of path. Borrowed from path. */
const wchar_t *do_naming_last_part(const wchar_t *path);

/** url without user, password, query and fragment, as UTF-8 for printing. */
char *do_naming_printable_url(const wchar_t *url);

#endif
