/* Little-endian machines only, as all that libtorch supports here are: elements
 * are copied as they lie in memory. */
#include "tensor/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define PREFIX_SIZE 8                    /* the header's length */
#define HEADER_MAX  (100u * 1000 * 1000) /* as in the reference reader */
#define COMMAS_MAX  (2u << 20) /* of the header; 300,000 tensors have fewer */
#define DIMS_MAX    16
#define METADATA    "__metadata__"

typedef struct {
    const char *name; /* the header's */
    dip_dtype dtype;
    int ndim;
    int64_t sizes[DIMS_MAX];
    size_t begin, end; /* bytes from the start of the data */
} entry;

struct dip_safetensors {
    unsigned char *map;
    size_t map_size;
    const unsigned char *data; /* inside the map, behind the header */
    size_t data_size;
    json_t *header;
    const json_t *metadata; /* the header's, or NULL */
    entry *entries;
    int count;
};

/* ---- reading ------------------------------------------------------------ */

static dip_status fail_entry(dip_err *err, const char *path, const char *name,
                             const char *problem)
{
    return dip_fail(err, DIP_EFORMAT, "%s of tensor '%.100s' in '%s'", problem,
                    name, path);
}

static dip_status map_fd(dip_safetensors *file, int fd, const char *path,
                         dip_err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return dip_fail(err, DIP_EIO, "not a file: '%s'", path);
    if (info.st_size < PREFIX_SIZE)
        return dip_fail(err, DIP_EFORMAT,
                        "only %lld bytes, too few for a header, in '%s'",
                        (long long)info.st_size, path);
    size_t size = (size_t)info.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return dip_fail(err, DIP_EIO, "cannot map '%s': %s", path,
                        strerror(errno));
    file->map = map;
    file->map_size = size;
    return DIP_OK;
}

static dip_status map_file(dip_safetensors *file, const char *path,
                           dip_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dip_fail(err, errno == ENOENT ? DIP_ENOTFOUND : DIP_EIO,
                        "cannot open '%s': %s", path, strerror(errno));
    dip_status st = map_fd(file, fd, path, err);
    (void)close(fd); /* only read; the map stays */
    return st;
}

static bool is_bomb(const char *text, size_t n)
{
    size_t commas = 0;
    for (size_t i = 0; i < n; i++)
        commas += text[i] == ',';
    return commas > COMMAS_MAX;
}

static dip_status parse_header(dip_safetensors *file, const char *path,
                               dip_err *err)
{
    uint64_t length = 0;
    for (int i = PREFIX_SIZE - 1; i >= 0; i--)
        length = length << 8 | file->map[i];
    if (length > HEADER_MAX)
        return dip_fail(err, DIP_EFORMAT,
                        "header of %llu bytes, more than %u, in '%s'",
                        (unsigned long long)length, HEADER_MAX, path);
    if (length > file->map_size - PREFIX_SIZE)
        return dip_fail(err, DIP_EFORMAT,
                        "header of %llu bytes passes the end of '%s'",
                        (unsigned long long)length, path);
    const char *text = (const char *)file->map + PREFIX_SIZE;
    if (length == 0 || text[0] != '{')
        return dip_fail(err, DIP_EFORMAT, "header starts without '{' in '%s'",
                        path);
    if (is_bomb(text, (size_t)length))
        return dip_fail(err, DIP_EFORMAT,
                        "header with more than %u commas in '%s'", COMMAS_MAX,
                        path);
    json_error_t fault;
    file->header =
        json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &fault);
    if (file->header == NULL)
        return dip_fail(err, DIP_EFORMAT, "header of '%s', byte %d: %s", path,
                        fault.position, fault.text);
    file->data = file->map + PREFIX_SIZE + length;
    file->data_size = file->map_size - PREFIX_SIZE - (size_t)length;
    return DIP_OK;
}

static dip_status check_metadata(dip_safetensors *file, const char *path,
                                 dip_err *err)
{
    json_t *metadata = json_object_get(file->header, METADATA);
    if (metadata == NULL)
        return DIP_OK;
    if (!json_is_object(metadata))
        return dip_fail(err, DIP_EFORMAT, METADATA " is no object in '%s'",
                        path);
    const char *key;
    json_t *value;
    json_object_foreach (metadata, key, value) {
        if (!json_is_string(value))
            return dip_fail(err, DIP_EFORMAT,
                            METADATA " '%.100s' is no string in '%s'", key,
                            path);
    }
    file->metadata = metadata;
    return DIP_OK;
}

static bool parse_dtype(dip_dtype *out, const json_t *value)
{
    const char *name = json_string_value(value);
    for (int i = 0; name != NULL && i < DIP_DTYPE_COUNT; i++) {
        if (strcmp(name, dip_dtype_name((dip_dtype)i)) == 0) {
            *out = (dip_dtype)i;
            return true;
        }
    }
    return false;
}

/* Fills sizes and gives the number of elements. */
static bool parse_shape(entry *e, size_t *numel, const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) > DIMS_MAX)
        return false;
    e->ndim = (int)json_array_size(value);
    *numel = 1;
    for (int i = 0; i < e->ndim; i++) {
        const json_t *size = json_array_get(value, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return false;
        e->sizes[i] = json_integer_value(size);
        if (dip_mul_overflows(*numel, (size_t)e->sizes[i], numel))
            return false;
    }
    return true;
}

static bool parse_offsets(entry *e, const json_t *value, size_t data_size)
{
    if (!json_is_array(value) || json_array_size(value) != 2)
        return false;
    const json_t *begin = json_array_get(value, 0);
    const json_t *end = json_array_get(value, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin))
        return false;
    e->begin = (size_t)json_integer_value(begin);
    e->end = (size_t)json_integer_value(end);
    return e->end <= data_size;
}

static dip_status parse_entry(entry *e, const char *name, const json_t *value,
                              size_t data_size, const char *path, dip_err *err)
{
    *e = (entry){.name = name};
    if (!json_is_object(value) || json_object_size(value) != 3)
        return fail_entry(err, path, name,
                          "not dtype, shape and data_offsets alone");
    size_t numel, bytes;
    if (!parse_dtype(&e->dtype, json_object_get(value, "dtype")))
        return fail_entry(err, path, name, "unsupported dtype");
    if (!parse_shape(e, &numel, json_object_get(value, "shape")))
        return fail_entry(err, path, name, "wrong shape");
    if (!parse_offsets(e, json_object_get(value, "data_offsets"), data_size))
        return fail_entry(err, path, name,
                          "data_offsets that do not lie in the data");
    if (dip_mul_overflows(numel, dip_dtype_size(e->dtype), &bytes) ||
        bytes != e->end - e->begin)
        return fail_entry(err, path, name,
                          "data_offsets that do not fit dtype and shape");
    return DIP_OK;
}

static dip_status parse_entries(dip_safetensors *file, const char *path,
                                dip_err *err)
{
    file->entries =
        dip_calloc(json_object_size(file->header), sizeof *file->entries);
    if (file->entries == NULL)
        return dip_no_memory(err);
    const char *name;
    json_t *value;
    json_object_foreach (file->header, name, value) {
        if (strcmp(name, METADATA) == 0)
            continue;
        dip_status st = parse_entry(&file->entries[file->count], name, value,
                                    file->data_size, path, err);
        if (st != DIP_OK)
            return st;
        file->count++;
    }
    return DIP_OK;
}

static int by_offset(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Sorts the tensors as they lie; they must fill the data without gaps. */
static dip_status check_layout(dip_safetensors *file, const char *path,
                               dip_err *err)
{
    if (file->count > 0)
        qsort(file->entries, (size_t)file->count, sizeof *file->entries,
              by_offset);
    size_t at = 0;
    for (int i = 0; i < file->count; i++) {
        const entry *e = &file->entries[i];
        if (e->begin != at)
            return fail_entry(err, path, e->name,
                              e->begin < at ? "overlapping data"
                                            : "gap before the data");
        at = e->end;
    }
    if (at != file->data_size)
        return dip_fail(err, DIP_EFORMAT,
                        "%zu bytes belong to no tensor at the end of '%s'",
                        file->data_size - at, path);
    return DIP_OK;
}

dip_status dip_safetensors_open(dip_safetensors **out, const char *path,
                                dip_err *err)
{
    *out = NULL;
    dip_safetensors *file = dip_calloc(1, sizeof *file);
    if (file == NULL)
        return dip_no_memory(err);
    dip_status st = map_file(file, path, err);
    if (st == DIP_OK)
        st = parse_header(file, path, err);
    if (st == DIP_OK)
        st = check_metadata(file, path, err);
    if (st == DIP_OK)
        st = parse_entries(file, path, err);
    if (st == DIP_OK)
        st = check_layout(file, path, err);
    if (st != DIP_OK) {
        dip_safetensors_close(file);
        return st;
    }
    *out = file;
    return DIP_OK;
}

void dip_safetensors_close(dip_safetensors *file)
{
    if (file == NULL)
        return;
    free(file->entries);
    json_decref(file->header);
    if (file->map != NULL)
        (void)munmap(file->map, file->map_size);
    free(file);
}

int dip_safetensors_count(const dip_safetensors *file)
{
    return file->count;
}

const char *dip_safetensors_name(const dip_safetensors *file, int i)
{
    return file->entries[i].name;
}

int dip_safetensors_find(const dip_safetensors *file, const char *name)
{
    for (int i = 0; i < file->count; i++) {
        if (strcmp(file->entries[i].name, name) == 0)
            return i;
    }
    return -1;
}

dip_tensor *dip_safetensors_tensor(const dip_safetensors *file, int i)
{
    const entry *e = &file->entries[i];
    const unsigned char *bytes = file->data + e->begin;
    /* Any other byte in a bool is undefined behaviour further on. */
    for (size_t k = 0; e->dtype == DIP_BOOL && k < e->end - e->begin; k++) {
        if (bytes[k] > 1) {
            dip_tensor_fail(DIP_EFORMAT,
                            "byte %zu of tensor '%.100s' is no BOOL", k,
                            e->name);
            return NULL;
        }
    }
    return dip_tensor_from(bytes, e->dtype, e->ndim, e->sizes);
}

const char *dip_safetensors_metadata(const dip_safetensors *file,
                                     const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

/* ---- writing ------------------------------------------------------------ */

/* Adds the tensor to the header; *at moves behind its data. */
static dip_status describe(json_t *header, size_t *at,
                           const dip_named_tensor *named, dip_err *err)
{
    if (named->name == NULL || named->tensor == NULL)
        return dip_fail(err, DIP_EDATA, "a tensor or its name is NULL");
    if (strcmp(named->name, METADATA) == 0 ||
        json_object_get(header, named->name) != NULL)
        return dip_fail(err, DIP_EDATA, "tensor name '%s' is taken",
                        named->name);
    dip_dtype dtype = dip_tensor_dtype(named->tensor);
    size_t numel = (size_t)dip_tensor_numel(named->tensor);
    int ndim = dip_tensor_ndim(named->tensor);
    if (dip_tensor_failed())
        return dip_tensor_status(err);
    if (ndim > DIMS_MAX)
        return dip_fail(err, DIP_ERANGE, "tensor '%s' of %d dimensions",
                        named->name, ndim);
    size_t end = *at + numel * dip_dtype_size(dtype); /* all in memory */
    json_t *shape = json_array();
    for (int i = 0; i < ndim; i++)
        (void)json_array_append_new(
            shape, json_integer(dip_tensor_size(named->tensor, i)));
    json_t *info = json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                             dip_dtype_name(dtype), "shape", shape,
                             "data_offsets", (json_int_t)*at, (json_int_t)end);
    if (json_object_set_new(header, named->name, info) != 0)
        return dip_fail(err, DIP_EDATA, "tensor name '%s' is not UTF-8",
                        named->name);
    *at = end;
    return DIP_OK;
}

static dip_status describe_metadata(json_t *header,
                                    const dip_metadata *metadata, int count,
                                    dip_err *err)
{
    if (count == 0)
        return DIP_OK;
    json_t *object = json_object();
    if (json_object_set_new(header, METADATA, object) != 0)
        return dip_no_memory(err);
    for (int i = 0; i < count; i++) {
        const dip_metadata *m = &metadata[i];
        if (json_object_get(object, m->key) != NULL)
            return dip_fail(err, DIP_EDATA, "two metadata named '%s'", m->key);
        if (json_object_set_new(object, m->key, json_string(m->value)) != 0)
            return dip_fail(err, DIP_EDATA, "metadata '%s' is not UTF-8",
                            m->key);
    }
    return DIP_OK;
}

/* The tensors in the order in which their data are written: larger elements
 * first, so that each lies at a multiple of its element size; otherwise as
 * given. */
static const dip_named_tensor **in_file_order(const dip_named_tensor *tensors,
                                              int count)
{
    const dip_named_tensor **ordered =
        dip_calloc((size_t)count, sizeof(const dip_named_tensor *));
    int filled = 0;
    for (size_t size = 8; ordered != NULL && size > 0; size /= 2) {
        for (int i = 0; i < count && filled < count; i++) {
            dip_tensor *tensor = tensors[i].tensor;
            /* One that is NULL is refused when it is described. */
            size_t own =
                tensor == NULL ? 1 : dip_dtype_size(dip_tensor_dtype(tensor));
            if (own == size)
                ordered[filled++] = &tensors[i];
        }
    }
    return ordered;
}

static void write_header(FILE *stream, const char *text)
{
    size_t length = strlen(text);
    size_t padded = (length + 7) / 8 * 8; /* aligns the data */
    unsigned char prefix[PREFIX_SIZE];
    for (int i = 0; i < PREFIX_SIZE; i++)
        prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i & 0xff);
    (void)fwrite(prefix, 1, sizeof prefix, stream);
    (void)fprintf(stream, "%s%*s", text, (int)(padded - length), "");
}

static void write_tensor(FILE *stream, const dip_tensor *tensor)
{
    dip_scope_open();
    const dip_tensor *plain =
        dip_t_contiguous(dip_t_to_device(dip_t_detach(tensor), DIP_CPU));
    size_t bytes = (size_t)dip_tensor_numel(plain) *
                   dip_dtype_size(dip_tensor_dtype(plain));
    const void *data = dip_tensor_data(plain);
    if (data != NULL)
        (void)fwrite(data, 1, bytes, stream);
    dip_scope_close();
}

/* What could not be written sticks in the stream, and the commit sees it. */
static dip_status write_file(const char *path, const char *header,
                             const dip_named_tensor **tensors, int count,
                             dip_err *err)
{
    dip_file_writer *writer;
    dip_status st = dip_file_writer_open(&writer, path, err);
    if (st != DIP_OK)
        return st;
    FILE *stream = dip_file_writer_stream(writer);
    write_header(stream, header);
    for (int i = 0; i < count; i++)
        write_tensor(stream, tensors[i]->tensor);
    st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_file_writer_commit(writer, err);
    dip_file_writer_close(writer);
    return st;
}

dip_status dip_safetensors_write(const char *path,
                                 const dip_named_tensor *tensors, int count,
                                 const dip_metadata *metadata,
                                 int metadata_count, dip_err *err)
{
    if (dip_tensor_failed())
        return dip_tensor_status(err);
    char *text = NULL;
    json_t *header = json_object();
    const dip_named_tensor **ordered = in_file_order(tensors, count);
    dip_status st = DIP_OK;
    if (header == NULL || ordered == NULL)
        st = dip_no_memory(err);
    else if (dip_tensor_failed()) /* an element type that the format lacks */
        st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = describe_metadata(header, metadata, metadata_count, err);
    size_t at = 0;
    for (int i = 0; st == DIP_OK && i < count; i++)
        st = describe(header, &at, ordered[i], err);
    if (st == DIP_OK) {
        text = json_dumps(header, JSON_COMPACT);
        st = text == NULL ? dip_no_memory(err)
                          : write_file(path, text, ordered, count, err);
    }
    free(text);
    free(ordered);
    json_decref(header);
    return st;
}
