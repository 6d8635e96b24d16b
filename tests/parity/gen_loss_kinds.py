"""Golden losses and gradients of every kind for tests/losses/test_kinds.c,
computed by open_clip 3.3.0 (SigLipLoss, DistillClipLoss),
pytorch-metric-learning 2.9.0 (SupConLoss, TripletMarginLoss and its miners),
sentence-transformers 6.2.0 (MultipleNegativesRankingLoss, MatryoshkaLoss), torch
2.13.0 and, where none of them has the variant, by the papers' equations written
out anchor by anchor in double precision.

    python tests/parity/gen_loss_kinds.py tests/golden/losses/kinds.safetensors

The file holds the inputs, and for each case <case>.loss and the gradients
<case>.queries, <case>.items, <case>.scale and <case>.bias, as far as the peer
has them.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.loss import DistillClipLoss, SigLipLoss
from pytorch_metric_learning.distances import (CosineSimilarity,
                                               DotProductSimilarity, LpDistance)
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from safetensors.torch import save_file
from sentence_transformers.sentence_transformer.losses import (
    MatryoshkaLoss, MultipleNegativesRankingLoss)

SCORE_MAX = 4.0
STEPS = {1.0: 0.25, 3.0: 1.5}  # from this score on, this weight
TEACHER_TEMPERATURE = 0.05
MATRYOSHKA = {1.0: 1.0, 0.5: 0.75, 0.25: 0.5}  # share of D: weight


def make_inputs(rows, dim, seed):
    torch.manual_seed(seed)
    torch.set_num_threads(1)

    def unit(n, d):
        return F.normalize(torch.randn(n, d, dtype=torch.float64), dim=1)

    groups = torch.randint(0, max(2, rows * 2 // 3), (rows,))
    own = unit(rows, dim)
    return {
        # Rows that are near their pairs: triplets of all sorts.
        "queries": F.normalize(own + 0.9 * unit(rows, dim), dim=1),
        "items": F.normalize(own + 0.9 * unit(rows, dim), dim=1),
        "scale": torch.tensor(9.5, dtype=torch.float64),
        "bias": torch.tensor(-3.5, dtype=torch.float64),
        "groups": groups,
        "positives": groups[:, None] == groups[None, :],
        "valid": torch.arange(rows) % 4 != 2,
        "weights": torch.rand(rows, dtype=torch.float64) * 2,
        # The terms of the scale's gradient do not nearly cancel, with which it
        # would be known in single precision to few digits.
        "scores": (torch.arange(rows, dtype=torch.float64) + 2) % 5,
        "past_queries": unit(rows, dim),
        "past_items": unit(rows, dim),
        "past_hidden": torch.rand(rows, rows) < 0.2,
        "teacher_queries": unit(rows, dim + 3),
        "teacher_items": unit(rows, dim + 3),
        "teacher_same_queries": unit(rows, dim),
        "teacher_same_items": unit(rows, dim),
    }


# ---- by the equations, anchor by anchor -------------------------------------

def view(x, q, k, way):
    """Anchors, candidates, who is right, of one direction."""
    right = x["positives"]
    return (q, k, right) if way == "ahead" else (k, q, right.T)


def anchor_loss(logits, right, form):
    log_p = logits - torch.logsumexp(logits, 0)
    if form == "in":
        return -torch.log(log_p[right].exp().mean())
    return -log_p[right].mean()


def cross(x, q, k, s, form):
    total = 0.0
    for way in ("ahead", "back"):
        a, c, right = view(x, q, k, way)
        total = total + sum(anchor_loss(s * c @ a[i], right[i], form)
                            for i in range(len(a))) / len(a)
    return total / 2


def multiview(x, q, k, s, form, past=False):
    """Equations 2 and 3 of arXiv 2004.11362: all other views are A(i)."""
    views = torch.cat([q, k])
    groups = torch.cat([x["groups"], x["groups"]])
    n, total = len(views), 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        candidates, right = views[others], groups[others] == groups[i]
        if past:
            seen = ~x["past_hidden"][i % len(q)]
            extra = torch.cat([x["past_queries"][seen], x["past_items"][seen]])
            candidates = torch.cat([candidates, extra])
            right = torch.cat([right, torch.zeros(len(extra), dtype=torch.bool)])
        total = total + anchor_loss(s * candidates @ views[i], right, form)
    return total / n


def sigmoid_pairs(x, q, k, s, b, rows, right):
    """Algorithm 1 of arXiv 2303.15343 with +1 for every right pair."""
    rows = list(rows)
    z = torch.where(right[rows][:, rows], 1.0, -1.0).to(torch.float64)
    return -F.logsigmoid(z * (s * q[rows] @ k[rows].T + b)).sum() / len(rows)


def sigmoid_past(x, q, k, s, b):
    """Half of each direction: the batch's pairs and those with the past."""
    n = len(q)
    total = sigmoid_pairs(x, q, k, s, b, range(n), x["positives"])
    for anchors, past in ((q, x["past_items"]), (k, x["past_queries"])):
        cost = -F.logsigmoid(-(s * anchors @ past.T + b))
        total = total + cost[~x["past_hidden"]].sum() / n / 2
    return total


def infonce_past(x, q, k, s):
    total = 0.0
    for way, past in (("ahead", "past_items"), ("back", "past_queries")):
        a, c, right = view(x, q, k, way)
        for i in range(len(a)):
            extra = x[past][~x["past_hidden"][i]]
            mask = torch.cat([right[i], torch.zeros(len(extra), dtype=torch.bool)])
            logits = s * torch.cat([c, extra]) @ a[i]
            total = total + anchor_loss(logits, mask, "out") / len(a)
    return total / 2


def score_weight(kind, score):
    """GCL, arXiv 2404.08535: from a ranking score to a weight."""
    rank = max(SCORE_MAX - score, 0) + 1
    if kind == "piecewise":
        return max([(t, w) for t, w in STEPS.items() if score >= t],
                   default=(0, 0.0))[1]
    return {"constant": 1.0, "linear": score / SCORE_MAX, "inverse": 1 / rank,
            "inverse_sqrt": rank ** -0.5, "log": 1 / math.log2(rank + 1)}[kind]


def gcl(x, q, k, s, kind, grouped=False):
    """The weighted cross-entropy of each pair, both ways; the other right
    answers of the batch left out."""
    n, total = len(q), 0.0
    for i in range(n):
        w = score_weight(kind, x["scores"][i].item())
        seen = ~x["positives"][i] if grouped else torch.ones(n, dtype=torch.bool)
        seen = seen.index_fill(0, torch.tensor([i]), True)
        own = seen[:i].sum()
        ahead = torch.log_softmax(s * k[seen] @ q[i], 0)[own]
        back = torch.log_softmax(s * q[seen] @ k[i], 0)[own]
        total = total - w * (ahead + back) / 2
    return total / n


# ---- by the peers ------------------------------------------------------------

def supcon_all(x, q, k, s):
    loss = SupConLoss(temperature=1.0 / s.item(),
                      distance=DotProductSimilarity(normalize_embeddings=False))
    return loss(torch.cat([q, k]), torch.cat([x["groups"], x["groups"]]))


def supcon_cross(x, q, k, s):
    """Labels that are one object would leave each row's own pair out."""
    loss = SupConLoss(temperature=1.0 / s.item(),
                      distance=DotProductSimilarity(normalize_embeddings=False))
    g = x["groups"]
    return (loss(q, g, ref_emb=k, ref_labels=g.clone())
            + loss(k, g, ref_emb=q, ref_labels=g.clone())) / 2


def triplet(x, q, k, mining, squared, margin, ways=2):
    distance = LpDistance(power=2) if squared else CosineSimilarity()
    loss = TripletMarginLoss(margin=margin, distance=distance)
    miner = {"all": lambda *a: None, "hardest": BatchHardMiner(distance=distance),
             "semi_hard": TripletMarginMiner(margin, "semihard",
                                             distance=distance)}[mining]
    total, g = 0.0, x["groups"]
    for a, c in ((q, k), (k, q))[:ways]:
        ref = g.clone()
        total = total + loss(a, g, miner(a, g, c, ref), ref_emb=c, ref_labels=ref)
    return total / ways


class Stub(torch.nn.Module):
    """A model of sentence-transformers that looks embeddings up."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def get_embedding_dimension(self):
        return self.dim

    def forward(self, features):
        return {"sentence_embedding": features["rows"]}


def ranking(q, docs, s):
    loss = MultipleNegativesRankingLoss(Stub(q.shape[1]), scale=s,
                                        similarity_fct=lambda a, b: a @ b.T)
    return loss.compute_loss_from_embeddings([q, *docs], None)


def matryoshka(q, k, s):
    dim = q.shape[1]
    stub = Stub(dim)
    inner = MultipleNegativesRankingLoss(
        stub, scale=s, similarity_fct=lambda a, b: a @ b.T)
    loss = MatryoshkaLoss(stub, inner, [int(dim * f) for f in MATRYOSHKA],
                          list(MATRYOSHKA.values()))
    return loss([{"rows": q}, {"rows": k}], torch.zeros(len(q)))


def distill(x, q, k, s):
    return DistillClipLoss()(q, k, s, x["teacher_queries"], x["teacher_items"],
                             1 / TEACHER_TEMPERATURE, output_dict=True)["distill_loss"]


def cases(x):
    n = len(x["queries"])
    valid = [i for i in range(n) if x["valid"][i]]
    taught = {name: x[name][x["valid"]] for name in ("teacher_queries", "teacher_items")}
    out = {
        "infonce_one_way": lambda q, k, s, b: ranking(q, [k], s),
        "infonce_one_way_past": lambda q, k, s, b: ranking(q, [k, x["past_items"]], s),
        "infonce_past": lambda q, k, s, b: infonce_past(x, q, k, s),
        "supcon_out_all": lambda q, k, s, b: supcon_all(x, q, k, s),
        "supcon_out_cross": lambda q, k, s, b: supcon_cross(x, q, k, s),
        "supcon_in_all": lambda q, k, s, b: multiview(x, q, k, s, "in"),
        "supcon_in_cross": lambda q, k, s, b: cross(x, q, k, s, "in"),
        "supcon_past": lambda q, k, s, b: multiview(x, q, k, s, "out", True),
        "siglip_diagonal": lambda q, k, s, b: SigLipLoss()(q, k, s, b),
        "siglip_positives": lambda q, k, s, b: sigmoid_pairs(
            x, q, k, s, b, range(n), x["positives"]),
        "siglip_valid": lambda q, k, s, b: sigmoid_pairs(
            x, q, k, s, b, valid, x["positives"]),
        "siglip_past": lambda q, k, s, b: sigmoid_past(x, q, k, s, b),
        "matryoshka": lambda q, k, s, b: matryoshka(q, k, s),
        "distill_kl": lambda q, k, s, b: distill(x, q, k, s),
        "distill_kl_valid": lambda q, k, s, b: distill(
            taught, q[x["valid"]], k[x["valid"]], s),
        "distill_cosine": lambda q, k, s, b: 0.5 * sum(
            F.cosine_embedding_loss(a, x[t], torch.ones(n))
            for a, t in ((q, "teacher_same_queries"), (k, "teacher_same_items"))),
        "distill_mse": lambda q, k, s, b: 0.5 * sum(
            F.mse_loss(a, x[t])
            for a, t in ((q, "teacher_same_queries"), (k, "teacher_same_items"))),
        "gcl_grouped": lambda q, k, s, b: gcl(x, q, k, s, "inverse", True),
    }
    for kind in ("constant", "linear", "inverse", "inverse_sqrt", "log", "piecewise"):
        out[f"gcl_{kind}"] = lambda q, k, s, b, kind=kind: gcl(x, q, k, s, kind)
    for mining in ("all", "hardest", "semi_hard"):
        out[f"triplet_{mining}_cosine"] = (
            lambda q, k, s, b, m=mining: triplet(x, q, k, m, False, 0.2))
        out[f"triplet_{mining}_squared"] = (
            lambda q, k, s, b, m=mining: triplet(x, q, k, m, True, 0.3))
    out["triplet_one_way"] = lambda q, k, s, b: triplet(x, q, k, "all", False, 0.2, 1)
    return out


def write(path, rows, dim, seed):
    """Returns the names of the cases."""
    x = make_inputs(rows, dim, seed)
    out = dict(x)
    names = list(cases(x))
    for name, fn in cases(x).items():
        q, k, s, b = (x[n].clone().requires_grad_()
                      for n in ("queries", "items", "scale", "bias"))
        loss = fn(q, k, s, b)
        loss.backward()
        out[f"{name}.loss"] = loss.detach()
        for part, t in (("queries", q), ("items", k), ("scale", s), ("bias", b)):
            if t.grad is not None:
                out[f"{name}.{part}"] = t.grad
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in out.items()}, path)
    return names


if __name__ == "__main__":
    print(*write(sys.argv[1], 9, 8, 7), sep="\n")
