/* SPDX-License-Identifier: MIT */
/*
 * doctl: Delivery Optimization from the command line. This file picks the command; the others do
 * the work. The arguments come from Windows and not from main's argv, because the C runtime would
 * translate them to the code page and expand the '?' and '*' of a URL.
 */
#include "commands.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "errors.h"

#include <windows.h>
#include <shellapi.h>

struct command
{
    const wchar_t *name;
    const char *synopsis;
    const char *summary;
    int (*run)(struct do_client *client, int count, wchar_t **arguments);
};

static int run_help(struct do_client *client, int count, wchar_t **arguments);
static int run_version(struct do_client *client, int count, wchar_t **arguments);

/* A row without a synopsis is another name of the one above. */
static const struct command commands[] = {
    {L"get", "get URL [OPTION ...]", "download URL to a file, replacing what is there",
        do_command_get},
    {L"list", "list [--verbose]", "show the queue: jobs, and downloads of IDOManager",
        do_command_list},
    {L"status", "status ID", "show the state, bytes, error, URL and path of one",
        do_command_status},
    {L"pause", "pause ID", "stop one; it keeps what it has", do_command_pause},
    {L"resume", "resume ID [--timeout SECONDS] [--sha256 HEX] [--progress=MODE] [-q]",
        "go on with one and save its file", do_command_resume},
    {L"complete", "complete ID", "save the files of a transferred one", do_command_complete},
    {L"cancel", "cancel ID", "give one up and delete its temporary files", do_command_cancel},
    {L"error", "error CODE", "explain a code (0x80D02002, a decimal number or a name)",
        do_command_error},
    {L"help", "help", "show this text", run_help},
    {L"--help", NULL, NULL, run_help},
    {L"-h", NULL, NULL, run_help},
    {L"--version", "--version", "show the version", run_version},
};

static const char help_tail[] =
    "\n"
    "Options of get:\n"
    "  -o PATH            a file or a directory; else the last name in the URL\n"
    "  -r, --ranges A-B[,C-D]  only these bytes, both ends included, one part behind the other;\n"
    "                     A- is the rest of the file\n"
    "  -H, --header \"Name: value\"  one more header of each request; may be given again\n"
    "  --phf URL --phf-hash BASE64  check each piece against the piece hash file at URL, whose\n"
    "                     HashOfHashes is BASE64\n"
    "  --sha256 HEX       save no file and exit with 8 unless this is its SHA-256\n"
    "  -k, --insecure     accept certificates of unknown authorities, and with a wrong name, date\n"
    "                     or usage; status and list --verbose show it\n"
    "  --foreground       the user waits for it (so it is without this option)\n"
    "  --background       others go first\n"
    "  --timeout SECONDS  how long it may go without a byte (60); 0 gives up at once\n"
    "  --progress=MODE    auto, bar, plain or none; -q is none\n"
    "\n"
    "ID is what list shows, with or without braces, or the name, whichever program runs it. A\n"
    "download that is not to outlive its program is shown by that program only.\n"
    "\n"
    "Exit codes: 0 done, 1 failure, 2 wrong usage, 3 network, 4 HTTP status, 5 size, range or\n"
    "integrity, 6 policy, 7 file or disk, 8 not the given SHA-256, 130 paused by Ctrl+C or\n"
    "cancelled.\n";

static int run_help(struct do_client *client, int count, wchar_t **arguments)
{
    (void)count;
    (void)arguments;
    do_console_out(client->console, "usage: doctl COMMAND [ARGUMENTS]\n\n");
    for (size_t i = 0; i < DO_COUNT_OF(commands); i++)
    {
        if (commands[i].synopsis)
            do_console_out(client->console, "  doctl %s\n        %s\n", commands[i].synopsis,
                commands[i].summary);
    }
    do_console_out(client->console, "%s", help_tail);
    return DO_EXIT_OK;
}

static int run_version(struct do_client *client, int count, wchar_t **arguments)
{
    (void)count;
    (void)arguments;
    do_console_out(client->console, "doctl %s\n", DOCTL_VERSION);
    return DO_EXIT_OK;
}

static int run_command(struct do_client *client, int count, wchar_t **arguments)
{
    char *printable;

    if (!count)
    {
        do_console_err(client->console, "error: a command is missing\nTry: doctl help\n");
        return DO_EXIT_USAGE;
    }
    for (size_t i = 0; i < DO_COUNT_OF(commands); i++)
    {
        if (!wcscmp(commands[i].name, arguments[0]))
            return commands[i].run(client, count - 1, arguments + 1);
    }
    printable = do_console_utf8(arguments[0]);
    do_console_err(client->console, "error: there is no command %s\nTry: doctl help\n",
        printable ? printable : "?");
    do_free(printable);
    return DO_EXIT_USAGE;
}

int main(void)
{
    struct do_console console;
    struct do_client client = {.console = &console};
    int count = 0;
    wchar_t **arguments = CommandLineToArgvW(GetCommandLineW(), &count);
    int exit_code;

    do_console_init(&console);
    if (!arguments)
        exit_code = (int)do_errors_report(&console, do_hr_from_win32(GetLastError()), NULL);
    else
        exit_code = run_command(&client, count ? count - 1 : 0, arguments + (count ? 1 : 0));
    do_client_disconnect(&client);
    do_console_finish(&console);
    LocalFree(arguments);
    return exit_code;
}
