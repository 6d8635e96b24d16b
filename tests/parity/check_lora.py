"""Adapters (LoRA) against peft: embeddings within 1e-5 per row, the gradients of
all adapters within 1e-5 of the length of each, and the matrices of an export
within 1e-6 of those that peft merges.

    python tests/parity/check_lora.py

timm's ViT-B-16-SigLIP and transformers' BERT base with adapters of rank 8 in
all attention and linear layers, in double precision; then a run of small towers
that `diptych train` trains and `diptych export` merges. Programs are found
through DIPTYCH_BUILD (build). Peers: torch 2.13.0, peft 0.21.2, timm 1.0.31,
transformers 5.23.0, open_clip 3.3.0.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from open_clip.loss import ClipLoss
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

import driver
from gen_lora import Model, texts

TOLERANCE, MERGED = 1e-5, 1e-6
DIM, CONTEXT, VOCABULARY, RANK, ALPHA = 64, 32, 30522, 8, 16
LORA = {"rank": RANK, "alpha": ALPHA}
CONFIG = """
name: lora
data: {catalog: a.h5, image_size: 32}
tokenizer: {context: 12}
model:
  embed_dim: 16
  image: {tower: vit, patch: 8, width: 32, heads: 2, depth: 2}
  text: {tower: transformer, width: 32, heads: 2, depth: 2}
lora: {rank: 3, alpha: 5, dropout: 0.1}
tasks:
  pairs: {query: title}
train: {epochs: 2, batch_size: 32, lr: 1e-2, threads: 1, loader_threads: 1}
"""


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def towers(report, folder):
    model = Model({}, {}, DIM, RANK, ALPHA)
    path = folder / "lora.safetensors"
    save_file(model.weights(), path)
    ids, lengths = texts(VOCABULARY, CONTEXT, [32, 5, 17, 1])
    inputs = {"images": torch.randn(4, 3, 224, 224), "ids": ids,
              "lengths": lengths, "vocabulary": torch.tensor(VOCABULARY)}
    found = driver.run(
        {"data": {"image_size": 224}, "tokenizer": {"context": CONTEXT},
         "model": {"embed_dim": DIM, "temperature": 0.1,
                   "image": {"tower": "siglip"},
                   "text": {"tower": "bert", "depth": 12, "heads": 12,
                            "pooling": "pooler"}},
         "lora": LORA}, inputs, {"model": path})
    image = model.encode_image(inputs["images"])
    text = model.encode_text(ids, lengths)
    report.case("photos", driver.row_gap(found["image.embedding"], image),
                TOLERANCE)
    report.case("texts", driver.row_gap(found["text.embedding"], text), TOLERANCE)
    loss = ClipLoss()(image, text, torch.tensor(10.0))
    loss.backward()
    report.case("loss", relative(found["loss"], loss.detach()), TOLERANCE)
    wanted = model.trained()
    gaps = {k: relative(found[f"grad.{k}"], p.grad) for k, p in wanted.items()}
    worst = max(gaps, key=gaps.get)
    report.case(f"{len(gaps)} gradients ({worst})", gaps[worst], TOLERANCE)


def run(folder, *words):
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run([driver.BUILD / "diptych", *words], cwd=folder, env=env,
                   check=True, stdout=subprocess.DEVNULL)


def merge(matrix, a, b, alpha):
    """As peft merges a linear layer."""
    linear = torch.nn.Sequential(torch.nn.Linear(*matrix.T.shape, bias=False))
    linear[0].weight.data = matrix.clone()
    adapted = get_peft_model(linear, LoraConfig(
        r=len(a), lora_alpha=alpha, target_modules=["0"]))
    layer = adapted.base_model.model[0]
    layer.lora_A["default"].weight.data = a.clone()
    layer.lora_B["default"].weight.data = b.clone()
    return adapted.merge_and_unload()[0].weight.data


def export(report, folder):
    (folder / "lora.yaml").write_text(CONFIG)
    run(folder, "synth", "--quiet", "--rows", "300", "--size", "32", "--out", "a.h5")
    run(folder, "train", "lora.yaml", "--quiet")
    run(folder, "export", "runs/lora", "--format", "safetensors", "--out", "bundle")
    before = load_file(folder / "runs/lora/checkpoints/best/model.safetensors")
    after = load_file(folder / "bundle/model.safetensors")
    names = [n.removesuffix(".lora_a") for n in before if n.endswith(".lora_a")]
    assert len(names) == 2 * 2 * 4, names
    gaps, moved = {}, []
    for name in names:
        a, b = before[f"{name}.lora_a"], before[f"{name}.lora_b"]
        wanted = merge(before[name], a, b, 5)
        gaps[name] = relative(after[name], wanted.double())
        moved.append(relative(before[name], wanted.double()))
    assert min(moved) > 1e-3, moved
    assert not any("lora" in n for n in after)
    report.case(f"{len(gaps)} matrices of an export", max(gaps.values()), MERGED)


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        towers(report, folder)
        export(report, folder)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
