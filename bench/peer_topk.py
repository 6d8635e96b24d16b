#!/usr/bin/env python3
"""Seconds of exact search in the peers, beside bench_topk.

    peer_topk.py draw|faiss|gemm|clip ROWS QUERIES GALLERY DIM HITS

draw: writes unit rows without a pattern to ROWS, and measures nothing. faiss: IndexFlatIP, the 10 best; what it says about itself tells which share of
them bench_topk found too. gemm: nothing but the scores, by torch.mm, 4,096
queries at a time. clip: open_clip's get_clip_metrics, where row i of the gallery
is right for query i; it ranks both ways, as bench_topk does there.
"""

import resource
import sys
import time

import numpy as np
import torch

from serve import serve

BEST = 10
BLOCK = 4096


def faiss_search(queries, gallery, path):
    import faiss

    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = index.search(queries, BEST)[1]
    ours = np.fromfile(path, dtype=np.int64).reshape(found.shape)
    same = [len(set(a) & set(b)) for a, b in zip(ours, found)]
    about = {"recall": sum(same) / found.size, "megabytes": peak}
    return about, lambda: index.search(queries, BEST)


def gemm(queries, gallery, _):
    queries, gallery = torch.from_numpy(queries), torch.from_numpy(gallery)
    # 1/16 of the gallery at a time: scores of 4,096 queries would be 800 MB
    parts = [p.T for p in gallery.chunk(16)]
    rooms = [torch.empty(BLOCK, p.shape[1]) for p in parts]

    def products():
        for block in queries.split(BLOCK):
            for part, room in zip(parts, rooms):
                torch.mm(block, part, out=room[: len(block)])

    return {"megabytes": 0}, products


def clip_metrics(queries, gallery, _):
    from open_clip_train.train import get_clip_metrics

    queries, gallery = torch.from_numpy(queries), torch.from_numpy(gallery)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scale = torch.tensor(100.0)
    return {"megabytes": peak}, lambda: get_clip_metrics(queries, gallery, scale)


PEERS = {"faiss": faiss_search, "gemm": gemm, "clip": clip_metrics}


def draw(path, rows, dim):
    random = np.random.default_rng(0)
    drawn = random.standard_normal((rows, dim), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn.tofile(path)


def main():
    if len(sys.argv) != 7 or sys.argv[1] not in {"draw", *PEERS}:
        sys.exit(__doc__)
    queries, gallery, dim = map(int, sys.argv[3:6])
    if sys.argv[1] == "draw":
        return draw(sys.argv[2], queries + gallery, dim)
    rows = np.fromfile(sys.argv[2], dtype=np.float32).reshape(-1, dim)
    about, search = PEERS[sys.argv[1]](
        rows[:queries].copy(), rows[queries : queries + gallery].copy(), sys.argv[6]
    )

    def measure():
        start = time.perf_counter()
        search()
        return time.perf_counter() - start

    serve(about, measure)


if __name__ == "__main__":
    main()
