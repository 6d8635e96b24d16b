"""Ten AdamW updates from the same weights on the same batches: the losses of
open_clip's models with its ClipLoss and torch's AdamW, within 1e-4; and the loss
and every gradient of the first batch, within 1e-5 of the largest of each.

    python tests/parity/check_steps.py

Small models of open_clip's kinds, in fp32, weight decay on matrices only, as
open_clip trains; gradients clipped. Peers: torch 2.13.0, open_clip 3.3.0.
"""

import copy
import pathlib
import sys
import tempfile

import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

import driver

STEPS, ROWS, SIZE, CONTEXT, VOCABULARY = 10, 16, 32, 8, 64
LR, DECAY, CLIP_NORM, WARM = 2e-3, 0.2, 1.0, 3
torch.set_num_threads(1)

TEXT = dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=32, heads=2,
            layers=2)
TEXT_OURS = {"tower": "transformer", "width": 32, "heads": 2, "depth": 2}
# name: open_clip's vision options, our config of model
CASES = {
    "vit": (dict(layers=2, width=64, head_width=32, patch_size=16,
                 image_size=SIZE),
            {"image": {"tower": "vit", "patch": 16, "width": 64, "heads": 2,
                       "depth": 2}}),
    "resnet": (dict(layers=(1, 1, 1, 1), width=8, image_size=SIZE),
               {"image": {"tower": "clip_resnet", "layers": [1, 1, 1, 1],
                          "width": 8, "heads": 4, "features": 24},
                "image_projection": {"none": True}}),
}


def batches():
    torch.manual_seed(3)
    ids = torch.randint(1, VOCABULARY - 1, (STEPS, ROWS, CONTEXT))
    lengths = torch.randint(2, CONTEXT + 1, (STEPS, ROWS))
    for s in range(STEPS):
        for r in range(ROWS):
            n = lengths[s, r]
            ids[s, r, n - 1] = VOCABULARY - 1
            ids[s, r, n:] = 0
    images = torch.randn(STEPS, ROWS, 3, SIZE, SIZE)
    return images, ids, lengths


def loss_of(model, images, ids):
    image, text, scale = model(images, ids)
    return ClipLoss()(image, text, scale)


def rates():
    """Linear warm-up, then constant."""
    return [LR * min(1.0, (step + 1) / WARM) for step in range(STEPS)]


def train(model, images, ids):
    model.train()
    decayed = [p for n, p in model.named_parameters()
               if p.ndim >= 2 and "positional" not in n]
    held = set(map(id, decayed))
    rest = [p for p in model.parameters() if id(p) not in held]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY},
         {"params": rest, "weight_decay": 0.0}], lr=LR, betas=(0.9, 0.98),
        eps=1e-6)
    losses = []
    for step, rate in enumerate(rates()):
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, images[step], ids[step])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.605170185988092)
    return torch.tensor(losses)


def config_of(model):
    return {"data": {"image_size": SIZE}, "tokenizer": {"context": CONTEXT},
            "model": {"embed_dim": 24, "text": TEXT_OURS, **model},
            "train": {"lr": LR, "weight_decay": DECAY, "beta2": 0.98,
                      "eps": 1e-6, "clip_grad_norm": CLIP_NORM,
                      "schedule": "constant", "warmup_steps": WARM,
                      "channels_last": False, "threads": 1}}


# Gradients are compared where both sides have the same name for them.
SAME = {"visual.": "image.", "transformer.": "text.transformer.",
        "token_embedding.": "text.token_embedding.",
        "ln_final.": "text.ln_final.", "logit_scale": "logit_scale",
        "positional_embedding": "text.positional_embedding"}


def our_name(name):
    for theirs, ours in SAME.items():
        if name.startswith(theirs) and name != "visual.proj":
            return ours + name[len(theirs):]
    return None


def worst_gradient(model, outputs):
    worst, count = 0.0, 0
    # A bias of keys has none but rounding errors: below this, all are noise.
    least = 1e-4 * max(p.grad.abs().max() for p in model.parameters())
    for name, p in model.named_parameters():
        ours = our_name(name)
        if ours is None:
            continue
        gap = (outputs[f"grad.{ours}"] - p.grad).abs().max()
        worst = max(worst, (gap / p.grad.abs().max().clamp_min(least)).item())
        count += 1
    assert count > 30, count
    return worst


def check(report, name, vision, ours, folder):
    torch.manual_seed(2)
    model = CLIP(24, CLIPVisionCfg(**vision), CLIPTextCfg(**TEXT))
    for p in model.parameters():
        p.data.add_(torch.randn_like(p) * 0.02)
    images, ids, lengths = batches()
    path = driver.save_state(model, folder / f"{name}.safetensors")
    size = torch.tensor(VOCABULARY)

    first = copy.deepcopy(model).eval()
    loss = loss_of(first, images[0], ids[0])
    loss.backward()
    found = driver.run(config_of(ours),
                       {"images": images[0], "ids": ids[0],
                        "lengths": lengths[0], "vocabulary": size},
                       {"model": path})
    report.case(f"{name}: loss", (found["loss"] - loss).abs().item(), 1e-5)
    report.case(f"{name}: gradients", worst_gradient(first, found), 1e-5)

    found = driver.run(config_of(ours),
                       {"images": images, "ids": ids, "lengths": lengths,
                        "vocabulary": size}, {"model": path})
    wanted = train(model, images, ids)
    assert (wanted[0] - wanted[-1]).abs() > 1e-3, "the losses do not move"
    report.case(f"{name}: {STEPS} losses of AdamW",
                (found["losses"] - wanted).abs().max().item(), 1e-4)


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as name:
        for case, (vision, ours) in CASES.items():
            try:
                check(report, case, vision, ours, pathlib.Path(name))
            except driver.Failed as error:
                report.fail(case, error)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
