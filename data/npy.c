#include "data/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* Magic, version, length of what follows; then a dictionary that is filled up
 * so that the numbers start at a multiple of 64. */
enum { PREFIX = 10, HEAD = 128 };

struct dip_npy {
    dip_file_writer *file;
};

static dip_status write_head(dip_npy *npy, const char *type, int64_t rows,
                             int64_t width, dip_err *err)
{
    char text[HEAD + 1], head[HEAD] = "\x93NUMPY\x01\x00";
    int n = snprintf(text, sizeof text,
                     "{'descr': '%s', 'fortran_order': False, 'shape': "
                     "(%lld, %lld), }",
                     type, (long long)rows, (long long)width);
    if (n < 0 || n >= HEAD - PREFIX)
        return dip_fail(err, DIP_ERANGE, "%lld rows of %lld numbers for .npy",
                        (long long)rows, (long long)width);
    head[8] = HEAD - PREFIX;
    memset(head + PREFIX, ' ', HEAD - PREFIX - 1);
    head[HEAD - 1] = '\n';
    memcpy(head + PREFIX, text, (size_t)n);
    return dip_npy_add(npy, head, sizeof head, err);
}

dip_status dip_npy_open(dip_npy **out, const char *path, const char *type,
                        int64_t rows, int64_t width, dip_err *err)
{
    *out = NULL;
    dip_npy *npy = dip_calloc(1, sizeof *npy);
    if (npy == NULL)
        return dip_no_memory(err);
    dip_status st = dip_file_writer_open(&npy->file, path, err);
    if (st == DIP_OK)
        st = write_head(npy, type, rows, width, err);
    if (st != DIP_OK) {
        dip_npy_close(npy);
        return st;
    }
    *out = npy;
    return DIP_OK;
}

dip_status dip_npy_add(dip_npy *npy, const void *values, size_t bytes,
                       dip_err *err)
{
    FILE *stream = dip_file_writer_stream(npy->file);
    if (bytes > 0 && fwrite(values, bytes, 1, stream) != 1)
        return dip_fail(err, DIP_EIO, "cannot write '%s'",
                        dip_file_writer_path(npy->file));
    return DIP_OK;
}

dip_status dip_npy_commit(dip_npy *npy, dip_err *err)
{
    return dip_file_writer_commit(npy->file, err);
}

void dip_npy_close(dip_npy *npy)
{
    if (npy == NULL)
        return;
    dip_file_writer_close(npy->file);
    free(npy);
}
