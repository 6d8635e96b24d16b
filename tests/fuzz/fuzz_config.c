#include "base/config.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/cli/tiny.yaml", NULL};

const char *const fuzz_words[] = {
    "train:",       "  lr: 1e-3\n", "tasks: {a: {query: b}}",
    "extends: ",    "sizes: [1, ",  "\n- ",
    ": |\n  ",      "&a ",          "*a",
    "!!str ",       "---\n",        "1e39",
    "\xef\xbb\xbf", "\t",           "'",
    NULL,
};

static const dip_option options[] = {
    {.key = "name", .type = DIP_OPTION_STRING, .fallback = "x"},
    {.key = "train.lr", .type = DIP_OPTION_FLOAT, .fallback = "1e-3"},
    {.key = "train.epochs", .type = DIP_OPTION_INT, .fallback = "3"},
    {.key = "data.exif", .type = DIP_OPTION_BOOL, .fallback = "true"},
    {.key = "tasks.*.query", .type = DIP_OPTION_STRING, .required = true},
    {.key = "model.image.tower", .type = DIP_OPTION_ENUM, .choices = "a|cnn"},
    {.key = "model.image.widths", .type = DIP_OPTION_INTS, .fallback = "[]"},
    {.key = "fields.*.labels", .type = DIP_OPTION_STRINGS, .fallback = "[]"},
};

/* A config against a table with options of all types, then the resolved one. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    dip_config *config;
    dip_err err = {0};
    dip_str text = {0};
    dip_status st = dip_config_load(&config, options, DIP_ARRAY_LEN(options),
                                    path, NULL, 0, &err);
    if (st == DIP_OK)
        (void)!dip_config_dump(&text, config, &err);
    dip_str_free(&text);
    dip_config_free(config);
}
