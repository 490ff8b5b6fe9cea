/* SPDX-License-Identifier: MIT */
/*
 * Conversion of VARIANTs. Any thread.
 */
#include "com/variant.h"

#include <string.h>

#include <oleauto.h>

#include "base/alloc.h"
#include "base/str.h"
#include "com/com_object.h"

/* Follows VT_BYREF, also to a VARIANT: *flat borrows what variant points to. */
static HRESULT flatten(const VARIANT *variant, VARIANT *flat)
{
    if (!variant)
        return E_INVALIDARG;
    if (V_VT(variant) == (VT_BYREF | VT_VARIANT))
    {
        if (!V_VARIANTREF(variant))
            return E_INVALIDARG;
        variant = V_VARIANTREF(variant);
        if (V_VT(variant) == (VT_BYREF | VT_VARIANT))
            return DISP_E_TYPEMISMATCH;
    }
    *flat = *variant;
    if (!(V_VT(variant) & VT_BYREF))
        return S_OK;
    if (!V_BYREF(variant))
        return E_INVALIDARG;
    V_VT(flat) = (VARTYPE)(V_VT(variant) & ~VT_BYREF);
    if (V_VT(flat) & VT_ARRAY)
    {
        V_ARRAY(flat) = *V_ARRAYREF(variant);
        return S_OK;
    }
    switch (V_VT(flat))
    {
    case VT_BSTR:
        V_BSTR(flat) = *V_BSTRREF(variant);
        return S_OK;
    case VT_UNKNOWN:
        V_UNKNOWN(flat) = *V_UNKNOWNREF(variant);
        return S_OK;
    case VT_BOOL:
        V_BOOL(flat) = *V_BOOLREF(variant);
        return S_OK;
    case VT_I4:
    case VT_UI4:
    case VT_INT:
    case VT_UINT:
        V_UI4(flat) = *V_UI4REF(variant);
        return S_OK;
    case VT_I8:
    case VT_UI8:
        V_UI8(flat) = *V_UI8REF(variant);
        return S_OK;
    default:
        return DISP_E_TYPEMISMATCH;
    }
}

static HRESULT text_in(BSTR text, struct do_value *value)
{
    char *utf8;
    HRESULT hr;

    if (text && SysStringLen(text) != wcslen(text))
        return E_INVALIDARG;
    if (FAILED(hr = com_text_in(text ? text : L"", &utf8)))
        return hr;
    value->kind = DO_VALUE_TEXT;
    value->data = utf8;
    value->length = strlen(utf8);
    return S_OK;
}

static HRESULT bytes_in(SAFEARRAY *array, struct do_value *value)
{
    LONG lower;
    LONG upper;
    void *data;
    HRESULT hr;

    if (!array || SafeArrayGetDim(array) != 1 || SafeArrayGetElemsize(array) != 1)
        return E_INVALIDARG;
    if (FAILED(hr = SafeArrayGetLBound(array, 1, &lower)) ||
        FAILED(hr = SafeArrayGetUBound(array, 1, &upper)) ||
        FAILED(hr = SafeArrayAccessData(array, &data)))
        return hr;
    {
        struct do_value borrowed =
            do_value_of_bytes(data, (size_t)((int64_t)upper - (int64_t)lower + 1));

        hr = do_value_assign(value, &borrowed);
    }
    (void)SafeArrayUnaccessData(array);
    return hr;
}

/* Whether a VARIANT of type given does for a property of type wanted. */
static bool is_near(VARTYPE given, VARTYPE wanted)
{
    if (given == wanted)
        return true;
    if (wanted == VT_UI4)
        return given == VT_I4 || given == VT_INT || given == VT_UINT;
    return wanted == VT_UI8 && given == VT_I8;
}

HRESULT com_variant_in(const VARIANT *variant, VARTYPE type, struct do_value *value)
{
    VARIANT flat;
    HRESULT hr;

    do_value_init(value);
    if (FAILED(hr = flatten(variant, &flat)))
        return hr;
    if (!is_near(V_VT(&flat), type))
        return DISP_E_TYPEMISMATCH;
    switch (type)
    {
    case VT_BSTR:
        return text_in(V_BSTR(&flat), value);
    case VT_BOOL:
        *value = do_value_of_number(V_BOOL(&flat) ? 1 : 0);
        return S_OK;
    case VT_UI4:
        *value = do_value_of_number(V_UI4(&flat));
        return S_OK;
    case VT_UI8:
        *value = do_value_of_number(V_UI8(&flat));
        return S_OK;
    case COM_VT_BYTES:
        return bytes_in(V_ARRAY(&flat), value);
    default:
        return DISP_E_TYPEMISMATCH;
    }
}

bool com_variant_is_empty(const VARIANT *variant)
{
    VARIANT flat;

    return SUCCEEDED(flatten(variant, &flat)) &&
           (V_VT(&flat) == VT_EMPTY || V_VT(&flat) == VT_NULL);
}

HRESULT com_variant_interface_in(const VARIANT *variant, IUnknown **object)
{
    VARIANT flat;
    HRESULT hr;

    *object = NULL;
    if (FAILED(hr = flatten(variant, &flat)))
        return hr;
    if (V_VT(&flat) == VT_EMPTY || V_VT(&flat) == VT_NULL)
        return S_OK;
    if (V_VT(&flat) != VT_UNKNOWN)
        return DISP_E_TYPEMISMATCH;
    *object = V_UNKNOWN(&flat);
    return S_OK;
}

static HRESULT text_out(const char *utf8, VARIANT *variant)
{
    uint16_t *wide;
    HRESULT hr;

    if (FAILED(hr = do_utf16_from_utf8(utf8, &wide)))
        return hr;
    if ((V_BSTR(variant) = SysAllocString((const OLECHAR *)wide)))
        V_VT(variant) = VT_BSTR;
    else
        hr = E_OUTOFMEMORY;
    do_free(wide);
    return hr;
}

static HRESULT bytes_out(const struct do_value *value, VARIANT *variant)
{
    SAFEARRAY *array;
    void *data;
    HRESULT hr;

    if (value->length > ULONG_MAX ||
        !(array = SafeArrayCreateVector(VT_UI1, 0, (ULONG)value->length)))
        return E_OUTOFMEMORY;
    if (FAILED(hr = SafeArrayAccessData(array, &data)))
    {
        (void)SafeArrayDestroy(array);
        return hr;
    }
    if (value->length)
        memcpy(data, value->data, value->length);
    (void)SafeArrayUnaccessData(array);
    V_VT(variant) = COM_VT_BYTES;
    V_ARRAY(variant) = array;
    return S_OK;
}

HRESULT com_variant_out(const struct do_value *value, VARTYPE type, VARIANT *variant)
{
    VariantInit(variant);
    if (value->kind == DO_VALUE_EMPTY)
        return DO_HR_NOT_SET;
    switch (type)
    {
    case VT_BSTR:
        return text_out(value->data, variant);
    case VT_BOOL:
        V_BOOL(variant) = value->number ? VARIANT_TRUE : VARIANT_FALSE;
        break;
    case VT_UI4:
        V_UI4(variant) = (ULONG)value->number;
        break;
    case VT_UI8:
        V_UI8(variant) = value->number;
        break;
    case COM_VT_BYTES:
        return bytes_out(value, variant);
    default:
        return DISP_E_TYPEMISMATCH;
    }
    V_VT(variant) = type;
    return S_OK;
}

HRESULT com_variant_interface_out(IUnknown *object, VARIANT *variant)
{
    VariantInit(variant);
    if (!object)
        return DO_HR_NOT_SET;
    IUnknown_AddRef(object);
    V_VT(variant) = VT_UNKNOWN;
    V_UNKNOWN(variant) = object;
    return S_OK;
}
