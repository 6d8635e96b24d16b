"""Runs an exported TorchScript bundle in Python, as a serving team would.

    python tests/parity/check_torchscript.py [BUNDLE]

Without a bundle it makes one: the least model of tests/cli after a few updates
on drawn products. Checks the digests of manifest.json, then loads every artefact
with torch.jit.load() and compares it with the embeddings in samples.safetensors,
for all sample rows together and for each alone. Ends with 1 if a row differs by
more than the manifest's tolerance. Programs are found through DIPTYCH_BUILD
(build). Peers: torch 2.13.0, safetensors.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file


def check_digests(bundle, manifest):
    for entry in manifest["files"]:
        data = (bundle / entry["name"]).read_bytes()
        assert len(data) == entry["bytes"], entry["name"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["name"]


def distance(a, b):
    """The largest ||a - b|| / ||b|| of a row; ||a|| where b is zero."""
    assert a.shape == b.shape, (a.shape, b.shape)
    a, b = a.double(), b.double()
    length = b.norm(dim=1)
    gap = (a - b).norm(dim=1)
    return (gap / torch.where(length > 0, length, 1.0)).max().item()


def inputs_of(part, samples):
    if part == "image_encoder":
        return [samples["images"]], samples["image_embeddings"]
    if part == "text_encoder":
        return [samples["ids"], samples["lengths"]], samples["text_embeddings"]
    if part == "fusion":
        return [samples["fields"], samples["present"]], samples["product_embeddings"]
    if part == "product_encoder":
        texts = [samples["product_ids"], samples["product_lengths"]]
        return [samples["images"], *texts, samples["present"]], samples["product_embeddings"]
    return None, None  # a head: its logits are no sample


def worst_distance(module, inputs, wanted):
    worst = distance(module(*inputs), wanted)
    for i in range(len(wanted)):
        row = module(*[x[i : i + 1] for x in inputs])
        worst = max(worst, distance(row, wanted[i : i + 1]))
    return worst


def cut_texts(module, inputs, wanted):
    """Texts without the padding that they need not have."""
    longest = max(1, int(inputs[1].max()))
    return distance(module(inputs[0][:, :longest], inputs[1]), wanted)


def make_bundle(folder):
    root = pathlib.Path(__file__).resolve().parents[2]
    program = root / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}

    def run(*words):
        subprocess.run([program, *words], cwd=folder, env=env, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    run("synth", "--quiet", "--rows", "300", "--size", "32", "--out", "a.h5")
    run("train", root / "tests/cli/tiny.yaml", "--quiet", "train.epochs=1")
    run("export", "runs/tiny", "--format", "torchscript", "--out", "bundle")
    return folder / "bundle"


@torch.inference_mode()
def check(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    samples = load_file(bundle / "samples.safetensors")
    tolerances = {c["artefact"]: c["tolerance"]
                  for c in manifest["verification"]["checks"]}
    check_digests(bundle, manifest)
    failed = False
    for artefact in manifest["artefacts"]:
        module = torch.jit.load(str(bundle / artefact["file"]), map_location="cpu")
        module.eval()
        inputs, wanted = inputs_of(artefact["part"], samples)
        if inputs is None:
            continue
        worst = worst_distance(module, inputs, wanted)
        if artefact["part"] == "text_encoder":
            worst = max(worst, cut_texts(module, inputs, wanted))
        failed |= not worst <= tolerances[artefact["file"]]
        print(f"{artefact['file']:24} {worst:.1e}")
    return 1 if failed else 0


def main():
    if len(sys.argv) > 1:
        return check(pathlib.Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as name:
        return check(make_bundle(pathlib.Path(name)))


if __name__ == "__main__":
    sys.exit(main())
