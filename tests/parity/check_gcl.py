"""GCL with several fields on both sides (arXiv 2404.08535) against NumPy.

A query is the average of two fields and a product of two, with weights. The
whole train split is one batch of a run whose learning rate is 0; its exported
text encoder gives the fields' rows. The loss in log.jsonl is compared with the
formula written out (the pair's cross-entropy both ways, other right answers
left out; without judgements each pair weighs 1), and the ranking of
`diptych eval` with NumPy's, of whole embeddings and of a part. Ends with 1 if
a loss is off by more than 1e-5 or a metric by more than 1e-6. Programs are
found through DIPTYCH_BUILD (build). Peers: torch 2.13.0, NumPy, h5py.
"""

import json
import sys

import h5py
import numpy as np

from check_eval_dim import CONFIG, WIDTH, diptych, encode, figures, on_drawn_products, texts

QUERY, PRODUCT = {"{colour}": 0.7, "{type}": 0.2}, {"title": 0.9, "gender": 0.1}


def fields(path, split):
    """Texts of each field, and keys, of the rows of a split."""
    with h5py.File(path) as file:
        rows = np.flatnonzero(file["split"][:] == split)
        out = {"title": [texts(file["text/title"])[r] for r in rows]}
        values = {}
        for name in ("colour", "type", "gender"):
            names = texts(file[f"label/{name}/names"])
            values[name] = file[f"label/{name}/values"][:][rows]
            out[name] = [names[v] if v >= 0 else "" for v in values[name]]
    out["{colour}"], out["{type}"] = out["colour"], out["type"]
    return out, list(zip(values["colour"], values["type"]))


def average(bundle, lines, weights, similarity):
    """Weighted average of the fields that a row has."""
    total, sums = 0, 0
    for name, weight in weights.items():
        there = weight * np.array([[line != ""] for line in lines[name]])
        sums = sums + there * encode(bundle, lines[name]).astype(np.float64)
        total = total + there
    sums = sums / total
    if similarity == "cosine":
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    return sums


def cross_entropy(scores, right):
    """Mean over rows; right answers besides the own are no candidates."""
    scores = np.where(right & ~np.eye(len(scores), dtype=bool), -np.inf, scores)
    top = scores.max(1)
    return np.mean(top + np.log(np.exp(scores - top[:, None]).sum(1)) - np.diag(scores))


def loss(q, p, keys, scale, similarity):
    scores = q @ p.T if similarity == "cosine" else -((q[:, None] - p[None]) ** 2).sum(2)
    right = np.array([[a == b for b in keys] for a in keys])
    return (cross_entropy(scale * scores, right) + cross_entropy(scale * scores.T, right)) / 2


def report(what, gap, most):
    print(f"{'ok  ' if gap <= most else 'FAIL'}  {what}, off by {gap:.1e}")
    return gap <= most


def check(folder, similarity):
    config = json.loads(json.dumps(CONFIG)) | {"name": similarity}
    task = config["tasks"]["words"]
    task["query"], *task["query_with"] = QUERY
    task["query_weights"] = list(QUERY.values())
    task["product_fields"] = list(PRODUCT)
    config["fields"] = {"gender": {"template": "{gender}"}}
    config["model"] |= {"similarity": similarity,
                        "fusion": {"fixed": True, "weights": PRODUCT}}
    config["loss"] = {"kind": "gcl"}
    lines, keys = fields(folder / "a.h5", 0)
    config["train"] |= {"batch_size": len(keys), "epochs": 1, "precision": "fp32", "lr": 0}
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    run, bundle = folder / "runs" / similarity, folder / f"bundle-{similarity}"
    diptych(folder, "train", "config.yaml", "--quiet")
    diptych(folder, "export", run, "--format", "torchscript", "--out", bundle, "--quiet")
    step = next(x for x in map(json.loads, (run / "log.jsonl").open()) if x["event"] == "step")
    q, p = (average(bundle, lines, w, similarity) for w in (QUERY, PRODUCT))
    value = loss(q, p, keys, step["scale"], similarity)
    good = [report(f"loss, {similarity}: {value:.6f}",
                   abs(step["terms"]["tasks"]["words"] - value), 1e-5)]
    lines, keys = fields(folder / "a.h5", 2)
    q, p = (average(bundle, lines, w, similarity) for w in (QUERY, PRODUCT))
    for dim in (WIDTH, 8):
        found = json.loads(diptych(folder, "eval", run, "--dim", dim, "--json", "--quiet"))
        found = found["retrieval"]["words"]
        wanted = figures(q, p, keys, dim, similarity)
        gap = max(abs(found[k] - v) for k, v in wanted.items())
        good.append(report(f"ranking, {similarity}, {dim} numbers: MRR {wanted['mrr']:.4f}",
                           gap, 1e-6))
    return all(good)


if __name__ == "__main__":
    sys.exit(on_drawn_products(check))
