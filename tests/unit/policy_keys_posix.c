/* SPDX-License-Identifier: MIT */
/*
 * See policy_keys.h: the file that DOSVC_POLICY_FILE names, which a change only makes longer.
 */
#define _POSIX_C_SOURCE 200809L

#include "policy_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/support.h"
#include "support/test.h"

static char path[1024];

static void add_line(enum do_policy_key key, const char *name, const char *value)
{
    static const char *const prefixes[] = {"policy", "user", "bits"};
    FILE *file = fopen(path, "ab");

    assert_non_null(file);
    assert_true(fprintf(file, "%s/%s=%s\n", prefixes[key], name, value) > 0);
    assert_int_equal(fclose(file), 0);
}

void test_policy_begin(void)
{
    test_temp_path(path, sizeof(path), "policies");
    assert_int_equal(setenv("DOSVC_POLICY_FILE", path, 1), 0);
    test_policy_clear();
}

void test_policy_end(void)
{
    test_policy_clear();
    assert_int_equal(unsetenv("DOSVC_POLICY_FILE"), 0);
}

void test_policy_number(enum do_policy_key key, const char *name, uint32_t number)
{
    char value[16];

    (void)snprintf(value, sizeof(value), "%" PRIu32, number);
    add_line(key, name, value);
}

void test_policy_text(enum do_policy_key key, const char *name, const char *text)
{
    char value[256];

    (void)snprintf(value, sizeof(value), "\"%s\"", text);
    add_line(key, name, value);
}

void test_policy_bytes(enum do_policy_key key, const char *name)
{
    add_line(key, name, "hex:00,01");
}

void test_policy_clear(void)
{
    test_remove(path);
}

bool test_policy_set_real(const char *name, uint32_t number)
{
    (void)name;
    (void)number;
    return false;
}

void test_policy_delete_real(const char *name)
{
    (void)name;
}
