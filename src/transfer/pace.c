/* SPDX-License-Identifier: MIT */
/*
 * The engine's pace: token buckets (base/rate.h) with a queue before each, and the look, four times
 * a second while transfers run, at who moves and how fast. Loop thread only.
 */
#include "transfer/pace.h"

#include <string.h>

/* Without a byte of foreground for so long background is let go on. */
#define MOVING_MS 1000U

/* A limit that made somebody wait so recently is what holds its class. */
#define HELD_MS 1000U

/* A turn is given that soon after the last one at most, when the limit allows it. */
#define TURN_MS 1U

/* Larger reads than a limit's own are cheap, since bytes are taken out of them bit by bit; they
 * are as small as do_rate_read_bytes says only for limits below 64 KiB/s. */
#define BUFFER_BYTES (256U * 1024)
#define SMALL_LIMIT ((uint64_t)64 * 1024)

/* An estimate of the link that grew by less is not told. */
#define GROWTH_PERCENT 110U

static uint64_t now_of(const struct do_pace *pace)
{
    return do_loop_now_on_loop(pace->loop);
}

static void set_turn_timer(struct do_pace *pace, enum do_rate_class which)
{
    uint64_t now_ms = now_of(pace);
    uint32_t delay_ms = do_rate_shares_delay_ms(&pace->shares, which, now_ms);

    do_timer_set_on_loop(
        pace->loop, &pace->turn_timers[which], now_ms + (delay_ms > TURN_MS ? delay_ms : TURN_MS));
}

/*
 * One at a time: who is let on reads in this round or the next, and what it leaves is for the next
 * in line. All at once would be first come, first served, in libcurl's order, every time.
 */
static void give_turn(struct do_pace *pace, enum do_rate_class which)
{
    struct do_list *link;

    if (do_pace_may_read_on_loop(pace, which) && (link = do_list_pop(&pace->waiting[which])))
    {
        struct do_loop_op *op = DO_LIST_ENTRY(link, struct do_loop_op, link);

        op->function(op->ctx);
    }
    if (!do_list_is_empty(&pace->waiting[which]))
        set_turn_timer(pace, which);
}

static void on_foreground_turn(void *ctx)
{
    give_turn(ctx, DO_RATE_FOREGROUND);
}

static void on_background_turn(void *ctx)
{
    give_turn(ctx, DO_RATE_BACKGROUND);
}

/* Makes the bucket of a class what its limit and foreground want it to be. */
static void apply(struct do_pace *pace, enum do_rate_class which)
{
    uint64_t limit = pace->limits[which];

    if (do_pace_yields_on_loop(pace, which) && (!limit || limit > DO_PACE_TRICKLE))
        limit = DO_PACE_TRICKLE;
    if (limit != pace->shares.own[which].limit_bytes_per_s)
        do_rate_set(&pace->shares.own[which], limit, now_of(pace));
    pace->is_limited[which] = limit != 0;
    if (!do_list_is_empty(&pace->waiting[which]))
        set_turn_timer(pace, which);
}

/* Where foreground moves, background yields. */
static void look_for_foreground(struct do_pace *pace, uint64_t now_ms)
{
    bool yields;

    if (pace->received[DO_RATE_FOREGROUND] != pace->seen_foreground)
    {
        pace->seen_foreground = pace->received[DO_RATE_FOREGROUND];
        pace->moved_ms = now_ms;
    }
    yields = pace->transfers[DO_RATE_FOREGROUND] && pace->moved_ms &&
             now_ms - pace->moved_ms < MOVING_MS;
    if (yields == pace->yields)
        return;
    pace->yields = yields;
    apply(pace, DO_RATE_BACKGROUND);
}

/* The best rate of a whole window. What limits made of it is no less true of the link. */
static void measure_link(struct do_pace *pace, uint64_t now_ms)
{
    uint64_t bytes = pace->received[DO_RATE_FOREGROUND] + pace->received[DO_RATE_BACKGROUND];
    uint64_t since_ms = pace->looks[pace->next_look].at_ms;
    uint64_t since_bytes = pace->looks[pace->next_look].bytes;
    uint64_t rate;

    pace->looks[pace->next_look].at_ms = now_ms;
    pace->looks[pace->next_look].bytes = bytes;
    pace->next_look = (pace->next_look + 1) % DO_PACE_LOOKS;
    if (!since_ms || now_ms - since_ms < (uint64_t)DO_PACE_LOOK_MS * DO_PACE_LOOKS)
        return;
    rate = (bytes - since_bytes) / (now_ms - since_ms) * 1000;
    if (rate / GROWTH_PERCENT * 100 < pace->link_bytes_per_s || !rate)
        return;
    pace->link_bytes_per_s = rate;
    pace->on_link(pace->ctx);
}

static void on_look(void *ctx)
{
    struct do_pace *pace = ctx;
    uint64_t now_ms = now_of(pace);

    look_for_foreground(pace, now_ms);
    measure_link(pace, now_ms);
    if (pace->transfers[DO_RATE_FOREGROUND] || pace->transfers[DO_RATE_BACKGROUND])
        do_timer_set_on_loop(pace->loop, &pace->look_timer, now_ms + DO_PACE_LOOK_MS);
}

void do_pace_init(struct do_pace *pace, struct do_loop *loop, do_loop_fn on_link, void *ctx)
{
    static const do_loop_fn turns[DO_RATE_CLASSES] = {
        [DO_RATE_FOREGROUND] = on_foreground_turn, [DO_RATE_BACKGROUND] = on_background_turn};

    memset(pace, 0, sizeof(*pace));
    pace->loop = loop;
    pace->on_link = on_link;
    pace->ctx = ctx;
    do_rate_shares_init(&pace->shares, 0);
    for (int i = 0; i < DO_RATE_CLASSES; i++)
    {
        do_list_init(&pace->waiting[i]);
        do_timer_init(&pace->turn_timers[i], turns[i], pace);
    }
    do_timer_init(&pace->look_timer, on_look, pace);
}

void do_pace_set_limit_on_loop(struct do_pace *pace, enum do_rate_class which, uint64_t bytes_per_s)
{
    pace->limits[which] = bytes_per_s;
    apply(pace, which);
}

void do_pace_begin_on_loop(struct do_pace *pace, enum do_rate_class which)
{
    bool was_idle = !pace->transfers[DO_RATE_FOREGROUND] && !pace->transfers[DO_RATE_BACKGROUND];

    pace->transfers[which]++;
    if (!was_idle || !do_list_is_empty(&pace->look_timer.link))
        return;
    /* A window with a pause in it tells nothing of the link. */
    memset(pace->looks, 0, sizeof(pace->looks));
    do_timer_set_on_loop(pace->loop, &pace->look_timer, now_of(pace) + DO_PACE_LOOK_MS);
}

void do_pace_end_on_loop(struct do_pace *pace, enum do_rate_class which)
{
    pace->transfers[which]--;
    /* In the next round: a job's next file may follow at once. */
    if (which == DO_RATE_FOREGROUND && !pace->transfers[which] && pace->yields)
        do_timer_set_on_loop(pace->loop, &pace->look_timer, 0);
}

bool do_pace_may_read_on_loop(struct do_pace *pace, enum do_rate_class which)
{
    return do_rate_shares_allowance(&pace->shares, which, now_of(pace)) != 0;
}

void do_pace_spend_on_loop(struct do_pace *pace, enum do_rate_class which, uint64_t bytes)
{
    do_rate_shares_spend(&pace->shares, which, bytes, now_of(pace));
}

void do_pace_wait_on_loop(struct do_pace *pace, enum do_rate_class which, struct do_loop_op *op)
{
    do_list_remove(&op->link);
    do_list_add_tail(&pace->waiting[which], &op->link);
    pace->waited_ms[which] = now_of(pace);
    if (do_list_is_empty(&pace->turn_timers[which].link))
        set_turn_timer(pace, which);
}

bool do_pace_is_held_on_loop(const struct do_pace *pace, enum do_rate_class which)
{
    return pace->is_limited[which] && pace->waited_ms[which] &&
           now_of(pace) - pace->waited_ms[which] < HELD_MS;
}

bool do_pace_yields_on_loop(const struct do_pace *pace, enum do_rate_class which)
{
    return which == DO_RATE_BACKGROUND && pace->yields;
}

uint32_t do_pace_buffer_bytes_on_loop(
    const struct do_pace *pace, enum do_rate_class which, uint32_t most_bytes)
{
    uint64_t limit = pace->limits[which];
    uint32_t bytes = do_rate_read_bytes(limit, most_bytes);
    uint32_t least = most_bytes < BUFFER_BYTES ? most_bytes : BUFFER_BYTES;

    return limit >= SMALL_LIMIT && bytes < least ? least : bytes;
}
