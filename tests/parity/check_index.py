"""Indexes of `diptych index`, read and searched by faiss in Python.

    python tests/parity/check_index.py

For each run of runs.py and each type of index: faiss.read_index reads the file;
for queries of words it returns the ids of `diptych search --index`, and scores
within 1e-5 of theirs, with no option set; those of flat are the best of numpy;
and the recall@10 that was printed is the one that faiss has against exact search
by numpy, for the same rows as queries. Peers: faiss-cpu 1.15.1, h5py 3.16.0,
numpy 2.4.
"""

import json
import pathlib
import sys
import tempfile

import faiss
import numpy as np

import runs

TYPES = ("flat", "ivf", "hnsw", "ivfpq")
TOP, MEASURED = 10, 500
SCORE, TIE, RECALL = 1e-5, 1e-6, 2e-3
WORDS = ("red shirt", "a blue watch for men", "shoes")

failed = 0


def tell(good, words):
    global failed
    failed += not good
    print("ok  " if good else "FAIL", words, flush=True)


def search(index, queries, similarity):
    found, rows = index.search(np.ascontiguousarray(queries, np.float32), TOP + 1)
    return (-found if similarity == "euclidean" else found), rows


def recall(index, rows, similarity):
    """As docs/embeddings.md has it: rows spread evenly ask for others, and a hit
    is right if it is as near as the exact tenth."""
    count = min(MEASURED, len(rows))
    asked = np.arange(count) * len(rows) // count
    exact = runs.scores(rows[asked], rows, similarity)
    exact[np.arange(count), asked] = -np.inf
    limit = np.sort(exact, axis=1)[:, -TOP]
    _, found = search(index, rows[asked], similarity)
    right = 0
    for q, row in enumerate(asked):
        hits = [r for r in found[q] if r not in (row, -1)][:TOP]
        right += sum(exact[q, r] >= limit[q] - TIE for r in hits)
    return right / (count * TOP)


def check_words(folder, run, kind, index, similarity, rows, ids):
    """The query is what `diptych embed --queries` makes of the same words."""
    queries = runs.rows_of(folder / f"{run}-words.h5")
    scores, found = search(index, queries, similarity)
    exact = runs.scores(queries, rows, similarity)
    gap, same, best = 0, 0, 0
    for q, words in enumerate(WORDS):
        hits = json.loads(runs.diptych(
            folder, "search", f"runs/{run}", "--text", words, "--top", TOP,
            "--index", f"{run}-{kind}.faiss", "--json", "--quiet"))
        there = np.array([hit["score"] for hit in hits])
        gap = max(gap, np.abs(there - scores[q, :TOP]).max())
        # Where two rows tie, either may come first.
        same += sum(hit["id"] == ids[row] or abs(hit["score"] - score) <= TIE
                    for hit, row, score in zip(hits, found[q], scores[q]))
        best += np.abs(there - np.sort(exact[q])[::-1][:TOP]).max() <= SCORE
    tell(gap <= SCORE and same == TOP * len(WORDS),
         f"{run} {kind}: the rows of search --index, scores within {gap:.1e}")
    if kind == "flat":
        tell(best == len(WORDS), f"{run} flat: the best rows by numpy")


def check_run(folder, run):
    runs.diptych(folder, "embed", f"runs/{run}", "--quiet", "--out", f"{run}-e.h5")
    (folder / "words").write_text("\n".join(WORDS))
    runs.diptych(folder, "embed", f"runs/{run}", "--quiet", "--queries=words",
                 "--out", f"{run}-words.h5")
    path = folder / f"{run}-e.h5"
    rows, similarity = runs.rows_of(path), runs.attribute(path, "similarity")
    for kind in TYPES:
        out = folder / f"{run}-{kind}.faiss"
        printed = json.loads(runs.diptych(
            folder, "index", path.name, "--type", kind, "--out", out.name, "--json"))
        index = faiss.read_index(str(out))
        ids = json.loads((folder / f"{run}-{kind}.faiss.json").read_text())["ids"]
        tell(index.ntotal == len(rows) and index.d == rows.shape[1]
             and ids == runs.ids_of(path),
             f"{run} {kind}: {type(faiss.downcast_index(index)).__name__}, "
             f"{index.ntotal} rows of {index.d}, the ids of {path.name}")
        mine = recall(index, rows, similarity)
        tell(abs(mine - printed["recall@10"]) <= RECALL and
             (kind != "flat" or printed["recall@10"] == 1),
             f"{run} {kind}: recall@10 {mine:.4f}, printed "
             f"{printed['recall@10']:.4f}")
        check_words(folder, run, kind, index, similarity, rows, ids)


def main():
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for run in runs.trained(folder):
            check_run(folder, run)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
