"""Small runs whose embeddings the checks look at, and the files of
`diptych embed` as Python reads them.

Programs are found through DIPTYCH_BUILD (build), the products of Myntra through
MYNTRA (../shared/data/myntra).
"""

import os
import pathlib
import subprocess

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / os.environ.get("DIPTYCH_BUILD", "build") / "diptych"
MYNTRA = pathlib.Path(os.environ.get("MYNTRA", ROOT / "../shared/data/myntra"))
LABELS = "gender,masterCategory,subCategory,articleType,baseColour,season,year,usage"


def diptych(folder, *words):
    """What the program prints, run in `folder`."""
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run([PROGRAM, *map(str, words)], cwd=folder, env=env,
                          capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr.strip())
    return done.stdout


def trained(folder):
    """Trains a model on drawn products, one that compares by distance, and, where
    there are products of Myntra, one of those; yields their names."""
    tiny = ("train", ROOT / "tests/cli/tiny.yaml", "--quiet", "train.epochs=1",
            "train.precision=fp32")
    diptych(folder, "synth", "--quiet", "--rows", "600", "--size", "32",
            "--out", "a.h5")
    diptych(folder, *tiny)
    yield "tiny"
    diptych(folder, *tiny, "model.similarity=euclidean", "name=far")
    yield "far"
    if not (MYNTRA / "items.tsv").exists():
        return
    diptych(folder, "import", MYNTRA / "items.tsv", "--quiet",
            "--images", MYNTRA / "images", "--image", "{id}.jpg", "--id", "id",
            "--text", "title", "--label", LABELS, "--split", "split",
            "--group", "title", "--out", "myntra.h5")
    diptych(folder, "train", ROOT / "configs/myntra.yaml", "--quiet",
            "name=myntra", "data.catalog=myntra.h5", "train.precision=fp32",
            "train.epochs=1", "train.warmup_steps=5")
    yield "myntra"


def rows_of(path, group="embedding"):
    with h5py.File(path) as file:
        (name,) = file[group]
        return file[group][name][:]


def ids_of(path):
    with h5py.File(path) as file:
        data, ends = file["id/bytes"][:].tobytes(), file["id/offsets"][:]
        return [data[a:b].decode() for a, b in zip(ends, ends[1:])]


def attribute(path, name):
    with h5py.File(path) as file:
        value = file.attrs[name]
        return value.decode() if isinstance(value, bytes) else value


def scores(queries, rows, similarity):
    """Cosines, or minus squared distances, in float64."""
    queries, rows = queries.astype(np.float64), rows.astype(np.float64)
    products = queries @ rows.T
    if similarity != "euclidean":
        return products
    return (2 * products - (queries**2).sum(axis=1)[:, None]
            - (rows**2).sum(axis=1)[None])
