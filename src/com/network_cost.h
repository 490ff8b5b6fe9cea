/* SPDX-License-Identifier: MIT */
/*
 * The network's cost as Windows tells it.
 */
#ifndef DO_COM_NETWORK_COST_H
#define DO_COM_NETWORK_COST_H

#include "job/conditions.h"

/** Asks the system's network list manager; may block. Not known: left as it is. */
void com_network_cost(struct do_network_cost *cost);

#endif
