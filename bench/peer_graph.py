#!/usr/bin/env python3
"""Seconds of sampling in PyTorch Geometric, beside bench_graph.

    peer_graph.py draw|WORKERS PAIRS USERS ITEMS BATCHES BATCH

draw: writes pairs of a made-up graph to PAIRS, of which few items have most,
and measures nothing; BATCHES is then the number of pairs. WORKERS, a number: the
processes of torch_geometric's NeighborLoader; 0: none but this one. It samples
with pyg-lib or torch-sparse, whichever is installed. The graph has the nodes of
both sides and each pair in both directions, as bench_graph.c has it, but keeps
pairs that are drawn twice.
"""

import sys
import time

import numpy as np
import torch

from serve import serve


def draw(path, users, items, pairs):
    random = np.random.default_rng(0)
    drawn = np.empty((pairs, 2), np.int64)
    drawn[:, 0] = random.integers(0, users, pairs)
    drawn[:, 1] = (random.random(pairs) ** 3 * items).astype(np.int64)
    drawn.tofile(path)


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    what, path = sys.argv[1:3]
    users, items, batches, batch = map(int, sys.argv[3:])
    if what == "draw":
        return draw(path, users, items, batches)
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader

    start = time.perf_counter()
    pairs = torch.from_numpy(np.fromfile(path, np.int64).reshape(-1, 2)).T
    there = torch.stack([pairs[0], pairs[1] + users])
    data = Data(edge_index=torch.cat([there, there.flip(0)], 1),
                num_nodes=users + items)
    random = torch.Generator().manual_seed(1)
    workers = int(what)
    loader = NeighborLoader(
        data, num_neighbors=[15, 10], batch_size=batch, num_workers=workers,
        persistent_workers=workers > 0,
        input_nodes=torch.randint(users + items, (batches * batch,),
                                  generator=random))
    seconds = time.perf_counter() - start

    def measure():
        start = time.perf_counter()
        for _ in loader:
            pass
        return time.perf_counter() - start

    serve({"seconds": seconds}, measure)


if __name__ == "__main__":
    main()
