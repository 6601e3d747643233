"""Seconds per training step of every method, interleaved in one run: `python -m ldlva bench train-step`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ldlva.cli import main

if __name__ == "__main__":
    sys.argv = ["ldlva", "bench", "train-step", *sys.argv[1:]]
    main()
