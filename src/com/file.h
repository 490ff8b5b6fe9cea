/* SPDX-License-Identifier: MIT */
/*
 * The file object: one struct; file.c has its vtable IBackgroundCopyFile5, delivery_file.c the
 * other two.
 */
#ifndef DO_COM_FILE_H
#define DO_COM_FILE_H

#include "com/com_object.h"
#include "com/objects.h"

struct file_object
{
    struct com_object object;
    IBackgroundCopyFile5 IBackgroundCopyFile5_iface;
    IDeliveryOptimizationFile IDeliveryOptimizationFile_iface;
    IDeliveryOptimizationFile2 IDeliveryOptimizationFile2_iface;
    struct do_job_file *file;
    struct do_job *job; /* an outer reference: a file lives as long as its job */
};

extern const IDeliveryOptimizationFileVtbl com_delivery_file_vtbl;
extern const IDeliveryOptimizationFile2Vtbl com_delivery_file2_vtbl;

/** A text that get finds, as a CoTaskMemAlloc'ed copy for the client. */
HRESULT com_file_get_text(
    struct do_job_file *file, HRESULT (*get)(struct do_job_file *file, char **text), WCHAR **text);

#endif
