"""Files of embeddings as Python reads them.

    python tests/parity/check_embed.py

For each run of runs.py: the rows of the test split must be those that the
exported TorchScript parts make of the inputs in the bundle's samples, with the
same ids, and rank them the same way: per row within 1e-5 of its length in fp32,
1e-2 in fp16. fp16 is numpy's, int8 its formula in docs/embeddings.md, binary the
codes of sentence-transformers; .npy holds the same. Peers: torch 2.13.0, h5py
3.16.0, numpy 2.4, sentence-transformers 6.2.0.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file
from sentence_transformers.util.quantization import quantize_embeddings

import runs

SAMPLES, TOP = 256, 10
TOLERANCE = {"fp32": 1e-5, "fp16": 1e-2}
TIE = {"fp32": 1e-5, "fp16": 1e-2}

failed = 0


def tell(good, words):
    global failed
    failed += not good
    print("ok  " if good else "FAIL", words, flush=True)


def gap(a, b):
    length = np.linalg.norm(b, axis=1)
    return (np.linalg.norm(a - b, axis=1) / np.where(length > 0, length, 1)).max()


def same_best(a, b, similarity, tie):
    """Whether each row's nearest others by `a` are as near by `b` as its
    nearest by `b`; and the share that are the very same rows."""
    mine, right = runs.scores(a, a, similarity), runs.scores(b, b, similarity)
    np.fill_diagonal(mine, -np.inf)
    np.fill_diagonal(right, -np.inf)
    found, exact = (np.argsort(-m, axis=1, kind="stable")[:, :TOP]
                    for m in (mine, right))
    limit = np.take_along_axis(right, exact[:, -1:], 1)
    near = np.take_along_axis(right, found, 1) >= limit - tie
    same = np.mean([len(set(x) & set(y)) / TOP for x, y in zip(found, exact)])
    return near.all(), same


def check_torch(folder, run):
    """Samples of a bundle are the first rows of the test split."""
    runs.diptych(folder, "export", f"runs/{run}", "--quiet", "--format",
                 "torchscript", f"--samples={SAMPLES}", "--out", f"{run}-bundle")
    bundle = folder / f"{run}-bundle"
    samples = load_file(bundle / "samples.safetensors")
    load = lambda part: torch.jit.load(bundle / f"{part}.pt")
    with torch.inference_mode():
        rows = {"image": load("image_encoder")(samples["images"]),
                "product": load("fusion")(samples["fields"], samples["present"])}
    for name, wanted in rows.items():
        wanted = wanted.double().numpy()
        field = ["--field", "image"] if name == "image" else []
        for precision, tolerance in TOLERANCE.items():
            path = folder / f"{run}-{name}-{precision}.h5"
            runs.diptych(folder, "embed", f"runs/{run}", "--quiet", "--split",
                         "test", *field, "--precision", precision,
                         "--out", path.name)
            mine = runs.rows_of(path)[: len(wanted)].astype(np.float64)
            worst = gap(mine, wanted)
            tell(worst <= tolerance, f"{run} {name} {precision}: {len(wanted)} "
                 f"rows within {worst:.1e} of TorchScript")
            near, same = same_best(mine, wanted,
                                   runs.attribute(path, "similarity"),
                                   TIE[precision])
            tell(near, f"{run} {name} {precision}: the same first {TOP} "
                 f"({100 * same:.2f} % of them, the others tie)")


def check_codes(folder, run):
    def embed(name, *words):
        runs.diptych(folder, "embed", f"runs/{run}", "--quiet", "--out", name, *words)
        return folder / name

    path = embed(f"{run}-e.h5")
    rows, ids = runs.rows_of(path), runs.ids_of(path)
    half = rows.astype(np.float16)
    reuse = ("--reuse", path.name)
    for name, wanted, words in (("all.npy", rows, ()),
                                ("half.npy", half, ("--precision", "fp16"))):
        found = embed(f"{run}-{name}", *reuse, *words)
        side = json.loads(found.with_suffix(".npy.json").read_text())
        tell((np.load(found) == wanted).all() and side["ids"] == ids,
             f"{run} {name}: the rows and ids of the HDF5 file, as {wanted.dtype}")
    found = embed(f"{run}-fp16.h5", *reuse, "--precision", "fp16")
    tell((runs.rows_of(found) == half).all() and runs.ids_of(found) == ids,
         f"{run} fp16: numpy's float16, the same ids")
    found = embed(f"{run}-int8.h5", *reuse, "--precision", "int8",
                  "--rescore", "fp32")
    peak = np.abs(rows).max(axis=1, keepdims=True)
    codes = np.rint(rows.astype(np.float64) * 127 / np.where(peak > 0, peak, 1))
    tell((runs.rows_of(found) == codes).all()
         and (runs.rows_of(found, "peak") == peak).all()
         and (runs.rows_of(found, "rescore") == rows).all()
         and runs.ids_of(found) == ids,
         f"{run} int8: the formula, its peaks, the rows beside, the same ids")
    found = embed(f"{run}-binary.h5", *reuse, "--precision", "binary")
    tell((runs.rows_of(found) == quantize_embeddings(rows, "ubinary")).all()
         and runs.ids_of(found) == ids,
         f"{run} binary: quantize_embeddings(…, 'ubinary'), the same ids")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for run in runs.trained(folder):
            check_torch(folder, run)
            check_codes(folder, run)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
