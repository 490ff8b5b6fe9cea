/* SPDX-License-Identifier: MIT */
/*
 * Hashes and AES over CNG. Each context opens its own provider, so nothing is shared and nothing
 * is left open when the module unloads.
 */
#include "plat/crypto.h"

#include <limits.h>
#include <string.h>

#include <windows.h>
#include <bcrypt.h>
#include <wincrypt.h>

#include "base/alloc.h"

/* <ntstatus.h> cannot be had together with <windows.h>. */
#define STATUS_TAG_MISMATCH ((NTSTATUS)0xC000A002)
#define STATUS_OUT_OF_MEMORY ((NTSTATUS)0xC0000017)
#define STATUS_UNSUPPORTED ((NTSTATUS)0xC00000BB)

struct do_hash
{
    BCRYPT_ALG_HANDLE provider;
    BCRYPT_HASH_HANDLE handle;
    ULONG size;
};

struct do_aes
{
    BCRYPT_ALG_HANDLE provider;
    BCRYPT_KEY_HANDLE key;
};

/* CNG only reads its inputs, but its declarations do not say so. */
static PUCHAR input_of(const void *data)
{
    return (PUCHAR)(uintptr_t)data;
}

static HRESULT from_status(NTSTATUS status)
{
    if (status >= 0)
        return S_OK;
    if (status == STATUS_OUT_OF_MEMORY)
        return E_OUTOFMEMORY;
    if (status == STATUS_UNSUPPORTED)
        return E_NOTIMPL;
    return (HRESULT)(status | FACILITY_NT_BIT);
}

static const WCHAR *name_of(enum do_hash_algorithm algorithm)
{
    switch (algorithm)
    {
    case DO_HASH_SHA1:
        return BCRYPT_SHA1_ALGORITHM;
    case DO_HASH_SHA256:
        return BCRYPT_SHA256_ALGORITHM;
    case DO_HASH_SHA384:
        return BCRYPT_SHA384_ALGORITHM;
    case DO_HASH_SHA512:
        return BCRYPT_SHA512_ALGORITHM;
    }
    return NULL;
}

HRESULT do_hash_create(enum do_hash_algorithm algorithm, struct do_hash **hash)
{
    struct do_hash *created;
    NTSTATUS status;

    *hash = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->size = (ULONG)do_hash_size(algorithm);
    status = BCryptOpenAlgorithmProvider(&created->provider, name_of(algorithm), NULL, 0);
    if (status >= 0)
        status = BCryptCreateHash(
            created->provider, &created->handle, NULL, 0, NULL, 0, BCRYPT_HASH_REUSABLE_FLAG);
    if (status < 0)
    {
        do_hash_destroy(created);
        return from_status(status);
    }
    *hash = created;
    return S_OK;
}

void do_hash_destroy(struct do_hash *hash)
{
    if (!hash)
        return;
    if (hash->handle)
        BCryptDestroyHash(hash->handle);
    if (hash->provider)
        BCryptCloseAlgorithmProvider(hash->provider, 0);
    do_free(hash);
}

HRESULT do_hash_update(struct do_hash *hash, const void *data, size_t length)
{
    const unsigned char *next = data;
    NTSTATUS status = 0;

    while (length && status >= 0)
    {
        const ULONG part = length > INT_MAX ? INT_MAX : (ULONG)length;

        status = BCryptHashData(hash->handle, input_of(next), part, 0);
        next += part;
        length -= part;
    }
    return from_status(status);
}

HRESULT do_hash_final(struct do_hash *hash, void *digest)
{
    return from_status(BCryptFinishHash(hash->handle, digest, hash->size, 0));
}

static const WCHAR *chaining_of(enum do_aes_mode mode)
{
    switch (mode)
    {
    case DO_AES_ECB_ENCRYPT:
        return BCRYPT_CHAIN_MODE_ECB;
    case DO_AES_CBC_DECRYPT:
        return BCRYPT_CHAIN_MODE_CBC;
    case DO_AES_GCM_DECRYPT:
        return BCRYPT_CHAIN_MODE_GCM;
    }
    return NULL;
}

/* One message; a tag that does not match is STATUS_TAG_MISMATCH. */
static NTSTATUS decrypt_gcm(struct do_aes *aes, const void *nonce, const void *tag,
    const void *input, size_t length, void *output)
{
    BCRYPT_AUTHENTICATED_CIPHER_MODE_INFO info;
    UCHAR none[1] = {0}; /* an empty message still needs a place */
    ULONG done = 0;

    BCRYPT_INIT_AUTH_MODE_INFO(info);
    info.pbNonce = input_of(nonce);
    info.cbNonce = DO_AES_GCM_NONCE;
    info.pbTag = input_of(tag);
    info.cbTag = DO_AES_GCM_TAG;
    return BCryptDecrypt(aes->key, length ? input_of(input) : none, (ULONG)length, &info, NULL, 0,
        length ? output : none, (ULONG)length, &done, 0);
}

/* Wine 8 takes AES-192 for GCM and says only at the first message that it has none. */
static NTSTATUS probe_gcm(struct do_aes *aes)
{
    static const UCHAR zeros[DO_AES_GCM_TAG];
    NTSTATUS status = decrypt_gcm(aes, zeros, zeros, NULL, 0, NULL);

    return status == STATUS_TAG_MISMATCH ? 0 : status;
}

HRESULT do_aes_create(
    enum do_aes_mode mode, const void *key, size_t key_length, struct do_aes **aes)
{
    const WCHAR *chaining = chaining_of(mode);
    struct do_aes *created;
    NTSTATUS status;

    *aes = NULL;
    if (key_length != 16 && key_length != 24 && key_length != 32)
        return E_INVALIDARG;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    status = BCryptOpenAlgorithmProvider(&created->provider, BCRYPT_AES_ALGORITHM, NULL, 0);
    if (status >= 0)
        status = BCryptSetProperty(created->provider, BCRYPT_CHAINING_MODE, input_of(chaining),
            (ULONG)((wcslen(chaining) + 1) * sizeof(*chaining)), 0);
    if (status >= 0)
        status = BCryptGenerateSymmetricKey(
            created->provider, &created->key, NULL, 0, input_of(key), (ULONG)key_length, 0);
    if (status >= 0 && mode == DO_AES_GCM_DECRYPT)
        status = probe_gcm(created);
    if (status < 0)
    {
        do_aes_destroy(created);
        return from_status(status);
    }
    *aes = created;
    return S_OK;
}

void do_aes_destroy(struct do_aes *aes)
{
    if (!aes)
        return;
    if (aes->key)
        BCryptDestroyKey(aes->key);
    if (aes->provider)
        BCryptCloseAlgorithmProvider(aes->provider, 0);
    do_free(aes);
}

/* Whether CNG did what was asked, and all of it. */
static HRESULT from_cipher(NTSTATUS status, ULONG done, size_t length)
{
    if (status < 0)
        return from_status(status);
    return done == length ? S_OK : E_FAIL;
}

HRESULT do_aes_ecb_encrypt(struct do_aes *aes, const void *input, size_t length, void *output)
{
    ULONG done = 0;
    NTSTATUS status;

    if (length % DO_AES_BLOCK || length > INT_MAX)
        return E_INVALIDARG;
    if (!length)
        return S_OK;
    status = BCryptEncrypt(
        aes->key, input_of(input), (ULONG)length, NULL, NULL, 0, output, (ULONG)length, &done, 0);
    return from_cipher(status, done, length);
}

/*
 * Wine 8 goes on with the chain of the last message when the next one has the same initialisation
 * vector, so each message has a key handle of its own.
 */
HRESULT do_aes_cbc_decrypt(
    struct do_aes *aes, const void *iv, const void *input, size_t length, void *output)
{
    UCHAR chain[DO_AES_BLOCK]; /* CNG writes to it */
    BCRYPT_KEY_HANDLE key;
    ULONG done = 0;
    NTSTATUS status;

    if (length % DO_AES_BLOCK || length > INT_MAX)
        return E_INVALIDARG;
    if (!length)
        return S_OK;
    status = BCryptDuplicateKey(aes->key, &key, NULL, 0, 0);
    if (status < 0)
        return from_status(status);
    memcpy(chain, iv, sizeof(chain));
    status = BCryptDecrypt(key, input_of(input), (ULONG)length, NULL, chain, sizeof(chain), output,
        (ULONG)length, &done, 0);
    BCryptDestroyKey(key);
    return from_cipher(status, done, length);
}

HRESULT do_aes_gcm_decrypt(struct do_aes *aes, const void *nonce, const void *tag,
    const void *input, size_t length, void *output)
{
    NTSTATUS status;

    if (length > INT_MAX)
        return E_INVALIDARG;
    status = decrypt_gcm(aes, nonce, tag, input, length, output);
    if (status == STATUS_TAG_MISMATCH)
    {
        do_wipe(output, length);
        return DO_HR_BAD_DATA;
    }
    return from_status(status);
}

void do_wipe(void *data, size_t length)
{
    SecureZeroMemory(data, length);
}

/* No secret: it keeps what others sealed for this user from being taken for ours. */
static DATA_BLOB purpose(void)
{
    static BYTE text[] = "dosvc queue";
    DATA_BLOB blob = {sizeof(text), text};

    return blob;
}

/* A copy that ends with a zero; the system's own is wiped and freed. */
static HRESULT take_blob(DATA_BLOB *blob, void **data, size_t *length)
{
    char *copy = do_alloc_raw((size_t)blob->cbData + 1);

    if (copy)
    {
        memcpy(copy, blob->pbData, blob->cbData);
        copy[blob->cbData] = 0;
        *data = copy;
        *length = blob->cbData;
    }
    SecureZeroMemory(blob->pbData, blob->cbData);
    LocalFree(blob->pbData);
    return copy ? S_OK : E_OUTOFMEMORY;
}

HRESULT do_protect(const void *data, size_t length, void **sealed, size_t *sealed_length)
{
    DATA_BLOB entropy = purpose();
    DATA_BLOB in = {(DWORD)length, input_of(length ? data : "")};
    DATA_BLOB out = {0, NULL};

    *sealed = NULL;
    *sealed_length = 0;
    if (length > INT_MAX)
        return E_INVALIDARG;
    if (!CryptProtectData(&in, NULL, &entropy, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &out))
        return do_hr_from_win32(GetLastError());
    return take_blob(&out, sealed, sealed_length);
}

HRESULT do_unprotect(const void *sealed, size_t sealed_length, void **data, size_t *length)
{
    DATA_BLOB entropy = purpose();
    DATA_BLOB in = {(DWORD)sealed_length, input_of(sealed_length ? sealed : "")};
    DATA_BLOB out = {0, NULL};

    *data = NULL;
    *length = 0;
    if (sealed_length > INT_MAX)
        return E_INVALIDARG;
    if (!CryptUnprotectData(&in, NULL, &entropy, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &out))
        return do_hr_from_win32(GetLastError());
    return take_blob(&out, data, length);
}
