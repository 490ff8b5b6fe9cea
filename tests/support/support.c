/* SPDX-License-Identifier: MIT */
/*
 * See support.h. Test thread only.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/file.h"
#include "plat/plat.h"
#include "support/test.h"

#ifdef _WIN32
#include <windows.h>

#include "base/alloc.h"
#include "base/str.h"

static void temp_folder(char *buf, size_t size)
{
    WCHAR wide[1024];
    DWORD length = GetTempPathW((DWORD)DO_COUNT_OF(wide), wide);
    char *utf8 = NULL;

    assert_in_range(length, 1, DO_COUNT_OF(wide) - 1);
    assert_ok(do_utf8_from_utf16((const uint16_t *)wide, &utf8));
    assert_true(strlen(utf8) < size);
    (void)snprintf(buf, size, "%s", utf8);
    do_free(utf8);
}

void test_remove(const char *path)
{
    uint16_t *wide = NULL;

    assert_ok(do_utf16_from_utf8(path, &wide));
    if (!DeleteFileW((const WCHAR *)wide))
        (void)RemoveDirectoryW((const WCHAR *)wide);
    do_free(wide);
}

bool test_file_is_private(const char *path)
{
    (void)path;
    return true;
}
#else
#include <sys/stat.h>

static void temp_folder(char *buf, size_t size)
{
    const char *folder = getenv("TMPDIR");

    (void)snprintf(buf, size, "%s/", folder && *folder ? folder : "/tmp");
}

void test_remove(const char *path)
{
    (void)remove(path);
}

bool test_file_is_private(const char *path)
{
    struct stat info;

    return !stat(path, &info) && !(info.st_mode & 077);
}
#endif

void test_temp_path(char *buf, size_t size, const char *name)
{
    struct do_process self = do_process_self();
    char folder[1024];
    int length;

    temp_folder(folder, sizeof(folder));
    length = snprintf(buf, size, "%sdosvc-test-%llu-%llu-%s", folder, (unsigned long long)self.id,
        (unsigned long long)self.start, name);
    assert_in_range(length, 1, size - 1);
}

void test_write_file(const char *path, const void *data, size_t length)
{
    struct do_file *file = NULL;

    test_remove(path);
    assert_ok(do_file_create(path, &file));
    assert_ok(do_file_write(file, 0, data, length));
    do_file_close(file);
}
