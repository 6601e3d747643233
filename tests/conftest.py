"""Fixtures shared by all tests."""

from __future__ import annotations

import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from PIL import Image

from ldlva.datasets import ferplus
from ldlva.settings import settings
from ldlva.survey.database import Database
from ldlva.survey.records import NewImage
from ldlva.survey.repository import Repository

ROOT = Path(__file__).resolve().parents[1]


def need(found: bool, what: str) -> None:
    """Skip where a developer's machine lacks a program; on CI its absence is a failure."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Arrays made by the original authors' code; `LDLVA_GOLDEN` names another folder with such files."""
    folder = Path(os.environ.get("LDLVA_GOLDEN", ROOT.parent / "shared" / "golden"))
    need(folder.is_dir(), f"golden data at {folder}")
    return folder


@pytest.fixture(scope="session")
def ferplus_folder() -> Path:
    """The real FER+ files; `LDLVA_FERPLUS` names another place."""
    folder = Path(os.environ.get("LDLVA_FERPLUS", Path.home() / ".cache" / "ldlva")) / "FERPlus"
    need(folder.is_dir(), f"FER+ at {folder}")
    return folder


@pytest.fixture(autouse=True)
def isolated_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test may touch the developer's own database or decoded images."""
    monkeypatch.setenv("LDLVA_DATABASE_URL", f"sqlite:///{tmp_path / 'survey.db'}")
    monkeypatch.setenv("LDLVA_DEMO_STUDY", "false")
    monkeypatch.setenv("LDLVA_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("LDLVA_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LDLVA_CACHE", str(tmp_path / ".decoded"))
    # Streamlit's test harness runs no component; its buttons stand for the ballot's.
    monkeypatch.setenv("LDLVA_PLAIN_BALLOT", "true")
    # Streamlit's test harness has no connection whose other end could be on this machine.
    monkeypatch.setenv("LDLVA_RESEARCHER_ACCESS", "open")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL prefix of a throw-away PostgreSQL server on a Unix socket."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    need(bool(programs), "PostgreSQL (Debian: postgresql)")
    # Not below pytest's own folder: every other pytest of this user closes that to the server's user again.
    folder = Path(tempfile.mkdtemp(prefix="ldlva-postgresql-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(programs[-1] / program), *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL
        )

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
    run("pg_ctl", "-D", data, "-w", "-o", f"-k {folder} -h '' -F", "-l", str(folder / "log"), "start")
    try:
        yield str(folder)
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh, prepared database, once of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        socket = request.getfixturevalue("postgresql")
        # Emptied, not made anew: a database is 1,000 files.
        with psycopg.connect(f"host={socket} user=postgres", autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        url = f"postgresql+psycopg://postgres@/postgres?host={socket}"
    opened = Database(url)
    opened.prepare()
    yield opened
    opened.close()


@pytest.fixture
def repository(database: Database) -> Repository:
    return Repository(database)


@pytest.fixture
def sqlite_repository(tmp_path: Path) -> Iterator[Repository]:
    """The database that the settings name."""
    database = Database(f"sqlite:///{tmp_path / 'survey.db'}")
    database.prepare()
    yield Repository(database)
    database.close()


def png(seed: int, size: int = 48) -> bytes:
    """A valid grey picture, different for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def pictures(count: int) -> list[NewImage]:
    """Images for a study."""
    return [NewImage(f"face{i:02d}.png", png(i), "image/png", 48, 48) for i in range(count)]


FerPlusMaker = Callable[..., Path]

VOTES = {
    "neutral": (8, 1, 0, 1, 0, 0, 0, 0, 0, 0),
    "happiness": (1, 9, 0, 0, 0, 0, 0, 0, 0, 0),
    "surprise": (0, 1, 7, 0, 0, 0, 2, 0, 0, 0),
    "sadness": (3, 0, 0, 6, 0, 0, 0, 1, 0, 0),
    "anger": (0, 0, 0, 0, 9, 1, 0, 0, 0, 0),
    "disgust": (0, 0, 0, 0, 3, 6, 0, 1, 0, 0),
    "fear": (0, 0, 4, 0, 0, 0, 6, 0, 0, 0),
}
"""Ten votes in FER+ column order for one face of every emotion."""


@pytest.fixture
def make_ferplus(tmp_path: Path) -> FerPlusMaker:
    """Write a tiny FER+ tree in the official layout: `per_emotion` faces of every emotion in every part."""

    def make(
        per_emotion: int = 2, parts: tuple[str, ...] = ("train", "valid"), local: bool = True, shared: bool = True
    ) -> Path:
        root = tmp_path / "FERPlus"
        usage = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
        lines = ["Usage,Image name," + ",".join(ferplus.COLUMNS)]
        number = 0
        for part in parts:
            folder = root / ferplus.FOLDERS[part]  # type: ignore[index]
            folder.mkdir(parents=True)
            local_lines = []
            for _ in range(per_emotion):
                for votes in VOTES.values():
                    name = f"fer{number:07d}.png"
                    (folder / name).write_bytes(png(number))
                    counts = ",".join(map(str, votes))
                    local_lines.append(f'{name},"(0, 0, 48, 48)",{counts}')
                    lines.append(f"{usage[part]},{name},{counts}")
                    number += 1
            if local:
                (folder / "label.csv").write_text("\n".join(local_lines) + "\n")
        if shared:
            (root / "fer2013new.csv").write_text("\n".join(lines) + "\n")
        return root

    return make


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    need(bool(found), "Chromium (Debian: chromium)")
    return found
