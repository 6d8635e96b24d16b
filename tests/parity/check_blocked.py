"""The blocked forms of InfoNCE and the sigmoid loss against open_clip 3.3.0,
whose losses get the same rows in double precision: value and gradients at the
scales 100 and 14, relative, within 1e-5. The batch of 4,608 is larger than the
products that InfoNCE keeps for its second pass. Where an item is near its
query, the batch is nearly solved: at .3 the loss is .0003, at logits of 31.

    python tests/parity/check_blocked.py
"""

import sys

import torch
from open_clip.loss import ClipLoss, SigLipLoss

import driver

TOLERANCE = 1e-5
BIAS = -10.0


def reference(kind, inputs):
    """The loss and its gradients in queries, items and scale."""
    leaves = [inputs[k].double().requires_grad_()
              for k in ("queries", "items", "scale")]
    if kind == "infonce":
        loss = ClipLoss()(*leaves)
    else:
        loss = SigLipLoss()(*leaves, logit_bias=inputs["bias"].double())
    loss.backward()
    return {"loss": loss.detach(), **{f"grad.{k}": leaf.grad for k, leaf in
            zip(("queries", "items", "scale"), leaves)}}


def gap(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def main():
    report = driver.Report()
    cases = [(kind, 2048, 512, scale, near) for kind in ("infonce", "siglip")
             for scale in (100.0, 14.0) for near in (0.1, 1 / 3)]
    cases.append(("infonce", 4608, 64, 14.0, 0.1))
    for kind, rows, dim, scale, near in cases:
        torch.manual_seed(5)
        queries = torch.randn(rows, dim)
        # a query is nearer to its own item than to most
        items = torch.randn(rows, dim) + near * queries
        inputs = {"queries": torch.nn.functional.normalize(queries, dim=1),
                  "items": torch.nn.functional.normalize(items, dim=1),
                  "scale": torch.tensor(scale)}
        if kind == "siglip":
            inputs["bias"] = torch.tensor(BIAS)
        name = f"{kind}, {rows} x {dim}, scale {scale:.0f}, near {near:.2g}"
        try:
            found = driver.run({"loss": {"kind": kind, "blocked": "on"}}, inputs)
        except driver.Failed as error:
            report.fail(name, error)
            continue
        for key, wanted in reference(kind, inputs).items():
            report.case(f"{name}: {key}", gap(found[key], wanted), TOLERANCE)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
