"""Settings read from the environment, every one prefixed `LDLVA_`. Documented in `docs/commands.md`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ldlva.errors import LdlvaError

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

    folders: Path = Path.home()
    """Pages take pictures and data sets from folders within this one."""

    researcher_pages: bool = True
    """Show the pages that create and close studies; false for a server that strangers reach."""

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
