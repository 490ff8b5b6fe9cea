/* SPDX-License-Identifier: MIT */
/*
 * The temporary file of a download: DO<8 hex digits>.tmp beside its target, written at offsets,
 * flushed, and renamed to the target in one step. It knows which bytes were written and which of
 * them are safely on disk; it never tells the first for the second.
 *
 * Reference counted: the job's file, each queued write and the recorder hold one. The handle is
 * opened when first needed and closed by the last reference or by do_part_file_close.
 * Any thread; an inner leaf lock guards the sets, the operating system orders the writes.
 */
#ifndef DO_STORE_PART_FILE_H
#define DO_STORE_PART_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"

struct do_part_file;

/** A fresh name DO<8 hex>.tmp in the directory of target, do_alloc'ed into *path. */
HRESULT do_part_file_make_name(const char *target, char **path);

/**
 * Whether path is a name that do_part_file_make_name may have made for target: a stored name is not
 * trusted before. E_INVALIDARG.
 */
HRESULT do_part_file_check_name(const char *target, const char *path);

/**
 * An object for the file at path (copied); nothing is opened yet. received (may be NULL) is what an
 * earlier run left on disk; with it an existing file may be opened, else it must be new. One
 * reference is the caller's.
 */
HRESULT do_part_file_create(
    const char *path, const struct do_range_set *received, struct do_part_file **part);

/**
 * The time that the file had when it was settled last, 0 for not known: do_part_file_open compares
 * it.
 */
void do_part_file_expect_time(struct do_part_file *part, uint64_t time);

/** Where bytes go that are not kept in a file: in order, each once. */
typedef HRESULT (*do_part_file_sink_fn)(void *ctx, const void *data, size_t length);

/**
 * An object whose bytes go to sink(ctx) as they are written, one after the other; it is always
 * open, nothing of it is on disk, and what is written cannot be taken back. Writes that do not go
 * on where the last one ended fail with E_UNEXPECTED.
 */
HRESULT do_part_file_create_stream(
    do_part_file_sink_fn sink, void *ctx, struct do_part_file **part);
bool do_part_file_is_stream(const struct do_part_file *part);

/** Of a stream: with stopped no further write begins; they fail with E_ABORT. Does not wait. */
void do_part_file_stop_stream(struct do_part_file *part, bool stopped);

/** Waits until no write is inside the sink. False at once when it is this thread's own. */
bool do_part_file_wait_stream(struct do_part_file *part);

/**
 * Puts an object in a stream's place that goes on where it ended: writes that are still queued for
 * the old one, which was stopped, never begin. Nothing may be inside the sink.
 */
HRESULT do_part_file_renew_stream(struct do_part_file **part);

struct do_part_file *do_part_file_acquire(struct do_part_file *part);

/** NULL is accepted. The last release closes, and deletes the file after do_part_file_discard. */
void do_part_file_release(struct do_part_file *part);

/**
 * Opens the file, creating it when nothing was received before. DO_HR_FILE_NOT_FOUND when the file
 * that should hold received bytes has vanished or is shorter than they say,
 * DO_HR_LOCAL_FILE_CHANGED when it was settled and has another time now. Opening twice is fine.
 */
HRESULT do_part_file_open(struct do_part_file *part);

/** What was flushed last could not be recorded: the next flush counts as a change. */
void do_part_file_mark_dirty(struct do_part_file *part);

/** Closes the handle; no write may be queued. A later do_part_file_open opens the same file. */
void do_part_file_close(struct do_part_file *part);

/** Sets the end of the file before the data comes, so that a full disk shows early. */
HRESULT do_part_file_set_size(struct do_part_file *part, uint64_t size);

/** Writes data at offset and then counts it as written. */
HRESULT do_part_file_write(
    struct do_part_file *part, uint64_t offset, const void *data, size_t length);

/** Reads bytes that were written; the file must be open. */
HRESULT do_part_file_read(struct do_part_file *part, uint64_t offset, void *data, size_t length);

/** Bytes turned out to be worthless: they count as not written. */
HRESULT do_part_file_forget(struct do_part_file *part, uint64_t begin, uint64_t end);

/** The same, waiting some seconds for another program that has the file open. */
HRESULT do_part_file_open_patiently(struct do_part_file *part);

/** Whether all of [0, size) is written. */
bool do_part_file_is_written(struct do_part_file *part, uint64_t size);

/** A copy of the set of written ranges, to be finished by the caller. */
HRESULT do_part_file_get_written(struct do_part_file *part, struct do_range_set *written);

/**
 * Flushes what was written so far and gives the set of ranges that are safe now. *changed is false,
 * and nothing is flushed, when nothing was written since the last flush.
 */
HRESULT do_part_file_flush(struct do_part_file *part, struct do_range_set *durable, bool *changed);

/**
 * Nobody writes any more: fixes the file's time, which is returned, as it is now, so that a later
 * change shows. The next flush makes it safe. 0 when it is not known.
 */
uint64_t do_part_file_settle(struct do_part_file *part);

/** Whether it is settled, and nothing has happened since that must be flushed and recorded. */
bool do_part_file_is_settled(struct do_part_file *part);

/**
 * Cuts the file to size, flushes, renames it to target, sets its time (0 = leave) and flushes the
 * name. Waits some seconds for a program that has the file or the target open. The handle is closed
 * on success. On failure everything stays as it was and the call can be repeated.
 */
HRESULT do_part_file_commit(struct do_part_file *part, const char *target, uint64_t size,
    uint64_t modified_time, bool replace);

/**
 * Whether an earlier process renamed the file to target before it ended: S_OK when the file is gone
 * and the target has its size and its time, or the one that the commit sets; S_FALSE when the file
 * is still there; else a failure.
 */
HRESULT do_part_file_find_saved(
    struct do_part_file *part, const char *target, uint64_t size, uint64_t modified_time);

/** The file goes away with the last reference, or at once when it is not open. */
void do_part_file_discard(struct do_part_file *part);

/** Borrowed, unchanging. */
const char *do_part_file_path(const struct do_part_file *part);

#endif
