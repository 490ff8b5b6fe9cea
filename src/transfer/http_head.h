/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP response: a pure parser of the lines that libcurl hands over one by one, and
 * the decision whether the body that follows is the one that was asked for. RFC 9110 and 9112.
 * HTTP's inclusive ranges become half-open here and nowhere else.
 */
#ifndef DO_TRANSFER_HTTP_HEAD_H
#define DO_TRANSFER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hr.h"
#include "base/range_set.h"
#include "base/str.h"

/* Most bytes of one response head that are accepted. */
#define DO_HTTP_HEAD_LIMIT (256U * 1024)

/* Most bytes of all heads, informational ones and trailers included, until the next init. libcurl
 * has a limit of its own, 300 KiB, and takes it for a lost connection. */
#define DO_HTTP_HEADS_LIMIT (DO_HTTP_HEAD_LIMIT + 32U * 1024)

struct do_http_head
{
    struct do_buf text;  /* the header block as received, lines separated by CRLF */
    unsigned int status; /* 0 before a status line */
    bool is_complete;    /* its empty line was there; trailers may follow, which are not read */
    uint64_t received;   /* bytes of this head and of those before it */
    bool has_content_length;
    uint64_t content_length;
    bool saw_content_range;
    bool has_content_range;        /* one, and it is well formed */
    struct do_range content_range; /* half-open */
    uint64_t range_total;          /* DO_SIZE_UNKNOWN for "*" */
    bool is_coded;                 /* Content-Encoding: not the bytes of the object */
    bool is_page;                  /* text/html */
    bool is_multipart;             /* multipart/byteranges: several ranges that nobody asked for */
    char etag[256];         /* as received, W/ and quotes included; "" when absent or longer */
    char last_modified[64]; /* as received */
    bool has_retry_after;
    uint32_t retry_after_s;
    uint64_t date;     /* Date, as a FILETIME; 0 = none */
    uint64_t retry_at; /* Retry-After when it is a date, which counts from the server's own Date */
};

/** What earlier answers said of the object, to be compared with a new one. "" = not known. */
struct do_validators
{
    char etag[256];
    char last_modified[64];
    uint64_t size; /* DO_SIZE_UNKNOWN */
};

enum do_head_verdict
{
    DO_HEAD_ACCEPT,  /* the body is what was asked for */
    DO_HEAD_CHANGED, /* the object is another one now: forget what is there and begin anew */
    DO_HEAD_REFUSE   /* the answer is an error: see the HRESULT */
};

/** What was asked for. */
struct do_head_question
{
    struct do_range asked; /* of the object; end DO_SIZE_UNKNOWN = up to the end */
    bool sent_range;       /* a Range header was sent */
    bool has_data;         /* bytes of the object are local already: an answer must match known */
    struct do_validators known;
    uint64_t expected_size; /* the client's word for the object's size; DO_SIZE_UNKNOWN */
};

/** What an accepted answer brings. */
struct do_head_answer
{
    uint64_t length;      /* bytes of body; DO_SIZE_UNKNOWN when only its end will tell */
    uint64_t object_size; /* DO_SIZE_UNKNOWN */
};

void do_http_head_init(struct do_http_head *head);
void do_http_head_finish(struct do_http_head *head);

/**
 * Takes one line, with or without its line end. A status line begins a new head (after a redirect,
 * an authentication or an informational answer). DO_HR_NET_INVALID_SERVER_RESPONSE when the head
 * or all of them grow past their limits, or a Content-Length contradicts itself.
 */
HRESULT do_http_head_add_line(struct do_http_head *head, const char *line, size_t length);

/**
 * Judges a final head. *hr is set with DO_HEAD_REFUSE; *answer with DO_HEAD_ACCEPT.
 * Only 200 and 206 are ever accepted; a head that was cut off is a lost connection.
 */
enum do_head_verdict do_http_head_judge(const struct do_http_head *head,
    const struct do_head_question *question, struct do_head_answer *answer, HRESULT *hr);

/** Whether head names another object than the one that is known, by what both say of it. */
bool do_http_head_is_other_object(
    const struct do_http_head *head, const struct do_validators *known);

/** An HTTP date (IMF-fixdate) as a FILETIME; 0 for NULL and for anything else. */
uint64_t do_http_date_to_filetime(const char *text);

/**
 * The value for If-Range, a strong entity tag or else a date; "" when there is no usable validator.
 * Borrowed from validators.
 */
const char *do_validators_if_range(const struct do_validators *validators);

#endif
