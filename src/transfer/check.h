/* SPDX-License-Identifier: MIT */
/*
 * What stands between the last byte and a transferred file: its pieces are compared with their
 * hashes, the file is decrypted into another one, and its bytes are handed to a client's stream.
 * One check is one thread that reads the temporary file; the result is looked at on the loop.
 */
#ifndef DO_TRANSFER_CHECK_H
#define DO_TRANSFER_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"
#include "store/part_file.h"
#include "transfer/decrypt.h"
#include "transfer/piece_hashes.h"

struct do_check;

/** What is to be done, in this order. Copied; what it points to outlives the check. */
struct do_check_plan
{
    struct do_part_file *part; /* open, wholly written */
    uint64_t size;
    const struct do_piece_hashes *hashes;  /* or NULL */
    const struct do_decrypt_info *decrypt; /* or NULL */
    struct do_part_file *plain;            /* open and empty: where decrypted bytes go; or NULL */
    do_part_file_sink_fn sink;             /* gets the file's bytes in the end; or NULL */
    uint64_t (*sink_has)(void *ctx);       /* how many of them it has from an earlier check */
    void *sink_ctx;
    void (*begins)(void); /* on the thread, around its life; or NULL */
    void (*ends)(void);
    void (*hold)(void *ctx);   /* before the thread starts; or NULL */
    void (*let_go)(void *ctx); /* on the thread, after done */
    void *hold_ctx;
};

struct do_check_result
{
    HRESULT hr;              /* reading, decrypting or the sink failed; E_ABORT: it was stopped */
    struct do_range_set bad; /* pieces whose hash is another; nothing was done after that */
    uint64_t plain_size;
};

/**
 * Starts a check. done(ctx) is called once on its thread, when nothing but let_go and ends is left
 * to do. One reference is the caller's; plan->part and plan->plain are kept by references of the
 * check's own, which are gone when done is called: who waits for that may delete the files.
 */
HRESULT do_check_start(
    const struct do_check_plan *plan, void (*done)(void *ctx), void *ctx, struct do_check **check);

/** Whether the caller is the check's thread, inside a sink. */
bool do_check_is_current(const struct do_check *check);

/** Makes it end soon. Any thread. NULL is accepted. */
void do_check_stop(struct do_check *check);

/** The result, borrowed: after done was called. */
const struct do_check_result *do_check_get_result(const struct do_check *check);

/** NULL is accepted. */
void do_check_release(struct do_check *check);

#endif
