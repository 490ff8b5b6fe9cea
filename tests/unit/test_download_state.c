/* SPDX-License-Identifier: MIT */
/*
 * What each call does in each state of a download, against a copy of the specified table (04
 * section 2) that was written by hand.
 */
#include "job/download.h"

#include <string.h>

#include "support/test.h"

/* Broken: the numbers differ from DODownloadState, which clients see. */
static void test_download_state_numbers_are_dodownloadstate(void **state)
{
    (void)state;
    assert_int_equal(DO_DOWNLOAD_CREATED, 0);
    assert_int_equal(DO_DOWNLOAD_TRANSFERRING, 1);
    assert_int_equal(DO_DOWNLOAD_TRANSFERRED, 2);
    assert_int_equal(DO_DOWNLOAD_FINALIZED, 3);
    assert_int_equal(DO_DOWNLOAD_ABORTED, 4);
    assert_int_equal(DO_DOWNLOAD_PAUSED, 5);
    assert_int_equal(DO_DOWNLOAD_STATE_COUNT, 6);
}

/* What a letter of the table below stands for. */
static enum do_download_action action_of(char letter)
{
    static const struct
    {
        char letter;
        enum do_download_action action;
    } letters[] = {
        {'-', DO_ACTION_REFUSE},   /* DO_E_INVALID_STATE */
        {'n', DO_ACTION_NOTHING},  /* S_OK, stays */
        {'b', DO_ACTION_BEGIN},    /* for the first time */
        {'r', DO_ACTION_RESUME},   /* same ranges */
        {'=', DO_ACTION_COMPARE},  /* S_OK when they are the same, else refused */
        {'c', DO_ACTION_CHANGE},   /* goes on when they are the same, else begins anew */
        {'w', DO_ACTION_AGAIN},    /* the whole object again */
        {'+', DO_ACTION_APPEND},   /* another portion */
        {'p', DO_ACTION_PAUSE},    /* to Paused */
        {'f', DO_ACTION_FINALIZE}, /* to Finalized */
        {'a', DO_ACTION_ABORT},    /* to Aborted */
    };

    for (size_t i = 0; i < DO_COUNT_OF(letters); i++)
    {
        if (letters[i].letter == letter)
            return letters[i].action;
    }
    fail_msg("no such letter: %c", letter);
    return DO_ACTION_REFUSE;
}

/* Broken: a call in some state does something else than the specification's table says. */
static void test_download_state_every_call_follows_table(void **state)
{
    static const enum do_download_call calls[] = {DO_DOWNLOAD_START_AS_IS, DO_DOWNLOAD_START_WHOLE,
        DO_DOWNLOAD_START_RANGES, DO_DOWNLOAD_PAUSE, DO_DOWNLOAD_FINALIZE, DO_DOWNLOAD_ABORT};
    static const struct
    {
        enum do_download_state state;
        const char *actions;
    } rows[] = {
        {DO_DOWNLOAD_CREATED, "bbbn-a"},
        {DO_DOWNLOAD_TRANSFERRING, "nn=p-a"},
        {DO_DOWNLOAD_TRANSFERRED, "nw+nfa"},
        {DO_DOWNLOAD_PAUSED, "rccn-a"},
        {DO_DOWNLOAD_FINALIZED, "----n-"},
        {DO_DOWNLOAD_ABORTED, "------"},
    };

    (void)state;
    assert_int_equal(DO_COUNT_OF(rows), DO_DOWNLOAD_STATE_COUNT);
    assert_int_equal(DO_COUNT_OF(calls), DO_DOWNLOAD_CALL_COUNT);
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        assert_int_equal(strlen(rows[i].actions), DO_DOWNLOAD_CALL_COUNT);
        for (size_t j = 0; j < DO_COUNT_OF(calls); j++)
        {
            enum do_download_action expected = action_of(rows[i].actions[j]);
            enum do_download_action action = do_download_action_of(rows[i].state, calls[j]);

            if (action != expected)
                print_error("state %d, call %d\n", (int)rows[i].state, (int)calls[j]);
            assert_int_equal(action, expected);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest download_state[] = {
        cmocka_unit_test(test_download_state_numbers_are_dodownloadstate),
        cmocka_unit_test(test_download_state_every_call_follows_table),
    };

    return TEST_RUN(download_state);
}
