/* SPDX-License-Identifier: MIT */
/*
 * Encrypted files: any text as DecryptionInfo; the layouts for objects of any size, whose buffers
 * must lie one behind the other and cover them; and plain bytes that are encrypted here with
 * libcrypto by what docs/integrity.md says, changed or not, and decrypted in some order.
 */
#include "fuzz/fuzz.h"

#include <openssl/evp.h>

#include "base/str.h"
#include "transfer/decrypt.h"

#define PLAIN_LIMIT 600U
#define CIPHER_LIMIT (PLAIN_LIMIT + 64U * DO_AES_GCM_TAG)

static void append_base64(struct do_buf *text, const uint8_t *bytes, size_t length)
{
    unsigned char encoded[64];
    const int count = EVP_EncodeBlock(encoded, bytes, (int)length);

    do_buf_append(text, encoded, (size_t)count);
}

/* What was read, written again, is read again. */
static void run_info(const char *json)
{
    static const char *const modes[] = {
        [DO_DECRYPT_CBC] = "ChainingModeCBC", [DO_DECRYPT_CTR] = "ctr", [DO_DECRYPT_GCM] = "GCM"};
    struct do_decrypt_info info;
    struct do_decrypt_info again;
    struct do_buf text;
    const HRESULT hr = do_decrypt_info_parse(json, &info);

    FUZZ_CHECK(hr == S_OK || hr == E_INVALIDARG || hr == E_NOTIMPL);
    if (FAILED(hr))
    {
        static const struct do_decrypt_info nothing;

        FUZZ_CHECK(!memcmp(info.key, nothing.key, sizeof(info.key)));
        return;
    }
    FUZZ_CHECK(info.key_length == 16 || info.key_length == 24 || info.key_length == 32);
    FUZZ_CHECK(info.buffer_size && info.buffer_size <= DO_DECRYPT_BUFFER_MAX);
    FUZZ_CHECK(info.buffer_size % DO_AES_BLOCK == 0);
    do_buf_init(&text, 0);
    do_buf_append_format(&text,
        "{\"algorithmNAME\":\"aes\",\"EncryptionBufferSize\":\"%u\",\"ChainingMode\":\"%s\","
        "\"KeyData\":\"",
        (unsigned int)info.buffer_size, modes[info.mode]);
    append_base64(&text, info.key, info.key_length);
    do_buf_append_str(&text, "\"}");
    FUZZ_CHECK(do_decrypt_info_parse(do_buf_str(&text), &again) == S_OK);
    FUZZ_CHECK(info.mode == again.mode && info.buffer_size == again.buffer_size);
    FUZZ_CHECK(info.key_length == again.key_length);
    FUZZ_CHECK(!memcmp(info.key, again.key, sizeof(info.key)));
    do_buf_finish(&text);
    do_decrypt_info_finish(&info);
    do_decrypt_info_finish(&again);
}

static struct do_decrypt_info take_info(struct fuzz_input *input)
{
    static const size_t key_lengths[] = {16, 24, 32};
    struct do_decrypt_info info = {0};

    info.mode = (enum do_decrypt_mode)fuzz_take_below(input, 3);
    info.key_length = key_lengths[fuzz_take_below(input, 3)];
    memset(info.key, fuzz_take_u8(input), info.key_length);
    info.buffer_size = DO_AES_BLOCK * (1 + fuzz_take_below(input, 16));
    return info;
}

/* Whether the description knows a plain file for an object of that size. */
static bool is_possible(const struct do_decrypt_info *info, uint64_t size)
{
    const uint64_t full = info->buffer_size + DO_AES_GCM_TAG;

    switch (info->mode)
    {
    case DO_DECRYPT_CBC:
        return size && size % 16 == 0;
    case DO_DECRYPT_CTR:
        return true;
    case DO_DECRYPT_GCM:
        return size == DO_AES_GCM_TAG || (size && (size % full == 0 || size % full > 16));
    }
    return false;
}

static void check_place(const struct do_decrypt *decrypt, uint64_t index, uint64_t size)
{
    const uint64_t count = do_decrypt_count(decrypt);
    struct do_decrypt_place place;
    struct do_decrypt_place next;

    do_decrypt_locate(decrypt, index, &place);
    FUZZ_CHECK(place.cipher_length && place.cipher_begin < size);
    FUZZ_CHECK(place.plain_limit <= place.cipher_length);
    FUZZ_CHECK(place.plain_begin + place.plain_limit <= do_decrypt_plain_limit(decrypt));
    if (place.plain_limit)
        FUZZ_CHECK(
            do_decrypt_index_of_plain(decrypt, place.plain_begin + place.plain_limit - 1) == index);
    if (index + 1 == count)
    {
        FUZZ_CHECK(place.cipher_begin + place.cipher_length == size);
        FUZZ_CHECK(place.plain_begin + place.plain_limit == do_decrypt_plain_limit(decrypt));
        return;
    }
    do_decrypt_locate(decrypt, index + 1, &next);
    FUZZ_CHECK(place.cipher_begin + place.cipher_length == next.cipher_begin);
    FUZZ_CHECK(place.plain_begin + place.plain_limit == next.plain_begin);
}

static void run_layout(struct fuzz_input *input)
{
    struct do_decrypt_info info = take_info(input);
    const uint64_t size = fuzz_take_size(input) & INT64_MAX;
    const uint64_t index = fuzz_take_size(input);
    struct do_decrypt *decrypt;
    const HRESULT hr = do_decrypt_create(&info, size, &decrypt);
    uint64_t count;

    if (!is_possible(&info, size))
    {
        FUZZ_CHECK(hr == DO_E_FILE_ENCRYPTION_EXPECTED && !decrypt);
        return;
    }
    FUZZ_CHECK(hr == S_OK);
    count = do_decrypt_count(decrypt);
    FUZZ_CHECK(!count == !size);
    if (count)
    {
        check_place(decrypt, 0, size);
        check_place(decrypt, count / 2, size);
        check_place(decrypt, count - 1, size);
        check_place(decrypt, index % count, size);
    }
    do_decrypt_destroy(decrypt);
}

static const EVP_CIPHER *cipher_of(const struct do_decrypt_info *info, enum do_decrypt_mode mode)
{
    const bool is_short = info->key_length == 16;
    const bool is_long = info->key_length == 32;

    switch (mode)
    {
    case DO_DECRYPT_CBC:
        return is_short ? EVP_aes_128_cbc() : is_long ? EVP_aes_256_cbc() : EVP_aes_192_cbc();
    case DO_DECRYPT_CTR:
        return is_short ? EVP_aes_128_ctr() : is_long ? EVP_aes_256_ctr() : EVP_aes_192_ctr();
    case DO_DECRYPT_GCM:
        return is_short ? EVP_aes_128_gcm() : is_long ? EVP_aes_256_gcm() : EVP_aes_192_gcm();
    }
    return NULL;
}

/* One buffer, in libcrypto's way; returns its encrypted length. */
static size_t encrypt(const struct do_decrypt_info *info, const uint8_t *start, bool pad,
    const uint8_t *plain, size_t length, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    int rest = 0;

    FUZZ_CHECK(ctx);
    FUZZ_CHECK(EVP_EncryptInit_ex(ctx, cipher_of(info, info->mode), NULL, info->key, start) == 1);
    (void)EVP_CIPHER_CTX_set_padding(ctx, pad);
    if (length)
        FUZZ_CHECK(EVP_EncryptUpdate(ctx, out, &done, plain, (int)length) == 1);
    FUZZ_CHECK(EVP_EncryptFinal_ex(ctx, out + done, &rest) == 1);
    done += rest;
    if (info->mode == DO_DECRYPT_GCM)
    {
        FUZZ_CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, DO_AES_GCM_TAG, out + done) == 1);
        done += (int)DO_AES_GCM_TAG;
    }
    EVP_CIPHER_CTX_free(ctx);
    return (size_t)done;
}

/* The start value of a buffer, by the table in docs/integrity.md. */
static void start_of(
    const struct do_decrypt_info *info, uint64_t index, bool is_last, uint8_t start[16])
{
    const uint64_t offset = index * info->buffer_size;

    memset(start, 0, 16);
    switch (info->mode)
    {
    case DO_DECRYPT_CBC:
    {
        struct do_aes *aes;

        for (size_t i = 0; i < 8; i++)
            start[i] = (uint8_t)(offset >> (8 * i));
        FUZZ_CHECK(do_aes_create(DO_AES_ECB_ENCRYPT, info->key, info->key_length, &aes) == S_OK);
        FUZZ_CHECK(do_aes_ecb_encrypt(aes, start, 16, start) == S_OK);
        do_aes_destroy(aes);
        break;
    }
    case DO_DECRYPT_CTR:
        for (size_t i = 0; i < 8; i++)
            start[15 - i] = (uint8_t)(offset / 16 >> (8 * i));
        break;
    case DO_DECRYPT_GCM:
        start[3] = is_last;
        for (size_t i = 0; i < 8; i++)
            start[11 - i] = (uint8_t)(index >> (8 * i));
        break;
    }
}

static size_t encrypt_file(
    const struct do_decrypt_info *info, const uint8_t *plain, size_t length, uint8_t *out)
{
    size_t done = 0;
    size_t at = 0;
    bool is_last = false;

    if (info->mode == DO_DECRYPT_CTR && !length)
        return 0;
    for (uint64_t index = 0; !is_last; index++)
    {
        size_t part = length - at < info->buffer_size ? length - at : info->buffer_size;
        uint8_t start[16];

        /* Padding makes a last buffer of its own when the buffers end with the file. */
        is_last = info->mode == DO_DECRYPT_CBC ? part < info->buffer_size : at + part == length;
        start_of(info, index, is_last, start);
        done += encrypt(
            info, start, is_last && info->mode == DO_DECRYPT_CBC, plain + at, part, out + done);
        at += part;
    }
    return done;
}

/* Decrypts one buffer into a block that ends where it ends. */
static HRESULT decrypt_one(struct do_decrypt *decrypt, uint64_t index, const uint8_t *object,
    bool in_place, const uint8_t *plain)
{
    struct do_decrypt_place place;
    size_t length = SIZE_MAX;
    uint8_t *input;
    uint8_t *output;
    HRESULT hr;

    do_decrypt_locate(decrypt, index, &place);
    input = malloc(place.cipher_length);
    output = in_place ? input : malloc(place.cipher_length);
    FUZZ_CHECK(input && output);
    memcpy(input, object + place.cipher_begin, place.cipher_length);
    hr = do_decrypt_buffer(decrypt, index, input, output, &length);
    FUZZ_CHECK(hr == S_OK || hr == DO_E_FILE_ENCRYPTION_EXPECTED);
    if (SUCCEEDED(hr))
        FUZZ_CHECK(length <= place.plain_limit);
    if (SUCCEEDED(hr) && plain)
        FUZZ_CHECK(!memcmp(output, plain + place.plain_begin, length));
    if (!in_place)
        free(output);
    free(input);
    return hr;
}

static void run_file(struct fuzz_input *input)
{
    struct do_decrypt_info info = take_info(input);
    const size_t length = fuzz_take_below(input, PLAIN_LIMIT);
    const uint8_t order = fuzz_take_u8(input);
    const bool is_changed = fuzz_take_u8(input) & 1;
    const uint32_t changed_at = fuzz_take_below(input, CIPHER_LIMIT);
    const uint8_t changed_by = fuzz_take_u8(input);
    uint8_t plain[PLAIN_LIMIT];
    uint8_t object[CIPHER_LIMIT];
    struct do_decrypt *decrypt;
    size_t object_size;
    HRESULT hr = S_OK;
    uint64_t count;

    for (size_t i = 0; i < length; i++)
        plain[i] = fuzz_take_u8(input);
    object_size = encrypt_file(&info, plain, length, object);
    FUZZ_CHECK(object_size >= length && object_size <= CIPHER_LIMIT);
    FUZZ_CHECK(do_decrypt_create(&info, object_size, &decrypt) == S_OK);
    FUZZ_CHECK(do_decrypt_plain_limit(decrypt) >= length);
    FUZZ_CHECK(do_decrypt_plain_limit(decrypt) < length + 16);
    if (is_changed && object_size)
        object[changed_at % object_size] ^= changed_by;
    count = do_decrypt_count(decrypt);
    for (uint64_t i = 0; i < count; i++)
    {
        const uint64_t index = order & 1 ? count - 1 - i : (i + order) % count;
        const HRESULT one =
            decrypt_one(decrypt, index, object, order & 2, is_changed && changed_by ? NULL : plain);

        if (FAILED(one))
            hr = one;
    }
    if (!is_changed || !changed_by)
        FUZZ_CHECK(hr == S_OK);
    else if (info.mode == DO_DECRYPT_GCM)
        FUZZ_CHECK(FAILED(hr));
    else if (info.mode == DO_DECRYPT_CTR)
        FUZZ_CHECK(hr == S_OK);
    do_decrypt_destroy(decrypt);
}

/* The last buffer of CBC with an end that may be no padding; it is judged here as well. */
static void run_padding(struct fuzz_input *input)
{
    struct do_decrypt_info info = take_info(input);
    const size_t length =
        DO_AES_BLOCK * (1 + fuzz_take_below(input, info.buffer_size / DO_AES_BLOCK));
    const uint8_t value = fuzz_take_u8(input);
    const size_t count = fuzz_take_below(input, (uint32_t)length + 1);
    uint8_t plain[DO_AES_BLOCK * 16];
    uint8_t object[DO_AES_BLOCK * 16];
    uint8_t output[DO_AES_BLOCK * 16];
    struct do_decrypt *decrypt;
    size_t plain_length = 0;
    bool is_padded = value && value <= DO_AES_BLOCK;
    uint8_t start[16];
    HRESULT hr;

    info.mode = DO_DECRYPT_CBC;
    memset(plain, fuzz_take_u8(input), length);
    memset(plain + length - count, value, count);
    for (size_t i = 0; i < value && is_padded; i++)
        is_padded = plain[length - 1 - i] == value;
    if (!count)
        is_padded = false;
    start_of(&info, 0, true, start);
    FUZZ_CHECK(encrypt(&info, start, false, plain, length, object) == length);
    FUZZ_CHECK(do_decrypt_create(&info, length, &decrypt) == S_OK);
    FUZZ_CHECK(do_decrypt_count(decrypt) == 1);
    hr = do_decrypt_buffer(decrypt, 0, object, output, &plain_length);
    if (count)
        FUZZ_CHECK(hr == (is_padded ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED));
    if (hr == S_OK)
        FUZZ_CHECK(!memcmp(plain, output, plain_length));
    if (is_padded)
        FUZZ_CHECK(plain_length == length - value);
    do_decrypt_destroy(decrypt);
}

/* Bytes that nobody encrypted. */
static void run_noise(struct fuzz_input *input)
{
    struct do_decrypt_info info = take_info(input);
    struct do_decrypt *decrypt;

    if (FAILED(do_decrypt_create(&info, input->left, &decrypt)))
        return;
    for (uint64_t i = 0; i < do_decrypt_count(decrypt); i++)
        (void)decrypt_one(decrypt, i, input->at, i & 1, NULL);
    do_decrypt_destroy(decrypt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};
    char *text;

    switch (fuzz_take_below(&input, 8))
    {
    case 0:
        run_layout(&input);
        break;
    case 1:
        run_file(&input);
        break;
    case 2:
        run_noise(&input);
        break;
    case 3:
        run_padding(&input);
        break;
    default:
        text = fuzz_take_text(&input);
        run_info(text);
        free(text);
        break;
    }
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
