"""Golden indexes by faiss-cpu 1.15.1, and what they find.

    python tests/parity/gen_index.py tests/golden

index_<kind>.faiss are of the 300 rows of 8 numbers in index.safetensors, drawn
around 12 points; index_other.faiss is of a kind that Diptych does not build.
index.safetensors has the queries, and for each kind the first 5 rows and their
scores: inner products, or minus squared distances (hnsw).
"""

import pathlib
import sys

import faiss
import numpy as np
from safetensors.numpy import save_file

ROWS, DIM, QUERIES, K, LISTS = 300, 8, 6, 5, 8

rng = np.random.default_rng(5)
centres = rng.standard_normal((12, DIM))
rows = (centres[rng.integers(12, size=ROWS)]
        + 0.4 * rng.standard_normal((ROWS, DIM))).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
queries = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
queries /= np.linalg.norm(queries, axis=1, keepdims=True)


def inverted(make, *words):
    index = make(faiss.IndexFlatIP(DIM), DIM, LISTS, *words, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    index.nprobe = 3
    return index


def graph():
    index = faiss.IndexHNSWFlat(DIM, 6, faiss.METRIC_L2)
    index.hnsw.efSearch = 20
    return index


kinds = {
    "flat": faiss.IndexFlatIP(DIM),
    "ivf": inverted(faiss.IndexIVFFlat),
    "hnsw": graph(),
    "ivfpq": inverted(faiss.IndexIVFPQ, 4, 8),
    "other": faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_8bit),
}
folder = pathlib.Path(sys.argv[1])
faiss.omp_set_num_threads(1)
golden = {"all.rows": rows, "all.queries": queries}
for name, index in kinds.items():
    index.train(rows)
    index.add(rows)
    faiss.write_index(index, str(folder / f"index_{name}.faiss"))
    if name == "other":
        continue
    scores, found = index.search(queries, K)
    sign = 1 if index.metric_type == faiss.METRIC_INNER_PRODUCT else -1
    golden[f"{name}.rows"] = found.astype(np.int64)
    golden[f"{name}.scores"] = sign * scores
save_file(golden, folder / "index.safetensors")
