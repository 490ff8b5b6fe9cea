/* SPDX-License-Identifier: MIT */
/*
 * Several processes over one queue. A child is this program again, called with --child: it does
 * what it reads from its standard input, one line a command, and answers each with one line.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "job/download.h"
#include "plat/plat.h"
#include "support/support.h"

#define MAX_CHILDREN 8U
#define MAX_CHAOS_JOBS 64U
#define JOBS_PER_CHILD 3U
#define CHAOS_MS 5000U
#define CHAOS_SIZE 1500000U

extern char **environ;

struct child
{
    pid_t pid;
    FILE *to;
    FILE *from;
};

/* All that are started, so that none is left behind by a test that fails. */
static struct child children[MAX_CHILDREN];
static size_t child_count;

/* The child */

static void format_id(struct do_guid id, char *text)
{
    for (size_t i = 0; i < sizeof(id.bytes); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", id.bytes[i]);
}

static struct do_guid parse_id(const char *text)
{
    struct do_guid id;

    for (size_t i = 0; i < sizeof(id.bytes); i++)
    {
        unsigned int byte = 0;

        (void)sscanf(text + 2 * i, "%2x", &byte);
        id.bytes[i] = (uint8_t)byte;
    }
    return id;
}

static HRESULT rewind_nothing(struct do_stream *stream)
{
    (void)stream;
    return S_OK;
}

static HRESULT write_nothing(struct do_stream *stream, const void *data, size_t length)
{
    (void)stream;
    (void)data;
    (void)length;
    return S_OK;
}

static void destroy_nothing(struct do_stream *stream)
{
    (void)stream;
}

/* A job whose file goes to a stream of this process. */
static HRESULT add_stream_job(const char *url, char *answer)
{
    static const struct do_stream_class class = {
        rewind_nothing, write_nothing, rewind_nothing, destroy_nothing};
    static struct do_stream stream;
    const struct do_new_file file = {"content", url, NULL, NULL, 0, DO_SIZE_UNKNOWN};
    struct do_job *job;
    HRESULT hr;

    do_stream_init(&stream, &class);
    if (FAILED(hr = do_engine_create_job(test_engine(), "stream", NULL, &job)))
        return hr;
    format_id(do_job_get_id(job), answer);
    if (SUCCEEDED(hr = do_job_add_files(job, &file, 1, NULL)) &&
        SUCCEEDED(hr = do_job_file_set_stream(do_job_get_file(job, 0), &stream)))
        hr = do_job_resume(job);
    do_job_release(job);
    return hr;
}

static HRESULT add_job(const char *name, const char *url, const char *path, char *answer)
{
    const struct do_new_file file = {"content", url, path, NULL, 0, DO_SIZE_UNKNOWN};
    struct do_job *job;
    HRESULT hr;

    if (FAILED(hr = do_engine_create_job(test_engine(), name, NULL, &job)))
        return hr;
    format_id(do_job_get_id(job), answer);
    if (SUCCEEDED(hr = do_job_add_files(job, &file, 1, NULL)))
        hr = do_job_resume(job);
    do_job_release(job);
    return hr;
}

static HRESULT call_job(const char *verb, struct do_job *job, const char *argument)
{
    if (!strcmp(verb, "suspend"))
        return do_job_suspend(job);
    if (!strcmp(verb, "resume"))
        return do_job_resume(job);
    if (!strcmp(verb, "cancel"))
        return do_job_cancel(job);
    if (!strcmp(verb, "complete"))
        return do_job_complete(job);
    if (!strcmp(verb, "finish"))
    {
        (void)test_wait(job, TEST_ENDED);
        return do_job_complete(job);
    }
    return do_job_set_display_name(job, argument);
}

/* Calls at random on jobs at random, whoever runs them. How many were given up as victims. */
static unsigned int make_chaos(unsigned int seed, unsigned int *refused)
{
    uint64_t end_ms = do_clock_ms() + CHAOS_MS;
    unsigned int cancelled = 0;

    *refused = 0;
    while (do_clock_ms() < end_ms)
    {
        static const char *const verbs[] = {"suspend", "resume", "resume", "name"};
        struct do_job **jobs;
        size_t count;

        if (FAILED(do_engine_list_jobs(test_engine(), DO_JOB_KIND_LEGACY, &jobs, &count)))
            continue;
        if (count)
        {
            struct do_job *job = jobs[(unsigned int)rand_r(&seed) % count];
            const char *verb = verbs[(unsigned int)rand_r(&seed) % DO_COUNT_OF(verbs)];
            char *name = NULL;
            HRESULT hr;

            if (SUCCEEDED(do_job_get_display_name(job, &name)) && !strcmp(name, "victim"))
                verb = "cancel";
            do_free(name);
            hr = call_job(verb, job, "renamed");
            cancelled += !strcmp(verb, "cancel") && SUCCEEDED(hr) ? 1U : 0U;
            *refused += hr == DO_HR_LOCK_VIOLATION ? 1U : 0U;
            if (FAILED(hr) && hr != DO_HR_LOCK_VIOLATION && hr != DO_E_INVALID_STATE)
                (void)fprintf(stderr, "%s: 0x%08x\n", verb, (unsigned int)hr);
        }
        for (size_t i = 0; i < count; i++)
            do_job_release(jobs[i]);
        do_free(jobs);
        test_pause_ms((unsigned int)rand_r(&seed) % 50);
    }
    return cancelled;
}

/* A call on a job that was got by its id; "state" only reads. */
static void do_job_command(const char *verb, const char *id_text, const char *argument)
{
    struct do_guid id = parse_id(id_text);
    struct do_job_progress progress;
    struct do_job *job;
    HRESULT hr = do_engine_get_job(test_engine(), &id, &job);

    if (FAILED(hr))
        printf("0x%08x\n", (unsigned int)hr);
    else if (!strcmp(verb, "state"))
    {
        do_job_get_progress(job, &progress);
        printf("%d %llu\n", (int)do_job_get_state(job),
            (unsigned long long)progress.bytes_transferred);
    }
    else
        printf("0x%08x\n", (unsigned int)call_job(verb, job, argument));
    do_job_release(job);
}

/* How many there are, and how the last one could be ended. */
static void end_downloads(bool aborts)
{
    struct do_job **jobs = NULL;
    HRESULT hr = E_FAIL;
    size_t count = 0;

    (void)do_engine_list_jobs(test_engine(), DO_JOB_KIND_DOWNLOAD, &jobs, &count);
    for (size_t i = 0; i < count; i++)
    {
        hr = aborts ? do_download_abort(jobs[i]) : do_download_finalize(jobs[i]);
        do_job_release(jobs[i]);
    }
    do_free(jobs);
    printf("%zu 0x%08x\n", count, (unsigned int)hr);
}

static void do_command(const char *verb, const char *first, const char *second, const char *third)
{
    char answer[64] = "-";
    unsigned int refused;

    if (!strcmp(verb, "add"))
    {
        HRESULT hr = add_job(first, second, third, answer);

        printf("0x%08x %s\n", (unsigned int)hr, answer);
    }
    else if (!strcmp(verb, "add-stream"))
    {
        HRESULT hr = add_stream_job(first, answer);

        printf("0x%08x %s\n", (unsigned int)hr, answer);
    }
    else if (!strcmp(verb, "chaos"))
    {
        unsigned int cancelled = make_chaos((unsigned int)strtoul(first, NULL, 10), &refused);

        printf("%u %u\n", cancelled, refused);
    }
    else if (!strcmp(verb, "downloads"))
        end_downloads(false);
    else if (!strcmp(verb, "abort-downloads"))
        end_downloads(true);
    else if (!strcmp(verb, "let-go"))
    {
        test_engine_stop();
        printf("gone\n");
    }
    else
        do_job_command(verb, first, second);
}

static int child_main(const char *folder, const char *port)
{
    char line[2048];

    test_adopt(folder, (uint16_t)strtoul(port, NULL, 10));
    test_config()->max_file_connections = 1;
    if (FAILED(test_engine_start()))
        return 1;
    printf("ready\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin))
    {
        char verb[32] = "";
        char first[1024] = "";
        char second[1024] = "";
        char third[512] = "";

        (void)sscanf(line, "%31s %1023s %1023s %511s", verb, first, second, third);
        do_command(verb, first, second, third);
        (void)fflush(stdout);
    }
    return 0;
}

/* Children, from the parent's side */

static void read_answer(const struct child *child, char *answer, size_t size)
{
    if (!fgets(answer, (int)size, child->from))
        fail_msg("a child has no answer");
}

static void tell_child(const struct child *child, const char *command)
{
    assert_true(fprintf(child->to, "%s\n", command) > 0);
    assert_int_equal(fflush(child->to), 0);
}

/* The answer begins with a number: an HRESULT, a state. */
static long long ask_child(const struct child *child, const char *command, char *rest)
{
    char answer[256];
    char *end;
    long long number;

    tell_child(child, command);
    read_answer(child, answer, sizeof(answer));
    number = strtoll(answer, &end, 0);
    if (rest)
        (void)sscanf(end, "%255s", rest);
    return number;
}

static struct child *start_child(void)
{
    char self[] = "/proc/self/exe";
    char option[] = "--child";
    char folder[400];
    char port[16];
    char answer[16];
    char *arguments[] = {self, option, folder, port, NULL};
    struct child *child = &children[child_count];
    posix_spawn_file_actions_t actions;
    int in[2];
    int out[2];

    assert_in_range(child_count, 0, MAX_CHILDREN - 1);
    (void)snprintf(folder, sizeof(folder), "%s", test_folder());
    (void)snprintf(port, sizeof(port), "%u", (unsigned int)test_server_port());
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawn(&child->pid, self, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    child->to = fdopen(in[1], "w");
    child->from = fdopen(out[0], "r");
    child_count++;
    read_answer(child, answer, sizeof(answer));
    return child;
}

static void reap(struct child *child)
{
    if (child->to)
        (void)fclose(child->to);
    if (child->from)
        (void)fclose(child->from);
    if (child->pid)
        (void)waitpid(child->pid, NULL, 0);
    memset(child, 0, sizeof(*child));
}

static void kill_child(struct child *child)
{
    (void)kill(child->pid, SIGKILL);
    reap(child);
}

/* The server's rates are of a connection. */
static int setup(void **state)
{
    int result = test_engine_setup(state);

    if (!result)
        test_one_connection();
    return result;
}

static int teardown(void **state)
{
    while (child_count)
    {
        struct child *child = &children[--child_count];

        if (child->pid)
            kill_child(child);
    }
    return test_engine_teardown(state);
}

#define PROCESS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* A job of the child's, running. */
static struct do_guid add_to(const struct child *child, const char *name, const char *file_name,
    const char *query, struct test_file *file)
{
    char command[2048];
    char id[256] = "";

    *file = test_file(file_name, query);
    (void)snprintf(command, sizeof(command), "add %s %s %s", name, file->url, file->path);
    assert_hr(S_OK, (HRESULT)ask_child(child, command, id));
    return parse_id(id);
}

static long long ask_about(
    const struct child *child, const char *verb, struct do_guid id, char *rest)
{
    char command[128];
    char text[40];

    format_id(id, text);
    (void)snprintf(command, sizeof(command), "%s %s renamed", verb, text);
    return ask_child(child, command, rest);
}

static HRESULT call_in(const struct child *child, const char *verb, struct do_guid id)
{
    return (HRESULT)ask_about(child, verb, id, NULL);
}

/* A state, or a failure. Gives up when the child still shows another one after 1.5 s. */
static void wait_shown(const struct child *child, struct do_guid id, HRESULT state)
{
    uint64_t end_ms = do_clock_ms() + 1500;
    HRESULT shown;

    while ((shown = call_in(child, "state", id)) != state && do_clock_ms() < end_ms)
        test_pause_ms(20);
    assert_hr(state, shown);
}

static struct do_job *get_job(struct do_guid id)
{
    struct do_job *job;

    assert_ok(do_engine_get_job(test_engine(), &id, &job));
    return job;
}

static uint64_t bytes_of(struct do_job *job)
{
    struct do_job_progress progress;

    do_job_get_progress(job, &progress);
    return progress.bytes_transferred;
}

static uint64_t sent_for(const char *server_path)
{
    static struct test_request requests[256];
    size_t count = test_requests(server_path, 0, requests, DO_COUNT_OF(requests));
    uint64_t sent = 0;

    for (size_t i = 0; i < count; i++)
        sent += requests[i].sent;
    return sent;
}

/* Broken: a process does not see the jobs of another, or sees them as they were long ago. */
static void test_processes_see_each_others_jobs(void **state)
{
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=8m&rate=2m", &file);
    struct do_job *job = test_only_job();
    struct do_job *again = get_job(id);
    uint64_t now[64];
    size_t count = 0;
    char *name;

    (void)state;
    assert_ptr_equal(job, again);
    do_job_release(again);
    assert_true(do_job_state_is_active(do_job_get_state(job)));
    assert_ok(do_job_get_display_name(job, &name));
    assert_string_equal(name, "theirs");
    do_free(name);
    assert_int_equal(do_job_get_file_count(job), 1);
    /* What the child had a second and a half ago is seen here. */
    while (do_job_get_state(job) != DO_JOB_TRANSFERRED && count < DO_COUNT_OF(now))
    {
        char bytes[256] = "0";

        (void)ask_about(child, "state", id, bytes);
        now[count] = strtoull(bytes, NULL, 10);
        if (count >= 15)
            assert_true(bytes_of(job) >= now[count - 15]);
        count++;
        test_pause_ms(100);
    }
    assert_in_range(count, 20, DO_COUNT_OF(now) - 1);
    assert_int_equal(ask_about(child, "state", id, NULL), DO_JOB_TRANSFERRED);
    assert_int_equal(bytes_of(job), TEST_MIB(8));
    assert_true(sent_for(file.server_path) <= TEST_MIB(8));
}

/* Broken: a job is transferred twice, or lost, when another process stops it and it goes on. */
static void test_processes_stop_and_go_on(void **state)
{
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=4m&rate=2m", &file);
    struct do_job *job = test_only_job();
    char *name;

    (void)state;
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_suspend(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    wait_shown(child, id, DO_JOB_SUSPENDED);
    assert_hr(S_OK, call_in(child, "name", id));
    assert_hr(S_OK, call_in(child, "resume", id));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_ok(do_job_get_display_name(job, &name));
    assert_string_equal(name, "renamed");
    do_free(name);
    test_complete(job, &file, 1, TEST_MIB(4));
    wait_shown(child, id, DO_E_JOB_NOT_FOUND);
    /* What was in blocks when it was stopped is written, not fetched again. */
    assert_true(sent_for(file.server_path) <= TEST_MIB(4) + TEST_MIB(1));
}

/* Broken: a name set from elsewhere stops a download for good. */
static void test_processes_running_job_moves_and_runs_on(void **state)
{
    struct test_file file;
    struct child *child = start_child();
    struct do_job *job;

    (void)state;
    (void)add_to(child, "theirs", "file", "size=4m&rate=2m", &file);
    job = test_only_job();
    test_wait_bytes(job, TEST_MIB(1));
    assert_ok(do_job_set_display_name(job, "mine"));
    assert_true(do_job_state_is_active(do_job_get_state(job)));
    kill_child(child);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
}

/* Broken: Cancel from another process leaves the job, its file, or its owner running. */
static void test_processes_cancel_each_others_jobs(void **state)
{
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=16m&rate=2m", &file);
    struct do_job *job = test_only_job();
    uint64_t sent;

    (void)state;
    test_wait_bytes(job, 1);
    assert_ok(do_job_cancel(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_CANCELLED);
    assert_hr(DO_E_INVALID_STATE, do_job_resume(job));
    assert_int_equal(test_temp_files(), 0);
    wait_shown(child, id, DO_E_JOB_NOT_FOUND);
    assert_int_equal(test_job_count(), 0);
    test_pause_ms(300);
    sent = sent_for(file.server_path);
    test_pause_ms(1000);
    assert_int_equal(sent_for(file.server_path), sent);
}

/* Broken: who holds a job that another process ends waits for it for ever, or gets it wrong. */
static void test_processes_see_the_end_of_a_job(void **state)
{
    /* Completed in good time, completed at once, cancelled when whole, cancelled before. */
    static const struct
    {
        const char *name;
        const char *query;
        bool waits;
        const char *verb;
        enum do_job_state end;
    } rows[] = {
        {"done", "size=70000", true, "complete", DO_JOB_ACKNOWLEDGED},
        {"fast", "size=300000&rate=300k", false, "finish", DO_JOB_ACKNOWLEDGED},
        {"rejected", "size=70000", true, "cancel", DO_JOB_CANCELLED},
        {"dropped", "size=9m&rate=1m", false, "cancel", DO_JOB_CANCELLED},
    };
    struct child *child = start_child();

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        struct test_file file;
        struct do_guid id = add_to(child, rows[i].name, rows[i].name, rows[i].query, &file);
        struct do_job *job = get_job(id);

        if (rows[i].waits)
            test_wait_state(job, DO_JOB_TRANSFERRED);
        assert_hr(S_OK, call_in(child, rows[i].verb, id));
        assert_int_equal(
            test_wait(job, TEST_STATE(DO_JOB_ACKNOWLEDGED) | TEST_STATE(DO_JOB_CANCELLED)),
            rows[i].end);
        assert_hr(DO_E_INVALID_STATE, do_job_suspend(job));
        assert_hr(DO_E_INVALID_STATE, do_job_cancel(job));
        assert_int_equal(test_exists(file.path), rows[i].end == DO_JOB_ACKNOWLEDGED);
        do_job_release(job);
    }
}

/* Broken: the jobs of a killed process wait for its next start, or begin anew. */
static void check_killed(bool is_seen)
{
    struct test_file file;
    struct child *child;
    struct do_job *job;
    struct do_job_times before = {0};
    struct do_job_times after;
    uint64_t sent;
    uint64_t end_ms;

    child = start_child();
    (void)add_to(child, "theirs", "file", "size=16m&rate=2m", &file);
    job = is_seen ? test_only_job() : NULL;
    if (job)
        do_job_get_times(job, &before);
    while (sent_for(file.server_path) < TEST_MIB(4))
        test_pause_ms(20);
    kill_child(child);
    test_pause_ms(50);
    sent = sent_for(file.server_path);
    end_ms = do_clock_ms() + 5000;
    while (sent_for(file.server_path) == sent && do_clock_ms() < end_ms)
        test_pause_ms(20);
    assert_true(do_clock_ms() < end_ms);
    if (!job)
    {
        job = test_only_job();
        do_job_get_times(job, &before);
    }
    test_wait_state(job, DO_JOB_TRANSFERRED);
    do_job_get_times(job, &after);
    assert_true(before.creation && before.creation == after.creation);
    assert_true(after.transfer_completion > before.creation);
    test_complete(job, &file, 1, TEST_MIB(16));
    /* A second of bytes, what lies in blocks, and what was under way. */
    assert_true(sent_for(file.server_path) <= TEST_MIB(16 + 4));
}

static void test_processes_adopt_what_a_killed_one_leaves(void **state)
{
    (void)state;
    check_killed(true);
    check_killed(false);
}

/* Broken: a suspended job of a process that goes on without its engine belongs to nobody. */
static void test_processes_adopt_what_an_engine_leaves(void **state)
{
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=4m&rate=2m", &file);
    struct do_job *job = get_job(id);
    char answer[32];

    (void)state;
    test_wait_bytes(job, 1);
    assert_hr(S_OK, call_in(child, "suspend", id));
    tell_child(child, "let-go");
    read_answer(child, answer, sizeof(answer));
    assert_ok(do_job_resume(job));
    test_wait_state(job, DO_JOB_TRANSFERRED);
    test_complete(job, &file, 1, TEST_MIB(4));
    do_job_release(job);
}

/* Broken: a call on a job whose owner stands still hangs, or the job runs twice afterwards. */
static void test_processes_that_stand_still_keep_their_jobs(void **state)
{
    struct test_file file;
    struct child *child;
    struct do_guid id;
    struct do_job *job;
    uint64_t begin_ms;

    (void)state;
    test_engine_stop();
    test_config()->take_over_ms = 1000;
    assert_ok(test_engine_start());
    child = start_child();
    id = add_to(child, "theirs", "file", "size=6m&rate=2m", &file);
    job = get_job(id);
    test_wait_bytes(job, 1);
    assert_int_equal(kill(child->pid, SIGSTOP), 0);
    begin_ms = do_clock_ms();
    assert_hr(DO_HR_LOCK_VIOLATION, do_job_set_display_name(job, "mine"));
    assert_in_range(do_clock_ms() - begin_ms, 900, 15000);
    assert_true(do_job_state_is_active(do_job_get_state(job)));
    assert_int_equal(kill(child->pid, SIGCONT), 0);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_int_equal(ask_about(child, "state", id, NULL), DO_JOB_TRANSFERRED);
    assert_true(sent_for(file.server_path) <= TEST_MIB(6 + 1));
    test_complete(job, &file, 1, TEST_MIB(6));
    do_job_release(job);
}

/* Broken: a job that writes into its client's stream moves to where there is none. */
static void test_processes_keep_jobs_with_streams(void **state)
{
    struct test_file file = test_file("none", "size=4m&rate=2m");
    struct child *child = start_child();
    char command[1200];
    char id[256];
    struct do_job *job;
    uint64_t begin_ms;

    (void)state;
    (void)snprintf(command, sizeof(command), "add-stream %s", file.url);
    assert_hr(S_OK, (HRESULT)ask_child(child, command, id));
    job = get_job(parse_id(id));
    begin_ms = do_clock_ms();
    assert_hr(DO_HR_LOCK_VIOLATION, do_job_suspend(job));
    assert_true(do_clock_ms() - begin_ms < 3000);
    test_wait_state(job, DO_JOB_TRANSFERRED);
    assert_hr(DO_HR_LOCK_VIOLATION, do_job_complete(job));
    assert_hr(S_OK, call_in(child, "complete", parse_id(id)));
    do_job_release(job);
}

/* A thread of an apartment: what is let in while it waits calls the same job, and lets go of it. */
static struct
{
    struct do_mutex lock;
    struct do_cond changed;
    bool is_signalled;
    struct do_job *job; /* to be called and let go */
    HRESULT inside;
} apartment;

static uint64_t no_thread(void)
{
    return 0;
}

static HRESULT prepare_event(void **event)
{
    *event = &apartment;
    return S_OK;
}

static void wait_for_event(void *event)
{
    (void)event;
    if (apartment.job)
    {
        apartment.inside = do_job_resume(apartment.job);
        do_job_release(apartment.job);
        apartment.job = NULL;
    }
    do_mutex_lock(&apartment.lock);
    while (!apartment.is_signalled)
        do_cond_wait(&apartment.changed, &apartment.lock);
    apartment.is_signalled = false;
    do_mutex_unlock(&apartment.lock);
}

static void signal_event(void *event)
{
    (void)event;
    do_mutex_lock(&apartment.lock);
    apartment.is_signalled = true;
    do_cond_broadcast(&apartment.changed);
    do_mutex_unlock(&apartment.lock);
}

static void finish_event(void *event)
{
    (void)event;
}

/* Broken: an apartment hangs, or a job is freed under a call, while it is taken over. */
static void test_processes_calls_are_let_in_meanwhile(void **state)
{
    static const struct do_client_waiting waiting = {
        no_thread, prepare_event, wait_for_event, signal_event, finish_event};
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=4m&rate=2m", &file);
    struct do_job *job;

    (void)state;
    memset(&apartment, 0, sizeof(apartment));
    do_mutex_init(&apartment.lock);
    do_cond_init(&apartment.changed);
    test_engine_stop();
    test_config()->waiting = &waiting;
    assert_ok(test_engine_start());
    job = get_job(id);
    apartment.job = job;
    assert_ok(do_job_suspend(job));
    assert_null(apartment.job);
    assert_hr(DO_E_INVALID_STATE, apartment.inside);
    job = get_job(id);
    assert_int_equal(do_job_get_state(job), DO_JOB_SUSPENDED);
    assert_ok(do_job_cancel(job));
    do_job_release(job);
}

/* A listener that counts. */

struct counter
{
    struct do_listener head;
    atomic_uint transferred;
    atomic_uint modified;
};

static HRESULT count_notice(struct do_listener *listener, struct do_job *job, enum do_notice notice,
    struct do_job_file *file, const struct do_download_status *status)
{
    struct counter *counter = DO_CONTAINER_OF(listener, struct counter, head);

    (void)job;
    (void)file;
    (void)status;
    if (notice == DO_NOTICE_JOB_TRANSFERRED)
        (void)atomic_fetch_add(&counter->transferred, 1);
    else if (notice == DO_NOTICE_JOB_MODIFICATION)
        (void)atomic_fetch_add(&counter->modified, 1);
    return S_OK;
}

static void destroy_counter(struct do_listener *listener)
{
    (void)listener;
}

/* Broken: a client that listens to another process's job hears nothing, or hears it twice. */
static void test_processes_listen_to_each_others_jobs(void **state)
{
    static const struct do_listener_class class = {count_notice, destroy_counter};
    static struct counter counter;
    struct test_file file;
    struct child *child = start_child();
    struct do_guid id = add_to(child, "theirs", "file", "size=4m&rate=2m", &file);
    struct do_job *job = get_job(id);

    (void)state;
    memset(&counter, 0, sizeof(counter));
    do_listener_init(&counter.head, &class);
    assert_ok(do_job_set_notify_flags(job, DO_NOTICE_JOB_TRANSFERRED | DO_NOTICE_JOB_MODIFICATION));
    assert_ok(do_job_set_listener(job, &counter.head));
    /* The flags have moved the job here; it moves back, and is listened to all the same. */
    assert_hr(S_OK, call_in(child, "name", id));
    do_job_release(job);
    for (unsigned int waited = 0; waited < TEST_WAIT_MS && !atomic_load(&counter.transferred);
         waited += 20)
        test_pause_ms(20);
    assert_int_equal(atomic_load(&counter.transferred), 1);
    assert_true(atomic_load(&counter.modified) > 0);
    job = get_job(id);
    test_complete(job, &file, 1, TEST_MIB(4));
    assert_int_equal(atomic_load(&counter.transferred), 1);
    do_job_release(job);
}

/* Broken: volatile downloads show elsewhere, or lasting ones do not or cannot be finished there. */
static void test_processes_share_lasting_downloads(void **state)
{
    struct test_file file = test_file("file", "size=70000");
    const struct do_value url = do_value_of_text(file.url);
    const struct do_value path = do_value_of_text(file.path);
    const struct do_value lasting = do_value_of_number(1);
    struct child *child = start_child();
    struct do_job **jobs;
    struct do_job *volatile_one;
    struct do_job *lasting_one;
    size_t count;

    (void)state;
    (void)child;
    assert_ok(do_engine_create_download(test_engine(), NULL, &volatile_one));
    assert_ok(do_engine_create_download(test_engine(), NULL, &lasting_one));
    assert_ok(do_download_set_property(lasting_one, DO_PROP_URI, &url));
    assert_ok(do_download_set_property(lasting_one, DO_PROP_LOCAL_PATH, &path));
    assert_ok(do_download_set_property(lasting_one, DO_PROP_NON_VOLATILE, &lasting));
    assert_ok(do_download_start(lasting_one, DO_DOWNLOAD_START_AS_IS, NULL, 0));
    test_wait_state(lasting_one, DO_JOB_TRANSFERRED);
    tell_child(child, "downloads");
    {
        char answer[64];

        read_answer(child, answer, sizeof(answer));
        assert_string_equal(answer, "1 0x00000000\n");
    }
    assert_int_equal(test_wait(lasting_one, TEST_STATE(DO_JOB_ACKNOWLEDGED)), DO_JOB_ACKNOWLEDGED);
    assert_true(test_has_object(file.path, 1, 70000));
    assert_ok(do_engine_list_jobs(test_engine(), DO_JOB_KIND_DOWNLOAD, &jobs, &count));
    assert_int_equal(count, 1);
    do_job_release(jobs[0]);
    do_free(jobs);
    assert_ok(do_download_abort(volatile_one));
    do_job_release(volatile_one);
    do_job_release(lasting_one);
}

/* Broken: a paused download of a process that goes on without its engine is nobody's. */
static void test_processes_adopt_lasting_downloads(void **state)
{
    struct test_file file = test_file("file", "size=4m&rate=2m");
    const struct do_value url = do_value_of_text(file.url);
    const struct do_value path = do_value_of_text(file.path);
    const struct do_value lasting = do_value_of_number(1);
    struct child *child = start_child();
    struct do_job *job;
    char answer[64];

    (void)state;
    assert_ok(do_engine_create_download(test_engine(), NULL, &job));
    assert_ok(do_download_set_property(job, DO_PROP_URI, &url));
    assert_ok(do_download_set_property(job, DO_PROP_LOCAL_PATH, &path));
    assert_ok(do_download_set_property(job, DO_PROP_NON_VOLATILE, &lasting));
    assert_ok(do_download_start(job, DO_DOWNLOAD_START_AS_IS, NULL, 0));
    test_wait_bytes(job, 1);
    assert_ok(do_download_pause(job));
    do_job_release(job);
    test_engine_stop();
    tell_child(child, "abort-downloads");
    read_answer(child, answer, sizeof(answer));
    assert_string_equal(answer, "1 0x00000000\n");
    assert_int_equal(test_temp_files(), 0);
    assert_ok(test_engine_start());
}

/* Many at once */

static bool is_victim(struct do_job *job)
{
    char *name = NULL;
    bool is_named;

    assert_ok(do_job_get_display_name(job, &name));
    is_named = !strcmp(name, "victim");
    do_free(name);
    return is_named;
}

/* All of them go on, then each is completed. */
static void finish_jobs(struct do_job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_ok(is_victim(jobs[i]) ? do_job_cancel(jobs[i]) : do_job_resume(jobs[i]));
    for (size_t i = 0; i < count; i++)
    {
        if (!is_victim(jobs[i]))
        {
            test_wait_state(jobs[i], DO_JOB_TRANSFERRED);
            assert_ok(do_job_complete(jobs[i]));
        }
        do_job_release(jobs[i]);
    }
    do_free(jobs);
}

/* Each process adds jobs and calls those of all at random; some of the processes are killed. */
static void check_crowd(size_t count)
{
    struct test_file files[MAX_CHAOS_JOBS];
    struct test_file victim;
    struct do_job **jobs;
    unsigned int cancelled = 0;
    size_t file_count = 0;
    size_t job_count;

    for (size_t i = 0; i < count; i++)
        (void)start_child();
    for (size_t i = 0; i < count; i++)
    {
        for (size_t j = 0; j < JOBS_PER_CHILD; j++)
        {
            char name[32];

            (void)snprintf(name, sizeof(name), "file%zu", file_count);
            (void)add_to(&children[i], "kept", name, "size=1500000&rate=200k", &files[file_count]);
            file_count++;
        }
        (void)add_to(&children[i], "victim", "victim", "size=9m&rate=100k", &victim);
    }
    for (size_t i = 0; i < count; i++)
    {
        char command[32];

        (void)snprintf(command, sizeof(command), "chaos %zu", i + 1);
        tell_child(&children[i], command);
    }
    for (size_t i = 0; i < count; i++)
    {
        char answer[64];
        unsigned int number = 0;
        unsigned int refused = 0;

        read_answer(&children[i], answer, sizeof(answer));
        assert_int_equal(sscanf(answer, "%u %u", &number, &refused), 2);
        print_message("process %zu: %u cancelled, %u refused\n", i, number, refused);
        cancelled += number;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (i % 2)
            kill_child(&children[i]);
    }
    assert_ok(do_engine_list_jobs(test_engine(), DO_JOB_KIND_LEGACY, &jobs, &job_count));
    /* Each victim was cancelled once, and nothing else is gone. */
    assert_int_equal(job_count + cancelled, file_count + count);
    finish_jobs(jobs, job_count);
    for (size_t i = 0; i < file_count; i++)
    {
        assert_true(test_has_object(files[i].path, 1, CHAOS_SIZE));
        assert_int_equal(unlink(files[i].path), 0);
    }
    assert_int_equal(test_temp_files(), 0);
    assert_int_equal(test_job_count(), 0);
    while (child_count)
    {
        struct child *child = &children[--child_count];

        if (child->pid)
            reap(child);
    }
}

static void test_processes_two_at_once(void **state)
{
    (void)state;
    check_crowd(2);
}

static void test_processes_four_at_once(void **state)
{
    (void)state;
    check_crowd(4);
}

static void test_processes_eight_at_once(void **state)
{
    (void)state;
    check_crowd(8);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest process_tests[] = {
        PROCESS_TEST(test_processes_see_each_others_jobs),
        PROCESS_TEST(test_processes_stop_and_go_on),
        PROCESS_TEST(test_processes_running_job_moves_and_runs_on),
        PROCESS_TEST(test_processes_cancel_each_others_jobs),
        PROCESS_TEST(test_processes_see_the_end_of_a_job),
        PROCESS_TEST(test_processes_adopt_what_a_killed_one_leaves),
        PROCESS_TEST(test_processes_adopt_what_an_engine_leaves),
        PROCESS_TEST(test_processes_that_stand_still_keep_their_jobs),
        PROCESS_TEST(test_processes_keep_jobs_with_streams),
        PROCESS_TEST(test_processes_calls_are_let_in_meanwhile),
        PROCESS_TEST(test_processes_listen_to_each_others_jobs),
        PROCESS_TEST(test_processes_share_lasting_downloads),
        PROCESS_TEST(test_processes_adopt_lasting_downloads),
        PROCESS_TEST(test_processes_two_at_once),
        PROCESS_TEST(test_processes_four_at_once),
        PROCESS_TEST(test_processes_eight_at_once),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    if (count == 4 && !strcmp(arguments[1], "--child"))
        return child_main(arguments[2], arguments[3]);
    if (count == 2)
        cmocka_set_test_filter(arguments[1]);
    return ENGINE_TEST_RUN(process_tests);
}
