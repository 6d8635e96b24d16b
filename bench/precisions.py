#!/usr/bin/env python3
"""What fp16 and int8 cost: each run as ONNX in every precision, its bytes, the
worst distance that the gate measured, and recall@10 of texts for the photos of
their rows on the whole test split, by onnxruntime.

usage: bench/precisions.py PROGRAM CATALOG RUN...

Prints the rows of the table in docs/export.md. Exits with 1 when an export
fails, or when onnxruntime and the model differ in fp32.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

ENCODERS = {"image_encoder": ("images",), "text_encoder": ("ids", "lengths")}
BATCH = 32
ALL = 4096  # the most rows that an export takes


def export(program, catalog, run, out, *words):
    subprocess.run([program, "export", run, "--data", catalog, "--format", "onnx",
                    "--out", out, "--quiet", *words], check=True)
    return out


def encode(bundle, part, samples):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle / f"{part}.onnx", options)
    inputs = [samples[name] for name in ENCODERS[part]]
    rows = range(0, len(inputs[0]), BATCH)
    return np.concatenate([
        session.run(None, dict(zip(ENCODERS[part], (x[i:i + BATCH] for x in inputs))))[0]
        for i in rows])


def recall(texts, photos):
    """Of texts whose photo is among the first ten; a tie counts against it."""
    scores = texts @ photos.T
    own = np.diag(scores)[:, None]
    return float(((scores >= own).sum(1) <= 10).mean())


def measure(bundle, samples):
    size = sum((bundle / f"{part}.onnx").stat().st_size for part in ENCODERS)
    checks = json.loads((bundle / "manifest.json").read_text())["verification"]["checks"]
    worst = max(c["max"] for c in checks if c["artefact"].split(".")[0] in ENCODERS)
    return size, worst, recall(encode(bundle, "text_encoder", samples),
                               encode(bundle, "image_encoder", samples))


def main():
    program, catalog, *runs = sys.argv[1:]
    print("| run | precision | encoders, MB | gate, worst | recall@10 | change |")
    print("|---|---|---|---|---|---|")
    for run in runs:
        with tempfile.TemporaryDirectory() as name:
            place = pathlib.Path(name)
            whole = export(program, catalog, run, place / "whole", "--unverified",
                           "--rows", str(ALL), "--samples", str(ALL))
            samples = load_file(whole / "samples.safetensors")
            live = recall(samples["text_embeddings"], samples["image_embeddings"])
            for precision in ("fp32", "fp16", "int8"):
                bundle = export(program, catalog, run, place / precision,
                                "--precision", precision)
                size, worst, found = measure(bundle, samples)
                print(f"| {pathlib.Path(run).name} | {precision} | {size / 1e6:.1f} | "
                      f"{worst:.1e} | {found:.4f} | {found - live:+.4f} |", flush=True)
                if precision == "fp32" and abs(found - live) > 1e-3:
                    sys.exit("onnxruntime gives another recall in fp32")


if __name__ == "__main__":
    main()
