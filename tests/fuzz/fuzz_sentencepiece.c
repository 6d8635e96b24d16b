#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {
    "tests/fuzz/seeds/sentencepiece_unigram.model",
    "tests/fuzz/seeds/sentencepiece_bpe.model",
    "tests/fuzz/seeds/sentencepiece_char.model",
    "tests/fuzz/seeds/sentencepiece_word.model", NULL};

/* Pieces of several types, model types, switches of the normaliser. */
const char *const fuzz_words[] = {
    "\x0a\x0a\x0a\x01z\x15\xcd\xcc\xcc\xbd\x18\x04",
    "\x0a\x0e\x0a\x05<unk>\x15\xcd\xcc\xcc\xbd\x18\x02",
    "\x0a\x0d\x0a\x06<0x41>\x18\x06",
    "\x18\x03",
    "\x18\x04",
    "\x18\x05",
    "\x12\x02\x18\x03",
    "\x1a\x02\x18\x01",
    "\x15\x01\x01\xc0\x7f",
    "\x15\x01\x01\x80\xff",
    "\xe2\x96\x81",
    "\xc0\x02\x01",
    NULL,
};

/* A model file, then texts that its rules change and the file itself. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const dip_tokenizer_options options = {.kind = DIP_TOKENIZER_SENTENCEPIECE,
                                           .model = path,
                                           .pad_id = -1,
                                           .bos = n % 2,
                                           .eos = n % 3};
    static const dip_bytes text = {"US <sep> \xef\xac\x81red A \xef\xbc\xa1"
                                   "BBaaaa\0 z\xff",
                                   28};
    dip_tokenizer *tokenizer;
    int64_t ids[16], needed;
    dip_err err = {0};
    if (dip_tokenizer_read(&tokenizer, &options, &err) != DIP_OK)
        return;
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer, text, &err);
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer,
                                (dip_bytes){bytes, n}, &err);
    dip_tokenizer_free(tokenizer);
}
