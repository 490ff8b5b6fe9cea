/* SPDX-License-Identifier: MIT */
/*
 * The command lines of get and resume. Main thread.
 */
#ifndef DO_DOCTL_OPTIONS_H
#define DO_DOCTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"
#include "digest.h"
#include "progress.h"

struct do_options
{
    bool is_get; /* get: all options; resume: only those of the wait */
    bool is_background;
    bool is_insecure;
    bool timeout_is_set;
    bool sha256_is_set;
    ULONG timeout_s;
    enum do_progress_mode progress_mode;
    unsigned char sha256[DO_SHA256_SIZE];

    /* Borrowed from the command line. */
    const wchar_t *target; /* URL, or job or download */
    const wchar_t *output;
    const wchar_t *piece_hashes; /* URL; both or none */
    const wchar_t *piece_hashes_hash;

    /* Owned. */
    wchar_t *headers; /* lines that end with CRLF; NULL: none */
    BG_FILE_RANGE *ranges;
    size_t range_count;
};

/** Fills options, to be finished also after a failure. Says what is wrong; the exit code. */
int do_options_parse(struct do_client *client, int count, wchar_t **arguments, bool is_get,
    struct do_options *options);
void do_options_finish(struct do_options *options);

/** Says that argument (may be NULL) is wrong; DO_EXIT_USAGE. */
int do_options_usage_error(struct do_client *client, const wchar_t *argument, const char *problem);

#endif
