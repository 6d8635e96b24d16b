#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/golden/subwords/merges.txt",
                                  "tests/golden/subwords/merges.txt.gz", NULL};

const char *const fuzz_words[] = {
    "#version",     "</w>",   " ",        "\n",      "a b\n",   "ab c\n",
    "&amp;",        "&#x92;", "\x1f\x8b", "\x1b[0m", "&eacute", "\xce\xa3",
    "\xef\xbc\xa1", NULL};

/* A merges file, plain or packed, then the file itself as a text. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const dip_tokenizer_options options = {
        .kind = DIP_TOKENIZER_CLIP_BPE,
        .merges = path,
        .clean = (dip_clean)(n % DIP_CLEAN_COUNT)};
    dip_tokenizer *tokenizer;
    int64_t ids[16], needed;
    dip_err err = {0};
    dip_str clean = {0};
    (void)!dip_clean_text(&clean, (dip_bytes){bytes, n}, options.clean, &err);
    dip_str_free(&clean);
    if (dip_tokenizer_read(&tokenizer, &options, &err) != DIP_OK)
        return;
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer,
                                (dip_bytes){bytes, n}, &err);
    dip_tokenizer_free(tokenizer);
}
