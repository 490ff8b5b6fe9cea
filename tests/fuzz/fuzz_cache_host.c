/* SPDX-License-Identifier: MIT */
/*
 * Cache hosts: any list and any URL. A list that was read, written again, is the same list; what a
 * cache host is asked for is the URL's path and query with cacheHostOrigin, once, and nobody's
 * password; and whatever fails in whatever order, a transfer is sent to a host that there is, and
 * soon enough to the original server where no delay forbids that.
 */
#include "fuzz/fuzz.h"

#include "base/str.h"
#include "transfer/cache_host.h"
#include "transfer/url.h"

static char *get_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    const CURLUcode code = curl_url_get(parsed, part, &text, 0);

    FUZZ_CHECK(code == CURLUE_OK || code == CURLUE_NO_QUERY || code == CURLUE_NO_USER ||
               code == CURLUE_NO_PASSWORD || code == CURLUE_NO_FRAGMENT || code == CURLUE_NO_PORT);
    return text;
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = get_part(parsed, part);
    const bool has = text != NULL;

    curl_free(text);
    return has;
}

static void check_hosts(const struct do_cache_hosts *hosts)
{
    struct do_cache_hosts again;
    struct do_buf list;

    do_cache_hosts_init(&again);
    do_buf_init(&list, 0);
    for (size_t i = 0; i < hosts->count; i++)
    {
        const struct do_cache_host *host = &hosts->items[i];

        FUZZ_CHECK(host->name[0] && host->host[0] && !strpbrk(host->host, "/?#@ "));
        FUZZ_CHECK(!host->port || strtoul(host->port, NULL, 10) - 1 < 65535);
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(!do_str_equal_nocase(host->name, hosts->items[j].name));
        do_buf_append_str(&list, i & 1 ? "\t" : "");
        do_buf_append_str(&list, host->name);
        do_buf_append_str(&list, i & 1 ? " ," : ",");
    }
    FUZZ_CHECK(do_cache_hosts_set(&again, do_buf_str(&list)) == S_OK);
    FUZZ_CHECK(again.count == hosts->count);
    for (size_t i = 0; i < hosts->count; i++)
    {
        FUZZ_CHECK(!strcmp(hosts->items[i].name, again.items[i].name));
        FUZZ_CHECK(!strcmp(hosts->items[i].host, again.items[i].host));
        FUZZ_CHECK(!hosts->items[i].port == !again.items[i].port);
        FUZZ_CHECK(!hosts->items[i].port || !strcmp(hosts->items[i].port, again.items[i].port));
    }
    do_buf_finish(&list);
    do_cache_hosts_finish(&again);
}

/* before is the URL of the client, after what a cache host is asked for. */
static void check_parts(CURLU *before, CURLU *after, const struct do_cache_host *host)
{
    char *old_path = get_part(before, CURLUPART_PATH);
    char *old_query = get_part(before, CURLUPART_QUERY);
    char *old_port = get_part(before, CURLUPART_PORT);
    char *path = get_part(after, CURLUPART_PATH);
    char *query = get_part(after, CURLUPART_QUERY);
    char *port = get_part(after, CURLUPART_PORT);
    char *name = get_part(after, CURLUPART_HOST);
    const char *want_port = host->port ? host->port : old_port;
    const size_t length = old_query ? strlen(old_query) : 0;

    FUZZ_CHECK(!strcmp(path, old_path) && do_str_equal_nocase(name, host->host));
    FUZZ_CHECK(!has_part(after, CURLUPART_USER) && !has_part(after, CURLUPART_PASSWORD));
    FUZZ_CHECK(!has_part(after, CURLUPART_FRAGMENT));
    FUZZ_CHECK(!want_port ? !port : port && !strcmp(port, want_port));
    FUZZ_CHECK(query && !strncmp(query, old_query ? old_query : "", length));
    FUZZ_CHECK(strstr(query + length, "cacheHostOrigin="));
    curl_free(old_path);
    curl_free(old_query);
    curl_free(old_port);
    curl_free(path);
    curl_free(query);
    curl_free(port);
    curl_free(name);
}

static void check_rewritten(const struct do_cache_host *host, const char *url)
{
    CURLU *before;
    CURLU *after;
    char *rewritten;
    char *again;

    FUZZ_CHECK(do_cache_rewrite(host, url, &rewritten) == S_OK);
    FUZZ_CHECK(do_url_parse(url, &before) == S_OK && do_url_parse(rewritten, &after) == S_OK);
    check_parts(before, after, host);
    FUZZ_CHECK(do_cache_url_is_rewritten(rewritten));
    FUZZ_CHECK(do_cache_rewrite(host, rewritten, &again) == S_FALSE && !again);
    curl_url_cleanup(before);
    curl_url_cleanup(after);
    do_free(rewritten);
}

static void run_texts(struct fuzz_input *input)
{
    char *list = fuzz_take_text(input);
    char *url = fuzz_take_text(input);
    struct do_cache_hosts hosts;
    char *origin;
    HRESULT hr;

    do_cache_hosts_init(&hosts);
    FUZZ_CHECK(do_cache_hosts_set(&hosts, list) == S_OK);
    check_hosts(&hosts);
    hr = do_cache_origin_of(url, &origin);
    FUZZ_CHECK(origin ? hr == S_OK : hr == S_FALSE || hr == DO_HR_INET_INVALID_URL);
    for (size_t i = 0; i < hosts.count && origin; i++)
        check_rewritten(&hosts.items[i], url);
    do_free(origin);
    do_cache_hosts_finish(&hosts);
    free(url);
    free(list);
}

static void run_choices(struct fuzz_input *input)
{
    static const char *const lists[] = {"", "a", "a,b", "a,b,c:8080,[::1]:80,d"};
    static const uint32_t delays[] = {0, 1, 60, DO_CACHE_NEVER};
    static const HRESULT failures[] = {DO_HR_NET_TIMEOUT, DO_HR_NET_CANNOT_CONNECT,
        DO_HR_NET_CONNECTION_ABORTED, DO_E_BAD_PIECE_HASH, DO_HR_DISK_FULL, DO_HR_CANCELLED,
        (HRESULT)0x80190194, (HRESULT)0x801901F7, (HRESULT)0x80190197};
    const uint32_t delay_s = delays[fuzz_take_below(input, 4)];
    unsigned int in_a_row = 0; /* failures at one cache host that are the server's fault */
    size_t last = DO_CACHE_ORIGINAL;
    struct do_cache_choice choice;
    struct do_cache_hosts hosts;
    uint64_t now_ms = fuzz_take_below(input, 65536);

    do_cache_hosts_init(&hosts);
    FUZZ_CHECK(do_cache_hosts_set(&hosts, lists[fuzz_take_below(input, 4)]) == S_OK);
    do_cache_choice_init(&choice, now_ms);
    while (input->left)
    {
        const char *origin = fuzz_take_u8(input) & 1 ? "x" : "y";
        const size_t source = do_cache_choose(&hosts, &choice, origin, delay_s, now_ms);
        const uint32_t what = fuzz_take_below(input, 16);
        const uint32_t which = fuzz_take_below(input, sizeof(failures) / sizeof(failures[0]));
        enum do_cache_verdict verdict;

        FUZZ_CHECK(source == DO_CACHE_ORIGINAL || source < hosts.count);
        FUZZ_CHECK(hosts.ban_count <= DO_CACHE_BAN_LIMIT);
        if (source != last)
            in_a_row = 0;
        last = source;
        now_ms += (uint64_t)fuzz_take_u8(input) * fuzz_take_u8(input) * fuzz_take_u8(input);
        if (what == 0)
        {
            FUZZ_CHECK(do_cache_hosts_set(&hosts, lists[which % 4]) == S_OK);
            in_a_row = 0;
        }
        if (what == 1)
        {
            do_cache_progress(&choice);
            in_a_row = 0;
        }
        verdict =
            do_cache_failure(&hosts, &choice, source, origin, delay_s, failures[which], now_ms);
        FUZZ_CHECK(verdict == DO_CACHE_AS_USUAL || source != DO_CACHE_ORIGINAL);
        if (source != DO_CACHE_ORIGINAL && what > 1 && which != 4 && which != 5 && which != 8)
            in_a_row++;
        /* After two attempts at a host another server has its turn. */
        FUZZ_CHECK(delay_s || in_a_row <= 2);
        if (choice.is_for_good)
            FUZZ_CHECK(
                do_cache_choose(&hosts, &choice, origin, delay_s, now_ms) == DO_CACHE_ORIGINAL);
    }
    do_cache_hosts_finish(&hosts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};

    if (fuzz_take_below(&input, 4) == 0)
        run_choices(&input);
    else
        run_texts(&input);
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
