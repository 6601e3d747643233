"""One study on the Studies page, in Streamlit's test harness."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from ldlva.errors import SurveyError
from ldlva.survey.invitations import study_path
from ldlva.survey.preview import preview_key
from ldlva.survey.protocol_file import parse_toml, to_toml
from ldlva.survey.protocol_sections import OwnLabel
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import study_progress
from ldlva.ui.protocol_lines import answers_to_lines, labels_to_lines, lines_to_answers, lines_to_labels
from ldlva.ui.study_detail import export_archive
from tests.conftest import pictures
from tests.pages.test_pages import alert, html, open_page
from tests.pages.test_studies import press
from tests.survey.test_participation import create, protocol, quota, vote_on


def section(app: AppTest, name: str) -> None:
    app.segmented_control(key="section").set_value(name).run()
    assert not app.exception


def test_progress_shows_votes_faces_and_inattentive_volunteers(sqlite_repository: Repository) -> None:
    gold = {"gold": {"face00.png": ["anger"]}}
    create(sqlite_repository, protocol(stopping={"rule": "quota", "votes_per_face": 4}, faces=gold), 3)
    vote_on(sqlite_repository, sqlite_repository.enrol("s").token)
    app = open_page("studies", study="s")
    shown = html(app)
    assert "<b>1</b><span>finished</span>" in shown
    assert "25% of the votes needed" in shown
    assert "about 6 more votes needed" in shown
    assert shown.count("needs about 3 more") == 2
    assert "1 of 1 gold faces wrong" in shown
    assert len(app.get("plotly_chart")) == 1


def test_only_faces_that_need_votes_are_listed(sqlite_repository: Repository) -> None:
    create(sqlite_repository, quota(2), 3)
    token = sqlite_repository.enrol("s").token
    vote_on(sqlite_repository, token)
    other = sqlite_repository.enrol("s").token
    vote_on(sqlite_repository, other, 2)
    shown = html(open_page("studies", study="s"))
    assert "1 to 2 votes a face, median 2, 1 more on the way; 1 of 3 faces still need more." in shown
    assert shown.count('class="face-row"') == 1
    vote_on(sqlite_repository, other)
    shown = html(open_page("studies", study="s"))
    assert "2 votes on every face; enough on every face." in shown
    assert 'class="face-row"' not in shown


def test_without_a_quota_no_face_is_listed(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 80)
    vote_on(sqlite_repository, sqlite_repository.enrol("s").token)
    shown = html(open_page("studies", study="s"))
    assert "1 vote on every face; no quota." in shown
    assert 'class="face-row"' not in shown


def test_progress_of_thousands_of_faces_is_written_with_commas(sqlite_repository: Repository) -> None:
    create(sqlite_repository, quota(2), 1)
    study = replace(sqlite_repository.study("s"), votes=35030)
    progress = sqlite_repository.progress(study)
    assert study_progress.tiles(study, progress)[0] == ("35,030", "votes")
    many = progress.faces * 3503
    words = "0 votes on every face; 3,503 of 3,503 faces still need more."
    assert study_progress.face_words(many) == words


def test_a_study_is_opened_paused_and_closed_here_too(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", protocol=protocol(), status="draft"), pictures(1))
    app = open_page("studies", study="s")
    assert not [button for button in app.button if button.key in ("paused-s", "closed-s")]
    for key, status in (("open-s", "open"), ("paused-s", "paused"), ("closed-s", "closed")):
        press(app, key)
        assert sqlite_repository.study("s").status == status


def test_the_form_changes_a_paused_study_and_says_what_is_wrong(sqlite_repository: Repository) -> None:
    create(sqlite_repository, quota(10), 3)
    app = open_page("studies", study="s")
    section(app, "Protocol")
    assert "Pause the study to change it" in html(app)
    assert app.button(key="save-form").disabled
    press(app, "paused-s")
    app.text_input(key="p-title-en-s-1").set_value("New title")
    app.number_input(key="p-quota-s-1").set_value(7)
    app.number_input(key="p-ms-s-1").set_value(500)
    app.text_area(key="p-gold-s-1").set_value("face01.png = fear, bliss")
    press(app, "save-form")
    assert "'face01.png' accepts 'bliss'; labels are neutral" in alert(app)
    assert sqlite_repository.study("s").protocol_version == 1
    app.text_area(key="p-gold-s-1").set_value("face01.png = fear, surprise")
    press(app, "save-form")
    assert "Saved as version 2" in html(app)
    saved = sqlite_repository.study("s").protocol
    assert (saved.title, saved.stopping.votes_per_face, saved.presentation.exposure_ms) == ({"en": "New title"}, 7, 500)
    assert saved.faces.gold == {"face01.png": ("fear", "surprise")}
    press(app, "save-form")
    assert "Nothing changed" in html(app)
    assert sqlite_repository.study("s").protocol_version == 2


def test_own_labels_and_a_second_language_by_form(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", protocol=protocol(), status="draft"), pictures(1))
    app = open_page("studies", study="s")
    section(app, "Protocol")
    app.selectbox(key="p-labels-s-1").set_value("own").run()
    app.text_area(key="p-own-s-1").set_value("pride = Pride #112233\nfear")
    app.multiselect(key="p-languages-s-1").set_value(["en", "de"]).run()
    press(app, "save-form")
    assert "title needs a text in de" in alert(app)
    app.text_input(key="p-title-de-s-1").set_value("Titel")
    app.text_area(key="p-consent-de-s-1").set_value("Ja.")
    press(app, "save-form")
    saved = sqlite_repository.study("s").protocol
    assert saved.languages == ("en", "de")
    assert saved.consent.text == {"en": "C", "de": "Ja."}
    assert [(e.name, e.title, e.colour) for e in saved.emotions] == [
        ("pride", "Pride", "#112233"),
        ("fear", "Fear", "#7A5BA8"),
    ]


def test_labels_are_locked_once_somebody_took_part(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 1)
    sqlite_repository.enrol("s")
    sqlite_repository.set_study_status("s", "paused")
    app = open_page("studies", study="s")
    section(app, "Protocol")
    assert "fixed since somebody took part" in html(app)
    assert app.selectbox(key="p-mode-s-1").disabled
    assert not app.selectbox(key="p-order-s-1").disabled


def test_the_whole_file_can_be_edited(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", protocol=protocol(), status="draft"), pictures(1))
    app = open_page("studies", study="s")
    section(app, "Protocol")
    app.segmented_control(key="protocol-view").set_value("File").run()
    area = app.text_area(key="protocol-text-s-1-")
    assert parse_toml(area.value or "") == protocol()
    area.set_value(to_toml(protocol()).replace('mode = "single"', 'mode = "guess"'))
    press(app, "save-file")
    assert "response.mode is 'guess'; allowed are 'single'" in alert(app)
    area = app.text_area(key="protocol-text-s-1-")
    area.set_value(to_toml(protocol()).replace('mode = "single"', 'mode = "intensity"'))
    press(app, "save-file")
    assert sqlite_repository.study("s").protocol.response.mode == "intensity"


def test_one_time_links_are_shown_once_and_counted(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(access={"who": "one_time"}), 1)
    app = open_page("studies", study="s")
    section(app, "Invitations")
    app.text_area(key="invite-notes").set_value("Ann\n\nBo <b>")
    press(app, "invite")
    links = next(code.value for code in app.code if "&i=" in code.value).splitlines()
    assert len(links) == 2
    assert "0 of 2 links are used" in html(app)
    assert "Bo &lt;b&gt;" in html(app)
    sqlite_repository.enrol("s", invitation=parse_qs(urlsplit(links[0]).query)["i"][0])
    again = open_page("studies", study="s")
    section(again, "Invitations")
    assert "1 of 2 links are used" in html(again)
    assert not [code for code in again.code if "&i=" in code.value]


def test_the_secret_link_is_shown_to_researchers(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(access={"who": "link", "participant_id": "PID"}), 1)
    app = open_page("studies", study="s")
    section(app, "Invitations")
    path = study_path(sqlite_repository.study("s"))
    assert path is not None
    assert path.endswith("&PID=ID")
    assert app.code[0].value.endswith(path)


def test_a_clone_opens_its_own_page(sqlite_repository: Repository) -> None:
    create(sqlite_repository, quota(3), 2)
    app = open_page("studies", study="s")
    app.text_input(key="clone-name").set_value("s")
    press(app, "clone")
    assert "exists already" in alert(app)
    app.text_input(key="clone-name").set_value("t")
    press(app, "clone")
    assert sqlite_repository.study("t").status == "draft"
    assert "<code>t</code>" in html(app)


def test_everything_is_in_the_archive(sqlite_repository: Repository) -> None:
    create(sqlite_repository, quota(3), 2)
    vote_on(sqlite_repository, sqlite_repository.enrol("s").token)
    with zipfile.ZipFile(io.BytesIO(export_archive(sqlite_repository.study("s")))) as archive:
        names = set(archive.namelist())
        assert {"s/votes.csv", "s/volunteers.parquet", "s/protocol-1.toml", "s/SHA256SUMS"} <= names
        assert json.loads(archive.read("s/dictionary.json"))["rows"] == 2
    app = open_page("studies", study="s")
    section(app, "Data")
    assert app.get("download_button")


def test_a_researcher_can_withdraw_a_volunteer(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 2)
    enrolment = sqlite_repository.enrol("s")
    vote_on(sqlite_repository, enrolment.token)
    app = open_page("studies", study="s")
    section(app, "Data")
    app.text_input(key="withdrawal-code").set_value("nonsense")
    press(app, "withdraw")
    assert "No answers belong to this code" in alert(app)
    app.text_input(key="withdrawal-code").set_value(enrolment.withdrawal_code)
    press(app, "withdraw")
    assert "2 votes are gone for ever" in html(app)
    assert sqlite_repository.study("s").votes == 0


def test_a_study_is_deleted_by_typing_its_name(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 2, "kept")
    create(sqlite_repository, protocol(), 2)
    vote_on(sqlite_repository, sqlite_repository.enrol("s").token)
    app = open_page("studies", study="s")
    section(app, "Data")
    assert "close it first" in html(app)
    assert not [button for button in app.button if button.key == "delete"]
    press(app, "closed-s")
    press(app, "delete")
    assert "Nothing was deleted. Type the short name first: s" in alert(app)
    app.text_input(key="delete-name").set_value("kept")
    press(app, "delete")
    assert "Nothing was deleted" in alert(app)
    app.text_input(key="delete-name").set_value(" s ")
    press(app, "delete")
    assert "“T” (s) is gone for ever, with 2 faces and 2 votes." in html(app)
    assert "study" not in app.query_params
    assert [study.name for study in sqlite_repository.studies()] == ["kept"]


def test_a_new_study_of_a_deleted_ones_name_has_a_preview_of_its_own(sqlite_repository: Repository) -> None:
    for faces in (2, 5):
        sqlite_repository.create_study(NewStudy("s", protocol=quota(1), status="draft"), pictures(faces))
        app = open_page("vote", study="s", preview=preview_key(sqlite_repository.study("s")))
        press(app, next(str(button.key) for button in app.button if str(button.key).startswith("agree")))
        assert f"of {faces}" in html(app)
        sqlite_repository.delete_study(sqlite_repository.study("s"))


def test_a_page_on_a_study_that_is_deleted_turns_to_no_other(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 2, "first")
    create(sqlite_repository, protocol(), 2, "goes")
    app = open_page("results", study="goes")
    sqlite_repository.set_study_status("goes", "closed")
    sqlite_repository.delete_study(sqlite_repository.study("goes"))
    app.run()
    assert "There is no study named 'goes'" in alert(app)
    assert app.selectbox(key="study").value is None


def test_a_preview_of_a_draft_stores_nothing(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", protocol=quota(1), status="draft"), pictures(2))
    key = preview_key(sqlite_repository.study("s"))
    app = open_page("vote", study="s", preview=key)
    assert "nothing you do here is stored" in html(app)
    assert [button for button in app.button if str(button.key).startswith("agree")]
    press(app, next(str(button.key) for button in app.button if str(button.key).startswith("agree")))
    assert sqlite_repository.study("s").volunteers == 0
    assert "nothing you do here is stored" in html(app)
    other = open_page("vote", study="s", preview="x" * 20)
    assert "nothing you do here is stored" not in html(other)
    assert not [button for button in other.button if str(button.key).startswith("agree")]


def test_an_unknown_study_is_named(sqlite_repository: Repository) -> None:
    app = open_page("studies", study="nope")
    assert "no study named 'nope'" in alert(app)
    assert "All studies" in [link.proto.label for link in app.get("page_link")]


def test_lines_of_the_form_read_back() -> None:
    answers = {"a = b.png": ["fear"], "c.png": ["fear", "anger"]}
    assert lines_to_answers(answers_to_lines(answers), "x") == answers
    for bad, message in (("a.png", "write a line"), ("= fear", "write a line"), ("a=b\na=c", "twice")):
        with pytest.raises(SurveyError, match=message):
            lines_to_answers(bad, "Gold")
    labels = (
        OwnLabel(name="pride", title={"en": "Pride", "de": "Stolz"}, colour="#112233", valence=0.5, arousal=0.1),
        OwnLabel(name="fear"),
    )
    again = tuple(
        OwnLabel.model_validate(label) for label in lines_to_labels(labels_to_lines(labels, "en"), "en", labels)
    )
    assert again == labels


def test_a_data_set_to_publish_is_offered_once_it_gives_no_code_away(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(completion={"code": "C0DE"}), 2)
    app = open_page("studies", study="s")
    section(app, "Data")
    button = next(one for one in app.get("download_button") if one.proto.label == "Download to publish")
    assert button.proto.disabled and "Close the study first" in button.proto.help
    sqlite_repository.set_study_status("s", "closed")
    app.run()
    section(app, "Data")
    button = next(one for one in app.get("download_button") if one.proto.label == "Download to publish")
    assert not button.proto.disabled
