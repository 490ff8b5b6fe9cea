/* SPDX-License-Identifier: MIT */
/*
 * Writing to a client's IStream. Real sinks answer E_NOTIMPL to all but Write, and treat the count
 * of written bytes as they like: none at all, or eight bytes of it. (Spec: IStream use.) Called on
 * whichever thread delivers bytes, one call at a time for each stream; what the stream calls in its
 * turn counts as that thread's (com_client_call_begin).
 */
#include "com/stream.h"

#include <objidl.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "com/client_pointer.h"

#define LARGEST_WRITE (1024U * 1024U)

struct client_stream
{
    struct do_stream stream;
    struct com_client_pointer pointer;
};

static HRESULT get(struct do_stream *stream, IStream **out)
{
    return com_client_pointer_get(
        &DO_CONTAINER_OF(stream, struct client_stream, stream)->pointer, (void **)out);
}

/* What a sink need not be able to do. */
static HRESULT optional(HRESULT hr)
{
    return hr == E_NOTIMPL ? S_OK : hr;
}

static HRESULT stream_rewind(struct do_stream *stream)
{
    const LARGE_INTEGER start = {.QuadPart = 0};
    const ULARGE_INTEGER size = {.QuadPart = 0};
    ULARGE_INTEGER position = {.QuadPart = 0};
    struct com_client_call call;
    IStream *target;
    HRESULT hr;

    if (FAILED(hr = get(stream, &target)))
        return hr;
    com_client_call_begin(&call);
    if (SUCCEEDED(hr = optional(IStream_Seek(target, start, STREAM_SEEK_SET, &position))))
        hr = optional(IStream_SetSize(target, size));
    com_client_call_end(&call);
    IStream_Release(target);
    return hr;
}

static HRESULT stream_write(struct do_stream *stream, const void *data, size_t length)
{
    const unsigned char *next = data;
    struct com_client_call call;
    IStream *target;
    HRESULT hr;

    if (FAILED(hr = get(stream, &target)))
        return hr;
    while (length && SUCCEEDED(hr))
    {
        ULONG piece = length < LARGEST_WRITE ? (ULONG)length : LARGEST_WRITE;
        /* A .NET sink writes a 64-bit count through the pointer. */
        UINT64 written = 0;

        com_client_call_begin(&call);
        hr = IStream_Write(target, next, piece, (ULONG *)(void *)&written);
        com_client_call_end(&call);
        next += piece;
        length -= piece;
    }
    IStream_Release(target);
    return FAILED(hr) ? hr : S_OK;
}

static HRESULT stream_commit(struct do_stream *stream)
{
    struct com_client_call call;
    IStream *target;
    HRESULT hr;

    if (FAILED(hr = get(stream, &target)))
        return hr;
    com_client_call_begin(&call);
    hr = optional(IStream_Commit(target, STGC_DEFAULT));
    com_client_call_end(&call);
    IStream_Release(target);
    return FAILED(hr) ? hr : S_OK;
}

static void stream_destroy(struct do_stream *stream)
{
    struct client_stream *self = DO_CONTAINER_OF(stream, struct client_stream, stream);
    struct com_client_call call;

    com_client_call_begin(&call);
    com_client_pointer_finish(&self->pointer);
    com_client_call_end(&call);
    do_free(self);
}

static const struct do_stream_class stream_class = {
    .rewind = stream_rewind,
    .write = stream_write,
    .commit = stream_commit,
    .destroy = stream_destroy,
};

HRESULT com_stream_create(IUnknown *object, struct do_stream **stream)
{
    struct client_stream *created;
    HRESULT hr;

    *stream = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    if (FAILED(hr = com_client_pointer_init(&created->pointer, object, &IID_IStream)))
    {
        do_free(created);
        return hr;
    }
    do_stream_init(&created->stream, &stream_class);
    *stream = &created->stream;
    return S_OK;
}

HRESULT com_stream_get_object(struct do_stream *stream, IUnknown **object)
{
    return com_client_pointer_get(
        &DO_CONTAINER_OF(stream, struct client_stream, stream)->pointer, (void **)object);
}
