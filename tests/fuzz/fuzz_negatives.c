#include <stdlib.h>

#include "base/str.h"
#include "data/hard_negatives.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/products.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/negatives.tsv", NULL};

const char *const fuzz_words[] = {"a\tb\n", "\t", "\n",   "\r\n", "c\ta\tb",
                                  "\tb",    "a",  "\t\t", "b\n",  NULL};

/* All rows that it names are those of the catalog, and none its own. */
static void check(const dip_hard_negatives *negatives)
{
    for (int64_t row = 0; row < negatives->rows; row++) {
        const int64_t *list = negatives->values + row * negatives->width;
        for (int64_t i = 0; i < negatives->width; i++) {
            if (list[i] < -1 || list[i] >= negatives->rows || list[i] == row)
                abort();
        }
    }
}

void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    static dip_catalog *catalog; /* until the process ends */
    static dip_str products;
    if (catalog == NULL) {
        dip_str_addf(&products, "%s/catalog.h5", fuzz_folder(path, NULL));
        fuzz_products(products.data);
        if (dip_catalog_open(&catalog, products.data, NULL, NULL) != DIP_OK)
            abort();
    }
    dip_hard_negatives negatives;
    if (dip_hard_negatives_read(&negatives, catalog, path, NULL) == DIP_OK)
        check(&negatives);
    dip_hard_negatives_free(&negatives);
}
