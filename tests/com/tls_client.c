/* SPDX-License-Identifier: MIT */
/*
 * For tls.py: a client of the registered DLL that does one transfer after the other in one process,
 * each with its own trust, certificate and secrets, and tells in a line what became of each.
 *
 *     tls_client transfer KIND URL PATH [NAME=VALUE...] [-- KIND URL PATH ...]
 *     tls_client beside URL PATH OTHER_URL OTHER_PATH [FILE]
 *                                      a download with a revocation check, and jobs beside it
 *     tls_client import PFX            puts it (password "test") into MY; tells its SHA-1
 *     tls_client forget TEXT           takes certificates whose subject has TEXT out of MY and Root
 *     tls_client serialize HASH FILE   writes a certificate of MY as property 15 wants it
 *
 * KIND is "job" (IBackgroundCopyJob with IBackgroundCopyJobHttpOptions) or "download"
 * (IDODownload). The line of a transfer: its HRESULT, its milliseconds and where it was redirected
 * to, or "-". That of "beside": the download's HRESULT and milliseconds, how many jobs of the other
 * URL were made meanwhile, one after the other, the first HRESULT of theirs that is bad, and the
 * milliseconds of the slowest. With FILE the download is aborted when FILE is there, which has an
 * HRESULT and milliseconds too, and one more job is made. Everything is done by the main thread, in
 * an MTA.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <objbase.h>
#include <oleauto.h>
#include <wincrypt.h>

#include <DeliveryOptimization.h>

#define PATIENCE_MS 25000U
#define POLL_MS 10U
#define HASH_SIZE 20U
#define PFX_LIMIT 65536U

/* What stays on the way: not an error that anybody else gives. */
#define E_TOO_LONG HRESULT_FROM_WIN32(ERROR_TIMEOUT)

struct transfer
{
    const char *kind;
    WCHAR url[2300];
    WCHAR path[1024];
    WCHAR redirected[2300];
    int option_count;
    char **options; /* NAME=VALUE */
};

static void widen(const char *text, WCHAR *wide, int capacity)
{
    if (!MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, capacity))
        wide[0] = 0;
}

/* The value when the option has this name, else NULL. */
static const char *value_of(const char *option, const char *name)
{
    size_t length = strlen(name);

    return !strncmp(option, name, length) && option[length] == '=' ? option + length + 1 : NULL;
}

static HRESULT hash_from_text(const char *text, BYTE hash[HASH_SIZE])
{
    DWORD size = HASH_SIZE;

    return CryptStringToBinaryA(text, 0, CRYPT_STRING_HEX, hash, &size, NULL, NULL) &&
                   size == HASH_SIZE
               ? S_OK
               : E_INVALIDARG;
}

static DWORD read_file(const char *path, BYTE *data, DWORD capacity)
{
    FILE *file = fopen(path, "rb");
    size_t length;

    if (!file)
        return 0;
    length = fread(data, 1, capacity, file);
    (void)fclose(file);
    return (DWORD)length;
}

static HCERTSTORE open_store(const WCHAR *name)
{
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, name);
}

/* Jobs */

static HRESULT set_credentials(IBackgroundCopyJob *job, const char *value)
{
    BG_AUTH_CREDENTIALS credentials = {
        .Target = BG_AUTH_TARGET_SERVER, .Scheme = BG_AUTH_SCHEME_BASIC};
    IBackgroundCopyJob2 *job2 = NULL;
    WCHAR user[128];
    WCHAR *password;
    HRESULT hr;

    widen(value, user, ARRAYSIZE(user));
    if (!(password = wcschr(user, L':')))
        return E_INVALIDARG;
    *password++ = 0;
    credentials.Credentials.Basic.UserName = user;
    credentials.Credentials.Basic.Password = password;
    if (FAILED(
            hr = IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob2, (void **)&job2)))
        return hr;
    hr = IBackgroundCopyJob2_SetCredentials(job2, &credentials);
    IBackgroundCopyJob2_Release(job2);
    return hr;
}

static HRESULT set_job_option(
    IBackgroundCopyJob *job, IBackgroundCopyJobHttpOptions *http, const char *option)
{
    BYTE hash[HASH_SIZE];
    WCHAR text[1024];
    const char *value;

    if ((value = value_of(option, "flags")))
        return IBackgroundCopyJobHttpOptions_SetSecurityFlags(
            http, (ULONG)strtoul(value, NULL, 16));
    if ((value = value_of(option, "name")))
    {
        widen(value, text, ARRAYSIZE(text));
        return IBackgroundCopyJobHttpOptions_SetClientCertificateByName(
            http, BG_CERT_STORE_LOCATION_CURRENT_USER, (WCHAR *)L"MY", text);
    }
    if ((value = value_of(option, "id")))
        return FAILED(hash_from_text(value, hash))
                   ? E_INVALIDARG
                   : IBackgroundCopyJobHttpOptions_SetClientCertificateByID(
                         http, BG_CERT_STORE_LOCATION_CURRENT_USER, (WCHAR *)L"MY", hash);
    if ((value = value_of(option, "headers")))
    {
        widen(value, text, ARRAYSIZE(text));
        return IBackgroundCopyJobHttpOptions_SetCustomHeaders(http, text);
    }
    if ((value = value_of(option, "user")))
        return set_credentials(job, value);
    if ((value = value_of(option, "proxy")))
    {
        widen(value, text, ARRAYSIZE(text));
        return IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_OVERRIDE, text, NULL);
    }
    return E_INVALIDARG;
}

static HRESULT prepare_job(IBackgroundCopyJob *job, const struct transfer *transfer)
{
    IBackgroundCopyJobHttpOptions *http = NULL;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_QueryInterface(
                   job, &IID_IBackgroundCopyJobHttpOptions, (void **)&http)))
        return hr;
    (void)IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND);
    hr = IBackgroundCopyJob_AddFile(job, transfer->url, transfer->path);
    for (int i = 0; i < transfer->option_count && SUCCEEDED(hr); i++)
        hr = set_job_option(job, http, transfer->options[i]);
    IBackgroundCopyJobHttpOptions_Release(http);
    return hr;
}

static HRESULT error_of(IBackgroundCopyJob *job)
{
    IBackgroundCopyError *error = NULL;
    BG_ERROR_CONTEXT context;
    HRESULT code = E_FAIL;
    HRESULT hr;

    if (FAILED(hr = IBackgroundCopyJob_GetError(job, &error)))
        return hr;
    (void)IBackgroundCopyError_GetError(error, &context, &code);
    IBackgroundCopyError_Release(error);
    return code;
}

static HRESULT wait_job(IBackgroundCopyJob *job, ULONGLONG deadline)
{
    BG_JOB_STATE state;
    HRESULT hr;

    while (SUCCEEDED(hr = IBackgroundCopyJob_GetState(job, &state)))
    {
        if (state == BG_JOB_STATE_TRANSFERRED)
            return IBackgroundCopyJob_Complete(job);
        if (state == BG_JOB_STATE_ERROR)
            return error_of(job);
        if (GetTickCount64() > deadline)
            return E_TOO_LONG;
        Sleep(POLL_MS);
    }
    return hr;
}

/* The remote name when the client asked for it to be told; else the URL. */
static void read_remote_name(IBackgroundCopyJob *job, struct transfer *transfer)
{
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = NULL;
    LPWSTR name = NULL;

    if (FAILED(IBackgroundCopyJob_EnumFiles(job, &files)))
        return;
    if (IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL) == S_OK)
    {
        if (SUCCEEDED(IBackgroundCopyFile_GetRemoteName(file, &name)) &&
            wcscmp(name, transfer->url) != 0)
            (void)lstrcpynW(transfer->redirected, name, ARRAYSIZE(transfer->redirected));
        CoTaskMemFree(name);
        IBackgroundCopyFile_Release(file);
    }
    IEnumBackgroundCopyFiles_Release(files);
}

static HRESULT run_job(struct transfer *transfer, ULONGLONG deadline)
{
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    GUID id;
    HRESULT hr;

    if (FAILED(hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
                   &IID_IBackgroundCopyManager, (void **)&manager)))
        return hr;
    hr = IBackgroundCopyManager_CreateJob(manager, L"tls", BG_JOB_TYPE_DOWNLOAD, &id, &job);
    IBackgroundCopyManager_Release(manager);
    if (FAILED(hr))
        return hr;
    if (SUCCEEDED(hr = prepare_job(job, transfer)) &&
        SUCCEEDED(hr = IBackgroundCopyJob_Resume(job)))
        hr = wait_job(job, deadline);
    read_remote_name(job, transfer);
    if (FAILED(hr))
        (void)IBackgroundCopyJob_Cancel(job);
    IBackgroundCopyJob_Release(job);
    return hr;
}

/* Downloads */

static HRESULT set_text(IDODownload *download, DODownloadProperty id, const WCHAR *text)
{
    VARIANT variant;
    HRESULT hr;

    V_VT(&variant) = VT_BSTR;
    if (!(V_BSTR(&variant) = SysAllocString(text)))
        return E_OUTOFMEMORY;
    hr = IDODownload_SetProperty(download, id, &variant);
    (void)VariantClear(&variant);
    return hr;
}

/* The serialized certificate of MY, with its properties, as an array of bytes. */
static HRESULT serialize(BYTE hash[HASH_SIZE], SAFEARRAY **array)
{
    CRYPT_HASH_BLOB blob = {HASH_SIZE, hash};
    PCCERT_CONTEXT certificate = NULL;
    HCERTSTORE store = open_store(L"MY");
    DWORD size = 0;
    HRESULT hr = CRYPT_E_NOT_FOUND;

    *array = NULL;
    if (store)
        certificate = CertFindCertificateInStore(
            store, X509_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, &blob, NULL);
    if (certificate && CertSerializeCertificateStoreElement(certificate, 0, NULL, &size) &&
        (*array = SafeArrayCreateVector(VT_UI1, 0, size)))
        hr = CertSerializeCertificateStoreElement(certificate, 0, (*array)->pvData, &size)
                 ? S_OK
                 : HRESULT_FROM_WIN32(GetLastError());
    if (certificate)
        (void)CertFreeCertificateContext(certificate);
    if (store)
        (void)CertCloseStore(store, 0);
    return hr;
}

static HRESULT set_context(IDODownload *download, SAFEARRAY *array)
{
    VARIANT variant;

    V_VT(&variant) = VT_ARRAY | VT_UI1;
    V_ARRAY(&variant) = array;
    return IDODownload_SetProperty(download, DODownloadProperty_SecurityContext, &variant);
}

static HRESULT set_context_of_file(IDODownload *download, const char *path)
{
    static BYTE data[PFX_LIMIT];
    DWORD length = read_file(path, data, sizeof(data));
    SAFEARRAY *array = SafeArrayCreateVector(VT_UI1, 0, length);
    HRESULT hr;

    if (!array)
        return E_OUTOFMEMORY;
    memcpy(array->pvData, data, length);
    hr = set_context(download, array);
    (void)SafeArrayDestroy(array);
    return hr;
}

static HRESULT set_context_of_hash(IDODownload *download, const char *value)
{
    BYTE hash[HASH_SIZE];
    SAFEARRAY *array = NULL;
    HRESULT hr;

    if (SUCCEEDED(hr = hash_from_text(value, hash)) && SUCCEEDED(hr = serialize(hash, &array)))
        hr = set_context(download, array);
    if (array)
        (void)SafeArrayDestroy(array);
    return hr;
}

static HRESULT set_download_option(IDODownload *download, const char *option)
{
    VARIANT variant;
    WCHAR text[1024];
    const char *value;

    if ((value = value_of(option, "flags")))
    {
        V_VT(&variant) = VT_UI4;
        V_UI4(&variant) = (ULONG)strtoul(value, NULL, 16);
        return IDODownload_SetProperty(download, DODownloadProperty_SecurityFlags, &variant);
    }
    if ((value = value_of(option, "downgrade")))
    {
        V_VT(&variant) = VT_BOOL;
        V_BOOL(&variant) = *value == '1' ? VARIANT_TRUE : VARIANT_FALSE;
        return IDODownload_SetProperty(
            download, DODownloadProperty_HttpAllowSecureToNonSecureRedirect, &variant);
    }
    if ((value = value_of(option, "context-file")))
        return set_context_of_file(download, value);
    if ((value = value_of(option, "context")))
        return set_context_of_hash(download, value);
    if ((value = value_of(option, "headers")))
    {
        widen(value, text, ARRAYSIZE(text));
        return set_text(download, DODownloadProperty_HttpCustomHeaders, text);
    }
    if ((value = value_of(option, "auth-headers")))
    {
        widen(value, text, ARRAYSIZE(text));
        return set_text(download, DODownloadProperty_HttpCustomAuthHeaders, text);
    }
    return E_INVALIDARG;
}

static HRESULT prepare_download(IDODownload *download, const struct transfer *transfer)
{
    HRESULT hr = set_text(download, DODownloadProperty_Uri, transfer->url);

    if (SUCCEEDED(hr))
        hr = set_text(download, DODownloadProperty_LocalPath, transfer->path);
    for (int i = 0; i < transfer->option_count && SUCCEEDED(hr); i++)
        hr = set_download_option(download, transfer->options[i]);
    return hr;
}

static HRESULT wait_download(IDODownload *download, ULONGLONG deadline)
{
    DO_DOWNLOAD_STATUS status;
    HRESULT hr;

    while (SUCCEEDED(hr = IDODownload_GetStatus(download, &status)))
    {
        if (status.State == DODownloadState_Transferred)
            return IDODownload_Finalize(download);
        if (FAILED(status.Error))
            return status.Error;
        if (GetTickCount64() > deadline)
            return E_TOO_LONG;
        Sleep(POLL_MS);
    }
    return hr;
}

static void read_target(IDODownload *download, struct transfer *transfer)
{
    VARIANT variant;

    VariantInit(&variant);
    if (SUCCEEDED(IDODownload_GetProperty(
            download, DODownloadProperty_HttpRedirectionTarget, &variant)) &&
        V_VT(&variant) == VT_BSTR)
        (void)lstrcpynW(transfer->redirected, V_BSTR(&variant), ARRAYSIZE(transfer->redirected));
    (void)VariantClear(&variant);
}

static HRESULT run_download(struct transfer *transfer, ULONGLONG deadline)
{
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    HRESULT hr;

    if (FAILED(hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
                   &IID_IDOManager, (void **)&manager)))
        return hr;
    hr = IDOManager_CreateDownload(manager, &download);
    IDOManager_Release(manager);
    if (FAILED(hr))
        return hr;
    if (SUCCEEDED(hr = prepare_download(download, transfer)) &&
        SUCCEEDED(hr = IDODownload_Start(download, NULL)))
        hr = wait_download(download, deadline);
    read_target(download, transfer);
    if (FAILED(hr))
        (void)IDODownload_Abort(download);
    IDODownload_Release(download);
    return hr;
}

/* Beside */

struct beside
{
    HRESULT hr; /* of the first job that failed */
    ULONG count;
    ULONG slowest_ms;
};

static void run_beside(struct beside *beside, struct transfer *other)
{
    ULONGLONG begin = GetTickCount64();
    HRESULT hr = run_job(other, begin + PATIENCE_MS);
    ULONG took_ms = (ULONG)(GetTickCount64() - begin);

    if (SUCCEEDED(beside->hr))
        beside->hr = hr;
    beside->count++;
    if (took_ms > beside->slowest_ms)
        beside->slowest_ms = took_ms;
    (void)DeleteFileW(other->path);
}

static bool is_there(const char *path)
{
    return path && GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

static HRESULT watch(IDODownload *download, struct transfer *other, const char *until,
    ULONGLONG deadline, struct beside *beside)
{
    DO_DOWNLOAD_STATUS status;
    HRESULT hr;

    while (SUCCEEDED(hr = IDODownload_GetStatus(download, &status)))
    {
        if (FAILED(status.Error))
            return status.Error;
        if (status.State == DODownloadState_Transferred || is_there(until))
            return S_OK;
        if (GetTickCount64() > deadline)
            return E_TOO_LONG;
        run_beside(beside, other);
    }
    return hr;
}

static int beside(char **words, const char *until)
{
    static char flags[] = "flags=1";
    static struct transfer transfer;
    static struct transfer other;
    static char *options[] = {flags};
    struct beside found = {S_OK, 0, 0};
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    ULONGLONG begin;
    HRESULT hr;
    int result = 2;

    widen(words[0], transfer.url, ARRAYSIZE(transfer.url));
    widen(words[1], transfer.path, ARRAYSIZE(transfer.path));
    widen(words[2], other.url, ARRAYSIZE(other.url));
    widen(words[3], other.path, ARRAYSIZE(other.path));
    transfer.options = options;
    transfer.option_count = 1;
    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return 2;
    if (SUCCEEDED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IDOManager, (void **)&manager)) &&
        SUCCEEDED(IDOManager_CreateDownload(manager, &download)) &&
        SUCCEEDED(prepare_download(download, &transfer)) &&
        SUCCEEDED(IDODownload_Start(download, NULL)))
    {
        begin = GetTickCount64();
        hr = watch(download, &other, until, begin + PATIENCE_MS, &found);
        printf("0x%08lx %lu", (unsigned long)hr, (unsigned long)(GetTickCount64() - begin));
        begin = GetTickCount64();
        hr = IDODownload_Abort(download);
        begin = GetTickCount64() - begin;
        if (until)
            run_beside(&found, &other);
        printf(" %lu 0x%08lx %lu", found.count, (unsigned long)found.hr, found.slowest_ms);
        if (until)
            printf(" 0x%08lx %lu", (unsigned long)hr, (unsigned long)begin);
        printf("\n");
        result = 0;
    }
    if (download)
        IDODownload_Release(download);
    if (manager)
        IDOManager_Release(manager);
    CoUninitialize();
    return result;
}

/* The words of the command line */

static int transfer_all(int count, char **words)
{
    static struct transfer transfer;
    IUnknown *manager = NULL;
    ULONGLONG begin;
    HRESULT hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);

    if (FAILED(hr))
        return 2;
    /* One engine for them all, with the connections that it keeps. */
    hr = CoCreateInstance(
        &CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER, &IID_IUnknown, (void **)&manager);
    if (FAILED(hr))
    {
        CoUninitialize();
        return 2;
    }
    while (count >= 3)
    {
        memset(&transfer, 0, sizeof(transfer));
        transfer.kind = words[0];
        widen(words[1], transfer.url, ARRAYSIZE(transfer.url));
        widen(words[2], transfer.path, ARRAYSIZE(transfer.path));
        transfer.options = words + 3;
        while (3 + transfer.option_count < count &&
               strcmp(transfer.options[transfer.option_count], "--") != 0)
            transfer.option_count++;
        begin = GetTickCount64();
        hr = !strcmp(transfer.kind, "job") ? run_job(&transfer, begin + PATIENCE_MS)
                                           : run_download(&transfer, begin + PATIENCE_MS);
        printf("0x%08lx %lu %ls\n", (unsigned long)hr, (unsigned long)(GetTickCount64() - begin),
            transfer.redirected[0] ? transfer.redirected : L"-");
        words += 3 + transfer.option_count + 1;
        count -= 3 + transfer.option_count + 1;
    }
    IUnknown_Release(manager);
    CoUninitialize();
    return 0;
}

static int tell_hash(PCCERT_CONTEXT certificate)
{
    BYTE hash[HASH_SIZE];
    DWORD size = HASH_SIZE;

    if (!CertGetCertificateContextProperty(certificate, CERT_SHA1_HASH_PROP_ID, hash, &size))
        return 1;
    for (DWORD i = 0; i < size; i++)
        printf("%02x", hash[i]);
    printf("\n");
    return 0;
}

/* A container of Wine's, which gives all imported keys the same one, may keep an earlier key. */
static void forget_keys(void)
{
    (void)RegDeleteTreeW(HKEY_CURRENT_USER, L"Software\\Wine\\Crypto\\RSA");
}

/* The key goes into a container that stays, as with a certificate that an administrator installs.
 */
static int import(const char *path)
{
    static BYTE data[PFX_LIMIT];
    CRYPT_DATA_BLOB blob = {read_file(path, data, sizeof(data)), data};
    HCERTSTORE personal = open_store(L"MY");
    HCERTSTORE pfx;
    PCCERT_CONTEXT certificate = NULL;
    int result = 1;

    forget_keys();
    pfx = PFXImportCertStore(&blob, L"test", CRYPT_USER_KEYSET | CRYPT_EXPORTABLE);
    if (!pfx)
        fprintf(stderr, "PFXImportCertStore: 0x%08lx\n", (unsigned long)GetLastError());
    if (pfx && personal)
        certificate = CertFindCertificateInStore(
            pfx, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY, NULL, NULL);
    if (pfx && !certificate) /* Wine does not know that way of searching. */
        certificate = CertEnumCertificatesInStore(pfx, NULL);
    if (certificate && personal &&
        CertAddCertificateContextToStore(
            personal, certificate, CERT_STORE_ADD_REPLACE_EXISTING, NULL))
        result = tell_hash(certificate);
    if (certificate)
        (void)CertFreeCertificateContext(certificate);
    if (pfx)
        (void)CertCloseStore(pfx, 0);
    if (personal)
        (void)CertCloseStore(personal, 0);
    return result;
}

static int write_serialized(const char *hash_text, const char *path)
{
    BYTE hash[HASH_SIZE];
    SAFEARRAY *array = NULL;
    FILE *file = NULL;
    int result = 1;

    if (SUCCEEDED(hash_from_text(hash_text, hash)) && SUCCEEDED(serialize(hash, &array)) &&
        (file = fopen(path, "wb")) &&
        fwrite(array->pvData, 1, array->rgsabound[0].cElements, file) ==
            array->rgsabound[0].cElements)
        result = 0;
    if (file && fclose(file))
        result = 1;
    if (array)
        (void)SafeArrayDestroy(array);
    return result;
}

/* By its key in the registry: Wine 8 deletes a certificate from the open store only. */
static void forget_key(const WCHAR *store_name, PCCERT_CONTEXT certificate)
{
    BYTE hash[HASH_SIZE];
    DWORD size = HASH_SIZE;
    WCHAR key[256];
    int length;

    if (!CertGetCertificateContextProperty(certificate, CERT_SHA1_HASH_PROP_ID, hash, &size))
        return;
    length = swprintf(key, ARRAYSIZE(key),
        L"Software\\Microsoft\\SystemCertificates\\%ls\\Certificates\\", store_name);
    for (DWORD i = 0; i < size && length > 0; i++)
        length += swprintf(key + length, ARRAYSIZE(key) - (size_t)length, L"%02X", hash[i]);
    (void)RegDeleteTreeW(HKEY_CURRENT_USER, key);
}

static void forget_in(const WCHAR *store_name, const WCHAR *subject)
{
    HCERTSTORE store = open_store(store_name);
    PCCERT_CONTEXT certificate = NULL;

    if (!store)
        return;
    while ((certificate = CertFindCertificateInStore(
                store, X509_ASN_ENCODING, 0, CERT_FIND_SUBJECT_STR_W, subject, certificate)))
        forget_key(store_name, certificate);
    (void)CertCloseStore(store, 0);
}

static int forget(const char *text)
{
    WCHAR subject[256];

    widen(text, subject, ARRAYSIZE(subject));
    forget_in(L"MY", subject);
    forget_in(L"Root", subject);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 4 && !strcmp(argv[1], "transfer"))
        return transfer_all(argc - 2, argv + 2);
    if ((argc == 6 || argc == 7) && !strcmp(argv[1], "beside"))
        return beside(argv + 2, argc == 7 ? argv[6] : NULL);
    if (argc == 3 && !strcmp(argv[1], "import"))
        return import(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "forget"))
        return forget(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "serialize"))
        return write_serialized(argv[2], argv[3]);
    fprintf(stderr, "tls_client: what?\n");
    return 2;
}
