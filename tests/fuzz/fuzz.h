/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target reads what it decides by from the front of its input with
 * a fuzz_input, whose reads give zeros behind the end, and holds the code under test to its word
 * with FUZZ_CHECK. One thread.
 */
#ifndef DO_TESTS_FUZZ_FUZZ_H
#define DO_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Ends the program, as a sanitizer does, when what must hold does not. */
#define FUZZ_CHECK(condition)                                                                      \
    do                                                                                             \
    {                                                                                              \
        if (!(condition))                                                                          \
        {                                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The target: in every fuzz_*.c; called by libFuzzer or replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input
{
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_take_u8(struct fuzz_input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint64_t fuzz_take_u64(struct fuzz_input *input)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)fuzz_take_u8(input) << (8 * i);
    return value;
}

/** A number below limit, which is at most 65536. */
static inline uint32_t fuzz_take_below(struct fuzz_input *input, uint32_t limit)
{
    uint32_t value = fuzz_take_u8(input);

    if (limit > 256)
        value |= (uint32_t)fuzz_take_u8(input) << 8;
    return limit ? value % limit : 0;
}

/** Numbers of 64 bits, most of them where something ends: small, near 2^63 and 2^64, any. */
static inline uint64_t fuzz_take_size(struct fuzz_input *input)
{
    const uint8_t how = fuzz_take_u8(input);

    switch (how >> 6)
    {
    case 0:
        return how & 0x3F;
    case 1:
        return (uint64_t)INT64_MAX - 32 + (how & 0x3F);
    case 2:
        return UINT64_MAX - (how & 0x3F);
    default:
        return fuzz_take_u64(input) >> (how & 0x3F);
    }
}

/** All that is left up to a zero, terminated, in a block that ends there: freed with free. */
static inline char *fuzz_take_text(struct fuzz_input *input)
{
    const uint8_t *zero = input->left ? memchr(input->at, 0, input->left) : NULL;
    const size_t length = zero ? (size_t)(zero - input->at) : input->left;
    char *text = malloc(length + 1);

    FUZZ_CHECK(text);
    if (length)
        memcpy(text, input->at, length);
    text[length] = 0;
    input->at += length;
    input->left -= length;
    if (zero)
        (void)fuzz_take_u8(input);
    return text;
}

#endif
