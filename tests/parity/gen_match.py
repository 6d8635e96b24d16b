"""Golden values of the match classifier and of re-ranked lists: torch 2.13.0
(topk for the hardest negatives, binary_cross_entropy_with_logits, autograd) and
pytrec_eval-terrier 0.5.11 (trec_eval's own code).

    python tests/parity/gen_match.py tests/golden
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytrec_eval
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

ROWS, DIM, HIDDEN, HARD = 8, 5, 6, 2


def classifier():
    torch.manual_seed(21)
    q = F.normalize(torch.randn(ROWS, DIM, dtype=torch.float64), dim=1).requires_grad_()
    p = F.normalize(torch.randn(ROWS, DIM, dtype=torch.float64), dim=1).requires_grad_()
    groups = torch.tensor([0, 1, 2, 0, 3, 4, 5, 1])
    positives = groups[:, None] == groups[None]
    valid = torch.tensor([1, 1, 1, 1, 0, 1, 1, 1], dtype=torch.bool)
    draws = torch.randint(0, 1 << 40, (ROWS,))
    scores = (q @ p.T).detach().float()

    pairs = []
    for i in range(ROWS):
        if not valid[i]:
            continue
        wrong = valid & ~positives[i]
        pairs.append((i, i, 1.0))
        hardest = scores[i].masked_fill(~wrong, -torch.inf).topk(HARD).indices
        pairs += [(i, int(j), 0.0) for j in hardest]
        others = wrong.nonzero()[:, 0]
        pairs.append((i, int(others[int(draws[i]) % len(others)]), 0.0))
    query, item, target = (torch.tensor(x) for x in zip(*pairs))

    hidden = torch.nn.Linear(4 * DIM, HIDDEN, dtype=torch.float64)
    last = torch.nn.Linear(HIDDEN, 1, dtype=torch.float64)
    a, b = q[query], p[item]
    x = torch.cat([a, b, a * b, (a - b).abs()], 1)
    logits = last(F.gelu(hidden(x)))[:, 0]
    loss = F.binary_cross_entropy_with_logits(logits, target.double())
    loss.backward()
    out = {"queries": q.detach(), "products": p.detach(), "scores": scores,
           "positives": positives, "valid": valid, "draws": draws,
           "pair.query": query, "pair.item": item, "pair.target": target,
           "logits": logits.detach(), "loss": loss.detach(),
           "grad.queries": q.grad, "grad.products": p.grad}
    for name, layer in (("hidden", hidden), ("out", last)):
        for part in ("weight", "bias"):
            t = getattr(layer, part)
            out[f"match.{name}.{part}"] = t.detach()
            out[f"grad.match.{name}.{part}"] = t.grad
    return out


def reranked():
    """Lists in which the first N of the plain order are sorted by a second
    score, which ties at times: then what is not relevant stands first."""
    rng = np.random.default_rng(9)
    queries, gallery, n = 20, 30, 7
    scores = rng.permuted(np.tile(np.arange(gallery), (queries, 1)), axis=1)
    grades = (rng.random((queries, gallery)) < .15).astype(int)
    grades[:, 3] = 1
    first, second, values = [], [], []
    measures = {"recip_rank", "map", "ndcg", "Rprec", "success.1,5", "recall.5"}
    for q in range(queries):
        order = np.argsort(-scores[q])
        again = rng.integers(0, 5, n)
        first.append(order[:n].tolist())
        second.append(again.tolist())
        top = sorted(range(n), key=lambda i: (-again[i], grades[q, order[i]]))
        final = [order[i] for i in top] + order[n:].tolist()
        run = {"q": {f"d{g:03d}": float(gallery - place)
                     for place, g in enumerate(final)}}
        qrel = {"q": {f"d{g:03d}": int(grades[q, g]) for g in range(gallery)}}
        values.append(pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run)["q"])
    names = {"recip_rank": "mrr", "map": "map", "ndcg": "ndcg",
             "Rprec": "r_precision", "success_1": "hit@1", "success_5": "hit@5",
             "recall_5": "recall@5"}
    return {"scores": scores.tolist(), "grades": grades.tolist(), "first": first,
            "second": second,
            "mean": {ours: float(np.mean([v[theirs] for v in values]))
                     for theirs, ours in names.items()}}


def main():
    folder = Path(sys.argv[1])
    save_file({k: v.contiguous() for k, v in classifier().items()},
              folder / "models" / "match.safetensors")
    (folder / "rerank.json").write_text(json.dumps(reranked()) + "\n")


if __name__ == "__main__":
    main()
