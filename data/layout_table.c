#include "data/layout_table.h"

#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    dip_layout_read *read;
} layouts[] = {
    {"fashion_gen", dip_layout_fashion_gen},
    {"coco_captions", dip_layout_coco_captions},
};

dip_layout_read *dip_layout_find(const char *name)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(layouts); i++) {
        if (strcmp(layouts[i].name, name) == 0)
            return layouts[i].read;
    }
    return NULL;
}

const char *dip_layout_name(int i)
{
    return i >= 0 && (size_t)i < DIP_ARRAY_LEN(layouts) ? layouts[i].name
                                                        : NULL;
}
