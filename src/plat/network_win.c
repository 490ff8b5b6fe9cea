/* SPDX-License-Identifier: MIT */
/*
 * Interfaces of Windows and of Wine. Not INetworkListManager, which under Wine 8 says that the
 * loopback interface alone is a network.
 */
#include "plat/network.h"

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <iphlpapi.h>

#include "base/alloc.h"

#define ADAPTERS_BYTES ((ULONG)64 * 1024)

static void add_address(struct do_network *network, const SOCKET_ADDRESS *address)
{
    const struct sockaddr *any = address->lpSockaddr;

    if (any->sa_family == AF_INET)
        do_network_add(network, &((const struct sockaddr_in *)(const void *)any)->sin_addr, 4);
    else if (any->sa_family == AF_INET6)
        do_network_add(network, &((const struct sockaddr_in6 *)(const void *)any)->sin6_addr, 16);
}

void do_network_look(struct do_network *network)
{
    IP_ADAPTER_ADDRESSES *adapters = do_alloc_raw(ADAPTERS_BYTES);
    ULONG size = ADAPTERS_BYTES;
    ULONG error;

    *network = (struct do_network){DO_NETWORK_UNKNOWN, 0};
    if (!adapters)
        return;
    error = GetAdaptersAddresses(AF_UNSPEC,
        GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER |
            GAA_FLAG_SKIP_FRIENDLY_NAME,
        NULL, adapters, &size);
    if (error == ERROR_SUCCESS || error == ERROR_NO_DATA)
        network->reach = DO_NETWORK_NONE;
    for (const IP_ADAPTER_ADDRESSES *one = error == ERROR_SUCCESS ? adapters : NULL; one;
         one = one->Next)
    {
        if (one->OperStatus != IfOperStatusUp)
            continue;
        for (const IP_ADAPTER_UNICAST_ADDRESS *address = one->FirstUnicastAddress; address;
             address = address->Next)
            add_address(network, &address->Address);
    }
    do_free(adapters);
}
