/* SPDX-License-Identifier: MIT */
/*
 * INetworkCostManager of the system. Runs on the engine's conditions thread, which is in the MTA.
 */
#include "com/network_cost.h"

#include <winsock2.h>
#include <ws2ipdef.h>
#include <windows.h>
#include <iphlpapi.h>
#include <objbase.h>
#include <netlistmgr.h>

#include "base/alloc.h"

/* Mobile broadband. (Source: win32 docs, IP_ADAPTER_ADDRESSES, IfType.) */
#define TYPE_WWAN_GSM 243U
#define TYPE_WWAN_CDMA 244U

#define ADAPTERS_BYTES ((ULONG)64 * 1024)

/* (Source: win32 docs, NLM_CONNECTION_COST and BITS_COST_STATE.) */
static uint32_t state_of(DWORD nlm)
{
    uint32_t state = 0;

    if (nlm & NLM_CONNECTION_COST_UNRESTRICTED)
        state = DO_COST_UNRESTRICTED;
    else if (nlm & NLM_CONNECTION_COST_VARIABLE)
        state = DO_COST_USAGE_BASED;
    else if (nlm & NLM_CONNECTION_COST_FIXED)
    {
        if (nlm & NLM_CONNECTION_COST_OVERDATALIMIT)
            state = DO_COST_OVERCAP_CHARGED;
        else if (nlm & NLM_CONNECTION_COST_APPROACHINGDATALIMIT)
            state = DO_COST_NEAR_CAP;
        else
            state = DO_COST_BELOW_CAP;
    }
    return state && (nlm & NLM_CONNECTION_COST_ROAMING) ? DO_COST_ROAMING : state;
}

/* Whether every way out of here is mobile broadband. */
static bool is_cellular(void)
{
    IP_ADAPTER_ADDRESSES *adapters = do_alloc(ADAPTERS_BYTES);
    ULONG size = ADAPTERS_BYTES;
    bool any_cellular = false;
    bool any_other = false;

    if (!adapters)
        return false;
    if (GetAdaptersAddresses(AF_UNSPEC, GAA_FLAG_INCLUDE_GATEWAYS, NULL, adapters, &size) ==
        ERROR_SUCCESS)
    {
        for (const IP_ADAPTER_ADDRESSES *one = adapters; one; one = one->Next)
        {
            if (one->OperStatus != IfOperStatusUp || !one->FirstGatewayAddress)
                continue;
            if (one->IfType == TYPE_WWAN_GSM || one->IfType == TYPE_WWAN_CDMA)
                any_cellular = true;
            else
                any_other = true;
        }
    }
    do_free(adapters);
    return any_cellular && !any_other;
}

void com_network_cost(struct do_network_cost *cost)
{
    INetworkCostManager *manager = NULL;
    DWORD nlm = NLM_CONNECTION_COST_UNKNOWN;

    cost->is_cellular = is_cellular();
    if (FAILED(CoCreateInstance(&CLSID_NetworkListManager, NULL, CLSCTX_ALL,
            &IID_INetworkCostManager, (void **)&manager)))
        return;
    if (SUCCEEDED(INetworkCostManager_GetCost(manager, &nlm, NULL)))
        cost->state = state_of(nlm);
    INetworkCostManager_Release(manager);
}
