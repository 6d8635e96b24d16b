/* CIFAR-10 (Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009) in its binary version: data_batch_<n>.bin and test_batch.bin,
 * records of a class and 3 x 32 x 32 bytes, red before green before blue. */
#ifndef DIP_DATA_CIFAR10_H
#define DIP_DATA_CIFAR10_H

#include "base/status.h"
#include "data/photo_set.h"

#define DIP_CIFAR10_CLASSES 10
#define DIP_CIFAR10_VAL     5000

/* Rows train-00000 ... of the batches 1, 2, ... as far as there are any, and
 * test-00000 ..., with the image as [32, 32, 3] pixels, the text `title` and
 * the label `class`: the names in batches.meta.txt, or the published ones
 * without that file. DIP_EFORMAT for files that are no whole number of records,
 * classes beyond 9, and other than ten names; DIP_ENOTFOUND where a batch of
 * the published five is missing before another one. */
dip_status dip_import_cifar10(dip_import_report *report,
                              const dip_photo_set_options *options,
                              dip_err *err) DIP_MUST_CHECK;

#endif
