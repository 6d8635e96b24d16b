"""Writes tests/golden/probe.json: what classifiers of frozen embeddings must
reproduce (eval/probe.h).

Peers: scikit-learn 1.9.1, numpy 2.4.6.

Usage: python tests/parity/gen_probe.py > tests/golden/probe.json
"""

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

CLASSES, DIM = 3, 5


def make(seed, n):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(CLASSES, DIM))
    labels = rng.integers(0, CLASSES, n)
    rows = centres[labels] + rng.normal(size=(n, DIM)) * [1, 2, .5, 1, 10]
    return np.round(rows, 3), labels


def neighbours(rows, labels, test, k, temperature):
    model = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute",
        weights=lambda d: np.exp((1 - d) / temperature))
    shares = model.fit(rows, labels).predict_proba(test)
    return {"k": k, "temperature": temperature,
            "probabilities": shares.tolist()}


def linear(rows, labels, test, c, standardise):
    scale = StandardScaler(with_mean=standardise, with_std=standardise)
    x = scale.fit_transform(rows)
    model = LogisticRegression(C=c, max_iter=100000, tol=1e-10).fit(x, labels)
    own = model.predict_proba(x)[np.arange(len(x)), labels]
    objective = -np.log(own).mean() + (model.coef_ ** 2).sum() / (
        2 * c * len(x))
    shares = model.predict_proba(scale.transform(test))
    return {"c": c, "standardise": standardise, "objective": objective,
            "probabilities": shares.tolist()}


def main():
    (rows, labels), (test, _) = make(2, 60), make(3, 7)
    json.dump({
        "classes": CLASSES,
        "train": rows.tolist(), "labels": labels.tolist(),
        "test": test.tolist(),
        "knn": [neighbours(rows, labels, test, k, t)
                for k, t in ((1, .07), (5, .07), (20, .5), (60, .07))],
        "linear": [linear(rows, labels, test, c, s)
                   for c in (.01, 1.) for s in (False, True)],
    }, sys.stdout)
    print()


main()
