/* SPDX-License-Identifier: MIT */
/*
 * A GUID in memory order, the same bytes as the GUID of Windows.
 */
#ifndef DO_BASE_GUID_H
#define DO_BASE_GUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct do_guid
{
    uint8_t bytes[16];
};

static inline bool do_guid_equal(const struct do_guid *a, const struct do_guid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

#endif
