/* SPDX-License-Identifier: MIT */
/*
 * Secrets among what is stored of a job: sealed for the user who is logged on when they go to the
 * database, opened when they come back. Where the system cannot seal, credentials are not stored.
 * Any thread.
 */
#ifndef DO_JOB_SECRETS_H
#define DO_JOB_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hr.h"
#include "base/value.h"
#include "transfer/request_options.h"

/* Whose values: their ids mean different things. */
enum do_secret_scope
{
    DO_SECRETS_OF_JOB,
    DO_SECRETS_OF_FILE
};

/** Settings as they are stored. Those that are no secret are borrowed. */
struct do_sealed
{
    enum do_secret_scope scope;
    struct do_setting *settings;
    size_t count;
};

/**
 * Seals what is secret among settings. A failure for what must be stored and cannot be sealed; what
 * is to be sealed or left out is left out then (stored as empty).
 */
HRESULT do_secrets_seal(enum do_secret_scope scope, const struct do_setting *settings, size_t count,
    struct do_sealed *sealed);
/** Also after a failure. */
void do_sealed_finish(struct do_sealed *sealed);

/**
 * Opens what is sealed among values. What cannot be opened is logged and removed, or a failure when
 * the job must not go on without it.
 */
HRESULT do_secrets_open(enum do_secret_scope scope, struct do_values *values);

/**
 * The credentials that options will have once change is set, or removed, as a value of
 * DO_PROP_CREDENTIALS; empty when there are none.
 */
HRESULT do_secrets_pack_credentials(const struct do_request_options *options,
    const struct do_credential *change, bool is_removed, struct do_value *value);
/** Wipes and finishes a value that held secrets. */
void do_secrets_finish_value(struct do_value *value);

/** Moves the credentials among (opened) values of a job to options. */
HRESULT do_secrets_take_credentials(struct do_values *values, struct do_request_options *options);

#endif
