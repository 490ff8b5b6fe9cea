/* SPDX-License-Identifier: MIT */
/*
 * COM's rules on every kind of object: identity, interfaces, security blanket, references, and use
 * from any apartment. Other threads only record; the test's thread asserts.
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>

/* Every kind of object that a client can get. */
enum object_kind
{
    OBJECT_MANAGER,
    OBJECT_JOB,
    OBJECT_FILE,
    OBJECT_ERROR,
    OBJECT_JOB_ENUMERATOR,
    OBJECT_FILE_ENUMERATOR,
    OBJECT_DOWNLOAD,
    OBJECT_DOWNLOAD_ENUMERATOR,
    OBJECT_COUNT
};

static const IID *const manager_iids[] = {
    &IID_IUnknown, &IID_IDOManager, &IID_IBackgroundCopyManager, &IID_IClientSecurity};
static const IID *const job_iids[] = {&IID_IUnknown, &IID_IBackgroundCopyJob,
    &IID_IBackgroundCopyJob2, &IID_IBackgroundCopyJob3, &IID_IBackgroundCopyJob4,
    &IID_IBackgroundCopyJob5, &IID_IBackgroundCopyJobHttpOptions, &IID_IDeliveryOptimizationJob,
    &IID_IDeliveryOptimizationJob2, &IID_IClientSecurity};
static const IID *const file_iids[] = {&IID_IUnknown, &IID_IBackgroundCopyFile,
    &IID_IBackgroundCopyFile2, &IID_IBackgroundCopyFile3, &IID_IBackgroundCopyFile4,
    &IID_IBackgroundCopyFile5, &IID_IDeliveryOptimizationFile, &IID_IDeliveryOptimizationFile2,
    &IID_IClientSecurity};
static const IID *const error_iids[] = {
    &IID_IUnknown, &IID_IBackgroundCopyError, &IID_IClientSecurity};
static const IID *const job_enumerator_iids[] = {
    &IID_IUnknown, &IID_IEnumBackgroundCopyJobs, &IID_IClientSecurity};
static const IID *const file_enumerator_iids[] = {
    &IID_IUnknown, &IID_IEnumBackgroundCopyFiles, &IID_IClientSecurity};
static const IID *const download_iids[] = {&IID_IUnknown, &IID_IDODownload, &IID_IClientSecurity};
static const IID *const download_enumerator_iids[] = {
    &IID_IUnknown, &IID_IEnumUnknown, &IID_IClientSecurity};

/* Own interfaces of others, written out by hand: what each kind must refuse. (Spec 01, 3.5.) */
static const struct
{
    const char *name;
    const IID *const *iids;
    size_t count;
    const IID *foreign;
} kinds[OBJECT_COUNT] = {
    [OBJECT_MANAGER] = {"manager", manager_iids, TEST_COUNT_OF(manager_iids),
        &IID_IBackgroundCopyJob},
    [OBJECT_JOB] = {"job", job_iids, TEST_COUNT_OF(job_iids), &IID_IBackgroundCopyFile},
    [OBJECT_FILE] = {"file", file_iids, TEST_COUNT_OF(file_iids), &IID_IBackgroundCopyJob},
    [OBJECT_ERROR] = {"error", error_iids, TEST_COUNT_OF(error_iids), &IID_IBackgroundCopyFile},
    [OBJECT_JOB_ENUMERATOR] = {"job enumerator", job_enumerator_iids,
        TEST_COUNT_OF(job_enumerator_iids), &IID_IEnumBackgroundCopyFiles},
    [OBJECT_FILE_ENUMERATOR] = {"file enumerator", file_enumerator_iids,
        TEST_COUNT_OF(file_enumerator_iids), &IID_IEnumBackgroundCopyJobs},
    [OBJECT_DOWNLOAD] = {"download", download_iids, TEST_COUNT_OF(download_iids),
        &IID_IBackgroundCopyJob},
    [OBJECT_DOWNLOAD_ENUMERATOR] = {"download enumerator", download_enumerator_iids,
        TEST_COUNT_OF(download_enumerator_iids), &IID_IEnumBackgroundCopyJobs},
};

struct objects
{
    IUnknown *kind[OBJECT_COUNT];
};

static void open_objects(struct com_test *test, struct objects *objects)
{
    IBackgroundCopyJob *job = test_create_job_of(test, "status=404", L"a");
    IDOManager *manager;

    assert_ok(IBackgroundCopyJob_Resume(job));
    test_wait_state(job, BG_JOB_STATE_ERROR);
    objects->kind[OBJECT_MANAGER] = (IUnknown *)test_create_manager();
    objects->kind[OBJECT_JOB] = (IUnknown *)job;
    objects->kind[OBJECT_FILE] = (IUnknown *)test_file(job, 0);
    assert_ok(
        IBackgroundCopyJob_GetError(job, (IBackgroundCopyError **)&objects->kind[OBJECT_ERROR]));
    assert_ok(IBackgroundCopyManager_EnumJobs(
        test->manager, 0, (IEnumBackgroundCopyJobs **)&objects->kind[OBJECT_JOB_ENUMERATOR]));
    assert_ok(IBackgroundCopyJob_EnumFiles(
        job, (IEnumBackgroundCopyFiles **)&objects->kind[OBJECT_FILE_ENUMERATOR]));
    manager = modern_manager();
    assert_ok(IDOManager_CreateDownload(manager, (IDODownload **)&objects->kind[OBJECT_DOWNLOAD]));
    assert_ok(IDOManager_EnumDownloads(
        manager, NULL, (IEnumUnknown **)&objects->kind[OBJECT_DOWNLOAD_ENUMERATOR]));
    IDOManager_Release(manager);
}

static void close_objects(struct objects *objects)
{
    assert_ok(IDODownload_Abort((IDODownload *)objects->kind[OBJECT_DOWNLOAD]));
    for (size_t i = 0; i < OBJECT_COUNT; i++)
        IUnknown_Release(objects->kind[i]);
}

/* Broken: a client that compares or converts pointers takes one object for two. */
static void test_identity_interfaces_are_one_object(void **state)
{
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        print_message("  %s\n", kinds[i].name);
        test_check_interfaces(objects.kind[i], kinds[i].iids, kinds[i].count);
    }
    close_objects(&objects);
}

/* Broken: a client that casts along the chain instead of asking, as BITS allows, gets garbage. */
static void test_identity_versions_of_an_interface_are_one_pointer(void **state)
{
    static const struct
    {
        enum object_kind kind;
        const IID *first;
        const IID *later[4];
    } chains[] = {
        {OBJECT_JOB, &IID_IBackgroundCopyJob,
            {&IID_IBackgroundCopyJob2, &IID_IBackgroundCopyJob3, &IID_IBackgroundCopyJob4,
                &IID_IBackgroundCopyJob5}},
        {OBJECT_FILE, &IID_IBackgroundCopyFile,
            {&IID_IBackgroundCopyFile2, &IID_IBackgroundCopyFile3, &IID_IBackgroundCopyFile4,
                &IID_IBackgroundCopyFile5}},
    };
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < TEST_COUNT_OF(chains); i++)
    {
        IUnknown *object = objects.kind[chains[i].kind];
        IUnknown *first = NULL;

        assert_ok(IUnknown_QueryInterface(object, chains[i].first, (void **)&first));
        for (size_t j = 0; j < TEST_COUNT_OF(chains[i].later); j++)
        {
            IUnknown *later = NULL;

            assert_ok(IUnknown_QueryInterface(object, chains[i].later[j], (void **)&later));
            assert_ptr_equal(first, later);
            IUnknown_Release(later);
        }
        IUnknown_Release(first);
    }
    close_objects(&objects);
}

/* Broken: what is a probe for .NET or script gets a wrong vtable, or garbage. */
static void test_identity_foreign_interfaces_are_refused(void **state)
{
    /* The first three are of later BITS: IBackgroundCopyFile6, HttpOptions2, IBitsTokenOptions; the
       last is of DO, an interface on its cache that we have no use for. (Spec 01, 6, 7.4 and 8.) */
    static const IID later[] = {
        {0xcf6784f7, 0xd677, 0x49fd, {0x93, 0x68, 0xcb, 0x47, 0xae, 0xe9, 0xd1, 0xad}},
        {0xb591a192, 0xa405, 0x4fc3, {0x83, 0x23, 0x4c, 0x5c, 0x54, 0x25, 0x78, 0xfc}},
        {0x9a2584c3, 0xf7d2, 0x457a, {0x9a, 0x5e, 0x22, 0xb6, 0x7b, 0xff, 0xc7, 0xd2}},
        {0x6692fd56, 0x3b9b, 0x433a, {0xac, 0x04, 0x3f, 0xfb, 0x44, 0x25, 0x56, 0xdd}}};
    const IID *const never[] = {&later[0], &later[1], &later[2], &later[3], &IID_IDispatch,
        &IID_IProvideClassInfo, &IID_IClassFactory, &IID_IStream, &IID_NULL};
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        test_check_no_interface(objects.kind[i], kinds[i].foreign);
        for (size_t j = 0; j < TEST_COUNT_OF(never); j++)
            test_check_no_interface(objects.kind[i], never[j]);
    }
    close_objects(&objects);
}

/* Broken: a NULL out-pointer of QueryInterface crashes the client. */
static void test_identity_query_interface_without_out_pointer_fails(void **state)
{
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        HRESULT hr = IUnknown_QueryInterface(objects.kind[i], &IID_IUnknown, NULL);

        assert_true(hr == E_POINTER || hr == E_INVALIDARG);
    }
    close_objects(&objects);
}

/* Broken: objects leak, or die while somebody holds them. */
static void test_identity_references_balance(void **state)
{
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        IUnknown *object = objects.kind[i];
        ULONG before = test_refcount(object);
        IUnknown *other = NULL;

        assert_int_equal(before + 1, IUnknown_AddRef(object));
        assert_int_equal(before, IUnknown_Release(object));
        assert_ok(IUnknown_QueryInterface(object, kinds[i].iids[1], (void **)&other));
        assert_int_equal(before + 1, test_refcount(object));
        IUnknown_Release(other);
        assert_hr(
            E_NOINTERFACE, IUnknown_QueryInterface(object, kinds[i].foreign, (void **)&other));
        assert_int_equal(before, test_refcount(object));
    }
    /* Enumerators, the error and a manager of one's own are nobody else's. */
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_MANAGER]));
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_ERROR]));
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_JOB_ENUMERATOR]));
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_FILE_ENUMERATOR]));
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_DOWNLOAD]));
    assert_int_equal(1, test_refcount(objects.kind[OBJECT_DOWNLOAD_ENUMERATOR]));
    close_objects(&objects);
}

/* Broken: the real client named in the row stops at CoSetProxyBlanket. (Spec 01, section 1.2.) */
static void test_identity_blanket_of_each_real_client_is_accepted(void **state)
{
    static const struct
    {
        const char *client;
        DWORD authn, authz;
        bool default_principal;
        DWORD level, impersonation, capabilities;
    } rows[] = {
        {"winget", (DWORD)-1, (DWORD)-1, true, 0, 3, 0x800},
        {"do-client", (DWORD)-1, 0, true, 0, 3, 0x20},
        {".NET sample", (DWORD)-1, (DWORD)-1, true, 0, 3, 0x20},
        {"System Informer", 10, 0, false, 6, 3, 0},
        {"Dumplings", (DWORD)-1, (DWORD)-1, false, 0, 3, 0},
        {"PowerShell", (DWORD)-1, (DWORD)-1, true, 0, 3, 0x40},
    };
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        for (size_t j = 0; j < TEST_COUNT_OF(rows); j++)
        {
            DWORD impersonation = 0;

            assert_ok(CoSetProxyBlanket(objects.kind[i], rows[j].authn, rows[j].authz,
                rows[j].default_principal ? COLE_DEFAULT_PRINCIPAL : NULL, rows[j].level,
                rows[j].impersonation, NULL, rows[j].capabilities));
            assert_ok(CoQueryProxyBlanket(
                objects.kind[i], NULL, NULL, NULL, NULL, &impersonation, NULL, NULL));
            assert_int_equal(rows[j].impersonation, impersonation);
        }
    }
    close_objects(&objects);
}

/* Broken: Office's way (query, change the level, set, query again) fails, or NULL outputs crash. */
static void test_identity_blanket_is_read_back(void **state)
{
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        DWORD authn = 77, authz = 77, level = 77, impersonation = 77, capabilities = 77;
        OLECHAR *principal = TEST_POISON;
        void *info = TEST_POISON;
        IUnknown *identity = NULL;

        assert_ok(CoQueryProxyBlanket(objects.kind[i], &authn, &authz, &principal, &level,
            &impersonation, &info, &capabilities));
        assert_true(principal != TEST_POISON);
        assert_true(info != TEST_POISON);
        assert_ok(CoSetProxyBlanket(
            objects.kind[i], authn, authz, principal, level, 3, info, capabilities));
        CoTaskMemFree(principal);
        impersonation = 77;
        assert_ok(CoQueryProxyBlanket(
            objects.kind[i], NULL, NULL, NULL, NULL, &impersonation, NULL, NULL));
        assert_int_equal(3, impersonation);
        assert_ok(IUnknown_QueryInterface(objects.kind[i], &IID_IUnknown, (void **)&identity));
        assert_ok(CoQueryProxyBlanket(identity, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
        IUnknown_Release(identity);
    }
    close_objects(&objects);
}

/* Broken: CoCopyProxy gives a pointer that is another object, or that nobody owns. */
static void test_identity_copied_proxy_is_the_object(void **state)
{
    struct objects objects;

    open_objects(*state, &objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
    {
        ULONG before = test_refcount(objects.kind[i]);
        IUnknown *copy = NULL;
        IUnknown *identity = NULL;
        IUnknown *other = NULL;

        assert_ok(CoCopyProxy(objects.kind[i], &copy));
        assert_ok(IUnknown_QueryInterface(objects.kind[i], &IID_IUnknown, (void **)&identity));
        assert_ok(IUnknown_QueryInterface(copy, &IID_IUnknown, (void **)&other));
        assert_ptr_equal(identity, other);
        IUnknown_Release(other);
        IUnknown_Release(identity);
        IUnknown_Release(copy);
        assert_int_equal(before, test_refcount(objects.kind[i]));
    }
    close_objects(&objects);
}

/* Broken: the two pointers that lead to one job disagree. */
static void test_identity_two_ways_to_a_job_show_the_same(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IBackgroundCopyJob *again = NULL;
    GUID id, id_again;

    assert_ok(IBackgroundCopyJob_GetId(job, &id));
    assert_ok(IBackgroundCopyManager_GetJob(test->manager, &id, &again));
    assert_ok(IBackgroundCopyJob_GetId(again, &id_again));
    assert_memory_equal(&id, &id_again, sizeof(id));
    assert_ok(IBackgroundCopyJob_SetDisplayName(again, L"other"));
    assert_ok(IBackgroundCopyJob_Cancel(again));
    IBackgroundCopyJob_Release(again);
    assert_int_equal(BG_JOB_STATE_CANCELLED, test_state(job));
    IBackgroundCopyJob_Release(job);
}

/* Apartments. */

struct visit
{
    DWORD apartment;
    IStream *stream; /* a marshalled job to be used; or NULL: create one and marshal it */
    IStream *result; /* the marshalled job that was created */
    HANDLE done;     /* set when result is there */
    HANDLE leave;    /* the creator's apartment stays until then */
    HRESULT hr;
    BG_JOB_STATE state;
};

/* Calls through job what a client calls; nothing here asserts. */
static void use_job(struct visit *visit, IBackgroundCopyJob *job)
{
    GUID id;

    if (SUCCEEDED(visit->hr = IBackgroundCopyJob_GetState(job, &visit->state)) &&
        SUCCEEDED(visit->hr = IBackgroundCopyJob_GetId(job, &id)) &&
        SUCCEEDED(visit->hr = IBackgroundCopyJob_SetDisplayName(job, L"visited")))
        visit->hr = CoSetProxyBlanket(
            (IUnknown *)job, (DWORD)-1, (DWORD)-1, COLE_DEFAULT_PRINCIPAL, 0, 3, NULL, 0x20);
}

static void create_and_marshal(struct visit *visit)
{
    IBackgroundCopyManager *manager = NULL;
    IBackgroundCopyJob *job = NULL;
    GUID id;

    if (SUCCEEDED(visit->hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL,
                      CLSCTX_INPROC_SERVER, &IID_IBackgroundCopyManager, (void **)&manager)) &&
        SUCCEEDED(visit->hr = IBackgroundCopyManager_CreateJob(
                      manager, L"marshalled", BG_JOB_TYPE_DOWNLOAD, &id, &job)))
        visit->hr = CoMarshalInterThreadInterfaceInStream(
            &IID_IBackgroundCopyJob, (IUnknown *)job, &visit->result);
    if (job)
        IBackgroundCopyJob_Release(job);
    if (manager)
        IBackgroundCopyManager_Release(manager);
}

/* An STA must answer messages while others may call into it. */
static void pump_until(HANDLE event)
{
    while (MsgWaitForMultipleObjects(1, &event, FALSE, TEST_PATIENCE_MS, QS_ALLINPUT) ==
           WAIT_OBJECT_0 + 1)
    {
        MSG message;

        while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
            (void)DispatchMessageW(&message);
    }
}

static DWORD WINAPI run_visit(void *argument)
{
    struct visit *visit = argument;

    visit->hr = CoInitializeEx(NULL, visit->apartment);
    if (FAILED(visit->hr))
        return 0;
    if (visit->stream)
    {
        IBackgroundCopyJob *job = NULL;

        visit->hr =
            CoGetInterfaceAndReleaseStream(visit->stream, &IID_IBackgroundCopyJob, (void **)&job);
        if (SUCCEEDED(visit->hr))
        {
            use_job(visit, job);
            IBackgroundCopyJob_Release(job);
        }
    }
    else
        create_and_marshal(visit);
    (void)SetEvent(visit->done);
    pump_until(visit->leave);
    CoUninitialize();
    return 0;
}

static HANDLE start_visit(struct visit *visit)
{
    HANDLE thread;

    visit->done = CreateEventW(NULL, TRUE, FALSE, NULL);
    visit->leave = CreateEventW(NULL, TRUE, FALSE, NULL);
    assert_non_null(visit->done);
    assert_non_null(visit->leave);
    thread = CreateThread(NULL, 0, run_visit, visit, 0, NULL);
    assert_non_null(thread);
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(visit->done, TEST_PATIENCE_MS));
    return thread;
}

static void end_visit(struct visit *visit, HANDLE thread)
{
    assert_true(SetEvent(visit->leave));
    assert_int_equal(WAIT_OBJECT_0, WaitForSingleObject(thread, TEST_PATIENCE_MS));
    assert_true(CloseHandle(thread));
    assert_true(CloseHandle(visit->done));
    assert_true(CloseHandle(visit->leave));
}

static void check_pair(DWORD creator_apartment, DWORD user_apartment)
{
    struct visit creator = {.apartment = creator_apartment};
    struct visit user = {.apartment = user_apartment, .state = (BG_JOB_STATE)-1};
    HANDLE creator_thread = start_visit(&creator);
    HANDLE user_thread;

    assert_ok(creator.hr);
    user.stream = creator.result;
    user_thread = start_visit(&user);
    assert_ok(user.hr);
    assert_int_equal(BG_JOB_STATE_SUSPENDED, user.state);
    end_visit(&user, user_thread);
    end_visit(&creator, creator_thread);
}

/* Broken: a job made on the user interface's thread is of no use to a worker. */
static void test_identity_sta_job_is_usable_in_mta(void **state)
{
    (void)state;
    check_pair(COINIT_APARTMENTTHREADED, COINIT_MULTITHREADED);
}

/* Broken: a worker's job cannot be handed to the user interface's thread. */
static void test_identity_mta_job_is_usable_in_sta(void **state)
{
    (void)state;
    check_pair(COINIT_MULTITHREADED, COINIT_APARTMENTTHREADED);
}

/* Broken: two windows' threads cannot share a job. */
static void test_identity_sta_job_is_usable_in_another_sta(void **state)
{
    (void)state;
    check_pair(COINIT_APARTMENTTHREADED, COINIT_APARTMENTTHREADED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_identity_interfaces_are_one_object),
        MODERN_TEST(test_identity_versions_of_an_interface_are_one_pointer),
        MODERN_TEST(test_identity_foreign_interfaces_are_refused),
        MODERN_TEST(test_identity_query_interface_without_out_pointer_fails),
        MODERN_TEST(test_identity_references_balance),
        MODERN_TEST(test_identity_blanket_of_each_real_client_is_accepted),
        MODERN_TEST(test_identity_blanket_is_read_back),
        MODERN_TEST(test_identity_copied_proxy_is_the_object),
        MODERN_TEST(test_identity_two_ways_to_a_job_show_the_same),
        MODERN_TEST(test_identity_sta_job_is_usable_in_mta),
        MODERN_TEST(test_identity_mta_job_is_usable_in_sta),
        MODERN_TEST(test_identity_sta_job_is_usable_in_another_sta),
    };

    return COM_TEST_RUN(tests);
}
