/* SPDX-License-Identifier: MIT */
/*
 * What file_win.c and file_posix.c provide to file.c: the operations without the test seam.
 * The contracts are those of file.h.
 */
#ifndef DO_PLAT_FILE_OS_H
#define DO_PLAT_FILE_OS_H

#include "plat/file.h"

HRESULT do_file_os_create(const char *path, struct do_file **file);
HRESULT do_file_os_open(const char *path, struct do_file **file);
HRESULT do_file_os_write(struct do_file *file, uint64_t offset, const void *data, size_t length);
HRESULT do_file_os_flush(struct do_file *file);
HRESULT do_file_os_set_size(struct do_file *file, uint64_t size);
HRESULT do_file_os_rename(struct do_file *file, const char *path, bool replace);
HRESULT do_file_os_remove(struct do_file *file);

#endif
