"""Golden losses and gradients for tests/losses, computed by open_clip 3.3.0
(ClipLoss), pytorch-metric-learning 2.9.0 (SupConLoss) and, where neither has the
variant, by formulas written out row by row in double precision.

    python tests/parity/gen_losses.py tests/golden/losses

infonce.safetensors holds the inputs (queries, items, scale, positives, valid,
weights), and for each case <case>.loss, <case>.queries, <case>.items and
<case>.scale: the loss and its gradients.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import SupConLoss
from safetensors.torch import save_file

torch.manual_seed(11)
B, D = 7, 5
GROUPS = torch.tensor([0, 1, 0, 2, 3, 1, 0])
QUERIES = F.normalize(torch.randn(B, D, dtype=torch.float64), dim=1)
ITEMS = F.normalize(torch.randn(B, D, dtype=torch.float64), dim=1)
SCALE = torch.tensor(9.5, dtype=torch.float64)
POSITIVES = GROUPS[:, None] == GROUPS[None, :]
VALID = torch.tensor([1, 1, 0, 1, 1, 0, 1], dtype=torch.bool)
WEIGHTS = torch.tensor([1.0, 0.5, 2.0, 0.25, 1.5, 3.0, 0.0], dtype=torch.float64)


def diagonal(q, k, s):
    return ClipLoss()(q, k, s)


def smoothed(q, k, s):
    labels = torch.arange(B)
    logits = s * q @ k.T
    return (F.cross_entropy(logits, labels, label_smoothing=0.2)
            + F.cross_entropy(logits.T, labels, label_smoothing=0.2)) / 2


def supcon(q, k, s):
    """The temperature is a plain number there: no gradient of the scale. Labels
    that are one object would leave each row's own pair out."""
    one = SupConLoss(temperature=1.0 / s.item(),
                     distance=DotProductSimilarity(normalize_embeddings=False))
    return (one(q, GROUPS, ref_emb=k, ref_labels=GROUPS.clone())
            + one(k, GROUPS, ref_emb=q, ref_labels=GROUPS.clone())) / 2


def row_loss(logits, i, positives, mode, smoothing=0.0):
    """One anchor: `logits` to all candidates, own candidate `i`."""
    right = [j for j in range(len(logits)) if positives[j]]
    seen = list(range(len(logits)))
    if mode == "exclude":
        seen = [j for j in seen if j == i or j not in right]
        right = [i]
    p = logits[seen].softmax(0)
    log_p = {j: p[n].log() for n, j in enumerate(seen)}
    if mode == "sum":
        pull = sum(log_p[j].exp() for j in right).log()
    else:
        pull = sum(log_p[j] for j in right) / len(right)
    even = sum(log_p.values()) / len(seen)
    return -(1 - smoothing) * pull - smoothing * even


def formula(mode, rows=range(B), weights=None, smoothing=0.0, positives=POSITIVES):
    rows = list(rows)

    def fn(q, k, s):
        total, norm = 0.0, 0.0
        for n, i in enumerate(rows):
            w = 1.0 if weights is None else weights[i]
            ahead = s * k[rows] @ q[i]
            back = s * q[rows] @ k[i]
            right = positives[i][rows]
            total = total + w * (row_loss(ahead, n, right, mode, smoothing)
                                 + row_loss(back, n, right, mode, smoothing)) / 2
            norm = norm + w
        return total / norm
    return fn


def main():
    out = {"queries": QUERIES, "items": ITEMS, "scale": SCALE,
           "positives": POSITIVES, "valid": VALID, "weights": WEIGHTS}
    valid = [i for i in range(B) if VALID[i]]
    cases = {
        "clip": diagonal,
        "smoothed": smoothed,
        "supcon": supcon,
        "uniform": formula("uniform"),
        "sum": formula("sum"),
        "exclude": formula("exclude"),
        "uniform_smoothed": formula("uniform", smoothing=0.1),
        "exclude_smoothed": formula("exclude", smoothing=0.1),
        "weighted": formula("uniform", weights=WEIGHTS),
        "weighted_diagonal": formula("uniform", weights=WEIGHTS,
                                     positives=torch.eye(B, dtype=torch.bool)),
        "valid_sum": formula("sum", rows=valid),
        "valid_diagonal": formula("uniform", rows=valid,
                                  positives=torch.eye(B, dtype=torch.bool)),
        "valid_weighted_exclude": formula("exclude", rows=valid, weights=WEIGHTS),
    }
    for name, fn in cases.items():
        q, k, s = (t.clone().requires_grad_() for t in (QUERIES, ITEMS, SCALE))
        loss = fn(q, k, s)
        loss.backward()
        out[f"{name}.loss"] = loss.detach()
        out[f"{name}.queries"] = q.grad
        out[f"{name}.items"] = k.grad
        if s.grad is not None:
            out[f"{name}.scale"] = s.grad
    path = Path(sys.argv[1])
    path.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in out.items()}, path / "infonce.safetensors")

    logits = torch.randn(6, 4, dtype=torch.float64)
    targets = torch.tensor([2, -1, 0, 3, -1, 1])
    head = {"logits": logits, "targets": targets}
    weights = torch.tensor([0.5, 2.0, 1.0, 3.5], dtype=torch.float64)
    head["weights"] = weights
    for name, smoothing, weight in (("plain", 0.0, None), ("smoothed", 0.3, None),
                                    ("weighted", 0.0, weights),
                                    ("weighted_smoothed", 0.2, weights)):
        x = logits.clone().requires_grad_()
        loss = F.cross_entropy(x, targets, weight, ignore_index=-1,
                               label_smoothing=smoothing)
        loss.backward()
        head |= {f"{name}.loss": loss.detach(), f"{name}.logits": x.grad}
    save_file(head, path / "cross_entropy.safetensors")
    check = out["supcon.loss"] - out["uniform.loss"]
    print("supcon against the formula:", check.abs().item())


if __name__ == "__main__":
    main()
