/* SPDX-License-Identifier: MIT */
/*
 * What is read of the queue: jobs with their files and values, which of them are wanted, and the
 * files that are to be deleted. Every walk copies under the lock what it hands out without it, so
 * that the function may call any verb.
 */
#include "store/queue_db.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "store/queue_db_file.h"
#include "store/queue_db_internal.h"

/* A job that was read; row_id is its own, files are in the order added. */
struct loaded_job
{
    struct do_list link;
    uint64_t row_id;
    struct do_job_record job;
    struct do_file_record *files;
    size_t file_count;
    size_t file_capacity;
};

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
static HRESULT load_values_locked(struct do_queue_db *db, enum do_queue_verb select, uint64_t row,
    struct do_values *values, const char **broken)
{
    struct do_row_binder binder = do_queue_bind_locked(db, select);
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
    return do_queue_end_locked(db, select, code == SQLITE_ROW ? SQLITE_DONE : code);
}

/* Reads the file in the current row of DO_VERB_SELECT_FILES. */
static HRESULT load_file_locked(
    struct do_queue_db *db, struct loaded_job *loaded, const char **broken)
{
    struct do_row_reader reader = {db->statements[DO_VERB_SELECT_FILES], 0, NULL, false};
    struct do_file_record *file = append_file(loaded);

    if (file)
    {
        file->row_id = (int64_t)do_row_read_u64(&reader);
        file->temp_time = do_row_read_u64(&reader);
        do_row_read_file(&reader, file);
    }
    if (!file || reader.no_memory)
        return do_queue_file_failure(SQLITE_NOMEM, do_queue_verb_name(DO_VERB_SELECT_FILES));
    if (reader.broken)
    {
        *broken = "file";
        do_log(DO_LOG_WARN, DO_LOG_STORE, "queue database: %s of file %lld makes no sense",
            reader.broken, (long long)file->row_id);
        return S_OK;
    }
    return load_values_locked(
        db, DO_VERB_SELECT_FILE_VALUES, (uint64_t)file->row_id, &file->values, broken);
}

/* *broken is set, and the rest is not read, when a file or a value of it makes no sense. */
static HRESULT load_files_locked(
    struct do_queue_db *db, struct loaded_job *loaded, const char **broken)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_SELECT_FILES);
    int code;

    do_row_bind_u64(&binder, loaded->row_id);
    if ((code = binder.code) == SQLITE_OK)
        code = sqlite3_step(binder.statement);
    while (code == SQLITE_ROW && !*broken)
    {
        HRESULT hr;

        if (FAILED(hr = load_file_locked(db, loaded, broken)))
        {
            (void)do_queue_end_locked(db, DO_VERB_SELECT_FILES, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(binder.statement);
    }
    return do_queue_end_locked(db, DO_VERB_SELECT_FILES, code == SQLITE_ROW ? SQLITE_DONE : code);
}

static bool is_same(struct do_process a, struct do_process b)
{
    return a.id == b.id && a.start == b.start;
}

/* Which jobs a walk is for. */
enum wanted_owner
{
    OWNER_SELF_OR_DEAD,
    OWNER_DEAD,
    OWNER_ALIVE_OTHER,
    OWNER_ANY
};

static bool is_alive_locked(struct do_queue_db *db, struct do_process process)
{
    if (!is_same(process, db->looked_up))
    {
        db->looked_up = process;
        db->looked_up_lives = do_process_is_alive(process);
    }
    return db->looked_up_lives;
}

static void begin_walk_locked(struct do_queue_db *db)
{
    memset(&db->looked_up, 0, sizeof(db->looked_up));
    db->looked_up_lives = false;
}

static bool is_for_walk_locked(struct do_queue_db *db, enum wanted_owner wanted,
    struct do_process owner, struct do_process self)
{
    /* Our own are left from an engine that could not give them back. */
    bool is_own = is_same(owner, self);

    switch (wanted)
    {
    case OWNER_SELF_OR_DEAD:
        return is_own || !is_alive_locked(db, owner);
    case OWNER_DEAD:
        return !is_own && !is_alive_locked(db, owner);
    case OWNER_ALIVE_OTHER:
        return !is_own && is_alive_locked(db, owner);
    case OWNER_ANY:
        break;
    }
    return true;
}

/*
 * Adds the job in the current row of the statement to jobs, if the walk is for it and it makes
 * sense. A job with a broken file or property is left out as a whole: without that file it could
 * end as complete, without that property it could do what its client forbade.
 */
static HRESULT load_job_locked(struct do_queue_db *db, enum do_queue_verb verb,
    enum wanted_owner wanted, struct do_process self, struct do_list *jobs)
{
    struct do_row_reader reader = {db->statements[verb], 0, NULL, false};
    struct loaded_job *loaded = NULL;
    struct do_process owner;
    const char *broken = NULL;
    HRESULT hr = S_OK;

    owner.id = do_row_read_u64(&reader);
    owner.start = do_row_read_u64(&reader);
    if (!reader.broken && !is_for_walk_locked(db, wanted, owner, self))
        return S_OK;
    if (!(loaded = do_alloc(sizeof(*loaded))))
        return do_queue_file_failure(SQLITE_NOMEM, do_queue_verb_name(DO_VERB_SELECT_JOBS));
    do_job_record_init(&loaded->job);
    loaded->job.owner = owner;
    loaded->row_id = do_row_read_u64(&reader);
    do_row_read_guid(&reader, &loaded->job.id);
    loaded->job.kind = do_row_read_kind(&reader);
    do_row_read_job(&reader, &loaded->job);
    if (reader.no_memory)
    {
        hr = do_queue_file_failure(SQLITE_NOMEM, do_queue_verb_name(DO_VERB_SELECT_JOBS));
        goto done;
    }
    broken = reader.broken;
    if (!broken && (FAILED(hr = load_values_locked(db, DO_VERB_SELECT_JOB_VALUES, loaded->row_id,
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

/* bind_code: of the statement, whose values are bound. */
static HRESULT load_jobs_locked(struct do_queue_db *db, enum do_queue_verb verb, int bind_code,
    enum wanted_owner wanted, struct do_process self, struct do_list *jobs)
{
    sqlite3_stmt *statement = db->statements[verb];
    int code = bind_code == SQLITE_OK ? sqlite3_step(statement) : bind_code;

    begin_walk_locked(db);
    while (code == SQLITE_ROW)
    {
        HRESULT hr;

        if (FAILED(hr = load_job_locked(db, verb, wanted, self, jobs)))
        {
            (void)do_queue_end_locked(db, verb, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(statement);
    }
    return do_queue_end_locked(db, verb, code);
}

static HRESULT claim_locked(struct do_queue_db *db, struct do_list *jobs, struct do_process self)
{
    DO_LIST_FOR_EACH (link, jobs)
    {
        struct loaded_job *loaded = DO_LIST_ENTRY(link, struct loaded_job, link);
        struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_SET_OWNER);
        HRESULT hr;

        do_row_bind_u64(&binder, self.id);
        do_row_bind_u64(&binder, self.start);
        do_row_bind_u64(&binder, loaded->row_id);
        if (FAILED(hr = do_queue_run_locked(db, DO_VERB_SET_OWNER, binder.code)))
            return hr;
    }
    return S_OK;
}

static HRESULT adopt_locked(
    struct do_queue_db *db, enum wanted_owner wanted, struct do_process self, struct do_list *jobs)
{
    HRESULT hr;

    if (FAILED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        return hr;
    if (SUCCEEDED(hr = load_jobs_locked(db, DO_VERB_SELECT_JOBS, SQLITE_OK, wanted, self, jobs)))
        hr = claim_locked(db, jobs, self);
    return do_queue_end_transaction_locked(db, hr);
}

/* Hands each job to function until one fails, and frees all. hr: how the walk went so far. */
static HRESULT show_jobs(struct do_list *jobs, do_queue_db_job_fn function, void *ctx, HRESULT hr)
{
    while (!do_list_is_empty(jobs))
    {
        struct loaded_job *loaded = DO_LIST_ENTRY(do_list_pop(jobs), struct loaded_job, link);

        if (SUCCEEDED(hr))
            hr = function(ctx, &loaded->job, loaded->files, loaded->file_count);
        destroy_loaded(loaded);
    }
    return hr;
}

static HRESULT adopt(struct do_queue_db *db, enum wanted_owner wanted, struct do_process self,
    do_queue_db_job_fn function, void *ctx)
{
    struct do_list jobs;
    HRESULT hr;

    do_list_init(&jobs);
    do_mutex_lock(&db->lock);
    hr = adopt_locked(db, wanted, self, &jobs);
    do_mutex_unlock(&db->lock);
    return show_jobs(&jobs, function, ctx, hr);
}

HRESULT do_queue_db_adopt(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx)
{
    return adopt(db, OWNER_SELF_OR_DEAD, self, function, ctx);
}

HRESULT do_queue_db_adopt_orphans(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx)
{
    return adopt(db, OWNER_DEAD, self, function, ctx);
}

HRESULT do_queue_db_list_foreign(
    struct do_queue_db *db, struct do_process self, do_queue_db_job_fn function, void *ctx)
{
    struct do_list jobs;
    HRESULT hr;

    do_list_init(&jobs);
    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN_READ)))
        hr = do_queue_end_transaction_locked(db,
            load_jobs_locked(db, DO_VERB_SELECT_JOBS, SQLITE_OK, OWNER_ALIVE_OTHER, self, &jobs));
    do_mutex_unlock(&db->lock);
    return show_jobs(&jobs, function, ctx, hr);
}

HRESULT do_queue_db_read_job(
    struct do_queue_db *db, const struct do_guid *id, do_queue_db_job_fn function, void *ctx)
{
    const struct do_process nobody = {0, 0};
    struct do_row_binder binder;
    struct do_list jobs;
    HRESULT hr;

    do_list_init(&jobs);
    do_mutex_lock(&db->lock);
    if (SUCCEEDED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN_READ)))
    {
        binder = do_queue_bind_locked(db, DO_VERB_SELECT_JOB);
        do_row_bind_guid(&binder, id);
        hr = do_queue_end_transaction_locked(
            db, load_jobs_locked(db, DO_VERB_SELECT_JOB, binder.code, OWNER_ANY, nobody, &jobs));
    }
    do_mutex_unlock(&db->lock);
    if (SUCCEEDED(hr) && do_list_is_empty(&jobs))
        return DO_E_JOB_NOT_FOUND;
    return show_jobs(&jobs, function, ctx, hr);
}

/* Who owns what */

static struct do_process read_process(sqlite3_stmt *statement, int column)
{
    struct do_process process;

    process.id = (uint64_t)sqlite3_column_int64(statement, column);
    process.start = (uint64_t)sqlite3_column_int64(statement, column + 1);
    return process;
}

HRESULT do_queue_db_get_owner(struct do_queue_db *db, const struct do_guid *id,
    struct do_process *owner, struct do_process *wanted_by)
{
    struct do_row_binder binder;
    bool found;
    HRESULT hr;
    int code;

    memset(owner, 0, sizeof(*owner));
    memset(wanted_by, 0, sizeof(*wanted_by));
    do_mutex_lock(&db->lock);
    binder = do_queue_bind_locked(db, DO_VERB_SELECT_OWNER);
    do_row_bind_guid(&binder, id);
    if ((code = binder.code) == SQLITE_OK)
        code = sqlite3_step(binder.statement);
    if ((found = code == SQLITE_ROW))
    {
        *owner = read_process(binder.statement, 0);
        *wanted_by = read_process(binder.statement, 2);
        code = SQLITE_DONE;
    }
    hr = do_queue_end_locked(db, DO_VERB_SELECT_OWNER, code);
    do_mutex_unlock(&db->lock);
    return SUCCEEDED(hr) && !found ? DO_E_JOB_NOT_FOUND : hr;
}

HRESULT do_queue_db_count_orphans(struct do_queue_db *db, struct do_process self, uint64_t *count)
{
    sqlite3_stmt *statement;
    HRESULT hr;
    int code;

    *count = 0;
    do_mutex_lock(&db->lock);
    statement = db->statements[DO_VERB_COUNT_OWNERS];
    begin_walk_locked(db);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
    {
        if (is_for_walk_locked(db, OWNER_DEAD, read_process(statement, 0), self))
            *count += (uint64_t)sqlite3_column_int64(statement, 2);
    }
    hr = do_queue_end_locked(db, DO_VERB_COUNT_OWNERS, code);
    do_mutex_unlock(&db->lock);
    return hr;
}

HRESULT do_queue_db_get_version(struct do_queue_db *db, uint64_t *version)
{
    sqlite3_stmt *statement;
    HRESULT hr;
    int code;

    *version = 0;
    do_mutex_lock(&db->lock);
    statement = db->statements[DO_VERB_VERSION];
    if ((code = sqlite3_step(statement)) == SQLITE_ROW)
    {
        *version = (uint64_t)sqlite3_column_int64(statement, 0);
        code = SQLITE_DONE;
    }
    hr = do_queue_end_locked(db, DO_VERB_VERSION, code);
    do_mutex_unlock(&db->lock);
    return hr;
}

/* Which jobs are wanted */

struct wanted_job
{
    struct do_list link;
    struct do_guid id;
    struct do_process by;
};

/* A process that is gone wants nothing any more. */
static HRESULT load_wanted_row_locked(
    struct do_queue_db *db, struct do_process self, struct do_list *list)
{
    struct do_row_reader reader = {db->statements[DO_VERB_SELECT_WANTED], 0, NULL, false};
    struct wanted_job *wanted = do_alloc(sizeof(*wanted));

    if (!wanted)
        return do_queue_file_failure(SQLITE_NOMEM, do_queue_verb_name(DO_VERB_SELECT_WANTED));
    do_row_read_guid(&reader, &wanted->id);
    wanted->by.id = do_row_read_u64(&reader);
    wanted->by.start = do_row_read_u64(&reader);
    if (reader.broken || is_same(wanted->by, self) || !do_process_is_alive(wanted->by))
        do_free(wanted);
    else
        do_list_add_tail(list, &wanted->link);
    return S_OK;
}

static HRESULT load_wanted_locked(
    struct do_queue_db *db, struct do_process self, struct do_list *list)
{
    struct do_row_binder binder = do_queue_bind_locked(db, DO_VERB_SELECT_WANTED);
    int code;

    do_row_bind_u64(&binder, self.id);
    do_row_bind_u64(&binder, self.start);
    if ((code = binder.code) == SQLITE_OK)
        code = sqlite3_step(binder.statement);
    while (code == SQLITE_ROW)
    {
        HRESULT hr;

        if (FAILED(hr = load_wanted_row_locked(db, self, list)))
        {
            (void)do_queue_end_locked(db, DO_VERB_SELECT_WANTED, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(binder.statement);
    }
    return do_queue_end_locked(db, DO_VERB_SELECT_WANTED, code);
}

HRESULT do_queue_db_wanted(
    struct do_queue_db *db, struct do_process self, do_queue_db_wanted_fn function, void *ctx)
{
    struct do_list list;
    HRESULT hr;

    do_list_init(&list);
    do_mutex_lock(&db->lock);
    hr = load_wanted_locked(db, self, &list);
    do_mutex_unlock(&db->lock);
    while (!do_list_is_empty(&list))
    {
        struct wanted_job *wanted = DO_LIST_ENTRY(do_list_pop(&list), struct wanted_job, link);

        if (SUCCEEDED(hr))
            hr = function(ctx, &wanted->id, wanted->by);
        do_free(wanted);
    }
    return hr;
}

/* Files that are to be deleted */

struct trash
{
    struct do_list link;
    char *path;
    char *target; /* NULL = of a stream */
    bool gone;
};

static void destroy_trash(struct trash *trash)
{
    if (!trash)
        return;
    do_free(trash->path);
    do_free(trash->target);
    do_free(trash);
}

/* A text without zeros, or NULL for what is none. */
static HRESULT read_path(sqlite3_stmt *statement, int column, char **path)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    *path = NULL;
    if (sqlite3_column_type(statement, column) != SQLITE_TEXT || !text ||
        strlen((const char *)text) != (size_t)sqlite3_column_bytes(statement, column))
        return S_OK;
    *path = do_str_dup((const char *)text);
    return *path ? S_OK : E_OUTOFMEMORY;
}

static HRESULT load_trash_row_locked(struct do_queue_db *db, struct do_list *list)
{
    sqlite3_stmt *statement = db->statements[DO_VERB_SELECT_TRASH];
    struct trash *trash = do_alloc(sizeof(*trash));

    if (!trash || FAILED(read_path(statement, 0, &trash->path)) ||
        FAILED(read_path(statement, 1, &trash->target)))
    {
        destroy_trash(trash);
        return do_queue_file_failure(SQLITE_NOMEM, do_queue_verb_name(DO_VERB_SELECT_TRASH));
    }
    if (trash->path)
        do_list_add_tail(list, &trash->link);
    else
        destroy_trash(trash);
    return S_OK;
}

static HRESULT load_trash_locked(struct do_queue_db *db, struct do_list *list)
{
    int code = sqlite3_step(db->statements[DO_VERB_SELECT_TRASH]);

    while (code == SQLITE_ROW)
    {
        HRESULT hr;

        if (FAILED(hr = load_trash_row_locked(db, list)))
        {
            (void)do_queue_end_locked(db, DO_VERB_SELECT_TRASH, SQLITE_DONE);
            return hr;
        }
        code = sqlite3_step(db->statements[DO_VERB_SELECT_TRASH]);
    }
    return do_queue_end_locked(db, DO_VERB_SELECT_TRASH, code);
}

static HRESULT forget_trash_locked(struct do_queue_db *db, struct do_list *list)
{
    HRESULT hr;

    if (FAILED(hr = do_queue_begin_locked(db, DO_VERB_BEGIN)))
        return hr;
    DO_LIST_FOR_EACH (link, list)
    {
        struct trash *trash = DO_LIST_ENTRY(link, struct trash, link);
        struct do_row_binder binder;

        if (!trash->gone || FAILED(hr))
            continue;
        binder = do_queue_bind_locked(db, DO_VERB_FORGET_TRASH);
        do_row_bind_text(&binder, trash->path);
        hr = do_queue_run_locked(db, DO_VERB_FORGET_TRASH, binder.code);
    }
    return do_queue_end_transaction_locked(db, hr);
}

HRESULT do_queue_db_empty_trash(struct do_queue_db *db, do_queue_db_trash_fn function, void *ctx)
{
    struct do_list list;
    bool any = false;
    HRESULT hr;

    do_list_init(&list);
    do_mutex_lock(&db->lock);
    hr = load_trash_locked(db, &list);
    do_mutex_unlock(&db->lock);
    DO_LIST_FOR_EACH (link, &list)
    {
        struct trash *trash = DO_LIST_ENTRY(link, struct trash, link);

        if (SUCCEEDED(hr))
            trash->gone = function(ctx, trash->path, trash->target);
        any = any || trash->gone;
    }
    if (any)
    {
        do_mutex_lock(&db->lock);
        hr = forget_trash_locked(db, &list);
        do_mutex_unlock(&db->lock);
    }
    while (!do_list_is_empty(&list))
        destroy_trash(DO_LIST_ENTRY(do_list_pop(&list), struct trash, link));
    return hr;
}
