"""Recommenders on graphs of 60 users and 80 items against PyTorch Geometric:
LightGCN's propagation, GraphSAGE with each aggregator, BPR, sampled softmax and
the gradients of all parameters, within 1e-6.

    python tests/parity/check_graph.py

Needs tests/train/test_recommendation of the build that DIPTYCH_BUILD (build)
names: `make build/tests/train/test_recommendation`. Peers: torch_geometric 2.8.1,
torch 2.13.0.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import gen_recommendation

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("DIPTYCH_BUILD", "build")
PROGRAM = ROOT / BUILD / "tests" / "train" / "test_recommendation"
USERS, ITEMS, DIM, BATCH, SEED = 60, 80, 16, 200, 5


def main():
    if not PROGRAM.exists():
        subprocess.run(["make", f"BUILD={BUILD}",
                        f"{BUILD}/tests/train/test_recommendation"],
                       cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "recommendation.safetensors"
        names = gen_recommendation.write(path, USERS, ITEMS, DIM, BATCH, SEED)
        run = subprocess.run([PROGRAM, path], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # "<case> <the largest gap>", of those that passed
    gaps = dict(line.split(" ", 1) for line in run.stdout.splitlines()
                if line.split(" ")[0] in names)
    for name in names:
        print(f"{'ok  ' if name in gaps else 'FAIL'} {name}: embeddings, loss "
              f"and gradients: {gaps.get(name, '')}")
    if run.returncode != 0:
        print(run.stdout)
    return 1 if len(gaps) < len(names) or run.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
