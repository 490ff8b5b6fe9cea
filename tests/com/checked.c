/* SPDX-License-Identifier: MIT */
/*
 * See checked.h. Everything runs on the test's thread.
 */
#include "checked.h"

#include <stdlib.h>
#include <string.h>

#include <bcrypt.h>

const char *const checked_way_names[CHECKED_WAYS] = {
    "download to a path", "download into a stream", "job to a path", "job into a stream"};

static const DODownloadProperty download_ids[] = {DODownloadProperty_DecryptionInfo,
    DODownloadProperty_IntegrityCheckInfo, DODownloadProperty_IntegrityCheckMandatory};
static const DOFilePropertyId file_ids[] = {DOFilePropertyId_DecryptionInfo,
    DOFilePropertyId_IntegrityCheckInfo, DOFilePropertyId_IntegrityCheckMandatory};

bool checked_is_download(const struct checked *subject)
{
    return subject->way == DOWNLOAD_FILE || subject->way == DOWNLOAD_STREAM;
}

static bool is_stream(const struct checked *subject)
{
    return subject->way == DOWNLOAD_STREAM || subject->way == JOB_STREAM;
}

/* The publisher */

/* The plain file. */
const BYTE *checked_plain(void)
{
    static BYTE bytes[CHECKED_SIZE];
    uint32_t word = 1;

    if (bytes[0])
        return bytes;
    for (size_t i = 0; i < CHECKED_SIZE; i++)
    {
        word = word * 1664525 + 1013904223;
        bytes[i] = (BYTE)(word >> 24);
    }
    bytes[0] = 1;
    return bytes;
}

static SOCKET connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    SOCKET connection = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    assert_true(connection != INVALID_SOCKET);
    address.sin_port = htons((u_short)strtoul(strrchr(test_server(), ':') + 1, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        0, connect(connection, (const struct sockaddr *)&address, (int)sizeof(address)));
    return connection;
}

/* Makes these bytes the object of a path. */
void checked_put(const char *server_path, const void *data, size_t length)
{
    SOCKET connection;
    const char *bytes = data;
    char head[256];
    char answer[256] = {0};
    int count;

    /* Starts Winsock. */
    free(test_get("/_ping"));
    connection = connect_to_server();
    count = snprintf(head, sizeof(head),
        "PUT /_put?path=%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        server_path, length);
    assert_int_equal(count, send(connection, head, count, 0));
    while (length)
    {
        count = send(connection, bytes, (int)length, 0);
        assert_true(count > 0);
        bytes += count;
        length -= (size_t)count;
    }
    assert_true(recv(connection, answer, sizeof(answer) - 1, 0) > 0);
    (void)closesocket(connection);
    assert_int_equal(0, strncmp(answer, "HTTP/1.1 200", 12));
}

static void put_little_endian(BYTE *bytes, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (BYTE)(value >> (8 * i));
}

/* By the book (docs/integrity.md). */
void checked_make_hashes(struct hash_file *file, const BYTE *data, size_t length, size_t piece_size)
{
    const size_t count = (length + piece_size - 1) / piece_size;
    BYTE *covered = malloc(16 + count * SHA256_SIZE);
    BYTE digest[DIGEST_LIMIT];
    char text[DIGEST_TEXT];
    size_t at = 0;

    assert_non_null(covered);
    put_little_endian(covered, 1, 4);
    put_little_endian(covered + 4, length, 8);
    put_little_endian(covered + 12, piece_size, 4);
    for (size_t i = 0; i < count; i++)
    {
        const size_t left = length - i * piece_size;

        (void)make_digest(BCRYPT_SHA256_ALGORITHM, data + i * piece_size,
            left < piece_size ? left : piece_size, digest);
        memcpy(covered + 16 + i * SHA256_SIZE, digest, SHA256_SIZE);
    }
    (void)make_digest(BCRYPT_SHA256_ALGORITHM, covered, 16 + count * SHA256_SIZE, digest);
    make_base64(digest, SHA256_SIZE, file->hash_of_hashes);
    at = (size_t)snprintf(file->text, sizeof(file->text),
        "{\"MajorVersion\":1,\"MinorVersion\":0,\"HashOfHashes\":\"%s\",\"ContentLength\":%zu,"
        "\"PieceSize\":%zu,\"Pieces\":[",
        file->hash_of_hashes, length, piece_size);
    for (size_t i = 0; i < count; i++)
    {
        make_base64(covered + 16 + i * SHA256_SIZE, SHA256_SIZE, text);
        at += (size_t)snprintf(
            file->text + at, sizeof(file->text) - at, "%s\"%s\"", i ? "," : "", text);
        assert_true(at < sizeof(file->text) - 8);
    }
    (void)snprintf(file->text + at, sizeof(file->text) - at, "]}");
    free(covered);
}

/* Puts it onto the server; the info is the one with HashOfHashes. */
void checked_put_hashes(
    struct com_test *test, struct hash_file *file, const char *query, WCHAR *info)
{
    (void)wcscpy(file->url, test_url(test, query));
    (void)strcpy(file->path, test->server_path);
    checked_put(file->path, file->text, strlen(file->text));
    (void)_snwprintf(info, CHECKED_TEXT,
        L"{\"PiecesHashFileUrl\":\"%ls\",\"HashOfHashes\":\"%hs\"}", file->url,
        file->hash_of_hashes);
}

/* The hash file of the plain bytes, on the server. */
struct hash_file *checked_put_usual(struct com_test *test, const char *query, WCHAR *info)
{
    static struct hash_file file;

    checked_make_hashes(&file, checked_plain(), CHECKED_SIZE, CHECKED_PIECE);
    checked_put_hashes(test, &file, query, info);
    return &file;
}

void checked_decryption(const struct cipher *cipher, bool right_key, WCHAR *info)
{
    BYTE key[sizeof(test_key)];
    char text[DIGEST_TEXT];

    memcpy(key, test_key, sizeof(key));
    key[5] ^= right_key ? 0 : 0x55;
    make_base64(key, cipher->key_length, text);
    (void)_snwprintf(info, CHECKED_TEXT,
        L"{\"KeyData\":\"%hs\",\"EncryptionBufferSize\":%lu,\"AlgorithmName\":\"AES\","
        L"\"ChainingMode\":\"ChainingMode%hs\"}",
        text, (unsigned long)cipher->buffer_size, mode_name(cipher->mode));
}

/* Subjects */

IDeliveryOptimizationFile2 *checked_add_file(IBackgroundCopyJob *job, const WCHAR *url)
{
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file = NULL;

    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(IDeliveryOptimizationJob2_AddFile(
        job2, L"content", url, 0, NULL, &IID_IDeliveryOptimizationFile2, (void **)&file));
    IDeliveryOptimizationJob2_Release(job2);
    return file;
}

static HRESULT set_file_property(
    IDeliveryOptimizationFile2 *file, DOFilePropertyId id, VARTYPE type, void *value)
{
    VARIANT variant = {.vt = type};

    if (type == VT_BOOL)
        variant.boolVal = value ? VARIANT_TRUE : VARIANT_FALSE;
    else
        variant.byref = value;
    return IDeliveryOptimizationFile2_SetProperty(file, id, &variant);
}

HRESULT checked_set_file_text(
    IDeliveryOptimizationFile2 *file, DOFilePropertyId id, const WCHAR *text)
{
    BSTR copy = SysAllocString(text);
    HRESULT hr;

    assert_non_null(copy);
    hr = set_file_property(file, id, VT_BSTR, copy);
    SysFreeString(copy);
    return hr;
}

/* Of an object that lies on the server when it is given. */
void checked_open(struct checked *subject, struct com_test *test, enum checked_way way,
    const char *query, const void *object, size_t length)
{
    static unsigned int next;
    WCHAR name[32];
    const WCHAR *url = test_url(test, query);

    memset(subject, 0, sizeof(*subject));
    subject->way = way;
    subject->test = test;
    (void)_snwprintf(name, TEST_COUNT_OF(name), L"file%u", next++);
    (void)wcscpy(subject->path, test_local(test, name));
    (void)strcpy(subject->server_path, test->server_path);
    if (object)
        checked_put(subject->server_path, object, length);
    modern_stream_init(&subject->stream);
    if (checked_is_download(subject))
    {
        subject->download = modern_create();
        assert_ok(modern_set_text(subject->download, DODownloadProperty_Uri, url));
        if (is_stream(subject))
            assert_ok(modern_set_object(subject->download, DODownloadProperty_StreamInterface,
                &subject->stream.IStream_iface));
        else
            assert_ok(
                modern_set_text(subject->download, DODownloadProperty_LocalPath, subject->path));
        return;
    }
    subject->job = test_create_job(test);
    subject->file = checked_add_file(subject->job, url);
    if (is_stream(subject))
        assert_ok(set_file_property(subject->file, DOFilePropertyId_DownloadSinkInterface,
            VT_UNKNOWN, &subject->stream.IStream_iface));
    else
        assert_ok(checked_set_file_text(
            subject->file, DOFilePropertyId_DownloadSinkFilePath, subject->path));
}

HRESULT checked_set_text(struct checked *subject, enum checked_property property, const WCHAR *text)
{
    if (checked_is_download(subject))
        return modern_set_text(subject->download, download_ids[property], text);
    return checked_set_file_text(subject->file, file_ids[property], text);
}

HRESULT checked_set_mandatory(struct checked *subject, bool value)
{
    if (checked_is_download(subject))
        return modern_set_bool(subject->download, download_ids[MANDATORY], value);
    return set_file_property(subject->file, file_ids[MANDATORY], VT_BOOL, value ? subject : NULL);
}

HRESULT checked_get(struct checked *subject, enum checked_property property, VARIANT *value)
{
    memset(value, 0xCC, sizeof(*value));
    if (checked_is_download(subject))
        return IDODownload_GetProperty(subject->download, download_ids[property], value);
    return IDeliveryOptimizationFile2_GetProperty(subject->file, file_ids[property], value);
}

HRESULT checked_start(struct checked *subject)
{
    return checked_is_download(subject) ? IDODownload_Start(subject->download, NULL)
                                        : IBackgroundCopyJob_Resume(subject->job);
}

HRESULT checked_stop(struct checked *subject)
{
    return checked_is_download(subject) ? IDODownload_Pause(subject->download)
                                        : IBackgroundCopyJob_Suspend(subject->job);
}

HRESULT checked_save(struct checked *subject)
{
    return checked_is_download(subject) ? IDODownload_Finalize(subject->download)
                                        : IBackgroundCopyJob_Complete(subject->job);
}

void checked_wait_bytes(struct checked *subject, UINT64 bytes)
{
    if (checked_is_download(subject))
        modern_wait_bytes(subject->download, bytes);
    else
        test_wait_bytes(subject->job, bytes);
}

/* Waits until it is transferred; returns how many bytes came. */
UINT64 checked_wait_transferred(struct checked *subject)
{
    if (checked_is_download(subject))
    {
        DO_DOWNLOAD_STATUS status;

        modern_wait(subject->download, DODownloadState_Transferred);
        status = modern_status(subject->download);
        assert_ok(status.Error);
        assert_ok(status.ExtendedError);
        assert_int_equal(status.BytesTotal, status.BytesTransferred);
        return status.BytesTransferred;
    }
    test_wait_state(subject->job, BG_JOB_STATE_TRANSFERRED);
    return test_file_progress(subject->job, 0).BytesTransferred;
}

/* Waits for this error, after which there is nothing where the file was to be. */
void checked_wait_error(struct checked *subject, HRESULT hr)
{
    BG_ERROR_CONTEXT context;

    if (checked_is_download(subject))
    {
        modern_wait_error(subject->download, hr);
        assert_hr(DO_E_INVALID_STATE, IDODownload_Finalize(subject->download));
    }
    else
    {
        test_wait_state(subject->job, BG_JOB_STATE_ERROR);
        assert_hr(hr, test_error(subject->job, &context));
    }
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(subject->path));
    assert_int_equal(0, subject->stream.length);
}

/* Ends it, whatever it does, and lets go of it. */
void checked_close(struct checked *subject)
{
    if (checked_is_download(subject))
    {
        const HRESULT hr = IDODownload_Abort(subject->download);

        if (hr != DO_E_INVALID_STATE)
            assert_ok(hr);
        IDODownload_Release(subject->download);
    }
    else
    {
        const HRESULT hr = IBackgroundCopyJob_Cancel(subject->job);

        if (hr != DO_E_INVALID_STATE)
            assert_ok(hr);
        IDeliveryOptimizationFile2_Release(subject->file);
        IBackgroundCopyJob_Release(subject->job);
    }
    modern_stream_finish(&subject->stream);
    assert_int_equal(0, test_count_temp(subject->test->folder));
}

static void expect_bytes(
    const BYTE *actual, size_t actual_length, const BYTE *wanted, size_t length)
{
    assert_int_equal(length, actual_length);
    for (size_t i = 0; i < length; i++)
    {
        if (actual[i] != wanted[i])
            fail_msg("byte %lu of %lu is wrong", (unsigned long)i, (unsigned long)length);
    }
}

void checked_expect_file(const WCHAR *path, const BYTE *wanted, size_t length)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    BYTE *bytes = malloc(length + 1);
    DWORD count = 0;

    assert_true(file != INVALID_HANDLE_VALUE);
    assert_non_null(bytes);
    assert_true(ReadFile(file, bytes, (DWORD)length + 1, &count, NULL));
    assert_true(CloseHandle(file));
    expect_bytes(bytes, count, wanted, length);
    free(bytes);
}

/* Waits for the end, saves the file, and it is these bytes. */
void checked_expect_saved(struct checked *subject, const BYTE *wanted, size_t length)
{
    (void)checked_wait_transferred(subject);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(subject->path));
    /* A job's stream gets its bytes from Complete, a download's before it is transferred. */
    if (subject->way == DOWNLOAD_STREAM)
        expect_bytes(subject->stream.data, subject->stream.length, wanted, length);
    else
        assert_int_equal(0, subject->stream.length);
    assert_ok(checked_save(subject));
    if (is_stream(subject))
        expect_bytes(subject->stream.data, subject->stream.length, wanted, length);
    else
        checked_expect_file(subject->path, wanted, length);
    checked_close(subject);
}

/* The requests for a path so far; the second one's range. */
unsigned int checked_requests(
    struct com_test *test, const char *server_path, char *second, size_t size)
{
    unsigned int count;
    char *log;

    (void)strcpy(test->server_path, server_path);
    log = test_log(test);
    count = test_log_count(log);
    if (second && !test_log_value(log, 1, "range", second, size))
        second[0] = '\0';
    free(log);
    return count;
}
