#!/usr/bin/env python3
"""LightGCN of PyTorch Geometric, with the settings of
configs/lastfm-lightgcn.yaml, and its figures on the test split.

    peer_lightgcn.py DATA1 TEST1 SEED [EPOCHS]

DATA1, TEST1: pairs of user and item, counted from 1, as last.fm's files in
LightGCN's repository have them. Model (torch_geometric.nn.LightGCN), loss (its
BPRLoss) and optimizer (torch.optim.Adam) are the peer's; so are the draws. As in
the code of LightGCN's authors embeddings start from N(0, .1), where the peer's
own start is Xavier's, and a negative is an item that the user has not had, where
the peer's example does not look. Layers multiply by a sparse CSR matrix, the
fastest form of a graph that torch_geometric takes here.

Prints one line of JSON: recall@20 and nDCG@20 over users who have something in
TEST1, without what they have in DATA1, as LightGCN's code defines them; seconds
of training, its CPU seconds, and the peak of memory in MB.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from torch_geometric.nn import LightGCN

DIM, LAYERS, LR, L2, BATCH, K = 64, 3, 5e-3, 1e-3, 2048, 20


def read(path):
    return np.loadtxt(path)[:, :2].astype(np.int64) - 1


def spread_of(train, users, nodes):
    ends = np.concatenate([train + (0, users), train[:, ::-1] + (users, 0)]).T
    degrees = np.bincount(ends[0], minlength=nodes).astype(np.float64)
    weights = 1 / np.sqrt(degrees[ends[0]] * degrees[ends[1]])
    return torch.sparse_coo_tensor(
        torch.from_numpy(ends), torch.from_numpy(weights).float(),
        (nodes, nodes)).coalesce().to_sparse_csr()


def draw_unseen(users, had, random):
    items = random.integers(0, had.shape[1], len(users))
    again = had[users, items]
    while again.any():
        items[again] = random.integers(0, had.shape[1], again.sum())
        again = had[users, items]
    return items


def train(model, spread, pairs, had, epochs, random):
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for _ in range(epochs):
        order = random.permutation(len(pairs))
        for first in range(0, len(pairs), BATCH):
            batch = pairs[order[first:first + BATCH]]
            others = draw_unseen(batch[:, 0], had, random)
            users, items, others = map(torch.from_numpy, (
                batch[:, 0], batch[:, 1] + len(had), others + len(had)))
            z = model.get_embedding(spread)
            loss = model.recommendation_loss(
                (z[users] * z[items]).sum(-1), (z[users] * z[others]).sum(-1),
                node_id=torch.cat([users, items, others]), lambda_reg=L2 / 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def measure(model, spread, had, asked):
    with torch.no_grad():
        z = model.get_embedding(spread)
    scores = (z[:len(had)] @ z[len(had):].T).numpy()
    scores[had] = -np.inf
    top = np.argsort(-scores, 1, kind="stable")[:, :K]
    hits = np.take_along_axis(asked, top, 1)
    discounts = 1 / np.log2(np.arange(2, K + 2))
    ideal = np.concatenate([[0], discounts.cumsum()])
    right = asked.sum(1)
    some = right > 0
    recall = hits.sum(1)[some] / right[some]
    gain = (hits * discounts).sum(1)[some] / ideal[np.minimum(right[some], K)]
    return recall.mean(), gain.mean()


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    pairs, test = read(sys.argv[1]), read(sys.argv[2])
    seed, epochs = int(sys.argv[3]), int((sys.argv + [200])[4])
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    users, items = np.maximum(pairs.max(0), test.max(0)) + 1
    had, asked = np.zeros((2, users, items), bool)
    had[tuple(pairs.T)] = True
    asked[tuple(test.T)] = True
    pairs = np.argwhere(had)  # each once
    spread = spread_of(pairs, users, users + items)
    model = LightGCN(users + items, DIM, LAYERS, normalize=False)
    torch.nn.init.normal_(model.embedding.weight, std=.1)
    start, cpu = time.perf_counter(), time.process_time()
    train(model, spread, pairs, had, epochs, np.random.default_rng(seed))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    recall, ndcg = measure(model, spread, had, asked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seed": seed, "recall@20": round(float(recall), 4),
                      "ndcg@20": round(float(ndcg), 4),
                      "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1),
                      "megabytes": round(peak)}))


if __name__ == "__main__":
    main()
