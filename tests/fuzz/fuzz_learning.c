#include "report/learning.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/log.jsonl", NULL};

const char *const fuzz_words[] = {
    "\"step\": 2",
    "\"step\": -1",
    "\"loss\": 0.5",
    "\"event\": \"step\"",
    "\"validation\"",
    "\"report\"",
    "\"retrieval\"",
    "\"mrr\": 1",
    "null",
    "1e999",
    "[]",
    "{}\n",
    "\n",
    NULL,
};

/* log.jsonl of a run. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    json_t *learning;
    dip_err err = {0};
    if (dip_report_learning(&learning, path, &err) == DIP_OK)
        json_decref(learning);
}
