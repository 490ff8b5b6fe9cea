/* SPDX-License-Identifier: MIT */
/*
 * See engine_test.h. POSIX only, like the engine tests. Test thread only.
 */
#define _GNU_SOURCE
#include "engine_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "base/log.h"
#include "plat/file.h"

#define MAX_JOBS 64
#define PATTERN_WORDS 8192U
#define GOLDEN 0x9E3779B97F4A7C15U
#define RESPONSE_LIMIT (4U << 20)

extern char **environ;

static struct
{
    char base[256]; /* the program's folder: the port file, and a folder per test */
    pid_t pid;
    int stdin_pipe; /* its end is the server's end */
    uint16_t port;
    bool is_open; /* to other addresses than 127.0.0.1 */
} server;

static struct
{
    char folder[320];
    char database[400];
    struct do_engine_config config;
    struct do_engine *engine;
    struct do_job *jobs[MAX_JOBS];
    size_t job_count;
    int64_t outstanding; /* before the engine */
} fixture;

static unsigned int folder_number;
static unsigned int object_number;

void test_pause_ms(unsigned int ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&time, &time) && errno == EINTR)
        continue;
}

/* The server */

static void read_port(const char *port_file)
{
    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 5)
    {
        FILE *file = fopen(port_file, "r");
        unsigned int port = 0;

        if (file && fscanf(file, "%u", &port) == 1)
            server.port = (uint16_t)port;
        if (file)
            (void)fclose(file);
        if (server.port)
            return;
        test_pause_ms(5);
    }
    fail_msg("the fault server does not start");
}

int test_server_start(void **state)
{
    char python[] = "/usr/bin/python3";
    char script[] = DOSVC_FAULT_SERVER;
    char port_option[] = "--port-file";
    char port_file[320];
    char stdin_option[] = "--exit-with-stdin";
    char host_option[] = "--host";
    char host[] = "0.0.0.0";
    char *arguments[] = {
        python, script, port_option, port_file, stdin_option, host_option, host, NULL};
    const char *folder = getenv("TMPDIR");
    posix_spawn_file_actions_t actions;
    int ends[2];

    (void)state;
    (void)snprintf(server.base, sizeof(server.base), "%s/dosvc-engine-XXXXXX",
        folder && *folder ? folder : "/tmp");
    assert_non_null(mkdtemp(server.base));
    (void)snprintf(port_file, sizeof(port_file), "%s/port", server.base);
    if (!server.is_open)
        arguments[5] = NULL;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawn(&server.pid, python, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[0]);
    server.stdin_pipe = ends[1];
    read_port(port_file);
    (void)unlink(port_file);
    return 0;
}

int test_server_start_open(void **state)
{
    server.is_open = true;
    return test_server_start(state);
}

int test_server_stop(void **state)
{
    int status;

    (void)state;
    (void)close(server.stdin_pipe);
    (void)waitpid(server.pid, &status, 0);
    (void)rmdir(server.base);
    return 0;
}

uint16_t test_server_port(void)
{
    return server.port;
}

/* The engine */

static void log_line(enum do_log_level level, enum do_log_area area, const char *line)
{
    (void)fprintf(stderr, "%s %s: %s\n", do_log_level_name(level), do_log_area_name(area), line);
}

static void set_config(void)
{
    if (getenv("DOSVC_TEST_LOG"))
        do_log_set(log_line, DO_LOG_TRACE);
    (void)snprintf(fixture.database, sizeof(fixture.database), "%s/queue/queue.db", fixture.folder);
    do_engine_config_init(&fixture.config);
    fixture.config.database_path = fixture.database;
    fixture.config.fast_retry_ms = 20;
    fixture.config.retry_first_ms = 50;
    fixture.config.retry_max_ms = 200;
    fixture.config.stall_timeout_s = 2;
}

void test_adopt(const char *folder, uint16_t port)
{
    (void)snprintf(fixture.folder, sizeof(fixture.folder), "%s", folder);
    server.port = port;
    set_config();
}

int test_engine_setup(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    (void)snprintf(fixture.folder, sizeof(fixture.folder), "%s/%u", server.base, folder_number++);
    assert_int_equal(mkdir(fixture.folder, 0700), 0);
    set_config();
    fixture.outstanding = do_alloc_outstanding();
    assert_ok(test_engine_start());
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;

    while (entries && (entry = readdir(entries)))
    {
        char path[800];

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (unlink(path))
            remove_folder(path);
    }
    if (entries)
        (void)closedir(entries);
    (void)rmdir(folder);
}

/* Also jobs that the test has no reference on, such as those of a child that was killed. */
static void cancel_jobs(void)
{
    struct do_job **jobs;
    size_t count;

    if (!fixture.engine ||
        FAILED(do_engine_list_jobs(fixture.engine, DO_JOB_KIND_LEGACY, &jobs, &count)))
        return;
    for (size_t i = 0; i < count; i++)
    {
        (void)do_job_cancel(jobs[i]);
        do_job_release(jobs[i]);
    }
    do_free(jobs);
}

int test_engine_teardown(void **state)
{
    (void)state;
    do_alloc_fail_nth(0);
    do_file_set_fault(NULL, NULL);
    cancel_jobs();
    test_engine_stop();
    remove_folder(fixture.folder);
    if (do_alloc_outstanding() != fixture.outstanding)
    {
        print_error(
            "%d allocations are not freed\n", (int)(do_alloc_outstanding() - fixture.outstanding));
        return -1;
    }
    return 0;
}

struct do_engine_config *test_config(void)
{
    return &fixture.config;
}

const char *test_folder(void)
{
    return fixture.folder;
}

struct do_engine *test_engine(void)
{
    return fixture.engine;
}

HRESULT test_engine_start(void)
{
    return do_engine_acquire(&fixture.config, &fixture.engine);
}

void test_engine_let_go(void)
{
    while (fixture.job_count)
        do_job_release(fixture.jobs[--fixture.job_count]);
    do_engine_release(fixture.engine);
    fixture.engine = NULL;
}

void test_engine_stop(void)
{
    test_engine_let_go();
    do_engine_wait_gone();
}

void test_one_connection(void)
{
    test_engine_stop();
    test_config()->max_file_connections = 1;
    assert_ok(test_engine_start());
}

/* Jobs */

struct do_job *test_job(void)
{
    struct do_job *job = NULL;

    assert_in_range(fixture.job_count, 0, MAX_JOBS - 1);
    assert_ok(do_engine_create_job(fixture.engine, "test", NULL, &job));
    fixture.jobs[fixture.job_count++] = job;
    return job;
}

struct do_job *test_only_job(void)
{
    struct do_job **jobs = NULL;
    size_t count = 0;

    assert_ok(do_engine_list_jobs(fixture.engine, DO_JOB_KIND_LEGACY, &jobs, &count));
    for (size_t i = 0; i < count; i++)
        fixture.jobs[fixture.job_count++] = jobs[i];
    do_free(jobs);
    assert_int_equal(count, 1);
    return fixture.jobs[fixture.job_count - 1];
}

size_t test_job_count(void)
{
    struct do_job **jobs = NULL;
    size_t count = 0;

    assert_ok(do_engine_list_jobs(fixture.engine, DO_JOB_KIND_LEGACY, &jobs, &count));
    for (size_t i = 0; i < count; i++)
        do_job_release(jobs[i]);
    do_free(jobs);
    return count;
}

struct test_file test_file(const char *name, const char *query)
{
    struct test_file file;

    /* Objects of a killed child and of its parent must not meet. */
    (void)snprintf(
        file.server_path, sizeof(file.server_path), "/%d-%u", (int)getpid(), object_number++);
    (void)snprintf(file.url, sizeof(file.url), "http://127.0.0.1:%u%s?%s",
        (unsigned int)server.port, file.server_path, query);
    (void)snprintf(file.path, sizeof(file.path), "%s/%s", fixture.folder, name);
    return file;
}

HRESULT test_add_ranges(struct do_job *job, const struct test_file *file,
    const struct do_range *ranges, size_t count, uint64_t size)
{
    const struct do_new_file new_file = {"content", file->url, file->path, ranges, count, size};

    return do_job_add_files(job, &new_file, 1, NULL);
}

struct test_file test_add(struct do_job *job, const char *name, const char *query)
{
    struct test_file file = test_file(name, query);

    assert_ok(test_add_ranges(job, &file, NULL, 0, DO_SIZE_UNKNOWN));
    return file;
}

struct do_job *test_download(struct test_file *file, const char *name, const char *query)
{
    struct do_job *job = test_job();

    *file = test_add(job, name, query);
    assert_ok(do_job_resume(job));
    return job;
}

enum do_job_state test_wait(struct do_job *job, unsigned int states)
{
    enum do_job_state state = do_job_get_state(job);

    for (unsigned int waited = 0; waited < TEST_WAIT_MS && !(states & TEST_STATE(state));
         waited += 2)
    {
        test_pause_ms(2);
        state = do_job_get_state(job);
    }
    return state;
}

void test_wait_state(struct do_job *job, enum do_job_state state)
{
    enum do_job_state reached = test_wait(job, TEST_STATE(state) | TEST_ENDED);

    if (reached != state)
        fail_msg("state %d instead of %d, error 0x%08x", (int)reached, (int)state,
            (unsigned int)test_error(job));
}

void test_wait_bytes(struct do_job *job, uint64_t bytes)
{
    struct do_job_progress progress;

    for (unsigned int waited = 0; waited < TEST_WAIT_MS; waited += 2)
    {
        do_job_get_progress(job, &progress);
        if (progress.bytes_transferred >= bytes)
            return;
        test_pause_ms(2);
    }
    fail_msg("the bytes do not come");
}

HRESULT test_error(struct do_job *job)
{
    struct do_job_error error;

    return SUCCEEDED(do_job_get_error(job, &error)) ? error.code : S_OK;
}

/* Files */

static uint64_t mix(uint64_t x)
{
    uint64_t z = x + GOLDEN;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* Fills out with object bytes [begin, begin + length). */
static void fill_pattern(uint64_t seed, uint64_t begin, unsigned char *out, size_t length)
{
    static uint64_t words[PATTERN_WORDS];
    static uint64_t words_seed;
    static bool filled;

    if (!filled || words_seed != seed)
    {
        for (uint64_t i = 0; i < PATTERN_WORDS; i++)
            words[i] = mix(seed + i);
        words_seed = seed;
        filled = true;
    }
    for (size_t i = 0; i < length; i++)
    {
        uint64_t offset = begin + i;
        uint64_t index = offset / 8;
        uint64_t word = words[index % PATTERN_WORDS] ^ (index / PATTERN_WORDS * GOLDEN);

        out[i] = (unsigned char)(word >> (offset % 8 * 8));
    }
}

void test_fill(uint64_t seed, void *data, size_t length)
{
    fill_pattern(seed, 0, data, length);
}

bool test_has_bytes(const char *path, const void *data, size_t length)
{
    unsigned char *found = malloc(length + 2);
    FILE *file = fopen(path, "rb");
    bool same;

    assert_non_null(found);
    same = file && fread(found, 1, length + 1, file) == length && !memcmp(found, data, length);
    if (file)
        (void)fclose(file);
    free(found);
    return same;
}

static bool has_range(FILE *file, uint64_t seed, struct do_range range)
{
    static unsigned char expected[65536];
    static unsigned char found[65536];

    while (range.begin < range.end)
    {
        uint64_t left = range.end - range.begin;
        size_t part = left < sizeof(expected) ? (size_t)left : sizeof(expected);

        fill_pattern(seed, range.begin, expected, part);
        if (fread(found, 1, part, file) != part || memcmp(found, expected, part) != 0)
            return false;
        range.begin += part;
    }
    return true;
}

bool test_has_ranges(const char *path, uint64_t seed, const struct do_range *ranges, size_t count)
{
    FILE *file = fopen(path, "rb");
    bool same = file != NULL;

    for (size_t i = 0; i < count && same; i++)
        same = has_range(file, seed, ranges[i]);
    if (same)
        same = fgetc(file) == EOF;
    if (file)
        (void)fclose(file);
    return same;
}

bool test_has_object(const char *path, uint64_t seed, uint64_t size)
{
    const struct do_range whole = {0, size};

    return test_has_ranges(path, seed, &whole, 1);
}

bool test_has_text(const char *path, const char *text)
{
    char found[256];
    FILE *file = fopen(path, "rb");
    size_t length;

    if (!file)
        return false;
    length = fread(found, 1, sizeof(found), file);
    (void)fclose(file);
    return length == strlen(text) && !memcmp(found, text, length);
}

bool test_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static size_t walk_temp_files(uint64_t *first_size)
{
    DIR *entries = opendir(fixture.folder);
    struct dirent *entry;
    size_t count = 0;

    *first_size = 0;
    while (entries && (entry = readdir(entries)))
    {
        char path[600];
        struct stat info;

        if (strncmp(entry->d_name, "DO", 2) != 0 || !strstr(entry->d_name, ".tmp"))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", fixture.folder, entry->d_name);
        if (!count++ && !stat(path, &info))
            *first_size = (uint64_t)info.st_size;
    }
    if (entries)
        (void)closedir(entries);
    return count;
}

size_t test_temp_files(void)
{
    uint64_t size;

    return walk_temp_files(&size);
}

uint64_t test_temp_size(void)
{
    uint64_t size;

    (void)walk_temp_files(&size);
    return size;
}

void test_complete(struct do_job *job, const struct test_file *file, uint64_t seed, uint64_t size)
{
    assert_ok(do_job_complete(job));
    assert_int_equal(do_job_get_state(job), DO_JOB_ACKNOWLEDGED);
    assert_true(test_has_object(file->path, seed, size));
    assert_int_equal(test_temp_files(), 0);
}

/* The server's log */

static void send_all(int connection, const void *data, size_t length)
{
    const char *from = data;

    while (length)
    {
        ssize_t part = send(connection, from, length, MSG_NOSIGNAL);

        assert_true(part > 0);
        from += part;
        length -= (size_t)part;
    }
}

/* The body of the answer to one request, to be freed. */
static char *ask(const char *method, const char *target, const void *data, size_t data_length)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server.port)};
    char *response = malloc(RESPONSE_LIMIT);
    char request[512];
    size_t length = 0;
    ssize_t part;
    char *body;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_non_null(response);
    assert_true(connection >= 0);
    assert_int_equal(connect(connection, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)snprintf(request, sizeof(request),
        "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
        method, target, data_length);
    send_all(connection, request, strlen(request));
    send_all(connection, data, data_length);
    while ((part = recv(connection, response + length, RESPONSE_LIMIT - 1 - length, 0)) > 0)
        length += (size_t)part;
    (void)close(connection);
    response[length] = 0;
    body = strstr(response, "\r\n\r\n");
    assert_non_null(body);
    memmove(response, body + 4, strlen(body + 4) + 1);
    return response;
}

char *test_get(const char *target)
{
    return ask("GET", target, NULL, 0);
}

void test_put(const char *server_path, const void *data, size_t length)
{
    char target[256];
    char *answer;

    (void)snprintf(target, sizeof(target), "/_put?path=%s", server_path);
    answer = ask("PUT", target, data, length);
    assert_string_equal(answer, "ok");
    free(answer);
}

static void read_range(const char *text, struct test_request *request)
{
    unsigned long long first = 0;
    unsigned long long last = 0;
    int fields = sscanf(text, "bytes=%llu-%llu", &first, &last);

    request->has_range = fields >= 1;
    request->range.begin = first;
    request->range.end = fields == 2 ? last + 1 : DO_SIZE_UNKNOWN;
}

size_t test_requests(
    const char *server_path, size_t min, struct test_request *requests, size_t capacity)
{
    char target[256];
    cJSON *log;
    const cJSON *entry;
    char *text;
    size_t count = 0;

    (void)snprintf(
        target, sizeof(target), "/_log?path=%s&wait=%d&min=%zu", server_path, min ? 5000 : 0, min);
    text = test_get(target);
    log = cJSON_Parse(text);
    free(text);
    assert_true(cJSON_IsArray(log));
    cJSON_ArrayForEach(entry, log)
    {
        struct test_request *request = &requests[count];
        const cJSON *range = cJSON_GetObjectItem(entry, "range");
        const cJSON *if_range = cJSON_GetObjectItem(entry, "if_range");

        assert_in_range(count, 0, capacity - 1);
        memset(request, 0, sizeof(*request));
        if (cJSON_IsString(range))
            read_range(range->valuestring, request);
        if (cJSON_IsString(if_range))
            (void)snprintf(
                request->if_range, sizeof(request->if_range), "%s", if_range->valuestring);
        request->status = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(entry, "status"));
        request->sent =
            (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(entry, "body_bytes_sent"));
        request->time_ms = cJSON_GetNumberValue(cJSON_GetObjectItem(entry, "time_ms"));
        count++;
    }
    cJSON_Delete(log);
    return count;
}

void test_request_header(
    const char *server_path, size_t number, const char *name, char *value, size_t size)
{
    char target[256];
    cJSON *log;
    const cJSON *header;
    char *text;

    (void)snprintf(
        target, sizeof(target), "/_log?path=%s&wait=5000&min=%zu", server_path, number + 1);
    text = test_get(target);
    log = cJSON_Parse(text);
    free(text);
    assert_in_range(number + 1, 1, (size_t)cJSON_GetArraySize(log));
    header = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetArrayItem(log, (int)number), "headers"), name);
    (void)snprintf(value, size, "%s", cJSON_IsString(header) ? header->valuestring : "");
    cJSON_Delete(log);
}
