/* SPDX-License-Identifier: MIT */
/*
 * What the system says about its network interfaces. Two implementations: network_win.c and
 * network_posix.c (native test builds). Any thread; nothing is sent.
 */
#ifndef DO_PLAT_NETWORK_H
#define DO_PLAT_NETWORK_H

#include <stdint.h>

enum do_network_reach
{
    DO_NETWORK_UNKNOWN,
    DO_NETWORK_NONE,  /* not even this machine */
    DO_NETWORK_LOCAL, /* this machine alone */
    DO_NETWORK_UP     /* some interface is up and has an address */
};

struct do_network
{
    enum do_network_reach reach;
    uint64_t mark; /* another one after a change of interfaces or addresses */
};

/** Link-local addresses do not count: an interface without a network has them too. */
void do_network_look(struct do_network *network);

/** Adds an address, 4 or 16 bytes, of an interface that is up, to what is known. Pure. */
void do_network_add(struct do_network *network, const void *address, uint32_t length);

#endif
