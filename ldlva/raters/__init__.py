"""The people who vote: how far they agree, and how each of them voted."""
