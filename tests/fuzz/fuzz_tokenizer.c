#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/tokenizer_word.json",
                                  "tests/fuzz/seeds/tokenizer_wordpiece.json",
                                  "tests/fuzz/seeds/tokenizer_clip_bpe.json",
                                  NULL};

const char *const fuzz_words[] = {
    "\"kind\"",      "\"word\"",      "\"tokens\"",
    "\"eos\"",       "true",          "[unk]",
    "\\u0000",       "\\ud800",       "\"red\", ",
    "\"merges\"",    "\"a b\", ",     "\"clip_bpe\"",
    "\"wordpiece\"", "\"character\"", "\"clean\"",
    "\"lower\"",     "\"lowercase\"", NULL,
};

/* tokenizer.json of a run directory. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    if (dip_tokenizer_load(&tokenizer, path, &err) != DIP_OK)
        return;
    int64_t ids[16], needed;
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer,
                                (dip_bytes){bytes, n}, &err);
    dip_tokenizer_free(tokenizer);
}
