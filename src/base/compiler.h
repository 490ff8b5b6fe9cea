/* SPDX-License-Identifier: MIT */
/*
 * The few things that C11 leaves to the compiler. Nothing else in the tree uses an extension.
 */
#ifndef DO_BASE_COMPILER_H
#define DO_BASE_COMPILER_H

#include <stddef.h>

#if defined(__MINGW32__)
#include <stdio.h> /* __MINGW_PRINTF_FORMAT */

#define DO_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(__MINGW_PRINTF_FORMAT, format_index, first_index)))
#elif defined(__GNUC__)
#define DO_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#else
#define DO_PRINTF(format_index, first_index)
#endif

#define DO_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that holds the member that pointer points to. */
#define DO_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
