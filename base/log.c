#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct dip_log {
    char *path;
    FILE *stream;
};

/* Cuts what follows the last line end. Lines are short: the tail is sought
 * backwards byte by byte. */
static dip_status cut_torn_line(FILE *stream, const char *path, dip_err *err)
{
    if (fseeko(stream, 0, SEEK_END) != 0)
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                        strerror(errno));
    off_t size = ftello(stream);
    off_t keep = size;
    for (; keep > 0; keep--) {
        if (fseeko(stream, keep - 1, SEEK_SET) != 0)
            return dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                            strerror(errno));
        if (fgetc(stream) == '\n')
            break;
    }
    if (keep < size && ftruncate(fileno(stream), keep) != 0)
        return dip_fail(err, DIP_EIO, "cannot write '%s': %s", path,
                        strerror(errno));
    return DIP_OK;
}

dip_status dip_log_open(dip_log **out, const char *path, dip_err *err)
{
    *out = NULL;
    dip_log *log = dip_calloc(1, sizeof *log);
    if (log == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    log->path = dip_strdup(path);
    if (log->path == NULL) {
        st = dip_no_memory(err);
        goto close_log;
    }
    log->stream = fopen(path, "a+be");
    if (log->stream == NULL) {
        st = dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                      strerror(errno));
        goto close_log;
    }
    st = cut_torn_line(log->stream, path, err);
    if (st != DIP_OK)
        goto close_log;
    *out = log;
    log = NULL;
close_log:
    dip_log_close(log);
    return st;
}

dip_status dip_log_write(dip_log *log, const json_t *object, dip_err *err)
{
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (line == NULL)
        return dip_no_memory(err);
    bool written =
        fprintf(log->stream, "%s\n", line) > 0 && fflush(log->stream) == 0;
    free(line);
    if (!written)
        return dip_fail(err, DIP_EIO, "cannot write '%s': %s", log->path,
                        strerror(errno));
    return DIP_OK;
}

void dip_log_close(dip_log *log)
{
    if (log == NULL)
        return;
    if (log->stream != NULL)
        (void)fclose(log->stream); /* every line was flushed */
    free(log->path);
    free(log);
}
