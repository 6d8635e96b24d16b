#!/usr/bin/env python3
"""Seconds of open_clip's training step on a synthetic batch, beside bench_step.

    peer_step.py tiny|resnet50|clip_resnet fp32|bf16 BATCH IMAGE_SIZE

A step is that of open_clip_train.train.train_one_epoch: zero_grad, the model
and ClipLoss under autocast (bf16) or not, backward, AdamW over the two groups
of open_clip_train.main, and the clamp of logit_scale. A measurement is one
step.
"""

import contextlib
import math
import pathlib
import sys
import time

import open_clip
import torch

from serve import serve

END_OF_TEXT = 49407


def make_optimizer(model):
    def spared(name, parameter):
        return (
            parameter.ndim < 2
            or any(word in name for word in ("bn", "ln", "bias"))
            or "logit_scale" in name
        )

    named = list(model.named_parameters())
    return torch.optim.AdamW(
        [
            {"params": [p for n, p in named if spared(n, p)], "weight_decay": 0.0},
            {"params": [p for n, p in named if not spared(n, p)], "weight_decay": 0.2},
        ],
        lr=5e-4,
        betas=(0.9, 0.98),
        eps=1e-6,
    )


def make_batch(batch, size):
    torch.manual_seed(0)
    images = torch.randn(batch, 3, size, size)
    texts = torch.randint(END_OF_TEXT, (batch, 32))
    texts[:, -1] = END_OF_TEXT  # full length
    return images, texts


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    name, precision = sys.argv[1:3]
    batch, size = map(int, sys.argv[3:])
    open_clip.add_model_config(pathlib.Path(__file__).parent / "models")
    model = open_clip.create_model(name, force_image_size=size, output_dict=True)
    model.train()
    loss_of = open_clip.ClipLoss()
    optimizer = make_optimizer(model)
    images, texts = make_batch(batch, size)

    def autocast():
        if precision == "bf16":
            return torch.amp.autocast("cpu", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def one_step():
        start = time.perf_counter()
        optimizer.zero_grad()
        with autocast():
            loss = loss_of(**model(images, texts))
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        loss.item()
        return time.perf_counter() - start

    count = sum(p.numel() for p in model.parameters())
    serve({"parameters": count, "threads": torch.get_num_threads()}, one_step)


if __name__ == "__main__":
    main()
