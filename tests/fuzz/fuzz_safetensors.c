#include "tensor/safetensors.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {
    "tests/fuzz/seeds/two.safetensors",
    NULL,
};

const char *const fuzz_words[] = {
    "\"dtype\":\"F32\"",
    "\"dtype\":\"BF16\"",
    "\"dtype\":\"I64\"",
    "\"dtype\":\"BOOL\"",
    "\"shape\":[2,3]",
    "\"shape\":[]",
    "\"shape\":[0,99999]",
    "\"data_offsets\":[0,24]",
    "\"__metadata__\"",
    "18446744073709551615",
    "9223372036854775807",
    ",\"a\":{",
    NULL,
};

void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    dip_safetensors *file;
    dip_err err = {0};
    if (dip_safetensors_open(&file, path, &err) != DIP_OK)
        return;
    dip_scope_open();
    for (int i = 0; i < dip_safetensors_count(file); i++)
        (void)dip_safetensors_tensor(file, i);
    (void)dip_safetensors_metadata(file, "a");
    dip_scope_close();
    (void)!dip_tensor_status(&err);
    dip_safetensors_close(file);
}
