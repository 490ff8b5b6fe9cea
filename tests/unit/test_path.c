/* SPDX-License-Identifier: MIT */
/*
 * Which Windows paths may be a target.
 */
#include <stdio.h>

#include "base/path.h"
#include "support/test.h"

struct row
{
    const char *path;
    HRESULT hr;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        HRESULT hr = do_path_check_windows(rows[i].path);

        if (hr != rows[i].hr)
            print_error("path: %s\n", rows[i].path);
        assert_hr(rows[i].hr, hr);
    }
}

/* Broken: targets that clients really use are refused. */
static void test_path_absolute_names_are_accepted(void **state)
{
    static const struct row rows[] = {
        {"C:\\a", S_OK},
        {"c:\\dir\\file.bin", S_OK},
        {"C:/dir/file", S_OK},
        {"C:\\dir/file", S_OK},
        {"C:\\.hidden", S_OK},
        {"C:\\a..b\\...c", S_OK},
        {"C:\\ leading", S_OK},
        {"C:\\\xC3\xA4\\\xF0\x9F\x98\x80", S_OK},
        {"C:\\console\\nully.txt", S_OK},
        {"C:\\COM0", S_OK},
        {"C:\\COM10", S_OK},
        {"C:\\COM", S_OK},
        {"C:\\LPTx.txt", S_OK},
        {"\\\\server\\share\\file", S_OK},
        {"//server/share/dir/file", S_OK},
        {"\\\\?\\C:\\file", S_OK},
        {"\\\\?\\UNC\\server\\share\\file", S_OK},
        {"\\\\?\\unc\\server\\share\\file", S_OK},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: a name that depends on the current folder, or none, becomes a target. */
static void test_path_relative_names_are_refused(void **state)
{
    static const struct row rows[] = {
        {"", E_INVALIDARG},
        {"file", E_INVALIDARG},
        {"dir\\file", E_INVALIDARG},
        {"\\file", E_INVALIDARG},
        {"/file", E_INVALIDARG},
        {"C:", E_INVALIDARG},
        {"C:file", E_INVALIDARG},
        {"C:\\", E_INVALIDARG},
        {"C:\\dir\\", E_INVALIDARG},
        {"C:\\dir/", E_INVALIDARG},
        {"C:\\\\file", E_INVALIDARG},
        {"C:\\dir\\\\file", E_INVALIDARG},
        {"\\\\?\\", E_INVALIDARG},
        {"\\\\?\\file", E_INVALIDARG},
        {"\\\\?\\C:", E_INVALIDARG},
        {"\\\\?\\C:file", E_INVALIDARG},
        {"\\\\?\\Volume{0}\\file", E_INVALIDARG},
        {"\\\\?\\GLOBALROOT\\Device\\x", E_INVALIDARG},
        {"\\\\?\\\\server\\share\\file", E_INVALIDARG},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: a path climbs out of the folder it seems to be in (also of a share). */
static void test_path_dot_parts_are_refused(void **state)
{
    static const struct row rows[] = {
        {"C:\\..\\file", E_INVALIDARG},
        {"C:\\dir\\..", E_INVALIDARG},
        {"C:\\dir\\.\\file", E_INVALIDARG},
        {"C:/dir/../file", E_INVALIDARG},
        {"C:\\dir.\\file", E_INVALIDARG},
        {"C:\\dir \\file", E_INVALIDARG},
        {"C:\\file.", E_INVALIDARG},
        {"C:\\file ", E_INVALIDARG},
        {"C:\\...", E_INVALIDARG},
        {"\\\\?\\C:\\..\\file", E_INVALIDARG},
        {"\\\\server\\share\\..\\file", E_INVALIDARG},
        {"\\\\server\\..\\file", E_INVALIDARG},
        {"\\\\server\\.\\file", E_INVALIDARG},
        {"\\\\..\\share\\file", E_INVALIDARG},
        {"\\\\?\\UNC\\server\\..\\file", E_INVALIDARG},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: a download is written to a device, where the system maps such names to one. */
static void test_path_device_names_are_refused(void **state)
{
    static const struct row rows[] = {
        {"C:\\CON", E_INVALIDARG},
        {"C:\\con.txt", E_INVALIDARG},
        {"C:\\nul.tar.gz", E_INVALIDARG},
        {"C:\\nul .txt", E_INVALIDARG},
        {"C:\\aux\\file", E_INVALIDARG},
        {"C:\\dir\\PRN", E_INVALIDARG},
        {"C:\\COM1", E_INVALIDARG},
        {"C:\\com9.log", E_INVALIDARG},
        {"C:\\LPT1", E_INVALIDARG},
        {"C:\\lpt9.x", E_INVALIDARG},
        {"C:\\COM\xC2\xB9", E_INVALIDARG},
        {"C:\\lpt\xC2\xB2.txt", E_INVALIDARG},
        {"C:\\COM\xC2\xB3", E_INVALIDARG},
        {"C:\\CONIN$", E_INVALIDARG},
        {"C:\\conout$.txt", E_INVALIDARG},
        {"\\\\server\\share\\NUL", E_INVALIDARG},
        {"\\\\.\\COM1", E_INVALIDARG},
        {"\\\\.\\pipe\\name", E_INVALIDARG},
        {"//./PhysicalDrive0", E_INVALIDARG},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: a share without a file, or half a share, becomes a target. */
static void test_path_incomplete_shares_are_refused(void **state)
{
    static const struct row rows[] = {
        {"\\\\", E_INVALIDARG},
        {"\\\\server", E_INVALIDARG},
        {"\\\\server\\", E_INVALIDARG},
        {"\\\\server\\share", E_INVALIDARG},
        {"\\\\server\\share\\", E_INVALIDARG},
        {"\\\\\\share\\file", E_INVALIDARG},
        {"\\\\server\\\\file", E_INVALIDARG},
        {"\\\\?\\UNC\\", E_INVALIDARG},
        {"\\\\?\\UNC\\server", E_INVALIDARG},
        {"\\\\?\\UNC\\server\\share\\", E_INVALIDARG},
        {"\\\\?\\UNC\\\\share\\file", E_INVALIDARG},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: wildcards, quotes or control characters reach the file system or a shell. */
static void test_path_bad_characters_are_an_invalid_name(void **state)
{
    static const char bad[] = "<>\"|?*\x01\x1F\n\t";
    char path[32];

    (void)state;
    for (const char *c = bad; *c; c++)
    {
        (void)snprintf(path, sizeof(path), "C:\\a%cb", *c);
        assert_hr(DO_HR_INVALID_NAME, do_path_check_windows(path));
        (void)snprintf(path, sizeof(path), "\\\\s\\h\\%c", *c);
        assert_hr(DO_HR_INVALID_NAME, do_path_check_windows(path));
        (void)snprintf(path, sizeof(path), "relative%c", *c);
        assert_hr(DO_HR_INVALID_NAME, do_path_check_windows(path));
    }
}

/* Broken: a download hides in an alternate stream of a file. */
static void test_path_colons_are_an_invalid_name(void **state)
{
    static const struct row rows[] = {
        {"C:\\file:stream", DO_HR_INVALID_NAME},
        {"C:\\file::$DATA", DO_HR_INVALID_NAME},
        {"C:file:stream", DO_HR_INVALID_NAME},
        {"C::\\file", DO_HR_INVALID_NAME},
        {"1:\\file", DO_HR_INVALID_NAME},
        {"\\:file", DO_HR_INVALID_NAME},
        {":", DO_HR_INVALID_NAME},
        {"CC:\\file", DO_HR_INVALID_NAME},
        {"\\\\server\\share\\file:stream", DO_HR_INVALID_NAME},
        {"\\\\server:80\\share\\file", DO_HR_INVALID_NAME},
        {"\\\\?\\C:\\file:stream", DO_HR_INVALID_NAME},
        {"\\\\.\\C:\\file", DO_HR_INVALID_NAME},
        {"//?/C:/file", DO_HR_INVALID_NAME},
        {"\\\\?\\\\\\?\\C:\\file", DO_HR_INVALID_NAME},
    };

    (void)state;
    check_rows(rows, DO_COUNT_OF(rows));
}

/* Broken: temporary files are made in another folder than their targets. */
static void test_path_name_offset_is_after_last_separator(void **state)
{
    (void)state;
    assert_int_equal(do_path_name_offset(""), 0);
    assert_int_equal(do_path_name_offset("file"), 0);
    assert_int_equal(do_path_name_offset("C:\\dir\\file"), 7);
    assert_int_equal(do_path_name_offset("C:\\dir/file"), 7);
    assert_int_equal(do_path_name_offset("/"), 1);
}

int main(void)
{
    static const struct CMUnitTest path[] = {
        cmocka_unit_test(test_path_absolute_names_are_accepted),
        cmocka_unit_test(test_path_relative_names_are_refused),
        cmocka_unit_test(test_path_dot_parts_are_refused),
        cmocka_unit_test(test_path_device_names_are_refused),
        cmocka_unit_test(test_path_incomplete_shares_are_refused),
        cmocka_unit_test(test_path_bad_characters_are_an_invalid_name),
        cmocka_unit_test(test_path_colons_are_an_invalid_name),
        cmocka_unit_test(test_path_name_offset_is_after_last_separator),
    };

    return TEST_RUN(path);
}
