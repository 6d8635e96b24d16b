"""GradCache: the gradients of 1,024 pairs that the towers see 64 at a time are
those of the whole batch, within 1e-5 of the length of each parameter's.

    python tests/parity/check_grad_cache.py

With dropout of all kinds: against open_clip's CLIP, its blocks with dropout put
in, which computes all 1,024 rows in one pass in double precision. Its masks are
drawn part by part, from the seeds that the program gives libtorch, so torch must
be of the version that the program links. Without dropout: against the same model
and against the program's own pass of the whole batch, and the memory of
the two. Peers: torch 2.13.0, open_clip 3.3.0.
"""

import math
import pathlib
import sys
import tempfile

import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

import driver
from check_steps import our_name

ROWS, PART, SEED, TOLERANCE = 1024, 64, 7, 1e-5
SIZE, PATCH, CONTEXT, VOCABULARY, DIM = 32, 8, 16, 64, 32
WIDTH, HEADS, DEPTH = 64, 4, 3
SHAPE = {"width": WIDTH, "heads": HEADS, "depth": DEPTH}
DROPOUT = {"dropout": 0.1, "attention_dropout": 0.2}
DROP_PATH = {"drop_path": 0.3}


class Masks:
    """Dropout masks, drawn by a pass over each part and joined for the batch."""

    def __init__(self):
        self.drawn = {}
        self.joined = None

    def __call__(self, place, shape, p):
        if p == 0:
            return torch.ones(shape, dtype=torch.float64)
        if self.joined is not None:
            return self.joined[place]
        mask = F.dropout(torch.ones(shape), p).double()
        self.drawn.setdefault(place, []).append(mask)
        return mask

    def join(self):
        self.joined = {k: torch.cat(v) for k, v in self.drawn.items()}


class Forward:
    """What open_clip's block computes, with dropout: of the attention weights,
    and, with stochastic depth, of both branches. Of the last block a tower reads
    one place a row alone, `pooled` [B], and masks are drawn for that alone."""

    def __init__(self, block, masks, rate, depth_rate, last):
        self.block, self.masks, self.last = block, masks, last
        self.rate, self.depth_rate = rate, depth_rate
        self.pooled = None

    def mask(self, kind, shape, p, dim):
        """Of `shape`, but where only one place of `dim` counts: that one's."""
        if not self.last:
            return self.masks((id(self), kind), shape, p)
        drawn = self.masks((id(self), kind),
                           [1 if d == dim else n for d, n in enumerate(shape)], p)
        whole = torch.ones(shape, dtype=torch.float64)
        at = self.pooled.reshape([-1] + [1] * (len(shape) - 1))
        return whole.scatter(dim, at.expand_as(drawn), drawn)

    def attention(self, x, causal):
        attn = self.block.attn
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in F.linear(
            x, attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1))
        scores = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        if causal is not None:
            scores = scores + causal
        weights = scores.softmax(-1)
        weights = weights * self.mask("weights", weights.shape,
                                      self.rate["attention_dropout"], 2)
        return attn.out_proj((weights @ v).transpose(1, 2).flatten(2))

    def branch(self, kind, x):
        x = x * self.mask(kind, x.shape, self.rate["dropout"], 1)
        return x * self.masks((id(self), kind, "path"), (len(x), 1, 1),
                              self.depth_rate)

    def __call__(self, x, attn_mask=None):
        block = self.block
        x = x + self.branch("one", self.attention(block.ln_1(x), attn_mask))
        return x + self.branch("two", block.mlp(block.ln_2(x)))


class Peer:
    """open_clip's model, computed in double precision with given masks."""

    def __init__(self, model, rate, path):
        self.model, self.masks = model.double(), Masks()
        self.last = {}
        for name, tower in (("image", model.visual), ("text", model)):
            blocks = tower.transformer.resblocks
            top = path if name == "image" else 0
            for i, block in enumerate(blocks):
                block.forward = Forward(block, self.masks, rate,
                                        top * i / (DEPTH - 1), i == DEPTH - 1)
            self.last[name] = blocks[-1].forward

    def __call__(self, images, ids):
        self.last["image"].pooled = torch.zeros(len(ids), dtype=torch.long)
        self.last["text"].pooled = ids.argmax(dim=1)
        return self.model(images, ids)

    def step(self, inputs, seeds):
        """The loss; leaves gradients in the model."""
        images, ids = inputs["images"].double(), inputs["ids"]
        with torch.no_grad():
            for seed, part in zip(seeds.tolist(), range(0, ROWS, PART)):
                torch.manual_seed(seed)
                self(images[part:part + PART], ids[part:part + PART])
        self.masks.join()
        loss = ClipLoss()(*self(images, ids))
        loss.backward()
        return loss.detach()

    def gradients(self):
        """By our names."""
        found = {}
        for name, p in self.model.named_parameters():
            if name == "visual.proj":
                found["image_projection.weight"] = p.grad.T
            elif name == "text_projection":
                found["text_projection.weight"] = p.grad.T
            else:
                found[our_name(name)] = p.grad
        return found


def build():
    torch.manual_seed(5)
    text = CLIPTextCfg(context_length=CONTEXT, vocab_size=VOCABULARY,
                       width=WIDTH, heads=HEADS, layers=DEPTH)
    vision = CLIPVisionCfg(layers=DEPTH, width=WIDTH, head_width=WIDTH // HEADS,
                           patch_size=PATCH, image_size=SIZE)
    model = CLIP(DIM, vision, text)
    for p in model.parameters():
        p.data.add_(torch.randn_like(p) * 0.02)
    return model


def make_inputs():
    torch.manual_seed(6)
    ids = torch.randint(1, VOCABULARY - 1, (ROWS, CONTEXT))
    lengths = torch.randint(2, CONTEXT + 1, (ROWS,))
    for row, n in enumerate(lengths):
        ids[row, n - 1] = VOCABULARY - 1
        ids[row, n:] = 0
    assert lengths.max() == CONTEXT  # towers see texts cut to the longest
    return {"images": torch.randn(ROWS, 3, SIZE, SIZE), "ids": ids,
            "lengths": lengths, "rows": torch.randperm(ROWS),
            "vocabulary": torch.tensor(VOCABULARY)}


def config(part, rate, path, blocked):
    return {"data": {"image_size": SIZE}, "tokenizer": {"context": CONTEXT},
            "seed": SEED, "loss": {"blocked": blocked},
            "model": {"embed_dim": DIM,
                      "image": {"tower": "vit", "patch": PATCH, **SHAPE, **rate,
                                **path},
                      "text": {"tower": "transformer", **SHAPE, **rate}},
            "train": {"grad_cache": part, "batch_size": ROWS, "threads": 1}}


def worst(found, wanted):
    """The largest ||a - b|| / ||b|| of a parameter's gradient, and its name."""
    assert set(found) == set(wanted), set(found) ^ set(wanted)
    return max((((found[k] - b).norm() / b.norm()).item(), k)
               for k, b in wanted.items())


def gradients(found):
    """But for the weight of the photo among the fields: it is the only one."""
    return {k.removeprefix("grad."): v.double() for k, v in found.items()
            if k.startswith("grad.") and k != "grad.fusion.log_weights"}


def compare(report, name, found, loss, wanted):
    report.case(f"{name}: loss", abs(found["loss"].double() / loss - 1).item(),
                TOLERANCE)
    gap, parameter = worst(gradients(found), wanted)
    report.case(f"{name}: {len(wanted)} gradients ({parameter})", gap,
                TOLERANCE)


def growth(found):
    """MB that the step took."""
    before, after = found["memory"].tolist()
    return (after - before) / 1024


def check(report, name, weights, inputs, rate, path, blocked):
    init = {"model": weights}
    found = driver.run(config(PART, rate, path, blocked), inputs, init)
    peer = Peer(build(), {**dict.fromkeys(DROPOUT, 0), **rate},
                path.get("drop_path", 0))
    loss = peer.step(inputs, found["seeds"])
    compare(report, f"{name}, parts of {PART} and open_clip's batch", found,
            loss, peer.gradients())
    if rate or path:
        return
    whole = driver.run(config(0, rate, path, blocked), inputs, init)
    compare(report, f"{name}, parts of {PART} and our batch", found,
            whole["loss"].double(), gradients(whole))
    report.case(f"memory of the step, {growth(found):.0f} MB in parts, "
                f"{growth(whole):.0f} MB as a whole: share",
                growth(found) / growth(whole), 0.4)


def main():
    report = driver.Report()
    inputs = make_inputs()
    cases = {"dropout": (DROPOUT, DROP_PATH, "off"),
             "dropout, blocked loss": (DROPOUT, DROP_PATH, "on"),
             "no dropout": ({}, {}, "off")}
    with tempfile.TemporaryDirectory() as folder:
        weights = driver.save_state(build(),
                                    pathlib.Path(folder) / "clip.safetensors")
        for name, (rate, path, blocked) in cases.items():
            try:
                check(report, name, weights, inputs, rate, path, blocked)
            except driver.Failed as error:
                report.fail(name, error)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
