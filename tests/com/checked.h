/* SPDX-License-Identifier: MIT */
/*
 * What the tests of integrity and decryption share: a publisher, who makes hash files after
 * docs/integrity.md and puts them and encrypted objects onto the server, and one file that is asked
 * for in one of four ways, in words that are the same for all. The test's thread; what asserts
 * leaves the test. The caller owns each struct checked from checked_open to checked_close.
 */
#ifndef DO_TESTS_COM_CHECKED_H
#define DO_TESTS_COM_CHECKED_H

#include "encrypted.h"
#include "modern.h"

/* The plain file, its pieces, and room for a JSON text. */
#define CHECKED_SIZE ((size_t)300000)
#define CHECKED_PIECE 65536U
#define CHECKED_TEXT 2048U

/* Who asks for the file, and where it goes. */
enum checked_way
{
    DOWNLOAD_FILE,
    DOWNLOAD_STREAM,
    JOB_FILE,
    JOB_STREAM,
    CHECKED_WAYS
};

extern const char *const checked_way_names[CHECKED_WAYS];

enum checked_property
{
    DECRYPTION,
    INTEGRITY,
    MANDATORY
};

/* A download, or a job of one file. */
struct checked
{
    enum checked_way way;
    struct com_test *test;
    IDODownload *download;
    IBackgroundCopyJob *job;
    IDeliveryOptimizationFile2 *file; /* of the job */
    struct modern_stream stream;
    WCHAR path[1024];
    char server_path[64];
};

/* The publisher. */

struct hash_file
{
    char path[64]; /* on the server */
    WCHAR url[4096];
    char hash_of_hashes[DIGEST_TEXT];
    char text[16384];
};

/** CHECKED_SIZE bytes. */
const BYTE *checked_plain(void);
/** Makes these bytes the object of a path. */
void checked_put(const char *server_path, const void *data, size_t length);
void checked_make_hashes(
    struct hash_file *file, const BYTE *data, size_t length, size_t piece_size);
/** Puts it onto the server; info receives the text with its HashOfHashes. */
void checked_put_hashes(
    struct com_test *test, struct hash_file *file, const char *query, WCHAR *info);
/** The hash file of the plain bytes, on the server; valid until the next one. */
struct hash_file *checked_put_usual(struct com_test *test, const char *query, WCHAR *info);
/** DecryptionInfo with test_key, or with another one. */
void checked_decryption(const struct cipher *cipher, bool right_key, WCHAR *info);

/* The file. */

bool checked_is_download(const struct checked *subject);
/** Opens it on an object of its own, which lies on the server when it is given. */
void checked_open(struct checked *subject, struct com_test *test, enum checked_way way,
    const char *query, const void *object, size_t length);
/** Ends it, whatever it does, and lets go of it; no temporary file may be left. */
void checked_close(struct checked *subject);
HRESULT checked_set_text(
    struct checked *subject, enum checked_property property, const WCHAR *text);
HRESULT checked_set_mandatory(struct checked *subject, bool value);
HRESULT checked_get(struct checked *subject, enum checked_property property, VARIANT *value);
HRESULT checked_start(struct checked *subject);
HRESULT checked_stop(struct checked *subject);
HRESULT checked_save(struct checked *subject);
void checked_wait_bytes(struct checked *subject, UINT64 bytes);
/** Waits until it is transferred; returns how many bytes came. */
UINT64 checked_wait_transferred(struct checked *subject);
/** Waits for this error, after which there is nothing where the file was to be. */
void checked_wait_error(struct checked *subject, HRESULT hr);
/** Waits for the end, saves the file, which is these bytes, and closes. */
void checked_expect_saved(struct checked *subject, const BYTE *wanted, size_t length);
void checked_expect_file(const WCHAR *path, const BYTE *wanted, size_t length);
/** The requests for a path so far; second (or NULL) receives the second one's range, or "". */
unsigned int checked_requests(
    struct com_test *test, const char *server_path, char *second, size_t size);

/* More files of a job. */

IDeliveryOptimizationFile2 *checked_add_file(IBackgroundCopyJob *job, const WCHAR *url);
HRESULT checked_set_file_text(
    IDeliveryOptimizationFile2 *file, DOFilePropertyId id, const WCHAR *text);

#endif
