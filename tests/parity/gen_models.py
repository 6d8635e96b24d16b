"""Golden weights, inputs, outputs and gradients for tests/models, computed by
torch 2.13.0, torchvision 0.28.0 and open_clip 3.3.0 on the CPU.

    python tests/parity/gen_models.py tests/golden/models

For each case: <case>.weights.safetensors holds parameters by the peer's names,
<case>.safetensors the inputs (in.*), the outputs (out.*), the weights w of the
scalar sum(out * w) and its gradients (grad.<parameter>). names.json holds the
names and shapes of the peers' full-size models.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn as nn
from open_clip.transformer import TextTransformer, VisionTransformer
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torchvision.models import resnet18, resnet34, resnet50
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

OUT = Path(sys.argv[1])
DROPPED = ("num_batches_tracked", "proj", "text_projection", "attn_mask")


def weights_of(module):
    return {
        k: v.clone().contiguous()
        for k, v in module.state_dict().items()
        if k.split(".")[-1] not in DROPPED
    }


def shake(module):
    """Moves every parameter off its initial zeros and ones."""
    with torch.no_grad():
        for name, p in module.state_dict().items():
            if not p.is_floating_point():
                continue
            if name.endswith("running_var"):
                p.uniform_(0.5, 1.5)
            else:
                p.add_(torch.randn_like(p) * 0.1)


def save(case, weights, tensors):
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(weights, OUT / f"{case}.weights.safetensors")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()},
              OUT / f"{case}.safetensors")


def gradients(module, out, tensors, names):
    w = torch.randn_like(out)
    tensors["w"] = w
    module.zero_grad()
    (out * w).sum().backward()
    for name in names:
        tensors[f"grad.{name}"] = module.get_parameter(name).grad


class SmallResNet(ResNet):
    """torchvision's blocks and forward pass with free widths and two stages."""

    def __init__(self, block, layers, width, small):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation = width, 1
        self.groups, self.base_width = 1, 64
        stem = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = nn.Conv2d(3, width, *stem, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(block, width, layers[0])
        self.layer2 = self._make_layer(block, 2 * width, layers[1], stride=2)
        self.layer3 = self.layer4 = nn.Identity()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Identity()


def resnet(case, block, layers, width, small, size, names):
    torch.manual_seed(1)
    module = SmallResNet(block, layers, width, small)
    shake(module)
    weights = weights_of(module)
    t = {"in.images": torch.randn(3, 3, size, size)}
    module.eval()
    t["out.eval"] = module(t["in.images"])
    module.train()
    t["out.train"] = module(t["in.images"])
    gradients(module, t["out.train"], t, names)
    for k, v in module.state_dict().items():
        if "running" in k and ("bn1" in k or "downsample" in k):
            t[f"after.{k}"] = v
    save(case, weights, t)


def vit(case, pool, act):
    torch.manual_seed(2)
    module = VisionTransformer(
        image_size=16, patch_size=8, width=16, layers=2, heads=2, mlp_ratio=3.0,
        output_dim=8, pool_type=pool, act_layer=act)
    shake(module)
    module.proj = None
    t = {"in.images": torch.randn(3, 3, 16, 16)}
    t["out.eval"] = module(t["in.images"])
    gradients(module, t["out.eval"], t, [
        "conv1.weight", "class_embedding", "positional_embedding",
        "transformer.resblocks.0.attn.in_proj_weight",
        "transformer.resblocks.1.attn.in_proj_weight",
        "transformer.resblocks.1.attn.in_proj_bias",
        "transformer.resblocks.1.mlp.c_fc.weight", "ln_post.weight"])
    save(case, weights_of(module), t)


def texts():
    """Ids 1..30, the largest (31) ends each text, 0 pads; one fills all."""
    lengths = torch.tensor([8, 3, 1, 5])
    ids = torch.randint(1, 31, (4, 8))
    for row, n in enumerate(lengths):
        ids[row, n - 1] = 31
        ids[row, n:] = 0
    return ids, lengths


def transformer(case, pooling, causal):
    torch.manual_seed(3)
    module = TextTransformer(
        context_length=8, vocab_size=32, width=16, heads=2, layers=2,
        output_dim=None, no_causal_mask=not causal, use_pad_mask=not causal,
        embed_cls=pooling == "cls", correct_cls_mask=True,
        pool_type="argmax" if pooling == "last" else "none")
    shake(module)
    ids, lengths = texts()
    out = module(ids)
    if pooling == "mean":
        mask = (ids != 0).unsqueeze(2)
        out = (out * mask).sum(1) / lengths.unsqueeze(1)
    t = {"in.ids": ids, "in.lengths": lengths, "out.eval": out}
    names = ["token_embedding.weight", "positional_embedding",
             "transformer.resblocks.0.attn.in_proj_weight",
             "transformer.resblocks.1.attn.in_proj_weight",
             "transformer.resblocks.1.mlp.c_proj.weight", "ln_final.bias"]
    gradients(module, out, t, names + (["cls_emb"] if pooling == "cls" else []))
    save(case, weights_of(module), t)


class Lstm(nn.Module):
    def __init__(self, bidirectional):
        super().__init__()
        self.token_embedding = nn.Embedding(32, 6)
        self.lstm = nn.LSTM(6, 6, 2, batch_first=True, bidirectional=bidirectional)

    def forward(self, ids, lengths, pooling):
        packed = pack_padded_sequence(self.token_embedding(ids), lengths,
                                      batch_first=True, enforce_sorted=False)
        out, (last, _) = self.lstm(packed)
        x, _ = pad_packed_sequence(out, batch_first=True)
        mask = (ids != 0).unsqueeze(2)
        if pooling == "mean":
            return (x * mask).sum(1) / lengths.unsqueeze(1)
        if pooling == "max":
            return x.masked_fill(~mask, float("-inf")).amax(1)
        return torch.cat(list(last[2:]), 1) if self.lstm.bidirectional else last[-1]


def lstm(case, pooling, bidirectional):
    torch.manual_seed(4)
    module = Lstm(bidirectional)
    ids, lengths = texts()
    out = module(ids, lengths, pooling)
    t = {"in.ids": ids, "in.lengths": lengths, "out.eval": out}
    names = ["token_embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l1",
             "lstm.bias_ih_l0"]
    if bidirectional:
        names.append("lstm.weight_hh_l0_reverse")
    gradients(module, out, t, names)
    save(case, weights_of(module), t)


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embedding = nn.EmbeddingBag(32, 10, mode="mean", padding_idx=0)
        self.mlp = nn.ModuleList([nn.Linear(10, 10), nn.Linear(10, 10)])

    def forward(self, ids):
        x = self.token_embedding(ids)
        for layer in self.mlp:
            x = nn.functional.gelu(layer(x))
        return x


def bag():
    torch.manual_seed(5)
    module = Bag()
    ids, lengths = texts()
    out = module(ids)
    t = {"in.ids": ids, "in.lengths": lengths, "out.eval": out}
    gradients(module, out, t, ["token_embedding.weight", "mlp.0.weight", "mlp.1.bias"])
    save("bag", weights_of(module), t)


class Fusion(nn.Module):
    """Row by row, without masks: only what is present is looked at."""

    def forward(self, fields, present):
        return torch.stack([
            self.row([f[b] for f in fields], present[b].tolist())
            for b in range(present.shape[0])])


class Average(Fusion):
    def __init__(self):
        super().__init__()
        self.log_weights = nn.Parameter(torch.tensor([0.3, -0.5, 1.0]))

    def row(self, fields, present):
        here = [i for i in range(3) if present[i]]
        if not here:
            return torch.zeros_like(fields[0])
        w = self.log_weights[here].exp()
        total = sum(w[k] * fields[i] for k, i in enumerate(here)) / w.sum()
        return total / total.norm()


class Concat(Fusion):
    def __init__(self):
        super().__init__()
        self.missing = nn.Parameter(torch.randn(3, 6))
        self.hidden = nn.Linear(3 * 6 + 3, 12)
        self.out = nn.Linear(12, 6)

    def row(self, fields, present):
        if not any(present):
            return torch.zeros_like(fields[0])
        parts = [fields[i] if present[i] else self.missing[i] for i in range(3)]
        bits = torch.tensor([float(p) for p in present])
        x = self.out(nn.functional.gelu(self.hidden(torch.cat(parts + [bits]))))
        return x / x.norm()


def fusion(case, module):
    torch.manual_seed(6)
    fields = [nn.functional.normalize(torch.randn(5, 6), dim=1) for _ in range(3)]
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]],
                           dtype=torch.bool)
    out = module(fields, present)
    t = {f"in.field{i}": f for i, f in enumerate(fields)}
    t |= {"in.present": present, "out.eval": out}
    gradients(module, out, t, [n for n, _ in module.named_parameters()])
    save(case, weights_of(module), t)


def names():
    vision = VisionTransformer(224, 32, 768, 12, 12, 4.0)
    text = TextTransformer(77, 49408, 512, 8, 12)
    peers = {"resnet18": resnet18(), "resnet34": resnet34(), "resnet50": resnet50(),
             "vit_b_32": vision, "text_b_32": text}
    shapes = {
        peer: {k: list(v.shape) for k, v in weights_of(module).items()
               if not k.startswith("fc.")}
        for peer, module in peers.items()}
    (OUT / "names.json").write_text(json.dumps(shapes, indent=0) + "\n")


def main():
    resnet("resnet_basic", BasicBlock, [2, 1], 8, True, 12,
           ["conv1.weight", "layer1.1.bn2.weight", "layer2.0.downsample.0.weight"])
    resnet("resnet_bottleneck", Bottleneck, [1, 2], 4, False, 32,
           ["conv1.weight", "layer1.0.conv2.weight", "layer2.1.bn3.bias"])
    vit("vit_cls", "tok", nn.GELU)
    from open_clip.transformer import QuickGELU
    vit("vit_mean", "avg", QuickGELU)
    transformer("transformer_last", "last", True)
    transformer("transformer_mean", "mean", False)
    transformer("transformer_cls", "cls", False)
    transformer("transformer_causal_cls", "cls", True)
    lstm("lstm_mean", "mean", True)
    lstm("lstm_max", "max", False)
    lstm("lstm_last", "last", True)
    bag()
    torch.manual_seed(7)
    fusion("weighted_average", Average())
    fusion("concat_mlp", Concat())
    names()


if __name__ == "__main__":
    main()
