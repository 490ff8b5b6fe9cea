/* SPDX-License-Identifier: MIT */
/*
 * See encrypted.h. The test's thread.
 */
#include "encrypted.h"

#include <stdlib.h>
#include <string.h>

#include <bcrypt.h>

#define BLOCK 16U

const BYTE test_key[32] = "0123456789abcdefghijklmnopqrstuv";

const char *mode_name(enum mode mode)
{
    static const char *const names[MODES] = {"CBC", "CTR", "GCM"};

    return names[mode];
}

size_t make_digest(const WCHAR *algorithm, const void *data, size_t length, BYTE *digest)
{
    BCRYPT_ALG_HANDLE provider = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    DWORD size = 0;
    ULONG used = 0;

    assert_int_equal(0, BCryptOpenAlgorithmProvider(&provider, algorithm, NULL, 0));
    assert_int_equal(
        0, BCryptGetProperty(provider, BCRYPT_HASH_LENGTH, (PUCHAR)&size, sizeof(size), &used, 0));
    assert_true(size <= DIGEST_LIMIT);
    assert_int_equal(0, BCryptCreateHash(provider, &hash, NULL, 0, NULL, 0, 0));
    assert_int_equal(0, BCryptHashData(hash, (PUCHAR)(uintptr_t)data, (ULONG)length, 0));
    assert_int_equal(0, BCryptFinishHash(hash, digest, size, 0));
    (void)BCryptDestroyHash(hash);
    (void)BCryptCloseAlgorithmProvider(provider, 0);
    return size;
}

void make_base64(const void *data, size_t length, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BYTE *bytes = data;

    for (size_t i = 0; i < length; i += 3)
    {
        const size_t left = length - i;
        const unsigned int bits = (unsigned int)bytes[i] << 16 |
                                  (left > 1 ? (unsigned int)bytes[i + 1] << 8 : 0) |
                                  (left > 2 ? bytes[i + 2] : 0U);

        *text++ = digits[bits >> 18];
        *text++ = digits[bits >> 12 & 63];
        *text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[bits & 63] : '=';
    }
    *text = '\0';
}

/* Single blocks of AES. */
struct aes
{
    BCRYPT_ALG_HANDLE provider;
    BCRYPT_KEY_HANDLE key;
};

static struct aes open_aes(const BYTE *key, size_t key_length)
{
    static const WCHAR ecb[] = BCRYPT_CHAIN_MODE_ECB;
    struct aes aes = {NULL, NULL};

    assert_int_equal(0, BCryptOpenAlgorithmProvider(&aes.provider, BCRYPT_AES_ALGORITHM, NULL, 0));
    assert_int_equal(0, BCryptSetProperty(aes.provider, BCRYPT_CHAINING_MODE,
                            (PUCHAR)(uintptr_t)ecb, sizeof(ecb), 0));
    assert_int_equal(0, BCryptGenerateSymmetricKey(aes.provider, &aes.key, NULL, 0,
                            (PUCHAR)(uintptr_t)key, (ULONG)key_length, 0));
    return aes;
}

static void close_aes(struct aes *aes)
{
    (void)BCryptDestroyKey(aes->key);
    (void)BCryptCloseAlgorithmProvider(aes->provider, 0);
}

static void encrypt_blocks(const struct aes *aes, BYTE *blocks, size_t length)
{
    ULONG done = 0;

    if (!length)
        return;
    assert_int_equal(0, BCryptEncrypt(aes->key, blocks, (ULONG)length, NULL, NULL, 0, blocks,
                            (ULONG)length, &done, 0));
    assert_int_equal(length, done);
}

void make_blocks(const BYTE *key, size_t key_length, BYTE *blocks, size_t length)
{
    struct aes aes = open_aes(key, key_length);

    encrypt_blocks(&aes, blocks, length);
    close_aes(&aes);
}

static void put_big_endian(BYTE *bytes, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (BYTE)(value >> (8 * (count - 1 - i)));
}

static void mix_in(BYTE *to, const BYTE *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] ^= from[i];
}

/* Counts blocks from start on, encrypts the numbers and mixes them in. */
static void make_stream(const BYTE *key, size_t key_length, const BYTE *start, size_t counter_bytes,
    const BYTE *plain, size_t length, BYTE *out)
{
    const size_t rounded = (length + BLOCK - 1) / BLOCK * BLOCK;
    BYTE *stream = malloc(rounded + BLOCK);
    uint64_t first = 0;

    assert_non_null(stream);
    for (size_t i = 0; i < counter_bytes; i++)
        first = first << 8 | start[BLOCK - counter_bytes + i];
    for (size_t i = 0; i < rounded / BLOCK; i++)
    {
        memcpy(stream + i * BLOCK, start, BLOCK);
        put_big_endian(stream + i * BLOCK + BLOCK - counter_bytes, first + i, counter_bytes);
    }
    make_blocks(key, key_length, stream, rounded);
    memcpy(out, plain, length);
    mix_in(out, stream, length);
    free(stream);
}

/* GF(2^128) as GCM has it. (NIST SP 800-38D, 6.3.) */
struct element
{
    uint64_t high, low;
};

static struct element element_of(const BYTE *bytes)
{
    struct element element = {0, 0};

    for (size_t i = 0; i < 8; i++)
    {
        element.high = element.high << 8 | bytes[i];
        element.low = element.low << 8 | bytes[i + 8];
    }
    return element;
}

static struct element multiply(struct element x, struct element y)
{
    struct element product = {0, 0};

    for (unsigned int i = 0; i < 128; i++)
    {
        const uint64_t carry = y.low & 1;

        if ((i < 64 ? x.high >> (63 - i) : x.low >> (127 - i)) & 1)
        {
            product.high ^= y.high;
            product.low ^= y.low;
        }
        y.low = y.low >> 1 | y.high << 63;
        y.high = y.high >> 1 ^ (carry ? (uint64_t)0xE1 << 56 : 0);
    }
    return product;
}

static void absorb(struct element *sum, struct element key, const BYTE *block)
{
    const struct element element = element_of(block);

    sum->high ^= element.high;
    sum->low ^= element.low;
    *sum = multiply(*sum, key);
}

/* The sum over the encrypted bytes and the lengths; there is no associated data. */
static void make_sum(struct element key, const BYTE *data, size_t length, BYTE *bytes)
{
    struct element sum = {0, 0};
    BYTE block[BLOCK];

    for (size_t i = 0; i < length; i += BLOCK)
    {
        memset(block, 0, sizeof(block));
        memcpy(block, data + i, length - i < BLOCK ? length - i : BLOCK);
        absorb(&sum, key, block);
    }
    memset(block, 0, sizeof(block));
    put_big_endian(block + 8, (uint64_t)length * 8, 8);
    absorb(&sum, key, block);
    put_big_endian(bytes, sum.high, 8);
    put_big_endian(bytes + 8, sum.low, 8);
}

void make_gcm(const BYTE *key, size_t key_length, const BYTE *nonce, const BYTE *plain,
    size_t length, BYTE *out)
{
    BYTE hash_key[BLOCK] = {0};
    BYTE start[BLOCK] = {0};
    BYTE mask[BLOCK];
    BYTE *tag = out + length;

    memcpy(start, nonce, 12);
    start[15] = 1;
    memcpy(mask, start, sizeof(mask));
    start[15] = 2;
    make_blocks(key, key_length, hash_key, sizeof(hash_key));
    make_blocks(key, key_length, mask, sizeof(mask));
    make_stream(key, key_length, start, 4, plain, length, out);
    make_sum(element_of(hash_key), out, length, tag);
    mix_in(tag, mask, BLOCK);
}

static size_t buffer_count(const struct cipher *cipher, size_t length)
{
    /* In CBC, padding that finds no room in the last buffer has one of its own. */
    if (cipher->mode == MODE_CBC || !length)
        return length / cipher->buffer_size + 1;
    return (length + cipher->buffer_size - 1) / cipher->buffer_size;
}

size_t encrypted_length(const struct cipher *cipher, size_t length)
{
    if (cipher->mode == MODE_CBC)
        return (length / BLOCK + 1) * BLOCK;
    return cipher->mode == MODE_CTR ? length : length + buffer_count(cipher, length) * BLOCK;
}

static void chain(const BYTE *key, size_t key_length, const BYTE *iv, BYTE *data, size_t length)
{
    struct aes aes = open_aes(key, key_length);

    for (size_t i = 0; i < length; i += BLOCK)
    {
        mix_in(data + i, i ? data + i - BLOCK : iv, BLOCK);
        encrypt_blocks(&aes, data + i, BLOCK);
    }
    close_aes(&aes);
}

static void make_cbc_buffer(const struct cipher *cipher, size_t begin, bool is_last,
    const BYTE *plain, size_t length, BYTE *out)
{
    BYTE iv[BLOCK] = {0};
    size_t padding = is_last ? BLOCK - length % BLOCK : 0;

    for (size_t i = 0; i < 8; i++)
        iv[i] = (BYTE)((uint64_t)begin >> (8 * i));
    make_blocks(test_key, cipher->key_length, iv, sizeof(iv));
    memcpy(out, plain, length);
    memset(out + length, (int)padding, padding);
    chain(test_key, cipher->key_length, iv, out, length + padding);
}

void make_encrypted(const struct cipher *cipher, const BYTE *plain, size_t length, BYTE *out)
{
    static const BYTE zero[BLOCK];
    const size_t count = buffer_count(cipher, length);
    BYTE nonce[12] = {0};

    if (cipher->mode == MODE_CTR)
    {
        make_stream(test_key, cipher->key_length, zero, 8, plain, length, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
    {
        const size_t begin = i * cipher->buffer_size;
        const size_t left = length - begin;
        const size_t part = left < cipher->buffer_size ? left : cipher->buffer_size;

        if (cipher->mode == MODE_CBC)
            make_cbc_buffer(cipher, begin, i + 1 == count, plain + begin, part, out + begin);
        else
        {
            nonce[3] = i + 1 == count;
            put_big_endian(nonce + 4, i, 8);
            make_gcm(
                test_key, cipher->key_length, nonce, plain + begin, part, out + begin + i * BLOCK);
        }
    }
}
