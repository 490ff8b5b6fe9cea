/* SPDX-License-Identifier: MIT */
/*
 * The commands of doctl. Each gets the arguments behind its name, prints everything itself and
 * returns the exit code. Main thread.
 */
#ifndef DO_DOCTL_COMMANDS_H
#define DO_DOCTL_COMMANDS_H

#include <wchar.h>

#include "client.h"

/** Downloads a URL. Needs a connected client, as all but do_command_error do. */
int do_command_get(struct do_client *client, int count, wchar_t **arguments);

/** Goes on with a job or download until its file is saved. */
int do_command_resume(struct do_client *client, int count, wchar_t **arguments);

/** Prints the jobs and downloads of the queue. */
int do_command_list(struct do_client *client, int count, wchar_t **arguments);

/** Prints all that matters of one. */
int do_command_status(struct do_client *client, int count, wchar_t **arguments);

/** Stops one, also for the programs that come after. */
int do_command_pause(struct do_client *client, int count, wchar_t **arguments);

/** Gives one up. */
int do_command_cancel(struct do_client *client, int count, wchar_t **arguments);

/** Saves the files of a transferred one. */
int do_command_complete(struct do_client *client, int count, wchar_t **arguments);

/** Explains an error code. */
int do_command_error(struct do_client *client, int count, wchar_t **arguments);

#endif
