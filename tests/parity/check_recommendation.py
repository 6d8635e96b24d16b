"""What `diptych eval --run --qrels --seen` makes of recommendations, against a
second implementation of the definitions in numpy: recall@k and nDCG@k as
LightGCN's evaluation has them (items of the training are never recommended,
recall over all of a user's test items, the ideal DCG over the first k of them),
coverage, Gini, mean popularity and its lift. 40 generated cases of 2 to 60
users at several cutoffs, within 1e-8: the report carries 9 digits.

    python tests/parity/check_recommendation.py

Peer: numpy 2.4.6.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import driver

CASES, CUTOFFS = 40, (1, 5, 20, 100)


def make(rng, users, items):
    """Scores [users, items], and what users had and have, as booleans; some
    lists are cut short."""
    taste = rng.random(items) ** 3
    seen = rng.random((users, items)) < taste * rng.choice([.1, .5])
    test = (rng.random((users, items)) < .1) & ~seen
    test[:, 0] |= ~test.any(1) & ~seen[:, 0]
    scores = rng.random((users, items)) + rng.choice([0, 2]) * taste
    listed = rng.random((users, items)) < rng.choice([.3, 1])
    listed[np.arange(users), rng.integers(0, items, users)] = True
    return scores, listed, seen, test


def write(folder, scores, listed, seen, test):
    with open(folder / "a.run", "w") as out:
        for u, i in np.argwhere(listed):
            out.write(f"u{u} Q0 i{i} 1 {scores[u, i]:.17g} drawn\n")
    for name, pairs in (("a.qrels", test), ("a.seen", seen)):
        with open(folder / name, "w") as out:
            for u, i in np.argwhere(pairs):
                out.write(f"u{u} 0 i{i} 1\n")


def mean(values):
    return float(np.mean(values)) if len(values) else None


def expect(scores, listed, seen, test, k):
    known = listed.any(0) | seen.any(0) | test.any(0)
    rated = np.where(listed & ~seen, scores, -np.inf)
    order = np.argsort(-rated, axis=1)[:, :k]
    shown = np.take_along_axis(listed & ~seen, order, 1)
    right = np.take_along_axis(test, order, 1) & shown
    users = test.any(1)
    recall = right.sum(1)[users] / test.sum(1)[users]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.array([discount[:min(k, n)].sum() for n in test.sum(1)[users]])
    ndcg = (right * discount[:right.shape[1]]).sum(1)[users] / ideal
    counts = np.zeros(scores.shape[1])
    for u in np.flatnonzero(users):
        counts[order[u][shown[u]]] += 1
    counts = np.sort(counts[known])
    # The area between the Lorenz curve and the diagonal, by trapezes.
    gini = None
    if counts.sum() > 0:
        lorenz = np.concatenate([[0], counts.cumsum() / counts.sum()])
        gini = 1 - (lorenz[1:] + lorenz[:-1]).sum() / len(counts)
    popular = seen.sum(0)
    lists = {u: popular[order[u][shown[u]]].mean()
             for u in np.flatnonzero(users) if shown[u].any()}
    profiles = {u: popular[seen[u]].mean() for u in lists if seen[u].any()}
    lift = None
    if profiles:
        lift = sum(lists[u] for u in profiles) / sum(profiles.values()) - 1
    return {"recall": mean(recall), "ndcg": mean(ndcg),
            "coverage": float((counts > 0).mean()), "gini": gini,
            "popularity": mean(list(lists.values())),
            "popularity_lift": lift}


def near(got, wanted):
    if got is None or wanted is None:
        return got is wanted
    return abs(got - wanted) <= 1e-8 * max(1, abs(wanted))


def check_case(i, folder):
    rng = np.random.default_rng(i)
    users, items = int(rng.integers(2, 61)), int(rng.integers(3, 120))
    case = make(rng, users, items)
    while not case[2].any() or not case[3].any():
        case = make(rng, users, items)
    write(folder, *case)
    done = subprocess.run(
        [driver.BUILD / "diptych", "eval", "--run", folder / "a.run", "--qrels",
         folder / "a.qrels", "--seen", folder / "a.seen", "--json",
         "eval.bootstrap=1", f"eval.k={list(CUTOFFS)}"],
        capture_output=True, text=True)
    if done.returncode != 0:
        return [f"case {i}: {done.stderr.strip()}"]
    task = json.loads(done.stdout)["retrieval"]["drawn"]
    faults = []
    for k in CUTOFFS:
        for name, wanted in expect(*case, k).items():
            part = task if name in ("recall", "ndcg") else \
                task["recommendation"]
            got = part[f"{name}@{k}"]
            if not near(got, wanted):
                faults.append(f"case {i}: {name}@{k} is {got}, not {wanted}")
    return faults


def main():
    faults = []
    with tempfile.TemporaryDirectory() as name:
        for i in range(CASES):
            faults += check_case(i, pathlib.Path(name))
    print(f"{'FAIL' if faults else 'ok  '} recommendations: {CASES} cases at "
          f"{len(CUTOFFS)} cutoffs, 6 metrics each, within 1e-8")
    for fault in faults[:5]:
        print(f"     {fault}")
    sys.exit(bool(faults))


main()
