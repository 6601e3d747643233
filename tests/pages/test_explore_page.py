"""The Explore page in Streamlit's own test harness; clicking on faces is tested in a browser."""

from __future__ import annotations

import re

import streamlit as st

from ldlva.survey.exploring import explore_study
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import explore
from ldlva.wording import counted
from tests.conftest import pictures
from tests.pages.test_pages import alert, html, message, open_page, titles, voted_study
from tests.survey.test_exploring import explored_study


def test_the_first_face_is_shown_with_intervals_and_every_model(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    assert titles(app) == ["Where they disagree"]
    page = html(app)
    sources = re.findall(r"<h4>(.*?)<small>(.*?)</small>", page)
    assert sources[0][0] == "People (10)"
    assert {source for source, _ in sources[1:]} == {"m0", "m1"}
    assert "Wilson interval" in page
    app.segmented_control(key="order").set_value("ambiguity").run()
    page = html(app)
    assert "face05.png" in page
    assert 'title="Fear 50%, 95% 24% to 76%"' in page
    assert page.count("<i style=") >= 7


def test_filters_and_the_model_whose_distance_counts(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    app.selectbox(key="model").set_value("m1").run()
    assert "face01.png" in html(app)
    app.pills(key="only-labels").set_value(["fear"]).run()
    assert "No face is seen that way" in message(app.info[0])


def test_picked_faces_become_a_follow_up_study(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    app.segmented_control(key="order").set_value("ambiguity").run()
    app.number_input(key="how-many").set_value(2).run()
    app.button(key="pick-first").click().run()
    assert "2 faces picked." in html(app)
    app.text_input(key="follow-up-name").set_value("Bad Name").run()
    app.button(key="make-follow-up").click().run()
    assert "Bad study name" in alert(app)
    assert "2 faces picked." in html(app)  # nothing is lost
    app.text_input(key="follow-up-name").set_value("again").run()
    app.button(key="make-follow-up").click().run()
    assert "“again” is a draft now" in message(app.success[0])
    made = sqlite_repository.study("again")
    assert (made.images, made.origin["chosen"]["by"]) == (2, [{"order": "ambiguity", "first": 2}])
    assert "0 faces picked." in html(app)
    assert app.button(key="make-follow-up").disabled
    assert app.text_input(key="follow-up-name").value == ""


def test_only_what_is_shown_is_picked_and_the_view_is_recorded(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    app.selectbox(key="model").set_value("m1")
    app.selectbox(key="who").set_value("m1")
    app.pills(key="only-labels").set_value(["disgust"]).run()
    [shown] = [message(caption) for caption in app.caption if "Choose one to see it" in message(caption)]
    assert shown.startswith("1 face, those first on which m1 is farthest from people, only those on which m1 sees disg")
    assert app.button(key="pick-first").label == "Pick the first 1 shown"
    app.button(key="pick-first").click().run()
    assert "1 face picked." in html(app)
    app.pills(key="only-labels").set_value(["happiness"]).run()
    assert "1 face picked, 1 of them not among those shown now." in html(app)
    app.number_input(key="how-many").set_value(2).run()
    app.button(key="pick-first").click().run()
    assert "3 faces picked, 1 of them not among those shown now." in html(app)
    app.button(key="make-follow-up").click().run()
    made = sqlite_repository.study("s-again")
    assert [name for _, name, _ in sqlite_repository.images(made)] == ["face01.png", "face04.png", "face05.png"]
    chosen = made.origin["chosen"]
    by_m1 = {"order": "divergence", "model": "m1", "as_seen_by": "m1"}
    assert chosen["by"] == [by_m1 | {"first": 1, "only": ["disgust"]}, by_m1 | {"first": 2, "only": ["happiness"]}]
    assert chosen["by_hand"] == {"added": 0, "removed": 0}


def test_an_empty_view_offers_nothing_to_pick(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    app.pills(key="only-labels").set_value(["fear"]).run()
    assert app.button(key="pick-first").disabled


def test_a_follow_up_without_a_name_gets_the_one_that_is_shown(sqlite_repository: Repository) -> None:
    explored_study(sqlite_repository)
    app = open_page("explore", study="s")
    for name in ("s-again", "s-again-2"):
        assert app.text_input(key="follow-up-name").placeholder == name
        app.button(key="pick-first").click().run()
        app.button(key="make-follow-up").click().run()
        assert f"“{name}” is a draft now" in message(app.success[0])
        assert sqlite_repository.study(name).images == 6


def test_counts_and_small_shares_read_as_people_write_them() -> None:
    assert (counted(1, "face"), counted(3503, "face")) == ("1 face", "3,503 faces")
    assert [explore.share_words(share) for share in (0, 0.001, 0.0049, 0.006, 1)] == ["0%", "<1%", "<1%", "1%", "100%"]


def test_without_votes_and_models_there_is_nothing_to_explore(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(2))
    st.cache_data.clear()
    assert "there is nothing to compare" in message(open_page("explore", study="s").info[0])
    assert "There is no study named 'nope'" in alert(open_page("explore", study="nope"))


def test_names_from_outside_are_escaped(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    found = explore_study(sqlite_repository, sqlite_repository.study("demo"))
    object.__setattr__(found.votes, "image_names", ("<script>",) * 8)
    assert "<script>" not in explore.face_head(found, 0)
