#include "data/layout_common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

dip_status dip_layout_number_rows(dip_catalog *catalog, dip_part *part,
                                  const dip_layout_input *input, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < part->rows && st == DIP_OK; i++) {
        char id[64];
        int len = snprintf(id, sizeof id, "%s-%" PRId64,
                           dip_split_name(input->split), i);
        st = dip_part_add_id(catalog, part, (dip_bytes){id, (size_t)len}, err);
        catalog->splits[part->first + i] = (uint8_t)input->split;
    }
    return st;
}

dip_status dip_layout_set_group(dip_catalog *catalog, const dip_part *part,
                                const dip_layout_input *input, int64_t at,
                                dip_bytes value, dip_err *err)
{
    char alone[64];
    if (value.len == 0) {
        /* No value starts with NUL: they were stripped. */
        alone[0] = '\0';
        int len =
            snprintf(alone + 1, sizeof alone - 1, "%" PRId64, part->first + at);
        value = (dip_bytes){alone, (size_t)len + 1};
    }
    return dip_names_add(input->groups, value,
                         &catalog->groups[part->first + at], err);
}

dip_status dip_layout_end_text(dip_layout_texts *texts, dip_err *err)
{
    dip_status st = dip_str_status(&texts->bytes, err);
    if (st == DIP_OK)
        st = dip_reserve(&texts->offsets, &texts->capacity,
                         (size_t)texts->rows + 2, sizeof *texts->offsets, err);
    if (st != DIP_OK)
        return st;
    texts->offsets[0] = 0;
    texts->offsets[++texts->rows] = (int64_t)texts->bytes.len;
    return DIP_OK;
}

void dip_layout_set_texts(dip_part *part, int column, dip_layout_texts *texts)
{
    dip_part_column *to = &part->columns[column];
    to->offsets = texts->offsets;
    to->owned = (uint8_t *)texts->bytes.data;
    /* Texts that are all empty have no bytes: any address will do. */
    to->bytes = to->owned != NULL ? to->owned : part->map;
    *texts = (dip_layout_texts){0};
}

void dip_layout_free_texts(dip_layout_texts *texts)
{
    dip_str_free(&texts->bytes);
    free(texts->offsets);
    *texts = (dip_layout_texts){0};
}

dip_status dip_layout_add_pixels(dip_catalog *catalog, dip_part *part,
                                 const char *dataset, bool planar, dip_err *err)
{
    dip_h5_dataset d;
    int index;
    dip_status st = dip_part_open_pixels(&d, part, dataset, err);
    if (st != DIP_OK)
        return st;
    const int64_t *size = d.dims + 1;
    dip_column about = {.kind = DIP_COLUMN_IMAGE,
                        .name = "image",
                        .height = planar ? size[1] : size[0],
                        .width = planar ? size[2] : size[1],
                        .channels = planar ? size[0] : size[2]};
    if (about.channels > 4)
        st = dip_fail(err, DIP_EFORMAT, "%lld channels in dataset '%s' of '%s'",
                      (long long)about.channels, dataset, part->path);
    if (st == DIP_OK)
        st = dip_part_set_rows(catalog, part, d.dims[0], err);
    if (st == DIP_OK)
        st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        dip_part_set_pixels(catalog, part, index, &d, planar);
    dip_h5_dataset_close(&d);
    return st;
}
