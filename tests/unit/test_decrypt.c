/* SPDX-License-Identifier: MIT */
/*
 * DecryptionInfo, and encrypted objects: some made by other programs as docs/integrity.md says
 * (100 bytes of which byte i is 7 i mod 251, in buffers of 48, keys 00 01 02 ...), and more of
 * every length, made here by the book over the block cipher alone.
 */
#include "transfer/decrypt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "support/hex.h"
#include "support/random.h"

#define PLAIN_MAX 400U
#define CIPHER_MAX 1024U
#define BLOCK DO_AES_BLOCK

#define KEY_16 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_24 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define KEY_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_48 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"

#define INFO_OF(key, size, algorithm, mode)                                                        \
    "{\"KeyData\":\"" key "\",\"EncryptionBufferSize\":" size ",\"AlgorithmName\":\"" algorithm    \
    "\",\"ChainingMode\":\"" mode "\"}"

static void fill_plain(uint8_t *plain, size_t length)
{
    for (size_t i = 0; i < length; i++)
        plain[i] = (uint8_t)(i * 7 % 251);
}

static struct do_decrypt_info info_of(enum do_decrypt_mode mode, uint32_t buffer_size)
{
    struct do_decrypt_info info = {.mode = mode, .buffer_size = buffer_size, .key_length = 32};

    for (size_t i = 0; i < sizeof(info.key); i++)
        info.key[i] = (uint8_t)i;
    return info;
}

/* Broken: what clients give is not understood. */
static void test_decrypt_info_is_read(void **state)
{
    static const struct
    {
        const char *json;
        enum do_decrypt_mode mode;
        uint32_t buffer_size;
        size_t key_length;
    } rows[] = {
        {INFO_OF(KEY_32, "65536", "AES", "ChainingModeCBC"), DO_DECRYPT_CBC, 65536, 32},
        {INFO_OF(KEY_24, "\"16\"", "aes", "cbc"), DO_DECRYPT_CBC, 16, 24},
        {INFO_OF(KEY_16, "16777216", "AES", "ChainingModeGCM"), DO_DECRYPT_GCM, 16777216, 16},
        {INFO_OF(KEY_48, "48", "AES", "GCM"), DO_DECRYPT_GCM, 48, 32},
        {INFO_OF(KEY_32, "null", "AES", "ChainingModeCTR"), DO_DECRYPT_CTR, 65536, 32},
        {"{\"keydata\":\"" KEY_32 "\",\"ALGORITHMNAME\":\"AES\",\"chainingMode\":\"CTR\","
         "\"More\":[1]}",
            DO_DECRYPT_CTR, 65536, 32},
    };
    struct do_decrypt_info info;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        memset(&info, 0xEE, sizeof(info));
        assert_ok(do_decrypt_info_parse(rows[i].json, &info));
        assert_int_equal(info.mode, rows[i].mode);
        assert_int_equal(info.buffer_size, rows[i].buffer_size);
        assert_int_equal(info.key_length, rows[i].key_length);
        for (size_t k = 0; k < sizeof(info.key); k++)
            assert_int_equal(info.key[k], k < info.key_length ? k : 0);
        do_decrypt_info_finish(&info);
    }
}

/* Broken: a file is decrypted in another way than its client said, or the key stays about. */
static void test_decrypt_bad_info_is_refused(void **state)
{
    static const char *const texts[] = {"", "blah", "{}", "[]",
        "{\"KeyData\":\"" KEY_32 "\",\"AlgorithmName\":\"AES\"}",
        "{\"KeyData\":\"" KEY_32 "\",\"ChainingMode\":\"CBC\"}",
        "{\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}",
        INFO_OF(KEY_32, "65536", "3DES", "CBC"), INFO_OF(KEY_32, "65536", "", "CBC"),
        INFO_OF(KEY_32, "65536", "AES256", "CBC"), INFO_OF(KEY_32, "65536", "AES", ""),
        INFO_OF(KEY_32, "65536", "AES", "ChainingModeECB"),
        INFO_OF(KEY_32, "65536", "AES", "ChainingModeCFB"),
        INFO_OF(KEY_32, "65536", "AES", "ChainingModeCCM"),
        INFO_OF(KEY_32, "65536", "AES", "ChainingModeN/A"),
        INFO_OF(KEY_32, "65536", "AES", "ChainingMode"), INFO_OF(KEY_32, "0", "AES", "CBC"),
        INFO_OF(KEY_32, "-16", "AES", "CBC"), INFO_OF(KEY_32, "15", "AES", "CBC"),
        INFO_OF(KEY_32, "65537", "AES", "CBC"), INFO_OF(KEY_32, "16777232", "AES", "CBC"),
        INFO_OF(KEY_32, "4294967312", "AES", "CBC"), INFO_OF(KEY_32, "\"64K\"", "AES", "CBC"),
        INFO_OF(KEY_32, "true", "AES", "CBC"), INFO_OF("", "65536", "AES", "CBC"),
        INFO_OF("AA==", "65536", "AES", "CBC"),
        INFO_OF("AAECAwQFBgcICQoLDA0ODxA=", "65536", "AES", "CBC"),
        INFO_OF("AAECAwQFBgcICQoLDA0ODw", "65536", "AES", "CBC"),
        INFO_OF(KEY_48 KEY_16, "65536", "AES", "CBC"),
        INFO_OF(KEY_48 KEY_48, "65536", "AES", "CBC"),
        "{\"KeyData\":5,\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}",
        "{\"KeyData\":\"" KEY_32 "\",\"AlgorithmName\":1,\"ChainingMode\":\"CBC\"}",
        "{\"KeyData\":\"" KEY_32 "\",\"AlgorithmName\":\"AES\",\"ChainingMode\":[]}",
        "{\"KeyData\":\"" KEY_32 "\",\"keyData\":\"" KEY_32
        "\",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}"};
    static const struct do_decrypt_info nothing;
    struct do_decrypt_info info;
    struct do_buf text;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        memset(&info, 0xEE, sizeof(info));
        print_message("%s\n", texts[i]);
        assert_hr(E_INVALIDARG, do_decrypt_info_parse(texts[i], &info));
        assert_memory_equal(info.key, nothing.key, sizeof(info.key));
    }
    do_buf_init(&text, 0);
    do_buf_append_str(&text, INFO_OF(KEY_32, "65536", "AES", "CBC"));
    while (text.length < DO_DECRYPT_INFO_LIMIT)
        do_buf_append_str(&text, " ");
    assert_ok(do_decrypt_info_parse(do_buf_str(&text), &info));
    do_buf_append_str(&text, " ");
    assert_hr(E_INVALIDARG, do_decrypt_info_parse(do_buf_str(&text), &info));
    do_decrypt_info_finish(&info);
    do_buf_finish(&text);
}

/* Broken: half a text is a text, or garbage crashes. */
static void test_decrypt_info_survives_garbage(void **state)
{
    static const char source[] = INFO_OF(KEY_32, "65536", "AES", "ChainingModeCBC");
    struct test_random random = {20240805};
    struct do_decrypt_info info;
    char text[sizeof(source)];

    (void)state;
    for (size_t length = 0; length < strlen(source); length++)
    {
        memcpy(text, source, length);
        text[length] = 0;
        assert_hr(E_INVALIDARG, do_decrypt_info_parse(text, &info));
    }
    for (int i = 0; i < 20000; i++)
    {
        HRESULT hr;

        memcpy(text, source, sizeof(source));
        for (uint32_t changes = 1 + test_random_below(&random, 3); changes; changes--)
            text[test_random_below(&random, sizeof(source) - 1)] =
                (char)test_random_below(&random, 256);
        hr = do_decrypt_info_parse(text, &info);
        if (SUCCEEDED(hr))
        {
            assert_true(info.buffer_size && info.buffer_size % BLOCK == 0);
            assert_true(info.key_length == 32);
        }
        else
            assert_hr(E_INVALIDARG, hr);
        do_decrypt_info_finish(&info);
    }
}

/* Decrypts a whole object, last buffer first, each at its own place; returns its plain length. */
static size_t decrypt_all(const struct do_decrypt_info *info, const uint8_t *cipher, size_t size,
    uint8_t *plain, HRESULT *failure)
{
    struct do_decrypt *decrypt;
    size_t total = 0;
    size_t expected_end = 0;

    *failure = S_OK;
    assert_ok(do_decrypt_create(info, size, &decrypt));
    for (uint64_t i = do_decrypt_count(decrypt); i-- > 0;)
    {
        struct do_decrypt_place place;
        uint8_t *input;
        size_t length = 99999;
        HRESULT hr;

        do_decrypt_locate(decrypt, i, &place);
        assert_true(place.cipher_begin + place.cipher_length <= size);
        assert_true(place.plain_begin == i * info->buffer_size);
        assert_int_equal(do_decrypt_index_of_plain(decrypt, place.plain_begin), i);
        if (expected_end)
            assert_int_equal(place.cipher_begin + place.cipher_length, expected_end);
        expected_end = (size_t)place.cipher_begin;
        /* In place, in memory that ends where the buffer ends. */
        assert_non_null(input = do_memdup(cipher + place.cipher_begin, place.cipher_length));
        hr = do_decrypt_buffer(decrypt, i, input, input, &length);
        if (FAILED(hr))
        {
            assert_int_equal(length, 0);
            *failure = hr;
        }
        else
        {
            assert_true(length <= place.plain_limit);
            if (i + 1 < do_decrypt_count(decrypt) || info->mode != DO_DECRYPT_CBC)
                assert_int_equal(length, place.plain_limit);
            else
                assert_true(length + BLOCK > place.plain_limit);
            memcpy(plain + place.plain_begin, input, length);
            total += length;
        }
        do_free(input);
    }
    assert_int_equal(expected_end, 0);
    assert_true(total <= do_decrypt_plain_limit(decrypt));
    if (info->mode != DO_DECRYPT_CBC && SUCCEEDED(*failure))
        assert_int_equal(total, do_decrypt_plain_limit(decrypt));
    do_decrypt_destroy(decrypt);
    return total;
}

/* Broken: objects that publishers make as the document says cannot be read. */
static void test_decrypt_documented_objects_are_read(void **state)
{
    static const struct
    {
        const char *info;
        const char *cipher;
    } rows[] = {
        {INFO_OF(KEY_16, "48", "AES", "ChainingModeCBC"),
            "98286a36893fead5eeccbe559a8834deb00c789978527259bf08bb7894ae3f2e"
            "52dbefd8edee08f5c553a617cb78d6a4fb513850d896b6ed6e6264ec774f1d4f"
            "c5577bc74ffa9f95e087c606f52744d98c95f66ea541a07f9e1e435712d8e56a"
            "34c1e99b882dd153f0eab914b00d7570"},
        {INFO_OF(KEY_24, "48", "AES", "ChainingModeCBC"),
            "065dc76e9bb353c5aeb804e8cbec4a477e506899b0fc1d0d0e60da33f16204a0"
            "b3acc60c804dc085f7cef37ddc2db5785fde7ac92e8e9dcccafce227eb1b14ef"
            "6fd600a8500159e5ba971edd7a8f101f89e7716c943734b638669252b84c7fef"
            "e8aedfef7dc4a83df1f62276a2d7f682"},
        {INFO_OF(KEY_32, "48", "AES", "ChainingModeCBC"),
            "3e1306f8d665a7a9d0f5ce4300ec0be913175b941141bfdcd4febbbf91dce455"
            "3949f12ef8dc10a89b886c57eaae6e10ef8f72d78991336d4329d5733cfbc8a9"
            "175c5090a69069db3288704ded791216ce397f073d2c0da8b25adb0123cb5c12"
            "488d833d4b27a6395538923aa2b94cfb"},
        {INFO_OF(KEY_16, "48", "AES", "ChainingModeCTR"),
            "c6a635229bac71b35770c72ff593ba1003316d1019532ebfe1d40b5ea13fffd3"
            "a93169a69893a99afead515a59c1f7d3ecf148444512bdbeddc9adfc35074be8"
            "f5af6505ebc43446871b41c5d84cfd8ca1c3d1c6322fe52a3227a35a11884cb8"
            "7eef44ed"},
        {INFO_OF(KEY_24, "48", "AES", "ChainingModeCTR"),
            "91655f9700508f13fba9906a6c5af46e393946dfc7ac3516bb455a15cca9b5ce"
            "3be4fc7eb6452b3a9e666914ce8a6288ce2efdcf0066d5d09699087d2c731438"
            "4a038df05783800460a7f2ee58878311727225c0ffd0120548a61622dc5f39ce"
            "1d032412"},
        {INFO_OF(KEY_32, "48", "AES", "ChainingModeCTR"),
            "f2970ea3366ab5e191ccdc27897515e9802a082bc62a05440e592d8c8c09e4e4"
            "ee5b5b2bb4248cab158c8207216cd6d7871f353959f91fa90d0a28216c4feae8"
            "8b933566cb1a57f031ca61e2dfeb457d934609a92f2c22ce22cfbfa1c4f5d247"
            "43de86b5"},
        {INFO_OF(KEY_16, "48", "AES", "ChainingModeGCM"),
            "49d1894685b88cbddbb63c2534dad2f4c9da55abb8f95899f8f280e3587c2e8f"
            "d084582a0b24d4a698367ae0ff2996f14c687e763191f30af9974e82e74dd6f8"
            "ef89cc09bc91b5a8c3d0df5e8a15b99a197bbae116bfe821bcd909dd34f78901"
            "73e2fe98695fd8d0331aca4201c9cda9263cf37e71a2498328fee67fcae00cf2"
            "4be15fad6df5e623c538bc14e6582e1f2deb9456"},
        {INFO_OF(KEY_24, "48", "AES", "ChainingModeGCM"),
            "db041c9eab6e0e1dbb7d046ba39147afeb05e020fd8d30f7b3a225624108715f"
            "6f28b0dfb76360e47f8ac9cb7fe2e86c92a28729bed35e647198fc2998566a14"
            "b0f8d8c5f94513cb790223a50a856621cfcb75a3568d756477fcb4063372ee3e"
            "96f47c1303de1f84e2b381b45a90a3f0e0809bac556f5b1f5d09332e5887feef"
            "20d8b4b3faa7c1172070d102b67ba229ba35378e"},
        {INFO_OF(KEY_32, "48", "AES", "ChainingModeGCM"),
            "0ebbbbcba90fa98c3097ef784c77f3f0a23428d6a412fa8e2831053e01348f8f"
            "aeb808492bfab7102ee75ac7f88e2e0087e411398de6a2a0af92160d2dd05d64"
            "408adc96358c4f9883baca9b45168d49d053cf8e855abb72710913ce38155f6d"
            "00d72fbe7e71e0572ba64386e2719b90b08ecadef90bc56c8e2099ee8596e6a8"
            "7a19ec448812b0502644bd3c1e1c045a8d9fab48"},
    };
    uint8_t plain[100];
    uint8_t out[PLAIN_MAX];
    uint8_t cipher[CIPHER_MAX];

    (void)state;
    fill_plain(plain, sizeof(plain));
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        const size_t size = test_from_hex(rows[i].cipher, cipher, sizeof(cipher));
        struct do_decrypt_info info;
        HRESULT hr;

        hr = do_decrypt_info_parse(rows[i].info, &info);
        if (hr == E_NOTIMPL && strstr(rows[i].info, KEY_24) && strstr(rows[i].info, "GCM"))
        {
            print_message("this system has no AES-192 in GCM\n");
            continue;
        }
        assert_ok(hr);
        memset(out, 0xEE, sizeof(out));
        assert_int_equal(decrypt_all(&info, cipher, size, out, &hr), sizeof(plain));
        assert_ok(hr);
        assert_memory_equal(out, plain, sizeof(plain));
        do_decrypt_info_finish(&info);
    }
}

static void put_number(uint8_t *end, uint64_t number)
{
    for (int i = 1; i <= 8; i++, number >>= 8)
        end[-i] = (uint8_t)number;
}

static void xor_block(uint8_t *to, const uint8_t *with, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] ^= with[i];
}

/* SP 800-38A, 6.2, with the initialisation vectors and the padding of docs/integrity.md. */
static size_t encrypt_cbc(
    struct do_aes *aes, uint32_t buffer_size, const uint8_t *plain, size_t length, uint8_t *cipher)
{
    const size_t size = length / BLOCK * BLOCK + BLOCK;
    const size_t padding = size - length;
    uint8_t chain[BLOCK];

    if (length)
        memcpy(cipher, plain, length);
    memset(cipher + length, (int)padding, padding);
    for (size_t at = 0; at < size; at += BLOCK)
    {
        if (at % buffer_size == 0)
        {
            memset(chain, 0, sizeof(chain));
            chain[0] = (uint8_t)at;
            chain[1] = (uint8_t)(at >> 8);
            assert_ok(do_aes_ecb_encrypt(aes, chain, BLOCK, chain));
        }
        xor_block(cipher + at, chain, BLOCK);
        assert_ok(do_aes_ecb_encrypt(aes, cipher + at, BLOCK, cipher + at));
        memcpy(chain, cipher + at, BLOCK);
    }
    return size;
}

/* SP 800-38A, 6.5. */
static void encrypt_ctr(struct do_aes *aes, const uint8_t *first_counter, const uint8_t *plain,
    size_t length, uint8_t *cipher)
{
    uint8_t counter[BLOCK];
    uint8_t stream[BLOCK];

    memcpy(counter, first_counter, BLOCK);
    for (size_t at = 0; at < length; at += BLOCK)
    {
        assert_ok(do_aes_ecb_encrypt(aes, counter, BLOCK, stream));
        for (size_t i = 0; i < BLOCK && at + i < length; i++)
            cipher[at + i] = plain[at + i] ^ stream[i];
        /* No test has 256 blocks or more. */
        counter[BLOCK - 1]++;
    }
}

/* The product of SP 800-38D, 6.3: to = to x with. */
static void multiply(uint8_t *to, const uint8_t *with)
{
    uint8_t product[BLOCK] = {0};
    uint8_t v[BLOCK];

    memcpy(v, with, BLOCK);
    for (int bit = 0; bit < 128; bit++)
    {
        const uint8_t carry = v[BLOCK - 1] & 1;

        if (to[bit / 8] >> (7 - bit % 8) & 1)
            xor_block(product, v, BLOCK);
        for (int i = BLOCK - 1; i > 0; i--)
            v[i] = (uint8_t)(v[i] >> 1 | v[i - 1] << 7);
        v[0] >>= 1;
        if (carry)
            v[0] ^= 0xE1;
    }
    memcpy(to, product, BLOCK);
}

/* SP 800-38D, 7.1: one buffer with its tag. */
static size_t encrypt_gcm_buffer(struct do_aes *aes, uint64_t index, bool is_last,
    const uint8_t *plain, size_t length, uint8_t *cipher)
{
    uint8_t counter[BLOCK] = {0};
    uint8_t lengths[BLOCK] = {0};
    uint8_t hash[BLOCK] = {0};
    uint8_t key[BLOCK] = {0};

    counter[3] = is_last;
    put_number(counter + 12, index);
    counter[BLOCK - 1] = 2;
    encrypt_ctr(aes, counter, plain, length, cipher);
    assert_ok(do_aes_ecb_encrypt(aes, key, BLOCK, key));
    for (size_t at = 0; at < length; at += BLOCK)
    {
        xor_block(hash, cipher + at, length - at < BLOCK ? length - at : BLOCK);
        multiply(hash, key);
    }
    put_number(lengths + BLOCK, length * 8);
    xor_block(hash, lengths, BLOCK);
    multiply(hash, key);
    counter[BLOCK - 1] = 1;
    encrypt_ctr(aes, counter, hash, BLOCK, cipher + length);
    return length + BLOCK;
}

static size_t encrypt_gcm(
    struct do_aes *aes, uint32_t buffer_size, const uint8_t *plain, size_t length, uint8_t *cipher)
{
    size_t size = 0;
    size_t at = 0;

    for (uint64_t index = 0; at < length || index == 0; index++)
    {
        const size_t part = length - at < buffer_size ? length - at : buffer_size;

        size +=
            encrypt_gcm_buffer(aes, index, at + part == length, plain + at, part, cipher + size);
        at += part;
    }
    return size;
}

static size_t encrypt(
    const struct do_decrypt_info *info, const uint8_t *plain, size_t length, uint8_t *cipher)
{
    static const uint8_t zero[BLOCK];
    struct do_aes *aes;
    size_t size = length;

    assert_ok(do_aes_create(DO_AES_ECB_ENCRYPT, info->key, info->key_length, &aes));
    switch (info->mode)
    {
    case DO_DECRYPT_CBC:
        size = encrypt_cbc(aes, info->buffer_size, plain, length, cipher);
        break;
    case DO_DECRYPT_CTR:
        encrypt_ctr(aes, zero, plain, length, cipher);
        break;
    case DO_DECRYPT_GCM:
        size = encrypt_gcm(aes, info->buffer_size, plain, length, cipher);
        break;
    }
    do_aes_destroy(aes);
    return size;
}

/* Broken: some length is not read back: empty, full buffers, one byte more or less. */
static void test_decrypt_every_length_is_read(void **state)
{
    static const uint32_t buffer_sizes[] = {16, 48, 64, 4096};
    uint8_t plain[PLAIN_MAX];
    uint8_t out[PLAIN_MAX + 1];
    uint8_t cipher[CIPHER_MAX];

    (void)state;
    fill_plain(plain, sizeof(plain));
    for (int mode = DO_DECRYPT_CBC; mode <= DO_DECRYPT_GCM; mode++)
    {
        for (size_t i = 0; i < DO_COUNT_OF(buffer_sizes); i++)
        {
            const struct do_decrypt_info info =
                info_of((enum do_decrypt_mode)mode, buffer_sizes[i]);

            for (size_t length = 0; length <= PLAIN_MAX; length++)
            {
                const size_t size = encrypt(&info, plain, length, cipher);
                HRESULT hr;

                assert_true(size <= CIPHER_MAX);
                memset(out, 0xEE, sizeof(out));
                assert_int_equal(decrypt_all(&info, cipher, size, out, &hr), length);
                assert_ok(hr);
                assert_memory_equal(out, plain, length);
                assert_int_equal(out[length], 0xEE);
            }
        }
    }
}

/* Broken: the key stream repeats or jumps where it is made anew, or a large buffer is not read. */
static void test_decrypt_large_ctr_buffer_is_one_stream(void **state)
{
    enum
    {
        SIZE = 3 * 4096 + 5
    };
    const struct do_decrypt_info small = info_of(DO_DECRYPT_CTR, 16);
    const struct do_decrypt_info large = info_of(DO_DECRYPT_CTR, 65536);
    uint8_t *zeros = do_alloc(SIZE);
    uint8_t *by_block = do_alloc(SIZE);
    uint8_t *at_once = do_alloc(SIZE);
    HRESULT hr;

    (void)state;
    assert_true(zeros && by_block && at_once);
    assert_int_equal(decrypt_all(&small, zeros, SIZE, by_block, &hr), SIZE);
    assert_int_equal(decrypt_all(&large, zeros, SIZE, at_once, &hr), SIZE);
    assert_memory_equal(by_block, at_once, SIZE);
    for (size_t i = BLOCK; i + BLOCK <= SIZE; i += BLOCK)
        assert_memory_not_equal(at_once + i, at_once + i - BLOCK, BLOCK);
    do_free(zeros);
    do_free(by_block);
    do_free(at_once);
}

/* Broken: an object that cannot be one is downloaded to its end, or its size overruns a buffer. */
static void test_decrypt_impossible_sizes_are_refused(void **state)
{
    (void)state;
    for (uint64_t size = 0; size <= 300; size++)
    {
        struct do_decrypt_info info = info_of(DO_DECRYPT_CBC, 48);
        const bool is_cbc = size && size % 16 == 0;
        /* Full ones of 64 bytes, then one with at least a byte; or the tag of nothing. */
        const bool is_gcm = size == 16 || (size && (size % 64 == 0 || size % 64 > 16));
        struct do_decrypt *decrypt = (struct do_decrypt *)(void *)&info;

        assert_hr(is_cbc ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED,
            do_decrypt_create(&info, size, &decrypt));
        assert_true(is_cbc == !!decrypt);
        do_decrypt_destroy(decrypt);
        info.mode = DO_DECRYPT_GCM;
        assert_hr(is_gcm ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED,
            do_decrypt_create(&info, size, &decrypt));
        assert_true(is_gcm == !!decrypt);
        do_decrypt_destroy(decrypt);
        info.mode = DO_DECRYPT_CTR;
        assert_ok(do_decrypt_create(&info, size, &decrypt));
        do_decrypt_destroy(decrypt);
    }
}

/* Broken: sizes of huge objects wrap. */
static void test_decrypt_huge_object_is_located(void **state)
{
    const uint64_t size = INT64_MAX / 64 * 64;
    struct do_decrypt_info info = info_of(DO_DECRYPT_GCM, 48);
    struct do_decrypt_place place;
    struct do_decrypt *decrypt;

    (void)state;
    assert_ok(do_decrypt_create(&info, size, &decrypt));
    assert_true(do_decrypt_count(decrypt) == size / 64);
    assert_true(do_decrypt_plain_limit(decrypt) == size / 64 * 48);
    do_decrypt_locate(decrypt, size / 64 - 1, &place);
    assert_true(place.cipher_begin == size - 64);
    assert_int_equal(place.cipher_length, 64);
    assert_true(place.plain_begin == size / 64 * 48 - 48);
    assert_int_equal(place.plain_limit, 48);
    do_decrypt_destroy(decrypt);
}

/* Broken: a wrong key gives a file of noise. */
static void test_decrypt_wrong_key_is_seen(void **state)
{
    static const enum do_decrypt_mode modes[] = {DO_DECRYPT_CBC, DO_DECRYPT_GCM};
    uint8_t plain[100];
    uint8_t out[PLAIN_MAX];
    uint8_t cipher[CIPHER_MAX];

    (void)state;
    fill_plain(plain, sizeof(plain));
    for (size_t i = 0; i < DO_COUNT_OF(modes); i++)
    {
        struct do_decrypt_info info = info_of(modes[i], 48);
        const size_t size = encrypt(&info, plain, sizeof(plain), cipher);
        HRESULT hr;

        info.key[31] ^= 1;
        decrypt_all(&info, cipher, size, out, &hr);
        assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
        info.key[31] ^= 1;
        info.key_length = 16;
        decrypt_all(&info, cipher, size, out, &hr);
        assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
    }
}

/* Makes the last block of a CBC object decrypt to last, whatever its padding. */
static void assert_padding(HRESULT expected, const uint8_t *last, size_t expected_length)
{
    struct do_decrypt_info info = info_of(DO_DECRYPT_CBC, 48);
    uint8_t block[BLOCK] = {0};
    uint8_t input[BLOCK];
    size_t length;
    struct do_aes *aes;
    struct do_decrypt *decrypt;

    /* The object is this block alone: its vector is the encrypted offset 0. */
    assert_ok(do_aes_create(DO_AES_ECB_ENCRYPT, info.key, info.key_length, &aes));
    assert_ok(do_aes_ecb_encrypt(aes, block, BLOCK, block));
    xor_block(block, last, BLOCK);
    assert_ok(do_aes_ecb_encrypt(aes, block, BLOCK, block));
    do_aes_destroy(aes);
    memcpy(input, block, BLOCK);
    assert_ok(do_decrypt_create(&info, BLOCK, &decrypt));
    assert_hr(expected, do_decrypt_buffer(decrypt, 0, input, block, &length));
    assert_int_equal(length, expected_length);
    do_decrypt_destroy(decrypt);
}

/* Broken: padding that nobody makes is taken for content, or content for padding. */
static void test_decrypt_padding_is_checked(void **state)
{
    uint8_t last[BLOCK];

    (void)state;
    for (unsigned int padding = 0; padding < 256; padding++)
    {
        const bool is_good = padding >= 1 && padding <= BLOCK;

        memset(last, (int)padding, sizeof(last));
        assert_padding(
            is_good ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED, last, is_good ? BLOCK - padding : 0);
        if (!is_good)
            continue;
        /* The byte before is content, the first of the padding is not. */
        for (unsigned int at = 0; at < BLOCK; at++)
        {
            const bool is_content = at < BLOCK - padding;

            if (at == BLOCK - 1)
                continue;
            memset(last, (int)padding, sizeof(last));
            last[at] ^= 0x80;
            assert_padding(is_content ? S_OK : DO_E_FILE_ENCRYPTION_EXPECTED, last,
                is_content ? BLOCK - padding : 0);
        }
    }
}

/* Broken: an authentic file may lose its end, or have its parts exchanged, unseen. */
static void test_decrypt_gcm_buffers_keep_their_places(void **state)
{
    struct do_decrypt_info info = info_of(DO_DECRYPT_GCM, 48);
    uint8_t plain[144];
    uint8_t out[PLAIN_MAX];
    uint8_t cipher[CIPHER_MAX];
    uint8_t other[CIPHER_MAX];
    size_t size;
    HRESULT hr;

    (void)state;
    fill_plain(plain, sizeof(plain));
    size = encrypt(&info, plain, sizeof(plain), cipher);
    assert_int_equal(size, 192);
    decrypt_all(&info, cipher, size, out, &hr);
    assert_ok(hr);
    /* The last one cut off, after a whole buffer. */
    decrypt_all(&info, cipher, 128, out, &hr);
    assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
    /* The first two exchanged. */
    memcpy(other, cipher + 64, 64);
    memcpy(other + 64, cipher, 64);
    memcpy(other + 128, cipher + 128, 64);
    decrypt_all(&info, other, size, out, &hr);
    assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
    /* Something behind the end. */
    memcpy(other, cipher, size);
    memcpy(other + size, cipher, 64);
    decrypt_all(&info, other, size + 64, out, &hr);
    assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
    /* Any bit. */
    for (size_t bit = 0; bit < size * 8; bit += 5)
    {
        cipher[bit / 8] ^= (uint8_t)(1U << bit % 8);
        decrypt_all(&info, cipher, size, out, &hr);
        assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, hr);
        cipher[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* Broken: an allocation that fails leaks, crashes or is taken for a bad text or a bad size. */
static void test_decrypt_out_of_memory_is_clean(void **state)
{
    const int64_t before = do_alloc_outstanding();
    struct do_decrypt *decrypt;

    (void)state;
    for (int mode = DO_DECRYPT_CBC; mode <= DO_DECRYPT_GCM; mode++)
    {
        const struct do_decrypt_info info = info_of((enum do_decrypt_mode)mode, 48);
        uint64_t n;
        HRESULT hr;

        for (n = 1;; n++)
        {
            assert_true(n < 10);
            do_alloc_fail_nth(n);
            hr = do_decrypt_create(&info, 64, &decrypt);
            do_alloc_fail_nth(0);
            if (SUCCEEDED(hr))
                break;
            assert_hr(E_OUTOFMEMORY, hr);
            assert_null(decrypt);
        }
        assert_true(n > 2);
        do_decrypt_destroy(decrypt);
    }
    do_decrypt_destroy(NULL);
    assert_int_equal(do_alloc_outstanding(), before);
}

int main(void)
{
    static const struct CMUnitTest decrypt[] = {
        cmocka_unit_test(test_decrypt_info_is_read),
        cmocka_unit_test(test_decrypt_bad_info_is_refused),
        cmocka_unit_test(test_decrypt_info_survives_garbage),
        cmocka_unit_test(test_decrypt_documented_objects_are_read),
        cmocka_unit_test(test_decrypt_every_length_is_read),
        cmocka_unit_test(test_decrypt_large_ctr_buffer_is_one_stream),
        cmocka_unit_test(test_decrypt_impossible_sizes_are_refused),
        cmocka_unit_test(test_decrypt_huge_object_is_located),
        cmocka_unit_test(test_decrypt_wrong_key_is_seen),
        cmocka_unit_test(test_decrypt_padding_is_checked),
        cmocka_unit_test(test_decrypt_gcm_buffers_keep_their_places),
        cmocka_unit_test(test_decrypt_out_of_memory_is_clean),
    };

    return TEST_RUN(decrypt);
}
