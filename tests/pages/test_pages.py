"""Every page in Streamlit's own test harness: a heading, what it is for, and a clear message where it cannot be."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ldlva import result_jobs
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatabaseError
from ldlva.jobs import jobs
from ldlva.result_jobs import result_file
from ldlva.settings import settings
from ldlva.survey.agreeing import SEVERAL
from ldlva.survey.open import open_repository
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from ldlva.ui import ballot, components, results
from tests.conftest import ROOT, pictures

PAGES = ("results", "compare")  # those about one study


def open_page(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if name != "app":
        app.switch_page(f"pages/{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def computed(app: AppTest) -> AppTest:
    """The page once the process beside it has computed what it shows; a browser asks every half second."""
    for _ in range(300):
        if 'role="progressbar"' not in html(app):
            return app
        time.sleep(0.1)
        app.run()
    raise AssertionError("the page never finished")


def message(element: Any) -> str:
    """A message as it reads, without the backslashes that keep Markdown away."""
    return str(element.value).replace("\\", "")


def html(app: AppTest) -> str:
    """All raw HTML of the page."""
    return "\n".join(element.proto.body for element in app.get("html"))


def alert(app: AppTest) -> str:
    """The error on the page, as it reads."""
    [shown] = re.findall(r'<div class="alert" role="alert">(.*?)</div>', html(app), re.DOTALL)
    return unescape(shown)


def titles(app: AppTest) -> list[str]:
    return [title.value for title in app.title]


def voted_study(repository: Repository, models: Sequence[tuple[str, float]] = (("sharp", 0.9), ("flat", 0.3))) -> None:
    """A study with imported votes and two models' predictions."""
    votes = [NewVote(r, f"face{i:02d}.png", EMOTION_NAMES[(i + (r > 7)) % 7], "x") for i in range(8) for r in range(10)]
    repository.create_study(NewStudy("demo", "Demo faces", origin={"source": "ferplus"}), pictures(8), votes)
    ids = list(repository.votes(repository.study("demo")).image_ids)
    for name, weight in models:
        probabilities = np.full((8, 7), (1 - weight) / 7)
        probabilities[np.arange(8), np.arange(8) % 7] += weight
        model = NewModel(name, "ce", "resnet18", EMOTION_NAMES, name * 8, {})
        repository.store_predictions(model, ids, probabilities, np.zeros((8, 4)))


def test_home_lists_open_studies_only(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("a", "Open faces", "Please help."), pictures(3))
    sqlite_repository.create_study(NewStudy("b", "Closed faces", status="closed"), pictures(2))
    app = open_page("app")
    assert titles(app) == ["Which emotion do you see?"]
    assert [heading.value for heading in app.subheader] == ["Open faces"]
    assert "Please help." in html(app)
    [link] = [link for link in app.get("page_link") if link.proto.label == "Take part"]
    assert link.proto.query_string == "study=a&lang=en"


def test_home_without_studies_tells_a_researcher_how_to_make_one() -> None:
    app = open_page("app")
    assert "No study is open" in html(app)
    assert "python -m ldlva study create" in app.code[0].value


@pytest.mark.parametrize("page", ["results", "compare", "explore"])
def test_result_pages_without_studies_lead_to_the_first_one(page: str) -> None:
    app = open_page(page)
    assert "no studies yet" in message(app.info[0])
    assert "Put one up on the Studies page" in [link.proto.label for link in app.get("page_link")]


@pytest.mark.parametrize("page", PAGES)
def test_an_unknown_study_is_named_with_the_known_ones(page: str, sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    app = open_page(page, study="nope")
    assert "There is no study named 'nope'. Studies: demo." in alert(app)


@pytest.mark.parametrize("page", ["app", *PAGES, "vote", "studies"])
def test_a_database_that_cannot_be_opened_is_a_message_not_a_traceback(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDLVA_DATABASE_URL", "sqlite:////proc/nowhere/x.db")
    settings.cache_clear()
    app = open_page(page, study="demo")
    assert "cannot be opened" in alert(app)


def test_results_show_votes_per_face_and_agreement(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = open_page("results", study="demo")
    shown = html(app)
    assert titles(app) == ["Results"]
    assert "Krippendorff" in shown
    assert shown.count('class="card"') == 8
    assert "imported from FER+" in shown
    assert "Neutral 8, Happiness 2" in shown
    app.segmented_control(key="order").set_value("Name").run()
    assert html(app).index("face00.png") < html(app).index("face07.png")


def test_results_without_votes_give_the_link_to_share(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    assert "/vote?study=demo" in message(open_page("results").info[0])


def test_a_large_study_is_shown_page_by_page(sqlite_repository: Repository) -> None:
    votes = [NewVote(0, f"face{i:02d}.png", "fear", "fear") for i in range(30)]
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(30), votes)
    app = open_page("results")
    assert html(app).count('class="card"') == 24
    [page] = app.number_input
    assert page.label == "Page (of 2)"
    page.set_value(2).run()
    assert html(app).count('class="card"') == 6
    app.segmented_control(key="order").set_value("Name").run()
    assert app.number_input[0].value == 1  # another order begins at its beginning
    assert html(app).count('class="card"') == 24


def test_compare_ranks_models_with_the_constant_beside_the_number(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    shown = html(app)
    assert titles(app) == ["Models against people"]
    assert "sharp is closer to people than flat" in shown
    assert "ε = 1e-3" in shown
    assert "split-half people" in shown
    assert shown.count('class="panels"') == 6
    assert "Worth raters" in shown
    assert "Earth mover’s" in shown
    app.segmented_control(key="epsilon").set_value("1e-7").run()
    assert not app.exception


def models_picker(app: AppTest) -> Any:
    [picker] = [group for group in app.button_group if str(group.key).startswith("models-")]
    return picker


def compare_only(app: AppTest, names: Sequence[str]) -> AppTest:
    """Choose the models to compare, and wait for the result."""
    models_picker(app).set_value(list(names)).run()
    return computed(app.button(key="compare-models").click().run())


def test_compare_lets_the_researcher_choose_models_and_computes_each_choice_once(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    app = compare_only(app, ["flat"])
    assert "sharp" not in html(app).replace("is left out", "")
    assert len(jobs("comparison")) == 2
    compare_only(app, ["flat", "sharp"])
    assert len(jobs("comparison")) == 2


def test_a_comparison_that_fails_says_why_and_can_be_tried_again(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    ids = sqlite_repository.votes(sqlite_repository.study("demo")).image_ids
    broken = NewModel("broken", "ce", "resnet18", EMOTION_NAMES, "b" * 64, {})
    sqlite_repository.store_predictions(broken, ids, np.full((8, 7), 0.5), np.zeros((8, 4)))
    app = computed(open_page("compare", study="demo"))
    assert "broken row 0 sums to 3.5, not 1" in alert(app)
    [again] = [button for button in app.button if button.label == "Try again"]
    assert "broken row 0" in alert(computed(again.click().run()))
    assert len(jobs("comparison")) == 1


def test_compare_explains_models_with_other_labels(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    ids = sqlite_repository.votes(sqlite_repository.study("demo")).image_ids
    model = NewModel("eight", "ce", "resnet18", (*EMOTION_NAMES, "contempt"), "x" * 64, {})
    sqlite_repository.store_predictions(model, ids, np.full((8, 8), 1 / 8), np.zeros((8, 4)))
    shown = html(computed(open_page("compare", study="demo")))
    assert "eight</b> is left out: it predicts contempt, which volunteers could not choose." in shown


EVIL = ("GPT <img src=x>", "![x](http://evil)")


def test_model_names_are_neither_markup_nor_markdown(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository, models=())
    ids = list(sqlite_repository.votes(sqlite_repository.study("demo")).image_ids)
    for number, name in enumerate(EVIL):  # each lacks a face, which the page says with its name
        model = NewModel(name, "ce", "resnet18", EMOTION_NAMES, str(number) * 64, {})
        some = [image for image in ids if image != ids[number]]
        sqlite_repository.store_predictions(model, some, np.full((7, 7), 1 / 7), np.zeros((7, 4)))
        more = NewModel(f"{name} of eight", "ce", "resnet18", (*EMOTION_NAMES, "contempt"), f"{number + 2}" * 64, {})
        sqlite_repository.store_predictions(more, ids, np.full((8, 8), 1 / 8), np.zeros((8, 4)))
    app = computed(open_page("compare", study="demo"))
    shown = html(app)
    assert "<img src=x" not in shown
    assert "GPT &lt;img src=x&gt; predicted only 7" in shown
    assert set(models_picker(app).options) == {components.plain(name) for name in EVIL}
    assert EVIL[1] not in html(compare_only(app, [EVIL[0]])).replace(f"{EVIL[1]} of eight", "")
    app = open_page("explore", study="demo")
    assert "<img src=x" not in html(app)
    [caption] = [caption.value for caption in app.caption if "Left out" in caption.value]
    assert all(components.plain(f"{name} of eight") in caption for name in EVIL)


def test_predictions_of_an_outside_model_are_added_on_the_page(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    header = "image," + ",".join(EMOTION_NAMES)
    rows = [f"face{i:02d}.png,0.4,0.1,0.1,0.1,0.1,0.1,0.1" for i in range(8)]
    app.text_input(key="import-name").set_value("outside")
    app.file_uploader(key="import-file").set_value(("p.csv", "\n".join([header, *rows[:7]]).encode(), "text/csv"))
    app.button(key="import-send").click().run()
    assert "1 of the study's 8 images are missing: face07.png" in alert(app)
    app.file_uploader(key="import-file").set_value(("p.csv", "\n".join([header, *rows]).encode(), "text/csv"))
    app.button(key="import-send").click().run()
    assert "Added outside for 8 faces." in html(app)
    app = computed(app.button(key="import-compare").click().run())
    assert "<b>outside</b>" in html(app)


def test_the_report_is_made_beside_the_page_and_offered_as_an_archive(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    assert not app.get("download_button")
    app.button(key="make-report").click().run()
    app = computed(app)
    [job] = jobs("report")
    with zipfile.ZipFile(result_file(job)) as archive:
        assert "report/tables/table2_jeffreys.tex" in archive.namelist()
    assert [button.proto.label for button in app.get("download_button")] == ["Download the report"]


def test_a_report_is_of_the_present_votes_and_predictions(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    app = computed(app.button(key="make-report").click().run())
    ids = list(sqlite_repository.votes(sqlite_repository.study("demo")).image_ids)
    model = NewModel("third", "ce", "resnet18", EMOTION_NAMES, "3" * 64, {})
    sqlite_repository.store_predictions(model, ids, np.full((8, 7), 1 / 7), np.zeros((8, 4)))
    app = computed(app.run())
    assert not app.get("download_button")  # the one made a moment ago is of two models
    computed(app.button(key="make-report").click().run())
    assert len(jobs("report")) == 2
    vote = sqlite_repository.enrol("demo").token
    sqlite_repository.vote(vote, ids[0], "fear")
    app = computed(app.run())
    assert not app.get("download_button")
    app.button(key="make-report").click().run()
    assert len(jobs("report")) == 3


def test_a_forgotten_report_is_no_longer_offered(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    app = computed(app.button(key="make-report").click().run())
    assert app.get("download_button")
    result_jobs.forget(sqlite_repository.study("demo").identity)
    app = computed(app.run())
    assert not app.exception
    assert not app.get("download_button")


def test_a_study_of_the_same_number_in_another_database_has_results_of_its_own(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    voted_study(sqlite_repository)
    assert "sharp is closer to people than flat" in html(computed(open_page("compare", study="demo")))
    st.cache_resource.clear()
    monkeypatch.setenv("LDLVA_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    settings.cache_clear()
    voted_study(open_repository(), models=(("sharp", 0.3), ("flat", 0.9)))
    assert "flat is closer to people than sharp" in html(computed(open_page("compare", study="demo")))


def test_results_say_that_dealt_votes_have_no_raters(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = open_page("results", study="demo")
    assert app.toggle(key="raters").disabled
    # Right below the switch that it explains, above the table.
    assert html(app).index("were dealt to raters at random") < html(app).index("Krippendorff’s α (95%")


def test_results_show_every_volunteer_and_agreement_without_the_flagged(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(12))
    for rater in range(4):
        token = sqlite_repository.enrol("demo").token
        current = sqlite_repository.ballot(token)
        while current.image_id is not None:
            choice = "fear" if rater == 3 else EMOTION_NAMES[current.image_id % 3]
            current = sqlite_repository.vote(token, current.image_id, choice, 2000)
    app = open_page("results", study="demo")
    assert "Fleiss’ κ" in html(app)
    app.toggle(key="raters").set_value(True)
    shown = html(computed(app.run()))
    assert "4 volunteers voted, 1 with a sign of not having looked." in shown
    assert "Without flagged volunteers" in shown
    [raters] = app.dataframe
    lines = raters.value
    assert list(lines["signs"].notna()) == [True, False, False, False]  # those with a sign come first
    assert "the same answer in 100% of votes" in lines["signs"][0]
    assert list(lines["votes"]) == [12] * 4
    assert "gold" not in lines
    assert any(caption.value.startswith("4 volunteers, those with a sign first.") for caption in app.caption)


def test_large_numbers_are_written_with_commas(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    study = sqlite_repository.study("demo")
    large = replace(study, images=3503, votes=35030, volunteers=1200)
    tiles = results.key_figures(large, sqlite_repository.votes(study))
    assert [value for value, _ in tiles if "," in value] == ["3,503", "1,200", "35,030"]


def several_answers(repository: Repository) -> None:
    """Everybody ticks the same two emotions of every face, but one says “other”, and one nothing at all."""
    response = {"mode": "multiple", "other_option": True}
    faces = {"response": response, "title": "Demo", "consent": {"text": "C"}}
    repository.create_study(NewStudy("demo", protocol=check_protocol(faces)), pictures(4))
    ids = repository.votes(repository.study("demo")).image_ids
    for _ in range(3):
        token = repository.enrol("demo").token
        for place, image in enumerate(ids):
            repository.vote(token, image, ["anger", "disgust"] if place % 2 else ["happiness", "surprise"], 900)
    repository.vote(repository.enrol("demo").token, ids[0], "other", other_text="tired")
    repository.enrol("demo")


def test_two_answers_of_one_person_are_no_disagreement(sqlite_repository: Repository) -> None:
    several_answers(sqlite_repository)
    sqlite_repository.create_study(NewStudy("single"), pictures(1), [NewVote(0, "face00.png", "fear", "fear")])
    app = open_page("results", study="demo")
    shown = html(app)
    assert SEVERAL in shown
    assert "Krippendorff&#x27;s α (sets of answers)" in shown
    assert "Fleiss" not in shown.replace(SEVERAL, "")
    assert "wo raters agree" not in shown
    assert "Entropy of a face’s single answers" in shown
    [caption] = [caption.value for caption in app.caption if "in no distribution" in caption.value]
    assert caption.startswith("1 more vote said “none of these” or “other”, which agreement takes for one")
    assert "None of these or other 1" in shown
    app.toggle(key="raters").set_value(True)
    shown = html(computed(app.run()))
    assert SEVERAL in shown
    assert "goes by the first of their answers" in shown
    assert "Volunteers’ votes" not in shown
    assert "Fleiss" in html(open_page("results", study="single"))


def test_compare_without_predictions_gives_the_command(sqlite_repository: Repository) -> None:
    votes = [NewVote(0, "face00.png", "fear", "fear")]
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1), votes)
    app = open_page("compare")
    assert "python -m ldlva predict" in html(app)
    assert 'role="alert"' not in html(app)


def test_compare_without_votes_asks_for_some(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    app = open_page("compare")
    assert "has no votes yet" in html(app)
    assert 'role="alert"' not in html(app)


def test_links_and_titles_cannot_inject_markdown(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Cost: $5 and $10 :red[!]"), pictures(1))
    shown = html(open_page("results", study="<img src=https://evil.example/p.png>"))
    assert "<img src=https" not in shown
    assert open_page("app").subheader[0].value == r"Cost\: \$5 and \$10 \:red\[\!\]"


def test_file_names_cannot_inject_markup(sqlite_repository: Repository) -> None:
    from dataclasses import replace

    evil = replace(pictures(1)[0], name="<img src=x onerror=alert(1)>.png")
    sqlite_repository.create_study(NewStudy("demo", "Demo"), [evil], [NewVote(0, evil.name, "fear", "fear")])
    shown = html(open_page("results"))
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


def start_voting(name: str = "demo") -> AppTest:
    app = open_page("vote", study=name)
    app.button(key=f"agree-{name}").click().run()
    return app


def choose(app: AppTest, choice: str) -> None:
    """Press a choice after a human pause."""
    time.sleep(ballot.QUIET_SECONDS)
    app.button(key=f"choose-{choice}").click().run()
    assert not app.exception


def undo(app: AppTest) -> None:
    time.sleep(ballot.QUIET_SECONDS)
    app.button(key="undo-button").click().run()
    assert not app.exception


def test_nothing_is_stored_before_consent(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo", consent_text="Agree <b>freely</b>."), pictures(2))
    app = open_page("vote", study="demo")
    assert "Agree &lt;b&gt;freely&lt;/b&gt;." in html(app)
    assert sqlite_repository.study("demo").volunteers == 0
    app.button(key="agree-demo").click().run()
    assert sqlite_repository.study("demo").volunteers == 1


def test_a_volunteer_votes_undoes_and_finishes(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(2))
    app = start_voting()
    assert "Face 1 of 2" in html(app)
    assert app.button(key="undo-button").disabled
    choose(app, "fear")
    assert "Face 2 of 2" in html(app)
    undo(app)
    assert "Face 1 of 2" in html(app)
    choose(app, "anger")
    choose(app, "none")
    assert titles(app) == ["Thank you!"]
    votes = sqlite_repository.votes(sqlite_repository.study("demo"))
    assert votes.counts.sum() == 1
    assert votes.counts[:, EMOTION_NAMES.index("anger")].sum() == 1
    assert votes.none_counts.sum() == 1


def test_the_resume_link_continues_where_the_volunteer_stopped(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(3))
    app = start_voting()
    choose(app, "fear")
    token = str(app.query_params["v"])
    again = open_page("vote", v=token)
    assert "Face 2 of 3" in html(again)


def test_a_click_right_after_a_new_face_is_taken_for_a_double_click(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(3))
    app = start_voting()
    monkeypatch.setattr(ballot, "QUIET_SECONDS", 3600)
    app.button(key="choose-fear").click().run()
    assert "Face 1 of 3" in html(app)
    assert sqlite_repository.study("demo").votes == 0


def test_two_tabs_on_the_same_face_make_one_vote(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(3))
    first = start_voting()
    token = str(first.query_params["v"])
    second = open_page("vote", v=token)
    choose(first, "fear")
    choose(second, "anger")
    assert sqlite_repository.study("demo").votes == 1
    assert "Face 2 of 3" in html(second)


def test_a_tampered_resume_link_is_a_message(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    assert "link is not valid" in alert(open_page("vote", v="tampered"))


def test_a_study_paused_meanwhile_stops_politely_and_loses_nothing(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(3))
    app = start_voting()
    choose(app, "fear")
    sqlite_repository.set_study_status("demo", "paused")
    choose(app, "anger")
    assert "This study is paused. What you have chosen so far is stored." in html(app)
    assert sqlite_repository.study("demo").votes == 1


def test_a_failed_undo_on_the_last_page_says_so(sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    app = start_voting()
    choose(app, "fear")

    def busy(*_: Any) -> None:
        raise DatabaseError("The database is busy.")

    monkeypatch.setattr(Repository, "undo", busy)
    undo(app)
    assert "could not be stored" in alert(app)  # the reason is not the volunteer's business


def test_a_study_where_everybody_said_none_of_these(sqlite_repository: Repository) -> None:
    votes = [NewVote(r, "face00.png", "none", "contempt") for r in range(3)]
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1), votes)
    app = open_page("results")
    assert "None of these 3" in html(app)
    assert not app.get("plotly_chart")


def test_a_closed_study_takes_no_new_volunteers(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo", status="closed"), pictures(1))
    app = open_page("vote", study="demo")
    assert "takes no new volunteers" in html(app)
    assert not app.button


def test_the_bare_vote_page_points_home() -> None:
    assert "open the link you were sent" in html(open_page("vote"))
