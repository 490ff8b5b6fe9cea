/* SPDX-License-Identifier: MIT */
/*
 * Opens the file of the queue: created private, checked to be ours, brought to the newest schema
 * and switched to WAL. A file that is not ours is only read. Runs on the thread that opens the
 * queue.
 *
 * "FULL" and "NORMAL" of PRAGMA synchronous differ in WAL mode only in whether the last
 * transactions survive a power loss. With FULL a job that a client was told of is never lost; it
 * costs one flush for each change, some 1300 jobs a second instead of 1700 (docs/storage.md).
 */
#include "store/queue_db_file.h"

#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "plat/file.h"

/* "DOsv": tells our files from those of other programs (PRAGMA application_id). */
#define APPLICATION_ID 0x444F7376

#define BUSY_TIMEOUT_MS 5000

/* Switching a new file to WAL loses a race with other processes at most this often. */
#define WAL_ATTEMPTS 100

/* migrations[n] leads from schema version n to n + 1. Rows that were released are never changed. */
static const char *const migrations[] = {
    /* A file's row_id is never used again: a late record_received must not hit another file. */
    "CREATE TABLE jobs ("
    "row_id INTEGER PRIMARY KEY, "
    "id BLOB NOT NULL UNIQUE, "
    "owner_id INTEGER NOT NULL, "
    "owner_start INTEGER NOT NULL, "
    "display_name TEXT, "
    "description TEXT, "
    "priority INTEGER NOT NULL, "
    "state INTEGER NOT NULL, "
    "notify_flags INTEGER NOT NULL, "
    "min_retry_delay_s INTEGER NOT NULL, "
    "no_progress_timeout_set INTEGER NOT NULL, "
    "no_progress_timeout_s INTEGER NOT NULL, "
    "creation_time INTEGER NOT NULL, "
    "modification_time INTEGER NOT NULL, "
    "completion_time INTEGER NOT NULL, "
    "error INTEGER NOT NULL, "
    "error_context INTEGER NOT NULL, "
    "error_file INTEGER NOT NULL, "
    "error_count INTEGER NOT NULL) STRICT;"
    "CREATE TABLE files ("
    "row_id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "job INTEGER NOT NULL REFERENCES jobs (row_id) ON DELETE CASCADE, "
    "content_id TEXT, "
    "url TEXT, "
    "local_path TEXT, "
    "temp_path TEXT, "
    "etag TEXT, "
    "last_modified TEXT, "
    "expected_size INTEGER NOT NULL, "
    "remote_size INTEGER NOT NULL, "
    "ranges BLOB, "
    "received BLOB, "
    "transferred INTEGER NOT NULL, "
    "saved INTEGER NOT NULL) STRICT;"
    "CREATE INDEX files_by_job ON files (job);",
    /* Jobs without a kind were all made through the BITS API: 0. */
    "ALTER TABLE jobs ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE job_values ("
    "job INTEGER NOT NULL REFERENCES jobs (row_id) ON DELETE CASCADE, "
    "id INTEGER NOT NULL, "
    "value ANY NOT NULL, "
    "PRIMARY KEY (job, id)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE file_values ("
    "file INTEGER NOT NULL REFERENCES files (row_id) ON DELETE CASCADE, "
    "id INTEGER NOT NULL, "
    "value ANY NOT NULL, "
    "PRIMARY KEY (file, id)) STRICT, WITHOUT ROWID;",
    /* Files that no row names any more and that are not deleted yet. */
    "CREATE TABLE trash ("
    "path TEXT PRIMARY KEY NOT NULL, "
    "target TEXT) STRICT, WITHOUT ROWID;"
    "ALTER TABLE jobs ADD COLUMN intent INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE jobs ADD COLUMN wanted_by_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE jobs ADD COLUMN wanted_by_start INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE files ADD COLUMN temp_time INTEGER NOT NULL DEFAULT 0;",
};

#define SCHEMA_VERSION ((int64_t)DO_COUNT_OF(migrations))

HRESULT do_queue_file_failure(int code, const char *what)
{
    static const struct
    {
        int code;
        HRESULT hr;
    } rows[] = {
        {SQLITE_IOERR_NOMEM, E_OUTOFMEMORY},
        {SQLITE_NOMEM, E_OUTOFMEMORY},
        {SQLITE_FULL, DO_HR_DISK_FULL},
        {SQLITE_BUSY, DO_HR_LOCK_VIOLATION},
        {SQLITE_LOCKED, DO_HR_LOCK_VIOLATION},
        {SQLITE_CANTOPEN, E_ACCESSDENIED},
        {SQLITE_PERM, E_ACCESSDENIED},
        {SQLITE_READONLY, E_ACCESSDENIED},
        {SQLITE_AUTH, E_ACCESSDENIED},
        {SQLITE_CORRUPT, DO_HR_FILE_CORRUPT},
        {SQLITE_NOTADB, DO_HR_FILE_CORRUPT},
        {SQLITE_IOERR, DO_HR_IO_DEVICE},
    };
    enum do_log_level level = DO_LOG_ERROR;
    HRESULT hr = E_FAIL;

    for (size_t i = 0; i < DO_COUNT_OF(rows) && level == DO_LOG_ERROR; i++)
    {
        if (rows[i].code == code || rows[i].code == (code & 0xFF))
        {
            level = DO_LOG_WARN;
            hr = rows[i].hr;
        }
    }
    do_log(level, DO_LOG_STORE, "queue database: cannot %s: %s (%d), 0x%08x", what,
        sqlite3_errstr(code), code, (unsigned int)hr);
    return hr;
}

/* Our SQL is right: it is the file that cannot be read, such as one with an unknown format. */
static int blame_file(int code)
{
    return code == SQLITE_ERROR ? SQLITE_CORRUPT : code;
}

static HRESULT execute(sqlite3 *connection, const char *sql, const char *what)
{
    int code = blame_file(sqlite3_exec(connection, sql, NULL, NULL, NULL));

    return code == SQLITE_OK ? S_OK : do_queue_file_failure(code, what);
}

/* The number that a statement used only once gives. */
static HRESULT query_number(sqlite3 *connection, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);

    *value = 0;
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW ? S_OK
                              : do_queue_file_failure(blame_file(code), "read the file's header");
}

/* SQLite would create the file for all to read; do_file_create makes it private. */
static HRESULT ensure_file(const char *path)
{
    struct do_file *file;
    HRESULT hr;

    if (do_file_exists(path))
        return S_OK;
    hr = do_file_create(path, &file);
    do_file_close(file);
    if (hr == DO_HR_FILE_EXISTS)
        return S_OK;
    if (FAILED(hr))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: cannot create %s: 0x%08x", path,
            (unsigned int)hr);
    return hr;
}

static HRESULT set_up(sqlite3 *connection)
{
    (void)sqlite3_extended_result_codes(connection, 1);
    (void)sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return execute(connection,
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON",
        "set up the connection");
}

/* The schema's version; 0 for an empty file. Fails for a file that is not ours to use. */
static HRESULT read_version(sqlite3 *connection, int64_t *version)
{
    int64_t application;
    int64_t tables;
    HRESULT hr;

    *version = 0;
    if (FAILED(hr = query_number(connection, "PRAGMA application_id", &application)))
        return hr;
    if (FAILED(hr = query_number(connection, "PRAGMA user_version", version)))
        return hr;
    if (FAILED(hr = query_number(connection, "SELECT count(*) FROM sqlite_schema", &tables)))
        return hr;
    if (!application && !*version && !tables)
        return S_OK;
    if (application != APPLICATION_ID || *version < 1)
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE,
            "queue database: the file belongs to another program (application_id 0x%08x)",
            (unsigned int)application);
        return DO_HR_FILE_CORRUPT;
    }
    if (*version > SCHEMA_VERSION)
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE,
            "queue database: the file was written by a newer version (schema %d, ours is %d)",
            (int)*version, (int)SCHEMA_VERSION);
        return DO_HR_FILE_CORRUPT;
    }
    return S_OK;
}

/* Our SQL is right: when it fails, the file is not what its version says. */
static HRESULT upgrade(sqlite3 *connection, const char *sql)
{
    int code = sqlite3_exec(connection, sql, NULL, NULL, NULL);

    if (code == SQLITE_ERROR || (code & 0xFF) == SQLITE_CONSTRAINT)
        code = SQLITE_CORRUPT;
    return code == SQLITE_OK ? S_OK : do_queue_file_failure(code, "bring the schema up to date");
}

static HRESULT write_schema(sqlite3 *connection, int64_t version)
{
    char ids[100];
    HRESULT hr = S_OK;

    for (int64_t i = version; i < SCHEMA_VERSION && SUCCEEDED(hr); i++)
        hr = upgrade(connection, migrations[i]);
    if (FAILED(hr))
        return hr;
    (void)sqlite3_snprintf((int)sizeof(ids), ids,
        "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
        (int)SCHEMA_VERSION);
    return execute(connection, ids, "finish the schema");
}

static void end_transaction(sqlite3 *connection)
{
    if (!sqlite3_get_autocommit(connection))
        (void)execute(connection, "ROLLBACK", "end a transaction");
}

/*
 * Reads first, so that a file that is up to date or not ours is not locked. Each look is one
 * transaction: another process may be writing the schema between any two statements.
 */
static HRESULT migrate(sqlite3 *connection)
{
    int64_t version;
    HRESULT hr;

    if (SUCCEEDED(hr = execute(connection, "BEGIN", "begin a transaction")))
        hr = read_version(connection, &version);
    end_transaction(connection);
    if (FAILED(hr) || version == SCHEMA_VERSION)
        return hr;
    if (SUCCEEDED(hr = execute(connection, "BEGIN IMMEDIATE", "lock the file")) &&
        SUCCEEDED(hr = read_version(connection, &version)))
        hr = write_schema(connection, version);
    end_transaction(connection);
    return hr;
}

static int try_wal(sqlite3 *connection)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
    {
        const unsigned char *mode = sqlite3_column_text(statement, 0);

        code = mode && !strcmp((const char *)mode, "wal") ? SQLITE_OK : SQLITE_ERROR;
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/*
 * The switch is made once in a file's life. It does not wait for other processes that have just
 * opened the new file too, so an exclusive transaction does the waiting.
 */
static HRESULT use_wal(sqlite3 *connection)
{
    int code = try_wal(connection);
    HRESULT hr;

    for (int i = 1; i < WAL_ATTEMPTS && (code & 0xFF) == SQLITE_BUSY; i++)
    {
        if (FAILED(
                hr = execute(connection, "BEGIN EXCLUSIVE; ROLLBACK", "wait for other processes")))
            return hr;
        code = try_wal(connection);
    }
    return code == SQLITE_OK ? S_OK : do_queue_file_failure(code, "use a write-ahead log");
}

HRESULT do_queue_file_open(const char *path, sqlite3 **connection)
{
    sqlite3 *opened = NULL;
    HRESULT hr;
    int code;

    *connection = NULL;
    if (FAILED(hr = ensure_file(path)))
        return hr;
    code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
    {
        hr = do_queue_file_failure(code, "open the file");
        goto done;
    }
    if (FAILED(hr = set_up(opened)))
        goto done;
    if (FAILED(hr = migrate(opened)))
        goto done;
    if (FAILED(hr = use_wal(opened)))
        goto done;
    *connection = opened;
    opened = NULL;

done:
    (void)sqlite3_close(opened);
    return hr;
}
