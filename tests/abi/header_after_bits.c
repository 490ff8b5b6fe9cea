/*
 * SPDX-License-Identifier: MIT
 *
 * C: our headers may follow mingw-w64's BITS headers.
 */

#include <bits.h>
#include <bits1_5.h>
#include <bits2_0.h>
#include <bits2_5.h>
#include <bits3_0.h>
#include <bits5_0.h>

#include <DeliveryOptimization.h>
#include <DeliveryOptimizationErrors.h>

#define DO_ABI_NAME do_abi_after_bits_c
#include "header_use.inc"
