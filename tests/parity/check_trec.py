"""What trec_eval and ranx make of the TREC files that `diptych eval --trec`
writes, and what `diptych eval --run --qrels` makes of them, against the report
of the same evaluation, within 1e-6: the report carries 9 digits, and the
gallery is ranked to its end.

    python tests/parity/check_trec.py

A small run on drawn products. Peers: pytrec_eval-terrier 0.5.11, ranx 0.3.21.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import pytrec_eval
from ranx import Qrels, Run, evaluate

import driver

CONFIG = driver.ROOT / "tests/cli/tiny.yaml"
NAMES = {"mrr": ("recip_rank", "mrr"), "map": ("map", "map"),
         "ndcg": ("ndcg", "ndcg"), "r_precision": ("Rprec", "r-precision"),
         "hit@5": ("success_5", "hit_rate@5"),
         "recall@10": ("recall_10", "recall@10"),
         "precision@5": ("P_5", "precision@5"),
         "map@10": ("map_cut_10", "map@10"),
         "ndcg@10": ("ndcg_cut_10", "ndcg@10")}


def diptych(*words):
    done = subprocess.run([driver.BUILD / "diptych", *map(str, words)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise driver.Failed(done.stderr.strip())
    return done.stdout


def lines(path, value, number):
    table = {}
    for line in path.read_text().splitlines():
        fields = line.split()
        table.setdefault(fields[0], {})[fields[2]] = number(fields[value])
    return table


def check_task(report, folder, name, values):
    run_path, qrels_path = folder / f"{name}.run", folder / f"{name}.qrels"
    run = lines(run_path, 4, float)
    qrels = lines(qrels_path, 3, lambda x: int(float(x)))
    scores = [list(v.values()) for v in run.values()]
    tied = sum(len(set(s)) < len(s) for s in scores)
    trec = pytrec_eval.RelevanceEvaluator(qrels, {
        "recip_rank", "map", "ndcg", "Rprec", "success.5", "recall.10", "P.5",
        "map_cut.10", "ndcg_cut.10"}).evaluate(run)
    ranx = evaluate(Qrels(qrels), Run(run), [r for _, r in NAMES.values()],
                    make_comparable=True)
    back = json.loads(diptych("eval", "--run", run_path, "--qrels", qrels_path,
                              "--json", "eval.bootstrap=1"))["retrieval"]
    (ours,) = back.values()
    for metric, (by_trec, by_ranx) in NAMES.items():
        mean = sum(v[by_trec] for v in trec.values()) / len(trec)
        report.case(f"{name} {metric}, read by trec_eval",
                    abs(mean - values[metric]), 1e-6)
        report.case(f"{name} {metric}, read by ranx",
                    abs(ranx[by_ranx] - values[metric]), 1e-6)
        report.case(f"{name} {metric}, read by --run",
                    abs(ours[metric] - values[metric]), 1e-6)
    print(f"     {name}: {len(run)} queries, {tied} of them with ties")


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        diptych("synth", "--quiet", "--rows", 400, "--seed", 3, "--size", 32,
                "--queries", 60, "--out", folder / "s.h5")
        diptych("train", CONFIG, f"data.catalog={folder}/s.h5", "--run",
                folder / "run", "--quiet", "train.epochs=1",
                "tasks.searches.query=judgements", "tasks.searches.weight=0",
                "tasks.searches.relevant_by=[judgements]")
        diptych("eval", folder / "run", "--trec", folder / "trec", "--no-html",
                "--quiet", "--out", folder / "report.json",
                "eval.bootstrap=1")
        tasks = json.loads((folder / "report.json").read_text())["retrieval"]
        for name, values in tasks.items():
            check_task(report, folder / "trec", name, values)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
