/* SPDX-License-Identifier: MIT */
/*
 * GetStoreApp and WindowsTools: the same program twice, grown apart. What both do is here; it runs
 * in a worker of the thread pool, beside a user interface. (Spec 05, 5.)
 */
#ifndef DO_TESTS_COM_CLIENTS_CLIENT_STORE_H
#define DO_TESTS_COM_CLIENTS_CLIENT_STORE_H

#include "client_test.h"

/* What differs. */
struct store_client
{
    bool sets_blanket_twice;
    bool reads_size;    /* TotalSizeBytes before Start */
    bool uses_callback; /* else it makes the VARIANT but never sets it */
};

/** Everything up to Start(NULL); *id is its key, SysFreeString. */
IDODownload *store_start(struct com_test *test, const struct store_client *client,
    struct modern_callback *callback, const char *query, const WCHAR *name, BSTR *id);

/** Downloads a file, which the callback finalizes. */
void store_check_download(struct com_test *test, const struct store_client *client);
/** Pauses, resumes and deletes. */
void store_check_buttons(struct com_test *test, const struct store_client *client);
/** A failure is told by Error or ExtendedError in a callback. */
void store_check_failure(struct com_test *test, const struct store_client *client);
/** Several downloads, which are told apart by Id and given up when the program ends. */
void store_check_exit(struct com_test *test, const struct store_client *client);

#endif
