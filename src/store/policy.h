/* SPDX-License-Identifier: MIT */
/*
 * What the machine's administrator has decided: the group policies of Delivery Optimization, the
 * user's download mode, and the limits of BITS that we adopt. One table in policy.c says which
 * values there are; docs/policies.md says what each one does. Values are read, never written.
 *
 * struct do_policy is a copy that its owner keeps and loads again when do_policy_changed says so.
 * Not synchronised: one thread at a time for each struct. Loading reads the registry, which takes
 * no network and well below a millisecond.
 */
#ifndef DO_STORE_POLICY_H
#define DO_STORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/rate.h"
#include "store/policy_source.h"

enum do_policy_id
{
    DO_POLICY_DOWNLOAD_MODE,
    DO_POLICY_FOREGROUND_KB_PER_S,
    DO_POLICY_BACKGROUND_KB_PER_S,
    DO_POLICY_FOREGROUND_PERCENT,
    DO_POLICY_BACKGROUND_PERCENT,
    DO_POLICY_FOREGROUND_HOURS_FROM,
    DO_POLICY_FOREGROUND_HOURS_TO,
    DO_POLICY_FOREGROUND_PERCENT_INSIDE,
    DO_POLICY_FOREGROUND_PERCENT_OUTSIDE,
    DO_POLICY_BACKGROUND_HOURS_FROM,
    DO_POLICY_BACKGROUND_HOURS_TO,
    DO_POLICY_BACKGROUND_PERCENT_INSIDE,
    DO_POLICY_BACKGROUND_PERCENT_OUTSIDE,
    DO_POLICY_CACHE_HOST,
    DO_POLICY_CACHE_HOST_SOURCE,
    DO_POLICY_FOREGROUND_CACHE_DELAY_S,
    DO_POLICY_BACKGROUND_CACHE_DELAY_S,
    DO_POLICY_NO_CACHE_HOST_ON_VPN,
    DO_POLICY_MIN_BACKGROUND_KB_PER_S,
    DO_POLICY_BITS_MAX_DOWNLOAD_TIME_S,
    DO_POLICY_BITS_JOB_INACTIVITY_DAYS,
    DO_POLICY_BITS_JOBS_PER_MACHINE,
    DO_POLICY_BITS_JOBS_PER_USER,
    DO_POLICY_BITS_FILES_PER_JOB,
    DO_POLICY_BITS_RANGES_PER_FILE,
    DO_POLICY_COUNT
};

/* Where a value comes from. */
enum do_policy_origin
{
    DO_POLICY_DEFAULT,
    DO_POLICY_SET,        /* by a policy */
    DO_POLICY_USER,       /* by the user's settings */
    DO_POLICY_DEPRECATED, /* by a policy with a name of the past */
    DO_POLICY_INVALID     /* the default: what is set there has a wrong type or is out of range */
};

/* A cache delay of this many seconds: never fall back to the original server. */
#define DO_POLICY_NEVER UINT32_MAX

struct do_policy_value
{
    uint32_t number;
    char *text; /* of DO_POLICY_CACHE_HOST alone; NULL when it is not configured, else perhaps "" */
    enum do_policy_origin origin;
};

struct do_policy
{
    struct do_policy_value values[DO_POLICY_COUNT];
};

/** The defaults. */
void do_policy_init(struct do_policy *policy);
void do_policy_finish(struct do_policy *policy);

/**
 * Replaces policy, which was initialised, by what is set now. What cannot be used is logged and
 * ignored; a deprecated name that counts is logged. E_OUTOFMEMORY leaves policy as it was.
 */
HRESULT do_policy_load(struct do_policy *policy);

/* What a watcher has last seen. */
struct do_policy_watch
{
    uint64_t stamps[DO_POLICY_KEYS];
};

/** Begins to watch. Load after this, not before, so that no change falls between. */
void do_policy_watch_init(struct do_policy_watch *watch);

/** Whether values may have changed since the last call or init. Cheap: to be polled. */
bool do_policy_changed(struct do_policy_watch *watch);

/** Whether somebody has set the value: false for a default, also for one that hides a bad value. */
bool do_policy_is_set(const struct do_policy *policy, enum do_policy_id id);

/** The name in the registry, and "default", "policy", "user", "deprecated", "invalid". */
const char *do_policy_name(enum do_policy_id id);
const char *do_policy_origin_name(enum do_policy_origin origin);

/** The download mode that we report: bypass (100) is simple (99), since there is nothing else. */
uint32_t do_policy_download_mode(const struct do_policy *policy);

/**
 * Whether downloads are allowed at all. DO_E_NO_DOWNLOAD_EXTSETTINGS in bypass mode, which means
 * "do not use Delivery Optimization"; Windows 10 refuses new downloads then with that code.
 */
HRESULT do_policy_check_download(const struct do_policy *policy);

/**
 * The limit of a class at an hour (0 to 23) of the local day: the smallest of the absolute one, the
 * percentage and the percentage for that hour. Percentages are of link_bytes_per_s and do not count
 * while that is 0 (unknown). 0 = no limit. Pure.
 */
uint64_t do_policy_limit_bytes_per_s(const struct do_policy *policy, enum do_rate_class which,
    uint32_t hour, uint64_t link_bytes_per_s);

/** How long a transfer stays with the cache hosts: seconds or DO_POLICY_NEVER. Pure. */
uint32_t do_policy_cache_delay_s(const struct do_policy *policy, enum do_rate_class which);

#endif
