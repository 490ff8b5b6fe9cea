/* SPDX-License-Identifier: MIT */
/*
 * What is known of servers, by origin (scheme, host and port): which are in trouble, so that no
 * transfer hammers what another one has just found out of order, and how many connections each
 * has. Pure: time is a parameter. Loop thread; the table belongs to the engine.
 */
#ifndef DO_TRANSFER_HOST_H
#define DO_TRANSFER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/list.h"

/* So many that nobody uses are remembered; beyond that the one whose trouble ends first goes. */
#define DO_HOST_LIMIT 64U

/* A server that has answered so recently is not in trouble because of one object's 5xx. */
#define DO_HOST_FINE_MS 10000U

/** One origin. It stays while somebody has a reference. */
struct do_host
{
    struct do_list link;
    char *origin; /* "http://host:80" */
    uint32_t references;
    uint32_t lanes;       /* connections */
    uint64_t until_ms;    /* not to be asked before; 0 = no trouble */
    HRESULT trouble;      /* what it was */
    bool is_certain;      /* it is the whole server's, and not perhaps one object's */
    uint64_t answered_ms; /* when it did so well; 0 = never */
};

struct do_hosts
{
    struct do_list items;
};

void do_hosts_init(struct do_hosts *hosts);
/** There must be no references. */
void do_hosts_finish(struct do_hosts *hosts);

/** A reference on the origin of url. NULL when there is no memory, or no such origin. */
struct do_host *do_host_acquire(struct do_hosts *hosts, const char *url, uint64_t now_ms);
/** NULL is accepted. */
void do_host_release(struct do_hosts *hosts, struct do_host *host, uint64_t now_ms);

/** The same without a reference: borrowed until the next acquire or release; NULL = not known. */
struct do_host *do_host_find(struct do_hosts *hosts, const char *url);

/**
 * An attempt failed with hr; told_to_wait: the server has said for how long. The next attempt of
 * whoever has failed is at until_ms, and nobody asks before. What does not speak of the whole
 * server changes nothing.
 */
void do_host_failed(
    struct do_host *host, HRESULT hr, bool told_to_wait, uint64_t until_ms, uint64_t now_ms);

/** The network is another one: what was wrong with the way to servers says nothing any more. */
void do_hosts_forget_network(struct do_hosts *hosts);

/** It has answered with something other than trouble. */
void do_host_answered(struct do_host *host, uint64_t now_ms);

/** The client wants it to be asked now, whatever others have seen. */
void do_host_forget_trouble(struct do_host *host);

/**
 * How long to wait before it is asked, 0 = not at all: for the moment that others wait for, and up
 * to a quarter more (random: 0..UINT32_MAX), so that they do not come all at once.
 */
uint32_t do_host_delay_ms(const struct do_host *host, uint32_t random, uint64_t now_ms);

#endif
