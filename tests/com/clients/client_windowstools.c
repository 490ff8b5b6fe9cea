/* SPDX-License-Identifier: MIT */
/*
 * WindowsTools: GetStoreApp's relative, which asks for the size before there is one.
 * (Spec 05, 5.)
 */
#include "client_store.h"

static const struct store_client client = {.reads_size = true, .uses_callback = true};

/* Broken: nothing comes when Finalize is called inside the callback. */
static void test_client_windowstools_downloads(void **state)
{
    store_check_download(*state, &client);
}

/* Broken: its pause, resume or delete button. */
static void test_client_windowstools_buttons(void **state)
{
    store_check_buttons(*state, &client);
}

/* Broken: a failed download is shown as running. */
static void test_client_windowstools_sees_an_error(void **state)
{
    store_check_failure(*state, &client);
}

/* Broken: downloads are mistaken for each other, or outlive it. */
static void test_client_windowstools_exits(void **state)
{
    store_check_exit(*state, &client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODERN_TEST(test_client_windowstools_downloads),
        MODERN_TEST(test_client_windowstools_buttons),
        MODERN_TEST(test_client_windowstools_sees_an_error),
        MODERN_TEST(test_client_windowstools_exits),
    };

    return CLIENT_RUN(CLIENT_MTA_BESIDE, tests);
}
