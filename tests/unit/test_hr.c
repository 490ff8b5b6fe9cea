/* SPDX-License-Identifier: MIT */
/*
 * Codes: their names and texts, and the conversions of foreign errors.
 */
#include <errno.h>
#include <string.h>

#include "base/hr.h"
#include "support/test.h"

struct named_code
{
    HRESULT hr;
    const char *name;
    const char *text;
};

static const struct named_code codes[] = {
#define ROW(code, sentence) {code, #code, sentence},
    DO_ERROR_LIST(ROW)
#undef ROW
};

/* Broken: a user meets a DO_E code without a name or a sentence. */
static void test_hr_every_do_code_has_name_and_text(void **state)
{
    (void)state;
    assert_true(DO_COUNT_OF(codes) > 60);
    for (size_t i = 0; i < DO_COUNT_OF(codes); i++)
    {
        const char *text = do_hr_text(codes[i].hr);

        assert_true(FAILED(codes[i].hr));
        assert_int_equal((uint32_t)codes[i].hr >> 16, 0x80D0);
        assert_string_equal(do_hr_name(codes[i].hr), codes[i].name);
        assert_string_equal(text, codes[i].text);
        assert_int_equal(text[strlen(text) - 1], '.');
    }
}

/* Broken: two errors share a value or a name, and one of them is never told. */
static void test_hr_do_codes_are_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(codes); i++)
    {
        for (size_t j = 0; j < i; j++)
        {
            assert_true(codes[i].hr != codes[j].hr);
            assert_string_not_equal(codes[i].name, codes[j].name);
        }
    }
}

/* Broken: codes of the engine that are not DO_E ones have no words. */
static void test_hr_other_codes_have_name_and_text(void **state)
{
    static const HRESULT others[] = {S_OK, S_FALSE, DO_HR_S_PARTIAL_COMPLETE, E_NOTIMPL,
        E_NOINTERFACE, E_POINTER, E_ABORT, E_FAIL, E_UNEXPECTED, E_ACCESSDENIED, E_OUTOFMEMORY,
        E_INVALIDARG, DO_HR_FILE_NOT_FOUND, DO_HR_PATH_NOT_FOUND, DO_HR_SHARING_VIOLATION,
        DO_HR_LOCK_VIOLATION, DO_HR_FILE_EXISTS, DO_HR_DISK_FULL, DO_HR_INVALID_NAME,
        DO_HR_ALREADY_EXISTS, DO_HR_IO_DEVICE, DO_HR_CANCELLED, DO_HR_FILE_CORRUPT,
        DO_HR_INET_INVALID_URL, DO_HR_NET_TIMEOUT, DO_HR_NET_NAME_NOT_RESOLVED,
        DO_HR_NET_CANNOT_CONNECT, DO_HR_NET_CONNECTION_ABORTED, DO_HR_NET_CERT_DATE_INVALID,
        DO_HR_NET_CERT_CN_INVALID, DO_HR_NET_CLIENT_CERT_NEEDED, DO_HR_NET_INVALID_CA,
        DO_HR_NET_CERT_REV_FAILED, DO_HR_NET_HEADER_NOT_FOUND, DO_HR_NET_INVALID_SERVER_RESPONSE,
        DO_HR_NET_REDIRECT_FAILED, DO_HR_NET_CERT_REVOKED, DO_HR_NET_SECURE_FAILURE,
        DO_HR_NET_CERT_WRONG_USAGE, DO_HR_NET_INVALID_URL, DO_HR_NET_UNRECOGNIZED_SCHEME,
        DO_HR_NET_AUTODETECTION_FAILED, (HRESULT)0x80010123, (HRESULT)0x80020005,
        (HRESULT)0x80040154, (HRESULT)0x80070422, DO_HR_HTTP_UNEXPECTED,
        DO_HR_HTTP_UNEXPECTED_REDIRECTION};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(others); i++)
    {
        assert_non_null(do_hr_name(others[i]));
        assert_non_null(do_hr_text(others[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(do_hr_name(others[i]), do_hr_name(others[j]));
    }
    assert_null(do_hr_name((HRESULT)0x81234567));
    assert_null(do_hr_text((HRESULT)0x81234567));
}

/* Broken: a client that shows the texts of BITS codes shows bare numbers. */
static void test_hr_bits_codes_have_name_and_text(void **state)
{
    static const struct
    {
        uint32_t hr;
        const char *name;
    } rows[] = {
        {0x00200017, "BG_S_PARTIAL_COMPLETE"},
        {0x0020001A, "BG_S_UNABLE_TO_DELETE_FILES"},
        {0x80200001, "BG_E_NOT_FOUND"},
        {0x80200002, "BG_E_INVALID_STATE"},
        {0x80200003, "BG_E_EMPTY"},
        {0x80200004, "BG_E_FILE_NOT_AVAILABLE"},
        {0x80200005, "BG_E_PROTOCOL_NOT_AVAILABLE"},
        {0x8020000D, "BG_E_DESTINATION_LOCKED"},
        {0x8020000E, "BG_E_VOLUME_CHANGED"},
        {0x8020000F, "BG_E_ERROR_INFORMATION_UNAVAILABLE"},
        {0x80200010, "BG_E_NETWORK_DISCONNECTED"},
        {0x80200011, "BG_E_MISSING_FILE_SIZE"},
        {0x80200012, "BG_E_INSUFFICIENT_HTTP_SUPPORT"},
        {0x80200013, "BG_E_INSUFFICIENT_RANGE_SUPPORT"},
        {0x80200014, "BG_E_REMOTE_NOT_SUPPORTED"},
        {0x8020001B, "BG_E_INVALID_SERVER_RESPONSE"},
        {0x8020001C, "BG_E_TOO_MANY_FILES"},
        {0x8020001D, "BG_E_LOCAL_FILE_CHANGED"},
        {0x80200020, "BG_E_TOO_LARGE"},
        {0x80200021, "BG_E_STRING_TOO_LONG"},
        {0x80200024, "BG_E_NO_PROGRESS"},
        {0x80200029, "BG_E_FILE_NOT_FOUND"},
        {0x8020002B, "BG_E_INVALID_RANGE"},
        {0x8020002C, "BG_E_OVERLAPPING_RANGES"},
        {0x8020002D, "BG_E_CONNECT_FAILURE"},
        {0x8020002E, "BG_E_CONNECTION_CLOSED"},
        {0x8020003E, "BG_E_BLOCKED_BY_POLICY"},
        {0x8020003F, "BG_E_INVALID_PROXY_INFO"},
        {0x80200049, "BG_E_TOO_MANY_JOBS_PER_USER"},
        {0x80200050, "BG_E_TOO_MANY_JOBS_PER_MACHINE"},
        {0x80200051, "BG_E_TOO_MANY_FILES_IN_JOB"},
        {0x80200052, "BG_E_TOO_MANY_RANGES_IN_FILE"},
        {0x80200053, "BG_E_VALIDATION_FAILED"},
        {0x80200054, "BG_E_MAXDOWNLOAD_TIMEOUT"},
        {0x80200057, "BG_E_UNKNOWN_PROPERTY_ID"},
        {0x80200058, "BG_E_READ_ONLY_PROPERTY"},
        {0x80200059, "BG_E_BLOCKED_BY_COST_TRANSFER_POLICY"},
        {0x80200067, "BG_E_BLOCKED_BY_BATTERY_POLICY"},
        {0x80200068, "BG_E_BLOCKED_BY_BATTERY_SAVER"},
        {0x80200073, "BG_E_REMOTE_FILE_CHANGED"},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        const char *name = do_hr_name((HRESULT)rows[i].hr);
        const char *text = do_hr_text((HRESULT)rows[i].hr);

        assert_non_null(name);
        assert_string_equal(name, rows[i].name);
        assert_non_null(text);
        assert_true(strlen(text) > 10);
        assert_int_equal(text[strlen(text) - 1], '.');
    }
}

/* Broken: a failure without a reason passes for success. */
static void test_hr_from_win32_never_succeeds(void **state)
{
    static const uint32_t odd[] = {0x10000, 0x10005, 0x20000001, 0x7FFFFFFF};

    (void)state;
    assert_hr(E_FAIL, do_hr_from_win32(0));
    assert_hr(E_ACCESSDENIED, do_hr_from_win32(5));
    assert_hr((HRESULT)0x8007FFFF, do_hr_from_win32(0xFFFF));
    assert_hr((HRESULT)0x80072EE2, do_hr_from_win32(12002));
    assert_hr((HRESULT)0x80090308, do_hr_from_win32(0x80090308));
    for (size_t i = 0; i < DO_COUNT_OF(odd); i++)
        assert_true(FAILED(do_hr_from_win32(odd[i])));
}

/* Broken: native builds tell clients other codes than Windows builds do. */
static void test_hr_from_errno_gives_win32_codes(void **state)
{
    (void)state;
    assert_hr(E_FAIL, do_hr_from_errno(0));
    assert_hr(DO_HR_FILE_NOT_FOUND, do_hr_from_errno(ENOENT));
    assert_hr(DO_HR_PATH_NOT_FOUND, do_hr_from_errno(ENOTDIR));
    assert_hr(DO_HR_FILE_EXISTS, do_hr_from_errno(EEXIST));
    assert_hr(E_ACCESSDENIED, do_hr_from_errno(EACCES));
    assert_hr(DO_HR_DISK_FULL, do_hr_from_errno(ENOSPC));
    assert_hr(E_OUTOFMEMORY, do_hr_from_errno(ENOMEM));
    assert_true(FAILED(do_hr_from_errno(-1)));
}

/* Broken: a client sees another code for an HTTP status than the specification says (06, 3.1). */
static void test_hr_from_http_status_follows_spec(void **state)
{
    static const struct
    {
        unsigned int status;
        uint32_t hr;
        bool transient;
    } rows[] = {
        {204, 0x80D0380D, true},
        {205, 0x80D0380D, true},
        {300, 0x80190003, false},
        {301, 0x80190003, false},
        {302, 0x80190003, false},
        {303, 0x80190003, false},
        {305, 0x80190131, false},
        {307, 0x80190003, false},
        {308, 0x80190003, false},
        {400, 0x80190190, false},
        {401, 0x80190191, false},
        {403, 0x80190193, false},
        {404, 0x80190194, false},
        {405, 0x80190195, false},
        {406, 0x80190196, false},
        {407, 0x80190197, false},
        {408, 0x80190198, true},
        {409, 0x80190199, false},
        {410, 0x8019019A, false},
        {411, 0x8019019B, false},
        {412, 0x8019019C, false},
        {413, 0x8019019D, false},
        {414, 0x8019019E, false},
        {415, 0x8019019F, false},
        {416, 0x801901A0, false},
        {429, 0x801901AD, true},
        {500, 0x801901F4, true},
        {501, 0x801901F5, false},
        {502, 0x801901F6, true},
        {503, 0x801901F7, true},
        {504, 0x801901F8, true},
        {505, 0x801901F9, false},
        /* A network wants a log-in first: RFC 6585 6. */
        {511, 0x801901FF, true},
        {418, 0x801901A2, false},
        {599, 0x80190257, false},
    };

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
    {
        HRESULT hr = do_hr_from_http_status(rows[i].status);

        assert_hr((HRESULT)rows[i].hr, hr);
        assert_int_equal(do_hr_is_transient(hr), rows[i].transient);
        if (hr == (HRESULT)(0x80190000U + rows[i].status))
            assert_int_equal(do_hr_http_status(hr), rows[i].status);
        else
            assert_int_equal(do_hr_http_status(hr), 0);
    }
}

/* Broken: a number that is no final status of HTTP passes for success or for a real status. */
static void test_hr_from_http_status_without_meaning_is_unexpected(void **state)
{
    static const unsigned int rows[] = {0, 1, 99, 600, 999, 65536, 0x7FFFFFFF, 0xFFFFFFFF};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(rows); i++)
        assert_hr(DO_HR_HTTP_UNEXPECTED, do_hr_from_http_status(rows[i]));
    assert_int_equal(do_hr_http_status(S_OK), 0);
    assert_int_equal(do_hr_http_status(E_FAIL), 0);
    assert_int_equal(do_hr_http_status(DO_HR_HTTP_UNEXPECTED), 0);
}

/* Broken: a download gives up although the network may come back, or retries what cannot work. */
static void test_hr_is_transient_sorts_network_errors(void **state)
{
    static const HRESULT transient[] = {DO_HR_NET_TIMEOUT, DO_HR_NET_NAME_NOT_RESOLVED,
        DO_HR_NET_CANNOT_CONNECT, DO_HR_NET_CONNECTION_ABORTED, DO_HR_NET_SECURE_FAILURE,
        DO_E_HTTP_BLOCKSIZE_MISMATCH};
    static const HRESULT fatal[] = {S_OK, E_FAIL, E_OUTOFMEMORY, DO_HR_DISK_FULL,
        DO_HR_INET_INVALID_URL, DO_HR_NET_INVALID_CA, DO_HR_NET_CERT_CN_INVALID,
        DO_HR_NET_REDIRECT_FAILED, DO_E_INSUFFICIENT_RANGE_SUPPORT};

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(transient); i++)
        assert_true(do_hr_is_transient(transient[i]));
    for (size_t i = 0; i < DO_COUNT_OF(fatal); i++)
        assert_false(do_hr_is_transient(fatal[i]));
}

int main(void)
{
    static const struct CMUnitTest hr[] = {
        cmocka_unit_test(test_hr_every_do_code_has_name_and_text),
        cmocka_unit_test(test_hr_do_codes_are_distinct),
        cmocka_unit_test(test_hr_other_codes_have_name_and_text),
        cmocka_unit_test(test_hr_bits_codes_have_name_and_text),
        cmocka_unit_test(test_hr_from_win32_never_succeeds),
        cmocka_unit_test(test_hr_from_errno_gives_win32_codes),
        cmocka_unit_test(test_hr_from_http_status_follows_spec),
        cmocka_unit_test(test_hr_from_http_status_without_meaning_is_unexpected),
        cmocka_unit_test(test_hr_is_transient_sorts_network_errors),
    };

    return TEST_RUN(hr);
}
