/* SPDX-License-Identifier: MIT */
/*
 * What a failure means: whose fault it is, whether the network's, and when to try again. Owns
 * nothing; what it counts is the job's and of the loop thread.
 */
#include "job/job_internal.h"

/* HTTP answers, sizes and ranges are the remote file's fault. (Source: win32 docs, JobError page.)
 */
enum do_error_context do_job_context_of_error(HRESULT hr)
{
    switch (hr)
    {
    case DO_E_INSUFFICIENT_RANGE_SUPPORT:
    case DO_E_INVALID_RANGE:
    case DO_E_HTTP_BLOCKSIZE_MISMATCH:
    case DO_E_FILE_SIZE_UNKNOWN_HTTP_206:
    case DO_E_UNEXPECTED_HTTP_STATUS_2XX:
        return DO_ERROR_CONTEXT_REMOTE_FILE;
    default:
        return do_hr_http_status(hr) ? DO_ERROR_CONTEXT_REMOTE_FILE : DO_ERROR_CONTEXT_NONE;
    }
}

bool do_job_is_network_trouble(HRESULT hr)
{
    switch (hr)
    {
    case DO_E_BLOCKED_BY_NO_NETWORK:
    case DO_HR_NET_NAME_NOT_RESOLVED:
    case DO_HR_NET_CANNOT_CONNECT:
    case DO_HR_NET_CONNECTION_ABORTED:
    case DO_HR_NET_TIMEOUT:
        return true;
    default:
        return false;
    }
}

static uint32_t random_number(void)
{
    uint32_t number = 0;

    (void)do_random_bytes(&number, sizeof(number));
    return number;
}

/* Milliseconds, at most the 49 days that 32 bits hold. */
static uint32_t to_ms(uint32_t seconds)
{
    return seconds < UINT32_MAX / 1000 ? seconds * 1000 : UINT32_MAX;
}

uint32_t do_job_retry_delay_ms_on_loop(struct do_job *job)
{
    uint32_t server_ms = 0;
    uint32_t delay_ms;

    if (job->fast_retries)
    {
        job->fast_retries--;
        delay_ms = job->engine->config.fast_retry_ms;
    }
    else
    {
        delay_ms = do_backoff_next(&job->backoff, random_number());
        if (to_ms(job->record.min_retry_delay_s) > delay_ms)
            delay_ms = to_ms(job->record.min_retry_delay_s);
    }
    if (job->transfer)
        server_ms = to_ms(do_transfer_retry_after_s_on_loop(job->transfer));
    return server_ms > delay_ms ? server_ms : delay_ms;
}
