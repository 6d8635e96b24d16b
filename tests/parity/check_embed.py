"""Files of embeddings as Python reads them.

    python tests/parity/check_embed.py

Embeds the least model of tests/cli on drawn products. The first rows must be
those that the exported TorchScript parts make of the inputs in the bundle's
samples (within 1e-5 of a row's length); fp16 is numpy's, int8 its formula in
docs/embeddings.md, binary the codes of sentence-transformers; .npy loads.
Programs are found through DIPTYCH_BUILD (build). Peers: torch 2.13.0, h5py
3.16.0, numpy 2.4, sentence-transformers 6.2.0.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch
from safetensors.torch import load_file
from sentence_transformers.util.quantization import quantize_embeddings

TOLERANCE = 1e-5
ROOT = pathlib.Path(__file__).resolve().parents[2]


def make(folder):
    program = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}

    def run(*words):
        subprocess.run([program, *words], cwd=folder, env=env, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def embed(*words):
        run("embed", "runs/tiny", "--quiet", "train.precision=fp32", *words)

    run("synth", "--quiet", "--rows", "300", "--size", "32", "--out", "a.h5")
    run("train", ROOT / "tests/cli/tiny.yaml", "--quiet", "train.epochs=1")
    run("export", "runs/tiny", "--format", "torchscript", "--out", "bundle")
    embed("--split", "test", "--out", "test.h5")
    embed("--split", "test", "--field", "image", "--out", "image.h5")
    embed("--out", "all.h5")
    embed("--out", "all.npy")
    embed("--out", "half.npy", "--precision", "fp16")
    embed("--out", "fp16.h5", "--precision", "fp16")
    embed("--out", "int8.h5", "--precision", "int8", "--rescore", "fp32")
    embed("--out", "binary.h5", "--precision", "binary")


def rows_of(path, group="embedding"):
    with h5py.File(path) as file:
        (name,) = file[group]
        return file[group][name][:]


def ids_of(path):
    with h5py.File(path) as file:
        data, ends = file["id/bytes"][:].tobytes(), file["id/offsets"][:]
        return [data[a:b].decode() for a, b in zip(ends, ends[1:])]


def gap(a, b):
    length = np.linalg.norm(b, axis=1)
    return (np.linalg.norm(a - b, axis=1) / np.where(length > 0, length, 1)).max()


def torch_rows(folder):
    samples = load_file(folder / "bundle/samples.safetensors")
    load = lambda part: torch.jit.load(folder / f"bundle/{part}.pt")
    with torch.inference_mode():
        image = load("image_encoder")(samples["images"])
        product = load("fusion")(samples["fields"], samples["present"])
    return {"image.h5": image.numpy(), "test.h5": product.numpy()}


def main():
    failed = 0

    def tell(good, words):
        nonlocal failed
        failed += not good
        print("ok  " if good else "FAIL", words)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(folder)
        for path, wanted in torch_rows(folder).items():
            worst = gap(rows_of(folder / path)[: len(wanted)], wanted)
            tell(worst <= TOLERANCE, f"{path}: {worst:.1e} from TorchScript")
        rows = rows_of(folder / "all.h5")
        side = json.loads((folder / "all.npy.json").read_text())
        tell((np.load(folder / "all.npy") == rows).all(), "all.npy: the rows of all.h5")
        tell(side["ids"] == ids_of(folder / "all.h5"), "all.npy.json: the ids of all.h5")
        half = rows.astype(np.float16)
        tell((rows_of(folder / "fp16.h5") == half).all(), "fp16.h5: numpy's float16")
        tell((np.load(folder / "half.npy") == half).all(), "half.npy: numpy's float16")
        peak = np.abs(rows).max(axis=1, keepdims=True)
        codes = np.rint(rows.astype(np.float64) * 127 / peak)
        tell((rows_of(folder / "int8.h5") == codes).all(), "int8.h5: the formula")
        tell((rows_of(folder / "int8.h5", "peak") == peak).all(), "int8.h5: the peaks")
        tell((rows_of(folder / "int8.h5", "rescore") == rows).all(),
             "int8.h5: the rows beside the codes")
        bits = quantize_embeddings(rows, "ubinary")
        tell((rows_of(folder / "binary.h5") == bits).all(),
             "binary.h5: quantize_embeddings(…, 'ubinary')")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
