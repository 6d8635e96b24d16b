#include "data/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    CHUNK_ITEMS = 65536,
    CHUNK_BYTES = 1 << 18, /* of rows that are written one after another */
    TEXT_LIMIT = 65536,
    DEFLATE_LEVEL = 4,
    /* No filter of HDF5 shrinks data further than deflate's 1 : 1032; the
     * slack lets small datasets consist of fill values only. */
    RATIO_LIMIT = 1032,
    RATIO_SLACK = 65536
};

static const struct {
    const char *words;
    size_t size;
    H5T_class_t type_class;
    H5T_sign_t sign;
} types[] = {
#define TYPE_ROW(name, words, size, cls, sign) {words, size, cls, sign},
    DIP_H5_TYPE_TABLE(TYPE_ROW)
#undef TYPE_ROW
};

/* IEEE 754 binary16, for which the library has no name: sign 15, exponent 10 to
 * 14, mantissa 0 to 9. */
static hid_t open_half(void)
{
    hid_t type = H5Tcopy(H5T_NATIVE_FLOAT);
    if (type >= 0 && (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 ||
                      H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0)) {
        (void)H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

/* The caller closes it. H5T_NATIVE_… are variables of the library, so no static
 * table of them. */
static hid_t open_native(dip_h5_type type)
{
    switch (type) {
    case DIP_H5_U8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case DIP_H5_I8:
        return H5Tcopy(H5T_NATIVE_INT8);
    case DIP_H5_I32:
        return H5Tcopy(H5T_NATIVE_INT32);
    case DIP_H5_I64:
        return H5Tcopy(H5T_NATIVE_INT64);
    case DIP_H5_F64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case DIP_H5_F16:
        return open_half();
    case DIP_H5_F32:
        break;
    }
    return H5Tcopy(H5T_NATIVE_FLOAT);
}

static void close_type(hid_t type)
{
    if (type >= 0)
        (void)H5Tclose(type);
}

/* The error stack belongs to a thread, so every way in asks for silence. */
static void be_quiet(void)
{
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void close_list(hid_t properties)
{
    if (properties >= 0)
        (void)H5Pclose(properties);
}

/* ---- files ---- */

static dip_status open_with(dip_h5_file *out, const char *path, unsigned flags,
                            dip_err *err)
{
    be_quiet();
    *out = (dip_h5_file){.id = H5I_INVALID_HID, .path = path};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0)
        return dip_no_memory(err);
    /* Read-only mounts without locks must do: nobody writes a file in place. */
    bool ok = H5Pset_file_locking(access, true, true) >= 0;
    if (ok && flags != H5F_ACC_RDONLY)
        ok =
            H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0;
    if (ok)
        out->id = H5Fopen(path, flags, access);
    (void)H5Pclose(access);
    if (out->id < 0)
        return dip_fail(err, DIP_EFORMAT, "not a readable HDF5 file: '%s'",
                        path);
    return DIP_OK;
}

dip_status dip_h5_open(dip_h5_file *out, const char *path, dip_err *err)
{
    return open_with(out, path, H5F_ACC_RDONLY, err);
}

dip_status dip_h5_open_write(dip_h5_file *out, const char *path, dip_err *err)
{
    return open_with(out, path, H5F_ACC_RDWR, err);
}

static dip_status create_with(dip_h5_file *out, const char *path,
                              unsigned flags, dip_err *err)
{
    be_quiet();
    *out = (dip_h5_file){.id = H5I_INVALID_HID, .path = path};
    hid_t create = H5Pcreate(H5P_FILE_CREATE);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* The formats of 1.10 carry checksums on all metadata. Without times equal
     * input makes equal files. */
    if (create >= 0 && access >= 0 &&
        H5Pset_obj_track_times(create, false) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0)
        out->id = H5Fcreate(path, flags, create, access);
    close_list(create);
    close_list(access);
    if (out->id < 0)
        return dip_fail(err, DIP_EIO, "cannot create '%s'", path);
    return DIP_OK;
}

dip_status dip_h5_create(dip_h5_file *out, const char *path, dip_err *err)
{
    return create_with(out, path, H5F_ACC_EXCL, err);
}

dip_status dip_h5_create_over(dip_h5_file *out, const char *path, dip_err *err)
{
    return create_with(out, path, H5F_ACC_TRUNC, err);
}

dip_status dip_h5_finish(dip_h5_file *file, dip_err *err)
{
    be_quiet();
    herr_t flushed = H5Fflush(file->id, H5F_SCOPE_GLOBAL);
    herr_t closed = H5Fclose(file->id);
    file->id = H5I_INVALID_HID;
    if (flushed < 0 || closed < 0)
        return dip_fail(err, DIP_EIO, "cannot finish writing '%s'", file->path);
    return DIP_OK;
}

void dip_h5_close(dip_h5_file *file)
{
    if (file->id >= 0)
        (void)H5Fclose(file->id);
    file->id = H5I_INVALID_HID;
}

/* ---- attributes ---- */

static dip_status bad_attribute(const dip_h5_file *file, const char *name,
                                const char *problem, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "attribute '%s' of '%s' %s", name,
                    file->path, problem);
}

static dip_status attribute_open(hid_t *out, const dip_h5_file *file,
                                 const char *name, dip_err *err)
{
    be_quiet();
    *out = H5I_INVALID_HID;
    if (H5Aexists(file->id, name) <= 0)
        return dip_fail(err, DIP_ENOTFOUND, "no attribute '%s' in '%s'", name,
                        file->path);
    *out = H5Aopen(file->id, name, H5P_DEFAULT);
    if (*out < 0)
        return bad_attribute(file, name, "cannot be read", err);
    return DIP_OK;
}

/* Strings of h5py are of variable length, ours of a fixed one. */
static dip_status read_text(char **out, hid_t attribute, hid_t type,
                            const dip_h5_file *file, const char *name,
                            dip_err *err)
{
    size_t size = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        if (H5Aread(attribute, type, &text) < 0 || text == NULL)
            return bad_attribute(file, name, "cannot be read", err);
        *out = dip_strdup(text);
        (void)H5free_memory(text);
        return *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (size == 0 || size > TEXT_LIMIT)
        return bad_attribute(file, name, "is too long", err);
    *out = dip_calloc(size + 1, 1);
    if (*out == NULL)
        return dip_no_memory(err);
    if (H5Aread(attribute, type, *out) >= 0)
        return DIP_OK;
    free(*out);
    *out = NULL;
    return bad_attribute(file, name, "cannot be read", err);
}

dip_status dip_h5_get_text(char **out, const dip_h5_file *file,
                           const char *name, dip_err *err)
{
    *out = NULL;
    hid_t attribute;
    dip_status st = attribute_open(&attribute, file, name, err);
    if (st != DIP_OK)
        return st;
    hid_t type = H5Aget_type(attribute);
    hid_t space = H5Aget_space(attribute);
    if (H5Tget_class(type) != H5T_STRING ||
        H5Sget_simple_extent_npoints(space) != 1)
        st = bad_attribute(file, name, "is not a string", err);
    else
        st = read_text(out, attribute, type, file, name, err);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    return st;
}

dip_status dip_h5_get_int(int64_t *out, const dip_h5_file *file,
                          const char *name, dip_err *err)
{
    *out = 0;
    hid_t attribute;
    dip_status st = attribute_open(&attribute, file, name, err);
    if (st != DIP_OK)
        return st;
    hid_t type = H5Aget_type(attribute);
    hid_t space = H5Aget_space(attribute);
    if (H5Tget_class(type) != H5T_INTEGER ||
        H5Sget_simple_extent_npoints(space) != 1 ||
        H5Aread(attribute, H5T_NATIVE_INT64, out) < 0)
        st = bad_attribute(file, name, "is not an integer", err);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    return st;
}

static dip_status put_attribute(const dip_h5_file *file, const char *name,
                                hid_t type, const void *value, dip_err *err)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute =
        H5Acreate2(file->id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t written = attribute < 0 ? -1 : H5Awrite(attribute, type, value);
    if (attribute >= 0)
        (void)H5Aclose(attribute);
    (void)H5Sclose(space);
    if (written < 0)
        return dip_fail(err, DIP_EIO, "cannot write attribute '%s' of '%s'",
                        name, file->path);
    return DIP_OK;
}

dip_status dip_h5_put_text(const dip_h5_file *file, const char *name,
                           const char *text, dip_err *err)
{
    size_t size = strlen(text) + 1;
    if (size > TEXT_LIMIT - 1024) /* what an object header can hold */
        return bad_attribute(file, name, "is too long", err);
    hid_t type = H5Tcopy(H5T_C_S1);
    dip_status st = DIP_OK;
    if (H5Tset_size(type, size) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        st = dip_no_memory(err);
    else
        st = put_attribute(file, name, type, text, err);
    (void)H5Tclose(type);
    return st;
}

dip_status dip_h5_put_int(const dip_h5_file *file, const char *name,
                          int64_t value, dip_err *err)
{
    return put_attribute(file, name, H5T_NATIVE_INT64, &value, err);
}

/* ---- groups ---- */

dip_status dip_h5_make_group(const dip_h5_file *file, const char *name,
                             dip_err *err)
{
    be_quiet();
    hid_t group = H5I_INVALID_HID;
    hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    if (create >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
        H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED |
                                               H5P_CRT_ORDER_INDEXED) >= 0)
        group = H5Gcreate2(file->id, name, H5P_DEFAULT, create, H5P_DEFAULT);
    close_list(create);
    if (group < 0)
        return dip_fail(err, DIP_EIO, "cannot make group '%s' in '%s'", name,
                        file->path);
    (void)H5Gclose(group);
    return DIP_OK;
}

bool dip_h5_exists(const dip_h5_file *file, const char *name)
{
    be_quiet();
    char prefix[DIP_H5_NAME_SIZE];
    size_t len = strlen(name);
    if (len >= sizeof prefix)
        return false;
    /* H5Lexists() needs all but the last part of a path to be there. */
    for (size_t i = 1; i <= len; i++) {
        if (name[i] != '/' && name[i] != '\0')
            continue;
        memcpy(prefix, name, i);
        prefix[i] = '\0';
        if (H5Lexists(file->id, prefix, H5P_DEFAULT) <= 0)
            return false;
    }
    return true;
}

static bool order_is_tracked(hid_t group)
{
    hid_t create = H5Gget_create_plist(group);
    unsigned flags = 0;
    bool tracked = create >= 0 &&
                   H5Pget_link_creation_order(create, &flags) >= 0 &&
                   (flags & H5P_CRT_ORDER_INDEXED) != 0;
    close_list(create);
    return tracked;
}

static char *link_name(hid_t group, H5_index_t index, hsize_t at)
{
    ssize_t len = H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, at, NULL,
                                     0, H5P_DEFAULT);
    if (len <= 0 || len >= TEXT_LIMIT)
        return NULL;
    char *name = dip_calloc((size_t)len + 1, 1);
    if (name != NULL)
        (void)H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, at, name,
                                 (size_t)len + 1, H5P_DEFAULT);
    return name;
}

dip_status dip_h5_list(char ***names, int *count, const dip_h5_file *file,
                       const char *group, dip_err *err)
{
    enum { LINK_LIMIT = 10000 };
    *names = NULL;
    *count = 0;
    if (!dip_h5_exists(file, group))
        return DIP_OK;
    H5G_info_t info;
    hid_t id = H5Gopen2(file->id, group, H5P_DEFAULT);
    dip_status st = DIP_OK;
    if (id < 0 || H5Gget_info(id, &info) < 0 || info.nlinks > LINK_LIMIT) {
        st = dip_fail(err, DIP_EFORMAT, "no usable group '%s' in '%s'", group,
                      file->path);
        goto close_group;
    }
    *names = dip_calloc((size_t)info.nlinks, sizeof **names);
    if (*names == NULL) {
        st = dip_no_memory(err);
        goto close_group;
    }
    H5_index_t index =
        order_is_tracked(id) ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
    for (; *count < (int)info.nlinks && st == DIP_OK; ++*count) {
        (*names)[*count] = link_name(id, index, (hsize_t)*count);
        if ((*names)[*count] == NULL)
            st = dip_fail(err, DIP_EFORMAT, "bad name in group '%s' of '%s'",
                          group, file->path);
    }
close_group:
    if (id >= 0)
        (void)H5Gclose(id);
    if (st != DIP_OK) {
        dip_h5_list_free(*names, *count);
        *names = NULL;
        *count = 0;
    }
    return st;
}

void dip_h5_list_free(char **names, int count)
{
    for (int i = 0; names != NULL && i < count; i++)
        free(names[i]);
    free(names);
}

/* ---- reading datasets ---- */

static dip_status bad_dataset(const dip_h5_dataset *dataset,
                              const char *problem, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "dataset '%s' of '%s' %s", dataset->name,
                    dataset->path, problem);
}

/* Links and storage that lead out of the file would pass by its digest. */
static bool lies_inside(hid_t dataset, hid_t create, hid_t file)
{
    H5O_info_t here, there;
    return H5Oget_info2(dataset, &here, H5O_INFO_BASIC) >= 0 &&
           H5Oget_info2(file, &there, H5O_INFO_BASIC) >= 0 &&
           here.fileno == there.fileno && H5Pget_external_count(create) == 0 &&
           H5Pget_layout(create) != H5D_VIRTUAL;
}

static bool read_shape(dip_h5_dataset *d)
{
    hid_t type = H5Dget_type(d->id);
    hid_t space = H5Dget_space(d->id);
    hsize_t dims[H5S_MAX_RANK];
    d->type_class = H5Tget_class(type);
    d->sign = d->type_class == H5T_INTEGER ? H5Tget_sign(type) : H5T_SGN_ERROR;
    d->item = H5Tget_size(type);
    d->rank = H5Sget_simple_extent_ndims(space);
    bool ok = d->item > 0 && d->rank > 0 && d->rank <= DIP_H5_MAX_RANK &&
              H5Sget_simple_extent_dims(space, dims, NULL) == d->rank;
    d->bytes = d->item;
    for (int i = 0; ok && i < d->rank; i++) {
        ok = dims[i] <= INT64_MAX / 2 &&
             !dip_mul_overflows(d->bytes, (size_t)dims[i], &d->bytes);
        d->dims[i] = (int64_t)dims[i];
    }
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    return ok;
}

/* Whether the extent can be backed by what the file holds; sets `offset`. */
static bool check_storage(dip_h5_dataset *d, hid_t create, hid_t file)
{
    hsize_t size = 0;
    if (H5Fget_filesize(file, &size) < 0)
        return false;
    hsize_t stored = H5Dget_storage_size(d->id);
    stored = stored < size ? stored : size;
    d->offset = -1;
    if (H5Pget_layout(create) == H5D_CONTIGUOUS && d->bytes > 0) {
        haddr_t at = H5Dget_offset(d->id);
        if (at != HADDR_UNDEF) {
            if (at > size || d->bytes > size - at)
                return false;
            d->offset = (int64_t)at;
        }
    }
    return d->bytes / RATIO_LIMIT <= stored + RATIO_SLACK / RATIO_LIMIT;
}

dip_status dip_h5_dataset_open(dip_h5_dataset *out, const dip_h5_file *file,
                               const char *name, dip_err *err)
{
    be_quiet();
    *out = (dip_h5_dataset){.id = H5I_INVALID_HID, .path = file->path};
    int len = snprintf(out->name, sizeof out->name, "%s", name);
    if (len < 0 || (size_t)len >= sizeof out->name)
        return bad_dataset(out, "has too long a name", err);
    if (dip_h5_exists(file, name))
        out->id = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (out->id < 0)
        return dip_fail(err, DIP_EFORMAT, "no dataset '%s' in '%s'", name,
                        file->path);
    dip_status st = DIP_OK;
    hid_t create = H5Dget_create_plist(out->id);
    if (create < 0 || !lies_inside(out->id, create, file->id))
        st = bad_dataset(out, "lies outside of the file", err);
    else if (!read_shape(out))
        st = bad_dataset(out, "has no usable shape", err);
    else if (!check_storage(out, create, file->id))
        st = bad_dataset(out, "is larger than what the file stores", err);
    close_list(create);
    if (st != DIP_OK)
        dip_h5_dataset_close(out);
    return st;
}

void dip_h5_dataset_close(dip_h5_dataset *dataset)
{
    if (dataset->id >= 0)
        (void)H5Dclose(dataset->id);
    dataset->id = H5I_INVALID_HID;
}

dip_status dip_h5_expect(const dip_h5_dataset *d, dip_h5_type type, int rank,
                         dip_err *err)
{
    if (d->type_class != types[type].type_class ||
        d->item != types[type].size || d->sign != types[type].sign)
        return dip_fail(err, DIP_EFORMAT, "dataset '%s' of '%s' is not %s",
                        d->name, d->path, types[type].words);
    if (d->rank != rank)
        return dip_fail(err, DIP_EFORMAT,
                        "dataset '%s' of '%s' has %d dimensions, not %d",
                        d->name, d->path, d->rank, rank);
    return DIP_OK;
}

dip_status dip_h5_expect_rows(const dip_h5_dataset *d, dip_h5_type type,
                              int rank, int64_t rows, dip_err *err)
{
    dip_status st = dip_h5_expect(d, type, rank, err);
    if (st == DIP_OK && d->dims[0] != rows)
        return dip_fail(err, DIP_EFORMAT,
                        "dataset '%s' of '%s' has %lld rows, not %lld", d->name,
                        d->path, (long long)d->dims[0], (long long)rows);
    return st;
}

dip_status dip_h5_read(const dip_h5_dataset *dataset, dip_h5_type type,
                       void *out, dip_err *err)
{
    be_quiet();
    hid_t memory = open_native(type);
    bool ok = memory >= 0 && H5Dread(dataset->id, memory, H5S_ALL, H5S_ALL,
                                     H5P_DEFAULT, out) >= 0;
    close_type(memory);
    return ok ? DIP_OK : bad_dataset(dataset, "cannot be read", err);
}

/* The entries [first, first + count) as a selection of `dataset`'s space. */
static bool select_rows(hid_t *file_space, hid_t *memory_space,
                        const dip_h5_dataset *dataset, int64_t first,
                        int64_t count)
{
    hsize_t start[DIP_H5_MAX_RANK] = {(hsize_t)first};
    hsize_t size[DIP_H5_MAX_RANK] = {(hsize_t)count};
    for (int i = 1; i < dataset->rank; i++)
        size[i] = (hsize_t)dataset->dims[i];
    *file_space = H5Dget_space(dataset->id);
    *memory_space = H5Screate_simple(dataset->rank, size, NULL);
    return *file_space >= 0 && *memory_space >= 0 &&
           H5Sselect_hyperslab(*file_space, H5S_SELECT_SET, start, NULL, size,
                               NULL) >= 0;
}

static void close_spaces(hid_t a, hid_t b)
{
    if (a >= 0)
        (void)H5Sclose(a);
    if (b >= 0)
        (void)H5Sclose(b);
}

dip_status dip_h5_read_rows(const dip_h5_dataset *dataset, dip_h5_type type,
                            int64_t first, int64_t count, void *out,
                            dip_err *err)
{
    be_quiet();
    hid_t from, to, memory = open_native(type);
    bool ok = select_rows(&from, &to, dataset, first, count) && memory >= 0 &&
              H5Dread(dataset->id, memory, to, from, H5P_DEFAULT, out) >= 0;
    close_spaces(from, to);
    close_type(memory);
    return ok ? DIP_OK : bad_dataset(dataset, "cannot be read", err);
}

dip_status dip_h5_read_strings(const dip_h5_dataset *dataset, char *out,
                               dip_err *err)
{
    be_quiet();
    hid_t type = H5Dget_type(dataset->id);
    herr_t done = -1;
    if (type >= 0 && dataset->type_class == H5T_STRING &&
        H5Tis_variable_str(type) == 0)
        done = H5Dread(dataset->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    if (type >= 0)
        (void)H5Tclose(type);
    if (done < 0)
        return bad_dataset(dataset, "holds no fixed-length strings", err);
    return DIP_OK;
}

dip_status dip_h5_load(void **out, int64_t *count, const dip_h5_file *file,
                       const char *name, dip_h5_type type, int64_t rows,
                       dip_err *err)
{
    *out = NULL;
    dip_h5_dataset d;
    dip_status st = dip_h5_dataset_open(&d, file, name, err);
    if (st != DIP_OK)
        return st;
    st = rows < 0 ? dip_h5_expect(&d, type, 1, err)
                  : dip_h5_expect_rows(&d, type, 1, rows, err);
    if (st != DIP_OK)
        goto close_dataset;
    *out = dip_calloc(d.bytes, 1);
    if (*out == NULL) {
        st = dip_no_memory(err);
        goto close_dataset;
    }
    if (d.bytes > 0)
        st = dip_h5_read(&d, type, *out, err);
    if (count != NULL)
        *count = d.dims[0];
close_dataset:
    dip_h5_dataset_close(&d);
    if (st != DIP_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

/* ---- writing datasets ---- */

static dip_status cannot_write(const dip_h5_file *file, const char *name,
                               dip_err *err)
{
    return dip_fail(err, DIP_EIO, "cannot write dataset '%s' of '%s'", name,
                    file->path);
}

static dip_status write_with(const dip_h5_file *file, const char *name,
                             dip_h5_type type, int64_t count,
                             const void *values, bool packed, dip_err *err)
{
    be_quiet();
    hsize_t size = (hsize_t)count;
    hsize_t chunk = size < CHUNK_ITEMS ? size : CHUNK_ITEMS;
    hid_t data = H5I_INVALID_HID, native = open_native(type);
    hid_t space = H5Screate_simple(1, &size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    bool ok = native >= 0 && space >= 0 && create >= 0 &&
              H5Pset_obj_track_times(create, false) >= 0;
    if (ok && count > 0) /* no chunk is small enough for no rows */
        ok = H5Pset_chunk(create, 1, &chunk) >= 0 &&
             (!packed || (H5Pset_shuffle(create) >= 0 &&
                          H5Pset_deflate(create, DEFLATE_LEVEL) >= 0)) &&
             H5Pset_fletcher32(create) >= 0;
    if (ok)
        data = H5Dcreate2(file->id, name, native, space, H5P_DEFAULT, create,
                          H5P_DEFAULT);
    ok = data >= 0 && (count == 0 || H5Dwrite(data, native, H5S_ALL, H5S_ALL,
                                              H5P_DEFAULT, values) >= 0);
    if (data >= 0)
        ok = H5Dclose(data) >= 0 && ok;
    close_type(native);
    close_list(create);
    close_spaces(space, H5I_INVALID_HID);
    return ok ? DIP_OK : cannot_write(file, name, err);
}

dip_status dip_h5_write(const dip_h5_file *file, const char *name,
                        dip_h5_type type, int64_t count, const void *values,
                        dip_err *err)
{
    return write_with(file, name, type, count, values, false, err);
}

dip_status dip_h5_write_packed(const dip_h5_file *file, const char *name,
                               dip_h5_type type, int64_t count,
                               const void *values, dip_err *err)
{
    return write_with(file, name, type, count, values, true, err);
}

dip_status dip_h5_create_bytes(dip_h5_dataset *out, const dip_h5_file *file,
                               const char *name, int rank, const int64_t *dims,
                               dip_err *err)
{
    be_quiet();
    *out = (dip_h5_dataset){
        .id = H5I_INVALID_HID, .path = file->path, .rank = rank};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    hsize_t size[DIP_H5_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        out->dims[i] = dims[i];
        size[i] = (hsize_t)dims[i];
    }
    hid_t space = H5Screate_simple(rank, size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    if (space >= 0 && create >= 0 &&
        H5Pset_layout(create, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(create, false) >= 0)
        out->id = H5Dcreate2(file->id, name, H5T_NATIVE_UINT8, space,
                             H5P_DEFAULT, create, H5P_DEFAULT);
    close_list(create);
    close_spaces(space, H5I_INVALID_HID);
    if (out->id < 0)
        return cannot_write(file, name, err);
    haddr_t at = H5Dget_offset(out->id);
    out->offset = at == HADDR_UNDEF ? -1 : (int64_t)at;
    return DIP_OK;
}

dip_status dip_h5_create_rows(dip_h5_dataset *out, const dip_h5_file *file,
                              const char *name, dip_h5_type type, int64_t rows,
                              int64_t width, dip_err *err)
{
    be_quiet();
    *out = (dip_h5_dataset){.id = H5I_INVALID_HID,
                            .path = file->path,
                            .item = types[type].size,
                            .rank = 2,
                            .dims = {rows, width},
                            .offset = -1};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    hsize_t size[2] = {(hsize_t)rows, (hsize_t)width};
    hsize_t most = CHUNK_BYTES / (types[type].size * size[1]);
    hsize_t lines = size[0] < most ? size[0] : most;
    hsize_t chunk[2] = {lines > 0 ? lines : 1, size[1]};
    hid_t native = open_native(type);
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    if (native >= 0 && space >= 0 && create >= 0 &&
        H5Pset_obj_track_times(create, false) >= 0 &&
        (rows == 0 || (H5Pset_chunk(create, 2, chunk) >= 0 &&
                       H5Pset_fletcher32(create) >= 0)))
        out->id = H5Dcreate2(file->id, name, native, space, H5P_DEFAULT, create,
                             H5P_DEFAULT);
    close_list(create);
    close_spaces(space, H5I_INVALID_HID);
    close_type(native);
    return out->id >= 0 ? DIP_OK : cannot_write(file, name, err);
}

dip_status dip_h5_write_rows(const dip_h5_dataset *dataset, dip_h5_type type,
                             int64_t first, int64_t count, const void *values,
                             dip_err *err)
{
    be_quiet();
    hid_t to, from, native = open_native(type);
    bool ok = select_rows(&to, &from, dataset, first, count) && native >= 0 &&
              H5Dwrite(dataset->id, native, from, to, H5P_DEFAULT, values) >= 0;
    close_spaces(from, to);
    close_type(native);
    return ok ? DIP_OK
              : dip_fail(err, DIP_EIO, "cannot write dataset '%s' of '%s'",
                         dataset->name, dataset->path);
}

#define TEXT_OF(x)          #x
#define VERSION_OF(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *dip_h5_version(void)
{
    return VERSION_OF(H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
}
