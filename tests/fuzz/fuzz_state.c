#include "tests/fuzz/fuzz.h"
#include "train/checkpoint.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/state.json", NULL};

const char *const fuzz_words[] = {
    "\"step\": -1",
    "\"best\": \"inf\"",
    "\"seed\": \"18446744073709551616\"",
    "1e999",
    "\"threads\": 2147483648",
    "null",
    "\\u0000",
    "[[[[[[[[",
    NULL,
};

/* state.json of a checkpoint. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    dip_train_state state;
    dip_err err = {0};
    (void)!dip_checkpoint_read_state(&state, fuzz_folder(path, "state.json"),
                                     &err);
}
