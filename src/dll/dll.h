/* SPDX-License-Identifier: MIT */
/*
 * What the files of the DLL share.
 */
#ifndef DO_DLL_DLL_H
#define DO_DLL_DLL_H

#include <windows.h>
#include <objbase.h>

/** The class factory of CLSID_DeliveryOptimization, as IUnknown or IClassFactory. */
HRESULT dll_factory_query(REFIID iid, void **out);

/** Writes, or removes, every registry key of the module. */
HRESULT dll_register(HMODULE module);
HRESULT dll_unregister(void);

#endif
