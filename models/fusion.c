#include "models/fusion.h"

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"
#include "models/fusions.h"
#include "models/options.h"

#define ROW(name) &dip_fusion_##name,
static const dip_fusion_kind *const KINDS[] = {DIP_FUSION_TABLE(ROW)};

/* The list of weights is set when its first member is: all or none must be. */
static const dip_field FIELDS[] = {
    {"weights", offsetof(dip_fusion_options, weights), DIP_FIELD_REAL},
    {"fixed", offsetof(dip_fusion_options, fixed), DIP_FIELD_BOOL},
    {"hidden", offsetof(dip_fusion_options, hidden), DIP_FIELD_INT},
    {"dropout", offsetof(dip_fusion_options, dropout), DIP_FIELD_REAL},
};

int dip_fusion_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(KINDS);
}

const dip_fusion_kind *dip_fusion_kind_at(int i)
{
    return KINDS[i];
}

const dip_fusion_kind *dip_fusion_kind_find(const char *name)
{
    for (int i = 0; i < dip_fusion_kind_count(); i++)
        if (dip_option_is(name, KINDS[i]->name))
            return KINDS[i];
    return NULL;
}

static dip_status fail_kind(const char *name, dip_err *err)
{
    dip_str names = {0};
    for (int i = 0; i < dip_fusion_kind_count(); i++)
        dip_str_addf(&names, "%s%s", i ? ", " : "", KINDS[i]->name);
    dip_fail(err, DIP_ECONFIG, "fusion.kind: '%s' is none of %s", name,
             dip_str_text(&names));
    dip_str_free(&names);
    return DIP_ECONFIG;
}

dip_status dip_fusion_options_check(dip_fusion_options *options, int fields,
                                    int64_t dim, dip_err *err)
{
    if (!options->kind)
        options->kind = KINDS[0]->name;
    const dip_fusion_kind *kind = dip_fusion_kind_find(options->kind);
    if (!kind)
        return fail_kind(options->kind, err);
    dip_status st =
        dip_option_int(fields, 1, DIP_FUSION_FIELDS_MAX, "fusion.fields", err);
    if (st == DIP_OK)
        st = dip_options_unread(options, FIELDS, DIP_ARRAY_LEN(FIELDS),
                                kind->options, "fusion", kind->name, err);
    if (st == DIP_OK)
        st = kind->check(options, fields, dim, err);
    return st;
}

dip_status dip_fusion_create(dip_fusion **out,
                             const dip_fusion_options *options, int fields,
                             int64_t dim, const dip_maker *maker, dip_err *err)
{
    *out = NULL;
    dip_fusion_options checked = *options;
    dip_status st = dip_fusion_options_check(&checked, fields, dim, err);
    if (st != DIP_OK)
        return st;
    dip_fusion *fusion =
        dip_fusion_kind_find(checked.kind)->build(&checked, fields, dim, maker);
    if (!fusion)
        return dip_no_memory(err);
    fusion->similarity = checked.similarity;
    *out = fusion;
    return DIP_OK;
}

void dip_fusion_free(dip_fusion *fusion)
{
    if (fusion)
        fusion->kind->free(fusion);
}

dip_tensor *dip_fusion_rows(const dip_fusion *fusion, const dip_tensor *x)
{
    return fusion->similarity == DIP_SIMILARITY_COSINE ? dip_t_normalize(x, 1)
                                                       : dip_tensor_alias(x);
}

dip_tensor *dip_fusion_forward(const dip_fusion *fusion,
                               dip_tensor *const *fields,
                               const dip_tensor *present, bool training)
{
    dip_scope_open();
    dip_tensor *out = dip_tensor_return(
        fusion->kind->forward(fusion, fields, present, training));
    dip_scope_close();
    return out;
}
