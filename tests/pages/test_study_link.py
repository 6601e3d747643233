"""The study in the address and the pages' pickers; Back is imitated by an address other than the one left behind."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ldlva.emotions import EMOTION_NAMES
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures
from tests.pages.test_pages import alert, html, open_page

PAGES = ("results", "compare", "explore", "embedding")
PICKERS = {"embedding": "embedding-source"}


@pytest.fixture
def studies(sqlite_repository: Repository) -> Repository:
    """Two studies without votes, `b` the newer one, which comes first in every picker."""
    for name in ("a", "b"):
        sqlite_repository.create_study(NewStudy(name, f"Study {name}"), pictures(1))
    return sqlite_repository


def study_in_address(app: AppTest) -> str | None:
    return "".join(app.query_params["study"]) if "study" in app.query_params else None


def menu_queries(app: AppTest) -> set[str]:
    """What the menu's links say about a study."""
    return {link.proto.query_string for link in app.get("page_link") if link.proto.label in ("Studies", "Training")}


@pytest.mark.parametrize("page", PAGES)
def test_a_wrong_study_is_named_above_a_picker_and_goes_nowhere_else(page: str, studies: Repository) -> None:
    app = open_page(page, study="nope")
    assert "There is no study named 'nope'. Studies: a, b." in alert(app)
    [picker] = app.selectbox
    assert picker.value is None
    assert menu_queries(app) == {""}
    picker.select_index(1).run()
    assert not app.exception
    assert "nope" not in html(app)
    chosen = "b" if page == "embedding" else "a"  # after the built-in faces; newest first
    assert study_in_address(app) == chosen
    assert menu_queries(app) == {f"study={chosen}"}


@pytest.mark.parametrize("page", PAGES)
def test_back_brings_the_study_of_the_address_back(page: str, studies: Repository) -> None:
    app = open_page(page, study="a")
    key = PICKERS.get(page, "study")
    before = app.selectbox(key=key).value
    app.selectbox(key=key).select_index(1 if page == "embedding" else 0).run()
    assert study_in_address(app) == "b"
    assert menu_queries(app) == {"study=b"}  # the study chosen just now, not the one before
    app.query_params["study"] = "a"
    app.run()
    assert app.selectbox(key=key).value == before
    assert study_in_address(app) == "a"
    app.run()
    assert study_in_address(app) == "a"
    app.selectbox(key=key).select_index(1 if page == "embedding" else 0).run()
    assert study_in_address(app) == "b"


def test_a_page_names_the_study_that_it_begins_with_but_not_again_after_back(studies: Repository) -> None:
    app = open_page("results")
    assert study_in_address(app) == "b"
    app.selectbox(key="study").set_value("a").run()
    del app.query_params["study"]
    app.run()
    assert app.selectbox(key="study").value == "b"
    assert study_in_address(app) is None  # naming it would make Back lead here for ever
    app.selectbox(key="study").set_value("a").run()
    assert study_in_address(app) == "a"


def test_another_study_begins_with_its_first_page(sqlite_repository: Repository) -> None:
    for name in ("a", "b"):
        votes = [NewVote(0, f"face{i:02d}.png", "fear", "fear") for i in range(50)]
        sqlite_repository.create_study(NewStudy(name), pictures(50), votes)
    app = open_page("results", study="a")
    app.number_input[0].set_value(3).run()
    assert html(app).count('class="card"') == 2
    app.selectbox(key="study").set_value("b").run()
    assert app.number_input[0].value == 1


def test_explore_begins_anew_with_another_filter(sqlite_repository: Repository) -> None:
    votes = [NewVote(0, f"face{i:02d}.png", "fear", "fear") for i in range(50)]
    sqlite_repository.create_study(NewStudy("a"), pictures(50), votes)
    ids = list(sqlite_repository.votes(sqlite_repository.study("a")).image_ids)
    model = NewModel("m", "ce", "resnet18", EMOTION_NAMES, "m" * 64, {})
    sqlite_repository.store_predictions(model, ids, np.full((50, 7), 1 / 7), np.zeros((50, 4)))
    app = open_page("explore", study="a")

    def number() -> int:
        [found] = [one for one in app.number_input if one.label == "Page (of 3)"]
        return int(found.value or 0)

    next(one for one in app.number_input if one.label == "Page (of 3)").set_value(2).run()
    assert number() == 2
    app.pills(key="only-labels").set_value(["fear"]).run()
    assert number() == 1


@pytest.mark.parametrize("query", [{}, {"study": "a"}])
def test_every_page_about_a_study_is_linked_from_its_card_and_its_own_page(
    studies: Repository, query: dict[str, str]
) -> None:
    app = open_page("studies", **query)
    links = [link.proto.label for link in app.get("page_link") if link.proto.query_string == "study=a"]
    in_menu = 1 if query else 0  # where the address names the study, the menu's links do, too
    assert links.count("Vote") == 1
    assert [links.count(page) for page in ("Results", "Compare", "Explore", "Embedding")] == [1 + in_menu] * 4
