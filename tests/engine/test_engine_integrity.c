/* SPDX-License-Identifier: MIT */
/*
 * Files that are compared with piece hashes, decrypted, or both, before they count: as files of
 * jobs and as downloads, to a path and into a stream. The test makes hash files and encrypted
 * objects itself, with libcrypto, and puts them on the server. The stream records on the engine's
 * threads and can be held inside a write, no longer than TEST_WAIT_MS; the test thread asserts.
 * Long, since all of it needs what makes hash files and encrypted objects.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/str.h"
#include "job/download.h"
#include "plat/crypto.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "store/part_file.h"

#define CHECK_TEST(function) cmocka_unit_test_setup_teardown(function, check_setup, check_teardown)

#define HTTP_404 ((HRESULT)0x80190194)
#define MAX_DOWNLOADS 64U
#define SEED 3U
#define SIZE ((size_t)300000)
#define SIZE_QUERY "size=300000&seed=3"
#define PIECE 65536U
#define PIECES 5U
#define TEXT_SIZE 2048U

extern char **environ;

/* Who asks for the file. */
enum kind
{
    OF_JOB,
    OF_DOWNLOAD,
    KINDS
};

struct sink
{
    struct do_stream head;
    void (*inside)(struct sink *sink); /* called in each write, without the lock */
    struct do_job *job;                /* for inside */
    HRESULT inside_hr;

    /* Under lock. */
    unsigned char *bytes;
    size_t length;
    size_t fails_at; /* a write that goes beyond fails, until this is SIZE_MAX */
    bool holds;
    uint32_t held;
    bool running;
    bool overlapped;
    enum do_job_state last_state; /* of job, at the last write */
};

static struct
{
    struct do_mutex lock;
    struct do_cond changed;
    struct sink sink;
    struct do_job *downloads[MAX_DOWNLOADS];
    size_t download_count;
} client;

/* The stream */

static HRESULT sink_ok(struct do_stream *stream)
{
    (void)stream;
    return S_OK;
}

static HRESULT sink_write(struct do_stream *stream, const void *data, size_t length)
{
    struct sink *sink = DO_CONTAINER_OF(stream, struct sink, head);
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    unsigned char *grown;
    HRESULT hr = S_OK;

    do_mutex_lock(&client.lock);
    sink->overlapped = sink->overlapped || sink->running;
    sink->running = true;
    sink->held++;
    do_cond_broadcast(&client.changed);
    while (sink->holds && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 1000);
    sink->held--;
    if (sink->length + length > sink->fails_at)
        hr = E_ACCESSDENIED;
    else if ((grown = realloc(sink->bytes, sink->length + length + 1)))
    {
        sink->bytes = grown;
        memcpy(sink->bytes + sink->length, data, length);
        sink->length += length;
    }
    do_mutex_unlock(&client.lock);
    if (sink->job)
        sink->last_state = do_job_get_state(sink->job);
    if (sink->inside)
        sink->inside(sink);
    do_mutex_lock(&client.lock);
    sink->running = false;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
    return hr;
}

static void sink_destroy(struct do_stream *stream)
{
    (void)stream;
}

static struct do_stream *open_sink(struct do_job *job)
{
    static const struct do_stream_class class = {sink_ok, sink_write, sink_ok, sink_destroy};

    free(client.sink.bytes);
    memset(&client.sink, 0, sizeof(client.sink));
    client.sink.fails_at = SIZE_MAX;
    client.sink.job = job;
    do_stream_init(&client.sink.head, &class);
    return &client.sink.head;
}

static void hold_sink(bool holds)
{
    do_mutex_lock(&client.lock);
    client.sink.holds = holds;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

/* Waits until a write is inside the stream. */
static void await_held(void)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    bool held;

    do_mutex_lock(&client.lock);
    while (!client.sink.held && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 1000);
    held = client.sink.held > 0;
    do_mutex_unlock(&client.lock);
    assert_true(held);
}

static void await_idle(void)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    bool running;

    do_mutex_lock(&client.lock);
    while (client.sink.running && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 1000);
    running = client.sink.running;
    do_mutex_unlock(&client.lock);
    assert_false(running);
}

static void assert_sink_has(const void *bytes, size_t length)
{
    do_mutex_lock(&client.lock);
    assert_int_equal(client.sink.length, length);
    assert_memory_equal(client.sink.bytes, bytes, length);
    assert_false(client.sink.overlapped);
    do_mutex_unlock(&client.lock);
}

/* Fixtures */

static int check_setup(void **state)
{
    memset(&client, 0, sizeof(client));
    do_mutex_init(&client.lock);
    do_cond_init(&client.changed);
    return test_engine_setup(state);
}

static void release_downloads(bool abort)
{
    while (client.download_count)
    {
        struct do_job *job = client.downloads[--client.download_count];

        if (abort)
            (void)do_download_abort(job);
        do_job_release(job);
    }
}

static int check_teardown(void **state)
{
    int result;

    hold_sink(false);
    client.sink.inside = NULL;
    release_downloads(true);
    result = test_engine_teardown(state);
    free(client.sink.bytes);
    do_cond_finish(&client.changed);
    do_mutex_finish(&client.lock);
    return result;
}

/* Jobs and downloads through one set of words */

static void set_download(struct do_job *job, enum do_prop id, struct do_value value)
{
    assert_ok(do_download_set_property(job, (uint32_t)id, &value));
}

static struct do_job *new_download(const char *url)
{
    struct do_job *job = NULL;

    assert_in_range(client.download_count, 0, MAX_DOWNLOADS - 1);
    assert_ok(do_engine_create_download(test_engine(), NULL, &job));
    client.downloads[client.download_count++] = job;
    set_download(job, DO_PROP_URI, do_value_of_text(url));
    return job;
}

static struct do_job *make(enum kind kind, const struct test_file *file)
{
    struct do_job *job;

    if (kind == OF_JOB)
    {
        job = test_job();
        assert_ok(test_add_ranges(job, file, NULL, 0, DO_SIZE_UNKNOWN));
        return job;
    }
    job = new_download(file->url);
    set_download(job, DO_PROP_LOCAL_PATH, do_value_of_text(file->path));
    return job;
}

static HRESULT set_value(struct do_job *job, enum do_file_prop id, const struct do_value *value)
{
    static const enum do_prop of_download[] = {
        DO_PROP_DECRYPTION_INFO, DO_PROP_INTEGRITY_INFO, DO_PROP_INTEGRITY_MANDATORY};

    if (do_job_is_download(job))
        return do_download_set_property(job, (uint32_t)of_download[id], value);
    return do_job_file_set_value(do_job_get_file(job, 0), id, value);
}

static void set_text(struct do_job *job, enum do_file_prop id, const char *text)
{
    const struct do_value value = do_value_of_text(text);

    assert_ok(set_value(job, id, &value));
}

static void set_mandatory(struct do_job *job)
{
    const struct do_value value = do_value_of_number(1);

    assert_ok(set_value(job, DO_FILE_PROP_INTEGRITY_MANDATORY, &value));
}

static HRESULT start(struct do_job *job)
{
    if (do_job_is_download(job))
        return do_download_start(job, DO_DOWNLOAD_START_AS_IS, NULL, 0);
    return do_job_resume(job);
}

static HRESULT stop(struct do_job *job)
{
    return do_job_is_download(job) ? do_download_pause(job) : do_job_suspend(job);
}

static HRESULT save(struct do_job *job)
{
    return do_job_is_download(job) ? do_download_finalize(job) : do_job_complete(job);
}

static HRESULT drop(struct do_job *job)
{
    return do_job_is_download(job) ? do_download_abort(job) : do_job_cancel(job);
}

static void assert_fails(struct do_job *job, const struct test_file *file, HRESULT hr)
{
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(hr, test_error(job));
    assert_false(test_exists(file->path));
    assert_ok(drop(job));
    assert_false(test_exists(file->path));
    assert_int_equal(test_temp_files(), 0);
}

static void assert_saves(
    struct do_job *job, const struct test_file *file, const void *bytes, size_t length)
{
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_false(test_exists(file->path));
    /* An encrypted file goes when the recorder has let go of it. */
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && test_temp_files() != 1; waited += 2)
        test_pause_ms(2);
    assert_int_equal(test_temp_files(), 1);
    assert_ok(save(job));
    assert_true(test_has_bytes(file->path, bytes, length));
    assert_int_equal(test_temp_files(), 0);
    assert_int_equal(unlink(file->path), 0);
}

/* Hash files */

struct hash_file
{
    uint64_t content_length;
    uint32_t piece_size;
    size_t count;
    uint8_t (*hashes)[DO_SHA256_SIZE];
    char hash_of_hashes[64]; /* base64 */
    char text[16384];
};

/* What a test makes wrong. */
struct fault
{
    const char *name;
    HRESULT hr;
    const char *from; /* a part of the text that is replaced */
    const char *to;
    bool own_hash; /* the info has the hash that the wrong file would have */
};

static void to_base64(const void *bytes, size_t length, char *text)
{
    assert_true(EVP_EncodeBlock((unsigned char *)text, bytes, (int)length) > 0);
}

static void put_le(unsigned char *out, uint64_t value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

/* The hash file of these bytes, by the book (docs/integrity.md). */
static void make_hashes(
    struct hash_file *file, const unsigned char *data, size_t length, uint32_t piece_size)
{
    unsigned char head[16];
    unsigned char digest[DO_SHA256_SIZE];
    struct do_hash *hash;
    size_t at = 0;

    file->content_length = length;
    file->piece_size = piece_size;
    file->count = (length + piece_size - 1) / piece_size;
    put_le(head, 1, 4);
    put_le(head + 4, length, 8);
    put_le(head + 12, piece_size, 4);
    assert_ok(do_hash_create(DO_HASH_SHA256, &hash));
    assert_ok(do_hash_update(hash, head, sizeof(head)));
    for (size_t i = 0; i < file->count; i++)
    {
        size_t begin = i * piece_size;
        size_t part = length - begin < piece_size ? length - begin : piece_size;

        assert_ok(do_hash_of(DO_HASH_SHA256, data + begin, part, digest));
        assert_ok(do_hash_update(hash, digest, sizeof(digest)));
    }
    assert_ok(do_hash_final(hash, digest));
    do_hash_destroy(hash);
    to_base64(digest, sizeof(digest), file->hash_of_hashes);
    at += (size_t)snprintf(file->text, sizeof(file->text),
        "{\"MajorVersion\":1,\"MinorVersion\":0,\"HashOfHashes\":\"%s\",\"ContentLength\":%zu,"
        "\"PieceSize\":%u,\"Pieces\":[",
        file->hash_of_hashes, length, piece_size);
    for (size_t i = 0; i < file->count; i++)
    {
        size_t begin = i * piece_size;
        size_t part = length - begin < piece_size ? length - begin : piece_size;
        char text[64];

        assert_ok(do_hash_of(DO_HASH_SHA256, data + begin, part, digest));
        to_base64(digest, sizeof(digest), text);
        at += (size_t)snprintf(
            file->text + at, sizeof(file->text) - at, "%s\"%s\"", i ? "," : "", text);
        assert_true(at < sizeof(file->text) - 8);
    }
    (void)snprintf(file->text + at, sizeof(file->text) - at, "]}");
}

/* Puts the hash file onto the server, and the info into text. */
static struct test_file put_hashes(const struct hash_file *hashes, const char *query, char *text)
{
    struct test_file file = test_file("hashes", query);

    test_put(file.server_path, hashes->text, strlen(hashes->text));
    (void)snprintf(text, TEXT_SIZE, "{\"PiecesHashFileUrl\":\"%s\",\"HashOfHashes\":\"%s\"}",
        file.url, hashes->hash_of_hashes);
    return file;
}

/* The bytes of the usual object, and its hash file on the server. */
static const unsigned char *usual_bytes(void)
{
    static unsigned char bytes[SIZE];

    test_fill(SEED, bytes, SIZE);
    return bytes;
}

static struct test_file put_usual(const char *query, char *text)
{
    static struct hash_file hashes;

    make_hashes(&hashes, usual_bytes(), SIZE, PIECE);
    return put_hashes(&hashes, query, text);
}

/* Integrity */

/* Broken: a good file is refused, or is not what was hashed. */
static void test_integrity_good_file_is_transferred(void **state)
{
    char info[TEXT_SIZE];
    struct test_request requests[4];

    (void)state;
    for (enum kind kind = OF_JOB; kind < KINDS; kind++)
    {
        struct test_file hashes = put_usual("", info);
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(kind, &file);
        struct do_job_progress progress;

        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_mandatory(job);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        do_job_get_progress(job, &progress);
        assert_int_equal(progress.bytes_total, SIZE);
        assert_int_equal(progress.bytes_transferred, SIZE);
        assert_saves(job, &file, usual_bytes(), SIZE);
        assert_int_equal(test_requests(hashes.server_path, 1, requests, 4), 1);
        assert_int_equal(test_requests(file.server_path, 1, requests, 4), 1);
        assert_int_equal(requests[0].sent, SIZE);
    }
}

/* Broken: a hash file that is known by its digest is not accepted, or any other one is. */
static void test_integrity_digest_of_the_hash_file_counts(void **state)
{
    static const struct
    {
        const char *name;
        enum do_hash_algorithm algorithm;
    } rows[] = {{"SHA1", DO_HASH_SHA1}, {"SHA-256", DO_HASH_SHA256}, {"sha384", DO_HASH_SHA384},
        {"SHA512", DO_HASH_SHA512}};
    static struct hash_file hashes;
    char info[TEXT_SIZE];

    (void)state;
    make_hashes(&hashes, usual_bytes(), SIZE, PIECE);
    for (size_t i = 0; i < 2 * DO_COUNT_OF(rows); i++)
    {
        const bool right = i < DO_COUNT_OF(rows);
        struct test_file hash_file = put_hashes(&hashes, "", info);
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);
        unsigned char digest[DO_HASH_SIZE_LIMIT];
        char text[128];

        assert_ok(do_hash_of(
            rows[i % DO_COUNT_OF(rows)].algorithm, hashes.text, strlen(hashes.text), digest));
        if (!right)
            digest[3] ^= 1;
        to_base64(digest, do_hash_size(rows[i % DO_COUNT_OF(rows)].algorithm), text);
        (void)snprintf(info, sizeof(info),
            "{\"PiecesHashFileUrl\":\"%s\",\"PiecesHashFileDigest\":\"%s\","
            "\"PiecesHashFileDigestAlgorithm\":\"%s\"}",
            hash_file.url, text, rows[i % DO_COUNT_OF(rows)].name);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_mandatory(job);
        assert_ok(start(job));
        if (right)
            assert_saves(job, &file, usual_bytes(), SIZE);
        else
            assert_fails(job, &file, DO_E_METAINFO_DIGEST_MATCH);
    }
}

/* Broken: one bad piece costs the whole file, is kept, or is not noticed. */
static void test_integrity_bad_piece_alone_is_fetched_again(void **state)
{
    static const size_t offsets[] = {0, PIECE - 1, PIECE, 3 * PIECE + 7, SIZE - 1};
    struct test_request requests[4];
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 2 * DO_COUNT_OF(offsets); i++)
    {
        size_t offset = offsets[i / 2];
        size_t piece = offset / PIECE;
        struct test_file file;
        struct do_job *job;
        char query[128];

        (void)snprintf(query, sizeof(query), SIZE_QUERY "&corrupt=%zu&corrupt_until=1", offset);
        file = test_file("file", query);
        (void)put_usual("", info);
        job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i % 4 < 2)
            set_mandatory(job);
        assert_ok(start(job));
        assert_saves(job, &file, usual_bytes(), SIZE);
        assert_int_equal(test_requests(file.server_path, 2, requests, 4), 2);
        assert_false(requests[0].has_range);
        assert_true(requests[1].has_range);
        assert_int_equal(requests[1].range.begin, piece * PIECE);
        assert_int_equal(requests[1].range.end, piece + 1 < PIECES ? (piece + 1) * PIECE : SIZE);
        assert_int_equal(requests[1].if_range[0], '"');
    }
}

/* Broken: pieces that stay bad are asked for again and again, or the file is let go with them. */
static void test_integrity_piece_bad_twice_begins_anew_then_fails(void **state)
{
    struct test_request requests[8];
    char info[TEXT_SIZE];

    (void)state;
    for (unsigned int i = 0; i < 4; i++)
    {
        struct test_file good = test_file("good", SIZE_QUERY "&corrupt=70000&corrupt_until=2");
        struct test_file bad = test_file("bad", SIZE_QUERY "&corrupt=70000");
        struct do_job *job;

        (void)put_usual("", info);
        job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &good);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i < 2)
            set_mandatory(job);
        assert_ok(start(job));
        assert_saves(job, &good, usual_bytes(), SIZE);
        assert_int_equal(test_requests(good.server_path, 3, requests, 8), 3);
        assert_false(requests[2].has_range);

        job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &bad);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i < 2)
            set_mandatory(job);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_ERROR);
        assert_int_equal(test_requests(bad.server_path, 3, requests, 8), 3);
        assert_fails(job, &bad, DO_E_BAD_PIECE_HASH);
    }
}

/* Broken: a file whose every piece is bad goes on from nothing, with another object's size. */
static void test_integrity_all_pieces_bad_begin_anew(void **state)
{
    static const unsigned char bytes[] = "the only piece";
    static struct hash_file hashes;
    struct test_request requests[4];
    char info[TEXT_SIZE];
    struct test_file file = test_file("file", "corrupt=2&corrupt_until=1");
    struct do_job *job;

    (void)state;
    make_hashes(&hashes, bytes, sizeof(bytes), PIECE);
    (void)put_hashes(&hashes, "", info);
    test_put(file.server_path, bytes, sizeof(bytes));
    job = make(OF_JOB, &file);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    assert_ok(start(job));
    assert_saves(job, &file, bytes, sizeof(bytes));
    assert_int_equal(test_requests(file.server_path, 2, requests, 4), 2);
    assert_false(requests[1].has_range);
}

/* The text with a part replaced. */
static void replace(struct hash_file *hashes, const char *from, const char *to)
{
    static char changed[sizeof(hashes->text)];
    const char *at = strstr(hashes->text, from);

    assert_non_null(at);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - hashes->text), hashes->text, to,
        at + strlen(from));
    memcpy(hashes->text, changed, sizeof(changed));
}

static void make_fault(struct hash_file *hashes, const struct fault *fault)
{
    make_hashes(hashes, usual_bytes(), SIZE, PIECE);
    if (fault->from && !strcmp(fault->from, "*"))
        (void)snprintf(hashes->text, sizeof(hashes->text), "%s", fault->to);
    else if (fault->from)
        replace(hashes, fault->from, fault->to);
}

/* Broken: a bad hash file has another code, is believed, or stops who can do without. */
static void test_integrity_faults_of_hash_files_have_their_codes(void **state)
{
    static const char other[] = "oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ=";
    static const struct fault faults[] = {
        {"empty", DO_E_METAINFO_FILE_SIZE, "*", "", false},
        {"no json", DO_E_METAINFO_CONTENT, "*", "<html>", false},
        {"no object", DO_E_METAINFO_CONTENT, "*", "[1]", false},
        {"version", DO_E_METAINFO_VERSION, "\"MajorVersion\":1", "\"MajorVersion\":2", false},
        {"no hash", DO_E_METAINFO_PARSE_HOH, "\"HashOfHashes\":\"", "\"HashOfHashes\":\"x", false},
        {"length", DO_E_METAINFO_CONTENT_LENGTH, "\"ContentLength\":", "\"ContentLength\":-",
            false},
        {"piece size", DO_E_METAINFO_PIECE_SIZE, "\"PieceSize\":65536", "\"PieceSize\":1", false},
        {"count", DO_E_METAINFO_PARSE_PIECEHASHES, "\"PieceSize\":65536", "\"PieceSize\":65535000",
            false},
        {"piece", DO_E_METAINFO_PARSE_ONE_PIECEHASH, "\"Pieces\":[\"", "\"Pieces\":[\"x", false},
        {"sizes", DO_E_METAINFO_HOH_FINAL_MATCH, "\"PieceSize\":65536", "\"PieceSize\":65537",
            false},
    };
    static struct hash_file hashes;
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(faults) * 4; i++)
    {
        const struct fault *fault = &faults[i / 4];
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);

        make_fault(&hashes, fault);
        (void)put_hashes(&hashes, "", info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i % 4 < 2)
            set_mandatory(job);
        assert_ok(start(job));
        if (i % 4 < 2)
            assert_fails(job, &file, fault->hr);
        else
            assert_saves(job, &file, usual_bytes(), SIZE);
    }
    /* A hash file that is whole, of something else. */
    for (size_t i = 0; i < 4; i++)
    {
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);

        make_hashes(&hashes, usual_bytes(), SIZE, PIECE);
        (void)snprintf(hashes.hash_of_hashes, sizeof(hashes.hash_of_hashes), "%s", other);
        (void)put_hashes(&hashes, "", info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i < 2)
            set_mandatory(job);
        assert_ok(start(job));
        if (i < 2)
            assert_fails(job, &file, DO_E_METAINFO_HOH_MATCH);
        else
            assert_saves(job, &file, usual_bytes(), SIZE);
    }
}

/* Broken: without a hash file a file that must be checked goes on, or one that need not stops. */
static void test_integrity_missing_hash_file(void **state)
{
    static const char *const queries[] = {"status=404", "status=403", "gzip=1"};
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries) * 4; i++)
    {
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);

        (void)put_usual(queries[i / 4], info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (i % 4 < 2)
            set_mandatory(job);
        assert_ok(start(job));
        if (i % 4 < 2)
            assert_fails(job, &file, DO_E_INTEGRITYCHECKINFO_UNAVAILABLE);
        else
            assert_saves(job, &file, usual_bytes(), SIZE);
    }
}

/* Broken: a larger hash file than any is read into memory to its end. */
static void test_integrity_endless_hash_file_is_refused(void **state)
{
    static const char *const queries[] = {"size=70000000", "size=70000000&no_length=1"};
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries); i++)
    {
        struct test_file file = test_file("file", SIZE_QUERY);
        struct test_file hashes = test_file("hashes", queries[i]);
        struct do_job *job = make(OF_JOB, &file);

        (void)snprintf(info, sizeof(info),
            "{\"PiecesHashFileUrl\":\"%s\","
            "\"HashOfHashes\":\"oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ=\"}",
            hashes.url);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_mandatory(job);
        assert_ok(start(job));
        assert_fails(job, &file, DO_E_METAINFO_FILE_SIZE);
    }
}

/* Broken: a server that is busy for a moment costs the check, or the job. */
static void test_integrity_transient_failure_of_the_hash_file_is_retried(void **state)
{
    static const char *const queries[] = {
        "fail_first=2", "fail_first=3&fail_how=cut&fail_at=100", "fail_first=2&fail_how=drop"};
    static const size_t counts[] = {3, 4, 3};
    struct test_request requests[8];
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(queries) * 2; i++)
    {
        struct test_file file = test_file("file", SIZE_QUERY "&corrupt=70000&corrupt_until=1");
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);
        struct test_file hashes = put_usual(queries[i / 2], info);

        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_mandatory(job);
        assert_ok(start(job));
        assert_saves(job, &file, usual_bytes(), SIZE);
        assert_int_equal(
            test_requests(hashes.server_path, counts[i / 2], requests, 8), counts[i / 2]);
    }
}

/* Broken: hashes of another length are compared with what is there, or believed for a part. */
static void test_integrity_object_of_another_length(void **state)
{
    static const char *const queries[] = {
        SIZE_QUERY, SIZE_QUERY "&no_length=1", SIZE_QUERY "&chunked=1"};
    static const size_t lengths[] = {SIZE - 1, SIZE + 1, SIZE + 2 * PIECE};
    static unsigned char longer[SIZE + 2 * PIECE];
    static struct hash_file hashes;
    char info[TEXT_SIZE];

    (void)state;
    test_fill(SEED, longer, sizeof(longer));
    for (size_t i = 0; i < DO_COUNT_OF(queries) * DO_COUNT_OF(lengths) * 2; i++)
    {
        const bool is_mandatory = i % 2 == 0;
        struct test_file file = test_file("file", queries[i / 2 / DO_COUNT_OF(lengths)]);
        struct do_job *job = make(i % 4 < 2 ? OF_JOB : OF_DOWNLOAD, &file);

        make_hashes(&hashes, longer, lengths[i / 2 % DO_COUNT_OF(lengths)], PIECE);
        (void)put_hashes(&hashes, "", info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        if (is_mandatory)
            set_mandatory(job);
        assert_ok(start(job));
        if (is_mandatory)
            assert_fails(job, &file, DO_E_METAINFO_CONTENT_LENGTH);
        else
            assert_saves(job, &file, usual_bytes(), SIZE);
    }
}

/* Broken: nobody says that a part of a file cannot be checked. */
static void test_integrity_ranges_and_missing_info_are_refused(void **state)
{
    static const struct do_range range = {100, 200};
    const struct do_value one = do_value_of_number(1);
    struct test_file file = test_file("file", SIZE_QUERY);
    char info[TEXT_SIZE];
    struct do_job *job = test_job();

    (void)state;
    (void)put_usual("", info);
    assert_ok(test_add_ranges(job, &file, &range, 1, DO_SIZE_UNKNOWN));
    assert_ok(set_value(job, DO_FILE_PROP_INTEGRITY_MANDATORY, &one));
    assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, start(job));
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED, start(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);

    /* What need not be checked goes on without. */
    job = test_job();
    assert_ok(test_add_ranges(job, &file, &range, 1, DO_SIZE_UNKNOWN));
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    assert_ok(start(job));
    assert_saves(job, &file, usual_bytes() + 100, 100);

    job = make(OF_DOWNLOAD, &file);
    set_mandatory(job);
    assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, start(job));
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED,
        do_download_start(job, DO_DOWNLOAD_START_RANGES, &range, 1));
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED,
        do_download_start(job, DO_DOWNLOAD_START_RANGES, &range, 1));
    assert_saves(job, &file, usual_bytes(), SIZE);
}

/* Broken: texts that make no sense are taken, or an empty one does not clear. */
static void test_integrity_bad_texts_are_refused_when_set(void **state)
{
    const struct do_value bad = do_value_of_text("{\"PiecesHashFileUrl\":\"http://h/\"}");
    const struct do_value bad_key = do_value_of_text("{\"KeyData\":\"AAEC\"}");
    const struct do_value number = do_value_of_number(1);
    const struct do_value empty = do_value_of_text(NULL);
    char info[TEXT_SIZE];

    (void)state;
    (void)put_usual("", info);
    for (enum kind kind = OF_JOB; kind < KINDS; kind++)
    {
        struct test_file file = test_file("file", SIZE_QUERY);
        struct do_job *job = make(kind, &file);

        assert_hr(E_INVALIDARG, set_value(job, DO_FILE_PROP_INTEGRITY_INFO, &bad));
        assert_hr(E_INVALIDARG, set_value(job, DO_FILE_PROP_INTEGRITY_INFO, &number));
        assert_hr(E_INVALIDARG, set_value(job, DO_FILE_PROP_DECRYPTION_INFO, &bad_key));
        assert_hr(E_INVALIDARG, set_value(job, DO_FILE_PROP_DECRYPTION_INFO, &number));
        set_mandatory(job);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        assert_ok(set_value(job, DO_FILE_PROP_INTEGRITY_INFO, &empty));
        assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, start(job));
    }
}

/* Stops in the check */

#define BIG ((size_t)24 << 20)

static const unsigned char *big_bytes(void)
{
    static unsigned char bytes[BIG];
    static bool filled;

    if (!filled)
        test_fill(SEED, bytes, BIG);
    filled = true;
    return bytes;
}

static void put_big(const char *query, char *text)
{
    static struct hash_file hashes;
    static bool made;

    if (!made)
        make_hashes(&hashes, big_bytes(), BIG, 1U << 20);
    made = true;
    (void)put_hashes(&hashes, query, text);
}

/* Broken: a stop while a file is checked hangs, counts it as checked, or loses it. */
static void test_integrity_stopped_while_checking(void **state)
{
    char info[TEXT_SIZE];

    (void)state;
    for (unsigned int i = 0; i < 6; i++)
    {
        struct test_file file = test_file("file", "size=24m&seed=3");
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, &file);

        put_big("", info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_mandatory(job);
        assert_ok(start(job));
        for (unsigned int round = 0; round < 3; round++)
        {
            test_wait_bytes(job, BIG);
            test_pause_ms(round * i);
            assert_ok(stop(job));
            assert_ok(start(job));
        }
        if (i / 2 == 0)
            assert_saves(job, &file, big_bytes(), BIG);
        else
        {
            assert_ok(i / 2 == 1 ? drop(job) : stop(job));
            if (i / 2 == 2)
                assert_ok(drop(job));
            assert_false(test_exists(file.path));
            assert_int_equal(test_temp_files(), 0);
        }
    }
}

/* Broken: a file whose hashes have not come yet counts as checked when its job is suspended. */
static void test_integrity_suspended_before_the_hashes_is_not_checked(void **state)
{
    char info[TEXT_SIZE];
    struct test_file file = test_file("file", "size=24m&seed=3&corrupt=20m");
    struct do_job *job = make(OF_JOB, &file);

    (void)state;
    put_big("delay=200", info);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    set_mandatory(job);
    assert_ok(start(job));
    test_wait_bytes(job, BIG);
    assert_ok(do_job_suspend(job));
    assert_ok(do_job_resume(job));
    test_pause_ms(50);
    assert_ok(do_job_suspend(job));
    assert_false(do_job_file_get_progress(do_job_get_file(job, 0)).transferred);
    assert_hr(DO_HR_S_PARTIAL_COMPLETE, do_job_complete(job));
    assert_false(test_exists(file.path));
    assert_int_equal(test_temp_files(), 0);
}

/* Broken: an engine that ends in the check leaves a job that was not checked, or nothing of it. */
static void test_integrity_engine_restarted_after_a_stop_in_the_check(void **state)
{
    char info[TEXT_SIZE];
    struct test_file file = test_file("file", "size=24m&seed=3&corrupt=20m&corrupt_until=1");
    struct do_job *job = make(OF_JOB, &file);
    struct test_request requests[4];
    size_t count;

    (void)state;
    put_big("", info);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    set_mandatory(job);
    assert_ok(start(job));
    test_wait_bytes(job, BIG);
    assert_ok(do_job_suspend(job));
    test_engine_stop();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_ok(do_job_resume(job));
    assert_saves(job, &file, big_bytes(), BIG);
    /* The check may have come to the bad piece before the stop. */
    count = test_requests(file.server_path, 2, requests, 4);
    assert_in_range(count, 2, 3);
    for (size_t i = 1; i < count; i++)
        assert_in_range(requests[i].range.begin, TEST_MIB(20), TEST_MIB(21) - 1);
    assert_int_equal(requests[count - 1].range.end, TEST_MIB(21));
}

/* Broken: the engine ends under the thread of a check when the last client lets go. */
static void test_integrity_clients_let_go_while_checking(void **state)
{
    char info[TEXT_SIZE];
    struct test_file file = test_file("file", "size=24m&seed=3");
    struct do_job *job = make(OF_JOB, &file);

    (void)state;
    put_big("", info);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    assert_ok(start(job));
    test_wait_bytes(job, BIG);
    test_engine_stop();
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_saves(job, &file, big_bytes(), BIG);
    for (unsigned int i = 0; i < 10; i++)
    {
        file = test_file("file", "size=24m&seed=3");
        job = make(OF_JOB, &file);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        assert_ok(start(job));
        test_wait_bytes(job, BIG);
        assert_ok(do_job_cancel(job));
        assert_int_equal(test_temp_files(), 0);
        test_engine_stop();
        assert_ok(test_engine_start());
    }
}

/* Decryption */

static const unsigned char key[32] = "0123456789abcdefghijklmnopqrstuv";

static size_t encrypt_with(const EVP_CIPHER *cipher, const unsigned char *iv, bool pads,
    const unsigned char *plain, size_t length, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int first = 0;
    int last = 0;

    assert_non_null(ctx);
    assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv), 1);
    (void)EVP_CIPHER_CTX_set_padding(ctx, pads);
    assert_int_equal(EVP_EncryptUpdate(ctx, out, &first, plain, (int)length), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, out + first, &last), 1);
    if (tag)
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
    EVP_CIPHER_CTX_free(ctx);
    return (size_t)(first + last);
}

static size_t encrypt_buffer(const char *mode, size_t index, bool is_last, size_t buffer_size,
    const unsigned char *plain, size_t length, unsigned char *out)
{
    unsigned char iv[16] = {0};
    size_t made;

    if (!strcmp(mode, "CBC"))
    {
        put_le(iv, index * buffer_size, 8);
        (void)encrypt_with(EVP_aes_256_ecb(), NULL, false, iv, sizeof(iv), iv, NULL);
        return encrypt_with(EVP_aes_256_cbc(), iv, is_last, plain, length, out, NULL);
    }
    iv[3] = is_last;
    for (size_t i = 0; i < 8; i++)
        iv[4 + i] = (unsigned char)((uint64_t)index >> (56 - 8 * i));
    made = encrypt_with(EVP_aes_256_gcm(), iv, false, plain, length, out, out + length);
    return made + 16;
}

/* The encrypted object by the book (docs/integrity.md); out has room for one buffer more. */
static size_t encrypt(const char *mode, size_t buffer_size, const unsigned char *plain,
    size_t length, unsigned char *out)
{
    const bool is_cbc = !strcmp(mode, "CBC");
    static const unsigned char zero[16];
    size_t made = 0;
    size_t count = length / buffer_size + (length % buffer_size || !length || is_cbc);

    if (!strcmp(mode, "CTR"))
        return encrypt_with(EVP_aes_256_ctr(), zero, false, plain, length, out, NULL);
    for (size_t i = 0; i < count; i++)
    {
        size_t begin = i * buffer_size;
        size_t part = length - begin < buffer_size ? length - begin : buffer_size;

        made +=
            encrypt_buffer(mode, i, i + 1 == count, buffer_size, plain + begin, part, out + made);
    }
    return made;
}

static void make_decryption(const char *mode, size_t buffer_size, bool right_key, char *text)
{
    unsigned char used[32];
    char key_text[64];

    memcpy(used, key, sizeof(used));
    if (!right_key)
        used[5] ^= 0x55;
    to_base64(used, sizeof(used), key_text);
    (void)snprintf(text, TEXT_SIZE,
        "{\"KeyData\":\"%s\",\"EncryptionBufferSize\":%zu,\"AlgorithmName\":\"AES\","
        "\"ChainingMode\":\"ChainingMode%s\"}",
        key_text, buffer_size, mode);
}

static unsigned char encrypted[SIZE + SIZE];
static const char *const modes[] = {"CBC", "CTR", "GCM"};

/* The usual bytes, encrypted, on the server; returns how many those are. */
static size_t put_encrypted(
    const struct test_file *file, const char *mode, size_t buffer_size, size_t length)
{
    size_t made = encrypt(mode, buffer_size, usual_bytes(), length, encrypted);

    test_put(file->server_path, encrypted, made);
    return made;
}

/* Broken: an encrypted file is saved as it came, cut, padded or shuffled. */
static void test_decrypt_saved_file_is_the_plain_one(void **state)
{
    static const struct
    {
        size_t length;
        size_t buffer_size;
    } sizes[] = {{0, 48}, {1, 48}, {47, 48}, {48, 48}, {49, 48}, {96, 48}, {SIZE, 65536},
        {65536, 65536}, {131072 - 1, 65536}, {5000, 16}, {SIZE, 1U << 20}};
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(sizes) * DO_COUNT_OF(modes) * KINDS; i++)
    {
        const char *mode = modes[i % DO_COUNT_OF(modes)];
        const size_t length = sizes[i / DO_COUNT_OF(modes) / KINDS].length;
        const size_t buffer_size = sizes[i / DO_COUNT_OF(modes) / KINDS].buffer_size;
        struct test_file file = test_file("file", "");
        struct do_job *job = make(i / DO_COUNT_OF(modes) % KINDS ? OF_JOB : OF_DOWNLOAD, &file);
        size_t made = put_encrypted(&file, mode, buffer_size, length);
        struct do_job_progress progress;

        make_decryption(mode, buffer_size, true, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        do_job_get_progress(job, &progress);
        assert_int_equal(progress.bytes_total, made);
        assert_int_equal(progress.bytes_transferred, made);
        assert_saves(job, &file, usual_bytes(), length);
    }
}

/* Broken: what is not encrypted with the key is saved all the same, or files are left. */
static void test_decrypt_wrong_key_or_content_is_told(void **state)
{
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 8; i++)
    {
        const char *mode = i % 2 ? "CBC" : "GCM";
        struct test_file file = test_file("file", "size=100007");
        struct do_job *job = make(i % 4 < 2 ? OF_JOB : OF_DOWNLOAD, &file);

        /* Another key; then an object that is not encrypted, of a size that none has. */
        if (i < 4)
            (void)put_encrypted(&file, mode, 65536, SIZE);
        else if (i % 2 == 0)
            test_put(file.server_path, "short", 5);
        make_decryption(mode, 65536, false, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        assert_ok(start(job));
        assert_fails(job, &file, DO_E_FILE_ENCRYPTION_EXPECTED);
    }
}

/* Broken: who starts again gets the same error for ever, or good bytes come again, in vain. */
static void test_decrypt_start_after_the_error_fetches_again(void **state)
{
    static struct hash_file hashes;
    struct test_request requests[4];
    char info[TEXT_SIZE];
    char integrity[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 4; i++)
    {
        const bool has_hashes = i >= 2;
        struct test_file file = test_file("file", "corrupt=1000&corrupt_until=1");
        struct test_file good = test_file("good", "");
        struct do_job *job = make(i % 2 ? OF_JOB : OF_DOWNLOAD, has_hashes ? &good : &file);

        make_decryption("GCM", 65536, !has_hashes, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        if (has_hashes)
        {
            make_hashes(&hashes, encrypted, put_encrypted(&good, "GCM", 65536, SIZE), PIECE);
            (void)put_hashes(&hashes, "", integrity);
            set_text(job, DO_FILE_PROP_INTEGRITY_INFO, integrity);
        }
        else
            (void)put_encrypted(&file, "GCM", 65536, SIZE);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_ERROR);
        assert_hr(DO_E_FILE_ENCRYPTION_EXPECTED, test_error(job));
        /* The next engine does so too. */
        if (i == 1)
        {
            release_downloads(false);
            test_engine_stop();
            assert_ok(test_engine_start());
            job = test_only_job();
        }
        assert_ok(start(job));
        if (has_hashes)
        {
            assert_fails(job, &good, DO_E_FILE_ENCRYPTION_EXPECTED);
            assert_int_equal(test_requests(good.server_path, 1, requests, 4), 1);
            continue;
        }
        assert_saves(job, &file, usual_bytes(), SIZE);
        assert_int_equal(test_requests(file.server_path, 2, requests, 4), 2);
        assert_false(requests[1].has_range);
    }
}

/* Broken: what is saved of a decrypted file depends on a text that was taken back after it. */
static void test_decrypt_info_cleared_after_it_was_used(void **state)
{
    const struct do_value nothing = do_value_of_text(NULL);
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(modes); i++)
    {
        struct test_file file = test_file("file", "");
        struct test_file other = test_file("other", SIZE_QUERY);
        struct do_job *job = make(OF_JOB, &file);

        (void)put_encrypted(&file, modes[i], 65536, 70000);
        make_decryption(modes[i], 65536, true, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        /* It suspends the job, and has no size of a plain file. */
        assert_ok(test_add_ranges(job, &other, NULL, 0, DO_SIZE_UNKNOWN));
        assert_ok(set_value(job, DO_FILE_PROP_DECRYPTION_INFO, &nothing));
        test_engine_stop();
        assert_ok(test_engine_start());
        job = test_only_job();
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        assert_ok(save(job));
        assert_true(test_has_bytes(file.path, usual_bytes(), 70000));
        assert_true(test_has_bytes(other.path, usual_bytes(), SIZE));
    }
}

/* Broken: hashes are compared with the plain bytes, or a bad piece is decrypted. */
static void test_decrypt_hashes_are_over_the_encrypted_bytes(void **state)
{
    static struct hash_file hashes;
    struct test_request requests[4];
    char info[TEXT_SIZE];
    char decryption[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(modes) * KINDS; i++)
    {
        const char *mode = modes[i % DO_COUNT_OF(modes)];
        struct test_file file = test_file("file", "corrupt=200000&corrupt_until=1");
        struct do_job *job = make(i < DO_COUNT_OF(modes) ? OF_JOB : OF_DOWNLOAD, &file);
        size_t made = put_encrypted(&file, mode, 4096, SIZE);

        make_hashes(&hashes, encrypted, made, PIECE);
        (void)put_hashes(&hashes, "", info);
        make_decryption(mode, 4096, true, decryption);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, decryption);
        set_mandatory(job);
        assert_ok(start(job));
        assert_saves(job, &file, usual_bytes(), SIZE);
        assert_int_equal(test_requests(file.server_path, 2, requests, 4), 2);
        assert_int_equal(requests[1].range.begin, 3 * PIECE);
    }
}

/* Broken: the next engine saves the plain file with the size of the encrypted one. */
static void test_decrypt_restart_before_complete_keeps_the_plain_size(void **state)
{
    static const size_t lengths[] = {0, 1, 65536, SIZE};
    char info[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(lengths) * 2; i++)
    {
        const char *mode = i % 2 ? "CBC" : "GCM";
        const size_t length = lengths[i / 2];
        struct test_file file = test_file("file", "");
        struct do_job *job = make(OF_JOB, &file);

        (void)put_encrypted(&file, mode, 65536, length);
        make_decryption(mode, 65536, true, info);
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        assert_ok(start(job));
        test_wait_state(job, DO_JOB_TRANSFERRED);
        test_engine_stop();
        assert_ok(test_engine_start());
        job = test_only_job();
        assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRED);
        assert_saves(job, &file, usual_bytes(), length);
    }
}

/* Broken: a part of an encrypted file is fetched and cannot be decrypted. */
static void test_decrypt_ranges_are_refused(void **state)
{
    static const struct do_range range = {0, 100};
    struct test_file file = test_file("file", SIZE_QUERY);
    struct do_job *job = test_job();
    char info[TEXT_SIZE];

    (void)state;
    make_decryption("CTR", 65536, true, info);
    assert_ok(test_add_ranges(job, &file, &range, 1, DO_SIZE_UNKNOWN));
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED, start(job));
    job = make(OF_DOWNLOAD, &file);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED,
        do_download_start(job, DO_DOWNLOAD_START_RANGES, &range, 1));
}

/* Broken: the usual way to ask for a whole file is refused as a part of it, or is not checked. */
static void test_decrypt_range_from_begin_to_end_is_the_whole(void **state)
{
    static const struct do_range range = {0, DO_SIZE_UNKNOWN};
    static struct hash_file hashes;
    char integrity[TEXT_SIZE];
    char info[TEXT_SIZE];

    (void)state;
    for (unsigned int i = 0; i < 2; i++)
    {
        struct test_file file = test_file("file", i ? "corrupt=1000" : "");
        struct do_job *job = test_job();
        size_t made = put_encrypted(&file, "CBC", 65536, SIZE);

        make_hashes(&hashes, encrypted, made, PIECE);
        (void)put_hashes(&hashes, "", integrity);
        make_decryption("CBC", 65536, true, info);
        assert_ok(test_add_ranges(job, &file, &range, 1, DO_SIZE_UNKNOWN));
        set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
        set_text(job, DO_FILE_PROP_INTEGRITY_INFO, integrity);
        set_mandatory(job);
        assert_ok(start(job));
        if (i)
            assert_fails(job, &file, DO_E_BAD_PIECE_HASH);
        else
            assert_saves(job, &file, usual_bytes(), SIZE);
    }
}

/* A recorder that is busy with a job of somebody else. */
static struct
{
    bool is_held;
    bool is_open;
    bool is_complete;
    HRESULT hr;
    size_t temp_files; /* when Complete returned */
} busy;

static HRESULT hold_first_flush(void *ctx, enum do_file_op op, uint64_t offset, size_t length)
{
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;

    (void)ctx;
    (void)offset;
    (void)length;
    do_mutex_lock(&client.lock);
    if (op == DO_FILE_OP_FLUSH && !busy.is_held)
    {
        busy.is_held = true;
        while (!busy.is_open && do_clock_ms() < end_ms)
            (void)do_cond_wait_ms(&client.changed, &client.lock, 100);
    }
    do_mutex_unlock(&client.lock);
    return S_OK;
}

static bool is_busy(bool *flag, uint32_t wait_ms)
{
    const uint64_t end_ms = do_clock_ms() + wait_ms;
    bool is;

    do_mutex_lock(&client.lock);
    while (!*flag && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&client.changed, &client.lock, 20);
    is = *flag;
    do_mutex_unlock(&client.lock);
    return is;
}

static void complete_main(void *ctx)
{
    HRESULT hr = do_job_complete(ctx);
    size_t temp_files = test_temp_files();

    do_mutex_lock(&client.lock);
    busy.hr = hr;
    busy.temp_files = temp_files;
    busy.is_complete = true;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

/* Broken: the encrypted file is there after Complete, as long as the recorder has work. */
static void test_decrypt_complete_leaves_no_encrypted_file(void **state)
{
    struct test_file other_file;
    struct test_file file = test_file("file", "");
    struct do_thread *thread = NULL;
    struct do_job *other;
    struct do_job *job;
    char info[TEXT_SIZE];

    (void)state;
    memset(&busy, 0, sizeof(busy));
    do_file_set_fault(hold_first_flush, NULL);
    other = test_download(&other_file, "other", "size=2m&rate=300k");
    assert_true(is_busy(&busy.is_held, TEST_WAIT_MS));
    job = make(OF_JOB, &file);
    (void)put_encrypted(&file, "CBC", 65536, SIZE);
    make_decryption("CBC", 65536, true, info);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_thread_start("complete", complete_main, job, &thread));
    (void)is_busy(&busy.is_complete, 300);
    do_mutex_lock(&client.lock);
    busy.is_open = true;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
    do_thread_join(thread);
    do_file_set_fault(NULL, NULL);
    assert_ok(busy.hr);
    /* The other job's. */
    assert_int_equal(busy.temp_files, 1);
    assert_true(test_has_bytes(file.path, usual_bytes(), SIZE));
    assert_ok(do_job_cancel(other));
}

static int64_t count_rows(const char *sql)
{
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t count;

    assert_int_equal(sqlite3_open(test_config()->database_path, &connection), SQLITE_OK);
    (void)sqlite3_busy_timeout(connection, 5000);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    (void)sqlite3_step(statement);
    count = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    return count;
}

/* Broken: a crash or a failing database between two steps leaves the encrypted file with the size
 * of the plain one. */
static void test_decrypt_takes_the_plain_file_whole_or_not(void **state)
{
    struct test_file file = test_file("file", "");
    struct do_job *job = make(OF_JOB, &file);
    char info[TEXT_SIZE];
    char sql[200];

    (void)state;
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM file_values WHERE id = %u",
        (unsigned int)DO_FILE_PROP_PLAIN_SIZE);
    (void)put_encrypted(&file, "CBC", 65536, SIZE);
    make_decryption("CBC", 65536, true, info);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    /* No other file may be whole. */
    (void)count_rows("CREATE UNIQUE INDEX once ON files (transferred) WHERE transferred");
    (void)count_rows("INSERT INTO files (job, url, expected_size, remote_size, transferred, saved) "
                     "SELECT job, url, 0, 0, 1, 0 FROM files");
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(E_FAIL, test_error(job));
    assert_int_equal(count_rows(sql), 0);
    (void)count_rows("DROP INDEX once");
    (void)count_rows("DELETE FROM files WHERE temp_path IS NULL");
    assert_ok(start(job));
    assert_saves(job, &file, usual_bytes(), SIZE);
    assert_int_equal(count_rows(sql), 0);
}

/* Broken: a download that is started again after its end keeps the size of the old plain file. */
static void test_decrypt_downloaded_again(void **state)
{
    struct test_file file = test_file("file", "");
    struct do_job *job = make(OF_DOWNLOAD, &file);
    char info[TEXT_SIZE];

    (void)state;
    make_decryption("CBC", 65536, true, info);
    (void)put_encrypted(&file, "CBC", 65536, 70000);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    (void)put_encrypted(&file, "CBC", 65536, 200001);
    assert_ok(do_download_start(job, DO_DOWNLOAD_START_WHOLE, NULL, 0));
    assert_saves(job, &file, usual_bytes(), 200001);
}

/* Broken: a status that is asked for all the time disturbs the decryption, or the other way. */
static void test_decrypt_status_may_be_asked_for_meanwhile(void **state)
{
    struct test_file file = test_file("file", "");
    struct do_job *job = make(OF_DOWNLOAD, &file);
    struct do_download_status status;
    const uint64_t end_ms = do_clock_ms() + TEST_WAIT_MS;
    char info[TEXT_SIZE];

    (void)state;
    make_decryption("CBC", 4096, true, info);
    (void)put_encrypted(&file, "CBC", 4096, SIZE);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    assert_ok(start(job));
    do
    {
        do_download_get_status(job, &status);
    } while (status.state == DO_DOWNLOAD_TRANSFERRING && do_clock_ms() < end_ms);
    assert_int_equal(status.state, DO_DOWNLOAD_TRANSFERRED);
    assert_saves(job, &file, usual_bytes(), SIZE);
}

/* Streams */

/* A download into the stream of an encrypted object with hashes, in pieces of a MiB. */
#define STREAM_LENGTH (BIG - 5)

static struct do_job *make_stream_download(struct test_file *file, const char *query)
{
    static struct hash_file hashes;
    static unsigned char *object;
    static size_t made;
    char info[TEXT_SIZE];
    struct do_job *job;

    if (!object)
    {
        assert_non_null(object = malloc(BIG + BIG));
        made = encrypt("CBC", 65536, big_bytes(), STREAM_LENGTH, object);
        make_hashes(&hashes, object, made, 1U << 20);
    }
    *file = test_file("stream", query);
    test_put(file->server_path, object, made);
    job = new_download(file->url);
    (void)put_hashes(&hashes, "", info);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    make_decryption("CBC", 65536, true, info);
    set_text(job, DO_FILE_PROP_DECRYPTION_INFO, info);
    set_mandatory(job);
    {
        struct do_stream *stream = open_sink(job);

        assert_ok(do_download_set_stream(job, stream));
        do_stream_release(stream);
    }
    return job;
}

/* Temporary files of downloads into streams. */
static size_t spool_files(void)
{
    char folder[600];
    struct dirent *entry;
    size_t count = 0;
    DIR *entries;

    (void)snprintf(folder, sizeof(folder), "%s/queue", test_folder());
    assert_non_null(entries = opendir(folder));
    while ((entry = readdir(entries)))
    {
        if (!strncmp(entry->d_name, "DO", 2) && strstr(entry->d_name, ".tmp"))
            count++;
    }
    (void)closedir(entries);
    return count;
}

/* Broken: a stream gets bytes that were not checked, encrypted ones, or some of them twice. */
static void test_stream_gets_checked_plain_bytes_before_transferred(void **state)
{
    struct test_file file;
    struct do_job *job = make_stream_download(&file, "corrupt=5m&corrupt_until=1");

    (void)state;
    hold_sink(true);
    assert_ok(start(job));
    await_held();
    assert_int_equal(do_job_get_state(job), DO_JOB_TRANSFERRING);
    hold_sink(false);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(client.sink.last_state, DO_JOB_TRANSFERRING);
    assert_sink_has(big_bytes(), STREAM_LENGTH);
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && spool_files() != 1; waited += 2)
        test_pause_ms(2);
    assert_int_equal(spool_files(), 1);
    assert_ok(do_download_finalize(job));
    assert_sink_has(big_bytes(), STREAM_LENGTH);
    assert_int_equal(spool_files(), 0);
}

/* Broken: a bad file is in the client's stream before anybody knows. */
static void test_stream_gets_nothing_of_a_bad_file(void **state)
{
    struct test_file file;
    struct do_job *job = make_stream_download(&file, "corrupt=23m");

    (void)state;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(DO_E_BAD_PIECE_HASH, test_error(job));
    assert_sink_has(big_bytes(), 0);
}

/* Broken: what a stream has got comes again after a pause. */
static void test_stream_paused_amid_its_bytes_gets_the_rest(void **state)
{
    struct test_file file;
    struct do_job *job = make_stream_download(&file, "");

    (void)state;
    for (unsigned int i = 0; i < 4; i++)
    {
        assert_ok(start(job));
        test_wait_bytes(job, 1);
        test_pause_ms(i * 40);
        assert_ok(do_download_pause(job));
    }
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_sink_has(big_bytes(), STREAM_LENGTH);
}

/* Broken: a stream that refuses bytes loses them, or gets the ones before them again. */
static void test_stream_failure_is_the_error_and_can_be_repeated(void **state)
{
    struct test_file file;
    struct do_job *job = make_stream_download(&file, "");

    (void)state;
    client.sink.fails_at = 5000000;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_ERROR);
    assert_hr(E_ACCESSDENIED, test_error(job));
    assert_in_range(client.sink.length, 1, 5000000);
    client.sink.fails_at = 12000000;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_ERROR);
    client.sink.fails_at = SIZE_MAX;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_sink_has(big_bytes(), STREAM_LENGTH);
}

static void pause_inside(struct sink *sink)
{
    sink->inside = NULL;
    sink->inside_hr = do_download_pause(sink->job);
}

static void abort_inside(struct sink *sink)
{
    sink->inside = NULL;
    sink->inside_hr = do_download_abort(sink->job);
}

/* Broken: a client that pauses or aborts from inside its stream waits for itself for ever. */
static void test_stream_stopped_from_inside(void **state)
{
    struct test_file file;
    struct do_job *job = make_stream_download(&file, "");

    (void)state;
    client.sink.inside = pause_inside;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_SUSPENDED);
    await_idle();
    assert_ok(client.sink.inside_hr);
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_sink_has(big_bytes(), STREAM_LENGTH);
    assert_ok(do_download_finalize(job));

    job = make_stream_download(&file, "");
    client.sink.inside = abort_inside;
    assert_ok(start(job));
    test_wait_state(job, DO_JOB_CANCELLED);
    await_idle();
    /* The file that is read for the stream is gone when the stream has returned. */
    assert_true(SUCCEEDED(client.sink.inside_hr));
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && spool_files(); waited += 2)
        test_pause_ms(2);
    assert_int_equal(spool_files(), 0);
}

/* Killed */

/* Downloads and decrypts until it is killed. */
/* Broken: a temporary file that vanished lets the next one pass without its hashes. */
static void test_integrity_vanished_file_is_checked_too(void **state)
{
    char info[TEXT_SIZE];
    struct test_file file = test_file("file", "size=24m&seed=3&corrupt=20m&rate=40m");
    struct do_job *job = make(OF_JOB, &file);
    char *temp = NULL;

    (void)state;
    put_big("", info);
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, info);
    set_mandatory(job);
    assert_ok(start(job));
    test_wait_bytes(job, TEST_MIB(4));
    assert_ok(do_job_suspend(job));
    assert_ok(do_job_file_get_temp_path(do_job_get_file(job, 0), &temp));
    assert_int_equal(unlink(temp), 0);
    do_free(temp);
    assert_ok(do_job_resume(job));
    assert_int_equal(test_wait(job, TEST_ENDED), DO_JOB_ERROR);
}

/* Broken: the host of the hash file is given the password for the file's. */
static void test_integrity_hash_host_gets_no_password(void **state)
{
    char user[] = "user";
    char password[] = "secret";
    const struct do_credential credential = {DO_AUTH_SERVER, DO_AUTH_BASIC, user, password};
    struct test_file file = test_file("file", "size=24m&seed=3");
    struct do_job *job = make(OF_JOB, &file);
    char info[TEXT_SIZE];
    char other[TEXT_SIZE];
    const char *at;

    (void)state;
    put_big("auth=basic", info);
    assert_non_null(at = strstr(info, "127.0.0.1"));
    (void)snprintf(
        other, sizeof(other), "%.*slocalhost%s", (int)(at - info), info, at + strlen("127.0.0.1"));
    set_text(job, DO_FILE_PROP_INTEGRITY_INFO, other);
    set_mandatory(job);
    assert_ok(do_job_set_credential(job, &credential));
    assert_ok(start(job));
    assert_int_equal(test_wait(job, TEST_ENDED), DO_JOB_ERROR);
}

static int child_main(char **arguments)
{
    const struct do_new_file new_file = {
        "content", arguments[2], arguments[3], NULL, 0, DO_SIZE_UNKNOWN};
    const struct do_value info = do_value_of_text(arguments[4]);
    struct do_job *job = NULL;

    test_adopt(arguments[0], (uint16_t)strtoul(arguments[1], NULL, 10));
    if (FAILED(test_engine_start()) ||
        FAILED(do_engine_create_job(test_engine(), "child", NULL, &job)) ||
        FAILED(do_job_add_files(job, &new_file, 1, NULL)) ||
        FAILED(
            do_job_file_set_value(do_job_get_file(job, 0), DO_FILE_PROP_DECRYPTION_INFO, &info)) ||
        FAILED(do_job_resume(job)))
        return 1;
    test_pause_ms(60000);
    return 0;
}

static pid_t start_child(const struct test_file *file, char *info)
{
    char self[] = "/proc/self/exe";
    char option[] = "--child";
    char folder[400];
    char port[16];
    char url[1024];
    char path[512];
    char *arguments[] = {self, option, folder, port, url, path, info, NULL};
    pid_t pid;

    (void)snprintf(folder, sizeof(folder), "%s", test_folder());
    (void)snprintf(port, sizeof(port), "%u", (unsigned int)test_server_port());
    (void)snprintf(url, sizeof(url), "%s", file->url);
    (void)snprintf(path, sizeof(path), "%s", file->path);
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, arguments, environ), 0);
    return pid;
}

/* Broken: a process that is killed while it decrypts leaves a file for ever, or half a plain one.
 */
static void test_decrypt_killed_child_leaves_one_file(void **state)
{
    const size_t length = BIG / 4;
    struct test_file file = test_file("file", "");
    unsigned char *object = malloc(BIG);
    struct do_job *job;
    char info[TEXT_SIZE];
    bool both = false;
    int status = 0;
    pid_t pid;

    (void)state;
    test_engine_stop();
    assert_non_null(object);
    test_put(file.server_path, object, encrypt("CBC", 16, big_bytes(), length, object));
    free(object);
    make_decryption("CBC", 16, true, info);
    pid = start_child(&file, info);
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && !both; waited++)
    {
        both = test_temp_files() == 2;
        test_pause_ms(1);
    }
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(both);
    /* One that was killed too late is decrypted already. */
    assert_ok(test_engine_start());
    job = test_only_job();
    assert_saves(job, &file, big_bytes(), length);
}

/* The part file */

/* Broken: bytes that turned out to be worthless still count, here or in the next engine. */
static void test_part_file_forgets_bytes(void **state)
{
    static const char data[300] = "data";
    struct do_range_set durable;
    struct do_range_set written;
    struct do_part_file *part;
    char path[600];
    bool changed;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/DO0000000A.tmp", test_folder());
    assert_ok(do_part_file_create(path, NULL, &part));
    assert_ok(do_part_file_open(part));
    assert_ok(do_part_file_write(part, 0, data, sizeof(data)));
    assert_true(do_part_file_is_written(part, sizeof(data)));
    do_range_set_init(&durable);
    assert_ok(do_part_file_flush(part, &durable, &changed));
    assert_true(changed);
    assert_ok(do_part_file_forget(part, 100, 200));
    assert_false(do_part_file_is_written(part, sizeof(data)));
    assert_true(do_part_file_is_written(part, 100));
    assert_ok(do_part_file_get_written(part, &written));
    assert_int_equal(written.count, 2);
    assert_int_equal(written.ranges[0].end, 100);
    assert_int_equal(written.ranges[1].begin, 200);
    /* The record must change too, though nothing was written. */
    assert_ok(do_part_file_flush(part, &durable, &changed));
    assert_true(changed);
    assert_int_equal(do_range_set_size(&durable), 200);
    assert_ok(do_part_file_write(part, 100, data, 100));
    assert_true(do_part_file_is_written(part, sizeof(data)));
    do_part_file_discard(part);
    do_part_file_release(part);
    do_range_set_finish(&durable);
    do_range_set_finish(&written);
    assert_int_equal(test_temp_files(), 0);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest integrity[] = {
        CHECK_TEST(test_integrity_good_file_is_transferred),
        CHECK_TEST(test_integrity_digest_of_the_hash_file_counts),
        CHECK_TEST(test_integrity_bad_piece_alone_is_fetched_again),
        CHECK_TEST(test_integrity_piece_bad_twice_begins_anew_then_fails),
        CHECK_TEST(test_integrity_all_pieces_bad_begin_anew),
        CHECK_TEST(test_integrity_faults_of_hash_files_have_their_codes),
        CHECK_TEST(test_integrity_missing_hash_file),
        CHECK_TEST(test_integrity_endless_hash_file_is_refused),
        CHECK_TEST(test_integrity_transient_failure_of_the_hash_file_is_retried),
        CHECK_TEST(test_integrity_object_of_another_length),
        CHECK_TEST(test_integrity_ranges_and_missing_info_are_refused),
        CHECK_TEST(test_integrity_bad_texts_are_refused_when_set),
        CHECK_TEST(test_integrity_stopped_while_checking),
        CHECK_TEST(test_integrity_suspended_before_the_hashes_is_not_checked),
        CHECK_TEST(test_integrity_engine_restarted_after_a_stop_in_the_check),
        CHECK_TEST(test_integrity_clients_let_go_while_checking),
        CHECK_TEST(test_decrypt_saved_file_is_the_plain_one),
        CHECK_TEST(test_decrypt_wrong_key_or_content_is_told),
        CHECK_TEST(test_decrypt_start_after_the_error_fetches_again),
        CHECK_TEST(test_decrypt_info_cleared_after_it_was_used),
        CHECK_TEST(test_decrypt_hashes_are_over_the_encrypted_bytes),
        CHECK_TEST(test_decrypt_restart_before_complete_keeps_the_plain_size),
        CHECK_TEST(test_decrypt_ranges_are_refused),
        CHECK_TEST(test_decrypt_range_from_begin_to_end_is_the_whole),
        CHECK_TEST(test_decrypt_complete_leaves_no_encrypted_file),
        CHECK_TEST(test_decrypt_takes_the_plain_file_whole_or_not),
        CHECK_TEST(test_decrypt_downloaded_again),
        CHECK_TEST(test_decrypt_status_may_be_asked_for_meanwhile),
        CHECK_TEST(test_decrypt_killed_child_leaves_one_file),
        CHECK_TEST(test_stream_gets_checked_plain_bytes_before_transferred),
        CHECK_TEST(test_stream_gets_nothing_of_a_bad_file),
        CHECK_TEST(test_stream_paused_amid_its_bytes_gets_the_rest),
        CHECK_TEST(test_stream_failure_is_the_error_and_can_be_repeated),
        CHECK_TEST(test_stream_stopped_from_inside),
        CHECK_TEST(test_part_file_forgets_bytes),
        CHECK_TEST(test_integrity_vanished_file_is_checked_too),
        CHECK_TEST(test_integrity_hash_host_gets_no_password),
    };

    if (count == 7 && !strcmp(arguments[1], "--child"))
        return child_main(arguments + 2);
    return ENGINE_TEST_RUN(integrity);
}
