/* SPDX-License-Identifier: MIT */
/*
 * The process's token. Any thread.
 */
#include "com/owner.h"

#include <sddl.h>

#include "base/alloc.h"
#include "com/com_object.h"

/* A piece of the token's information, do_alloc'ed. */
static HRESULT query(TOKEN_INFORMATION_CLASS what, void **information)
{
    HANDLE token;
    DWORD size = 0;
    HRESULT hr = S_OK;

    *information = NULL;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return do_hr_from_win32(GetLastError());
    (void)GetTokenInformation(token, what, NULL, 0, &size);
    if (!size)
        hr = do_hr_from_win32(GetLastError());
    else if (!(*information = do_alloc(size)))
        hr = E_OUTOFMEMORY;
    else if (!GetTokenInformation(token, what, *information, size, &size))
        hr = do_hr_from_win32(GetLastError());
    (void)CloseHandle(token);
    if (FAILED(hr))
    {
        do_free(*information);
        *information = NULL;
    }
    return hr;
}

HRESULT com_owner_get_sid(char **sid)
{
    void *user;
    WCHAR *text;
    HRESULT hr;

    *sid = NULL;
    if (FAILED(hr = query(TokenUser, &user)))
        return hr;
    if (ConvertSidToStringSidW(((TOKEN_USER *)user)->User.Sid, &text))
    {
        hr = com_text_in(text, sid);
        (void)LocalFree(text);
    }
    else
        hr = do_hr_from_win32(GetLastError());
    do_free(user);
    return hr;
}

HRESULT com_owner_get_integrity(ULONG *level)
{
    void *label;
    PSID sid;
    HRESULT hr;

    *level = 0;
    if (FAILED(hr = query(TokenIntegrityLevel, &label)))
        return hr;
    sid = ((TOKEN_MANDATORY_LABEL *)label)->Label.Sid;
    *level = *GetSidSubAuthority(sid, (DWORD)(*GetSidSubAuthorityCount(sid) - 1));
    do_free(label);
    return S_OK;
}

HRESULT com_owner_get_elevation(BOOL *elevated)
{
    void *elevation;
    HRESULT hr;

    *elevated = FALSE;
    if (FAILED(hr = query(TokenElevation, &elevation)))
        return hr;
    *elevated = ((TOKEN_ELEVATION *)elevation)->TokenIsElevated != 0;
    do_free(elevation);
    return S_OK;
}
