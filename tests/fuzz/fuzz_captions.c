#include "data/h5.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/use_catalog.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/captions.pieces", NULL};

const char *const fuzz_words[] = {
    "[",       "]",       ",",      "[6, 1, 7]",  "\"<start>\"", "\"<pad>\": 0",
    "\"a\":",  "9999999", "-1",     "1.5",        "{",           "\x1e",
    "\\u0000", "null",    "[], []", "4294967296", NULL};

static const char *const names[] = {"TRAIN_CAPTIONS_x.json", "WORDMAP_x.json",
                                    "TRAIN_CAPLENS_x.json", NULL};

/* Two photos of two captions each. */
static void make_images(const char *path)
{
    static const int64_t size[] = {2, 3, 2, 2};
    dip_h5_file file;
    dip_h5_dataset images;
    if (dip_h5_create_over(&file, path, NULL) != DIP_OK)
        return;
    (void)!dip_h5_put_int(&file, "captions_per_image", 2, NULL);
    if (dip_h5_create_bytes(&images, &file, "images", 4, size, NULL) == DIP_OK)
        dip_h5_dataset_close(&images);
    (void)!dip_h5_finish(&file, NULL);
}

/* The JSON files of captions beside sound photos. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    static const dip_mapping mapping = {.layout = "coco_captions"};
    static dip_str images;
    const char *folder = fuzz_write_pieces(path, names, bytes, n);
    if (images.len == 0) {
        dip_str_addf(&images, "%s/TRAIN_IMAGES_x.hdf5", folder);
        make_images(images.data);
    }
    fuzz_use_catalog(images.data, &mapping);
}
