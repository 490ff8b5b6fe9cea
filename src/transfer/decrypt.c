/* SPDX-License-Identifier: MIT */
/*
 * The three layouts of encrypted objects. Pure; sizes come from a server and are checked once, in
 * do_decrypt_create.
 */
#include "transfer/decrypt.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/str.h"
#include "transfer/json.h"

/* Bytes of key stream that are made at once. */
#define STREAM_SIZE 4096U

static const struct
{
    const char *name;
    enum do_decrypt_mode mode;
} mode_names[] = {
    {"ChainingModeCBC", DO_DECRYPT_CBC},
    {"CBC", DO_DECRYPT_CBC},
    {"ChainingModeCTR", DO_DECRYPT_CTR},
    {"CTR", DO_DECRYPT_CTR},
    {"ChainingModeGCM", DO_DECRYPT_GCM},
    {"GCM", DO_DECRYPT_GCM},
};

struct do_decrypt
{
    enum do_decrypt_mode mode;
    uint32_t plain_size;  /* bytes of a full buffer */
    uint32_t cipher_size; /* the same, encrypted */
    uint64_t count;
    uint64_t object_size;
    struct do_aes *blocks; /* CBC: makes initialisation vectors; CTR: makes the key stream */
    struct do_aes *cipher; /* CBC and GCM */
};

static HRESULT read_key(const char *text, struct do_decrypt_info *info)
{
    uint8_t bytes[64];
    size_t length;
    HRESULT hr;

    if (FAILED(hr = do_base64_decode(text, bytes, sizeof(bytes), &length)))
        goto done;
    switch (length)
    {
    case 16:
    case 24:
    case 32:
        info->key_length = length;
        break;
    case 48: /* as Windows Update gives it: what follows the key is not used */
        info->key_length = 32;
        break;
    default:
        hr = E_INVALIDARG;
        goto done;
    }
    memcpy(info->key, bytes, info->key_length);
done:
    do_wipe(bytes, sizeof(bytes));
    return hr;
}

static HRESULT read_mode(const char *text, enum do_decrypt_mode *mode)
{
    for (size_t i = 0; i < DO_COUNT_OF(mode_names); i++)
    {
        if (!do_str_equal_nocase(text, mode_names[i].name))
            continue;
        *mode = mode_names[i].mode;
        return S_OK;
    }
    return E_INVALIDARG;
}

static HRESULT read_buffer_size(const struct cJSON *object, uint32_t *buffer_size)
{
    const struct cJSON *member;
    uint64_t size;
    HRESULT hr;

    *buffer_size = DO_DECRYPT_BUFFER_DEFAULT;
    if (FAILED(hr = do_json_member(object, "EncryptionBufferSize", &member)))
        return hr;
    if (!member)
        return S_OK;
    if (FAILED(hr = do_json_number(member, &size)))
        return hr;
    if (!size || size > DO_DECRYPT_BUFFER_MAX || size % DO_AES_BLOCK)
        return E_INVALIDARG;
    *buffer_size = (uint32_t)size;
    return S_OK;
}

static HRESULT read_info(const struct cJSON *object, struct do_decrypt_info *info)
{
    const char *algorithm;
    const char *chaining;
    const char *key;
    HRESULT hr;

    if (FAILED(hr = do_json_text(object, "AlgorithmName", &algorithm)) ||
        FAILED(hr = do_json_text(object, "ChainingMode", &chaining)) ||
        FAILED(hr = do_json_text(object, "KeyData", &key)))
        return hr;
    if (!algorithm || !do_str_equal_nocase(algorithm, "AES"))
        return E_INVALIDARG;
    if (!chaining || !key)
        return E_INVALIDARG;
    if (FAILED(hr = read_mode(chaining, &info->mode)) ||
        FAILED(hr = read_buffer_size(object, &info->buffer_size)))
        return hr;
    return read_key(key, info);
}

static HRESULT create_ciphers(const struct do_decrypt_info *info, struct do_decrypt *decrypt)
{
    HRESULT hr = S_OK;

    if (info->mode != DO_DECRYPT_GCM)
        hr = do_aes_create(DO_AES_ECB_ENCRYPT, info->key, info->key_length, &decrypt->blocks);
    if (SUCCEEDED(hr) && info->mode == DO_DECRYPT_CBC)
        hr = do_aes_create(DO_AES_CBC_DECRYPT, info->key, info->key_length, &decrypt->cipher);
    if (SUCCEEDED(hr) && info->mode == DO_DECRYPT_GCM)
        hr = do_aes_create(DO_AES_GCM_DECRYPT, info->key, info->key_length, &decrypt->cipher);
    return hr;
}

/* Whether this system has what the info asks for. */
static HRESULT check_system(const struct do_decrypt_info *info)
{
    struct do_decrypt probe = {.mode = info->mode};
    HRESULT hr = create_ciphers(info, &probe);

    do_aes_destroy(probe.blocks);
    do_aes_destroy(probe.cipher);
    return hr;
}

/* The parser's copy of the text with the key. */
static void wipe_texts(struct cJSON *object)
{
    for (struct cJSON *item = object->child; item; item = item->next)
    {
        if (cJSON_IsString(item))
            do_wipe(item->valuestring, strlen(item->valuestring));
    }
}

HRESULT do_decrypt_info_parse(const char *json, struct do_decrypt_info *info)
{
    const size_t length = strlen(json);
    struct cJSON *object;
    HRESULT hr;

    *info = (struct do_decrypt_info){0};
    if (length > DO_DECRYPT_INFO_LIMIT)
        return E_INVALIDARG;
    if (FAILED(hr = do_json_parse(json, length, &object)))
        return hr;
    hr = read_info(object, info);
    wipe_texts(object);
    do_json_destroy(object);
    if (SUCCEEDED(hr))
        hr = check_system(info);
    if (FAILED(hr))
        do_decrypt_info_finish(info);
    return hr;
}

void do_decrypt_info_finish(struct do_decrypt_info *info)
{
    do_wipe(info, sizeof(*info));
}

/* Whether something encrypted has the size, and into how many buffers it falls. */
static HRESULT divide(struct do_decrypt *decrypt)
{
    const uint64_t size = decrypt->object_size;
    uint64_t last = size % decrypt->cipher_size;

    decrypt->count = size / decrypt->cipher_size + (last != 0);
    if (last == 0 && size)
        last = decrypt->cipher_size;
    switch (decrypt->mode)
    {
    case DO_DECRYPT_CBC:
        return size && size % DO_AES_BLOCK == 0 ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED;
    case DO_DECRYPT_CTR:
        return S_OK;
    case DO_DECRYPT_GCM:
        /* A buffer of nothing is there only when there is no other. */
        if (last < DO_AES_GCM_TAG || (last == DO_AES_GCM_TAG && decrypt->count > 1))
            return DO_E_FILE_ENCRYPTION_EXPECTED;
        return S_OK;
    }
    return E_UNEXPECTED;
}

HRESULT do_decrypt_create(
    const struct do_decrypt_info *info, uint64_t cipher_size, struct do_decrypt **decrypt)
{
    struct do_decrypt *created;
    HRESULT hr;

    *decrypt = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->mode = info->mode;
    created->plain_size = info->buffer_size;
    created->cipher_size = info->buffer_size;
    if (info->mode == DO_DECRYPT_GCM)
        created->cipher_size += DO_AES_GCM_TAG;
    created->object_size = cipher_size;
    hr = divide(created);
    if (SUCCEEDED(hr))
        hr = create_ciphers(info, created);
    if (FAILED(hr))
        do_decrypt_destroy(created);
    else
        *decrypt = created;
    return hr;
}

void do_decrypt_destroy(struct do_decrypt *decrypt)
{
    if (!decrypt)
        return;
    do_aes_destroy(decrypt->blocks);
    do_aes_destroy(decrypt->cipher);
    do_free(decrypt);
}

uint64_t do_decrypt_count(const struct do_decrypt *decrypt)
{
    return decrypt->count;
}

uint64_t do_decrypt_plain_limit(const struct do_decrypt *decrypt)
{
    switch (decrypt->mode)
    {
    case DO_DECRYPT_CBC:
        return decrypt->object_size - 1;
    case DO_DECRYPT_CTR:
        return decrypt->object_size;
    case DO_DECRYPT_GCM:
        return decrypt->object_size - decrypt->count * DO_AES_GCM_TAG;
    }
    return 0;
}

void do_decrypt_locate(
    const struct do_decrypt *decrypt, uint64_t index, struct do_decrypt_place *place)
{
    uint64_t left;

    place->cipher_begin = index * decrypt->cipher_size;
    place->plain_begin = index * decrypt->plain_size;
    left = decrypt->object_size - place->cipher_begin;
    place->cipher_length = left < decrypt->cipher_size ? (size_t)left : decrypt->cipher_size;
    left = do_decrypt_plain_limit(decrypt) - place->plain_begin;
    place->plain_limit = left < decrypt->plain_size ? (size_t)left : decrypt->plain_size;
}

uint64_t do_decrypt_index_of_plain(const struct do_decrypt *decrypt, uint64_t offset)
{
    return offset / decrypt->plain_size;
}

static void put_big_endian(uint8_t *bytes, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/*
 * PKCS #7 (RFC 5652, section 6.3): n bytes of the value n, 1 to 16 of them. How long the check
 * takes tells nothing to anybody, since the ciphertext is not chosen by whoever waits for it.
 */
static HRESULT unpad(const uint8_t *plain, size_t *length)
{
    const uint8_t padding = plain[*length - 1];

    if (!padding || padding > DO_AES_BLOCK)
        return DO_E_FILE_ENCRYPTION_EXPECTED;
    for (size_t i = 1; i <= padding; i++)
    {
        if (plain[*length - i] != padding)
            return DO_E_FILE_ENCRYPTION_EXPECTED;
    }
    *length -= padding;
    return S_OK;
}

/* The initialisation vector is the encrypted offset of the buffer, as in Windows Update's files. */
static HRESULT decrypt_cbc(struct do_decrypt *decrypt, const struct do_decrypt_place *place,
    const void *input, void *output, size_t *length)
{
    const bool is_last = place->cipher_begin + place->cipher_length == decrypt->object_size;
    uint8_t iv[DO_AES_BLOCK] = {0};
    HRESULT hr;

    for (size_t i = 0; i < 8; i++)
        iv[i] = (uint8_t)(place->cipher_begin >> (8 * i));
    if (FAILED(hr = do_aes_ecb_encrypt(decrypt->blocks, iv, sizeof(iv), iv)) ||
        FAILED(hr = do_aes_cbc_decrypt(decrypt->cipher, iv, input, place->cipher_length, output)))
        return hr;
    *length = place->cipher_length;
    return is_last ? unpad(output, length) : S_OK;
}

/* The counter is the number of the block in the object; it begins at 0 (SP 800-38A, 6.5). */
static HRESULT decrypt_ctr(struct do_decrypt *decrypt, const struct do_decrypt_place *place,
    const void *input, void *output, size_t *length)
{
    uint8_t stream[STREAM_SIZE];
    const uint8_t *in = input;
    uint8_t *out = output;
    uint64_t block = place->cipher_begin / DO_AES_BLOCK;
    HRESULT hr = S_OK;

    for (size_t done = 0; done < place->cipher_length && SUCCEEDED(hr);)
    {
        const size_t left = place->cipher_length - done;
        const size_t part = left < sizeof(stream) ? left : sizeof(stream);

        memset(stream, 0, sizeof(stream));
        for (size_t i = 0; i < sizeof(stream); i += DO_AES_BLOCK)
            put_big_endian(stream + i + 8, block++);
        hr = do_aes_ecb_encrypt(decrypt->blocks, stream, sizeof(stream), stream);
        for (size_t i = 0; i < part && SUCCEEDED(hr); i++)
            out[done + i] = in[done + i] ^ stream[i];
        done += part;
    }
    do_wipe(stream, sizeof(stream));
    *length = place->cipher_length;
    return hr;
}

/* The nonce tells the last buffer and its number, so none can be left out or change places. */
static HRESULT decrypt_gcm(struct do_decrypt *decrypt, uint64_t index,
    const struct do_decrypt_place *place, const void *input, void *output, size_t *length)
{
    const size_t plain_length = place->cipher_length - DO_AES_GCM_TAG;
    const uint8_t *tag = (const uint8_t *)input + plain_length;
    uint8_t nonce[DO_AES_GCM_NONCE] = {0};
    HRESULT hr;

    nonce[3] = index + 1 == decrypt->count;
    put_big_endian(nonce + 4, index);
    hr = do_aes_gcm_decrypt(decrypt->cipher, nonce, tag, input, plain_length, output);
    if (hr == DO_HR_BAD_DATA)
        return DO_E_FILE_ENCRYPTION_EXPECTED;
    *length = plain_length;
    return hr;
}

HRESULT do_decrypt_buffer(
    struct do_decrypt *decrypt, uint64_t index, const void *input, void *output, size_t *length)
{
    struct do_decrypt_place place;
    size_t plain_length = 0;
    HRESULT hr = E_UNEXPECTED;

    *length = 0;
    do_decrypt_locate(decrypt, index, &place);
    switch (decrypt->mode)
    {
    case DO_DECRYPT_CBC:
        hr = decrypt_cbc(decrypt, &place, input, output, &plain_length);
        break;
    case DO_DECRYPT_CTR:
        hr = decrypt_ctr(decrypt, &place, input, output, &plain_length);
        break;
    case DO_DECRYPT_GCM:
        hr = decrypt_gcm(decrypt, index, &place, input, output, &plain_length);
        break;
    }
    if (SUCCEEDED(hr))
        *length = plain_length;
    return hr;
}
