/* SPDX-License-Identifier: MIT */
/*
 * How many connections, and what each fetches. Pure.
 */
#include "transfer/share.h"

#include <string.h>

#include "transfer/block.h"

/* The number of connections grows by this factor as long as that pays. */
#define GROWTH 4U

/* A rise pays when it brings so much more, in percent of the rate before. */
#define WORTH_PERCENT 130U

/* One connection that is as fast as this is not what limits the transfer. */
#define FAST_ENOUGH ((uint64_t)96 * 1024 * 1024)

/* What takes less than this is not worth another connection. */
#define SHORT_MS 1500U

/* A window lasts for some answers of the server, within these limits. */
#define WINDOW_ANSWERS 4U
#define WINDOW_LEAST_MS 200U
#define WINDOW_MOST_MS 2000U

/* After a rise that brought nothing. */
#define SETTLED_MS 30000U

/* A piece lasts so long: waiting for an answer between two of them is then a percent of it or less.
 */
#define PIECE_MS 8000U
#define PIECE_LEAST ((uint64_t)256 * 1024)

/* A connection without a byte for so long, while others move, is given up; so is one that would
 * take SLOW_LEFT_MS for the rest of its piece at less than a SLOW_FACTOR-th of their rate. */
#define STUCK_MS 3000U
#define MOVING_MS 1000U
#define SLOW_FACTOR 8U
#define SLOW_LEFT_MS 6000U

/* A piece that lasts longer than this is split when a connection is idle. */
#define SPLIT_MS 2000U

void do_share_init(struct do_share *share, uint32_t limit)
{
    memset(share, 0, sizeof(*share));
    share->limit = limit ? limit : 1;
    share->target = 1;
}

void do_share_begin(struct do_share *share)
{
    share->begin_ms = 0;
    share->measures = false;
    share->target_before = 0;
}

static uint64_t per_second(uint64_t bytes, uint64_t ms)
{
    if (!ms)
        ms = 1;
    return bytes > UINT64_MAX / 1000 ? bytes / ms * 1000 : bytes * 1000 / ms;
}

static uint64_t in_ms(uint64_t bytes, uint64_t rate)
{
    if (!rate)
        return UINT64_MAX;
    return bytes > UINT64_MAX / 1000 ? UINT64_MAX : bytes * 1000 / rate;
}

static void settle(struct do_share *share, uint32_t target, uint64_t now_ms)
{
    share->target = target;
    share->target_before = 0;
    share->settled_until_ms = now_ms + SETTLED_MS;
}

/* One window is over: its rate decides. Whether there are to be more connections. */
static bool decide(struct do_share *share, uint64_t left_bytes, uint64_t now_ms)
{
    if (share->target_before)
    {
        if (!share->rate || share->rate < share->rate_before * WORTH_PERCENT / 100)
        {
            settle(share, share->target_before, now_ms);
            return false;
        }
        share->target_before = 0;
    }
    if (share->target >= share->limit || now_ms < share->settled_until_ms ||
        share->rate >= FAST_ENOUGH || in_ms(left_bytes, share->rate) < SHORT_MS)
        return false;
    share->target_before = share->target;
    /* A window that caught a bad moment makes every rise look good. */
    share->rate_before =
        share->rate > share->rate_of_previous ? share->rate : share->rate_of_previous;
    share->target *= GROWTH;
    if (share->target > share->limit)
        share->target = share->limit;
    return true;
}

void do_share_look(struct do_share *share, uint64_t received_bytes, uint64_t left_bytes,
    uint32_t latency_ms, uint64_t now_ms)
{
    uint64_t window_ms = (uint64_t)latency_ms * WINDOW_ANSWERS;

    if (window_ms < WINDOW_LEAST_MS)
        window_ms = WINDOW_LEAST_MS;
    if (window_ms > WINDOW_MOST_MS)
        window_ms = WINDOW_MOST_MS;
    if (now_ms < share->begin_ms)
        return;
    if (!share->measures)
    {
        share->measures = true;
        share->begin_ms = now_ms;
        share->begin_bytes = received_bytes;
        return;
    }
    if (now_ms - share->begin_ms < window_ms)
        return;
    share->rate_of_previous = share->rate;
    share->rate = per_second(received_bytes - share->begin_bytes, now_ms - share->begin_ms);
    share->begin_ms = now_ms;
    share->begin_bytes = received_bytes;
    if (!decide(share, left_bytes, now_ms))
        return;
    /* New connections need a while to get going. */
    share->measures = false;
    share->begin_ms = now_ms + window_ms / 2;
}

void do_share_shrink(struct do_share *share, uint32_t running, uint64_t now_ms)
{
    settle(share, running ? running : 1, now_ms);
}

uint64_t do_share_piece(
    const struct do_share *share, uint64_t begin, uint64_t gap_bytes, uint64_t left_bytes)
{
    uint64_t length;
    uint64_t fair;
    uint64_t over;

    if (share->target <= 1)
        return gap_bytes;
    length = share->rate / share->target / 1000 * PIECE_MS;
    fair = left_bytes / share->target;
    if (length > fair)
        length = fair;
    if (length < PIECE_LEAST)
        length = PIECE_LEAST;
    /* Whole blocks, when it is more than one. */
    over = (begin + length) % DO_BLOCK_SIZE;
    if (length > DO_BLOCK_SIZE && length > over)
        length -= over;
    /* No crumb is left over. */
    return length >= gap_bytes || gap_bytes - length < PIECE_LEAST ? gap_bytes : length;
}

bool do_share_is_stuck(const struct do_share_lane *lane, const struct do_share_lane *others,
    size_t other_count, uint64_t now_ms)
{
    uint64_t average = 0;
    size_t moving = 0;

    if (now_ms - lane->begin_ms < STUCK_MS)
        return false;
    for (size_t i = 0; i < other_count; i++)
    {
        if (now_ms - others[i].last_byte_ms > MOVING_MS)
            continue;
        average += others[i].rate;
        moving++;
    }
    if (!moving)
        return false;
    average /= moving;
    if (now_ms - lane->last_byte_ms >= STUCK_MS)
        return true;
    return lane->rate < average / SLOW_FACTOR && in_ms(lane->left_bytes, lane->rate) > SLOW_LEFT_MS;
}

bool do_share_split(const struct do_share_lane *lanes, size_t count, uint64_t own_rate,
    size_t *index, uint64_t *keep_bytes)
{
    uint64_t longest_ms = SPLIT_MS;
    bool found = false;

    for (size_t i = 0; i < count; i++)
    {
        uint64_t left_ms = in_ms(lanes[i].left_bytes, lanes[i].rate);

        if (lanes[i].left_bytes < 2 * PIECE_LEAST || left_ms <= longest_ms)
            continue;
        longest_ms = left_ms;
        *index = i;
        found = true;
    }
    if (!found)
        return false;
    /* Both end together: by their rates, and by halves when one of them is not known. */
    *keep_bytes = lanes[*index].left_bytes / 2;
    if (own_rate && lanes[*index].rate < UINT64_MAX / 1024 - own_rate)
        *keep_bytes = lanes[*index].left_bytes / 1024 *
                      (lanes[*index].rate * 1024 / (lanes[*index].rate + own_rate));
    if (*keep_bytes < PIECE_LEAST)
        *keep_bytes = PIECE_LEAST;
    if (*keep_bytes > lanes[*index].left_bytes - PIECE_LEAST)
        *keep_bytes = lanes[*index].left_bytes - PIECE_LEAST;
    return true;
}
