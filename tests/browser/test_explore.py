"""The Explore page in a real browser: a click opens a face, ticks become a follow-up study."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from ldlva.survey.repository import Repository
from tests.survey.test_exploring import explored_study

expect.set_options(timeout=30_000)


def test_a_click_opens_a_face_and_ticked_faces_are_sent_on(
    browser: Browser, server: str, repository: Repository
) -> None:
    explored_study(repository)
    context = browser.new_context(viewport={"width": 1440, "height": 1300}, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/explore?study=s")
    shown = page.locator(".st-key-card-face")
    page.get_by_role("radio", name="Most ambiguous").click()
    expect(shown).to_contain_text("face05.png")
    expect(page.locator(".card label span")).to_have_text(["0.69", "0.67", "0.61", "0.50", "0.33", "0.00"])
    page.get_by_role("button", name="Show face02.png").click()
    expect(shown).to_contain_text("face02.png")
    expect(shown).to_contain_text("People (10)")
    expect(page.get_by_role("button", name="Show face02.png")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("checkbox", name="Pick face02.png").check()
    expect(page.get_by_text("1 face picked")).to_be_visible()
    page.get_by_role("checkbox", name="Pick face03.png").check()
    expect(page.get_by_text("2 faces picked")).to_be_visible()
    page.get_by_role("checkbox", name="Pick face02.png").uncheck()
    expect(page.get_by_text("1 face picked")).to_be_visible()
    page.get_by_label("How many").fill("2")  # the button below goes by what was typed just before
    page.get_by_role("button", name="Pick the first").click()
    expect(page.get_by_text("3 faces picked")).to_be_visible()
    page.get_by_label("Short name of the follow-up study").fill("again")
    page.get_by_role("button", name="Make a study of 3 faces").click()
    expect(page.get_by_text("“again” is a draft now")).to_be_visible()
    made = repository.study("again")
    assert [name for _, name, _ in repository.images(made)] == ["face03.png", "face04.png", "face05.png"]
    assert made.origin["chosen"]["by"] == [{"order": "ambiguity", "first": 2}]
    assert made.origin["chosen"]["by_hand"] == {"added": 1, "removed": 0}
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(page.locator(".card").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
