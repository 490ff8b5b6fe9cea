/* SPDX-License-Identifier: MIT */
/*
 * Files of native test builds. The file remembers its path, since POSIX renames by name.
 */
#define _GNU_SOURCE
#include "plat/file_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/str.h"

struct do_file
{
    int handle;
    char *path;
};

HRESULT do_file_check_path(const char *path)
{
    return path[0] == '/' && path[do_path_name_offset(path)] ? S_OK : E_INVALIDARG;
}

HRESULT do_file_check_directory(const char *path)
{
    char *directory = do_str_dup_n(path, do_path_name_offset(path));
    bool refused;

    if (!directory)
        return E_OUTOFMEMORY;
    refused = access(directory, W_OK) && (errno == EACCES || errno == EROFS);
    do_free(directory);
    return refused ? E_ACCESSDENIED : S_OK;
}

static bool has_directory(const char *path)
{
    char *directory = do_str_dup_n(path, do_path_name_offset(path));
    bool exists = directory && access(directory, F_OK) == 0;

    do_free(directory);
    return exists;
}

/* ENOENT means a missing directory to a creator and one of both to an opener. */
static HRESULT open_file(const char *path, int flags, struct do_file **file)
{
    struct do_file *opened = do_alloc(sizeof(*opened));

    if (!opened || !(opened->path = do_str_dup(path)))
    {
        do_free(opened);
        return E_OUTOFMEMORY;
    }
    opened->handle = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    if (opened->handle < 0)
    {
        int error = errno;

        do_free(opened->path);
        do_free(opened);
        if (error == ENOENT && ((flags & O_CREAT) || !has_directory(path)))
            return DO_HR_PATH_NOT_FOUND;
        return error == ELOOP ? E_ACCESSDENIED : do_hr_from_errno(error);
    }
    *file = opened;
    return S_OK;
}

HRESULT do_file_os_create(const char *path, struct do_file **file)
{
    return open_file(path, O_CREAT | O_EXCL, file);
}

HRESULT do_file_os_open(const char *path, struct do_file **file)
{
    return open_file(path, 0, file);
}

void do_file_close(struct do_file *file)
{
    if (!file)
        return;
    (void)close(file->handle);
    do_free(file->path);
    do_free(file);
}

HRESULT do_file_os_write(struct do_file *file, uint64_t offset, const void *data, size_t length)
{
    const char *from = data;

    while (length)
    {
        ssize_t written = pwrite(file->handle, from, length, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return do_hr_from_errno(errno);
        if (!written)
            return DO_HR_DISK_FULL;
        from += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return S_OK;
}

HRESULT do_file_read(struct do_file *file, uint64_t offset, void *data, size_t length)
{
    char *to = data;

    while (length)
    {
        ssize_t got = pread(file->handle, to, length, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? do_hr_from_errno(errno) : E_FAIL;
        to += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return S_OK;
}

HRESULT do_file_os_set_size(struct do_file *file, uint64_t size)
{
    return ftruncate(file->handle, (off_t)size) ? do_hr_from_errno(errno) : S_OK;
}

HRESULT do_file_get_size(struct do_file *file, uint64_t *size)
{
    struct stat info;

    *size = 0;
    if (fstat(file->handle, &info))
        return do_hr_from_errno(errno);
    *size = (uint64_t)info.st_size;
    return S_OK;
}

static uint64_t filetime_of(const struct stat *info)
{
    return (uint64_t)(info->st_mtim.tv_sec + 11644473600) * 10000000 +
           (uint64_t)info->st_mtim.tv_nsec / 100;
}

HRESULT do_file_get_time(struct do_file *file, uint64_t *filetime)
{
    struct stat info;

    *filetime = 0;
    if (fstat(file->handle, &info))
        return do_hr_from_errno(errno);
    *filetime = filetime_of(&info);
    return S_OK;
}

HRESULT do_file_set_time(struct do_file *file, uint64_t filetime)
{
    struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};

    times[1].tv_sec = (time_t)(filetime / 10000000) - 11644473600;
    times[1].tv_nsec = (long)(filetime % 10000000) * 100;
    return futimens(file->handle, times) ? do_hr_from_errno(errno) : S_OK;
}

HRESULT do_file_os_flush(struct do_file *file)
{
    return fsync(file->handle) ? do_hr_from_errno(errno) : S_OK;
}

HRESULT do_file_os_rename(struct do_file *file, const char *path, bool replace)
{
    char *copy = do_str_dup(path);

    if (!copy)
        return E_OUTOFMEMORY;
    if (renameat2(AT_FDCWD, file->path, AT_FDCWD, path, replace ? 0 : RENAME_NOREPLACE))
    {
        int error = errno;

        do_free(copy);
        return error == EEXIST ? DO_HR_ALREADY_EXISTS : do_hr_from_errno(error);
    }
    do_free(file->path);
    file->path = copy;
    return S_OK;
}

HRESULT do_file_os_remove(struct do_file *file)
{
    return unlink(file->path) && errno != ENOENT ? do_hr_from_errno(errno) : S_OK;
}

bool do_file_exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

HRESULT do_file_look(const char *path, uint64_t *size, uint64_t *filetime)
{
    struct stat info;

    *size = 0;
    *filetime = 0;
    if (lstat(path, &info))
        return errno == ENOENT && !has_directory(path) ? DO_HR_PATH_NOT_FOUND
                                                       : do_hr_from_errno(errno);
    if (!S_ISREG(info.st_mode))
        return E_ACCESSDENIED;
    *size = (uint64_t)info.st_size;
    *filetime = filetime_of(&info);
    return S_OK;
}

HRESULT do_file_make_directory(const char *path)
{
    struct stat info;
    char *copy;
    HRESULT hr = S_OK;

    if (!*path)
        return E_INVALIDARG;
    if (!(copy = do_str_dup(path)))
        return E_OUTOFMEMORY;
    for (char *end = copy + 1; SUCCEEDED(hr); end++)
    {
        char saved = *end;

        if (saved && saved != '/')
            continue;
        *end = 0;
        if (mkdir(copy, 0700) && errno != EEXIST)
            hr = do_hr_from_errno(errno);
        *end = saved;
        if (!saved)
            break;
    }
    /* EEXIST does not say what exists. */
    if (SUCCEEDED(hr) && (stat(copy, &info) || !S_ISDIR(info.st_mode)))
        hr = DO_HR_FILE_EXISTS;
    do_free(copy);
    return hr;
}
