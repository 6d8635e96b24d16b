"""`diptych eval --dim N` against NumPy: ranking by the first N numbers.

Trains a text model for a moment on drawn products with loss.matryoshka, runs
the exported text encoder with torch, cuts and normalises its rows in NumPy, and
compares hit@k and MRR of the ranking with the report, for cosines and
distances. Ends with 1 if a figure differs by more than 1e-6. Programs are found
through DIPTYCH_BUILD (build). Peers: torch 2.13.0, NumPy, h5py.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch

PROGRAM = pathlib.Path(os.environ.get("DIPTYCH_BUILD", "build")).resolve() / "diptych"
WIDTH = 16
CUTOFFS = [1, 5, 10]
CONFIG = {
    "data": {"catalog": "a.h5", "image_size": 8},
    "tokenizer": {"context": 12},
    "model": {"embed_dim": WIDTH, "image": {"tower": "cnn", "widths": [4]},
              "text": {"tower": "bag", "width": 16}},
    "tasks": {"words": {"query": "{colour} {type}", "product_fields": ["title"],
                        "relevant_by": ["colour", "type"], "allow_leak": True}},
    "loss": {"matryoshka": [WIDTH, 8, 3]},
    "train": {"epochs": 2, "batch_size": 32, "lr": 2e-3, "threads": 1,
              "precision": "fp32"},
    "eval": {"bootstrap": 10, "k": CUTOFFS},
}


def diptych(folder, *arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def texts(group):
    data, ends = group["bytes"][:].tobytes(), group["offsets"][:]
    return [data[a:b].decode() for a, b in zip(ends, ends[1:])]


def test_rows(path):
    """Queries, titles and keys of the rows of the test split."""
    with h5py.File(path) as file:
        rows = np.flatnonzero(file["split"][:] == 2)
        titles = texts(file["text/title"])
        values = {name: file[f"label/{name}/values"][:] for name in ("colour", "type")}
        names = {name: texts(file[f"label/{name}/names"]) for name in values}
    keys = [(values["colour"][r], values["type"][r]) for r in rows]
    queries = [f"{names['colour'][c]} {names['type'][t]}" for c, t in keys]
    return queries, [titles[r] for r in rows], keys


def encode(bundle, lines):
    """Rows of the exported encoder, the words being split here."""
    tokens = json.loads((bundle / "tokenizer.json").read_text())["tokens"]
    number = {token: i for i, token in enumerate(tokens)}
    ids = np.zeros((len(lines), 12), np.int64)
    lengths = np.zeros(len(lines), np.int64)
    for i, line in enumerate(lines):
        words = re.findall(r"\w+", line.lower().replace("'", ""))
        words = [number.get(w, number["[unk]"]) for w in words[:11]] + [number["[eos]"]]
        ids[i, :len(words)] = words
        lengths[i] = len(words)
    encoder = torch.jit.load(bundle / "text_encoder.pt")
    return encoder(torch.from_numpy(ids), torch.from_numpy(lengths)).detach().numpy()


def figures(queries, products, keys, dim, similarity):
    q, p = (x[:, :dim].astype(np.float64) for x in (queries, products))
    if similarity == "cosine":
        q, p = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, p))
        scores = q @ p.T
    else:
        scores = -((q[:, None] - p[None]) ** 2).sum(2)
    right = np.array([[a == b for b in keys] for a in keys])
    best = np.where(right, scores, -np.inf).max(1)
    # Ties, up to rounding, go against the right answer.
    rank = 1 + ((scores >= best[:, None] - 1e-6) & ~right).sum(1)
    out = {f"hit@{k}": (rank <= k).mean() for k in CUTOFFS}
    return out | {"mrr": (1 / rank).mean()}


def check(folder, similarity):
    config = json.loads(json.dumps(CONFIG))
    config["name"] = similarity
    config["model"]["similarity"] = similarity
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    run, bundle = folder / "runs" / similarity, folder / f"bundle-{similarity}"
    diptych(folder, "train", "config.yaml", "--quiet")
    diptych(folder, "export", run, "--format", "torchscript", "--out", bundle, "--quiet")
    queries, titles, keys = test_rows(folder / "a.h5")
    queries, titles = encode(bundle, queries), encode(bundle, titles)
    good = True
    for dim in (3, 8, WIDTH):
        report = json.loads(diptych(folder, "eval", run, "--dim", dim, "--json", "--quiet"))
        assert (report["run"]["dim"], report["run"]["embed_dim"]) == (dim, WIDTH)
        wanted = figures(queries, titles, keys, dim, similarity)
        found = report["retrieval"]["words"]
        gap = max(abs(found[k] - v) for k, v in wanted.items())
        good = good and gap <= 1e-6
        print(f"{'ok  ' if gap <= 1e-6 else 'FAIL'}  {similarity}, {dim} of {WIDTH} numbers: "
              f"MRR {wanted['mrr']:.4f}, largest difference {gap:.1e}")
    return good


def on_drawn_products(check):
    """0 if check(folder, similarity) is true of both similarities, with a catalog
    a.h5 in the folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        diptych(folder, "synth", "--rows", 400, "--size", 16, "--seed", 3, "--out",
                "a.h5", "--quiet")
        return 0 if all([check(folder, s) for s in ("cosine", "euclidean")]) else 1


if __name__ == "__main__":
    sys.exit(on_drawn_products(check))
