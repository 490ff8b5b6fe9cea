/* SPDX-License-Identifier: MIT */
/*
 * The test seam in front of the file system: each operation that can fail in the field asks the
 * fault function first. Without one this costs a load and a compare.
 */
#include "plat/file.h"

#include <stdatomic.h>

#include "plat/file_os.h"

static _Atomic(do_file_fault_fn) fault_function;
static _Atomic(void *) fault_ctx;

void do_file_set_fault(do_file_fault_fn function, void *ctx)
{
    atomic_store(&fault_ctx, ctx);
    atomic_store(&fault_function, function);
}

static HRESULT fault(enum do_file_op op, uint64_t offset, size_t length)
{
    do_file_fault_fn function = atomic_load_explicit(&fault_function, memory_order_acquire);

    return function ? function(atomic_load(&fault_ctx), op, offset, length) : S_OK;
}

HRESULT do_file_create(const char *path, struct do_file **file)
{
    HRESULT hr;

    *file = NULL;
    if (FAILED(hr = fault(DO_FILE_OP_CREATE, 0, 0)))
        return hr;
    return do_file_os_create(path, file);
}

HRESULT do_file_open(const char *path, struct do_file **file)
{
    HRESULT hr;

    *file = NULL;
    if (FAILED(hr = fault(DO_FILE_OP_OPEN, 0, 0)))
        return hr;
    return do_file_os_open(path, file);
}

HRESULT do_file_write(struct do_file *file, uint64_t offset, const void *data, size_t length)
{
    HRESULT hr;

    if (FAILED(hr = fault(DO_FILE_OP_WRITE, offset, length)))
        return hr;
    return do_file_os_write(file, offset, data, length);
}

HRESULT do_file_flush(struct do_file *file)
{
    HRESULT hr;

    if (FAILED(hr = fault(DO_FILE_OP_FLUSH, 0, 0)))
        return hr;
    return do_file_os_flush(file);
}

HRESULT do_file_set_size(struct do_file *file, uint64_t size)
{
    HRESULT hr;

    if (FAILED(hr = fault(DO_FILE_OP_SET_SIZE, size, 0)))
        return hr;
    return do_file_os_set_size(file, size);
}

HRESULT do_file_rename(struct do_file *file, const char *path, bool replace)
{
    HRESULT hr;

    if (FAILED(hr = fault(DO_FILE_OP_RENAME, 0, 0)))
        return hr;
    return do_file_os_rename(file, path, replace);
}

HRESULT do_file_remove(struct do_file *file)
{
    HRESULT hr;

    if (FAILED(hr = fault(DO_FILE_OP_REMOVE, 0, 0)))
        return hr;
    return do_file_os_remove(file);
}
