/* SPDX-License-Identifier: MIT */
/*
 * Policies: what is read from where, and what follows.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "policy_keys.h"
#include "store/policy.h"
#include "support/test.h"

#define MIB (UINT64_C(1) << 20)

static struct do_policy policy;
static char last_line[1000];
static int line_count;

static void keep_line(enum do_log_level level, enum do_log_area area, const char *line)
{
    (void)area;
    if (level > DO_LOG_WARN)
        return;
    (void)strncpy(last_line, line, sizeof(last_line) - 1);
    line_count++;
}

static int set_up(void **state)
{
    (void)state;
    test_policy_begin();
    do_policy_init(&policy);
    last_line[0] = 0;
    line_count = 0;
    do_log_set(keep_line, DO_LOG_WARN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    do_log_set(NULL, DO_LOG_ERROR);
    do_policy_finish(&policy);
    test_policy_end();
    return 0;
}

static void expect(enum do_policy_id id, enum do_policy_origin origin, uint32_t number)
{
    if (policy.values[id].origin != origin || policy.values[id].number != number)
        print_error("%s: %s %u\n", do_policy_name(id),
            do_policy_origin_name(policy.values[id].origin),
            (unsigned int)policy.values[id].number);
    assert_int_equal(policy.values[id].origin, origin);
    assert_int_equal(policy.values[id].number, number);
}

/* Broken: without any policy something is limited, or is said to be set. */
static void test_policy_nothing_set_gives_defaults(void **state)
{
    (void)state;
    assert_ok(do_policy_load(&policy));
    for (int id = 0; id < DO_POLICY_COUNT; id++)
    {
        uint32_t number = id == DO_POLICY_DOWNLOAD_MODE             ? 99
                          : id == DO_POLICY_MIN_BACKGROUND_KB_PER_S ? 2500
                                                                    : 0;

        expect((enum do_policy_id)id, DO_POLICY_DEFAULT, number);
        assert_null(policy.values[id].text);
        assert_false(do_policy_is_set(&policy, (enum do_policy_id)id));
        assert_non_null(do_policy_name((enum do_policy_id)id));
    }
    assert_ok(do_policy_check_download(&policy));
    for (int which = 0; which < DO_RATE_CLASSES; which++)
    {
        assert_true(!do_policy_limit_bytes_per_s(&policy, (enum do_rate_class)which, 0, MIB));
        assert_int_equal(do_policy_cache_delay_s(&policy, (enum do_rate_class)which), 0);
    }
    assert_int_equal(line_count, 0);
}

struct number_row
{
    enum do_policy_id id;
    enum do_policy_key key;
    const char *name;
    uint32_t good[4];
    uint32_t bad[3]; /* 0 ends them, but for the first */
    uint32_t default_number;
};

/* The names are written out a second time: a typing error in the product's table would be seen. */
static const struct number_row number_rows[] = {
    {DO_POLICY_DOWNLOAD_MODE, DO_POLICY_KEY_POLICY, "DODownloadMode", {0, 3, 99, 100}, {4, 98, 101},
        99},
    {DO_POLICY_FOREGROUND_KB_PER_S, DO_POLICY_KEY_POLICY, "DOMaxForegroundDownloadBandwidth",
        {0, 1, 2, UINT32_MAX}, {0, 0, 0}, 0},
    {DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_KEY_POLICY, "DOMaxBackgroundDownloadBandwidth",
        {0, 1, 2, UINT32_MAX}, {0, 0, 0}, 0},
    {DO_POLICY_FOREGROUND_PERCENT, DO_POLICY_KEY_POLICY, "DOPercentageMaxForegroundBandwidth",
        {0, 1, 99, 100}, {101, UINT32_MAX, 0}, 0},
    {DO_POLICY_BACKGROUND_PERCENT, DO_POLICY_KEY_POLICY, "DOPercentageMaxBackgroundBandwidth",
        {0, 1, 99, 100}, {101, UINT32_MAX, 0}, 0},
    {DO_POLICY_FOREGROUND_HOURS_FROM, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_From", {0, 1, 22, 23}, {24, UINT32_MAX, 0},
        0},
    {DO_POLICY_FOREGROUND_HOURS_TO, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_To", {0, 1, 22, 23}, {24, UINT32_MAX, 0}, 0},
    {DO_POLICY_FOREGROUND_PERCENT_INSIDE, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_In", {0, 1, 99, 100}, {101, 0, 0}, 0},
    {DO_POLICY_FOREGROUND_PERCENT_OUTSIDE, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitForegroundDownloadBandwidth_Out", {0, 1, 99, 100}, {101, 0, 0}, 0},
    {DO_POLICY_BACKGROUND_HOURS_FROM, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_From", {0, 1, 22, 23}, {24, UINT32_MAX, 0},
        0},
    {DO_POLICY_BACKGROUND_HOURS_TO, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_To", {0, 1, 22, 23}, {24, UINT32_MAX, 0}, 0},
    {DO_POLICY_BACKGROUND_PERCENT_INSIDE, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_In", {0, 1, 99, 100}, {101, 0, 0}, 0},
    {DO_POLICY_BACKGROUND_PERCENT_OUTSIDE, DO_POLICY_KEY_POLICY,
        "DOSetHoursToLimitBackgroundDownloadBandwidth_Out", {0, 1, 99, 100}, {101, 0, 0}, 0},
    {DO_POLICY_CACHE_HOST_SOURCE, DO_POLICY_KEY_POLICY, "DOCacheHostSource", {0, 1, 2, 2},
        {3, 0, 0}, 0},
    {DO_POLICY_FOREGROUND_CACHE_DELAY_S, DO_POLICY_KEY_POLICY,
        "DODelayCacheServerFallbackForeground", {0, 60, 2592000, UINT32_MAX},
        {2592001, UINT32_MAX - 1, 0}, 0},
    {DO_POLICY_BACKGROUND_CACHE_DELAY_S, DO_POLICY_KEY_POLICY,
        "DODelayCacheServerFallbackBackground", {0, 60, 2592000, UINT32_MAX},
        {2592001, UINT32_MAX - 1, 0}, 0},
    {DO_POLICY_FOREGROUND_CACHE_DELAY_S, DO_POLICY_KEY_POLICY, "DelayCacheServerFallbackForeground",
        {0, 60, 2592000, UINT32_MAX}, {2592001, UINT32_MAX - 1, 0}, 0},
    {DO_POLICY_BACKGROUND_CACHE_DELAY_S, DO_POLICY_KEY_POLICY, "DelayCacheServerFallbackBackground",
        {0, 60, 2592000, UINT32_MAX}, {2592001, UINT32_MAX - 1, 0}, 0},
    {DO_POLICY_NO_CACHE_HOST_ON_VPN, DO_POLICY_KEY_POLICY, "DODisallowCacheServerDownloadsOnVPN",
        {0, 1, 0, 1}, {2, 0, 0}, 0},
    {DO_POLICY_MIN_BACKGROUND_KB_PER_S, DO_POLICY_KEY_POLICY, "DOMinBackgroundQos",
        {1, 2, 3, UINT32_MAX}, {0, 0, 0}, 2500},
    {DO_POLICY_BITS_MAX_DOWNLOAD_TIME_S, DO_POLICY_KEY_BITS, "MaxDownloadTime",
        {1, 60, 7776000, 2147483648U}, {0, 0, 0}, 0},
    {DO_POLICY_BITS_JOB_INACTIVITY_DAYS, DO_POLICY_KEY_BITS, "JobInactivityTimeout",
        {1, 90, 998, 999}, {0, 1000, 0}, 0},
    {DO_POLICY_BITS_JOBS_PER_MACHINE, DO_POLICY_KEY_BITS, "MaxJobsPerMachine",
        {1, 300, 301, UINT32_MAX}, {0, 0, 0}, 0},
    {DO_POLICY_BITS_JOBS_PER_USER, DO_POLICY_KEY_BITS, "MaxJobsPerUser", {1, 60, 61, UINT32_MAX},
        {0, 0, 0}, 0},
    {DO_POLICY_BITS_FILES_PER_JOB, DO_POLICY_KEY_BITS, "MaxFilesPerJob", {1, 200, 201, UINT32_MAX},
        {0, 0, 0}, 0},
    {DO_POLICY_BITS_RANGES_PER_FILE, DO_POLICY_KEY_BITS, "MaxRangesPerFile",
        {1, 500, 501, UINT32_MAX}, {0, 0, 0}, 0},
};

static bool is_good(const struct number_row *row, uint32_t number)
{
    for (size_t i = 0; i < DO_COUNT_OF(row->good); i++)
    {
        if (row->good[i] == number)
            return true;
    }
    return false;
}

/* Broken: a policy is not read, or is read under another name, or from another key. */
static void test_policy_each_number_is_read_from_its_name(void **state)
{
    bool seen[DO_POLICY_COUNT] = {[DO_POLICY_CACHE_HOST] = true};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(number_rows); i++)
    {
        const struct number_row *row = &number_rows[i];

        seen[row->id] = true;
        for (size_t j = 0; j < DO_COUNT_OF(row->good); j++)
        {
            test_policy_clear();
            test_policy_number(row->key, row->name, row->good[j]);
            assert_ok(do_policy_load(&policy));
            expect(row->id, DO_POLICY_SET, row->good[j]);
            assert_true(do_policy_is_set(&policy, row->id));
            for (int id = 0; id < DO_POLICY_COUNT; id++)
                assert_true(id == (int)row->id || policy.values[id].origin == DO_POLICY_DEFAULT);
        }
    }
    assert_int_equal(line_count, 0);
    for (size_t id = 0; id < DO_POLICY_COUNT; id++)
        assert_true(seen[id]);
}

/* Broken: a value that means nothing takes effect, or nobody is told that it does not. */
static void test_policy_unusable_numbers_are_ignored_and_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(number_rows); i++)
    {
        const struct number_row *row = &number_rows[i];

        for (size_t j = 0; j < DO_COUNT_OF(row->bad); j++)
        {
            if (is_good(row, row->bad[j]) || (j && !row->bad[j]))
                continue;
            test_policy_clear();
            test_policy_number(row->key, row->name, row->bad[j]);
            last_line[0] = 0;
            assert_ok(do_policy_load(&policy));
            expect(row->id, DO_POLICY_INVALID, row->default_number);
            assert_false(do_policy_is_set(&policy, row->id));
            assert_non_null(strstr(last_line, row->name));
        }
        for (int is_text = 0; is_text < 2; is_text++)
        {
            test_policy_clear();
            if (is_text)
                test_policy_text(row->key, row->name, "1");
            else
                test_policy_bytes(row->key, row->name);
            last_line[0] = 0;
            assert_ok(do_policy_load(&policy));
            expect(row->id, DO_POLICY_INVALID, row->default_number);
            assert_non_null(strstr(last_line, row->name));
        }
    }
}

/* Broken: a list of cache hosts is lost, an empty one counts as none, or a number as one. */
static void test_policy_cache_host_is_a_text_that_may_be_empty(void **state)
{
    (void)state;
    test_policy_text(DO_POLICY_KEY_POLICY, "DOCacheHost", "cache1,10.0.0.2:8080");
    assert_ok(do_policy_load(&policy));
    assert_string_equal(policy.values[DO_POLICY_CACHE_HOST].text, "cache1,10.0.0.2:8080");
    expect(DO_POLICY_CACHE_HOST, DO_POLICY_SET, 0);
    test_policy_clear();
    test_policy_text(DO_POLICY_KEY_POLICY, "DOCacheHost", "");
    assert_ok(do_policy_load(&policy));
    assert_string_equal(policy.values[DO_POLICY_CACHE_HOST].text, "");
    assert_true(do_policy_is_set(&policy, DO_POLICY_CACHE_HOST));
    test_policy_clear();
    test_policy_number(DO_POLICY_KEY_POLICY, "DOCacheHost", 1);
    assert_ok(do_policy_load(&policy));
    assert_null(policy.values[DO_POLICY_CACHE_HOST].text);
    expect(DO_POLICY_CACHE_HOST, DO_POLICY_INVALID, 0);
    assert_int_equal(line_count, 1);
}

/* Broken: the user overrules the administrator, or is not heard. */
static void test_policy_user_setting_counts_below_the_policy(void **state)
{
    (void)state;
    test_policy_number(DO_POLICY_KEY_USER, "DODownloadMode", 3);
    test_policy_number(DO_POLICY_KEY_USER, "DOMaxForegroundDownloadBandwidth", 7);
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_DOWNLOAD_MODE, DO_POLICY_USER, 3);
    expect(DO_POLICY_FOREGROUND_KB_PER_S, DO_POLICY_DEFAULT, 0);
    test_policy_number(DO_POLICY_KEY_POLICY, "DODownloadMode", 0);
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_DOWNLOAD_MODE, DO_POLICY_SET, 0);
    test_policy_clear();
    test_policy_number(DO_POLICY_KEY_USER, "DODownloadMode", 3);
    test_policy_number(DO_POLICY_KEY_POLICY, "DODownloadMode", 5);
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_DOWNLOAD_MODE, DO_POLICY_INVALID, 99);
}

/* Broken: an old policy has no effect, beats the new one, or is complained about twice. */
static void test_policy_deprecated_names_count_below_the_new_ones(void **state)
{
    (void)state;
    test_policy_number(DO_POLICY_KEY_POLICY, "DOMaxDownloadBandwidth", 100);
    test_policy_number(DO_POLICY_KEY_POLICY, "DOPercentageMaxDownloadBandwidth", 50);
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_FOREGROUND_KB_PER_S, DO_POLICY_DEPRECATED, 100);
    expect(DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_DEPRECATED, 100);
    expect(DO_POLICY_FOREGROUND_PERCENT, DO_POLICY_DEPRECATED, 50);
    expect(DO_POLICY_BACKGROUND_PERCENT, DO_POLICY_DEPRECATED, 50);
    assert_true(do_policy_is_set(&policy, DO_POLICY_FOREGROUND_KB_PER_S));
    assert_int_equal(line_count, 2);
    assert_non_null(strstr(last_line, "DOPercentageMaxDownloadBandwidth"));
    test_policy_number(DO_POLICY_KEY_POLICY, "DOMaxForegroundDownloadBandwidth", 200);
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_FOREGROUND_KB_PER_S, DO_POLICY_SET, 200);
    expect(DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_DEPRECATED, 100);
}

/* Broken: of two spellings of one policy the wrong one counts. */
static void test_policy_name_of_the_registry_beats_its_other_spelling(void **state)
{
    (void)state;
    test_policy_number(DO_POLICY_KEY_POLICY, "DelayCacheServerFallbackForeground", 1);
    test_policy_number(DO_POLICY_KEY_POLICY, "DODelayCacheServerFallbackForeground", 2);
    assert_ok(do_policy_load(&policy));
    assert_int_equal(do_policy_cache_delay_s(&policy, DO_RATE_FOREGROUND), 2);
    assert_int_equal(do_policy_cache_delay_s(&policy, DO_RATE_BACKGROUND), 0);
}

/* Broken: bypass mode is reported as such, downloads all the same, or other modes do not. */
static void test_policy_bypass_forbids_and_is_reported_as_simple(void **state)
{
    static const uint32_t modes[] = {0, 1, 2, 3, 99, 100};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(modes); i++)
    {
        test_policy_clear();
        test_policy_number(DO_POLICY_KEY_POLICY, "DODownloadMode", modes[i]);
        assert_ok(do_policy_load(&policy));
        assert_int_equal(do_policy_download_mode(&policy), modes[i] == 100 ? 99 : modes[i]);
        assert_hr(modes[i] == 100 ? DO_E_NO_DOWNLOAD_EXTSETTINGS : S_OK,
            do_policy_check_download(&policy));
    }
}

/* Broken: a change is not seen while running, is seen for ever, or is seen where there is none. */
static void test_policy_changes_are_seen_once(void **state)
{
    struct do_policy_watch watch;

    (void)state;
    do_policy_watch_init(&watch);
    assert_false(do_policy_changed(&watch));
    /* A key that did not exist. */
    test_policy_number(DO_POLICY_KEY_POLICY, "DOMaxForegroundDownloadBandwidth", 1);
    assert_true(do_policy_changed(&watch));
    assert_false(do_policy_changed(&watch));
    /* Another value, another key, and all gone. */
    test_policy_number(DO_POLICY_KEY_POLICY, "DOMaxBackgroundDownloadBandwidth", 2);
    assert_true(do_policy_changed(&watch));
    test_policy_number(DO_POLICY_KEY_BITS, "MaxFilesPerJob", 3);
    assert_true(do_policy_changed(&watch));
    test_policy_number(DO_POLICY_KEY_USER, "DODownloadMode", 0);
    assert_true(do_policy_changed(&watch));
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_SET, 2);
    test_policy_clear();
    assert_true(do_policy_changed(&watch));
    assert_false(do_policy_changed(&watch));
    assert_ok(do_policy_load(&policy));
    expect(DO_POLICY_BACKGROUND_KB_PER_S, DO_POLICY_DEFAULT, 0);
}

/* Broken: a load that fails leaves half of the new values, or leaks. */
static void test_policy_failed_load_changes_nothing(void **state)
{
    HRESULT hr = E_OUTOFMEMORY;

    (void)state;
    test_policy_text(DO_POLICY_KEY_POLICY, "DOCacheHost", "old");
    assert_ok(do_policy_load(&policy));
    test_policy_clear();
    test_policy_text(DO_POLICY_KEY_POLICY, "DOCacheHost", "new");
    test_policy_number(DO_POLICY_KEY_POLICY, "DODownloadMode", 1);
    for (uint64_t nth = 1; hr == E_OUTOFMEMORY && nth < 100; nth++)
    {
        int64_t held = do_alloc_outstanding();

        assert_string_equal(policy.values[DO_POLICY_CACHE_HOST].text, "old");
        expect(DO_POLICY_DOWNLOAD_MODE, DO_POLICY_DEFAULT, 99);
        do_alloc_fail_nth(nth);
        hr = do_policy_load(&policy);
        do_alloc_fail_nth(0);
        assert_true(do_alloc_outstanding() == held);
        assert_true(nth > 1 || hr == E_OUTOFMEMORY);
    }
    assert_ok(hr);
    assert_string_equal(policy.values[DO_POLICY_CACHE_HOST].text, "new");
    expect(DO_POLICY_DOWNLOAD_MODE, DO_POLICY_SET, 1);
}

static void set(enum do_policy_id id, uint32_t number)
{
    policy.values[id].number = number;
    policy.values[id].origin = DO_POLICY_SET;
}

static uint64_t foreground_limit(uint32_t hour, uint64_t link_bytes_per_s)
{
    return do_policy_limit_bytes_per_s(&policy, DO_RATE_FOREGROUND, hour, link_bytes_per_s);
}

/* Broken: of several limits another than the smallest counts, or a class takes the other's. */
static void test_policy_smallest_limit_counts(void **state)
{
    (void)state;
    set(DO_POLICY_FOREGROUND_KB_PER_S, 100);
    assert_true(foreground_limit(0, 0) == 102400);
    assert_true(!do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, 0, MIB));
    set(DO_POLICY_FOREGROUND_PERCENT, 50);
    assert_true(foreground_limit(0, 0) == 102400); /* of an unknown link: no limit */
    assert_true(foreground_limit(0, MIB) == 102400);
    assert_true(foreground_limit(0, 100000) == 50000);
    set(DO_POLICY_FOREGROUND_KB_PER_S, 0);
    assert_true(foreground_limit(0, MIB) == MIB / 2);
    set(DO_POLICY_FOREGROUND_PERCENT, 100);
    assert_true(!foreground_limit(0, MIB));
    set(DO_POLICY_FOREGROUND_PERCENT, 1);
    assert_true(foreground_limit(0, 7) == 1); /* little is not unlimited */
    set(DO_POLICY_FOREGROUND_KB_PER_S, UINT32_MAX);
    set(DO_POLICY_FOREGROUND_PERCENT, 99);
    assert_true(foreground_limit(0, UINT64_MAX) == (uint64_t)UINT32_MAX * 1024);
    set(DO_POLICY_BACKGROUND_KB_PER_S, 1);
    set(DO_POLICY_BACKGROUND_PERCENT, 10);
    assert_true(do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, 0, MIB) == 1024);
    assert_true(do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, 0, 1000) == 100);
}

struct hours_row
{
    uint32_t from;
    uint32_t to;
    uint32_t first_inside;
    uint32_t inside_count;
};

/* Broken: business hours begin, end or pass midnight at another time than was set. */
static void test_policy_business_hours_hold_from_begin_to_end(void **state)
{
    static const struct hours_row hours[] = {
        {8, 17, 8, 9},
        {22, 6, 22, 8},
        {23, 0, 23, 1},
        {0, 23, 0, 23},
        {0, 1, 0, 1},
        {5, 5, 0, 24},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(hours); i++)
    {
        set(DO_POLICY_BACKGROUND_HOURS_FROM, hours[i].from);
        set(DO_POLICY_BACKGROUND_HOURS_TO, hours[i].to);
        set(DO_POLICY_BACKGROUND_PERCENT_INSIDE, 10);
        set(DO_POLICY_BACKGROUND_PERCENT_OUTSIDE, 60);
        for (uint32_t hour = 0; hour < 24; hour++)
        {
            bool inside = (hour + 24 - hours[i].first_inside) % 24 < hours[i].inside_count;

            assert_int_equal(do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, hour, 100000),
                inside ? 10000 : 60000);
            assert_int_equal(
                do_policy_limit_bytes_per_s(&policy, DO_RATE_FOREGROUND, hour, 100000), 0);
        }
    }
    /* 0 percent: no limit of its own at that time. */
    set(DO_POLICY_BACKGROUND_PERCENT_OUTSIDE, 0);
    set(DO_POLICY_BACKGROUND_HOURS_FROM, 8);
    set(DO_POLICY_BACKGROUND_HOURS_TO, 17);
    assert_int_equal(do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, 20, 100000), 0);
    set(DO_POLICY_BACKGROUND_KB_PER_S, 5);
    assert_int_equal(do_policy_limit_bytes_per_s(&policy, DO_RATE_BACKGROUND, 20, 100000), 5120);
}

/* Broken: half a set of business hours, or an unusable one, limits something. */
static void test_policy_business_hours_need_both_ends(void **state)
{
    (void)state;
    set(DO_POLICY_FOREGROUND_PERCENT_INSIDE, 10);
    set(DO_POLICY_FOREGROUND_PERCENT_OUTSIDE, 10);
    set(DO_POLICY_FOREGROUND_HOURS_FROM, 8);
    assert_int_equal(foreground_limit(9, 1000), 0);
    policy.values[DO_POLICY_FOREGROUND_HOURS_TO].origin = DO_POLICY_INVALID;
    assert_int_equal(foreground_limit(9, 1000), 0);
    set(DO_POLICY_FOREGROUND_HOURS_TO, 17);
    assert_int_equal(foreground_limit(9, 1000), 100);
}

/* Broken: a 32-bit process looks into its own view of the machine's registry. */
static void test_policy_machine_key_is_the_64_bit_one(void **state)
{
    /* A value that nothing depends on. */
    static const char name[] = "DOMinBackgroundQos";

    (void)state;
    if (!test_policy_set_real(name, 4321))
        skip();
    do_policy_init(&policy);
    assert_ok(do_policy_load(&policy));
    test_policy_delete_real(name);
    expect(DO_POLICY_MIN_BACKGROUND_KB_PER_S, DO_POLICY_SET, 4321);
    do_policy_finish(&policy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest policies[] = {
        TEST(test_policy_nothing_set_gives_defaults),
        TEST(test_policy_each_number_is_read_from_its_name),
        TEST(test_policy_unusable_numbers_are_ignored_and_told),
        TEST(test_policy_cache_host_is_a_text_that_may_be_empty),
        TEST(test_policy_user_setting_counts_below_the_policy),
        TEST(test_policy_deprecated_names_count_below_the_new_ones),
        TEST(test_policy_name_of_the_registry_beats_its_other_spelling),
        TEST(test_policy_bypass_forbids_and_is_reported_as_simple),
        TEST(test_policy_changes_are_seen_once),
        TEST(test_policy_failed_load_changes_nothing),
        TEST(test_policy_smallest_limit_counts),
        TEST(test_policy_business_hours_hold_from_begin_to_end),
        TEST(test_policy_business_hours_need_both_ends),
        cmocka_unit_test(test_policy_machine_key_is_the_64_bit_one),
    };

    return TEST_RUN(policies);
}
