"""Exported recommenders in Python: the tables by numpy, the scorers by torch.jit
and ONNX Runtime, against each other, the samples of the bundle and the lists of
`diptych recommend`.

    python tests/parity/check_recommender.py

Needs the programs of the build that DIPTYCH_BUILD (build) names. Peers: torch
2.13.0, onnxruntime 1.32.0, safetensors.
"""

import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIPTYCH = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
KINDS = {
    "lightgcn": [],
    "sage": ["graph.kind=sage", "graph.aggregator=lstm", "graph.fanouts=[4,3]",
             "recommendation.similarity=cosine"],
}
CONFIG = """
task: recommendation
data: {catalog: graph.h5}
graph: {dim: 8}
train: {epochs: 3, batch_size: 64, threads: 1}
eval: {k: [20]}
"""


def diptych(folder, *arguments):
    subprocess.run([DIPTYCH, *arguments], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)


def make_graph(folder):
    draw = random.Random(2)
    lines = [" ".join(map(str, [u, *draw.sample(range(90), draw.randint(0, 9))]))
             for u in range(70)]
    (folder / "graph.txt").write_text("\n".join(lines))
    (folder / "likes.yaml").write_text(CONFIG)
    diptych(folder, "import", "graph", "graph.txt", "--out", "graph.h5", "--quiet")


def scores_of(folder, kind, form):
    """Scores [U, I] of all users by the bundle's own program, and the bundle."""
    bundle = folder / f"{kind}-{form}"
    diptych(folder, "export", f"runs/{kind}", "--format", form, "--out", bundle,
            "--quiet")
    tables = load_file(bundle / "embeddings.safetensors")
    users = np.arange(len(tables["user_embeddings"]))
    if form == "safetensors":
        return tables["user_embeddings"] @ tables["item_embeddings"].T, bundle
    if form == "torchscript":
        scorer = torch.jit.load(bundle / "scorer.pt").eval()
        with torch.inference_mode():
            return scorer(torch.from_numpy(users)).numpy(), bundle
    session = onnxruntime.InferenceSession(bundle / "scorer.onnx")
    return session.run(None, {"users": users})[0], bundle


def gap_of_samples(bundle, scores):
    """How far scores are, and how far what is left out is above the last."""
    samples = load_file(bundle / "samples.safetensors")
    rows = scores[samples["users"]]
    listed = np.take_along_axis(rows, samples["items"], 1)
    rest = rows.copy()
    np.put_along_axis(rest, samples["items"], -np.inf, 1)
    return max(np.abs(listed - samples["scores"]).max(),
               (rest.max(1) - samples["scores"][:, -1]).max())


def gap_of_lists(folder, kind, bundle, scores):
    """The same of the lists of `recommend`, which leave out what was had."""
    diptych(folder, "recommend", f"runs/{kind}", "--all", "--top", "10", "--out",
            "all.csv")
    row = {side: {name: i for i, name in enumerate(
        json.loads((bundle / f"{side}s.json").read_text()))}
        for side in ("user", "item")}
    rest = scores.copy()
    had = [line.split() for line in (folder / "graph.txt").read_text().split("\n")]
    for user, *items in had:
        rest[row["user"][user], [row["item"][i] for i in items]] = -np.inf
    gap, last = 0, {}
    for one in csv.DictReader(open(folder / "all.csv")):
        at = row["user"][one["user"]], row["item"][one["item"]]
        gap = max(gap, abs(rest[at] - float(one["score"])))
        rest[at], last[at[0]] = -np.inf, float(one["score"])
    return max(gap, max(rest[user].max() - score for user, score in last.items()))


def main():
    worst = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_graph(folder)
        for kind, keys in KINDS.items():
            diptych(folder, "train", "likes.yaml", "--quiet", f"name={kind}", *keys)
            for form in ("safetensors", "torchscript", "onnx"):
                scores, bundle = scores_of(folder, kind, form)
                gap = max(gap_of_samples(bundle, scores),
                          gap_of_lists(folder, kind, bundle, scores))
                good = gap <= 1e-6
                print(f"{'ok  ' if good else 'FAIL'} {kind} {form}: {gap:.1e}")
                worst = max(worst, gap)
    return int(worst > 1e-6)


if __name__ == "__main__":
    sys.exit(main())
