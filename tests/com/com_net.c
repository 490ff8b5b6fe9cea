/* SPDX-License-Identifier: MIT */
/*
 * The tests' own line to the fault server: one small GET at a time, and a look into its log, whose
 * form (the order of the members, ": " between name and value) is the server's own.
 */
#include "com_test.h"

#include <stdlib.h>
#include <string.h>

#define RESPONSE_LIMIT (4U << 20)

const char *test_server(void)
{
    const char *server = getenv("DOSVC_TEST_SERVER");

    assert_non_null(server);
    return server;
}

static SOCKET open_socket(void)
{
    WSADATA data;
    SOCKET connection;

    assert_int_equal(0, WSAStartup(MAKEWORD(2, 2), &data));
    connection = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_true(connection != INVALID_SOCKET);
    return connection;
}

static SOCKET connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(test_server(), ':');
    SOCKET connection = open_socket();

    assert_non_null(colon);
    address.sin_port = htons((u_short)strtoul(colon + 1, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        0, connect(connection, (const struct sockaddr *)&address, (int)sizeof(address)));
    return connection;
}

char *test_get(const char *target)
{
    SOCKET connection = connect_to_server();
    char *response = malloc(RESPONSE_LIMIT);
    char request[512];
    size_t length = 0;
    const char *body;
    char *result;

    assert_non_null(response);
    (void)snprintf(request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", target);
    assert_int_equal((int)strlen(request), send(connection, request, (int)strlen(request), 0));
    for (;;)
    {
        int received;

        assert_true(length < RESPONSE_LIMIT - 1);
        received = recv(connection, response + length, (int)(RESPONSE_LIMIT - 1 - length), 0);
        if (received <= 0)
            break;
        length += (size_t)received;
    }
    response[length] = '\0';
    (void)closesocket(connection);
    body = strstr(response, "\r\n\r\n");
    assert_non_null(body);
    result = malloc(strlen(body + 4) + 1);
    assert_non_null(result);
    memcpy(result, body + 4, strlen(body + 4) + 1);
    free(response);
    return result;
}

char *test_log(const struct com_test *test)
{
    char target[128];

    (void)snprintf(target, sizeof(target), "/_log?path=%s&wait=5000", test->server_path);
    return test_get(target);
}

/* Every request's object begins with its path, and "number" follows. */
static const char *find_request(const char *log, unsigned int index)
{
    const char *found = strstr(log, "\"number\": ");

    for (unsigned int i = 0; found && i < index; i++)
        found = strstr(found + 1, "\"number\": ");
    return found;
}

unsigned int test_log_count(const char *log)
{
    unsigned int count = 0;

    while (find_request(log, count))
        count++;
    return count;
}

bool test_log_value(const char *log, unsigned int index, const char *key, char *value, size_t size)
{
    const char *request = find_request(log, index);
    const char *next = find_request(log, index + 1);
    const char *end;
    char name[64];
    size_t length;

    value[0] = '\0';
    (void)snprintf(name, sizeof(name), "\"%s\": ", key);
    /* A member that this request lacks is not to be found in the next one. */
    if (!request || !(request = strstr(request, name)) || (next && request > next))
        return false;
    request += strlen(name);
    if (!strncmp(request, "null", 4))
        return false;
    end = request + strcspn(request, ",}");
    if (*request == '"')
    {
        request++;
        /* An ETag's own quotes are escaped. */
        for (end = request; *end && (*end != '"' || end[-1] == '\\'); end++)
            continue;
    }
    length = (size_t)(end - request);
    assert_true(length < size);
    memcpy(value, request, length);
    value[length] = '\0';
    return true;
}

unsigned int test_dead_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    SOCKET connection = open_socket();
    int length = (int)sizeof(address);

    /* Given by the system and closed again: free, and not the next one to be given. */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(0, bind(connection, (const struct sockaddr *)&address, length));
    assert_int_equal(0, getsockname(connection, (struct sockaddr *)&address, &length));
    (void)closesocket(connection);
    return ntohs(address.sin_port);
}
