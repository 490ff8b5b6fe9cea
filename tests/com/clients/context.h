/* SPDX-License-Identifier: MIT */
/*
 * Where a client asks for the class: one place for all of them, so that the same programs also try
 * a registered local server.
 */
#ifndef DO_TESTS_COM_CLIENTS_CONTEXT_H
#define DO_TESTS_COM_CLIENTS_CONTEXT_H

#include <windows.h>

#include <objbase.h>
#include <wchar.h>

/** CLSCTX_INPROC_SERVER, or CLSCTX_LOCAL_SERVER when DOSVC_TEST_CONTEXT is "local". */
static inline DWORD client_context(void)
{
    WCHAR value[8];
    DWORD length = GetEnvironmentVariableW(L"DOSVC_TEST_CONTEXT", value, 8);

    return length && length < 8 && !wcscmp(value, L"local") ? CLSCTX_LOCAL_SERVER
                                                            : CLSCTX_INPROC_SERVER;
}

#endif
