"""Golden learning rates, optimizer trajectories and averaged weights for
tests/train, computed by torch 2.13.0 and timm 1.0.31.

    python tests/parity/gen_train.py tests/golden/train

schedule.safetensors holds for each case of SCHEDULES the rates of updates 1 to
total, F64. optimizer.safetensors holds the starting values (weight, bias), the
gradients of five updates (grad.<update>.weight, ...), the rates (lr) and for
each case <case>.<update>.weight and .bias after it, and <case>.norm: the norm of
the gradients before clipping.
ema.safetensors holds the weights after each of EMA_UPDATES updates
(weights.<update>.weight, .mean, mean being a buffer) and for each of EMA the
averages of timm's ModelEmaV3 after it (<case>.<update>.weight, .mean); those of
swa_utils.AveragedModel stand under "swa".
layer_decay.json: timm's param_groups_layer_decay() of a ViT and a residual
network: the factor of some parameters of each.
"""

import json
import sys
import warnings
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from timm.optim import param_groups_layer_decay
from timm.utils import ModelEmaV3
from torch.optim import SGD, AdamW, SparseAdam
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

PEAK = 0.02
# name: shape, rate of the last update / peak, warm-up, total
SCHEDULES = {
    "cosine": ("cosine", 0.0, 4, 23),
    "cosine_floor": ("cosine", 0.1, 5, 20),
    "cosine_plain": ("cosine", 0.0, 0, 10),
    "linear": ("linear", 0.0, 3, 15),
    "linear_floor": ("linear", 0.25, 1, 12),
    "constant": ("constant", 0.0, 6, 11),
}
UPDATES = 5
# name: decay, warm-up
EMA = {"plain": (0.9, False), "warm": (0.6, True)}
EMA_UPDATES = 6


def rates(make, count):
    """The rates of a scheduler before each of its `count` first steps."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = make(optimizer)
    out = []
    for _ in range(count):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return out


def schedule(shape, floor, warmup, total):
    """Updates 1 to `warmup` climb to the peak; from there the shape falls to
    the floor, which update `total` has."""
    rise = rates(lambda o: LinearLR(o, 1 / warmup, 1.0, warmup - 1), warmup) \
        if warmup > 1 else [PEAK] * warmup
    span = total - warmup
    if shape == "cosine":
        fall = rates(lambda o: CosineAnnealingLR(o, span, PEAK * floor), span + 1)
    elif shape == "linear":
        fall = rates(lambda o: LinearLR(o, 1.0, floor, span), span + 1)
    else:
        fall = [PEAK] * (span + 1)
    return torch.tensor(rise + fall[1:], dtype=torch.float64)


def trajectory(out, case, make, clip, start, grads, lrs):
    weight = start["weight"].clone().requires_grad_()
    bias = start["bias"].clone().requires_grad_()
    optimizer = make([{"params": [weight]},
                      {"params": [bias], "weight_decay": 0.0}])
    norms = []
    for update in range(UPDATES):
        weight.grad = grads[f"grad.{update}.weight"].clone()
        bias.grad = grads[f"grad.{update}.bias"].clone()
        norms.append(torch.nn.utils.clip_grad_norm_(
            [weight, bias], clip if clip else float("inf")))
        for group in optimizer.param_groups:
            group["lr"] = float(lrs[update])
        optimizer.step()
        out[f"{case}.{update}.weight"] = weight.detach().clone()
        out[f"{case}.{update}.bias"] = bias.detach().clone()
    out[f"{case}.norm"] = torch.stack(norms)


def rows(out, start, grads, lrs):
    """Two rows of the weight a time under SparseAdam, which knows no decay;
    that of AdamW stands before it, on the same rows."""
    weight = start["weight"].clone().requires_grad_()
    optimizer = SparseAdam([weight], betas=(0.8, 0.95), eps=1e-12)
    for update in range(UPDATES):
        seen = torch.tensor([r for r in range(3) if r != update % 3])
        grad = grads[f"grad.{update}.weight"][seen]
        weight.grad = torch.sparse_coo_tensor(seen[None], grad, weight.shape)
        lr = optimizer.param_groups[0]["lr"] = float(lrs[update])
        with torch.no_grad():
            weight[seen] *= 1 - lr * 0.3
        optimizer.step()
        out[f"rows.{update}.weight"] = weight.detach().clone()


def optimizers():
    torch.manual_seed(5)
    start = {"weight": torch.randn(3, 4), "bias": torch.randn(3)}
    grads = {}
    for update in range(UPDATES):
        grads[f"grad.{update}.weight"] = torch.randn(3, 4)
        grads[f"grad.{update}.bias"] = torch.randn(3)
    lrs = torch.tensor([0.5, 1.0, 0.75, 0.2, 0.01], dtype=torch.float64) * 0.1
    out = {**start, **grads, "lr": lrs}
    cases = {
        "adamw": (lambda p: AdamW(p, betas=(0.8, 0.95), eps=1e-6,
                                  weight_decay=0.3), None),
        "adamw_clipped": (lambda p: AdamW(p, betas=(0.8, 0.95), eps=1e-6,
                                          weight_decay=0.3), 1.0),
        "sgd": (lambda p: SGD(p, lr=1.0, momentum=0.9, weight_decay=0.3), None),
        "sgd_nesterov": (lambda p: SGD(p, lr=1.0, momentum=0.9, nesterov=True,
                                       weight_decay=0.3), 1.0),
    }
    for case, (make, clip) in cases.items():
        trajectory(out, case, make, clip, start, grads, lrs)
    rows(out, start, grads, lrs)
    return out


class Weights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(3, 4))
        self.register_buffer("mean", torch.randn(3))


def averages():
    torch.manual_seed(6)
    model = Weights()
    peers = {case: ModelEmaV3(model, decay=decay, use_warmup=warm,
                              warmup_gamma=1.0, warmup_power=2 / 3,
                              exclude_buffers=True)
             for case, (decay, warm) in EMA.items()}
    swa = AveragedModel(model,
                        multi_avg_fn=get_ema_multi_avg_fn(EMA["plain"][0]))
    out = {}
    for update in range(EMA_UPDATES):
        with torch.no_grad():
            model.weight.add_(torch.randn(3, 4))
            model.mean.copy_(torch.randn(3))
        swa.update_parameters(model)
        states = {"weights": model, "swa": swa.module}
        for case, peer in peers.items():
            peer.update(model, step=update + 1)
            states[case] = peer.module
        for case, module in states.items():
            for name, value in module.state_dict().items():
                out[f"{case}.{update}.{name}"] = value.clone()
    return out


def main():
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: schedule(*case) for name, case in SCHEDULES.items()},
              folder / "schedule.safetensors")
    save_file(optimizers(), folder / "optimizer.safetensors")
    save_file(averages(), folder / "ema.safetensors")
    (folder / "layer_decay.json").write_text(
        json.dumps(layer_decay(), indent=1) + "\n")


def layer_decay():
    """Of one parameter a block, and what stands before and behind them."""
    makers = {
        "vit": (timm.create_model("vit_tiny_patch16_224", depth=4), [
            "cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight",
            "blocks.1.norm1.bias", "blocks.2.mlp.fc1.weight",
            "blocks.3.mlp.fc2.weight", "norm.weight", "head.weight"]),
        "resnet": (timm.create_model("resnet18"), [
            "conv1.weight", "bn1.bias", "layer1.0.conv1.weight",
            "layer1.1.bn1.bias", "layer2.0.downsample.0.weight",
            "layer4.1.conv2.weight", "fc.weight"]),
    }
    out = {"decay": 0.75}
    for case, (model, names) in makers.items():
        scales = {}
        groups = param_groups_layer_decay(model, layer_decay=0.75)
        of = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
        for name, p in model.named_parameters():
            if name in names:
                scales[name] = of[id(p)]
        out[case] = scales
    return out


if __name__ == "__main__":
    main()
