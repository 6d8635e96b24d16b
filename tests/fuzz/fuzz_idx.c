#include <stdlib.h>

#include "base/file.h"
#include "data/fashion_mnist.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

enum { HEAD = 16, PIXELS = 784 };

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/idx.pieces",
                                  "tests/fuzz/seeds/idx_packed.pieces", NULL};

const char *const fuzz_words[] = {
    "\x08\x03", "\x08\x01",         "\x1c", "\x1f\x8b\x08",
    "\x1e",     "\xff\xff\xff\xff", NULL};

static const char *const names[] = {
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", NULL};

/* A plain file of photos has one byte for each in the input, so that damage
 * seldom falls on pixels: makes all pixels of it. */
static void spread(const char *folder, const char *name)
{
    dip_str path = {0}, out = {0};
    char *bytes = NULL;
    size_t n = 0;
    dip_str_addf(&path, "%s/%s", folder, name);
    if (dip_file_read(&bytes, &n, path.data, FUZZ_MAX_BYTES, NULL) != DIP_OK)
        abort();
    if (n > HEAD && bytes[0] == '\0') {
        dip_str_add_n(&out, bytes, HEAD);
        for (size_t i = 0; i < (n - HEAD) * PIXELS; i++)
            dip_str_add_n(&out, bytes + HEAD + i / PIXELS, 1);
        fuzz_write_piece(folder, name, out.data, out.len);
    }
    free(bytes);
    dip_str_free(&path);
    dip_str_free(&out);
}

/* The four files of Fashion-MNIST, plain or packed. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    dip_str out = {0};
    dip_import_report report;
    dip_err err = {0};
    const char *folder = fuzz_write_pieces(path, names, bytes, n);
    spread(folder, names[0]);
    spread(folder, names[2]);
    dip_str_addf(&out, "%s/out.h5", folder);
    const dip_photo_set_options options = {
        .folder = folder, .out = out.data, .val_rows = (int64_t)(n % 3)};
    (void)!dip_import_fashion_mnist(&report, &options, &err);
    dip_import_report_free(&report);
    dip_str_free(&out);
}
