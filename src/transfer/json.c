/* SPDX-License-Identifier: MIT */
/*
 * What cJSON leaves open when the text comes from somebody else. Pure.
 *
 * cJSON cannot tell a lack of memory from a bad text: both are E_INVALIDARG here.
 */
#include "transfer/json.h"

#include <stdbool.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/str.h"

/* Values that any text may have, and the fewest bytes a text must have for each one beyond. */
#define SOME_VALUES 1024U
#define BYTES_PER_VALUE 32U

/* The largest whole number below which a double has every one. */
#define DOUBLE_LIMIT 9007199254740992.0

/*
 * A value takes up to 80 bytes of tree; a text of commas would take 40 times its size. Zeros would
 * cut texts short.
 */
static bool is_bearable(const char *text, size_t length)
{
    size_t values = 1;

    for (size_t i = 0; i < length; i++)
    {
        switch (text[i])
        {
        case 0:
            return false;
        case ',':
        case '[':
        case '{':
            values++;
            break;
        case '\\':
            if (length - i > 5 && memcmp(text + i + 1, "u0000", 5) == 0)
                return false;
            break;
        default:
            break;
        }
    }
    return values <= SOME_VALUES + length / BYTES_PER_VALUE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

HRESULT do_json_parse(const char *text, size_t length, struct cJSON **object)
{
    const char *const end = text + length;
    const char *rest = text;
    cJSON *parsed;

    *object = NULL;
    if (!is_bearable(text, length))
        return E_INVALIDARG;
    if (!(parsed = cJSON_ParseWithLengthOpts(text, length, &rest, 0)))
        return E_INVALIDARG;
    while (rest < end && is_blank(*rest))
        rest++;
    if (rest < end || !cJSON_IsObject(parsed))
    {
        cJSON_Delete(parsed);
        return E_INVALIDARG;
    }
    *object = parsed;
    return S_OK;
}

void do_json_destroy(struct cJSON *object)
{
    cJSON_Delete(object);
}

HRESULT do_json_member(const struct cJSON *object, const char *name, const struct cJSON **member)
{
    const struct cJSON *found = NULL;

    *member = NULL;
    for (const struct cJSON *item = object->child; item; item = item->next)
    {
        if (!do_str_equal_nocase(item->string, name))
            continue;
        if (found)
            return E_INVALIDARG;
        found = item;
    }
    if (found && !cJSON_IsNull(found))
        *member = found;
    return S_OK;
}

HRESULT do_json_text(const struct cJSON *object, const char *name, const char **text)
{
    const struct cJSON *member;
    HRESULT hr;

    *text = NULL;
    if (FAILED(hr = do_json_member(object, name, &member)))
        return hr;
    if (!member)
        return S_OK;
    if (!cJSON_IsString(member))
        return E_INVALIDARG;
    *text = member->valuestring;
    return S_OK;
}

static HRESULT number_of_digits(const char *text, uint64_t *number)
{
    uint64_t value = 0;

    if (!*text)
        return E_INVALIDARG;
    for (; *text; text++)
    {
        const unsigned int digit = (unsigned int)*text - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return E_INVALIDARG;
        value = value * 10 + digit;
    }
    *number = value;
    return S_OK;
}

HRESULT do_json_number(const struct cJSON *value, uint64_t *number)
{
    double given;

    *number = 0;
    if (cJSON_IsString(value))
        return number_of_digits(value->valuestring, number);
    if (!cJSON_IsNumber(value))
        return E_INVALIDARG;
    given = value->valuedouble;
    if (!(given >= 0 && given <= DOUBLE_LIMIT) || (double)(uint64_t)given < given)
        return E_INVALIDARG;
    *number = (uint64_t)given;
    return S_OK;
}

/* The six bits of a character, or 64. */
static unsigned int bits_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (unsigned int)(found - digits) : 64;
}

HRESULT do_base64_decode(const char *text, void *bytes, size_t capacity, size_t *length)
{
    size_t characters = strlen(text);
    unsigned char *out = bytes;
    unsigned int held = 0; /* the last bits read, fewer than 14 of them new */
    unsigned int count = 0;
    size_t done = 0;

    *length = 0;
    if (characters % 4)
        return E_INVALIDARG;
    for (int i = 0; i < 2 && characters && text[characters - 1] == '='; i++)
        characters--;
    for (size_t i = 0; i < characters; i++)
    {
        const unsigned int bits = bits_of(text[i]);

        if (bits > 63)
            return E_INVALIDARG;
        held = (held << 6 | bits) & 0x3FFF;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        if (done == capacity)
            return E_INVALIDARG;
        out[done++] = (unsigned char)(held >> count);
    }
    /* Bits that belong to no byte are zero, so that bytes have one text only. */
    if (held & ((1U << count) - 1))
        return E_INVALIDARG;
    *length = done;
    return S_OK;
}
