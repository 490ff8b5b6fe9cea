/* SPDX-License-Identifier: MIT */
/*
 * What the tests of IDOManager and IDODownload share besides com_test.h: a fixture that ends every
 * download, and what a client brings: a callback and a stream, which record and never assert.
 */
#ifndef DO_TESTS_COM_MODERN_H
#define DO_TESTS_COM_MODERN_H

#include "com_test.h"

#define TEST_E_FILE_NOT_FOUND ((HRESULT)0x80070002)
#define TEST_E_FILE_EXISTS ((HRESULT)0x80070050)
#define TEST_E_CANCELLED ((HRESULT)0x800704C7)
#define TEST_E_NOT_SET ((HRESULT)0x80070490)
#define TEST_E_INVALID_URL ((HRESULT)0x800C0002)

#define MODERN_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, modern_setup, modern_teardown)

/* As com_test's, and no download is left before and after. */
int modern_setup(void **state);
int modern_teardown(void **state);

/* Ranges behind a count, as clients lay them out. */
struct modern_ranges
{
    UINT count;
    UINT unused;
    DO_DOWNLOAD_RANGE ranges[4];
};

/** For Start. */
const DO_DOWNLOAD_RANGES_INFO *modern_info(const struct modern_ranges *ranges);

IDOManager *modern_manager(void);
IDODownload *modern_create(void);

/** A new download of a URL of its own to a file in the test's folder (NULL: no sink). */
IDODownload *modern_create_of(struct com_test *test, const char *query, const WCHAR *name);

/* Properties. */

HRESULT modern_set(IDODownload *download, DODownloadProperty id, VARIANT value);
HRESULT modern_set_text(IDODownload *download, DODownloadProperty id, const WCHAR *text);
HRESULT modern_set_bool(IDODownload *download, DODownloadProperty id, bool value);
HRESULT modern_set_u32(IDODownload *download, DODownloadProperty id, ULONG value);
HRESULT modern_set_object(IDODownload *download, DODownloadProperty id, void *object);
/** Fails unless the property is this text. */
void modern_expect_text(IDODownload *download, DODownloadProperty id, const WCHAR *text);
/** Fails unless GetProperty gives this failure, and VT_EMPTY. */
void modern_expect_failure(IDODownload *download, DODownloadProperty id, HRESULT hr);

/* States. */

DO_DOWNLOAD_STATUS modern_status(IDODownload *download);
/** Waits for a state; fails at once when the download ends up in another. */
void modern_wait(IDODownload *download, DODownloadState wanted);
/** Waits until the download, which must be transferring, has at least this many bytes. */
void modern_wait_bytes(IDODownload *download, UINT64 bytes);
/** Paused with this error. */
void modern_wait_error(IDODownload *download, HRESULT error);
void modern_abort(IDODownload *download);

/* A callback. */

#define MODERN_CALLS 256

struct modern_call
{
    DO_DOWNLOAD_STATUS status;
    IUnknown *identity; /* of the object that came with it; a number only */
    bool overlapped;    /* another call ran */
    DWORD thread;
};

struct modern_callback
{
    IDODownloadStatusCallback IDODownloadStatusCallback_iface;
    LONG references;
    LONG running;
    bool is_shared; /* by downloads, whose calls may overlap */
    HANDLE called;  /* set with each call */
    HRESULT result;

    /** Runs inside the call; may be NULL. */
    void (*hook)(
        struct modern_callback *callback, IDODownload *download, const DO_DOWNLOAD_STATUS *status);
    void *ctx;
    volatile HRESULT hook_hr;

    CRITICAL_SECTION lock;
    struct modern_call calls[MODERN_CALLS];
    unsigned int count; /* all calls, also those beyond the array */
};

/** It stays until modern_callback_finish. */
void modern_callback_init(struct modern_callback *callback);
/** Fails unless every reference was given back. */
void modern_callback_finish(struct modern_callback *callback);
/** Waits until a call with this state is recorded at or after index from; returns its index. */
unsigned int modern_callback_wait(
    struct modern_callback *callback, unsigned int from, DODownloadState state);
unsigned int modern_callback_count(struct modern_callback *callback);

/* A stream: all but Write is E_NOTIMPL. */

struct modern_stream
{
    IStream IStream_iface;
    LONG references;
    bool answers_stream; /* else ISequentialStream only */
    bool writes_count;   /* eight bytes of it, as the .NET sample does */
    HRESULT result;      /* of Write */
    DWORD delay_ms;      /* of each Write */

    /** Runs inside Write; may be NULL. */
    void (*hook)(struct modern_stream *stream);
    void *ctx;
    volatile HRESULT hook_hr;

    HANDLE inside, may_return; /* with both: Write sets the one and waits for the other */
    CRITICAL_SECTION lock;
    BYTE *data;
    size_t length;
    size_t capacity;
    unsigned int writes;
    unsigned int others;   /* calls of anything but Write */
    DWORD thread;          /* where it is to be called, or 0 */
    bool is_in_own_thread; /* it always was */
};

void modern_stream_init(struct modern_stream *stream);
void modern_stream_finish(struct modern_stream *stream);
/** Writes what came into a file, for test_expect_pattern and test_expect_object. */
void modern_stream_save(struct modern_stream *stream, const WCHAR *path);

#endif
