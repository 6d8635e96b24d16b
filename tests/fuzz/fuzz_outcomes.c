#include "eval/outcomes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/outcomes.records", NULL};

const char *const fuzz_words[] = {
    "\x01\x02\x03",     "\x00\x00\x03", "\x05\x01\x06", "\x0c\x04\x02",
    "\xff\xff\xff\xff", "abc",          "\xc3\xa9",     NULL};

static const char *const groups[] = {"t",      "t/top",   "t/id",
                                     "t/text", "t/value", NULL};

static const char *const datasets[] = {
    "t/row",        "t/group",
    "t/relevant",   "t/rank",
    "t/id/bytes",   "t/id/offsets",
    "t/text/bytes", "t/text/offsets",
    "t/value/mrr",  "t/value/hit@1",
    "t/top/row",    "t/top/score",
    "t/top/right",  NULL,
};

/* What an evaluation keeps of its queries, for `compare`. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const fuzz_records records = {"diptych-queries", groups, datasets};
    dip_str file = {0};
    dip_outcome_set set;
    dip_err err = {0};
    if (fuzz_write_records(&file, path, &records, bytes, n) &&
        dip_outcome_set_read(&set, file.data, &err) == DIP_OK) {
        for (int i = 0; i < set.count; i++)
            for (int64_t k = 0; k < set.items[i].count; k++)
                (void)dip_text_column_get(&set.items[i].texts, k);
        dip_outcome_set_free(&set);
    }
    dip_str_free(&file);
}
