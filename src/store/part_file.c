/* SPDX-License-Identifier: MIT */
/*
 * The temporary file of a download. See part_file.h for the rules; the lock is a leaf and is never
 * held over an operation of the file system, except by open and close, which nothing races with.
 */
#include "store/part_file.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "plat/file.h"
#include "plat/plat.h"

/* How long a file is waited for that another program, such as a virus scanner, has open. */
#define OTHERS_LIMIT_MS 3000U
#define OTHERS_LOOK_MS 100U

struct do_part_file
{
    atomic_int references;
    char *path;
    bool may_exist;            /* made by us before, in this run or an earlier one */
    do_part_file_sink_fn sink; /* of a stream, else NULL */
    void *sink_ctx;
    struct do_mutex lock;

    /* Under lock. */
    struct do_file *file;
    struct do_range_set written;
    bool dirty;
    uint64_t settled_time; /* of the file, while nobody has written since; 0 = not known */
    bool discarded;
    bool stopped;             /* of a stream: no further write begins */
    uint64_t sink_thread;     /* of a stream: who is inside the sink; 0 = nobody */
    struct do_cond left_sink; /* for do_part_file_wait_stream */
};

HRESULT do_part_file_make_name(const char *target, char **path)
{
    struct do_buf name;
    uint32_t number;
    HRESULT hr;

    *path = NULL;
    if (FAILED(hr = do_random_bytes(&number, sizeof(number))))
        return hr;
    do_buf_init(&name, 0);
    do_buf_append(&name, target, do_path_name_offset(target));
    do_buf_append_format(&name, "DO%08X.tmp", (unsigned int)number);
    *path = do_buf_take(&name);
    return *path ? S_OK : E_OUTOFMEMORY;
}

HRESULT do_part_file_check_name(const char *target, const char *path)
{
    size_t offset = do_path_name_offset(target);
    const char *name = path + offset;

    if (strncmp(target, path, offset) || strlen(path) != offset + 14 || name[0] != 'D' ||
        name[1] != 'O' || strspn(name + 2, "0123456789ABCDEF") != 8 || strcmp(name + 10, ".tmp"))
        return E_INVALIDARG;
    return S_OK;
}

HRESULT do_part_file_create(
    const char *path, const struct do_range_set *received, struct do_part_file **part)
{
    struct do_part_file *created;

    *part = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    atomic_init(&created->references, 1);
    do_mutex_init(&created->lock);
    do_cond_init(&created->left_sink);
    do_range_set_init(&created->written);
    created->may_exist = received != NULL;
    if (!(created->path = do_str_dup(path)) ||
        (received && FAILED(do_range_set_copy(&created->written, received))))
    {
        do_part_file_release(created);
        return E_OUTOFMEMORY;
    }
    *part = created;
    return S_OK;
}

void do_part_file_expect_time(struct do_part_file *part, uint64_t time)
{
    do_mutex_lock(&part->lock);
    part->settled_time = time;
    do_mutex_unlock(&part->lock);
}

HRESULT do_part_file_create_stream(do_part_file_sink_fn sink, void *ctx, struct do_part_file **part)
{
    HRESULT hr = do_part_file_create("(stream)", NULL, part);

    if (SUCCEEDED(hr))
    {
        (*part)->sink = sink;
        (*part)->sink_ctx = ctx;
    }
    return hr;
}

bool do_part_file_is_stream(const struct do_part_file *part)
{
    return part->sink != NULL;
}

void do_part_file_stop_stream(struct do_part_file *part, bool stopped)
{
    do_mutex_lock(&part->lock);
    part->stopped = stopped;
    do_mutex_unlock(&part->lock);
}

bool do_part_file_wait_stream(struct do_part_file *part)
{
    const uint64_t self = do_thread_current_id();
    bool is_own;

    do_mutex_lock(&part->lock);
    while (part->sink_thread && part->sink_thread != self)
        do_cond_wait(&part->left_sink, &part->lock);
    is_own = part->sink_thread != 0;
    do_mutex_unlock(&part->lock);
    return !is_own;
}

HRESULT do_part_file_renew_stream(struct do_part_file **part)
{
    struct do_part_file *renewed;
    HRESULT hr;

    if (FAILED(hr = do_part_file_create_stream((*part)->sink, (*part)->sink_ctx, &renewed)))
        return hr;
    if (FAILED(hr = do_part_file_get_written(*part, &renewed->written)))
    {
        do_part_file_release(renewed);
        return hr;
    }
    do_part_file_stop_stream(*part, true);
    do_part_file_release(*part);
    *part = renewed;
    return S_OK;
}

/* Hands data to the sink if it goes on where the last write ended. */
static HRESULT write_to_sink(
    struct do_part_file *part, uint64_t offset, const void *data, size_t length)
{
    HRESULT hr = S_OK;

    do_mutex_lock(&part->lock);
    if (part->stopped)
        hr = E_ABORT;
    else if (offset != do_range_set_size(&part->written))
        hr = E_UNEXPECTED;
    else
        part->sink_thread = do_thread_current_id();
    do_mutex_unlock(&part->lock);
    if (FAILED(hr))
        return hr;
    hr = part->sink(part->sink_ctx, data, length);
    do_mutex_lock(&part->lock);
    part->sink_thread = 0;
    if (SUCCEEDED(hr))
        hr = do_range_set_add(&part->written, offset, offset + length);
    /* What the sink refused must not be followed by what comes after it. */
    if (FAILED(hr))
        part->stopped = true;
    do_cond_broadcast(&part->left_sink);
    do_mutex_unlock(&part->lock);
    return hr;
}

struct do_part_file *do_part_file_acquire(struct do_part_file *part)
{
    (void)atomic_fetch_add(&part->references, 1);
    return part;
}

void do_part_file_release(struct do_part_file *part)
{
    if (!part || atomic_fetch_sub(&part->references, 1) > 1)
        return;
    if (part->discarded && part->file)
        (void)do_file_remove(part->file);
    do_file_close(part->file);
    do_range_set_finish(&part->written);
    do_cond_finish(&part->left_sink);
    do_mutex_finish(&part->lock);
    do_free(part->path);
    do_free(part);
}

static struct do_file *handle_of(struct do_part_file *part)
{
    struct do_file *file;

    do_mutex_lock(&part->lock);
    file = part->file;
    do_mutex_unlock(&part->lock);
    return file;
}

/* Whether the file is long enough for what it is said to hold, and as old as when it was left. */
static HRESULT check_file(struct do_part_file *part, struct do_file *file)
{
    uint64_t size;
    uint64_t time;
    HRESULT hr;

    if (FAILED(hr = do_file_get_size(file, &size)))
        return hr;
    if (part->written.ranges[part->written.count - 1].end > size)
        return DO_HR_FILE_NOT_FOUND;
    if (part->settled_time && SUCCEEDED(do_file_get_time(file, &time)) &&
        time != part->settled_time)
        return DO_HR_LOCAL_FILE_CHANGED;
    return S_OK;
}

static HRESULT open_file(struct do_part_file *part)
{
    struct do_file *file = NULL;
    HRESULT hr;

    if (part->sink || handle_of(part))
        return S_OK;
    if (!part->written.count)
    {
        /* New, or created by an earlier run that wrote nothing. */
        hr = do_file_create(part->path, &file);
        if (part->may_exist && (hr == DO_HR_FILE_EXISTS || hr == DO_HR_ALREADY_EXISTS))
            hr = do_file_open(part->path, &file);
    }
    else if (SUCCEEDED(hr = do_file_open(part->path, &file)))
        hr = check_file(part, file);
    if (FAILED(hr))
    {
        do_file_close(file);
        return hr;
    }
    do_mutex_lock(&part->lock);
    part->may_exist = true;
    part->file = file;
    do_mutex_unlock(&part->lock);
    return S_OK;
}

static HRESULT log_open(const struct do_part_file *part, HRESULT hr)
{
    if (FAILED(hr))
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "cannot open %s: 0x%08x", part->path, (unsigned int)hr);
    return hr;
}

HRESULT do_part_file_open(struct do_part_file *part)
{
    return log_open(part, open_file(part));
}

void do_part_file_mark_dirty(struct do_part_file *part)
{
    do_mutex_lock(&part->lock);
    part->dirty = true;
    do_mutex_unlock(&part->lock);
}

void do_part_file_close(struct do_part_file *part)
{
    struct do_file *file;

    do_mutex_lock(&part->lock);
    file = part->file;
    part->file = NULL;
    do_mutex_unlock(&part->lock);
    do_file_close(file);
}

/* Somebody writes: the file's time moves. */
static void forget_time(struct do_part_file *part)
{
    do_mutex_lock(&part->lock);
    part->settled_time = 0;
    do_mutex_unlock(&part->lock);
}

HRESULT do_part_file_set_size(struct do_part_file *part, uint64_t size)
{
    struct do_file *file = handle_of(part);

    if (part->sink)
        return S_OK;
    forget_time(part);
    return file ? do_file_set_size(file, size) : E_UNEXPECTED;
}

HRESULT do_part_file_write(
    struct do_part_file *part, uint64_t offset, const void *data, size_t length)
{
    struct do_file *file = handle_of(part);
    HRESULT hr;

    if (part->sink)
        return write_to_sink(part, offset, data, length);
    forget_time(part);
    hr = file ? do_file_write(file, offset, data, length) : E_UNEXPECTED;
    if (FAILED(hr))
    {
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "cannot write %s: 0x%08x", part->path, (unsigned int)hr);
        return hr;
    }
    do_mutex_lock(&part->lock);
    hr = do_range_set_add(&part->written, offset, offset + length);
    part->dirty = true;
    do_mutex_unlock(&part->lock);
    DO_CRASH_POINT("block-written");
    return hr;
}

HRESULT do_part_file_read(struct do_part_file *part, uint64_t offset, void *data, size_t length)
{
    struct do_file *file = handle_of(part);
    HRESULT hr = file ? do_file_read(file, offset, data, length) : E_UNEXPECTED;

    if (FAILED(hr))
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "cannot read %s: 0x%08x", part->path, (unsigned int)hr);
    return hr;
}

HRESULT do_part_file_forget(struct do_part_file *part, uint64_t begin, uint64_t end)
{
    HRESULT hr;

    do_mutex_lock(&part->lock);
    hr = do_range_set_remove(&part->written, begin, end);
    part->dirty = true;
    do_mutex_unlock(&part->lock);
    return hr;
}

bool do_part_file_is_written(struct do_part_file *part, uint64_t size)
{
    bool written;

    do_mutex_lock(&part->lock);
    written = do_range_set_contains(&part->written, 0, size);
    do_mutex_unlock(&part->lock);
    return written;
}

HRESULT do_part_file_get_written(struct do_part_file *part, struct do_range_set *written)
{
    HRESULT hr;

    do_range_set_init(written);
    do_mutex_lock(&part->lock);
    hr = do_range_set_copy(written, &part->written);
    do_mutex_unlock(&part->lock);
    return hr;
}

HRESULT do_part_file_flush(struct do_part_file *part, struct do_range_set *durable, bool *changed)
{
    HRESULT hr;

    *changed = false;
    do_mutex_lock(&part->lock);
    if (SUCCEEDED(hr = do_range_set_copy(durable, &part->written)) && part->file)
    {
        *changed = part->dirty;
        part->dirty = false;
    }
    do_mutex_unlock(&part->lock);
    if (FAILED(hr) || !*changed)
        return hr;
    if (FAILED(hr = do_file_flush(handle_of(part))))
    {
        do_mutex_lock(&part->lock);
        part->dirty = true;
        do_mutex_unlock(&part->lock);
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "cannot flush %s: 0x%08x", part->path, (unsigned int)hr);
    }
    else
        DO_CRASH_POINT("flushed");
    return hr;
}

uint64_t do_part_file_settle(struct do_part_file *part)
{
    struct do_file *file = handle_of(part);
    uint64_t time = 0;

    /* Windows moves the time when a file is closed that was written to, unless it was set. */
    if (!file || FAILED(do_file_get_time(file, &time)) || FAILED(do_file_set_time(file, time)) ||
        FAILED(do_file_get_time(file, &time)))
        return 0;
    do_mutex_lock(&part->lock);
    if (part->settled_time != time)
        part->dirty = true;
    part->settled_time = time;
    do_mutex_unlock(&part->lock);
    return time;
}

bool do_part_file_is_settled(struct do_part_file *part)
{
    bool settled;

    do_mutex_lock(&part->lock);
    settled = part->settled_time && !part->dirty;
    do_mutex_unlock(&part->lock);
    return settled;
}

/* Another program has a file open: whether to look again, after a while. */
static bool wait_for_others(struct do_part_file *part, HRESULT hr, uint64_t since_ms)
{
    if ((hr != DO_HR_SHARING_VIOLATION && hr != DO_HR_LOCK_VIOLATION) ||
        do_clock_ms() - since_ms >= OTHERS_LIMIT_MS)
        return false;
    do_mutex_lock(&part->lock);
    (void)do_cond_wait_ms(&part->left_sink, &part->lock, OTHERS_LOOK_MS);
    do_mutex_unlock(&part->lock);
    return true;
}

HRESULT do_part_file_open_patiently(struct do_part_file *part)
{
    const uint64_t since_ms = do_clock_ms();
    HRESULT hr;

    do
        hr = open_file(part);
    while (FAILED(hr) && wait_for_others(part, hr, since_ms));
    return log_open(part, hr);
}

static HRESULT rename_patiently(
    struct do_part_file *part, struct do_file *file, const char *target, bool replace)
{
    const uint64_t since_ms = do_clock_ms();
    HRESULT hr;

    do
        hr = do_file_rename(file, target, replace);
    while (FAILED(hr) && wait_for_others(part, hr, since_ms));
    return hr;
}

/* Cuts the file to size. Its time stays: a file that cannot be saved is as it was left. */
static HRESULT cut(struct do_file *file, uint64_t size)
{
    uint64_t now_size;
    uint64_t time;
    HRESULT hr;

    if (FAILED(hr = do_file_get_size(file, &now_size)) || now_size == size ||
        FAILED(hr = do_file_get_time(file, &time)) || FAILED(hr = do_file_set_size(file, size)))
        return hr;
    return do_file_set_time(file, time);
}

HRESULT do_part_file_commit(struct do_part_file *part, const char *target, uint64_t size,
    uint64_t modified_time, bool replace)
{
    struct do_file *file;
    HRESULT hr;

    if (!do_part_file_is_written(part, size))
        return DO_HR_FILE_NOT_FOUND;
    if (FAILED(hr = do_part_file_open_patiently(part)))
        return hr;
    file = handle_of(part);
    if (SUCCEEDED(hr = cut(file, size)) && SUCCEEDED(hr = do_file_flush(file)))
        hr = rename_patiently(part, file, target, replace);
    if (FAILED(hr))
    {
        do_log(DO_LOG_ERROR, DO_LOG_STORE, "cannot save %s: 0x%08x", target, (unsigned int)hr);
        return hr;
    }
    DO_CRASH_POINT("renamed");
    if (modified_time && FAILED(do_file_set_time(file, modified_time)))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "cannot set the time of %s", target);
    /* The name must be safe before the row that knows the old one goes. It has the file already. */
    if (FAILED(hr = do_file_flush(file)))
        do_log(DO_LOG_WARN, DO_LOG_STORE, "cannot flush %s: 0x%08x", target, (unsigned int)hr);
    do_part_file_close(part);
    return S_OK;
}

HRESULT do_part_file_find_saved(
    struct do_part_file *part, const char *target, uint64_t size, uint64_t modified_time)
{
    struct do_file *file;
    uint64_t settled_time;
    uint64_t found_size;
    uint64_t time;
    HRESULT hr;

    do_mutex_lock(&part->lock);
    settled_time = part->settled_time;
    do_mutex_unlock(&part->lock);
    if (do_file_exists(part->path))
        return S_FALSE;
    if (FAILED(hr = do_file_look(target, &found_size, &time)))
        return hr;
    if (found_size != size || !time || (time != settled_time && time != modified_time))
        return DO_HR_FILE_NOT_FOUND;
    /* The process ended before it could set the time. */
    if (modified_time && time != modified_time && SUCCEEDED(do_file_open(target, &file)))
    {
        (void)do_file_set_time(file, modified_time);
        do_file_close(file);
    }
    return S_OK;
}

void do_part_file_discard(struct do_part_file *part)
{
    do_mutex_lock(&part->lock);
    part->discarded = true;
    do_mutex_unlock(&part->lock);
    if (part->sink)
        return;
    /* A file that nobody has open must be opened to be deleted by handle; not there is fine. */
    if (!handle_of(part) && do_file_exists(part->path))
    {
        struct do_file *file;

        if (SUCCEEDED(do_file_open(part->path, &file)))
        {
            do_mutex_lock(&part->lock);
            part->file = file;
            do_mutex_unlock(&part->lock);
        }
    }
}

const char *do_part_file_path(const struct do_part_file *part)
{
    return part->path;
}
