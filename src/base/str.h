/* SPDX-License-Identifier: MIT */
/*
 * Text: UTF-8 inside, UTF-16 at the COM and Win32 edges (as uint16_t here, since this floor knows
 * no wchar_t of 16 bits), and do_buf, the one way to build bytes. Any thread; no global state.
 */
#ifndef DO_BASE_STR_H
#define DO_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/hr.h"

/** A do_alloc'ed copy of text; NULL for NULL or when out of memory. */
char *do_str_dup(const char *text);

/** A do_alloc'ed copy of the first length bytes of text, terminated. */
char *do_str_dup_n(const char *text, size_t length);

/** Replaces *slot by a copy of text (NULL clears). E_OUTOFMEMORY leaves *slot as it was. */
HRESULT do_str_assign(char **slot, const char *text);

/** Whether a and b are equal, ignoring the case of ASCII letters. */
bool do_str_equal_nocase(const char *a, const char *b);

/** Whether text begins with prefix, ignoring the case of ASCII letters. */
bool do_str_starts_nocase(const char *text, const char *prefix);

/** Length of a UTF-8 text in UTF-16 code units, which is what documented limits count. */
size_t do_str_utf16_units(const char *text);

/** Code units before the terminator. */
size_t do_utf16_length(const uint16_t *text);

/**
 * UTF-8 of a terminated UTF-16 text, do_alloc'ed into *utf8. E_INVALIDARG for an unpaired surrogate
 * (no URL or file name of ours has one), E_OUTOFMEMORY.
 */
HRESULT do_utf8_from_utf16(const uint16_t *text, char **utf8);

/** UTF-16 of a terminated UTF-8 text, do_alloc'ed into *utf16. E_INVALIDARG for bad UTF-8. */
HRESULT do_utf16_from_utf8(const char *text, uint16_t **utf16);

/** A growing byte string, always terminated by a zero that is not counted. */
struct do_buf
{
    char *data; /* NULL until the first byte */
    size_t length;
    size_t capacity;
    bool failed;  /* an allocation failed or the limit was passed: later appends do nothing */
    size_t limit; /* most bytes it may hold; 0 = no limit */
};

void do_buf_init(struct do_buf *buf, size_t limit);
void do_buf_finish(struct do_buf *buf);
void do_buf_append(struct do_buf *buf, const void *data, size_t length);
void do_buf_append_str(struct do_buf *buf, const char *text);
void do_buf_append_format(struct do_buf *buf, const char *format, ...) DO_PRINTF(2, 3);
void do_buf_clear(struct do_buf *buf);

/** The text so far; "" before the first byte. Borrowed, until the next change. */
const char *do_buf_str(const struct do_buf *buf);

/** The text, handed over to the caller (do_free); NULL when any append failed. */
char *do_buf_take(struct do_buf *buf);

#endif
