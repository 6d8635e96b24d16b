"""Do the tests of eval/ keep their level?

    python tests/parity/check_level.py [REPORT.json ...]

On the differences, query by query, of real runs: the reports (with their files
of queries beside them) of at least six seeds of one config. Without arguments
eight runs of tests/cli/tiny.yaml on drawn products are trained for it.

1. Signs flipped at random, a group as one, 3,000 times: each test over queries
   rejects at 5 % in 5 +- 1.5 % of them.
2. How often two seeds of one config 'differ' by a test over queries alone: told,
   and no more, since it is what such a test cannot know.
3. How often two sides of several seeds of that one config differ by the test
   over seeds and queries that `diptych compare` decides by: at most 10 % of all
   ways to deal the runs out. (They share runs, so this figure is rough.)
4. Runs drawn from the model with the spread that the real ones have, and with
   seeds that matter three times as much as the sampling of queries, 3 against
   3: that test rejects in at most 8 %, which is 5 % and three standard errors.
   Beside it stands what a test over queries makes of the same runs, and a plain
   bootstrap of runs and queries.

Needs $DIPTYCH_BUILD/tests/parity/stats and, without arguments, the programs.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("DIPTYCH_BUILD", "build")
TASK = "text_to_image"
METRICS = ["mrr", "hit@1"]
FLIPS = 3000
DRAWS = 400
RESAMPLES = 1999
SEEDS = 8


def ask(cases):
    """The answers of the program to a list of cases."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([BUILD / "tests/parity/stats"], input=lines,
                          capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(folder, *words):
    done = subprocess.run([BUILD / "diptych", *words], cwd=folder, text=True,
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(f"FAIL {' '.join(words)}: {done.stderr}")


def train_seeds(folder):
    """Reports of several seeds of one config."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    run(folder, "synth", "--quiet", "--rows", "6000", "--size", "16", "--out",
        "a.h5")
    for seed in range(SEEDS):
        run(folder, "train", str(ROOT / "tests/cli/tiny.yaml"), "--quiet",
            f"name=s{seed}", f"seed={seed}", "train.epochs=2")
        run(folder, "eval", f"runs/s{seed}", "--quiet", "--no-html")
        yield folder / f"runs/s{seed}/report.json"


def read(reports, metric):
    """[runs, queries] values and [queries] groups."""
    values = []
    for report in reports:
        path = str(report).removesuffix(".json") + ".queries.h5"
        with h5py.File(path) as file:
            values.append(file[f"{TASK}/value/{metric}"][:])
            groups = file[f"{TASK}/group"][:]
    return np.array(values), groups


def show(good, words):
    print(f"{'ok  ' if good else 'FAIL'} {words}", flush=True)
    return good


def rejections(answers):
    """The share of answers in which each test says that there is something."""
    return {
        "sign flips": np.mean([a["sign_flip"] <= .05 for a in answers]),
        "paired t": np.mean([a["t_p"] is not None and a["t_p"] <= .05
                             for a in answers]),
        "bootstrap": np.mean([not a["interval"][0] <= 0 <= a["interval"][1]
                              for a in answers])}


def check_flips(values, groups, metric, rng):
    """The two runs that are furthest apart give the differences."""
    means = values.mean(axis=1)
    d = values[means.argmax()] - values[means.argmin()]
    _, where = np.unique(groups, return_inverse=True)
    zeros = [0.0] * len(d)
    answers = []
    for start in range(0, FLIPS, 100):
        answers += ask([
            {"a": (d * rng.choice([-1, 1], where.max() + 1)[where]).tolist(),
             "b": zeros, "groups": where.tolist(), "resamples": RESAMPLES,
             "seed": start + i} for i in range(100)])
    good = True
    for test, share in rejections(answers).items():
        good &= show(abs(share - .05) <= .015,
                     f"{metric}, {FLIPS} random flips of {len(d)} differences "
                     f"in {where.max() + 1} groups: {test} rejects "
                     f"{100 * share:.1f} % (5 +- 1.5 %)")
    return good


def tell_pairs(values, groups, metric):
    pairs = list(itertools.combinations(range(len(values)), 2))
    shares = rejections(ask([
        {"a": values[i].tolist(), "b": values[j].tolist(),
         "groups": groups.tolist(), "resamples": RESAMPLES, "seed": k}
        for k, (i, j) in enumerate(pairs)]))
    words = ", ".join(f"{test} {100 * share:.0f} %"
                      for test, share in shares.items())
    print(f"     {metric}, {len(pairs)} pairs of seeds of one config differ by "
          f"tests over queries: {words}", flush=True)


def sides_of(count, size):
    """All ways to deal `size` runs to each of two sides."""
    for a in itertools.combinations(range(count), size):
        for b in itertools.combinations(set(range(count)) - set(a), size):
            if a < b:
                yield a, b


def check_sides(values, groups, metric, rng):
    good = True
    for size in range(2, len(values) // 2 + 1):
        sides = list(sides_of(len(values), size))
        picked = [sides[i] for i in rng.permutation(len(sides))[:100]]
        answers = ask([
            {"runs_a": values[list(a)].tolist(),
             "runs_b": values[list(b)].tolist(), "groups": groups.tolist(),
             "resamples": RESAMPLES, "seed": k}
            for k, (a, b) in enumerate(picked)])
        share = np.mean([a["p"] <= .05 for a in answers])
        good &= show(share <= .10,
                     f"{metric}, {size} seeds against {size} others of one "
                     f"config, {len(picked)} times: seeds and queries reject "
                     f"{100 * share:.0f} % (at most 10 %)")
    return good


def plain(a, b, rng):
    """Whether runs and queries drawn with replacement, their differences
    averaged, leave 0 outside of the interval."""
    n = a.shape[1]
    draws = []
    for _ in range(200):
        q = np.bincount(rng.integers(0, n, n), minlength=n) / n
        draws.append((a[rng.integers(0, len(a), len(a))].mean(0) -
                      b[rng.integers(0, len(b), len(b))].mean(0)) @ q)
    low, high = np.quantile(draws, [.025, .975])
    return not low <= 0 <= high


def check_model(values, metric, rng, times=None):
    """y = query + run + (run, query): the spread of the runs is that of the real
    ones, or `times` the error that the sampling of queries gives; the
    (run, query) part is theirs with other signs."""
    runs, n = values.shape
    query = values.mean(axis=0)
    rest = values - query
    mixed = rest - rest.mean(axis=1, keepdims=True)
    mixed *= np.sqrt(runs / (runs - 1))
    error = mixed.std() / np.sqrt(n)
    spread = max(0., rest.mean(axis=1).var(ddof=1) - error ** 2) ** .5
    if times is not None:
        spread = times * error

    def draw(count):
        return np.array([
            query + spread * rng.normal() + mixed[rng.integers(runs)] *
            rng.choice([-1, 1], n) for _ in range(count)])

    cases = [(draw(3), draw(3)) for _ in range(DRAWS)]
    share = np.mean([a["p"] <= .05 for a in ask([
        {"runs_a": a.tolist(), "runs_b": b.tolist(), "resamples": RESAMPLES,
         "seed": k} for k, (a, b) in enumerate(cases)])])
    queries = np.mean([a["t_p"] <= .05 for a in ask([
        {"a": a.mean(0).tolist(), "b": b.mean(0).tolist(), "resamples": 9}
        for a, b in cases])])
    naive = np.mean([plain(a, b, rng) for a, b in cases[:300]])
    return show(share <= .08,
                f"{metric}, {DRAWS} times 3 runs against 3 of the model, runs "
                f"{spread:.4f} apart, queries give {error:.4f}: seeds and "
                f"queries reject {100 * share:.1f} % (at most 8 %); t test "
                f"over queries {100 * queries:.1f} %, plain bootstrap of both "
                f"{100 * naive:.1f} %")


def main():
    rng = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as name:
        reports = sys.argv[1:] or list(train_seeds(pathlib.Path(name)))
        good = True
        for metric in METRICS:
            values, groups = read(reports, metric)
            good &= check_flips(values, groups, metric, rng)
            tell_pairs(values, groups, metric)
            good &= check_sides(values, groups, metric, rng)
            good &= check_model(values, metric, rng)
        good &= check_model(values, metric, rng, 3)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
