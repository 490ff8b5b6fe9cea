/* SPDX-License-Identifier: MIT */
/*
 * Piece hash files and pieces. Pure; every size that a file claims is checked before it is used.
 */
#include "transfer/piece_hashes.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/str.h"
#include "transfer/json.h"
#include "transfer/url.h"

/* The one version of piece hash files that is known. */
#define MAJOR_VERSION 1U
#define MINOR_VERSION 0U

static const struct
{
    const char *name;
    enum do_hash_algorithm algorithm;
} algorithm_names[] = {
    {"SHA1", DO_HASH_SHA1},
    {"SHA-1", DO_HASH_SHA1},
    {"SHA256", DO_HASH_SHA256},
    {"SHA-256", DO_HASH_SHA256},
    {"SHA384", DO_HASH_SHA384},
    {"SHA-384", DO_HASH_SHA384},
    {"SHA512", DO_HASH_SHA512},
    {"SHA-512", DO_HASH_SHA512},
};

/* A digest in base64 of exactly size bytes. */
static HRESULT parse_digest(const char *text, void *digest, size_t size)
{
    size_t length;
    HRESULT hr;

    if (FAILED(hr = do_base64_decode(text, digest, size, &length)))
        return hr;
    return length == size ? S_OK : E_INVALIDARG;
}

static HRESULT parse_algorithm(const char *text, enum do_hash_algorithm *algorithm)
{
    for (size_t i = 0; i < DO_COUNT_OF(algorithm_names); i++)
    {
        if (!do_str_equal_nocase(text, algorithm_names[i].name))
            continue;
        *algorithm = algorithm_names[i].algorithm;
        return S_OK;
    }
    return E_INVALIDARG;
}

static HRESULT read_info(const struct cJSON *object, struct do_integrity_info *info)
{
    const char *url;
    const char *hash_of_hashes;
    const char *digest;
    const char *algorithm;
    HRESULT hr;

    if (FAILED(hr = do_json_text(object, "PiecesHashFileUrl", &url)) ||
        FAILED(hr = do_json_text(object, "HashOfHashes", &hash_of_hashes)) ||
        FAILED(hr = do_json_text(object, "PiecesHashFileDigest", &digest)) ||
        FAILED(hr = do_json_text(object, "PiecesHashFileDigestAlgorithm", &algorithm)))
        return hr;
    if (!url || strlen(url) > DO_URL_LIMIT)
        return E_INVALIDARG;
    if (FAILED(hr = do_url_check(url)))
        return hr == E_OUTOFMEMORY ? hr : E_INVALIDARG;
    if (!hash_of_hashes && !digest)
        return E_INVALIDARG;
    if (!digest != !algorithm)
        return E_INVALIDARG;
    if (hash_of_hashes)
    {
        if (FAILED(hr = parse_digest(hash_of_hashes, info->hash_of_hashes, DO_SHA256_SIZE)))
            return hr;
        info->has_hash_of_hashes = true;
    }
    if (digest)
    {
        if (FAILED(hr = parse_algorithm(algorithm, &info->digest_algorithm)) ||
            FAILED(hr = parse_digest(digest, info->digest, do_hash_size(info->digest_algorithm))))
            return hr;
        info->has_digest = true;
    }
    return do_str_assign(&info->url, url);
}

HRESULT do_integrity_info_parse(const char *json, struct do_integrity_info *info)
{
    const size_t length = strlen(json);
    struct cJSON *object;
    HRESULT hr;

    *info = (struct do_integrity_info){0};
    if (length > DO_INTEGRITY_INFO_LIMIT)
        return E_INVALIDARG;
    if (FAILED(hr = do_json_parse(json, length, &object)))
        return hr;
    hr = read_info(object, info);
    do_json_destroy(object);
    return hr;
}

void do_integrity_info_finish(struct do_integrity_info *info)
{
    do_free(info->url);
    *info = (struct do_integrity_info){0};
}

static HRESULT check_digest(const void *file, size_t length, const struct do_integrity_info *info)
{
    uint8_t digest[DO_HASH_SIZE_LIMIT];
    HRESULT hr;

    if (!info->has_digest)
        return S_OK;
    if (FAILED(hr = do_hash_of(info->digest_algorithm, file, length, digest)))
        return hr;
    if (memcmp(digest, info->digest, do_hash_size(info->digest_algorithm)) != 0)
        return DO_E_METAINFO_DIGEST_MATCH;
    return S_OK;
}

/* The number of a member that must be there; fault is what its absence is called. */
static HRESULT read_number(
    const struct cJSON *object, const char *name, HRESULT fault, uint64_t *number)
{
    const struct cJSON *member;

    *number = 0;
    if (FAILED(do_json_member(object, name, &member)) || FAILED(do_json_number(member, number)))
        return fault;
    return S_OK;
}

static HRESULT check_version(const struct cJSON *object)
{
    uint64_t major;
    uint64_t minor;
    HRESULT hr;

    if (FAILED(hr = read_number(object, "MajorVersion", DO_E_METAINFO_VERSION, &major)) ||
        FAILED(hr = read_number(object, "MinorVersion", DO_E_METAINFO_VERSION, &minor)))
        return hr;
    return major == MAJOR_VERSION && minor == MINOR_VERSION ? S_OK : DO_E_METAINFO_VERSION;
}

static HRESULT read_hash_of_hashes(
    const struct cJSON *object, const struct do_integrity_info *info, uint8_t *hash_of_hashes)
{
    const char *text;

    if (FAILED(do_json_text(object, "HashOfHashes", &text)) || !text ||
        FAILED(parse_digest(text, hash_of_hashes, DO_SHA256_SIZE)))
        return DO_E_METAINFO_PARSE_HOH;
    if (info->has_hash_of_hashes &&
        memcmp(hash_of_hashes, info->hash_of_hashes, DO_SHA256_SIZE) != 0)
        return DO_E_METAINFO_HOH_MATCH;
    return S_OK;
}

static HRESULT read_sizes(const struct cJSON *object, struct do_piece_hashes *hashes)
{
    uint64_t piece_size;
    HRESULT hr;

    hr =
        read_number(object, "ContentLength", DO_E_METAINFO_CONTENT_LENGTH, &hashes->content_length);
    if (FAILED(hr))
        return hr;
    if (hashes->content_length > INT64_MAX)
        return DO_E_METAINFO_CONTENT_LENGTH;
    if (FAILED(hr = read_number(object, "PieceSize", DO_E_METAINFO_PIECE_SIZE, &piece_size)))
        return hr;
    if (piece_size < DO_PIECE_SIZE_MIN || piece_size > DO_PIECE_SIZE_MAX)
        return DO_E_METAINFO_PIECE_SIZE;
    hashes->piece_size = (uint32_t)piece_size;
    return S_OK;
}

static HRESULT read_pieces(const struct cJSON *object, struct do_piece_hashes *hashes)
{
    const struct cJSON *pieces;
    uint64_t expected = hashes->content_length / hashes->piece_size;
    uint64_t given = 0;
    size_t index = 0;

    expected += hashes->content_length % hashes->piece_size != 0;
    if (FAILED(do_json_member(object, "Pieces", &pieces)) || !cJSON_IsArray(pieces))
        return DO_E_METAINFO_PARSE_PIECEHASHES;
    for (const struct cJSON *item = pieces->child; item; item = item->next)
        given++;
    if (given != expected)
        return DO_E_METAINFO_PARSE_PIECEHASHES;
    hashes->count = (size_t)given;
    if (!given)
        return S_OK;
    if (!(hashes->hashes = do_alloc_array(hashes->count, sizeof(*hashes->hashes))))
        return E_OUTOFMEMORY;
    for (const struct cJSON *item = pieces->child; item; item = item->next, index++)
    {
        if (!cJSON_IsString(item) ||
            FAILED(parse_digest(item->valuestring, hashes->hashes[index], DO_SHA256_SIZE)))
            return DO_E_METAINFO_PARSE_ONE_PIECEHASH;
    }
    return S_OK;
}

static void put_little_endian(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/*
 * The hash of hashes covers the version, both sizes and the pieces' hashes: 4, 8 and 4 bytes,
 * little-endian, then 32 bytes for each piece.
 */
static HRESULT check_hash_of_hashes(
    const struct do_piece_hashes *hashes, const uint8_t *hash_of_hashes)
{
    uint8_t head[4 + 8 + 4];
    uint8_t digest[DO_SHA256_SIZE];
    struct do_hash *hash;
    HRESULT hr;

    put_little_endian(head, MAJOR_VERSION, 4);
    put_little_endian(head + 4, hashes->content_length, 8);
    put_little_endian(head + 12, hashes->piece_size, 4);
    if (FAILED(hr = do_hash_create(DO_HASH_SHA256, &hash)))
        return hr;
    hr = do_hash_update(hash, head, sizeof(head));
    if (SUCCEEDED(hr) && hashes->count)
        hr = do_hash_update(hash, hashes->hashes, hashes->count * sizeof(*hashes->hashes));
    if (SUCCEEDED(hr))
        hr = do_hash_final(hash, digest);
    do_hash_destroy(hash);
    if (SUCCEEDED(hr) && memcmp(digest, hash_of_hashes, sizeof(digest)) != 0)
        hr = DO_E_METAINFO_HOH_FINAL_MATCH;
    return hr;
}

static HRESULT read_file(const struct cJSON *object, const struct do_integrity_info *info,
    struct do_piece_hashes *hashes)
{
    uint8_t hash_of_hashes[DO_SHA256_SIZE];
    HRESULT hr;

    if (FAILED(hr = check_version(object)) ||
        FAILED(hr = read_hash_of_hashes(object, info, hash_of_hashes)) ||
        FAILED(hr = read_sizes(object, hashes)) || FAILED(hr = read_pieces(object, hashes)))
        return hr;
    return check_hash_of_hashes(hashes, hash_of_hashes);
}

HRESULT do_piece_hashes_parse(const void *file, size_t length, const struct do_integrity_info *info,
    struct do_piece_hashes **hashes)
{
    struct do_piece_hashes *created = NULL;
    struct cJSON *object = NULL;
    HRESULT hr;

    *hashes = NULL;
    if (!length || length > DO_PIECE_HASH_FILE_LIMIT)
        return DO_E_METAINFO_FILE_SIZE;
    if (FAILED(hr = check_digest(file, length, info)))
        return hr;
    if (FAILED(do_json_parse(file, length, &object)))
        return DO_E_METAINFO_CONTENT;
    if (!(created = do_alloc(sizeof(*created))))
        hr = E_OUTOFMEMORY;
    else
        hr = read_file(object, info, created);
    do_json_destroy(object);
    if (FAILED(hr))
        do_piece_hashes_destroy(created);
    else
        *hashes = created;
    return hr;
}

void do_piece_hashes_destroy(struct do_piece_hashes *hashes)
{
    if (!hashes)
        return;
    do_free(hashes->hashes);
    do_free(hashes);
}

HRESULT do_piece_hashes_check_size(const struct do_piece_hashes *hashes, uint64_t object_size)
{
    return hashes->content_length == object_size ? S_OK : DO_E_METAINFO_CONTENT_LENGTH;
}

uint64_t do_piece_begin(const struct do_piece_hashes *hashes, size_t index)
{
    return (uint64_t)index * hashes->piece_size;
}

uint32_t do_piece_length(const struct do_piece_hashes *hashes, size_t index)
{
    const uint64_t left = hashes->content_length - do_piece_begin(hashes, index);

    return left < hashes->piece_size ? (uint32_t)left : hashes->piece_size;
}

HRESULT do_piece_check_init(struct do_piece_check *check, const struct do_piece_hashes *hashes)
{
    *check = (struct do_piece_check){.hashes = hashes};
    return do_hash_create(DO_HASH_SHA256, &check->hash);
}

void do_piece_check_finish(struct do_piece_check *check)
{
    do_hash_destroy(check->hash);
    *check = (struct do_piece_check){0};
}

HRESULT do_piece_check_begin(struct do_piece_check *check, size_t index)
{
    uint8_t forgotten[DO_SHA256_SIZE];

    check->index = index;
    check->missing = do_piece_length(check->hashes, index);
    return do_hash_final(check->hash, forgotten);
}

HRESULT do_piece_check_add(struct do_piece_check *check, const void *data, size_t length,
    size_t *used, enum do_piece_verdict *verdict)
{
    uint8_t digest[DO_SHA256_SIZE];
    HRESULT hr;

    *used = 0;
    *verdict = DO_PIECE_INCOMPLETE;
    if (!check->missing)
        return E_UNEXPECTED;
    if (length > check->missing)
        length = check->missing;
    if (FAILED(hr = do_hash_update(check->hash, data, length)))
        return hr;
    check->missing -= (uint32_t)length;
    *used = length;
    if (check->missing)
        return S_OK;
    if (FAILED(hr = do_hash_final(check->hash, digest)))
        return hr;
    if (memcmp(digest, check->hashes->hashes[check->index], sizeof(digest)) == 0)
        *verdict = DO_PIECE_GOOD;
    else
        *verdict = DO_PIECE_BAD;
    return S_OK;
}
