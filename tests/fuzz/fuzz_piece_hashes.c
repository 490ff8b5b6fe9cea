/* SPDX-License-Identifier: MIT */
/*
 * JSON of others: any bytes as one object, as base64, as IntegrityCheckInfo and as a piece hash
 * file; and piece hash files that are built from the input with a right HashOfHashes, of which it
 * is known whether they are to be accepted. What is accepted says the same when it is written
 * again, its pieces cover the content, and a tree stays in proportion to its text.
 */
#include "fuzz/fuzz.h"

#include <inttypes.h>

#include <cjson/cJSON.h>

#include "base/str.h"
#include "transfer/json.h"
#include "transfer/piece_hashes.h"
#include "transfer/url.h"

#define PIECES_LIMIT 12U

static void append_base64(struct do_buf *text, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3)
    {
        const size_t left = length - i;
        const uint32_t bits = (uint32_t)bytes[i] << 16 |
                              (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                              (left > 2 ? bytes[i + 2] : 0);

        do_buf_append(text, &digits[bits >> 18], 1);
        do_buf_append(text, &digits[bits >> 12 & 63], 1);
        do_buf_append(text, left > 1 ? &digits[bits >> 6 & 63] : "=", 1);
        do_buf_append(text, left > 2 ? &digits[bits & 63] : "=", 1);
    }
}

/* Bytes have one text only. */
static void run_base64(const char *text)
{
    const size_t capacity = strlen(text);
    uint8_t *bytes = malloc(capacity + 1);
    struct do_buf again;
    size_t length;
    HRESULT hr;

    FUZZ_CHECK(bytes);
    do_buf_init(&again, 0);
    hr = do_base64_decode(text, bytes, capacity, &length);
    FUZZ_CHECK(hr == S_OK || (hr == E_INVALIDARG && !length));
    if (hr == S_OK)
    {
        append_base64(&again, bytes, length);
        FUZZ_CHECK(!again.failed && !strcmp(do_buf_str(&again), text));
        if (length)
            FUZZ_CHECK(do_base64_decode(text, bytes, length - 1, &length) == E_INVALIDARG);
    }
    do_buf_finish(&again);
    free(bytes);
}

static size_t count_values(const struct cJSON *value)
{
    size_t count = 0;

    for (; value; value = value->next)
        count += 1 + count_values(value->child);
    return count;
}

static void check_members(const struct cJSON *object)
{
    for (const struct cJSON *item = object->child; item; item = item->next)
    {
        const struct cJSON *member;
        const HRESULT hr = do_json_member(object, item->string, &member);
        uint64_t number = 1;

        FUZZ_CHECK(hr == S_OK || (hr == E_INVALIDARG && !member));
        if (hr == S_OK)
            FUZZ_CHECK(cJSON_IsNull(item) ? !member : member == item);
        if (FAILED(do_json_number(item, &number)))
            FUZZ_CHECK(!number);
        else if (cJSON_IsNumber(item))
            FUZZ_CHECK((double)number == item->valuedouble);
        else
            FUZZ_CHECK(cJSON_IsString(item));
    }
}

static void run_json(const uint8_t *text, size_t length)
{
    struct cJSON *object;
    struct cJSON *again;
    char *printed;

    if (FAILED(do_json_parse((const char *)text, length, &object)))
    {
        FUZZ_CHECK(!object);
        return;
    }
    FUZZ_CHECK(object && !memchr(text, 0, length));
    FUZZ_CHECK(count_values(object) <= 1024 + length / 32);
    check_members(object);
    printed = cJSON_PrintUnformatted(object);
    FUZZ_CHECK(printed);
    if (count_values(object) < 100 && strlen(printed) < 1000)
    {
        FUZZ_CHECK(do_json_parse(printed, strlen(printed), &again) == S_OK);
        FUZZ_CHECK(count_values(again) == count_values(object));
        do_json_destroy(again);
    }
    cJSON_free(printed);
    do_json_destroy(object);
}

static void append_info(struct do_buf *text, const struct do_integrity_info *info)
{
    static const char *const names[] = {
        [DO_HASH_SHA1] = "SHA1",
        [DO_HASH_SHA256] = "sha-256",
        [DO_HASH_SHA384] = "SHA384",
        [DO_HASH_SHA512] = "SHA-512",
    };
    char *url = NULL;
    struct cJSON *string = cJSON_CreateString(info->url);

    FUZZ_CHECK(string && (url = cJSON_PrintUnformatted(string)));
    do_buf_append_format(text, "{\"PIECESHASHFILEURL\":%s", url);
    if (info->has_hash_of_hashes)
    {
        do_buf_append_str(text, ",\"HashOfHashes\":\"");
        append_base64(text, info->hash_of_hashes, sizeof(info->hash_of_hashes));
        do_buf_append_str(text, "\"");
    }
    if (info->has_digest)
    {
        do_buf_append_format(text,
            ",\"PiecesHashFileDigestAlgorithm\":\"%s\",\"PiecesHashFileDigest\":\"",
            names[info->digest_algorithm]);
        append_base64(text, info->digest, do_hash_size(info->digest_algorithm));
        do_buf_append_str(text, "\"");
    }
    do_buf_append_str(text, "}");
    cJSON_free(url);
    cJSON_Delete(string);
}

static void check_info(const struct do_integrity_info *info)
{
    struct do_integrity_info again;
    struct do_buf text;

    FUZZ_CHECK(info->url && strlen(info->url) <= DO_URL_LIMIT && do_url_check(info->url) == S_OK);
    FUZZ_CHECK(info->has_hash_of_hashes || info->has_digest);
    do_buf_init(&text, 0);
    append_info(&text, info);
    FUZZ_CHECK(!text.failed);
    FUZZ_CHECK(do_integrity_info_parse(do_buf_str(&text), &again) == S_OK);
    FUZZ_CHECK(!strcmp(info->url, again.url));
    FUZZ_CHECK(info->has_hash_of_hashes == again.has_hash_of_hashes);
    FUZZ_CHECK(!memcmp(info->hash_of_hashes, again.hash_of_hashes, sizeof(again.hash_of_hashes)));
    FUZZ_CHECK(info->has_digest == again.has_digest);
    FUZZ_CHECK(info->digest_algorithm == again.digest_algorithm);
    FUZZ_CHECK(!memcmp(info->digest, again.digest, sizeof(again.digest)));
    do_integrity_info_finish(&again);
    do_buf_finish(&text);
}

static void run_info(const char *json)
{
    struct do_integrity_info info;
    const HRESULT hr = do_integrity_info_parse(json, &info);

    FUZZ_CHECK(hr == S_OK || hr == E_INVALIDARG);
    if (hr == S_OK)
        check_info(&info);
    do_integrity_info_finish(&info);
}

static bool is_fault_of_file(HRESULT hr)
{
    static const HRESULT faults[] = {DO_E_METAINFO_FILE_SIZE, DO_E_METAINFO_DIGEST_MATCH,
        DO_E_METAINFO_CONTENT, DO_E_METAINFO_VERSION, DO_E_METAINFO_PARSE_HOH,
        DO_E_METAINFO_HOH_MATCH, DO_E_METAINFO_CONTENT_LENGTH, DO_E_METAINFO_PIECE_SIZE,
        DO_E_METAINFO_PARSE_PIECEHASHES, DO_E_METAINFO_PARSE_ONE_PIECEHASH,
        DO_E_METAINFO_HOH_FINAL_MATCH};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
    {
        if (faults[i] == hr)
            return true;
    }
    return false;
}

static void check_pieces(const struct do_piece_hashes *hashes)
{
    uint64_t at = 0;

    FUZZ_CHECK(hashes->piece_size >= DO_PIECE_SIZE_MIN && hashes->piece_size <= DO_PIECE_SIZE_MAX);
    FUZZ_CHECK(hashes->content_length <= INT64_MAX);
    for (size_t i = 0; i < hashes->count; i++)
    {
        const uint32_t length = do_piece_length(hashes, i);

        FUZZ_CHECK(do_piece_begin(hashes, i) == at);
        FUZZ_CHECK(length && length <= hashes->piece_size);
        FUZZ_CHECK(length == hashes->piece_size || i + 1 == hashes->count);
        at += length;
    }
    FUZZ_CHECK(at == hashes->content_length);
    FUZZ_CHECK(do_piece_hashes_check_size(hashes, at) == S_OK);
    FUZZ_CHECK(do_piece_hashes_check_size(hashes, at + 1) == DO_E_METAINFO_CONTENT_LENGTH);
}

static HRESULT parse_file(const void *file, size_t length)
{
    const struct do_integrity_info info = {0};
    struct do_piece_hashes *hashes;
    const HRESULT hr = do_piece_hashes_parse(file, length, &info, &hashes);

    FUZZ_CHECK((hr == S_OK && hashes) || (!hashes && is_fault_of_file(hr)));
    if (hashes)
        check_pieces(hashes);
    do_piece_hashes_destroy(hashes);
    return hr;
}

/* A file in numbers. */
struct plain_file
{
    uint64_t content_length;
    uint64_t piece_size;
    size_t count;
    uint8_t hashes[PIECES_LIMIT][DO_SHA256_SIZE];
};

static void append_number(
    struct do_buf *text, struct fuzz_input *input, const char *name, uint64_t number)
{
    const bool as_text = fuzz_take_u8(input) & 1 || number > (uint64_t)1 << 53;

    do_buf_append_format(
        text, as_text ? "\"%s\":\"%" PRIu64 "\"" : "\"%s\": %" PRIu64, name, number);
}

static void put_little_endian(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static void append_hash_of_hashes(struct do_buf *text, const struct plain_file *file)
{
    uint8_t bytes[16 + sizeof(file->hashes)] = {1};
    uint8_t digest[DO_SHA256_SIZE];

    put_little_endian(bytes + 4, file->content_length, 8);
    put_little_endian(bytes + 12, file->piece_size, 4);
    memcpy(bytes + 16, file->hashes, file->count * DO_SHA256_SIZE);
    FUZZ_CHECK(
        do_hash_of(DO_HASH_SHA256, bytes, 16 + file->count * DO_SHA256_SIZE, digest) == S_OK);
    append_base64(text, digest, sizeof(digest));
}

static void append_file(
    struct do_buf *text, struct fuzz_input *input, const struct plain_file *file)
{
    do_buf_append_str(text, "{\"Pieces\":[");
    for (size_t i = 0; i < file->count; i++)
    {
        do_buf_append_str(text, i ? ",\"" : "\"");
        append_base64(text, file->hashes[i], DO_SHA256_SIZE);
        do_buf_append_str(text, "\"");
    }
    do_buf_append_str(text, "],\"MinorVersion\":0,\"majorversion\":\"1\",\"x\":{},");
    append_number(text, input, "ContentLength", file->content_length);
    do_buf_append_str(text, ",");
    append_number(text, input, "PieceSize", file->piece_size);
    do_buf_append_str(text, ",\"HashOfHashes\":\"");
    append_hash_of_hashes(text, file);
    do_buf_append_str(text, "\"}");
    FUZZ_CHECK(!text->failed);
}

static HRESULT expected_result(const struct plain_file *file)
{
    if (file->content_length > INT64_MAX)
        return DO_E_METAINFO_CONTENT_LENGTH;
    if (file->piece_size < 4096 || file->piece_size > 64 * 1024 * 1024)
        return DO_E_METAINFO_PIECE_SIZE;
    if (file->content_length / file->piece_size + (file->content_length % file->piece_size != 0) !=
        file->count)
        return DO_E_METAINFO_PARSE_PIECEHASHES;
    return S_OK;
}

static void run_built(struct fuzz_input *input)
{
    struct plain_file file = {.count = fuzz_take_below(input, PIECES_LIMIT + 1)};
    struct do_buf text;
    uint32_t broken;

    file.piece_size = fuzz_take_below(input, 4) ? (uint64_t)4096 << fuzz_take_below(input, 15)
                                                : fuzz_take_size(input);
    file.content_length = fuzz_take_below(input, 4)
                              ? file.count * file.piece_size - fuzz_take_below(input, 4096)
                              : fuzz_take_size(input);
    for (size_t i = 0; i < file.count; i++)
        memset(file.hashes[i], fuzz_take_u8(input), DO_SHA256_SIZE);
    do_buf_init(&text, 0);
    append_file(&text, input, &file);
    FUZZ_CHECK(parse_file(text.data, text.length) == expected_result(&file));
    /* Then something in it changes; a change within blanks or of case is none. */
    broken = fuzz_take_below(input, 2048) % (uint32_t)text.length;
    text.data[broken] = (char)fuzz_take_u8(input);
    (void)parse_file(text.data, text.length);
    do_buf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};
    const uint32_t what = fuzz_take_below(&input, 4);

    if (!what)
        run_built(&input);
    else
    {
        char *text;

        (void)parse_file(input.at, input.left);
        run_json(input.at, input.left);
        text = fuzz_take_text(&input);
        if (what == 1)
            run_base64(text);
        else
            run_info(text);
        free(text);
    }
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
