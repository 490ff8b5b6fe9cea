/* SPDX-License-Identifier: MIT */
/*
 * Threads, locks and clocks of native test builds, over pthreads.
 */
#define _GNU_SOURCE
#include "plat/plat.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct do_mutex), "do_mutex is too small");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct do_cond), "do_cond is too small");

struct do_thread
{
    pthread_t handle;
};

/* What a new thread takes with it; the thread frees it. */
struct thread_start
{
    do_thread_fn function;
    void *ctx;
};

static pthread_mutex_t module_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t module_cond = PTHREAD_COND_INITIALIZER;

static pthread_mutex_t *mutex_of(struct do_mutex *mutex)
{
    return (pthread_mutex_t *)(void *)mutex;
}

static pthread_cond_t *cond_of(struct do_cond *cond)
{
    return (pthread_cond_t *)(void *)cond;
}

void do_mutex_init(struct do_mutex *mutex)
{
    (void)pthread_mutex_init(mutex_of(mutex), NULL);
}

void do_mutex_finish(struct do_mutex *mutex)
{
    (void)pthread_mutex_destroy(mutex_of(mutex));
}

void do_mutex_lock(struct do_mutex *mutex)
{
    (void)pthread_mutex_lock(mutex_of(mutex));
}

void do_mutex_unlock(struct do_mutex *mutex)
{
    (void)pthread_mutex_unlock(mutex_of(mutex));
}

struct do_mutex *do_mutex_module(void)
{
    return (struct do_mutex *)(void *)&module_mutex;
}

struct do_cond *do_cond_module(void)
{
    return (struct do_cond *)(void *)&module_cond;
}

void do_cond_init(struct do_cond *cond)
{
    (void)pthread_cond_init(cond_of(cond), NULL);
}

void do_cond_finish(struct do_cond *cond)
{
    (void)pthread_cond_destroy(cond_of(cond));
}

void do_cond_wait(struct do_cond *cond, struct do_mutex *mutex)
{
    (void)pthread_cond_wait(cond_of(cond), mutex_of(mutex));
}

bool do_cond_wait_ms(struct do_cond *cond, struct do_mutex *mutex, uint32_t timeout_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L)
    {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), &until) != ETIMEDOUT;
}

void do_cond_signal(struct do_cond *cond)
{
    (void)pthread_cond_signal(cond_of(cond));
}

void do_cond_broadcast(struct do_cond *cond)
{
    (void)pthread_cond_broadcast(cond_of(cond));
}

static void *thread_main(void *arg)
{
    struct thread_start start = *(struct thread_start *)arg;

    do_free(arg);
    start.function(start.ctx);
    return NULL;
}

HRESULT do_thread_start(
    const char *name, do_thread_fn function, void *ctx, struct do_thread **thread)
{
    struct do_thread *created = do_alloc(sizeof(*created));
    struct thread_start *start = do_alloc(sizeof(*start));

    *thread = NULL;
    if (!created || !start)
        goto failed;
    start->function = function;
    start->ctx = ctx;
    if (pthread_create(&created->handle, NULL, thread_main, start))
        goto failed;
    (void)pthread_setname_np(created->handle, name);
    *thread = created;
    return S_OK;

failed:
    do_free(start);
    do_free(created);
    return E_OUTOFMEMORY;
}

void do_thread_join(struct do_thread *thread)
{
    if (!thread)
        return;
    (void)pthread_join(thread->handle, NULL);
    do_free(thread);
}

void do_thread_detach(struct do_thread *thread)
{
    if (!thread)
        return;
    (void)pthread_detach(thread->handle);
    do_free(thread);
}

uint64_t do_thread_current_id(void)
{
    return (uint64_t)syscall(SYS_gettid);
}

uint64_t do_clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool do_plat_has_fine_waits(void)
{
    return true;
}

/* Native builds are programs. */
void do_plat_pin_module(void)
{
}

uint64_t do_clock_filetime(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec + 11644473600U) * 10000000 + (uint64_t)now.tv_nsec / 100;
}

uint32_t do_clock_local_hour(void)
{
    time_t now = time(NULL);
    struct tm local;

    return localtime_r(&now, &local) ? (uint32_t)local.tm_hour : 0;
}

HRESULT do_random_bytes(void *data, size_t length)
{
    char *to = data;

    /* Beyond 256 bytes a signal may end a call early (getrandom(2)). */
    while (length)
    {
        ssize_t got = getrandom(to, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return E_FAIL;
        to += got;
        length -= (size_t)got;
    }
    return S_OK;
}

/*
 * Field 22 of /proc/<pid>/stat: the start time in clock ticks since boot; 0 when there is none.
 * Field 3 is the state: a killed process that nobody has waited for (zombie) runs no more.
 */
static uint64_t process_start(uint64_t id)
{
    char path[64];
    char line[1024];
    unsigned long long start = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)id);
    if (!(file = fopen(path, "r")))
        return 0;
    if (fgets(line, sizeof(line), file))
    {
        const char *field = strrchr(line, ')');

        if (field && (!strncmp(field, ") Z", 3) || !strncmp(field, ") X", 3)))
            field = NULL;
        for (int i = 2; field && i < 22; i++)
            field = strchr(field + 1, ' ');
        if (field)
            start = strtoull(field + 1, NULL, 10);
    }
    (void)fclose(file);
    return start;
}

struct do_process do_process_self(void)
{
    struct do_process self = {(uint64_t)getpid(), 0};

    self.start = process_start(self.id);
    return self;
}

bool do_process_is_alive(struct do_process process)
{
    return process.id && process.start && process_start(process.id) == process.start;
}
