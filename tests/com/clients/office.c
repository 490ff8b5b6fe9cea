/* SPDX-License-Identifier: MIT */
/*
 * Office Click-to-Run (spec 05, 10), the legacy interfaces from an STA: a file in ranges whose path
 * is a property, statistics through slot 4, and a Complete that fails and is repeated.
 */
#include "client.h"

#include <string.h>

#define SIZE (64U << 10)

/* The vtable of IDeliveryOptimizationFile as Office sees it: what it calls is in slot 4. */
struct office_file
{
    const struct office_file_vtbl
    {
        HRESULT(STDMETHODCALLTYPE *query_interface)(struct office_file *, REFIID, void **);
        ULONG(STDMETHODCALLTYPE *add_ref)(struct office_file *);
        ULONG(STDMETHODCALLTYPE *release)(struct office_file *);
        HRESULT(STDMETHODCALLTYPE *slot_3)(struct office_file *, DOSwarmStats *);
        HRESULT(STDMETHODCALLTYPE *slot_4)(struct office_file *, DOSwarmStats *);
    } * vtbl;
};

static IBackgroundCopyJob *create_job(void)
{
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    DWORD authentication, authorisation, level, impersonation, capabilities;
    GUID id;

    assert_ok(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, client_context(),
        &IID_IBackgroundCopyManager, (void **)&manager));
    assert_ok(CoQueryProxyBlanket((IUnknown *)manager, &authentication, &authorisation, NULL,
        &level, &impersonation, NULL, &capabilities));
    assert_ok(CoSetProxyBlanket((IUnknown *)manager, authentication, authorisation, NULL, level,
        RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_NONE));
    assert_ok(
        IBackgroundCopyManager_CreateJob(manager, L"Office", BG_JOB_TYPE_DOWNLOAD, &id, &job));
    IBackgroundCopyManager_Release(manager);
    return job;
}

/* Adds two ranges with the target as a property. */
static IBackgroundCopyFile *add(
    struct com_test *test, IBackgroundCopyJob *job, const char *query, const WCHAR *name)
{
    BG_FILE_RANGE ranges[] = {{0, 1000}, {SIZE - 500, 500}};
    IDeliveryOptimizationJob2 *job2 = NULL;
    IDeliveryOptimizationFile2 *file2 = NULL;
    IBackgroundCopyFile *file = NULL;
    VARIANT value = {.vt = VT_BSTR};

    assert_ok(
        IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob2, (void **)&job2));
    assert_ok(IDeliveryOptimizationJob2_AddFile(job2, L"stream.x64", test_url(test, query), 2,
        ranges, &IID_IDeliveryOptimizationFile2, (void **)&file2));
    IDeliveryOptimizationJob2_Release(job2);
    value.bstrVal = SysAllocString(test_local(test, name));
    assert_non_null(value.bstrVal);
    assert_ok(IDeliveryOptimizationFile2_SetProperty(
        file2, DOFilePropertyId_DownloadSinkFilePath, &value));
    (void)VariantClear(&value);
    value.vt = VT_UI8;
    value.ullVal = SIZE;
    assert_ok(
        IDeliveryOptimizationFile2_SetProperty(file2, DOFilePropertyId_TotalSizeBytes, &value));
    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDeliveryOptimizationFile2_GetProperty(
        file2, DOFilePropertyId_DownloadSinkFilePath, &value));
    assert_int_equal(VT_BSTR, value.vt);
    assert_int_equal(0, wcscmp(test->local, value.bstrVal));
    (void)VariantClear(&value);
    assert_ok(
        IDeliveryOptimizationFile2_QueryInterface(file2, &IID_IBackgroundCopyFile, (void **)&file));
    IDeliveryOptimizationFile2_Release(file2);
    return file;
}

static void check_statistics(struct com_test *test, IBackgroundCopyFile *file, UINT64 downloaded)
{
    struct office_file *office = NULL;
    DOSwarmStats stats;

    assert_ok(
        IBackgroundCopyFile_QueryInterface(file, &IID_IDeliveryOptimizationFile, (void **)&office));
    memset(&stats, 0xCC, sizeof(stats));
    assert_ok(office->vtbl->slot_4(office, &stats));
    assert_int_equal(0, wcscmp(stats.fileId, L"stream.x64"));
    assert_int_equal(0, wcscmp(stats.sourceURL, test->url));
    assert_int_equal(SIZE, stats.fileSize);
    assert_int_equal(downloaded, stats.totalBytesDownloaded);
    assert_int_equal(downloaded, stats.bytesFromHttp);
    assert_int_equal(0, stats.bytesFromLanPeers);
    CoTaskMemFree(stats.fileId);
    CoTaskMemFree(stats.sourceURL);
    (void)office->vtbl->release(office);
}

/* Broken: Office gets no statistics, a wrong file, or loses the job when its target is in use. */
static void test_office_downloads(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = create_job();
    IBackgroundCopyFile *file = add(test, job, "size=64k", L"a.dat");
    BG_ERROR_CONTEXT context;
    HANDLE held;
    HRESULT hr;

    check_statistics(test, file, 0);
    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_TRANSFERRED);
    check_statistics(test, file, 1500);
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    /* Somebody has the target open. */
    test_write_text(test->local, "old");
    held = CreateFileW(test->local, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    for (int i = 0; i < 2; i++)
    {
        hr = IBackgroundCopyJob_Complete(job);
        assert_true(FAILED(hr));
        assert_int_equal(BG_JOB_STATE_TRANSFERRED, test_state(job));
        assert_hr(hr, test_error(job, &context));
        assert_int_equal(BG_ERROR_CONTEXT_LOCAL_FILE, context);
    }
    assert_true(CloseHandle(held));
    assert_ok(IBackgroundCopyJob_Complete(job));
    assert_int_equal(BG_JOB_STATE_ACKNOWLEDGED, test_state(job));
    assert_int_equal(1500, test_file_size(test->local));
    test_expect_pattern(test->local, 0, 1000, 1, 0);
    test_expect_pattern(test->local, 1000, 500, 1, SIZE - 500);
    IBackgroundCopyFile_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a cancelled installation leaves a file, or hangs. */
static void test_office_cancels_right_after_resume(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = create_job();
    IBackgroundCopyFile *file = add(test, job, "size=64k&stall=10", L"a.dat");

    assert_ok(IBackgroundCopyJob_Resume(job));
    assert_ok(IBackgroundCopyJob_Cancel(job));
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    assert_int_equal(TEST_SIZE_MISSING, test_file_size(test->local));
    IBackgroundCopyFile_Release(file);
    IBackgroundCopyJob_Release(job);
}

/* Broken: a wild count of ranges is read. */
static void test_office_wild_range_count_is_refused(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = create_job();
    IDeliveryOptimizationJob *do_job = test_do_job(job);

    assert_hr(E_INVALIDARG,
        IDeliveryOptimizationJob_AddFileWithRanges(do_job, L"id", test_url(test, "size=10"),
            test_local(test, L"a.dat"), 0xFFFFFFFF, NULL, DO_UNKNOWN_FILE_SIZE));
    IDeliveryOptimizationJob_Release(do_job);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
}

static int enter_apartment(void **state)
{
    (void)state;
    return FAILED(CoInitializeEx(NULL, COINIT_APARTMENTTHREADED)) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_office_downloads),
        COM_TEST(test_office_cancels_right_after_resume),
        COM_TEST(test_office_wild_range_count_is_refused),
    };

    return cmocka_run_group_tests_name(__FILE__, tests, enter_apartment, test_group_teardown);
}
