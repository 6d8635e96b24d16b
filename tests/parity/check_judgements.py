"""Judgements of clicks and of what is bought together, beside pandas and scipy.

Logs are drawn: 20,000 events of 40 queries and 300 products, and who had what,
400 users with up to 120 products; where there is last.fm, its 42,135 plays of
4,489 artists, too. Each import is read with h5py and compared with
tests/parity/judging.py: the same queries and rows, and grades within 1e-6 of
their size. Programs are found through DIPTYCH_BUILD (build), last.fm through
LASTFM (../shared/data/lastfm). Peers: pandas, scipy, NumPy, h5py.
"""

import os
import pathlib
import sys
import tempfile

import h5py
import numpy as np
import pandas as pd

from judging import SPLITS, clicks, copurchases
from runs import ROOT, diptych

LASTFM = pathlib.Path(os.environ.get("LASTFM", ROOT / "../shared/data/lastfm"))
WEIGHTS = {"click": 1, "cart": 3, "purchase": 5}
CLICKS = [
    ("plain", ""),
    ("sums", "--event event --weights click=1,cart=3,purchase=5,view=0 --count count --log"),
    ("best", "--event event --weights click=1,cart=3,purchase=5,view=0 --best --whole"),
    ("places", "--event event --weights click=1,cart=3,purchase=5,view=0 --rank rank "
     "--min-count 2"),
    ("rates", "--event event --weights click=1,cart=3,purchase=5 --impression view "
     "--rank rank --count count --rank-bias 0.7 --prior 4 --min-count 3"),
    ("to full", "--event event --weights click=1,cart=3,purchase=5 --impression view "
     "--grades absolute --scale 100"),
    ("ranks", "--event event --weights click=1,cart=3,purchase=5,view=0 --count count "
     "--grades rank --scale 10"),
]
COPURCHASES = ["", "--affinity jaccard --shrink 0 --min-users 1 --neighbours 7",
               "--affinity confidence --grades absolute --own 0",
               "--affinity npmi --grades rank --scale 9 --same-split",
               "--history 12 --min-users 1 --whole"]


def options_of(words):
    """The options of a command line as judging.py names them."""
    names = {"min_count": "least", "weights": None, "event": None, "count": None,
             "rank": None}
    parts, out = words.split(), {}
    while parts:
        name = parts.pop(0)[2:].replace("-", "_")
        value = parts.pop(0) if parts and not parts[0].startswith("--") else True
        name = names.get(name, name)
        if name:
            try:
                out[name] = float(value) if value is not True else True
            except ValueError:
                out[name] = value
    for name in ("neighbours", "history", "min_users"):
        if name in out:
            out[name] = int(out[name])
    return out


def texts_of(group):
    data, ends = group["bytes"][:].tobytes(), group["offsets"][:]
    return [data[a:b].decode() for a, b in zip(ends, ends[1:])]


def judged(folder):
    (path,) = folder.glob("a.judgements-*.h5")
    with h5py.File(path) as file:
        queries, part = texts_of(file["query"]), file["judgement"]
        columns = [part[k][:].tolist() for k in ("query", "row", "split", "grade")]
        return {(queries[q], r, SPLITS[s]): g for q, r, s, g in zip(*columns)}


def compare(what, got, wanted):
    assert wanted, what
    same = got.keys() == wanted.keys()
    gap = max((abs(got[k] - wanted[k]) / (1 + wanted[k]) for k in wanted if k in got),
              default=1)
    good = same and gap <= 1e-6
    print(f"{'ok  ' if good else 'FAIL'}  {what}: {len(wanted)} judgements, "
          f"{len(got.keys() ^ wanted.keys())} others, off by {gap:.1e}")
    return good


def products(folder, titles, splits):
    table = pd.DataFrame({"id": np.arange(len(titles)), "title": titles, "split": splits})
    table.to_csv(folder / "items.csv", index=False)
    diptych(folder, "import", "items.csv", "--quiet", "--id", "id", "--text", "title",
            "--split", "split", "--out", "a.h5")


def check_clicks(folder, rng):
    count, rows = 20000, 300
    splits = rng.choice(SPLITS, rows, p=[.7, .2, .1])
    products(folder, [f"thing {i}" for i in range(rows)], splits)
    queries = np.array([f"find, {i}" for i in range(40)])
    log = pd.DataFrame({"query": queries[(40 * rng.random(count) ** 2).astype(int)],
                        "item": rng.integers(0, rows, count),
                        "event": rng.choice(["view", *WEIGHTS], count, p=[.6, .3, .06, .04]),
                        "count": rng.integers(1, 4, count),
                        "rank": rng.integers(1, 60, count)})
    log.to_csv(folder / "log.csv", index=False)
    log["split"] = splits[log["item"]]
    good = []
    for name, words in CLICKS:
        diptych(folder, "import", "clicks", "log.csv", "--into", "a.h5", "--quiet",
                "--id", "item", *words.split())
        options = options_of(words)
        columns = ["query", "item", "split"] + [
            c for c in ("event", "count", "rank") if f"--{c} " in words]
        if "event" in columns:
            options["weights"] = dict(WEIGHTS) | (
                {} if "impression" in options else {"view": 0})
        found = clicks(log[columns], **options)
        wanted = {(q, r, s): g for q, r, s, g in found.to_numpy().tolist()}
        good.append(compare(f"clicks, {name}", judged(folder), wanted))
    return all(good)


def check_log(folder, what, log, titles, splits):
    """`log` has user, row, time and split."""
    log.to_csv(folder / "had.csv", index=False)
    diptych(folder, "import", "interactions", "had.csv", "--into", "a.h5", "--quiet",
            "--id", "row", "--time", "time", "--split", "split")
    good = []
    for words in COPURCHASES:
        diptych(folder, "import", "copurchases", "--into", "a.h5", "--quiet", *words.split())
        found = copurchases(log, titles, splits, **options_of(words))
        wanted = {(t, r, splits[r]): g for (t, r), g in found.items()}
        good.append(compare(f"{what}, {words or 'as it is'}", judged(folder), wanted))
    return all(good)


def check_drawn(folder, rng):
    rows, users = 300, 400
    splits = rng.choice(SPLITS, rows, p=[.6, .3, .1])
    titles = [f"thing {i % 280}" if i != 5 else "" for i in range(rows)]
    products(folder, titles, splits)
    many = rng.integers(1, 120, users)
    log = pd.DataFrame({"user": np.repeat(np.arange(users), many)})
    log["row"] = (rows * rng.random(len(log)) ** 2).astype(int)
    log["time"] = rng.integers(0, 1000, len(log))
    log["split"] = rng.choice(SPLITS, len(log), p=[.7, .2, .1])
    return check_log(folder, "drawn", log.sample(frac=1, random_state=1), titles, splits)


def check_lastfm(folder, rng):
    if not (LASTFM / "data1.txt").exists():
        return True
    log = pd.read_csv(LASTFM / "data1.txt", sep=r"\s+", names=["user", "row", "plays"])
    log["row"] -= log["row"].min()
    rows = int(log["row"].max()) + 1
    splits = rng.choice(SPLITS, rows, p=[.8, .1, .1])
    titles = [f"artist {i}" for i in range(rows)]
    products(folder, titles, splits)
    log = log.assign(time=rng.integers(0, 50, len(log)), split="train")
    return check_log(folder, "last.fm", log[["user", "row", "time", "split"]], titles, splits)


def main():
    good = []
    for check in (check_clicks, check_drawn, check_lastfm):
        with tempfile.TemporaryDirectory() as folder:
            good.append(check(pathlib.Path(folder), np.random.default_rng(3)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
