/* SPDX-License-Identifier: MIT */
/*
 * The table of states x calls of a download. Pure.
 */
#include "job/download.h"

enum do_download_action do_download_action_of(
    enum do_download_state state, enum do_download_call call)
{
    static const enum do_download_action actions[DO_DOWNLOAD_STATE_COUNT][DO_DOWNLOAD_CALL_COUNT] =
        {
            /* Start as is, whole, with ranges; Pause, Finalize, Abort */
            [DO_DOWNLOAD_CREATED] = {DO_ACTION_BEGIN, DO_ACTION_BEGIN, DO_ACTION_BEGIN,
                DO_ACTION_NOTHING, DO_ACTION_REFUSE, DO_ACTION_ABORT},
            [DO_DOWNLOAD_TRANSFERRING] = {DO_ACTION_NOTHING, DO_ACTION_NOTHING, DO_ACTION_COMPARE,
                DO_ACTION_PAUSE, DO_ACTION_REFUSE, DO_ACTION_ABORT},
            [DO_DOWNLOAD_TRANSFERRED] = {DO_ACTION_NOTHING, DO_ACTION_AGAIN, DO_ACTION_APPEND,
                DO_ACTION_NOTHING, DO_ACTION_FINALIZE, DO_ACTION_ABORT},
            [DO_DOWNLOAD_FINALIZED] = {DO_ACTION_REFUSE, DO_ACTION_REFUSE, DO_ACTION_REFUSE,
                DO_ACTION_REFUSE, DO_ACTION_NOTHING, DO_ACTION_REFUSE},
            [DO_DOWNLOAD_ABORTED] = {DO_ACTION_REFUSE, DO_ACTION_REFUSE, DO_ACTION_REFUSE,
                DO_ACTION_REFUSE, DO_ACTION_REFUSE, DO_ACTION_REFUSE},
            [DO_DOWNLOAD_PAUSED] = {DO_ACTION_RESUME, DO_ACTION_CHANGE, DO_ACTION_CHANGE,
                DO_ACTION_NOTHING, DO_ACTION_REFUSE, DO_ACTION_ABORT},
        };

    return actions[state][call];
}
