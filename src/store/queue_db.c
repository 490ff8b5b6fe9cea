/* SPDX-License-Identifier: MIT */
/*
 * The queue in SQLite. Any thread: every verb runs under the lock of its handle and uses statements
 * prepared once, so the connection does without SQLite's own mutexes. queue_db_file.c opens the
 * file, queue_db_rows.c turns records into rows and checks what it reads.
 *
 * Jobs and files keep their values in a table each; struct value_table lets one code serve both.
 *
 * Beyond 600 lines, since every verb shares the one table of statements and its helpers.
 */
#include "store/queue_db.h"

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "plat/plat.h"
#include "store/queue_db_file.h"
#include "store/queue_db_rows.h"

enum verb
{
    INSERT_JOB,
    UPDATE_JOB,
    REMOVE_JOB,
    INSERT_FILE,
    UPDATE_FILE,
    RECORD_RECEIVED,
    BEGIN,
    COMMIT,
    ROLLBACK,
    SELECT_JOBS,
    SELECT_FILES,
    FIND_JOB,
    FIND_FILE,
    SET_JOB_VALUE,
    SET_FILE_VALUE,
    CLEAR_JOB_VALUE,
    CLEAR_FILE_VALUE,
    SELECT_JOB_VALUES,
    SELECT_FILE_VALUES,
    SET_OWNER,
    DISOWN,
    VERB_COUNT
};

struct verb_row
{
    const char *name; /* completes "cannot ..." in the log */
    const char *sql;
};

static const struct verb_row verbs[VERB_COUNT] = {
    [INSERT_JOB] = {"add a job",
        "INSERT INTO jobs (" DO_JOB_COLUMNS ", id, kind, owner_id, owner_start) "
        "VALUES (" DO_JOB_VALUES ", ?, ?, ?, ?)"},
    [UPDATE_JOB] = {"store a job",
        "UPDATE jobs SET (" DO_JOB_COLUMNS ") = (" DO_JOB_VALUES ") WHERE id = ?"},
    [REMOVE_JOB] = {"remove a job", "DELETE FROM jobs WHERE id = ?"},
    [INSERT_FILE] = {"add a file", "INSERT INTO files (" DO_FILE_COLUMNS ", job) "
                                   "SELECT " DO_FILE_VALUES ", row_id FROM jobs WHERE id = ?"},
    [UPDATE_FILE] = {"store a file",
        "UPDATE files SET (" DO_FILE_COLUMNS ") = (" DO_FILE_NEW_VALUES ") WHERE row_id = ?13"},
    [RECORD_RECEIVED] = {"record progress",
        "UPDATE files SET received = ?, transferred = ? WHERE row_id = ? AND temp_path = ?"},
    [BEGIN] = {"begin a transaction", "BEGIN IMMEDIATE"},
    [COMMIT] = {"commit a transaction", "COMMIT"},
    [ROLLBACK] = {"roll back a transaction", "ROLLBACK"},
    [SELECT_JOBS] = {"read the jobs",
        "SELECT owner_id, owner_start, row_id, id, kind, " DO_JOB_COLUMNS
        " FROM jobs ORDER BY row_id"},
    [SELECT_FILES] = {"read the files of a job",
        "SELECT row_id, " DO_FILE_COLUMNS " FROM files WHERE job = ? ORDER BY row_id"},
    [FIND_JOB] = {"find a job", "SELECT row_id FROM jobs WHERE id = ?"},
    [FIND_FILE] = {"find a file", "SELECT row_id FROM files WHERE row_id = ?"},
    [SET_JOB_VALUE] = {"store a property of a job",
        "INSERT INTO job_values (job, id, value) VALUES (?, ?, ?) "
        "ON CONFLICT (job, id) DO UPDATE SET value = excluded.value"},
    [SET_FILE_VALUE] = {"store a property of a file",
        "INSERT INTO file_values (file, id, value) VALUES (?, ?, ?) "
        "ON CONFLICT (file, id) DO UPDATE SET value = excluded.value"},
    [CLEAR_JOB_VALUE] = {"clear a property of a job",
        "DELETE FROM job_values WHERE job = ? AND id = ?"},
    [CLEAR_FILE_VALUE] = {"clear a property of a file",
        "DELETE FROM file_values WHERE file = ? AND id = ?"},
    [SELECT_JOB_VALUES] = {"read the properties of a job",
        "SELECT id, value FROM job_values WHERE job = ? ORDER BY id"},
    [SELECT_FILE_VALUES] = {"read the properties of a file",
        "SELECT id, value FROM file_values WHERE file = ? ORDER BY id"},
    [SET_OWNER] = {"adopt a job", "UPDATE jobs SET owner_id = ?, owner_start = ? WHERE row_id = ?"},
    [DISOWN] = {"give jobs back", "UPDATE jobs SET owner_id = 0, owner_start = 0 "
                                  "WHERE owner_id = ? AND owner_start = ? AND kind = 0"},
};

/* How the values of jobs, or of files, are stored and read. */
struct value_table
{
    enum verb find;
    enum verb set;
    enum verb clear;
    enum verb select;
};

static const struct value_table job_values_table = {
    FIND_JOB, SET_JOB_VALUE, CLEAR_JOB_VALUE, SELECT_JOB_VALUES};
static const struct value_table file_values_table = {
    FIND_FILE, SET_FILE_VALUE, CLEAR_FILE_VALUE, SELECT_FILE_VALUES};

struct do_queue_db
{
    struct do_mutex lock;

    /* Under lock. */
    sqlite3 *connection;
    sqlite3_stmt *statements[VERB_COUNT];
};

/* A job that adopt has read; row_id is its own, files are in the order added. */
struct loaded_job
{
    struct do_list link;
    uint64_t row_id;
    struct do_job_record job;
    struct do_file_record *files;
    size_t file_count;
    size_t file_capacity;
};

static HRESULT prepare(struct do_queue_db *db)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
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
    for (size_t i = 0; i < VERB_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    (void)sqlite3_close(db->connection);
    do_mutex_finish(&db->lock);
    do_free(db);
}

static struct do_row_binder bind_locked(struct do_queue_db *db, enum verb verb)
{
    struct do_row_binder binder = {db->statements[verb], 0, SQLITE_OK};

    return binder;
}

/* Ends the use of a statement. code is that of its last step, or of binding. */
static HRESULT end_locked(struct do_queue_db *db, enum verb verb, int code)
{
    (void)sqlite3_reset(db->statements[verb]);
    (void)sqlite3_clear_bindings(db->statements[verb]);
    return code == SQLITE_OK || code == SQLITE_DONE ? S_OK
                                                    : do_queue_file_failure(code, verbs[verb].name);
}

/* Runs a statement that gives no rows. */
static HRESULT run_locked(struct do_queue_db *db, enum verb verb, int bind_code)
{
    int code = bind_code == SQLITE_OK ? sqlite3_step(db->statements[verb]) : bind_code;

    return end_locked(db, verb, code);
}

/* Likewise; DO_E_JOB_NOT_FOUND when no row was hit. */
static HRESULT change_row_locked(struct do_queue_db *db, enum verb verb, int bind_code)
{
    HRESULT hr = run_locked(db, verb, bind_code);

    return SUCCEEDED(hr) && !sqlite3_changes(db->connection) ? DO_E_JOB_NOT_FOUND : hr;
}

static HRESULT begin_locked(struct do_queue_db *db)
{
    return run_locked(db, BEGIN, SQLITE_OK);
}

/* Commits what has gone well so far (hr), else rolls back. */
static HRESULT end_transaction_locked(struct do_queue_db *db, HRESULT hr)
{
    if (SUCCEEDED(hr))
        hr = run_locked(db, COMMIT, SQLITE_OK);
    /* Some failures end the transaction by themselves. */
    if (!sqlite3_get_autocommit(db->connection))
        (void)run_locked(db, ROLLBACK, SQLITE_OK);
    return hr;
}

/* The row that the verb, already bound, finds; DO_E_JOB_NOT_FOUND. */
static HRESULT find_row_locked(struct do_queue_db *db, enum verb verb, int bind_code, int64_t *row)
{
    int code = bind_code == SQLITE_OK ? sqlite3_step(db->statements[verb]) : bind_code;
    bool found = code == SQLITE_ROW;
    HRESULT hr;

    *row = found ? sqlite3_column_int64(db->statements[verb], 0) : 0;
    hr = end_locked(db, verb, found ? SQLITE_DONE : code);
    return SUCCEEDED(hr) && !found ? DO_E_JOB_NOT_FOUND : hr;
}

static HRESULT store_value_locked(struct do_queue_db *db, const struct value_table *table,
    int64_t row, const struct do_setting *setting)
{
    bool empty = setting->value.kind == DO_VALUE_EMPTY;
    enum verb verb = empty ? table->clear : table->set;
    struct do_row_binder binder = bind_locked(db, verb);
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
    return run_locked(db, verb, binder.code);
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
    struct do_row_binder binder = bind_locked(db, INSERT_JOB);
    HRESULT hr;

    do_row_bind_job(&binder, job);
    do_row_bind_guid(&binder, &job->id);
    do_row_bind_u64(&binder, job->kind);
    do_row_bind_u64(&binder, job->owner.id);
    do_row_bind_u64(&binder, job->owner.start);
    if (FAILED(hr = run_locked(db, INSERT_JOB, binder.code)))
        return hr;
    return store_values_locked(db, &job_values_table, sqlite3_last_insert_rowid(db->connection),
        job->values.items, job->values.count);
}

HRESULT do_queue_db_insert_job(struct do_queue_db *db, const struct do_job_record *job)
{
    HRESULT hr;

    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = begin_locked(db)))
        hr = end_transaction_locked(db, insert_job_locked(db, job));
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_update_job(struct do_queue_db *db, const struct do_job_record *job)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, UPDATE_JOB);
    do_row_bind_job(&binder, job);
    do_row_bind_guid(&binder, &job->id);
    hr = change_row_locked(db, UPDATE_JOB, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_remove_job(struct do_queue_db *db, const struct do_guid *id)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, REMOVE_JOB);
    do_row_bind_guid(&binder, id);
    hr = run_locked(db, REMOVE_JOB, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

static HRESULT insert_file_locked(
    struct do_queue_db *db, const struct do_guid *job_id, struct do_file_record *file)
{
    struct do_row_binder binder = bind_locked(db, INSERT_FILE);
    HRESULT hr;

    do_row_bind_file(&binder, file);
    do_row_bind_guid(&binder, job_id);
    if (FAILED(hr = change_row_locked(db, INSERT_FILE, binder.code)))
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
    if (SUCCEEDED(hr = begin_locked(db)))
    {
        for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
            hr = insert_file_locked(db, job_id, files[i]);
        hr = end_transaction_locked(db, hr);
    }
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_insert_file(
    struct do_queue_db *db, const struct do_guid *job_id, struct do_file_record *file)
{
    return do_queue_db_insert_files(db, job_id, &file, 1);
}

HRESULT do_queue_db_update_file(struct do_queue_db *db, const struct do_file_record *file)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, UPDATE_FILE);
    do_row_bind_file(&binder, file);
    do_row_bind_u64(&binder, (uint64_t)file->row_id);
    hr = change_row_locked(db, UPDATE_FILE, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

/* Stores values of the row that table->find, already bound, finds. */
static HRESULT set_values_locked(struct do_queue_db *db, const struct value_table *table,
    int bind_code, const struct do_setting *settings, size_t count)
{
    HRESULT hr;
    int64_t row;

    if (FAILED(hr = begin_locked(db)))
        return hr;
    if (SUCCEEDED(hr = find_row_locked(db, table->find, bind_code, &row)))
        hr = store_values_locked(db, table, row, settings, count);
    return end_transaction_locked(db, hr);
}

HRESULT do_queue_db_set_job_values(struct do_queue_db *db, const struct do_guid *job_id,
    const struct do_setting *settings, size_t count)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, FIND_JOB);
    do_row_bind_guid(&binder, job_id);
    hr = set_values_locked(db, &job_values_table, binder.code, settings, count);
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_set_file_values(
    struct do_queue_db *db, int64_t row_id, const struct do_setting *settings, size_t count)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, FIND_FILE);
    do_row_bind_u64(&binder, (uint64_t)row_id);
    hr = set_values_locked(db, &file_values_table, binder.code, settings, count);
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_record_received(struct do_queue_db *db, int64_t row_id, const char *temp_path,
    const struct do_range_set *received, bool transferred)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, RECORD_RECEIVED);
    do_row_bind_ranges(&binder, received->ranges, received->count);
    do_row_bind_u64(&binder, transferred);
    do_row_bind_u64(&binder, (uint64_t)row_id);
    do_row_bind_text(&binder, temp_path);
    hr = run_locked(db, RECORD_RECEIVED, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}

static void destroy_loaded(struct loaded_job *loaded)
{
    if (!loaded)
        return;
    for (size_t i = 0; i < loaded->file_count; i++)
        do_file_record_finish(&loaded->files[i]);
    do_free(loaded->files);
    do_job_record_finish(&loaded->job);
    do_free(loaded);
}

/* Room for one more file; NULL when out of memory. */
static struct do_file_record *append_file(struct loaded_job *loaded)
{
    if (loaded->file_count == loaded->file_capacity)
    {
        size_t capacity = loaded->file_capacity ? loaded->file_capacity * 2 : 4;
        struct do_file_record *grown = do_realloc_array(loaded->files, capacity, sizeof(*grown));

        if (!grown)
            return NULL;
        loaded->files = grown;
        loaded->file_capacity = capacity;
    }
    do_file_record_init(&loaded->files[loaded->file_count]);
    return &loaded->files[loaded->file_count++];
}

/* *broken is set, and the rest is not read, when a value makes no sense. */
static HRESULT load_values_locked(struct do_queue_db *db, enum verb select, uint64_t row,
    struct do_values *values, const char **broken)
{
    struct do_row_binder binder = bind_locked(db, select);
    int code;

    do_row_bind_u64(&binder, row);
    if ((code = binder.code) == SQLITE_OK)
        code = sqlite3_step(binder.statement);
    while (code == SQLITE_ROW && !*broken)
    {
        struct do_row_reader reader = {binder.statement, 0, NULL, false};

        do_row_read_setting(&reader, values);
        if (reader.broken)
        {
            *broken = "property";
            do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: %s of property %lld makes no sense",
                reader.broken, (long long)sqlite3_column_int64(binder.statement, 0));
        }
        code = reader.no_memory ? SQLITE_NOMEM : sqlite3_step(binder.statement);
    }
    return end_locked(db, select, code == SQLITE_ROW ? SQLITE_DONE : code);
}

/* Reads the file in the current row of SELECT_FILES. */
static HRESULT load_file_locked(
    struct do_queue_db *db, struct loaded_job *loaded, const char **broken)
{
    struct do_row_reader reader = {db->statements[SELECT_FILES], 0, NULL, false};
    struct do_file_record *file = append_file(loaded);

    if (file)
    {
        file->row_id = (int64_t)do_row_read_u64(&reader);
        do_row_read_file(&reader, file);
    }
    if (!file || reader.no_memory)
        return do_queue_file_failure(SQLITE_NOMEM, verbs[SELECT_FILES].name);
    if (reader.broken)
    {
        *broken = "file";
        do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: %s of file %lld makes no sense",
            reader.broken, (long long)file->row_id);
        return S_OK;
    }
    return load_values_locked(
        db, SELECT_FILE_VALUES, (uint64_t)file->row_id, &file->values, broken);
}

/* *broken is set, and the rest is not read, when a file or a value of it makes no sense. */
static HRESULT load_files_locked(
    struct do_queue_db *db, struct loaded_job *loaded, const char **broken)
{
    struct do_row_binder binder = bind_locked(db, SELECT_FILES);
    int code;

    do_row_bind_u64(&binder, loaded->row_id);
    if ((code = binder.code) == SQLITE_OK)
        code = sqlite3_step(binder.statement);
    while (code == SQLITE_ROW && !*broken)
    {
        HRESULT hr;

        if (FAILED(hr = load_file_locked(db, loaded, broken)))
        {
            (void)end_locked(db, SELECT_FILES, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(binder.statement);
    }
    return end_locked(db, SELECT_FILES, code == SQLITE_ROW ? SQLITE_DONE : code);
}

/*
 * Adds the job in the current row of SELECT_JOBS to jobs, if it has no living owner and makes
 * sense. A job with a broken file or property is left out as a whole: without that file it could
 * end as complete, without that property it could do what its client forbade.
 */
static HRESULT load_job_locked(struct do_queue_db *db, struct do_process self, struct do_list *jobs)
{
    struct do_row_reader reader = {db->statements[SELECT_JOBS], 0, NULL, false};
    struct loaded_job *loaded = NULL;
    struct do_process owner;
    const char *broken = NULL;
    HRESULT hr = S_OK;

    owner.id = do_row_read_u64(&reader);
    owner.start = do_row_read_u64(&reader);
    /* Our own are left from an engine that could not give them back. */
    if (!reader.broken && (owner.id != self.id || owner.start != self.start) &&
        do_process_is_alive(owner))
        return S_OK;
    if (!(loaded = do_alloc(sizeof(*loaded))))
        return do_queue_file_failure(SQLITE_NOMEM, verbs[SELECT_JOBS].name);
    do_job_record_init(&loaded->job);
    loaded->job.owner = owner;
    loaded->row_id = do_row_read_u64(&reader);
    do_row_read_guid(&reader, &loaded->job.id);
    loaded->job.kind = do_row_read_kind(&reader);
    do_row_read_job(&reader, &loaded->job);
    if (reader.no_memory)
    {
        hr = do_queue_file_failure(SQLITE_NOMEM, verbs[SELECT_JOBS].name);
        goto done;
    }
    broken = reader.broken;
    if (!broken && (FAILED(hr = load_values_locked(db, SELECT_JOB_VALUES, loaded->row_id,
                               &loaded->job.values, &broken)) ||
                       FAILED(hr = load_files_locked(db, loaded, &broken))))
        goto done;
    if (!broken && loaded->job.error_file != UINT32_MAX &&
        loaded->job.error_file >= loaded->file_count)
        broken = "error_file";
    if (broken)
    {
        do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: job in row %llu is skipped: broken %s",
            (unsigned long long)loaded->row_id, broken);
        goto done;
    }
    do_list_add_tail(jobs, &loaded->link);
    loaded = NULL;

done:
    destroy_loaded(loaded);
    return hr;
}

static HRESULT load_orphans_locked(
    struct do_queue_db *db, struct do_process self, struct do_list *jobs)
{
    sqlite3_stmt *statement = db->statements[SELECT_JOBS];
    int code = sqlite3_step(statement);

    while (code == SQLITE_ROW)
    {
        HRESULT hr;

        if (FAILED(hr = load_job_locked(db, self, jobs)))
        {
            (void)end_locked(db, SELECT_JOBS, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(statement);
    }
    return end_locked(db, SELECT_JOBS, code);
}

static HRESULT claim_locked(struct do_queue_db *db, struct do_list *jobs, struct do_process self)
{
    DO_LIST_FOR_EACH (link, jobs)
    {
        struct loaded_job *loaded = DO_LIST_ENTRY(link, struct loaded_job, link);
        struct do_row_binder binder = bind_locked(db, SET_OWNER);
        HRESULT hr;

        do_row_bind_u64(&binder, self.id);
        do_row_bind_u64(&binder, self.start);
        do_row_bind_u64(&binder, loaded->row_id);
        if (FAILED(hr = run_locked(db, SET_OWNER, binder.code)))
            return hr;
    }
    return S_OK;
}

static HRESULT adopt_locked(struct do_queue_db *db, struct do_process self, struct do_list *jobs)
{
    HRESULT hr;

    if (FAILED(hr = begin_locked(db)))
        return hr;
    if (SUCCEEDED(hr = load_orphans_locked(db, self, jobs)))
        hr = claim_locked(db, jobs, self);
    return end_transaction_locked(db, hr);
}

HRESULT do_queue_db_adopt(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx)
{
    struct do_list jobs;
    HRESULT hr;

    do_list_init(&jobs);
    do_mutex_lock(&db->lock);
    hr = adopt_locked(db, self, &jobs);
    do_mutex_unlock(&db->lock);

    while (!do_list_is_empty(&jobs))
    {
        struct loaded_job *loaded = DO_LIST_ENTRY(do_list_pop(&jobs), struct loaded_job, link);

        if (SUCCEEDED(hr))
            hr = function(ctx, &loaded->job, loaded->files, loaded->file_count);
        destroy_loaded(loaded);
    }
    return hr;
}

HRESULT do_queue_db_disown(struct do_queue_db *db, struct do_process self)
{
    struct do_row_binder binder;
    HRESULT hr;

    do_mutex_lock(&db->lock);
    binder = bind_locked(db, DISOWN);
    do_row_bind_u64(&binder, self.id);
    do_row_bind_u64(&binder, self.start);
    hr = run_locked(db, DISOWN, binder.code);
    do_mutex_unlock(&db->lock);
    return hr;
}
