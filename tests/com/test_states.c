/* SPDX-License-Identifier: MIT */
/*
 * Every state of a job x every call that may change it, against a table written by hand from spec
 * 03, section 3.1.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

enum start
{
    EMPTY,
    SUSPENDED,
    QUEUED,
    TRANSFERRING,
    TRANSIENT_ERROR,
    IN_ERROR,
    TRANSFERRED,
    ACKNOWLEDGED,
    CANCELLED,
    START_COUNT
};

enum call
{
    RESUME,
    SUSPEND,
    CANCEL,
    COMPLETE,
    ADD_FILE,
    CALL_COUNT
};

struct cell
{
    HRESULT hr;
    BG_JOB_STATE after;
};

#define OK(state)                                                                                  \
    {                                                                                              \
        S_OK, BG_JOB_STATE_##state                                                                 \
    }
#define PARTIAL                                                                                    \
    {                                                                                              \
        TEST_S_PARTIAL_COMPLETE, BG_JOB_STATE_ACKNOWLEDGED                                         \
    }
#define REFUSED(state)                                                                             \
    {                                                                                              \
        DO_E_INVALID_STATE, BG_JOB_STATE_##state                                                   \
    }

/* Written by hand from spec 03, 3.1; columns: Resume, Suspend, Cancel, Complete, AddFile. No file
   is transferred but in the rows of TRANSFERRED and later, so Complete is partial in most. */
static const struct cell table[START_COUNT][CALL_COUNT] = {
    [EMPTY] = {{DO_E_JOB_EMPTY, BG_JOB_STATE_SUSPENDED}, OK(SUSPENDED), OK(CANCELLED),
        OK(ACKNOWLEDGED), OK(SUSPENDED)},
    [SUSPENDED] = {OK(TRANSFERRING), OK(SUSPENDED), OK(CANCELLED), PARTIAL, OK(SUSPENDED)},
    [QUEUED] = {OK(QUEUED), OK(SUSPENDED), OK(CANCELLED), PARTIAL, OK(QUEUED)},
    [TRANSFERRING] = {OK(TRANSFERRING), OK(SUSPENDED), OK(CANCELLED), PARTIAL, OK(TRANSFERRING)},
    [TRANSIENT_ERROR] = {OK(TRANSFERRING), OK(SUSPENDED), OK(CANCELLED), PARTIAL,
        OK(TRANSIENT_ERROR)},
    [IN_ERROR] = {OK(TRANSFERRING), OK(ERROR), OK(CANCELLED), PARTIAL, OK(ERROR)},
    [TRANSFERRED] = {OK(TRANSFERRED), OK(TRANSFERRED), OK(CANCELLED), OK(ACKNOWLEDGED),
        OK(SUSPENDED)},
    [ACKNOWLEDGED] = {REFUSED(ACKNOWLEDGED), REFUSED(ACKNOWLEDGED), REFUSED(ACKNOWLEDGED),
        REFUSED(ACKNOWLEDGED), REFUSED(ACKNOWLEDGED)},
    [CANCELLED] = {REFUSED(CANCELLED), REFUSED(CANCELLED), REFUSED(CANCELLED), REFUSED(CANCELLED),
        REFUSED(CANCELLED)},
};

/* How each start is reached. The answers after the first ones stall, so that what Resume started is
   still going on when the test looks. */
static const struct
{
    const char *name;
    const char *query; /* NULL: no file */
    BG_JOB_STATE wait; /* after Resume; SUSPENDED: no Resume */
} starts[START_COUNT] = {
    [EMPTY] = {"empty", NULL, BG_JOB_STATE_SUSPENDED},
    [SUSPENDED] = {"suspended", "stall=10", BG_JOB_STATE_SUSPENDED},
    [QUEUED] = {"queued", "stall=10", BG_JOB_STATE_QUEUED},
    [TRANSFERRING] = {"transferring", "stall=10", BG_JOB_STATE_TRANSFERRING},
    [TRANSIENT_ERROR] = {"transient error", "status=503", BG_JOB_STATE_TRANSIENT_ERROR},
    [IN_ERROR] = {"error", "fail_first=1&fail_status=404&stall=10", BG_JOB_STATE_ERROR},
    [TRANSFERRED] = {"transferred", "size=10", BG_JOB_STATE_TRANSFERRED},
    [ACKNOWLEDGED] = {"acknowledged", "size=10", BG_JOB_STATE_TRANSFERRED},
    [CANCELLED] = {"cancelled", "size=10", BG_JOB_STATE_SUSPENDED},
};

static IBackgroundCopyJob *bring_to(struct com_test *test, enum start start)
{
    IBackgroundCopyJob *job = test_create_job(test);

    if (starts[start].query)
        test_add(test, job, starts[start].query, L"a");
    if (starts[start].wait != BG_JOB_STATE_SUSPENDED)
    {
        assert_ok(IBackgroundCopyJob_Resume(job));
        test_wait_state(job, starts[start].wait);
    }
    if (start == ACKNOWLEDGED)
        assert_ok(IBackgroundCopyJob_Complete(job));
    if (start == CANCELLED)
        assert_ok(IBackgroundCopyJob_Cancel(job));
    return job;
}

static HRESULT make_call(struct com_test *test, IBackgroundCopyJob *job, enum call call)
{
    switch (call)
    {
    case RESUME:
        return IBackgroundCopyJob_Resume(job);
    case SUSPEND:
        return IBackgroundCopyJob_Suspend(job);
    case CANCEL:
        return IBackgroundCopyJob_Cancel(job);
    case COMPLETE:
        return IBackgroundCopyJob_Complete(job);
    case ADD_FILE:
        return IBackgroundCopyJob_AddFile(
            job, test_url(test, "size=20"), test_local(test, L"added"));
    case CALL_COUNT:
        break;
    }
    return E_UNEXPECTED;
}

static void check_row(struct com_test *test, enum start start)
{
    for (int i = 0; i < CALL_COUNT; i++)
    {
        IBackgroundCopyJob *job = bring_to(test, start);
        HRESULT hr = make_call(test, job, (enum call)i);
        BG_JOB_STATE after = test_state(job);

        if (hr != table[start][i].hr || after != table[start][i].after)
        {
            print_error("%s, call %d: 0x%08lx and state %d, not 0x%08lx and %d\n",
                starts[start].name, i, (unsigned long)hr, (int)after,
                (unsigned long)table[start][i].hr, (int)table[start][i].after);
            fail();
        }
        if (start != ACKNOWLEDGED && start != CANCELLED && after != BG_JOB_STATE_ACKNOWLEDGED &&
            after != BG_JOB_STATE_CANCELLED)
            assert_ok(IBackgroundCopyJob_Cancel(job));
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: a call in the named state does not do what the documentation says. */
static void test_states_calls(void **state)
{
    for (int start = 0; start < START_COUNT; start++)
    {
        if (start != QUEUED)
            check_row(*state, (enum start)start);
    }
}

/* Broken: as above, for a job that waits for its turn. */
static void test_states_calls_while_queued(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *running[64];
    size_t count = 0;
    BG_JOB_STATE last = BG_JOB_STATE_TRANSFERRING;

    /* As many as it takes until one has to wait. */
    while (count < TEST_COUNT_OF(running) && last == BG_JOB_STATE_TRANSFERRING)
    {
        WCHAR name[16];

        (void)_snwprintf(name, TEST_COUNT_OF(name), L"r%u", (unsigned int)count);
        running[count] = test_create_job_of(test, "stall=10", name);
        assert_ok(IBackgroundCopyJob_Resume(running[count]));
        last = test_state(running[count]);
        count++;
    }
    if (last == BG_JOB_STATE_QUEUED)
        check_row(test, QUEUED);
    else
        print_message("  %u jobs ran and none had to wait\n", (unsigned int)count);
    for (size_t i = 0; i < count; i++)
    {
        assert_ok(IBackgroundCopyJob_Cancel(running[i]));
        IBackgroundCopyJob_Release(running[i]);
    }
    assert_int_equal(BG_JOB_STATE_QUEUED, last);
}

/* Broken: a client cannot read the result of a finished job, or can still change it. */
static void test_states_final_ones_answer_getters_only(void **state)
{
    struct com_test *test = *state;

    for (int start = ACKNOWLEDGED; start <= CANCELLED; start++)
    {
        IBackgroundCopyJob *job = bring_to(test, (enum start)start);
        IBackgroundCopyError *error = TEST_POISON;
        BG_JOB_PROGRESS progress;
        BG_JOB_TIMES times;
        WCHAR *name = NULL;
        GUID id;

        assert_ok(IBackgroundCopyJob_GetId(job, &id));
        assert_ok(IBackgroundCopyJob_GetTimes(job, &times));
        assert_ok(IBackgroundCopyJob_GetProgress(job, &progress));
        assert_int_equal(1, progress.FilesTotal);
        assert_int_equal(start == ACKNOWLEDGED, progress.FilesTransferred);
        assert_ok(IBackgroundCopyJob_GetDisplayName(job, &name));
        CoTaskMemFree(name);
        IBackgroundCopyFile_Release(test_file(job, 0));
        assert_hr(DO_E_ERROR_INFORMATION_UNAVAILABLE, IBackgroundCopyJob_GetError(job, &error));
        assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_SetDisplayName(job, L"late"));
        assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_LOW));
        assert_hr(DO_E_INVALID_STATE, IBackgroundCopyJob_SetNoProgressTimeout(job, 10));
        IBackgroundCopyJob_Release(job);
    }
}

/* Broken: a finished job's settings cannot be read any more, or what does nothing is refused. */
static void check_settings_of_final_job(IBackgroundCopyJob *job)
{
    IBackgroundCopyJobHttpOptions *options = NULL;
    IBackgroundCopyJob5 *job5 = NULL;
    BITS_JOB_PROPERTY_VALUE value;
    BG_JOB_PRIORITY priority;
    BG_JOB_TYPE type;
    IUnknown *listener = TEST_POISON;
    WCHAR *text = TEST_POISON;
    WCHAR *parameters = TEST_POISON;
    ULONG number;
    BOOL elevated;

    assert_ok(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob5, (void **)&job5));
    assert_ok(IBackgroundCopyJob_QueryInterface(
        job, &IID_IBackgroundCopyJobHttpOptions, (void **)&options));
    assert_ok(IBackgroundCopyJob5_GetType(job5, &type));
    assert_ok(IBackgroundCopyJob5_GetOwner(job5, &text));
    CoTaskMemFree(text);
    assert_ok(IBackgroundCopyJob5_GetDescription(job5, &text));
    CoTaskMemFree(text);
    assert_ok(IBackgroundCopyJob5_GetPriority(job5, &priority));
    assert_ok(IBackgroundCopyJob5_GetNotifyFlags(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetNotifyInterface(job5, &listener));
    assert_null(listener);
    assert_ok(IBackgroundCopyJob5_GetMinimumRetryDelay(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetNoProgressTimeout(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetErrorCount(job5, &number));
    assert_ok(IBackgroundCopyJob5_TakeOwnership(job5));
    assert_ok(IBackgroundCopyJob5_GetNotifyCmdLine(job5, &text, &parameters));
    assert_null(text);
    assert_null(parameters);
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetReplyFileName(job5, L"C:\\a"));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_GetReplyFileName(job5, &text));
    assert_hr(E_NOTIMPL, IBackgroundCopyJob5_SetFileACLFlags(job5, 0));
    assert_ok(IBackgroundCopyJob5_GetFileACLFlags(job5, &number));
    assert_ok(IBackgroundCopyJob5_SetPeerCachingFlags(job5, 0));
    assert_ok(IBackgroundCopyJob5_GetPeerCachingFlags(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetOwnerIntegrityLevel(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetOwnerElevationState(job5, &elevated));
    assert_ok(IBackgroundCopyJob5_GetMaximumDownloadTime(job5, &number));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, &value));
    assert_ok(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID, &value));
    assert_hr(S_FALSE, IBackgroundCopyJobHttpOptions_GetCustomHeaders(options, &text));
    assert_null(text);
    assert_ok(IBackgroundCopyJobHttpOptions_GetSecurityFlags(options, &number));
    IBackgroundCopyJobHttpOptions_Release(options);
    IBackgroundCopyJob5_Release(job5);
}

static void test_states_final_ones_answer_all_getters(void **state)
{
    for (int start = ACKNOWLEDGED; start <= CANCELLED; start++)
    {
        IBackgroundCopyJob *job = bring_to(*state, (enum start)start);

        check_settings_of_final_job(job);
        IBackgroundCopyJob_Release(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COM_TEST(test_states_calls),
        COM_TEST(test_states_calls_while_queued),
        COM_TEST(test_states_final_ones_answer_getters_only),
        COM_TEST(test_states_final_ones_answer_all_getters),
    };

    return COM_TEST_RUN(tests);
}
