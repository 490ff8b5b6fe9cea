/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 of a file, and as text. Any thread.
 */
#ifndef DO_DOCTL_DIGEST_H
#define DO_DOCTL_DIGEST_H

#include <stdbool.h>
#include <wchar.h>

#include "base/hr.h"
#include "plat/crypto.h"

HRESULT do_digest_file(const wchar_t *path, unsigned char digest[DO_SHA256_SIZE]);

/** Lower-case hex. */
void do_digest_format(
    const unsigned char digest[DO_SHA256_SIZE], char text[2 * DO_SHA256_SIZE + 1]);

/** From hex in any case; false for anything else. */
bool do_digest_parse(const wchar_t *text, unsigned char digest[DO_SHA256_SIZE]);

#endif
