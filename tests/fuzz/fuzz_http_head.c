/* SPDX-License-Identifier: MIT */
/*
 * Response heads. The input is a question followed by the bytes of a head, which comes in lines as
 * libcurl hands them over, and in pieces that no server's line end explains; or it is a
 * Content-Range built from a grammar, whose meaning is known. Whatever a head says, what is read
 * from it is within its bounds, and only an answer that gives exactly what was asked is accepted.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz/fuzz.h"

#include <inttypes.h>
#include <time.h>

#include "store/queue_db.h"
#include "transfer/http_head.h"

/* How a question follows from the head that it is about, so that some are answered. */
#define ASK_BEGIN_OF_ANSWER 0x01U
#define ASK_END_OF_ANSWER 0x02U
#define KNOW_ETAG 0x04U
#define KNOW_DATE 0x08U
#define KNOW_SIZE 0x10U
#define EXPECT_SIZE 0x20U
#define ASK_TO_THE_END 0x40U
#define HAVE_DATA 0x80U

static void add_line(struct do_http_head *head, const void *line, size_t length, HRESULT *failure)
{
    char *copy = malloc(length ? length : 1);
    HRESULT hr;

    FUZZ_CHECK(copy);
    if (length)
        memcpy(copy, line, length);
    if (FAILED(hr = do_http_head_add_line(head, copy, length)))
    {
        FUZZ_CHECK(hr == DO_HR_NET_INVALID_SERVER_RESPONSE);
        *failure = hr;
    }
    free(copy);
}

static void check_printable(const char *text, size_t size)
{
    FUZZ_CHECK(memchr(text, 0, size));
    for (; *text; text++)
        FUZZ_CHECK((unsigned char)*text >= 0x20 && *text != 0x7F);
}

static void check_head(const struct do_http_head *head)
{
    FUZZ_CHECK(head->text.length <= DO_HTTP_HEAD_LIMIT);
    FUZZ_CHECK(!head->status || (head->status >= 100 && head->status <= 999));
    FUZZ_CHECK(head->content_length <= INT64_MAX);
    FUZZ_CHECK(head->has_content_length || !head->content_length);
    FUZZ_CHECK(head->has_retry_after || !head->retry_after_s);
    if (head->has_content_range)
    {
        FUZZ_CHECK(head->content_range.begin < head->content_range.end);
        FUZZ_CHECK(head->content_range.end <= (uint64_t)INT64_MAX + 1);
        FUZZ_CHECK(
            head->range_total == DO_SIZE_UNKNOWN ||
            (head->content_range.end <= head->range_total && head->range_total <= INT64_MAX));
    }
    check_printable(head->etag, sizeof(head->etag));
    check_printable(head->last_modified, sizeof(head->last_modified));
}

/* A date that is read is the one that was written, by another calendar than ours. */
static void check_date(const char *text)
{
    const uint64_t filetime = do_http_date_to_filetime(text);
    const time_t seconds = (time_t)(filetime / 10000000) - 11644473600;
    char again[64];
    struct tm parts;

    if (!filetime)
        return;
    FUZZ_CHECK(filetime % 10000000 == 0);
    FUZZ_CHECK(gmtime_r(&seconds, &parts));
    FUZZ_CHECK(strftime(again, sizeof(again), "%a, %d %b %Y %H:%M:%S GMT", &parts));
    /* The name of the day is not looked at, and a leap second is the next one. */
    FUZZ_CHECK(!memcmp(text + 23, "60", 2) || !strcmp(text + 3, again + 3));
}

/* What the head means, written down again, means the same. */
static void check_round_trip(const struct do_http_head *head)
{
    struct do_http_head again;
    HRESULT hr = S_OK;
    char line[400];
    int length;

    do_http_head_init(&again);
    length = snprintf(line, sizeof(line), "HTTP/1.1 %u\r\n", head->status);
    add_line(&again, line, (size_t)length, &hr);
    if (head->has_content_length)
    {
        length = snprintf(line, sizeof(line), "Content-Length: %" PRIu64, head->content_length);
        add_line(&again, line, (size_t)length, &hr);
    }
    if (head->has_content_range)
    {
        length = snprintf(line, sizeof(line), "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/",
            head->content_range.begin, head->content_range.end - 1);
        length += head->range_total == DO_SIZE_UNKNOWN
                      ? snprintf(line + length, sizeof(line) - (size_t)length, "*\r\n")
                      : snprintf(line + length, sizeof(line) - (size_t)length, "%" PRIu64 "\r\n",
                            head->range_total);
        add_line(&again, line, (size_t)length, &hr);
    }
    if (head->has_retry_after)
    {
        length = snprintf(line, sizeof(line), "retry-after:%" PRIu32, head->retry_after_s);
        add_line(&again, line, (size_t)length, &hr);
    }
    length = snprintf(line, sizeof(line), "etag:%s\r\n", head->etag);
    add_line(&again, line, (size_t)length, &hr);
    length = snprintf(line, sizeof(line), "Last-Modified: %s\n", head->last_modified);
    add_line(&again, line, (size_t)length, &hr);
    FUZZ_CHECK(SUCCEEDED(hr));
    FUZZ_CHECK(again.status == head->status);
    FUZZ_CHECK(again.has_content_length == head->has_content_length);
    FUZZ_CHECK(again.content_length == head->content_length);
    FUZZ_CHECK(again.has_content_range == head->has_content_range);
    if (head->has_content_range)
    {
        FUZZ_CHECK(again.content_range.begin == head->content_range.begin);
        FUZZ_CHECK(again.content_range.end == head->content_range.end);
        FUZZ_CHECK(again.range_total == head->range_total);
    }
    FUZZ_CHECK(again.has_retry_after == head->has_retry_after);
    FUZZ_CHECK(again.retry_after_s == head->retry_after_s);
    FUZZ_CHECK(!strcmp(again.etag, head->etag));
    FUZZ_CHECK(!strcmp(again.last_modified, head->last_modified));
    do_http_head_finish(&again);
}

static void check_same(const struct do_http_head *a, const struct do_http_head *b)
{
    FUZZ_CHECK(a->text.length == b->text.length);
    FUZZ_CHECK(!a->text.length || !memcmp(a->text.data, b->text.data, a->text.length));
    FUZZ_CHECK(a->status == b->status);
    FUZZ_CHECK(a->has_content_length == b->has_content_length);
    FUZZ_CHECK(a->content_length == b->content_length);
    FUZZ_CHECK(a->has_content_range == b->has_content_range);
    FUZZ_CHECK(a->content_range.begin == b->content_range.begin);
    FUZZ_CHECK(a->content_range.end == b->content_range.end);
    FUZZ_CHECK(a->range_total == b->range_total);
    FUZZ_CHECK(a->is_coded == b->is_coded && a->is_multipart == b->is_multipart);
    FUZZ_CHECK(a->is_page == b->is_page && a->is_complete == b->is_complete);
    FUZZ_CHECK(!strcmp(a->etag, b->etag) && !strcmp(a->last_modified, b->last_modified));
    FUZZ_CHECK(a->has_retry_after == b->has_retry_after && a->retry_after_s == b->retry_after_s);
}

static void check_accepted(const struct do_http_head *head, const struct do_head_question *question,
    const struct do_head_answer *answer)
{
    const uint64_t begin = question->asked.begin;
    const uint64_t end = question->asked.end;
    const uint64_t known = question->known.size;

    FUZZ_CHECK(head->status == 200 || (head->status == 206 && question->sent_range));
    FUZZ_CHECK(!head->is_coded && head->is_complete);
    FUZZ_CHECK(head->status == 206 || (!question->has_data && !begin));
    if (answer->length != DO_SIZE_UNKNOWN)
    {
        FUZZ_CHECK(answer->length <= DO_SIZE_UNKNOWN - begin);
        FUZZ_CHECK(end == DO_SIZE_UNKNOWN || begin + answer->length == end);
        FUZZ_CHECK(!head->has_content_length || head->content_length == answer->length);
    }
    else
        FUZZ_CHECK(end == DO_SIZE_UNKNOWN && head->status == 200);
    if (answer->object_size != DO_SIZE_UNKNOWN)
    {
        FUZZ_CHECK(answer->object_size <= INT64_MAX);
        FUZZ_CHECK(begin + answer->length <= answer->object_size);
        FUZZ_CHECK(end != DO_SIZE_UNKNOWN || begin + answer->length == answer->object_size);
        FUZZ_CHECK(question->expected_size == DO_SIZE_UNKNOWN ||
                   question->expected_size == answer->object_size);
        FUZZ_CHECK(!question->has_data || known == DO_SIZE_UNKNOWN || known == answer->object_size);
    }
    if (question->has_data && question->known.etag[0] && head->etag[0])
        FUZZ_CHECK(!strcmp(question->known.etag, head->etag));
}

/* The empty line, behind which comes nothing that counts. */
static void complete(struct do_http_head *head, HRESULT *failure)
{
    static const char *const trailers[] = {"Content-Range: bytes 7-8/9\r\n",
        "Content-Length: 7\r\n", "ETag: \"of a trailer\"\r\n", "Content-Encoding: gzip\r\n",
        "Retry-After: 77\r\n"};
    struct do_http_head before;

    add_line(head, "\r\n", 2, failure);
    FUZZ_CHECK(head->is_complete || FAILED(*failure));
    before = *head;
    for (size_t i = 0; i < sizeof(trailers) / sizeof(trailers[0]) && SUCCEEDED(*failure); i++)
        add_line(head, trailers[i], strlen(trailers[i]), failure);
    check_same(head, &before);
}

static void judge(const struct do_http_head *head, const struct do_head_question *question)
{
    struct do_head_answer answer = {1, 1};
    HRESULT hr = E_UNEXPECTED;

    switch (do_http_head_judge(head, question, &answer, &hr))
    {
    case DO_HEAD_ACCEPT:
        FUZZ_CHECK(hr == S_OK);
        check_accepted(head, question, &answer);
        break;
    case DO_HEAD_CHANGED:
        FUZZ_CHECK(question->has_data);
        break;
    case DO_HEAD_REFUSE:
        FUZZ_CHECK(FAILED(hr));
        break;
    }
}

static void ask(const struct do_http_head *head, unsigned int flags, const uint64_t *numbers)
{
    struct do_head_question question = {{numbers[0], numbers[1]}, false, (flags & HAVE_DATA) != 0,
        {"", "", DO_SIZE_UNKNOWN}, DO_SIZE_UNKNOWN};
    uint64_t size = head->range_total;

    if (size == DO_SIZE_UNKNOWN && head->has_content_length)
        size = head->content_length;
    if (flags & ASK_BEGIN_OF_ANSWER)
        question.asked.begin = head->content_range.begin;
    if (flags & ASK_END_OF_ANSWER)
        question.asked.end = head->content_range.end;
    if (flags & ASK_TO_THE_END)
        question.asked.end = DO_SIZE_UNKNOWN;
    if (question.asked.begin >= question.asked.end)
        question.asked.end = DO_SIZE_UNKNOWN;
    if (question.asked.begin == DO_SIZE_UNKNOWN)
        question.asked.begin = 0;
    question.sent_range = question.asked.begin || question.asked.end != DO_SIZE_UNKNOWN;
    if (flags & KNOW_ETAG)
        memcpy(question.known.etag, head->etag, sizeof(head->etag));
    else if (numbers[2] & 1)
        memcpy(question.known.etag, "\"x\"", 4);
    if (flags & KNOW_DATE)
        memcpy(question.known.last_modified, head->last_modified, sizeof(head->last_modified));
    question.known.size = flags & KNOW_SIZE ? size : numbers[2];
    question.expected_size = flags & EXPECT_SIZE ? size : numbers[3];
    FUZZ_CHECK(do_validators_if_range(&question.known) != question.known.etag ||
               question.known.etag[0] == '"');
    judge(head, &question);
    question.expected_size = DO_SIZE_UNKNOWN;
    judge(head, &question);
}

/* The lines of a head, with their ends and without, must be the same head. */
static void run_head(struct fuzz_input *input)
{
    struct do_http_head head;
    struct do_http_head bare;
    HRESULT hr = S_OK;
    HRESULT bare_hr = S_OK;
    unsigned int flags = fuzz_take_u8(input);
    uint64_t numbers[4];

    for (size_t i = 0; i < 4; i++)
        numbers[i] = fuzz_take_size(input);
    do_http_head_init(&head);
    do_http_head_init(&bare);
    while (input->left && SUCCEEDED(hr))
    {
        const uint8_t *line_end = memchr(input->at, '\n', input->left);
        size_t length = line_end ? (size_t)(line_end - input->at) + 1 : input->left;
        size_t bare_length = length;

        while (bare_length &&
               (input->at[bare_length - 1] == '\n' || input->at[bare_length - 1] == '\r'))
            bare_length--;
        add_line(&head, input->at, length, &hr);
        add_line(&bare, input->at, bare_length, &bare_hr);
        FUZZ_CHECK(hr == bare_hr);
        check_head(&head);
        input->at += length;
        input->left -= length;
    }
    check_same(&head, &bare);
    check_date(head.last_modified);
    if (SUCCEEDED(hr))
    {
        check_round_trip(&head);
        ask(&head, flags, numbers);
        complete(&head, &hr);
        if (SUCCEEDED(hr))
            ask(&head, flags, numbers);
    }
    do_http_head_finish(&head);
    do_http_head_finish(&bare);
}

/* Cut anywhere: a piece may begin in a name, or hold line ends. */
static void run_pieces(struct fuzz_input *input)
{
    struct do_http_head head;
    HRESULT hr = S_OK;

    do_http_head_init(&head);
    while (input->left && SUCCEEDED(hr))
    {
        size_t length = fuzz_take_below(input, 64);

        if (length > input->left)
            length = input->left;
        add_line(&head, input->at, length, &hr);
        check_head(&head);
        input->at += length;
        input->left -= length;
    }
    do_http_head_finish(&head);
}

/* A number as text and whether it is one that is accepted. */
static bool take_number(struct fuzz_input *input, char *text, size_t size, uint64_t *number)
{
    static const char *const odd[] = {"", "-1", "+1", "0x1", "1.", " 1", "9223372036854775808",
        "18446744073709551615", "18446744073709551616", "99999999999999999999999"};
    const uint32_t how = fuzz_take_below(input, 32);

    *number = fuzz_take_size(input);
    if (how < sizeof(odd) / sizeof(odd[0]))
    {
        (void)snprintf(text, size, "%s", odd[how]);
        return false;
    }
    (void)snprintf(text, size, "%s%" PRIu64, how & 1 ? "" : "000", *number);
    return *number <= INT64_MAX;
}

/* A Content-Range whose meaning is known before it is read. */
static void run_content_range(struct fuzz_input *input)
{
    static const char *const units[] = {
        "bytes ", "Bytes\t ", "BYTES", "byte ", "bytes=", "bites ", ""};
    static const char *const tails[] = {"", " ", "\t", "x", ",", " 0"};
    const uint32_t unit = fuzz_take_below(input, 7);
    const uint32_t tail = fuzz_take_below(input, 6);
    bool valid = unit < 3 && tail < 3;
    struct do_http_head head;
    HRESULT hr = S_OK;
    uint64_t numbers[3];
    char texts[3][40];
    char line[200];
    int length;

    for (size_t i = 0; i < 3; i++)
    {
        if (i == 2 && fuzz_take_below(input, 4) == 0)
        {
            memcpy(texts[i], "*", 2);
            numbers[i] = DO_SIZE_UNKNOWN;
            continue;
        }
        valid = take_number(input, texts[i], sizeof(texts[i]), &numbers[i]) && valid;
    }
    valid = valid && numbers[0] <= numbers[1] && numbers[1] < numbers[2];
    /* A blank before the first number is as good as the one that belongs there. */
    if (texts[0][0] == ' ')
        return;
    length = snprintf(line, sizeof(line), "Content-Range: %s%s-%s/%s%s\r\n", units[unit], texts[0],
        texts[1], texts[2], tails[tail]);
    do_http_head_init(&head);
    add_line(&head, "HTTP/1.1 206 Partial Content\r\n", 30, &hr);
    add_line(&head, line, (size_t)length, &hr);
    check_head(&head);
    FUZZ_CHECK(SUCCEEDED(hr) && head.status == 206);
    FUZZ_CHECK(head.has_content_range == valid);
    if (valid)
    {
        FUZZ_CHECK(head.content_range.begin == numbers[0]);
        FUZZ_CHECK(head.content_range.end == numbers[1] + 1);
        FUZZ_CHECK(head.range_total == numbers[2]);
    }
    for (size_t i = 0; i < 3; i++)
        numbers[i] = fuzz_take_size(input);
    /* Of two nobody knows which one counts. */
    if (fuzz_take_u8(input) & 1)
    {
        add_line(&head, line, (size_t)length, &hr);
        FUZZ_CHECK(!head.has_content_range);
    }
    complete(&head, &hr);
    FUZZ_CHECK(SUCCEEDED(hr));
    ask(&head, fuzz_take_u8(input), (uint64_t[4]){numbers[0], numbers[1], numbers[2], numbers[2]});
    do_http_head_finish(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t held = do_alloc_outstanding();
    struct fuzz_input input = {data, size};

    switch (fuzz_take_below(&input, 4))
    {
    case 0:
        run_content_range(&input);
        break;
    case 1:
        run_pieces(&input);
        break;
    default:
        run_head(&input);
        break;
    }
    FUZZ_CHECK(do_alloc_outstanding() == held);
    return 0;
}
