/* SPDX-License-Identifier: MIT */
/*
 * Waiting for verdicts about certificates: on a loop of the test's own, with checks of the test's
 * own, which end when the test lets them.
 */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "plat/plat.h"
#include "transfer/revocation.h"

#define WAIT_MS 20000U

#define MAX_WAITS 80U

/* As many as revocation.c lets run at once. */
#define THREADS 16U

static struct
{
    struct do_mutex lock;
    struct do_cond changed;

    /* Under lock. */
    bool held;          /* checks do not end */
    HRESULT verdict;    /* of checks that end */
    uint32_t asked;     /* checks that began */
    uint32_t questions; /* that are not freed */
    uint32_t known;     /* waits that ended */

    struct do_loop *loop;
    struct do_thread *thread;
    struct do_revocation *revocation;
    struct do_revocation_wait waits[MAX_WAITS];
    int64_t outstanding;
} fixture;

/* The check */

static HRESULT check(void *ctx)
{
    HRESULT verdict;

    (void)ctx;
    do_mutex_lock(&fixture.lock);
    fixture.asked++;
    do_cond_broadcast(&fixture.changed);
    while (fixture.held)
        do_cond_wait(&fixture.changed, &fixture.lock);
    verdict = fixture.verdict;
    do_mutex_unlock(&fixture.lock);
    return verdict;
}

static void finish_question(void *ctx)
{
    (void)ctx;
    do_mutex_lock(&fixture.lock);
    fixture.questions--;
    do_cond_broadcast(&fixture.changed);
    do_mutex_unlock(&fixture.lock);
}

static void set_verdict(HRESULT verdict)
{
    do_mutex_lock(&fixture.lock);
    fixture.verdict = verdict;
    do_mutex_unlock(&fixture.lock);
}

static void hold(bool held)
{
    do_mutex_lock(&fixture.lock);
    fixture.held = held;
    do_cond_broadcast(&fixture.changed);
    do_mutex_unlock(&fixture.lock);
}

static uint32_t read_number(const uint32_t *number)
{
    uint32_t value;

    do_mutex_lock(&fixture.lock);
    value = *number;
    do_mutex_unlock(&fixture.lock);
    return value;
}

static void await_number(const uint32_t *number, uint32_t at_least)
{
    const uint64_t end_ms = do_clock_ms() + WAIT_MS;

    do_mutex_lock(&fixture.lock);
    while (*number < at_least && do_clock_ms() < end_ms)
        (void)do_cond_wait_ms(&fixture.changed, &fixture.lock, 100);
    do_mutex_unlock(&fixture.lock);
    assert_true(read_number(number) >= at_least);
}

/* Requests */

static void on_known(void *ctx)
{
    (void)ctx;
    do_mutex_lock(&fixture.lock);
    fixture.known++;
    do_cond_broadcast(&fixture.changed);
    do_mutex_unlock(&fixture.lock);
}

struct call
{
    uint32_t number;
    const char *key;
    HRESULT hr;
    bool found;
};

static void ask_on_loop(void *ctx)
{
    struct call *call = ctx;
    struct do_revocation_question question = {
        do_str_dup(call->key), check, finish_question, &fixture};

    do_mutex_lock(&fixture.lock);
    fixture.questions++;
    do_mutex_unlock(&fixture.lock);
    call->hr =
        do_revocation_ask_on_loop(fixture.revocation, &question, &fixture.waits[call->number]);
    /* It is taken. */
    if (question.key || question.ctx)
        call->hr = E_UNEXPECTED;
}

static HRESULT ask(uint32_t number, const char *key)
{
    struct call call = {number, key, E_FAIL, false};

    do_loop_call(fixture.loop, ask_on_loop, &call);
    return call.hr;
}

static void find_on_loop(void *ctx)
{
    struct call *call = ctx;

    call->found = do_revocation_find_on_loop(fixture.revocation, call->key, &call->hr);
}

static void assert_not_found(const char *key)
{
    struct call call = {0, key, S_OK, true};

    do_loop_call(fixture.loop, find_on_loop, &call);
    assert_false(call.found);
    assert_hr(DO_HR_NET_CERT_REV_FAILED, call.hr);
}

static void assert_found(const char *key, HRESULT verdict)
{
    struct call call = {0, key, E_FAIL, false};

    do_loop_call(fixture.loop, find_on_loop, &call);
    assert_true(call.found);
    assert_hr(verdict, call.hr);
}

static void finish_on_loop(void *ctx)
{
    do_revocation_wait_finish_on_loop(ctx);
}

static void forget_on_loop(void *ctx)
{
    do_revocation_forget_on_loop(ctx);
}

static void ask_and_await(uint32_t number, const char *key)
{
    uint32_t known = read_number(&fixture.known);

    assert_hr(S_FALSE, ask(number, key));
    await_number(&fixture.known, known + 1);
}

/* Fixture */

static void run_loop(void *ctx)
{
    do_loop_run(ctx, NULL, NULL);
}

static void quit_on_loop(void *ctx)
{
    do_loop_quit_on_loop(ctx);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    do_mutex_init(&fixture.lock);
    do_cond_init(&fixture.changed);
    fixture.outstanding = do_alloc_outstanding();
    for (size_t i = 0; i < MAX_WAITS; i++)
        do_revocation_wait_init(&fixture.waits[i], on_known, &fixture.waits[i]);
    assert_ok(do_loop_create(&fixture.loop));
    assert_ok(do_revocation_create(fixture.loop, &fixture.revocation));
    assert_ok(do_thread_start("loop", run_loop, fixture.loop, &fixture.thread));
    return 0;
}

/* As an engine ends: the loop, then the verdicts. */
static void end_revocation(void)
{
    for (size_t i = 0; i < MAX_WAITS; i++)
        do_loop_call(fixture.loop, finish_on_loop, &fixture.waits[i]);
    do_loop_call(fixture.loop, quit_on_loop, fixture.loop);
    do_thread_join(fixture.thread);
    do_revocation_destroy(fixture.revocation);
    do_loop_destroy(fixture.loop);
    fixture.revocation = NULL;
}

static int tear_down(void **state)
{
    const uint64_t end_ms = do_clock_ms() + WAIT_MS;

    (void)state;
    hold(false);
    if (fixture.revocation)
        end_revocation();
    while ((read_number(&fixture.questions) || do_alloc_outstanding() != fixture.outstanding) &&
           do_clock_ms() < end_ms)
    {
        do_mutex_lock(&fixture.lock);
        (void)do_cond_wait_ms(&fixture.changed, &fixture.lock, 5);
        do_mutex_unlock(&fixture.lock);
    }
    if (read_number(&fixture.questions) || do_alloc_outstanding() != fixture.outstanding)
    {
        print_error("something is not freed\n");
        return -1;
    }
    do_cond_finish(&fixture.changed);
    do_mutex_finish(&fixture.lock);
    return 0;
}

/* Tests */

/* Broken: a verdict does not arrive, is asked for twice, or serves another certificate. */
static void test_revocation_verdict_is_kept_for_each_key(void **state)
{
    (void)state;
    assert_not_found("a");
    ask_and_await(0, "a");
    assert_ok(fixture.waits[0].hr);
    assert_found("a", S_OK);
    assert_ok(ask(1, "a"));
    assert_not_found("b");
    set_verdict(DO_HR_NET_CERT_REVOKED);
    ask_and_await(1, "b");
    assert_hr(DO_HR_NET_CERT_REVOKED, fixture.waits[1].hr);
    assert_found("b", DO_HR_NET_CERT_REVOKED);
    assert_ok(ask(1, "b"));
    assert_found("a", S_OK);
    assert_int_equal(read_number(&fixture.asked), 2);
}

/* Broken: two requests with one certificate ask twice, or one of them waits for ever. */
static void test_revocation_many_wait_for_one_verdict(void **state)
{
    (void)state;
    hold(true);
    set_verdict(DO_HR_NET_CERT_REVOKED);
    for (uint32_t i = 0; i < 5; i++)
        assert_hr(S_FALSE, ask(i, "a"));
    await_number(&fixture.asked, 1);
    assert_not_found("a");
    hold(false);
    await_number(&fixture.known, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_hr(DO_HR_NET_CERT_REVOKED, fixture.waits[i].hr);
    assert_int_equal(read_number(&fixture.asked), 1);
}

/* Broken: one issuer's silence holds everybody, or there is a thread for whoever asks. */
static void test_revocation_checks_run_side_by_side(void **state)
{
    char key[16];

    (void)state;
    hold(true);
    for (uint32_t i = 0; i < MAX_WAITS; i++)
    {
        (void)snprintf(key, sizeof(key), "%u", (unsigned int)i);
        assert_hr(S_FALSE, ask(i, key));
    }
    await_number(&fixture.asked, THREADS);
    assert_int_equal(read_number(&fixture.asked), THREADS);
    hold(false);
    await_number(&fixture.known, MAX_WAITS);
    assert_int_equal(read_number(&fixture.asked), MAX_WAITS);
    for (uint32_t i = 0; i < MAX_WAITS; i++)
        assert_ok(fixture.waits[i].hr);
    /* More than are kept: the oldest made room. */
    (void)snprintf(key, sizeof(key), "%u", MAX_WAITS - 1);
    ask_and_await(0, "another");
    assert_not_found("0");
    assert_found(key, S_OK);
}

/* Broken: another network keeps what could not be checked in the last one, or forgets the rest. */
static void test_revocation_other_network_is_asked_anew(void **state)
{
    (void)state;
    set_verdict(DO_HR_NET_CERT_REV_FAILED);
    ask_and_await(0, "a");
    set_verdict(DO_HR_NET_CERT_REVOKED);
    ask_and_await(0, "b");
    set_verdict(S_OK);
    ask_and_await(0, "c");
    assert_found("a", DO_HR_NET_CERT_REV_FAILED);
    do_loop_call(fixture.loop, forget_on_loop, fixture.revocation);
    assert_not_found("a");
    assert_found("b", DO_HR_NET_CERT_REVOKED);
    assert_found("c", S_OK);
    ask_and_await(0, "a");
    assert_found("a", S_OK);
}

/* Broken: a request that was aborted is told, or an abort waits for the check. */
static void test_revocation_abort_while_the_check_runs(void **state)
{
    (void)state;
    hold(true);
    assert_hr(S_FALSE, ask(0, "a"));
    assert_hr(S_FALSE, ask(1, "a"));
    await_number(&fixture.asked, 1);
    do_loop_call(fixture.loop, finish_on_loop, &fixture.waits[0]);
    hold(false);
    await_number(&fixture.known, 1);
    assert_found("a", S_OK);
    assert_int_equal(read_number(&fixture.known), 1);
}

/* Broken: the engine's end waits for checks that do not end, or their end meets what is gone. */
static void test_revocation_end_while_checks_run(void **state)
{
    (void)state;
    hold(true);
    assert_hr(S_FALSE, ask(0, "a"));
    assert_hr(S_FALSE, ask(1, "b"));
    await_number(&fixture.asked, 2);
    end_revocation();
    assert_int_equal(read_number(&fixture.questions), 2);
}

/* Broken: news that come when the loop runs no more are told by what is freed. */
static void test_revocation_end_with_news_on_the_way(void **state)
{
    const uint64_t end_ms = do_clock_ms() + WAIT_MS;

    (void)state;
    hold(true);
    assert_hr(S_FALSE, ask(0, "a"));
    await_number(&fixture.asked, 1);
    do_loop_call(fixture.loop, quit_on_loop, fixture.loop);
    do_thread_join(fixture.thread);
    hold(false);
    /* The question is freed after the verdict was kept; the post may come now or never. */
    while (read_number(&fixture.questions) && do_clock_ms() < end_ms)
    {
        do_mutex_lock(&fixture.lock);
        (void)do_cond_wait_ms(&fixture.changed, &fixture.lock, 5);
        do_mutex_unlock(&fixture.lock);
    }
    do_revocation_wait_finish_on_loop(&fixture.waits[0]);
    do_revocation_destroy(fixture.revocation);
    do_loop_destroy(fixture.loop);
    fixture.revocation = NULL;
    assert_int_equal(read_number(&fixture.known), 0);
}

/* Broken: a check that does not end holds a request for longer than some seconds, or the next one
 * as well, or what it finds out in the end is lost. */
static void test_revocation_slow_check_counts_as_failed(void **state)
{
    const uint64_t begin_ms = do_clock_ms();
    uint64_t end_ms;

    (void)state;
    hold(true);
    assert_hr(S_FALSE, ask(0, "a"));
    await_number(&fixture.known, 1);
    assert_true(do_clock_ms() - begin_ms >= 5000);
    assert_hr(DO_HR_NET_CERT_REV_FAILED, fixture.waits[0].hr);
    assert_found("a", DO_HR_NET_CERT_REV_FAILED);
    assert_ok(ask(1, "a"));
    assert_int_equal(read_number(&fixture.asked), 1);
    set_verdict(DO_HR_NET_CERT_REVOKED);
    hold(false);
    for (end_ms = do_clock_ms() + WAIT_MS; do_clock_ms() < end_ms;)
    {
        struct call call = {0, "a", S_OK, false};

        do_loop_call(fixture.loop, find_on_loop, &call);
        if (call.hr == DO_HR_NET_CERT_REVOKED)
            return;
    }
    fail();
}

int main(void)
{
    static const struct CMUnitTest revocation[] = {
        cmocka_unit_test_setup_teardown(
            test_revocation_verdict_is_kept_for_each_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_revocation_many_wait_for_one_verdict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revocation_checks_run_side_by_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_revocation_other_network_is_asked_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_revocation_abort_while_the_check_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revocation_end_while_checks_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_revocation_end_with_news_on_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_revocation_slow_check_counts_as_failed, set_up, tear_down),
    };

    return TEST_RUN(revocation);
}
