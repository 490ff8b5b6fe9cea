/* SPDX-License-Identifier: MIT */
/*
 * HRESULTs: the one error type of every floor, the codes the engine uses, conversions from foreign
 * errors, and a name and a text for every code that a user can see. Pure, any thread.
 *
 * On Windows the constants come from <winerror.h>, which defines nothing but constants; elsewhere
 * the same values are defined here.
 */
#ifndef DO_BASE_HR_H
#define DO_BASE_HR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
typedef long HRESULT;
#include <winerror.h>
#else
typedef int32_t HRESULT;
#define SUCCEEDED(hr) ((HRESULT)(hr) >= 0)
#define FAILED(hr) ((HRESULT)(hr) < 0)
#define S_OK ((HRESULT)0)
#define S_FALSE ((HRESULT)1)
#define E_NOTIMPL ((HRESULT)0x80004001)
#define E_NOINTERFACE ((HRESULT)0x80004002)
#define E_POINTER ((HRESULT)0x80004003)
#define E_ABORT ((HRESULT)0x80004004)
#define E_FAIL ((HRESULT)0x80004005)
#define E_UNEXPECTED ((HRESULT)0x8000FFFF)
#define E_ACCESSDENIED ((HRESULT)0x80070005)
#define E_OUTOFMEMORY ((HRESULT)0x8007000E)
#define E_INVALIDARG ((HRESULT)0x80070057)
#endif

#include "DeliveryOptimizationErrors.h"

/* Win32 errors as HRESULTs, by the names the documentation uses for them. */
#define DO_HR_FILE_NOT_FOUND ((HRESULT)0x80070002)
#define DO_HR_PATH_NOT_FOUND ((HRESULT)0x80070003)
#define DO_HR_SHARING_VIOLATION ((HRESULT)0x80070020)
#define DO_HR_LOCK_VIOLATION ((HRESULT)0x80070021)
#define DO_HR_FILE_EXISTS ((HRESULT)0x80070050)
#define DO_HR_DISK_FULL ((HRESULT)0x80070070)
#define DO_HR_INVALID_NAME ((HRESULT)0x8007007B)
#define DO_HR_ALREADY_EXISTS ((HRESULT)0x800700B7)
#define DO_HR_IO_DEVICE ((HRESULT)0x8007045D)
#define DO_HR_NOT_SET ((HRESULT)0x80070490) /* E_NOT_SET */
#define DO_HR_CANCELLED ((HRESULT)0x800704C7)
#define DO_HR_FILE_CORRUPT ((HRESULT)0x80070570)

/* Success codes of IBackgroundCopyJob::Complete and Cancel. */
#define DO_HR_S_PARTIAL_COMPLETE ((HRESULT)0x00200017)
#define DO_HR_S_UNABLE_TO_DELETE_FILES ((HRESULT)0x0020001A)

/* A BITS code that Delivery Optimization has no own name for: SetMaximumDownloadTime ran out. */
#define DO_HR_MAXDOWNLOAD_TIMEOUT ((HRESULT)0x80200054)
#define DO_HR_TOO_MANY_JOBS_PER_USER ((HRESULT)0x80200049)
#define DO_HR_TOO_MANY_JOBS_PER_MACHINE ((HRESULT)0x80200050)
#define DO_HR_TOO_MANY_FILES_IN_JOB ((HRESULT)0x80200051)
#define DO_HR_TOO_MANY_RANGES_IN_FILE ((HRESULT)0x80200052)

/* Another: a temporary file that somebody else has changed. */
#define DO_HR_LOCAL_FILE_CHANGED ((HRESULT)0x8020001D)

/* Bytes that are no serialized certificate (CRYPT_E_FILE_ERROR). */
#define DO_HR_CRYPT_FILE_ERROR ((HRESULT)0x80092003)

/* Transport failures, as WinINet and WinHTTP number them (Source: winineterr.h, winhttp.h). */
#define DO_HR_INET_INVALID_URL ((HRESULT)0x800C0002)
#define DO_HR_NET_TIMEOUT ((HRESULT)0x80072EE2)
#define DO_HR_NET_INVALID_URL ((HRESULT)0x80072EE5)
#define DO_HR_NET_UNRECOGNIZED_SCHEME ((HRESULT)0x80072EE6)
#define DO_HR_NET_NAME_NOT_RESOLVED ((HRESULT)0x80072EE7)
#define DO_HR_NET_CANNOT_CONNECT ((HRESULT)0x80072EFD)
#define DO_HR_NET_CONNECTION_ABORTED ((HRESULT)0x80072EFE)
#define DO_HR_NET_CERT_DATE_INVALID ((HRESULT)0x80072F05)
#define DO_HR_NET_CERT_CN_INVALID ((HRESULT)0x80072F06)
#define DO_HR_NET_CLIENT_CERT_NEEDED ((HRESULT)0x80072F0C)
#define DO_HR_NET_INVALID_CA ((HRESULT)0x80072F0D)
#define DO_HR_NET_CERT_REV_FAILED ((HRESULT)0x80072F19)
#define DO_HR_NET_HEADER_NOT_FOUND ((HRESULT)0x80072F76)
#define DO_HR_NET_INVALID_SERVER_RESPONSE ((HRESULT)0x80072F78)
#define DO_HR_NET_REDIRECT_FAILED ((HRESULT)0x80072F7C)
#define DO_HR_NET_CERT_REVOKED ((HRESULT)0x80072F8A)
#define DO_HR_NET_SECURE_FAILURE ((HRESULT)0x80072F8F)
#define DO_HR_NET_CERT_WRONG_USAGE ((HRESULT)0x80072F93)
#define DO_HR_NET_AUTODETECTION_FAILED ((HRESULT)0x80072F94)

/* HTTP statuses: 0x80190000 + status; two of them have no status of their own. */
#define DO_HR_HTTP_UNEXPECTED ((HRESULT)0x80190001)
#define DO_HR_HTTP_UNEXPECTED_REDIRECTION ((HRESULT)0x80190003)

/**
 * The HRESULT of a Win32 error number. Zero is E_FAIL, never S_OK: it is asked only after a
 * failure.
 */
HRESULT do_hr_from_win32(uint32_t error);

/** The HRESULT of an errno value; 0 is E_FAIL. */
HRESULT do_hr_from_errno(int error);

/**
 * The HRESULT of a final HTTP status that is not one of the two that carry our bytes.
 * 204 and other odd 2xx give DO_E_UNEXPECTED_HTTP_STATUS_2XX (spec: HTTP status to HRESULT).
 */
HRESULT do_hr_from_http_status(unsigned int status);

/** The HTTP status inside a code of do_hr_from_http_status, or 0. */
unsigned int do_hr_http_status(HRESULT hr);

/**
 * Whether asking again later may succeed: network trouble, 408, 429, 500, 502, 503, 504, 511, and
 * a file that another program has open.
 */
bool do_hr_is_transient(HRESULT hr);

/** The name of a code ("DO_E_JOB_NOT_FOUND"), or NULL when it has none. Borrowed, static. */
const char *do_hr_name(HRESULT hr);

/** One English sentence for a code, or NULL when there is none. Borrowed, static. */
const char *do_hr_text(HRESULT hr);

#endif
