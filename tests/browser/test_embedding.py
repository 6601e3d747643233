"""The Embedding page in a real browser: the face under the pointer appears, a selection is found in other maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

from ldlva.embedding.embedding import Embedding, read
from ldlva.embedding.figures import shown_range
from ldlva.survey.demo import create_demo_study
from ldlva.survey.repository import Repository

PATIENCE = 120_000


def positions(page: Page, embedding: Embedding, panel: int) -> np.ndarray:
    """Where every face of a panel is on the screen, from the stored coordinates."""
    box = page.locator(".frame").nth(panel).bounding_box()
    assert box is not None
    points = np.array(embedding.panels[panel].coordinates)
    left, bottom, side = shown_range(points)
    x = box["x"] + 1 + (box["width"] - 2) * (points[:, 0] - left) / side
    y = box["y"] + 1 + (box["height"] - 2) * (1 - (points[:, 1] - bottom) / side)
    return np.column_stack([x, y])


def painted(page: Page, panel: int, at: np.ndarray) -> list[int]:
    """The colour of a panel's canvas at a place of the screen."""
    script = """(canvas, [x, y]) => {
      const bounds = canvas.getBoundingClientRect();
      const scale = canvas.width / bounds.width;
      return [...canvas.getContext("2d").getImageData((x - bounds.left) * scale, (y - bounds.top) * scale, 1, 1).data];
    }"""
    found = page.locator(".base").nth(panel).evaluate(script, at.tolist())
    return [int(value) for value in found[:3]]


def test_the_face_under_the_pointer_is_shown_and_a_selection_is_marked_everywhere(
    browser: Browser, server: str, repository: Repository, folder: Path
) -> None:
    create_demo_study(repository)
    context = browser.new_context(viewport={"width": 1440, "height": 1300}, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/embedding?study=demo")
    expect(page.locator(".panel")).to_have_count(3, timeout=PATIENCE)  # computed without being asked to
    [stored] = (folder / "decoded" / "maps" / "views").iterdir()
    found = read(stored)
    assert found is not None
    embedding, _ = found
    assert [panel.method for panel in embedding.panels] == ["total", "ce", "center"]
    expect(page.locator(".title")).to_have_text([panel.model for panel in embedding.panels])
    page.get_by_role("button", name="box faces").click()
    page.locator(".frame").first.scroll_into_view_if_needed()
    page.wait_for_timeout(500)

    first, second = positions(page, embedding, 0), positions(page, embedding, 1)
    middle = (first.min(axis=0) + first.max(axis=0)) / 2
    face = int(np.abs(first - middle).max(axis=1).argmin())  # far from the edges
    page.mouse.move(*first[face])
    tip = page.locator(".tip")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text(embedding.names[face])
    picture = tip.locator(".tile")
    expect(picture).to_have_attribute("aria-label", embedding.names[face])
    # Its tile of the sheet, and the sheet is there: 21 faces in a row of 128 pixels each.
    assert picture.evaluate("e => getComputedStyle(e).backgroundPosition") == f"{-128 * face}px 0px"
    assert picture.evaluate("e => getComputedStyle(e).backgroundSize").startswith("2688px")
    assert picture.evaluate(
        """async e => { const i = new Image(); i.src = getComputedStyle(e).backgroundImage.slice(5, -2);
        await i.decode(); return [i.naturalWidth, i.naturalHeight]; }"""
    ) == [21 * 64, 64]

    grey = [0xB9, 0xBD, 0xC6]
    around = np.abs(first - first[face]).max(axis=1) < 40
    inside = np.flatnonzero(around)
    outside = next(
        one for one in range(21) if not around[one] and np.abs(second - second[one]).sum(1)[inside].min() > 30
    )
    before = painted(page, 1, second[inside[0]])
    page.mouse.move(*(first[face] - 40))
    page.mouse.down()
    page.mouse.move(*first[face])
    page.mouse.move(*(first[face] + 40))
    page.mouse.up()
    expect(page.locator(".chosen")).to_have_attribute("data-count", str(len(inside)))
    names = page.locator(".pick .tile").evaluate_all("tiles => tiles.map(tile => tile.ariaLabel)")
    assert names == [embedding.names[one] for one in inside]
    after = painted(page, 1, second[inside[0]])
    assert np.abs(np.subtract(after, before)).max() <= 2  # keeps its colour in the other map, but for rounding
    now = painted(page, 1, second[outside])
    assert max(now) - min(now) < 20 and min(now) > min(grey) - 5  # the others fade
    page.keyboard.press("Escape")
    expect(page.locator(".chosen")).to_have_attribute("data-count", "0")

    page.reload()  # computed once
    expect(page.locator(".panel")).to_have_count(3)
    assert len(list((folder / "decoded" / "maps" / "projections").iterdir())) == 3
    numbers = json.loads((stored / "embedding.json").read_text())["panels"][0]["separation"]["label"]
    assert f"{numbers['purity']['mean']:.3f}" in page.locator(".numbers").first.inner_text()
    context.close()


def test_on_a_phone_panels_stack_and_a_tap_shows_the_face(browser: Browser, server: str, folder: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/embedding?study=demo")
    expect(page.locator(".panel")).to_have_count(3, timeout=PATIENCE)
    boxes = [panel.bounding_box() for panel in page.locator(".frame").all()]
    assert all(box and box["x"] + box["width"] <= 390 for box in boxes)
    assert len({round(box["y"]) for box in boxes if box}) == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".frame").first.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    [stored] = (folder / "decoded" / "maps" / "views").iterdir()
    found = read(stored)
    assert found is not None
    at = positions(page, found[0], 0)[7]
    page.touchscreen.tap(*at)
    expect(page.locator(".tip")).to_contain_text(found[0].names[7])
    tip = page.locator(".tip").bounding_box()
    assert tip is not None and (tip["y"] > at[1] or tip["x"] > at[0] or tip["x"] + tip["width"] < at[0])
    context.close()
