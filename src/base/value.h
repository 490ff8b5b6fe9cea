/* SPDX-License-Identifier: MIT */
/*
 * A value of a property: nothing, a number, a text or bytes; and a set of such values by id, as
 * jobs and files have them and the database keeps them. Not synchronised.
 */
#ifndef DO_BASE_VALUE_H
#define DO_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

enum do_value_kind
{
    DO_VALUE_EMPTY, /* not set */
    DO_VALUE_NUMBER,
    DO_VALUE_TEXT,
    DO_VALUE_BYTES
};

/** data is do_alloc'ed and terminated by a zero that length does not count; NULL for numbers. */
struct do_value
{
    enum do_value_kind kind;
    uint64_t number;
    char *data;
    size_t length;
};

/* Values that borrow what they are made of: for arguments, never to be finished. */
struct do_value do_value_of_number(uint64_t number);
/** NULL makes an empty value. */
struct do_value do_value_of_text(const char *text);
struct do_value do_value_of_bytes(const void *data, size_t length);

void do_value_init(struct do_value *value);
void do_value_finish(struct do_value *value);

/** Makes *value a copy of source; E_OUTOFMEMORY leaves it as it was. */
HRESULT do_value_assign(struct do_value *value, const struct do_value *source);

bool do_value_equal(const struct do_value *a, const struct do_value *b);

/** A value with its id. */
struct do_setting
{
    uint32_t id;
    struct do_value value;
};

/** A set of values that are not empty, sorted by id. */
struct do_values
{
    struct do_setting *items;
    size_t count;
    size_t capacity;
};

void do_values_init(struct do_values *values);
void do_values_finish(struct do_values *values);

/** Borrowed until the next change; NULL when not set. */
const struct do_value *do_values_get(const struct do_values *values, uint32_t id);

/** The number with this id, or fallback when there is none. */
uint64_t do_values_number(const struct do_values *values, uint32_t id, uint64_t fallback);

/** The text with this id, borrowed, or NULL. */
const char *do_values_text(const struct do_values *values, uint32_t id);

/** Stores a copy; an empty value removes. E_OUTOFMEMORY leaves the set as it was. */
HRESULT do_values_set(struct do_values *values, uint32_t id, const struct do_value *value);

/** Makes *values a copy of source; E_OUTOFMEMORY leaves it as it was. */
HRESULT do_values_assign(struct do_values *values, const struct do_values *source);

#endif
