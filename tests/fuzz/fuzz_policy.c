/* SPDX-License-Identifier: MIT */
/*
 * Values of policies: a file of any bytes, and files made of known lines, of which a second table
 * here says what each value must become; then the limits that follow, against a sum done in
 * another way. Runs in $TMPDIR, which is better in memory.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz/fuzz.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "store/policy.h"

#define LINES_LIMIT 16U

static char path[512];

/* A name under which a value may stand, in the order in which names count for a value. */
struct place
{
    enum do_policy_id id;
    const char *key;
    const char *name;
    enum do_policy_origin origin;
};

static const struct place places[] = {
    {DO_POLICY_DOWNLOAD_MODE, "policy", "DODownloadMode", DO_POLICY_SET},
    {DO_POLICY_DOWNLOAD_MODE, "user", "DODownloadMode", DO_POLICY_USER},
    {DO_POLICY_FOREGROUND_KB_PER_S, "policy", "DOMaxForegroundDownloadBandwidth", DO_POLICY_SET},
    {DO_POLICY_FOREGROUND_KB_PER_S, "policy", "DOMaxDownloadBandwidth", DO_POLICY_DEPRECATED},
    {DO_POLICY_BACKGROUND_KB_PER_S, "policy", "DOMaxBackgroundDownloadBandwidth", DO_POLICY_SET},
    {DO_POLICY_BACKGROUND_KB_PER_S, "policy", "DOMaxDownloadBandwidth", DO_POLICY_DEPRECATED},
    {DO_POLICY_FOREGROUND_PERCENT, "policy", "DOPercentageMaxForegroundBandwidth", DO_POLICY_SET},
    {DO_POLICY_FOREGROUND_PERCENT, "policy", "DOPercentageMaxDownloadBandwidth",
        DO_POLICY_DEPRECATED},
    {DO_POLICY_BACKGROUND_HOURS_FROM, "policy", "DOSetHoursToLimitBackgroundDownloadBandwidth_From",
        DO_POLICY_SET},
    {DO_POLICY_CACHE_HOST, "policy", "DOCacheHost", DO_POLICY_SET},
    {DO_POLICY_CACHE_HOST_SOURCE, "policy", "DOCacheHostSource", DO_POLICY_SET},
    {DO_POLICY_BACKGROUND_CACHE_DELAY_S, "policy", "DODelayCacheServerFallbackBackground",
        DO_POLICY_SET},
    {DO_POLICY_BACKGROUND_CACHE_DELAY_S, "policy", "DelayCacheServerFallbackBackground",
        DO_POLICY_SET},
    {DO_POLICY_NO_CACHE_HOST_ON_VPN, "policy", "DODisallowCacheServerDownloadsOnVPN",
        DO_POLICY_SET},
    {DO_POLICY_MIN_BACKGROUND_KB_PER_S, "policy", "DOMinBackgroundQos", DO_POLICY_SET},
    {DO_POLICY_BITS_JOB_INACTIVITY_DAYS, "bits", "JobInactivityTimeout", DO_POLICY_SET},
    {DO_POLICY_BITS_RANGES_PER_FILE, "bits", "MaxRangesPerFile", DO_POLICY_SET},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

/* What may stand in the file for each place; the first line of a name counts. */
struct line
{
    size_t place;
    enum do_policy_kind kind;
    uint32_t number;
};

static void write_file(const void *data, size_t size)
{
    const char *folder = getenv("TMPDIR");
    FILE *file;

    if (!path[0])
    {
        (void)snprintf(path, sizeof(path), "%s/dosvc-fuzz-%ld.policy",
            folder && *folder ? folder : "/tmp", (long)getpid());
        FUZZ_CHECK(!setenv("DOSVC_POLICY_FILE", path, 1));
    }
    file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

/* Whether a number may be the value; by the documentation of each. */
static bool is_in_range(enum do_policy_id id, uint32_t number)
{
    switch ((int)id)
    {
    case DO_POLICY_DOWNLOAD_MODE:
        return number < 4 || number == 99 || number == 100;
    case DO_POLICY_FOREGROUND_KB_PER_S:
    case DO_POLICY_BACKGROUND_KB_PER_S:
        return true;
    case DO_POLICY_FOREGROUND_PERCENT:
    case DO_POLICY_BACKGROUND_PERCENT:
    case DO_POLICY_FOREGROUND_PERCENT_INSIDE:
    case DO_POLICY_FOREGROUND_PERCENT_OUTSIDE:
    case DO_POLICY_BACKGROUND_PERCENT_INSIDE:
    case DO_POLICY_BACKGROUND_PERCENT_OUTSIDE:
        return number <= 100;
    case DO_POLICY_FOREGROUND_HOURS_FROM:
    case DO_POLICY_FOREGROUND_HOURS_TO:
    case DO_POLICY_BACKGROUND_HOURS_FROM:
    case DO_POLICY_BACKGROUND_HOURS_TO:
        return number < 24;
    case DO_POLICY_CACHE_HOST:
        return false;
    case DO_POLICY_CACHE_HOST_SOURCE:
        return number < 3;
    case DO_POLICY_FOREGROUND_CACHE_DELAY_S:
    case DO_POLICY_BACKGROUND_CACHE_DELAY_S:
        return number <= 30 * 24 * 3600 || number == DO_POLICY_NEVER;
    case DO_POLICY_NO_CACHE_HOST_ON_VPN:
        return number < 2;
    case DO_POLICY_BITS_JOB_INACTIVITY_DAYS:
        return number && number < 1000;
    default:
        return number != 0;
    }
}

static void check_policy(const struct do_policy *policy)
{
    struct do_policy defaults;

    do_policy_init(&defaults);
    for (int i = 0; i < DO_POLICY_COUNT; i++)
    {
        const enum do_policy_id id = (enum do_policy_id)i;
        const struct do_policy_value *value = &policy->values[i];

        FUZZ_CHECK(do_policy_name(id) && do_policy_origin_name(value->origin));
        FUZZ_CHECK(!value->text || id == DO_POLICY_CACHE_HOST);
        if (!do_policy_is_set(policy, id))
            FUZZ_CHECK(!value->text && value->number == defaults.values[i].number);
        else if (id == DO_POLICY_CACHE_HOST)
            FUZZ_CHECK(value->text);
        else
            FUZZ_CHECK(is_in_range(id, value->number));
    }
    FUZZ_CHECK(is_in_range(DO_POLICY_DOWNLOAD_MODE, do_policy_download_mode(policy)));
    FUZZ_CHECK(do_policy_download_mode(policy) != 100);
    do_policy_finish(&defaults);
}

static void check_equal(const struct do_policy *a, const struct do_policy *b)
{
    for (int i = 0; i < DO_POLICY_COUNT; i++)
    {
        FUZZ_CHECK(a->values[i].number == b->values[i].number);
        FUZZ_CHECK(a->values[i].origin == b->values[i].origin);
        FUZZ_CHECK(!a->values[i].text == !b->values[i].text);
        FUZZ_CHECK(!a->values[i].text || !strcmp(a->values[i].text, b->values[i].text));
    }
}

static void load(struct do_policy *policy)
{
    struct do_policy_watch watch;

    do_policy_init(policy);
    do_policy_watch_init(&watch);
    FUZZ_CHECK(do_policy_load(policy) == S_OK);
    FUZZ_CHECK(!do_policy_changed(&watch));
    check_policy(policy);
}

static void run_file(struct fuzz_input *input)
{
    struct do_policy policy;
    struct do_policy again;

    write_file(input->at, input->left);
    load(&policy);
    load(&again);
    check_equal(&policy, &again);
    do_policy_finish(&policy);
    do_policy_finish(&again);
}

static const struct line *find_line(const struct line *lines, size_t count, size_t place)
{
    for (size_t i = 0; i < count; i++)
    {
        if (!strcmp(places[lines[i].place].key, places[place].key) &&
            !strcmp(places[lines[i].place].name, places[place].name))
            return &lines[i];
    }
    return NULL;
}

static void check_value(
    const struct do_policy *policy, const struct line *lines, size_t count, enum do_policy_id id)
{
    const struct do_policy_value *value = &policy->values[id];
    const enum do_policy_kind kind = id == DO_POLICY_CACHE_HOST ? DO_POLICY_TEXT : DO_POLICY_NUMBER;

    for (size_t i = 0; i < PLACES; i++)
    {
        const struct line *line;

        if (places[i].id != id || !(line = find_line(lines, count, i)))
            continue;
        if (line->kind != kind || (kind == DO_POLICY_NUMBER && !is_in_range(id, line->number)))
        {
            FUZZ_CHECK(value->origin == DO_POLICY_INVALID);
            return;
        }
        FUZZ_CHECK(value->origin == places[i].origin);
        FUZZ_CHECK(
            kind == DO_POLICY_TEXT ? !strcmp(value->text, "a,b") : value->number == line->number);
        return;
    }
    FUZZ_CHECK(value->origin == DO_POLICY_DEFAULT);
}

static uint32_t take_number(struct fuzz_input *input)
{
    static const uint32_t ends[] = {0, 1, 2, 3, 4, 23, 24, 98, 99, 100, 101, 999, 1000, 2592000,
        2592001, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};
    const uint32_t which = fuzz_take_below(input, 2 * sizeof(ends) / sizeof(ends[0]));

    return which < sizeof(ends) / sizeof(ends[0]) ? ends[which] : (uint32_t)fuzz_take_u64(input);
}

static void run_lines(struct fuzz_input *input)
{
    static const char *const others[] = {"x", "", "\"", "4294967296", "-1", "1 ", "0x1"};
    struct line lines[LINES_LIMIT];
    const size_t count = fuzz_take_below(input, LINES_LIMIT + 1);
    struct do_policy policy;
    struct do_buf text;

    do_buf_init(&text, 0);
    for (size_t i = 0; i < count; i++)
    {
        struct line *line = &lines[i];
        const struct place *place;

        line->place = fuzz_take_below(input, PLACES);
        line->number = take_number(input);
        place = &places[line->place];
        do_buf_append_format(&text, "%s/%s=", place->key, place->name);
        switch (fuzz_take_below(input, 8))
        {
        case 0:
            line->kind = DO_POLICY_OTHER;
            do_buf_append_str(&text, others[line->number % (sizeof(others) / sizeof(others[0]))]);
            break;
        case 1:
            line->kind = DO_POLICY_TEXT;
            do_buf_append_str(&text, "\"a,b\"");
            break;
        default:
            line->kind = DO_POLICY_NUMBER;
            do_buf_append_format(&text, "%" PRIu32, line->number);
            break;
        }
        do_buf_append_str(&text, "\n");
    }
    FUZZ_CHECK(!text.failed);
    write_file(do_buf_str(&text), text.length);
    load(&policy);
    for (size_t i = 0; i < PLACES; i++)
        check_value(&policy, lines, count, places[i].id);
    do_policy_finish(&policy);
    do_buf_finish(&text);
}

/* The smaller of two limits of which 0 is none. */
static void lower(uint64_t *limit, uint64_t other)
{
    if (other && (!*limit || other < *limit))
        *limit = other;
}

/* percent of link, in two halves; no limit for all of it. */
static uint64_t part_of(uint64_t link, uint32_t percent)
{
    const uint64_t high = (link >> 32) * percent;
    const uint64_t low = (link & UINT32_MAX) * percent;
    const uint64_t part = (high / 100 << 32) + ((high % 100 << 32) + low) / 100;

    if (!link || !percent || percent == 100)
        return 0;
    return part ? part : 1;
}

static uint32_t set(struct do_policy *policy, enum do_policy_id id, uint32_t number)
{
    policy->values[id].number = number;
    policy->values[id].origin = DO_POLICY_SET;
    return number;
}

static void run_limits(struct fuzz_input *input)
{
    const bool has_hours = fuzz_take_u8(input) & 1;
    const uint64_t link = fuzz_take_size(input);
    struct do_policy policy;
    uint32_t kb;
    uint32_t percent;
    uint32_t from;
    uint32_t to;
    uint32_t inside;
    uint32_t outside;

    do_policy_init(&policy);
    kb = set(&policy, DO_POLICY_FOREGROUND_KB_PER_S, take_number(input));
    percent = set(&policy, DO_POLICY_FOREGROUND_PERCENT, fuzz_take_below(input, 101));
    from = set(&policy, DO_POLICY_FOREGROUND_HOURS_FROM, fuzz_take_below(input, 24));
    to = set(&policy, DO_POLICY_FOREGROUND_HOURS_TO, fuzz_take_below(input, 24));
    inside = set(&policy, DO_POLICY_FOREGROUND_PERCENT_INSIDE, fuzz_take_below(input, 101));
    outside = set(&policy, DO_POLICY_FOREGROUND_PERCENT_OUTSIDE, fuzz_take_below(input, 101));
    if (!has_hours)
        policy.values[DO_POLICY_FOREGROUND_HOURS_TO].origin = DO_POLICY_INVALID;
    for (uint32_t hour = 0; hour < 24; hour++)
    {
        uint64_t limit = (uint64_t)kb * 1024;
        bool is_inside = from == to;

        for (uint32_t i = from; i != to; i = (i + 1) % 24)
            is_inside = is_inside || i == hour;
        lower(&limit, part_of(link, percent));
        if (has_hours)
            lower(&limit, part_of(link, is_inside ? inside : outside));
        FUZZ_CHECK(do_policy_limit_bytes_per_s(&policy, DO_RATE_FOREGROUND, hour, link) == limit);
        FUZZ_CHECK(!do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, hour, link));
    }
    do_policy_finish(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};

    switch (fuzz_take_below(&input, 4))
    {
    case 0:
        run_limits(&input);
        break;
    case 1:
        run_file(&input);
        break;
    default:
        run_lines(&input);
        break;
    }
    if (path[0])
        (void)remove(path);
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
