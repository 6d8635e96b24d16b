#include "data/catalog_content.h"

#include <math.h>
#include <string.h>

static dip_status add_column(dip_digest *content, const dip_column *c,
                             dip_err *err)
{
    int64_t about[] = {c->kind, 0, 0, 0, 0};
    if (c->kind == DIP_COLUMN_IMAGE) {
        about[1] = c->encoded;
        about[2] = c->encoded ? 0 : c->height;
        about[3] = c->encoded ? 0 : c->width;
        about[4] = c->encoded ? 0 : c->channels;
    }
    dip_status st = dip_digest_add(content, about, sizeof about, err);
    return st == DIP_OK
               ? dip_digest_add_sized(content, c->name, strlen(c->name), err)
               : st;
}

dip_status dip_content_begin(dip_digest **out, const dip_column *columns,
                             int count, dip_err *err)
{
    dip_status st = dip_digest_new(out, err);
    for (int i = 0; i < count && st == DIP_OK; i++)
        st = add_column(*out, &columns[i], err);
    return st;
}

static dip_status add_value(dip_digest *content, const dip_column *about,
                            const dip_value *value, dip_err *err)
{
    dip_bytes bytes =
        about->kind == DIP_COLUMN_LABEL ? value->label : value->bytes;
    if (about->kind == DIP_COLUMN_NUMBER) /* one NaN is like another */
        bytes = (dip_bytes){(const char *)&value->number,
                            isnan(value->number) ? 0 : sizeof value->number};
    return dip_digest_add_sized(content, bytes.data, bytes.len, err);
}

dip_status dip_content_add(dip_digest *content, const dip_column *columns,
                           int count, const dip_row *row, int64_t group,
                           dip_err *err)
{
    int64_t about[] = {row->split, group};
    dip_status st =
        dip_digest_add_sized(content, row->id.data, row->id.len, err);
    if (st == DIP_OK)
        st = dip_digest_add(content, about, sizeof about, err);
    for (int i = 0; i < count && st == DIP_OK; i++)
        st = add_value(content, &columns[i], &row->values[i], err);
    return st;
}

dip_status dip_content_of_manifest(char hex[DIP_DIGEST_SIZE],
                                   const dip_manifest *m, dip_err *err)
{
    const char *const parts[] = {m->content, m->judgements.sha256,
                                 m->interactions.sha256};
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st == DIP_OK; i++)
        st = dip_digest_add_sized(digest, parts[i], strlen(parts[i]), err);
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}
