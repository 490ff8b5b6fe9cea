/* SPDX-License-Identifier: MIT */
/*
 * What the programs that act as real clients share besides modern.h. Each program makes the calls
 * of one client in that client's order, as spec 05 tells it, with the types and blankets it uses.
 * All of it is for the test's thread.
 */
#ifndef DO_TESTS_COM_CLIENTS_CLIENT_H
#define DO_TESTS_COM_CLIENTS_CLIENT_H

#include "../modern.h"
#include "context.h"

/** Of the class, in client_context(). The caller releases it. */
IDOManager *client_manager(void);

/** A new download of a manager that is gone afterwards. The caller releases it. */
IDODownload *client_create(void);

/** Sets the callback as VT_UNKNOWN. */
void client_attach(IDODownload *download, struct modern_callback *callback);

/** Fails if a call from index from on told an error, a condition or Paused. */
void client_check_healthy(struct modern_callback *callback, unsigned int from);

#endif
