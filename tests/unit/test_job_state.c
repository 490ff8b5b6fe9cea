/* SPDX-License-Identifier: MIT */
/*
 * The states of a job, against a copy of the specified table that was written by hand.
 */
#include "job/job_state.h"

#include <string.h>

#include "support/test.h"

/* A letter for each state, in the order of enum do_job_state; - is a refusal. */
static const char letters[] = "QCTSERDAX";

/* Broken: the numbers differ from BG_JOB_STATE, which clients and queue files have seen. */
static void test_job_state_numbers_are_bg_job_state(void **state)
{
    (void)state;
    assert_int_equal(DO_JOB_QUEUED, 0);
    assert_int_equal(DO_JOB_CONNECTING, 1);
    assert_int_equal(DO_JOB_TRANSFERRING, 2);
    assert_int_equal(DO_JOB_SUSPENDED, 3);
    assert_int_equal(DO_JOB_ERROR, 4);
    assert_int_equal(DO_JOB_TRANSIENT_ERROR, 5);
    assert_int_equal(DO_JOB_TRANSFERRED, 6);
    assert_int_equal(DO_JOB_ACKNOWLEDGED, 7);
    assert_int_equal(DO_JOB_CANCELLED, 8);
    assert_int_equal(DO_JOB_STATE_COUNT, strlen(letters));
}

/* Broken: a call in some state does something else than the specification's table says. */
static void test_job_state_every_call_follows_table(void **state)
{
    /* Resume, Suspend, Cancel, Complete, AddFile, setters */
    static const struct
    {
        enum do_job_state state;
        const char *after;
    } rows[] = {
        {DO_JOB_QUEUED, "QSXAQQ"},
        {DO_JOB_CONNECTING, "------"},
        {DO_JOB_TRANSFERRING, "TSXATT"},
        {DO_JOB_SUSPENDED, "QSXASS"},
        {DO_JOB_ERROR, "QEXAEE"},
        {DO_JOB_TRANSIENT_ERROR, "QSXARR"},
        {DO_JOB_TRANSFERRED, "DDXASD"},
        {DO_JOB_ACKNOWLEDGED, "------"},
        {DO_JOB_CANCELLED, "------"},
    };
    static const enum do_job_call calls[] = {DO_CALL_RESUME, DO_CALL_SUSPEND, DO_CALL_CANCEL,
        DO_CALL_COMPLETE, DO_CALL_ADD_FILE, DO_CALL_SET};

    (void)state;
    assert_int_equal(DO_COUNT_OF(rows), DO_JOB_STATE_COUNT);
    assert_int_equal(DO_COUNT_OF(calls), DO_CALL_COUNT);
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        for (size_t j = 0; j < DO_COUNT_OF(calls); j++)
        {
            enum do_job_state next = DO_JOB_STATE_COUNT;
            HRESULT hr = do_job_state_after_call(rows[i].state, calls[j], &next);
            char after = rows[i].after[j];

            if (after == '-')
            {
                assert_hr(DO_E_INVALID_STATE, hr);
                assert_int_equal(next, rows[i].state);
                continue;
            }
            assert_ok(hr);
            assert_in_range(next, 0, DO_JOB_STATE_COUNT - 1);
            if (letters[next] != after)
                print_error("state %c, call %u\n", letters[rows[i].state], (unsigned int)j);
            assert_int_equal(letters[next], after);
        }
    }
}

/* Broken: Resume claims a transfer that the scheduler has not started. */
static void test_job_state_resume_leads_to_queued(void **state)
{
    static const enum do_job_state stopped[] = {
        DO_JOB_SUSPENDED, DO_JOB_ERROR, DO_JOB_TRANSIENT_ERROR};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(stopped); i++)
    {
        enum do_job_state next = DO_JOB_STATE_COUNT;

        assert_ok(do_job_state_after_call(stopped[i], DO_CALL_RESUME, &next));
        assert_int_equal(next, DO_JOB_QUEUED);
    }
}

/* Broken: the scheduler forgets a job that wants to run, or runs one that does not. */
static void test_job_state_active_states_want_network(void **state)
{
    (void)state;
    for (int i = 0; i < DO_JOB_STATE_COUNT; i++)
        assert_int_equal(
            do_job_state_is_active((enum do_job_state)i), strchr("QTR", letters[i]) != NULL);
}

/* Broken: a finished job stays in the queue, or a living one is thrown away. */
static void test_job_state_final_states_leave_queue(void **state)
{
    (void)state;
    for (int i = 0; i < DO_JOB_STATE_COUNT; i++)
        assert_int_equal(
            do_job_state_is_final((enum do_job_state)i), strchr("AX", letters[i]) != NULL);
}

int main(void)
{
    static const struct CMUnitTest job_state[] = {
        cmocka_unit_test(test_job_state_numbers_are_bg_job_state),
        cmocka_unit_test(test_job_state_every_call_follows_table),
        cmocka_unit_test(test_job_state_resume_leads_to_queued),
        cmocka_unit_test(test_job_state_active_states_want_network),
        cmocka_unit_test(test_job_state_final_states_leave_queue),
    };

    return TEST_RUN(job_state);
}
