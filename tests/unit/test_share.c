/* SPDX-License-Identifier: MIT */
/*
 * How many connections a file gets: a simulated network, looked at every tenth of a second.
 */
#include "support/test.h"

#include <string.h>

#include "transfer/share.h"

#define MIB ((uint64_t)1024 * 1024)

/* A network that gives each connection at most lane_rate and all of them at most link_rate. */
struct network
{
    uint64_t lane_rate;
    uint64_t link_rate;
    uint32_t latency_ms; /* until a new connection brings anything */
};

struct simulation
{
    struct do_share share;
    uint64_t now_ms;
    uint64_t received;
    uint64_t left;
    uint64_t joined_ms[16]; /* when each connection gets going */
    uint32_t count;
    uint32_t most;
};

static void begin(struct simulation *simulation, uint64_t size, uint32_t limit)
{
    memset(simulation, 0, sizeof(*simulation));
    do_share_init(&simulation->share, limit);
    simulation->now_ms = 1000;
    simulation->left = size;
}

static void step(struct simulation *simulation, const struct network *network)
{
    uint64_t rate = 0;
    uint64_t bytes;

    while (simulation->count < simulation->share.target)
        simulation->joined_ms[simulation->count++] = simulation->now_ms + network->latency_ms;
    if (simulation->count > simulation->share.target)
        simulation->count = simulation->share.target;
    if (simulation->count > simulation->most)
        simulation->most = simulation->count;
    for (uint32_t i = 0; i < simulation->count; i++)
        rate += simulation->joined_ms[i] <= simulation->now_ms ? network->lane_rate : 0;
    if (rate > network->link_rate)
        rate = network->link_rate;
    bytes = rate * DO_SHARE_LOOK_MS / 1000;
    if (bytes > simulation->left)
        bytes = simulation->left;
    simulation->received += bytes;
    simulation->left -= bytes;
    simulation->now_ms += DO_SHARE_LOOK_MS;
    do_share_look(&simulation->share, simulation->received, simulation->left, network->latency_ms,
        simulation->now_ms);
}

static uint64_t run(struct simulation *simulation, const struct network *network)
{
    uint64_t begin_ms = simulation->now_ms;

    while (simulation->left && simulation->now_ms < begin_ms + 3600000)
        step(simulation, network);
    assert_int_equal(simulation->left, 0);
    return simulation->now_ms - begin_ms;
}

/* Broken: a server that is slow for each connection gets one, or too late the others. */
static void test_share_slow_connections_become_many(void **state)
{
    const struct network network = {2500000, 1000000000, 80};
    struct simulation simulation;
    uint64_t took_ms;

    (void)state;
    begin(&simulation, 512 * MIB, 16);
    took_ms = run(&simulation, &network);
    assert_int_equal(simulation.most, 16);
    /* 13.4 s at best. */
    assert_in_range(took_ms, 13000, 15500);
}

/* Broken: a link that one connection fills is shared by sixteen. */
static void test_share_full_link_stays_with_one(void **state)
{
    const struct network network = {10000000, 10000000, 40};
    struct simulation simulation;

    (void)state;
    begin(&simulation, 200 * MIB, 16);
    for (int i = 0; i < 60; i++)
        step(&simulation, &network);
    assert_int_equal(simulation.share.target, 1);
    assert_int_equal(simulation.most, 4);
}

/* Broken: the number goes past what helps. */
static void test_share_stops_where_it_does_not_help(void **state)
{
    const struct network network = {3000000, 11000000, 40};
    struct simulation simulation;

    (void)state;
    begin(&simulation, 500 * MIB, 16);
    for (int i = 0; i < 100; i++)
        step(&simulation, &network);
    assert_int_equal(simulation.share.target, 4);
    assert_int_equal(simulation.most, 16);
}

/* Broken: a fast connection is disturbed, or a short rest, or the limit is not kept. */
static void test_share_leaves_alone_what_is_fast_or_short(void **state)
{
    const struct network fast = {400000000, 2000000000, 1};
    const struct network slow = {2000000, 1000000000, 1};
    struct simulation simulation;

    (void)state;
    begin(&simulation, 20000 * MIB, 16);
    (void)run(&simulation, &fast);
    assert_int_equal(simulation.most, 1);
    begin(&simulation, 2 * MIB, 16);
    (void)run(&simulation, &slow);
    assert_int_equal(simulation.most, 1);
    begin(&simulation, 200 * MIB, 3);
    (void)run(&simulation, &slow);
    assert_int_equal(simulation.most, 3);
    begin(&simulation, 200 * MIB, 1);
    (void)run(&simulation, &slow);
    assert_int_equal(simulation.most, 1);
}

/* Broken: a connection that stands still from the start is never joined by another. */
static void test_share_nothing_comes_is_a_reason_for_more(void **state)
{
    const struct network network = {0, 1000000000, 40};
    struct simulation simulation;

    (void)state;
    begin(&simulation, 200 * MIB, 16);
    for (int i = 0; i < 30; i++)
        step(&simulation, &network);
    assert_true(simulation.most > 1);
}

/* Broken: what a server refused is tried again at once, or never. */
static void test_share_shrinks_for_a_while(void **state)
{
    const struct network network = {2500000, 1000000000, 40};
    struct simulation simulation;

    (void)state;
    begin(&simulation, 4000 * MIB, 16);
    for (int i = 0; i < 30; i++)
        step(&simulation, &network);
    assert_true(simulation.share.target > 2);
    do_share_shrink(&simulation.share, 2, simulation.now_ms);
    for (int i = 0; i < 250; i++)
    {
        step(&simulation, &network);
        assert_int_equal(simulation.share.target, 2);
    }
    for (int i = 0; i < 100; i++)
        step(&simulation, &network);
    assert_true(simulation.share.target > 2);
    do_share_shrink(&simulation.share, 0, simulation.now_ms);
    assert_int_equal(simulation.share.target, 1);
}

/* Broken: pieces are empty, longer than the gap, or leave crumbs. */
static void test_share_pieces_are_within_the_gap(void **state)
{
    static const uint64_t numbers[] = {
        1, 100, 262143, 262144, 300000, 524288, 1048576, 1500000, 50000000, 5000000000};
    const size_t count = sizeof(numbers) / sizeof(numbers[0]);
    struct do_share share;

    (void)state;
    do_share_init(&share, 16);
    for (share.target = 1; share.target <= 16; share.target *= 4)
    {
        for (size_t i = 0; i < count * count * count; i++)
        {
            uint64_t gap = numbers[i % count];
            uint64_t begin_at = numbers[i / count % count];
            uint64_t piece;

            share.rate = numbers[i / count / count];
            piece = do_share_piece(&share, begin_at, gap, gap * 3);
            assert_in_range(piece, 1, gap);
            if (share.target == 1)
                assert_int_equal(piece, gap);
            if (piece < gap)
            {
                assert_true(gap - piece >= 262144);
                assert_true(piece >= 262144);
            }
            if (piece < gap && piece > MIB)
                assert_int_equal((begin_at + piece) % MIB, 0);
        }
    }
}

/* Broken: a connection that is only slow, new or alone is given up, or a dead one is kept. */
static void test_share_finds_the_stuck_one(void **state)
{
    const struct do_share_lane moving[] = {{50 * MIB, 2000000, 1000, 19900},
        {50 * MIB, 2400000, 1000, 20000}, {50 * MIB, 9999999, 1000, 1000}};
    const struct do_share_lane dead = {10 * MIB, 1000000, 1000, 16900};
    const struct do_share_lane resting = {10 * MIB, 1000000, 1000, 18000};
    const struct do_share_lane fresh = {10 * MIB, 0, 18000, 18000};
    const struct do_share_lane crawling = {10 * MIB, 100000, 1000, 20000};
    const struct do_share_lane almost_done = {100000, 100000, 1000, 20000};

    (void)state;
    assert_true(do_share_is_stuck(&dead, moving, 3, 20000));
    assert_false(do_share_is_stuck(&dead, moving + 2, 1, 20000));
    assert_false(do_share_is_stuck(&dead, NULL, 0, 20000));
    assert_false(do_share_is_stuck(&resting, moving, 3, 20000));
    assert_false(do_share_is_stuck(&fresh, moving, 3, 20000));
    assert_true(do_share_is_stuck(&crawling, moving, 3, 20000));
    assert_false(do_share_is_stuck(&almost_done, moving, 3, 20000));
    assert_false(do_share_is_stuck(&moving[0], moving + 1, 1, 20000));
}

/* Broken: an idle connection leaves the slowest one alone, or takes what is about to be done. */
static void test_share_splits_the_longest(void **state)
{
    struct do_share_lane lanes[] = {
        {20 * MIB, 10000000, 0, 0}, {10 * MIB, 1000000, 0, 0}, {MIB, 100000000, 0, 0}};
    uint64_t keep;
    size_t index;

    (void)state;
    assert_true(do_share_split(lanes, 3, 1000000, &index, &keep));
    assert_int_equal(index, 1);
    assert_in_range(keep, 4 * MIB, 6 * MIB);
    /* Both end together. */
    assert_true(do_share_split(lanes, 3, 3000000, &index, &keep));
    assert_in_range(keep, 2 * MIB, 3 * MIB);
    assert_true(do_share_split(lanes, 3, 0, &index, &keep));
    assert_in_range(keep, 4 * MIB, 6 * MIB);
    lanes[1].rate = 0;
    assert_true(do_share_split(lanes, 3, 1000000, &index, &keep));
    assert_int_equal(index, 1);
    assert_in_range(keep, 262144, 10 * MIB - 262144);
    lanes[1].left_bytes = 400000;
    lanes[0].left_bytes = MIB;
    assert_false(do_share_split(lanes, 3, 1000000, &index, &keep));
    assert_false(do_share_split(lanes, 0, 1000000, &index, &keep));
}

int main(void)
{
    static const struct CMUnitTest share[] = {
        cmocka_unit_test(test_share_slow_connections_become_many),
        cmocka_unit_test(test_share_full_link_stays_with_one),
        cmocka_unit_test(test_share_stops_where_it_does_not_help),
        cmocka_unit_test(test_share_leaves_alone_what_is_fast_or_short),
        cmocka_unit_test(test_share_nothing_comes_is_a_reason_for_more),
        cmocka_unit_test(test_share_shrinks_for_a_while),
        cmocka_unit_test(test_share_pieces_are_within_the_gap),
        cmocka_unit_test(test_share_finds_the_stuck_one),
        cmocka_unit_test(test_share_splits_the_longest),
    };

    return cmocka_run_group_tests(share, NULL, NULL);
}
