/* SPDX-License-Identifier: MIT */
/*
 * The rules for local names that clients give, checked as text before any file is touched. Pure.
 */
#ifndef DO_BASE_PATH_H
#define DO_BASE_PATH_H

#include "base/hr.h"

/**
 * Whether a Windows path (UTF-8) may be a download's target: an absolute drive path or a UNC share,
 * also with the \\?\ prefix, forward slashes allowed.
 * DO_HR_INVALID_NAME for characters that no file name may have and for a colon beyond the drive's
 * (alternate streams), checked first; E_INVALIDARG for empty, relative and drive-relative paths,
 * ".." and "." parts, device names (CON, \\.\), parts that end in a dot or a space, and names that
 * end in a separator.
 */
HRESULT do_path_check_windows(const char *path);

/** Offset of the file name, after the last separator (slash or backslash). */
size_t do_path_name_offset(const char *path);

#endif
