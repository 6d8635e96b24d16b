#!/usr/bin/env python3
"""Captions a CPU-second of open_clip's tokenizer, beside bench_tokenizer.

    peer_tokenizer.py CAPTIONS

A measurement encodes every line of CAPTIONS to a context of 77. The tokenizer
keeps the words that it has met, so all measurements but the first meet none
that is new.
"""

import pathlib
import sys
import time

import torch
from open_clip.tokenizer import SimpleTokenizer

from serve import serve


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    captions = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    tokenizer = SimpleTokenizer()

    def all_captions():
        start = time.process_time()
        tokenizer(captions)
        return len(captions) / (time.process_time() - start)

    serve({"context": tokenizer.context_length}, all_captions)


if __name__ == "__main__":
    main()
