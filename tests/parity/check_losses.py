"""Every loss and its gradients at full size (256 rows of 512 numbers) against
the peers of gen_loss_kinds.py: within 1e-5, ||a - b|| / ||b||.

    python tests/parity/check_losses.py

Needs tests/losses/test_kinds of the build that DIPTYCH_BUILD (build) names:
`make build/tests/losses/test_kinds`. Peers: open_clip 3.3.0,
pytorch-metric-learning 2.9.0, sentence-transformers 6.2.0, torch 2.13.0.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import gen_loss_kinds

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("DIPTYCH_BUILD", "build")
PROGRAM = ROOT / BUILD / "tests" / "losses" / "test_kinds"
ROWS, DIM, SEED = 256, 512, 3


def main():
    if not PROGRAM.exists():
        subprocess.run(["make", f"BUILD={BUILD}", f"{BUILD}/tests/losses/test_kinds"],
                       cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kinds.safetensors"
        names = gen_loss_kinds.write(path, ROWS, DIM, SEED)
        run = subprocess.run([PROGRAM, path], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # "<case> <the largest gap>", of those that passed
    gaps = dict(line.split(" ", 1) for line in run.stdout.splitlines()
                if " " in line)
    missing = [name for name in names if name not in gaps]
    for name in names:
        print(f"{'FAIL' if name in missing else 'ok  '} {name}: loss and "
              f"gradients, {ROWS} x {DIM}: {gaps.get(name, '')}")
    if run.returncode != 0:
        print(run.stdout)
    return 1 if missing or run.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
