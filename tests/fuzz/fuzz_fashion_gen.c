#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"
#include "tests/fuzz/use_catalog.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/fashion_gen.records", NULL};

const char *const fuzz_words[] = {
    "\x01\x07\x02", "\x00\x01\x02", "\x02\x0f\x03",
    "\x03\x01\x02", "\x04\x04\x02", "\xff\xff\xff\xff",
    "caf\xe9",      "\xc3\xa9",     NULL};

static const char *const groups[] = {NULL};

static const char *const datasets[] = {"input_image",       "input_name",
                                       "input_category",    "input_productID",
                                       "input_msrpUSD",     "input_description",
                                       "input_composition", NULL};

/* The columns that it has by custom, then those of a mapping. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    static dip_dataset_name texts[] = {{"title", "input_name"},
                                       {"made_of", "input_composition"}},
                            labels[] = {{"kind", "input_category"}},
                            numbers[] = {{"price", "input_msrpUSD"}};
    static const dip_mapping mappings[] = {{.layout = "fashion_gen"},
                                           {.layout = "fashion_gen",
                                            .texts = texts,
                                            .text_count = 2,
                                            .labels = labels,
                                            .label_count = 1,
                                            .numbers = numbers,
                                            .number_count = 1}};
    const fuzz_records records = {"", groups, datasets};
    dip_str file = {0};
    bool written = fuzz_write_records(&file, path, &records, bytes, n);
    for (size_t i = 0; written && i < DIP_ARRAY_LEN(mappings); i++)
        fuzz_use_catalog(file.data, &mappings[i]);
    dip_str_free(&file);
}
