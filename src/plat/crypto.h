/* SPDX-License-Identifier: MIT */
/*
 * The door to the operating system's cryptography: hashes and AES. Two implementations:
 * crypto_win.c (CNG) and crypto_posix.c (libcrypto, native test builds). A context belongs to its
 * owner and is used by one thread at a time; contexts of their own may be used at once.
 */
#ifndef DO_PLAT_CRYPTO_H
#define DO_PLAT_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"

enum do_hash_algorithm
{
    DO_HASH_SHA1,
    DO_HASH_SHA256,
    DO_HASH_SHA384,
    DO_HASH_SHA512
};

#define DO_SHA256_SIZE 32U
/* The longest digest of all. */
#define DO_HASH_SIZE_LIMIT 64U

#define DO_AES_BLOCK 16U
#define DO_AES_KEY_LIMIT 32U
#define DO_AES_GCM_NONCE 12U
#define DO_AES_GCM_TAG 16U

/* Data that does not have the tag it came with (NTE_BAD_DATA). */
#define DO_HR_BAD_DATA ((HRESULT)0x80090005)

struct do_hash;
struct do_aes;

/** What an AES context is for. */
enum do_aes_mode
{
    DO_AES_ECB_ENCRYPT,
    DO_AES_CBC_DECRYPT,
    DO_AES_GCM_DECRYPT
};

/** Bytes of a digest. */
size_t do_hash_size(enum do_hash_algorithm algorithm);

/** A new hash over nothing yet. */
HRESULT do_hash_create(enum do_hash_algorithm algorithm, struct do_hash **hash);
void do_hash_destroy(struct do_hash *hash);
HRESULT do_hash_update(struct do_hash *hash, const void *data, size_t length);

/** Writes do_hash_size bytes to digest. The hash then begins anew, over nothing. */
HRESULT do_hash_final(struct do_hash *hash, void *digest);

/** The digest of length bytes at data, in one go. */
HRESULT do_hash_of(enum do_hash_algorithm algorithm, const void *data, size_t length, void *digest);

/**
 * The key is copied. E_INVALIDARG unless it has 16, 24 or 32 bytes; E_NOTIMPL when this system does
 * not have the mode with such a key (AES-192 in GCM under Wine 8).
 */
HRESULT do_aes_create(
    enum do_aes_mode mode, const void *key, size_t key_length, struct do_aes **aes);
void do_aes_destroy(struct do_aes *aes);

/*
 * Whole messages; output has as many bytes as input, and may be the same place. E_INVALIDARG for
 * a length that is no multiple of DO_AES_BLOCK (GCM takes any), or 2 GiB and more.
 */

/** Encrypts each block on its own. */
HRESULT do_aes_ecb_encrypt(struct do_aes *aes, const void *input, size_t length, void *output);

/** Removes no padding. iv has DO_AES_BLOCK bytes. */
HRESULT do_aes_cbc_decrypt(
    struct do_aes *aes, const void *iv, const void *input, size_t length, void *output);

/**
 * nonce has DO_AES_GCM_NONCE bytes, tag DO_AES_GCM_TAG; there is no associated data.
 * DO_HR_BAD_DATA when the tag is another one; output is then zeroed.
 */
HRESULT do_aes_gcm_decrypt(struct do_aes *aes, const void *nonce, const void *tag,
    const void *input, size_t length, void *output);

/**
 * Seals data so that only the user who is logged on now can open it, do_alloc'ed into *sealed
 * (CryptProtectData; Wine has no secret of its own for that and only hides it). E_NOTIMPL where the
 * system has no such thing.
 */
HRESULT do_protect(const void *data, size_t length, void **sealed, size_t *sealed_length);

/**
 * Opens what do_protect sealed, do_alloc'ed into *data and terminated by a zero that is not
 * counted: the caller wipes it. Fails for another user and for what is no seal of ours.
 */
HRESULT do_unprotect(const void *sealed, size_t sealed_length, void **data, size_t *length);

/** Zeroes memory that held a secret; not optimised away. */
void do_wipe(void *data, size_t length);

#endif
