/* SPDX-License-Identifier: MIT */
/*
 * GetStoreApp, as it is and as it was. (Spec 05, 5.)
 */
#include "client_store.h"

static const struct store_client client = {.sets_blanket_twice = true, .uses_callback = true};
static const struct store_client old = {.reads_size = true};

/* Broken: nothing comes when Finalize is called inside the callback. */
static void test_client_getstoreapp_downloads(void **state)
{
    store_check_download(*state, &client);
}

/* Broken: its pause, resume or delete button. */
static void test_client_getstoreapp_buttons(void **state)
{
    store_check_buttons(*state, &client);
}

/* Broken: a failed download is shown as running. */
static void test_client_getstoreapp_sees_an_error(void **state)
{
    store_check_failure(*state, &client);
}

/* Broken: downloads are mistaken for each other, or outlive it. */
static void test_client_getstoreapp_exits(void **state)
{
    store_check_exit(*state, &client);
}

/* Broken: the older version, which polls and asks for a size that nobody knows. */
static void test_client_getstoreapp_old_version_downloads(void **state)
{
    store_check_download(*state, &old);
    store_check_buttons(*state, &old);
}

/* The older version's, once for the whole process. */
static bool initialize_security(void)
{
    HRESULT hr = CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);

    if (FAILED(hr))
        return false;
    hr = CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_DEFAULT,
        RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_STATIC_CLOAKING, NULL);
    /* The apartment stays for client_run, which enters it again. */
    return SUCCEEDED(hr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_client_getstoreapp_downloads),
        MODERN_TEST(test_client_getstoreapp_buttons),
        MODERN_TEST(test_client_getstoreapp_sees_an_error),
        MODERN_TEST(test_client_getstoreapp_exits),
        MODERN_TEST(test_client_getstoreapp_old_version_downloads),
    };

    if (!initialize_security())
        return 1;
    return CLIENT_RUN(CLIENT_MTA_BESIDE, tests);
}
