#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/golden/subwords/vocab.txt", NULL};

const char *const fuzz_words[] = {"[PAD]\n", "[UNK]\n",  "[CLS]\n",
                                  "[SEP]\n", "[MASK]",   "##",
                                  "\r\n",    "\xc3\xa9", NULL};

/* A vocab.txt, then the file itself as a text. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const dip_tokenizer_options options = {
        .kind = DIP_TOKENIZER_WORDPIECE, .vocab = path, .lowercase = n % 2};
    dip_tokenizer *tokenizer;
    int64_t ids[16], needed;
    dip_err err = {0};
    if (dip_tokenizer_read(&tokenizer, &options, &err) != DIP_OK)
        return;
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer,
                                (dip_bytes){bytes, n}, &err);
    dip_tokenizer_free(tokenizer);
}
