/* SPDX-License-Identifier: MIT */
/*
 * The file behind the queue: how it is opened, its schema, and SQLite's errors in our words.
 * Private to queue_db.c, which owns the connection. Any thread.
 */
#ifndef DO_STORE_QUEUE_DB_FILE_H
#define DO_STORE_QUEUE_DB_FILE_H

#include <sqlite3.h>

#include "base/hr.h"

/**
 * Opens or creates the queue's file with the newest schema; see do_queue_db_open. The connection is
 * used by one thread at a time and ends with sqlite3_close.
 */
HRESULT do_queue_file_open(const char *path, sqlite3 **connection);

/**
 * The HRESULT of an SQLite result code that is a failure, logged: the one place where they become
 * ours. what completes "cannot ...".
 */
HRESULT do_queue_file_failure(int code, const char *what);

#endif
