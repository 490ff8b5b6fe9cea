/* SPDX-License-Identifier: MIT */
/*
 * What the COM tests share. They are clients: they know the generated headers, the registered class
 * and the fault server, nothing of the product's insides. Every test runs in an MTA with an empty
 * queue and an empty folder, and fails at its end when a temporary file is left in that folder.
 *
 * cmocka leaves a failed test with longjmp: everything here that asserts is for the test's thread.
 */
#ifndef DO_TESTS_COM_COM_TEST_H
#define DO_TESTS_COM_COM_TEST_H

#ifndef COBJMACROS
#define COBJMACROS
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/todo.h"

/* Before <windows.h>, whose older winsock.h it replaces. */
#include <winsock2.h>

#include <windows.h>

#include <objbase.h>
#include <ocidl.h>
#include <oleauto.h>

#include <DeliveryOptimization.h>
#include <DeliveryOptimizationErrors.h>

/* Codes that mingw-w64's headers do not have. (Spec 02, section 5.) */
#define TEST_E_INVALID_NAME ((HRESULT)0x8007007B)
#define TEST_E_PATH_NOT_FOUND ((HRESULT)0x80070003)
#define TEST_E_DISK_FULL ((HRESULT)0x80070070)
#define TEST_E_NAME_NOT_RESOLVED ((HRESULT)0x80072EE7)
#define TEST_E_CANNOT_CONNECT ((HRESULT)0x80072EFD)
#define TEST_E_CONNECTION_ABORTED ((HRESULT)0x80072EFE)
#define TEST_E_INVALID_SERVER_RESPONSE ((HRESULT)0x80072F78)
#define TEST_E_HTTP(status) ((HRESULT)(0x80190000U + (status)))
#define TEST_S_PARTIAL_COMPLETE ((HRESULT)0x00200017)

#define TEST_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* Not NULL and never dereferenced: what an out-pointer holds before a call that must clear it. */
#define TEST_POISON ((void *)(uintptr_t)0xDEADBEEF)
#define TEST_SIZE_MISSING UINT64_MAX

/* How long anything may take, and how often it is looked at. */
#define TEST_PATIENCE_MS 20000U
#define TEST_POLL_MS 10U

/* Fails, showing both codes in hex, unless expression gives expected. */
#define assert_hr(expected, expression)                                                            \
    test_check_hr((expected), (expression), #expression, __FILE__, __LINE__)
#define assert_ok(expression) assert_hr(S_OK, expression)

/* A test with the fixture that every test here has. */
#define COM_TEST(function) cmocka_unit_test_setup_teardown(function, test_setup, test_teardown)
#define COM_TEST_RUN(tests)                                                                        \
    cmocka_run_group_tests_name(__FILE__, tests, test_group_setup, test_group_teardown)

/* The fixture: *state of a test. */
struct com_test
{
    IBackgroundCopyManager *manager;
    WCHAR folder[512];    /* exists, is empty, ends with a backslash */
    unsigned int next;    /* numbers what must be unique */
    char server_path[64]; /* path of the last URL, for test_log */
    WCHAR url[4096];      /* the last URL */
    WCHAR local[1024];    /* the last path */
};

int test_group_setup(void **state);
int test_group_teardown(void **state);
int test_setup(void **state);
int test_teardown(void **state);

void test_check_hr(
    HRESULT expected, HRESULT actual, const char *expression, const char *file, int line);

/* Jobs. The caller releases what it gets. */

IBackgroundCopyManager *test_create_manager(void);
IBackgroundCopyJob *test_create_job(const struct com_test *test);

/** A URL of the server with a path of its own and this query ("size=1m&rate=1k"). In test->url. */
const WCHAR *test_url(struct com_test *test, const char *query);

/** The path of a file in the test's folder. In test->local. */
const WCHAR *test_local(struct com_test *test, const WCHAR *name);

/** Adds the whole object under a URL of its own. */
void test_add(struct com_test *test, IBackgroundCopyJob *job, const char *query, const WCHAR *name);

/** Adds parts of it, or with count 0 the whole; size may be DO_UNKNOWN_FILE_SIZE. */
void test_add_ranges(struct com_test *test, IBackgroundCopyJob *job, const char *query,
    const WCHAR *name, DWORD count, BG_FILE_RANGE *ranges, UINT64 size);

/** A job with one file added by test_add. */
IBackgroundCopyJob *test_create_job_of(struct com_test *test, const char *query, const WCHAR *name);

/** The job's IDeliveryOptimizationJob. */
IDeliveryOptimizationJob *test_do_job(IBackgroundCopyJob *job);
IBackgroundCopyFile *test_file(IBackgroundCopyJob *job, ULONG index);
BG_FILE_PROGRESS test_file_progress(IBackgroundCopyJob *job, ULONG index);
BG_JOB_STATE test_state(IBackgroundCopyJob *job);

/** Waits for a state; fails at once when the job ends up in another. */
void test_wait_state(IBackgroundCopyJob *job, BG_JOB_STATE wanted);
/** Waits until the job, which must be transferring, has at least this many bytes. */
void test_wait_bytes(IBackgroundCopyJob *job, UINT64 bytes);
/** Waits until so many files of the job, which must be transferring, are transferred. */
void test_wait_files(IBackgroundCopyJob *job, ULONG files);
/** Waits for TRANSFERRED or ERROR, and returns which. */
BG_JOB_STATE test_wait_end(IBackgroundCopyJob *job);

/** Resumes, waits for TRANSFERRED, completes. */
void test_fetch(IBackgroundCopyJob *job);

/** The job's error; S_OK when it has none. */
HRESULT test_error(IBackgroundCopyJob *job, BG_ERROR_CONTEXT *context);

/* COM rules. */

/** Reflexive, symmetric, transitive over iids (all of which it has), one IUnknown. */
void test_check_interfaces(IUnknown *object, const IID *const *iids, size_t count);
/** E_NOINTERFACE and NULL. */
void test_check_no_interface(IUnknown *object, const IID *iid);
ULONG test_refcount(IUnknown *object);

/* Files. */

/** TEST_SIZE_MISSING when there is none. */
UINT64 test_file_size(const WCHAR *path);
/** Fails unless bytes [at, at + length) of the file are those from offset on of object seed. */
void test_expect_pattern(const WCHAR *path, UINT64 at, UINT64 length, UINT64 seed, UINT64 offset);
/** The file is object seed of this size, whole. */
void test_expect_object(const WCHAR *path, UINT64 size, UINT64 seed);
void test_expect_text(const WCHAR *path, const char *text);
void test_write_text(const WCHAR *path, const char *text);
/** How many DO*.tmp lie in folder (with a backslash at its end). */
unsigned int test_count_temp(const WCHAR *folder);

/* The server. */

/** "http://127.0.0.1:PORT". */
const char *test_server(void);
/** Body of a GET of target from the server; free() it. */
char *test_get(const char *target);
/** The server's log for test->server_path, all requests done; free() it. */
char *test_log(const struct com_test *test);
unsigned int test_log_count(const char *log);
/** Member key of the request at index, as JSON without quotes; false when there is none. */
bool test_log_value(const char *log, unsigned int index, const char *key, char *value, size_t size);
/** A port on which nobody listens. */
unsigned int test_dead_port(void);

#endif
