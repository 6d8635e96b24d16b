#include "train/tuning.h"

#include <fnmatch.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static bool is_below(const char *name, const char *tower)
{
    size_t n = strlen(tower);
    return strncmp(name, tower, n) == 0 && name[n] == '.';
}

static bool fits(const char *pattern, const char *name)
{
    return is_below(name, pattern) || fnmatch(pattern, name, 0) == 0;
}

dip_status dip_tuning_freeze(dip_params *params,
                             const dip_tuning_options *options, dip_err *err)
{
    for (size_t p = 0; p < options->freeze_count; p++) {
        bool some = false;
        for (int i = 0; i < dip_params_count(params); i++) {
            if (dip_params_kind(params, i) == DIP_PARAM_BUFFER ||
                !fits(options->freeze[p], dip_params_name(params, i)))
                continue;
            dip_tensor_set_requires_grad(dip_params_tensor(params, i), false);
            some = true;
        }
        if (!some)
            return dip_fail(err, DIP_ECONFIG,
                            "freeze: no parameter fits '%s': the towers are "
                            "image and text, a name is '%s'",
                            options->freeze[p], dip_params_name(params, 0));
    }
    return dip_tensor_status(err);
}

/* The length of "blocks.3" in "blocks.3.norm1.weight"; 0 without a number of
 * its own between dots. */
static size_t block_length(const char *below)
{
    for (const char *at = below; (at = strchr(at, '.')) != NULL;) {
        at++;
        size_t digits = strspn(at, "0123456789");
        if (digits > 0 && (at[digits] == '.' || at[digits] == '\0'))
            return (size_t)(at + digits - below);
    }
    return 0;
}

/* Whether a parameter begins another block than the one before it. */
static bool begins(const char *below, const char *last)
{
    size_t length = block_length(below);
    return length > 0 && (last == NULL || block_length(last) != length ||
                          strncmp(below, last, length) != 0);
}

/* Writes each parameter's depth in its tower as a rate, 0 for what stands
 * before the blocks; returns how many blocks there are. */
static double number_blocks(double *rates, const dip_params *params,
                            const char *tower)
{
    double blocks = 0;
    const char *last = NULL;
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        if (!is_below(name, tower))
            continue;
        const char *below = name + strlen(tower) + 1;
        if (begins(below, last)) {
            blocks++;
            last = below;
        }
        rates[i] = blocks;
    }
    return blocks;
}

static double or_one(double value)
{
    return value > 0 ? value : 1;
}

void dip_tuning_rates(double *rates, const dip_params *params,
                      const dip_tuning_options *options)
{
    const struct {
        const char *name;
        double rate;
    } towers[] = {{"image", or_one(options->image_rate)},
                  {"text", or_one(options->text_rate)}};
    double decay = or_one(options->layer_decay);
    int count = dip_params_count(params);
    for (int i = 0; i < count; i++)
        rates[i] = 1;
    for (size_t t = 0; t < DIP_ARRAY_LEN(towers); t++) {
        double blocks = number_blocks(rates, params, towers[t].name);
        for (int i = 0; i < count; i++)
            if (is_below(dip_params_name(params, i), towers[t].name))
                rates[i] = towers[t].rate * pow(decay, blocks + 1 - rates[i]);
    }
}
