"""Writes tests/golden/tokenizer.json: words of hard texts, and a vocabulary,
by an independent implementation of the rules of data/tokenizer.h.

Peers: Python's unicodedata (NFKC, casefold) and the PyPI package regex
(properties of characters); their versions stand in the file.

    python tests/parity/gen_tokenizer.py > tests/golden/tokenizer.json
"""

import collections
import json
import sys
import unicodedata

import regex

SYLLABLE = (
    r"(?:(?=[\p{L}\p{N}])"
    r"[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\uac00-\ud7a3])"
)
IGNORED = regex.compile(r"[\p{Cf}\ufe00-\ufe0f\U000e0100-\U000e01ef]")
APOSTROPHE = regex.compile(
    rf"(?<=[\p{{L}}\p{{M}}])(?<!{SYLLABLE})['\u2019](?!{SYLLABLE})(?=\p{{L}})"
)
TOKEN = regex.compile(
    rf"\ufffd+|{SYLLABLE}"
    rf"|(?!{SYLLABLE})[\p{{L}}\p{{N}}](?:(?!{SYLLABLE})[\p{{L}}\p{{N}}\p{{M}}])*"
    r"|[\p{P}\p{S}]"
)
MAX_BYTES = 128


def normalise(text):
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


def is_word(token):
    return regex.match(r"[\p{L}\p{N}\ufffd]", token) is not None


def words(raw, punctuation):
    """The words of bytes; None for what can be in no vocabulary."""
    text = normalise(raw.decode("utf-8", errors="replace"))
    text = APOSTROPHE.sub("", IGNORED.sub("", text))
    tokens = [t for t in TOKEN.findall(text) if punctuation or is_word(t)]
    return [
        None if t[0] == "\ufffd" or len(t.encode()) > MAX_BYTES else t
        for t in tokens
    ]


TEXTS = [
    "",
    "   \t\n ",
    "Turtle Check Men Navy Blue Shirt",
    "Men's T-shirt, don't/won't",
    "'quoted' dogs' 'tis 5'10\" rock'n'roll",
    "men\u2019s men\uff07s o\u2019\u2019clock l'\u00e9t\u00e9",
    "3.5mm 100% cotton & silk #1 A+B=C (size: XL)",
    "under_score e-mail x\u2013y z\u2014w",
    "Stra\u00dfe STRASSE \u0130stanbul I\u0131 \u039f\u03b4\u03cc\u03c2 \u1e9e",
    "cafe\u0301 caf\u00e9 CAFE\u0301 a\u0327\u0301 \u0301x x\u0301\u0302",
    "\uff26\uff55\uff4c\uff4c \uff37\uff29\uff24\uff34\uff28\u3000\uff11\uff12\uff13\uff01",
    "\ufb01ne \u2460\u00bd \u2163 \u33a5 \u2122 H\u2082O x\u00b2",
    "\u7ea2\u8272\u8fde\u8863\u88d9 2024\u65b0\u6b3e\uff0c\u663e\u7626!",
    "\u7537\u58ebT\u6064XL\u7801",
    "\u30ef\u30f3\u30d4\u30fc\u30b9 \uff9c\uff9d\uff8b\uff9f\uff70\uff7d \u304b\u3099 \u3005\u3006",
    "\uc6d0\ud53c\uc2a4 \u1112\u1161\u11ab\uae00 \u314b\u314b",
    "\U00020000\U0002a6d6 \uf900 \u2f00",
    "\U0001f457 dress\U0001f457red \U0001f469\u200d\U0001f9b0 \u2764\ufe0f 1\ufe0f\u20e3",
    "\U0001f1ee\U0001f1f3 thumbs\U0001f44d\U0001f3fd",
    "soft\u00adhyphen zero\u200bwidth j\u200doin \ufeffbom \u200e\u200fmarks",
    "\u0643\u062a\u0627\u0628 \u0645\u064e \u0e40\u0e2a\u0e37\u0e49\u0e2d \u0939\u093f\u0928\u094d\u0926\u0940",
    "a\u00a0b\u2003c\u2028d\u0085e\u0000f\u0007g",
    "\ue000private \U000e0041tag \u0378",
    "x" * 128 + " " + "y" * 129 + " " + "\u00e9" * 64 + " " + "\u00e9" * 65,
    "\ufffd a\ufffdb",
]
BYTES = [
    b"ab\xffcd",
    b"\xff\xfe\xfd",
    b"caf\xc3",
    b"\xe2\x82 \xe2\x82\xac",
    b"\xed\xa0\x80x",
    b"\xc0\xaf\xf4\x90\x80\x80 ok",
    b"x \x80\x80 y\x80",
    b"a \xff\xe2\x80\x8d\xff b",
]

CORPUS = [
    "Red Dress",
    "red shoes, RED hat",
    "Blue dress for women",
    "women's blue shoes",
    "\u7ea2\u8272 dress \u7ea2",
    "zebra apple zebra apple",
]


def vocabulary(min_count, max_size):
    counts = collections.Counter(
        w for text in CORPUS for w in words(text.encode(), False)
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
    kept = [w for w, n in ranked if n >= min_count]
    return (["[pad]", "[unk]", "[eos]"] + kept)[:max_size]


def main():
    raws = [t.encode() for t in TEXTS] + BYTES
    golden = {
        "peers": f"unicodedata {unicodedata.unidata_version}, regex {regex.__version__}",
        "texts": [
            {
                "hex": raw.hex(),
                "words": words(raw, False),
                "with_punctuation": words(raw, True),
            }
            for raw in raws
        ],
        "corpus": CORPUS,
        "vocabularies": [
            {"min_count": m, "max_size": s, "tokens": vocabulary(m, s)}
            for m, s in [(1, 1000), (2, 1000), (3, 1000), (1, 8)]
        ],
    }
    json.dump(golden, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
