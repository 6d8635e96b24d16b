#!/usr/bin/env python3
"""Seconds of open_clip's ClipLoss, forward and backward, beside bench_blocked.

    peer_blocked.py BATCH DIM
"""

import resource
import sys
import time

import torch
from open_clip.loss import ClipLoss

from serve import serve


def make_batch(rows, dim):
    torch.manual_seed(0)
    leaves = [
        torch.nn.functional.normalize(torch.randn(rows, dim), dim=1) for _ in range(2)
    ]
    return [leaf.requires_grad_() for leaf in (*leaves, torch.tensor(100.0))]


def one_loss(leaves):
    start = time.perf_counter()
    loss = ClipLoss()(*leaves)
    loss.backward()
    loss.item()
    for leaf in leaves:
        leaf.grad = None
    return time.perf_counter() - start


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows, dim = map(int, sys.argv[1:])
    one_loss(make_batch(64, dim))
    leaves = make_batch(rows, dim)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about = {"megabytes": peak, "threads": torch.get_num_threads()}
    serve(about, lambda: one_loss(leaves))


if __name__ == "__main__":
    main()
