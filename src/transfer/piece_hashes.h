/* SPDX-License-Identifier: MIT */
/*
 * The integrity of a file: what the client says of its piece hash file (IntegrityCheckInfo), the
 * piece hash file itself, and the check of pieces against it. docs/integrity.md describes both
 * texts. Pure: nothing is fetched or stored here. Any thread; a check is used by one at a time.
 */
#ifndef DO_TRANSFER_PIECE_HASHES_H
#define DO_TRANSFER_PIECE_HASHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "plat/crypto.h"

/* Most bytes of an IntegrityCheckInfo text. */
#define DO_INTEGRITY_INFO_LIMIT (64U * 1024)

/* Most bytes of a piece hash file that are accepted; more is DO_E_METAINFO_FILE_SIZE. */
#define DO_PIECE_HASH_FILE_LIMIT (64U * 1024 * 1024)

#define DO_PIECE_SIZE_MIN (4U * 1024)
#define DO_PIECE_SIZE_MAX (64U * 1024 * 1024)

/** What IntegrityCheckInfo says. At least one of the two ways to know the file is there. */
struct do_integrity_info
{
    char *url; /* of the piece hash file */
    bool has_hash_of_hashes;
    uint8_t hash_of_hashes[DO_SHA256_SIZE];
    bool has_digest;
    enum do_hash_algorithm digest_algorithm;
    uint8_t digest[DO_HASH_SIZE_LIMIT];
};

/**
 * Reads the JSON text of the property into *info, to be finished by do_integrity_info_finish, also
 * after a failure. E_INVALIDARG for anything that is not as docs/integrity.md says; E_OUTOFMEMORY.
 */
HRESULT do_integrity_info_parse(const char *json, struct do_integrity_info *info);
void do_integrity_info_finish(struct do_integrity_info *info);

/** The content of a piece hash file. Does not change. */
struct do_piece_hashes
{
    uint64_t content_length;
    uint32_t piece_size; /* of all pieces but the last, which may be shorter */
    size_t count;
    uint8_t (*hashes)[DO_SHA256_SIZE];
};

/**
 * Reads a piece hash file and verifies it against info; *hashes is freed with
 * do_piece_hashes_destroy. Each fault has its own code, in the order in which they are looked for:
 * DO_E_METAINFO_FILE_SIZE, _DIGEST_MATCH, _CONTENT, _VERSION, _PARSE_HOH, _HOH_MATCH,
 * _CONTENT_LENGTH, _PIECE_SIZE, _PARSE_PIECEHASHES, _PARSE_ONE_PIECEHASH, _HOH_FINAL_MATCH.
 */
HRESULT do_piece_hashes_parse(const void *file, size_t length, const struct do_integrity_info *info,
    struct do_piece_hashes **hashes);
void do_piece_hashes_destroy(struct do_piece_hashes *hashes);

/** DO_E_METAINFO_CONTENT_LENGTH when an object of this size is not the one that was hashed. */
HRESULT do_piece_hashes_check_size(const struct do_piece_hashes *hashes, uint64_t object_size);

/** Where piece index begins in the object, and its bytes. index < count. */
uint64_t do_piece_begin(const struct do_piece_hashes *hashes, size_t index);
uint32_t do_piece_length(const struct do_piece_hashes *hashes, size_t index);

enum do_piece_verdict
{
    DO_PIECE_INCOMPLETE, /* it wants more bytes */
    DO_PIECE_GOOD,
    DO_PIECE_BAD /* DO_E_BAD_PIECE_HASH, for whoever gives up on it */
};

/** A piece that is being checked while its bytes come in, from its first to its last. */
struct do_piece_check
{
    const struct do_piece_hashes *hashes; /* borrowed */
    struct do_hash *hash;
    size_t index;
    uint32_t missing; /* bytes of the piece that have not come; 0 = no piece is begun */
};

HRESULT do_piece_check_init(struct do_piece_check *check, const struct do_piece_hashes *hashes);
void do_piece_check_finish(struct do_piece_check *check);

/** Begins a piece; what was there of another one is forgotten. index < count. */
HRESULT do_piece_check_begin(struct do_piece_check *check, size_t index);

/**
 * Takes the next bytes of the piece, up to its end: *used of them. With a verdict other than
 * DO_PIECE_INCOMPLETE the piece is over, and another must begin before more bytes are added.
 * E_UNEXPECTED when no piece was begun.
 */
HRESULT do_piece_check_add(struct do_piece_check *check, const void *data, size_t length,
    size_t *used, enum do_piece_verdict *verdict);

#endif
