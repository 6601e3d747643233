"""A volunteer in a real browser, against a real server and database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.emotions import EMOTION_NAMES
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures

FACES = 5


@pytest.fixture(scope="module", autouse=True)
def studies(repository: Repository) -> None:
    """A study of its own for every test that counts votes."""
    for name in ("keyboard", "double", "held", "phone"):
        repository.create_study(NewStudy(name, f"Study {name}", f"For the {name} test."), pictures(FACES))


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A fresh visitor; any request that leaves this machine fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=server)
    context.set_default_timeout(30_000)
    opened = context.new_page()
    outside: list[str] = []
    opened.on("request", lambda request: outside.append(request.url) if is_outside(request.url, server) else None)
    yield opened
    context.close()
    assert outside == []


def is_outside(url: str, server: str) -> bool:
    return not url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))


def on_face(page: Page, number: int) -> None:
    """Wait for a face, and look at it as long as a person would."""
    expect(page.get_by_text(f"Face {number} of {FACES}")).to_be_visible(timeout=30_000)
    expect(page.locator("img.face")).to_be_visible()
    page.wait_for_timeout(400)


def test_a_volunteer_votes_through_a_study_by_keyboard(page: Page, repository: Repository) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Which emotion do you see?")).to_be_visible()
    assert repository.study("keyboard").volunteers == 0
    page.locator(".st-key-card-keyboard").get_by_role("button", name="I agree, start").click()

    on_face(page, 1)
    page.keyboard.press("5")  # fear
    on_face(page, 2)
    page.keyboard.press("7")  # anger
    on_face(page, 3)

    page.reload()
    on_face(page, 3)
    resume_link = page.url
    assert re.search(r"\?v=[\w-]{20,}", resume_link)
    page.goto("about:blank")
    page.goto(resume_link)
    on_face(page, 3)

    page.keyboard.press("Backspace")
    on_face(page, 2)
    for number, key in ((2, "8"), (3, "1"), (4, "2"), (5, "3")):
        on_face(page, number)
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()

    study = repository.study("keyboard")
    votes = repository.votes(study)
    assert votes.none_counts.sum() == 1
    chosen = {name: int(count) for name, count in zip(EMOTION_NAMES, votes.counts.sum(axis=0), strict=True) if count}
    assert chosen == {"fear": 1, "neutral": 1, "happiness": 1, "sadness": 1}
    rows = repository.vote_rows(study)
    assert [row["choice"] for row in rows] == ["fear", "anger", "none", "neutral", "happiness", "sadness"]
    assert [row["superseded_at"] is not None for row in rows] == [False, True, False, False, False, False]
    assert all(350 < row["response_ms"] < 60_000 for row in rows)

    page.reload()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()


def test_a_double_click_makes_one_vote(page: Page, repository: Repository) -> None:
    page.goto("/vote?study=double")
    page.get_by_role("button", name="I agree, start").click()
    on_face(page, 1)
    page.get_by_role("button", name="Happiness").dblclick()
    on_face(page, 2)
    assert [row["choice"] for row in repository.vote_rows(repository.study("double"))] == ["happiness"]


def test_a_held_key_is_one_press_and_focus_stays(page: Page, repository: Repository) -> None:
    page.goto("/vote?study=held")
    page.get_by_role("button", name="I agree, start").click()
    on_face(page, 1)
    for _ in range(40):  # the browser marks every press after the first as a repeat
        page.keyboard.down("2")
        page.wait_for_timeout(33)
    page.keyboard.up("2")
    on_face(page, 2)
    assert [row["choice"] for row in repository.vote_rows(repository.study("held"))] == ["happiness"]

    page.get_by_role("button", name="Sadness").focus()
    page.keyboard.press("Enter")
    on_face(page, 3)
    expect(page.get_by_role("button", name="Sadness")).to_be_focused()
    for _ in range(40):
        page.keyboard.down("Backspace")
        page.wait_for_timeout(33)
    page.keyboard.up("Backspace")
    on_face(page, 2)
    assert repository.study("held").votes == 1


def test_a_crafted_link_neither_fetches_nor_links_elsewhere(page: Page) -> None:
    """The fixture fails on any request to another host."""
    for path in ("results", "compare", "vote"):
        page.goto(f"/{path}?study=![x](https://evil.example/p.png)%20[click](https://evil.example)")
        expect(page.get_by_text("There is no study named")).to_be_visible()
        expect(page.locator("a[href^='https://evil'], img[src*=evil]")).to_have_count(0)


def test_on_a_phone_everything_fits_and_taps_work(browser: Browser, server: str, repository: Repository) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, base_url=server
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/vote?study=phone")
    page.get_by_role("button", name="I agree, start").tap()
    on_face(page, 1)
    buttons = page.locator(".st-key-choices button")
    expect(buttons).to_have_count(len(EMOTION_NAMES) + 1)
    for index in range(buttons.count()):
        box = buttons.nth(index).bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844, "a choice is below the fold"
        assert box["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Surprise").tap()
    on_face(page, 2)
    assert repository.study("phone").votes == 1
    context.close()


def test_a_tampered_link_shows_a_message(page: Page) -> None:
    page.goto("/vote?v=tampered-token")
    expect(page.get_by_text("This link is not valid")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


@pytest.mark.parametrize("path", ["/results?study=keyboard", "/compare?study=keyboard"])
def test_result_pages_open_by_deep_link(page: Page, path: str, tmp_path: Path) -> None:
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_role("link", name="Results")).to_be_visible()
