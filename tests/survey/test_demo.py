from __future__ import annotations

import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.settings import settings
from ldlva.survey.open import open_repository


@pytest.fixture
def with_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDLVA_DEMO_STUDY", "true")
    settings.cache_clear()


@pytest.mark.usefixtures("with_demo")
def test_a_new_database_has_the_demo_study_open_and_empty_of_votes() -> None:
    [study] = open_repository().studies()
    assert (study.name, study.status, study.images) == ("demo", "open", 21)
    assert (study.votes, study.volunteers, study.imported_raters) == (0, 0, 0)
    votes = open_repository().votes(study)
    assert set(votes.image_labels) == set(EMOTION_NAMES)


@pytest.mark.usefixtures("with_demo")
def test_the_demo_study_is_made_once() -> None:
    open_repository().set_study_status("demo", "closed")
    assert [study.status for study in open_repository().studies()] == ["closed"]


def test_the_demo_study_can_be_left_out() -> None:
    assert open_repository().studies() == []
