"""Golden values of Euclidean similarity: exact neighbours by scikit-learn 1.9.1
(NearestNeighbors, brute force in float64), losses and gradients by torch 2.13.0
over -torch.cdist(queries, items) ** 2.

    python tests/parity/gen_similarity.py tests/golden
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.neighbors import NearestNeighbors


def neighbours():
    """Near rows far from the origin, where |a|^2 + |b|^2 - 2 ab in float32 has
    lost what they differ by."""
    rng = np.random.default_rng(7)
    centre = 100.0
    gallery = (centre + rng.integers(-64, 65, (90, 6)) / 256).astype(np.float32)
    queries = (centre + rng.integers(-64, 65, (70, 6)) / 256).astype(np.float32)
    index = NearestNeighbors(n_neighbors=10, algorithm="brute", metric="sqeuclidean")
    index.fit(gallery.astype(np.float64))
    gaps, rows = index.kneighbors(queries.astype(np.float64))
    # By row where distances are equal, as scikit-learn does not promise.
    exact = ((queries[:, None].astype(np.float64) - gallery[None]) ** 2).sum(2)
    ordered = np.lexsort((np.broadcast_to(np.arange(90), exact.shape), exact))[:, :10]
    assert np.allclose(np.take_along_axis(exact, ordered, 1), gaps, atol=1e-9)
    return {"queries": queries.tolist(), "gallery": gallery.tolist(),
            "rows": ordered.tolist(),
            "scores": (-np.take_along_axis(exact, ordered, 1)).tolist()}


def losses():
    torch.manual_seed(5)
    queries = 1.5 * torch.randn(6, 4, dtype=torch.float64)
    items = queries + torch.randn(6, 4, dtype=torch.float64)
    scale = torch.tensor(0.7, dtype=torch.float64)
    out = {"queries": queries, "items": items, "scale": scale}
    q, p, s = (t.clone().requires_grad_() for t in (queries, items, scale))
    logits = -s * torch.cdist(q, p) ** 2
    labels = torch.arange(len(q))
    loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    loss.backward()
    return out | {"clip.loss": loss.detach(), "clip.queries": q.grad,
                  "clip.items": p.grad, "clip.scale": s.grad,
                  "clip.logits": logits.detach()}


def main():
    folder = Path(sys.argv[1])
    (folder / "euclidean.json").write_text(json.dumps(neighbours()) + "\n")
    save_file({k: v.contiguous() for k, v in losses().items()},
              folder / "losses" / "euclidean.safetensors")


if __name__ == "__main__":
    main()
