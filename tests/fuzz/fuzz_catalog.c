#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"
#include "tests/fuzz/use_catalog.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/catalog.records", NULL};

const char *const fuzz_words[] = {
    "\x01\x02\x03",     "\x00\x00\x03", "\x05\x01\x06", "\x0c\x00\x02",
    "\xff\xff\xff\xff", "abc",          "\xc3\xa9",     NULL};

static const char *const groups[] = {"id",
                                     "text",
                                     "text/title",
                                     "label",
                                     "label/kind",
                                     "number",
                                     "label/kind/names",
                                     "image",
                                     "image/a",
                                     "image/b",
                                     NULL};

static const char *const datasets[] = {
    "id/bytes",
    "id/offsets",
    "split",
    "group",
    "text/title/bytes",
    "text/title/offsets",
    "label/kind/values",
    "label/kind/names/bytes",
    "label/kind/names/offsets",
    "number/price",
    "image/a/bytes",
    "image/a/offsets",
    "image/b/pixels",
    "image/b/given",
    NULL,
};

/* A catalog without a manifest. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const fuzz_records records = {"diptych-catalog", groups, datasets};
    dip_str file = {0};
    if (fuzz_write_records(&file, path, &records, bytes, n))
        fuzz_use_catalog(file.data, NULL);
    dip_str_free(&file);
}
