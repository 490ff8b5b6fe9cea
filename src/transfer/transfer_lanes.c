/* SPDX-License-Identifier: MIT */
/*
 * How many connections a transfer has and who fetches what. The first asks for everything; when
 * more would be faster (share.h) it is cut short, and what is behind is dealt out in pieces. A
 * connection that stands still while others move loses its piece to another one, and an idle one
 * takes over half of the piece that would last longest, so that none holds the file back.
 *
 * A server is asked for ranges only with what it takes to tell versions of the object apart, and
 * the first connection is cut only after a second one was really answered with its range. Loop
 * thread only.
 */
#include "transfer/transfer_internal.h"

#include "base/log.h"

/* The receive buffer of a connection that is not alone, or has little to bring. */
#define LANE_BUFFER_BYTES (256U * 1024)

/* Files of less are read with such a buffer. */
#define SMALL_FILE_BYTES (1U << 20)

/* The only one left has been silent for so long, and the others were not. */
#define LEFT_BEHIND_MS 3000U

/* A lane's rate is an average over about so many looks. */
#define RATE_LOOKS 32

static void look_again(struct do_transfer *transfer)
{
    do_timer_set_on_loop(transfer->env->loop, &transfer->share_timer,
        do_loop_now_on_loop(transfer->env->loop) + DO_SHARE_LOOK_MS);
}

/* Whether several connections can be told to fetch the same thing. */
static bool may_share(const struct do_transfer *transfer)
{
    struct do_validators known;

    if (!transfer->plan.is_resolved || !transfer->answered || !*transfer->part ||
        do_part_file_is_stream(*transfer->part))
        return false;
    do_transfer_get_validators(transfer, &known);
    return !transfer->plan.is_whole || do_validators_if_range(&known)[0];
}

/* What a limit leaves when others have so many: one in any case. */
static uint32_t room_of(uint32_t limit, uint32_t others)
{
    return limit > others ? limit - others : 1;
}

/* Connections of other transfers to the same server. */
static uint32_t others_at_host(const struct do_transfer *transfer)
{
    uint32_t others = transfer->host->lanes;

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        const struct do_lane *lane = transfer->lanes[i];

        if (lane && lane->running && lane->host)
            others--;
    }
    return others;
}

static uint32_t wanted_lanes(const struct do_transfer *transfer)
{
    const struct do_transfer_env *env = transfer->env;
    uint32_t wanted = may_share(transfer) ? transfer->share.target : 1;
    uint32_t room = room_of(env->max_lanes, env->running_lanes - transfer->running_lanes);

    if (transfer->host)
    {
        uint32_t host_room = room_of(env->max_host_lanes, others_at_host(transfer));

        room = host_room < room ? host_room : room;
    }
    if (do_pace_yields_on_loop(&env->pace, transfer->rate_class))
        wanted = 1;
    /* Until a second one is answered with its range there is one on trial. */
    if (!transfer->ranges_proven && wanted > 2)
        wanted = 2;
    return wanted < room ? wanted : room;
}

/* What is here, on its way to the disk or asked for. */
static HRESULT get_taken(const struct do_transfer *transfer, struct do_range_set *taken)
{
    HRESULT hr = do_range_set_copy(taken, &transfer->claimed);

    for (size_t i = 0; i < DO_TRANSFER_LANES && SUCCEEDED(hr); i++)
    {
        const struct do_lane *lane = transfer->lanes[i];

        if (lane && lane->running)
            hr = do_range_set_add(taken, lane->fetch.local_begin, do_lane_local_end(lane));
    }
    return hr;
}

static uint64_t bytes_left(const struct do_lane *lane)
{
    return do_lane_local_end(lane) - lane->fetch.local_begin - lane->received;
}

static uint64_t total_left(const struct do_transfer *transfer)
{
    uint64_t left = do_plan_local_size(&transfer->plan) - do_range_set_size(&transfer->claimed);

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        const struct do_lane *lane = transfer->lanes[i];

        if (lane && lane->block)
            left -= lane->block->length;
    }
    return left;
}

/*
 * The piece that was given out when there were fewer connections is far too long now: where it
 * should end. 0 = there is none.
 */
static struct do_lane *find_long_piece(const struct do_transfer *transfer, uint64_t *cut)
{
    uint64_t left = total_left(transfer);

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        struct do_lane *lane = transfer->lanes[i];
        uint64_t at;
        uint64_t piece;

        if (!lane || !lane->running || !lane->answered)
            continue;
        at = lane->fetch.local_begin + lane->received;
        piece = do_share_piece(&transfer->share, at, bytes_left(lane), left);
        if (!piece || bytes_left(lane) / 3 < piece)
            continue;
        *cut = at + piece;
        return lane;
    }
    return NULL;
}

static void make_fetch(
    const struct do_lane *lane, uint64_t local_begin, uint64_t length, struct do_fetch *fetch)
{
    fetch->local_begin = local_begin;
    fetch->remote_begin = lane->fetch.remote_begin + (local_begin - lane->fetch.local_begin);
    fetch->remote_end = fetch->remote_begin + length;
}

/*
 * The piece on trial: what the first connection would not keep if ranges were known to work. It
 * goes on as if nothing were until the other one is answered.
 */
static bool pick_trial(const struct do_transfer *transfer, struct do_fetch *fetch)
{
    uint64_t cut;
    const struct do_lane *lane = find_long_piece(transfer, &cut);
    uint64_t gap;

    if (!lane)
        return false;
    gap = do_lane_local_end(lane) - cut;
    make_fetch(lane, cut, do_share_piece(&transfer->share, cut, gap, total_left(transfer)), fetch);
    return true;
}

static size_t describe_lanes(const struct do_transfer *transfer, const struct do_lane *except,
    struct do_share_lane *described, struct do_lane **lanes)
{
    size_t count = 0;

    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        struct do_lane *lane = transfer->lanes[i];

        if (!lane || !lane->running || lane == except || do_lane_local_end(lane) == DO_SIZE_UNKNOWN)
            continue;
        /* What is asked for must not change before the answer is compared with it. */
        described[count].left_bytes = lane->answered ? bytes_left(lane) : 0;
        described[count].rate = lane->rate;
        described[count].begin_ms = lane->begin_ms;
        described[count].last_byte_ms = lane->received ? lane->last_byte_ms : 0;
        lanes[count++] = lane;
    }
    return count;
}

/* Everything is asked for: half of the piece that would last longest. */
static bool pick_split(struct do_transfer *transfer, struct do_fetch *fetch)
{
    struct do_share_lane described[DO_TRANSFER_LANES];
    struct do_lane *lanes[DO_TRANSFER_LANES];
    size_t count = describe_lanes(transfer, NULL, described, lanes);
    uint64_t keep_bytes;
    uint64_t end;
    uint64_t cut;
    size_t index;

    if (!transfer->ranges_proven ||
        !do_share_split(
            described, count, transfer->share.rate / (count ? count : 1), &index, &keep_bytes))
        return false;
    end = do_lane_local_end(lanes[index]);
    cut = end - bytes_left(lanes[index]) + keep_bytes;
    make_fetch(lanes[index], cut, end - cut, fetch);
    do_lane_cut(lanes[index], cut);
    return true;
}

/* The next piece that nobody fetches. */
static HRESULT pick_free(const struct do_transfer *transfer, struct do_fetch *fetch, bool *found)
{
    struct do_range_set taken;
    uint64_t left;
    HRESULT hr;

    *found = false;
    do_range_set_init(&taken);
    if (SUCCEEDED(hr = get_taken(transfer, &taken)))
        *found = do_plan_next(&transfer->plan, &taken, fetch);
    if (*found && transfer->answered && fetch->remote_end != DO_SIZE_UNKNOWN)
    {
        left = do_plan_local_size(&transfer->plan) - do_range_set_size(&taken);
        fetch->remote_end =
            fetch->remote_begin + do_share_piece(&transfer->share, fetch->local_begin,
                                      fetch->remote_end - fetch->remote_begin, left);
    }
    do_range_set_finish(&taken);
    return hr;
}

/* The next piece for a connection. S_FALSE: there is none. */
static HRESULT pick(struct do_transfer *transfer, struct do_fetch *fetch)
{
    struct do_lane *lane;
    uint64_t cut;
    bool found;
    HRESULT hr = pick_free(transfer, fetch, &found);

    if (FAILED(hr) || found)
        return hr;
    if (!transfer->running_lanes)
        return S_FALSE;
    if (!transfer->ranges_proven)
        return pick_trial(transfer, fetch) ? S_OK : S_FALSE;
    if ((lane = find_long_piece(transfer, &cut)))
    {
        do_lane_cut(lane, cut);
        if (FAILED(hr = pick_free(transfer, fetch, &found)) || found)
            return hr;
    }
    return pick_split(transfer, fetch) ? S_OK : S_FALSE;
}

/* What the file will bring; while nobody has said it, as much as the file before. */
static uint64_t expected_bytes(const struct do_transfer *transfer)
{
    const struct do_file_record *file = transfer->file;

    if (file->remote_size != DO_SIZE_UNKNOWN)
        return file->remote_size;
    return file->expected_size != DO_SIZE_UNKNOWN ? file->expected_size
                                                  : transfer->env->last_object_bytes;
}

/*
 * How large the receive buffer of a lane may be. libcurl allocates it for each exchange and Wine
 * touches all of it at each read, so that 4 MiB cost a small file 5 ms; and of many transfers, each
 * brings little at a time. What was read for a slow stream waits in memory.
 */
static uint32_t buffer_limit(const struct do_transfer *transfer, size_t index)
{
    if (index || transfer->env->running_lanes || expected_bytes(transfer) < SMALL_FILE_BYTES)
        return LANE_BUFFER_BYTES;
    if (*transfer->part && do_part_file_is_stream(*transfer->part))
        return 2 * LANE_BUFFER_BYTES;
    return UINT32_MAX;
}

static HRESULT idle_lane(struct do_transfer *transfer, struct do_lane **lane)
{
    struct do_request_settings settings = transfer->env->settings;
    uint32_t limit;
    size_t i = 0;

    while (i < DO_TRANSFER_LANES && transfer->lanes[i] && transfer->lanes[i]->running)
        i++;
    *lane = i < DO_TRANSFER_LANES ? transfer->lanes[i] : NULL;
    if (*lane || i == DO_TRANSFER_LANES)
        return *lane ? S_OK : E_UNEXPECTED;
    limit = buffer_limit(transfer, i);
    if (settings.http_buffer_bytes > limit)
        settings.http_buffer_bytes = limit;
    if (settings.https_buffer_bytes > limit)
        settings.https_buffer_bytes = limit;
    if (FAILED(do_lane_create(transfer, &settings, &transfer->lanes[i])))
        return E_OUTOFMEMORY;
    *lane = transfer->lanes[i];
    return S_OK;
}

HRESULT do_transfer_fill_lanes(struct do_transfer *transfer)
{
    uint32_t wanted = wanted_lanes(transfer);
    struct do_fetch fetch;
    struct do_lane *lane;
    HRESULT hr = S_OK;

    while (transfer->running_lanes < wanted)
    {
        if ((hr = pick(transfer, &fetch)) != S_OK || FAILED(hr = idle_lane(transfer, &lane)) ||
            FAILED(hr = do_lane_start(lane, &fetch)))
            break;
    }
    if (!transfer->running_lanes)
        return hr;
    if (do_list_is_empty(&transfer->share_timer.link))
        look_again(transfer);
    return S_OK;
}

/* Lanes are started by the timer: this is called by libcurl, which takes no new requests then. */
static void look_now(struct do_transfer *transfer)
{
    do_timer_set_on_loop(
        transfer->env->loop, &transfer->share_timer, do_loop_now_on_loop(transfer->env->loop));
}

bool do_transfer_lane_answered(
    struct do_transfer *transfer, const struct do_lane *trial, bool with_range)
{
    uint64_t begin = trial->fetch.local_begin;

    if (transfer->running_lanes == 1)
        look_now(transfer);
    /* Who had its piece before may have brought it, and be gone. */
    if (do_range_set_contains(&transfer->claimed, begin, begin + 1))
        return false;
    if (transfer->ranges_proven || !with_range)
        return true;
    transfer->ranges_proven = true;
    look_now(transfer);
    /* The piece on trial is not the first connection's any more, unless that is there already. */
    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        struct do_lane *lane = transfer->lanes[i];
        uint64_t cut = trial->fetch.local_begin;

        if (!lane || lane == trial || !lane->running || cut < lane->fetch.local_begin ||
            cut >= do_lane_local_end(lane))
            continue;
        if (cut <= lane->fetch.local_begin + lane->received)
            return false;
        do_lane_cut(lane, cut);
    }
    return true;
}

/*
 * While others go on, a connection that is refused is one too many. What its answer says of ranges
 * or of another version is believed by asking for no more pieces: servers that share a name differ
 * in such things, and the others fetch what they began with.
 */
bool do_transfer_spares_lane(struct do_transfer *transfer, struct do_lane *lane, HRESULT hr)
{
    bool passes = do_hr_is_transient(hr) || do_hr_http_status(hr);
    bool distrusts = lane->object_changed || lane->refuses_ranges ||
                     hr == DO_E_INSUFFICIENT_RANGE_SUPPORT || hr == DO_E_INVALID_RANGE ||
                     (!transfer->ranges_proven && !passes);

    if (!transfer->running_lanes || hr == E_OUTOFMEMORY || (!distrusts && !passes))
        return false;
    do_log(DO_LOG_INFO, DO_LOG_XFER, "one connection of %u failed: 0x%08x",
        (unsigned int)transfer->running_lanes + 1, (unsigned int)hr);
    if (distrusts)
        do_share_init(&transfer->share, 1);
    else
        do_share_shrink(
            &transfer->share, transfer->running_lanes, do_loop_now_on_loop(transfer->env->loop));
    return true;
}

/* The last one stood still while others came to their ends. */
static bool is_left_behind(
    const struct do_transfer *transfer, const struct do_lane *lane, uint64_t now_ms)
{
    return transfer->running_lanes == 1 && bytes_left(lane) &&
           transfer->ended_ms > lane->last_byte_ms && now_ms - lane->last_byte_ms >= LEFT_BEHIND_MS;
}

/* Drops the connections that hold the file back. */
static HRESULT drop_stuck(struct do_transfer *transfer, uint64_t now_ms)
{
    struct do_share_lane others[DO_TRANSFER_LANES];
    struct do_lane *lanes[DO_TRANSFER_LANES];
    HRESULT hr = S_OK;

    for (size_t i = 0; i < DO_TRANSFER_LANES && SUCCEEDED(hr); i++)
    {
        struct do_lane *lane = transfer->lanes[i];
        struct do_share_lane own;
        size_t count;

        if (!lane || !lane->running || do_lane_local_end(lane) == DO_SIZE_UNKNOWN)
            continue;
        own = (struct do_share_lane){
            bytes_left(lane), lane->rate, lane->begin_ms, lane->last_byte_ms};
        count = describe_lanes(transfer, lane, others, lanes);
        if (!do_share_is_stuck(&own, others, count, now_ms) &&
            !is_left_behind(transfer, lane, now_ms))
            continue;
        do_log(DO_LOG_INFO, DO_LOG_XFER, "a connection stands still, its piece goes to another");
        /* One that never got an answer is one too many. */
        if (!lane->answered)
            do_share_shrink(&transfer->share, transfer->running_lanes - 1, now_ms);
        hr = do_lane_stop(lane);
    }
    return hr;
}

static void measure(struct do_transfer *transfer, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - transfer->looked_ms;
    /* Nobody moves: the way is interrupted, and no single connection is to blame. */
    bool all_silent =
        transfer->running_lanes > 1 && transfer->looked_bytes == transfer->received_bytes;

    if (!transfer->looked_ms)
        elapsed_ms = DO_SHARE_LOOK_MS;
    transfer->looked_bytes = transfer->received_bytes;
    transfer->looked_ms = now_ms;
    for (size_t i = 0; i < DO_TRANSFER_LANES && elapsed_ms; i++)
    {
        struct do_lane *lane = transfer->lanes[i];
        int64_t now;

        if (!lane || !lane->running)
            continue;
        /* One that waits for its turn or for a block does not stand still. */
        if (do_request_waits_for_turn_on_loop(lane->request) ||
            !do_list_is_empty(&lane->paused_link))
            lane->last_byte_ms = now_ms;
        else if (all_silent && lane->last_byte_ms + elapsed_ms <= now_ms)
            lane->last_byte_ms += elapsed_ms;
        now = (int64_t)((lane->received - lane->seen_bytes) * 1000 / elapsed_ms);
        lane->rate =
            lane->seen_bytes
                ? (uint64_t)((int64_t)lane->rate + (now - (int64_t)lane->rate) / RATE_LOOKS)
                : (uint64_t)now;
        lane->seen_bytes = lane->received;
    }
}

static void on_share_timer(void *ctx)
{
    struct do_transfer *transfer = ctx;
    uint64_t now_ms = do_loop_now_on_loop(transfer->env->loop);
    HRESULT hr;

    if (transfer->phase != PHASE_FETCHING)
        return;
    look_again(transfer);
    if (!may_share(transfer))
        return;
    measure(transfer, now_ms);
    /* At a limit of our own more connections bring nothing, and their rates say nothing. */
    if (do_pace_is_held_on_loop(&transfer->env->pace, transfer->rate_class))
    {
        do_share_begin(&transfer->share);
        hr = S_OK;
    }
    else
    {
        do_share_look(&transfer->share, transfer->received_bytes, total_left(transfer),
            transfer->latency_ms, now_ms);
        hr = drop_stuck(transfer, now_ms);
    }
    if (SUCCEEDED(hr))
        hr = do_transfer_fill_lanes(transfer);
    if (FAILED(hr))
        do_transfer_fail(transfer, hr);
}

void do_transfer_stop_lanes(struct do_transfer *transfer)
{
    do_timer_cancel_on_loop(&transfer->share_timer);
    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        /* A failure to queue what a stop may lose is told by the writes' own result. */
        if (transfer->lanes[i])
            (void)do_lane_stop(transfer->lanes[i]);
    }
}

void do_transfer_init_lanes(struct do_transfer *transfer)
{
    do_timer_init(&transfer->share_timer, on_share_timer, transfer);
    do_share_init(&transfer->share, transfer->env->max_file_lanes < DO_TRANSFER_LANES
                                        ? transfer->env->max_file_lanes
                                        : DO_TRANSFER_LANES);
}

void do_transfer_destroy_lanes(struct do_transfer *transfer)
{
    for (size_t i = 0; i < DO_TRANSFER_LANES; i++)
    {
        do_lane_destroy(transfer->lanes[i]);
        transfer->lanes[i] = NULL;
    }
}
