/* SPDX-License-Identifier: MIT */
/*
 * JSON from strangers: what is refused, how members are found, numbers, and base64.
 */
#include "transfer/json.h"

#include <string.h>

#include "base/alloc.h"
#include "support/test.h"

/* Parses a copy that ends where it ends, so that reading on is seen. */
static HRESULT parse(const char *text, size_t length, struct cJSON **object)
{
    char *copy = do_memdup(text, length ? length : 1);
    HRESULT hr;

    assert_non_null(copy);
    hr = do_json_parse(copy, length, object);
    do_free(copy);
    return hr;
}

static void assert_refused(const char *text, size_t length)
{
    struct cJSON *object = (struct cJSON *)(uintptr_t)16;

    assert_hr(E_INVALIDARG, parse(text, length, &object));
    assert_null(object);
}

/* Broken: garbage is understood somehow. */
static void test_json_parse_other_than_object_is_refused(void **state)
{
    static const char *const texts[] = {"", " ", "{", "}", "[]", "1", "\"a\"", "null", "{}x",
        "{}{}", "{} ,", "x{}", "{a:1}", "{'a':1}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}",
        "{\"a\":1 \"b\":2}", "{\"a\":\"b}", "{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}",
        "{\"a\\u0000\":1}", "{\"a\":\"b\\u0000c\"}", "blah"};
    static const char with_zero[] = "{\"a\":\"b\0c\"}";

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
        assert_refused(texts[i], strlen(texts[i]));
    assert_refused(with_zero, sizeof(with_zero) - 1);
    /* The terminator is no part of a text. */
    assert_refused("{}", 3);
}

/* Broken: a good text is refused for its blanks or its length. */
static void test_json_parse_object_is_accepted(void **state)
{
    static const char *const texts[] = {
        "{}", " \t\r\n{} \t\r\n", "{\"a\":{\"b\":[1,2,{}]}}", "\xEF\xBB\xBF{}"};
    struct cJSON *object;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(texts); i++)
    {
        assert_ok(parse(texts[i], strlen(texts[i]), &object));
        assert_non_null(object);
        do_json_destroy(object);
    }
    assert_ok(parse("{}garbage", 2, &object));
    do_json_destroy(object);
}

/* Broken: a small text takes much memory, or the whole stack. */
static void test_json_parse_many_values_are_refused(void **state)
{
    static const char tail[] = "0]}";
    const size_t size = 1U << 20;
    char *text = do_alloc(size);

    (void)state;
    assert_non_null(text);
    memcpy(text, "{\"a\":[", 6);
    for (size_t i = 6; i < size - 4; i += 2)
        memcpy(text + i, "0,", 2);
    memcpy(text + size - 4, tail, sizeof(tail));
    assert_refused(text, size - 1);
    memset(text + 6, '[', size - 6);
    assert_refused(text, size);
    assert_refused(text, 6 + 1010);
    do_free(text);
}

/* Broken: two readers of one text see different values. */
static void test_json_member_is_found_without_case(void **state)
{
    static const char text[] =
        "{\"Alpha\":\"x\",\"beta\":null,\"GAMMA\":5,\"gamma\":5,\"delta\":\"\",\"alphas\":1}";
    const struct cJSON *member;
    const char *value;
    struct cJSON *object;

    (void)state;
    assert_ok(parse(text, sizeof(text) - 1, &object));
    assert_ok(do_json_text(object, "aLPHA", &value));
    assert_string_equal(value, "x");
    assert_ok(do_json_text(object, "Delta", &value));
    assert_string_equal(value, "");
    value = "?";
    assert_ok(do_json_text(object, "Beta", &value));
    assert_null(value);
    value = "?";
    assert_ok(do_json_text(object, "Epsilon", &value));
    assert_null(value);
    value = "?";
    assert_hr(E_INVALIDARG, do_json_text(object, "Alphas", &value));
    assert_null(value);
    assert_hr(E_INVALIDARG, do_json_member(object, "Gamma", &member));
    assert_null(member);
    do_json_destroy(object);
}

static HRESULT number_of(const char *value, uint64_t *number)
{
    const struct cJSON *member;
    struct cJSON *object;
    char text[128] = "{\"n\":";
    HRESULT hr;

    strncat(text, value, 100);
    strncat(text, "}", 2);
    assert_ok(parse(text, strlen(text), &object));
    assert_ok(do_json_member(object, "n", &member));
    *number = 7;
    hr = do_json_number(member, number);
    do_json_destroy(object);
    return hr;
}

/* Broken: a size is cut, rounded or negative. */
static void test_json_number_is_whole(void **state)
{
    static const struct
    {
        const char *text;
        uint64_t number;
    } good[] = {{"0", 0}, {"1", 1}, {"1048576", 1048576}, {"1.0", 1}, {"4294967296", 4294967296},
        {"9007199254740992", 9007199254740992}, {"\"0\"", 0}, {"\"007\"", 7},
        {"\"18446744073709551615\"", UINT64_MAX}};
    static const char *const bad[] = {"-1", "0.5", "1e300", "9007199254740994", "\"\"", "\" 1\"",
        "\"1 \"", "\"-1\"", "\"+1\"", "\"0x10\"", "\"1.0\"", "\"18446744073709551616\"",
        "\"99999999999999999999\"", "true", "[]", "[1]", "{}", "null"};
    uint64_t number;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(good); i++)
    {
        assert_ok(number_of(good[i].text, &number));
        assert_true(number == good[i].number);
    }
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
        assert_hr(E_INVALIDARG, number_of(bad[i], &number));
    number = 7;
    assert_hr(E_INVALIDARG, do_json_number(NULL, &number));
    assert_int_equal(number, 0);
}

/* Broken: hashes and keys are read wrong (RFC 4648, section 10), or two texts mean one key. */
static void test_json_base64_is_strict(void **state)
{
    static const struct
    {
        const char *text;
        const char *bytes;
    } good[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xFB\xFF\xBF"}};
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zm9vY",
        "Zh==", "Zm9=", "Z===", "====", "=", "Zg==Zg==", "Z=g=", "Zm9v\n", " Zm9v", "Zm-_",
        "Zm9\x80", "Zm9vYmFyZm9v"};
    uint8_t bytes[8];
    size_t length;

    (void)state;
    for (size_t i = 0; i < DO_COUNT_OF(good); i++)
    {
        length = 99;
        assert_ok(do_base64_decode(good[i].text, bytes, 6, &length));
        assert_int_equal(length, strlen(good[i].bytes));
        assert_memory_equal(bytes, good[i].bytes, length);
    }
    memset(bytes, 0xEE, sizeof(bytes));
    for (size_t i = 0; i < DO_COUNT_OF(bad); i++)
    {
        length = 99;
        assert_hr(E_INVALIDARG, do_base64_decode(bad[i], bytes, 6, &length));
        assert_int_equal(length, 0);
        assert_int_equal(bytes[6], 0xEE);
    }
}

int main(void)
{
    static const struct CMUnitTest json[] = {
        cmocka_unit_test(test_json_parse_other_than_object_is_refused),
        cmocka_unit_test(test_json_parse_object_is_accepted),
        cmocka_unit_test(test_json_parse_many_values_are_refused),
        cmocka_unit_test(test_json_member_is_found_without_case),
        cmocka_unit_test(test_json_number_is_whole),
        cmocka_unit_test(test_json_base64_is_strict),
    };

    return TEST_RUN(json);
}
