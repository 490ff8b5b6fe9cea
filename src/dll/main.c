/* SPDX-License-Identifier: MIT */
/*
 * The entry points of dosvc.dll. DllMain does nothing: the engine starts with the first object, and
 * at the end of a process its threads are gone before anybody could wait for them.
 */
#include "dll/dll.h"

#include "DeliveryOptimization.h"
#include "com/com_object.h"
#include "job/engine.h"

static HMODULE this_module;

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved);
HRESULT WINAPI DllInstall(BOOL install, const WCHAR *command_line);
HRESULT WINAPI DllRegisterServer(void);
HRESULT WINAPI DllUnregisterServer(void);

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
    {
        this_module = module;
        DisableThreadLibraryCalls(module);
    }
    return TRUE;
}

HRESULT WINAPI DllGetClassObject(REFCLSID class_id, REFIID iid, void **out)
{
    if (!out)
        return E_POINTER;
    *out = NULL;
    if (!IsEqualCLSID(class_id, &CLSID_DeliveryOptimization))
        return CLASS_E_CLASSNOTAVAILABLE;
    return dll_factory_query(iid, out);
}

/* The engine's threads run code of this module: it may go only after they have. */
HRESULT WINAPI DllCanUnloadNow(void)
{
    return com_module_is_used() || do_engine_exists() ? S_FALSE : S_OK;
}

HRESULT WINAPI DllRegisterServer(void)
{
    return dll_register(this_module);
}

HRESULT WINAPI DllUnregisterServer(void)
{
    return dll_unregister();
}

HRESULT WINAPI DllInstall(BOOL install, const WCHAR *command_line)
{
    (void)command_line;
    return install ? DllRegisterServer() : DllUnregisterServer();
}
