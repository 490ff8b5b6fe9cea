/* SPDX-License-Identifier: MIT */
/*
 * Values and sets of them. Sets are small: a sorted array. Not synchronised.
 */
#include "base/value.h"

#include <string.h>

#include "base/alloc.h"

struct do_value do_value_of_number(uint64_t number)
{
    struct do_value value = {DO_VALUE_NUMBER, number, NULL, 0};

    return value;
}

struct do_value do_value_of_text(const char *text)
{
    struct do_value value = {DO_VALUE_EMPTY, 0, NULL, 0};

    if (text)
    {
        value.kind = DO_VALUE_TEXT;
        value.data = (char *)(uintptr_t)text;
        value.length = strlen(text);
    }
    return value;
}

struct do_value do_value_of_bytes(const void *data, size_t length)
{
    struct do_value value = {DO_VALUE_BYTES, 0, (char *)(uintptr_t)data, length};

    return value;
}

void do_value_init(struct do_value *value)
{
    memset(value, 0, sizeof(*value));
}

void do_value_finish(struct do_value *value)
{
    do_free(value->data);
    do_value_init(value);
}

static bool has_data(const struct do_value *value)
{
    return value->kind == DO_VALUE_TEXT || value->kind == DO_VALUE_BYTES;
}

HRESULT do_value_assign(struct do_value *value, const struct do_value *source)
{
    struct do_value copy = *source;

    copy.data = NULL;
    if (has_data(source))
    {
        if (!(copy.data = do_alloc(source->length + 1)))
            return E_OUTOFMEMORY;
        if (source->length)
            memcpy(copy.data, source->data, source->length);
    }
    do_value_finish(value);
    *value = copy;
    return S_OK;
}

bool do_value_equal(const struct do_value *a, const struct do_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (has_data(a))
        return a->length == b->length && (!a->length || !memcmp(a->data, b->data, a->length));
    return a->kind == DO_VALUE_EMPTY || a->number == b->number;
}

void do_values_init(struct do_values *values)
{
    memset(values, 0, sizeof(*values));
}

void do_values_finish(struct do_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        do_value_finish(&values->items[i].value);
    do_free(values->items);
    do_values_init(values);
}

/* The place of id, or where it belongs. */
static size_t find(const struct do_values *values, uint32_t id)
{
    size_t index = 0;

    while (index < values->count && values->items[index].id < id)
        index++;
    return index;
}

static bool is_at(const struct do_values *values, size_t index, uint32_t id)
{
    return index < values->count && values->items[index].id == id;
}

const struct do_value *do_values_get(const struct do_values *values, uint32_t id)
{
    size_t index = find(values, id);

    return is_at(values, index, id) ? &values->items[index].value : NULL;
}

uint64_t do_values_number(const struct do_values *values, uint32_t id, uint64_t fallback)
{
    const struct do_value *value = do_values_get(values, id);

    return value && value->kind == DO_VALUE_NUMBER ? value->number : fallback;
}

const char *do_values_text(const struct do_values *values, uint32_t id)
{
    const struct do_value *value = do_values_get(values, id);

    return value && value->kind == DO_VALUE_TEXT ? value->data : NULL;
}

static HRESULT reserve(struct do_values *values)
{
    size_t capacity = values->capacity ? values->capacity * 2 : 4;
    struct do_setting *grown;

    if (values->count < values->capacity)
        return S_OK;
    if (!(grown = do_realloc_array(values->items, capacity, sizeof(*grown))))
        return E_OUTOFMEMORY;
    values->items = grown;
    values->capacity = capacity;
    return S_OK;
}

static void remove_at(struct do_values *values, size_t index)
{
    do_value_finish(&values->items[index].value);
    values->count--;
    memmove(&values->items[index], &values->items[index + 1],
        (values->count - index) * sizeof(*values->items));
}

HRESULT do_values_set(struct do_values *values, uint32_t id, const struct do_value *value)
{
    size_t index = find(values, id);
    struct do_value copy;
    HRESULT hr;

    if (value->kind == DO_VALUE_EMPTY)
    {
        if (is_at(values, index, id))
            remove_at(values, index);
        return S_OK;
    }
    if (is_at(values, index, id))
        return do_value_assign(&values->items[index].value, value);
    do_value_init(&copy);
    if (FAILED(hr = do_value_assign(&copy, value)))
        return hr;
    if (FAILED(hr = reserve(values)))
    {
        do_value_finish(&copy);
        return hr;
    }
    memmove(&values->items[index + 1], &values->items[index],
        (values->count - index) * sizeof(*values->items));
    values->items[index].id = id;
    values->items[index].value = copy;
    values->count++;
    return S_OK;
}

HRESULT do_values_assign(struct do_values *values, const struct do_values *source)
{
    struct do_values copy;
    HRESULT hr = S_OK;

    do_values_init(&copy);
    for (size_t i = 0; i < source->count && SUCCEEDED(hr); i++)
        hr = do_values_set(&copy, source->items[i].id, &source->items[i].value);
    if (FAILED(hr))
    {
        do_values_finish(&copy);
        return hr;
    }
    do_values_finish(values);
    *values = copy;
    return S_OK;
}
