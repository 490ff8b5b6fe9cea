/* SPDX-License-Identifier: MIT */
/*
 * What a publisher makes for the tests of integrity and decryption: digests, base64, and encrypted
 * objects after docs/integrity.md. Of the system's cryptography only whole digests and single
 * blocks of AES are used; the modes are the tests' own, so that no fault of the product's, or of
 * the system's modes that it uses, is made twice. Asserts: for the test's thread. Everything is the
 * caller's memory.
 */
#ifndef DO_TESTS_COM_ENCRYPTED_H
#define DO_TESTS_COM_ENCRYPTED_H

#include "com_test.h"

#define DIGEST_LIMIT 64U
#define SHA256_SIZE 32U
/* Room for the base64 of a digest, and its zero. */
#define DIGEST_TEXT 96U

enum mode
{
    MODE_CBC,
    MODE_CTR,
    MODE_GCM,
    MODES
};

struct cipher
{
    enum mode mode;
    size_t key_length; /* 16, 24, 32 */
    size_t buffer_size;
};

/** "CBC", "CTR", "GCM". */
const char *mode_name(enum mode mode);

/** The first bytes are the key, whatever its length. */
extern const BYTE test_key[32];

/** Digest by an algorithm of CNG's ("SHA256"); returns its length. */
size_t make_digest(const WCHAR *algorithm, const void *data, size_t length, BYTE *digest);

/** text has room for 4 characters for each 3 bytes, rounded up, and a zero. */
void make_base64(const void *data, size_t length, char *text);

/** Bytes that the object of so many plain ones has. */
size_t encrypted_length(const struct cipher *cipher, size_t length);

/** The object of these bytes, encrypted with test_key. out has room for encrypted_length. */
void make_encrypted(const struct cipher *cipher, const BYTE *plain, size_t length, BYTE *out);

/** One message of GCM with a nonce of 12 bytes: the bytes, then the tag of 16. */
void make_gcm(const BYTE *key, size_t key_length, const BYTE *nonce, const BYTE *plain,
    size_t length, BYTE *out);

/** Encrypts blocks of 16 bytes, each alone. */
void make_blocks(const BYTE *key, size_t key_length, BYTE *blocks, size_t length);

#endif
