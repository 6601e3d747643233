"""`python -m ldlva`."""

from ldlva.jobs import recorded

if __name__ == "__main__":
    with recorded():
        from ldlva.cli import main

        main()
