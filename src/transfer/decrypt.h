/* SPDX-License-Identifier: MIT */
/*
 * Decryption of a file's bytes: what the client says of it (DecryptionInfo) and the buffers that an
 * encrypted object consists of, each of which is decrypted on its own, in any order.
 * docs/integrity.md describes the text and the three layouts. Pure. Any thread; a context is used
 * by one at a time.
 */
#ifndef DO_TRANSFER_DECRYPT_H
#define DO_TRANSFER_DECRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "plat/crypto.h"

/* Most bytes of a DecryptionInfo text. */
#define DO_DECRYPT_INFO_LIMIT (4U * 1024)

/* EncryptionBufferSize: a multiple of DO_AES_BLOCK within these, and what it is when not given. */
#define DO_DECRYPT_BUFFER_MAX (16U * 1024 * 1024)
#define DO_DECRYPT_BUFFER_DEFAULT (64U * 1024)

enum do_decrypt_mode
{
    DO_DECRYPT_CBC,
    DO_DECRYPT_CTR,
    DO_DECRYPT_GCM
};

/** What DecryptionInfo says. Holds a key: wiped with do_decrypt_info_finish. */
struct do_decrypt_info
{
    enum do_decrypt_mode mode;
    uint32_t buffer_size; /* plain bytes of every buffer but the last */
    size_t key_length;
    uint8_t key[DO_AES_KEY_LIMIT];
};

/**
 * Reads the JSON text of the property. E_INVALIDARG for anything that is not as docs/integrity.md
 * says: unknown algorithms and chaining modes, keys of other lengths. E_NOTIMPL when this system's
 * cryptography does not have the mode with a key of that length.
 */
HRESULT do_decrypt_info_parse(const char *json, struct do_decrypt_info *info);
void do_decrypt_info_finish(struct do_decrypt_info *info);

/** A buffer: bytes of the encrypted object and where they belong in the plain file. */
struct do_decrypt_place
{
    uint64_t cipher_begin;
    size_t cipher_length;
    uint64_t plain_begin;
    size_t plain_limit; /* most bytes it gives; exact but for the last one of CBC */
};

struct do_decrypt;

/**
 * A context for an object of cipher_size bytes. DO_E_FILE_ENCRYPTION_EXPECTED when nothing that is
 * encrypted so has that size.
 */
HRESULT do_decrypt_create(
    const struct do_decrypt_info *info, uint64_t cipher_size, struct do_decrypt **decrypt);
void do_decrypt_destroy(struct do_decrypt *decrypt);

/** Buffers of the object. */
uint64_t do_decrypt_count(const struct do_decrypt *decrypt);

/**
 * Most bytes that the plain file can have: exact for CTR and GCM; CBC has up to 15 fewer, which
 * only its last buffer tells.
 */
uint64_t do_decrypt_plain_limit(const struct do_decrypt *decrypt);

/** Where buffer index is. index < count. */
void do_decrypt_locate(
    const struct do_decrypt *decrypt, uint64_t index, struct do_decrypt_place *place);

/** The buffer that holds byte offset of the plain file. */
uint64_t do_decrypt_index_of_plain(const struct do_decrypt *decrypt, uint64_t offset);

/**
 * Decrypts buffer index. input holds its cipher_length bytes; output takes that many and may be the
 * same place. *length is what came out. DO_E_FILE_ENCRYPTION_EXPECTED when the content is not
 * encrypted with this key (the tag of GCM, the padding of CBC); output is then worthless.
 */
HRESULT do_decrypt_buffer(
    struct do_decrypt *decrypt, uint64_t index, const void *input, void *output, size_t *length);

#endif
