"""Researchers sign in, strangers do not; on a server with a password, in a real browser with its cookies."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.passwords import hash_password
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui.access import COOKIE
from tests.browser.accessibility import check
from tests.browser.visitor import Visitor, fits
from tests.conftest import pictures

PASSWORD = "a sentence nobody guesses"
PAGES = ("results", "compare", "studies", "training")


@pytest.fixture(scope="module")
def server_settings() -> dict[str, str]:
    return {"LDLVA_RESEARCHER_PASSWORD_HASH": hash_password(PASSWORD)}


@pytest.fixture(scope="module", autouse=True)
def studies(repository: Repository) -> None:
    repository.create_study(NewStudy("listed", "A study for everyone"), pictures(2))
    secret = Protocol.model_validate(
        {"title": "A secret study", "consent": {"text": "Yes?"}, "access": {"who": "link"}}
    )
    repository.create_study(NewStudy("secret", protocol=secret), pictures(2))


def signs_in(page: Page, password: str) -> None:
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_a_researcher_signs_in_stays_so_over_reloads_and_tabs_and_signs_out(
    browser: Browser, server: str, device: str
) -> None:
    visitor = Visitor(browser, server, device)
    page = visitor.page
    page.goto("/")
    page.get_by_role("link", name="Researchers: sign in").click()
    expect(page.get_by_role("heading", name="Researchers, please sign in")).to_be_visible()
    check(page, f"sign-in-{device}")
    signs_in(page, "a wrong sentence")
    expect(page.get_by_role("alert")).to_contain_text("not the password")
    signs_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="Studies", exact=True)).to_be_visible()
    expect(page.get_by_text("A secret study")).to_be_visible()
    assert fits(page)

    page.reload()
    expect(page.get_by_text("A secret study")).to_be_visible()
    page.goto("/results?study=secret")
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    second = visitor.context.new_page()
    second.goto("/studies")
    expect(second.get_by_text("A secret study")).to_be_visible()
    second.close()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Researchers, please sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Researchers, please sign in")).to_be_visible()
    assert [cookie for cookie in visitor.context.cookies() if cookie.get("name") == COOKIE] == []
    visitor.leave()


def test_a_stranger_sees_only_the_study_they_were_sent(browser: Browser, server: str, repository: Repository) -> None:
    visitor = Visitor(browser, server)
    page = visitor.page
    page.goto("/")
    expect(page.get_by_text("A study for everyone")).to_be_visible()
    expect(page.get_by_text("A secret study")).to_have_count(0)
    expect(page.get_by_role("link", name="Results")).to_have_count(0)
    for path in PAGES:
        page.goto(f"/{path}?study=secret")
        expect(page.get_by_role("heading", name="Researchers, please sign in")).to_be_visible()
        expect(page.get_by_text("secret study")).to_have_count(0)
    page.goto("/vote?study=secret")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("secret study")).to_have_count(0)
    page.goto("/vote?study=nope")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("listed")).to_have_count(0)
    page.goto(f"/vote?study=secret&i={repository.study('secret').link_secret}")
    expect(page.get_by_role("heading", name="A secret study")).to_be_visible()
    assert visitor.context.cookies() == [] or all(one.get("name") != COOKIE for one in visitor.context.cookies())
    visitor.leave()


def test_a_forged_cookie_opens_nothing(browser: Browser, server: str) -> None:
    visitor = Visitor(browser, server)
    visitor.context.add_cookies([{"name": COOKIE, "value": "99999999999.AAAA", "url": server}])
    visitor.page.goto("/studies")
    expect(visitor.page.get_by_role("heading", name="Researchers, please sign in")).to_be_visible()
    visitor.leave()
