/* SPDX-License-Identifier: MIT */
/*
 * Progress. The rate is an exponential mean over about three seconds; bytes that an earlier run
 * fetched are in the bar but not in the rate. A percentage is shown only of a known size.
 */
#include "progress.h"

#include "base/compiler.h"

#include <stdio.h>
#include <string.h>

#define DO_RATE_WINDOW_MS 3000
#define DO_RATE_SAMPLE_MS 500
#define DO_PLAIN_INTERVAL_MS 10000
#define DO_PLAIN_STEP_PERCENT 10
#define DO_LINE_SIZE 256

void do_progress_init(
    struct do_progress *progress, struct do_console *console, enum do_progress_mode mode)
{
    *progress = (struct do_progress){.console = console, .mode = mode};
    if (mode == DO_PROGRESS_AUTO)
        progress->mode = do_console_can_redraw(console) ? DO_PROGRESS_BAR : DO_PROGRESS_PLAIN;
}

void do_progress_format_size(char text[16], uint64_t size_bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)size_bytes / 1024;
    size_t unit = 0;

    if (size_bytes < 1024)
    {
        snprintf(text, 16, "%u B", (unsigned int)size_bytes);
        return;
    }
    while (value >= 1023.95 && unit + 1 < DO_COUNT_OF(units))
    {
        value /= 1024;
        unit++;
    }
    snprintf(text, 16, "%.1f %s", value, units[unit]);
}

static void format_duration(char text[16], uint64_t seconds)
{
    if (seconds >= 360000)
        snprintf(text, 16, "over 99 h");
    else if (seconds >= 3600)
        snprintf(text, 16, "%u:%02u:%02u", (unsigned int)(seconds / 3600),
            (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
    else
        snprintf(text, 16, "%u:%02u", (unsigned int)(seconds / 60), (unsigned int)(seconds % 60));
}

static bool size_is_known(const struct do_progress_state *state)
{
    return state->total != DO_PROGRESS_SIZE_UNKNOWN;
}

static unsigned int percent_of(const struct do_progress_state *state)
{
    if (!size_is_known(state))
        return 0;
    if (state->bytes >= state->total)
        return 100;
    return (unsigned int)((double)state->bytes * 100 / (double)state->total);
}

static void sample_rate(
    struct do_progress *progress, const struct do_progress_state *state, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - progress->sampled_at_ms;
    double weight = (double)elapsed_ms / (double)(elapsed_ms + DO_RATE_WINDOW_MS);
    double rate = 0;

    if (progress->started && elapsed_ms < DO_RATE_SAMPLE_MS)
        return;
    if (progress->started && state->bytes > progress->sampled_bytes)
        rate = (double)(state->bytes - progress->sampled_bytes) * 1000 / (double)elapsed_ms;
    if (progress->rate_bytes_per_s)
        rate = rate * weight + (double)progress->rate_bytes_per_s * (1 - weight);
    progress->rate_bytes_per_s = (uint64_t)rate;
    progress->sampled_bytes = state->bytes;
    progress->sampled_at_ms = now_ms;
}

/* "115.2 MiB of 256.0 MiB  12.3 MiB/s  ETA 0:12", or less of it. */
static void format_numbers(const struct do_progress *progress,
    const struct do_progress_state *state, char *text, size_t size)
{
    char bytes[16];
    char total[16] = "";
    char rate[16];
    char eta[16];
    int length;

    do_progress_format_size(bytes, state->bytes);
    if (size_is_known(state))
        do_progress_format_size(total, state->total);
    length = snprintf(text, size, total[0] ? "%s of %s" : "%s", bytes, total);
    if (length < 0 || (size_t)length >= size)
        return;
    text += length;
    size -= (size_t)length;
    if (state->waiting)
    {
        snprintf(text, size, "  %s", state->waiting);
        return;
    }
    if (!progress->rate_bytes_per_s)
        return;
    do_progress_format_size(rate, progress->rate_bytes_per_s);
    if (!size_is_known(state) || state->bytes >= state->total)
    {
        snprintf(text, size, "  %s/s", rate);
        return;
    }
    /* Rounded up: 0:00 would be over. */
    format_duration(eta, (state->total - state->bytes - 1) / progress->rate_bytes_per_s + 1);
    snprintf(text, size, "  %s/s  ETA %s", rate, eta);
}

static void draw_bar(
    struct do_progress *progress, const struct do_progress_state *state, const char *numbers)
{
    enum
    {
        BAR_LENGTH = 20
    };
    char bar[BAR_LENGTH + 1] = "";
    char line[DO_LINE_SIZE];
    unsigned int percent = percent_of(state);
    unsigned int columns = do_console_width(progress->console) - 1;

    if (columns >= sizeof(line))
        columns = sizeof(line) - 1;
    for (unsigned int i = 0; i < BAR_LENGTH; i++)
        bar[i] = i < percent * BAR_LENGTH / 100 ? '#' : '-';
    if (size_is_known(state))
        snprintf(line, sizeof(line), "%3u%% [%s] %s", percent, bar, numbers);
    else
        snprintf(line, sizeof(line), "%s", numbers);
    /* Padded to the full width, which wipes what the last line had more. */
    do_console_err(progress->console, "\r%-*.*s", (int)columns, (int)columns, line);
    progress->line_is_open = true;
}

static void print_line(
    struct do_progress *progress, const struct do_progress_state *state, const char *numbers)
{
    if (size_is_known(state))
        do_console_err(progress->console, "%u%%  %s\n", percent_of(state), numbers);
    else
        do_console_err(progress->console, "%s\n", numbers);
}

/* A line is due after a time, a step, and when the reason for waiting is another one. */
static bool line_is_due(
    struct do_progress *progress, const struct do_progress_state *state, uint64_t now_ms)
{
    const char *waiting = state->waiting ? state->waiting : "";
    unsigned int percent = percent_of(state);
    bool step = percent >= progress->printed_percent + DO_PLAIN_STEP_PERCENT ||
                (percent == 100 && progress->printed_percent < 100);
    bool reason = waiting[0] && strncmp(progress->printed_waiting, waiting,
                                    sizeof(progress->printed_waiting) - 1);

    if (!step && !reason && now_ms - progress->printed_at_ms < DO_PLAIN_INTERVAL_MS)
        return false;
    progress->printed_at_ms = now_ms;
    progress->printed_percent = percent;
    snprintf(progress->printed_waiting, sizeof(progress->printed_waiting), "%s", waiting);
    return true;
}

void do_progress_update(
    struct do_progress *progress, const struct do_progress_state *state, uint64_t now_ms)
{
    char numbers[DO_LINE_SIZE];

    sample_rate(progress, state, now_ms);
    if (!progress->started)
    {
        progress->started = true;
        progress->printed_at_ms = now_ms;
        progress->printed_percent = percent_of(state);
    }
    if (progress->mode == DO_PROGRESS_NONE)
        return;
    format_numbers(progress, state, numbers, sizeof(numbers));
    if (progress->mode == DO_PROGRESS_BAR)
        draw_bar(progress, state, numbers);
    else if (line_is_due(progress, state, now_ms))
        print_line(progress, state, numbers);
}

void do_progress_end(struct do_progress *progress)
{
    if (progress->line_is_open)
        do_console_err(progress->console, "\n");
    progress->line_is_open = false;
}
