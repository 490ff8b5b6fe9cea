/* SPDX-License-Identifier: MIT */
/*
 * The notifier. Mailboxes that have something to tell stand in a line; a delivery thread takes the
 * first one that is due, tells one notice with no lock held, and puts it back at the end, so that
 * jobs take turns. A mailbox that is being delivered stands in a second line, where no other thread
 * takes it.
 *
 * While something stands in line, a thread that idles watches it (or all threads are busy and there
 * are as many as may be): whoever adds something wakes such a thread or starts one, and a thread
 * that goes to work hands the watch over in the same way. So nothing waits for a callback that
 * blocks.
 *
 * Listeners whose last reference was dropped stand in a third line and are destroyed by delivery
 * threads, since the loop and others that drop them must not call clients.
 *
 * The lock is a leaf: references on jobs, whose engine has a lock of its own, are taken and given
 * back without it. One file, though a long one: all of it works on what this one lock guards.
 */
#include "job/notify.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "job/job_internal.h"

/* These are repeated until the listener returns S_OK. */
#define REPEATED ((uint32_t)DO_NOTICE_JOB_TRANSFERRED | (uint32_t)DO_NOTICE_JOB_ERROR)

struct do_notifier
{
    void (*begins)(void);
    void (*ends)(void);

    uint32_t living; /* threads that may still touch this; under do_mutex_module() */

    /* Under lock. */
    struct do_mutex lock;
    struct do_cond work;       /* for threads that idle */
    struct do_cond told;       /* for do_notify_flush: a delivery has ended */
    struct do_list waiting;    /* mailboxes with something pending, none of them in delivery */
    struct do_list delivering; /* mailboxes in delivery: few */
    struct do_list garbage;    /* listeners without a reference */
    uint32_t threads;
    uint32_t idle; /* of them without work; one that is being started is one of these */
    bool ending;
};

/* One notice on its way. */
struct delivery
{
    struct do_mailbox *mailbox;
    struct do_job *job;           /* the mailbox's reference */
    struct do_listener *listener; /* one reference */
    uint32_t listener_number;
    uint32_t notices;    /* one; or JOB_TRANSFERRED and JOB_ERROR, then the job's state decides */
    uint32_t file_index; /* of FILE_TRANSFERRED */
    struct do_download_status status; /* of STATUS */
};

enum outcome
{
    OUTCOME_DONE,  /* told, or nothing to tell (any more) */
    OUTCOME_AGAIN, /* FILE_TRANSFERRED: there may be a next file; else: refused */
    OUTCOME_GONE   /* the listener is disconnected */
};

static struct do_job *job_of(struct do_mailbox *mailbox)
{
    return DO_CONTAINER_OF(mailbox, struct do_job, mailbox);
}

/* Threads */

static void delivery_main(void *ctx);

/*
 * The last thing that a thread does with the notifier. It is freed as soon as nobody counts, so the
 * lock is one that is never finished (and on Windows a thread holds a reference on the module).
 */
static void count_living(struct do_notifier *notifier, uint32_t change)
{
    do_mutex_lock(do_mutex_module());
    notifier->living += change;
    do_cond_broadcast(do_cond_module());
    do_mutex_unlock(do_mutex_module());
}

/*
 * Something stands in line: makes sure that a thread looks. True: it is counted already, and the
 * caller starts it (start_thread) when it has let go of the lock.
 */
static bool wake_locked(struct do_notifier *notifier)
{
    if (notifier->idle)
    {
        do_cond_signal(&notifier->work);
        return false;
    }
    if (notifier->threads == DO_NOTICE_MAX_THREADS)
        return false;
    notifier->threads++;
    notifier->idle++;
    return true;
}

static void start_thread(struct do_notifier *notifier)
{
    struct do_thread *thread;
    uint32_t others;
    HRESULT hr;

    count_living(notifier, 1);
    if (SUCCEEDED(hr = do_thread_start("do-notify", delivery_main, notifier, &thread)))
    {
        do_thread_detach(thread);
        return;
    }
    do_mutex_lock(&notifier->lock);
    others = --notifier->threads;
    notifier->idle--;
    do_mutex_unlock(&notifier->lock);
    /* What stands in line stays there, for a thread that is busy now or for the next post. */
    do_log(others ? DO_LOG_WARN : DO_LOG_ERROR, DO_LOG_JOB,
        "a delivery thread does not start, there are %u: 0x%08x", (unsigned int)others,
        (unsigned int)hr);
    count_living(notifier, (uint32_t)-1);
}

HRESULT do_notifier_create(void (*begins)(void), void (*ends)(void), struct do_notifier **notifier)
{
    struct do_notifier *created;

    *notifier = NULL;
    if (!(created = do_alloc(sizeof(*created))))
        return E_OUTOFMEMORY;
    created->begins = begins;
    created->ends = ends;
    do_mutex_init(&created->lock);
    do_cond_init(&created->work);
    do_cond_init(&created->told);
    do_list_init(&created->waiting);
    do_list_init(&created->delivering);
    do_list_init(&created->garbage);
    *notifier = created;
    return S_OK;
}

void do_notifier_destroy(struct do_notifier *notifier)
{
    struct do_list *link;
    bool starts;

    if (!notifier)
        return;
    do_mutex_lock(&notifier->lock);
    assert(do_list_is_empty(&notifier->waiting));
    assert(do_list_is_empty(&notifier->delivering));
    notifier->ending = true;
    starts = !do_list_is_empty(&notifier->garbage) && wake_locked(notifier);
    do_cond_broadcast(&notifier->work);
    do_mutex_unlock(&notifier->lock);
    if (starts)
        start_thread(notifier);
    do_mutex_lock(do_mutex_module());
    while (notifier->living)
        do_cond_wait(do_cond_module(), do_mutex_module());
    do_mutex_unlock(do_mutex_module());
    /* Only when not one thread could be started. */
    while ((link = do_list_pop(&notifier->garbage)))
    {
        struct do_listener *listener = DO_LIST_ENTRY(link, struct do_listener, link);

        listener->class->destroy(listener);
    }
    do_cond_finish(&notifier->told);
    do_cond_finish(&notifier->work);
    do_mutex_finish(&notifier->lock);
    do_free(notifier);
}

/* Mailboxes */

void do_mailbox_init(struct do_mailbox *mailbox, uint32_t flags)
{
    memset(mailbox, 0, sizeof(*mailbox));
    do_list_init(&mailbox->link);
    mailbox->flags = flags;
}

static uint32_t wanted_locked(const struct do_mailbox *mailbox)
{
    return mailbox->listener && !(mailbox->flags & DO_NOTICE_DISABLE) ? mailbox->flags : 0;
}

static bool wants_locked(const struct do_mailbox *mailbox, enum do_notice notice)
{
    return (wanted_locked(mailbox) & (uint32_t)notice) != 0;
}

/* The job, when its mailbox needs it no longer: to be released without the lock; else NULL. */
static struct do_job *rest_locked(struct do_mailbox *mailbox)
{
    if (mailbox->pending || mailbox->delivering)
        return NULL;
    do_list_remove(&mailbox->link);
    if (!mailbox->holds_job)
        return NULL;
    mailbox->holds_job = false;
    return job_of(mailbox);
}

/* Forgets what waits, and that a delivery in flight may have to be repeated. Returns likewise. */
static struct do_job *forget_locked(struct do_mailbox *mailbox)
{
    mailbox->pending = 0;
    mailbox->status_count = 0;
    mailbox->forgotten = true;
    return rest_locked(mailbox);
}

static void reset_retry_locked(struct do_mailbox *mailbox)
{
    mailbox->retry_due_ms = 0;
    mailbox->retry_delay_ms = 0;
}

/* Gives back a reference. True: start_thread. */
static bool drop_listener_locked(struct do_notifier *notifier, struct do_listener *listener)
{
    if (!do_listener_drop(listener))
        return false;
    do_list_add_tail(&notifier->garbage, &listener->link);
    return wake_locked(notifier);
}

/* The files that FILE_TRANSFERRED is never told of when it is wanted from now on. */
static uint32_t count_transferred(struct do_job *job)
{
    size_t count = do_job_get_file_count(job);
    size_t i = 0;

    while (i < count && do_job_file_get_progress(do_job_get_file(job, i)).transferred)
        i++;
    return (uint32_t)i;
}

static void skip_files_locked(struct do_mailbox *mailbox, bool wanted_before, uint32_t transferred)
{
    if (!wanted_before && wants_locked(mailbox, DO_NOTICE_FILE_TRANSFERRED) &&
        mailbox->next_file < transferred)
        mailbox->next_file = transferred;
}

void do_notify_set_listener(
    struct do_notifier *notifier, struct do_job *job, struct do_listener *listener)
{
    struct do_mailbox *mailbox = &job->mailbox;
    uint32_t transferred = listener ? count_transferred(job) : 0;
    struct do_job *unused = NULL;
    struct do_listener *old;
    bool wanted_files;
    bool starts = false;

    do_mutex_lock(&notifier->lock);
    wanted_files = wants_locked(mailbox, DO_NOTICE_FILE_TRANSFERRED);
    old = mailbox->listener;
    mailbox->listener = do_listener_acquire(listener);
    mailbox->listener_number++;
    reset_retry_locked(mailbox);
    skip_files_locked(mailbox, wanted_files, transferred);
    if (!listener)
        unused = forget_locked(mailbox);
    else if (mailbox->pending && !mailbox->delivering)
        starts = wake_locked(notifier);
    starts |= drop_listener_locked(notifier, old);
    do_mutex_unlock(&notifier->lock);
    if (starts)
        start_thread(notifier);
    do_job_release(unused);
}

void do_notify_close(struct do_notifier *notifier, struct do_job *job)
{
    struct do_mailbox *mailbox = &job->mailbox;
    bool waits;

    do_mutex_lock(&notifier->lock);
    mailbox->closing = true;
    waits = mailbox->pending || mailbox->delivering;
    do_mutex_unlock(&notifier->lock);
    if (!waits)
        do_notify_set_listener(notifier, job, NULL);
}

void do_notify_forget_stored_listener(struct do_notifier *notifier, struct do_job *job)
{
    bool is_stored;

    do_mutex_lock(&notifier->lock);
    is_stored = job->mailbox.listener && job->mailbox.listener->is_stored;
    do_mutex_unlock(&notifier->lock);
    if (is_stored)
        do_notify_set_listener(notifier, job, NULL);
}

bool do_notify_has_listener(struct do_notifier *notifier, struct do_job *job)
{
    bool has;

    do_mutex_lock(&notifier->lock);
    has = job->mailbox.listener != NULL;
    do_mutex_unlock(&notifier->lock);
    return has;
}

struct do_listener *do_notify_get_listener(struct do_notifier *notifier, struct do_job *job)
{
    struct do_listener *listener;

    do_mutex_lock(&notifier->lock);
    listener = do_listener_acquire(job->mailbox.listener);
    do_mutex_unlock(&notifier->lock);
    return listener;
}

void do_notify_set_flags(struct do_notifier *notifier, struct do_job *job, uint32_t flags)
{
    struct do_mailbox *mailbox = &job->mailbox;
    uint32_t transferred = flags & DO_NOTICE_FILE_TRANSFERRED ? count_transferred(job) : 0;
    struct do_job *unused;
    bool wanted_files;

    do_mutex_lock(&notifier->lock);
    wanted_files = wants_locked(mailbox, DO_NOTICE_FILE_TRANSFERRED);
    mailbox->flags = flags;
    skip_files_locked(mailbox, wanted_files, transferred);
    mailbox->pending &= wanted_locked(mailbox);
    if (!(mailbox->pending & DO_NOTICE_STATUS))
        mailbox->status_count = 0;
    unused = rest_locked(mailbox);
    do_mutex_unlock(&notifier->lock);
    do_job_release(unused);
}

uint32_t do_notify_get_flags(struct do_notifier *notifier, struct do_job *job)
{
    uint32_t flags;

    do_mutex_lock(&notifier->lock);
    flags = job->mailbox.flags;
    do_mutex_unlock(&notifier->lock);
    return flags;
}

bool do_notify_wants(struct do_notifier *notifier, struct do_job *job, enum do_notice notice)
{
    bool wants;

    do_mutex_lock(&notifier->lock);
    wants = wants_locked(&job->mailbox, notice);
    do_mutex_unlock(&notifier->lock);
    return wants;
}

/* Posting */

/*
 * Locks, with a reference in *spare for a mailbox that has none on its job. False, and not locked,
 * when nobody wants the notice.
 */
static bool begin_post(
    struct do_notifier *notifier, struct do_job *job, enum do_notice notice, struct do_job **spare)
{
    bool wants;

    *spare = NULL;
    do_mutex_lock(&notifier->lock);
    wants = wants_locked(&job->mailbox, notice);
    if (wants && job->mailbox.holds_job)
        return true;
    do_mutex_unlock(&notifier->lock);
    if (!wants)
        return false;
    *spare = do_job_acquire(job);
    do_mutex_lock(&notifier->lock);
    if (wants_locked(&job->mailbox, notice))
        return true;
    do_mutex_unlock(&notifier->lock);
    do_job_release(*spare);
    return false;
}

/* Unlocks. news: it is due earlier than a thread may think. */
static void end_post(struct do_notifier *notifier, struct do_job *job, enum do_notice notice,
    bool news, struct do_job *spare)
{
    struct do_mailbox *mailbox = &job->mailbox;
    bool starts = false;

    mailbox->pending |= (uint32_t)notice;
    if (!mailbox->holds_job)
    {
        mailbox->holds_job = true;
        spare = NULL;
    }
    if (!mailbox->delivering)
    {
        if (do_list_is_empty(&mailbox->link))
            do_list_add_tail(&notifier->waiting, &mailbox->link);
        /* Without any thread, one could not be started before. */
        starts = (news || !notifier->threads) && wake_locked(notifier);
    }
    do_mutex_unlock(&notifier->lock);
    if (starts)
        start_thread(notifier);
    do_job_release(spare);
}

void do_notify_post(struct do_notifier *notifier, struct do_job *job, enum do_notice notice)
{
    struct do_mailbox *mailbox = &job->mailbox;
    struct do_job *spare;
    bool news;

    if (!begin_post(notifier, job, notice, &spare))
        return;
    news = !(mailbox->pending & (uint32_t)notice);
    if ((uint32_t)notice & REPEATED)
    {
        reset_retry_locked(mailbox);
        news = true;
    }
    end_post(notifier, job, notice, news, spare);
}

static void drop_oldest_status_locked(struct do_mailbox *mailbox)
{
    mailbox->status_count--;
    memmove(&mailbox->statuses[0], &mailbox->statuses[1],
        mailbox->status_count * sizeof(mailbox->statuses[0]));
}

void do_notify_post_status(
    struct do_notifier *notifier, struct do_job *job, const struct do_download_status *status)
{
    struct do_mailbox *mailbox = &job->mailbox;
    struct do_job *spare;
    bool news;

    if (!begin_post(notifier, job, DO_NOTICE_STATUS, &spare))
        return;
    news = !mailbox->status_count;
    /* Only the newest: an older one of this state came before another state. */
    if (mailbox->status_count &&
        mailbox->statuses[mailbox->status_count - 1].state == status->state)
        mailbox->status_count--;
    else if (mailbox->status_count == DO_NOTICE_STATUS_RING)
        drop_oldest_status_locked(mailbox);
    mailbox->statuses[mailbox->status_count++] = *status;
    end_post(notifier, job, DO_NOTICE_STATUS, news, spare);
}

/* The mailbox that this thread delivers; NULL on other threads. */
static struct do_mailbox *delivered_here_locked(struct do_notifier *notifier)
{
    uint64_t thread_id = do_thread_current_id();

    DO_LIST_FOR_EACH (link, &notifier->delivering)
    {
        struct do_mailbox *mailbox = DO_LIST_ENTRY(link, struct do_mailbox, link);

        if (mailbox->thread_id == thread_id)
            return mailbox;
    }
    return NULL;
}

/* Whether the delivery of mailbox cannot end before the one of own does. */
static bool waits_for_locked(const struct do_mailbox *mailbox, const struct do_mailbox *own)
{
    while (mailbox && mailbox != own)
        mailbox = mailbox->waits_for;
    return mailbox != NULL;
}

void do_notify_flush(struct do_notifier *notifier, struct do_job *job)
{
    struct do_mailbox *mailbox = &job->mailbox;
    struct do_mailbox *own;
    struct do_job *unused;
    uint32_t number;

    assert(!do_loop_is_current(job->engine->env.loop));
    do_mutex_lock(&notifier->lock);
    /* What a job that has ended still has to tell is not of an earlier state. */
    unused = mailbox->closing ? NULL : forget_locked(mailbox);
    own = delivered_here_locked(notifier);
    number = mailbox->delivery_number;
    while (mailbox->delivering && mailbox->delivery_number == number)
    {
        /* Two callbacks that flush each other's jobs must not wait for ever. */
        if (own && waits_for_locked(mailbox, own))
            break;
        if (own)
            own->waits_for = mailbox;
        do_cond_wait(&notifier->told, &notifier->lock);
        if (own)
            own->waits_for = NULL;
    }
    do_mutex_unlock(&notifier->lock);
    do_job_release(unused);
}

/* Delivering */

/* When a notice of a mailbox in line is due. */
static uint64_t due_ms_locked(const struct do_mailbox *mailbox)
{
    uint64_t due_ms = UINT64_MAX;

    if (mailbox->pending & (DO_NOTICE_FILE_TRANSFERRED | DO_NOTICE_STATUS))
        return 0;
    if (mailbox->pending & DO_NOTICE_JOB_MODIFICATION)
        due_ms = mailbox->modification_due_ms;
    if (mailbox->pending & REPEATED && mailbox->retry_due_ms < due_ms)
        due_ms = mailbox->retry_due_ms;
    return due_ms;
}

/* The first mailbox in line that is due; else NULL and the time when one will be. */
static struct do_mailbox *next_due_locked(
    struct do_notifier *notifier, uint64_t now_ms, uint64_t *due_ms)
{
    *due_ms = UINT64_MAX;
    DO_LIST_FOR_EACH (link, &notifier->waiting)
    {
        struct do_mailbox *mailbox = DO_LIST_ENTRY(link, struct do_mailbox, link);
        uint64_t mailbox_due_ms = due_ms_locked(mailbox);

        if (mailbox_due_ms <= now_ms)
            return mailbox;
        if (mailbox_due_ms < *due_ms)
            *due_ms = mailbox_due_ms;
    }
    return NULL;
}

/* Which of the notices of a due mailbox go first. */
static uint32_t first_due_locked(const struct do_mailbox *mailbox, uint64_t now_ms)
{
    if (mailbox->pending & DO_NOTICE_FILE_TRANSFERRED)
        return DO_NOTICE_FILE_TRANSFERRED;
    if (mailbox->pending & DO_NOTICE_JOB_MODIFICATION && mailbox->modification_due_ms <= now_ms)
        return DO_NOTICE_JOB_MODIFICATION;
    if (mailbox->pending & REPEATED && mailbox->retry_due_ms <= now_ms)
        return mailbox->pending & REPEATED;
    return DO_NOTICE_STATUS;
}

/* Takes what goes first out of a due mailbox, and the mailbox out of the line. */
static struct delivery take_locked(
    struct do_notifier *notifier, struct do_mailbox *mailbox, uint64_t now_ms)
{
    struct delivery delivery = {.mailbox = mailbox,
        .job = job_of(mailbox),
        .listener = do_listener_acquire(mailbox->listener),
        .listener_number = mailbox->listener_number,
        .notices = first_due_locked(mailbox, now_ms),
        .file_index = mailbox->next_file};

    if (delivery.notices == DO_NOTICE_STATUS)
    {
        delivery.status = mailbox->statuses[0];
        drop_oldest_status_locked(mailbox);
    }
    if (delivery.notices != DO_NOTICE_STATUS || !mailbox->status_count)
        mailbox->pending &= ~delivery.notices;
    do_list_remove(&mailbox->link);
    do_list_add_tail(&notifier->delivering, &mailbox->link);
    mailbox->delivering = true;
    mailbox->forgotten = false;
    mailbox->thread_id = do_thread_current_id();
    mailbox->delivery_number++;
    return delivery;
}

/* JOB_TRANSFERRED or JOB_ERROR, if that is what the job is; else 0. */
static uint32_t notice_of_state(struct do_job *job)
{
    enum do_job_state state = do_job_get_state(job);

    if (state == DO_JOB_TRANSFERRED)
        return DO_NOTICE_JOB_TRANSFERRED;
    return state == DO_JOB_ERROR ? DO_NOTICE_JOB_ERROR : 0;
}

/* The file that FILE_TRANSFERRED is about, NULL when it is not transferred yet. */
static struct do_job_file *transferred_file(struct do_job *job, uint32_t index)
{
    struct do_job_file *file = NULL;

    if (index < do_job_get_file_count(job))
        file = do_job_get_file(job, index);
    return file && do_job_file_get_progress(file).transferred ? file : NULL;
}

/* Calls the client if there still is something to tell. No lock is held. */
static enum outcome tell(struct delivery *delivery)
{
    const struct do_download_status *status = NULL;
    struct do_job_file *file = NULL;
    HRESULT hr;

    if (delivery->notices == DO_NOTICE_STATUS)
        status = &delivery->status;
    if (delivery->notices == DO_NOTICE_FILE_TRANSFERRED &&
        !(file = transferred_file(delivery->job, delivery->file_index)))
        return OUTCOME_DONE;
    if (delivery->notices & REPEATED && !(delivery->notices &= notice_of_state(delivery->job)))
        return OUTCOME_DONE;
    hr = delivery->listener->class->deliver(
        delivery->listener, delivery->job, (enum do_notice)delivery->notices, file, status);
    if (hr == DO_HR_CANCELLED)
        return OUTCOME_GONE;
    if (file)
        return OUTCOME_AGAIN;
    /* Anything but S_OK. (Source: win32 docs, IBackgroundCopyCallback::JobError.) */
    if (delivery->notices & REPEATED && hr != S_OK &&
        delivery->notices == notice_of_state(delivery->job))
        return OUTCOME_AGAIN;
    return OUTCOME_DONE;
}

/* There may be a next file; a refused notice comes again later. */
static void repeat_locked(const struct delivery *delivery, uint64_t now_ms)
{
    struct do_mailbox *mailbox = delivery->mailbox;

    if (delivery->notices == DO_NOTICE_FILE_TRANSFERRED)
    {
        mailbox->pending |= delivery->notices;
        return;
    }
    /* A new listener is told anew, and so is what was posted anew. */
    if (mailbox->listener_number != delivery->listener_number ||
        mailbox->pending & delivery->notices)
        return;
    mailbox->retry_delay_ms =
        mailbox->retry_delay_ms ? mailbox->retry_delay_ms * 2 : DO_NOTICE_RETRY_FIRST_MS;
    if (mailbox->retry_delay_ms > DO_NOTICE_RETRY_MAX_MS)
        mailbox->retry_delay_ms = DO_NOTICE_RETRY_MAX_MS;
    if (!(mailbox->pending & REPEATED))
        mailbox->retry_due_ms = now_ms + mailbox->retry_delay_ms;
    mailbox->pending |= delivery->notices;
}

/* Takes the listener out of the mailbox: its client is gone. */
static void lose_listener_locked(struct do_notifier *notifier, struct do_mailbox *mailbox)
{
    struct do_listener *listener = mailbox->listener;

    mailbox->listener = NULL;
    mailbox->listener_number++;
    mailbox->pending = 0;
    mailbox->status_count = 0;
    if (do_listener_drop(listener))
        do_list_add_tail(&notifier->garbage, &listener->link);
}

/*
 * Puts the mailbox back in line; returns like rest_locked. Nobody need be woken: this thread looks
 * at the lines next.
 */
static struct do_job *put_back_locked(
    struct do_notifier *notifier, const struct delivery *delivery, enum outcome outcome)
{
    struct do_mailbox *mailbox = delivery->mailbox;
    uint64_t now_ms = do_clock_ms();

    mailbox->delivering = false;
    do_list_remove(&mailbox->link);
    if (delivery->notices == DO_NOTICE_FILE_TRANSFERRED && outcome != OUTCOME_DONE &&
        mailbox->next_file <= delivery->file_index)
        mailbox->next_file = delivery->file_index + 1;
    if (delivery->notices == DO_NOTICE_JOB_MODIFICATION)
        mailbox->modification_due_ms = now_ms + DO_NOTICE_MODIFICATION_MS;
    if (outcome == OUTCOME_GONE && mailbox->listener_number == delivery->listener_number)
        lose_listener_locked(notifier, mailbox);
    if (outcome != OUTCOME_DONE && !mailbox->forgotten &&
        (wanted_locked(mailbox) & delivery->notices))
        repeat_locked(delivery, now_ms);
    if (mailbox->pending)
        do_list_add_tail(&notifier->waiting, &mailbox->link);
    else if (mailbox->closing)
        lose_listener_locked(notifier, mailbox);
    do_cond_broadcast(&notifier->told);
    return rest_locked(mailbox);
}

/* Unlocks for work of this thread; somebody else watches the lines meanwhile. */
static void begin_work(struct do_notifier *notifier)
{
    bool starts;

    notifier->idle--;
    starts = (!do_list_is_empty(&notifier->garbage) || !do_list_is_empty(&notifier->waiting)) &&
             wake_locked(notifier);
    do_mutex_unlock(&notifier->lock);
    if (starts)
        start_thread(notifier);
}

static void end_work(struct do_notifier *notifier)
{
    do_mutex_lock(&notifier->lock);
    notifier->idle++;
}

/* The lock is released meanwhile. */
static void deliver_locked(
    struct do_notifier *notifier, struct do_mailbox *mailbox, uint64_t now_ms)
{
    struct delivery delivery = take_locked(notifier, mailbox, now_ms);
    struct do_job *unused;
    enum outcome outcome;

    begin_work(notifier);
    outcome = tell(&delivery);
    /* Before do_notify_flush returns: a replaced listener is then gone. */
    do_listener_release(delivery.listener);
    end_work(notifier);
    if (!(unused = put_back_locked(notifier, &delivery, outcome)))
        return;
    do_mutex_unlock(&notifier->lock);
    do_job_release(unused);
    do_mutex_lock(&notifier->lock);
}

/* The lock is released meanwhile. */
static void destroy_listener_locked(struct do_notifier *notifier, struct do_listener *listener)
{
    begin_work(notifier);
    listener->class->destroy(listener);
    end_work(notifier);
}

/* Does one piece of work, if there is one; else false, and the time when there will be. */
static bool work_locked(struct do_notifier *notifier, uint64_t *due_ms)
{
    uint64_t now_ms = do_clock_ms();
    struct do_mailbox *mailbox;
    struct do_list *link;

    if ((link = do_list_pop(&notifier->garbage)))
    {
        destroy_listener_locked(notifier, DO_LIST_ENTRY(link, struct do_listener, link));
        return true;
    }
    if (!(mailbox = next_due_locked(notifier, now_ms, due_ms)))
        return false;
    deliver_locked(notifier, mailbox, now_ms);
    return true;
}

/* Waits for work until due_ms. False: the thread is not needed any more. */
static bool wait_locked(struct do_notifier *notifier, uint64_t idle_since_ms, uint64_t due_ms)
{
    uint64_t now_ms = do_clock_ms();
    uint64_t until_ms = idle_since_ms + DO_NOTICE_IDLE_MS;

    if (notifier->ending)
        return false;
    if (now_ms >= until_ms)
    {
        if (do_list_is_empty(&notifier->waiting))
            return false;
        if (notifier->idle > 1)
        {
            /* Another one watches the line from now on. */
            do_cond_signal(&notifier->work);
            return false;
        }
        until_ms = UINT64_MAX;
    }
    if (due_ms < until_ms)
        until_ms = due_ms;
    if (until_ms > now_ms)
        (void)do_cond_wait_ms(&notifier->work, &notifier->lock, (uint32_t)(until_ms - now_ms));
    return true;
}

static void delivery_main(void *ctx)
{
    struct do_notifier *notifier = ctx;
    uint64_t idle_since_ms = do_clock_ms();
    uint64_t due_ms = 0;

    if (notifier->begins)
        notifier->begins();
    do_mutex_lock(&notifier->lock);
    for (;;)
    {
        if (work_locked(notifier, &due_ms))
            idle_since_ms = do_clock_ms();
        else if (!wait_locked(notifier, idle_since_ms, due_ms))
            break;
    }
    notifier->threads--;
    notifier->idle--;
    do_mutex_unlock(&notifier->lock);
    if (notifier->ends)
        notifier->ends();
    count_living(notifier, (uint32_t)-1);
}
