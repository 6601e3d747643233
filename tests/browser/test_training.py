"""A researcher in a real browser trains a real, tiny model: start, watch, reload, stop, resume, kill, finish."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.jobs import Job
from ldlva.run_folder import RunSummary, read_run
from tests.conftest import FerPlusMaker

PATIENCE = 180_000
"""Milliseconds for what waits for a child process to load torch on a busy machine."""

EPOCHS = 80


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"LDLVA_FOLDERS": str(tmp_path_factory.getbasetemp())}


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(re.compile(rf"\b{label}$|^{label}\b")).first.click()
    page.get_by_role("option", name=value, exact=True).click()


def test_a_training_is_started_watched_stopped_killed_and_resumed(
    browser: Browser, server: str, folder: Path, tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    def run() -> RunSummary:
        return read_run(folder / "runs" / "tiny", "tiny", time.time())

    context = browser.new_context(viewport={"width": 1440, "height": 1400}, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/training")
    expect(page.get_by_role("button", name="Start training")).to_be_visible(timeout=PATIENCE)
    choose(page, "Data set", "ferplus")
    fill(page, "Folder on this server", str(empty))
    choose(page, "Backbone", "mobilenet_v2")
    fill(page, "Image size", "32")
    fill(page, "Epochs", str(EPOCHS))
    fill(page, "Name", "tiny")
    page.get_by_text("More settings").click()
    fill(page, "Batch size", "7")
    fill(page, "Threads", "1")
    page.get_by_role("button", name="Start training").click()

    card = page.locator(".st-key-card-current-tiny")
    expect(card.get_by_role("alert")).to_contain_text("this is not the FER+ layout", timeout=PATIENCE)

    page.get_by_text("New run").click()
    fill(page, "Folder on this server", str(make_ferplus(per_emotion=8)))
    page.get_by_role("button", name="Start training").click()
    expect(card.locator(".pill")).to_have_text("running", timeout=PATIENCE)
    expect(card.get_by_text(re.compile(rf"Epoch \d+ of {EPOCHS}"))).to_be_visible(timeout=PATIENCE)
    expect(card.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)

    page.reload()
    expect(card.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    card.get_by_role("button", name="Stop").click()
    expect(card.locator(".pill")).to_have_text("stopped", timeout=PATIENCE)
    stopped_after = run().epochs_done
    assert run().state == "stopped"
    assert 0 < stopped_after < EPOCHS
    time.sleep(1)
    assert run().epochs_done == stopped_after

    card.get_by_role("button", name="Resume").click()
    expect(card.locator(".pill")).to_have_text("running", timeout=PATIENCE)
    expect(card.get_by_text(re.compile(rf"Epoch \d+ of {EPOCHS}"))).to_be_visible(timeout=PATIENCE)
    os.kill(Job(folder / "runs" / "tiny" / "job").record()["pid"], signal.SIGKILL)
    expect(card.locator(".pill")).to_have_text("failed", timeout=PATIENCE)
    expect(card.get_by_role("alert")).to_contain_text("it was killed")

    card.get_by_role("button", name="Resume").click()
    expect(card.locator(".pill")).to_have_text("finished", timeout=3 * PATIENCE)
    assert (run().state, run().epochs_done) == ("finished", EPOCHS)
    assert [row["epoch"] for row in run().metrics] == list(range(1, EPOCHS + 1))
    expect(page.get_by_role("heading", name="All runs")).to_be_visible()

    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(card.locator(".pill")).to_have_text("finished")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
