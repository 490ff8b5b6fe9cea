/* SPDX-License-Identifier: MIT */
/*
 * What every unit test includes: cmocka with the headers that it needs before itself, and asserts
 * for HRESULTs. cmocka leaves a failed test with longjmp: assert on the thread of the test only.
 */
#ifndef DO_TESTS_SUPPORT_TEST_H
#define DO_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/hr.h"
#include "support/todo.h"

/* Fails, showing both codes in hex with their names, unless expression gives expected. */
#define assert_hr(expected, expression)                                                            \
    test_check_hr((expected), (expression), #expression, __FILE__, __LINE__)

/* Likewise for S_OK. */
#define assert_ok(expression) assert_hr(S_OK, expression)

/* Runs an array of struct CMUnitTest as the body of main. */
#define TEST_RUN(tests) cmocka_run_group_tests_name(#tests, tests, NULL, NULL)

static inline void test_check_hr(
    HRESULT expected, HRESULT actual, const char *expression, const char *file, int line)
{
    const char *expected_name = do_hr_name(expected);
    const char *actual_name = do_hr_name(actual);

    if (actual == expected)
        return;
    print_error("%s is 0x%08x (%s), not 0x%08x (%s)\n", expression, (unsigned int)actual,
        actual_name ? actual_name : "?", (unsigned int)expected,
        expected_name ? expected_name : "?");
    _fail(file, line);
}

#endif
