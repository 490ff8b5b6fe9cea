/* SPDX-License-Identifier: MIT */
/*
 * The queue's file, as something else left it: the bytes of a good one changed or cut off, or its
 * rows filled with other values by SQL. It is refused with a code that says so, or every job that
 * it gives makes sense, is the same when it was stored and read again, and can be removed. Runs in
 * $TMPDIR, which is better in memory.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz/fuzz.h"

#include <unistd.h>

#include <sqlite3.h>

#include "base/str.h"
#include "store/queue_db.h"

#define JOBS_LIMIT 8U

static const struct do_process self = {0x7FFFFFF0, 12345};

static char path[512];
static uint8_t *good;
static size_t good_size;

static void remove_files(void)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    char name[sizeof(path) + 16];

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
    {
        (void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        (void)remove(name);
    }
}

static void write_file(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

static uint8_t *read_file(size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long length;

    FUZZ_CHECK(file && !fseek(file, 0, SEEK_END) && (length = ftell(file)) >= 0);
    rewind(file);
    FUZZ_CHECK((data = malloc((size_t)length + 1)) != NULL);
    *size = fread(data, 1, (size_t)length, file);
    FUZZ_CHECK(*size == (size_t)length && !fclose(file));
    return data;
}

static void set(struct do_values *values, uint32_t id, struct do_value value)
{
    FUZZ_CHECK(do_values_set(values, id, &value) == S_OK);
}

static void add_file(struct do_queue_db *db, const struct do_guid *job, bool is_part)
{
    struct do_range ranges[] = {{10, 20}, {0, 5}};
    struct do_file_record file;

    do_file_record_init(&file);
    FUZZ_CHECK(do_str_assign(&file.url, "http://example.com/file") == S_OK);
    FUZZ_CHECK(do_str_assign(&file.local_path, "C:\\folder\\file") == S_OK);
    FUZZ_CHECK(do_str_assign(&file.temp_path, "C:\\folder\\BIT1.tmp") == S_OK);
    FUZZ_CHECK(do_str_assign(&file.etag, "\"x\"") == S_OK);
    file.remote_size = 100;
    if (is_part)
    {
        file.range_count = 2;
        FUZZ_CHECK((file.ranges = do_memdup(ranges, sizeof(ranges))) != NULL);
        set(&file.values, 3, do_value_of_text("text"));
        set(&file.values, 4, do_value_of_bytes("\x00\xFF", 2));
    }
    FUZZ_CHECK(do_range_set_add(&file.received, 0, 5) == S_OK);
    FUZZ_CHECK(do_range_set_add(&file.received, 7, 9) == S_OK);
    FUZZ_CHECK(do_queue_db_insert_file(db, job, &file) == S_OK);
    do_file_record_finish(&file);
}

static void add_job(struct do_queue_db *db, uint8_t number, uint32_t kind)
{
    struct do_job_record job;

    do_job_record_init(&job);
    memset(job.id.bytes, number, sizeof(job.id.bytes));
    job.kind = kind;
    FUZZ_CHECK(do_str_assign(&job.display_name, "job") == S_OK);
    job.priority = number;
    set(&job.values, 1, do_value_of_number(UINT64_MAX));
    set(&job.values, 2, do_value_of_text("\xC3\xA4"));
    FUZZ_CHECK(do_queue_db_insert_job(db, &job) == S_OK);
    add_file(db, &job.id, kind != 0);
    if (!kind)
        add_file(db, &job.id, true);
    do_job_record_finish(&job);
}

/* The good file that all others are made of. */
static void prepare(void)
{
    const char *folder = getenv("TMPDIR");
    struct do_queue_db *db;

    if (good)
        return;
    (void)snprintf(path, sizeof(path), "%s/dosvc-fuzz-%ld.db", folder && *folder ? folder : "/tmp",
        (long)getpid());
    remove_files();
    FUZZ_CHECK(do_queue_db_open(path, &db) == S_OK);
    add_job(db, 1, DO_JOB_KIND_LEGACY);
    add_job(db, 2, DO_JOB_KIND_DOWNLOAD);
    do_queue_db_close(db);
    good = read_file(&good_size);
    remove_files();
}

/* FNV-1a, over what a record says. */
static void mix(uint64_t *hash, const void *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        *hash = (*hash ^ ((const uint8_t *)data)[i]) * 0x100000001B3;
    *hash = (*hash ^ length) * 0x100000001B3;
}

static void mix_text(uint64_t *hash, const char *text)
{
    mix(hash, text ? text : "\xFF\xFF", text ? strlen(text) : 2);
}

static void mix_values(uint64_t *hash, const struct do_values *values)
{
    for (size_t i = 0; i < values->count; i++)
    {
        const struct do_setting *setting = &values->items[i];
        const struct do_value *value = &setting->value;

        FUZZ_CHECK(!i || values->items[i - 1].id < setting->id);
        FUZZ_CHECK(value->kind != DO_VALUE_EMPTY && value->length <= DO_STORED_VALUE_LIMIT);
        if (value->kind == DO_VALUE_TEXT)
            FUZZ_CHECK(strlen(value->data) == value->length);
        mix(hash, &setting->id, sizeof(setting->id));
        mix(hash, &value->kind, sizeof(value->kind));
        mix(hash, &value->number, sizeof(value->number));
        mix(hash, value->data, value->length);
    }
}

static void mix_job(uint64_t *hash, const struct do_job_record *job)
{
    const uint64_t numbers[] = {job->kind, job->priority, job->state, job->notify_flags,
        job->min_retry_delay_s, job->no_progress_timeout_set, job->no_progress_timeout_s,
        job->creation_time, job->modification_time, job->completion_time, (uint32_t)job->error,
        job->error_context, job->error_file, job->error_count, job->intent};

    FUZZ_CHECK(job->kind <= DO_JOB_KIND_DOWNLOAD && job->priority <= 3 && job->state <= 8);
    mix(hash, job->id.bytes, sizeof(job->id.bytes));
    mix_text(hash, job->display_name);
    mix_text(hash, job->description);
    mix(hash, numbers, sizeof(numbers));
    mix_values(hash, &job->values);
}

static void mix_file(uint64_t *hash, const struct do_file_record *file)
{
    const uint64_t numbers[] = {(uint64_t)file->row_id, file->expected_size, file->remote_size,
        file->transferred, file->saved, file->temp_time};

    FUZZ_CHECK(file->url && file->url[0]);
    for (size_t i = 0; i < file->range_count; i++)
        FUZZ_CHECK(file->ranges[i].begin < file->ranges[i].end);
    for (size_t i = 0; i < file->received.count; i++)
    {
        FUZZ_CHECK(file->received.ranges[i].begin < file->received.ranges[i].end);
        FUZZ_CHECK(!i || file->received.ranges[i - 1].end < file->received.ranges[i].begin);
    }
    mix_text(hash, file->content_id);
    mix_text(hash, file->url);
    mix_text(hash, file->local_path);
    mix_text(hash, file->temp_path);
    mix_text(hash, file->etag);
    mix_text(hash, file->last_modified);
    mix(hash, numbers, sizeof(numbers));
    mix(hash, file->ranges, file->range_count * sizeof(*file->ranges));
    mix(hash, file->received.ranges, file->received.count * sizeof(*file->received.ranges));
    mix_values(hash, &file->values);
}

/* What one walk over the jobs saw. */
struct walk
{
    struct do_queue_db *db;
    bool is_sound; /* the file's pages are right, only its rows are odd */
    bool store;    /* stores each job again as it is */
    struct do_guid ids[JOBS_LIMIT];
    size_t count;
    uint64_t hash;
};

static HRESULT on_job(void *ctx, const struct do_job_record *job,
    const struct do_file_record *files, size_t file_count)
{
    struct walk *walk = ctx;
    HRESULT hr;

    if (walk->count == JOBS_LIMIT)
        return E_ABORT;
    walk->ids[walk->count++] = job->id;
    mix_job(&walk->hash, job);
    FUZZ_CHECK(job->error_file == UINT32_MAX || job->error_file < file_count);
    for (size_t i = 0; i < file_count; i++)
        mix_file(&walk->hash, &files[i]);
    if (!walk->store)
        return S_OK;
    hr = do_queue_db_update_job(walk->db, job);
    FUZZ_CHECK(hr == S_OK || !walk->is_sound);
    for (size_t i = 0; i < file_count; i++)
    {
        hr = do_queue_db_update_file(walk->db, &files[i]);
        FUZZ_CHECK(hr == S_OK || !walk->is_sound);
        if (files[i].temp_path)
        {
            const struct do_queue_received item = {files[i].row_id, files[i].temp_path,
                &files[i].received, files[i].transferred, files[i].temp_time};

            (void)do_queue_db_record_received(walk->db, &item, 1);
        }
    }
    return S_OK;
}

/* Reads the jobs; false when that failed. */
static bool walk_jobs(struct do_queue_db *db, bool is_sound, bool store, struct walk *walk)
{
    HRESULT hr;

    *walk = (struct walk){.db = db, .is_sound = is_sound, .store = store};
    hr = do_queue_db_adopt(db, self, on_job, walk);
    FUZZ_CHECK(hr == S_OK || !is_sound);
    return hr == S_OK;
}

static void use(struct do_queue_db *db, bool is_sound)
{
    struct walk first;
    struct walk second;
    struct do_setting setting = {9, do_value_of_text("new")};

    if (walk_jobs(db, is_sound, true, &first) && walk_jobs(db, is_sound, false, &second) &&
        is_sound)
        FUZZ_CHECK(first.count == second.count && first.hash == second.hash);
    for (size_t i = 0; i < first.count; i++)
    {
        HRESULT hr = do_queue_db_set_job_values(db, &first.ids[i], &setting, 1);

        FUZZ_CHECK(hr == S_OK || !is_sound);
        hr = do_queue_db_remove_job(db, &first.ids[i]);
        FUZZ_CHECK(hr == S_OK || !is_sound);
    }
    (void)walk_jobs(db, is_sound, false, &second);
    FUZZ_CHECK(!is_sound || !second.count);
    (void)do_queue_db_disown(db, self);
}

/* Changed bytes. */
static void make_bytes(struct fuzz_input *input)
{
    uint8_t *bytes = malloc(good_size);
    size_t size = good_size;

    FUZZ_CHECK(bytes);
    memcpy(bytes, good, good_size);
    if (fuzz_take_below(input, 8) == 7)
        size = fuzz_take_below(input, 65536) % (good_size + 1);
    for (int i = 0; i < 16 && input->left; i++)
    {
        const size_t at = fuzz_take_below(input, 65536) % good_size;
        const size_t count = 1 + fuzz_take_below(input, 8);

        for (size_t j = 0; j < count && at + j < good_size; j++)
            bytes[at + j] = fuzz_take_u8(input);
    }
    write_file(bytes, size);
    free(bytes);
}

/* Bytes as ranges are stored: pairs of numbers of 64 bits. */
static size_t take_ranges(struct fuzz_input *input, uint8_t *bytes)
{
    const size_t count = fuzz_take_below(input, 8);

    for (size_t i = 0; i < count; i++)
    {
        const uint64_t number = fuzz_take_size(input);

        for (size_t j = 0; j < 8; j++)
            bytes[i * 8 + j] = (uint8_t)(number >> (8 * j));
    }
    return count * 8;
}

static void bind(sqlite3_stmt *statement, struct fuzz_input *input)
{
    const uint32_t what = fuzz_take_below(input, 8);
    uint8_t bytes[64];
    size_t length = 0;

    if (what == 4)
        length = take_ranges(input, bytes);
    else if (what > 4)
    {
        length = fuzz_take_below(input, 64);
        for (size_t i = 0; i < length; i++)
            bytes[i] = fuzz_take_u8(input);
    }
    if (what < 3)
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)fuzz_take_size(input));
    else if (what == 3)
        (void)sqlite3_bind_null(statement, 1);
    else if (what < 6)
        (void)sqlite3_bind_blob(statement, 1, bytes, (int)length, SQLITE_TRANSIENT);
    else
        (void)sqlite3_bind_text(statement, 1, (const char *)bytes, (int)length, SQLITE_TRANSIENT);
}

/* Changed rows. What the schema does not take is not done. */
static void make_rows(struct fuzz_input *input)
{
    static const char *const changes[] = {
        "UPDATE jobs SET owner_id = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET owner_start = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET id = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET kind = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET display_name = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET description = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET priority = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET state = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET min_retry_delay_s = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET no_progress_timeout_set = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET completion_time = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET error = ?1, error_count = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET error_context = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET error_file = ?1 WHERE row_id = ?2",
        "UPDATE jobs SET intent = ?1 WHERE row_id = ?2",
        "UPDATE files SET job = ?1 WHERE row_id = ?2",
        "UPDATE files SET row_id = ?1 WHERE row_id = ?2",
        "UPDATE files SET content_id = ?1, etag = ?1 WHERE row_id = ?2",
        "UPDATE files SET url = ?1 WHERE row_id = ?2",
        "UPDATE files SET local_path = ?1 WHERE row_id = ?2",
        "UPDATE files SET temp_path = ?1 WHERE row_id = ?2",
        "UPDATE files SET expected_size = ?1 WHERE row_id = ?2",
        "UPDATE files SET remote_size = ?1 WHERE row_id = ?2",
        "UPDATE files SET ranges = ?1 WHERE row_id = ?2",
        "UPDATE files SET received = ?1 WHERE row_id = ?2",
        "UPDATE files SET transferred = ?1 WHERE row_id = ?2",
        "UPDATE files SET saved = ?1 WHERE row_id = ?2",
        "UPDATE files SET temp_time = ?1 WHERE row_id = ?2",
        "UPDATE job_values SET value = ?1 WHERE job = ?2",
        "UPDATE job_values SET id = ?1 WHERE id = ?2",
        "UPDATE file_values SET value = ?1 WHERE file = ?2",
        "INSERT INTO file_values (file, id, value) VALUES (?2, 77, ?1)",
        "DELETE FROM files WHERE row_id = ?2",
        "UPDATE job_values SET job = ?1 WHERE job = ?2",
    };
    sqlite3 *connection;

    write_file(good, good_size);
    FUZZ_CHECK(sqlite3_open(path, &connection) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_exec(connection, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY",
                   NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 8 && input->left; i++)
    {
        const char *sql = changes[fuzz_take_below(input, sizeof(changes) / sizeof(changes[0]))];
        sqlite3_stmt *statement;

        FUZZ_CHECK(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK);
        if (sqlite3_bind_parameter_count(statement) > 1)
            (void)sqlite3_bind_int64(statement, 2, 1 + (int)fuzz_take_below(input, 3));
        bind(statement, input);
        (void)sqlite3_step(statement);
        (void)sqlite3_finalize(statement);
    }
    FUZZ_CHECK(sqlite3_close(connection) == SQLITE_OK);
}

/* A file that is refused for what is in it is as it was. */
static void check_refused(HRESULT hr, const uint8_t *before, size_t before_size)
{
    size_t size;
    uint8_t *after;

    FUZZ_CHECK(hr == DO_HR_FILE_CORRUPT || hr == DO_HR_IO_DEVICE || hr == E_ACCESSDENIED ||
               hr == DO_HR_DISK_FULL || hr == E_OUTOFMEMORY);
    after = read_file(&size);
    FUZZ_CHECK(size == before_size && !memcmp(before, after, size));
    free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};
    const bool is_sound = fuzz_take_u8(&input) & 1;
    struct do_queue_db *db;
    uint8_t *before;
    size_t before_size;
    HRESULT hr;

    prepare();
    if (is_sound)
        make_rows(&input);
    else
        make_bytes(&input);
    before = read_file(&before_size);
    hr = do_queue_db_open(path, &db);
    if (hr == S_OK)
        use(db, is_sound);
    else
        check_refused(hr, before, before_size);
    FUZZ_CHECK(hr == S_OK || (!is_sound && !db));
    do_queue_db_close(db);
    free(before);
    remove_files();
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
