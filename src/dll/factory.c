/* SPDX-License-Identifier: MIT */
/*
 * The class factory: one static object, never freed. Any thread.
 */
#include "dll/dll.h"

#include "com/com_object.h"
#include "com/objects.h"

/* The object is static; its references count for the module alone. */
static HRESULT STDMETHODCALLTYPE factory_QueryInterface(
    IClassFactory *iface, REFIID iid, void **out)
{
    if (!out)
        return E_POINTER;
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IClassFactory))
        return E_NOINTERFACE;
    *out = iface;
    IClassFactory_AddRef(iface);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE factory_AddRef(IClassFactory *iface)
{
    (void)iface;
    com_module_add();
    return 2;
}

static ULONG STDMETHODCALLTYPE factory_Release(IClassFactory *iface)
{
    (void)iface;
    com_module_remove();
    return 1;
}

static HRESULT STDMETHODCALLTYPE factory_CreateInstance(
    IClassFactory *iface, IUnknown *outer, REFIID iid, void **out)
{
    (void)iface;
    if (!out)
        return E_POINTER;
    *out = NULL;
    return outer ? CLASS_E_NOAGGREGATION : com_manager_create(iid, out);
}

static HRESULT STDMETHODCALLTYPE factory_LockServer(IClassFactory *iface, BOOL lock)
{
    (void)iface;
    if (lock)
        com_module_add();
    else
        com_module_remove();
    return S_OK;
}

static const IClassFactoryVtbl factory_vtbl = {
    .QueryInterface = factory_QueryInterface,
    .AddRef = factory_AddRef,
    .Release = factory_Release,
    .CreateInstance = factory_CreateInstance,
    .LockServer = factory_LockServer,
};

static IClassFactory factory = {&factory_vtbl};

HRESULT dll_factory_query(REFIID iid, void **out)
{
    return factory_QueryInterface(&factory, iid, out);
}
