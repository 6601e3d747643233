"""Translations: every file complete, and the right language chosen."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from streamlit.web.server.starlette import starlette_routes

from ldlva.emotions import EMOTION_NAMES, NONE_OF_THESE
from ldlva.languages import DEFAULT, FOLDER, language, languages, preferred

ROOT = FOLDER.parents[1]
FILES = sorted(FOLDER.iterdir())


def texts(path: Path) -> dict[str, str]:
    sections = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{section}.{key}": text for section, entries in sections.items() for key, text in entries.items()}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_seven_languages_are_there_and_one_runs_from_right_to_left() -> None:
    assert {"en", "vi", "es", "de", "fr", "zh", "ar"} <= set(languages())
    assert [one.code for one in languages().values() if one.direction == "rtl"] == ["ar"]
    assert next(iter(languages())) == DEFAULT


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_has_the_same_texts_with_the_same_placeholders_in_the_same_order(path: Path) -> None:
    assert path.suffix == ".toml"
    english, translated = texts(FOLDER / f"{DEFAULT}.toml"), texts(path)
    assert list(translated) == list(english)
    for key, text in translated.items():
        assert text.strip(), key
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_text_was_left_in_english_nor_holds_markup(path: Path) -> None:
    english, translated = texts(FOLDER / f"{DEFAULT}.toml"), texts(path)
    for key, text in translated.items():
        assert not re.search(r"[<>]|\*\*|https?:", text), key
        if path.stem != DEFAULT and len(text.split()) > 3:
            assert text != english[key], key


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_choices_are_told_apart_by_name(path: Path) -> None:
    names = [language(path.stem).emotion(name) for name in (*EMOTION_NAMES, "contempt", "other", NONE_OF_THESE)]
    assert len(set(names)) == len(names)


def test_every_text_is_shown_somewhere_and_every_text_shown_exists() -> None:
    """A text nobody reads is work for every translator; a missing one would be found by a volunteer."""
    sources = [ROOT / "app.py", *(ROOT / "pages").iterdir(), *(ROOT / "ldlva" / "ui").iterdir()]
    sources += (ROOT / "ldlva" / "survey").glob("*.py")
    code = {path.name: path.read_text(encoding="utf-8") for path in sources if path.suffix in (".py", ".js", ".html")}
    everything = "\n".join(code.values())
    sections = "home|demo|consent|questions|ballot|end|withdrawal|errors"
    used = set(re.findall(rf"""["']((?:{sections})\.[a-z_]+)["']""", everything))
    in_browser = code["ballot.js"] + code["ballot.html"]
    used |= {f"ballot.{key}" for key in re.findall(r'data-(?:text|label)="([a-z_]+)"', in_browser)}
    used |= {f"ballot.{key}" for key in re.findall(r"""["'](?=[a-z_]+["'])([a-z_]+)["']""", code["ballot.js"])} & set(
        language(DEFAULT).texts
    )
    used |= {f"errors.{kind}" for kind in re.findall(r'VolunteerError\(\s*"([a-z_]+)"', everything)}
    used -= {"consent.text", "demo.parquet"}  # a protocol's field, a file
    assert used == {key for key in language(DEFAULT).texts if not key.startswith("emotions.")}


def test_placeholders_are_filled_in() -> None:
    assert language("de").text("ballot.face", number=3, total=21) == "Gesicht 3 von 21"
    with pytest.raises(KeyError):
        language("de").text("ballot.face", number=3)


def test_an_emotion_has_a_name_in_every_language_and_own_labels_keep_theirs() -> None:
    assert language("ar").emotion("fear") == "خوف"
    assert language("fr").emotion("awe", "Émerveillement") == "Émerveillement"
    assert language("fr").emotion("awe") == "Awe"


@pytest.mark.parametrize(
    ("wishes", "offered", "expected"),
    [
        (["de"], ["en", "de"], "de"),
        ([None, "zh-Hant-TW"], ["en", "zh"], "zh"),
        (["DE-at"], ["en", "de"], "de"),
        (["xx", "fr"], ["en", "fr"], "fr"),
        (["it"], ["vi", "en"], "vi"),
        ([], ["ar"], "ar"),
    ],
)
def test_the_first_wish_that_is_offered_wins(wishes: list[str | None], offered: list[str], expected: str) -> None:
    assert preferred(wishes, offered) == expected


def test_an_unknown_language_is_english() -> None:
    assert language("tlh").code == language(None).code == DEFAULT
    with pytest.raises(ValueError, match="at least one"):
        preferred(["en"], [])


def test_what_the_consent_text_says_of_cookies_is_what_the_server_sets() -> None:
    """One cookie of Streamlit's, of random numbers, without a date: the browser drops it when it is closed."""
    response = Response()
    starlette_routes._ensure_xsrf_cookie(Request({"type": "http", "headers": []}), response)
    [cookie] = response.headers.getlist("set-cookie")
    assert cookie.startswith("_streamlit_xsrf=2|")
    assert not {"expires", "max-age"} & {part.partition("=")[0].strip().lower() for part in cookie.split(";")}
    assert "sets one technical cookie" in language("en").text("consent.no_tracking")
