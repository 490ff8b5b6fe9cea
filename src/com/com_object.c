/* SPDX-License-Identifier: MIT */
/*
 * The only QueryInterface, AddRef and Release logic of the module. Any thread.
 */
#include "com/com_object.h"

#include "base/alloc.h"
#include "base/str.h"

static LONG module_count;

void com_module_add(void)
{
    InterlockedIncrement(&module_count);
}

void com_module_remove(void)
{
    InterlockedDecrement(&module_count);
}

BOOL com_module_is_used(void)
{
    return InterlockedCompareExchange(&module_count, 0, 0) != 0;
}

static void *at(struct com_object *object, size_t offset)
{
    return (char *)object + offset;
}

/* Objects are free-threaded: a pointer may cross apartments of this process as it is. */
static HRESULT get_marshaler(struct com_object *object, void **out)
{
    IUnknown *created = NULL;
    HRESULT hr = S_OK;

    AcquireSRWLockExclusive(&object->lock);
    if (!object->marshaler)
        hr = CoCreateFreeThreadedMarshaler(
            at(object, object->class->interfaces[0].offset), &created);
    if (created)
        object->marshaler = created;
    ReleaseSRWLockExclusive(&object->lock);
    return FAILED(hr) ? hr : IUnknown_QueryInterface(object->marshaler, &IID_IMarshal, out);
}

BOOL com_class_answers(const struct com_class *class, REFIID iid)
{
    /* What com_object_QueryInterface knows by itself. */
    const IID *const common[] = {
        &IID_IUnknown, &IID_IAgileObject, &IID_IClientSecurity, &IID_IMarshal};

    for (size_t i = 0; i < DO_COUNT_OF(common); i++)
    {
        if (IsEqualIID(iid, common[i]))
            return TRUE;
    }
    for (size_t i = 0; i < class->interface_count; i++)
    {
        if (IsEqualIID(iid, class->interfaces[i].iid))
            return TRUE;
    }
    return FALSE;
}

HRESULT com_object_QueryInterface(struct com_object *object, REFIID iid, void **out)
{
    const struct com_class *class = object->class;

    if (!out)
        return E_POINTER;
    *out = NULL;
    if (!iid)
        return E_INVALIDARG;
    if (IsEqualIID(iid, &IID_IUnknown) || IsEqualIID(iid, &IID_IAgileObject))
        *out = at(object, class->interfaces[0].offset);
    else if (IsEqualIID(iid, &IID_IClientSecurity))
        *out = &object->IClientSecurity_iface;
    else if (IsEqualIID(iid, &IID_IMarshal))
        return get_marshaler(object, out);
    for (size_t i = 0; !*out && i < class->interface_count; i++)
    {
        if (IsEqualIID(iid, class->interfaces[i].iid))
            *out = at(object, class->interfaces[i].offset);
    }
    if (!*out)
        return E_NOINTERFACE;
    com_object_AddRef(object);
    return S_OK;
}

ULONG com_object_AddRef(struct com_object *object)
{
    return (ULONG)InterlockedIncrement(&object->references);
}

ULONG com_object_Release(struct com_object *object)
{
    ULONG references = (ULONG)InterlockedDecrement(&object->references);

    if (!references)
        object->class->destroy(object);
    return references;
}

/* IClientSecurity. In process nothing is impersonated; the settings are kept and told. */

static struct com_object *from_security(IClientSecurity *iface)
{
    return DO_CONTAINER_OF(iface, struct com_object, IClientSecurity_iface);
}

static HRESULT STDMETHODCALLTYPE security_QueryInterface(
    IClientSecurity *iface, REFIID iid, void **out)
{
    return com_object_QueryInterface(from_security(iface), iid, out);
}

static ULONG STDMETHODCALLTYPE security_AddRef(IClientSecurity *iface)
{
    return com_object_AddRef(from_security(iface));
}

static ULONG STDMETHODCALLTYPE security_Release(IClientSecurity *iface)
{
    return com_object_Release(from_security(iface));
}

static void put(DWORD *out, DWORD value)
{
    if (out)
        *out = value;
}

static HRESULT STDMETHODCALLTYPE security_QueryBlanket(IClientSecurity *iface, IUnknown *proxy,
    DWORD *authn_service, DWORD *authz_service, OLECHAR **principal, DWORD *authn_level,
    DWORD *imp_level, void **auth_info, DWORD *capabilities)
{
    struct com_object *object = from_security(iface);

    (void)proxy;
    AcquireSRWLockShared(&object->lock);
    put(authn_service, object->authn_service);
    put(authz_service, object->authz_service);
    put(authn_level, object->authn_level);
    put(imp_level, object->imp_level);
    put(capabilities, object->capabilities);
    ReleaseSRWLockShared(&object->lock);
    if (principal)
        *principal = NULL;
    if (auth_info)
        *auth_info = NULL;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE security_SetBlanket(IClientSecurity *iface, IUnknown *proxy,
    DWORD authn_service, DWORD authz_service, OLECHAR *principal, DWORD authn_level,
    DWORD imp_level, void *auth_info, DWORD capabilities)
{
    struct com_object *object = from_security(iface);

    /* The principal may be NULL or COLE_DEFAULT_PRINCIPAL and is never looked at. */
    (void)proxy;
    (void)principal;
    (void)auth_info;
    AcquireSRWLockExclusive(&object->lock);
    object->authn_service = authn_service;
    object->authz_service = authz_service;
    object->authn_level = authn_level;
    object->imp_level = imp_level;
    object->capabilities = capabilities;
    ReleaseSRWLockExclusive(&object->lock);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE security_CopyProxy(
    IClientSecurity *iface, IUnknown *proxy, IUnknown **copy)
{
    (void)iface;
    if (!copy)
        return E_POINTER;
    *copy = NULL;
    if (!proxy)
        return E_INVALIDARG;
    IUnknown_AddRef(proxy);
    *copy = proxy;
    return S_OK;
}

static const IClientSecurityVtbl security_vtbl = {
    .QueryInterface = security_QueryInterface,
    .AddRef = security_AddRef,
    .Release = security_Release,
    .QueryBlanket = security_QueryBlanket,
    .SetBlanket = security_SetBlanket,
    .CopyProxy = security_CopyProxy,
};

void com_object_init(struct com_object *object, const struct com_class *class)
{
    object->IClientSecurity_iface.lpVtbl = &security_vtbl;
    object->class = class;
    object->references = 1;
    InitializeSRWLock(&object->lock);
    object->authn_service = RPC_C_AUTHN_WINNT;
    object->authz_service = RPC_C_AUTHZ_NONE;
    object->authn_level = RPC_C_AUTHN_LEVEL_CONNECT;
    object->imp_level = RPC_C_IMP_LEVEL_IDENTIFY;
    object->capabilities = EOAC_NONE;
    com_module_add();
}

void com_object_finish(struct com_object *object)
{
    if (object->marshaler)
        IUnknown_Release(object->marshaler);
    com_module_remove();
}

/* Text */

HRESULT com_text_in(const WCHAR *text, char **utf8)
{
    *utf8 = NULL;
    return text ? do_utf8_from_utf16((const uint16_t *)text, utf8) : E_INVALIDARG;
}

HRESULT com_text_out(const char *utf8, WCHAR **text)
{
    uint16_t *wide;
    size_t bytes;
    HRESULT hr;

    *text = NULL;
    if (FAILED(hr = do_utf16_from_utf8(utf8, &wide)))
        return hr;
    bytes = (do_utf16_length(wide) + 1) * sizeof(WCHAR);
    if ((*text = CoTaskMemAlloc(bytes)))
        memcpy(*text, wide, bytes);
    else
        hr = E_OUTOFMEMORY;
    do_free(wide);
    return hr;
}

/* The system's text without its line end; FALSE when it has none in that language. */
static BOOL system_text(HRESULT code, DWORD language, WCHAR *text, DWORD size)
{
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
        (DWORD)code, language, text, size, NULL);

    while (length && (text[length - 1] == '\r' || text[length - 1] == '\n'))
        text[--length] = 0;
    return length != 0;
}

HRESULT com_error_text(HRESULT code, DWORD language, WCHAR **text)
{
    const char *ours = do_hr_text(code);
    unsigned int status = do_hr_http_status(code);
    WCHAR buffer[512];
    size_t bytes;

    *text = NULL;
    if (ours)
        return com_text_out(ours, text);
    if (status)
        (void)swprintf(
            buffer, DO_COUNT_OF(buffer), L"The server answered with HTTP status %u.", status);
    else if (!system_text(code, language, buffer, DO_COUNT_OF(buffer)) &&
             !system_text(code, 0, buffer, DO_COUNT_OF(buffer)))
        (void)swprintf(buffer, DO_COUNT_OF(buffer), L"Error 0x%08lX.", (unsigned long)code);
    bytes = (wcslen(buffer) + 1) * sizeof(WCHAR);
    if (!(*text = CoTaskMemAlloc(bytes)))
        return E_OUTOFMEMORY;
    memcpy(*text, buffer, bytes);
    return S_OK;
}
