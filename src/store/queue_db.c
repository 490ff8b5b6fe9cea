/* SPDX-License-Identifier: MIT */
/*
 * The queue in SQLite. Any thread: every verb runs under the lock of its handle and uses statements
 * prepared once, so the connection does without SQLite's own mutexes. queue_db_load.c reads,
 * queue_db_file.c opens the file, queue_db_rows.c turns records into rows and checks what it reads.
 *
 * Jobs and files keep their values in a table each; struct value_table lets one code serve both.
 */
#include "store/queue_db.h"

#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "store/queue_db_file.h"
#include "store/queue_db_internal.h"

struct verb_row
{
    const char *name; /* completes "cannot ..." in the log */
    const char *sql;
};

static const struct verb_row verbs[DO_VERB_COUNT] = {
    [DO_VERB_INSERT_JOB] = {"add a job",
        "INSERT INTO jobs (" DO_JOB_COLUMNS ", id, kind, owner_id, owner_start) "
        "VALUES (" DO_JOB_VALUES ", ?, ?, ?, ?)"},
    [DO_VERB_UPDATE_JOB] = {"store a job",
        "UPDATE jobs SET (" DO_JOB_COLUMNS ") = (" DO_JOB_VALUES ") WHERE id = ?"},
    [DO_VERB_FORGET_TIMES] = {"forget times of files",
        "UPDATE files SET temp_time = 0 WHERE temp_time <> 0 AND NOT transferred "
        "AND job = (SELECT row_id FROM jobs WHERE id = ?)"},
    [DO_VERB_REMOVE_JOB] = {"remove a job", "DELETE FROM jobs WHERE id = ?"},
    [DO_VERB_INSERT_FILE] = {"add a file",
        "INSERT INTO files (" DO_FILE_COLUMNS ", job) "
        "SELECT " DO_FILE_VALUES ", row_id FROM jobs WHERE id = ?"},
    [DO_VERB_UPDATE_FILE] = {"store a file",
        "UPDATE files SET (" DO_FILE_COLUMNS ", temp_time) = (" DO_FILE_NEW_VALUES ") "
        "WHERE row_id = ?13"},
    [DO_VERB_RECORD_RECEIVED] = {"record progress",
        "UPDATE files SET received = ?, transferred = ?, temp_time = ? "
        "WHERE row_id = ? AND temp_path = ?"},
    [DO_VERB_TRASH_JOB_FILES] = {"note the files of a job for deletion",
        "INSERT OR IGNORE INTO trash (path, target) SELECT f.temp_path, f.local_path "
        "FROM files f JOIN jobs j ON j.row_id = f.job "
        "WHERE j.id = ? AND f.temp_path IS NOT NULL AND NOT f.saved "
        "AND NOT (j.intent = 1 AND f.transferred AND f.local_path IS NOT NULL)"},
    [DO_VERB_TRASH_OTHER_FILES] = {"note the files of a job for deletion",
        "INSERT OR IGNORE INTO trash (path, target) SELECT v.value, f.local_path "
        "FROM file_values v JOIN files f ON f.row_id = v.file JOIN jobs j ON j.row_id = f.job "
        "WHERE j.id = ? AND v.id = ? AND typeof(v.value) = 'text'"},
    [DO_VERB_TRASH_OLD_FILE] = {"note a file for deletion",
        "INSERT OR IGNORE INTO trash (path, target) SELECT temp_path, local_path FROM files "
        "WHERE row_id = ? AND temp_path IS NOT NULL AND temp_path IS NOT ? AND NOT saved"},
    [DO_VERB_FORGET_TRASH] = {"forget a deleted file", "DELETE FROM trash WHERE path = ?"},
    [DO_VERB_BEGIN] = {"begin a transaction", "BEGIN IMMEDIATE"},
    [DO_VERB_BEGIN_READ] = {"begin to read", "BEGIN"},
    [DO_VERB_COMMIT] = {"commit a transaction", "COMMIT"},
    [DO_VERB_ROLLBACK] = {"roll back a transaction", "ROLLBACK"},
    [DO_VERB_SELECT_JOBS] = {"read the jobs",
        "SELECT " DO_OWNED_JOB_COLUMNS " FROM jobs ORDER BY row_id"},
    [DO_VERB_SELECT_JOB] = {"read a job", "SELECT " DO_OWNED_JOB_COLUMNS " FROM jobs WHERE id = ?"},
    [DO_VERB_SELECT_FILES] = {"read the files of a job",
        "SELECT row_id, temp_time, " DO_FILE_COLUMNS " FROM files WHERE job = ? ORDER BY row_id"},
    [DO_VERB_SELECT_WANTED] = {"read which jobs are wanted",
        "SELECT id, wanted_by_id, wanted_by_start FROM jobs "
        "WHERE owner_id = ? AND owner_start = ? AND wanted_by_id <> 0 ORDER BY row_id"},
    /* A name that a file has (again) is not deleted. */
    [DO_VERB_SELECT_TRASH] = {"read which files are to be deleted",
        "SELECT path, target FROM trash "
        "WHERE path NOT IN (SELECT temp_path FROM files WHERE temp_path IS NOT NULL)"},
    [DO_VERB_FIND_TRASH] = {"look for files to be deleted", "SELECT 1 FROM trash LIMIT 1"},
    [DO_VERB_FIND_JOB] = {"find a job", "SELECT row_id FROM jobs WHERE id = ?"},
    [DO_VERB_FIND_FILE] = {"find a file", "SELECT row_id FROM files WHERE row_id = ?"},
    [DO_VERB_SET_JOB_VALUE] = {"store a property of a job",
        "INSERT INTO job_values (job, id, value) VALUES (?, ?, ?) "
        "ON CONFLICT (job, id) DO UPDATE SET value = excluded.value"},
    [DO_VERB_SET_FILE_VALUE] = {"store a property of a file",
        "INSERT INTO file_values (file, id, value) VALUES (?, ?, ?) "
        "ON CONFLICT (file, id) DO UPDATE SET value = excluded.value"},
    [DO_VERB_CLEAR_JOB_VALUE] = {"clear a property of a job",
        "DELETE FROM job_values WHERE job = ? AND id = ?"},
    [DO_VERB_CLEAR_FILE_VALUE] = {"clear a property of a file",
        "DELETE FROM file_values WHERE file = ? AND id = ?"},
    [DO_VERB_SELECT_JOB_VALUES] = {"read the properties of a job",
        "SELECT id, value FROM job_values WHERE job = ? ORDER BY id"},
    [DO_VERB_SELECT_FILE_VALUES] = {"read the properties of a file",
        "SELECT id, value FROM file_values WHERE file = ? ORDER BY id"},
    [DO_VERB_SET_OWNER] = {"adopt a job",
        "UPDATE jobs SET owner_id = ?, owner_start = ?, wanted_by_id = 0, wanted_by_start = 0 "
        "WHERE row_id = ?"},
    [DO_VERB_DISOWN] = {"give jobs back",
        "UPDATE jobs SET owner_id = 0, owner_start = 0 WHERE owner_id = ? AND owner_start = ? "
        "AND (kind = 0 OR EXISTS (SELECT 1 FROM job_values v "
        "WHERE v.job = jobs.row_id AND v.id = ? AND v.value <> 0))"},
    [DO_VERB_WANT] = {"ask for a job",
        "UPDATE jobs SET wanted_by_id = ?, wanted_by_start = ? WHERE id = ?"},
    [DO_VERB_HAND_OVER] = {"hand a job over",
        "UPDATE jobs SET owner_id = ?, owner_start = ?, wanted_by_id = 0, wanted_by_start = 0 "
        "WHERE id = ? AND owner_id = ? AND owner_start = ? "
        "AND wanted_by_id = ?1 AND wanted_by_start = ?2"},
    [DO_VERB_UNWANT] = {"take back a wish for a job",
        "UPDATE jobs SET wanted_by_id = 0, wanted_by_start = 0 "
        "WHERE wanted_by_id = ? AND wanted_by_start = ? AND id = ?"},
    [DO_VERB_SELECT_OWNER] = {"read who owns a job",
        "SELECT owner_id, owner_start, wanted_by_id, wanted_by_start FROM jobs WHERE id = ?"},
    [DO_VERB_COUNT_OWNERS] = {"read who owns jobs",
        "SELECT owner_id, owner_start, count(*) FROM jobs GROUP BY 1, 2"},
    [DO_VERB_VERSION] = {"read whether the file has changed", "PRAGMA data_version"},
};

/* How the values of jobs, or of files, are stored and read. */
struct value_table
{
    enum do_queue_verb find;
    enum do_queue_verb set;
    enum do_queue_verb clear;
    enum do_queue_verb select;
};

static const struct value_table job_values_table = {
    DO_VERB_FIND_JOB, DO_VERB_SET_JOB_VALUE, DO_VERB_CLEAR_JOB_VALUE, DO_VERB_SELECT_JOB_VALUES};
static const struct value_table file_values_table = {DO_VERB_FIND_FILE, DO_VERB_SET_FILE_VALUE,
    DO_VERB_CLEAR_FILE_VALUE, DO_VERB_SELECT_FILE_VALUES};

static HRESULT prepare(struct do_queue_db *db)
{
    for (size_t i = 0; i < DO_VERB_COUNT; i++)
    {
        int code = sqlite3_prepare_v3(
            db->connection, verbs[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL);

        /* Our SQL is right: it is the file that lacks a table or a column. */
        if (code == SQLITE_ERROR)
            code = SQLITE_CORRUPT;
        if (code != SQLITE_OK)
            return do_queue_file_failure(code, verbs[i].name);
    }
    return S_OK;
}

HRESULT do_queue_db_open(const char *path, struct do_queue_db **db)
{
    struct do_queue_db *opened;
    HRESULT hr;

    *db = NULL;
    if (!(opened = do_alloc(sizeof(*opened))))
        return E_OUTOFMEMORY;
    do_mutex_init(&opened->lock);
    if (SUCCEEDED(hr = do_queue_file_open(path, &opened->connection)) &&
        SUCCEEDED(hr = prepare(opened)))
    {
        *db = opened;
        return S_OK;
    }
    do_queue_db_close(opened);
    return hr;
}

void do_queue_db_close(struct do_queue_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < DO_VERB_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    (void)sqlite3_close(db->connection);
    do_mutex_finish(&db->lock);
    do_free(db);
}

const char *do_queue_verb_name(enum do_queue_verb verb)
{
    return verbs[verb].name;
}

struct do_row_binder do_queue_bind_locked(struct do_queue_db *db, enum do_queue_verb verb)
{
    struct do_row_binder binder = {db->statements[verb], 0, SQLITE_OK};

    return binder;
}

HRESULT do_queue_end_locked(struct do_queue_db *db, enum do_queue_verb verb, int code)
{
    (void)sqlite3_reset(db->statements[verb]);
    (void)sqlite3_clear_bindings(db->statements[verb]);
    return code == SQLITE_OK || code == SQLITE_DONE ? S_OK
                                                    : do_queue_file_failure(code, verbs[verb].name);
}

/* Whether the verb, which went well, has changed the file for good. */
static bool is_committed_locked(struct do_queue_db *db, enum do_queue_verb verb)
{
    return sqlite3_get_autocommit(db->connection) &&
           (verb == DO_VERB_COMMIT || !sqlite3_stmt_readonly(db->statements[verb]));
}

/*
 * Whether a commit waits until it is safe from a power cut: switched before the first statement of
 * a transaction, as SQLite wants it, and so also back before the next one.
 */
static int set_durability_locked(struct do_queue_db *db)
{
    int code;

    if (db->wants_relaxed == db->is_relaxed || !sqlite3_get_autocommit(db->connection))
        return SQLITE_OK;
    code = sqlite3_exec(db->connection,
        db->wants_relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", NULL, NULL,
        NULL);
    if (code == SQLITE_OK)
        db->is_relaxed = db->wants_relaxed;
    return code;
}

HRESULT do_queue_run_locked(struct do_queue_db *db, enum do_queue_verb verb, int bind_code)
{
    int code = bind_code == SQLITE_OK ? set_durability_locked(db) : bind_code;
    HRESULT hr;

    if (code == SQLITE_OK)
        code = sqlite3_step(db->statements[verb]);
    hr = do_queue_end_locked(db, verb, code);

    if (SUCCEEDED(hr) && is_committed_locked(db, verb))
        DO_CRASH_POINT("committed");
    return hr;
}

HRESULT do_queue_change_row_locked(struct do_queue_db *db, enum do_queue_verb verb, int bind_code)
{
    HRESULT hr = do_queue_run_locked(db, verb, bind_code);

    return SUCCEEDED(hr) && !sqlite3_changes(db->connection) ? DO_E_JOB_NOT_FOUND : hr;
}

HRESULT do_queue_begin_locked(struct do_queue_db *db, enum do_queue_verb begin)
{
    return do_queue_run_locked(db, begin, SQLITE_OK);
}

HRESULT do_queue_end_transaction_locked(struct do_queue_db *db, HRESULT hr)
{
    if (SUCCEEDED(hr))
        hr = do_queue_run_locked(db, DO_VERB_COMMIT, SQLITE_OK);
    /* Some failures end the transaction by themselves. */
    if (!sqlite3_get_autocommit(db->connection))
        (void)do_queue_run_locked(db, DO_VERB_ROLLBACK, SQLITE_OK);
    return hr;
}

/* The row that the verb, already bound, finds; DO_E_JOB_NOT_FOUND. */
static HRESULT do_queue_find_row_locked(
    struct do_queue_db *db, enum do_queue_verb verb, int bind_code, int64_t *row)
{
    int code = bind_code == SQLITE_OK ? sqlite3_step(db->statements[verb]) : bind_code;
    bool found = code == SQLITE_ROW;
    HRESULT hr;

    *row = found ? sqlite3_column_int64(db->statements[verb], 0) : 0;
    hr = do_queue_end_locked(db, verb, found ? SQLITE_DONE : code);
    return SUCCEEDED(hr) && !found ? DO_E_JOB_NOT_FOUND : hr;
}

static HRESULT store_value_locked(struct do_queue_db *db, const struct value_table *table,
    int64_t row, const struct do_setting *setting)
{
    bool empty = setting->value.kind == DO_VALUE_EMPTY;
    enum do_queue_verb verb = empty ? table->clear : table->set;
    struct do_row_binder binder = do_queue_bind_locked(db, verb);
    HRESULT hr;

    if (FAILED(hr = do_row_check_value(&setting->value)))
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: property %u is not stored: 0x%08x",
            (unsigned int)setting->id, (unsigned int)hr);
        return hr;
    }
    do_row_bind_u64(&binder, (uint64_t)row);
    do_row_bind_u64(&binder, setting->id);
    if (!empty)
        do_row_bind_value(&binder, &setting->value);
    return do_queue_run_locked(db, verb, binder.code);
}

static HRESULT store_values_locked(struct do_queue_db *db, const struct value_table *table,
    int64_t row, const struct do_setting *settings, size_t count)
{
    HRESULT hr = S_OK;

    for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
        hr = store_value_locked(db, table, row, &settings[i]);
    return hr;
}

static HRESULT insert_job_locked(struct do_queue_db *db, const struct do_job_record *job)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_INSERT_JOB);
    HRESULT hr;

    do_row_bind_job(&binder, job);
    do_row_bind_guid(&binder, &job->id);
    do_row_bind_u64(&binder, job->kind);
    do_row_bind_u64(&binder, job->owner.id);
    do_row_bind_u64(&binder, job->owner.start);
    if (FAILED(hr = do_queue_run_locked(db, DO_VERB_INSERT_JOB, binder.code)))
        return hr;
    return store_values_locked(db, &job_values_table, sqlite3_last_insert_rowid(db->connection),
        job->values.items, job->values.count);
}

HRESULT do_queue_db_insert_job(struct do_queue_db *db, const struct do_job_record *job)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        hr = do_queue_end_transaction_locked(db, insert_job_locked(db, job));
    do_mutex_unlock(&db->lock);
    return hr;
}

/* BG_JOB_STATE: queued, connecting, transferring, transient error. */
static bool may_write(const struct do_job_record *job)
{
    return job->state <= 2 || job->state == 5;
}

static HRESULT run_for_job_locked(
    struct do_queue_db *db, enum do_queue_verb verb, const struct do_guid *id);

/* The temporary files of a job that goes on change from now on: their times say nothing more. */
static HRESULT update_job_locked(struct do_queue_db *db, const struct do_job_record *job)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_UPDATE_JOB);
    HRESULT hr;

    do_row_bind_job(&binder, job);
    do_row_bind_guid(&binder, &job->id);
    hr = do_queue_change_row_locked(db, DO_VERB_UPDATE_JOB, binder.code);
    if (SUCCEEDED(hr) && may_write(job))
        hr = run_for_job_locked(db, DO_VERB_FORGET_TIMES, &job->id);
    return hr;
}

HRESULT do_queue_db_update_job(struct do_queue_db *db, const struct do_job_record *job)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        hr = do_queue_end_transaction_locked(db, update_job_locked(db, job));
    do_mutex_unlock(&db->lock);
    return hr;
}

static HRESULT run_for_job_locked(
    struct do_queue_db *db, enum do_queue_verb verb, const struct do_guid *id)
{
    struct do_row_binder binder = do_queue_bind_locked(db, verb);

    do_row_bind_guid(&binder, id);
    if (verb == DO_VERB_TRASH_OTHER_FILES)
        do_row_bind_u64(&binder, DO_STORED_OTHER_PATH);
    return do_queue_run_locked(db, verb, binder.code);
}

HRESULT do_queue_db_remove_job(struct do_queue_db *db, const struct do_guid *id)
{
    static const enum do_queue_verb steps[] = {
        DO_VERB_TRASH_JOB_FILES, DO_VERB_TRASH_OTHER_FILES, DO_VERB_REMOVE_JOB};
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
    {
        for (size_t i = 0; i < DO_COUNT_OF(steps) && SUCCEEDED(hr); i++)
            hr = run_for_job_locked(db, steps[i], id);
        hr = do_queue_end_transaction_locked(db, hr);
    }
    do_mutex_unlock(&db->lock);
    if (SUCCEEDED(hr))
        DO_CRASH_POINT("removed");
    return hr;
}

static HRESULT insert_file_locked(
    struct do_queue_db *db, const struct do_guid *job_id, struct do_file_record *file)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_INSERT_FILE);
    HRESULT hr;

    do_row_bind_file(&binder, file);
    do_row_bind_guid(&binder, job_id);
    if (FAILED(hr = do_queue_change_row_locked(db, DO_VERB_INSERT_FILE, binder.code)))
        return hr;
    file->row_id = sqlite3_last_insert_rowid(db->connection);
    return store_values_locked(
        db, &file_values_table, file->row_id, file->values.items, file->values.count);
}

HRESULT do_queue_db_insert_files(struct do_queue_db *db, const struct do_guid *job_id,
    struct do_file_record *const *files, size_t count)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
    {
        for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
            hr = insert_file_locked(db, job_id, files[i]);
        hr = do_queue_end_transaction_locked(db, hr);
    }
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_insert_file(
    struct do_queue_db *db, const struct do_guid *job_id, struct do_file_record *file)
{
    return do_queue_db_insert_files(db, job_id, &file, 1);
}

/* In a transaction: the file that the row no longer names is noted for deletion. */
static HRESULT update_file_locked(struct do_queue_db *db, const struct do_file_record *file)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_TRASH_OLD_FILE);
    HRESULT hr;

    do_row_bind_u64(&binder, (uint64_t)file->row_id);
    do_row_bind_text(&binder, file->temp_path);
    if (FAILED(hr = do_queue_run_locked(db, DO_VERB_TRASH_OLD_FILE, binder.code)))
        return hr;
    binder = do_queue_bind_locked(db, DO_VERB_UPDATE_FILE);
    do_row_bind_file(&binder, file);
    do_row_bind_u64(&binder, (uint64_t)file->row_id);
    return do_queue_change_row_locked(db, DO_VERB_UPDATE_FILE, binder.code);
}

HRESULT do_queue_db_update_file(struct do_queue_db *db, const struct do_file_record *file)
{
    const struct do_queue_change change = {.files = &file, .file_count = 1};

    return do_queue_db_change(db, &change);
}

/* Stores values of the row that table->find, already bound, finds. */
static HRESULT set_values_locked(struct do_queue_db *db, const struct value_table *table,
    int bind_code, const struct do_setting *settings, size_t count)
{
    HRESULT hr;
    int64_t row;

    if (FAILED(hr = do_queue_find_row_locked(db, table->find, bind_code, &row)))
        return hr;
    return store_values_locked(db, table, row, settings, count);
}

static HRESULT set_job_values_locked(struct do_queue_db *db, const struct do_guid *job_id,
    const struct do_setting *settings, size_t count)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_FIND_JOB);

    do_row_bind_guid(&binder, job_id);
    return set_values_locked(db, &job_values_table, binder.code, settings, count);
}

static HRESULT set_file_values_locked(
    struct do_queue_db *db, int64_t row_id, const struct do_setting *settings, size_t count)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_FIND_FILE);

    do_row_bind_u64(&binder, (uint64_t)row_id);
    return set_values_locked(db, &file_values_table, binder.code, settings, count);
}

static HRESULT change_locked(struct do_queue_db *db, const struct do_queue_change *change)
{
    HRESULT hr = S_OK;

    if (change->job)
        hr = update_job_locked(db, change->job);
    if (change->job_id && SUCCEEDED(hr))
        hr = set_job_values_locked(db, change->job_id, change->job_values, change->job_value_count);
    for (size_t i = 0; i < change->file_count && SUCCEEDED(hr); i++)
        hr = update_file_locked(db, change->files[i]);
    if (change->row_id && SUCCEEDED(hr))
        hr = set_file_values_locked(
            db, change->row_id, change->file_values, change->file_value_count);
    return hr;
}

HRESULT do_queue_db_change(struct do_queue_db *db, const struct do_queue_change *change)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        hr = do_queue_end_transaction_locked(db, change_locked(db, change));
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_note_file(struct do_queue_db *db, const struct do_file_record *file)
{
    const struct do_queue_change change = {.files = &file, .file_count = 1};
    HRESULT hr;

    do_mutex_lock(&db->lock);
    db->wants_relaxed = true;
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        hr = do_queue_end_transaction_locked(db, change_locked(db, &change));
    db->wants_relaxed = false;
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_set_job_values(struct do_queue_db *db, const struct do_guid *job_id,
    const struct do_setting *settings, size_t count)
{
    const struct do_queue_change change = {
        .job_id = job_id, .job_values = settings, .job_value_count = count};

    return do_queue_db_change(db, &change);
}

HRESULT do_queue_db_set_file_values(
    struct do_queue_db *db, int64_t row_id, const struct do_setting *settings, size_t count)
{
    const struct do_queue_change change = {
        .row_id = row_id, .file_values = settings, .file_value_count = count};

    return do_queue_db_change(db, &change);
}

static HRESULT record_received_locked(struct do_queue_db *db, const struct do_queue_received *item)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_RECORD_RECEIVED);

    do_row_bind_ranges(&binder, item->received->ranges, item->received->count);
    do_row_bind_u64(&binder, item->transferred);
    do_row_bind_u64(&binder, item->temp_time);
    do_row_bind_u64(&binder, (uint64_t)item->row_id);
    do_row_bind_text(&binder, item->temp_path);
    return do_queue_run_locked(db, DO_VERB_RECORD_RECEIVED, binder.code);
}

HRESULT do_queue_db_record_received(
    struct do_queue_db *db, const struct do_queue_received *items, size_t count)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
    {
        for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
            hr = record_received_locked(db, &items[i]);
        hr = do_queue_end_transaction_locked(db, hr);
    }
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_disown(struct do_queue_db *db, struct do_process self)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = do_queue_bind_locked(db, DO_VERB_DISOWN);
    do_row_bind_u64(&binder, self.id);
    do_row_bind_u64(&binder, self.start);
    do_row_bind_u64(&binder, DO_STORED_LASTING);
    hr = do_queue_run_locked(db, DO_VERB_DISOWN, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

/* Statements that put one process, and then say which job of which owner. */
static HRESULT set_process(struct do_queue_db *db, enum do_queue_verb verb,
    struct do_process process, const struct do_guid *id, const struct do_process *owner)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = do_queue_bind_locked(db, verb);
    do_row_bind_u64(&binder, process.id);
    do_row_bind_u64(&binder, process.start);
    do_row_bind_guid(&binder, id);
    if (owner)
    {
        do_row_bind_u64(&binder, owner->id);
        do_row_bind_u64(&binder, owner->start);
    }
    hr = do_queue_change_row_locked(db, verb, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_want_job(
    struct do_queue_db *db, const struct do_guid *id, struct do_process self)
{
    return set_process(db, DO_VERB_WANT, self, id, NULL);
}

HRESULT do_queue_db_unwant_job(
    struct do_queue_db *db, const struct do_guid *id, struct do_process by)
{
    return set_process(db, DO_VERB_UNWANT, by, id, NULL);
}

HRESULT do_queue_db_hand_over(
    struct do_queue_db *db, const struct do_guid *id, struct do_process self, struct do_process to)
{
    return set_process(db, DO_VERB_HAND_OVER, to, id, &self);
}

bool do_queue_db_has_trash(struct do_queue_db *db)
{
    int64_t row;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    hr = do_queue_find_row_locked(db, DO_VERB_FIND_TRASH, SQLITE_OK, &row);
    do_mutex_unlock(&db->lock);
    return SUCCEEDED(hr);
}
