"""Both ballots without a browser: what the component is sent and believes, and the plain one in every mode."""

from __future__ import annotations

import time
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ldlva.languages import language
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import ballot, ballot_component
from ldlva.ui.ballot_component import LONGEST_RESPONSE_MS, read_answer
from tests.conftest import pictures
from tests.pages.test_pages import alert, choose, html, open_page, start_voting, titles, undo

VOTE = {"kind": "vote", "image": 7, "repeat": 0, "choice": "fear", "response_ms": 812}


def create(repository: Repository, pictured: int = 3, /, **changed: Any) -> None:
    texts = {"title": {"en": "Demo", "ar": "تجربة"}, "consent": {"text": {"en": "C", "ar": "م"}}}
    content = texts | {"languages": ("en", "ar")}
    repository.create_study(NewStudy("demo", protocol=Protocol.model_validate(content | changed)), pictures(pictured))


def rows(repository: Repository) -> list[dict[str, Any]]:
    return repository.vote_rows(repository.study("demo"))


def proceed(app: AppTest) -> None:
    time.sleep(ballot.QUIET_SECONDS)
    app.button(key="continue").click().run()
    assert not app.exception


def test_an_answer_is_read_as_the_browser_sent_it() -> None:
    assert read_answer(VOTE) == ballot.Answer(7, 0, "fear", 812)
    several = read_answer(VOTE | {"choice": ["fear", "anger"]})
    assert several is not None and several.choice == ("fear", "anger")
    rated = read_answer(VOTE | {"intensity": 40, "valence": -0.5, "arousal": 1, "other_text": "x" * 500})
    assert rated is not None
    assert (rated.intensity, rated.valence, rated.arousal) == (40, -0.5, 1.0)
    assert rated.other_text == "x" * 200


@pytest.mark.parametrize("nonsense", [{"image": "7"}, {"repeat": None}, {"choice": 3}, {"choice": None}])
def test_nonsense_from_a_browser_is_no_answer(nonsense: dict[str, Any]) -> None:
    assert read_answer(VOTE | nonsense) is None


@pytest.mark.parametrize("elapsed", [-1, LONGEST_RESPONSE_MS + 1, "812", None, 8.5])
def test_a_time_nobody_can_have_taken_is_left_out_and_the_vote_kept(elapsed: Any) -> None:
    answer = read_answer(VOTE | {"response_ms": elapsed})
    assert answer is not None and answer.response_ms is None


def test_the_component_gets_two_faces_and_none_that_the_browser_holds(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(sqlite_repository, presentation={"exposure_ms": 200, "fixation_ms": 500})
    token = sqlite_repository.enrol("demo").token
    standing = sqlite_repository.ballot(token)
    monkeypatch.setattr(ballot_component, "repository", lambda: sqlite_repository)
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    sent = ballot_component.payload(token, standing, language("ar"), None)
    assert set(sent["images"]) == {str(standing.image_id), str(standing.next_image_id)}
    assert all(url.startswith("data:image/png;base64,") for url in sent["images"].values())
    assert (sent["exposure_ms"], sent["fixation_ms"], sent["mode"]) == (200, 500, "single")
    assert [option["title"] for option in sent["options"]][-2:] == ["غضب", "لا شيء مما سبق"]
    assert "kind" not in sent["face"]  # whether a face is a check of attention is nobody's business in the browser
    state["ballot"] = {"event": {"kind": "missing", "serial": 5, "held": [standing.image_id]}}
    ballot_component._receive(token)
    again = ballot_component.payload(token, standing, language("ar"), None)
    assert set(again["images"]) == {str(standing.next_image_id)}
    assert again["pictures_of"] == sent["pictures_of"]

    other = sqlite_repository.enrol("demo").token  # in the same tab; of a preview, the same numbers are other faces
    theirs = ballot_component.payload(other, sqlite_repository.ballot(other), language("ar"), None)
    assert len(theirs["images"]) == 2
    assert theirs["pictures_of"] != sent["pictures_of"]
    assert token not in str(sent) and other not in str(theirs)


def test_the_same_message_twice_is_one_vote(sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    create(sqlite_repository)
    token = sqlite_repository.enrol("demo").token
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    for module in (ballot_component, ballot):
        monkeypatch.setattr(module, "repository", lambda: sqlite_repository)
    event = VOTE | {"image": sqlite_repository.ballot(token).image_id, "serial": 5, "held": [1, "x"]}
    for sent in (event, event, event | {"kind": "undo", "serial": 4}):
        state["ballot"] = {"event": sent}
        ballot_component._receive(token)
    assert [row["response_ms"] for row in rows(sqlite_repository)] == [812]
    state.clear()  # the server was restarted; the browser sends again what was not acknowledged
    state["ballot"] = {"event": event}
    ballot_component._receive(token)
    assert len(rows(sqlite_repository)) == 1
    state["ballot"] = {"event": {"kind": "undo", "serial": 6, "done": 1}}
    ballot_component._receive(token)
    assert sqlite_repository.ballot(token).done == 0


def test_an_undo_that_was_done_and_is_sent_again_takes_back_nothing_more(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(sqlite_repository)
    token = sqlite_repository.enrol("demo").token
    for module in (ballot_component, ballot):
        monkeypatch.setattr(module, "repository", lambda: sqlite_repository)
    for _ in range(2):
        image = sqlite_repository.ballot(token).image_id
        assert image is not None
        sqlite_repository.vote(token, image, "fear")
    for _ in range(2):
        monkeypatch.setattr(st, "session_state", {"ballot": {"event": {"kind": "undo", "serial": 9, "done": 2}}})
        ballot_component._receive(token)
        assert sqlite_repository.ballot(token).done == 1


def test_several_answers(sqlite_repository: Repository) -> None:
    create(sqlite_repository, response={"mode": "multiple"})
    app = start_voting()
    assert app.button(key="continue").disabled
    for box in app.checkbox:
        if box.label in ("Fear", "Surprise"):
            box.check()
    app.run()
    proceed(app)
    assert [row["choices"] for row in rows(sqlite_repository)] == ["surprise|fear"]


def test_an_intensity_after_the_choice_which_none_of_these_does_not_need(sqlite_repository: Repository) -> None:
    create(sqlite_repository, response={"mode": "intensity"})
    app = start_voting()
    choose(app, "fear")
    assert rows(sqlite_repository) == []
    assert app.button(key="continue").disabled, "the middle is an answer only of somebody who went there"
    app.slider[0].set_value(80).run()
    proceed(app)
    choose(app, "none")
    assert [(row["choice"], row["intensity"]) for row in rows(sqlite_repository)] == [("fear", 80), ("none", None)]


def test_valence_and_arousal_and_a_change_of_mind(sqlite_repository: Repository) -> None:
    create(sqlite_repository, response={"mode": "valence_arousal", "other_option": True})
    app = start_voting()
    choose(app, "anger")
    app.slider[0].set_value(10)
    app.slider[1].set_value(10).run()
    undo(app)  # nothing is stored yet: another choice can be made
    choose(app, "anger")
    assert app.button(key="continue").disabled
    app.slider[0].set_value(-50).run()
    assert app.button(key="continue").disabled
    app.slider[1].set_value(100).run()
    proceed(app)
    choose(app, "other")
    app.text_input(key="other-text").set_value("bored").run()
    proceed(app)
    stored = [(row["choice"], row["valence"], row["arousal"], row["other_text"]) for row in rows(sqlite_repository)]
    assert stored == [("anger", -0.5, 1.0, None), ("other", None, None, "bored")]
    choose(app, "fear")
    undo(app)
    assert len(rows(sqlite_repository)) == 2


def test_practice_tells_what_was_expected_and_breaks_come_when_due(sqlite_repository: Repository) -> None:
    practice = {"practice": ("face00.png",), "practice_feedback": True, "practice_answers": {"face00.png": ("fear",)}}
    create(sqlite_repository, 4, faces=practice, presentation={"break_every": 2, "order": "fixed"})
    app = start_voting()
    assert "this face does not count" in html(app)
    choose(app, "anger")
    assert "The expected answer is: Fear" in html(app)
    assert "That was the practice" in html(app)
    choose(app, "anger")
    assert titles(app) == ["Time for a short break"]
    proceed(app)
    assert "Face 3 of 4" in html(app)


def test_volunteers_are_spoken_to_in_their_language(sqlite_repository: Repository) -> None:
    create(sqlite_repository)
    app = open_page("vote", study="demo", lang="ar")
    assert titles(app) == ["تجربة"]
    app.button(key="agree-demo").click().run()
    assert "الوجه 1 من 3" in html(app)
    again = open_page("vote", v="".join(app.query_params["v"]))
    assert "الوجه 1 من 3" in html(again)  # stored with the consent
    assert 'dir = "rtl"' in html(again)
    assert "هذا الرابط غير صالح" in alert(open_page("vote", v="tampered", lang="ar"))
