/* SPDX-License-Identifier: MIT */
/*
 * Text and growing byte strings. Any thread; no global state.
 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

char *do_str_dup(const char *text)
{
    return text ? do_str_dup_n(text, strlen(text)) : NULL;
}

char *do_str_dup_n(const char *text, size_t length)
{
    char *copy = do_alloc_raw(length + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

HRESULT do_str_assign(char **slot, const char *text)
{
    char *copy = NULL;

    if (text && !(copy = do_str_dup(text)))
        return E_OUTOFMEMORY;
    do_free(*slot);
    *slot = copy;
    return S_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool do_str_equal_nocase(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
    {
        if (lower(*a) != lower(*b))
            return false;
    }
    return *a == *b;
}

bool do_str_starts_nocase(const char *text, const char *prefix)
{
    for (; *prefix; text++, prefix++)
    {
        if (lower(*text) != lower(*prefix))
            return false;
    }
    return true;
}

size_t do_str_utf16_units(const char *text)
{
    size_t length = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        length += (*c & 0xC0) == 0x80 ? 0U : *c >= 0xF0 ? 2U : 1U;
    return length;
}

size_t do_utf16_length(const uint16_t *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

/* Appends one code point in UTF-8 and returns the number of bytes. */
static size_t encode_utf8(uint32_t point, char *out)
{
    if (point < 0x80)
    {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800)
    {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000)
    {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

HRESULT do_utf8_from_utf16(const uint16_t *text, char **utf8)
{
    size_t length = do_utf16_length(text);
    size_t used = 0;
    char *out;

    *utf8 = NULL;
    if (length > (SIZE_MAX - 1) / 3)
        return E_OUTOFMEMORY;
    if (!(out = do_alloc_raw(length * 3 + 1)))
        return E_OUTOFMEMORY;
    for (size_t i = 0; i < length; i++)
    {
        uint32_t point = text[i];

        if (point >= 0xD800 && point < 0xE000)
        {
            /* A high surrogate must be followed by a low one; text[length] is 0 and is not. */
            if (point >= 0xDC00 || text[i + 1] < 0xDC00 || text[i + 1] >= 0xE000)
            {
                do_free(out);
                return E_INVALIDARG;
            }
            point = 0x10000 + ((point - 0xD800) << 10) + (text[i + 1] - 0xDC00U);
            i++;
        }
        used += encode_utf8(point, out + used);
    }
    out[used] = 0;
    *utf8 = out;
    return S_OK;
}

/* Decodes one code point; 0 for the terminator and for bad UTF-8, told apart by *length. */
static uint32_t decode_utf8(const unsigned char *text, size_t *length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point = text[0];
    size_t count;

    *length = 1;
    if (point < 0x80)
        return point;
    *length = 0;
    if (point >= 0xC2 && point < 0xE0)
        count = 2;
    else if (point >= 0xE0 && point < 0xF0)
        count = 3;
    else if (point >= 0xF0 && point < 0xF5)
        count = 4;
    else
        return 0;
    point &= 0x7FU >> count;
    for (size_t i = 1; i < count; i++)
    {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3FU);
    }
    if (point < smallest[count] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
        return 0;
    *length = count;
    return point;
}

HRESULT do_utf16_from_utf8(const char *text, uint16_t **utf16)
{
    const unsigned char *in = (const unsigned char *)text;
    size_t used = 0;
    uint16_t *out;

    *utf16 = NULL;
    if (!(out = do_alloc_array(strlen(text) + 1, sizeof(*out))))
        return E_OUTOFMEMORY;
    while (*in)
    {
        size_t length;
        uint32_t point = decode_utf8(in, &length);

        if (!length)
        {
            do_free(out);
            return E_INVALIDARG;
        }
        in += length;
        if (point >= 0x10000)
        {
            out[used++] = (uint16_t)(0xD800 + ((point - 0x10000) >> 10));
            out[used++] = (uint16_t)(0xDC00 + ((point - 0x10000) & 0x3FF));
        }
        else
            out[used++] = (uint16_t)point;
    }
    out[used] = 0;
    *utf16 = out;
    return S_OK;
}

void do_buf_init(struct do_buf *buf, size_t limit)
{
    memset(buf, 0, sizeof(*buf));
    buf->limit = limit;
}

void do_buf_finish(struct do_buf *buf)
{
    do_free(buf->data);
    do_buf_init(buf, buf->limit);
}

/* Makes room for length more bytes and the terminator. */
static bool reserve(struct do_buf *buf, size_t length)
{
    size_t capacity = buf->capacity ? buf->capacity : 64;
    char *grown;

    if (buf->failed)
        return false;
    if (length >= SIZE_MAX / 2 - buf->length || (buf->limit && length > buf->limit - buf->length))
    {
        buf->failed = true;
        return false;
    }
    if (buf->length + length + 1 <= buf->capacity)
        return true;
    while (capacity < buf->length + length + 1)
        capacity *= 2;
    if (!(grown = do_realloc_array(buf->data, capacity, 1)))
    {
        buf->failed = true;
        return false;
    }
    buf->data = grown;
    buf->capacity = capacity;
    return true;
}

void do_buf_append(struct do_buf *buf, const void *data, size_t length)
{
    if (!reserve(buf, length))
        return;
    if (length)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = 0;
}

void do_buf_append_str(struct do_buf *buf, const char *text)
{
    do_buf_append(buf, text, strlen(text));
}

void do_buf_append_format(struct do_buf *buf, const char *format, ...)
{
    va_list args;
    va_list again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        buf->failed = true;
    else if (reserve(buf, (size_t)length))
    {
        (void)vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void do_buf_clear(struct do_buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = 0;
}

const char *do_buf_str(const struct do_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *do_buf_take(struct do_buf *buf)
{
    char *data;

    if (buf->failed)
    {
        do_buf_finish(buf);
        return NULL;
    }
    do_buf_append(buf, "", 0);
    data = buf->data;
    buf->data = NULL;
    do_buf_finish(buf);
    return data;
}
