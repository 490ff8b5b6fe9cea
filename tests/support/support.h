/* SPDX-License-Identifier: MIT */
/*
 * What tests need of the system besides the product's own doors; the only place of the tests that
 * tells platforms apart.
 */
#ifndef DO_TESTS_SUPPORT_SUPPORT_H
#define DO_TESTS_SUPPORT_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Writes the path of a file (UTF-8) in the folder for temporary files into buf: unique to this run
 * of this process and to name. Nothing is created. Fails the test when buf is too small.
 */
void test_temp_path(char *buf, size_t size, const char *name);

/** Deletes a file or an empty folder; one that does not exist is fine. */
void test_remove(const char *path);

/** Replaces the content of the file at path. */
void test_write_file(const char *path, const void *data, size_t length);

/** Whether nobody but the file's owner may open it. Always true where a folder decides that. */
bool test_file_is_private(const char *path);

#endif
