"""The volunteers' languages: one file each in `ldlva/translations`, holding every text a volunteer reads.

Adding one is adding a file; `docs/languages.md` says how, and a test holds all files to the same keys and placeholders.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

FOLDER = Path(__file__).with_name("translations")

DEFAULT = "en"

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: BCP 47, as in the file's name and in `lang=`.
        name: what its speakers call it.
        direction: which way it is written.
        texts: by "section.key".
    """

    code: str
    name: str
    direction: Direction
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """A text with its placeholders filled in.

        Raises:
            KeyError: no such text, or a placeholder without a value.
        """
        return self.texts[key].format(**values)

    def emotion(self, name: str, own_title: str | None = None) -> str:
        """The name of a choice: the study's own title if it has one, else the translation, else the stored name."""
        return own_title or self.texts.get(f"emotions.{name}") or name[:1].upper() + name[1:]


@lru_cache(maxsize=1)
def languages() -> dict[str, Language]:
    """All languages by code: English first, then by code."""
    read = {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}
    return {DEFAULT: read[DEFAULT]} | read


def language(code: str | None) -> Language:
    """The language of this code, or English if there is none."""
    return languages().get(code or DEFAULT, languages()[DEFAULT])


def preferred(wishes: Sequence[str | None], offered: Sequence[str]) -> str:
    """The first wish that is offered, also by its main part (`pt-BR` by `pt`); else the first language offered.

    Args:
        wishes: codes in falling priority; None and unknown ones are passed over.
        offered: at least one code.

    Raises:
        ValueError: nothing is offered.
    """
    if not offered:
        raise ValueError("at least one language must be offered")
    by_lower = {code.lower(): code for code in offered}
    for wish in wishes:
        for candidate in ((wish or "").lower(), (wish or "").lower().split("-")[0]):
            if candidate in by_lower:
                return by_lower[candidate]
    return offered[0]


def _read(path: Path) -> Language:
    sections = tomllib.loads(path.read_text(encoding="utf-8"))
    about = sections.pop("language")
    return Language(
        code=path.stem,
        name=about["name"],
        direction=cast(Direction, about["direction"]),
        texts={f"{section}.{key}": text.strip() for section, texts in sections.items() for key, text in texts.items()},
    )
