/* SPDX-License-Identifier: MIT */
/*
 * What the engine tests share: one fault server per program, an engine over a database in a fresh
 * folder per test, jobs that are given back whatever happens, bounded waits, and checks of files
 * against the server's pattern and log. Test thread only; native builds only.
 */
#ifndef DO_TESTS_ENGINE_ENGINE_TEST_H
#define DO_TESTS_ENGINE_ENGINE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"
#include "job/engine.h"
#include "job/job.h"
#include "store/queue_db.h"
#include "support/test.h"

/* No wait of a test is longer. */
#define TEST_WAIT_MS 20000U

#define TEST_KIB(n) ((uint64_t)(n) << 10)
#define TEST_MIB(n) ((uint64_t)(n) << 20)
#define TEST_GIB(n) ((uint64_t)(n) << 30)

/* Sets of states for test_wait. */
#define TEST_STATE(state) (1U << (state))
#define TEST_ENDED                                                                                 \
    (TEST_STATE(DO_JOB_TRANSFERRED) | TEST_STATE(DO_JOB_ERROR) | TEST_STATE(DO_JOB_ACKNOWLEDGED) | \
        TEST_STATE(DO_JOB_CANCELLED))

/* A test with an engine and a folder of its own. */
#define ENGINE_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, test_engine_setup, test_engine_teardown)

/* The body of main: runs an array of tests with a fault server. */
#define ENGINE_TEST_RUN(tests)                                                                     \
    cmocka_run_group_tests_name(#tests, tests, test_server_start, test_server_stop)

/* One file of a job, and where it comes from. */
struct test_file
{
    char server_path[64]; /* the key of the server's log */
    char url[1024];
    char path[512];
};

/* One request in the server's log. */
struct test_request
{
    bool has_range;
    struct do_range range; /* half-open, end DO_SIZE_UNKNOWN for "a-" */
    char if_range[128];    /* "" when not sent */
    int status;
    uint64_t sent; /* bytes of body */
    double time_ms;
};

/* Group and test fixtures. */
int test_server_start(void **state);
/** On every address, for tests in a network of their own. */
int test_server_start_open(void **state);
int test_server_stop(void **state);
int test_engine_setup(void **state);
int test_engine_teardown(void **state);

/** The configuration of the next test_engine_start; test_engine_setup sets it to fast retries. */
struct do_engine_config *test_config(void);

/** The folder of the running test, without a slash at the end. */
const char *test_folder(void);

uint16_t test_server_port(void);

/** Use a folder and a server that somebody else made: for children. */
void test_adopt(const char *folder, uint16_t port);

/** The running engine. */
struct do_engine *test_engine(void);

/** Starts an engine with test_config(); the fixture owns the reference. */
HRESULT test_engine_start(void);

/** Starts the engine anew so that a file has one connection: the server's log is then in order. */
void test_one_connection(void);

/** Gives back every reference of the fixture's and waits until the engine is gone. */
void test_engine_stop(void);

/** Gives back every reference of the fixture's; active jobs go on. */
void test_engine_let_go(void);

/** A new job; the fixture owns the reference, and cancels the job in the end. */
struct do_job *test_job(void);

/** The one job of the queue, likewise. */
struct do_job *test_only_job(void);

/** How many jobs the queue has. */
size_t test_job_count(void);

/** Names a file and an object of the server with the faults in query. Nothing is created. */
struct test_file test_file(const char *name, const char *query);

/** Adds that file; ranges may be NULL, size DO_SIZE_UNKNOWN. */
HRESULT test_add_ranges(struct do_job *job, const struct test_file *file,
    const struct do_range *ranges, size_t count, uint64_t size);

/** Names and adds a whole file. */
struct test_file test_add(struct do_job *job, const char *name, const char *query);

/** A job with one whole file, resumed. */
struct do_job *test_download(struct test_file *file, const char *name, const char *query);

/** Waits until the job is in one of states; returns its state, also when time is up. */
enum do_job_state test_wait(struct do_job *job, unsigned int states);

/** The same with an assertion. */
void test_wait_state(struct do_job *job, enum do_job_state state);

/** Waits until so many bytes of the job are written. */
void test_wait_bytes(struct do_job *job, uint64_t bytes);

void test_pause_ms(unsigned int ms);

/** The code of the job's error; S_OK without one. */
HRESULT test_error(struct do_job *job);

/** Whether the file at path holds those ranges of an object, one after the other, and no more. */
bool test_has_ranges(const char *path, uint64_t seed, const struct do_range *ranges, size_t count);

/** Whether it holds the first size bytes of an object, and no more. */
bool test_has_object(const char *path, uint64_t seed, uint64_t size);

/** The first length bytes of an object. */
void test_fill(uint64_t seed, void *data, size_t length);

/** Whether the file at path holds these bytes, and no more. */
bool test_has_bytes(const char *path, const void *data, size_t length);

/** Whether the file at path holds this text. */
bool test_has_text(const char *path, const char *text);

bool test_exists(const char *path);

/** How many temporary files the folder has. */
size_t test_temp_files(void);

/** The size of the first temporary file on disk, 0 without one. */
uint64_t test_temp_size(void);

/** The requests for a path, after waiting for at least min and for their ends; min 0: as it is. */
size_t test_requests(
    const char *server_path, size_t min, struct test_request *requests, size_t capacity);

/** The value of a header of the request with this number, from 0; "" when it did not have it. */
void test_request_header(
    const char *server_path, size_t number, const char *name, char *value, size_t size);

/** Makes these bytes the object of a path, whatever its size and seed say. */
void test_put(const char *server_path, const void *data, size_t length);

/** The body of the server's answer to a GET, to be freed. */
char *test_get(const char *target);

/** Complete, then: right bytes, no temporary file left. */
void test_complete(struct do_job *job, const struct test_file *file, uint64_t seed, uint64_t size);

#endif
