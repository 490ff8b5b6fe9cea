/* SPDX-License-Identifier: MIT */
/*
 * What queue_db.c, which writes, and queue_db_load.c, which reads, share: the handle and its
 * prepared statements. Functions in _locked are called under the handle's lock.
 */
#ifndef DO_STORE_QUEUE_DB_INTERNAL_H
#define DO_STORE_QUEUE_DB_INTERNAL_H

#include <sqlite3.h>

#include "plat/plat.h"
#include "store/queue_db_rows.h"

enum do_queue_verb
{
    DO_VERB_INSERT_JOB,
    DO_VERB_UPDATE_JOB,
    DO_VERB_FORGET_TIMES,
    DO_VERB_REMOVE_JOB,
    DO_VERB_INSERT_FILE,
    DO_VERB_UPDATE_FILE,
    DO_VERB_RECORD_RECEIVED,
    DO_VERB_TRASH_JOB_FILES,
    DO_VERB_TRASH_OTHER_FILES,
    DO_VERB_TRASH_OLD_FILE,
    DO_VERB_FORGET_TRASH,
    DO_VERB_BEGIN,
    DO_VERB_BEGIN_READ,
    DO_VERB_COMMIT,
    DO_VERB_ROLLBACK,
    DO_VERB_SELECT_JOBS,
    DO_VERB_SELECT_JOB,
    DO_VERB_SELECT_FILES,
    DO_VERB_SELECT_WANTED,
    DO_VERB_SELECT_TRASH,
    DO_VERB_FIND_TRASH,
    DO_VERB_FIND_JOB,
    DO_VERB_FIND_FILE,
    DO_VERB_SET_JOB_VALUE,
    DO_VERB_SET_FILE_VALUE,
    DO_VERB_CLEAR_JOB_VALUE,
    DO_VERB_CLEAR_FILE_VALUE,
    DO_VERB_SELECT_JOB_VALUES,
    DO_VERB_SELECT_FILE_VALUES,
    DO_VERB_SET_OWNER,
    DO_VERB_DISOWN,
    DO_VERB_WANT,
    DO_VERB_UNWANT,
    DO_VERB_HAND_OVER,
    DO_VERB_SELECT_OWNER,
    DO_VERB_COUNT_OWNERS,
    DO_VERB_VERSION,
    DO_VERB_COUNT
};

struct do_queue_db
{
    struct do_mutex lock;

    /* Under lock. */
    sqlite3 *connection;
    sqlite3_stmt *statements[DO_VERB_COUNT];
    struct do_process looked_up; /* of this walk: many rows have one owner */
    bool looked_up_lives;
    bool wants_relaxed; /* the next transaction may be lost in a power cut */
    bool is_relaxed;    /* so the connection is set */
};

/** What a verb does: completes "cannot ..." in the log. */
const char *do_queue_verb_name(enum do_queue_verb verb);

/** A binder for the verb's statement, nothing bound. */
struct do_row_binder do_queue_bind_locked(struct do_queue_db *db, enum do_queue_verb verb);

/** Ends the use of a statement. code is that of its last step, or of binding. */
HRESULT do_queue_end_locked(struct do_queue_db *db, enum do_queue_verb verb, int code);

/** Runs a statement that gives no rows. */
HRESULT do_queue_run_locked(struct do_queue_db *db, enum do_queue_verb verb, int bind_code);

/** Likewise; DO_E_JOB_NOT_FOUND when no row was hit. */
HRESULT do_queue_change_row_locked(struct do_queue_db *db, enum do_queue_verb verb, int bind_code);

/** Begins a transaction that writes, or (BEGIN_READ) that sees one state of the file. */
HRESULT do_queue_begin_locked(struct do_queue_db *db, enum do_queue_verb begin);

/** Commits what has gone well so far (hr), else rolls back. */
HRESULT do_queue_end_transaction_locked(struct do_queue_db *db, HRESULT hr);

#endif
