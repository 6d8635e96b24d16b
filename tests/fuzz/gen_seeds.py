"""Writes what of tests/fuzz/seeds/ is no text: a SentencePiece model of each
kind, with rules of their own that change characters, symbols and pieces of
bytes, and files for records.h and pieces.h.

Peer: sentencepiece 0.2.3.

    python tests/fuzz/gen_seeds.py
"""

import gzip
import os
import pathlib
import struct
import tempfile

import sentencepiece

OUT = pathlib.Path(__file__).resolve().parent / "seeds"
SENTENCES = [
    "red shirt for men", "blue cotton shirt", "caf\u00e9 mug \uff21\uff22 white",
    "a red and blue lamp", "green shoes, size 42", "women's shirts",
]
RULES = "41\t61\n42\t62\n55 20\t75 20\nFB01\t66 69\nFF21\t61\n"  # A to a, "U " to "u "


def train(kind, size, **options):
    with open(OUT / f"sentencepiece_{kind}.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 4), model_writer=file, model_type=kind,
            vocab_size=size, hard_vocab_limit=False, minloglevel=2, **options)


def write_records(name, records):
    """Dataset, type (0 to 4: uint8, int32, int64, float32, float64; 5: int64 of
    bytes), length and values, as records.h has it."""
    sizes = (1, 4, 8, 4, 8, 1)
    with open(OUT / name, "wb") as file:
        for dataset, kind, values, *rows in records:  # rows, but for numbers
            length = rows[0] if rows else len(values) // sizes[kind]
            file.write(bytes([dataset, kind, length]) + values)


def write_files():
    """Two products, two queries."""
    write_records("catalog.records", [
        (0, 0, b"ab"), (1, 5, bytes([0, 1, 2])), (2, 0, bytes([0, 1])), (3, 5, bytes([0, 1])),
        (4, 0, b"red shirt"), (5, 5, bytes([0, 4, 9])), (6, 1, struct.pack("<2i", 1, -1)),
        (7, 0, b"bagcap"), (8, 5, bytes([0, 3, 6])), (9, 3, struct.pack("<2f", 1.5, float("nan"))),
        (10, 0, b"jpegpng"), (11, 5, bytes([0, 4, 7])), (12, 3, b"", 2),
        (13, 0, bytes([1, 0])),
    ])
    write_records("outcomes.records", [
        (0, 5, bytes([0, 3])), (1, 5, bytes([0, 1])), (2, 5, bytes([1, 2])),
        (3, 4, struct.pack("<2d", 1, float("inf"))), (4, 0, b"ab"), (5, 5, bytes([0, 1, 2])),
        (6, 0, b"redbag"), (7, 5, bytes([0, 3, 6])), (8, 4, struct.pack("<2d", 1, 0)),
        (9, 4, struct.pack("<2d", 1, 0)), (10, 5, bytes([1, 2, 3, 255])),
        (11, 3, struct.pack("<4f", .5, .4, .3, .2)), (12, 0, bytes([1, 0, 0, 0])),
    ])
    ids = "p1p2\u54c13".encode()
    write_records("embeddings.records", [  # the type of a matrix tells its width
        (0, 0, ids), (1, 5, bytes([0, 2, 4, 8])),
        (2, 1, struct.pack("<6f", 3, 4, 0, -2, 0, 0), 3), (3, 0, struct.pack("<3f", 1, 2, 3), 3),
    ])
    write_records("fashion_gen.records", [  # the type of strings tells their size
        (0, 9, b"", 2), (1, 5 + 3 * 8, b"red\0caf\xe9", 2), (2, 5 + 2 * 8, b"bagcap", 2),
        (3, 2, struct.pack("<2q", 7, 7)), (4, 4, struct.pack("<2d", 9.5, 10)),
        (5, 5, b"ab", 2), (6, 5 + 8, b"wool", 2),
    ])


def write_pieces(name, pieces):
    """The files of one input, as pieces.h has it."""
    assert not any(b"\x1e" in piece for piece in pieces), name
    (OUT / name).write_bytes(b"\x1e".join(pieces))


def idx(photos, pixels=1):
    """Black photos as Fashion-MNIST has them, with so many of their pixels."""
    return struct.pack(">IIII", 0x803, photos, 28, 28) + bytes(photos * pixels)


def classes(*values):
    return struct.pack(">II", 0x801, len(values)) + bytes(values)


def write_folders():
    labels = [classes(9, 0), classes(1)]
    write_pieces("idx.pieces", [idx(2), labels[0], idx(1), labels[1]])
    write_pieces("idx_packed.pieces", [
        gzip.compress(file, 1, mtime=0)
        for file in (idx(2, 784), labels[0], idx(1, 784), labels[1])])
    write_pieces("captions.pieces", [
        b"[[4, 1, 2, 5, 0], [4, 2, 5, 0, 0], [4, 3, 3, 1, 5], [4, 5, 0, 0, 0]]",
        '{"red": 1, "bag": 2, "\u72d7": 3, "<start>": 4, "<end>": 5, "<pad>": 0}'.encode(),
        b"[4, 3, 5, 2]"])
    write_pieces("trec.pieces", [
        b"q1 Q0 a 1 3 sys\nq1 Q0 b 2 2.5e-1 sys\n\nq2\tQ0 c 1 -1 sys\n",
        b"q1 0 b 1\nq2 0 c 2\nq2 0 d 0\n"])


def main():
    write_files()
    write_folders()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the model remembers the path
        pathlib.Path("rules.tsv").write_text(RULES)
        train("unigram", 40, normalization_rule_tsv="rules.tsv", pad_id=3,
              user_defined_symbols=["<sep>", "<se"])
        os.chdir(OUT)
    train("bpe", 300, byte_fallback=True, normalization_rule_name="identity")
    train("char", 30, treat_whitespace_as_suffix=True, normalization_rule_name="identity")
    train("word", 20, normalization_rule_name="identity")


main()
