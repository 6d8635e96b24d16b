#include <stdlib.h>

#include "base/str.h"
#include "data/bipartite.h"
#include "data/import_graph.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/graph.txt", NULL};

const char *const fuzz_words[] = {
    " ",  "\n",   "\t",   "07",         "9223372036854775807",
    "-1", "3e+5", "1e39", "4294967296", "9223372036854775808",
    NULL,
};

static void use_graph(const char *path)
{
    dip_catalog *catalog;
    dip_bipartite graph;
    if (dip_catalog_open(&catalog, path, NULL, NULL) != DIP_OK)
        abort();
    if (dip_bipartite_of_catalog(
            &graph, catalog, DIP_SPLIT_BIT(DIP_SPLIT_TRAIN), NULL) != DIP_OK)
        abort();
    dip_bipartite_free(&graph);
    dip_catalog_close(catalog);
}

/* Both forms; what was taken is a whole catalog and a graph. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    static dip_str out;
    if (out.len == 0)
        dip_str_addf(&out, "%s/graph.h5", fuzz_folder(path, NULL));
    for (int form = 0; form < 2; form++) {
        const dip_import_graph_options options = {.files = {path},
                                                  .form = (dip_graph_form)form,
                                                  .hold_out = 30,
                                                  .out = dip_str_text(&out)};
        dip_import_report report;
        if (dip_import_graph(&report, &options, NULL) == DIP_OK)
            use_graph(options.out);
        dip_import_report_free(&report);
    }
}
