"""Settings read from the environment, every one prefixed `LDLVA_`. Documented in `docs/commands.md`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ldlva.errors import LdlvaError
from ldlva.passwords import check_hash

PROJECT_ROOT = Path(__file__).resolve().parents[1]

MODELS = PROJECT_ROOT / "data" / "models"
"""Models that come with the product."""


class Settings(BaseSettings):
    """All settings with their defaults."""

    model_config = SettingsConfigDict(env_prefix="LDLVA_")

    database_url: str = f"sqlite:///{PROJECT_ROOT / 'data' / 'ldlva.db'}"
    """Any SQLAlchemy URL; `postgresql://...` needs psycopg."""

    cache: Path = Path.home() / ".cache" / "ldlva" / "decoded"
    """Folder of decoded images, kept between runs. May be emptied at any time while nothing runs."""

    demo_study: bool = True
    """Put the demo study into a database made anew."""

    jobs: Path = PROJECT_ROOT / "data" / "jobs"
    """Folder for commands that pages start: their files, logs and progress."""

    runs: Path = PROJECT_ROOT / "runs"
    """Folder of the Training page's runs."""

    plain_ballot: bool = False
    """Show volunteers Streamlit's own buttons instead of the component."""

    researcher_access: Literal["sign-in", "open", "off"] = "sign-in"
    """Who sees the researchers' pages: who signs in (where nobody can: a browser on the same machine), all, nobody."""

    researcher_password_hash: str = ""
    """Made by `python -m ldlva password`."""

    researchers: str = ""
    """Who an identity provider may let in: e-mail addresses or patterns like `*@uni.example`, by comma."""

    @field_validator("researcher_password_hash")
    @classmethod
    def _is_hash(cls, value: str) -> str:
        if value:
            try:
                check_hash(value)
            except LdlvaError as error:
                raise ValueError(str(error)) from None
        return value

    folders: Path = Path.home()
    """Pages take pictures and data sets from folders within this one."""

    sqlite_synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
    """FULL also survives a power cut in the second after a vote; NORMAL survives every crash of the program."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once.

    Raises:
        LdlvaError: a variable has a value that is not allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"LDLVA_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
        raise LdlvaError(f"Bad setting in the environment. {problems}.") from None
