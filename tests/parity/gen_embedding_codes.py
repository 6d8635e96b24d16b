"""Golden file of numbers and their codes, by numpy 2.4 and written by h5py 3.16.0.

    python tests/parity/gen_embedding_codes.py tests/golden/embedding_codes.h5

`half` is numpy's float16, `bits` numpy's packbits of x > 0, `int8` the formula
of data/embedding_codes.h in float64. Rows of 21 numbers: plain ones, tiny ones
that are subnormal as float16, ties of its rounding, its largest, zeros.
"""

import sys

import h5py
import numpy as np

D = 21
rng = np.random.default_rng(7)
rows = rng.standard_normal((5, D)).astype(np.float32)
rows[1] *= 1e-6
rows[2] = np.float32(1) + np.arange(D, dtype=np.float32) * np.float32(2.0**-12)
rows[3] = np.linspace(-65504, 65504, D).astype(np.float32)
rows[4] = 0
peak = np.abs(rows).max(axis=1)
safe = np.where(peak > 0, peak, 1).astype(np.float64)[:, None]
codes = np.rint(rows.astype(np.float64) * 127 / safe).astype(np.int8)

with h5py.File(sys.argv[1], "w", libver=("v108", "v110")) as file:
    for name, values in {"values": rows, "half": rows.astype(np.float16),
                         "int8": codes, "peak": peak.astype(np.float32),
                         "bits": np.packbits(rows > 0, axis=1)}.items():
        file[name] = values.ravel()
