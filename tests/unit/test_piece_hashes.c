/* SPDX-License-Identifier: MIT */
/*
 * IntegrityCheckInfo, piece hash files and pieces. The hash file below was made by another program,
 * from 10000 bytes of which byte i is 7 i mod 251.
 */
#include "transfer/piece_hashes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "support/random.h"
#include "support/test.h"
#include "transfer/url.h"

#define CONTENT_LENGTH 10000U
#define PIECE_SIZE 4096U
#define PIECES 3U

#define URL "http://h/file.phf"
#define HOH "oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ="
#define OTHER_HOH "AxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ="
#define PIECE_0 "kUEQe27RQig57Zf0Z03oKudC7C+FVsPflI2gaTD5Q5M="
#define PIECE_1 "T96TN9jZtt+XodSI9pjHgJecNVRGo36FC7w9/h73KuY="
#define PIECE_2 "mpqrWwWYY82jut2lnxQzsXs3u6JT2sUqc54JWRsVlDA="
#define LIST "[\"" PIECE_0 "\",\"" PIECE_1 "\",\"" PIECE_2 "\"]"

static const char hash_file[] =
    "{\"MajorVersion\":1,\"MinorVersion\":0,\"HashOfHashes\":\"" HOH
    "\",\"ContentLength\":10000,\"PieceSize\":4096,\"Pieces\":" LIST "}";

static const char info_json[] = "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH "\"}";

#define DIGEST_INFO(algorithm, digest)                                                             \
    "{\"PiecesHashFileUrl\":\"" URL "\",\"PiecesHashFileDigestAlgorithm\":\"" algorithm            \
    "\",\"PiecesHashFileDigest\":\"" digest "\"}"
#define SHA1 "vdtbSv3C4gcw3AjgMEdXif/EUfU="
#define SHA256 "RmN+Yyn2na92T3Nt5rbjDFCAeJZnQUMqweeSywCp3LE="
#define SHA384 "OF7OPkhLSZseCatj7X4ld38Kc57ywigHPh9D+ZkfX+JN8RGwO3FZZQQkld4+SX9W"
#define SHA512                                                                                     \
    "gPlms+PHdmHhAwCDsYAiSgmbeqn/JIgopGitW2vnX66zW+77D99YqAvZVKPT/lWkYUMXvkgDhZ4gJC47n3mfiA=="

static void make_info(const char *json, struct do_integrity_info *info)
{
    assert_ok(do_integrity_info_parse(json, info));
}

/* Parses a copy that ends where the file ends, so that reading on is seen. */
static HRESULT parse(const char *file, size_t length, const struct do_integrity_info *info,
    struct do_piece_hashes **hashes)
{
    void *copy = do_memdup(file, length ? length : 1);
    HRESULT hr;

    assert_non_null(copy);
    *hashes = (struct do_piece_hashes *)(uintptr_t)16;
    hr = do_piece_hashes_parse(copy, length, info, hashes);
    do_free(copy);
    assert_true(SUCCEEDED(hr) == !!*hashes);
    return hr;
}

static void assert_fault(HRESULT expected, const char *file, const char *info_text)
{
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;

    make_info(info_text, &info);
    assert_hr(expected, parse(file, strlen(file), &info, &hashes));
    do_piece_hashes_destroy(hashes);
    do_integrity_info_finish(&info);
}

static void assert_is_sample(const struct do_piece_hashes *hashes)
{
    static const uint8_t first[] = {0x91, 0x41, 0x10, 0x7B};
    static const uint8_t last[] = {0x1B, 0x15, 0x94, 0x30};

    assert_int_equal(hashes->content_length, CONTENT_LENGTH);
    assert_int_equal(hashes->piece_size, PIECE_SIZE);
    assert_int_equal(hashes->count, PIECES);
    assert_memory_equal(hashes->hashes[0], first, sizeof(first));
    assert_memory_equal(hashes->hashes[2] + 28, last, sizeof(last));
}

/* Broken: what clients give is not understood. */
static void test_piece_hashes_info_is_read(void **state)
{
    static const uint8_t hoh[] = {0xA3, 0x13, 0x7C, 0xCF};
    struct do_integrity_info info;

    (void)state;
    make_info(info_json, &info);
    assert_string_equal(info.url, URL);
    assert_true(info.has_hash_of_hashes);
    assert_memory_equal(info.hash_of_hashes, hoh, sizeof(hoh));
    assert_false(info.has_digest);
    do_integrity_info_finish(&info);
    assert_null(info.url);

    make_info(DIGEST_INFO("SHA256", SHA256), &info);
    assert_false(info.has_hash_of_hashes);
    assert_true(info.has_digest);
    assert_int_equal(info.digest_algorithm, DO_HASH_SHA256);
    assert_int_equal(info.digest[0], 0x46);
    assert_int_equal(info.digest[31], 0xB1);
    do_integrity_info_finish(&info);

    /* Both, any case, members of no concern, and null for what is not there. */
    make_info("{\"pieceshashfileurl\":\"https://h/x?y\",\"HASHOFHASHES\":\"" HOH
              "\",\"PiecesHashFileDigest\":\"" SHA1
              "\",\"PiecesHashFileDigestAlgorithm\":\"sha-1\","
              "\"More\":{\"HashOfHashes\":1}}",
        &info);
    assert_true(info.has_hash_of_hashes && info.has_digest);
    assert_int_equal(info.digest_algorithm, DO_HASH_SHA1);
    do_integrity_info_finish(&info);
    make_info("{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH
              "\",\"PiecesHashFileDigest\":null,\"PiecesHashFileDigestAlgorithm\":null}",
        &info);
    assert_false(info.has_digest);
    do_integrity_info_finish(&info);
}

/* Broken: a client that asks for a check gets none, since its text was read as something else. */
static void test_piece_hashes_bad_info_is_refused(void **state)
{
    static const char *const texts[] = {"", "blah", "{}", "[]", "null",
        "{\"PiecesHashFileUrl\":\"" URL "\"}", "{\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":1,\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"ftp://h/x\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"file:///c:/x\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"http:///x\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"http://h/\\n\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"PiecesHashFileUrl\":\"" URL
        "\",\"HashOfHashes\":\"" HOH "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH "\",\"hashofhashes\":\"" HOH
        "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"abc\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" SHA1 "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" SHA512 "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":5}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH
        "\",\"PiecesHashFileDigest\":\"" SHA256 "\"}",
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH
        "\",\"PiecesHashFileDigestAlgorithm\":\"SHA256\"}",
        DIGEST_INFO("MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), DIGEST_INFO("", SHA256),
        DIGEST_INFO("SHA256", ""), DIGEST_INFO("SHA256", SHA1), DIGEST_INFO("SHA1", SHA256),
        DIGEST_INFO("SHA384", SHA512), DIGEST_INFO("SHA512", SHA384)};
    struct do_integrity_info info;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        memset(&info, 0xEE, sizeof(info));
        print_message("%s\n", texts[i]);
        assert_hr(E_INVALIDARG, do_integrity_info_parse(texts[i], &info));
        do_integrity_info_finish(&info);
    }
}

/* Broken: a URL that no request would take, or a text without end, is kept. */
static void test_piece_hashes_info_has_limits(void **state)
{
    struct do_integrity_info info;
    struct do_buf text;

    (void)state;
    for (size_t length = DO_URL_LIMIT; length <= DO_URL_LIMIT + 1; length++)
    {
        do_buf_init(&text, 0);
        do_buf_append_str(&text, "{\"HashOfHashes\":\"" HOH "\",\"PiecesHashFileUrl\":\"http://h/");
        for (size_t i = strlen("http://h/"); i < length; i++)
            do_buf_append_str(&text, "a");
        do_buf_append_str(&text, "\"}");
        assert_hr(length <= DO_URL_LIMIT ? S_OK : E_INVALIDARG,
            do_integrity_info_parse(do_buf_str(&text), &info));
        do_integrity_info_finish(&info);
        do_buf_finish(&text);
    }
    do_buf_init(&text, 0);
    do_buf_append_str(&text, info_json);
    while (text.length < DO_INTEGRITY_INFO_LIMIT)
        do_buf_append_str(&text, " ");
    assert_ok(do_integrity_info_parse(do_buf_str(&text), &info));
    do_integrity_info_finish(&info);
    do_buf_append_str(&text, " ");
    assert_hr(E_INVALIDARG, do_integrity_info_parse(do_buf_str(&text), &info));
    do_integrity_info_finish(&info);
    do_buf_finish(&text);
}

/* Broken: a good file does not pass, in one of the ways to know it. */
static void test_piece_hashes_good_file_passes(void **state)
{
    static const char *const infos[] = {info_json, DIGEST_INFO("SHA1", SHA1),
        DIGEST_INFO("sha256", SHA256), DIGEST_INFO("SHA-384", SHA384),
        DIGEST_INFO("SHA512", SHA512),
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" HOH
        "\",\"PiecesHashFileDigest\":\"" SHA256 "\",\"PiecesHashFileDigestAlgorithm\":\"SHA256\"}"};
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(infos); i++)
    {
        make_info(infos[i], &info);
        assert_ok(parse(hash_file, strlen(hash_file), &info, &hashes));
        assert_is_sample(hashes);
        assert_ok(do_piece_hashes_check_size(hashes, CONTENT_LENGTH));
        assert_hr(
            DO_E_METAINFO_CONTENT_LENGTH, do_piece_hashes_check_size(hashes, CONTENT_LENGTH - 1));
        assert_hr(
            DO_E_METAINFO_CONTENT_LENGTH, do_piece_hashes_check_size(hashes, CONTENT_LENGTH + 1));
        do_piece_hashes_destroy(hashes);
        do_integrity_info_finish(&info);
    }
}

/* Broken: harmless differences in how a file is written make it useless. */
static void test_piece_hashes_file_may_be_written_otherwise(void **state)
{
    (void)state;
    assert_fault(S_OK,
        "{ \"pieces\" : " LIST " ,\r\n\t\"piecesize\":\"4096\",\"CONTENTLENGTH\":\"10000\","
        "\"more\":[1,2],\"hashOfHashes\":\"" HOH
        "\",\"minorVersion\":\"0\",\"majorVersion\":1.0}\n",
        info_json);
}

#define FILE_OF(major, minor, hoh, length, piece_size, pieces)                                     \
    "{" major minor hoh length piece_size "\"Pieces\":" pieces "}"
#define MAJOR "\"MajorVersion\":1,"
#define MINOR "\"MinorVersion\":0,"
#define HASH "\"HashOfHashes\":\"" HOH "\","
#define LENGTH "\"ContentLength\":10000,"
#define SIZE "\"PieceSize\":4096,"
#define WITH_VERSION(major, minor) FILE_OF(major, minor, HASH, LENGTH, SIZE, LIST)
#define WITH_HASH(hoh) FILE_OF(MAJOR, MINOR, hoh, LENGTH, SIZE, LIST)
#define WITH_LENGTH(length) FILE_OF(MAJOR, MINOR, HASH, length, SIZE, LIST)
#define WITH_SIZE(size) FILE_OF(MAJOR, MINOR, HASH, LENGTH, size, LIST)
#define WITH_PIECES(pieces) FILE_OF(MAJOR, MINOR, HASH, LENGTH, SIZE, pieces)

/* Broken: a bad file passes, or its fault goes by another name. */
static void test_piece_hashes_each_fault_has_its_code(void **state)
{
    static const struct
    {
        HRESULT code;
        const char *file;
    } rows[] = {
        {S_OK, FILE_OF(MAJOR, MINOR, HASH, LENGTH, SIZE, LIST)},

        {DO_E_METAINFO_CONTENT, "<html></html>"},
        {DO_E_METAINFO_CONTENT, "{\"MajorVersion\":1"},
        {DO_E_METAINFO_CONTENT, "[]"},
        {DO_E_METAINFO_CONTENT, FILE_OF(MAJOR, MINOR, HASH, LENGTH, SIZE, LIST) "x"},

        {DO_E_METAINFO_VERSION, "{}"},
        {DO_E_METAINFO_VERSION, WITH_VERSION("", MINOR)},
        {DO_E_METAINFO_VERSION, WITH_VERSION(MAJOR, "")},
        {DO_E_METAINFO_VERSION, WITH_VERSION(MAJOR, "\"MinorVersion\":1,")},
        {DO_E_METAINFO_VERSION, WITH_VERSION("\"MajorVersion\":2,", MINOR)},
        {DO_E_METAINFO_VERSION, WITH_VERSION("\"MajorVersion\":true,", MINOR)},
        {DO_E_METAINFO_VERSION, WITH_VERSION("\"MajorVersion\":4294967297,", MINOR)},
        {DO_E_METAINFO_VERSION, WITH_VERSION("\"MajorVersion\":1,\"majorVersion\":2,", MINOR)},

        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("\"HashOfHashes\":null,")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("\"HashOfHashes\":1,")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("\"HashOfHashes\":\"\",")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("\"HashOfHashes\":\"example\",")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH("\"HashOfHashes\":\"" SHA1 "\",")},
        {DO_E_METAINFO_PARSE_HOH, WITH_HASH(HASH HASH)},

        {DO_E_METAINFO_HOH_MATCH, WITH_HASH("\"HashOfHashes\":\"" OTHER_HOH "\",")},

        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("\"ContentLength\":-1,")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("\"ContentLength\":1.5,")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("\"ContentLength\":[],")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("\"ContentLength\":\"9223372036854775808\",")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH("\"ContentLength\":\"18446744073709551615\",")},
        {DO_E_METAINFO_CONTENT_LENGTH, WITH_LENGTH(LENGTH LENGTH)},

        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":0,")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":-4096,")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":4095,")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":67108865,")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":4294971392,")},
        {DO_E_METAINFO_PIECE_SIZE, WITH_SIZE("\"PieceSize\":\"4 KiB\",")},

        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES("null")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES("\"" PIECE_0 "\"")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES("{\"0\":\"" PIECE_0 "\"}")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES("[]")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_1 "\"]")},
        {DO_E_METAINFO_PARSE_PIECEHASHES,
            WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_1 "\",\"" PIECE_2 "\",\"" PIECE_2 "\"]")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_PIECES(LIST ",\"Pieces\":" LIST)},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_LENGTH("\"ContentLength\":8192,")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_LENGTH("\"ContentLength\":12289,")},
        {DO_E_METAINFO_PARSE_PIECEHASHES,
            WITH_LENGTH("\"ContentLength\":\"9223372036854775807\",")},
        {DO_E_METAINFO_PARSE_PIECEHASHES, WITH_LENGTH("\"ContentLength\":0,")},

        {DO_E_METAINFO_PARSE_ONE_PIECEHASH, WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_1 "\",null]")},
        {DO_E_METAINFO_PARSE_ONE_PIECEHASH, WITH_PIECES("[1,\"" PIECE_1 "\",\"" PIECE_2 "\"]")},
        {DO_E_METAINFO_PARSE_ONE_PIECEHASH,
            WITH_PIECES("[\"" PIECE_0 "\",\"" SHA1 "\",\"" PIECE_2 "\"]")},
        {DO_E_METAINFO_PARSE_ONE_PIECEHASH,
            WITH_PIECES("[\"" PIECE_0 "\",\"" SHA512 "\",\"" PIECE_2 "\"]")},
        {DO_E_METAINFO_PARSE_ONE_PIECEHASH, WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_1 "\",\"\"]")},

        /* Sizes and pieces that fit each other, but not the hash over all. */
        {DO_E_METAINFO_HOH_FINAL_MATCH, WITH_LENGTH("\"ContentLength\":10001,")},
        {DO_E_METAINFO_HOH_FINAL_MATCH, WITH_SIZE("\"PieceSize\":4097,")},
        {DO_E_METAINFO_HOH_FINAL_MATCH,
            WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_2 "\",\"" PIECE_1 "\"]")},
        {DO_E_METAINFO_HOH_FINAL_MATCH,
            WITH_PIECES("[\"" PIECE_0 "\",\"" PIECE_1 "\",\"" HOH "\"]")},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        print_message("%s\n", rows[i].file);
        assert_fault(rows[i].code, rows[i].file, info_json);
    }
}

/* Broken: another file than the one that was meant passes, when only its digest is known. */
static void test_piece_hashes_digest_covers_every_byte(void **state)
{
    static const char longer[] =
        " {\"MajorVersion\":1,\"MinorVersion\":0,\"HashOfHashes\":\"" HOH
        "\",\"ContentLength\":10000,\"PieceSize\":4096,\"Pieces\":" LIST "}";

    (void)state;
    assert_fault(S_OK, longer, info_json);
    assert_fault(DO_E_METAINFO_DIGEST_MATCH, longer, DIGEST_INFO("SHA1", SHA1));
    assert_fault(DO_E_METAINFO_DIGEST_MATCH, longer, DIGEST_INFO("SHA256", SHA256));
    assert_fault(DO_E_METAINFO_DIGEST_MATCH, longer, DIGEST_INFO("SHA384", SHA384));
    assert_fault(DO_E_METAINFO_DIGEST_MATCH, longer, DIGEST_INFO("SHA512", SHA512));
    /* The digest is looked at before the content is. */
    assert_fault(DO_E_METAINFO_DIGEST_MATCH, "<html>", DIGEST_INFO("SHA256", SHA256));
    /* A file that has the digest is still held to its own hash. */
    assert_fault(DO_E_METAINFO_HOH_MATCH, hash_file,
        "{\"PiecesHashFileUrl\":\"" URL "\",\"HashOfHashes\":\"" OTHER_HOH
        "\",\"PiecesHashFileDigest\":\"" SHA256 "\",\"PiecesHashFileDigestAlgorithm\":\"SHA256\"}");
}

/* Broken: an empty file, or one without end, is read. */
static void test_piece_hashes_file_size_has_limits(void **state)
{
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;
    char *blanks = do_alloc_raw(DO_PIECE_HASH_FILE_LIMIT);

    (void)state;
    assert_non_null(blanks);
    memset(blanks, ' ', DO_PIECE_HASH_FILE_LIMIT);
    make_info(info_json, &info);
    assert_hr(DO_E_METAINFO_FILE_SIZE, do_piece_hashes_parse(blanks, 0, &info, &hashes));
    assert_hr(DO_E_METAINFO_FILE_SIZE,
        do_piece_hashes_parse(blanks, DO_PIECE_HASH_FILE_LIMIT + 1U, &info, &hashes));
    assert_hr(DO_E_METAINFO_CONTENT,
        do_piece_hashes_parse(blanks, DO_PIECE_HASH_FILE_LIMIT, &info, &hashes));
    memcpy(blanks, hash_file, strlen(hash_file));
    assert_ok(do_piece_hashes_parse(blanks, DO_PIECE_HASH_FILE_LIMIT, &info, &hashes));
    assert_is_sample(hashes);
    do_piece_hashes_destroy(hashes);
    do_integrity_info_finish(&info);
    do_free(blanks);
}

/* Broken: an empty object, which has no piece, has no hash file. */
static void test_piece_hashes_empty_object_has_no_pieces(void **state)
{
    /* SHA-256 of 01000000 0000000000000000 00100000. */
    static const char hoh[] = "\"HashOfHashes\":\"Zc6ErNrUuVoEnMTy7e6Idqmgz/fSJQDs8WIdkm9w7hI=\"";
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;
    struct do_buf text;

    (void)state;
    do_buf_init(&text, 0);
    do_buf_append_format(&text, "{\"PiecesHashFileUrl\":\"" URL "\",%s}", hoh);
    make_info(do_buf_str(&text), &info);
    do_buf_clear(&text);
    do_buf_append_format(
        &text, "{" MAJOR MINOR "%s,\"ContentLength\":0,\"PieceSize\":4096,\"Pieces\":[]}", hoh);
    assert_ok(parse(do_buf_str(&text), text.length, &info, &hashes));
    assert_int_equal(hashes->count, 0);
    assert_int_equal(hashes->content_length, 0);
    do_piece_hashes_destroy(hashes);
    do_integrity_info_finish(&info);
    do_buf_finish(&text);
}

/* Broken: half a file is a file. */
static void test_piece_hashes_truncations_are_refused(void **state)
{
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;
    char text[sizeof(info_json)];

    (void)state;
    make_info(info_json, &info);
    assert_hr(DO_E_METAINFO_FILE_SIZE, parse(hash_file, 0, &info, &hashes));
    for (size_t length = 1; length < strlen(hash_file); length++)
        assert_hr(DO_E_METAINFO_CONTENT, parse(hash_file, length, &info, &hashes));
    do_integrity_info_finish(&info);
    for (size_t length = 0; length < strlen(info_json); length++)
    {
        memcpy(text, info_json, length);
        text[length] = 0;
        assert_hr(E_INVALIDARG, do_integrity_info_parse(text, &info));
        do_integrity_info_finish(&info);
    }
}

/* Changes, removes, doubles or moves a few bytes. Returns the new length, at most twice the old. */
static size_t mutate(struct test_random *random, char *text, size_t length)
{
    static const char likely[] = "{}[]\",:\\0123456789-+eE. \n\xFF"
                                 "AZaz/=u";
    const uint32_t changes = 1 + test_random_below(random, 3);

    for (uint32_t i = 0; i < changes; i++)
    {
        const size_t at = test_random_below(random, (uint32_t)length);
        size_t part = 1 + test_random_below(random, 8);

        if (part > length - at)
            part = length - at;
        switch (test_random_below(random, 4))
        {
        case 0:
            text[at] = (char)test_random_below(random, 256);
            break;
        case 1:
            text[at] = likely[test_random_below(random, sizeof(likely) - 1)];
            break;
        case 2:
            memmove(text + at + part, text + at, length - at);
            length += part;
            break;
        default:
            if (part == length)
                break;
            memmove(text + at, text + at + part, length - at - part);
            length -= part;
            break;
        }
    }
    return length;
}

static bool is_metainfo(HRESULT hr)
{
    static const HRESULT codes[] = {DO_E_METAINFO_CONTENT, DO_E_METAINFO_VERSION,
        DO_E_METAINFO_HOH_MATCH, DO_E_METAINFO_HOH_FINAL_MATCH, DO_E_METAINFO_CONTENT_LENGTH,
        DO_E_METAINFO_PIECE_SIZE, DO_E_METAINFO_PARSE_HOH, DO_E_METAINFO_PARSE_PIECEHASHES,
        DO_E_METAINFO_PARSE_ONE_PIECEHASH};

    for (size_t i = 0; i < DO_COUNT_OF(codes); i++)
    {
        if (hr == codes[i])
            return true;
    }
    return false;
}

/* Broken: a file that says something else passes, or garbage crashes. */
static void test_piece_hashes_mutations_say_the_same_or_are_refused(void **state)
{
    struct test_random random = {20240801};
    struct do_integrity_info info;
    struct do_piece_hashes *hashes;
    char text[2 * sizeof(hash_file) + 64];
    unsigned int passed = 0;

    (void)state;
    make_info(info_json, &info);
    for (int i = 0; i < 20000; i++)
    {
        size_t length;
        HRESULT hr;

        memcpy(text, hash_file, sizeof(hash_file));
        length = mutate(&random, text, strlen(hash_file));
        hr = parse(text, length, &info, &hashes);
        if (FAILED(hr))
        {
            assert_true(is_metainfo(hr));
            continue;
        }
        assert_is_sample(hashes);
        do_piece_hashes_destroy(hashes);
        passed++;
    }
    do_integrity_info_finish(&info);
    /* Blanks and cases: some do pass, or the mutations test nothing but the first check. */
    assert_true(passed > 10 && passed < 10000);
}

/* Broken: garbage in a property crashes, or is kept as something that cannot be used. */
static void test_piece_hashes_mutated_info_is_whole_or_refused(void **state)
{
    static const char source[] = DIGEST_INFO("SHA256", SHA256);
    struct test_random random = {20240802};
    struct do_integrity_info info;
    char text[2 * sizeof(source) + 64];

    (void)state;
    for (int i = 0; i < 20000; i++)
    {
        size_t length;
        HRESULT hr;

        memcpy(text, source, sizeof(source));
        length = mutate(&random, text, strlen(source));
        text[length] = 0;
        hr = do_integrity_info_parse(text, &info);
        if (SUCCEEDED(hr))
            assert_true(info.url && info.has_digest);
        else
            assert_hr(E_INVALIDARG, hr);
        do_integrity_info_finish(&info);
    }
}

/* Broken: an allocation that fails leaks, crashes or is taken for a fault of the file. */
static void test_piece_hashes_out_of_memory_is_clean(void **state)
{
    const int64_t before = do_alloc_outstanding();
    struct do_integrity_info info;
    struct do_piece_hashes *hashes = NULL;
    uint64_t n;
    HRESULT hr;

    (void)state;
    do_alloc_fail_nth(1);
    assert_hr(E_OUTOFMEMORY, do_integrity_info_parse(info_json, &info));
    do_integrity_info_finish(&info);
    do_alloc_fail_nth(0);
    make_info(info_json, &info);
    for (n = 1;; n++)
    {
        assert_true(n < 20);
        do_alloc_fail_nth(n);
        hr = do_piece_hashes_parse(hash_file, strlen(hash_file), &info, &hashes);
        do_alloc_fail_nth(0);
        if (SUCCEEDED(hr))
            break;
        assert_hr(E_OUTOFMEMORY, hr);
        assert_null(hashes);
    }
    assert_true(n > 2);
    do_piece_hashes_destroy(hashes);
    do_piece_hashes_destroy(NULL);
    do_integrity_info_finish(&info);
    assert_int_equal(do_alloc_outstanding(), before);
}

/* The object of the hash file, and the file read. */
struct object
{
    struct do_piece_hashes *hashes;
    uint8_t content[CONTENT_LENGTH];
};

static void make_object(struct object *object)
{
    struct do_integrity_info info;

    for (size_t i = 0; i < CONTENT_LENGTH; i++)
        object->content[i] = (uint8_t)(i * 7 % 251);
    make_info(info_json, &info);
    assert_ok(parse(hash_file, strlen(hash_file), &info, &object->hashes));
    do_integrity_info_finish(&info);
}

/* Broken: pieces are looked for in the wrong place. */
static void test_piece_hashes_pieces_cover_object(void **state)
{
    struct object object;

    (void)state;
    make_object(&object);
    assert_int_equal(do_piece_begin(object.hashes, 0), 0);
    assert_int_equal(do_piece_length(object.hashes, 0), 4096);
    assert_int_equal(do_piece_begin(object.hashes, 1), 4096);
    assert_int_equal(do_piece_length(object.hashes, 1), 4096);
    assert_int_equal(do_piece_begin(object.hashes, 2), 8192);
    assert_int_equal(do_piece_length(object.hashes, 2), 10000 - 8192);
    do_piece_hashes_destroy(object.hashes);
}

/* Checks a piece in parts of random length; surplus bytes are offered and must be left alone. */
static enum do_piece_verdict check_piece(struct do_piece_check *check, const struct object *object,
    size_t index, struct test_random *random)
{
    enum do_piece_verdict verdict = DO_PIECE_INCOMPLETE;
    uint64_t at = do_piece_begin(object->hashes, index);
    const uint64_t end = at + do_piece_length(object->hashes, index);

    assert_ok(do_piece_check_begin(check, index));
    while (verdict == DO_PIECE_INCOMPLETE)
    {
        const uint64_t left = CONTENT_LENGTH - at;
        size_t length = test_random_below(random, 3000);
        size_t used = 99999;

        if (length > left)
            length = (size_t)left;
        assert_ok(do_piece_check_add(check, object->content + at, length, &used, &verdict));
        assert_int_equal(used, at + length < end ? length : end - at);
        at += used;
    }
    assert_int_equal(at, end);
    return verdict;
}

/* Broken: a good piece is fetched for ever, or a bad one is kept. */
static void test_piece_check_tells_good_from_bad(void **state)
{
    struct test_random random = {20240803};
    struct do_piece_check check;
    struct object object;

    (void)state;
    make_object(&object);
    assert_ok(do_piece_check_init(&check, object.hashes));
    for (int round = 0; round < 50; round++)
    {
        const size_t at = test_random_below(&random, CONTENT_LENGTH);
        const size_t bad = at / PIECE_SIZE;

        object.content[at] ^= (uint8_t)(1U << test_random_below(&random, 8));
        for (size_t i = PIECES; i-- > 0;)
            assert_int_equal(
                check_piece(&check, &object, i, &random), i == bad ? DO_PIECE_BAD : DO_PIECE_GOOD);
        object.content[at] = (uint8_t)(at * 7 % 251);
        assert_int_equal(check_piece(&check, &object, bad, &random), DO_PIECE_GOOD);
    }
    do_piece_check_finish(&check);
    do_piece_hashes_destroy(object.hashes);
}

/* Broken: what came before a piece was given up spoils the next try. */
static void test_piece_check_begin_forgets(void **state)
{
    struct test_random random = {20240804};
    enum do_piece_verdict verdict;
    struct do_piece_check check;
    struct object object;
    size_t used;

    (void)state;
    make_object(&object);
    assert_ok(do_piece_check_init(&check, object.hashes));
    assert_hr(E_UNEXPECTED, do_piece_check_add(&check, object.content, 1, &used, &verdict));
    assert_int_equal(verdict, DO_PIECE_INCOMPLETE);
    assert_int_equal(used, 0);
    assert_ok(do_piece_check_begin(&check, 1));
    assert_ok(do_piece_check_add(&check, object.content, 1000, &used, &verdict));
    assert_int_equal(verdict, DO_PIECE_INCOMPLETE);
    assert_int_equal(check_piece(&check, &object, 1, &random), DO_PIECE_GOOD);
    /* A piece that is over takes no more. */
    assert_hr(E_UNEXPECTED, do_piece_check_add(&check, object.content, 1, &used, &verdict));
    assert_int_equal(verdict, DO_PIECE_INCOMPLETE);
    do_piece_check_finish(&check);
    do_piece_hashes_destroy(object.hashes);
}

int main(void)
{
    static const struct CMUnitTest piece_hashes[] = {
        cmocka_unit_test(test_piece_hashes_info_is_read),
        cmocka_unit_test(test_piece_hashes_bad_info_is_refused),
        cmocka_unit_test(test_piece_hashes_info_has_limits),
        cmocka_unit_test(test_piece_hashes_good_file_passes),
        cmocka_unit_test(test_piece_hashes_file_may_be_written_otherwise),
        cmocka_unit_test(test_piece_hashes_each_fault_has_its_code),
        cmocka_unit_test(test_piece_hashes_digest_covers_every_byte),
        cmocka_unit_test(test_piece_hashes_file_size_has_limits),
        cmocka_unit_test(test_piece_hashes_empty_object_has_no_pieces),
        cmocka_unit_test(test_piece_hashes_truncations_are_refused),
        cmocka_unit_test(test_piece_hashes_mutations_say_the_same_or_are_refused),
        cmocka_unit_test(test_piece_hashes_mutated_info_is_whole_or_refused),
        cmocka_unit_test(test_piece_hashes_out_of_memory_is_clean),
        cmocka_unit_test(test_piece_hashes_pieces_cover_object),
        cmocka_unit_test(test_piece_check_tells_good_from_bad),
        cmocka_unit_test(test_piece_check_begin_forgets),
    };

    return TEST_RUN(piece_hashes);
}
