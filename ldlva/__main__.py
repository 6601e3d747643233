"""`python -m ldlva`."""

from ldlva.cli import main

main()
