/* SPDX-License-Identifier: MIT */
/*
 * Properties of jobs and files: IDeliveryOptimizationJob2, IDeliveryOptimizationFile2,
 * IBackgroundCopyJob5, and the statistics of IDeliveryOptimizationFile. Everything runs on the
 * test's thread; streams are COM's own in memory, released by each test. Long, since the four share
 * the same few getters and setters.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define ID_COUNT 7
#define ID(number) ((DOFilePropertyId)(number))
/* HRESULT_FROM_WIN32(ERROR_NOT_FOUND). */
#define TEST_E_NOT_SET ((HRESULT)0x80070490)

static const WCHAR decryption_info[] =
    L"{\"KeyData\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
    L"\"EncryptionBufferSize\":65536,\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}";
static const WCHAR integrity_info[] =
    L"{\"PiecesHashFileUrl\":\"http://127.0.0.1/a.phf\","
    L"\"HashOfHashes\":\"oxN8z/1wZndLO9dYgUOX2/rLzudEx7wsXufRrXAJMNQ=\"}";

static IDeliveryOptimizationJob2 *job2_of(IBackgroundCopyJob *job)
{
    IDeliveryOptimizationJob2 *job2 = NULL;

    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    return job2;
}

static ULONG count_files(IBackgroundCopyJob *job)
{
    BG_JOB_PROGRESS progress;

    assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
    return progress.FilesTotal;
}

/* A file of a URL of its own, without a sink. */
static IDeliveryOptimizationFile2 *add_without_sink(struct com_test *test, IBackgroundCopyJob *job,
    const char *query, DWORD count, BG_FILE_RANGE *ranges)
{
    IDeliveryOptimizationJob2 *job2 = job2_of(job);
    IDeliveryOptimizationFile2 *file = TEST_POISON;

    assert_ok(IDeliveryOptimizationJob2_AddFile(job2, L"content", test_url(test, query), count,
        ranges, &IID_IDeliveryOptimizationFile2, (void **)&file));
    IDeliveryOptimizationJob2_Release(job2);
    return file;
}

static IDeliveryOptimizationFile2 *file2_of(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyFile *file = test_file(job, index);
    IDeliveryOptimizationFile2 *file2 = NULL;

    assert_ok(
        IBackgroundCopyFile_QueryInterface(file, &IID_IDeliveryOptimizationFile2, (void **)&file2));
    IBackgroundCopyFile_Release(file);
    return file2;
}

static HRESULT set_text(IDeliveryOptimizationFile2 *file, int id, const WCHAR *text)
{
    VARIANT variant;
    HRESULT hr;

    V_VT(&variant) = VT_BSTR;
    V_BSTR(&variant) = SysAllocString(text);
    assert_non_null(V_BSTR(&variant));
    hr = IDeliveryOptimizationFile2_SetProperty(file, ID(id), &variant);
    assert_ok(VariantClear(&variant));
    return hr;
}

static HRESULT set_bool(IDeliveryOptimizationFile2 *file, int id, VARIANT_BOOL value)
{
    VARIANT variant;

    V_VT(&variant) = VT_BOOL;
    V_BOOL(&variant) = value;
    return IDeliveryOptimizationFile2_SetProperty(file, ID(id), &variant);
}

static HRESULT set_size(IDeliveryOptimizationFile2 *file, UINT64 size)
{
    VARIANT variant;

    V_VT(&variant) = VT_UI8;
    V_UI8(&variant) = size;
    return IDeliveryOptimizationFile2_SetProperty(file, DOFilePropertyId_TotalSizeBytes, &variant);
}

static HRESULT set_stream(IDeliveryOptimizationFile2 *file, IUnknown *stream)
{
    VARIANT variant;

    V_VT(&variant) = VT_UNKNOWN;
    V_UNKNOWN(&variant) = stream;
    return IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_DownloadSinkInterface, &variant);
}

/* The value, or VT_EMPTY when the code is another than S_OK; to be cleared. */
static VARIANT get(IDeliveryOptimizationFile2 *file, int id, HRESULT expected)
{
    VARIANT variant;

    memset(&variant, 0xCC, sizeof(variant));
    assert_hr(expected, IDeliveryOptimizationFile2_GetProperty(file, ID(id), &variant));
    if (FAILED(expected))
        assert_int_equal(VT_EMPTY, V_VT(&variant));
    return variant;
}

static void expect_text(IDeliveryOptimizationFile2 *file, int id, const WCHAR *text)
{
    VARIANT variant = get(file, id, S_OK);

    assert_int_equal(VT_BSTR, V_VT(&variant));
    assert_int_equal(0, wcscmp(V_BSTR(&variant), text));
    assert_ok(VariantClear(&variant));
}

static void expect_size(IDeliveryOptimizationFile2 *file, UINT64 size)
{
    VARIANT variant = get(file, DOFilePropertyId_TotalSizeBytes, S_OK);

    assert_int_equal(VT_UI8, V_VT(&variant));
    assert_int_equal(size, V_UI8(&variant));
}

static IUnknown *create_stream(void)
{
    IStream *stream = NULL;

    assert_ok(CreateStreamOnHGlobal(NULL, TRUE, &stream));
    return (IUnknown *)stream;
}

/* IDeliveryOptimizationJob2::AddFile */

/* Broken: Office, which asks for File2, or another client, which asks for File, gets no file. */
static void test_properties_add_file_gives_any_interface_of_a_file(void **state)
{
    static const IID *const iids[] = {&IID_IUnknown, &IID_IBackgroundCopyFile,
        &IID_IBackgroundCopyFile2, &IID_IBackgroundCopyFile3, &IID_IBackgroundCopyFile4,
        &IID_IBackgroundCopyFile5, &IID_IDeliveryOptimizationFile, &IID_IDeliveryOptimizationFile2,
        &IID_IClientSecurity, &IID_IAgileObject};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationJob2 *job2 = job2_of(job);

    for (ULONG i = 0; i < TEST_COUNT_OF(iids); i++)
    {
        IUnknown *object = TEST_POISON;
        IBackgroundCopyFile *file = NULL;
        WCHAR *name = NULL;

        assert_ok(IDeliveryOptimizationJob2_AddFile(
            job2, L"id", test_url(test, "size=1"), 0, NULL, iids[i], (void **)&object));
        assert_int_equal(i + 1, count_files(job));
        assert_int_equal(1, test_refcount(object));
        assert_ok(IUnknown_QueryInterface(object, &IID_IBackgroundCopyFile, (void **)&file));
        assert_ok(IBackgroundCopyFile_GetRemoteName(file, &name));
        assert_int_equal(0, wcscmp(name, test->url));
        CoTaskMemFree(name);
        assert_ok(IBackgroundCopyFile_GetLocalName(file, &name));
        assert_int_equal(0, wcslen(name));
        CoTaskMemFree(name);
        IBackgroundCopyFile_Release(file);
        IUnknown_Release(object);
    }
    IDeliveryOptimizationJob2_Release(job2);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a refused file stays in the job, where its client can neither see nor mend it. */
static void test_properties_add_file_refuses_and_adds_nothing(void **state)
{
    static BG_FILE_RANGE one[] = {{0, 1}};
    static BG_FILE_RANGE empty[] = {{5, 0}};
    static BG_FILE_RANGE twice[] = {{3, 4}, {5, 1}};
    static const WCHAR good[] = L"http://127.0.0.1/a";
    static const struct
    {
        const WCHAR *id;
        const WCHAR *url;
        DWORD count;
        BG_FILE_RANGE *ranges;
        const IID *iid;
        HRESULT expected;
    } rows[] = {
        {L"id", good, 0, NULL, &IID_IBackgroundCopyJob, E_NOINTERFACE},
        {L"id", good, 0, NULL, &IID_IDeliveryOptimizationJob2, E_NOINTERFACE},
        {L"id", good, 0, NULL, &IID_IStream, E_NOINTERFACE},
        {L"id", good, 0, NULL, &IID_NULL, E_NOINTERFACE},
        {L"id", good, 0, NULL, NULL, E_INVALIDARG},
        {L"id", NULL, 0, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", L"", 0, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", L"ftp://127.0.0.1/a", 0, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {NULL, good, 0, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"", good, 0, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", good, 1, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", good, MAXDWORD, NULL, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", good, MAXDWORD, one, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", good, 0, one, &IID_IDeliveryOptimizationFile, E_INVALIDARG},
        {L"id", good, 1, empty, &IID_IDeliveryOptimizationFile, DO_E_INVALID_RANGE},
        {L"id", good, 2, twice, &IID_IDeliveryOptimizationFile, DO_E_OVERLAPPING_RANGES},
    };
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationJob2 *job2 = job2_of(job);
    void *object;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        object = TEST_POISON;
        print_message("  row %u\n", (unsigned int)i);
        assert_hr(rows[i].expected, IDeliveryOptimizationJob2_AddFile(job2, rows[i].id, rows[i].url,
                                        rows[i].count, rows[i].ranges, rows[i].iid, &object));
        assert_null(object);
        assert_int_equal(0, count_files(job));
    }
    assert_hr(E_INVALIDARG, IDeliveryOptimizationJob2_AddFile(
                                job2, L"id", good, 0, NULL, &IID_IDeliveryOptimizationFile, NULL));
    assert_int_equal(0, count_files(job));
    assert_hr(DO_E_JOB_EMPTY, IBackgroundCopyJob_Resume(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    object = TEST_POISON;
    assert_hr(DO_E_INVALID_STATE, IDeliveryOptimizationJob2_AddFile(job2, L"id", good, 0, NULL,
                                      &IID_IDeliveryOptimizationFile, &object));
    assert_null(object);
    IDeliveryOptimizationJob2_Release(job2);
    IBackgroundCopyJob_Release(job);
}

/* Broken: what Office does fails: a file without a sink, its sink and size set, Resume, Complete.
 */
static void test_properties_file_gets_its_sink_later(void **state)
{
    BG_FILE_RANGE ranges[] = {{12, 5}, {2, 4}};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=36", 2, ranges);
    const WCHAR *path = test_local(test, L"a");
    BG_ERROR_CONTEXT context;

    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    /* A call that fails makes no error object. */
    assert_hr(S_OK, test_error(job, &context));
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, path));
    assert_ok(set_size(file, 36));
    expect_text(file, DOFilePropertyId_DownloadSinkFilePath, path);
    expect_size(file, 36);
    test_fetch(job);
    assert_int_equal(9, test_file_size(path));
    test_expect_pattern(path, 0, 5, 1, 12);
    test_expect_pattern(path, 5, 4, 1, 2);
    expect_text(file, DOFilePropertyId_DownloadSinkFilePath, path);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file added to a job that is through makes the job run without being asked, or loses
   what was transferred. */
static void test_properties_add_file_to_a_transferred_job_suspends_it(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IDeliveryOptimizationFile2 *file;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    file = add_without_sink(test, job, "size=2000", 0, NULL);
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"b")));
    test_fetch(job);
    test_expect_object(test_local(test, L"a"), 1000, 1);
    test_expect_object(test_local(test, L"b"), 2000, 1);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file without a sink that is added to a running job cannot be given one. */
static void test_properties_add_file_to_a_running_job(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job =
        test_create_job_of(test, "size=100k&fail_first=1&fail_how=stall&fail_at=50k", L"a");
    IDeliveryOptimizationFile2 *file;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    file = add_without_sink(test, job, "size=2000", 0, NULL);
    assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"b")));
    test_fetch(job);
    test_expect_object(test_local(test, L"a"), 100 << 10, 1);
    test_expect_object(test_local(test, L"b"), 2000, 1);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* IDeliveryOptimizationFile2 */

/* Broken: a value of another type is taken for what it is not. */
static void test_properties_wrong_types_are_refused(void **state)
{
    enum
    {
        MANDATORY = 1 << DOFilePropertyId_IntegrityCheckMandatory,
        SINK = 1 << DOFilePropertyId_DownloadSinkInterface,
        SIZE = 1 << DOFilePropertyId_TotalSizeBytes
    };
    static LONG number = 5;
    static double real = 5.0;
    static VARIANT inner;
    static const struct
    {
        VARTYPE type;
        void *reference;
        int accepted_by; /* a bit for each id */
        HRESULT expected;
    } rows[] = {
        {VT_EMPTY, NULL, SINK, DISP_E_TYPEMISMATCH},
        {VT_NULL, NULL, SINK, DISP_E_TYPEMISMATCH},
        {VT_I4, NULL, 0, DISP_E_TYPEMISMATCH},
        {VT_UI4, NULL, 0, DISP_E_TYPEMISMATCH},
        {VT_R8, NULL, 0, DISP_E_TYPEMISMATCH},
        {VT_BOOL, NULL, MANDATORY, DISP_E_TYPEMISMATCH},
        {VT_I8, NULL, SIZE, DISP_E_TYPEMISMATCH},
        {VT_UI8, NULL, SIZE, DISP_E_TYPEMISMATCH},
        {VT_UNKNOWN, NULL, SINK, DISP_E_TYPEMISMATCH},
        {VT_DISPATCH, NULL, 0, DISP_E_TYPEMISMATCH},
        {VT_ARRAY | VT_UI1, NULL, 0, DISP_E_TYPEMISMATCH},
        {VT_BYREF | VT_I4, &number, 0, DISP_E_TYPEMISMATCH},
        {VT_BYREF | VT_R8, &real, 0, DISP_E_TYPEMISMATCH},
        {VT_BYREF | VT_VARIANT, &inner, 0, DISP_E_TYPEMISMATCH},
        {VT_BYREF | VT_BSTR, NULL, 0, E_INVALIDARG},
        {VT_BYREF | VT_BOOL, NULL, 0, E_INVALIDARG},
        {VT_BYREF | VT_VARIANT, NULL, 0, E_INVALIDARG},
    };
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);
    unsigned int wrong = 0;

    V_VT(&inner) = VT_R8;
    V_R8(&inner) = 5.0;
    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        for (int id = 0; id < ID_COUNT; id++)
        {
            HRESULT expected = rows[i].accepted_by & (1 << id) ? S_OK : rows[i].expected;
            VARIANT variant;
            HRESULT hr;

            memset(&variant, 0, sizeof(variant));
            V_VT(&variant) = rows[i].type;
            V_BYREF(&variant) = rows[i].reference;
            if (id == DOFilePropertyId_DownloadSinkMemoryStream)
                expected = DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED;
            hr = IDeliveryOptimizationFile2_SetProperty(file, ID(id), &variant);
            if (hr == expected)
                continue;
            print_error("type %x to %d: 0x%08lx, not 0x%08lx\n", (unsigned int)rows[i].type, id,
                (unsigned long)hr, (unsigned long)expected);
            wrong++;
        }
    }
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
    assert_int_equal(0, wrong);
}

/* Broken: values that scripts pass, which are references, are refused or misread. */
static void test_properties_references_are_followed(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);
    IUnknown *stream = create_stream();
    BSTR text = SysAllocString(test_local(test, L"a"));
    VARIANT_BOOL yes = VARIANT_TRUE;
    LONGLONG size = 1234;
    VARIANT variant, outer, read;

    V_VT(&variant) = VT_BYREF | VT_UNKNOWN;
    V_UNKNOWNREF(&variant) = &stream;
    assert_ok(IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_DownloadSinkInterface, &variant));
    read = get(file, DOFilePropertyId_DownloadSinkInterface, S_OK);
    assert_int_equal(VT_UNKNOWN, V_VT(&read));
    assert_ok(VariantClear(&read));
    assert_ok(set_stream(file, NULL));

    V_VT(&variant) = VT_BYREF | VT_BSTR;
    V_BSTRREF(&variant) = &text;
    V_VT(&outer) = VT_BYREF | VT_VARIANT;
    V_VARIANTREF(&outer) = &variant;
    assert_ok(IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_DownloadSinkFilePath, &outer));
    expect_text(file, DOFilePropertyId_DownloadSinkFilePath, text);

    V_VT(&variant) = VT_BYREF | VT_BOOL;
    V_BOOLREF(&variant) = &yes;
    assert_ok(IDeliveryOptimizationFile2_SetProperty(
        file, DOFilePropertyId_IntegrityCheckMandatory, &variant));
    read = get(file, DOFilePropertyId_IntegrityCheckMandatory, S_OK);
    assert_int_equal(VT_BOOL, V_VT(&read));
    assert_int_equal(VARIANT_TRUE, V_BOOL(&read));

    V_VT(&variant) = VT_BYREF | VT_I8;
    V_I8REF(&variant) = &size;
    assert_ok(
        IDeliveryOptimizationFile2_SetProperty(file, DOFilePropertyId_TotalSizeBytes, &variant));
    expect_size(file, 1234);
    V_VT(&variant) = VT_I8;
    V_I8(&variant) = 99;
    assert_ok(
        IDeliveryOptimizationFile2_SetProperty(file, DOFilePropertyId_TotalSizeBytes, &variant));
    expect_size(file, 99);

    SysFreeString(text);
    IUnknown_Release(stream);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a client that probes ids gets rubbish, or reads a key back. */
static void test_properties_codes_of_each_id(void **state)
{
    static const struct
    {
        int id;
        HRESULT unset;
        HRESULT set_to_null;
    } rows[] = {
        {DOFilePropertyId_DecryptionInfo, DO_E_WRITE_ONLY_PROPERTY, E_INVALIDARG},
        {DOFilePropertyId_IntegrityCheckInfo, DO_E_WRITE_ONLY_PROPERTY, E_INVALIDARG},
        {DOFilePropertyId_IntegrityCheckMandatory, TEST_E_NOT_SET, E_INVALIDARG},
        {DOFilePropertyId_DownloadSinkInterface, TEST_E_NOT_SET, E_INVALIDARG},
        {DOFilePropertyId_DownloadSinkFilePath, TEST_E_NOT_SET, E_INVALIDARG},
        {DOFilePropertyId_DownloadSinkMemoryStream, DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED,
            E_INVALIDARG},
        {DOFilePropertyId_TotalSizeBytes, TEST_E_NOT_SET, E_INVALIDARG},
        {7, DO_E_UNKNOWN_PROPERTY_ID, DO_E_UNKNOWN_PROPERTY_ID},
        {-1, DO_E_UNKNOWN_PROPERTY_ID, DO_E_UNKNOWN_PROPERTY_ID},
        {1000, DO_E_UNKNOWN_PROPERTY_ID, DO_E_UNKNOWN_PROPERTY_ID},
        {INT_MIN, DO_E_UNKNOWN_PROPERTY_ID, DO_E_UNKNOWN_PROPERTY_ID},
    };
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        print_message("  id %d\n", rows[i].id);
        (void)get(file, rows[i].id, rows[i].unset);
        assert_hr(E_INVALIDARG, IDeliveryOptimizationFile2_GetProperty(file, ID(rows[i].id), NULL));
        assert_hr(rows[i].set_to_null,
            IDeliveryOptimizationFile2_SetProperty(file, ID(rows[i].id), NULL));
    }
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, set_text(file, 7, L"x"));
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, set_bool(file, -1, VARIANT_TRUE));
    assert_hr(DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED,
        set_text(file, DOFilePropertyId_DownloadSinkMemoryStream, L"x"));
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: what was set comes back as something else, or a second value does not take its place. */
static void test_properties_values_come_back(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);
    IUnknown *stream = create_stream();
    VARIANT read;

    assert_ok(set_text(file, DOFilePropertyId_IntegrityCheckInfo, integrity_info));
    (void)get(file, DOFilePropertyId_IntegrityCheckInfo, DO_E_WRITE_ONLY_PROPERTY);
    assert_ok(set_text(file, DOFilePropertyId_DecryptionInfo, decryption_info));
    (void)get(file, DOFilePropertyId_DecryptionInfo, DO_E_WRITE_ONLY_PROPERTY);

    assert_ok(set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, 1));
    read = get(file, DOFilePropertyId_IntegrityCheckMandatory, S_OK);
    assert_int_equal(VT_BOOL, V_VT(&read));
    assert_int_equal(VARIANT_TRUE, V_BOOL(&read));
    assert_ok(set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, VARIANT_FALSE));
    read = get(file, DOFilePropertyId_IntegrityCheckMandatory, S_OK);
    assert_int_equal(VARIANT_FALSE, V_BOOL(&read));

    assert_ok(set_size(file, 5000000000));
    expect_size(file, 5000000000);
    assert_int_equal(5000000000, test_file_progress(job, 0).BytesTotal);
    assert_ok(set_size(file, 0));
    expect_size(file, 0);
    assert_int_equal(0, test_file_progress(job, 0).BytesTotal);

    assert_ok(set_stream(file, stream));
    read = get(file, DOFilePropertyId_DownloadSinkInterface, S_OK);
    assert_int_equal(VT_UNKNOWN, V_VT(&read));
    assert_ptr_equal(stream, V_UNKNOWN(&read));
    assert_ok(VariantClear(&read));
    assert_ok(set_stream(file, NULL));
    (void)get(file, DOFilePropertyId_DownloadSinkInterface, TEST_E_NOT_SET);

    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"a")));
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"\x00E4 b")));
    expect_text(file, DOFilePropertyId_DownloadSinkFilePath, test->local);
    IUnknown_Release(stream);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a text that says nothing is found out when the file has been fetched. */
static void test_properties_bad_json_is_refused(void **state)
{
    static const WCHAR *const bad[] = {L"", L"x", L"{}", L"[]", L"{\"PiecesHashFileUrl\":\"x\"}",
        L"{\"KeyData\":\"AAECAw==\",\"AlgorithmName\":\"AES\",\"ChainingMode\":\"CBC\"}"};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IDeliveryOptimizationFile2 *file = file2_of(job, 0);

    for (size_t i = 0; i < TEST_COUNT_OF(bad); i++)
    {
        assert_hr(E_INVALIDARG, set_text(file, DOFilePropertyId_IntegrityCheckInfo, bad[i]));
        assert_hr(E_INVALIDARG, set_text(file, DOFilePropertyId_DecryptionInfo, bad[i]));
    }
    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a path is cut at a zero, or one that AddFile refuses gets in here. */
static void test_properties_paths_are_checked_as_by_add_file(void **state)
{
    static const struct
    {
        const WCHAR *path;
        HRESULT expected;
    } rows[] = {{L"", E_INVALIDARG}, {L"a", E_INVALIDARG}, {L"..\\a", E_INVALIDARG},
        {L"C:a", E_INVALIDARG}, {L"C:\\a?b", TEST_E_INVALID_NAME}, {L"a*b", TEST_E_INVALID_NAME},
        {L"C:\\a:b", TEST_E_INVALID_NAME}};
    static const WCHAR cut[] = L"C:\\a\0b";
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);
    VARIANT variant;

    for (size_t i = 0; i < TEST_COUNT_OF(rows); i++)
    {
        assert_hr(
            rows[i].expected, set_text(file, DOFilePropertyId_DownloadSinkFilePath, rows[i].path));
        (void)get(file, DOFilePropertyId_DownloadSinkFilePath, TEST_E_NOT_SET);
    }
    V_VT(&variant) = VT_BSTR;
    V_BSTR(&variant) = NULL;
    assert_hr(E_INVALIDARG, IDeliveryOptimizationFile2_SetProperty(
                                file, DOFilePropertyId_DownloadSinkFilePath, &variant));
    V_BSTR(&variant) = SysAllocStringLen(cut, (UINT)TEST_COUNT_OF(cut) - 1);
    assert_hr(E_INVALIDARG, IDeliveryOptimizationFile2_SetProperty(
                                file, DOFilePropertyId_DownloadSinkFilePath, &variant));
    assert_ok(VariantClear(&variant));
    (void)get(file, DOFilePropertyId_DownloadSinkFilePath, TEST_E_NOT_SET);
    assert_hr(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file has two sinks, of which one gets nothing. */
static void test_properties_second_kind_of_sink_is_refused(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IDeliveryOptimizationFile2 *with_path = file2_of(job, 0);
    IDeliveryOptimizationFile2 *file = add_without_sink(test, job, "size=1", 0, NULL);
    IUnknown *stream = create_stream();
    ULONG references = test_refcount(stream);

    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, set_stream(with_path, stream));
    assert_int_equal(references, test_refcount(stream));
    (void)get(with_path, DOFilePropertyId_DownloadSinkInterface, TEST_E_NOT_SET);

    assert_ok(set_stream(file, stream));
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET,
        set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"b")));
    (void)get(file, DOFilePropertyId_DownloadSinkFilePath, TEST_E_NOT_SET);
    assert_ok(set_stream(file, NULL));
    assert_int_equal(references, test_refcount(stream));
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test->local));
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, set_stream(file, stream));
    assert_int_equal(references, test_refcount(stream));

    /* Both still work. */
    test_fetch(job);
    test_expect_object(test_local(test, L"a"), 1000, 1);
    test_expect_object(test_local(test, L"b"), 1, 1);
    IUnknown_Release(stream);
    IDeliveryOptimizationFile2_Release(file);
    IDeliveryOptimizationFile2_Release(with_path);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file changes its place while its bytes lie beside the old one. */
static void test_properties_path_stays_once_begun(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job =
        test_create_job_of(test, "size=100k&fail_first=1&fail_how=stall&fail_at=50k", L"a");
    IDeliveryOptimizationFile2 *file = file2_of(job, 0);

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    assert_ok(IBackgroundCopyJob_Suspend(job));
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET,
        set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"b")));
    test_fetch(job);
    test_expect_object(test_local(test, L"a"), 100 << 10, 1);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test_local(test, L"b")));
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a property changes under a transfer that has begun with another, or a getter stops
   working when the job has ended. */
static void check_set_is_refused(struct com_test *test, IBackgroundCopyJob *job)
{
    IDeliveryOptimizationFile2 *file = file2_of(job, 0);
    IUnknown *stream = create_stream();
    ULONG references = test_refcount(stream);
    WCHAR path[1024];

    assert_hr(DO_E_INVALID_STATE,
        set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, VARIANT_FALSE));
    assert_hr(DO_E_INVALID_STATE, set_stream(file, stream));
    assert_hr(DO_E_INVALID_STATE, set_stream(file, NULL));
    assert_hr(DO_E_INVALID_STATE, set_text(file, DOFilePropertyId_DownloadSinkFilePath,
                                      wcscpy(path, test_local(test, L"other"))));
    assert_hr(DO_E_INVALID_STATE, set_size(file, 1));
    assert_hr(DO_E_INVALID_STATE, set_text(file, DOFilePropertyId_DecryptionInfo, decryption_info));
    assert_hr(
        DO_E_INVALID_STATE, set_text(file, DOFilePropertyId_IntegrityCheckInfo, integrity_info));
    assert_hr(DO_E_UNKNOWN_PROPERTY_ID, set_text(file, 7, L"x"));
    assert_int_equal(references, test_refcount(stream));
    expect_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"a"));
    (void)get(file, DOFilePropertyId_DownloadSinkInterface, TEST_E_NOT_SET);
    (void)get(file, DOFilePropertyId_IntegrityCheckMandatory, TEST_E_NOT_SET);
    IUnknown_Release(stream);
    IDeliveryOptimizationFile2_Release(file);
}

static void test_properties_are_set_while_suspended_only(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000&delay=15000", L"a");

    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_TRANSFERRING, test_state(job));
    check_set_is_refused(test, job);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    check_set_is_refused(test, job);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "status=404", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    check_set_is_refused(test, job);
    IBackgroundCopyJob_Release(job);

    job = test_create_job_of(test, "size=1000", L"a");
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    check_set_is_refused(test, job);
    assert_ok(IBackgroundCopyJob_Complete(job));
    check_set_is_refused(test, job);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a file that must be checked is fetched without anything to check it against. */
static void test_properties_mandatory_check_needs_its_info(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job_of(test, "size=1000", L"a");
    IDeliveryOptimizationFile2 *file = file2_of(job, 0);

    assert_ok(set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, VARIANT_TRUE));
    assert_hr(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, IBackgroundCopyJob_Resume(job));
    assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
    assert_ok(set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, VARIANT_FALSE));
    test_fetch(job);
    test_expect_object(test->local, 1000, 1);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a part of a file is fetched though it can only be checked, or decrypted, as a whole. */
static void test_properties_ranges_of_what_must_be_whole_are_refused(void **state)
{
    static BG_FILE_RANGE range[] = {{0, 10}};
    struct com_test *test = *state;

    for (int decrypts = 0; decrypts <= 1; decrypts++)
    {
        IBackgroundCopyJob *job = test_create_job(test);
        IDeliveryOptimizationFile2 *file;

        test_add_ranges(test, job, "size=100", L"a", 1, range, DO_UNKNOWN_FILE_SIZE);
        file = file2_of(job, 0);
        if (decrypts)
            assert_ok(set_text(file, DOFilePropertyId_DecryptionInfo, decryption_info));
        else
        {
            assert_ok(set_text(file, DOFilePropertyId_IntegrityCheckInfo, integrity_info));
            assert_ok(set_bool(file, DOFilePropertyId_IntegrityCheckMandatory, VARIANT_TRUE));
        }
        assert_hr(DO_E_DOWNLOAD_RANGES_UNEXPECTED, IBackgroundCopyJob_Resume(job));
        assert_int_equal(BG_JOB_STATE_SUSPENDED, test_state(job));
        IDeliveryOptimizationFile2_Release(file);
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: an object of another size than the client knows is taken for the right one. */
static void test_properties_total_size_is_held_against_the_server(void **state)
{
    static const UINT64 wrong[] = {999, 1001, 0, 1ULL << 40};
    BG_FILE_RANGE range = {90, 11};
    struct com_test *test = *state;
    IBackgroundCopyJob *job;
    IDeliveryOptimizationFile2 *file;

    for (size_t i = 0; i < TEST_COUNT_OF(wrong); i++)
    {
        BG_ERROR_CONTEXT context;

        job = test_create_job_of(test, "size=1000", L"a");
        file = file2_of(job, 0);
        assert_ok(set_size(file, wrong[i]));
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_state(job, BG_JOB_STATE_ERROR);
        assert_hr(DO_E_INSUFFICIENT_RANGE_SUPPORT, test_error(job, &context));
        assert_int_equal(BG_ERROR_CONTEXT_REMOTE_FILE, context);
        assert_ok(IBackgroundCopyJob_Cancel(job));
        IDeliveryOptimizationFile2_Release(file);
        IBackgroundCopyJob_Release(job);
    }

    job = test_create_job_of(test, "size=1000", L"a");
    file = file2_of(job, 0);
    (void)get(file, DOFilePropertyId_TotalSizeBytes, TEST_E_NOT_SET);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    expect_size(file, 1000);
    IDeliveryOptimizationFile2_Release(file);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);

    job = test_create_job(test);
    file = add_without_sink(test, job, "size=101", 1, &range);
    assert_hr(E_INVALIDARG, set_size(file, 100));
    (void)get(file, DOFilePropertyId_TotalSizeBytes, TEST_E_NOT_SET);
    assert_ok(set_size(file, 101));
    /* The ranges' bytes are what comes. */
    assert_int_equal(11, test_file_progress(job, 0).BytesTotal);
    assert_ok(set_text(file, DOFilePropertyId_DownloadSinkFilePath, test_local(test, L"b")));
    test_fetch(job);
    test_expect_pattern(test->local, 0, 11, 1, 90);
    expect_size(file, 101);
    IDeliveryOptimizationFile2_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* IDeliveryOptimizationFile */

/* From both slots, which must agree but for what runs on; free_stats frees it. */
static DOSwarmStats get_stats(IBackgroundCopyJob *job, ULONG index)
{
    IBackgroundCopyFile *file = test_file(job, index);
    IDeliveryOptimizationFile *do_file = NULL;
    DOSwarmStats first, second;

    memset(&first, 0xCC, sizeof(first));
    memset(&second, 0xCC, sizeof(second));
    assert_ok(IBackgroundCopyFile_QueryInterface(
        file, &IID_IDeliveryOptimizationFile, (void **)&do_file));
    assert_ok(IDeliveryOptimizationFile_GetStats(do_file, &first));
    assert_ok(IDeliveryOptimizationFile_GetStats2(do_file, &second));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationFile_GetStats(do_file, NULL));
    assert_hr(E_INVALIDARG, IDeliveryOptimizationFile_GetStats2(do_file, NULL));
    assert_int_equal(0, wcscmp(first.fileId, second.fileId));
    assert_int_equal(0, wcscmp(first.sourceURL, second.sourceURL));
    assert_true(second.totalBytesDownloaded >= first.totalBytesDownloaded);
    assert_true(second.downloadDuration >= first.downloadDuration);
    assert_int_equal(first.fileSize, second.fileSize);
    assert_int_equal(first.downloadMode, second.downloadMode);
    assert_int_equal(first.isBackground, second.isBackground);
    CoTaskMemFree(first.fileId);
    CoTaskMemFree(first.sourceURL);
    IDeliveryOptimizationFile_Release(do_file);
    IBackgroundCopyFile_Release(file);
    return second;
}

static void free_stats(DOSwarmStats *stats)
{
    CoTaskMemFree(stats->fileId);
    CoTaskMemFree(stats->sourceURL);
}

/* The members that are told apart by where the file stands; all others are checked here. */
static DOSwarmStats check_stats(struct com_test *test, IBackgroundCopyJob *job, SwarmStatus status)
{
    DOSwarmStats stats = get_stats(job, 0);

    assert_int_equal(0, wcscmp(stats.fileId, L"id"));
    assert_int_equal(0, wcscmp(stats.sourceURL, test->url));
    free_stats(&stats);
    assert_int_equal(stats.totalBytesDownloaded, stats.bytesFromHttp);
    assert_int_equal(0, stats.bytesFromLanPeers);
    assert_int_equal(0, stats.bytesFromGroupPeers);
    assert_int_equal(0, stats.bytesFromInternetPeers);
    assert_int_equal(0, stats.bytesFromDoinc);
    assert_int_equal(0, stats.bytesToLanPeers);
    assert_int_equal(0, stats.bytesToGroupPeers);
    assert_int_equal(0, stats.bytesToInternetPeers);
    assert_int_equal(0, stats.doincConnectionCount);
    assert_int_equal(0, stats.lanConnectionCount);
    assert_int_equal(0, stats.groupConnectionCount);
    assert_int_equal(0, stats.internetConnectionCount);
    assert_int_equal(DownloadMode_Simple, stats.downloadMode);
    assert_int_equal(status, stats.status);
    return stats;
}

/* Broken: Office, which reads the statistics from slot 4, gets none, or a monitor shows nonsense.
 */
static void test_properties_statistics_from_the_beginning_to_the_end(void **state)
{
    const UINT64 size = 400 << 10;
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    DOSwarmStats stats;
    UINT duration;

    test_add_ranges(test, job, "size=400k&rate=100k", L"a", 0, NULL, DO_UNKNOWN_FILE_SIZE);
    stats = check_stats(test, job, SwarmStatus_Paused);
    assert_int_equal(0, stats.fileSize);
    assert_int_equal(0, stats.totalBytesDownloaded);
    assert_int_equal(0, stats.httpConnectionCount);
    assert_int_equal(0, stats.downloadDuration);
    assert_true(stats.isBackground);
    assert_ok(IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND));

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_bytes(job, 1);
    stats = check_stats(test, job, SwarmStatus_Downloading);
    assert_int_equal(size, stats.fileSize);
    assert_in_range(stats.totalBytesDownloaded, 1, size - 1);
    assert_int_equal(1, stats.httpConnectionCount);
    assert_in_range(stats.downloadDuration, 1, TEST_PATIENCE_MS);
    assert_false(stats.isBackground);

    assert_ok(IBackgroundCopyJob_Suspend(job));
    stats = check_stats(test, job, SwarmStatus_Paused);
    assert_int_equal(size, stats.fileSize);
    assert_in_range(stats.totalBytesDownloaded, 1, size - 1);
    assert_int_equal(0, stats.httpConnectionCount);
    duration = stats.downloadDuration;
    assert_true(duration > 0);
    /* It is the time of the transfer, not of the job. */
    Sleep(50);
    stats = check_stats(test, job, SwarmStatus_Paused);
    assert_int_equal(duration, stats.downloadDuration);

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    stats = check_stats(test, job, SwarmStatus_Complete);
    assert_int_equal(size, stats.fileSize);
    assert_int_equal(size, stats.totalBytesDownloaded);
    assert_int_equal(0, stats.httpConnectionCount);
    assert_true(stats.downloadDuration > duration);
    assert_ok(IBackgroundCopyJob_Complete(job));
    stats = check_stats(test, job, SwarmStatus_Complete);
    assert_int_equal(size, stats.totalBytesDownloaded);
    IBackgroundCopyJob_Release(job);
}

/* Broken: ranges are taken for the whole, or a job that failed still shows a download. */
static void test_properties_statistics_of_ranges_and_of_errors(void **state)
{
    BG_FILE_RANGE range = {10, 20};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    DOSwarmStats stats;

    test_add_ranges(test, job, "size=100", L"a", 1, &range, 100);
    stats = check_stats(test, job, SwarmStatus_Paused);
    assert_int_equal(100, stats.fileSize);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    stats = check_stats(test, job, SwarmStatus_Complete);
    assert_int_equal(100, stats.fileSize);
    assert_int_equal(20, stats.totalBytesDownloaded);
    IBackgroundCopyJob_Release(job);

    job = test_create_job(test);
    test_add_ranges(test, job, "status=404", L"b", 0, NULL, DO_UNKNOWN_FILE_SIZE);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    stats = check_stats(test, job, SwarmStatus_Paused);
    assert_int_equal(0, stats.totalBytesDownloaded);
    assert_int_equal(0, stats.httpConnectionCount);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    stats = check_stats(test, job, SwarmStatus_Paused);
    IBackgroundCopyJob_Release(job);
}

/* ExtendedErrorInfo */

static const WCHAR *skip_blanks(const WCHAR *at)
{
    return at + wcsspn(at, L" \t\r\n");
}

/* A JSON string (RFC 8259), the quotes left out; false when it is none. */
static bool read_string(const WCHAR **at, WCHAR *text, size_t size)
{
    size_t length = 0;
    const WCHAR *c = *at;

    if (*c++ != L'"')
        return false;
    for (; *c != L'"'; c++)
    {
        WCHAR one = *c;

        if (one < 0x20 || length + 1 >= size)
            return false;
        if (one == L'\\')
        {
            one = *++c;
            if (!one || !wcschr(L"\"\\/bfnrtu", one))
                return false;
            if (one == L'u')
            {
                if (wcsspn(c + 1, L"0123456789abcdefABCDEF") < 4)
                    return false;
                c += 4;
            }
        }
        text[length++] = one;
    }
    text[length] = L'\0';
    *at = c + 1;
    return true;
}

/* A member of a flat JSON object as text, "" when it is not there; fails when the text is none. */
static void json_member(const WCHAR *json, const WCHAR *wanted, WCHAR *value, size_t size)
{
    const WCHAR *at = skip_blanks(json);
    WCHAR name[64];
    WCHAR text[4096];

    value[0] = L'\0';
    assert_int_equal(L'{', *at);
    do
    {
        at = skip_blanks(at + 1);
        assert_true(read_string(&at, name, TEST_COUNT_OF(name)));
        at = skip_blanks(at);
        assert_int_equal(L':', *at);
        at = skip_blanks(at + 1);
        if (*at == L'"')
            assert_true(read_string(&at, text, TEST_COUNT_OF(text)));
        else
        {
            size_t length = wcsspn(at, L"-0123456789");

            assert_in_range(length, 1, 20);
            memcpy(text, at, length * sizeof(*text));
            text[length] = L'\0';
            at += length;
        }
        if (!wcscmp(name, wanted))
        {
            assert_true(wcslen(text) < size);
            wcscpy(value, text);
        }
        at = skip_blanks(at);
    } while (*at == L',');
    assert_int_equal(L'}', *at);
    assert_int_equal(0, *skip_blanks(at + 1));
}

static VARIANT get_error_info(IBackgroundCopyJob *job, HRESULT expected)
{
    IDeliveryOptimizationJob2 *job2 = job2_of(job);
    VARIANT variant;

    memset(&variant, 0xCC, sizeof(variant));
    assert_hr(expected,
        IDeliveryOptimizationJob2_GetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, &variant));
    assert_int_equal(SUCCEEDED(expected) ? VT_BSTR : VT_EMPTY, V_VT(&variant));
    IDeliveryOptimizationJob2_Release(job2);
    return variant;
}

static void check_error_info(
    IBackgroundCopyJob *job, HRESULT code, BG_ERROR_CONTEXT context, const WCHAR *url)
{
    VARIANT variant = get_error_info(job, S_OK);
    WCHAR value[4096];
    WCHAR wanted[16];

    json_member(V_BSTR(&variant), L"HResult", value, TEST_COUNT_OF(value));
    (void)_snwprintf(wanted, TEST_COUNT_OF(wanted), L"0x%08lX", (unsigned long)code);
    assert_int_equal(0, wcscmp(value, wanted));
    json_member(V_BSTR(&variant), L"Context", value, TEST_COUNT_OF(value));
    (void)_snwprintf(wanted, TEST_COUNT_OF(wanted), L"%d", (int)context);
    assert_int_equal(0, wcscmp(value, wanted));
    json_member(V_BSTR(&variant), L"Url", value, TEST_COUNT_OF(value));
    if (wcscmp(value, url))
        fail_msg("%ls is not %ls", value, url);
    json_member(V_BSTR(&variant), L"Description", value, TEST_COUNT_OF(value));
    assert_true(wcslen(value) > 5);
    assert_ok(VariantClear(&variant));
}

/* Broken: a log of errors gets a text that it cannot parse, or one with a password in it. */
static void test_properties_error_info_tells_code_context_and_url(void **state)
{
    WCHAR url[512], with_secrets[512], path[1024];
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    HANDLE file;
    HRESULT hr;

    (void)get_error_info(job, TEST_E_NOT_SET);
    (void)test_url(test, "x");
    (void)_snwprintf(with_secrets, TEST_COUNT_OF(with_secrets),
        L"http://user:secret@%hs%hs?status=404&x_key=secret", test_server() + strlen("http://"),
        test->server_path);
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%hs%hs", test_server(), test->server_path);
    assert_ok(IBackgroundCopyJob_AddFile(job, with_secrets, test_local(test, L"a")));
    (void)get_error_info(job, TEST_E_NOT_SET);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    check_error_info(job, TEST_E_HTTP(404), BG_ERROR_CONTEXT_REMOTE_FILE, url);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);

    job = test_create_job(test);
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"http://127.0.0.1:%u/\x00E4", test_dead_port());
    assert_ok(IBackgroundCopyJob_AddFile(job, url, test_local(test, L"a")));
    assert_ok(IBackgroundCopyJob_SetNoProgressTimeout(job, 0));
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    check_error_info(job, TEST_E_CANNOT_CONNECT, BG_ERROR_CONTEXT_NONE, url);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);

    test_write_text(wcscpy(path, test_local(test, L"b")), "old");
    job = test_create_job_of(test, "size=1000", L"b");
    (void)_snwprintf(url, TEST_COUNT_OF(url), L"%hs%hs", test_server(), test->server_path);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    (void)get_error_info(job, TEST_E_NOT_SET);
    file = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(file != INVALID_HANDLE_VALUE);
    hr = IBackgroundCopyJob_Complete(job);
    assert_true(CloseHandle(file));
    assert_true(FAILED(hr));
    check_error_info(job, hr, BG_ERROR_CONTEXT_LOCAL_FILE, url);
    assert_ok(IBackgroundCopyJob_Complete(job));
    (void)get_error_info(job, TEST_E_NOT_SET);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a client that probes the job's properties gets a code nobody documents. */
static void test_properties_codes_of_job_properties(void **state)
{
    static const int unknown[] = {1, -1, 1000};
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDeliveryOptimizationJob2 *job2 = job2_of(job);
    VARIANT variant;

    VariantInit(&variant);
    for (size_t i = 0; i < TEST_COUNT_OF(unknown); i++)
    {
        VARIANT read;

        memset(&read, 0xCC, sizeof(read));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID,
            IDeliveryOptimizationJob2_GetProperty(job2, (DOJobPropertyId)unknown[i], &read));
        assert_int_equal(VT_EMPTY, V_VT(&read));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID,
            IDeliveryOptimizationJob2_SetProperty(job2, (DOJobPropertyId)unknown[i], &variant));
    }
    assert_hr(DO_E_READ_ONLY_PROPERTY,
        IDeliveryOptimizationJob2_SetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, &variant));
    assert_hr(DO_E_READ_ONLY_PROPERTY,
        IDeliveryOptimizationJob2_SetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, NULL));
    assert_hr(E_INVALIDARG,
        IDeliveryOptimizationJob2_GetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, NULL));
    IDeliveryOptimizationJob2_Release(job2);
    IBackgroundCopyJob_Release(job);
}

/* IBackgroundCopyJob5 */

static HRESULT set_cost(IBackgroundCopyJob5 *job, DWORD flags)
{
    BITS_JOB_PROPERTY_VALUE value;

    memset(&value, 0, sizeof(value));
    value.Dword = flags;
    return IBackgroundCopyJob5_SetProperty(job, BITS_JOB_PROPERTY_ID_COST_FLAGS, value);
}

static DWORD get_cost(IBackgroundCopyJob5 *job)
{
    BITS_JOB_PROPERTY_VALUE value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IBackgroundCopyJob5_GetProperty(job, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value));
    return value.Dword;
}

/* Broken: an updater that limits itself to cheap networks is refused, or not believed. */
static void test_properties_cost_flags_and_notification_class(void **state)
{
    static const CLSID class = {0x12345678, 0x1234, 0x5678, {1, 2, 3, 4, 5, 6, 7, 8}};
    static const int unknown[] = {0, 3, 4, 5, 7, 9, 10, -1};
    static const BITS_JOB_PROPERTY_VALUE zero;
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    BITS_JOB_PROPERTY_VALUE value;
    IBackgroundCopyJob5 *job5;

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob5, (void **)&job5));
    assert_int_equal((DWORD)BITS_JOB_TRANSFER_POLICY_STANDARD, get_cost(job5));
    assert_ok(IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND));
    assert_int_equal((DWORD)BITS_JOB_TRANSFER_POLICY_ALWAYS, get_cost(job5));
    assert_ok(set_cost(job5, (DWORD)BITS_JOB_TRANSFER_POLICY_UNRESTRICTED));
    assert_int_equal((DWORD)BITS_JOB_TRANSFER_POLICY_UNRESTRICTED, get_cost(job5));
    assert_hr(E_INVALIDARG, set_cost(job5, 0));
    assert_hr(E_INVALIDARG, set_cost(job5, 0x80000000));
    assert_hr(E_INVALIDARG, set_cost(job5, 0x80000167));
    assert_int_equal((DWORD)BITS_JOB_TRANSFER_POLICY_UNRESTRICTED, get_cost(job5));

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, &value));
    assert_true(IsEqualGUID(&value.ClsID, &GUID_NULL));
    value.ClsID = class;
    assert_ok(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, value));
    memset(&value, 0xCC, sizeof(value));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, &value));
    assert_true(IsEqualGUID(&value.ClsID, &class));
    assert_ok(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, zero));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, &value));
    assert_true(IsEqualGUID(&value.ClsID, &GUID_NULL));

    for (size_t i = 0; i < TEST_COUNT_OF(unknown); i++)
    {
        BITS_JOB_PROPERTY_ID id = (BITS_JOB_PROPERTY_ID)unknown[i];

        memset(&value, 0xCC, sizeof(value));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyJob5_GetProperty(job5, id, &value));
        assert_memory_equal(&zero, &value, sizeof(value));
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, IBackgroundCopyJob5_SetProperty(job5, id, zero));
    }
    assert_hr(
        E_INVALIDARG, IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, NULL));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_hr(DO_E_INVALID_STATE, set_cost(job5, (DWORD)BITS_JOB_TRANSFER_POLICY_ALWAYS));
    assert_hr(DO_E_INVALID_STATE,
        IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, zero));
    assert_int_equal((DWORD)BITS_JOB_TRANSFER_POLICY_UNRESTRICTED, get_cost(job5));
    IBackgroundCopyJob5_Release(job5);
    IBackgroundCopyJob_Release(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_properties_add_file_gives_any_interface_of_a_file),
        COM_TEST(test_properties_add_file_refuses_and_adds_nothing),
        COM_TEST(test_properties_file_gets_its_sink_later),
        COM_TEST(test_properties_add_file_to_a_transferred_job_suspends_it),
        COM_TEST(test_properties_add_file_to_a_running_job),
        COM_TEST(test_properties_wrong_types_are_refused),
        COM_TEST(test_properties_references_are_followed),
        COM_TEST(test_properties_codes_of_each_id),
        COM_TEST(test_properties_values_come_back),
        COM_TEST(test_properties_bad_json_is_refused),
        COM_TEST(test_properties_paths_are_checked_as_by_add_file),
        COM_TEST(test_properties_second_kind_of_sink_is_refused),
        COM_TEST(test_properties_path_stays_once_begun),
        COM_TEST(test_properties_are_set_while_suspended_only),
        COM_TEST(test_properties_mandatory_check_needs_its_info),
        COM_TEST(test_properties_ranges_of_what_must_be_whole_are_refused),
        COM_TEST(test_properties_total_size_is_held_against_the_server),
        COM_TEST(test_properties_statistics_from_the_beginning_to_the_end),
        COM_TEST(test_properties_statistics_of_ranges_and_of_errors),
        COM_TEST(test_properties_error_info_tells_code_context_and_url),
        COM_TEST(test_properties_codes_of_job_properties),
        COM_TEST(test_properties_cost_flags_and_notification_class),
    };

    return COM_TEST_RUN(tests);
}
