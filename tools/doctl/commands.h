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

/** Goes on with a job until its file is saved. */
int do_command_resume(struct do_client *client, int count, wchar_t **arguments);

/** Prints the jobs of the queue. */
int do_command_list(struct do_client *client, int count, wchar_t **arguments);

/** Gives a job up. */
int do_command_cancel(struct do_client *client, int count, wchar_t **arguments);

/** Saves the files of a transferred job. */
int do_command_complete(struct do_client *client, int count, wchar_t **arguments);

/** Explains an error code. */
int do_command_error(struct do_client *client, int count, wchar_t **arguments);

#endif
