"""Runs exported graphs in Python, as a serving team would.

    python tests/parity/check_exports.py [BUNDLE...]

Checks the digests of manifest.json, then loads every artefact by the program that
it is for (torch.jit.load, onnxruntime) and compares it with the embeddings in
samples.safetensors: for all sample rows together, for each alone, and texts also
without their padding. A row may differ by the manifest's tolerance, and, where
there are more rows than that, its ten nearest neighbours must be the same.

Without a bundle it makes many: for every image tower, text tower and fusion that
`diptych options` lists, a small model is trained for a few updates on drawn
products and exported in every format; then, where ../shared/data/myntra has
products, a model of those. The list that it prints is the table of
docs/export.md. Ends with 1 if a row differs by more. Programs are found through
DIPTYCH_BUILD (build). Peers: torch 2.13.0, onnxruntime, safetensors.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
MYNTRA = ROOT / "../shared/data/myntra"
BEST = 10
# What a tower needs beside its name to be small.
SMALL = {
    "cnn": ["model.image.widths=[8, 16]"],
    "vit": ["model.image.width=32", "model.image.depth=2", "model.image.heads=2"],
    "siglip": ["model.image.width=32", "model.image.depth=2", "model.image.heads=2"],
}
FORMATS = [
    ("torchscript", []),
    ("onnx", []),
    ("onnx", ["--precision=fp16"]),
    ("onnx", ["--precision=int8"]),
    ("onnx", ["--raw-images"]),
]


# ---- bundles -----------------------------------------------------------------


def check_digests(bundle, manifest):
    for entry in manifest["files"]:
        data = (bundle / entry["name"]).read_bytes()
        assert len(data) == entry["bytes"], entry["name"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["name"]


def open_artefact(path):
    """A function from a list of arrays to an array."""
    if path.suffix == ".pt":
        module = torch.jit.load(str(path), map_location="cpu").eval()
        return lambda given: module(*map(torch.from_numpy, given)).numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # what it cannot fold is no fault
    session = onnxruntime.InferenceSession(str(path), options)
    names = [i.name for i in session.get_inputs()]
    return lambda given: session.run(None, dict(zip(names, given)))[0]


def as_bytes(images, preprocessing):
    """Photos before their normalisation, [B, S, S, 3]."""
    mean, std = (np.array(preprocessing["image"][k]) for k in ("mean", "std"))
    pixels = images.transpose(0, 2, 3, 1) * std + mean
    return np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)


def inputs_of(artefact, samples, preprocessing):
    """What the part is run on, and what should come out; None: no sample."""
    images = samples.get("images")
    if any(i["dtype"] == "uint8" for i in artefact["inputs"]):
        images = as_bytes(images, preprocessing)
    part = artefact["part"]
    if part == "image_encoder":
        return [images], samples["image_embeddings"]
    if part == "text_encoder":
        return [samples["ids"], samples["lengths"]], samples["text_embeddings"]
    products = samples.get("product_embeddings")
    if part == "fusion":
        return [samples["fields"], samples["present"]], products
    if part == "product_encoder":
        texts = [samples["product_ids"], samples["product_lengths"]]
        return [images, *texts, samples["present"]], products
    return None


def distance(a, b):
    """The largest ||a - b|| / ||b|| of a row; ||a|| where b is zero."""
    assert a.shape == b.shape, (a.shape, b.shape)
    length = np.linalg.norm(b, axis=1)
    gap = np.linalg.norm(a.astype(np.float64) - b, axis=1)
    return (gap / np.where(length > 0, length, 1)).max()


def worst_distance(run, inputs, wanted):
    worst = distance(run(inputs), wanted)
    for i in range(len(wanted)):
        worst = max(worst, distance(run([x[i : i + 1] for x in inputs]), wanted[i : i + 1]))
    return worst


def same_best(found, wanted):
    """The share of rows whose nearest others are the same, but for ties: rows
    that rounding alone sets apart."""
    if len(wanted) <= BEST + 1:
        return 1
    scores = wanted @ wanted.T
    other = found @ found.T
    np.fill_diagonal(scores, -np.inf)
    np.fill_diagonal(other, -np.inf)
    tenth = np.sort(scores, axis=1)[:, -BEST]
    best = np.argsort(-other, axis=1, kind="stable")[:, :BEST]
    chosen = np.take_along_axis(scores, best, axis=1).min(axis=1)
    return np.mean(chosen >= tenth - 2e-6)


def check(bundle):
    """The worst distance by part; -1: a part failed."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    preprocessing = json.loads((bundle / "preprocessing.json").read_text())
    samples = load_file(bundle / "samples.safetensors")
    tolerances = {c["artefact"]: c["tolerance"]
                  for c in manifest["verification"]["checks"]}
    check_digests(bundle, manifest)
    worst, failed = {}, False
    for artefact in manifest["artefacts"]:
        run = open_artefact(bundle / artefact["file"])
        case = inputs_of(artefact, samples, preprocessing)
        if case is None or case[1] is None:
            continue
        inputs, wanted = case
        if artefact["inputs"][0]["dtype"] == "uint8":  # absent: between two bytes
            there = np.abs(samples["images"]).sum((1, 2, 3)) > 0
            inputs, wanted = [inputs[0][there], *(x[there] for x in inputs[1:])], wanted[there]
        far = worst_distance(run, inputs, wanted)
        if artefact["part"] == "text_encoder":
            longest = max(1, int(inputs[1].max()))
            far = max(far, distance(run([inputs[0][:, :longest], inputs[1]]), wanted))
        tolerance = tolerances[artefact["file"]]
        alike = same_best(run(inputs), wanted)
        if not far <= tolerance or (tolerance <= 1e-5 and alike < 1):
            failed = True
            print(f"{bundle}: {artefact['file']}: {far:.1e}, same ten of {alike:.3f}")
        worst[artefact["part"]] = far
    return worst, failed


# ---- every kind --------------------------------------------------------------


def choices(key):
    """The names that the table of options gives for a key."""
    page = subprocess.run([PROGRAM, "options"], check=True, capture_output=True,
                          text=True).stdout
    row = next(r for r in page.splitlines() if f"`{key}`" in r)
    words = row.split("|")[5].strip().split(":")[-1]
    return re.split(r", | or ", re.split(r"[.;]", words)[0].strip())


def run(folder, *words):
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run([PROGRAM, *words], cwd=folder, env=env,
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")


def models():
    """Name and overrides: each tower and fusion once."""
    for tower in choices("model.image.tower"):
        small = ["model.image.widths=null", "model.image.dropout=null"]
        size = ["data.image_size=32"]
        yield f"image {tower}", [f"model.image.tower={tower}", *small, *size,
                                 *SMALL.get(tower, [])]
    for tower in choices("model.text.tower"):
        extra = []
        if tower not in ("transformer", "bert"):
            extra.append("model.text.heads=null")
        if tower in ("bag", "cnn"):
            extra.append("model.text.depth=null")
        yield f"text {tower}", [f"model.text.tower={tower}", *extra]
        if tower not in ("transformer", "bert"):
            known = 300 if tower in ("bag", "lstm") else 0
            yield (f"text {tower}, n-grams",
                   [f"model.text.tower={tower}", *extra, "model.text.ngrams=3",
                    f"model.text.ngram_vocabulary={known}"])
    for fusion in choices("model.fusion.kind"):
        yield f"fusion {fusion}", [f"model.fusion.kind={fusion}"]


def export_all(folder, run_name, label, formats=FORMATS):
    """Exports and checks in every format; True when one differs."""
    cells, failed = [], False
    for number, (form, options) in enumerate(formats):
        bundle = folder / f"{run_name}-{number}"
        run(folder, "export", f"runs/{run_name}", "--quiet", "--format", form,
            *options, "--out", bundle)
        worst, bad = check(bundle)
        failed |= bad
        cells.append(f"{max(worst.values()):.1e}")
    print(f"| {label} | {' | '.join(cells)} |", flush=True)
    return failed


def check_kinds(folder):
    run(folder, "synth", "--quiet", "--rows", "300", "--size", "32", "--out", "a.h5")
    heads = [" ".join([form, *(o.removeprefix("--") for o in options)])
             for form, options in FORMATS]
    print(f"| model | {' | '.join(heads)} |\n|{'---|' * (len(FORMATS) + 1)}")
    failed = False
    for number, (label, overrides) in enumerate(models()):
        run(folder, "train", ROOT / "tests/cli/tiny.yaml", "--quiet",
            "train.epochs=1", f"name=m{number}", *overrides)
        failed |= export_all(folder, f"m{number}", label)
    if (MYNTRA / "items.tsv").exists():
        failed |= check_myntra(folder)
    return failed


def check_myntra(folder):
    """One epoch of the model of the docs, exported on 256 real products."""
    labels = "gender,masterCategory,subCategory,articleType,baseColour,season,year,usage"
    run(folder, "import", MYNTRA / "items.tsv", "--quiet", "--images", MYNTRA / "images",
        "--image", "{id}.jpg", "--id", "id", "--text", "title", "--label", labels,
        "--split", "split", "--group", "title", "--out", "myntra.h5")
    run(folder, "train", ROOT / "configs/myntra.yaml", "--quiet", "name=myntra",
        "data.catalog=myntra.h5", "train.epochs=1", "train.warmup_steps=5")
    options = [(form, [*words, "--samples=256"]) for form, words in FORMATS]
    return export_all(folder, "myntra", "Myntra, 256 products", options)


def main():
    if len(sys.argv) > 1:
        failed = False
        for name in sys.argv[1:]:
            worst, bad = check(pathlib.Path(name))
            failed |= bad
            for part, far in worst.items():
                print(f"{name}: {part:16} {far:.1e}")
        return failed
    with tempfile.TemporaryDirectory() as name:
        return check_kinds(pathlib.Path(name))


if __name__ == "__main__":
    with torch.inference_mode():
        sys.exit(main())
