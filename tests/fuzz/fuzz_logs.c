#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/catalog_writer.h"
#include "data/import.h"
#include "data/relevance.h"
#include "tests/fuzz/fuzz.h"

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

/* Three products, one in each split. */
static void make_catalog(const char *path)
{
    static const dip_column title = {.kind = DIP_COLUMN_TEXT, .name = "title"};
    static const dip_catalog_schema schema = {
        .source = "", .columns = &title, .column_count = 1};
    static const dip_value value = {.bytes = {"shirt", 5}};
    static const char *const ids[DIP_SPLIT_COUNT] = {"a", "b", "c"};
    dip_catalog_writer *writer;
    if (dip_catalog_writer_create(&writer, path, &schema, NULL) != DIP_OK)
        abort();
    for (int i = 0; i < DIP_SPLIT_COUNT; i++) {
        const dip_row row = {
            .id = {ids[i], 1}, .split = (dip_split)i, .values = &value};
        (void)!dip_catalog_writer_add(writer, &row, NULL);
    }
    if (dip_catalog_writer_commit(writer, NULL) != DIP_OK)
        abort();
    dip_catalog_writer_end(writer);
}

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

/* A search log, then the same as behaviour, into a catalog made once. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    static dip_str into;
    if (into.len == 0) {
        dip_str_addf(&into, "%s/catalog.h5", fuzz_folder(path, NULL));
        make_catalog(into.data);
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
    (void)!dip_import_interactions(&report, &options, NULL);
    dip_import_report_free(&report);
}
