"""The classifiers of frozen embeddings (eval/probe.h) against scikit-learn.

    python tests/parity/check_probe.py

Nearest neighbours against KNeighborsClassifier on 200 generated cases, and the
linear classifier against LogisticRegression on 200; among them classes without
rows, rows without a class, more neighbours than rows, rows that stand twice,
separable classes. Then the search for C against the same search with
LogisticRegression. Needs $DIPTYCH_BUILD/tests/parity/metrics.
Peer: scikit-learn 1.9.1.

Scores here are fp32 and the peer's fp64. Shares of votes are held to 1e-4, the
objective to 1e-6 above the peer's, probabilities to 2e-3 and, where C is 10 or
more and the minimum is so flat that rounding moves it, to 3e-2; predictions are
the peer's unless its two best classes are nearer than twice that. With two
classes scikit-learn fits one vector where a softmax has two: its C is twice
ours for the same penalty.
"""

import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "tests/parity/metrics"
CASES = 200


def ask(cases):
    """The program's answers to a list of cases."""
    plain = [{k: v.tolist() if isinstance(v, np.ndarray) else v
              for k, v in case.items()} for case in cases]
    done = subprocess.run(
        [PROGRAM], input="".join(json.dumps(c) + "\n" for c in plain),
        capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(rng, n, dim, classes, spread):
    """Rows around one centre a class, as fp32, and their classes."""
    centres = rng.normal(size=(classes, dim))
    labels = rng.integers(0, classes, n)
    rows = centres[labels] + spread * rng.normal(size=(n, dim))
    return rows.astype(np.float32), labels


def make(rng, i, kind):
    classes = int(rng.integers(2, 8))
    dim, n = int(rng.integers(2, 41)), int(rng.integers(classes + 2, 300))
    rows, labels = rows_of(rng, n + 50, dim, classes, [.1, 1, 3][i % 3])
    if i % 4 == 1:  # of length 1, as a model gives them
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    train, known = rows[:n], labels[:n].copy()
    if i % 5 == 2:
        known[rng.random(n) < .2] = -1
    if i % 7 == 3:  # beyond the classes: as much unknown
        known[known == classes - 1] = classes + 1
    if len(set(known[(known >= 0) & (known < classes)])) < 2:
        known[:2] = 0, 1
    case = {"kind": "probe", "train": train, "labels": known, "test": rows[n:],
            "classes": classes}
    if kind == "knn":
        if i % 6 == 5:
            case["train"] = np.concatenate([train, train])
            case["labels"] = np.concatenate([known, known])
        case["k"] = int(rng.choice([1, 2, 5, 20, 200, 10000]))
        case["temperature"] = float(rng.choice([.02, .07, .5, 10]))
    else:
        case["c"] = float(10.0 ** rng.integers(-4, 4))
        case["standardise"] = i % 2 == 1
        case["tolerance"] = 1e-8
    return case


def learn(case):
    """What of a case the peer may see."""
    taught = (case["labels"] >= 0) & (case["labels"] < case["classes"])
    return case["train"][taught].astype(float), case["labels"][taught]


def spread_out(columns, shares, classes):
    """Shares of the classes that occur, as shares of all."""
    out = np.zeros((len(shares), classes))
    out[:, columns] = shares
    return out


def compare(got, shares, tolerance):
    """None, or what is wrong."""
    if "error" in got:
        return got["error"]
    ours = np.reshape(got["probabilities"], shares.shape)
    gap = np.abs(ours - shares).max()
    if not gap <= tolerance:
        return f"probabilities differ by {gap:.2e}"
    best = np.sort(shares, axis=1)
    sure = best[:, -1] - best[:, -2] > 2 * tolerance
    if (np.array(got["predicted"]) != shares.argmax(1))[sure].any():
        return "predictions differ"
    return None


def by_neighbours(case, got):
    rows, labels = learn(case)
    model = KNeighborsClassifier(
        min(case["k"], len(rows)), metric="cosine", algorithm="brute",
        weights=lambda d: np.exp((1 - d) / case["temperature"]))
    model.fit(rows, labels)
    shares = spread_out(model.classes_,
                        model.predict_proba(case["test"].astype(float)),
                        case["classes"])
    # Where the last neighbour ties with the next, either may vote.
    distances = np.sort(
        1 - (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @
        (case["test"] / np.linalg.norm(case["test"], axis=1,
                                       keepdims=True)).T, axis=0)
    k = min(case["k"], len(rows))
    clear = np.ones(len(shares), bool)
    if k < len(rows):
        clear = distances[k] - distances[k - 1] > 1e-6
    got = dict(got)
    if "error" not in got:
        ours = np.reshape(got["probabilities"], shares.shape)
        got["probabilities"] = ours[clear].ravel()
        got["predicted"] = np.array(got["predicted"])[clear]
    if not clear.any():
        return None
    return compare(got, shares[clear], 1e-4)


def logistic(rows, labels, c, standardise):
    """A peer's model of our objective, and that."""
    scale = StandardScaler(with_mean=standardise, with_std=standardise)
    x = scale.fit_transform(rows)
    two = len(set(labels)) == 2
    model = LogisticRegression(C=2 * c if two else c, max_iter=100000,
                               tol=1e-8).fit(x, labels)
    p = model.predict_proba(x)
    own = p[np.arange(len(x)), np.searchsorted(model.classes_, labels)]
    squares = (model.coef_ ** 2).sum()
    squares /= 2 if two else 1  # two vectors of half the length
    return model, scale, -np.log(own).mean() + squares / (2 * c * len(x))


def by_logistic(case, got):
    rows, labels = learn(case)
    used = np.unique(labels)
    model, scale, objective = logistic(rows, labels, case["c"],
                                       case["standardise"])
    if "error" in got:
        return got["error"]
    if len(used) == case["classes"]:
        if got["objective"] > objective + 1e-6 * max(1, objective):
            return f"objective {got['objective']}, not {objective}"
    shares = spread_out(
        used, model.predict_proba(scale.transform(case["test"])),
        case["classes"])
    # A class without rows keeps a share, which shrinks as its bias falls: the
    # rest is compared.
    ours = np.reshape(got["probabilities"], shares.shape)
    absent = np.setdiff1d(np.arange(case["classes"]), used)
    if absent.size and ours[:, absent].max() > .01:
        return f"a class without rows has {ours[:, absent].max():.3f}"
    ours = np.delete(ours, absent, axis=1)
    ours /= ours.sum(1, keepdims=True)
    got = {"probabilities": ours, "predicted": ours.argmax(1)}
    return compare(got, shares[:, used],
                   2e-3 if case["c"] < 10 else 3e-2)


def show(name, faults, count, words):
    good = not faults and count >= 1
    print(f"{'ok  ' if good else 'FAIL'} {name}: {count} cases; {words}")
    for fault in faults[:5]:
        print(f"     {fault}")
    return good


def check(name, kind, judge, words):
    rng = np.random.default_rng(11)
    cases = [make(rng, i, kind) for i in range(CASES)]
    faults = []
    for i, (case, got) in enumerate(zip(cases, ask(cases), strict=True)):
        wrong = judge(case, got)
        if wrong is not None:
            faults.append(f"case {i}: {wrong}")
    return show(name, faults, len(cases), words)


def search_by_peer(train, labels, validation, wanted):
    """CLIP's search with the peer's fits."""
    def accuracy(power):
        model, _, _ = logistic(train, labels, 10.0 ** power, False)
        return (model.predict(validation) == wanted).mean()
    seen = {p: accuracy(p) for p in range(-6, 7, 2)}
    step = 1.0
    while step >= .125:
        middle = min(p for p in seen if seen[p] == max(seen.values()))
        for power in (middle - step, middle + step):
            if abs(power) <= 6:
                seen[power] = accuracy(power)
        step /= 2
    return seen


def check_search():
    faults, cases, wanted = [], [], []
    rng = np.random.default_rng(5)
    for i in range(6):
        rows, labels = rows_of(rng, 700, 12, 4, 2.5)
        cases.append({"kind": "probe", "train": rows[:200],
                      "labels": labels[:200], "validation": rows[200:600],
                      "validation_labels": labels[200:600], "test": rows[600:],
                      "classes": 4, "standardise": False, "tolerance": 1e-6})
        wanted.append(search_by_peer(rows[:200].astype(float), labels[:200],
                                     rows[200:600].astype(float),
                                     labels[200:600]))
    for i, (got, seen) in enumerate(zip(ask(cases), wanted, strict=True)):
        power = min(seen, key=lambda p: abs(p - np.log10(got["c"])))
        best = max(seen.values())
        # One row of 400 may fall on the other side of a border.
        if abs(10.0 ** power / got["c"] - 1) > 1e-6 or \
                seen[power] < best - 1.5 / 400:
            faults.append(f"case {i}: C {got['c']:.4g}, peer {seen}")
    return show("search for C", faults, len(cases),
                "a C of the peer's grid, its accuracy the best within one row")


def check_refusals():
    base = {"kind": "probe", "train": np.eye(3), "test": np.eye(3),
            "classes": 2, "c": 1.0, "standardise": False, "tolerance": 1e-4}
    none = np.array([-1, 2, -1])
    cases = [dict(base, labels=none),
             dict(base, labels=none, k=1, temperature=.1),
             dict(base, labels=np.array([0, 1, 0]), c=0.0)]
    wanted = ["no training row has a class"] * 2 + ["a penalty of 1 / 0"]
    faults = [f"{got.get('error')} is not {words}"
              for got, words in zip(ask(cases), wanted, strict=True)
              if got.get("error") != words]
    return show("refusals", faults, len(cases), "by their words")


def main():
    warnings.filterwarnings("ignore")
    good = check("nearest neighbours", "knn", by_neighbours,
                 "KNeighborsClassifier within 1e-4, clear neighbours")
    good &= check("linear classifier", "linear", by_logistic,
                  "LogisticRegression, the objective within 1e-6")
    good &= check_search()
    good &= check_refusals()
    sys.exit(not good)


main()
