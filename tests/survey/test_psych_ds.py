"""Publishing a study: a valid Psych-DS data set, nothing in it that leads to a volunteer, and the same study back."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.access import keyed_hash
from ldlva.survey.database import Database
from ldlva.survey.pack import TABLES
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.psych_ds import SUMS, pack_archive, read_pack, write_pack
from ldlva.survey.records import NewModel, NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Study, Volunteer, Vote, now
from tests.conftest import pictures
from tests.survey.test_participation import protocol, vote_on

DATA_FILE = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv")


@dataclass(frozen=True)
class Databases:
    """A database to publish from and one to import into."""

    source: Repository
    target: Repository


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    folder = tmp_path_factory.mktemp("packs")
    opened = [Database(f"sqlite:///{folder / name}.db") for name in ("source", "target")]
    for database in opened:
        database.prepare()
    yield Databases(*map(Repository, opened))
    for database in opened:
        database.close()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
DAYS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda day: day.replace(tzinfo=UTC))


@st.composite
def a_vote(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "image": draw(st.integers(0, 3)),
        "repeat": draw(st.integers(0, 1)),
        "kind": draw(st.sampled_from(["face", "practice", "gold", "repeat"])),
        "choice": draw(st.sampled_from([*EMOTION_NAMES, "none", "other"])),
        "choices": draw(st.none() | st.lists(st.sampled_from(EMOTION_NAMES), unique=True, max_size=3)),
        "intensity": draw(st.none() | st.integers(0, 100)),
        "valence": draw(st.none() | st.floats(-1, 1)),
        "other_text": draw(st.none() | TEXTS),
        "options": draw(st.none() | st.permutations(EMOTION_NAMES).map(list)),
        "source_choice": draw(st.none() | st.just("contempt")),
        "response_ms": draw(st.none() | st.integers(0, 10**6)),
        "created_at": draw(DAYS),
        "superseded_at": draw(st.none() | DAYS),
    }


@st.composite
def a_rater(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "source": draw(st.sampled_from(["web", "ferplus"])),
        "language": draw(st.none() | st.just("en")),
        "consent_version": draw(st.none() | TEXTS),
        "consented_at": draw(st.none() | DAYS),
        "created_at": draw(DAYS),
        "finished_at": draw(st.none() | DAYS),
        "demographics": draw(st.none() | st.dictionaries(st.just("age"), st.integers(0, 99) | TEXTS)),
        "options": draw(st.permutations(EMOTION_NAMES).map(list) | st.just([])),
        "showings": draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.just("face")), max_size=4)),
        "votes": draw(st.lists(a_vote(), max_size=6)),
    }


@st.composite
def a_study(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "title": draw(TEXTS.filter(str.strip)),
        "raters": draw(st.lists(a_rater(), max_size=4)),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "withdrawn": draw(st.integers(0, 3)),
        "origin": draw(st.dictionaries(st.sampled_from(["note", "by"]), TEXTS | st.integers(0, 5))),
        "second_protocol": draw(st.booleans()),
        "models": draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=2)),
    }


NUMBERS = itertools.count()


def put_up(repository: Repository, content: dict[str, Any]) -> str:
    """Store a study as drawn, past what the pages would ever do; returns its name."""
    name = f"s{next(NUMBERS)}"
    first = check_protocol({"title": content["title"], "consent": {"text": "C"}, "response": {"other_option": True}})
    study = NewStudy(name, protocol=first, status="draft", seed=content["seed"], origin=content["origin"])
    repository.create_study(study, pictures(4))
    if content["second_protocol"]:
        changed = {"title": content["title"], "consent": {"text": "D", "version": "2"}}
        repository.set_protocol(name, check_protocol({**changed, "response": {"other_option": True}}))
    summary = repository.study(name)
    ids = [image_id for image_id, _, _ in repository.images(summary)]
    with repository._database.write() as session:
        row = session.get_one(Study, summary.id)
        row.withdrawn = content["withdrawn"]
        for rater in content["raters"]:
            kept = {key: value for key, value in rater.items() if key not in ("votes", "showings")}
            trials = [[ids[image], repeat, kind] for image, repeat, kind in rater["showings"]]
            volunteer = Volunteer(study_id=summary.id, trials=trials, **kept)
            session.add(volunteer)
            session.flush()
            current: set[tuple[int, int]] = set()
            for vote in rater["votes"]:
                place = (vote["image"], vote["repeat"])
                taken_back = vote["superseded_at"] or (vote["created_at"] if place in current else None)
                if taken_back is None:
                    current.add(place)
                values = {key: value for key, value in vote.items() if key not in ("image", "superseded_at")}
                session.add(
                    Vote(
                        study_id=summary.id,
                        volunteer_id=volunteer.id,
                        image_id=ids[vote["image"]],
                        superseded_at=taken_back,
                        protocol_hash=summary.protocol_hash,
                        **values,
                    )
                )
                session.flush()
    for number, (width, faces) in enumerate(content["models"]):
        rng = np.random.default_rng(content["seed"] + number)
        model = NewModel(f"{name}-{number}", "ce", "resnet18", EMOTION_NAMES, name.ljust(64, "0"), {"épochs": number})
        repository.store_predictions(
            model, ids[:faces], rng.dirichlet(np.ones(7), faces), rng.normal(size=(faces, width))
        )
    return name


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(content=a_study())
def test_a_published_study_is_imported_as_the_same_study(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    source, target = databases.source, databases.target
    name = put_up(source, content)
    folder = tmp_path_factory.mktemp("pack") / "out"
    published = source.pack(name, answers=True, images=True)
    write_pack(published, folder)
    pack, contents = read_pack(folder)
    assert replace(pack, contents=published.contents) == published
    target.unpack(pack, contents)

    again = target.pack(name, answers=True, images=True)
    assert again.study == {**published.study, "origin": {**published.study["origin"], "pack": True}}
    assert replace(again, study=published.study) == published
    before, after = source.study(name), target.study(name)
    assert (after.protocol, after.protocol_hash, after.protocol_version, after.seed) == (
        before.protocol, before.protocol_hash, before.protocol_version, before.seed,
    )  # fmt: skip
    for field in ("images", "volunteers", "imported_raters", "votes", "withdrawn"):
        assert getattr(after, field) == getattr(before, field)
    assert after.status == "closed"
    for tally in ("counts", "none_counts", "raters"):
        assert np.array_equal(getattr(source.votes(before), tally), getattr(target.votes(after), tally))
    for ours, theirs in zip(source.predictions(before), target.predictions(after), strict=True):
        assert (ours.name, ours.labels, ours.details) == (theirs.name, theirs.labels, theirs.details)
        assert np.array_equal(ours.probabilities, theirs.probabilities)
        features = source.features(before, ours.name).features, target.features(after, ours.name).features
        assert np.array_equal(*features)


def a_voted_study(repository: Repository, name: str = "my-study") -> dict[str, str]:
    """Two volunteers by the real way in, one of whom withdrew; returns what must not be published."""
    questions = [{"key": "job", "text": "Job?", "kind": "text"}]
    repository.create_study(
        NewStudy(
            name,
            protocol=protocol(
                demographics=questions,
                response={"other_option": True},
                access={"participant_id": "PROLIFIC_PID"},
            ),
        ),
        pictures(4),
    )
    stays = repository.enrol(name, participant_id="participant-77", demographics={"job": "lighthouse keeper"})
    vote_on(repository, stays.token, 3)
    repository.undo(stays.token)
    ballot = repository.ballot(stays.token)
    assert ballot.image_id is not None
    repository.vote(stays.token, ballot.image_id, "other", response_ms=1234, other_text="bittersweet")
    goes = repository.enrol(name, participant_id="participant-78", demographics={"job": "astronaut"})
    vote_on(repository, goes.token)
    repository.withdraw(goes.withdrawal_code)
    study = repository.study(name)
    with repository._database.read() as session:
        [volunteer] = session.query(Volunteer).filter_by(study_id=study.id)
        secrets = {
            "token": stays.token,
            "code": stays.withdrawal_code,
            "token hash": str(volunteer.token_hash),
            "code hash": str(volunteer.withdrawal_hash),
            "participant": str(volunteer.participant_id),
            "their number": "participant-7",
            "link": study.link_secret,
            "private": session.get_one(Study, study.id).private_secret,
            "answer": "lighthouse",
            "own word": "bittersweet",
            "who withdrew": "astronaut",
            "time of day": f"{volunteer.created_at:%H:%M}:",
        }
    rng = np.random.default_rng(0)
    model = NewModel(f"model-of-{name}", "ce", "resnet18", EMOTION_NAMES, "1" * 64, {})
    ids = [image_id for image_id, _, _ in repository.images(study)]
    repository.store_predictions(model, ids, rng.dirichlet(np.ones(7), 4), rng.normal(size=(4, 3)))
    return secrets


def everything(folder: Path) -> str:
    """All that a data set says, Parquet files unpacked."""
    texts = []
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            texts.append(str(pq.read_table(path).to_pylist()))
        elif path.is_file() and path.suffix != ".png" and path.name != SUMS:
            texts.append(path.read_text())
    return "\n".join(texts)


def test_nothing_published_leads_to_a_volunteer_and_who_withdrew_is_not_there(
    repository: Repository, tmp_path: Path
) -> None:
    secrets = a_voted_study(repository)
    write_pack(repository.pack("my-study"), tmp_path / "out")
    published = everything(tmp_path / "out")
    for what, secret in secrets.items():
        assert secret not in published, what
    pack = repository.pack("my-study")
    assert len(pack.tables["raters"]) == 1
    assert len(pack.tables["votes"]) == 4 and pack.study["withdrawn"] == 1
    assert [row["choice"] for row in pack.tables["votes"]] == ["fear", "fear", "fear", "other"]
    assert [row["taken_back_on"] is None for row in pack.tables["votes"]] == [True, True, False, True]

    write_pack(repository.pack("my-study", answers=True), tmp_path / "asked")
    published = everything(tmp_path / "asked")
    assert "lighthouse keeper" in published and "bittersweet" in published
    assert "astronaut" not in published and "participant-7" not in published


def test_raters_are_numbered_in_an_order_that_tells_nothing(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(3))
    enrolled = [sqlite_repository.enrol("s") for _ in range(12)]
    for number, one in enumerate(enrolled):
        vote_on(sqlite_repository, one.token, 1 + number % 2)
    pack = sqlite_repository.pack("s")
    votes = [sum(row["rater"] == n for row in pack.tables["votes"]) for n in range(1, 13)]
    assert sorted(votes) == [1] * 6 + [2] * 6
    assert votes != [1, 2] * 6  # as they came; equal by chance once in 924 studies, and the study's secret is random
    assert sqlite_repository.pack("s") == pack


def test_the_numbers_do_not_follow_from_what_volunteers_hold(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(1))
    study = sqlite_repository.study("s")
    enrol_and_vote(sqlite_repository, "s", 12)
    with sqlite_repository._database.read() as session:
        ids = session.scalars(select(Volunteer.id).order_by(Volunteer.id)).all()
    guessed = sorted(ids, key=lambda number: keyed_hash(study.link_secret, f"rater:{number}"))
    # Equal by chance once in 12! times.
    assert published_order(sqlite_repository, "s") != [f"vote {ids.index(number)}" for number in guessed]


@pytest.mark.parametrize("faces", [None, ["face00.png"]])
def test_clones_of_an_imported_study_number_their_raters_anew(
    published: Path, sqlite_repository: Repository, faces: list[str] | None
) -> None:
    sqlite_repository.unpack(*read_pack(published), "imported")
    sqlite_repository.clone_study("imported", "clone", protocol(response={"other_option": True}), faces)
    assert sqlite_repository.study("imported").origin == {"pack": True}
    assert sqlite_repository.study("clone").origin == {"cloned_from": "imported"}
    sqlite_repository.set_study_status("clone", "open")
    enrol_and_vote(sqlite_repository, "clone", 12)
    order = published_order(sqlite_repository, "clone")
    assert order != sorted(order, key=lambda word: int(word.removeprefix("vote ")))


def test_who_enrols_in_an_imported_study_is_numbered_anew_after_its_raters(
    published: Path, sqlite_repository: Repository
) -> None:
    sqlite_repository.unpack(*read_pack(published), "imported")
    before = sqlite_repository.pack("imported", answers=True)
    sqlite_repository.set_study_status("imported", "paused")
    sqlite_repository.set_protocol("imported", protocol(response={"other_option": True}))
    sqlite_repository.set_study_status("imported", "open")
    enrol_and_vote(sqlite_repository, "imported", 12)
    after = sqlite_repository.pack("imported", answers=True)
    assert after.tables["votes"][: len(before.tables["votes"])] == before.tables["votes"]
    order = published_order(sqlite_repository, "imported")[1:]
    assert order != sorted(order, key=lambda word: int(word.removeprefix("vote ")))


def test_in_an_imported_study_nobody_is_left_to_be_made_anonymous(
    published: Path, sqlite_repository: Repository
) -> None:
    """And its raters keep their numbers: a purge took them for volunteers whose retention time was over."""
    sqlite_repository.unpack(*read_pack(published), "imported")
    sqlite_repository.set_study_status("imported", "paused")
    sqlite_repository.set_protocol("imported", protocol(response={"other_option": True}, retention_days=1))
    before = sqlite_repository.pack("imported").tables
    later = Repository(sqlite_repository._database, lambda: now() + timedelta(days=500))
    assert not later.purge_is_due()
    assert [purge.volunteers for purge in later.purge("imported")] == [0]
    assert later.pack("imported").tables == before


def enrol_and_vote(repository: Repository, name: str, volunteers: int) -> None:
    """Volunteers whose own words say in which order they came."""
    with repository._database.write() as session:
        study = session.scalars(select(Study).where(Study.name == name)).one()
    for number in range(volunteers):
        token = repository.enrol(name).token
        vote_on(repository, token, 1)
        with repository._database.write() as session:
            mine = select(Vote).where(Vote.study_id == study.id).order_by(Vote.id.desc()).limit(1)
            session.scalars(mine).one().other_text = f"vote {number}"


def published_order(repository: Repository, name: str) -> list[str]:
    """Raters' own words in the order of their published numbers."""
    words = {row["rater"]: row["other_text"] for row in repository.pack(name, answers=True).tables["votes"]}
    return [words[number] for number in sorted(words)]


def test_it_is_a_psych_ds_data_set(sqlite_repository: Repository, tmp_path: Path) -> None:
    """The rules of https://psych-ds.github.io whose breach is an error."""
    a_voted_study(sqlite_repository)
    folder = tmp_path / "out"
    pack = sqlite_repository.pack("my-study", images=True)
    write_pack(pack, folder, authors=["A. Author"], licence="CC0-1.0", citation="Author (2026)")
    description = json.loads((folder / "dataset_description.json").read_text())
    assert description["@context"].rstrip("/") in ("https://schema.org", "http://schema.org")
    assert description["@type"] == "Dataset" and description["name"] and description["description"]
    assert description["author"] == [{"@type": "Person", "name": "A. Author"}]
    assert (description["license"], description["citation"]) == ("CC0-1.0", "Author (2026)")
    variables = [variable["name"] for variable in description["variableMeasured"]]
    assert len(set(variables)) == len(variables)
    assert all(
        variable["@type"] == "PropertyValue" and variable["description"] for variable in description["variableMeasured"]
    )
    found = sorted((folder / "data").rglob("*.csv"))
    assert len(found) == len(TABLES)
    columns = set()
    for path in found:
        assert DATA_FILE.fullmatch(path.name), path.name
        header, *rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8")))
        assert header and len(set(header)) == len(header)
        assert all(len(row) == len(header) for row in rows)
        columns |= set(header)
    assert columns == set(variables)
    assert sorted(path.name for path in (folder / "materials" / "images").iterdir()) == [
        f"0000{n}.png" for n in range(1, 5)
    ]
    assert (folder / "documentation" / "consent-1-en.txt").read_text() == "Version 1\n\nC\n"
    content = (folder / "documentation" / "protocol-1.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == pack.tables["votes"][0]["protocol_hash"]


@pytest.fixture
def published(sqlite_repository: Repository, tmp_path: Path) -> Path:
    a_voted_study(sqlite_repository)
    write_pack(sqlite_repository.pack("my-study", images=True), tmp_path / "out")
    return tmp_path / "out"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sum_anew(folder: Path) -> None:
    listed = [path for path in files(folder) if path.name != SUMS]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in listed]
    (folder / SUMS).write_text("".join(lines))


def test_every_damaged_missing_or_added_file_is_named(published: Path, tmp_path: Path) -> None:
    for path in files(published):
        if path.name == SUMS:
            continue
        copy = tmp_path / "copy"
        for fault in ("damaged", "missing"):
            shutil.copytree(published, copy)
            broken = copy / path.relative_to(published)
            if fault == "damaged":
                content = bytearray(broken.read_bytes())
                content[len(content) // 2] ^= 1
                broken.write_bytes(content)
            else:
                broken.unlink()
            with pytest.raises(SurveyError, match=re.escape(str(broken)) + f" is {fault}"):
                read_pack(copy)
            shutil.rmtree(copy)
    (published / "data" / "notes.txt").write_text("mine")
    with pytest.raises(SurveyError, match=r"notes.txt is not part of the data set"):
        read_pack(published)
    with pytest.raises(SurveyError, match="not a data set of this product"):
        read_pack(tmp_path)


def test_edits_with_new_checksums_are_found_where_files_contradict_each_other(
    published: Path, sqlite_repository: Repository
) -> None:
    votes = next((published / "data").glob("*votes_data.csv"))
    original = votes.read_text()
    votes.write_text(original.replace('"fear"', '"anger"', 1))
    sum_anew(published)
    with pytest.raises(SurveyError, match=r"votes_data.csv and data/parquet/votes.parquet differ"):
        read_pack(published)
    votes.write_text(original)
    path = published / "documentation" / "protocol-1.json"
    path.write_text(path.read_text().replace('"C"', '"E"'))
    sum_anew(published)
    with pytest.raises(SurveyError, match=r"protocol-1.json is not the protocol it was"):
        read_pack(published)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("votes", "rater", 99),
        ("votes", "image", "nowhere.png"),
        ("votes", "choice", "boredom"),
        ("votes", "kind", "bribe"),
        ("votes", "protocol_hash", "0" * 64),
        ("predictions", "label", "boredom"),
        ("raters", "showings", '[[7,0,"face"]]'),
        ("images", "media_type", "text/html"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(
    table: str, column: str, value: Any, published: Path, sqlite_repository: Repository
) -> None:
    pack, contents = read_pack(published)
    pack.tables[table][0][column] = value
    with pytest.raises(SurveyError, match=f"contradicts itself: in {table}, the row with"):
        sqlite_repository.unpack(pack, contents, "again")
    assert [study.name for study in sqlite_repository.studies()] == ["my-study"]


def test_images_may_come_from_elsewhere_and_are_told_by_their_content(
    sqlite_repository: Repository, tmp_path: Path
) -> None:
    a_voted_study(sqlite_repository)
    write_pack(sqlite_repository.pack("my-study"), tmp_path / "out")
    pack, contents = read_pack(tmp_path / "out")
    with pytest.raises(SurveyError, match=r"4 of 4 images are not in the pack, the first is 'face00.png'"):
        sqlite_repository.unpack(pack, contents, "again")
    (tmp_path / "faces" / "deep").mkdir(parents=True)
    for number, image in enumerate(pictures(9)):
        (tmp_path / "faces" / "deep" / f"renamed-{number}").write_bytes(image.content)
    sqlite_repository.unpack(*read_pack(tmp_path / "out", tmp_path / "faces"), "again")
    assert sqlite_repository.study("again").images == 4


def test_images_that_may_not_be_passed_on_are_not(sqlite_repository: Repository, tmp_path: Path) -> None:
    sqlite_repository.create_study(NewStudy("fer", "F", origin={"source": "ferplus"}), pictures(2))
    with pytest.raises(SurveyError, match="Images of ferplus may not be passed on"):
        write_pack(sqlite_repository.pack("fer", images=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_pack(sqlite_repository.pack("fer"), tmp_path / "out")


def test_names_weights_and_running_studies_in_the_way(published: Path, sqlite_repository: Repository) -> None:
    pack, contents = read_pack(published)
    with pytest.raises(SurveyError, match="exists already"):
        sqlite_repository.unpack(pack, contents)
    with pytest.raises(SurveyError, match="Bad study name"):
        sqlite_repository.unpack(pack, contents, "Bad Name")
    pack.tables["models"][0]["weights_sha256"] = "2" * 64
    with pytest.raises(SurveyError, match="with other weights"):
        sqlite_repository.unpack(pack, contents, "again")
    assert [study.name for study in sqlite_repository.studies()] == ["my-study"]
    sqlite_repository.create_study(NewStudy("paid", protocol=protocol(completion={"code": "C0DE"})), pictures(2))
    with pytest.raises(SurveyError, match=r"names the completion code. Close the study first"):
        sqlite_repository.pack("paid")
    sqlite_repository.set_study_status("paid", "closed")
    assert sqlite_repository.pack("paid").tables["votes"] == []


PROLIFIC = "https://app.prolific.com/submissions/complete?cc=C1AB2CD3"
HARMLESS = [
    {},
    {"url": "https://panel.example"},
    {"url": "https://panel.example/"},
    {"per_volunteer": True},
    {"per_volunteer": True, "url": "https://panel.example/{code}"},
    {"per_volunteer": True, "url": "https://panel.example/complete?cc={code}"},
]
TELLING = [
    {"code": "C1AB2CD3"},
    {"code": "C1AB2CD3", "url": "https://panel.example/complete?cc={code}"},
    {"url": PROLIFIC},
    {"per_volunteer": True, "url": PROLIFIC},
    {"per_volunteer": True, "url": PROLIFIC + "&own={code}"},
    {"url": "https://panel.example/complete/C1AB2CD3"},
    {"url": "https://panel.example/?C1AB2CD3"},
    {"url": "https://panel.example/#C1AB2CD3"},
]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("completion", [*HARMLESS, *TELLING])
def test_no_running_study_is_published_with_what_panels_pay_for(
    sqlite_repository: Repository, completion: dict[str, Any], earlier: bool
) -> None:
    first, then = (completion, {}) if earlier else ({}, completion)
    sqlite_repository.create_study(NewStudy("paid", protocol=protocol(completion=first)), pictures(1))
    sqlite_repository.set_study_status("paid", "paused")
    sqlite_repository.set_protocol("paid", protocol(completion=then))
    sqlite_repository.set_study_status("paid", "open")
    if completion in TELLING:
        with pytest.raises(SurveyError, match=r"completion code\. Close the study first"):
            sqlite_repository.pack("paid")
        sqlite_repository.set_study_status("paid", "closed")
    assert sqlite_repository.pack("paid").protocols[-1]["sha256"] == protocol(completion=then).hash


def test_an_imported_study_on_both_databases(repository: Repository, tmp_path: Path) -> None:
    a_voted_study(repository)
    write_pack(repository.pack("my-study", answers=True, images=True), tmp_path / "out")
    repository.unpack(*read_pack(tmp_path / "out"), "again")
    first, second = repository.pack("my-study", answers=True), repository.pack("again", answers=True)
    assert first.tables == second.tables and first.features == second.features
    assert repository.study("again").created_at + timedelta(days=1) > repository.study("my-study").created_at
    with pytest.raises(SurveyError, match="is not empty"):
        write_pack(first, tmp_path / "out")


def test_the_archive_for_a_download_holds_the_same_files(published: Path, sqlite_repository: Repository) -> None:
    archive = zipfile.ZipFile(io.BytesIO(pack_archive(sqlite_repository.pack("my-study", images=True))))
    assert {name.removeprefix("my-study/"): archive.read(name) for name in archive.namelist()} == {
        path.relative_to(published).as_posix(): path.read_bytes() for path in files(published)
    }
