/* SPDX-License-Identifier: MIT */
/*
 * What the programs of this folder share. Each of them is a client as spec 05 saw it: its calls in
 * its order, with its VARIANTs, blankets, threads and expectations, and none of its code.
 *
 * The clients ask for CLSCTX_LOCAL_SERVER. client_context gives what is there instead, and a local
 * server when the environment has DOSVC_TEST_CONTEXT=local.
 */
#ifndef DO_TESTS_COM_CLIENTS_CLIENT_TEST_H
#define DO_TESTS_COM_CLIENTS_CLIENT_TEST_H

#include "../modern.h"

#define TEST_E_HTTP_NOT_FOUND TEST_E_HTTP(404)

/* Where a client's code runs. */
enum client_thread
{
    CLIENT_MTA,       /* the main thread, multithreaded apartment */
    CLIENT_STA,       /* the main thread, single-threaded apartment */
    CLIENT_MTA_BESIDE /* a worker in the MTA, beside a main thread in an STA that pumps */
};

/** Runs the tests as COM_TEST_RUN does, on such a thread. */
#define CLIENT_RUN(thread, tests) client_run(__FILE__, (thread), (tests), TEST_COUNT_OF(tests))
int client_run(
    const char *name, enum client_thread thread, const struct CMUnitTest *tests, size_t count);

/** The context to use for the one that a client asks for. */
DWORD client_context(DWORD asked);

/* The arguments of CoSetProxyBlanket. */
struct client_blanket
{
    DWORD authentication;
    DWORD authorization;
    OLECHAR *principal;
    DWORD level;
    DWORD impersonation;
    DWORD capabilities;
};

/** DEFAULT or -1 wherever possible, IMPERSONATE: what most of them have. */
#define CLIENT_BLANKET(authorization, capabilities)                                                \
    {RPC_C_AUTHN_DEFAULT, (authorization), COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT,      \
        RPC_C_IMP_LEVEL_IMPERSONATE, (capabilities)}

/** CoSetProxyBlanket, which must succeed, on any interface. */
void client_set_blanket(void *object, const struct client_blanket *blanket);

/** CoCreateInstance with CLSCTX_LOCAL_SERVER. */
IDOManager *client_manager(void);
/** A manager, a download with the blanket; the manager is let go. */
IDODownload *client_create(const struct client_blanket *blanket);

/* Properties. */

/** Uri (of its own) and LocalPath (NULL: none). */
void client_set_source(
    IDODownload *download, struct com_test *test, const char *query, const WCHAR *name);
void client_set_callback(IDODownload *download, struct modern_callback *callback);
/** Fails unless Id is a GUID as .NET reads it. SysFreeString. */
BSTR client_id(IDODownload *download);

/* Waiting. Everything is bounded by TEST_PATIENCE_MS; messages and calls are let in. */

#define CLIENT_ENDS(state) (1U << (state))

/** Waits a moment, or until event (may be NULL) is set. */
void client_wait_moment(HANDLE event);

/**
 * The first call at or after from that ends a client's wait: a state out of ends, a failed Error
 * or, for those who ask, an ExtendedError.
 */
struct modern_call client_wait_call(
    struct modern_callback *callback, unsigned int from, unsigned int ends, bool heeds_extended);

/** The first status that has a state out of ends or a failed Error. */
DO_DOWNLOAD_STATUS client_poll(IDODownload *download, unsigned int ends);

/** The status is this state, and nothing is wrong. */
void client_expect_state(DODownloadState state, const DO_DOWNLOAD_STATUS *status);

/**
 * Every call so far is what all clients take for health: no error, no Paused, bytes that never
 * shrink, and where it is Transferred all of size.
 */
void client_expect_healthy(struct modern_callback *callback, UINT64 size);

/** Returns what Abort returns on a thread of its own, and how long that took. */
HRESULT client_abort_elsewhere(IDODownload *download, ULONGLONG *elapsed_ms);

#endif
