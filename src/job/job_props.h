/* SPDX-License-Identifier: MIT */
/*
 * The properties of jobs and files: ids under which values are kept in memory and in the database.
 * Ids below DO_PROP_LEGACY are those of DODownloadProperty, and mean what they mean there.
 */
#ifndef DO_JOB_JOB_PROPS_H
#define DO_JOB_JOB_PROPS_H

/* Properties of a job. */
enum do_prop
{
    /* DODownloadProperty_* */
    DO_PROP_ID = 0,
    DO_PROP_URI = 1,        /* text */
    DO_PROP_CONTENT_ID = 2, /* text */
    DO_PROP_DISPLAY_NAME = 3,
    DO_PROP_LOCAL_PATH = 4,   /* text */
    DO_PROP_HTTP_HEADERS = 5, /* text; both façades */
    DO_PROP_COST_POLICY = 6,
    DO_PROP_SECURITY_FLAGS = 7,
    DO_PROP_CALLBACK_PERCENT = 8,
    DO_PROP_CALLBACK_SECONDS = 9,
    DO_PROP_NO_PROGRESS_TIMEOUT = 10,
    DO_PROP_FOREGROUND = 11,
    DO_PROP_BLOCKING = 12,
    DO_PROP_CALLBACK = 13,
    DO_PROP_STREAM = 14,
    DO_PROP_CERTIFICATE = 15, /* bytes */
    DO_PROP_NETWORK_TOKEN = 16,
    DO_PROP_CORRELATION_VECTOR = 17, /* text */
    DO_PROP_DECRYPTION_INFO = 18,    /* text */
    DO_PROP_INTEGRITY_INFO = 19,     /* text */
    DO_PROP_INTEGRITY_MANDATORY = 20,
    DO_PROP_TOTAL_SIZE = 21,
    DO_PROP_NO_CELLULAR = 22,
    DO_PROP_AUTH_HEADERS = 23, /* text; stored only when it can be sealed (secrets.h) */
    DO_PROP_ALLOW_DOWNGRADE = 24,
    DO_PROP_NON_VOLATILE = 25,
    DO_PROP_REDIRECT_TARGET = 26,
    DO_PROP_RESPONSE_HEADERS = 27,
    DO_PROP_SERVER_ADDRESS = 28,
    DO_PROP_STATUS_CODE = 29,

    DO_PROP_LEGACY = 100,
    DO_PROP_OWNER = 100,          /* text: a SID */
    DO_PROP_NOTIFY_PROGRAM,       /* text: kept, never run */
    DO_PROP_NOTIFY_PARAMETERS,    /* text */
    DO_PROP_MAX_DOWNLOAD_TIME,    /* seconds, 0 = no limit */
    DO_PROP_PROXY_USAGE,          /* enum do_proxy_usage */
    DO_PROP_PROXY_LIST,           /* text */
    DO_PROP_PROXY_BYPASS,         /* text */
    DO_PROP_COST_FLAGS,           /* BITS_JOB_TRANSFER_POLICY */
    DO_PROP_NOTIFY_CLSID,         /* bytes: a GUID */
    DO_PROP_HTTP_SECURITY,        /* BG_HTTP security flags */
    DO_PROP_CERTIFICATE_LOCATION, /* BG_CERT_STORE_LOCATION */
    DO_PROP_CERTIFICATE_STORE,    /* text */
    DO_PROP_CERTIFICATE_HASH,     /* bytes: SHA-1 */
    DO_PROP_CERTIFICATE_SUBJECT,  /* text: how the client named it, NULL when by hash */
    DO_PROP_CREDENTIALS           /* bytes: in the database only (secrets.h) */
};

/* Properties of a file; the first are those of DOFilePropertyId. */
enum do_file_prop
{
    DO_FILE_PROP_DECRYPTION_INFO = 0, /* text */
    DO_FILE_PROP_INTEGRITY_INFO = 1,  /* text */
    DO_FILE_PROP_INTEGRITY_MANDATORY = 2,

    DO_FILE_PROP_OWN = 100,
    DO_FILE_PROP_VALIDATION = 100, /* IBackgroundCopyFile3::SetValidationState */
    DO_FILE_PROP_PLAIN_SIZE = 102, /* of a file that was decrypted: what is to be saved */
    DO_FILE_PROP_PORTION = 101,    /* of a download: where its latest portion begins in the file */
    DO_FILE_PROP_PLAIN_PATH = 103  /* the other file while one is decrypted: left by a crash */
};

#endif
