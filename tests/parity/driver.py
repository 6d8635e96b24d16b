"""What the checks share: runs tests/parity/parity.c on a config, weights and
inputs, and compares rows.

Programs are found through the environment variable DIPTYCH_BUILD ("build").
"""

import json
import os
import pathlib
import subprocess
import tempfile

import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("DIPTYCH_BUILD", "build")
# A config needs one; the program under test opens no catalog.
TASKS = {"pairs": {"query": "title"}}


class Failed(Exception):
    """The program ended with an error, which is its text."""


def run(config, inputs, init=None):
    """The outputs of the program on a dictionary of options and of tensors;
    `init`: what the config's section of that name holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        whole = {"tasks": TASKS, **config}
        if init is not None:
            whole["init"] = {k: str(v) for k, v in init.items()}
        # JSON is YAML
        (folder / "config.yaml").write_text(json.dumps(whole))
        save_file({k: v.contiguous() for k, v in inputs.items()},
                  folder / "in.safetensors")
        done = subprocess.run(
            [BUILD / "tests/parity/parity", folder / "config.yaml",
             folder / "in.safetensors", folder / "out.safetensors"],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr.strip())
        return load_file(folder / "out.safetensors")


def save_state(module, path):
    """A module's weights as a file of safetensors, shared ones copied."""
    state = {k: v.detach().clone().contiguous()
             for k, v in module.state_dict().items()}
    save_file(state, path)
    return path


def row_gap(a, b):
    """The largest ||a - b|| / ||b|| of a row."""
    assert a.shape == b.shape, (a.shape, b.shape)
    a, b = a.detach().double().flatten(1), b.detach().double().flatten(1)
    return ((a - b).norm(dim=1) / b.norm(dim=1)).max().item()


class Report:
    """One line a case; status() is the exit code."""

    def __init__(self):
        self.count = self.failed = 0

    def case(self, name, gap, tolerance):
        good = gap <= tolerance
        self.count += 1
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: {gap:.1e} "
              f"(at most {tolerance:.0e})", flush=True)

    def fail(self, name, words):
        self.count += 1
        self.failed += 1
        print(f"FAIL {name}: {words}", flush=True)

    def status(self):
        return 1 if self.failed or not self.count else 0
