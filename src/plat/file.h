/* SPDX-License-Identifier: MIT */
/*
 * The door to the file system. Paths are UTF-8; file_win.c and file_posix.c convert. Calls block;
 * they are made by the writer, the flusher and by callers of Complete and Cancel, never by the loop
 * thread but for small ones. One file may be used by several threads at different offsets.
 *
 * do_file_set_fault lets a test fail any operation: the seam for full disks and torture tests.
 */
#ifndef DO_PLAT_FILE_H
#define DO_PLAT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

struct do_file;

enum do_file_op
{
    DO_FILE_OP_CREATE,
    DO_FILE_OP_OPEN,
    DO_FILE_OP_WRITE,
    DO_FILE_OP_FLUSH,
    DO_FILE_OP_SET_SIZE,
    DO_FILE_OP_RENAME,
    DO_FILE_OP_REMOVE
};

/** Decides whether an operation fails: S_OK lets it happen. offset and length are for writes. */
typedef HRESULT (*do_file_fault_fn)(void *ctx, enum do_file_op op, uint64_t offset, size_t length);

/** Test hook: every operation asks function first. NULL ends it. Set while no file is in use. */
void do_file_set_fault(do_file_fault_fn function, void *ctx);

/** Whether path is acceptable as a target on this platform (base/path.h for Windows). */
HRESULT do_file_check_path(const char *path);

/**
 * Whether new files may be made in the directory of path: S_OK also when the directory does not
 * exist yet, E_ACCESSDENIED when access is refused.
 */
HRESULT do_file_check_directory(const char *path);

/**
 * Creates a new file for reading and writing. Others may read and delete it, not write; who has it
 * open for more than that gives DO_HR_SHARING_VIOLATION.
 * DO_HR_FILE_EXISTS when the name is taken, DO_HR_PATH_NOT_FOUND when the directory is missing.
 */
HRESULT do_file_create(const char *path, struct do_file **file);

/**
 * Opens an existing file likewise. Refuses links: a reparse point gives E_ACCESSDENIED.
 * DO_HR_FILE_NOT_FOUND when the directory lacks it, DO_HR_PATH_NOT_FOUND when there is no
 * directory.
 */
HRESULT do_file_open(const char *path, struct do_file **file);

/** Closes. NULL is accepted. */
void do_file_close(struct do_file *file);

/** Writes all of data at offset, or fails. */
HRESULT do_file_write(struct do_file *file, uint64_t offset, const void *data, size_t length);

/** Reads length bytes at offset; fewer bytes there are a failure (E_FAIL). */
HRESULT do_file_read(struct do_file *file, uint64_t offset, void *data, size_t length);

/** Moves the end of the file. Growing it reserves nothing. */
HRESULT do_file_set_size(struct do_file *file, uint64_t size);

HRESULT do_file_get_size(struct do_file *file, uint64_t *size);

/** The time of the last write (FILETIME, UTC). */
HRESULT do_file_get_time(struct do_file *file, uint64_t *filetime);

/** Sets it; closing the file does not move it then. */
HRESULT do_file_set_time(struct do_file *file, uint64_t filetime);

/** Returns when everything written so far would survive a power loss. */
HRESULT do_file_flush(struct do_file *file);

/**
 * Renames the open file to path on the same volume, atomically. With replace an existing target
 * disappears in the same step, otherwise it gives DO_HR_ALREADY_EXISTS. DO_HR_SHARING_VIOLATION
 * when another program has the target open.
 */
HRESULT do_file_rename(struct do_file *file, const char *path, bool replace);

/** Deletes the open file: it is gone at the latest when it is closed. */
HRESULT do_file_remove(struct do_file *file);

/** Whether something exists at path. */
bool do_file_exists(const char *path);

/** The size and the time of the plain file at path, without opening it. */
HRESULT do_file_look(const char *path, uint64_t *size, uint64_t *filetime);

/** Creates the directory path and its parents. An existing one is fine. */
HRESULT do_file_make_directory(const char *path);

#endif
