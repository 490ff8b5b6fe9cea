/* SPDX-License-Identifier: MIT */
/*
 * The recorder thread: every 750 ms it flushes each file that was written to and then records in
 * the database which bytes are safe. Flush before record: the database never claims a byte that is
 * not on disk, and a slow flush delays neither the wire nor the writer.
 */
#ifndef DO_TRANSFER_RECORDER_H
#define DO_TRANSFER_RECORDER_H

#include <stdbool.h>

#include "base/hr.h"
#include "store/part_file.h"
#include "store/queue_db.h"

struct do_recorder;

/** One file that the recorder watches. */
struct do_recording;

HRESULT do_recorder_create(struct do_queue_db *db, struct do_recorder **recorder);

/** Records what is open, then ends the thread. NULL is accepted. */
void do_recorder_destroy(struct do_recorder *recorder);

/**
 * Watches part, of the database row row_id, keeping a reference. *recording is owned by the caller
 * until do_recorder_end.
 */
HRESULT do_recorder_begin(struct do_recorder *recorder, struct do_part_file *part, int64_t row_id,
    struct do_recording **recording);

/**
 * Stops watching. With closes, the file is flushed and recorded once more by the recorder, with
 * transferred as given, and its handle is then closed; without, it is forgotten at once (its bytes
 * are of no use any more). Does not wait. NULL is accepted.
 */
void do_recorder_end(
    struct do_recorder *recorder, struct do_recording *recording, bool closes, bool transferred);

/**
 * Waits until the recorder has nothing more to do with the file of row_id, and holds none of the
 * temporary files that it has had. Never called on the loop.
 */
void do_recorder_drain(struct do_recorder *recorder, int64_t row_id);

#endif
