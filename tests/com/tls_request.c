/* SPDX-License-Identifier: MIT */
/*
 * For tls.py: one struct do_request, used again for each FLAGS (DO_TLS_*, hexadecimal), and what
 * became of each exchange in a line. The main thread is the loop thread. Windows targets only.
 *
 *     tls_request URL FLAGS...
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/queue_db.h"
#include "transfer/request.h"
#include "transfer/revocation.h"

static struct
{
    struct do_loop *loop;
    struct do_loop_op next_op;
    struct do_request *request;
    struct do_request_options options;
    char **arguments; /* the URL, then flags */
    int count;
    int at;
    uint64_t bytes;
} client;

static HRESULT on_head(void *ctx, const struct do_http_head *head)
{
    (void)ctx;
    return head->status == 200 ? S_OK : do_hr_from_http_status(head->status);
}

static HRESULT on_data(void *ctx, const void *data, size_t length)
{
    (void)ctx;
    (void)data;
    client.bytes += length;
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
    printf("%s 0x%08lx %lu\n", client.arguments[client.at], (unsigned long)hr,
        (unsigned long)client.bytes);
    do_loop_post(client.loop, &client.next_op);
}

static void start_next(void *ctx)
{
    HRESULT hr;

    (void)ctx;
    if (++client.at == client.count)
    {
        do_loop_quit_on_loop(client.loop);
        return;
    }
    client.bytes = 0;
    client.options.tls_flags = (uint32_t)strtoul(client.arguments[client.at], NULL, 16);
    hr = do_request_start_on_loop(client.request, client.arguments[0], NULL, "", &client.options);
    if (FAILED(hr))
        on_end(NULL, hr);
}

int main(int argc, char **argv)
{
    static const struct do_request_events events = {on_head, on_data, has_room, on_end};
    struct do_request_settings settings = {.connect_timeout_ms = 5000,
        .stall_timeout_s = 10,
        .http_buffer_bytes = 65536,
        .https_buffer_bytes = 65536};

    if (argc < 3)
        return 2;
    client.arguments = argv + 1;
    client.count = argc - 1;
    do_request_options_init(&client.options);
    if (FAILED(do_loop_create(&client.loop)) ||
        FAILED(do_revocation_create(client.loop, &settings.revocation)) ||
        FAILED(do_request_create(client.loop, &settings, &events, NULL, &client.request)))
        return 2;
    do_loop_op_init(&client.next_op, start_next, NULL);
    do_loop_post(client.loop, &client.next_op);
    do_loop_run(client.loop, NULL, NULL);
    do_request_destroy(client.request);
    do_revocation_destroy(settings.revocation);
    do_loop_destroy(client.loop);
    do_request_options_finish(&client.options);
    return 0;
}
