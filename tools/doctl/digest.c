/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 of a file, read once from its beginning to its end.
 */
#include "digest.h"

#include "base/alloc.h"

#include <windows.h>

#define DO_READ_SIZE (1U << 20)

static HRESULT hash_file(HANDLE file, struct do_hash *hash, void *buffer)
{
    DWORD count = 0;
    HRESULT hr = S_OK;

    do
    {
        if (!ReadFile(file, buffer, DO_READ_SIZE, &count, NULL))
            return do_hr_from_win32(GetLastError());
        hr = do_hash_update(hash, buffer, count);
    } while (SUCCEEDED(hr) && count);
    return hr;
}

HRESULT do_digest_file(const wchar_t *path, unsigned char digest[DO_SHA256_SIZE])
{
    HANDLE file = INVALID_HANDLE_VALUE;
    struct do_hash *hash = NULL;
    void *buffer = do_alloc_raw(DO_READ_SIZE);
    HRESULT hr;

    if (!buffer)
        return E_OUTOFMEMORY;
    if (FAILED(hr = do_hash_create(DO_HASH_SHA256, &hash)))
        goto done;
    /* The server may still have it open. */
    file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
        NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        hr = do_hr_from_win32(GetLastError());
    else if (SUCCEEDED(hr = hash_file(file, hash, buffer)))
        hr = do_hash_final(hash, digest);

done:
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    do_hash_destroy(hash);
    do_free(buffer);
    return hr;
}

void do_digest_format(const unsigned char digest[DO_SHA256_SIZE], char text[2 * DO_SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DO_SHA256_SIZE; i++)
    {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * DO_SHA256_SIZE] = 0;
}

static int hex_value(wchar_t digit)
{
    if (digit >= L'0' && digit <= L'9')
        return digit - L'0';
    if (digit >= L'a' && digit <= L'f')
        return digit - L'a' + 10;
    return digit >= L'A' && digit <= L'F' ? digit - L'A' + 10 : -1;
}

bool do_digest_parse(const wchar_t *text, unsigned char digest[DO_SHA256_SIZE])
{
    if (wcslen(text) != 2 * (size_t)DO_SHA256_SIZE)
        return false;
    for (size_t i = 0; i < DO_SHA256_SIZE; i++)
    {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        digest[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}
