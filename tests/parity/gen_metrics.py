"""Writes tests/golden/metrics.json: metric values that eval/ must reproduce.

Peers: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6, pytrec_eval-terrier
0.5.11 (trec_eval's own code), torchmetrics 1.9.0 (calibration error).

Usage: python tests/parity/gen_metrics.py > tests/golden/metrics.json
"""

import itertools
import json
import math
import sys
import warnings

import numpy as np
import pytrec_eval
import scipy.stats
import sklearn.metrics as skm
import torch

# torchmetrics imports torchvision, which wants its operators declared.
_library = torch.library.Library("torchvision", "FRAGMENT")
for _op in ("nms", "qnms"):
    try:
        _library.define(
            _op + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass  # the installed torchvision has it
from torchmetrics.functional.classification import (  # noqa: E402
    binary_calibration_error,
)

warnings.filterwarnings("ignore")
RNG = np.random.default_rng(20240521)
CUTOFFS = [1, 2, 5, 10, 100]
PERSISTENCE = 0.8


# ---- ranking ----------------------------------------------------------------


def graded(order, max_grade):
    """ERR and RBP as their papers have them, exponential nDCG by scikit-learn,
    of grades in rank order."""
    order = np.asarray(order)
    place = np.arange(1, len(order) + 1)
    stops = (2.0**order - 1) / 2.0**max_grade  # Chapelle et al. 2009
    reached = np.concatenate([[1], np.cumprod(1 - stops)[:-1]])
    err = np.cumsum(reached * stops / place)
    weights = (1 - PERSISTENCE) * PERSISTENCE ** (place - 1.0)
    values = {"rbp": float((weights * order / max_grade).sum())}
    for k in CUTOFFS + [None]:
        at = "" if k is None else f"@{k}"
        values["err" + at] = float(err[:k][-1])
        values["ndcg_exp" + at] = skm.ndcg_score(
            2.0**order[None] - 1, -place[None], k=k, ignore_ties=True)
    return values


def trec(orders, max_grade):
    """Metrics of [(grades in rank order)] by trec_eval, by our names."""
    run, qrel = {}, {}
    for q, grades in enumerate(orders):
        n = len(grades)
        run[str(q)] = {f"d{i:04d}": float(n - i) for i in range(n)}
        qrel[str(q)] = {f"d{i:04d}": int(g) for i, g in enumerate(grades)}
    cuts = ",".join(map(str, CUTOFFS))
    measures = {"recip_rank", "map", "ndcg", "Rprec"}
    measures |= {f"{m}.{cuts}" for m in
                 ("success", "recall", "P", "map_cut", "ndcg_cut")}
    got = pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run)
    names = {"recip_rank": "mrr", "map": "map", "ndcg": "ndcg",
             "Rprec": "r_precision"}
    for k in CUTOFFS:
        names |= {f"success_{k}": f"hit@{k}", f"recall_{k}": f"recall@{k}",
                  f"P_{k}": f"precision@{k}", f"map_cut_{k}": f"map@{k}",
                  f"ndcg_cut_{k}": f"ndcg@{k}"}
    out = []
    for q, grades in enumerate(orders):
        values = {ours: got[str(q)][theirs] for theirs, ours in names.items()}
        values["rank"] = 1 + next(i for i, g in enumerate(grades) if g > 0)
        values |= graded(grades, max_grade)
        out.append(values)
    return out


def tie_broken(scores, grades, optimistic):
    sign = -1 if optimistic else 1
    return grades[np.lexsort((sign * grades, -scores))]


def over_all_orders(scores, grades, max_grade):
    """Mean of each metric over every order of the tied items."""
    orders = set()
    for permutation in itertools.permutations(range(len(scores))):
        if all(scores[a] >= scores[b]
               for a, b in zip(permutation, permutation[1:])):
            orders.add(permutation)
    values = trec([grades[list(p)] for p in sorted(orders)], max_grade)
    return {k: float(np.mean([v[k] for v in values])) for k in values[0]}


def ranking_case(name, ties, queries, gallery, levels, max_grade, density,
                 gain="linear"):
    scores = RNG.integers(-levels, levels + 1, (queries, gallery)) / 8.0
    grades = RNG.integers(1, max_grade + 1, (queries, gallery))
    grades = grades * (RNG.random((queries, gallery)) < density)
    grades[0] = 0  # nothing relevant
    if queries > 2:
        grades[1] = max_grade  # everything relevant
        scores[2] = 0.5  # one tie
        grades[2, 0] = 1
    keep = [q for q in range(queries) if grades[q].any()]
    if ties == "expected":
        expected = [over_all_orders(scores[q], grades[q], grades.max())
                    for q in keep]
        for q, values in zip(keep, expected):
            for k in CUTOFFS:  # a second peer, which averages over ties
                peer = skm.ndcg_score(grades[q][None], scores[q][None], k=k)
                assert abs(peer - values[f"ndcg@{k}"]) < 1e-12
    else:
        expected = trec([tie_broken(scores[q], grades[q], ties == "optimistic")
                         for q in keep], grades.max())
    if gain == "exponential":
        for q, values in zip(keep, expected):
            order = tie_broken(scores[q], grades[q], False)[None]
            place = -np.arange(gallery)[None]
            for k in CUTOFFS + [None]:
                values["ndcg" if k is None else f"ndcg@{k}"] = skm.ndcg_score(
                    2.0**order - 1, place, k=k, ignore_ties=True)
    ranks = [v["rank"] for v in expected]
    return {"name": name, "ties": ties, "gain": gain, "cutoffs": CUTOFFS,
            "persistence": PERSISTENCE, "scores": scores.tolist(), "grades": grades.tolist(),
            "queries": keep, "expected": expected,
            "median_rank": float(np.median(ranks))}


def ranking():
    return [
        ranking_case("graded", "pessimistic", 10, 60, 20, 4, 0.2),
        ranking_case("many ties", "pessimistic", 8, 40, 1, 3, 0.5),
        ranking_case("many ties", "optimistic", 8, 40, 1, 3, 0.5),
        ranking_case("binary", "pessimistic", 9, 50, 10, 1, 0.1),
        ranking_case("exponential", "pessimistic", 8, 30, 6, 5, 0.3,
                     "exponential"),
        ranking_case("small ties", "expected", 9, 6, 1, 3, 0.5),
    ]


def topk():
    queries = RNG.integers(-2, 3, (5, 3))
    gallery = RNG.integers(-2, 3, (40, 3))
    keys = RNG.permutation(40)
    scores = queries @ gallery.T
    rows = [np.lexsort((keys, -s)).tolist() for s in scores]
    return {"queries": queries.tolist(), "gallery": gallery.tolist(),
            "keys": keys.tolist(), "rows": rows, "scores": scores.tolist()}


# ---- classification -----------------------------------------------------------


def classification_case(labels, predicted, classes, all_classes, zero):
    labels, predicted = np.array(labels), np.array(predicted)
    y, p = labels[labels >= 0], predicted[labels >= 0]
    known = list(range(classes))
    prf = skm.precision_recall_fscore_support

    def averaged(how, names):
        return list(prf(y, p, labels=names, average=how,
                        zero_division=zero)[:3])

    table = prf(y, p, labels=known, zero_division=zero)
    return {
        "labels": labels.tolist(), "predicted": predicted.tolist(),
        "classes": classes, "all_classes": all_classes, "zero_division": zero,
        "missing": int((labels < 0).sum()),
        "accuracy": skm.accuracy_score(y, p),
        "macro": averaged("macro", known if all_classes else None),
        "micro": averaged("micro", known),
        "weighted": averaged("weighted", known),
        "per_class": np.stack(table[:3], 1).tolist(),
        "support": table[3].tolist(),
        "confusion": skm.confusion_matrix(y, p, labels=known).tolist(),
    }


def classification():
    cases = []
    for all_classes, zero in ((False, 0), (True, 0), (True, 1), (False, 1)):
        cases.append(classification_case([0, 0, 1, 1], [0, 3, 1, 1], 4,
                                         all_classes, zero))
        labels = RNG.integers(-1, 7, 80)
        noise = RNG.integers(0, 9, 80)
        predicted = np.where(RNG.random(80) < 0.6, np.maximum(labels, 0), noise)
        cases.append(classification_case(labels, predicted, 10, all_classes,
                                         zero))
        cases.append(classification_case([2, 2, -1, 2], [2, 2, 0, 2], 3,
                                         all_classes, zero))
    return cases


def top_k():
    labels = RNG.integers(0, 6, 50)
    scores = RNG.permutation(300).reshape(50, 6)
    expected = {str(k): skm.top_k_accuracy_score(labels, scores, k=k,
                                                 labels=range(6))
                for k in (1, 2, 5, 6, 9)}
    return {"labels": labels.tolist(), "scores": scores.tolist(),
            "argmax": scores.argmax(1).tolist(), "expected": expected}


def best_threshold(y, s):
    """Highest threshold among those of the best F1."""
    precision, recall, thresholds = skm.precision_recall_curve(y, s)
    f1 = [skm.f1_score(y, np.asarray(s) >= t) for t in thresholds]
    best = max(f1)
    return best, max(t for t, f in zip(thresholds, f1) if f == best)


def binary_case(labels, scores):
    labels, scores = np.array(labels), np.array(scores, float)
    y, s = labels[labels >= 0], scores[labels >= 0]
    both = 0 < y.sum() < len(y)
    f1, threshold = best_threshold(y, s)
    return {"labels": labels.tolist(), "scores": scores.tolist(),
            "auc": skm.roc_auc_score(y, s) if both else None,
            "average_precision": skm.average_precision_score(y, s),
            "best_f1": f1, "best_threshold": float(threshold)}


def binary():
    cases = [([0, 1, 0, 1], [.5, .5, .1, .9]), ([1, 0, 1, 0], [.5, .5, .5, .1]),
             ([1, 0, 0, 1], [2, -1, 30, 31]), ([1, 1, 1], [.3, .2, .3]),
             ([1, 0, -1, 1, 0], [0, 0, 9, 0, 0])]
    for n, levels in ((30, 4), (120, 1000), (61, 12)):
        y = RNG.integers(-1, 2, n)
        s = np.round(RNG.normal(size=n) * levels + y) / 4
        cases.append((y, s))
    return [binary_case(y, s) for y, s in cases]


def calibration():
    cases = [([1, .8, .8, .6, .2], [1, 1, 0, 1, 0], 10)]
    for n, bins in ((40, 10), (100, 15), (25, 1)):
        confidence = np.round(RNG.random(n), 6)
        cases.append((confidence, (RNG.random(n) < confidence).astype(int),
                      bins))
    out = []
    for confidence, correct, bins in cases:
        conf = torch.tensor(np.array(confidence, float))
        right = torch.tensor(np.array(correct))
        ece = {norm: float(binary_calibration_error(conf, right, n_bins=bins,
                                                    norm=norm))
               for norm in ("l1", "l2", "max")}
        out.append({"confidence": list(map(float, confidence)),
                    "correct": list(map(int, correct)), "bins": bins,
                    "ece": ece["l1"], "ece_l2": ece["l2"],
                    "ece_max": ece["max"],
                    "brier": skm.brier_score_loss(correct, confidence,
                                                  pos_label=1)})
    return out


# ---- matching -----------------------------------------------------------------


def matching_split(n):
    """Two groups of one product each: every negative is determined."""
    queries = RNG.integers(-4, 5, (n, 4))
    products = RNG.integers(-4, 5, (2, 4))
    group = RNG.integers(0, 2, n)
    queries += products[group]
    scores = queries @ products.T
    y = np.concatenate([np.ones(n, int), np.zeros(n, int)])
    s = np.concatenate([scores[np.arange(n), group],
                        scores[np.arange(n), 1 - group]])
    return {"queries": queries.tolist(), "products": products.tolist(),
            "group": group.tolist()}, y, s


def matching():
    validation, vy, vs = matching_split(25)
    test, y, s = matching_split(31)
    f1, threshold = best_threshold(vy, vs)
    p = s >= threshold
    return {"validation": validation, "test": test,
            "expected": {"threshold": float(threshold), "validation_f1": f1,
                         "accuracy": skm.accuracy_score(y, p),
                         "precision": skm.precision_score(y, p),
                         "recall": skm.recall_score(y, p),
                         "f1": skm.f1_score(y, p),
                         "auc": skm.roc_auc_score(y, s)}}


# ---- statistics ---------------------------------------------------------------


def paired_case(a, b):
    a, b = np.asarray(a), np.asarray(b)
    t = scipy.stats.ttest_rel(a, b)
    case = {"a": a.tolist(), "b": b.tolist(), "t": t.statistic, "p": t.pvalue}
    if len(a) <= 14:
        flip = scipy.stats.permutation_test(
            (a - b,), np.mean, permutation_type="samples", n_resamples=np.inf)
        case["sign_flip"] = float(flip.pvalue)
    return case


def holm_by_closure(p):
    """Largest Bonferroni p over all subsets that hold the hypothesis."""
    out = []
    for i in range(len(p)):
        worst = 0
        for size in range(1, len(p) + 1):
            for s in itertools.combinations(range(len(p)), size):
                if i in s:
                    worst = max(worst, min(1, size * min(p[j] for j in s)))
        out.append(worst)
    return out


def bootstrap_case(n, groups):
    values = np.round(RNG.random(n) ** 2, 3)
    group = np.sort(RNG.integers(0, groups, n)) if groups else np.arange(n)
    names = np.unique(group)
    sums = np.array([values[group == g].sum() for g in names])
    sizes = np.array([(group == g).sum() for g in names])
    draws = RNG.integers(0, len(names), (100000, len(names)))
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    if not groups:
        peer = scipy.stats.bootstrap((values,), np.mean, n_resamples=50000,
                                     method="percentile", rng=RNG)
        assert abs(peer.confidence_interval.low - low) < 3e-3
    shuffle = RNG.permutation(n)
    return {"values": values[shuffle].tolist(),
            "groups": (group[shuffle] * 7 - 3).tolist() if groups else None,
            "mean": float(values.mean()), "low": low, "high": high}


def statistics():
    a = [1, .5, .333333, 1, 0, .25, 1, .2, .5, 1]
    b = [.5, .5, .25, 1, 0, .2, 1, .1, .333333, .5]
    paired = [paired_case(a, b)]
    for n, shift in ((2, .5), (3, 0), (7, .1), (14, .2), (60, .1), (400, .01)):
        x = np.round(RNG.random(n), 3)
        paired.append(paired_case(x, np.round(np.clip(
            x - shift + RNG.normal(0, .3, n), 0, 1), 3)))
    ps = [[.01, .04, .03, .005], [.2, .2, .9, 1, 0], [.5], [.04, .04, .04],
          np.round(RNG.random(8) ** 3, 4).tolist()]
    return {"paired": paired,
            "holm": [{"p": p, "adjusted": holm_by_closure(p)} for p in ps],
            "bootstrap": [bootstrap_case(200, 0), bootstrap_case(200, 30)]}


def finite(x):
    if isinstance(x, dict):
        return {k: finite(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [finite(v) for v in x]
    if isinstance(x, float) and not math.isfinite(x):
        return None
    return x.item() if isinstance(x, np.generic) else x


json.dump(finite({
    "ranking": ranking(), "topk": topk(), "classification": classification(),
    "top_k_accuracy": top_k(), "binary": binary(),
    "calibration": calibration(), "matching": matching(),
    "statistics": statistics(),
}), sys.stdout, separators=(",", ":"))
print()
