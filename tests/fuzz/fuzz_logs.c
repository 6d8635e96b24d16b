#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/clicks.h"
#include "data/import.h"
#include "data/relevance.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/products.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/logs.csv", NULL};

const char *const fuzz_words[] = {
    "red shirt,a,1,1700000000,train\n",
    "query,id,grade,time,split\n",
    "\"",
    ",",
    "\n",
    ",b,",
    "-1",
    "1e39",
    "9e15",
    "0.5",
    "val",
    "\xff",
    NULL,
};

static void use_judgements(const char *path)
{
    static const int64_t gallery[] = {2, 0};
    dip_catalog *catalog;
    dip_judged_queries judged;
    if (dip_catalog_open(&catalog, path, NULL, NULL) != DIP_OK)
        return;
    for (int split = 0; split < DIP_SPLIT_COUNT; split++) {
        if (dip_judged_queries_build(&judged, catalog, (dip_split)split,
                                     gallery, DIP_ARRAY_LEN(gallery),
                                     NULL) == DIP_OK)
            dip_judged_queries_free(&judged);
    }
    dip_catalog_close(catalog);
}

/* The same as events, whose kinds are splits and whose places are grades. */
static void use_events(const dip_import_log_options *log, size_t n)
{
    static const dip_click_event kinds[] = {
        {"train", 1, false}, {"val", 0.5, false}, {"test", 0, true}};
    const dip_click_options clicks = {
        .event = "split",
        .rank = n % 2 ? "grade" : NULL,
        .events = kinds,
        .event_count = n % 4 < 2 ? 2 : 3,
        .best = n % 16 == 0,
        .rank_bias = 1,
        .prior = (double)(n % 3),
        .least = 1,
        .grading = {.kind = (dip_grading_kind)(n % DIP_GRADING_COUNT),
                    .scale = 3,
                    .log = n % 5 == 0,
                    .whole = n % 7 == 0}};
    dip_import_log_options options = *log;
    dip_import_report report;
    options.clicks = &clicks;
    if (dip_import_clicks(&report, &options, NULL) == DIP_OK)
        use_judgements(options.into);
    dip_import_report_free(&report);
}

/* A search log, then the same as behaviour, into a catalog made once. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    static dip_str into;
    if (into.len == 0) {
        dip_str_addf(&into, "%s/catalog.h5", fuzz_folder(path, NULL));
        fuzz_products(into.data);
    }
    const dip_import_log_options options = {.table = path,
                                            .format = "csv",
                                            .into = into.data,
                                            .owner = "query",
                                            .id = "id",
                                            .value = "grade",
                                            .time = "time",
                                            .split = n % 2 ? "split" : NULL,
                                            .skip_bad = n % 8 == 0};
    dip_import_report report;
    if (dip_import_judgements(&report, &options, NULL) == DIP_OK)
        use_judgements(into.data);
    dip_import_report_free(&report);
    use_events(&options, n);
    (void)!dip_import_interactions(&report, &options, NULL);
    dip_import_report_free(&report);
}
