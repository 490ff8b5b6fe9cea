/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the user's proxy script: on a loop of the test's own, with scripts of the test's own,
 * which answer when the test lets them.
 */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "plat/plat.h"
#include "transfer/proxy_lookup.h"

#define WAIT_MS 20000U

#define MAX_WAITS 80U

static struct
{
    struct do_mutex lock;
    struct do_cond changed;

    /* Under lock. */
    bool has_script;
    char script[32];
    bool held;      /* scripts do not answer */
    uint32_t asked; /* questions that began */
    uint32_t ended;
    char last_url[64];
    uint32_t known; /* waits that ended */

    struct do_loop *loop;
    struct do_thread *thread;
    struct do_proxy_lookup *lookup;
    struct do_proxy_wait waits[MAX_WAITS];
    HRESULT answers[MAX_WAITS]; /* of do_proxy_lookup_ask_on_loop */
    int64_t outstanding;
} fixture;

/* The script */

static HRESULT get_script(struct do_proxy_script *script)
{
    bool has_script;

    script->is_detected = false;
    script->url = NULL;
    do_mutex_lock(&fixture.lock);
    if ((has_script = fixture.has_script))
        script->url = do_str_dup(fixture.script);
    do_mutex_unlock(&fixture.lock);
    if (!has_script)
        return S_FALSE;
    return script->url ? S_OK : E_OUTOFMEMORY;
}

/* "none" fails; others name the proxy "SCRIPT:1" for any host but "direct". */
static HRESULT ask_script(
    const struct do_proxy_script *script, const char *url, struct do_proxy_settings *settings)
{
    struct do_buf list;
    HRESULT hr = S_OK;

    settings->list = NULL;
    settings->bypass = NULL;
    do_mutex_lock(&fixture.lock);
    fixture.asked++;
    (void)snprintf(fixture.last_url, sizeof(fixture.last_url), "%s", url);
    do_cond_broadcast(&fixture.changed);
    while (fixture.held)
        do_cond_wait(&fixture.changed, &fixture.lock);
    do_mutex_unlock(&fixture.lock);
    if (!strcmp(script->url, "none"))
        hr = E_FAIL;
    else if (strcmp(url, "http://direct/") != 0)
    {
        do_buf_init(&list, 0);
        do_buf_append_format(&list, "%s:1", script->url);
        settings->list = do_buf_take(&list);
        hr = settings->list ? S_OK : E_OUTOFMEMORY;
        do_buf_finish(&list);
    }
    do_mutex_lock(&fixture.lock);
    fixture.ended++;
    do_cond_broadcast(&fixture.changed);
    do_mutex_unlock(&fixture.lock);
    return hr;
}

static void use_script(const char *script)
{
    do_mutex_lock(&fixture.lock);
    fixture.has_script = script != NULL;
    (void)snprintf(fixture.script, sizeof(fixture.script), "%s", script ? script : "");
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

struct question
{
    uint32_t number;
    const char *url;
};

static void ask_on_loop(void *ctx)
{
    const struct question *question = ctx;

    fixture.answers[question->number] = do_proxy_lookup_ask_on_loop(
        fixture.lookup, question->url, &fixture.waits[question->number]);
}

static HRESULT ask(uint32_t number, const char *url)
{
    struct question question = {number, url};

    do_loop_call(fixture.loop, ask_on_loop, &question);
    return fixture.answers[number];
}

static void finish_on_loop(void *ctx)
{
    do_proxy_wait_finish_on_loop(ctx);
}

static void forget_on_loop(void *ctx)
{
    do_proxy_lookup_forget_on_loop(ctx);
}

/* Call when no wait is left: the loop does not write to it any more. */
static void assert_answer(uint32_t number, bool by_script, const char *list)
{
    const struct do_proxy_wait *wait = &fixture.waits[number];

    assert_ok(wait->hr);
    assert_int_equal(wait->by_script, by_script);
    if (list)
    {
        assert_non_null(wait->settings.list);
        assert_string_equal(wait->settings.list, list);
    }
    else
        assert_null(wait->settings.list);
}

static void ask_and_await(uint32_t number, const char *url)
{
    uint32_t known = read_number(&fixture.known);

    assert_hr(S_FALSE, ask(number, url));
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
    static const struct do_proxy_source source = {get_script, ask_script};

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    do_mutex_init(&fixture.lock);
    do_cond_init(&fixture.changed);
    fixture.outstanding = do_alloc_outstanding();
    for (size_t i = 0; i < MAX_WAITS; i++)
        do_proxy_wait_init(&fixture.waits[i], on_known, &fixture.waits[i]);
    assert_ok(do_loop_create(&fixture.loop));
    assert_ok(do_proxy_lookup_create(fixture.loop, &source, &fixture.lookup));
    assert_ok(do_thread_start("loop", run_loop, fixture.loop, &fixture.thread));
    return 0;
}

/* As an engine ends: the loop, then the lookup. A script that still runs frees it later. */
static void end_lookup(void)
{
    for (size_t i = 0; i < MAX_WAITS; i++)
        do_loop_call(fixture.loop, finish_on_loop, &fixture.waits[i]);
    do_loop_call(fixture.loop, quit_on_loop, fixture.loop);
    do_thread_join(fixture.thread);
    do_proxy_lookup_destroy(fixture.lookup);
    do_loop_destroy(fixture.loop);
    fixture.lookup = NULL;
}

static int tear_down(void **state)
{
    const uint64_t end_ms = do_clock_ms() + WAIT_MS;

    (void)state;
    hold(false);
    if (fixture.lookup)
        end_lookup();
    while (do_alloc_outstanding() != fixture.outstanding && do_clock_ms() < end_ms)
    {
        do_mutex_lock(&fixture.lock);
        (void)do_cond_wait_ms(&fixture.changed, &fixture.lock, 5);
        do_mutex_unlock(&fixture.lock);
    }
    do_cond_finish(&fixture.changed);
    do_mutex_finish(&fixture.lock);
    if (do_alloc_outstanding() == fixture.outstanding)
        return 0;
    print_error("something is not freed\n");
    return -1;
}

/* Tests */

/* Broken: without a script requests wait, or a thread is asked. */
static void test_proxy_lookup_without_a_script_is_at_once(void **state)
{
    (void)state;
    assert_ok(ask(0, "http://a/"));
    assert_answer(0, false, NULL);
    assert_int_equal(read_number(&fixture.asked), 0);
}

/* Broken: the script's answer does not arrive, is asked for twice, or serves another origin. */
static void test_proxy_lookup_answer_is_kept_for_each_origin(void **state)
{
    (void)state;
    use_script("one");
    ask_and_await(0, "http://a/");
    assert_answer(0, true, "one:1");
    assert_string_equal(fixture.last_url, "http://a/");
    ask_and_await(1, "http://direct/");
    assert_answer(1, true, NULL);
    assert_ok(ask(2, "http://a/"));
    assert_answer(2, true, "one:1");
    assert_ok(ask(2, "http://direct/"));
    assert_answer(2, true, NULL);
    assert_int_equal(read_number(&fixture.asked), 2);
}

/* Broken: two requests for one origin ask twice, or one of them waits for ever. */
static void test_proxy_lookup_many_wait_for_one_answer(void **state)
{
    (void)state;
    use_script("one");
    hold(true);
    for (uint32_t i = 0; i < 5; i++)
        assert_hr(S_FALSE, ask(i, "http://a/"));
    await_number(&fixture.asked, 1);
    hold(false);
    await_number(&fixture.known, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_answer(i, true, "one:1");
    assert_int_equal(read_number(&fixture.asked), 1);
}

/* Broken: more origins than are kept, and some wait for ever or get no proxy. */
static void test_proxy_lookup_more_origins_than_are_kept(void **state)
{
    (void)state;
    use_script("one");
    hold(true);
    for (uint32_t i = 0; i < MAX_WAITS; i++)
    {
        char url[32];

        (void)snprintf(url, sizeof(url), "http://a%u/", (unsigned int)i);
        assert_hr(S_FALSE, ask(i, url));
    }
    hold(false);
    await_number(&fixture.known, MAX_WAITS);
    for (uint32_t i = 0; i < MAX_WAITS; i++)
        assert_answer(i, true, "one:1");
}

/* Broken: a script that fails stops the request, or is asked again for each one. */
static void test_proxy_lookup_script_that_fails_counts_as_none(void **state)
{
    (void)state;
    use_script("none");
    ask_and_await(0, "http://a/");
    assert_answer(0, false, NULL);
    assert_ok(ask(0, "http://a/"));
    assert_answer(0, false, NULL);
    assert_int_equal(read_number(&fixture.asked), 1);
}

/* Broken: other settings of the user's do not count until the program ends. */
static void test_proxy_lookup_other_script_counts_at_once(void **state)
{
    (void)state;
    use_script("one");
    ask_and_await(0, "http://a/");
    use_script("two");
    ask_and_await(0, "http://a/");
    assert_answer(0, true, "two:1");
    use_script(NULL);
    assert_ok(ask(0, "http://a/"));
    assert_answer(0, false, NULL);
    use_script("two");
    ask_and_await(0, "http://a/");
    assert_answer(0, true, "two:1");
}

/* Broken: an answer of the script of before is taken for that of the one of now. */
static void test_proxy_lookup_script_changes_while_it_is_asked(void **state)
{
    (void)state;
    use_script("one");
    hold(true);
    assert_hr(S_FALSE, ask(0, "http://a/"));
    await_number(&fixture.asked, 1);
    use_script("two");
    assert_hr(S_FALSE, ask(1, "http://b/"));
    hold(false);
    await_number(&fixture.known, 2);
    assert_answer(0, true, "two:1");
    assert_answer(1, true, "two:1");
    hold(true);
    assert_hr(S_FALSE, ask(2, "http://c/"));
    use_script(NULL);
    assert_ok(ask(3, "http://d/"));
    await_number(&fixture.known, 3);
    assert_answer(2, false, NULL);
}

/* Broken: another network keeps the proxies of the last one. */
static void test_proxy_lookup_other_network_is_asked_anew(void **state)
{
    (void)state;
    use_script("one");
    ask_and_await(0, "http://a/");
    hold(true);
    assert_hr(S_FALSE, ask(1, "http://b/"));
    await_number(&fixture.asked, 2);
    do_loop_call(fixture.loop, forget_on_loop, fixture.lookup);
    hold(false);
    await_number(&fixture.known, 2);
    assert_answer(1, true, "one:1");
    ask_and_await(0, "http://a/");
    assert_answer(0, true, "one:1");
    assert_int_equal(read_number(&fixture.asked), 4);
}

/* Broken: a request that was aborted is told, or an abort waits for the script. */
static void test_proxy_lookup_abort_while_the_script_runs(void **state)
{
    (void)state;
    use_script("one");
    hold(true);
    assert_hr(S_FALSE, ask(0, "http://a/"));
    assert_hr(S_FALSE, ask(1, "http://a/"));
    await_number(&fixture.asked, 1);
    do_loop_call(fixture.loop, finish_on_loop, &fixture.waits[0]);
    hold(false);
    await_number(&fixture.known, 1);
    assert_answer(1, true, "one:1");
    assert_answer(0, false, NULL);
    assert_ok(ask(2, "http://a/"));
    assert_int_equal(read_number(&fixture.known), 1);
}

/* Broken: the engine's end waits for a script that does not answer, or the script's end meets what
 * is gone. */
static void test_proxy_lookup_end_while_the_script_runs(void **state)
{
    (void)state;
    use_script("one");
    hold(true);
    assert_hr(S_FALSE, ask(0, "http://a/"));
    await_number(&fixture.asked, 1);
    end_lookup();
    assert_int_equal(read_number(&fixture.ended), 0);
    hold(false);
    await_number(&fixture.ended, 1);
}

/* Broken: a script that does not answer holds a request for longer than some seconds, or the next
 * one as well. */
static void test_proxy_lookup_slow_script_counts_as_none(void **state)
{
    const uint64_t begin_ms = do_clock_ms();

    (void)state;
    use_script("one");
    hold(true);
    assert_hr(S_FALSE, ask(0, "http://a/"));
    await_number(&fixture.known, 1);
    assert_true(do_clock_ms() - begin_ms >= 5000);
    assert_answer(0, false, NULL);
    assert_ok(ask(1, "http://a/"));
    assert_ok(ask(2, "http://b/"));
    assert_answer(2, false, NULL);
    /* What it says in the end counts. */
    hold(false);
    await_number(&fixture.ended, 2);
    do_loop_call(fixture.loop, forget_on_loop, fixture.lookup);
    ask_and_await(3, "http://b/");
    assert_answer(3, true, "one:1");
}

int main(void)
{
    static const struct CMUnitTest proxy_lookup[] = {
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_without_a_script_is_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_answer_is_kept_for_each_origin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_many_wait_for_one_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_more_origins_than_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_script_that_fails_counts_as_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_other_script_counts_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_script_changes_while_it_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_other_network_is_asked_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_abort_while_the_script_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_end_while_the_script_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_proxy_lookup_slow_script_counts_as_none, set_up, tear_down),
    };

    return TEST_RUN(proxy_lookup);
}
