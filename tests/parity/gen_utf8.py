#!/usr/bin/env python3
"""Writes tests/golden/normalised_titles.json: strings and their normalised
form by Python's unicodedata (Unicode 14.0, Python 3.11), pairs [text, form].

    python3 tests/parity/gen_utf8.py > tests/golden/normalised_titles.json
"""

import json
import random
import re
import unicodedata

BY_HAND = [
    "", "   ", "Nike  Men's\tRunning\nShoes ", "Stra\u00dfe", "\uff21\uff22 \uff11",
    "\ufb01ne \u00bd \u2167", "\u212bngstr\u00f6m A\u030a", "\u0130stanbul",
    "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3", "\u8fde\u8863\u88d9\u3000\u84dd\u8272",
    "\uff76\uff9e", "a\u00a0\u2003b", "\u01f0", "\u013f", "\u1e9e",
    "x\u0085y\u2028z\u1680w", "\U0001f457 Dress", "\uac01\u1100\u1161\u11a8",
]


def normalise(text):
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", folded)).strip()


def assigned():
    for code in range(0x20, 0x30000):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co"):
            yield chr(code)


def main():
    letters = list(assigned())
    draw = random.Random(1)
    texts = BY_HAND + ["".join(draw.choices(letters, k=4)) for _ in range(200)]
    pairs = [[text, normalise(text)] for text in texts]
    print(json.dumps(pairs, indent=0))


if __name__ == "__main__":
    main()
