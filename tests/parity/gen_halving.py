#!/usr/bin/env python3
"""Writes tests/golden/halving.json: what asynchronous successive halving does
with made-up learning curves and one or several workers.

The reference is algorithm 2 (ASHA) of Li et al., "A system for massively
parallel hyperparameter tuning", arXiv 1810.05934v5, over a simulated clock:
get_job() in the words of the paper, with its top_k over the results of a rung.
Needs nothing but Python.

    tests/parity/gen_halving.py
"""
import heapq
import json
import pathlib
import random

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden/halving.json"


class Asha:
    """Rungs are {trial: value}; `promoted` what has left a rung upwards."""

    def __init__(self, trials, rungs, eta):
        self.eta, self.left = eta, list(range(trials))
        self.rungs = [{} for _ in range(rungs)]
        self.promoted = [set() for _ in range(rungs)]

    def get_job(self):
        for k in reversed(range(len(self.rungs) - 1)):
            ranked = sorted(self.rungs[k], key=lambda t: (-self.rungs[k][t], t))
            candidates = ranked[:len(ranked) // self.eta]
            promotable = [t for t in candidates if t not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return promotable[0], k + 1
        if self.left:
            return self.left.pop(0), 0
        return None


def simulate(seed, trials, epochs, eta, workers):
    """Trial t gets up to top[t] - gap[t] / epochs and takes pace[t] an epoch."""
    draw = random.Random(seed)
    top = [draw.uniform(.2, .9) for _ in range(trials)]
    gap = [draw.uniform(.0, .5) for _ in range(trials)]
    pace = [draw.uniform(.5, 3) for _ in range(trials)]
    values = [[round(top[t] - gap[t] / e, 6) for e in epochs]
              for t in range(trials)]
    asha, clock, running, events = Asha(trials, len(epochs), eta), 0., [], []
    while True:
        while len(running) < workers and (job := asha.get_job()) is not None:
            t, k = job
            spent = pace[t] * (epochs[k] - (epochs[k - 1] if k else 0))
            heapq.heappush(running, (clock + spent, t, k))
            events.append(["begin", t, k])
        if not running:
            break
        clock, t, k = heapq.heappop(running)
        asha.rungs[k][t] = values[t][k]
        events.append(["end", t, k])
    return {"eta": eta, "epochs": epochs, "values": values, "events": events}


CASES = [
    simulate(1, 9, [1, 3, 9], 3, 1),
    simulate(2, 27, [1, 3, 9, 27], 3, 1),
    simulate(3, 40, [2, 4, 8, 16, 20], 2, 4),
    simulate(4, 64, [1, 4, 16], 4, 7),
    simulate(5, 5, [10], 3, 2),
]
OUT.write_text(json.dumps(CASES, separators=(",", ":")) + "\n")
print(f"{OUT.name}: {len(CASES)} cases, "
      f"{sum(len(c['events']) for c in CASES)} events")
