/* SPDX-License-Identifier: MIT */
/*
 * See policy_keys.h: a key of the user's, which RegOverridePredefKey lays over HKEY_LOCAL_MACHINE
 * for this process.
 */
#include "policy_keys.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "support/test.h"

static const char *const paths[] = {
    "SOFTWARE\\Policies\\Microsoft\\Windows\\DeliveryOptimization",
    "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\DeliveryOptimization\\Config",
    "SOFTWARE\\Policies\\Microsoft\\Windows\\BITS",
};

static char root_path[64];
static HKEY root;

static void set_value(
    enum do_policy_key which, const char *name, DWORD type, const void *data, size_t bytes)
{
    HKEY key;

    assert_int_equal(RegCreateKeyExA(root, paths[which], 0, NULL, REG_OPTION_VOLATILE,
                         KEY_SET_VALUE, NULL, &key, NULL),
        ERROR_SUCCESS);
    assert_int_equal(RegSetValueExA(key, name, 0, type, data, (DWORD)bytes), ERROR_SUCCESS);
    assert_int_equal(RegCloseKey(key), ERROR_SUCCESS);
}

void test_policy_begin(void)
{
    (void)snprintf(root_path, sizeof(root_path), "Software\\dosvc-test-policy-%lu",
        (unsigned long)GetCurrentProcessId());
    (void)RegDeleteTreeA(HKEY_CURRENT_USER, root_path);
    assert_int_equal(RegCreateKeyExA(HKEY_CURRENT_USER, root_path, 0, NULL, REG_OPTION_VOLATILE,
                         KEY_ALL_ACCESS, NULL, &root, NULL),
        ERROR_SUCCESS);
    assert_int_equal(RegOverridePredefKey(HKEY_LOCAL_MACHINE, root), ERROR_SUCCESS);
}

void test_policy_end(void)
{
    assert_int_equal(RegOverridePredefKey(HKEY_LOCAL_MACHINE, NULL), ERROR_SUCCESS);
    assert_int_equal(RegCloseKey(root), ERROR_SUCCESS);
    assert_int_equal(RegDeleteTreeA(HKEY_CURRENT_USER, root_path), ERROR_SUCCESS);
}

void test_policy_number(enum do_policy_key key, const char *name, uint32_t number)
{
    set_value(key, name, REG_DWORD, &number, sizeof(number));
}

void test_policy_text(enum do_policy_key key, const char *name, const char *text)
{
    set_value(key, name, REG_SZ, text, strlen(text) + 1);
}

void test_policy_bytes(enum do_policy_key key, const char *name)
{
    static const unsigned char bytes[] = {0, 1};

    set_value(key, name, REG_BINARY, bytes, sizeof(bytes));
}

void test_policy_clear(void)
{
    LSTATUS status = RegDeleteTreeA(root, "SOFTWARE");

    assert_true(status == ERROR_SUCCESS || status == ERROR_FILE_NOT_FOUND);
}

bool test_policy_set_real(const char *name, uint32_t number)
{
    HKEY key;
    bool set = false;

    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, paths[DO_POLICY_KEY_POLICY], 0, NULL, 0,
            KEY_SET_VALUE | KEY_QUERY_VALUE | KEY_WOW64_64KEY, NULL, &key, NULL) != ERROR_SUCCESS)
        return false;
    if (RegQueryValueExA(key, name, NULL, NULL, NULL, NULL) == ERROR_FILE_NOT_FOUND)
        set = RegSetValueExA(key, name, 0, REG_DWORD, (const BYTE *)&number, sizeof(number)) ==
              ERROR_SUCCESS;
    (void)RegCloseKey(key);
    return set;
}

void test_policy_delete_real(const char *name)
{
    HKEY key;

    if (RegOpenKeyExA(HKEY_LOCAL_MACHINE, paths[DO_POLICY_KEY_POLICY], 0,
            KEY_SET_VALUE | KEY_WOW64_64KEY, &key) != ERROR_SUCCESS)
        return;
    (void)RegDeleteValueA(key, name);
    (void)RegCloseKey(key);
}
