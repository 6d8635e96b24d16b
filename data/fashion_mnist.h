/* Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747): 60,000 and
 * 10,000 grey photos of 28 x 28 in the files of LeCun's MNIST ("idx-ubyte"),
 * plain or compressed by gzip. */
#ifndef DIP_DATA_FASHION_MNIST_H
#define DIP_DATA_FASHION_MNIST_H

#include "base/status.h"
#include "data/photo_set.h"

#define DIP_FASHION_MNIST_CLASSES 10
#define DIP_FASHION_MNIST_VAL     5000

/* The published names; class is in [0, 10). Borrowed, static. */
const char *dip_fashion_mnist_class(int class);

/* Rows train-00000 ... and test-00000 ... with the image as [28, 28, 1]
 * pixels, the text `title` and the label `class`. DIP_EFORMAT for files that
 * are cut, too long, of another shape, or whose counts differ. */
dip_status dip_import_fashion_mnist(dip_import_report *report,
                                    const dip_photo_set_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
