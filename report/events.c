#include "report/events.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "report/crc32c.h"

#define SAME_NAMES 1000 /* files begun in one second by one process */

struct dip_events {
    FILE *file;
    char *path;
    dip_str record; /* the one being written; kept for its memory */
};

/* ---- protocol buffers ---------------------------------------------------- */

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { EVENT_WALL_TIME = 1, EVENT_STEP, EVENT_FILE_VERSION, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1 };
enum { VALUE_TAG = 1, VALUE_SIMPLE };

static void add_little_endian(dip_str *out, uint64_t bits, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(bits >> (8 * i) & 0xff);
        dip_str_add_n(out, &byte, 1);
    }
}

static void add_varint(dip_str *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        add_little_endian(out, (value & 0x7f) | 0x80, 1);
    add_little_endian(out, value, 1);
}

static void add_key(dip_str *out, unsigned field, unsigned wire)
{
    add_varint(out, field << 3 | wire);
}

static void add_bytes(dip_str *out, unsigned field, const void *bytes, size_t n)
{
    add_key(out, field, WIRE_BYTES);
    add_varint(out, n);
    dip_str_add_n(out, bytes, n);
}

static void add_nested(dip_str *out, unsigned field, dip_str *message)
{
    add_bytes(out, field, dip_str_text(message), message->len);
    out->failed |= message->failed;
}

static void add_double(dip_str *out, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_key(out, field, WIRE_64);
    add_little_endian(out, bits, 8);
}

static void add_float(dip_str *out, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_key(out, field, WIRE_32);
    add_little_endian(out, bits, 4);
}

/* ---- records ------------------------------------------------------------- */

/* A checksum of data that holds checksums is weak, so they are stored turned
 * round and shifted. */
static void add_checksum(dip_str *out, const void *bytes, size_t n)
{
    uint32_t crc = dip_crc32c(bytes, n);
    add_little_endian(out, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

static void add_record(dip_str *out, const dip_str *data)
{
    dip_str length = {0};
    add_little_endian(&length, data->len, 8);
    dip_str_add_n(out, dip_str_text(&length), length.len);
    add_checksum(out, dip_str_text(&length), length.len);
    dip_str_add_n(out, dip_str_text(data), data->len);
    add_checksum(out, dip_str_text(data), data->len);
    out->failed |= data->failed || length.failed;
    dip_str_free(&length);
}

void dip_events_add_version(dip_str *out, double wall_time)
{
    static const char version[] = "brain.Event:2";
    dip_str event = {0};
    add_double(&event, EVENT_WALL_TIME, wall_time);
    add_bytes(&event, EVENT_FILE_VERSION, version, sizeof version - 1);
    add_record(out, &event);
    dip_str_free(&event);
}

void dip_events_add_scalar(dip_str *out, double wall_time, const char *tag,
                           int64_t step, double value)
{
    dip_str point = {0}, summary = {0}, event = {0};
    add_bytes(&point, VALUE_TAG, tag, strlen(tag));
    add_float(&point, VALUE_SIMPLE, (float)value);
    add_nested(&summary, SUMMARY_VALUE, &point);
    add_double(&event, EVENT_WALL_TIME, wall_time);
    if (step != 0) { /* proto3 leaves defaults out */
        add_key(&event, EVENT_STEP, WIRE_VARINT);
        add_varint(&event, (uint64_t)step);
    }
    add_nested(&event, EVENT_SUMMARY, &summary);
    add_record(out, &event);
    dip_str_free(&event);
    dip_str_free(&summary);
    dip_str_free(&point);
}

/* ---- files --------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Tries one name, which must be new: *taken says that it is not. */
static dip_status create(dip_events *events, bool *taken, const char *dir,
                         const char *name, dip_err *err)
{
    *taken = false;
    free(events->path);
    events->path = dip_path_join(dir, name);
    if (events->path == NULL)
        return dip_no_memory(err);
    events->file = fopen(events->path, "wbxe");
    if (events->file != NULL)
        return DIP_OK;
    *taken = errno == EEXIST;
    return dip_fail(err, DIP_EIO, "cannot make '%s': %s", events->path,
                    strerror(errno));
}

static dip_status create_new(dip_events *events, const char *dir, dip_err *err)
{
    char host[HOST_NAME_MAX + 1] = "";
    char name[HOST_NAME_MAX + 100];
    bool taken = true;
    dip_status st = DIP_OK;
    if (gethostname(host, sizeof host - 1) != 0)
        (void)snprintf(host, sizeof host, "localhost");
    int64_t seconds = (int64_t)now();
    for (int i = 0; i < SAME_NAMES && taken; i++) {
        int n = snprintf(name, sizeof name,
                         "events.out.tfevents.%010" PRId64 ".%s.%d", seconds,
                         host, (int)getpid());
        if (i > 0)
            (void)snprintf(name + n, sizeof name - (size_t)n, ".%d", i);
        st = create(events, &taken, dir, name, err);
    }
    return st;
}

static dip_status write_record(dip_events *events, dip_err *err)
{
    dip_status st = dip_str_status(&events->record, err);
    if (st == DIP_OK && fwrite(events->record.data, 1, events->record.len,
                               events->file) != events->record.len)
        st = dip_fail(err, DIP_EIO, "cannot write '%s': %s", events->path,
                      strerror(errno));
    return st;
}

dip_status dip_events_open(dip_events **out, const char *dir, dip_err *err)
{
    *out = NULL;
    dip_events *events = dip_calloc(1, sizeof *events);
    if (events == NULL)
        return dip_no_memory(err);
    dip_status st = create_new(events, dir, err);
    if (st == DIP_OK) {
        dip_events_add_version(&events->record, now());
        st = write_record(events, err);
    }
    if (st == DIP_OK)
        st = dip_events_flush(events, err);
    if (st != DIP_OK) {
        dip_events_close(events);
        return st;
    }
    *out = events;
    return DIP_OK;
}

dip_status dip_events_scalar(dip_events *events, const char *tag, int64_t step,
                             double value, dip_err *err)
{
    size_t bad;
    if (!dip_utf8_valid(tag, strlen(tag), &bad))
        return dip_fail(err, DIP_EFORMAT,
                        "tag is not UTF-8 at byte %zu for '%s'", bad,
                        events->path);
    dip_str_clear(&events->record);
    dip_events_add_scalar(&events->record, now(), tag, step, value);
    return write_record(events, err);
}

dip_status dip_events_flush(dip_events *events, dip_err *err)
{
    if (fflush(events->file) != 0)
        return dip_fail(err, DIP_EIO, "cannot write '%s': %s", events->path,
                        strerror(errno));
    return DIP_OK;
}

void dip_events_close(dip_events *events)
{
    if (events == NULL)
        return;
    if (events->file != NULL)
        (void)fclose(events->file);
    free(events->path);
    dip_str_free(&events->record);
    free(events);
}
