/* SPDX-License-Identifier: MIT */
/*
 * The system's cryptography gives what the standards print: FIPS 180-4 (its example messages),
 * SP 800-38A, appendix F, and the test cases of the proposal that SP 800-38D took over.
 */
#include "plat/crypto.h"

#include <string.h>

#include "base/alloc.h"
#include "support/hex.h"

#define KEY_128 "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY_192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY_256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define ZEROS "00000000000000000000000000000000"
#define PLAIN                                                                                      \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                             \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define GCM_PLAIN                                                                                  \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"

#define LONGEST 64U

static void assert_digest(enum do_hash_algorithm algorithm, const char *text, const char *expected)
{
    uint8_t wanted[DO_HASH_SIZE_LIMIT];
    uint8_t digest[DO_HASH_SIZE_LIMIT];

    assert_int_equal(test_from_hex(expected, wanted, sizeof(wanted)), do_hash_size(algorithm));
    assert_ok(do_hash_of(algorithm, text, strlen(text), digest));
    assert_memory_equal(digest, wanted, do_hash_size(algorithm));
}

/* Broken: every digest is wrong. */
static void test_crypto_hash_example_messages_match(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char two_long_blocks[] =
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

    (void)state;
    assert_digest(DO_HASH_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest(DO_HASH_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(DO_HASH_SHA1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_digest(
        DO_HASH_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(
        DO_HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(DO_HASH_SHA256, two_blocks,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest(DO_HASH_SHA384, "abc",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
        "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    assert_digest(DO_HASH_SHA384, two_long_blocks,
        "09330c33f71147e83d192fc782cd1b4753111b173b3b05d2"
        "2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
    assert_digest(DO_HASH_SHA512, "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    assert_digest(DO_HASH_SHA512, two_long_blocks,
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

/* Broken: how a message is cut into updates changes its digest. */
static void test_crypto_hash_million_in_parts_matches(void **state)
{
    static const size_t parts[] = {0, 1, 63, 64, 65, 1000};
    uint8_t wanted[DO_SHA256_SIZE];
    uint8_t digest[DO_SHA256_SIZE];
    struct do_hash *hash;
    char some[1000];
    size_t done = 0;

    (void)state;
    memset(some, 'a', sizeof(some));
    test_from_hex(
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", wanted, sizeof(wanted));
    assert_ok(do_hash_create(DO_HASH_SHA256, &hash));
    for (size_t i = 0; done < 1000000; i++)
    {
        const size_t part = parts[i % DO_COUNT_OF(parts)];
        const size_t length = part < 1000000 - done ? part : 1000000 - done;

        assert_ok(do_hash_update(hash, some, length));
        done += length;
    }
    assert_ok(do_hash_final(hash, digest));
    assert_memory_equal(digest, wanted, sizeof(wanted));
    do_hash_destroy(hash);
}

/* Broken: the second digest of a context has something of the first message. */
static void test_crypto_hash_final_begins_anew(void **state)
{
    uint8_t once[DO_HASH_SIZE_LIMIT];
    uint8_t again[DO_HASH_SIZE_LIMIT];

    (void)state;
    for (int i = DO_HASH_SHA1; i <= DO_HASH_SHA512; i++)
    {
        struct do_hash *hash;

        assert_ok(do_hash_of((enum do_hash_algorithm)i, "abc", 3, once));
        assert_ok(do_hash_create((enum do_hash_algorithm)i, &hash));
        assert_ok(do_hash_update(hash, "something else", 14));
        assert_ok(do_hash_final(hash, again));
        assert_memory_not_equal(once, again, do_hash_size((enum do_hash_algorithm)i));
        assert_ok(do_hash_update(hash, "abc", 3));
        assert_ok(do_hash_final(hash, again));
        assert_memory_equal(once, again, do_hash_size((enum do_hash_algorithm)i));
        do_hash_destroy(hash);
    }
}

static struct do_aes *aes_of(enum do_aes_mode mode, const char *key_hex)
{
    uint8_t key[DO_AES_KEY_LIMIT];
    const size_t length = test_from_hex(key_hex, key, sizeof(key));
    struct do_aes *aes;

    assert_ok(do_aes_create(mode, key, length, &aes));
    return aes;
}

static void assert_ecb(const char *key, const char *expected)
{
    uint8_t wanted[LONGEST];
    uint8_t block[LONGEST];
    struct do_aes *aes = aes_of(DO_AES_ECB_ENCRYPT, key);

    test_from_hex(expected, wanted, sizeof(wanted));
    for (int i = 0; i < 2; i++)
    {
        test_from_hex(PLAIN, block, sizeof(block));
        assert_ok(do_aes_ecb_encrypt(aes, block, sizeof(block), block));
        assert_memory_equal(block, wanted, sizeof(wanted));
    }
    do_aes_destroy(aes);
}

/* Broken: AES is not AES (SP 800-38A, F.1). */
static void test_crypto_aes_ecb_matches(void **state)
{
    (void)state;
    assert_ecb(KEY_128, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
                        "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4");
    assert_ecb(KEY_192, "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
                        "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e");
    assert_ecb(KEY_256, "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
                        "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7");
}

static void assert_cbc(const char *key, const char *cipher)
{
    uint8_t wanted[LONGEST];
    uint8_t iv[DO_AES_BLOCK];
    uint8_t same_iv[DO_AES_BLOCK];
    uint8_t input[LONGEST];
    uint8_t output[LONGEST];
    struct do_aes *aes = aes_of(DO_AES_CBC_DECRYPT, key);

    test_from_hex(PLAIN, wanted, sizeof(wanted));
    test_from_hex(cipher, input, sizeof(input));
    test_from_hex("000102030405060708090a0b0c0d0e0f", iv, sizeof(iv));
    memcpy(same_iv, iv, sizeof(iv));
    /* Twice: a message does not chain into the next one. */
    for (int i = 0; i < 2; i++)
    {
        memset(output, 0xEE, sizeof(output));
        assert_ok(do_aes_cbc_decrypt(aes, iv, input, sizeof(input), output));
        assert_memory_equal(output, wanted, sizeof(wanted));
        assert_memory_equal(iv, same_iv, sizeof(iv));
    }
    assert_ok(do_aes_cbc_decrypt(aes, iv, input, sizeof(input), input));
    assert_memory_equal(input, wanted, sizeof(wanted));
    do_aes_destroy(aes);
}

/* Broken: chaining is wrong, goes on between messages, or spoils its arguments (F.2). */
static void test_crypto_aes_cbc_matches(void **state)
{
    (void)state;
    assert_cbc(KEY_128, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
                        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7");
    assert_cbc(KEY_192, "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
                        "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd");
    assert_cbc(KEY_256, "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
}

static void assert_gcm(const char *key, const char *nonce_hex, const char *plain,
    const char *cipher, const char *tag_hex)
{
    uint8_t wanted[LONGEST];
    uint8_t nonce[DO_AES_GCM_NONCE];
    uint8_t tag[DO_AES_GCM_TAG];
    uint8_t input[LONGEST];
    uint8_t output[LONGEST];
    uint8_t key_bytes[DO_AES_KEY_LIMIT];
    const size_t key_length = test_from_hex(key, key_bytes, sizeof(key_bytes));
    const size_t length = test_from_hex(plain, wanted, sizeof(wanted));
    struct do_aes *aes;
    HRESULT hr;

    hr = do_aes_create(DO_AES_GCM_DECRYPT, key_bytes, key_length, &aes);
    if (hr == E_NOTIMPL && key_length == 24)
    {
        print_message("this system has no AES-192 in GCM\n");
        return;
    }
    assert_ok(hr);

    assert_int_equal(test_from_hex(cipher, input, sizeof(input)), length);
    test_from_hex(nonce_hex, nonce, sizeof(nonce));
    test_from_hex(tag_hex, tag, sizeof(tag));
    for (int i = 0; i < 2; i++)
    {
        memset(output, 0xEE, sizeof(output));
        assert_ok(do_aes_gcm_decrypt(aes, nonce, tag, input, length, output));
        assert_memory_equal(output, wanted, length);
    }
    /* Each bit of the tag counts, and nothing that is not authentic comes out. */
    for (size_t bit = 0; bit < 8 * sizeof(tag); bit++)
    {
        tag[bit / 8] ^= (uint8_t)(1U << bit % 8);
        memset(output, 0xEE, sizeof(output));
        assert_hr(DO_HR_BAD_DATA, do_aes_gcm_decrypt(aes, nonce, tag, input, length, output));
        for (size_t i = 0; i < length; i++)
            assert_int_equal(output[i], 0);
        tag[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    if (length)
    {
        input[length - 1] ^= 1;
        assert_hr(DO_HR_BAD_DATA, do_aes_gcm_decrypt(aes, nonce, tag, input, length, output));
        input[length - 1] ^= 1;
    }
    nonce[0] ^= 1;
    assert_hr(DO_HR_BAD_DATA, do_aes_gcm_decrypt(aes, nonce, tag, input, length, output));
    nonce[0] ^= 1;
    /* A failure leaves nothing behind. */
    assert_ok(do_aes_gcm_decrypt(aes, nonce, tag, input, length, input));
    assert_memory_equal(input, wanted, length);
    do_aes_destroy(aes);
}

/* Broken: authentic data is refused, or forged data passes. */
static void test_crypto_aes_gcm_matches(void **state)
{
    static const char nonce[] = "cafebabefacedbaddecaf888";
    static const char none[] = "000000000000000000000000";

    (void)state;
    assert_gcm(ZEROS, none, "", "", "58e2fccefa7e3061367f1d57a4e7455a");
    assert_gcm(
        ZEROS, none, ZEROS, "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf");
    assert_gcm(GCM_KEY, nonce, GCM_PLAIN,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
        "4d5c2af327cd64a62cf35abd2ba6fab4");
    assert_gcm(GCM_KEY "feffe9928665731c", nonce, GCM_PLAIN,
        "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
        "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256",
        "9924a7c8587336bfb118024db8674a14");
    assert_gcm(GCM_KEY GCM_KEY, nonce, GCM_PLAIN,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c");
    assert_gcm(ZEROS ZEROS, none, ZEROS, "cea7403d4d606b6e074ec5d3baf39d18",
        "d0d1c8a799996bf0265b98b5d48ab919");
}

/* Broken: a key of a length that AES does not have makes some cipher all the same. */
static void test_crypto_aes_odd_lengths_are_refused(void **state)
{
    static const uint8_t key[64] = {1};
    uint8_t blocks[2 * DO_AES_BLOCK] = {0};
    uint8_t iv[DO_AES_BLOCK] = {0};
    struct do_aes *aes;

    (void)state;
    for (size_t length = 0; length <= sizeof(key); length++)
    {
        if (length == 16 || length == 24 || length == 32)
            continue;
        for (int mode = DO_AES_ECB_ENCRYPT; mode <= DO_AES_GCM_DECRYPT; mode++)
        {
            aes = (struct do_aes *)(void *)blocks;
            assert_hr(E_INVALIDARG, do_aes_create((enum do_aes_mode)mode, key, length, &aes));
            assert_null(aes);
        }
    }
    assert_ok(do_aes_create(DO_AES_ECB_ENCRYPT, key, 16, &aes));
    assert_hr(E_INVALIDARG, do_aes_ecb_encrypt(aes, blocks, 17, blocks));
    assert_ok(do_aes_ecb_encrypt(aes, blocks, 0, blocks));
    do_aes_destroy(aes);
    assert_ok(do_aes_create(DO_AES_CBC_DECRYPT, key, 16, &aes));
    assert_hr(E_INVALIDARG, do_aes_cbc_decrypt(aes, iv, blocks, 15, blocks));
    assert_ok(do_aes_cbc_decrypt(aes, iv, blocks, 0, blocks));
    do_aes_destroy(aes);
}

/* Broken: a failed allocation crashes, leaks, or is taken for success. */
static void test_crypto_out_of_memory_is_reported(void **state)
{
    static const uint8_t key[16] = {1};
    const int64_t before = do_alloc_outstanding();
    struct do_hash *hash;
    struct do_aes *aes;
    uint8_t digest[DO_SHA256_SIZE];

    (void)state;
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_hash_create(DO_HASH_SHA256, &hash));
    assert_null(hash);
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_hash_of(DO_HASH_SHA256, "", 0, digest));
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_aes_create(DO_AES_CBC_DECRYPT, key, sizeof(key), &aes));
    assert_null(aes);
    do_alloc_fail_nth(0);
    do_hash_destroy(NULL);
    do_aes_destroy(NULL);
    assert_int_equal(do_alloc_outstanding(), before);
}

/* Broken: a secret stays in memory. */
static void test_crypto_wipe_zeroes(void **state)
{
    uint8_t secret[33];

    (void)state;
    memset(secret, 0xAB, sizeof(secret));
    do_wipe(secret, sizeof(secret) - 1);
    for (size_t i = 0; i < sizeof(secret) - 1; i++)
        assert_int_equal(secret[i], 0);
    assert_int_equal(secret[sizeof(secret) - 1], 0xAB);
}

/* Broken: what is sealed can be read, comes back changed, or a system that cannot says it can. */
static void test_crypto_sealed_data_comes_back(void **state)
{
    static const char secret[] = "a secret of some length";
    void *sealed = (void *)(uintptr_t)1;
    void *opened = (void *)(uintptr_t)1;
    size_t length;
    size_t opened_length;
    HRESULT hr = do_protect(secret, sizeof(secret), &sealed, &length);

    (void)state;
#ifdef _WIN32
    assert_int_equal(hr, S_OK);
    assert_true(length > sizeof(secret));
    for (size_t i = 0; i + 8 <= length; i++)
        assert_memory_not_equal((char *)sealed + i, secret, 8);
    assert_int_equal(do_unprotect(sealed, length, &opened, &opened_length), S_OK);
    assert_int_equal(opened_length, sizeof(secret));
    assert_memory_equal(opened, secret, sizeof(secret));
    do_free(opened);
    do_free(sealed);
    assert_true(FAILED(do_unprotect(secret, sizeof(secret), &opened, &opened_length)));
    assert_null(opened);
#else
    assert_int_equal(hr, E_NOTIMPL);
    assert_null(sealed);
    assert_int_equal(do_unprotect(secret, 1, &opened, &opened_length), E_NOTIMPL);
    assert_null(opened);
    assert_int_equal(length + opened_length, 0);
#endif
}

int main(void)
{
    static const struct CMUnitTest crypto[] = {
        cmocka_unit_test(test_crypto_hash_example_messages_match),
        cmocka_unit_test(test_crypto_hash_million_in_parts_matches),
        cmocka_unit_test(test_crypto_hash_final_begins_anew),
        cmocka_unit_test(test_crypto_aes_ecb_matches),
        cmocka_unit_test(test_crypto_aes_cbc_matches),
        cmocka_unit_test(test_crypto_aes_gcm_matches),
        cmocka_unit_test(test_crypto_aes_odd_lengths_are_refused),
        cmocka_unit_test(test_crypto_out_of_memory_is_reported),
        cmocka_unit_test(test_crypto_wipe_zeroes),
        cmocka_unit_test(test_crypto_sealed_data_comes_back),
    };

    return TEST_RUN(crypto);
}
