/* SPDX-License-Identifier: MIT */
/*
 * The system's certificate stores. Any thread.
 */
#include "com/certificate.h"

#include <string.h>

#include <wincrypt.h>

#include "base/alloc.h"
#include "base/compiler.h"

/* By BG_CERT_STORE_LOCATION. (Source: win32 docs, bits2_5.h and wincrypt.h.) */
static const DWORD locations[] = {
    [BG_CERT_STORE_LOCATION_CURRENT_USER] = CERT_SYSTEM_STORE_CURRENT_USER,
    [BG_CERT_STORE_LOCATION_LOCAL_MACHINE] = CERT_SYSTEM_STORE_LOCAL_MACHINE,
    [BG_CERT_STORE_LOCATION_CURRENT_SERVICE] = CERT_SYSTEM_STORE_CURRENT_SERVICE,
    [BG_CERT_STORE_LOCATION_SERVICES] = CERT_SYSTEM_STORE_SERVICES,
    [BG_CERT_STORE_LOCATION_USERS] = CERT_SYSTEM_STORE_USERS,
    [BG_CERT_STORE_LOCATION_CURRENT_USER_GROUP_POLICY] =
        CERT_SYSTEM_STORE_CURRENT_USER_GROUP_POLICY,
    [BG_CERT_STORE_LOCATION_LOCAL_MACHINE_GROUP_POLICY] =
        CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY,
    [BG_CERT_STORE_LOCATION_LOCAL_MACHINE_ENTERPRISE] = CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE,
};

BOOL com_certificate_is_location(BG_CERT_STORE_LOCATION location)
{
    return (size_t)location < DO_COUNT_OF(locations);
}

/* A certificate says for what it is good, or says nothing and is good for all. */
static BOOL is_for_clients(PCCERT_CONTEXT certificate)
{
    CERT_ENHKEY_USAGE *usage;
    DWORD size = 0;
    BOOL found = FALSE;

    if (!CertGetEnhancedKeyUsage(certificate, 0, NULL, &size) || !(usage = do_alloc(size)))
        return FALSE;
    if (CertGetEnhancedKeyUsage(certificate, 0, usage, &size))
    {
        found = !usage->cUsageIdentifier && GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
        for (DWORD i = 0; i < usage->cUsageIdentifier && !found; i++)
            found = !strcmp(usage->rgpszUsageIdentifier[i], szOID_PKIX_KP_CLIENT_AUTH);
    }
    do_free(usage);
    return found;
}

static HRESULT find_in(HCERTSTORE store, const WCHAR *subject, BYTE hash[COM_CERTIFICATE_HASH_SIZE])
{
    PCCERT_CONTEXT certificate = NULL;
    DWORD size = COM_CERTIFICATE_HASH_SIZE;
    HRESULT hr = S_OK;

    do
    {
        certificate = CertFindCertificateInStore(store, X509_ASN_ENCODING | PKCS_7_ASN_ENCODING, 0,
            CERT_FIND_SUBJECT_STR_W, subject, certificate);
    } while (certificate && !is_for_clients(certificate));
    if (!certificate)
        return CRYPT_E_NOT_FOUND;
    if (!CertGetCertificateContextProperty(certificate, CERT_SHA1_HASH_PROP_ID, hash, &size))
        hr = do_hr_from_win32(GetLastError());
    (void)CertFreeCertificateContext(certificate);
    return hr;
}

/* Stores that every system has; one without a certificate may have no folder or key yet. (Source:
   win32 docs, BITS SetClientCertificateByName.) */
static BOOL always_exists(const WCHAR *store)
{
    static const WCHAR *const names[] = {L"CA", L"MY", L"ROOT", L"SPC"};

    for (size_t i = 0; i < DO_COUNT_OF(names); i++)
    {
        if (!lstrcmpiW(store, names[i]))
            return TRUE;
    }
    return FALSE;
}

HRESULT com_certificate_find(BG_CERT_STORE_LOCATION location, const WCHAR *store,
    const WCHAR *subject, BYTE hash[COM_CERTIFICATE_HASH_SIZE])
{
    HCERTSTORE opened = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0,
        locations[location] | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG, store);
    HRESULT hr;

    if (!opened)
    {
        hr = do_hr_from_win32(GetLastError());
        return hr == DO_HR_FILE_NOT_FOUND && always_exists(store) ? CRYPT_E_NOT_FOUND : hr;
    }
    hr = find_in(opened, subject, hash);
    (void)CertCloseStore(opened, 0);
    return hr;
}

HRESULT com_certificate_check(const void *data, size_t length)
{
    HCERTSTORE store =
        CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, CERT_STORE_CREATE_NEW_FLAG, NULL);
    HRESULT hr = CRYPT_E_FILE_ERROR;

    if (!store)
        return do_hr_from_win32(GetLastError());
    if (length && length <= MAXDWORD &&
        CertAddSerializedElementToStore(store, data, (DWORD)length, CERT_STORE_ADD_ALWAYS, 0,
            CERT_STORE_CERTIFICATE_CONTEXT_FLAG, NULL, NULL))
        hr = S_OK;
    (void)CertCloseStore(store, 0);
    return hr;
}
