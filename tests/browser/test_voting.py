"""A volunteer in a real browser, against a real server and database."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from ldlva.emotions import EMOTION_NAMES
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.browser import visitor
from tests.browser.visitor import Visitor, fits
from tests.conftest import pictures

FACES = 5


@pytest.fixture(scope="module", autouse=True)
def studies(repository: Repository) -> None:
    """A study of its own for every test that counts votes."""
    for name in ("keyboard", "double", "held", "phone", "unsent"):
        repository.create_study(NewStudy(name, f"Study {name}", f"For the {name} test."), pictures(FACES))


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A fresh visitor; any request that leaves this machine fails the test."""
    someone = Visitor(browser, server)
    yield someone.page
    someone.leave()


def on_face(page: Page, number: int) -> None:
    visitor.on_face(page, number, FACES)


def wait_for_votes(repository: Repository, study: str, votes: int) -> None:
    """The next face may be on screen a moment before the vote on the last one is stored."""
    for _ in range(100):
        if repository.study(study).votes == votes:
            return
        time.sleep(0.05)
    assert repository.study(study).votes == votes


def test_a_volunteer_votes_through_a_study_by_keyboard(page: Page, repository: Repository) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Which emotion do you see?")).to_be_visible()
    assert repository.study("keyboard").volunteers == 0
    page.locator(".st-key-card-keyboard").get_by_role("link", name="Take part").click()
    page.get_by_role("button", name="I agree, start").click()

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
    assert all(250 < row["response_ms"] < 60_000 for row in rows)

    page.reload()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()


def test_a_double_click_makes_one_vote(page: Page, repository: Repository) -> None:
    page.goto("/vote?study=double")
    page.get_by_role("button", name="I agree, start").click()
    on_face(page, 1)
    page.get_by_role("button", name="Happiness").dblclick()
    on_face(page, 2)
    wait_for_votes(repository, "double", 1)
    page.wait_for_timeout(300)
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
    wait_for_votes(repository, "held", 1)
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
    wait_for_votes(repository, "held", 1)


def test_an_answer_lost_on_the_way_is_said_and_sent_again(page: Page, repository: Repository) -> None:
    """Streamlit drops what is sent while the connection is down."""
    lost: list[str | bytes] = []
    is_down = False

    def connect(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: lost.append(message) if is_down else server.send(message))

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    page.goto("/vote?study=unsent")
    page.get_by_role("button", name="I agree, start").click()
    on_face(page, 1)
    unsent = page.get_by_text("is not confirmed by the server yet").first
    expect(unsent).to_be_hidden()
    is_down = True
    page.keyboard.press("2")
    on_face(page, 2)  # already held: shown before the server knows
    expect(unsent).to_be_visible(timeout=visitor.PATIENCE)
    assert lost and repository.study("unsent").votes == 0
    page.keyboard.press("3")
    is_down = False
    expect(unsent).to_be_hidden(timeout=visitor.PATIENCE)
    on_face(page, 3)
    wait_for_votes(repository, "unsent", 2)
    assert [row["choice"] for row in repository.vote_rows(repository.study("unsent"))] == ["happiness", "sadness"]


def test_a_crafted_link_neither_fetches_nor_links_elsewhere(page: Page) -> None:
    """The fixture fails on any request to another host."""
    for path, said in (("results", "no study named"), ("compare", "no study named"), ("vote", "leads to no study")):
        page.goto(f"/{path}?study=![x](https://evil.example/p.png)%20[click](https://evil.example)")
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.locator("a[href^='https://evil'], img[src*=evil]")).to_have_count(0)


def test_on_a_phone_everything_fits_and_taps_work(browser: Browser, server: str, repository: Repository) -> None:
    someone = Visitor(browser, server, "phone")
    page = someone.page
    page.goto("/vote?study=phone")
    page.get_by_role("button", name="I agree, start").tap()
    on_face(page, 1)
    buttons = page.locator(".choices button")
    expect(buttons).to_have_count(len(EMOTION_NAMES) + 1)
    for index in range(buttons.count()):
        box = buttons.nth(index).bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844, "a choice is below the fold"
        assert box["height"] >= 44
    assert fits(page)
    looks = "nodes => nodes.map(node => getComputedStyle(node)).map(one => one.borderColor + one.backgroundColor)"
    untouched = buttons.evaluate_all(looks)
    page.get_by_role("button", name="Surprise").tap()
    on_face(page, 2)
    assert buttons.evaluate_all(looks) == untouched, "on the next face an answer looks chosen already"
    wait_for_votes(repository, "phone", 1)
    someone.leave()


def test_a_tampered_link_shows_a_message(page: Page) -> None:
    page.goto("/vote?v=tampered-token")
    expect(page.get_by_text("This link is not valid")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


@pytest.mark.parametrize("path", ["/results?study=keyboard", "/compare?study=keyboard"])
def test_result_pages_open_by_deep_link(page: Page, path: str, tmp_path: Path) -> None:
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_role("link", name="Results")).to_be_visible()
