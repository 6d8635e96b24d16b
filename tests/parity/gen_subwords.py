"""Writes tests/golden/subwords/: small vocabularies, and the ids that their
origins give hard texts with them.

Peers: transformers' BertTokenizer, open_clip's SimpleTokenizer, sentencepiece;
their versions stand in cases.json. The merges and the sentencepiece model are
trained here, on the sentences below.

    python tests/parity/gen_subwords.py
"""

import collections
import gzip
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_tokenizers import BAD_BYTES, HARD, register, sentencepiece

import ftfy
import open_clip
import open_clip.tokenizer
import transformers

OUT = pathlib.Path(__file__).resolve().parents[1] / "golden/subwords"
SENTENCES = """the red shirt of cotton for men and women
a blue summer dress with a belt and two pockets
running shoes in white, size 42, very light
she doesn't like the colour; they've got it in green
caf\u00e9 cr\u00e8me handbag made of leather
\u7ea2\u8272\u8fde\u8863\u88d9 \u65b0\u6b3e \u7537\u58eb \u978b
the watch, the ring and the earrings are of silver""".split("\n")
MERGES = 120
CONTEXT = 64


def train_merges():
    """Byte-pair encoding of the sentences, as Sennrich et al. have it."""
    byte = open_clip.tokenizer.bytes_to_unicode()
    words = collections.Counter()
    for sentence in SENTENCES:
        for word in sentence.lower().replace(",", " ,").split():
            letters = [byte[b] for b in word.encode()]
            words[(*letters[:-1], letters[-1] + "</w>")] += 1
    merges = []
    while len(merges) < MERGES:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        made = {a + b for a, b in merges}
        best = min((p for p in pairs if p[0] + p[1] not in made), key=lambda p: (-pairs[p], p))
        merges.append(best)
        merged = collections.Counter()
        for word, count in words.items():
            new, i = [], 0
            while i < len(word):
                step = 2 if tuple(word[i : i + 2]) == best else 1
                new.append("".join(word[i : i + step]))
                i += step
            merged[tuple(new)] += count
        words = merged
    return merges


def write_files():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({c for s in SENTENCES for c in s + s.title() if c > " "} | set("!'.:/$%&0123456789"))
    for c in letters:
        tokens += [c, "##" + c]
    for word in " ".join(SENTENCES).split():
        tokens += [word, word[:3], "##" + word[-2:], word.title()]
    tokens += ["cafe", "naive", "x", "##x", "\u1112", "##\u1161", "##\u11ab"]
    tokens = [t for t in dict.fromkeys(tokens) if t != "##"]
    (OUT / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    # No line end at the end: open_clip would take an empty merge from it.
    text = "\n".join(["#version: 0.2", *map(" ".join, train_merges())])
    (OUT / "merges.txt").write_text(text, encoding="utf-8")
    (OUT / "merges.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    with tempfile.TemporaryDirectory() as folder:
        corpus = pathlib.Path(folder, "corpus.txt")
        corpus.write_text("\n".join(SENTENCES * 3) + "\n", encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(OUT / "small"), vocab_size=76,
            pad_id=3, minloglevel=2)
    (OUT / "small.vocab").unlink()


def case(options, text, ids, pad):
    raw = text if isinstance(text, bytes) else text.encode()
    ids = list(ids)
    cut = ids[:CONTEXT]
    if len(ids) > CONTEXT:
        cut[-1] = ids[-1]
    return {**options, "hex": raw.hex(), "needed": len(ids), "ids": cut + [pad] * (CONTEXT - len(cut))}


def bert_cases(texts):
    for lower in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "vocab.txt").write_bytes((OUT / "vocab.txt").read_bytes())
            pathlib.Path(folder, "tokenizer_config.json").write_text(
                '{"tokenizer_class": "BertTokenizer", "do_lower_case": %s}' % str(lower).lower())
            peer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=1 << 20)
        for text in texts:
            plain = text if isinstance(text, str) else text.decode("utf-8", "one_byte_each")
            yield case({"kind": "wordpiece", "lowercase": lower}, text, peer(plain)["input_ids"], 0)


def clip_cases(texts):
    peer = open_clip.tokenizer.SimpleTokenizer(bpe_path=str(OUT / "merges.txt.gz"))
    for clean in ("lower", "whitespace", "canonicalize"):
        peer.clean_fn = open_clip.tokenizer.get_clean_fn(clean)
        for text in texts:
            plain = text if isinstance(text, str) else text.decode("utf-8", "one_byte_each")
            if ftfy.fix_text(plain) != ftfy.fix_text(plain, fix_encoding=False):
                continue  # a guess of ftfy that is not made
            ids = [peer.sot_token_id, *peer.encode(plain), peer.eot_token_id]
            yield case({"kind": "clip_bpe", "clean": clean}, text, ids, 0)


def sentencepiece_cases(texts):
    peer = sentencepiece.SentencePieceProcessor(model_file=str(OUT / "small.model"))
    for text in texts:
        if isinstance(text, str):
            yield case({"kind": "sentencepiece"}, text, [*peer.encode(text), peer.eos_id()], peer.pad_id())


def main():
    register()
    OUT.mkdir(exist_ok=True)
    write_files()
    texts = SENTENCES + [t for t in HARD if len(t) < 500] + BAD_BYTES
    cases = [*bert_cases(texts), *clip_cases(texts), *sentencepiece_cases(texts)]
    root = {
        "generator": "tests/parity/gen_subwords.py",
        "peers": {"transformers": transformers.__version__, "open_clip": open_clip.__version__, "ftfy": ftfy.__version__, "sentencepiece": sentencepiece.__version__},
        "context": CONTEXT,
        "cases": cases,
    }
    (OUT / "cases.json").write_text(json.dumps(root, separators=(",", ":")).replace("},{", "},\n{") + "\n")


if __name__ == "__main__":
    main()
