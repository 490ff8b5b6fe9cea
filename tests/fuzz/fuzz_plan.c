/* SPDX-License-Identifier: MIT */
/*
 * Sets of bytes against a map of bits; requested ranges against a slow check of each pair; and
 * plans against servers that answer at random: whole, in part, another part, without a size, cut
 * off, in error, with another object. Each byte must be stored once, where the order of the ranges
 * puts it, and of one version of the object; and once the server has become honest, the download
 * must end within a bounded number of answers. The client here does what transfer.c does.
 */
#include "fuzz/fuzz.h"

#include <inttypes.h>

#include "base/range_set.h"
#include "store/queue_db.h"
#include "transfer/http_head.h"
#include "transfer/plan.h"

#define MAP_SIZE 96U
#define RANGE_LIMIT 6U
#define OBJECT_LIMIT 200U
#define ANSWERS_LIMIT 40U

static void check_set(const struct do_range_set *set, const bool *map, uint64_t base)
{
    uint64_t size = 0;

    for (size_t i = 0; i < set->count; i++)
    {
        FUZZ_CHECK(set->ranges[i].begin < set->ranges[i].end);
        FUZZ_CHECK(!i || set->ranges[i - 1].end < set->ranges[i].begin);
    }
    for (uint64_t i = 0; i < MAP_SIZE; i++)
    {
        FUZZ_CHECK(do_range_set_contains(set, base + i, base + i + 1) == map[i]);
        size += map[i];
    }
    FUZZ_CHECK(do_range_set_size(set) == size);
}

static void check_gap(
    const struct do_range_set *set, const bool *map, uint64_t base, uint64_t begin, uint64_t end)
{
    struct do_range gap;
    bool found = do_range_set_first_gap(set, base + begin, base + end, &gap);

    while (begin < end && map[begin])
        begin++;
    FUZZ_CHECK(found == (begin < end));
    if (!found)
        return;
    FUZZ_CHECK(gap.begin == base + begin);
    while (begin < end && !map[begin])
        begin++;
    FUZZ_CHECK(gap.end == base + begin);
}

static void run_set(struct fuzz_input *input)
{
    static const uint64_t bases[] = {0, INT64_MAX - 40, UINT64_MAX - MAP_SIZE, 1};
    const uint64_t base = bases[fuzz_take_below(input, 4)];
    bool map[MAP_SIZE + 1] = {false};
    struct do_range_set set;
    struct do_range_set copy;

    do_range_set_init(&set);
    do_range_set_init(&copy);
    for (int i = 0; i < 64 && input->left; i++)
    {
        const uint32_t verb = fuzz_take_below(input, 8);
        const uint64_t begin = fuzz_take_below(input, MAP_SIZE + 1);
        const uint64_t end = fuzz_take_below(input, MAP_SIZE + 1);
        HRESULT hr = S_OK;

        if (verb < 4)
            hr = do_range_set_add(&set, base + begin, base + end);
        else if (verb < 6 && begin <= end)
            hr = do_range_set_remove(&set, base + begin, base + end);
        else if (verb == 6)
            hr = do_range_set_copy(&copy, &set);
        FUZZ_CHECK(hr == (verb < 4 && end < begin ? E_INVALIDARG : S_OK));
        for (uint64_t j = begin; j < end && verb < 6; j++)
            map[j] = verb < 4;
        check_set(&set, map, base);
        check_gap(&set, map, base, begin, end);
        if (verb == 6)
            check_set(&copy, map, base);
    }
    do_range_set_finish(&set);
    do_range_set_finish(&copy);
}

/* What do_plan_check_ranges says, by its description. */
static HRESULT judge_ranges(const struct do_range *ranges, size_t count, uint64_t size)
{
    for (size_t i = 0; i < count; i++)
    {
        if (ranges[i].begin == DO_SIZE_UNKNOWN || ranges[i].begin >= ranges[i].end)
            return DO_E_INVALID_RANGE;
        if (size == DO_SIZE_UNKNOWN)
            continue;
        if (ranges[i].begin >= size || (ranges[i].end != DO_SIZE_UNKNOWN && ranges[i].end > size))
            return DO_E_INVALID_RANGE;
    }
    for (size_t i = 0; i < count; i++)
    {
        for (size_t j = 0; j < i; j++)
        {
            if (ranges[i].begin < ranges[j].end && ranges[j].begin < ranges[i].end)
                return DO_E_OVERLAPPING_RANGES;
        }
    }
    return S_OK;
}

static void run_check(struct fuzz_input *input)
{
    struct do_range ranges[RANGE_LIMIT];
    const size_t count = fuzz_take_below(input, RANGE_LIMIT + 1);
    uint64_t size = fuzz_take_size(input);
    struct do_plan plan;

    for (size_t i = 0; i < count; i++)
    {
        ranges[i].begin = fuzz_take_size(input);
        ranges[i].end = fuzz_take_size(input);
        if (i && fuzz_take_u8(input) & 1)
            ranges[i].begin = ranges[i - 1].end;
    }
    FUZZ_CHECK(do_plan_check_ranges(ranges, count, size) == judge_ranges(ranges, count, size));
    if (do_plan_check_ranges(ranges, count, DO_SIZE_UNKNOWN) != S_OK)
        return;
    FUZZ_CHECK(do_plan_init(&plan, ranges, count) == S_OK);
    /* A range that was accepted before its object's size was known may lie beyond it. */
    if (!plan.is_whole && size != DO_SIZE_UNKNOWN)
        FUZZ_CHECK(do_plan_resolve(&plan, size) == judge_ranges(ranges, count, size));
    do_plan_finish(&plan);
}

enum validators
{
    STRONG_TAGS,
    WEAK_TAGS,
    DATES,
    NOTHING
};

struct world
{
    struct fuzz_input *input;

    /* The server. */
    enum validators validators;
    unsigned int version;
    uint64_t size;

    /* The client. */
    struct do_range ranges[RANGE_LIMIT];
    size_t range_count;
    uint64_t expected_size;
    struct do_plan plan;
    struct do_range_set claimed;
    bool answered; /* in this attempt */
    struct do_validators known;
    struct do_fetch fetch;
    uint64_t part_begin; /* what the last answer brings, in the object */
    uint64_t part_length;
    struct
    {
        unsigned int version;
        uint64_t remote;
    } stored[OBJECT_LIMIT];
};

static void put_line(struct do_http_head *head, const char *text)
{
    FUZZ_CHECK(do_http_head_add_line(head, text, strlen(text)) == S_OK);
}

/* The validator of the present version, as ETag or Last-Modified has it. */
static void validator_of(const struct world *world, char *text, size_t size)
{
    switch (world->validators)
    {
    case STRONG_TAGS:
        (void)snprintf(text, size, "\"v%u\"", world->version);
        break;
    case WEAK_TAGS:
        (void)snprintf(text, size, "W/\"v%u\"", world->version);
        break;
    case DATES:
        (void)snprintf(text, size, "Sun, 06 Nov 1994 08:%02u:37 GMT", world->version % 60);
        break;
    case NOTHING:
        text[0] = 0;
        break;
    }
}

static void put_validator(const struct world *world, struct do_http_head *head)
{
    char value[64];
    char line[128];

    validator_of(world, value, sizeof(value));
    if (!value[0])
        return;
    (void)snprintf(line, sizeof(line), "%s: %s\r\n",
        world->validators == DATES ? "Last-Modified" : "ETag", value);
    put_line(head, line);
}

static void answer_whole(struct world *world, struct do_http_head *head, bool with_length)
{
    char line[64];

    put_line(head, "HTTP/1.1 200 OK\r\n");
    (void)snprintf(line, sizeof(line), "Content-Length: %" PRIu64 "\r\n", world->size);
    if (with_length)
        put_line(head, line);
    put_validator(world, head);
    world->part_begin = 0;
    world->part_length = world->size;
}

/* begin < size */
static void answer_part(
    struct world *world, struct do_http_head *head, uint64_t begin, uint64_t end, bool with_total)
{
    char line[128];
    char total[32] = "*";

    if (end > world->size)
        end = world->size;
    if (with_total)
        (void)snprintf(total, sizeof(total), "%" PRIu64, world->size);
    put_line(head, "HTTP/1.1 206 Partial Content\r\n");
    (void)snprintf(line, sizeof(line), "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%s\r\n", begin,
        end - 1, total);
    put_line(head, line);
    put_validator(world, head);
    world->part_begin = begin;
    world->part_length = end - begin;
}

/* Whether what comes must be of the object that is known. */
static bool has_data(const struct world *world)
{
    return world->answered || world->claimed.count;
}

/* Whether the request carried a range that the present object still has the right to. */
static bool range_counts(const struct world *world, bool sent_range)
{
    const char *if_range = do_validators_if_range(&world->known);
    char value[64];

    if (!sent_range)
        return false;
    if (!has_data(world) || !if_range[0])
        return true;
    validator_of(world, value, sizeof(value));
    return !strcmp(if_range, value);
}

static void answer_honestly(struct world *world, struct do_http_head *head, bool sent_range)
{
    if (!range_counts(world, sent_range))
        answer_whole(world, head, true);
    else if (world->fetch.remote_begin >= world->size)
        put_line(head, "HTTP/1.1 416 Range Not Satisfiable\r\n");
    else
        answer_part(world, head, world->fetch.remote_begin, world->fetch.remote_end, true);
}

static void answer_somehow(struct world *world, struct do_http_head *head, bool sent_range)
{
    const uint64_t begin = fuzz_take_below(world->input, OBJECT_LIMIT);
    const uint64_t end = begin + 1 + fuzz_take_below(world->input, OBJECT_LIMIT);

    switch (fuzz_take_below(world->input, 8))
    {
    case 0:
        answer_whole(world, head, false);
        break;
    case 1:
        answer_whole(world, head, true);
        break;
    case 2:
        if (begin < world->size)
            answer_part(world, head, begin, end, end & 1);
        break;
    case 3:
        if (sent_range && world->fetch.remote_begin < world->size)
            answer_part(world, head, world->fetch.remote_begin, world->fetch.remote_end, false);
        break;
    case 4:
        put_line(head, "HTTP/1.1 416 Range Not Satisfiable\r\n");
        break;
    case 5:
        put_line(head, "HTTP/1.1 503 Service Unavailable\r\n");
        break;
    case 6:
        /* Without validators nobody could tell. */
        if (world->validators != NOTHING)
        {
            world->version++;
            world->size = begin;
        }
        answer_honestly(world, head, sent_range);
        break;
    default:
        answer_honestly(world, head, sent_range);
        break;
    }
}

/* Where the ranges, one after the other, put a byte of the local file. */
static uint64_t remote_of(const struct world *world, uint64_t local)
{
    uint64_t passed = 0;

    if (!world->range_count)
        return local;
    for (size_t i = 0; i < world->range_count; i++)
    {
        const struct do_range *range = &world->ranges[i];
        const uint64_t end = range->end == DO_SIZE_UNKNOWN ? world->size : range->end;

        if (local - passed < end - range->begin)
            return range->begin + (local - passed);
        passed += end - range->begin;
    }
    return DO_SIZE_UNKNOWN;
}

static void store(struct world *world, uint64_t count)
{
    const uint64_t local_size = do_plan_local_size(&world->plan);

    for (uint64_t i = 0; i < count; i++)
    {
        const uint64_t local = world->fetch.local_begin + i;

        FUZZ_CHECK(local < OBJECT_LIMIT && local < local_size);
        FUZZ_CHECK(!do_range_set_contains(&world->claimed, local, local + 1));
        FUZZ_CHECK(world->part_begin + i == world->fetch.remote_begin + i);
        FUZZ_CHECK(world->part_begin + i == remote_of(world, local));
        world->stored[local].version = world->version;
        world->stored[local].remote = world->part_begin + i;
        FUZZ_CHECK(do_range_set_add(&world->claimed, local, local + 1) == S_OK);
    }
}

static void begin_anew(struct world *world)
{
    do_range_set_clear(&world->claimed);
    world->answered = false;
    do_plan_unresolve(&world->plan, world->ranges);
    world->known = (struct do_validators){"", "", DO_SIZE_UNKNOWN};
}

/* Takes an accepted answer; a failure is one that ends the download. */
static HRESULT take_body(struct world *world, const struct do_http_head *head,
    const struct do_head_answer *answer, bool is_cut)
{
    uint64_t count = world->part_length;
    HRESULT hr;

    if (answer->object_size != DO_SIZE_UNKNOWN &&
        FAILED(hr = do_plan_resolve(&world->plan, answer->object_size)))
        return hr;
    if (!has_data(world) ||
        (answer->object_size != DO_SIZE_UNKNOWN && answer->object_size != world->known.size))
    {
        world->known.size = answer->object_size;
        memcpy(world->known.etag, head->etag, sizeof(head->etag));
        memcpy(world->known.last_modified, head->last_modified, sizeof(head->last_modified));
    }
    world->answered = true;
    FUZZ_CHECK(answer->length == DO_SIZE_UNKNOWN || answer->length == count);
    if (is_cut && count)
        count = fuzz_take_below(world->input, (uint32_t)count);
    store(world, count);
    if (count != world->part_length)
        return DO_HR_NET_CONNECTION_ABORTED;
    if (answer->length != DO_SIZE_UNKNOWN)
        return S_OK;
    if (world->plan.is_whole && world->expected_size != DO_SIZE_UNKNOWN &&
        world->expected_size != count)
        return DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (SUCCEEDED(hr = do_plan_resolve(&world->plan, count)))
        world->known.size = count;
    return hr;
}

/* One request. S_FALSE: nothing is missing. */
static HRESULT exchange(struct world *world, bool honest)
{
    struct do_head_question question = {
        {0, 0}, false, has_data(world), world->known, world->expected_size};
    struct do_head_answer answer;
    struct do_http_head head;
    HRESULT hr;

    /* Nothing is here: no size that an earlier attempt was told binds this one. */
    if (!has_data(world))
        do_plan_unresolve(&world->plan, world->ranges);
    if (!do_plan_next(&world->plan, &world->claimed, &world->fetch))
        return S_FALSE;
    FUZZ_CHECK(world->fetch.remote_begin < world->fetch.remote_end);
    if (world->plan.is_whole && world->claimed.count && !do_validators_if_range(&world->known)[0])
    {
        begin_anew(world);
        return S_OK;
    }
    question.asked.begin = world->fetch.remote_begin;
    question.asked.end = world->fetch.remote_end;
    question.sent_range = question.asked.begin || question.asked.end != DO_SIZE_UNKNOWN;
    do_http_head_init(&head);
    if (honest)
        answer_honestly(world, &head, question.sent_range);
    else
        answer_somehow(world, &head, question.sent_range);
    put_line(&head, "\r\n");
    switch (do_http_head_judge(&head, &question, &answer, &hr))
    {
    case DO_HEAD_ACCEPT:
        hr = take_body(world, &head, &answer, !honest && fuzz_take_u8(world->input) & 1);
        break;
    case DO_HEAD_CHANGED:
        begin_anew(world);
        hr = S_OK;
        break;
    case DO_HEAD_REFUSE:
        FUZZ_CHECK(FAILED(hr));
        break;
    }
    do_http_head_finish(&head);
    /* A failure ends the attempt; what is here is kept for the next one. */
    if (FAILED(hr))
        world->answered = false;
    return hr;
}

/* Another engine goes on with what was kept. */
static void reopen(struct world *world)
{
    do_plan_finish(&world->plan);
    world->answered = false;
    FUZZ_CHECK(do_plan_init(&world->plan, world->ranges, world->range_count) == S_OK);
    if (world->known.size != DO_SIZE_UNKNOWN)
        FUZZ_CHECK(do_plan_resolve(&world->plan, world->known.size) == S_OK);
}

static void check_complete(const struct world *world)
{
    const uint64_t size = do_plan_local_size(&world->plan);

    FUZZ_CHECK(size != DO_SIZE_UNKNOWN && size <= OBJECT_LIMIT);
    FUZZ_CHECK(do_range_set_size(&world->claimed) == size);
    FUZZ_CHECK(do_range_set_contains(&world->claimed, 0, size));
    FUZZ_CHECK(world->range_count || size == world->known.size);
    for (uint64_t i = 0; i < size; i++)
    {
        FUZZ_CHECK(world->stored[i].version == world->stored[0].version);
        FUZZ_CHECK(!i || world->range_count || world->stored[i].remote == i);
    }
}

static bool take_world(struct world *world)
{
    world->validators = (enum validators)fuzz_take_below(world->input, 4);
    world->size = fuzz_take_below(world->input, OBJECT_LIMIT);
    world->expected_size = fuzz_take_below(world->input, 4) ? DO_SIZE_UNKNOWN : world->size;
    world->range_count = fuzz_take_below(world->input, RANGE_LIMIT);
    for (size_t i = 0; i < world->range_count; i++)
    {
        const uint64_t length = fuzz_take_below(world->input, OBJECT_LIMIT);

        world->ranges[i].begin = fuzz_take_below(world->input, OBJECT_LIMIT);
        world->ranges[i].end = length ? world->ranges[i].begin + length : DO_SIZE_UNKNOWN;
    }
    return SUCCEEDED(do_plan_check_ranges(world->ranges, world->range_count, DO_SIZE_UNKNOWN));
}

static void run_plan(struct fuzz_input *input)
{
    struct world world = {.input = input, .known = {"", "", DO_SIZE_UNKNOWN}};
    HRESULT hr = S_OK;
    bool is_possible;

    if (!take_world(&world))
        return;
    do_range_set_init(&world.claimed);
    FUZZ_CHECK(do_plan_init(&world.plan, world.ranges, world.range_count) == S_OK);
    for (unsigned int i = 0; i < ANSWERS_LIMIT && input->left; i++)
    {
        const uint32_t what = fuzz_take_below(input, 8);

        if (!what)
            reopen(&world);
        hr = exchange(&world, what == 1);
        if (hr == S_FALSE)
            break;
    }
    /* What a client was refused by a server that lies it may be given by one that does not. */
    is_possible = SUCCEEDED(do_plan_check_ranges(world.ranges, world.range_count, world.size)) &&
                  (world.expected_size == DO_SIZE_UNKNOWN || world.expected_size == world.size);
    for (unsigned int i = 0; i < 2 * RANGE_LIMIT + 4 && hr != S_FALSE; i++)
    {
        hr = exchange(&world, true);
        FUZZ_CHECK(SUCCEEDED(hr) || !is_possible);
    }
    FUZZ_CHECK(hr == S_FALSE || !is_possible);
    if (hr == S_FALSE)
        check_complete(&world);
    do_plan_finish(&world.plan);
    do_range_set_finish(&world.claimed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};

    switch (fuzz_take_below(&input, 4))
    {
    case 0:
        run_set(&input);
        break;
    case 1:
        run_check(&input);
        break;
    default:
        run_plan(&input);
        break;
    }
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
