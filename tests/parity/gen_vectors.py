"""Golden word vectors, written and read by gensim 4.4.0.

    python tests/parity/gen_vectors.py tests/golden/vectors

word2vec.txt, word2vec.bin, glove.txt and fasttext.vec are what gensim writes
of some vectors, fasttext.bin what it writes of a small model with subwords,
words.bin one without. expected.json holds, by file, what gensim reads for words
of a vocabulary; of fasttext.bin for words that the model has not seen, too.
"""

import json
import sys
from pathlib import Path

import numpy as np
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import load_facebook_vectors, save_facebook_model

OUT = Path(sys.argv[1])
WORDS = ["the", "red", "Shirt", "shirt", "Nike", "caf\u00e9", "\u88d9", "1e5",
         "in_stock", "\uff21\uff22"]
TEXTS = [["red", "shirt", "for", "men"], ["blue", "shirts", "for", "women"],
         ["caf\u00e9", "shirt", "\u88d9\u5b50"], ["red", "shoes", "for", "men"]] * 3


def vectors():
    rng = np.random.default_rng(5)
    v = KeyedVectors(vector_size=6)
    rows = rng.standard_normal((len(WORDS), 6)).astype(np.float32)
    rows[1] *= 1e-20
    rows[2] *= 1e20
    v.add_vectors(WORDS, rows)
    return v


def numbers(v, words):
    return {w: [float(x) for x in v[w]] for w in words}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    v = vectors()
    v.save_word2vec_format(OUT / "word2vec.txt")
    v.save_word2vec_format(OUT / "word2vec.bin", binary=True)
    v.save_word2vec_format(OUT / "glove.txt", write_header=False)
    expected = {}
    for name, kwargs in (("word2vec.txt", {}), ("word2vec.bin", {"binary": True}),
                         ("glove.txt", {"no_header": True})):
        read = KeyedVectors.load_word2vec_format(OUT / name, **kwargs)
        expected[name] = numbers(read, WORDS)
    for name, longest in (("fasttext.bin", 4), ("words.bin", 0)):
        model = FastText(TEXTS, vector_size=5, min_count=1, bucket=40, min_n=2,
                         max_n=longest, epochs=2, seed=3, workers=1)
        save_facebook_model(model, str(OUT / name))
        read = load_facebook_vectors(OUT / name)
        words = list(read.key_to_index)
        words += ["reds", "\u88d9", "x"] if longest else []
        expected[name] = numbers(read, words)
        if longest:
            read.save_word2vec_format(OUT / "fasttext.vec")
            again = KeyedVectors.load_word2vec_format(OUT / "fasttext.vec")
            expected["fasttext.vec"] = numbers(again, again.key_to_index)
    (OUT / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")


if __name__ == "__main__":
    main()
