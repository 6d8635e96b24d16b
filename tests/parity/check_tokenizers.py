"""Compares the ids of the subword tokenizers with those of their origins, text
by text: BertTokenizer of transformers (uncased and cased), SimpleTokenizer of
open_clip, SentencePieceProcessor of sentencepiece.

    python tests/parity/check_tokenizers.py

Texts: 20,000 real ones, English and Chinese, from the folder that
DIPTYCH_TEST_DATA names or ../shared/data; generated ones, with a word about it,
where there is no such folder. Hard cases and a walk through Unicode are always
there. The vocabulary of BERT is learned from the texts, or that of the file
that DIPTYCH_TEST_VOCAB names (a vocab.txt).
"""

import codecs
import collections
import csv
import gzip
import html
import itertools
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

# The version of Debian's library: later ones break some ties otherwise. Before
# transformers, which would bring another.
LIBRARY = "0.1.97"
sys.path.insert(0, f"{sys.prefix}/sentencepiece-{LIBRARY}")
import sentencepiece

import ftfy
import open_clip.tokenizer
import transformers

BUILD = os.environ.get("DIPTYCH_BUILD", "build")
ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("DIPTYCH_TEST_DATA", ROOT / "../shared/data"))
LONG = 1 << 14  # ids of the longest text
HARD = [
    "", " ", "\t\n", "a", "Men's don't WE'LL they'VE 'S 'quoted' rock'n'roll",
    "caf\u00e9 cafe\u0301 CAFE\u0301 x\u0301\u0302\u0327 \u0301", "na\u00efve \u00dcber Stra\u00dfe \u1e9e",
    "\u0130stanbul I\u0131 \u039f\u0394\u039f\u03a3 \u03a3 \u03a3\u0391\u03a3.\u03a3 \u039f\u0394\u039f\u03a3\u0301",
    "\U0001f469\u200d\U0001f9b0 \u2764\ufe0f 1\ufe0f\u20e3 \U0001f1ee\U0001f1f3\U0001f44d\U0001f3fd",
    "\u7ea2\u8272\u8fde\u8863\u88d9\uff0c2024\u65b0\u6b3e\uff01\u3000\u7537\u58ebT\u6064",
    "\U00020000\U0002a6d6\U0002b740 \uf900 \u2f00 \u3400x\u4e00", "\uc6d0\ud53c\uc2a4 \u1112\u1161\u11ab \u304c\u304b\u3099 \uff76\uff9e",
    "\uff26\uff55\uff4c\uff4c\uff37\uff29\uff24\uff34\uff28 \uff11\uff12 \ufb01ne \ufb05 \u0132 \u01c4 \u0149",
    "&amp; &lt;b&gt; &eacute; &#233; &#xe9; &amp;amp; &notit; &copy &#128; &#0; &#31; &bogus; &;",
    "<b>&amp;amp;</b> &eacute &AMP; &frac12;", "\u2018a\u2019 \u201cb\u201d \u02bc \x92 \x85 \x80",
    "\x1b[36;44mblue\x1b[0m \x00nul \x07bell \x7f del \ufeffbom \u206a \ufff9 \ufffc",
    "\u00ad soft\u00adhyphen zero\u200bwidth \u00a0 \u2003 \u2028 \u2029 \u0085 \x0b \x0c \x1c",
    "3.5mm 100% #1 A+B=C (XL) under_score e-mail x\u2013y $5 \u20ac6 ^_^ ~`|", "x" * 99 + " " + "y" * 100 + " " + "z" * 101,
    "\u00e9" * 100 + " " + "\u00e9" * 101, "lo" * 2000 + "ng", "!" * 3000, "1234567890" * 50,
    "[CLS] a[SEP]b [MASK] [cls] [UNK][PAD] [", "<start_of_text>a<end_of_text> !<end_of_text> <START_OF_TEXT> <",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0643\u064e\u062a\u0627\u0628 \u0e40\u0e2a\u0e37\u0e49\u0e2d \u05d0\u05b8", "\ufffd a\ufffdb \ue000 \U000e0041",
    "'\u017f \u017f \u212a \u2126", "\u2168 \u00bd \u00b2 \u2460 \u0663", "_a_ __b__ a_b, c.",
]
BAD_BYTES = [b"\xff", b"a\xc3b", b"\xe7\xba red \xf0\x9f\x91", b"\xed\xa0\x80x", b"ok\x80\x80ok", b"\xc0\xaf/"]


def read_real():
    titles = (DATA / "myntra/items.tsv").read_text(encoding="utf-8").split("\n")
    column = titles[0].split("\t").index("title")
    english = [line.split("\t")[column] for line in titles[1:] if line]
    for path in sorted((DATA / "sst2").glob("*.tsv")):
        lines = path.read_text(encoding="utf-8").split("\n")
        english += [line.rsplit("\t", 1)[0] for line in lines if line.strip()]
    chinese = []
    for path in sorted((DATA / "zh_shopping").glob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            chinese += [row[-1] for row in itertools.islice(csv.reader(file), 1, None)]
    rng = random.Random(0)
    return rng.sample(english, 12000) + rng.sample(chinese, 8000)


def generate():
    rng = random.Random(0)
    words = ["".join(rng.choice("aeioubdfgklmnprst") for _ in range(rng.randint(1, 9))) for _ in range(3000)]
    han = [chr(c) for c in range(0x4E00, 0x5200)]
    texts = []
    for i in range(20000):
        source = han if i % 3 == 0 else words
        pieces = [rng.choice(source) for _ in range(rng.randint(1, 20))]
        pieces = [p.title() if rng.random() < 0.2 else p for p in pieces]
        texts.append(("" if i % 3 == 0 else " ").join(pieces) + rng.choice(["", ".", "!", " \u2014 5%"]))
    return texts


def code_points():
    """Every character up to U+33FF, then samples, in two places each."""
    codes = itertools.chain(range(1, 0x3400), range(0x3400, 0xD800, 97), range(0xE000, 0xF900, 53), range(0xF900, 0x10000), range(0x10000, 0x20000, 3), range(0x20000, 0x31500, 101), (0xE0001, 0xE0100, 0xF0000, 0x10FFFF))
    return [f"a{chr(c)}b {chr(c)}" for c in codes]


def ours(texts, kind, **options):
    """Ids without pads; `texts` are strings or bytes."""
    raw = [t.encode() if isinstance(t, str) else t for t in texts]
    command = [f"{BUILD}/tests/parity/tokenize", str(LONG), kind]
    command += [f"{key}={value}" for key, value in options.items()]
    data = b"".join(struct.pack("<I", len(t)) + t for t in raw)
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        needed, *ids = map(int, line.split())
        assert needed == len(ids) <= LONG
        rows.append(ids)
    return rows


def one_byte_each(error):
    """What we make of malformed UTF-8: U+FFFD for each byte."""
    return "\ufffd", error.start + 1


def register():
    codecs.register_error("one_byte_each", one_byte_each)


class Report:
    failed = False

    def compare(self, what, texts, wanted, got, allowed=lambda text: False):
        assert len(wanted) == len(got) == len(texts)
        bad = [t for t, a, b in zip(texts, wanted, got) if list(a) != list(b)]
        known = [t for t in bad if allowed(t)]
        wrong = [t for t in bad if not allowed(t)]
        words = f"{len(texts) - len(bad)} of {len(texts)} texts have equal ids"
        if known:
            words += f", {len(known)} are new in Unicode to one of the two"
        print(f"{what}: {words}")
        for text in wrong[:5]:
            print(f"    differs: {text[:80]!r}")
        self.failed |= bool(wrong)


def learn_vocab(texts, path):
    """A vocab.txt of frequent words, their beginnings and ends, and characters."""
    words = collections.Counter(w for t in texts for w in t.lower().split())
    letters = sorted({c for t in texts for c in t} | {c for t in texts for c in t.lower()})
    letters = [c for c in letters if not unicodedata.category(c)[0] in "ZC"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokens += ["##" + c for c in letters]
    for word, _ in words.most_common(4000):
        tokens += [word, word[:3], "##" + word[-3:], word[:5], word.title()]
    tokens = [t for t in dict.fromkeys(tokens) if t.strip() and len(t.split()) == 1]
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")


# Of another category since Unicode 12, 14 and 9; transformers has the old ones.
CHANGED = "\u166d\u1734\u1885\u1886"


def is_new(text):
    """Whether a character was assigned after Unicode 3.2, or is private: some
    peers have old tables, others newer ones than ours (15)."""
    return any(c in CHANGED or unicodedata.ucd_3_2_0.category(c) in ("Cn", "Co") for c in text)


def check_wordpiece(report, sets, folder):
    source = os.environ.get("DIPTYCH_TEST_VOCAB")
    vocab = folder / "vocab.txt"
    if source:
        vocab.write_bytes(pathlib.Path(source).read_bytes())
    else:
        learn_vocab(sets["real"], vocab)
    for lower in (True, False):
        config = folder / "tokenizer_config.json"
        config.write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": %s}' % str(lower).lower())
        peer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=1 << 20)
        assert peer.vocab_size == len(vocab.read_text(encoding="utf-8").split("\n")) - 1
        name = "uncased" if lower else "cased"
        for title, texts in sets.items():
            plain = [t if isinstance(t, str) else t.decode("utf-8", "one_byte_each") for t in texts]
            got = ours(texts, "wordpiece", vocab=vocab, lowercase=str(lower).lower())
            report.compare(f"wordpiece, {name}, {title}", texts, peer(plain)["input_ids"], got, is_new if title == "characters" else lambda t: False)


def basic_clean(text):
    text = ftfy.fix_text(text, fix_encoding=False)
    return html.unescape(html.unescape(text)).strip()


def check_clip(report, sets, folder):
    peer = open_clip.tokenizer.SimpleTokenizer()
    original = open_clip.tokenizer.basic_clean
    mojibake = sum(original(t) != basic_clean(t) for t in sets["real"])
    print(f"clip_bpe: ftfy takes {mojibake} of {len(sets['real'])} real texts for wrongly decoded; we do not guess")
    open_clip.tokenizer.basic_clean = basic_clean
    merges = open_clip.tokenizer.default_bpe()
    for clean in ("lower", "whitespace", "canonicalize"):
        peer.clean_fn = open_clip.tokenizer.get_clean_fn(clean)
        for title, texts in sets.items():
            if clean != "lower" and title != "hard":
                continue
            plain = [t if isinstance(t, str) else t.decode("utf-8", "one_byte_each") for t in texts]
            wanted = [[peer.sot_token_id, *peer.encode(t), peer.eot_token_id] for t in plain]
            got = ours(texts, "clip_bpe", merges=merges, clean=clean)
            report.compare(f"clip_bpe, {clean}, {title}", texts, wanted, got, is_new if title == "characters" else lambda t: False)
    open_clip.tokenizer.basic_clean = original
    plain_file = folder / "merges.txt"
    lines = gzip.open(merges).read().decode().split("\n")[: 49152 - 256 - 2 + 1]
    plain_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = sets["real"][:2000]
    report.compare("clip_bpe, from a merges.txt", texts, ours(texts, "clip_bpe", merges=merges), ours(texts, "clip_bpe", merges=folder))


def check_sentencepiece(report, sets, folder):
    assert sentencepiece.__version__ == LIBRARY, "bench/peer-setup brings it"
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(" ".join(t.split()) for t in sets["real"][::5]) + "\n", encoding="utf-8")
    for model_type in ("unigram", "bpe"):
        prefix = folder / model_type
        sentencepiece.SentencePieceTrainer.train(input=str(corpus), model_prefix=str(prefix), model_type=model_type, vocab_size=5000, minloglevel=2, pad_id=3, byte_fallback=model_type == "bpe")
        peer = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        for title, texts in sets.items():
            if title == "hard":
                texts = [t for t in texts if isinstance(t, str)]
            wanted = [[peer.bos_id(), *ids, peer.eos_id()] for ids in peer.encode(list(texts))]
            got = ours(texts, "sentencepiece", model=f"{prefix}.model", bos="true", eos="true")
            report.compare(f"sentencepiece, {model_type}, {title}", texts, wanted, got)


def main():
    register()
    if DATA.is_dir():
        real = read_real()
    else:
        print(f"no texts in '{DATA}' (DIPTYCH_TEST_DATA names another folder): generated ones instead")
        real = generate()
    sets = {"real": real, "hard": HARD + BAD_BYTES, "characters": code_points()}
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_wordpiece, check_clip, check_sentencepiece):
            check(report, sets, pathlib.Path(folder))
    return report.failed


if __name__ == "__main__":
    sys.exit(main())
