/* SPDX-License-Identifier: MIT */
/*
 * Who the jobs of this process belong to: facts from its token. Any thread.
 */
#ifndef DO_COM_OWNER_H
#define DO_COM_OWNER_H

#include <windows.h>

#include "base/hr.h"

/** The user's SID as text, do_alloc'ed. */
HRESULT com_owner_get_sid(char **sid);

/** SECURITY_MANDATORY_*_RID. */
HRESULT com_owner_get_integrity(ULONG *level);
HRESULT com_owner_get_elevation(BOOL *elevated);

#endif
