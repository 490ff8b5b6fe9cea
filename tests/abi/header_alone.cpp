/*
 * SPDX-License-Identifier: MIT
 *
 * C++: our headers compile with nothing before them.
 */

#include <DeliveryOptimization.h>
#include <DeliveryOptimizationErrors.h>

#define DO_ABI_NAME do_abi_alone_cpp
#include "header_use.inc"
