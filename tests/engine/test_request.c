/* SPDX-License-Identifier: MIT */
/*
 * How a client wants its requests made: struct do_request over a loop in a thread, without jobs,
 * against a fault server of its own that also stands in for a proxy and speaks TLS. Everything that
 * a test asserts is recorded on the loop and looked at on the test's thread. POSIX only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
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
#include "base/str.h"
#include "plat/plat.h"
#include "store/queue_db.h"
#include "support/test.h"
#include "transfer/http_facts.h"
#include "transfer/request.h"

#define WAIT_MS 20000U
#define SIZE 70000U
#define RESPONSE_LIMIT (1U << 20)
/* More than any scheme needs for one hop. */
#define MOST_CHALLENGES 20U
#define HR_DENIED ((HRESULT)0x80190191)
#define HR_PROXY_AUTH ((HRESULT)0x80190197)
#define HR_REDIRECTION ((HRESULT)0x80190003)
#define HR_BAD_GATEWAY ((HRESULT)0x801901F6)

#define REQUEST_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

extern char **environ;

static struct
{
    char folder[256];
    pid_t pid;
    int stdin_pipe; /* its end is the server's end */
    unsigned int port;
    unsigned int tls_port; /* 0 = there is no openssl to make a certificate with */
} server;

static struct
{
    struct do_loop *loop;
    struct do_thread *thread;
    struct do_request *request;
    struct do_request_options options;
    int64_t outstanding;

    /* The arguments of the next start. */
    const char *url;
    bool has_range;
    HRESULT start_hr;

    /* Under lock: what the exchange told. */
    struct do_mutex lock;
    struct do_cond changed;
    bool ended;
    HRESULT hr;
    unsigned int heads;
    bool head_was_empty;
    unsigned int status;
    size_t bytes;
    char head[4096];
    char redirected[1024];
    char address[64];
} client;

static unsigned int path_number;

/* The server */

static unsigned int read_number(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned int number = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%u", &number) != 1)
        number = 0;
    (void)fclose(file);
    return number;
}

static pid_t spawn(char *const *arguments, int input)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (input >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, input, 0), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0), 0);
    if (input < 0)
        assert_int_equal(
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    if (posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ) != 0)
        pid = 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* A key and a certificate that nobody trusts, in one file. */
static bool make_certificate(char *pem)
{
    char script[] = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other.example "
                    "-keyout \"$0\" -out \"$0.crt\" && cat \"$0.crt\" >>\"$0\" && rm \"$0.crt\"";
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char *arguments[] = {shell, option, script, pem, NULL};
    pid_t pid = spawn(arguments, -1);
    int status = 1;

    return pid && waitpid(pid, &status, 0) == pid && !status;
}

static int start_server(void **state)
{
    char python[] = "/usr/bin/python3";
    char script[] = DOSVC_FAULT_SERVER;
    char port_option[] = "--port-file";
    char stdin_option[] = "--exit-with-stdin";
    char cert_option[] = "--tls-cert";
    char tls_option[] = "--tls-port-file";
    char port_file[320];
    char tls_file[320];
    char pem[320];
    char *arguments[] = {
        python, script, port_option, port_file, stdin_option, NULL, NULL, NULL, NULL, NULL};
    const char *folder = getenv("TMPDIR");
    bool has_tls;
    int ends[2];

    (void)state;
    (void)snprintf(server.folder, sizeof(server.folder), "%s/dosvc-request-XXXXXX",
        folder && *folder ? folder : "/tmp");
    assert_non_null(mkdtemp(server.folder));
    (void)snprintf(port_file, sizeof(port_file), "%s/port", server.folder);
    (void)snprintf(tls_file, sizeof(tls_file), "%s/tls", server.folder);
    (void)snprintf(pem, sizeof(pem), "%s/pem", server.folder);
    if ((has_tls = make_certificate(pem)))
    {
        arguments[5] = cert_option;
        arguments[6] = pem;
        arguments[7] = tls_option;
        arguments[8] = tls_file;
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server.pid = spawn(arguments, ends[0]);
    assert_true(server.pid > 0);
    (void)close(ends[0]);
    server.stdin_pipe = ends[1];
    for (unsigned int waited = 0; waited < WAIT_MS && !server.port; waited += 5)
    {
        const struct timespec pause = {0, 5000000};

        (void)nanosleep(&pause, NULL);
        server.port = read_number(port_file);
    }
    assert_true(server.port > 0);
    server.tls_port = has_tls ? read_number(tls_file) : 0;
    (void)unlink(port_file);
    (void)unlink(tls_file);
    (void)unlink(pem);
    return 0;
}

static int stop_server(void **state)
{
    int status;

    (void)state;
    (void)close(server.stdin_pipe);
    (void)waitpid(server.pid, &status, 0);
    return rmdir(server.folder);
}

/* The body of the answer to one GET, to be freed. */
static char *get(const char *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
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
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", target);
    assert_int_equal(send(connection, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    while ((part = recv(connection, response + length, RESPONSE_LIMIT - 1 - length, 0)) > 0)
        length += (size_t)part;
    (void)close(connection);
    response[length] = 0;
    body = strstr(response, "\r\n\r\n");
    assert_non_null(body);
    memmove(response, body + 4, strlen(body + 4) + 1);
    return response;
}

static void set_proxy(const char *query)
{
    char target[128];
    char *body;

    (void)snprintf(target, sizeof(target), "/_proxy?%s", query);
    body = get(target);
    assert_string_equal(body, "ok");
    free(body);
}

/* The requests for a path, after the last of count has ended; to be deleted. */
static cJSON *read_log(const char *path, int count)
{
    char target[256];
    char *text;
    cJSON *log;

    (void)snprintf(target, sizeof(target), "/_log?path=%s&wait=5000&min=%d", path, count);
    text = get(target);
    log = cJSON_Parse(text);
    free(text);
    assert_true(cJSON_IsArray(log));
    if (cJSON_GetArraySize(log) != count)
        fail_msg("%d requests instead of %d for %s", cJSON_GetArraySize(log), count, path);
    return log;
}

/* How many requests for a path have come, after all of them have ended. */
static int count_requests(const char *path)
{
    char target[256];
    char *text;
    cJSON *log;
    int count;

    (void)snprintf(target, sizeof(target), "/_log?path=%s&wait=5000", path);
    text = get(target);
    log = cJSON_Parse(text);
    free(text);
    count = cJSON_GetArraySize(log);
    cJSON_Delete(log);
    return count;
}

/* A header (in lower case) of the n-th of count requests; "" when it was not sent. */
static const char *sent_header(const char *path, int count, int n, const char *name)
{
    static char found[4][512];
    static unsigned int next;
    char *text = found[next++ % 4];
    cJSON *log = read_log(path, count);
    const cJSON *headers = cJSON_GetObjectItem(cJSON_GetArrayItem(log, n), "headers");
    const cJSON *value = cJSON_GetObjectItem(headers, name);

    assert_true(cJSON_IsObject(headers));
    (void)snprintf(text, sizeof(found[0]), "%s", cJSON_IsString(value) ? value->valuestring : "");
    cJSON_Delete(log);
    return text;
}

/* How many connections count requests for a path came on. */
static unsigned int connections_used(const char *path, int count)
{
    cJSON *log = read_log(path, count);
    const cJSON *entry;
    double seen[16];
    unsigned int used = 0;

    cJSON_ArrayForEach(entry, log)
    {
        double connection = cJSON_GetNumberValue(cJSON_GetObjectItem(entry, "connection"));
        bool is_known = false;

        for (unsigned int i = 0; i < used; i++)
            is_known |= seen[i] == connection;
        if (!is_known && used < DO_COUNT_OF(seen))
            seen[used++] = connection;
    }
    cJSON_Delete(log);
    return used;
}

static bool was_proxied(const char *path, int count, int n)
{
    cJSON *log = read_log(path, count);
    bool proxied = cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(log, n), "proxied")) != 0;

    cJSON_Delete(log);
    return proxied;
}

/* The client */

static HRESULT on_head(void *ctx, const struct do_http_head *head)
{
    const char *redirected = do_request_redirected_url_on_loop(client.request);
    const char *address = do_request_server_address_on_loop(client.request);

    (void)ctx;
    do_mutex_lock(&client.lock);
    client.heads++;
    client.head_was_empty |= !head->status;
    client.status = head->status;
    (void)snprintf(client.head, sizeof(client.head), "%s", do_buf_str(&head->text));
    (void)snprintf(
        client.redirected, sizeof(client.redirected), "%s", redirected ? redirected : "");
    (void)snprintf(client.address, sizeof(client.address), "%s", address ? address : "");
    do_mutex_unlock(&client.lock);
    return head->status == 200 || head->status == 206 ? S_OK : do_hr_from_http_status(head->status);
}

static HRESULT on_data(void *ctx, const void *data, size_t length)
{
    (void)ctx;
    (void)data;
    do_mutex_lock(&client.lock);
    client.bytes += length;
    do_mutex_unlock(&client.lock);
    return S_OK;
}

static bool has_room(void *ctx, size_t length)
{
    (void)ctx;
    (void)length;
    return true;
}

static void on_end(void *ctx, HRESULT hr)
{
    (void)ctx;
    do_mutex_lock(&client.lock);
    client.ended = true;
    client.hr = hr;
    do_cond_broadcast(&client.changed);
    do_mutex_unlock(&client.lock);
}

static void run_loop(void *ctx)
{
    do_loop_run(ctx, NULL, NULL);
}

static void quit(void *ctx)
{
    do_loop_quit_on_loop(ctx);
}

static void create(void *ctx)
{
    static const struct do_request_events events = {on_head, on_data, has_room, on_end};
    const struct do_request_settings settings = {5000, 5, 65536, 65536, NULL, NULL};

    (void)ctx;
    client.start_hr = do_request_create(client.loop, &settings, &events, NULL, &client.request);
}

static void destroy(void *ctx)
{
    (void)ctx;
    do_request_destroy(client.request);
    client.request = NULL;
}

static void start(void *ctx)
{
    const struct do_range range = {1000, 2000};

    (void)ctx;
    client.start_hr = do_request_start_on_loop(
        client.request, client.url, client.has_range ? &range : NULL, "", &client.options);
}

static void log_line(enum do_log_level level, enum do_log_area area, const char *line)
{
    (void)fprintf(stderr, "%s %s: %s\n", do_log_level_name(level), do_log_area_name(area), line);
}

static int set_up(void **state)
{
    (void)state;
    if (getenv("DOSVC_TEST_LOG"))
        do_log_set(log_line, DO_LOG_TRACE);
    memset(&client, 0, sizeof(client));
    do_mutex_init(&client.lock);
    do_cond_init(&client.changed);
    client.outstanding = do_alloc_outstanding();
    do_request_options_init(&client.options);
    assert_ok(do_loop_create(&client.loop));
    assert_ok(do_thread_start("request", run_loop, client.loop, &client.thread));
    do_loop_call(client.loop, create, NULL);
    assert_ok(client.start_hr);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    do_alloc_fail_nth(0);
    (void)unsetenv("http_proxy");
    set_proxy("");
    do_loop_call(client.loop, destroy, NULL);
    do_loop_call(client.loop, quit, client.loop);
    do_thread_join(client.thread);
    do_loop_destroy(client.loop);
    do_request_options_finish(&client.options);
    do_cond_finish(&client.changed);
    do_mutex_finish(&client.lock);
    return do_alloc_outstanding() == client.outstanding ? 0 : -1;
}

/* One exchange with the options as they are; its result. */
static HRESULT fetch(const char *url)
{
    HRESULT hr = S_OK;
    bool ended = true;

    client.ended = false;
    client.heads = 0;
    client.status = 0;
    client.bytes = 0;
    client.head[0] = client.redirected[0] = client.address[0] = 0;
    client.url = url;
    do_loop_call(client.loop, start, NULL);
    if (FAILED(client.start_hr))
        return client.start_hr;
    do_mutex_lock(&client.lock);
    while (!client.ended && ended)
        ended = do_cond_wait_ms(&client.changed, &client.lock, WAIT_MS);
    ended = client.ended;
    hr = client.hr;
    do_mutex_unlock(&client.lock);
    if (!ended)
        fail_msg("the exchange does not end");
    return hr;
}

/* An object of its own for each call: its path, and its URL on a host and a port. */
struct object
{
    char path[64];
    char url[1400];
};

static struct object object_on(
    const char *scheme, const char *host, unsigned int port, const char *query)
{
    struct object object;

    (void)snprintf(object.path, sizeof(object.path), "/r%u", path_number++);
    (void)snprintf(object.url, sizeof(object.url), "%s://%s:%u%s?size=%u&%s", scheme, host, port,
        object.path, SIZE, query);
    return object;
}

static struct object object(const char *query)
{
    return object_on("http", "127.0.0.1", server.port, query);
}

/* The same server by another name is another host. */
static struct object foreign_object(const char *query)
{
    return object_on("http", "localhost", server.port, query);
}

/* An object that redirects to another URL. */
static struct object redirection(const char *query, const char *target)
{
    char escaped[1200];
    char program[1300];
    size_t at = 0;

    for (const char *c = target; *c && at < sizeof(escaped) - 4; c++)
        at += (size_t)snprintf(escaped + at, sizeof(escaped) - at, "%%%02X", (unsigned char)*c);
    (void)snprintf(program, sizeof(program), "%s&redirect_to=%s", query, escaped);
    return object(program);
}

static void set_text(char **slot, const char *text)
{
    assert_ok(do_str_assign(slot, text));
}

static void set_credential(enum do_auth_target target, enum do_auth_scheme scheme, char *password)
{
    char user[] = "user";
    const struct do_credential credential = {target, scheme, user, password};

    assert_ok(do_request_options_set_credential(&client.options, &credential));
}

static char right[] = "secret";
static char wrong[] = "guess";

static void override_proxy(const char *bypass)
{
    char list[64];

    (void)snprintf(list, sizeof(list), "127.0.0.1:%u", server.port);
    client.options.proxy_usage = DO_PROXY_OVERRIDE;
    set_text(&client.options.proxy_list, list);
    set_text(&client.options.proxy_bypass, bypass);
}

static void trust_test_server(void)
{
    client.options.tls_flags = DO_TLS_IGNORE_UNKNOWN_CA | DO_TLS_IGNORE_NAME;
}

/* Plain */

/* Broken: an exchange without options, and one with a range. */
static void test_request_plain_gives_the_object(void **state)
{
    struct object plain = object("");

    (void)state;
    assert_ok(fetch(plain.url));
    assert_int_equal(client.bytes, SIZE);
    assert_int_equal(client.heads, 1);
    client.has_range = true;
    assert_ok(fetch(plain.url));
    assert_int_equal(client.bytes, 1000);
    assert_string_equal(sent_header(plain.path, 2, 1, "range"), "bytes=1000-1999");
    assert_string_equal(sent_header(plain.path, 2, 1, "accept-encoding"), "identity");
}

/* Credentials */

/* Broken: a password is sent before it is asked for, or is not remembered once it was. */
static void test_request_basic_answers_a_challenge(void **state)
{
    struct object asks = object("auth=basic");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_ok(fetch(asks.url));
    assert_int_equal(client.bytes, SIZE);
    assert_int_equal(client.heads, 1);
    assert_string_equal(sent_header(asks.path, 2, 0, "authorization"), "");
    assert_string_equal(sent_header(asks.path, 2, 1, "authorization"), "Basic dXNlcjpzZWNyZXQ=");
    assert_ok(fetch(asks.url));
    assert_string_equal(sent_header(asks.path, 3, 2, "authorization"), "Basic dXNlcjpzZWNyZXQ=");
}

/* Broken: a wrong password is no clean failure, or is tried again and again. */
static void test_request_basic_wrong_password_is_denied(void **state)
{
    struct object asks = object("auth=basic");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, wrong);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_int_equal(client.status, 401);
    assert_int_equal(client.bytes, 0);
    cJSON_Delete(read_log(asks.path, 2));
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_ok(fetch(asks.url));
}

/* Broken: without a credential a challenge is anything but the final answer. */
static void test_request_challenge_without_credential_is_denied(void **state)
{
    struct object asks = object("auth=basic");

    (void)state;
    set_credential(DO_AUTH_PROXY, DO_AUTH_BASIC, right);
    assert_hr(HR_DENIED, fetch(asks.url));
    cJSON_Delete(read_log(asks.path, 1));
}

/* Broken: a scheme is used that the client did not give. */
static void test_request_only_given_schemes_are_used(void **state)
{
    struct object digest = object("auth=digest");
    struct object basic = object("auth=basic");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_hr(HR_DENIED, fetch(digest.url));
    assert_ok(do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC));
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    assert_hr(HR_DENIED, fetch(basic.url));
    assert_string_equal(sent_header(basic.path, 1, 0, "authorization"), "");
}

/* Broken: Digest with either hash, or with a wrong password. */
static void test_request_digest_gives_the_object(void **state)
{
    static const char *const programs[] = {"auth=digest", "auth=digest-sha256"};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(programs); i++)
    {
        struct object asks = object(programs[i]);
        struct object refuses = object(programs[i]);

        set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
        assert_ok(fetch(asks.url));
        assert_int_equal(client.bytes, SIZE);
        set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, wrong);
        assert_hr(HR_DENIED, fetch(refuses.url));
    }
}

/* Broken: a wrong password is sent often enough to lock an account. */
static void test_request_digest_wrong_password_is_sent_twice_at_most(void **state)
{
    struct object asks = object("auth=digest");
    cJSON *log;
    const cJSON *entry;
    unsigned int sent = 0;
    char target[128];
    char *text;

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, wrong);
    assert_hr(HR_DENIED, fetch(asks.url));
    (void)snprintf(target, sizeof(target), "/_log?path=%s&wait=5000&min=2", asks.path);
    text = get(target);
    log = cJSON_Parse(text);
    free(text);
    cJSON_ArrayForEach(entry, log)
    {
        if (cJSON_HasObjectItem(cJSON_GetObjectItem(entry, "headers"), "authorization"))
            sent++;
    }
    cJSON_Delete(log);
    assert_in_range(sent, 1, 2);
}

/* Broken: a server that gives a nonce for one request only refuses the second one of a file. */
static void test_request_digest_nonce_ends_is_answered_anew(void **state)
{
    struct object asks = object("auth=digest&nonce_uses=1");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    for (unsigned int i = 0; i < 4; i++)
    {
        assert_ok(fetch(asks.url));
        assert_int_equal(client.bytes, SIZE);
    }
}

/* Broken: the second hop of an exchange is refused by a server or a proxy whose nonces are good for
 * one request. */
static void test_request_digest_nonce_ends_between_hops(void **state)
{
    struct object asks = object("auth=digest&nonce_uses=1&redirect=3");
    struct object far_away = object_on("http", "far.invalid", 80, "redirect=3");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    assert_ok(fetch(asks.url));
    assert_int_equal(client.bytes, SIZE);
    override_proxy(NULL);
    set_proxy("auth=digest&nonce_uses=1");
    set_credential(DO_AUTH_PROXY, DO_AUTH_DIGEST, right);
    assert_ok(fetch(far_away.url));
    assert_int_equal(client.bytes, SIZE);
}

/* Broken: a nonce that has only grown old is taken for a wrong password, or its successor is not
 * used. */
static void test_request_digest_stale_nonce_is_replaced_once(void **state)
{
    static const char *const programs[] = {
        "auth=digest&nonce_uses=1&stale=1", "auth=digest-sha256&nonce_uses=1&stale=1"};

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    for (size_t i = 0; i < DO_COUNT_OF(programs); i++)
    {
        struct object asks = object(programs[i]);

        for (int exchange = 0; exchange < 4; exchange++)
        {
            int before = count_requests(asks.path);

            assert_ok(fetch(asks.url));
            assert_int_equal(client.bytes, SIZE);
            /* With the old nonce, then the new one; libcurl overlooks the first that comes. */
            assert_in_range(count_requests(asks.path), before + 2, before + 3);
        }
    }
}

/* Broken: a server or a proxy that calls every nonce stale keeps us asking for ever. */
static void test_request_digest_always_stale_is_denied(void **state)
{
    struct object asks = object("auth=digest&nonce_uses=0&stale=1");
    struct object far_away = object_on("http", "far.invalid", 80, "");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    set_credential(DO_AUTH_PROXY, DO_AUTH_DIGEST, right);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_in_range(count_requests(asks.path), 2, 2 + MOST_CHALLENGES);
    override_proxy("127.*");
    set_proxy("auth=digest&nonce_uses=0&stale=1");
    assert_hr(HR_PROXY_AUTH, fetch(far_away.url));
    assert_in_range(count_requests(far_away.path), 2, 2 + MOST_CHALLENGES);
    if (server.tls_port)
    {
        struct object secure = object_on("https", "localhost", server.tls_port, "");

        trust_test_server();
        assert_hr(HR_PROXY_AUTH, fetch(secure.url));
    }
    set_proxy("");
    assert_ok(fetch(far_away.url));
}

/* NTLM: three messages, and what they prove is proved for the connection. */

/* Whether this libcurl has NTLM, which is going out of use. */
static void need_ntlm(void)
{
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_NTLM))
        skip();
}

/* Broken: NTLM is not spoken, changes the connection half-way, or is spoken again each time. */
static void test_request_ntlm_gives_the_object(void **state)
{
    struct object asks = object("auth=ntlm");

    (void)state;
    need_ntlm();
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    assert_ok(fetch(asks.url));
    assert_int_equal(client.bytes, SIZE);
    assert_string_equal(sent_header(asks.path, 3, 0, "authorization"), "");
    assert_memory_equal(sent_header(asks.path, 3, 1, "authorization"), "NTLM TlRMTVNTUAAB", 17);
    assert_memory_equal(sent_header(asks.path, 3, 2, "authorization"), "NTLM TlRMTVNTUAAD", 17);
    client.has_range = true;
    assert_ok(fetch(asks.url));
    assert_int_equal(client.status, 206);
    assert_int_equal(client.bytes, 1000);
    assert_string_equal(sent_header(asks.path, 4, 3, "authorization"), "");
    assert_int_equal(connections_used(asks.path, 4), 1);
}

/* Broken: a wrong password for NTLM is sent often enough to lock an account, or spoils the right
 * one. */
static void test_request_ntlm_wrong_password_is_sent_once(void **state)
{
    struct object asks = object("auth=ntlm");
    struct object next = object("auth=ntlm");

    (void)state;
    need_ntlm();
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, wrong);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_int_equal(client.status, 401);
    assert_int_equal(count_requests(asks.path), 3);
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    assert_ok(fetch(next.url));
    assert_int_equal(client.bytes, SIZE);
}

/* Broken: a server that wants each request proved refuses the second one. */
static void test_request_ntlm_login_ends_is_made_anew(void **state)
{
    struct object asks = object("auth=ntlm&nonce_uses=1&redirect=1");

    (void)state;
    need_ntlm();
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    for (unsigned int i = 0; i < 3; i++)
    {
        assert_ok(fetch(asks.url));
        assert_int_equal(client.bytes, SIZE);
    }
}

/* Broken: who has no password, or another one, gets what a connection has proved for its owner. */
static void test_request_ntlm_connection_is_its_owners(void **state)
{
    struct object asks = object("auth=ntlm");

    (void)state;
    need_ntlm();
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    assert_ok(fetch(asks.url));
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, wrong);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_ok(do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_NTLM));
    assert_hr(HR_DENIED, fetch(asks.url));
}

/* Broken: an answer to NTLM follows a redirection to another host, where it could be relayed. */
static void test_request_ntlm_stays_with_its_host(void **state)
{
    struct object foreign = foreign_object("auth=ntlm");
    struct object home = redirection("auth=ntlm", foreign.url);

    (void)state;
    need_ntlm();
    set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
    assert_hr(HR_DENIED, fetch(home.url));
    assert_memory_equal(sent_header(home.path, 3, 2, "authorization"), "NTLM ", 5);
    assert_string_equal(sent_header(foreign.path, 1, 0, "authorization"), "");
}

/* Broken: Negotiate that leads to nothing is tried for ever, or leaves a connection behind that
 * could be another's. */
static void test_request_negotiate_keeps_no_connection(void **state)
{
    struct object asks = object("auth=negotiate");
    struct object before = object("");
    struct object after = object("");
    double first;
    cJSON *log;

    (void)state;
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SPNEGO))
        skip();
    assert_ok(fetch(before.url));
    set_credential(DO_AUTH_SERVER, DO_AUTH_NEGOTIATE, right);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_in_range(count_requests(asks.path), 2, 2 + MOST_CHALLENGES);
    assert_ok(fetch(after.url));
    log = read_log(before.path, 1);
    first = cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(log, 0), "connection"));
    cJSON_Delete(log);
    log = read_log(after.path, 1);
    assert_true(first != cJSON_GetNumberValue(
                             cJSON_GetObjectItem(cJSON_GetArrayItem(log, 0), "connection")));
    cJSON_Delete(log);
}

/* Broken: a proxy that wants NTLM is not answered, in a tunnel or before it. */
static void test_request_ntlm_to_the_proxy(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");
    struct object both = object_on("http", "far.invalid", 80, "auth=digest");
    struct object refused = object_on("http", "far.invalid", 80, "");

    (void)state;
    need_ntlm();
    override_proxy(NULL);
    set_proxy("auth=ntlm");
    set_credential(DO_AUTH_PROXY, DO_AUTH_NTLM, wrong);
    assert_hr(HR_PROXY_AUTH, fetch(refused.url));
    set_credential(DO_AUTH_PROXY, DO_AUTH_NTLM, right);
    assert_ok(fetch(far_away.url));
    assert_int_equal(client.bytes, SIZE);
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    assert_ok(fetch(both.url));
    if (server.tls_port)
    {
        struct object secure = object_on("https", "localhost", server.tls_port, "auth=ntlm");

        trust_test_server();
        set_credential(DO_AUTH_PROXY, DO_AUTH_NTLM, wrong);
        assert_hr(HR_PROXY_AUTH, fetch(secure.url));
        set_credential(DO_AUTH_PROXY, DO_AUTH_NTLM, right);
        assert_hr(HR_DENIED, fetch(secure.url));
        set_credential(DO_AUTH_SERVER, DO_AUTH_NTLM, right);
        assert_ok(fetch(secure.url));
        assert_int_equal(client.bytes, SIZE);
        assert_string_equal(sent_header(secure.path, 4, 3, "proxy-authorization"), "");
    }
}

/* Broken: of two schemes the weaker one is taken, which here has the wrong password. */
static void test_request_strongest_offered_scheme_is_chosen(void **state)
{
    struct object asks = object("auth=any");
    struct object refuses = object("auth=any");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, wrong);
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, right);
    assert_ok(fetch(asks.url));
    assert_memory_equal(sent_header(asks.path, 2, 1, "authorization"), "Digest ", 7);
    assert_ok(
        do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_DIGEST));
    assert_hr(HR_DENIED, fetch(refuses.url));
    assert_memory_equal(sent_header(refuses.path, 2, 1, "authorization"), "Basic ", 6);
}

/* Broken: a password follows a redirection to another host, which asks for it. */
static void test_request_credential_stays_with_its_host(void **state)
{
    struct object foreign = foreign_object("auth=basic");
    struct object home = redirection("auth=basic", foreign.url);

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_hr(HR_DENIED, fetch(home.url));
    assert_memory_equal(sent_header(home.path, 2, 1, "authorization"), "Basic ", 6);
    assert_string_equal(sent_header(foreign.path, 1, 0, "authorization"), "");
    /* Nor does a new exchange with the other host begin with what this one has taught. */
    assert_ok(do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_hr(HR_DENIED, fetch(foreign.url));
}

/* Broken: a password in a URL is not sent, or reaches another host than the URL's. */
static void test_request_password_in_url_is_for_its_host(void **state)
{
    struct object foreign = foreign_object("auth=basic");
    struct object asks = object("auth=basic&redirect=1");
    struct object next = object("auth=basic");
    struct object home = redirection("auth=basic", foreign.url);
    struct object inside = redirection("auth=basic", next.url);
    char url[1500];

    (void)state;
    (void)snprintf(url, sizeof(url), "http://user:secret@%s", asks.url + strlen("http://"));
    assert_ok(fetch(url));
    assert_int_equal(client.bytes, SIZE);
    (void)snprintf(url, sizeof(url), "http://user:secret@%s", inside.url + strlen("http://"));
    assert_ok(fetch(url));
    assert_string_equal(sent_header(next.path, 1, 0, "authorization"), "Basic dXNlcjpzZWNyZXQ=");
    (void)snprintf(url, sizeof(url), "http://user:secret@%s", home.url + strlen("http://"));
    assert_hr(HR_DENIED, fetch(url));
    assert_string_equal(sent_header(home.path, 1, 0, "authorization"), "Basic dXNlcjpzZWNyZXQ=");
    assert_string_equal(sent_header(foreign.path, 1, 0, "authorization"), "");
    (void)snprintf(url, sizeof(url), "http://user:guess@%s", next.url + strlen("http://"));
    assert_hr(HR_DENIED, fetch(url));
    /* Nor does the next exchange have it. */
    assert_hr(HR_DENIED, fetch(next.url));
    assert_string_equal(sent_header(next.path, 3, 2, "authorization"), "");
}

/* Broken: a redirection may name a password for another host. */
static void test_request_redirect_with_password_is_stripped(void **state)
{
    struct object foreign = foreign_object("auth=basic");
    char target[1500];
    struct object home;

    (void)state;
    (void)snprintf(
        target, sizeof(target), "http://user:secret@%s", foreign.url + strlen("http://"));
    home = redirection("", target);
    assert_hr(HR_DENIED, fetch(home.url));
    assert_string_equal(sent_header(foreign.path, 1, 0, "authorization"), "");
}

/* Proxies */

/* Broken: the list of proxies is not used, or is used for servers that need none. */
static void test_request_proxy_override_is_used(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");
    struct object near = object("");

    (void)state;
    override_proxy("127.*;<local>");
    assert_ok(fetch(far_away.url));
    assert_int_equal(client.bytes, SIZE);
    assert_true(was_proxied(far_away.path, 1, 0));
    assert_ok(fetch(near.url));
    assert_false(was_proxied(near.path, 1, 0));
}

/* Broken: the proxy of another scheme is taken, or the first that fits is not. */
static void test_request_proxy_is_chosen_by_scheme(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");
    struct object near = object("");
    char list[128];

    (void)state;
    client.options.proxy_usage = DO_PROXY_OVERRIDE;
    (void)snprintf(
        list, sizeof(list), "https=127.0.0.1:1;http=http://127.0.0.1:%u 127.0.0.1:1", server.port);
    set_text(&client.options.proxy_list, list);
    assert_ok(fetch(far_away.url));
    set_text(&client.options.proxy_list, "https=127.0.0.1:1");
    assert_ok(fetch(near.url));
    assert_false(was_proxied(near.path, 1, 0));
}

/* Broken: a redirection is led through the proxy of the first URL, or past its own. */
static void test_request_proxy_is_chosen_for_each_hop(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");
    struct object home = redirection("", far_away.url);

    (void)state;
    override_proxy("127.0.0.1");
    assert_ok(fetch(home.url));
    assert_false(was_proxied(home.path, 1, 0));
    assert_true(was_proxied(far_away.path, 1, 0));
}

/* Broken: a proxy that is not there has another error than a server that is not there. */
static void test_request_proxy_refuses_connections_is_a_connect_failure(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");

    (void)state;
    client.options.proxy_usage = DO_PROXY_OVERRIDE;
    set_text(&client.options.proxy_list, "127.0.0.1:1");
    assert_hr(DO_HR_NET_CANNOT_CONNECT, fetch(far_away.url));
    assert_int_equal(client.heads, 0);
}

/* Broken: a proxy or a server whose name is unknown has another error. The label is too long for a
 * name, so that no name server is asked. */
static void test_request_unknown_names_are_not_resolved(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");
    char name[80];
    char url[128];

    (void)state;
    memset(name, 'x', 64);
    (void)snprintf(name + 64, sizeof(name) - 64, ".invalid");
    client.options.proxy_usage = DO_PROXY_OVERRIDE;
    set_text(&client.options.proxy_list, name);
    assert_hr(DO_HR_NET_NAME_NOT_RESOLVED, fetch(far_away.url));
    client.options.proxy_usage = DO_PROXY_NONE;
    (void)snprintf(url, sizeof(url), "http://%s/x", name);
    assert_hr(DO_HR_NET_NAME_NOT_RESOLVED, fetch(url));
    assert_int_equal(client.heads, 0);
}

/* Broken: "no proxy" means the one of the environment, or the environment counts for nothing. */
static void test_request_proxy_none_ignores_the_environment(void **state)
{
    struct object near = object("");
    struct object far_away = object_on("http", "far.invalid", 80, "");
    char proxy[64];

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    client.options.proxy_usage = DO_PROXY_NONE;
    assert_ok(fetch(near.url));
    client.options.proxy_usage = DO_PROXY_PRECONFIG;
    assert_hr(DO_HR_NET_CANNOT_CONNECT, fetch(near.url));
    client.options.proxy_usage = DO_PROXY_OVERRIDE;
    assert_ok(fetch(near.url));
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", server.port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    client.options.proxy_usage = DO_PROXY_PRECONFIG;
    assert_ok(fetch(far_away.url));
    assert_true(was_proxied(far_away.path, 1, 0));
}

/* Broken: a proxy's challenge is not answered, or answered with the server's credential. */
static void test_request_proxy_challenge_is_answered(void **state)
{
    static const struct
    {
        const char *program;
        enum do_auth_scheme scheme;
    } kinds[] = {{"auth=basic", DO_AUTH_BASIC}, {"auth=digest", DO_AUTH_DIGEST}};

    (void)state;
    override_proxy(NULL);
    for (size_t i = 0; i < DO_COUNT_OF(kinds); i++)
    {
        struct object far_away = object_on("http", "far.invalid", 80, "");
        struct object refused = object_on("http", "far.invalid", 80, "");

        set_proxy(kinds[i].program);
        set_credential(DO_AUTH_PROXY, kinds[i].scheme, wrong);
        set_credential(DO_AUTH_SERVER, kinds[i].scheme, right);
        assert_hr(HR_PROXY_AUTH, fetch(refused.url));
        assert_int_equal(client.status, 407);
        set_credential(DO_AUTH_PROXY, kinds[i].scheme, right);
        assert_ok(fetch(far_away.url));
        assert_int_equal(client.bytes, SIZE);
        assert_string_equal(sent_header(far_away.path, 2, 1, "authorization"), "");
    }
}

/* Tunnels */

static void need_tls(void)
{
    if (!server.tls_port)
        skip();
}

/* Broken: https does not go through the proxy, or a password for it reaches the server. */
static void test_request_tunnel_carries_https(void **state)
{
    struct object secure;
    char tunnel[64];

    (void)state;
    need_tls();
    secure = object_on("https", "127.0.0.1", server.tls_port, "");
    (void)snprintf(tunnel, sizeof(tunnel), "127.0.0.1:%u", server.tls_port);
    free(get("/_log?clear=1"));
    override_proxy(NULL);
    trust_test_server();
    set_proxy("auth=basic");
    set_credential(DO_AUTH_PROXY, DO_AUTH_BASIC, right);
    set_text(&client.options.headers, "X-Mine: 1\r\nCookie: a=b");
    assert_ok(fetch(secure.url));
    assert_int_equal(client.bytes, SIZE);
    assert_int_equal(client.heads, 1);
    assert_int_equal(client.status, 200);
    assert_string_equal(sent_header(tunnel, 2, 0, "proxy-authorization"), "");
    assert_string_equal(sent_header(tunnel, 2, 1, "proxy-authorization"), "Basic dXNlcjpzZWNyZXQ=");
    /* What is for the server is none of the proxy's business. */
    assert_string_equal(sent_header(tunnel, 2, 1, "cookie"), "");
    assert_string_equal(sent_header(tunnel, 2, 1, "x-mine"), "");
    assert_false(was_proxied(secure.path, 1, 0));
    assert_string_equal(sent_header(secure.path, 1, 0, "proxy-authorization"), "");
    assert_string_equal(sent_header(secure.path, 1, 0, "cookie"), "a=b");
}

/* Broken: a proxy that will not make a tunnel is reported as a lost connection. */
static void test_request_tunnel_refused_has_the_proxy_status(void **state)
{
    struct object secure;

    (void)state;
    need_tls();
    secure = object_on("https", "127.0.0.1", server.tls_port, "");
    override_proxy(NULL);
    trust_test_server();
    set_proxy("auth=digest");
    assert_hr(HR_PROXY_AUTH, fetch(secure.url));
    assert_int_equal(client.status, 407);
    set_credential(DO_AUTH_PROXY, DO_AUTH_DIGEST, wrong);
    assert_hr(HR_PROXY_AUTH, fetch(secure.url));
    set_credential(DO_AUTH_PROXY, DO_AUTH_DIGEST, right);
    assert_ok(fetch(secure.url));
    set_proxy("");
    assert_hr(HR_BAD_GATEWAY, fetch("https://127.0.0.1:1/nobody"));
}

/* Trust */

/* Broken: a certificate that nobody trusts is accepted, or the flags that allow it do nothing. */
static void test_request_certificate_faults_need_their_flags(void **state)
{
    struct object secure;

    (void)state;
    need_tls();
    secure = object_on("https", "127.0.0.1", server.tls_port, "");
    assert_hr(DO_E_HTTP_CERT_VALIDATION, fetch(secure.url));
    client.options.tls_flags = DO_TLS_IGNORE_UNKNOWN_CA;
    assert_hr(DO_E_HTTP_CERT_VALIDATION, fetch(secure.url));
    client.options.tls_flags = DO_TLS_IGNORE_NAME;
    assert_hr(DO_E_HTTP_CERT_VALIDATION, fetch(secure.url));
    trust_test_server();
    assert_ok(fetch(secure.url));
    /* The connection is there to be used again, but not by one who accepts less. */
    client.options.tls_flags = 0;
    assert_hr(DO_E_HTTP_CERT_VALIDATION, fetch(secure.url));
    /* Revocation checks switch the other flags off. */
    trust_test_server();
    client.options.tls_flags |= DO_TLS_CHECK_REVOCATION;
    assert_hr(DO_E_HTTP_CERT_VALIDATION, fetch(secure.url));
    cJSON_Delete(read_log(secure.path, 1));
}

/* Broken: a redirection from https to http happens unasked, or never. */
static void test_request_downgrade_needs_permission(void **state)
{
    struct object plain = object("");
    struct object there = redirection("", plain.url);
    char secure[1500];

    (void)state;
    need_tls();
    (void)snprintf(secure, sizeof(secure), "https://127.0.0.1:%u%s", server.tls_port,
        strchr(there.url + strlen("http://"), '/'));
    trust_test_server();
    assert_hr(DO_HR_NET_REDIRECT_FAILED, fetch(secure));
    cJSON_Delete(read_log(plain.path, 0));
    client.options.allow_downgrade = true;
    assert_ok(fetch(secure));
    assert_string_equal(client.redirected, plain.url);
}

/* Headers */

/* Broken: a header of the client's is lost, changed, or lets it say what is ours to say. */
static void test_request_headers_are_sent_as_far_as_they_make_sense(void **state)
{
    struct object there = object("");

    (void)state;
    set_text(&client.options.headers,
        "X-One: 1\r\nX-Two:two words \nX-Three: 3\rX-Empty:\r\n\r\nUser-Agent: mine/1\r\n"
        "no colon\r\nX Blank: 1\r\nX-Late : 1\r\n: 1\r\n folded\r\nX-Bell: a\ab\r\nX-Tab: a\tb\r\n"
        "Range: bytes=0-0\r\nIF-RANGE: \"x\"\r\nAccept-Encoding: gzip\r\nHost: evil\r\n"
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        "Proxy-Authorization: Basic x");
    client.has_range = true;
    assert_ok(fetch(there.url));
    assert_int_equal(client.bytes, 1000);
    assert_string_equal(sent_header(there.path, 1, 0, "x-one"), "1");
    assert_string_equal(sent_header(there.path, 1, 0, "x-two"), "two words");
    assert_string_equal(sent_header(there.path, 1, 0, "x-three"), "3");
    assert_string_equal(sent_header(there.path, 1, 0, "x-tab"), "a\tb");
    assert_string_equal(sent_header(there.path, 1, 0, "user-agent"), "mine/1");
    assert_string_equal(sent_header(there.path, 1, 0, "range"), "bytes=1000-1999");
    assert_string_equal(sent_header(there.path, 1, 0, "if-range"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "accept-encoding"), "identity");
    assert_string_not_equal(sent_header(there.path, 1, 0, "host"), "evil");
    assert_string_equal(sent_header(there.path, 1, 0, "content-length"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "transfer-encoding"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "connection"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "proxy-authorization"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "x-late"), "");
    assert_string_equal(sent_header(there.path, 1, 0, "x-bell"), "");
    {
        cJSON *log = read_log(there.path, 1);
        const cJSON *headers = cJSON_GetObjectItem(cJSON_GetArrayItem(log, 0), "headers");
        bool has_empty = cJSON_HasObjectItem(headers, "x-empty") != 0;

        cJSON_Delete(log);
        assert_true(has_empty);
    }
}

/* Broken: the client's secrets follow a redirection to another host, or its other headers do not.
 */
static void test_request_secret_headers_stay_with_their_host(void **state)
{
    struct object foreign = foreign_object("");
    struct object home = redirection("", foreign.url);
    struct object again = object("redirect=1");

    (void)state;
    set_text(&client.options.headers,
        "X-Plain: 1\r\nauthorization: Bearer t\r\nCookie: a=b\r\nProxy-Authorization: Basic x");
    assert_ok(fetch(home.url));
    assert_string_equal(sent_header(home.path, 1, 0, "authorization"), "Bearer t");
    assert_string_equal(sent_header(home.path, 1, 0, "cookie"), "a=b");
    assert_string_equal(sent_header(foreign.path, 1, 0, "x-plain"), "1");
    assert_string_equal(sent_header(foreign.path, 1, 0, "authorization"), "");
    assert_string_equal(sent_header(foreign.path, 1, 0, "cookie"), "");
    assert_string_equal(sent_header(foreign.path, 1, 0, "proxy-authorization"), "");
    assert_ok(fetch(again.url));
    assert_string_equal(sent_header(again.path, 2, 1, "authorization"), "Bearer t");
}

/* Broken: a client cannot log in to a proxy with a header of its own. */
static void test_request_proxy_header_goes_to_the_proxy(void **state)
{
    struct object far_away = object_on("http", "far.invalid", 80, "");

    (void)state;
    override_proxy(NULL);
    set_proxy("auth=basic");
    set_text(&client.options.headers, "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=");
    assert_ok(fetch(far_away.url));
    cJSON_Delete(read_log(far_away.path, 1));
}

/* Broken: headers that are meant for a challenge are sent without one, twice, or never. */
static void test_request_auth_headers_wait_for_a_challenge(void **state)
{
    struct object open = object("");
    struct object asks = object("auth=basic");
    struct object refuses = object("auth=digest");

    (void)state;
    set_text(&client.options.auth_headers,
        "Authorization: Basic dXNlcjpzZWNyZXQ=\r\nX-Token: 1\r\nRange: bytes=0-0");
    assert_ok(fetch(open.url));
    assert_string_equal(sent_header(open.path, 1, 0, "x-token"), "");
    assert_ok(fetch(asks.url));
    assert_int_equal(client.bytes, SIZE);
    assert_string_equal(sent_header(asks.path, 2, 0, "authorization"), "");
    assert_string_equal(sent_header(asks.path, 2, 0, "x-token"), "");
    assert_string_equal(sent_header(asks.path, 2, 1, "x-token"), "1");
    assert_ok(fetch(asks.url));
    assert_string_equal(sent_header(asks.path, 3, 2, "x-token"), "1");
    assert_hr(HR_DENIED, fetch(refuses.url));
    cJSON_Delete(read_log(refuses.path, 1));
}

/* Broken: they reach a host that the client did not name. */
static void test_request_auth_headers_stay_with_their_host(void **state)
{
    struct object foreign = foreign_object("auth=basic");
    struct object home = redirection("auth=basic", foreign.url);
    struct object open = redirection("", foreign.url);

    (void)state;
    set_text(&client.options.auth_headers, "Authorization: Basic dXNlcjpzZWNyZXQ=\r\nX-Token: 1");
    /* The foreign host's challenge is not for us to answer. */
    assert_hr(HR_DENIED, fetch(open.url));
    assert_string_equal(sent_header(foreign.path, 1, 0, "x-token"), "");
    /* Nor does it get what home has asked for. */
    assert_hr(HR_DENIED, fetch(home.url));
    assert_string_equal(sent_header(home.path, 2, 1, "x-token"), "1");
    assert_string_equal(sent_header(foreign.path, 2, 1, "x-token"), "");
    assert_string_equal(sent_header(foreign.path, 2, 1, "authorization"), "");
}

/* Redirections */

/* Broken: the policies, or the number of hops that are followed. */
static void test_request_redirects_obey_the_policy(void **state)
{
    struct object most = object("redirect=10");
    struct object more = object("redirect=11");
    struct object ftp = redirection("", "ftp://127.0.0.1/x");
    struct object nonsense = redirection("", "http:///");
    struct object odd = object("status=302");

    (void)state;
    client.has_range = true;
    assert_ok(fetch(most.url));
    assert_int_equal(client.bytes, 1000);
    assert_int_equal(client.heads, 1);
    assert_string_equal(sent_header(most.path, 11, 10, "range"), "bytes=1000-1999");
    assert_hr(DO_HR_NET_REDIRECT_FAILED, fetch(more.url));
    assert_hr(DO_HR_NET_REDIRECT_FAILED, fetch(ftp.url));
    assert_int_equal(client.status, 302);
    assert_hr(DO_HR_NET_REDIRECT_FAILED, fetch(nonsense.url));
    assert_hr(HR_REDIRECTION, fetch(odd.url));
    client.options.redirects = DO_REDIRECT_REPORT;
    most = object("redirect=1");
    assert_ok(fetch(most.url));
    assert_non_null(strstr(client.redirected, "redirect=0"));
    client.options.redirects = DO_REDIRECT_DISALLOW;
    most = object("redirect=1");
    assert_hr(HR_REDIRECTION, fetch(most.url));
    assert_int_equal(client.status, 302);
    assert_string_equal(client.redirected, "");
    cJSON_Delete(read_log(most.path, 1));
}

/* Broken: what a redirection or a challenge has to say is taken for the file, costs a connection,
 * or is read however long it is. */
static void test_request_unwanted_bodies_are_dropped(void **state)
{
    struct object most = object("page=1m&auth=basic&redirect=3");
    struct object more = object("page=1048577&redirect=1");
    struct object asks = object("page=1048577&auth=basic");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_ok(fetch(most.url));
    assert_int_equal(client.bytes, SIZE);
    assert_int_equal(client.heads, 1);
    assert_int_equal(connections_used(most.path, 5), 1);
    assert_hr(HR_REDIRECTION, fetch(more.url));
    assert_int_equal(client.status, 302);
    assert_int_equal(client.bytes, 0);
    do_request_options_finish(&client.options);
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_int_equal(client.heads, 1);
    assert_int_equal(client.bytes, 0);
}

/* Facts */

/* Broken: what is told of an answer is not the last one's, or an error's is not told. */
static void test_request_facts_are_of_the_last_answer(void **state)
{
    struct object missing = object("status=404");
    struct object home = redirection("", missing.url);

    (void)state;
    assert_hr((HRESULT)0x80190194, fetch(home.url));
    assert_int_equal(client.heads, 1);
    assert_int_equal(client.status, 404);
    assert_memory_equal(client.head, "HTTP/1.1 404 ", 13);
    assert_non_null(strstr(client.head, "\r\nServer: fault_server\r\n"));
    assert_null(strstr(client.head, "302"));
    assert_string_equal(client.redirected, missing.url);
    assert_string_equal(client.address, "127.0.0.1");
}

/* Broken: facts are not what was set, or are there before. */
static void test_http_facts_keep_copies(void **state)
{
    struct do_http_facts facts;
    char *text = NULL;

    (void)state;
    do_http_facts_init(&facts);
    assert_hr(DO_HR_NOT_SET, do_http_facts_get(&facts, DO_FACT_RESPONSE_HEADERS, &text));
    assert_null(text);
    assert_int_equal(do_http_facts_get_status(&facts), 0);
    do_http_facts_set(&facts, "head", "target", "1.2.3.4", 200);
    do_http_facts_set(&facts, "head", NULL, "1.2.3.5", 404);
    assert_hr(DO_HR_NOT_SET, do_http_facts_get(&facts, DO_FACT_REDIRECT_TARGET, &text));
    assert_ok(do_http_facts_get(&facts, DO_FACT_SERVER_ADDRESS, &text));
    assert_string_equal(text, "1.2.3.5");
    do_free(text);
    assert_int_equal(do_http_facts_get_status(&facts), 404);
    do_http_facts_finish(&facts);
}

/* Options */

/* Broken: a credential is kept twice, is not replaced, or stays when it is removed. */
static void test_request_options_keep_one_credential_for_each_scheme(void **state)
{
    const struct do_credential *found;

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, wrong);
    set_credential(DO_AUTH_SERVER, DO_AUTH_DIGEST, wrong);
    set_credential(DO_AUTH_PROXY, DO_AUTH_BASIC, wrong);
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    assert_int_equal(client.options.credential_count, 3);
    found = do_request_options_get_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC);
    assert_non_null(found);
    assert_string_equal(found->password, right);
    assert_ok(do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_hr(S_FALSE,
        do_request_options_remove_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_null(do_request_options_get_credential(&client.options, DO_AUTH_SERVER, DO_AUTH_BASIC));
    assert_int_equal(client.options.credential_count, 2);
}

/* Broken: an exchange is made as the last one of the same handle was. */
static void test_request_used_again_keeps_nothing(void **state)
{
    struct object first = object("auth=basic");
    struct object home = redirection("", first.url);
    struct object second = object("");
    struct object asks = object("auth=basic");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    set_text(&client.options.headers, "X-One: 1\r\nUser-Agent: mine/1\r\nCookie: a=b");
    override_proxy(NULL);
    client.has_range = true;
    assert_ok(fetch(home.url));
    assert_int_equal(client.bytes, 1000);
    assert_string_equal(sent_header(first.path, 2, 1, "x-one"), "1");
    do_request_options_finish(&client.options);
    client.has_range = false;
    assert_ok(fetch(second.url));
    assert_int_equal(client.bytes, SIZE);
    assert_false(was_proxied(second.path, 1, 0));
    assert_string_equal(client.redirected, "");
    assert_string_equal(sent_header(second.path, 1, 0, "range"), "");
    assert_string_equal(sent_header(second.path, 1, 0, "x-one"), "");
    assert_string_equal(sent_header(second.path, 1, 0, "cookie"), "");
    assert_string_equal(sent_header(second.path, 1, 0, "authorization"), "");
    assert_string_not_equal(sent_header(second.path, 1, 0, "user-agent"), "mine/1");
    assert_hr(HR_DENIED, fetch(asks.url));
    assert_string_equal(sent_header(asks.path, 1, 0, "authorization"), "");
}

/* Torture */

/* Broken: memory that runs out at any point is more than a failure of this exchange. */
static void test_request_out_of_memory_is_a_clean_failure(void **state)
{
    struct object foreign = object_on("http", "localhost", server.port, "");
    struct object home = redirection("auth=basic", foreign.url);
    uint64_t n = 1;
    HRESULT hr;

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    set_text(&client.options.headers, "X-One: 1\r\nX-Two: 2");
    override_proxy("127.0.0.1 localhost");
    do
    {
        do_alloc_fail_nth(n);
        hr = fetch(home.url);
        do_alloc_fail_nth(0);
        if (FAILED(hr))
            assert_hr(E_OUTOFMEMORY, hr);
        /* A hop that cannot be made has no answer to tell of. */
        assert_false(client.head_was_empty);
        assert_in_range(n, 1, 200);
        n++;
    } while (FAILED(hr));
    assert_in_range(n, 5, 200);
    assert_int_equal(client.bytes, SIZE);
}

/* Broken: an exchange that is given up in any of its hops leaves something behind. */
static void test_request_abort_while_hops_follow_is_clean(void **state)
{
    struct object slow = object("delay=100&auth=basic&redirect=5");

    (void)state;
    set_credential(DO_AUTH_SERVER, DO_AUTH_BASIC, right);
    for (unsigned int i = 0; i < 3; i++)
    {
        client.url = slow.url;
        do_loop_call(client.loop, start, NULL);
        assert_ok(client.start_hr);
        /* So many of its requests have reached the server. */
        {
            char target[128];

            (void)snprintf(
                target, sizeof(target), "/_log?path=%s&wait=2000&min=%u", slow.path, i + 1);
            free(get(target));
        }
        do_loop_call(client.loop, destroy, NULL);
        do_loop_call(client.loop, create, NULL);
        assert_ok(client.start_hr);
        assert_false(client.ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REQUEST_TEST(test_request_plain_gives_the_object),
        REQUEST_TEST(test_request_basic_answers_a_challenge),
        REQUEST_TEST(test_request_basic_wrong_password_is_denied),
        REQUEST_TEST(test_request_challenge_without_credential_is_denied),
        REQUEST_TEST(test_request_only_given_schemes_are_used),
        REQUEST_TEST(test_request_digest_gives_the_object),
        REQUEST_TEST(test_request_digest_wrong_password_is_sent_twice_at_most),
        REQUEST_TEST(test_request_digest_nonce_ends_is_answered_anew),
        REQUEST_TEST(test_request_digest_nonce_ends_between_hops),
        REQUEST_TEST(test_request_digest_stale_nonce_is_replaced_once),
        REQUEST_TEST(test_request_digest_always_stale_is_denied),
        REQUEST_TEST(test_request_ntlm_gives_the_object),
        REQUEST_TEST(test_request_ntlm_wrong_password_is_sent_once),
        REQUEST_TEST(test_request_ntlm_login_ends_is_made_anew),
        REQUEST_TEST(test_request_ntlm_connection_is_its_owners),
        REQUEST_TEST(test_request_ntlm_stays_with_its_host),
        REQUEST_TEST(test_request_negotiate_keeps_no_connection),
        REQUEST_TEST(test_request_ntlm_to_the_proxy),
        REQUEST_TEST(test_request_strongest_offered_scheme_is_chosen),
        REQUEST_TEST(test_request_credential_stays_with_its_host),
        REQUEST_TEST(test_request_password_in_url_is_for_its_host),
        REQUEST_TEST(test_request_redirect_with_password_is_stripped),
        REQUEST_TEST(test_request_proxy_override_is_used),
        REQUEST_TEST(test_request_proxy_is_chosen_by_scheme),
        REQUEST_TEST(test_request_proxy_is_chosen_for_each_hop),
        REQUEST_TEST(test_request_proxy_refuses_connections_is_a_connect_failure),
        REQUEST_TEST(test_request_unknown_names_are_not_resolved),
        REQUEST_TEST(test_request_proxy_none_ignores_the_environment),
        REQUEST_TEST(test_request_proxy_challenge_is_answered),
        REQUEST_TEST(test_request_tunnel_carries_https),
        REQUEST_TEST(test_request_tunnel_refused_has_the_proxy_status),
        REQUEST_TEST(test_request_certificate_faults_need_their_flags),
        REQUEST_TEST(test_request_downgrade_needs_permission),
        REQUEST_TEST(test_request_headers_are_sent_as_far_as_they_make_sense),
        REQUEST_TEST(test_request_secret_headers_stay_with_their_host),
        REQUEST_TEST(test_request_proxy_header_goes_to_the_proxy),
        REQUEST_TEST(test_request_auth_headers_wait_for_a_challenge),
        REQUEST_TEST(test_request_auth_headers_stay_with_their_host),
        REQUEST_TEST(test_request_redirects_obey_the_policy),
        REQUEST_TEST(test_request_unwanted_bodies_are_dropped),
        REQUEST_TEST(test_request_facts_are_of_the_last_answer),
        REQUEST_TEST(test_http_facts_keep_copies),
        REQUEST_TEST(test_request_options_keep_one_credential_for_each_scheme),
        REQUEST_TEST(test_request_used_again_keeps_nothing),
        REQUEST_TEST(test_request_out_of_memory_is_a_clean_failure),
        REQUEST_TEST(test_request_abort_while_hops_follow_is_clean),
    };

    return cmocka_run_group_tests_name("request", tests, start_server, stop_server);
}
