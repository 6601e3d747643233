"""A researcher runs a study in a real browser: protocol, preview, links, live progress, download; desk and phone."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures
from tests.survey.test_participation import quota, vote_on

expect.set_options(timeout=30_000)
SECTIONS = ("Progress", "Protocol", "Invitations", "Data")


def open_study(browser: Browser, server: str, name: str, width: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"/studies?study={name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def section(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").first.get_by_text(name, exact=True).click()


@pytest.mark.parametrize("width", [1440, 390])
def test_from_a_draft_to_the_download(
    browser: Browser, server: str, repository: Repository, tmp_path: Path, width: int
) -> None:
    name = f"mine-{width}"
    repository.create_study(NewStudy(name, protocol=quota(2), status="draft"), pictures(4))
    page = open_study(browser, server, name, width)
    section(page, "Protocol")
    page.get_by_label("Title", exact=True).fill("What do they feel?")
    page.get_by_label("Votes per face").fill("3")
    page.get_by_label("Votes per face").press("Tab")
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    assert repository.study(name).protocol.stopping.votes_per_face == 3
    expect(page.get_by_role("heading", name="What do they feel?", level=1)).to_be_visible()

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Preview as a volunteer").click()
    preview = opened.value
    expect(preview.get_by_text("nothing you do here is stored")).to_be_visible()
    expect(preview.get_by_role("heading", name="What do they feel?")).to_be_visible()
    preview.get_by_role("button", name=re.compile("agree", re.IGNORECASE)).click()
    expect(preview.get_by_text("nothing you do here is stored")).to_be_visible()
    expect(preview.locator(".ballot .where")).to_have_text("Face 1 of 4")
    preview.wait_for_timeout(600)  # sooner, a choice counts as the second half of a double click
    preview.keyboard.press("2")
    expect(preview.locator(".ballot .where")).to_have_text("Face 2 of 4")
    preview.close()
    study = repository.study(name)
    assert (study.volunteers, study.votes) == (0, 0)

    page.locator(f".st-key-open-{name} button").click()
    expect(page.locator(".status.open")).to_be_visible()
    section(page, "Invitations")
    page.get_by_label("Who they are for: one a line (optional)").fill("Ann\nBo")
    page.get_by_role("button", name="Make links").click()
    expect(page.get_by_text("0 of 2 links are used.")).to_be_visible()
    expect(page.get_by_text(f"{server}/vote?study={name}&i=").first).to_be_visible()

    section(page, "Progress")
    expect(page.get_by_text("about 12 more votes needed")).to_be_visible()
    vote_on(repository, repository.enrol(name).token)
    expect(page.get_by_text("about 8 more votes needed")).to_be_visible()  # by itself
    expect(page.get_by_text("needs about 2 more").first).to_be_visible()

    section(page, "Data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download everything").click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert f"{name}/protocol-2.toml" in archive.namelist()

    for one in SECTIONS:
        section(page, one)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()
