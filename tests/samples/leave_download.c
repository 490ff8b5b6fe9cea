/* SPDX-License-Identifier: MIT */
/*
 * A client that ends and leaves its download to others: nonvolatile, with at least BYTES bytes
 * and paused.
 *
 *     leave_download URL PATH BYTES
 *
 * COBJMACROS is set by CMake.
 */
#include <windows.h>
#include <objbase.h>
#include <oleauto.h>

#include "DeliveryOptimization.h"

#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 20000

static HRESULT set_text(IDODownload *download, DODownloadProperty id, LPCWSTR text)
{
    VARIANT value;
    HRESULT hr;

    VariantInit(&value);
    V_VT(&value) = VT_BSTR;
    V_BSTR(&value) = SysAllocString(text);
    hr = IDODownload_SetProperty(download, id, &value);
    VariantClear(&value);
    return hr;
}

static HRESULT set_up(IDODownload *download, LPCWSTR url, LPCWSTR path)
{
    VARIANT yes;
    HRESULT hr;

    VariantInit(&yes);
    V_VT(&yes) = VT_BOOL;
    V_BOOL(&yes) = VARIANT_TRUE;
    if (FAILED(hr = set_text(download, DODownloadProperty_Uri, url)) ||
        FAILED(hr = set_text(download, DODownloadProperty_LocalPath, path)) ||
        FAILED(hr = set_text(download, DODownloadProperty_DisplayName, L"left behind")))
        return hr;
    return IDODownload_SetProperty(download, DODownloadProperty_NonVolatile, &yes);
}

/* TIME_OUT when the bytes do not come. */
static HRESULT wait_bytes(IDODownload *download, UINT64 bytes)
{
    ULONGLONG end = GetTickCount64() + PATIENCE_MS;
    DO_DOWNLOAD_STATUS status = {0};
    HRESULT hr;

    while (SUCCEEDED(hr = IDODownload_GetStatus(download, &status)) &&
           status.BytesTransferred < bytes && SUCCEEDED(status.Error))
    {
        if (GetTickCount64() >= end)
            return HRESULT_FROM_WIN32(ERROR_TIMEOUT);
        Sleep(10);
    }
    return FAILED(hr) ? hr : status.Error;
}

static HRESULT leave(LPCWSTR url, LPCWSTR path, UINT64 bytes)
{
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    HRESULT hr;

    if (FAILED(hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
                   &IID_IDOManager, (void **)&manager)))
        return hr;
    if (SUCCEEDED(hr = IDOManager_CreateDownload(manager, &download)))
    {
        if (SUCCEEDED(hr = set_up(download, url, path)) &&
            SUCCEEDED(hr = IDODownload_Start(download, NULL)) &&
            SUCCEEDED(hr = wait_bytes(download, bytes)))
            hr = IDODownload_Pause(download);
        IDODownload_Release(download);
    }
    IDOManager_Release(manager);
    return hr;
}

int main(void)
{
    int count = 0;
    LPWSTR *arguments = CommandLineToArgvW(GetCommandLineW(), &count);
    HRESULT hr;

    if (!arguments || count != 4)
    {
        fprintf(stderr, "usage: leave_download URL PATH BYTES\n");
        return 2;
    }
    if (SUCCEEDED(hr = CoInitializeEx(NULL, COINIT_MULTITHREADED)))
    {
        hr = leave(arguments[1], arguments[2], (UINT64)_wcstoui64(arguments[3], NULL, 10));
        CoUninitialize();
    }
    LocalFree(arguments);
    if (FAILED(hr))
        fprintf(stderr, "0x%08lX\n", (unsigned long)hr);
    return FAILED(hr);
}
