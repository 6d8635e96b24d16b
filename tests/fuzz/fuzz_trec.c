#include "base/mem.h"
#include "eval/ranking.h"
#include "eval/trec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/trec.pieces", NULL};

const char *const fuzz_words[] = {"q1 Q0 a 1 2.5 x\n",
                                  "q1 0 a 1\n",
                                  "\n",
                                  "\t",
                                  " ",
                                  "-1e-300",
                                  "1e999",
                                  "nan",
                                  "+0x1p",
                                  "1000.5",
                                  "\x1e",
                                  "%20",
                                  "\r\n",
                                  "\x0b",
                                  NULL};

static const char *const names[] = {"x.run", "x.qrels", NULL};

/* A run and its judgements, which are measured then. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    dip_str run = {0}, qrels = {0};
    dip_trec trec;
    dip_ranking ranking;
    dip_ranking_options options = dip_ranking_defaults();
    dip_err err = {0};
    const char *folder = fuzz_write_pieces(path, names, bytes, n);
    dip_str_addf(&run, "%s/%s", folder, names[0]);
    dip_str_addf(&qrels, "%s/%s", folder, names[1]);
    if (dip_trec_read(&trec, run.data, qrels.data, &err) == DIP_OK) {
        if (dip_ranking_evaluate_run(&ranking, &trec.run, &trec.relevance,
                                     &options, &err) == DIP_OK)
            dip_ranking_free(&ranking);
        dip_trec_free(&trec);
    }
    dip_str_free(&run);
    dip_str_free(&qrels);
}
