/* SPDX-License-Identifier: MIT */
/*
 * Policies that a test sets for its own process: on Windows in a branch of the user's registry that
 * stands for HKEY_LOCAL_MACHINE, elsewhere in a file. Test thread only; a failure fails the test.
 */
#ifndef DO_TESTS_UNIT_POLICY_KEYS_H
#define DO_TESTS_UNIT_POLICY_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/policy_source.h"

/** From here to test_policy_end the process sees the test's policies; there are none at first. */
void test_policy_begin(void);
void test_policy_end(void);

void test_policy_number(enum do_policy_key key, const char *name, uint32_t number);
/** text is ASCII. */
void test_policy_text(enum do_policy_key key, const char *name, const char *text);
/** A value that is neither a number nor a text. */
void test_policy_bytes(enum do_policy_key key, const char *name);
/** All keys are gone. */
void test_policy_clear(void);

/**
 * Sets a number among the machine's own policies, outside begin and end, in the 64-bit view. False
 * when there is none here, when it is not ours to change or when somebody has set it.
 */
bool test_policy_set_real(const char *name, uint32_t number);
void test_policy_delete_real(const char *name);

#endif
