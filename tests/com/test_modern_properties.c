/* SPDX-License-Identifier: MIT */
/*
 * The thirty properties of IDODownload against a table written by hand from specs 02, 2.1 and 04,
 * section 5: type, access, when settable, what is refused; and selection by them (EnumDownloads).
 */
#include "modern.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <wincrypt.h>

enum when
{
    NEVER,
    ALIVE,   /* not Finalized, not Aborted */
    STOPPED, /* Created or Paused */
    FRESH    /* Created */
};

enum access
{
    READ,
    WRITE,
    BOTH
};

/* Written by hand; text and number are values that are accepted. */
static const struct
{
    const char *name;
    VARTYPE type;
    enum access access;
    enum when when;
    const WCHAR *text;
    ULONG number;
} rows[] = {
    [0] = {"Id", VT_BSTR, READ, NEVER, NULL, 0},
    [1] = {"Uri", VT_BSTR, BOTH, STOPPED, L"http://127.0.0.1:1/other", 0},
    [2] = {"ContentId", VT_BSTR, BOTH, FRESH, L"content", 0},
    [3] = {"DisplayName", VT_BSTR, BOTH, FRESH, L"na\u00EFve \U0001F600", 0},
    [4] = {"LocalPath", VT_BSTR, BOTH, FRESH, L"C:\\elsewhere\\file", 0},
    [5] = {"HttpCustomHeaders", VT_BSTR, BOTH, STOPPED, L"X-A: 1\r\nX-B: 2\r\n", 0},
    [6] = {"CostPolicy", VT_UI4, BOTH, ALIVE, NULL, 3},
    [7] = {"SecurityFlags", VT_UI4, WRITE, STOPPED, NULL, 0x1001},
    [8] = {"CallbackFreqPercent", VT_UI4, BOTH, ALIVE, NULL, 50},
    [9] = {"CallbackFreqSeconds", VT_UI4, BOTH, ALIVE, NULL, 5},
    [10] = {"NoProgressTimeoutSeconds", VT_UI4, BOTH, ALIVE, NULL, 60},
    [11] = {"ForegroundPriority", VT_BOOL, BOTH, ALIVE, NULL, 1},
    [12] = {"BlockingMode", VT_BOOL, BOTH, ALIVE, NULL, 1},
    [13] = {"CallbackInterface", VT_UNKNOWN, BOTH, ALIVE, NULL, 0},
    [14] = {"StreamInterface", VT_UNKNOWN, BOTH, FRESH, NULL, 0},
    [15] = {"SecurityContext", VT_ARRAY | VT_UI1, WRITE, STOPPED, NULL, 0},
    [16] = {"NetworkToken", VT_BOOL, WRITE, STOPPED, NULL, 1},
    [17] = {"CorrelationVector", VT_BSTR, BOTH, ALIVE, L"vector.0", 0},
    [18] = {"DecryptionInfo", VT_BSTR, WRITE, FRESH, NULL, 0},
    [19] = {"IntegrityCheckInfo", VT_BSTR, WRITE, FRESH,
        L"{\"PiecesHashFileUrl\":\"http://127.0.0.1:1/hashes\",\"HashOfHashes\":"
        L"\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}",
        0},
    [20] = {"IntegrityCheckMandatory", VT_BOOL, BOTH, FRESH, NULL, 1},
    [21] = {"TotalSizeBytes", VT_UI8, BOTH, FRESH, NULL, 100},
    [22] = {"DisallowOnCellular", VT_BOOL, BOTH, ALIVE, NULL, 1},
    [23] = {"HttpCustomAuthHeaders", VT_BSTR, BOTH, STOPPED, L"Authorization: Basic eDp5\r\n", 0},
    [24] = {"HttpAllowSecureToNonSecureRedirect", VT_BOOL, BOTH, STOPPED, NULL, 1},
    [25] = {"NonVolatile", VT_BOOL, BOTH, STOPPED, NULL, 1},
    [26] = {"HttpRedirectionTarget", VT_BSTR, READ, NEVER, NULL, 0},
    [27] = {"HttpResponseHeaders", VT_BSTR, READ, NEVER, NULL, 0},
    [28] = {"HttpServerIPAddress", VT_BSTR, READ, NEVER, NULL, 0},
    [29] = {"HttpStatusCode", VT_UI4, READ, NEVER, NULL, 0},
};

/* The plain ones: not an interface, not bytes, and not what takes a blob of its own. */
static bool has_sample(size_t id)
{
    return rows[id].access != READ && id != 13 && id != 14 && id != 15 && id != 18;
}

static VARIANT sample(size_t id)
{
    VARIANT value;

    VariantInit(&value);
    value.vt = rows[id].type;
    if (value.vt == VT_BSTR)
        value.bstrVal = SysAllocString(rows[id].text);
    else if (value.vt == VT_BOOL)
        value.boolVal = rows[id].number ? VARIANT_TRUE : VARIANT_FALSE;
    else
        value.ullVal = rows[id].number;
    return value;
}

static HRESULT set_sample(IDODownload *download, size_t id)
{
    VARIANT value = sample(id);
    HRESULT hr = IDODownload_SetProperty(download, (DODownloadProperty)id, &value);

    (void)VariantClear(&value);
    return hr;
}

static void expect_sample(IDODownload *download, size_t id)
{
    VARIANT wanted = sample(id);
    VARIANT value;

    memset(&value, 0xCC, sizeof(value));
    assert_ok(IDODownload_GetProperty(download, (DODownloadProperty)id, &value));
    if (value.vt != wanted.vt)
    {
        print_error("%s has type %u, not %u\n", rows[id].name, value.vt, wanted.vt);
        fail();
    }
    if (value.vt == VT_BSTR)
        assert_true(!wcscmp(value.bstrVal, wanted.bstrVal));
    else if (value.vt == VT_BOOL)
        assert_int_equal(wanted.boolVal, value.boolVal);
    else if (value.vt == VT_UI8)
        assert_int_equal(wanted.ullVal, value.ullVal);
    else
        assert_int_equal(wanted.ulVal, value.ulVal);
    (void)VariantClear(&value);
    (void)VariantClear(&wanted);
}

/* Broken: a property is read or written that cannot be, or what was never set has a value. */
static void test_properties_access_is_that_of_the_table(void **state)
{
    IDODownload *download = modern_create();

    (void)state;
    for (size_t id = 0; id < TEST_COUNT_OF(rows); id++)
    {
        VARIANT text = {.vt = VT_BSTR};

        if (rows[id].access == WRITE)
            modern_expect_failure(download, (DODownloadProperty)id, DO_E_WRITE_ONLY_PROPERTY);
        else if (id)
            modern_expect_failure(download, (DODownloadProperty)id, TEST_E_NOT_SET);
        if (rows[id].access == READ)
            assert_hr(DO_E_READ_ONLY_PROPERTY, modern_set(download, (DODownloadProperty)id, text));
    }
    for (int id = -1; id <= 1000; id = id == -1 ? (int)TEST_COUNT_OF(rows) : id + 485)
    {
        VARIANT text = {.vt = VT_BSTR};

        modern_expect_failure(download, (DODownloadProperty)id, DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(DO_E_UNKNOWN_PROPERTY_ID, modern_set(download, (DODownloadProperty)id, text));
    }
    assert_hr(E_INVALIDARG, IDODownload_GetProperty(download, DODownloadProperty_Uri, NULL));
    assert_hr(E_INVALIDARG, IDODownload_SetProperty(download, DODownloadProperty_Uri, NULL));
    modern_abort(download);
}

/* Broken: a client reads another value than it wrote, or another type. */
static void test_properties_are_read_back(void **state)
{
    (void)state;
    for (size_t id = 0; id < TEST_COUNT_OF(rows); id++)
    {
        IDODownload *download = modern_create();

        if (has_sample(id))
        {
            VARIANT empty = {.vt = id % 2 ? VT_EMPTY : VT_NULL};

            print_message("  %s\n", rows[id].name);
            assert_ok(set_sample(download, id));
            if (rows[id].access == BOTH)
            {
                expect_sample(download, id);
                assert_ok(modern_set(download, (DODownloadProperty)id, empty));
                modern_expect_failure(download, (DODownloadProperty)id, TEST_E_NOT_SET);
            }
        }
        modern_abort(download);
    }
}

/* Broken: a value of another type is taken for one, or for garbage. */
static void test_properties_of_another_type_are_refused(void **state)
{
    static const VARTYPE types[] = {VT_BSTR, VT_BOOL, VT_UI4, VT_UI8, VT_UNKNOWN, VT_DISPATCH,
        VT_I4, VT_INT, VT_UINT, VT_I8, VT_I2, VT_R8, VT_ERROR, VT_ARRAY | VT_UI1,
        VT_ARRAY | VT_BSTR, VT_BYREF | VT_BSTR, VT_BYREF | VT_VARIANT, VT_VARIANT, 0x4FFF};

    (void)state;
    for (size_t id = 0; id < TEST_COUNT_OF(rows); id++)
    {
        IDODownload *download = modern_create();

        for (size_t i = 0; i < TEST_COUNT_OF(types); i++)
        {
            VARTYPE type = types[i];
            VARIANT value = {.vt = type};
            bool is_near =
                (rows[id].type == VT_UI4 && (type == VT_I4 || type == VT_INT || type == VT_UINT)) ||
                (rows[id].type == VT_UI8 && type == VT_I8);
            HRESULT hr;

            if (rows[id].access == READ || rows[id].type == type)
                continue;
            hr = modern_set(download, (DODownloadProperty)id, value);
            if (hr != (is_near ? S_OK : E_INVALIDARG))
            {
                print_error(
                    "%s set with type 0x%x: 0x%08lx\n", rows[id].name, type, (unsigned long)hr);
                fail();
            }
        }
        modern_abort(download);
    }
}

/* Broken: script, which passes references, cannot set a property. */
static void test_properties_by_reference_are_followed(void **state)
{
    IDODownload *download = modern_create();
    VARIANT number = {.vt = VT_I4};
    VARIANT outer = {.vt = VT_BYREF | VT_VARIANT};
    VARIANT text = {.vt = VT_BYREF | VT_BSTR};
    VARIANT size = {.vt = VT_BYREF | VT_I8};
    BSTR name = SysAllocString(L"by reference");
    LONGLONG bytes = 5;

    (void)state;
    text.pbstrVal = &name;
    assert_ok(modern_set(download, DODownloadProperty_DisplayName, text));
    SysFreeString(name);
    modern_expect_text(download, DODownloadProperty_DisplayName, L"by reference");
    size.pllVal = &bytes;
    assert_ok(modern_set(download, DODownloadProperty_TotalSizeBytes, size));
    number.lVal = 3;
    outer.pvarVal = &number;
    assert_ok(modern_set(download, DODownloadProperty_CostPolicy, outer));
    expect_sample(download, DODownloadProperty_CostPolicy);
    number.vt = VT_EMPTY;
    assert_ok(modern_set(download, DODownloadProperty_CostPolicy, outer));
    modern_expect_failure(download, DODownloadProperty_CostPolicy, TEST_E_NOT_SET);
    modern_abort(download);
}

/* Broken: a value that makes no sense is found out by the transfer, or never. */
static void test_properties_that_make_no_sense_are_refused(void **state)
{
    static const struct
    {
        DODownloadProperty id;
        const WCHAR *text;
        HRESULT hr;
    } texts[] = {
        {DODownloadProperty_Uri, L"", E_INVALIDARG},
        {DODownloadProperty_Uri, L"ftp://host/x", TEST_E_INVALID_URL},
        {DODownloadProperty_Uri, L"file:///c:/x", TEST_E_INVALID_URL},
        {DODownloadProperty_Uri, L"no url", TEST_E_INVALID_URL},
        {DODownloadProperty_LocalPath, L"", E_INVALIDARG},
        {DODownloadProperty_LocalPath, L"relative", E_INVALIDARG},
        {DODownloadProperty_LocalPath, L"C:\\a\\..\\b", E_INVALIDARG},
        {DODownloadProperty_LocalPath, L"C:\\a?b", TEST_E_INVALID_NAME},
        {DODownloadProperty_LocalPath, L"?f309\\///", TEST_E_INVALID_NAME},
        {DODownloadProperty_IntegrityCheckInfo, L"blah", E_INVALIDARG},
        {DODownloadProperty_DecryptionInfo, L"blah", E_INVALIDARG},
    };
    static const struct
    {
        DODownloadProperty id;
        ULONG number;
        HRESULT hr;
    } numbers[] = {
        {DODownloadProperty_CostPolicy, 5, S_OK},
        {DODownloadProperty_CostPolicy, 6, E_INVALIDARG},
        {DODownloadProperty_SecurityFlags, 0x3301, S_OK},
        {DODownloadProperty_SecurityFlags, 0x400, E_INVALIDARG},
        {DODownloadProperty_CallbackFreqPercent, 100, S_OK},
        {DODownloadProperty_CallbackFreqPercent, 101, E_INVALIDARG},
        {DODownloadProperty_NoProgressTimeoutSeconds, 59, E_INVALIDARG},
        {DODownloadProperty_NoProgressTimeoutSeconds, 60, S_OK},
        {DODownloadProperty_NoProgressTimeoutSeconds, 0, S_OK},
    };
    IDODownload *download = modern_create();
    WCHAR long_name[300];

    (void)state;
    for (size_t i = 0; i < TEST_COUNT_OF(texts); i++)
    {
        print_message("  %d \"%ls\"\n", (int)texts[i].id, texts[i].text);
        assert_hr(texts[i].hr, modern_set_text(download, texts[i].id, texts[i].text));
    }
    for (size_t i = 0; i < TEST_COUNT_OF(numbers); i++)
        assert_hr(numbers[i].hr, modern_set_u32(download, numbers[i].id, numbers[i].number));
    wmemset(long_name, 'x', TEST_COUNT_OF(long_name));
    long_name[257] = 0;
    assert_hr(E_INVALIDARG, modern_set_text(download, DODownloadProperty_DisplayName, long_name));
    long_name[256] = 0;
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, long_name));
    /* Malformed header lines are Windows' to accept. (Spec 04, 5.) */
    assert_ok(modern_set_text(download, DODownloadProperty_HttpCustomHeaders, L"X1=a\nX2=b\n"));
    modern_abort(download);
}

/* Broken: a property changes when it must not, or cannot be changed when it may. */
static void test_properties_are_settable_in_their_states(void **state)
{
    static const DODownloadState states[] = {DODownloadState_Created, DODownloadState_Transferring,
        DODownloadState_Paused, DODownloadState_Transferred, DODownloadState_Finalized,
        DODownloadState_Aborted};
    struct com_test *test = *state;

    for (size_t i = 0; i < TEST_COUNT_OF(states); i++)
    {
        bool ends =
            states[i] == DODownloadState_Transferred || states[i] == DODownloadState_Finalized;

        for (size_t id = 0; id < TEST_COUNT_OF(rows); id++)
        {
            IDODownload *download;
            bool may = rows[id].when == ALIVE && states[i] != DODownloadState_Finalized &&
                       states[i] != DODownloadState_Aborted;
            HRESULT hr;

            if (!has_sample(id))
                continue;
            download = modern_create_of(test, ends ? "size=10" : "stall=10", L"a");
            if (states[i] == DODownloadState_Aborted)
                assert_ok(IDODownload_Abort(download));
            else if (states[i] != DODownloadState_Created)
                assert_ok(IDODownload_Start(download, NULL));
            if (ends)
                modern_wait(download, DODownloadState_Transferred);
            if (states[i] == DODownloadState_Finalized)
                assert_ok(IDODownload_Finalize(download));
            if (states[i] == DODownloadState_Paused)
                assert_ok(IDODownload_Pause(download));
            may |= states[i] == DODownloadState_Created;
            may |= states[i] == DODownloadState_Paused && rows[id].when == STOPPED;
            hr = set_sample(download, id);
            if (hr != (may ? S_OK : DO_E_INVALID_STATE) ||
                modern_status(download).State != states[i])
            {
                print_error(
                    "%s in state %d: 0x%08lx\n", rows[id].name, (int)states[i], (unsigned long)hr);
                fail();
            }
            if (states[i] != DODownloadState_Finalized && states[i] != DODownloadState_Aborted)
                assert_ok(IDODownload_Abort(download));
            IDODownload_Release(download);
            (void)DeleteFileW(test->local);
        }
    }
}

/* Broken: a download cannot be sent elsewhere, or loses its URL. */
static void test_properties_uri_of_a_paused_download_changes(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "status=404", L"a");
    VARIANT empty = {.vt = VT_EMPTY};

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait_error(download, TEST_E_HTTP(404));
    assert_hr(E_INVALIDARG, modern_set(download, DODownloadProperty_Uri, empty));
    modern_expect_text(download, DODownloadProperty_Uri, test->url);
    assert_ok(modern_set_text(download, DODownloadProperty_Uri, test_url(test, "size=10")));
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_Finalize(download));
    test_expect_object(test->local, 10, 1);
    IDODownload_Release(download);
}

/* Broken: the id is not what .NET takes for a GUID, or not always the same. */
static void test_properties_id_is_a_guid(void **state)
{
    IDODownload *download = modern_create();
    VARIANT first, second;
    WCHAR braced[64];
    GUID guid;

    (void)state;
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &first));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &second));
    assert_int_equal(36, SysStringLen(first.bstrVal));
    assert_true(!wcscmp(first.bstrVal, second.bstrVal));
    (void)_snwprintf(braced, TEST_COUNT_OF(braced), L"{%ls}", first.bstrVal);
    assert_ok(CLSIDFromString(braced, &guid));
    (void)VariantClear(&first);
    (void)VariantClear(&second);
    modern_abort(download);
}

/* Broken: a client cannot tell what the server said, or how large the file is. */
static void test_properties_of_the_answer_are_known_afterwards(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=1837&redirect=1", L"a");
    VARIANT value;

    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_TotalSizeBytes, &value));
    assert_int_equal(VT_UI8, value.vt);
    assert_int_equal(1837, value.ullVal);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpStatusCode, &value));
    assert_int_equal(VT_UI4, value.vt);
    assert_int_equal(200, value.ulVal);
    modern_expect_text(download, DODownloadProperty_HttpServerIPAddress, L"127.0.0.1");
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpResponseHeaders, &value));
    assert_int_equal(VT_BSTR, value.vt);
    assert_non_null(wcsstr(value.bstrVal, L"\r\n"));
    assert_non_null(wcsstr(value.bstrVal, L"Content-Length: 1837"));
    (void)VariantClear(&value);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_HttpRedirectionTarget, &value));
    assert_non_null(wcsstr(value.bstrVal, L"size=1837"));
    assert_null(wcsstr(value.bstrVal, L"redirect=1"));
    (void)VariantClear(&value);
    modern_abort(download);
}

/* Broken: a header is not sent, or a bad line of it spoils the request. */
static void test_properties_custom_headers_are_sent(void **state)
{
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "size=10", L"a");
    char *log;

    assert_ok(modern_set_text(download, DODownloadProperty_HttpCustomHeaders,
        L"X-Mine: some value\r\nno header\r\nX-Other: 2\r\n"));
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    log = test_log(test);
    assert_non_null(strstr(log, "\"x-mine\": \"some value\""));
    assert_non_null(strstr(log, "\"x-other\": \"2\""));
    assert_null(strstr(log, "no header"));
    free(log);
    modern_abort(download);
}

/* Interfaces */

/* Broken: a callback leaks, is another object when read, or cannot be taken away. */
static void test_properties_callback_is_held_and_given_back(void **state)
{
    const DODownloadProperty id = DODownloadProperty_CallbackInterface;
    IDODownload *download = modern_create();
    struct modern_callback callback;
    struct modern_stream stream;
    VARIANT value, dispatch = {.vt = VT_DISPATCH}, empty = {.vt = VT_EMPTY};

    (void)state;
    modern_callback_init(&callback);
    modern_stream_init(&stream);
    assert_ok(modern_set_object(download, id, &callback.IDODownloadStatusCallback_iface));
    assert_int_equal(2, callback.references);
    assert_ok(IDODownload_GetProperty(download, id, &value));
    assert_int_equal(VT_UNKNOWN, value.vt);
    assert_ptr_equal(&callback.IDODownloadStatusCallback_iface, value.punkVal);
    assert_int_equal(3, callback.references);
    (void)VariantClear(&value);
    dispatch.pdispVal = (IDispatch *)(void *)&callback.IDODownloadStatusCallback_iface;
    assert_hr(E_INVALIDARG, modern_set(download, id, dispatch));
    assert_hr(E_NOINTERFACE, modern_set_object(download, id, &stream.IStream_iface));
    assert_int_equal(2, callback.references);
    assert_ok(modern_set(download, id, empty));
    modern_expect_failure(download, id, TEST_E_NOT_SET);
    assert_ok(modern_set_object(download, id, &callback.IDODownloadStatusCallback_iface));
    assert_ok(modern_set_object(download, id, NULL));
    modern_expect_failure(download, id, TEST_E_NOT_SET);
    modern_stream_finish(&stream);
    modern_callback_finish(&callback);
    /* Also in a final state a callback can be cleared, not set. */
    assert_ok(IDODownload_Abort(download));
    assert_ok(modern_set(download, id, empty));
    modern_callback_init(&callback);
    assert_hr(DO_E_INVALID_STATE,
        modern_set_object(download, id, &callback.IDODownloadStatusCallback_iface));
    modern_callback_finish(&callback);
    IDODownload_Release(download);
}

/* Broken: a sink leaks, or a download has two. */
static void test_properties_stream_is_held_and_given_back(void **state)
{
    const DODownloadProperty id = DODownloadProperty_StreamInterface;
    struct com_test *test = *state;
    IDODownload *download = modern_create();
    struct modern_stream stream;
    VARIANT value, dispatch = {.vt = VT_DISPATCH}, empty = {.vt = VT_NULL};

    modern_stream_init(&stream);
    stream.answers_stream = false;
    assert_hr(E_NOINTERFACE, modern_set_object(download, id, &stream.IStream_iface));
    stream.answers_stream = true;
    dispatch.pdispVal = (IDispatch *)(void *)&stream.IStream_iface;
    assert_hr(E_INVALIDARG, modern_set(download, id, dispatch));
    assert_ok(modern_set_object(download, id, &stream.IStream_iface));
    assert_ok(IDODownload_GetProperty(download, id, &value));
    assert_int_equal(VT_UNKNOWN, value.vt);
    (void)VariantClear(&value);
    assert_hr(DO_E_FILE_DOWNLOADSINK_ALREADY_SET,
        modern_set_text(download, DODownloadProperty_LocalPath, test_local(test, L"a")));
    assert_ok(modern_set(download, id, empty));
    modern_expect_failure(download, id, TEST_E_NOT_SET);
    assert_ok(modern_set_text(download, DODownloadProperty_LocalPath, test->local));
    assert_hr(
        DO_E_FILE_DOWNLOADSINK_ALREADY_SET, modern_set_object(download, id, &stream.IStream_iface));
    modern_abort(download);
    modern_stream_finish(&stream);
}

/* Certificates */

static HRESULT set_bytes(IDODownload *download, const void *data, ULONG length)
{
    VARIANT value = {.vt = VT_ARRAY | VT_UI1};
    HRESULT hr;

    value.parray = SafeArrayCreateVector(VT_UI1, 0, length);
    assert_non_null(value.parray);
    if (length)
        memcpy(value.parray->pvData, data, length);
    hr = modern_set(download, DODownloadProperty_SecurityContext, value);
    (void)VariantClear(&value);
    return hr;
}

/* Broken: garbage is taken for a certificate. (Spec 05, 2: the SDK's test wants this code.) */
static void test_properties_garbage_is_no_certificate(void **state)
{
    IDODownload *download = modern_create();
    VARIANT value = {.vt = VT_ARRAY | VT_UI1};
    SAFEARRAYBOUND bounds[2] = {{4, 0}, {4, 0}};
    BYTE garbage[64];

    (void)state;
    for (size_t i = 0; i < sizeof(garbage); i++)
        garbage[i] = (BYTE)(i * 37);
    assert_hr(CRYPT_E_FILE_ERROR, set_bytes(download, garbage, sizeof(garbage)));
    assert_hr(CRYPT_E_FILE_ERROR, set_bytes(download, garbage, 3));
    assert_hr(CRYPT_E_FILE_ERROR, set_bytes(download, garbage, 0));
    memset(garbage, 0, sizeof(garbage));
    assert_hr(CRYPT_E_FILE_ERROR, set_bytes(download, garbage, sizeof(garbage)));
    value.parray = SafeArrayCreate(VT_UI1, 2, bounds);
    assert_hr(E_INVALIDARG, modern_set(download, DODownloadProperty_SecurityContext, value));
    (void)VariantClear(&value);
    modern_abort(download);
}

/* Broken: a client's certificate is refused. */
static void test_properties_serialized_certificate_is_accepted(void **state)
{
    WCHAR name_text[] = L"CN=dosvc test";
    BYTE name_data[64];
    CERT_NAME_BLOB name = {sizeof(name_data), name_data};
    IDODownload *download = modern_create();
    PCCERT_CONTEXT certificate;
    BYTE serialized[4096];
    DWORD length = 0;

    (void)state;
    assert_true(CertStrToNameW(
        X509_ASN_ENCODING, name_text, CERT_X500_NAME_STR, NULL, name_data, &name.cbData, NULL));
    certificate = CertCreateSelfSignCertificate(0, &name, 0, NULL, NULL, NULL, NULL, NULL);
    assert_non_null(certificate);
    /* Wine tells the length only here. */
    assert_true(CertSerializeCertificateStoreElement(certificate, 0, NULL, &length));
    assert_true(length <= sizeof(serialized));
    assert_true(CertSerializeCertificateStoreElement(certificate, 0, serialized, &length));
    assert_ok(set_bytes(download, serialized, length));
    assert_true(CertFreeCertificateContext(certificate));
    modern_expect_failure(download, DODownloadProperty_SecurityContext, DO_E_WRITE_ONLY_PROPERTY);
    modern_abort(download);
}

/* Enumeration */

static unsigned int count_found(DODownloadProperty id, const WCHAR *value, HRESULT none)
{
    const DO_DOWNLOAD_ENUM_CATEGORY category = {id, value};
    IDOManager *manager = modern_manager();
    IEnumUnknown *found = TEST_POISON;
    HRESULT hr = IDOManager_EnumDownloads(manager, &category, &found);
    unsigned int count = 0;
    IUnknown *item = NULL;

    IDOManager_Release(manager);
    if (FAILED(hr))
    {
        assert_hr(none, hr);
        assert_null(found);
        return 0;
    }
    while (IEnumUnknown_Next(found, 1, &item, NULL) == S_OK)
    {
        IUnknown_Release(item);
        count++;
    }
    IEnumUnknown_Release(found);
    return count;
}

/* Broken: a client does not find its download, or finds another's. */
static void test_enumeration_selects_by_property(void **state)
{
    const HRESULT none = DO_E_NO_DOWNLOADS;
    struct com_test *test = *state;
    IDODownload *download = modern_create_of(test, "x_key=aB", L"Some Name");
    IDODownload *other = modern_create();
    WCHAR text[1024];
    VARIANT id;

    assert_ok(modern_set_text(download, DODownloadProperty_ContentId, L"Content"));
    assert_ok(modern_set_text(download, DODownloadProperty_DisplayName, L"Name"));
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    assert_int_equal(1, count_found(DODownloadProperty_Id, id.bstrVal, none));
    (void)_snwprintf(text, TEST_COUNT_OF(text), L"{%ls}", id.bstrVal);
    assert_int_equal(1, count_found(DODownloadProperty_Id, _wcsupr(text), none));
    assert_int_equal(0, count_found(DODownloadProperty_Id, L"{}", none));
    assert_int_equal(0, count_found(DODownloadProperty_Id, L"{", none));
    assert_int_equal(0, count_found(DODownloadProperty_Id, L"", none));
    text[wcslen(text) - 1] = 0;
    assert_int_equal(0, count_found(DODownloadProperty_Id, text, none));
    (void)VariantClear(&id);
    assert_int_equal(1, count_found(DODownloadProperty_Uri, test->url, none));
    assert_int_equal(0, count_found(DODownloadProperty_Uri, _wcsupr(test->url), none));
    assert_int_equal(1, count_found(DODownloadProperty_ContentId, L"Content", none));
    assert_int_equal(0, count_found(DODownloadProperty_ContentId, L"content", none));
    assert_int_equal(1, count_found(DODownloadProperty_DisplayName, L"Name", none));
    assert_int_equal(0, count_found(DODownloadProperty_DisplayName, L"NAME", none));
    assert_int_equal(1, count_found(DODownloadProperty_LocalPath, test->local, none));
    assert_int_equal(1, count_found(DODownloadProperty_LocalPath, _wcsupr(test->local), none));
    for (int i = -1; i < 40; i++)
    {
        if (i < 0 || i > 4)
            assert_int_equal(0, count_found((DODownloadProperty)i, L"x", DO_E_UNKNOWN_PROPERTY_ID));
        else
            assert_int_equal(0, count_found((DODownloadProperty)i, NULL, E_INVALIDARG));
    }
    modern_abort(other);
    modern_abort(download);
}

/* Broken: an ended download is found, or an empty queue is no DO_E_NO_DOWNLOADS. */
static void test_enumeration_leaves_out_what_has_ended(void **state)
{
    struct com_test *test = *state;
    IDOManager *manager = modern_manager();
    IEnumUnknown *found = TEST_POISON;
    IDODownload *download;

    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, NULL, &found));
    assert_null(found);
    assert_hr(E_INVALIDARG, IDOManager_EnumDownloads(manager, NULL, NULL));
    assert_hr(E_INVALIDARG, IDOManager_CreateDownload(manager, NULL));
    download = modern_create_of(test, "size=10", L"a");
    assert_ok(IDODownload_Start(download, NULL));
    modern_wait(download, DODownloadState_Transferred);
    assert_int_equal(1, count_found(DODownloadProperty_Uri, test->url, DO_E_NO_DOWNLOADS));
    assert_ok(IDODownload_Finalize(download));
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, NULL, &found));
    IDODownload_Release(download);
    download = modern_create();
    assert_ok(IDODownload_Abort(download));
    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, NULL, &found));
    IDODownload_Release(download);
    IDOManager_Release(manager);
}

/* Broken: downloads are found among jobs, or jobs among downloads. */
static void test_enumeration_keeps_jobs_and_downloads_apart(void **state)
{
    struct com_test *test = *state;
    IBackgroundCopyJob *job = test_create_job(test);
    IDOManager *manager = modern_manager();
    IBackgroundCopyManager *jobs = NULL;
    IEnumUnknown *found = NULL;
    IEnumBackgroundCopyJobs *found_jobs = NULL;
    IBackgroundCopyJob *found_job = NULL;
    IDODownload *download;
    VARIANT id;
    WCHAR braced[64];
    ULONG count = 77;
    GUID guid;

    assert_hr(DO_E_NO_DOWNLOADS, IDOManager_EnumDownloads(manager, NULL, &found));
    download = modern_create();
    assert_ok(IDOManager_QueryInterface(
        manager, &IID_IBackgroundCopyManager, (void **)&jobs)); /* one object */
    assert_ok(IBackgroundCopyManager_EnumJobs(jobs, 0, &found_jobs));
    assert_ok(IEnumBackgroundCopyJobs_GetCount(found_jobs, &count));
    assert_int_equal(1, count);
    assert_ok(IDODownload_GetProperty(download, DODownloadProperty_Id, &id));
    (void)_snwprintf(braced, TEST_COUNT_OF(braced), L"{%ls}", id.bstrVal);
    assert_ok(CLSIDFromString(braced, &guid));
    (void)VariantClear(&id);
    assert_hr(DO_E_JOB_NOT_FOUND, IBackgroundCopyManager_GetJob(jobs, &guid, &found_job));
    IEnumBackgroundCopyJobs_Release(found_jobs);
    IBackgroundCopyManager_Release(jobs);
    IDOManager_Release(manager);
    modern_abort(download);
    assert_ok(IBackgroundCopyJob_Cancel(job));
    IBackgroundCopyJob_Release(job);
}

/* Broken: a slot that was not fetched is garbage to .NET, which reads it. (Spec 01, 2.4.) */
static void test_enumeration_is_a_snapshot(void **state)
{
    IDODownload *downloads[3] = {modern_create(), modern_create(), modern_create()};
    IDOManager *manager = modern_manager();
    IUnknown *items[5];
    IEnumUnknown *found = NULL, *clone = NULL;
    IDODownload *same = NULL;
    ULONG fetched = 77;

    (void)state;
    assert_ok(IDOManager_EnumDownloads(manager, NULL, &found));
    modern_abort(downloads[2]);
    for (size_t i = 0; i < TEST_COUNT_OF(items); i++)
        items[i] = TEST_POISON;
    assert_hr(S_FALSE, IEnumUnknown_Next(found, 5, items, &fetched));
    assert_int_equal(3, fetched);
    assert_null(items[3]);
    assert_null(items[4]);
    assert_ok(IUnknown_QueryInterface(items[0], &IID_IDODownload, (void **)&same));
    /* The same download behind another pointer. */
    assert_ok(modern_set_text(same, DODownloadProperty_DisplayName, L"second pointer"));
    modern_expect_text(downloads[0], DODownloadProperty_DisplayName, L"second pointer");
    IDODownload_Release(same);
    for (size_t i = 0; i < 3; i++)
        IUnknown_Release(items[i]);
    items[0] = TEST_POISON;
    fetched = 77;
    assert_hr(S_FALSE, IEnumUnknown_Next(found, 1, items, &fetched));
    assert_int_equal(0, fetched);
    assert_null(items[0]);
    assert_hr(E_INVALIDARG, IEnumUnknown_Next(found, 2, items, NULL));
    assert_hr(E_INVALIDARG, IEnumUnknown_Next(found, 1, NULL, &fetched));
    assert_ok(IEnumUnknown_Reset(found));
    assert_ok(IEnumUnknown_Skip(found, 2));
    assert_ok(IEnumUnknown_Clone(found, &clone));
    assert_hr(S_FALSE, IEnumUnknown_Skip(found, 2));
    assert_ok(IEnumUnknown_Next(clone, 1, items, NULL));
    IUnknown_Release(items[0]);
    assert_hr(E_INVALIDARG, IEnumUnknown_Clone(found, NULL));
    IEnumUnknown_Release(clone);
    IEnumUnknown_Release(found);
    modern_abort(downloads[0]);
    modern_abort(downloads[1]);
    IDOManager_Release(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_properties_access_is_that_of_the_table),
        MODERN_TEST(test_properties_are_read_back),
        MODERN_TEST(test_properties_of_another_type_are_refused),
        MODERN_TEST(test_properties_by_reference_are_followed),
        MODERN_TEST(test_properties_that_make_no_sense_are_refused),
        MODERN_TEST(test_properties_are_settable_in_their_states),
        MODERN_TEST(test_properties_uri_of_a_paused_download_changes),
        MODERN_TEST(test_properties_id_is_a_guid),
        MODERN_TEST(test_properties_of_the_answer_are_known_afterwards),
        MODERN_TEST(test_properties_custom_headers_are_sent),
        MODERN_TEST(test_properties_callback_is_held_and_given_back),
        MODERN_TEST(test_properties_stream_is_held_and_given_back),
        MODERN_TEST(test_properties_garbage_is_no_certificate),
        MODERN_TEST(test_properties_serialized_certificate_is_accepted),
        MODERN_TEST(test_enumeration_selects_by_property),
        MODERN_TEST(test_enumeration_leaves_out_what_has_ended),
        MODERN_TEST(test_enumeration_keeps_jobs_and_downloads_apart),
        MODERN_TEST(test_enumeration_is_a_snapshot),
    };

    return COM_TEST_RUN(tests);
}
