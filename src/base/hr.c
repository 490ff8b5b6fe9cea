/* SPDX-License-Identifier: MIT */
/*
 * Conversions to HRESULT and the table of names and texts. Pure.
 */
#include "base/hr.h"

#include <errno.h>
#include <stdbool.h>

#include "base/compiler.h"

struct error_row
{
    HRESULT hr;
    const char *name;
    const char *text;
};

static const struct error_row error_rows[] = {
#define ROW(code, sentence) {code, #code, sentence},
    DO_ERROR_LIST(ROW)
#undef ROW
        {S_OK, "S_OK", "The operation succeeded."},
    {S_FALSE, "S_FALSE", "The operation succeeded, with nothing or less than asked to show."},
    {DO_HR_S_PARTIAL_COMPLETE, "BG_S_PARTIAL_COMPLETE",
        "Only the files that were transferred completely were saved."},
    {DO_HR_S_UNABLE_TO_DELETE_FILES, "BG_S_UNABLE_TO_DELETE_FILES",
        "The job has ended, but a temporary file is in use and could not be deleted."},
    {DO_HR_MAXDOWNLOAD_TIMEOUT, "BG_E_MAXDOWNLOAD_TIMEOUT",
        "The download took longer than the time allowed for it."},
    {(HRESULT)0x80200001, "BG_E_NOT_FOUND", "There is no such job."},
    {(HRESULT)0x80200002, "BG_E_INVALID_STATE",
        "The call is not allowed in the state that the job is in."},
    {(HRESULT)0x80200003, "BG_E_EMPTY", "The job has no files."},
    {(HRESULT)0x80200004, "BG_E_FILE_NOT_AVAILABLE", "The error is not tied to a file."},
    {(HRESULT)0x80200005, "BG_E_PROTOCOL_NOT_AVAILABLE", "The error is not tied to a protocol."},
    {(HRESULT)0x8020000D, "BG_E_DESTINATION_LOCKED",
        "The target file is in use by another program; close it and try again."},
    {(HRESULT)0x8020000E, "BG_E_VOLUME_CHANGED",
        "The volume of the target has been exchanged for another."},
    {(HRESULT)0x8020000F, "BG_E_ERROR_INFORMATION_UNAVAILABLE", "The job is not in error."},
    {(HRESULT)0x80200010, "BG_E_NETWORK_DISCONNECTED", "There is no network connection."},
    {(HRESULT)0x80200011, "BG_E_MISSING_FILE_SIZE",
        "The server does not tell the size of the file."},
    {(HRESULT)0x80200012, "BG_E_INSUFFICIENT_HTTP_SUPPORT",
        "The server does not support what is needed of HTTP."},
    {(HRESULT)0x80200013, "BG_E_INSUFFICIENT_RANGE_SUPPORT",
        "The server does not support requests for a part of a file."},
    {(HRESULT)0x80200014, "BG_E_REMOTE_NOT_SUPPORTED",
        "The URL is of a kind that is not supported."},
    {(HRESULT)0x8020001B, "BG_E_INVALID_SERVER_RESPONSE", "The server's answer is not valid."},
    {(HRESULT)0x8020001C, "BG_E_TOO_MANY_FILES",
        "The job has more files than a job of its type may have."},
    {DO_HR_LOCAL_FILE_CHANGED, "BG_E_LOCAL_FILE_CHANGED",
        "The local file was changed during the transfer."},
    {(HRESULT)0x80200020, "BG_E_TOO_LARGE", "The data is larger than what is allowed."},
    {(HRESULT)0x80200021, "BG_E_STRING_TOO_LONG", "The text is longer than what is allowed."},
    {(HRESULT)0x80200024, "BG_E_NO_PROGRESS", "No bytes came within the time allowed for that."},
    {(HRESULT)0x80200029, "BG_E_FILE_NOT_FOUND", "The file does not exist on the server."},
    {(HRESULT)0x8020002B, "BG_E_INVALID_RANGE", "A range is empty or lies outside the file."},
    {(HRESULT)0x8020002C, "BG_E_OVERLAPPING_RANGES", "Two ranges overlap."},
    {(HRESULT)0x8020002D, "BG_E_CONNECT_FAILURE", "No connection to the server could be made."},
    {(HRESULT)0x8020002E, "BG_E_CONNECTION_CLOSED", "The server closed the connection too early."},
    {(HRESULT)0x8020003E, "BG_E_BLOCKED_BY_POLICY", "A policy forbids the transfer."},
    {(HRESULT)0x8020003F, "BG_E_INVALID_PROXY_INFO", "The proxy settings are not valid."},
    {DO_HR_TOO_MANY_JOBS_PER_USER, "BG_E_TOO_MANY_JOBS_PER_USER",
        "The user has as many jobs as are allowed."},
    {DO_HR_TOO_MANY_JOBS_PER_MACHINE, "BG_E_TOO_MANY_JOBS_PER_MACHINE",
        "The computer has as many jobs as are allowed."},
    {DO_HR_TOO_MANY_FILES_IN_JOB, "BG_E_TOO_MANY_FILES_IN_JOB",
        "The job has as many files as are allowed."},
    {DO_HR_TOO_MANY_RANGES_IN_FILE, "BG_E_TOO_MANY_RANGES_IN_FILE",
        "The file has more ranges than are allowed."},
    {(HRESULT)0x80200053, "BG_E_VALIDATION_FAILED",
        "The received bytes are not those that were expected."},
    {(HRESULT)0x80200057, "BG_E_UNKNOWN_PROPERTY_ID", "There is no property with this number."},
    {(HRESULT)0x80200058, "BG_E_READ_ONLY_PROPERTY", "The property cannot be set."},
    {(HRESULT)0x80200059, "BG_E_BLOCKED_BY_COST_TRANSFER_POLICY",
        "The cost policy of the job forbids the transfer on this network."},
    {(HRESULT)0x80200067, "BG_E_BLOCKED_BY_BATTERY_POLICY",
        "The transfer waits because the computer runs on its battery."},
    {(HRESULT)0x80200068, "BG_E_BLOCKED_BY_BATTERY_SAVER",
        "The transfer waits because the battery saver is on."},
    {(HRESULT)0x80200073, "BG_E_REMOTE_FILE_CHANGED",
        "The file on the server was changed during the transfer."},
    {DO_HR_CRYPT_FILE_ERROR, "CRYPT_E_FILE_ERROR", "The bytes are no serialized certificate."},
    {E_NOTIMPL, "E_NOTIMPL", "This function is not offered."},
    {E_NOINTERFACE, "E_NOINTERFACE", "The object does not offer this interface."},
    {E_POINTER, "E_POINTER", "A required pointer is NULL."},
    {E_ABORT, "E_ABORT", "The operation was aborted."},
    {E_FAIL, "E_FAIL", "The operation failed without a reason."},
    {E_UNEXPECTED, "E_UNEXPECTED", "An internal assumption did not hold."},
    {E_ACCESSDENIED, "E_ACCESSDENIED", "Access to the file or directory is denied."},
    {E_OUTOFMEMORY, "E_OUTOFMEMORY", "There is not enough memory."},
    {E_INVALIDARG, "E_INVALIDARG", "An argument is not valid."},
    {(HRESULT)0x80010123, "CO_E_FAILEDTOIMPERSONATE",
        "The client's identity cannot be used; it must allow impersonation."},
    {(HRESULT)0x80020005, "DISP_E_TYPEMISMATCH", "The value has a type that is not expected."},
    {(HRESULT)0x80040154, "REGDB_E_CLASSNOTREG", "The class is not registered."},
    {DO_HR_FILE_NOT_FOUND, "ERROR_FILE_NOT_FOUND",
        "The file does not exist; a temporary file may have been deleted."},
    {DO_HR_PATH_NOT_FOUND, "ERROR_PATH_NOT_FOUND", "The directory of the target does not exist."},
    {DO_HR_SHARING_VIOLATION, "ERROR_SHARING_VIOLATION",
        "Another program has the file open; close it and try again."},
    {DO_HR_FILE_EXISTS, "ERROR_FILE_EXISTS", "A file with this name exists already."},
    {DO_HR_ALREADY_EXISTS, "ERROR_ALREADY_EXISTS", "A file with this name exists already."},
    {DO_HR_DISK_FULL, "ERROR_DISK_FULL", "The disk is full; free some space and resume."},
    {(HRESULT)0x80070027, "ERROR_HANDLE_DISK_FULL",
        "The disk is full; free some space and resume."},
    {(HRESULT)0x8007050F, "ERROR_DISK_QUOTA_EXCEEDED",
        "The user's share of the disk is used up; free some space and resume."},
    {(HRESULT)0x80070013, "ERROR_WRITE_PROTECT", "The volume is write-protected."},
    {(HRESULT)0x80070015, "ERROR_NOT_READY", "The volume is not there; bring it back and resume."},
    {(HRESULT)0x80070037, "ERROR_DEV_NOT_EXIST",
        "The volume is not there; bring it back and resume."},
    {(HRESULT)0x800701B1, "ERROR_NO_SUCH_DEVICE",
        "The volume is not there; bring it back and resume."},
    {DO_HR_INVALID_NAME, "ERROR_INVALID_NAME",
        "The file name has characters that no file name may have."},
    {DO_HR_LOCK_VIOLATION, "ERROR_LOCK_VIOLATION",
        "Another process has the file or the job and does not give it up; try again."},
    {(HRESULT)0x80070422, "ERROR_SERVICE_DISABLED", "The service is disabled."},
    {DO_HR_NOT_SET, "E_NOT_SET", "The property has not been set."},
    {DO_HR_IO_DEVICE, "ERROR_IO_DEVICE", "The disk could not be read or written; check the disk."},
    {DO_HR_FILE_CORRUPT, "ERROR_FILE_CORRUPT",
        "The file is damaged, or it belongs to another program or a newer version."},
    {DO_HR_CANCELLED, "ERROR_CANCELLED", "The operation was cancelled."},
    {DO_HR_INET_INVALID_URL, "INET_E_INVALID_URL",
        "The URL is malformed or its scheme is neither http nor https."},
    {DO_HR_NET_TIMEOUT, "WININET_E_TIMEOUT", "The server did not answer in time."},
    {DO_HR_NET_INVALID_URL, "WININET_E_INVALID_URL", "The URL is malformed."},
    {DO_HR_NET_UNRECOGNIZED_SCHEME, "WININET_E_UNRECOGNIZED_SCHEME",
        "The URL's scheme is neither http nor https."},
    {DO_HR_NET_NAME_NOT_RESOLVED, "WININET_E_NAME_NOT_RESOLVED",
        "The server's name could not be resolved; check the name and the DNS settings."},
    {DO_HR_NET_CANNOT_CONNECT, "WININET_E_CANNOT_CONNECT",
        "No connection to the server could be made; it may be down or a firewall may block it."},
    {DO_HR_NET_CONNECTION_ABORTED, "WININET_E_CONNECTION_ABORTED",
        "The connection to the server was lost before the answer was complete."},
    {DO_HR_NET_CERT_DATE_INVALID, "WININET_E_SEC_CERT_DATE_INVALID",
        "The server's certificate has expired or is not valid yet; check the clock too."},
    {DO_HR_NET_CERT_CN_INVALID, "WININET_E_SEC_CERT_CN_INVALID",
        "The server's certificate was issued for another host name."},
    {DO_HR_NET_CLIENT_CERT_NEEDED, "WININET_E_CLIENT_AUTH_CERT_NEEDED",
        "The server asks for a client certificate."},
    {DO_HR_NET_INVALID_CA, "WININET_E_INVALID_CA",
        "The server's certificate was issued by an authority that is not trusted."},
    {DO_HR_NET_CERT_REV_FAILED, "WININET_E_SEC_CERT_REV_FAILED",
        "Whether the server's certificate was revoked could not be checked."},
    {DO_HR_NET_HEADER_NOT_FOUND, "WININET_E_HEADER_NOT_FOUND",
        "The server's answer lacks a header that is needed."},
    {DO_HR_NET_INVALID_SERVER_RESPONSE, "WININET_E_INVALID_SERVER_RESPONSE",
        "The server's answer is not valid HTTP."},
    {DO_HR_NET_REDIRECT_FAILED, "WININET_E_REDIRECT_FAILED",
        "A redirection was refused: too many hops, another scheme, or from https to http."},
    {DO_HR_NET_CERT_REVOKED, "WININET_E_SEC_CERT_REVOKED", "The server's certificate was revoked."},
    {DO_HR_NET_SECURE_FAILURE, "WININET_E_DECODING_FAILED",
        "No secure channel to the server could be set up."},
    {DO_HR_NET_CERT_WRONG_USAGE, "WININET_E_SEC_CERT_WRONG_USAGE",
        "The server's certificate is not meant for a server."},
    {DO_HR_NET_AUTODETECTION_FAILED, "ERROR_WINHTTP_AUTODETECTION_FAILED",
        "The proxy settings could not be detected."},
    {DO_HR_HTTP_UNEXPECTED, "HTTP_E_STATUS_UNEXPECTED",
        "The server answered with an unexpected status."},
    {DO_HR_HTTP_UNEXPECTED_REDIRECTION, "HTTP_E_STATUS_UNEXPECTED_REDIRECTION",
        "The server answered with a redirection that cannot be followed."},
    {(HRESULT)0x80190190, "HTTP_E_STATUS_BAD_REQUEST", "The server calls the request malformed."},
    {(HRESULT)0x80190191, "HTTP_E_STATUS_DENIED", "The server asks for a log-in."},
    {(HRESULT)0x80190193, "HTTP_E_STATUS_FORBIDDEN", "The server forbids access to the file."},
    {(HRESULT)0x80190194, "HTTP_E_STATUS_NOT_FOUND", "The file does not exist on the server."},
    {(HRESULT)0x80190195, "HTTP_E_STATUS_BAD_METHOD", "The server does not allow the method."},
    {(HRESULT)0x80190196, "HTTP_E_STATUS_NONE_ACCEPTABLE",
        "The server has no acceptable form of the file."},
    {(HRESULT)0x80190197, "HTTP_E_STATUS_PROXY_AUTH_REQ", "The proxy asks for a log-in."},
    {(HRESULT)0x80190198, "HTTP_E_STATUS_REQUEST_TIMEOUT", "The server gave up waiting."},
    {(HRESULT)0x80190199, "HTTP_E_STATUS_CONFLICT", "The server reports a conflict."},
    {(HRESULT)0x8019019A, "HTTP_E_STATUS_GONE", "The file is no longer on the server."},
    {(HRESULT)0x8019019C, "HTTP_E_STATUS_PRECOND_FAILED", "The file on the server has changed."},
    {(HRESULT)0x801901A0, "HTTP_E_STATUS_RANGE_NOT_SATISFIABLE",
        "The range asked for lies outside the file on the server."},
    {(HRESULT)0x801901AD, "HTTP_E_STATUS_TOO_MANY_REQUESTS", "The server asks for fewer requests."},
    {(HRESULT)0x801901F4, "HTTP_E_STATUS_SERVER_ERROR", "The server failed internally."},
    {(HRESULT)0x801901F5, "HTTP_E_STATUS_NOT_SUPPORTED", "The server does not know the method."},
    {(HRESULT)0x801901F6, "HTTP_E_STATUS_BAD_GATEWAY", "A gateway got no good answer."},
    {(HRESULT)0x801901F7, "HTTP_E_STATUS_SERVICE_UNAVAIL", "The server is overloaded or closed."},
    {(HRESULT)0x801901F8, "HTTP_E_STATUS_GATEWAY_TIMEOUT", "A gateway waited in vain."},
    {(HRESULT)0x801901F9, "HTTP_E_STATUS_VERSION_NOT_SUP",
        "The server does not know this version of HTTP."},
};

static const struct error_row *find_row(HRESULT hr)
{
    for (size_t i = 0; i < DO_COUNT_OF(error_rows); i++)
    {
        if (error_rows[i].hr == hr)
            return &error_rows[i];
    }
    return NULL;
}

HRESULT do_hr_from_win32(uint32_t error)
{
    if (!error)
        return E_FAIL;
    /* An HRESULT already. Other large numbers would be successes and are cut as Windows does. */
    if (error & 0x80000000U)
        return (HRESULT)error;
    return (HRESULT)(0x80070000U | (error & 0xFFFFU));
}

HRESULT do_hr_from_errno(int error)
{
    switch (error)
    {
    case ENOENT:
        return DO_HR_FILE_NOT_FOUND;
    case ENOTDIR:
        return DO_HR_PATH_NOT_FOUND;
    case EEXIST:
        return DO_HR_FILE_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
    case EISDIR:
        return E_ACCESSDENIED;
    case ENOSPC:
#ifdef EDQUOT
    case EDQUOT:
#endif
        return DO_HR_DISK_FULL;
    case EIO:
        return DO_HR_IO_DEVICE;
    case ENOMEM:
        return E_OUTOFMEMORY;
    case EINVAL:
    case ENAMETOOLONG:
        return DO_HR_INVALID_NAME;
    default:
        return E_FAIL;
    }
}

HRESULT do_hr_from_http_status(unsigned int status)
{
    if (status >= 200 && status < 300)
        return DO_E_UNEXPECTED_HTTP_STATUS_2XX;
    if (status == 300 || (status >= 301 && status <= 303) || status == 307 || status == 308)
        return DO_HR_HTTP_UNEXPECTED_REDIRECTION;
    if (status < 300 || status > 599)
        return DO_HR_HTTP_UNEXPECTED;
    return (HRESULT)(0x80190000U + status);
}

unsigned int do_hr_http_status(HRESULT hr)
{
    uint32_t code = (uint32_t)hr;

    return code > 0x80190000U + 99 && code < 0x80190000U + 600 ? code - 0x80190000U : 0;
}

bool do_hr_is_transient(HRESULT hr)
{
    switch (hr)
    {
    case DO_HR_NET_TIMEOUT:
    case DO_HR_NET_NAME_NOT_RESOLVED:
    case DO_HR_NET_CANNOT_CONNECT:
    case DO_HR_NET_CONNECTION_ABORTED:
    case DO_HR_NET_INVALID_SERVER_RESPONSE:
    case DO_HR_NET_SECURE_FAILURE:
    case DO_HR_SHARING_VIOLATION:
    case DO_HR_LOCK_VIOLATION:
    case DO_E_UNEXPECTED_HTTP_STATUS_2XX:
    case DO_E_HTTP_BLOCKSIZE_MISMATCH:
    case (HRESULT)0x80190198:
    case (HRESULT)0x801901AD:
    case (HRESULT)0x801901F4:
    case (HRESULT)0x801901F6:
    case (HRESULT)0x801901F7:
    case (HRESULT)0x801901F8:
    case (HRESULT)0x801901FF:
        return true;
    default:
        return false;
    }
}

const char *do_hr_name(HRESULT hr)
{
    const struct error_row *row = find_row(hr);

    return row ? row->name : NULL;
}

const char *do_hr_text(HRESULT hr)
{
    const struct error_row *row = find_row(hr);

    return row ? row->text : NULL;
}
