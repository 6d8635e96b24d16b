"""Golden embeddings of label and number fields for tests/models, computed by
torch 2.13.0 (Embedding, Linear, GELU) over values that scikit-learn 1.9.1 has
standardised (StandardScaler) or put into buckets (KBinsDiscretizer).

    python tests/parity/gen_attributes.py tests/golden/models

attributes.safetensors holds the parameters <kind>.<name> as Diptych names them,
and in.labels, in.numbers, in.w (the gradient that comes from above), and for
each kind out.<kind> and grad.<kind>.<name>.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

torch.manual_seed(3)
DIM, NAMES, HIDDEN, BUCKETS = 6, 4, 5, 5
RNG = np.random.default_rng(3)
TRAINING = np.round(np.exp(RNG.normal(3, 1, 200)), 0).astype(np.float32)
NUMBERS = np.array([12, np.nan, 400, -3, TRAINING[7], 20, np.inf],
                   dtype=np.float32)
LABELS = torch.tensor([2, -1, 4, 0, 3, 2, -1])


def run(out, kind, parameters, forward, present, w):
    rows = torch.where(present[:, None], forward(), torch.zeros(()).double())
    (rows * w).sum().backward()
    out[f"out.{kind}"] = rows.detach()
    for name, p in parameters.items():
        out[f"{kind}.{name}"] = p.detach()
        out[f"grad.{kind}.{name}"] = p.grad


def main():
    w = torch.randn(len(LABELS), DIM, dtype=torch.float64)
    out = {"in.labels": LABELS, "in.numbers": torch.tensor(NUMBERS), "in.w": w}

    table = torch.nn.Embedding(NAMES + 1, DIM, dtype=torch.float64)
    run(out, "label", {"embedding.weight": table.weight},
        lambda: table(LABELS.clamp(min=0)), LABELS >= 0, w)

    there = np.isfinite(NUMBERS)
    known = np.where(there, NUMBERS, TRAINING[0])[:, None].astype(np.float64)
    present = torch.tensor(there)
    training = TRAINING[:, None].astype(np.float64)

    scaler = StandardScaler().fit(training)
    hidden = torch.nn.Linear(1, HIDDEN, dtype=torch.float64)
    last = torch.nn.Linear(HIDDEN, DIM, dtype=torch.float64)
    mlp = torch.nn.Sequential(hidden, torch.nn.GELU(), last)
    run(out, "standardised",
        {"hidden.weight": hidden.weight, "hidden.bias": hidden.bias,
         "out.weight": last.weight, "out.bias": last.bias},
        lambda: mlp(torch.tensor(scaler.transform(known))), present, w)
    out["standardised.mean"] = torch.tensor(scaler.mean_[0])
    out["standardised.deviation"] = torch.tensor(scaler.scale_[0])

    bins = KBinsDiscretizer(BUCKETS, encode="ordinal", strategy="quantile",
                            quantile_method="linear", subsample=None).fit(training)
    edges = bins.bin_edges_[0][1:-1]
    bucket = torch.tensor(bins.transform(known)[:, 0]).long()
    ranges = torch.nn.Embedding(BUCKETS, DIM, dtype=torch.float64)
    run(out, "bucketised", {"embedding.weight": ranges.weight},
        lambda: ranges(bucket), present, w)
    # Values on an edge are what a wrong side would show.
    assert (known[:, 0] == edges[1]).any() or (known[:, 0] == edges[0]).any()
    out["bucketised.edges"] = torch.tensor(edges)
    save_file({k: v.contiguous() for k, v in out.items()},
              Path(sys.argv[1]) / "attributes.safetensors")


if __name__ == "__main__":
    main()
