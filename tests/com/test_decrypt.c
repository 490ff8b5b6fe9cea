/* SPDX-License-Identifier: MIT */
/*
 * DecryptionInfo through COM, alone and with piece hashes: whole files, as downloads and as files
 * of jobs, to a path and into a stream (checked.h), against ciphertexts of the tests' own
 * (encrypted.h). Callbacks and streams record on the product's threads; the test's thread asserts,
 * and owns everything.
 *
 *     test_com_decrypt --leave URL PATH INTEGRITY DECRYPTION BYTES
 *
 * is a client that is gone in the middle of its download.
 */
#include "checked.h"

#include <stdlib.h>
#include <string.h>

/* More than half of an object: a server that stalls after so many gives the rest. */
#define HALF 160000U
#define HALF_QUERY "stall=160000&corrupt=1000&corrupt_until=1"

/* Decryption */

static BYTE object[2 * CHECKED_SIZE + 4096];

/* The first bytes of the plain file, encrypted, in object; returns how many those are. */
static size_t encrypt(const struct cipher *cipher, size_t length)
{
    const size_t made = encrypted_length(cipher, length);

    assert_true(made <= sizeof(object));
    make_encrypted(cipher, checked_plain(), length, object);
    return made;
}

/* Broken: the tests' own encryption is not what others call so. (NIST: The Galois/Counter Mode of
   Operation, test cases 2, 8 and 14.) */
static void test_decrypt_encryption_is_right(void **state)
{
    static const struct
    {
        size_t key_length;
        BYTE expected[32];
    } rows[] = {
        {16, {0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2,
                 0xfe, 0x78, 0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec, 0x13, 0xbd, 0xf5, 0x3a, 0x67, 0xb2,
                 0x12, 0x57, 0xbd, 0xdf}},
        {24, {0x98, 0xe7, 0x24, 0x7c, 0x07, 0xf0, 0xfe, 0x41, 0x1c, 0x26, 0x7e, 0x43, 0x84, 0xb0,
                 0xf6, 0x00, 0x2f, 0xf5, 0x8d, 0x80, 0x03, 0x39, 0x27, 0xab, 0x8e, 0xf4, 0xd4, 0x58,
                 0x75, 0x14, 0xf0, 0xfb}},
        {32, {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3,
                 0x9d, 0x18, 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5,
                 0xd4, 0x8a, 0xb9, 0x19}},
    };
    static const BYTE zeros[32];
    BYTE out[32];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        make_gcm(zeros, rows[i].key_length, zeros, zeros, 16, out);
        assert_memory_equal(rows[i].expected, out, sizeof(out));
    }
}

static void decrypt_one(
    struct com_test *test, enum checked_way way, const struct cipher *cipher, size_t length)
{
    const size_t made = encrypt(cipher, length);
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    checked_decryption(cipher, true, info);
    checked_open(&subject, test, way, "", object, made);
    assert_ok(checked_set_text(&subject, DECRYPTION, info));
    assert_ok(checked_start(&subject));
    assert_int_equal(made, checked_wait_transferred(&subject));
    checked_expect_saved(&subject, checked_plain(), length);
}

/* Whether this system has it: Wine 8 has no GCM for keys of 24 bytes. */
static bool may_be_missing(const struct cipher *cipher)
{
    return cipher->mode == MODE_GCM && cipher->key_length == 24;
}

/* Broken: an encrypted file is saved as it came, cut, padded or shuffled. */
static void test_decrypt_saved_file_is_the_plain_one(void **state)
{
    static const struct
    {
        size_t length;
        size_t buffer_size;
    } sizes[] = {{0, 48}, {1, 48}, {47, 48}, {48, 48}, {49, 48}, {96, 48}, {5000, 16},
        {131072, 65536}, {CHECKED_SIZE, 65536}, {CHECKED_SIZE, 1U << 20}};
    struct com_test *test = *state;
    unsigned int turn = 0;

    for (enum mode mode = 0; mode < MODES; mode++)
    {
        for (size_t key_length = 16; key_length <= 32; key_length += 8)
        {
            print_message("  AES-%u, %s\n", (unsigned int)key_length * 8, mode_name(mode));
            for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++)
            {
                const struct cipher cipher = {mode, key_length, sizes[i].buffer_size};
                const bool all = sizes[i].length == CHECKED_SIZE && sizes[i].buffer_size == 65536;

                if (may_be_missing(&cipher))
                    continue;
                for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
                {
                    if (all || way == turn % CHECKED_WAYS)
                        decrypt_one(test, way, &cipher, sizes[i].length);
                }
                turn++;
            }
        }
    }
}

/* Broken: what the system cannot do is not told when it is asked for, or is done wrong. */
static void test_decrypt_gcm_with_keys_of_24_bytes(void **state)
{
    static const struct cipher cipher = {MODE_GCM, 24, 4096};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    bool has = true;

    checked_decryption(&cipher, true, info);
    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        HRESULT hr;

        checked_open(&subject, test, way, "", NULL, 0);
        if ((hr = checked_set_text(&subject, DECRYPTION, info)) != S_OK)
        {
            assert_hr(E_NOTIMPL, hr);
            has = false;
        }
        checked_close(&subject);
    }
    if (!has)
    {
        print_message("  skipped: the system has no GCM for keys of 24 bytes\n");
        skip();
    }
    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
        decrypt_one(test, way, &cipher, CHECKED_SIZE);
}

/* Broken: a text that Windows' update servers give, or that leaves out what may be, is refused. */
static void test_decrypt_other_forms_of_the_text(void **state)
{
    static const WCHAR *const forms[] = {
        L"{\"KEYDATA\":\"%hs\",\"algorithmname\":\"aes\",\"chainingmode\":\"cbc\"}",
        L" {\"KeyData\":\"%hs\",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"chainingmodeCBC\","
        L"\"EncryptionBufferSize\":\"65536\",\"Other\":[1]} ",
        L"{\"KeyData\":\"%hs\",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\","
        L"\"EncryptionBufferSize\":null}"};
    static const struct cipher cipher = {MODE_CBC, 32, 65536};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    BYTE key[48];
    char text[DIGEST_TEXT];
    size_t made;

    memset(key, 0x77, sizeof(key));
    memcpy(key, test_key, sizeof(test_key));
    for (unsigned int i = 0; i < 2 * TEST_COUNT_OF(forms); i++)
    {
        /* 48 bytes, of which 32 are the key, or those alone. */
        make_base64(key, i % 2 ? 48 : 32, text);
        (void)_snwprintf(info, CHECKED_TEXT, forms[i / 2], text);
        made = encrypt(&cipher, 70000);
        checked_open(&subject, test, i % CHECKED_WAYS, "", object, made);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), 70000);
    }
}

/* Broken: a key of no size, or a mode that nobody knows, is found out when all has been fetched. */
static void test_decrypt_texts_are_looked_at_when_set(void **state)
{
#define KEY16 L"\"KeyData\":\"AAECAwQFBgcICQoLDA0ODw==\""
#define REST L",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}"
    static const WCHAR *const bad[] = {L"blah", L"[]", L"{}",
        L"{\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}",
        L"{" KEY16 L",\"ChainingMode\":\"CBC\"}", L"{" KEY16 L",\"AlgorithmName\":\"AES\"}",
        L"{" KEY16 L",\"AlgorithmName\":\"DES\",\"ChainingMode\":\"CBC\"}",
        L"{" KEY16 L",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CFB\"}",
        L"{" KEY16 L",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"ChainingModeECB\"}",
        L"{" KEY16 L",\"AlgorithmName\":\"AES\",\"ChainingMode\":1}", L"{\"KeyData\":\"\"" REST,
        L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0O\"" REST,                         /* 15 bytes */
        L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0ODxA=\"" REST,                     /* 17 */
        L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\"" REST, /* 33 */
        L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0ODw\"" REST,                       /* not padded */
        L"{\"KeyData\":[1]" REST, L"{" KEY16 L",\"EncryptionBufferSize\":0" REST,
        L"{" KEY16 L",\"EncryptionBufferSize\":100" REST,
        L"{" KEY16 L",\"EncryptionBufferSize\":33554432" REST,
        L"{" KEY16 L",\"EncryptionBufferSize\":-16" REST, L"{" KEY16 L"," KEY16 REST};
    static const struct cipher cipher = {MODE_CBC, 16, 4096};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    VARIANT value;

    checked_decryption(&cipher, true, info);
    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        const size_t made = encrypt(&cipher, 10000);

        checked_open(&subject, test, way, "", object, made);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
        {
            if (checked_set_text(&subject, DECRYPTION, bad[i]) != E_INVALIDARG)
                fail_msg("%ls is taken", bad[i]);
        }
        assert_hr(DO_E_WRITE_ONLY_PROPERTY, checked_get(&subject, DECRYPTION, &value));
        assert_int_equal(VT_EMPTY, value.vt);
        assert_ok(checked_start(&subject));
        assert_hr(DO_E_INVALID_STATE, checked_set_text(&subject, DECRYPTION, info));
        checked_expect_saved(&subject, checked_plain(), 10000);
    }
}

/* What somebody on the way does to an encrypted object. */
enum tampering
{
    FLIP_FIRST,
    FLIP_TAG,
    FLIP_LAST,
    EXCHANGE_BUFFERS,
    DROP_LAST_BUFFER,
    DROP_A_BYTE,
    OTHER_KEY,
    NOT_ENCRYPTED,
    TAMPERINGS
};

static size_t tamper(enum tampering tampering, const struct cipher *cipher, size_t made)
{
    static BYTE buffer[8192];
    const size_t step = cipher->buffer_size + 16;

    switch (tampering)
    {
    case FLIP_FIRST:
        object[0] ^= 1;
        break;
    case FLIP_TAG:
        object[step - 1] ^= 0x80;
        break;
    case FLIP_LAST:
        object[made - 17] ^= 4;
        break;
    case EXCHANGE_BUFFERS:
        memcpy(buffer, object, step);
        memmove(object, object + step, step);
        memcpy(object + step, buffer, step);
        break;
    case DROP_LAST_BUFFER:
        return (made - 1) / step * step;
    case DROP_A_BYTE:
        return made - 1;
    case NOT_ENCRYPTED:
        memcpy(object, checked_plain(), made);
        break;
    case OTHER_KEY:
    case TAMPERINGS:
        break;
    }
    return made;
}

/* Broken: what was changed on its way is given to the client, or the client is not told. */
static void test_decrypt_tampered_file_is_not_let_out(void **state)
{
    static const struct cipher cipher = {MODE_GCM, 32, 4096};
    struct com_test *test = *state;

    for (unsigned int i = 0; i < TAMPERINGS * CHECKED_WAYS; i++)
    {
        const enum tampering tampering = i / CHECKED_WAYS;
        size_t made = encrypt(&cipher, CHECKED_SIZE);
        struct modern_callback callback;
        struct checked subject;
        WCHAR info[CHECKED_TEXT];
        unsigned int last;

        made = tamper(tampering, &cipher, made);
        checked_decryption(&cipher, tampering != OTHER_KEY, info);
        checked_open(&subject, test, i % CHECKED_WAYS, "", object, made);
        modern_callback_init(&callback);
        if (checked_is_download(&subject))
            assert_ok(modern_set_object(subject.download, DODownloadProperty_CallbackInterface,
                &callback.IDODownloadStatusCallback_iface));
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_FILE_ENCRYPTION_EXPECTED);
        if (checked_is_download(&subject))
        {
            last = modern_callback_wait(&callback, 0, DODownloadState_Paused);
            assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, callback.calls[last].status.Error);
        }
        else
            assert_hr(TEST_S_PARTIAL_COMPLETE, checked_save(&subject));
        assert_int_equal(TEST_SIZE_MISSING, test_file_size(subject.path));
        assert_int_equal(0, subject.stream.writes);
        checked_close(&subject);
        modern_callback_finish(&callback);
    }
}

/* Broken: who starts again after such an error gets it at once, whatever the server has by then. */
static void test_decrypt_start_after_the_error_fetches_again(void **state)
{
    static const struct cipher ciphers[] = {{MODE_GCM, 16, 4096}, {MODE_CBC, 32, 65536}};
    struct com_test *test = *state;

    for (unsigned int i = 0; i < CHECKED_WAYS * TEST_COUNT_OF(ciphers); i++)
    {
        const struct cipher *cipher = &ciphers[i / CHECKED_WAYS];
        size_t made = encrypt(cipher, CHECKED_SIZE);
        struct checked subject;
        WCHAR info[CHECKED_TEXT];
        char range[64];

        /* In CBC, a changed byte of the last block but one changes the padding. */
        object[made - 17] ^= 0x40;
        checked_decryption(cipher, true, info);
        checked_open(&subject, test, i % CHECKED_WAYS, "", object, made);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_FILE_ENCRYPTION_EXPECTED);
        assert_int_equal(1, checked_requests(test, subject.server_path, NULL, 0));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_FILE_ENCRYPTION_EXPECTED);
        assert_int_equal(2, checked_requests(test, subject.server_path, range, sizeof(range)));
        assert_string_equal("", range);
        object[made - 17] ^= 0x40;
        checked_put(subject.server_path, object, made);
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
    }
}

/* Broken: bytes that are as they were published come again because they cannot be decrypted. */
static void test_decrypt_good_bytes_are_not_fetched_again(void **state)
{
    static const struct cipher cipher = {MODE_GCM, 16, 4096};
    static struct hash_file hashes;
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        const size_t made = encrypt(&cipher, CHECKED_SIZE);

        checked_make_hashes(&hashes, object, made, CHECKED_PIECE);
        checked_put_hashes(test, &hashes, "", info);
        checked_open(&subject, test, way, "", object, made);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        checked_decryption(&cipher, false, info);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        for (unsigned int i = 0; i < 2; i++)
        {
            assert_ok(checked_start(&subject));
            checked_wait_error(&subject, DO_E_FILE_ENCRYPTION_EXPECTED);
        }
        assert_int_equal(1, checked_requests(test, subject.server_path, NULL, 0));
        checked_close(&subject);
    }
}

/* Broken: a key that is set when a file has been decrypted already changes what is saved of it, or
   one file's key is another's. */
static void test_decrypt_text_set_after_the_file_was_decrypted(void **state)
{
    static const struct cipher cipher = {MODE_CBC, 32, 4096};
    static const struct cipher other_cipher = {MODE_GCM, 16, 65536};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    WCHAR path[1024];

    for (enum checked_way way = JOB_FILE; way <= JOB_STREAM; way++)
    {
        IDeliveryOptimizationFile2 *other;

        checked_open(&subject, test, way, "", object, encrypt(&cipher, 70000));
        checked_decryption(&cipher, true, info);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        (void)checked_wait_transferred(&subject);
        /* A new file suspends the job; this one is not encrypted. */
        other = checked_add_file(subject.job, test_url(test, ""));
        checked_put(test->server_path, checked_plain(), CHECKED_SIZE);
        (void)wcscpy(path, test_local(test, L"other"));
        assert_ok(checked_set_file_text(other, DOFilePropertyId_DownloadSinkFilePath, path));
        checked_decryption(&other_cipher, false, info);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), 70000);
        checked_expect_file(path, checked_plain(), CHECKED_SIZE);
        assert_true(DeleteFileW(path));
        IDeliveryOptimizationFile2_Release(other);
    }
}

/* Broken: a padding that is none is cut off, or left on. */
static void test_decrypt_wrong_key_of_cbc_is_told(void **state)
{
    static const struct cipher cipher = {MODE_CBC, 24, 4096};
    struct com_test *test = *state;

    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        const size_t made = encrypt(&cipher, CHECKED_SIZE);
        struct checked subject;
        WCHAR info[CHECKED_TEXT];

        checked_decryption(&cipher, way % 2, info);
        /* With the right key, of a size that nothing encrypted has. */
        checked_open(&subject, test, way, "", object, way % 2 ? made - 3 : made);
        assert_ok(checked_set_text(&subject, DECRYPTION, info));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_FILE_ENCRYPTION_EXPECTED);
        checked_close(&subject);
    }
}

/* An encrypted object with its hash file, on the server. */
static void open_both(struct checked *subject, struct com_test *test, enum checked_way way,
    enum mode mode, const char *query)
{
    static struct hash_file hashes;
    const struct cipher cipher = {mode, 32, 4096};
    const size_t made = encrypt(&cipher, CHECKED_SIZE);
    WCHAR info[CHECKED_TEXT];

    checked_make_hashes(&hashes, object, made, CHECKED_PIECE);
    checked_put_hashes(test, &hashes, "", info);
    checked_open(subject, test, way, query, object, made);
    assert_ok(checked_set_text(subject, INTEGRITY, info));
    assert_ok(checked_set_mandatory(subject, true));
    checked_decryption(&cipher, true, info);
    assert_ok(checked_set_text(subject, DECRYPTION, info));
}

/* Broken: hashes are compared with the plain bytes, or a bad piece is decrypted. */
static void test_decrypt_hashes_are_over_the_encrypted_bytes(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    char range[64];

    for (unsigned int i = 0; i < MODES * CHECKED_WAYS; i++)
    {
        open_both(
            &subject, test, i % CHECKED_WAYS, i / CHECKED_WAYS, "corrupt=200000&corrupt_until=1");
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_int_equal(2, checked_requests(test, subject.server_path, range, sizeof(range)));
        assert_string_equal("bytes=196608-262143", range);
        /* Bad for ever: that is what is told, not that it cannot be decrypted. */
        open_both(&subject, test, i % CHECKED_WAYS, i / CHECKED_WAYS, "corrupt=200000");
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_BAD_PIECE_HASH);
        checked_close(&subject);
    }
}

/* Broken: a stop in the middle costs the check, the decryption, or bytes. */
static void test_decrypt_stopped_in_the_middle(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    char range[64];

    for (unsigned int i = 0; i < MODES * CHECKED_WAYS; i++)
    {
        open_both(&subject, test, i % CHECKED_WAYS, i / CHECKED_WAYS, HALF_QUERY);
        assert_ok(checked_start(&subject));
        checked_wait_bytes(&subject, HALF);
        assert_ok(checked_stop(&subject));
        assert_int_equal(TEST_SIZE_MISSING, test_file_size(subject.path));
        assert_int_equal(0, subject.stream.length);
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        /* The rest, then the piece that was bad. */
        assert_int_equal(3, checked_requests(test, subject.server_path, range, sizeof(range)));
        assert_int_equal(HALF, strtoul(range + strlen("bytes="), NULL, 10));
    }
}

/* Broken: a stop while a stream takes its bytes costs some of them, or gives some twice. */
static void test_decrypt_stopped_while_the_stream_takes_its_bytes(void **state)
{
    struct com_test *test = *state;
    struct checked subject;

    for (unsigned int i = 0; i < 3; i++)
    {
        open_both(&subject, test, DOWNLOAD_STREAM, MODE_GCM, "");
        subject.stream.inside = CreateEventW(NULL, FALSE, FALSE, NULL);
        subject.stream.may_return = CreateEventW(NULL, TRUE, FALSE, NULL);
        assert_ok(checked_start(&subject));
        assert_int_equal(
            WAIT_OBJECT_0, WaitForSingleObject(subject.stream.inside, TEST_PATIENCE_MS));
        assert_int_equal(DODownloadState_Transferring, modern_status(subject.download).State);
        assert_true(SetEvent(subject.stream.may_return));
        assert_ok(checked_stop(&subject));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_true(CloseHandle(subject.stream.inside));
        assert_true(CloseHandle(subject.stream.may_return));
    }
}

/* Broken: who asks for the whole as a range is refused, since what is decrypted has no ranges. */
static void test_decrypt_range_that_is_the_whole(void **state)
{
    static const struct modern_ranges whole = {1, 0, {{0, DO_LENGTH_TO_EOF}}};
    BG_FILE_RANGE job_whole = {0, BG_LENGTH_TO_EOF};
    struct com_test *test = *state;
    struct checked subject;
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;
    IBackgroundCopyJob *job;
    WCHAR info[CHECKED_TEXT];
    WCHAR path[1024];

    for (enum checked_way way = DOWNLOAD_FILE; way <= DOWNLOAD_STREAM; way++)
    {
        open_both(&subject, test, way, MODE_GCM, "corrupt=1000&corrupt_until=1");
        assert_ok(IDODownload_Start(subject.download, modern_info(&whole)));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
    }
    job = test_create_job(test);
    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(IDeliveryOptimizationJob2_AddFile(job2, L"content", test_url(test, ""), 1, &job_whole,
        &IID_IDeliveryOptimizationFile2, (void **)&file));
    checked_put(test->server_path, object, encrypt(&(struct cipher){MODE_CTR, 32, 4096}, 70001));
    (void)wcscpy(path, test_local(test, L"whole"));
    checked_decryption(&(struct cipher){MODE_CTR, 32, 4096}, true, info);
    assert_ok(checked_set_file_text(file, DOFilePropertyId_DownloadSinkFilePath, path));
    assert_ok(checked_set_file_text(file, DOFilePropertyId_DecryptionInfo, info));
    test_fetch(job);
    checked_expect_file(path, checked_plain(), 70001);
    IDeliveryOptimizationFile2_Release(file);
    IDeliveryOptimizationJob2_Release(job2);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a download that is fetched again keeps the size of the plain file before. */
static void test_decrypt_downloaded_again(void **state)
{
    static const struct modern_ranges whole = {0, 0, {{0, 0}}};
    static const struct cipher cipher = {MODE_CBC, 32, 65536};
    static const size_t lengths[] = {70000, 200001, 5};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    checked_decryption(&cipher, true, info);
    checked_open(&subject, test, DOWNLOAD_FILE, "", object, encrypt(&cipher, lengths[0]));
    assert_ok(checked_set_text(&subject, DECRYPTION, info));
    assert_ok(checked_start(&subject));
    for (size_t i = 1; i < TEST_COUNT_OF(lengths); i++)
    {
        (void)checked_wait_transferred(&subject);
        checked_put(subject.server_path, object, encrypt(&cipher, lengths[i]));
        assert_ok(IDODownload_Start(subject.download, modern_info(&whole)));
    }
    checked_expect_saved(&subject, checked_plain(), lengths[TEST_COUNT_OF(lengths) - 1]);
}

/* A process that ends */

static HRESULT set_left(IDODownload *download, DODownloadProperty id, const WCHAR *text)
{
    VARIANT value = {.vt = VT_BSTR};
    HRESULT hr;

    if (!(value.bstrVal = SysAllocString(text)))
        return E_OUTOFMEMORY;
    hr = IDODownload_SetProperty(download, id, &value);
    SysFreeString(value.bstrVal);
    return hr;
}

static HRESULT set_left_flag(IDODownload *download, DODownloadProperty id)
{
    VARIANT value = {.vt = VT_BOOL};

    value.boolVal = VARIANT_TRUE;
    return IDODownload_SetProperty(download, id, &value);
}

/* The client that is gone. 0 when it has left its download. */
static int leave_download(char **arguments)
{
    static const DODownloadProperty ids[] = {DODownloadProperty_Uri, DODownloadProperty_LocalPath,
        DODownloadProperty_IntegrityCheckInfo, DODownloadProperty_DecryptionInfo};
    const ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
    const UINT64 bytes = strtoul(arguments[TEST_COUNT_OF(ids)], NULL, 10);
    IDOManager *manager = NULL;
    IDODownload *download = NULL;
    DO_DOWNLOAD_STATUS status = {0};
    WCHAR text[4096];

    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)) ||
        FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER,
            &IID_IDOManager, (void **)&manager)) ||
        FAILED(IDOManager_CreateDownload(manager, &download)))
        return 1;
    for (size_t i = 0; i < TEST_COUNT_OF(ids); i++)
    {
        (void)_snwprintf(text, TEST_COUNT_OF(text), L"%hs", arguments[i]);
        if (FAILED(set_left(download, ids[i], text)))
            return 2;
    }
    if (FAILED(set_left_flag(download, DODownloadProperty_IntegrityCheckMandatory)) ||
        FAILED(set_left_flag(download, DODownloadProperty_NonVolatile)) ||
        FAILED(IDODownload_Start(download, NULL)))
        return 3;
    while (status.BytesTransferred < bytes && status.State != DODownloadState_Paused)
    {
        if (GetTickCount64() >= end || FAILED(IDODownload_GetStatus(download, &status)))
            return 4;
        Sleep(TEST_POLL_MS);
    }
    /* What is flushed is what the next process has; then it is gone without a word. */
    if (FAILED(status.Error) || FAILED(IDODownload_Pause(download)))
        return 5;
    (void)TerminateProcess(GetCurrentProcess(), 0);
    return 6;
}

/* One argument of a command line, after the rules of CommandLineToArgv. */
static WCHAR *append_argument(WCHAR *at, const WCHAR *argument)
{
    *at++ = L' ';
    *at++ = L'"';
    for (; *argument; argument++)
    {
        size_t count = 0;

        while (argument[count] == L'\\')
            count++;
        if (count && (argument[count] == L'"' || !argument[count]))
        {
            for (size_t i = 0; i < count; i++)
                *at++ = L'\\';
        }
        for (size_t i = 0; i < count; i++)
            *at++ = *argument++;
        if (!*argument)
            break;
        if (*argument == L'"')
            *at++ = L'\\';
        *at++ = *argument;
    }
    *at++ = L'"';
    *at = L'\0';
    return at;
}

static void run_leaver(const WCHAR *const *arguments, size_t count)
{
    static WCHAR line[16384];
    WCHAR self[1024];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD code = STILL_ACTIVE;
    WCHAR *at = line;

    assert_true(GetModuleFileNameW(NULL, self, (DWORD)TEST_COUNT_OF(self)));
    at = append_argument(at, self);
    at = append_argument(at, L"--leave");
    for (size_t i = 0; i < count; i++)
        at = append_argument(at, arguments[i]);
    assert_true(
        CreateProcessW(self, line + 1, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process));
    (void)WaitForSingleObject(process.hProcess, 2 * TEST_PATIENCE_MS);
    assert_true(GetExitCodeProcess(process.hProcess, &code));
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    assert_int_equal(0, code);
}

static IDODownload *only_download(void)
{
    IDOManager *manager = modern_manager();
    IEnumUnknown *downloads = NULL;
    IUnknown *item = NULL;
    IDODownload *download = NULL;

    assert_ok(IDOManager_EnumDownloads(manager, NULL, &downloads));
    assert_ok(IEnumUnknown_Next(downloads, 1, &item, NULL));
    assert_ok(IUnknown_QueryInterface(item, &IID_IDODownload, (void **)&download));
    IUnknown_Release(item);
    assert_hr(S_FALSE, IEnumUnknown_Next(downloads, 1, &item, NULL));
    IEnumUnknown_Release(downloads);
    IDOManager_Release(manager);
    return download;
}

/* Broken: the next process goes on without the check or the key, or from nothing. */
static void test_decrypt_next_process_goes_on(void **state)
{
    static struct hash_file hashes;
    struct com_test *test = *state;
    WCHAR integrity[CHECKED_TEXT];
    WCHAR decryption[CHECKED_TEXT];
    WCHAR url[4096];
    WCHAR path[1024];
    WCHAR bytes[16];
    char server_path[64];
    char range[64];

    for (enum mode mode = 0; mode < MODES; mode++)
    {
        const struct cipher cipher = {mode, 16, 4096};
        const WCHAR *const arguments[] = {url, path, integrity, decryption, bytes};
        const size_t made = encrypt(&cipher, CHECKED_SIZE);
        IDODownload *download;
        VARIANT value;

        checked_make_hashes(&hashes, object, made, CHECKED_PIECE);
        checked_put_hashes(test, &hashes, "", integrity);
        checked_decryption(&cipher, true, decryption);
        (void)wcscpy(url, test_url(test, HALF_QUERY));
        (void)strcpy(server_path, test->server_path);
        checked_put(server_path, object, made);
        (void)wcscpy(path, test_local(test, L"left"));
        (void)_snwprintf(bytes, TEST_COUNT_OF(bytes), L"%u", HALF);
        /* The engine is one process's at a time. */
        IBackgroundCopyManager_Release(test->manager);
        test->manager = NULL;
        run_leaver(arguments, TEST_COUNT_OF(arguments));
        test->manager = test_create_manager();
        download = only_download();
        assert_int_equal(DODownloadState_Paused, modern_status(download).State);
        assert_int_equal(HALF, modern_status(download).BytesTransferred);
        assert_ok(
            IDODownload_GetProperty(download, DODownloadProperty_IntegrityCheckMandatory, &value));
        assert_int_equal(VARIANT_TRUE, value.boolVal);
        assert_ok(IDODownload_Start(download, NULL));
        modern_wait(download, DODownloadState_Transferred);
        assert_ok(IDODownload_Finalize(download));
        checked_expect_file(path, checked_plain(), CHECKED_SIZE);
        assert_true(DeleteFileW(path));
        assert_int_equal(3, checked_requests(test, server_path, range, sizeof(range)));
        assert_int_equal(HALF, strtoul(range + strlen("bytes="), NULL, 10));
        IDODownload_Release(download);
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_decrypt_encryption_is_right),
        MODERN_TEST(test_decrypt_saved_file_is_the_plain_one),
        MODERN_TEST(test_decrypt_gcm_with_keys_of_24_bytes),
        MODERN_TEST(test_decrypt_other_forms_of_the_text),
        MODERN_TEST(test_decrypt_texts_are_looked_at_when_set),
        MODERN_TEST(test_decrypt_tampered_file_is_not_let_out),
        MODERN_TEST(test_decrypt_start_after_the_error_fetches_again),
        MODERN_TEST(test_decrypt_good_bytes_are_not_fetched_again),
        MODERN_TEST(test_decrypt_text_set_after_the_file_was_decrypted),
        MODERN_TEST(test_decrypt_wrong_key_of_cbc_is_told),
        MODERN_TEST(test_decrypt_hashes_are_over_the_encrypted_bytes),
        MODERN_TEST(test_decrypt_stopped_in_the_middle),
        MODERN_TEST(test_decrypt_stopped_while_the_stream_takes_its_bytes),
        MODERN_TEST(test_decrypt_range_that_is_the_whole),
        MODERN_TEST(test_decrypt_downloaded_again),
        MODERN_TEST(test_decrypt_next_process_goes_on),
    };

    if (count == 7 && !strcmp(arguments[1], "--leave"))
        return leave_download(arguments + 2);
    return COM_TEST_RUN(tests);
}
