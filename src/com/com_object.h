/* SPDX-License-Identifier: MIT */
/*
 * What all our COM objects share: identity, reference count, QueryInterface from a table,
 * IClientSecurity, and the free-threaded marshaler. Any thread.
 *
 * An object begins with struct com_object and goes on with its own IFoo_iface members. A client
 * never sees the struct; it sees the addresses of those members.
 */
#ifndef DO_COM_COM_OBJECT_H
#define DO_COM_COM_OBJECT_H

#include <stddef.h>

#include <windows.h>
#include <objbase.h>
#include <objidl.h>

#include "base/compiler.h"
#include "base/hr.h"

struct com_object;

/** An interface of an object: where in the object its pointer lives. */
struct com_interface
{
    const IID *iid;
    size_t offset;
};

/** A kind of object. The first row is the interface that stands for IUnknown. */
struct com_class
{
    const struct com_interface *interfaces;
    size_t interface_count;
    void (*destroy)(struct com_object *object); /* frees what the object holds, and the object */
};

struct com_object
{
    IClientSecurity IClientSecurity_iface;
    const struct com_class *class;
    LONG references;

    /* Under lock. */
    SRWLOCK lock;
    IUnknown *marshaler; /* created when first asked for */
    DWORD authn_service;
    DWORD authz_service;
    DWORD authn_level;
    DWORD imp_level;
    DWORD capabilities;
};

/** One reference for the caller; the module counts the object until it is destroyed. */
void com_object_init(struct com_object *object, const struct com_class *class);

/** To be called by class->destroy, before it frees the object. */
void com_object_finish(struct com_object *object);

HRESULT com_object_QueryInterface(struct com_object *object, REFIID iid, void **out);
ULONG com_object_AddRef(struct com_object *object);
ULONG com_object_Release(struct com_object *object);

/** Whether objects of this kind answer iid. */
BOOL com_class_answers(const struct com_class *class, REFIID iid);

/** The module's count of objects and server locks. */
void com_module_add(void);
void com_module_remove(void);

/** Whether objects or locks are left. */
BOOL com_module_is_used(void);

/** do_utf8_from_utf16 for WCHAR; E_INVALIDARG for NULL. */
HRESULT com_text_in(const WCHAR *text, char **utf8);

/** A CoTaskMemAlloc'ed UTF-16 copy for the client. */
HRESULT com_text_out(const char *utf8, WCHAR **text);

/** The text for an error code, for GetErrorDescription: ours, the system's, or its number. */
HRESULT com_error_text(HRESULT code, DWORD language, WCHAR **text);

#endif
