/* SPDX-License-Identifier: MIT */
/*
 * The door of store/policy to where values are kept: on Windows the registry (policy_win.c), in
 * native test builds a file (policy_posix.c). One thread at a time for each source.
 */
#ifndef DO_STORE_POLICY_SOURCE_H
#define DO_STORE_POLICY_SOURCE_H

#include <stdint.h>

#include "base/hr.h"

enum do_policy_key
{
    DO_POLICY_KEY_POLICY, /* HKLM\SOFTWARE\Policies\Microsoft\Windows\DeliveryOptimization */
    DO_POLICY_KEY_USER, /* HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\...Optimization\Config */
    DO_POLICY_KEY_BITS, /* HKLM\SOFTWARE\Policies\Microsoft\Windows\BITS */
    DO_POLICY_KEYS
};

enum do_policy_kind
{
    DO_POLICY_ABSENT,
    DO_POLICY_NUMBER, /* REG_DWORD */
    DO_POLICY_TEXT,   /* REG_SZ */
    DO_POLICY_OTHER   /* of another type, or unreadable */
};

struct do_policy_raw
{
    enum do_policy_kind kind;
    uint32_t number;
    char *text; /* do_alloc'ed UTF-8 */
};

struct do_policy_source;

/** Opens all keys; one that does not exist has no values. E_OUTOFMEMORY. */
HRESULT do_policy_source_open(struct do_policy_source **source);
void do_policy_source_close(struct do_policy_source *source);

/** One value; name is ASCII. E_OUTOFMEMORY; anything else that goes wrong is a kind. */
HRESULT do_policy_source_read(struct do_policy_source *source, enum do_policy_key key,
    const char *name, struct do_policy_raw *raw);

/** A number for each key that is another one after a change of its values. */
void do_policy_source_stamps(uint64_t stamps[DO_POLICY_KEYS]);

#endif
