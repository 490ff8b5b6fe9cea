/* SPDX-License-Identifier: MIT */
/*
 * Finding a client certificate in the system's stores. Any thread.
 */
#ifndef DO_COM_CERTIFICATE_H
#define DO_COM_CERTIFICATE_H

#include "DeliveryOptimization.h"

#include "base/hr.h"

#define COM_CERTIFICATE_HASH_SIZE 20U

/** Whether location is one of BG_CERT_STORE_LOCATION. */
BOOL com_certificate_is_location(BG_CERT_STORE_LOCATION location);

/**
 * The SHA-1 of the first certificate whose subject contains the text and that may be a client's.
 * HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND) without such a store, CRYPT_E_NOT_FOUND without such a
 * certificate.
 */
HRESULT com_certificate_find(BG_CERT_STORE_LOCATION location, const WCHAR *store,
    const WCHAR *subject, BYTE hash[COM_CERTIFICATE_HASH_SIZE]);

/**
 * CRYPT_E_FILE_ERROR unless data is a certificate as CertSerializeCertificateStoreElement writes
 * it.
 */
HRESULT com_certificate_check(const void *data, size_t length);

#endif
