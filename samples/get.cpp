/* SPDX-License-Identifier: MIT */
/*
 * The smallest honest client in C++: downloads URL to PATH and says why when it cannot. Owners
 * release everything on every way out; the job is cancelled unless it was completed.
 *
 *     sample_get_cpp URL PATH
 */
#include <windows.h>
#include <objbase.h>

#include "DeliveryOptimization.h"

#include <shellapi.h>
#include <cstdio>
#include <string>

namespace
{

struct Failure
{
    HRESULT hr;
    const char *what;
};

void check(HRESULT hr, const char *what)
{
    if (FAILED(hr))
        throw Failure{hr, what};
}

/* Owns one reference. */
template <class Interface> struct Com
{
    Com() = default;
    Com(const Com &) = delete;
    Com &operator=(const Com &) = delete;
    ~Com()
    {
        if (pointer)
            pointer->Release();
    }
    Interface *operator->() const
    {
        return pointer;
    }

    Interface *pointer = nullptr;
};

/* The apartment of this thread; ends after the objects that are declared later. */
struct Apartment
{
    Apartment()
    {
        check(CoInitializeEx(nullptr, COINIT_MULTITHREADED), "CoInitializeEx");
    }
    Apartment(const Apartment &) = delete;
    ~Apartment()
    {
        CoUninitialize();
    }
};

/* A job lives in the queue, not in our reference: who does not complete it must cancel it. */
struct Job : Com<IBackgroundCopyJob>
{
    ~Job()
    {
        if (pointer && !completed)
            (*this)->Cancel();
    }
    bool completed = false;
};

[[noreturn]] void throw_job_error(const Job &job)
{
    Com<IBackgroundCopyError> error;
    BG_ERROR_CONTEXT context = BG_ERROR_CONTEXT_NONE;
    HRESULT code = E_FAIL;
    LPWSTR text = nullptr;

    check(job->GetError(&error.pointer), "GetError");
    check(error->GetError(&context, &code), "IBackgroundCopyError::GetError");
    if (SUCCEEDED(error->GetErrorDescription(LANG_NEUTRAL, &text)))
        std::fprintf(stderr, "%ls\n", text);
    CoTaskMemFree(text);
    throw Failure{code, "download"};
}

void get(LPCWSTR url, LPCWSTR path)
{
    Com<IBackgroundCopyManager> manager;
    Job job;
    GUID id = {};
    BG_JOB_STATE state = BG_JOB_STATE_SUSPENDED;

    check(CoCreateInstance(CLSID_DeliveryOptimization, nullptr, CLSCTX_INPROC_SERVER,
              IID_IBackgroundCopyManager, reinterpret_cast<void **>(&manager.pointer)),
        "CoCreateInstance (is dosvc.dll registered?)");
    check(manager->CreateJob(L"sample", BG_JOB_TYPE_DOWNLOAD, &id, &job.pointer), "CreateJob");
    check(job->SetPriority(BG_JOB_PRIORITY_FOREGROUND), "SetPriority");
    check(job->SetNoProgressTimeout(60), "SetNoProgressTimeout");
    check(job->AddFile(url, path), "AddFile");
    check(job->Resume(), "Resume");
    while (state != BG_JOB_STATE_TRANSFERRED)
    {
        Sleep(100); /* TRANSIENT_ERROR too: the server tries again by itself */
        check(job->GetState(&state), "GetState");
        if (state == BG_JOB_STATE_ERROR)
            throw_job_error(job);
        if (state == BG_JOB_STATE_CANCELLED)
            throw Failure{HRESULT_FROM_WIN32(ERROR_CANCELLED), "download"};
    }
    check(job->Complete(), "Complete"); /* only now does the file get its name */
    job.completed = true;
}

std::wstring full_path(LPCWSTR relative)
{
    std::wstring path(GetFullPathNameW(relative, 0, nullptr, nullptr), L'\0');

    path.resize(GetFullPathNameW(relative, static_cast<DWORD>(path.size()), path.data(), nullptr));
    return path;
}

} // namespace

int main()
try
{
    int count = 0;
    LPWSTR *arguments = CommandLineToArgvW(GetCommandLineW(), &count);

    if (!arguments || count != 3)
    {
        std::fprintf(stderr, "usage: sample_get_cpp URL PATH\n");
        return 1;
    }
    Apartment apartment;
    get(arguments[1], full_path(arguments[2]).c_str());
    return 0; /* arguments go with the process */
}
catch (const Failure &failure)
{
    std::fprintf(stderr, "%s: 0x%08lX\n", failure.what, static_cast<unsigned long>(failure.hr));
    return 1;
}
