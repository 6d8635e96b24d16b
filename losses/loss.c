#include "losses/loss.h"

#include <string.h>

#include "base/mem.h"
#include "losses/kinds.h"

static const char *const POSITIVES_NAMES[] = {
#define POSITIVES_NAME(name, string, words) string,
    DIP_POSITIVES_TABLE(POSITIVES_NAME)
#undef POSITIVES_NAME
};

static const dip_loss_kind *const KINDS[] = {
#define KIND_OF(name) &dip_loss_kind_##name,
    DIP_LOSS_TABLE(KIND_OF)
#undef KIND_OF
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
    return KINDS[i];
}

const dip_loss_kind *dip_loss_kind_find(const char *name)
{
    for (int i = 0; name && i < dip_loss_kind_count(); i++)
        if (strcmp(name, KINDS[i]->name) == 0)
            return KINDS[i];
    return NULL;
}

bool dip_loss_kind_reads(const dip_loss_kind *kind, const char *option)
{
    for (const char *const *name = kind->options; *name; name++)
        if (strcmp(*name, option) == 0)
            return true;
    return false;
}
