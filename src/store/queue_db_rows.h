/* SPDX-License-Identifier: MIT */
/*
 * Between records and rows: the lists of columns, and how they are bound and read. Private to
 * queue_db.c, called under its lock. What is read comes from a file that anyone may have changed:
 * every value is checked before it becomes part of a record.
 */
#ifndef DO_STORE_QUEUE_DB_ROWS_H
#define DO_STORE_QUEUE_DB_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "store/queue_db.h"

/* The columns in the order in which they are bound and read, and as many places for values. */
#define DO_JOB_COLUMNS                                                                             \
    "display_name, description, priority, state, notify_flags, min_retry_delay_s, "                \
    "no_progress_timeout_set, no_progress_timeout_s, creation_time, modification_time, "           \
    "completion_time, error, error_context, error_file, error_count, intent"
#define DO_JOB_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

/* What is read of a job. */
#define DO_OWNED_JOB_COLUMNS "owner_id, owner_start, row_id, id, kind, " DO_JOB_COLUMNS

#define DO_FILE_COLUMNS                                                                            \
    "content_id, url, local_path, temp_path, etag, last_modified, expected_size, remote_size, "    \
    "ranges, received, transferred, saved"
#define DO_FILE_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

/*
 * What was received is recorded by itself, once it is on disk: it changes here only together with
 * the temporary file, whose time it goes with. That it is all can be taken back, and is so in a
 * file that was saved.
 */
#define DO_FILE_NEW_VALUES                                                                         \
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN temp_path IS ?4 THEN received ELSE ?10 END, "   \
    "CASE WHEN temp_path IS ?4 AND NOT ?12 THEN transferred AND ?11 ELSE ?11 END, ?12, "           \
    "CASE WHEN temp_path IS ?4 THEN temp_time ELSE 0 END"

/** Binds values from left to right; the first failure stays and makes the rest do nothing. */
struct do_row_binder
{
    sqlite3_stmt *statement;
    int count; /* bound so far */
    int code;  /* SQLite's */
};

void do_row_bind_u64(struct do_row_binder *binder, uint64_t value);
void do_row_bind_text(struct do_row_binder *binder, const char *text);
/** The value is not copied: it must last until the statement ran. An empty one is NULL. */
void do_row_bind_value(struct do_row_binder *binder, const struct do_value *value);
void do_row_bind_guid(struct do_row_binder *binder, const struct do_guid *guid);
void do_row_bind_ranges(struct do_row_binder *binder, const struct do_range *ranges, size_t count);
void do_row_bind_job(struct do_row_binder *binder, const struct do_job_record *job);
void do_row_bind_file(struct do_row_binder *binder, const struct do_file_record *file);

/** Reads columns from left to right; the first failure stays and makes the rest give 0 and NULL. */
struct do_row_reader
{
    sqlite3_stmt *statement;
    int count;          /* read so far */
    const char *broken; /* the name of the column that makes no sense; borrowed from statement */
    bool no_memory;
};

uint64_t do_row_read_u64(struct do_row_reader *reader);
void do_row_read_guid(struct do_row_reader *reader, struct do_guid *guid);

/** Reads a job's kind. */
uint32_t do_row_read_kind(struct do_row_reader *reader);

/** Reads DO_JOB_COLUMNS into an initialised record. */
void do_row_read_job(struct do_row_reader *reader, struct do_job_record *job);

/** Reads DO_FILE_COLUMNS into an initialised record. */
void do_row_read_file(struct do_row_reader *reader, struct do_file_record *file);

/** Reads an id and its value and adds them to values. */
void do_row_read_setting(struct do_row_reader *reader, struct do_values *values);

/**
 * Whether a value may be in the file: E_INVALIDARG for a text or bytes beyond DO_STORED_VALUE_LIMIT
 * and for a text with a zero or that is not UTF-8; E_OUTOFMEMORY. A text ends with a zero.
 */
HRESULT do_row_check_value(const struct do_value *value);

#endif
