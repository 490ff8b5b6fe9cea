/* SPDX-License-Identifier: MIT */
/*
 * Makes a certificate (DER, first argument) a trusted root of the current user, for tls.py: in a
 * Wine prefix of the tests only.
 */
#include <stdio.h>

#include <windows.h>
#include <wincrypt.h>

int main(int argc, char **argv)
{
    static BYTE certificate[16384];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    HCERTSTORE store;
    size_t length;
    BOOL added;

    if (!file)
        return 1;
    length = fread(certificate, 1, sizeof(certificate), file);
    (void)fclose(file);
    store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, L"Root");
    if (!store)
        return 1;
    added = CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, certificate, (DWORD)length,
        CERT_STORE_ADD_REPLACE_EXISTING, NULL);
    (void)CertCloseStore(store, 0);
    return !added;
}
