"""A volunteer's whole way, by desk and phone, left to right and right to left: every screen looked at by axe."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from ldlva.languages import Language, language
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.browser.accessibility import check
from tests.browser.visitor import Visitor, on_face
from tests.conftest import pictures

FACES = 4


def everywhere(english: str, **others: str) -> dict[str, str]:
    return {"en": english, "de": english, "ar": english} | others


PROTOCOL = Protocol.model_validate(
    {
        "title": everywhere("Faces in everyday life", de="Gesichter im Alltag", ar="وجوه في الحياة اليومية"),
        "description": everywhere("A study of how people read faces.", ar="دراسة عن قراءة الناس للوجوه."),
        "languages": ("en", "de", "ar"),
        "labels": {"set": "basic8"},
        "response": {"other_option": True},
        "presentation": {"break_every": 2, "fixation_ms": 200, "order": "fixed"},
        "faces": {
            "practice": ("face00.png",),
            "practice_feedback": True,
            "practice_answers": {"face00.png": ("fear",)},
        },
        "consent": {"version": "2", "text": everywhere("You look at faces.", ar="ستنظر إلى وجوه.")},
        "demographics": (
            {"key": "age", "text": everywhere("Your age", ar="عمرك"), "kind": "number", "minimum": 18, "maximum": 99},
            {
                "key": "glasses",
                "text": everywhere("Do you wear glasses?", ar="هل ترتدي نظارة؟"),
                "kind": "choice",
                "options": ({"value": "yes", "text": everywhere("Yes", ar="نعم")}, {"value": "no"}),
                "required": True,
            },
            {"key": "work", "text": everywhere("What do you do?", ar="ماذا تعمل؟"), "kind": "text"},
        ),
        "debrief": everywhere("The faces were made by a computer.", ar="صُنعت الوجوه بالحاسوب."),
        "completion": {"per_volunteer": True},
    }
)

JOURNEYS = [("desktop", "en"), ("phone", "en"), ("phone", "de"), ("desktop", "ar"), ("phone", "ar")]


@pytest.fixture(scope="module", autouse=True)
def studies(repository: Repository) -> None:
    for device, code in JOURNEYS:
        study = NewStudy(f"journey-{device}-{code}", protocol=PROTOCOL)
        repository.create_study(study, pictures(FACES + 1))
    modes = {"several": "multiple", "intensity": "intensity", "grid": "valence_arousal"}
    for name, mode in modes.items():
        changed = PROTOCOL.model_dump() | {
            "response": {"mode": mode},
            "demographics": (),
            "presentation": {},
            "faces": {},
        }
        repository.create_study(NewStudy(name, protocol=Protocol.model_validate(changed)), pictures(FACES))


@pytest.mark.parametrize(("device", "code"), JOURNEYS)
def test_from_the_link_to_withdrawal(
    browser: Browser, server: str, repository: Repository, device: str, code: str
) -> None:
    spoken, name, total = language(code), f"journey-{device}-{code}", FACES + 1
    visitor = Visitor(browser, server, device)
    page = visitor.page

    def screen(title: str) -> None:
        check(page, f"{title}-{device}-{code}")

    def press(key: str) -> None:
        page.wait_for_timeout(300)  # sooner, it would be the second half of a double click
        page.get_by_role("button", name=spoken.text(key)).first.click()

    page.goto(f"/vote?study={name}&lang={code}")
    expect(page.get_by_role("button", name=spoken.text("consent.agree"))).to_be_visible()
    assert page.locator("html").get_attribute("dir") == spoken.direction
    assert page.locator("html").get_attribute("lang") == code
    screen("consent")
    press("consent.agree")

    expect(page.get_by_text(spoken.text("questions.heading"))).to_be_visible()
    screen("questions")
    press("questions.continue")  # the required answer is missing
    expect(page.get_by_role("alert")).to_be_visible()
    assert repository.study(name).volunteers == 0
    page.get_by_text("Yes" if code != "ar" else "نعم", exact=True).click()
    page.get_by_role("spinbutton").fill("33")
    press("questions.continue")

    on_face(page, 1, total)
    expect(page.locator(".where")).to_contain_text(spoken.text("ballot.practice_note"))
    choose(page, spoken, "anger")
    expect(page.get_by_text(spoken.text("ballot.expected_other", emotion=spoken.emotion("fear"))).first).to_be_visible()
    screen("feedback")
    press("ballot.continue")
    expect(page.get_by_role("heading", name=spoken.text("ballot.practice_over"))).to_be_visible()
    screen("practice-over")
    press("ballot.continue")

    on_face(page, 2, total)
    screen("ballot")
    choose(page, spoken, "fear")
    expect(page.get_by_role("heading", name=spoken.text("ballot.break_heading"))).to_be_visible()
    screen("break")
    press("ballot.continue")
    on_face(page, 3, total)
    page.reload()
    on_face(page, 3, total)
    press("ballot.undo")
    on_face(page, 2, total)
    choose(page, spoken, "contempt")
    press("ballot.continue")  # the break again
    on_face(page, 3, total)
    choose(page, spoken, "other")
    page.locator(".other-text").fill("bored")
    screen("other")
    page.locator(".rating-continue").click()
    on_face(page, 4, total)
    choose(page, spoken, "none")
    press("ballot.continue")
    on_face(page, 5, total)
    choose(page, spoken, "sadness")

    expect(page.get_by_role("heading", name=spoken.text("end.title"))).to_be_visible()
    expect(page.get_by_text("صُنعت" if code == "ar" else "made by a computer")).to_be_visible()
    screen("end")
    study = repository.study(name)
    rows = [row for row in repository.vote_rows(study) if row["superseded_at"] is None]
    assert [row["choice"] for row in rows] == ["anger", "contempt", "other", "none", "sadness"]
    assert all(row["response_ms"] > 200 for row in rows)

    page.get_by_role("link", name=spoken.text("withdrawal.link")).click()
    expect(page.get_by_role("heading", name=spoken.text("withdrawal.title"))).to_be_visible()
    screen("withdraw")
    press("withdrawal.erase")
    press("withdrawal.sure")
    expect(page.get_by_text(spoken.text("withdrawal.done"))).to_be_visible()
    screen("withdrawn")
    study = repository.study(name)
    assert (study.volunteers, study.votes, repository.vote_rows(study)) == (0, 0, [])
    visitor.leave()


def choose(page: Page, spoken: Language, name: str) -> None:
    page.locator(f'.choices button[data-choice="{name}"]').click()


@pytest.mark.parametrize(("device", "code"), [("desktop", "en"), ("phone", "ar")])
@pytest.mark.parametrize("mode", ["several", "intensity", "grid"])
def test_every_way_to_answer_by_keyboard_alone(
    browser: Browser, server: str, repository: Repository, mode: str, device: str, code: str
) -> None:
    visitor = Visitor(browser, server, device)
    page = visitor.page
    before = len(repository.vote_rows(repository.study(mode)))
    page.goto(f"/vote?study={mode}&lang={code}")
    page.get_by_role("button", name=language(code).text("consent.agree")).press("Enter")
    on_face(page, 1, FACES)
    page.keyboard.press("5")
    if mode == "several":
        page.keyboard.press("7")
        expect(page.locator(".choices button[aria-pressed=true]")).to_have_count(2)
        check(page, f"{mode}-{device}-{code}")
        page.locator(".several-continue").press("Enter")
    else:
        for slider in ("intensity",) if mode == "intensity" else ("valence", "arousal"):
            expect(page.locator(f"input.{slider}")).to_be_focused()
            page.keyboard.press("ArrowUp")
            page.keyboard.press("Tab")
        check(page, f"{mode}-{device}-{code}")
        expect(page.locator(".rating-continue")).to_be_focused()
        page.keyboard.press("Enter")
    on_face(page, 2, FACES)
    page.wait_for_timeout(300)
    row = repository.vote_rows(repository.study(mode))[before]
    answered = {
        "several": ("fear", "fear|anger", None, None),
        "intensity": ("fear", None, 51, None),
        "grid": ("fear", None, None, 0.01),
    }
    assert (row["choice"], row["choices"], row["intensity"], row["valence"]) == answered[mode]
    visitor.leave()


def test_the_plain_ballot_serves_who_has_no_component(browser: Browser, server: str, repository: Repository) -> None:
    visitor = Visitor(browser, server, "phone")
    page = visitor.page
    page.goto("/vote?study=several&plain=1")
    page.get_by_role("button", name="I agree, start").click()
    expect(page.locator("img.face")).to_be_visible()
    page.get_by_text("Fear").click()
    check(page, "plain-several")
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(f"Face 2 of {FACES}").first).to_be_visible()
    page.get_by_role("link", name="Erase my data").click()  # who stops half-way has no other way to the code
    expect(page.get_by_role("heading", name="Erase what you gave")).to_be_visible()
    expect(page.get_by_role("textbox")).not_to_have_value("")
    visitor.leave()


def test_home_shows_strangers_what_is_listed(browser: Browser, server: str) -> None:
    for device, code in (("desktop", "en"), ("phone", "ar")):
        visitor = Visitor(browser, server, device)
        visitor.page.goto(f"/?lang={code}")
        expect(visitor.page.get_by_role("heading", name=language(code).text("home.title"))).to_be_visible()
        expect(visitor.page.get_by_role("link", name=language(code).text("home.take_part")).first).to_be_visible()
        check(visitor.page, f"home-{device}-{code}")
        visitor.leave()
