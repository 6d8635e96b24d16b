"""The statistics of eval/ against scipy and statsmodels.

    python tests/parity/check_stats.py

Each method on 200 generated cases, adversarial ones among them: ties, equal
samples, values of 0 and 1, groups, two pairs, a million times apart. Where the
definitions agree, within 1e-9 (of the value, where it is above 1); where they
do not, the case says why and what it is held to instead. Needs
$DIPTYCH_BUILD/tests/parity/stats. Peers: scipy 1.17.1, statsmodels 0.15.0.
"""

import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "tests/parity/stats"
CASES = 200
# An estimate from random draws is held to this many standard errors of it.
ERRORS = 6


def ask(cases):
    """The program's answers to a list of cases."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([PROGRAM], input=lines, capture_output=True,
                          text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def near(got, wanted):
    """Whether they agree within 1e-9; None stands for what does not exist."""
    if got is None or wanted is None or not np.isfinite(wanted):
        return got is None and (wanted is None or not np.isfinite(wanted))
    return abs(got - wanted) <= 1e-9 * max(1.0, abs(wanted))


class Tally:
    """Counts the cases of one method by how they were held."""

    def __init__(self, name):
        self.name, self.count, self.bad, self.ways = name, 0, [], {}

    def case(self, good, way, words):
        self.count += 1
        self.ways[way] = self.ways.get(way, 0) + 1
        if not good:
            self.bad.append(words)

    def show(self):
        good = not self.bad and self.count >= CASES
        ways = "; ".join(f"{n} {way}" for way, n in self.ways.items())
        print(f"{'ok  ' if good else 'FAIL'} {self.name}: {self.count} cases "
              f"({ways})", flush=True)
        for words in self.bad[:5]:
            print(f"     {words}")
        return good


def pair_of(rng, kind, n):
    """Per-query values of two systems."""
    if kind == "real":
        return rng.random(n), rng.random(n)
    if kind == "hits":
        return (rng.integers(0, 2, n).astype(float),
                rng.integers(0, 2, n).astype(float))
    if kind == "ranks":
        a = 1.0 / rng.integers(1, 20, n)
        return a, np.where(rng.random(n) < .7, a, 1.0 / rng.integers(1, 20, n))
    if kind == "equal":
        a = rng.random(n)
        return a, a.copy()
    if kind == "shifted":  # by a number that floats hold exactly
        a = rng.integers(0, 9, n).astype(float)
        return a + 0.25, a
    if kind == "far":
        return rng.random(n) * 1e6, rng.random(n) * 1e-6
    a = np.zeros(n)  # one query that differs
    a[rng.integers(n)] = 1.0
    return a, np.zeros(n)


KINDS = ["real", "hits", "ranks", "equal", "shifted", "far", "one"]


def pairs(rng, sizes, resamples=10000):
    for i in range(CASES):
        n = int(rng.integers(*sizes))
        a, b = pair_of(rng, KINDS[i % len(KINDS)], n)
        case = {"a": a.tolist(), "b": b.tolist(), "seed": i,
                "resamples": resamples}
        if i % 2:
            case["groups"] = rng.integers(0, max(2, n // 2), n).tolist()
        yield case


def sums_of(case):
    """Sum and number of the differences of each group."""
    d = np.subtract(case["a"], case["b"])
    if "groups" not in case:
        return d, np.ones(len(d))
    _, where = np.unique(case["groups"], return_inverse=True)
    return np.bincount(where, d), np.bincount(where)


# ---- paired t ----------------------------------------------------------------

def peer_t(case):
    """scipy's, and with groups statsmodels' cluster-robust one of the mean."""
    if "groups" not in case:
        peer = stats.ttest_rel(case["a"], case["b"])
        return peer.statistic, peer.pvalue
    d = np.subtract(case["a"], case["b"])
    fit = sm.OLS(d, np.ones(len(d))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(case["groups"])},
        use_t=True)
    return fit.tvalues[0], fit.pvalues[0]


def check_t():
    tally = Tally("paired t against scipy and statsmodels")
    cases = [*pairs(np.random.default_rng(1), (3, 300), 9),
             *pairs(np.random.default_rng(2), (20000, 20001), 9)][:CASES + 8]
    for case, got in zip(cases, ask(cases)):
        sums, rows = sums_of(case)
        if len(sums) < 2:
            tally.case("units" in got.get("error", ""),
                       "refused: one group has no variance", got)
            continue
        off = sums - sums.sum() / rows.sum() * rows
        if np.abs(off).max() <= 1e-12 * np.abs(sums).max():
            good = (got["t"] is None or abs(got["t"]) > 1e6) and (
                got["t_p"] is None or got["t_p"] < 1e-6)
            tally.case(good, "without variance: t is undefined or infinite "
                       "up to rounding", (got, sums[:4]))
            continue
        t, p = peer_t(case)
        tally.case(near(got["t"], t) and near(got["t_p"], p), "within 1e-9",
                   (got, t, p))
    return tally.show()


# ---- sign flips --------------------------------------------------------------

def check_sign_flip():
    tally = Tally("sign flips against scipy's permutation_test")
    cases = list(pairs(np.random.default_rng(3), (1, 13), 9))
    for case, got in zip(cases, ask(cases)):
        sums, _ = sums_of(case)
        got = got.get("sign_flip")
        if got is None:  # the t test of the same call refuses one group
            tally.case(len(sums) == 1, "refused: one group", case)
            continue
        peer = stats.permutation_test(
            (sums, np.zeros_like(sums)), lambda x, y, axis: np.sum(x - y, axis),
            permutation_type="samples", n_resamples=np.inf, vectorized=True,
            alternative="two-sided").pvalue
        if abs(sums.sum()) <= 1e-12 * np.abs(sums).sum():
            tally.case(got == 1.0, "that are 1: scipy's tolerance is relative "
                       "to a sum that is 0 up to rounding", (got, peer))
        else:
            tally.case(near(got, peer), "within 1e-9", (got, peer, sums))
    return tally.show()


def exact_of_integers(sums):
    """The p value over all sign patterns, by adding up their distribution."""
    reach = int(np.abs(sums).sum())
    ways = np.zeros(2 * reach + 1)
    ways[reach] = 1.0
    for s in np.abs(sums).astype(int):
        if s:
            ways = (np.concatenate([ways[s:], np.zeros(s)]) +
                    np.concatenate([np.zeros(s), ways[:-s]])) / 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(sums.sum()))
    return ways[far].sum()


def check_sampled_sign_flip():
    tally = Tally("sampled sign flips against the exact distribution")
    rng = np.random.default_rng(4)
    cases = []
    for i in range(CASES):
        n = int(rng.integers(21, 400))
        a = rng.integers(-3, 4, n) + (rng.random(n) < .1 * (i % 5))
        cases.append({"a": a.tolist(), "b": [0.0] * n, "seed": i})
    for case, got in zip(cases, ask(cases)):
        p = exact_of_integers(np.array(case["a"], float))
        error = np.sqrt(p * (1 - p) / 10000) + 1e-4
        tally.case(abs(got["sign_flip"] - p) <= ERRORS * error,
                   f"within {ERRORS} standard errors: signs are drawn",
                   (got["sign_flip"], p))
    return tally.show()


# ---- bootstrap ---------------------------------------------------------------

def within(got, draws, level=0.95):
    """Whether both ends lie where quantiles of as many draws can lie."""
    good = True
    for value, q in zip(got, ((1 - level) / 2, (1 + level) / 2)):
        error = ERRORS * np.sqrt(2 * q * (1 - q) / len(draws))
        low, high = np.quantile(draws, [max(0, q - error), min(1, q + error)])
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        good &= low - slack <= value <= high + slack
    return good


def check_bootstrap():
    tally = Tally("bootstrap against scipy's")
    cases = list(pairs(np.random.default_rng(5), (3, 120)))
    for i, (case, got) in enumerate(zip(cases, ask(cases))):
        sums, rows = sums_of(case)
        if "error" in got:
            tally.case(len(sums) == 1, "refused: one group", got)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # degenerate: all are equal
            draws = stats.bootstrap(
                (sums, rows), lambda s, r, axis: s.sum(axis) / r.sum(axis),
                paired=True, vectorized=True, n_resamples=10000,
                method="percentile", rng=i).bootstrap_distribution
        tally.case(within(got["interval"], draws),
                   f"within {ERRORS} standard errors: the draws are others",
                   (got["interval"], np.quantile(draws, [.025, .975])))
    return tally.show()


# ---- Holm --------------------------------------------------------------------

def check_holm():
    tally = Tally("Holm against statsmodels")
    rng = np.random.default_rng(6)
    cases = []
    for i in range(CASES):
        p = rng.random(int(rng.integers(1, 40))) ** (1 + 3 * (i % 3))
        if i % 4 == 1:
            p = np.round(p, 1)  # ties, zeros, ones
        cases.append({"p": p.tolist()})
    for case, got in zip(cases, ask(cases)):
        peer = multipletests(case["p"], method="holm")[1]
        tally.case(all(map(near, got["holm"], peer)), "within 1e-9",
                   (case, got))
    for wrong in ("nan", 1.5, -0.1):
        got, = ask([{"p": [0.1, wrong]}])
        tally.case("p value 1 is" in got.get("error", ""),
                   "refused: no p value; statsmodels carries it on", got)
    return tally.show()


# ---- several runs ------------------------------------------------------------

def check_runs():
    """Where queries do not matter, the runs' means decide alone, and where the
    runs do not differ, the queries do."""
    seeds = Tally("runs of equal queries against Student's t of scipy")
    rng = np.random.default_rng(7)
    cases = []
    for i in range(CASES):
        sizes = rng.integers(2, 6, 2)
        runs = [[[x] * 30 for x in rng.normal(.3 * (i % 3) * side, 1, n)]
                for side, n in enumerate(sizes)]
        cases.append({"runs_a": runs[0], "runs_b": runs[1], "seed": i})
    for case, got in zip(cases, ask(cases)):
        a = np.array(case["runs_a"])[:, 0]
        b = np.array(case["runs_b"])[:, 0]
        p = stats.ttest_ind(a, b).pvalue
        error = np.sqrt(p * (1 - p) / 10000) + 1e-4
        draws = a.mean() + stats.sem(a) * stats.t.rvs(
            len(a) - 1, size=10000, random_state=rng)
        good = (abs(got["p"] - p) <= ERRORS * error and
                near(got["mean"], a.mean()) and
                near(got["deviation"], a.std(ddof=1)) and
                within(got["summary"], draws))
        seeds.case(good, f"p and interval within {ERRORS} standard errors, "
                   "mean and deviation within 1e-9", (got, p))
    queries = Tally("equal runs against the bootstrap over queries")
    ones = list(pairs(np.random.default_rng(8), (3, 60)))
    twice = [{**case, "runs_a": [case["a"]] * 3, "runs_b": [case["b"]] * 2}
             for case in ones]
    for case, one, many in zip(ones, ask(ones), ask(twice)):
        if "error" in one:
            queries.case(len(sums_of(case)[0]) == 1, "refused: one group", one)
            continue
        queries.case(all(map(near, one["interval"], many["interval"])),
                     "within 1e-9", (one, many))
    return seeds.show() & queries.show()


def check_refusals():
    good = True
    for words, case in {
            "value 1 is not finite": {"a": [1, "nan", 2], "b": [0, 0, 0]},
            "no values to draw from": {"a": [], "b": []},
            "one run a side": {"runs_a": [[1, 2]], "runs_b": [[1, 3]]},
            "-1 resamples": {"a": [1, 2], "b": [0, 0], "resamples": -1}}.items():
        got, = ask([case])
        fine = words in got.get("error", "")
        good &= fine
        print(f"{'ok  ' if fine else 'FAIL'} refused: {words}")
    return good


def main():
    checks = [check_t, check_sign_flip, check_sampled_sign_flip,
              check_bootstrap, check_holm, check_runs, check_refusals]
    sys.exit(0 if all([check() for check in checks]) else 1)


if __name__ == "__main__":
    main()
