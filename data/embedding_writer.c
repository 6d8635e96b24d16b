#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/embedding_datasets.h"
#include "data/embedding_file.h"
#include "data/embedding_store.h"
#include "data/h5.h"

struct dip_embedding_writer {
    dip_embedding_info info;
    dip_file_writer *file;
    dip_h5_file h5;
    dip_h5_dataset codes, peaks, rescore, digests, present;
    int64_t done;
    void *scratch; /* codes of `room` rows of the finest, and floats */
    float *values, *row_peaks;
    int64_t room;
};

dip_codes dip_embedding_finest(const dip_embedding_info *info)
{
    return info->has_rescore ? info->rescore : info->precision;
}

/* ---- opening ---- */

static dip_status write_ids(const dip_h5_file *h5, const dip_bytes *ids,
                            int64_t rows, dip_err *err)
{
    size_t total = 0;
    for (int64_t i = 0; i < rows; i++)
        total += ids[i].len;
    char *bytes = dip_calloc(total, 1);
    int64_t *offsets = dip_calloc((size_t)rows + 1, sizeof *offsets);
    dip_status st = DIP_OK;
    if (bytes == NULL || offsets == NULL)
        st = dip_no_memory(err);
    for (int64_t i = 0; i < rows && st == DIP_OK; i++) {
        memcpy(bytes + offsets[i], ids[i].data, ids[i].len);
        offsets[i + 1] = offsets[i] + (int64_t)ids[i].len;
    }
    if (st == DIP_OK)
        st = dip_h5_make_group(h5, "id", err);
    if (st == DIP_OK)
        st =
            dip_h5_write(h5, "id/bytes", DIP_H5_U8, (int64_t)total, bytes, err);
    if (st == DIP_OK)
        st = dip_h5_write(h5, "id/offsets", DIP_H5_I64, rows + 1, offsets, err);
    free(bytes);
    free(offsets);
    return st;
}

static dip_status write_head(const dip_h5_file *h5,
                             const dip_embedding_info *info, dip_err *err)
{
    const struct {
        const char *name, *value;
    } words[] = {
        {"format", DIP_EMBEDDING_FORMAT},
        {"name", info->name},
        {"model", info->model},
        {"recipe", info->recipe},
        {"similarity", dip_similarity_name(info->similarity)},
        {"precision", dip_codes_name(info->precision)},
        {"rescore", info->has_rescore ? dip_codes_name(info->rescore) : "none"},
    };
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(words) && st == DIP_OK; i++)
        st = dip_h5_put_text(h5, words[i].name, words[i].value, err);
    if (st == DIP_OK)
        st = dip_h5_put_int(h5, "version", DIP_EMBEDDING_VERSION, err);
    if (st == DIP_OK)
        st = dip_h5_put_int(h5, "dim", info->dim, err);
    return st;
}

static dip_status make_numbers(dip_h5_dataset *out,
                               const dip_embedding_writer *w, const char *group,
                               dip_codes precision, dip_err *err)
{
    char name[DIP_H5_NAME_SIZE];
    dip_h5_type type = dip_embedding_type(precision);
    int64_t width = dip_embedding_width(precision, w->info.dim);
    dip_status st = dip_embedding_dataset_name(name, group, w->info.name, err);
    if (st == DIP_OK)
        st = dip_h5_make_group(&w->h5, group, err);
    return st == DIP_OK ? dip_h5_create_rows(out, &w->h5, name, type,
                                             w->info.rows, width, err)
                        : st;
}

static dip_status make_datasets(dip_embedding_writer *w, dip_err *err)
{
    const dip_embedding_info *info = &w->info;
    dip_status st =
        make_numbers(&w->codes, w, "embedding", info->precision, err);
    if (st == DIP_OK && info->has_rescore)
        st = make_numbers(&w->rescore, w, "rescore", info->rescore, err);
    if (st == DIP_OK && info->precision == DIP_CODES_INT8) {
        char name[DIP_H5_NAME_SIZE];
        st = dip_embedding_dataset_name(name, "peak", info->name, err);
        if (st == DIP_OK)
            st = dip_h5_make_group(&w->h5, "peak", err);
        if (st == DIP_OK)
            st = dip_h5_create_rows(&w->peaks, &w->h5, name, DIP_H5_F32,
                                    info->rows, 1, err);
    }
    if (st == DIP_OK)
        st = dip_h5_create_rows(&w->digests, &w->h5, "digest", DIP_H5_U8,
                                info->rows, DIP_ROW_DIGEST_SIZE, err);
    if (st == DIP_OK)
        st = dip_h5_create_rows(&w->present, &w->h5, "present", DIP_H5_U8,
                                info->rows, 1, err);
    return st;
}

dip_status dip_embedding_writer_open(dip_embedding_writer **out,
                                     const char *path,
                                     const dip_embedding_info *info,
                                     const dip_bytes *ids, dip_err *err)
{
    *out = NULL;
    dip_embedding_writer *w = dip_calloc(1, sizeof *w);
    if (w == NULL)
        return dip_no_memory(err);
    *w = (dip_embedding_writer){.info = *info,
                                .h5 = DIP_H5_NO_FILE,
                                .codes = DIP_H5_NO_DATASET,
                                .peaks = DIP_H5_NO_DATASET,
                                .rescore = DIP_H5_NO_DATASET,
                                .digests = DIP_H5_NO_DATASET,
                                .present = DIP_H5_NO_DATASET};
    dip_status st = dip_file_writer_open(&w->file, path, err);
    if (st == DIP_OK)
        st = dip_h5_create_over(&w->h5, dip_file_writer_path(w->file), err);
    if (st == DIP_OK)
        st = write_head(&w->h5, info, err);
    if (st == DIP_OK)
        st = write_ids(&w->h5, ids, info->rows, err);
    if (st == DIP_OK)
        st = make_datasets(w, err);
    if (st != DIP_OK) {
        dip_embedding_writer_close(w);
        return st;
    }
    *out = w;
    return DIP_OK;
}

/* ---- rows ---- */

static dip_status make_room(dip_embedding_writer *w, int64_t rows, dip_err *err)
{
    if (rows <= w->room)
        return DIP_OK;
    free(w->scratch);
    free(w->values);
    free(w->row_peaks);
    size_t numbers = (size_t)rows * (size_t)w->info.dim;
    w->room = 0;
    w->scratch = dip_calloc(numbers, sizeof(float));
    w->values = dip_calloc(numbers, sizeof(float));
    w->row_peaks = dip_calloc((size_t)rows, sizeof(float));
    if (w->scratch == NULL || w->values == NULL || w->row_peaks == NULL)
        return dip_no_memory(err);
    w->room = rows;
    return DIP_OK;
}

static dip_status put(dip_embedding_writer *w, const dip_h5_dataset *to,
                      dip_codes precision, const float *values, int64_t count,
                      dip_err *err)
{
    dip_codes_encode(w->scratch, w->row_peaks, precision, values, count,
                     w->info.dim);
    dip_status st = dip_h5_write_rows(to, dip_embedding_type(precision),
                                      w->done, count, w->scratch, err);
    if (st == DIP_OK && precision == DIP_CODES_INT8)
        st = dip_h5_write_rows(&w->peaks, DIP_H5_F32, w->done, count,
                               w->row_peaks, err);
    return st;
}

dip_status dip_embedding_writer_add(dip_embedding_writer *w,
                                    const float *values, const uint8_t *present,
                                    const dip_row_digest *digests,
                                    int64_t count, dip_err *err)
{
    dip_status st = make_room(w, count, err);
    if (st == DIP_OK && w->info.has_rescore) {
        st = put(w, &w->rescore, w->info.rescore, values, count, err);
        dip_codes_decode(w->values, w->info.rescore, w->scratch, NULL, count,
                         w->info.dim);
        values = w->values;
    }
    if (st == DIP_OK)
        st = put(w, &w->codes, w->info.precision, values, count, err);
    if (st == DIP_OK)
        st = dip_h5_write_rows(&w->present, DIP_H5_U8, w->done, count, present,
                               err);
    if (st == DIP_OK)
        st = dip_h5_write_rows(&w->digests, DIP_H5_U8, w->done, count, digests,
                               err);
    w->done += count;
    return st;
}

static void close_datasets(dip_embedding_writer *w)
{
    dip_h5_dataset_close(&w->codes);
    dip_h5_dataset_close(&w->peaks);
    dip_h5_dataset_close(&w->rescore);
    dip_h5_dataset_close(&w->digests);
    dip_h5_dataset_close(&w->present);
}

dip_status dip_embedding_writer_commit(dip_embedding_writer *w, dip_err *err)
{
    close_datasets(w);
    dip_status st = dip_h5_finish(&w->h5, err);
    return st == DIP_OK ? dip_file_writer_commit(w->file, err) : st;
}

void dip_embedding_writer_close(dip_embedding_writer *w)
{
    if (w == NULL)
        return;
    close_datasets(w);
    dip_h5_close(&w->h5);
    dip_file_writer_close(w->file);
    free(w->scratch);
    free(w->values);
    free(w->row_peaks);
    free(w);
}
