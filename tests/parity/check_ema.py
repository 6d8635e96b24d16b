"""Averaged weights of a whole run against timm's ModelEmaV3 and torch's
AveragedModel.

    python tests/parity/check_ema.py

Trains the least model of tests/cli on drawn products for a few updates with a
checkpoint after each, lets the peers average the weights of the checkpoints,
and compares with ema.safetensors of each: every tensor within 1e-6. Programs
are found through DIPTYCH_BUILD (build). Peers: torch 2.13.0, timm 1.0.31.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from timm.utils import ModelEmaV3
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
STEPS = 12
# decay, warm-up, and whether swa_utils has it
CASES = [(0.9, False, True), (0.7, True, False)]


def run(*words, cwd, code=0):
    done = subprocess.run([PROGRAM, *words], cwd=cwd, text=True,
                          capture_output=True)
    if done.returncode != code:
        sys.exit(f"FAIL {' '.join(map(str, words))}: {done.stderr}")


def module_of(weights, buffers):
    """A module whose parameters and buffers are those of a checkpoint."""
    module = torch.nn.Module()
    for name, value in weights.items():
        flat = name.replace(".", "|")
        if name.endswith(buffers):
            module.register_buffer(flat, value.clone())
        else:
            module.register_parameter(flat, torch.nn.Parameter(value.clone()))
    return module


def checkpoints(folder, decay, warmup):
    name = f"ema{decay}{warmup}"
    run("train", ROOT / "tests/cli/tiny.yaml", "--quiet", f"name={name}",
        f"train.ema.decay={decay}", f"train.ema.warmup={str(warmup).lower()}",
        "train.checkpoint_every=1", "train.keep_last=100", "--stop-at",
        str(STEPS), cwd=folder, code=8)
    for step in range(1, STEPS + 1):
        path = folder / f"runs/{name}/checkpoints/step-{step:08d}"
        yield (load_file(path / "model.safetensors"),
               load_file(path / "ema.safetensors"))


def worst_gap(folder, decay, warmup, with_swa):
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    module = peers = None
    worst = 0.0
    for step, (weights, averages) in enumerate(
            checkpoints(folder, decay, warmup), 1):
        if module is None:
            module = module_of(weights, buffers)
            peers = [ModelEmaV3(module, decay=decay, use_warmup=warmup,
                                warmup_gamma=1.0, warmup_power=2 / 3,
                                exclude_buffers=True)]
            if with_swa:
                peers.append(AveragedModel(
                    module, multi_avg_fn=get_ema_multi_avg_fn(decay)))
        module.load_state_dict(
            {name.replace(".", "|"): value for name, value in weights.items()})
        for peer in peers:
            if isinstance(peer, ModelEmaV3):
                peer.update(module, step=step)
            else:
                peer.update_parameters(module)
            for name, value in peer.module.state_dict().items():
                gap = (averages[name.replace("|", ".")] - value).abs()
                worst = max(worst, (gap / (1 + value.abs())).max().item())
    return worst


def main():
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        run("synth", "--quiet", "--rows", "300", "--size", "32", "--out",
            "a.h5", cwd=folder)
        for decay, warmup, with_swa in CASES:
            worst = worst_gap(folder, decay, warmup, with_swa)
            good = worst <= 1e-6
            failed |= not good
            print(f"{'ok  ' if good else 'FAIL'} decay {decay}, "
                  f"warm-up {warmup}: {STEPS} updates within {worst:.1e}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
