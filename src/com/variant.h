/* SPDX-License-Identifier: MIT */
/*
 * VARIANTs of clients and values of ours, for every property of both façades. Any thread.
 */
#ifndef DO_COM_VARIANT_H
#define DO_COM_VARIANT_H

#include <stdbool.h>

#include <windows.h>
#include <oaidl.h>

#include "base/value.h"

/** A property that holds bytes: an array of VT_UI1. */
#define COM_VT_BYTES ((VARTYPE)(VT_ARRAY | VT_UI1))

/**
 * A copy of variant, of the property's type VT_BSTR, VT_BOOL, VT_UI4, VT_UI8 or COM_VT_BYTES; to be
 * finished by the caller. VT_BYREF is followed; VT_I4, VT_INT and VT_UINT do for VT_UI4, VT_I8 for
 * VT_UI8; a NULL BSTR is "". DISP_E_TYPEMISMATCH; E_INVALIDARG for NULL, for text that holds a NUL
 * or half a character, and for arrays that are not one row.
 */
HRESULT com_variant_in(const VARIANT *variant, VARTYPE type, struct do_value *value);

/** Whether variant is VT_EMPTY or VT_NULL. NULL is accepted. */
bool com_variant_is_empty(const VARIANT *variant);

/** The interface in a VT_UNKNOWN, borrowed; NULL also for VT_EMPTY and VT_NULL. */
HRESULT com_variant_interface_in(const VARIANT *variant, IUnknown **object);

/**
 * value as a VARIANT of the property's type, for the caller. DO_HR_NOT_SET for an empty value;
 * VT_EMPTY on failure.
 */
HRESULT com_variant_out(const struct do_value *value, VARTYPE type, VARIANT *variant);

/** Takes a reference of its own. DO_HR_NOT_SET for NULL. */
HRESULT com_variant_interface_out(IUnknown *object, VARIANT *variant);

#endif
