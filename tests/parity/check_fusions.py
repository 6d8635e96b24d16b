"""Products of every fusion at 512 numbers against the implementations of
gen_fusions.py, from the raw photos and ids of an exported bundle.

    python tests/parity/check_fusions.py

Trains a small model with each fusion for a few updates on drawn products,
exports the weights, computes towers (a small CNN, a bag of words), projections
and fusion with torch, and compares product embeddings. Ends with 1
if a row differs by more than 1e-5. Programs are found through DIPTYCH_BUILD
(build). Peers: torch 2.13.0, safetensors.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gen_fusions import KINDS, Fusion, our_name  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
DIM, STAGES, HIDDEN, TOLERANCE = 512, 2, 700, 1e-5
CONFIG = f"""
name: fusions
data: {{catalog: a.h5, image_size: 32}}
tokenizer: {{context: 12}}
model:
  embed_dim: {DIM}
  image: {{tower: cnn, widths: [16, 32]}}
  text: {{tower: bag, width: 48}}
tasks:
  query_to_product:
    query: "{{colour}} {{type}}"
    product_fields: [image, title]
    relevant_by: [colour, type]
train: {{epochs: 1, batch_size: 32, threads: 1, loader_threads: 1}}
"""


class Average(Fusion):
    def __init__(self, fields, dim, widths):
        super().__init__()
        self.log_weights = torch.nn.Parameter(torch.zeros(fields))

    def row(self, x, t):
        shares = self.log_weights[list(x)].softmax(0)
        return sum(share * part for share, part in zip(shares, x.values()))


class Concat(Fusion):
    def __init__(self, fields, dim, widths):
        super().__init__()
        self.missing = torch.nn.Parameter(torch.zeros(fields, dim))
        self.hidden = torch.nn.Linear(fields * dim + fields, HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, dim)

    def row(self, x, t):
        fields = [x.get(i, gap) for i, gap in enumerate(self.missing)]
        there = torch.tensor([float(i in x) for i in range(len(fields))])
        return self.out(F.gelu(self.hidden(torch.cat(fields + [there]))))


ALL = {"weighted_average": Average, "concat_mlp": Concat, **KINDS}


def run(folder, *words):
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run([PROGRAM, *words], cwd=folder, env=env, check=True,
                   stdout=subprocess.DEVNULL)


def make_bundle(folder, kind):
    run(folder, "train", "fusions.yaml", "--quiet", f"name={kind}",
        f"model.fusion.kind={kind}",
        *([f"model.fusion.hidden={HIDDEN}"] if kind == "concat_mlp" else []))
    run(folder, "export", f"runs/{kind}", "--format", "safetensors", "--out", f"{kind}-bundle")
    bundle = folder / f"{kind}-bundle"
    return load_file(bundle / "model.safetensors"), load_file(bundle / "samples.safetensors")


def encode_photos(w, images):
    x = images
    for i in range(STAGES):
        at = f"image.stages.{i}."
        x = F.conv2d(x, w[at + "conv.weight"], padding=1)
        x = F.batch_norm(x, w[at + "bn.running_mean"], w[at + "bn.running_var"],
                         w[at + "bn.weight"], w[at + "bn.bias"])
        x = F.max_pool2d(F.relu(x), 2)
    features = x.mean((2, 3)) @ w["image_projection.weight"].T
    return F.normalize(features, dim=1), list(x.flatten(2).transpose(1, 2))


def encode_words(w, ids, lengths):
    words = [w["text.token_embedding.weight"][row[:n]] for row, n in zip(ids, lengths.tolist())]
    means = torch.stack([x.mean(0) if len(x) else x.new_zeros(x.shape[1]) for x in words])
    return F.normalize(means @ w["text_projection.weight"].T, dim=1), words


def build(kind, weights, fields, widths):
    sizes = {"heads": DIM // 64} if "attention" in kind else {}
    module = ALL[kind](fields, DIM, widths, **sizes).eval()
    named = dict(module.named_parameters())
    with torch.no_grad():
        for name, p in named.items():
            p.copy_(weights["fusion." + our_name(name)])
    ours = {n for n in weights if n.startswith("fusion.")}
    assert ours == {"fusion." + our_name(n) for n in named}, ours
    return module


@torch.no_grad()
def worst_row(kind, w, s):
    count = s["present"].shape[1]
    if "product_ids" in s:
        photo, grid = encode_photos(w, s["images"])
        fields, tokens = [photo], [grid]
        for f in range(count - 1):
            text, words = encode_words(w, s["product_ids"][:, f], s["product_lengths"][:, f])
            fields.append(text)
            tokens.append(words)
        widths = (grid[0].shape[1], w["text.token_embedding.weight"].shape[1])
    else:
        fields, tokens, widths = list(s["fields"].unbind(1)), None, None
    rows = build(kind, w, count, widths)(fields, s["present"], tokens)
    wanted = s["product_embeddings"]
    length = wanted.norm(dim=1)
    return ((rows - wanted).norm(dim=1) / torch.where(length > 0, length, 1.0)).max().item()


def main():
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "fusions.yaml").write_text(CONFIG)
        run(folder, "synth", "--quiet", "--rows", "300", "--size", "32", "--out", "a.h5")
        for kind in ALL:
            worst = worst_row(kind, *make_bundle(folder, kind))
            failed |= not worst <= TOLERANCE
            print(f"{kind:16} {worst:.1e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
