"""Golden weights, inputs, outputs and gradients for tests/models/test_fusion.c,
computed by torch 2.13.0 on the CPU.

    python tests/parity/gen_fusions.py tests/golden/models

Every fusion is written from its paper and torch's own modules, one product at a
time and without masks: what is absent is left out of the sequence, the sum or
the product. Files are those of gen_models.py: <case>.weights.safetensors and
<case>.safetensors. check_fusions.py takes the classes from here.
"""

import sys
from pathlib import Path

import torch
import torch.nn as nn
from safetensors.torch import save_file
from torch.nn.functional import gelu, normalize

FIELDS = ("image", "text", "attribute")


class Fusion(nn.Module):
    """fields: a list of [B, D]; tokens: for each field a list of B sequences
    [n, W] that hold what is there only, or None; present: [B, F]."""

    def forward(self, fields, present, tokens=None):
        rows = []
        for b in range(present.shape[0]):
            here = [i for i in range(len(fields)) if present[b, i]]
            if not here:
                rows.append(torch.zeros_like(fields[0][b]))
                continue
            x = {i: fields[i][b] for i in here}
            t = {i: self.sequence(i, x[i], tokens, b) for i in here}
            rows.append(normalize(self.row(x, t), dim=0))
        return torch.stack(rows)

    def sequence(self, i, embedding, tokens, b):
        """The embedding and the projected tokens behind it, [1 + n, D]."""
        if not isinstance(self, Tokens) or tokens is None or tokens[i] is None:
            return embedding[None]
        project = self.image_tokens if i == 0 else self.text_tokens
        return torch.cat([embedding[None], project(tokens[i][b])])


class Maximum(Fusion):
    def row(self, x, t):
        return torch.stack(list(x.values())).amax(0)


class Gated(Fusion):
    """arXiv 1702.01992, equations of figure 2a."""

    def __init__(self, fields, dim, widths):
        super().__init__()
        self.count, self.dim = fields, dim
        self.values = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(fields))
        self.gates = nn.Linear(fields * dim, fields * dim, bias=False)

    def row(self, x, t):
        zero = torch.zeros(self.dim)
        together = torch.cat([x.get(i, zero) for i in range(self.count)])
        total = 0
        for i, part in x.items():
            gate = self.gates.weight[i * self.dim : (i + 1) * self.dim] @ together
            total = total + torch.sigmoid(gate) * torch.tanh(self.values[i](part))
        return total


class Bilinear(Fusion):
    """MFB, arXiv 1708.01471, equations 4 to 6, with a product over what is there."""

    def __init__(self, fields, dim, widths, factors=5):
        super().__init__()
        self.factors = factors
        self.projections = nn.ModuleList(
            nn.Linear(dim, dim * factors, bias=False) for _ in range(fields))

    def row(self, x, t):
        product = torch.stack([self.projections[i](v) for i, v in x.items()]).prod(0)
        z = product.reshape(-1, self.factors).sum(1)
        return normalize(z.sign() * z.abs().sqrt(), dim=0)


class Recurrent(Fusion):
    def __init__(self, fields, dim, widths, kind):
        super().__init__()
        self.name = kind
        self.field_embedding = nn.Parameter(torch.randn(fields, dim) * 0.3)
        self.add_module(kind, (nn.LSTM if kind == "lstm" else nn.GRU)(dim, dim, batch_first=True))

    def row(self, x, t):
        steps = torch.stack([v + self.field_embedding[i] for i, v in x.items()])
        out, _ = getattr(self, self.name)(steps[None])
        return out[0, -1]


class Tokens(Fusion):
    def __init__(self, fields, dim, widths):
        super().__init__()
        self.image_tokens = nn.Linear(widths[0], dim)
        self.text_tokens = nn.Linear(widths[1], dim)
        self.field_embedding = nn.Parameter(torch.randn(fields, dim) * 0.3)


class SelfAttention(Tokens):
    def __init__(self, fields, dim, widths, heads=1, depth=2):
        super().__init__(fields, dim, widths)
        self.fusion_token = nn.Parameter(torch.randn(dim) * 0.3)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, "gelu",
                                       batch_first=True, norm_first=True)
            for _ in range(depth))
        self.ln_post = nn.LayerNorm(dim)

    def row(self, x, t):
        rows = [self.fusion_token[None]] + [s + self.field_embedding[i] for i, s in t.items()]
        y = torch.cat(rows)[None]
        for layer in self.layers:
            y = layer(y)
        return self.ln_post(y[0, 0])


class Half(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.fc, self.proj = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, other):
        y = x
        if len(other):
            y = y + self.attn(x[None], other[None], other[None], need_weights=False)[0][0]
        y = self.ln_1(y)
        return self.ln_2(y + self.proj(gelu(self.fc(y))))


class CrossAttention(Tokens):
    """ViLBERT's co-attention, arXiv 1908.02265, figure 2b; field 0 is the photo."""

    def __init__(self, fields, dim, widths, heads=1, depth=2):
        super().__init__(fields, dim, widths)
        self.dim = dim
        self.image = nn.ModuleList(Half(dim, heads) for _ in range(depth))
        self.text = nn.ModuleList(Half(dim, heads) for _ in range(depth))
        self.pooled = nn.ModuleDict({s: nn.Linear(dim, dim, bias=False) for s in ("image", "text")})

    def row(self, x, t):
        none = [torch.zeros(0, self.dim)]
        t = {i: s + self.field_embedding[i] for i, s in t.items()}
        a = torch.cat([s for i, s in t.items() if i == 0] or none)
        b = torch.cat([s for i, s in t.items() if i > 0] or none)
        for image, text in zip(self.image, self.text):
            a, b = (image(a, b) if len(a) else a), (text(b, a) if len(b) else b)
        return sum(self.pooled[name](s.mean(0))
                   for name, s in (("image", a), ("text", b)) if len(s))


KINDS = {
    "maximum": lambda *sizes: Maximum(),
    "gated": Gated,
    "bilinear": Bilinear,
    "lstm": lambda *sizes: Recurrent(*sizes, "lstm"),
    "gru": lambda *sizes: Recurrent(*sizes, "gru"),
    "self_attention": SelfAttention,
    "cross_attention": CrossAttention,
}


def our_name(name):
    """The name of a parameter of these classes in models/fusion_*.c."""
    part = name.split(".")
    if part[0] == "layers":
        rest = ".".join(part[2:])
        for theirs, ours in (("self_attn", "attn"), ("norm1", "ln_1"), ("norm2", "ln_2"),
                             ("linear1", "mlp.c_fc"), ("linear2", "mlp.c_proj")):
            rest = rest.replace(theirs, ours)
        return f"transformer.resblocks.{part[1]}.{rest}"
    if part[0] in ("image", "text"):
        rest = ".".join(part[2:])
        if part[2] in ("fc", "proj"):
            rest = "mlp.c_" + rest
        return f"blocks.{part[1]}.{part[0]}.{rest}"
    return name


def golden(out, kind):
    torch.manual_seed(127 if kind == "bilinear" else 11)  # far from its steep place
    module = KINDS[kind](3, 6, (5, 4)).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p) * 0.1)
            if kind == "bilinear":
                p.mul_(4)
    fields = [normalize(torch.randn(5, 6), dim=1).requires_grad_() for _ in FIELDS]
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]],
                           dtype=torch.bool)
    grid, words = torch.randn(5, 4, 5), torch.randn(5, 3, 4)
    lengths = [3, 2, 1, 2, 2]
    tokens = [list(grid), [w[:n] for w, n in zip(words, lengths)], None]
    result = module(fields, present, tokens)
    w = torch.randn_like(result)
    (result * w).sum().backward()
    t = {f"in.field{i}": f for i, f in enumerate(fields)}
    t |= {f"grad.field{i}": f.grad for i, f in enumerate(fields)}
    t |= {"in.present": present, "in.tokens0": grid, "in.tokens1": words,
          "in.mask1": torch.arange(3)[None] < torch.tensor(lengths)[:, None],
          "out.eval": result, "w": w}
    weights = {our_name(n): p for n, p in module.named_parameters()}
    t |= {f"grad.{n}": p.grad for n, p in weights.items()}
    save_file({k: v.detach().clone().contiguous() for k, v in weights.items()},
              out / f"{kind}.weights.safetensors")
    save_file({k: v.detach().contiguous() for k, v in t.items()},
              out / f"{kind}.safetensors")


if __name__ == "__main__":
    for name in KINDS:
        golden(Path(sys.argv[1]), name)
