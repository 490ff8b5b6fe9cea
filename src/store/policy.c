/* SPDX-License-Identifier: MIT */
/*
 * The table of policies, their loading, and what follows from them. The table and everything but
 * load and watch are pure.
 *
 * Sources of names, types and ranges: Microsoft, "Policy CSP - DeliveryOptimization", "Delivery
 * Optimization reference", DeliveryOptimization.admx and Bits.admx. The business hours are one
 * policy of four elements; DeliveryOptimization.admx keeps them as four REG_DWORD values, named for
 * the policy with _From, _To, _In and _Out behind.
 */
#include "store/policy.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"

#define BYTES_PER_KB 1024U
#define MODE_SIMPLE 99U
#define MODE_BYPASS 100U
#define LONGEST_DELAY_S 2592000U /* 30 days */

enum range_id
{
    RANGE_NONE, /* of a text */
    RANGE_ANY,
    RANGE_FROM_ONE,
    RANGE_FLAG,
    RANGE_HOUR,
    RANGE_PERCENT,
    RANGE_DAYS,
    RANGE_DELAY,
    RANGE_SOURCE,
    RANGE_MODE
};

/* [least, most], and also, which repeats an end where there is nothing more. */
struct range
{
    uint32_t least;
    uint32_t most;
    uint32_t also[2];
};

static const struct range ranges[] = {
    [RANGE_ANY] = {0, UINT32_MAX, {0, 0}},
    [RANGE_FROM_ONE] = {1, UINT32_MAX, {1, 1}},
    [RANGE_FLAG] = {0, 1, {0, 0}},
    [RANGE_HOUR] = {0, 23, {0, 0}},
    [RANGE_PERCENT] = {0, 100, {0, 0}},
    [RANGE_DAYS] = {1, 999, {1, 1}},
    [RANGE_DELAY] = {0, LONGEST_DELAY_S, {DO_POLICY_NEVER, DO_POLICY_NEVER}},
    [RANGE_SOURCE] = {0, 2, {0, 0}},
    [RANGE_MODE] = {0, 3, {MODE_SIMPLE, MODE_BYPASS}},
};

struct policy_row
{
    enum do_policy_key key;
    const char *name;
    enum range_id range;
    uint32_t default_number;
    bool has_user_setting;  /* the user's key counts when the policy is not set */
    const char *spelling;   /* another name of the same policy, or NULL */
    const char *deprecated; /* a policy of the past that counts when this one is not set, or NULL */
};

static const struct policy_row rows[DO_POLICY_COUNT] = {
    [DO_POLICY_DOWNLOAD_MODE] = {DO_POLICY_KEY_POLICY, "DODownloadMode", RANGE_MODE, MODE_SIMPLE,
        true, NULL, NULL},
    [DO_POLICY_FOREGROUND_KB_PER_S] = {DO_POLICY_KEY_POLICY, "DOMaxForegroundDownloadBandwidth",
        RANGE_ANY, 0, false, NULL, "DOMaxDownloadBandwidth"},
    [DO_POLICY_BACKGROUND_KB_PER_S] = {DO_POLICY_KEY_POLICY, "DOMaxBackgroundDownloadBandwidth",
        RANGE_ANY, 0, false, NULL, "DOMaxDownloadBandwidth"},
    [DO_POLICY_FOREGROUND_PERCENT] = {DO_POLICY_KEY_POLICY, "DOPercentageMaxForegroundBandwidth",
        RANGE_PERCENT, 0, false, NULL, "DOPercentageMaxDownloadBandwidth"},
    [DO_POLICY_BACKGROUND_PERCENT] = {DO_POLICY_KEY_POLICY, "DOPercentageMaxBackgroundBandwidth",
        RANGE_PERCENT, 0, false, NULL, "DOPercentageMaxDownloadBandwidth"},
    [DO_POLICY_FOREGROUND_HOURS_FROM] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_From", RANGE_HOUR, 0, false, NULL, NULL},
    [DO_POLICY_FOREGROUND_HOURS_TO] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_To", RANGE_HOUR, 0, false, NULL, NULL},
    [DO_POLICY_FOREGROUND_PERCENT_INSIDE] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_In", RANGE_PERCENT, 0, false, NULL, NULL},
    [DO_POLICY_FOREGROUND_PERCENT_OUTSIDE] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_Out", RANGE_PERCENT, 0, false, NULL, NULL},
    [DO_POLICY_BACKGROUND_HOURS_FROM] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_From", RANGE_HOUR, 0, false, NULL, NULL},
    [DO_POLICY_BACKGROUND_HOURS_TO] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_To", RANGE_HOUR, 0, false, NULL, NULL},
    [DO_POLICY_BACKGROUND_PERCENT_INSIDE] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_In", RANGE_PERCENT, 0, false, NULL, NULL},
    [DO_POLICY_BACKGROUND_PERCENT_OUTSIDE] = {DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_Out", RANGE_PERCENT, 0, false, NULL, NULL},
    [DO_POLICY_CACHE_HOST] = {DO_POLICY_KEY_POLICY, "DOCacheHost", RANGE_NONE, 0, false, NULL,
        NULL},
    [DO_POLICY_CACHE_HOST_SOURCE] = {DO_POLICY_KEY_POLICY, "DOCacheHostSource", RANGE_SOURCE, 0,
        false, NULL, NULL},
    [DO_POLICY_FOREGROUND_CACHE_DELAY_S] = {DO_POLICY_KEY_POLICY,
        "DODelayCacheServerFallbackForeground", RANGE_DELAY, 0, false,
        "DelayCacheServerFallbackForeground", NULL},
    [DO_POLICY_BACKGROUND_CACHE_DELAY_S] = {DO_POLICY_KEY_POLICY,
        "DODelayCacheServerFallbackBackground", RANGE_DELAY, 0, false,
        "DelayCacheServerFallbackBackground", NULL},
    [DO_POLICY_NO_CACHE_HOST_ON_VPN] = {DO_POLICY_KEY_POLICY, "DODisallowCacheServerDownloadsOnVPN",
        RANGE_FLAG, 0, false, NULL, NULL},
    [DO_POLICY_MIN_BACKGROUND_KB_PER_S] = {DO_POLICY_KEY_POLICY, "DOMinBackgroundQos",
        RANGE_FROM_ONE, 2500, false, NULL, NULL},
    [DO_POLICY_BITS_MAX_DOWNLOAD_TIME_S] = {DO_POLICY_KEY_BITS, "MaxDownloadTime", RANGE_FROM_ONE,
        0, false, NULL, NULL},
    [DO_POLICY_BITS_JOB_INACTIVITY_DAYS] = {DO_POLICY_KEY_BITS, "JobInactivityTimeout", RANGE_DAYS,
        0, false, NULL, NULL},
    [DO_POLICY_BITS_JOBS_PER_MACHINE] = {DO_POLICY_KEY_BITS, "MaxJobsPerMachine", RANGE_FROM_ONE, 0,
        false, NULL, NULL},
    [DO_POLICY_BITS_JOBS_PER_USER] = {DO_POLICY_KEY_BITS, "MaxJobsPerUser", RANGE_FROM_ONE, 0,
        false, NULL, NULL},
    [DO_POLICY_BITS_FILES_PER_JOB] = {DO_POLICY_KEY_BITS, "MaxFilesPerJob", RANGE_FROM_ONE, 0,
        false, NULL, NULL},
    [DO_POLICY_BITS_RANGES_PER_FILE] = {DO_POLICY_KEY_BITS, "MaxRangesPerFile", RANGE_FROM_ONE, 0,
        false, NULL, NULL},
};

/* The values that make up the limit of a class. */
struct class_rows
{
    enum do_policy_id kb_per_s;
    enum do_policy_id percent;
    enum do_policy_id hours_from;
    enum do_policy_id hours_to;
    enum do_policy_id percent_inside;
    enum do_policy_id percent_outside;
    enum do_policy_id cache_delay_s;
};

static const struct class_rows class_rows[DO_RATE_CLASSES] = {
    [DO_RATE_FOREGROUND] = {DO_POLICY_FOREGROUND_KB_PER_S, DO_POLICY_FOREGROUND_PERCENT,
        DO_POLICY_FOREGROUND_HOURS_FROM, DO_POLICY_FOREGROUND_HOURS_TO,
        DO_POLICY_FOREGROUND_PERCENT_INSIDE, DO_POLICY_FOREGROUND_PERCENT_OUTSIDE,
        DO_POLICY_FOREGROUND_CACHE_DELAY_S},
    [DO_RATE_BACKGROUND] = {DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_BACKGROUND_PERCENT,
        DO_POLICY_BACKGROUND_HOURS_FROM, DO_POLICY_BACKGROUND_HOURS_TO,
        DO_POLICY_BACKGROUND_PERCENT_INSIDE, DO_POLICY_BACKGROUND_PERCENT_OUTSIDE,
        DO_POLICY_BACKGROUND_CACHE_DELAY_S},
};

void do_policy_init(struct do_policy *policy)
{
    for (size_t i = 0; i < DO_POLICY_COUNT; i++)
        policy->values[i] =
            (struct do_policy_value){rows[i].default_number, NULL, DO_POLICY_DEFAULT};
}

void do_policy_finish(struct do_policy *policy)
{
    for (size_t i = 0; i < DO_POLICY_COUNT; i++)
    {
        do_free(policy->values[i].text);
        policy->values[i].text = NULL;
    }
}

static bool is_usable(const struct policy_row *row, const struct do_policy_raw *raw)
{
    const struct range *range = &ranges[row->range];

    if (row->range == RANGE_NONE || raw->kind != DO_POLICY_NUMBER)
        return row->range == RANGE_NONE && raw->kind == DO_POLICY_TEXT;
    return (raw->number >= range->least && raw->number <= range->most) ||
           raw->number == range->also[0] || raw->number == range->also[1];
}

/* Takes raw's text. */
static void take_value(const struct policy_row *row, const char *name, enum do_policy_origin origin,
    struct do_policy_raw *raw, struct do_policy_value *value)
{
    if (is_usable(row, raw))
        *value = (struct do_policy_value){raw->number, raw->text, origin};
    else
    {
        if (raw->kind == DO_POLICY_NUMBER && row->range != RANGE_NONE)
            do_log(DO_LOG_WARN, DO_LOG_STORE, "policy %s is out of range and ignored: %" PRIu32,
                name, raw->number);
        else
            do_log(DO_LOG_WARN, DO_LOG_STORE, "policy %s has the wrong type and is ignored", name);
        value->origin = DO_POLICY_INVALID;
        do_free(raw->text);
    }
    raw->text = NULL;
}

/* The first name under which something is set counts, also when that cannot be used. */
static HRESULT load_value(struct do_policy_source *source, const struct policy_row *row,
    struct do_policy_value *value, const char **told)
{
    const struct
    {
        const char *name;
        enum do_policy_key key;
        enum do_policy_origin origin;
    } places[] = {
        {row->name, row->key, DO_POLICY_SET},
        {row->spelling, row->key, DO_POLICY_SET},
        {row->has_user_setting ? row->name : NULL, DO_POLICY_KEY_USER, DO_POLICY_USER},
        {row->deprecated, row->key, DO_POLICY_DEPRECATED},
    };
    struct do_policy_raw raw;
    HRESULT hr;

    for (size_t i = 0; i < DO_COUNT_OF(places); i++)
    {
        if (!places[i].name)
            continue;
        if (FAILED(hr = do_policy_source_read(source, places[i].key, places[i].name, &raw)))
            return hr;
        if (raw.kind == DO_POLICY_ABSENT)
            continue;
        take_value(row, places[i].name, places[i].origin, &raw, value);
        if (value->origin == DO_POLICY_DEPRECATED && *told != row->deprecated)
        {
            do_log(DO_LOG_WARN, DO_LOG_STORE, "policy %s is deprecated; it counts for %s",
                row->deprecated, row->name);
            *told = row->deprecated;
        }
        return S_OK;
    }
    return S_OK;
}

HRESULT do_policy_load(struct do_policy *policy)
{
    struct do_policy_source *source = NULL;
    struct do_policy loaded;
    const char *told = NULL; /* the deprecated name that was logged last: two rows share one */
    HRESULT hr;

    do_policy_init(&loaded);
    hr = do_policy_source_open(&source);
    for (size_t i = 0; i < DO_POLICY_COUNT && SUCCEEDED(hr); i++)
        hr = load_value(source, &rows[i], &loaded.values[i], &told);
    do_policy_source_close(source);
    if (FAILED(hr))
    {
        do_policy_finish(&loaded);
        return hr;
    }
    do_policy_finish(policy);
    *policy = loaded;
    return S_OK;
}

void do_policy_watch_init(struct do_policy_watch *watch)
{
    do_policy_source_stamps(watch->stamps);
}

bool do_policy_changed(struct do_policy_watch *watch)
{
    struct do_policy_watch now;
    bool changed = false;

    do_policy_source_stamps(now.stamps);
    for (size_t i = 0; i < DO_POLICY_KEYS; i++)
        changed = changed || now.stamps[i] != watch->stamps[i];
    *watch = now;
    return changed;
}

bool do_policy_is_set(const struct do_policy *policy, enum do_policy_id id)
{
    switch (policy->values[id].origin)
    {
    case DO_POLICY_SET:
    case DO_POLICY_USER:
    case DO_POLICY_DEPRECATED:
        return true;
    case DO_POLICY_DEFAULT:
    case DO_POLICY_INVALID:
        break;
    }
    return false;
}

const char *do_policy_name(enum do_policy_id id)
{
    return rows[id].name;
}

const char *do_policy_origin_name(enum do_policy_origin origin)
{
    static const char *const names[] = {
        [DO_POLICY_DEFAULT] = "default",
        [DO_POLICY_SET] = "policy",
        [DO_POLICY_USER] = "user",
        [DO_POLICY_DEPRECATED] = "deprecated",
        [DO_POLICY_INVALID] = "invalid",
    };

    return names[origin];
}

uint32_t do_policy_download_mode(const struct do_policy *policy)
{
    uint32_t mode = policy->values[DO_POLICY_DOWNLOAD_MODE].number;

    return mode == MODE_BYPASS ? MODE_SIMPLE : mode;
}

HRESULT do_policy_check_download(const struct do_policy *policy)
{
    return policy->values[DO_POLICY_DOWNLOAD_MODE].number == MODE_BYPASS
               ? DO_E_NO_DOWNLOAD_EXTSETTINGS
               : S_OK;
}

/* 0 percent is "no limit of its own", and all of the link is none either. */
static uint64_t percent_of(uint32_t percent, uint64_t link_bytes_per_s)
{
    uint64_t limit;

    if (!percent || percent >= 100 || !link_bytes_per_s)
        return 0;
    limit = link_bytes_per_s / 100 * percent + link_bytes_per_s % 100 * percent / 100;
    return limit ? limit : 1;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
    if (!a || !b)
        return a | b;
    return a < b ? a : b;
}

/* [from, to) over midnight when from is behind to; equal hours are the whole day. */
static bool is_inside(uint32_t from, uint32_t to, uint32_t hour)
{
    if (from < to)
        return hour >= from && hour < to;
    return hour >= from || hour < to;
}

uint64_t do_policy_limit_bytes_per_s(const struct do_policy *policy, enum do_rate_class which,
    uint32_t hour, uint64_t link_bytes_per_s)
{
    const struct class_rows *ids = &class_rows[which];
    const struct do_policy_value *values = policy->values;
    uint64_t limit = (uint64_t)values[ids->kb_per_s].number * BYTES_PER_KB;

    limit = smaller_limit(limit, percent_of(values[ids->percent].number, link_bytes_per_s));
    if (do_policy_is_set(policy, ids->hours_from) && do_policy_is_set(policy, ids->hours_to))
    {
        bool inside = is_inside(values[ids->hours_from].number, values[ids->hours_to].number, hour);
        enum do_policy_id percent = inside ? ids->percent_inside : ids->percent_outside;

        limit = smaller_limit(limit, percent_of(values[percent].number, link_bytes_per_s));
    }
    return limit;
}

uint32_t do_policy_cache_delay_s(const struct do_policy *policy, enum do_rate_class which)
{
    return policy->values[class_rows[which].cache_delay_s].number;
}
