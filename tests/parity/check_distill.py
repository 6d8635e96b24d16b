"""Distillation in training (loss.distill) against torch, and what it does.

The whole train split is one batch of a run whose learning rate is 0; its
exported text encoder gives the student's rows. The value in log.jsonl is
compared with the formulas written with torch's own cross-entropy, cosine and
MSE, for pairs that the teacher knows on both sides. Then a run learns with a
teacher that knows colour and type, and one without: the first must come nearer
to the teacher's similarities. Ends with 1 if a value is off by more than 1e-5.
Programs are found through DIPTYCH_BUILD (build). Peers: torch 2.13.0, h5py.
"""

import json
import pathlib
import sys
import tempfile

import h5py
import numpy as np
import torch
import torch.nn.functional as F

from check_eval_dim import CONFIG, WIDTH, diptych, encode, texts

TEMPERATURE = 0.1


def train_rows(path):
    with h5py.File(path) as file:
        rows = np.flatnonzero(file["split"][:] == 0)
        ids, titles = texts(file["id"]), texts(file["text/title"])
        values = {name: file[f"label/{name}/values"][:] for name in ("colour", "type")}
        names = {name: texts(file[f"label/{name}/names"]) for name in values}
    queries = [f"{names['colour'][values['colour'][r]]} {names['type'][values['type'][r]]}"
               for r in rows]
    marks = np.concatenate([np.eye(len(names[n]), dtype=np.float32)[values[n][rows]]
                            for n in values], 1)
    return [ids[r] for r in rows], queries, [titles[r] for r in rows], marks


def write_teacher(path, ids, query, product):
    data = [i.encode() for i in ids]
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "diptych-embeddings"
        file.attrs["version"] = 1
        file["id/bytes"] = np.frombuffer(b"".join(data), np.uint8)
        file["id/offsets"] = np.cumsum([0] + [len(i) for i in data]).astype(np.int64)
        file["embedding/query"] = query
        file["embedding/title"] = product


def wanted(kind, similarity, scale, student, teacher):
    """The loss of rows [N, D] of the student and [N, E] of the teacher."""
    q, p = (torch.from_numpy(x).double() for x in student)
    a, b = (torch.from_numpy(x).double() for x in teacher)
    there = (a.norm(dim=1) > 0) & (b.norm(dim=1) > 0)
    q, p, a, b = q[there], p[there], F.normalize(a[there]), F.normalize(b[there])
    if kind == "cosine":
        return float(1 - (F.cosine_similarity(q, a) + F.cosine_similarity(p, b)).mean() / 2)
    if kind == "mse":
        return float((F.mse_loss(q, a) + F.mse_loss(p, b)) / 2)
    scores = q @ p.T if similarity == "cosine" else -torch.cdist(q, p) ** 2
    targets = a @ b.T / TEMPERATURE
    ways = [F.cross_entropy(scale * scores, targets.softmax(1)),
            F.cross_entropy(scale * scores.T, targets.T.softmax(1))]
    return float(sum(ways) / 2)


def train(folder, name, similarity, rows, **changes):
    config = json.loads(json.dumps(CONFIG)) | {"name": name}
    del config["loss"]["matryoshka"]
    config["model"] |= {"similarity": similarity}
    config["train"] |= {"batch_size": rows, "epochs": 1, "precision": "fp32", "lr": 0}
    config["train"] |= changes.pop("train", {})
    config["loss"]["distill"] = {"teacher": "teacher.h5", **changes}
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    diptych(folder, "train", "config.yaml", "--quiet")
    lines = [json.loads(x) for x in (folder / "runs" / name / "log.jsonl").open()]
    return [x for x in lines if x["event"] == "step"]


def check_value(folder, rows, kind, similarity):
    ids, queries, titles, _ = rows
    draw = np.random.default_rng(5)
    width = 7 if kind == "kl" else WIDTH
    teacher = [draw.standard_normal((len(ids), width)).astype(np.float32) for _ in range(2)]
    teacher[0][3] = 0
    teacher[1][4:9] = 0
    order = draw.permutation(len(ids))
    write_teacher(folder / "teacher.h5", [ids[i] for i in order],
                  teacher[0][order], teacher[1][order])
    name = f"{kind}-{similarity}"
    more = {"temperature": TEMPERATURE} if kind == "kl" else {}
    step = train(folder, name, similarity, len(ids), kind=kind, **more)[0]
    bundle = folder / f"bundle-{name}"
    diptych(folder, "export", f"runs/{name}", "--format", "torchscript", "--out", bundle,
            "--quiet")
    student = [encode(bundle, queries), encode(bundle, titles)]
    value = wanted(kind, similarity, step["scale"], student, teacher)
    gap = abs(step["terms"]["distill"]["words"] - value)
    good = gap <= 1e-5
    print(f"{'ok  ' if good else 'FAIL'}  {kind}, {similarity}: {value:.6f}, off by {gap:.1e}")
    return good


def check_learning(folder, rows):
    ids, _, _, marks = rows
    write_teacher(folder / "teacher.h5", ids, marks, marks)
    last = {}
    for weight in (0, 0.9):
        steps = train(folder, f"weight-{weight}", "cosine", 64, weight=weight,
                      temperature=TEMPERATURE, train={"epochs": 6, "lr": 5e-3})
        last[weight] = np.mean([s["terms"]["distill"]["words"] for s in steps[-4:]])
    good = last[0.9] < last[0] - 0.02
    print(f"{'ok  ' if good else 'FAIL'}  cross-entropy with the teacher: {last[0.9]:.3f} "
          f"distilled, {last[0]:.3f} not")
    return good


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        diptych(folder, "synth", "--rows", 400, "--size", 16, "--seed", 3, "--out",
                "a.h5", "--quiet")
        rows = train_rows(folder / "a.h5")
        good = [check_value(folder, rows, kind, similarity)
                for kind in ("kl", "cosine", "mse")
                for similarity in ("cosine", "euclidean")]
        good.append(check_learning(folder, rows))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
