/* SPDX-License-Identifier: MIT */
/*
 * Parser and judge of HTTP response heads. Pure: everything that it knows comes in as arguments.
 */
#include "transfer/http_head.h"

#include <string.h>

#include "store/queue_db.h"

void do_http_head_init(struct do_http_head *head)
{
    memset(head, 0, sizeof(*head));
    do_buf_init(&head->text, DO_HTTP_HEAD_LIMIT);
    head->range_total = DO_SIZE_UNKNOWN;
}

void do_http_head_finish(struct do_http_head *head)
{
    do_buf_finish(&head->text);
}

/* A piece of text that is read from the front. */
struct cursor
{
    const char *at;
    const char *end;
};

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

static bool skip_char(struct cursor *cursor, char c)
{
    if (cursor->at >= cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

static bool skip_word_nocase(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(cursor->end - cursor->at) < length || !do_str_starts_nocase(cursor->at, word))
        return false;
    cursor->at += length;
    return true;
}

/* A decimal number below 2^63, which is the largest size that any file has. */
static bool read_number(struct cursor *cursor, uint64_t *number)
{
    const char *begin = cursor->at;
    uint64_t value = 0;

    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
    {
        uint64_t digit = (uint64_t)(*cursor->at - '0');

        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return cursor->at > begin;
}

/* Content-Range = "bytes" SP ( first "-" last "/" ( total / "*" ) / "*" "/" total ), RFC 9110 14.4
 */
static void parse_content_range(struct do_http_head *head, struct cursor value)
{
    uint64_t first;
    uint64_t last;
    uint64_t total = DO_SIZE_UNKNOWN;

    head->has_content_range = false;
    /* Of two nobody knows which one counts. */
    if (head->saw_content_range)
        return;
    head->saw_content_range = true;
    if (!skip_word_nocase(&value, "bytes"))
        return;
    skip_blanks(&value);
    if (!read_number(&value, &first) || !skip_char(&value, '-') || !read_number(&value, &last) ||
        !skip_char(&value, '/'))
        return;
    if (!skip_char(&value, '*') && !read_number(&value, &total))
        return;
    skip_blanks(&value);
    if (value.at != value.end || last < first || (total != DO_SIZE_UNKNOWN && last >= total))
        return;
    head->has_content_range = true;
    head->content_range.begin = first;
    head->content_range.end = last + 1;
    head->range_total = total;
}

static HRESULT parse_content_length(struct do_http_head *head, struct cursor value)
{
    uint64_t length;

    if (!read_number(&value, &length))
        return DO_HR_NET_INVALID_SERVER_RESPONSE;
    skip_blanks(&value);
    if (value.at != value.end || (head->has_content_length && head->content_length != length))
        return DO_HR_NET_INVALID_SERVER_RESPONSE;
    head->has_content_length = true;
    head->content_length = length;
    return S_OK;
}

static bool is_leap(unsigned int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1601-01-01 to a date of the Gregorian calendar. */
static uint64_t days_since_1601(unsigned int year, unsigned int month, unsigned int day)
{
    static const unsigned int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint64_t years = year - 1601U;
    uint64_t days = years * 365 + years / 4 - years / 100 + years / 400;

    return days + before[month] + (month > 1 && is_leap(year) ? 1 : 0) + day - 1;
}

static bool read_digits(const char *text, size_t count, unsigned int *number)
{
    *number = 0;
    for (size_t i = 0; i < count; i++)
    {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (unsigned int)(text[i] - '0');
    }
    return true;
}

/* Whether text has the fixed characters of an IMF-fixdate where they belong; # is any other. */
static bool has_date_form(const char *text)
{
    static const char form[] = "###, ## ### #### ##:##:## GMT";

    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
    {
        if (form[i] != '#' && form[i] != text[i])
            return false;
    }
    return true;
}

/* IMF-fixdate, the only form that is sent today: "Sun, 06 Nov 1994 08:49:37 GMT". RFC 9110 5.6.7 */
uint64_t do_http_date_to_filetime(const char *text)
{
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const unsigned int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned int month = 0;
    unsigned int day;
    unsigned int year;
    unsigned int hour;
    unsigned int minute;
    unsigned int second;

    if (!text || !has_date_form(text) || !read_digits(text + 5, 2, &day) ||
        !read_digits(text + 12, 4, &year) || !read_digits(text + 17, 2, &hour) ||
        !read_digits(text + 20, 2, &minute) || !read_digits(text + 23, 2, &second))
        return 0;
    while (month < 12 && memcmp(text + 8, months[month], 3) != 0)
        month++;
    if (month == 12 || year < 1601 || hour > 23 || minute > 59 || second > 60)
        return 0;
    if (!day || day > lengths[month] + (month == 1 && is_leap(year) ? 1 : 0))
        return 0;
    return ((days_since_1601(year, month, day) * 24 + hour) * 3600 + minute * 60 + second) *
           10000000;
}

/* Copies a value that fits whole; a longer one is as good as none. */
static void copy_value(char *out, size_t size, struct cursor value)
{
    size_t length = (size_t)(value.end - value.at);

    if (length >= size)
        length = 0;
    /* It may be sent back: no control character may come with it. */
    for (size_t i = 0; i < length; i++)
    {
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7F)
            length = 0;
    }
    memcpy(out, value.at, length);
    out[length] = 0;
}

static bool is_name(struct cursor name, const char *word)
{
    return skip_word_nocase(&name, word) && name.at == name.end;
}

static uint64_t read_date(struct cursor value)
{
    char text[32];

    copy_value(text, sizeof(text), value);
    return do_http_date_to_filetime(text);
}

/* A date is as far away as the server's own clock says: ours may be wrong. RFC 9110 10.2.3 */
static void settle_retry_date(struct do_http_head *head)
{
    uint64_t seconds = 0;

    if (!head->retry_at || !head->date)
        return;
    if (head->retry_at > head->date)
        seconds = (head->retry_at - head->date) / 10000000;
    head->has_retry_after = true;
    head->retry_after_s = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

static void parse_retry_after(struct do_http_head *head, struct cursor value)
{
    uint64_t number;

    head->retry_at = read_date(value);
    head->has_retry_after = read_number(&value, &number) && number <= UINT32_MAX;
    head->retry_after_s = head->has_retry_after ? (uint32_t)number : 0;
    settle_retry_date(head);
}

static HRESULT parse_field(struct do_http_head *head, struct cursor name, struct cursor value)
{
    if (is_name(name, "content-length"))
        return parse_content_length(head, value);
    if (is_name(name, "content-range"))
        parse_content_range(head, value);
    else if (is_name(name, "content-type"))
    {
        head->is_multipart |= skip_word_nocase(&value, "multipart/byteranges");
        head->is_page |= skip_word_nocase(&value, "text/html");
    }
    else if (is_name(name, "content-encoding"))
        head->is_coded |= value.at < value.end && !is_name(value, "identity");
    else if (is_name(name, "etag"))
        copy_value(head->etag, sizeof(head->etag), value);
    else if (is_name(name, "last-modified"))
        copy_value(head->last_modified, sizeof(head->last_modified), value);
    else if (is_name(name, "date"))
    {
        head->date = read_date(value);
        settle_retry_date(head);
    }
    else if (is_name(name, "retry-after"))
        parse_retry_after(head, value);
    return S_OK;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200". libcurl has checked it already; a wrong one gives status 0. */
static void begin_head(struct do_http_head *head, struct cursor line)
{
    struct do_buf text = head->text;
    uint64_t received = head->received;
    uint64_t status = 0;

    do_buf_clear(&text);
    do_http_head_init(head);
    head->text = text;
    head->received = received;
    while (line.at < line.end && *line.at != ' ')
        line.at++;
    skip_blanks(&line);
    if (read_number(&line, &status) && status >= 100 && status <= 999)
        head->status = (unsigned int)status;
}

HRESULT do_http_head_add_line(struct do_http_head *head, const char *line, size_t length)
{
    struct cursor name = {line, line + length};
    struct cursor value;
    bool too_long;

    while (name.end > name.at && (name.end[-1] == '\r' || name.end[-1] == '\n'))
        name.end--;
    /* Each may be short, and there may be no end of them. */
    if ((head->received += length) > DO_HTTP_HEADS_LIMIT)
        return DO_HR_NET_INVALID_SERVER_RESPONSE;
    value = name;
    if (skip_word_nocase(&value, "HTTP/"))
        begin_head(head, value);
    else if (head->is_complete)
        return S_OK; /* a trailer, which must not be taken for the head's: RFC 9110 6.5.1 */
    too_long = (size_t)(name.end - name.at) + 2 > DO_HTTP_HEAD_LIMIT - head->text.length;
    do_buf_append(&head->text, name.at, (size_t)(name.end - name.at));
    do_buf_append(&head->text, "\r\n", 2);
    if (head->text.failed)
        return too_long ? DO_HR_NET_INVALID_SERVER_RESPONSE : E_OUTOFMEMORY;
    head->is_complete = name.at == name.end;

    value = name;
    while (value.at < value.end && *value.at != ':')
        value.at++;
    if (value.at == value.end)
        return S_OK;
    name.end = value.at++;
    skip_blanks(&value);
    while (value.end > value.at && (value.end[-1] == ' ' || value.end[-1] == '\t'))
        value.end--;
    return parse_field(head, name, value);
}

/* A strong entity tag is quoted and has no W/ before it. RFC 9110 8.8.3 */
static bool is_strong(const char *etag)
{
    return etag[0] == '"';
}

const char *do_validators_if_range(const struct do_validators *validators)
{
    return is_strong(validators->etag) ? validators->etag : validators->last_modified;
}

/* Whether the answer names another object than the one that the local bytes come from. */
static bool is_other_object(
    const struct do_http_head *head, const struct do_validators *known, uint64_t object_size)
{
    if (object_size != DO_SIZE_UNKNOWN && known->size != DO_SIZE_UNKNOWN &&
        object_size != known->size)
        return true;
    if (known->etag[0] && head->etag[0])
        return strcmp(known->etag, head->etag) != 0;
    return known->last_modified[0] && head->last_modified[0] &&
           strcmp(known->last_modified, head->last_modified) != 0;
}

/* 206 Partial Content: it must be exactly the range that was asked for. */
static enum do_head_verdict judge_partial(const struct do_http_head *head,
    const struct do_head_question *question, struct do_head_answer *answer, HRESULT *hr)
{
    uint64_t length = head->content_range.end - head->content_range.begin;
    uint64_t asked_end = question->asked.end;

    *hr = DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (!question->sent_range || head->is_multipart || !head->has_content_range)
        return DO_HEAD_REFUSE;
    *hr = DO_E_FILE_SIZE_UNKNOWN_HTTP_206;
    if (head->range_total == DO_SIZE_UNKNOWN && asked_end == DO_SIZE_UNKNOWN)
        return DO_HEAD_REFUSE;
    if (question->has_data && is_other_object(head, &question->known, head->range_total))
        return DO_HEAD_CHANGED;
    *hr = DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (head->range_total != DO_SIZE_UNKNOWN && question->expected_size != DO_SIZE_UNKNOWN &&
        head->range_total != question->expected_size)
        return DO_HEAD_REFUSE;
    if (asked_end == DO_SIZE_UNKNOWN)
        asked_end = head->range_total;
    else if (head->range_total != DO_SIZE_UNKNOWN && asked_end > head->range_total)
    {
        *hr = DO_E_INVALID_RANGE;
        return DO_HEAD_REFUSE;
    }
    if (head->content_range.begin != question->asked.begin)
        return DO_HEAD_REFUSE;
    *hr = DO_E_HTTP_BLOCKSIZE_MISMATCH;
    if (head->content_range.end != asked_end ||
        (head->has_content_length && head->content_length != length))
        return DO_HEAD_REFUSE;
    answer->length = length;
    answer->object_size = head->range_total;
    *hr = S_OK;
    return DO_HEAD_ACCEPT;
}

/*
 * A page without a validator in place of an object that had one is no other version of it, but the
 * word of somebody on the way: the log-in page of a network, a proxy's or a server's excuse.
 */
static bool is_foreign_page(const struct do_http_head *head, const struct do_validators *known)
{
    return head->is_page && !head->etag[0] && !head->last_modified[0] &&
           (known->etag[0] || known->last_modified[0]);
}

/* 200 OK: the whole object, which is right only for who asked for all of it from the start. */
static enum do_head_verdict judge_whole(const struct do_http_head *head,
    const struct do_head_question *question, struct do_head_answer *answer, HRESULT *hr)
{
    uint64_t size = head->has_content_length ? head->content_length : DO_SIZE_UNKNOWN;

    *hr = DO_HR_NET_INVALID_SERVER_RESPONSE;
    if (question->has_data && is_foreign_page(head, &question->known))
        return DO_HEAD_REFUSE;
    *hr = DO_E_INSUFFICIENT_RANGE_SUPPORT;
    if (question->has_data)
        return DO_HEAD_CHANGED;
    if (question->asked.begin ||
        (question->asked.end != DO_SIZE_UNKNOWN && question->asked.end != size))
        return DO_HEAD_REFUSE;
    if (size != DO_SIZE_UNKNOWN && question->expected_size != DO_SIZE_UNKNOWN &&
        size != question->expected_size)
        return DO_HEAD_REFUSE;
    answer->length = size;
    answer->object_size = size;
    *hr = S_OK;
    return DO_HEAD_ACCEPT;
}

bool do_http_head_is_other_object(
    const struct do_http_head *head, const struct do_validators *known)
{
    return is_other_object(head, known,
        head->status == 206        ? head->range_total
        : head->has_content_length ? head->content_length
                                   : DO_SIZE_UNKNOWN);
}

enum do_head_verdict do_http_head_judge(const struct do_http_head *head,
    const struct do_head_question *question, struct do_head_answer *answer, HRESULT *hr)
{
    answer->length = DO_SIZE_UNKNOWN;
    answer->object_size = DO_SIZE_UNKNOWN;
    if (head->status && !head->is_complete)
    {
        /* The connection ended within the head; what it would have said is not known. */
        *hr = DO_HR_NET_CONNECTION_ABORTED;
        return DO_HEAD_REFUSE;
    }
    if (head->is_coded && (head->status == 200 || head->status == 206))
    {
        /* We asked for identity; the closest status says that the server does not have it. */
        *hr = do_hr_from_http_status(406);
        return DO_HEAD_REFUSE;
    }
    if (head->status == 206)
        return judge_partial(head, question, answer, hr);
    if (head->status == 200)
        return judge_whole(head, question, answer, hr);
    /* The object may have become shorter than what is here: RFC 9110 15.5.17. */
    if (head->status == 416 && question->has_data)
    {
        *hr = S_OK;
        return DO_HEAD_CHANGED;
    }
    *hr = head->status ? do_hr_from_http_status(head->status) : DO_HR_NET_INVALID_SERVER_RESPONSE;
    return DO_HEAD_REFUSE;
}
