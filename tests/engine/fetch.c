/* SPDX-License-Identifier: MIT */
/*
 * A client of the engine for servers.py: downloads a URL to a file, or to several at the same time,
 * and prints what became of each job. The main thread is the client; the engine is its own.
 *
 *     fetch [OPTION]... URL PATH
 *       --range BEGIN-END   bytes [BEGIN, END), any number of times; without END up to the end
 *       --size N            what the client says of the object's size
 *       --jobs N            N jobs at the same time, to PATH.0, PATH.1 and so on
 *       --proxy HOST:PORT
 *       --any-certificate
 *       --no-retries
 *       --stop-at N         suspends the job when N bytes are there, prints "suspended", and goes
 * on after a line on the standard input
 *
 * Each job gives a line: its state (transferred, error, transient), its code, how often it failed.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "job/engine.h"
#include "job/job.h"
#include "job/job_props.h"
#include "store/queue_db.h"

#define WAIT_MS 60000U
#define LOOK_MS 2U
#define MOST_JOBS 16U
#define MOST_RANGES 64U
#define ANY_CERTIFICATE 0x3300U /* SECURITY_FLAG_IGNORE_*: authority, usage, name, date */

struct arguments
{
    struct do_range ranges[MOST_RANGES];
    size_t range_count;
    uint64_t size;
    size_t jobs;
    const char *proxy;
    bool any_certificate;
    bool no_retries;
    uint64_t stop_at; /* 0 = never */
    const char *url;
    const char *path;
};

static void pause_briefly(void)
{
    const struct timespec pause = {0, LOOK_MS * 1000000L};

    (void)nanosleep(&pause, NULL);
}

static void check(HRESULT hr, const char *what)
{
    if (SUCCEEDED(hr))
        return;
    (void)fprintf(stderr, "fetch: %s: 0x%08x\n", what, (unsigned int)hr);
    exit(1);
}

static void give_up(const char *what)
{
    (void)fprintf(stderr, "fetch: %s\n", what);
    exit(2);
}

static struct do_range read_range(const char *text)
{
    struct do_range range = {0, DO_SIZE_UNKNOWN};
    char *rest;

    range.begin = strtoull(text, &rest, 10);
    if (*rest++ != '-')
        give_up("a range is BEGIN-END");
    if (*rest)
        range.end = strtoull(rest, &rest, 10);
    if (*rest)
        give_up("a range is BEGIN-END");
    return range;
}

/* Takes the option at argv[0]; returns how many words it has. */
static int read_option(struct arguments *arguments, char **argv)
{
    const char *value = argv[1];

    if (!strcmp(argv[0], "--any-certificate"))
    {
        arguments->any_certificate = true;
        return 1;
    }
    if (!strcmp(argv[0], "--no-retries"))
    {
        arguments->no_retries = true;
        return 1;
    }
    if (!value)
        give_up("an option lacks its value");
    else if (!strcmp(argv[0], "--range") && arguments->range_count < MOST_RANGES)
        arguments->ranges[arguments->range_count++] = read_range(value);
    else if (!strcmp(argv[0], "--size"))
        arguments->size = strtoull(value, NULL, 10);
    else if (!strcmp(argv[0], "--jobs"))
        arguments->jobs = (size_t)strtoull(value, NULL, 10);
    else if (!strcmp(argv[0], "--proxy"))
        arguments->proxy = value;
    else if (!strcmp(argv[0], "--stop-at"))
        arguments->stop_at = strtoull(value, NULL, 10);
    else
        give_up("an option is not known");
    return 2;
}

static void read_arguments(struct arguments *arguments, char **argv)
{
    memset(arguments, 0, sizeof(*arguments));
    arguments->size = DO_SIZE_UNKNOWN;
    arguments->jobs = 1;
    argv++;
    while (*argv && !strncmp(*argv, "--", 2))
        argv += read_option(arguments, argv);
    if (!argv[0] || !argv[1] || argv[2] || !arguments->jobs || arguments->jobs > MOST_JOBS)
        give_up("URL and PATH, please");
    arguments->url = argv[0];
    arguments->path = argv[1];
}

static void set(struct do_job *job, enum do_prop id, struct do_value value)
{
    const struct do_setting setting = {(uint32_t)id, value};

    check(do_job_set_values(job, &setting, 1), "a setting is refused");
}

static struct do_job *begin(
    struct do_engine *engine, const struct arguments *arguments, size_t number)
{
    char path[512];
    const struct do_new_file file = {"content", arguments->url, path,
        arguments->range_count ? arguments->ranges : NULL, arguments->range_count, arguments->size};
    struct do_job *job = NULL;

    if (arguments->jobs > 1)
        (void)snprintf(path, sizeof(path), "%s.%zu", arguments->path, number);
    else
        (void)snprintf(path, sizeof(path), "%s", arguments->path);
    check(do_engine_create_job(engine, "fetch", NULL, &job), "no job");
    check(do_job_add_files(job, &file, 1, NULL), "no file");
    set(job, DO_PROP_PROXY_USAGE,
        do_value_of_number(arguments->proxy ? DO_PROXY_OVERRIDE : DO_PROXY_NONE));
    if (arguments->proxy)
        set(job, DO_PROP_PROXY_LIST, do_value_of_text(arguments->proxy));
    if (arguments->any_certificate)
        set(job, DO_PROP_SECURITY_FLAGS, do_value_of_number(ANY_CERTIFICATE));
    if (arguments->no_retries)
        check(do_job_set_no_progress_timeout_s(job, 0), "no time-out");
    check(do_job_resume(job), "no start");
    return job;
}

static bool has_ended(enum do_job_state state)
{
    return state == DO_JOB_TRANSFERRED || state == DO_JOB_ERROR;
}

static void stop_and_go_on(struct do_job *job, uint64_t bytes)
{
    struct do_job_progress progress;
    char line[16];

    for (uint32_t waited = 0;; waited += LOOK_MS)
    {
        do_job_get_progress(job, &progress);
        if (progress.bytes_transferred >= bytes)
            break;
        if (has_ended(do_job_get_state(job)) || waited > WAIT_MS)
            give_up("there is nothing to stop");
        pause_briefly();
    }
    check(do_job_suspend(job), "no stop");
    if (do_job_get_state(job) != DO_JOB_SUSPENDED)
        give_up("the job had ended before it was stopped");
    do_job_get_progress(job, &progress);
    (void)printf("suspended %" PRIu64 "\n", progress.bytes_transferred);
    (void)fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        give_up("nobody says how to go on");
    check(do_job_resume(job), "no resumption");
}

static const char *name_of(enum do_job_state state)
{
    if (state == DO_JOB_TRANSFERRED)
        return "transferred";
    return state == DO_JOB_ERROR ? "error" : "transient";
}

static void end(struct do_job *job)
{
    struct do_job_error error = {S_OK, DO_ERROR_CONTEXT_NONE, NULL};
    enum do_job_state state = do_job_get_state(job);

    for (uint32_t waited = 0; !has_ended(state) && waited < WAIT_MS; waited += LOOK_MS)
    {
        pause_briefly();
        state = do_job_get_state(job);
    }
    (void)do_job_get_error(job, &error);
    (void)printf("%s 0x%08X %u\n", name_of(state), (unsigned int)error.code,
        (unsigned int)do_job_get_error_count(job));
    if (state == DO_JOB_TRANSFERRED)
        check(do_job_complete(job), "cannot be completed");
    else
        check(do_job_cancel(job), "cannot be cancelled");
    do_job_release(job);
}

int main(int argc, char **argv)
{
    struct do_engine_config config;
    struct arguments arguments;
    struct do_job *jobs[MOST_JOBS];
    struct do_engine *engine = NULL;
    char database[600];

    (void)argc;
    read_arguments(&arguments, argv);
    (void)snprintf(database, sizeof(database), "%s.queue/queue.db", arguments.path);
    do_engine_config_init(&config);
    config.database_path = database;
    config.fast_retry_ms = 20;
    config.retry_first_ms = 100;
    config.retry_max_ms = 400;
    config.stall_timeout_s = 10;
    config.max_running_jobs = MOST_JOBS;
    check(do_engine_acquire(&config, &engine), "no engine");
    for (size_t i = 0; i < arguments.jobs; i++)
        jobs[i] = begin(engine, &arguments, i);
    if (arguments.stop_at)
        stop_and_go_on(jobs[0], arguments.stop_at);
    for (size_t i = 0; i < arguments.jobs; i++)
        end(jobs[i]);
    do_engine_release(engine);
    do_engine_wait_gone();
    if (do_alloc_outstanding())
        give_up("allocations are not freed");
    (void)fflush(stdout);
    /*
     * The engine's thread is through with everything, but it need not have ended. libcrypto frees
     * what it keeps for a thread when that ends, unless its own exit handler was earlier: a leak
     * that is none.
     */
    _exit(0);
}
