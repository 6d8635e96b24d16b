#!/usr/bin/env python3
"""Writes tests/golden/ensemble.json: fused rankings and votes that
eval/ensemble.h must reproduce.

Peers: ranx 0.3.21 (fusion of runs: rrf with k = 60, wsum over scores normalised
by min-max and zmuv), numpy 2.4.6 (votes).

Usage: python tests/parity/gen_ensemble.py > tests/golden/ensemble.json
"""
import json

import numpy as np
from ranx import Run, fuse

RNG = np.random.default_rng(7)
QUERIES, GALLERY, DIMS = 6, 25, (3, 5, 4)
WEIGHTS = [0.5, 0.3, 0.2]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")


def as_run(scores, name):
    return Run({f"q{q}": {f"d{d}": float(s) for d, s in enumerate(row)}
                for q, row in enumerate(scores)}, name=name)


def order(run):
    return [[int(d[1:]) for d in run[f"q{q}"]] for q in range(QUERIES)]


def rankings():
    members = [(unit(RNG.normal(size=(QUERIES, d))),
                unit(RNG.normal(size=(GALLERY, d)))) for d in DIMS]
    # One member by distances of rows of any length.
    members[2] = (RNG.normal(size=(QUERIES, DIMS[2])).astype("f4"),
                  RNG.normal(size=(GALLERY, DIMS[2])).astype("f4"))
    scores = [q.astype("f8") @ g.astype("f8").T for q, g in members]
    q, g = (m.astype("f8") for m in members[2])
    scores[2] = -((q[:, None] - g[None]) ** 2).sum(-1)
    runs = [as_run(s, f"m{i}") for i, s in enumerate(scores)]
    out = {"similarities": ["cosine", "cosine", "euclidean"],
           "queries": [q.tolist() for q, _ in members],
           "gallery": [g.tolist() for _, g in members]}
    for name, norm in (("none", None), ("minmax", "min-max"),
                       ("zscore", "zmuv")):
        out[name] = order(fuse(runs, norm=norm, method="wsum",
                               params={"weights": WEIGHTS}))
    fused = fuse(runs, norm=None, method="rrf", params={"k": 60})
    out["rrf"] = [[fused[f"q{q}"][f"d{d}"] for d in range(GALLERY)]
                  for q in range(QUERIES)]
    return out


def votes():
    rows, classes = 40, 4
    p = RNG.dirichlet(np.ones(classes), size=(3, rows)).astype("f4")
    labels = RNG.integers(-1, classes, size=rows)
    mean = np.average(p.astype("f8"), axis=0, weights=WEIGHTS)
    plain = p.astype("f8").mean(axis=0)
    counts = np.stack([np.bincount(p[:, i].argmax(-1), minlength=classes)
                       for i in range(rows)])
    # The most votes; of equals the highest mean probability.
    hard = [max(range(classes), key=lambda c: (counts[i, c], plain[i, c]))
            for i in range(rows)]
    known = labels >= 0
    likelihood = np.log(mean[known, labels[known]]).mean()
    assert (counts.max(1) == 1).any() and (counts.max(1) > 1).any()
    return {"probabilities": p.tolist(), "labels": labels.tolist(),
            "mean": mean.tolist(), "soft": mean.argmax(1).tolist(),
            "hard": hard, "log_likelihood": likelihood}


print(json.dumps({"weights": WEIGHTS, "rankings": rankings(),
                  "votes": votes()}, separators=(",", ":")))
