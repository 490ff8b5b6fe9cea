/* SPDX-License-Identifier: MIT */
/*
 * doctl get and doctl resume: from arguments to a job that is watched to its end.
 */
#include "commands.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "errors.h"
#include "naming.h"
#include "watch.h"

#include <objbase.h>

#define DO_TIMEOUT_DEFAULT_S 60
#define DO_DISPLAY_NAME_MAX 256

/* What the command line said. Pointers are borrowed from it. */
struct options
{
    bool is_get; /* get: all options; resume: no output */
    bool timeout_is_set;
    ULONG timeout_s;
    enum do_progress_mode progress_mode;
    const wchar_t *target; /* URL or job */
    const wchar_t *output;
};

struct mode_name
{
    const wchar_t *name;
    enum do_progress_mode mode;
};

static const struct mode_name mode_names[] = {
    {L"auto", DO_PROGRESS_AUTO},
    {L"bar", DO_PROGRESS_BAR},
    {L"plain", DO_PROGRESS_PLAIN},
    {L"none", DO_PROGRESS_NONE},
};

static bool parse_mode(const wchar_t *text, struct options *options)
{
    for (size_t i = 0; i < DO_COUNT_OF(mode_names); i++)
    {
        if (!wcscmp(mode_names[i].name, text))
        {
            options->progress_mode = mode_names[i].mode;
            return true;
        }
    }
    return false;
}

static bool parse_timeout(const wchar_t *text, struct options *options)
{
    uint64_t seconds = 0;

    if (!text[0])
        return false;
    for (; *text; text++)
    {
        if (*text < L'0' || *text > L'9')
            return false;
        seconds = seconds * 10 + (uint64_t)(*text - L'0');
        if (seconds > UINT32_MAX)
            return false;
    }
    options->timeout_s = (ULONG)seconds;
    options->timeout_is_set = true;
    return true;
}

static bool parse_output(const wchar_t *text, struct options *options)
{
    options->output = text;
    return text[0] && options->is_get;
}

struct value_option
{
    const wchar_t *name;
    bool (*parse)(const wchar_t *text, struct options *options);
};

static const struct value_option value_options[] = {
    {L"-o", parse_output},
    {L"--output", parse_output},
    {L"--timeout", parse_timeout},
    {L"--progress", parse_mode},
};

/*
 * The option at arguments[*index], with its value, "--name=value" or the next argument; *index
 * moves on to the last argument used. False when there is no such option or its value is wrong.
 */
static bool parse_option(int count, wchar_t **arguments, int *index, struct options *options)
{
    const wchar_t *argument = arguments[*index];
    size_t name_length = wcscspn(argument, L"=");

    if (!wcscmp(argument, L"-q") || !wcscmp(argument, L"--quiet"))
    {
        options->progress_mode = DO_PROGRESS_NONE;
        return true;
    }
    for (size_t i = 0; i < DO_COUNT_OF(value_options); i++)
    {
        const struct value_option *option = &value_options[i];

        if (wcslen(option->name) != name_length || wcsncmp(option->name, argument, name_length))
            continue;
        if (argument[name_length])
            return option->parse(argument + name_length + 1, options);
        if (*index + 1 >= count)
            return false;
        ++*index;
        return option->parse(arguments[*index], options);
    }
    return false;
}

static int usage_error(struct do_client *client, const wchar_t *argument, const char *problem)
{
    char *printable = do_console_utf8(argument);

    if (argument)
        do_console_err(client->console, "error: %s: %s\n", problem, printable ? printable : "?");
    else
        do_console_err(client->console, "error: %s\n", problem);
    do_console_err(client->console, "Try: doctl help\n");
    do_free(printable);
    return DO_EXIT_USAGE;
}

static int parse(
    struct do_client *client, int count, wchar_t **arguments, bool is_get, struct options *options)
{
    bool only_operands = false;

    *options = (struct options){.is_get = is_get, .timeout_s = DO_TIMEOUT_DEFAULT_S};
    for (int i = 0; i < count; i++)
    {
        const wchar_t *argument = arguments[i];

        if (!only_operands && !wcscmp(argument, L"--"))
            only_operands = true;
        else if (!only_operands && argument[0] == L'-')
        {
            if (!parse_option(count, arguments, &i, options))
                return usage_error(client, argument, "unknown option or bad value");
        }
        else if (options->target)
            return usage_error(client, argument, "one argument too many");
        else
            options->target = argument;
    }
    if (!options->target)
        return usage_error(client, NULL, is_get ? "a URL is missing" : "a job is missing");
    return DO_EXIT_OK;
}

static bool is_http_url(const wchar_t *text)
{
    return !_wcsnicmp(text, L"http://", 7) || !_wcsnicmp(text, L"https://", 8);
}

/* A job with the one file, ready to be resumed. On failure no job is left behind. */
static HRESULT create_job(struct do_client *client, const struct options *options,
    const wchar_t *path, IBackgroundCopyJob **job)
{
    wchar_t name[DO_DISPLAY_NAME_MAX + 1] = L"";
    GUID id;
    HRESULT hr;

    wcsncpy(name, do_naming_last_part(path), DO_DISPLAY_NAME_MAX);
    *job = NULL;
    if (FAILED(hr = IBackgroundCopyManager_CreateJob(
                   client->manager, name, BG_JOB_TYPE_DOWNLOAD, &id, job)))
        return hr;
    if (SUCCEEDED(hr = IBackgroundCopyJob_SetPriority(*job, BG_JOB_PRIORITY_FOREGROUND)) &&
        SUCCEEDED(hr = IBackgroundCopyJob_SetNoProgressTimeout(*job, options->timeout_s)))
        hr = IBackgroundCopyJob_AddFile(*job, options->target, path);
    if (SUCCEEDED(hr))
        return hr;
    IBackgroundCopyJob_Cancel(*job);
    IBackgroundCopyJob_Release(*job);
    *job = NULL;
    return hr;
}

/* Creates the job for the full path and watches it. */
static int download(struct do_client *client, const struct options *options, const wchar_t *path)
{
    struct do_watch_options watch = {
        .progress_mode = options->progress_mode,
        .cancel_on_error = true,
    };
    IBackgroundCopyJob *job = NULL;
    HRESULT hr = create_job(client, options, path, &job);
    int exit_code;

    if (FAILED(hr))
    {
        char *printable = do_naming_printable_url(options->target);

        exit_code = (int)do_errors_report(client->console, hr, printable);
        do_free(printable);
        return exit_code;
    }
    exit_code = do_watch_job(client, job, &watch);
    IBackgroundCopyJob_Release(job);
    return exit_code;
}

int do_command_get(struct do_client *client, int count, wchar_t **arguments)
{
    struct options options;
    wchar_t *name = NULL;
    wchar_t *path = NULL;
    int exit_code = parse(client, count, arguments, true, &options);
    HRESULT hr;

    if (exit_code)
        return exit_code;
    if (!is_http_url(options.target))
        return usage_error(client, options.target, "not an http:// or https:// URL");
    if (FAILED(hr = do_client_connect(client)))
        return DO_EXIT_FAILURE;
    if (SUCCEEDED(hr = do_naming_file_from_url(options.target, &name)))
        hr = do_naming_full_path(options.output, name, &path);
    if (FAILED(hr))
        exit_code = (int)do_errors_report(client->console, hr, "bad output path");
    else
        exit_code = download(client, &options, path);
    do_free(path);
    do_free(name);
    return exit_code;
}

int do_command_resume(struct do_client *client, int count, wchar_t **arguments)
{
    struct do_watch_options watch = {.cancel_on_error = false};
    struct options options;
    IBackgroundCopyJob *job = NULL;
    int exit_code = parse(client, count, arguments, false, &options);
    HRESULT hr = S_OK;

    if (exit_code)
        return exit_code;
    if (FAILED(do_client_connect(client)) ||
        FAILED(do_client_find_job(client, options.target, &job)))
        return DO_EXIT_FAILURE;
    if (options.timeout_is_set)
        hr = IBackgroundCopyJob_SetNoProgressTimeout(job, options.timeout_s);
    watch.progress_mode = options.progress_mode;
    if (FAILED(hr))
        exit_code = (int)do_errors_report(client->console, hr, "cannot set the time-out");
    else
        exit_code = do_watch_job(client, job, &watch);
    IBackgroundCopyJob_Release(job);
    return exit_code;
}
