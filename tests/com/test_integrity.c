/* SPDX-License-Identifier: MIT */
/*
 * IntegrityCheckInfo and IntegrityCheckMandatory through COM: whole files that are compared with
 * piece hashes, as downloads and as files of jobs, to a path and into a stream (checked.h).
 * Callbacks and streams record on the product's threads; the test's thread asserts, and owns
 * everything. Long by its tables.
 */
#include "checked.h"

#include <stdlib.h>
#include <string.h>

#include <bcrypt.h>

#define LIMIT_BYTES (64U << 20) /* of a hash file */
/* Requests for an object that stays bad: all of it, the bad piece, all of it again. */
#define BAD_REQUESTS 3U

/* Integrity */

/* Broken: a good file is refused, fetched twice, or is not what was hashed. */
static void test_integrity_good_file_is_transferred(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    char path[64];

    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        print_message("  %s\n", checked_way_names[way]);
        (void)strcpy(path, checked_put_usual(test, "", info)->path);
        checked_open(&subject, test, way, "", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_start(&subject));
        assert_int_equal(CHECKED_SIZE, checked_wait_transferred(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_int_equal(1, checked_requests(test, path, NULL, 0));
        assert_int_equal(1, checked_requests(test, subject.server_path, NULL, 0));
    }
}

/* Broken: a hash file that is known by its digest is not accepted, or any other one is. */
static void test_integrity_digest_of_the_hash_file_counts(void **state)
{
    static const struct
    {
        const char *name;
        const WCHAR *algorithm;
    } rows[] = {{"SHA1", BCRYPT_SHA1_ALGORITHM}, {"sha-256", BCRYPT_SHA256_ALGORITHM},
        {"SHA-384", BCRYPT_SHA384_ALGORITHM}, {"SHA512", BCRYPT_SHA512_ALGORITHM}};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < 3 * TEST_COUNT_OF(rows); i++)
    {
        /* The digest alone, with the hash of hashes, and a wrong one with that. */
        const bool has_both = i / TEST_COUNT_OF(rows) > 0;
        const bool is_right = i / TEST_COUNT_OF(rows) < 2;
        const size_t row = i % TEST_COUNT_OF(rows);
        const struct hash_file *hashes = checked_put_usual(test, "", info);
        BYTE digest[DIGEST_LIMIT];
        char text[DIGEST_TEXT];
        size_t length =
            make_digest(rows[row].algorithm, hashes->text, strlen(hashes->text), digest);

        digest[length - 1] ^= is_right ? 0 : 1;
        make_base64(digest, length, text);
        (void)_snwprintf(info, CHECKED_TEXT,
            L"{\"PiecesHashFileUrl\":\"%ls\",%hs%hs%hs\"PiecesHashFileDigest\":\"%hs\","
            L"\"PiecesHashFileDigestAlgorithm\":\"%hs\"}",
            hashes->url, has_both ? "\"HashOfHashes\":\"" : "",
            has_both ? hashes->hash_of_hashes : "", has_both ? "\"," : "", text, rows[row].name);
        checked_open(&subject, test, i % CHECKED_WAYS, "", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_start(&subject));
        if (is_right)
        {
            checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
            continue;
        }
        checked_wait_error(&subject, DO_E_METAINFO_DIGEST_MATCH);
        checked_close(&subject);
    }
}

/* Broken: one bad piece costs the whole file, is kept, or is not noticed. */
static void test_integrity_bad_piece_alone_is_fetched_again(void **state)
{
    static const size_t offsets[] = {0, 3 * CHECKED_PIECE + 7, CHECKED_SIZE - 1};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < CHECKED_WAYS * TEST_COUNT_OF(offsets); i++)
    {
        const size_t offset = offsets[i / CHECKED_WAYS];
        const size_t begin = offset / CHECKED_PIECE * CHECKED_PIECE;
        const size_t end =
            begin + CHECKED_PIECE < CHECKED_SIZE ? begin + CHECKED_PIECE : CHECKED_SIZE;
        char query[64];
        char wanted[64];
        char range[64];

        (void)snprintf(query, sizeof(query), "corrupt=%zu&corrupt_until=1", offset);
        (void)snprintf(wanted, sizeof(wanted), "bytes=%zu-%zu", begin, end - 1);
        (void)checked_put_usual(test, "", info);
        checked_open(&subject, test, i % CHECKED_WAYS, query, checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, i / CHECKED_WAYS == 1));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_int_equal(2, checked_requests(test, subject.server_path, range, sizeof(range)));
        assert_string_equal(wanted, range);
    }
}

/* Broken: a file that stays bad is let go, asked for without end, or its error is not the one that
   is documented; or what is bad today cannot be tried again tomorrow. */
static void test_integrity_piece_that_stays_bad_is_the_error(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    char query[64];

    /* Also for those that need not be checked: their hashes are there, and tell. */
    for (unsigned int i = 0; i < 2 * CHECKED_WAYS; i++)
    {
        print_message("  %s\n", checked_way_names[i % CHECKED_WAYS]);
        (void)checked_put_usual(test, "", info);
        (void)snprintf(query, sizeof(query), "corrupt=70000&corrupt_until=%u", BAD_REQUESTS + 1);
        checked_open(&subject, test, i % CHECKED_WAYS, query, checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, i < CHECKED_WAYS));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_BAD_PIECE_HASH);
        assert_int_equal(BAD_REQUESTS, checked_requests(test, subject.server_path, NULL, 0));
        /* The next start fetches what is bad, and once more. */
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_int_equal(BAD_REQUESTS + 2, checked_requests(test, subject.server_path, NULL, 0));
    }
}

/* Broken: a client that waits for its callback never learns that the file is bad, or why. */
static void test_integrity_callback_tells_of_a_bad_file(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (enum checked_way way = DOWNLOAD_FILE; way <= DOWNLOAD_STREAM; way++)
    {
        struct modern_callback callback;
        DO_DOWNLOAD_STATUS status;
        unsigned int last;

        (void)checked_put_usual(test, "", info);
        checked_open(&subject, test, way, "corrupt=70000", checked_plain(), CHECKED_SIZE);
        modern_callback_init(&callback);
        assert_ok(modern_set_object(subject.download, DODownloadProperty_CallbackInterface,
            &callback.IDODownloadStatusCallback_iface));
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_start(&subject));
        last = modern_callback_wait(&callback, 0, DODownloadState_Paused);
        status = callback.calls[last].status;
        assert_hr(DO_E_BAD_PIECE_HASH, status.Error);
        assert_int_equal(CHECKED_SIZE, status.BytesTotal);
        assert_int_equal(last + 1, modern_callback_count(&callback));
        for (unsigned int i = 0; i < last; i++)
        {
            assert_int_equal(DODownloadState_Transferring, callback.calls[i].status.State);
            assert_ok(callback.calls[i].status.Error);
            assert_ok(callback.calls[i].status.ExtendedError);
        }
        /* What can be asked for is what was told. */
        assert_hr(status.Error, modern_status(subject.download).Error);
        assert_hr(status.ExtendedError, modern_status(subject.download).ExtendedError);
        checked_wait_error(&subject, DO_E_BAD_PIECE_HASH);
        checked_close(&subject);
        modern_callback_finish(&callback);
    }
}

struct fault
{
    const char *name;
    HRESULT hr;
    const char *from; /* a part of the text that is replaced; "*": all of it */
    const char *to;
};

#define OTHER_HASH "oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ="

static const struct fault faults[] = {
    {"empty", DO_E_METAINFO_FILE_SIZE, "*", ""},
    {"no JSON", DO_E_METAINFO_CONTENT, "*", "<html>"},
    {"no object", DO_E_METAINFO_CONTENT, "*", "[1]"},
    {"two objects", DO_E_METAINFO_CONTENT, "{\"MajorVersion\"", "{}{\"MajorVersion\""},
    {"other version", DO_E_METAINFO_VERSION, "\"MajorVersion\":1", "\"MajorVersion\":2"},
    {"other minor version", DO_E_METAINFO_VERSION, "\"MinorVersion\":0", "\"MinorVersion\":1"},
    {"no version", DO_E_METAINFO_VERSION, "\"MajorVersion\":1,", ""},
    {"version twice", DO_E_METAINFO_VERSION, "\"MajorVersion\":1",
        "\"MajorVersion\":1,\"MAJORVERSION\":1"},
    {"no hash", DO_E_METAINFO_PARSE_HOH, "\"HashOfHashes\":\"", "\"Hash\":\""},
    {"long hash", DO_E_METAINFO_PARSE_HOH, "\"HashOfHashes\":\"", "\"HashOfHashes\":\"AAAA"},
    {"no length", DO_E_METAINFO_CONTENT_LENGTH, "\"ContentLength\":", "\"Length\":"},
    {"length below 0", DO_E_METAINFO_CONTENT_LENGTH, "\"ContentLength\":", "\"ContentLength\":-"},
    {"no piece size", DO_E_METAINFO_PIECE_SIZE, "\"PieceSize\":", "\"Size\":"},
    {"small pieces", DO_E_METAINFO_PIECE_SIZE, "\"PieceSize\":65536", "\"PieceSize\":4095"},
    {"large pieces", DO_E_METAINFO_PIECE_SIZE, "\"PieceSize\":65536", "\"PieceSize\":67108865"},
    {"no pieces", DO_E_METAINFO_PARSE_PIECEHASHES, "\"Pieces\":", "\"Piece\":"},
    {"too few pieces", DO_E_METAINFO_PARSE_PIECEHASHES, "\"PieceSize\":65536",
        "\"PieceSize\":4096"},
    {"too many pieces", DO_E_METAINFO_PARSE_PIECEHASHES, "\"Pieces\":[", "\"Pieces\":[\"\","},
    {"long piece", DO_E_METAINFO_PARSE_ONE_PIECEHASH, "\"Pieces\":[\"", "\"Pieces\":[\"AAAA"},
    {"other sizes", DO_E_METAINFO_HOH_FINAL_MATCH, "\"PieceSize\":65536", "\"PieceSize\":65537"},
};

/* The text with a part replaced. */
static void replace(struct hash_file *file, const char *from, const char *to)
{
    char *at = !strcmp(from, "*") ? file->text : strstr(file->text, from);
    char *rest;
    char *changed;

    assert_non_null(at);
    rest = at == file->text && !strcmp(from, "*") ? at + strlen(at) : at + strlen(from);
    assert_non_null(changed = malloc(sizeof(file->text)));
    (void)snprintf(
        changed, sizeof(file->text), "%.*s%s%s", (int)(at - file->text), file->text, to, rest);
    memcpy(file->text, changed, strlen(changed) + 1);
    free(changed);
}

/* Runs a subject that has this info: it must be refused when it is mandatory, else be fetched. */
static void expect_refused_or_fetched(struct com_test *test, enum checked_way way,
    const char *query, const WCHAR *info, bool is_mandatory, HRESULT hr)
{
    struct checked subject;

    checked_open(&subject, test, way, query, checked_plain(), CHECKED_SIZE);
    assert_ok(checked_set_text(&subject, INTEGRITY, info));
    assert_ok(checked_set_mandatory(&subject, is_mandatory));
    assert_ok(checked_start(&subject));
    if (is_mandatory)
    {
        checked_wait_error(&subject, hr);
        checked_close(&subject);
    }
    else
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
}

/* Broken: a bad hash file has another code, is believed, or stops who can do without. */
static void test_integrity_faults_of_hash_files_have_their_codes(void **state)
{
    static struct hash_file hashes;
    struct com_test *test = *state;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < 2 * TEST_COUNT_OF(faults); i++)
    {
        const struct fault *fault = &faults[i / 2];

        print_message("  %s\n", fault->name);
        checked_make_hashes(&hashes, checked_plain(), CHECKED_SIZE, CHECKED_PIECE);
        replace(&hashes, fault->from, fault->to);
        checked_put_hashes(test, &hashes, "", info);
        expect_refused_or_fetched(
            test, (i + i / CHECKED_WAYS) % CHECKED_WAYS, "", info, i % 2 == 0, fault->hr);
    }
}

/* Broken: a good hash file of another object is believed. */
static void test_integrity_hashes_of_another_object(void **state)
{
    static BYTE longer[CHECKED_SIZE + 1];
    static struct hash_file hashes;
    static const char *const queries[] = {"", "no_length=1", "chunked=1"};
    struct com_test *test = *state;
    WCHAR info[CHECKED_TEXT];

    memcpy(longer, checked_plain(), CHECKED_SIZE);
    for (unsigned int i = 0; i < 4; i++)
    {
        checked_make_hashes(&hashes, checked_plain(), CHECKED_SIZE, CHECKED_PIECE);
        (void)strcpy(hashes.hash_of_hashes, OTHER_HASH);
        checked_put_hashes(test, &hashes, "", info);
        expect_refused_or_fetched(test, i, "", info, i < 2, DO_E_METAINFO_HOH_MATCH);
    }
    /* An object of another length, whether the server tells it or only its end. */
    for (unsigned int i = 0; i < 4 * TEST_COUNT_OF(queries); i++)
    {
        checked_make_hashes(
            &hashes, longer, i % 2 ? CHECKED_SIZE + 1 : CHECKED_SIZE - 1, CHECKED_PIECE);
        checked_put_hashes(test, &hashes, "", info);
        expect_refused_or_fetched(
            test, i % CHECKED_WAYS, queries[i / 4], info, i % 4 < 2, DO_E_METAINFO_CONTENT_LENGTH);
    }
}

/* Broken: without a hash file a file that must be checked goes on, or one that need not stops. */
static void test_integrity_missing_hash_file(void **state)
{
    static const char *const queries[] = {"status=404", "status=403", "gzip=1"};
    struct com_test *test = *state;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < CHECKED_WAYS * TEST_COUNT_OF(queries); i++)
    {
        for (unsigned int is_mandatory = 0; is_mandatory < 2; is_mandatory++)
        {
            (void)checked_put_usual(test, queries[i / CHECKED_WAYS], info);
            expect_refused_or_fetched(test, i % CHECKED_WAYS, "", info, is_mandatory,
                DO_E_INTEGRITYCHECKINFO_UNAVAILABLE);
        }
    }
}

/* Broken: a hash file larger than any is read to its end. */
static void test_integrity_endless_hash_file_is_refused(void **state)
{
    static const char *const queries[] = {"", "&no_length=1"};
    struct com_test *test = *state;
    WCHAR info[CHECKED_TEXT];
    char query[64];

    for (unsigned int i = 0; i < 2 * TEST_COUNT_OF(queries); i++)
    {
        (void)snprintf(query, sizeof(query), "size=%u%s", LIMIT_BYTES + 1, queries[i / 2]);
        (void)_snwprintf(info, CHECKED_TEXT,
            L"{\"PiecesHashFileUrl\":\"%ls\",\"HashOfHashes\":\"" OTHER_HASH L"\"}",
            test_url(test, query));
        expect_refused_or_fetched(
            test, i % 2 ? JOB_FILE : DOWNLOAD_FILE, "", info, true, DO_E_METAINFO_FILE_SIZE);
    }
}

/* Broken: a server that is busy for a moment costs the check, or the download. */
static void test_integrity_hash_file_that_fails_first(void **state)
{
    static const char *const queries[] = {"fail_first=1", "fail_first=1&fail_how=drop"};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < CHECKED_WAYS; i++)
    {
        char path[64];

        (void)strcpy(path, checked_put_usual(test, queries[i % 2], info)->path);
        checked_open(
            &subject, test, i, "corrupt=70000&corrupt_until=1", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        assert_int_equal(2, checked_requests(test, path, NULL, 0));
    }
}

/* Broken: what need not be checked waits for a server that is busy. */
static void test_integrity_hash_file_that_fails_is_not_waited_for(void **state)
{
    static const char *const queries[] = {"status=503", "drop=1"};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    char path[64];

    for (unsigned int i = 0; i < CHECKED_WAYS; i++)
    {
        (void)strcpy(path, checked_put_usual(test, queries[i % 2], info)->path);
        checked_open(&subject, test, i, "", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
        /* What is dropped may be sent again at once, when its connection was an old one. */
        assert_in_range(checked_requests(test, path, NULL, 0), 1, i % 2 ? 2 : 1);
    }
}

/* Broken: a file of no bytes or of whole pieces has one piece too many or too few. */
static void test_integrity_files_of_whole_pieces(void **state)
{
    static const size_t lengths[] = {0, 1, CHECKED_PIECE, 2 * CHECKED_PIECE};
    static struct hash_file hashes;
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (unsigned int i = 0; i < CHECKED_WAYS * TEST_COUNT_OF(lengths); i++)
    {
        const size_t length = lengths[i / CHECKED_WAYS];

        checked_make_hashes(&hashes, checked_plain(), length, CHECKED_PIECE);
        checked_put_hashes(test, &hashes, "", info);
        checked_open(&subject, test, i % CHECKED_WAYS, "", checked_plain(), length);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_start(&subject));
        checked_expect_saved(&subject, checked_plain(), length);
    }
}

/* Broken: nonsense is found out when the file has been fetched, or takes the place of sense. */
static void test_integrity_texts_are_looked_at_when_set(void **state)
{
#define URL L"\"PiecesHashFileUrl\":\"http://127.0.0.1/a\""
#define HASH L"\"HashOfHashes\":\"oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ=\""
    static const WCHAR *const bad[] = {L"blah", L"[]", L"{}", L"{" URL L"}", L"{" HASH L"}",
        L"{" URL L"," HASH L"} x", L"{" URL L"," HASH L"," HASH L"}", L"{" URL L"," HASH,
        L"{\"PiecesHashFileUrl\":\"ftp://127.0.0.1/a\"," HASH L"}",
        L"{\"PiecesHashFileUrl\":7," HASH L"}", L"{" URL L",\"HashOfHashes\":\"AAAA\"}",
        L"{" URL L"," HASH L",\"PiecesHashFileDigest\":\"AAAA\"}",
        L"{" URL L",\"PiecesHashFileDigestAlgorithm\":\"SHA256\"}",
        L"{" URL L",\"PiecesHashFileDigest\":\"AAAA\",\"PiecesHashFileDigestAlgorithm\":\"MD5\"}",
        L"{" URL L",\"PiecesHashFileDigest\":\"AAAA\",\"PiecesHashFileDigestAlgorithm\":"
        L"\"SHA256\"}"};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    VARIANT value;

    for (enum checked_way way = 0; way < CHECKED_WAYS; way++)
    {
        (void)checked_put_usual(test, "", info);
        checked_open(&subject, test, way, "", checked_plain(), CHECKED_SIZE);
        assert_hr(TEST_E_NOT_SET, checked_get(&subject, MANDATORY, &value));
        assert_int_equal(VT_EMPTY, value.vt);
        assert_ok(checked_set_mandatory(&subject, true));
        assert_ok(checked_get(&subject, MANDATORY, &value));
        assert_int_equal(VT_BOOL, value.vt);
        assert_int_equal(VARIANT_TRUE, value.boolVal);
        for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
        {
            if (checked_set_text(&subject, INTEGRITY, bad[i]) != E_INVALIDARG)
                fail_msg("%ls is taken", bad[i]);
        }
        assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, checked_start(&subject));
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_hr(E_INVALIDARG, checked_set_text(&subject, INTEGRITY, bad[0]));
        assert_hr(DO_E_WRITE_ONLY_PROPERTY, checked_get(&subject, INTEGRITY, &value));
        assert_int_equal(VT_EMPTY, value.vt);
        assert_ok(checked_start(&subject));
        /* The good one is still there, and what runs or has run is not changed any more. */
        assert_hr(DO_E_INVALID_STATE, checked_set_text(&subject, INTEGRITY, info));
        assert_hr(DO_E_INVALID_STATE, checked_set_mandatory(&subject, false));
        checked_expect_saved(&subject, checked_plain(), CHECKED_SIZE);
    }
}

/* Broken: a part of a file that cannot be checked or decrypted is fetched all the same. */
static void test_integrity_ranges_of_what_is_whole_are_refused(void **state)
{
    static const struct modern_ranges ranges = {1, 0, {{100, 200}}};
    static const struct cipher cipher = {MODE_CTR, 32, 65536};
    BG_FILE_RANGE job_range = {100, 200};
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];
    WCHAR decryption[CHECKED_TEXT];
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;
    IBackgroundCopyJob *job;

    (void)checked_put_usual(test, "", info);
    checked_decryption(&cipher, true, decryption);
    for (unsigned int i = 0; i < 3; i++)
    {
        checked_open(&subject, test, DOWNLOAD_FILE, "", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_set_mandatory(&subject, i == 0));
        if (i == 1)
            assert_ok(checked_set_text(&subject, DECRYPTION, decryption));
        assert_hr(i < 2 ? DO_E_DOWNLOAD_RANGES_UNEXPECTED : S_OK,
            IDODownload_Start(subject.download, modern_info(&ranges)));
        if (i < 2)
            assert_int_equal(DODownloadState_Created, modern_status(subject.download).State);
        if (i == 2)
            checked_expect_saved(&subject, checked_plain() + 100, 200);
        else
            checked_close(&subject);
    }
    job = test_create_job(test);
    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(IDeliveryOptimizationJob2_AddFile(job2, L"content", test_url(test, ""), 1, &job_range,
        &IID_IDeliveryOptimizationFile2, (void **)&file));
    assert_ok(checked_set_file_text(
        file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"part")));
    assert_ok(checked_set_file_text(file, DOFilePropertyId_DecryptionInfo, decryption));
    assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED, IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IDeliveryOptimizationFile2_Release(file);
    IDeliveryOptimizationJob2_Release(job2);
    IBackgroundCopyJob_Release(job);
}

/* Jobs */

/* A listener of JobError, which records. */
struct listener
{
    IBackgroundCopyCallback IBackgroundCopyCallback_iface;
    LONG references;
    HANDLE told;
    HRESULT code;
    BG_ERROR_CONTEXT context;
    BG_JOB_STATE state;
    LONG transferred; /* calls of JobTransferred */
};

static struct listener *from_listener(IBackgroundCopyCallback *iface)
{
    return CONTAINING_RECORD(iface, struct listener, IBackgroundCopyCallback_iface);
}

static HRESULT STDMETHODCALLTYPE listener_QueryInterface(
    IBackgroundCopyCallback *iface, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IBackgroundCopyCallback))
        return E_NOINTERFACE;
    *out = iface;
    IBackgroundCopyCallback_AddRef(iface);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE listener_AddRef(IBackgroundCopyCallback *iface)
{
    return (ULONG)InterlockedIncrement(&from_listener(iface)->references);
}

static ULONG STDMETHODCALLTYPE listener_Release(IBackgroundCopyCallback *iface)
{
    return (ULONG)InterlockedDecrement(&from_listener(iface)->references);
}

static HRESULT STDMETHODCALLTYPE listener_JobTransferred(
    IBackgroundCopyCallback *iface, IBackgroundCopyJob *job)
{
    (void)job;
    (void)InterlockedIncrement(&from_listener(iface)->transferred);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE listener_JobError(
    IBackgroundCopyCallback *iface, IBackgroundCopyJob *job, IBackgroundCopyError *error)
{
    struct listener *listener = from_listener(iface);

    if (FAILED(IBackgroundCopyError_GetError(error, &listener->context, &listener->code)) ||
        FAILED(IBackgroundCopyJob_GetState(job, &listener->state)))
        listener->code = E_UNEXPECTED;
    (void)SetEvent(listener->told);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE listener_JobModification(
    IBackgroundCopyCallback *iface, IBackgroundCopyJob *job, DWORD reserved)
{
    (void)iface;
    (void)job;
    (void)reserved;
    return S_OK;
}

static const IBackgroundCopyCallbackVtbl listener_vtbl = {
    .QueryInterface = listener_QueryInterface,
    .AddRef = listener_AddRef,
    .Release = listener_Release,
    .JobTransferred = listener_JobTransferred,
    .JobError = listener_JobError,
    .JobModification = listener_JobModification,
};

/* Broken: a job with a bad file does not tell, names another file, or saves the bad one with those
   that are good. */
static void test_integrity_job_with_a_bad_file(void **state)
{
    struct com_test *test = *state;
    struct listener listener = {.IBackgroundCopyCallback_iface.lpVtbl = &listener_vtbl,
        .references = 1,
        .told = CreateEventW(NULL, FALSE, FALSE, NULL)};
    struct checked subject;
    IDeliveryOptimizationFile2 *bad;
    IBackgroundCopyError *error = NULL;
    IBackgroundCopyFile *bad_file = NULL;
    BG_JOB_PROGRESS progress;
    WCHAR info[CHECKED_TEXT];
    WCHAR bad_path[1024];
    WCHAR *text = NULL;

    assert_non_null(listener.told);
    (void)checked_put_usual(test, "", info);
    checked_open(&subject, test, JOB_FILE, "", checked_plain(), CHECKED_SIZE);
    assert_ok(checked_set_text(&subject, INTEGRITY, info));
    assert_ok(checked_set_mandatory(&subject, true));
    bad = checked_add_file(subject.job, test_url(test, "corrupt=70000"));
    checked_put(test->server_path, checked_plain(), CHECKED_SIZE);
    (void)wcscpy(bad_path, test_local(test, L"bad"));
    assert_ok(checked_set_file_text(bad, DOFilePropertyId_DownloadSinkFilePath, bad_path));
    assert_ok(checked_set_file_text(bad, DOFilePropertyId_IntegrityCheckInfo, info));
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(
        subject.job, (IUnknown *)&listener.IBackgroundCopyCallback_iface));
    assert_ok(checked_start(&subject));
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(listener.told, TEST_PATIENCE_MS));
    assert_hr(DO_E_BAD_PIECE_HASH, listener.code);
    assert_int_equal(BG_JOB_STATE_ERROR, listener.state);
    assert_int_equal(0, listener.transferred);

    assert_ok(IBackgroundCopyJob_GetError(subject.job, &error));
    assert_ok(IBackgroundCopyError_GetFile(error, &bad_file));
    assert_ok(IBackgroundCopyFile_GetLocalName(bad_file, &text));
    assert_int_equal(0, wcscmp(bad_path, text));
    CoTaskMemFree(text);
    assert_ok(IBackgroundCopyError_GetErrorDescription(error, 0x0409, &text));
    assert_true(wcslen(text) > 0);
    CoTaskMemFree(text);
    IBackgroundCopyFile_Release(bad_file);
    IBackgroundCopyError_Release(error);

    assert_ok(IBackgroundCopyJob_GetProgress(subject.job, &progress));
    assert_int_equal(1, progress.FilesTransferred);
    assert_ok(IBackgroundCopyJob_SetNotifyInterface(subject.job, NULL));
    assert_hr(TEST_S_PARTIAL_COMPLETE, checked_save(&subject));
    checked_expect_file(subject.path, checked_plain(), CHECKED_SIZE);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(bad_path));
    assert_hr(DO_E_INVALID_STATE, checked_save(&subject));
    assert_hr(DO_E_INVALID_STATE, checked_start(&subject));
    IDeliveryOptimizationFile2_Release(bad);
    checked_close(&subject);
    for (ULONGLONG end = GetTickCount64() + TEST_PATIENCE_MS;
         listener.references > 1 && GetTickCount64() < end;)
        Sleep(TEST_POLL_MS);
    assert_int_equal(1, listener.references);
    assert_true(CloseHandle(listener.told));
}

/* Broken: Complete of a job whose only file is bad saves it, or writes to its stream. */
static void test_integrity_complete_leaves_out_a_bad_file(void **state)
{
    struct com_test *test = *state;
    struct checked subject;
    WCHAR info[CHECKED_TEXT];

    for (enum checked_way way = JOB_FILE; way <= JOB_STREAM; way++)
    {
        (void)checked_put_usual(test, "", info);
        checked_open(&subject, test, way, "corrupt=70000", checked_plain(), CHECKED_SIZE);
        assert_ok(checked_set_text(&subject, INTEGRITY, info));
        assert_ok(checked_start(&subject));
        checked_wait_error(&subject, DO_E_BAD_PIECE_HASH);
        assert_hr(TEST_S_PARTIAL_COMPLETE, checked_save(&subject));
        assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(subject.job));
        assert_int_equal(TEST_SIZE_MISSING, test_file_size(subject.path));
        assert_int_equal(0, subject.stream.writes);
        checked_close(&subject);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_integrity_good_file_is_transferred),
        MODERN_TEST(test_integrity_digest_of_the_hash_file_counts),
        MODERN_TEST(test_integrity_bad_piece_alone_is_fetched_again),
        MODERN_TEST(test_integrity_piece_that_stays_bad_is_the_error),
        MODERN_TEST(test_integrity_callback_tells_of_a_bad_file),
        MODERN_TEST(test_integrity_faults_of_hash_files_have_their_codes),
        MODERN_TEST(test_integrity_hashes_of_another_object),
        MODERN_TEST(test_integrity_missing_hash_file),
        MODERN_TEST(test_integrity_endless_hash_file_is_refused),
        MODERN_TEST(test_integrity_hash_file_that_fails_first),
        MODERN_TEST(test_integrity_hash_file_that_fails_is_not_waited_for),
        MODERN_TEST(test_integrity_files_of_whole_pieces),
        MODERN_TEST(test_integrity_texts_are_looked_at_when_set),
        MODERN_TEST(test_integrity_ranges_of_what_is_whole_are_refused),
        MODERN_TEST(test_integrity_job_with_a_bad_file),
        MODERN_TEST(test_integrity_complete_leaves_out_a_bad_file),
    };

    return COM_TEST_RUN(tests);
}
