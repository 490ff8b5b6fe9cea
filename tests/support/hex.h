/* SPDX-License-Identifier: MIT */
/*
 * Test vectors as hexadecimal text.
 */
#ifndef DO_TESTS_SUPPORT_HEX_H
#define DO_TESTS_SUPPORT_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "support/test.h"

/* Writes the bytes of an even number of hexadecimal digits to bytes; returns how many. */
static inline size_t test_from_hex(const char *hex, uint8_t *bytes, size_t capacity)
{
    static const char digits[] = "0123456789abcdef";
    const size_t length = strlen(hex) / 2;

    assert_true(length <= capacity);
    for (size_t i = 0; i < 2 * length; i++)
    {
        const char *digit = strchr(digits, hex[i]);

        assert_non_null(digit);
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (uint8_t)(digit - digits));
    }
    return length;
}

#endif
