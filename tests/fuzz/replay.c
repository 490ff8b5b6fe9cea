/* SPDX-License-Identifier: MIT */
/*
 * main of the replay programs: runs the target with every file of the folders and files that its
 * arguments name, so that what a fuzzer once found is looked at in every run of the tests, without
 * a fuzzer. Fails when there is no file at all.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

/* More than any file of the corpora has. */
#define INPUT_LIMIT ((size_t)1024 * 1024)

static unsigned long files_run;

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *whole;
    uint8_t *data;
    size_t length;

    if (!file || !(whole = malloc(INPUT_LIMIT)))
    {
        perror(path);
        return false;
    }
    length = fread(whole, 1, INPUT_LIMIT, file);
    (void)fclose(file);
    /* A block that ends where the input ends, for the sanitizer. */
    data = malloc(length ? length : 1);
    FUZZ_CHECK(data);
    memcpy(data, whole, length);
    free(whole);
    (void)LLVMFuzzerTestOneInput(data, length);
    free(data);
    files_run++;
    return true;
}

static bool run_folder(const char *path)
{
    DIR *folder = opendir(path);
    bool well = folder != NULL;

    for (struct dirent *entry; folder && (entry = readdir(folder));)
    {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        well = run_file(file) && well;
    }
    if (folder)
        (void)closedir(folder);
    return well;
}

int main(int count, char **arguments)
{
    bool well = true;

    for (int i = 1; i < count; i++)
    {
        struct stat status;
        const bool is_folder = !stat(arguments[i], &status) && S_ISDIR(status.st_mode);

        well = (is_folder ? run_folder(arguments[i]) : run_file(arguments[i])) && well;
    }
    printf("%lu inputs\n", files_run);
    return well && files_run ? 0 : 1;
}
