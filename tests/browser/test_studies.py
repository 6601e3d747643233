"""A researcher in a real browser: photographs go up, faces come out, models have predicted them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ldlva.settings import MODELS
from ldlva.survey.repository import Repository
from tests.conftest import ROOT

JOB_SECONDS = 180
expect.set_options(timeout=30_000)


def open_studies(browser: Browser, server: str, width: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=server)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/studies")
    expect(page.get_by_role("heading", name="All studies")).to_be_visible()
    return page


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    """Two portraits, one of them tilted in a landscape, a copy, and half a file."""
    faces = [ROOT / "data" / "faces" / "survey" / f"survey-{number:02d}.jpg" for number in (3, 9)]
    landscape = Image.new("RGB", (900, 600), (90, 110, 100))
    tilted = Image.open(faces[1]).rotate(20, Image.Resampling.BICUBIC, fillcolor=(90, 110, 100))
    landscape.paste(tilted, (430, 120))
    written = io.BytesIO()
    landscape.save(written, "JPEG", quality=95)
    path = folder / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(faces[0], "anna.jpg")
        archive.writestr("ben.jpg", written.getvalue())
        archive.write(faces[0], "copy.jpg")
        archive.writestr("cut.jpg", faces[0].read_bytes()[:5000])
    return path


def test_an_archive_of_photographs_becomes_an_open_study_with_predictions(
    browser: Browser, server: str, repository: Repository, archive: Path, folder: Path
) -> None:
    page = open_studies(browser, server, 1440)
    page.locator("input[type=file]").first.set_input_files(archive)
    page.get_by_label("Title for volunteers").fill("How do they feel?")
    page.get_by_label("Short name, for links").fill("Not good")
    expect(page.get_by_text("Bad study name 'Not good'")).to_be_visible()
    page.get_by_label("Short name, for links").fill("photos")
    expect(page.get_by_text(f"{server}/vote?study=photos")).to_be_visible()
    page.get_by_role("button", name="Create study").click()

    expect(page.get_by_text("Making “How do they feel?”")).to_be_in_viewport()
    page.reload()  # the job does not mind
    expect(page.get_by_text("“How do they feel?” is ready: 2 faces")).to_be_visible(timeout=1000 * JOB_SECONDS)
    expect(page.get_by_text("copy.jpg is the same picture as anna.jpg.")).to_be_visible()
    expect(page.get_by_text("cut.jpg is not a whole JPEG, PNG or WebP picture")).to_be_visible()
    expect(page.locator(".thumbnails img")).to_have_count(2)

    study = repository.study("photos")
    assert study.status == "open"
    of_photographs = sorted(path.name for path in MODELS.glob("ferplus-*"))
    assert [model.name for model in repository.predictions(study)] == of_photographs
    _, _, ben = repository.images(study)[1]
    with Image.open(io.BytesIO(ben)) as cropped:
        assert cropped.width == cropped.height < 400
    assert not list(folder.glob("jobs/*/upload"))

    page.locator("[class*=st-key-card-2]").get_by_role("link", name="Vote").click()
    expect(page.get_by_role("heading", name="How do they feel?", level=1)).to_be_visible()
    page.goto("/studies")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("is ready")).to_have_count(0)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    assert repository.study("photos").status == "paused"
    page.context.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, server: str) -> None:
    page = open_studies(browser, server, 390)
    page.get_by_text("New study").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for box in [element.bounding_box() for element in page.get_by_role("button").all()]:
        assert box is None or box["x"] + box["width"] <= 390
    page.context.close()
