#include "data/manifest.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/catalog.manifest.json",
                                  NULL};

const char *const fuzz_words[] = {
    "\"bulk\": [[0, 1]]",  "\"file\": \"..\"",
    "9223372036854775807", "-1",
    "\"rows\": 6",         "\"columns\": []",
    "\"kind\": \"text\"",  "\"shards\": [{}]",
    "\"sha256\": \"",      "\\u0000",
    "\"judgements\": {",   NULL,
};

/* A manifest, and what it says of a file that is not the one. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    dip_manifest manifest;
    dip_err err = {0};
    if (dip_manifest_read(&manifest, path, &err) != DIP_OK)
        return;
    for (int i = 0; i < manifest.shard_count; i++)
        (void)!dip_manifest_check(&manifest.shards[i], path, true, &err);
    dip_manifest_free(&manifest);
}
