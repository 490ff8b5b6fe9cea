/* SPDX-License-Identifier: MIT */
/*
 * Reference counts of what clients give us to call. Any thread.
 */
#include "job/client_ref.h"

void do_listener_init(struct do_listener *listener, const struct do_listener_class *class)
{
    listener->class = class;
    atomic_init(&listener->references, 1);
    listener->is_stored = false;
    do_list_init(&listener->link);
}

struct do_listener *do_listener_acquire(struct do_listener *listener)
{
    if (listener)
        (void)atomic_fetch_add(&listener->references, 1);
    return listener;
}

void do_listener_release(struct do_listener *listener)
{
    if (do_listener_drop(listener))
        listener->class->destroy(listener);
}

bool do_listener_drop(struct do_listener *listener)
{
    return listener && atomic_fetch_sub(&listener->references, 1) == 1;
}

void do_stream_init(struct do_stream *stream, const struct do_stream_class *class)
{
    stream->class = class;
    atomic_init(&stream->references, 1);
}

struct do_stream *do_stream_acquire(struct do_stream *stream)
{
    if (stream)
        (void)atomic_fetch_add(&stream->references, 1);
    return stream;
}

void do_stream_release(struct do_stream *stream)
{
    if (stream && atomic_fetch_sub(&stream->references, 1) == 1)
        stream->class->destroy(stream);
}
