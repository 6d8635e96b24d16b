#include "models/source.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/index.json", NULL};

const char *const fuzz_words[] = {
    "\"weight_map\"",
    "\"a\": \"b.safetensors\"",
    "\"../x\"",
    "\"\"",
    "\\u0000",
    "null",
    ", ",
    NULL,
};

/* The list of the files that weights are spread over. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    dip_source *source;
    dip_err err = {0};
    const char *folder = fuzz_folder(path, "model.safetensors.index.json");
    if (dip_source_open(&source, folder, &err) == DIP_OK)
        dip_source_close(source);
}
