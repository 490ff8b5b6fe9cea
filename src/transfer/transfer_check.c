/* SPDX-License-Identifier: MIT */
/*
 * A transfer's piece hashes and what is done with a file whose every byte is here: the piece hash
 * file is fetched before the first byte, pieces are compared after the last, the file is decrypted
 * and handed to a client's stream. Loop thread, but for on_checked (check.h).
 */
#include "transfer/transfer_internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

/* How often pieces may be bad: first they are fetched again, then the whole file, then it ends. */
#define MOST_BAD_ROUNDS 2U

struct do_transfer_check
{
    struct do_transfer *transfer;
    struct do_transfer_check_settings settings; /* but for the texts */
    struct do_integrity_info info;
    bool has_info;
    struct do_decrypt_info decrypt;
    bool has_decrypt;
    struct do_request *request; /* of the piece hash file */
    struct do_buf file;         /* what came of it */
    struct do_piece_hashes *hashes;
    bool gave_up; /* there are no hashes, and need not be */
    struct do_check *check;
    char *plain_path;
    struct do_part_file *plain;
    unsigned int bad_rounds;
    bool was_whole; /* every byte is of an earlier transfer */
};

/* The piece hash file */

/* Goes on without hashes when that is allowed. */
static HRESULT without_hashes(struct do_transfer_check *check, HRESULT hr)
{
    do_piece_hashes_destroy(check->hashes);
    check->hashes = NULL;
    if (check->settings.is_mandatory)
        return hr;
    do_log(DO_LOG_WARN, DO_LOG_XFER, "no piece hashes, going on without: 0x%08x", (unsigned int)hr);
    check->gave_up = true;
    return S_OK;
}

static HRESULT on_hash_head(void *ctx, const struct do_http_head *head)
{
    const struct do_head_question question = {.asked = {0, DO_SIZE_UNKNOWN},
        .known = {.size = DO_SIZE_UNKNOWN},
        .expected_size = DO_SIZE_UNKNOWN};
    struct do_head_answer answer;
    HRESULT hr;

    (void)ctx;
    if (do_http_head_judge(head, &question, &answer, &hr) != DO_HEAD_ACCEPT)
        return FAILED(hr) ? hr : DO_HR_NET_INVALID_SERVER_RESPONSE;
    return answer.length != DO_SIZE_UNKNOWN && answer.length > DO_PIECE_HASH_FILE_LIMIT
               ? DO_E_METAINFO_FILE_SIZE
               : S_OK;
}

static HRESULT on_hash_data(void *ctx, const void *data, size_t length)
{
    struct do_transfer_check *check = ctx;

    if (length > DO_PIECE_HASH_FILE_LIMIT - check->file.length)
        return DO_E_METAINFO_FILE_SIZE;
    do_buf_append(&check->file, data, length);
    return check->file.failed ? E_OUTOFMEMORY : S_OK;
}

static bool hash_has_room(void *ctx, size_t length)
{
    (void)ctx;
    (void)length;
    return true;
}

static void on_hash_end(void *ctx, HRESULT hr)
{
    struct do_transfer_check *check = ctx;
    struct do_transfer *transfer = check->transfer;

    if (SUCCEEDED(hr))
        hr = do_piece_hashes_parse(
            do_buf_str(&check->file), check->file.length, &check->info, &check->hashes);
    else if (!do_hr_is_transient(hr) && hr != DO_E_METAINFO_FILE_SIZE && hr != E_OUTOFMEMORY)
        hr = DO_E_INTEGRITYCHECKINFO_UNAVAILABLE;
    do_buf_clear(&check->file);
    if (SUCCEEDED(hr) && transfer->file->remote_size != DO_SIZE_UNKNOWN)
        hr = do_piece_hashes_check_size(check->hashes, transfer->file->remote_size);
    if (FAILED(hr))
        hr = without_hashes(check, hr);
    do_transfer_hashes_ended(transfer, hr);
}

bool do_transfer_wants_hashes(const struct do_transfer *transfer)
{
    const struct do_transfer_check *check = transfer->check;

    return check && check->has_info && !check->hashes && !check->gave_up;
}

HRESULT do_transfer_fetch_hashes(struct do_transfer *transfer)
{
    static const struct do_request_events events = {
        .on_head = on_hash_head,
        .on_data = on_hash_data,
        .has_room = hash_has_room,
        .on_end = on_hash_end,
    };
    struct do_transfer_check *check = transfer->check;
    HRESULT hr;

    do_buf_clear(&check->file);
    if (!check->request && FAILED(hr = do_request_create(transfer->env->loop,
                                      &transfer->env->settings, &events, check, &check->request)))
        return hr;
    /* The client's secrets are for the host of the file. */
    if (FAILED(hr = do_request_set_home_on_loop(check->request, transfer->file->url)))
        return hr;
    return do_request_start_on_loop(check->request, check->info.url, NULL, "", transfer->options);
}

HRESULT do_transfer_check_size(struct do_transfer *transfer, uint64_t object_size)
{
    struct do_transfer_check *check = transfer->check;
    HRESULT hr;

    if (!check || !check->hashes || object_size == DO_SIZE_UNKNOWN)
        return S_OK;
    hr = do_piece_hashes_check_size(check->hashes, object_size);
    return FAILED(hr) ? without_hashes(check, hr) : hr;
}

/* The check of a whole file */

static void on_checked(void *ctx)
{
    do_transfer_on_written(ctx, 0, S_OK);
}

static HRESULT keep(
    const struct do_transfer_check *check, uint32_t id, const struct do_value *value)
{
    const struct do_setting setting = {id, *value};

    return check->settings.keep(check->settings.keep_ctx, &setting, 1, false);
}

/* A file beside the encrypted one. */
static HRESULT create_plain(struct do_transfer *transfer)
{
    struct do_transfer_check *check = transfer->check;
    struct do_value path;
    HRESULT hr;

    if (FAILED(hr = do_part_file_make_name(do_part_file_path(*transfer->part), &check->plain_path)))
        return hr;
    path = do_value_of_text(check->plain_path);
    if (FAILED(hr = keep(check, check->settings.plain_path_id, &path)) ||
        FAILED(hr = do_part_file_create(check->plain_path, NULL, &check->plain)))
        return hr;
    return do_part_file_open(check->plain);
}

static void drop_plain(struct do_transfer_check *check)
{
    if (check->plain)
        do_part_file_discard(check->plain);
    do_part_file_release(check->plain);
    check->plain = NULL;
    do_free(check->plain_path);
    check->plain_path = NULL;
}

bool do_transfer_needs_check(const struct do_transfer *transfer)
{
    const struct do_transfer_check *check = transfer->check;

    /* Hashes that were not fetched yet are no reason to do without. */
    return check && !transfer->checked &&
           ((check->has_info && !check->gave_up) || check->has_decrypt ||
               check->settings.spool.write);
}

bool do_transfer_has_given(const struct do_transfer *transfer)
{
    const struct do_transfer_check *check = transfer->check;

    return check && check->settings.spool.write &&
           check->settings.spool.has(check->settings.spool.ctx);
}

HRESULT do_transfer_start_check(struct do_transfer *transfer)
{
    struct do_transfer_check *check = transfer->check;
    const struct do_transfer_spool *spool = &check->settings.spool;
    struct do_check_plan plan = {.part = *transfer->part,
        .size = do_plan_local_size(&transfer->plan),
        .sink = spool->write,
        .sink_has = spool->has,
        .sink_ctx = spool->ctx,
        .hold = spool->hold,
        .let_go = spool->let_go,
        .hold_ctx = spool->ctx,
        .begins = transfer->env->thread_begins,
        .ends = transfer->env->thread_ends};
    HRESULT hr;

    /* No head said how long a body without a length is. */
    if (FAILED(hr = do_transfer_check_size(transfer, plan.size)))
        return hr;
    if (do_transfer_wants_hashes(transfer))
        return E_UNEXPECTED;
    plan.hashes = check->hashes;
    do_check_release(check->check);
    check->check = NULL;
    drop_plain(check);
    if (check->has_decrypt)
    {
        if (FAILED(hr = create_plain(transfer)))
            return hr;
        plan.decrypt = &check->decrypt;
        plan.plain = check->plain;
    }
    do_transfer_begin_work(transfer);
    if (FAILED(hr = do_check_start(&plan, on_checked, transfer, &check->check)))
        do_transfer_on_written(transfer, 0, hr);
    return S_OK;
}

bool do_transfer_check_is_current(const struct do_transfer *transfer)
{
    return transfer->check && transfer->check->check && do_check_is_current(transfer->check->check);
}

void do_transfer_stop_check(struct do_transfer *transfer)
{
    if (!transfer->check)
        return;
    do_check_stop(transfer->check->check);
    if (transfer->check->request)
        do_request_abort_on_loop(transfer->check->request);
}

/* Bad pieces count as missing; the second time, and when all of them are bad, everything does. */
static enum do_transfer_verdict take_bad_pieces(
    struct do_transfer *transfer, const struct do_range_set *bad, HRESULT *hr)
{
    struct do_transfer_check *check = transfer->check;

    *hr = DO_E_BAD_PIECE_HASH;
    if (++check->bad_rounds > MOST_BAD_ROUNDS)
        return DO_VERDICT_FAILED;
    if (check->bad_rounds == MOST_BAD_ROUNDS ||
        do_range_set_size(bad) == do_plan_local_size(&transfer->plan))
        return DO_VERDICT_BEGIN_ANEW;
    for (size_t i = 0; i < bad->count; i++)
    {
        const struct do_range *range = &bad->ranges[i];

        if (FAILED(*hr = do_part_file_forget(*transfer->part, range->begin, range->end)) ||
            FAILED(*hr = do_range_set_remove(&transfer->claimed, range->begin, range->end)))
            return DO_VERDICT_FAILED;
    }
    do_progress_set_transferred(transfer->progress, do_range_set_size(&transfer->claimed));
    transfer->local_bytes = do_range_set_size(&transfer->claimed);
    return DO_VERDICT_FETCH_MORE;
}

static void swap_plain(struct do_transfer *transfer, struct do_range_set *received)
{
    struct do_transfer_check *check = transfer->check;
    struct do_file_record *file = transfer->file;
    struct do_range_set set = file->received;
    char *path = file->temp_path;

    file->received = *received;
    *received = set;
    file->temp_path = check->plain_path;
    check->plain_path = path;
    file->transferred = !file->transferred;
}

/*
 * The decrypted file takes the place of the encrypted one, in the database first: after a crash the
 * row names a file that is whole, and the other one is deleted.
 */
static HRESULT take_plain(struct do_transfer *transfer, uint64_t plain_size)
{
    struct do_transfer_check *check = transfer->check;
    /* The encrypted file is the one beside it from now on. */
    const struct do_setting settings[] = {
        {check->settings.plain_size_id, do_value_of_number(plain_size)},
        {check->settings.plain_path_id, do_value_of_text(do_part_file_path(*transfer->part))},
    };
    const struct do_value nothing = do_value_of_text(NULL);
    struct do_range_set received;
    struct do_part_file *old = *transfer->part;
    HRESULT hr = S_OK;

    do_range_set_init(&received);
    if (plain_size && FAILED(hr = do_range_set_add(&received, 0, plain_size)))
        goto done;
    swap_plain(transfer, &received);
    if (FAILED(hr = check->settings.keep(
                   check->settings.keep_ctx, settings, DO_COUNT_OF(settings), true)))
    {
        swap_plain(transfer, &received);
        goto done;
    }
    do_recorder_end(transfer->env->recorder, transfer->recording, false, false);
    transfer->recording = NULL;
    *transfer->part = check->plain;
    check->plain = NULL;
    do_part_file_close(*transfer->part);
    do_part_file_discard(old);
    do_part_file_release(old);
    (void)keep(check, check->settings.plain_path_id, &nothing);
    do_progress_set_flags(transfer->progress, true, false);

done:
    do_range_set_finish(&received);
    return hr;
}

enum do_transfer_verdict do_transfer_take_check(struct do_transfer *transfer, HRESULT *hr)
{
    struct do_transfer_check *check = transfer->check;
    const struct do_check_result *result = do_check_get_result(check->check);

    *hr = result->hr;
    /* Who starts a download again that could not be decrypted wants other bytes, not the same
       answer; those that their hashes have shown to be good would come again as they are. */
    if (*hr == DO_E_FILE_ENCRYPTION_EXPECTED && check->was_whole && !check->hashes)
    {
        check->was_whole = false;
        return DO_VERDICT_BEGIN_ANEW;
    }
    if (FAILED(*hr))
        return DO_VERDICT_FAILED;
    if (result->bad.count)
        return take_bad_pieces(transfer, &result->bad, hr);
    if (check->has_decrypt && FAILED(*hr = take_plain(transfer, result->plain_size)))
        return DO_VERDICT_FAILED;
    transfer->checked = true;
    return check->has_decrypt ? DO_VERDICT_DECRYPTED : DO_VERDICT_GOOD;
}

/* Its life */

HRESULT do_transfer_set_check_on_loop(
    struct do_transfer *transfer, const struct do_transfer_check_settings *settings)
{
    const uint64_t size = do_plan_local_size(&transfer->plan);
    struct do_transfer_check *check;
    HRESULT hr;

    if (!settings->integrity_info && !settings->decryption_info && !settings->spool.write)
        return S_OK;
    if (!(check = do_alloc(sizeof(*check))))
        return E_OUTOFMEMORY;
    transfer->check = check;
    check->transfer = transfer;
    check->settings = *settings;
    check->settings.integrity_info = NULL;
    check->settings.decryption_info = NULL;
    check->was_whole = *transfer->part && size != DO_SIZE_UNKNOWN &&
                       do_part_file_is_written(*transfer->part, size);
    do_buf_init(&check->file, DO_PIECE_HASH_FILE_LIMIT);
    if (settings->integrity_info)
    {
        if (FAILED(hr = do_integrity_info_parse(settings->integrity_info, &check->info)))
            return hr;
        check->has_info = true;
        /* Pieces are pieces of the whole object. */
        if (!transfer->plan.is_whole)
            check->gave_up = true;
    }
    if (settings->decryption_info)
    {
        if (FAILED(hr = do_decrypt_info_parse(settings->decryption_info, &check->decrypt)))
            return hr;
        check->has_decrypt = true;
    }
    return S_OK;
}

void do_transfer_release_check(struct do_transfer *transfer)
{
    struct do_transfer_check *check = transfer->check;

    if (!check)
        return;
    transfer->check = NULL;
    do_check_stop(check->check);
    do_check_release(check->check);
    do_request_destroy(check->request);
    drop_plain(check);
    do_piece_hashes_destroy(check->hashes);
    do_integrity_info_finish(&check->info);
    do_decrypt_info_finish(&check->decrypt);
    do_buf_finish(&check->file);
    do_free(check);
}
