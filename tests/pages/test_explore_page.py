"""The Explore page in Streamlit's own test harness; clicking on faces is tested in a browser."""

from __future__ import annotations

import re

import streamlit as st

from ldlva.survey.exploring import explore_study
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import explore
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
    app.number_input(key="how-many").set_value(2).run()
    app.button(key="pick-ambiguity").click().run()
    assert "2 faces picked" in html(app)
    app.text_input(key="follow-up-name").set_value("Bad Name").run()
    app.button(key="make-follow-up").click().run()
    assert "Bad study name" in alert(app)
    assert "2 faces picked" in html(app)  # nothing is lost
    app.text_input(key="follow-up-name").set_value("again").run()
    app.button(key="make-follow-up").click().run()
    assert "“again” is a draft now" in message(app.success[0])
    made = sqlite_repository.study("again")
    assert (made.images, made.origin["chosen"]["by"]) == (2, {"ambiguity": 2})
    assert "0 faces picked" in html(app)
    assert app.button(key="make-follow-up").disabled


def test_without_votes_and_models_there_is_nothing_to_explore(sqlite_repository: Repository) -> None:
    assert "no studies yet" in message(open_page("explore").info[0])
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(2))
    st.cache_data.clear()
    assert "there is nothing to compare" in message(open_page("explore", study="s").info[0])
    assert "There is no study named 'nope'" in alert(open_page("explore", study="nope"))


def test_names_from_outside_are_escaped(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    found = explore_study(sqlite_repository, sqlite_repository.study("demo"))
    object.__setattr__(found.votes, "image_names", ("<script>",) * 8)
    assert "<script>" not in explore.face_head(found, 0)
