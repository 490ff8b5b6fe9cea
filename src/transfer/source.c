/* SPDX-License-Identifier: MIT */
/*
 * Whom a transfer asks: the server of its URL, or a cache host (cache_host.h), and what is known of
 * the server by others (host.h); and whether what one source says is of the object that another one
 * gave bytes of. Loop thread only.
 */
#include "transfer/transfer_internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "plat/plat.h"

static void copy_text(char *out, size_t size, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (length >= size)
        length = 0;
    if (length)
        memcpy(out, text, length);
    out[length] = 0;
}

void do_transfer_get_validators(
    const struct do_transfer *transfer, struct do_validators *validators)
{
    copy_text(validators->etag, sizeof(validators->etag), transfer->file->etag);
    copy_text(validators->last_modified, sizeof(validators->last_modified),
        transfer->file->last_modified);
    validators->size = transfer->file->remote_size;
}

/* Keeps what an accepted answer says of the object, in memory and, when new, in the database. */
HRESULT do_lane_keep_validators(
    struct do_lane *lane, const struct do_http_head *head, const struct do_head_answer *answer)
{
    struct do_transfer *transfer = lane->transfer;
    struct do_file_record *file = transfer->file;
    HRESULT hr;

    /* A Content-Range without a total ("*") says nothing new of the size. */
    if (do_transfer_has_data(transfer) && lane->source == transfer->known_source &&
        (file->remote_size == answer->object_size || answer->object_size == DO_SIZE_UNKNOWN))
        return S_OK;
    transfer->known_source = lane->source;
    file->remote_size = answer->object_size;
    if (FAILED(hr = do_str_assign(&file->etag, head->etag[0] ? head->etag : NULL)) ||
        FAILED(hr = do_str_assign(
                   &file->last_modified, head->last_modified[0] ? head->last_modified : NULL)))
        return hr;
    return do_queue_db_note_file(transfer->env->db, file);
}

/*
 * Whether another source than the one that gave what is here, a cache host or the server behind it,
 * has the same object: of the same size, with the same strong entity tag, or with the same date
 * where one of them tells no tag. If-Range is of no use here, since it would begin anew where only
 * a tag is missing. Tags that differ are two objects, whoever made them: a cache that makes its own
 * costs a new beginning, and never mixes versions.
 */
static bool is_same_elsewhere(const struct do_http_head *head, const struct do_validators *known)
{
    if (!head->has_content_range || head->range_total != known->size ||
        known->size == DO_SIZE_UNKNOWN)
        return false;
    if (head->etag[0] && known->etag[0] && strcmp(head->etag, known->etag) != 0)
        return false;
    if (head->etag[0] == '"' && known->etag[0])
        return true;
    return head->last_modified[0] && !strcmp(head->last_modified, known->last_modified);
}

/* What the answer is measured by. False: it is of another object. */
bool do_lane_get_known(
    const struct do_lane *lane, const struct do_http_head *head, struct do_validators *known)
{
    const struct do_transfer *transfer = lane->transfer;

    do_transfer_get_validators(transfer, known);
    if (!do_transfer_has_data(transfer) || lane->source == transfer->known_source ||
        (head->status != 200 && head->status != 206))
        return true;
    if (!is_same_elsewhere(head, known))
        return false;
    copy_text(known->etag, sizeof(known->etag), head->etag);
    copy_text(known->last_modified, sizeof(known->last_modified), head->last_modified);
    return true;
}

/* The server is not in trouble; whether it has what is wanted is another matter. */
void do_lane_note_answer(struct do_lane *lane, unsigned int status)
{
    if (lane->host && status && status < 500 && status != 429)
        do_host_answered(lane->host, do_loop_now_on_loop(lane->transfer->env->loop));
}

/*
 * The first request of an attempt finds the server in trouble, by what others have seen: it is not
 * made. Connections that follow others are, and so is a file's very first when it is not certain
 * that what others have seen will meet it as well.
 */
static HRESULT may_ask_host(struct do_transfer *transfer)
{
    struct do_host *host = transfer->host;
    bool is_first = !transfer->host_ever_asked;
    uint32_t random = 0;

    if (!host || transfer->host_asked)
        return S_OK;
    (void)do_random_bytes(&random, sizeof(random));
    if (!is_first || host->is_certain)
        transfer->host_delay_ms =
            do_host_delay_ms(host, random, do_loop_now_on_loop(transfer->env->loop));
    if (transfer->host_delay_ms)
        return host->trouble;
    transfer->host_asked = true;
    transfer->host_ever_asked = true;
    return S_OK;
}

/* Whom to ask: *url is do_alloc'ed for a cache host, and else NULL: the file's own. */
HRESULT do_lane_choose_source(struct do_lane *lane, char **url)
{
    struct do_transfer *transfer = lane->transfer;
    struct do_transfer_env *env = transfer->env;
    uint32_t timeout_ms = env->settings.connect_timeout_ms;
    HRESULT hr;

    *url = NULL;
    lane->source = do_cache_choose(&env->cache_hosts, &transfer->cache, transfer->cache_origin,
        env->cache_delay_s[transfer->rate_class], do_loop_now_on_loop(env->loop));
    if (lane->source == DO_CACHE_ORIGINAL)
    {
        lane->host = transfer->host;
        do_request_set_connect_timeout_on_loop(lane->request, timeout_ms);
        (void)do_request_set_home_on_loop(lane->request, NULL);
        return may_ask_host(transfer);
    }
    lane->host = NULL;
    if (timeout_ms > env->cache_connect_timeout_ms)
        timeout_ms = env->cache_connect_timeout_ms;
    do_request_set_connect_timeout_on_loop(lane->request, timeout_ms);
    /* What the client's secrets are for is its URL's server. */
    if (FAILED(hr = do_request_set_home_on_loop(lane->request, transfer->file->url)))
        return hr;
    hr = do_cache_rewrite(&env->cache_hosts.items[lane->source], transfer->file->url, url);
    return hr == S_FALSE ? E_UNEXPECTED : hr;
}

/* What must not have changed since; "" where the answer itself is looked at (is_same_elsewhere). */
const char *do_lane_if_range(const struct do_lane *lane, const struct do_validators *known)
{
    return do_transfer_has_data(lane->transfer) && lane->source == lane->transfer->known_source
               ? do_validators_if_range(known)
               : "";
}

/* Whom the URL, which may be another one by now, names. */
void do_transfer_look_at_url(struct do_transfer *transfer)
{
    struct do_transfer_env *env = transfer->env;
    uint64_t now_ms = do_loop_now_on_loop(env->loop);
    struct do_host *before = transfer->host;

    transfer->host = do_host_acquire(&env->hosts, transfer->file->url, now_ms);
    do_host_release(&env->hosts, before, now_ms);
    transfer->host_delay_ms = 0;
    do_free(transfer->cache_origin);
    transfer->cache_origin = NULL;
    /* Without memory the server itself is asked. */
    if (env->cache_hosts.count)
        (void)do_cache_origin_of(transfer->file->url, &transfer->cache_origin);
}

enum do_cache_verdict do_transfer_source_failed(
    struct do_transfer *transfer, size_t source, HRESULT hr)
{
    struct do_transfer_env *env = transfer->env;

    return do_cache_failure(&env->cache_hosts, &transfer->cache, source, transfer->cache_origin,
        env->cache_delay_s[transfer->rate_class], hr, do_loop_now_on_loop(env->loop));
}

/* The file is not what was hashed, and bytes of it are a cache host's. */
void do_transfer_blame_cache(struct do_transfer *transfer)
{
    if (transfer->cache_source != DO_CACHE_ORIGINAL)
        (void)do_transfer_source_failed(transfer, transfer->cache_source, DO_E_BAD_PIECE_HASH);
    transfer->cache_source = DO_CACHE_ORIGINAL;
}

void do_transfer_tell_host_on_loop(struct do_transfer *transfer, HRESULT hr, uint64_t next_ms)
{
    /* What a cache host did says nothing of the server. */
    if (transfer->host && transfer->host_asked && transfer->failed_source == DO_CACHE_ORIGINAL)
        do_host_failed(transfer->host, hr, transfer->retry_after_s != 0, next_ms,
            do_loop_now_on_loop(transfer->env->loop));
}
