"""Writes tests/golden/judgements.json: small logs of clicks and of users, and
the grades that come of them by tests/parity/judging.py.

usage: tests/parity/gen_judgements.py    (peers: pandas, scipy, NumPy)
"""

import json
import pathlib

import numpy as np
import pandas as pd

from judging import clicks, copurchases

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "judgements.json"
ROWS = [("a", "Red mug", "train"), ("b", "Blue mug", "train"), ("c", "Teapot", "train"),
        ("d", "Tea towel", "train"), ("e", "Teapot", "train"), ("f", "", "train"),
        ("g", "Cup", "val"), ("h", "Bowl", "val"), ("i", "Plate", "test"),
        ("j", "Dish", "test")]
WEIGHTS = {"click": 1, "cart": 3, "purchase": 5, "scroll": 0}
CLICKS = [
    {},
    {"event": True, "count": True},
    {"event": True, "best": True, "whole": True},
    {"event": True, "log": True, "least": 3},
    {"event": True, "count": True, "grades": "absolute", "scale": 4},
    {"event": True, "count": True, "grades": "absolute", "full": 12.5, "log": True},
    {"event": True, "count": True, "grades": "rank", "scale": 10, "whole": True},
    {"event": True, "rank": True},
    {"event": True, "count": True, "rank": True, "impression": "view"},
    {"event": True, "impression": "view", "prior": 2.5, "least": 2},
    {"event": True, "rank": True, "impression": "view", "rank_bias": 0.5, "best": True},
    {"event": True, "count": True, "impression": "view", "prior": 0, "grades": "absolute"},
]
COPURCHASES = [
    {},
    {"affinity": "jaccard", "shrink": 0, "min_users": 1},
    {"affinity": "confidence", "grades": "absolute", "scale": 5, "own": 0},
    {"affinity": "npmi", "min_users": 1, "shrink": 1, "same_split": True},
    {"grades": "rank", "neighbours": 2, "whole": True},
    {"history": 2, "min_users": 1, "own": 9},
]


def click_log(rng, rows=180):
    ids = [r[0] for r in ROWS]
    log = pd.DataFrame({
        "query": rng.choice(["mug", "tea", "dish, blue"], rows),
        "item": rng.choice(ids, rows),
        "event": rng.choice(["view", "view", "click", "click", "cart", "purchase",
                             "scroll"], rows),
        "count": rng.integers(0, 5, rows), "rank": rng.integers(1, 30, rows)})
    return log.assign(split=log["item"].map({r[0]: r[2] for r in ROWS}))


def click_case(log, case):
    options = dict(case)
    columns = [c for c in ("event", "count", "rank") if options.pop(c, False)]
    kept = log[["query", "item", "split", *columns]]
    if "event" in columns:
        options["weights"] = dict(WEIGHTS)
        if "impression" not in options:
            options["weights"]["view"] = 0
    grades = clicks(kept, **options)
    return {"options": {**case, **{"weights": options.get("weights", {})}},
            "judgements": grades.to_numpy().tolist()}


def copurchase_log(rng, rows=140):
    return pd.DataFrame({"user": rng.integers(0, 14, rows), "row": rng.integers(0, 10, rows),
                         "time": rng.integers(0, 12, rows),
                         "split": rng.choice(["train", "train", "val", "test"], rows)})


def copurchase_case(log, case):
    texts = [r[1] for r in ROWS]
    grades = copurchases(log, texts, np.array([r[2] for r in ROWS]), **case)
    return {"options": case,
            "judgements": [[t, int(r), float(g)] for (t, r), g in grades.items()]}


def main():
    rng = np.random.default_rng(5)
    events, bought = click_log(rng), copurchase_log(rng)
    golden = {
        "made_by": f"pandas {pd.__version__}", "rows": ROWS,
        "clicks": {"log": events.drop(columns="split").to_csv(index=False),
                   "cases": [click_case(events, c) for c in CLICKS]},
        "copurchases": {"log": bought.assign(id=[ROWS[r][0] for r in bought["row"]])
                        [["user", "id", "time", "split"]].to_csv(index=False),
                        "cases": [copurchase_case(bought, c) for c in COPURCHASES]}}
    GOLDEN.write_text(json.dumps(golden) + "\n")
    for kind in ("clicks", "copurchases"):
        print(kind, [len(c["judgements"]) for c in golden[kind]["cases"]])


if __name__ == "__main__":
    main()
