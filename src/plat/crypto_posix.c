/* SPDX-License-Identifier: MIT */
/*
 * Hashes and AES over libcrypto. Contexts are libcrypto's own; nothing is shared between them.
 */
#include "plat/crypto.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/alloc.h"

struct do_hash
{
    const EVP_MD *type;
    EVP_MD_CTX *context;
};

struct do_aes
{
    EVP_CIPHER_CTX *context;
};

static const EVP_MD *type_of(enum do_hash_algorithm algorithm)
{
    switch (algorithm)
    {
    case DO_HASH_SHA1:
        return EVP_sha1();
    case DO_HASH_SHA256:
        return EVP_sha256();
    case DO_HASH_SHA384:
        return EVP_sha384();
    case DO_HASH_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

HRESULT do_hash_create(enum do_hash_algorithm algorithm, struct do_hash **hash)
{
    struct do_hash *created;

    *hash = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->type = type_of(algorithm);
    created->context = EVP_MD_CTX_new();
    if (!created->context)
    {
        do_hash_destroy(created);
        return E_OUTOFMEMORY;
    }
    if (EVP_DigestInit_ex(created->context, created->type, NULL) != 1)
    {
        do_hash_destroy(created);
        return E_FAIL;
    }
    *hash = created;
    return S_OK;
}

void do_hash_destroy(struct do_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    do_free(hash);
}

HRESULT do_hash_update(struct do_hash *hash, const void *data, size_t length)
{
    return EVP_DigestUpdate(hash->context, data, length) == 1 ? S_OK : E_FAIL;
}

HRESULT do_hash_final(struct do_hash *hash, void *digest)
{
    if (EVP_DigestFinal_ex(hash->context, digest, NULL) != 1 ||
        EVP_DigestInit_ex(hash->context, hash->type, NULL) != 1)
        return E_FAIL;
    return S_OK;
}

static const EVP_CIPHER *cipher_of(enum do_aes_mode mode, size_t key_length)
{
    const size_t size = key_length / 8 - 2; /* 0, 1, 2 for 16, 24, 32 bytes */
    const EVP_CIPHER *const ecb[] = {EVP_aes_128_ecb(), EVP_aes_192_ecb(), EVP_aes_256_ecb()};
    const EVP_CIPHER *const cbc[] = {EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc()};
    const EVP_CIPHER *const gcm[] = {EVP_aes_128_gcm(), EVP_aes_192_gcm(), EVP_aes_256_gcm()};

    switch (mode)
    {
    case DO_AES_ECB_ENCRYPT:
        return ecb[size];
    case DO_AES_CBC_DECRYPT:
        return cbc[size];
    case DO_AES_GCM_DECRYPT:
        return gcm[size];
    }
    return NULL;
}

HRESULT do_aes_create(
    enum do_aes_mode mode, const void *key, size_t key_length, struct do_aes **aes)
{
    struct do_aes *created;
    const int encrypt = mode == DO_AES_ECB_ENCRYPT;

    *aes = NULL;
    if (key_length != 16 && key_length != 24 && key_length != 32)
        return E_INVALIDARG;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->context = EVP_CIPHER_CTX_new();
    if (!created->context)
    {
        do_aes_destroy(created);
        return E_OUTOFMEMORY;
    }
    if (EVP_CipherInit_ex(
            created->context, cipher_of(mode, key_length), NULL, key, NULL, encrypt) != 1 ||
        EVP_CIPHER_CTX_set_padding(created->context, 0) != 1)
    {
        do_aes_destroy(created);
        return E_FAIL;
    }
    *aes = created;
    return S_OK;
}

void do_aes_destroy(struct do_aes *aes)
{
    if (!aes)
        return;
    EVP_CIPHER_CTX_free(aes->context);
    do_free(aes);
}

/* One whole message of whole blocks; iv may be NULL. */
static HRESULT run_blocks(
    struct do_aes *aes, const void *iv, const void *input, size_t length, void *output)
{
    int done = 0;

    if (length % DO_AES_BLOCK || length > INT_MAX)
        return E_INVALIDARG;
    if (!length)
        return S_OK;
    if (EVP_CipherInit_ex(aes->context, NULL, NULL, NULL, iv, -1) != 1 ||
        EVP_CipherUpdate(aes->context, output, &done, input, (int)length) != 1 ||
        (size_t)done != length)
        return E_FAIL;
    return S_OK;
}

HRESULT do_aes_ecb_encrypt(struct do_aes *aes, const void *input, size_t length, void *output)
{
    return run_blocks(aes, NULL, input, length, output);
}

HRESULT do_aes_cbc_decrypt(
    struct do_aes *aes, const void *iv, const void *input, size_t length, void *output)
{
    return run_blocks(aes, iv, input, length, output);
}

HRESULT do_aes_gcm_decrypt(struct do_aes *aes, const void *nonce, const void *tag,
    const void *input, size_t length, void *output)
{
    unsigned char expected[DO_AES_GCM_TAG];
    unsigned char none;
    int done = 0;

    if (length > INT_MAX)
        return E_INVALIDARG;
    memcpy(expected, tag, sizeof(expected));
    if (EVP_CipherInit_ex(aes->context, NULL, NULL, NULL, nonce, -1) != 1 ||
        EVP_CIPHER_CTX_ctrl(aes->context, EVP_CTRL_AEAD_SET_TAG, sizeof(expected), expected) != 1)
        return E_FAIL;
    if (length && EVP_CipherUpdate(aes->context, output, &done, input, (int)length) != 1)
        return E_FAIL;
    if (EVP_CipherFinal_ex(aes->context, &none, &done) != 1)
    {
        do_wipe(output, length);
        return DO_HR_BAD_DATA;
    }
    return S_OK;
}

void do_wipe(void *data, size_t length)
{
    OPENSSL_cleanse(data, length);
}

/* Native test builds have no user's key. */
HRESULT do_protect(const void *data, size_t length, void **sealed, size_t *sealed_length)
{
    (void)data;
    (void)length;
    *sealed = NULL;
    *sealed_length = 0;
    return E_NOTIMPL;
}

HRESULT do_unprotect(const void *sealed, size_t sealed_length, void **data, size_t *length)
{
    (void)sealed;
    (void)sealed_length;
    *data = NULL;
    *length = 0;
    return E_NOTIMPL;
}
