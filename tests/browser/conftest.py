"""One real server and one browser for every module of tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from ldlva.survey.database import Database
from ldlva.survey.repository import Repository
from tests.conftest import ROOT

SERVER_START_SECONDS = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything the module's server reads and writes."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def repository(folder: Path) -> Iterator[Repository]:
    """The server's database, without a study."""
    database = Database(f"sqlite:///{folder / 'survey.db'}")
    database.prepare()
    yield Repository(database)
    database.close()


@pytest.fixture(scope="module")
def server_settings() -> dict[str, str]:
    """Settings of a module's server beside those of every one."""
    return {}


@pytest.fixture(scope="module")
def server(folder: Path, repository: Repository, server_settings: dict[str, str]) -> Iterator[str]:
    """The product as `streamlit run app.py` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    settings = {
        "LDLVA_DATABASE_URL": f"sqlite:///{folder / 'survey.db'}",
        "LDLVA_JOBS": str(folder / "jobs"),
        "LDLVA_RUNS": str(folder / "runs"),
        "LDLVA_CACHE": str(folder / "decoded"),
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--server.address", "127.0.0.1"],
            cwd=ROOT,
            env=os.environ | settings | server_settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + SERVER_START_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"the server did not start:\n{log.read_text()}")
                time.sleep(0.2)
        yield address
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()
