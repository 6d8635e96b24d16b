#include "losses/recommendation.h"

#include <string.h>

#include "base/mem.h"

static dip_tensor *bpr(const dip_tensor *had, const dip_tensor *others)
{
    return dip_t_mean_all(
        dip_t_softplus(dip_t_sub(others, dip_t_unsqueeze(had, 1))));
}

static dip_tensor *softmax(const dip_tensor *had, const dip_tensor *others)
{
    dip_tensor *parts[] = {dip_t_unsqueeze(had, 1), (dip_tensor *)others};
    dip_tensor *all = dip_t_logsumexp(dip_t_cat(parts, 2, 1), 1, false);
    return dip_t_mean_all(dip_t_sub(all, had));
}

const dip_recommendation_loss_kind *
dip_recommendation_loss_find(const char *name)
{
    static const dip_recommendation_loss_kind kinds[] = {
#define ROW(name) {#name, name},
        DIP_RECOMMENDATION_LOSS_TABLE(ROW)
#undef ROW
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}
