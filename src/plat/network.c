/* SPDX-License-Identifier: MIT */
/*
 * What an address says about the network. Pure.
 */
#include "plat/network.h"

#include <stdbool.h>
#include <string.h>

/* 127.0.0.0/8 and ::1. RFC 1122 3.2.1.3, RFC 4291 2.5.3 */
static bool is_loopback(const unsigned char *address, uint32_t length)
{
    static const unsigned char v6[16] = {[15] = 1};

    return length == 4 ? address[0] == 127 : memcmp(address, v6, sizeof(v6)) == 0;
}

/* 169.254.0.0/16 and fe80::/10. RFC 3927 2.1, RFC 4291 2.5.6 */
static bool is_link_local(const unsigned char *address, uint32_t length)
{
    return length == 4 ? address[0] == 169 && address[1] == 254
                       : address[0] == 0xFE && (address[1] & 0xC0) == 0x80;
}

/* FNV-1a */
static uint64_t hash_of(const unsigned char *data, uint32_t length)
{
    uint64_t hash = 0xCBF29CE484222325U;

    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ data[i]) * 0x100000001B3U;
    return hash;
}

void do_network_add(struct do_network *network, const void *address, uint32_t length)
{
    enum do_network_reach reach = DO_NETWORK_UP;

    if ((length != 4 && length != 16) || is_link_local(address, length))
        return;
    if (is_loopback(address, length))
        reach = DO_NETWORK_LOCAL;
    if (network->reach < reach)
        network->reach = reach;
    /* The order of addresses says nothing. */
    network->mark += hash_of(address, length);
}
