/* SPDX-License-Identifier: MIT */
/*
 * Native test builds: policies are lines of the file that the environment variable
 * DOSVC_POLICY_FILE names. "policy/DODownloadMode=1" is a number, "policy/DOCacheHost="a,b"" (with
 * the quotes around a,b) a text; "user/" and "bits/" stand for the other keys. Values of other
 * looks are of another type, other lines are nothing. Without the variable nothing is set.
 */
#include "store/policy_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define LARGEST_FILE_BYTES (64U * 1024)

struct do_policy_source
{
    struct do_buf file;
};

static const char *const prefixes[DO_POLICY_KEYS] = {
    [DO_POLICY_KEY_POLICY] = "policy/",
    [DO_POLICY_KEY_USER] = "user/",
    [DO_POLICY_KEY_BITS] = "bits/",
};

static void read_file(struct do_buf *buf)
{
    const char *path = getenv("DOSVC_POLICY_FILE");
    FILE *file = path ? fopen(path, "rb") : NULL;
    char block[1024];
    size_t got;

    do_buf_init(buf, LARGEST_FILE_BYTES);
    if (!file)
        return;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        do_buf_append(buf, block, got);
    (void)fclose(file);
}

HRESULT do_policy_source_open(struct do_policy_source **source)
{
    if (!(*source = do_alloc(sizeof(**source))))
        return E_OUTOFMEMORY;
    read_file(&(*source)->file);
    if ((*source)->file.failed)
    {
        do_policy_source_close(*source);
        *source = NULL;
        return E_OUTOFMEMORY;
    }
    return S_OK;
}

void do_policy_source_close(struct do_policy_source *source)
{
    if (!source)
        return;
    do_buf_finish(&source->file);
    do_free(source);
}

static HRESULT parse_value(const char *begin, size_t length, struct do_policy_raw *raw)
{
    uint64_t number = 0;

    raw->kind = DO_POLICY_OTHER;
    if (length >= 2 && begin[0] == '"' && begin[length - 1] == '"')
    {
        raw->kind = DO_POLICY_TEXT;
        raw->text = do_str_dup_n(begin + 1, length - 2);
        return raw->text ? S_OK : E_OUTOFMEMORY;
    }
    for (size_t i = 0; i < length; i++)
    {
        if (begin[i] < '0' || begin[i] > '9')
            return S_OK;
        number = number * 10 + (uint64_t)(begin[i] - '0');
        if (number > UINT32_MAX)
            return S_OK;
    }
    if (length)
        *raw = (struct do_policy_raw){DO_POLICY_NUMBER, (uint32_t)number, NULL};
    return S_OK;
}

HRESULT do_policy_source_read(struct do_policy_source *source, enum do_policy_key key,
    const char *name, struct do_policy_raw *raw)
{
    const char *line = do_buf_str(&source->file);
    size_t prefix_length = strlen(prefixes[key]);
    size_t name_length = strlen(name);

    *raw = (struct do_policy_raw){DO_POLICY_ABSENT, 0, NULL};
    while (*line)
    {
        size_t length = strcspn(line, "\n");
        size_t value = prefix_length + name_length + 1;

        /* Names of registry values have no case. */
        if (length >= value && !strncmp(line, prefixes[key], prefix_length) &&
            do_str_starts_nocase(line + prefix_length, name) && line[value - 1] == '=')
            return parse_value(line + value, length - value, raw);
        line += length + (line[length] == '\n');
    }
    return S_OK;
}

/* FNV-1a over the whole file, for each key: somebody who is told in vain only reads again. */
void do_policy_source_stamps(uint64_t stamps[DO_POLICY_KEYS])
{
    uint64_t hash = UINT64_C(14695981039346656037);
    struct do_buf file;

    read_file(&file);
    for (size_t i = 0; i < file.length; i++)
        hash = (hash ^ (unsigned char)file.data[i]) * UINT64_C(1099511628211);
    do_buf_finish(&file);
    for (size_t i = 0; i < DO_POLICY_KEYS; i++)
        stamps[i] = hash;
}
