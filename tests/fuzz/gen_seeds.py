"""Writes the SentencePiece models of tests/fuzz/seeds/: one of each kind, with
rules of their own that change characters, symbols and pieces of bytes.

Peer: sentencepiece 0.2.3.

    python tests/fuzz/gen_seeds.py
"""

import os
import pathlib
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


def main():
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
