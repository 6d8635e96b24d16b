"""Golden file of a teacher's embeddings, written by h5py 3.16.0.

    python tests/parity/gen_teacher.py CATALOG.h5 tests/golden/teacher.h5

The catalog is that of tests/cli/losses.sh: `diptych synth --rows 300 --seed 1
--size 32 --queries 40`. Rows stand backwards; what is not float32, has a hole
or another width is there to be refused.
"""

import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as catalog:
    data, ends = catalog["id/bytes"][:].tobytes(), catalog["id/offsets"][:]
    colour = catalog["label/colour/values"][:][::-1]
ids = [data[a:b] for a, b in zip(ends, ends[1:])][::-1]
marks = np.eye(4, dtype=np.float32)[colour % 4]
hole = marks.copy()
hole[7] = np.nan

with h5py.File(sys.argv[2], "w", libver=("v108", "v110")) as file:
    file.attrs["format"] = "diptych-embeddings"
    file.attrs["version"] = 1
    file["id/bytes"] = np.frombuffer(b"".join(ids), np.uint8)
    file["id/offsets"] = np.cumsum([0] + [len(i) for i in ids]).astype(np.int64)
    embeddings = {"image": marks, "title": marks, "query": marks, "product": marks,
                  "wide": np.ones((len(ids), 5), np.float32), "hole": hole,
                  "double": marks.astype(np.float64), "none": 0 * marks}
    for name, rows in embeddings.items():
        file.create_dataset(f"embedding/{name}", data=rows, compression="gzip")
