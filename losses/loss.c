#include "losses/loss.h"

#include <string.h>

#include "base/mem.h"

static const char *const POSITIVES_NAMES[] = {
#define POSITIVES_NAME(name, string, words) string,
    DIP_POSITIVES_TABLE(POSITIVES_NAME)
#undef POSITIVES_NAME
};

static const dip_loss_kind KINDS[] = {
    {"infonce", "symmetric contrastive cross-entropy, as CLIP's",
     dip_loss_infonce},
};

const char *dip_positives_name(dip_positives mode)
{
    return POSITIVES_NAMES[mode];
}

int dip_positives_find(const char *name)
{
    for (int i = 0; name && i < DIP_POSITIVES_COUNT; i++)
        if (strcmp(name, POSITIVES_NAMES[i]) == 0)
            return i;
    return -1;
}

int dip_loss_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(KINDS);
}

const dip_loss_kind *dip_loss_kind_at(int i)
{
    return &KINDS[i];
}

const dip_loss_kind *dip_loss_kind_find(const char *name)
{
    for (int i = 0; name && i < dip_loss_kind_count(); i++)
        if (strcmp(name, KINDS[i].name) == 0)
            return &KINDS[i];
    return NULL;
}
