#include "base/gzip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"

#define STEP        ((size_t)1 << 20)
#define GZIP_WINDOW (15 + 16) /* the largest window; gzip's header and end */

static bool is_gzip(const char *bytes, size_t n)
{
    return n >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

/* Unpacks one piece into `out`, and says by *done that the file ended well. */
static dip_status step(z_stream *z, unsigned char *out, size_t room,
                       size_t *made, bool *done, dip_err *err)
{
    z->next_out = out;
    z->avail_out = (uInt)room;
    int code = inflate(z, Z_NO_FLUSH);
    *made = room - z->avail_out;
    if (code == Z_MEM_ERROR)
        return dip_no_memory(err);
    if (code == Z_STREAM_END && z->avail_in > 0)
        code = inflateReset(z); /* another member follows */
    else
        *done = code == Z_STREAM_END;
    if (code == Z_BUF_ERROR ||
        (code == Z_OK && z->avail_in == 0 && !*done && z->avail_out > 0))
        return dip_fail(err, DIP_EFORMAT, "gzip data end early");
    if (code != Z_OK && code != Z_STREAM_END)
        return dip_fail(err, DIP_EFORMAT, "damaged gzip data: %s",
                        z->msg != NULL ? z->msg : "no reason given");
    return DIP_OK;
}

static dip_status unpack(char **out, size_t *len, z_stream *z, size_t limit,
                         dip_err *err)
{
    size_t capacity = 0, made = 0;
    bool done = false;
    dip_status st = DIP_OK;
    for (*len = 0; st == DIP_OK && !done; *len += made) {
        made = 0;
        st = dip_reserve(out, &capacity, *len + STEP + 1, 1, err);
        if (st == DIP_OK)
            st = step(z, (unsigned char *)*out + *len, STEP, &made, &done, err);
        if (st == DIP_OK && *len + made > limit)
            st = dip_fail(err, DIP_ERANGE,
                          "gzip data unpack to more than %zu bytes", limit);
    }
    if (st == DIP_OK)
        (*out)[*len] = '\0';
    return st;
}

dip_status dip_gzip_read(char **out, size_t *len, const char *path,
                         size_t limit, dip_err *err)
{
    char *packed;
    size_t n;
    *out = NULL;
    dip_status st = dip_file_read(&packed, &n, path, limit, err);
    if (st != DIP_OK)
        return st;
    if (!is_gzip(packed, n)) {
        *out = packed;
        *len = n;
        return DIP_OK;
    }
    z_stream z = {.next_in = (unsigned char *)packed, .avail_in = (uInt)n};
    if (n > UINT32_MAX)
        st = dip_fail(err, DIP_ERANGE, "gzip file of more than 4 GiB");
    else if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        st = dip_no_memory(err);
    if (st == DIP_OK) {
        st = unpack(out, len, &z, limit, err);
        (void)inflateEnd(&z);
    }
    free(packed);
    if (st != DIP_OK) {
        free(*out);
        *out = NULL;
        if (st != DIP_ENOMEM)
            dip_fail_context(err, "'%s'", path);
    }
    return st;
}
