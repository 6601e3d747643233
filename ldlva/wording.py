"""Words and numbers as people write them, on pages and in papers: names of data sets, plurals, thousands separators."""

from __future__ import annotations

import re

_DATA_SETS = {"ferplus": "FER+", "rafdb": "RAF-DB", "affectnet": "AffectNet", "faces": "built-in faces"}


def data_set(source: str) -> str:
    """A data set as people write it, by the name that it has in commands; others as they are."""
    return _DATA_SETS.get(source, source)


def data_part(words: str) -> str:
    """The same for a text that begins with a data set, such as `ferplus train`, with its counts grouped."""
    source, space, rest = words.partition(" ")
    return data_set(source) + space + grouped(rest)


def grouped(sentence: str) -> str:
    """Thousands separators in counts of faces and votes; years and names keep their digits."""
    return re.sub(r"(?<![\w.,-])\d{4,}(?= (?:faces|votes|of \d))", lambda found: f"{int(found[0]):,}", sentence)


def counted(number: int, one: str, several: str | None = None) -> str:
    """`1 face`, `3,503 faces`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
