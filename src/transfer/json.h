/* SPDX-License-Identifier: MIT */
/*
 * JSON that others wrote, over cJSON: well-formed or refused, bounded in memory, members found
 * without regard to case, numbers that may be texts, and base64. Pure; any thread.
 */
#ifndef DO_TRANSFER_JSON_H
#define DO_TRANSFER_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

struct cJSON;

/**
 * Parses one object, with nothing but blanks around it. E_INVALIDARG for anything else, also for a
 * text of so many small values that its tree would take many times its own size, and for one that
 * has a zero in it, as a byte or escaped. Freed with do_json_destroy.
 */
HRESULT do_json_parse(const char *text, size_t length, struct cJSON **object);
void do_json_destroy(struct cJSON *object);

/**
 * The member of this name, borrowed; NULL when there is none or it is null. E_INVALIDARG when there
 * are several.
 */
HRESULT do_json_member(const struct cJSON *object, const char *name, const struct cJSON **member);

/** The text of a member, borrowed; NULL for no member. E_INVALIDARG when it is no text. */
HRESULT do_json_text(const struct cJSON *object, const char *name, const char **text);

/**
 * A whole number up to 2^53, or a text of decimal digits up to UINT64_MAX. E_INVALIDARG for
 * anything else, also for NULL.
 */
HRESULT do_json_number(const struct cJSON *value, uint64_t *number);

/**
 * The bytes of a base64 text (RFC 4648, section 4, padded, nothing else in it). E_INVALIDARG when
 * it is none or does not fit into capacity bytes.
 */
HRESULT do_base64_decode(const char *text, void *bytes, size_t capacity, size_t *length);

#endif
