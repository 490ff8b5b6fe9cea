/* SPDX-License-Identifier: MIT */
/*
 * Files over Win32. Every path is used in its \\?\ form, so that length limits and device names of
 * the DOS layer do not apply. Rename and delete go by handle: what was checked is what is moved.
 */
#include "plat/file_os.h"

#include <stddef.h>
#include <string.h>

#include <windows.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/str.h"

struct do_file
{
    HANDLE handle;
};

/*
 * Bytes of one WriteFile or ReadFile. Linux 6.16 and later caches a write in folios as large as the
 * write; large ones are memory that nobody used lately, and in a virtual machine the host must
 * first give it back. 1 GiB to ext4 under Wine: 1 MiB at a time 2.4 to 2.9 s, 128 KiB 0.7 to 1.5 s,
 * 16 KiB (more calls) 1.6 to 4.3 s.
 */
#define TRANSFER_PIECE (128U * 1024)

static HRESULT last_error(void)
{
    return do_hr_from_win32(GetLastError());
}

HRESULT do_file_check_path(const char *path)
{
    return do_path_check_windows(path);
}

/* The \\?\ form of an absolute path, do_alloc'ed. */
static HRESULT to_wide(const char *path, WCHAR **wide)
{
    static const WCHAR drive_prefix[] = L"\\\\?\\";
    static const WCHAR share_prefix[] = L"\\\\?\\UNC\\";
    const WCHAR *prefix = drive_prefix;
    uint16_t *text;
    const uint16_t *rest;
    size_t prefix_length;
    size_t length;
    HRESULT hr;

    *wide = NULL;
    if (FAILED(hr = do_utf16_from_utf8(path, &text)))
        return hr;
    for (uint16_t *c = text; *c; c++)
    {
        if (*c == '/')
            *c = '\\';
    }
    rest = text;
    if (!wcsncmp((const WCHAR *)text, L"\\\\?\\", 4))
        prefix = L"";
    else if (text[0] == '\\' && text[1] == '\\')
    {
        prefix = share_prefix;
        rest = text + 2;
    }
    prefix_length = wcslen(prefix);
    length = do_utf16_length(rest);
    if ((*wide = do_alloc_array(prefix_length + length + 1, sizeof(WCHAR))))
    {
        memcpy(*wide, prefix, prefix_length * sizeof(WCHAR));
        memcpy(*wide + prefix_length, rest, length * sizeof(WCHAR));
    }
    else
        hr = E_OUTOFMEMORY;
    do_free(text);
    return hr;
}

HRESULT do_file_check_directory(const char *path)
{
    char *directory = do_str_dup_n(path, do_path_name_offset(path));
    WCHAR *wide = NULL;
    HANDLE handle;
    HRESULT hr;

    if (!directory)
        return E_OUTOFMEMORY;
    if (SUCCEEDED(hr = to_wide(directory, &wide)))
    {
        handle =
            CreateFileW(wide, FILE_ADD_FILE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
        if (handle != INVALID_HANDLE_VALUE)
            CloseHandle(handle);
        else if (GetLastError() == ERROR_ACCESS_DENIED)
            hr = E_ACCESSDENIED;
    }
    do_free(wide);
    do_free(directory);
    return hr;
}

static HRESULT open_file(const char *path, DWORD disposition, struct do_file **file)
{
    BY_HANDLE_FILE_INFORMATION info;
    struct do_file *opened = NULL;
    WCHAR *wide = NULL;
    HRESULT hr;

    if (FAILED(hr = to_wide(path, &wide)))
        return hr;
    if (!(opened = do_alloc(sizeof(*opened))))
    {
        hr = E_OUTOFMEMORY;
        goto done;
    }
    opened->handle = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE | DELETE,
        FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, disposition,
        FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (opened->handle == INVALID_HANDLE_VALUE)
    {
        hr = last_error();
        goto done;
    }
    if (disposition == OPEN_EXISTING && GetFileInformationByHandle(opened->handle, &info) &&
        (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
    {
        CloseHandle(opened->handle);
        hr = E_ACCESSDENIED;
        goto done;
    }
    *file = opened;
    opened = NULL;

done:
    do_free(opened);
    do_free(wide);
    return hr;
}

HRESULT do_file_os_create(const char *path, struct do_file **file)
{
    return open_file(path, CREATE_NEW, file);
}

HRESULT do_file_os_open(const char *path, struct do_file **file)
{
    return open_file(path, OPEN_EXISTING, file);
}

void do_file_close(struct do_file *file)
{
    if (!file)
        return;
    CloseHandle(file->handle);
    do_free(file);
}

static OVERLAPPED at_offset(uint64_t offset)
{
    OVERLAPPED position = {0};

    position.Offset = (DWORD)offset;
    position.OffsetHigh = (DWORD)(offset >> 32);
    return position;
}

HRESULT do_file_os_write(struct do_file *file, uint64_t offset, const void *data, size_t length)
{
    const char *from = data;

    while (length)
    {
        OVERLAPPED position = at_offset(offset);
        DWORD part = length < TRANSFER_PIECE ? (DWORD)length : TRANSFER_PIECE;
        DWORD written;

        if (!WriteFile(file->handle, from, part, &written, &position))
            return last_error();
        if (!written)
            return DO_HR_DISK_FULL;
        from += written;
        offset += written;
        length -= written;
    }
    return S_OK;
}

HRESULT do_file_read(struct do_file *file, uint64_t offset, void *data, size_t length)
{
    char *to = data;

    while (length)
    {
        OVERLAPPED position = at_offset(offset);
        DWORD part = length < TRANSFER_PIECE ? (DWORD)length : TRANSFER_PIECE;
        DWORD got;

        if (!ReadFile(file->handle, to, part, &got, &position))
            return last_error();
        if (!got)
            return E_FAIL;
        to += got;
        offset += got;
        length -= got;
    }
    return S_OK;
}

HRESULT do_file_os_set_size(struct do_file *file, uint64_t size)
{
    FILE_END_OF_FILE_INFO info;

    info.EndOfFile.QuadPart = (LONGLONG)size;
    if (!SetFileInformationByHandle(file->handle, FileEndOfFileInfo, &info, sizeof(info)))
        return last_error();
    return S_OK;
}

HRESULT do_file_get_size(struct do_file *file, uint64_t *size)
{
    LARGE_INTEGER value;

    *size = 0;
    if (!GetFileSizeEx(file->handle, &value))
        return last_error();
    *size = (uint64_t)value.QuadPart;
    return S_OK;
}

static uint64_t to_number(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

HRESULT do_file_get_time(struct do_file *file, uint64_t *filetime)
{
    FILETIME time;

    *filetime = 0;
    if (!GetFileTime(file->handle, NULL, NULL, &time))
        return last_error();
    *filetime = to_number(time);
    return S_OK;
}

HRESULT do_file_set_time(struct do_file *file, uint64_t filetime)
{
    FILETIME time;

    time.dwLowDateTime = (DWORD)filetime;
    time.dwHighDateTime = (DWORD)(filetime >> 32);
    return SetFileTime(file->handle, NULL, NULL, &time) ? S_OK : last_error();
}

HRESULT do_file_os_flush(struct do_file *file)
{
    return FlushFileBuffers(file->handle) ? S_OK : last_error();
}

static HRESULT rename_by_handle(HANDLE handle, FILE_RENAME_INFO *info, DWORD size)
{
    return SetFileInformationByHandle(handle, FileRenameInfo, info, size) ? S_OK : last_error();
}

/* Windows denies access to a target that is open elsewhere, which says less than what is wrong. */
static bool is_open_elsewhere(const WCHAR *wide)
{
    HANDLE handle =
        CreateFileW(wide, DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
            OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (handle == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_SHARING_VIOLATION;
    CloseHandle(handle);
    return false;
}

HRESULT do_file_os_rename(struct do_file *file, const char *path, bool replace)
{
    FILE_RENAME_INFO *info = NULL;
    WCHAR *wide = NULL;
    size_t bytes;
    HRESULT hr;

    if (FAILED(hr = to_wide(path, &wide)))
        return hr;
    bytes = wcslen(wide) * sizeof(WCHAR);
    if (!(info = do_alloc(sizeof(*info) + bytes)))
    {
        hr = E_OUTOFMEMORY;
        goto done;
    }
    info->ReplaceIfExists = replace;
    info->FileNameLength = (DWORD)bytes;
    memcpy(info->FileName, wide, bytes);
    hr = rename_by_handle(file->handle, info, (DWORD)(sizeof(*info) + bytes));
    if (hr == E_ACCESSDENIED && is_open_elsewhere(wide))
        hr = DO_HR_SHARING_VIOLATION;
    else if (hr == E_ACCESSDENIED)
        /* Whoever had it open may have closed it between. */
        hr = rename_by_handle(file->handle, info, (DWORD)(sizeof(*info) + bytes));

done:
    do_free(info);
    do_free(wide);
    return hr;
}

HRESULT do_file_os_remove(struct do_file *file)
{
    FILE_DISPOSITION_INFO info = {TRUE};

    if (!SetFileInformationByHandle(file->handle, FileDispositionInfo, &info, sizeof(info)))
        return last_error();
    return S_OK;
}

bool do_file_exists(const char *path)
{
    WCHAR *wide;
    bool exists;

    if (FAILED(to_wide(path, &wide)))
        return false;
    exists = GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
    do_free(wide);
    return exists;
}

HRESULT do_file_look(const char *path, uint64_t *size, uint64_t *filetime)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    WCHAR *wide;
    HRESULT hr;

    *size = 0;
    *filetime = 0;
    if (FAILED(hr = to_wide(path, &wide)))
        return hr;
    if (!GetFileAttributesExW(wide, GetFileExInfoStandard, &data))
        hr = last_error();
    else if (data.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT))
        hr = E_ACCESSDENIED;
    do_free(wide);
    if (FAILED(hr))
        return hr;
    *size = (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow;
    *filetime = to_number(data.ftLastWriteTime);
    return S_OK;
}

HRESULT do_file_make_directory(const char *path)
{
    WCHAR *wide;
    HRESULT hr;

    if (FAILED(hr = to_wide(path, &wide)))
        return hr;
    /* Past the prefix and the root: \\?\C:\ has seven characters. */
    for (WCHAR *end = wide + (wcslen(wide) < 7 ? wcslen(wide) : 7); SUCCEEDED(hr); end++)
    {
        WCHAR saved = *end;

        if (saved && saved != '\\')
            continue;
        *end = 0;
        if (!CreateDirectoryW(wide, NULL) && GetLastError() != ERROR_ALREADY_EXISTS && !saved)
            hr = last_error();
        *end = saved;
        if (!saved)
            break;
    }
    do_free(wide);
    return hr;
}
