/* SPDX-License-Identifier: MIT */
/*
 * How many connections there are and what each fetches: whatever is measured, at least one and at
 * most the limit; and a file that is shared out by these rules, split and given up at random, is
 * fetched whole, each byte by one connection, by pieces that are not empty.
 */
#include "fuzz/fuzz.h"

#include "base/range_set.h"
#include "transfer/share.h"

#define LANES 8U
#define STEPS_LIMIT 4096U

static void check_target(const struct do_share *share)
{
    FUZZ_CHECK(share->target >= 1 && share->target <= share->limit);
}

/* Any numbers at all. */
static void run_numbers(struct fuzz_input *input)
{
    struct do_share share;
    uint64_t now_ms = 0;
    uint64_t received = 0;

    do_share_init(&share, fuzz_take_below(input, 20));
    while (input->left)
    {
        const uint32_t what = fuzz_take_below(input, 8);
        const uint64_t gap = fuzz_take_size(input) & INT64_MAX;
        const uint64_t begin = fuzz_take_size(input) & INT64_MAX;
        uint64_t piece;

        now_ms += fuzz_take_below(input, 3000);
        received += fuzz_take_size(input) >> 16;
        if (what == 0)
            do_share_begin(&share);
        else if (what == 1)
            do_share_shrink(&share, fuzz_take_below(input, share.limit + 1), now_ms);
        else
            do_share_look(&share, received, gap, fuzz_take_u8(input), now_ms);
        check_target(&share);
        if (!gap)
            continue;
        piece = do_share_piece(&share, begin, gap, gap);
        FUZZ_CHECK(piece && piece <= gap);
        FUZZ_CHECK(share.target > 1 || piece == gap);
    }
}

/* A file of size bytes and who fetches which part of it. */
struct world
{
    struct fuzz_input *input;
    struct do_share share;
    struct do_range_set taken; /* fetched, or somebody's */
    struct do_range lanes[LANES];
    struct do_share_lane facts[LANES];
    uint64_t size;
    uint64_t fetched;
    uint64_t now_ms;
};

static uint64_t untaken(const struct world *world)
{
    return world->size - do_range_set_size(&world->taken);
}

static void begin_lane(struct world *world, size_t lane, uint64_t begin, uint64_t end)
{
    FUZZ_CHECK(begin < end && end <= world->size);
    world->lanes[lane] = (struct do_range){begin, end};
    world->facts[lane] = (struct do_share_lane){
        end - begin, fuzz_take_size(world->input) >> 24, world->now_ms, world->now_ms};
}

static bool is_idle(const struct world *world, size_t lane)
{
    return world->lanes[lane].begin == world->lanes[lane].end;
}

/* An idle connection takes a part of a gap, or the half of what another one has. */
static void feed(struct world *world, size_t lane)
{
    struct do_share_lane busy[LANES];
    size_t indices[LANES];
    struct do_range gap;
    uint64_t keep = 0;
    size_t count = 0;
    size_t index = SIZE_MAX;

    if (do_range_set_first_gap(&world->taken, 0, world->size, &gap))
    {
        const uint64_t length =
            do_share_piece(&world->share, gap.begin, gap.end - gap.begin, untaken(world));

        FUZZ_CHECK(length && length <= gap.end - gap.begin);
        FUZZ_CHECK(do_range_set_add(&world->taken, gap.begin, gap.begin + length) == S_OK);
        begin_lane(world, lane, gap.begin, gap.begin + length);
        return;
    }
    for (size_t i = 0; i < LANES; i++)
    {
        if (is_idle(world, i))
            continue;
        indices[count] = i;
        busy[count++] = world->facts[i];
    }
    if (!do_share_split(busy, count, fuzz_take_size(world->input) >> 24, &index, &keep))
        return;
    FUZZ_CHECK(index < count && keep && keep < busy[index].left_bytes);
    index = indices[index];
    begin_lane(world, lane, world->lanes[index].begin + keep, world->lanes[index].end);
    world->lanes[index].end = world->lanes[index].begin + keep;
    world->facts[index].left_bytes = keep;
}

/* Bytes come, or the connection is given up and the rest of its piece is anybody's. */
static void advance(struct world *world, size_t lane)
{
    struct do_range *range = &world->lanes[lane];
    const uint64_t left = range->end - range->begin;
    uint64_t count = left;

    (void)do_share_is_stuck(&world->facts[lane], world->facts, LANES, world->now_ms);
    if (fuzz_take_below(world->input, 4))
        count = left / 256 * fuzz_take_u8(world->input) + (world->input->left ? 1 : left % 256);
    if (count > left)
        count = left;
    range->begin += count;
    world->fetched += count;
    world->facts[lane].left_bytes = left - count;
    world->facts[lane].last_byte_ms = world->now_ms;
    if (range->begin != range->end && fuzz_take_below(world->input, 8) != 1)
        return;
    FUZZ_CHECK(do_range_set_remove(&world->taken, range->begin, range->end) == S_OK);
    *range = (struct do_range){0, 0};
}

static uint32_t running_lanes(const struct world *world)
{
    uint32_t count = 0;

    for (size_t i = 0; i < LANES; i++)
        count += !is_idle(world, i);
    return count;
}

static void run_file(struct fuzz_input *input)
{
    struct world world = {.input = input};
    unsigned int step = 0;

    world.size = 1 + (fuzz_take_u64(input) & 0xFFFFFFF);
    do_share_init(&world.share, 1 + fuzz_take_below(input, LANES));
    do_range_set_init(&world.taken);
    /* Behind the end of the input each connection fetches all that it has. */
    while (world.fetched < world.size && step < STEPS_LIMIT)
    {
        const size_t lane = input->left ? fuzz_take_below(input, LANES) : step++ % LANES;

        world.now_ms += fuzz_take_u8(input);
        do_share_look(&world.share, world.fetched, untaken(&world), 1, world.now_ms);
        check_target(&world.share);
        if (is_idle(&world, lane) && running_lanes(&world) < world.share.target)
            feed(&world, lane);
        if (!is_idle(&world, lane))
            advance(&world, lane);
        FUZZ_CHECK(world.fetched <= world.size);
    }
    FUZZ_CHECK(world.fetched == world.size);
    FUZZ_CHECK(do_range_set_contains(&world.taken, 0, world.size));
    do_range_set_finish(&world.taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};

    if (fuzz_take_u8(&input) & 1)
        run_file(&input);
    else
        run_numbers(&input);
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
