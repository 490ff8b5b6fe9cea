/* SPDX-License-Identifier: MIT */
/*
 * The measured client of scripts/bench.sh: downloads one URL through CoCreateInstance and prints
 * figures, one "name value" a line.
 *
 *   bench_client download CLASS URL PATH   CLASS is do or bits; seconds, complete_seconds,
 *                                          rss_idle_kib, rss_peak_kib
 *   bench_client progress URL PATH         nanoseconds of a file's GetProgress while it downloads
 *   bench_client files COUNT URL PATH      one job of COUNT files, URL and PATH followed by their
 *                                          numbers from 0: seconds from Resume to TRANSFERRED,
 *                                          complete_seconds, all_seconds with what comes before
 *   bench_client many COUNT SHARED URL PATH
 *                                          COUNT downloads (IDODownload) begun at once, URL
 * followed by a number unless SHARED is 1, PATH always; figures as of files, and rss_idle_kib,
 * rss_peak_kib bench_client jobs COUNT                jobs that do nothing, in an empty queue: how
 * many a second are created and cancelled, milliseconds of EnumJobs and Next over all, bytes of
 * memory for each; then, after the last Release, 1 or 0 for whether the module can be unloaded and
 * its threads are gone
 */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>
#include <objbase.h>
#include <psapi.h>
#include <tlhelp32.h>

#include "DeliveryOptimization.h"

/* BITS proper, for comparison. */
static const CLSID bits_class = {
    0x4991d34b, 0x80a1, 0x4291, {0x83, 0xb6, 0x33, 0x28, 0x36, 0x6b, 0x90, 0x97}};

/* The longest URL or path with its number. */
#define NAME_LENGTH 300

/* How long the module may take to end after the last Release. */
#define UNLOAD_LIMIT_S 10.0

static double now(void)
{
    LARGE_INTEGER count;
    LARGE_INTEGER frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}

static unsigned long working_set_kib(void)
{
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof(counters)};

    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters)))
        return 0;
    return (unsigned long)(counters.WorkingSetSize / 1024);
}

/* Threads of this process; 0 when that is not known. */
static unsigned long count_threads(void)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry = {.dwSize = sizeof(entry)};
    unsigned long count = 0;

    if (snapshot == INVALID_HANDLE_VALUE)
        return 0;
    for (BOOL is_one = Thread32First(snapshot, &entry); is_one;
         is_one = Thread32Next(snapshot, &entry))
    {
        if (entry.th32OwnerProcessID == GetCurrentProcessId())
            count++;
    }
    CloseHandle(snapshot);
    return count;
}

static HRESULT create_manager(
    const CLSID *class_id, DWORD context, IBackgroundCopyManager **manager)
{
    return CoCreateInstance(
        class_id, NULL, context, &IID_IBackgroundCopyManager, (void **)(void *)manager);
}

static HRESULT start(
    const WCHAR *class_name, const WCHAR *url, const WCHAR *path, IBackgroundCopyJob **job)
{
    const CLSID *class_id = wcscmp(class_name, L"bits") ? &CLSID_DeliveryOptimization : &bits_class;
    DWORD context = wcscmp(class_name, L"bits") ? CLSCTX_INPROC_SERVER : CLSCTX_LOCAL_SERVER;
    IBackgroundCopyManager *manager;
    GUID id;
    HRESULT hr;

    *job = NULL;
    if (FAILED(hr = create_manager(class_id, context, &manager)))
        return hr;
    hr = IBackgroundCopyManager_CreateJob(manager, L"bench", BG_JOB_TYPE_DOWNLOAD, &id, job);
    IBackgroundCopyManager_Release(manager);
    if (FAILED(hr))
        return hr;
    (void)IBackgroundCopyJob_SetPriority(*job, BG_JOB_PRIORITY_FOREGROUND);
    return IBackgroundCopyJob_AddFile(*job, url, path);
}

static BOOL is_running(IBackgroundCopyJob *job)
{
    BG_JOB_STATE state = BG_JOB_STATE_ERROR;

    return SUCCEEDED(IBackgroundCopyJob_GetState(job, &state)) &&
           (state == BG_JOB_STATE_QUEUED || state == BG_JOB_STATE_CONNECTING ||
               state == BG_JOB_STATE_TRANSFERRING);
}

/* The end of a job that should have gone well. Complete would take what an ERROR job has, too. */
static HRESULT complete(IBackgroundCopyJob *job)
{
    BG_JOB_STATE state;
    HRESULT hr = IBackgroundCopyJob_GetState(job, &state);

    if (SUCCEEDED(hr) && state != BG_JOB_STATE_TRANSFERRED)
        hr = E_FAIL;
    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_Complete(job);
    else
        (void)IBackgroundCopyJob_Cancel(job);
    return hr;
}

static HRESULT download(const WCHAR *class_name, const WCHAR *url, const WCHAR *path)
{
    unsigned long idle;
    unsigned long peak = 0;
    IBackgroundCopyJob *job;
    double began;
    double transferred;
    HRESULT hr = start(class_name, url, path, &job);

    if (FAILED(hr))
        return hr;
    idle = working_set_kib();
    began = now();
    hr = IBackgroundCopyJob_Resume(job);
    while (SUCCEEDED(hr) && is_running(job))
    {
        unsigned long current = working_set_kib();

        peak = current > peak ? current : peak;
        Sleep(5);
    }
    transferred = now();
    if (SUCCEEDED(hr))
        hr = complete(job);
    printf("seconds %.6f\ncomplete_seconds %.6f\nrss_idle_kib %lu\nrss_peak_kib %lu\n",
        transferred - began, now() - began, idle, peak);
    IBackgroundCopyJob_Release(job);
    return hr;
}

static HRESULT measure_progress(const WCHAR *url, const WCHAR *path)
{
    IEnumBackgroundCopyFiles *files = NULL;
    IBackgroundCopyFile *file = NULL;
    BG_FILE_PROGRESS progress = {0};
    unsigned long long calls = 0;
    double worst = 0;
    double spent = 0;
    IBackgroundCopyJob *job;
    HRESULT hr = start(L"do", url, path, &job);

    if (FAILED(hr) || FAILED(hr = IBackgroundCopyJob_EnumFiles(job, &files)) ||
        FAILED(hr = IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL)) ||
        FAILED(hr = IBackgroundCopyJob_Resume(job)))
        return hr;
    while (is_running(job))
    {
        double began = now();
        double took;

        for (int i = 0; i < 1000; i++)
            (void)IBackgroundCopyFile_GetProgress(file, &progress);
        took = now() - began;
        spent += took;
        calls += 1000;
        worst = took > worst ? took : worst;
        Sleep(1);
    }
    printf("getprogress_ns %.1f\ngetprogress_calls %llu\ngetprogress_worst_1000_us %.1f\n",
        spent / (double)calls * 1e9, calls, worst * 1e6);
    IBackgroundCopyFile_Release(file);
    IEnumBackgroundCopyFiles_Release(files);
    hr = complete(job);
    IBackgroundCopyJob_Release(job);
    return hr;
}

/* text followed by number; false when that is too long. */
static BOOL make_numbered(const WCHAR *text, unsigned long number, WCHAR *out, size_t size)
{
    return _snwprintf(out, size, L"%ls%lu", text, number) > 0 && !out[size - 1];
}

static HRESULT add_files(
    IBackgroundCopyJob *job, unsigned long count, const WCHAR *url, const WCHAR *path)
{
    BG_FILE_INFO *infos = calloc(count, sizeof(*infos));
    WCHAR(*texts)[2][NAME_LENGTH] = calloc(count, sizeof(*texts));
    HRESULT hr = infos && texts ? S_OK : E_OUTOFMEMORY;

    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
    {
        if (!make_numbered(url, i, texts[i][0], NAME_LENGTH) ||
            !make_numbered(path, i, texts[i][1], NAME_LENGTH))
            hr = E_INVALIDARG;
        infos[i].RemoteName = texts[i][0];
        infos[i].LocalName = texts[i][1];
    }
    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_AddFileSet(job, count, infos);
    free(texts);
    free(infos);
    return hr;
}

static HRESULT measure_files(unsigned long count, const WCHAR *url, const WCHAR *path)
{
    IBackgroundCopyManager *manager;
    IBackgroundCopyJob *job;
    double created;
    double began;
    double transferred;
    GUID id;
    HRESULT hr = create_manager(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, &manager);

    if (FAILED(hr))
        return hr;
    created = now();
    hr = IBackgroundCopyManager_CreateJob(manager, L"bench", BG_JOB_TYPE_DOWNLOAD, &id, &job);
    IBackgroundCopyManager_Release(manager);
    if (FAILED(hr))
        return hr;
    (void)IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND);
    hr = add_files(job, count, url, path);
    began = now();
    if (SUCCEEDED(hr))
        hr = IBackgroundCopyJob_Resume(job);
    while (SUCCEEDED(hr) && is_running(job))
        Sleep(1);
    transferred = now();
    if (SUCCEEDED(hr))
        hr = complete(job);
    printf("seconds %.6f\ncomplete_seconds %.6f\nall_seconds %.6f\n", transferred - began,
        now() - began, now() - created);
    IBackgroundCopyJob_Release(job);
    return hr;
}

static HRESULT set_text(IDODownload *download, DODownloadProperty id, const WCHAR *text)
{
    VARIANT value = {.vt = VT_BSTR};
    HRESULT hr;

    if (!(value.bstrVal = SysAllocString(text)))
        return E_OUTOFMEMORY;
    hr = IDODownload_SetProperty(download, id, &value);
    SysFreeString(value.bstrVal);
    return hr;
}

static HRESULT create_download(
    IDOManager *manager, const WCHAR *url, const WCHAR *path, IDODownload **download)
{
    const VARIANT yes = {.vt = VT_BOOL, .boolVal = VARIANT_TRUE};
    HRESULT hr = IDOManager_CreateDownload(manager, download);

    if (SUCCEEDED(hr) && SUCCEEDED(hr = set_text(*download, DODownloadProperty_Uri, url)) &&
        SUCCEEDED(hr = set_text(*download, DODownloadProperty_LocalPath, path)))
        hr = IDODownload_SetProperty(*download, DODownloadProperty_ForegroundPriority, &yes);
    return hr;
}

static HRESULT create_downloads(IDOManager *manager, unsigned long count, BOOL shared,
    const WCHAR *url, const WCHAR *path, IDODownload **downloads)
{
    WCHAR urls[NAME_LENGTH];
    WCHAR paths[NAME_LENGTH];
    HRESULT hr = S_OK;

    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
    {
        if (!make_numbered(url, i, urls, NAME_LENGTH) ||
            !make_numbered(path, i, paths, NAME_LENGTH))
            return E_INVALIDARG;
        hr = create_download(manager, shared ? url : urls, paths, &downloads[i]);
    }
    return hr;
}

/* Until every download is there; an error that comes by itself pauses a download. */
static HRESULT wait_for_downloads(
    IDODownload **downloads, unsigned long count, unsigned long *peak_kib)
{
    DO_DOWNLOAD_STATUS status = {0};
    HRESULT hr = S_OK;

    *peak_kib = 0;
    for (unsigned long i = 0; i < count && SUCCEEDED(hr);)
    {
        unsigned long current;

        if (FAILED(hr = IDODownload_GetStatus(downloads[i], &status)))
            break;
        if (status.State == DODownloadState_Transferred)
        {
            i++;
            continue;
        }
        if (status.State != DODownloadState_Transferring)
            return FAILED(status.Error) ? status.Error : E_UNEXPECTED;
        current = working_set_kib();
        *peak_kib = current > *peak_kib ? current : *peak_kib;
        Sleep(1);
    }
    return hr;
}

static HRESULT measure_downloads(IDOManager *manager, unsigned long count, BOOL shared,
    const WCHAR *url, const WCHAR *path, IDODownload **downloads)
{
    unsigned long idle_kib = working_set_kib();
    unsigned long peak_kib = 0;
    double created = now();
    double began;
    double transferred;
    HRESULT hr = create_downloads(manager, count, shared, url, path, downloads);

    began = now();
    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
        hr = IDODownload_Start(downloads[i], NULL);
    if (SUCCEEDED(hr))
        hr = wait_for_downloads(downloads, count, &peak_kib);
    transferred = now();
    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
        hr = IDODownload_Finalize(downloads[i]);
    printf("seconds %.6f\ncomplete_seconds %.6f\nall_seconds %.6f\n", transferred - began,
        now() - began, now() - created);
    printf("rss_idle_kib %lu\nrss_peak_kib %lu\n", idle_kib, peak_kib);
    return hr;
}

static HRESULT measure_many(unsigned long count, BOOL shared, const WCHAR *url, const WCHAR *path)
{
    IDODownload **downloads = calloc(count, sizeof(IDODownload *));
    IDODownload *first = NULL;
    IDOManager *manager;
    HRESULT hr;

    if (!downloads)
        return E_OUTOFMEMORY;
    hr = CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER, &IID_IDOManager,
        (void **)(void *)&manager);
    if (SUCCEEDED(hr))
    {
        /* The engine starts with the first, which is not what is measured. */
        if (SUCCEEDED(hr = IDOManager_CreateDownload(manager, &first)))
        {
            hr = measure_downloads(manager, count, shared, url, path, downloads);
            (void)IDODownload_Abort(first);
            IDODownload_Release(first);
        }
        for (unsigned long i = 0; i < count && downloads[i]; i++)
            IDODownload_Release(downloads[i]);
        IDOManager_Release(manager);
    }
    free(downloads);
    return hr;
}

/* Walks through the whole queue, one job at a time as most clients do. */
static HRESULT walk_queue(IBackgroundCopyManager *manager, BOOL cancels, unsigned long *count)
{
    IEnumBackgroundCopyJobs *jobs;
    IBackgroundCopyJob *job;
    HRESULT hr = IBackgroundCopyManager_EnumJobs(manager, 0, &jobs);

    *count = 0;
    if (FAILED(hr))
        return hr;
    while (SUCCEEDED(hr) && IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL) == S_OK)
    {
        if (cancels)
            hr = IBackgroundCopyJob_Cancel(job);
        IBackgroundCopyJob_Release(job);
        ++*count;
    }
    IEnumBackgroundCopyJobs_Release(jobs);
    return hr;
}

static HRESULT create_jobs(IBackgroundCopyManager *manager, unsigned long count)
{
    IBackgroundCopyJob *job;
    HRESULT hr = S_OK;
    GUID id;

    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
    {
        hr = IBackgroundCopyManager_CreateJob(manager, L"bench", BG_JOB_TYPE_DOWNLOAD, &id, &job);
        if (SUCCEEDED(hr))
            IBackgroundCopyJob_Release(job);
    }
    return hr;
}

typedef HRESULT(STDAPICALLTYPE *can_unload_now_fn)(void);

/* The function of the module that an object's code is in; not a reference on the module. */
static can_unload_now_fn find_can_unload_now(IBackgroundCopyManager *manager)
{
    HMODULE module = NULL;

    if (!GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
            (const WCHAR *)(const void *)manager->lpVtbl, &module))
        return NULL;
    /* By way of a function without a prototype, since GetProcAddress knows no types. */
    return (can_unload_now_fn)(void (*)(void))GetProcAddress(module, "DllCanUnloadNow");
}

/* After the last Release: the module must let itself be unloaded, and leave no thread behind. */
static HRESULT check_end(can_unload_now_fn can_unload_now, unsigned long threads_before)
{
    const double until = now() + UNLOAD_LIMIT_S;
    HRESULT hr = can_unload_now();
    unsigned long threads;

    while (hr == S_FALSE && now() < until)
    {
        Sleep(5);
        hr = can_unload_now();
    }
    printf("jobs_can_unload %d\n", hr == S_OK);
    if (hr != S_OK)
        return FAILED(hr) ? hr : E_UNEXPECTED;
    /* From here on the function may be gone. */
    CoFreeUnusedLibrariesEx(0, 0);
    while ((threads = count_threads()) > threads_before && now() < until)
        Sleep(5);
    printf("jobs_threads_back %d\n", threads && threads <= threads_before);
    if (!threads || threads > threads_before)
    {
        fprintf(stderr, "bench_client: %lu threads, %lu before\n", threads, threads_before);
        return E_UNEXPECTED;
    }
    return S_OK;
}

/* The memory is the working set: Wine tells of no other. */
static HRESULT measure_jobs(unsigned long count)
{
    const unsigned long threads = count_threads();
    can_unload_now_fn can_unload_now;
    IBackgroundCopyManager *manager;
    unsigned long before_kib;
    unsigned long after_kib;
    unsigned long found;
    double began;
    HRESULT hr = create_manager(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, &manager);

    if (FAILED(hr) || FAILED(hr = walk_queue(manager, TRUE, &found)))
        return hr;
    if (!(can_unload_now = find_can_unload_now(manager)))
        return E_UNEXPECTED;
    /* What the first job brings with it once is not counted. */
    hr = create_jobs(manager, 100);
    before_kib = working_set_kib();
    began = now();
    if (SUCCEEDED(hr))
        hr = create_jobs(manager, count);
    printf("jobs_created_per_s %.0f\n", (double)count / (now() - began));
    after_kib = working_set_kib();
    printf("jobs_bytes_each %.0f\n", ((double)after_kib - before_kib) * 1024 / (double)count);
    for (int i = 0; i < 2 && SUCCEEDED(hr); i++)
    {
        began = now();
        hr = walk_queue(manager, FALSE, &found);
        printf("%s %.2f\n", i ? "jobs_enum_again_ms" : "jobs_enum_ms", (now() - began) * 1e3);
    }
    if (SUCCEEDED(hr) && found < count)
        hr = E_UNEXPECTED;
    began = now();
    if (SUCCEEDED(hr))
        hr = walk_queue(manager, TRUE, &found);
    printf("jobs_cancelled_per_s %.0f\n", (double)found / (now() - began));
    IBackgroundCopyManager_Release(manager);
    return SUCCEEDED(hr) ? check_end(can_unload_now, threads) : hr;
}

/* What a process begins with that finds a long queue: the first call, and jobs by their ids. */
static HRESULT measure_start(void)
{
    IBackgroundCopyManager *manager;
    IEnumBackgroundCopyJobs *jobs = NULL;
    IBackgroundCopyJob *job;
    static GUID ids[1000];
    unsigned long count = 0;
    double longest = 0;
    double began = now();
    double asked;
    HRESULT hr = create_manager(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, &manager);

    if (FAILED(hr))
        return hr;
    hr = IBackgroundCopyManager_EnumJobs(manager, 0, &jobs);
    printf("queue_start_ms %.1f\n", (now() - began) * 1e3);
    while (SUCCEEDED(hr) && count < ARRAYSIZE(ids) &&
           IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL) == S_OK)
    {
        hr = IBackgroundCopyJob_GetId(job, &ids[count++]);
        IBackgroundCopyJob_Release(job);
    }
    if (jobs)
        IEnumBackgroundCopyJobs_Release(jobs);
    for (unsigned long i = 0; i < count && SUCCEEDED(hr); i++)
    {
        asked = now();
        hr = IBackgroundCopyManager_GetJob(manager, &ids[i], &job);
        if (now() - asked > longest)
            longest = now() - asked;
        if (SUCCEEDED(hr))
            IBackgroundCopyJob_Release(job);
    }
    printf("queue_get_longest_ms %.3f\n", longest * 1e3);
    IBackgroundCopyManager_Release(manager);
    return SUCCEEDED(hr) && !count ? E_UNEXPECTED : hr;
}

static HRESULT change_queue(unsigned long count)
{
    IBackgroundCopyManager *manager;
    HRESULT hr = create_manager(&CLSID_DeliveryOptimization, CLSCTX_INPROC_SERVER, &manager);
    unsigned long found;

    if (FAILED(hr))
        return hr;
    hr = count ? create_jobs(manager, count) : walk_queue(manager, TRUE, &found);
    IBackgroundCopyManager_Release(manager);
    return hr;
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    HRESULT hr = E_INVALIDARG;

    if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)))
        return 1;
    if (argc == 5 && !wcscmp(argv[1], L"download"))
        hr = download(argv[2], argv[3], argv[4]);
    else if (argc == 4 && !wcscmp(argv[1], L"progress"))
        hr = measure_progress(argv[2], argv[3]);
    else if (argc == 5 && !wcscmp(argv[1], L"files"))
        hr = measure_files(wcstoul(argv[2], NULL, 10), argv[3], argv[4]);
    else if (argc == 6 && !wcscmp(argv[1], L"many"))
        hr = measure_many(wcstoul(argv[2], NULL, 10), !wcscmp(argv[3], L"1"), argv[4], argv[5]);
    else if (argc == 3 && !wcscmp(argv[1], L"jobs"))
        hr = measure_jobs(wcstoul(argv[2], NULL, 10));
    else if (argc == 3 && !wcscmp(argv[1], L"store"))
        hr = change_queue(wcstoul(argv[2], NULL, 10));
    else if (argc == 2 && !wcscmp(argv[1], L"start"))
        hr = measure_start();
    else if (argc == 2 && !wcscmp(argv[1], L"clear"))
        hr = change_queue(0);
    CoUninitialize();
    if (FAILED(hr))
        fprintf(stderr, "bench_client: 0x%08lx\n", (unsigned long)hr);
    return SUCCEEDED(hr) ? 0 : 1;
}
