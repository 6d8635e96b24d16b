"""Ten AdamW updates from the same weights on the same batches: the losses of
open_clip's models with its ClipLoss or SigLipLoss and torch's AdamW, within
1e-4; of small models also the loss and every gradient of the first batch, within
1e-5 of the largest of each.

    python tests/parity/check_steps.py [CASE ...]

Small models of open_clip's kinds and its ViT-B-32, RN50 and ViT-B-16-SigLIP with
seeded random weights, in fp32, weight decay on matrices only, as open_clip
trains; gradients clipped. Peers: torch 2.13.0, open_clip 3.3.0, timm 1.0.31.
"""

import copy
import dataclasses
import pathlib
import sys
import tempfile

import open_clip
import timm
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transformer import TextTransformer

import driver

STEPS, DECAY, CLIP_NORM, WARM = 10, 0.2, 1.0, 3
SMALL_SIZE, SMALL_CONTEXT, SMALL_VOCABULARY = 32, 8, 64
torch.set_num_threads(1)

SMALL = {"width": 32, "heads": 2, "depth": 2}
SIGLIP_TEXT = {"tower": "transformer", "bidirectional": True, "norm_eps": 1e-6}
SIGLIP = {"image_projection": {"none": True}, "text_projection": {"bias": True}}
POOLED = {"image_projection": {"none": True}}


@dataclasses.dataclass
class Case:
    make: object      # gives the peer
    model: dict       # our options of it
    embed_dim: int
    sigmoid: bool = False  # SigLIP's loss, and texts that fill the context
    size: int = SMALL_SIZE
    context: int = SMALL_CONTEXT
    vocabulary: int = SMALL_VOCABULARY
    rows: int = 16
    lr: float = 2e-3
    gradients: bool = True

    def config(self):
        return {"data": {"image_size": self.size},
                "tokenizer": {"context": self.context},
                "model": {"embed_dim": self.embed_dim, **self.model},
                "loss": {"kind": "siglip" if self.sigmoid else "infonce"},
                "train": {"lr": self.lr, "weight_decay": DECAY, "beta2": 0.98,
                          "eps": 1e-6, "clip_grad_norm": CLIP_NORM,
                          "schedule": "constant", "warmup_steps": WARM,
                          "channels_last": False, "threads": 1}}

    def batches(self):
        torch.manual_seed(3)
        shape = (STEPS, self.rows, self.context)
        ids = torch.randint(1, self.vocabulary - 1, shape)
        lengths = torch.full(shape[:2], self.context)
        if not self.sigmoid:
            lengths = torch.randint(2, self.context + 1, shape[:2])
            places = torch.arange(self.context)
            ids *= places < lengths[..., None]
            ids[places == lengths[..., None] - 1] = self.vocabulary - 1
        images = torch.randn(STEPS, self.rows, 3, self.size, self.size)
        return {"images": images, "ids": ids, "lengths": lengths}


def small_clip(**vision):
    text = CLIPTextCfg(context_length=SMALL_CONTEXT, vocab_size=SMALL_VOCABULARY,
                       width=32, heads=2, layers=2)
    return CLIP(24, CLIPVisionCfg(**vision, image_size=SMALL_SIZE), text)


class SmallSigLip(torch.nn.Module):
    """open_clip's CustomTextCLIP, which makes timm's towers in full size only."""

    def __init__(self):
        super().__init__()
        self.visual = torch.nn.ModuleDict({"trunk": timm.create_model(
            "vit_base_patch16_siglip_224", img_size=SMALL_SIZE, embed_dim=32,
            depth=2, num_heads=2, num_classes=0)})
        self.text = TextTransformer(
            context_length=SMALL_CONTEXT, vocab_size=SMALL_VOCABULARY, width=32,
            heads=2, layers=2, output_dim=32, no_causal_mask=True,
            pool_type="last", proj_bias=True,
            norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6))
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.6))
        self.logit_bias = torch.nn.Parameter(torch.tensor(-10.0))

    def forward(self, images, ids):
        unit = torch.nn.functional.normalize
        return (unit(self.visual["trunk"](images), dim=-1),
                unit(self.text(ids), dim=-1), self.logit_scale.exp(),
                self.logit_bias)


def form(name, model, rows, **more):
    """A model of open_clip in full size."""
    sizes = open_clip.get_model_config(name)
    return Case(lambda: open_clip.create_model(name), model,
                sizes["embed_dim"], size=224, rows=rows, lr=1e-4, gradients=False,
                context=sizes["text_cfg"]["context_length"],
                vocabulary=sizes["text_cfg"]["vocab_size"], **more)


SMALL_TEXT = {"tower": "transformer", **SMALL}
CASES = {
    "vit": Case(lambda: small_clip(layers=2, width=64, head_width=32,
                                   patch_size=16),
                {"image": {"tower": "vit", "patch": 16, "width": 64, "heads": 2,
                           "depth": 2}, "text": SMALL_TEXT}, 24),
    "resnet": Case(lambda: small_clip(layers=(1, 1, 1, 1), width=8),
                   {"image": {"tower": "clip_resnet", "layers": [1, 1, 1, 1],
                              "width": 8, "heads": 4, "features": 24},
                    "text": SMALL_TEXT, **POOLED}, 24),
    "siglip": Case(SmallSigLip,
                   {"image": {"tower": "siglip", "patch": 16, **SMALL},
                    "text": {**SIGLIP_TEXT, **SMALL}, **SIGLIP}, 32,
                   sigmoid=True),
    "ViT-B-32": form("ViT-B-32", {"image": {"tower": "vit", "patch": 32},
                                  "text": {"tower": "transformer"}}, 4),
    "RN50": form("RN50", {"image": {"tower": "clip_resnet", "features": 1024},
                          "text": {"tower": "transformer"}, **POOLED}, 4),
    "ViT-B-16-SigLIP": form(
        "ViT-B-16-SigLIP", {"image": {"tower": "siglip"},
                            "text": {**SIGLIP_TEXT, "width": 768, "depth": 12,
                                     "heads": 12}, **SIGLIP}, 2, sigmoid=True),
}


def loss_of(model, images, ids):
    given = model(images, ids)
    return (SigLipLoss() if len(given) == 4 else ClipLoss())(*given)


def train(model, batches, lr):
    """The losses, with a linear warm-up before a constant rate."""
    model.train()
    rest = ("positional", "pos_embed", "latent")
    decayed = [p for n, p in model.named_parameters()
               if p.ndim >= 2 and not any(r in n for r in rest)]
    held = set(map(id, decayed))
    others = [p for p in model.parameters() if id(p) not in held]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY},
         {"params": others, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.98),
        eps=1e-6)
    losses = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / WARM)
        loss = loss_of(model, batches["images"][step], batches["ids"][step])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.605170185988092)
    return torch.tensor(losses)


# Gradients are compared where both sides have the same name for them; the first
# that fits.
SAME = {"visual.trunk.": "image.", "visual.": "image.",
        "transformer.": "text.transformer.",
        "token_embedding.": "text.token_embedding.",
        "ln_final.": "text.ln_final.", "logit_": "logit_",
        "positional_embedding": "text.positional_embedding",
        "text.text_projection.": "text_projection.", "text.": "text."}


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


def check_first(report, name, case, model, inputs, init):
    inputs = {k: v if k == "vocabulary" else v[0] for k, v in inputs.items()}
    first = copy.deepcopy(model).eval()
    loss = loss_of(first, inputs["images"], inputs["ids"])
    loss.backward()
    found = driver.run(case.config(), inputs, init)
    report.case(f"{name}: loss", ((found["loss"] - loss) / loss).abs().item(),
                1e-5)
    report.case(f"{name}: gradients", worst_gradient(first, found), 1e-5)


def check(report, name, case, folder):
    torch.manual_seed(2)
    model = case.make()
    for p in model.parameters():
        p.data.add_(torch.randn_like(p) * 0.02)
    inputs = case.batches() | {"vocabulary": torch.tensor(case.vocabulary)}
    init = {"model": driver.save_state(model, folder / "model.safetensors")}
    if case.gradients:
        check_first(report, name, case, model, inputs, init)
    found = driver.run(case.config(), inputs, init)["losses"]
    with torch.no_grad():
        model.train()
        untrained = loss_of(copy.deepcopy(model), inputs["images"][-1],
                            inputs["ids"][-1])
    wanted = train(model, inputs, case.lr)
    # Four photos of noise look alike to a large model for longer than this.
    moved = (wanted[-1] - untrained).abs().item()
    assert moved > (1e-2 if case.gradients else 0), "training changes nothing"
    report.case(f"{name}: {STEPS} losses of AdamW, {wanted[0]:.3f} to "
                f"{wanted[-1]:.3f}, {moved:.0e} from the untrained",
                (found - wanted).abs().max().item(), 1e-4)


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as name:
        for case in sys.argv[1:] or CASES:
            try:
                check(report, case, CASES[case], pathlib.Path(name))
            except driver.Failed as error:
                report.fail(case, error)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
