/* SPDX-License-Identifier: MIT */
/*
 * Interfaces of native test builds.
 */
#define _GNU_SOURCE
#include "plat/network.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

void do_network_look(struct do_network *network)
{
    struct ifaddrs *interfaces = NULL;

    *network = (struct do_network){DO_NETWORK_UNKNOWN, 0};
    if (getifaddrs(&interfaces) != 0)
        return;
    network->reach = DO_NETWORK_NONE;
    for (const struct ifaddrs *one = interfaces; one; one = one->ifa_next)
    {
        if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) || !(one->ifa_flags & IFF_RUNNING))
            continue;
        if (one->ifa_addr->sa_family == AF_INET)
            do_network_add(
                network, &((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr, 4);
        else if (one->ifa_addr->sa_family == AF_INET6)
            do_network_add(network,
                &((const struct sockaddr_in6 *)(const void *)one->ifa_addr)->sin6_addr, 16);
    }
    freeifaddrs(interfaces);
}
