/* SPDX-License-Identifier: MIT */
/*
 * The class itself: registration, class factory, and a module that can be unloaded. The tests of
 * unloading load the DLL by hand, before all others: later COM's own reference would keep it.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#include <tlhelp32.h>

#define CLSID_TEXT L"{5b99fa76-721c-423c-adac-56d03c8a8007}"
#define LIBID_TEXT L"{6a1fae95-21b8-46c4-a0c9-5d5fae106ef0}"
#define APPID_TEXT L"{379001DE-7108-4A45-8A74-6CD0A9FBEF2C}"

typedef HRESULT(STDAPICALLTYPE *get_class_object_fn)(REFCLSID, REFIID, void **);
typedef HRESULT(STDAPICALLTYPE *can_unload_now_fn)(void);

static IClassFactory *get_factory(void)
{
    IClassFactory *factory = NULL;

    assert_ok(CoGetClassObject(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, NULL,
        &IID_IClassFactory, (void **)&factory));
    return factory;
}

/* The default value of a key below HKEY_CLASSES_ROOT, or a named one. */
static bool read_class_value(const WCHAR *key, const WCHAR *name, WCHAR *value, DWORD count)
{
    DWORD size = count * (DWORD)sizeof(*value);

    return !RegGetValueW(HKEY_CLASSES_ROOT, key, name, RRF_RT_REG_SZ, NULL, value, &size);
}

/* Broken: COM does not find the server, or puts it into a host of another apartment. */
static void test_class_registration_names_server_and_model(void **state)
{
    WCHAR value[1024];

    (void)state;
    assert_true(read_class_value(L"CLSID\\" CLSID_TEXT L"\\InprocServer32", NULL, value, 1024));
    assert_true(GetFileAttributesW(value) != INVALID_FILE_ATTRIBUTES);
    assert_non_null(wcsstr(_wcslwr(value), L"dosvc.dll"));
    /* A relative name would be looked up along the DLL search path of the client. */
    assert_int_equal(L':', value[1]);
    assert_true(read_class_value(
        L"CLSID\\" CLSID_TEXT L"\\InprocServer32", L"ThreadingModel", value, 1024));
    assert_int_equal(0, _wcsicmp(value, L"Both"));
}

/* Broken: tools and a later local server cannot find what belongs to the class. */
static void test_class_registration_names_appid_and_typelib(void **state)
{
    WCHAR value[1024];

    (void)state;
    assert_true(read_class_value(L"CLSID\\" CLSID_TEXT, L"AppID", value, 1024));
    assert_int_equal(0, _wcsicmp(value, APPID_TEXT));
    assert_true(read_class_value(L"CLSID\\" CLSID_TEXT L"\\TypeLib", NULL, value, 1024));
    assert_int_equal(0, _wcsicmp(value, LIBID_TEXT));
    assert_true(read_class_value(L"TypeLib\\" LIBID_TEXT L"\\1.0", NULL, value, 1024));
}

/* Broken: the type library that is registered is not in the DLL, or describes another class. */
static void test_class_type_library_holds_the_class(void **state)
{
    ITypeLib *library = NULL;
    ITypeInfo *info = NULL;

    (void)state;
    assert_ok(LoadRegTypeLib(&LIBID_DeliveryOptimization, 1, 0, 0, &library));
    assert_ok(ITypeLib_GetTypeInfoOfGuid(library, &CLSID_DeliveryOptimization, &info));
    ITypeInfo_Release(info);
    assert_ok(ITypeLib_GetTypeInfoOfGuid(library, &IID_IDODownload, &info));
    ITypeInfo_Release(info);
    ITypeLib_Release(library);
}

/* Broken: a client's first IID is refused (IUnknown: .NET; IBackgroundCopyManager: Office). */
static void test_class_create_instance_gives_each_first_interface(void **state)
{
    const IID *const iids[] = {&IID_IUnknown, &IID_IBackgroundCopyManager};

    (void)state;
    for (size_t i = 0; i < TEST_COUNT_OF(iids); i++)
    {
        IClassFactory *factory = get_factory();
        IUnknown *object = TEST_POISON;

        assert_ok(IClassFactory_CreateInstance(factory, NULL, iids[i], (void **)&object));
        IClassFactory_Release(factory);
        assert_int_equal(0, IUnknown_Release(object));
        object = TEST_POISON;
        assert_ok(CoCreateInstance(
            &CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER, iids[i], (void **)&object));
        assert_int_equal(0, IUnknown_Release(object));
    }
}

/* Broken: the factory breaks COM's identity rules or hands out garbage for an unknown IID. */
static void test_class_factory_answers_its_interfaces_only(void **state)
{
    const IID *const iids[] = {&IID_IUnknown, &IID_IClassFactory};
    IClassFactory *factory = get_factory();
    HRESULT hr;

    (void)state;
    test_check_interfaces((IUnknown *)factory, iids, TEST_COUNT_OF(iids));
    test_check_no_interface((IUnknown *)factory, &IID_IBackgroundCopyManager);
    test_check_no_interface((IUnknown *)factory, &IID_IDispatch);
    /* The documentation of COM names both codes. */
    hr = IClassFactory_CreateInstance(factory, NULL, &IID_IUnknown, NULL);
    assert_true(hr == E_POINTER || hr == E_INVALIDARG);
    IClassFactory_Release(factory);
}

/* Broken: an object that cannot be aggregated is, and its outer object never dies. */
static void test_class_aggregation_is_refused(void **state)
{
    struct com_test *test = *state;
    IClassFactory *factory = get_factory();
    void *object = TEST_POISON;

    assert_hr(CLASS_E_NOAGGREGATION,
        IClassFactory_CreateInstance(factory, (IUnknown *)test->manager, &IID_IUnknown, &object));
    assert_null(object);
    object = TEST_POISON;
    assert_hr(
        CLASS_E_NOAGGREGATION, IClassFactory_CreateInstance(factory, (IUnknown *)test->manager,
                                   &IID_IBackgroundCopyManager, &object));
    assert_null(object);
    IClassFactory_Release(factory);
}

/* Broken: a probe for an interface leaves a dangling pointer in a .NET client. */
static void test_class_unknown_interface_is_refused_and_nulled(void **state)
{
    IClassFactory *factory = get_factory();
    void *object = TEST_POISON;

    (void)state;
    assert_hr(E_NOINTERFACE,
        IClassFactory_CreateInstance(factory, NULL, &IID_IBackgroundCopyJob, &object));
    assert_null(object);
    object = TEST_POISON;
    assert_hr(E_NOINTERFACE, IClassFactory_CreateInstance(factory, NULL, &IID_IDispatch, &object));
    assert_null(object);
    IClassFactory_Release(factory);
}

/* Broken: LockServer does not count, and a client's lock keeps nothing or keeps for ever. */
static void test_class_lock_server_counts(void **state)
{
    IClassFactory *factory = get_factory();

    (void)state;
    assert_ok(IClassFactory_LockServer(factory, TRUE));
    assert_ok(IClassFactory_LockServer(factory, TRUE));
    assert_ok(IClassFactory_LockServer(factory, FALSE));
    assert_ok(IClassFactory_LockServer(factory, FALSE));
    IClassFactory_Release(factory);
}

/* Unloading: the DLL loaded by hand. */

struct module
{
    HMODULE handle;
    get_class_object_fn get_class_object;
    can_unload_now_fn can_unload_now;
};

static void *find_export(HMODULE handle, const char *name)
{
    FARPROC found = GetProcAddress(handle, name);
    void *pointer;

    assert_true(found != NULL);
    memcpy(&pointer, &found, sizeof(pointer));
    return pointer;
}

static void load_module(struct module *module)
{
    WCHAR path[1024];
    void *found;

    assert_true(read_class_value(L"CLSID\\" CLSID_TEXT L"\\InprocServer32", NULL, path, 1024));
    module->handle = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    assert_non_null(module->handle);
    found = find_export(module->handle, "DllGetClassObject");
    memcpy(&module->get_class_object, &found, sizeof(found));
    found = find_export(module->handle, "DllCanUnloadNow");
    memcpy(&module->can_unload_now, &found, sizeof(found));
}

static IClassFactory *get_module_factory(const struct module *module)
{
    IClassFactory *factory = TEST_POISON;

    assert_ok(module->get_class_object(
        &CLSID_DeliveryOptimization, &IID_IClassFactory, (void **)&factory));
    return factory;
}

static bool wait_until_unloadable(const struct module *module)
{
    ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;

    while (module->can_unload_now() != S_OK)
    {
        if (GetTickCount64() >= end)
            return false;
        Sleep(TEST_POLL_MS);
    }
    return true;
}

static unsigned int count_threads(void)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry = {.dwSize = sizeof(entry)};
    unsigned int count = 0;

    assert_true(snapshot != INVALID_HANDLE_VALUE);
    for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry))
        count += entry.th32OwnerProcessID == GetCurrentProcessId();
    assert_true(CloseHandle(snapshot));
    return count;
}

/* Broken: another class is served under its name, or a failed lookup leaves garbage. */
static void test_class_get_class_object_refuses_other_classes(void **state)
{
    struct module module;
    void *out = TEST_POISON;
    HRESULT hr;

    (void)state;
    load_module(&module);
    assert_hr(CLASS_E_CLASSNOTAVAILABLE,
        module.get_class_object(&IID_IBackgroundCopyJob, &IID_IClassFactory, &out));
    assert_null(out);
    out = TEST_POISON;
    assert_hr(E_NOINTERFACE,
        module.get_class_object(&CLSID_DeliveryOptimization, &IID_IBackgroundCopyJob, &out));
    assert_null(out);
    hr = module.get_class_object(&CLSID_DeliveryOptimization, &IID_IClassFactory, NULL);
    assert_true(hr == E_POINTER || hr == E_INVALIDARG);
    assert_true(FreeLibrary(module.handle));
}

/* Broken: COM unloads code that a client still holds a pointer into. */
static void test_class_module_stays_while_something_is_held(void **state)
{
    struct module module;
    IClassFactory *factory;
    IBackgroundCopyManager *manager = NULL;

    (void)state;
    load_module(&module);
    assert_true(wait_until_unloadable(&module));
    factory = get_module_factory(&module);
    assert_ok(IClassFactory_LockServer(factory, TRUE));
    IClassFactory_Release(factory);
    assert_hr(S_FALSE, module.can_unload_now());
    factory = get_module_factory(&module);
    assert_ok(IClassFactory_LockServer(factory, FALSE));
    assert_ok(IClassFactory_CreateInstance(
        factory, NULL, &IID_IBackgroundCopyManager, (void **)&manager));
    IClassFactory_Release(factory);
    assert_hr(S_FALSE, module.can_unload_now());
    IBackgroundCopyManager_Release(manager);
    assert_true(wait_until_unloadable(&module));
    assert_true(FreeLibrary(module.handle));
}

/* Downloads something through an object of this module, so that every thread of it has run. */
static void download_something(const struct module *module)
{
    IClassFactory *factory = get_module_factory(module);
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    WCHAR path[512];
    WCHAR url[512];
    GUID id;

    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%hs/com-unload-%lu?size=100k", test_server(),
        GetCurrentProcessId());
    assert_true(GetTempPathW(400, path) > 0);
    (void)_snwprintf(path + wcslen(path), 100, L"dosvc-com-unload-%lu", GetCurrentProcessId());
    assert_ok(IClassFactory_CreateInstance(
        factory, NULL, &IID_IBackgroundCopyManager, (void **)&manager));
    IClassFactory_Release(factory);
    assert_ok(
        IBackgroundCopyManager_CreateJob(manager, L"unload", BG_JOB_TYPE_DOWNLOAD, &id, &job));
    assert_ok(IBackgroundCopyJob_AddFile(job, url, path));
    test_fetch(job);
    test_expect_object(path, 100 << 10, 1);
    assert_true(DeleteFileW(path));
    IBackgroundCopyJob_Release(job);
    IBackgroundCopyManager_Release(manager);
}

/* Broken: the client crashes when COM unloads the server, since a thread of ours still runs. */
static void test_class_unloaded_module_leaves_no_thread(void **state)
{
    unsigned int before;
    ULONGLONG end;

    (void)state;
    before = count_threads();
    for (int round = 0; round < 3; round++)
    {
        struct module module;

        load_module(&module);
        download_something(&module);
        assert_true(wait_until_unloadable(&module));
        assert_true(FreeLibrary(module.handle));
        /* A thread that has left our code may need a moment to be gone. */
        end = GetTickCount64() + TEST_PATIENCE_MS;
        while (GetModuleHandleW(L"dosvc.dll") && GetTickCount64() < end)
            Sleep(TEST_POLL_MS);
        assert_null(GetModuleHandleW(L"dosvc.dll"));
        /* The first round also starts threads of the system's own (resolver, RPC). */
        if (!round)
            before = count_threads();
    }
    end = GetTickCount64() + TEST_PATIENCE_MS;
    while (count_threads() > before && GetTickCount64() < end)
        Sleep(TEST_POLL_MS);
    assert_true(count_threads() <= before);
}

int main(void)
{
    /* In this order: until the first test with a fixture COM has not loaded the DLL. */
    const struct CMUnitTest by_hand[] = {
        cmocka_unit_test(test_class_get_class_object_refuses_other_classes),
        cmocka_unit_test(test_class_module_stays_while_something_is_held),
        cmocka_unit_test(test_class_unloaded_module_leaves_no_thread),
    };
    const struct CMUnitTest tests[] = {
        COM_TEST(test_class_registration_names_server_and_model),
        COM_TEST(test_class_registration_names_appid_and_typelib),
        COM_TEST(test_class_type_library_holds_the_class),
        COM_TEST(test_class_create_instance_gives_each_first_interface),
        COM_TEST(test_class_factory_answers_its_interfaces_only),
        COM_TEST(test_class_aggregation_is_refused),
        COM_TEST(test_class_unknown_interface_is_refused_and_nulled),
        COM_TEST(test_class_lock_server_counts),
    };
    int failed = COM_TEST_RUN(by_hand);

    return failed + COM_TEST_RUN(tests);
}
