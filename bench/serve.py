"""How a bench program answers the driver `run`: the Python side of serve.c."""

import json
import sys


def serve(about, measure):
    """Prints `about`, then a number for each line of standard input."""
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        print(f"{measure():.9g}", flush=True)
