#!/usr/bin/env python3
"""open_clip_train.main, to which the models of bench/models/ are known by name:
takes the same arguments."""

import pathlib
import sys

import open_clip
from open_clip_train.main import main

if __name__ == "__main__":
    open_clip.add_model_config(pathlib.Path(__file__).parent / "models")
    main(sys.argv[1:])
