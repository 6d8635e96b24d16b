"""What is made of recommendations, against a second implementation of the
definitions in numpy: recall@k and nDCG@k as LightGCN's evaluation has them
(items of the training are never recommended, recall over all of a user's test
items, the ideal DCG over the first k of them), coverage, Gini, mean popularity
and its lift, and each user's influence on the last four, by leaving him out and
measuring anew. 200 generated cases of 2 to 60 users at several cutoffs, within
1e-9; 10 of them by `diptych eval --run --qrels --seen` too, within 1e-8, since
the report carries 9 digits.

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

CASES, FILES, CUTOFFS = 200, 10, (1, 5, 20, 100)
MEASURES = "coverage", "gini", "popularity", "popularity_lift"


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


def expect(scores, listed, seen, test, k, known=None):
    if known is None:
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


def near(got, wanted, tolerance):
    if got is None or wanted is None:
        return got is wanted
    return abs(got - wanted) <= tolerance * max(1, abs(wanted))


def case_of(i):
    rng = np.random.default_rng(i)
    users, items = int(rng.integers(2, 61)), int(rng.integers(3, 120))
    case = make(rng, users, items)
    while not case[2].any() or not case[3].any():
        case = make(rng, users, items)
    return case


def without_unknown(case):
    """Less the items that no file would name."""
    known = case[1].any(0) | case[2].any(0) | case[3].any(0)
    return tuple(part[:, known] for part in case)


def check_file(i, folder):
    case = case_of(i)
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
            if not near(got, wanted, 1e-8):
                faults.append(f"case {i}: {name}@{k} is {got}, not {wanted}")
    return faults


def expect_influences(scores, listed, seen, test, k, whole):
    """[users who are asked about] for each measure; None: has none."""
    asked = np.flatnonzero(test.any(1))
    known = listed.any(0) | seen.any(0) | test.any(0)
    left = {name: [] for name in MEASURES}
    for user in asked:
        others = test.copy()
        others[user] = False
        # Whoever is left out is asked nothing; his items stay in the catalog.
        rest = expect(scores, listed, seen, others, k, known) \
            if others.any() else dict.fromkeys(MEASURES)
        for name in MEASURES:
            left[name].append(rest[name])
    n = len(asked)
    out = {}
    for name in MEASURES:
        if whole[name] is None or None in left[name]:
            out[name] = None
            continue
        without = np.array(left[name])
        out[name] = whole[name] + (n - 1) * (without.mean() - without)
    return out


def check_values(cases, answers):
    faults = []
    for i, (case, got) in enumerate(zip(cases, answers)):
        for k, part in zip(CUTOFFS, got["cutoffs"]):
            whole = expect(*case, k)
            influences = expect_influences(*case, k, whole)
            for name in MEASURES:
                value, own = part[name]
                wanted = influences[name]
                same = near(value, whole[name], 1e-9) and (
                    None in own if wanted is None else len(own) == len(wanted)
                    and all(map(near, own, wanted, [1e-9] * len(own))))
                if not same:
                    faults.append(f"case {i}: {name}@{k} is {value}, not "
                                  f"{whole[name]}, or influences differ")
    return faults


def ours(cases):
    lines = [json.dumps({
        "kind": "recommendation", "users": len(scores), "cutoffs": CUTOFFS,
        "scores": scores.tolist(), "listed": listed.astype(int).tolist(),
        "right": test.astype(int).tolist(),
        "seen": seen.astype(int).tolist()})
        for scores, listed, seen, test in cases]
    done = subprocess.run([driver.BUILD / "tests/parity/metrics"],
                          input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    cases = [without_unknown(case_of(i)) for i in range(CASES)]
    values, files = check_values(cases, ours(cases)), []
    with tempfile.TemporaryDirectory() as name:
        for i in range(FILES):
            files += check_file(i, pathlib.Path(name))
    print(f"{'FAIL' if values else 'ok  '} recommendations: {CASES} cases at "
          f"{len(CUTOFFS)} cutoffs, 4 measures and influences, within 1e-9")
    print(f"{'FAIL' if files else 'ok  '} from files: {FILES} cases, 6 "
          "metrics, within 1e-8")
    for fault in (values + files)[:5]:
        print(f"     {fault}")
    sys.exit(bool(values or files))


main()
