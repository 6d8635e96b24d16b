"""Every metric of eval/ on 200 generated cases of each kind, random and
adversarial (ties, nothing relevant, one class, NaN, cutoffs beyond the gallery),
against scikit-learn, torchmetrics, ranx and pytrec_eval, within 1e-9 (1e-7 where
the peer counts in fp32); where a peer defines a metric otherwise, the reason and
both values.

    python tests/parity/check_metrics.py

Peers: scikit-learn 1.9.1, torchmetrics 1.9.0, ranx 0.3.21, pytrec_eval-terrier
0.5.11 (trec_eval's own code), numpy 2.4.6 for ERR and graded RBP, which none of
them has.
"""

import itertools
import json
import subprocess
import sys
import warnings

import numpy as np
import pytrec_eval
import sklearn.metrics as skm
import torch
import torchmetrics.functional.classification as tmc
import torchmetrics.functional.retrieval as tmr
from ranx import Qrels, Run, evaluate

import driver

warnings.filterwarnings("ignore")
CASES, TOLERANCE = 200, 1e-9
FP32 = "torchmetrics, which counts in fp32"  # and so is as near as 1e-7
CUTOFFS = [1, 2, 5, 10, 100]
RNG = np.random.default_rng(5)
PERSISTENCE = 0.8


def ours(cases):
    """What our program says of each case."""
    def plain(x):
        if isinstance(x, np.ndarray):
            x = x.tolist()
        if isinstance(x, list):
            return [plain(v) for v in x]
        if isinstance(x, float) and x != x:
            return None
        return x.item() if isinstance(x, np.generic) else x

    lines = [json.dumps({k: plain(v) for k, v in case.items()
                         if not k.startswith("_")}) for case in cases]
    done = subprocess.run([driver.BUILD / "tests/parity/metrics"],
                          input="\n".join(lines) + "\n", text=True,
                          capture_output=True)
    if done.returncode != 0:
        raise driver.Failed(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


class Tally:
    """Largest gap and number of comparisons by (metric, peer)."""

    def __init__(self):
        self.gaps, self.bad = {}, 0

    def add(self, metric, peer, got, expected):
        key = (peer, metric.split("@")[0] + ("@k" if "@" in metric else ""))
        if got is None or expected is None or expected != expected:
            gap = 0.0 if (got is None) == (
                expected is None or expected != expected) else float("inf")
        else:
            gap = abs(got - float(expected))
        count, worst = self.gaps.get(key, (0, 0.0))
        self.gaps[key] = (count + 1, max(worst, gap))

    def fact(self, name, good):
        self.bad += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}", flush=True)

    def print(self, kind):
        for (peer, metric), (count, worst) in sorted(self.gaps.items()):
            good = worst <= (1e-7 if peer == FP32 else TOLERANCE)
            self.bad += not good
            print(f"{'ok  ' if good else 'FAIL'} {kind} {metric} vs {peer}: "
                  f"{count} values, largest gap {worst:.1e}", flush=True)
        self.gaps = {}


# ---- ranking ----------------------------------------------------------------


def ranking_case(i):
    """Scores by query and row; grade -1 is not judged, `listed` 0 is beyond the
    end of the list."""
    queries, gallery = RNG.integers(1, 5), RNG.integers(1, 30)
    ties = ["pessimistic", "optimistic", "expected"][i % 3]
    if ties == "expected":
        gallery = RNG.integers(1, 7)
    levels = [1, 2, 5, 1000][RNG.integers(4)]
    scores = RNG.integers(0, levels, (queries, gallery)) / 8.0
    max_grade = 1 if i % 4 == 0 else int(RNG.integers(1, 5))
    grades = RNG.integers(1, max_grade + 1, (queries, gallery))
    grades = grades * (RNG.random((queries, gallery)) < RNG.random())
    grades[0, RNG.integers(gallery)] = max_grade  # the scale's best occurs
    judged = (grades > 0) | (RNG.random((queries, gallery)) < 0.5)
    listed = np.ones((queries, gallery), int)
    if i % 5 == 0:  # lists that end early
        listed = (RNG.random((queries, gallery)) < 0.6).astype(int)
    return {"kind": "ranking", "queries": queries, "gallery": gallery,
            "scores": scores, "grades": np.where(judged, grades, -1),
            "listed": listed, "cutoffs": CUTOFFS, "ties": ties,
            "gain": "linear", "persistence": PERSISTENCE, "max_grade": 0,
            "count_empty": False}


def orders_of(scores, grades, ties):
    """Every order that the rule of the ties allows, as lists of places."""
    if ties != "expected":
        sign = -1 if ties == "optimistic" else 1
        return [np.lexsort((sign * grades, -scores))]
    return [np.array(p, int) for p in itertools.permutations(range(len(scores)))
            if all(scores[a] >= scores[b] for a, b in zip(p, p[1:]))]


def trec(order_grades, all_grades):
    run = {"q": {f"d{i:03d}": float(999 - i)
                 for i in range(len(order_grades))}}
    qrel = {f"d{i:03d}": int(g) for i, g in enumerate(order_grades)}
    qrel |= {f"x{i:03d}": int(g) for i, g in enumerate(all_grades)}
    cuts = ",".join(map(str, CUTOFFS))
    got = pytrec_eval.RelevanceEvaluator(
        {"q": qrel}, {"recip_rank", "map", "ndcg", "Rprec"} | {
            f"{m}.{cuts}" for m in ("success", "recall", "P", "map_cut",
                                    "ndcg_cut")}).evaluate(run)["q"]
    names = {"recip_rank": "mrr", "map": "map", "ndcg": "ndcg",
             "Rprec": "r_precision"}
    for k in CUTOFFS:
        names |= {f"success_{k}": f"hit@{k}", f"recall_{k}": f"recall@{k}",
                  f"P_{k}": f"precision@{k}", f"map_cut_{k}": f"map@{k}",
                  f"ndcg_cut_{k}": f"ndcg@{k}"}
    return {mine: got[theirs] for theirs, mine in names.items()}


def papers(order_grades, max_grade):
    """ERR (Chapelle et al. 2009) and RBP (Moffat & Zobel 2008)."""
    stops = (2.0 ** order_grades - 1) / 2.0 ** max_grade
    place = np.arange(1, len(stops) + 1)
    reached = np.concatenate([[1], np.cumprod(1 - stops)[:-1]])
    terms = reached * stops / place
    weights = (1 - PERSISTENCE) * PERSISTENCE ** (place - 1.0)
    values = {"err": terms.sum(),
              "rbp": (weights * order_grades / max_grade).sum()}
    return values | {f"err@{k}": terms[:k].sum() for k in CUTOFFS}


class Ranx:
    """All queries at once: each call compiles."""

    def __init__(self):
        self.run, self.qrel, self.got, self.binary = {}, {}, {}, set()

    def add(self, order_grades, outside, got, binary):
        q = f"q{len(self.run):05d}"
        self.run[q] = {f"d{i:03d}": float(999 - i)
                       for i in range(len(order_grades))}
        self.qrel[q] = {f"d{i:03d}": int(g)
                        for i, g in enumerate(order_grades) if g > 0}
        self.qrel[q] |= {f"x{i:03d}": int(g)
                         for i, g in enumerate(outside) if g > 0}
        self.got[q] = got
        if binary:
            self.binary.add(q)

    def compare(self, tally):
        names = {"mrr": "mrr", "map": "map", "ndcg": "ndcg", "rbp.80": "rbp",
                 "ndcg_burges": "ndcg_exp", "r-precision": "r_precision"}
        for k in CUTOFFS:
            names |= {f"hit_rate@{k}": f"hit@{k}", f"recall@{k}": f"recall@{k}",
                      f"precision@{k}": f"precision@{k}",
                      f"map@{k}": f"map@{k}", f"ndcg@{k}": f"ndcg@{k}",
                      f"ndcg_burges@{k}": f"ndcg_exp@{k}"}
        run = Run(self.run)
        evaluate(Qrels(self.qrel), run, list(names))
        for theirs, mine in names.items():
            for q, value in run.scores[theirs].items():
                if theirs != "rbp.80" or q in self.binary:
                    tally.add(mine, "ranx", self.got[q][mine], value)


def by_torchmetrics(order_grades, tally, got):
    """Whole lists only: it knows of no relevant row outside of them."""
    place = torch.arange(len(order_grades), 0, -1, dtype=torch.float64)
    target = torch.tensor(order_grades > 0)
    tally.add("mrr", FP32, got["mrr"],
              tmr.retrieval_reciprocal_rank(place, target))
    tally.add("r_precision", FP32, got["r_precision"],
              tmr.retrieval_r_precision(place, target))
    for k in CUTOFFS:
        tally.add(f"hit@{k}", FP32, got[f"hit@{k}"],
                  tmr.retrieval_hit_rate(place, target, top_k=k))
        tally.add(f"recall@{k}", FP32, got[f"recall@{k}"],
                  tmr.retrieval_recall(place, target, top_k=k))
        tally.add(f"precision@{k}", FP32, got[f"precision@{k}"],
                  tmr.retrieval_precision(place, target, top_k=k))


def by_sklearn(order_grades, tally, got):
    n = len(order_grades)
    place = -np.arange(n)[None]
    for k in CUTOFFS + [None] if n > 1 else []:
        at = "" if k is None else f"@{k}"
        for name, gains in (("ndcg", order_grades),
                            ("ndcg_exp", 2.0 ** order_grades - 1)):
            tally.add(name + at, "scikit-learn", got[name + at],
                      skm.ndcg_score(gains[None], place, k=k,
                                     ignore_ties=True))


def check_query(case, q, got, tally, ranx):
    listed = case["listed"][q] > 0
    grades = np.maximum(case["grades"][q], 0)
    inside, outside = grades[listed], grades[~listed]
    max_grade = max(case["grades"].max(), 1)
    orders = orders_of(case["scores"][q][listed], inside, case["ties"])
    sums = {}
    for order in orders:
        values = trec(inside[order], outside) | papers(
            inside[order].astype(float), max_grade)
        for name, value in values.items():
            sums[name] = sums.get(name, 0) + value / len(orders)
    for name, value in sums.items():
        paper = name.startswith(("err", "rbp"))
        tally.add(name, "numpy" if paper else "pytrec_eval", got[name], value)
    if case["ties"] == "expected":
        if len(inside) > 1 and listed.all():
            for k in CUTOFFS:  # it averages over ties
                tally.add(f"ndcg@{k}", "scikit-learn, ties averaged",
                          got[f"ndcg@{k}"],
                          skm.ndcg_score(inside[None],
                                         case["scores"][q][listed][None], k=k))
        return
    if len(inside) > 0:
        ranx.add(inside[orders[0]], outside, got, max_grade == 1)
    if listed.all():
        by_torchmetrics(inside[orders[0]], tally, got)
        by_sklearn(inside[orders[0]], tally, got)


def check_ranking(tally):
    cases = [ranking_case(i) for i in range(CASES)]
    results, ranx = ours(cases), Ranx()
    for case, result in zip(cases, results):
        relevant = (case["grades"] > 0).any(1)
        assert len(result["queries"]) == relevant.sum(), result
        for got in result["queries"]:
            check_query(case, int(got["query"]), got, tally, ranx)
    ranx.compare(tally)
    tally.print("ranking")


def check_ranking_refusals(tally):
    base = {"kind": "ranking", "queries": 2, "gallery": 2, "cutoffs": [1],
            "scores": [[1., 2.], [1., 2.]], "grades": [[1, 0], [0, 1]],
            "listed": [[1, 1], [1, 1]], "ties": "pessimistic",
            "gain": "linear", "persistence": .8, "max_grade": 0}
    wrong = {"a score is NaN": ({"scores": [[1., None], [1., 2.]]}, "is NaN"),
             "a grade is negative": ({"grades": [[1, 0], [-2, 1]]}, "grade -2"),
             "a grade is above the scale": (
                 {"grades": [[1, 0], [3, 1]], "max_grade": 2}, "the grade 3"),
             "no list for a judged query": ({"queries": 3,
                                             "grades": [[1, 0], [0, 1], [1, 1]],
                                             "scores": [[1., 2.]] * 3,
                                             "listed": [[1, 1]] * 2 + [[0, 0]]},
                                            None)}
    results = ours([base | change for change, _ in wrong.values()])
    for (name, (_, words)), got in zip(wrong.items(), results):
        if words is None:  # an empty list is a list: found nothing
            tally.fact("ranking, an empty list counts 0",
                       got["queries"][2]["mrr"] == 0)
        else:
            tally.fact(f"ranking, {name}: refused",
                       words in got.get("error", ""))


# ---- classification -----------------------------------------------------------


def check_classes(tally):
    cases = []
    for i in range(CASES):
        n, classes = int(RNG.integers(1, 60)), int(RNG.integers(1, 9))
        labels = RNG.integers(-1, classes, n)
        if i % 7 == 0:
            labels[:] = RNG.integers(classes)  # one class
        labels[0] = max(labels[0], 0)
        noise = RNG.integers(0, classes, n)
        predicted = np.where(RNG.random(n) < RNG.random(),
                             np.maximum(labels, 0), noise)
        cases.append({"kind": "classes", "labels": labels,
                      "predicted": predicted, "classes": classes,
                      "all_classes": bool(i % 2), "zero_division": i // 2 % 2})
    for case, got in zip(cases, ours(cases)):
        known = case["labels"] >= 0
        y, p = case["labels"][known], case["predicted"][known]
        names, zero = list(range(case["classes"])), case["zero_division"]

        def add(metric, peer, value, expected):
            for a, b in zip(np.ravel(value), np.ravel(expected)):
                tally.add(metric, peer, a, b)

        prf = skm.precision_recall_fscore_support
        add("accuracy", "scikit-learn", got["accuracy"],
            skm.accuracy_score(y, p))
        add("balanced_accuracy", "scikit-learn", got["balanced_accuracy"],
            skm.balanced_accuracy_score(y, p))
        add("confusion", "scikit-learn", got["confusion"],
            skm.confusion_matrix(y, p, labels=names))
        add("per class P, R, F1", "scikit-learn",
            [got["per_class"][str(c)] for c in names],
            np.stack(prf(y, p, labels=names, zero_division=zero)[:3], 1))
        for how in ("macro", "micro", "weighted"):
            shown = names if case["all_classes"] and how == "macro" else None
            add(f"{how} P, R, F1", "scikit-learn", got[how],
                prf(y, p, labels=shown, average=how, zero_division=zero)[:3])
        if case["all_classes"] or zero:
            continue
        ty, tp, n = torch.tensor(y), torch.tensor(p), case["classes"]
        if n > 1:
            add("accuracy", "torchmetrics", got["accuracy"],
                (ty == tp).double().mean())
            add("confusion", "torchmetrics", got["confusion"],
                tmc.multiclass_confusion_matrix(tp, ty, n))
    tally.print("classification")


def check_weighted_areas(tally, right, p, got):
    for name, score in (("roc_auc", skm.roc_auc_score),
                        ("average_precision", skm.average_precision_score)):
        tally.add(f"{name}_weighted", "scikit-learn, average=weighted",
                  got[f"{name}_weighted"], score(right, p, average="weighted"))


def check_probabilities(tally):
    cases = []
    for i in range(CASES):
        n, classes = int(RNG.integers(2, 60)), int(RNG.integers(2, 8))
        logits = RNG.normal(size=(n, classes)) * 2
        if i % 3 == 0:
            logits = np.round(logits)  # ties
        p = torch.softmax(torch.tensor(logits), 1).float().numpy()
        labels = RNG.integers(-1, classes, n)
        if i % 7 == 0:
            labels[:] = 0
        labels[0] = max(labels[0], 0)
        cases.append({"kind": "probabilities", "labels": labels,
                      "probabilities": p.astype(float), "classes": classes,
                      "_ties": i % 3 == 0})
    for case, got in zip(cases, ours(cases)):
        known = case["labels"] >= 0
        y, p = case["labels"][known], case["probabilities"][known]
        classes, areas, support = case["classes"], [], []
        for c in range(classes):
            one = y == c
            mine = got["per_class"][c]
            if one.any():
                tally.add("average_precision", "scikit-learn",
                          mine["average_precision"],
                          skm.average_precision_score(one, p[:, c]))
            if one.any() and not one.all():
                areas.append((skm.roc_auc_score(one, p[:, c]),
                              skm.average_precision_score(one, p[:, c])))
                support.append(one.sum())
                tally.add("roc_auc", "scikit-learn", mine["roc_auc"],
                          areas[-1][0])
            else:
                tally.add("roc_auc", "scikit-learn", mine["roc_auc"], None)
        means = np.mean(areas, 0) if areas else (None, None)
        tally.add("roc_auc_macro", "scikit-learn", got["roc_auc_macro"],
                  means[0])
        tally.add("average_precision_macro", "scikit-learn",
                  got["average_precision_macro"], means[1])
        means = np.average(areas, 0, support) if areas else (None, None)
        tally.add("roc_auc_weighted", "scikit-learn, mean by rows",
                  got["roc_auc_weighted"], means[0])
        tally.add("average_precision_weighted", "scikit-learn, mean by rows",
                  got["average_precision_weighted"], means[1])
        if len(areas) == classes > 1 and not case["_ties"]:
            check_weighted_areas(tally, np.eye(classes)[y], p, got)
        if len(areas) == classes > 2:
            whole = p / p.sum(1, keepdims=True)
            if not case["_ties"]:  # dividing again may break a tie
                tally.add("roc_auc_macro", "scikit-learn, ovr",
                          got["roc_auc_macro"],
                          skm.roc_auc_score(y, whole, multi_class="ovr"))
        onehot = np.eye(classes)[y]
        tally.add("brier", "numpy", got["brier"],
                  ((p - onehot) ** 2).sum(1).mean())
        if classes > 2 and len(np.unique(y)) > 1:
            tally.add("brier", "scikit-learn", got["brier"],
                      skm.brier_score_loss(y, p, labels=range(classes),
                                           scale_by_half=False))
        conf, right = p.max(1), p.argmax(1) == y
        for norm, name in (("l1", "ece"), ("l2", "ece_l2"),
                           ("max", "ece_max")):
            tally.add(name, "torchmetrics", got[name],
                      tmc.binary_calibration_error(
                          torch.tensor(conf), torch.tensor(right).int(),
                          n_bins=15, norm=norm))
        for k in range(1, classes):
            if not case["_ties"] and classes > 2:
                tally.add(f"top@{k}", "scikit-learn", got[f"top_{k}"],
                          skm.top_k_accuracy_score(y, p, k=k,
                                                   labels=range(classes)))
        tally.add("top@k", "k of all classes is 1", got[f"top_{classes}"], 1)
    wrong = dict(cases[1], probabilities=[[None] * cases[1]["classes"]]
                 * len(cases[1]["labels"]))
    tally.fact("probabilities, NaN: refused",
               "is NaN" in ours([wrong])[0].get("error", ""))
    tally.print("probabilities")


def check_binary(tally):
    cases = []
    for i in range(CASES):
        n = int(RNG.integers(1, 80))
        labels = RNG.integers(0, 2, n)
        if i % 9 == 0:
            labels[:] = i % 2  # one class
        scores = RNG.normal(size=n) * 10
        if i % 2:
            scores = np.round(scores / 5)
        cases.append({"kind": "binary", "labels": labels, "scores": scores})
    for case, got in zip(cases, ours(cases)):
        y, s = case["labels"], case["scores"]
        both = 0 < y.sum() < len(y)
        tally.add("auc", "scikit-learn", got["auc"],
                  skm.roc_auc_score(y, s) if both else None)
        tally.add("average_precision", "scikit-learn",
                  got["average_precision"],
                  skm.average_precision_score(y, s) if y.any() else None)
        if not y.any():
            tally.add("best F1", "scikit-learn", got["best_f1"], None)
            continue
        f1 = {t: skm.f1_score(y, s >= t) for t in np.unique(s)}
        tally.add("best F1", "scikit-learn", got["best_f1"], max(f1.values()))
        tally.add("best threshold", "scikit-learn", got["best_threshold"],
                  max(t for t, f in f1.items() if f == max(f1.values())))
        if both:
            ranks = np.searchsorted(np.unique(s), s) / 128  # in [0, 1)
            tally.add("auc", FP32, got["auc"],
                      tmc.binary_auroc(torch.tensor(ranks), torch.tensor(y)))
    tally.fact("binary, NaN: refused", "is NaN" in ours(
        [dict(cases[0], scores=[None] * len(cases[0]["labels"]))])[0].get(
            "error", ""))
    tally.print("binary")


def check_calibration(tally):
    cases = []
    for i in range(CASES):
        n = int(RNG.integers(1, 120))
        confidence = RNG.random(n)
        cases.append({"kind": "calibration", "confidence": confidence,
                      "correct": (RNG.random(n) < confidence).astype(int),
                      "bins": int(RNG.integers(1, 20))})
    for case, got in zip(cases, ours(cases)):
        conf = torch.tensor(case["confidence"])
        right = torch.tensor(case["correct"])
        for norm, name in (("l1", "ece"), ("l2", "ece_l2"),
                           ("max", "ece_max")):
            tally.add(name, "torchmetrics", got[name],
                      tmc.binary_calibration_error(
                          conf, right, n_bins=case["bins"], norm=norm))
        tally.add("brier", "scikit-learn", got["brier"],
                  skm.brier_score_loss(case["correct"], case["confidence"],
                                       pos_label=1))
    tally.print("calibration")


# ---- where definitions differ ---------------------------------------------------


def one_query(scores, grades, **options):
    case = {"kind": "ranking", "queries": 1, "gallery": len(scores),
            "scores": [scores], "grades": [grades],
            "listed": [[1] * len(scores)], "cutoffs": [1, 2, 5],
            "ties": "pessimistic", "gain": "linear", "persistence": .8,
            "max_grade": 0} | options
    return ours([case])[0]["queries"][0]


def check_differences(tally):
    """Both values, and why."""
    def named(what, why, got, expected, peer, peer_value):
        good = abs(got - expected) < 1e-6 and abs(peer - peer_value) < 1e-6
        tally.fact(f"differs: {what}: {got:.6g}, the peer has {peer:.6g}: "
                   f"{why}", good)

    tied, third = [.5] * 4, [0, 0, 1, 0]
    place, target = torch.tensor(tied), torch.tensor(third)
    named("mrr of a tie vs torchmetrics", "it takes the order of the rows",
          one_query(tied, third)["mrr"], .25,
          float(tmr.retrieval_reciprocal_rank(place, target)), 1.0)
    found = torch.tensor([1, 1, 0, 0, 0]), torch.tensor([5., 4., 3., 2., 1.])
    named("map@2 of 5 relevant vs torchmetrics",
          "it divides by what was found",
          one_query([5., 4., 3., 2., 1.], [1, 1, 1, 1, 1])["map@2"], .4,
          float(tmr.retrieval_average_precision(
              found[1], torch.ones(5), top_k=2)), 1.0)
    binary = ours([{"kind": "binary", "labels": [1, 0, 0, 1],
                    "scores": [2., -1., 30., 31.]}])[0]
    named("auc of scores outside [0, 1] vs torchmetrics",
          "it takes them for logits and squashes them until they tie",
          binary["auc"], .75,
          float(tmc.binary_auroc(torch.tensor([2., -1., 30., 31.]),
                                 torch.tensor([1, 0, 0, 1]))), .625)
    run = {"q1": {"a": 1.0}}
    qrel = {"q1": {"a": 1}, "q2": {"b": 1}}
    peer = pytrec_eval.RelevanceEvaluator(qrel, {"recip_rank"}).evaluate(run)
    tally.fact("differs: a judged query that the run misses is an error; "
               "pytrec_eval leaves it out", set(peer) == {"q1"})


def main():
    tally = Tally()
    check_ranking(tally)
    check_ranking_refusals(tally)
    check_classes(tally)
    check_probabilities(tally)
    check_binary(tally)
    check_calibration(tally)
    check_differences(tally)
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
