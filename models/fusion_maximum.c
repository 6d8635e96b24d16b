/* Maximum of the fields that are present, number by number. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

static const char *const OPTIONS[] = {NULL};

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    (void)o;
    (void)fields;
    (void)maker;
    return dip_calloc(1, sizeof(dip_fusion));
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    return dip_fusion_rows(fusion, dip_pool_max(in->embeddings, in->present));
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_maximum = {
    .name = "maximum",
    .summary = "largest of the fields, number by number",
    .options = OPTIONS,
    .build = build,
    .forward = forward,
    .free = release,
};
