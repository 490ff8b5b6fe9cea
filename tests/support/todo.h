/* SPDX-License-Identifier: MIT */
/*
 * Marks of known gaps, for tests that include cmocka already.
 */
#ifndef DO_TESTS_SUPPORT_TODO_H
#define DO_TESTS_SUPPORT_TODO_H

/* A known gap: fails when the condition that is still false begins to hold, so that it is removed.
 */
#define DO_TODO(reason, condition)                                                                 \
    do                                                                                             \
    {                                                                                              \
        if (condition)                                                                             \
            fail_msg("passes now, remove the mark: %s", reason);                                   \
        else                                                                                       \
            print_message("TODO: %s\n", reason);                                                   \
    } while (0)

#endif
