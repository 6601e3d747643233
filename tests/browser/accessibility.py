"""axe-core on the page as it stands."""

from __future__ import annotations

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.visitor import fits


def check(page: Page, screen: str) -> None:
    """No serious or critical fault, and nothing wider than the screen.

    With `LDLVA_SCREENSHOTS` set to a folder, a picture of the screen is kept there.
    """
    page.wait_for_timeout(250)  # fades of dialogs and buttons change contrast while they last
    if folder := os.environ.get("LDLVA_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{screen}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    faults = [
        f"{fault['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
    assert not faults, f"{screen}:\n" + "\n".join(faults)
    assert fits(page), f"{screen} is wider than the screen"
