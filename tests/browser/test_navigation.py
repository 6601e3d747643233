"""Finding one's way in a real browser: Back and Forward between studies, and the menu on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.browser.visitor import PATIENCE, fits
from tests.conftest import pictures

expect.set_options(timeout=PATIENCE)

PAGES = ("", "results", "compare", "explore", "embedding", "studies", "training")
HIGHEST_MENU = 80
"""Pixels: how high the menu may be on a phone, which is two rows of links."""


@pytest.fixture(scope="module", autouse=True)
def studies(repository: Repository) -> None:
    for name, faces in (("a", 3), ("b", 5)):
        repository.create_study(NewStudy(name, f"Study {name}"), pictures(faces))


@pytest.fixture
def page(browser: Browser, server: str) -> Page:
    return browser.new_context(viewport={"width": 390, "height": 844}, base_url=server).new_page()


def choose_study(page: Page, title: str) -> None:
    page.get_by_test_id("stSelectbox").first.locator("input").click()
    page.get_by_role("option", name=title).click()


def test_back_and_forward_keep_the_address_and_the_page_together(page: Page) -> None:
    def shows(study: str, faces: int) -> None:
        expect(page).to_have_url(re.compile(rf"/results\?study={study}$"))
        expect(page.locator(".stats > div").first).to_have_text(f"{faces}faces")
        expect(page.get_by_text(f"ends in /vote?study={study}")).to_be_visible()

    page.goto("/results?study=a")
    shows("a", 3)
    choose_study(page, "Study b")
    shows("b", 5)
    page.go_back()
    shows("a", 3)
    page.go_forward()
    shows("b", 5)
    choose_study(page, "Study a")
    shows("a", 3)
    page.get_by_role("link", name="Explore").click()
    expect(page).to_have_url(re.compile(r"/explore\?study=a$"))
    page.context.close()


def test_back_leaves_a_page_that_was_opened_without_a_study(page: Page) -> None:
    page.goto("/withdraw")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/results")
    expect(page).to_have_url(re.compile(r"/results\?study=b$"))
    expect(page.get_by_text("ends in /vote?study=b")).to_be_visible()
    page.go_back()
    page.wait_for_timeout(1500)  # whatever the page would do to the address, it has done by then
    expect(page).to_have_url(re.compile(r"/results$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/withdraw$"))
    page.context.close()


def test_a_phone_shows_every_link_of_the_menu_and_where_it_is(page: Page) -> None:
    for name in PAGES:
        page.goto(f"/{name}")
        links = page.locator(".st-key-menu a")
        expect(links).to_have_count(7)
        expect(page.locator('[class*="st-key-menu-current"] a')).to_be_in_viewport(ratio=1)
        boxes = [box for link in links.all() if (box := link.bounding_box()) is not None]
        assert len(boxes) == 7
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes), name
        rows = sorted({round(box["y"]) for box in boxes})
        assert len(rows) == 2 and rows[1] - rows[0] >= boxes[0]["height"], name  # one is not on top of the other
        menu = page.locator(".st-key-menu").bounding_box()
        assert menu is not None and menu["height"] <= HIGHEST_MENU, name
        assert fits(page), name
    page.context.close()
