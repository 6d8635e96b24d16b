"""Grades of clicks and of what is bought together, written anew with pandas and
scipy from the formulas in docs/importing.md."""

import numpy as np
import pandas as pd
from scipy import sparse

SPLITS = ["train", "val", "test"]


def grades_of(values, lists, grades="relative", scale=3, full=1, log=False, whole=False):
    """Grades of a Series of values; `lists` says of which list each one is."""
    squash = np.log1p if log else (lambda v: v)
    groups = values.groupby(lists)
    if grades == "relative":
        part = squash(values) / squash(groups.transform("max")).replace(0, 1)
    elif grades == "absolute":
        part = (squash(values) / squash(full)).clip(upper=1)
    else:
        positive = (values > 0).groupby(lists).transform("sum")
        above = groups.rank(method="min", ascending=False) - 1
        part = ((positive - above) / positive.replace(0, 1)).where(values > 0, 0)
    out = scale * part
    return np.ceil(out - 1e-9) if whole else out


def clicks(events, weights=None, impression=None, best=False, rank_bias=1, prior=10,
           least=1, full=None, **grading):
    """`events` has query, item, split, and perhaps event, count and rank; out has a
    grade for each query, item and split that is left."""
    log = events.copy()
    log["weight"] = log["event"].map(weights | {impression: 0}) if weights else 1.0
    log["count"] = log["count"] if "count" in log else 1.0
    looks = (log["rank"] ** -float(rank_bias)).clip(lower=.1) if "rank" in log else 1.0
    shown = log["event"] == impression if impression else pd.Series(False, log.index)
    log["shown"] = (log["count"] * looks).where(shown, 0)
    log["done"] = log["weight"] * log["count"] / (1 if impression else looks)
    log["best"] = log["weight"].where(log["done"] > 0, 0)
    seen = shown if impression else log["weight"] > 0
    log["seen"] = log["count"].where(seen, 0)
    keys = ["query", "item", "split"]
    pairs = log.groupby(keys, sort=False).agg(
        {"done": "sum", "shown": "sum", "best": "max", "seen": "sum"}).reset_index()
    told = pairs[pairs["shown"] > 0].groupby("split")[["done", "shown"]].sum()
    rate = pairs["split"].map(told["done"] / told["shown"]).fillna(0)
    value = pairs["done"]
    if impression:
        value = (pairs["done"] + prior * rate) / (pairs["shown"] + prior)
    if best:
        value = pairs["best"]
    pairs["value"] = value.where(pairs["done"] > 0, 0)
    pairs = pairs[pairs["seen"] >= least].reset_index(drop=True)
    if full is None:
        of_train = pairs["value"][pairs["split"] == "train"].max()
        full = of_train if of_train > 0 else pairs["value"].max()
    lists = pairs["query"] + "\t" + pairs["split"]
    pairs["grade"] = grades_of(pairs["value"], lists, full=full, **grading)
    return pairs[keys + ["grade"]]


def affinity_of(kind, first, second, both, users):
    if kind == "cosine":
        return both / np.sqrt(first * second)
    if kind == "jaccard":
        return both / (first + second - both)
    if kind == "confidence":
        return both / first
    together = np.log(both * users / (first * second))
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.maximum(0, together / np.log(users / both))
    return np.where(both == users, 1.0, out)


def had(events, row_splits, split, same_split, history):
    """Who had which row of a split: the last rows of each user."""
    order = events["split"].map(SPLITS.index)
    allowed = order == SPLITS.index(split) if same_split else order <= SPLITS.index(split)
    log = events[allowed & (row_splits[events["row"]] == split)]
    log = log.assign(at=np.arange(len(log))).sort_values(["time", "at"])
    log = log.drop_duplicates(["user", "row"], keep="last")
    return log.groupby("user").tail(history)


def copurchases(events, texts, row_splits, affinity="cosine", shrink=5, neighbours=20,
                min_users=2, history=200, same_split=False, own=None, scale=3, **grading):
    """`events` has user, row, time and split; out maps (text, row) to a grade."""
    own = scale + 1 if own is None else own
    out = {}
    for split in SPLITS:
        part = had(events, row_splits, split, same_split, history)
        names, users = np.unique(part["user"], return_inverse=True)
        matrix = sparse.csr_array((np.ones(len(part)), (users, part["row"])),
                                  shape=(len(names), len(texts)))
        count = np.asarray(matrix.sum(axis=0)).ravel()
        together = (matrix.T @ matrix).tocoo()
        pairs = pd.DataFrame({"a": together.coords[0], "b": together.coords[1],
                              "both": together.data})
        pairs = pairs[(pairs["a"] != pairs["b"]) & (pairs["both"] >= min_users)]
        both = pairs["both"].to_numpy()
        value = affinity_of(affinity, count[pairs["a"]], count[pairs["b"]], both, len(names))
        pairs["value"] = both / (both + shrink) * value
        pairs = pairs[pairs["value"] > 0].sort_values(["a", "value", "b"],
                                                      ascending=[True, False, True])
        pairs = pairs.groupby("a").head(neighbours)
        pairs["grade"] = grades_of(pairs["value"], pairs["a"], scale=scale, **grading)
        for a, b, grade in zip(pairs["a"], pairs["b"], pairs["grade"]):
            wanted = [(b, grade)] + ([(a, own)] if own else [])
            for row, g in wanted if texts[a] else []:
                out[texts[a], row] = max(g, out.get((texts[a], row), 0))
    return out
